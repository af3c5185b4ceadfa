/* sccafm_build.c: the trunk's parameters, in the order and under the names of the published state dict. */
#include "sccafm.h"

#include <stdio.h>

#define EMBEDDING_SD 0.02f

typedef struct {
    cw_params *params;
    const char *prefix;
} builder;

/* Numbered by the parameter, apart from the Transformer's streams: a seed gives the model it has always given. */
static cw_stream next_stream(const builder *b)
{
    return cw_rng_stream(b->params->key, CW_RNG_INIT, (uint64_t)b->params->count, 1);
}

static cw_tensor *embedding(builder *b, int64_t rows, int64_t cols, const char *name)
{
    cw_tensor *t = cw_params_add(b->params, CW_WEIGHT, 2, (int64_t[]){rows, cols}, "%s%s", b->prefix, name);
    cw_init_normal(t, next_stream(b), EMBEDDING_SD);
    return t;
}

static cw_tensor *vector(builder *b, int64_t n, float value, const char *name)
{
    cw_tensor *t = cw_params_add(b->params, CW_WEIGHT, 1, &n, "%s%s", b->prefix, name);
    cw_init_constant(t, value);
    return t;
}

static cw_tensor *weight(builder *b, int64_t out, int64_t in, const char *name)
{
    cw_tensor *t = cw_params_add(b->params, CW_WEIGHT, 2, (int64_t[]){out, in}, "%s%s.weight", b->prefix, name);
    cw_init_xavier_uniform(t, next_stream(b));
    return t;
}

static cw_tensor *bias(builder *b, int64_t out, const char *name)
{
    return cw_params_add(b->params, CW_WEIGHT, 1, &out, "%s%s.bias", b->prefix, name);
}

static cw_scalar_encoder scalar_encoder(builder *b, int64_t hidden, const char *name)
{
    char part[160];
    cw_scalar_encoder e;
#define PART(suffix) (snprintf(part, sizeof part, "%s.value_encoder.%s", name, suffix), part)
    e.w1 = weight(b, hidden, 1, PART("0"));
    e.b1 = bias(b, hidden, PART("0"));
    e.norm = vector(b, hidden, 1.0f, PART("2.weight"));
    e.w2 = weight(b, hidden, hidden, PART("3"));
    e.b2 = bias(b, hidden, PART("3"));
#undef PART
    return e;
}

cw_mlp cw_sccafm_mlp(cw_params *params, int64_t out, int64_t hidden, int64_t in, const char *name)
{
    builder b = {params, name};
    cw_mlp m;
    m.w1 = weight(&b, hidden, in, ".0");
    m.b1 = bias(&b, hidden, ".0");
    m.w2 = weight(&b, out, hidden, ".3");
    m.b2 = bias(&b, out, ".3");
    return m;
}

static void add_embedding(cw_sccafm_trunk *s, builder *b)
{
    const cw_sccafm_config *c = s->config;
    int64_t d = c->embed_dim;
    const int64_t token[3] = {1, 1, d};
    s->prefix_type = cw_params_add(b->params, CW_WEIGHT, 3, token, "%sembedding.prefix_type_embedding", b->prefix);
    s->gene_type = cw_params_add(b->params, CW_WEIGHT, 3, token, "%sembedding.gene_type_embedding", b->prefix);
    s->gene_table = embedding(b, c->vocab, d, "embedding.gene_embedding.weight");
    if (s->gene_table) {
        cw_init_zero(s->gene_table, c->pad * d, d);
        cw_params_mute(s->gene_table, c->pad * d, d);
    }
    s->expr_bins = embedding(b, c->expr_bins, d, "embedding.expr_embedding.bin_embeddings");
    s->expr_prototypes = embedding(b, c->expr_bins - 1, c->expr_hidden, "embedding.expr_embedding.bin_prototypes");
    s->expr = scalar_encoder(b, c->expr_hidden, "embedding.expr_embedding");
    s->batch_bins = embedding(b, c->batch_bins, d, "embedding.batch_embedding.bin_embeddings");
    s->batch_prototypes = embedding(b, c->batch_bins, c->batch_hidden, "embedding.batch_embedding.bin_prototypes");
    s->batch = scalar_encoder(b, c->batch_hidden, "embedding.batch_embedding");
    s->batch_score_w = weight(b, 1, c->batch_hidden, "embedding.batch_embedding.attention_score");
    s->batch_score_b = bias(b, 1, "embedding.batch_embedding.attention_score");
    cw_params_mute(s->batch_score_b, 0, 1);
    s->cond_table = embedding(b, c->conditions, d, "embedding.condition_embedding.cond_embedding.weight");
    s->cond_place = embedding(b, 4, d, "embedding.condition_embedding.cond_position_embedding.weight");
    s->cond_w1 = weight(b, d, 4 * d, "embedding.condition_embedding.cond_encoder.0");
    s->cond_b1 = bias(b, d, "embedding.condition_embedding.cond_encoder.0");
    s->cond_norm = vector(b, d, 1.0f, "embedding.condition_embedding.cond_encoder.2.weight");
    s->cond_w2 = weight(b, d, d, "embedding.condition_embedding.cond_encoder.3");
    s->cond_b2 = bias(b, d, "embedding.condition_embedding.cond_encoder.3");
    s->tf_type_table = embedding(b, 2, d, "embedding.tf_type_embedding.weight");
    s->token_norm = vector(b, d, 1.0f, "embedding.final_norm.weight");
}

void cw_sccafm_build(cw_sccafm_trunk *s, cw_params *params, const cw_sccafm_config *c, int causal, const char *prefix)
{
    builder b = {params, prefix};
    char name[80];
    s->config = c;
    add_embedding(s, &b);
    cw_transformer_config backbone = {.width = c->embed_dim, .layers = c->layers, .heads = c->heads,
        .hidden = c->mlp_hidden, .qkv_bias = c->qkv_bias, .out_bias = c->out_bias, .mlp_bias = c->mlp_bias,
        .causal = causal, .dropout = c->mlp_dropout, .norm_eps = c->norm_eps,
        .rotary = !c->use_rotary ? CW_ROTARY_NONE : c->rotary_interleaved ? CW_ROTARY_INTERLEAVED : CW_ROTARY_HALF,
        .rotary_base = c->rotary_base};
    snprintf(name, sizeof name, "%sbackbone.", prefix);
    cw_transformer_init(&s->backbone, params, backbone, name);
}

void cw_sccafm_release(cw_sccafm_trunk *s, cw_ctx *ctx) { cw_transformer_free(&s->backbone, ctx); }

cw_status cw_sccafm_check(cw_ctx *ctx, cw_sccafm_config *c)
{
    if (c->mlp_hidden == 0) c->mlp_hidden = 4 * c->embed_dim;
    if (c->pad >= c->vocab)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "the padding token is %lld; the vocabulary has %lld", (long long)c->pad,
                       (long long)c->vocab);
    if (c->embed_dim % c->heads)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "num_heads is %lld and does not divide embed_dim %lld", (long long)c->heads,
                       (long long)c->embed_dim);
    int64_t head = c->embed_dim / c->heads;
    if (head > 256)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "embed_dim / num_heads is %lld; it may be 1 to 256", (long long)head);
    if (c->use_rotary && head % 2)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "embed_dim / num_heads is %lld; rotary positions need it even",
                       (long long)head);
    return CW_OK;
}
