/* toy.h: a model of its own in one file: y = W2 tanh(W1 x + b1) + b2, trained by mean squares. What a class needs. */
#ifndef TOY_H
#define TOY_H

#include "models/model.h"

typedef struct {
    int64_t in, hidden, out;
    float dropout;
    int tied; /* the last layer is the first one's weight, turned round */
} toy_config;

static const cw_setting toy_settings[] = {CW_SET_INT(toy_config, in, "in", NULL, NAN, 1, 1e6, "inputs"),
                                          CW_SET_INT(toy_config, hidden, "hidden", NULL, 8, 1, 1e6, "hidden width"),
                                          CW_SET_INT(toy_config, out, "out", NULL, NAN, 1, 1e6, "outputs"),
                                          CW_SET_REAL(toy_config, dropout, "dropout", NULL, 0, 0, 0.9, 0, "dropout"),
                                          CW_SET_FLAG(toy_config, tied, "tied", NULL, 0, "one weight for both layers"),
                                          {0}};

typedef struct {
    cw_model model;
    toy_config config;
    cw_tensor *w1, *b1, *w2, *b2;
} toy;

static cw_status toy_build(cw_model *m)
{
    toy *s = (toy *)m;
    int64_t h = s->config.hidden, in = s->config.in, out = s->config.out;
    s->w1 = cw_params_add(&m->params, CW_WEIGHT, 2, (int64_t[]){h, in}, "encoder.weight");
    s->b1 = cw_params_add(&m->params, CW_WEIGHT, 1, &h, "encoder.bias");
    if (!s->config.tied) s->w2 = cw_params_add(&m->params, CW_WEIGHT, 2, (int64_t[]){out, h}, "decoder.weight");
    if (s->config.tied && s->w1) cw_params_alias(&m->params, s->w1, "decoder.weight");
    s->b2 = cw_params_add(&m->params, CW_WEIGHT, 1, &out, "decoder.bias");
    cw_init_xavier_uniform(s->w1, cw_init_stream(&m->params));
    if (s->w2) cw_init_xavier_uniform(s->w2, cw_init_stream(&m->params));
    return m->ctx->status;
}

static cw_tensor *toy_forward(const toy *s, cw_tape *t, cw_inputs *in)
{
    int64_t dim[] = {-1, s->config.in};
    const float *x = cw_in_f32(in, "x", 2, dim, 0);
    cw_tensor *h = x ? cw_linear(t, cw_tape_constant(t, x, dim[0], dim[1]), s->w1, s->b1, CW_ACT_TANH) : NULL;
    h = cw_dropout(t, h, s->config.dropout);
    if (s->config.tied) return cw_matmul(t, h, s->w1); /* out is in */
    return cw_linear(t, h, s->w2, s->b2, CW_ACT_NONE);
}

static const cw_term toy_terms[] = {{"squares", 1.0f, CW_TERM_FATAL, 0}, {"extra", 0.0f, CW_TERM_DROP, 1}, {0}};

static cw_status toy_loss(cw_model *m, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    (void)settings;
    cw_tensor *y = toy_forward((toy *)m, t, in);
    int64_t dim[] = {-1, ((toy *)m)->config.out};
    const float *want = cw_in_f32(in, "y", 2, dim, 0);
    if (m->ctx->status != CW_OK) return m->ctx->status;
    loss->term[0] = cw_mean_squared(t, y, cw_tape_constant(t, want, dim[0], dim[1]));
    if (loss->wanted[1]) loss->term[1] = cw_affine(t, loss->term[0], 1e38f, 0.0f);
    return m->ctx->status;
}

static const cw_task toy_tasks[] = {{.name = "fit", .terms = toy_terms, .loss = toy_loss}, {0}};
static const cw_name_rule toy_rules[] = {{.to = "*.weight", .from = "net.*.kernel", .transpose = 1},
                                         {.to = "encoder.bias", .from = "biases", .part = 0, .parts = 2},
                                         {.to = "decoder.bias", .from = "left|right"},
                                         {0}};
static const cw_model_class toy_class = {.name = "toy", .title = "a toy", .settings = toy_settings, .rules = toy_rules,
                                         .tasks = toy_tasks, .bytes = sizeof(toy), .config = offsetof(toy, config),
                                         .config_bytes = sizeof(toy_config), .build = toy_build};

#endif
