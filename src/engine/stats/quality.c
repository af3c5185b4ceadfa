/* quality.c: see quality.h. */
#include "quality.h"

#include <math.h>

static cw_status no_gene(cw_ctx *ctx, int64_t cell, int32_t gene, int64_t genes)
{
    return cw_fail(ctx, CW_ERR_FORMAT, "cell %lld has a value of gene %d of %lld", (long long)cell, (int)gene,
                   (long long)genes);
}

cw_status cw_quality_add(cw_ctx *ctx, cw_quality *q, const cw_quality_cells *out, const int32_t *start,
                         const int32_t *gene, const double *value, int64_t cells, int64_t genes)
{
    for (int64_t c = 0; c < cells && ctx->status == CW_OK; c++) {
        if ((c & 1023) == 0 && cw_poll(ctx) != CW_OK) return ctx->status;
        double total = 0, known = 0, detected = 0, counted = 0, mt = 0, ribo = 0, hb = 0;
        for (int32_t j = start[c]; j < start[c + 1]; j++) {
            double y = value[j];
            int32_t g = gene[j];
            if (g < 0 || g >= genes) return no_gene(ctx, c, g, genes);
            if (!(y >= 0 && y <= 0x1.fffffffffffffp1023)) {
                q->bad++;
                continue;
            }
            uint8_t is = q->group[g];
            total += y;
            if (y > q->largest) q->largest = y;
            q->whole &= y == floor(y);
            if (!(is & CW_GENE_KNOWN)) continue;
            known += y, detected += y > 0;
            if (is & CW_GENE_COUNTED) counted += y;
            if (is & CW_GENE_MT) mt += y;
            if (is & CW_GENE_RIBO) ribo += y;
            if (is & CW_GENE_HB) hb += y;
        }
        int good = detected >= q->least;
        for (int32_t j = start[c]; j < start[c + 1]; j++) {
            double y = value[j];
            int32_t g = gene[j];
            if (!(y > 0 && y <= 0x1.fffffffffffffp1023)) continue;
            q->sum[g] += y, q->seen[g] += 1;
            if (!good) continue;
            if (q->enough[g] < (double)q->keep) q->first[g * q->keep + (int64_t)q->enough[g]] = (int32_t)(q->cells + c);
            q->enough[g] += 1;
        }
        out->total[c] = total, out->known[c] = known, out->detected[c] = detected, out->counted[c] = counted;
        out->mt[c] = mt, out->ribo[c] = ribo, out->hb[c] = hb;
    }
    q->cells += cells;
    return ctx->status;
}

/* ---- moments ---------------------------------------------------------------------------------------------------- */

static double value_of(double y, const cw_moments_of *of, int64_t c)
{
    if (of->by) y *= of->by[c];
    return of->logged ? log1p(y) : y;
}

/* The block's own: sums in `mean`, then means; squares around them in `square`. */
static cw_status of_block(cw_ctx *ctx, cw_moments *b, double *listed, const int32_t *start, const int32_t *gene,
                          const double *value, const cw_moments_of *of, int64_t cells, int64_t genes)
{
    for (int64_t c = 0; c < cells; c++) {
        if ((c & 1023) == 0 && cw_poll(ctx) != CW_OK) return ctx->status;
        if (of->take && !of->take[c]) continue;
        for (int32_t j = start[c]; j < start[c + 1]; j++) {
            if (gene[j] < 0 || gene[j] >= genes) return no_gene(ctx, c, gene[j], genes);
            b->mean[gene[j]] += value_of(value[j], of, c), listed[gene[j]] += 1;
        }
    }
    for (int64_t g = 0; g < genes; g++) b->mean[g] /= b->n;
    for (int64_t c = 0; c < cells; c++) {
        if ((c & 1023) == 0 && cw_poll(ctx) != CW_OK) return ctx->status;
        if (of->take && !of->take[c]) continue;
        for (int32_t j = start[c]; j < start[c + 1]; j++) {
            double d = value_of(value[j], of, c) - b->mean[gene[j]];
            b->square[gene[j]] += d * d;
        }
    }
    for (int64_t g = 0; g < genes; g++) b->square[g] += (b->n - listed[g]) * b->mean[g] * b->mean[g];
    return ctx->status;
}

cw_status cw_moments_add(cw_ctx *ctx, cw_moments *m, const int32_t *start, const int32_t *gene, const double *value,
                         const cw_moments_of *of, int less, int64_t cells, int64_t genes)
{
    int64_t taken = cells;
    for (int64_t c = 0; of->take && c < cells; c++) taken -= !of->take[c];
    if (ctx->status != CW_OK || taken == 0) return ctx->status;
    double *listed = cw_calloc(ctx, genes, sizeof *listed);
    cw_moments b = {(double)taken, cw_calloc(ctx, genes, sizeof(double)), cw_calloc(ctx, genes, sizeof(double))};
    if (ctx->status == CW_OK) of_block(ctx, &b, listed, start, gene, value, of, cells, genes);
    double n = less ? m->n - b.n : m->n, all = less ? m->n : m->n + b.n; /* without the block and with it */
    for (int64_t g = 0; g < genes && ctx->status == CW_OK; g++) {
        double before = less ? (n > 0 ? (all * m->mean[g] - b.n * b.mean[g]) / n : 0) : m->mean[g];
        double step = b.mean[g] - before, more = b.square[g] + step * step * n * b.n / all;
        m->mean[g] = less ? before : before + step * b.n / all;
        m->square[g] = less ? fmax(0, m->square[g] - more) : m->square[g] + more;
    }
    if (ctx->status == CW_OK) m->n = less ? n : all;
    cw_free(ctx, listed), cw_free(ctx, b.mean), cw_free(ctx, b.square);
    return ctx->status;
}
