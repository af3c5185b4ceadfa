/* tau_clock.c: is what genes differ in more than their error? Errors that genes share, because they change at the same
 * place of the flow, and true differences as two random effects. See tau.h. */
#include "tau.h"

#include "../linalg/dense.h"

#include <math.h>
#include <string.h>

#define LOWEST -14.0 /* log variances looked at */
#define HIGHEST 2.0

typedef int64_t i64;

/* y = mu + P gamma + u + e; gamma ~ N(0, s I) at the landmarks, u ~ N(0, omega) of the genes, e ~ N(0, error). */
typedef struct effects {
    const double *y, *error, *P; /* (n), (n), (n, J) of the genes taken */
    i64 n, J;
    double *A, *one, *at_y, *room; /* (J, J), (J), (J), (J) */
    double mu;
} effects;

/* Restricted log likelihood at variances omega, s. Leaves the factor of A = I / s + P' V^-1 P, mu, P' V^-1 1 (one) and
 * P' V^-1 y (at_y), V = omega + error: J x J instead of n x n by Woodbury's identity. */
static double likelihood(effects *e, double omega, double s)
{
    i64 J = e->J;
    double all = 0.0, sum = 0.0, square = 0.0, logs = 0.0;
    memset(e->A, 0, (size_t)(J * J) * sizeof(double));
    memset(e->one, 0, (size_t)J * sizeof(double)), memset(e->at_y, 0, (size_t)J * sizeof(double));
    for (i64 i = 0; i < e->n; i++) {
        const double *p = e->P + i * J;
        double V = omega + e->error[i], y = e->y[i];
        all += 1.0 / V, sum += y / V, square += y * y / V, logs += log(V);
        for (i64 j = 0; j < J; j++) {
            double w = p[j] / V;
            e->one[j] += w, e->at_y[j] += w * y;
            for (i64 l = 0; l <= j; l++) e->A[j * J + l] += w * p[l];
        }
    }
    for (i64 j = 0; j < J; j++) e->A[j * J + j] += 1.0 / fmax(s, 1e-9);
    if (cw_dense_cholesky(e->A, J)) return -INFINITY;
    for (i64 j = 0; j < J; j++) logs += 2.0 * log(e->A[j * J + j]) + log(fmax(s, 1e-9));
    double k = all, one_y = sum, yy = square;
    memcpy(e->room, e->one, (size_t)J * sizeof(double));
    cw_dense_solve(e->room, e->A, J);
    for (i64 j = 0; j < J; j++) k -= e->room[j] * e->one[j], one_y -= e->room[j] * e->at_y[j];
    memcpy(e->room, e->at_y, (size_t)J * sizeof(double));
    cw_dense_solve(e->room, e->A, J);
    for (i64 j = 0; j < J; j++) yy -= e->room[j] * e->at_y[j];
    e->mu = one_y / k;
    return -0.5 * (logs + log(k) + yy - 2.0 * e->mu * one_y + e->mu * e->mu * k);
}

/* The best of a coarse grid, then steps in both logarithms, halved where none gains. */
static void search(effects *e, double *omega, double *s)
{
    const double start[] = {1e-6, 0.01, 0.03, 0.1, 0.3, 1.0};
    double at[2] = {0}, best = -INFINITY;
    for (int i = 0; i < 5; i++)
        for (int j = 0; j < 6; j++) {
            double l = likelihood(e, start[i], start[j]);
            if (l > best) best = l, at[0] = log(start[i]), at[1] = log(start[j]);
        }
    for (double step = 1.0; step > 0.01;) {
        double before = best;
        for (int way = 0; way < 4; way++) {
            double to[2] = {at[0], at[1]};
            to[way / 2] = fmin(fmax(to[way / 2] + (way % 2 ? -step : step), LOWEST), HIGHEST);
            double l = likelihood(e, exp(to[0]), exp(to[1]));
            if (l > best) best = l, at[0] = to[0], at[1] = to[1];
        }
        if (!(best > before)) step *= 0.5;
    }
    *omega = exp(at[0]), *s = exp(at[1]);
    likelihood(e, *omega, *s);
}

/* shift (G) = P gamma, variance (G) = P C P' for rows of place (G, J), C = A^-1. */
static void predict(cw_tau_clock *out, effects *e, const double *place, i64 G)
{
    i64 J = e->J;
    for (i64 j = 0; j < J; j++) out->gamma[j] = e->at_y[j] - e->mu * e->one[j];
    cw_dense_solve(out->gamma, e->A, J);
    for (i64 g = 0; g < G; g++) {
        const double *p = place + g * J;
        out->shift[g] = out->variance[g] = 0.0;
        memcpy(e->room, p, (size_t)J * sizeof(double));
        cw_dense_solve(e->room, e->A, J);
        for (i64 j = 0; j < J; j++) out->shift[g] += p[j] * out->gamma[j], out->variance[g] += p[j] * e->room[j];
    }
}

cw_status cw_tau_clock_fit(cw_arena *arena, cw_tau_clock *out, const double *y, const double *error,
                           const double *place, const int32_t *gene, i64 n, const double *all_places, i64 G, i64 J)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 d = (i64)sizeof(double);
    effects e = {.n = n, .J = J, .y = y, .error = error};
    double *P = cw_arena_take(arena, n * J * d);
    double **rows[] = {&e.one, &e.at_y, &e.room};
    for (int i = 0; i < 3; i++) *rows[i] = cw_arena_take(arena, J * d);
    e.A = cw_arena_take(arena, J * J * d);
    if (ctx->status != CW_OK) return ctx->status;
    for (i64 i = 0; i < n; i++) memcpy(P + i * J, place + gene[i] * J, (size_t)(J * d));
    e.P = P;
    memset(out->gamma, 0, (size_t)(J * d));
    memset(out->shift, 0, (size_t)(G * d)), memset(out->variance, 0, (size_t)(G * d));
    out->omega = out->s = 0.0;
    if (n >= 3) {
        search(&e, &out->omega, &out->s);
        predict(out, &e, all_places, G);
    }
    void *done[] = {P, e.one, e.at_y, e.room, e.A};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
    return cw_poll(ctx);
}
