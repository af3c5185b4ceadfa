/* transport.c: see transport.h. */
#include "transport.h"

#include "../linalg/dense.h"

#include <math.h>
#include <string.h>

cw_status cw_shrunk_covariance(cw_ctx *ctx, double *mean, double *covariance, double *shrunk, const double *x,
                               int64_t n, int64_t d)
{
    if (n < 2 || d < 1)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "%lld cells with %lld values: no covariance", (long long)n, (long long)d);
    double *c = cw_alloc(ctx, n * d, sizeof *c), fourth = 0.0, square = 0.0, far = 0.0, level = 0.0;
    if (!c) return ctx->status;
    for (int64_t j = 0; j < d; j++) {
        mean[j] = 0.0;
        for (int64_t i = 0; i < n; i++) mean[j] += x[i * d + j] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        double length = 0.0;
        for (int64_t j = 0; j < d; j++) c[i * d + j] = x[i * d + j] - mean[j], length += c[i * d + j] * c[i * d + j];
        fourth += length * length / (double)n;
    }
    cw_dense_product(1, covariance, c, 1, c, 0, 0.0, d, d, n);
    for (int64_t k = 0; k < d * d; k++) covariance[k] /= (double)n, square += covariance[k] * covariance[k];
    for (int64_t j = 0; j < d; j++) level += covariance[j * d + j] / (double)d;
    far = square - (double)d * level * level; /* squared distance from level I */
    double error = fmin(fmax(fourth - square, 0.0) / (double)n, far), s = error / fmax(far, 1e-12);
    if (!(far > 0.0)) s = 1.0;
    for (int64_t k = 0; k < d * d; k++) covariance[k] *= 1.0 - s;
    for (int64_t j = 0; j < d; j++) covariance[j * d + j] += s * level;
    *shrunk = s;
    cw_free(ctx, c);
    return ctx->status;
}

/* out := V^T diag(value^power) V, the symmetric A (d,d) being destroyed; room: eigen's, d and d d doubles. */
static int power_of(double *out, double *A, double power, double *room, int64_t d)
{
    double *value = room, *scaled = room + d, *more = scaled + d * d;
    if (cw_dense_eigen(value, A, more, d, 0) != 0) return -1;
    double least = 1e-12 * fmax(value[d - 1], 0.0);
    for (int64_t i = 0; i < d; i++) {
        double v = fmax(value[i], least);
        for (int64_t j = 0; j < d; j++) scaled[i * d + j] = A[i * d + j] * (v > 0.0 ? pow(v, power) : 0.0);
    }
    cw_dense_product(1, out, A, 1, scaled, 0, 0.0, d, d, d);
    return 0;
}

cw_status cw_gaussian_map(cw_ctx *ctx, double *map, const double *from, const double *to, int64_t d)
{
    int64_t size = d * d;
    double *room = cw_alloc(ctx, 5 * size + d + cw_dense_eigen_room(d), sizeof *room);
    if (!room) return ctx->status;
    double *root = room, *inverse = root + size, *A = inverse + size, *B = A + size, *more = B + size;
    int failed = 0;
    for (int64_t k = 0; k < size; k++) failed |= !isfinite(from[k]) || !isfinite(to[k]);
    if (!failed) {
        memcpy(A, from, (size_t)size * sizeof *A);
        failed = power_of(root, A, .5, more, d);
        memcpy(A, from, (size_t)size * sizeof *A);
        if (!failed) failed = power_of(inverse, A, -.5, more, d);
    }
    if (!failed) {
        cw_dense_product(1, A, root, 0, to, 0, 0.0, d, d, d);
        cw_dense_product(1, B, A, 0, root, 0, 0.0, d, d, d);
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j < i; j++) B[i * d + j] = B[j * d + i] = .5 * (B[i * d + j] + B[j * d + i]);
        failed = power_of(A, B, .5, more, d);
    }
    if (!failed) {
        cw_dense_product(1, B, inverse, 0, A, 0, 0.0, d, d, d);
        cw_dense_product(1, map, B, 0, inverse, 0, 0.0, d, d, d);
    } else {
        cw_fail(ctx, CW_ERR_NUMERIC, "a covariance with values that are not finite, or without eigenvectors");
    }
    cw_free(ctx, room);
    return ctx->status;
}
