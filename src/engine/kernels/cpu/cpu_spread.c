/* cpu_spread.c: spreading a small operand over a matrix, collecting sums, unit rows, copies of blocks and reversal. */
#include "cpu.h"

#include <math.h>
#include <string.h>

typedef struct product_view {
    const float *x, *y; /* (n, d); y or NULL */
    int64_t d;
} product_view;

#define CW_TILES "spread_tiles.h"
#include "simd_each.h"

#define TILE 8192 /* items of a flat array */

static void (*const multiply[CW_SIMD_COUNT])(float *, const float *, const float *, float, float,
                                             int64_t) = CW_SIMD_TABLE(multiply);
static float (*const dot_or_sum[CW_SIMD_COUNT])(const float *, const float *, int64_t) = CW_SIMD_TABLE(dot_or_sum);
static void (*const add_row[CW_SIMD_COUNT])(float *, const float *, int64_t) = CW_SIMD_TABLE(add_row);
static void (*const add_part[CW_SIMD_COUNT])(float *, const float *, const float *, float, float,
                                             int64_t) = CW_SIMD_TABLE(add_part);
static const cw_column_tile product_tile[CW_SIMD_COUNT] = CW_SIMD_TABLE(product_tile);

void cw_cpu_spread(const cw_exec *ex, float *out, const float *x, const float *y, cw_shape shape, float alpha,
                   float beta, int64_t n, int64_t d)
{
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, 2.0 * (double)n * (double)d);
    int64_t items = n * d;
    (void)threads;
    if (shape == CW_SHAPE_MATRIX || shape == CW_SHAPE_ONE) {
        float by = shape == CW_SHAPE_ONE && items > 0 ? alpha * y[0] : alpha;
        CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
        for (int64_t i = 0; i < items; i += TILE)
            multiply[level](out + i, x ? x + i : NULL, shape == CW_SHAPE_ONE ? NULL : y + i, by, beta,
                            cw_min(TILE, items - i));
        return;
    }
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t i = 0; i < n; i++) {
        const float *row = x ? x + i * d : NULL;
        if (shape == CW_SHAPE_ROW)
            multiply[level](out + i * d, row, y, alpha, beta, d);
        else
            multiply[level](out + i * d, row, NULL, alpha * y[i], beta, d);
    }
}

static inline float blend(float old, float alpha, float beta, float sum)
{
    return beta == 0.0f ? alpha * sum : beta * old + alpha * sum;
}

void cw_cpu_collect(const cw_exec *ex, float *out, const float *x, const float *y, cw_shape shape, float alpha,
                    float beta, int64_t n, int64_t d)
{
    enum { COLUMNS = 256, PARTS = 64 };
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, (double)n * (double)d);
    (void)threads;
    if (shape == CW_SHAPE_MATRIX) {
        cw_cpu_spread(ex, out, y, x, CW_SHAPE_MATRIX, alpha, beta, n, d);
    } else if (shape == CW_SHAPE_ROW) {
        for (int64_t c = 0; c < d; c += COLUMNS) {
            product_view v = {x + c, y ? y + c : NULL, d};
            float part[COLUMNS] = {0};
            int64_t cols = cw_min(COLUMNS, d - c);
            cw_cpu_reduce_rows(ex, part, product_tile[level], &v, n, cols);
            for (int64_t j = 0; j < cols; j++) out[c + j] = blend(out[c + j], alpha, beta, part[j]);
        }
    } else if (shape == CW_SHAPE_COLUMN) {
        CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
        for (int64_t i = 0; i < n; i++)
            out[i] = blend(out[i], alpha, beta, dot_or_sum[level](x + i * d, y ? y + i * d : NULL, d));
    } else { /* at most 64 parts of the flat array, each in stretches short enough for floats; the rest in double */
        int64_t items = n * d, length = (items + PARTS - 1) / PARTS;
        if (length < TILE) length = TILE;
        double part[PARTS], sum = 0;
        int64_t parts = (items + length - 1) / length;
        CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
        for (int64_t p = 0; p < parts; p++) {
            part[p] = 0;
            int64_t end = cw_min(items, (p + 1) * length);
            for (int64_t i = p * length; i < end; i += 1024)
                part[p] += dot_or_sum[level](x + i, y ? y + i : NULL, cw_min(1024, end - i));
        }
        for (int64_t p = 0; p < parts; p++) sum += part[p];
        out[0] = (float)(beta == 0.0f ? alpha * sum : (double)beta * out[0] + alpha * sum);
    }
}

void cw_cpu_copy_block(const cw_exec *ex, float *y, int64_t ldy, const float *x, int64_t ldx, int accumulate, int64_t n,
                       int64_t d)
{
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, (double)n * (double)d);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t i = 0; i < n; i++) {
        if (accumulate)
            add_row[level](y + i * ldy, x + i * ldx, d);
        else
            memcpy(y + i * ldy, x + i * ldx, (size_t)d * sizeof *y);
    }
}

void cw_cpu_reverse(const cw_exec *ex, float *y, const float *x, int accumulate, cw_ragged seq, int64_t d)
{
    if (seq.count == 0) return;
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, (double)seq.start[seq.count] * (double)d);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t s = 0; s < seq.count; s++) {
        int64_t from = seq.start[s], to = seq.start[s + 1];
        for (int64_t i = from; i < to; i++) {
            float *row = y + i * d;
            const float *mirror = x + (from + to - 1 - i) * d;
            if (accumulate)
                add_row[level](row, mirror, d);
            else
                memcpy(row, mirror, (size_t)d * sizeof *y);
        }
    }
}

void cw_cpu_unit_rows(const cw_exec *ex, float *y, float *norm, const float *x, float scale, float eps, int64_t n,
                      int64_t d)
{
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, 3.0 * (double)n * (double)d);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t i = 0; i < n; i++) {
        norm[i] = sqrtf(dot_or_sum[level](x + i * d, x + i * d, d));
        float by = norm[i] <= eps ? eps : norm[i];
        multiply[level](y + i * d, x + i * d, NULL, scale / by, 0.0f, d);
    }
}

void cw_cpu_unit_rows_backward(const cw_exec *ex, float *dx, const float *dy, const float *x, const float *norm,
                               float scale, float eps, int64_t n, int64_t d)
{
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, 4.0 * (double)n * (double)d);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t i = 0; i < n; i++) {
        float along = 0.0f, a = scale / eps;
        if (norm[i] > eps) {
            a = scale / norm[i];
            along = a * (dot_or_sum[level](x + i * d, dy + i * d, d) / norm[i]) / norm[i];
        }
        add_part[level](dx + i * d, dy + i * d, x + i * d, a, along, d);
    }
}
