/* sha256.h: the SHA-256 digest (FIPS 180-4), to tell whether a file is the one it was. */
#ifndef CW_IO_SHA256_H
#define CW_IO_SHA256_H

#include "../core/core.h"

typedef struct cw_sha256 {
    uint32_t state[8];
    uint64_t bytes;
    unsigned char block[64];
} cw_sha256;

void cw_sha256_start(cw_sha256 *s);
void cw_sha256_add(cw_sha256 *s, const void *data, size_t n);
/* text (65): 64 hexadecimal digits, lower case, and NUL. s must be started again to be used again. */
void cw_sha256_text(char *text, cw_sha256 *s);
/* The same of a file; CW_ERR_IO with the reason if it can't be read to its end. Polls for interrupts. */
cw_status cw_sha256_file(cw_ctx *ctx, char *text, const char *path);

#endif
