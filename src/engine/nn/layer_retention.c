/* layer_retention.c: see layer_retention.h. */
#include "layer_retention.h"

#include <math.h>

/* Rows as they are, or as sums. */
typedef struct rows {
    cw_tensor *x;
    const cw_summed_rows *sums;
} rows;

static cw_tensor *project(cw_tape *t, rows x, const cw_layer_linear *l, cw_act act)
{
    return x.sums ? cw_layer_linear_sums(t, x.sums, l, act) : cw_layer_linear_forward(t, x.x, l, act);
}

static cw_tensor *retention(cw_tape *t, rows x, rows y, const cw_layer_retention *l, cw_tensor *key_mask,
                            cw_tensor *value_scale, cw_ragged query, cw_ragged key)
{
    cw_tensor *q = project(t, x, &l->q, CW_ACT_RELU);
    cw_tensor *k = project(t, y, &l->k, CW_ACT_RELU), *k_raw = k;
    cw_tensor *v = project(t, y, &l->v, CW_ACT_NONE), *v_raw = v;
    if (key_mask) k = cw_product(t, k, key_mask), cw_tape_drop(t, k_raw);
    if (value_scale) v = cw_product(t, v, value_scale), cw_tape_drop(t, v_raw);
    if (t->ctx->status != CW_OK) return NULL;
    int64_t n = cw_rows(q), width = cw_cols(q);
    float head = (float)(width / l->heads), root = sqrtf(head);
    /* queries and keys are divided by sqrt(head width) each */
    cw_attend_spec spec = {.heads = l->heads, .scale = 1.0f / head, .query = query, .key = key};
    cw_tensor *o = cw_linear_attention(t, q, k, v, spec);
    cw_tape_drop(t, q), cw_tape_drop(t, k), cw_tape_drop(t, v);
    cw_tensor *unit = cw_unit_rows(t, cw_tape_reshape(t, o, n * l->heads, width / l->heads), root, 1e-12f * root);
    cw_tape_drop(t, o);
    cw_tensor *gate = project(t, x, &l->u, CW_ACT_SILU);
    cw_tensor *gated = cw_product(t, cw_tape_reshape(t, unit, n, width), gate);
    cw_tape_drop(t, unit), cw_tape_drop(t, gate);
    cw_tensor *out = cw_layer_linear_forward(t, gated, &l->o, CW_ACT_NONE);
    cw_tape_drop(t, gated);
    return out;
}

cw_tensor *cw_layer_retention_forward(cw_tape *t, cw_tensor *x, cw_tensor *y, const cw_layer_retention *l,
                                      cw_tensor *key_mask, cw_tensor *value_scale, cw_ragged query, cw_ragged key)
{
    return retention(t, (rows){x, NULL}, (rows){y, NULL}, l, key_mask, value_scale, query, key);
}

cw_tensor *cw_layer_retention_sums(cw_tape *t, const cw_summed_rows *x, const cw_layer_retention *l, cw_tensor *key_mask,
                                   cw_tensor *value_scale, cw_ragged seq)
{
    return retention(t, (rows){NULL, x}, (rows){NULL, x}, l, key_mask, value_scale, seq, seq);
}
