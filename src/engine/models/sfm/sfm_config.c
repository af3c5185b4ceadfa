/* sfm_config.c: an SFM's settings under the published keys, and what a batch costs. */
#include "sfm.h"

#include <math.h>

#define S cw_sfm_config
const cw_setting cw_sfm_settings[] = {
    CW_SCCAFM_SETTINGS(S, "sfm", 0),
    CW_SET_INT(S, factors, "sfm.num_factors", "factors", 256, 1, 65535, "latent factors a network is made of"),
    CW_SET_INT(S, router_hidden, "sfm.router_hidden_dim", "routerHidden", 128, 1, 65536, "hidden width of the routers"),
    CW_SCCAFM_RATE(S, router_dropout, "sfm.router_dropout", "routerDropout", "dropout of the routers"),
    CW_SET_INT(S, topk, "sfm.topk", "topk", 0, 0, 1 << 30, "factors kept per gene; 0: all"),
    CW_SET_REAL(S, router_temperature, "sfm.router_temperature", "routerTemperature", 1, 0, 1e12, 0,
                "temperature of the routers"),
    CW_SET_REAL(S, beta_momentum, "sfm.beta_momentum", "betaMomentum", 1, 0, 1, 1,
                "share of each update of the routers' balance"),
    CW_SET_INT(S, vgae_hidden, "vgae.hidden_dim", "vgaeHidden", 128, 1, 65536, "hidden width of the graph autoencoder"),
    CW_SCCAFM_RATE(S, vgae_dropout, "vgae.dropout", "vgaeDropout", "its dropout"),
    CW_SET_INT(S, fp_steps, "vgae.fp_steps", "vgaeSteps", 3, 0, 1000, "its propagation steps"),
    CW_SET_REAL(S, fp_damping, "vgae.fp_damping", "vgaeDamping", 0.5, -1e6, 1e6, 0, "its damping"),
    {0}};
#undef S

#define N(a) (int64_t)(sizeof(a) / sizeof(a)[0])
static const cw_option published[] = {{"embedDim", NULL, 768},   {"exprHidden", NULL, 128}, {"batchBins", NULL, 128},
                                      {"topk", NULL, 32}};
static const cw_option laptop[] = {{"embedDim", NULL, 64},   {"exprBins", NULL, 16},     {"exprHidden", NULL, 32},
                                   {"batchBins", NULL, 16},  {"batchHidden", NULL, 32},  {"layers", NULL, 2},
                                   {"heads", NULL, 4},       {"mlpHidden", NULL, 128},   {"factors", NULL, 32},
                                   {"routerHidden", NULL, 32}, {"topk", NULL, 4},        {"vgaeHidden", NULL, 32}};
const cw_preset cw_sfm_presets[] = {{"laptop", laptop, N(laptop)}, {"published", published, N(published)}, {0}};

cw_status cw_sfm_check(cw_model *m) { return cw_sccafm_check(m->ctx, &((cw_sfm *)m)->config.trunk); }

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
    double d = (double)c->trunk.embed_dim, n = cells * (double)z->genes, t = n + cells, k = n / 2;
    double u = cells * (double)z->tfs, m = (double)c->factors, r = (double)c->router_hidden;
    double he = (double)c->trunk.expr_hidden, hb = (double)c->trunk.batch_hidden, h = (double)c->vgae_hidden;
    double heads = (double)c->trunk.heads, layers = (double)c->trunk.layers, fp = (double)(c->fp_steps > 1 ? c->fp_steps : 1);
    double ffn = (t < 1024 ? t : 1024) * (double)c->trunk.mlp_hidden; /* SwiGLU works in blocks of rows */
    double batch = 8 * t + 10 * n, values;
    if (z->train) {
        double encoders = k * (3 * he + 3 * hb + (double)c->trunk.expr_bins + 2 * d);
        double backbone = t * d * (3 * layers + 11) + t * heads * (layers + 1) + 3 * ffn;
        double routers = (n + u) * (d + 3 * r + 3 * m);
        double head = n * h * (18 + 2 * fp) + cells * m * h * (1 + fp) + cells * m * m;
        values = 4 * weights + encoders + backbone + routers + head + n * (double)z->tfs / cells;
    } else {
        double encoders = k * (2 * (he > hb ? he : hb) + (double)c->trunk.expr_bins + 2 * d);
        double backbone = t * (5 * d + heads) + 2 * ffn;
        double routers = (n + u) * (r + 2 * m) + u * d;
        values = weights + 0.75 * (encoders + backbone + routers); /* not all of it at the same time */
    }
    return 4.0 * 1.05 * (values + batch);
}
