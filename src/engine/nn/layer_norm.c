/* layer_norm.c: see layer_norm.h. */
#include "layer_norm.h"

cw_tensor *cw_layer_norm_forward(cw_tape *t, cw_tensor *x, const cw_layer_norm *l)
{
    switch (l->kind) {
    case CW_NORM_LAYER:
        return cw_layernorm(t, x, l->w, l->b, l->eps);
    case CW_NORM_RMS:
        return cw_rmsnorm(t, x, l->w, l->eps);
    case CW_NORM_BATCH:
        return cw_batch_norm(t, x, (cw_batch_norm_params){l->w, l->b, l->mean, l->var, l->eps, l->momentum});
    default:
        return t->ctx->status == CW_OK ? x : NULL;
    }
}
