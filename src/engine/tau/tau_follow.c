/* tau_follow.c: does RNA follow chromatin at all? See tau_steps.h. */
#include "tau_steps.h"

#include <math.h>

/* One fold: placed from `place`, seen in `see`. Usable genes, axes and, from CW_TAU_LEAST_GENES genes on, the lead. */
static cw_status fold(cw_arena *arena, double *usable, double *axes, double *lead, const cw_tau_data *place,
                      const cw_tau_data *see, const cw_tau_options *o)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    cw_tau t = {.N = place->atac.cells, .G = place->rna.rows, .P = place->atac.rows, .links = place->links};
    if (cw_tau_state(arena, &t, place, o) != CW_OK || cw_tau_metacells(arena, &t, o) != CW_OK) return ctx->status;
    cw_tau_flow *f = &t.flow;
    i64 k = o->neighbours, n = 0;
    double *B0 = take(arena, f->M * f->J);
    int32_t *gene = cw_arena_take(arena, t.G * (i64)sizeof *gene);
    int32_t *near = cw_arena_take(arena, f->M * k * (i64)sizeof *near);
    if (ctx->status != CW_OK) return ctx->status;
    cw_tau_soft(B0, f->z, f->landmark, f->bandwidth, f->M, f->J, f->d, ctx->threads);
    if (cw_tau_rates(arena, &t, B0, see, o) != CW_OK) return ctx->status;
    for (i64 g = 0; g < t.G; g++)
        if (t.fit.usable[g]) gene[n++] = (int32_t)g;
    *usable = (double)n, *axes = (double)t.shared.above, *lead = NAN;
    if (n < CW_TAU_LEAST_GENES) return ctx->status;
    cw_tau_lag lag;
    if (cw_tau_lag_new(arena, &lag, &t.fit, f, gene, n) != CW_OK) return ctx->status;
    cw_tau_neighbours(near, f->z, f->M, f->d, k, ctx->threads);
    return cw_tau_lead(arena, lead, NULL, NULL, &lag, f, B0, near, k, o->iterations, o->lead_splits, o->key);
}

cw_status cw_tau_follow(cw_arena *arena, cw_tau_follows *out, const cw_tau_data *x, const cw_tau_options *o)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 N = x->atac.cells, n = o->test_cells < N ? o->test_cells : N;
    int32_t *cell = cw_arena_take(arena, n * (i64)sizeof *cell);
    cw_counts atac[2], rna[2];
    *out = (cw_tau_follows){0.0, 0.0, NAN, NAN};
    if (ctx->status != CW_OK || cw_tau_draw_cells(arena, cell, x->cell_id, N, n, o->key) != CW_OK ||
        cw_tau_halve(arena, atac, &x->atac, cell, n, x->cell_id, x->peak_id, o->key) != CW_OK ||
        cw_tau_halve(arena, rna, &x->rna, cell, n, x->cell_id, x->gene_id, o->key + 1) != CW_OK)
        return ctx->status;
    double usable[2] = {0}, axes[2] = {0}, lead[2] = {NAN, NAN};
    for (int s = 0; s < 2 && ctx->status == CW_OK; s++) {
        cw_tau_data half[2] = {*x, *x};
        for (int h = 0; h < 2; h++) {
            half[h].atac = atac[h], half[h].rna = rna[h];
            half[h].atac_embedding = half[h].rna_embedding = NULL; /* these have seen both halves */
        }
        cw_arena *own = cw_arena_new(ctx);
        if (own) fold(own, &usable[s], &axes[s], &lead[s], &half[s], &half[1 - s], o);
        cw_arena_free(own);
    }
    if (ctx->status == CW_ERR_SHAPE || ctx->status == CW_ERR_NUMERIC) /* half of the counts are too few to place cells */
        cw_ctx_clear(ctx), usable[0] = 0.0, lead[0] = NAN;
    cw_tau_halves_give(arena, rna), cw_tau_halves_give(arena, atac), cw_arena_give(arena, cell);
    out->usable = fmin(usable[0], usable[1]), out->axes = fmin(axes[0], axes[1]);
    out->lead = 0.5 * (lead[0] + lead[1]);
    out->z = (2.0 * out->lead - 1.0) * sqrt(out->usable);
    return cw_poll(ctx);
}
