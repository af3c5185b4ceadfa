/* params.c: see params.h. */
#include "params.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES 256

void cw_params_init(cw_params *params, cw_ctx *ctx, uint64_t key)
{
    memset(params, 0, sizeof *params);
    params->ctx = ctx;
    params->key = key;
}

/* ---- state of the optimiser ---- */

static int64_t bytes_of(const cw_tensor *t) { return cw_count(t) * (int64_t)sizeof(float); }

/* Zeros of the tensor's size in its device's memory; NULL with the error recorded. */
static float *take_zeros(cw_ctx *ctx, const cw_tensor *t)
{
    float *x = t->device->take(ctx, bytes_of(t));
    if (x) t->device->fill(ctx, x, 0, bytes_of(t));
    return x;
}

static void give_state(cw_ctx *ctx, cw_param *p)
{
    const cw_device *d = p->tensor.device;
    d->give(ctx, p->tensor.grad), d->give(ctx, p->m), d->give(ctx, p->v);
    p->tensor.grad = p->m = p->v = NULL;
}

static cw_status take_state(cw_ctx *ctx, cw_param *p)
{
    p->tensor.grad = take_zeros(ctx, &p->tensor);
    p->m = take_zeros(ctx, &p->tensor);
    p->v = take_zeros(ctx, &p->tensor);
    if (!p->tensor.grad || !p->m || !p->v) give_state(ctx, p); /* all three or none */
    return ctx->status;
}

static void free_param(cw_ctx *ctx, cw_param *p)
{
    if (!p) return;
    give_state(ctx, p);
    cw_free(ctx, p->name);
    cw_free(ctx, p->staged);
    p->tensor.device->give(ctx, p->tensor.data);
    cw_free(ctx, p);
}

void cw_params_free(cw_params *params)
{
    cw_ctx *ctx = params->ctx;
    for (int64_t i = 0; i < params->count; i++) free_param(ctx, params->item[i]);
    for (int64_t i = 0; i < params->aliases; i++) cw_free(ctx, params->alias[i].name);
    cw_free(ctx, params->item), cw_free(ctx, params->alias), cw_free(ctx, params->slot);
    cw_params_init(params, ctx, params->key);
}

/* ---- names ---- */

static uint64_t hash(const char *name)
{
    uint64_t h = 1469598103934665603u; /* FNV-1a */
    for (const char *at = name; *at; at++) h = (h ^ (unsigned char)*at) * 1099511628211u;
    return h;
}

static const char *name_in(const cw_params *params, int32_t code)
{
    return code >= 0 ? params->item[code]->name : params->alias[-2 - code].name;
}

static void put(cw_params *params, int32_t code)
{
    uint64_t at = hash(name_in(params, code)) & (uint64_t)(params->slots - 1);
    while (params->slot[at] != -1) at = (at + 1) & (uint64_t)(params->slots - 1);
    params->slot[at] = code;
}

/* Room in the index for one name more: it is at most half full. */
static cw_status grow_index(cw_params *params)
{
    if (2 * (params->count + params->aliases + 1) < params->slots) return CW_OK;
    int64_t slots = params->slots ? 2 * params->slots : 256;
    int32_t *slot = cw_alloc(params->ctx, slots, sizeof *slot);
    if (!slot) return params->ctx->status;
    memset(slot, -1, (size_t)slots * sizeof *slot);
    cw_free(params->ctx, params->slot);
    params->slot = slot;
    params->slots = slots;
    for (int64_t i = 0; i < params->count; i++) put(params, (int32_t)i);
    for (int64_t i = 0; i < params->aliases; i++) put(params, (int32_t)(-2 - i));
    return CW_OK;
}

cw_param *cw_params_find(const cw_params *params, const char *name)
{
    if (!params->slots) return NULL;
    uint64_t at = hash(name) & (uint64_t)(params->slots - 1);
    for (; params->slot[at] != -1; at = (at + 1) & (uint64_t)(params->slots - 1)) {
        int32_t code = params->slot[at];
        if (strcmp(name_in(params, code), name) == 0)
            return code >= 0 ? params->item[code] : params->alias[-2 - code].of;
    }
    return NULL;
}

static void *grown(cw_ctx *ctx, void *old, int64_t count, int64_t capacity, size_t size)
{
    void *more = cw_alloc(ctx, capacity, size);
    if (more && count) memcpy(more, old, (size_t)count * size);
    if (more) cw_free(ctx, old);
    return more;
}

/* The name of the format, checked: it must be new and have room. */
static cw_status name_of(cw_params *params, char *name, const char *format, va_list args)
{
    int n = vsnprintf(name, NAME_BYTES, format, args);
    if (params->ctx->status != CW_OK) return params->ctx->status;
    if (n < 1 || n >= NAME_BYTES) return cw_fail(params->ctx, CW_ERR_ARGUMENT, "a parameter's name of %d characters", n);
    if (cw_params_find(params, name))
        return cw_fail(params->ctx, CW_ERR_ARGUMENT, "there are two parameters called %s", name);
    return grow_index(params);
}

cw_tensor *cw_params_add(cw_params *params, cw_role role, int ndim, const int64_t *dim, const char *format, ...)
{
    cw_ctx *ctx = params->ctx;
    char name[NAME_BYTES];
    va_list args;
    va_start(args, format);
    cw_status status = name_of(params, name, format, args);
    va_end(args);
    if (status != CW_OK) return NULL;
    if (ndim < 0 || ndim > CW_MAX_DIM) {
        cw_fail(ctx, CW_ERR_SHAPE, "%s has %d dimensions; a tensor may have %d", name, ndim, CW_MAX_DIM);
        return NULL;
    }
    if (params->count == params->capacity) {
        int64_t capacity = params->capacity ? 2 * params->capacity : 128;
        cw_param **more = grown(ctx, params->item, params->count, capacity, sizeof *more);
        if (!more) return NULL;
        params->item = more;
        params->capacity = capacity;
    }
    cw_param *p = cw_calloc(ctx, 1, sizeof *p);
    if (!p) return NULL;
    p->ctx = ctx;
    p->role = role;
    p->group = -1;
    p->tensor.device = ctx->kernels ? ctx->kernels->device : &cw_device_host;
    p->tensor.ndim = ndim;
    for (int i = 0; i < ndim; i++) p->tensor.dim[i] = dim[i];
    p->name = cw_strdup(ctx, name);
    p->tensor.data = take_zeros(ctx, &p->tensor);
    if (!p->name || !p->tensor.data) {
        free_param(ctx, p);
        return NULL;
    }
    p->number = params->count;
    params->item[params->count] = p;
    put(params, (int32_t)params->count++);
    return &p->tensor;
}

cw_status cw_params_alias(cw_params *params, const cw_tensor *of, const char *format, ...)
{
    cw_ctx *ctx = params->ctx;
    char name[NAME_BYTES];
    va_list args;
    va_start(args, format);
    cw_status status = name_of(params, name, format, args);
    va_end(args);
    if (status != CW_OK) return status;
    cw_alias *more = grown(ctx, params->alias, params->aliases, params->aliases + 1, sizeof *more);
    if (!more) return ctx->status;
    params->alias = more;
    more[params->aliases] = (cw_alias){cw_strdup(ctx, name), cw_param_of(of)};
    if (more[params->aliases].name) put(params, (int32_t)(-2 - params->aliases++));
    return ctx->status;
}

cw_param *cw_param_of(const cw_tensor *tensor)
{
    return (cw_param *)((char *)(uintptr_t)tensor - offsetof(cw_param, tensor));
}

int64_t cw_params_values(const cw_params *params)
{
    int64_t n = 0;
    for (int64_t i = 0; i < params->count; i++) n += cw_count(&params->item[i]->tensor);
    return n;
}

cw_status cw_param_set(cw_ctx *ctx, cw_tensor *tensor, const float *values)
{
    if (ctx->status == CW_OK) tensor->device->copy_in(ctx, tensor->data, values, bytes_of(tensor));
    return ctx->status;
}

cw_status cw_param_get(cw_ctx *ctx, const cw_tensor *tensor, float *values)
{
    if (ctx->status == CW_OK) tensor->device->copy_out(ctx, values, tensor->data, bytes_of(tensor));
    return ctx->status;
}

cw_status cw_param_gradient(cw_ctx *ctx, const cw_tensor *tensor, float *values)
{
    if (ctx->status == CW_OK) tensor->device->copy_out(ctx, values, tensor->grad, bytes_of(tensor));
    return ctx->status;
}

const float *cw_param_host(cw_ctx *ctx, const cw_tensor *tensor)
{
    if (tensor->device == &cw_device_host) return cw_f32(tensor);
    cw_param *p = cw_param_of(tensor);
    if (!p->staged) p->staged = cw_alloc(ctx, cw_count(tensor), sizeof(float));
    if (p->staged) cw_param_get(ctx, tensor, p->staged);
    return p->staged;
}

void cw_params_mute(cw_tensor *tensor, int64_t first, int64_t count)
{
    if (!tensor) return;
    cw_param_of(tensor)->mute_first = first;
    cw_param_of(tensor)->mute_count = count;
}

void cw_params_mute_gradients(cw_params *params)
{
    for (int64_t i = 0; i < params->count; i++) {
        cw_param *p = params->item[i];
        if (p->mute_count && p->tensor.grad)
            p->tensor.device->fill(params->ctx, p->tensor.grad + p->mute_first, 0,
                                   p->mute_count * (int64_t)sizeof(float));
    }
}

/* ---- what a run trains ---- */

/* One alternative of a pattern, up to `end`. */
static int match_one(const char *pattern, const char *end, const char *name)
{
    const char *star = NULL, *retry = NULL;
    while (*name) {
        if (pattern < end && *pattern == '*') {
            star = pattern++;
            retry = name;
        } else if (pattern < end && *pattern == *name) {
            pattern++, name++;
        } else if (star) {
            pattern = star + 1;
            name = ++retry;
        } else {
            return 0;
        }
    }
    while (pattern < end && *pattern == '*') pattern++;
    return pattern == end;
}

int cw_name_match(const char *pattern, const char *name)
{
    for (;;) {
        const char *end = pattern + strcspn(pattern, "|");
        if (match_one(pattern, end, name)) return 1;
        if (*end == '\0') return 0;
        pattern = end + 1;
    }
}

/* The group a weight belongs to: the last that matches. -1: none, or a frozen one. */
static int group_of(const cw_param *p, const cw_group *group, int groups)
{
    for (int g = groups - 1; g >= 0 && p->role == CW_WEIGHT; g--)
        if (cw_name_match(group[g].match, p->name)) return group[g].frozen ? -1 : g;
    return -1;
}

static cw_status check_groups(const cw_params *params, const cw_group *group, int groups)
{
    for (int g = 0; g < groups; g++) {
        int64_t found = 0;
        for (int64_t i = 0; i < params->count; i++) found += cw_name_match(group[g].match, params->item[i]->name);
        if (!found)
            return cw_fail(params->ctx, CW_ERR_ARGUMENT, "no parameter of the model is called \"%s\"", group[g].match);
    }
    return params->ctx->status;
}

cw_status cw_params_train(cw_params *params, const cw_group *group, int groups)
{
    if (check_groups(params, group, groups) != CW_OK) return params->ctx->status;
    for (int64_t i = 0; i < params->count && params->ctx->status == CW_OK; i++) {
        cw_param *p = params->item[i];
        if (group_of(p, group, groups) >= 0 && !p->tensor.grad) take_state(params->ctx, p);
    }
    for (int64_t i = 0; i < params->count; i++) {
        cw_param *p = params->item[i];
        if (params->ctx->status != CW_OK) { /* as it was: what had no needs_grad had no state */
            if (!p->tensor.needs_grad) give_state(params->ctx, p);
            continue;
        }
        p->group = group_of(p, group, groups);
        if (p->group < 0) give_state(params->ctx, p);
        p->tensor.needs_grad = p->group >= 0;
    }
    return params->ctx->status;
}

cw_status cw_params_train_all(cw_params *params)
{
    return cw_params_train(params, &(cw_group){"*", NAN, NAN, 0}, 1);
}

void cw_params_train_none(cw_params *params)
{
    for (int64_t i = 0; i < params->count; i++) {
        give_state(params->ctx, params->item[i]);
        params->item[i]->tensor.needs_grad = 0;
        params->item[i]->group = -1;
    }
}

void cw_params_zero_grad(cw_params *params)
{
    for (int64_t i = 0; i < params->count; i++) {
        cw_tensor *t = &params->item[i]->tensor;
        if (t->grad) t->device->fill(params->ctx, t->grad, 0, bytes_of(t));
    }
}

void cw_params_zero_moments(cw_params *params)
{
    for (int64_t i = 0; i < params->count; i++) {
        cw_param *p = params->item[i];
        const cw_device *d = p->tensor.device;
        if (p->m) d->fill(params->ctx, p->m, 0, bytes_of(&p->tensor));
        if (p->v) d->fill(params->ctx, p->v, 0, bytes_of(&p->tensor));
    }
}

int64_t cw_params_state_bytes(const cw_params *params)
{
    int64_t n = 0;
    for (int64_t i = 0; i < params->count; i++)
        if (params->item[i]->tensor.grad) n += 3 * cw_count(&params->item[i]->tensor) * (int64_t)sizeof(float);
    return n;
}

/* ---- initial values ---- */

cw_stream cw_init_stream(cw_params *params) { return cw_rng_stream(params->key, CW_RNG_INIT, params->drawn++, 0); }

/* Host memory to make a parameter's values in: its own, where that is the host's. NULL with the error recorded. */
static float *begin_values(cw_tensor *t)
{
    if (!t) return NULL;
    if (t->device == &cw_device_host) return cw_f32(t);
    return cw_alloc(cw_param_of(t)->ctx, cw_count(t), sizeof(float));
}

static void end_values(cw_tensor *t, float *values)
{
    if (!values || values == t->data) return;
    cw_param_set(cw_param_of(t)->ctx, t, values);
    cw_free(cw_param_of(t)->ctx, values);
}

void cw_init_normal(cw_tensor *t, cw_stream s, float sd)
{
    float *x = begin_values(t);
    if (x) cw_rng_fill_normal(x, cw_count(t), s, 0.0f, sd);
    end_values(t, x);
}

void cw_init_uniform(cw_tensor *t, cw_stream s, float low, float high)
{
    float *x = begin_values(t);
    if (x) cw_rng_fill_uniform(x, cw_count(t), s, low, high);
    end_values(t, x);
}

void cw_init_xavier_uniform(cw_tensor *t, cw_stream s)
{
    if (!t) return;
    float a = sqrtf(6.0f / (float)(cw_rows(t) + cw_cols(t)));
    cw_init_uniform(t, s, -a, a);
}

void cw_init_constant(cw_tensor *t, float value)
{
    float *x = begin_values(t);
    for (int64_t i = 0; x && i < cw_count(t); i++) x[i] = value;
    end_values(t, x);
}

void cw_init_zero(cw_tensor *t, int64_t first, int64_t count)
{
    if (t) t->device->fill(cw_param_of(t)->ctx, cw_f32(t) + first, 0, count * (int64_t)sizeof(float));
}
