/* genes.c: see genes.h. */
#include "genes.h"

#include "../core/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOGS = 256,     /* logarithms of small counts, which most are */
    QUANTILES = 25, /* of the cells' totals */
    TABLE = 200     /* points of d(mu), even in log mu */
};
static const double table_low = 1e-4, table_high = 501.18723362727246; /* 10^2.7 */

/* ---- sums over cells -------------------------------------------------------------------------------------------- */

cw_status cw_gene_sums_add(cw_ctx *ctx, const cw_gene_sums *sums, double *total, const int32_t *start,
                           const int32_t *gene, const double *value, int64_t cells, int64_t genes)
{
    if (ctx->status != CW_OK) return ctx->status;
    double logs[LOGS] = {0};
    for (int i = 2; i < LOGS; i++) logs[i] = log(i);
    for (int64_t c = 0; c < cells; c++) {
        if ((c & 1023) == 0 && cw_poll(ctx) != CW_OK) return ctx->status;
        double sum = 0;
        for (int32_t j = start[c]; j < start[c + 1]; j++) sum += value[j];
        total[c] = sum;
        double depth = sum > 0 ? log(sum) : 0;
        for (int32_t j = start[c]; j < start[c + 1]; j++) {
            int32_t g = gene[j];
            double y = value[j];
            if (g < 0 || g >= genes)
                return cw_fail(ctx, CW_ERR_FORMAT, "cell %lld has a count of gene %d of %lld", (long long)c, (int)g,
                               (long long)genes);
            if (!(y > 0)) continue;
            int whole = y < LOGS && y == (double)(int)y;
            sums->count[g] += y;
            sums->self[g] += y * (whole ? logs[(int)y] : log(y));
            sums->depth[g] += y * depth;
            sums->seen[g] += 1;
        }
    }
    return ctx->status;
}

/* ---- what Poisson counts would have ----------------------------------------------------------------------------- */

double cw_poisson_deviance(double mu)
{
    int last = (int)ceil(mu + 12 * sqrt(mu) + 12);
    double sum = 0, share = exp(-mu); /* of the count y */
    for (int y = 0; y <= last; y++) {
        if (y > 0) share *= mu / y;
        sum += share * ((y > 0 ? y * log(y / mu) : 0) - (y - mu));
    }
    return 2 * sum;
}

/* d(mu) from `table`: linear in log mu; in proportion to mu below it, the last value above. */
static double deviance_at(const double *table, double mu)
{
    double scale = mu < table_low ? mu / table_low : 1;
    double at = log(fmin(fmax(mu, table_low), table_high) / table_low) / log(table_high / table_low) * (TABLE - 1);
    int i = (int)at < TABLE - 1 ? (int)at : TABLE - 2;
    return scale * (table[i] + (at - i) * (table[i + 1] - table[i]));
}

/* The (i + 1/2) / QUANTILES quantiles of total (cells), linear between order statistics. */
static cw_status quantiles(cw_ctx *ctx, double *at, const double *total, int64_t cells)
{
    double *sorted = cw_alloc(ctx, cells, sizeof *sorted);
    if (!sorted) return ctx->status;
    memcpy(sorted, total, (size_t)cells * sizeof *sorted);
    qsort(sorted, (size_t)cells, sizeof *sorted, cw_double_rising);
    for (int i = 0; i < QUANTILES; i++) {
        double where = (i + 0.5) / QUANTILES * (double)(cells - 1);
        int64_t low = (int64_t)where, high = low + 1 < cells ? low + 1 : low;
        at[i] = sorted[low] + (where - (double)low) * (sorted[high] - sorted[low]);
    }
    cw_free(ctx, sorted);
    return ctx->status;
}

cw_status cw_gene_excess(cw_ctx *ctx, double *excess, const cw_gene_sums *sums, const double *total, int64_t cells,
                         int64_t genes)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (cells < 1) return cw_fail(ctx, CW_ERR_SHAPE, "excess deviance of no cell");
    double table[TABLE], size[QUANTILES], all = 0;
    for (int i = 0; i < TABLE; i++)
        table[i] = cw_poisson_deviance(table_low * pow(table_high / table_low, i / (double)(TABLE - 1)));
    if (quantiles(ctx, size, total, cells) != CW_OK) return ctx->status;
    for (int64_t c = 0; c < cells; c++) all += total[c];
#pragma omp parallel for schedule(static) num_threads(ctx->threads)
    for (int64_t g = 0; g < genes; g++) {
        double count = sums->count[g], share = count / all, expected = 0;
        excess[g] = 0;
        if (!(count > 0)) continue;
        for (int i = 0; i < QUANTILES; i++) expected += deviance_at(table, share * size[i]);
        excess[g] = 2 * (sums->self[g] - sums->depth[g] - count * log(share)) - (double)cells * expected / QUANTILES;
    }
    return ctx->status;
}
