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

/* Products between perturbations for one permutation of the side information, sums over their genes, without c. All
 * (perts, perts). */
typedef struct level {
    double *kernel, *own;
    double *ff; /* (directs, directs, ..): F_k[p] . F_l[q] */
    double *yf; /* (directs, ..): Y_p . F_k[q] */
    double *tf; /* the same of T; NULL without scores */
} level;

static void level_free(cw_ctx *ctx, level *v)
{
    double *all[] = {v->kernel, v->own, v->ff, v->yf, v->tf};
    for (int i = 0; i < 5; i++) cw_free(ctx, all[i]);
}

/* out[p, q] = sum_{i in p, j in q} M[perm i, perm j], M (genes, genes); NULL: the identity */
static void sum_both(double *out, const double *M, const cw_pert_data *d, const int32_t *perm)
{
    for (int64_t p = 0; p < d->perts; p++)
        for (int64_t q = 0; q < d->perts; q++) {
            double sum = 0.0;
            for (int32_t i = d->start[p]; i < d->start[p + 1]; i++)
                for (int32_t j = d->start[q]; j < d->start[q + 1]; j++) {
                    int32_t a = d->member[i], b = d->member[j];
                    if (!M) sum += a == b;
                    else sum += M[(int64_t)(perm ? perm[a] : a) * d->genes + (perm ? perm[b] : b)];
                }
            out[p * d->perts + q] = sum;
        }
}

/* out[p, q] = sum_{j in q} M[p, perm j], M (perts, genes) */
static void sum_second(double *out, const double *M, const cw_pert_data *d, const int32_t *perm)
{
    for (int64_t p = 0; p < d->perts; p++)
        for (int64_t q = 0; q < d->perts; q++) {
            double sum = 0.0;
            for (int32_t j = d->start[q]; j < d->start[q + 1]; j++)
                sum += M[p * d->genes + (perm ? perm[d->member[j]] : d->member[j])];
            out[p * d->perts + q] = sum;
        }
}

static int level_new(cw_ctx *ctx, level *v, const cw_pert_data *d, const int32_t *perm, int directs)
{
    int64_t P = d->perts, N = d->genes, K = directs ? d->directs : 0;
    memset(v, 0, sizeof *v);
    v->own = cw_alloc(ctx, P * P, sizeof(double));
    if (d->kernel) v->kernel = cw_alloc(ctx, P * P, sizeof(double));
    v->ff = cw_alloc(ctx, K * K * P * P, sizeof(double));
    v->yf = cw_alloc(ctx, K * P * P, sizeof(double));
    if (d->td) v->tf = cw_alloc(ctx, K * P * P, sizeof(double));
    if (ctx->status != CW_OK) return -1;
    sum_both(v->own, NULL, d, NULL);
    if (d->kernel) sum_both(v->kernel, d->kernel, d, perm);
    for (int64_t k = 0; k < K; k++) {
        for (int64_t l = 0; l < K; l++) sum_both(v->ff + (k * K + l) * P * P, d->dd + (k * K + l) * N * N, d, perm);
        sum_second(v->yf + k * P * P, d->yd + k * P * N, d, perm);
        if (d->td) sum_second(v->tf + k * P * P, d->td + k * P * N, d, perm);
    }
    return 0;
}

static int is_set(const cw_pert_data *d, int64_t p) { return d->start[p + 1] - d->start[p] > 1; }
static double factor_of(const cw_pert_data *d, int64_t p, double c) { return is_set(d, p) ? c : 1.0; }
static double size_of(const cw_pert_data *d, int64_t p) { return (double)(d->start[p + 1] - d->start[p]); }

/* Prior covariance of perturbations p and q by one part, its weight 1. */
static double part_of(const cw_pert_data *d, const level *v, int part, double c, int64_t p, int64_t q)
{
    double cc = factor_of(d, p, c) * factor_of(d, q, c);
    switch (part) {
    case CW_PERT_MEAN: return cc * size_of(d, p) * size_of(d, q);
    case CW_PERT_KERNEL: return v->kernel ? cc * v->kernel[p * d->perts + q] : 0.0;
    case CW_PERT_OWN: return cc * v->own[p * d->perts + q];
    default: return p == q && is_set(d, p) ? 1.0 : 0.0;
    }
}

static double prior_of(const cw_pert_data *d, const level *v, const cw_pert_fit *f, int64_t p, int64_t q)
{
    double sum = 0.0;
    for (int k = 0; k < CW_PERT_PARTS; k++)
        if (f->theta[k] > 0.0) sum += f->theta[k] * part_of(d, v, k, f->c, p, q);
    return sum;
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

/* out (n): (row_p - mean of rows) . (column_p - mean of columns) w_p, from the products M (perts, perts) of rows and
 * columns. */
static void centred(double *out, const double *M, int64_t P, const int32_t *train, const double *w, int64_t n)
{
    double all = 0.0;
    for (int64_t a = 0; a < n; a++) out[a] = 0.0;
    for (int64_t a = 0; a < n; a++)
        for (int64_t b = 0; b < n; b++) {
            double m = M[(int64_t)train[a] * P + train[b]];
            out[a] -= m / (double)n, out[b] -= m / (double)n, all += m / (double)(n * n);
        }
    for (int64_t a = 0; a < n; a++) out[a] = w[a] * (out[a] + all + M[(int64_t)train[a] * P + train[a]]);
}

/* room: (1 + K + K K) n */
static void direct_coefficients(double *alpha, const cw_pert_data *d, const level *v, const int32_t *train, int64_t n,
                                double *room)
{
    int64_t K = d->directs, P = d->perts;
    double *w = room, *b = w + n, *A = b + K * n, mean = 0.0;
    double At[CW_PERT_DIRECTS * CW_PERT_DIRECTS] = {0}, bt[CW_PERT_DIRECTS] = {0};
    double sum[CW_PERT_DIRECTS] = {0}, square[CW_PERT_DIRECTS] = {0};
    for (int64_t a = 0; a < n; a++) mean += fmax(d->cells[train[a]], 1.0) / (double)n;
    for (int64_t a = 0; a < n; a++) w[a] = fmax(d->cells[train[a]], 1.0) / mean;
    for (int64_t k = 0; k < K; k++) {
        centred(b + k * n, v->yf + k * P * P, P, train, w, n);
        for (int64_t l = 0; l < K; l++) centred(A + (k * K + l) * n, v->ff + (k * K + l) * P * P, P, train, w, n);
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

/* (Y_p - direct_p) . (Y_q - direct_q), the direct part without c as it is fitted */
static double residual_product(const cw_pert_data *d, const level *v, const double *alpha, int64_t p, int64_t q)
{
    int64_t K = d->directs, P = d->perts;
    double sum = d->yy[p * P + q];
    for (int64_t k = 0; k < K; k++) {
        if (alpha[k] == 0.0) continue;
        sum -= alpha[k] * (v->yf[(k * P + p) * P + q] + v->yf[(k * P + q) * P + p]);
        for (int64_t l = 0; l < K; l++) sum += alpha[k] * alpha[l] * v->ff[((k * K + l) * P + p) * P + q];
    }
    return sum;
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

/* Room of the weights' fit: S, the parts, C, its inverse, and one more. */
static int64_t weights_room(int64_t m) { return (4 + CW_PERT_PARTS) * m * m; }

static double trace_product(const double *A, const double *B, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n * n; i++) sum += A[i] * B[i];
    return sum;
}

/* C = noise + sum theta V over the m perturbations, its lower factor in place. */
static int covariance(double *C, const cw_pert_data *d, const int32_t *row, int64_t m, const double *V,
                      const double *theta)
{
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++) {
            double sum = noise_of(d, row[i], row[j]);
            for (int k = 0; k < CW_PERT_PARTS; k++)
                if (theta[k] > 0.0) sum += theta[k] * V[(k * m + i) * m + j];
            C[i * m + j] = sum;
        }
    return cw_positive_factor(C, m);
}

/* Minorise-maximise from equal shares. The rows are those of S (m, m). Sets theta, loglik, rounds; -1: C broke down. */
static int fit_weights(cw_pert_fit *f, const cw_pert_data *d, const level *v, const int32_t *row, int64_t m,
                       double *room)
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
        if (covariance(C, d, row, m, V, f->theta) != 0) return -1;
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

static int64_t fit_room(const cw_pert_data *d, int64_t n)
{
    int64_t m = n < CW_PERT_WEIGHTED ? n : CW_PERT_WEIGHTED, K = d->directs;
    int64_t direct = (1 + K + K * K) * n, weights = weights_room(m);
    return direct > weights ? direct : weights;
}

/* room: fit_room(n) doubles. -1: broke down. */
static int fit_level(cw_pert_fit *f, const cw_pert_data *d, const level *v, const int32_t *train, int64_t n,
                     double *room)
{
    int32_t row[CW_PERT_WEIGHTED];
    int64_t m = n < CW_PERT_WEIGHTED ? n : CW_PERT_WEIGHTED;
    int any = 0;
    memset(f, 0, sizeof *f);
    if (d->directs > 0) direct_coefficients(f->alpha, d, v, train, n, room);
    for (int64_t i = 0; i < m; i++) row[i] = train[i * n / m], any |= is_set(d, row[i]);
    cw_pert_fit best = {.loglik = -INFINITY};
    for (int t = any ? 0 : 3; t < 4; t++) {
        f->c = attenuations[t];
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < m; j++)
                room[i * m + j] = residual_product(d, v, f->alpha, row[i], row[j]) / (double)d->readouts;
        if (fit_weights(f, d, v, row, m, room) != 0) return -1;
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
    if (n < 2) return cw_fail(ctx, CW_ERR_ARGUMENT, "%lld perturbations; two are needed", (long long)n);
    double *room = cw_alloc(ctx, fit_room(data, n), sizeof *room);
    if (room && level_new(ctx, &v, data, perm, 1) == 0 && fit_level(fit, data, &v, train, n, room) != 0)
        broke_down(ctx);
    level_free(ctx, &v);
    cw_free(ctx, room);
    return ctx->status;
}

/* ---- prediction -------------------------------------------------------------------------------------------------- */

/* weight (m, n) = Q_tn C^-1; C (n, n) is working memory. */
static int weights_of(double *weight, double *C, const cw_pert_data *d, const level *v, const cw_pert_fit *f,
                      const int32_t *train, int64_t n, const int32_t *test, int64_t m)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++)
            C[i * n + j] = noise_of(d, train[i], train[j]) + prior_of(d, v, f, train[i], train[j]);
    if (cw_positive_factor(C, n) != 0) return -1;
    for (int64_t t = 0; t < m; t++)
        for (int64_t j = 0; j < n; j++) weight[t * n + j] = prior_of(d, v, f, test[t], train[j]);
    cw_positive_solve(weight, C, m, n);
    return 0;
}

cw_status cw_pert_predict(cw_ctx *ctx, double *weight, double *variance, const cw_pert_data *data,
                          const cw_pert_fit *fit, const int32_t *train, int64_t n, const int32_t *test, int64_t m)
{
    level v = {0};
    double *C = cw_alloc(ctx, n * n, sizeof *C);
    if (C && level_new(ctx, &v, data, NULL, 0) == 0) {
        if (weights_of(weight, C, data, &v, fit, train, n, test, m) != 0) broke_down(ctx);
        for (int64_t t = 0; t < m; t++) {
            variance[t] = prior_of(data, &v, fit, test[t], test[t]);
            for (int64_t j = 0; j < n; j++)
                variance[t] -= weight[t * n + j] * prior_of(data, &v, fit, test[t], train[j]);
            variance[t] = fmax(variance[t], 0.0);
        }
    }
    level_free(ctx, &v);
    cw_free(ctx, C);
    return ctx->status;
}

/* ---- cross-validation -------------------------------------------------------------------------------------------- */

/* Squared error of perturbation p at the readouts that are its own genes, which do not count. */
static double own_error(const cw_pert_data *d, const cw_pert_fit *f, const double *weight, const int32_t *train,
                        int64_t n, int64_t p, const int32_t *perm)
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
            off -= a < 0 ? factor_of(d, p, f->c) * direct : weight[a] * (d->own_y[q * N + g] - direct);
        }
        error += off * off;
    }
    return error;
}

/* |T_p - prediction|^2 over all readouts; quadratic: weight S weight of it. */
static double squared_error(const cw_pert_data *d, const level *v, const cw_pert_fit *f, const double *weight,
                            double quadratic, const int32_t *train, int64_t n, int64_t p)
{
    int64_t K = d->directs, P = d->perts;
    double c = factor_of(d, p, f->c), cross = 0.0, direct = 0.0, both = 0.0, length = 0.0;
    for (int64_t a = 0; a < n; a++) {
        int64_t q = train[a];
        double t = d->ty[p * P + q], h = 0.0;
        for (int64_t k = 0; k < K; k++) {
            if (f->alpha[k] == 0.0) continue;
            t -= f->alpha[k] * v->tf[(k * P + p) * P + q];
            h += f->alpha[k] * v->yf[(k * P + q) * P + p];
            for (int64_t l = 0; l < K; l++) h -= f->alpha[k] * f->alpha[l] * v->ff[((k * K + l) * P + q) * P + p];
        }
        cross += weight[a] * t;
        both += weight[a] * c * h;
    }
    for (int64_t k = 0; k < K; k++) {
        direct += c * f->alpha[k] * v->tf[(k * P + p) * P + p];
        for (int64_t l = 0; l < K; l++)
            length += c * c * f->alpha[k] * f->alpha[l] * v->ff[((k * K + l) * P + p) * P + p];
    }
    return d->tt[p] - 2.0 * (cross + direct) + quadratic + 2.0 * both + length;
}

/* One fold on the calling thread; -1: broke down, -2: no memory. */
static int one_fold(cw_ctx *ctx, double *error, const cw_pert_data *d, const level *v, const int32_t *fold, int64_t at,
                    const int32_t *perm)
{
    int64_t P = d->perts, n = 0, m = 0;
    for (int64_t p = 0; p < P; p++) n += fold[p] >= 0 && fold[p] != at, m += fold[p] == at;
    if (m == 0) return 0;
    if (n < 2) return -1;
    int64_t working = 2 * n * n > fit_room(d, n) ? 2 * n * n : fit_room(d, n);
    double *room, *weight;
    int32_t *index;
    int failed = -2;
#ifdef _OPENMP
#pragma omp critical
#endif
    {
        room = cw_alloc(ctx, working, sizeof *room);
        weight = cw_alloc(ctx, 2 * m * n, sizeof *weight);
        index = cw_alloc(ctx, n + m, sizeof *index);
    }
    if (room && weight && index) {
        int32_t *train = index, *test = index + n;
        for (int64_t p = 0, a = 0, b = 0; p < P; p++) {
            if (fold[p] >= 0 && fold[p] != at) train[a++] = (int32_t)p;
            if (fold[p] == at) test[b++] = (int32_t)p;
        }
        cw_pert_fit f;
        failed = fit_level(&f, d, v, train, n, room);
        double *C = room, *S = room + n * n, *product = weight + m * n;
        if (!failed) failed = weights_of(weight, C, d, v, &f, train, n, test, m);
        if (!failed) {
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j <= i; j++)
                    S[i * n + j] = S[j * n + i] = residual_product(d, v, f.alpha, train[i], train[j]);
            cw_dense_product(1, product, weight, 0, S, 0, 0.0, m, n, n);
            for (int64_t t = 0; t < m; t++) {
                double quadratic = 0.0;
                for (int64_t j = 0; j < n; j++) quadratic += product[t * n + j] * weight[t * n + j];
                error[test[t]] = squared_error(d, v, &f, weight + t * n, quadratic, train, n, test[t]) -
                                 own_error(d, &f, weight + t * n, train, n, test[t], perm);
            }
        }
    }
#ifdef _OPENMP
#pragma omp critical
#endif
    {
        cw_free(ctx, room);
        cw_free(ctx, weight);
        cw_free(ctx, index);
    }
    return failed;
}

cw_status cw_pert_crossval(cw_ctx *ctx, double *error, const cw_pert_data *data, const int32_t *fold, int64_t folds,
                           const int32_t *perm)
{
    level v = {0};
    int threads = ctx->threads, failed = 0, stop = 0;
    (void)threads;
    if (level_new(ctx, &v, data, perm, 1) == 0) {
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1) reduction(min : failed)
#endif
        for (int64_t k = 0; k < folds; k++) {
            cw_watch watch = cw_watch_here(ctx, &stop);
            if (cw_watch_stop(&watch)) continue;
            int one = one_fold(ctx, error, data, &v, fold, k, perm);
            if (one < failed) failed = one;
        }
        if (failed == -1) broke_down(ctx);
    }
    level_free(ctx, &v);
    return cw_poll(ctx);
}
