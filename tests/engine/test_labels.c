/* test_labels.c: networks per label against solves written out; what is held out; refusals, interrupts, threads. */
#include "test.h"

#include "core/rng.h"
#include "core/threads.h"
#include "linalg/dense.h"
#include "stats/labels.h"

enum { CELLS = 700, GENES = 12, TFS = 4, LABELS = 3, GRID = 10, OWN = 7 };
static const double grid[GRID] = {1e-5, 3e-5, 1e-4, 3e-4, .001, .003, .01, .03, .1, .3};
static const int32_t tf[TFS] = {1, 4, 7, 10};

static double noise(uint64_t key, uint64_t i)
{
    cw_stream s = cw_rng_stream(key, CW_RNG_USER, 3, 3);
    double sum = 0;
    for (uint64_t j = 0; j < 4; j++) sum += cw_rng_uniform(s, 4 * i + j) - 0.5;
    return sum * 1.7320508;
}

/* TF 1 drives even genes everywhere; TF 4 drives genes 0 and 2 and the TF 7 in label 1 alone. Label 2 has `few` cells. */
static void make(float *x, int32_t *label, int64_t few)
{
    for (int64_t c = 0; c < CELLS; c++) {
        label[c] = c < few ? 2 : (int32_t)(c % 2);
        for (int64_t g = 0; g < GENES; g++) x[c * GENES + g] = (float)(noise(7, (uint64_t)(c * GENES + g)) + label[c]);
        for (int64_t g = 0; g < GENES; g += 2) x[c * GENES + g] += .6f * x[c * GENES + 1];
        for (int64_t g = 0; label[c] == 1 && g < 4; g += 2) x[c * GENES + g] += .9f * x[c * GENES + 4];
        if (label[c] == 1) x[c * GENES + 7] += .7f * x[c * GENES + 4];
    }
}

typedef struct result {
    cw_labels l;
    double pooled[TFS * GENES], slope[LABELS * TFS * GENES], sd[LABELS * TFS], of[5][LABELS];
} result;

static cw_status run(cw_ctx *ctx, result *r, const float *x, const int32_t *label, const int32_t *train)
{
    memset(r, 0xC9, sizeof *r);
    r->l = (cw_labels){.pooled = r->pooled, .slope = r->slope, .sd = r->sd, .label_a = r->of[0],
                       .label_gain = r->of[1], .total = r->of[2], .rest_pooled = r->of[3], .rest = r->of[4]};
    return cw_labels_fit(ctx, &r->l, x, tf, label, train, grid, GRID, OWN, CELLS, GENES, TFS, LABELS);
}

/* Slopes of gene g on its TFs over the cells of label k (-1: all), prior variance a times the noise s; returns the log
 * evidence above no slopes, from the determinant and the solve of the small system itself. */
static double solve(double *slope, const double *y, const float *x, const int32_t *label, int k, int64_t g, double a,
                    double s)
{
    int at[TFS], m = 0;
    double A[TFS * TFS] = {0}, f[TFS] = {0}, logdet = 0, fit = 0;
    for (int t = 0; t < TFS; t++)
        if (tf[t] != g) at[m++] = t;
    for (int p = 0; p < m; p++) {
        for (int q = 0; q < m; q++)
            for (int64_t c = 0; c < CELLS; c++)
                if (k < 0 || label[c] == k)
                    A[p * m + q] += (double)x[c * GENES + tf[at[p]]] * x[c * GENES + tf[at[q]]];
        for (int64_t c = 0; c < CELLS; c++)
            if (k < 0 || label[c] == k) f[p] += y[c] * x[c * GENES + tf[at[p]]];
        A[p * m + p] += 1 / a;
    }
    double b[TFS];
    memcpy(b, f, sizeof b);
    if (cw_dense_cholesky(A, m)) return NAN;
    cw_dense_solve(b, A, m);
    for (int t = 0; t < TFS; t++) slope[t] = 0;
    for (int p = 0; p < m; p++) logdet += 2 * log(A[p * m + p]) + log(a), fit += b[p] * f[p], slope[at[p]] = b[p];
    return .5 * fit / s - .5 * logdet;
}

static void test_definition(void)
{
    static float x[CELLS * GENES];
    static int32_t label[CELLS];
    static result r;
    cw_ctx *ctx = cw_ctx_new(NULL);
    make(x, label, 5);
    CHECK(cw_labels_within(ctx, x, label, CELLS, GENES, LABELS) == CW_OK, "%s", ctx->text);
    double mean = 0, square = 0;
    for (int64_t c = 0; c < CELLS; c++) {
        square += x[c * GENES + 3] * x[c * GENES + 3];
        mean += label[c] == 1 ? x[c * GENES + 3] : 0;
    }
    CHECK(fabs(mean) < 1e-3 && fabs(square / CELLS - 1) < 1e-5, "mean %g, square %g", mean, square / CELLS);
    CHECK(run(ctx, &r, x, label, NULL) == CW_OK, "%s", ctx->text);

    double worst = 0, gain = 0, all = 0, y[CELLS], s[TFS];
    for (int64_t g = 0; g < GENES; g++) {
        for (int64_t c = 0; c < CELLS; c++) y[c] = x[c * GENES + g];
        int counts = g != 1 && g != 4 && g != 7 && g != 10;
        all += counts * solve(s, y, x, label, -1, g, r.l.a, 1);
        for (int t = 0; t < TFS; t++) worst = fmax(worst, fabs(s[t] - r.pooled[t * GENES + g]));
        double rest = 0;
        int64_t n = 0;
        for (int64_t c = 0; c < CELLS; c++) {
            for (int t = 0; t < TFS; t++) y[c] -= s[t] * x[c * GENES + tf[t]];
            if (label[c] == 1) rest += y[c] * y[c], n++;
        }
        gain += counts * solve(s, y, x, label, 1, g, r.of[0][1], fmax(.2, rest / (double)n));
        for (int t = 0; t < TFS; t++)
            worst = fmax(worst, fabs(s[t] + r.pooled[t * GENES + g] - r.slope[(TFS + t) * GENES + g]));
    }
    CHECK(worst < 1e-10, "slopes differ by %g", worst);
    CHECK(fabs(all - r.l.gain) < 1e-8 && fabs(gain - r.of[1][1]) < 1e-8, "%g %g, %g %g", all, r.l.gain, gain, r.of[1][1]);
    CHECK(r.l.a > 0 && r.of[0][1] > 0 && r.of[1][1] > 10, "a %g, a_1 %g", r.l.a, r.of[0][1]);
    for (int i = 0; i < TFS * GENES; i++)
        CHECK(fabs(r.slope[2 * TFS * GENES + i] - r.pooled[i]) < .1, "five cells move slope %d", i);
    CHECK(r.of[2][0] == 0 && r.of[4][1] == 0, "nothing was held out: %g", r.of[2][0]);
    cw_ctx_free(ctx);
}

static void test_held_out(void)
{
    static float x[CELLS * GENES];
    static int32_t label[CELLS], train[CELLS], permuted[CELLS];
    static result r, two;
    cw_ctx *ctx = cw_ctx_new(NULL);
    make(x, label, 5);
    for (int64_t c = 0; c < CELLS; c++) train[c] = (c / 2) % 2 == 0;
    cw_labels_within(ctx, x, label, CELLS, GENES, LABELS);
    CHECK(run(ctx, &r, x, label, train) == CW_OK, "%s", ctx->text);
    for (int k = 0; k < 2; k++) {
        double left = 0;
        for (int64_t c = 0; c < CELLS; c++)
            for (int64_t g = 0; !train[c] && label[c] == k && g < GENES; g++) {
                double v = x[c * GENES + g];
                if (g % 3 == 1) continue; /* a TF */
                for (int t = 0; t < TFS; t++) v -= r.slope[(k * TFS + t) * GENES + g] * x[c * GENES + tf[t]];
                left += v * v;
            }
        CHECK(fabs(left - r.of[4][k]) < 1e-8 * left, "label %d: %g %g", k, left, r.of[4][k]);
    }
    CHECK(r.of[4][1] < r.of[3][1] - .005 * r.of[2][1], "label 1 departs: %g %g", r.of[4][1], r.of[3][1]);
    ctx->threads = 3;
    run(ctx, &two, x, label, train);
    CHECK(!memcmp(r.slope, two.slope, sizeof r.slope) && !memcmp(r.of, two.of, sizeof r.of), "threads");

    /* labels dealt anew: the pooled network everywhere */
    make(x, label, 5);
    for (int64_t c = 0; c < CELLS; c++) permuted[c] = c < 5 ? 2 : noise(9, (uint64_t)c) > 0;
    cw_labels_within(ctx, x, permuted, CELLS, GENES, LABELS);
    run(ctx, &r, x, permuted, train);
    for (int k = 0; k < 2; k++)
        CHECK(fabs(r.of[4][k] - r.of[3][k]) <= .002 * r.of[2][k], "permuted label %d: %g %g", k, r.of[4][k], r.of[3][k]);
    cw_ctx_free(ctx);
}

static int stop_later(void *user) { return --*(int *)user < 0; }

/* The sums of the cells with train = keep, by label; both are not counted. */
typedef struct sums {
    double cells[LABELS], part[LABELS][5][GENES], product[LABELS][TFS * GENES];
    cw_gram gram[LABELS];
} sums;

static void sum_up(cw_ctx *ctx, sums *s, const float *x, const int32_t *label, const int32_t *train, int keep)
{
    memset(s, 0, sizeof *s);
    for (int k = 0; k < LABELS; k++) {
        static int32_t start[CELLS + 1], gene[CELLS * GENES];
        static double value[CELLS * GENES];
        int64_t n = 0;
        s->gram[k] = (cw_gram){GENES, TFS, tf, s->cells + k, s->part[k][0], s->part[k][1], s->part[k][2], s->part[k][3],
                               s->part[k][4], s->product[k], NULL};
        for (int64_t c = 0; c < CELLS; c++) {
            if (label[c] != k || (train && train[c] != keep)) continue;
            for (int64_t g = 0; g < GENES; g++) {
                int64_t to = start[n] + g;
                gene[to] = (int32_t)g, value[to] = x[c * GENES + g];
            }
            start[n + 1] = start[n] + GENES, n++;
        }
        CHECK(cw_gram_add(ctx, s->gram + k, start, gene, value, n) == CW_OK, "%s", ctx->text);
    }
}

static double apart(const double *a, const double *b, int64_t n)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) worst = fmax(worst, fabs(a[i] - b[i]) / fmax(1, fabs(b[i])));
    return worst;
}

static void test_sums(void)
{
    static float x[CELLS * GENES], raw[CELLS * GENES];
    static int32_t label[CELLS], train[CELLS];
    static result r, two;
    static sums in, out;
    cw_ctx *ctx = cw_ctx_new(NULL);
    make(x, label, 5);
    for (int64_t c = 0; c < CELLS; c++) x[c * GENES + 5] = 2.25f, train[c] = c % 5 != 0; /* a gene that doesn't vary */
    memcpy(raw, x, sizeof x);
    cw_labels_within(ctx, x, label, CELLS, GENES, LABELS);
    for (int held = 0; held < 2; held++) {
        run(ctx, &r, x, label, held ? train : NULL);
        sum_up(ctx, &in, raw, label, held ? train : NULL, 1), sum_up(ctx, &out, raw, label, train, 0);
        memset(&two, 0xC9, sizeof two);
        two.l = (cw_labels){.pooled = two.pooled, .slope = two.slope, .sd = two.sd, .label_a = two.of[0],
                            .label_gain = two.of[1], .total = two.of[2], .rest_pooled = two.of[3], .rest = two.of[4]};
        CHECK(cw_labels_fit_sums(ctx, &two.l, in.gram, held ? out.gram : NULL, grid, GRID, OWN, LABELS) == CW_OK, "%s",
              ctx->text);
        CHECK(two.l.a == r.l.a && fabs(two.l.gain / r.l.gain - 1) < 1e-5, "a %g %g, gain %g %g", two.l.a, r.l.a,
              two.l.gain, r.l.gain);
        CHECK(apart(two.pooled, r.pooled, TFS * GENES) < 1e-6 && apart(two.slope, r.slope, LABELS * TFS * GENES) < 1e-6 &&
                  apart(two.sd, r.sd, LABELS * TFS) < 1e-6,
              "pooled %g, slopes %g, sd %g", apart(two.pooled, r.pooled, TFS * GENES),
              apart(two.slope, r.slope, LABELS * TFS * GENES), apart(two.sd, r.sd, LABELS * TFS));
        for (int i = 0; i < 5; i++)
            CHECK(apart(two.of[i], r.of[i], LABELS) < 1e-5, "%d of the labels: %g", i, apart(two.of[i], r.of[i], LABELS));
        CHECK(two.slope[5] == 0, "a gene that doesn't vary has slope %g", two.slope[5]);
    }
    out.gram[1].tfs = 3;
    CHECK(cw_labels_fit_sums(ctx, &two.l, in.gram, out.gram, grid, GRID, OWN, LABELS) == CW_ERR_SHAPE, "other TFs");
    cw_ctx_clear(ctx), out.gram[1].tfs = TFS;
    int ended = 0;
    for (int looks = 0; looks < 200 && !ended; looks++) {
        int left = looks;
        ctx->host.interrupted = stop_later, ctx->host.user = &left;
        cw_status status = cw_labels_fit_sums(ctx, &two.l, in.gram, out.gram, grid, GRID, OWN, LABELS);
        CHECK(status == CW_OK || status == CW_ERR_INTERRUPT, "%s", ctx->text);
        ended = status == CW_OK;
        cw_ctx_clear(ctx);
    }
    CHECK(ended && ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

static void test_refusals(void)
{
    static float x[CELLS * GENES];
    static int32_t label[CELLS];
    static result r;
    make(x, label, 5);
    cw_ctx *ctx = cw_ctx_new(NULL);
    label[3] = LABELS;
    CHECK(cw_labels_within(ctx, x, label, CELLS, GENES, LABELS) == CW_ERR_ARGUMENT, "label beyond the last");
    cw_ctx_clear(ctx);
    CHECK(run(ctx, &r, x, label, NULL) == CW_ERR_ARGUMENT, "label beyond the last");
    cw_ctx_clear(ctx);
    label[3] = 0, x[30] = INFINITY;
    CHECK(cw_labels_within(ctx, x, label, CELLS, GENES, LABELS) == CW_ERR_NUMERIC, "infinite");
    cw_ctx_clear(ctx);
    make(x, label, 5);
    cw_labels_within(ctx, x, label, CELLS, GENES, LABELS);
    int ended = 0;
    for (int looks = 0; looks < 200 && !ended; looks++) {
        int left = looks;
        ctx->host.interrupted = stop_later, ctx->host.user = &left;
        cw_status status = run(ctx, &r, x, label, NULL);
        CHECK(status == CW_OK || status == CW_ERR_INTERRUPT, "%s", ctx->text);
        ended = status == CW_OK;
        cw_ctx_clear(ctx);
    }
    CHECK(ended && ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

int main(void)
{
    int before = cw_blas_enter();
    test_definition(), test_held_out(), test_sums(), test_refusals();
    cw_blas_leave(before);
    return test_end();
}
