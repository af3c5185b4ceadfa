/* layer_mlp.c: see layer_mlp.h. */
#include "layer_mlp.h"

cw_tensor *cw_layer_mlp_forward(cw_tape *t, cw_tensor *x, const cw_layer_mlp *l)
{
    for (int i = 0; i < l->steps; i++) {
        const cw_mlp_step *s = &l->step[i];
        x = cw_layer_linear_forward(t, x, &s->linear, CW_ACT_NONE);
        x = cw_layer_norm_forward(t, x, &s->before);
        if (s->activated) x = cw_apply(t, x, s->act);
        x = cw_layer_norm_forward(t, x, &s->after);
        x = cw_dropout(t, x, s->dropout);
    }
    return x;
}
