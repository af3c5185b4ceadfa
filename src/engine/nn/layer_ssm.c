/* layer_ssm.c: see layer_ssm.h. */
#include "layer_ssm.h"

#include <stdio.h>

static void show(const cw_observer *observer, cw_tape *t, const char *name, const char *part, const cw_tensor *x)
{
    char full[80];
    if (!observer) return;
    snprintf(full, sizeof full, "%s.%s", name, part);
    cw_observe(observer, t, full, x);
}

cw_tensor *cw_layer_ssm_forward(cw_tape *t, cw_tensor *x, const cw_layer_ssm *l, cw_ragged seq,
                                const cw_observer *observer, const char *name)
{
    const cw_function softplus = {CW_FN_SOFTPLUS, 1.0f}, exponential = {CW_FN_EXP, 1.0f}, silu = {CW_FN_SILU, 0.0f};
    int64_t inner = l->heads * l->head_dim, side = l->groups * l->state;
    const int64_t width[] = {inner, inner + 2 * side, l->heads};
    cw_tensor *part[3];
    show(observer, t, name, "in", x);
    cw_tensor *all = cw_layer_linear_forward(t, x, &l->in, CW_ACT_NONE);
    cw_split_columns(t, all, 3, width, part);
    cw_tape_drop(t, all);
    cw_tensor *conv = cw_short_conv(t, part[1], l->conv_w, l->conv_b, seq), *xbc = cw_apply(t, conv, silu);
    cw_tape_drop(t, part[1]), cw_tape_drop(t, conv);
    show(observer, t, name, "conv", xbc);
    cw_tensor *raw = cw_add_spread(t, part[2], l->dt_bias, 1.0f), *dt = cw_apply(t, raw, softplus);
    cw_tape_drop(t, part[2]), cw_tape_drop(t, raw);
    show(observer, t, name, "dt", dt);
    cw_tensor *a = cw_affine(t, cw_apply(t, l->a_log, exponential), -1.0f, 0.0f);
    cw_scan_spec spec = {.heads = l->heads,
                         .head_dim = l->head_dim,
                         .groups = l->groups,
                         .state = l->state,
                         .b_at = inner,
                         .c_at = inner + side,
                         .seq = seq};
    cw_tensor *y = cw_selective_scan(t, xbc, dt, a, l->skip, spec);
    cw_tape_drop(t, xbc), cw_tape_drop(t, dt);
    show(observer, t, name, "ssm", y);
    cw_tensor *gate = cw_apply(t, part[0], silu), *gated = cw_product(t, y, gate);
    cw_tape_drop(t, part[0]), cw_tape_drop(t, gate), cw_tape_drop(t, y);
    cw_tensor *normed = cw_rmsnorm(t, gated, l->norm, l->eps);
    cw_tape_drop(t, gated);
    cw_tensor *out = cw_layer_linear_forward(t, normed, &l->out, CW_ACT_NONE);
    cw_tape_drop(t, normed);
    show(observer, t, name, "out", out);
    return out;
}
