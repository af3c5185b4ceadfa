/* test_forest.c: tree ensembles on problems whose answer is known. */
#include "test.h"

#include "core/rng.h"
#include "stats/forest.h"

enum { CELLS = 301, GENES = 14, TFS = 9 };

/* Dense columns as cw_columns; zeros are left out. */
typedef struct table {
    cw_columns x;
    int32_t *start, *cell;
    double *value;
} table;

static table make_table(const double *dense, int64_t cells, int64_t genes) /* (genes, cells) */
{
    table t = {0};
    int64_t k = 0;
    t.start = malloc((size_t)(genes + 1) * sizeof *t.start);
    t.cell = malloc((size_t)(genes * cells + 1) * sizeof *t.cell);
    t.value = malloc((size_t)(genes * cells + 1) * sizeof *t.value);
    t.start[0] = 0;
    for (int64_t g = 0; g < genes; g++) {
        for (int64_t c = 0; c < cells; c++)
            if (dense[g * cells + c] != 0) t.cell[k] = (int32_t)c, t.value[k++] = dense[g * cells + c];
        t.start[g + 1] = (int32_t)k;
    }
    t.x = (cw_columns){cells, genes, t.start, t.cell, t.value};
    return t;
}

static void drop_table(table *t) { free(t->start), free(t->cell), free(t->value); }

/* TFs 0..8: independent, 5 sparse, 6 whole numbers with ties, 7 constant, 8 all zero. Genes 9: TF 1 and TF 4;
 * 10: noise; 11: a threshold of TF 5; 12: constant; 13: all zero. `dense` (GENES, cells). */
static void simulate(double *dense, int64_t cells, uint64_t key)
{
    float *u = malloc((size_t)(cells * 12) * sizeof *u);
    cw_rng_fill_normal(u, cells * 12, cw_rng_stream(key, CW_RNG_USER, 0, 0), 0, 1);
    for (int64_t c = 0; c < cells; c++) {
        double *x = dense + c;
        for (int g = 0; g < 5; g++) x[g * cells] = fabs(u[g * cells + c]) + 0.01;
        x[5 * cells] = u[5 * cells + c] > 0.8f ? u[5 * cells + c] : 0;
        x[6 * cells] = floor(fabs(u[6 * cells + c]) * 2);
        x[7 * cells] = 3, x[8 * cells] = 0;
        x[9 * cells] = 2 * x[1 * cells] + 1.5 * x[4 * cells] + 0.2 * u[7 * cells + c] + 2;
        x[10 * cells] = u[8 * cells + c];
        x[11 * cells] = (x[5 * cells] > 0) + 0.2 * u[9 * cells + c];
        x[12 * cells] = 5, x[13 * cells] = 0;
    }
    free(u);
}

static cw_forest_options options(int boost)
{
    cw_forest_options o = {.kind = boost ? CW_FOREST_BOOST : CW_FOREST_EXTRA, .cut = CW_CUT_CELL, .trees = 60,
                           .features = 3, .min_leaf = 3, .depth = 3, .rate = 0.05, .subsample = 0.9, .window = 25,
                           .key = 7};
    if (boost) o.trees = 200, o.min_leaf = 1;
    return o;
}

static const int32_t tf[TFS] = {0, 1, 2, 3, 4, 5, 6, 7, 8}, target[GENES] =
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};

typedef struct answer {
    double importance[GENES * TFS], r2[GENES];
    int32_t grown[GENES];
} answer;

static cw_status run(answer *a, const cw_columns *x, const cw_forest_options *o, int threads)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->threads = threads;
    memset(a, 0xA5, sizeof *a);
    cw_status s = cw_forest_importance(ctx, a->importance, a->grown, a->r2, x, tf, TFS, target, GENES, o);
    CHECK(s == CW_OK, "%s", ctx->text);
    CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
    int64_t forecast = cw_forest_forecast(x->cells, TFS, GENES, x->start[x->genes], threads, o);
    CHECK(ctx->memory.peak <= forecast && forecast < 8 * ctx->memory.peak + 200000, "peak %lld, forecast %lld",
          (long long)ctx->memory.peak, (long long)forecast);
    cw_ctx_free(ctx);
    return s;
}

static double share(const answer *a, int gene, int t) { return a->importance[gene * TFS + t]; }

static void known_answers(int boost, int64_t sample, cw_forest_cut cut)
{
    double *dense = malloc(GENES * CELLS * sizeof *dense);
    simulate(dense, CELLS, 3);
    table t = make_table(dense, CELLS, GENES);
    cw_forest_options o = options(boost);
    o.sample = sample, o.cut = cut;
    answer a;
    run(&a, &t.x, &o, 2);
    for (int g = 0; g < GENES; g++) {
        double sum = 0;
        for (int k = 0; k < TFS; k++) {
            sum += share(&a, g, k);
            CHECK(share(&a, g, k) >= 0 && share(&a, g, k) <= 1, "gene %d TF %d: %g", g, k, share(&a, g, k));
        }
        int flat = g == 7 || g == 8 || g == 12 || g == 13;
        CHECK(flat ? sum == 0 : fabs(sum - 1) < 1e-9, "gene %d adds up to %g", g, sum);
        CHECK(flat == (a.grown[g] == 0), "gene %d: %d trees", g, a.grown[g]);
        CHECK(share(&a, g, 7) == 0 && share(&a, g, 8) == 0, "a constant TF has importance");
        if (g < TFS) CHECK(share(&a, g, g) == 0, "TF %d regulates itself", g);
    }
    for (int k = 0; k < TFS; k++) {
        if (k != 1 && k != 4) CHECK(share(&a, 9, k) < 0.5 * share(&a, 9, 4), "gene 9: TF %d %g", k, share(&a, 9, k));
        if (k != 5) CHECK(share(&a, 11, k) < 0.35 * share(&a, 11, 5), "gene 11: TF %d %g", k, share(&a, 11, k));
        if (k < 5) CHECK(share(&a, 10, k) > 0.02 && share(&a, 10, k) < 0.45, "noise: TF %d %g", k, share(&a, 10, k));
    }
    CHECK(share(&a, 9, 1) > share(&a, 9, 4), "%g and %g", share(&a, 9, 1), share(&a, 9, 4));
    if (boost || sample) {
        CHECK(a.r2[9] > 0.6 && a.r2[9] < 1, "gene 9: r2 %g", a.r2[9]);
        CHECK(a.r2[10] < 0.15, "noise: r2 %g", a.r2[10]);
    } else {
        CHECK(isnan(a.r2[9]), "every tree saw every cell: r2 %g", a.r2[9]);
    }
    if (boost) CHECK(a.grown[10] < 120 && a.grown[9] > a.grown[10], "trees %d and %d", a.grown[10], a.grown[9]);
    drop_table(&t), free(dense);
}

/* The same numbers whatever the threads; others with another key. */
static void threads_and_keys(int boost, int64_t sample)
{
    double *dense = malloc(GENES * CELLS * sizeof *dense);
    simulate(dense, CELLS, 5);
    table t = make_table(dense, CELLS, GENES);
    cw_forest_options o = options(boost);
    o.sample = sample;
    answer a, b;
    run(&a, &t.x, &o, 1);
    for (int threads = 1; threads <= 3; threads++) {
        run(&b, &t.x, &o, threads);
        CHECK(memcmp(a.importance, b.importance, sizeof a.importance) == 0 && 
                  memcmp(a.grown, b.grown, sizeof a.grown) == 0 &&
                  memcmp(a.r2, b.r2, sizeof a.r2) == 0,
              "%d threads give another answer", threads);
    }
    o.key = 8;
    run(&b, &t.x, &o, 1);
    CHECK(memcmp(a.importance, b.importance, sizeof a.importance) != 0, "the key has no effect");
    drop_table(&t), free(dense);
}

/* A TF that is there twice shares its importance; a target that is a TF's copy finds it. */
static void duplicates(int boost)
{
    enum { N = 203, G = 4 };
    double dense[G * N];
    float u[2 * N];
    cw_rng_fill_normal(u, 2 * N, cw_rng_stream(2, CW_RNG_USER, 0, 0), 0, 1);
    for (int c = 0; c < N; c++) {
        dense[c] = dense[N + c] = u[c], dense[2 * N + c] = u[N + c];
        dense[3 * N + c] = u[c];
    }
    table t = make_table(dense, N, G);
    const int32_t tfs[3] = {0, 1, 2}, one[2] = {3, 0};
    double importance[6];
    int32_t grown[2];
    cw_forest_options o = options(boost);
    o.features = 1;
    cw_ctx *ctx = cw_ctx_new(NULL);
    CHECK(cw_forest_importance(ctx, importance, grown, NULL, &t.x, tfs, 3, one, 2, &o) == CW_OK, "%s", ctx->text);
    CHECK(importance[0] > 0.25 && importance[1] > 0.25 && importance[2] < 0.3, "%g %g %g", importance[0], importance[1],
          importance[2]);
    CHECK(importance[3] == 0 && importance[4] > 0.7, "%g %g", importance[3], importance[4]);
    cw_ctx_free(ctx);
    drop_table(&t);
}

/* More than 255 distinct values, ties at both ends, negatives; a target known to be a step of the value. One tree with
 * all TFs tried and exact thresholds (boosting, depth 1, rate 1) must explain it whole, for any cut between bins. */
static void many_bins(void)
{
    enum { N = 5003 };
    double *dense = malloc(2 * N * sizeof *dense);
    for (int c = 0; c < N; c++) {
        dense[c] = c < 2500 ? 0 : (double)(c - 2499) * 1e-3; /* half zeros, then all different */
        dense[N + c] = c < 2500 ? 1 : 2;
    }
    table t = make_table(dense, N, 2);
    const int32_t one[1] = {0}, two[1] = {1};
    double importance, r2;
    int32_t grown;
    cw_forest_options o = options(1);
    o.depth = 1, o.rate = 1, o.features = 1, o.trees = 1, o.window = 0;
    cw_ctx *ctx = cw_ctx_new(NULL);
    CHECK(cw_forest_importance(ctx, &importance, &grown, &r2, &t.x, one, 1, two, 1, &o) == CW_OK, "%s", ctx->text);
    CHECK(importance == 1 && grown == 1 && fabs(r2 - 1) < 1e-3, "share %g, r2 %g", importance, r2);
    for (int c = 0; c < N; c++) dense[c] = c - 2501.5, dense[N + c] = c < 1250 ? 3 : -1; /* negatives, no zeros */
    drop_table(&t);
    t = make_table(dense, N, 2);
    CHECK(cw_forest_importance(ctx, &importance, &grown, &r2, &t.x, one, 1, two, 1, &o) == CW_OK, "%s", ctx->text);
    CHECK(importance == 1 && r2 > 0.9, "share %g, r2 %g", importance, r2);
    cw_ctx_free(ctx);
    drop_table(&t), free(dense);
}

/* Two cells; one TF that is the only target. */
static void smallest(void)
{
    double dense[4] = {1, 2, 0, 1};
    table t = make_table(dense, 2, 2);
    const int32_t one[1] = {0}, both[2] = {0, 1};
    double importance[2];
    int32_t grown[2];
    for (int boost = 0; boost < 2; boost++) {
        cw_forest_options o = options(boost);
        o.features = 5, o.min_leaf = 1;
        cw_ctx *ctx = cw_ctx_new(NULL);
        importance[0] = importance[1] = NAN;
        CHECK(cw_forest_importance(ctx, importance, grown, NULL, &t.x, one, 1, both, 2, &o) == CW_OK, "%s", ctx->text);
        CHECK(importance[0] == 0 && (importance[1] == 1 || importance[1] == 0), "%g %g", importance[0], importance[1]);
        cw_ctx_free(ctx);
    }
    drop_table(&t);
}

static void bad_input(void)
{
    double dense[6] = {1, 2, 3, 0, 1, NAN};
    table t = make_table(dense, 3, 2);
    const int32_t one[1] = {0}, two[1] = {1}, nine[1] = {9};
    double importance[2];
    int32_t grown[2];
    cw_ctx *ctx = cw_ctx_new(NULL);
    for (int i = 0; i < 11; i++) {
        cw_forest_options o = options(i >= 5);
        int64_t tfs = 1;
        const int32_t *from = one, *to = one;
        cw_status want = CW_ERR_ARGUMENT;
        if (i == 0) to = two, want = CW_ERR_NUMERIC;
        if (i == 1) from = nine;
        if (i == 2) o.trees = 0;
        if (i == 3) o.features = 0;
        if (i == 4) o.min_leaf = 0;
        if (i == 5) o.depth = 0;
        if (i == 6) o.depth = 7;
        if (i == 7) o.rate = NAN;
        if (i == 8) o.subsample = 0;
        if (i == 9) o.window = -1;
        if (i == 10) tfs = 0;
        cw_ctx_clear(ctx);
        CHECK(cw_forest_importance(ctx, importance, grown, NULL, &t.x, from, tfs, to, 1, &o) == want, "case %d: %s", i,
              ctx->text);
        CHECK(ctx->memory.bytes == 0, "case %d leaks", i);
    }
    cw_ctx_free(ctx);
    drop_table(&t);
}

static void failing_memory(int boost)
{
    double *dense = malloc(GENES * 57 * sizeof *dense);
    simulate(dense, 57, 4);
    table t = make_table(dense, 57, GENES);
    cw_forest_options o = options(boost);
    o.trees = 3, o.sample = 40;
    answer a;
    int64_t at = 0;
    for (;; at++) {
        cw_ctx *ctx = cw_ctx_new(NULL);
        ctx->threads = 2;
        ctx->fail_at = ctx->memory.calls + at;
        cw_status s = cw_forest_importance(ctx, a.importance, a.grown, a.r2, &t.x, tf, TFS, target, GENES, &o);
        CHECK(s == CW_OK || s == CW_ERR_MEMORY, "%s", ctx->text);
        CHECK(ctx->memory.bytes == 0, "allocation %lld: %lld bytes left", (long long)at, (long long)ctx->memory.bytes);
        cw_ctx_free(ctx);
        if (s == CW_OK) break;
    }
    CHECK(at >= 20, "only %lld allocations failed", (long long)at);
    drop_table(&t), free(dense);
}

static int stop_now(void *user) { return ++*(int *)user > 3; }

static void interrupted(int boost)
{
    double *dense = malloc(GENES * CELLS * sizeof *dense);
    simulate(dense, CELLS, 4);
    table t = make_table(dense, CELLS, GENES);
    cw_forest_options o = options(boost);
    answer a;
    int polls = 0;
    const cw_host host = {.user = &polls, .interrupted = stop_now};
    cw_ctx *ctx = cw_ctx_new(&host);
    ctx->threads = 2;
    cw_status s = cw_forest_importance(ctx, a.importance, a.grown, a.r2, &t.x, tf, TFS, target, GENES, &o);
    CHECK(s == CW_ERR_INTERRUPT && ctx->memory.bytes == 0 && polls < 20, "status %d, %d polls", (int)s, polls);
    cw_ctx_free(ctx);
    drop_table(&t), free(dense);
}

int main(void)
{
    for (int cut = 0; cut < 2; cut++) {
        known_answers(0, 0, (cw_forest_cut)cut);
        known_answers(0, 190, (cw_forest_cut)cut);
    }
    known_answers(1, 0, CW_CUT_CELL);
    threads_and_keys(0, 0), threads_and_keys(0, 150), threads_and_keys(1, 0);
    duplicates(0), duplicates(1);
    many_bins();
    smallest();
    bad_input();
    failing_memory(0), failing_memory(1);
    interrupted(0), interrupted(1);
    return test_end();
}
