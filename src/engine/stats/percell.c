/* percell.c: see percell.h. */
#include "percell.h"

#include <math.h>
#include <string.h>

void cw_percell_free(cw_ctx *ctx, cw_percell *p)
{
    void *all[] = {p->w, p->pooled, p->slope, p->sd, p->null_gain};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) cw_free(ctx, all[i]);
    memset(p, 0, sizeof *p);
}

/* Memberships given, or found from `point`, or from the components of the standardised x. */
static cw_status find_states(cw_ctx *ctx, cw_percell *out, const float *x, const float *w, const float *point,
                             const cw_states_options *o, int64_t cells, int64_t genes, int64_t states, int64_t dims)
{
    out->states = w ? states : o->high;
    out->w = cw_alloc(ctx, cells * out->states, sizeof *out->w);
    if (ctx->status != CW_OK) return ctx->status;
    if (w) {
        memcpy(out->w, w, (size_t)(cells * states) * sizeof *w);
        for (int64_t k = 0; k <= CW_STATES_MAX; k++) out->silhouette[k] = NAN; /* none was tried */
        return CW_OK;
    }
    float *score = point ? NULL : cw_alloc(ctx, cells * CW_STATES_COMPONENTS, sizeof *score);
    cw_states found = {0};
    if (point || cw_states_components(ctx, score, &dims, x, o->key, cells, genes) == CW_OK)
        cw_states_find(ctx, out->w, NULL, &found, point ? point : score, o, cells, dims);
    out->components = point ? 0 : dims;
    out->states = found.states;
    memcpy(out->silhouette, found.silhouette, sizeof found.silhouette);
    cw_free(ctx, score);
    return ctx->status;
}

/* Evidence of a pooled network over the empty one, per entry of x. */
static cw_status pooled_gain(cw_ctx *ctx, double *gain, const float *x, const int32_t *tf, const cw_varying_options *o,
                             int64_t cells, int64_t genes, int64_t tfs)
{
    double *slope = cw_alloc(ctx, tfs * genes, sizeof *slope), *evidence = cw_alloc(ctx, genes, sizeof *evidence);
    if (ctx->status == CW_OK &&
        cw_ridge_pooled(ctx, slope, evidence, NULL, x, tf, o->a, o->a_count, cells, genes, tfs) == CW_OK) {
        *gain = 0.0;
        for (int64_t g = 0; g < genes; g++)
            if (evidence[g] != 0.0) *gain += evidence[g] + 0.5 * (double)cells; /* 0: a constant gene */
        *gain /= (double)cells * (double)genes;
    }
    cw_free(ctx, evidence);
    cw_free(ctx, slope);
    return ctx->status;
}

/* Centres x if the gate says so; when it stays closed, x is as before (`copy` is working memory of the same size). */
static cw_status pass_gate(cw_ctx *ctx, cw_percell *out, float *x, float *copy, const int32_t *tf,
                           const cw_percell_options *o, int64_t cells, int64_t genes, int64_t tfs)
{
    int gated = o->centring == CW_CENTRE_GATED;
    out->gate_gain = NAN;
    if (o->centring == CW_CENTRE_NEVER) return CW_OK;
    if (gated && (cells < o->gate_cells || genes < o->gate_genes || out->states < 2)) return CW_OK;
    if (copy) memcpy(copy, x, (size_t)(cells * genes) * sizeof *x);
    if (cw_ridge_centre(ctx, x, out->w, cells, genes, out->states) != CW_OK ||
        cw_ridge_standardise(ctx, x, cells, genes) != CW_OK)
        return ctx->status;
    if (gated && pooled_gain(ctx, &out->gate_gain, x, tf, &o->ridge, cells, genes, tfs) != CW_OK) return ctx->status;
    out->centred = !gated || out->gate_gain > o->gate_gain;
    if (!out->centred && copy) memcpy(x, copy, (size_t)(cells * genes) * sizeof *x);
    return CW_OK;
}

static cw_status take_results(cw_ctx *ctx, cw_percell *out, const cw_percell_options *o, int64_t genes, int64_t tfs)
{
    out->pooled = cw_alloc(ctx, tfs * genes, sizeof *out->pooled);
    out->slope = cw_alloc(ctx, out->states * tfs * genes, sizeof *out->slope);
    out->sd = cw_alloc(ctx, out->states * tfs, sizeof *out->sd);
    out->null_gain = cw_alloc(ctx, o->ridge.permutations, sizeof *out->null_gain);
    return ctx->status;
}

cw_status cw_percell_centre(cw_ctx *ctx, cw_percell *out, float *x, const int32_t *tf, const float *w,
                            const float *point, const cw_percell_options *o, int64_t cells, int64_t genes, int64_t tfs,
                            int64_t states, int64_t dims)
{
    memset(out, 0, sizeof *out);
    if (cw_ridge_standardise(ctx, x, cells, genes) != CW_OK ||
        find_states(ctx, out, x, w, point, &o->states, cells, genes, states, dims) != CW_OK)
        return ctx->status;
    float *copy = o->centring == CW_CENTRE_GATED ? cw_alloc(ctx, cells * genes, sizeof *copy) : NULL;
    if (ctx->status == CW_OK) pass_gate(ctx, out, x, copy, tf, o, cells, genes, tfs);
    cw_free(ctx, copy);
    return ctx->status;
}

cw_status cw_percell_fit(cw_ctx *ctx, cw_percell *out, float *x, const int32_t *tf, const float *w, const float *point,
                         const cw_percell_options *o, int64_t cells, int64_t genes, int64_t tfs, int64_t states,
                         int64_t dims)
{
    if (cw_percell_centre(ctx, out, x, tf, w, point, o, cells, genes, tfs, states, dims) != CW_OK) return ctx->status;
    if (!out->centred && o->centring == CW_CENTRE_GATED) { /* closed: one state, the pooled network */
        out->states = 1;
        for (int64_t c = 0; c < cells; c++) out->w[c] = 1.0f;
    }
    if (take_results(ctx, out, o, genes, tfs) != CW_OK) return ctx->status;
    return cw_ridge_varying(ctx, out->pooled, out->slope, out->sd, out->null_gain, &out->fit, x, tf, out->w, &o->ridge,
                            cells, genes, tfs, out->states);
}
