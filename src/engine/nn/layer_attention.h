/* layer_attention.h: attention with its projections, fused or separate. */
#ifndef CW_LAYER_ATTENTION_H
#define CW_LAYER_ATTENTION_H

#include "layer_linear.h"

typedef struct cw_layer_attention {
    int64_t heads;
    cw_layer_linear qkv; /* to [q, k, v] side by side; or, where its w is NULL, one by one: */
    cw_layer_linear q, k, v;
    cw_layer_linear o;
} cw_layer_attention;

/* o(attention of x (n,d) over y (m,d)), y may be x, and is where qkv is fused. `spec` says masks and sequences (heads,
 * width and columns come from the layer). */
cw_tensor *cw_layer_attention_forward(cw_tape *t, cw_tensor *x, cw_tensor *y, const cw_layer_attention *l,
                                      cw_attend_spec spec);

#endif
