/* test_core.c: context, memory, arena, random numbers, threads, BLAS. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* setenv */
#endif
#include "test.h"

#include "core/arena.h"
#include "core/core.h"
#include "core/rng.h"
#include "core/threads.h"
#ifdef CW_HAVE_CBLAS
#include <cblas.h>
#endif

static void test_errors(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    CHECK(ctx && ctx->status == CW_OK && ctx->threads == 1, "a new context");
    CHECK(cw_fail(ctx, CW_ERR_SHAPE, "tensor '%s' has %d rows", "w", 3) == CW_ERR_SHAPE, "status");
    CHECK(strcmp(ctx->text, "tensor 'w' has 3 rows") == 0, "%s", ctx->text);
    CHECK(cw_fail(ctx, CW_ERR_IO, "later") == CW_ERR_SHAPE && strstr(ctx->text, "rows"), "the first error must stay");
    CHECK(cw_alloc(ctx, 1, 1) == NULL && ctx->memory.calls == 0, "a failed context must not allocate");
    CHECK(cw_poll(ctx) == CW_ERR_SHAPE, "poll");
    cw_ctx_clear(ctx);
    CHECK(ctx->status == CW_OK && ctx->text[0] == '\0' && cw_poll(ctx) == CW_OK, "clear");
    char longer[3000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    cw_fail(ctx, CW_ERR_ARGUMENT, "%s", longer);
    CHECK(strlen(ctx->text) == sizeof ctx->text - 1, "a long text is cut");
    CHECK(strcmp(cw_status_name(CW_ERR_INTERRUPT), "interrupt") == 0, "%s", cw_status_name(CW_ERR_INTERRUPT));
    CHECK(strcmp(cw_status_name((cw_status)99), "unknown") == 0, "%s", cw_status_name((cw_status)99));
    cw_ctx_free(ctx);
}

/* ---- host ------------------------------------------------------------------------------------------------------- */

typedef struct host_state {
    int stop, pressed, frees;
    char text[64];
} host_state;

static int host_interrupted(void *user) { return ((host_state *)user)->stop; }
static int host_pressure(void *user, int64_t bytes)
{
    host_state *h = user;
    h->pressed += bytes > 0;
    return h->frees;
}
static void host_log(void *user, int level, const char *text)
{
    snprintf(((host_state *)user)->text, sizeof((host_state *)user)->text, "%d %s", level, text);
}

static void test_host(void)
{
    host_state h = {0};
    cw_host host = {&h, host_log, host_interrupted, host_pressure};
    cw_ctx *ctx = cw_ctx_new(&host);
    cw_log(ctx, 2, "%d left", 5);
    CHECK(strcmp(h.text, "2 5 left") == 0, "%s", h.text);
    CHECK(cw_poll(ctx) == CW_OK, "poll");
    h.stop = 1;
    CHECK(cw_poll(ctx) == CW_ERR_INTERRUPT && ctx->status == CW_ERR_INTERRUPT, "interrupt");
    cw_ctx_clear(ctx);

    /* pressure: asked once when an allocation fails, and tried again only if it freed something */
    ctx->fail_at = ctx->memory.calls;
    CHECK(cw_alloc(ctx, 8, 1) == NULL && h.pressed == 1 && ctx->status == CW_ERR_MEMORY, "refused");
    cw_ctx_clear(ctx);
    h.frees = 1;
    ctx->fail_at = ctx->memory.calls;
    void *p = cw_alloc(ctx, 8, 1);
    CHECK(p && h.pressed == 2 && ctx->status == CW_OK, "second try");
    cw_free(ctx, p);
    cw_ctx_free(ctx);
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

static void test_memory(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    char *p[4];
    for (int i = 0; i < 4; i++) {
        p[i] = cw_alloc(ctx, 1000 * i, 3);
        CHECK(p[i] && (uintptr_t)p[i] % CW_ALIGN == 0, "aligned");
        memset(p[i], i, (size_t)(3000 * i));
    }
    CHECK(ctx->memory.bytes == 18000 && ctx->memory.peak == 18000 && ctx->memory.calls == 4, "%d bytes",
          (int)ctx->memory.bytes);
    cw_free(ctx, p[3]);
    cw_free(ctx, NULL);
    CHECK(ctx->memory.bytes == 9000 && ctx->memory.peak == 18000, "after free");
    cw_memory_reset_peak(ctx);
    CHECK(ctx->memory.peak == 9000, "peak");
    for (int i = 0; i < 3; i++) cw_free(ctx, p[i]);

    int *zero = cw_calloc(ctx, 100, sizeof *zero), sum = 0;
    for (int i = 0; i < 100; i++) sum |= zero[i];
    CHECK(sum == 0, "calloc");
    cw_free(ctx, zero);
    char *copy = cw_strdup(ctx, "gene");
    CHECK(copy && strcmp(copy, "gene") == 0, "strdup");
    cw_free(ctx, copy);
    CHECK(ctx->memory.bytes == 0, "all back: %d", (int)ctx->memory.bytes);

    /* sizes no machine has, negative ones, the limit */
    CHECK(!cw_alloc(ctx, INT64_MAX, 8) && ctx->status == CW_ERR_MEMORY, "overflow");
    cw_ctx_clear(ctx);
    CHECK(!cw_alloc(ctx, -1, 1) && ctx->status == CW_ERR_MEMORY, "negative");
    cw_ctx_clear(ctx);
    ctx->memory.limit = 1 << 20;
    CHECK(!cw_alloc(ctx, (1 << 20) + 1, 1) && strstr(ctx->text, "limit"), "limit: %s", ctx->text);
    cw_ctx_clear(ctx);
    void *q = cw_alloc(ctx, 1 << 20, 1);
    CHECK(q != NULL, "just at the limit");
    cw_free(ctx, q);
    ctx->memory.limit = 0;
    ctx->fail_at = ctx->memory.calls + 1;
    q = cw_alloc(ctx, 1, 1);
    CHECK(q && !cw_alloc(ctx, 1, 1) && ctx->status == CW_ERR_MEMORY, "the call named fails, not the one before");
    cw_free(ctx, q);
    cw_ctx_free(ctx);
}

static void test_arena(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    cw_arena *arena = cw_arena_new(ctx);
    int64_t sizes[] = {0, 1, 255, 256, 257, 4000, 4096, 4097, 100000, 1 << 20};
    enum { N = sizeof sizes / sizeof *sizes };
    int64_t calls = 0, held = 0;
    for (int step = 0; step < 5; step++) {
        char *p[N];
        for (int i = 0; i < N; i++) {
            p[i] = cw_arena_take(arena, sizes[i]);
            CHECK(p[i] && (uintptr_t)p[i] % CW_ALIGN == 0, "take %d", (int)sizes[i]);
            memset(p[i], 'a' + i, (size_t)sizes[i]);
        }
        for (int i = 0; i < N; i++) { /* no two overlap */
            int same = 1;
            for (int64_t b = 0; b < sizes[i]; b++) same = same && p[i][b] == 'a' + i;
            CHECK(same, "block %d was written over", i);
        }
        if (step == 0) calls = ctx->memory.calls, held = cw_arena_bytes(arena);
        CHECK(ctx->memory.calls == calls && cw_arena_bytes(arena) == held, "step %d allocates: %d", step,
              (int)ctx->memory.calls);
        if (step % 2)
            for (int i = 0; i < N; i += 2) cw_arena_give(arena, p[i]);
        cw_arena_reset(arena);
    }
    int64_t asked = 0;
    for (int i = 0; i < N; i++) asked += sizes[i];
    CHECK(held <= asked * 1.07 + 256 * N, "%d held for %d", (int)held, (int)asked);

    /* given back and taken again within a step: the same block; giving twice, or NULL, is harmless */
    void *a = cw_arena_take(arena, 5000);
    cw_arena_give(arena, a);
    cw_arena_give(arena, a);
    cw_arena_give(arena, NULL);
    void *b = cw_arena_take(arena, 5000), *c = cw_arena_take(arena, 5000);
    CHECK(a == b && b != c, "the block is used again, once");

    /* what two steps don't use goes back to the system */
    for (int step = 0; step < 4; step++) cw_arena_reset(arena);
    CHECK(cw_arena_bytes(arena) == 0, "%d bytes kept for nothing", (int)cw_arena_bytes(arena));

    /* errors */
    ctx->fail_at = ctx->memory.calls;
    CHECK(!cw_arena_take(arena, 100) && ctx->status == CW_ERR_MEMORY, "failed allocation");
    CHECK(!cw_arena_take(arena, 100), "sticky");
    cw_ctx_clear(ctx);
    CHECK(!cw_arena_take(arena, -5) && ctx->status == CW_ERR_MEMORY, "negative");
    cw_ctx_clear(ctx);
    CHECK(!cw_arena_take(arena, INT64_MAX) && ctx->status == CW_ERR_MEMORY, "absurd");
    cw_ctx_clear(ctx);
    CHECK(cw_arena_take(arena, 100) != NULL, "good again");
    cw_arena_free(arena);
    cw_arena_free(NULL);
    CHECK(ctx->memory.bytes == 0, "%d bytes leaked", (int)ctx->memory.bytes);
    ctx->fail_at = ctx->memory.calls;
    CHECK(!cw_arena_new(ctx), "no arena without memory");
    cw_ctx_free(ctx);
}

/* Many small blocks, given back in another order: all are found again, none overlaps, and a steady step asks for nothing. */
static void test_arena_records(void)
{
    enum { N = 3000 };
    static char *p[N];
    cw_ctx *ctx = cw_ctx_new(NULL);
    cw_arena *arena = cw_arena_new(ctx);
    int64_t calls = 0;
    for (int step = 0; step < 4; step++) {
        cw_arena_reset(arena);
        for (int i = 0; i < N; i++) {
            p[i] = cw_arena_take(arena, 8 + i % 900);
            if (p[i]) *(int *)p[i] = i;
        }
        for (int i = 0; i < N; i++)
            if (i % 7 < 5) cw_arena_give(arena, p[(i * 11) % N]), p[(i * 11) % N] = NULL;
        int wrong = 0;
        for (int i = 0; i < N; i++) wrong += p[i] && *(int *)p[i] != i;
        CHECK(wrong == 0, "%d blocks were handed out twice", wrong);
        for (int i = 0; i < N; i++) cw_arena_give(arena, p[i]);
        CHECK(cw_arena_take(arena, 1000 * 900) != NULL, "joined again");
        if (step == 2) calls = ctx->memory.calls;
    }
    CHECK(ctx->memory.calls == calls, "a steady step asked for memory %d times", (int)(ctx->memory.calls - calls));
    CHECK(cw_arena_peak(arena) >= 1000 * 900, "peak %d", (int)cw_arena_peak(arena));

    /* a write beyond the end is seen when the block is given back */
    cw_arena_reset(arena);
    cw_arena_sentinels(arena, 1);
    char *good = cw_arena_take(arena, 100), *bad = cw_arena_take(arena, 128);
    memset(good, 1, 100), memset(bad, 1, 129);
    cw_arena_give(arena, good);
    CHECK(ctx->status == CW_OK, "%s", ctx->text);
    cw_arena_give(arena, bad);
    CHECK(ctx->status == CW_ERR_STATE && strstr(ctx->text, "beyond its end"), "%s", ctx->text);
    cw_arena_free(arena);
    CHECK(ctx->memory.bytes == 0, "%d bytes leaked", (int)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

/* ---- random numbers --------------------------------------------------------------------------------------------- */

static void test_rng(void)
{
    /* Random123's known answers (kat_vectors, philox4x32 10): counter, key, result */
    static const uint32_t known[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6,
         0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420,
         0x24126ea1}};
    for (int t = 0; t < 3; t++) {
        const uint32_t *w = known[t];
        cw_stream s = {w[4] | (uint64_t)w[5] << 32, w[2] | (uint64_t)w[3] << 32};
        uint32_t out[4];
        cw_rng_block(out, s, w[0] | (uint64_t)w[1] << 32);
        for (int i = 0; i < 4; i++) CHECK(out[i] == w[6 + i], "philox %d word %d: %08x", t, i, out[i]);
    }

    /* any order gives the same; inside (0, 1); mean and variance of a uniform */
    enum { N = 100003 };
    static float u[N], z[N];
    cw_stream s = cw_rng_stream(42, CW_RNG_USER, 1, 2);
    cw_rng_fill_uniform(u, N, s, 0, 1);
    double sum = 0, squares = 0;
    int inside = 1, same = 1;
    for (int i = 0; i < N; i++) {
        sum += u[i], squares += (double)u[i] * u[i];
        inside = inside && u[i] > 0 && u[i] < 1;
        same = same && u[i] == cw_rng_uniform(s, (uint64_t)i);
    }
    CHECK(inside && same, "uniform");
    CHECK(fabs(sum / N - 0.5) < 0.005 && fabs(squares / N - 1.0 / 3) < 0.005, "mean %g, square %g", sum / N,
          squares / N);
    cw_rng_fill_normal(z, N, s, 3, 2);
    double third = 0, fourth = 0;
    sum = squares = 0;
    for (int i = 0; i < N; i++) {
        double v = (z[i] - 3) / 2;
        sum += v, squares += v * v, third += v * v * v, fourth += v * v * v * v;
    }
    CHECK(fabs(sum / N) < 0.02 && fabs(squares / N - 1) < 0.03 && fabs(third / N) < 0.06 && fabs(fourth / N - 3) < 0.2,
          "normal moments %g %g %g %g", sum / N, squares / N, third / N, fourth / N);

    /* streams differ by each of their parts */
    cw_stream other[4] = {cw_rng_stream(43, CW_RNG_USER, 1, 2), cw_rng_stream(42, CW_RNG_NOISE, 1, 2),
                          cw_rng_stream(42, CW_RNG_USER, 2, 2), cw_rng_stream(42, CW_RNG_USER, 1, 3)};
    for (int i = 0; i < 4; i++) CHECK(cw_rng_uniform(other[i], 0) != u[0], "stream %d is the same", i);

    /* a permutation, of each length, that depends on the stream */
    int64_t p[97], seen[97] = {0}, moved = 0;
    cw_rng_permutation(p, 97, s);
    for (int i = 0; i < 97; i++) seen[p[i]]++, moved += p[i] != i;
    int once = 1;
    for (int i = 0; i < 97; i++) once = once && seen[i] == 1;
    CHECK(once && moved > 80, "permutation");
    cw_rng_permutation(p, 0, s);
    cw_rng_permutation(p, 1, s);
    CHECK(p[0] == 0, "permutation of one");
}

/* ---- threads and BLAS ------------------------------------------------------------------------------------------- */

static void test_threads(void)
{
    static const char *const names[] = {"OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "_R_CHECK_LIMIT_CORES_",
                                        "IS_BIOC_BUILD_MACHINE"};
    for (int i = 0; i < 4; i++) unsetenv(names[i]);
    int many = cw_threads_resolve(1000), two = cw_threads_resolve(0);
    CHECK(many >= 1 && two >= 1 && two <= 2 && two <= many, "%d and %d threads", many, two);
    CHECK(cw_threads_resolve(1) == 1 && cw_threads_resolve(-3) == two, "one");
    setenv("OMP_NUM_THREADS", "1,2", 1);
    CHECK(cw_threads_resolve(1000) == 1 && cw_threads_resolve(0) == 1, "OMP_NUM_THREADS");
    setenv("OMP_NUM_THREADS", "nonsense", 1);
    CHECK(cw_threads_resolve(1000) == many, "nonsense is no bound");
    unsetenv("OMP_NUM_THREADS");
    setenv("OMP_THREAD_LIMIT", "1", 1);
    CHECK(cw_threads_resolve(0) == 1, "OMP_THREAD_LIMIT");
    unsetenv("OMP_THREAD_LIMIT");
    setenv("_R_CHECK_LIMIT_CORES_", "TRUE", 1);
    CHECK(cw_threads_resolve(1000) <= 2, "_R_CHECK_LIMIT_CORES_");
    setenv("_R_CHECK_LIMIT_CORES_", "FALSE", 1);
    CHECK(cw_threads_resolve(1000) == many, "_R_CHECK_LIMIT_CORES_ FALSE");
    unsetenv("_R_CHECK_LIMIT_CORES_");
    setenv("IS_BIOC_BUILD_MACHINE", "true", 1);
    CHECK(cw_threads_resolve(1000) <= 2, "IS_BIOC_BUILD_MACHINE");
    unsetenv("IS_BIOC_BUILD_MACHINE");
    CHECK(cw_cpu_name()[0] != '\0' && cw_cpu_simd()[0] != '\0', "processor");
}

#if defined(CW_HAVE_CBLAS) && defined(CW_HAVE_OPENBLAS)
/* exported by OpenBLAS, not in its header */
void gotoblas_dynamic_quit(void) __attribute__((weak));
void gotoblas_dynamic_init(void) __attribute__((weak));

/* Puts the oldest kernels in force, as a library does that doesn't know its processor. */
static int make_old(void)
{
    if (!gotoblas_dynamic_quit || !gotoblas_dynamic_init || !strstr(openblas_get_config(), "DYNAMIC_ARCH")) return 0;
    setenv("OPENBLAS_CORETYPE", "Prescott", 1);
    gotoblas_dynamic_quit();
    gotoblas_dynamic_init();
    unsetenv("OPENBLAS_CORETYPE");
    return strcmp(openblas_get_corename(), "Prescott") == 0;
}

static float product_corner(void)
{
    enum { N = 67 };
    static float a[N * N], b[N * N], c[N * N];
    for (int i = 0; i < N * N; i++) a[i] = (float)(i % 13) - 6, b[i] = (float)(i % 7) - 3;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, N, N, N, 1, a, N, b, N, 0, c, N);
    return c[5 * N + 60]; /* whole numbers: exact with any kernels */
}

static void test_blas(void)
{
    cw_blas_info first = cw_blas_get();
    CHECK(strncmp(first.name, "OpenBLAS", 8) == 0 && first.core[0], "BLAS '%s', core '%s'", first.name, first.core);
    openblas_set_num_threads(2);
    int before = cw_blas_enter(), within = openblas_get_num_threads(), inner = cw_blas_enter();
    cw_blas_leave(inner);
    CHECK(before == 2 && within == 1 && openblas_get_num_threads() == 1, "enter: %d, %d", before, within);
    cw_blas_leave(before);
    CHECK(openblas_get_num_threads() == 2, "leave: %d", openblas_get_num_threads());

    float expected = product_corner();
    const char *simd = cw_cpu_simd();
    if (strcmp(simd, "generic") == 0 || !make_old()) return; /* nothing better to be had, or not to be switched */
    cw_blas_tune(0);
    CHECK(strcmp(cw_blas_get().core, "Prescott") == 0 && !cw_blas_get().retuned, "tuned though not allowed");
    setenv("OPENBLAS_CORETYPE", "Prescott", 1);
    cw_blas_tune(1);
    CHECK(!cw_blas_get().retuned && strcmp(getenv("OPENBLAS_CORETYPE"), "Prescott") == 0, "against the user's setting");
    unsetenv("OPENBLAS_CORETYPE");
    cw_blas_tune(1);
    cw_blas_info info = cw_blas_get();
    CHECK(info.retuned && strcmp(info.core, strcmp(simd, "avx512") ? "Haswell" : "SkylakeX") == 0, "core %s, %s",
          info.core, simd);
    CHECK(!getenv("OPENBLAS_CORETYPE"), "the variable was left behind");
    CHECK(product_corner() == expected, "another product after tuning");
    cw_blas_tune(1);
    CHECK(strcmp(cw_blas_get().core, info.core) == 0, "once is enough");
}
#else
static void test_blas(void)
{
    cw_blas_tune(1);
    CHECK(cw_blas_get().name[0] != '\0', "a name in any case");
    cw_blas_leave(cw_blas_enter());
}
#endif

int main(void)
{
    test_errors();
    test_host();
    test_memory();
    test_arena();
    test_arena_records();
    test_rng();
    test_threads();
    test_blas();
    return test_end();
}
