/* layer_mlp.c: see layer_mlp.h. */
#include "layer_mlp.h"

/* `next` was made of x, which is needed no more, unless it is the caller's or the same. */
static cw_tensor *instead(cw_tape *t, cw_tensor *next, cw_tensor *x, const cw_tensor *callers)
{
    if (x != next && x != callers) cw_tape_drop(t, x);
    return next;
}

cw_tensor *cw_layer_mlp_forward(cw_tape *t, cw_tensor *x, const cw_layer_mlp *l)
{
    const cw_tensor *callers = x;
    for (int i = 0; i < l->steps; i++) {
        const cw_mlp_step *s = &l->step[i];
        x = instead(t, cw_layer_linear_forward(t, x, &s->linear, CW_ACT_NONE), x, callers);
        x = instead(t, cw_layer_norm_forward(t, x, &s->before), x, callers);
        if (s->activated) x = instead(t, cw_apply(t, x, s->act), x, callers);
        x = instead(t, cw_layer_norm_forward(t, x, &s->after), x, callers);
        x = instead(t, cw_dropout(t, x, s->dropout), x, callers);
    }
    return x;
}
