/* cpu_conv.c: short convolutions by rows; long ones through Fourier transforms, some channels at a time.
 *
 * A circle of N >= 2 L - 1 values holds the causal convolution of L values without overlap as long as the filter is cut
 * after (N + 1) / 2 values, which is >= L. So the filter's spectrum depends on N alone: it is taken once per size and
 * channel and serves all sequences of that size. */
#include "cpu.h"

#include "../../core/threads.h"
#include "../../linalg/fft.h"
#include "../ref/ref.h"

#include <string.h>

#define CW_TILES "conv_tiles.h"
#include "simd_each.h"

enum {
    COLUMNS = 64,  /* of a tile of a short convolution */
    MAX_TAPS = 32, /* more are left to the reference */
    ROWS = 512,    /* of a tile; also what is summed in floats before it goes into doubles */
    DIRECT = 48,   /* sequences up to this length are summed directly */
    CHANNELS = 16, /* handled together at most: a cache line */
    ROOM = 1 << 17 /* floats of one array of channels: as many as fit are handled together */
};

static void (*const add_product[CW_SIMD_COUNT])(float *, const float *, const float *,
                                                int64_t) = CW_SIMD_TABLE(add_product);
static void (*const complex_product[CW_SIMD_COUNT])(float *, const float *, const float *, int, int,
                                                    int64_t) = CW_SIMD_TABLE(complex_product);

/* ---- short ---- */

/* the sequence that row t belongs to */
static int64_t sequence_of(cw_ragged seq, int64_t t)
{
    int64_t low = 0, high = seq.count; /* start[low] <= t < start[high] */
    while (high - low > 1) {
        int64_t middle = (low + high) / 2;
        if (seq.start[middle] <= t)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* wt (taps, COLUMNS) = transposed columns c .. c + cols of w (d, taps) */
static void turn_weights(float *wt, const float *w, int64_t taps, int64_t c, int64_t cols)
{
    for (int64_t j = 0; j < taps; j++)
        for (int64_t i = 0; i < cols; i++) wt[j * COLUMNS + i] = w[(c + i) * taps + j];
}

void cw_cpu_short_conv(const cw_exec *ex, float *y, const float *x, const float *w, const float *b, cw_ragged seq,
                       int64_t taps, int64_t d)
{
    if (taps > MAX_TAPS) {
        cw_ref_short_conv(ex, y, x, w, b, seq, taps, d);
        return;
    }
    int64_t n = seq.start[seq.count], parts = (d + COLUMNS - 1) / COLUMNS, blocks = (n + ROWS - 1) / ROWS;
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, (double)n * (double)d * (double)taps);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t task = 0; task < blocks * parts; task++) {
        int64_t first = task / parts * ROWS, last = cw_min(n, first + ROWS), c = task % parts * COLUMNS;
        int64_t cols = cw_min(COLUMNS, d - c), s = sequence_of(seq, first);
        float wt[MAX_TAPS * COLUMNS];
        turn_weights(wt, w, taps, c, cols);
        for (int64_t t = first; t < last; t++) {
            while (t >= seq.start[s + 1]) s++;
            float *row = y + t * d + c;
            if (b)
                memcpy(row, b + c, (size_t)cols * sizeof *row);
            else
                memset(row, 0, (size_t)cols * sizeof *row);
            int64_t missing = seq.start[s] - (t - taps + 1);
            for (int64_t j = missing > 0 ? missing : 0; j < taps; j++)
                add_product[level](row, wt + j * COLUMNS, x + (t - taps + 1 + j) * d + c, cols);
        }
    }
}

void cw_cpu_short_conv_backward(const cw_exec *ex, float *dx, float *dw, const float *dy, const float *x,
                                const float *w, cw_ragged seq, int64_t taps, int64_t d)
{
    if (taps > MAX_TAPS) {
        cw_ref_short_conv_backward(ex, dx, dw, dy, x, w, seq, taps, d);
        return;
    }
    int64_t n = seq.start[seq.count], parts = (d + COLUMNS - 1) / COLUMNS, blocks = (n + ROWS - 1) / ROWS;
    int level = cw_cpu_simd_level(), threads = cw_cpu_threads(ex, (double)n * (double)d * (double)taps);
    (void)threads;
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t task = 0; task < (dx ? blocks * parts : 0); task++) {
        int64_t first = task / parts * ROWS, last = cw_min(n, first + ROWS), c = task % parts * COLUMNS;
        int64_t cols = cw_min(COLUMNS, d - c), s = sequence_of(seq, first);
        float wt[MAX_TAPS * COLUMNS];
        turn_weights(wt, w, taps, c, cols);
        for (int64_t t = first; t < last; t++) {
            while (t >= seq.start[s + 1]) s++;
            int64_t beyond = t + taps - seq.start[s + 1];
            for (int64_t j = beyond > 0 ? beyond : 0; j < taps; j++)
                add_product[level](dx + t * d + c, wt + j * COLUMNS, dy + (t + taps - 1 - j) * d + c, cols);
        }
    }
    CW_OMP(parallel for schedule(static) num_threads(threads) if (threads > 1))
    for (int64_t part = 0; part < (dw ? parts : 0); part++) {
        int64_t c = part * COLUMNS, cols = cw_min(COLUMNS, d - c), s = 0;
        double total[MAX_TAPS * COLUMNS] = {0};
        float sum[MAX_TAPS * COLUMNS];
        for (int64_t first = 0; first < n; first += ROWS) {
            memset(sum, 0, sizeof sum);
            for (int64_t t = first; t < cw_min(n, first + ROWS); t++) {
                while (t >= seq.start[s + 1]) s++;
                int64_t missing = seq.start[s] - (t - taps + 1);
                for (int64_t j = missing > 0 ? missing : 0; j < taps; j++)
                    add_product[level](sum + j * COLUMNS, dy + t * d + c, x + (t - taps + 1 + j) * d + c, cols);
            }
            for (int64_t i = 0; i < taps * COLUMNS; i++) total[i] += sum[i];
        }
        for (int64_t i = 0; i < cols; i++)
            for (int64_t j = 0; j < taps; j++) dw[(c + i) * taps + j] += (float)total[j * COLUMNS + i];
    }
}

/* ---- long ---- */

void cw_cpu_conv_plan(struct cw_ctx *ctx, cw_conv_part *part, int64_t length)
{
    part->size = 0;
    part->plan = NULL;
    if (length <= DIRECT) return;
    part->size = cw_fft_size(2 * length - 1);
    part->plan = cw_fft_plan(ctx, part->size);
}

/* How the channels are cut: `group` at once, `groups` in all; arrays of `real` floats; `largest` transform. */
typedef struct cutting {
    int64_t group, groups, floats;
    int threads;
} cutting;

static cutting cut(const cw_exec *ex, const cw_conv_part *part, int64_t parts, int64_t d)
{
    int64_t largest = 2;
    double work = 0;
    for (int64_t p = 0; p < parts; p++) {
        if (part[p].size > largest) largest = part[p].size;
        work += (part[p].plan ? 60.0 : 30.0) * (double)(part[p].to - part[p].from) * (double)d;
    }
    cutting c = {ROOM / largest, 0, cw_fft_floats(largest), 1};
    if (c.group > CHANNELS) c.group = CHANNELS;
    if (c.group < 1) c.group = 1;
    if (c.group > d) c.group = d > 0 ? d : 1;
    c.groups = (d + c.group - 1) / c.group;
    c.threads = (int)cw_min(cw_cpu_threads(ex, work), c.groups > 0 ? c.groups : 1);
    return c;
}

/* arrays of one thread: forward: values, filter's spectra (group each), one spectrum; backward: values and gradients,
 * filter's and the gradient's spectra, two spectra more */
static int64_t arrays(const cutting *c, int backward) { return backward ? 4 * c->group + 2 : 2 * c->group + 1; }

int64_t cw_cpu_long_conv_work(const cw_exec *ex, const cw_conv_part *part, int64_t parts, int64_t d, int backward)
{
    cutting c = cut(ex, part, parts, d);
    return c.threads * arrays(&c, backward) * c.floats;
}

/* channel i of `to` (floats apart) = column first + i of x's rows from .. from + length, then zeros up to size */
static void take_channels(float *to, int64_t floats, const float *x, int64_t from, int64_t length, int64_t size,
                          int64_t first, int64_t channels, int64_t d)
{
    for (int64_t t = 0; t < length; t++) {
        const float *row = x + (from + t) * d + first;
        for (int64_t i = 0; i < channels; i++) to[i * floats + t] = row[i];
    }
    for (int64_t i = 0; i < channels; i++) memset(to + i * floats + length, 0, (size_t)(size - length) * sizeof *to);
}

/* spectra of the filter, cut to what a circle of `size` can hold */
static void filter_spectra(float *spectra, float *values, int64_t floats, const cw_conv_part *p, const float *h,
                           int64_t taps, int64_t first, int64_t channels, int64_t d)
{
    take_channels(values, floats, h, 0, cw_min(taps, (p->size + 1) / 2), p->size, first, channels, d);
    for (int64_t i = 0; i < channels; i++) cw_fft_forward(p->plan, spectra + i * floats, values + i * floats);
}

/* columns first .. of one short part */
static void direct(float *y, const float *x, const float *h, const float *b, const cw_conv_part *p, int64_t taps,
                   int64_t first, int64_t channels, int64_t d)
{
    for (int64_t t = p->from; t < p->to; t++) {
        float sum[CHANNELS];
        const float *xt = x + t * d + first;
        for (int64_t i = 0; i < channels; i++) sum[i] = b ? b[first + i] * xt[i] : 0.0f;
        for (int64_t s = 0; s < taps && s <= t - p->from; s++) {
            const float *hs = h + s * d + first, *xs = xt - s * d;
            for (int64_t i = 0; i < channels; i++) sum[i] += hs[i] * xs[i];
        }
        memcpy(y + t * d + first, sum, (size_t)channels * sizeof *sum);
    }
}

void cw_cpu_long_conv(const cw_exec *ex, float *y, float *work, const float *x, const float *h, const float *b,
                      const cw_conv_part *part, int64_t parts, int64_t taps, int64_t d)
{
    cutting c = cut(ex, part, parts, d);
    int level = cw_cpu_simd_level();
    CW_OMP(parallel for schedule(dynamic, 1) num_threads(c.threads) if (c.threads > 1))
    for (int64_t g = 0; g < c.groups; g++) {
        float *values = work + cw_thread_number() * arrays(&c, 0) * c.floats;
        float *filter = values + c.group * c.floats, *spectrum = filter + c.group * c.floats;
        int64_t first = g * c.group, channels = cw_min(c.group, d - first);
        const void *ready = NULL;
        for (int64_t q = 0; q < parts; q++) {
            const cw_conv_part *p = &part[q];
            int64_t length = p->to - p->from;
            if (!p->plan) {
                direct(y, x, h, b, p, taps, first, channels, d);
                continue;
            }
            if (ready != p->plan) filter_spectra(filter, values, c.floats, p, h, taps, first, channels, d);
            ready = p->plan;
            take_channels(values, c.floats, x, p->from, length, p->size, first, channels, d);
            for (int64_t i = 0; i < channels; i++) {
                float *v = values + i * c.floats;
                cw_fft_forward(p->plan, spectrum, v);
                complex_product[level](spectrum, spectrum, filter + i * c.floats, 0, 0, p->size / 2 + 1);
                cw_fft_backward(p->plan, v, spectrum);
            }
            float scale = 1.0f / (float)p->size;
            for (int64_t t = 0; t < length; t++) {
                int64_t at = (p->from + t) * d + first;
                for (int64_t i = 0; i < channels; i++)
                    y[at + i] = scale * values[i * c.floats + t] + (b ? b[first + i] * x[at + i] : 0.0f);
            }
        }
    }
}

/* one short part: dx_t += sum_s h_s dy_(t+s), dh_s += sum_t dy_t x_(t-s) */
static void direct_backward(float *dx, float *dh, const float *dy, const float *x, const float *h,
                            const cw_conv_part *p, int64_t taps, int64_t first, int64_t channels, int64_t d)
{
    for (int64_t t = p->from; t < p->to; t++) {
        const float *xt = x + t * d + first;
        for (int64_t s = 0; s < taps && t + s < p->to; s++) {
            const float *g = dy + (t + s) * d + first, *hs = h + s * d + first;
            for (int64_t i = 0; dx && i < channels; i++) dx[t * d + first + i] += hs[i] * g[i];
            for (int64_t i = 0; dh && i < channels; i++) dh[s * d + first + i] += xt[i] * g[i];
        }
    }
}

/* db += sum dy x of the part, dx += b dy */
static void skip_backward(float *dx, double *db, const float *dy, const float *x, const float *b, const cw_conv_part *p,
                          int64_t first, int64_t channels, int64_t d)
{
    for (int64_t t = p->from; t < p->to; t++)
        for (int64_t i = 0; i < channels; i++) {
            int64_t at = t * d + first + i;
            db[i] += (double)dy[at] * x[at];
            if (dx && b) dx[at] += b[first + i] * dy[at];
        }
}

/* the filter's gradient out of its spectra of one size: dh_s += ... for the values the circle holds */
static void put_filter_gradient(float *dh, float *spectra, float *values, int64_t floats, const cw_conv_part *p,
                                int64_t taps, int64_t first, int64_t channels, int64_t d)
{
    for (int64_t i = 0; i < channels; i++) cw_fft_backward(p->plan, values + i * floats, spectra + i * floats);
    int64_t held = cw_min(taps, (p->size + 1) / 2);
    float scale = 1.0f / (float)p->size;
    for (int64_t s = 0; s < held; s++)
        for (int64_t i = 0; i < channels; i++) dh[s * d + first + i] += scale * values[i * floats + s];
}

/* With capitals for spectra: dX = conj(H) dY, dH = sum over sequences conj(X) dY. */
void cw_cpu_long_conv_backward(const cw_exec *ex, float *dx, float *dh, float *db, float *work, const float *dy,
                               const float *x, const float *h, const float *b, const cw_conv_part *part, int64_t parts,
                               int64_t taps, int64_t d)
{
    cutting c = cut(ex, part, parts, d);
    int level = cw_cpu_simd_level();
    CW_OMP(parallel for schedule(dynamic, 1) num_threads(c.threads) if (c.threads > 1))
    for (int64_t g = 0; g < c.groups; g++) {
        float *values = work + cw_thread_number() * arrays(&c, 1) * c.floats;
        float *gradients = values + c.group * c.floats, *filter = gradients + c.group * c.floats;
        float *sums = filter + c.group * c.floats, *sx = sums + c.group * c.floats, *sy = sx + c.floats;
        int64_t first = g * c.group, channels = cw_min(c.group, d - first);
        double skip[CHANNELS] = {0};
        const cw_conv_part *ready = NULL; /* the last part of the size whose spectra are at hand */
        for (int64_t q = 0; q < parts; q++) {
            const cw_conv_part *p = &part[q];
            int64_t length = p->to - p->from, half = p->size / 2 + 1;
            if (db || (dx && b)) skip_backward(dx, skip, dy, x, b, p, first, channels, d);
            if (!p->plan) {
                direct_backward(dx, dh, dy, x, h, p, taps, first, channels, d);
                continue;
            }
            if (!ready || ready->plan != p->plan) {
                if (ready && dh) put_filter_gradient(dh, sums, values, c.floats, ready, taps, first, channels, d);
                filter_spectra(filter, values, c.floats, p, h, taps, first, channels, d);
                for (int64_t i = 0; i < channels; i++)
                    memset(sums + i * c.floats, 0, (size_t)(2 * half) * sizeof *sums);
            }
            ready = p;
            if (dh) take_channels(values, c.floats, x, p->from, length, p->size, first, channels, d);
            take_channels(gradients, c.floats, dy, p->from, length, p->size, first, channels, d);
            for (int64_t i = 0; i < channels; i++) {
                cw_fft_forward(p->plan, sy, gradients + i * c.floats);
                if (dh) {
                    cw_fft_forward(p->plan, sx, values + i * c.floats);
                    complex_product[level](sums + i * c.floats, sy, sx, 1, 1, half);
                }
                if (!dx) continue;
                complex_product[level](sy, sy, filter + i * c.floats, 1, 0, half);
                cw_fft_backward(p->plan, gradients + i * c.floats, sy);
            }
            float scale = 1.0f / (float)p->size;
            for (int64_t t = 0; dx && t < length; t++)
                for (int64_t i = 0; i < channels; i++)
                    dx[(p->from + t) * d + first + i] += scale * gradients[i * c.floats + t];
        }
        if (ready && dh) put_filter_gradient(dh, sums, values, c.floats, ready, taps, first, channels, d);
        for (int64_t i = 0; db && i < channels; i++) db[first + i] += (float)skip[i];
    }
}
