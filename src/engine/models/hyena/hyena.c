/* hyena.c: see hyena.h. */
#include "hyena.h"

#include <stdio.h>

cw_status cw_hyena_filters(const cw_hyena *m, cw_tape *t, int64_t length, cw_tensor **filter)
{
    if (length > m->config.longest)
        return cw_fail(t->ctx, CW_ERR_ARGUMENT, "a sequence of %lld tokens; the model reads at most %lld",
                       (long long)length, (long long)m->config.longest);
    for (int64_t i = 0; i < m->config.layers; i++)
        filter[i] = cw_hyena_filter_forward(t, &m->block[i].mixer.filter, length);
    return t->ctx->status;
}

/* r = r + h; h = mixer(norm(r)); r = r + h; h = W2 gelu(W1 norm(r)). *r is the stream, the result h. */
static cw_tensor *block_forward(const cw_hyena *m, cw_tape *t, const cw_hyena_block *b, cw_tensor **r, cw_tensor *h,
                                cw_tensor *filter, cw_ragged seq, int64_t i, const cw_observer *observer)
{
    char name[48];
#define SEE(what, x) (snprintf(name, sizeof name, "layer%lld.%s", (long long)i, what), cw_observe(observer, t, name, x))
    const cw_function gelu = {CW_FN_GELU_TANH, 0};
    float p = i ? m->config.dropout : m->config.embed_dropout;
    cw_tensor *before = *r;
    *r = before ? cw_add_scaled(t, before, cw_dropout(t, h, p), 1.0f) : cw_dropout(t, h, p);
    if (before) cw_tape_drop(t, before), cw_tape_drop(t, h);
    cw_tensor *x = cw_layer_norm_forward(t, *r, &b->norm1);
    SEE("mixer_in", x);
    cw_tensor *y = cw_layer_hyena_forward(t, x, &b->mixer, filter, seq);
    SEE("mixer_out", y);
    cw_tape_drop(t, x);
    cw_tensor *sum = cw_add_scaled(t, *r, cw_dropout(t, y, m->config.dropout), 1.0f);
    cw_tape_drop(t, *r), cw_tape_drop(t, y);
    *r = sum;
    x = cw_layer_norm_forward(t, sum, &b->norm2);
    cw_tensor *wide = cw_layer_linear_forward(t, x, &b->fc1, CW_ACT_NONE), *bent = cw_apply(t, wide, gelu);
    cw_tape_drop(t, x), cw_tape_drop(t, wide);
    h = cw_layer_linear_forward(t, bent, &b->fc2, CW_ACT_NONE);
    cw_tape_drop(t, bent);
    SEE("mlp_out", h), SEE("residual", *r);
#undef SEE
    return h;
}

cw_tensor *cw_hyena_forward(const cw_hyena *m, cw_tape *t, const int32_t *id, cw_ragged seq, cw_tensor *const *filter,
                            const cw_observer *observer)
{
    if (t->ctx->status != CW_OK) return NULL;
    cw_tensor *r = NULL, *h = cw_gather(t, m->words, id, seq.start[seq.count]);
    for (int64_t i = 0; i < m->config.layers; i++)
        h = block_forward(m, t, &m->block[i], &r, h, filter[i], seq, i, observer);
    cw_tensor *sum = cw_add_scaled(t, r, cw_dropout(t, h, m->config.dropout), 1.0f);
    cw_tape_drop(t, r), cw_tape_drop(t, h);
    cw_tensor *hidden = cw_layer_norm_forward(t, sum, &m->last);
    cw_tape_drop(t, sum);
    cw_observe(observer, t, "hidden", hidden);
    return hidden;
}
