/* core.c: see core.h. */
#define _DEFAULT_SOURCE /* madvise */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

/* Every block carries in front what cw_free needs. Aligned by hand: aligned_alloc isn't everywhere. */
typedef struct block_head {
    int64_t bytes; /* as asked */
    void *system;  /* as malloc gave it */
    char pad[CW_ALIGN - sizeof(int64_t) - sizeof(void *)];
} block_head;

cw_ctx *cw_ctx_new(const cw_host *host)
{
    cw_ctx *ctx = calloc(1, sizeof *ctx);
    if (!ctx) return NULL;
    if (host) ctx->host = *host;
    ctx->threads = 1;
    ctx->fail_at = -1;
    return ctx;
}

void cw_ctx_free(cw_ctx *ctx)
{
    if (ctx) cw_ctx_let_go(ctx);
    free(ctx);
}

void *cw_ctx_kept(const cw_ctx *ctx, const void *kind, int64_t number)
{
    for (const cw_belonging *b = ctx->belonging; b; b = b->next)
        if (b->kind == kind && b->number == number) return b->value;
    return NULL;
}

void *cw_ctx_keep(cw_ctx *ctx, const void *kind, int64_t number, void *value,
                  void (*release)(cw_ctx *ctx, void *value))
{
    cw_belonging *b = cw_alloc(ctx, 1, sizeof *b);
    if (!b) {
        release(ctx, value);
        return NULL;
    }
    *b = (cw_belonging){ctx->belonging, kind, number, value, release};
    ctx->belonging = b;
    return value;
}

void cw_ctx_let_go(cw_ctx *ctx)
{
    while (ctx->belonging) {
        cw_belonging *b = ctx->belonging;
        ctx->belonging = b->next;
        b->release(ctx, b->value);
        cw_free(ctx, b);
    }
}

cw_status cw_fail(cw_ctx *ctx, cw_status status, const char *format, ...)
{
    if (ctx->status != CW_OK) return ctx->status;
    va_list args;
    va_start(args, format);
    vsnprintf(ctx->text, sizeof ctx->text, format, args);
    va_end(args);
    ctx->status = status;
    return status;
}

void cw_ctx_clear(cw_ctx *ctx)
{
    ctx->status = CW_OK;
    ctx->text[0] = '\0';
}

const char *cw_status_name(cw_status status)
{
    static const char *const names[] = {"ok",     "argument", "shape", "memory",   "io",
                                        "format", "numeric",  "state", "interrupt", "busy"};
    return (unsigned)status < sizeof names / sizeof *names ? names[status] : "unknown";
}

/* Large blocks in pages of 2 MB where the system leaves that to the program: rows of a matrix that lie 6 kB apart are
 * each on a page of 4 kB of their own, more than a processor finds without looking them up (products of matrices: 1.3
 * times as fast). Only whole large pages within the block: no other memory is touched. */
static void prefer_large_pages(char *raw, size_t bytes)
{
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const uintptr_t page = (uintptr_t)1 << 21;
    uintptr_t first = ((uintptr_t)raw + page - 1) / page * page, end = ((uintptr_t)raw + bytes) / page * page;
    if (end > first) (void)madvise((void *)first, end - first, MADV_HUGEPAGE); /* advice: failing is no harm */
#else
    (void)raw, (void)bytes;
#endif
}

static block_head *try_system(cw_ctx *ctx, int64_t bytes)
{
    int64_t call = ctx->memory.calls++;
    if (call == ctx->fail_at) return NULL;
    char *raw = malloc(sizeof(block_head) + (size_t)bytes + CW_ALIGN);
    if (!raw) return NULL;
    if (bytes >= 4 << 20) prefer_large_pages(raw, sizeof(block_head) + (size_t)bytes + CW_ALIGN);
    block_head *head = (block_head *)(raw + (CW_ALIGN - (uintptr_t)raw % CW_ALIGN));
    head->bytes = bytes;
    head->system = raw;
    return head;
}

void *cw_alloc(cw_ctx *ctx, int64_t n, size_t size)
{
    if (ctx->status != CW_OK) return NULL;
    if (n < 0 || (size && (uint64_t)n > (uint64_t)(INT64_MAX / 4) / size)) {
        cw_fail(ctx, CW_ERR_MEMORY, "a request for %lld items of %zu bytes is beyond any machine", (long long)n, size);
        return NULL;
    }
    int64_t bytes = n * (int64_t)size;
    int over = ctx->memory.limit && ctx->memory.bytes + bytes > ctx->memory.limit;
    block_head *head = over ? NULL : try_system(ctx, bytes);
    if (!head && !over && ctx->host.pressure && ctx->host.pressure(ctx->host.user, bytes)) head = try_system(ctx, bytes);
    if (!head) {
        cw_fail(ctx, CW_ERR_MEMORY, "could not get %.1f MB (in use %.1f MB%s)", (double)bytes / 1048576.0,
                (double)ctx->memory.bytes / 1048576.0, over ? ", over the limit that was set" : "");
        return NULL;
    }
    ctx->memory.bytes += bytes;
    if (ctx->memory.bytes > ctx->memory.peak) ctx->memory.peak = ctx->memory.bytes;
    return head + 1;
}

void *cw_calloc(cw_ctx *ctx, int64_t n, size_t size)
{
    void *p = cw_alloc(ctx, n, size);
    if (p) memset(p, 0, (size_t)n * size);
    return p;
}

void cw_free(cw_ctx *ctx, void *p)
{
    if (!p) return;
    block_head *head = (block_head *)p - 1;
    ctx->memory.bytes -= head->bytes;
    free(head->system);
}

char *cw_strdup(cw_ctx *ctx, const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = cw_alloc(ctx, (int64_t)n, 1);
    if (copy) memcpy(copy, s, n);
    return copy;
}

void cw_memory_reset_peak(cw_ctx *ctx) { ctx->memory.peak = ctx->memory.bytes; }

cw_status cw_poll(cw_ctx *ctx)
{
    if (ctx->status == CW_OK && ctx->host.interrupted && ctx->host.interrupted(ctx->host.user))
        cw_fail(ctx, CW_ERR_INTERRUPT, "stopped at the user's request");
    return ctx->status;
}

void cw_log(cw_ctx *ctx, int level, const char *format, ...)
{
    if (!ctx->host.log) return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ctx->host.log(ctx->host.user, level, text);
}
