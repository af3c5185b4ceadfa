/* source.h: named tensors to read, whatever file they are in. A reader of a format fills one of these; who loads weights
 * knows nothing else of files. */
#ifndef CW_IO_SOURCE_H
#define CW_IO_SOURCE_H

#include "../core/core.h"

#define CW_SOURCE_DIMS 8

/* Functions get `file` as their first argument; entries are numbered from 0 in file order. */
typedef struct cw_source {
    void *file;
    int64_t (*count)(void *file);
    int64_t (*find)(void *file, const char *name); /* -1: no such */
    const char *(*name)(void *file, int64_t i);
    int (*shape)(void *file, int64_t i, int64_t dim[CW_SOURCE_DIMS]); /* returns the number of dimensions */
    /* all values, row-major; the status, with the error recorded */
    cw_status (*read)(void *file, cw_ctx *ctx, int64_t i, float *out);
    void (*close)(void *file);
} cw_source;

/* A file of any format that archive.h reads; `file` NULL with the error recorded when it can't be read. */
cw_source cw_source_open(cw_ctx *ctx, const char *path);

#endif
