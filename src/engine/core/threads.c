/* threads.c: see threads.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_DEFAULT */
#endif
#include "threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if !defined(_WIN32)
#include <dlfcn.h>
#include <strings.h>
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

/* ---- the number of threads ------------------------------------------------------------------------------------ */

#ifdef _OPENMP
/* The number at the start of an environment variable ("8" or OMP's "8,2"); 0 where it is absent or no count. */
static int env_count(const char *name)
{
    const char *text = getenv(name);
    long n = text ? strtol(text, NULL, 10) : 0;
    return n > 0 && n < 100000 ? (int)n : 0;
}

static int env_true(const char *name)
{
    const char *text = getenv(name);
    return text && *text && strcmp(text, "0") != 0 && strcmp(text, "false") != 0 && strcmp(text, "FALSE") != 0;
}

static int at_most(int n, int bound) { return bound > 0 && bound < n ? bound : n; }
#endif

/* A process made by fork() (R's mclapply, BiocParallel's MulticoreParam) has none of its parent's OpenMP workers, and
 * GNU's runtime would wait for them for ever. It doesn't matter who made the workers: any package with OpenMP will do.
 * So what counts is the process that loaded the engine, and whether that one was itself forked. */
static struct {
    long process; /* 0: not started */
    int forked;
} home;

/* Linux's word for a process that was forked and has run no program of its own since: PF_FORKNOEXEC, the sixth bit of
 * the seventh field behind the name in /proc/self/stat. Elsewhere it isn't known. */
static int was_forked(void)
{
    char text[1024] = "";
    FILE *f = fopen("/proc/self/stat", "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[n] = '\0';
    const char *at = strrchr(text, ')'); /* the name may hold anything */
    for (int field = 0; at && field < 7; field++) at = strchr(at + 1, ' ');
    return at && (strtoul(at, NULL, 10) & 0x40UL) != 0;
}

void cw_threads_start(void)
{
#if !defined(_WIN32)
    if (home.process) return;
    home.process = (long)getpid();
    home.forked = was_forked();
#endif
}

static int is_forked(void)
{
#if defined(_OPENMP) && !defined(_WIN32)
    cw_threads_start();
    return home.forked || home.process != (long)getpid();
#else
    return 0;
#endif
}

int cw_threads_usable(int threads) { return is_forked() ? 1 : threads; }

int cw_threads_resolve(int wanted)
{
    if (is_forked()) return 1;
#ifdef _OPENMP
    int n = wanted > 0 ? wanted : 2;
    n = at_most(n, omp_get_num_procs());
    n = at_most(n, env_count("OMP_NUM_THREADS"));
    n = at_most(n, env_count("OMP_THREAD_LIMIT"));
    if (env_true("_R_CHECK_LIMIT_CORES_") || env_true("IS_BIOC_BUILD_MACHINE")) n = at_most(n, 2);
    return n;
#else
    (void)wanted;
    return 1;
#endif
}

/* ---- interrupts ----------------------------------------------------------------------------------------------- */

int cw_watch_stop(const cw_watch *w)
{
    int stop;
    if (!w) return 0;
    if (w->ctx && cw_poll(w->ctx) != CW_OK) {
#pragma omp atomic write
        *w->stop = 1;
    }
#pragma omp atomic read
    stop = *w->stop;
    return stop;
}

void cw_watch_rest(cw_ctx *ctx, int *done, int *stop)
{
#ifdef _OPENMP
    const struct timespec nap = {0, 5000000};
    const cw_watch watch = cw_watch_here(ctx, stop);
    int finished, team = omp_get_num_threads();
#pragma omp atomic capture
    finished = ++*done;
    while (cw_thread_number() == 0 && finished < team) {
        nanosleep(&nap, NULL);
        (void)cw_watch_stop(&watch);
#pragma omp atomic read
        finished = *done;
    }
#else
    (void)ctx, (void)done, (void)stop;
#endif
}

/* ---- the processor -------------------------------------------------------------------------------------------- */

/* What the SIMD code of the kernels needs; also what OpenBLAS's SkylakeX and Haswell kernels need. */
static int has_avx512(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("fma");
#else
    return 0;
#endif
}

static int has_avx2(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
    return 0;
#endif
}

const char *cw_cpu_simd(void) { return has_avx512() ? "avx512" : has_avx2() ? "avx2" : "generic"; }

const char *cw_cpu_name(void)
{
#if defined(__x86_64__)
    /* the brand string: 48 bytes from three CPUID leaves, padded with blanks */
    static char name[49];
    unsigned int word[12];
    for (unsigned int leaf = 0; leaf < 3; leaf++)
        if (!__get_cpuid(0x80000002u + leaf, word + 4 * leaf, word + 4 * leaf + 1, word + 4 * leaf + 2,
                         word + 4 * leaf + 3))
            return "unknown";
    char text[49];
    memcpy(text, word, 48);
    text[48] = '\0';
    char *from = text, *to = text + strlen(text);
    while (*from == ' ') from++;
    while (to > from && to[-1] == ' ') *--to = '\0';
    if (!*from) return "unknown";
    memmove(name, from, strlen(from) + 1);
    return name;
#else
    return "unknown";
#endif
}

/* ---- the BLAS ------------------------------------------------------------------------------------------------- */

/* OpenBLAS's own functions, looked up at run time: the library behind the BLAS interface may be another one. */
typedef struct openblas {
    char *(*corename)(void);
    char *(*config)(void);
    int (*get_threads)(void);
    void (*set_threads)(int);
    void (*dispatch_quit)(void);
    void (*dispatch_init)(void);
} openblas;

#if !defined(_WIN32)
static void look_up(void *function_pointer, const char *name)
{
    void *address = dlsym(RTLD_DEFAULT, name);
    memcpy(function_pointer, &address, sizeof address); /* ISO C has no cast from an object to a function pointer */
}
#endif

static openblas openblas_find(void)
{
    openblas b = {0};
#if !defined(_WIN32)
    look_up(&b.corename, "openblas_get_corename");
    look_up(&b.config, "openblas_get_config");
    look_up(&b.get_threads, "openblas_get_num_threads");
    look_up(&b.set_threads, "openblas_set_num_threads");
    look_up(&b.dispatch_quit, "gotoblas_dynamic_quit");
    look_up(&b.dispatch_init, "gotoblas_dynamic_init");
#endif
    return b;
}

/* Found once; a race would only find the same twice. */
static const openblas *openblas_get(void)
{
    static openblas found;
    static int looked;
    if (!looked) {
        found = openblas_find();
        looked = 1;
    }
    return &found;
}

static struct {
    char name[64], loaded[32];
    int retuned;
} blas_state;

#if defined(__x86_64__) && !defined(_WIN32)
/* Generations of OpenBLAS's x86-64 kernels: 3 AVX-512, 2 AVX2 with FMA, 1 AVX, 0 older. -1: not one we know. */
static int core_generation(const char *core)
{
    static const struct {
        const char *name;
        int generation;
    } known[] = {{"SkylakeX", 3},   {"Cooperlake", 3}, {"SapphireRapids", 3}, {"Haswell", 2},     {"Zen", 2},
                 {"Excavator", 2},  {"Sandybridge", 1}, {"Bulldozer", 1},     {"Piledriver", 1},  {"Steamroller", 1},
                 {"Prescott", 0},   {"Core2", 0},       {"Penryn", 0},        {"Dunnington", 0},  {"Nehalem", 0},
                 {"Athlon", 0},     {"Opteron", 0},     {"Opteron_SSE3", 0},  {"Barcelona", 0},   {"Bobcat", 0},
                 {"Atom", 0},       {"Nano", 0},        {"Katmai", 0},        {"Coppermine", 0},  {"Northwood", 0},
                 {"Banias", 0}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(core, known[i].name) == 0) return known[i].generation;
    return -1;
}
#endif

/* "OpenBLAS 0.3.21" from "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..." */
static void blas_name(const openblas *b)
{
    const char *config = b->config ? b->config() : NULL;
    size_t n = 0;
    int words = 0;
    if (config && strncmp(config, "OpenBLAS ", 9) == 0) {
        while (config[n] && n + 1 < sizeof blas_state.name && !(config[n] == ' ' && ++words == 2)) n++;
        memcpy(blas_state.name, config, n);
        blas_state.name[n] = '\0';
    } else if (b->corename)
        strcpy(blas_state.name, "OpenBLAS");
}

void cw_blas_tune(int allow)
{
#if defined(__x86_64__) && !defined(_WIN32)
    const openblas *b = openblas_get();
    const char *wanted = has_avx512() ? "SkylakeX" : has_avx2() ? "Haswell" : NULL;
    const char *user = getenv("OPENBLAS_CORETYPE"); /* an empty one is no wish */
    if (!allow || !wanted || blas_state.retuned || (user && *user)) return;
    if (!b->corename || !b->config || !b->dispatch_quit || !b->dispatch_init) return;
    if (!b->config() || !strstr(b->config(), "DYNAMIC_ARCH") || !b->corename()) return;
    int now = core_generation(b->corename());
    if (now < 0 || now >= core_generation(wanted)) return;
    cw_blas_get(); /* remembers the core that was loaded */
    /* The variable is there only while the library reads it: child processes must not see it. */
    if (setenv("OPENBLAS_CORETYPE", wanted, 1) != 0) return;
    b->dispatch_quit();
    b->dispatch_init();
    if (user) setenv("OPENBLAS_CORETYPE", "", 1);
    else unsetenv("OPENBLAS_CORETYPE");
    blas_state.retuned = core_generation(b->corename()) > now;
#else
    (void)allow;
#endif
}

cw_blas_info cw_blas_get(void)
{
    const openblas *b = openblas_get();
    cw_blas_info info = {"", "", "", blas_state.retuned};
    if (!blas_state.name[0]) blas_name(b);
#ifdef CW_HAVE_CBLAS
    info.name = blas_state.name[0] ? blas_state.name : "CBLAS";
#else
    info.name = "none (built-in)";
#endif
    if (b->corename && b->corename()) {
        info.core = b->corename();
        if (!blas_state.loaded[0]) strncpy(blas_state.loaded, info.core, sizeof blas_state.loaded - 1);
        info.core_loaded = blas_state.loaded;
    }
    return info;
}

int cw_blas_enter(void)
{
    const openblas *b = openblas_get();
    int before = b->get_threads && b->set_threads ? b->get_threads() : 1;
    if (before > 1) b->set_threads(1);
    return before;
}

void cw_blas_leave(int before)
{
    if (before > 1) openblas_get()->set_threads(before);
}
