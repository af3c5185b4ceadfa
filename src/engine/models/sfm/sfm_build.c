/* sfm_build.c: the SFM's parameters, in the order and under the names of the published state dict. */
#include "sfm.h"

#include <stdio.h>

#define SFM "foundation_modules.sfm."
#define VGAE "head_modules.vgae."
#define EMBEDDING_SD 0.02f

typedef struct {
    cw_params *params;
} builder;

/* Numbered by the parameter, apart from the Transformer's streams: a seed gives the model it has always given. */
static cw_stream next_stream(const builder *b)
{
    return cw_rng_stream(b->params->key, CW_RNG_INIT, (uint64_t)b->params->count, 1);
}

static cw_tensor *embedding(builder *b, int64_t rows, int64_t cols, const char *name)
{
    cw_tensor *t = cw_params_add(b->params, CW_WEIGHT, 2, (int64_t[]){rows, cols}, "%s", name);
    cw_init_normal(t, next_stream(b), EMBEDDING_SD);
    return t;
}

static cw_tensor *vector(builder *b, int64_t n, float value, const char *name)
{
    cw_tensor *t = cw_params_add(b->params, CW_WEIGHT, 1, &n, "%s", name);
    cw_init_constant(t, value);
    return t;
}

static cw_tensor *weight(builder *b, int64_t out, int64_t in, const char *name)
{
    cw_tensor *t = cw_params_add(b->params, CW_WEIGHT, 2, (int64_t[]){out, in}, "%s.weight", name);
    cw_init_xavier_uniform(t, next_stream(b));
    return t;
}

static cw_tensor *bias(builder *b, int64_t out, const char *name)
{
    return cw_params_add(b->params, CW_WEIGHT, 1, &out, "%s.bias", name);
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

static cw_mlp mlp(builder *b, int64_t out, int64_t hidden, int64_t in, const char *name)
{
    char part[160];
    cw_mlp m;
    snprintf(part, sizeof part, "%s.0", name);
    m.w1 = weight(b, hidden, in, part);
    m.b1 = bias(b, hidden, part);
    snprintf(part, sizeof part, "%s.3", name);
    m.w2 = weight(b, out, hidden, part);
    m.b2 = bias(b, out, part);
    return m;
}

static void add_embedding(cw_sfm *s, builder *b)
{
    const cw_sfm_config *c = &s->config;
    int64_t d = c->embed_dim;
    const int64_t token[3] = {1, 1, d};
    s->prefix_type = cw_params_add(&s->model.params, CW_WEIGHT, 3, token, SFM "embedding.prefix_type_embedding");
    s->gene_type = cw_params_add(&s->model.params, CW_WEIGHT, 3, token, SFM "embedding.gene_type_embedding");
    s->gene_table = embedding(b, c->vocab, d, SFM "embedding.gene_embedding.weight");
    if (s->gene_table) {
        cw_init_zero(s->gene_table, c->pad * d, d);
        cw_params_mute(s->gene_table, c->pad * d, d);
    }
    s->expr_bins = embedding(b, c->expr_bins, d, SFM "embedding.expr_embedding.bin_embeddings");
    s->expr_prototypes = embedding(b, c->expr_bins - 1, c->expr_hidden, SFM "embedding.expr_embedding.bin_prototypes");
    s->expr = scalar_encoder(b, c->expr_hidden, SFM "embedding.expr_embedding");
    s->batch_bins = embedding(b, c->batch_bins, d, SFM "embedding.batch_embedding.bin_embeddings");
    s->batch_prototypes = embedding(b, c->batch_bins, c->batch_hidden, SFM "embedding.batch_embedding.bin_prototypes");
    s->batch = scalar_encoder(b, c->batch_hidden, SFM "embedding.batch_embedding");
    s->batch_score_w = weight(b, 1, c->batch_hidden, SFM "embedding.batch_embedding.attention_score");
    s->batch_score_b = bias(b, 1, SFM "embedding.batch_embedding.attention_score");
    cw_params_mute(s->batch_score_b, 0, 1);
    s->cond_table = embedding(b, c->conditions, d, SFM "embedding.condition_embedding.cond_embedding.weight");
    s->cond_place = embedding(b, 4, d, SFM "embedding.condition_embedding.cond_position_embedding.weight");
    s->cond_w1 = weight(b, d, 4 * d, SFM "embedding.condition_embedding.cond_encoder.0");
    s->cond_b1 = bias(b, d, SFM "embedding.condition_embedding.cond_encoder.0");
    s->cond_norm = vector(b, d, 1.0f, SFM "embedding.condition_embedding.cond_encoder.2.weight");
    s->cond_w2 = weight(b, d, d, SFM "embedding.condition_embedding.cond_encoder.3");
    s->cond_b2 = bias(b, d, SFM "embedding.condition_embedding.cond_encoder.3");
    s->tf_type_table = embedding(b, 2, d, SFM "embedding.tf_type_embedding.weight");
    s->token_norm = vector(b, d, 1.0f, SFM "embedding.final_norm.weight");
}

static void add_router(cw_sfm *s, builder *b, cw_mlp *router, cw_balance *balance, const char *name)
{
    const cw_sfm_config *c = &s->config;
    char part[96];
    snprintf(part, sizeof part, SFM "%s.mlp", name);
    *router = mlp(b, c->factors, c->router_hidden, c->embed_dim, part);
    /* without top-k there is no gating module, and no beta in the published state */
    if (c->topk > 0) balance->beta = cw_params_add(&s->model.params, CW_BUFFER, 1, &c->factors, SFM "%s.gating.beta_qb", name);
    balance->sum = cw_calloc(s->model.ctx, c->factors, sizeof(double));
}

cw_status cw_sfm_build(cw_model *m)
{
    cw_sfm *s = (cw_sfm *)m;
    const cw_sfm_config *c = &s->config;
    builder b = {&m->params};
    add_embedding(s, &b);
    cw_transformer_config backbone = {.width = c->embed_dim, .layers = c->layers, .heads = c->heads,
        .hidden = c->mlp_hidden, .qkv_bias = c->qkv_bias, .out_bias = c->out_bias, .mlp_bias = c->mlp_bias,
        .causal = 0, .dropout = c->mlp_dropout, .norm_eps = c->norm_eps,
        .rotary = !c->use_rotary ? CW_ROTARY_NONE : c->rotary_interleaved ? CW_ROTARY_INTERLEAVED : CW_ROTARY_HALF,
        .rotary_base = c->rotary_base};
    cw_transformer_init(&s->backbone, &m->params, backbone, SFM "backbone.");
    add_router(s, &b, &s->tf_router, &s->tf_balance, "tf_router");
    add_router(s, &b, &s->gene_router, &s->gene_balance, "tg_router");
    int64_t h = c->vgae_hidden;
    s->vgae_expr = mlp(&b, h, h, 1, VGAE "encoder.expr_proj.proj");
    s->vgae_posterior = mlp(&b, 2, h, 3 * h, VGAE "encoder.posterior_proj");
    s->vgae_z = mlp(&b, h, h, 1, VGAE "decoder.z_proj.proj");
    s->vgae_out = mlp(&b, 3, h, 2 * h, VGAE "decoder.out_proj");
    return m->ctx->status;
}

void cw_sfm_release(cw_model *m)
{
    cw_sfm *s = (cw_sfm *)m;
    cw_transformer_free(&s->backbone, m->ctx);
    cw_free(m->ctx, s->tf_balance.sum);
    cw_free(m->ctx, s->gene_balance.sum);
    cw_free(m->ctx, s->pair);
}
