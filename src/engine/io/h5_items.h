/* h5_items.h: looking into HDF5 files that others wrote: what a group holds, attributes, columns of numbers, truth
 * values and text, members of records.
 *
 * Any type of number is read as double, text of fixed or variable length as UTF-8. Links out of the file, external and
 * virtual storage are refused, a filter that the library hasn't is named, and nothing larger than the file can hold is
 * allocated. */
#ifndef CW_IO_H5_ITEMS_H
#define CW_IO_H5_ITEMS_H

#include "hdf5.h"

typedef enum cw_h5_kind {
    CW_H5_GROUP,
    CW_H5_NUMBERS,
    CW_H5_FLAGS, /* h5py's truth values: an enumeration of 0 and 1 in bytes */
    CW_H5_STRINGS,
    CW_H5_RECORDS,
    CW_H5_OTHER
} cw_h5_kind;

typedef struct cw_h5_item {
    cw_h5_kind kind;
    int whole;      /* of numbers: integers? */
    int64_t width;  /* bytes of a value in the file */
    int rank;       /* -1: no values at all */
    int64_t dim[3]; /* the first three; 1 beyond rank */
    int64_t stored; /* bytes of values in the file */
} cw_h5_item;

/* Values, row-major: `number` (flags as 0 and 1), or text i from bytes + start[i] up to bytes + start[i + 1]. */
typedef struct cw_h5_values {
    cw_h5_kind kind;
    int whole;
    int64_t n;
    double *number;
    int64_t *start;
    char *bytes;
    int64_t room; /* of bytes */
} cw_h5_values;

typedef struct cw_h5_names {
    int64_t n;
    char **name;
} cw_h5_names;

/* What `name` ("/" the file itself) is; CW_ERR_FORMAT when it isn't there. */
cw_status cw_h5_look(cw_ctx *ctx, cw_h5_item *item, cw_h5 *h, const char *name);
int cw_h5_has(cw_h5 *h, const char *name);

/* Names of what a group holds, of an object's attributes, and of the members of records, in the file's order (of
 * groups: by name). */
cw_status cw_h5_children(cw_ctx *ctx, cw_h5_names *out, cw_h5 *h, const char *name);
cw_status cw_h5_attributes(cw_ctx *ctx, cw_h5_names *out, cw_h5 *h, const char *name);
cw_status cw_h5_members(cw_ctx *ctx, cw_h5_names *out, cw_h5 *h, const char *name);
void cw_h5_names_free(cw_ctx *ctx, cw_h5_names *names);

/* An attribute of an object; numbers, flags or text; kind CW_H5_OTHER and n = 0 for what is none of these. */
cw_status cw_h5_attribute(cw_ctx *ctx, cw_h5_values *out, cw_h5 *h, const char *name, const char *attribute);

/* A whole table of 0 to 2 dimensions, or a `member` of a table of records (an array of numbers in each record makes a
 * second dimension). */
cw_status cw_h5_values_read(cw_ctx *ctx, cw_h5_values *out, cw_h5 *h, const char *name, const char *member);
void cw_h5_values_free(cw_ctx *ctx, cw_h5_values *values);

/* A folder with filters that the library loads when a file needs them. */
void cw_h5_plugins(const char *folder);

#endif
