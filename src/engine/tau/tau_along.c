/* tau_along.c: what lies along the flow: the rim of the sampled window, and baselines on one axis of time. See
 * tau_steps.h. */
#include "tau_steps.h"

#include <math.h>

enum { RIM_POINTS = 6, BINS = 100, LAGS = 41 };

/* ---- the rim of the sampled window ------------------------------------------------------------------------------- */

/* Gaussian weight, with bandwidth h, of all metacells around the point z, by size: their sum; mean (d) their weighted
 * mean. */
static double around(double *mean, const double *z, const cw_tau_flow *f)
{
    double all = 1e-300;
    fill(mean, 0.0, f->d);
    for (i64 o = 0; o < f->M; o++) {
        double gap = 0.0;
        for (i64 i = 0; i < f->d; i++) gap += (z[i] - f->z[o * f->d + i]) * (z[i] - f->z[o * f->d + i]);
        double w = f->size[o] * exp(-0.5 * gap / (f->bandwidth * f->bandwidth));
        all += w;
        for (i64 i = 0; i < f->d; i++) mean[i] += w * f->z[o * f->d + i];
    }
    for (i64 i = 0; i < f->d; i++) mean[i] /= all;
    return all;
}

/* Metacells at the rim: those whose history lies before the sampled window (run back by the median delay, the flow
 * comes out of the cells: their local mean then lies ahead by more than half a bandwidth), and those whose future lies
 * beyond it (few cells had been there a median delay ago: less than half of the cells there now). */
cw_status cw_tau_find_rim(cw_arena *arena, cw_tau *t)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 M = t->flow.M, d = t->flow.d, J = t->flow.J, last = RIM_POINTS - 1;
    double grid[RIM_POINTS], v[CW_TAU_MOST_AXES], mean[CW_TAU_MOST_AXES];
    for (int k = 0; k < RIM_POINTS; k++) grid[k] = (double)k / (double)last;
    double *F = take(arena, RIM_POINTS * M * J), *path = take(arena, RIM_POINTS * M * d);
    if (ctx->status != CW_OK ||
        cw_tau_backtrace(arena, F, path, NULL, t->flow.z, &t->flow, grid, RIM_POINTS, M) != CW_OK)
        return ctx->status;
    cw_tau_flow before = t->flow; /* the cells where they were */
    before.z = path + last * M * d;
    for (i64 m = 0; m < M; m++) {
        const double *end = path + (last * M + m) * d, *B = F + (last * M + m) * J;
        double along = 0.0, speed = 0.0;
        int unknown = around(mean, end, &t->flow) <= 1e-250; /* far from every cell */
        for (i64 i = 0; i < d; i++) {
            v[i] = 0.0;
            for (i64 j = 0; j < J; j++) v[i] += B[j] * t->flow.velocity[j * d + i];
            along += v[i] * (mean[i] - end[i]), speed += v[i] * v[i];
        }
        int outside = unknown || along > 0.5 * t->flow.bandwidth * sqrt(speed);
        double now = around(mean, path + m * d, &t->flow), then = around(mean, path + m * d, &before);
        t->at_rim[m] = outside || then < 0.5 * now;
    }
    cw_arena_give(arena, path), cw_arena_give(arena, F);
    return cw_poll(ctx);
}

/* Share of each usable gene's change along the flow that lies in metacells at the rim. dd (M, n). */
void cw_tau_rim_share(cw_tau *t, const double *dd, const int32_t *gene, i64 n)
{
    for (i64 i = 0; i < n; i++) {
        double all = 1e-300, rim = 0.0;
        for (i64 m = 0; m < t->flow.M; m++) {
            double change = t->flow.size[m] * fabs(dd[m * n + i]);
            all += change;
            if (t->at_rim[m]) rim += change;
        }
        t->rim[gene[i]] = rim / all;
    }
}

/* ---- baselines --------------------------------------------------------------------------------------------------- */

/* Profile (BINS) of y (M) along time, Gaussian kernel of 3 bins; slope (BINS) its central differences. */
static void along_time(double *profile, double *slope, const double *y, const double *time, const double *size,
                       double width, i64 M)
{
    for (int b = 0; b < BINS; b++) {
        double all = 1e-300, sum = 0.0, at = (b + 0.5) * width;
        for (i64 m = 0; m < M; m++) {
            double g = (time[m] - at) / (3.0 * width), w = g * g > 60.0 ? 0.0 : size[m] * exp(-0.5 * g * g);
            all += w, sum += w * y[m];
        }
        profile[b] = sum / all;
    }
    for (int b = 0; b < BINS; b++) slope[b] = profile[b < BINS - 1 ? b + 1 : b] - profile[b > 0 ? b - 1 : b];
}

static double lagged_correlation(const double *a, const double *r, int lag)
{
    int n = BINS - lag;
    double ma = 0.0, mr = 0.0, aa = 0.0, rr = 0.0, ar = 0.0;
    for (int b = 0; b < n; b++) ma += a[b] / n, mr += r[b + lag] / n;
    for (int b = 0; b < n; b++) {
        double x = a[b] - ma, y = r[b + lag] - mr;
        aa += x * x, rr += y * y, ar += x * y;
    }
    return ar / sqrt(aa * rr + 1e-12);
}

/* Baselines that need one axis of time: the lag of best correlation of the two profiles, and the time of RNA's steepest
 * change less that of chromatin's in the same direction. In the unit of the flow. */
void cw_tau_baselines(cw_tau *t, int threads)
{
    i64 M = t->flow.M;
    double last = 0.0;
    for (i64 m = 0; m < M; m++) last = fmax(last, t->time[m]);
    double width = fmax(last, 1e-9) / BINS;
    (void)threads;
#pragma omp parallel for schedule(dynamic, 8) num_threads(threads)
    for (i64 g = 0; g < t->G; g++) {
        double a[BINS], r[BINS], da[BINS], dr[BINS], best = -INFINITY;
        int lag = 0, up = 0, down = 0;
        if (!t->fit.counted[g]) continue;
        along_time(a, da, t->fit.a + g * M, t->time, t->flow.size, width, M);
        along_time(r, dr, t->fit.r + g * M, t->time, t->flow.size, width, M);
        for (int l = 0; l < LAGS; l++) {
            double c = lagged_correlation(a, r, l);
            if (c > best) best = c, lag = l;
        }
        t->xcorr[g] = lag * width;
        for (int b = 1; b < BINS; b++)
            if (fabs(da[b]) > fabs(da[up])) up = b;
        for (int b = 1; b < BINS; b++)
            if (dr[b] * da[up] > dr[down] * da[up]) down = b;
        t->switch_time[g] = (down - up) * width;
    }
}
