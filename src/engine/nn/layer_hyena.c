/* layer_hyena.c: see layer_hyena.h. */
#include "layer_hyena.h"

static cw_tensor *first_rows(cw_tape *t, cw_tensor *x, int64_t n)
{
    cw_tensor *matrix = cw_tape_reshape(t, x, cw_count(x) / cw_cols(x), cw_cols(x));
    return cw_tape_rows(t, matrix, 0, n);
}

cw_tensor *cw_hyena_filter_forward(cw_tape *t, const cw_hyena_filter *f, int64_t length)
{
    const cw_function sine = {CW_FN_SIN, 1.0f}, decay = {CW_FN_EXP, -1.0f}, absolute = {CW_FN_LEAKY_RELU, -1.0f};
    cw_tensor *h = first_rows(t, f->z, length);
    for (int i = 0; i < f->sines; i++)
        h = cw_apply(t, cw_product(t, cw_layer_linear_forward(t, h, &f->layer[i], CW_ACT_NONE), f->freq), sine);
    h = cw_layer_linear_forward(t, h, &f->last, CW_ACT_NONE);
    if (!f->modulate) return h;
    cw_tensor *rate = cw_apply(t, cw_tape_reshape(t, f->deltas, 1, cw_count(f->deltas)), absolute);
    cw_tensor *window = cw_apply(t, cw_matmul(t, first_rows(t, f->time, length), rate), decay);
    return cw_product(t, h, cw_affine(t, window, 1.0f, f->shift));
}

cw_tensor *cw_layer_hyena_forward(cw_tape *t, cw_tensor *x, const cw_layer_hyena *l, cw_tensor *filter, cw_ragged seq)
{
    if (t->ctx->status != CW_OK) return NULL;
    if (l->order < 2 || l->order > CW_HYENA_MAX_ORDER) {
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "hyena: an order of %lld, not 2 to %d", (long long)l->order,
                CW_HYENA_MAX_ORDER);
        return NULL;
    }
    cw_tensor *u = cw_layer_linear_forward(t, x, &l->in, CW_ACT_NONE);
    cw_tensor *mixed = cw_short_conv(t, u, l->short_w, l->short_b, seq), *part[CW_HYENA_MAX_ORDER + 1];
    if (!mixed) return NULL;
    cw_tape_drop(t, u);
    int64_t d = cw_cols(mixed) / (l->order + 1), width[CW_HYENA_MAX_ORDER + 1];
    for (int64_t i = 0; i <= l->order; i++) width[i] = d;
    cw_split_columns(t, mixed, (int)l->order + 1, width, part); /* x0, x1, .., v */
    cw_tape_drop(t, mixed);
    cw_tensor *v = part[l->order], *bias = cw_tape_reshape(t, l->bias, 1, cw_count(l->bias));
    for (int64_t o = 0; o + 1 < l->order; o++) {
        cw_tensor *gated = cw_product(t, v, part[l->order - 1 - o]);
        cw_tape_drop(t, v), cw_tape_drop(t, part[l->order - 1 - o]);
        v = cw_long_conv(t, gated, cw_columns(t, filter, o * d, d), cw_columns(t, bias, o * d, d), seq);
        cw_tape_drop(t, gated);
    }
    cw_tensor *y = cw_product(t, v, part[0]);
    cw_tape_drop(t, v), cw_tape_drop(t, part[0]);
    cw_tensor *out = cw_layer_linear_forward(t, y, &l->out, CW_ACT_NONE);
    cw_tape_drop(t, y);
    return out;
}
