/* tau_steps.c: the steps from counts to what is known of each gene at each metacell; the estimates take them from all
 * counts, the test of the lead from halves. See tau_steps.h. */
#include "tau_steps.h"

#include "../core/select.h"
#include "../linalg/dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double cw_tau_median(double *x, i64 n)
{
    qsort(x, (size_t)n, sizeof *x, cw_double_rising);
    return 0.5 * (x[(n - 1) / 2] + x[n / 2]);
}

/* ---- state, metacells, landmarks --------------------------------------------------------------------------------- */

cw_status cw_tau_state(cw_arena *arena, cw_tau *t, const cw_tau_data *x, const cw_tau_options *o)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    double *own_a = NULL, *own_r = NULL;
    t->axes_a = (cw_tau_axes){.k = x->atac_axes, .chromatin = 1};
    t->axes_r = (cw_tau_axes){.k = x->rna_axes};
    if (!x->atac_embedding) cw_tau_embed_counts(arena, &own_a, &t->axes_a, &x->atac, 1, o->components, o->key);
    if (!x->rna_embedding) cw_tau_embed_counts(arena, &own_r, &t->axes_r, &x->rna, 0, o->components, o->key);
    if (ctx->status != CW_OK) return ctx->status;
    cw_tau_cca(arena, &t->shared, &t->axes_a, &t->axes_r, own_a ? own_a : x->atac_embedding,
               own_r ? own_r : x->rna_embedding, t->N, o->shuffles, o->min_axes, o->max_axes, o->key);
    cw_arena_give(arena, own_r), cw_arena_give(arena, own_a);
    return ctx->status;
}

/* Means and sizes of the clusters; those without cells are dropped. Returns how many remain. */
static i64 gather_metacells(double *z, double *size, int32_t *label, int32_t *to, const double *point, i64 N, i64 d,
                            i64 M)
{
    i64 kept = 0;
    fill(size, 0.0, M);
    for (i64 c = 0; c < N; c++) size[label[c]] += 1.0;
    for (i64 m = 0; m < M; m++) {
        to[m] = size[m] > 0.0 ? (int32_t)kept : -1;
        if (size[m] > 0.0) size[kept++] = size[m];
    }
    fill(z, 0.0, kept * d);
    for (i64 c = 0; c < N; c++) {
        label[c] = to[label[c]];
        for (i64 i = 0; i < d; i++) z[label[c] * d + i] += point[c * d + i] / size[label[c]];
    }
    return kept;
}

/* Median distance of each landmark to its two nearest. */
static cw_status find_bandwidth(cw_arena *arena, cw_tau_flow *f)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    int32_t *near = cw_arena_take(arena, f->J * 2 * (i64)sizeof *near);
    double *gap = take(arena, f->J * 2);
    if (ctx->status != CW_OK) return ctx->status;
    cw_tau_neighbours(near, f->landmark, f->J, f->d, 2, 1);
    for (i64 i = 0; i < f->J * 2; i++) {
        double sum = 0.0;
        for (i64 e = 0; e < f->d; e++) {
            double g = f->landmark[i / 2 * f->d + e] - f->landmark[near[i] * f->d + e];
            sum += g * g;
        }
        gap[i] = sqrt(sum);
    }
    f->bandwidth = fmax(cw_tau_median(gap, f->J * 2), 1e-9);
    cw_arena_give(arena, gap), cw_arena_give(arena, near);
    return CW_OK;
}

cw_status cw_tau_metacells(cw_arena *arena, cw_tau *t, const cw_tau_options *o)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    cw_tau_flow *f = &t->flow;
    i64 N = t->N, d = t->shared.d, M = o->metacells;
    if (M == 0) M = N / 15 < 80 ? 80 : N / 15 > 400 ? 400 : N / 15;
    if (M > N / 2) M = N / 2;
    f->d = d, f->pull = CW_TAU_PULL;
    f->z = take(arena, M * d), f->size = take(arena, M);
    t->metacell = cw_arena_take(arena, N * (i64)sizeof *t->metacell);
    int32_t *to = cw_arena_take(arena, M * (i64)sizeof *to);
    cw_tau_kmeans(arena, f->z, t->metacell, t->shared.z, NULL, 1, 30, o->key, N, d, M);
    if (ctx->status != CW_OK) return ctx->status;
    f->M = gather_metacells(f->z, f->size, t->metacell, to, t->shared.z, N, d, M);
    i64 few = o->neighbours + 1 > 5 ? o->neighbours + 1 : 5; /* and 3 landmarks at least: each has 2 neighbours */
    if (f->M <= few)
        return cw_fail(ctx, CW_ERR_SHAPE,
                       "delays: the cells lie at only %lld different places; more than %lld are needed",
                       (long long)f->M, (long long)few);
    f->J = o->landmarks < f->M / 2 ? o->landmarks : f->M / 2;
    f->landmark = take(arena, f->J * d), f->velocity = take(arena, f->J * d);
    int32_t *own = cw_arena_take(arena, f->M * (i64)sizeof *own);
    if (ctx->status != CW_OK) return ctx->status;
    fill(f->velocity, 0.0, f->J * d);
    cw_tau_kmeans(arena, f->landmark, own, f->z, f->size, 2, 300, o->key + 1, f->M, d, f->J);
    cw_arena_give(arena, own), cw_arena_give(arena, to);
    return ctx->status == CW_OK ? find_bandwidth(arena, f) : ctx->status;
}

/* ---- chromatin and RNA of genes ---------------------------------------------------------------------------------- */

/* What a gene's peaks should follow: its lag-free curves, each over its sd; chromatin's only where it says something.
 */
static void consensus(double *profile, const cw_tau_lagfree *f)
{
    for (i64 g = 0; g < f->G; g++) {
        double sum[2] = {0}, square[2] = {0}, over[2];
        const double *fit[2] = {f->fa + g * f->M, f->fr + g * f->M};
        for (int s = 0; s < 2; s++) {
            for (i64 m = 0; m < f->M; m++) sum[s] += fit[s][m] / (double)f->M;
            for (i64 m = 0; m < f->M; m++) square[s] += (fit[s][m] - sum[s]) * (fit[s][m] - sum[s]);
            over[s] = 1.0 / (sqrt(square[s] / (double)f->M) + 1e-9);
        }
        if (!(f->signal_a[g] > 40.0)) over[0] = 0.0;
        if (f->repressed[g]) over[1] = 0.0; /* RNA opposes them, or comes very late: no guide */
        for (i64 m = 0; m < f->M; m++) profile[g * f->M + m] = fit[0][m] * over[0] + fit[1][m] * over[1];
    }
}

cw_status cw_tau_rates(cw_arena *arena, cw_tau *t, const double *B0, const cw_tau_data *x, const cw_tau_options *o)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 M = t->flow.M, G = t->G, J = t->flow.J;
    cw_tau_links l;
    t->depth_a = take(arena, M), t->depth_r = take(arena, M);
    double *chromatin = take(arena, G * M), *rna = take(arena, G * M), *profile = take(arena, G * M);
    if (cw_tau_links_new(arena, &l, x->gene, x->peak, x->links, G, t->P) != CW_OK) return ctx->status;
    double *rate = take(arena, l.peaks * M);
    cw_tau_pool(arena, rate, t->depth_a, &x->atac, l.slot_of_peak, t->metacell, l.peaks, M);
    cw_tau_pool(arena, rna, t->depth_r, &x->rna, NULL, t->metacell, G, M);
    cw_tau_lagfree_new(arena, &t->fit, G, M);
    if (ctx->status != CW_OK) return ctx->status;
    for (int pass = 0; pass < (o->peak_weights ? 3 : 1); pass++) {
        if (pass > 0) {
            consensus(profile, &t->fit);
            cw_tau_weigh(&l, rate, profile, t->depth_a, M, ctx->threads);
        }
        cw_tau_activity(chromatin, &l, rate, M, ctx->threads);
        if (cw_tau_lagfree_fit(arena, &t->fit, chromatin, rna, t->depth_a, t->depth_r, B0, o->lambda, J) != CW_OK)
            return ctx->status;
    }
    t->peak_weight = l.weight;
    void *done[] = {rate, profile, rna, chromatin, l.slot_of_peak, l.slot, l.order, l.from};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
    return ctx->status;
}

/* Standardised lag-free curves of the genes listed: D chromatin minus RNA, m their mean. */
cw_status cw_tau_lag_new(cw_arena *arena, cw_tau_lag *lag, const cw_tau_lagfree *f, const cw_tau_flow *flow,
                          const int32_t *gene, i64 n)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 M = f->M;
    *lag = (cw_tau_lag){.n = n, .D = take(arena, M * n), .m = take(arena, M * n), .weight = take(arena, n)};
    double *sorted = take(arena, n), all = 0.0;
    if (ctx->status != CW_OK) return ctx->status;
    for (i64 m = 0; m < M; m++) all += flow->size[m];
    for (i64 i = 0; i < n; i++) {
        const double *fit[2] = {f->fa + gene[i] * M, f->fr + gene[i] * M};
        double mean[2] = {0}, sd[2] = {0};
        for (int s = 0; s < 2; s++) {
            for (i64 m = 0; m < M; m++) mean[s] += flow->size[m] / all * fit[s][m];
            for (i64 m = 0; m < M; m++) sd[s] += flow->size[m] / all * (fit[s][m] - mean[s]) * (fit[s][m] - mean[s]);
            sd[s] = sqrt(sd[s] + 1e-12);
        }
        for (i64 m = 0; m < M; m++) {
            double a = (fit[0][m] - mean[0]) / sd[0], r = (fit[1][m] - mean[1]) / sd[1];
            lag->D[m * n + i] = a - r, lag->m[m * n + i] = 0.5 * (a + r);
        }
        sorted[i] = lag->weight[i] = fmin(f->signal_a[gene[i]], f->signal_r[gene[i]]);
    }
    double usual = cw_tau_median(sorted, n);
    for (i64 i = 0; i < n; i++) lag->weight[i] = fmin(lag->weight[i] / usual, 3.0);
    cw_arena_give(arena, sorted);
    return CW_OK;
}

void cw_tau_lag_give(cw_arena *arena, cw_tau_lag *l)
{
    cw_arena_give(arena, l->weight), cw_arena_give(arena, l->m), cw_arena_give(arena, l->D);
}

void cw_tau_lagfree_give(cw_arena *arena, cw_tau_lagfree *f)
{
    void *done[] = {f->a,        f->r,        f->fa,  f->fr,      f->wa,     f->wr,
                    f->signal_a, f->signal_r, f->cor, f->counted, f->usable, f->repressed};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
}

void cw_tau_places(double *place, const double *dd, const double *B0, const cw_tau_flow *f, i64 n)
{
    i64 J = f->J;
    fill(place, 0.0, n * J);
    for (i64 m = 0; m < f->M; m++)
        for (i64 i = 0; i < n; i++) {
            double w = f->size[m] * dd[m * n + i] * dd[m * n + i];
            for (i64 j = 0; j < J; j++) place[i * J + j] += w * B0[m * J + j];
        }
    for (i64 i = 0; i < n; i++) {
        double all = 1e-300;
        for (i64 j = 0; j < J; j++) all += place[i * J + j];
        for (i64 j = 0; j < J; j++) place[i * J + j] /= all;
    }
}
