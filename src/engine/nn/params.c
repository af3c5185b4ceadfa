/* params.c: see params.h. */
#include "params.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cw_params_init(cw_params *params, cw_ctx *ctx)
{
    memset(params, 0, sizeof *params);
    params->ctx = ctx;
}

static void free_param(cw_ctx *ctx, cw_param *p)
{
    if (!p) return;
    cw_free(ctx, p->name);
    cw_free(ctx, cw_f32(&p->tensor));
    cw_free(ctx, p->tensor.grad);
    cw_free(ctx, p->m);
    cw_free(ctx, p->v);
    cw_free(ctx, p);
}

void cw_params_free(cw_params *params)
{
    for (int64_t i = 0; i < params->count; i++) free_param(params->ctx, params->item[i]);
    cw_free(params->ctx, params->item);
    params->item = NULL;
    params->count = params->capacity = 0;
}

cw_tensor *cw_params_add(cw_params *params, int trainable, int ndim, const int64_t *dim, const char *format, ...)
{
    cw_ctx *ctx = params->ctx;
    char name[256];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    if (params->count == params->capacity) {
        int64_t capacity = params->capacity ? 2 * params->capacity : 128;
        cw_param **grown = cw_alloc(ctx, capacity, sizeof *grown);
        if (!grown) return NULL;
        if (params->count) memcpy(grown, params->item, (size_t)params->count * sizeof *grown);
        cw_free(ctx, params->item);
        params->item = grown;
        params->capacity = capacity;
    }
    cw_param *p = cw_calloc(ctx, 1, sizeof *p);
    if (!p) return NULL;
    p->trainable = trainable;
    p->tensor.ndim = ndim;
    for (int i = 0; i < ndim; i++) p->tensor.dim[i] = dim[i];
    p->name = cw_strdup(ctx, name);
    p->tensor.data = cw_calloc(ctx, cw_count(&p->tensor), sizeof(float));
    if (!p->name || !cw_f32(&p->tensor)) {
        free_param(ctx, p);
        return NULL;
    }
    params->item[params->count++] = p;
    return &p->tensor;
}

cw_param *cw_params_find(const cw_params *params, const char *name)
{
    for (int64_t i = 0; i < params->count; i++)
        if (strcmp(params->item[i]->name, name) == 0) return params->item[i];
    return NULL;
}

int64_t cw_params_values(const cw_params *params)
{
    int64_t n = 0;
    for (int64_t i = 0; i < params->count; i++) n += cw_count(&params->item[i]->tensor);
    return n;
}

cw_status cw_params_prepare_training(cw_params *params)
{
    for (int64_t i = 0; i < params->count; i++) {
        cw_param *p = params->item[i];
        if (!p->trainable || p->tensor.grad) continue;
        int64_t n = cw_count(&p->tensor);
        p->tensor.grad = cw_calloc(params->ctx, n, sizeof(float));
        p->m = cw_calloc(params->ctx, n, sizeof(float));
        p->v = cw_calloc(params->ctx, n, sizeof(float));
        if (!p->tensor.grad || !p->m || !p->v) { /* all three or none */
            cw_free(params->ctx, p->tensor.grad), cw_free(params->ctx, p->m), cw_free(params->ctx, p->v);
            p->tensor.grad = p->m = p->v = NULL;
            return params->ctx->status;
        }
        p->tensor.needs_grad = 1;
    }
    return params->ctx->status;
}

void cw_params_zero_grad(cw_params *params)
{
    for (int64_t i = 0; i < params->count; i++) {
        cw_tensor *t = &params->item[i]->tensor;
        if (t->grad) memset(t->grad, 0, (size_t)cw_count(t) * sizeof(float));
    }
}

void cw_params_zero_moments(cw_params *params)
{
    for (int64_t i = 0; i < params->count; i++) {
        cw_param *p = params->item[i];
        size_t bytes = (size_t)cw_count(&p->tensor) * sizeof(float);
        if (p->m) memset(p->m, 0, bytes);
        if (p->v) memset(p->v, 0, bytes);
    }
}

void cw_params_freeze(cw_params *params, int64_t first, int64_t count)
{
    if (params->ctx->status != CW_OK) return;
    params->item[params->count - 1]->frozen_first = first;
    params->item[params->count - 1]->frozen_count = count;
}

void cw_params_mask_frozen(cw_params *params)
{
    for (int64_t i = 0; i < params->count; i++) {
        cw_param *p = params->item[i];
        if (p->frozen_count && p->tensor.grad)
            memset(p->tensor.grad + p->frozen_first, 0, (size_t)p->frozen_count * sizeof(float));
    }
}

void cw_init_normal(cw_tensor *t, cw_stream s, float sd)
{
    if (t) cw_rng_fill_normal(cw_f32(t), cw_count(t), s, 0.0f, sd);
}

void cw_init_xavier_uniform(cw_tensor *t, cw_stream s)
{
    if (!t) return;
    float a = sqrtf(6.0f / (float)(cw_rows(t) + cw_cols(t)));
    cw_rng_fill_uniform(cw_f32(t), cw_count(t), s, -a, a);
}

void cw_init_constant(cw_tensor *t, float value)
{
    for (int64_t i = 0; t && i < cw_count(t); i++) cw_f32(t)[i] = value;
}
