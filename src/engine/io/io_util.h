/* io_util.h: small things the readers and writers share; private to io/. Included before any system header. */
#ifndef CW_IO_UTIL_H
#define CW_IO_UTIL_H

#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L /* fileno, fsync, getpid, mmap */
#endif
#include "../core/core.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#if defined(_WIN32)
#include <io.h>
#include <process.h>
#include <windows.h>
#else
#include <unistd.h>
#endif

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
#if defined(_WIN32)
    struct _stat64 info;
    int bad = _stat64(path, &info) != 0;
#else
    struct stat info;
    int bad = stat(path, &info) != 0;
#endif
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

/* A file being written beside its final place. Open, fwrite to `f`, then commit; whatever goes wrong, the partial file
 * is removed and the error recorded. */
typedef struct io_output {
    FILE *f;
    char *partial; /* cw_free */
    const char *path;
} io_output;

static inline cw_status io_output_open(cw_ctx *ctx, io_output *out, const char *path)
{
    out->f = NULL;
    out->path = path;
    out->partial = cw_alloc(ctx, (int64_t)strlen(path) + 32, 1);
    if (!out->partial) return ctx->status;
    snprintf(out->partial, strlen(path) + 32, "%s.tmp-%ld", path, (long)getpid());
    out->f = fopen(out->partial, "wb");
    if (out->f) return CW_OK;
    cw_fail(ctx, CW_ERR_IO, "'%s' could not be written: %s", path, strerror(errno));
    cw_free(ctx, out->partial);
    return ctx->status;
}

/* Closes; with the context still in order flushes to the disk and renames; otherwise removes. */
static inline cw_status io_output_close(cw_ctx *ctx, io_output *out)
{
    errno = 0;
    int bad = ferror(out->f) || fflush(out->f) != 0;
#if defined(_WIN32)
    bad = bad || _commit(_fileno(out->f)) != 0;
#else
    /* EINVAL: a file system that has no such thing */
    bad = bad || (ctx->status == CW_OK && fsync(fileno(out->f)) != 0 && errno != EINVAL);
#endif
    int reason = errno;
    if (fclose(out->f) != 0 && !bad) bad = 1, reason = errno;
    if (!bad && ctx->status == CW_OK) {
#if defined(_WIN32)
        bad = !MoveFileExA(out->partial, out->path, MOVEFILE_REPLACE_EXISTING);
#else
        bad = rename(out->partial, out->path) != 0;
#endif
        reason = errno;
    }
    if (bad)
        cw_fail(ctx, CW_ERR_IO, "'%s' could not be written: %s", out->path, reason ? strerror(reason) : "write error");
    if (ctx->status != CW_OK) remove(out->partial);
    cw_free(ctx, out->partial);
    return ctx->status;
}

#endif
