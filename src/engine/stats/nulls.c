/* nulls.c: see nulls.h. */
#include "nulls.h"

#include "../core/rng.h"
#include "../core/select.h"
#include "../core/threads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Random words of one stream, in turn. */
typedef struct source {
    cw_stream s;
    uint64_t at;
    uint32_t block[4];
} source;

static source source_of(uint64_t key, uint64_t draw, uint64_t part, uint64_t use)
{
    return (source){.s = cw_rng_stream(key, CW_RNG_USER, draw << 20 | part, use)};
}

/* Uniform in 0 .. n-1, n < 2^32; the bias is below n / 2^32. */
static inline int64_t below(source *r, int64_t n)
{
    if (r->at % 4 == 0) cw_rng_block(r->block, r->s, r->at / 4);
    return (int64_t)(((uint64_t)r->block[r->at++ % 4] * (uint64_t)n) >> 32);
}

static cw_status check_draw(cw_ctx *ctx, uint64_t draw, int64_t parts, const char *what)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (draw >= (uint64_t)1 << 20 || parts >= (int64_t)1 << 20) /* what fits into a stream's number */
        return cw_fail(ctx, CW_ERR_SHAPE, "nulls: draw %llu of %lld %s: both must be below 2^20",
                       (unsigned long long)draw, (long long)parts, what);
    return CW_OK;
}

/* ---- expression ------------------------------------------------------------------------------------------------- */

/* member (cells): the cells of group 0, then of group 1, ...; first (groups + 1): where each begins. */
static cw_status group_cells(cw_ctx *ctx, int32_t *member, int64_t *first, const int32_t *group, int64_t groups,
                             int64_t cells)
{
    memset(first, 0, (size_t)(groups + 1) * sizeof *first);
    for (int64_t c = 0; c < cells; c++) {
        int32_t g = group ? group[c] : 0;
        if (g < 0 || g >= groups)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "nulls: cell %lld is in group %d of %lld", (long long)c, (int)g,
                           (long long)groups);
        first[g + 1]++;
    }
    for (int64_t g = 0; g < groups; g++) first[g + 1] += first[g];
    for (int64_t c = 0; c < cells; c++) member[first[group ? group[c] : 0]++] = (int32_t)c;
    for (int64_t g = groups; g > 0; g--) first[g] = first[g - 1];
    first[0] = 0;
    return CW_OK;
}

cw_status cw_null_permute(cw_ctx *ctx, int32_t *new_cell, double *new_value, const int32_t *start, const int32_t *cell,
                          const double *value, const int32_t *group, int64_t groups, uint64_t key, uint64_t draw,
                          int64_t cells, int64_t genes)
{
    if (check_draw(ctx, draw, genes, "genes") != CW_OK) return ctx->status;
    int32_t *member = cw_alloc(ctx, cells, sizeof *member), *goes = cw_alloc(ctx, cells, sizeof *goes);
    int32_t *mixed = cw_alloc(ctx, cells, sizeof *mixed);
    int64_t *first = cw_alloc(ctx, groups + 1, sizeof *first);
    double *dense = cw_alloc(ctx, cells, sizeof *dense);
    uint8_t *filled = cw_calloc(ctx, cells, 1);
    if (ctx->status == CW_OK) group_cells(ctx, member, first, group, groups, cells);
    for (int64_t g = 0; g < genes && cw_poll(ctx) == CW_OK; g++) {
        source r = source_of(key, draw, (uint64_t)g, 3);
        memcpy(mixed, member, (size_t)cells * sizeof *mixed);
        for (int64_t k = 0; k < groups; k++) /* Fisher-Yates within the group */
            for (int64_t i = first[k + 1] - 1; i > first[k]; i--) {
                int64_t j = first[k] + below(&r, i - first[k] + 1);
                int32_t t = mixed[i];
                mixed[i] = mixed[j], mixed[j] = t;
            }
        for (int64_t c = 0; c < cells; c++) goes[member[c]] = mixed[c];
        for (int64_t i = start[g]; i < start[g + 1]; i++) {
            if (cell[i] < 0 || cell[i] >= cells) {
                cw_fail(ctx, CW_ERR_ARGUMENT, "nulls: gene %lld names cell %d of %lld", (long long)g, (int)cell[i],
                        (long long)cells);
                break;
            }
            filled[goes[cell[i]]] = 1, dense[goes[cell[i]]] = value[i];
        }
        int64_t out = start[g];
        for (int64_t c = 0; c < cells && out < start[g + 1]; c++)
            if (filled[c]) new_cell[out] = (int32_t)c, new_value[out] = dense[c], filled[c] = 0, out++;
        if (out < start[g + 1] && ctx->status == CW_OK)
            cw_fail(ctx, CW_ERR_ARGUMENT, "nulls: gene %lld names a cell twice", (long long)g);
    }
    cw_free(ctx, filled), cw_free(ctx, dense), cw_free(ctx, first);
    cw_free(ctx, mixed), cw_free(ctx, goes), cw_free(ctx, member);
    return ctx->status;
}

/* ---- scores ----------------------------------------------------------------------------------------------------- */

/* Shuffles the items of x (n) at the places at[0 .. m-1]. */
static cw_status shuffle_places(cw_ctx *ctx, double *x, const int64_t *at, int64_t m, source *r)
{
    for (int64_t i = m - 1; i > 0; i--) {
        if (i % 65536 == 0 && cw_poll(ctx) != CW_OK) return ctx->status;
        int64_t j = below(r, i + 1);
        double t = x[at[i]];
        x[at[i]] = x[at[j]], x[at[j]] = t;
    }
    return cw_poll(ctx);
}

cw_status cw_null_shuffle(cw_ctx *ctx, double *out, const double *score, const int32_t *tf_gene, int by_tf,
                          uint64_t key, uint64_t draw, int64_t tfs, int64_t genes)
{
    if (check_draw(ctx, draw, tfs, "TFs") != CW_OK) return ctx->status;
    if (tfs * genes > INT32_MAX)
        return cw_fail(ctx, CW_ERR_SHAPE, "nulls: %lld edges", (long long)(tfs * genes));
    int64_t *place = cw_alloc(ctx, by_tf ? genes : tfs * genes, sizeof *place);
    if (ctx->status == CW_OK) {
        memcpy(out, score, (size_t)(tfs * genes) * sizeof *out);
        int64_t n = 0;
        source r = source_of(key, draw, 0, 4);
        for (int64_t t = 0; t < tfs && ctx->status == CW_OK; t++) {
            if (by_tf) n = 0, r = source_of(key, draw, (uint64_t)t, 4);
            for (int64_t g = 0; g < genes; g++)
                if (tf_gene[t] != g) place[n++] = g * tfs + t;
            if (by_tf || t + 1 == tfs) shuffle_places(ctx, out, place, n, &r);
        }
    }
    cw_free(ctx, place);
    return ctx->status;
}

/* ---- edges ------------------------------------------------------------------------------------------------------ */

cw_status cw_null_rewire(cw_ctx *ctx, const int32_t *tf, int32_t *gene, int64_t *done, const int32_t *tf_gene,
                         int64_t attempts, uint64_t key, uint64_t draw, int64_t edges, int64_t tfs, int64_t genes)
{
    if (check_draw(ctx, draw, 1, "networks") != CW_OK) return ctx->status;
    if (edges > INT32_MAX || tfs < 0 || genes < 0 || (genes > 0 && tfs > INT64_MAX / genes))
        return cw_fail(ctx, CW_ERR_SHAPE, "nulls: %lld edges, %lld TFs, %lld genes", (long long)edges, (long long)tfs,
                       (long long)genes);
    uint8_t *there = cw_calloc(ctx, tfs * genes, 1);
    for (int64_t e = 0; e < edges && ctx->status == CW_OK; e++) {
        if (tf[e] < 0 || tf[e] >= tfs || gene[e] < 0 || gene[e] >= genes || there[tf[e] * genes + gene[e]]++)
            cw_fail(ctx, CW_ERR_ARGUMENT, "nulls: edge %lld (%d > %d) is listed twice or of a gene that isn't",
                    (long long)e, (int)tf[e], (int)gene[e]);
    }
    int64_t made = 0;
    source r = source_of(key, draw, 0, 5);
    for (int64_t i = 0; i < attempts && ctx->status == CW_OK && edges > 1; i++) {
        if (i % 65536 == 0 && cw_poll(ctx) != CW_OK) break;
        int64_t e = below(&r, edges), f = below(&r, edges);
        int64_t a = tf[e], b = gene[e], c = tf[f], d = gene[f];
        if (a == c || b == d || tf_gene[a] == d || tf_gene[c] == b || there[a * genes + d] || there[c * genes + b])
            continue;
        there[a * genes + b] = there[c * genes + d] = 0;
        there[a * genes + d] = there[c * genes + b] = 1;
        gene[e] = (int32_t)d, gene[f] = (int32_t)b;
        made++;
    }
    if (done) *done = made;
    cw_free(ctx, there);
    return ctx->status;
}

/* ---- counts ----------------------------------------------------------------------------------------------------- */

/* Items of a (n, ascending) that are below x: where x would go. */
static int64_t first_not_below(const double *a, int64_t n, double x)
{
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        if (a[mid] < x) low = mid + 1;
        else high = mid;
    }
    return low;
}

/* Of one TF: see cw_null_above. row (genes) is work space; returns 0 where a null score is NaN, which has no place in
 * an order. */
static int count_above(double *count, double *row, const double *observed, const double *null, int32_t self, int64_t t,
                       int64_t tfs, int64_t genes)
{
    int64_t n = 0;
    for (int64_t g = 0; g < genes; g++) {
        if (g == self) continue;
        row[n] = null[g * tfs + t];
        if (isnan(row[n++])) return 0;
    }
    qsort(row, (size_t)n, sizeof *row, cw_double_rising);
    for (int64_t g = 0; g < genes; g++)
        count[g * tfs + t] = g == self ? 0.0 : (double)(n - first_not_below(row, n, observed[g * tfs + t]));
    return 1;
}

cw_status cw_null_above(cw_ctx *ctx, double *count, const double *observed, const double *null,
                        const int32_t *tf_gene, int64_t tfs, int64_t genes)
{
    if (ctx->status != CW_OK) return ctx->status;
    double *row = cw_alloc(ctx, genes * ctx->threads, sizeof *row);
    int stop = row == NULL, missing = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(ctx->threads) reduction(| : missing)
    for (int64_t t = 0; t < tfs; t++) {
        int halt;
#pragma omp atomic read
        halt = stop;
        if (halt) continue;
        missing |= !count_above(count, row + cw_thread_number() * genes, observed, null, tf_gene[t], t, tfs, genes);
        if (cw_thread_number() == 0 && cw_poll(ctx) != CW_OK) {
#pragma omp atomic write
            stop = 1;
        }
    }
    cw_free(ctx, row);
    if (missing) cw_fail(ctx, CW_ERR_NUMERIC, "nulls: a null score is missing (NaN)");
    return ctx->status;
}

/* ---- popularity --------------------------------------------------------------------------------------------------
 *
 * x_t = d_t / sum_g y_g / (1 + x_t y_g) holds the degree d_t of every TF, y_g likewise; both in turn is the fixed point
 * of the maximum entropy's equations. A row or column whose pairs are all known has no finite x: its chances go to 1,
 * as far as the updates reach. */

typedef struct degree_fit {
    const uint8_t *use;
    int64_t tfs, genes;
    double *row, *column; /* degrees */
    double *x, *y;        /* 0 where the degree is */
} degree_fit;

/* What the degrees are too high by, at most; sets x to hold those of rows. */
static double fit_rows(cw_ctx *ctx, const degree_fit *f)
{
    double worst = 0;
#pragma omp parallel for schedule(static) num_threads(ctx->threads) reduction(max : worst)
    for (int64_t t = 0; t < f->tfs; t++) {
        double sum = 0;
        if (f->row[t] <= 0) continue;
        for (int64_t g = 0; g < f->genes; g++)
            if (f->use[g * f->tfs + t]) sum += f->y[g] / (1 + f->x[t] * f->y[g]);
        double off = fabs(f->x[t] * sum - f->row[t]);
        worst = off > worst ? off : worst;
        f->x[t] = fmin(f->row[t] / sum, 1e9);
    }
    return worst;
}

static void fit_columns(cw_ctx *ctx, const degree_fit *f)
{
#pragma omp parallel for schedule(static) num_threads(ctx->threads)
    for (int64_t g = 0; g < f->genes; g++) {
        double sum = 0;
        if (f->column[g] <= 0) continue;
        for (int64_t t = 0; t < f->tfs; t++)
            if (f->use[g * f->tfs + t]) sum += f->x[t] / (1 + f->x[t] * f->y[g]);
        f->y[g] = fmin(f->column[g] / sum, 1e9);
    }
}

cw_status cw_null_degrees(cw_ctx *ctx, double *p, const uint8_t *use, const uint8_t *known, int64_t tfs, int64_t genes)
{
    if (ctx->status != CW_OK) return ctx->status;
    double *work = cw_alloc(ctx, 2 * (tfs + genes), sizeof *work), all = 0;
    if (!work) return ctx->status;
    degree_fit f = {use, tfs, genes, work, work + tfs, work + tfs + genes, work + 2 * tfs + genes};
    memset(work, 0, (size_t)(2 * (tfs + genes)) * sizeof *work);
    for (int64_t g = 0; g < genes; g++)
        for (int64_t t = 0; t < tfs; t++)
            if (use[g * tfs + t] && known[g * tfs + t]) f.row[t]++, f.column[g]++, all++;
    for (int64_t t = 0; t < tfs; t++) f.x[t] = all > 0 ? f.row[t] / sqrt(all) : 0;
    for (int64_t g = 0; g < genes; g++) f.y[g] = all > 0 ? f.column[g] / sqrt(all) : 0;
    for (int step = 0; step < 2000 && all > 0; step++) {
        if (cw_poll(ctx) != CW_OK) break;
        if (fit_rows(ctx, &f) < 1e-6) break;
        fit_columns(ctx, &f);
    }
    for (int64_t g = 0; g < genes; g++)
        for (int64_t t = 0; t < tfs; t++) {
            double o = f.x[t] * f.y[g];
            p[g * tfs + t] = use[g * tfs + t] ? o / (1 + o) : 0;
        }
    cw_free(ctx, work);
    return ctx->status;
}
