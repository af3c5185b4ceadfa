/* hdf5.h: tables in HDF5 files: made whole, filled by rows, read by rows.
 *
 * A table has 1 to 3 dimensions, the first being its rows, in one of the types below; it is stored in one piece, not
 * compressed. Files are written in the format of HDF5 1.8: its metadata carry checksums, and its mark "open for
 * writing", which a killed process leaves behind, keeps nobody from opening the file (in later formats it does). Filling a table
 * changes its rows alone, so a file is sound whenever the writer dies. An open file is locked (flock): a writer is
 * alone, readers are many; who comes at the wrong time gets CW_ERR_BUSY and may try again. What is read may come from anywhere: links out of
 * the file, external and virtual storage, filters, other types, and tables larger than their file are refused.
 * Without HDF5 (CW_HAVE_HDF5) every open fails and says so. For one thread at a time. */
#ifndef CW_IO_HDF5_H
#define CW_IO_HDF5_H

#include "../core/core.h"

/* "1.10.8" of the library in use; "" when built without HDF5. A static string. */
const char *cw_hdf5_version(void);

typedef enum cw_h5_type {
    CW_H5_U16,
    CW_H5_I32,
    CW_H5_F32,
    CW_H5_F64,
    CW_H5_TEXT /* rank 1; UTF-8, each item `width` bytes, padded with zeros */
} cw_h5_type;

typedef struct cw_h5_shape {
    cw_h5_type type;
    int64_t width; /* bytes of an item */
    int rank;
    int64_t dim[3];
    int64_t row_bytes; /* of one row */
} cw_h5_shape;

typedef struct cw_h5 cw_h5;

/* Makes `path` an empty HDF5 file, whatever it held; opens an existing one. NULL, with the error recorded, when that
 * can't be: CW_ERR_BUSY when another program has the file open. */
cw_h5 *cw_h5_create(cw_ctx *ctx, const char *path) CW_USED_RESULT;
cw_h5 *cw_h5_open(cw_ctx *ctx, const char *path, int write) CW_USED_RESULT;
/* Frees h in any case; the status says whether everything reached the file. NULL is fine. */
cw_status cw_h5_close(cw_ctx *ctx, cw_h5 *h);

/* A new table `name` ("group/table"; groups are made) with room in the file, its content undefined. shape->row_bytes is
 * not read; width is read for text only. */
cw_status cw_h5_make(cw_ctx *ctx, cw_h5 *h, const char *name, const cw_h5_shape *shape);

/* 1 if there is a table `name` of a type that can be read here; its shape then is in *shape. */
int cw_h5_find(cw_h5_shape *shape, cw_h5 *h, const char *name);

/* CW_ERR_STATE unless the table `name` is one text, `text`: is this still the file it was? */
cw_status cw_h5_expect(cw_ctx *ctx, cw_h5 *h, const char *name, const char *text);

/* Rows first .. first + n - 1, packed. The table must have `type` (and for text `width`) and these rows. */
cw_status cw_h5_read(cw_ctx *ctx, void *rows, cw_h5 *h, const char *name, cw_h5_type type, int64_t first, int64_t n);
cw_status cw_h5_write(cw_ctx *ctx, cw_h5 *h, const char *name, const void *rows, cw_h5_type type, int64_t first,
                      int64_t n);

/* The rows with the n numbers `row`, in that order. */
cw_status cw_h5_gather(cw_ctx *ctx, void *rows, cw_h5 *h, const char *name, cw_h5_type type, const int32_t *row,
                       int64_t n);

/* Disk space for the whole of the file, now, so that filling it can't fail for lack of it. CW_ERR_IO when there isn't
 * enough, or the file can't be opened. Does nothing where the file system can't do this. */
cw_status cw_file_reserve(cw_ctx *ctx, const char *path);

/* Bytes free for users on the file system of `path`; -1: not known. */
double cw_disk_free(const char *path);

#endif
