/* test_ridge.c: evidence ridge, varying coefficients, states, against sums and solves written out. */
#include "test.h"

#include "core/rng.h"
#include "core/threads.h"
#include "linalg/dense.h"
#include "stats/ridge.h"
#include "stats/states.h"

static cw_ctx *new_ctx(int threads)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->threads = threads;
    return ctx;
}

static void *poison(size_t bytes)
{
    void *p = malloc(bytes ? bytes : 1);
    memset(p, 0xC9, bytes);
    return p;
}

static double noise(uint64_t key, uint64_t i)
{
    cw_stream s = cw_rng_stream(key, CW_RNG_USER, 3, 3);
    double sum = 0;
    for (uint64_t j = 0; j < 4; j++) sum += cw_rng_uniform(s, 4 * i + j) - 0.5;
    return sum * 1.7320508;
}

/* ---- dense ------------------------------------------------------------------------------------------------------- */

static void test_product(void)
{
    const int64_t m = 201, n = 67, k = 70;
    for (int ta = 0; ta < 2; ta++)
        for (int tb = 0; tb < 2; tb++) {
            double *A = malloc((size_t)(m * k) * 8), *B = malloc((size_t)(k * n) * 8), *C = poison((size_t)(m * n) * 8);
            for (int64_t i = 0; i < m * k; i++) A[i] = noise(1, (uint64_t)i);
            for (int64_t i = 0; i < k * n; i++) B[i] = noise(2, (uint64_t)i);
            double worst = 0;
            for (int pass = 0; pass < 2; pass++) {
                cw_dense_product(1 + pass, C, A, ta, B, tb, pass, m, n, k);
                for (int64_t i = 0; i < m; i++)
                    for (int64_t j = 0; j < n; j++) {
                        double sum = 0;
                        for (int64_t p = 0; p < k; p++)
                            sum += (ta ? A[p * m + i] : A[i * k + p]) * (tb ? B[j * k + p] : B[p * n + j]);
                        worst = fmax(worst, fabs(C[i * n + j] - (1 + pass) * sum));
                    }
            }
            CHECK(worst < 1e-11, "ta %d tb %d: %g", ta, tb, worst);
            free(A), free(B), free(C);
        }
}

static void test_eigen(void)
{
    const int64_t sizes[] = {1, 2, 7, 61};
    for (int s = 0; s < 4; s++)
        for (int plain = 0; plain < 2; plain++)
            for (int low_rank = 0; low_rank < 2; low_rank++) {
                int64_t n = sizes[s], rank = low_rank ? (n + 1) / 2 : n;
                double *F = malloc((size_t)(rank * n) * 8), *A = malloc((size_t)(n * n) * 8);
                double *S = malloc((size_t)(n * n) * 8);
                double *value = poison((size_t)n * 8), *room = poison((size_t)cw_dense_eigen_room(n) * 8);
                for (int64_t i = 0; i < rank * n; i++) F[i] = noise(5, (uint64_t)i);
                cw_dense_product(1, S, F, 1, F, 0, 0.0, n, n, rank);
                memcpy(A, S, (size_t)(n * n) * 8);
                CHECK(cw_dense_eigen(value, A, room, n, plain) == 0, "order %lld", (long long)n);
                double off = 0, gap = 0;
                for (int64_t i = 0; i < n; i++) {
                    if (i && value[i] < value[i - 1]) off = 1;
                    for (int64_t j = 0; j < n; j++) {
                        double sv = 0, in = 0;
                        for (int64_t p = 0; p < n; p++) {
                            sv += S[j * n + p] * A[i * n + p];
                            in += A[i * n + p] * A[j * n + p];
                        }
                        gap = fmax(gap, fabs(sv - value[i] * A[i * n + j]));
                        off = fmax(off, fabs(in - (i == j)));
                    }
                }
                CHECK(off < 1e-12 && gap < 1e-10, "order %lld plain %d: %g %g", (long long)n, plain, off, gap);
                free(F), free(A), free(S), free(value), free(room);
            }
}

/* ---- the ridge against its definition ---------------------------------------------------------------------------- */

typedef struct problem {
    int64_t cells, genes, tfs, states;
    float *x, *w;
    int32_t *tf;
} problem;

/* Two states apart along half of the genes; TF 0 drives targets in state 0 only, TF 1 everywhere. */
static problem make_problem(int64_t cells, int64_t genes, int64_t tfs, int64_t states, uint64_t key, int varying)
{
    problem p = {cells, genes, tfs, states, malloc((size_t)(cells * genes) * 4), malloc((size_t)(cells * states) * 4),
                 malloc((size_t)tfs * 4)};
    for (int64_t t = 0; t < tfs; t++) p.tf[t] = (int32_t)((3 * t + 1) % genes);
    for (int64_t c = 0; c < cells; c++) {
        float *x = p.x + c * genes;
        int64_t state = c * states / cells;
        for (int64_t k = 0; k < states; k++) p.w[c * states + k] = k == state ? 1.0f : 0.0f;
        if (c % 5 == 0 && states > 1) {
            p.w[c * states + state] = .75f;
            p.w[c * states + (state + 1) % states] = .25f;
        }
        for (int64_t g = 0; g < genes; g++) x[g] = (float)noise(key, (uint64_t)(c * genes + g));
        for (int64_t g = 0; g < genes; g += 2) {
            if (tfs > 1 && g != p.tf[1]) x[g] += .5f * x[p.tf[1]];
            if (g != p.tf[0] && (state == 0 || !varying)) x[g] += .8f * x[p.tf[0]];
        }
    }
    return p;
}

static void drop_problem(problem *p) { free(p->x), free(p->w), free(p->tf); }

/* log evidence and slopes of gene g by a Cholesky factor of the kept features alone (the prototype's form) */
static double direct_known(double *theta, const problem *p, int64_t g, double a, double b, int64_t states,
                           const unsigned char *known, double strength)
{
    int64_t T = p->tfs, width = T * (1 + states), n = 0, N = p->cells;
    int64_t *keep = malloc((size_t)width * 8);
    for (int64_t i = 0; i < width; i++)
        if (p->tf[i % T] != g) keep[n++] = i;
    double *sd = malloc((size_t)n * 8);
    for (int64_t i = 0; i < n; i++)
        sd[i] = sqrt(keep[i] >= T ? b : known && known[keep[i]] ? a * strength : a);
    double *C = calloc((size_t)(n * n), 8), *f = calloc((size_t)n, 8), *row = malloc((size_t)n * 8), yy = 0;
    for (int64_t c = 0; c < N; c++) {
        double y = p->x[c * p->genes + g];
        yy += y * y;
        for (int64_t i = 0; i < n; i++) {
            int64_t k = keep[i] / T;
            row[i] = p->x[c * p->genes + p->tf[keep[i] % T]] * (k ? (double)p->w[c * p->states + k - 1] : 1.0);
            f[i] += row[i] * y;
        }
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) C[i * n + j] += row[i] * row[j];
    }
    double s = .8, evidence = 0, *A = malloc((size_t)(n * n) * 8), *q = malloc((size_t)n * 8);
    for (int step = 0; step < 2; step++) {
        double logdet = 0, fit = 0, rss = yy;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                A[i * n + j] = C[i * n + j] * sd[i] * sd[j] / s + (i == j);
        CHECK(cw_dense_cholesky(A, n) == 0, "factor");
        for (int64_t i = 0; i < n; i++) {
            q[i] = f[i] * sd[i] / s;
            logdet += log(A[i * n + i]);
        }
        double *z = malloc((size_t)n * 8);
        memcpy(z, q, (size_t)n * 8);
        cw_dense_solve(z, A, n);
        for (int64_t i = 0; i < n; i++) fit += q[i] * z[i];
        evidence = -.5 * (yy / s - fit) - logdet - .5 * (double)N * log(s);
        memset(theta, 0, (size_t)width * 8);
        for (int64_t i = 0; i < n; i++) theta[keep[i]] = sd[i] * z[i];
        for (int64_t i = 0; i < n; i++) {
            rss -= 2 * theta[keep[i]] * f[i];
            for (int64_t j = 0; j < n; j++) rss += theta[keep[i]] * C[i * n + j] * theta[keep[j]];
        }
        if (step == 0) s = fmax(1e-3, rss / (double)N);
        free(z);
    }
    free(keep), free(sd), free(C), free(f), free(row), free(A), free(q);
    return evidence;
}

static double direct(double *theta, const problem *p, int64_t g, double a, double b, int64_t states)
{
    return direct_known(theta, p, g, a, b, states, NULL, 1.0);
}

static void test_pooled(void)
{
    const int64_t sizes[][3] = {{37, 5, 1}, {101, 11, 3}, {530, 23, 11}, {64, 10, 10}};
    for (int s = 0; s < 4; s++) {
        cw_ctx *ctx = new_ctx(2);
        problem p = make_problem(sizes[s][0], sizes[s][1], sizes[s][2], 1, 9, 0);
        int64_t G = p.genes, T = p.tfs;
        cw_ridge_standardise(ctx, p.x, p.cells, G);
        double *slope = poison((size_t)(T * G) * 8), *evidence = poison((size_t)G * 8), chosen = -1;
        double *theta = malloc((size_t)T * 8), worst = 0, off = 0, best = -INFINITY;
        CHECK(cw_ridge_pooled(ctx, slope, evidence, &chosen, p.x, p.tf, cw_ridge_a, 3, p.cells, G, T) == CW_OK, "%s",
              ctx->text);
        double want = 0;
        for (int i = 0; i < 3; i++) {
            double sum = 0;
            for (int64_t g = 0; g < G; g++) sum += direct(theta, &p, g, cw_ridge_a[i], 0, 0);
            if (sum > best) best = sum, want = cw_ridge_a[i];
        }
        CHECK(chosen == want, "chose %g, best is %g", chosen, want);
        for (int64_t g = 0; g < G; g++) {
            off = fmax(off, fabs(evidence[g] - direct(theta, &p, g, chosen, 0, 0)));
            for (int64_t t = 0; t < T; t++) {
                worst = fmax(worst, fabs(slope[t * G + g] - theta[t]));
                if (p.tf[t] == g) CHECK(slope[t * G + g] == 0.0, "own slope %g", slope[t * G + g]);
            }
        }
        CHECK(worst < 1e-9 && off < 1e-7, "slopes %g, evidence %g", worst, off);
        free(slope), free(evidence), free(theta);
        drop_problem(&p);
        CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
        cw_ctx_free(ctx);
    }
}

typedef struct result {
    double *pooled, *slope, *sd, *null_gain;
    cw_varying found;
    size_t bytes[4];
} result;

static result new_result(const problem *p, int64_t permutations)
{
    result r = {.bytes = {(size_t)(p->tfs * p->genes) * 8, (size_t)(p->states * p->tfs * p->genes) * 8,
                          (size_t)(p->states * p->tfs) * 8, (size_t)permutations * 8}};
    r.pooled = poison(r.bytes[0]), r.slope = poison(r.bytes[1]);
    r.sd = poison(r.bytes[2]), r.null_gain = poison(r.bytes[3]);
    return r;
}

static void drop_result(result *r) { free(r->pooled), free(r->slope), free(r->sd), free(r->null_gain); }

static cw_status vary(cw_ctx *ctx, result *r, const problem *p, int64_t permutations, int64_t null_genes)
{
    cw_varying_options o = {cw_ridge_a, cw_ridge_rho, 3, 3, permutations, null_genes, 4};
    return cw_ridge_varying(ctx, r->pooled, r->slope, r->sd, r->null_gain, &r->found, p->x, p->tf, p->w, &o, p->cells,
                            p->genes, p->tfs, p->states);
}

static void test_varying(void)
{
    cw_ctx *ctx = new_ctx(2);
    problem p = make_problem(601, 21, 5, 3, 21, 1);
    result r = new_result(&p, 3);
    int64_t G = p.genes, T = p.tfs, width = T * 4;
    CHECK(cw_ridge_centre(ctx, p.x, p.w, p.cells, G, 3) == CW_OK, "%s", ctx->text);
    cw_ridge_standardise(ctx, p.x, p.cells, G);
    CHECK(vary(ctx, &r, &p, 3, 1000) == CW_OK, "%s", ctx->text);
    CHECK(r.found.rho > 0, "rho %g", r.found.rho);
    double *theta = malloc((size_t)width * 8), worst = 0, sum = 0, at_zero = 0, gain = -INFINITY;
    for (int64_t g = 0; g < G; g++) {
        sum += direct(theta, &p, g, r.found.a, r.found.a * r.found.rho, 3);
        for (int64_t k = 0; k < 3; k++)
            for (int64_t t = 0; t < T; t++)
                worst = fmax(worst, fabs(r.slope[(k * T + t) * G + g] - theta[t] - theta[(1 + k) * T + t]));
        at_zero += direct(theta, &p, g, r.found.a, 0, 0);
    }
    for (int i = 0; i < 3; i++) {
        double e = 0;
        for (int64_t g = 0; g < G; g++) e += direct(theta, &p, g, r.found.a, r.found.a * cw_ridge_rho[i], 3);
        gain = fmax(gain, e - at_zero);
    }
    CHECK(worst < 1e-9, "slopes %g", worst);
    CHECK(fabs(sum - r.found.evidence) < 1e-6, "evidence %g, %g", r.found.evidence, sum);
    CHECK(fabs(gain - r.found.gain) < 1e-6 && r.found.gain == r.found.gain_all, "gain %g, %g", r.found.gain, gain);
    for (int i = 0; i < 3; i++)
        CHECK(r.null_gain[i] < .2 * r.found.gain, "null %g, gain %g", r.null_gain[i], r.found.gain);
    /* the driver of state 0 has its slope there; the other everywhere */
    double here = 0, there = 0, both = 0;
    for (int64_t g = 0; g < G; g += 2)
        if (g != p.tf[0] && g != p.tf[1]) {
            here += r.slope[g], there += fabs(r.slope[(2 * T) * G + g]);
            both += r.slope[(2 * T + 1) * G + g] / r.slope[(0 * T + 1) * G + g];
        }
    CHECK(here > 3 * there, "state 0 %g, state 2 %g", here, there);
    CHECK(both > 0, "%g", both);
    double s2 = 0, weight = 0;
    for (int64_t c = 0; c < p.cells; c++) {
        double v = p.x[c * G + p.tf[2]];
        s2 += p.w[c * 3 + 1] * v * v, weight += p.w[c * 3 + 1];
    }
    CHECK(fabs(r.sd[1 * T + 2] - sqrt(s2 / weight)) < 1e-9, "sd %g", r.sd[T + 2]);
    free(theta), drop_result(&r), drop_problem(&p), cw_ctx_free(ctx);
}

static void test_fallback(void)
{ /* permuted states gain next to nothing; one state, or nothing gained: exactly the pooled network in every state */
    for (int single = 0; single < 2; single++) {
        cw_ctx *ctx = new_ctx(1);
        problem p = make_problem(400, 31, 7, single ? 1 : 3, 33, 0);
        for (int64_t c = 0; c < p.cells && !single; c++)
            for (int64_t k = 0; k < 3; k++) p.w[c * 3 + k] = (c * 7 + 3) % 11 % 3 == k ? 1.0f : 0.0f;
        result r = new_result(&p, 2);
        cw_ridge_standardise(ctx, p.x, p.cells, p.genes);
        CHECK(vary(ctx, &r, &p, 2, 10) == CW_OK, "%s", ctx->text);
        CHECK(r.found.gain_all < 5 && r.found.rho <= .03, "rho %g, gain %g", r.found.rho, r.found.gain_all);
        double gap = 0, size = 0;
        for (int64_t i = 0; i < p.states * p.tfs * p.genes; i++) {
            double d = r.slope[i] - r.pooled[i % (p.tfs * p.genes)];
            gap += d * d, size += r.slope[i] * r.slope[i];
        }
        CHECK(r.found.rho > 0 ? gap < .05 * size : gap == 0, "rho %g: %g of %g", r.found.rho, gap, size);
        if (single) CHECK(r.found.rho == 0 && r.null_gain[0] == 0, "rho %g", r.found.rho);
        drop_result(&r), drop_problem(&p), cw_ctx_free(ctx);
    }
}

static void test_threads(void)
{
    problem p = make_problem(1033, 211, 13, 3, 5, 1);
    result one = new_result(&p, 2);
    cw_ctx *ctx = new_ctx(1);
    cw_ridge_standardise(ctx, p.x, p.cells, p.genes);
    CHECK(vary(ctx, &one, &p, 2, 37) == CW_OK, "%s", ctx->text);
    cw_ctx_free(ctx);
    for (int threads = 2; threads <= 3; threads++) {
        result r = new_result(&p, 2);
        ctx = new_ctx(threads);
        CHECK(vary(ctx, &r, &p, 2, 37) == CW_OK, "%s", ctx->text);
        CHECK(memcmp(one.pooled, r.pooled, r.bytes[0]) == 0, "pooled");
        CHECK(memcmp(one.slope, r.slope, r.bytes[1]) == 0, "slope");
        CHECK(memcmp(one.sd, r.sd, r.bytes[2]) == 0, "sd");
        CHECK(memcmp(one.null_gain, r.null_gain, r.bytes[3]) == 0, "null");
        CHECK(memcmp(&one.found, &r.found, sizeof r.found) == 0, "found");
        drop_result(&r), cw_ctx_free(ctx);
    }
    drop_result(&one), drop_problem(&p);
}

static void test_constant(void)
{ /* a constant TF and a constant gene: no slopes, no NaN */
    cw_ctx *ctx = new_ctx(1);
    problem p = make_problem(200, 12, 4, 2, 8, 1);
    for (int64_t c = 0; c < p.cells; c++) p.x[c * 12 + p.tf[2]] = 3.7f, p.x[c * 12 + 11] = 0.0f;
    CHECK(cw_ridge_standardise(ctx, p.x, p.cells, 12) == CW_OK, "%s", ctx->text);
    result r = new_result(&p, 1);
    CHECK(vary(ctx, &r, &p, 1, 12) == CW_OK, "%s", ctx->text);
    for (int64_t i = 0; i < 2 * 4 * 12; i++) {
        CHECK(isfinite(r.slope[i]), "slope %lld", (long long)i);
        if (i % 12 == 11 || i / 12 % 4 == 2)
            CHECK(fabs(r.slope[i]) < 1e-12, "slope %lld is %g", (long long)i, r.slope[i]);
    }
    CHECK(r.found.empty == -100.0 * 10, "empty %g", r.found.empty);
    drop_result(&r), drop_problem(&p), cw_ctx_free(ctx);
}

static void test_refusals(void)
{
    problem p = make_problem(50, 7, 2, 2, 3, 0);
    result r = new_result(&p, 1);
    cw_ctx *ctx = new_ctx(1);
    float keep = p.w[4];
    p.w[4] = -1;
    CHECK(vary(ctx, &r, &p, 1, 7) == CW_ERR_ARGUMENT && strstr(ctx->text, "cell 2"), "%s", ctx->text);
    p.w[4] = .2f;
    cw_ctx_clear(ctx);
    CHECK(vary(ctx, &r, &p, 1, 7) == CW_ERR_ARGUMENT && strstr(ctx->text, "add up"), "%s", ctx->text);
    p.w[4] = keep;
    cw_ctx_clear(ctx);
    p.tf[1] = p.tf[0];
    CHECK(vary(ctx, &r, &p, 1, 7) == CW_ERR_ARGUMENT && strstr(ctx->text, "twice"), "%s", ctx->text);
    cw_ctx_clear(ctx);
    p.tf[1] = 7;
    CHECK(vary(ctx, &r, &p, 1, 7) == CW_ERR_ARGUMENT, "%s", ctx->text);
    cw_ctx_clear(ctx);
    p.x[7] = NAN;
    CHECK(cw_ridge_standardise(ctx, p.x, p.cells, p.genes) == CW_ERR_NUMERIC, "%s", ctx->text);
    CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
    drop_result(&r), drop_problem(&p), cw_ctx_free(ctx);
}

/* ---- states ------------------------------------------------------------------------------------------------------ */

/* `groups` clouds, `spread` apart on the genes of their own; label c % groups */
static float *clouds(int64_t cells, int64_t genes, int64_t groups, double spread)
{
    float *x = malloc((size_t)(cells * genes) * 4);
    for (int64_t c = 0; c < cells; c++)
        for (int64_t g = 0; g < genes; g++)
            x[c * genes + g] = (float)(noise(70, (uint64_t)(c * genes + g)) + (g % groups == c % groups ? spread : 0));
    return x;
}

static void test_states(void)
{
    const int64_t cells = 307, groups = 4;
    const int64_t genes[] = {31, 431}; /* all eigenvectors; Lanczos */
    for (int s = 0; s < 2; s++) {
        float *x = clouds(cells, genes[s], groups, 2.5), *point = poison((size_t)(cells * CW_STATES_COMPONENTS) * 4);
        float *w = poison((size_t)(cells * 8) * 4), *again = poison((size_t)(cells * 8) * 4);
        int32_t *label = poison((size_t)cells * 4);
        cw_states found, found2;
        cw_states_options o = {2, 8, 30, 11};
        int64_t count = -1;
        cw_ctx *ctx = new_ctx(1);
        cw_ridge_standardise(ctx, x, cells, genes[s]);
        CHECK(cw_states_components(ctx, point, &count, x, 3, cells, genes[s]) == CW_OK, "%s", ctx->text);
        CHECK(count == groups - 1, "%lld components for %lld clouds", (long long)count, (long long)groups);
        CHECK(cw_states_find(ctx, w, label, &found, point, &o, cells, count) == CW_OK, "%s", ctx->text);
        CHECK(found.states == groups, "%lld states", (long long)found.states);
        int64_t wrong = 0;
        double off = 0;
        for (int64_t c = 0; c < cells; c++) {
            double sum = 0;
            wrong += label[c] != label[c % groups];
            for (int64_t k = 0; k < found.states; k++) sum += w[c * found.states + k];
            off = fmax(off, fabs(sum - 1) + fabs(w[c * found.states + label[c]] - 1));
        }
        CHECK(wrong == 0 && off < 1e-6, "%lld wrong, %g", (long long)wrong, off);
        ctx->threads = 3;
        float *point2 = poison((size_t)(cells * CW_STATES_COMPONENTS) * 4);
        CHECK(cw_states_components(ctx, point2, &count, x, 3, cells, genes[s]) == CW_OK, "%s", ctx->text);
        CHECK(memcmp(point, point2, (size_t)(cells * count) * 4) == 0, "components differ with threads");
        CHECK(cw_states_find(ctx, again, NULL, &found2, point, &o, cells, count) == CW_OK, "%s", ctx->text);
        CHECK(memcmp(w, again, (size_t)(cells * found.states) * 4) == 0, "memberships differ with threads");
        CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
        o.low = 1;
        CHECK(cw_states_find(ctx, w, label, &found, point, &o, cells, count) == CW_ERR_ARGUMENT, "%s", ctx->text);
        cw_ctx_clear(ctx);
        o.low = 2;
        CHECK(cw_states_find(ctx, w, label, &found, point, &o, 8, count) == CW_ERR_SHAPE, "%s", ctx->text);
        free(x), free(point), free(point2), free(w), free(again), free(label), cw_ctx_free(ctx);
    }
}

static void test_neighbours(void)
{ /* memberships against a search written out, with odd numbers of neighbours, and equal cells */
    const int64_t cells = 83, dims = 3;
    float *x = malloc((size_t)(cells * dims) * 4), *w = poison((size_t)(cells * 3) * 4);
    int32_t *label = poison((size_t)cells * 4);
    for (int64_t i = 0; i < cells * dims; i++) x[i] = (float)noise(6, (uint64_t)(i < 6 * dims ? i % dims : i));
    for (int64_t k = 1; k <= 101; k += 10) {
        cw_ctx *ctx = new_ctx(2);
        cw_states found;
        cw_states_options o = {3, 3, k, 2};
        CHECK(cw_states_find(ctx, w, label, &found, x, &o, cells, dims) == CW_OK, "%s", ctx->text);
        CHECK(found.states == 3, "%lld", (long long)found.states);
        double worst = 0;
        for (int64_t c = 0; c < cells; c++) {
            double share[3] = {0};
            char taken[83] = {0};
            int64_t n = k < cells ? k : cells;
            for (int64_t i = 0; i < n; i++) {
                int64_t best = -1;
                float low = 0;
                for (int64_t j = 0; j < cells; j++) {
                    float d = 0;
                    for (int64_t q = 0; q < dims; q++) {
                        float a = x[c * dims + q] - x[j * dims + q];
                        d += a * a;
                    }
                    if (!taken[j] && (best < 0 || d < low)) best = j, low = d;
                }
                taken[best] = 1, share[label[best]] += 1.0 / (double)n;
            }
            /* the six equal cells may stand in for each other, so they carry one label */
            for (int q = 0; q < 3; q++) worst = fmax(worst, fabs(share[q] - w[c * 3 + q]));
        }
        CHECK(worst < 1e-6, "%lld neighbours: %g", (long long)k, worst);
        cw_ctx_free(ctx);
    }
    free(x), free(w), free(label);
}

/* ---- edges believed beforehand ----------------------------------------------------------------------------------- */

typedef struct edges {
    int64_t *start;
    int32_t *tf;
    unsigned char *is; /* (genes, tfs) */
} edges;

/* Edge (t, g) where rule says so. */
static edges make_edges(const problem *p, int (*rule)(const problem *, int64_t, int64_t))
{
    edges e = {malloc((size_t)(p->genes + 1) * 8), malloc((size_t)(p->genes * p->tfs) * 4),
               calloc((size_t)(p->genes * p->tfs), 1)};
    int64_t n = 0;
    for (int64_t g = 0; g < p->genes; g++) {
        e.start[g] = n;
        for (int64_t t = 0; t < p->tfs; t++)
            if (rule(p, t, g)) e.tf[n++] = (int32_t)t, e.is[g * p->tfs + t] = 1;
    }
    e.start[p->genes] = n;
    return e;
}

static void drop_edges(edges *e) { free(e->start), free(e->tf), free(e->is); }

static int rule_right(const problem *p, int64_t t, int64_t g) { return (void)p, t < 2 && g % 2 == 0; }
static int rule_wrong(const problem *p, int64_t t, int64_t g) { return (void)p, t >= 2 && (t + g) % 3 == 0; }
static int rule_mixed(const problem *p, int64_t t, int64_t g) { return (void)p, g != 3 && (t * 7 + g * 5) % 4 < 2; }
static int rule_none(const problem *p, int64_t t, int64_t g) { return (void)p, (void)t, (void)g, 0; }

/* Slopes, evidences and choices are those of the definition, for known edges that hold, don't hold, or are none. */
static void test_known(void)
{
    static const double strength[] = {1, 4, 30};
    int (*const rules[])(const problem *, int64_t, int64_t) = {rule_right, rule_wrong, rule_mixed, rule_none};
    for (int which = 0; which < 4; which++)
        for (int threads = 1; threads <= 3; threads += 2) {
            cw_ctx *ctx = new_ctx(threads);
            problem p = make_problem(150, 17, 6, 1, 21, 0);
            edges e = make_edges(&p, rules[which]);
            int64_t G = p.genes, T = p.tfs;
            CHECK(cw_ridge_standardise(ctx, p.x, p.cells, G) == CW_OK, "standardise");
            double *slope = poison((size_t)(T * G) * 8), *evidence = poison((size_t)G * 8), best[3], null_gain[6];
            cw_known found = {0};
            cw_known_edges known = {e.start, e.tf};
            cw_known_options o = {cw_ridge_a, strength, CW_RIDGE_A_COUNT, 3, 6, 5};
            double *theta = malloc((size_t)T * 8), off = 0, worst = 0, top = -INFINITY, want[2] = {0, 0};
            CHECK(cw_ridge_known(ctx, slope, evidence, best, null_gain, &found, p.x, p.tf, &known, &o, p.cells, G,
                                 T) == CW_OK, "%s", ctx->text);
            for (int j = 0; j < 3; j++) {
                double most = -INFINITY;
                for (int i = 0; i < CW_RIDGE_A_COUNT; i++) {
                    double sum = 0;
                    for (int64_t g = 0; g < G; g++)
                        sum += direct_known(theta, &p, g, cw_ridge_a[i], 0, 0, e.is + g * T, strength[j]);
                    most = fmax(most, sum);
                    if (sum > top + 1e-9) top = sum, want[0] = cw_ridge_a[i], want[1] = strength[j];
                }
                CHECK(fabs(most - best[j]) < 1e-6, "rule %d strength %g: %g, %g", which, strength[j], best[j], most);
            }
            if (found.strength > 1.0)
                CHECK(found.a == want[0] && found.strength == want[1], "rule %d: %g %g, best is %g %g", which, found.a,
                      found.strength, want[0], want[1]);
            for (int64_t g = 0; g < G; g++) {
                off = fmax(off, fabs(evidence[g] - direct_known(theta, &p, g, found.a, 0, 0, e.is + g * T,
                                                                found.strength)));
                for (int64_t t = 0; t < T; t++) worst = fmax(worst, fabs(slope[t * G + g] - theta[t]));
            }
            CHECK(worst < 1e-9 && off < 1e-7, "rule %d: slopes %g, evidence %g", which, worst, off);
            if (which == 0) {
                CHECK(found.strength > 1.0 && best[1] > best[0], "right edges: %g", found.strength);
                for (int n = 0; n < 6; n++) CHECK(null_gain[n] < found.gain, "%g, %g", null_gain[n], found.gain);
            }
            if (which == 1 || which == 3)
                CHECK(found.strength == 1.0, "wrong or no edges: %g, gain %g, null %g", found.strength, found.gain,
                      null_gain[0]);
            free(slope), free(evidence), free(theta), drop_edges(&e), drop_problem(&p);
            CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
            cw_ctx_free(ctx);
        }
}

static void test_known_refusals(void)
{
    problem p = make_problem(40, 9, 3, 1, 22, 0);
    double slope[27], evidence[9], best[2], null_gain[2];
    static const double weak[] = {1, .5}, fine[] = {1, 2}, late[] = {2, 1};
    cw_known found;
    for (int bad = 0; bad < 5; bad++) {
        edges e = make_edges(&p, rule_right);
        cw_known_edges known = {e.start, e.tf};
        cw_known_options o = {cw_ridge_a, bad == 0 ? weak : bad == 4 ? late : fine, 1, bad == 3 ? 0 : 2, 2, 1};
        cw_ctx *ctx = new_ctx(1);
        if (bad == 1) e.tf[0] = 7;
        if (bad == 2) e.tf[1] = e.tf[0];
        CHECK(cw_ridge_known(ctx, slope, evidence, best, null_gain, &found, p.x, p.tf, &known, &o, 40, 9, 3) ==
                  CW_ERR_ARGUMENT, "bad %d", bad);
        CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
        cw_ctx_free(ctx), drop_edges(&e);
    }
    int refused = 0, done = 0;
    edges e = make_edges(&p, rule_right);
    cw_known_edges known = {e.start, e.tf};
    cw_known_options o = {cw_ridge_a, fine, 1, 2, 2, 1};
    for (int64_t at = 0; at < 60 && !done; at++) {
        cw_ctx *ctx = new_ctx(2);
        ctx->fail_at = ctx->memory.calls + at;
        done = cw_ridge_known(ctx, slope, evidence, best, null_gain, &found, p.x, p.tf, &known, &o, 40, 9, 3) == CW_OK;
        refused += !done;
        CHECK(done || ctx->status == CW_ERR_MEMORY, "%d: %s", (int)at, ctx->text);
        CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
        cw_ctx_free(ctx);
    }
    CHECK(done && refused > 10, "%d refusals, done %d", refused, done);
    drop_edges(&e), drop_problem(&p);
}

/* ---- memory that runs out ---------------------------------------------------------------------------------------- */

static void test_memory(void)
{
    problem p = make_problem(90, 15, 4, 2, 13, 1);
    result r = new_result(&p, 1);
    float *point = poison((size_t)(90 * CW_STATES_COMPONENTS) * 4), *w = poison(90 * 8 * 4);
    int refused = 0, done = 0;
    for (int64_t at = 0; at < 200 && !done; at++) {
        cw_ctx *ctx = new_ctx(2);
        cw_states found;
        cw_states_options o = {2, 4, 9, 1};
        int64_t count;
        float *x = malloc(90 * 15 * 4);
        memcpy(x, p.x, 90 * 15 * 4);
        ctx->fail_at = ctx->memory.calls + at;
        if (cw_ridge_centre(ctx, x, p.w, 90, 15, 2) == CW_OK && cw_ridge_standardise(ctx, x, 90, 15) == CW_OK &&
            cw_states_components(ctx, point, &count, x, 1, 90, 15) == CW_OK &&
            cw_states_find(ctx, w, NULL, &found, point, &o, 90, count) == CW_OK && vary(ctx, &r, &p, 1, 15) == CW_OK)
            done = 1;
        else {
            refused++;
            CHECK(ctx->status == CW_ERR_MEMORY, "%d: %s", (int)at, ctx->text);
        }
        CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
        free(x), cw_ctx_free(ctx);
    }
    CHECK(done && refused > 30, "%d refusals, done %d", refused, done);
    free(point), free(w), drop_result(&r), drop_problem(&p);
}

/* ---- forecasts and interrupts ------------------------------------------------------------------------------------ */

/* The pooled model with a long grid takes what the forecast says, and little less. */
static void test_forecast(void)
{
    double grid[9], *slope = poison(300 * 40 * 8), *evidence = poison(300 * 8);
    for (int i = 0; i < 9; i++) grid[i] = .001 * (i + 1);
    problem p = make_problem(60, 300, 40, 1, 17, 0);
    for (int n = 1; n <= 9; n += 4) {
        cw_ctx *ctx = new_ctx(2);
        cw_ridge_pooled(ctx, slope, evidence, NULL, p.x, p.tf, grid, n, 60, 300, 40);
        double share = (double)ctx->memory.peak / (double)cw_ridge_bytes(ctx, 300, 40, 0, n);
        CHECK(ctx->status == CW_OK && share < 1.05 && share > .5, "%d values: %g of the forecast", n, share);
        cw_ctx_free(ctx);
    }
    free(slope), free(evidence), drop_problem(&p);
}

static int stop_later(void *user) { return --*(int *)user < 0; }

enum { STANDARDISE, CENTRE, POOLED, VARYING, KNOWN, FUNCTIONS };

/* How often a function looks at the host before it has ended; at every look it can be stopped. */
static int looks_of(int function, int threads)
{
    static const double strength[] = {1, 4};
    problem p = make_problem(1100, 150, 6, 2, 21, 0);
    edges e = make_edges(&p, rule_mixed);
    result r = new_result(&p, 1);
    double best[2], *evidence = poison(150 * 8);
    cw_known found;
    cw_known_edges known = {e.start, e.tf};
    cw_known_options o = {cw_ridge_a, strength, CW_RIDGE_A_COUNT, 2, 1, 5};
    int looks = 0;
    for (cw_status status = CW_ERR_INTERRUPT; status == CW_ERR_INTERRUPT && looks < 2000; looks++) {
        int left = looks;
        cw_ctx *ctx = new_ctx(threads);
        float *x = malloc(1100 * 150 * 4);
        memcpy(x, p.x, 1100 * 150 * 4);
        ctx->host.interrupted = stop_later, ctx->host.user = &left;
        if (function == STANDARDISE) cw_ridge_standardise(ctx, x, 1100, 150);
        if (function == CENTRE) cw_ridge_centre(ctx, x, p.w, 1100, 150, 2);
        if (function == POOLED)
            cw_ridge_pooled(ctx, r.pooled, evidence, NULL, x, p.tf, cw_ridge_a, CW_RIDGE_A_COUNT, 1100, 150, 6);
        if (function == VARYING) vary(ctx, &r, &p, 1, 15);
        if (function == KNOWN)
            cw_ridge_known(ctx, r.pooled, evidence, best, r.null_gain, &found, x, p.tf, &known, &o, 1100, 150, 6);
        status = ctx->status;
        CHECK(status == CW_OK || status == CW_ERR_INTERRUPT, "%s", ctx->text);
        CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
        free(x), cw_ctx_free(ctx);
        if (threads > 1 && function > CENTRE) looks += 4; /* which thread polls how often is chance */
    }
    free(evidence), drop_result(&r), drop_edges(&e), drop_problem(&p);
    return looks;
}

static void test_interrupts(void)
{
    static const int least[FUNCTIONS] = {50, 35, 20, 40, 300};
    for (int f = 0; f < FUNCTIONS; f++)
        for (int threads = 1; threads <= 2; threads++) {
            int looks = looks_of(f, threads);
            if (threads == 1) CHECK(looks >= least[f] && looks < 2000, "function %d looks %d times", f, looks);
        }
}

/* ---- from sums over cells ---------------------------------------------------------------------------------------- */

typedef struct sums {
    cw_gram gram;
    double cells, *room;
} sums;

/* Of x (cells, genes) with every third value left out as an unlisted zero, in blocks of `width` cells. */
static void add_all(cw_ctx *ctx, sums *s, const problem *p, int64_t width, double bad)
{
    int64_t G = p->genes, T = p->tfs;
    s->cells = 0, s->room = calloc((size_t)(5 * G + 2 * T * G), 8);
    s->gram = (cw_gram){G, T, p->tf, &s->cells, s->room, s->room + G, s->room + 2 * G, s->room + 3 * G, s->room + 4 * G,
                        s->room + 5 * G, s->room + 5 * G + T * G};
    int32_t *start = malloc((size_t)(width + 1) * 4), *gene = malloc((size_t)(width * G) * 4);
    double *value = malloc((size_t)(width * G) * 8);
    for (int64_t c0 = 0; c0 < p->cells && ctx->status == CW_OK; c0 += width) {
        int64_t n = p->cells - c0 < width ? p->cells - c0 : width;
        int32_t k = 0;
        for (int64_t c = 0; c < n; c++) {
            start[c] = k;
            for (int64_t g = 0; g < G; g++) {
                if (p->x[(c0 + c) * G + g] == 0.0f) continue;
                gene[k] = (int32_t)g, value[k++] = p->x[(c0 + c) * G + g] + bad;
            }
        }
        start[n] = k;
        cw_gram_add(ctx, &s->gram, start, gene, value, n);
    }
    free(start), free(gene), free(value);
}

static void test_sums(void)
{
    const int64_t sizes[][3] = {{37, 5, 1}, {101, 11, 3}, {530, 23, 11}};
    for (int k = 0; k < 3; k++) {
        problem p = make_problem(sizes[k][0], sizes[k][1], sizes[k][2], 1, 9, 0);
        int64_t G = p.genes, T = p.tfs, all = 5 * G + 2 * T * G;
        for (int64_t i = 0; i < p.cells * G; i++)
            if (i / G % 5 && i % 3 == 0) p.x[i] = 0.0f; /* every fifth cell is full */
        for (int64_t c = 0; c < p.cells; c++) p.x[c * G + G - 1] = 2.5f; /* one value: constant */
        cw_ctx *ctx = new_ctx(1);
        sums one, many;
        add_all(ctx, &one, &p, p.cells, 0);
        CHECK(ctx->status == CW_OK, "%s", ctx->text);
        for (int64_t width = 1; width < 60; width = 3 * width + 4) {
            ctx->threads = 2;
            add_all(ctx, &many, &p, width, 0);
            CHECK(memcmp(one.room, many.room, (size_t)all * 8) == 0 && many.cells == one.cells,
                  "blocks of %lld cells give other sums", (long long)width);
            free(many.room);
        }
        double *slope = poison((size_t)(T * G) * 8), *evidence = poison((size_t)G * 8), chosen = -1;
        double *want = poison((size_t)(T * G) * 8), *score = poison((size_t)G * 8), best = -1, worst = 0, off = 0;
        CHECK(cw_ridge_pooled_sums(ctx, slope, evidence, &chosen, &one.gram, cw_ridge_a, 3) == CW_OK, "%s", ctx->text);
        cw_ridge_standardise(ctx, p.x, p.cells, G);
        cw_ridge_pooled(ctx, want, score, &best, p.x, p.tf, cw_ridge_a, 3, p.cells, G, T);
        CHECK(chosen == best, "chose %g, not %g", chosen, best);
        for (int64_t i = 0; i < T * G; i++) worst = fmax(worst, fabs(slope[i] - want[i]));
        for (int64_t g = 0; g < G; g++) off = fmax(off, fabs(evidence[g] - score[g]));
        CHECK(worst < 1e-6 && off < 1e-3, "slopes %g, evidence %g", worst, off);
        CHECK(evidence[G - 1] == 0.0, "a constant gene has evidence %g", evidence[G - 1]);
        free(one.room), add_all(ctx, &one, &p, p.cells, NAN);
        CHECK(ctx->status == CW_ERR_NUMERIC, "NaN is taken");
        free(one.room), free(slope), free(evidence), free(want), free(score);
        CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
        drop_problem(&p), cw_ctx_free(ctx);
    }
}

int main(void)
{
    int before = cw_blas_enter();
    test_product(), test_eigen(), test_pooled(), test_varying(), test_fallback(), test_threads(), test_constant();
    test_refusals(), test_states(), test_neighbours(), test_known(), test_known_refusals(), test_sums();
    test_memory(), test_forecast(), test_interrupts();
    cw_blas_leave(before);
    return test_end();
}
