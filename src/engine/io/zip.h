/* zip.h: the table of a ZIP archive in memory, of files that are stored as they are: what PyTorch writes. Zip64 too.
 * Compressed or encrypted files, and archives of several volumes, are refused. */
#ifndef CW_IO_ZIP_H
#define CW_IO_ZIP_H

#include "../core/core.h"

typedef struct cw_zip_file {
    const char *name; /* in the archive's bytes, without a NUL at the end */
    int64_t name_bytes;
    const unsigned char *data;
    int64_t bytes;
} cw_zip_file;

typedef struct cw_zip {
    cw_ctx *ctx;
    cw_zip_file *file; /* sorted by name */
    int64_t count;
} cw_zip;

/* The archive in bytes[0..n), which must stay as long as it. The status, with the error recorded. */
cw_status cw_zip_open(cw_ctx *ctx, cw_zip *zip, const unsigned char *bytes, int64_t n);
void cw_zip_close(cw_zip *zip); /* also of one that failed */
/* The file named a followed by b (b_bytes bytes), or NULL. */
const cw_zip_file *cw_zip_find(const cw_zip *zip, const char *a, int64_t a_bytes, const char *b, int64_t b_bytes);
int cw_zip_is(const unsigned char *bytes, int64_t n); /* 1: begins as an archive does */

#endif
