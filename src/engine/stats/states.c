/* states.c: see states.h. */
#include "states.h"

#include "../linalg/dense.h"
#include "../linalg/leading.h"
#include "../core/rng.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    BLOCK = 512,           /* cells at a time */
    MOST_GENES = 2000,     /* for the components */
    STARTS = 5,            /* of k-means */
    ROUNDS = 100,          /* of each start */
    MOST_SILHOUETTE = 1000,
    MOST_NEIGHBOURS = 10000
};
/* what the streams are for: the last number of cw_rng_stream */
enum { USE_PERMUTE = 80, USE_START = 82, USE_SAMPLE };

/* ---- principal components ---------------------------------------------------------------------------------------- */

/* S (n,n) = Z^T Z of n evenly spread columns of x. Z (BLOCK, n) is working memory. */
static cw_status second_moments(cw_ctx *ctx, double *S, double *Z, const float *x, int64_t cells, int64_t genes,
                                int64_t n)
{
    for (int64_t c0 = 0; c0 < cells; c0 += BLOCK) {
        int64_t rows = cells - c0 < BLOCK ? cells - c0 : BLOCK;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < n; j++) Z[i * n + j] = x[(c0 + i) * genes + j * genes / n];
        cw_dense_product(ctx->threads, S, Z, 1, Z, 0, c0 > 0 ? 1.0 : 0.0, n, n, rows);
        if (cw_poll(ctx) != CW_OK) return ctx->status;
    }
    return CW_OK;
}

/* out (cells, n): n evenly spread columns of x, each permuted by itself; order (cells) is working memory */
static cw_status permute_columns(cw_ctx *ctx, float *out, int64_t *order, const float *x, uint64_t key, int64_t cells,
                                 int64_t genes, int64_t n)
{
    for (int64_t j = 0; j < n; j++) {
        cw_rng_permutation(order, cells, cw_rng_stream(key, CW_RNG_SHUFFLE, (uint64_t)j, USE_PERMUTE));
        for (int64_t c = 0; c < cells; c++) out[c * n + j] = x[order[c] * genes + j * genes / n];
        if (cw_poll(ctx) != CW_OK) return ctx->status;
    }
    return CW_OK;
}

cw_status cw_states_components(cw_ctx *ctx, float *score, int64_t *count, const float *x, uint64_t key, int64_t cells,
                               int64_t genes)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (cells < 2 || genes < 2)
        return cw_fail(ctx, CW_ERR_SHAPE, "components: %lld cells x %lld genes; at least 2 of each are needed",
                       (long long)cells, (long long)genes);
    int64_t n = genes < MOST_GENES ? genes : MOST_GENES, most = n < CW_STATES_COMPONENTS ? n : CW_STATES_COMPONENTS;
    double value[CW_STATES_COMPONENTS], limit[1];
    double *S = cw_alloc(ctx, n * n, sizeof *S), *Z = cw_alloc(ctx, BLOCK * n, sizeof *Z);
    double *V = cw_alloc(ctx, most * n, sizeof *V);
    float *mixed = cw_alloc(ctx, cells * n, sizeof *mixed);
    int64_t *order = cw_alloc(ctx, cells, sizeof *order);
    if (ctx->status != CW_OK) goto done;
    if (permute_columns(ctx, mixed, order, x, key, cells, genes, n) != CW_OK ||
        second_moments(ctx, S, Z, mixed, cells, n, n) != CW_OK ||
        cw_leading_eigen(ctx, limit, NULL, S, key, 1, n) != CW_OK ||
        second_moments(ctx, S, Z, x, cells, genes, n) != CW_OK ||
        cw_leading_eigen(ctx, value, V, S, key, most, n) != CW_OK)
        goto done;
    int64_t kept = 0;
    while (kept < most && sqrt(value[kept]) > 1.02 * sqrt(limit[0])) kept++;
    *count = kept < 2 ? 2 : kept;
    for (int64_t c = 0; c < cells; c++) {
        if (c % 64 == 0 && cw_poll(ctx) != CW_OK) break;
        for (int64_t r = 0; r < *count; r++) {
            double sum = 0.0;
            for (int64_t j = 0; j < n; j++) sum += x[c * genes + j * genes / n] * V[r * n + j];
            score[c * *count + r] = (float)sum;
        }
    }
done:
    cw_free(ctx, order);
    cw_free(ctx, mixed);
    cw_free(ctx, V);
    cw_free(ctx, Z);
    cw_free(ctx, S);
    return ctx->status;
}

/* ---- k-means ----------------------------------------------------------------------------------------------------- */

static double distance2(const float *a, const double *b, int64_t dims)
{
    double sum = 0.0;
    for (int64_t j = 0; j < dims; j++) {
        double d = a[j] - b[j];
        sum += d * d;
    }
    return sum;
}

/* Nearest of `count` centres for every cell: label, and the squared distance to it in near. */
static void assign(int32_t *label, double *near, const float *point, const double *centre, int threads, int64_t cells,
                   int64_t dims, int64_t count)
{
    (void)threads;
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && cells * count * dims > 50000)
#endif
    for (int64_t c = 0; c < cells; c++) {
        near[c] = INFINITY;
        for (int64_t k = 0; k < count; k++) {
            double d = distance2(point + c * dims, centre + k * dims, dims);
            if (d < near[c]) near[c] = d, label[c] = (int32_t)k;
        }
    }
}

/* k-means++: the first centre at random, each further one a cell drawn in proportion to its squared distance. */
static void first_centres(double *centre, double *near, int32_t *label, const float *point, cw_stream stream,
                          int threads, int64_t cells, int64_t dims, int64_t count)
{
    int64_t pick = (int64_t)(cw_rng_uniform(stream, 0) * (float)cells);
    if (pick >= cells) pick = cells - 1;
    for (int64_t k = 0; k < count; k++) {
        if (k > 0) {
            assign(label, near, point, centre, threads, cells, dims, k);
            double all = 0.0;
            for (int64_t c = 0; c < cells; c++) all += near[c];
            double at = cw_rng_uniform(stream, (uint64_t)k) * all;
            for (pick = 0; pick < cells - 1 && at >= near[pick]; pick++) at -= near[pick];
        }
        for (int64_t j = 0; j < dims; j++) centre[k * dims + j] = point[pick * dims + j];
    }
}

/* Means of the cells of each label; a state without cells moves to the cell farthest from its centre. */
static void move_centres(double *centre, int64_t *size, double *near, const int32_t *label, const float *point,
                         int64_t cells, int64_t dims, int64_t count)
{
    memset(centre, 0, (size_t)(count * dims) * sizeof *centre);
    memset(size, 0, (size_t)count * sizeof *size);
    for (int64_t c = 0; c < cells; c++) {
        size[label[c]]++;
        for (int64_t j = 0; j < dims; j++) centre[label[c] * dims + j] += point[c * dims + j];
    }
    for (int64_t k = 0; k < count; k++) {
        int64_t far = 0;
        for (int64_t c = 1; size[k] == 0 && c < cells; c++)
            if (near[c] > near[far]) far = c;
        for (int64_t j = 0; j < dims; j++)
            centre[k * dims + j] = size[k] ? centre[k * dims + j] / (double)size[k] : point[far * dims + j];
        if (size[k] == 0) near[far] = 0.0;
    }
}

/* Working memory of k-means, for up to `high` states. */
typedef struct clusters {
    double *centre, *near; /* (high, dims), (cells) */
    int64_t *size;         /* (high) */
    int32_t *label;        /* (cells) of the run in progress */
} clusters;

/* Lloyd's algorithm from STARTS starts: the labels (cells) with the smallest sum of squares. */
static cw_status kmeans(cw_ctx *ctx, int32_t *best, clusters *w, const float *point, uint64_t key, int64_t cells,
                        int64_t dims, int64_t count)
{
    double lowest = INFINITY;
    for (int start = 0; start < STARTS; start++) {
        cw_stream s = cw_rng_stream(key, CW_RNG_USER, (uint64_t)(count * STARTS + start), USE_START);
        double before = INFINITY, sum = 0.0;
        first_centres(w->centre, w->near, w->label, point, s, ctx->threads, cells, dims, count);
        for (int round = 0; round < ROUNDS && cw_poll(ctx) == CW_OK; round++) {
            assign(w->label, w->near, point, w->centre, ctx->threads, cells, dims, count);
            sum = 0.0;
            for (int64_t c = 0; c < cells; c++) sum += w->near[c];
            if (!(sum < before * (1.0 - 1e-7))) break;
            before = sum;
            move_centres(w->centre, w->size, w->near, w->label, point, cells, dims, count);
        }
        if (sum < lowest) {
            lowest = sum;
            memcpy(best, w->label, (size_t)cells * sizeof *best);
        }
        if (cw_poll(ctx) != CW_OK) return ctx->status;
    }
    return CW_OK;
}

/* ---- how many states --------------------------------------------------------------------------------------------- */

/* Mean silhouette (Rousseeuw 1987) of the n sampled cells: (b - a) / max(a, b), a the mean distance to the own state's
 * others, b the smallest mean distance to another state; 0 for a cell alone. gap (n, n) distances. */
static double silhouette(const float *gap, const int64_t *sample, const int32_t *label, int64_t n, int64_t count)
{
    double total = 0.0, sum[CW_STATES_MAX];
    int64_t size[CW_STATES_MAX] = {0};
    for (int64_t i = 0; i < n; i++) size[label[sample[i]]]++;
    for (int64_t i = 0; i < n; i++) {
        int32_t own = label[sample[i]];
        if (size[own] < 2) continue;
        memset(sum, 0, sizeof sum);
        for (int64_t j = 0; j < n; j++) sum[label[sample[j]]] += gap[i * n + j];
        double a = sum[own] / (double)(size[own] - 1), b = INFINITY;
        for (int32_t k = 0; k < count; k++)
            if (k != own && size[k] > 0) b = fmin(b, sum[k] / (double)size[k]);
        if (isfinite(b) && fmax(a, b) > 0.0) total += (b - a) / fmax(a, b);
    }
    return total / (double)n;
}

static void distances(cw_ctx *ctx, float *gap, const int64_t *sample, const float *point, int64_t n, int64_t dims)
{
    for (int64_t i = 0; i < n && cw_poll(ctx) == CW_OK; i++)
        for (int64_t j = 0; j <= i; j++) {
            double sum = 0.0;
            for (int64_t d = 0; d < dims; d++) {
                double a = (double)point[sample[i] * dims + d] - point[sample[j] * dims + d];
                sum += a * a;
            }
            gap[i * n + j] = gap[j * n + i] = (float)sqrt(sum);
        }
}

/* ---- soft memberships -------------------------------------------------------------------------------------------- */

/* The k nearest of n reference cells (columns of ref (dims, n)) to p; near and who (k) are working memory and end as
 * a heap with the farthest on top. Among equal distances the first wins. */
static void nearest(float *near, int32_t *who, float *gap, const float *p, const float *ref, int64_t n, int64_t dims,
                    int64_t k)
{
    memset(gap, 0, (size_t)n * sizeof *gap);
    for (int64_t d = 0; d < dims; d++)
        for (int64_t j = 0; j < n; j++) {
            float a = p[d] - ref[d * n + j];
            gap[j] += a * a;
        }
    for (int64_t i = 0; i < k; i++) near[i] = INFINITY, who[i] = -1;
    for (int64_t j = 0; j < n; j++) {
        if (!(gap[j] <= FLT_MAX)) gap[j] = FLT_MAX; /* far apart: finite, so that k <= n cells are always found */
        if (!(gap[j] < near[0])) continue;
        int64_t at = 0;
        for (;;) {
            int64_t child = 2 * at + 1;
            if (child >= k) break;
            if (child + 1 < k && near[child + 1] > near[child]) child++;
            if (near[child] <= gap[j]) break;
            near[at] = near[child], who[at] = who[child], at = child;
        }
        near[at] = gap[j], who[at] = (int32_t)j;
    }
}

static cw_status memberships(cw_ctx *ctx, float *w, const int32_t *label, const float *point, uint64_t key,
                             int64_t cells, int64_t dims, int64_t states, int64_t neighbours)
{
    int64_t n = cells < MOST_NEIGHBOURS ? cells : MOST_NEIGHBOURS, k = neighbours < n ? neighbours : n;
    int64_t *order = cw_alloc(ctx, cells, sizeof *order);
    float *ref = cw_alloc(ctx, dims * n, sizeof *ref);
    float *gap = cw_alloc(ctx, ctx->threads * (n + k), sizeof *gap);
    int32_t *who = cw_alloc(ctx, ctx->threads * k, sizeof *who);
    if (ctx->status == CW_OK) {
        if (n < cells) cw_rng_permutation(order, cells, cw_rng_stream(key, CW_RNG_SHUFFLE, 1, USE_SAMPLE));
        for (int64_t j = 0; j < n; j++) {
            if (n == cells) order[j] = j;
            for (int64_t d = 0; d < dims; d++) ref[d * n + j] = point[order[j] * dims + d];
        }
        int threads = ctx->threads, stop = 0;
        (void)threads;
#pragma omp parallel for schedule(dynamic, 64) num_threads(threads) if (threads > 1)
        for (int64_t c = 0; c < cells; c++) {
            int64_t slot = cw_thread_number();
            const cw_watch watch = cw_watch_here(ctx, &stop);
            if (cw_watch_stop(&watch)) continue;
            float *g = gap + slot * (n + k);
            int32_t *found = who + slot * k;
            nearest(g + n, found, g, point + c * dims, ref, n, dims, k);
            int64_t share[CW_STATES_MAX] = {0};
            for (int64_t i = 0; i < k; i++) share[label[order[found[i]]]]++;
            for (int64_t s = 0; s < states; s++) w[c * states + s] = (float)((double)share[s] / (double)k);
        }
    }
    cw_free(ctx, who);
    cw_free(ctx, gap);
    cw_free(ctx, ref);
    cw_free(ctx, order);
    return cw_poll(ctx);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static cw_status check(cw_ctx *ctx, const float *point, const cw_states_options *o, int64_t cells, int64_t dims)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (o->low < 2 || o->high < o->low || o->high > CW_STATES_MAX || o->neighbours < 1)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "states: %lld to %lld states, %lld neighbours; from 2 to %d, and 1 up",
                       (long long)o->low, (long long)o->high, (long long)o->neighbours, CW_STATES_MAX);
    if (dims < 1 || cells <= o->high)
        return cw_fail(ctx, CW_ERR_SHAPE, "states: %lld cells in %lld dimensions are too few for %lld states",
                       (long long)cells, (long long)dims, (long long)o->high);
    for (int64_t i = 0; i < cells * dims; i++)
        if (!isfinite(point[i])) return cw_fail(ctx, CW_ERR_NUMERIC, "states: a coordinate isn't finite");
    return CW_OK;
}

/* States that no cell belongs to any more are dropped. Returns how many remain. */
static int64_t drop_empty(float *w, int32_t *label, int64_t cells, int64_t states)
{
    int64_t to[CW_STATES_MAX], kept = 0;
    for (int64_t k = 0; k < states; k++) {
        double sum = 0.0;
        for (int64_t c = 0; c < cells; c++) sum += w[c * states + k];
        to[k] = sum > 0.0 ? kept++ : -1;
    }
    if (kept == states) return states;
    for (int64_t c = 0; c < cells; c++) {
        for (int64_t k = 0; k < states; k++)
            if (to[k] >= 0) w[c * kept + to[k]] = w[c * states + k];
        label[c] = to[label[c]] < 0 ? 0 : (int32_t)to[label[c]];
    }
    return kept;
}

cw_status cw_states_find(cw_ctx *ctx, float *w, int32_t *label, cw_states *found, const float *point,
                         const cw_states_options *options, int64_t cells, int64_t dims)
{
    const cw_states_options *o = options;
    if (check(ctx, point, o, cells, dims) != CW_OK) return ctx->status;
    int64_t n = cells < MOST_SILHOUETTE ? cells : MOST_SILHOUETTE;
    clusters work = {.centre = cw_alloc(ctx, o->high * dims, sizeof(double)),
                     .near = cw_alloc(ctx, cells, sizeof(double)),
                     .size = cw_alloc(ctx, o->high, sizeof(int64_t)),
                     .label = cw_alloc(ctx, cells, sizeof(int32_t))};
    int32_t *tried = cw_alloc(ctx, cells, sizeof *tried), *best = cw_alloc(ctx, cells, sizeof *best);
    int64_t *sample = cw_alloc(ctx, cells, sizeof *sample);
    float *gap = cw_alloc(ctx, n * n, sizeof *gap);
    if (ctx->status != CW_OK) goto done;
    *found = (cw_states){.states = o->low};
    for (int64_t k = 0; k <= CW_STATES_MAX; k++) found->silhouette[k] = NAN;
    cw_rng_permutation(sample, cells, cw_rng_stream(o->key, CW_RNG_SHUFFLE, 0, USE_SAMPLE));
    distances(ctx, gap, sample, point, n, dims);
    for (int64_t k = o->low; k <= o->high; k++) {
        if (kmeans(ctx, tried, &work, point, o->key, cells, dims, k) != CW_OK) goto done;
        found->silhouette[k] = silhouette(gap, sample, tried, n, k);
        if (k == o->low || found->silhouette[k] > found->silhouette[found->states]) {
            found->states = k;
            memcpy(best, tried, (size_t)cells * sizeof *best);
        }
    }
    if (memberships(ctx, w, best, point, o->key, cells, dims, found->states, o->neighbours) != CW_OK) goto done;
    found->states = drop_empty(w, best, cells, found->states);
    if (label) memcpy(label, best, (size_t)cells * sizeof *label);
done:
    cw_free(ctx, gap);
    cw_free(ctx, sample);
    cw_free(ctx, best);
    cw_free(ctx, tried);
    cw_free(ctx, work.label);
    cw_free(ctx, work.size);
    cw_free(ctx, work.near);
    cw_free(ctx, work.centre);
    return ctx->status;
}
