/* ref_loss.c: losses, and sums to one number. */
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

/* ---- sums: in double, in order ---- */

void cw_ref_sum(const cw_exec *ex, float *out, const float *x, double scale, double divisor, int64_t n)
{
    (void)ex;
    double all = 0;
    for (int64_t i = 0; i < n; i++) all += x[i];
    *out = (float)(all * scale / divisor);
}

void cw_ref_sum_double(const cw_exec *ex, float *out, const double *x, double divisor, int64_t n)
{
    (void)ex;
    double all = 0;
    for (int64_t i = 0; i < n; i++) all += x[i];
    *out = (float)(all / divisor);
}

void cw_ref_dot(const cw_exec *ex, float *out, const float *x, const float *y, double divisor, int64_t n)
{
    (void)ex;
    double all = 0;
    for (int64_t i = 0; i < n; i++) all += (double)x[i] * y[i];
    *out = (float)(all / divisor);
}

void cw_ref_mean_squared(const cw_exec *ex, float *out, const float *x, const float *y, int64_t n)
{
    (void)ex;
    double all = 0;
    for (int64_t i = 0; i < n; i++) {
        double d = (double)x[i] - y[i];
        all += d * d;
    }
    *out = (float)(all / (double)n);
}

void cw_ref_mean_squared_backward(const cw_exec *ex, float *dx, float *dy, float g, const float *x, const float *y,
                                  int64_t n)
{
    (void)ex;
    double scale = 2.0 * g / (double)n;
    for (int64_t i = 0; i < n; i++) {
        float slope = (float)(scale * ((double)x[i] - y[i]));
        if (dx) dx[i] += slope;
        if (dy) dy[i] -= slope;
    }
}

void cw_ref_mean_absolute(const cw_exec *ex, float *out, const float *x, int64_t n)
{
    (void)ex;
    double all = 0;
    for (int64_t i = 0; i < n; i++) all += fabs((double)x[i]);
    *out = (float)(all / (double)n);
}

void cw_ref_mean_absolute_backward(const cw_exec *ex, float *dx, float g, const float *x, int64_t n)
{
    (void)ex;
    float slope = g / (float)n;
    for (int64_t i = 0; i < n; i++) dx[i] += x[i] > 0 ? slope : x[i] < 0 ? -slope : 0.0f;
}

/* ---- the latent, and the likelihood of what is decoded from it ---- */

#define SIGMA_FLOOR 1e-6 /* added to softplus(s) */
#define SIGMA_LEAST 1e-5 /* and clamped to at least this where a density is taken */
#define HALF_LOG_2PI 0.91893853320467274178

static double sigmoid(double x) { return x >= 0 ? 1.0 / (1.0 + exp(-x)) : exp(x) / (1.0 + exp(x)); }
static double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

/* What published code calls nan_to_num. *live becomes 0 where the value was replaced: no gradient flows there. */
static double finite_or(double x, double nan, double up, double down, int *live)
{
    if (isfinite(x)) return x;
    *live = 0;
    return isnan(x) ? nan : x > 0 ? up : down;
}

void cw_ref_latent(const cw_exec *ex, float *z, const float *stats, const float *eps, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++)
        z[i] = (float)(stats[2 * i] + (softplus(stats[2 * i + 1]) + SIGMA_FLOOR) * eps[i]);
}

void cw_ref_latent_backward(const cw_exec *ex, float *dstats, const float *dz, const float *stats, const float *eps,
                            int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) {
        dstats[2 * i] += dz[i];
        dstats[2 * i + 1] += (float)(dz[i] * eps[i] * sigmoid(stats[2 * i + 1]));
    }
}

/* KL(N(mu, sigma) || N(0, 1)) = (mu^2 + sigma^2 - 1 - log sigma^2) / 2 and its gradient by (mu, s) */
static double kl_row(const float stats[2], double d[2])
{
    int mu_live = 1, sigma_live = 1;
    double mu = finite_or(stats[0], 0.0, 1e4, -1e4, &mu_live);
    double sigma = finite_or(softplus(stats[1]) + SIGMA_FLOOR, 1.0, 1e4, SIGMA_LEAST, &sigma_live);
    if (sigma < SIGMA_LEAST) sigma = SIGMA_LEAST, sigma_live = 0;
    d[0] = mu_live ? mu : 0.0;
    d[1] = sigma_live ? (sigma - 1.0 / sigma) * sigmoid(stats[1]) : 0.0;
    return 0.5 * (mu * mu + sigma * sigma - 1.0 - 2.0 * log(sigma));
}

void cw_ref_kl_normal(const cw_exec *ex, float *out, const float *stats, int64_t cells, int64_t n)
{
    (void)ex;
    double all = 0, d[2];
    for (int64_t i = 0; i < n; i++) all += kl_row(stats + 2 * i, d);
    *out = (float)(all / (double)cells);
}

void cw_ref_kl_normal_backward(const cw_exec *ex, float *dstats, float g, const float *stats, int64_t cells, int64_t n)
{
    (void)ex;
    double scale = g * (1.0 / (double)cells), d[2];
    for (int64_t i = 0; i < n; i++) {
        kl_row(stats + 2 * i, d);
        dstats[2 * i] += (float)(scale * d[0]);
        dstats[2 * i + 1] += (float)(scale * d[1]);
    }
}

/* log p(x) under raw = (mu, s, drop logit); d is its gradient with respect to raw. */
static double zin_row(const float raw[3], double x, double d[3])
{
    int mu_live = 1, sigma_live = 1, p_live = 1;
    double mu = finite_or(raw[0], 0.0, 1e4, -1e4, &mu_live);
    double sigma = finite_or(softplus(raw[1]) + SIGMA_FLOOR, 1.0, 1e4, SIGMA_LEAST, &sigma_live);
    double p = finite_or(sigmoid(raw[2]), 0.0, 1.0, 0.0, &p_live), slope = p * (1.0 - p);
    if (sigma < SIGMA_LEAST) sigma = SIGMA_LEAST, sigma_live = 0;
    if (p < 1e-5) p = 1e-5, p_live = 0;
    if (p > 1.0 - 1e-5) p = 1.0 - 1e-5, p_live = 0;
    double e = x - mu, log_normal = -0.5 * e * e / (sigma * sigma) - log(sigma) - HALF_LOG_2PI;
    double value, d_p, d_normal; /* of the result with respect to p and to log_normal */
    if (x == 0.0) {
        double density = exp(log_normal), total = p + (1.0 - p) * density + 1e-8;
        value = log(total);
        d_p = (1.0 - density) / total;
        d_normal = (1.0 - p) * density / total;
    } else {
        value = log(1.0 - p + 1e-8) + log_normal;
        d_p = -1.0 / (1.0 - p + 1e-8);
        d_normal = 1.0;
    }
    d[0] = mu_live ? d_normal * e / (sigma * sigma) : 0.0;
    d[1] = sigma_live ? d_normal * (e * e / (sigma * sigma * sigma) - 1.0 / sigma) * sigmoid(raw[1]) : 0.0;
    d[2] = p_live ? d_p * slope : 0.0;
    return value;
}

void cw_ref_zi_normal(const cw_exec *ex, float *out, const float *raw, const float *x, int64_t cells, int64_t n)
{
    (void)ex;
    double all = 0, d[3];
    for (int64_t i = 0; i < n; i++) all += zin_row(raw + 3 * i, x[i], d);
    *out = (float)(-all / (double)cells);
}

void cw_ref_zi_normal_backward(const cw_exec *ex, float *draw, float g, const float *raw, const float *x, int64_t cells,
                               int64_t n)
{
    (void)ex;
    double scale = -g * (1.0 / (double)cells), d[3];
    for (int64_t i = 0; i < n; i++) {
        zin_row(raw + 3 * i, x[i], d);
        for (int j = 0; j < 3; j++) draw[3 * i + j] += (float)(scale * d[j]);
    }
}

/* ---- cross entropy against distributions ---- */

void cw_ref_soft_cross_entropy(const cw_exec *ex, float *result, float *slope, const float *x, const float *target,
                               float scale, int64_t n, int64_t d)
{
    (void)ex;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const float *row = x + i * d, *want = target + i * d;
        float *out = slope + i * d, top = -INFINITY;
        for (int64_t j = 0; j < d; j++) top = fmaxf(top, scale * row[j]);
        double all = 0, mass = 0, inner = 0;
        for (int64_t j = 0; j < d; j++) {
            out[j] = expf(scale * row[j] - top);
            all += out[j], mass += want[j], inner += (double)want[j] * (scale * row[j] - top);
        }
        sum += mass * log(all) - inner;
        for (int64_t j = 0; j < d; j++) out[j] = (float)(scale * (mass * (out[j] / all) - want[j]) / (double)n);
    }
    *result = (float)(n ? sum / (double)n : 0.0);
}

void cw_ref_row_weights(const cw_exec *ex, float *w, const int32_t *target, float a, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) w[i] = target[i] < 0 ? 0.0f : a;
}

void cw_ref_row_shift(const cw_exec *ex, float *dy, const float *y, int64_t n, int64_t m)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++, dy += m, y += m) {
        int64_t largest = 0;
        for (int64_t j = 1; j < m; j++)
            if (y[j] > y[largest]) largest = j;
        float shift = m > 0 ? dy[largest] : 0.0f;
        for (int64_t j = 0; j < m; j++) dy[j] -= shift;
    }
}

/* ---- contrast of pairs ---- */

/* Adds (softmax(S / temperature) - 1_i) scale of n values at `step` to g; returns -log softmax(S / temperature)[i]. */
static double contrast_line(float *g, const float *S, int64_t i, int64_t n, int64_t step, double temperature,
                            double scale)
{
    double top = -INFINITY, sum = 0;
    for (int64_t j = 0; j < n; j++) top = fmax(top, S[j * step] / temperature);
    for (int64_t j = 0; j < n; j++) sum += exp(S[j * step] / temperature - top);
    for (int64_t j = 0; j < n; j++)
        g[j * step] += (float)(scale * (exp(S[j * step] / temperature - top) / sum - (j == i)));
    return log(sum) + top - S[i * step] / temperature;
}

void cw_ref_contrast(const cw_exec *ex, float *out, float *slope, const float *S, float temperature, int64_t n)
{
    (void)ex;
    double sum = 0, scale = 0.5 / (double)n;
    for (int64_t i = 0; i < n * n; i++) slope[i] = 0.0f;
    for (int64_t i = 0; i < n; i++) {
        sum += contrast_line(slope + i * n, S + i * n, i, n, 1, temperature, scale);
        sum += contrast_line(slope + i, S + i, i, n, n, temperature, scale);
    }
    *out = (float)(scale * sum);
}
