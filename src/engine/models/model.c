/* model.c: see model.h. */
#include "model.h"

#include <math.h>
#include <string.h>

const void *cw_model_config(const cw_model *m) { return (const char *)m + m->class->config; }

cw_model *cw_model_new(cw_ctx *ctx, const cw_model_class *class, const void *config, uint64_t key)
{
    char why[256];
    if (ctx->status != CW_OK) return NULL;
    if (cw_settings_check(class->settings, config, why, sizeof why) != CW_OK) {
        cw_fail(ctx, CW_ERR_ARGUMENT, "%s: %s", class->name, why);
        return NULL;
    }
    cw_model *m = cw_calloc(ctx, 1, class->bytes);
    if (!m) return NULL;
    m->class = class;
    m->ctx = ctx;
    m->kept.ctx = ctx;
    cw_params_init(&m->params, ctx, key);
    memcpy((char *)m + class->config, config, class->config_bytes);
    if ((!class->check || class->check(m) == CW_OK) && class->build(m) == CW_OK) return m;
    cw_model_free(m);
    return NULL;
}

cw_model *cw_model_make(cw_ctx *ctx, const cw_model_class *class, const cw_option *option, int64_t n, int strict,
                        uint64_t key)
{
    char why[256];
    void *config = cw_calloc(ctx, 1, class->config_bytes);
    if (!config) return NULL;
    cw_status status = cw_settings_fill(class->settings, config, option, n, strict, why, sizeof why);
    if (status != CW_OK) cw_fail(ctx, status, "%s: %s", class->name, why);
    cw_model *m = cw_model_new(ctx, class, config, key);
    cw_free(ctx, config);
    return m;
}

void cw_model_free(cw_model *m)
{
    if (!m) return;
    if (m->class->release) m->class->release(m);
    cw_model_bind(m, NULL, 0);
    cw_params_free(&m->params);
    cw_free(m->ctx, m);
}

/* ---- kept inputs ---- */

static void *copy(cw_ctx *ctx, const void *from, int64_t n, size_t size)
{
    void *to = cw_alloc(ctx, n, size);
    if (to && n) memcpy(to, from, (size_t)n * size);
    return to;
}

/* A copy of *from that owns what it points to. What could be taken is in *to also on failure. */
static void keep_one(cw_ctx *ctx, cw_array *to, const cw_array *from)
{
    int64_t n = cw_array_count(from);
    *to = *from;
    to->data = to->start = NULL, to->column = NULL;
    to->name = cw_strdup(ctx, from->name);
    if (from->type == CW_ARRAY_CSR) {
        to->data = cw_array_dense(ctx, from);
        to->type = CW_ARRAY_F32;
        to->start = NULL, to->column = NULL;
    } else if (from->type == CW_ARRAY_F64) {
        float *x = cw_alloc(ctx, n, sizeof *x);
        for (int64_t i = 0; x && i < n; i++) x[i] = (float)((const double *)from->data)[i];
        to->data = x;
        to->type = CW_ARRAY_F32;
    } else {
        to->data = copy(ctx, from->data, n, from->type == CW_ARRAY_U16 ? 2 : 4);
    }
}

static void forget_kept(cw_model *m)
{
    cw_array *item = (cw_array *)(uintptr_t)m->kept.item;
    for (int64_t i = 0; i < m->kept.count; i++) {
        cw_free(m->ctx, (void *)(uintptr_t)item[i].name), cw_free(m->ctx, (void *)(uintptr_t)item[i].data);
    }
    cw_free(m->ctx, item);
    m->kept.item = NULL;
    m->kept.count = 0;
}

cw_status cw_model_bind(cw_model *m, const cw_array *item, int64_t n)
{
    forget_kept(m);
    if (n == 0 || m->ctx->status != CW_OK) return m->ctx->status;
    cw_array *kept = cw_calloc(m->ctx, n, sizeof *kept);
    if (!kept) return m->ctx->status;
    m->kept.item = kept;
    for (; m->kept.count < n && m->ctx->status == CW_OK; m->kept.count++)
        keep_one(m->ctx, &kept[m->kept.count], &item[m->kept.count]);
    if (m->ctx->status != CW_OK) forget_kept(m);
    return m->ctx->status;
}

cw_inputs cw_model_inputs(const cw_model *m, cw_arena *arena, const cw_array *item, int64_t n)
{
    if (n > 64) cw_fail(m->ctx, CW_ERR_ARGUMENT, "%lld inputs; a call may have 64", (long long)n);
    return (cw_inputs){.ctx = m->ctx, .arena = arena, .item = item, .count = n > 64 ? 0 : n, .kept = &m->kept};
}

cw_tensor *cw_model_rows(cw_tape *t, cw_inputs *in, const char *name, int64_t cols)
{
    int64_t dim[] = {-1, cols};
    const float *x = cw_in_f32(in, name, 2, dim, 0);
    return x ? cw_tape_constant(t, x, dim[0], cols) : NULL;
}

float *cw_model_put(cw_tape *t, const cw_sink *out, const char *name, const cw_tensor *x)
{
    const float *from = cw_tape_host(t, x);
    float *to = from ? cw_out(t->ctx, out, name, CW_ARRAY_F32, 2, (int64_t[]){cw_rows(x), cw_cols(x)}) : NULL;
    if (to) memcpy(to, from, (size_t)cw_count(x) * sizeof *to);
    return to;
}

float *cw_model_put_finite(cw_tape *t, const cw_sink *out, const char *name, const cw_tensor *x)
{
    float *to = cw_model_put(t, out, name, x);
    return to && cw_model_finite(t->ctx, to, cw_count(x)) == CW_OK ? to : NULL;
}

void cw_model_put_at(cw_tape *t, const cw_sink *out, const char *name, const cw_tensor *x, const int64_t *at, int64_t n,
                     int rank, const int64_t *dims)
{
    const float *from = cw_tape_host(t, x);
    float *to = from && at ? cw_out(t->ctx, out, name, CW_ARRAY_F32, rank, dims) : NULL;
    int64_t d = rank > 2 ? dims[2] : 1, all = dims[0] * dims[1] * d;
    for (int64_t i = 0; to && i < all; i++) to[i] = NAN;
    for (int64_t i = 0; to && i < n; i++)
        if (at[i] >= 0) memcpy(to + at[i] * d, from + i * d, (size_t)d * sizeof *to);
}

cw_status cw_model_finite(cw_ctx *ctx, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return cw_fail(ctx, CW_ERR_NUMERIC,
                           "'model' gives numbers that are not finite: its weights are damaged (NaN, infinite or huge); "
                           "load or train it again");
    return CW_OK;
}

/* ---- tasks and queries ---- */

const cw_task *cw_model_task(const cw_model_class *class, const char *name)
{
    for (const cw_task *t = class->tasks; t && t->name; t++)
        if (strcmp(t->name, name) == 0) return t;
    return NULL;
}

const cw_query *cw_model_query(const cw_model_class *class, const char *name)
{
    for (const cw_query *q = class->queries; q && q->name; q++)
        if (strcmp(q->name, name) == 0) return q;
    return NULL;
}

cw_status cw_model_run(cw_model *m, cw_tape *tape, const cw_query *query, const cw_array *item, int64_t n,
                       const void *settings, const cw_sink *out)
{
    if (m->ctx->status != CW_OK) return m->ctx->status;
    cw_tape_reset(tape, 0, 0, 0, 0);
    cw_inputs in = cw_model_inputs(m, tape->arena, item, n);
    if (query->run(m, tape, &in, settings, out) == CW_OK) cw_in_done(&in);
    return m->ctx->status;
}
