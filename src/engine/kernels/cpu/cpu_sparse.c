/* cpu_sparse.c: products with a sparse matrix, row by row of the result. */
#include "cpu.h"

#include "../ref/ref.h"

#include <string.h>

#define CW_TILES "index_tiles.h"
#include "simd_each.h"

static void (*const add_scaled[CW_SIMD_COUNT])(float *, const float *, float, int64_t) = CW_SIMD_TABLE(add_scaled);
static float (*const dot[CW_SIMD_COUNT])(const float *, const float *, int64_t) = CW_SIMD_TABLE(dot);

static double operations(const cw_sparse *A, int64_t blocks, int64_t d)
{
    return (double)A->start[A->rows] * (double)blocks * (double)d;
}

void cw_cpu_sparse_product(const cw_exec *ex, float *y, const cw_sparse *A, const float *value, const float *x,
                           int accumulate, int64_t blocks, int64_t d)
{
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, operations(A, blocks, d));
    (void)threads;
    CW_OMP(parallel for schedule(dynamic, 16) num_threads(threads) if (threads > 1))
    for (int64_t task = 0; task < blocks * A->rows; task++) {
        int64_t i = task % A->rows;
        const float *block = x + task / A->rows * A->cols * d;
        float *row = y + task * d;
        if (!accumulate) memset(row, 0, (size_t)d * sizeof *row);
        for (int64_t e = A->start[i]; e < A->start[i + 1]; e++)
            add_scaled[level](row, block + (int64_t)A->index[e] * d, value[A->place ? A->place[e] : e], d);
    }
}

void cw_cpu_sparse_values(const cw_exec *ex, float *dvalue, const cw_sparse *A, const float *dy, const float *x,
                          int64_t blocks, int64_t d)
{
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, operations(A, blocks, d));
    (void)threads;
    CW_OMP(parallel for schedule(dynamic, 16) num_threads(threads) if (threads > 1))
    for (int64_t i = 0; i < A->rows; i++)
        for (int64_t e = A->start[i]; e < A->start[i + 1]; e++) {
            double sum = 0;
            for (int64_t b = 0; b < blocks; b++)
                sum += dot[level](dy + (b * A->rows + i) * d, x + (b * A->cols + A->index[e]) * d, d);
            dvalue[A->place ? A->place[e] : e] += (float)sum;
        }
}

/* a row may be named twice: in order, on one thread */
void cw_cpu_cap_rows(const cw_exec *ex, float *table, const int32_t *index, float cap, int64_t n, int64_t d)
{
    cw_ref_cap_rows(ex, table, index, cap, n, d);
}
