/* judge.c: see judge.h. */
#include "judge.h"

#include "../core/select.h"

#include <math.h>
#include <stdlib.h>

enum { DE = 20 };

cw_status cw_judge_order(cw_ctx *ctx, int32_t *order, const cw_moments *condition, const cw_moments *control,
                         int64_t genes)
{
    cw_ranked *r = cw_alloc(ctx, genes, sizeof *r);
    if (!r) return ctx->status;
    for (int64_t g = 0; g < genes; g++) {
        double v = condition->var[g] / condition->cells + control->var[g] / control->cells;
        double t = (condition->mean[g] - control->mean[g]) / sqrt(v);
        r[g] = (cw_ranked){isfinite(t) ? fabs(t) : 0.0, (int32_t)g};
    }
    qsort(r, (size_t)genes, sizeof *r, cw_ranked_falling);
    for (int64_t g = 0; g < genes; g++) order[g] = r[g].at;
    cw_free(ctx, r);
    return ctx->status;
}

void cw_judge_sets(uint8_t *nonzero, uint8_t *nondropout, const double *condition, const double *control,
                   int64_t genes)
{
    for (int64_t g = 0; g < genes; g++) {
        nonzero[g] = condition[g] != 0;
        nondropout[g] = condition[g] != 0 || control[g] == 0;
    }
}

int64_t cw_judge_top(int32_t *top, const int32_t *order, const uint8_t *set, int64_t most, int64_t genes)
{
    int64_t n = 0;
    for (int64_t i = 0; i < genes && n < most; i++)
        if (set[order[i]]) top[n++] = order[i];
    return n;
}

/* Over genes at[0 .. n), or all n with `at` NULL, of x - from and y - from; `from` may be NULL. */
static double pearson(const double *x, const double *y, const double *from, const int32_t *at, int64_t n)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < n; i++) {
            int64_t g = at ? at[i] : i;
            double base = from ? from[g] : 0.0, a = x[g] - base, b = y[g] - base;
            if (pass == 0) mx += a / (double)n, my += b / (double)n;
            else xx += (a - mx) * (a - mx), yy += (b - my) * (b - my), xy += (a - mx) * (b - my);
        }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN;
}

static double squared(const double *x, const double *y, const int32_t *at, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t g = at ? at[i] : i;
        sum += (x[g] - y[g]) * (x[g] - y[g]);
    }
    return sum / (double)n;
}

static int sign(double x) { return (x > 0) - (x < 0); }

void cw_judge_profile(cw_judgement *out, const double *told, const double *truth, const double *control,
                      const double *sd, const int32_t *order, const int32_t *top, int64_t tops, int64_t genes)
{
    int64_t de = genes < DE ? genes : DE;
    *out = (cw_judgement){.mse = squared(told, truth, NULL, genes),
                          .pearson = pearson(told, truth, NULL, NULL, genes),
                          .mse_de = squared(told, truth, order, de),
                          .pearson_de = pearson(told, truth, NULL, order, de),
                          .pearson_delta = pearson(told, truth, control, NULL, genes),
                          .mse_top = squared(told, truth, top, tops)};
    for (int64_t g = 0; g < genes; g++)
        out->direction += (double)(sign(told[g] - control[g]) == sign(truth[g] - control[g])) / (double)genes;
    double vary = 0, near = 0;
    for (int64_t i = 0; i < tops; i++) {
        int64_t g = top[i];
        int apart = sign(told[g] - control[g]) - sign(truth[g] - control[g]);
        out->opposite += (double)(abs(apart) == 2) / (double)tops;
        if (sd[g] > 0) vary++, near += fabs(told[g] - truth[g]) <= sd[g];
    }
    out->within = vary > 0 ? near / vary : (double)NAN;
}
