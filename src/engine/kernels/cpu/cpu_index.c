/* cpu_index.c: gather, scatter-add, pooling and sums over segments. Where rows of the output may be met many times,
 * work is cut by columns and each part goes through the rows in order: no two threads meet, and sums have one order. */
#include "cpu.h"

#include <string.h>

#define CW_TILES "index_tiles.h"
#include "simd_each.h"

#define COLUMNS 64 /* a part: 256 bytes */

static void (*const add_scaled[CW_SIMD_COUNT])(float *, const float *, float, int64_t) = CW_SIMD_TABLE(add_scaled);
static float (*const dot[CW_SIMD_COUNT])(const float *, const float *, int64_t) = CW_SIMD_TABLE(dot);

static const cw_exec one_thread = {1};

void cw_cpu_gather(const cw_exec *ex, float *y, const float *table, const int32_t *index, int accumulate, int64_t n,
                   int64_t d)
{
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, (double)n * (double)d);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t i = 0; i < n; i++) {
        const float *row = index[i] < 0 ? NULL : table + (int64_t)index[i] * d;
        if (accumulate) {
            if (row) add_scaled[level](y + i * d, row, 1.0f, d);
        } else if (row) memcpy(y + i * d, row, (size_t)d * sizeof *y);
        else memset(y + i * d, 0, (size_t)d * sizeof *y);
    }
}

void cw_cpu_scatter_add(const cw_exec *ex, float *dtable, const float *dy, const int32_t *index, int64_t n, int64_t d)
{
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, (double)n * (double)d);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t c = 0; c < d; c += COLUMNS)
        for (int64_t i = 0; i < n; i++)
            if (index[i] >= 0)
                add_scaled[level](dtable + (int64_t)index[i] * d + c, dy + i * d + c, 1.0f, cw_min(COLUMNS, d - c));
}

void cw_cpu_put_rows(const cw_exec *ex, float *table, const float *x, const int32_t *index, int64_t n, int64_t d)
{
    int threads = cw_cpu_threads(ex, (double)n * (double)d);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t i = 0; i < n; i++) memcpy(table + (int64_t)index[i] * d, x + i * d, (size_t)d * sizeof *x);
}

void cw_cpu_pool(const cw_exec *ex, float *y, float *a, const float *score, const float *h, const int32_t *index,
                 cw_ragged seg, int64_t d)
{
    if (seg.count == 0) return;
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, (double)seg.start[seg.count] * (double)d);
    int64_t parts = (d + COLUMNS - 1) / COLUMNS;
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t s = 0; s < seg.count; s++) {
        int64_t from = seg.start[s], to = seg.start[s + 1];
        for (int64_t i = from; i < to; i++) a[i] = score[index[i]];
        if (to > from) cw_cpu_softmax(&one_thread, a + from, a + from, 1.0f, 1, to - from);
    }
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t task = 0; task < seg.count * parts; task++) {
        int64_t s = task / parts, c = task % parts * COLUMNS, cols = cw_min(COLUMNS, d - c);
        float sum[COLUMNS] = {0};
        for (int64_t i = seg.start[s]; i < seg.start[s + 1]; i++)
            add_scaled[level](sum, h + (int64_t)index[i] * d + c, a[i], cols);
        memcpy(y + s * d + c, sum, (size_t)cols * sizeof *y);
    }
}

/* With da_i = dy[s] . h[index_i]:  dscore = a (da - sum(a da)),  dh = a dy[s]. */
void cw_cpu_pool_backward(const cw_exec *ex, float *dscore, float *dh, const float *dy, const float *a, const float *h,
                          const int32_t *index, cw_ragged seg, int64_t d)
{
    if (seg.count == 0) return;
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, (double)seg.start[seg.count] * (double)d);
    (void)threads;
    if (dh) {
        CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
        for (int64_t c = 0; c < d; c += COLUMNS)
            for (int64_t s = 0; s < seg.count; s++)
                for (int64_t i = seg.start[s]; i < seg.start[s + 1]; i++)
                    add_scaled[level](dh + (int64_t)index[i] * d + c, dy + s * d + c, a[i], cw_min(COLUMNS, d - c));
    }
    /* Scores of different segments may be the same item, and there is no room to keep the da: on one thread, twice. */
    for (int64_t s = 0; dscore && s < seg.count; s++) {
        const float *g = dy + s * d;
        int64_t from = seg.start[s], to = seg.start[s + 1], most = from;
        for (int64_t i = from; i < to; i++)
            if (a[i] > a[most]) most = i;
        /* relative to the item with the largest weight: with nearly all weight there, da - mean would be mostly rounding */
        float base = to > from ? dot[level](g, h + (int64_t)index[most] * d, d) : 0.0f;
        double mean = 0;
        for (int64_t i = from; i < to; i++) mean += a[i] * (dot[level](g, h + (int64_t)index[i] * d, d) - base);
        for (int64_t i = from; i < to; i++)
            dscore[index[i]] += a[i] * (dot[level](g, h + (int64_t)index[i] * d, d) - base - (float)mean);
    }
}

void cw_cpu_segment_sum(const cw_exec *ex, float *y, const float *x, int mean, cw_ragged seg, int64_t d)
{
    if (seg.count == 0) return;
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, (double)seg.start[seg.count] * (double)d);
    int64_t parts = (d + COLUMNS - 1) / COLUMNS;
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t task = 0; task < seg.count * parts; task++) {
        int64_t s = task / parts, c = task % parts * COLUMNS, cols = cw_min(COLUMNS, d - c);
        int64_t from = seg.start[s], to = seg.start[s + 1];
        float sum[COLUMNS] = {0}, share = mean && to > from ? 1.0f / (float)(to - from) : 1.0f;
        for (int64_t i = from; i < to; i++) add_scaled[level](sum, x + i * d + c, 1.0f, cols);
        for (int64_t j = 0; j < cols; j++) y[s * d + c + j] = share * sum[j];
    }
}

void cw_cpu_segment_sum_backward(const cw_exec *ex, float *dx, const float *dy, int mean, cw_ragged seg, int64_t d)
{
    if (seg.count == 0) return;
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, (double)seg.start[seg.count] * (double)d);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t s = 0; s < seg.count; s++)
        for (int64_t i = seg.start[s]; i < seg.start[s + 1]; i++) {
            float share = mean ? 1.0f / (float)(seg.start[s + 1] - seg.start[s]) : 1.0f;
            add_scaled[level](dx + i * d, dy + s * d, share, d);
        }
}
