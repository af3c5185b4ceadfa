/* archive.h: named tensors in a file of weights, whatever its format: safetensors, PyTorch's (zip and the older one),
 * MindSpore's, and the index files of those that are cut into shards. Which it is, its content tells.
 *
 * Opening reads names, types and shapes; values stay in the mapped file until they are asked for. Everything is held
 * against the bytes there are. What training needs and a model does not (optimiser, scheduler, counters) is left out.
 */
#ifndef CW_IO_ARCHIVE_H
#define CW_IO_ARCHIVE_H

#include "safetensors.h"
#include "source.h"

/* MindSpore cuts a tensor into records of 512 MB; each holds whole elements. */
typedef struct cw_piece {
    struct cw_piece *next;
    const unsigned char *data;
    int64_t bytes;
} cw_piece;

/* One tensor; belongs to the archive. */
typedef struct cw_stored {
    const char *name; /* UTF-8, as the file has it; the parts of nested dictionaries are joined by dots */
    cw_st_dtype dtype;
    int ndim;
    int64_t dim[CW_SOURCE_DIMS], stride[CW_SOURCE_DIMS]; /* stride: elements */
    int64_t count; /* elements, the product of dim */
    const unsigned char *data; /* the first element */
    int big_endian;
    cw_piece *piece; /* elements in order in these; NULL: in one piece at `data` */
} cw_stored;

typedef struct cw_archive cw_archive;

/* NULL with the error recorded. */
cw_archive *cw_archive_open(cw_ctx *ctx, const char *path) CW_USED_RESULT;
/* From memory (tests, fuzzers); the bytes must stay. Index files name other files and are not read here. */
cw_archive *cw_archive_open_memory(cw_ctx *ctx, const unsigned char *bytes, int64_t n) CW_USED_RESULT;
void cw_archive_close(cw_archive *archive); /* NULL is fine */

const char *cw_archive_format(const cw_archive *archive); /* "PyTorch (zip)" */
int64_t cw_archive_count(const cw_archive *archive);
const cw_stored *cw_archive_at(const cw_archive *archive, int64_t i); /* in file order; NULL: no such */
/* By its name, or by what is left of it without the words that all names of the file begin with ("state_dict.",
 * "module.", "model."): number or -1. */
int64_t cw_archive_find(const cw_archive *archive, const char *name);
int64_t cw_archive_skipped(const cw_archive *archive); /* tensors that were left out */

/* entry->count elements in row-major order: as floats, or as they are, little-endian. Nothing is allocated. */
cw_status cw_stored_f32(cw_ctx *ctx, float *out, const cw_stored *entry);
cw_status cw_stored_raw(cw_ctx *ctx, void *out, const cw_stored *entry);
int64_t cw_stored_bytes(const cw_stored *entry); /* that raw writes */

/* All tensors, names and types as they are, into a safetensors file; replaces what is there. */
cw_status cw_archive_convert(const cw_archive *archive, const char *to);

/* ---- for the readers of formats ---- */

/* A new entry to be filled, or NULL with the error recorded; its name is prefix + name, copied and checked. */
cw_stored *cw_archive_add(cw_archive *archive, const char *prefix, const char *name, int64_t name_bytes);
/* Row-major strides and the number of elements from dim; the bytes of all, or -1 where no machine holds them. */
int64_t cw_stored_pack(cw_stored *entry);
void cw_archive_skip(cw_archive *archive, int64_t tensors);
/* 1: the word, a name's first, stands for something only training needs. */
int cw_archive_is_training(const char *word, int64_t bytes);
cw_status cw_torch_zip_read(cw_archive *archive, cw_ctx *ctx, const unsigned char *bytes, int64_t n);    /* torch.c */
cw_status cw_torch_legacy_read(cw_archive *archive, cw_ctx *ctx, const unsigned char *bytes, int64_t n); /* torch.c */
cw_status cw_mindspore_read(cw_archive *archive, cw_ctx *ctx, const unsigned char *bytes, int64_t n); /* mindspore.c */

#endif
