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

/* Counts what the forward and the tape hold; measured against cw_memory.peak in tests/engine/test_sfm.c. */
int64_t cw_sfm_forecast(const cw_sfm_config *c, int64_t cells, int64_t genes, int64_t tfs, int train)
{
    double d = (double)c->embed_dim, n = (double)cells * (double)genes, t = n + (double)cells;
    double u = (double)cells * (double)tfs, m = (double)c->factors, h = (double)c->vgae_hidden;
    double per_block = (t < 1024 ? t : 1024) * (double)c->mlp_hidden * (train ? 3 : 2);
    double weights = (double)(c->vocab + c->conditions) * d +
                     (double)c->layers * (4 * d * d + 3 * d * (double)c->mlp_hidden) + 10 * d * d;
    double batch = 10 * t + 12 * n;
    double values;
    if (train) {
        double layer = t * (6 * d + (double)c->heads);
        double routers = t * 2 * (double)c->router_hidden + n * ((double)c->router_hidden + 2 * m) + 2 * u * m;
        double head = n * h * (12 + 2 * (double)(c->fp_steps > 1 ? c->fp_steps : 1)) + (double)cells * m * (m + h * 4);
        values = 4 * weights + 3 * t * d + (double)c->layers * layer + 4 * t * d + routers + head + n * tfs / cells +
                 per_block;
    } else {
        double attention = t * (6 * d + (double)c->heads);
        double routers = t * (d + (double)c->router_hidden) + 2 * n * m + 2 * u * m + n * (double)c->router_hidden;
        double tail = attention > routers ? attention : routers;
        values = weights + t * d + tail + per_block;
    }
    return (int64_t)(4.0 * 1.07 * (values + batch));
}
