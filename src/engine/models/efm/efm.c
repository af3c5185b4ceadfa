/* efm.c: see efm.h. */
#include "efm.h"

#include <string.h>

#define TAKE(arena, count, type) ((type *)cw_arena_take(arena, (int64_t)(count) * (int64_t)sizeof(type)))

/* ---- cells in their order ---- */

/* Each row of `order` must be a permutation that has the padded places last. */
static cw_status check_order(cw_ctx *ctx, cw_arena *arena, const int32_t *order, const cw_sccafm_input *in)
{
    int64_t genes = in->genes;
    uint8_t *met = TAKE(arena, genes, uint8_t);
    for (int64_t c = 0; met && c < in->cells; c++) {
        int padded = 0;
        memset(met, 0, (size_t)genes);
        for (int64_t i = 0; i < genes; i++) {
            int32_t g = order[c * genes + i];
            if (g < 0 || g >= genes || met[g]++)
                return cw_fail(ctx, CW_ERR_ARGUMENT, "order of cell %lld: place %d is not there, or twice",
                               (long long)(c + 1), (int)g);
            int pad = in->padding && in->padding[c * genes + g];
            if (padded && !pad)
                return cw_fail(ctx, CW_ERR_ARGUMENT, "order of cell %lld: padding must come last", (long long)(c + 1));
            padded = pad;
        }
    }
    return ctx->status;
}

static void reorder(cw_sccafm_input *x, cw_arena *arena, const int32_t *order)
{
    int64_t n = x->cells * x->genes;
    int32_t *ids = TAKE(arena, n, int32_t);
    float *values = TAKE(arena, n, float);
    uint8_t *non_tf = TAKE(arena, n, uint8_t), *padding = x->padding ? TAKE(arena, n, uint8_t) : NULL;
    if (!ids || !values || !non_tf || (x->padding && !padding)) return;
    for (int64_t i = 0; i < n; i++) {
        int64_t at = i / x->genes * x->genes + order[i], shared = x->ids_shared ? order[i] : at;
        ids[i] = x->ids[shared], non_tf[i] = x->non_tf[shared], values[i] = x->values[at];
        if (padding) padding[i] = x->padding[at];
    }
    x->ids = ids, x->values = values, x->non_tf = non_tf, x->padding = padding;
    x->ids_shared = 0;
}

cw_status cw_efm_read(cw_efm_cells *cells, cw_inputs *in, const cw_efm *m)
{
    memset(cells, 0, sizeof *cells);
    cells->input = cw_sccafm_input_read(in);
    int64_t dim[2] = {cells->input.cells, cells->input.genes};
    cells->order = cw_in_i32(in, "order", 2, dim, 1);
    if (in->ctx->status != CW_OK) return in->ctx->status;
    if (cells->order && check_order(in->ctx, in->arena, cells->order, &cells->input) == CW_OK)
        reorder(&cells->input, in->arena, cells->order);
    return cw_sccafm_batch_build(&cells->batch, in->arena, &cells->input, &m->config.trunk);
}

cw_efm_targets cw_efm_next(const cw_efm *m, cw_arena *arena, const cw_sccafm_batch *b)
{
    cw_efm_targets next = {TAKE(arena, b->tokens, int32_t), TAKE(arena, b->tokens, float)};
    if (!next.id || !next.value) return next;
    for (int64_t c = 0; c < b->cells; c++) {
        int64_t genes = b->gene.start[c + 1] - b->gene.start[c];
        for (int64_t i = 0; i <= genes; i++) {
            int64_t row = b->seq.start[c] + i, gene = b->gene.start[c] + i;
            next.id[row] = i < genes ? b->gene_token[gene] : (int32_t)(m->config.trunk.vocab - 1);
            next.value[row] = i < genes ? b->values[gene] : 0.0f;
        }
    }
    return next;
}

/* ---- heads ---- */

cw_tensor *cw_efm_ids(const cw_efm *m, cw_tape *t, cw_tensor *hidden)
{
    return cw_sccafm_mlp_forward(t, hidden, &m->id_head, m->config.head_dropout);
}

cw_tensor *cw_efm_values(const cw_efm *m, cw_tape *t, cw_tensor *hidden)
{
    return cw_sccafm_mlp_forward(t, hidden, &m->value_head, m->config.head_dropout);
}

/* ---- decoding ---- */

/* Row 0 of every cell's tokens: (cells, D), all it takes of the embedding of whole cells. */
static cw_tensor *prefixes(const cw_efm *m, cw_tape *t, const cw_sccafm_batch *b)
{
    int32_t *first = TAKE(t->arena, b->cells, int32_t);
    for (int64_t c = 0; first && c < b->cells; c++) first[c] = (int32_t)b->seq.start[c];
    cw_tensor *all = cw_sccafm_embed(&m->trunk, t, b, NULL), *x = first ? cw_gather(t, all, first, b->cells) : NULL;
    cw_tape_drop(t, all);
    return x;
}

cw_status cw_efm_generate(const cw_efm *m, cw_tape *t, const cw_efm_cells *cells, float *value)
{
    const cw_sccafm_batch *b = &cells->batch;
    int64_t n = b->cells, genes = b->genes;
    if (t->ctx->status != CW_OK) return t->ctx->status;
    if (b->actives != n * genes)
        return cw_fail(t->ctx, CW_ERR_ARGUMENT, "expression is decoded for one number of genes, without padding");
    cw_transformer_cache cache;
    if (cw_transformer_cache_make(&cache, &m->trunk.backbone, t, n, genes) != CW_OK) return t->ctx->status;
    cw_tensor *x = prefixes(m, t, b);
    for (int64_t g = 0; g < genes && cw_poll(t->ctx) == CW_OK; g++) {
        cw_tensor *hidden = cw_transformer_step(&m->trunk.backbone, t, x, &cache);
        cw_tensor *told = cw_efm_values(m, t, hidden);
        const float *y = cw_tape_host(t, told);
        int32_t *token = TAKE(t->arena, n, int32_t), *type = TAKE(t->arena, n, int32_t);
        float *seen = TAKE(t->arena, n, float);
        if (!y || !token || !type || !seen) return t->ctx->status;
        for (int64_t c = 0; c < n; c++) {
            int64_t row = b->gene_row[c * genes + g];
            value[c * genes + g] = y[c];
            seen[c] = y[c] > 0 ? y[c] : 0;
            token[c] = b->token[row], type[c] = b->tf_type[row];
        }
        cw_tape_drop(t, hidden), cw_tape_drop(t, told);
        if (g + 1 < genes) x = cw_sccafm_embed_genes(&m->trunk, t, token, type, seen, n);
    }
    return t->ctx->status;
}
