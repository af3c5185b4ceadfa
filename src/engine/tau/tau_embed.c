/* tau_embed.c: sparse counts -> linear axes of each modality -> the state that both share. See tau.h. */
#include "tau.h"

#include "../core/select.h"
#include "../linalg/dense.h"
#include "../core/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LANE = 16, WIDE = 48, EXTRA = 10, POWER = 5, PEAK_TILE = 1024, CELL_TILE = 64, CELL_BLOCK = 128 };
/* what the streams are for */
enum { USE_SKETCH = 120, USE_SHUFFLE };

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- the sparse operator A (cells, rows) = f(counts) - 1 centre^T ------------------------------------------------ */

typedef struct sparse {
    const cw_counts *x;
    float *value;         /* f(count), in the order of x->value */
    const double *centre; /* (rows) or NULL */
    cw_ctx *ctx;          /* asked about interrupts; what was computed is then worth nothing */
    int threads;
} sparse;

static double depth_of(const cw_counts *x, int64_t c)
{
    double sum = 0.0;
    for (int64_t e = x->start[c]; e < x->start[c + 1]; e++) sum += x->value[e];
    return sum;
}

/* f(count) for every value listed; weight (rows) for chromatin, target for RNA. */
static void transform(const sparse *a, int chromatin, const double *weight, double target)
{
    const cw_counts *x = a->x;
    float *value = a->value;
    int stop = 0;
#pragma omp parallel for schedule(dynamic, 64) num_threads(a->threads)
    for (int64_t c = 0; c < x->cells; c++) {
        const cw_watch watch = cw_watch_here(a->ctx, &stop);
        if (cw_watch_stop(&watch)) continue;
        double depth = fmax(depth_of(x, c), 1.0), scale = chromatin ? 1e4 / depth : target / depth;
        for (int64_t e = x->start[c]; e < x->start[c + 1]; e++)
            value[e] = (float)log1p(x->value[e] * scale * (chromatin ? weight[x->row[e]] : 1.0));
    }
}

/* Where row `row` or the first after it stands among the entries of cell c. */
static int64_t find_row(const cw_counts *x, int64_t c, int64_t row)
{
    int64_t low = x->start[c], high = x->start[c + 1];
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        if (x->row[mid] < row) low = mid + 1;
        else high = mid;
    }
    return low;
}

/* y (width) += the sum over the entries from..to - 1 of value x Q[row], whose rows are l long; width is a constant where
 * this is called, so that the sums stay in registers. */
static inline void gather(float *y, const sparse *a, int64_t from, int64_t to, const float *Q, int64_t l, int width)
{
    float sum[WIDE];
    for (int j = 0; j < width; j++) sum[j] = y[j];
    for (int64_t e = from; e < to; e++) {
        const float *q = Q + a->x->row[e] * l;
        const float v = a->value[e];
#pragma GCC unroll 48
        for (int j = 0; j < width; j++) sum[j] += v * q[j];
    }
    for (int j = 0; j < width; j++) y[j] = sum[j];
}

/* The other way round: R[row] += value x y. */
static inline void scatter(float *R, const sparse *a, int64_t from, int64_t to, const float *y, int64_t l, int width)
{
    float fixed[WIDE];
    for (int j = 0; j < width; j++) fixed[j] = y[j];
    for (int64_t e = from; e < to; e++) {
        float *r = R + a->x->row[e] * l;
        const float v = a->value[e];
#pragma GCC unroll 48
        for (int j = 0; j < width; j++) r[j] += v * fixed[j];
    }
}

/* Y (cells, l) = A Q, Q (rows, l) float with l a multiple of LANE; shift (l) = centre^T Q or NULL. A tile of Q's rows stays
 * in the cache while CELL_BLOCK cells take what they need of it. */
static void times(float *Y, const sparse *a, const float *Q, const double *shift, int64_t l)
{
    const cw_counts *x = a->x;
    int stop = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(a->threads)
    for (int64_t first = 0; first < x->cells; first += CELL_BLOCK) {
        const cw_watch watch = cw_watch_here(a->ctx, &stop);
        int64_t next[CELL_BLOCK], cells = least(CELL_BLOCK, x->cells - first); /* next: a cell's first entry not yet taken */
        for (int64_t i = 0; i < cells; i++) {
            next[i] = x->start[first + i];
            for (int64_t j = 0; j < l; j++) Y[(first + i) * l + j] = shift ? (float)-shift[j] : 0.0f;
        }
        for (int64_t to = PEAK_TILE; to < x->rows + PEAK_TILE && !cw_watch_stop(&watch); to += PEAK_TILE)
            for (int64_t i = 0; i < cells; i++) {
                const int64_t from = next[i], end = next[i] = find_row(x, first + i, to);
                float *y = Y + (first + i) * l;
                int64_t b = 0;
                for (; b + WIDE <= l; b += WIDE) gather(y + b, a, from, end, Q + b, l, WIDE);
                for (; b < l; b += LANE) gather(y + b, a, from, end, Q + b, l, LANE);
            }
    }
}

/* R (rows, l) = A^T Y: tiles of rows, each over all cells in their order, so that no sum is shared. */
static void times_transposed(float *R, const sparse *a, const float *Y, int64_t l)
{
    const cw_counts *x = a->x;
    int64_t tiles = (x->rows + PEAK_TILE - 1) / PEAK_TILE;
    int stop = 0;
    memset(R, 0, (size_t)(x->rows * l) * sizeof *R);
#pragma omp parallel for schedule(dynamic, 1) num_threads(a->threads)
    for (int64_t t = 0; t < tiles; t++) {
        const cw_watch watch = cw_watch_here(a->ctx, &stop);
        int64_t from = t * PEAK_TILE, to = least(from + PEAK_TILE, x->rows);
        for (int64_t c = 0; c < x->cells; c++) {
            if (c % 256 == 0 && cw_watch_stop(&watch)) break;
            const int64_t start = find_row(x, c, from), end = find_row(x, c, to);
            const float *y = Y + c * l;
            int64_t b = 0;
            for (; b + WIDE <= l; b += WIDE) scatter(R + b, a, start, end, y + b, l, WIDE);
            for (; b < l; b += LANE) scatter(R + b, a, start, end, y + b, l, LANE);
        }
        if (a->centre) {
            for (int64_t j = 0; j < l; j++) {
                double sum = 0.0;
                for (int64_t c = 0; c < x->cells; c++) sum += Y[c * l + j];
                for (int64_t p = from; p < to; p++) R[p * l + j] -= (float)(a->centre[p] * sum);
            }
        }
    }
}

/* ---- randomised SVD ---------------------------------------------------------------------------------------------- */

/* Y (n, l) := an orthonormal basis of its columns, by the eigenvectors of Y^T Y (twice: rounding); columns beyond the
 * rank become 0. wide (n, l), gram and turn (l, l), value (l), room are working memory. */
static int orthonormalise(float *Y, double *wide, double *gram, double *turn, double *value, double *room, int threads,
                          int64_t n, int64_t l)
{
    for (int twice = 0; twice < 2; twice++) {
        for (int64_t i = 0; i < n * l; i++) wide[i] = Y[i];
        cw_dense_product(threads, gram, wide, 1, wide, 0, 0.0, l, l, n);
        if (cw_dense_eigen(value, gram, room, l, 0)) return -1;
        for (int64_t j = 0; j < l; j++) { /* largest first */
            double v = value[l - 1 - j], s = v > 1e-12 * value[l - 1] && v > 0.0 ? 1.0 / sqrt(v) : 0.0;
            for (int64_t i = 0; i < l; i++) turn[i * l + j] = gram[(l - 1 - j) * l + i] * s;
        }
#pragma omp parallel for schedule(static) num_threads(threads)
        for (int64_t c = 0; c < n; c += CELL_TILE) {
            double out[CELL_TILE * 8];
            int64_t rows = n - c < CELL_TILE ? n - c : CELL_TILE;
            for (int64_t j0 = 0; j0 < l; j0 += 8) {
                memset(out, 0, sizeof out);
                for (int64_t i = 0; i < rows; i++)
                    for (int64_t p = 0; p < l; p++)
                        for (int j = 0; j < 8; j++) out[i * 8 + j] += wide[(c + i) * l + p] * turn[p * l + j0 + j];
                for (int64_t i = 0; i < rows; i++)
                    for (int j = 0; j < 8; j++) Y[(c + i) * l + j0 + j] = (float)out[i * 8 + j];
            }
        }
    }
    return 0;
}

typedef struct svd_room {
    float *Q, *Y;                /* (rows, l), (cells, l) */
    double *wide, *gram, *turn, *value, *room, *shift;
    int64_t l;
} svd_room;

static double *shift_of(svd_room *w, const sparse *a)
{
    if (!a->centre) return NULL;
    for (int64_t j = 0; j < w->l; j++) w->shift[j] = 0.0;
    for (int64_t p = 0; p < a->x->rows; p++)
        for (int64_t j = 0; j < w->l; j++) w->shift[j] += a->centre[p] * w->Q[p * w->l + j];
    return w->shift;
}

/* The first k right singular vectors of A: loading (rows, k), in order, the largest entry of each positive. */
static cw_status svd(cw_ctx *ctx, double *loading, svd_room *w, const sparse *a, int64_t k, uint64_t key)
{
    int64_t rows = a->x->rows, cells = a->x->cells, l = w->l;
    cw_rng_fill_normal(w->Q, rows * l, cw_rng_stream(key, CW_RNG_USER, 0, USE_SKETCH), 0.0f, 1.0f);
    int bad = 0;
    for (int step = 0; step <= POWER && !bad; step++) {
        times(w->Y, a, w->Q, shift_of(w, a), l);
        if (cw_poll(ctx) != CW_OK) return ctx->status;
        bad = orthonormalise(w->Y, w->wide, w->gram, w->turn, w->value, w->room, ctx->threads, cells, l);
        times_transposed(w->Q, a, w->Y, l);
        if (step < POWER && !bad)
            bad = orthonormalise(w->Q, w->wide, w->gram, w->turn, w->value, w->room, ctx->threads, rows, l);
        if (cw_poll(ctx) != CW_OK) return ctx->status;
    }
    /* Q = A^T Y: its left singular vectors are A's right ones */
    for (int64_t i = 0; i < rows * l; i++) w->wide[i] = w->Q[i];
    cw_dense_product(ctx->threads, w->gram, w->wide, 1, w->wide, 0, 0.0, l, l, rows);
    if (bad || cw_dense_eigen(w->value, w->gram, w->room, l, 0))
        return cw_fail(ctx, CW_ERR_NUMERIC, "delays: the principal axes were not found");
    for (int64_t j = 0; j < k; j++) {
        double v = w->value[l - 1 - j], s = v > 1e-12 * w->value[l - 1] && v > 0.0 ? 1.0 / sqrt(v) : 0.0, most = 0.0;
        for (int64_t p = 0; p < rows; p++) {
            double sum = 0.0;
            for (int64_t i = 0; i < l; i++) sum += w->wide[p * l + i] * w->gram[(l - 1 - j) * l + i];
            loading[p * k + j] = sum * s;
            if (fabs(sum) > fabs(most)) most = sum;
        }
        for (int64_t p = 0; p < rows && most < 0.0; p++) loading[p * k + j] = -loading[p * k + j];
    }
    return cw_poll(ctx);
}

/* ---- LSI and PCA ------------------------------------------------------------------------------------------------- */

static cw_status median_depth(cw_arena *arena, double *median, const cw_counts *x)
{
    double *depth = cw_arena_take(arena, x->cells * (int64_t)sizeof *depth);
    if (!depth) return cw_arena_ctx(arena)->status;
    for (int64_t c = 0; c < x->cells; c++) depth[c] = depth_of(x, c);
    qsort(depth, (size_t)x->cells, sizeof *depth, cw_double_rising);
    *median = 0.5 * (depth[(x->cells - 1) / 2] + depth[x->cells / 2]);
    cw_arena_give(arena, depth);
    return CW_OK;
}

/* Means of f(x) over cells, by row. */
static void row_means(double *mean, const cw_counts *x, const float *value)
{
    for (int64_t p = 0; p < x->rows; p++) mean[p] = 0.0;
    for (int64_t c = 0; c < x->cells; c++)
        for (int64_t e = x->start[c]; e < x->start[c + 1]; e++) mean[x->row[e]] += value[e];
    for (int64_t p = 0; p < x->rows; p++) mean[p] /= (double)x->cells;
}

static void document_weights(double *weight, const cw_counts *x)
{
    for (int64_t p = 0; p < x->rows; p++) weight[p] = 0.0;
    for (int64_t e = 0; e < x->start[x->cells]; e++)
        if (x->value[e] > 0.0) weight[x->row[e]] += 1.0;
    for (int64_t p = 0; p < x->rows; p++) weight[p] = log1p((double)x->cells / fmax(weight[p], 1.0));
}

static svd_room svd_room_take(cw_arena *arena, int64_t rows, int64_t cells, int64_t k)
{
    svd_room w = {.l = (k + EXTRA + LANE - 1) / LANE * LANE};
    int64_t most = rows > cells ? rows : cells, l = w.l, d = (int64_t)sizeof(double), f = (int64_t)sizeof(float);
    w.Q = cw_arena_take(arena, rows * l * f), w.Y = cw_arena_take(arena, cells * l * f);
    w.wide = cw_arena_take(arena, most * l * d);
    w.gram = cw_arena_take(arena, l * l * d), w.turn = cw_arena_take(arena, l * l * d);
    w.value = cw_arena_take(arena, l * d), w.shift = cw_arena_take(arena, l * d);
    w.room = cw_arena_take(arena, cw_dense_eigen_room(l) * d);
    return w;
}

static void svd_room_give(cw_arena *arena, svd_room *w)
{
    void *all[] = {w->Q, w->Y, w->wide, w->gram, w->turn, w->value, w->shift, w->room};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) cw_arena_give(arena, all[i]);
}

cw_status cw_tau_embed_counts(cw_arena *arena, double **score, cw_tau_axes *axes, const cw_counts *x, int chromatin,
                              int64_t components, uint64_t key)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    if (ctx->status != CW_OK) return ctx->status;
    int64_t d = (int64_t)sizeof(double), skip = chromatin ? 1 : 0;
    int64_t k = least(components + skip, least(x->rows, x->cells) - 1);
    if (k - skip < 1)
        return cw_fail(ctx, CW_ERR_SHAPE, "delays: %lld %s in %lld cells are too few to embed", (long long)x->rows,
                       chromatin ? "peaks" : "genes", (long long)x->cells);
    *axes = (cw_tau_axes){.rows = x->rows, .k = k - skip, .chromatin = chromatin};
    axes->loading = cw_arena_take(arena, x->rows * axes->k * d);
    double *extra = cw_arena_take(arena, x->rows * d), *all = cw_arena_take(arena, x->rows * k * d);
    *score = cw_arena_take(arena, x->cells * axes->k * d);
    sparse a = {.x = x, .ctx = ctx, .threads = ctx->threads};
    a.value = cw_arena_take(arena, x->start[x->cells] * (int64_t)sizeof *a.value);
    svd_room w = svd_room_take(arena, x->rows, x->cells, k);
    if (ctx->status != CW_OK) return ctx->status;
    if (chromatin) document_weights(axes->weight = extra, x);
    else if (median_depth(arena, &axes->target, x) != CW_OK) return ctx->status;
    transform(&a, chromatin, axes->weight, axes->target);
    if (!chromatin) {
        row_means(axes->centre = extra, x, a.value);
        a.centre = axes->centre;
    }
    svd(ctx, all, &w, &a, k, key);
    svd_room_give(arena, &w);
    cw_arena_give(arena, a.value);
    if (ctx->status != CW_OK) return ctx->status;
    for (int64_t p = 0; p < x->rows; p++)
        memcpy(axes->loading + p * axes->k, all + p * k + skip, (size_t)(axes->k * d));
    cw_arena_give(arena, all);
    return cw_tau_score(arena, *score, axes, x);
}

cw_status cw_tau_score(cw_arena *arena, double *score, const cw_tau_axes *axes, const cw_counts *x)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    if (ctx->status != CW_OK) return ctx->status;
    if (axes->rows != x->rows)
        return cw_fail(ctx, CW_ERR_SHAPE, "delays: cells with %lld features on axes of %lld", (long long)x->rows,
                       (long long)axes->rows);
    int64_t k = axes->k;
    double *shift = cw_arena_take(arena, k * (int64_t)sizeof *shift);
    if (!shift) return ctx->status;
    for (int64_t j = 0; j < k; j++) shift[j] = 0.0;
    for (int64_t p = 0; axes->centre && p < x->rows; p++)
        for (int64_t j = 0; j < k; j++) shift[j] += axes->centre[p] * axes->loading[p * k + j];
    int stop = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(ctx->threads)
    for (int64_t first = 0; first < x->cells; first += CELL_BLOCK) { /* as in times() */
        const cw_watch watch = cw_watch_here(ctx, &stop);
        int64_t next[CELL_BLOCK], cells = least(CELL_BLOCK, x->cells - first);
        double scale[CELL_BLOCK];
        for (int64_t i = 0; i < cells; i++) {
            next[i] = x->start[first + i];
            scale[i] = (axes->chromatin ? 1e4 : axes->target) / fmax(depth_of(x, first + i), 1.0);
            for (int64_t j = 0; j < k; j++) score[(first + i) * k + j] = -shift[j];
        }
        for (int64_t to = PEAK_TILE; to < x->rows + PEAK_TILE && !cw_watch_stop(&watch); to += PEAK_TILE)
            for (int64_t i = 0; i < cells; i++) {
                const int64_t end = find_row(x, first + i, to);
                double *y = score + (first + i) * k;
                for (int64_t e = next[i]; e < end; e++) {
                    const int64_t p = x->row[e];
                    const double v = log1p(x->value[e] * scale[i] * (axes->chromatin ? axes->weight[p] : 1.0));
                    for (int64_t j = 0; j < k; j++) y[j] += v * axes->loading[p * k + j];
                }
                next[i] = end;
            }
    }
    cw_arena_give(arena, shift);
    return cw_poll(ctx);
}

/* ---- canonical correlation --------------------------------------------------------------------------------------- */

/* centred (N, k) := score - mean; white (k, k): columns such that centred white has variance e / (e + .001 e_max). */
static cw_status whiten(cw_arena *arena, double *white, double *out, double *mean, const double *score, int64_t N,
                        int64_t k)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    int64_t d = (int64_t)sizeof(double);
    double *centred = cw_arena_take(arena, N * k * d), *C = cw_arena_take(arena, k * k * d);
    double *value = cw_arena_take(arena, k * d), *room = cw_arena_take(arena, cw_dense_eigen_room(k) * d);
    if (ctx->status != CW_OK) return ctx->status;
    for (int64_t j = 0; j < k; j++) {
        double sum = 0.0;
        for (int64_t i = 0; i < N; i++) sum += score[i * k + j];
        mean[j] = sum / (double)N;
    }
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < k; j++) centred[i * k + j] = score[i * k + j] - mean[j];
    cw_dense_product(ctx->threads, C, centred, 1, centred, 0, 0.0, k, k, N);
    for (int64_t i = 0; i < k * k; i++) C[i] /= (double)N;
    if (cw_dense_eigen(value, C, room, k, 0))
        return cw_fail(ctx, CW_ERR_NUMERIC, "delays: an embedding has no principal axes; it may hold NaN");
    double top = value[k - 1];
    for (int64_t j = 0; j < k; j++) {
        double v = fmax(value[j], 0.0) + 1e-3 * top, s = v > 0.0 ? 1.0 / sqrt(v) : 0.0;
        for (int64_t i = 0; i < k; i++) white[i * k + j] = C[j * k + i] * s;
    }
    cw_dense_product(ctx->threads, out, centred, 0, white, 0, 0.0, N, k, k);
    cw_arena_give(arena, room), cw_arena_give(arena, value);
    cw_arena_give(arena, C), cw_arena_give(arena, centred);
    return cw_poll(ctx);
}

typedef struct cross {
    double *C, *S, *value, *room; /* (ka, kb), (n, n) with n = min(ka, kb), (n) */
    int64_t ka, kb, n;
} cross;

/* Squared singular values of C = A^T B / N, ascending, in value; eigenvectors of C C^T (or C^T C if kb is smaller) as
 * rows of S. */
static int cross_decompose(cross *x, const double *A, const double *B, int threads, int64_t N)
{
    cw_dense_product(threads, x->C, A, 1, B, 0, 0.0, x->ka, x->kb, N);
    for (int64_t i = 0; i < x->ka * x->kb; i++) x->C[i] /= (double)N;
    if (x->ka <= x->kb) cw_dense_product(threads, x->S, x->C, 0, x->C, 1, 0.0, x->ka, x->ka, x->kb);
    else cw_dense_product(threads, x->S, x->C, 1, x->C, 0, 0.0, x->kb, x->kb, x->ka);
    return cw_dense_eigen(x->value, x->S, x->room, x->n, 0);
}

/* Left and right singular vectors of the d largest singular values: U (ka, d), V (kb, d), from cross_decompose. */
static void cross_vectors(double *U, double *V, const cross *x, int64_t d)
{
    int left = x->ka <= x->kb;
    double *own = left ? U : V, *other = left ? V : U;
    int64_t n_other = left ? x->kb : x->ka;
    for (int64_t j = 0; j < d; j++) {
        const double *row = x->S + (x->n - 1 - j) * x->n;
        double s = sqrt(fmax(x->value[x->n - 1 - j], 0.0)), most = 0.0;
        for (int64_t i = 0; i < x->n; i++)
            if (fabs(row[i]) > fabs(most)) most = row[i];
        double sign = most < 0.0 ? -1.0 : 1.0;
        for (int64_t i = 0; i < x->n; i++) own[i * d + j] = sign * row[i];
        for (int64_t o = 0; o < n_other; o++) {
            double sum = 0.0;
            for (int64_t i = 0; i < x->n; i++) sum += (left ? x->C[i * x->kb + o] : x->C[o * x->kb + i]) * row[i];
            other[o * d + j] = s > 1e-12 ? sign * sum / s : 0.0;
        }
    }
}

/* The largest canonical correlation among shuffled pairings: rows of A in another order. */
static cw_status shuffled(cw_arena *arena, double *null, cross *x, const double *A, const double *B, int64_t shuffles,
                          uint64_t key, int64_t N)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    int64_t *order = cw_arena_take(arena, N * (int64_t)sizeof *order);
    double *mixed = cw_arena_take(arena, N * x->ka * (int64_t)sizeof *mixed);
    if (ctx->status != CW_OK) return ctx->status;
    *null = 0.0;
    for (int64_t s = 0; s < shuffles; s++) {
        cw_rng_permutation(order, N, cw_rng_stream(key, CW_RNG_SHUFFLE, (uint64_t)s, USE_SHUFFLE));
        for (int64_t i = 0; i < N; i++) memcpy(mixed + i * x->ka, A + order[i] * x->ka, (size_t)x->ka * sizeof *mixed);
        if (cross_decompose(x, mixed, B, ctx->threads, N))
            return cw_fail(ctx, CW_ERR_NUMERIC, "delays: canonical correlations of a shuffled pairing weren't found");
        *null = fmax(*null, sqrt(fmax(x->value[x->n - 1], 0.0)));
        if (cw_poll(ctx) != CW_OK) return ctx->status;
    }
    cw_arena_give(arena, mixed), cw_arena_give(arena, order);
    return CW_OK;
}

cw_status cw_tau_cca(cw_arena *arena, cw_tau_shared *out, cw_tau_axes *Aa, cw_tau_axes *Bb, const double *a,
                     const double *b, int64_t N, int64_t shuffles, int64_t low, int64_t high, uint64_t key)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    if (ctx->status != CW_OK) return ctx->status;
    int64_t ka = Aa->k, kb = Bb->k, n = least(ka, kb), sz = (int64_t)sizeof(double);
    cross x = {.ka = ka, .kb = kb, .n = n};
    double *A = cw_arena_take(arena, N * ka * sz), *B = cw_arena_take(arena, N * kb * sz);
    double *wa = cw_arena_take(arena, ka * ka * sz), *wb = cw_arena_take(arena, kb * kb * sz);
    x.C = cw_arena_take(arena, ka * kb * sz), x.S = cw_arena_take(arena, n * n * sz);
    x.value = cw_arena_take(arena, n * sz), x.room = cw_arena_take(arena, cw_dense_eigen_room(n) * sz);
    Aa->mean = cw_arena_take(arena, ka * sz), Bb->mean = cw_arena_take(arena, kb * sz);
    out->cor = cw_arena_take(arena, n * sz);
    if (ctx->status != CW_OK) return ctx->status;
    if (whiten(arena, wa, A, Aa->mean, a, N, ka) != CW_OK || whiten(arena, wb, B, Bb->mean, b, N, kb) != CW_OK ||
        shuffled(arena, &out->null, &x, A, B, shuffles, key, N) != CW_OK)
        return ctx->status;
    if (cross_decompose(&x, A, B, ctx->threads, N))
        return cw_fail(ctx, CW_ERR_NUMERIC, "delays: the canonical correlations weren't found");
    out->count = n, out->above = 0;
    for (int64_t j = 0; j < n; j++) {
        out->cor[j] = sqrt(fmax(x.value[n - 1 - j], 0.0));
        if (out->cor[j] > out->null) out->above++;
    }
    int64_t d = out->above < low ? low : out->above > high ? high : out->above;
    out->d = d = least(d, n);
    double *U = cw_arena_take(arena, ka * d * sz), *V = cw_arena_take(arena, kb * d * sz);
    Aa->rotation = cw_arena_take(arena, ka * d * sz), Bb->rotation = cw_arena_take(arena, kb * d * sz);
    out->z = cw_arena_take(arena, N * d * sz);
    if (ctx->status != CW_OK) return ctx->status;
    cross_vectors(U, V, &x, d);
    cw_dense_product(1, Aa->rotation, wa, 0, U, 0, 0.0, ka, d, ka);
    cw_dense_product(1, Bb->rotation, wb, 0, V, 0, 0.0, kb, d, kb);
#pragma omp parallel for schedule(static) num_threads(ctx->threads)
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < d; j++) {
            double sum = 0.0, s = fmin(out->cor[j], 0.999);
            for (int64_t p = 0; p < ka; p++) sum += A[i * ka + p] * U[p * d + j];
            for (int64_t p = 0; p < kb; p++) sum += B[i * kb + p] * V[p * d + j];
            out->z[i * d + j] = sum * s / sqrt(2.0 * (1.0 + s));
        }
    void *done[] = {A, B, wa, wb, x.C, x.S, x.value, x.room, U, V};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
    return cw_poll(ctx);
}

cw_status cw_tau_project(cw_arena *arena, double *z, const cw_tau_axes *axes, const double *score, const double *cor,
                         int64_t n, int64_t d)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    if (ctx->status != CW_OK) return ctx->status;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) {
            double sum = 0.0, s = fmin(cor[j], 0.999);
            for (int64_t p = 0; p < axes->k; p++)
                sum += (score[i * axes->k + p] - axes->mean[p]) * axes->rotation[p * d + j];
            z[i * d + j] = sum * s * sqrt((1.0 + s) / 2.0);
        }
    return cw_poll(ctx);
}
