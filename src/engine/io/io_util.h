/* io_util.h: small things the readers and writers share; private to io/. Included before any system header. */
#ifndef CW_IO_UTIL_H
#define CW_IO_UTIL_H

#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L /* fileno, fsync, getpid, mmap */
#endif
#include "../core/core.h"
#include "place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Text from a file, fit for an error message: cut at a character's border, control characters replaced. */
typedef struct io_shown {
    char text[100];
} io_shown;

static inline io_shown io_show(const char *s)
{
    io_shown shown;
    size_t n = 0, room = sizeof shown.text - 4;
    for (; s[n] && n < room; n++) shown.text[n] = (unsigned char)s[n] < 32 || s[n] == 127 ? '?' : s[n];
    if (s[n]) {
        while (n > 0 && ((unsigned char)s[n] & 0xC0) == 0x80) n--; /* not inside a UTF-8 character */
        memcpy(shown.text + n, "...", 3);
        n += 3;
    }
    shown.text[n] = '\0';
    return shown;
}

/* Puts "where: " in front of an error that was recorded by a function that could not know the place. */
static inline void io_error_at(cw_ctx *ctx, const char *where)
{
    if (ctx->status == CW_OK) return;
    size_t used = strlen(where), room = sizeof ctx->text - 1, old = strlen(ctx->text);
    if (used > room / 2) used = room / 2;
    if (old > room - used - 2) old = room - used - 2;
    memmove(ctx->text + used + 2, ctx->text, old);
    memcpy(ctx->text, where, used);
    memcpy(ctx->text + used, ": ", 2);
    ctx->text[used + 2 + old] = '\0';
}

/* The first byte of s[0..n) that is not UTF-8 (RFC 3629: no overlong forms, no surrogates); n when all is well. */
static inline int64_t io_utf8_check(const char *s, int64_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    for (int64_t i = 0; i < n;) {
        int more = p[i] < 0x80 ? 0 : p[i] < 0xC2 ? -1 : p[i] < 0xE0 ? 1 : p[i] < 0xF0 ? 2 : p[i] < 0xF5 ? 3 : -1;
        if (more < 0 || more > n - i - 1) return i;
        for (int j = 1; j <= more; j++)
            if ((p[i + j] & 0xC0) != 0x80) return i;
        if ((p[i] == 0xE0 && p[i + 1] < 0xA0) || (p[i] == 0xED && p[i + 1] > 0x9F) ||
            (p[i] == 0xF0 && p[i + 1] < 0x90) || (p[i] == 0xF4 && p[i + 1] > 0x8F))
            return i;
        i += 1 + more;
    }
    return n;
}

/* Size of a regular file, or -1 with the error recorded. */
static inline int64_t io_file_size(cw_ctx *ctx, const char *path)
{
    struct stat info;
    int bad = stat(path, &info) != 0;
    if (ctx->status != CW_OK) return -1;
    if (bad) {
        cw_fail(ctx, CW_ERR_IO, "'%s' could not be opened: %s", path, strerror(errno));
        return -1;
    }
    if (!S_ISREG(info.st_mode)) {
        cw_fail(ctx, CW_ERR_IO, "'%s' is not a file", path);
        return -1;
    }
    return (int64_t)info.st_size;
}

/* The whole file and a NUL behind it; `*n` bytes without the NUL. NULL with the error recorded; cw_free. */
static inline char *io_read_all(cw_ctx *ctx, const char *path, int64_t max, int64_t *n)
{
    int64_t size = io_file_size(ctx, path);
    if (size < 0) return NULL;
    if (size > max) {
        cw_fail(ctx, CW_ERR_FORMAT, "'%s' has %lld bytes; at most %lld are read", path, (long long)size,
                (long long)max);
        return NULL;
    }
    char *text = cw_alloc(ctx, size + 1, 1);
    if (!text) return NULL;
    errno = 0;
    FILE *f = fopen(path, "rb");
    if (!f || (int64_t)fread(text, 1, (size_t)size, f) != size) {
        cw_fail(ctx, CW_ERR_IO, "'%s' could not be read: %s", path, errno ? strerror(errno) : "it ended too soon");
        cw_free(ctx, text);
        text = NULL;
    } else {
        text[size] = '\0';
        *n = size;
    }
    if (f) fclose(f);
    return text;
}

/* A file being written beside its final place. Open, fwrite to `f`, then close; whatever goes wrong, the part is
 * removed and the error recorded. */
typedef struct io_output {
    FILE *f;
    char *part, *target; /* cw_free */
    const char *path;
} io_output;

static inline cw_status io_output_open(cw_ctx *ctx, io_output *out, const char *path)
{
    cw_place_kind kind = CW_PLACE_NOTHING;
    *out = (io_output){.path = path, .target = cw_place_find(ctx, &kind, path)};
    if (kind > CW_PLACE_FILE) cw_fail(ctx, CW_ERR_IO, "is no file");
    if (out->target) out->part = cw_place_part(ctx, out->target, 1);
    if (out->part && !(out->f = fopen(out->part, "wb"))) {
        cw_fail(ctx, CW_ERR_IO, "could not be written: %s", strerror(errno));
        remove(out->part);
    }
    if (out->f) return CW_OK;
    io_error_at(ctx, path);
    cw_free(ctx, out->part);
    cw_free(ctx, out->target);
    return ctx->status;
}

/* Closes; with the context still in order flushes to the disk and renames; otherwise removes. */
static inline cw_status io_output_close(cw_ctx *ctx, io_output *out)
{
    errno = 0;
    int bad = ferror(out->f) || fflush(out->f) != 0;
    int reason = errno;
    if (fclose(out->f) != 0 && !bad) bad = 1, reason = errno;
    if (bad)
        cw_fail(ctx, CW_ERR_IO, "'%s' could not be written: %s", out->path, reason ? strerror(reason) : "write error");
    else if (ctx->status == CW_OK && cw_place_commit(ctx, out->part, out->target, 1) != CW_OK)
        io_error_at(ctx, out->path);
    if (ctx->status != CW_OK) remove(out->part);
    cw_free(ctx, out->part);
    cw_free(ctx, out->target);
    return ctx->status;
}

#endif
