/* ref_attention.c: rotary positions and multi-head attention as the equations say them. Plain loops, sums in double,
 * no storage beyond one head's row: scores are computed again where they are needed twice. */
#include <math.h>

#include "../kernels.h"
#include "ref.h"

enum { MAX_HEAD_DIM = 256 };

/* Su et al. 2021 (RoFormer): (x1, x2) -> (x1 cos t - x2 sin t, x1 sin t + x2 cos t), t = position / base^(2 i / Dh) */
void cw_ref_rotary(const cw_exec *ex, float *x, int64_t stride, const int32_t *position, cw_rotary kind, float base,
                   int inverse, int64_t n, int64_t heads, int64_t head_dim)
{
    (void)ex;
    if (kind == CW_ROTARY_NONE) return;
    int64_t half = head_dim / 2;
    for (int64_t row = 0; row < n; row++) {
        for (int64_t i = 0; i < half; i++) {
            double t = position[row] / pow(base, 2.0 * (double)i / (double)head_dim);
            double c = cos(t), s = inverse ? -sin(t) : sin(t);
            for (int64_t h = 0; h < heads; h++) {
                float *head = x + row * stride + h * head_dim;
                float *x1 = head + (kind == CW_ROTARY_HALF ? i : 2 * i);
                float *x2 = head + (kind == CW_ROTARY_HALF ? i + half : 2 * i + 1);
                double a = *x1, b = *x2;
                *x1 = (float)(a * c - b * s);
                *x2 = (float)(a * s + b * c);
            }
        }
    }
}

static double dot(const float *a, const float *b, int64_t d)
{
    double sum = 0;
    for (int64_t i = 0; i < d; i++) sum += (double)a[i] * b[i];
    return sum;
}

/* o_i = sum_j softmax_j(scale q_i.k_j) v_j; first the largest score of the row, then the sums. */
void cw_ref_attention(const cw_exec *ex, float *o, float *lse, const float *q, const float *k, const float *v,
                      int64_t stride, cw_ragged seq, cw_attention a)
{
    (void)ex;
    int64_t n = seq.start[seq.count], d = a.head_dim, width = a.heads * d;
    for (int64_t s = 0; s < seq.count; s++) {
        int64_t begin = seq.start[s], end = seq.start[s + 1];
        for (int64_t h = 0; h < a.heads; h++) {
            for (int64_t i = begin; i < end; i++) {
                int64_t stop = a.causal ? i + 1 : end;
                const float *qi = q + i * stride + h * d;
                double top = -INFINITY, sum = 0, acc[MAX_HEAD_DIM] = {0};
                for (int64_t j = begin; j < stop; j++) top = fmax(top, a.scale * dot(qi, k + j * stride + h * d, d));
                for (int64_t j = begin; j < stop; j++) {
                    double e = exp(a.scale * dot(qi, k + j * stride + h * d, d) - top);
                    const float *vj = v + j * stride + h * d;
                    sum += e;
                    for (int64_t c = 0; c < d; c++) acc[c] += e * vj[c];
                }
                for (int64_t c = 0; c < d; c++) o[i * width + h * d + c] = (float)(acc[c] / sum);
                lse[h * n + i] = (float)(top + log(sum));
            }
        }
    }
}

/* With p_ij = exp(scale q_i.k_j - lse_i) and delta_i = dout_i.o_i:
 *   ds_ij = p_ij (dout_i.v_j - delta_i) scale,  dq_i = sum_j ds_ij k_j,  dk_j = sum_i ds_ij q_i,
 *   dv_j = sum_i p_ij dout_i */
void cw_ref_attention_backward(const cw_exec *ex, float *dq, float *dk, float *dv, int64_t dstride, float *delta,
                               const float *dout, const float *o, const float *lse, const float *q, const float *k,
                               const float *v, int64_t stride, cw_ragged seq, cw_attention a)
{
    (void)ex;
    int64_t n = seq.start[seq.count], d = a.head_dim, width = a.heads * d;
    for (int64_t s = 0; s < seq.count; s++) {
        int64_t begin = seq.start[s], end = seq.start[s + 1];
        for (int64_t h = 0; h < a.heads; h++) {
            const float *qh = q + h * d, *kh = k + h * d, *vh = v + h * d, *gh = dout + h * d;
            for (int64_t i = begin; i < end; i++) { /* one query: delta and dq */
                double acc[MAX_HEAD_DIM] = {0}, di = dot(gh + i * width, o + i * width + h * d, d);
                delta[h * n + i] = (float)di;
                for (int64_t j = begin; j < (a.causal ? i + 1 : end); j++) {
                    double p = exp(a.scale * dot(qh + i * stride, kh + j * stride, d) - lse[h * n + i]);
                    double ds = p * (dot(gh + i * width, vh + j * stride, d) - di) * a.scale;
                    for (int64_t c = 0; c < d; c++) acc[c] += ds * kh[j * stride + c];
                }
                for (int64_t c = 0; c < d; c++) dq[i * dstride + h * d + c] = (float)acc[c];
            }
            for (int64_t j = begin; j < end; j++) { /* one key: dk and dv */
                double acck[MAX_HEAD_DIM] = {0}, accv[MAX_HEAD_DIM] = {0};
                for (int64_t i = a.causal ? j : begin; i < end; i++) {
                    double p = exp(a.scale * dot(qh + i * stride, kh + j * stride, d) - lse[h * n + i]);
                    double ds = p * (dot(gh + i * width, vh + j * stride, d) - delta[h * n + i]) * a.scale;
                    for (int64_t c = 0; c < d; c++) {
                        acck[c] += ds * qh[i * stride + c];
                        accv[c] += p * gh[i * width + c];
                    }
                }
                for (int64_t c = 0; c < d; c++) {
                    dk[j * dstride + h * d + c] = (float)acck[c];
                    dv[j * dstride + h * d + c] = (float)accv[c];
                }
            }
        }
    }
}
