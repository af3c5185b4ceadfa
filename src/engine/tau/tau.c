/* tau.c: the anchored delay estimator, step after step. See tau.h. */
#include "tau.h"

#include "../linalg/dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAST_GENES = 20,
    MOST_AXES = 64,
    PASSES = 3,
    GAIN_POINTS = 6,
    RIM_POINTS = 6,
    BINS = 100,
    LAGS = 41,
    SHRINK = 10
};
#define FIRST_SCALE 2.2 /* regression's velocities are about this much too slow: both curves are smoothed */

typedef int64_t i64;

#define O cw_tau_options
const cw_setting cw_tau_settings[] = {
    CW_SET_INT(O, metacells, "metacells", NULL, 0, 0, 100000, "groups of like cells; 0: cells / 15 within 80 to 400"),
    CW_SET_INT(O, landmarks, "landmarks", NULL, 30, 4, 128, "places of the flow's basis"),
    CW_SET_DOUBLE(O, lambda, "lambda", NULL, 0.3, 0, 1e6, 1, "ridge of curves on the basis"),
    CW_SET_INT(O, components, "components", NULL, 30, 2, 200, "axes of LSI and of principal components"),
    CW_SET_INT(O, shuffles, "shuffles", NULL, 5, 1, 1000, "shuffled pairings that the shared axes must beat"),
    CW_SET_INT(O, min_axes, "min_axes", "minAxes", 2, 1, MOST_AXES, "fewest axes of the states"),
    CW_SET_INT(O, max_axes, "max_axes", "maxAxes", 10, 1, MOST_AXES, "most axes of the states"),
    CW_SET_INT(O, neighbours, "neighbours", NULL, 10, 2, 64, "metacells that states are smoothed over"),
    CW_SET_INT(O, iterations, "iterations", NULL, 8, 1, 1000, "rounds of flow and delays"),
    CW_SET_DOUBLE(O, grid_max, "grid_max", "gridMax", 4, 0, 1000, 1, "longest delay looked at, in median delays"),
    CW_SET_INT(O, grid_size, "grid_size", "gridSize", 31, 3, 512, "delays looked at"),
    CW_SET_FLAG(O, peak_weights, "peak_weights", "peakWeights", 1, "weigh a gene's peaks by what they tell of it"),
    CW_SET_INT(O, lead_splits, "lead_splits", "leadSplits", 6, 1, 1000, "halvings of the genes for lead and gain"),
    CW_SET_CHOICE(O, readout, "readout", NULL, CW_TAU_AUTO, "auto delay kinetics", "how RNA follows chromatin"),
    {0}};
#undef O

cw_tau_options cw_tau_defaults(void)
{
    cw_tau_options o = {0};
    char why[64];
    return cw_settings_fill(cw_tau_settings, &o, NULL, 0, 1, why, sizeof why) == CW_OK ? o : (cw_tau_options){0};
}

static double *take(cw_arena *arena, i64 n) { return cw_arena_take(arena, n * (i64)sizeof(double)); }

static void fill(double *x, double value, i64 n)
{
    for (i64 i = 0; x && i < n; i++) x[i] = value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *x, i64 n) /* x is sorted */
{
    qsort(x, (size_t)n, sizeof *x, compare);
    return 0.5 * (x[(n - 1) / 2] + x[n / 2]);
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static cw_status check_counts(cw_ctx *ctx, const cw_counts *x, const char *what)
{
    if (x->start[0] != 0) return cw_fail(ctx, CW_ERR_ARGUMENT, "delays: the %s don't begin at 0", what);
    for (i64 c = 0; c < x->cells; c++) {
        if (x->start[c + 1] < x->start[c])
            return cw_fail(ctx, CW_ERR_ARGUMENT, "delays: cell %lld of the %s is damaged", (long long)c + 1, what);
        for (i64 e = x->start[c]; e < x->start[c + 1]; e++) {
            if (x->row[e] < 0 || x->row[e] >= x->rows || (e > x->start[c] && x->row[e] <= x->row[e - 1]))
                return cw_fail(ctx, CW_ERR_ARGUMENT, "delays: cell %lld of the %s is damaged", (long long)c + 1, what);
            if (!(x->value[e] >= 0.0) || !isfinite(x->value[e]))
                return cw_fail(ctx, CW_ERR_NUMERIC, "delays: cell %lld of the %s holds %g; counts are needed",
                               (long long)c + 1, what, x->value[e]);
        }
    }
    return CW_OK;
}

static cw_status check_embedding(cw_ctx *ctx, const double *x, i64 cells, i64 axes, const char *what)
{
    if (x && axes < 1) return cw_fail(ctx, CW_ERR_SHAPE, "delays: the embedding of the %s has no axes", what);
    for (i64 i = 0; x && i < cells * axes; i++)
        if (!isfinite(x[i]))
            return cw_fail(ctx, CW_ERR_NUMERIC, "delays: the embedding of the %s isn't finite in cell %lld", what,
                           (long long)(i / axes) + 1);
    return CW_OK;
}

static cw_status check(cw_ctx *ctx, const cw_tau_data *x, const cw_tau_options *o)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (x->atac.cells != x->rna.cells)
        return cw_fail(ctx, CW_ERR_SHAPE, "delays: %lld cells with chromatin, %lld with RNA", (long long)x->atac.cells,
                       (long long)x->rna.cells);
    if (x->atac.cells < 50)
        return cw_fail(ctx, CW_ERR_SHAPE, "delays: %lld cells are too few; 50 are the least", (long long)x->atac.cells);
    if (x->rna.rows < 2 || x->atac.rows < 3 || x->links < 1)
        return cw_fail(ctx, CW_ERR_SHAPE, "delays: %lld genes, %lld peaks, %lld links are too few",
                       (long long)x->rna.rows, (long long)x->atac.rows, (long long)x->links);
    if (o->landmarks < 4 || o->landmarks > 128 || o->components < 2 || o->components > 200 || o->shuffles < 1 ||
        o->min_axes < 1 || o->max_axes < o->min_axes || o->max_axes > MOST_AXES || o->neighbours < 2 ||
        o->neighbours > 64 || o->iterations < 1 || o->grid_size < 3 || o->grid_size > 512 || !(o->grid_max > 0.0) ||
        !(o->lambda > 0.0) || o->lead_splits < 1 || o->metacells < 0 ||
        (o->metacells && o->metacells < 2 * o->neighbours))
        return cw_fail(ctx, CW_ERR_ARGUMENT, "delays: an option is out of its range");
    if (check_counts(ctx, &x->atac, "chromatin counts") != CW_OK || check_counts(ctx, &x->rna, "RNA counts") != CW_OK ||
        check_embedding(ctx, x->atac_embedding, x->atac.cells, x->atac_axes, "chromatin") != CW_OK)
        return ctx->status;
    return check_embedding(ctx, x->rna_embedding, x->rna.cells, x->rna_axes, "RNA");
}

/* ---- state, metacells, landmarks --------------------------------------------------------------------------------- */

static cw_status embed(cw_arena *arena, cw_tau *t, const cw_tau_data *x, const cw_tau_options *o)
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
    f->bandwidth = fmax(median(gap, f->J * 2), 1e-9);
    cw_arena_give(arena, gap), cw_arena_give(arena, near);
    return CW_OK;
}

static cw_status make_metacells(cw_arena *arena, cw_tau *t, const cw_tau_options *o)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    cw_tau_flow *f = &t->flow;
    i64 N = t->N, d = t->shared.d, M = o->metacells;
    if (M == 0) M = N / 15 < 80 ? 80 : N / 15 > 400 ? 400 : N / 15;
    if (M > N / 2) M = N / 2;
    f->d = d;
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

static cw_status make_rates(cw_arena *arena, cw_tau *t, const double *B0, const cw_tau_data *x, const cw_tau_options *o)
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
static cw_status make_lag(cw_arena *arena, cw_tau_lag *lag, const cw_tau_lagfree *f, const cw_tau_flow *flow,
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
    double usual = median(sorted, n);
    for (i64 i = 0; i < n; i++) lag->weight[i] = fmin(lag->weight[i] / usual, 3.0);
    cw_arena_give(arena, sorted);
    return CW_OK;
}

/* ---- readout and unit -------------------------------------------------------------------------------------------- */

typedef struct fitted {
    double *F, *dev, *beta, *alpha, *w, *prior; /* (T, M, J), (G, T) three times, (G, T, J), (T) */
    double *tau, *sd, *low, *high, *mode;       /* (G) */
    double *pace;        /* (J) factors of the velocity at the landmarks */
    double scale, total; /* their mean over cells; summed minimal deviance of the usable genes */
} fitted;

static void fitted_give(cw_arena *arena, fitted *r)
{
    void *done[] = {r->F, r->dev, r->beta, r->alpha, r->w, r->prior, r->tau, r->sd, r->low, r->high, r->mode, r->pace};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
}

static fitted fitted_take(cw_arena *arena, const cw_tau *t)
{
    i64 G = t->G, T = t->T, J = t->flow.J;
    fitted r = {.F = take(arena, T * t->flow.M * J),
                .dev = take(arena, G * T),
                .beta = take(arena, G * T),
                .alpha = take(arena, G * T),
                .w = take(arena, G * T * J),
                .prior = take(arena, T),
                .pace = take(arena, J)};
    double **rows[] = {&r.tau, &r.sd, &r.low, &r.high, &r.mode};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) *rows[i] = take(arena, G);
    return r;
}

/* Features of the metacells under `flow`. raw: working memory of the size of F. */
static cw_status features(cw_arena *arena, double *F, double *raw, double *denoised, const cw_tau_flow *flow,
                          const double *grid, cw_tau_readout kind, i64 T)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    double *to = kind == CW_TAU_KINETICS ? raw : F;
    if (cw_tau_backtrace(arena, to, NULL, denoised, flow->z, flow, grid, T, flow->M) != CW_OK) return ctx->status;
    if (kind == CW_TAU_KINETICS) cw_tau_kinetics(arena, F, raw, grid, T, flow->M * flow->J);
    return ctx->status;
}

/* Where genes change: place (n, J) = share of sum over metacells of size dd^2 B_j; rows sum to 1. */
static void places_of_change(double *place, const double *dd, const double *B0, const cw_tau_flow *f, i64 n)
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

/* The unit of time. The data leave a modulation of the flow's speed over cells open that all genes share; it is fixed
 * by asking that the typical delay be 1 wherever genes change, and not only on the whole: the velocity at a landmark is
 * multiplied by the typical delay (mean of log tau, by precision) of the genes that change there, shrunk to the median
 * over all genes as if by SHRINK more genes. tau, sd (n): posterior under the present velocity. */
static void update_pace(fitted *r, const double *tau, const double *sd, const double *place, double typical,
                        const cw_tau_flow *f, i64 n)
{
    i64 J = f->J;
    double middle = log(fmax(typical, 1e-3));
    for (i64 j = 0; j < J; j++) {
        double sum = 0.0, all = 1e-300, square = 1e-300;
        for (i64 i = 0; i < n; i++) {
            double t = fmax(tau[i], 0.1), w = place[i * J + j] / (0.36 + sd[i] * sd[i] / (t * t));
            sum += w * (log(t) - middle), all += w, square += w * w;
        }
        double genes = all * all / square;
        r->pace[j] *= exp(middle + sum / all * genes / (genes + SHRINK));
    }
}

/* Delays by one readout: the velocity is rescaled until the typical delay is 1. The last pass takes all genes. */
static cw_status read_out(cw_arena *arena, fitted *r, cw_tau *t, const cw_tau_lagfree *weights, const double *vl,
                          const double *place, const int32_t *gene, i64 n, cw_tau_readout kind, double lambda)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 T = t->T, J = t->flow.J, M = t->flow.M, G = t->G, d = t->flow.d;
    cw_tau_flow flow = t->flow;
    flow.velocity = take(arena, J * d);
    double *raw = take(arena, T * M * J), *sorted = take(arena, n);
    uint8_t *every = cw_arena_take(arena, G);
    *r = fitted_take(arena, t);
    if (ctx->status != CW_OK) return ctx->status;
    memset(every, 1, (size_t)G);
    fill(r->pace, FIRST_SCALE, J);
    for (int pass = 0; pass < PASSES; pass++) {
        int last = pass == PASSES - 1;
        i64 count = last ? G : n;
        for (i64 i = 0; i < J * d; i++) flow.velocity[i] = vl[i] * r->pace[i / d];
        /* F(0) is the basis of the chromatin too: at the denoised places */
        if (features(arena, r->F, raw, t->z_denoised, &flow, t->grid, kind, T) != CW_OK ||
            cw_tau_profile(arena, r->dev, r->beta, r->alpha, last ? r->w : NULL, r->F, r->F, weights,
                           last ? NULL : gene, lambda, count, T, J) != CW_OK ||
            cw_tau_prior(arena, r->prior, r->dev, last ? t->fit.usable : every, count, T) != CW_OK ||
            cw_tau_posterior(arena, r->tau, r->sd, r->low, r->high, r->mode, r->dev, r->prior, t->grid, count, T) !=
                CW_OK)
            return ctx->status;
        if (last) break;
        memcpy(sorted, r->tau, (size_t)n * sizeof *sorted);
        update_pace(r, r->tau, r->sd, place, median(sorted, n), &flow, n);
    }
    r->total = 0.0;
    for (i64 i = 0; i < n; i++) {
        double least = INFINITY;
        for (i64 k = 0; k < T; k++) least = fmin(least, r->dev[gene[i] * T + k]);
        r->total += least;
    }
    r->scale = 0.0;
    for (i64 j = 0; j < J; j++) r->scale += r->pace[j] / (double)J;
    void *done[] = {every, sorted, raw, flow.velocity};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
    return ctx->status;
}

/* Curves, coefficients and numbers at the grid point nearest to each gene's posterior mean. */
static void settle(cw_tau *t, const fitted *r)
{
    i64 T = t->T, J = t->flow.J, M = t->flow.M;
    for (i64 g = 0; g < t->G; g++) {
        double *a = t->fitted_a + g * M, *y = t->fitted_r + g * M, *w = t->weight + g * J;
        i64 k = isnan(r->tau[g]) ? 0 : (i64)nearbyint(r->tau[g] / (t->grid[1] - t->grid[0]));
        t->alpha[g] = r->alpha[g * T + k], t->beta[g] = r->beta[g * T + k];
        memcpy(w, r->w + (g * T + k) * J, (size_t)J * sizeof *w);
        for (i64 m = 0; m < M; m++) {
            a[m] = y[m] = 0.0;
            for (i64 j = 0; j < J; j++) a[m] += r->F[m * J + j] * w[j], y[m] += r->F[(k * M + m) * J + j] * w[j];
            y[m] = t->alpha[g] + t->beta[g] * y[m];
        }
    }
}

/* ---- verdict ----------------------------------------------------------------------------------------------------- */

/* Gain of the first split: held-out deviance at delay 0 less that at delay 1, under the flow of the other half. */
static cw_status held_out_gain(cw_arena *arena, cw_tau *t, const double *vl, const int32_t *half, const int32_t *gene,
                               i64 n, double lambda)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 J = t->flow.J, M = t->flow.M, d = t->flow.d, cut = n / 2;
    double grid[GAIN_POINTS];
    cw_tau_flow flow = t->flow;
    flow.velocity = take(arena, J * d);
    double *F = take(arena, GAIN_POINTS * M * J), *pair = take(arena, 2 * M * J), *gain = take(arena, n);
    double *dev = take(arena, 2 * n), *beta = take(arena, 2 * n), *alpha = take(arena, 2 * n), mean = 0.0, square = 0.0;
    int32_t *held = cw_arena_take(arena, n * (i64)sizeof *held);
    if (ctx->status != CW_OK) return ctx->status;
    for (int k = 0; k < GAIN_POINTS; k++) grid[k] = (double)k / (GAIN_POINTS - 1);
    for (i64 i = 0; i < n; i++) held[i] = gene[half[i]];
    for (int way = 0; way < 2; way++) {
        i64 from = way ? 0 : cut, count = way ? cut : n - cut;
        for (i64 i = 0; i < J * d; i++) flow.velocity[i] = vl[way * J * d + i] * t->scale;
        if (cw_tau_backtrace(arena, F, NULL, NULL, flow.z, &flow, grid, GAIN_POINTS, M) != CW_OK) return ctx->status;
        memcpy(pair, F, (size_t)(M * J) * sizeof *pair);
        memcpy(pair + M * J, F + (GAIN_POINTS - 1) * M * J, (size_t)(M * J) * sizeof *pair);
        if (cw_tau_profile(arena, dev, beta, alpha, NULL, pair, pair, &t->fit, held + from, lambda, count, 2, J) !=
            CW_OK)
            return ctx->status;
        for (i64 i = 0; i < count; i++) gain[from + i] = dev[2 * i] - dev[2 * i + 1];
    }
    for (i64 i = 0; i < n; i++) mean += gain[i] / (double)n;
    for (i64 i = 0; i < n; i++) square += (gain[i] - mean) * (gain[i] - mean) / (double)n;
    t->verdict.gain = mean, t->verdict.gain_z = mean / (sqrt(square / (double)n) + 1e-9);
    void *done[] = {held, alpha, beta, dev, gain, pair, F, flow.velocity};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
    return ctx->status;
}

/* (min over the grid of summed deviance - sum of minima) / n: what gene-wise delays gain over one common delay. */
static double heterogeneity(const double *dev, const int32_t *gene, i64 n, i64 T)
{
    double together = INFINITY, apart = 0.0;
    for (i64 k = 0; k < T; k++) {
        double sum = 0.0;
        for (i64 i = 0; i < n; i++) sum += dev[gene[i] * T + k];
        together = fmin(together, sum);
    }
    for (i64 i = 0; i < n; i++) {
        double least = INFINITY;
        for (i64 k = 0; k < T; k++) least = fmin(least, dev[gene[i] * T + k]);
        apart += least;
    }
    return (together - apart) / (double)n;
}

/* ---- the rim of the sampled window ------------------------------------------------------------------------------- */

/* Gaussian weight, with bandwidth h, of all metacells around the point z, by size: their sum; mean (d) their weighted
 * mean. */
static double around(double *mean, const double *z, const cw_tau_flow *f)
{
    double all = 1e-300;
    fill(mean, 0.0, f->d);
    for (i64 o = 0; o < f->M; o++) {
        double gap = 0.0;
        for (i64 i = 0; i < f->d; i++) gap += (z[i] - f->z[o * f->d + i]) * (z[i] - f->z[o * f->d + i]);
        double w = f->size[o] * exp(-0.5 * gap / (f->bandwidth * f->bandwidth));
        all += w;
        for (i64 i = 0; i < f->d; i++) mean[i] += w * f->z[o * f->d + i];
    }
    for (i64 i = 0; i < f->d; i++) mean[i] /= all;
    return all;
}

/* Metacells at the rim: those whose history lies before the sampled window (run back by the median delay, the flow
 * comes out of the cells: their local mean then lies ahead by more than half a bandwidth), and those whose future lies
 * beyond it (few cells had been there a median delay ago: less than half of the cells there now). */
static cw_status find_rim(cw_arena *arena, cw_tau *t)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 M = t->flow.M, d = t->flow.d, J = t->flow.J, last = RIM_POINTS - 1;
    double grid[RIM_POINTS], v[MOST_AXES], mean[MOST_AXES];
    for (int k = 0; k < RIM_POINTS; k++) grid[k] = (double)k / (double)last;
    double *F = take(arena, RIM_POINTS * M * J), *path = take(arena, RIM_POINTS * M * d);
    if (ctx->status != CW_OK ||
        cw_tau_backtrace(arena, F, path, NULL, t->flow.z, &t->flow, grid, RIM_POINTS, M) != CW_OK)
        return ctx->status;
    cw_tau_flow before = t->flow; /* the cells where they were */
    before.z = path + last * M * d;
    for (i64 m = 0; m < M; m++) {
        const double *end = path + (last * M + m) * d, *B = F + (last * M + m) * J;
        double along = 0.0, speed = 0.0;
        int unknown = around(mean, end, &t->flow) <= 1e-250; /* far from every cell */
        for (i64 i = 0; i < d; i++) {
            v[i] = 0.0;
            for (i64 j = 0; j < J; j++) v[i] += B[j] * t->flow.velocity[j * d + i];
            along += v[i] * (mean[i] - end[i]), speed += v[i] * v[i];
        }
        int outside = unknown || along > 0.5 * t->flow.bandwidth * sqrt(speed);
        double now = around(mean, path + m * d, &t->flow), then = around(mean, path + m * d, &before);
        t->at_rim[m] = outside || then < 0.5 * now;
    }
    cw_arena_give(arena, path), cw_arena_give(arena, F);
    return cw_poll(ctx);
}

/* Share of each usable gene's change along the flow that lies in metacells at the rim. dd (M, n). */
static void rim_share(cw_tau *t, const double *dd, const int32_t *gene, i64 n)
{
    for (i64 i = 0; i < n; i++) {
        double all = 1e-300, rim = 0.0;
        for (i64 m = 0; m < t->flow.M; m++) {
            double change = t->flow.size[m] * fabs(dd[m * n + i]);
            all += change;
            if (t->at_rim[m]) rim += change;
        }
        t->rim[gene[i]] = rim / all;
    }
}

/* ---- baselines --------------------------------------------------------------------------------------------------- */

/* Profile (BINS) of y (M) along time, Gaussian kernel of 3 bins; slope (BINS) its central differences. */
static void along_time(double *profile, double *slope, const double *y, const double *time, const double *size,
                       double width, i64 M)
{
    for (int b = 0; b < BINS; b++) {
        double all = 1e-300, sum = 0.0, at = (b + 0.5) * width;
        for (i64 m = 0; m < M; m++) {
            double g = (time[m] - at) / (3.0 * width), w = g * g > 60.0 ? 0.0 : size[m] * exp(-0.5 * g * g);
            all += w, sum += w * y[m];
        }
        profile[b] = sum / all;
    }
    for (int b = 0; b < BINS; b++) slope[b] = profile[b < BINS - 1 ? b + 1 : b] - profile[b > 0 ? b - 1 : b];
}

static double lagged_correlation(const double *a, const double *r, int lag)
{
    int n = BINS - lag;
    double ma = 0.0, mr = 0.0, aa = 0.0, rr = 0.0, ar = 0.0;
    for (int b = 0; b < n; b++) ma += a[b] / n, mr += r[b + lag] / n;
    for (int b = 0; b < n; b++) {
        double x = a[b] - ma, y = r[b + lag] - mr;
        aa += x * x, rr += y * y, ar += x * y;
    }
    return ar / sqrt(aa * rr + 1e-12);
}

/* Baselines that need one axis of time: the lag of best correlation of the two profiles, and the time of RNA's steepest
 * change less that of chromatin's in the same direction. In the unit of the flow. */
static void baselines(cw_tau *t, int threads)
{
    i64 M = t->flow.M;
    double last = 0.0;
    for (i64 m = 0; m < M; m++) last = fmax(last, t->time[m]);
    double width = fmax(last, 1e-9) / BINS;
    (void)threads;
#pragma omp parallel for schedule(dynamic, 8) num_threads(threads)
    for (i64 g = 0; g < t->G; g++) {
        double a[BINS], r[BINS], da[BINS], dr[BINS], best = -INFINITY;
        int lag = 0, up = 0, down = 0;
        if (!t->fit.counted[g]) continue;
        along_time(a, da, t->fit.a + g * M, t->time, t->flow.size, width, M);
        along_time(r, dr, t->fit.r + g * M, t->time, t->flow.size, width, M);
        for (int l = 0; l < LAGS; l++) {
            double c = lagged_correlation(a, r, l);
            if (c > best) best = c, lag = l;
        }
        t->xcorr[g] = lag * width;
        for (int b = 1; b < BINS; b++)
            if (fabs(da[b]) > fabs(da[up])) up = b;
        for (int b = 1; b < BINS; b++)
            if (dr[b] * da[up] > dr[down] * da[up]) down = b;
        t->switch_time[g] = (down - up) * width;
    }
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static cw_status take_results(cw_arena *arena, cw_tau *t)
{
    i64 G = t->G, M = t->flow.M, J = t->flow.J, T = t->T;
    double **genes[] = {&t->alpha, &t->beta, &t->tau, &t->sd, &t->low, &t->high, &t->mode, &t->rim, &t->xcorr,
                        &t->switch_time};
    for (size_t i = 0; i < sizeof genes / sizeof *genes; i++) fill(*genes[i] = take(arena, G), NAN, G);
    fill(t->fitted_a = take(arena, G * M), NAN, G * M), fill(t->fitted_r = take(arena, G * M), NAN, G * M);
    fill(t->weight = take(arena, G * J), NAN, G * J), fill(t->time = take(arena, M), NAN, M);
    fill(t->prior = take(arena, T), NAN, T), t->grid = take(arena, T);
    t->z_denoised = take(arena, M * t->flow.d), t->at_rim = cw_arena_take(arena, M);
    if (cw_arena_ctx(arena)->status != CW_OK) return cw_arena_ctx(arena)->status;
    memset(t->at_rim, 0, (size_t)M);
    memcpy(t->z_denoised, t->flow.z, (size_t)(M * t->flow.d) * sizeof *t->z_denoised);
    return CW_OK;
}

/* The lag-free fits again, at the metacells' denoised places, where the delayed ones are made: weights and dispersions
 * of single genes. What is usable stays as it was. */
static cw_status fit_denoised(cw_arena *arena, cw_tau_lagfree *again, cw_tau *t, const double *vl, double lambda)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    const double start[1] = {0.0};
    cw_tau_flow flow = t->flow;
    flow.velocity = take(arena, flow.J * flow.d);
    double *B = take(arena, flow.M * flow.J);
    if (cw_tau_lagfree_new(arena, again, t->G, flow.M) != CW_OK) return ctx->status;
    memcpy(flow.velocity, vl, (size_t)(flow.J * flow.d) * sizeof *vl);
    if (cw_tau_backtrace(arena, B, NULL, NULL, flow.z, &flow, start, 1, flow.M) != CW_OK) return ctx->status;
    cw_tau_lagfree_fit(arena, again, t->fit.a, t->fit.r, t->depth_a, t->depth_r, B, lambda, flow.J);
    cw_arena_give(arena, B), cw_arena_give(arena, flow.velocity);
    return ctx->status;
}

static void lagfree_give(cw_arena *arena, cw_tau_lagfree *f);

/* Chromatin and RNA oppose each other where RNA is repressed, and also where a gene's pulse comes again after a long
 * delay. Both signs of beta are fitted over the grid, with even weights (each modality is most precise where the other
 * is least, and a curve that can't bend everywhere would follow neither): repressed is what fits better by more
 * than 10. */
static cw_status decide_signs(cw_arena *arena, cw_tau_lagfree *f, cw_tau *t, const double *vl, double lambda)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 n = 0, M = f->M, J = t->flow.J, T = t->T;
    int32_t *gene = cw_arena_take(arena, f->G * (i64)sizeof *gene);
    if (ctx->status != CW_OK) return ctx->status;
    for (i64 g = 0; g < f->G; g++) {
        if (t->fit.repressed[g]) gene[n++] = (int32_t)g;
        f->repressed[g] = t->fit.repressed[g] = 0;
    }
    cw_tau_flow flow = t->flow;
    flow.velocity = take(arena, J * flow.d);
    double *F = take(arena, T * M * J), *dev = take(arena, 2 * n * T), *beta = take(arena, n * T);
    double *alpha = take(arena, n * T), *a = take(arena, n * M), *r = take(arena, n * M);
    cw_tau_lagfree even;
    if (cw_tau_lagfree_new(arena, &even, n, M) != CW_OK) return ctx->status;
    even.floor = 1.0;
    for (i64 i = 0; i < n; i++) {
        memcpy(a + i * M, f->a + gene[i] * M, (size_t)M * sizeof *a);
        memcpy(r + i * M, f->r + gene[i] * M, (size_t)M * sizeof *r);
    }
    for (i64 i = 0; i < J * flow.d; i++) flow.velocity[i] = vl[i] * FIRST_SCALE;
    if (cw_tau_backtrace(arena, F, NULL, NULL, flow.z, &flow, t->grid, T, M) != CW_OK ||
        cw_tau_lagfree_fit(arena, &even, a, r, t->depth_a, t->depth_r, F, lambda, J) != CW_OK)
        return ctx->status;
    for (int sign = 0; sign < 2; sign++) { /* beta > 0, then < 0 */
        memset(even.repressed, sign, (size_t)n);
        if (cw_tau_profile(arena, dev + sign * n * T, beta, alpha, NULL, F, F, &even, NULL, lambda, n, T, J) != CW_OK)
            return ctx->status;
    }
    for (i64 i = 0; i < n; i++) {
        double least[2] = {INFINITY, INFINITY};
        for (i64 k = 0; k < 2 * T; k++) least[k >= T] = fmin(least[k >= T], dev[(k < T ? 0 : n * T) + i * T + k % T]);
        if (!(least[1] + 10.0 < least[0])) continue;
        f->repressed[gene[i]] = t->fit.repressed[gene[i]] = 1;
        double *to[] = {f->wa, f->wr, f->fa, f->fr}, *from[] = {even.wa, even.wr, even.fa, even.fr};
        for (int s = 0; s < 4; s++) memcpy(to[s] + gene[i] * M, from[s] + i * M, (size_t)M * sizeof(double));
    }
    lagfree_give(arena, &even);
    void *done[] = {gene, F, dev, beta, alpha, a, r, flow.velocity};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
    return ctx->status;
}

static void lagfree_give(cw_arena *arena, cw_tau_lagfree *f)
{
    void *done[] = {f->a,        f->r,        f->fa,  f->fr,      f->wa,     f->wr,
                    f->signal_a, f->signal_r, f->cor, f->counted, f->usable, f->repressed};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
}

/* Everything beyond the lag-free fits; n >= LEAST_GENES usable genes. */
static cw_status fit_delays(cw_arena *arena, cw_tau *t, const double *B0, const int32_t *gene, i64 n,
                            const cw_tau_options *o)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    cw_tau_flow *f = &t->flow;
    i64 M = f->M, d = f->d, k = o->neighbours;
    cw_tau_lag lag;
    int32_t *near = cw_arena_take(arena, M * k * (i64)sizeof *near),
            *half = cw_arena_take(arena, n * (i64)sizeof *half);
    double *vl = take(arena, f->J * d), *v = take(arena, M * d), *first = take(arena, n), *dd = take(arena, M * n);
    double *split = take(arena, 2 * f->J * d), *place = take(arena, n * f->J);
    if (make_lag(arena, &lag, &t->fit, f, gene, n) != CW_OK) return ctx->status;
    cw_tau_neighbours(near, f->z, M, d, k, ctx->threads);
    if (cw_tau_velocity(arena, vl, v, first, &lag, f, B0, near, k, o->iterations) != CW_OK ||
        cw_tau_derivative(arena, dd, &lag, f, v, near, k) != CW_OK)
        return ctx->status;
    places_of_change(place, dd, B0, f, n);
    cw_tau_lagfree weights;
    if (fit_denoised(arena, &weights, t, vl, o->lambda) != CW_OK ||
        decide_signs(arena, &weights, t, vl, o->lambda) != CW_OK)
        return ctx->status;
    fitted r[2] = {{0}, {0}};
    for (int kind = CW_TAU_DELAY; kind <= CW_TAU_KINETICS; kind++)
        if (o->readout == CW_TAU_AUTO || (int)o->readout == kind)
            if (read_out(arena, &r[kind - 1], t, &weights, vl, place, gene, n, (cw_tau_readout)kind, o->lambda) !=
                CW_OK)
                return ctx->status;
    lagfree_give(arena, &weights);
    t->verdict.deviance_delay = r[0].dev ? r[0].total : NAN, t->verdict.deviance_kinetics = r[1].dev ? r[1].total : NAN;
    t->dev_delay = r[0].dev, t->dev_kinetics = r[1].dev;
    int best = !r[0].dev || (r[1].dev && r[1].total < r[0].total);
    fitted *won = &r[best];
    t->readout = best ? CW_TAU_KINETICS : CW_TAU_DELAY;
    t->scale = won->scale, t->features = won->F, t->prior = won->prior;
    t->tau = won->tau, t->sd = won->sd, t->low = won->low, t->high = won->high, t->mode = won->mode;
    settle(t, won);
    for (i64 i = 0; i < f->J * d; i++) f->velocity[i] = vl[i] * won->pace[i / d];
    cw_dense_product(ctx->threads, v, B0, 0, f->velocity, 0, 0.0, M, d, f->J);
    t->verdict.heterogeneity = heterogeneity(won->dev, gene, n, t->T);
    won->F = won->dev = won->prior = won->tau = won->sd = won->low = won->high = won->mode = NULL;
    r[!best].dev = NULL;
    fitted_give(arena, &r[0]), fitted_give(arena, &r[1]);
    if (cw_tau_lead(arena, &t->verdict.lead, split, half, &lag, f, B0, near, k, o->iterations, o->lead_splits,
                    o->key) != CW_OK ||
        held_out_gain(arena, t, split, half, gene, n, o->lambda) != CW_OK ||
        cw_tau_arrival(arena, t->time, f, v, near, k) != CW_OK || find_rim(arena, t) != CW_OK)
        return ctx->status;
    t->verdict.lead_z = (2.0 * t->verdict.lead - 1.0) * sqrt((double)n);
    rim_share(t, dd, gene, n);
    baselines(t, ctx->threads);
    void *done[] = {near, half, vl, v, first, dd, split, place, lag.D, lag.m, lag.weight};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
    return cw_poll(ctx);
}

cw_status cw_tau_fit(cw_arena *arena, cw_tau *t, const cw_tau_data *x, const cw_tau_options *o)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    *t = (cw_tau){.N = x->atac.cells, .G = x->rna.rows, .P = x->atac.rows, .T = o->grid_size, .links = x->links};
    t->verdict = (cw_tau_verdict){0.0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    t->readout = o->readout == CW_TAU_KINETICS ? CW_TAU_KINETICS : CW_TAU_DELAY;
    t->scale = NAN;
    if (check(ctx, x, o) != CW_OK || embed(arena, t, x, o) != CW_OK || make_metacells(arena, t, o) != CW_OK)
        return ctx->status;
    i64 M = t->flow.M, J = t->flow.J, n = 0, both = 0;
    double *B0 = take(arena, M * J);
    int32_t *gene = cw_arena_take(arena, t->G * (i64)sizeof *gene);
    if (take_results(arena, t) != CW_OK) return ctx->status;
    for (i64 k = 0; k < t->T; k++) t->grid[k] = o->grid_max * (double)k / (double)(t->T - 1);
    cw_tau_soft(B0, t->flow.z, t->flow.landmark, t->flow.bandwidth, M, J, t->flow.d, ctx->threads);
    if (make_rates(arena, t, B0, x, o) != CW_OK) return ctx->status;
    for (i64 g = 0; g < t->G; g++) {
        both += t->fit.signal_a[g] > 60.0 && t->fit.signal_r[g] > 60.0;
        if (t->fit.usable[g]) gene[n++] = (int32_t)g;
    }
    t->verdict.usable = (double)n, t->verdict.concord = (double)n / (both > 1 ? (double)both : 1.0);
    if (n >= LEAST_GENES) fit_delays(arena, t, B0, gene, n, o);
    cw_arena_give(arena, gene), cw_arena_give(arena, B0);
    return cw_poll(ctx);
}

i64 cw_tau_forecast(i64 cells, i64 genes, i64 peaks, i64 links, i64 atac_values, i64 rna_values, int threads,
                    const cw_tau_options *o)
{
    i64 M = o->metacells ? o->metacells : cells / 15 > 400 ? 400 : cells / 15 < 80 ? 80 : cells / 15;
    i64 J = o->landmarks, T = o->grid_size, P = J * (J + 1) / 2, d = 8, k = o->components, l = k + 27;
    i64 linked = links < peaks ? links : peaks, rows = peaks > genes ? peaks : genes;
    /* while axes are found, then while genes are fitted; what is kept, and the host's copy of it */
    i64 axes = 4 * (atac_values > rna_values ? atac_values : rna_values) + rows * (12 * l + 2 * d * k) +
               cells * 12 * l + d * cells * 6 * (k + 1);
    i64 fits = d * (linked * M + 16 * linked * threads + 9 * genes * M) + d * genes * T * (2 * J + 8) +
               d * T * M * (P + 3 * J) + d * 6 * M * genes + d * threads * (64 * 2 * (M + P) + 11 * genes) +
               d * cells * 20;
    i64 kept = d * (genes * (15 * M + 2 * T + J + 16) + T * M * J + cells * 12 + 2 * (peaks + genes) * k);
    return kept + (axes > fits ? axes : fits) + (1 << 22);
}
