/* bert_build.c: BERT's settings as in config.json, its parameters, and what a batch costs. */
#include "bert.h"

#include <math.h>
#include <stdio.h>

#define SD 0.02f /* of the published initial values */

#define S cw_bert_config
const cw_setting cw_bert_settings[] = {
    CW_SET_INT(S, vocab, "vocab_size", "vocab", NAN, 1, 1e8, "tokens"),
    CW_SET_INT(S, width, "hidden_size", "embedDim", NAN, 1, 65536, "width"),
    CW_SET_INT(S, layers, "num_hidden_layers", "layers", NAN, 1, 1000, "layers"),
    CW_SET_INT(S, heads, "num_attention_heads", "heads", NAN, 1, 1024, "attention heads"),
    CW_SET_INT(S, inner, "intermediate_size", "hiddenDim", NAN, 1, 262144, "hidden width of the layers' networks"),
    CW_SET_INT(S, positions, "max_position_embeddings", "maxLength", 512, 1, 1 << 20, "most tokens of a sequence"),
    CW_SET_INT(S, types, "type_vocab_size", "types", 2, 1, 1000, "kinds of segments"),
    CW_SET_INT(S, pad, "pad_token_id", "pad", 0, 0, 1e8, "the padding token"),
    CW_SET_CHOICE(S, act, "hidden_act", "act", 0, "gelu relu", "activation"),
    CW_SET_CHOICE(S, position_kind, "position_embedding_type", "positions", 0, "absolute", "kind of positions"),
    CW_SET_REAL(S, eps, "layer_norm_eps", "normEps", 1e-12, 0, 1, 0, "epsilon of the norms"),
    CW_SET_REAL(S, dropout, "hidden_dropout_prob", "dropout", 0.1, 0, 0.999, 0, "dropout in training"),
    CW_SET_REAL(S, attention_dropout, "attention_probs_dropout_prob", "attentionDropout", 0.1, 0, 0.999, 0,
                "dropout of attention in training; not used here"),
    CW_SET_FLAG(S, pooler, "pooler", NULL, 0, "a pooler of the first token"),
    CW_SET_FLAG(S, mlm, "mlm_head", "mlmHead", 0, "a head for masked tokens"),
    CW_SET_FLAG(S, nsp, "nsp_head", "nspHead", 0, "a head for pairs of texts; needs the pooler"),
    CW_SET_INT(S, projection, "projection", NULL, 0, 0, 65536, "width of KCFM's projection; 0: none"),
    CW_SET_INT(S, relations, "relations", NULL, 0, 0, 1000, "relations of triples whose vectors are trained; 0: none"),
    CW_SET_REAL(S, margin, "margin", NULL, 0.5, 0, 1e6, 0, "of the triplet loss"),
    CW_SET_REAL(S, min_distance, "min_pos_dist", "minDistance", 0.1, 0, 1e6, 0, "least distance of a pair"),
    CW_SET_REAL(S, push, "push_scale", "push", 2, 0, 1e6, 0, "margins that a disjoint pair is kept apart"),
    {0}};
#undef S

cw_status cw_bert_check(cw_model *m)
{
    const cw_bert_config *c = &((cw_bert *)m)->config;
    if (c->width % c->heads)
        return cw_fail(m->ctx, CW_ERR_ARGUMENT, "bert: hidden_size %lld is no multiple of num_attention_heads %lld",
                       (long long)c->width, (long long)c->heads);
    if (c->pad >= c->vocab)
        return cw_fail(m->ctx, CW_ERR_ARGUMENT, "bert: pad_token_id %lld is none of %lld tokens", (long long)c->pad,
                       (long long)c->vocab);
    if (c->nsp && !c->pooler)
        return cw_fail(m->ctx, CW_ERR_ARGUMENT, "bert: the head for pairs of texts needs the pooler");
    if (c->relations && !c->projection)
        return cw_fail(m->ctx, CW_ERR_ARGUMENT, "bert: vectors of relations need a projection");
    return m->ctx->status;
}

static cw_tensor *table(cw_params *p, int64_t rows, int64_t d, const char *name)
{
    cw_tensor *t = cw_params_add(p, CW_WEIGHT, 2, (int64_t[]){rows, d}, "bert.embeddings.%s.weight", name);
    cw_init_normal(t, cw_init_stream(p), SD);
    return t;
}

static cw_layer_linear linear(cw_params *p, int64_t out, int64_t in, const char *name)
{
    cw_layer_linear l = {.w = cw_params_add(p, CW_WEIGHT, 2, (int64_t[]){out, in}, "%s.weight", name)};
    cw_init_normal(l.w, cw_init_stream(p), SD);
    l.b = cw_params_add(p, CW_WEIGHT, 1, &out, "%s.bias", name);
    return l;
}

static void add_layer(cw_bert *s, cw_bert_layer *l, int64_t i)
{
    const cw_bert_config *c = &s->config;
    cw_params *p = &s->model.params;
    int64_t d = c->width;
    char name[120];
#define PART(suffix) (snprintf(name, sizeof name, "bert.encoder.layer.%lld.%s", (long long)i, suffix), name)
    l->attention.heads = c->heads;
    l->attention.q = linear(p, d, d, PART("attention.self.query"));
    l->attention.k = linear(p, d, d, PART("attention.self.key"));
    cw_params_mute(l->attention.k.b, 0, d); /* a softmax can't see it */
    l->attention.v = linear(p, d, d, PART("attention.self.value"));
    l->attention.o = linear(p, d, d, PART("attention.output.dense"));
    l->attention_norm = cw_layer_norm_new(p, d, c->eps, PART("attention.output.LayerNorm"));
    l->inner = linear(p, c->inner, d, PART("intermediate.dense"));
    l->outer = linear(p, d, c->inner, PART("output.dense"));
    l->norm = cw_layer_norm_new(p, d, c->eps, PART("output.LayerNorm"));
#undef PART
}

static void add_heads(cw_bert *s)
{
    const cw_bert_config *c = &s->config;
    cw_params *p = &s->model.params;
    int64_t d = c->width;
    if (c->pooler) s->pooler = linear(p, d, d, "bert.pooler.dense");
    if (c->mlm) {
        s->word_bias = cw_params_add(p, CW_WEIGHT, 1, &c->vocab, "cls.predictions.bias");
        s->transform = linear(p, d, d, "cls.predictions.transform.dense");
        s->transform_norm = cw_layer_norm_new(p, d, c->eps, "cls.predictions.transform.LayerNorm");
        if (s->word_bias) cw_params_alias(p, s->word_bias, "cls.predictions.decoder.bias");
        if (s->words) cw_params_alias(p, s->words, "cls.predictions.decoder.weight");
    }
    if (c->nsp) s->pair = linear(p, 2, d, "cls.seq_relationship");
    if (c->projection) {
        s->project = linear(p, c->projection, d, "projection.0");
        s->project_norm = cw_layer_norm_new(p, c->projection, 1e-5f, "projection.2");
    }
    if (c->relations) {
        s->relation = cw_params_add(p, CW_WEIGHT, 2, (int64_t[]){c->relations, d}, "rel_emb.weight");
        cw_init_normal(s->relation, cw_init_stream(p), SD);
        s->relation_project = linear(p, c->projection, d, "rel_projection.0");
        s->relation_norm = cw_layer_norm_new(p, c->projection, 1e-5f, "rel_projection.2");
    }
}

cw_status cw_bert_build(cw_model *m)
{
    cw_bert *s = (cw_bert *)m;
    const cw_bert_config *c = &s->config;
    cw_params *p = &m->params;
    s->words = table(p, c->vocab, c->width, "word_embeddings");
    s->positions = table(p, c->positions, c->width, "position_embeddings");
    s->types = table(p, c->types, c->width, "token_type_embeddings");
    s->first = cw_layer_norm_new(p, c->width, c->eps, "bert.embeddings.LayerNorm");
    s->layer = cw_calloc(m->ctx, c->layers, sizeof *s->layer);
    for (int64_t i = 0; s->layer && i < c->layers; i++) add_layer(s, &s->layer[i], i);
    add_heads(s);
    return m->ctx->status;
}

void cw_bert_release(cw_model *m) { cw_free(m->ctx, ((cw_bert *)m)->layer); }

/* Encoders alone, KCFM's two dictionaries, sentence encoders; and norms as TensorFlow named them. */
const cw_name_rule cw_bert_rules[] = {{.to = "bert.*", .from = "*"},
                                      {.to = "bert.*", .from = "bert_state.*"},
                                      {.to = "projection.*", .from = "projection_state.*"},
                                      {.to = "rel_projection.*", .from = "rel_projection_state.*"},
                                      {.to = "bert.*", .from = "0.auto_model.*"},
                                      {.to = "*LayerNorm.weight", .from = "*LayerNorm.gamma"},
                                      {.to = "*LayerNorm.bias", .from = "*LayerNorm.beta"},
                                      {.to = "bert.*LayerNorm.weight", .from = "*LayerNorm.gamma"},
                                      {.to = "bert.*LayerNorm.bias", .from = "*LayerNorm.beta"},
                                      {0}};

double cw_bert_forecast(const cw_model *m, const cw_sizes *sizes)
{
    const cw_bert_config *c = &((const cw_bert *)m)->config;
    double d = (double)c->width, inner = (double)c->inner, rows = (double)sizes->cells * (double)sizes->length;
    double wide = 5 * d > 2 * d + inner ? 5 * d : 2 * d + inner;
    double kept = sizes->train ? (double)c->layers * (10 * d + 2 * inner) : wide;
    double weights = (double)cw_params_values(&m->params) * (sizes->train ? 4 : 1);
    return 4 * (rows * (kept + d) + weights);
}
