/* neighbours.c: nearest neighbours by brute force, graphs of them, modularity, two tails of distributions. */
#include "neighbours.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../core/select.h"
#include "../core/threads.h"

/* ---- nearest ---- */

/* Inserts (d, j) into the ascending list of `filled` <= k entries; those of equal distance keep the order of arrival. */
static int64_t insert(int32_t *index, double *distance, int64_t filled, int64_t k, double d, int32_t j)
{
    if (filled == k && !(d < distance[k - 1])) return filled;
    int64_t at = filled < k ? filled++ : k - 1;
    for (; at > 0 && d < distance[at - 1]; at--) distance[at] = distance[at - 1], index[at] = index[at - 1];
    distance[at] = d, index[at] = j;
    return filled;
}

cw_status cw_nearest(cw_ctx *ctx, int32_t *index, double *distance, const double *point, int64_t n, int64_t dims,
                     int64_t k, int cosine)
{
    if (k < 1 || k >= n || dims < 1 || n > INT32_MAX)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "%lld neighbours of %lld points can't be had", (long long)k, (long long)n);
    double *length = cw_alloc(ctx, n, sizeof *length);
    if (!length) return ctx->status;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0.0;
        for (int64_t d = 0; d < dims; d++) sum += point[i * dims + d] * point[i * dims + d];
        length[i] = sqrt(sum);
    }
    int stop = 0;
#pragma omp parallel for num_threads(ctx->threads) schedule(dynamic, 16)
    for (int64_t i = 0; i < n; i++) {
        cw_watch watch = cw_watch_here(ctx, &stop);
        if (cw_watch_stop(&watch)) continue;
        const double *a = point + i * dims;
        int64_t filled = 0;
        for (int64_t j = 0; j < n; j++) {
            if (j == i) continue;
            const double *b = point + j * dims;
            double sum = 0.0;
            if (cosine)
                for (int64_t d = 0; d < dims; d++) sum += a[d] * b[d];
            else
                for (int64_t d = 0; d < dims; d++) sum += (a[d] - b[d]) * (a[d] - b[d]);
            double both = length[i] * length[j];
            double away = cosine ? 1.0 - (both > 0.0 ? sum / both : 0.0) : sqrt(sum);
            filled = insert(index + i * k, distance + i * k, filled, k, away, (int32_t)j);
        }
    }
    cw_free(ctx, length);
    return cw_poll(ctx);
}

/* ---- graphs ---- */

void cw_weighted_graph_free(cw_ctx *ctx, cw_weighted_graph *g)
{
    cw_free(ctx, g->from), cw_free(ctx, g->to), cw_free(ctx, g->weight);
    *g = (cw_weighted_graph){0};
}

static cw_status graph_room(cw_ctx *ctx, cw_weighted_graph *out, int64_t n, int64_t most)
{
    *out = (cw_weighted_graph){.n = n};
    out->from = cw_alloc(ctx, most, sizeof *out->from);
    out->to = cw_alloc(ctx, most, sizeof *out->to);
    out->weight = cw_alloc(ctx, most, sizeof *out->weight);
    return ctx->status;
}

static void graph_add(cw_weighted_graph *g, int64_t i, int64_t j, double w)
{
    g->from[g->edges] = (int32_t)i, g->to[g->edges] = (int32_t)j, g->weight[g->edges++] = w;
}

/* start (n + 1), item (n k): for each point, ascending, those that have it among their neighbours. */
static void reverse_lists(int64_t *start, int32_t *item, const int32_t *index, int64_t n, int64_t k)
{
    memset(start, 0, (size_t)(n + 1) * sizeof *start);
    for (int64_t e = 0; e < n * k; e++) start[index[e] + 1]++;
    for (int64_t i = 0; i < n; i++) start[i + 1] += start[i];
    for (int64_t i = 0; i < n; i++)
        for (int64_t e = 0; e < k; e++) item[start[index[i * k + e]]++] = (int32_t)i;
    for (int64_t i = n; i > 0; i--) start[i] = start[i - 1];
    start[0] = 0;
}

static cw_status valid_index(cw_ctx *ctx, const int32_t *index, int64_t n, int64_t k)
{
    for (int64_t e = 0; e < n * k; e++)
        if (index[e] < 0 || index[e] >= n)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "a neighbour is point %d of %lld", index[e] + 1, (long long)n);
    return CW_OK;
}

static double row_sum(const double *d, int64_t k, double rho, double sigma)
{
    double sum = 0.0;
    for (int64_t j = 0; j < k; j++) sum += d[j] > rho ? exp(-(d[j] - rho) / sigma) : 1.0;
    return sum;
}

/* sigma of one row by bisection, as umap-learn's smooth_knn_dist: 64 steps, to 1e-5. */
static double row_scale(const double *d, int64_t k, double rho, double mean)
{
    double low = 0.0, high = INFINITY, sigma = 1.0, target = log2((double)k + 1.0);
    for (int step = 0; step < 64; step++) {
        double sum = row_sum(d, k, rho, sigma);
        if (fabs(sum - target) < 1e-5) break;
        if (sum > target) high = sigma;
        else low = sigma;
        sigma = isinf(high) ? 2.0 * sigma : (low + high) / 2.0;
    }
    return fmax(sigma, 1e-3 * mean);
}

cw_status cw_umap_graph(cw_ctx *ctx, cw_weighted_graph *out, const int32_t *index, const double *distance, int64_t n,
                        int64_t k)
{
    if (graph_room(ctx, out, n, n * k) != CW_OK || valid_index(ctx, index, n, k) != CW_OK) return ctx->status;
    double *p = cw_alloc(ctx, n * k, sizeof *p), *row = cw_calloc(ctx, n, sizeof *row), whole = 0.0;
    int64_t *start = cw_alloc(ctx, n + 1, sizeof *start);
    int32_t *item = cw_alloc(ctx, n * k, sizeof *item), *near = cw_alloc(ctx, n, sizeof *near);
    if (ctx->status == CW_OK) {
        for (int64_t e = 0; e < n * k; e++) whole += distance[e] / (double)(n * (k + 1));
        for (int64_t i = 0; i < n; i++) {
            const double *d = distance + i * k;
            double rho = 0.0, mean = 0.0;
            for (int64_t j = k - 1; j >= 0; j--) {
                if (d[j] > 0.0) rho = d[j];
                mean += d[j] / (double)(k + 1);
            }
            double sigma = row_scale(d, k, rho, rho > 0.0 ? mean : whole);
            for (int64_t j = 0; j < k; j++) p[i * k + j] = d[j] > rho ? exp(-(d[j] - rho) / sigma) : 1.0;
        }
        reverse_lists(start, item, index, n, k);
        for (int64_t i = 0; i < n; i++) { /* row: p_ij + p_ji - p_ij p_ji of the j above i */
            int64_t count = 0;
            for (int64_t e = 0; e < k; e++) {
                int32_t j = index[i * k + e];
                if (j > i) near[count++] = j, row[j] = p[i * k + e];
            }
            for (int64_t r = start[i]; r < start[i + 1]; r++) {
                int32_t j = item[r];
                if (j <= i) continue;
                int64_t e = (int64_t)j * k;
                while (index[e] != (int32_t)i) e++;
                int there = 0;
                for (int64_t c = 0; c < k && !there; c++) there = index[i * k + c] == j;
                if (!there) near[count++] = j;
                row[j] += p[e] - row[j] * p[e];
            }
            qsort(near, (size_t)count, sizeof *near, cw_int32_rising);
            for (int64_t c = 0; c < count; c++) {
                if (row[near[c]] > 0.0) graph_add(out, i, near[c], row[near[c]]);
                row[near[c]] = 0.0;
            }
        }
    }
    cw_free(ctx, near), cw_free(ctx, item), cw_free(ctx, start), cw_free(ctx, row), cw_free(ctx, p);
    return cw_poll(ctx);
}

cw_status cw_shared_graph(cw_ctx *ctx, cw_weighted_graph *out, const int32_t *index, int64_t n, int64_t k, double least)
{
    *out = (cw_weighted_graph){.n = n};
    if (valid_index(ctx, index, n, k) != CW_OK) return ctx->status;
    int64_t *start = cw_alloc(ctx, n + 1, sizeof *start), most = 0;
    int32_t *item = cw_alloc(ctx, n * (k + 1), sizeof *item), *all = cw_alloc(ctx, n * (k + 1), sizeof *all);
    int32_t *shared = cw_calloc(ctx, n, sizeof *shared), *near = cw_alloc(ctx, n, sizeof *near);
    if (ctx->status == CW_OK) {
        for (int64_t i = 0; i < n; i++) { /* each point its own neighbour */
            all[i * (k + 1)] = (int32_t)i;
            memcpy(all + i * (k + 1) + 1, index + i * k, (size_t)k * sizeof *all);
        }
        reverse_lists(start, item, all, n, k + 1);
    }
    for (int pass = 0; pass < 2 && ctx->status == CW_OK; pass++) { /* counted, then written */
        if (pass == 1 && graph_room(ctx, out, n, most) != CW_OK) break;
        for (int64_t i = 0; i < n; i++) {
            int64_t count = 0;
            for (int64_t e = 0; e <= k; e++) {
                int32_t v = all[i * (k + 1) + e];
                for (int64_t r = start[v]; r < start[v + 1]; r++)
                    if (item[r] > i && shared[item[r]]++ == 0) near[count++] = item[r];
            }
            if (pass) qsort(near, (size_t)count, sizeof *near, cw_int32_rising);
            for (int64_t c = 0; c < count; c++) {
                double w = shared[near[c]] / (2.0 * (double)(k + 1) - shared[near[c]]);
                shared[near[c]] = 0;
                if (w < least) continue;
                if (pass) graph_add(out, i, near[c], w);
                else most++;
            }
        }
    }
    cw_free(ctx, near), cw_free(ctx, shared), cw_free(ctx, all), cw_free(ctx, item), cw_free(ctx, start);
    return cw_poll(ctx);
}

cw_status cw_modularity(cw_ctx *ctx, double *out, const cw_weighted_graph *g, const int32_t *group, int64_t groups,
                        double resolution)
{
    double *strength = cw_calloc(ctx, groups, sizeof *strength), inside = 0.0, W = 0.0;
    if (!strength) return ctx->status;
    for (int64_t i = 0; i < g->n; i++)
        if (group[i] < 0 || group[i] >= groups) cw_fail(ctx, CW_ERR_ARGUMENT, "point %lld is of no group", (long long)i + 1);
    for (int64_t e = 0; e < g->edges && ctx->status == CW_OK; e++) {
        int32_t a = group[g->from[e]], b = group[g->to[e]];
        strength[a] += g->weight[e], strength[b] += g->weight[e], W += 2.0 * g->weight[e];
        if (a == b) inside += 2.0 * g->weight[e];
    }
    double squares = 0.0;
    for (int64_t c = 0; c < groups; c++) squares += strength[c] * strength[c];
    *out = W > 0.0 ? inside / W - resolution * squares / (W * W) : (double)NAN;
    cw_free(ctx, strength);
    return ctx->status;
}

/* ---- tails ---- */

static double log_choose(int64_t n, int64_t k)
{
    return lgamma((double)n + 1.0) - lgamma((double)k + 1.0) - lgamma((double)(n - k) + 1.0);
}

double cw_overlap_log10p(int64_t overlap, int64_t total, int64_t marked, int64_t drawn)
{
    int64_t low = drawn + marked - total > 0 ? drawn + marked - total : 0, high = marked < drawn ? marked : drawn;
    if (overlap <= low) return 0.0;
    if (overlap > high) return -INFINITY;
    double first = log_choose(marked, overlap) + log_choose(total - marked, drawn - overlap) - log_choose(total, drawn);
    double term = 1.0, sum = 1.0; /* in units of P(X = overlap): terms rise to the mode, then fall */
    for (int64_t x = overlap; x < high && term > 1e-18 * sum; x++) {
        term *= (double)(marked - x) * (double)(drawn - x) / ((double)(x + 1) * (double)(total - marked - drawn + x + 1));
        sum += term;
    }
    double p = (first + log(sum)) / log(10.0);
    return p < 0.0 ? p : 0.0;
}

/* Regularised incomplete gamma function, upper: series below a + 1, else Lentz's continued fraction (Press et al.,
 * Numerical Recipes, 6.2). */
double cw_chisq_upper(double x, double df)
{
    double a = df / 2.0, y = x / 2.0;
    if (!(y > 0.0)) return isnan(y) ? y : 1.0;
    if (isinf(y)) return 0.0;
    double scale = exp(-y + a * log(y) - lgamma(a));
    if (y < a + 1.0) {
        double term = 1.0 / a, sum = term;
        for (double n = a + 1.0; fabs(term) > DBL_EPSILON * fabs(sum); n++) sum += term *= y / n;
        return 1.0 - sum * scale;
    }
    double b = y + 1.0 - a, c = 1.0 / DBL_MIN, d = 1.0 / b, h = d;
    for (int i = 1; i < 10000; i++) {
        double an = -i * (i - a);
        b += 2.0;
        d = an * d + b, c = b + an / c;
        d = 1.0 / (fabs(d) < DBL_MIN ? DBL_MIN : d), c = fabs(c) < DBL_MIN ? DBL_MIN : c;
        h *= d * c;
        if (fabs(d * c - 1.0) < DBL_EPSILON) break;
    }
    return scale * h;
}
