/* gram.c: see gram.h. */
#include "gram.h"

#include "../core/threads.h"

#include <math.h>
#include <string.h>

/* ---- genes ------------------------------------------------------------------------------------------------------ */

static cw_status add_genes(cw_ctx *ctx, const cw_gram *m, const int32_t *start, const int32_t *gene,
                           const double *value, int64_t cells)
{
    int64_t *listed = cw_calloc(ctx, m->genes, sizeof *listed);
    if (!listed) return ctx->status;
    double before = *m->cells;
    for (int64_t c = 0; c < cells && ctx->status == CW_OK; c++) {
        for (int64_t k = start[c]; k < start[c + 1]; k++) {
            int32_t g = gene[k];
            double x = value[k];
            if (g < 0 || g >= m->genes) {
                cw_fail(ctx, CW_ERR_FORMAT, "gene %lld of %lld", (long long)g, (long long)m->genes);
                break;
            }
            if (!isfinite(x)) {
                cw_fail(ctx, CW_ERR_NUMERIC, "gene %lld has a value that isn't finite", (long long)g);
                break;
            }
            m->sum[g] += x, m->square[g] += x * x, m->cube[g] += x * x * x;
            int first = before == 0.0 && listed[g] == 0;
            if (first || x < m->least[g]) m->least[g] = x;
            if (first || x > m->most[g]) m->most[g] = x;
            listed[g]++;
        }
        if (c % 4096 == 0) cw_poll(ctx);
    }
    for (int64_t g = 0; g < m->genes; g++) /* a zero that isn't listed is a value too */
        if (listed[g] < cells) m->least[g] = fmin(m->least[g], 0.0), m->most[g] = fmax(m->most[g], 0.0);
    *m->cells = before + (double)cells;
    cw_free(ctx, listed);
    return ctx->status;
}

/* ---- products --------------------------------------------------------------------------------------------------- */

/* The entries of the TFs, by TF: cell and value of each. */
typedef struct by_tf {
    int64_t *start; /* (tfs + 1) */
    int32_t *cell;
    double *value;
} by_tf;

static cw_status turn(cw_ctx *ctx, by_tf *t, const cw_gram *m, const int32_t *start, const int32_t *gene,
                      const double *value, int64_t cells)
{
    int32_t *who = cw_alloc(ctx, m->genes, sizeof *who);
    int64_t *at = cw_calloc(ctx, m->tfs, sizeof *at);
    *t = (by_tf){.start = cw_calloc(ctx, m->tfs + 1, sizeof *t->start)};
    if (ctx->status != CW_OK) goto done;
    memset(who, 0xff, (size_t)m->genes * sizeof *who);
    for (int64_t i = 0; i < m->tfs; i++) {
        if (m->tf[i] < 0 || m->tf[i] >= m->genes || who[m->tf[i]] >= 0) {
            cw_fail(ctx, CW_ERR_ARGUMENT, "TF %lld is gene %d of %lld, or comes twice", (long long)i, (int)m->tf[i],
                    (long long)m->genes);
            goto done;
        }
        who[m->tf[i]] = (int32_t)i;
    }
    for (int64_t k = start[0]; k < start[cells]; k++)
        if (who[gene[k]] >= 0) t->start[who[gene[k]] + 1]++;
    for (int64_t i = 0; i < m->tfs; i++) t->start[i + 1] += t->start[i], at[i] = t->start[i];
    t->cell = cw_alloc(ctx, t->start[m->tfs], sizeof *t->cell);
    t->value = cw_alloc(ctx, t->start[m->tfs], sizeof *t->value);
    if (ctx->status != CW_OK) goto done;
    for (int64_t c = 0; c < cells; c++)
        for (int64_t k = start[c]; k < start[c + 1]; k++) {
            int32_t i = who[gene[k]];
            if (i >= 0) t->cell[at[i]] = (int32_t)c, t->value[at[i]++] = value[k];
        }
done:
    cw_free(ctx, at), cw_free(ctx, who);
    return ctx->status;
}

/* One TF's rows stay in the fastest cache while its cells go by. */
static void add_tf(double *product, double *both, const by_tf *t, int64_t i, const int32_t *start, const int32_t *gene,
                   const double *value, int64_t genes)
{
    for (int64_t e = t->start[i]; e < t->start[i + 1]; e++) {
        double x = t->value[e], seen = x > 0.0;
        int64_t from = start[t->cell[e]], n = start[t->cell[e] + 1] - from;
        const int32_t *g = gene + from;
        const double *y = value + from;
        if (n == genes) { /* a full cell, its genes ascending or not */
            int64_t k = 0;
            while (k < n && g[k] == k) k++;
            if (k == n) {
                for (k = 0; k < n; k++) product[k] += x * y[k];
                for (k = 0; both && k < n; k++) both[k] += seen * (double)(y[k] > 0.0);
                continue;
            }
        }
        if (both)
            for (int64_t k = 0; k < n; k++) product[g[k]] += x * y[k], both[g[k]] += seen * (double)(y[k] > 0.0);
        else
            for (int64_t k = 0; k < n; k++) product[g[k]] += x * y[k];
    }
}

cw_status cw_gram_add(cw_ctx *ctx, const cw_gram *m, const int32_t *start, const int32_t *gene, const double *value,
                      int64_t cells)
{
    by_tf t = {0};
    if (ctx->status != CW_OK) return ctx->status;
    if (add_genes(ctx, m, start, gene, value, cells) == CW_OK &&
        turn(ctx, &t, m, start, gene, value, cells) == CW_OK) {
        int stop = 0, done = 0, slots = ctx->threads > 1 ? ctx->threads : 1;
        (void)slots;
#pragma omp parallel num_threads(slots) if (slots > 1)
        {
            const cw_watch watch = cw_watch_here(ctx, &stop);
#pragma omp for schedule(dynamic) nowait
            for (int64_t i = 0; i < m->tfs; i++)
                if (!cw_watch_stop(&watch))
                    add_tf(m->product + i * m->genes, m->both ? m->both + i * m->genes : NULL, &t, i, start, gene, value, m->genes);
            cw_watch_rest(ctx, &done, &stop);
        }
        cw_poll(ctx);
    }
    cw_free(ctx, t.start), cw_free(ctx, t.cell), cw_free(ctx, t.value);
    return ctx->status;
}

/* ---- what they give --------------------------------------------------------------------------------------------- */

void cw_gram_gene(const cw_gram *m, double *mean, double *sd, double *skew)
{
    double n = fmax(1.0, *m->cells);
    for (int64_t g = 0; g < m->genes; g++) {
        double a = m->sum[g] / n, two = m->square[g] / n, v = fmax(0.0, two - a * a);
        double s = sqrt(v), largest = fmax(fabs(m->least[g]), fabs(m->most[g]));
        int flat = m->least[g] == m->most[g] || !(s > 1e-7 * largest);
        if (mean) mean[g] = a;
        if (sd) sd[g] = flat ? 0.0 : s;
        if (skew) skew[g] = flat ? 0.0 : (m->cube[g] / n - 3.0 * a * two + 2.0 * a * a * a) / (s * v);
    }
}

cw_status cw_gram_correlation(cw_ctx *ctx, double *r, const cw_gram *m)
{
    if (ctx->status != CW_OK) return ctx->status;
    double *mean = cw_alloc(ctx, 2 * m->genes, sizeof *mean), n = *m->cells;
    if (!mean) return ctx->status;
    double *sd = mean + m->genes;
    cw_gram_gene(m, mean, sd, NULL);
    for (int64_t t = 0; t < m->tfs; t++) {
        double a = mean[m->tf[t]], s = sd[m->tf[t]];
        for (int64_t g = 0; g < m->genes; g++) {
            double by = n * s * sd[g], c = by > 0.0 ? (m->product[t * m->genes + g] - n * a * mean[g]) / by : 0.0;
            r[t * m->genes + g] = fmin(1.0, fmax(-1.0, c));
        }
        if (s > 0.0) r[t * m->genes + m->tf[t]] = 1.0;
    }
    cw_free(ctx, mean);
    return ctx->status;
}
