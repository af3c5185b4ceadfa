/* sfm_config.c: an SFM's settings under the published keys, and what a batch costs. */
#include "sfm.h"

#include <math.h>

#define S cw_sfm_config
#define RATE(member, key, argument, help) CW_SET_REAL(S, member, key, argument, 0.1, 0, 0.999, 0, help)
const cw_setting cw_sfm_settings[] = {
    CW_SET_INT(S, vocab, "vocab", NULL, NAN, 1, 1e8, "rows of the gene table"),
    CW_SET_INT(S, conditions, "conditions", NULL, NAN, 1, 1e7, "rows of the condition table"),
    CW_SET_INT(S, pad, "pad", NULL, NAN, 0, 1e8, "the padding token"),
    CW_SET_INT(S, embed_dim, "sfm.embed_dim", "embedDim", 512, 1, 65536, "model width, a multiple of the heads"),
    CW_SET_INT(S, expr_bins, "sfm.expr_num_bins", "exprBins", 32, 2, 65536, "prototypes of the expression encoder"),
    CW_SET_INT(S, expr_hidden, "sfm.expr_hidden_dim", "exprHidden", 256, 1, 65536, "its hidden width"),
    CW_SET_REAL(S, expr_tau, "sfm.expr_tau", "exprTau", 1, 0, 1e12, 1, "its softmax temperature"),
    CW_SET_INT(S, batch_bins, "sfm.batch_num_bins", "batchBins", 32, 1, 65536, "prototypes of a cell's vector"),
    CW_SET_INT(S, batch_hidden, "sfm.batch_hidden_dim", "batchHidden", 128, 1, 65536, "hidden width of its encoder"),
    CW_SET_REAL(S, batch_tau, "sfm.batch_tau", "batchTau", 1, 0, 1e12, 1, "its softmax temperature"),
    RATE(cond_dropout, "sfm.cond_dropout", "condDropout", "dropout of the conditions"),
    RATE(out_dropout, "sfm.out_dropout", "outDropout", "dropout of the embedding"),
    CW_SET_INT(S, layers, "sfm.num_layers", "layers", 4, 1, 1000, "Transformer blocks"),
    CW_SET_INT(S, heads, "sfm.num_heads", "heads", 8, 1, 1024, "attention heads"),
    CW_SET_INT(S, mlp_hidden, "sfm.backbone_mlp_hidden_dim", "mlpHidden", 0, 0, 262144,
               "hidden width of the blocks' SwiGLU; 0: 4 x embedDim"),
    RATE(mlp_dropout, "sfm.backbone_mlp_dropout", "mlpDropout", "dropout of the SwiGLU"),
    {.name = "sfm.attention_backend", .type = CW_SETTING_TEXT, .fallback = NAN},
    CW_SET_FLAG(S, use_rotary, "sfm.use_rotary", "useRotary", 0, "rotary positions in attention"),
    CW_SET_FLAG(S, qkv_bias, "sfm.qkv_bias", "qkvBias", 1, "biases of query, key, value"),
    CW_SET_FLAG(S, out_bias, "sfm.out_bias", "outBias", 1, "bias of attention's output"),
    CW_SET_FLAG(S, mlp_bias, "sfm.backbone_mlp_bias", "mlpBias", 1, "biases of the SwiGLU"),
    CW_SET_REAL(S, norm_eps, "sfm.norm_eps", "normEps", 1e-6, 0, 1, 0, "epsilon of the blocks' RMSNorm"),
    CW_SET_REAL(S, rotary_base, "sfm.rotary_base", "rotaryBase", 10000, 0, 1e12, 1, "base of the rotary angles"),
    CW_SET_FLAG(S, rotary_interleaved, "sfm.rotary_interleaved", "rotaryInterleaved", 0, "pairs of neighbours are turned"),
    CW_SET_INT(S, factors, "sfm.num_factors", "factors", 256, 1, 65535, "latent factors a network is made of"),
    CW_SET_INT(S, router_hidden, "sfm.router_hidden_dim", "routerHidden", 128, 1, 65536, "hidden width of the routers"),
    RATE(router_dropout, "sfm.router_dropout", "routerDropout", "dropout of the routers"),
    CW_SET_INT(S, topk, "sfm.topk", "topk", 0, 0, 1 << 30, "factors kept per gene; 0: all"),
    CW_SET_REAL(S, router_temperature, "sfm.router_temperature", "routerTemperature", 1, 0, 1e12, 0,
                "temperature of the routers"),
    CW_SET_REAL(S, beta_momentum, "sfm.beta_momentum", "betaMomentum", 1, 0, 1, 1,
                "share of each update of the routers' balance"),
    CW_SET_INT(S, vgae_hidden, "vgae.hidden_dim", "vgaeHidden", 128, 1, 65536, "hidden width of the graph autoencoder"),
    RATE(vgae_dropout, "vgae.dropout", "vgaeDropout", "its dropout"),
    CW_SET_INT(S, fp_steps, "vgae.fp_steps", "vgaeSteps", 3, 0, 1000, "its propagation steps"),
    CW_SET_REAL(S, fp_damping, "vgae.fp_damping", "vgaeDamping", 0.5, -1e6, 1e6, 0, "its damping"),
    {0}};
#undef RATE
#undef S

#define N(a) (int64_t)(sizeof(a) / sizeof(a)[0])
static const cw_option published[] = {{"embedDim", NULL, 768},   {"exprHidden", NULL, 128}, {"batchBins", NULL, 128},
                                      {"topk", NULL, 32}};
static const cw_option laptop[] = {{"embedDim", NULL, 64},   {"exprBins", NULL, 16},     {"exprHidden", NULL, 32},
                                   {"batchBins", NULL, 16},  {"batchHidden", NULL, 32},  {"layers", NULL, 2},
                                   {"heads", NULL, 4},       {"mlpHidden", NULL, 128},   {"factors", NULL, 32},
                                   {"routerHidden", NULL, 32}, {"topk", NULL, 4},        {"vgaeHidden", NULL, 32}};
const cw_preset cw_sfm_presets[] = {{"laptop", laptop, N(laptop)}, {"published", published, N(published)}, {0}};

cw_status cw_sfm_check(cw_model *m)
{
    cw_sfm_config *c = &((cw_sfm *)m)->config;
    cw_ctx *ctx = m->ctx;
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

int64_t cw_sfm_gate_width(const cw_sfm_config *c)
{
    return c->topk > 0 && c->topk < c->factors ? c->topk : c->factors;
}

/* Adds up what the forward and the tape hold, in floats: T tokens, N gene tokens, U TFs, K different values (taken as
 * half of N), D wide. Held against cw_memory.peak in tests/engine/test_sfm.c. */
double cw_sfm_forecast(const cw_model *model, const cw_sizes *z)
{
    const cw_sfm_config *c = &((const cw_sfm *)model)->config;
    double weights = (double)cw_params_values(&model->params), cells = (double)z->cells;
    double d = (double)c->embed_dim, n = cells * (double)z->genes, t = n + cells, k = n / 2;
    double u = cells * (double)z->tfs, m = (double)c->factors, r = (double)c->router_hidden;
    double he = (double)c->expr_hidden, hb = (double)c->batch_hidden, h = (double)c->vgae_hidden;
    double heads = (double)c->heads, layers = (double)c->layers, fp = (double)(c->fp_steps > 1 ? c->fp_steps : 1);
    double ffn = (t < 1024 ? t : 1024) * (double)c->mlp_hidden; /* SwiGLU works in blocks of rows */
    double batch = 8 * t + 10 * n, values;
    if (z->train) {
        double encoders = k * (3 * he + 3 * hb + (double)c->expr_bins + 2 * d);
        double backbone = t * d * (6 * layers + 8) + t * heads * (layers + 1) +
                          2 * layers * t * (double)c->mlp_hidden + 3 * ffn;
        double routers = (n + u) * (d + 3 * r + 3 * m);
        double head = n * h * (18 + 2 * fp) + cells * m * h * (1 + fp) + cells * m * m;
        values = 4 * weights + encoders + backbone + routers + head + n * (double)z->tfs / cells;
    } else {
        double encoders = k * (2 * (he > hb ? he : hb) + (double)c->expr_bins + 2 * d);
        double backbone = t * (5 * d + heads) + 2 * ffn;
        double routers = (n + u) * (r + 2 * m) + u * d;
        values = weights + 0.75 * (encoders + backbone + routers); /* not all of it at the same time */
    }
    return 4.0 * 1.05 * (values + batch);
}
