/* cpu_batchnorm.c: batch normalisation. Columns are taken some hundred at a time, so that what belongs to a column (a
 * factor, a shift) is on the stack. */
#include "cpu.h"

#include <math.h>
#include <string.h>

typedef struct column_view {
    const float *dy, *x, *mean; /* (n, d), (n, d), (d); dy NULL: squares of x - mean; mean NULL, too: x */
    const float *times;         /* (n), or NULL */
    int64_t d;
} column_view;

#define CW_TILES "batchnorm_tiles.h"
#include "simd_each.h"

enum { COLUMNS = 256 };

static const cw_column_tile deviation_tile[CW_SIMD_COUNT] = CW_SIMD_TABLE(deviation_tile);
static void (*const normal_row[CW_SIMD_COUNT])(float *, const float *, const float *, const float *, const float *,
                                               int64_t) = CW_SIMD_TABLE(normal_row);
static void (*const normal_row_backward[CW_SIMD_COUNT])(float *, const float *, const float *, const float *,
                                                        const float *, const float *, const float *, float,
                                                        int64_t) = CW_SIMD_TABLE(normal_row_backward);

/* sum (cols) = over rows of what deviation_tile() sums, columns from c */
static void deviations(const cw_exec *ex, float *sum, const float *dy, const float *x, const float *mean,
                       const float *times, int64_t c, int64_t cols, int64_t n, int64_t d)
{
    column_view v = {dy ? dy + c : NULL, x + c, mean ? mean + c : NULL, times, d};
    memset(sum, 0, (size_t)cols * sizeof *sum);
    cw_cpu_reduce_rows(ex, sum, deviation_tile[cw_cpu_simd_level()], &v, n, cols);
}

static float total_of(const float *times, int64_t n)
{
    double total = 0;
    for (int64_t i = 0; times && i < n; i++) total += times[i];
    return times ? (float)total : (float)n;
}

void cw_cpu_batch_stats(const cw_exec *ex, float *mean, float *var, const float *x, const float *times, int64_t n,
                        int64_t d)
{
    float total = total_of(times, n);
    if (!times) cw_cpu_collect(ex, mean, x, NULL, CW_SHAPE_ROW, 1.0f / (float)n, 0.0f, n, d);
    for (int64_t c = 0; c < d; c += COLUMNS) {
        int64_t cols = cw_min(COLUMNS, d - c);
        if (times) {
            deviations(ex, mean + c, NULL, x, NULL, times, c, cols, n, d);
            for (int64_t j = c; j < c + cols; j++) mean[j] /= total;
        }
        deviations(ex, var + c, NULL, x, mean, times, c, cols, n, d);
        for (int64_t j = c; j < c + cols; j++) var[j] /= total;
    }
}

void cw_cpu_batch_norm(const cw_exec *ex, float *y, const float *x, const float *mean, const float *var, const float *w,
                       const float *b, float eps, int64_t n, int64_t d)
{
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, 2.0 * (double)n * (double)d);
    (void)threads;
    for (int64_t c = 0; c < d; c += COLUMNS) {
        int64_t cols = cw_min(COLUMNS, d - c);
        float factor[COLUMNS];
        for (int64_t j = 0; j < cols; j++) factor[j] = (w ? w[c + j] : 1.0f) / sqrtf(var[c + j] + eps);
        CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
        for (int64_t i = 0; i < n; i++)
            normal_row[level](y + i * d + c, x + i * d + c, mean + c, factor, b ? b + c : NULL, cols);
    }
}

void cw_cpu_batch_norm_backward(const cw_exec *ex, float *dx, float *dw, float *db, float *work, const float *dy,
                                const float *x, const float *mean, const float *var, const float *w, float eps, int own,
                                const float *times, int64_t n, int64_t d)
{
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, 4.0 * (double)n * (double)d);
    float *sum = work, *along = work + d, total = total_of(times, n); /* of dy, and of dy (x - mean) rstd */
    (void)threads;
    cw_cpu_collect(ex, sum, dy, NULL, CW_SHAPE_ROW, 1.0f, 0.0f, n, d);
    for (int64_t c = 0; c < d; c += COLUMNS) {
        int64_t cols = cw_min(COLUMNS, d - c);
        float factor[COLUMNS], shift[COLUMNS], slope[COLUMNS];
        deviations(ex, along + c, dy, x, mean, NULL, c, cols, n, d);
        for (int64_t j = 0; j < cols; j++) {
            float rstd = 1.0f / sqrtf(var[c + j] + eps);
            along[c + j] *= rstd;
            factor[j] = (w ? w[c + j] : 1.0f) * rstd;
            shift[j] = factor[j] * sum[c + j] / total;
            slope[j] = factor[j] * along[c + j] * rstd / total;
            if (dw) dw[c + j] += along[c + j];
            if (db) db[c + j] += sum[c + j];
        }
        if (!dx) continue;
        CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
        for (int64_t i = 0; i < n; i++) {
            int64_t at = i * d + c;
            normal_row_backward[level](dx + at, dy + at, x + at, mean + c, factor, own ? shift : NULL,
                                       own ? slope : NULL, times ? times[i] : 1.0f, cols);
        }
    }
}
