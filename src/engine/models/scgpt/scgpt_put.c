/* scgpt_put.c: see scgpt.h: what queries of models with scGPT's tokens give back. */
#include "scgpt.h"

/* Where rows came from, or -1; NULL with the error recorded. */
static const int64_t *places(cw_tape *t, const cw_scgpt_batch *b, int64_t columns)
{
    int64_t *at = cw_arena_take(t->arena, (b->rows + 1) * (int64_t)sizeof *at);
    for (int64_t r = 0; at && r < b->rows; r++) at[r] = cw_scgpt_place(b, r, columns);
    return at;
}

void cw_scgpt_put_values(cw_tape *t, const cw_sink *out, const char *name, const cw_tensor *x, const cw_scgpt_batch *b,
                         int64_t columns)
{
    cw_model_put_at(t, out, name, x, places(t, b, columns), b->rows, 2, (int64_t[]){b->cells, columns});
}

cw_status cw_scgpt_put_states(cw_tape *t, const cw_sink *out, const cw_tensor *hidden, const cw_scgpt_batch *b,
                              int64_t columns)
{
    const float *from = cw_tape_host(t, hidden);
    if (!from || cw_model_finite(t->ctx, from, cw_count(hidden)) != CW_OK) return t->ctx->status;
    cw_model_put_at(t, out, "state", hidden, places(t, b, columns), b->rows, 3,
                    (int64_t[]){b->cells, columns, cw_cols(hidden)});
    return t->ctx->status;
}

cw_status cw_scgpt_put_cells(cw_tape *t, const cw_sink *out, cw_tensor *cell, int unit, const cw_scgpt_batch *b)
{
    if (!cw_model_put_finite(t, out, "cell", unit ? cw_unit_rows(t, cell, 1.0f, 1e-12f) : cell)) return t->ctx->status;
    int32_t *genes = cw_out(t->ctx, out, "genes", CW_ARRAY_I32, 1, (int64_t[]){b->cells});
    for (int64_t c = 0; genes && c < b->cells; c++) genes[c] = (int32_t)(b->seq.start[c + 1] - b->seq.start[c] - 1);
    return t->ctx->status;
}

cw_status cw_scgpt_put_tokens(cw_ctx *ctx, const cw_sink *out, const cw_scgpt_batch *b, int64_t pad, float pad_value)
{
    const int64_t dim[] = {b->cells, b->length};
    int32_t *token = cw_out(ctx, out, "token", CW_ARRAY_I32, 2, dim);
    for (int64_t i = 0; token && i < b->cells * b->length; i++) token[i] = (int32_t)pad;
    for (int64_t r = 0; token && r < b->rows; r++) token[b->place[r]] = b->token[b->token_row[r]];
    float *value = cw_out(ctx, out, "value", CW_ARRAY_F32, 2, dim);
    for (int64_t i = 0; value && i < b->cells * b->length; i++) value[i] = pad_value;
    for (int64_t r = 0; value && r < b->rows; r++) value[b->place[r]] = b->value[r];
    return ctx->status;
}

cw_status cw_scgpt_put_genes(cw_tape *t, cw_inputs *in, const cw_sink *out, cw_tensor *table, const cw_layer_norm *norm)
{
    int64_t dim[1] = {-1};
    const int32_t *token = cw_in_i32(in, "token", 1, dim, 0);
    for (int64_t i = 0; token && i < dim[0]; i++)
        if (token[i] < 0 || token[i] >= cw_rows(table))
            return cw_fail(t->ctx, CW_ERR_ARGUMENT, "gene token %d is outside the vocabulary of %lld", (int)token[i],
                           (long long)cw_rows(table));
    if (token) cw_model_put(t, out, "gene", cw_layer_norm_forward(t, cw_gather(t, table, token, dim[0]), norm));
    return t->ctx->status;
}
