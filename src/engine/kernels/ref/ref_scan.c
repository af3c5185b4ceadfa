/* ref_scan.c: the selective scan token by token, and attention without a softmax. States in double. */
#include "ref.h"

#include <math.h>

enum { MAX_STATE = 256 };

static int64_t longest(cw_ragged seq)
{
    int64_t most = 0;
    for (int64_t s = 0; s < seq.count; s++)
        if (seq.start[s + 1] - seq.start[s] > most) most = seq.start[s + 1] - seq.start[s];
    return most;
}

/* the backward keeps one double a token */
int64_t cw_ref_scan_work(const cw_exec *ex, cw_scan s, int backward)
{
    (void)ex;
    return backward ? 2 * longest(s.seq) : 0;
}

void cw_ref_scan(const cw_exec *ex, float *y, float *work, const float *x, int64_t ldx, const float *dt, const float *a,
                 const float *b, int64_t ldb, const float *c, int64_t ldc, const float *D, cw_scan s)
{
    (void)ex, (void)work;
    for (int64_t q = 0; q < s.seq.count; q++)
        for (int64_t i = 0; i < s.heads * s.head_dim; i++) { /* rows of S don't know each other */
            int64_t h = i / s.head_dim, group = h / (s.heads / s.groups) * s.state;
            double S[MAX_STATE] = {0};
            for (int64_t t = s.seq.start[q]; t < s.seq.start[q + 1]; t++) {
                double step = dt[t * s.heads + h], keep = exp(step * a[h]), u = step * x[t * ldx + i], sum = 0;
                for (int64_t n = 0; n < s.state; n++) {
                    S[n] = keep * S[n] + u * b[t * ldb + group + n];
                    sum += S[n] * c[t * ldc + group + n];
                }
                y[t * s.heads * s.head_dim + i] = (float)(sum + (D ? (double)D[h] * x[t * ldx + i] : 0.0));
            }
        }
}

/* With G_t the gradient of S_t:  G_t = dy_t C_t^T + e^(dt_(t+1) a) G_(t+1),  u_t = dt_t x_t,
 *   dC_t = S_t^T dy_t,  dB_t = G_t^T u_t,  du_t = G_t B_t,  dx_t = dt_t du_t + D dy_t.
 * The decay's exponent dt_t a has the gradient h_t = <G_t, e^(dt_t a) S_(t-1)>; and since <G_t, S_t> is both
 * h_t + u_t.du_t and dy_t.(S_t C_t) + h_(t+1):  h_t = h_(t+1) + dy_t.(S_t C_t) - u_t.du_t. */
void cw_ref_scan_backward(const cw_exec *ex, float *dx, int64_t lddx, float *ddt, float *da, float *db, int64_t lddb,
                          float *dc, int64_t lddc, float *dD, float *work, const float *dy, const float *x, int64_t ldx,
                          const float *dt, const float *a, const float *b, int64_t ldb, const float *c, int64_t ldc,
                          const float *D, cw_scan s)
{
    (void)ex;
    double *change = (double *)work; /* of h at each token */
    int64_t width = s.heads * s.head_dim;
    for (int64_t q = 0; q < s.seq.count; q++)
        for (int64_t h = 0; h < s.heads; h++) {
            int64_t first = s.seq.start[q], last = s.seq.start[q + 1], group = h / (s.heads / s.groups) * s.state;
            double skip = 0;
            for (int64_t t = first; t < last; t++) change[t - first] = 0;
            for (int64_t i = h * s.head_dim; i < (h + 1) * s.head_dim; i++) {
                double S[MAX_STATE] = {0}, G[MAX_STATE] = {0};
                for (int64_t t = first; t < last; t++) {
                    double step = dt[t * s.heads + h], keep = exp(step * a[h]), u = step * x[t * ldx + i], sum = 0;
                    double g = dy[t * width + i];
                    for (int64_t n = 0; n < s.state; n++) {
                        S[n] = keep * S[n] + u * b[t * ldb + group + n];
                        sum += S[n] * c[t * ldc + group + n];
                        if (dc) dc[t * lddc + group + n] += (float)(g * S[n]);
                    }
                    change[t - first] += g * sum;
                    skip += g * x[t * ldx + i];
                }
                for (int64_t t = last - 1; t >= first; t--) {
                    double step = dt[t * s.heads + h], keep = exp(step * a[h]), g = dy[t * width + i], du = 0;
                    for (int64_t n = 0; n < s.state; n++) {
                        G[n] += g * c[t * ldc + group + n];
                        du += G[n] * b[t * ldb + group + n];
                        if (db) db[t * lddb + group + n] += (float)(step * x[t * ldx + i] * G[n]);
                        G[n] *= keep;
                    }
                    if (dx) dx[t * lddx + i] += (float)(step * du + (D ? D[h] * g : 0.0));
                    if (ddt) ddt[t * s.heads + h] += (float)(x[t * ldx + i] * du);
                    change[t - first] -= step * x[t * ldx + i] * du;
                }
            }
            double exponent = 0, decay = 0;
            for (int64_t t = last - 1; t >= first; t--) {
                exponent += change[t - first];
                if (ddt) ddt[t * s.heads + h] += (float)(a[h] * exponent);
                decay += dt[t * s.heads + h] * exponent;
            }
            if (da) da[h] += (float)decay;
            if (dD) dD[h] += (float)skip;
        }
}

/* ---- S = K^T V, o = scale Q S ---- */

void cw_ref_linear_attend(const cw_exec *ex, float *o, float *S, const float *q, int64_t ldq, const float *k,
                          int64_t ldk, const float *v, int64_t ldv, cw_attend a)
{
    (void)ex;
    int64_t d = a.head_dim, width = a.heads * d;
    for (int64_t s = 0; s < a.query.count; s++)
        for (int64_t h = 0; h < a.heads; h++, S += d * d) {
            int64_t first = a.key_start[s], last = first + cw_attend_keys(&a, s);
            for (int64_t i = 0; i < d; i++)
                for (int64_t j = 0; j < d; j++) {
                    double sum = 0;
                    for (int64_t t = first; t < last; t++)
                        sum += (double)k[t * ldk + h * d + i] * v[t * ldv + h * d + j];
                    S[i * d + j] = (float)sum;
                }
            for (int64_t t = a.query.start[s]; t < a.query.start[s + 1]; t++)
                for (int64_t j = 0; j < d; j++) {
                    double sum = 0;
                    for (int64_t i = 0; i < d; i++) sum += (double)q[t * ldq + h * d + i] * S[i * d + j];
                    o[t * width + h * d + j] = (float)(a.scale * sum);
                }
        }
}

/* dS = scale Q^T dO:  dQ = scale dO S^T,  dK = V dS^T,  dV = K dS */
void cw_ref_linear_attend_backward(const cw_exec *ex, float *dq, int64_t lddq, float *dk, int64_t lddk, float *dv,
                                   int64_t lddv, float *work, const float *dout, const float *S, const float *q,
                                   int64_t ldq, const float *k, int64_t ldk, const float *v, int64_t ldv, cw_attend a)
{
    (void)ex;
    int64_t d = a.head_dim, width = a.heads * d;
    for (int64_t s = 0; s < a.query.count; s++)
        for (int64_t h = 0; h < a.heads; h++, S += d * d) {
            int64_t first = a.key_start[s], last = first + cw_attend_keys(&a, s);
            for (int64_t i = 0; i < d; i++)
                for (int64_t j = 0; j < d; j++) {
                    double sum = 0;
                    for (int64_t t = a.query.start[s]; t < a.query.start[s + 1]; t++)
                        sum += (double)q[t * ldq + h * d + i] * dout[t * width + h * d + j];
                    work[i * d + j] = (float)(a.scale * sum);
                }
            for (int64_t t = a.query.start[s]; dq && t < a.query.start[s + 1]; t++)
                for (int64_t i = 0; i < d; i++) {
                    double sum = 0;
                    for (int64_t j = 0; j < d; j++) sum += (double)dout[t * width + h * d + j] * S[i * d + j];
                    dq[t * lddq + h * d + i] += (float)(a.scale * sum);
                }
            for (int64_t t = first; t < last; t++)
                for (int64_t i = 0; i < d; i++) {
                    double to_k = 0, to_v = 0;
                    for (int64_t j = 0; j < d; j++) {
                        to_k += (double)v[t * ldv + h * d + j] * work[i * d + j];
                        to_v += (double)k[t * ldk + h * d + j] * work[j * d + i];
                    }
                    if (dk) dk[t * lddk + h * d + i] += (float)to_k;
                    if (dv) dv[t * lddv + h * d + i] += (float)to_v;
                }
        }
}
