/* ref_batchnorm.c: batch normalisation (Ioffe & Szegedy 2015), column by column. */
#include "ref.h"

#include <math.h>

static double count_of(const float *times, int64_t i) { return times ? times[i] : 1.0; }

static double total_of(const float *times, int64_t n)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++) total += count_of(times, i);
    return total;
}

void cw_ref_batch_stats(const cw_exec *ex, float *mean, float *var, const float *x, const float *times, int64_t n,
                        int64_t d)
{
    (void)ex;
    double total = total_of(times, n);
    for (int64_t j = 0; j < d; j++) {
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < n; i++) sum += count_of(times, i) * x[i * d + j];
        double m = sum / total;
        for (int64_t i = 0; i < n; i++) squares += count_of(times, i) * (x[i * d + j] - m) * (x[i * d + j] - m);
        mean[j] = (float)m;
        var[j] = (float)(squares / total);
    }
}

void cw_ref_batch_norm(const cw_exec *ex, float *y, const float *x, const float *mean, const float *var, const float *w,
                       const float *b, float eps, int64_t n, int64_t d)
{
    (void)ex;
    for (int64_t j = 0; j < d; j++) {
        double rstd = 1.0 / sqrt((double)var[j] + eps);
        for (int64_t i = 0; i < n; i++) {
            double v = ((double)x[i * d + j] - mean[j]) * rstd;
            y[i * d + j] = (float)(v * (w ? w[j] : 1.0f) + (b ? b[j] : 0.0f));
        }
    }
}

/* With v = (x - mean) rstd:  dw = sum dy v, db = sum dy, dx = w rstd (dy - times (sum dy + v sum dy v) / total where mean
 * and var are x's own). */
void cw_ref_batch_norm_backward(const cw_exec *ex, float *dx, float *dw, float *db, float *work, const float *dy,
                                const float *x, const float *mean, const float *var, const float *w, float eps, int own,
                                const float *times, int64_t n, int64_t d)
{
    (void)ex, (void)work;
    double total = total_of(times, n);
    for (int64_t j = 0; j < d; j++) {
        double rstd = 1.0 / sqrt((double)var[j] + eps), sum = 0, along = 0;
        for (int64_t i = 0; i < n; i++) {
            sum += dy[i * d + j];
            along += dy[i * d + j] * ((double)x[i * d + j] - mean[j]) * rstd;
        }
        if (dw) dw[j] += (float)along;
        if (db) db[j] += (float)sum;
        for (int64_t i = 0; dx && i < n; i++) {
            double g = dy[i * d + j], v = ((double)x[i * d + j] - mean[j]) * rstd;
            if (own) g -= count_of(times, i) * (sum + v * along) / total;
            dx[i * d + j] += (float)((w ? w[j] : 1.0f) * rstd * g);
        }
    }
}
