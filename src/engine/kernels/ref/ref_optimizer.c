/* ref_optimizer.c: AdamW, Adam, SGD and the sum of squares behind gradient clipping. */
#include "ref.h"

#include <math.h>

double cw_ref_sum_squares(const cw_exec *ex, const float *x, int64_t n)
{
    (void)ex;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
    return sum;
}

static double bounded(double x, float bound)
{
    return bound > 0 && x > (double)bound ? (double)bound : bound > 0 && x < -(double)bound ? -(double)bound : x;
}

void cw_ref_adamw(const cw_exec *ex, float *w, float *m, float *v, const float *g, cw_adamw p, int64_t n)
{
    (void)ex;
    double correct1 = 1.0 - pow(p.beta1, (double)p.step), correct2 = 1.0 - pow(p.beta2, (double)p.step);
    for (int64_t i = 0; i < n; i++) {
        double grad = bounded((double)g[i] * p.grad_scale, p.bound) + (p.coupled ? (double)p.weight_decay * w[i] : 0.0);
        double weight = w[i] - (p.coupled ? 0.0 : (double)p.lr * p.weight_decay * w[i]);
        double m1 = p.beta1 * (double)m[i] + (1.0 - p.beta1) * grad;
        double v1 = p.beta2 * (double)v[i] + (1.0 - p.beta2) * grad * grad;
        m[i] = (float)m1, v[i] = (float)v1;
        w[i] = (float)(weight - p.lr * (m1 / correct1) / (sqrt(v1 / correct2) + p.eps));
    }
}

void cw_ref_sgd(const cw_exec *ex, float *w, float *m, const float *g, cw_sgd p, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) {
        double grad = bounded((double)g[i] * p.grad_scale, p.bound) + (double)p.weight_decay * w[i];
        double m1 = (double)p.momentum * m[i] + grad;
        m[i] = (float)m1;
        w[i] = (float)(w[i] - p.lr * m1);
    }
}
