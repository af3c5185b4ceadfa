/* kcellfm_build.c: KCellFM's settings, its parameters under the published names, and what a batch costs. */
#include "kcellfm.h"

#include <math.h>
#include <stdio.h>

#define EPS 1e-5f

/* ---- settings ---- */

#define S cw_kcellfm_config
const cw_setting cw_kcellfm_settings[] = {
    CW_SET_INT(S, tokens, "ntoken", "tokens", NAN, 1, 1e8, "rows of the gene table"),
    CW_SET_INT(S, pad, "pad_token_id", "pad", NAN, 0, 1e8, "number of the token <pad>"),
    CW_SET_INT(S, cls, "cls_token_id", "cls", NAN, 0, 1e8, "number of the token <cls>"),
    CW_SET_INT(S, width, "d_model", "embedDim", 512, 1, 65536, "width"),
    CW_SET_INT(S, layers, "nlayers", "layers", 6, 1, 1000, "layers, each in both directions"),
    CW_SET_INT(S, classes, "class_num", "classes", 164, 1, 1e6, "classes"),
    CW_SET_INT(S, state, "mamba2.d_state", "stateDim", 128, 1, 256, "width of a head's state"),
    CW_SET_INT(S, taps, "mamba2.d_conv", "taps", 4, 1, 64, "taps of the convolution"),
    CW_SET_INT(S, expand, "mamba2.expand", "expand", 2, 1, 64, "inner width, in widths"),
    CW_SET_INT(S, head_dim, "mamba2.headdim", "headDim", 64, 1, 256, "width of a head"),
    CW_SET_INT(S, groups, "mamba2.ngroups", "groups", 1, 1, 1024, "groups of heads that share B and C"),
    CW_SET_FLAG(S, both, "bidirectional", "bidirectional", 1, "tokens are read backwards, too"),
    CW_SET_CHOICE(S, combine, "bidirectional_strategy", "strategy", CW_KCELLFM_ADD, "add ew_multiply",
                  "what becomes of the two directions: their mean, or their product"),
    CW_SET_FLAG(S, tied, "bidirectional_weight_tie", "tied", 1, "both directions share their two matrices"),
    CW_SET_CHOICE(S, cell, "cell_emb_style", "cell", CW_KCELLFM_CLS, "cls avg-pool w-pool",
                  "a cell's vector: of the token <cls>, the mean of all, or the mean weighted by values, of length 1"),
    CW_SET_REAL(S, pad_value, "pad_value", "padValue", -2, -1e6, 1e6, 0, "value of <pad>"),
    CW_SET_REAL(S, mask_value, "mask_value", "maskValue", -1, -1e6, 1e6, 0, "value of what is masked"),
    CW_SET_REAL(S, cls_value, "cls_value", "clsValue", 0, -1e6, 1e6, 0, "value of <cls>"),
    CW_SET_REAL(S, most, "max_value", "maxValue", 512, 0, 1e9, 1, "larger values count as this"),
    CW_SET_REAL(S, dropout, "dropout", "dropout", 0.1, 0, 0.999, 0, "dropout of the values in training"),
    {0}};
#undef S

cw_status cw_kcellfm_check(cw_model *m)
{
    const cw_kcellfm_config *c = &((cw_kcellfm *)m)->config;
    int64_t inner = c->expand * c->width, heads = inner / c->head_dim;
    if (inner % c->head_dim || heads % c->groups)
        return cw_fail(m->ctx, CW_ERR_ARGUMENT,
                       "kcellfm: heads of %lld in %lld groups don't divide an inner width of %lld x %lld",
                       (long long)c->head_dim, (long long)c->groups, (long long)c->expand, (long long)c->width);
    if (c->pad >= c->tokens || c->cls >= c->tokens)
        return cw_fail(m->ctx, CW_ERR_ARGUMENT, "kcellfm: the tokens <pad> %lld and <cls> %lld lie beyond a table of %lld",
                       (long long)c->pad, (long long)c->cls, (long long)c->tokens);
    return m->ctx->status;
}

/* ---- parameters ---- */

/* Mamba 2's own initial values: steps between 0.001 and 0.1 on a logarithmic scale (through the inverse of softplus),
 * decays between 1 and 16. */
static void init_heads(cw_params *p, cw_layer_ssm *l)
{
    cw_ctx *ctx = p->ctx;
    float *value = cw_alloc(ctx, 2 * l->heads, sizeof *value);
    cw_stream s = cw_init_stream(p);
    for (int64_t i = 0; value && i < l->heads; i++) {
        double u = (double)cw_rng_uniform(s, (uint64_t)(2 * i)), v = (double)cw_rng_uniform(s, (uint64_t)(2 * i + 1));
        double step = fmax(exp(log(0.001) + u * (log(0.1) - log(0.001))), 1e-4);
        value[i] = (float)(step + log(-expm1(-step)));
        value[l->heads + i] = (float)log(1 + 15 * v);
    }
    if (value && l->dt_bias && l->a_log) {
        cw_param_set(ctx, l->dt_bias, value);
        cw_param_set(ctx, l->a_log, value + l->heads);
    }
    cw_free(ctx, value);
}

/* The mixer of a layer and direction; with `of` its two matrices are those of that one. */
static cw_layer_ssm mixer(cw_kcellfm *s, int64_t layer, const char *direction, const cw_layer_ssm *of)
{
    const cw_kcellfm_config *c = &s->config;
    cw_params *p = &s->model.params;
    int64_t inner = c->expand * c->width, sides = 2 * c->groups * c->state, channels = inner + sides;
    cw_layer_ssm l = {.heads = inner / c->head_dim, .head_dim = c->head_dim, .groups = c->groups, .state = c->state,
                      .eps = EPS};
    char prefix[80], name[120];
    snprintf(prefix, sizeof prefix, "mamba_encoder.%lld.%s", (long long)layer, direction);
#define PART(suffix) (snprintf(name, sizeof name, "%s.%s", prefix, suffix), name)
#define WEIGHT(ndim, shape, suffix) cw_params_add(p, CW_WEIGHT, ndim, shape, "%s.%s", prefix, suffix)
    l.dt_bias = WEIGHT(1, &l.heads, "dt_bias");
    l.a_log = WEIGHT(1, &l.heads, "A_log");
    l.skip = WEIGHT(1, &l.heads, "D");
    if (of) {
        l.in = of->in, l.out = of->out;
        if (l.in.w && l.out.w) {
            cw_params_alias(p, l.in.w, "%s", PART("in_proj.weight"));
            cw_params_alias(p, l.out.w, "%s", PART("out_proj.weight"));
        }
    } else {
        l.in = cw_layer_linear_new(p, inner + channels + l.heads, c->width, 0, PART("in_proj"), ".");
    }
    l.conv_w = WEIGHT(3, ((int64_t[]){channels, 1, c->taps}), "conv1d.weight");
    l.conv_b = WEIGHT(1, &channels, "conv1d.bias");
    l.norm = WEIGHT(1, &inner, "norm.weight");
    if (!of) l.out = cw_layer_linear_new(p, c->width, inner, 0, PART("out_proj"), ".");
#undef WEIGHT
#undef PART
    float a = 1.0f / sqrtf((float)c->taps);
    cw_init_uniform(l.conv_w, cw_init_stream(p), -a, a);
    cw_init_uniform(l.conv_b, cw_init_stream(p), -a, a);
    cw_init_constant(l.skip, 1.0f), cw_init_constant(l.norm, 1.0f);
    init_heads(p, &l);
    return l;
}

/* Linear, LeakyReLU, Linear, LeakyReLU, Linear to one number. */
static void add_decoder(cw_kcellfm *s)
{
    int64_t d = s->config.width;
    char part[80];
    s->decoder.steps = 3;
    for (int i = 0; i < 3; i++) {
        snprintf(part, sizeof part, "decoder.fc.%d", 2 * i);
        s->decoder.step[i] = (cw_mlp_step){.linear = cw_layer_linear_new(&s->model.params, i < 2 ? d : 1, d, 1, part, "."),
                                           .activated = i < 2,
                                           .act = {CW_FN_LEAKY_RELU, 0.01f}};
    }
}

/* Twice Linear, ReLU, LayerNorm; then Linear to the classes, drawn as the published fine-tuning draws it. */
static void add_class_decoder(cw_kcellfm *s)
{
    cw_params *p = &s->model.params;
    int64_t d = s->config.width;
    char part[80];
    s->class_decoder.steps = 3;
    for (int i = 0; i < 2; i++) {
        cw_mlp_step *step = &s->class_decoder.step[i];
        snprintf(part, sizeof part, "cls_decoder._decoder.%d", 3 * i);
        *step = (cw_mlp_step){
            .linear = cw_layer_linear_new(p, d, d, 1, part, "."), .activated = 1, .act = {CW_FN_LEAKY_RELU, 0.0f}};
        snprintf(part, sizeof part, "cls_decoder._decoder.%d", 3 * i + 2);
        step->after = cw_layer_norm_new(p, d, EPS, part);
    }
    cw_layer_linear *out = &s->class_decoder.step[2].linear;
    *out = cw_layer_linear_new(p, s->config.classes, d, 1, "cls_decoder.out_layer", ".");
    cw_init_normal(out->w, cw_init_stream(p), sqrtf(2.0f / (float)d));
    cw_init_constant(out->b, 0.0f);
}

cw_status cw_kcellfm_build(cw_model *m)
{
    cw_kcellfm *s = (cw_kcellfm *)m;
    const cw_kcellfm_config *c = &s->config;
    cw_params *p = &m->params;
    int64_t d = c->width;
    s->gene_table = cw_params_add(p, CW_WEIGHT, 2, (int64_t[]){c->tokens, d}, "encoder.embedding.weight");
    cw_init_normal(s->gene_table, cw_init_stream(p), 1.0f);
    cw_init_zero(s->gene_table, c->pad * d, d);
    if (s->gene_table) cw_params_mute(s->gene_table, c->pad * d, d);
    s->gene_norm = cw_layer_norm_new(p, d, EPS, "encoder.enc_norm");
    s->value[0] = cw_layer_linear_new(p, d, 1, 1, "value_encoder.linear1", ".");
    s->value[1] = cw_layer_linear_new(p, d, d, 1, "value_encoder.linear2", ".");
    s->value_norm = cw_layer_norm_new(p, d, EPS, "value_encoder.norm");
    add_class_decoder(s);
    add_decoder(s);
    s->layer = cw_calloc(m->ctx, c->layers, sizeof *s->layer);
    for (int64_t i = 0; s->layer && i < c->layers; i++) {
        s->layer[i].forward = mixer(s, i, "mamba_fwd", NULL);
        if (c->both) s->layer[i].reverse = mixer(s, i, "mamba_rev", c->tied ? &s->layer[i].forward : NULL);
    }
    return m->ctx->status;
}

void cw_kcellfm_release(cw_model *m) { cw_free(m->ctx, ((cw_kcellfm *)m)->layer); }

/* ---- memory ---- */

double cw_kcellfm_forecast(const cw_model *m, const cw_sizes *sizes)
{
    const cw_kcellfm_config *c = &((const cw_kcellfm *)m)->config;
    double d = (double)c->width, inner = d * (double)c->expand, sides = 2.0 * (double)(c->groups * c->state);
    double rows = (double)sizes->cells * (double)(sizes->genes + 1);
    /* a direction: z, x, B, C as projected, convolved and activated, the scan's output, gate and product */
    double mixer = 6 * inner + 3 * sides + 2 * d, ways = c->both ? 2 : 1;
    double wide = sizes->train ? (double)c->layers * ways * (2 * mixer) + 6 * d : mixer + 4 * d;
    double weights = (double)cw_params_values(&m->params) * (sizes->train ? 4 : 1);
    return 4 * (rows * wide + weights);
}
