/* hyena_build.c: HyenaDNA's settings as in config.json, its parameters, and what a batch costs. */
#include "hyena.h"

#include <math.h>
#include <stdio.h>

/* ---- settings ---- */

#define S cw_hyena_config
const cw_setting cw_hyena_settings[] = {
    CW_SET_INT(S, width, "d_model", "embedDim", NAN, 1, 65536, "width"),
    CW_SET_INT(S, layers, "n_layer", "layers", NAN, 1, 1000, "blocks"),
    CW_SET_INT(S, inner, "d_inner", "hiddenDim", 0, 0, 262144, "hidden width of the blocks' networks; 0: 4 x width"),
    CW_SET_INT(S, vocab, "vocab_size", "vocab", 12, 1, 65536, "tokens"),
    CW_SET_INT(S, vocab_multiple, "pad_vocab_size_multiple", "vocabMultiple", 8, 1, 65536,
               "rows of the table of tokens are a multiple of this"),
    CW_SET_FLAG(S, head, "use_head", "head", 0, "a head for classes of sequences"),
    CW_SET_INT(S, classes, "n_classes", "classes", 2, 1, 1e6, "its classes"),
    CW_SET_REAL(S, eps, "layer_norm_epsilon", "normEps", 1e-5, 0, 1, 0, "epsilon of the norms"),
    CW_SET_INT(S, order, "layer.order", "order", 2, 2, CW_HYENA_MAX_ORDER, "order of the operator"),
    CW_SET_INT(S, longest, "layer.l_max", "longest", NAN, 2, 1 << 28, "most tokens of a sequence"),
    CW_SET_INT(S, features, "layer.emb_dim", "features", 3, 3, 4097, "positional features of the filters, odd"),
    CW_SET_INT(S, filter_width, "layer.filter_order", "filterWidth", 64, 1, 65536, "width of the filters' network"),
    CW_SET_INT(S, inner_layers, "layer.num_inner_mlps", "filterLayers", 2, 0, CW_HYENA_MAX_SINES - 1,
               "its layers beside the first and the last"),
    CW_SET_INT(S, taps, "layer.short_filter_order", "taps", 3, 1, 64, "taps of the short convolution"),
    CW_SET_FLAG(S, modulate, "layer.modulate", "modulate", 1, "filters decay with the distance"),
    CW_SET_REAL(S, frequency, "layer.w", "frequency", 1, 0, 1e6, 1, "first frequency of the sines"),
    CW_SET_REAL(S, shift, "layer.shift", "shift", 0.05, 0, 1e6, 0, "what the decay ends at"),
    CW_SET_REAL(S, position_lr, "layer.lr_pos_emb", "positionLr", 0, 0, 1, 0, "above 0: positional features are trained"),
    CW_SET_REAL(S, dropout, "resid_dropout", "dropout", 0, 0, 0.999, 0, "dropout in training"),
    CW_SET_REAL(S, embed_dropout, "embed_dropout", "embedDropout", 0.1, 0, 0.999, 0, "dropout of the tokens in training"),
    {0}};
#undef S

cw_status cw_hyena_check(cw_model *m)
{
    cw_hyena_config *c = &((cw_hyena *)m)->config;
    if (c->inner == 0) c->inner = 4 * c->width;
    if (c->features % 2 == 0)
        return cw_fail(m->ctx, CW_ERR_ARGUMENT, "hyena: emb_dim is %lld; it must be odd (time, and pairs of waves)",
                       (long long)c->features);
    return m->ctx->status;
}

/* ---- parameters ---- */

/* z: time, then cos and -sin of waves; time; rates of decay. As the published model is made. */
static void set_positions(cw_hyena *s, cw_hyena_filter *f)
{
    const cw_hyena_config *c = &s->config;
    cw_ctx *ctx = s->model.ctx;
    int64_t L = c->longest, e = c->features, bands = (e - 1) / 2, channels = (c->order - 1) * c->width;
    float *z = cw_alloc(ctx, L * e, sizeof *z), *time = cw_alloc(ctx, L + channels, sizeof *time);
    if (z && time) {
        const double pi = 3.14159265358979323846, last = (double)bands - 1;
        for (int64_t i = 0; i < L; i++) {
            z[i * e] = time[i] = (float)((double)i / (double)(L - 1));
            for (int64_t b = 0; b < bands; b++) {
                double wave = bands > 1 ? 1e-4 + (last - 1e-4) * (double)b / last : 1e-4;
                double angle = wave * 2 * pi * (double)i / (double)L;
                z[i * e + 1 + b] = (float)cos(angle), z[i * e + 1 + bands + b] = (float)-sin(angle);
            }
        }
        double fast = log(0.01) / 0.3, slow = log(0.01) / 1.5;
        for (int64_t i = 0; i < channels; i++)
            time[L + i] = (float)(slow + (channels > 1 ? (fast - slow) * (double)i / (double)(channels - 1) : 0));
        cw_param_set(ctx, f->z, z);
        cw_param_set(ctx, f->time, time);
        cw_param_set(ctx, f->deltas, time + L);
    }
    cw_free(ctx, z), cw_free(ctx, time);
}

static void add_filter(cw_hyena *s, cw_hyena_filter *f, const char *prefix)
{
    const cw_hyena_config *c = &s->config;
    cw_params *p = &s->model.params;
    char name[160];
    int64_t w = c->filter_width, channels = (c->order - 1) * c->width;
#define PART(...) (snprintf(name, sizeof name, __VA_ARGS__), name)
    f->sines = (int)c->inner_layers + 1;
    f->modulate = c->modulate, f->shift = c->shift;
    for (int i = 0; i < f->sines; i++)
        f->layer[i] = cw_layer_linear_new(p, w, i ? w : c->features, 1,
                                          PART("%s.filter_fn.implicit_filter.%d", prefix, 2 * i), ".");
    f->last = cw_layer_linear_new(p, channels, w, 0, PART("%s.filter_fn.implicit_filter.%d", prefix, 2 * f->sines),
                                  ".");
    f->freq = cw_params_add(p, CW_WEIGHT, 2, (int64_t[]){1, w}, "%s.filter_fn.implicit_filter.1.freq", prefix);
    cw_init_constant(f->freq, c->frequency);
    for (int i = 1; f->freq && i < f->sines; i++) /* one vector, stored with each sine */
        cw_params_alias(p, f->freq, "%s.filter_fn.implicit_filter.%d.freq", prefix, 2 * i + 1);
    f->z = cw_params_add(p, c->position_lr > 0 ? CW_WEIGHT : CW_BUFFER, 3, (int64_t[]){1, c->longest, c->features},
                         "%s.filter_fn.pos_emb.z", prefix);
    f->time = cw_params_add(p, CW_BUFFER, 3, (int64_t[]){1, c->longest, 1}, "%s.filter_fn.pos_emb.t", prefix);
    f->deltas = cw_params_add(p, CW_BUFFER, 3, (int64_t[]){1, 1, channels}, "%s.filter_fn.modulation.deltas", prefix);
    if (f->deltas) set_positions(s, f);
#undef PART
}

static void add_block(cw_hyena *s, cw_hyena_block *b, int64_t i)
{
    const cw_hyena_config *c = &s->config;
    cw_params *p = &s->model.params;
    int64_t d = c->width, wide = (c->order + 1) * d, channels = (c->order - 1) * d;
    char name[120], prefix[80];
#define PART(suffix) (snprintf(name, sizeof name, "backbone.layers.%lld.%s", (long long)i, suffix), name)
    snprintf(prefix, sizeof prefix, "backbone.layers.%lld.mixer", (long long)i);
    b->mixer.order = c->order;
    b->mixer.in = cw_layer_linear_new(p, wide, d, 1, PART("mixer.in_proj"), ".");
    b->mixer.out = cw_layer_linear_new(p, d, d, 1, PART("mixer.out_proj"), ".");
    b->mixer.short_w = cw_params_add(p, CW_WEIGHT, 3, (int64_t[]){wide, 1, c->taps}, "%s.short_filter.weight", prefix);
    b->mixer.short_b = cw_params_add(p, CW_WEIGHT, 1, &wide, "%s.short_filter.bias", prefix);
    float a = 1.0f / sqrtf((float)c->taps);
    cw_init_uniform(b->mixer.short_w, cw_init_stream(p), -a, a);
    cw_init_uniform(b->mixer.short_b, cw_init_stream(p), -a, a);
    b->mixer.bias = cw_params_add(p, CW_WEIGHT, 1, &channels, "%s.filter_fn.bias", prefix);
    cw_init_normal(b->mixer.bias, cw_init_stream(p), 1.0f);
    add_filter(s, &b->mixer.filter, prefix);
    b->fc1 = cw_layer_linear_new(p, c->inner, d, 1, PART("mlp.fc1"), ".");
    b->fc2 = cw_layer_linear_new(p, d, c->inner, 1, PART("mlp.fc2"), ".");
    b->norm1 = cw_layer_norm_new(p, d, c->eps, PART("norm1"));
    b->norm2 = cw_layer_norm_new(p, d, c->eps, PART("norm2"));
#undef PART
}

cw_status cw_hyena_build(cw_model *m)
{
    cw_hyena *s = (cw_hyena *)m;
    const cw_hyena_config *c = &s->config;
    cw_params *p = &m->params;
    int64_t d = c->width, rows = (c->vocab + c->vocab_multiple - 1) / c->vocab_multiple * c->vocab_multiple;
    s->words = cw_params_add(p, CW_WEIGHT, 2, (int64_t[]){rows, d}, "backbone.embeddings.word_embeddings.weight");
    cw_init_normal(s->words, cw_init_stream(p), 0.02f);
    if (!c->head && s->words) cw_params_alias(p, s->words, "lm_head.weight");
    s->block = cw_calloc(m->ctx, c->layers, sizeof *s->block);
    for (int64_t i = 0; s->block && i < c->layers; i++) add_block(s, &s->block[i], i);
    s->last = cw_layer_norm_new(p, d, c->eps, "backbone.ln_f");
    if (c->head) s->head = cw_layer_linear_new(p, c->classes, d, 1, "head.output_transform", ".");
    return m->ctx->status;
}

void cw_hyena_release(cw_model *m) { cw_free(m->ctx, ((cw_hyena *)m)->block); }

/* Checkpoints put "model." in front; those of runs that recompute wrap mixer and network. */
const cw_name_rule cw_hyena_rules[] = {{.to = "*", .from = "model.*"},
                                       {.to = "*.mixer.*", .from = "*.mixer.layer.*"},
                                       {.to = "*.mlp.*", .from = "*.mlp.layer.*"},
                                       {.to = "*.mixer.*", .from = "model.*.mixer.layer.*"},
                                       {.to = "*.mlp.*", .from = "model.*.mlp.layer.*"},
                                       {0}};

/* ---- memory ---- */

double cw_hyena_forecast(const cw_model *m, const cw_sizes *sizes)
{
    const cw_hyena_config *c = &((const cw_hyena *)m)->config;
    double d = (double)c->width, o = (double)c->order, length = (double)sizes->length;
    double rows = (double)sizes->cells * length, channels = (o - 1) * d;
    double wide = 2 * (o + 1) * d + 3 * d > 2 * d + 2 * (double)c->inner ? 2 * (o + 1) * d + 3 * d
                                                                         : 2 * d + 2 * (double)c->inner;
    double kept = sizes->train ? (double)c->layers * (2 * (o + 1) * d + 8 * d + 2 * (double)c->inner) : wide;
    double filters = (double)c->layers * length * (channels + 2 * (double)c->filter_width);
    double weights = (double)cw_params_values(&m->params) * (sizes->train ? 4 : 1);
    return 4 * (rows * (kept + 2 * d) + filters + weights);
}
