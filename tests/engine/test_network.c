/* test_network.c: networks from factors, against sums written out. */
#include "test.h"

#include "core/rng.h"
#include "kernels/cpu/cpu.h"
#include "kernels/kernels.h"
#include "stats/network.h"

typedef struct sample {
    cw_factors f;
    uint16_t *ui, *vi;
    float *uw, *vw;
    int32_t *tf_gene;
} sample;

/* k distinct indexes and positive weights a row; some weights equal, so that scores tie. */
static void fill(uint16_t *index, float *weight, int64_t rows, int64_t factors, int64_t k, uint64_t key, int tied)
{
    cw_stream s = cw_rng_stream(key, CW_RNG_USER, 0, 0);
    int64_t *p = malloc((size_t)factors * sizeof *p);
    for (int64_t r = 0; r < rows; r++) {
        cw_rng_permutation(p, factors, cw_rng_stream(key, CW_RNG_USER, (uint64_t)r + 1, 0));
        for (int64_t j = 0; j < k; j++) {
            index[r * k + j] = (uint16_t)p[j];
            weight[r * k + j] = tied ? 0.25f : cw_rng_uniform(s, (uint64_t)(r * k + j));
        }
    }
    free(p);
}

static sample make_sample(int64_t cells, int64_t tfs, int64_t genes, int64_t factors, int64_t k, int tied)
{
    sample s = {.f = {.cells = cells, .tfs = tfs, .genes = genes, .factors = factors, .k = k}};
    int64_t nu = cells * tfs * k, nv = cells * genes * k;
    s.ui = malloc((size_t)nu * 2), s.vi = malloc((size_t)nv * 2);
    s.uw = malloc((size_t)nu * 4), s.vw = malloc((size_t)nv * 4);
    s.tf_gene = malloc((size_t)tfs * 4);
    fill(s.ui, s.uw, cells * tfs, factors, k, 11, tied);
    fill(s.vi, s.vw, cells * genes, factors, k, 12, tied);
    for (int64_t i = 0; i < tfs; i++) s.tf_gene[i] = (int32_t)((3 * i + 1) % genes);
    s.f.u_index = s.ui, s.f.u_weight = s.uw, s.f.v_index = s.vi, s.f.v_weight = s.vw, s.f.tf_gene = s.tf_gene;
    return s;
}

static void drop_sample(sample *s) { free(s->ui), free(s->vi), free(s->uw), free(s->vw), free(s->tf_gene); }

/* The definition, entry by entry. */
static double score_of(const cw_factors *f, int64_t c, int64_t i, int64_t g)
{
    double sum = 0;
    for (int64_t a = 0; a < f->k; a++)
        for (int64_t b = 0; b < f->k; b++) {
            int64_t pu = (c * f->tfs + i) * f->k + a, pv = (c * f->genes + g) * f->k + b;
            if (f->u_index[pu] == f->v_index[pv]) sum += (double)f->u_weight[pu] * f->v_weight[pv];
        }
    return sum;
}

static cw_ctx *new_ctx(const char *kernels)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(kernels);
    ctx->threads = 2;
    return ctx;
}

static void poison(void *p, size_t bytes) { memset(p, 0xff, bytes); }

static void test_scores(const char *kernels)
{
    cw_ctx *ctx = new_ctx(kernels);
    sample s = make_sample(5, 3, 13, 7, 3, 0);
    float score[3 * 13], pool[3 * 13];
    int32_t some[] = {4, 1, 1};
    double worst = 0, worst_pool = 0, worst_some = 0;
    CHECK(cw_factors_check(ctx, &s.f) == CW_OK, "%s", ctx->text);
    for (int64_t c = 0; c < 5; c++) {
        poison(score, sizeof score);
        CHECK(cw_network_cell(ctx, score, &s.f, c) == CW_OK, "%s", ctx->text);
        for (int64_t e = 0; e < 39; e++) worst = fmax(worst, fabs(score[e] - score_of(&s.f, c, e / 13, e % 13)));
    }
    CHECK(worst < 1e-6, "cell scores off by %g", worst);
    poison(pool, sizeof pool);
    CHECK(cw_network_pool(ctx, pool, &s.f, NULL, 0) == CW_OK, "%s", ctx->text);
    for (int64_t e = 0; e < 39; e++) {
        double mean = 0;
        for (int64_t c = 0; c < 5; c++) mean += score_of(&s.f, c, e / 13, e % 13) / 5;
        worst_pool = fmax(worst_pool, fabs(pool[e] - mean));
    }
    CHECK(worst_pool < 1e-6, "pooled scores off by %g", worst_pool);
    poison(pool, sizeof pool);
    CHECK(cw_network_pool(ctx, pool, &s.f, some, 3) == CW_OK, "%s", ctx->text);
    for (int64_t e = 0; e < 39; e++) {
        double mean = (score_of(&s.f, 4, e / 13, e % 13) + 2 * score_of(&s.f, 1, e / 13, e % 13)) / 3;
        worst_some = fmax(worst_some, fabs(pool[e] - mean));
    }
    CHECK(worst_some < 1e-6, "pooled scores of a subset off by %g", worst_some);
    double row[3], column[13], sum[5], squares[5];
    poison(row, sizeof row), poison(column, sizeof column), poison(sum, sizeof sum), poison(squares, sizeof squares);
    CHECK(cw_network_sums(ctx, row, column, &s.f, NULL, 5) == CW_OK, "%s", ctx->text);
    CHECK(cw_network_moments(ctx, sum, squares, &s.f, NULL, 5) == CW_OK, "%s", ctx->text);
    double want_row[3] = {0}, want_column[13] = {0}, off = 0;
    for (int64_t c = 0; c < 5; c++) {
        double ws = 0, wq = 0;
        for (int64_t e = 0; e < 39; e++) {
            double v = score_of(&s.f, c, e / 13, e % 13);
            want_row[e / 13] += v, want_column[e % 13] += v;
            if (s.tf_gene[e / 13] != e % 13) ws += v, wq += v * v;
        }
        off = fmax(off, fmax(fabs(ws - sum[c]), fabs(wq - squares[c])));
    }
    for (int64_t i = 0; i < 3; i++) off = fmax(off, fabs(row[i] - want_row[i]));
    for (int64_t g = 0; g < 13; g++) off = fmax(off, fabs(column[g] - want_column[g]));
    CHECK(off < 1e-5, "sums or moments off by %g", off);
    drop_sample(&s);
    cw_ctx_free(ctx);
}

/* Pooling must give the same over several blocks: 16 k factors times 300 genes is more than one block holds. */
static void test_pool_blocks(void)
{
    cw_ctx *ctx = new_ctx(NULL);
    sample s = make_sample(9, 2, 301, 9001, 2, 0);
    float pool[602];
    poison(pool, sizeof pool);
    CHECK(cw_network_pool(ctx, pool, &s.f, NULL, 0) == CW_OK, "%s", ctx->text);
    double worst = 0;
    for (int64_t e = 0; e < 602; e++) {
        double mean = 0;
        for (int64_t c = 0; c < 9; c++) mean += score_of(&s.f, c, e / 301, e % 301) / 9;
        worst = fmax(worst, fabs(pool[e] - mean));
    }
    CHECK(worst < 1e-6, "off by %g", worst);
    CHECK(ctx->memory.bytes == 0, "%lld bytes kept", (long long)ctx->memory.bytes);
    CHECK(ctx->memory.peak <= 33 << 20, "peak %lld", (long long)ctx->memory.peak);
    drop_sample(&s);
    cw_ctx_free(ctx);
}

/* Pooling over more cells, TFs and genes than one block or tile holds, sparse and dense rows, all cells or some, for
 * every SIMD level and 1 to 3 threads, which must agree to the last bit. */
static void test_pool_tiles(int64_t cells, int64_t tfs, int64_t genes, int64_t factors, int64_t k)
{
    sample s = make_sample(cells, tfs, genes, factors, k, 0);
    int64_t n = tfs * genes, some = cells / 3 + 1;
    double *want = calloc((size_t)n, 8), *part = calloc((size_t)n, 8), *got = malloc((size_t)n * 8);
    double *one = malloc((size_t)n * 8);
    int32_t *cell = malloc((size_t)some * 4);
    for (int64_t j = 0; j < some; j++) cell[j] = (int32_t)(cells - 1 - 2 * j % cells);
    for (int64_t c = 0; c < cells; c++)
        for (int64_t e = 0; e < n; e++) want[e] += score_of(&s.f, c, e / genes, e % genes);
    for (int64_t j = 0; j < some; j++)
        for (int64_t e = 0; e < n; e++) part[e] += score_of(&s.f, cell[j], e / genes, e % genes);
    for (int level = 0; level <= CW_SIMD_COUNT; level++)
        for (int threads = 1; threads <= 3; threads++) {
            cw_ctx *ctx = new_ctx(NULL);
            ctx->threads = threads;
            cw_cpu_simd_limit(level);
            double worst = 0, worst_part = 0;
            for (int64_t e = 0; e < n; e++) got[e] = 0.5; /* what is there is added to */
            CHECK(cw_network_add(ctx, got, &s.f, NULL, 0) == CW_OK, "%s", ctx->text);
            for (int64_t e = 0; e < n; e++) worst = fmax(worst, fabs(got[e] - 0.5 - want[e]) / (1 + want[e]));
            if (threads == 1) memcpy(one, got, (size_t)n * 8);
            CHECK(memcmp(one, got, (size_t)n * 8) == 0, "%d threads change the result", threads);
            memset(got, 0, (size_t)n * 8);
            CHECK(cw_network_add(ctx, got, &s.f, cell, some) == CW_OK, "%s", ctx->text);
            for (int64_t e = 0; e < n; e++) worst_part = fmax(worst_part, fabs(got[e] - part[e]) / (1 + part[e]));
            CHECK(worst < 2e-6 && worst_part < 2e-6, "k %lld of %lld, level %d: off by %g, %g", (long long)k,
                  (long long)factors, level, worst, worst_part);
            CHECK(ctx->memory.bytes == 0, "%lld bytes kept", (long long)ctx->memory.bytes);
            cw_ctx_free(ctx);
        }
    free(want), free(part), free(got), free(one), free(cell);
    drop_sample(&s);
}

/* Edges against selection from the written-out matrix: highest score first, then lowest flat index. */
static void test_edges(int tied, int self, int64_t top)
{
    cw_ctx *ctx = new_ctx(NULL);
    sample s = make_sample(4, 5, 11, 6, 2, tied);
    int32_t cell[] = {3, 0}, *tf = malloc((size_t)top * 8), *gene = malloc((size_t)top * 8);
    float *score = malloc((size_t)top * 8);
    int64_t count[2];
    poison(score, (size_t)top * 8);
    CHECK(cw_network_top(ctx, tf, gene, score, count, &s.f, cell, 2, top, self) == CW_OK, "%s", ctx->text);
    for (int64_t j = 0; j < 2; j++) {
        float dense[55];
        int used[55] = {0};
        cw_network_cell(ctx, dense, &s.f, cell[j]);
        int64_t possible = self ? 55 : 50;
        CHECK(count[j] == (top < possible ? top : possible), "%lld edges", (long long)count[j]);
        int wrong = 0;
        for (int64_t e = 0; e < count[j]; e++) {
            int64_t best = -1;
            for (int64_t i = 0; i < 55; i++)
                if (!used[i] && (self || s.tf_gene[i / 11] != i % 11) && (best < 0 || dense[i] > dense[best])) best = i;
            used[best] = 1;
            int64_t at = j * top + e;
            wrong += tf[at] != best / 11 || gene[at] != best % 11 || score[at] != dense[best];
        }
        CHECK(wrong == 0, "%d of %lld edges differ (ties %d, self %d)", wrong, (long long)count[j], tied, self);
    }
    int64_t found[2], n = 0, wrong = 0;
    CHECK(cw_network_count(ctx, found, &s.f, cell, 2, 0.0625, self) == CW_OK, "%s", ctx->text);
    int64_t room = found[0] + found[1];
    int32_t *atf = malloc((size_t)room * 4 + 1), *agene = malloc((size_t)room * 4 + 1);
    float *ascore = malloc((size_t)room * 4 + 1);
    CHECK(room > 0 && room < 110, "%lld edges above", (long long)room);
    CHECK(cw_network_above(ctx, atf, agene, ascore, room, &s.f, cell, 2, 0.0625, self) == CW_OK, "%s", ctx->text);
    for (int64_t j = 0; j < 2; j++) {
        float dense[55];
        cw_network_cell(ctx, dense, &s.f, cell[j]);
        for (int64_t i = 0; i < 55; i++) {
            if (!(dense[i] >= 0.0625) || (!self && s.tf_gene[i / 11] == i % 11)) continue;
            wrong += n >= room || atf[n] != i / 11 || agene[n] != i % 11 || ascore[n] != dense[i];
            n++;
        }
    }
    CHECK(wrong == 0 && n == room, "%lld of %lld wrong", (long long)wrong, (long long)room);
    CHECK(cw_network_above(ctx, atf, agene, ascore, room - 1, &s.f, cell, 2, 0.0625, self) == CW_ERR_SHAPE, "room");
    free(tf), free(gene), free(score), free(atf), free(agene), free(ascore);
    drop_sample(&s);
    cw_ctx_free(ctx);
}

static void test_regulons(void)
{
    enum { C = 3, T = 4, G = 9 };
    cw_ctx *ctx = new_ctx(NULL);
    sample s = make_sample(C, T, G, 5, 2, 0);
    int32_t start[C + 1] = {0, 2, 2, 5}, gene[] = {1, 8, 0, 3, 4};
    double value[] = {1.5, 2, .5, 3, 1}, mean[G], scale[G], got[C * T], z[G];
    for (int64_t g = 0; g < G; g++) mean[g] = 0.1 * (double)g, scale[g] = g == 3 ? 0 : 1.0 / (1.0 + (double)g);
    cw_cell_values x = {start, gene, value, mean, scale};
    for (int64_t top = 2; top <= 20; top += 18) {
        double worst = 0;
        poison(got, sizeof got);
        CHECK(cw_network_activity(ctx, got, &s.f, &x, NULL, C, top) == CW_OK, "%s", ctx->text);
        for (int64_t c = 0; c < C; c++) {
            for (int64_t g = 0; g < G; g++) {
                double v = 0;
                for (int32_t e = start[c]; e < start[c + 1]; e++) v += gene[e] == g ? value[e] : 0;
                z[g] = (v - mean[g]) * scale[g];
            }
            for (int64_t i = 0; i < T; i++) {
                double sum = 0, weight = 0;
                for (int64_t g = 0; g < G; g++) {
                    if (g == s.tf_gene[i]) continue;
                    double score = score_of(&s.f, c, i, g);
                    int64_t above = 0;
                    for (int64_t h = 0; h < G; h++)
                        above += h != s.tf_gene[i] && h != g && score_of(&s.f, c, i, h) > score;
                    if (above < top) sum += score * z[g], weight += score;
                }
                worst = fmax(worst, fabs(got[c * T + i] - (weight > 0 ? sum / weight : 0)));
            }
        }
        CHECK(worst < 1e-5, "activity off by %g at top %lld", worst, (long long)top);
    }
    double worst = 0;
    poison(got, sizeof got);
    CHECK(cw_network_strength(ctx, got, &s.f, NULL, C) == CW_OK, "%s", ctx->text);
    for (int64_t e = 0; e < C * T; e++) {
        double sum = 0;
        for (int64_t g = 0; g < G; g++) sum += g == s.tf_gene[e % T] ? 0 : score_of(&s.f, e / T, e % T, g);
        worst = fmax(worst, fabs(got[e] - sum / (G - 1)));
    }
    CHECK(worst < 1e-6, "strength off by %g", worst);
    gene[4] = G;
    CHECK(cw_network_activity(ctx, got, &s.f, &x, NULL, C, 2) == CW_ERR_FORMAT, "a gene out of range");
    drop_sample(&s);
    cw_ctx_free(ctx);
}

static int stop_now(void *user)
{
    int *left = user;
    return --*left < 0;
}

static void test_refusals(void)
{
    sample s = make_sample(3, 2, 5, 4, 2, 0);
    float score[10];
    int32_t tf[8], gene[8], bad[] = {3};
    int64_t count[3];
    cw_ctx *ctx = new_ctx(NULL);
    CHECK(cw_network_cell(ctx, score, &s.f, 3) == CW_ERR_ARGUMENT, "cell out of range");
    cw_ctx_clear(ctx);
    CHECK(cw_network_pool(ctx, score, &s.f, bad, 1) == CW_ERR_ARGUMENT, "cell out of range");
    cw_ctx_clear(ctx);
    CHECK(cw_network_top(ctx, tf, gene, score, count, &s.f, NULL, 1, 0, 1) == CW_ERR_ARGUMENT, "top 0");
    cw_ctx_clear(ctx);
    uint16_t kept = s.vi[7];
    s.vi[7] = 4;
    CHECK(cw_network_pool(ctx, score, &s.f, NULL, 0) == CW_ERR_FORMAT, "index out of range");
    cw_ctx_clear(ctx);
    CHECK(cw_factors_check(ctx, &s.f) == CW_ERR_FORMAT, "index out of range");
    cw_ctx_clear(ctx);
    s.vi[7] = kept;
    s.uw[3] = NAN;
    CHECK(cw_factors_check(ctx, &s.f) == CW_ERR_NUMERIC, "NaN weight");
    cw_ctx_clear(ctx);
    s.uw[3] = 0;
    s.tf_gene[1] = 5;
    CHECK(cw_network_cell(ctx, score, &s.f, 0) == CW_ERR_FORMAT, "TF beyond the genes");
    cw_ctx_clear(ctx);
    s.tf_gene[1] = 0;
    int left = 1;
    ctx->host.interrupted = stop_now, ctx->host.user = &left;
    CHECK(cw_network_top(ctx, tf, gene, score, count, &s.f, NULL, 3, 2, 1) == CW_ERR_INTERRUPT, "interrupt");
    cw_ctx_clear(ctx);
    left = 1; /* within the first block of cells */
    CHECK(cw_network_pool(ctx, score, &s.f, NULL, 0) == CW_ERR_INTERRUPT, "interrupt of pooling");
    cw_ctx_clear(ctx);
    left = 0;
    CHECK(cw_factors_sums(ctx, tf, &s.f) == CW_ERR_INTERRUPT, "interrupt of checksums");
    CHECK(ctx->memory.bytes == 0, "%lld bytes kept", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);

    /* Every allocation fails once: an error each time, nothing kept. */
    int64_t calls = 0;
    for (int64_t at = 0; at < 40; at++) {
        double v[10], q[3];
        int32_t start[] = {0, 0, 0, 0};
        cw_cell_values x = {start, NULL, NULL, v, v};
        memset(v, 0, sizeof v);
        ctx = new_ctx(NULL);
        ctx->fail_at = at;
        cw_network_pool(ctx, score, &s.f, NULL, 0);
        cw_network_cell(ctx, score, &s.f, 1);
        cw_network_top(ctx, tf, gene, score, count, &s.f, NULL, 3, 2, 1);
        cw_network_count(ctx, count, &s.f, NULL, 3, 2.0, 1);
        cw_network_above(ctx, tf, gene, score, 0, &s.f, NULL, 3, 2.0, 1);
        double act[6];
        cw_network_activity(ctx, act, &s.f, &x, NULL, 3, 2);
        cw_network_strength(ctx, act, &s.f, NULL, 3);
        cw_network_sums(ctx, act, v, &s.f, NULL, 3);
        cw_network_moments(ctx, v, q, &s.f, NULL, 3);
        calls = ctx->memory.calls;
        int failed = ctx->status == CW_ERR_MEMORY;
        if (failed != (at < calls) || ctx->memory.bytes != 0) {
            CHECK(0, "failing call %lld: status %d, %lld bytes kept", (long long)at, (int)ctx->status,
                  (long long)ctx->memory.bytes);
        }
        cw_ctx_free(ctx);
    }
    CHECK(calls > 14 && calls < 40, "%lld allocations", (long long)calls);
    drop_sample(&s);
}

int main(void)
{
    test_scores("ref");
    test_scores(NULL);
    test_pool_tiles(517, 3, 131, 9, 4);
    test_pool_tiles(259, 5, 67, 6, 5);
    test_pool_tiles(40, 1031, 3, 4, 1);
    test_pool_tiles(70, 4, 21, 3, 3);
    test_pool_tiles(1, 1, 1, 1, 1);
    test_pool_blocks();
    for (int tied = 0; tied < 2; tied++)
        for (int self = 0; self < 2; self++) {
            test_edges(tied, self, 1);
            test_edges(tied, self, 17);
            test_edges(tied, self, 200);
        }
    test_regulons();
    test_refusals();
    return test_end();
}
