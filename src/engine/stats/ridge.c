/* ridge.c: see ridge.h. */
#include "ridge.h"

#include "../linalg/dense.h"
#include "../core/rng.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { BLOCK = 512 }; /* cells whose features are made at a time */

const double cw_ridge_a[CW_RIDGE_A_COUNT] = {.001, .003, .01};
const double cw_ridge_rho[CW_RIDGE_RHO_COUNT] = {.03, .1, .3};

static const double first_noise = 0.8, least_noise = 1e-3; /* s_g: where it starts, and its floor */

/* ---- columns: standardised, centred ------------------------------------------------------------------------------ */

/* Asks the host at every 64th item of a long loop; 0: stop. */
static int go_on(cw_ctx *ctx, int64_t i) { return i % 64 ? ctx->status == CW_OK : cw_poll(ctx) == CW_OK; }

cw_status cw_ridge_standardise(cw_ctx *ctx, float *x, int64_t cells, int64_t genes)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (cells < 2 || genes < 1)
        return cw_fail(ctx, CW_ERR_SHAPE, "standardise: %lld cells x %lld genes; at least 2 cells and 1 gene needed",
                       (long long)cells, (long long)genes);
    double *sum = cw_calloc(ctx, 3 * genes, sizeof *sum);
    if (!sum) return ctx->status;
    double *mean = sum, *square = sum + genes, *largest = sum + 2 * genes;
    for (int64_t c = 0; c < cells && go_on(ctx, c); c++)
        for (int64_t g = 0; g < genes; g++) {
            mean[g] += x[c * genes + g];
            largest[g] = fmax(largest[g], fabs((double)x[c * genes + g]));
        }
    for (int64_t g = 0; g < genes; g++) {
        mean[g] /= (double)cells;
        if (!isfinite(mean[g]))
            cw_fail(ctx, CW_ERR_NUMERIC, "standardise: column %lld has values that aren't finite", (long long)g);
    }
    for (int64_t c = 0; c < cells && go_on(ctx, c); c++)
        for (int64_t g = 0; g < genes; g++) {
            double d = x[c * genes + g] - mean[g];
            square[g] += d * d;
        }
    for (int64_t g = 0; g < genes; g++) {
        double sd = sqrt(square[g] / (double)cells);
        square[g] = sd > 1e-7 * largest[g] && sd > 0.0 ? 1.0 / sd : 0.0;
    }
    for (int64_t c = 0; c < cells && go_on(ctx, c); c++)
        for (int64_t g = 0; g < genes; g++)
            x[c * genes + g] = (float)((x[c * genes + g] - mean[g]) * square[g]);
    cw_free(ctx, sum);
    return ctx->status;
}

static cw_status check_weights(cw_ctx *ctx, const float *w, int64_t cells, int64_t states)
{
    for (int64_t k = 0; k < states; k++) {
        double sum = 0.0;
        for (int64_t c = 0; c < cells; c++) {
            if (!(w[c * states + k] >= 0.0f) || !isfinite(w[c * states + k]))
                return cw_fail(ctx, CW_ERR_ARGUMENT, "memberships: cell %lld has a negative or missing weight",
                               (long long)c);
            sum += w[c * states + k];
        }
        if (!(sum > 0.0))
            return cw_fail(ctx, CW_ERR_ARGUMENT, "memberships: state %lld has no cell", (long long)k);
    }
    return CW_OK;
}

cw_status cw_ridge_centre(cw_ctx *ctx, float *x, const float *w, int64_t cells, int64_t genes, int64_t states)
{
    if (ctx->status != CW_OK || check_weights(ctx, w, cells, states) != CW_OK) return ctx->status;
    double *WW = cw_calloc(ctx, states * states, sizeof *WW), *WX = cw_calloc(ctx, genes * states, sizeof *WX);
    if (WW && WX) {
        for (int64_t c = 0; c < cells && go_on(ctx, c); c++)
            for (int64_t k = 0; k < states; k++) {
                double a = w[c * states + k];
                if (a == 0.0) continue;
                for (int64_t j = 0; j < states; j++) WW[k * states + j] += a * w[c * states + j];
                for (int64_t g = 0; g < genes; g++) WX[g * states + k] += a * x[c * genes + g];
            }
        for (int64_t k = 0; k < states; k++) WW[k * states + k] += 1e-3;
        if (ctx->status == CW_OK && cw_dense_cholesky(WW, states) != 0)
            cw_fail(ctx, CW_ERR_NUMERIC, "centring: the memberships' second moments aren't positive definite");
        else {
            for (int64_t g = 0; g < genes && go_on(ctx, g); g++) cw_dense_solve(WX + g * states, WW, states);
            for (int64_t c = 0; c < cells && go_on(ctx, c); c++)
                for (int64_t g = 0; g < genes; g++) {
                    double fit = 0.0;
                    for (int64_t k = 0; k < states; k++) fit += w[c * states + k] * WX[g * states + k];
                    x[c * genes + g] = (float)(x[c * genes + g] - fit);
                }
        }
    }
    cw_free(ctx, WX);
    cw_free(ctx, WW);
    return ctx->status;
}

/* ---- second moments ---------------------------------------------------------------------------------------------- */

/* Features of cell c: x_ct for every TF, then W_ck x_ct state by state; `width` = tfs (1 + states) of them. */
typedef struct moments {
    int64_t cells, targets, tfs, states, width;
    double *C;  /* (width, width) F^T F */
    double *FY; /* (targets, width) Y^T F */
    double *yy; /* (targets) */
    int64_t *target; /* (targets) columns of x */
    int64_t *own;    /* (targets) the TF that a target is, or -1 */
    double *F, *Y;   /* (BLOCK, width), (BLOCK, targets) working memory */
} moments;

static void moments_free(cw_ctx *ctx, moments *m)
{
    void *all[] = {m->C, m->FY, m->yy, m->target, m->own, m->F, m->Y};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) cw_free(ctx, all[i]);
    memset(m, 0, sizeof *m);
}

/* `targets` of the `genes` columns, evenly spread. Freed with moments_free, also after a failure. */
static cw_status moments_new(cw_ctx *ctx, moments *m, const int32_t *tf, int64_t cells, int64_t genes, int64_t targets,
                             int64_t tfs, int64_t states)
{
    *m = (moments){.cells = cells, .targets = targets, .tfs = tfs, .states = states, .width = tfs * (1 + states)};
    m->C = cw_alloc(ctx, m->width * m->width, sizeof *m->C);
    m->FY = cw_alloc(ctx, targets * m->width, sizeof *m->FY);
    m->yy = cw_alloc(ctx, targets, sizeof *m->yy);
    m->target = cw_alloc(ctx, targets, sizeof *m->target);
    m->own = cw_alloc(ctx, targets, sizeof *m->own);
    m->F = cw_alloc(ctx, BLOCK * m->width, sizeof *m->F);
    m->Y = cw_alloc(ctx, BLOCK * targets, sizeof *m->Y);
    if (ctx->status != CW_OK) return ctx->status;
    for (int64_t j = 0; j < targets; j++) {
        m->target[j] = j * genes / targets;
        m->own[j] = -1;
        for (int64_t t = 0; t < tfs; t++)
            if (tf[t] == m->target[j]) m->own[j] = t;
    }
    return CW_OK;
}

/* Fills C, FY and yy. Cell c has the memberships of cell order[c] (NULL: its own). */
static cw_status moments_fill(cw_ctx *ctx, moments *m, const float *x, const int32_t *tf, const float *w,
                              const int64_t *order, int64_t genes)
{
    int stop = 0;
    const cw_watch watch = {ctx, &stop};
    memset(m->yy, 0, (size_t)m->targets * sizeof *m->yy);
    for (int64_t c0 = 0; c0 < m->cells; c0 += BLOCK) {
        int64_t n = m->cells - c0 < BLOCK ? m->cells - c0 : BLOCK;
        for (int64_t i = 0; i < n; i++) {
            const float *xc = x + (c0 + i) * genes;
            const float *wc = m->states ? w + (order ? order[c0 + i] : c0 + i) * m->states : NULL;
            double *f = m->F + i * m->width, *y = m->Y + i * m->targets;
            for (int64_t t = 0; t < m->tfs; t++) f[t] = xc[tf[t]];
            for (int64_t k = 0; k < m->states; k++)
                for (int64_t t = 0; t < m->tfs; t++) f[(1 + k) * m->tfs + t] = wc[k] * f[t];
            for (int64_t j = 0; j < m->targets; j++) {
                y[j] = xc[m->target[j]];
                m->yy[j] += y[j] * y[j];
            }
        }
        double beta = c0 > 0 ? 1.0 : 0.0;
        if (cw_dense_product_watched(&watch, ctx->threads, m->C, m->F, 1, m->F, 0, beta, m->width, m->width, n) ||
            cw_dense_product_watched(&watch, ctx->threads, m->FY, m->Y, 1, m->F, 0, beta, m->targets, m->width, n))
            return ctx->status;
    }
    return cw_poll(ctx);
}

/* Fills them from sums over cells: C and FY are the TFs' correlations with each other and the genes, times cells. */
static cw_status moments_of(cw_ctx *ctx, moments *m, const cw_gram *gram)
{
    int64_t tfs = gram->tfs, genes = gram->genes;
    double *r = cw_alloc(ctx, tfs * genes, sizeof *r), *sd = cw_alloc(ctx, genes, sizeof *sd), n = *gram->cells;
    if (sd && cw_gram_correlation(ctx, r, gram) == CW_OK) {
        cw_gram_gene(gram, NULL, sd, NULL);
        for (int64_t g = 0; g < genes; g++) m->yy[g] = sd[g] > 0.0 ? n : 0.0;
        for (int64_t t = 0; t < tfs; t++) {
            for (int64_t g = 0; g < genes; g++) m->FY[g * tfs + t] = n * r[t * genes + g];
            for (int64_t u = 0; u < tfs; u++) m->C[t * tfs + u] = n * r[t * genes + gram->tf[u]];
        }
    }
    cw_free(ctx, r), cw_free(ctx, sd);
    return ctx->status;
}

/* ---- one fit: given a and b = a rho ------------------------------------------------------------------------------ */

/* Working memory of one fit; a fit uses the first `width` features of the moments. */
typedef struct fit_room {
    double *V;     /* (width, width) eigenvectors in rows */
    double *value; /* (width) */
    double *work;  /* cw_dense_eigen_room(width) */
    double *Y;     /* (targets, width) right-hand sides R F^T y, later slopes */
    double *turned; /* (targets, width) the same in the eigenvectors' coordinates */
    double *scale; /* (width) prior standard deviations */
    double *own;   /* (1 + states, width) features of a target that is a TF, in the same coordinates */
    double *small; /* (1 + states)^2 + 2 (1 + states) */
    double *y0, *d; /* (width) each */
} fit_room;

static void room_free(cw_ctx *ctx, fit_room *r)
{
    void *all[] = {r->V, r->value, r->work, r->Y, r->scale, r->own, r->small, r->y0, r->d, r->turned};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) cw_free(ctx, all[i]);
    memset(r, 0, sizeof *r);
}

static cw_status room_new(cw_ctx *ctx, fit_room *r, int64_t width, int64_t targets, int64_t states)
{
    int64_t m = 1 + states;
    r->V = cw_alloc(ctx, width * width, sizeof(double));
    r->value = cw_alloc(ctx, width, sizeof(double));
    r->work = cw_alloc(ctx, cw_dense_eigen_room(width), sizeof(double));
    r->Y = cw_alloc(ctx, targets * width, sizeof(double));
    r->scale = cw_alloc(ctx, width, sizeof(double));
    r->own = cw_alloc(ctx, m * width, sizeof(double));
    r->small = cw_alloc(ctx, m * m + 2 * m, sizeof(double));
    r->y0 = cw_alloc(ctx, width, sizeof(double));
    r->d = cw_alloc(ctx, width, sizeof(double));
    r->turned = cw_alloc(ctx, targets * width, sizeof(double));
    return ctx->status;
}

/* Posterior mean and log evidence of one target at noise s, in the coordinates of the eigenvectors of the scaled second
 * moments M = R F^T F R = V^T diag(value) V, where A = I + M / s is diagonal. y0 (width) = V R F^T y, with the target's
 * own features (the `m` rows of r->own, none if m = 0) already taken out. Those rows and columns of A are then deleted
 * by the block formula (A_oo)^-1 f = B f - B_r (B_rr)^-1 B_r^T f, B = A^-1, |A_oo| = |A| |B_rr|.
 * Writes theta (width) and the residual sum of squares; returns the evidence, NaN if the block is singular. */
static double posterior(double *theta, double *rss, fit_room *r, double yy, double s, int64_t cells, int64_t width,
                        int64_t m)
{
    double *B = r->small, *z = B + m * m, logdet = 0.0, fit = 0.0, size = 0.0;
    *rss = NAN;
    for (int64_t i = 0; i < width; i++) {
        r->d[i] = 1.0 / (1.0 + r->value[i] / s);
        logdet -= log(r->d[i]);
    }
    for (int64_t p = 0; p < m; p++) {
        const double *v = r->own + p * width;
        z[p] = 0.0;
        for (int64_t i = 0; i < width; i++) z[p] += v[i] * r->d[i] * r->y0[i] / s;
        for (int64_t q = 0; q <= p; q++) {
            double sum = 0.0;
            for (int64_t i = 0; i < width; i++) sum += v[i] * r->d[i] * r->own[q * width + i];
            B[p * m + q] = sum;
        }
    }
    if (m > 0) {
        if (cw_dense_cholesky(B, m) != 0) return NAN;
        for (int64_t p = 0; p < m; p++) logdet += 2.0 * log(B[p * m + p]);
        cw_dense_solve(z, B, m);
    }
    for (int64_t i = 0; i < width; i++) {
        double f = r->y0[i] / s;
        for (int64_t p = 0; p < m; p++) f -= r->own[p * width + i] * z[p];
        theta[i] = r->d[i] * f;
        fit += theta[i] * r->y0[i];
        size += r->value[i] * theta[i] * theta[i];
    }
    *rss = yy - 2.0 * fit + size;
    return -0.5 * (yy / s - fit / s) - 0.5 * logdet - 0.5 * (double)cells * log(s);
}

/* Fits every target with prior variances a (the first tfs features) and b (the others up to `width`). evidence
 * (targets); theta (targets, width) or NULL. 0, or -1 where the numbers break down or the watch says stop. */
static int fit(const cw_watch *watch, double *evidence, double *theta, const moments *m, fit_room *r, double a, double b,
               int64_t width, int threads)
{
    int64_t blocks = width / m->tfs, n = m->targets;
    for (int64_t i = 0; i < width; i++) r->scale[i] = sqrt(i < m->tfs ? a : b);
    for (int64_t i = 0; i < width; i++)
        for (int64_t j = 0; j < width; j++)
            r->V[i * width + j] = r->scale[i] * m->C[i * m->width + j] * r->scale[j];
    if (cw_dense_eigen_watched(watch, r->value, r->V, r->work, width, 0) != 0) return -1;
    for (int64_t i = 0; i < width; i++) r->value[i] = fmax(r->value[i], 0.0);
    for (int64_t g = 0; g < n; g++) {
        double *y = r->Y + g * width;
        for (int64_t i = 0; i < width; i++) y[i] = r->scale[i] * m->FY[g * m->width + i];
        for (int64_t p = 0; m->own[g] >= 0 && p < blocks; p++) y[p * m->tfs + m->own[g]] = 0.0;
    }
    if (cw_dense_product_watched(watch, threads, r->turned, r->Y, 0, r->V, 1, 0.0, n, width, width) != 0) return -1;
    for (int64_t g = 0; g < n; g++) {
        if (g % 64 == 0 && cw_watch_stop(watch)) return -1;
        double *y = r->turned + g * width, rss, s = first_noise;
        int64_t own = m->own[g] < 0 ? 0 : blocks;
        evidence[g] = 0.0;
        if (m->yy[g] == 0.0) { /* a constant gene says nothing */
            memset(y, 0, (size_t)width * sizeof *y);
            continue;
        }
        for (int64_t p = 0; p < own; p++)
            for (int64_t i = 0; i < width; i++) r->own[p * width + i] = r->V[i * width + p * m->tfs + m->own[g]];
        memcpy(r->y0, y, (size_t)width * sizeof *y);
        posterior(y, &rss, r, m->yy[g], s, m->cells, width, own);
        if (!isfinite(rss)) return -1;
        s = fmax(least_noise, rss / (double)m->cells);
        evidence[g] = posterior(y, &rss, r, m->yy[g], s, m->cells, width, own);
        if (!isfinite(evidence[g])) return -1;
    }
    if (!theta) return 0;
    if (cw_dense_product_watched(watch, threads, theta, r->turned, 0, r->V, 0, 0.0, n, width, width) != 0) return -1;
    for (int64_t g = 0; g < n; g++)
        for (int64_t i = 0; i < width; i++) {
            int itself = m->own[g] >= 0 && i % m->tfs == m->own[g];
            theta[g * width + i] = itself ? 0.0 : theta[g * width + i] * r->scale[i];
        }
    return 0;
}

/* ---- several fits at once ---------------------------------------------------------------------------------------- */

typedef struct task {
    double a, b;
    double *evidence; /* (targets) */
    double *theta;    /* (targets, width) or NULL */
} task;

/* Runs the tasks, each on one thread, in `slots` rooms; the results don't depend on who runs what. */
static cw_status run_tasks(cw_ctx *ctx, const task *tasks, int64_t count, const moments *m, fit_room *rooms, int slots,
                           int64_t width)
{
    int failed = 0, stop = 0, done = 0, inner = count == 1 ? ctx->threads : 1;
    if (cw_poll(ctx) != CW_OK) return ctx->status;
    (void)slots;
#pragma omp parallel num_threads(slots) if (slots > 1 && count > 1)
    {
        const cw_watch watch = cw_watch_here(ctx, &stop);
#pragma omp for schedule(dynamic) nowait reduction(| : failed)
        for (int64_t i = 0; i < count; i++) {
            if (cw_watch_stop(&watch)) continue;
            failed |= fit(&watch, tasks[i].evidence, tasks[i].theta, m, rooms + cw_thread_number(), tasks[i].a,
                          tasks[i].b, width, inner) != 0;
        }
        cw_watch_rest(ctx, &done, &stop);
    }
    if (stop) return cw_poll(ctx);
    if (failed)
        return cw_fail(ctx, CW_ERR_NUMERIC, "ridge: the decomposition of %lld features did not succeed",
                       (long long)width);
    return cw_poll(ctx);
}

static double total(const double *x, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

/* All fits of one set of moments: their rooms, evidences and, if `keep`, slopes. */
typedef struct fit_set {
    fit_room *rooms;
    task *tasks;
    double *evidence, *theta; /* (count, targets), (count, targets, width) or NULL */
    int64_t count, width, targets;
    int slots;
} fit_set;

static void fits_free(cw_ctx *ctx, fit_set *f)
{
    for (int i = 0; f->rooms && i < f->slots; i++) room_free(ctx, f->rooms + i);
    cw_free(ctx, f->rooms);
    cw_free(ctx, f->tasks);
    cw_free(ctx, f->evidence);
    cw_free(ctx, f->theta);
    memset(f, 0, sizeof *f);
}

static cw_status fits_new(cw_ctx *ctx, fit_set *f, int64_t count, int64_t width, int64_t targets, int64_t states,
                          int keep)
{
    *f = (fit_set){.count = count, .width = width, .targets = targets};
    f->slots = ctx->threads < count ? ctx->threads : (int)count;
    f->rooms = cw_calloc(ctx, f->slots, sizeof *f->rooms);
    f->tasks = cw_alloc(ctx, count, sizeof *f->tasks);
    f->evidence = cw_alloc(ctx, count * targets, sizeof *f->evidence);
    f->theta = keep ? cw_alloc(ctx, count * targets * width, sizeof *f->theta) : NULL;
    for (int i = 0; ctx->status == CW_OK && i < f->slots; i++) room_new(ctx, f->rooms + i, width, targets, states);
    return ctx->status;
}

/* Fit i has prior variances a[i] and b[i] (a_step, b_step 0: the same for all). */
static cw_status fits_run(cw_ctx *ctx, fit_set *f, const moments *m, const double *a, int a_step, const double *b,
                          int b_step)
{
    for (int64_t i = 0; i < f->count; i++)
        f->tasks[i] = (task){.a = a[i * a_step],
                             .b = b ? a[i * a_step] * b[i * b_step] : 0.0,
                             .evidence = f->evidence + i * f->targets,
                             .theta = f->theta ? f->theta + i * f->targets * f->width : NULL};
    return run_tasks(ctx, f->tasks, f->count, m, f->rooms, f->slots, f->width);
}

/* The fit with the highest evidence summed over targets; the first among equals. */
static int64_t fits_best(const fit_set *f)
{
    int64_t best = 0;
    for (int64_t i = 1; i < f->count; i++)
        if (total(f->evidence + i * f->targets, f->targets) > total(f->evidence + best * f->targets, f->targets))
            best = i;
    return best;
}

/* ---- the two models ---------------------------------------------------------------------------------------------- */

static cw_status check_ridge(cw_ctx *ctx, const int32_t *tf, const double *grid, int64_t n_grid, int64_t cells,
                             int64_t genes, int64_t tfs)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (cells < 2 || genes < 2 || tfs < 1 || tfs > genes)
        return cw_fail(ctx, CW_ERR_SHAPE, "ridge: %lld cells, %lld genes, %lld TFs; at least 2, 2 and 1 are needed",
                       (long long)cells, (long long)genes, (long long)tfs);
    if (n_grid < 1) return cw_fail(ctx, CW_ERR_ARGUMENT, "ridge: the grid of prior variances is empty");
    for (int64_t i = 0; i < n_grid; i++)
        if (!(grid[i] > 0.0) || !isfinite(grid[i]))
            return cw_fail(ctx, CW_ERR_ARGUMENT, "ridge: prior variance %g isn't positive", grid[i]);
    char *seen = cw_calloc(ctx, genes, 1);
    if (!seen) return ctx->status;
    for (int64_t t = 0; t < tfs && ctx->status == CW_OK; t++) {
        if (tf[t] < 0 || tf[t] >= genes)
            cw_fail(ctx, CW_ERR_ARGUMENT, "ridge: TF %lld is column %d of %lld", (long long)t, (int)tf[t],
                    (long long)genes);
        else if (seen[tf[t]]) cw_fail(ctx, CW_ERR_ARGUMENT, "ridge: column %d is a TF twice", (int)tf[t]);
        else seen[tf[t]] = 1;
    }
    cw_free(ctx, seen);
    return ctx->status;
}

/* out (tfs, genes) = the first tfs columns of theta (genes, width) */
static void transpose_slopes(double *out, const double *theta, int64_t genes, int64_t tfs, int64_t width)
{
    for (int64_t t = 0; t < tfs; t++)
        for (int64_t g = 0; g < genes; g++) out[t * genes + g] = theta[g * width + t];
}

/* The pooled model on moments made for it or for more; evidence (targets) may be NULL. */
static cw_status pooled_on(cw_ctx *ctx, double *slope, double *evidence, double *chosen, const moments *m,
                           const double *grid, int64_t n_grid)
{
    fit_set f;
    if (fits_new(ctx, &f, n_grid, m->tfs, m->targets, 0, 1) == CW_OK &&
        fits_run(ctx, &f, m, grid, 1, NULL, 0) == CW_OK) {
        int64_t best = fits_best(&f);
        transpose_slopes(slope, f.theta + best * m->targets * m->tfs, m->targets, m->tfs, m->tfs);
        if (evidence) memcpy(evidence, f.evidence + best * m->targets, (size_t)m->targets * sizeof *evidence);
        if (chosen) *chosen = grid[best];
    }
    fits_free(ctx, &f);
    return ctx->status;
}

cw_status cw_ridge_pooled(cw_ctx *ctx, double *slope, double *evidence, double *chosen, const float *x,
                          const int32_t *tf, const double *grid, int64_t n_grid, int64_t cells, int64_t genes,
                          int64_t tfs)
{
    moments m;
    if (check_ridge(ctx, tf, grid, n_grid, cells, genes, tfs) != CW_OK) return ctx->status;
    if (moments_new(ctx, &m, tf, cells, genes, genes, tfs, 0) == CW_OK &&
        moments_fill(ctx, &m, x, tf, NULL, NULL, genes) == CW_OK)
        pooled_on(ctx, slope, evidence, chosen, &m, grid, n_grid);
    moments_free(ctx, &m);
    return ctx->status;
}

cw_status cw_ridge_pooled_sums(cw_ctx *ctx, double *slope, double *evidence, double *chosen, const cw_gram *gram,
                               const double *grid, int64_t n_grid)
{
    moments m;
    int64_t cells = (int64_t)*gram->cells, genes = gram->genes;
    if (check_ridge(ctx, gram->tf, grid, n_grid, cells, genes, gram->tfs) != CW_OK) return ctx->status;
    if (moments_new(ctx, &m, gram->tf, cells, genes, genes, gram->tfs, 0) == CW_OK &&
        moments_of(ctx, &m, gram) == CW_OK)
        pooled_on(ctx, slope, evidence, chosen, &m, grid, n_grid);
    moments_free(ctx, &m);
    return ctx->status;
}

/* ---- edges believed beforehand ----------------------------------------------------------------------------------- */

/* What one gene's fits need, in coordinates of the eigenvectors of C = F^T F = V^T diag(value) V. With all prior
 * variances a the posterior covariance is B = V^T diag(d) V, d = 1 / (1/a + value/s). The gene's own TF o is taken out
 * by B' = B - B e_o e_o^T B / B_oo; a strength c changes the precision of the known slopes E by -k/a, k = 1 - 1/c, so
 * the covariance becomes B' + B' E M^-1 E^T B', M = (a/k) I - E^T B' E, positive definite because B' <= a I. */
typedef struct gene_fit {
    const double *value, *W; /* (tfs), (tfs, tfs) eigenvectors in columns */
    double *d, *h, *theta;   /* (tfs) each */
    double *U, *DU;          /* (1 + most, tfs) features of E, then those times d; the last row: the own one */
    double *M, *r;           /* (most, most), (2 most) */
} gene_fit;

static void gene_fit_free(cw_ctx *ctx, gene_fit *f)
{
    void *all[] = {f->d, f->h, f->theta, f->U, f->DU, f->M, f->r};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) cw_free(ctx, all[i]);
}

static cw_status gene_fit_new(cw_ctx *ctx, gene_fit *f, const double *value, const double *W, int64_t most,
                              int64_t tfs)
{
    *f = (gene_fit){.value = value, .W = W};
    f->d = cw_alloc(ctx, tfs, sizeof(double));
    f->h = cw_alloc(ctx, tfs, sizeof(double));
    f->theta = cw_alloc(ctx, tfs, sizeof(double));
    f->U = cw_alloc(ctx, (1 + most) * tfs, sizeof(double));
    f->DU = cw_alloc(ctx, (1 + most) * tfs, sizeof(double));
    f->M = cw_alloc(ctx, most * most + 1, sizeof(double));
    f->r = cw_alloc(ctx, 2 * most + 1, sizeof(double));
    return ctx->status;
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Rows of f->U for the gene: its q known TFs without itself, then `own` if >= 0. Returns q. */
static int64_t gene_features(gene_fit *f, const int32_t *known, int64_t n_known, int64_t own, int64_t tfs)
{
    int64_t q = 0;
    for (int64_t i = 0; i < n_known; i++)
        if (known[i] != own) memcpy(f->U + q++ * tfs, f->W + known[i] * tfs, (size_t)tfs * sizeof(double));
    if (own >= 0) memcpy(f->U + q * tfs, f->W + own * tfs, (size_t)tfs * sizeof(double));
    return q;
}

/* Posterior mean f->theta and log evidence at a, c, s. y0 (tfs): V F^T y with the own feature taken out; U holds the q
 * known features and, if `own`, the gene's own one. Writes the residual sum of squares; NaN if the numbers break. */
static double gene_posterior(double *rss, gene_fit *f, const double *y0, double yy, double a, double c, double s,
                             int own, int64_t q, int64_t cells, int64_t tfs)
{
    const double *v = f->U + q * tfs;
    double *dv = f->DU + q * tfs, *z = f->r, *at = f->r + q, logdet = 0.0, bo = 1.0, shift = 0.0, fit = 0.0;
    double k = 1.0 - 1.0 / c, size = 0.0;
    *rss = NAN;
    for (int64_t i = 0; i < tfs; i++) {
        f->d[i] = 1.0 / (1.0 / a + f->value[i] / s);
        logdet -= log(f->d[i] / a);
        f->h[i] = f->d[i] * y0[i] / s;
    }
    if (own) {
        for (int64_t i = 0; i < tfs; i++) dv[i] = f->d[i] * v[i];
        bo = dot(v, dv, tfs);
        logdet += log(bo / a);
        shift = dot(v, f->h, tfs) / bo;
    }
    if (c == 1.0) q = 0;
    if (q > 0) {
        for (int64_t p = 0; p < q; p++) {
            for (int64_t i = 0; i < tfs; i++) f->DU[p * tfs + i] = f->d[i] * f->U[p * tfs + i];
            at[p] = own ? dot(f->U + p * tfs, dv, tfs) : 0.0; /* e_p^T B e_o */
            z[p] = dot(f->U + p * tfs, f->h, tfs) - at[p] * shift;
        }
        cw_dense_product(1, f->M, f->DU, 0, f->U, 1, 0.0, q, q, tfs);
        for (int64_t p = 0; p < q; p++)
            for (int64_t j = 0; j < q; j++)
                f->M[p * q + j] = (p == j ? a / k : 0.0) - (f->M[p * q + j] - at[p] * at[j] / bo);
        if (cw_dense_cholesky(f->M, q) != 0) return NAN;
        cw_dense_solve(z, f->M, q);
        logdet += (double)q * (log(c) + log(k / a));
        for (int64_t p = 0; p < q; p++) {
            logdet += 2.0 * log(f->M[p * q + p]);
            shift += at[p] * z[p] / bo; /* B' takes the own part out of B E z too */
        }
    }
    memcpy(f->theta, f->h, (size_t)tfs * sizeof(double));
    for (int64_t p = 0; p < q; p++)
        for (int64_t i = 0; i < tfs; i++) f->theta[i] += z[p] * f->DU[p * tfs + i];
    for (int64_t i = 0; i < tfs; i++) {
        if (own) f->theta[i] -= shift * dv[i];
        fit += f->theta[i] * y0[i];
        size += f->value[i] * f->theta[i] * f->theta[i];
    }
    *rss = yy - 2.0 * fit + size;
    return -0.5 * (yy - fit) / s - 0.5 * logdet - 0.5 * (double)cells * log(s);
}

/* The two steps of the noise, as in fit(). */
static double gene_evidence(gene_fit *f, const double *y0, double yy, double a, double c, int own, int64_t q,
                            int64_t cells, int64_t tfs)
{
    double rss;
    gene_posterior(&rss, f, y0, yy, a, c, first_noise, own, q, cells, tfs);
    if (!isfinite(rss)) return NAN;
    double s = fmax(least_noise, rss / (double)cells);
    return gene_posterior(&rss, f, y0, yy, a, c, s, own, q, cells, tfs);
}

/* One pass over the genes: their evidences (targets, a_count, strength_count); if slope, also the slopes (targets, tfs)
 * of the last a and strength, in the eigenvectors' coordinates as y (targets, tfs) = F^T y is. Gene g has the known TFs
 * of gene dealt[g] (NULL: its own). */
static cw_status known_pass(cw_ctx *ctx, double *evidence, double *slope, double *y, gene_fit *fits,
                            const cw_known_edges *e, const int64_t *dealt, const moments *m, const double *a,
                            const double *strength, int64_t a_count, int64_t strength_count)
{
    enum { TILE = 64 };
    int failed = 0, stop = 0, slots = ctx->threads;
    for (int64_t g0 = 0; g0 < m->targets && !failed; g0 += TILE) {
        int64_t g1 = g0 + TILE < m->targets ? g0 + TILE : m->targets;
        (void)slots;
#pragma omp parallel for schedule(dynamic) num_threads(slots) if (slots > 1) reduction(| : failed)
        for (int64_t g = g0; g < g1; g++) {
            const cw_watch watch = cw_watch_here(ctx, &stop);
            gene_fit *f = fits + cw_thread_number();
            double *out = evidence + g * a_count * strength_count;
            memset(out, 0, (size_t)(a_count * strength_count) * sizeof *out);
            if (slope) memset(slope + g * m->tfs, 0, (size_t)m->tfs * sizeof *slope);
            if (m->yy[g] == 0.0) continue; /* a constant gene says nothing */
            int64_t list = dealt ? dealt[g] : g, from = e->start[list], own = m->own[g];
            int64_t q = gene_features(f, e->tf + from, e->start[list + 1] - from, own, m->tfs);
            for (int64_t i = 0; i < a_count * strength_count && !cw_watch_stop(&watch); i++) {
                out[i] = gene_evidence(f, y + g * m->tfs, m->yy[g], a[i / strength_count], strength[i % strength_count],
                                       own >= 0, q, m->cells, m->tfs);
                failed |= !isfinite(out[i]);
            }
            if (slope) memcpy(slope + g * m->tfs, f->theta, (size_t)m->tfs * sizeof *slope);
        }
        if (cw_poll(ctx) != CW_OK) return ctx->status;
    }
    if (failed) return cw_fail(ctx, CW_ERR_NUMERIC, "ridge: the evidence of the known edges isn't a number");
    return ctx->status;
}

/* most: TFs known of one gene. */
static cw_status check_known(cw_ctx *ctx, int64_t *most, const cw_known_edges *e, const cw_known_options *o,
                             int64_t genes, int64_t tfs)
{
    if (o->strength_count < 1 || o->strength[0] != 1.0 || o->nulls < 0)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "ridge: the first strength of the known edges must be 1");
    for (int64_t i = 1; i < o->strength_count; i++)
        if (!(o->strength[i] > 1.0) || !isfinite(o->strength[i]))
            return cw_fail(ctx, CW_ERR_ARGUMENT, "ridge: strength %g of the known edges isn't above 1", o->strength[i]);
    *most = 0;
    for (int64_t g = 0; g < genes; g++) {
        int64_t n = e->start[g + 1] - e->start[g];
        if (n < 0 || n > tfs)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "ridge: gene %lld has %lld known TFs", (long long)g, (long long)n);
        if (n > *most) *most = n;
        for (int64_t i = e->start[g]; i < e->start[g + 1]; i++)
            if (e->tf[i] < 0 || e->tf[i] >= tfs || (i > e->start[g] && e->tf[i] <= e->tf[i - 1]))
                return cw_fail(ctx, CW_ERR_ARGUMENT, "ridge: the known TFs of gene %lld aren't ascending from 0",
                               (long long)g);
    }
    return CW_OK;
}

/* Sum over targets of evidence (targets, count) at one place. */
static double total_at(const double *evidence, int64_t targets, int64_t count, int64_t at)
{
    double sum = 0.0;
    for (int64_t g = 0; g < targets; g++) sum += evidence[g * count + at];
    return sum;
}

/* The place of the best a at strength j among totals (a_count, strength_count); the first among equals. */
static int64_t best_a(const double *total, const cw_known_options *o, int64_t j)
{
    int64_t best = 0;
    for (int64_t i = 1; i < o->a_count; i++)
        if (total[i * o->strength_count + j] > total[best * o->strength_count + j]) best = i;
    return best;
}

/* Gains at variance a with the known TFs dealt to other genes, over `plain`, the total of strength 1. room (targets,
 * strength_count). */
static cw_status dealt_gains(cw_ctx *ctx, double *gain, double plain, double a, double *room, double *y, gene_fit *fits,
                             const cw_known_edges *e, const moments *m, const cw_known_options *o)
{
    int64_t *dealt = cw_alloc(ctx, m->targets, sizeof *dealt), others = o->strength_count - 1;
    for (int64_t n = 0; dealt && n < o->nulls; n++) {
        cw_rng_permutation(dealt, m->targets, cw_rng_stream(o->key, CW_RNG_SHUFFLE, (uint64_t)n, 78));
        if (known_pass(ctx, room, NULL, y, fits, e, dealt, m, &a, o->strength + 1, 1, others) != CW_OK) break;
        gain[n] = -INFINITY;
        for (int64_t j = 0; j < others; j++)
            gain[n] = fmax(gain[n], total_at(room, m->targets, others, j) - plain);
    }
    cw_free(ctx, dealt);
    return ctx->status;
}

/* Is the gain more than what dealt edges gain? */
static int stands_out(double gain, const double *null_gain, int64_t nulls)
{
    double mean = 0.0, square = 0.0, most = 0.0;
    for (int64_t n = 0; n < nulls; n++) mean += null_gain[n] / (double)nulls, most = fmax(most, null_gain[n]);
    for (int64_t n = 0; n < nulls; n++) square += (null_gain[n] - mean) * (null_gain[n] - mean);
    double sd = nulls > 1 ? sqrt(square / (double)(nulls - 1)) : 0.0;
    return gain > most && (nulls == 0 || gain > mean + 3.0 * sd);
}

/* F^T y without the gene's own feature, turned: out (targets, tfs). */
static cw_status turned_targets(cw_ctx *ctx, double *out, const moments *m, const double *V)
{
    for (int64_t g = 0; g < m->targets; g++)
        if (m->own[g] >= 0) m->FY[g * m->tfs + m->own[g]] = 0.0;
    int stop = 0;
    const cw_watch watch = {ctx, &stop};
    (void)cw_dense_product_watched(&watch, ctx->threads, out, m->FY, 0, V, 1, 0.0, m->targets, m->tfs, m->tfs);
    return cw_poll(ctx);
}

/* Chooses a and strength, see ridge.h; all (targets, a_count, strength_count) is working memory. */
static cw_status known_choose(cw_ctx *ctx, cw_known *found, double *best, double *null_gain, double *all, double *y,
                              gene_fit *fits, const cw_known_edges *e, const moments *m, const cw_known_options *o)
{
    int64_t count = o->a_count * o->strength_count;
    double *sum = cw_alloc(ctx, count, sizeof *sum);
    if (!sum || known_pass(ctx, all, NULL, y, fits, e, NULL, m, o->a, o->strength, o->a_count, o->strength_count) !=
                    CW_OK)
        goto done;
    for (int64_t i = 0; i < count; i++) sum[i] = total_at(all, m->targets, count, i);
    int64_t plain = best_a(sum, o, 0), strongest = 0;
    double gain = 0.0;
    for (int64_t j = 0; j < o->strength_count; j++) {
        best[j] = sum[best_a(sum, o, j) * o->strength_count + j];
        if (best[j] > best[strongest]) strongest = j;
        double here = sum[plain * o->strength_count + j] - best[0];
        if (j == 1 || (j > 1 && here > gain)) gain = here;
    }
    *found = (cw_known){.gain = gain};
    if (o->strength_count > 1 && o->nulls > 0 &&
        dealt_gains(ctx, null_gain, best[0], o->a[plain], all, y, fits, e, m, o) != CW_OK)
        goto done;
    if (o->strength_count < 2 || !stands_out(gain, null_gain, o->nulls)) strongest = 0;
    found->a = o->a[best_a(sum, o, strongest)], found->strength = o->strength[strongest];
done:
    cw_free(ctx, sum);
    return ctx->status;
}

/* On moments that are filled and made for this alone. */
static cw_status known_on(cw_ctx *ctx, double *slope, double *evidence, double *best, double *null_gain,
                          cw_known *found, const moments *m, const cw_known_edges *known, const cw_known_options *o)
{
    int stop = 0;
    const cw_watch watch = {ctx, &stop};
    int64_t most = 0, slots = ctx->threads > 1 ? ctx->threads : 1, genes = m->targets, tfs = m->tfs;
    if (check_known(ctx, &most, known, o, genes, tfs) != CW_OK) return ctx->status;
    double *value = cw_alloc(ctx, tfs, sizeof *value), *V = cw_alloc(ctx, tfs * tfs, sizeof *V);
    double *W = cw_alloc(ctx, tfs * tfs, sizeof *W), *work = cw_alloc(ctx, cw_dense_eigen_room(tfs), sizeof *work);
    double *y = cw_alloc(ctx, genes * tfs, sizeof *y), *theta = cw_alloc(ctx, genes * tfs, sizeof *theta);
    double *all = cw_alloc(ctx, genes * o->a_count * o->strength_count, sizeof *all);
    gene_fit *fits = cw_calloc(ctx, slots, sizeof *fits);
    for (int64_t i = 0; ctx->status == CW_OK && i < slots; i++) gene_fit_new(ctx, fits + i, value, W, most, tfs);
    if (ctx->status != CW_OK) goto done;
    memcpy(V, m->C, (size_t)(tfs * tfs) * sizeof *V);
    if (cw_dense_eigen(value, V, work, tfs, 0) != 0) {
        cw_fail(ctx, CW_ERR_NUMERIC, "ridge: the decomposition of %lld features did not succeed", (long long)tfs);
        goto done;
    }
    for (int64_t i = 0; i < tfs; i++) {
        value[i] = fmax(value[i], 0.0);
        for (int64_t j = 0; j < tfs; j++) W[j * tfs + i] = V[i * tfs + j];
    }
    if (turned_targets(ctx, y, m, V) != CW_OK ||
        known_choose(ctx, found, best, null_gain, all, y, fits, known, m, o) != CW_OK ||
        known_pass(ctx, evidence, theta, y, fits, known, NULL, m, &found->a, &found->strength, 1, 1) != CW_OK)
        goto done;
    if (cw_dense_product_watched(&watch, ctx->threads, y, theta, 0, V, 0, 0.0, genes, tfs, tfs) != 0) goto done;
    for (int64_t g = 0; g < genes; g++)
        if (m->own[g] >= 0) y[g * tfs + m->own[g]] = 0.0;
    transpose_slopes(slope, y, genes, tfs, tfs);
done:
    for (int64_t i = 0; fits && i < slots; i++) gene_fit_free(ctx, fits + i);
    void *made_here[] = {fits, all, theta, y, work, W, V, value};
    for (size_t i = 0; i < sizeof made_here / sizeof *made_here; i++) cw_free(ctx, made_here[i]);
    return ctx->status;
}

cw_status cw_ridge_known(cw_ctx *ctx, double *slope, double *evidence, double *best, double *null_gain,
                         cw_known *found, const float *x, const int32_t *tf, const cw_known_edges *known,
                         const cw_known_options *options, int64_t cells, int64_t genes, int64_t tfs)
{
    moments m;
    if (check_ridge(ctx, tf, options->a, options->a_count, cells, genes, tfs) != CW_OK) return ctx->status;
    if (moments_new(ctx, &m, tf, cells, genes, genes, tfs, 0) == CW_OK &&
        moments_fill(ctx, &m, x, tf, NULL, NULL, genes) == CW_OK)
        known_on(ctx, slope, evidence, best, null_gain, found, &m, known, options);
    moments_free(ctx, &m);
    return ctx->status;
}

cw_status cw_ridge_known_sums(cw_ctx *ctx, double *slope, double *evidence, double *best, double *null_gain,
                              cw_known *found, const cw_gram *gram, const cw_known_edges *known,
                              const cw_known_options *options)
{
    moments m;
    int64_t cells = (int64_t)*gram->cells, genes = gram->genes;
    if (check_ridge(ctx, gram->tf, options->a, options->a_count, cells, genes, gram->tfs) != CW_OK) return ctx->status;
    if (moments_new(ctx, &m, gram->tf, cells, genes, genes, gram->tfs, 0) == CW_OK &&
        moments_of(ctx, &m, gram) == CW_OK)
        known_on(ctx, slope, evidence, best, null_gain, found, &m, known, options);
    moments_free(ctx, &m);
    return ctx->status;
}

int64_t cw_ridge_known_bytes(const cw_ctx *ctx, const cw_known_options *options, int64_t genes, int64_t tfs,
                             int64_t most)
{
    int64_t slots = ctx->threads > 1 ? ctx->threads : 1;
    int64_t made = tfs * tfs + genes * tfs + BLOCK * (tfs + genes);
    int64_t here = 5 * tfs * tfs + 2 * genes * tfs + genes * options->a_count * options->strength_count;
    return (int64_t)sizeof(double) * (made + here + slots * (2 * (1 + most) * tfs + most * most + 4 * tfs));
}

/* sd (states, tfs): root of the mean of x_t^2, weighted by the memberships */
static void state_spread(double *sd, const float *x, const int32_t *tf, const float *w, int64_t cells, int64_t genes,
                         int64_t tfs, int64_t states)
{
    for (int64_t k = 0; k < states; k++) {
        double *s = sd + k * tfs, weight = 0.0;
        memset(s, 0, (size_t)tfs * sizeof *s);
        for (int64_t c = 0; c < cells; c++) {
            double a = w[c * states + k];
            weight += a;
            for (int64_t t = 0; a > 0.0 && t < tfs; t++) {
                double v = x[c * genes + tf[t]];
                s[t] += a * v * v;
            }
        }
        for (int64_t t = 0; t < tfs; t++) s[t] = sqrt(s[t] / weight);
    }
}

/* The sum of evidence over the genes of the null, at the positions that moments_new gives them. */
static double total_spread(const double *evidence, int64_t genes, int64_t targets)
{
    double sum = 0.0;
    for (int64_t j = 0; j < targets; j++) sum += evidence[j * genes / targets];
    return sum;
}

/* Gains over `pooled` evidence with the rows of w permuted. */
static cw_status permuted_gains(cw_ctx *ctx, double *gain, double pooled, double a, const float *x, const int32_t *tf,
                                const float *w, const cw_varying_options *o, int64_t cells, int64_t genes,
                                int64_t targets, int64_t tfs, int64_t states)
{
    moments m;
    fit_set f = {0};
    int64_t *order = cw_alloc(ctx, cells, sizeof *order);
    if (moments_new(ctx, &m, tf, cells, genes, targets, tfs, states) == CW_OK &&
        fits_new(ctx, &f, o->rho_count, m.width, targets, states, 0) == CW_OK)
        for (int64_t p = 0; p < o->permutations; p++) {
            cw_rng_permutation(order, cells, cw_rng_stream(o->key, CW_RNG_SHUFFLE, (uint64_t)p, 77));
            if (moments_fill(ctx, &m, x, tf, w, order, genes) != CW_OK ||
                fits_run(ctx, &f, &m, &a, 0, o->rho, 1) != CW_OK)
                break;
            gain[p] = total(f.evidence + fits_best(&f) * targets, targets) - pooled;
            if ((p + 1) * 10 / o->permutations > p * 10 / o->permutations)
                cw_log(ctx, 1, "networks per state: %lld of %lld permutations", (long long)(p + 1),
                       (long long)o->permutations);
        }
    fits_free(ctx, &f);
    moments_free(ctx, &m);
    cw_free(ctx, order);
    return ctx->status;
}

/* slope (states, tfs, genes) = beta + delta_k from theta (genes, tfs (1 + states)), or beta alone */
static void state_slopes(double *slope, const double *pooled, const double *theta, int64_t genes, int64_t tfs,
                         int64_t states)
{
    int64_t width = tfs * (1 + states);
    for (int64_t k = 0; k < states; k++)
        for (int64_t t = 0; t < tfs; t++)
            for (int64_t g = 0; g < genes; g++)
                slope[(k * tfs + t) * genes + g] =
                    theta ? theta[g * width + t] + theta[g * width + (1 + k) * tfs + t] : pooled[t * genes + g];
}

static cw_status check_varying(cw_ctx *ctx, const float *w, const cw_varying_options *o, int64_t cells,
                               int64_t states)
{
    if (states < 1) return cw_fail(ctx, CW_ERR_SHAPE, "ridge: at least one state is needed");
    if (o->permutations < 0 || o->null_genes < 1)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "ridge: %lld permutations over %lld genes", (long long)o->permutations,
                       (long long)o->null_genes);
    for (int64_t i = 0; i < o->rho_count; i++)
        if (!(o->rho[i] > 0.0) || !isfinite(o->rho[i]))
            return cw_fail(ctx, CW_ERR_ARGUMENT, "ridge: rho %g isn't positive", o->rho[i]);
    if (check_weights(ctx, w, cells, states) != CW_OK) return ctx->status;
    for (int64_t c = 0; c < cells; c++) {
        double sum = 0.0;
        for (int64_t k = 0; k < states; k++) sum += w[c * states + k];
        if (fabs(sum - 1.0) > 1e-4)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "memberships: those of cell %lld add up to %g", (long long)c, sum);
    }
    return CW_OK;
}

cw_status cw_ridge_varying(cw_ctx *ctx, double *pooled, double *slope, double *sd, double *null_gain,
                           cw_varying *found, const float *x, const int32_t *tf, const float *w,
                           const cw_varying_options *options, int64_t cells, int64_t genes, int64_t tfs,
                           int64_t states)
{
    const cw_varying_options *o = options;
    if (check_ridge(ctx, tf, o->a, o->a_count, cells, genes, tfs) != CW_OK ||
        check_varying(ctx, w, o, cells, states) != CW_OK)
        return ctx->status;
    moments m;
    fit_set f = {0};
    double *evidence = cw_alloc(ctx, genes, sizeof *evidence);
    int64_t targets = o->null_genes < genes ? o->null_genes : genes;
    state_spread(sd, x, tf, w, cells, genes, tfs, states);
    *found = (cw_varying){0};
    /* one state is the pooled model written twice */
    int varies = states > 1 && o->rho_count > 0;
    if (moments_new(ctx, &m, tf, cells, genes, genes, tfs, varies ? states : 0) != CW_OK ||
        moments_fill(ctx, &m, x, tf, w, NULL, genes) != CW_OK ||
        pooled_on(ctx, pooled, evidence, &found->a, &m, o->a, o->a_count) != CW_OK)
        goto done;
    for (int64_t g = 0; g < genes; g++) found->empty -= m.yy[g] > 0.0 ? 0.5 * (double)cells : 0.0;
    found->evidence = total(evidence, genes);
    if (varies) {
        cw_log(ctx, 1, "networks per state: %lld states, the pooled network done", (long long)states);
        if (fits_new(ctx, &f, o->rho_count, m.width, genes, states, 1) != CW_OK ||
            fits_run(ctx, &f, &m, &found->a, 0, o->rho, 1) != CW_OK)
            goto done;
        int64_t best = fits_best(&f);
        double at_zero = total_spread(evidence, genes, targets);
        found->gain_all = total(f.evidence + best * genes, genes) - found->evidence;
        found->gain = -INFINITY;
        for (int64_t i = 0; i < o->rho_count; i++)
            found->gain = fmax(found->gain, total_spread(f.evidence + i * genes, genes, targets) - at_zero);
        int better = found->gain_all > 0.0;
        if (better) found->rho = o->rho[best], found->evidence += found->gain_all;
        state_slopes(slope, pooled, better ? f.theta + best * genes * m.width : NULL, genes, tfs, states);
        fits_free(ctx, &f);
        moments_free(ctx, &m);
        if (o->permutations > 0)
            permuted_gains(ctx, null_gain, at_zero, found->a, x, tf, w, o, cells, genes, targets, tfs, states);
    } else {
        state_slopes(slope, pooled, NULL, genes, tfs, states);
        for (int64_t p = 0; p < o->permutations; p++) null_gain[p] = 0.0;
    }
done:
    fits_free(ctx, &f);
    moments_free(ctx, &m);
    cw_free(ctx, evidence);
    return ctx->status;
}

int64_t cw_ridge_bytes(const cw_ctx *ctx, int64_t genes, int64_t tfs, int64_t states, int64_t grid)
{
    int64_t width = tfs * (1 + states), wide = grid > 1 ? grid : 1;
    int64_t slots = ctx->threads < wide ? ctx->threads : wide;
    int64_t made = width * width + genes * width + BLOCK * (width + genes);
    int64_t room = 4 * width * width + 2 * genes * width;
    return (int64_t)sizeof(double) * (made + slots * room + wide * genes * width);
}
