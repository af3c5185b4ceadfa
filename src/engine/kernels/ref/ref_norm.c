/* ref_norm.c: RMSNorm (Zhang & Sennrich 2019), LayerNorm (Ba et al. 2016), softmax; each over a row of d. */
#include "ref.h"

#include <math.h>

void cw_ref_rmsnorm(const cw_exec *ex, float *y, float *rstd, const float *x, const float *w, float eps, int64_t n,
                    int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) {
        const float *row = x + i * d;
        double sum = 0;
        for (int64_t j = 0; j < d; j++) sum += (double)row[j] * row[j];
        double r = 1.0 / sqrt(sum / (double)d + eps);
        rstd[i] = (float)r;
        for (int64_t j = 0; j < d; j++) y[i * d + j] = (float)(row[j] * r * (w ? w[j] : 1.0));
    }
}

/* With g = dy w and h = x rstd:  dx = rstd (g - h mean(g h)),  dw = sum over rows of dy h. */
void cw_ref_rmsnorm_backward(const cw_exec *ex, float *dx, float *dw, const float *dy, const float *x, const float *w,
                             const float *rstd, int64_t n, int64_t d)
{
    (void)ex;
    for (int64_t i = 0; dx && i < n; i++) {
        double r = rstd[i], mean = 0;
        for (int64_t j = 0; j < d; j++) mean += (double)dy[i * d + j] * (w ? w[j] : 1.0) * x[i * d + j] * r;
        mean /= (double)d;
        for (int64_t j = 0; j < d; j++) {
            double g = (double)dy[i * d + j] * (w ? w[j] : 1.0), h = x[i * d + j] * r;
            dx[i * d + j] += (float)(r * (g - h * mean));
        }
    }
    for (int64_t j = 0; dw && j < d; j++) {
        double sum = 0;
        for (int64_t i = 0; i < n; i++) sum += (double)dy[i * d + j] * x[i * d + j] * rstd[i];
        dw[j] += (float)sum;
    }
}

void cw_ref_layernorm(const cw_exec *ex, float *y, float *mean, float *rstd, const float *x, const float *w,
                      const float *b, float eps, int64_t n, int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) {
        const float *row = x + i * d;
        double mu = 0, var = 0;
        for (int64_t j = 0; j < d; j++) mu += row[j];
        mu /= (double)d;
        for (int64_t j = 0; j < d; j++) var += (row[j] - mu) * (row[j] - mu);
        double r = 1.0 / sqrt(var / (double)d + eps);
        mean[i] = (float)mu, rstd[i] = (float)r;
        for (int64_t j = 0; j < d; j++)
            y[i * d + j] = (float)((row[j] - mu) * r * (w ? w[j] : 1.0) + (b ? b[j] : 0.0));
    }
}

/* With g = dy w and h = (x - mean) rstd:  dx = rstd (g - mean(g) - h mean(g h)),  dw = sum dy h,  db = sum dy. */
void cw_ref_layernorm_backward(const cw_exec *ex, float *dx, float *dw, float *db, const float *dy, const float *x,
                               const float *w, const float *mean, const float *rstd, int64_t n, int64_t d)
{
    (void)ex;
    for (int64_t i = 0; dx && i < n; i++) {
        double r = rstd[i], mu = mean[i], mean_g = 0, mean_gh = 0;
        for (int64_t j = 0; j < d; j++) {
            double g = (double)dy[i * d + j] * (w ? w[j] : 1.0);
            mean_g += g, mean_gh += g * (x[i * d + j] - mu) * r;
        }
        mean_g /= (double)d, mean_gh /= (double)d;
        for (int64_t j = 0; j < d; j++) {
            double g = (double)dy[i * d + j] * (w ? w[j] : 1.0), h = (x[i * d + j] - mu) * r;
            dx[i * d + j] += (float)(r * (g - mean_g - h * mean_gh));
        }
    }
    for (int64_t j = 0; j < d; j++) {
        double sum_w = 0, sum_b = 0;
        for (int64_t i = 0; i < n; i++) {
            sum_w += (double)dy[i * d + j] * ((double)x[i * d + j] - mean[i]) * rstd[i];
            sum_b += dy[i * d + j];
        }
        if (dw) dw[j] += (float)sum_w;
        if (db) db[j] += (float)sum_b;
    }
}

void cw_ref_softmax(const cw_exec *ex, float *y, const float *x, float scale, int64_t n, int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) {
        const float *row = x + i * d;
        double top = -INFINITY, sum = 0;
        for (int64_t j = 0; j < d; j++) top = fmax(top, (double)scale * row[j]);
        for (int64_t j = 0; j < d; j++) sum += exp((double)scale * row[j] - top);
        for (int64_t j = 0; j < d; j++) y[i * d + j] = (float)(exp((double)scale * row[j] - top) / sum);
    }
}

/* dx = scale y (dy - sum(y dy)) */
void cw_ref_softmax_backward(const cw_exec *ex, float *dx, const float *dy, const float *y, float scale, int64_t n,
                             int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) {
        double dot = 0;
        for (int64_t j = 0; j < d; j++) dot += (double)y[i * d + j] * dy[i * d + j];
        for (int64_t j = 0; j < d; j++) dx[i * d + j] += (float)(scale * (double)y[i * d + j] * (dy[i * d + j] - dot));
    }
}
