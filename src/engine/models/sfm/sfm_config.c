/* sfm_config.c: what an SFM's numbers may be, and what they cost. */
#include "sfm.h"

#include <math.h>

static void range(cw_ctx *ctx, const char *name, int64_t value, int64_t low, int64_t high)
{
    if (value < low || value > high)
        cw_fail(ctx, CW_ERR_ARGUMENT, "%s is %lld; it may be %lld to %lld", name, (long long)value, (long long)low,
                (long long)high);
}

static void real(cw_ctx *ctx, const char *name, double value, double low, double high)
{
    if (!(value >= low && value <= high))
        cw_fail(ctx, CW_ERR_ARGUMENT, "%s is %g; it may be %g to %g", name, value, low, high);
}

cw_status cw_sfm_config_check(cw_ctx *ctx, const cw_sfm_config *c)
{
    range(ctx, "the vocabulary size", c->vocab, 1, 100000000);
    range(ctx, "the condition table size", c->conditions, 1, 10000000);
    range(ctx, "the padding token", c->pad, 0, c->vocab - 1);
    range(ctx, "embed_dim", c->embed_dim, 1, 65536);
    range(ctx, "expr_num_bins", c->expr_bins, 2, 65536);
    range(ctx, "expr_hidden_dim", c->expr_hidden, 1, 65536);
    range(ctx, "batch_num_bins", c->batch_bins, 1, 65536);
    range(ctx, "batch_hidden_dim", c->batch_hidden, 1, 65536);
    range(ctx, "num_layers", c->layers, 1, 1000);
    range(ctx, "num_heads", c->heads, 1, 1024);
    range(ctx, "backbone_mlp_hidden_dim", c->mlp_hidden, 1, 262144);
    range(ctx, "num_factors", c->factors, 1, 65535); /* packed indices have 16 bits */
    range(ctx, "router_hidden_dim", c->router_hidden, 1, 65536);
    range(ctx, "topk", c->topk, 0, 1 << 30);
    range(ctx, "vgae hidden_dim", c->vgae_hidden, 1, 65536);
    range(ctx, "vgae fp_steps", c->fp_steps, 0, 1000);
    real(ctx, "expr_tau", c->expr_tau, 1e-12, 1e12);
    real(ctx, "batch_tau", c->batch_tau, 1e-12, 1e12);
    real(ctx, "norm_eps", c->norm_eps, 0, 1);
    real(ctx, "rotary_base", c->rotary_base, 1e-6, 1e12);
    real(ctx, "router_temperature", c->router_temperature, 0, 1e12);
    real(ctx, "beta_momentum", c->beta_momentum, 1e-12, 1);
    real(ctx, "vgae fp_damping", c->fp_damping, -1e6, 1e6);
    const float drop[] = {c->cond_dropout, c->out_dropout, c->mlp_dropout, c->router_dropout, c->vgae_dropout};
    for (int i = 0; i < 5; i++) real(ctx, "a dropout rate", drop[i], 0, 0.999);
    if (ctx->status == CW_OK && c->embed_dim % c->heads)
        cw_fail(ctx, CW_ERR_ARGUMENT, "num_heads is %lld and does not divide embed_dim %lld", (long long)c->heads,
                (long long)c->embed_dim);
    if (ctx->status == CW_OK) range(ctx, "embed_dim / num_heads", c->embed_dim / c->heads, 1, 256);
    if (ctx->status == CW_OK && c->rotary != CW_ROTARY_NONE && c->embed_dim / c->heads % 2)
        cw_fail(ctx, CW_ERR_ARGUMENT, "embed_dim / num_heads is %lld; rotary positions need it even",
                (long long)(c->embed_dim / c->heads));
    return ctx->status;
}

int64_t cw_sfm_gate_width(const cw_sfm_config *c)
{
    return c->topk > 0 && c->topk < c->factors ? c->topk : c->factors;
}

/* All numbers of the model, about. */
static double weights_of(const cw_sfm_config *c)
{
    double d = (double)c->embed_dim, h = (double)c->vgae_hidden;
    double he = (double)c->expr_hidden, hb = (double)c->batch_hidden;
    return (double)(c->vocab + c->conditions) * d + (double)c->layers * (4 * d * d + 3 * d * (double)c->mlp_hidden) +
           5 * d * d + he * (he + (double)c->expr_bins) + hb * (hb + (double)c->batch_bins) +
           2 * (double)c->router_hidden * (d + (double)c->factors) + 7 * h * h;
}

/* Adds up what the forward and the tape hold, in floats: T tokens, N gene tokens, U TFs, K different values (taken as
 * half of N), D wide. Held against cw_memory.peak in tests/engine/test_sfm.c. */
int64_t cw_sfm_forecast(const cw_sfm_config *c, int64_t cells, int64_t genes, int64_t tfs, int train)
{
    double d = (double)c->embed_dim, n = (double)cells * (double)genes, t = n + (double)cells, k = n / 2;
    double u = (double)cells * (double)tfs, m = (double)c->factors, r = (double)c->router_hidden;
    double he = (double)c->expr_hidden, hb = (double)c->batch_hidden, h = (double)c->vgae_hidden;
    double heads = (double)c->heads, layers = (double)c->layers, fp = (double)(c->fp_steps > 1 ? c->fp_steps : 1);
    double ffn = (t < 1024 ? t : 1024) * (double)c->mlp_hidden; /* SwiGLU works in blocks of rows */
    double batch = 8 * t + 10 * n, values;
    if (train) {
        double encoders = k * (3 * he + 3 * hb + (double)c->expr_bins + 2 * d);
        double backbone = t * d * (6 * layers + 8) + t * heads * (layers + 1) +
                          2 * layers * t * (double)c->mlp_hidden + 3 * ffn;
        double routers = (n + u) * (d + 3 * r + 3 * m);
        double head = n * h * (18 + 2 * fp) + (double)cells * m * h * (1 + fp) + (double)cells * m * m;
        values = 4 * weights_of(c) + encoders + backbone + routers + head + n * (double)tfs / (double)cells;
    } else {
        double encoders = k * (2 * (he > hb ? he : hb) + (double)c->expr_bins + 2 * d);
        double backbone = t * (5 * d + heads) + 2 * ffn;
        double routers = (n + u) * (r + 2 * m) + u * d;
        values = weights_of(c) + 0.75 * (encoders + backbone + routers); /* not all of it at the same time */
    }
    return (int64_t)(4.0 * 1.05 * (values + batch));
}
