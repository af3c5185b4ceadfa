/* kernel_list.h: the names of the entries of cw_kernels, once, for declarations and tables. */
#ifndef CW_KERNEL_LIST_H
#define CW_KERNEL_LIST_H

#include "kernels.h"

/* X(entry) for every entry with a fast version */
#define CW_KERNEL_LIST_FAST(X)                                                                                         \
    X(gemm) X(gemm_batched) X(linear) X(column_sum) X(matrix_power)                                                    \
    X(act) X(act_backward) X(swiglu) X(swiglu_backward) X(axpy) X(dropout) X(normal)                                   \
    X(rmsnorm) X(rmsnorm_backward) X(layernorm) X(layernorm_backward) X(softmax) X(softmax_backward)                   \
    X(gather) X(scatter_add) X(rotary) X(attention) X(attention_backward)                                              \
    X(topk_gate) X(topk_gate_backward) X(soft_bins) X(soft_bins_backward) X(pool) X(pool_backward)                   \
    X(sgd) X(segment_sum) X(segment_sum_backward) X(sum_squares) X(adamw)                                              \
    X(function) X(function_backward) X(spread) X(collect) X(copy_block) X(reverse) X(unit_rows) X(unit_rows_backward)  \
    X(attend) X(attend_backward) X(put_rows)                                                                           \
    X(short_conv) X(short_conv_backward) X(conv_plan) X(long_conv_work) X(long_conv) X(long_conv_backward)           \
    X(linear_attend) X(linear_attend_backward) X(scan_work) X(scan) X(scan_backward)                                   \
    X(batch_stats) X(batch_norm) X(batch_norm_backward) X(sparse_product) X(sparse_values) X(cap_rows)                     \
    X(router_work) X(router_quantiles) X(prior_work) X(prior_loss) X(prior_loss_backward)

/* ... and for those that have only the reference */
#define CW_KERNEL_LIST_REF(X)                                                                                          \
    X(linear_precise) X(to_f32) X(fill) X(affine) X(cross_entropy) X(cross_entropy_backward) X(bce) X(bce_backward)   \
    X(sum) X(sum_double) X(dot) X(mean_squared) X(mean_squared_backward) X(mean_absolute) X(mean_absolute_backward)   \
    X(latent) X(latent_backward) X(kl_normal) X(kl_normal_backward) X(zi_normal) X(zi_normal_backward)                \
    X(soft_cross_entropy) X(add_scaled) X(row_weights) X(row_shift) X(contrast) X(acyclic_matrix) X(acyclic)

/* the function type of an entry; `CW_KERNEL_TYPE(gemm) cw_ref_gemm;` is a prototype with the signature in kernels.h */
#define CW_KERNEL_TYPE(entry) __typeof__(*((const cw_kernels *)0)->entry)

#endif
