/* layer_linear.c: see layer_linear.h. */
#include "layer_linear.h"

#include <math.h>

cw_layer_linear cw_layer_linear_new(cw_params *params, int64_t out, int64_t in, int bias, const char *name,
                                    const char *dot)
{
    float limit = 1.0f / sqrtf((float)in);
    cw_layer_linear l = {0};
    l.w = cw_params_add(params, CW_WEIGHT, 2, (int64_t[]){out, in}, "%s%sweight", name, dot);
    cw_init_uniform(l.w, cw_init_stream(params), -limit, limit);
    if (!bias) return l;
    l.b = cw_params_add(params, CW_WEIGHT, 1, &out, "%s%sbias", name, dot);
    cw_init_uniform(l.b, cw_init_stream(params), -limit, limit);
    return l;
}

cw_tensor *cw_layer_linear_forward(cw_tape *t, cw_tensor *x, const cw_layer_linear *l, cw_act act)
{
    if (!l->down) return cw_linear(t, x, l->w, l->b, act);
    if (t->ctx->status != CW_OK) return NULL;
    int64_t in = cw_cols(l->w), out = cw_rows(l->w);
    /* of many rows the sum of the weights costs less than the pair's own products */
    if (cw_rows(x) * (in + out) > in * out) return cw_linear_pair(t, x, l->w, l->b, l->down, l->up, l->scale, act);
    cw_tensor *thin = cw_linear(t, x, l->down, NULL, CW_ACT_NONE);
    if (l->scale != 1.0f) thin = cw_affine(t, thin, l->scale, 0.0f);
    cw_tensor *y = cw_linear_residual(t, thin, l->up, NULL, cw_linear(t, x, l->w, l->b, CW_ACT_NONE));
    cw_tape_drop(t, thin);
    if (act == CW_ACT_NONE) return y;
    cw_tensor *activated = cw_activate(t, y, act);
    cw_tape_drop(t, y);
    return activated;
}

cw_tensor *cw_layer_linear_sums(cw_tape *t, const cw_summed_rows *x, const cw_layer_linear *l, cw_act act)
{
    if (l->b) {
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "linear: a bias can't be spread over sums of rows");
        return NULL;
    }
    cw_tensor *z = cw_layer_linear_forward(t, x->table, l, CW_ACT_NONE);
    cw_tensor *y = cw_gather_sum(t, 2, (cw_tensor *[]){z, z}, x->index, x->n);
    if (!t->recording) cw_tape_drop(t, z);
    if (act == CW_ACT_NONE) return y;
    cw_tensor *activated = cw_activate(t, y, act);
    cw_tape_drop(t, y);
    return activated;
}

cw_status cw_layer_linear_merge(cw_ctx *ctx, const cw_layer_linear *l, int sign)
{
    if (ctx->status != CW_OK) return ctx->status;
    int64_t out = cw_rows(l->w), in = cw_cols(l->w), r = l->down ? cw_rows(l->down) : 0;
    if (!l->down || !l->up || cw_cols(l->down) != in || cw_rows(l->up) != out || cw_cols(l->up) != r)
        return cw_fail(ctx, CW_ERR_SHAPE, "LoRA: no pair of matrices that fits %lld x %lld", (long long)out,
                       (long long)in);
    if (!cw_f32(l->w) || !cw_f32(l->up) || !cw_f32(l->down))
        return cw_fail(ctx, CW_ERR_STATE, "LoRA: only weights in float can take a pair of matrices in");
    cw_exec ex = {.threads = ctx->threads};
    ctx->kernels->gemm(&ex, cw_f32(l->w), in, cw_f32(l->up), r, 0, cw_f32(l->down), in, 0, (float)sign * l->scale, 1.0f,
                       out, in, r);
    return ctx->status;
}
