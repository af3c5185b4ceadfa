/* tau.c: the anchored delay estimator, step after step. See tau.h. */
#include "tau_steps.h"

#include "../linalg/dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PACE_PASSES = 2, PACE_ROUNDS = 2, ROUNDS = 3, GAIN_POINTS = 6, SHRINK = 10 };
#define FIRST_SCALE 2.2   /* regression's velocities are about this much too slow: both curves are smoothed */
#define INFLATE 1.25      /* of the likelihood's variance, for basis and smoothing; from simulations */
#define REACH 1.6         /* of the back-trace's even steps, in longest lags; the tails of kernels lie beyond */
#define SHAPE_LEAST 0.05  /* share of genes from which a shape is reckoned with */
#define LEAST_LAG 0.04    /* for logarithms */
#define TOLD 2000000      /* cells x genes from which the fit says what it is doing */
#define NINETY 1.6448536  /* half of a 90% interval in standard deviations */

#define TELL(t, ...) \
    do { \
        if ((t)->N * (t)->G >= TOLD) cw_log(ctx, 1, __VA_ARGS__); \
    } while (0)

#define O cw_tau_options
const cw_setting cw_tau_settings[] = {
    CW_SET_INT(O, metacells, "metacells", NULL, 0, 0, 100000, "groups of like cells; 0: cells / 15 within 80 to 400"),
    CW_SET_INT(O, landmarks, "landmarks", NULL, 30, 4, 128, "places of the flow's basis"),
    CW_SET_DOUBLE(O, lambda, "lambda", NULL, 0.3, 0, 1e6, 1, "ridge of curves on the basis"),
    CW_SET_INT(O, components, "components", NULL, 30, 2, 200, "axes of LSI and of principal components"),
    CW_SET_INT(O, shuffles, "shuffles", NULL, 5, 1, 1000, "shuffled pairings that the shared axes must beat"),
    CW_SET_INT(O, min_axes, "min_axes", "minAxes", 2, 1, CW_TAU_MOST_AXES, "fewest axes of the states"),
    CW_SET_INT(O, max_axes, "max_axes", "maxAxes", 10, 1, CW_TAU_MOST_AXES, "most axes of the states"),
    CW_SET_INT(O, neighbours, "neighbours", NULL, 10, 2, 64, "metacells that states are smoothed over"),
    CW_SET_INT(O, iterations, "iterations", NULL, 8, 1, 1000, "rounds of flow and delays"),
    CW_SET_DOUBLE(O, grid_max, "grid_max", "gridMax", 4, 0, 1000, 1, "longest delay looked at, in median delays"),
    CW_SET_INT(O, grid_size, "grid_size", "gridSize", 31, 3, 512, "delays looked at"),
    CW_SET_INT(O, trace_size, "trace_size", "traceSize", 25, 3, 512,
               "even times of the back-trace along the flow; half as many follow, in steps twice as long"),
    CW_SET_INT(O, test_cells, "test_cells", "testCells", 3000, 50, 1e9, "most cells for the test of the lead"),
    CW_SET_FLAG(O, peak_weights, "peak_weights", "peakWeights", 1, "weigh a gene's peaks by what they tell of it"),
    CW_SET_INT(O, lead_splits, "lead_splits", "leadSplits", 6, 1, 1000, "halvings of the genes for lead and flow's error"),
    CW_SET_CHOICE(O, readout, "readout", NULL, CW_TAU_AUTO, "auto delay kinetics", "shapes of the lag"),
    {0}};
#undef O

cw_tau_options cw_tau_defaults(void)
{
    cw_tau_options o = {0};
    char why[64];
    return cw_settings_fill(cw_tau_settings, &o, NULL, 0, 1, why, sizeof why) == CW_OK ? o : (cw_tau_options){0};
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
        o->min_axes < 1 || o->max_axes < o->min_axes || o->max_axes > CW_TAU_MOST_AXES || o->neighbours < 2 ||
        o->neighbours > 64 || o->iterations < 1 || o->grid_size < 3 || o->grid_size > 512 || !(o->grid_max > 0.0) ||
        !(o->lambda > 0.0) || o->trace_size < 3 || o->trace_size > 512 || o->test_cells < 50 || o->lead_splits < 1 || o->metacells < 0 ||
        (o->metacells && o->metacells < 2 * o->neighbours))
        return cw_fail(ctx, CW_ERR_ARGUMENT, "delays: an option is out of its range");
    if (check_counts(ctx, &x->atac, "chromatin counts") != CW_OK || check_counts(ctx, &x->rna, "RNA counts") != CW_OK ||
        check_embedding(ctx, x->atac_embedding, x->atac.cells, x->atac_axes, "chromatin") != CW_OK)
        return ctx->status;
    return check_embedding(ctx, x->rna_embedding, x->rna.cells, x->rna_axes, "RNA");
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
        if (cw_tau_profile(arena, dev, beta, alpha, NULL, pair, pair, &t->fit, held + from, lambda, ROUNDS + 1, count, 2, J) !=
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

/* ---- readout and unit -------------------------------------------------------------------------------------------- */

/* What the steps of the readout share. */
typedef struct job {
    cw_tau *t;
    const cw_tau_options *o;
    const cw_tau_lagfree *weights;
    const double *vl, *place; /* (J, d); (n, J) places of the usable genes */
    const int32_t *gene;      /* (n) usable */
    uint8_t *every;           /* (n) ones */
    i64 n;
    cw_tau_flow flow;         /* with a velocity of its own */
    double *traced, *F, *raw; /* (R, M, J), (T, M, J), (shapes, n, T) */
    double *alpha, *beta;     /* (G, T) */
    double *w;                /* (shapes, n, T, J) curves of the usable genes */
    double *m[5];             /* (G) each: mean, sd, low, high, mode of a posterior */
    double first[CW_TAU_SHAPES]; /* the shape that sets the pace: a delay, unless only kinetics are asked for */
} job;

static cw_status job_new(cw_arena *arena, job *b)
{
    i64 T = b->t->T, J = b->t->flow.J, M = b->t->flow.M, G = b->t->G, n = b->n;
    b->flow = b->t->flow;
    b->flow.velocity = take(arena, J * b->flow.d);
    b->traced = take(arena, b->t->R * M * J), b->F = take(arena, T * M * J), b->raw = take(arena, CW_TAU_SHAPES * n * T);
    b->alpha = take(arena, G * T), b->beta = take(arena, G * T), b->w = take(arena, CW_TAU_SHAPES * n * T * J);
    for (int i = 0; i < 5; i++) b->m[i] = take(arena, G);
    b->every = cw_arena_take(arena, n);
    if (cw_arena_ctx(arena)->status != CW_OK) return cw_arena_ctx(arena)->status;
    memset(b->every, 1, (size_t)n);
    memset(b->first, 0, sizeof b->first);
    b->first[b->o->readout == CW_TAU_KINETICS ? CW_TAU_SHAPES - 1 : 0] = 1.0;
    return CW_OK;
}

static void job_give(cw_arena *arena, job *b)
{
    void *done[] = {b->flow.velocity, b->traced, b->F,    b->raw,  b->alpha, b->beta, b->w,
                    b->m[0],          b->m[1],   b->m[2], b->m[3], b->m[4],  b->every};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
}

/* b->traced under the velocity vl (J, d) times pace (J). */
static cw_status trace(cw_arena *arena, job *b, const double *vl, const double *pace, double *denoised)
{
    i64 d = b->flow.d;
    for (i64 i = 0; i < b->flow.J * d; i++) b->flow.velocity[i] = vl[i] * pace[i / d];
    return cw_tau_backtrace(arena, b->traced, NULL, denoised, b->flow.z, &b->flow, b->t->trace, b->t->R, b->flow.M);
}

/* b->F (T, M, J) of one shape, or shapes by their shares. */
static cw_status answer(cw_arena *arena, job *b, const double *share, const double *grid, i64 T)
{
    return cw_tau_answer(arena, b->F, b->traced, share, grid, T, b->t->trace, b->t->R, b->flow.M * b->flow.J);
}

static void only(double *share, int shape)
{
    for (int s = 0; s < CW_TAU_SHAPES; s++) share[s] = s == shape;
}

/* The unit of time. The data leave a modulation of the flow's speed over cells open that all genes share; it is fixed
 * by asking that the typical delay be 1 wherever genes change, and not only on the whole: the velocity at a landmark is
 * multiplied by the typical delay (mean of log tau, by precision) of the genes that change there, shrunk to the median
 * over all genes as if by SHRINK more genes. tau, sd (n) of the genes `which` of those with a place (NULL: all). */
static void update_pace(double *pace, const double *tau, const double *sd, const double *place, const int32_t *which,
                        double typical, i64 n, i64 J)
{
    double middle = log(fmax(typical, 1e-3));
    for (i64 j = 0; j < J; j++) {
        double sum = 0.0, all = 1e-300, square = 1e-300;
        for (i64 k = 0; k < n; k++) {
            i64 i = which ? which[k] : k;
            double t = fmax(tau[i], 0.1), w = place[i * J + j] / (0.36 + sd[i] * sd[i] / (t * t));
            sum += w * (log(t) - middle), all += w, square += w * w;
        }
        double genes = all * all / square;
        pace[j] *= exp(middle + sum / all * genes / (genes + SHRINK));
    }
}

static double typical_of(cw_arena *arena, const double *tau, i64 n)
{
    double *sorted = take(arena, n), middle = 1.0;
    if (!sorted) return middle;
    memcpy(sorted, tau, (size_t)n * sizeof *sorted);
    middle = cw_tau_median(sorted, n);
    cw_arena_give(arena, sorted);
    return middle;
}

/* Every second lag of one shape is enough to set the pace. */
static cw_status find_pace(cw_arena *arena, job *b, double *pace)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    cw_tau *t = b->t;
    i64 T = t->T, n = b->n, J = t->flow.J, step = T % 2 ? 2 : 1, few = (T + step - 1) / step;
    double *grid = take(arena, few), *coarse = take(arena, n * few), *dev = b->raw;
    if (ctx->status != CW_OK) return ctx->status;
    for (i64 k = 0; k < few; k++) grid[k] = t->grid[k * step];
    fill(pace, FIRST_SCALE, J);
    for (int pass = 0; pass < PACE_PASSES; pass++) {
        if (trace(arena, b, b->vl, pace, NULL) != CW_OK || answer(arena, b, b->first, grid, few) != CW_OK ||
            cw_tau_profile(arena, coarse, b->beta, b->alpha, NULL, b->F, b->traced, b->weights, b->gene, b->o->lambda,
                           PACE_ROUNDS, n, few, J) != CW_OK)
            return ctx->status;
        for (i64 i = 0; i < n; i++)
            for (i64 k = 0; k < few; k++) dev[i * T + k * step] = coarse[i * few + k];
        if (step == 2) cw_tau_between(dev, n, T);
        if (cw_tau_prior(arena, t->prior, dev, b->every, n, T) != CW_OK ||
            cw_tau_posterior(arena, b->m[0], b->m[1], b->m[2], b->m[3], b->m[4], dev, t->prior, t->grid, n, T) != CW_OK)
            return ctx->status;
        update_pace(pace, b->m[0], b->m[1], b->place, NULL, typical_of(arena, b->m[0], n), n, J);
    }
    cw_arena_give(arena, coarse), cw_arena_give(arena, grid);
    return ctx->status;
}

/* dev (shapes, G, T), over INFLATE, of all genes; curves of the usable ones in b->w. */
static cw_status profile_shapes(cw_arena *arena, job *b, double *dev)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    cw_tau *t = b->t;
    i64 T = t->T, G = t->G, J = t->flow.J, others = 0, n = b->n;
    int32_t *list = cw_arena_take(arena, G * (i64)sizeof *list);
    double *own = take(arena, G * T), share[CW_TAU_SHAPES];
    if (ctx->status != CW_OK) return ctx->status;
    for (i64 g = 0, at = 0; g < G; g++)
        if (at < n && b->gene[at] == g) at++;
        else list[others++] = (int32_t)g;
    for (int s = 0; s < CW_TAU_SHAPES; s++) {
        double *to = dev + s * G * T;
        fill(to, NAN, G * T);
        if (!(t->share[s] > 0.0)) continue;
        only(share, s);
        if (answer(arena, b, share, t->grid, T) != CW_OK) return ctx->status;
        for (int part = 0; part < 2; part++) {
            const int32_t *genes = part ? list : b->gene;
            i64 count = part ? others : n;
            if (count && cw_tau_profile(arena, own, b->beta, b->alpha, part ? NULL : b->w + s * n * T * J, b->F,
                                        b->traced, b->weights, genes, b->o->lambda, ROUNDS, count, T, J) != CW_OK)
                return ctx->status;
            for (i64 i = 0; i < count * T; i++) to[genes[i / T] * T + i % T] = own[i] / INFLATE;
        }
    }
    cw_arena_give(arena, own), cw_arena_give(arena, list);
    return ctx->status;
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

/* y (n) = log of the flat-prior mean of the usable genes, variance (n) its relative variance. dev (n, T). */
static cw_status log_lags(cw_arena *arena, job *b, double *y, double *variance, const double *dev)
{
    cw_tau *t = b->t;
    if (cw_tau_posterior(arena, b->m[0], b->m[1], b->m[2], b->m[3], b->m[4], dev, NULL, t->grid, b->n, t->T) != CW_OK)
        return cw_arena_ctx(arena)->status;
    for (i64 i = 0; i < b->n; i++) {
        double mean = fmax(b->m[0][i], 0.1), sd = b->m[1][i] / mean;
        y[i] = log(mean);
        if (variance) variance[i] = sd * sd;
    }
    return CW_OK;
}

/* Deviances (n, T) of the usable genes under b->traced, curves held, shapes by their shares: out. */
static cw_status reread(cw_arena *arena, job *b, double *out)
{
    cw_tau *t = b->t;
    double share[CW_TAU_SHAPES];
    i64 T = t->T, n = b->n, J = t->flow.J;
    fill(b->raw, INFINITY, CW_TAU_SHAPES * n * T);
    for (int s = 0; s < CW_TAU_SHAPES; s++) {
        if (!(t->share[s] > 0.0)) continue;
        only(share, s);
        if (answer(arena, b, share, t->grid, T) != CW_OK ||
            cw_tau_reprofile(arena, b->raw + s * n * T, b->w + s * n * T * J, b->F, b->traced, b->weights, b->gene,
                             b->o->lambda, n, T, J) != CW_OK)
            return cw_arena_ctx(arena)->status;
    }
    for (i64 i = 0; i < CW_TAU_SHAPES * n * T; i++) b->raw[i] /= INFLATE;
    cw_tau_marginal(out, b->raw, t->share, n, T);
    return CW_OK;
}

/* The velocity of a half of the genes, `half` (count): its pace, from the one of all genes, in two passes. */
static cw_status half_pace(cw_arena *arena, job *b, double *pace, const double *vl, const int32_t *half, i64 count,
                           double *tau, double *dev)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    cw_tau *t = b->t;
    i64 T = t->T, n = b->n, J = t->flow.J, Jd = J * t->flow.d;
    double own = 0.0, all = 0.0;
    int first = b->o->readout == CW_TAU_KINETICS ? CW_TAU_SHAPES - 1 : 0;
    for (i64 i = 0; i < Jd; i++) own += vl[i] * vl[i], all += b->vl[i] * b->vl[i];
    for (i64 j = 0; j < J; j++) pace[j] *= fmin(fmax(sqrt(all / fmax(own, 1e-300)), 0.3), 3.0);
    for (int pass = 0; pass < PACE_PASSES; pass++) {
        if (trace(arena, b, vl, pace, NULL) != CW_OK || answer(arena, b, b->first, t->grid, T) != CW_OK ||
            cw_tau_reprofile(arena, dev, b->w + first * n * T * J, b->F, b->traced, b->weights, b->gene, b->o->lambda,
                             n, T, J) != CW_OK)
            return ctx->status;
        for (i64 i = 0; i < n * T; i++) dev[i] /= INFLATE;
        if (cw_tau_posterior(arena, b->m[0], b->m[1], b->m[2], b->m[3], b->m[4], dev, t->prior, t->grid, n, T) != CW_OK)
            return ctx->status;
        for (i64 i = 0; i < count; i++) tau[i] = b->m[0][half[i]];
        update_pace(pace, b->m[0], b->m[1], b->place, half, typical_of(arena, tau, count), count, J);
    }
    return ctx->status;
}

/* variance (n) of the log lags over flows from halves of the genes, each less what all genes share: vl (2 splits, J, d),
 * halves (splits, n) as cw_tau_lead gives them. */
static cw_status flow_error(cw_arena *arena, job *b, double *variance, const double *vl, const int32_t *halves,
                            const double *pace)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 T = b->t->T, n = b->n, J = b->t->flow.J, Jd = J * b->t->flow.d, runs = 2 * b->o->lead_splits;
    double *own = take(arena, J), *dev = take(arena, n * T), *y = take(arena, n), *sorted = take(arena, n);
    double *sum = take(arena, n);
    if (ctx->status != CW_OK) return ctx->status;
    fill(sum, 0.0, n), fill(variance, 0.0, n);
    for (i64 r = 0; r < runs; r++) {
        i64 cut = n / 2;
        const int32_t *half = halves + r / 2 * n + (r % 2 ? cut : 0);
        memcpy(own, pace, (size_t)J * sizeof *own);
        if (half_pace(arena, b, own, vl + r * Jd, half, r % 2 ? n - cut : cut, sorted, dev) != CW_OK ||
            trace(arena, b, vl + r * Jd, own, NULL) != CW_OK || reread(arena, b, dev) != CW_OK ||
            log_lags(arena, b, y, NULL, dev) != CW_OK)
            return ctx->status;
        TELL(b->t, "delays: intervals, %lld of %lld flows", (long long)(r + 1), (long long)runs);
        double middle = typical_of(arena, y, n);
        for (i64 i = 0; i < n; i++) { /* Welford */
            double x = y[i] - middle, gap = x - sum[i];
            sum[i] += gap / (double)(r + 1);
            variance[i] += gap * (x - sum[i]);
        }
    }
    for (i64 i = 0; i < n; i++) variance[i] /= (double)runs;
    void *done[] = {sum, sorted, y, dev, own};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
    return ctx->status;
}

/* Log lags of the usable genes as random effects: the clock's error and true differences. error, flow (n) variances of
 * y (n). Genes at the end of the grid or with wide posteriors say nothing. */
static cw_status clock_error(cw_arena *arena, job *b, cw_tau_clock *c, const double *y, const double *error,
                             const double *flow, const double *places)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    cw_tau *t = b->t;
    i64 n = b->n, kept = 0, J = t->flow.J;
    int32_t *which = cw_arena_take(arena, n * (i64)sizeof *which);
    double *own_y = take(arena, n), *own_error = take(arena, n);
    if (ctx->status != CW_OK) return ctx->status;
    for (i64 i = 0; i < n; i++)
        if (exp(y[i]) < 0.825 * b->o->grid_max && error[i] < 0.64)
            own_y[kept] = y[i], own_error[kept] = error[i], which[kept++] = (int32_t)i;
    if (cw_tau_clock_fit(arena, c, own_y, own_error, b->place, which, kept, places, t->G, J) != CW_OK)
        return ctx->status;
    t->verdict.spread = sqrt(c->omega), t->verdict.clock = sqrt(c->s), t->verdict.reliability = 0.0;
    for (i64 k = 0; k < kept; k++) {
        i64 i = which[k];
        own_error[k] = error[i] + flow[i] + c->variance[b->gene[i]];
    }
    if (kept >= 3) t->verdict.reliability = c->omega / (c->omega + cw_tau_median(own_error, kept));
    cw_arena_give(arena, own_error), cw_arena_give(arena, own_y), cw_arena_give(arena, which);
    return ctx->status;
}

/* Total lags in their unit, with all errors: t->tau .. mode hold the posterior so far. factor (G): what lags were
 * multiplied by; returns the logarithm of the unit. */
static double total_lags(cw_arena *arena, job *b, const cw_tau_clock *c, const double *flow, double *factor)
{
    cw_tau *t = b->t;
    double *sorted = take(arena, b->n), unit, usual;
    if (!sorted) return 0.0;
    for (i64 i = 0; i < b->n; i++) sorted[i] = flow[i];
    usual = cw_tau_median(sorted, b->n);
    for (i64 g = 0; g < t->G; g++) t->var_flow[g] = isfinite(t->tau[g]) ? usual : NAN;
    for (i64 i = 0; i < b->n; i++) {
        i64 g = b->gene[i];
        t->var_flow[g] = flow[i], sorted[i] = log(fmax(t->tau[g], LEAST_LAG)) - c->shift[g];
    }
    unit = cw_tau_median(sorted, b->n);
    cw_arena_give(arena, sorted);
    for (i64 g = 0; g < t->G; g++) {
        factor[g] = NAN;
        if (!isfinite(t->tau[g])) continue;
        double more = t->var_flow[g] + c->variance[g], arm = NINETY * sqrt(more), at = fmax(t->tau[g], LEAST_LAG);
        double middle = log(at), below = middle - log(fmax(t->low[g], LEAST_LAG));
        double above = log(fmax(t->high[g], LEAST_LAG)) - middle, own = t->sd[g] / at;
        t->var_clock[g] = c->variance[g];
        factor[g] = exp(-c->shift[g] - unit);
        t->tau[g] = at * factor[g], t->mode[g] *= factor[g];
        t->sd[g] = t->tau[g] * sqrt(own * own + more);
        t->low[g] = t->tau[g] * exp(-sqrt(fmax(below, 0.0) * fmax(below, 0.0) + arm * arm));
        t->high[g] = t->tau[g] * exp(sqrt(fmax(above, 0.0) * fmax(above, 0.0) + arm * arm));
    }
    return unit;
}

/* Curves, coefficients and numbers of every gene at the grid point nearest to its lag, from t->features. */
static cw_status settle(cw_arena *arena, job *b)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    cw_tau *t = b->t;
    i64 T = t->T, J = t->flow.J, M = t->flow.M, G = t->G;
    int32_t *list = cw_arena_take(arena, G * (i64)sizeof *list);
    double *w = take(arena, G * J), *dev = take(arena, G);
    if (ctx->status != CW_OK) return ctx->status;
    for (i64 k = 0; k < T; k++) {
        i64 n = 0;
        const double *F = t->features + k * M * J;
        for (i64 g = 0; g < G; g++) {
            double x = isfinite(t->tau[g]) ? nearbyint(t->tau[g] / (t->grid[1] - t->grid[0])) : -1.0;
            if (fmin(x, (double)(T - 1)) == (double)k) list[n++] = (int32_t)g;
        }
        if (!n) continue;
        if (cw_tau_profile(arena, dev, b->beta, b->alpha, w, F, t->features, b->weights, list, b->o->lambda, ROUNDS, n,
                           1, J) != CW_OK)
            return ctx->status;
        for (i64 i = 0; i < n; i++) {
            i64 g = list[i];
            double *a = t->fitted_a + g * M, *y = t->fitted_r + g * M;
            memcpy(t->weight + g * J, w + i * J, (size_t)J * sizeof *w);
            t->alpha[g] = b->alpha[i], t->beta[g] = b->beta[i];
            for (i64 m = 0; m < M; m++) {
                a[m] = y[m] = 0.0;
                for (i64 j = 0; j < J; j++) a[m] += t->features[m * J + j] * w[i * J + j], y[m] += F[m * J + j] * w[i * J + j];
                y[m] = t->alpha[g] + t->beta[g] * y[m];
            }
        }
    }
    cw_arena_give(arena, dev), cw_arena_give(arena, w), cw_arena_give(arena, list);
    return ctx->status;
}

/* Single genes don't tell their shape: an interval holds what each shape with a share of SHAPE_LEAST or more says. The
 * shapes mixed by likelihood alone held long lags of kinetics in half of the genes. dev (shapes, G, T). */
static cw_status widen_by_shape(cw_arena *arena, job *b, const double *dev)
{
    cw_tau *t = b->t;
    for (int s = 0; s < CW_TAU_SHAPES; s++) {
        if (!(t->share[s] >= SHAPE_LEAST)) continue;
        if (cw_tau_posterior(arena, b->m[0], b->m[1], b->m[2], b->m[3], b->m[4], dev + s * t->G * t->T, t->prior,
                             t->grid, t->G, t->T) != CW_OK)
            return cw_arena_ctx(arena)->status;
        for (i64 g = 0; g < t->G; g++) { /* not a number stays so */
            if (b->m[2][g] < t->low[g]) t->low[g] = b->m[2][g];
            if (b->m[3][g] > t->high[g]) t->high[g] = b->m[3][g];
        }
    }
    return CW_OK;
}

/* Lags of all genes and their errors, t->flow's velocity in final units. places (G, J); half_vl, halves as
 * cw_tau_lead gives them. */
static cw_status read_out(cw_arena *arena, job *b, const double *places, const double *half_vl, const int32_t *halves)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    cw_tau *t = b->t;
    i64 T = t->T, J = t->flow.J, G = t->G, n = b->n, d = t->flow.d;
    double *pace = take(arena, J), *dev = take(arena, CW_TAU_SHAPES * G * T), *y = take(arena, n);
    double *error = take(arena, n), *flow = take(arena, n), *own = take(arena, n * T), *factor = take(arena, G);
    cw_tau_clock c = {.gamma = take(arena, J), .shift = take(arena, G), .variance = take(arena, G)};
    t->dev = take(arena, G * T), t->features = take(arena, T * t->flow.M * J);
    if (ctx->status != CW_OK || find_pace(arena, b, pace) != CW_OK) return ctx->status;
    for (int s = 0; s < CW_TAU_SHAPES; s++) t->share[s] = t->readout == CW_TAU_AUTO ? 1.0 / CW_TAU_SHAPES : b->first[s];
    if (trace(arena, b, b->vl, pace, NULL) != CW_OK || profile_shapes(arena, b, dev) != CW_OK ||
        cw_tau_shape_prior(arena, t->prior, t->share, dev, t->fit.usable, G, T) != CW_OK)
        return ctx->status;
    cw_tau_marginal(t->dev, dev, t->share, G, T);
    t->verdict.heterogeneity = heterogeneity(t->dev, b->gene, n, T);
    for (i64 i = 0; i < n; i++) memcpy(own + i * T, t->dev + b->gene[i] * T, (size_t)T * sizeof *own);
    if (log_lags(arena, b, y, error, own) != CW_OK || flow_error(arena, b, flow, half_vl, halves, pace) != CW_OK ||
        clock_error(arena, b, &c, y, error, flow, places) != CW_OK ||
        cw_tau_posterior(arena, t->tau, t->sd, t->low, t->high, t->mode, t->dev, t->prior, t->grid, G, T) != CW_OK ||
        widen_by_shape(arena, b, dev) != CW_OK)
        return ctx->status;
    double unit = total_lags(arena, b, &c, flow, factor);
    cw_tau_rescale(t->dev, factor, t->grid, G, T);
    t->scale = 0.0;
    for (i64 j = 0; j < J; j++) {
        pace[j] *= exp(c.gamma[j] + unit), t->scale += pace[j] / (double)J;
        for (i64 i = 0; i < d; i++) t->flow.velocity[j * d + i] = b->vl[j * d + i] * pace[j];
    }
    if (trace(arena, b, b->vl, pace, t->z_denoised) != CW_OK || answer(arena, b, t->share, t->grid, T) != CW_OK)
        return ctx->status;
    memcpy(t->features, b->F, (size_t)(T * t->flow.M * J) * sizeof *b->F);
    settle(arena, b);
    void *done[] = {c.variance, c.shift, c.gamma, factor, own, flow, error, y, dev, pace};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
    return cw_poll(ctx);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static cw_status take_results(cw_arena *arena, cw_tau *t)
{
    i64 G = t->G, M = t->flow.M, J = t->flow.J, T = t->T;
    double **genes[] = {&t->alpha, &t->beta, &t->tau,      &t->sd,       &t->low,   &t->high,
                        &t->mode,  &t->rim,  &t->var_flow, &t->var_clock, &t->xcorr, &t->switch_time};
    for (size_t i = 0; i < sizeof genes / sizeof *genes; i++) fill(*genes[i] = take(arena, G), NAN, G);
    fill(t->fitted_a = take(arena, G * M), NAN, G * M), fill(t->fitted_r = take(arena, G * M), NAN, G * M);
    fill(t->weight = take(arena, G * J), NAN, G * J), fill(t->time = take(arena, M), NAN, M);
    fill(t->prior = take(arena, T), NAN, T), t->grid = take(arena, T), t->trace = take(arena, t->R);
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
        if (cw_tau_profile(arena, dev + sign * n * T, beta, alpha, NULL, F, F, &even, NULL, lambda, ROUNDS + 1, n, T, J) !=
            CW_OK)
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
    cw_tau_lagfree_give(arena, &even);
    void *done[] = {gene, F, dev, beta, alpha, a, r, flow.velocity};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
    return ctx->status;
}

/* Places of change of all genes with counts along v: (G, J); 0 for the others. */
static cw_status all_places(cw_arena *arena, double *places, cw_tau *t, const double *v, const double *B0,
                            const int32_t *near, i64 k)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 n = 0, M = t->flow.M, J = t->flow.J;
    int32_t *gene = cw_arena_take(arena, t->G * (i64)sizeof *gene);
    if (ctx->status != CW_OK) return ctx->status;
    for (i64 g = 0; g < t->G; g++)
        if (t->fit.counted[g]) gene[n++] = (int32_t)g;
    cw_tau_lag lag;
    double *dd = take(arena, M * n), *own = take(arena, n * J);
    if (cw_tau_lag_new(arena, &lag, &t->fit, &t->flow, gene, n) != CW_OK ||
        cw_tau_derivative(arena, dd, &lag, &t->flow, v, near, k) != CW_OK)
        return ctx->status;
    cw_tau_places(own, dd, B0, &t->flow, n);
    fill(places, 0.0, t->G * J);
    for (i64 i = 0; i < n; i++) memcpy(places + gene[i] * J, own + i * J, (size_t)J * sizeof *own);
    cw_tau_lag_give(arena, &lag);
    cw_arena_give(arena, own), cw_arena_give(arena, dd), cw_arena_give(arena, gene);
    return ctx->status;
}

/* Everything beyond the lag-free fits; n >= CW_TAU_LEAST_GENES usable genes. */
static cw_status fit_delays(cw_arena *arena, cw_tau *t, const double *B0, const int32_t *gene, i64 n,
                            const cw_tau_options *o)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    cw_tau_flow *f = &t->flow;
    i64 M = f->M, d = f->d, k = o->neighbours, J = f->J, splits = o->lead_splits;
    cw_tau_lag lag;
    int32_t *near = cw_arena_take(arena, M * k * (i64)sizeof *near);
    int32_t *halves = cw_arena_take(arena, splits * n * (i64)sizeof *halves);
    double *vl = take(arena, J * d), *v = take(arena, M * d), *first = take(arena, n), *dd = take(arena, M * n);
    double *half_vl = take(arena, 2 * splits * J * d), *place = take(arena, n * J), *places = take(arena, t->G * J);
    double unused;
    if (cw_tau_lag_new(arena, &lag, &t->fit, f, gene, n) != CW_OK) return ctx->status;
    cw_tau_neighbours(near, f->z, M, d, k, ctx->threads);
    TELL(t, "delays: flow, and %lld flows of half the genes", (long long)(2 * splits));
    if (cw_tau_velocity(arena, vl, v, first, &lag, f, B0, near, k, o->iterations) != CW_OK ||
        cw_tau_derivative(arena, dd, &lag, f, v, near, k) != CW_OK ||
        cw_tau_lead(arena, &unused, half_vl, halves, &lag, f, B0, near, k, o->iterations, splits, o->key) != CW_OK ||
        all_places(arena, places, t, v, B0, near, k) != CW_OK)
        return ctx->status;
    cw_tau_places(place, dd, B0, f, n);
    cw_tau_lagfree weights;
    if (fit_denoised(arena, &weights, t, vl, o->lambda) != CW_OK ||
        decide_signs(arena, &weights, t, vl, o->lambda) != CW_OK)
        return ctx->status;
    job b = {.t = t, .o = o, .weights = &weights, .vl = vl, .place = place, .gene = gene, .n = n};
    TELL(t, "delays: lags");
    if (job_new(arena, &b) != CW_OK || read_out(arena, &b, places, half_vl, halves) != CW_OK) return ctx->status;
    job_give(arena, &b);
    cw_tau_lagfree_give(arena, &weights);
    cw_dense_product(ctx->threads, v, B0, 0, f->velocity, 0, 0.0, M, d, J);
    if (held_out_gain(arena, t, half_vl, halves, gene, n, o->lambda) != CW_OK ||
        cw_tau_arrival(arena, t->time, f, v, near, k) != CW_OK || cw_tau_find_rim(arena, t) != CW_OK)
        return ctx->status;
    cw_tau_rim_share(t, dd, gene, n);
    cw_tau_baselines(t, ctx->threads);
    cw_tau_lag_give(arena, &lag);
    void *done[] = {near, halves, vl, v, first, dd, half_vl, place, places};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
    return cw_poll(ctx);
}

cw_status cw_tau_fit(cw_arena *arena, cw_tau *t, const cw_tau_data *data, const cw_tau_options *o)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    cw_tau_data own = *data, *x = &own;
    *t = (cw_tau){.N = x->atac.cells, .G = x->rna.rows, .P = x->atac.rows, .T = o->grid_size,
                  .R = o->trace_size + (o->trace_size - 1) / 2, .links = x->links};
    t->verdict = (cw_tau_verdict){NAN, NAN, NAN, NAN, 0.0, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    t->readout = o->readout;
    t->scale = NAN;
    for (int s = 0; s < CW_TAU_SHAPES; s++) t->share[s] = NAN;
    TELL(t, "delays: axes of %lld cells", (long long)t->N);
    if (check(ctx, x, o) != CW_OK ||
        cw_tau_cap(arena, &x->atac, &t->capped_a, x->cell_id, x->peak_id, o->key) != CW_OK ||
        cw_tau_cap(arena, &x->rna, &t->capped_r, x->cell_id, x->gene_id, o->key + 1) != CW_OK ||
        cw_tau_state(arena, t, x, o) != CW_OK || cw_tau_metacells(arena, t, o) != CW_OK)
        return ctx->status;
    i64 M = t->flow.M, J = t->flow.J, n = 0, both = 0;
    double *B0 = take(arena, M * J);
    int32_t *gene = cw_arena_take(arena, t->G * (i64)sizeof *gene);
    if (take_results(arena, t) != CW_OK) return ctx->status;
    for (i64 k = 0; k < t->T; k++) t->grid[k] = o->grid_max * (double)k / (double)(t->T - 1);
    for (i64 k = 0; k < t->R; k++) /* tails of kernels: as far again, in steps twice as long */
        t->trace[k] = REACH * o->grid_max / (double)(o->trace_size - 1) *
                      (double)(k < o->trace_size ? k : 2 * k - o->trace_size + 1);
    cw_tau_soft(B0, t->flow.z, t->flow.landmark, t->flow.bandwidth, M, J, t->flow.d, ctx->threads);
    TELL(t, "delays: curves of %lld genes at %lld metacells", (long long)t->G, (long long)M);
    if (cw_tau_rates(arena, t, B0, x, o) != CW_OK) return ctx->status;
    for (i64 g = 0; g < t->G; g++) {
        both += t->fit.signal_a[g] > 60.0 && t->fit.signal_r[g] > 60.0;
        if (t->fit.usable[g]) gene[n++] = (int32_t)g;
    }
    t->verdict.usable = (double)n, t->verdict.concord = (double)n / (both > 1 ? (double)both : 1.0);
    t->verdict.axes = (double)t->shared.above;
    if (n >= CW_TAU_LEAST_GENES) {
        cw_tau_follows follows;
        TELL(t, "delays: does RNA follow chromatin, %lld usable genes", (long long)n);
        if (cw_tau_follow(arena, &follows, x, o) != CW_OK || fit_delays(arena, t, B0, gene, n, o) != CW_OK)
            return ctx->status;
        t->verdict.axes = follows.axes, t->verdict.usable_half = follows.usable;
        t->verdict.lead = follows.lead, t->verdict.lead_z = follows.z;
    }
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
    i64 fits = d * (linked * M + 16 * linked * threads + 12 * genes * M) + d * genes * T * (3 * J + 16) +
               d * T * M * (P + 4 * J) + d * 6 * M * genes + d * threads * (64 * 2 * (M + P) + 11 * genes) +
               d * cells * 20;
    /* counts in order, capped, and both halves of the cells of the test with their copies */
    i64 tested = cells < o->test_cells ? cells : o->test_cells, values = atac_values + rna_values;
    i64 copies = 20 * values + 24 * (i64)((double)values / (double)(cells > 0 ? cells : 1) * (double)tested);
    i64 kept = copies + d * (genes * (15 * M + 2 * T + J + 16) + T * M * J + cells * 12 + 2 * (peaks + genes) * k);
    return kept + (axes > fits ? axes : fits) + (1 << 22);
}