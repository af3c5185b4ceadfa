/* h5_write.h: what AnnData's files are made of, written: groups, tables, text, attributes. Between cw_h5_create or
 * cw_h5_open(.., 1) and cw_h5_close. */
#ifndef CW_IO_H5_WRITE_H
#define CW_IO_H5_WRITE_H

#include "hdf5.h"

/* Types in the file. Flags are what h5py calls bool; text has variable length and is UTF-8. */
typedef enum cw_h5_put_type {
    CW_H5_PUT_F64,
    CW_H5_PUT_F32,
    CW_H5_PUT_I64,
    CW_H5_PUT_I32,
    CW_H5_PUT_I8,
    CW_H5_PUT_FLAG,
    CW_H5_PUT_TEXT,
    CW_H5_PUT_TYPES
} cw_h5_put_type;

/* Values, row-major, as doubles, as 32-bit integers, or as text; rank 0 is a single one. */
typedef struct cw_h5_put_data {
    cw_h5_put_type type;
    int rank;
    int64_t dim[2];
    const double *number;
    const int32_t *whole;
    const char **text;
    int plain; /* a table of it isn't compressed */
} cw_h5_put_data;

cw_status cw_h5_put_group(cw_ctx *ctx, cw_h5 *h, const char *name);
/* A new table. Numbers of rank 1 can grow, and those of rank 2 without a row by rows; those of many values are in chunks with gzip
 * unless they are plain. */
cw_status cw_h5_put_table(cw_ctx *ctx, cw_h5 *h, const char *name, const cw_h5_put_data *data);
/* More numbers, or rows, at the end of such a table. */
cw_status cw_h5_put_append(cw_ctx *ctx, cw_h5 *h, const char *name, const cw_h5_put_data *data);
/* Of a group or table ("/" the file). Rank 1 of length 0 is fine. */
cw_status cw_h5_put_attribute(cw_ctx *ctx, cw_h5 *h, const char *name, const char *attribute,
                              const cw_h5_put_data *data);

#endif
