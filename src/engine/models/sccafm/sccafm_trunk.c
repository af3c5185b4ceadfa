/* sccafm_trunk.c: see sccafm.h. */
#include "sccafm.h"

#include "../distinct.h"

#include <string.h>

#define RMS_EPS 1.1920929e-07f /* norms without a stated eps: float32's machine epsilon */

/* x (n,1), the different values -> (n, hidden) */
static cw_tensor *encode_scalar(cw_tape *t, cw_tensor *x, const cw_scalar_encoder *e)
{
    cw_tensor *h = cw_linear(t, x, e->w1, e->b1, CW_ACT_SILU);
    cw_tensor *n = cw_rmsnorm(t, h, e->norm, RMS_EPS);
    cw_tape_drop(t, h);
    cw_tensor *y = cw_linear(t, n, e->w2, e->b2, CW_ACT_NONE);
    cw_tape_drop(t, n);
    return y;
}

/* One row per different value (n), the first of which is zero: (n, D) */
static cw_tensor *expression_table(const cw_sccafm_trunk *s, cw_tape *t, const float *distinct, int64_t n)
{
    cw_tensor *zero = cw_tape_rows(t, s->expr_bins, 0, 1);
    if (n == 1) return zero;
    cw_tensor *x = cw_tape_constant(t, distinct + 1, n - 1, 1);
    cw_tensor *h = encode_scalar(t, x, &s->expr);
    cw_tensor *p = cw_soft_bins(t, h, s->expr_prototypes, s->config->expr_tau);
    cw_tape_drop(t, h);
    cw_tensor *other = cw_matmul(t, p, cw_tape_rows(t, s->expr_bins, 1, s->config->expr_bins - 1));
    cw_tape_drop(t, p);
    cw_tensor *table = cw_concat_rows(t, 2, (cw_tensor *[]){zero, other});
    cw_tape_drop(t, other);
    return table;
}

/* One vector per cell from the values of its genes: (cells, D) */
static cw_tensor *batch_vectors(const cw_sccafm_trunk *s, cw_tape *t, const cw_sccafm_batch *b)
{
    cw_tensor *h = encode_scalar(t, cw_tape_constant(t, b->distinct, b->distincts, 1), &s->batch);
    cw_tensor *score = cw_linear(t, h, s->batch_score_w, s->batch_score_b, CW_ACT_NONE);
    cw_tensor *cell = cw_attention_pool(t, score, h, b->gene_value, b->gene);
    cw_tape_drop(t, h);
    return cw_matmul(t, cw_soft_bins(t, cell, s->batch_prototypes, s->config->batch_tau), s->batch_bins);
}

/* (cells, D) from platform, species, tissue and disease */
static cw_tensor *condition_vectors(const cw_sccafm_trunk *s, cw_tape *t, const cw_sccafm_batch *b)
{
    cw_tensor *e = cw_gather_sum(t, 2, (cw_tensor *[]){s->cond_table, s->cond_place},
                                 (const int32_t *[]){b->condition, b->condition_place}, 4 * b->cells);
    if (!e) return NULL;
    cw_tensor *flat = cw_tape_reshape(t, e, b->cells, 4 * s->config->embed_dim);
    cw_tensor *h = cw_linear_precise(t, flat, s->cond_w1, s->cond_b1, CW_ACT_SILU);
    h = cw_linear_precise(t, cw_rmsnorm(t, h, s->cond_norm, RMS_EPS), s->cond_w2, s->cond_b2, CW_ACT_NONE);
    return cw_dropout(t, h, s->config->cond_dropout);
}

/* prefix = conditions + batch + prefix type; gene = gene + expression + TF type + gene type; then RMSNorm: (T, D) */
cw_tensor *cw_sccafm_embed(const cw_sccafm_trunk *s, cw_tape *t, const cw_sccafm_batch *b, const cw_observer *o)
{
    cw_tensor *expression = expression_table(s, t, b->distinct, b->distincts);
    if (o && expression) cw_observe(o, t, "expr_embedding", cw_gather(t, expression, b->gene_value, b->actives));
    cw_tensor *batch = batch_vectors(s, t, b), *condition = condition_vectors(s, t, b);
    cw_observe(o, t, "batch_embedding", batch);
    cw_observe(o, t, "condition_embedding", condition);
    cw_tensor *prefix = cw_add_scaled(t, condition, batch, 1.0f);
    cw_tensor *table[] = {s->gene_table, expression, s->tf_type_table, s->gene_type, prefix, s->prefix_type};
    const int32_t *index[] = {b->token, b->value_row, b->tf_type, b->is_gene, b->prefix_cell, b->is_prefix};
    cw_tensor *sum = cw_gather_sum(t, 6, table, index, b->tokens);
    cw_tape_drop(t, expression);
    cw_tensor *x = cw_rmsnorm(t, sum, s->token_norm, RMS_EPS);
    cw_tape_drop(t, sum);
    cw_observe(o, t, "embedding", x);
    cw_tensor *y = cw_dropout(t, x, s->config->out_dropout);
    if (y != x) cw_tape_drop(t, x);
    return y;
}

cw_tensor *cw_sccafm_embed_genes(const cw_sccafm_trunk *s, cw_tape *t, const int32_t *token, const int32_t *tf_type,
                                 const float *value, int64_t n)
{
    float *x = cw_arena_take(t->arena, (n + 1) * (int64_t)sizeof *x), *distinct;
    int32_t *row, *gene = cw_arena_take(t->arena, n * (int64_t)sizeof *gene);
    if (!x || !gene) return NULL;
    x[0] = 0.0f;
    memcpy(x + 1, value, (size_t)n * sizeof *x);
    memset(gene, 0, (size_t)n * sizeof *gene);
    int64_t distincts = cw_distinct_floats(t->arena, x, n + 1, &distinct, &row);
    if (distincts == 0) return NULL;
    cw_tensor *expression = expression_table(s, t, distinct, distincts);
    cw_tensor *table[] = {s->gene_table, expression, s->tf_type_table, s->gene_type};
    const int32_t *index[] = {token, row + 1, tf_type, gene};
    cw_tensor *sum = cw_gather_sum(t, 4, table, index, n);
    cw_tape_drop(t, expression);
    cw_tensor *y = cw_rmsnorm(t, sum, s->token_norm, RMS_EPS);
    cw_tape_drop(t, sum);
    return y;
}

cw_tensor *cw_sccafm_forward(const cw_sccafm_trunk *s, cw_tape *t, const cw_sccafm_batch *b, const cw_observer *o)
{
    return cw_transformer_forward(&s->backbone, t, cw_sccafm_embed(s, t, b, o), b->seq, b->position, o);
}

cw_tensor *cw_sccafm_mlp_forward(cw_tape *t, cw_tensor *x, const cw_mlp *m, float dropout)
{
    cw_tensor *h = cw_dropout(t, cw_linear(t, x, m->w1, m->b1, CW_ACT_SILU), dropout);
    return cw_linear(t, h, m->w2, m->b2, CW_ACT_NONE);
}
