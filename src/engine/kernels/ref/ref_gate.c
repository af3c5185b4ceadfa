/* ref_gate.c: the top-k gate of the routers, and soft assignment to prototypes. */
#include "ref.h"

#include "../../core/select.h"

#include <math.h>

/* a before b in "largest first"; NaN counts as largest, so that it comes through */
static int larger(float a, float b) { return a > b || (isnan(a) && !isnan(b)); }

void cw_ref_topk_gate(const cw_exec *ex, float *y, const float *x, const float *beta, int64_t k, float temperature,
                      int64_t n, int64_t d)
{
    if (k >= d) {
        cw_ref_softmax(ex, y, x, 1.0f / temperature, n, d);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const float *row = x + i * d;
        float *out = y + i * d;
        /* out marks the chosen: k times the largest of those left, the lowest column among equals */
        for (int64_t j = 0; j < d; j++) out[j] = 0.0f;
        for (int64_t c = 0; c < k; c++) {
            int64_t best = -1;
            for (int64_t j = 0; j < d; j++)
                if (out[j] == 0.0f &&
                    (best < 0 || larger(row[j] - (beta ? beta[j] : 0.0f), row[best] - (beta ? beta[best] : 0.0f))))
                    best = j;
            out[best] = 1.0f;
        }
        double top = -INFINITY, sum = 0;
        for (int64_t j = 0; j < d; j++)
            if (out[j] != 0.0f) top = fmax(top, (double)row[j] / temperature);
        for (int64_t j = 0; j < d; j++)
            if (out[j] != 0.0f) sum += exp((double)row[j] / temperature - top);
        for (int64_t j = 0; j < d; j++)
            if (out[j] != 0.0f) out[j] = (float)(exp((double)row[j] / temperature - top) / sum);
    }
}

void cw_ref_topk_gate_backward(const cw_exec *ex, float *dx, const float *dy, const float *y, float temperature,
                               int64_t n, int64_t d)
{
    cw_ref_softmax_backward(ex, dx, dy, y, 1.0f / temperature, n, d); /* adds 0 where y = 0 */
}

static double sqdist(const float *a, const float *b, int64_t d)
{
    double sum = 0;
    for (int64_t c = 0; c < d; c++) {
        double diff = (double)a[c] - b[c];
        sum += diff * diff;
    }
    return sum;
}

void cw_ref_soft_bins(const cw_exec *ex, float *y, const float *x, const float *p, float scale, int64_t n, int64_t m,
                      int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) {
        double top = -INFINITY, sum = 0;
        for (int64_t j = 0; j < m; j++) top = fmax(top, -(double)scale * sqdist(x + i * d, p + j * d, d));
        for (int64_t j = 0; j < m; j++) {
            double e = exp(-(double)scale * sqdist(x + i * d, p + j * d, d) - top);
            sum += e;
            y[i * m + j] = (float)e;
        }
        for (int64_t j = 0; j < m; j++) y[i * m + j] = (float)(y[i * m + j] / sum);
    }
}

/* With s_ij = dL/d(score_ij), whose rows sum to 0: dx_i = 2 scale sum_j s_ij p_j (x_i drops out, and with it the rounding of
 * a difference of large numbers),  dp_j = 2 scale sum_i s_ij (x_i - p_j). */
void cw_ref_soft_bins_backward(const cw_exec *ex, float *dx, float *dp, float *work, const float *dy, const float *y,
                               const float *x, const float *p, float scale, int64_t n, int64_t m, int64_t d)
{
    for (int64_t i = 0; i < n * m; i++) work[i] = 0.0f;
    cw_ref_softmax_backward(ex, work, dy, y, 1.0f, n, m);
    for (int64_t i = 0; dx && i < n; i++)
        for (int64_t c = 0; c < d; c++) {
            double sum = 0;
            for (int64_t j = 0; j < m; j++) sum += (double)work[i * m + j] * p[j * d + c];
            dx[i * d + c] += (float)(2.0 * scale * sum);
        }
    for (int64_t j = 0; dp && j < m; j++)
        for (int64_t c = 0; c < d; c++) {
            double sum = 0;
            for (int64_t i = 0; i < n; i++) sum += (double)work[i * m + j] * ((double)x[i * d + c] - p[j * d + c]);
            dp[j * d + c] += (float)(2.0 * scale * sum);
        }
}

/* ---- loads of a router ---- */

float cw_router_alpha(float *line, const float *x, const float *beta, int64_t k, int64_t i, int64_t d)
{
    for (int64_t j = 0; j < d; j++) line[j] = x[i * d + j] - beta[j];
    return cw_select_largest(line, d, k + 1);
}

float cw_router_quantile(float *line, const float *x, const float *alpha, int64_t rank, int64_t j, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++) line[i] = x[i * d + j] - alpha[i];
    return cw_select_largest(line, n, rank);
}

/* alpha (n), then a line for each worker */
int64_t cw_ref_router_work(const cw_exec *ex, int64_t n, int64_t d)
{
    (void)ex;
    return n + (n > d ? n : d);
}

void cw_ref_router_quantiles(const cw_exec *ex, float *q, float *work, const float *x, const float *beta, int64_t k,
                             int64_t rank, int64_t n, int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) work[i] = cw_router_alpha(work + n, x, beta, k, i, d);
    for (int64_t j = 0; j < d; j++) q[j] = cw_router_quantile(work + n, x, work, rank, j, n, d);
}
