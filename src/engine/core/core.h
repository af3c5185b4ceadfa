/* core.h: the ground everything else in the engine stands on: status, context, memory, host callbacks.
 *
 * A `cw_ctx` belongs to one thread at a time. It carries the first error (sticky: later calls on a failed context do
 * nothing until cw_ctx_clear), counts every byte, and knows the host (R, a test, a command line) only through callbacks.
 * The engine never aborts, exits or writes to the terminal. */
#ifndef CW_CORE_H
#define CW_CORE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define CW_FORMAT(a, b) __attribute__((format(printf, a, b)))
#define CW_USED_RESULT __attribute__((warn_unused_result))
#else
#define CW_FORMAT(a, b)
#define CW_USED_RESULT
#endif

#define CW_ALIGN 64 /* bytes: a cache line, and the widest vector register */

typedef enum cw_status {
    CW_OK = 0,
    CW_ERR_ARGUMENT,  /* a value that can't be right */
    CW_ERR_SHAPE,     /* tensors that don't fit together */
    CW_ERR_MEMORY,    /* an allocation failed, or would break the limit */
    CW_ERR_IO,        /* the file system said no */
    CW_ERR_FORMAT,    /* a file that isn't what it claims to be */
    CW_ERR_NUMERIC,   /* NaN or infinity where there must be none */
    CW_ERR_STATE,     /* called in the wrong order */
    CW_ERR_INTERRUPT, /* the user asked to stop */
    CW_ERR_BUSY       /* another program has the file open; it may be free soon */
} cw_status;

/* What the host lends the engine. Any member may be NULL. All are called on the thread that entered the engine. */
typedef struct cw_host {
    void *user;
    void (*log)(void *user, int level, const char *text); /* level: 0 debug, 1 info, 2 warning */
    int (*interrupted)(void *user);                       /* non-zero: stop soon */
    int (*pressure)(void *user, int64_t bytes);           /* memory is short: free some; non-zero if any was freed */
} cw_host;

typedef struct cw_memory {
    int64_t bytes; /* live now */
    int64_t peak;  /* largest `bytes` since cw_memory_reset_peak */
    int64_t limit; /* 0: none */
    int64_t calls; /* allocations asked of the system so far */
} cw_memory;

struct cw_ctx;
/* Something of a layer above that lives as long as the context, such as the plan of a transform. */
typedef struct cw_belonging {
    struct cw_belonging *next;
    const void *kind; /* whose it is: the address of something of the owner's */
    int64_t number;   /* which one */
    void *value;
    void (*release)(struct cw_ctx *ctx, void *value);
} cw_belonging;

typedef struct cw_ctx {
    cw_status status; /* sticky */
    char text[1024];  /* why, for people */
    cw_host host;
    cw_memory memory;
    int64_t fail_at;           /* tests: the allocation call with this number fails; -1: none */
    int threads;               /* OpenMP threads the kernels may use, >= 1 */
    int entered;               /* the host's own: non-zero while a call works with this context */
    int blas_before;           /* the host's own: what cw_blas_enter returned when that call began */
    const struct cw_kernels *kernels; /* the table in force, see kernels/kernels.h */
    cw_belonging *belonging;
} cw_ctx;

/* A new context; NULL when out of memory. `host` may be NULL and is copied. Threads = 1; kernels must be set by the
 * caller (cw_kernels_select). Freed with cw_ctx_free, after everything allocated from it. */
cw_ctx *cw_ctx_new(const cw_host *host) CW_USED_RESULT;
void cw_ctx_free(cw_ctx *ctx);

/* The value kept under (kind, number), or NULL. */
void *cw_ctx_kept(const cw_ctx *ctx, const void *kind, int64_t number);
/* Keeps `value`, not NULL, until cw_ctx_let_go or cw_ctx_free, which call `release` (with the context's memory still
 * there). Returns value; NULL with the error recorded, and value released, when that can't be. */
void *cw_ctx_keep(cw_ctx *ctx, const void *kind, int64_t number, void *value,
                  void (*release)(cw_ctx *ctx, void *value));
void cw_ctx_let_go(cw_ctx *ctx); /* of all that is kept */

/* Records an error unless one is recorded already; returns the status in force. `text` is a printf format. */
cw_status cw_fail(cw_ctx *ctx, cw_status status, const char *format, ...) CW_FORMAT(3, 4);
void cw_ctx_clear(cw_ctx *ctx);
const char *cw_status_name(cw_status status); /* a static string such as "shape" */

/* `n` items of `size` bytes, CW_ALIGN-aligned, uninitialised; NULL, with the error recorded, when that can't be had.
 * n = 0 gives a valid pointer. Freed with cw_free (NULL is fine). */
void *cw_alloc(cw_ctx *ctx, int64_t n, size_t size) CW_USED_RESULT;
void *cw_calloc(cw_ctx *ctx, int64_t n, size_t size) CW_USED_RESULT; /* the same, zeroed */
void cw_free(cw_ctx *ctx, void *p);
char *cw_strdup(cw_ctx *ctx, const char *s) CW_USED_RESULT; /* freed with cw_free */
void cw_memory_reset_peak(cw_ctx *ctx);

/* Polled between kernels. Returns the context's status; turns a host interrupt into CW_ERR_INTERRUPT. */
cw_status cw_poll(cw_ctx *ctx);
void cw_log(cw_ctx *ctx, int level, const char *format, ...) CW_FORMAT(3, 4);

#endif
