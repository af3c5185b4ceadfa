/* test_pert.c: effects are the sums they are said to be, the model is the one of its equations, maps are optimal, and
 * simulated screens have the effects they were given. */
#include "test.h"

#include "linalg/dense.h"
#include "linalg/positive.h"
#include "pert/effects.h"
#include "pert/judge.h"
#include "pert/model.h"
#include "pert/profiles.h"
#include "pert/response.h"
#include "pert/splits.h"
#include "pert/transport.h"
#include "core/draws.h"
#include "sim/screen.h"

static cw_ctx *new_ctx(int threads)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->threads = threads;
    return ctx;
}

/* A random positive definite matrix. */
static void positive(double *A, int64_t n, draws *d)
{
    double *B = malloc(sizeof *B * (size_t)(n * n));
    for (int64_t k = 0; k < n * n; k++) B[k] = normal(d);
    cw_dense_product(1, A, B, 0, B, 1, 0.0, n, n, n);
    for (int64_t i = 0; i < n; i++) A[i * n + i] += 1.0;
    free(B);
}

static void test_positive(void)
{
    enum { N = 37 };
    draws d = draws_new(3, 0, 0);
    double A[N * N], L[N * N], inverse[N * N], one[N * N], value[N], *room = malloc(sizeof *room * 10000);
    positive(A, N, &d);
    memcpy(L, A, sizeof L);
    CHECK(cw_positive_factor(L, N) == 0, "no factor");
    cw_positive_inverse(inverse, L, N);
    cw_dense_product(1, one, A, 0, inverse, 0, 0.0, N, N, N);
    double worst = 0, sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) worst = fmax(worst, fabs(one[i * N + j] - (i == j)));
    CHECK(worst < 1e-9, "A times its inverse is off by %g", worst);
    memcpy(one, A, sizeof one);
    if (room && cw_dense_eigen_room(N) < 10000 && cw_dense_eigen(value, one, room, N, 1) == 0)
        for (int i = 0; i < N; i++) sum += log(value[i]);
    CHECK(fabs(sum - cw_positive_logdet(L, N)) < 1e-8, "log determinant %g, not %g", cw_positive_logdet(L, N), sum);
    A[0] = -1;
    CHECK(cw_positive_factor(A, N) == -1, "a factor of what is not positive");
    A[0] = NAN;
    CHECK(cw_positive_factor(A, N) == -1, "a factor of NaN");
    free(room);
}

/* Sums against the dense ones, on one and on three threads; of a matrix of the genes, or of one of more rows. */
static void test_effects(int wide)
{
    enum { CELLS = 23, GENES = 7, GROUPS = 4, BATCHES = 2 };
    draws d = draws_new(5, 0, 0);
    int32_t start[CELLS + 1] = {0}, at[2 * CELLS * GENES], group[CELLS], batch[CELLS], gene[2 * GENES];
    double x[2 * CELLS * GENES], scale[CELLS], centre[BATCHES * GENES], want[2][GROUPS * GENES] = {{0}},
                                                                                     weight[GROUPS * GENES];
    double along[CELLS] = {0}, out[CELLS];
    for (int k = 0; k < BATCHES * GENES; k++) centre[k] = unit(&d);
    for (int k = 0; k < GROUPS * GENES; k++) weight[k] = normal(&d);
    for (int r = 0; r < 2 * GENES; r++) gene[r] = r % 2 ? -1 : GENES - 1 - r / 2;
    for (int c = 0, n = 0; c < CELLS; c++) {
        group[c] = (int32_t)below(&d, GROUPS + 1) - 1, batch[c] = (int32_t)below(&d, BATCHES), scale[c] = unit(&d);
        for (int g = 0; g < GENES; g++) {
            double count = unit(&d) < .5 ? (double)below(&d, 9) : 0.0;
            if (count > 0.0) at[n] = wide ? 2 * (GENES - 1 - g) : g, x[n++] = count;
            if (wide && g % 3 == 0) at[n] = 2 * g + 1, x[n++] = 9; /* of a row that isn't looked at */
            double v = log1p(count * scale[c]) - centre[batch[c] * GENES + g];
            if (group[c] < 0) continue;
            want[0][group[c] * GENES + g] += v, want[1][group[c] * GENES + g] += v * v;
            along[c] += weight[group[c] * GENES + g] * v;
        }
        start[c + 1] = n;
    }
    cw_cells_view v = {.start = start, .at = at, .x = x, .cells = CELLS, .genes = GENES, .scale = scale, .group = group,
                       .batch = batch, .gene = wide ? gene : NULL};
    for (int threads = 1; threads < 4; threads += 2) {
        cw_ctx *ctx = new_ctx(threads);
        double sum[GROUPS * GENES] = {0}, square[GROUPS * GENES] = {0}, worst = 0;
        CHECK(cw_effects_add(ctx, sum, square, &v, centre, GROUPS) == CW_OK, "%s", ctx->text);
        for (int k = 0; k < GROUPS * GENES; k++)
            worst = fmax(worst, fmax(fabs(sum[k] - want[0][k]), fabs(square[k] - want[1][k])));
        CHECK(worst < 1e-12, "sums off by %g", worst);
        CHECK(cw_effects_project(ctx, out, &v, centre, weight, GROUPS, BATCHES) == CW_OK, "%s", ctx->text);
        worst = 0;
        for (int c = 0; c < CELLS; c++) worst = fmax(worst, fabs(out[c] - along[c]));
        CHECK(worst < 1e-12, "projections off by %g", worst);
        cw_ctx_free(ctx);
    }
}

/* A has to carry S0 to S1: A S0 A = S1, and be symmetric. */
static void test_transport(void)
{
    enum { D = 9, N = 60 };
    cw_ctx *ctx = new_ctx(1);
    draws d = draws_new(7, 0, 0);
    double from[D * D], to[D * D], A[D * D], B[D * D], C[D * D], worst = 0, skew = 0, mean[D], S[D * D], x[N * D],
                                                                 shrunk;
    positive(from, D, &d);
    positive(to, D, &d);
    CHECK(cw_gaussian_map(ctx, A, from, to, D) == CW_OK, "%s", ctx->text);
    cw_dense_product(1, B, A, 0, from, 0, 0.0, D, D, D);
    cw_dense_product(1, C, B, 0, A, 0, 0.0, D, D, D);
    for (int k = 0; k < D * D; k++) worst = fmax(worst, fabs(C[k] - to[k]));
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) skew = fmax(skew, fabs(A[i * D + j] - A[j * D + i]));
    CHECK(worst < 1e-8 && skew < 1e-8, "A S0 A off by %g, A skewed by %g", worst, skew);
    /* shrinkage is complete where all directions are alike, slight where one stands out */
    for (int k = 0; k < N * D; k++) x[k] = normal(&d) * (k % D == 0 ? 20.0 : 1.0) + 3.0;
    CHECK(cw_shrunk_covariance(ctx, mean, S, &shrunk, x, N, D) == CW_OK, "%s", ctx->text);
    CHECK(shrunk > 0 && shrunk < .1 && S[0] > 100 * S[D + 1], "shrunk by %g, %g and %g", shrunk, S[0], S[D + 1]);
    CHECK(cw_shrunk_covariance(ctx, mean, S, &shrunk, x, 1, D) == CW_ERR_ARGUMENT, "a covariance of one cell");
    cw_ctx_clear(ctx);
    from[0] = NAN;
    CHECK(cw_gaussian_map(ctx, A, from, to, D) == CW_ERR_NUMERIC, "a map of NaN");
    CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

/* ---- the model --------------------------------------------------------------------------------------------------- */

enum { GENES = 12, PERTS = 20, READOUTS = 150, DIRECTS = 2 };

typedef struct problem {
    double Y[PERTS * READOUTS], T[PERTS * READOUTS], D[DIRECTS * GENES * READOUTS], K[GENES * GENES];
    double yy[PERTS * PERTS], ty[PERTS * PERTS], tt[PERTS], yd[DIRECTS * PERTS * GENES], td[DIRECTS * PERTS * GENES];
    double dd[DIRECTS * DIRECTS * GENES * GENES], own_y[PERTS * GENES], own_t[PERTS * GENES];
    double own_d[DIRECTS * GENES * GENES], cells[PERTS];
    int32_t start[PERTS + 1], member[2 * PERTS];
    cw_pert_data data;
} problem;

static double dot(const double *a, const double *b)
{
    double sum = 0;
    for (int g = 0; g < READOUTS; g++) sum += a[g] * b[g];
    return sum;
}

/* Is readout g one of q's own genes? */
static int is_own(const problem *p, int q, int g)
{
    for (int32_t i = p->start[q]; i < p->start[q + 1]; i++)
        if (p->member[i] == g && g < GENES - 2) return 1;
    return 0;
}

/* 12 singles, 8 pairs; effects with a direct part, a similarity, noise. Gene i is readout i but for the last 2. */
static void make(problem *p, double direct)
{
    draws d = draws_new(11, 0, 0);
    double *u = calloc(GENES * READOUTS, sizeof *u), shared[READOUTS];
    for (int g = 0; g < READOUTS; g++) shared[g] = normal(&d);
    for (int k = 0; k < DIRECTS * GENES * READOUTS; k++) p->D[k] = normal(&d);
    for (int i = 0; i < GENES; i++)
        for (int j = 0; j < GENES; j++) p->K[i * GENES + j] = i == j ? 1.0 : i / 3 == j / 3 ? .7 : 0.0;
    for (int i = 0; i < GENES; i += 3) {
        double common[READOUTS];
        for (int g = 0; g < READOUTS; g++) common[g] = normal(&d);
        for (int k = i; k < i + 3; k++)
            for (int g = 0; g < READOUTS; g++)
                u[k * READOUTS + g] =
                    .4 * shared[g] + .8 * common[g] + .4 * normal(&d) + direct * p->D[k * READOUTS + g];
    }
    for (int q = 0, n = 0; q < PERTS; q++) {
        p->start[q] = n;
        p->member[n++] = (int32_t)(q % GENES);
        if (q >= GENES) p->member[n++] = (int32_t)((q + 5) % GENES);
        p->start[q + 1] = n;
        p->cells[q] = 20 + 10 * q;
        for (int g = 0; g < READOUTS; g++) {
            double sum = 0;
            for (int32_t m = p->start[q]; m < n; m++) sum += u[p->member[m] * READOUTS + g];
            sum *= q >= GENES ? .8 : 1.0;
            p->Y[q * READOUTS + g] = sum + normal(&d) / sqrt(p->cells[q]);
            p->T[q * READOUTS + g] = sum + normal(&d) / sqrt(p->cells[q]);
            if (is_own(p, q, g)) p->Y[q * READOUTS + g] = p->T[q * READOUTS + g] = 0;
        }
    }
    for (int a = 0; a < PERTS; a++) {
        p->tt[a] = dot(p->T + a * READOUTS, p->T + a * READOUTS);
        for (int b = 0; b < PERTS; b++) {
            p->yy[a * PERTS + b] = dot(p->Y + a * READOUTS, p->Y + b * READOUTS);
            p->ty[a * PERTS + b] = dot(p->T + a * READOUTS, p->Y + b * READOUTS);
        }
        for (int i = 0; i < GENES; i++) {
            p->own_y[a * GENES + i] = i < GENES - 2 ? p->Y[a * READOUTS + i] : NAN;
            p->own_t[a * GENES + i] = i < GENES - 2 ? p->T[a * READOUTS + i] : NAN;
            for (int k = 0; k < DIRECTS; k++) {
                const double *D = p->D + (k * GENES + i) * READOUTS;
                p->yd[(k * GENES + i) * PERTS + a] = dot(p->Y + a * READOUTS, D);
                p->td[(k * GENES + i) * PERTS + a] = dot(p->T + a * READOUTS, D);
            }
        }
    }
    for (int k = 0; k < DIRECTS; k++)
        for (int i = 0; i < GENES; i++)
            for (int j = 0; j < GENES; j++) {
                const double *D = p->D + (k * GENES + i) * READOUTS;
                p->own_d[(k * GENES + i) * GENES + j] = D[j];
                for (int l = 0; l < DIRECTS; l++)
                    p->dd[((k * DIRECTS + l) * GENES + i) * GENES + j] = dot(D, p->D + (l * GENES + j) * READOUTS);
            }
    p->data = (cw_pert_data){.perts = PERTS,
                             .genes = GENES,
                             .directs = DIRECTS,
                             .readouts = READOUTS,
                             .start = p->start,
                             .member = p->member,
                             .cells = p->cells,
                             .controls = 500,
                             .kernel = p->K,
                             .yy = p->yy,
                             .yd = p->yd,
                             .dd = p->dd,
                             .ty = p->ty,
                             .tt = p->tt,
                             .td = p->td,
                             .own_y = p->own_y,
                             .own_t = p->own_t,
                             .own_d = p->own_d};
    free(u);
}

/* Y of perturbation r at readout g; in place of its own gene the mean over the others of train. */
static double reading(const problem *p, const int32_t *train, int n, int r, int g)
{
    if (!is_own(p, r, g)) return p->Y[r * READOUTS + g];
    double sum = 0, others = 0;
    for (int a = 0; a < n; a++)
        if (!is_own(p, train[a], g)) sum += p->Y[train[a] * READOUTS + g], others++;
    return others > 0 ? sum / others : 0;
}

/* Prediction for perturbation q, readout by readout, from weights and alpha. */
static void predict(double *out, const problem *p, const cw_pert_fit *f, const double *weight, const int32_t *train,
                    int n, int q)
{
    for (int g = 0; g < READOUTS; g++) {
        out[g] = 0;
        for (int a = -1; a < n; a++) {
            int r = a < 0 ? q : train[a];
            double direct = 0;
            for (int k = 0; k < DIRECTS; k++)
                for (int32_t m = p->start[r]; m < p->start[r + 1]; m++)
                    direct += f->alpha[k] * p->D[(k * GENES + p->member[m]) * READOUTS + g];
            out[g] += a < 0 ? (r >= GENES ? f->c : 1.0) * direct : weight[a] * (reading(p, train, n, r, g) - direct);
        }
    }
}

/* Errors by inner products are those of the predictions themselves, which are told nothing of what is left out, not even
 * through what stands in for own readings; the direct profile that is there is found, the
 * other is not; parts that are not there get nothing; a permutation of nothing changes nothing. */
static void test_model(void)
{
    problem *p = malloc(sizeof *p);
    int32_t same[GENES], moved[GENES], train[4][PERTS], test[4][PERTS];
    double told[3][PERTS], weight[PERTS * PERTS], variance[PERTS];
    make(p, .5);
    for (int i = 0; i < GENES; i++) same[i] = i, moved[i] = (i + 4) % GENES;
    cw_pert_fold fold[4] = {{0}};
    cw_ctx *ctx = new_ctx(3);
    for (int q = 0; q < PERTS; q++)
        for (int k = 0; k < 4; k++)
            if (q % 4 == k) test[k][fold[k].m++] = q;
            else train[k][fold[k].n++] = q;
    const int32_t *const perm[] = {NULL, moved, same};
    for (int w = 0; w < 3; w++) {
        for (int k = 0; k < 4; k++) {
            fold[k].train = train[k], fold[k].test = test[k], fold[k].error = told[w] + 5 * k;
            fold[k].weight = w == 2 && k == 3 ? weight : NULL, fold[k].variance = w == 2 && k == 3 ? variance : NULL;
        }
        CHECK(cw_pert_folds(ctx, fold, 4, &p->data, perm[w]) == CW_OK, "%s", ctx->text);
        ctx->threads = 1;
    }
    CHECK(memcmp(told[0], told[2], sizeof told[0]) == 0, "threads or a permutation of nothing changed the errors");
    double worst = 0, sum[2] = {0};
    for (int k = 0; k < 4; k++) {
        int64_t n = fold[k].n, m = fold[k].m;
        cw_pert_fit f;
        double own[PERTS * PERTS], spread[PERTS], out[READOUTS];
        CHECK(cw_pert_fit_model(ctx, &f, &p->data, train[k], n, NULL) == CW_OK, "%s", ctx->text);
        CHECK(memcmp(&f, &fold[k].fit, sizeof f) == 0, "a fold's fit is another");
        CHECK(fabs(f.alpha[0] - .5) < .1 && fabs(f.alpha[1]) < .1, "alpha %g, %g", f.alpha[0], f.alpha[1]);
        CHECK(f.theta[CW_PERT_KERNEL] > 0 && f.c < 1, "weight of the kernel %g, c %g", f.theta[CW_PERT_KERNEL], f.c);
        CHECK(cw_pert_predict(ctx, own, spread, &p->data, &f, train[k], n, test[k], m) == CW_OK, "%s", ctx->text);
        CHECK(k < 3 || (memcmp(own, weight, sizeof *own * (size_t)(m * n)) == 0 &&
                        memcmp(spread, variance, sizeof *own * (size_t)m) == 0), "a fold's weights are others");
        for (int t = 0; t < m; t++) {
            int q = test[k][t];
            predict(out, p, &f, own + t * n, train[k], (int)n, q);
            double want = 0;
            for (int g = 0; g < READOUTS; g++)
                if (!is_own(p, q, g)) want += pow(p->T[q * READOUTS + g] - out[g], 2);
            worst = fmax(worst, fabs(want - told[0][5 * k + t]) / want);
            sum[0] += told[0][5 * k + t], sum[1] += told[1][5 * k + t];
            CHECK(spread[t] > 0, "variance %g", spread[t]);
        }
    }
    CHECK(worst < 1e-8, "errors differ from those of the predictions by %g", worst);
    CHECK(sum[0] < .7 * sum[1], "error %g, with permuted side information %g", sum[0], sum[1]);
    p->data.kernel = NULL;
    cw_pert_fit f;
    int32_t all[GENES];
    for (int i = 0; i < GENES; i++) all[i] = i;
    CHECK(cw_pert_fit_model(ctx, &f, &p->data, all, GENES, NULL) == CW_OK, "%s", ctx->text);
    CHECK(f.theta[CW_PERT_KERNEL] == 0 && f.theta[CW_PERT_PAIR] == 0, "parts that are not there");
    CHECK(cw_pert_fit_model(ctx, &f, &p->data, all, 1, NULL) == CW_ERR_ARGUMENT, "one perturbation");
    cw_ctx_clear(ctx);
    p->yy[0] = NAN;
    CHECK(cw_pert_fit_model(ctx, &f, &p->data, all, GENES, NULL) == CW_ERR_NUMERIC, "NaN taken");
    CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
    free(p);
}

/* ---- screens ----------------------------------------------------------------------------------------------------- */

static void test_screen(void)
{
    cw_screen_options o = cw_screen_defaults();
    o.pathways = 3, o.targets = 40, o.pairs = 8, o.cells_low = 30, o.cells_high = 50, o.controls = 100, o.truth = 60;
    o.key = 4;
    cw_ctx *ctx = new_ctx(3), *alone = new_ctx(1);
    cw_screen s, t;
    CHECK(cw_screen_simulate(ctx, &s, &o) == CW_OK, "%s", ctx->text);
    CHECK(cw_screen_simulate(alone, &t, &o) == CW_OK, "%s", alone->text);
    CHECK(s.regulators == 18 && s.genes == 58 && s.perts == 26 && s.cells == t.cells, "%lld", (long long)s.cells);
    CHECK(memcmp(s.counts, t.counts, sizeof *s.counts * (size_t)(s.cells * s.genes)) == 0, "threads changed counts");
    CHECK(memcmp(s.truth, t.truth, sizeof *s.truth * (size_t)(s.perts * s.genes)) == 0, "threads changed the truth");
    double total = 0, hit = 0, own = 0, works = 0;
    for (int64_t k = 0; k < s.cells * s.genes; k++) total += s.counts[k];
    CHECK(fabs(log(total / (double)s.cells / o.depth)) < .2, "%g counts a cell", total / (double)s.cells);
    int64_t n = 0;
    for (int64_t c = 0; c < s.cells; c++) {
        if (s.of[c] < 0) CHECK(!s.hit[2 * c] && !s.hit[2 * c + 1], "a control cell is changed");
        if (s.of[c] >= 0) hit += s.hit[2 * c], works += s.works[s.first[s.of[c]]], n++;
    }
    CHECK(fabs(hit - works) / (double)n < .05, "works in %g of the cells, not %g", hit / (double)n, works / (double)n);
    for (int64_t p = 0; p < s.regulators; p++) own += s.truth[p * s.genes + p] < 0;
    CHECK(own >= 17, "%g of 18 perturbed genes fall", own);
    for (int64_t p = s.regulators; p < s.perts; p++)
        CHECK(s.first[p] < s.second[p] && s.second[p] < s.regulators, "pair %lld", (long long)p);
    for (int64_t g = s.regulators; g < s.genes; g++)
        if (s.gate[2 * g] >= 0)
            CHECK(s.wiring[s.gate[2 * g] * s.genes + g] != 0 && s.wiring[s.gate[2 * g + 1] * s.genes + g] != 0,
                  "a gate without its edges");
    cw_screen_free(ctx, &s);
    cw_screen_free(alone, &t);
    o.pairs = 400;
    CHECK(cw_screen_simulate(ctx, &s, &o) == CW_ERR_ARGUMENT, "more pairs than there are");
    cw_screen_free(ctx, &s);
    CHECK(ctx->memory.bytes == 0 && alone->memory.bytes == 0, "bytes left");
    cw_ctx_free(ctx);
    cw_ctx_free(alone);
}

/* ---- scores of responses ---- */

static void test_response(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    const double x[] = {0, 0, 3, 4}, y[] = {0, 0, 0, 2, 0, 4}, gamma[] = {0.1, 1};
    double energy, mmd[2], mean[] = {1, 2, 3, 4, 1, 3, 5, 9}, more[] = {5, 6, 7, 8, 5, 7, 9, 13};
    /* distances 5; 2, 4, 2; 0, 2, 4, 5, sqrt(13), 3 */
    CHECK(cw_response_distances(ctx, &energy, mmd, gamma, 2, x, 2, y, 3, 2) == CW_OK, "%s", ctx->text);
    CHECK(fabs(energy - (2 * (14 + sqrt(13)) / 6 - 5 - 8.0 / 3)) < 1e-12, "energy %g", energy);
    for (int k = 0; k < 2; k++) {
        double g = gamma[k], want = (2 + 2 * exp(-25 * g)) / 4 + (3 + 4 * exp(-4 * g) + 2 * exp(-16 * g)) / 9;
        want -= (1 + exp(-4 * g) + exp(-16 * g) + exp(-25 * g) + exp(-13 * g) + exp(-9 * g)) / 3;
        CHECK(fabs(mmd[k] - want) < 1e-12, "mmd %g, %g", mmd[k], want);
    }
    cw_response_distances(ctx, &energy, mmd, gamma, 2, y, 3, y, 3, 2);
    CHECK(energy < 0 && fabs(mmd[0]) < 1e-12, "the same cells: %g, %g", energy, mmd[0]);
    /* all cells once: the energy but for the pairs that are made up for; one cell only on both sides: its distance twice */
    const double once_x[] = {1, 1, 2, 0}, once_y[] = {1, 1, 1, 0, 3, 0};
    double sample[2];
    CHECK(cw_response_resample(ctx, sample, once_x, once_y, 2, x, 2, y, 3, 2) == CW_OK, "%s", ctx->text);
    CHECK(fabs(sample[0] - (2 * (14 + sqrt(13)) / 6 - 2 * 5 - 16.0 / 4)) < 1e-12 && fabs(sample[1] - 4) < 1e-12, "%g, %g",
          sample[0], sample[1]);
    cw_response_moments r;
    CHECK(cw_response_compare(ctx, &r, mean, 2, more, 2, 4) == CW_OK, "%s", ctx->text); /* all 4 higher */
    CHECK(fabs(r.l2_means - 8) < 1e-12 && fabs(r.r_means - 1) < 1e-12 && r.l2_sds < 1e-12 && r.l2_pairs < 1e-12, "moved");
    CHECK(fabs(r.r_sds - 1) < 1e-12, "standard deviations %g", r.r_sds);
    CHECK(cw_response_compare(ctx, &r, mean, 1, more, 2, 4) != CW_OK, "one cell has no spread");
    cw_ctx_clear(ctx);
    cw_ctx_free(ctx);
}

/* ---- published splits and scores ---- */

/* Twelve singles, all pairs of them with the next, the control. (Whether these are the published sets: golden cases.) */
static void test_splits(void)
{
    enum { G = 12, N = 2 * G + 1 };
    int32_t gene[2 * N], rank[N], set[N], seen[N], count[4] = {0}, again[N], other[N], differ = 0;
    for (int i = 0; i < G; i++) {
        gene[4 * i] = gene[4 * i + 2] = i, gene[4 * i + 1] = -1, gene[4 * i + 3] = (i + 1) % G;
        rank[2 * i] = i, rank[2 * i + 1] = G + i;
    }
    gene[2 * N - 2] = gene[2 * N - 1] = -1, rank[N - 1] = N - 1;
    const cw_conditions all = {N, G, gene, rank};
    const cw_split_shares shares = {0.75, 0.9, 0.3, 0.1};
    cw_ctx *ctx = new_ctx(1);
    CHECK(cw_published_split(ctx, set, seen, &all, CW_SPLIT_SIMULATION, 1, shares) == CW_OK, "%s", ctx->text);
    cw_published_split(ctx, again, other, &all, CW_SPLIT_SIMULATION, 1, shares);
    CHECK(!memcmp(set, again, sizeof set) && !memcmp(seen, other, sizeof seen), "a seed has one split");
    cw_published_split(ctx, again, other, &all, CW_SPLIT_SIMULATION, 2, shares);
    for (int c = 0; c < N; c++) differ += set[c] != again[c];
    CHECK(differ > 0 && set[N - 1] == CW_SPLIT_TRAIN, "seeds differ, the control is for training");
    for (int i = 0; i < G; i++) {
        count[set[2 * i]]++;
        int unseen = (set[2 * i] == CW_SPLIT_TEST) + (set[(2 * i + 2) % (2 * G)] == CW_SPLIT_TEST);
        if (set[2 * i + 1] == CW_SPLIT_TEST)
            CHECK(seen[2 * i + 1] == CW_SEEN_PAIR2 - unseen, "pair %d: %d, %d unseen", i, (int)seen[2 * i + 1], unseen);
        else
            CHECK(unseen == 0, "pair %d has an unseen gene", i);
    }
    CHECK(count[CW_SPLIT_TEST] == 3 && count[CW_SPLIT_VALID] == 1 && count[CW_SPLIT_TRAIN] == 8, "of 12 singles 3 and 1");
    ctx->fail_at = ctx->memory.calls;
    CHECK(cw_published_split(ctx, set, seen, &all, CW_SPLIT_COMBO, 1, shares) == CW_ERR_MEMORY, "memory");
    cw_ctx_clear(ctx);
    CHECK(ctx->memory.bytes == 0, "%lld bytes", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

static void test_judge(void)
{
    enum { G = 5 };
    const double mean[G] = {1, 4, 0, 2, 0}, var[G] = {1, 1, 0, 1, 0}, base[G] = {1, 1, 0, 3, 2}, bvar[G] = {1, 1, 0, 1, 1};
    const double told[G] = {2, 5, 0, 4, 1}, sd[G] = {1, 0.5, 0, 3, 2};
    int32_t order[G], top[G];
    uint8_t nonzero[G], kept[G];
    cw_ctx *ctx = new_ctx(1);
    cw_judge_order(ctx, order, &(cw_moments){mean, var, 10}, &(cw_moments){base, bvar, 10}, G);
    CHECK(order[0] == 1 && order[1] == 4 && order[2] == 3 && order[3] == 0 && order[4] == 2, "order %d %d %d %d %d",
          order[0], order[1], order[2], order[3], order[4]);
    cw_judge_sets(nonzero, kept, mean, base, G);
    CHECK(nonzero[1] && !nonzero[2] && kept[2] && !kept[4], "sets");
    CHECK(cw_judge_top(top, order, kept, 2, G) == 2 && top[0] == 1 && top[1] == 3, "top");
    cw_judgement j;
    cw_judge_profile(&j, told, mean, base, sd, order, top, 2, G);
    CHECK(fabs(j.mse - 7.0 / 5) < 1e-12 && fabs(j.mse_top - 2.5) < 1e-12, "errors %g %g", j.mse, j.mse_top);
    CHECK(fabs(j.direction - 3.0 / 5) < 1e-12 && fabs(j.opposite - 0.5) < 1e-12, "%g %g", j.direction, j.opposite);
    CHECK(fabs(j.within - 0.5) < 1e-12, "within %g", j.within);
    cw_judge_profile(&j, mean, mean, base, sd, order, top, 2, G);
    CHECK(j.mse == 0 && fabs(j.pearson_delta - 1) < 1e-12 && j.direction == 1, "the truth itself");
    cw_judge_profile(&j, base, mean, base, sd, order, top, 2, G);
    CHECK(isnan(j.pearson_delta), "no change correlates with nothing");
    cw_ctx_free(ctx);
}

/* Weighted sums and scores against plain loops, the same on three threads; train and at in any order. */
static void test_profiles(void)
{
    enum { P = 9, R = 300, N = 5, M = 3, G = 4 };
    const int32_t start[] = {0, 1, 2, 3, 4, 4, 4, 4, 4, 6}, own[] = {0, 299, 5, 6, 7, 0};
    const int32_t train[N] = {8, 1, 0, 4, 2}, genes[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, at[] = {6, 0, 8, 3};
    const int32_t member[] = {0, 1, 2, 3, 0, 1, 2, 3, 1};
    draws d = draws_new(21, 0, 0);
    double *Y = malloc(sizeof *Y * P * R), *told = malloc(sizeof *Y * P * R), *se = malloc(sizeof *Y * P * R);
    double *total = malloc(sizeof *Y * R * G), out[2][M * R], weight[M * N], worst = 0;
    for (int64_t i = 0; i < P * R; i++) Y[i] = normal(&d), told[i] = Y[i] + normal(&d), se[i] = .1 + Y[i] * Y[i];
    for (int64_t i = 0; i < R * G; i++) total[i] = normal(&d);
    for (int p = 0; p < P; p++)
        for (int32_t o = start[p]; o < start[p + 1]; o++) Y[p * R + own[o]] = 0.0;
    const cw_own_rows rows = {start, own};
    const cw_direct_profiles direct = {G, total, genes, member};
    cw_profile_score score[2][4];
    for (int sparse = 0; sparse < 2; sparse++) {
        for (int i = 0; i < M * N; i++) weight[i] = sparse ? 0.0 : normal(&d);
        if (sparse) weight[1] = 2.0; /* few enough that they are added one by one */
        for (int t = 0; t < 2; t++) {
            cw_ctx *ctx = new_ctx(t ? 3 : 1);
            CHECK(cw_profiles_span(ctx, out[t], Y, R, &rows, train, N, weight, M, sparse ? NULL : &direct) == CW_OK,
                  "no sums");
            CHECK(cw_profiles_score(ctx, score[t], Y, told, se, se, R, &rows, at, 4) == CW_OK, "no scores");
            cw_ctx_free(ctx);
        }
        CHECK(memcmp(out[0], out[1], sizeof out[0]) == 0 && memcmp(score[0], score[1], sizeof score[0]) == 0,
              "threads change sums or scores");
        for (int m = 0; m < M; m++)
            for (int g = 0; g < R; g++) {
                double want = 0;
                for (int a = 0; a < N; a++) {
                    double value = Y[train[a] * R + g], sum = 0, others = 0;
                    int mine[N] = {0};
                    for (int b = 0; b < N; b++) {
                        for (int32_t o = start[train[b]]; o < start[train[b] + 1]; o++) mine[b] |= own[o] == g;
                        if (!mine[b]) sum += Y[train[b] * R + g], others += 1;
                    }
                    if (mine[a]) value = sum / others;
                    want += weight[m * N + a] * (value - (sparse ? 0.0 : total[g * G + member[train[a]]]));
                }
                worst = fmax(worst, fabs(want - out[0][m * R + g]));
            }
    }
    CHECK(worst < 1e-10, "sums are off by %g", worst);
    for (int i = 0; i < 4; i++) {
        double error = 0, left = 0, further = 0;
        for (int k = -1; k < 4; k++) { /* -1: its own error */
            double sum = 0, n = 0;
            int p = at[i], q = k < 0 ? p : at[k];
            for (int g = 0; g < R; g++) {
                int skip = 0;
                for (int32_t o = start[p]; o < start[p + 1]; o++) skip |= own[o] == g;
                for (int32_t o = start[q]; o < start[q + 1]; o++) skip |= own[o] == g;
                if (!skip) sum += pow(told[p * R + g] - Y[q * R + g], 2), n += 1;
            }
            if (k < 0) error = sum / n, left = n;
            else if (k != i) further += sum / n > error;
        }
        CHECK(fabs(score[0][i].mse - error) < 1e-12 && left > 290, "error %g, not %g", score[0][i].mse, error);
        CHECK(fabs(score[0][i].discrimination - further / 3) < 1e-12, "discrimination %g, not %g",
              score[0][i].discrimination, further / 3);
    }
    free(Y), free(told), free(se), free(total);
}

int main(void)
{
    test_splits(), test_judge();
    test_positive();
    test_profiles();
    test_effects(0), test_effects(1);
    test_transport();
    test_model();
    test_screen();
    test_response();
    return test_end();
}
