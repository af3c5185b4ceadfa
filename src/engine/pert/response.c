/* response.c: see response.h. */
#include "response.h"

#include "../linalg/dense.h"

#include <math.h>

/* Squared distance. */
static double apart(const double *x, const double *y, int64_t d)
{
    double square = 0.0;
    for (int64_t k = 0; k < d; k++) square += (x[k] - y[k]) * (x[k] - y[k]);
    return square;
}

/* Sums over pairs of rows of the distance (out[0]) and of the kernels (out[1 + k]); within: x is y, pairs i < j only. */
static void add_pairs(cw_ctx *ctx, double *out, const double *gamma, int64_t gammas, const double *x, int64_t n,
                      const double *y, int64_t m, int64_t d, int within)
{
    for (int64_t k = 0; k <= gammas; k++) out[k] = 0.0;
    for (int64_t i = 0; i < n && cw_poll(ctx) == CW_OK; i++)
        for (int64_t j = within ? i + 1 : 0; j < m; j++) {
            double square = apart(x + i * d, y + j * d, d);
            out[0] += sqrt(square);
            for (int64_t k = 0; k < gammas; k++) out[1 + k] += exp(-gamma[k] * square);
        }
}

cw_status cw_response_distances(cw_ctx *ctx, double *energy, double *mmd, const double *gamma, int64_t gammas,
                                const double *x, int64_t n, const double *y, int64_t m, int64_t d)
{
    if (n < 1 || m < 1) return cw_fail(ctx, CW_ERR_ARGUMENT, "no cells to compare");
    double *xx = cw_alloc(ctx, 3 * (gammas + 1), sizeof *xx), N = (double)n, M = (double)m;
    if (!xx) return ctx->status;
    double *yy = xx + gammas + 1, *xy = yy + gammas + 1;
    add_pairs(ctx, xx, gamma, gammas, x, n, x, n, d, 1);
    add_pairs(ctx, yy, gamma, gammas, y, m, y, m, d, 1);
    add_pairs(ctx, xy, gamma, gammas, x, n, y, m, d, 0);
    *energy = 2.0 * xy[0] / (N * M) - 2.0 * xx[0] / (N * fmax(N - 1.0, 1.0)) - 2.0 * yy[0] / (M * fmax(M - 1.0, 1.0));
    for (int64_t k = 1; k <= gammas; k++) /* the diagonal's kernels are 1 */
        mmd[k - 1] = (2.0 * xx[k] + N) / (N * N) + (2.0 * yy[k] + M) / (M * M) - 2.0 * xy[k] / (N * M);
    cw_free(ctx, xx);
    return ctx->status;
}

/* distance (n, m) */
static void distances(cw_ctx *ctx, double *distance, const double *x, int64_t n, const double *y, int64_t m, int64_t d)
{
    for (int64_t i = 0; i < n && cw_poll(ctx) == CW_OK; i++)
        for (int64_t j = 0; j < m; j++)
            distance[i * m + j] = sqrt(apart(x + i * d, y + j * d, d));
}

/* to[b] += scale sum_ij a[b i] D_ij c[b j]; D is of x (n, d) and y (m, d); room: n m + boots m doubles */
static void add_form(cw_ctx *ctx, double *to, double scale, const double *a, const double *c, int64_t boots, double *room,
                     const double *x, int64_t n, const double *y, int64_t m, int64_t d)
{
    double *product = room + n * m;
    distances(ctx, room, x, n, y, m, d);
    cw_dense_product(1, product, a, 0, room, 0, 0.0, boots, m, n);
    for (int64_t b = 0; b < boots; b++)
        for (int64_t j = 0; j < m; j++) to[b] += scale * product[b * m + j] * c[b * m + j];
}

cw_status cw_response_resample(cw_ctx *ctx, double *energy, const double *times_x, const double *times_y, int64_t boots,
                               const double *x, int64_t n, const double *y, int64_t m, int64_t d)
{
    if (n < 2 || m < 2) return cw_fail(ctx, CW_ERR_ARGUMENT, "%lld and %lld cells: no samples", (long long)n, (long long)m);
    int64_t most = n > m ? n : m;
    double *room = cw_alloc(ctx, most * most + boots * most, sizeof *room), N = (double)n, M = (double)m;
    if (!room) return ctx->status;
    for (int64_t b = 0; b < boots; b++) energy[b] = 0.0;
    /* a pair of different draws is of different cells in a share 1 - 1/n of samples */
    add_form(ctx, energy, 2.0 / (N * M), times_x, times_y, boots, room, x, n, y, m, d);
    add_form(ctx, energy, -1.0 / ((N - 1.0) * (N - 1.0)), times_x, times_x, boots, room, x, n, x, n, d);
    add_form(ctx, energy, -1.0 / ((M - 1.0) * (M - 1.0)), times_y, times_y, boots, room, y, m, y, m, d);
    cw_free(ctx, room);
    return ctx->status;
}

/* ---- moments ---- */

typedef struct moments {
    double *mean, *sd, *correlation; /* (d), (d), (d, d) */
} moments;

/* z (n, d): room */
static void take_moments(moments *to, double *z, const double *x, int64_t n, int64_t d)
{
    for (int64_t j = 0; j < d; j++) {
        double sum = 0.0, square = 0.0;
        for (int64_t i = 0; i < n; i++) sum += x[i * d + j];
        to->mean[j] = sum / (double)n;
        for (int64_t i = 0; i < n; i++) z[i * d + j] = x[i * d + j] - to->mean[j], square += z[i * d + j] * z[i * d + j];
        to->sd[j] = sqrt(square / fmax((double)n - 1.0, 1.0));
        for (int64_t i = 0; i < n; i++) z[i * d + j] = square > 0.0 ? z[i * d + j] / sqrt(square) : 0.0;
    }
    cw_dense_product(1, to->correlation, z, 1, z, 0, 0.0, d, d, n);
}

/* Distance and correlation of a and b; above >= 0: of what lies above the diagonal of matrices of that order. */
static void compare(double *l2, double *r, const double *a, const double *b, int64_t n, int64_t above)
{
    double count = 0, sa = 0, sb = 0, far = 0, aa = 0, bb = 0, ab = 0;
#define OVER(what)                                                                                                     \
    for (int64_t i = 0; i < n; i++)                                                                                    \
        if (above < 0 || i % above > i / above) what
    OVER((count += 1, sa += a[i], sb += b[i], far += (a[i] - b[i]) * (a[i] - b[i])));
    double ma = sa / count, mb = sb / count;
    OVER((aa += (a[i] - ma) * (a[i] - ma), bb += (b[i] - mb) * (b[i] - mb), ab += (a[i] - ma) * (b[i] - mb)));
#undef OVER
    *l2 = sqrt(far);
    *r = aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : NAN;
}

cw_status cw_response_compare(cw_ctx *ctx, cw_response_moments *out, const double *x, int64_t n, const double *y,
                              int64_t m, int64_t d)
{
    if (n < 2 || m < 2 || d < 2)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "%lld and %lld cells with %lld values can't be compared", (long long)n,
                       (long long)m, (long long)d);
    int64_t each = 2 * d + d * d;
    double *room = cw_alloc(ctx, 2 * each + (n > m ? n : m) * d, sizeof *room);
    if (!room) return ctx->status;
    moments p = {room, room + d, room + 2 * d}, q = {room + each, room + each + d, room + each + 2 * d};
    take_moments(&p, room + 2 * each, x, n, d), take_moments(&q, room + 2 * each, y, m, d);
    compare(&out->l2_means, &out->r_means, p.mean, q.mean, d, -1);
    compare(&out->l2_sds, &out->r_sds, p.sd, q.sd, d, -1);
    compare(&out->l2_pairs, &out->r_pairs, p.correlation, q.correlation, d * d, d);
    cw_free(ctx, room);
    return ctx->status;
}
