/* cellot.c: see cellot.h. */
#include "cellot.h"

#include <math.h>
#include <string.h>

/* ---- settings, parameters ---- */

enum { LEAKY_NAMES = 3 }; /* of the choices below the first are leaky: configurations spell it as they like */
#define S cw_cellot_config
#define HIDDEN(i) CW_SET_INT(S, hidden[i], "hidden_units." #i, NULL, 0, 0, 65536, "width of a hidden layer; 0: no such")
static const cw_setting settings[] = {
    CW_SET_INT(S, dim, "input_dim", "dim", NAN, 1, 1e6, "values of a cell"),
    HIDDEN(0), HIDDEN(1), HIDDEN(2), HIDDEN(3), HIDDEN(4), HIDDEN(5), HIDDEN(6), HIDDEN(7),
    CW_SET_CHOICE(S, activation, "activation", NULL, 0, "LeakyReLU leakyrelu leaky_relu ReLU relu",
                  "of hidden layers; the leaky one has slope 0.2"),
    CW_SET_FLAG(S, softplus_kernels, "softplus_W_kernels", "softplusKernels", 0,
                "weights between layers are positive by a softplus, in place of penalty and clamping"),
    CW_SET_REAL(S, softplus_beta, "softplus_beta", "softplusBeta", 1, 0, 1e6, 1, "its sharpness"),
    CW_SET_REAL(S, low, "kernel_init_fxn.a", "kernelLow", 0, -1e6, 1e6, 0, "weights begin uniform from here"),
    CW_SET_REAL(S, high, "kernel_init_fxn.b", "kernelHigh", 0.1, -1e6, 1e6, 0, "to here"),
    {0}};
#undef HIDDEN
#undef S

static const cw_name_rule rules[] = {{.to = "f.*", .from = "f_state.*"}, {.to = "g.*", .from = "g_state.*"}, {0}};

static int layers_of(const cw_cellot_config *c)
{
    int n = 0;
    while (n < CW_CELLOT_HIDDEN && c->hidden[n] > 0) n++;
    return n;
}

static cw_status check(cw_model *model)
{
    const cw_cellot_config *c = &((cw_cellot *)model)->config;
    int n = layers_of(c);
    if (n == 0) return cw_fail(model->ctx, CW_ERR_ARGUMENT, "hidden_units: at least one is needed");
    for (int i = n; i < CW_CELLOT_HIDDEN; i++)
        if (c->hidden[i] > 0) return cw_fail(model->ctx, CW_ERR_ARGUMENT, "hidden_units: layer %d has width 0", n + 1);
    if (c->low > c->high)
        return cw_fail(model->ctx, CW_ERR_ARGUMENT, "weights can't begin from %g to %g", (double)c->low, (double)c->high);
    return CW_OK;
}

static cw_tensor *kernel(cw_params *p, const cw_cellot_config *c, char net, char part, int i, int64_t out, int64_t in)
{
    cw_tensor *w = cw_params_add(p, CW_WEIGHT, 2, (int64_t[]){out, in}, "%c.%c.%d.weight", net, part, i);
    cw_init_uniform(w, cw_init_stream(p), c->low, c->high);
    return w;
}

static void add_network(cw_cellot *m, cw_layer_icnn *l, char net)
{
    static const cw_function leaky = {CW_FN_LEAKY_RELU, 0.2f}, relu = {CW_FN_LEAKY_RELU, 0.0f};
    const cw_cellot_config *c = &m->config;
    cw_params *p = &m->model.params;
    int n = layers_of(c);
    *l = (cw_layer_icnn){.layers = n,
                         .act = c->activation < LEAKY_NAMES ? leaky : relu,
                         .kernel_beta = c->softplus_kernels ? c->softplus_beta : 0.0f};
    for (int i = 0; i < n; i++) l->w[i] = kernel(p, c, net, 'W', i, i + 1 < n ? c->hidden[i + 1] : 1, c->hidden[i]);
    for (int i = 0; i <= n; i++) {
        int64_t out = i < n ? c->hidden[i] : 1;
        l->a[i] = kernel(p, c, net, 'A', i, out, c->dim);
        l->b[i] = cw_params_add(p, CW_WEIGHT, 1, &out, "%c.A.%d.bias", net, i);
    }
    if (l->b[n]) cw_params_mute(l->b[n], 0, 1); /* differences and gradients can't see it */
}

static cw_status build(cw_model *model)
{
    cw_cellot *m = (cw_cellot *)model;
    add_network(m, &m->f, 'f'), add_network(m, &m->g, 'g');
    return model->ctx->status;
}

static double forecast(const cw_model *model, const cw_sizes *sizes)
{
    const cw_cellot_config *c = &((const cw_cellot *)model)->config;
    double wide = 4.0 * (double)c->dim;
    for (int i = 0; i < layers_of(c); i++) wide += (sizes->train ? 16.0 : 8.0) * (double)c->hidden[i];
    return 4.0 * ((double)sizes->cells * wide + (double)cw_params_values(&model->params) * (sizes->train ? 4 : 1));
}

/* ---- training: inner steps of g, then one of f ---- */

typedef struct playing {
    int64_t inner;
    float penalty;
} playing;

static const cw_setting playing_settings[] = {
    CW_SET_INT(playing, inner, "n_inner_iters", "innerSteps", 10, 1, 1e6, "steps of g for one of f"),
    CW_SET_REAL(playing, penalty, "g_fnorm_penalty", "penalty", 1, 0, 1e6, 0,
                "weight of the norms of what is negative in g's weights between layers"),
    {0}};

static int of_f(const playing *o, int64_t step) { return step % (o->inner + 1) == o->inner; }

static cw_turn turn(const void *options, int64_t step)
{
    const playing *o = options;
    int64_t rounds = step / (o->inner + 1);
    return of_f(o, step) ? (cw_turn){"f.*", rounds} : (cw_turn){"g.*", step - rounds};
}

enum { G, PENALTY, F };
static const cw_term terms[] = {{"g", 1.0f, CW_TERM_FATAL, 0}, {"penalty", 1.0f, CW_TERM_FATAL, 0},
                                {"f", 1.0f, CW_TERM_FATAL, 0}, {0}};
static const char *const reports[] = {"w2", NULL}; /* the estimate of half the squared distance, at f's steps */

static cw_tensor *mean(cw_tape *t, cw_tensor *x) { return x ? cw_sum(t, x, 1.0f / (float)cw_count(x)) : NULL; }

/* sum over W of ||relu(-W)||_F; where a norm is 0 its gradient is, too */
static cw_tensor *negative_norms(cw_tape *t, const cw_layer_icnn *l)
{
    const cw_function relu = {CW_FN_LEAKY_RELU, 0.0f};
    cw_tensor *sum = NULL;
    for (int i = 0; i < l->layers; i++) {
        cw_tensor *r = cw_apply(t, cw_affine(t, l->w[i], -1.0f, 0.0f), relu);
        r = cw_tape_reshape(t, r, 1, cw_count(l->w[i]));
        cw_tensor *norm = cw_row_dots(t, r, cw_unit_rows(t, r, 1.0f, 1e-12f));
        sum = sum ? cw_add_scaled(t, sum, norm, 1.0f) : norm;
    }
    return sum;
}

/* g: mean f(T) - <source, T>, T = grad g (source). f: mean f(target) - mean f(T), T as given. */
static cw_status train(cw_model *model, cw_tape *t, cw_inputs *in, const void *options, cw_loss *loss)
{
    cw_cellot *m = (cw_cellot *)model;
    const playing *o = options;
    cw_tensor *source = cw_model_rows(t, in, "source", m->config.dim);
    cw_tensor *target = cw_model_rows(t, in, "target", m->config.dim);
    if (model->ctx->status != CW_OK) return model->ctx->status;
    cw_tensor *moved = cw_layer_icnn_gradient(t, source, &m->g), *at_moved = cw_layer_icnn_forward(t, moved, &m->f);
    cw_tensor *dots = cw_row_dots(t, source, moved);
    m->clamp = of_f(o, loss->step) && !m->config.softplus_kernels;
    if (!of_f(o, loss->step)) {
        loss->term[G] = mean(t, cw_add_scaled(t, at_moved, dots, -1.0f));
        if (o->penalty > 0 && !m->config.softplus_kernels)
            loss->term[PENALTY] = cw_affine(t, negative_norms(t, &m->g), o->penalty, 0.0f);
        return model->ctx->status;
    }
    cw_tensor *at_target = mean(t, cw_layer_icnn_forward(t, target, &m->f));
    loss->term[F] = cw_add_scaled(t, at_target, mean(t, at_moved), -1.0f);
    cw_tensor *lengths = cw_add_scaled(t, mean(t, cw_row_dots(t, source, source)),
                                       mean(t, cw_row_dots(t, target, target)), 1.0f);
    loss->report[0] = cw_add_scaled(t, cw_affine(t, loss->term[F], -1.0f, 0.0f),
                                    cw_add_scaled(t, mean(t, dots), lengths, -0.5f), -1.0f);
    return model->ctx->status;
}

static const cw_task tasks[] = {{.name = "train",
                                 .terms = terms,
                                 .reports = reports,
                                 .settings = playing_settings,
                                 .bytes = sizeof(playing),
                                 .loss = train,
                                 .turn = turn},
                                {0}};

static void after_step(cw_model *model, cw_tape *t)
{
    cw_cellot *m = (cw_cellot *)model;
    const cw_function relu = {CW_FN_LEAKY_RELU, 0.0f};
    for (int i = 0; m->clamp && i < m->f.layers; i++)
        t->k->function(&t->exec, m->f.w[i]->data, m->f.w[i]->data, relu, 0, cw_count(m->f.w[i]));
    m->clamp = 0;
}

static void forget(cw_model *model) { ((cw_cellot *)model)->clamp = 0; }

/* ---- queries ---- */

typedef struct carrying {
    float dosage;
} carrying;

static const cw_setting carrying_settings[] = {
    CW_SET_REAL(carrying, dosage, "dosage", NULL, 1, -10, 10, 0, "share of the way that cells go"), {0}};

/* x -> "x" (cells, dim), carried */
static cw_status transport(cw_model *model, cw_tape *t, cw_inputs *in, const void *options, const cw_sink *out)
{
    const cw_cellot *m = (const cw_cellot *)model;
    float dosage = ((const carrying *)options)->dosage;
    cw_tensor *x = cw_model_rows(t, in, "x", m->config.dim);
    if (!x) return model->ctx->status;
    cw_tensor *to = cw_layer_icnn_gradient(t, x, &m->g);
    cw_model_put(t, out, "x", cw_add_scaled(t, cw_affine(t, to, dosage, 0.0f), x, 1.0f - dosage));
    return model->ctx->status;
}

/* x -> "f", "g" (cells, 1), both networks' values */
static cw_status potentials(cw_model *model, cw_tape *t, cw_inputs *in, const void *options, const cw_sink *out)
{
    const cw_cellot *m = (const cw_cellot *)model;
    (void)options;
    cw_tensor *x = cw_model_rows(t, in, "x", m->config.dim);
    if (!x) return model->ctx->status;
    cw_model_put(t, out, "f", cw_layer_icnn_forward(t, x, &m->f));
    cw_model_put(t, out, "g", cw_layer_icnn_forward(t, x, &m->g));
    return model->ctx->status;
}

static const cw_query queries[] = {{"transport", carrying_settings, sizeof(carrying), transport},
                                   {"potentials", NULL, 0, potentials}, {0}};

const cw_model_class cw_cellot_class = {.name = "cellot",
                                        .title = "CellOT",
                                        .settings = settings,
                                        .rules = rules,
                                        .tasks = tasks,
                                        .queries = queries,
                                        .bytes = sizeof(cw_cellot),
                                        .config = offsetof(cw_cellot, config),
                                        .config_bytes = sizeof(cw_cellot_config),
                                        .check = check,
                                        .build = build,
                                        .after_step = after_step,
                                        .forget = forget,
                                        .forecast = forecast};
