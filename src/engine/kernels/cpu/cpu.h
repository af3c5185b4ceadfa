/* cpu.h: the fast kernels, cw_cpu_<entry>, and what they share. */
#ifndef CW_CPU_H
#define CW_CPU_H

#include "../kernel_list.h"

#define CW_DECLARE_CPU(entry) CW_KERNEL_TYPE(entry) cw_cpu_##entry;
CW_KERNEL_LIST_FAST(CW_DECLARE_CPU)
#undef CW_DECLARE_CPU

/* The widest vectors this processor has: index into a table of tile functions (see simd.h). */
#define CW_SIMD_GENERIC 0
#define CW_SIMD_AVX2 1
#define CW_SIMD_AVX512 2
#define CW_SIMD_COUNT 3
int cw_cpu_simd_level(void);

/* Tests only: use at most this level from now on (CW_SIMD_COUNT: whatever there is). */
void cw_cpu_simd_limit(int level);

/* CW_OMP(parallel for num_threads(n)): the OpenMP pragma, or nothing in a build without OpenMP. */
#define CW_PRAGMA(text) _Pragma(#text)
#ifdef _OPENMP
#define CW_OMP(...) CW_PRAGMA(omp __VA_ARGS__)
#else
#define CW_OMP(...)
#endif

/* OpenMP threads worth having for `work` scalar operations: 1 for what takes less than about 0.1 ms. Waking a team costs
 * some microseconds, and on a machine that is busy with other things the wait for its slowest member can take ten
 * milliseconds. The number never changes a result. */
static inline int cw_cpu_threads(const cw_exec *ex, double work)
{
    return work < 1e6 ? 1 : ex->threads;
}

/* A row of a linear layer's epilogue: z = acc + b, y = act(z) + residual. z, b, residual may be NULL; acc may be y or
 * z. */
void cw_cpu_epilogue(float *y, float *z, const float *acc, const float *b, const float *residual, cw_act act,
                     int64_t n);

/* The matrix product without a BLAS, on one thread; used where there is none. */
void cw_cpu_gemm_builtin(float *C, int64_t ldc, const float *A, int64_t lda, int ta, const float *B, int64_t ldb,
                         int tb, float alpha, float beta, int64_t m, int64_t n, int64_t k);

/* The same on AMX's tiles, for any m, n, k > 0, on one thread; 0, and C as it was (or anything, where beta is 0), for
 * numbers that are infinite or NaN. To be called only where cw_cpu_has_amx(). */
int cw_cpu_gemm_amx(float *C, int64_t ldc, const float *A, int64_t lda, int ta, const float *B, int64_t ldb, int tb,
                    float alpha, float beta, int64_t m, int64_t n, int64_t k);
int cw_cpu_has_amx(void);

/* Adds up rows: tile writes to sum (cols) what rows [row0, row1) give columns [col0, col0 + cols), cols <= CW_COLUMNS.
 * The cut into tiles goes by n and d, and the tiles' sums are added in order to out (d). */
#define CW_COLUMNS 64
typedef void (*cw_column_tile)(float *sum, const void *context, int64_t row0, int64_t row1, int64_t col0,
                               int64_t cols);
void cw_cpu_reduce_rows(const cw_exec *ex, float *out, cw_column_tile tile, const void *context, int64_t n, int64_t d);

/* out (cols) += column sums of x (n, cols), rows ld apart */
void cw_cpu_column_sum_of(const cw_exec *ex, float *out, const float *x, int64_t ld, int64_t n, int64_t cols);

static inline int64_t cw_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t cw_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; } /* a >= 0, b > 0 */

#endif
