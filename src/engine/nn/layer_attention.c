/* layer_attention.c: see layer_attention.h. */
#include "layer_attention.h"

cw_tensor *cw_layer_attention_forward(cw_tape *t, cw_tensor *x, cw_tensor *y, const cw_layer_attention *l,
                                      cw_attend_spec spec)
{
    if (t->ctx->status != CW_OK) return NULL;
    cw_tensor *q, *k, *v;
    spec.heads = l->heads;
    if (l->qkv.w) {
        if (y != x) {
            cw_fail(t->ctx, CW_ERR_ARGUMENT, "attention: one projection to q, k and v can't ask others");
            return NULL;
        }
        q = k = v = cw_layer_linear_forward(t, x, &l->qkv, CW_ACT_NONE);
        spec.width = cw_rows(l->qkv.w) / 3;
        spec.q_at = 0, spec.k_at = spec.width, spec.v_at = 2 * spec.width;
    } else {
        q = cw_layer_linear_forward(t, x, &l->q, CW_ACT_NONE);
        k = cw_layer_linear_forward(t, y, &l->k, CW_ACT_NONE);
        v = cw_layer_linear_forward(t, y, &l->v, CW_ACT_NONE);
        spec.width = cw_rows(l->q.w);
        spec.q_at = spec.k_at = spec.v_at = 0;
    }
    cw_tensor *o = cw_attention_over(t, q, k, v, spec);
    cw_tape_drop(t, q);
    if (k != q) cw_tape_drop(t, k), cw_tape_drop(t, v);
    cw_tensor *out = cw_layer_linear_forward(t, o, &l->o, CW_ACT_NONE);
    cw_tape_drop(t, o);
    return out;
}
