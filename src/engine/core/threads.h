/* threads.h: the one governor of threads, and the state of the BLAS.
 *
 * The engine runs its own OpenMP loops over tiles whose borders depend on shapes only, never on the number of threads,
 * and calls the BLAS on one thread inside them. So two thread pools are never multiplied, and results are the same to
 * the last bit for any number of threads. */
#ifndef CW_THREADS_H
#define CW_THREADS_H

#include "core.h"

#ifdef _OPENMP
#include <omp.h>
#endif

/* Remembers the process that loads the engine. A host calls it at load, before it can fork; else the first call here
 * counts. */
void cw_threads_start(void);

/* The number of the thread that asks, from 0 within its parallel region: for picking its own working memory only. */
static inline int cw_thread_number(void)
{
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

/* Who asks the host about interrupts in long work that several threads share: the thread that entered the engine polls,
 * the others hear of it through `stop`, which the caller set to 0. Ask at least every .1 s. */
typedef struct cw_watch {
    cw_ctx *ctx; /* NULL: not on this thread */
    int *stop;
} cw_watch;

/* The watch of the thread that asks, within a parallel region or outside. */
static inline cw_watch cw_watch_here(cw_ctx *ctx, int *stop)
{
    return (cw_watch){cw_thread_number() == 0 ? ctx : NULL, stop};
}

/* 1: stop now. NULL: never. */
int cw_watch_stop(const cw_watch *w);

/* Called by every thread of a parallel region after its share of a loop with `nowait` whose items may take longer than
 * .5 s: the thread that entered the engine goes on polling until the others are done, too. `done` counts them; the
 * caller sets it to 0 before the region. */
void cw_watch_rest(cw_ctx *ctx, int *done, int *stop);

/* Threads to use when `wanted` were asked for (0: the default, 2): bounded by the processors there are, by
 * OMP_NUM_THREADS and OMP_THREAD_LIMIT, and by 2 where _R_CHECK_LIMIT_CORES_ or IS_BIOC_BUILD_MACHINE say so. >= 1. */
int cw_threads_resolve(int wanted);

/* `threads`, or 1 in a process that was forked: OpenMP does not survive a fork, whoever used it before. */
int cw_threads_usable(int threads);

typedef struct cw_blas_info {
    const char *name;        /* "OpenBLAS 0.3.21", "CBLAS", "none (built-in)" */
    const char *core;        /* the kernels in use, such as "SkylakeX"; "" where unknown */
    const char *core_loaded; /* the kernels the library chose when it was loaded */
    int retuned;             /* 1: cw_blas_tune replaced the core type */
} cw_blas_info;

/* OpenBLAS as Debian ships it does not know newer processors and falls back to its oldest kernels. If `allow`, if the
 * library in use is such an OpenBLAS, if OPENBLAS_CORETYPE isn't set by the user, and if CPUID offers more than the
 * core in use, its dispatch is initialised again with the right core. Called once, before any other thread computes.
 * Never fails; what it did is in cw_blas_get. */
void cw_blas_tune(int allow);
cw_blas_info cw_blas_get(void);

/* Between enter and leave the BLAS runs on one thread (see above); leave restores what was set. They nest. */
int cw_blas_enter(void);
void cw_blas_leave(int before);

const char *cw_cpu_name(void);  /* static string, such as "AMD EPYC 9575F"; "unknown" */
const char *cw_cpu_simd(void);  /* "avx512", "avx2", "generic": what the CPU kernels will use */

#endif
