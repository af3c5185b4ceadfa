/* cellfm_build.c: CellFM's settings, its parameters under the port's names, and what a batch costs. */
#include "cellfm.h"

#include <math.h>
#include <stdio.h>

/* ---- settings ---- */

#define S cw_cellfm_config
const cw_setting cw_cellfm_settings[] = {
    CW_SET_INT(S, genes, "n_genes", "genes", NAN, 1, 1e8, "genes of the vocabulary"),
    CW_SET_INT(S, gene_rows, "gene_rows", NULL, 0, 0, 1e8, "rows of the gene table; 0: genes + 1, to a multiple of 8"),
    CW_SET_INT(S, width, "enc_dims", "embedDim", 1536, 1, 65536, "width, a multiple of the heads"),
    CW_SET_INT(S, layers, "enc_nlayers", "layers", 2, 1, 1000, "ERetNet layers"),
    CW_SET_INT(S, heads, "enc_num_heads", "heads", 48, 1, 1024, "heads of gated attention"),
    CW_SET_INT(S, hidden, "value_enc_hidden", "valueDim", 256, 1, 65536, "hidden width of the network that reads values"),
    CW_SET_CHOICE(S, variant, "variant", "variant", CW_CELLFM_PRETRAIN, "pretrain finetune annotation",
                  "one token; two more for read depths; or classes that ask the genes"),
    CW_SET_FLAG(S, pad_zero, "pad_zero", "padZero", 1, "slots without a count are 0 and no keys"),
    CW_SET_FLAG(S, add_zero, "add_zero", "addZero", 1, "without padZero: the probability of a count is told, too"),
    CW_SET_FLAG(S, decoders, "decoders", "decoders", 1, "parts that tell hidden values"),
    CW_SET_FLAG(S, label, "label", "label", 0, "classes ask the genes in pre-training"),
    CW_SET_FLAG(S, head, "cls_head", "head", 0, "the port's class head on the cell's row"),
    CW_SET_INT(S, classes, "num_cls", "classes", 1, 1, 1e6, "classes"),
    CW_SET_INT(S, lora, "lora", "loraRank", 0, 0, 4096, "rank of the layers' LoRA pairs; 0: none"),
    CW_SET_FLAG(S, lora_after, "lora_after", "loraAfter", 0, "output projections' pairs read what these give (the port)"),
    CW_SET_REAL(S, slope, "leaky_relu_slope", "slope", 0.2, 0, 1, 0, "of LeakyReLU: MindSpore 0.2, the port 0.01"),
    CW_SET_REAL(S, eps, "layer_norm_eps", "eps", 1e-7, 0, 1, 1, "of the norms: MindSpore 1e-7, the port 1e-5"),
    CW_SET_REAL(S, dropout, "enc_dropout", "dropout", 0.1, 0, 0.999, 0, "of the last layer's branches, less in earlier ones"),
    {0}};
#undef S

static const cw_option small[] = {{"enc_dims", NULL, 1536}, {"enc_nlayers", NULL, 2}, {"enc_num_heads", NULL, 48},
                                  {"value_enc_hidden", NULL, 256}};
static const cw_option large[] = {{"enc_dims", NULL, 1536}, {"enc_nlayers", NULL, 40}, {"enc_num_heads", NULL, 48},
                                  {"value_enc_hidden", NULL, 256}};
const cw_preset cw_cellfm_presets[] = {{"80M", small, 4}, {"800M", large, 4}, {0}};

cw_status cw_cellfm_check(cw_model *m)
{
    cw_cellfm_config *c = &((cw_cellfm *)m)->config;
    cw_ctx *ctx = m->ctx;
    if (c->width % c->heads || c->width / c->heads > 256)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "cellfm: %lld heads don't divide a width of %lld into heads of at most 256",
                       (long long)c->heads, (long long)c->width);
    if (c->gene_rows == 0) c->gene_rows = (c->genes + 1 + 7) / 8 * 8;
    if (c->gene_rows < c->genes + 1)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "cellfm: a table of %lld rows for %lld genes and padding",
                       (long long)c->gene_rows, (long long)c->genes);
    if (c->label && c->variant != CW_CELLFM_PRETRAIN)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "cellfm: 'label' belongs to pre-training");
    if (c->variant == CW_CELLFM_ANNOTATE) c->decoders = 0;
    return ctx->status;
}

/* ---- parameters ---- */

static cw_tensor *row(cw_cellfm *s, int64_t rows, const char *prefix, const char *name)
{
    const int64_t dim[] = {1, rows, s->config.width};
    return cw_params_add(&s->model.params, CW_WEIGHT, 3, dim, "%s%s", prefix, name);
}

static cw_layer_linear linear(cw_cellfm *s, int64_t out, int64_t in, int bias, const char *name)
{
    return cw_layer_linear_new(&s->model.params, out, in, bias, name, ".");
}

static cw_cellfm_values values(cw_cellfm *s, const char *name)
{
    const cw_cellfm_config *c = &s->config;
    cw_cellfm_values v;
    char part[120];
#define PART(suffix) (snprintf(part, sizeof part, "%s.%s", name, suffix), part)
    v.w1 = linear(s, c->hidden, 1, 0, PART("w1")).w;
    v.w3 = linear(s, c->hidden, c->hidden, 0, PART("w3")).w;
    v.a = cw_params_add(&s->model.params, CW_WEIGHT, 2, (int64_t[]){1, 1}, "%s.a", name);
    v.table = linear(s, c->width, c->hidden, 0, PART("table")).w;
#undef PART
    return v;
}

/* The pair of a projection, which begins as 0: A is down, B is up. */
static void add_pair(cw_cellfm *s, cw_layer_linear *l, int64_t out, int64_t in, const char *name)
{
    char part[160];
    if (s->config.lora == 0) return;
    snprintf(part, sizeof part, "%s.A", name);
    l->down = linear(s, s->config.lora, in, 0, part).w;
    l->up = cw_params_add(&s->model.params, CW_WEIGHT, 2, (int64_t[]){out, s->config.lora}, "%s.B.weight", name);
    l->scale = 1.0f;
}

/* A bias-free square projection `name`.x_proj with its pair `name`.lora_x. */
static cw_layer_linear projection(cw_cellfm *s, const char *name, char x, int pair, cw_layer_linear *after)
{
    int64_t d = s->config.width;
    char part[140];
    snprintf(part, sizeof part, "%s.%c_proj", name, x);
    cw_layer_linear l = linear(s, d, d, 0, part);
    snprintf(part, sizeof part, "%s.lora_%c", name, x);
    if (pair) add_pair(s, after && s->config.lora_after ? after : &l, d, d, part);
    return l;
}

static cw_layer_retention retention(cw_cellfm *s, const char *name, int pair, cw_layer_linear *after)
{
    cw_layer_retention l = {.heads = s->config.heads};
    l.q = projection(s, name, 'q', pair, NULL), l.k = projection(s, name, 'k', pair, NULL);
    l.v = projection(s, name, 'v', pair, NULL), l.u = projection(s, name, 'u', pair, NULL);
    l.o = projection(s, name, 'o', pair, after);
    return l;
}

static cw_cellfm_glu bilinear(cw_cellfm *s, const char *name, int pair)
{
    cw_cellfm_glu l = {0};
    l.u = projection(s, name, 'u', pair, NULL), l.v = projection(s, name, 'v', pair, NULL);
    l.o = projection(s, name, 'o', pair, &l.o_after);
    return l;
}

static void add_layer(cw_cellfm *s, cw_cellfm_layer *l, int64_t i, const char *prefix)
{
    char name[120];
#define PART(suffix) (snprintf(name, sizeof name, "%sencoder.%lld.%s", prefix, (long long)i, suffix), name)
    l->attention = retention(s, PART("attn"), 1, &l->o_after);
    l->ffn = bilinear(s, PART("ffn"), 1);
    l->norm1 = cw_layer_norm_new(&s->model.params, s->config.width, s->config.eps, PART("post_norm1"));
    l->norm2 = cw_layer_norm_new(&s->model.params, s->config.width, s->config.eps, PART("post_norm2"));
#undef PART
}

/* Linear layers with biases and LeakyReLU between, of the widths d, .., last. */
static cw_layer_mlp network(cw_cellfm *s, const char *name, int steps, int64_t last, float slope)
{
    int64_t d = s->config.width;
    cw_layer_mlp mlp = {.steps = steps};
    char part[120];
    for (int i = 0; i < steps; i++) {
        snprintf(part, sizeof part, "%s.%d", name, 2 * i);
        mlp.step[i] = (cw_mlp_step){.linear = linear(s, i + 1 < steps ? d : last, d, 1, part),
                                    .activated = i + 1 < steps,
                                    .act = {CW_FN_LEAKY_RELU, slope}};
    }
    return mlp;
}

static void add_decoders(cw_cellfm *s)
{
    const cw_cellfm_config *c = &s->config;
    int64_t d = c->width;
    s->value_decoder = (cw_layer_mlp){.steps = 2};
    s->value_decoder.step[0] = (cw_mlp_step){.linear = linear(s, d, d, 0, "value_dec.w1"),
                                             .activated = 1,
                                             .act = {CW_FN_LEAKY_RELU, c->slope}};
    s->value_decoder.step[1].linear = linear(s, 1, d, 0, "value_dec.w2");
    s->map = linear(s, d, d, 0, "cellwise_dec.map");
    if (!cw_cellfm_tells_zeros(c)) return;
    s->zero_decoder = network(s, "value_dec.zero_logit", 3, 1, c->slope);
    s->map_zero = linear(s, d, d, 1, "cellwise_dec.zero_logit");
}

static void add_query(cw_cellfm *s, cw_cellfm_query *l, const char *name, int twice)
{
    char part[120];
#define PART(suffix) (snprintf(part, sizeof part, "%s.%s", name, suffix), part)
#define NORM(suffix) cw_layer_norm_new(&s->model.params, s->config.width, s->config.eps, PART(suffix))
    if (twice) l->self = retention(s, PART("attn1"), 0, NULL);
    l->cross = retention(s, PART(twice ? "attn2" : "attn"), 0, NULL);
    l->ffn = bilinear(s, PART("ffn"), 0);
    l->norm1 = NORM("post_norm1"), l->norm2 = NORM("post_norm2");
    if (twice) l->norm3 = NORM("post_norm3");
#undef NORM
#undef PART
}

static void add_classes(cw_cellfm *s)
{
    const cw_cellfm_config *c = &s->config;
    cw_params *p = &s->model.params;
    int own = c->variant == CW_CELLFM_ANNOTATE;
    if (own || c->label) {
        s->cluster = cw_params_add(p, CW_WEIGHT, 2, (int64_t[]){c->classes, c->width}, "cluster_emb");
        cw_init_normal(s->cluster, cw_init_stream(p), 0.02f);
        s->classifier = linear(s, 1, c->width, 0, "classifier");
        add_query(s, &s->query[0], own ? "query_layer.0" : "query", own);
        if (own) add_query(s, &s->query[1], "query_layer.1", 1);
        else s->proj = network(s, "proj", 3, c->width, c->slope);
        if (!own && s->query[0].norm2.b) cw_params_mute(s->query[0].norm2.b, 0, c->width); /* a softmax can't see it */
    }
    if (!c->head) return;
    const int64_t n = 128;
    cw_mlp_step *step = s->head.step;
    s->head.steps = 2;
    step[0] = (cw_mlp_step){.linear = linear(s, n, c->width, 1, "cls.0"), .activated = 1, .act = {CW_FN_LEAKY_RELU, 0.01f}};
    step[0].before = cw_layer_norm_new(p, n, 1e-5f, "cls.1");
    step[0].before.kind = CW_NORM_BATCH, step[0].before.momentum = 0.1f;
    step[0].before.mean = cw_params_add(p, CW_BUFFER, 1, &n, "cls.1.running_mean");
    step[0].before.var = cw_params_add(p, CW_BUFFER, 1, &n, "cls.1.running_var");
    cw_init_constant(step[0].before.var, 1.0f);
    if (step[0].linear.b) cw_params_mute(step[0].linear.b, 0, n); /* the norm takes it away */
    step[1].linear = linear(s, c->classes, n, 1, "cls.3");
}

cw_status cw_cellfm_build(cw_model *m)
{
    cw_cellfm *s = (cw_cellfm *)m;
    const cw_cellfm_config *c = &s->config;
    cw_params *p = &m->params;
    const char *prefix = c->variant == CW_CELLFM_ANNOTATE ? "extractor." : "";
    char name[80];
#define PART(suffix) (snprintf(name, sizeof name, "%s%s", prefix, suffix), name)
    s->gene_table = cw_params_add(p, CW_WEIGHT, 2, (int64_t[]){c->gene_rows, c->width}, "%sgene_emb", prefix);
    cw_init_normal(s->gene_table, cw_init_stream(p), 0.02f);
    cw_init_zero(s->gene_table, 0, c->width);
    s->cls = row(s, 1, prefix, "cls_token");
    cw_init_normal(s->cls, cw_init_stream(p), 0.02f);
    s->mask = row(s, 1, prefix, "value_enc.mask_emb");
    s->values = values(s, PART("value_enc.value_enc"));
    if (c->variant != CW_CELLFM_ANNOTATE) s->zero = row(s, 1, prefix, "zero_emb");
    if (c->variant == CW_CELLFM_FINETUNE) {
        s->depth = row(s, 2, prefix, "ST_emb");
        cw_init_normal(s->depth, cw_init_stream(p), 0.02f);
        s->depth_values = values(s, PART("ST_enc"));
    }
    s->layer = cw_calloc(m->ctx, c->layers, sizeof *s->layer);
    for (int64_t i = 0; s->layer && i < c->layers; i++) add_layer(s, &s->layer[i], i, prefix);
    if (c->decoders) add_decoders(s);
    add_classes(s);
#undef PART
    return m->ctx->status;
}

void cw_cellfm_release(cw_model *m) { cw_free(m->ctx, ((cw_cellfm *)m)->layer); }

/* MindSpore's norms; a backbone from an annotator, and the other way; files of wrapped models. */
const cw_name_rule cw_cellfm_rules[] = {{.to = "*post_norm*.weight", .from = "*post_norm*.gamma"},
                                        {.to = "*post_norm*.bias", .from = "*post_norm*.beta"},
                                        {.to = "extractor.*post_norm*.weight", .from = "*post_norm*.gamma"},
                                        {.to = "extractor.*post_norm*.bias", .from = "*post_norm*.beta"},
                                        {.to = "extractor.*", .from = "*"},
                                        {.to = "*post_norm*.weight", .from = "extractor.*post_norm*.gamma"},
                                        {.to = "*post_norm*.bias", .from = "extractor.*post_norm*.beta"},
                                        {.to = "*", .from = "extractor.*"},
                                        {.to = "*", .from = "module.*"},
                                        {0}};

/* ---- memory ---- */

double cw_cellfm_forecast(const cw_model *m, const cw_sizes *sizes)
{
    const cw_cellfm_config *c = &((const cw_cellfm *)m)->config;
    double d = (double)c->width, rows = (double)sizes->cells * (double)(sizes->genes + 3);
    /* training keeps of a layer five projections, the heads' outputs, two sums and norms, three of the network */
    double wide = sizes->train ? (double)c->layers * 16 * d + 4 * d : 7 * d;
    double weights = (double)cw_params_values(&m->params) * (sizes->train ? 4 : 1);
    return 4 * (rows * (wide + (double)c->hidden) + weights);
}
