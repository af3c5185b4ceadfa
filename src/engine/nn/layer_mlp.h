/* layer_mlp.h: linear layers one after the other, each with what may stand around its activation. */
#ifndef CW_LAYER_MLP_H
#define CW_LAYER_MLP_H

#include "layer_linear.h"
#include "layer_norm.h"

#define CW_MLP_MAX 8

/* dropout(after(act(before(linear x)))) */
typedef struct cw_mlp_step {
    cw_layer_linear linear;
    cw_layer_norm before, after; /* kind NONE: left out */
    int activated;               /* 0: act is left out */
    cw_function act;
    float dropout;
} cw_mlp_step;
typedef struct cw_layer_mlp {
    int steps;
    cw_mlp_step step[CW_MLP_MAX];
} cw_layer_mlp;

cw_tensor *cw_layer_mlp_forward(cw_tape *t, cw_tensor *x, const cw_layer_mlp *l);

#endif
