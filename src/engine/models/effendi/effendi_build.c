/* effendi_build.c: Effendi's parameters, under the names of the golden cases. */
#include "effendi.h"

#include <math.h>
#include <stdio.h>

#define FIRST_ITERATIONS 15 /* of a new model; PyTorch does as many */

typedef struct {
    cw_effendi *m;
} builder;

/* nn.Linear's initial values: U(-1/sqrt(in), 1/sqrt(in)) for weight and bias. */
static cw_effendi_linear linear_layer(builder *b, int64_t out, int64_t in, const char *name)
{
    cw_effendi_linear l = {cw_params_add(&b->m->model.params, CW_WEIGHT, 2, (int64_t[]){out, in}, "%s.weight", name),
                           cw_params_add(&b->m->model.params, CW_WEIGHT, 1, &out, "%s.bias", name)};
    float a = 1.0f / sqrtf((float)in);
    cw_init_uniform(l.w, cw_init_stream(&b->m->model.params), -a, a);
    cw_init_uniform(l.b, cw_init_stream(&b->m->model.params), -a, a);
    return l;
}

static cw_effendi_linear norm_layer(builder *b, int64_t d, const char *name)
{
    cw_effendi_linear l = {cw_params_add(&b->m->model.params, CW_WEIGHT, 1, &d, "%s.weight", name),
                           cw_params_add(&b->m->model.params, CW_WEIGHT, 1, &d, "%s.bias", name)};
    cw_init_constant(l.w, 1.0f);
    return l;
}

static cw_tensor *unit_buffer(builder *b, int64_t n, const char *name)
{
    cw_tensor *x = cw_params_add(&b->m->model.params, CW_BUFFER, 1, &n, "%s", name);
    if (!x) return NULL;
    cw_init_normal(x, cw_init_stream(&b->m->model.params), 1.0f);
    double length = 0;
    cw_ctx *ctx = b->m->model.params.ctx;
    float *v = cw_alloc(ctx, n, sizeof *v);
    if (!v || cw_param_get(ctx, x, v) != CW_OK) return cw_free(ctx, v), NULL;
    for (int64_t i = 0; i < n; i++) length += (double)v[i] * v[i];
    for (int64_t i = 0; i < n; i++) v[i] = (float)(v[i] / sqrt(length));
    cw_param_set(ctx, x, v);
    cw_free(ctx, v);
    return x;
}

static void add_field(builder *b, const cw_effendi_config *c)
{
    const int64_t size[] = {c->dim, c->field_hidden, c->field_hidden, c->dim};
    char name[64];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "vector_field.net.%d", 2 * i);
        b->m->field[i] = linear_layer(b, size[i + 1], size[i], name);
        snprintf(name, sizeof name, "vector_field.net.%d.weight_u", 2 * i);
        b->m->u[i] = unit_buffer(b, size[i + 1], name);
        snprintf(name, sizeof name, "vector_field.net.%d.weight_v", 2 * i);
        b->m->v[i] = unit_buffer(b, size[i], name);
    }
}

static void add_options(builder *b, const cw_effendi_config *c)
{
    cw_effendi *m = b->m;
    if (c->tau_heads > 0) {
        m->attention[0] = linear_layer(b, 3 * c->dim, c->dim, "tau_predictor.attention.in_proj");
        m->attention[1] = linear_layer(b, c->dim, c->dim, "tau_predictor.attention.out_proj");
    }
    if (c->adapter_hidden > 0) {
        m->adapter[0] = linear_layer(b, c->adapter_hidden, c->dim, "adapter.0");
        m->adapter[1] = linear_layer(b, c->dim, c->adapter_hidden, "adapter.2");
        cw_init_constant(m->adapter[1].w, 0.0f); /* begins as the embedding itself */
        cw_init_constant(m->adapter[1].b, 0.0f);
    }
    if (c->peaks > 0) {
        m->atac_decoder[0] = linear_layer(b, c->decoder_hidden, c->dim, "atac_decoder.0");
        m->atac_decoder[1] = linear_layer(b, c->peaks, c->decoder_hidden, "atac_decoder.2");
    }
    if (c->readout_tokens > 0) {
        int64_t k = c->decoder_hidden, all = c->readout_tokens * k;
        m->readout[0] = linear_layer(b, all, c->dim, "readout.key");
        m->readout[1] = linear_layer(b, all, c->dim, "readout.value");
        m->readout[2] = linear_layer(b, k, c->dim, "readout.query");
        m->readout[3] = linear_layer(b, k, c->dim, "readout.out");
        m->readout_delay = cw_params_add(&m->model.params, CW_WEIGHT, 1, &k, "readout.delay");
        cw_init_normal(m->readout_delay, cw_init_stream(&b->m->model.params), 1.0f);
    }
}

cw_status cw_effendi_check(cw_model *m)
{
    const cw_effendi_config *c = &((cw_effendi *)m)->config;
    cw_ctx *ctx = m->ctx;
    if (c->readout_tokens > 0 && c->gene_readout)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "effendi: a readout from %lld tokens and per gene from the flow",
                       (long long)c->readout_tokens);
    if (c->tau_heads > 0 && (c->dim % c->tau_heads || c->dim / c->tau_heads > 256))
        return cw_fail(ctx, CW_ERR_ARGUMENT,
                       "effendi: %lld heads don't divide a width of %lld into heads of at most 256",
                       (long long)c->tau_heads, (long long)c->dim);
    return CW_OK;
}

/* New weights' vectors, from random ones: training follows them from there, one iteration a step. */
static void start_power(cw_effendi *m)
{
    for (int i = 0; i < 3 && m->model.ctx->status == CW_OK; i++) {
        int64_t rows = cw_rows(m->field[i].w), cols = cw_cols(m->field[i].w);
        double *room = cw_alloc(m->model.ctx, rows + cols, sizeof *room);
        if (room) cw_effendi_power(room, m->u[i]->data, m->v[i]->data, m->field[i].w->data, FIRST_ITERATIONS, rows, cols);
        cw_free(m->model.ctx, room);
    }
}

cw_status cw_effendi_build(cw_model *model)
{
    cw_effendi *m = (cw_effendi *)model;
    const cw_effendi_config *c = &m->config;
    builder b = {m};
    m->align[0] = linear_layer(&b, c->align_hidden, c->atac, "align.net.0");
    m->align[1] = norm_layer(&b, c->align_hidden, "align.net.1");
    m->align[2] = linear_layer(&b, c->dim, c->align_hidden, "align.net.4");
    m->align[3] = norm_layer(&b, c->dim, "align.net.5");
    add_field(&b, c);
    m->tau_mlp[0] = linear_layer(&b, c->tau_hidden, c->dim, "tau_predictor.tau_mlp.0");
    m->tau_mlp[1] = linear_layer(&b, 1, c->tau_hidden, "tau_predictor.tau_mlp.2");
    m->cell_mod[0] = linear_layer(&b, c->tau_hidden, c->dim, "tau_predictor.cell_mod.0");
    m->cell_mod[1] = norm_layer(&b, c->tau_hidden, "tau_predictor.cell_mod.1");
    m->cell_mod[2] = linear_layer(&b, c->dim, c->tau_hidden, "tau_predictor.cell_mod.4");
    m->decoder[0] = linear_layer(&b, c->decoder_hidden, c->dim, "decoder.proj.0");
    m->decoder[1] = linear_layer(&b, c->dim, c->decoder_hidden, "decoder.proj.3");
    m->tau_bar = cw_params_add(&model->params, CW_WEIGHT, 1, (int64_t[]){1}, "tau_bar");
    cw_init_constant(m->tau_bar, 0.6931472f + CW_EFFENDI_TAU_FLOOR); /* softplus(0), where tau_base begins too */
    add_options(&b, c);
    start_power(m);
    return model->ctx->status;
}
