/* tau_flow.c: metacells, gene chromatin, and the flow of cell state. See tau.h. */
#include "tau_steps.h"

#include "../linalg/dense.h"
#include "../core/rng.h"
#include "../core/threads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DENOISE = 8, SUBSTEPS = 2, POOL_TILE = 16, TRIALS = 6 };
/* what the streams are for */
enum { USE_KMEANS = 130, USE_SPLIT };

static double distance2(const double *a, const double *b, int64_t d)
{
    double sum = 0.0;
    for (int64_t j = 0; j < d; j++) sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* ---- k-means ----------------------------------------------------------------------------------------------------- */

typedef struct clusters {
    double *centre; /* (k, dims) */
    double *gap;    /* (n) squared distance to the nearest centre */
    double *mass;   /* (k) */
    int32_t *label; /* (n) */
} clusters;

static double unit(cw_stream s, uint64_t i) /* element i, 53 bits, in (0, 1) */
{
    uint32_t w[4];
    cw_rng_block(w, s, i);
    return ((double)(((uint64_t)w[0] << 20) ^ (w[1] >> 12)) + 0.5) / 4503599627370496.0;
}

static double weight_of(const double *weight, int64_t i) { return weight ? weight[i] : 1.0; }

/* The point at `u` of the total of weight x gap. */
static int64_t draw(const double *gap, const double *weight, double u, int64_t n)
{
    double all = 0.0;
    for (int64_t i = 0; i < n; i++) all += weight_of(weight, i) * gap[i];
    double at = u * all;
    int64_t pick = 0;
    while (pick < n - 1 && at >= weight_of(weight, pick) * gap[pick]) {
        at -= weight_of(weight, pick) * gap[pick];
        pick++;
    }
    return pick;
}

/* k-means++, each centre the best of TRIALS candidates. */
static void first_centres(clusters *c, const double *point, const double *weight, cw_stream s, int threads, int64_t n,
                          int64_t dims, int64_t k)
{
    (void)threads;
    for (int64_t i = 0; i < n; i++) c->gap[i] = 1.0;
    for (int64_t j = 0; j < k; j++) {
        int64_t pick[TRIALS], best = 0, trials = j ? TRIALS : 1;
        double sum[TRIALS];
        for (int64_t t = 0; t < trials; t++) pick[t] = draw(c->gap, weight, unit(s, (uint64_t)(j * TRIALS + t)), n);
#pragma omp parallel for schedule(static, 1) num_threads(threads) if (threads > 1 && n * dims > 10000)
        for (int64_t t = 0; t < trials; t++) {
            sum[t] = 0.0;
            for (int64_t i = 0; i < n; i++) {
                double g = distance2(point + i * dims, point + pick[t] * dims, dims);
                sum[t] += weight_of(weight, i) * (j && c->gap[i] < g ? c->gap[i] : g);
            }
        }
        for (int64_t t = 1; t < trials; t++)
            if (sum[t] < sum[best]) best = t;
        memcpy(c->centre + j * dims, point + pick[best] * dims, (size_t)dims * sizeof *c->centre);
        for (int64_t i = 0; i < n; i++) {
            double g = distance2(point + i * dims, point + pick[best] * dims, dims);
            if (!j || g < c->gap[i]) c->gap[i] = g;
        }
    }
}

/* Labels and gaps; returns whether a label changed. */
static int assign(clusters *c, const double *point, int threads, int64_t n, int64_t dims, int64_t k)
{
    int changed = 0;
    (void)threads;
#pragma omp parallel for schedule(static) num_threads(threads)                                                         \
    reduction(|                                                                                                        \
              : changed) if (threads > 1 && n * k * dims > 50000)
    for (int64_t i = 0; i < n; i++) {
        int32_t at = 0;
        double least = INFINITY;
        for (int64_t j = 0; j < k; j++) {
            double g = distance2(point + i * dims, c->centre + j * dims, dims);
            if (g < least) least = g, at = (int32_t)j;
        }
        changed |= at != c->label[i];
        c->label[i] = at, c->gap[i] = least;
    }
    return changed;
}

static void move_centres(clusters *c, const double *point, const double *weight, int64_t n, int64_t dims, int64_t k)
{
    memset(c->centre, 0, (size_t)(k * dims) * sizeof *c->centre);
    memset(c->mass, 0, (size_t)k * sizeof *c->mass);
    for (int64_t i = 0; i < n; i++) {
        double w = weight_of(weight, i);
        c->mass[c->label[i]] += w;
        for (int64_t j = 0; j < dims; j++) c->centre[c->label[i] * dims + j] += w * point[i * dims + j];
    }
    for (int64_t q = 0; q < k; q++) {
        if (c->mass[q] > 0.0) {
            for (int64_t j = 0; j < dims; j++) c->centre[q * dims + j] /= c->mass[q];
            continue;
        }
        int64_t far = 0; /* a cluster that lost its points starts again at the point farthest from its centre */
        for (int64_t i = 1; i < n; i++)
            if (c->gap[i] > c->gap[far]) far = i;
        memcpy(c->centre + q * dims, point + far * dims, (size_t)dims * sizeof *c->centre);
        c->gap[far] = 0.0;
    }
}

cw_status cw_tau_kmeans(cw_arena *arena, double *centre, int32_t *label, const double *point, const double *weight,
                        int64_t starts, int64_t rounds, uint64_t key, int64_t n, int64_t dims, int64_t k)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    if (ctx->status != CW_OK) return ctx->status;
    int64_t d = (int64_t)sizeof(double);
    clusters c = {.centre = cw_arena_take(arena, k * dims * d), .gap = cw_arena_take(arena, n * d),
                  .mass = cw_arena_take(arena, k * d),
                  .label = cw_arena_take(arena, n * (int64_t)sizeof *label)};
    if (ctx->status != CW_OK) return ctx->status;
    double best = INFINITY;
    for (int64_t s = 0; s < starts; s++) {
        for (int64_t i = 0; i < n; i++) c.label[i] = -1;
        first_centres(&c, point, weight, cw_rng_stream(key, CW_RNG_USER, (uint64_t)s, USE_KMEANS), ctx->threads, n,
                      dims, k);
        for (int64_t r = 0; r < rounds; r++) {
            if (cw_poll(ctx) != CW_OK) return ctx->status;
            if (!assign(&c, point, ctx->threads, n, dims, k)) break;
            move_centres(&c, point, weight, n, dims, k);
        }
        assign(&c, point, ctx->threads, n, dims, k);
        double sum = 0.0;
        for (int64_t i = 0; i < n; i++) sum += weight_of(weight, i) * c.gap[i];
        if (sum < best || s == 0) {
            best = sum;
            memcpy(centre, c.centre, (size_t)(k * dims) * sizeof *centre);
            memcpy(label, c.label, (size_t)n * sizeof *label);
        }
    }
    void *done[] = {c.centre, c.gap, c.mass, c.label};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
    return cw_poll(ctx);
}

/* ---- basis and neighbours ---------------------------------------------------------------------------------------- */

/* b (J) = softmax(-|z - l_j|^2 / 2 h^2) times prior (J) where that isn't NULL, summing to 1 */
static void soft(double *b, const double *z, const double *l, double h, const double *prior, int64_t J, int64_t d)
{
    double least = INFINITY, sum = 0.0;
    for (int64_t j = 0; j < J; j++) {
        b[j] = distance2(z, l + j * d, d);
        if (b[j] < least) least = b[j];
    }
    for (int64_t j = 0; j < J; j++) {
        double gap = (b[j] - least) / (2.0 * h * h);
        b[j] = gap > 40.0 ? 0.0 : exp(-gap) * (prior ? prior[j] : 1.0);
        sum += b[j];
    }
    for (int64_t j = 0; j < J; j++) b[j] /= sum;
}

void cw_tau_soft(double *B, const double *point, const double *landmark, double h, int64_t n, int64_t J, int64_t d,
                 int threads)
{
    (void)threads;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && n * J > 20000)
    for (int64_t i = 0; i < n; i++) soft(B + i * J, point + i * d, landmark, h, NULL, J, d);
}

void cw_tau_neighbours(int32_t *near, const double *z, int64_t M, int64_t d, int64_t k, int threads)
{
    (void)threads;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1 && M * M * d > 50000)
    for (int64_t i = 0; i < M; i++) {
        int32_t *row = near + i * k;
        int64_t found = 0;
        for (int64_t o = 0; o < M; o++) {
            if (o == i) continue;
            double g = distance2(z + i * d, z + o * d, d);
            int64_t at = found < k ? found++ : k; /* insertion into the sorted list of the nearest so far */
            if (at == k) {
                if (g >= distance2(z + i * d, z + row[k - 1] * d, d)) continue;
                at = k - 1;
            }
            while (at > 0 && g < distance2(z + i * d, z + row[at - 1] * d, d)) row[at] = row[at - 1], at--;
            row[at] = (int32_t)o;
        }
    }
}

/* ---- chromatin of genes ------------------------------------------------------------------------------------------ */

cw_status cw_tau_links_new(cw_arena *arena, cw_tau_links *l, const int32_t *gene, const int32_t *peak, int64_t n,
                           int64_t G, int64_t P)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    if (ctx->status != CW_OK) return ctx->status;
    *l = (cw_tau_links){.n = n, .G = G};
    l->from = cw_arena_take(arena, (G + 1) * (int64_t)sizeof *l->from);
    l->order = cw_arena_take(arena, n * (int64_t)sizeof *l->order);
    l->slot = cw_arena_take(arena, n * (int64_t)sizeof *l->slot);
    l->slot_of_peak = cw_arena_take(arena, P * (int64_t)sizeof *l->slot_of_peak);
    l->weight = cw_arena_take(arena, n * (int64_t)sizeof *l->weight);
    if (ctx->status != CW_OK) return ctx->status;
    for (int64_t g = 0; g <= G; g++) l->from[g] = 0;
    for (int64_t p = 0; p < P; p++) l->slot_of_peak[p] = -1;
    for (int64_t i = 0; i < n; i++) {
        if (gene[i] < 0 || gene[i] >= G || peak[i] < 0 || peak[i] >= P)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "delays: link %lld joins gene %d and peak %d; there are %lld and %lld",
                           (long long)i, gene[i], peak[i], (long long)G, (long long)P);
        l->from[gene[i] + 1]++;
        l->weight[i] = 1.0;
        if (l->slot_of_peak[peak[i]] < 0) l->slot_of_peak[peak[i]] = (int32_t)l->peaks++;
        l->slot[i] = l->slot_of_peak[peak[i]];
    }
    for (int64_t g = 0; g < G; g++) l->from[g + 1] += l->from[g];
    for (int64_t i = 0; i < n; i++) l->order[l->from[gene[i]]++] = i;
    for (int64_t g = G; g > 0; g--) l->from[g] = l->from[g - 1];
    l->from[0] = 0;
    return CW_OK;
}

/* Cells in the order of their labels: order (cells), from (M + 1). */
static void group_cells(int64_t *order, int64_t *from, const int32_t *label, int64_t cells, int64_t M)
{
    for (int64_t m = 0; m <= M; m++) from[m] = 0;
    for (int64_t c = 0; c < cells; c++) from[label[c] + 1]++;
    for (int64_t m = 0; m < M; m++) from[m + 1] += from[m];
    for (int64_t c = 0; c < cells; c++) order[from[label[c]]++] = c;
    for (int64_t m = M; m > 0; m--) from[m] = from[m - 1];
    from[0] = 0;
}

cw_status cw_tau_pool(cw_arena *arena, double *rate, double *depth, const cw_counts *x, const int32_t *slot_of_row,
                      const int32_t *label, int64_t slots, int64_t M)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    int64_t sz = (int64_t)sizeof(int64_t);
    int64_t *order = cw_arena_take(arena, x->cells * sz), *from = cw_arena_take(arena, (M + 1) * sz);
    double *sum = cw_arena_take(arena, ctx->threads * slots * POOL_TILE * (int64_t)sizeof *sum);
    if (ctx->status != CW_OK) return ctx->status;
    group_cells(order, from, label, x->cells, M);
    int64_t tiles = (M + POOL_TILE - 1) / POOL_TILE;
#pragma omp parallel for schedule(dynamic, 1) num_threads(ctx->threads)
    for (int64_t t = 0; t < tiles; t++) {
        int64_t m0 = t * POOL_TILE, n = M - m0 < POOL_TILE ? M - m0 : POOL_TILE;
        double *s = sum + cw_thread_number() * slots * POOL_TILE;
        memset(s, 0, (size_t)(slots * POOL_TILE) * sizeof *s);
        for (int64_t i = 0; i < n; i++) {
            double all = 0.0;
            for (int64_t o = from[m0 + i]; o < from[m0 + i + 1]; o++)
                for (int64_t e = x->start[order[o]]; e < x->start[order[o] + 1]; e++) {
                    int64_t at = slot_of_row ? slot_of_row[x->row[e]] : x->row[e];
                    all += x->value[e];
                    if (at >= 0) s[at * POOL_TILE + i] += x->value[e];
                }
            depth[m0 + i] = all + 1e-9;
        }
        for (int64_t q = 0; q < slots; q++)
            for (int64_t i = 0; i < n; i++) rate[q * M + m0 + i] = s[q * POOL_TILE + i] / depth[m0 + i];
    }
    cw_arena_give(arena, sum), cw_arena_give(arena, from), cw_arena_give(arena, order);
    return cw_poll(ctx);
}

void cw_tau_activity(double *a, const cw_tau_links *l, const double *rate, int64_t M, int threads)
{
    (void)threads;
#pragma omp parallel for schedule(dynamic, 16) num_threads(threads)
    for (int64_t g = 0; g < l->G; g++) {
        for (int64_t m = 0; m < M; m++) a[g * M + m] = 0.0;
        for (int64_t o = l->from[g]; o < l->from[g + 1]; o++) {
            const double *r = rate + l->slot[l->order[o]] * M;
            double w = l->weight[l->order[o]];
            for (int64_t m = 0; m < M; m++) a[g * M + m] += w * r[m];
        }
    }
}

/* Slope of a peak's rate r (M) on the profile f, standardised by mean and sd, weights depth, over the mean rate. */
static double slope_on(const double *r, const double *f, double mean, double sd, const double *depth, double all,
                       int64_t M)
{
    double rate = 0.0, centre = 0.0, slope = 0.0;
    for (int64_t m = 0; m < M; m++) rate += r[m], centre += depth[m] * r[m];
    centre /= all;
    for (int64_t m = 0; m < M; m++) slope += depth[m] * (r[m] - centre) * (f[m] - mean);
    return fmax(slope / (all * (sd + 1e-9)), 0.0) / (rate / (double)M + 1e-12);
}

void cw_tau_weigh(cw_tau_links *l, const double *rate, const double *profile, const double *depth, int64_t M,
                  int threads)
{
    double all = 0.0;
    for (int64_t m = 0; m < M; m++) all += depth[m];
    (void)threads;
#pragma omp parallel for schedule(dynamic, 16) num_threads(threads)
    for (int64_t g = 0; g < l->G; g++) {
        const double *f = profile + g * M;
        double mean = 0.0, sd = 0.0, sum = 0.0;
        for (int64_t m = 0; m < M; m++) mean += f[m] / (double)M;
        for (int64_t m = 0; m < M; m++) sd += (f[m] - mean) * (f[m] - mean);
        sd = sqrt(sd / (double)M);
        for (int64_t o = l->from[g]; o < l->from[g + 1]; o++) {
            int64_t i = l->order[o];
            l->weight[i] = slope_on(rate + l->slot[i] * M, f, mean, sd, depth, all, M);
            sum += l->weight[i];
        }
        for (int64_t o = l->from[g]; o < l->from[g + 1] && !(sum > 0.0); o++) l->weight[l->order[o]] = 1.0;
    }
}

/* ---- back-trace -------------------------------------------------------------------------------------------------- */

/* v (d) = sum_j B_j(z) v_j; b (J) is working memory */
static void field(double *v, double *b, const double *z, const cw_tau_flow *f)
{
    soft(b, z, f->landmark, f->bandwidth, NULL, f->J, f->d);
    for (int64_t i = 0; i < f->d; i++) v[i] = 0.0;
    for (int64_t j = 0; j < f->J; j++)
        for (int64_t i = 0; i < f->d; i++) v[i] += b[j] * f->velocity[j * f->d + i];
}

/* z += step x what of (local mean of the metacells - z) is orthogonal to the flow. room: max(M, J) + 2 d */
static void pull(double *z, double step, double *room, const cw_tau_flow *f)
{
    int64_t d = f->d;
    double *gap = room, *v = room + d, *b = room + 2 * d;
    soft(b, z, f->z, f->bandwidth, f->size, f->M, d);
    for (int64_t i = 0; i < d; i++) gap[i] = -z[i];
    for (int64_t m = 0; m < f->M; m++)
        for (int64_t i = 0; b[m] > 0.0 && i < d; i++) gap[i] += b[m] * f->z[m * d + i];
    field(v, b, z, f);
    double length = sqrt(dot(v, v, d)) + 1e-12, along = dot(gap, v, d) / length;
    for (int64_t i = 0; i < d; i++) z[i] += step * (gap[i] - along * v[i] / length);
}

/* z back by time h: midpoint rule, then the pull. room: max(M, J) + 3 d */
static void step_back(double *z, double h, double *room, const cw_tau_flow *f)
{
    int64_t d = f->d;
    double *half = room, *v = room + d, *b = room + 2 * d;
    field(v, b, z, f);
    for (int64_t i = 0; i < d; i++) half[i] = z[i] - 0.5 * h * v[i];
    field(v, b, half, f);
    for (int64_t i = 0; i < d; i++) z[i] -= h * v[i];
    pull(z, fmin(f->pull * h, 1.0), room, f);
}

cw_status cw_tau_backtrace(cw_arena *arena, double *F, double *path, double *denoised, const double *point,
                           const cw_tau_flow *f, const double *grid, int64_t T, int64_t n)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    int64_t d = f->d, wide = (f->M > f->J ? f->M : f->J) + 4 * d + 8;
    double *all = cw_arena_take(arena, ctx->threads * wide * (int64_t)sizeof *all);
    if (ctx->status != CW_OK) return ctx->status;
    for (int64_t i0 = 0; i0 < n; i0 += 1024) { /* so that an interrupt is seen within a second */
        int64_t i1 = i0 + 1024 < n ? i0 + 1024 : n;
#pragma omp parallel for schedule(dynamic, 4) num_threads(ctx->threads)
        for (int64_t i = i0; i < i1; i++) {
            double *z = all + cw_thread_number() * wide, *room = z + d;
            memcpy(z, point + i * d, (size_t)d * sizeof *z);
            for (int s = 0; s < DENOISE; s++) pull(z, 0.6, room, f);
            if (denoised) memcpy(denoised + i * d, z, (size_t)d * sizeof *z);
            for (int64_t t = 0; t < T; t++) {
                for (int s = 0; t && s < SUBSTEPS; s++) step_back(z, (grid[t] - grid[t - 1]) / SUBSTEPS, room, f);
                if (path) memcpy(path + (t * n + i) * d, z, (size_t)d * sizeof *z);
                soft(F + (t * n + i) * f->J, z, f->landmark, f->bandwidth, NULL, f->J, d);
            }
        }
        if (cw_poll(ctx) != CW_OK) return ctx->status;
    }
    cw_arena_give(arena, all);
    return ctx->status;
}

/* ---- velocity ---------------------------------------------------------------------------------------------------- */

/* Shapes that the loops below share. */
typedef struct local {
    const cw_tau_lag *lag;
    const cw_tau_flow *flow;
    const int32_t *near; /* (M, k) */
    int64_t k;
    double *dz;   /* (M, k, d) to the neighbours */
    double *chol; /* (M, d, d) of dz^T dz + .05 mean trace */
} local;

static cw_status local_new(cw_arena *arena, local *l)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    const cw_tau_flow *f = l->flow;
    int64_t d = f->d, k = l->k, sz = (int64_t)sizeof(double);
    l->dz = cw_arena_take(arena, f->M * k * d * sz), l->chol = cw_arena_take(arena, f->M * d * d * sz);
    if (ctx->status != CW_OK) return ctx->status;
    for (int64_t m = 0; m < f->M; m++) {
        double *dz = l->dz + m * k * d, *S = l->chol + m * d * d, trace = 0.0;
        for (int64_t q = 0; q < k; q++)
            for (int64_t i = 0; i < d; i++) dz[q * d + i] = f->z[l->near[m * k + q] * d + i] - f->z[m * d + i];
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j < d; j++) {
                S[i * d + j] = 0.0;
                for (int64_t q = 0; q < k; q++) S[i * d + j] += dz[q * d + i] * dz[q * d + j];
            }
        for (int64_t i = 0; i < d; i++) trace += S[i * d + i];
        for (int64_t i = 0; i < d; i++) S[i * d + i] += 0.05 * trace / (double)d + 1e-300;
        if (cw_dense_cholesky(S, d)) memset(S, 0, (size_t)(d * d) * sizeof *S); /* all neighbours at one place */
    }
    return CW_OK;
}

static void local_give(cw_arena *arena, local *l) { cw_arena_give(arena, l->chol), cw_arena_give(arena, l->dz); }

/* dd (M, n): along v (M, d), sum_k (m_k - m) dz_k (dz^T dz)^-1 v */
static void derivative(double *dd, const local *l, const double *v, int threads)
{
    int64_t d = l->flow->d, n = l->lag->n, k = l->k;
    (void)threads;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t m = 0; m < l->flow->M; m++) {
        const double *S = l->chol + m * d * d, *own = l->lag->m + m * n;
        double x[64], *out = dd + m * n;
        memset(out, 0, (size_t)n * sizeof *out);
        if (!(S[0] > 0.0)) continue;
        memcpy(x, v + m * d, (size_t)d * sizeof *x);
        cw_dense_solve(x, S, d);
        for (int64_t q = 0; q < k; q++) {
            double g = dot(l->dz + (m * k + q) * d, x, d);
            const double *other = l->lag->m + l->near[m * k + q] * n;
            for (int64_t i = 0; i < n; i++) out[i] += g * (other[i] - own[i]);
        }
    }
}

cw_status cw_tau_derivative(cw_arena *arena, double *dd, const cw_tau_lag *lag, const cw_tau_flow *flow,
                            const double *v, const int32_t *near, int64_t k)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    local l = {.lag = lag, .flow = flow, .near = near, .k = k};
    if (ctx->status != CW_OK || local_new(arena, &l) != CW_OK) return ctx->status;
    derivative(dd, &l, v, ctx->threads);
    local_give(arena, &l);
    return cw_poll(ctx);
}

/* Normal equations of D ~ tau sum_k f_k (m_k - m) at every metacell: K (M, k, k), b (M, k). scale, root (n): tau x sqrt
 * weight, sqrt weight; room: threads x (k + 1) n. */
static void normal_equations(double *K, double *b, double *room, const local *l, const double *scale,
                             const double *root, int threads)
{
    int64_t n = l->lag->n, k = l->k;
    (void)threads;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t m = 0; m < l->flow->M; m++) {
        double *X = room + cw_thread_number() * (k + 1) * n, *y = X + k * n;
        const double *own = l->lag->m + m * n, *D = l->lag->D + m * n;
        for (int64_t i = 0; i < n; i++) y[i] = D[i] * root[i];
        for (int64_t q = 0; q < k; q++) {
            const double *other = l->lag->m + l->near[m * k + q] * n;
            for (int64_t i = 0; i < n; i++) X[q * n + i] = (other[i] - own[i]) * scale[i];
        }
        cw_dense_product(1, K + m * k * k, X, 0, X, 1, 0.0, k, k, n);
        cw_dense_product(1, b + m * k, X, 0, y, 1, 0.0, k, 1, n);
    }
}

/* v (M, d) = sum_k f_k dz_k with f from the normal equations and a ridge of .02 times the mean trace; smoothed to the
 * landmarks (vl) and back. */
static void solve_velocity(double *vl, double *v, double *K, double *b, const local *l, const double *B0)
{
    const cw_tau_flow *f = l->flow;
    int64_t k = l->k, d = f->d;
    double trace = 0.0;
    for (int64_t m = 0; m < f->M; m++)
        for (int64_t q = 0; q < k; q++) trace += K[(m * k + q) * k + q];
    trace /= (double)f->M;
    memset(v, 0, (size_t)(f->M * d) * sizeof *v);
    for (int64_t m = 0; m < f->M; m++) {
        double *A = K + m * k * k;
        for (int64_t q = 0; q < k; q++) A[q * k + q] += 0.02 * trace;
        if (cw_dense_cholesky(A, k)) continue; /* nothing varies here */
        cw_dense_solve(b + m * k, A, k);
        for (int64_t q = 0; q < k; q++)
            for (int64_t i = 0; i < d; i++) v[m * d + i] += b[m * k + q] * l->dz[(m * k + q) * d + i];
    }
    for (int64_t j = 0; j < f->J; j++) {
        double all = 1e-300, *to = vl + j * d;
        for (int64_t i = 0; i < d; i++) to[i] = 0.0;
        for (int64_t m = 0; m < f->M; m++) {
            double w = B0[m * f->J + j] * f->size[m];
            all += w;
            for (int64_t i = 0; i < d; i++) to[i] += w * v[m * d + i];
        }
        for (int64_t i = 0; i < d; i++) to[i] /= all;
    }
    cw_dense_product(1, v, B0, 0, vl, 0, 0.0, f->M, d, f->J);
}

/* sums (2, n) over metacells of size D dd and size dd^2 */
static void regress(double *sums, const cw_tau_lag *lag, const cw_tau_flow *f, const double *dd)
{
    int64_t n = lag->n;
    memset(sums, 0, (size_t)(2 * n) * sizeof *sums);
    for (int64_t m = 0; m < f->M; m++)
        for (int64_t i = 0; i < n; i++) {
            double g = dd[m * n + i];
            sums[i] += f->size[m] * lag->D[m * n + i] * g;
            sums[n + i] += f->size[m] * g * g;
        }
}

cw_status cw_tau_velocity(cw_arena *arena, double *vl, double *v, double *tau, const cw_tau_lag *lag,
                          const cw_tau_flow *flow, const double *B0, const int32_t *near, int64_t k,
                          int64_t iterations)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    if (ctx->status != CW_OK) return ctx->status;
    int64_t n = lag->n, M = flow->M, sz = (int64_t)sizeof(double);
    local l = {.lag = lag, .flow = flow, .near = near, .k = k};
    double *K = cw_arena_take(arena, M * k * k * sz), *b = cw_arena_take(arena, M * k * sz);
    double *room = cw_arena_take(arena, ctx->threads * (k + 1) * n * sz), *dd = cw_arena_take(arena, M * n * sz);
    double *scale = cw_arena_take(arena, n * sz), *root = cw_arena_take(arena, n * sz);
    double *sums = cw_arena_take(arena, 2 * n * sz), *sorted = cw_arena_take(arena, n * sz);
    if (ctx->status != CW_OK || local_new(arena, &l) != CW_OK) return ctx->status;
    for (int64_t i = 0; i < n; i++) tau[i] = 1.0, root[i] = sqrt(lag->weight[i]);
    for (int64_t it = 0; it < iterations && cw_poll(ctx) == CW_OK; it++) {
        for (int64_t i = 0; i < n; i++) scale[i] = tau[i] * root[i];
        normal_equations(K, b, room, &l, scale, root, ctx->threads);
        solve_velocity(vl, v, K, b, &l, B0);
        derivative(dd, &l, v, ctx->threads);
        regress(sums, lag, flow, dd);
        for (int64_t i = 0; i < n; i++) sorted[i] = tau[i] = fmax(sums[i] / fmax(sums[n + i], 1e-9), 0.05);
        double middle = cw_tau_median(sorted, n);
        for (int64_t i = 0; i < n; i++) tau[i] = fmin(fmax(tau[i] / middle, 0.1), 4.0);
    }
    local_give(arena, &l);
    void *done[] = {K, b, room, dd, scale, root, sums, sorted};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
    return ctx->status;
}

/* ---- do held-out genes lead? ------------------------------------------------------------------------------------- */

/* The genes listed of a lag, copied. */
static cw_status lag_of(cw_arena *arena, cw_tau_lag *out, const cw_tau_lag *lag, const int32_t *gene, int64_t n,
                        int64_t M)
{
    int64_t sz = (int64_t)sizeof(double);
    *out = (cw_tau_lag){.n = n, .D = cw_arena_take(arena, M * n * sz), .m = cw_arena_take(arena, M * n * sz),
                        .weight = cw_arena_take(arena, n * sz)};
    if (cw_arena_ctx(arena)->status != CW_OK) return cw_arena_ctx(arena)->status;
    for (int64_t i = 0; i < n; i++) out->weight[i] = lag->weight[gene[i]];
    for (int64_t m = 0; m < M; m++)
        for (int64_t i = 0; i < n; i++) {
            out->D[m * n + i] = lag->D[m * lag->n + gene[i]];
            out->m[m * n + i] = lag->m[m * lag->n + gene[i]];
        }
    return CW_OK;
}

cw_status cw_tau_lead(cw_arena *arena, double *lead, double *vl, int32_t *halves, const cw_tau_lag *lag,
                      const cw_tau_flow *flow, const double *B0, const int32_t *near, int64_t k, int64_t iterations,
                      int64_t splits, uint64_t key)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    int64_t n = lag->n, M = flow->M, Jd = flow->J * flow->d, sz = (int64_t)sizeof(double);
    int64_t *order = cw_arena_take(arena, n * (int64_t)sizeof *order);
    int32_t *gene = cw_arena_take(arena, n * (int64_t)sizeof *gene);
    double *own = cw_arena_take(arena, Jd * sz), *v = cw_arena_take(arena, M * flow->d * sz);
    double *tau = cw_arena_take(arena, n * sz), *dd = cw_arena_take(arena, M * n * sz);
    double *sums = cw_arena_take(arena, 2 * n * sz), total = 0.0;
    if (ctx->status != CW_OK) return ctx->status;
    for (int64_t s = 0; s < splits; s++) {
        cw_rng_permutation(order, n, cw_rng_stream(key, CW_RNG_SHUFFLE, (uint64_t)s, USE_SPLIT));
        for (int64_t i = 0; i < n; i++) gene[i] = (int32_t)order[i];
        if (halves) memcpy(halves + s * n, gene, (size_t)n * sizeof *halves);
        for (int way = 0; way < 2; way++) {
            int64_t cut = n / 2, leads = 0;
            const int32_t *from = way ? gene + cut : gene, *held = way ? gene : gene + cut;
            int64_t n_from = way ? n - cut : cut, n_held = n - n_from;
            cw_tau_lag train, test;
            if (lag_of(arena, &train, lag, from, n_from, M) != CW_OK ||
                lag_of(arena, &test, lag, held, n_held, M) != CW_OK ||
                cw_tau_velocity(arena, own, v, tau, &train, flow, B0, near, k, iterations) != CW_OK ||
                cw_tau_derivative(arena, dd, &test, flow, v, near, k) != CW_OK)
                return ctx->status;
            regress(sums, &test, flow, dd);
            for (int64_t i = 0; i < n_held; i++) leads += sums[i] > 0.0;
            total += (double)leads / (double)n_held;
            if (vl) memcpy(vl + (2 * s + way) * Jd, own, (size_t)Jd * sizeof *vl);
            cw_tau_lag_give(arena, &test), cw_tau_lag_give(arena, &train);
        }
    }
    *lead = total / (double)(2 * splits);
    void *done[] = {order, gene, own, v, tau, dd, sums};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_arena_give(arena, done[i]);
    return ctx->status;
}

/* ---- arrival time ------------------------------------------------------------------------------------------------ */

cw_status cw_tau_arrival(cw_arena *arena, double *time, const cw_tau_flow *flow, const double *v, const int32_t *near,
                         int64_t k)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    int64_t M = flow->M, d = flow->d, sz = (int64_t)sizeof(double);
    double *A = cw_arena_take(arena, M * M * sz), *speed = cw_arena_take(arena, M * sz), all = 0.0;
    if (ctx->status != CW_OK) return ctx->status;
    memset(A, 0, (size_t)(M * M) * sizeof *A);
    for (int64_t m = 0; m < M; m++) speed[m] = dot(v + m * d, v + m * d, d), time[m] = 0.0;
    double usual = cw_tau_median(speed, M);
    for (int64_t m = 0; m < M; m++)
        for (int64_t q = 0; q < k; q++) {
            int64_t o = near[m * k + q];
            double gap = distance2(flow->z + o * d, flow->z + m * d, d), along = 0.0;
            double fast = dot(v + m * d, v + m * d, d) + 1e-2 * usual + 1e-300;
            for (int64_t i = 0; i < d; i++) along += (flow->z[o * d + i] - flow->z[m * d + i]) * v[m * d + i];
            double dt = along / fast, w = gap > 0.0 ? along * along / (gap * fast) + 0.01 : 0.01;
            A[m * M + m] += w, A[o * M + o] += w, A[m * M + o] -= w, A[o * M + m] -= w;
            time[o] += w * dt, time[m] -= w * dt;
            all += w;
        }
    for (int64_t m = 0; m < M; m++) A[m * M + m] += 1e-9 * all / (double)M; /* fixes the mean of each component */
    double first = INFINITY;
    if (cw_dense_cholesky(A, M)) return cw_fail(ctx, CW_ERR_NUMERIC, "delays: arrival times were not found");
    cw_dense_solve(time, A, M);
    for (int64_t m = 0; m < M; m++) first = fmin(first, time[m]);
    for (int64_t m = 0; m < M; m++) time[m] -= first;
    cw_arena_give(arena, speed), cw_arena_give(arena, A);
    return cw_poll(ctx);
}
