/* ref.h: the reference kernels, cw_ref_<entry>. Plain serial C that reads like the equation; sums in double. */
#ifndef CW_REF_H
#define CW_REF_H

#include "../kernel_list.h"

#define CW_DECLARE_REF(entry) CW_KERNEL_TYPE(entry) cw_ref_##entry;
CW_KERNEL_LIST_FAST(CW_DECLARE_REF)
CW_KERNEL_LIST_REF(CW_DECLARE_REF)
#undef CW_DECLARE_REF

/* matrix_power by the gemm given; for every table */
void cw_matrix_power_with(CW_KERNEL_TYPE(gemm) * gemm, const cw_exec *ex, float *P, float *work, const float *A,
                          int64_t m, int64_t power);

/* The parts of router_quantiles, for every table, in a worker's `line` of max(n, d) floats: alpha of row i, q of column
 * j. */
float cw_router_alpha(float *line, const float *x, const float *beta, int64_t k, int64_t i, int64_t d);
float cw_router_quantile(float *line, const float *x, const float *alpha, int64_t rank, int64_t j, int64_t n,
                         int64_t d);

/* The parts of prior_loss, for every table: the scratch of `workers`; one cell with the gemm given, in a worker's scratch;
 * the sum over cells; and one cell of the backward, which touches no other cell's rows. */
int64_t cw_prior_work_for(int workers, int64_t cells, int64_t edges);
void cw_prior_cell_with(CW_KERNEL_TYPE(gemm) * gemm, cw_judged *edge, int64_t *used, void *work, int worker,
                        int64_t edges, const float *u, const float *v, const cw_prior *p, int64_t m, int64_t c);
void cw_prior_total(float *out, double *weights, const void *work, int64_t cells);
void cw_prior_cell_backward(float *du, float *dv, float g, const cw_judged *edge, int64_t used, const float *u,
                            const float *v, int64_t m);

#endif
