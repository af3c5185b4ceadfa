/* profiles.c: see profiles.h. */
#include "profiles.h"

#include "../core/threads.h"
#include "../linalg/dense.h"

#include <math.h>
#include <string.h>

/* ---- weighted sums ----------------------------------------------------------------------------------------------- */

enum { WIDE = 256 }; /* readouts at a time: no copy of all effects is ever made */

typedef struct span {
    double *out;
    const double *Y, *weight;
    int64_t readouts, n, m;
    const cw_own_rows *own;
    const cw_direct_profiles *direct;
    const int32_t *train;
    const double *fill; /* (readouts) */
    int sparse;         /* few weights are not 0 */
} span;

/* The effects of train (n, width) at the readouts from r. */
static void gather(double *to, const span *s, int64_t r, int64_t width)
{
    const cw_direct_profiles *d = s->direct;
    for (int64_t a = 0; a < s->n; a++) {
        int32_t p = s->train[a];
        double *row = to + a * width;
        memcpy(row, s->Y + p * s->readouts + r, (size_t)width * sizeof *row);
        for (int32_t o = s->own->start[p]; o < s->own->start[p + 1]; o++) {
            int64_t g = s->own->own[o] - r;
            if (g >= 0 && g < width) row[g] = s->fill[g + r];
        }
        for (int32_t j = d && d->total ? d->start[p] : 0; d && d->total && j < d->start[p + 1]; j++)
            for (int64_t g = 0; g < width; g++) row[g] -= d->total[(r + g) * d->genes + d->member[j]];
    }
}

static void span_block(const span *s, double *room, int64_t r)
{
    int64_t width = s->readouts - r < WIDE ? s->readouts - r : WIDE;
    double *from = room, *to = room + s->n * width;
    gather(from, s, r, width);
    if (!s->sparse) cw_dense_product(1, to, s->weight, 0, from, 0, 0.0, s->m, width, s->n);
    for (int64_t t = 0; t < s->m; t++) {
        double *row = s->out + t * s->readouts + r;
        if (!s->sparse) {
            memcpy(row, to + t * width, (size_t)width * sizeof *row);
            continue;
        }
        memset(row, 0, (size_t)width * sizeof *row);
        for (int64_t a = 0; a < s->n; a++) {
            double w = s->weight[t * s->n + a];
            for (int64_t g = 0; w != 0.0 && g < width; g++) row[g] += w * from[a * width + g];
        }
    }
}

/* fill (readouts): mean over the perturbations of train of which the readout is no own one. others (readouts): working
 * memory. */
static void fill_readouts(double *fill, double *others, const span *s)
{
    for (int64_t g = 0; g < s->readouts; g++) fill[g] = 0.0, others[g] = (double)s->n;
    for (int64_t a = 0; a < s->n; a++) {
        int32_t p = s->train[a];
        for (int64_t g = 0; g < s->readouts; g++) fill[g] += s->Y[p * s->readouts + g];
        for (int32_t o = s->own->start[p]; o < s->own->start[p + 1]; o++) others[s->own->own[o]] -= 1.0;
    }
    for (int64_t g = 0; g < s->readouts; g++) fill[g] = others[g] > 0.0 ? fill[g] / others[g] : 0.0;
}

cw_status cw_profiles_span(cw_ctx *ctx, double *out, const double *Y, int64_t readouts, const cw_own_rows *own,
                           const int32_t *train, int64_t n, const double *weight, int64_t m,
                           const cw_direct_profiles *direct)
{
    int threads = ctx->threads, stop = 0;
    int64_t some = 0, room = (n + m) * WIDE;
    double *fill = cw_alloc(ctx, 2 * readouts, sizeof *fill), *all = cw_alloc(ctx, threads * room, sizeof *all);
    for (int64_t i = 0; i < n * m; i++) some += weight[i] != 0.0;
    if (fill && all) {
        span s = {out, Y, weight, readouts, n, m, own, direct, train, fill, some * 16 < n * m};
        fill_readouts(fill, fill + readouts, &s);
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
#endif
        for (int64_t r = 0; r < readouts; r += WIDE) {
            cw_watch watch = cw_watch_here(ctx, &stop);
            if (!cw_watch_stop(&watch)) span_block(&s, all + cw_thread_number() * room, r);
        }
    }
    cw_free(ctx, fill), cw_free(ctx, all);
    return cw_poll(ctx);
}

/* ---- scores ------------------------------------------------------------------------------------------------------ */

/* Correlation of a and b (n). */
static double correlation(const double *a, const double *b, int64_t n)
{
    double ma = 0.0, mb = 0.0, aa = 0.0, bb = 0.0, ab = 0.0;
    for (int64_t i = 0; i < n; i++) ma += a[i], mb += b[i];
    ma /= (double)n, mb /= (double)n;
    for (int64_t i = 0; i < n; i++)
        aa += (a[i] - ma) * (a[i] - ma), bb += (b[i] - mb) * (b[i] - mb), ab += (a[i] - ma) * (b[i] - mb);
    double length = sqrt(aa * bb);
    return length > 1e-12 ? ab / length : 0.0;
}

static int sign_of(double x) { return (x > 0.0) - (x < 0.0); }

/* The first of equal ones comes first. top (CW_PROFILE_TOP) <- places of the largest |truth| / sqrt(se2); their number */
static int strongest(int64_t *top, const double *truth, const double *se2, int64_t n)
{
    double z[CW_PROFILE_TOP];
    int count = 0;
    for (int64_t i = 0; i < n; i++) {
        double value = fabs(truth[i]) / sqrt(se2[i] + 1e-12);
        if (count == CW_PROFILE_TOP && !(value > z[count - 1])) continue;
        int j = count < CW_PROFILE_TOP ? count++ : count - 1;
        for (; j > 0 && value > z[j - 1]; j--) z[j] = z[j - 1], top[j] = top[j - 1];
        z[j] = value, top[j] = i;
    }
    return count;
}

/* Of values (n) of one perturbation, own ones gone; less (n, 2): working memory. */
static void score_values(cw_profile_score *out, const double *truth, const double *told, const double *mean,
                         const double *se2, int64_t n, double *less)
{
    int64_t top[CW_PROFILE_TOP];
    double t[CW_PROFILE_TOP], f[CW_PROFILE_TOP], *off = less, *away = less + n;
    *out = (cw_profile_score){.all = correlation(truth, told, n)};
    for (int64_t i = 0; i < n; i++) {
        off[i] = truth[i] - mean[i], away[i] = told[i] - mean[i];
        out->mse += (truth[i] - told[i]) * (truth[i] - told[i]), out->mse_mean += off[i] * off[i], out->noise += se2[i];
    }
    out->mse /= (double)n, out->mse_mean /= (double)n, out->noise /= (double)n;
    out->centred = correlation(off, away, n);
    int tops = strongest(top, truth, se2, n);
    for (int i = 0; i < tops; i++) {
        t[i] = truth[top[i]], f[i] = told[top[i]];
        int same = sign_of(t[i]) * sign_of(f[i]);
        out->direction += (same == 0 ? 0.5 : same > 0) / tops;
    }
    out->top = correlation(t, f, tops);
}

/* to (..) = row without its own readouts; their number. gone (readouts): 1 where own. */
static int64_t others_of(double *to, const double *row, const uint8_t *gone, int64_t readouts)
{
    int64_t n = 0;
    for (int64_t g = 0; g < readouts; g++)
        if (!gone[g]) to[n++] = row[g];
    return n;
}

static void mark(uint8_t *gone, const cw_own_rows *own, int32_t p, uint8_t value)
{
    for (int32_t o = own->start[p]; o < own->start[p + 1]; o++) gone[own->own[o]] = value;
}

/* Mean squared distance of a prediction from truths (m), at readouts that are own ones of neither; inner (m): products
 * of the two. */
typedef struct distances {
    const double *truth, *predicted, *length; /* length: squared, of the truths (m) */
    int64_t readouts, m;
    const cw_own_rows *own;
    const int32_t *at;
} distances;

static double distance_of(const distances *d, const double *told, double told_length, double inner, int32_t p,
                          int64_t k, const uint8_t *gone)
{
    const double *true_k = d->truth + d->at[k] * d->readouts;
    double sum = told_length + d->length[k] - 2.0 * inner;
    int64_t left = d->readouts - (d->own->start[p + 1] - d->own->start[p]);
    for (int side = 0; side < 2; side++) { /* p's own, then the other's that aren't p's */
        int32_t q = side ? d->at[k] : p;
        for (int32_t o = d->own->start[q]; o < d->own->start[q + 1]; o++) {
            int32_t g = d->own->own[o];
            if (side && gone[g]) continue;
            sum -= (told[g] - true_k[g]) * (told[g] - true_k[g]), left -= side;
        }
    }
    return sum / (double)left;
}

/* inner (m): products of the prediction of at[i] with all truths. */
static double discrimination_of(const distances *d, int64_t i, const double *inner, const uint8_t *gone)
{
    int32_t p = d->at[i];
    const double *told = d->predicted + p * d->readouts;
    double length = 0.0, nearer = 0.0, ties = 0.0;
    if (d->m < 2) return NAN;
    for (int64_t g = 0; g < d->readouts; g++) length += told[g] * told[g];
    double own = distance_of(d, told, length, inner[i], p, i, gone);
    for (int64_t k = 0; k < d->m; k++) {
        double off = distance_of(d, told, length, inner[k], p, k, gone) - own;
        if (fabs(off) <= 1e-12) ties += 1.0;
        else if (off < 0.0) nearer += 1.0;
    }
    return 1.0 - (nearer + 0.5 * (ties - 1.0)) / (double)(d->m - 1);
}

enum { BLOCK = 192 }; /* predictions, and truths, at a time */

/* inner (count, m), and BLOCK BLOCK more as working memory: products of the predictions from `from` with all truths. some
 * (2 BLOCK, readouts): working memory. */
static void inner_products(double *inner, double *some, const distances *d, int64_t from, int64_t count, int threads)
{
    int64_t R = d->readouts, m = d->m;
    double *part = inner + BLOCK * m, *truths = some + BLOCK * R;
    for (int64_t i = 0; i < count; i++) memcpy(some + i * R, d->predicted + d->at[from + i] * R, (size_t)R * sizeof *some);
    int64_t next = 1;
    while (next < m && d->at[next] == d->at[next - 1] + 1) next++;
    if (next == m) { /* one after the other: no copies */
        cw_dense_product(threads, inner, some, 0, d->truth + d->at[0] * R, 1, 0.0, count, m, R);
        return;
    }
    for (int64_t k0 = 0; k0 < m; k0 += BLOCK) {
        int64_t wide = m - k0 < BLOCK ? m - k0 : BLOCK;
        for (int64_t k = 0; k < wide; k++)
            memcpy(truths + k * R, d->truth + d->at[k0 + k] * R, (size_t)R * sizeof *truths);
        cw_dense_product(threads, part, some, 0, truths, 1, 0.0, count, wide, R);
        for (int64_t i = 0; i < count; i++) memcpy(inner + i * m + k0, part + i * wide, (size_t)wide * sizeof *inner);
    }
}

/* Working memory of a thread. */
static int64_t score_room(int64_t readouts) { return 6 * readouts; }

static void score_one(cw_profile_score *out, const distances *d, const double *baseline, const double *se2, int64_t i,
                      const double *inner, double *room, uint8_t *gone)
{
    int64_t R = d->readouts, p = d->at[i], n;
    mark(gone, d->own, (int32_t)p, 1);
    others_of(room, d->truth + p * R, gone, R);
    others_of(room + R, d->predicted + p * R, gone, R);
    others_of(room + 2 * R, baseline + p * R, gone, R);
    n = others_of(room + 3 * R, se2 + p * R, gone, R);
    score_values(out, room, room + R, room + 2 * R, room + 3 * R, n, room + 4 * R);
    out->discrimination = discrimination_of(d, i, inner, gone);
    mark(gone, d->own, (int32_t)p, 0);
}

cw_status cw_profiles_score(cw_ctx *ctx, cw_profile_score *out, const double *truth, const double *predicted,
                            const double *baseline, const double *se2, int64_t readouts, const cw_own_rows *own,
                            const int32_t *at, int64_t m)
{
    int threads = ctx->threads, stop = 0;
    int64_t room = score_room(readouts);
    double *length = cw_alloc(ctx, m, sizeof *length), *some = cw_alloc(ctx, 2 * BLOCK * readouts, sizeof *some);
    double *inner = cw_alloc(ctx, BLOCK * (m + BLOCK), sizeof *inner), *all = cw_alloc(ctx, threads * room, sizeof *all);
    uint8_t *gone = cw_calloc(ctx, threads * readouts, sizeof *gone);
    const distances d = {truth, predicted, length, readouts, m, own, at};
    for (int64_t k = 0; ctx->status == CW_OK && k < m; k++) {
        const double *row = truth + at[k] * readouts;
        length[k] = 0.0;
        for (int64_t g = 0; g < readouts; g++) length[k] += row[g] * row[g];
    }
    for (int64_t from = 0; ctx->status == CW_OK && from < m; from += BLOCK) {
        int64_t count = m - from < BLOCK ? m - from : BLOCK;
        inner_products(inner, some, &d, from, count, threads);
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
#endif
        for (int64_t i = 0; i < count; i++) {
            cw_watch watch = cw_watch_here(ctx, &stop);
            int64_t me = cw_thread_number();
            if (!cw_watch_stop(&watch))
                score_one(out + from + i, &d, baseline, se2, from + i, inner + i * m, all + me * room,
                          gone + me * readouts);
        }
        if (cw_poll(ctx) != CW_OK) break;
    }
    cw_free(ctx, length), cw_free(ctx, some), cw_free(ctx, inner), cw_free(ctx, all), cw_free(ctx, gone);
    return cw_poll(ctx);
}
