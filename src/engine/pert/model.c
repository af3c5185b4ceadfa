/* model.c: see model.h. */
#include "model.h"

#include "../core/threads.h"
#include "../linalg/dense.h"
#include "../linalg/positive.h"

#include <math.h>
#include <string.h>

enum { ROUNDS = 100 };
static const double attenuations[] = {.7, .8, .9, 1.0}; /* c that are tried where there are pairs */

/* ---- between perturbations --------------------------------------------------------------------------------------- */

/* Products between perturbations for one permutation of the side information, sums over their genes, without c.
 * Perturbation p is row, and in square ones column, at[p]. Where all perturbations are of one gene these are the data's
 * own matrices, of genes; else copies (owned), of perturbations. */
typedef struct level {
    int32_t *at;          /* (perts) */
    int64_t rows;         /* of each matrix: genes or perturbations */
    const double *kernel; /* (rows, rows); NULL: none */
    const double *ff;     /* (directs, directs, rows, rows): F_k[p] . F_l[q] */
    const double *yf;     /* (directs, rows, perts): F_k[q] . Y_p in row at[q], column p */
    const double *tf;     /* the same of T; NULL without scores */
    double *owned[4];
} level;

static void level_free(cw_ctx *ctx, level *v)
{
    cw_free(ctx, v->at);
    for (int i = 0; i < 4; i++) cw_free(ctx, v->owned[i]);
}

/* out[p, q] = sum_{i in p, j in q} M[perm i, perm j], M (genes, genes) */
static void sum_both(double *out, const double *M, const cw_pert_data *d, const int32_t *perm, int threads)
{
    (void)threads;
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
#endif
    for (int64_t p = 0; p < d->perts; p++)
        for (int64_t q = 0; q < d->perts; q++) {
            double sum = 0.0;
            for (int32_t i = d->start[p]; i < d->start[p + 1]; i++) {
                int32_t a = d->member[i];
                const double *row = M + (int64_t)(perm ? perm[a] : a) * d->genes;
                for (int32_t j = d->start[q]; j < d->start[q + 1]; j++) {
                    int32_t b = d->member[j];
                    sum += row[perm ? perm[b] : b];
                }
            }
            out[p * d->perts + q] = sum;
        }
}

/* out (n) = sum_{j in q} M[perm j], M (genes, n) */
static void sum_rows(double *out, const double *M, const cw_pert_data *d, const int32_t *perm, int64_t q, int64_t n)
{
    memset(out, 0, (size_t)n * sizeof *out);
    for (int32_t j = d->start[q]; j < d->start[q + 1]; j++) {
        const double *row = M + (int64_t)(perm ? perm[d->member[j]] : d->member[j]) * n;
        for (int64_t i = 0; i < n; i++) out[i] += row[i];
    }
}

/* The same: of one gene in M itself, else in room (n). */
static const double *row_of(double *room, const double *M, const cw_pert_data *d, const int32_t *perm, int64_t q,
                            int64_t n)
{
    int32_t first = d->member[d->start[q]];
    if (d->start[q + 1] - d->start[q] == 1) return M + (int64_t)(perm ? perm[first] : first) * n;
    sum_rows(room, M, d, perm, q, n);
    return room;
}

static int is_set(const cw_pert_data *d, int64_t p) { return d->start[p + 1] - d->start[p] > 1; }
static double factor_of(const cw_pert_data *d, int64_t p, double c) { return is_set(d, p) ? c : 1.0; }
static double size_of(const cw_pert_data *d, int64_t p) { return (double)(d->start[p + 1] - d->start[p]); }

/* Genes of both p and q. */
static double common_of(const cw_pert_data *d, int64_t p, int64_t q)
{
    int common = 0;
    for (int32_t i = d->start[p]; i < d->start[p + 1]; i++)
        for (int32_t j = d->start[q]; j < d->start[q + 1]; j++) common += d->member[i] == d->member[j];
    return common;
}

/* The level of sets of genes: sums over their genes. */
static int level_sums(cw_ctx *ctx, level *v, const cw_pert_data *d, const int32_t *perm, int64_t K)
{
    int64_t P = d->perts, N = d->genes;
    double *kernel = d->kernel ? cw_alloc(ctx, P * P, sizeof *kernel) : NULL;
    double *ff = cw_alloc(ctx, K * K * P * P, sizeof *ff), *yf = cw_alloc(ctx, K * P * P, sizeof *yf);
    double *tf = d->td ? cw_alloc(ctx, K * P * P, sizeof *tf) : NULL;
    v->owned[0] = kernel, v->owned[1] = ff, v->owned[2] = yf, v->owned[3] = tf;
    v->rows = P, v->kernel = kernel, v->ff = ff, v->yf = yf, v->tf = tf;
    if (ctx->status != CW_OK) return -1;
    for (int64_t p = 0; p < P; p++) v->at[p] = (int32_t)p;
    if (kernel) sum_both(kernel, d->kernel, d, perm, ctx->threads);
    for (int64_t k = 0; k < K; k++) {
        for (int64_t l = 0; l < K; l++)
            sum_both(ff + (k * K + l) * P * P, d->dd + (k * K + l) * N * N, d, perm, ctx->threads);
        for (int64_t q = 0; q < P; q++) {
            sum_rows(yf + (k * P + q) * P, d->yd + k * N * P, d, perm, q, P);
            if (tf) sum_rows(tf + (k * P + q) * P, d->td + k * N * P, d, perm, q, P);
        }
    }
    return 0;
}

static int level_new(cw_ctx *ctx, level *v, const cw_pert_data *d, const int32_t *perm, int directs)
{
    int64_t sets = 0;
    *v = (level){.at = cw_alloc(ctx, d->perts, sizeof(int32_t))};
    if (!v->at) return -1;
    for (int64_t p = 0; p < d->perts; p++) sets += is_set(d, p);
    if (sets) return level_sums(ctx, v, d, perm, directs ? d->directs : 0);
    for (int64_t p = 0; p < d->perts; p++) {
        int32_t gene = d->member[d->start[p]];
        v->at[p] = perm ? perm[gene] : gene;
    }
    v->rows = d->genes, v->kernel = d->kernel, v->ff = d->dd, v->yf = d->yd, v->tf = d->td;
    return 0;
}

/* Prior covariance of perturbations p and q by one part, its weight 1. */
static double part_of(const cw_pert_data *d, const level *v, int part, double c, int64_t p, int64_t q)
{
    double cc = factor_of(d, p, c) * factor_of(d, q, c);
    switch (part) {
    case CW_PERT_MEAN: return cc * size_of(d, p) * size_of(d, q);
    case CW_PERT_KERNEL: return v->kernel ? cc * v->kernel[v->at[p] * v->rows + v->at[q]] : 0.0;
    case CW_PERT_OWN: return cc * common_of(d, p, q);
    default: return p == q && is_set(d, p) ? 1.0 : 0.0;
    }
}

/* out (n) = prior covariance of p with each of q */
static void prior_row(double *out, const cw_pert_data *d, const level *v, const cw_pert_fit *f, int64_t p,
                      const int32_t *q, int64_t n)
{
    const double *kernel = v->kernel ? v->kernel + v->at[p] * v->rows : NULL;
    double mean = f->theta[CW_PERT_MEAN] * size_of(d, p);
    for (int64_t j = 0; j < n; j++) {
        double like = kernel ? f->theta[CW_PERT_KERNEL] * kernel[v->at[q[j]]] : 0.0;
        double sum = mean * size_of(d, q[j]) + like + f->theta[CW_PERT_OWN] * common_of(d, p, q[j]);
        out[j] = factor_of(d, p, f->c) * factor_of(d, q[j], f->c) * sum;
        if (p == q[j] && is_set(d, p)) out[j] += f->theta[CW_PERT_PAIR];
    }
}

static double noise_of(const cw_pert_data *d, int64_t p, int64_t q)
{
    return (p == q ? 1.0 / fmax(d->cells[p], 1.0) : 0.0) + (d->controls > 0.0 ? 1.0 / d->controls : 0.0);
}

/* ---- direct profiles --------------------------------------------------------------------------------------------- */

/* A alpha = b of order k <= CW_PERT_DIRECTS, 1e-6 of the trace added; alpha = 0 where A is 0. */
static void small_solve(double *alpha, const double *A, const double *b, int64_t k)
{
    double L[CW_PERT_DIRECTS * CW_PERT_DIRECTS], trace = 0.0;
    memcpy(L, A, (size_t)(k * k) * sizeof *L);
    for (int64_t a = 0; a < k; a++) trace += A[a * k + a];
    for (int64_t a = 0; a < k; a++) L[a * k + a] += 1e-6 * trace, alpha[a] = b[a];
    if (!(trace > 0.0) || cw_dense_cholesky(L, k) != 0) {
        memset(alpha, 0, (size_t)k * sizeof *alpha);
        return;
    }
    cw_dense_solve(alpha, L, k);
}

/* out (n) += the sums of the columns `at` of four rows, out[a] .. those of the rows; the sum of all. Four, for the sum of
 * one waits for itself. */
static double add_four(double *out, const double *const row[4], int64_t a, const int32_t *at, int64_t n)
{
    const double *r0 = row[0], *r1 = row[1], *r2 = row[2], *r3 = row[3];
    double s0 = 0.0, s1 = 0.0, s2 = 0.0, s3 = 0.0;
    for (int64_t b = 0; b < n; b++) {
        double x0 = r0[at[b]], x1 = r1[at[b]], x2 = r2[at[b]], x3 = r3[at[b]];
        s0 += x0, s1 += x1, s2 += x2, s3 += x3;
        out[b] += (x0 + x1) + (x2 + x3);
    }
    out[a] += s0, out[a + 1] += s1, out[a + 2] += s2, out[a + 3] += s3;
    return (s0 + s1) + (s2 + s3);
}

static double add_one(double *out, const double *row, int64_t a, const int32_t *at, int64_t n)
{
    double sum = 0.0;
    for (int64_t b = 0; b < n; b++) sum += row[at[b]], out[b] += row[at[b]];
    out[a] += sum;
    return sum;
}

/* Whose rows are summed: of M (wide, wide), or made one after the other. */
typedef struct row_source {
    const double *M;
    int64_t wide;
    void (*make)(double *row, const void *of, int64_t a);
    const void *of;
} row_source;

/* out (n): (row_p - mean of rows) . (column_p - mean of columns) w_p, of the products of rows and columns `at`. room (5,
 * n). */
static void centred(double *out, const row_source *from, const int32_t *at, const double *w, int64_t n, double *room)
{
    double all = 0.0, *diagonal = room + 4 * n;
    memset(out, 0, (size_t)n * sizeof *out);
    for (int64_t a = 0; a < n; a += 4) {
        const double *row[4] = {NULL};
        int64_t many = n - a < 4 ? n - a : 4;
        for (int64_t j = 0; j < many; j++) {
            row[j] = from->M ? from->M + (int64_t)at[a + j] * from->wide : room + j * n;
            if (!from->M) from->make(room + j * n, from->of, a + j);
            diagonal[a + j] = row[j][at[a + j]];
        }
        if (many == 4) all += add_four(out, row, a, at, n);
        else
            for (int64_t j = 0; j < many; j++) all += add_one(out, row[j], a + j, at, n);
    }
    for (int64_t a = 0; a < n; a++) out[a] = w[a] * (all / (double)(n * n) - out[a] / (double)n + diagonal[a]);
}

/* The products of a fit's own perturbations, their own readings filled: yy (n, n);
 * fill: what stands in for the own reading of each of `member`. all (n): 0, 1, ..; at (n): rows of the level. Where all
 * are of one gene, `single`, gene (n) is that and with (n) its fill. */
typedef struct filled {
    double *yy, *fill, *with;
    int32_t *all, *at, *gene;
    int single;
} filled;

/* fill (members): mean of the gene over the perturbations of train that aren't of it, 0 where there are none or it is no
 * readout. sum, owners (genes): working memory. */
static void fill_means(double *fill, double *sum, double *owners, const cw_pert_data *d, const int32_t *train,
                       int64_t n)
{
    int64_t N = d->genes;
    memset(sum, 0, (size_t)N * sizeof *sum), memset(owners, 0, (size_t)N * sizeof *owners);
    memset(fill, 0, (size_t)d->start[d->perts] * sizeof *fill);
    for (int64_t a = 0; a < n; a++) {
        for (int64_t g = 0; g < N; g++) sum[g] += d->own_y[train[a] * N + g];
        for (int32_t o = d->start[train[a]]; o < d->start[train[a] + 1]; o++) owners[d->member[o]] += 1.0;
    }
    for (int64_t a = 0; a < n; a++)
        for (int32_t o = d->start[train[a]]; o < d->start[train[a] + 1]; o++) {
            double others = (double)n - owners[d->member[o]], s = sum[d->member[o]];
            if (others > 0.0 && s == s) fill[o] = s / others;
        }
}

/* sum over the own readings of p that are filled of fill times x, x (genes) */
static double fill_along(const cw_pert_data *d, const double *fill, int64_t p, const double *x)
{
    double sum = 0.0;
    for (int32_t o = d->start[p]; o < d->start[p + 1]; o++)
        if (fill[o] != 0.0) sum += fill[o] * x[d->member[o]];
    return sum;
}

/* out (n) += of every train[a] what fill_along() is with x */
static void fill_row(double *out, const filled *w, const cw_pert_data *d, const int32_t *train, int64_t n,
                     const double *x)
{
    if (!w->single)
        for (int64_t a = 0; a < n; a++) out[a] += fill_along(d, w->fill, train[a], x);
    else
        for (int64_t a = 0; a < n; a++) out[a] += w->with[a] != 0.0 ? w->with[a] * x[w->gene[a]] : 0.0;
}

/* A (n, n) += scale (B + B^T), by tiles, for columns of B are far apart. */
static void add_both(double *A, double scale, const double *B, int64_t n)
{
    enum { TILE = 32 };
    for (int64_t i0 = 0; i0 < n; i0 += TILE)
        for (int64_t j0 = 0; j0 < n; j0 += TILE) {
            int64_t i1 = i0 + TILE < n ? i0 + TILE : n, j1 = j0 + TILE < n ? j0 + TILE : n;
            for (int64_t i = i0; i < i1; i++)
                for (int64_t j = j0; j < j1; j++) A[i * n + j] += scale * (B[i * n + j] + B[j * n + i]);
        }
}

/* Fills w. room: 2 genes + n n. */
static void fill_products(filled *w, const cw_pert_data *d, const level *v, const int32_t *train, int64_t n,
                          double *room)
{
    int64_t P = d->perts, N = d->genes;
    double *f = room, *cross = room + 2 * N;
    fill_means(w->fill, room, room + N, d, train, n);
    w->single = 1;
    for (int64_t b = 0; b < n; b++) {
        int32_t first = d->start[train[b]];
        w->all[b] = (int32_t)b, w->at[b] = v->at[train[b]];
        w->gene[b] = d->member[first], w->with[b] = w->fill[first], w->single &= !is_set(d, train[b]);
    }
    memset(f, 0, (size_t)N * sizeof *f), memset(cross, 0, (size_t)(n * n) * sizeof *cross);
    for (int64_t b = 0; b < n; b++) {
        double *yy = w->yy + b * n;
        fill_row(cross + b * n, w, d, train, n, d->own_y + train[b] * N);
        for (int64_t a = 0; a < n; a++) yy[a] = d->yy[train[b] * P + train[a]];
        for (int32_t o = d->start[train[b]]; o < d->start[train[b] + 1]; o++) f[d->member[o]] = w->fill[o];
        fill_row(yy, w, d, train, n, f); /* genes that both are of */
        for (int32_t o = d->start[train[b]]; o < d->start[train[b] + 1]; o++) f[d->member[o]] = 0.0;
    }
    add_both(w->yy, 1.0, cross, n);
}

/* Rows of the products of a direct profile with a fit's effects, own readings filled. x (genes): working memory. */
typedef struct direct_rows {
    const filled *own;
    const cw_pert_data *d;
    const level *v;
    const int32_t *perm, *train;
    int64_t n, k;
    double *x;
} direct_rows;

/* row (n) = F_k[train b] . Y_a */
static void direct_row(double *row, const void *of, int64_t b)
{
    const direct_rows *r = of;
    const cw_pert_data *d = r->d;
    int64_t N = d->genes, P = d->perts;
    const double *from = r->v->yf + (r->k * r->v->rows + r->own->at[b]) * P;
    for (int64_t a = 0; a < r->n; a++) row[a] = from[r->train[a]];
    fill_row(row, r->own, d, r->train, r->n, row_of(r->x, d->own_d + r->k * N * N, d, r->perm, r->train[b], N));
}

/* room: (6 + K + K K) n + genes */
static void direct_coefficients(double *alpha, const cw_pert_data *d, const level *v, const filled *own,
                                const int32_t *perm, const int32_t *train, int64_t n, double *room)
{
    int64_t K = d->directs, R = v->rows;
    double *w = room, *b = w + n, *A = b + K * n, *rest = A + K * K * n, mean = 0.0;
    double At[CW_PERT_DIRECTS * CW_PERT_DIRECTS] = {0}, bt[CW_PERT_DIRECTS] = {0};
    double sum[CW_PERT_DIRECTS] = {0}, square[CW_PERT_DIRECTS] = {0};
    for (int64_t a = 0; a < n; a++) mean += fmax(d->cells[train[a]], 1.0) / (double)n;
    for (int64_t a = 0; a < n; a++) w[a] = fmax(d->cells[train[a]], 1.0) / mean;
    for (int64_t k = 0; k < K; k++) {
        const direct_rows rows = {own, d, v, perm, train, n, k, rest + 5 * n};
        centred(b + k * n, &(row_source){.make = direct_row, .of = &rows}, own->all, w, n, rest);
        for (int64_t l = 0; l <= k; l++) { /* the sums are the same either way round */
            centred(A + (k * K + l) * n, &(row_source){.M = v->ff + (k * K + l) * R * R, .wide = R}, own->at, w, n, rest);
            memcpy(A + (l * K + k) * n, A + (k * K + l) * n, (size_t)n * sizeof *A);
        }
    }
    for (int64_t a = 0; a < n; a++) {
        for (int64_t k = 0; k < K; k++) bt[k] += b[k * n + a];
        for (int64_t k = 0; k < K * K; k++) At[k] += A[k * n + a];
    }
    small_solve(alpha, At, bt, K);
    for (int64_t a = 0; a < n; a++) { /* the jackknife */
        double Aj[CW_PERT_DIRECTS * CW_PERT_DIRECTS], bj[CW_PERT_DIRECTS], one[CW_PERT_DIRECTS];
        for (int64_t k = 0; k < K; k++) bj[k] = bt[k] - b[k * n + a];
        for (int64_t k = 0; k < K * K; k++) Aj[k] = At[k] - A[k * n + a];
        small_solve(one, Aj, bj, K);
        for (int64_t k = 0; k < K; k++) {
            double off = one[k] - alpha[k]; /* about the full solution: less rounding */
            sum[k] += off, square[k] += off * off;
        }
    }
    for (int64_t k = 0; k < K; k++) {
        double var = (double)(n - 1) / (double)n * (square[k] - sum[k] * sum[k] / (double)n);
        alpha[k] *= fmax(0.0, 1.0 - var / fmax(alpha[k] * alpha[k], 1e-12));
    }
}

/* own->yy := (Y_p - direct_p) . (Y_q - direct_q), the direct part without c as it is fitted. room: n n + n + genes */
static void residual_products(filled *own, const cw_pert_data *d, const level *v, const double *alpha,
                              const int32_t *perm, const int32_t *train, int64_t n, double *room)
{
    int64_t K = d->directs, R = v->rows;
    double *S = own->yy, *along = room, *one = along + n * n;
    int any = 0;
    for (int64_t k = 0; k < K; k++) any |= alpha[k] != 0.0;
    if (!any) return;
    memset(along, 0, (size_t)(n * n) * sizeof *along);
    for (int64_t k = 0; k < K; k++) {
        const direct_rows rows = {own, d, v, perm, train, n, k, one + n};
        for (int64_t b = 0; alpha[k] != 0.0 && b < n; b++) {
            direct_row(one, &rows, b);
            for (int64_t a = 0; a < n; a++) along[b * n + a] += alpha[k] * one[a];
        }
    }
    for (int64_t k = 0; k < K; k++)
        for (int64_t l = 0; l < K; l++) {
            if (alpha[k] == 0.0 || alpha[l] == 0.0) continue;
            for (int64_t a = 0; a < n; a++) {
                const double *row = v->ff + ((k * K + l) * R + own->at[a]) * R;
                for (int64_t b = 0; b < n; b++) S[a * n + b] += alpha[k] * alpha[l] * row[own->at[b]];
            }
        }
    add_both(S, -1.0, along, n);
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

/* Room of the weights' fit: S, the parts, C, its inverse, and one more. */
static int64_t weights_room(int64_t m) { return (4 + CW_PERT_PARTS) * m * m; }

/* Trace of A B, both symmetric. */
static double trace_product(const double *A, const double *B, int64_t n)
{
    double sum[8] = {0.0}; /* one alone waits for itself */
    int64_t i = 0;
    for (; i + 8 <= n * n; i += 8)
        for (int j = 0; j < 8; j++) sum[j] += A[i + j] * B[i + j];
    for (; i < n * n; i++) sum[0] += A[i] * B[i];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

/* C = noise + sum theta V over the m perturbations, its lower factor in place; above the diagonal C isn't told. */
static int covariance(double *C, const cw_pert_data *d, const int32_t *row, int64_t m, const double *V,
                      const double *theta)
{
    for (int64_t i = 0; i < m; i++) {
        for (int64_t j = 0; j <= i; j++) C[i * m + j] = noise_of(d, row[i], row[j]);
        for (int k = 0; k < CW_PERT_PARTS; k++) {
            const double *part = V + (k * m + i) * m;
            for (int64_t j = 0; theta[k] > 0.0 && j <= i; j++) C[i * m + j] += theta[k] * part[j];
        }
    }
    return cw_positive_factor(C, m);
}

/* Minorise-maximise from equal shares. The rows are those of S (m, m). Sets theta, loglik, rounds; -1: C
 * broke down, or the watch says stop, which the context then knows. */
static int fit_weights(cw_pert_fit *f, const cw_watch *watch, const cw_pert_data *d, const level *v,
                       const int32_t *row, int64_t m, double *room)
{
    double *S = room, *V = S + m * m, *C = V + CW_PERT_PARTS * m * m, *inverse = C + m * m, *A = inverse + m * m;
    double size[CW_PERT_PARTS] = {0}, trace_s = 0.0, trace_n = 0.0;
    int parts = 0;
    for (int k = 0; k < CW_PERT_PARTS; k++) {
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < m; j++) V[(k * m + i) * m + j] = part_of(d, v, k, f->c, row[i], row[j]);
        for (int64_t i = 0; i < m; i++) size[k] += V[(k * m + i) * m + i] / (double)m;
        parts += size[k] > 0.0;
    }
    for (int64_t i = 0; i < m; i++) trace_s += S[i * m + i], trace_n += noise_of(d, row[i], row[i]);
    double scale = fmax((trace_s - trace_n) / (double)m, 1e-3 * trace_n / (double)m);
    for (int k = 0; k < CW_PERT_PARTS; k++)
        f->theta[k] = size[k] > 0.0 ? scale / parts / fmax(size[k], 1e-9) : 0.0;
    for (f->rounds = 0; f->rounds < ROUNDS; f->rounds++) {
        if (cw_watch_stop(watch) || covariance(C, d, row, m, V, f->theta) != 0) return -1;
        cw_positive_inverse(inverse, C, m);
        cw_dense_product(1, C, inverse, 0, S, 0, 0.0, m, m, m);
        cw_dense_product(1, A, C, 0, inverse, 0, 0.0, m, m, m);
        double change = 0.0, total = 0.0;
        for (int k = 0; k < CW_PERT_PARTS; k++) {
            if (!(f->theta[k] > 0.0)) continue;
            double up = fmax(trace_product(A, V + k * m * m, m), 0.0);
            double down = fmax(trace_product(inverse, V + k * m * m, m), 1e-12);
            double next = f->theta[k] * sqrt(up / down);
            change = fmax(change, fabs(next - f->theta[k]) * size[k]);
            total += next * size[k];
            f->theta[k] = next;
        }
        if (change < 1e-3 * total) break;
    }
    if (covariance(C, d, row, m, V, f->theta) != 0) return -1;
    cw_positive_inverse(inverse, C, m);
    f->loglik = -.5 * (cw_positive_logdet(C, m) + trace_product(inverse, S, m));
    double all = 0.0;
    for (int k = 0; k < CW_PERT_PARTS; k++) all += f->theta[k] * size[k];
    for (int k = 0; k < CW_PERT_PARTS; k++) f->share[k] = all > 0.0 ? f->theta[k] * size[k] / all : 0.0;
    return 0;
}

/* Working memory of fit_level beside `filled`. */
static int64_t fit_room(const cw_pert_data *d, int64_t n)
{
    int64_t m = n < CW_PERT_WEIGHTED ? n : CW_PERT_WEIGHTED, K = d->directs, fill = 2 * d->genes + n * n;
    int64_t direct = (6 + K + K * K) * n + d->genes, weights = weights_room(m);
    int64_t most = direct > weights ? direct : weights;
    return most > fill + n ? most : fill + n; /* residual_products has no more than n beside fill's */
}

static int filled_new(cw_ctx *ctx, filled *w, const cw_pert_data *d, int64_t n)
{
    *w = (filled){.yy = cw_alloc(ctx, n * n, sizeof(double)),
                  .fill = cw_alloc(ctx, d->start[d->perts], sizeof(double)),
                  .with = cw_alloc(ctx, n, sizeof(double)),
                  .all = cw_alloc(ctx, n, sizeof(int32_t)),
                  .at = cw_alloc(ctx, n, sizeof(int32_t)),
                  .gene = cw_alloc(ctx, n, sizeof(int32_t))};
    return ctx->status == CW_OK ? 0 : -1;
}

static void filled_free(cw_ctx *ctx, filled *w)
{
    cw_free(ctx, w->yy), cw_free(ctx, w->fill), cw_free(ctx, w->with), cw_free(ctx, w->all);
    cw_free(ctx, w->at), cw_free(ctx, w->gene);
}

/* Afterwards own->yy are products of what the direct part leaves. room: fit_room(n) doubles. -1: broke down. */
static int fit_level(cw_pert_fit *f, filled *own, const cw_watch *watch, const cw_pert_data *d, const level *v,
                     const int32_t *perm, const int32_t *train, int64_t n, double *room)
{
    int32_t row[CW_PERT_WEIGHTED];
    int64_t m = n < CW_PERT_WEIGHTED ? n : CW_PERT_WEIGHTED;
    int any = 0;
    memset(f, 0, sizeof *f);
    fill_products(own, d, v, train, n, room);
    if (d->directs > 0) direct_coefficients(f->alpha, d, v, own, perm, train, n, room);
    residual_products(own, d, v, f->alpha, perm, train, n, room);
    for (int64_t i = 0; i < m; i++) row[i] = train[i * n / m], any |= is_set(d, row[i]);
    cw_pert_fit best = {.loglik = -INFINITY};
    for (int t = any ? 0 : 3; t < 4; t++) {
        f->c = attenuations[t];
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < m; j++)
                room[i * m + j] = own->yy[i * n / m * n + j * n / m] / (double)d->readouts;
        if (fit_weights(f, watch, d, v, row, m, room) != 0) return -1;
        if (f->loglik > best.loglik) best = *f;
    }
    *f = best;
    return best.loglik > -INFINITY ? 0 : -1;
}

static cw_status broke_down(cw_ctx *ctx)
{
    return cw_fail(ctx, CW_ERR_NUMERIC, "the covariance of the perturbations is not positive definite: values that are "
                   "not finite, or a kernel that is none");
}

cw_status cw_pert_fit_model(cw_ctx *ctx, cw_pert_fit *fit, const cw_pert_data *data, const int32_t *train, int64_t n,
                            const int32_t *perm)
{
    level v = {0};
    filled own = {0};
    int stop = 0;
    const cw_watch watch = cw_watch_here(ctx, &stop);
    if (n < 2) return cw_fail(ctx, CW_ERR_ARGUMENT, "%lld perturbations; two are needed", (long long)n);
    double *room = cw_alloc(ctx, fit_room(data, n), sizeof *room);
    if (room && level_new(ctx, &v, data, perm, 1) == 0 && filled_new(ctx, &own, data, n) == 0 &&
        fit_level(fit, &own, &watch, data, &v, perm, train, n, room) != 0)
        broke_down(ctx);
    level_free(ctx, &v);
    filled_free(ctx, &own);
    cw_free(ctx, room);
    return ctx->status;
}

/* ---- prediction -------------------------------------------------------------------------------------------------- */

/* weight (m, n) = Q_tn C^-1; C (n, n) is working memory. */
static int weights_of(double *weight, double *C, const cw_pert_data *d, const level *v, const cw_pert_fit *f,
                      const int32_t *train, int64_t n, const int32_t *test, int64_t m)
{
    for (int64_t i = 0; i < n; i++) {
        prior_row(C + i * n, d, v, f, train[i], train, i + 1);
        for (int64_t j = 0; j <= i; j++) C[i * n + j] += noise_of(d, train[i], train[j]);
    }
    if (cw_positive_factor(C, n) != 0) return -1;
    for (int64_t t = 0; t < m; t++) prior_row(weight + t * n, d, v, f, test[t], train, n);
    cw_positive_solve(weight, C, m, n);
    return 0;
}

/* Prior variance of p less what the weights (n) of train take away. room (n) */
static double variance_of(const cw_pert_data *d, const level *v, const cw_pert_fit *f, const double *weight,
                          const int32_t *train, int64_t n, int32_t p, double *room)
{
    double variance;
    prior_row(&variance, d, v, f, p, &p, 1);
    prior_row(room, d, v, f, p, train, n);
    for (int64_t j = 0; j < n; j++) variance -= weight[j] * room[j];
    return fmax(variance, 0.0);
}

cw_status cw_pert_predict(cw_ctx *ctx, double *weight, double *variance, const cw_pert_data *data,
                          const cw_pert_fit *fit, const int32_t *train, int64_t n, const int32_t *test, int64_t m)
{
    level v = {0};
    double *C = cw_alloc(ctx, n * n, sizeof *C);
    if (C && level_new(ctx, &v, data, NULL, 0) == 0) {
        if (weights_of(weight, C, data, &v, fit, train, n, test, m) != 0) broke_down(ctx);
        for (int64_t t = 0; t < m; t++)
            variance[t] = variance_of(data, &v, fit, weight + t * n, train, n, test[t], C);
    }
    level_free(ctx, &v);
    cw_free(ctx, C);
    return ctx->status;
}

/* ---- cross-validation -------------------------------------------------------------------------------------------- */

/* Y_q at the readout that is gene g, filled. */
static double reading_of(const cw_pert_data *d, const double *fill, int64_t q, int64_t g)
{
    for (int32_t o = d->start[q]; o < d->start[q + 1]; o++)
        if (d->member[o] == g) return fill[o];
    return d->own_y[q * d->genes + g];
}

/* Squared error of perturbation p at the readouts that are its own genes, which do not count. */
static double own_error(const cw_pert_data *d, const cw_pert_fit *f, const double *fill, const double *weight,
                        const int32_t *train, int64_t n, int64_t p, const int32_t *perm)
{
    int64_t N = d->genes, K = d->directs;
    double error = 0.0;
    for (int32_t o = d->start[p]; o < d->start[p + 1]; o++) {
        int64_t g = d->member[o];
        if (!(d->own_t[p * N + g] == d->own_t[p * N + g])) continue; /* NaN: not a readout */
        double off = d->own_t[p * N + g];
        for (int64_t a = -1; a < n; a++) { /* -1: the direct part of p itself */
            int64_t q = a < 0 ? p : train[a];
            double direct = 0.0;
            for (int64_t k = 0; k < K; k++)
                for (int32_t j = d->start[q]; f->alpha[k] != 0.0 && j < d->start[q + 1]; j++) {
                    int64_t i = perm ? perm[d->member[j]] : d->member[j];
                    direct += f->alpha[k] * d->own_d[(k * N + i) * N + g];
                }
            off -= a < 0 ? factor_of(d, p, f->c) * direct : weight[a] * (reading_of(d, fill, q, g) - direct);
        }
        error += off * off;
    }
    return error;
}

/* |T_p - prediction|^2 over all readouts; quadratic: weight S weight of it. profile (genes): working memory. */
static double squared_error(const cw_pert_data *d, const level *v, const cw_pert_fit *f, const double *fill,
                            const double *weight, double quadratic, const int32_t *train, int64_t n, int64_t p,
                            const int32_t *perm, double *profile)
{
    int64_t K = d->directs, P = d->perts, N = d->genes, R = v->rows, row = v->at[p];
    double c = factor_of(d, p, f->c), cross = 0.0, direct = 0.0, both = 0.0, length = 0.0;
    for (int64_t a = 0; a < n; a++)
        cross += weight[a] * (d->ty[p * P + train[a]] + fill_along(d, fill, train[a], d->own_t + p * N));
    for (int64_t k = 0; k < K; k++) {
        if (f->alpha[k] == 0.0) continue;
        sum_rows(profile, d->own_d + k * N * N, d, perm, p, N);
        for (int64_t a = 0; a < n; a++) {
            int64_t q = train[a];
            double h = v->yf[(k * R + row) * P + q] + fill_along(d, fill, q, profile);
            for (int64_t l = 0; l < K; l++) h -= f->alpha[l] * v->ff[((k * K + l) * R + row) * R + v->at[q]];
            cross -= weight[a] * f->alpha[k] * v->tf[(k * R + v->at[q]) * P + p];
            both += weight[a] * c * f->alpha[k] * h;
        }
        direct += c * f->alpha[k] * v->tf[(k * R + row) * P + p];
        for (int64_t l = 0; l < K; l++)
            length += c * c * f->alpha[k] * f->alpha[l] * v->ff[((k * K + l) * R + row) * R + row];
    }
    return d->tt[p] - 2.0 * (cross + direct) + quadratic + 2.0 * both + length;
}

/* What a fold needs while it is worked on. */
typedef struct fold_room {
    filled own;
    double *room, *weight, *product, *profile;
} fold_room;

static void room_free(cw_ctx *ctx, fold_room *r)
{
    filled_free(ctx, &r->own);
    double *all[] = {r->room, r->weight, r->product, r->profile};
    for (int i = 0; i < 4; i++) cw_free(ctx, all[i]);
}

/* For folds of at most n and m perturbations. */
static int room_new(cw_ctx *ctx, fold_room *r, const cw_pert_data *d, int64_t n, int64_t m)
{
    int64_t working = n * n > fit_room(d, n) ? n * n : fit_room(d, n);
    *r = (fold_room){.room = cw_alloc(ctx, working, sizeof(double)),
                     .weight = cw_alloc(ctx, m * n, sizeof(double)),
                     .product = cw_alloc(ctx, m * n, sizeof(double)),
                     .profile = cw_alloc(ctx, d->genes, sizeof(double))};
    return filled_new(ctx, &r->own, d, n);
}

/* -1: broke down, or the watch says stop. */
static int one_fold(cw_pert_fold *o, fold_room *r, const cw_watch *watch, const cw_pert_data *d, const level *v,
                    const int32_t *perm)
{
    int64_t n = o->n, m = o->m;
    double *weight = o->weight ? o->weight : r->weight;
    if (fit_level(&o->fit, &r->own, watch, d, v, perm, o->train, n, r->room) != 0 ||
        weights_of(weight, r->room, d, v, &o->fit, o->train, n, o->test, m) != 0)
        return -1;
    cw_dense_product(1, r->product, weight, 0, r->own.yy, 0, 0.0, m, n, n);
    for (int64_t t = 0; t < m; t++) {
        if (cw_watch_stop(watch)) return -1;
        const double *w = weight + t * n;
        double quadratic = 0.0;
        for (int64_t j = 0; j < n; j++) quadratic += r->product[t * n + j] * w[j];
        o->error[t] = squared_error(d, v, &o->fit, r->own.fill, w, quadratic, o->train, n, o->test[t], perm, r->profile) -
                      own_error(d, &o->fit, r->own.fill, w, o->train, n, o->test[t], perm);
        if (o->variance) o->variance[t] = variance_of(d, v, &o->fit, w, o->train, n, o->test[t], r->room);
    }
    return 0;
}

cw_status cw_pert_folds(cw_ctx *ctx, cw_pert_fold *fold, int64_t folds, const cw_pert_data *data, const int32_t *perm)
{
    level v = {0};
    int threads = folds < ctx->threads && folds > 0 ? (int)folds : ctx->threads, failed = 0, stop = 0;
    int64_t n = 0, m = 0;
    for (int64_t k = 0; k < folds; k++) {
        if (fold[k].n < 2)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "%lld perturbations; two are needed", (long long)fold[k].n);
        n = fold[k].n > n ? fold[k].n : n, m = fold[k].m > m ? fold[k].m : m;
    }
    fold_room *room = cw_calloc(ctx, threads, sizeof *room); /* one of each thread, for all of its folds */
    for (int i = 0; room && i < threads; i++) failed = room_new(ctx, &room[i], data, n, m);
    if (room && !failed && level_new(ctx, &v, data, perm, 1) == 0) {
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1) reduction(min : failed)
#endif
        for (int64_t k = 0; k < folds; k++) {
            cw_watch watch = cw_watch_here(ctx, &stop);
            int one = cw_watch_stop(&watch) ? 0 : one_fold(&fold[k], &room[cw_thread_number()], &watch, data, &v, perm);
            if (one < failed) failed = one;
        }
    }
    level_free(ctx, &v);
    for (int i = 0; room && i < threads; i++) room_free(ctx, &room[i]);
    cw_free(ctx, room);
    if (ctx->status == CW_OK && failed) broke_down(ctx);
    return cw_poll(ctx);
}
