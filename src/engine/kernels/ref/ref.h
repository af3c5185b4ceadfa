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

#endif
