/* cpu_factor.c: losses of sparse factors, cells side by side. */
#include "cpu.h"

#include "../ref/ref.h"

#define WORTH_THREADS 100000 /* multiplications */

static int workers(const cw_exec *ex, int64_t cells, int64_t edges)
{
    if (cells * edges < WORTH_THREADS) return 1;
    return ex->threads < cells ? ex->threads : (int)cells;
}

int64_t cw_cpu_prior_work(const cw_exec *ex, int64_t cells, int64_t edges)
{
    return cw_prior_work_for(workers(ex, cells, edges), cells, edges);
}

/* Each worker has its own scratch and takes every `count`-th cell; cells don't touch each other. */
void cw_cpu_prior_loss(const cw_exec *ex, float *out, double *weights, cw_judged *edge, int64_t *used, void *work,
                       int64_t edges, const float *u, const float *v, cw_prior p, int64_t m)
{
    int64_t cells = p.gene.count;
    int count = workers(ex, cells, edges);
    CW_OMP(parallel for num_threads(count) schedule(static, 1))
    for (int worker = 0; worker < count; worker++)
        for (int64_t c = worker; c < cells; c += count)
            cw_prior_cell_with(cw_cpu_gemm, edge, used, work, worker, edges, u, v, &p, m, c);
    cw_prior_total(out, weights, work, cells);
}

void cw_cpu_prior_loss_backward(const cw_exec *ex, float *du, float *dv, float g, const double *weights,
                                const cw_judged *edge, const int64_t *used, const float *u, const float *v, cw_prior p,
                                int64_t m)
{
    float scale = (float)(g / (*weights + 1e-8));
    int64_t cells = p.gene.count;
    int count = p.top * m > WORTH_THREADS ? ex->threads : 1;
    CW_OMP(parallel for num_threads(count) schedule(dynamic, 1))
    for (int64_t c = 0; c < cells; c++)
        cw_prior_cell_backward(du, dv, scale, edge + c * p.top, used[c], u, v, m);
}
