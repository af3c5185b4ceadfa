/* cpu_function.c: functions of one number with a parameter, in tiles of the flat array. */
#include "cpu.h"

#include "../ref/ref.h"

#include <math.h>

#define CW_TILES "function_tiles.h"
#include "simd_each.h"

#define TILE 8192

static void (*const function[CW_SIMD_COUNT])(float *, const float *, cw_function, int,
                                             int64_t) = CW_SIMD_TABLE(function);
static void (*const function_backward[CW_SIMD_COUNT])(float *, const float *, const float *, cw_function, int,
                                                      int64_t) = CW_SIMD_TABLE(function_backward);
static float (*const largest[CW_SIMD_COUNT])(const float *, int64_t) = CW_SIMD_TABLE(largest);

/* Sines of arguments beyond the reach of the vector version go through the library's. */
static int beyond(cw_function f, const float *x, int64_t n, int level)
{
    return f.kind == CW_FN_SIN && largest[level](x, n) * fabsf(f.a) >= 2e5f;
}

void cw_cpu_function(const cw_exec *ex, float *y, const float *x, cw_function f, int order, int64_t n)
{
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, 6.0 * (double)n);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t i = 0; i < n; i += TILE) {
        int64_t length = cw_min(TILE, n - i);
        if (beyond(f, x + i, length, level))
            cw_ref_function(ex, y + i, x + i, f, order, length);
        else
            function[level](y + i, x + i, f, order, length);
    }
}

void cw_cpu_function_backward(const cw_exec *ex, float *dx, const float *dy, const float *x, cw_function f, int order,
                              int64_t n)
{
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, 6.0 * (double)n);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t i = 0; i < n; i += TILE) {
        int64_t length = cw_min(TILE, n - i);
        if (beyond(f, x + i, length, level))
            cw_ref_function_backward(ex, dx + i, dy + i, x + i, f, order, length);
        else
            function_backward[level](dx + i, dy + i, x + i, f, order, length);
    }
}
