/* layer_norm.c: see layer_norm.h. */
#include "layer_norm.h"

cw_layer_norm cw_layer_norm_new(cw_params *params, int64_t d, float eps, const char *name)
{
    cw_layer_norm n = {.kind = CW_NORM_LAYER, .eps = eps};
    n.w = cw_params_add(params, CW_WEIGHT, 1, &d, "%s.weight", name);
    n.b = cw_params_add(params, CW_WEIGHT, 1, &d, "%s.bias", name);
    cw_init_constant(n.w, 1.0f);
    return n;
}

cw_tensor *cw_layer_norm_forward(cw_tape *t, cw_tensor *x, const cw_layer_norm *l)
{
    switch (l->kind) {
    case CW_NORM_LAYER:
        return cw_layernorm(t, x, l->w, l->b, l->eps);
    case CW_NORM_RMS:
        return cw_rmsnorm(t, x, l->w, l->eps);
    case CW_NORM_BATCH:
        return cw_batch_norm(t, x, (cw_batch_norm_params){l->w, l->b, l->mean, l->var, l->eps, l->momentum,
                                                        l->times});
    default:
        return t->ctx->status == CW_OK ? x : NULL;
    }
}
