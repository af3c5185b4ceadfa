/* cpu_gate.c: the top-k gate and soft assignment to prototypes. */
#include "cpu.h"

#include "../ref/ref.h"

#define GATE_MAX 1024 /* columns; wider gates take the reference */

#define CW_TILES "gate_tiles.h"
#include "simd_each.h"

static int (*const gate_row[CW_SIMD_COUNT])(float *, const float *, const float *, int64_t, float,
                                            int64_t) = CW_SIMD_TABLE(gate_row);
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

/* Few rows (one per different value of a batch), so the reference's double arithmetic is kept and shared out. */
void cw_cpu_soft_bins(const cw_exec *ex, float *y, const float *x, const float *p, float scale, int64_t n, int64_t m,
                      int64_t d)
{
    int threads = cw_cpu_threads(ex, 4.0 * (double)n * (double)m * (double)d);
    (void)threads;
    CW_OMP(parallel for schedule(static, 16) num_threads(threads) if (threads > 1))
    for (int64_t i = 0; i < n; i++) cw_ref_soft_bins(ex, y + i * m, x + i * d, p, scale, 1, m, d);
}

/* With s_ij = dL/d(score_ij):
 * dx_i = 2 scale sum_j s_ij p_j (the s_ij of a row sum to 0),  dp_j = 2 scale (sum_i s_ij x_i - p_j sum_i s_ij) */
void cw_cpu_soft_bins_backward(const cw_exec *ex, float *dx, float *dp, float *work, const float *dy, const float *y,
                               const float *x, const float *p, float scale, int64_t n, int64_t m, int64_t d)
{
    for (int64_t i = 0; i < n * m; i++) work[i] = 0.0f;
    cw_cpu_softmax_backward(ex, work, dy, y, 1.0f, n, m);
    int level = cw_cpu_simd_level();
    if (dx) cw_cpu_gemm(ex, dx, d, work, m, 0, p, d, 0, 2 * scale, 1, n, d, m);
    if (dp) {
        enum { GROUP = 256 };
        cw_cpu_gemm(ex, dp, d, work, m, 1, x, d, 0, 2 * scale, 1, m, d, n);
        for (int64_t j0 = 0; j0 < m; j0 += GROUP) {
            float sum[GROUP] = {0};
            int64_t group = cw_min(GROUP, m - j0);
            cw_cpu_column_sum_of(ex, sum, work + j0, m, n, group);
            for (int64_t j = 0; j < group; j++)
                add_scaled[level](dp + (j0 + j) * d, p + (j0 + j) * d, -2 * scale * sum[j], d);
        }
    }
}

/* ---- loads of a router: rows, then columns side by side ---- */

static int router_workers(const cw_exec *ex, int64_t n, int64_t d) { return n * d < 100000 ? 1 : ex->threads; }

int64_t cw_cpu_router_work(const cw_exec *ex, int64_t n, int64_t d)
{
    return n + router_workers(ex, n, d) * (n > d ? n : d);
}

void cw_cpu_router_quantiles(const cw_exec *ex, float *q, float *work, const float *x, const float *beta, int64_t k,
                             int64_t rank, int64_t n, int64_t d)
{
    int workers = router_workers(ex, n, d);
    int64_t most = n > d ? n : d;
    CW_OMP(parallel for num_threads(workers) schedule(static, 1))
    for (int w = 0; w < workers; w++)
        for (int64_t i = w; i < n; i += workers) work[i] = cw_router_alpha(work + n + w * most, x, beta, k, i, d);
    CW_OMP(parallel for num_threads(workers) schedule(static, 1))
    for (int w = 0; w < workers; w++)
        for (int64_t j = w; j < d; j += workers) q[j] = cw_router_quantile(work + n + w * most, x, work, rank, j, n, d);
}
