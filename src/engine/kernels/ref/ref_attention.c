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

/* query i and key j, both counted from the first of sequence s */
static int sees(const cw_attend *a, int64_t s, int64_t i, int64_t j)
{
    int64_t own = i + cw_attend_keys(a, s) - (a->query.start[s + 1] - a->query.start[s]);
    if (a->mask == CW_MASK_CAUSAL) return j <= own;
    if (a->mask == CW_MASK_PREFIX) return j < a->prefix[s] || j == own;
    return 1;
}

/* o_i = sum_j softmax_j(scale q_i.k_j) v_j over the keys it sees; first the largest score of the row, then the sums. */
void cw_ref_attend(const cw_exec *ex, float *o, float *lse, const float *q, int64_t ldq, const float *k, int64_t ldk,
                   const float *v, int64_t ldv, cw_attend a)
{
    (void)ex;
    int64_t n = a.query.start[a.query.count], d = a.head_dim, width = a.heads * d;
    for (int64_t s = 0; s < a.query.count; s++) {
        int64_t begin = a.query.start[s], rows = a.query.start[s + 1] - begin, keys = cw_attend_keys(&a, s);
        for (int64_t h = 0; h < a.heads; h++) {
            const float *qh = q + begin * ldq + h * d, *kh = k + a.key_start[s] * ldk + h * d;
            const float *vh = v + a.key_start[s] * ldv + h * d;
            for (int64_t i = 0; i < rows; i++) {
                double top = -INFINITY, sum = 0, acc[MAX_HEAD_DIM] = {0};
                for (int64_t j = 0; j < keys; j++)
                    if (sees(&a, s, i, j)) top = fmax(top, a.scale * dot(qh + i * ldq, kh + j * ldk, d));
                for (int64_t j = 0; j < keys; j++) {
                    if (!sees(&a, s, i, j)) continue;
                    double e = exp(a.scale * dot(qh + i * ldq, kh + j * ldk, d) - top);
                    sum += e;
                    for (int64_t c = 0; c < d; c++) acc[c] += e * vh[j * ldv + c];
                }
                float *oi = o + (begin + i) * width + h * d;
                for (int64_t c = 0; c < d; c++) oi[c] = top == -INFINITY ? 0.0f : (float)(acc[c] / sum);
                lse[h * n + begin + i] = top == -INFINITY ? INFINITY : (float)(top + log(sum)); /* p = e^(s - lse) */
            }
        }
    }
}

/* With p_ij = exp(scale q_i.k_j - lse_i) and delta_i = dout_i.o_i:
 *   ds_ij = p_ij (dout_i.v_j - delta_i) scale,  dq_i = sum_j ds_ij k_j,  dk_j = sum_i ds_ij q_i,
 *   dv_j = sum_i p_ij dout_i */
void cw_ref_attend_backward(const cw_exec *ex, float *dq, int64_t lddq, float *dk, int64_t lddk, float *dv,
                            int64_t lddv, float *delta, const float *dout, const float *o, const float *lse,
                            const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v, int64_t ldv,
                            cw_attend a)
{
    (void)ex;
    int64_t n = a.query.start[a.query.count], d = a.head_dim, width = a.heads * d;
    for (int64_t s = 0; s < a.query.count; s++) {
        int64_t begin = a.query.start[s], rows = a.query.start[s + 1] - begin, first = a.key_start[s];
        int64_t keys = cw_attend_keys(&a, s);
        for (int64_t h = 0; h < a.heads; h++) {
            const float *qh = q + begin * ldq + h * d, *kh = k + first * ldk + h * d, *vh = v + first * ldv + h * d;
            const float *gh = dout + begin * width + h * d, *oh = o + begin * width + h * d;
            const float *lh = lse + h * n + begin;
            float *delta_h = delta + h * n + begin;
            for (int64_t i = 0; i < rows; i++) { /* one query: delta and dq */
                double acc[MAX_HEAD_DIM] = {0}, di = dot(gh + i * width, oh + i * width, d);
                delta_h[i] = (float)di;
                for (int64_t j = 0; j < keys; j++) {
                    if (!sees(&a, s, i, j)) continue;
                    double p = exp(a.scale * dot(qh + i * ldq, kh + j * ldk, d) - lh[i]);
                    double ds = p * (dot(gh + i * width, vh + j * ldv, d) - di) * a.scale;
                    for (int64_t c = 0; c < d; c++) acc[c] += ds * kh[j * ldk + c];
                }
                for (int64_t c = 0; c < d; c++) dq[(begin + i) * lddq + h * d + c] = (float)acc[c];
            }
            for (int64_t j = 0; j < keys; j++) { /* one key: dk and dv */
                double acck[MAX_HEAD_DIM] = {0}, accv[MAX_HEAD_DIM] = {0};
                for (int64_t i = 0; i < rows; i++) {
                    if (!sees(&a, s, i, j)) continue;
                    double p = exp(a.scale * dot(qh + i * ldq, kh + j * ldk, d) - lh[i]);
                    double ds = p * (dot(gh + i * width, vh + j * ldv, d) - delta_h[i]) * a.scale;
                    for (int64_t c = 0; c < d; c++) {
                        acck[c] += ds * qh[i * ldq + c];
                        accv[c] += p * gh[i * width + c];
                    }
                }
                for (int64_t c = 0; c < d; c++) {
                    dk[(first + j) * lddk + h * d + c] = (float)acck[c];
                    dv[(first + j) * lddv + h * d + c] = (float)accv[c];
                }
            }
        }
    }
}

void cw_ref_attention(const cw_exec *ex, float *o, float *lse, const float *q, const float *k, const float *v,
                      int64_t stride, cw_ragged seq, cw_attention a)
{
    cw_ref_attend(ex, o, lse, q, stride, k, stride, v, stride, cw_attend_itself(seq, a));
}

void cw_ref_attention_backward(const cw_exec *ex, float *dq, float *dk, float *dv, int64_t dstride, float *delta,
                               const float *dout, const float *o, const float *lse, const float *q, const float *k,
                               const float *v, int64_t stride, cw_ragged seq, cw_attention a)
{
    cw_ref_attend_backward(ex, dq, dstride, dk, dstride, dv, dstride, delta, dout, o, lse, q, stride, k, stride, v,
                           stride, cw_attend_itself(seq, a));
}
