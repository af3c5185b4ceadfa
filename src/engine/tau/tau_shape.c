/* tau_shape.c: lags with a shape. RNA answers chromatin with a kernel of mean T, a delay (1 - s) T followed by
 * first-order kinetics of mean s T; s = 0 is a delay, s = 1 kinetics. See tau.h. */
#include "tau.h"

#include "../core/threads.h"
#include "../linalg/dense.h"

#include <math.h>
#include <string.h>

enum { SLICES = 400, TILE = 64 };
#define LONGEST 6.0 /* of the exponential, in its mean; the rest sits at its own mean, LONGEST + 1 */

typedef int64_t i64;

const double cw_tau_shapes[CW_TAU_SHAPES] = {0.0, 0.5, 1.0};

/* ---- kernels ----------------------------------------------------------------------------------------------------- */

static void put_mass(double *row, double at, double mass, const double *trace, i64 R)
{
    i64 i = 0;
    while (i < R - 2 && trace[i + 1] <= at) i++;
    double x = (fmin(at, trace[R - 1]) - trace[i]) / (trace[i + 1] - trace[i]);
    row[i] += mass * (1.0 - x), row[i + 1] += mass * x;
}

void cw_tau_kernel(double *kernel, double shape, const double *grid, i64 T, const double *trace, i64 R)
{
    memset(kernel, 0, (size_t)(T * R) * sizeof *kernel);
    for (i64 k = 0; k < T; k++) {
        double *row = kernel + k * R, wait = (1.0 - shape) * grid[k], mean = shape * grid[k], h = LONGEST / SLICES;
        if (!(mean > 0.0)) {
            put_mass(row, wait, 1.0, trace, R);
            continue;
        }
        for (int i = 0; i < SLICES; i++) /* mass and mean of a slice are exact */
            put_mass(row, wait + mean * (h * i + 1.0 - h * exp(-h) / (1.0 - exp(-h))), exp(-h * i) - exp(-h * (i + 1)),
                     trace, R);
        put_mass(row, wait + mean * (LONGEST + 1.0), exp(-LONGEST), trace, R);
    }
}

cw_status cw_tau_answer(cw_arena *arena, double *F, const double *traced, const double *share, const double *grid,
                        i64 T, const double *trace, i64 R, i64 n)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 d = (i64)sizeof(double);
    double *all = cw_arena_take(arena, T * R * d), *one = cw_arena_take(arena, T * R * d);
    if (ctx->status != CW_OK) return ctx->status;
    memset(all, 0, (size_t)(T * R * d));
    for (int s = 0; s < CW_TAU_SHAPES; s++) {
        if (!(share[s] > 0.0)) continue;
        cw_tau_kernel(one, cw_tau_shapes[s], grid, T, trace, R);
        for (i64 i = 0; i < T * R; i++) all[i] += share[s] * one[i];
    }
    cw_dense_product(ctx->threads, F, all, 0, traced, 0, 0.0, T, n, R);
    cw_arena_give(arena, one), cw_arena_give(arena, all);
    return cw_poll(ctx);
}

/* ---- deviances over the grid ------------------------------------------------------------------------------------- */

void cw_tau_between(double *dev, i64 n, i64 T)
{
    for (i64 i = 0; i < n; i++) {
        double *x = dev + i * T;
        for (i64 k = 1; k < T - 1; k += 2) {
            if (T < 7) x[k] = 0.5 * (x[k - 1] + x[k + 1]);
            else if (k == 1) x[k] = (3.0 * x[0] + 6.0 * x[2] - x[4]) / 8.0;
            else if (k == T - 2) x[k] = (3.0 * x[T - 1] + 6.0 * x[T - 3] - x[T - 5]) / 8.0;
            else x[k] = (9.0 * (x[k - 1] + x[k + 1]) - x[k - 3] - x[k + 3]) / 16.0;
        }
    }
}

void cw_tau_marginal(double *out, const double *dev, const double *share, i64 G, i64 T)
{
    for (i64 i = 0; i < G * T; i++) {
        double least = INFINITY, sum = 0.0;
        for (int s = 0; s < CW_TAU_SHAPES; s++)
            if (share[s] > 0.0) least = fmin(least, dev[s * G * T + i]);
        for (int s = 0; s < CW_TAU_SHAPES; s++)
            if (share[s] > 0.0) sum += share[s] * exp(-0.5 * (dev[s * G * T + i] - least));
        out[i] = least - 2.0 * log(sum);
    }
}

void cw_tau_rescale(double *dev, const double *factor, const double *grid, i64 G, i64 T)
{
    double step = grid[1] - grid[0], was[512];
    for (i64 g = 0; g < G; g++) {
        if (!isfinite(factor[g])) continue;
        memcpy(was, dev + g * T, (size_t)T * sizeof *was);
        for (i64 k = 0; k < T; k++) {
            double x = fmin(grid[k] / factor[g] / step, (double)(T - 1));
            i64 i = (i64)x < T - 2 ? (i64)x : T - 2;
            dev[g * T + k] = was[i] + (x - (double)i) * (was[i + 1] - was[i]);
        }
    }
}

/* ---- another flow, the curves held ------------------------------------------------------------------------------- */

typedef struct held {
    const double *F, *F0, *w;
    const cw_tau_lagfree *f;
    const int32_t *gene;
    double *dev, lambda;
    i64 T, J;
} held;

/* Best alpha and beta for one gene with the curve c (M) of RNA, c0 (M) of chromatin; -2 log likelihood. */
static double deviance_of(const held *h, i64 gene, const double *c, const double *c0, const double *w)
{
    i64 M = h->f->M, at = gene * M;
    double sw = 0.0, ry = 0.0, rr = 0.0, b1 = 0.0, b2 = 0.0, by = 0.0, apart = 0.0, size = 0.0;
    for (i64 m = 0; m < M; m++) {
        double wr = h->f->wr[at + m], r = h->f->r[at + m], gap = h->f->a[at + m] - c0[m];
        sw += wr, ry += wr * r, rr += wr * r * r;
        b1 += wr * c[m], b2 += wr * c[m] * c[m], by += wr * r * c[m];
        apart += h->f->wa[at + m] * gap * gap;
    }
    for (i64 j = 0; j < h->J; j++) size += w[j] * w[j];
    double sign = h->f->repressed[gene] ? -1.0 : 1.0;
    double slope = sign * (by - b1 * ry / sw) / fmax(b2 - b1 * b1 / sw, 1e-9);
    double beta = sign * fmin(fmax(slope, 0.02), 20.0), alpha = (ry - beta * b1) / sw;
    return rr - 2.0 * alpha * ry - 2.0 * beta * by + alpha * alpha * sw + 2.0 * alpha * beta * b1 + beta * beta * b2 +
           apart + h->lambda * size;
}

/* Genes i0 .. i0 + count; room: TILE (J + 2 M) */
static void held_tile(const held *h, double *room, i64 i0, i64 count, i64 step)
{
    i64 M = h->f->M, J = h->J, T = h->T;
    double *w = room, *c = room + TILE * J, *c0 = c + TILE * M;
    for (i64 k = 0; k < T; k += step) {
        for (i64 i = 0; i < count; i++)
            memcpy(w + i * J, h->w + ((i0 + i) * T + k) * J, (size_t)J * sizeof *w);
        cw_dense_product(1, c, w, 0, h->F + k * M * J, 1, 0.0, count, M, J);
        cw_dense_product(1, c0, w, 0, h->F0, 1, 0.0, count, M, J);
        for (i64 i = 0; i < count; i++)
            h->dev[(i0 + i) * T + k] = deviance_of(h, h->gene[i0 + i], c + i * M, c0 + i * M, w + i * J);
    }
}

cw_status cw_tau_reprofile(cw_arena *arena, double *dev, const double *w, const double *F, const double *F0,
                           const cw_tau_lagfree *f, const int32_t *gene, double lambda, i64 n, i64 T, i64 J)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 wide = TILE * (J + 2 * f->M), step = T % 2 ? 2 : 1, tiles = (n + TILE - 1) / TILE;
    double *room = cw_arena_take(arena, ctx->threads * wide * (i64)sizeof *room);
    held h = {.F = F, .F0 = F0, .w = w, .f = f, .gene = gene, .dev = dev, .lambda = lambda, .T = T, .J = J};
    if (ctx->status != CW_OK) return ctx->status;
#pragma omp parallel for schedule(dynamic, 1) num_threads(ctx->threads)
    for (i64 b = 0; b < tiles; b++)
        held_tile(&h, room + cw_thread_number() * wide, b * TILE, n - b * TILE < TILE ? n - b * TILE : TILE, step);
    if (step == 2) cw_tau_between(dev, n, T);
    cw_arena_give(arena, room);
    return cw_poll(ctx);
}
