/* cpu_optimizer.c: AdamW, Adam, SGD and the sum of squares. */
#include "cpu.h"

#include <math.h>

#define CW_TILES "optimizer_tiles.h"
#include "simd_each.h"

static double (*const squares[CW_SIMD_COUNT])(const float *, int64_t) = CW_SIMD_TABLE(squares);
static void (*const adamw[CW_SIMD_COUNT])(float *, float *, float *, const float *, cw_adamw, float, float,
                                          int64_t) = CW_SIMD_TABLE(adamw);
static void (*const sgd[CW_SIMD_COUNT])(float *, float *, const float *, cw_sgd, int64_t) = CW_SIMD_TABLE(sgd);

double cw_cpu_sum_squares(const cw_exec *ex, const float *x, int64_t n)
{
    enum { PARTS = 256 };
    double part[PARTS] = {0}, sum = 0;
    int64_t length = n / PARTS + 1;
    if (length < 8192) length = 8192;
    int64_t parts = (n + length - 1) / length;
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, (double)n);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t p = 0; p < parts; p++)
        part[p] = squares[level](x + p * length, cw_min(length, n - p * length));
    for (int64_t p = 0; p < parts; p++) sum += part[p];
    return sum;
}

void cw_cpu_adamw(const cw_exec *ex, float *w, float *m, float *v, const float *g, cw_adamw p, int64_t n)
{
    enum { TILE = 4096 };
    float step_size = (float)(p.lr / (1.0 - pow(p.beta1, (double)p.step)));
    float root_scale = (float)(1.0 / sqrt(1.0 - pow(p.beta2, (double)p.step)));
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, 4.0 * (double)n);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t i = 0; i < n; i += TILE)
        adamw[level](w + i, m + i, v + i, g + i, p, step_size, root_scale, cw_min(TILE, n - i));
}

void cw_cpu_sgd(const cw_exec *ex, float *w, float *m, const float *g, cw_sgd p, int64_t n)
{
    enum { TILE = 4096 };
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, 3.0 * (double)n);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t i = 0; i < n; i += TILE) sgd[level](w + i, m + i, g + i, p, cw_min(TILE, n - i));
}
