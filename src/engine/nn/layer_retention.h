/* layer_retention.h: CellFM's attention (ERetNet): kernel features relu(q), relu(k), no softmax and no order, each
 * head's output brought to unit length, gated. */
#ifndef CW_LAYER_RETENTION_H
#define CW_LAYER_RETENTION_H

#include "layer_linear.h"

typedef struct cw_layer_retention {
    cw_layer_linear q, k, v, u, o; /* u: the gate */
    int64_t heads;
} cw_layer_retention;

/* o(unit(relu(q x) (relu(k y)^T v y)) silu(u x)), unit: sqrt(head width) times the unit vector of each head. x (n,d)
 * asks sequence by sequence, y (m,d) answers (y may be x). Constants or NULL: key_mask (m,1) multiplies keys,
 * value_scale (m,1) values. */
cw_tensor *cw_layer_retention_forward(cw_tape *t, cw_tensor *x, cw_tensor *y, const cw_layer_retention *l,
                                      cw_tensor *key_mask, cw_tensor *value_scale, cw_ragged query, cw_ragged key);
/* The same of rows that are sums and ask themselves: layers without biases. */
cw_tensor *cw_layer_retention_sums(cw_tape *t, const cw_summed_rows *x, const cw_layer_retention *l, cw_tensor *key_mask,
                                   cw_tensor *value_scale, cw_ragged seq);

#endif
