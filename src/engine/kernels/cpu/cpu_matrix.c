/* cpu_matrix.c: matrix products. C is cut into tiles by its shape; each tile is one single-threaded product, by AMX or
 * the BLAS where there is one, and OpenMP shares the tiles out. */
#include "cpu.h"

#include "../ref/ref.h"

#include <limits.h>
#include <stddef.h>
#ifdef CW_HAVE_CBLAS
#include <cblas.h>
#endif

typedef struct matrix_view {
    const float *x;
    int64_t d; /* from row to row */
} matrix_view;

#define CW_TILES "matrix_tiles.h"
#include "simd_each.h"

typedef void (*builtin_function)(float *, int64_t, const float *, int64_t, int, const float *, int64_t, int, float,
                                 float, int64_t, int64_t, int64_t);
static const builtin_function builtin[CW_SIMD_COUNT] = CW_SIMD_TABLE(builtin);
static const cw_column_tile column_tile[CW_SIMD_COUNT] = CW_SIMD_TABLE(column_tile);

static void scale_only(float *C, int64_t ldc, float beta, int64_t m, int64_t n)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) C[i * ldc + j] = beta == 0.0f ? 0.0f : beta * C[i * ldc + j];
}

void cw_cpu_gemm_builtin(float *C, int64_t ldc, const float *A, int64_t lda, int ta, const float *B, int64_t ldb,
                         int tb, float alpha, float beta, int64_t m, int64_t n, int64_t k)
{
    if (k == 0) scale_only(C, ldc, beta, m, n);
    else builtin[cw_cpu_simd_level()](C, ldc, A, lda, ta, B, ldb, tb, alpha, beta, m, n, k);
}

/* One tile, on the calling thread. */
static void product(float *C, int64_t ldc, const float *A, int64_t lda, int ta, const float *B, int64_t ldb, int tb,
                    float alpha, float beta, int64_t m, int64_t n, int64_t k)
{
    if (m == 0 || n == 0) return;
    if (k == 0) {
        scale_only(C, ldc, beta, m, n);
        return;
    }
    /* below these sizes the splitting takes longer than it saves */
    if (m >= 64 && n >= 64 && k >= 32 && (double)m * (double)n * (double)k >= 1 << 20 && cw_cpu_has_amx() &&
        cw_cpu_gemm_amx(C, ldc, A, lda, ta, B, ldb, tb, alpha, beta, m, n, k))
        return;
#ifdef CW_HAVE_CBLAS
    if (lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX && k <= INT_MAX) {
        cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (int)m, (int)n,
                    (int)k, alpha, A, (int)lda, B, (int)ldb, beta, C, (int)ldc);
        return;
    }
#endif
    cw_cpu_gemm_builtin(C, ldc, A, lda, ta, B, ldb, tb, alpha, beta, m, n, k);
}

/* operations of a matrix product that take as long as one of other kernels */
#define MATRIX_SPEED 30.0

/* How C (m,n) is cut: rows x cols tiles of at most height x width. */
typedef struct cut {
    int64_t rows, cols, height, width;
} cut;

/* `copies` C's are computed at once. Large tiles pack less; 16 tiles keep 16 threads busy. Measured on Zen 5 with
 * OpenBLAS: 1024^2 tiles cost 3%, 512^2 5%, 256^2 9%, 128^2 20% against the whole. So down to 256 a side for 16 tiles,
 * further, to 128, only for 4. A product below 4 million operations is not cut. AMX packs 512 columns at once. */
static cut cut_of(int64_t m, int64_t n, int64_t k, int64_t copies)
{
    cut c = {cw_ceil_div(m, 1024), cw_ceil_div(n, cw_cpu_has_amx() ? 512 : 1024), 0, 0};
    double work = 2.0 * (double)m * (double)n * (double)k;
    for (int side = 256, goal = 16; side >= 128; side -= 128, goal = 4)
        while (c.rows * c.cols * copies < goal && work / (double)(c.rows * c.cols) >= 4e6) {
            int64_t height = cw_ceil_div(m, c.rows), width = cw_ceil_div(n, c.cols);
            if (height >= width && height >= 2 * side) c.rows *= 2;
            else if (width >= 2 * side) c.cols *= 2;
            else if (height >= 2 * side) c.rows *= 2;
            else break;
        }
    /* whole cache lines, and the block sizes of the products' inner loops */
    c.height = cw_ceil_div(cw_ceil_div(m, c.rows), 16) * 16;
    c.width = cw_ceil_div(cw_ceil_div(n, c.cols), 16) * 16;
    c.rows = cw_ceil_div(m, c.height);
    c.cols = cw_ceil_div(n, c.width);
    return c;
}

void cw_cpu_gemm_batched(const cw_exec *ex, float *C, int64_t ldc, int64_t stride_c, const float *A, int64_t lda,
                         int64_t stride_a, int ta, const float *B, int64_t ldb, int64_t stride_b, int tb, float alpha,
                         float beta, int64_t m, int64_t n, int64_t k, int64_t batch)
{
    if (m == 0 || n == 0 || batch == 0) return;
    cut c = cut_of(m, n, k, batch);
    int64_t tiles = c.rows * c.cols;
    double work = 2.0 * (double)m * (double)n * (double)k * (double)batch;
    int threads = tiles * batch == 1 ? 1 : cw_cpu_threads(ex, work / MATRIX_SPEED);
    (void)threads;
    CW_OMP(parallel for schedule(dynamic) num_threads(threads) if (threads > 1))
    for (int64_t t = 0; t < tiles * batch; t++) {
        int64_t b = t / tiles, i = t % tiles / c.cols * c.height, j = t % tiles % c.cols * c.width;
        const float *a0 = A + b * stride_a + (ta ? i : i * lda), *b0 = B + b * stride_b + (tb ? j * ldb : j);
        product(C + b * stride_c + i * ldc + j, ldc, a0, lda, ta, b0, ldb, tb, alpha, beta, cw_min(c.height, m - i),
                cw_min(c.width, n - j), k);
    }
}

void cw_cpu_gemm(const cw_exec *ex, float *C, int64_t ldc, const float *A, int64_t lda, int ta, const float *B,
                 int64_t ldb, int tb, float alpha, float beta, int64_t m, int64_t n, int64_t k)
{
    cw_cpu_gemm_batched(ex, C, ldc, 0, A, lda, 0, ta, B, ldb, 0, tb, alpha, beta, m, n, k, 1);
}

/* y = act(x w^T + b) + y with nowhere to put the product: small blocks go through the stack. All arrays start at the
 * tile; y has row stride ld. */
static void linear_onto_residual(float *y, int64_t ld, const float *x, const float *w, const float *b, cw_act act,
                                 int64_t n, int64_t in, int64_t out)
{
    enum { SIDE = 64 };
    float block[SIDE * SIDE];
    for (int64_t i = 0; i < n; i += SIDE)
        for (int64_t j = 0; j < out; j += SIDE) {
            int64_t h = cw_min(SIDE, n - i), l = cw_min(SIDE, out - j);
            product(block, SIDE, x + i * in, in, 0, w + j * in, in, 1, 1, 0, h, l, in);
            for (int64_t r = 0; r < h; r++) {
                float *row = y + (i + r) * ld + j;
                cw_cpu_epilogue(row, NULL, block + r * SIDE, b ? b + j : NULL, row, act, l);
            }
        }
}

void cw_cpu_linear(const cw_exec *ex, float *y, float *z, const float *x, const float *w, const float *b,
                   const float *residual, cw_act act, int64_t n, int64_t in, int64_t out)
{
    if (n == 0 || out == 0) return;
    float *product_to = z ? z : y;
    float beta = 0;
    int through_stack = !z && residual == y && act != CW_ACT_NONE;
    if (!z && residual == y && act == CW_ACT_NONE) beta = 1, residual = NULL; /* the product is added to y */
    int plain = !z && !b && !residual && act == CW_ACT_NONE;
    cut c = cut_of(n, out, in, 1);
    int64_t tiles = c.rows * c.cols;
    int threads = tiles == 1 ? 1 : cw_cpu_threads(ex, 2.0 * (double)n * (double)in * (double)out / MATRIX_SPEED);
    (void)threads;
    CW_OMP(parallel for schedule(dynamic) num_threads(threads) if (threads > 1))
    for (int64_t t = 0; t < tiles; t++) {
        int64_t i = t / c.cols * c.height, j = t % c.cols * c.width, at = i * out + j;
        int64_t h = cw_min(c.height, n - i), l = cw_min(c.width, out - j);
        const float *bj = b ? b + j : NULL;
        if (through_stack) {
            linear_onto_residual(y + at, out, x + i * in, w + j * in, bj, act, h, in, l);
            continue;
        }
        product(product_to + at, out, x + i * in, in, 0, w + j * in, in, 1, 1, beta, h, l, in);
        for (int64_t r = 0; !plain && r < h; r++) {
            int64_t row = at + r * out;
            cw_cpu_epilogue(y + row, z ? z + row : NULL, product_to + row, bj, residual ? residual + row : NULL, act,
                            l);
        }
    }
}

void cw_cpu_reduce_rows(const cw_exec *ex, float *out, cw_column_tile tile, const void *context, int64_t n, int64_t d)
{
    enum { PARTS = 64, GROUP = 4 }; /* at most 64 row tiles of 4 x CW_COLUMNS columns: 64 kB of partial sums */
    if (n == 0) return;
    float part[PARTS][GROUP * CW_COLUMNS];
    int64_t height = cw_ceil_div(n, PARTS);
    if (height < 64) height = 64;
    int64_t parts = cw_ceil_div(n, height);
    int threads = cw_cpu_threads(ex, (double)n * (double)cw_min(d, GROUP * CW_COLUMNS));
    (void)threads;
    for (int64_t col0 = 0; col0 < d; col0 += GROUP * CW_COLUMNS) {
        int64_t cols = cw_min(GROUP * CW_COLUMNS, d - col0);
        CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
        for (int64_t p = 0; p < parts; p++)
            for (int64_t c = 0; c < cols; c += CW_COLUMNS)
                tile(part[p] + c, context, p * height, cw_min(n, (p + 1) * height), col0 + c,
                     cw_min(CW_COLUMNS, cols - c));
        for (int64_t c = 0; c < cols; c++) {
            float sum = 0;
            for (int64_t p = 0; p < parts; p++) sum += part[p][c];
            out[col0 + c] += sum;
        }
    }
}

void cw_cpu_column_sum_of(const cw_exec *ex, float *out, const float *x, int64_t ld, int64_t n, int64_t cols)
{
    matrix_view v = {x, ld};
    cw_cpu_reduce_rows(ex, out, column_tile[cw_cpu_simd_level()], &v, n, cols);
}

void cw_cpu_column_sum(const cw_exec *ex, float *db, const float *dy, int64_t n, int64_t d)
{
    cw_cpu_column_sum_of(ex, db, dy, d, n, d);
}

void cw_cpu_matrix_power(const cw_exec *ex, float *P, float *work, const float *A, int64_t m, int64_t power)
{
    cw_matrix_power_with(cw_cpu_gemm, ex, P, work, A, m, power);
}
