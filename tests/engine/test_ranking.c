/* test_ranking.c: rankings against their definitions, nulls against what they must keep, distances against sums. */
#include "test.h"

#include "core/rng.h"
#include "stats/genes.h"
#include "stats/nulls.h"
#include "stats/ranking.h"
#include "stats/wasserstein.h"

static cw_ctx *new_ctx(int threads)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->threads = threads;
    return ctx;
}

static int near(double a, double b) { return fabs(a - b) < 1e-12; }

/* ---- rankings --------------------------------------------------------------------------------------------------- */

static void test_metrics(void)
{
    /* Candidates 0..5 ranked 2, {0, 4}, 1, 3, 5 with a tie; positives 0, 1. By hand:
     * groups (1 of 0+), (2 with 1+), (1 with 1+): AP = 1/2 * 1/3 + 1/2 * 2/4; early: K = 2, one of the tied fits;
     * AUROC: 0 beats 4 half, 3, 5; 1 beats 3, 5: (2.5 + 2) / (2 * 4). */
    int32_t order[] = {2, 0, 4, 1, 3, 5}, group[] = {0, 1, 1, 2, 3, 4};
    uint8_t positive[] = {1, 1, 0, 0, 0, 0};
    cw_ranking r = {6, order, group, positive};
    cw_rank_score s;
    cw_rank_metrics(&s, &r, NULL);
    CHECK(near(s.auprc, 1.0 / 6 + 1.0 / 4), "AUPRC %g", s.auprc);
    CHECK(near(s.early, 0.25), "early precision %g", s.early);
    CHECK(near(s.auroc, 4.5 / 8), "AUROC %g", s.auroc);
    /* Weights are copies: candidate 1 twice and candidate 4 never. */
    uint16_t weight[] = {1, 2, 1, 1, 0, 1};
    cw_rank_metrics(&s, &r, weight);
    CHECK(near(s.auprc, 1.0 / 3 * 1 / 2 + 2.0 / 3 * 3 / 4), "AUPRC %g", s.auprc);
    CHECK(near(s.early, 2.0 / 3), "early precision %g: of three, none, one, and half of the doubled one", s.early);
    CHECK(near(s.auroc, 6.0 / 9), "AUROC %g", s.auroc);
    /* All tied: precision is the positive rate. */
    int32_t one[6] = {0};
    r.group = one;
    cw_rank_metrics(&s, &r, NULL);
    CHECK(near(s.auprc, 1.0 / 3) && near(s.early, 1.0 / 3) && near(s.auroc, 0.5), "all tied: %g, %g, %g", s.auprc,
          s.early, s.auroc);
    uint8_t none[6] = {0}, all[6] = {1, 1, 1, 1, 1, 1};
    r.positive = none;
    cw_rank_metrics(&s, &r, NULL);
    CHECK(s.auprc == 0 && s.early == 0 && isnan(s.auroc), "no positives: %g, %g, %g", s.auprc, s.early, s.auroc);
    r.positive = all;
    cw_rank_metrics(&s, &r, NULL);
    CHECK(near(s.auprc, 1) && near(s.early, 1) && isnan(s.auroc), "no negatives: %g, %g", s.auprc, s.early);
}

static void test_sort(void)
{
    enum { N = 5003 };
    static double x[N];
    static int32_t order[N], group[N];
    cw_ctx *ctx = new_ctx(1);
    for (int kind = 0; kind < 4; kind++) {
        cw_stream s = cw_rng_stream(11, CW_RNG_USER, (uint64_t)kind, 0);
        for (int i = 0; i < N; i++) {
            double u = cw_rng_uniform(s, (uint64_t)i) - 0.5;
            x[i] = kind == 0   ? u
                   : kind == 1 ? floor(10 * u)                                      /* ties, both signs */
                   : kind == 2 ? (i % 3 ? 0.0 : i % 2 ? -0.0 : 1e-320 * (i % 7))     /* zeros, subnormals */
                               : u * pow(10, (double)(i % 600) - 300);               /* all magnitudes */
        }
        if (kind == 3) x[5] = INFINITY, x[6] = -INFINITY;
        CHECK(cw_rank_sort(ctx, order, group, x, N) == CW_OK, "%s", ctx->text);
        int bad = 0;
        for (int i = 1; i < N; i++) {
            double a = x[order[i - 1]], b = x[order[i]];
            if (a < b || (a == b) != (group[i] == group[i - 1]) || (a == b && order[i] < order[i - 1])) bad++;
            if (a > b && group[i] != group[i - 1] + 1) bad++;
        }
        CHECK(bad == 0 && group[0] == 0, "kind %d: %d of %d out of order", kind, bad, N);
    }
    x[9] = NAN;
    CHECK(cw_rank_sort(ctx, order, group, x, N) == CW_ERR_NUMERIC, "a NaN");
    cw_ctx_clear(ctx);
    CHECK(cw_rank_sort(ctx, order, group, x, 0) == CW_ERR_SHAPE, "nothing to rank");
    cw_ctx_clear(ctx);
    double single = 3;
    CHECK(cw_rank_sort(ctx, order, group, &single, 1) == CW_OK && order[0] == 0 && group[0] == 0, "one candidate");
    CHECK(ctx->memory.bytes == 0, "%lld bytes kept", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

/* Each part's scores are those of its candidates alone. */
static void test_parts(void)
{
    enum { N = 97, M = 5 };
    double x[N];
    int32_t order[N], group[N], member[N], mine[N], its[N];
    uint8_t positive[N], known[N];
    cw_ctx *ctx = new_ctx(1);
    for (int i = 0; i < N; i++) x[i] = i * 37 % 23, member[i] = i * 7 % (M + 1) - 1, positive[i] = i * i % 5 == 1;
    for (int i = 0; i < N; i++) positive[i] = member[i] == 3 ? 1 : member[i] == 4 ? 0 : positive[i];
    cw_rank_sort(ctx, order, group, x, N);
    cw_ranking r = {N, order, group, positive};
    cw_rank_score got[M], want;
    int64_t count[M], positives[M];
    CHECK(cw_rank_by(ctx, got, count, positives, &r, member, M) == CW_OK, "%s", ctx->text);
    for (int m = 0; m < M; m++) {
        int n = 0, k = 0;
        double part[N];
        for (int i = 0; i < N; i++)
            if (member[i] == m) part[n] = x[i], known[n] = positive[i], k += positive[i], n++;
        cw_rank_sort(ctx, mine, its, part, n);
        cw_ranking one = {n, mine, its, known};
        cw_rank_metrics(&want, &one, NULL);
        CHECK(count[m] == n && positives[m] == k, "part %d: %lld, %lld", m, (long long)count[m],
              (long long)positives[m]);
        CHECK(near(got[m].auprc, want.auprc) && near(got[m].early, want.early), "part %d: %g %g", m, got[m].auprc,
              want.auprc);
        CHECK(near(got[m].auroc, want.auroc) || (isnan(got[m].auroc) && isnan(want.auroc)), "part %d: AUROC %g", m,
              got[m].auroc);
    }
    member[3] = M;
    CHECK(cw_rank_by(ctx, got, count, positives, &r, member, M) == CW_ERR_ARGUMENT, "a part that isn't");
    cw_ctx_free(ctx);
}

static void test_draws(void)
{
    /* Random rankings: early precision has mean = positive rate, AUROC 1/2; a perfect ranking's bootstrap is 1. */
    enum { N = 501, B = 400 };
    static cw_rank_score a[B], b[B];
    static int32_t o[N], g[N];
    static uint8_t p[N];
    cw_ctx *ctx = new_ctx(1);
    int sizes[] = {50, 470, 1, 501, 0};
    for (int k = 0; k < 5; k++) {
        int P = sizes[k], strange = 0;
        CHECK(cw_rank_random(ctx, a, N, P, 99, B) == CW_OK, "%s", ctx->text);
        double mean = 0, half = 0;
        for (int i = 0; i < B; i++) {
            mean += a[i].early / B, half += a[i].auroc / B;
            strange += !(a[i].auprc >= 0 && a[i].auprc <= 1 + 1e-12);
        }
        double tolerance = P == 1 ? 0.02 : 0.008;
        CHECK(fabs(mean - (double)P / N) < tolerance, "random early precision %g, rate %g", mean, (double)P / N);
        CHECK(P == 0 || P == N ? isnan(half) : fabs(half - 0.5) < (P == 1 ? 0.06 : 0.01), "%d: AUROC %g", P, half);
        CHECK(strange == 0, "%d of %d AUPRC not in 0..1", strange, B);
    }
    for (int i = 0; i < N; i++) o[i] = g[i] = i, p[i] = i < 50;
    cw_ranking r = {N, o, g, p};
    CHECK(cw_rank_bootstrap(ctx, a, &r, 5, B) == CW_OK, "%s", ctx->text);
    int ones = 0;
    for (int i = 0; i < B; i++) ones += near(a[i].auprc, 1) && near(a[i].early, 1) && near(a[i].auroc, 1);
    CHECK(ones == B, "%d of %d are 1", ones, B);
    for (int i = 0; i < N; i++) p[i] = i % 10 == 3, g[i] = i / 3;
    CHECK(cw_rank_bootstrap(ctx, a, &r, 5, B) == CW_OK, "%s", ctx->text);
    cw_ctx *two = new_ctx(3);
    CHECK(cw_rank_bootstrap(two, b, &r, 5, B) == CW_OK, "%s", two->text);
    CHECK(memcmp(a, b, sizeof a) == 0, "the same draws for any number of threads");
    double low = 1, high = 0, mean = 0;
    for (int i = 0; i < B; i++) low = fmin(low, a[i].auprc), high = fmax(high, a[i].auprc), mean += a[i].auroc / B;
    CHECK(low < high && low > 0.03 && high < 0.35, "bootstrap from %g to %g", low, high);
    cw_rank_score point;
    cw_rank_metrics(&point, &r, NULL);
    CHECK(fabs(mean - point.auroc) < 0.02, "bootstrap AUROC %g around %g", mean, point.auroc);
    CHECK(cw_rank_random(ctx, a, N, 40, 3, B) == CW_OK && cw_rank_random(two, b, N, 40, 3, B) == CW_OK, "random");
    CHECK(memcmp(a, b, sizeof a) == 0, "the same random rankings for any number of threads");
    o[7] = N;
    CHECK(cw_rank_bootstrap(ctx, a, &r, 5, B) == CW_ERR_ARGUMENT, "a candidate that isn't");
    cw_ctx_clear(ctx);
    CHECK(cw_rank_random(ctx, a, 10, 11, 5, 1) == CW_ERR_SHAPE, "more positives than candidates");
    cw_ctx_free(ctx), cw_ctx_free(two);
}

/* ---- nulls ------------------------------------------------------------------------------------------------------ */

static void test_permute(void)
{
    enum { C = 31, G = 3 };
    int32_t start[G + 1] = {0, 31, 38, 38}, cell[38], new_cell[38], group[C];
    double value[38], new_value[38];
    for (int i = 0; i < 31; i++) cell[i] = i, value[i] = i + 1;
    for (int i = 0; i < 7; i++) cell[31 + i] = 4 * i, value[31 + i] = 100 + i;
    for (int c = 0; c < C; c++) group[c] = c % 3;
    cw_ctx *ctx = new_ctx(1);
    int moved = 0;
    for (uint64_t draw = 0; draw < 5; draw++) {
        CHECK(cw_null_permute(ctx, new_cell, new_value, start, cell, value, group, 3, 8, draw, C, G) == CW_OK, "%s",
              ctx->text);
        for (int g = 0; g < 2; g++) {
            double sum = 0, want = 0;
            int wrong = 0;
            for (int i = start[g]; i < start[g + 1]; i++) {
                sum += new_value[i], want += value[i];
                if (i > start[g] && new_cell[i] <= new_cell[i - 1]) wrong++;
                int from = g == 0 ? (int)new_value[i] - 1 : 4 * ((int)new_value[i] - 100);
                if (group[from] != group[new_cell[i]]) wrong++;
                moved += from != new_cell[i];
            }
            CHECK(sum == want && wrong == 0, "gene %d: sum %g not %g, %d wrong", g, sum, want, wrong);
        }
    }
    CHECK(moved > 100 && moved < 190, "%d of 190 moved", moved);
    group[4] = 3;
    CHECK(cw_null_permute(ctx, new_cell, new_value, start, cell, value, group, 3, 8, 0, C, G) == CW_ERR_ARGUMENT,
          "a group that isn't");
    cw_ctx_clear(ctx);
    cell[32] = cell[31];
    CHECK(cw_null_permute(ctx, new_cell, new_value, start, cell, value, NULL, 1, 8, 0, C, G) == CW_ERR_ARGUMENT,
          "a cell listed twice");
    CHECK(ctx->memory.bytes == 0, "%lld bytes kept", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

static void test_shuffle(void)
{
    enum { T = 4, G = 9 };
    double x[T * G], y[T * G], n[T * G];
    int32_t tf_gene[T] = {2, 0, 8, 5};
    cw_ctx *ctx = new_ctx(2);
    for (int i = 0; i < T * G; i++) x[i] = i + 1;
    for (int by = 0; by < 2; by++) {
        CHECK(cw_null_shuffle(ctx, y, x, tf_gene, by, 3, 1, T, G) == CW_OK, "%s", ctx->text);
        double sum = 0;
        int self = 0, row = 0, same = 0;
        for (int g = 0; g < G; g++)
            for (int t = 0; t < T; t++) {
                sum += y[g * T + t];
                if (tf_gene[t] == g) self += y[g * T + t] == x[g * T + t];
                else same += y[g * T + t] == x[g * T + t];
                row += ((int)y[g * T + t] - 1) % T == t;
            }
        CHECK(sum == T * G * (T * G + 1) / 2 && self == T, "sum %g, %d self edges kept", sum, self);
        CHECK(same < 12 && (by ? row == T * G : row < T * G), "%d stayed, %d in their row", same, row);
    }
    /* counts within the TF, self edges aside: by hand over all pairs */
    for (int i = 0; i < T * G; i++) x[i] = i * 7 % 5, y[i] = i * 3 % 5;
    CHECK(cw_null_above(ctx, n, x, y, tf_gene, T, G) == CW_OK, "%s", ctx->text);
    int wrong = 0;
    for (int t = 0; t < T; t++)
        for (int g = 0; g < G; g++) {
            int count = 0;
            for (int h = 0; h < G; h++) count += h != tf_gene[t] && y[h * T + t] >= x[g * T + t];
            wrong += n[g * T + t] != (g == tf_gene[t] ? 0 : count);
        }
    CHECK(wrong == 0, "%d counts differ", wrong);
    y[3] = NAN; /* not a self edge; has no place in an order */
    CHECK(cw_null_above(ctx, n, x, y, tf_gene, T, G) == CW_ERR_NUMERIC, "a null score of NaN");
    cw_ctx_free(ctx);
}

static void test_rewire(void)
{
    enum { T = 6, G = 20, E = 40 };
    int32_t tf[E], gene[E], before[E], tf_gene[T] = {0, 1, 2, 3, 4, 5};
    int in[G] = {0}, in2[G] = {0};
    cw_ctx *ctx = new_ctx(1);
    for (int e = 0; e < E; e++) tf[e] = e % T, gene[e] = before[e] = 6 + (e / T + 2 * (e % T)) % 14;
    for (int e = 0; e < E; e++) in[gene[e]]++;
    int64_t done = 0;
    CHECK(cw_null_rewire(ctx, tf, gene, &done, tf_gene, 4000, 2, 0, E, T, G) == CW_OK, "%s", ctx->text);
    int kept = 0, twice = 0;
    for (int e = 0; e < E; e++) {
        in2[gene[e]]++, kept += gene[e] == before[e];
        for (int f = 0; f < e; f++) twice += tf[e] == tf[f] && gene[e] == gene[f];
    }
    CHECK(memcmp(in, in2, sizeof in) == 0, "targets keep their numbers of regulators");
    CHECK(done > 200 && kept < 30 && twice == 0, "%lld swaps, %d kept, %d twice", (long long)done, kept, twice);
    gene[1] = gene[0], tf[1] = tf[0];
    CHECK(cw_null_rewire(ctx, tf, gene, NULL, tf_gene, 10, 2, 0, E, T, G) == CW_ERR_ARGUMENT, "an edge twice");
    cw_ctx_clear(ctx);
    /* never a self edge: two TFs that regulate each other's only other target */
    int32_t a[2] = {0, 1}, b[2] = {1, 0};
    CHECK(cw_null_rewire(ctx, a, b, &done, tf_gene, 100, 2, 0, 2, T, G) == CW_OK && done == 0, "%lld", (long long)done);
    cw_ctx_free(ctx);
}

/* ---- shifts ----------------------------------------------------------------------------------------------------- */

static void test_distance(void)
{
    /* Perturbed 0, 1, 5; control 0, 2: sorted 0 0 1 2 5; F perturbed 1/3, 2/3, 2/3, 1; G 1/2, 1/2, 1, 1:
     * |1/3 - 1/2| + |2/3 - 1/2| + 3 |2/3 - 1| = 4/3; means 2 and 1. Second gene constant, third with negatives. */
    enum { C = 5, G = 3, P = 200, B = 150 };
    double x[G * C] = {0, 1, 5, 0, 2, 7, 7, 7, 7, 7, -1, -2, -3, 1, 1};
    uint8_t label[C] = {1, 1, 1, 0, 0};
    double d[G], s[G], m[G], sd[G], p[G], drawn[G * B], moved[G * B], drawn2[G * B], moved2[G * B];
    cw_shifts out = {d, s, m, sd, p, drawn, moved};
    cw_shift_options o = {P, B, 17};
    cw_ctx *ctx = new_ctx(1), *two = new_ctx(2);
    CHECK(cw_wasserstein(ctx, &out, x, label, NULL, 1, &o, C, G) == CW_OK, "%s", ctx->text);
    CHECK(near(d[0], 4.0 / 3) && near(s[0], 1), "distance %g, shift %g", d[0], s[0]);
    CHECK(d[1] == 0 && s[1] == 0 && p[1] == 1 && m[1] == 0, "a constant gene: %g, p %g", d[1], p[1]);
    CHECK(near(d[2], 3) && near(s[2], -3), "distance %g, shift %g", d[2], s[2]);
    /* the third gene's labels are one of 10 with the largest distance */
    CHECK(fabs(p[2] - 0.1) < 0.06, "p %g", p[2]);
    cw_shifts again = {d, s, m, sd, p, drawn2, moved2};
    CHECK(cw_wasserstein(two, &again, x, label, NULL, 1, &o, C, G) == CW_OK, "%s", two->text);
    CHECK(memcmp(drawn, drawn2, sizeof drawn) == 0 && memcmp(moved, moved2, sizeof moved) == 0, "threads");
    double mean = 0, low = 0;
    for (int b = 0; b < B; b++) mean += moved[2 * B + b] / B, low = fmin(low, moved[2 * B + b]);
    CHECK(fabs(mean + 3) < 0.1 && low >= -4 && low < -3, "bootstrap of the shift: mean %g, lowest %g", mean, low);
    /* strata in which all cells have one label: nothing can be permuted */
    int32_t stratum[C] = {0, 0, 0, 1, 1};
    CHECK(cw_wasserstein(ctx, &out, x, label, stratum, 2, &o, C, G) == CW_OK, "%s", ctx->text);
    CHECK(p[0] == 1 && near(m[0], d[0]) && sd[0] < 1e-12, "p %g, null %g", p[0], m[0]);
    uint8_t all[C] = {1, 1, 1, 1, 1};
    CHECK(cw_wasserstein(ctx, &out, x, all, NULL, 1, &o, C, G) == CW_ERR_SHAPE, "no control cell");
    cw_ctx_clear(ctx);
    stratum[2] = 2;
    CHECK(cw_wasserstein(ctx, &out, x, label, stratum, 2, &o, C, G) == CW_ERR_ARGUMENT, "a stratum that isn't");
    CHECK(ctx->memory.bytes == 0, "%lld bytes kept", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx), cw_ctx_free(two);
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

static void test_memory(void)
{
    int64_t calls = 1;
    for (int64_t at = 0; at <= calls; at++) {
        cw_ctx *ctx = new_ctx(1);
        ctx->fail_at = at;
        cw_rank_score s[3];
        double v[9] = {1, 2, 3, 1, 2, 3, 1, 2, 3}, w[9], more[9];
        int32_t order[] = {1, 0, 2}, group[] = {0, 1, 1}, member[] = {0, 0, 0};
        int32_t tf_gene[] = {0, 1, 2}, gene[] = {1, 2, 0};
        uint8_t positive[] = {1, 0, 0};
        int64_t n[1], k[1];
        cw_ranking r = {3, order, group, positive};
        cw_rank_bootstrap(ctx, s, &r, 7, 3);
        cw_rank_by(ctx, s, n, k, &r, member, 1);
        cw_rank_random(ctx, s, 5, 2, 7, 3);
        cw_rank_sort(ctx, order, group, v, 3);
        int32_t start[] = {0, 3}, cell[] = {0, 1, 2}, moved[3];
        cw_null_permute(ctx, moved, w, start, cell, v, NULL, 1, 7, 0, 3, 1);
        cw_null_shuffle(ctx, w, v, tf_gene, 0, 7, 0, 3, 3);
        cw_null_above(ctx, w, v, v, tf_gene, 3, 3);
        cw_null_rewire(ctx, tf_gene, gene, NULL, tf_gene, 5, 7, 0, 3, 3, 3);
        cw_shifts out = {w, w + 1, w + 2, w + 3, w + 4, more, more + 4};
        cw_shift_options o = {2, 2, 7};
        cw_wasserstein(ctx, &out, v, positive, NULL, 1, &o, 3, 1);
        calls = ctx->memory.calls;
        int failed = ctx->status == CW_ERR_MEMORY;
        if (failed != (at < calls) || ctx->memory.bytes != 0)
            CHECK(0, "failing call %lld: status %d, %lld bytes kept", (long long)at, (int)ctx->status,
                  (long long)ctx->memory.bytes);
        cw_ctx_free(ctx);
    }
    CHECK(calls > 25 && calls < 50, "%lld allocations", (long long)calls);
}

/* ---- interrupts ------------------------------------------------------------------------------------------------- */

static int stop_later(void *user) { return --*(int *)user < 0; }

/* Each is asked to stop while it is under way, at its third look at the host. */
static void test_interrupts(void)
{
    enum { T = 2, G = 70001, N = T * G };
    static double x[N], y[N];
    static uint8_t label[N];
    const int32_t tf_gene[] = {5, 0};
    for (int i = 0; i < N; i++) x[i] = i % 1013, label[i] = i % 2;
    cw_shifts out = {.distance = y, .shift = y, .null_mean = y, .null_sd = y, .p = y, .drawn = y, .drawn_shift = y};
    const cw_shift_options o[] = {{4, 0, 7}, {0, 4, 7}};
    for (int which = 0; which < 5; which++) {
        int left = which == 2 ? 0 : 2;
        cw_ctx *ctx = new_ctx(which == 2 ? 1 : 2);
        ctx->host.interrupted = stop_later, ctx->host.user = &left;
        if (which < 2) cw_null_shuffle(ctx, y, x, tf_gene, which, 7, 0, T, G);
        if (which == 2) cw_null_above(ctx, y, x, x, tf_gene, T, G);
        if (which > 2) cw_wasserstein(ctx, &out, x, label, NULL, 1, &o[which - 3], 1000, 1);
        CHECK(ctx->status == CW_ERR_INTERRUPT && ctx->memory.bytes == 0, "case %d: status %d, %lld bytes", which,
              (int)ctx->status, (long long)ctx->memory.bytes);
        cw_ctx_free(ctx);
    }
}

/* Degrees hold, and a pair out of use has no chance; d(mu) by its limits. */
static void test_popularity(void)
{
    enum { T = 7, G = 11 };
    uint8_t use[T * G], known[T * G];
    double p[T * G];
    for (int i = 0; i < T * G; i++) use[i] = i % 8 != 3, known[i] = (i * 7 + i / T) % 5 == 0;
    cw_ctx *ctx = new_ctx(2);
    cw_null_degrees(ctx, p, use, known, T, G);
    for (int t = 0; t < T; t++) {
        double sum = 0, want = 0;
        for (int g = 0; g < G; g++) sum += p[g * T + t], want += use[g * T + t] && known[g * T + t];
        CHECK(fabs(sum - want) < 5e-3, "TF %d has %g of %g edges", t, sum, want);
    }
    for (int g = 0; g < G; g++) {
        double sum = 0, want = 0;
        for (int t = 0; t < T; t++) sum += p[g * T + t], want += use[g * T + t] && known[g * T + t];
        CHECK(fabs(sum - want) < 5e-3, "gene %d has %g of %g edges", g, sum, want);
    }
    CHECK(p[3] == 0, "a pair out of use has %g", p[3]);
    CHECK(fabs(cw_poisson_deviance(400) - 1) < 0.01, "d(400) is %g", cw_poisson_deviance(400));
    CHECK(fabs(cw_poisson_deviance(1e-3) / (2 * 1e-3 * -log(1e-3)) - 1) < 0.01, "d(.001) is %g",
          cw_poisson_deviance(1e-3));
    cw_ctx_free(ctx);
}

int main(void)
{
    test_interrupts();
    test_metrics();
    test_sort();
    test_parts();
    test_draws();
    test_permute();
    test_shuffle();
    test_rewire();
    test_popularity();
    test_distance();
    test_memory();
    return test_end();
}
