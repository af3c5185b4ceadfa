/* inputs.c: see inputs.h. */
#include "inputs.h"

#include <stdio.h>
#include <string.h>

const cw_array *cw_in_find(cw_inputs *in, const char *name)
{
    for (int64_t i = 0; i < in->count; i++)
        if (strcmp(in->item[i].name, name) == 0) {
            in->asked |= (uint64_t)1 << i;
            return &in->item[i];
        }
    for (int64_t i = 0; in->kept && i < in->kept->count; i++)
        if (strcmp(in->kept->item[i].name, name) == 0) return &in->kept->item[i];
    return NULL;
}

cw_status cw_in_done(cw_inputs *in)
{
    for (int64_t i = 0; i < in->count && in->ctx->status == CW_OK; i++)
        if (!(in->asked >> i & 1)) cw_fail(in->ctx, CW_ERR_ARGUMENT, "the model has no input '%s'", in->item[i].name);
    return in->ctx->status;
}

int64_t cw_array_count(const cw_array *a)
{
    int64_t n = 1;
    for (int i = 0; i < a->ndim; i++) n *= a->dim[i];
    return n;
}

double cw_array_number(const cw_array *a, int64_t i)
{
    return a->type == CW_ARRAY_F32   ? (double)((const float *)a->data)[i]
           : a->type == CW_ARRAY_I32 ? (double)((const int32_t *)a->data)[i]
                                     : ((const double *)a->data)[i];
}

const cw_array *cw_in_counts(cw_inputs *in, int64_t dim[2])
{
    const cw_array *a = cw_in_find(in, "counts");
    if (a && (a->ndim != 2 || a->type == CW_ARRAY_U16)) {
        cw_fail(in->ctx, CW_ERR_SHAPE, "the input 'counts' must be a matrix of numbers, (cells, genes)");
        return NULL;
    }
    if (a) dim[0] = a->dim[0], dim[1] = a->dim[1];
    return a;
}

static void write_shape(char *text, size_t size, int ndim, const int64_t *dim)
{
    size_t at = 0;
    for (int i = 0; i < ndim && at + 1 < size; i++)
        at += (size_t)snprintf(text + at, size - at, dim[i] < 0 ? "%sany" : "%s%lld", i ? " x " : "", (long long)dim[i]);
}

/* The array, its shape held against dim; negative dimensions are filled in. */
static const cw_array *shaped(cw_inputs *in, const char *name, int ndim, int64_t *dim, int optional)
{
    if (in->ctx->status != CW_OK) return NULL;
    const cw_array *a = cw_in_find(in, name);
    if (!a) {
        if (!optional) cw_fail(in->ctx, CW_ERR_ARGUMENT, "the input '%s' is missing", name);
        return NULL;
    }
    int same = a->ndim == ndim;
    for (int i = 0; same && i < ndim; i++) same = dim[i] < 0 || dim[i] == a->dim[i];
    if (!same) {
        char got[128] = "one number", want[128] = "one number";
        write_shape(got, sizeof got, a->ndim, a->dim);
        write_shape(want, sizeof want, ndim, dim);
        cw_fail(in->ctx, CW_ERR_SHAPE, "the input '%s' is %s; it should be %s", name, got, want);
        return NULL;
    }
    for (int i = 0; i < ndim; i++) dim[i] = a->dim[i];
    return a;
}

static void wrong_type(cw_inputs *in, const char *name, const char *wanted)
{
    cw_fail(in->ctx, CW_ERR_ARGUMENT, "the input '%s' must hold %s", name, wanted);
}

/* Rows of a sparse matrix into y (rows,cols); indices and starts are checked here, for nobody else does. */
static cw_status fill_dense(cw_ctx *ctx, float *y, const cw_array *a)
{
    int64_t rows = a->dim[0], cols = a->dim[1];
    const double *x = a->data;
    memset(y, 0, (size_t)(rows * cols) * sizeof *y);
    for (int64_t r = 0; r < rows; r++) {
        if (a->start[r] < 0 || a->start[r + 1] < a->start[r])
            return cw_fail(ctx, CW_ERR_ARGUMENT, "the rows of the sparse input '%s' are out of order", a->name);
        for (int64_t i = a->start[r]; i < a->start[r + 1]; i++) {
            if (a->column[i] < 0 || a->column[i] >= cols)
                return cw_fail(ctx, CW_ERR_ARGUMENT, "an index of the sparse input '%s' is outside it", a->name);
            y[r * cols + a->column[i]] = (float)x[i];
        }
    }
    return CW_OK;
}

static float *dense_rows(cw_inputs *in, const cw_array *a)
{
    float *y = cw_arena_take(in->arena, a->dim[0] * a->dim[1] * (int64_t)sizeof *y);
    return y && fill_dense(in->ctx, y, a) == CW_OK ? y : NULL;
}

float *cw_array_dense(cw_ctx *ctx, const cw_array *a)
{
    float *y = cw_alloc(ctx, a->dim[0] * a->dim[1], sizeof *y);
    if (y) fill_dense(ctx, y, a);
    return y;
}

const float *cw_in_f32(cw_inputs *in, const char *name, int ndim, int64_t *dim, int optional)
{
    const cw_array *a = shaped(in, name, ndim, dim, optional);
    if (!a) return NULL;
    if (a->type == CW_ARRAY_F32) return a->data;
    if (a->type == CW_ARRAY_CSR) return dense_rows(in, a);
    if (a->type == CW_ARRAY_U16) {
        wrong_type(in, name, "numbers");
        return NULL;
    }
    int64_t n = cw_array_count(a);
    float *y = cw_arena_take(in->arena, n * (int64_t)sizeof *y);
    const double *x = a->data;
    const int32_t *k = a->data;
    for (int64_t i = 0; y && i < n; i++) y[i] = a->type == CW_ARRAY_F64 ? (float)x[i] : (float)k[i];
    return y;
}

const int32_t *cw_in_i32(cw_inputs *in, const char *name, int ndim, int64_t *dim, int optional)
{
    const cw_array *a = shaped(in, name, ndim, dim, optional);
    if (!a) return NULL;
    if (a->type == CW_ARRAY_I32) return a->data;
    wrong_type(in, name, "whole numbers");
    return NULL;
}

const uint8_t *cw_in_flags(cw_inputs *in, const char *name, int ndim, int64_t *dim, int optional)
{
    const int32_t *x = cw_in_i32(in, name, ndim, dim, optional);
    if (!x) return NULL;
    int64_t n = 1;
    for (int i = 0; i < ndim; i++) n *= dim[i];
    uint8_t *y = cw_arena_take(in->arena, n);
    for (int64_t i = 0; y && i < n; i++) y[i] = x[i] != 0;
    return y;
}

void *cw_out(cw_ctx *ctx, const cw_sink *sink, const char *name, cw_array_type type, int ndim, const int64_t *dim)
{
    if (ctx->status != CW_OK) return NULL;
    void *at = sink->take(sink->user, name, type, ndim, dim);
    if (!at) cw_fail(ctx, CW_ERR_MEMORY, "there is no memory for the result '%s'", name);
    return at;
}
