/* cpu_gate.c: the top-k gate and negative squared distances. */
#include "cpu.h"

#include "../ref/ref.h"

#define GATE_MAX 1024 /* columns; wider gates take the reference */

#define CW_TILES "gate_tiles.h"
#include "simd_each.h"

static int (*const gate_row[CW_SIMD_COUNT])(float *, const float *, const float *, int64_t, float,
                                            int64_t) = CW_SIMD_TABLE(gate_row);
static void (*const sqdist_row[CW_SIMD_COUNT])(float *, const float *, const float *, float, int64_t,
                                               int64_t) = CW_SIMD_TABLE(sqdist_row);
static void (*const add_scaled[CW_SIMD_COUNT])(float *, const float *, float, int64_t) = CW_SIMD_TABLE(add_scaled);

void cw_cpu_topk_gate(const cw_exec *ex, float *y, const float *x, const float *beta, int64_t k, float temperature,
                      int64_t n, int64_t d)
{
    if (k >= d) {
        cw_cpu_softmax(ex, y, x, 1.0f / temperature, n, d);
        return;
    }
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, 4.0 * (double)n * (double)d);
    (void)threads;
    CW_OMP(parallel for schedule(static, 16) num_threads(threads) if (threads > 1))
    for (int64_t i = 0; i < n; i++)
        if (d > GATE_MAX || !gate_row[level](y + i * d, x + i * d, beta, k, temperature, d))
            cw_ref_topk_gate(ex, y + i * d, x + i * d, beta, k, temperature, 1, d);
}

void cw_cpu_topk_gate_backward(const cw_exec *ex, float *dx, const float *dy, const float *y, float temperature,
                               int64_t n, int64_t d)
{
    cw_cpu_softmax_backward(ex, dx, dy, y, 1.0f / temperature, n, d); /* adds 0 where y = 0 */
}

void cw_cpu_neg_sqdist(const cw_exec *ex, float *y, const float *x, const float *p, float scale, int64_t n, int64_t m,
                       int64_t d)
{
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, (double)n * (double)m * (double)d);
    (void)threads;
    CW_OMP(parallel for schedule(static, 16) num_threads(threads) if (threads > 1))
    for (int64_t i = 0; i < n; i++) sqdist_row[level](y + i * m, x + i * d, p, scale, m, d);
}

/* dx_i = 2 scale (sum_j dy_ij p_j - x_i sum_j dy_ij),  dp_j = 2 scale (sum_i dy_ij x_i - p_j sum_i dy_ij) */
void cw_cpu_neg_sqdist_backward(const cw_exec *ex, float *dx, float *dp, const float *dy, const float *x,
                                const float *p, float scale, int64_t n, int64_t m, int64_t d)
{
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, (double)n * (double)d);
    (void)threads;
    if (dx) {
        cw_cpu_gemm(ex, dx, d, dy, m, 0, p, d, 0, 2 * scale, 1, n, d, m);
        CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
        for (int64_t i = 0; i < n; i++) {
            double sum = 0;
            for (int64_t j = 0; j < m; j++) sum += dy[i * m + j];
            add_scaled[level](dx + i * d, x + i * d, (float)(-2.0 * scale * sum), d);
        }
    }
    if (dp) {
        enum { GROUP = 256 };
        cw_cpu_gemm(ex, dp, d, dy, m, 1, x, d, 0, 2 * scale, 1, m, d, n);
        for (int64_t j0 = 0; j0 < m; j0 += GROUP) {
            float sum[GROUP] = {0};
            int64_t group = cw_min(GROUP, m - j0);
            cw_cpu_column_sum_of(ex, sum, dy + j0, m, n, group);
            for (int64_t j = 0; j < group; j++)
                add_scaled[level](dp + (j0 + j) * d, p + (j0 + j) * d, -2 * scale * sum[j], d);
        }
    }
}
