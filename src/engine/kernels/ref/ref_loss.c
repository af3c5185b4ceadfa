/* ref_loss.c: cross entropy and binary cross entropy, per row. */
#include "ref.h"

#include <math.h>

void cw_ref_cross_entropy(const cw_exec *ex, float *loss, float *lse, const float *x, const int32_t *target, int64_t n,
                          int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) {
        const float *row = x + i * d;
        double top = -INFINITY, sum = 0;
        for (int64_t j = 0; j < d; j++) top = fmax(top, row[j]);
        for (int64_t j = 0; j < d; j++) sum += exp(row[j] - top);
        double total = top + log(sum);
        lse[i] = (float)total;
        loss[i] = target[i] < 0 ? 0.0f : (float)(total - row[target[i]]);
    }
}

void cw_ref_cross_entropy_backward(const cw_exec *ex, float *dx, const float *weight, const float *x, const float *lse,
                                   const int32_t *target, int64_t n, int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; target[i] >= 0 && j < d; j++)
            dx[i * d + j] += (float)(weight[i] * (exp((double)x[i * d + j] - lse[i]) - (j == target[i])));
}

void cw_ref_bce(const cw_exec *ex, float *loss, const float *x, const float *y, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++)
        loss[i] = (float)((x[i] > 0 ? x[i] : 0.0) - (double)x[i] * y[i] + log1p(exp(-fabs((double)x[i]))));
}

void cw_ref_bce_backward(const cw_exec *ex, float *dx, const float *weight, const float *x, const float *y, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) dx[i] += weight[i] * (cw_act_value(x[i], CW_ACT_SIGMOID) - y[i]);
}
