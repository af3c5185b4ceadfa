/* safetensors.h: named tensors in a file (the safetensors format: u64 header length, JSON header, data).
 *
 * The reader maps the file and trusts nothing in it: header length, offsets, sizes, holes, overlaps, names, types and
 * shapes are all checked at open, so that an entry that can be had is good. A file that another process cuts short
 * while it is mapped is beyond us. */
#ifndef CW_IO_SAFETENSORS_H
#define CW_IO_SAFETENSORS_H

#include "../core/core.h"

#define CW_SAFETENSORS_DIMS 8
#define CW_SAFETENSORS_HEADER_MAX ((int64_t)100 << 20) /* bytes; the published reader's cap */

typedef enum cw_st_dtype {
    CW_ST_BOOL = 0,
    CW_ST_U8,
    CW_ST_I8,
    CW_ST_F8_E5M2, /* F8 and C64 are carried, not converted */
    CW_ST_F8_E4M3,
    CW_ST_I16,
    CW_ST_U16,
    CW_ST_F16,
    CW_ST_BF16,
    CW_ST_I32,
    CW_ST_U32,
    CW_ST_F32,
    CW_ST_C64,
    CW_ST_F64,
    CW_ST_I64,
    CW_ST_U64
} cw_st_dtype;

const char *cw_st_dtype_name(cw_st_dtype dtype); /* "F32"; "unknown" */
int64_t cw_st_dtype_bytes(cw_st_dtype dtype);    /* of one element; 0 for an unknown type */

/* One tensor of an open file; belongs to the file. */
typedef struct cw_safetensors_entry {
    const char *name; /* UTF-8 */
    cw_st_dtype dtype;
    int ndim; /* 0 .. 8; 0 is a scalar */
    int64_t dim[CW_SAFETENSORS_DIMS];
    int64_t count;             /* elements, the product of dim */
    int64_t bytes;             /* count * size of one element */
    const unsigned char *data; /* row-major, little-endian, not aligned: use the readers below or memcpy */
} cw_safetensors_entry;

typedef struct cw_safetensors cw_safetensors;

/* NULL with the error recorded. `path` is kept for messages. Closed with cw_safetensors_close (NULL is fine), after
 * which entries and metadata are dead. */
cw_safetensors *cw_safetensors_open(cw_ctx *ctx, const char *path) CW_USED_RESULT;
/* The same from memory (the tests and the fuzzer); `bytes` must stay as long as the handle. */
cw_safetensors *cw_safetensors_open_memory(cw_ctx *ctx, const void *bytes, int64_t n) CW_USED_RESULT;
void cw_safetensors_close(cw_safetensors *file);

int64_t cw_safetensors_count(const cw_safetensors *file);
const cw_safetensors_entry *cw_safetensors_at(const cw_safetensors *file, int64_t i); /* in file order; NULL: no such */
const cw_safetensors_entry *cw_safetensors_find(const cw_safetensors *file, const char *name); /* NULL: no such */
const char *cw_safetensors_metadata(const cw_safetensors *file, const char *key);              /* NULL: no such */

/* entry->count elements, converted. f32: from any type but F8 and C64 (I32, I64, U32, U64, F64 are rounded).
 * i32: from whole-number types and BOOL; a value outside int32 is an error that names it.
 * u8: from BOOL and whole-number types; a value outside 0..255 is an error. */
cw_status cw_safetensors_read_f32(cw_ctx *ctx, float *out, const cw_safetensors_entry *entry);
cw_status cw_safetensors_read_f64(cw_ctx *ctx, double *out, const cw_safetensors_entry *entry);
cw_status cw_safetensors_read_i32(cw_ctx *ctx, int32_t *out, const cw_safetensors_entry *entry);
cw_status cw_safetensors_read_i64(cw_ctx *ctx, int64_t *out, const cw_safetensors_entry *entry);
cw_status cw_safetensors_read_u8(cw_ctx *ctx, uint8_t *out, const cw_safetensors_entry *entry);

/* One tensor to write: row-major data of dim[0] x ... x dim[ndim - 1] elements. */
typedef struct cw_safetensors_item {
    const char *name;
    cw_st_dtype dtype;
    int ndim;
    int64_t dim[CW_SAFETENSORS_DIMS];
    const void *data; /* may be NULL when there are no elements */
} cw_safetensors_item;

typedef struct cw_safetensors_pair {
    const char *key, *value;
} cw_safetensors_pair;

/* Writes n tensors in the order given and n_metadata pairs to a file beside `path`, flushes it to the disk, and renames
 * it: `path` is then the new file or, on failure, what it was; the partial file is removed. Replaces an existing file
 * (whether that is wanted is the caller's question). */
cw_status cw_safetensors_write(cw_ctx *ctx, const char *path, const cw_safetensors_item *items,
                               const cw_safetensors_pair *metadata, int64_t n, int64_t n_metadata);

#endif
