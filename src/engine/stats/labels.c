/* labels.c: see labels.h. */
#include "labels.h"

#include "../linalg/dense.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { BLOCK = 512 }; /* cells whose features are made at a time */

static const double least_noise = 0.2; /* s_kg, in units of the variance within labels */

cw_status cw_labels_within(cw_ctx *ctx, float *x, const int32_t *label, int64_t cells, int64_t genes, int64_t labels)
{
    double *mean = cw_calloc(ctx, labels * genes, sizeof *mean), *square = cw_calloc(ctx, genes, sizeof *square);
    int64_t *size = cw_calloc(ctx, labels, sizeof *size);
    for (int64_t c = 0; ctx->status == CW_OK && c < cells; c++) {
        if (label[c] < 0 || label[c] >= labels) {
            cw_fail(ctx, CW_ERR_ARGUMENT, "labels: cell %lld has label %d of %lld", (long long)c, (int)label[c],
                    (long long)labels);
            break;
        }
        size[label[c]]++;
        for (int64_t g = 0; g < genes; g++) mean[label[c] * genes + g] += x[c * genes + g];
        if (c % 64 == 0) cw_poll(ctx);
    }
    for (int64_t i = 0; ctx->status == CW_OK && i < labels * genes; i++) {
        if (size[i / genes] > 0) mean[i] /= (double)size[i / genes];
        if (!isfinite(mean[i]))
            cw_fail(ctx, CW_ERR_NUMERIC, "labels: gene %lld has values that aren't finite", (long long)(i % genes));
    }
    for (int64_t c = 0; ctx->status == CW_OK && c < cells; c++) {
        const double *m = mean + label[c] * genes;
        float *v = x + c * genes;
        for (int64_t g = 0; g < genes; g++) {
            v[g] = (float)(v[g] - m[g]);
            square[g] += (double)v[g] * v[g];
        }
        if (c % 64 == 0) cw_poll(ctx);
    }
    for (int64_t g = 0; ctx->status == CW_OK && g < genes; g++) {
        double sd = sqrt(square[g] / (double)cells);
        square[g] = sd > 1e-7 ? 1.0 / sd : 0.0;
    }
    for (int64_t c = 0; ctx->status == CW_OK && c < cells; c++)
        for (int64_t g = 0; g < genes; g++) x[c * genes + g] = (float)(x[c * genes + g] * square[g]);
    cw_free(ctx, size);
    cw_free(ctx, square);
    cw_free(ctx, mean);
    return ctx->status;
}

/* ---- what a fit works with --------------------------------------------------------------------------------------- */

typedef struct room {
    const float *x;
    const int32_t *tf;
    int64_t genes, tfs;
    int64_t *own;         /* (genes) the TF that a gene is, or -1 */
    char *counts;         /* (genes) is its evidence and held-out variance counted? */
    int64_t *order;       /* (cells) cells by label, those trained on first within it */
    int64_t *first, *cut; /* (labels + 1), (labels) where a label starts, and its first held-out cell, in `order` */
    double *C, *V, *value, *work;     /* F^T F; eigenvectors in rows, eigenvalues */
    double *FY, *turned, *yy, *noise; /* (genes, tfs) Y^T F and in the eigenvectors' coordinates; (genes) */
    double *beta, *delta;             /* (genes, tfs) */
    double *F, *Y;                    /* (BLOCK, tfs), (BLOCK, genes) */
    const cw_gram *train, *held;      /* (labels) sums in place of x, or NULL */
    double *mean, *scale;             /* (labels, genes), (genes) what they are centred and scaled by */
} room;

static void room_free(cw_ctx *ctx, room *r)
{
    void *all[] = {r->counts, r->own,   r->order, r->first, r->cut, r->C, r->V,    r->value, r->work, r->FY,
                   r->turned, r->yy, r->noise, r->beta,  r->delta, r->F, r->Y, r->mean,  r->scale};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) cw_free(ctx, all[i]);
}

static cw_status room_new(cw_ctx *ctx, room *r, int64_t cells, int64_t labels)
{
    int64_t genes = r->genes, tfs = r->tfs;
    r->own = cw_alloc(ctx, genes, sizeof *r->own);
    r->counts = cw_alloc(ctx, genes, 1);
    r->order = cw_alloc(ctx, cells, sizeof *r->order);
    r->first = cw_calloc(ctx, labels + 1, sizeof *r->first);
    r->cut = cw_alloc(ctx, labels, sizeof *r->cut);
    r->C = cw_alloc(ctx, tfs * tfs, sizeof(double));
    r->V = cw_alloc(ctx, tfs * tfs, sizeof(double));
    r->value = cw_alloc(ctx, tfs, sizeof(double));
    r->work = cw_alloc(ctx, cw_dense_eigen_room(tfs), sizeof(double));
    r->FY = cw_alloc(ctx, genes * tfs, sizeof(double));
    r->turned = cw_alloc(ctx, genes * tfs, sizeof(double));
    r->yy = cw_alloc(ctx, genes, sizeof(double));
    r->noise = cw_alloc(ctx, genes, sizeof(double));
    r->beta = cw_alloc(ctx, genes * tfs, sizeof(double));
    r->delta = cw_alloc(ctx, genes * tfs, sizeof(double));
    int64_t block = r->train ? 0 : BLOCK, sums = r->train ? 1 : 0;
    r->F = cw_alloc(ctx, block * tfs, sizeof(double));
    r->Y = cw_alloc(ctx, block * genes, sizeof(double));
    r->mean = cw_calloc(ctx, sums * labels * genes, sizeof(double));
    r->scale = cw_calloc(ctx, sums * genes, sizeof(double));
    return ctx->status;
}

int64_t cw_labels_bytes(int64_t genes, int64_t tfs)
{
    return (int64_t)sizeof(double) * (2 * tfs * tfs + cw_dense_eigen_room(tfs) + 4 * genes * tfs +
                                      BLOCK * (tfs + genes) + 3 * genes);
}

/* Fills own and counts. */
static void mark_tfs(room *r)
{
    for (int64_t g = 0; g < r->genes; g++) r->own[g] = -1;
    for (int64_t t = 0; t < r->tfs; t++) r->own[r->tf[t]] = t;
    for (int64_t g = 0; g < r->genes; g++) r->counts[g] = r->own[g] < 0 || r->tfs == r->genes;
}

/* Fills order, first and cut. */
static void sort_cells(room *r, const int32_t *label, const int32_t *train, int64_t cells, int64_t labels)
{
    for (int64_t c = 0; c < cells; c++) r->first[label[c] + 1]++;
    for (int64_t k = 0; k < labels; k++) r->first[k + 1] += r->first[k];
    memcpy(r->cut, r->first, (size_t)labels * sizeof *r->cut);
    for (int64_t c = 0; c < cells; c++)
        if (!train || train[c]) r->order[r->cut[label[c]]++] = c;
    if (!train) return;
    int64_t *next = r->cut; /* moved on over the held-out cells, then back */
    for (int64_t c = 0; c < cells; c++)
        if (!train[c]) r->order[next[label[c]]++] = c;
    for (int64_t c = 0; c < cells; c++) next[label[c]] -= !train[c];
}

/* Features and values of the cells order[from .. from + n) into F and Y. */
static void gather(room *r, int64_t from, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const float *v = r->x + r->order[from + i] * r->genes;
        for (int64_t t = 0; t < r->tfs; t++) r->F[i * r->tfs + t] = v[r->tf[t]];
        for (int64_t g = 0; g < r->genes; g++) r->Y[i * r->genes + g] = v[g];
    }
}

/* Squares of the first n rows of Y, over the genes that count. */
static double counted_squares(const room *r, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t g = 0; g < r->genes; g++)
            if (r->counts[g]) sum += r->Y[i * r->genes + g] * r->Y[i * r->genes + g];
    return sum;
}

/* Y := Y - F theta^T for the n cells gathered; theta (genes, tfs). Squares are added up in sum, where given. */
static int leave(const cw_watch *w, int threads, room *r, const double *theta, int64_t n, double *sum)
{
    for (int64_t i = 0; i < n * r->tfs; i++) r->F[i] = -r->F[i];
    int failed = cw_dense_product_watched(w, threads, r->Y, r->F, 0, theta, 1, 1.0, n, r->genes, r->tfs);
    for (int64_t i = 0; i < n * r->tfs; i++) r->F[i] = -r->F[i];
    if (!failed && sum) *sum += counted_squares(r, n);
    return failed;
}

/* Adds the moments C, FY, yy of the cells order[from .. to), less what `beta` explains of them where it is given. */
static int add_moments(const cw_watch *w, int threads, room *r, const double *beta, int64_t from, int64_t to)
{
    for (int64_t c = from; c < to; c += BLOCK) {
        int64_t n = to - c < BLOCK ? to - c : BLOCK;
        gather(r, c, n);
        if (beta && leave(w, threads, r, beta, n, NULL)) return -1;
        for (int64_t i = 0; i < n; i++)
            for (int64_t g = 0; g < r->genes; g++) r->yy[g] += r->Y[i * r->genes + g] * r->Y[i * r->genes + g];
        if (cw_dense_product_watched(w, threads, r->C, r->F, 1, r->F, 0, 1.0, r->tfs, r->tfs, n) ||
            cw_dense_product_watched(w, threads, r->FY, r->Y, 1, r->F, 0, 1.0, r->genes, r->tfs, n))
            return -1;
    }
    return 0;
}

static void no_moments(room *r)
{
    memset(r->C, 0, (size_t)(r->tfs * r->tfs) * sizeof *r->C);
    memset(r->FY, 0, (size_t)(r->genes * r->tfs) * sizeof *r->FY);
    memset(r->yy, 0, (size_t)r->genes * sizeof *r->yy);
}

/* ---- the same from sums ------------------------------------------------------------------------------------------ */

/* Fills mean and scale as cw_labels_within has them; a gene whose deviation is rounding counts as constant. */
static void centre_sums(room *r, int64_t labels)
{
    double cells = 0.0;
    for (int64_t k = 0; k < labels; k++) cells += *r->train[k].cells + (r->held ? *r->held[k].cells : 0.0);
    for (int64_t g = 0; g < r->genes; g++) {
        double within = 0.0, largest = 1.0;
        for (int64_t k = 0; k < labels; k++) {
            double n = 0.0, sum = 0.0, square = 0.0;
            for (int h = 0; h < (r->held ? 2 : 1); h++) {
                const cw_gram *m = h ? r->held + k : r->train + k;
                n += *m->cells, sum += m->sum[g], square += m->square[g];
                largest = fmax(largest, fmax(fabs(m->least[g]), fabs(m->most[g])));
            }
            if (n > 0.0) r->mean[k * r->genes + g] = sum / n, within += square - sum * sum / n;
        }
        double sd = sqrt(fmax(0.0, within) / fmax(1.0, cells));
        r->scale[g] = sd > 1e-7 * largest ? 1.0 / sd : 0.0;
    }
}

/* What gene g and TF t have in common over the cells that m sums up, centred on their label's means a and scaled. */
static double shared(const room *r, const cw_gram *m, const double *a, int64_t t, int64_t g)
{
    int64_t of = r->tf[t];
    double raw = m->product[t * r->genes + g] - a[g] * m->sum[of] - a[of] * m->sum[g] + *m->cells * a[of] * a[g];
    return raw * r->scale[g] * r->scale[of];
}

/* Adds the moments C, FY, yy of cells of label k. */
static void add_sums(room *r, const cw_gram *m, int64_t k)
{
    const double *a = r->mean + k * r->genes;
    for (int64_t t = 0; t < r->tfs; t++) {
        for (int64_t u = 0; u < r->tfs; u++) r->C[t * r->tfs + u] += shared(r, m, a, t, r->tf[u]);
        for (int64_t g = 0; g < r->genes; g++) r->FY[g * r->tfs + t] += shared(r, m, a, t, g);
    }
    for (int64_t g = 0; g < r->genes; g++) {
        double raw = m->square[g] - 2.0 * a[g] * m->sum[g] + *m->cells * a[g] * a[g];
        r->yy[g] += fmax(0.0, raw) * r->scale[g] * r->scale[g];
    }
}

/* Takes what theta (genes, tfs) explains out of FY and yy: FY' = FY - theta C, yy' = yy - theta (FY + FY'). */
static int leave_sums(const cw_watch *w, int threads, room *r, const double *theta)
{
    int64_t tfs = r->tfs;
    for (int after = 0; after < 2; after++) {
        for (int64_t g = 0; g < r->genes; g++)
            for (int64_t t = 0; t < tfs; t++) r->yy[g] -= theta[g * tfs + t] * r->FY[g * tfs + t];
        if (after) break;
        for (int64_t i = 0; i < tfs * tfs; i++) r->C[i] = -r->C[i];
        int failed = cw_dense_product_watched(w, threads, r->FY, theta, 0, r->C, 0, 1.0, r->genes, tfs, tfs);
        for (int64_t i = 0; i < tfs * tfs; i++) r->C[i] = -r->C[i];
        if (failed) return -1;
    }
    for (int64_t g = 0; g < r->genes; g++) r->yy[g] = fmax(0.0, r->yy[g]);
    return 0;
}

static double counted_sums(const room *r)
{
    double sum = 0.0;
    for (int64_t g = 0; g < r->genes; g++)
        if (r->counts[g]) sum += r->yy[g];
    return sum;
}

/* ---- the ridge of one set of moments ------------------------------------------------------------------------------ */

/* Posterior mean of one gene at prior variance a (times its noise), in the coordinates of the eigenvectors V of F^T F:
 * h_i = a / (1 + a d_i), theta = h (y - v z), where v is the gene's own feature, if it is a TF, and z what deletes it.
 * Returns the log evidence above that of no slopes. theta may be NULL. */
static double posterior(double *theta, const room *r, int64_t gene, double a, double logdet)
{
    const double *y = r->turned + gene * r->tfs;
    int64_t own = r->own[gene];
    double B = 0.0, z = 0.0, fit = 0.0;
    for (int64_t i = 0; own >= 0 && i < r->tfs; i++) {
        double h = a / (1.0 + a * r->value[i]), v = r->V[i * r->tfs + own];
        B += v * v * h;
        z += v * h * y[i];
    }
    if (own >= 0) z /= B, logdet += log(B / a);
    for (int64_t i = 0; i < r->tfs; i++) {
        double v = own >= 0 ? r->V[i * r->tfs + own] : 0.0;
        double t = a / (1.0 + a * r->value[i]) * (y[i] - v * z);
        fit += t * y[i];
        if (theta) theta[i] = t;
    }
    return 0.5 * fit / r->noise[gene] - 0.5 * logdet;
}

/* slopes (genes, tfs) at the value of the grid, or 0, with the highest evidence. 0, or -1 where the decomposition fails
 * or the watch says stop. */
static int best_ridge(const cw_watch *w, int threads, room *r, double *slopes, double *chosen, double *gain,
                      const double *grid, int64_t n_grid)
{
    int64_t genes = r->genes, tfs = r->tfs;
    *chosen = *gain = 0.0;
    memset(slopes, 0, (size_t)(genes * tfs) * sizeof *slopes);
    memcpy(r->V, r->C, (size_t)(tfs * tfs) * sizeof *r->V);
    if (cw_dense_eigen_watched(w, r->value, r->V, r->work, tfs, 0) != 0) return -1;
    for (int64_t g = 0; g < genes; g++)
        if (r->own[g] >= 0) r->FY[g * tfs + r->own[g]] = 0.0;
    if (cw_dense_product_watched(w, threads, r->turned, r->FY, 0, r->V, 1, 0.0, genes, tfs, tfs)) return -1;
    for (int64_t i = 0; i < tfs; i++) r->value[i] = fmax(r->value[i], 0.0);
    for (int64_t n = 0; n < n_grid; n++) {
        double sum = 0.0, logdet = 0.0;
        for (int64_t i = 0; i < tfs; i++) logdet += log1p(grid[n] * r->value[i]);
        for (int64_t g = 0; g < genes; g++) {
            if (g % 64 == 0 && cw_watch_stop(w)) return -1;
            if (r->counts[g] && r->yy[g] > 0.0) sum += posterior(NULL, r, g, grid[n], logdet);
        }
        if (sum > *gain) *gain = sum, *chosen = grid[n];
    }
    if (*chosen == 0.0) return 0;
    for (int64_t g = 0; g < genes; g++) {
        if (r->yy[g] > 0.0) posterior(r->FY + g * tfs, r, g, *chosen, 0.0);
        else memset(r->FY + g * tfs, 0, (size_t)tfs * sizeof *r->FY);
    }
    if (cw_dense_product_watched(w, threads, slopes, r->FY, 0, r->V, 0, 0.0, genes, tfs, tfs)) return -1;
    for (int64_t g = 0; g < genes; g++)
        if (r->own[g] >= 0) slopes[g * tfs + r->own[g]] = 0.0;
    return 0;
}

/* ---- all labels ---------------------------------------------------------------------------------------------------- */

/* out (tfs, genes) = beta + delta (genes, tfs each; delta may be NULL) */
static void transpose(double *out, const double *beta, const double *delta, int64_t genes, int64_t tfs)
{
    for (int64_t g = 0; g < genes; g++)
        for (int64_t t = 0; t < tfs; t++)
            out[t * genes + g] = beta[g * tfs + t] + (delta ? delta[g * tfs + t] : 0.0);
}

/* Held-out sums of squares of label k: as they are, less the pooled network, less the label's own. */
static int judge(const cw_watch *w, int threads, cw_labels *out, room *r, int64_t k)
{
    out->total[k] = out->rest_pooled[k] = out->rest[k] = 0.0;
    if (r->train) {
        if (!r->held) return 0;
        no_moments(r);
        add_sums(r, r->held + k, k);
        out->total[k] = counted_sums(r);
        if (leave_sums(w, threads, r, r->beta)) return -1;
        out->rest_pooled[k] = counted_sums(r);
        if (leave_sums(w, threads, r, r->delta)) return -1;
        out->rest[k] = counted_sums(r);
        return 0;
    }
    for (int64_t c = r->cut[k]; c < r->first[k + 1]; c += BLOCK) {
        int64_t n = r->first[k + 1] - c < BLOCK ? r->first[k + 1] - c : BLOCK;
        gather(r, c, n);
        out->total[k] += counted_squares(r, n);
        if (leave(w, threads, r, r->beta, n, out->rest_pooled + k) ||
            leave(w, threads, r, r->delta, n, out->rest + k))
            return -1;
    }
    return 0;
}

static int fit_label(const cw_watch *w, int threads, cw_labels *out, room *r, const double *grid, int64_t n_grid,
                     int64_t k)
{
    double cells = r->train ? *r->train[k].cells : (double)(r->cut[k] - r->first[k]);
    no_moments(r);
    if (r->train) add_sums(r, r->train + k, k);
    if (r->train ? leave_sums(w, threads, r, r->beta)
                 : add_moments(w, threads, r, r->beta, r->first[k], r->cut[k]))
        return -1;
    for (int64_t g = 0; g < r->genes; g++) r->noise[g] = fmax(least_noise, cells > 0 ? r->yy[g] / cells : 0.0);
    for (int64_t t = 0; t < r->tfs; t++)
        out->sd[k * r->tfs + t] = cells > 0 ? sqrt(r->C[t * r->tfs + t] / cells) : 0.0;
    if (best_ridge(w, threads, r, r->delta, out->label_a + k, out->label_gain + k, grid, n_grid)) return -1;
    if (out->slope) transpose(out->slope + k * r->tfs * r->genes, r->beta, r->delta, r->genes, r->tfs);
    return judge(w, threads, out, r, k);
}

static cw_status check_labels(cw_ctx *ctx, const int32_t *tf, const double *grid, int64_t n_grid, int64_t cells,
                              int64_t genes, int64_t tfs, int64_t labels)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (cells < 2 || genes < 1 || tfs < 1 || tfs > genes || labels < 1)
        return cw_fail(ctx, CW_ERR_SHAPE, "labels: %lld cells, %lld genes, %lld TFs, %lld labels", (long long)cells,
                       (long long)genes, (long long)tfs, (long long)labels);
    for (int64_t i = 0; i < n_grid; i++)
        if (!(grid[i] > 0.0) || !isfinite(grid[i]))
            return cw_fail(ctx, CW_ERR_ARGUMENT, "labels: prior variance %g isn't positive", grid[i]);
    for (int64_t t = 0; t < tfs; t++)
        if (tf[t] < 0 || tf[t] >= genes)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "labels: TF %lld is column %d of %lld", (long long)t, (int)tf[t],
                           (long long)genes);
    return CW_OK;
}

/* The fit, in a room whose cells are sorted, or that has sums. */
static cw_status fit_all(cw_ctx *ctx, cw_labels *out, room *r, const double *grid, int64_t n_grid, int64_t n_label,
                         int64_t labels)
{
    int stop = 0, threads = ctx->threads, failed = 0;
    const cw_watch watch = {ctx, &stop};
    no_moments(r);
    for (int64_t k = 0; k < labels && !failed; k++) {
        if (r->train) add_sums(r, r->train + k, k);
        failed = r->train ? cw_watch_stop(&watch) : add_moments(&watch, threads, r, NULL, r->first[k], r->cut[k]);
    }
    for (int64_t g = 0; g < r->genes; g++) r->noise[g] = 1.0;
    failed = failed || best_ridge(&watch, threads, r, r->beta, &out->a, &out->gain, grid, n_grid);
    if (!failed) transpose(out->pooled, r->beta, NULL, r->genes, r->tfs);
    for (int64_t k = 0; k < labels && !failed; k++) failed = fit_label(&watch, threads, out, r, grid, n_label, k);
    if (failed && cw_poll(ctx) == CW_OK)
        cw_fail(ctx, CW_ERR_NUMERIC, "labels: the decomposition of %lld features did not succeed", (long long)r->tfs);
    return ctx->status;
}

cw_status cw_labels_fit(cw_ctx *ctx, cw_labels *out, const float *x, const int32_t *tf, const int32_t *label,
                        const int32_t *train, const double *grid, int64_t n_grid, int64_t n_label,
                        int64_t cells, int64_t genes, int64_t tfs, int64_t labels)
{
    if (check_labels(ctx, tf, grid, n_grid, cells, genes, tfs, labels) != CW_OK) return ctx->status;
    for (int64_t c = 0; c < cells; c++)
        if (label[c] < 0 || label[c] >= labels)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "labels: cell %lld has label %d of %lld", (long long)c, (int)label[c],
                           (long long)labels);
    room r = {.x = x, .tf = tf, .genes = genes, .tfs = tfs};
    if (room_new(ctx, &r, cells, labels) == CW_OK) {
        mark_tfs(&r);
        sort_cells(&r, label, train, cells, labels);
        fit_all(ctx, out, &r, grid, n_grid, n_label, labels);
    }
    room_free(ctx, &r);
    return ctx->status;
}

cw_status cw_labels_fit_sums(cw_ctx *ctx, cw_labels *out, const cw_gram *train, const cw_gram *held,
                             const double *grid, int64_t n_grid, int64_t n_label, int64_t labels)
{
    if (ctx->status != CW_OK) return ctx->status;
    double cells = 0.0;
    for (int64_t k = 0; k < labels; k++) {
        cells += *train[k].cells;
        for (int h = 0; h < (held ? 2 : 1); h++) {
            const cw_gram *m = h ? held + k : train + k;
            if (m->genes != train->genes || m->tfs != train->tfs)
                return cw_fail(ctx, CW_ERR_SHAPE, "labels: sums of %lld genes and of %lld", (long long)m->genes,
                               (long long)train->genes);
        }
    }
    if (check_labels(ctx, train->tf, grid, n_grid, (int64_t)cells, train->genes, train->tfs, labels) != CW_OK)
        return ctx->status;
    room r = {.train = train, .held = held, .tf = train->tf, .genes = train->genes, .tfs = train->tfs};
    if (room_new(ctx, &r, 0, labels) == CW_OK) {
        mark_tfs(&r);
        centre_sums(&r, labels);
        fit_all(ctx, out, &r, grid, n_grid, n_label, labels);
    }
    room_free(ctx, &r);
    return ctx->status;
}
