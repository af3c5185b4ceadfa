/* ref_matrix.c: matrix products. */
#include "ref.h"

#include <string.h>

void cw_ref_gemm(const cw_exec *ex, float *C, int64_t ldc, const float *A, int64_t lda, int ta, const float *B,
                 int64_t ldb, int tb, float alpha, float beta, int64_t m, int64_t n, int64_t k)
{
    (void)ex;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t p = 0; p < k; p++)
                sum += (double)(ta ? A[p * lda + i] : A[i * lda + p]) * (tb ? B[j * ldb + p] : B[p * ldb + j]);
            double old = beta == 0.0f ? 0.0 : (double)beta * C[i * ldc + j];
            C[i * ldc + j] = (float)(alpha * sum + old);
        }
}

void cw_ref_gemm_batched(const cw_exec *ex, float *C, int64_t ldc, int64_t stride_c, const float *A, int64_t lda,
                         int64_t stride_a, int ta, const float *B, int64_t ldb, int64_t stride_b, int tb, float alpha,
                         float beta, int64_t m, int64_t n, int64_t k, int64_t batch)
{
    for (int64_t i = 0; i < batch; i++)
        cw_ref_gemm(ex, C + i * stride_c, ldc, A + i * stride_a, lda, ta, B + i * stride_b, ldb, tb, alpha, beta, m, n,
                    k);
}

void cw_ref_linear(const cw_exec *ex, float *y, float *z, const float *x, const float *w, const float *b,
                   const float *residual, cw_act act, int64_t n, int64_t in, int64_t out)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < out; j++) {
            double sum = b ? b[j] : 0.0;
            for (int64_t p = 0; p < in; p++) sum += (double)x[i * in + p] * w[j * in + p];
            if (z) z[i * out + j] = (float)sum;
            y[i * out + j] = cw_act_value((float)sum, act) + (residual ? residual[i * out + j] : 0.0f);
        }
}

void cw_ref_column_sum(const cw_exec *ex, float *db, const float *dy, int64_t n, int64_t d)
{
    (void)ex;
    for (int64_t j = 0; j < d; j++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++) sum += dy[i * d + j];
        db[j] += (float)sum;
    }
}

void cw_matrix_power_with(CW_KERNEL_TYPE(gemm) * gemm, const cw_exec *ex, float *P, float *work, const float *A,
                          int64_t m, int64_t power)
{
    /* three buffers change roles: the result so far, A^(2^i), and room for the next product */
    float *result = P, *base = work, *room = work + m * m, *t;
    int started = 0;
    memcpy(base, A, (size_t)(m * m) * sizeof *A);
    for (; power > 0; power >>= 1) {
        if (power & 1) {
            if (!started) memcpy(result, base, (size_t)(m * m) * sizeof *A), started = 1;
            else {
                gemm(ex, room, m, result, m, 0, base, m, 0, 1, 0, m, m, m);
                t = result, result = room, room = t;
            }
        }
        if (power > 1) {
            gemm(ex, room, m, base, m, 0, base, m, 0, 1, 0, m, m, m);
            t = base, base = room, room = t;
        }
    }
    if (!started)
        for (int64_t i = 0; i < m * m; i++) P[i] = i % (m + 1) == 0; /* A^0 = I */
    else if (result != P) memcpy(P, result, (size_t)(m * m) * sizeof *A);
}

void cw_ref_matrix_power(const cw_exec *ex, float *P, float *work, const float *A, int64_t m, int64_t power)
{
    cw_matrix_power_with(cw_ref_gemm, ex, P, work, A, m, power);
}

/* cw_ref_linear adds up in double. */
void cw_ref_linear_precise(const cw_exec *ex, float *y, float *z, const float *x, const float *w, const float *b,
                           const float *residual, cw_act act, int64_t n, int64_t in, int64_t out)
{
    cw_ref_linear(ex, y, z, x, w, b, residual, act, n, in, out);
}
