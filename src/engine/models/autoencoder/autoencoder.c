/* autoencoder.c: see autoencoder.h. */
#include "autoencoder.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- settings, parameters ---- */

#define S cw_autoencoder_config
#define HIDDEN(i) CW_SET_INT(S, hidden[i], "hidden_units." #i, NULL, 0, 0, 65536, "width of a hidden layer; 0: no such")
static const cw_setting settings[] = {
    CW_SET_CHOICE(S, kind, "model", "kind", CW_AUTOENCODER_PLAIN, "scgen cae", "cae: is told each cell's condition"),
    CW_SET_INT(S, genes, "input_dim", "genes", NAN, 1, 1e7, "genes of a cell"),
    CW_SET_INT(S, code, "latent_dim", "latentDim", 50, 1, 65536, "width of the code"),
    CW_SET_INT(S, conditions, "n_conditions", "conditions", 0, 0, 65536, "conditions a conditional one can be told"),
    CW_SET_REAL(S, beta, "beta", NULL, 0, 0, 1e6, 0, "weight of the codes' squared length"),
    HIDDEN(0), HIDDEN(1), HIDDEN(2), HIDDEN(3), HIDDEN(4), HIDDEN(5),
    {0}};
#undef HIDDEN
#undef S

static const cw_name_rule rules[] = {{.to = "*", .from = "model_state.*"}, {0}};

static cw_status check(cw_model *model)
{
    cw_autoencoder *m = (cw_autoencoder *)model;
    const cw_autoencoder_config *c = &m->config;
    int n = 0;
    while (n < CW_AUTOENCODER_HIDDEN && c->hidden[n] > 0) n++;
    m->layers = n + 1;
    for (int i = n; i < CW_AUTOENCODER_HIDDEN; i++)
        if (c->hidden[i] > 0) return cw_fail(model->ctx, CW_ERR_ARGUMENT, "hidden_units: layer %d has width 0", n + 1);
    if (n == 0) return cw_fail(model->ctx, CW_ERR_ARGUMENT, "hidden_units: at least one is needed");
    if (c->kind == CW_AUTOENCODER_CONDITIONAL && c->conditions < 2)
        return cw_fail(model->ctx, CW_ERR_ARGUMENT, "n_conditions must be 2 or more, it is %lld",
                       (long long)c->conditions);
    return CW_OK;
}

/* What stands beside the input of each half. */
static int64_t beside(const cw_autoencoder_config *c)
{
    return c->kind == CW_AUTOENCODER_CONDITIONAL ? c->conditions : 0;
}

static cw_status build(cw_model *model)
{
    cw_autoencoder *m = (cw_autoencoder *)model;
    const cw_autoencoder_config *c = &m->config;
    int n = m->layers;
    char name[40];
    for (int i = 0; i < n; i++) { /* ReLUs count in the names */
        snprintf(name, sizeof name, "encoder_net.%d", 2 * i);
        m->encoder[i] = cw_layer_linear_new(&model->params, i + 1 < n ? c->hidden[i] : c->code,
                                            i ? c->hidden[i - 1] : c->genes + beside(c), 1, name, ".");
    }
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "decoder_net.%d", 2 * i);
        m->decoder[i] = cw_layer_linear_new(&model->params, i + 1 < n ? c->hidden[n - 2 - i] : c->genes,
                                            i ? c->hidden[n - 1 - i] : c->code + beside(c), 1, name, ".");
    }
    return model->ctx->status;
}

static double forecast(const cw_model *model, const cw_sizes *sizes)
{
    const cw_autoencoder_config *c = &((const cw_autoencoder *)model)->config;
    double wide = 2.0 * (double)(c->genes + c->code + beside(c));
    for (int i = 0; i < CW_AUTOENCODER_HIDDEN; i++) wide += 2.0 * (double)c->hidden[i];
    return 4.0 * ((double)sizes->cells * wide * (sizes->train ? 2 : 1) +
                  (double)cw_params_values(&model->params) * (sizes->train ? 4 : 1));
}

/* ---- forward ---- */

static cw_tensor *half(cw_tape *t, cw_tensor *x, cw_tensor *onehot, const cw_layer_linear *layer, int n)
{
    if (onehot) x = cw_concat_cols(t, 2, (cw_tensor *[]){x, onehot});
    for (int i = 0; i < n; i++) x = cw_layer_linear_forward(t, x, &layer[i], i + 1 < n ? CW_ACT_RELU : CW_ACT_NONE);
    return x;
}

cw_tensor *cw_autoencoder_encode(const cw_autoencoder *m, cw_tape *t, cw_tensor *x, cw_tensor *onehot)
{
    return half(t, x, onehot, m->encoder, m->layers);
}

cw_tensor *cw_autoencoder_decode(const cw_autoencoder *m, cw_tape *t, cw_tensor *code, cw_tensor *onehot)
{
    return half(t, code, onehot, m->decoder, m->layers);
}

/* ---- batches: "x" (cells, genes), "code" (cells, code), conditional "condition" (cells), from 0 ---- */

/* NULL for a plain one, and with the error recorded. */
static cw_tensor *read_conditions(const cw_autoencoder *m, cw_tape *t, cw_inputs *in, int64_t cells)
{
    int64_t K = beside(&m->config);
    const int32_t *of = K ? cw_in_i32(in, "condition", 1, &cells, 0) : NULL;
    float *x = of ? cw_arena_take(t->arena, cells * K * (int64_t)sizeof *x) : NULL;
    if (!x) return NULL;
    memset(x, 0, (size_t)(cells * K) * sizeof *x);
    for (int64_t i = 0; i < cells; i++) {
        if (of[i] < 0 || of[i] >= K) {
            cw_fail(in->ctx, CW_ERR_ARGUMENT, "condition %d of cell %lld: the model has %lld", (int)of[i],
                    (long long)i + 1, (long long)K);
            return NULL;
        }
        x[i * K + of[i]] = 1.0f;
    }
    return cw_tape_constant(t, x, cells, K);
}

/* ---- training ---- */

enum { MSE, REG };
static const cw_term terms[] = {{"mse", 1.0f, CW_TERM_FATAL, 0}, {"reg", 1.0f, CW_TERM_FATAL, 0}, {0}};
static const char *const reports[] = {"codeLength", NULL}; /* mean squared length of the codes */

static cw_status train(cw_model *model, cw_tape *t, cw_inputs *in, const void *options, cw_loss *loss)
{
    const cw_autoencoder *m = (const cw_autoencoder *)model;
    (void)options;
    cw_tensor *x = cw_model_rows(t, in, "x", m->config.genes), *onehot = read_conditions(m, t, in, x ? cw_rows(x) : 0);
    if (!x || model->ctx->status != CW_OK) return model->ctx->status;
    cw_tensor *code = cw_autoencoder_encode(m, t, x, onehot);
    loss->term[MSE] = cw_mean_squared(t, cw_autoencoder_decode(m, t, code, onehot), x);
    cw_tensor *length = cw_sum(t, cw_row_dots(t, code, code), 1.0f / (float)cw_rows(x));
    if (m->config.beta > 0) loss->term[REG] = cw_affine(t, length, m->config.beta, 0.0f);
    loss->report[0] = length;
    return model->ctx->status;
}

static const cw_task tasks[] = {{.name = "train", .terms = terms, .reports = reports, .loss = train}, {0}};

/* ---- queries ---- */

/* x -> "code" (cells, code) */
static cw_status encode(cw_model *model, cw_tape *t, cw_inputs *in, const void *options, const cw_sink *out)
{
    const cw_autoencoder *m = (const cw_autoencoder *)model;
    (void)options;
    cw_tensor *x = cw_model_rows(t, in, "x", m->config.genes), *onehot = read_conditions(m, t, in, x ? cw_rows(x) : 0);
    cw_model_put(t, out, "code", cw_autoencoder_encode(m, t, x, onehot));
    return model->ctx->status;
}

/* code -> "x" (cells, genes), as cells of `condition` */
static cw_status decode(cw_model *model, cw_tape *t, cw_inputs *in, const void *options, const cw_sink *out)
{
    const cw_autoencoder *m = (const cw_autoencoder *)model;
    (void)options;
    cw_tensor *code = cw_model_rows(t, in, "code", m->config.code);
    cw_tensor *onehot = read_conditions(m, t, in, code ? cw_rows(code) : 0);
    cw_model_put(t, out, "x", cw_autoencoder_decode(m, t, code, onehot));
    return model->ctx->status;
}

/* x -> "x" (cells, genes), what comes back, and "loss" (cells, 1) */
static cw_status reconstruct(cw_model *model, cw_tape *t, cw_inputs *in, const void *options, const cw_sink *out)
{
    const cw_autoencoder *m = (const cw_autoencoder *)model;
    (void)options;
    cw_tensor *x = cw_model_rows(t, in, "x", m->config.genes), *onehot = read_conditions(m, t, in, x ? cw_rows(x) : 0);
    if (!x || model->ctx->status != CW_OK) return model->ctx->status;
    cw_tensor *code = cw_autoencoder_encode(m, t, x, onehot), *back = cw_autoencoder_decode(m, t, code, onehot);
    cw_tensor *miss = cw_add_scaled(t, back, x, -1.0f);
    cw_tensor *mse = cw_affine(t, cw_row_dots(t, miss, miss), 1.0f / (float)m->config.genes, 0.0f);
    cw_model_put(t, out, "x", back);
    cw_model_put(t, out, "loss", cw_add_scaled(t, mse, cw_row_dots(t, code, code), m->config.beta));
    return model->ctx->status;
}

static const cw_query queries[] = {{"encode", NULL, 0, encode}, {"decode", NULL, 0, decode},
                                   {"reconstruct", NULL, 0, reconstruct}, {0}};

const cw_model_class cw_autoencoder_class = {.name = "autoencoder",
                                             .title = "auto-encoder of CellOT's scGen and cAE",
                                             .settings = settings,
                                             .rules = rules,
                                             .tasks = tasks,
                                             .queries = queries,
                                             .bytes = sizeof(cw_autoencoder),
                                             .config = offsetof(cw_autoencoder, config),
                                             .config_bytes = sizeof(cw_autoencoder_config),
                                             .check = check,
                                             .build = build,
                                             .forecast = forecast};
