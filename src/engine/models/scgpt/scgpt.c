/* scgpt.c: see scgpt.h: tokens to cells' vectors, the heads, and what they are trained with. */
#include "scgpt.h"

#include <stdio.h>

/* ---- tokens ---- */

/* of the different tokens: norm(embedding) */
static cw_tensor *gene_encoder(const cw_scgpt *m, cw_tape *t, const cw_scgpt_batch *b)
{
    return cw_layer_norm_forward(t, cw_gather(t, m->gene_table, b->token, b->tokens), &m->gene_norm);
}

/* of the different values: norm(W2 relu(W1 min(x, most))), or norm(a row of the table); *row: of each token */
static cw_tensor *value_encoder(const cw_scgpt *m, cw_tape *t, const cw_scgpt_batch *b, int32_t **row)
{
    const cw_scgpt_config *c = &m->config;
    float *value;
    int64_t n = cw_distinct_floats(t->arena, b->value, b->rows, &value, row);
    if (n == 0) return NULL;
    if (c->values == CW_SCGPT_CONTINUOUS) {
        for (int64_t i = 0; i < n; i++)
            if (value[i] > c->most) value[i] = c->most;
        cw_tensor *x = cw_layer_linear_forward(t, cw_tape_constant(t, value, n, 1), &m->value[0], CW_ACT_RELU);
        return cw_layer_norm_forward(t, cw_layer_linear_forward(t, x, &m->value[1], CW_ACT_NONE), &m->value_norm);
    }
    int32_t *bin = cw_arena_take(t->arena, n * (int64_t)sizeof *bin);
    for (int64_t i = 0; bin && i < n; i++) {
        bin[i] = (int32_t)value[i];
        if (value[i] >= 0 && value[i] < (float)c->value_rows && (float)bin[i] == value[i]) continue;
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "scgpt: the value %g is none of the %lld of the table", (double)value[i],
                (long long)c->value_rows);
        return NULL;
    }
    return bin ? cw_layer_norm_forward(t, cw_gather(t, m->value_table, bin, n), &m->value_norm) : NULL;
}

/* ---- Transformer ---- */

/* residual + dropout(W x + b); consumes residual */
static cw_tensor *onto(cw_tape *t, cw_tensor *x, const cw_layer_linear *l, float dropout, cw_tensor *residual)
{
    if (!l->down && !(t->training && dropout > 0)) return cw_linear_residual(t, x, l->w, l->b, residual);
    cw_tensor *y = cw_dropout(t, cw_layer_linear_forward(t, x, l, CW_ACT_NONE), dropout);
    cw_tensor *sum = cw_add_scaled(t, residual, y, 1.0f);
    cw_tape_drop(t, y), cw_tape_drop(t, residual);
    return sum;
}

static cw_tensor *normed(cw_tape *t, cw_tensor *x, const cw_layer_norm *l)
{
    cw_tensor *y = cw_layer_norm_forward(t, x, l);
    cw_tape_drop(t, x);
    return y;
}

/* x = norm(x + attention(x)); x = norm(x + W2 relu(W1 x)) */
static cw_tensor *layer_forward(const cw_scgpt *m, cw_tape *t, cw_tensor *x, const cw_scgpt_layer *l,
                                const cw_scgpt_batch *b)
{
    const cw_scgpt_config *c = &m->config;
    int64_t d = c->width;
    cw_attend_spec spec = {.heads = c->heads, .query = b->seq, .key = b->key ? b->keys : b->seq, .width = d,
                           .k_at = d, .v_at = 2 * d};
    cw_tensor *qkv = cw_layer_linear_forward(t, x, &l->qkv, CW_ACT_NONE);
    cw_tensor *kv = b->key ? cw_gather(t, qkv, b->key, b->keys.start[b->cells]) : qkv;
    cw_tensor *o = cw_attention_over(t, qkv, kv, kv, spec);
    cw_tape_drop(t, qkv);
    cw_tensor *sum = onto(t, o, &l->out, c->dropout, x);
    cw_tape_drop(t, o);
    x = normed(t, sum, &l->norm1);
    cw_tensor *h = cw_dropout(t, cw_layer_linear_forward(t, x, &l->up, CW_ACT_RELU), c->dropout);
    sum = onto(t, h, &l->down, c->dropout, x);
    cw_tape_drop(t, h);
    return normed(t, sum, &l->norm2);
}

static cw_tensor *cell_vectors(const cw_scgpt *m, cw_tape *t, cw_tensor *hidden, const cw_scgpt_batch *b)
{
    if (m->config.cell == CW_SCGPT_MEAN) return cw_segment_sum(t, hidden, b->seq, 1);
    return cw_gather(t, hidden, b->first, b->cells);
}

cw_scgpt_output cw_scgpt_forward(const cw_scgpt *m, cw_tape *t, const cw_scgpt_batch *b, cw_tensor *mask,
                                 int64_t layers, const cw_observer *observer)
{
    const cw_scgpt_config *c = &m->config;
    cw_scgpt_output y = {0};
    int32_t *value_row;
    cw_tensor *gene = gene_encoder(m, t, b), *value = value_encoder(m, t, b, &value_row);
    if (!gene || !value) return y;
    if (observer) {
        cw_observe(observer, t, "gene_encoder", cw_gather(t, gene, b->token_row, b->rows));
        cw_observe(observer, t, "value_encoder", cw_gather(t, value, value_row, b->rows));
    }
    value = cw_dropout(t, value, c->dropout);
    cw_tensor *table[] = {gene, value};
    const int32_t *index[] = {b->token_row, value_row};
    cw_tensor *x = cw_gather_sum(t, 2, table, index, b->rows);
    for (int64_t i = 0; i < layers; i++) {
        char name[32];
        x = layer_forward(m, t, x, &m->layer[i], b);
        snprintf(name, sizeof name, "layer%lld", (long long)i);
        cw_observe(observer, t, name, x);
    }
    if (mask) x = cw_product(t, x, mask);
    cw_observe(observer, t, "transformer_output", x);
    y.gene = gene;
    y.hidden = x;
    y.cell = cell_vectors(m, t, x, b);
    cw_observe(observer, t, "cell_emb", y.cell);
    if (c->batches && b->batch_label)
        y.batch = cw_layer_norm_forward(t, cw_gather(t, m->batch_table, b->batch_label, b->cells), &m->batch_norm);
    return y;
}

/* ---- heads ---- */

static int32_t *picked(cw_tape *t, const int32_t *of, const int32_t *row, int64_t n)
{
    int32_t *y = cw_arena_take(t->arena, (n + 1) * (int64_t)sizeof *y);
    for (int64_t i = 0; y && i < n; i++) y[i] = of[row[i]];
    return y;
}

cw_tensor *cw_scgpt_decode(const cw_scgpt *m, cw_tape *t, const cw_scgpt_output *y, const cw_layer_mlp *decoder,
                           const cw_scgpt_batch *b, const int32_t *row, int64_t n)
{
    (void)m;
    cw_tensor *x = cw_gather(t, y->hidden, row, n);
    if (y->batch) {
        const int32_t *cell = picked(t, b->cell, row, n);
        x = cell ? cw_concat_cols(t, 2, (cw_tensor *[]){x, cw_gather(t, y->batch, cell, n)}) : NULL;
    }
    return cw_layer_mlp_forward(t, x, decoder);
}

/* (W sigmoid(query(gene))) . cell; what depends on the gene alone is computed once a gene */
cw_tensor *cw_scgpt_decode_cell(const cw_scgpt *m, cw_tape *t, const cw_scgpt_output *y, const cw_layer_linear *w,
                                const cw_scgpt_batch *b, const int32_t *row, int64_t n)
{
    const int32_t *gene_row = picked(t, b->token_row, row, n), *cell_row = picked(t, b->cell, row, n);
    if (!gene_row || !cell_row) return NULL;
    cw_tensor *gene = m->config.mvc_detach ? cw_gradient_reversal(t, y->gene, 0.0f) : y->gene;
    cw_tensor *q = cw_layer_linear_forward(t, cw_layer_linear_forward(t, gene, &m->query, CW_ACT_SIGMOID), w, CW_ACT_NONE);
    cw_tensor *cell = y->batch ? cw_concat_cols(t, 2, (cw_tensor *[]){y->cell, y->batch}) : y->cell;
    return cw_row_dots(t, cw_gather(t, q, gene_row, n), cw_gather(t, cell, cell_row, n));
}

cw_tensor *cw_scgpt_classify(const cw_scgpt *m, cw_tape *t, const cw_scgpt_output *y)
{
    return cw_layer_mlp_forward(t, y->cell, &m->class_decoder);
}

cw_tensor *cw_scgpt_similarity_loss(cw_tape *t, cw_tensor *cell, float threshold)
{
    if (!cell) return NULL;
    int64_t n = cw_rows(cell);
    float *others = cw_arena_take(t->arena, n * n * (int64_t)sizeof *others);
    if (!others) return NULL;
    for (int64_t i = 0; i < n * n; i++) others[i] = i % (n + 1) ? 1.0f : 0.0f;
    cw_tensor *u = cw_unit_rows(t, cell, 1.0f, 1e-8f), *v = cw_affine(t, u, 1.0f, 0.0f);
    cw_tensor *s = cw_product(t, cw_linear(t, u, v, NULL, CW_ACT_RELU), cw_tape_constant(t, others, n, n));
    cw_tensor *square = cw_apply(t, cw_affine(t, s, 1.0f, -threshold), (cw_function){CW_FN_SQUARE, 1.0f});
    return cw_tape_over(cw_affine(t, cw_sum(t, square, 1.0f / (float)(n * n)), -1.0f, 1.0f), (double)n);
}
