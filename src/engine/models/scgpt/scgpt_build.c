/* scgpt_build.c: scGPT's settings, its parameters under the published names, and what a batch costs. */
#include "scgpt.h"

#include <math.h>
#include <stdio.h>

#define EPS 1e-5f

/* ---- settings ---- */

#define S cw_scgpt_config
const cw_setting cw_scgpt_settings[] = {
    CW_SET_INT(S, tokens, "ntoken", "tokens", NAN, 1, 1e8, "rows of the gene table"),
    CW_SET_INT(S, pad, "pad_token_id", "pad", NAN, 0, 1e8, "number of the token <pad>"),
    CW_SET_INT(S, cls, "cls_token_id", "cls", NAN, 0, 1e8, "number of the token <cls>"),
    CW_SET_INT(S, width, "embsize", "embedDim", 512, 1, 65536, "width, a multiple of the heads"),
    CW_SET_INT(S, heads, "nheads", "heads", 8, 1, 1024, "attention heads"),
    CW_SET_INT(S, hidden, "d_hid", "hiddenDim", 512, 1, 262144, "hidden width of the layers' networks"),
    CW_SET_INT(S, layers, "nlayers", "layers", 12, 1, 1000, "Transformer layers"),
    CW_SET_INT(S, class_layers, "n_layers_cls", "classLayers", 3, 1, CW_MLP_MAX, "layers of the class head"),
    CW_SET_INT(S, classes, "n_cls", "classes", 1, 1, 1e6, "classes"),
    CW_SET_CHOICE(S, values, "input_emb_style", "values", CW_SCGPT_CONTINUOUS, "continuous category",
                  "how values are read: by a network, or each bin by a row of a table"),
    CW_SET_CHOICE(S, cell, "cell_emb_style", "cell", CW_SCGPT_CLS, "cls avg-pool",
                  "a cell's vector: of the token <cls>, or the mean of all"),
    CW_SET_INT(S, value_rows, "n_input_bins", "valueRows", 0, 0, 65536, "rows of the table of values"),
    CW_SET_REAL(S, pad_value, "pad_value", "padValue", -2, -1e6, 1e6, 0, "value of <pad> and <cls>"),
    CW_SET_REAL(S, mask_value, "mask_value", "maskValue", -1, -1e6, 1e6, 0, "value of what is masked"),
    CW_SET_REAL(S, most, "max_value", "maxValue", 512, 0, 1e9, 1, "larger values count as this"),
    CW_SET_REAL(S, dropout, "dropout", "dropout", 0.2, 0, 0.999, 0, "dropout in training"),
    CW_SET_FLAG(S, mvc, "do_mvc", "mvc", 1, "a head that tells values from the cell's vector"),
    CW_SET_FLAG(S, mvc_detach, "mvc_detach", "mvcDetach", 0, "no gradient from that head to the gene embeddings"),
    CW_SET_FLAG(S, zeros, "explicit_zero_prob", "zeros", 0, "heads for the probability of a value above 0"),
    CW_SET_INT(S, batches, "num_batch_labels", "batches", 0, 0, 1e6, "batches that the heads are told; 0: none"),
    CW_SET_INT(S, lora_rank, "lora_rank", "loraRank", 0, 0, 4096, "rank of the layers' LoRA pairs; 0: none"),
    CW_SET_REAL(S, lora_scale, "lora_scale", "loraScale", 1, 0, 1e6, 0, "what their product is multiplied with"),
    {0}};
#undef S

cw_status cw_scgpt_check(cw_model *m)
{
    const cw_scgpt_config *c = &((cw_scgpt *)m)->config;
    cw_ctx *ctx = m->ctx;
    if (c->width % c->heads || c->width / c->heads > 256)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "scgpt: %lld heads don't divide a width of %lld into heads of at most 256",
                       (long long)c->heads, (long long)c->width);
    if (c->pad >= c->tokens || c->cls >= c->tokens)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "scgpt: the tokens <pad> %lld and <cls> %lld lie beyond a table of %lld",
                       (long long)c->pad, (long long)c->cls, (long long)c->tokens);
    if (c->values == CW_SCGPT_CATEGORY && !(c->pad_value >= 0 && c->pad_value < (float)c->value_rows))
        return cw_fail(ctx, CW_ERR_ARGUMENT, "scgpt: values by a table of %lld rows, with %g for padding",
                       (long long)c->value_rows, (double)c->pad_value);
    return ctx->status;
}

/* ---- parameters ---- */

static cw_tensor *weight(cw_params *p, int64_t rows, int64_t cols, float limit, const char *name)
{
    cw_tensor *t = cw_params_add(p, CW_WEIGHT, 2, (int64_t[]){rows, cols}, "%s", name);
    cw_init_uniform(t, cw_init_stream(p), -limit, limit);
    return t;
}

static cw_layer_linear linear(cw_params *p, int64_t out, int64_t in, const char *name)
{
    return cw_layer_linear_new(p, out, in, 1, name, ".");
}

/* The pair beside a layer's matrix; the product begins as 0. */
static void add_pair(cw_params *p, cw_layer_linear *l, const cw_scgpt_config *c, const char *name)
{
    char part[160];
    if (c->lora_rank == 0 || !l->w) return;
    snprintf(part, sizeof part, "%s.lora_down", name);
    l->down = weight(p, c->lora_rank, cw_cols(l->w), 1.0f / sqrtf((float)cw_cols(l->w)), part);
    l->up = cw_params_add(p, CW_WEIGHT, 2, (int64_t[]){cw_rows(l->w), c->lora_rank}, "%s.lora_up", name);
    l->scale = c->lora_scale;
}

static void add_layer(cw_scgpt *s, cw_scgpt_layer *l, int64_t i)
{
    const cw_scgpt_config *c = &s->config;
    cw_params *p = &s->model.params;
    int64_t d = c->width;
    char name[120];
#define PART(suffix) (snprintf(name, sizeof name, "transformer_encoder.layers.%lld.%s", (long long)i, suffix), name)
    l->qkv = cw_layer_linear_new(p, 3 * d, d, 1, PART("self_attn.in_proj"), "_");
    l->out = linear(p, d, d, PART("self_attn.out_proj"));
    l->up = linear(p, c->hidden, d, PART("linear1"));
    l->down = linear(p, d, c->hidden, PART("linear2"));
    l->norm1 = cw_layer_norm_new(p, d, EPS, PART("norm1"));
    l->norm2 = cw_layer_norm_new(p, d, EPS, PART("norm2"));
    add_pair(p, &l->qkv, c, PART("self_attn.in_proj"));
    add_pair(p, &l->out, c, PART("self_attn.out_proj"));
    add_pair(p, &l->up, c, PART("linear1"));
    add_pair(p, &l->down, c, PART("linear2"));
#undef PART
}

/* Linear, LeakyReLU, Linear, LeakyReLU, Linear to one number. */
static cw_layer_mlp value_decoder(cw_scgpt *s, const char *name)
{
    const int64_t d = s->config.width, in[] = {s->config.batches ? 2 * d : d, d, d}, out[] = {d, d, 1};
    cw_layer_mlp mlp = {.steps = 3};
    char part[80];
    for (int i = 0; i < 3; i++) {
        snprintf(part, sizeof part, "decoder.%s.%d", name, 2 * i);
        mlp.step[i] = (cw_mlp_step){.linear = linear(&s->model.params, out[i], in[i], part),
                                    .activated = i < 2,
                                    .act = {CW_FN_LEAKY_RELU, 0.01f}};
    }
    return mlp;
}

static void add_heads(cw_scgpt *s)
{
    const cw_scgpt_config *c = &s->config;
    cw_params *p = &s->model.params;
    int64_t d = c->width, last = c->class_layers - 1;
    char part[80];
    s->decoder = value_decoder(s, "fc");
    if (c->zeros) s->zero_decoder = value_decoder(s, "zero_logit");
    s->class_decoder.steps = (int)c->class_layers;
    for (int64_t i = 0; i < last; i++) {
        cw_mlp_step *step = &s->class_decoder.step[i];
        snprintf(part, sizeof part, "cls_decoder._decoder.%lld", (long long)(3 * i));
        *step = (cw_mlp_step){.linear = linear(p, d, d, part), .activated = 1, .act = {CW_FN_LEAKY_RELU, 0.0f}};
        snprintf(part, sizeof part, "cls_decoder._decoder.%lld", (long long)(3 * i + 2));
        step->after = cw_layer_norm_new(p, d, EPS, part);
    }
    s->class_decoder.step[last].linear = linear(p, c->classes, d, "cls_decoder.out_layer");
    if (!c->mvc) return;
    int64_t wide = c->batches ? 2 * d : d;
    s->query = linear(p, d, d, "mvc_decoder.gene2query");
    s->mvc = cw_layer_linear_new(p, wide, d, 0, "mvc_decoder.W", ".");
    if (c->zeros) s->mvc_zero = linear(p, wide, d, "mvc_decoder.W_zero_logit");
}

cw_status cw_scgpt_build(cw_model *m)
{
    cw_scgpt *s = (cw_scgpt *)m;
    const cw_scgpt_config *c = &s->config;
    cw_params *p = &m->params;
    int64_t d = c->width;
    s->gene_table = weight(p, c->tokens, d, 0.1f, "encoder.embedding.weight");
    if (s->gene_table) cw_params_mute(s->gene_table, c->pad * d, d);
    s->gene_norm = cw_layer_norm_new(p, d, EPS, "encoder.enc_norm");
    if (c->values == CW_SCGPT_CONTINUOUS) {
        s->value[0] = linear(p, d, 1, "value_encoder.linear1");
        s->value[1] = linear(p, d, d, "value_encoder.linear2");
        s->value_norm = cw_layer_norm_new(p, d, EPS, "value_encoder.norm");
    } else {
        s->value_table = cw_params_add(p, CW_WEIGHT, 2, (int64_t[]){c->value_rows, d}, "value_encoder.embedding.weight");
        cw_init_normal(s->value_table, cw_init_stream(p), 1.0f);
        cw_init_zero(s->value_table, (int64_t)c->pad_value * d, d);
        if (s->value_table) cw_params_mute(s->value_table, (int64_t)c->pad_value * d, d);
        s->value_norm = cw_layer_norm_new(p, d, EPS, "value_encoder.enc_norm");
    }
    if (c->batches) {
        s->batch_table = cw_params_add(p, CW_WEIGHT, 2, (int64_t[]){c->batches, d}, "batch_encoder.embedding.weight");
        cw_init_normal(s->batch_table, cw_init_stream(p), 1.0f);
        s->batch_norm = cw_layer_norm_new(p, d, EPS, "batch_encoder.enc_norm");
    }
    s->layer = cw_calloc(m->ctx, c->layers, sizeof *s->layer);
    for (int64_t i = 0; s->layer && i < c->layers; i++) add_layer(s, &s->layer[i], i);
    add_heads(s);
    return m->ctx->status;
}

void cw_scgpt_release(cw_model *m) { cw_free(m->ctx, ((cw_scgpt *)m)->layer); }

/* Files of the flash-attention model, and those that wrap it, name the attention otherwise. */
const cw_name_rule cw_scgpt_rules[] = {
    {.to = "transformer_encoder.layers.*.self_attn.in_proj_*", .from = "transformer_encoder.layers.*.self_attn.Wqkv.*"},
    {.to = "transformer_encoder.layers.*.self_attn.in_proj_*",
     .from = "transformer_encoder.layers.*.self_attn._impl.Wqkv.*"},
    {.to = "transformer_encoder.layers.*.self_attn.out_proj.*",
     .from = "transformer_encoder.layers.*.self_attn._impl.out_proj.*"},
    {.to = "*", .from = "module.*"},
    {.to = "transformer_encoder.layers.*.self_attn.in_proj_*",
     .from = "module.transformer_encoder.layers.*.self_attn.Wqkv.*"},
    {0}};

/* ---- memory ---- */

double cw_scgpt_forecast(const cw_model *m, const cw_sizes *sizes)
{
    const cw_scgpt_config *c = &((const cw_scgpt *)m)->config;
    double d = (double)c->width, h = (double)c->hidden, rows = (double)sizes->cells * (double)(sizes->genes + 1);
    /* inference: stream, qkv, attention's output and the hidden layer; training keeps them for every layer */
    double wide = sizes->train ? (double)c->layers * (9 * d + 2 * h) + 6 * d : 6 * d + h;
    double weights = (double)cw_params_values(&m->params) * (sizes->train ? 4 : 1);
    return 4 * (rows * wide + weights);
}
