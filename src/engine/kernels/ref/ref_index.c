/* ref_index.c: gather and scatter-add of rows, pooling and sums over segments. */
#include "ref.h"

#include <math.h>

void cw_ref_gather(const cw_exec *ex, float *y, const float *table, const int32_t *index, int accumulate, int64_t n,
                   int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) {
            float v = index[i] < 0 ? 0.0f : table[(int64_t)index[i] * d + j];
            if (accumulate) y[i * d + j] += v;
            else y[i * d + j] = v;
        }
}

void cw_ref_scatter_add(const cw_exec *ex, float *dtable, const float *dy, const int32_t *index, int64_t n, int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; index[i] >= 0 && j < d; j++) dtable[(int64_t)index[i] * d + j] += dy[i * d + j];
}

void cw_ref_put_rows(const cw_exec *ex, float *table, const float *x, const int32_t *index, int64_t n, int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) table[(int64_t)index[i] * d + j] = x[i * d + j];
}

void cw_ref_pool(const cw_exec *ex, float *y, float *a, const float *score, const float *h, const int32_t *index,
                 cw_ragged seg, int64_t d)
{
    (void)ex;
    for (int64_t s = 0; s < seg.count; s++) {
        int64_t from = seg.start[s], to = seg.start[s + 1];
        double top = -INFINITY, total = 0;
        for (int64_t i = from; i < to; i++) top = fmax(top, score[index[i]]);
        for (int64_t i = from; i < to; i++) total += exp(score[index[i]] - top);
        for (int64_t i = from; i < to; i++) a[i] = (float)(exp(score[index[i]] - top) / total);
        for (int64_t j = 0; j < d; j++) {
            double sum = 0;
            for (int64_t i = from; i < to; i++) sum += (double)a[i] * h[(int64_t)index[i] * d + j];
            y[s * d + j] = (float)sum;
        }
    }
}

/* With da_i = dy[s] . h[index_i]:  dscore = a (da - sum(a da)),  dh = a dy[s]. An index may occur many times. */
void cw_ref_pool_backward(const cw_exec *ex, float *dscore, float *dh, const float *dy, const float *a, const float *h,
                          const int32_t *index, cw_ragged seg, int64_t d)
{
    (void)ex;
    for (int64_t s = 0; s < seg.count; s++) {
        int64_t from = seg.start[s], to = seg.start[s + 1];
        const float *g = dy + s * d;
        double mean = 0;
        int64_t most = from;
        for (int64_t i = from; i < to; i++)
            if (a[i] > a[most]) most = i;
        /* relative to the item with the largest weight: with nearly all weight there, da - mean would be mostly rounding */
        for (int64_t i = from; dscore && i < to; i++)
            for (int64_t j = 0; j < d; j++)
                mean += (double)a[i] * g[j] * ((double)h[(int64_t)index[i] * d + j] - h[(int64_t)index[most] * d + j]);
        for (int64_t i = from; i < to; i++) {
            double da = 0;
            for (int64_t j = 0; j < d; j++) {
                da += (double)g[j] * ((double)h[(int64_t)index[i] * d + j] - h[(int64_t)index[most] * d + j]);
                if (dh) dh[(int64_t)index[i] * d + j] += a[i] * g[j];
            }
            if (dscore) dscore[index[i]] += (float)(a[i] * (da - mean));
        }
    }
}

void cw_ref_segment_sum(const cw_exec *ex, float *y, const float *x, int mean, cw_ragged seg, int64_t d)
{
    (void)ex;
    for (int64_t s = 0; s < seg.count; s++) {
        int64_t from = seg.start[s], to = seg.start[s + 1];
        for (int64_t j = 0; j < d; j++) {
            double sum = 0;
            for (int64_t i = from; i < to; i++) sum += x[i * d + j];
            y[s * d + j] = (float)(mean && to > from ? sum / (double)(to - from) : sum);
        }
    }
}

void cw_ref_segment_sum_backward(const cw_exec *ex, float *dx, const float *dy, int mean, cw_ragged seg, int64_t d)
{
    (void)ex;
    for (int64_t s = 0; s < seg.count; s++)
        for (int64_t i = seg.start[s]; i < seg.start[s + 1]; i++) {
            float share = mean ? 1.0f / (float)(seg.start[s + 1] - seg.start[s]) : 1.0f;
            for (int64_t j = 0; j < d; j++) dx[i * d + j] += share * dy[s * d + j];
        }
}
