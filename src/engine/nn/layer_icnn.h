/* layer_icnn.h: the input-convex network of CellOT (Bunne et al. 2023; Amos et al. 2017) and its gradient, which is the
 * transport map. The gradient is written as forward maths, so that it can be trained through. */
#ifndef CW_LAYER_ICNN_H
#define CW_LAYER_ICNN_H

#include "../autodiff/ops.h"

#define CW_ICNN_MAX 16

/* z = act(A_0 x + a_0)^2; z = act(W_(i-1) z + A_i x + a_i) for i = 1 .. layers - 1; y = W_last z + A_last x + a_last */
typedef struct cw_layer_icnn {
    int layers;                                         /* hidden ones, >= 1 */
    cw_tensor *w[CW_ICNN_MAX];                          /* (layers) */
    cw_tensor *a[CW_ICNN_MAX + 1], *b[CW_ICNN_MAX + 1]; /* (layers + 1) */
    cw_function act;
    float kernel_beta; /* W is replaced by softplus(W; beta); 0: as it is */
} cw_layer_icnn;

cw_tensor *cw_layer_icnn_forward(cw_tape *t, cw_tensor *x, const cw_layer_icnn *l);  /* (n,d) -> (n,1) */
cw_tensor *cw_layer_icnn_gradient(cw_tape *t, cw_tensor *x, const cw_layer_icnn *l); /* d y / d x: (n,d) -> (n,d) */

#endif
