/* device.h: where the numbers of tensors are.
 *
 * Records (tensors' heads, tape nodes, offsets that loops need) are always in host memory. What kernels compute with
 * (values, gradients, what backwards keep, scratch, index arrays) is in the memory of one device, which belongs to the
 * table of kernels that works on it (cw_kernels.device). Only kernels and the functions below touch device memory. */
#ifndef CW_DEVICE_H
#define CW_DEVICE_H

#include "core.h"

typedef enum cw_dtype {
    CW_F32 = 0,
    CW_BF16, /* weights only: what is computed with them, and their gradients, are float */
    CW_I32,
    CW_DTYPE_COUNT
} cw_dtype;
int64_t cw_dtype_bytes(cw_dtype dtype); /* of one value */

/* Copies and fills are done in the order they are asked for, also with respect to kernels; copy_out returns when the
 * values are there. Failures are recorded in the context. */
typedef struct cw_device {
    const char *name; /* "host", "guard" */
    void *(*take)(cw_ctx *ctx, int64_t bytes); /* CW_ALIGN-aligned, uninitialised; NULL with the error recorded */
    void (*give)(cw_ctx *ctx, void *p);        /* NULL is fine */
    void (*copy_in)(cw_ctx *ctx, void *to, const void *from, int64_t bytes);  /* from host memory */
    void (*copy_out)(cw_ctx *ctx, void *to, const void *from, int64_t bytes); /* to host memory */
    void (*copy)(cw_ctx *ctx, void *to, const void *from, int64_t bytes);     /* within the device; no overlap */
    void (*fill)(cw_ctx *ctx, void *to, int byte, int64_t bytes);
    void (*sync)(cw_ctx *ctx); /* returns when all that was asked for is done */
} cw_device;

extern const cw_device cw_device_host; /* cw_alloc, memcpy, memset */

#endif
