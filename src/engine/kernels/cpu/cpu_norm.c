/* cpu_norm.c: RMSNorm, LayerNorm, softmax: rows in blocks. */
#include "cpu.h"

typedef struct norm_view {
    const float *dy, *x;     /* (n, d) */
    const float *mean, *rstd; /* (n); mean NULL for RMSNorm */
    int64_t d;
} norm_view;

#define CW_TILES "norm_tiles.h"
#include "simd_each.h"

typedef struct row_functions {
    void (*rmsnorm)(float *, float *, const float *, const float *, float, int64_t, int64_t);
    void (*rmsnorm_backward)(float *, const float *, const float *, const float *, const float *, int64_t, int64_t);
    void (*layernorm)(float *, float *, float *, const float *, const float *, const float *, float, int64_t, int64_t);
    void (*layernorm_backward)(float *, const float *, const float *, const float *, const float *, const float *,
                               int64_t, int64_t);
    void (*softmax)(float *, const float *, float, int64_t, int64_t);
    void (*softmax_backward)(float *, const float *, const float *, float, int64_t, int64_t);
    cw_column_tile weight_tile;
} row_functions;

#define ALL(level)                                                                                                     \
    {rmsnorm_##level, rmsnorm_backward_##level, layernorm_##level, layernorm_backward_##level,                         \
     softmax_##level, softmax_backward_##level, weight_tile_##level}
static const row_functions level_functions[CW_SIMD_COUNT] = {
    ALL(generic),
#if defined(__x86_64__)
    ALL(avx2),
    ALL(avx512)
#endif
};

/* Runs CALL for blocks of rows [i, i + rows), about 8192 items each; `cost` operations an item */
#define FOR_ROWS(cost, CALL)                                                                                           \
    do {                                                                                                               \
        const row_functions *f = &level_functions[cw_cpu_simd_level()];                                                \
        int64_t block = d < 8192 ? 8192 / (d > 0 ? d : 1) : 1;                                                         \
        int threads = cw_cpu_threads(ex, (double)(cost) * (double)n * (double)d);                                      \
        (void)threads; /* a build without OpenMP */                                                                    \
        CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))                                    \
        for (int64_t i = 0; i < n; i += block) {                                                                       \
            int64_t rows = cw_min(block, n - i), at = i * d;                                                           \
            CALL;                                                                                                      \
        }                                                                                                              \
    } while (0)

void cw_cpu_rmsnorm(const cw_exec *ex, float *y, float *rstd, const float *x, const float *w, float eps, int64_t n,
                    int64_t d)
{
    FOR_ROWS(2, f->rmsnorm(y + at, rstd + i, x + at, w, eps, rows, d));
}

void cw_cpu_rmsnorm_backward(const cw_exec *ex, float *dx, float *dw, const float *dy, const float *x, const float *w,
                             const float *rstd, int64_t n, int64_t d)
{
    norm_view v = {dy, x, NULL, rstd, d};
    if (dx) FOR_ROWS(3, f->rmsnorm_backward(dx + at, dy + at, x + at, w, rstd + i, rows, d));
    if (dw) cw_cpu_reduce_rows(ex, dw, level_functions[cw_cpu_simd_level()].weight_tile, &v, n, d);
}

void cw_cpu_layernorm(const cw_exec *ex, float *y, float *mean, float *rstd, const float *x, const float *w,
                      const float *b, float eps, int64_t n, int64_t d)
{
    FOR_ROWS(3, f->layernorm(y + at, mean + i, rstd + i, x + at, w, b, eps, rows, d));
}

void cw_cpu_layernorm_backward(const cw_exec *ex, float *dx, float *dw, float *db, const float *dy, const float *x,
                               const float *w, const float *mean, const float *rstd, int64_t n, int64_t d)
{
    norm_view v = {dy, x, mean, rstd, d};
    if (dx) FOR_ROWS(4, f->layernorm_backward(dx + at, dy + at, x + at, w, mean + i, rstd + i, rows, d));
    if (dw) cw_cpu_reduce_rows(ex, dw, level_functions[cw_cpu_simd_level()].weight_tile, &v, n, d);
    if (db) cw_cpu_column_sum(ex, db, dy, n, d);
}

void cw_cpu_softmax(const cw_exec *ex, float *y, const float *x, float scale, int64_t n, int64_t d)
{
    FOR_ROWS(6, f->softmax(y + at, x + at, scale, rows, d));
}

void cw_cpu_softmax_backward(const cw_exec *ex, float *dx, const float *dy, const float *y, float scale, int64_t n,
                             int64_t d)
{
    FOR_ROWS(2, f->softmax_backward(dx + at, dy + at, y + at, scale, rows, d));
}
