/* source.c: see source.h. */
#include "source.h"

#include "safetensors.h"

#include <string.h>

static int64_t st_count(void *file) { return cw_safetensors_count(file); }

static int64_t st_find(void *file, const char *name)
{
    const cw_safetensors_entry *e = cw_safetensors_find(file, name);
    return e ? e - cw_safetensors_at(file, 0) : -1;
}

static const char *st_name(void *file, int64_t i) { return cw_safetensors_at(file, i)->name; }

static int st_shape(void *file, int64_t i, int64_t dim[CW_SOURCE_DIMS])
{
    const cw_safetensors_entry *e = cw_safetensors_at(file, i);
    memcpy(dim, e->dim, sizeof e->dim);
    return e->ndim;
}

static cw_status st_read(void *file, cw_ctx *ctx, int64_t i, float *out)
{
    return cw_safetensors_read_f32(ctx, out, cw_safetensors_at(file, i));
}

static void st_close(void *file) { cw_safetensors_close(file); }

cw_source cw_source_safetensors(cw_ctx *ctx, const char *path)
{
    return (cw_source){cw_safetensors_open(ctx, path), st_count, st_find, st_name, st_shape, st_read, st_close};
}
