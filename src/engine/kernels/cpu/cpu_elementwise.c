/* cpu_elementwise.c: activations, SwiGLU, dropout, noise, in tiles of the flat array. */
#include "cpu.h"

#include "../../core/threads.h"

#include <math.h>
#include <string.h>

#define CW_TILES "elementwise_tiles.h"
#include "simd_each.h"

#define TILE 8192 /* floats: three arrays of it stay in L2; a multiple of 64 for dropout */

static int simd_limit = CW_SIMD_COUNT;

int cw_cpu_simd_level(void)
{
    static int level = -1; /* threads that race here all find the same */
    if (level < 0) {
        const char *name = cw_cpu_simd();
        level = strcmp(name, "avx512") == 0 ? CW_SIMD_AVX512 : strcmp(name, "avx2") == 0 ? CW_SIMD_AVX2 : 0;
    }
    return level < simd_limit ? level : simd_limit;
}

void cw_cpu_simd_limit(int level) { simd_limit = level; }

typedef struct tile_functions {
    void (*act)(float *, const float *, cw_act, int64_t);
    void (*act_backward)(float *, const float *, const float *, cw_act, int64_t);
    void (*epilogue)(float *, float *, const float *, const float *, const float *, cw_act, int64_t);
    void (*swiglu)(float *, const float *, const float *, int64_t);
    void (*swiglu_backward)(float *, float *, const float *, const float *, const float *, int64_t);
    void (*axpy)(float *, const float *, float, int64_t);
    void (*dropout)(float *, const float *, float, cw_stream, int64_t, int64_t);
} tile_functions;

#define ALL(level)                                                                                                     \
    {act_##level,    act_backward_##level, epilogue_##level, swiglu_##level, swiglu_backward_##level,                  \
     axpy_##level,   dropout_##level}
static const tile_functions level_functions[CW_SIMD_COUNT] = {
    ALL(generic),
#if defined(__x86_64__)
    ALL(avx2),
    ALL(avx512)
#endif
};

static const tile_functions *tiles(void) { return &level_functions[cw_cpu_simd_level()]; }

/* Runs CALL for each tile [i, i + length) of n items; `cost` operations an item */
#define FOR_TILES(cost, CALL)                                                                                          \
    do {                                                                                                               \
        const tile_functions *f = tiles();                                                                             \
        int threads = cw_cpu_threads(ex, (double)(cost) * (double)n);                                                  \
        (void)threads; /* a build without OpenMP */                                                                    \
        CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))                                    \
        for (int64_t i = 0; i < n; i += TILE) {                                                                        \
            int64_t length = cw_min(TILE, n - i);                                                                      \
            CALL;                                                                                                      \
        }                                                                                                              \
    } while (0)

void cw_cpu_epilogue(float *y, float *z, const float *acc, const float *b, const float *residual, cw_act act, int64_t n)
{
    tiles()->epilogue(y, z, acc, b, residual, act, n);
}

void cw_cpu_act(const cw_exec *ex, float *y, const float *x, cw_act act, int64_t n)
{
    FOR_TILES(4, f->act(y + i, x + i, act, length));
}

void cw_cpu_act_backward(const cw_exec *ex, float *dx, const float *dy, const float *x, cw_act act, int64_t n)
{
    FOR_TILES(4, f->act_backward(dx + i, dy + i, x + i, act, length));
}

void cw_cpu_swiglu(const cw_exec *ex, float *y, const float *gate, const float *up, int64_t n)
{
    FOR_TILES(4, f->swiglu(y + i, gate + i, up + i, length));
}

void cw_cpu_swiglu_backward(const cw_exec *ex, float *dgate, float *dup, const float *dy, const float *gate,
                            const float *up, int64_t n)
{
    FOR_TILES(4, f->swiglu_backward(dgate + i, dup + i, dy + i, gate + i, up + i, length));
}

void cw_cpu_axpy(const cw_exec *ex, float *y, const float *x, float a, int64_t n)
{
    FOR_TILES(1, f->axpy(y + i, x + i, a, length));
}

void cw_cpu_dropout(const cw_exec *ex, float *y, const float *x, float p, cw_stream stream, int64_t n)
{
    FOR_TILES(8, f->dropout(y + i, x + i, p, stream, i, length));
}

/* Box-Muller on items [first, first + n), first a multiple of 4: the numbers of cw_rng_fill_normal */
static void normal_tile(float *y, cw_stream stream, int64_t first, int64_t n)
{
    const float two_pi = 6.2831853071795864f;
    for (int64_t i = 0; i < n; i += 4) {
        float z[4];
        for (int j = 0; j < 4; j += 2) {
            uint64_t item = (uint64_t)(first + i + j);
            float r = sqrtf(-2.0f * logf(cw_rng_uniform(stream, item)));
            float angle = two_pi * cw_rng_uniform(stream, item + 1);
            z[j] = r * cosf(angle), z[j + 1] = r * sinf(angle);
        }
        for (int j = 0; j < 4 && i + j < n; j++) y[i + j] = z[j];
    }
}

void cw_cpu_normal(const cw_exec *ex, float *y, cw_stream stream, int64_t n)
{
    FOR_TILES(40, ((void)f, normal_tile(y + i, stream, i, length)));
}
