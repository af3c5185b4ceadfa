/* sfm.c: see sfm.h. */
#include "sfm.h"

#include "../../core/select.h"

#include <math.h>
#include <string.h>

/* ---- routers ---- */

static cw_tensor *gate(const cw_sfm *s, cw_tape *t, cw_tensor *logits, const cw_balance *balance)
{
    const cw_sfm_config *c = &s->config;
    float temperature = c->router_temperature > 1e-12f ? c->router_temperature : 1e-12f;
    return cw_topk_gate(t, logits, balance->beta, cw_sfm_gate_width(c), temperature);
}

/* Logits of `n` rows of hidden (T, D): the first layer sees only those rows. */
static cw_tensor *route(const cw_sfm *s, cw_tape *t, cw_tensor *hidden, const int32_t *row, int64_t n,
                        const cw_mlp *router)
{
    cw_tensor *x = cw_gather(t, hidden, row, n);
    cw_tensor *h = cw_linear(t, x, router->w1, router->b1, CW_ACT_SILU);
    cw_tape_drop(t, x);
    h = cw_dropout(t, h, s->config.router_dropout);
    cw_tensor *logits = cw_linear(t, h, router->w2, router->b2, CW_ACT_NONE);
    cw_tape_drop(t, h);
    return logits;
}

cw_sfm_output cw_sfm_forward(const cw_sfm *s, cw_tape *t, const cw_sccafm_batch *b, const cw_observer *o)
{
    cw_sfm_output y = {0};
    y.hidden = cw_sccafm_forward(&s->trunk, t, b, o);
    y.tf_logits = route(s, t, y.hidden, b->tf_row, b->tfs, &s->tf_router);
    y.gene_logits = route(s, t, y.hidden, b->gene_row, b->actives, &s->gene_router);
    y.u = gate(s, t, y.tf_logits, &s->tf_balance);
    y.v = gate(s, t, y.gene_logits, &s->gene_balance);
    cw_observe(o, t, "u", y.u);
    cw_observe(o, t, "v", y.v);
    if (t->ctx->status != CW_OK) return (cw_sfm_output){0};
    return y;
}

/* ---- VGAE head ---- */

/* phi(x) for every gene token: (N, h). Without dropout it is computed once per different value. */
static cw_tensor *expression_features(const cw_sfm *s, cw_tape *t, const cw_sccafm_batch *b)
{
    const cw_sfm_config *c = &s->config;
    if (t->training && c->vgae_dropout > 0)
        return cw_sccafm_mlp_forward(t, cw_tape_constant(t, b->values, b->actives, 1), &s->vgae_expr, c->vgae_dropout);
    cw_tensor *x = cw_tape_constant(t, b->distinct, b->distincts, 1);
    return cw_gather(t, cw_sccafm_mlp_forward(t, x, &s->vgae_expr, 0.0f), b->gene_value, b->actives);
}

/* Each gene's (mu, s) of the posterior: (N, 2) */
static cw_tensor *posterior(const cw_sfm *s, cw_tape *t, const cw_sccafm_batch *b, cw_sfm_output y, cw_factor_rows rows)
{
    cw_tensor *e = expression_features(s, t, b);
    cw_tensor *predicted = cw_factor_mix(t, y.u, y.v, e, rows);
    cw_tensor *residual = cw_add_scaled(t, e, predicted, -1.0f);
    cw_tensor *joined = t->ctx->status == CW_OK ? cw_concat_cols(t, 3, (cw_tensor *[]){e, predicted, residual}) : NULL;
    cw_tensor *stats = cw_sccafm_mlp_forward(t, joined, &s->vgae_posterior, s->config.vgae_dropout);
    cw_tape_drop(t, joined);
    return stats;
}

/* Each gene's (mu, s, drop logit) of the likelihood: (N, 3) */
static cw_tensor *decode(const cw_sfm *s, cw_tape *t, cw_tensor *z, cw_sfm_output y, cw_factor_rows rows)
{
    const cw_sfm_config *c = &s->config;
    cw_tensor *f = cw_sccafm_mlp_forward(t, z, &s->vgae_z, c->vgae_dropout), *h = f;
    for (int64_t i = 0; i < (c->fp_steps > 1 ? c->fp_steps : 1); i++)
        h = cw_add_scaled(t, f, cw_factor_mix(t, y.u, y.v, h, rows), c->fp_damping);
    cw_tensor *joined = t->ctx->status == CW_OK ? cw_concat_cols(t, 2, (cw_tensor *[]){f, h}) : NULL;
    cw_tensor *out = cw_sccafm_mlp_forward(t, joined, &s->vgae_out, c->vgae_dropout);
    cw_tape_drop(t, joined);
    return out;
}

cw_sfm_losses cw_sfm_loss(const cw_sfm *s, cw_tape *t, const cw_sccafm_batch *b, cw_sfm_output y,
                          const cw_sfm_loss_spec *spec, const cw_observer *o)
{
    cw_sfm_losses loss = {0};
    if (t->ctx->status != CW_OK) return loss;
    cw_factor_rows rows = {b->gene, b->tf, b->tf_gene};
    cw_tensor *eps = b->eps ? cw_tape_constant(t, b->eps, b->actives, 1) : cw_tape_noise(t, b->actives, 1);
    cw_tensor *stats = posterior(s, t, b, y, rows);
    cw_tensor *z = cw_latent_sample(t, stats, eps);
    cw_observe(o, t, "vgae.stats", stats);
    cw_observe(o, t, "vgae.z", z);
    cw_tensor *out = decode(s, t, z, y, rows);
    cw_observe(o, t, "vgae.out", out);
    loss.reconstruction = cw_zi_normal_nll(t, out, cw_tape_constant(t, b->values, b->actives, 1), b->cells);
    loss.kl = cw_kl_normal(t, stats, b->cells);
    if (spec->use_prior && spec->prior.count > 0) { /* as published: without pairs there is nothing to judge by */
        cw_prior_spec prior = {spec->prior, b->gene_token, spec->prior_top, spec->prior_positive, spec->prior_negative};
        loss.prior = cw_prior_loss(t, y.u, y.v, rows, prior);
    }
    if (spec->use_dag) loss.dag = cw_dag_loss(t, y.u, y.v, rows);
    if (spec->use_sparsity) loss.sparsity = cw_sparsity_loss(t, y.u, y.v, rows);
    return loss;
}

cw_tensor *cw_sfm_distil_loss(const cw_sfm *s, cw_tape *t, const cw_sccafm_batch *b, cw_sfm_output y,
                              cw_sfm_teacher teacher)
{
    if (t->ctx->status != CW_OK) return NULL;
    int64_t m = s->config.factors, most = b->cells ? b->tfs / b->cells : 0;
    if (b->actives != b->cells * b->genes || most >= m) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "distillation: %lld TFs need as many factors and one more, not %lld",
                (long long)most, (long long)m);
        return NULL;
    }
    for (int64_t c = 0; c < b->cells; c++)
        if (b->tf.start[c + 1] - b->tf.start[c] != most) {
            cw_fail(t->ctx, CW_ERR_SHAPE, "distillation: cell %lld has %lld TFs, the first ones %lld", (long long)c,
                    (long long)(b->tf.start[c + 1] - b->tf.start[c]), (long long)most);
            return NULL;
        }
    float *own = cw_arena_take(t->arena, b->tfs * m * (int64_t)sizeof(float));
    if (!own) return NULL;
    memset(own, 0, (size_t)(b->tfs * m) * sizeof(float));
    for (int64_t c = 0; c < b->cells; c++)
        for (int64_t i = b->tf.start[c]; i < b->tf.start[c + 1]; i++) own[i * m + (i - b->tf.start[c])] = 1.0f;
    float scale = 1.0f / (s->config.router_temperature > 1e-12f ? s->config.router_temperature : 1e-12f);
    cw_tensor *u = cw_soft_cross_entropy_loss(t, y.tf_logits, cw_tape_constant(t, own, b->tfs, m), scale);
    cw_tensor *target = cw_tape_constant(t, teacher.v, b->actives, m);
    cw_tensor *v = cw_soft_cross_entropy_loss(t, y.gene_logits, target, scale);
    return u && v ? cw_tape_over(cw_add_scaled(t, u, v, 1.0f), (double)b->cells) : NULL;
}

float cw_vgae_value(float raw, int column)
{
    if (column == 0) return raw;
    double e = exp(-fabs((double)raw));
    if (column == 1) return (float)(log1p(e) + (raw > 0 ? raw : 0) + 1e-6);
    return (float)(raw >= 0 ? 1.0 / (1.0 + e) : e / (1.0 + e));
}

/* ---- packed gates ---- */

/* The k-th largest of a row; `scratch` is as long as the row. */
static float least_kept(const float *row, float *scratch, int64_t factors, int64_t k)
{
    memcpy(scratch, row, (size_t)factors * sizeof *row);
    return cw_select_largest(scratch, factors, k);
}

void cw_gate_pack(uint16_t *index, float *w, float *scratch, const float *gate, int64_t rows, int64_t factors, int64_t k)
{
    for (int64_t i = 0; i < rows; i++) {
        const float *row = gate + i * factors;
        float least = k < factors ? least_kept(row, scratch, factors, k) : 0.0f;
        int64_t at = 0, above = 0;
        for (int64_t m = 0; m < factors; m++) above += row[m] > least;
        int64_t ties = k - above; /* places left for entries equal to the least: the first ones take them */
        for (int64_t m = 0; m < factors && at < k; m++) {
            if (!(row[m] > 0.0f) || row[m] < least || (row[m] == least && ties-- <= 0)) continue;
            index[i * k + at] = (uint16_t)m;
            w[i * k + at++] = row[m];
        }
        for (; at < k; at++) index[i * k + at] = 0, w[i * k + at] = 0.0f;
    }
}
