/* genefn.c: see genefn.h. */
#include "genefn.h"

#include <math.h>

typedef struct genefn {
    cw_model model; /* first */
    cw_genefn_config config;
    cw_layer_norm norm;
    cw_layer_linear layer[4]; /* layer 0 is of many labels only */
} genefn;

#define S cw_genefn_config
static const cw_setting settings[] = {
    CW_SET_INT(S, width, "enc_dims", "width", NAN, 1, 1e6, "length of a gene's vector"),
    CW_SET_INT(S, hidden, "hidden_dim", "hidden", 1024, 1, 1e6, "width of the first layer of many labels"),
    CW_SET_INT(S, hidden2, "hidden2", NULL, 512, 1, 1e6, "of the second"),
    CW_SET_INT(S, hidden3, "hidden3", NULL, 256, 1, 1e6, "of the third"),
    CW_SET_INT(S, labels, "classes", "labels", 1, 1, 1e6, "labels, each of which a gene has or hasn't"),
    CW_SET_FLAG(S, binary, "binary", NULL, 0, "two classes in place of labels"),
    CW_SET_REAL(S, dropout, "dropout", NULL, 0.15, 0, 0.99, 0, "between a layer and its activation"),
    {0}};
#undef S

static const cw_name_rule rules[] = {{.to = "go.*", .from = "*"}, {.to = "mlp.*", .from = "*"}, {0}};

/* ---- parameters ---- */

/* Of the published network's block that its forward never calls; kept for who wrote the file. */
static void unused(cw_params *p, int64_t d)
{
    static const struct {
        const char *name;
        int ndim;
    } part[] = {{"0.weight", 1}, {"0.bias", 1}, {"2.weight", 2}, {"2.bias", 1}, {"4.weight", 1}, {"4.bias", 1}};
    for (int i = 0; i < 6; i++)
        cw_params_add(p, CW_BUFFER, part[i].ndim, (int64_t[]){d, d}, "go.hidden_block.%s", part[i].name);
}

static cw_status build(cw_model *model)
{
    genefn *m = (genefn *)model;
    const cw_genefn_config *c = &m->config;
    cw_params *p = &model->params;
    static const char *const of_two[] = {NULL, "mlp.0", "mlp.3", "mlp.6"};
    static const char *const of_many[] = {"go.input_block.1", "go.output_block.0", "go.output_block.3", "go.output_block.6"};
    const int64_t two[] = {0, c->width, c->width / 2, c->width / 4, 2};
    const int64_t many[] = {c->width, c->hidden, c->hidden2, c->hidden3, c->labels};
    if (c->binary && c->width < 4) return cw_fail(model->ctx, CW_ERR_ARGUMENT, "vectors of %d numbers; 4 are needed", (int)c->width);
    if (!c->binary) m->norm = cw_layer_norm_new(p, c->width, 1e-6f, "go.input_block.0"), unused(p, c->hidden);
    for (int i = c->binary; i < 4; i++)
        m->layer[i] = c->binary ? cw_layer_linear_new(p, two[i + 1], two[i], 0, of_two[i], ".")
                                : cw_layer_linear_new(p, many[i + 1], many[i], 1, of_many[i], ".");
    return model->ctx->status;
}

/* ---- maths ---- */

/* (genes, labels), or (genes, 2) */
static cw_tensor *forward(const genefn *m, cw_tape *t, cw_tensor *x)
{
    const cw_function silu = {CW_FN_SILU, 1.0f};
    int first = m->config.binary;
    if (!first) x = cw_layer_norm_forward(t, x, &m->norm);
    for (int i = first; i < 4; i++) {
        if (i > first) x = cw_apply(t, i == 1 ? x : cw_dropout(t, x, m->config.dropout), silu);
        x = cw_layer_linear_forward(t, x, &m->layer[i], CW_ACT_NONE);
    }
    return x;
}

/* ---- training, prediction ---- */

enum { LABELS, CLASSES };
/* Published weights of classes act on a mean that is taken before, and so only double the loss. */
static const cw_term terms[] = {{"labels", 2.0f, CW_TERM_FATAL, 0}, {"classes", 1.0f, CW_TERM_FATAL, 0}, {0}};

/* "x" (genes, width); "label" (genes, labels), 0 or 1; "class" (genes), 0 or 1 */
static cw_status train(cw_model *model, cw_tape *t, cw_inputs *in, const void *o, cw_loss *loss)
{
    const genefn *m = (const genefn *)model;
    const cw_genefn_config *c = &m->config;
    (void)o;
    cw_tensor *x = cw_model_rows(t, in, "x", c->width);
    int64_t n = x ? cw_rows(x) : -1, dim[] = {n, c->labels};
    if (c->binary) {
        const int32_t *class = cw_in_i32(in, "class", 1, &n, 0);
        for (int64_t i = 0; class && i < n; i++)
            if (class[i] < 0 || class[i] > 1)
                return cw_fail(model->ctx, CW_ERR_ARGUMENT, "class %d of gene %lld", (int)class[i], (long long)i + 1);
        if (cw_in_done(in) == CW_OK) loss->term[CLASSES] = cw_cross_entropy_loss(t, forward(m, t, x), class);
    } else {
        const float *label = cw_in_f32(in, "label", 2, dim, 0);
        if (cw_in_done(in) == CW_OK)
            loss->term[LABELS] = cw_bce_loss(t, forward(m, t, x), cw_tape_constant(t, label, n, c->labels));
    }
    return model->ctx->status;
}

static const cw_task tasks[] = {{.name = "train", .terms = terms, .loss = train}, {0}};

/* -> "logits" (genes, labels or 2) */
static cw_status predict(cw_model *model, cw_tape *t, cw_inputs *in, const void *o, const cw_sink *out)
{
    const genefn *m = (const genefn *)model;
    (void)o;
    cw_tensor *x = cw_model_rows(t, in, "x", m->config.width);
    if (cw_in_done(in) != CW_OK) return model->ctx->status;
    cw_model_put(t, out, "logits", forward(m, t, x));
    return model->ctx->status;
}

static const cw_query queries[] = {{.name = "predict", .run = predict}, {0}};

static double forecast(const cw_model *model, const cw_sizes *sizes)
{
    const cw_genefn_config *c = &((const genefn *)model)->config;
    double wide = c->binary ? 2.0 * (double)c->width : (double)(c->width + c->hidden + c->hidden2 + c->hidden3 + c->labels);
    return 4.0 * (6.0 * (double)sizes->genes * wide + (double)cw_params_values(&model->params) * (sizes->train ? 4 : 1));
}

const cw_model_class cw_genefn_class = {.name = "genefn",
                                        .title = "functions of genes",
                                        .settings = settings,
                                        .rules = rules,
                                        .tasks = tasks,
                                        .queries = queries,
                                        .bytes = sizeof(genefn),
                                        .config = offsetof(genefn, config),
                                        .config_bytes = sizeof(cw_genefn_config),
                                        .build = build,
                                        .forecast = forecast};
