/* mapped.h: a file's bytes in memory, read only. A file that another process cuts short while it is mapped is beyond
 * us. */
#ifndef CW_IO_MAPPED_H
#define CW_IO_MAPPED_H

#include "../core/core.h"

typedef struct cw_mapped {
    const unsigned char *bytes;
    int64_t size;
    int mapped;   /* bytes come from mmap */
    char *loaded; /* bytes, where they were read into memory instead */
} cw_mapped;

/* The whole file; an empty one has no bytes and is no error. The status, with the error recorded. */
cw_status cw_mapped_open(cw_ctx *ctx, cw_mapped *file, const char *path);
void cw_mapped_close(cw_ctx *ctx, cw_mapped *file); /* also one that is zeroed or failed to open */

#endif
