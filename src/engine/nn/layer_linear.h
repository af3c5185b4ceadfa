/* layer_linear.h: a linear layer, and the pair of thin matrices that adapts a frozen one (LoRA, Hu et al. 2021). Layers
 * are records of tensors that the model has created under its published names; they own nothing. */
#ifndef CW_LAYER_LINEAR_H
#define CW_LAYER_LINEAR_H

#include "../autodiff/ops.h"
#include "params.h"

typedef struct cw_layer_linear {
    cw_tensor *w, *b;     /* (out,in), (out) or NULL */
    cw_tensor *down, *up; /* LoRA's A (r,in) and B (out,r); NULL: none, or merged into w */
    float scale;          /* of B A: alpha / r */
} cw_layer_linear;

/* (out,in) and, with `bias`, (out) under `name` `dot` "weight" and "bias" (dot: "." mostly), with the initial values of
 * PyTorch's nn.Linear: uniform within in^-1/2. Errors are in the store's context. */
cw_layer_linear cw_layer_linear_new(cw_params *params, int64_t out, int64_t in, int bias, const char *name,
                                    const char *dot);

/* act(x w^T + b + scale (x A^T) B^T): x (n,in) -> (n,out). Whether w or the pair is trained is said by their tensors.
 */
cw_tensor *cw_layer_linear_forward(cw_tape *t, cw_tensor *x, const cw_layer_linear *l, cw_act act);

/* Rows that are sums of a table's rows: row i is table[index[0][i]] + table[index[1][i]], an index below 0 adds nothing. */
typedef struct cw_summed_rows {
    cw_tensor *table; /* (rows,in) */
    const int32_t *index[2];
    int64_t n;
} cw_summed_rows;
/* The layer of n such rows by one product with the table. Its bias must be NULL: it would be counted twice. */
cw_tensor *cw_layer_linear_sums(cw_tape *t, const cw_summed_rows *x, const cw_layer_linear *l, cw_act act);

/* w + sign scale B A into w, by the context's kernels; sign 1 merges (call the layer without the pair from then on), -1
 * takes it out again: what comes back differs from what was there by rounding only. w must be float. Errors are
 * recorded. */
cw_status cw_layer_linear_merge(cw_ctx *ctx, const cw_layer_linear *l, int sign);

#endif
