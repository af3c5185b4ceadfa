/* layer_ssm.h: the mixer of Mamba 2 (Dao & Gu 2024). */
#ifndef CW_LAYER_SSM_H
#define CW_LAYER_SSM_H

#include "layer_linear.h"
#include "observe.h"

typedef struct cw_layer_ssm {
    int64_t heads, head_dim, groups, state;
    cw_layer_linear in, out;                  /* in: to [z, x, B, C, dt] */
    cw_tensor *conv_w, *conv_b;               /* (channels of [x, B, C], 1, taps), (channels) */
    cw_tensor *dt_bias, *a_log, *skip, *norm; /* (heads) three times, (heads head_dim) */
    float eps;                                /* of the gated norm: 1e-5 */
} cw_layer_ssm;

/* x (n,d) -> (n,d), sequence by sequence from a state of zeros. The observer is shown NAME.in, .conv, .dt, .ssm, .out. */
cw_tensor *cw_layer_ssm_forward(cw_tape *t, cw_tensor *x, const cw_layer_ssm *l, cw_ragged seq,
                                const cw_observer *observer, const char *name);

#endif
