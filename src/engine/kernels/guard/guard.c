/* guard.c: see guard.h. All memory of the device is one reservation, so that opening and closing it is one call. */
#ifdef __linux__
#define _GNU_SOURCE
#endif
#include "guard.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifdef __linux__

#include <signal.h>
#include <sys/mman.h>

#define RESERVED ((size_t)1 << 31) /* bytes of addresses; pages become memory when they are written */
#define MOST_PIECES 65536

/* The reservation, cut into pieces that lie end to end. */
typedef struct {
    size_t at, bytes;
    int taken;
} piece;

static struct {
    char *base;
    size_t used; /* the pages below have been handed out at some time: only they are opened and closed */
    piece piece[MOST_PIECES];
    int pieces;
    int64_t held;
    int depth; /* of kernels and device functions that run now */
    volatile sig_atomic_t faults;
    int64_t touches;
    const char *last; /* the kernel that ran last */
    char text[256];
    const cw_kernels *inner;
} guard;

static void set_access(int access)
{
    if (guard.used) mprotect(guard.base, guard.used, access);
}

static void enter(void)
{
    if (guard.depth++ == 0) set_access(PROT_READ | PROT_WRITE);
}

static void note(const char *format, ...) CW_FORMAT(1, 2);
static void note(const char *format, ...)
{
    if (guard.touches++ > 0) return;
    va_list args;
    va_start(args, format);
    vsnprintf(guard.text, sizeof guard.text, format, args);
    va_end(args);
}

static void leave(void)
{
    if (--guard.depth == 0) set_access(PROT_NONE);
}

/* Opens the pages for whoever stands before the closed door, and remembers it; any other fault is not ours. */
static void on_fault(int signal, siginfo_t *info, void *context)
{
    (void)context;
    char *at = info->si_addr;
    if (at >= guard.base && at < guard.base + RESERVED && guard.depth == 0) {
        guard.faults++;
        set_access(PROT_READ | PROT_WRITE);
        return;
    }
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigaction(signal, &standard, NULL);
}

static int ready(void)
{
    if (guard.base) return 1;
    void *base = mmap(NULL, RESERVED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) return 0;
    guard.base = base;
    guard.piece[0] = (piece){0, RESERVED, 0};
    guard.pieces = 1;
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, NULL);
    return 1;
}

/* ---- the device ---- */

static void *guard_take(cw_ctx *ctx, int64_t bytes)
{
    size_t want = bytes < 1 ? 4096 : ((size_t)bytes + 4095) / 4096 * 4096;
    for (int i = 0; ready() && i < guard.pieces; i++) {
        piece *p = &guard.piece[i];
        if (p->taken || p->bytes < want || (p->bytes > want && guard.pieces == MOST_PIECES)) continue;
        if (p->bytes > want) {
            memmove(p + 2, p + 1, (size_t)(guard.pieces - i - 1) * sizeof *p);
            p[1] = (piece){p->at + want, p->bytes - want, 0};
            guard.pieces++;
            p->bytes = want;
        }
        p->taken = 1;
        guard.held += (int64_t)want;
        if (p->at + want > guard.used) guard.used = p->at + want;
        return guard.base + p->at;
    }
    cw_fail(ctx, CW_ERR_MEMORY, "guard: no room for %lld bytes", (long long)bytes);
    return NULL;
}

static void join_right(int i)
{
    if (i < 0 || i + 1 >= guard.pieces || guard.piece[i].taken || guard.piece[i + 1].taken) return;
    guard.piece[i].bytes += guard.piece[i + 1].bytes;
    memmove(guard.piece + i + 1, guard.piece + i + 2, (size_t)(guard.pieces - i - 2) * sizeof(piece));
    guard.pieces--;
}

static void guard_give(cw_ctx *ctx, void *pointer)
{
    (void)ctx;
    for (int i = 0; pointer && i < guard.pieces; i++) {
        piece *p = &guard.piece[i];
        if (!p->taken || guard.base + p->at != pointer) continue;
        p->taken = 0;
        guard.held -= (int64_t)p->bytes;
        join_right(i);
        join_right(i - 1);
        return;
    }
}

static void guard_copy(cw_ctx *ctx, void *to, const void *from, int64_t bytes)
{
    enter();
    cw_device_host.copy(ctx, to, from, bytes);
    leave();
}

static void guard_fill(cw_ctx *ctx, void *to, int byte, int64_t bytes)
{
    enter();
    cw_device_host.fill(ctx, to, byte, bytes);
    leave();
}

static void guard_sync(cw_ctx *ctx) { (void)ctx; }

const cw_device cw_device_guard = {.name = "guard",
                                   .take = guard_take,
                                   .give = guard_give,
                                   .copy_in = guard_copy,
                                   .copy_out = guard_copy,
                                   .copy = guard_copy,
                                   .fill = guard_fill,
                                   .sync = guard_sync};

/* ---- what the wrappers look at ---- */

static void begin(const char *entry)
{
    if (guard.faults) note("device memory was touched from outside before %s, after %s", entry, guard.last);
    guard.faults = 0;
    guard.last = entry;
    enter();
}

static void is_there(const char *entry, const char *what, const void *p)
{
    const char *at = p;
    if (p && (at < guard.base || at > guard.base + RESERVED)) note("%s got %s in the host's memory", entry, what);
}

static void look_at_ragged(const char *entry, const char *what, cw_ragged r)
{
    if (!r.there) note("%s got %s with offsets on the host alone", entry, what);
    is_there(entry, what, r.there);
}

static void look_at_attend(const char *entry, const char *what, cw_attend a)
{
    look_at_ragged(entry, what, a.query);
    is_there(entry, what, a.key_start);
    is_there(entry, what, a.keys);
    is_there(entry, what, a.prefix);
}

static void look_at_scan(const char *entry, const char *what, cw_scan s) { look_at_ragged(entry, what, s.seq); }

static void look_at_prior(const char *entry, const char *what, cw_prior p)
{
    look_at_ragged(entry, what, p.gene);
    look_at_ragged(entry, what, p.tf);
    is_there(entry, what, p.tf_gene);
    is_there(entry, what, p.gene_token);
    is_there(entry, what, p.pair);
}

static void look_at_sparse(const char *entry, const char *what, const cw_sparse *a)
{
    is_there(entry, what, a->start);
    is_there(entry, what, a->index);
    is_there(entry, what, a->place);
}

#include "guard_entries.inc"

const cw_kernels *cw_kernels_guard(const cw_kernels *inner)
{
    guard.inner = inner;
    return ready() ? &guarded : NULL;
}

int64_t cw_guard_touches(char *text, size_t size)
{
    if (guard.faults) note("device memory was touched from outside after %s", guard.last ? guard.last : "nothing");
    guard.faults = 0;
    if (guard.base && guard.depth == 0) set_access(PROT_NONE);
    int64_t touches = guard.touches;
    if (size) snprintf(text, size, "%s", touches ? guard.text : "");
    guard.touches = 0;
    return touches;
}

int64_t cw_guard_held(void) { return guard.held; }

#else

const cw_kernels *cw_kernels_guard(const cw_kernels *inner)
{
    (void)inner;
    return NULL;
}

int64_t cw_guard_touches(char *text, size_t size)
{
    if (size) text[0] = '\0';
    return 0;
}

int64_t cw_guard_held(void) { return 0; }

#endif
