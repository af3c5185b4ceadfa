/* gene_order.c: see gene_order.h. In double, as published. */
#include "gene_order.h"

#include <math.h>

static double edge(const float *grn, int64_t genes, int64_t from, int64_t to)
{
    float w = from == to ? 0.0f : grn[from * genes + to];
    return w > 0.0f ? w : 0.0;
}

static void subtract(double *degree, double w)
{
    *degree -= w;
    if (*degree < 0.0) *degree = 0.0;
}

cw_status cw_gene_order(cw_ctx *ctx, int32_t *position, int64_t *actives, int64_t *cycle_breaks, const float *grn,
                        const uint8_t *active, int64_t genes)
{
    double *in = cw_calloc(ctx, 2 * genes, sizeof(double));
    uint8_t *remaining = cw_calloc(ctx, genes, 1);
    if (!in || !remaining) {
        cw_free(ctx, in);
        cw_free(ctx, remaining);
        return ctx->status;
    }
    double *out = in + genes;
    *actives = *cycle_breaks = 0;
    for (int64_t g = 0; g < genes; g++) remaining[g] = !active || active[g], *actives += remaining[g];
    for (int64_t i = 0; i < genes; i++)
        for (int64_t j = 0; remaining[i] && j < genes; j++)
            if (remaining[j]) in[j] += edge(grn, genes, i, j), out[i] += edge(grn, genes, i, j);
    for (int64_t at = 0; at < *actives && cw_poll(ctx) == CW_OK; at++) {
        int64_t source = -1, breaker = -1;
        double most = -1.0, best = -1.0;
        for (int64_t g = 0; g < genes; g++) {
            if (!remaining[g]) continue;
            if (in[g] <= 0.0 && out[g] > most) most = out[g], source = g;
            double score = out[g] / (in[g] + 1e-12);
            if (score > best) best = score, breaker = g;
        }
        int64_t chosen = source >= 0 ? source : breaker;
        *cycle_breaks += source < 0;
        position[at] = (int32_t)chosen;
        remaining[chosen] = 0;
        for (int64_t g = 0; g < genes; g++) {
            if (!remaining[g]) continue;
            subtract(&in[g], edge(grn, genes, chosen, g));
            subtract(&out[g], edge(grn, genes, g, chosen));
        }
    }
    for (int64_t g = 0, at = *actives; g < genes; g++)
        if (active && !active[g]) position[at++] = (int32_t)g;
    cw_free(ctx, in);
    cw_free(ctx, remaining);
    return ctx->status;
}
