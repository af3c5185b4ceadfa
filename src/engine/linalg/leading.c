/* leading.c: see leading.h. */
#include "leading.h"

#include "../core/rng.h"
#include "dense.h"

#include <math.h>
#include <string.h>

enum {
    WHOLE = 400, /* order up to which all eigenvectors are found */
    STEPS = 160, /* of Lanczos beyond */
    USE_LANCZOS = 81 /* what the stream is for: the last number of cw_rng_stream */
};

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* v (n) made orthogonal to the rows of Q (count, n), twice for safety; returns its length before scaling to 1 */
static double orthogonalise(double *v, const double *Q, int64_t count, int64_t n)
{
    for (int twice = 0; twice < 2; twice++)
        for (int64_t r = 0; r < count; r++) {
            double a = dot(Q + r * n, v, n);
            for (int64_t i = 0; i < n; i++) v[i] -= a * Q[r * n + i];
        }
    double length = sqrt(dot(v, v, n));
    for (int64_t i = 0; i < n; i++) v[i] = length > 0.0 ? v[i] / length : 0.0;
    return length;
}

static void random_direction(double *v, uint64_t key, int64_t step, int64_t n)
{
    cw_stream s = cw_rng_stream(key, CW_RNG_USER, (uint64_t)step, USE_LANCZOS);
    for (int64_t i = 0; i < n; i++) v[i] = cw_rng_uniform(s, (uint64_t)i) - 0.5;
}

/* Lanczos with full reorthogonalisation: S restricted to the Krylov space of `steps` directions is tridiagonal.
 * value (steps) ascending; T (steps, steps) receives the Ritz vectors' coordinates in Q (steps, n). 0 or -1. */
static int lanczos(cw_ctx *ctx, double *value, double *T, double *Q, double *room, const double *S, uint64_t key,
                   int64_t steps, int64_t n)
{
    double *next = room;
    memset(T, 0, (size_t)(steps * steps) * sizeof *T);
    random_direction(Q, key, 0, n);
    orthogonalise(Q, NULL, 0, n);
    for (int64_t j = 0; j < steps; j++) {
        if (cw_poll(ctx) != CW_OK) return -1;
        cw_dense_product(ctx->threads, next, S, 0, Q + j * n, 0, 0.0, n, 1, n);
        T[j * steps + j] = dot(next, Q + j * n, n);
        if (j + 1 == steps) break;
        double scale = sqrt(dot(next, next, n)), left = orthogonalise(next, Q, j + 1, n);
        if (left <= 1e-10 * scale || left == 0.0) { /* the space is exhausted: go on elsewhere */
            left = 0.0;
            random_direction(next, key, j + 1, n);
            orthogonalise(next, Q, j + 1, n);
        }
        memcpy(Q + (j + 1) * n, next, (size_t)n * sizeof *next);
        T[j * steps + j + 1] = T[(j + 1) * steps + j] = left;
    }
    return cw_dense_eigen(value, T, room, steps, 0);
}

cw_status cw_leading_eigen(cw_ctx *ctx, double *value, double *V, double *S, uint64_t key, int64_t count, int64_t n)
{
    int64_t steps = n <= WHOLE ? n : STEPS, space = cw_dense_eigen_room(steps);
    double *all = cw_alloc(ctx, steps, sizeof *all), *room = cw_alloc(ctx, space > n ? space : n, sizeof *room);
    double *T = n <= WHOLE ? NULL : cw_alloc(ctx, steps * steps, sizeof *T);
    double *Q = n <= WHOLE ? NULL : cw_alloc(ctx, steps * n, sizeof *Q);
    if (ctx->status == CW_OK) {
        int failed = T ? lanczos(ctx, all, T, Q, room, S, key, steps, n)
                       : cw_dense_eigen(all, S, room, n, 0);
        if (failed) cw_fail(ctx, CW_ERR_NUMERIC, "the eigenvectors were not found");
        for (int64_t r = 0; !failed && r < count; r++) {
            int64_t from = steps - 1 - r;
            value[r] = fmax(all[from], 0.0);
            if (V && T) cw_dense_product(1, V + r * n, T + from * steps, 0, Q, 0, 0.0, 1, n, steps);
            else if (V) memcpy(V + r * n, S + from * n, (size_t)n * sizeof *V);
        }
    }
    cw_free(ctx, Q);
    cw_free(ctx, T);
    cw_free(ctx, room);
    cw_free(ctx, all);
    return ctx->status;
}
