/* ontology.c: see ontology.h. */
#include "ontology.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../core/select.h"
#include "../core/threads.h"

/* ---- personalised PageRank ---- */

/* The neighbours of node i: to[start[i]] .. to[start[i + 1]], rising, each once. */
typedef struct neighbours {
    int64_t *start;
    int32_t *to;
} neighbours;

static cw_status gather(cw_ctx *ctx, neighbours *out, const cw_undirected *g)
{
    int64_t *start = out->start = cw_calloc(ctx, g->n + 2, sizeof *start), kept = 0;
    int32_t *to = out->to = cw_alloc(ctx, 2 * g->edges + 1, sizeof *to);
    if (!start || !to) return ctx->status;
    for (int64_t e = 0; e < g->edges; e++) {
        int32_t a = g->from[e], b = g->to[e];
        if (a < 0 || a >= g->n || b < 0 || b >= g->n)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "edge %lld joins nodes %d and %d of %lld", (long long)(e + 1), (int)a, (int)b,
                           (long long)g->n);
        start[a + 2]++, start[b + 2] += a != b;
    }
    for (int64_t i = 1; i < g->n; i++) start[i + 1] += start[i];
    for (int64_t e = 0; e < g->edges; e++) {
        int32_t a = g->from[e], b = g->to[e];
        to[start[a + 1]++] = b;
        if (a != b) to[start[b + 1]++] = a;
    }
    for (int64_t i = 0; i < g->n; i++) {
        int64_t first = start[i], end = start[i + 1];
        qsort(to + first, (size_t)(end - first), sizeof *to, cw_int32_rising);
        start[i] = kept;
        for (int64_t k = first; k < end; k++)
            if (k == first || to[k] != to[k - 1]) to[kept++] = to[k];
    }
    start[g->n] = kept;
    return CW_OK;
}

/* One source; the number of steps, -1: too few. x, y, next (n) */
static int32_t walk(double *x, double *next, const neighbours *b, int64_t n, int64_t source, double damping, double tol,
                    int64_t most)
{
    for (int64_t i = 0; i < n; i++) x[i] = 1.0 / (double)n;
    for (int32_t step = 1; step <= most; step++) {
        double alone = 0, change = 0;
        memset(next, 0, (size_t)n * sizeof *next);
        for (int64_t i = 0; i < n; i++) {
            int64_t first = b->start[i], end = b->start[i + 1];
            if (first == end) alone += x[i];
            double share = first == end ? 0 : x[i] / (double)(end - first);
            for (int64_t k = first; k < end; k++) next[b->to[k]] += share;
        }
        for (int64_t i = 0; i < n; i++) next[i] *= damping;
        next[source] += damping * alone + (1.0 - damping);
        for (int64_t i = 0; i < n; i++) change += fabs(next[i] - x[i]);
        memcpy(x, next, (size_t)n * sizeof *x);
        if (change < (double)n * tol) return step;
    }
    return -1;
}

cw_status cw_page_rank(cw_ctx *ctx, double *rank, int32_t *steps, const cw_undirected *graph, const int32_t *source,
                       int64_t sources, double damping, double tol, int64_t most)
{
    int64_t n = graph->n;
    neighbours b = {0};
    if (n < 1 || n > INT32_MAX || !(damping > 0 && damping < 1) || !(tol > 0) || most < 1)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "PageRank of %lld nodes with damping %g", (long long)n, damping);
    for (int64_t s = 0; s < sources; s++)
        if (source[s] < 0 || source[s] >= n)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "source %d is none of %lld nodes", (int)source[s], (long long)n);
    double *room = cw_alloc(ctx, n * ctx->threads, sizeof *room);
    if (room && gather(ctx, &b, graph) == CW_OK) {
        int stop = 0;
#pragma omp parallel for num_threads(ctx->threads) schedule(dynamic, 8)
        for (int64_t s = 0; s < sources; s++) {
            cw_watch watch = cw_watch_here(ctx, &stop);
            if (cw_watch_stop(&watch)) continue;
            steps[s] = walk(rank + s * n, room + cw_thread_number() * n, &b, n, source[s], damping, tol, most);
        }
        cw_poll(ctx);
        for (int64_t s = 0; s < sources && ctx->status == CW_OK; s++)
            if (steps[s] < 0)
                cw_fail(ctx, CW_ERR_NUMERIC, "PageRank from node %d hasn't settled in %lld steps", (int)source[s],
                        (long long)most);
    }
    cw_free(ctx, b.start), cw_free(ctx, b.to), cw_free(ctx, room);
    return ctx->status;
}

double cw_rank_similarity(double rank, double threshold) { return rank < threshold ? 1.0 : log2(rank / threshold + 1.0); }

/* ---- rows compared ---- */

void cw_row_cosines(double *y, const double *a, int64_t n, const double *b, int64_t m, int64_t d, double scale)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m; j++) {
            double dot = 0, aa = 0, bb = 0;
            for (int64_t k = 0; k < d; k++) {
                double u = a[i * d + k], v = b[j * d + k];
                dot += u * v, aa += u * u, bb += v * v;
            }
            y[i * m + j] = aa > 0 && bb > 0 ? scale * dot / sqrt(aa * bb) : 0;
        }
}

static void sort_row(cw_ranked *s, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) s[i] = (cw_ranked){x[i], (int32_t)i};
    qsort(s, (size_t)n, sizeof *s, cw_ranked_falling);
}

/* Ranks less their mean, of length 1; zeros where the row doesn't vary. */
static void centred_ranks(double *r, cw_ranked *s, const double *x, int64_t n)
{
    double sum = 0;
    sort_row(s, x, n);
    for (int64_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && s[j].value == s[i].value;) j++;
        for (int64_t k = i; k < j; k++) r[s[k].at] = (double)(n - 1) / 2 - (double)(i + j - 1) / 2;
    }
    for (int64_t i = 0; i < n; i++) sum += r[i] * r[i];
    for (int64_t i = 0; i < n; i++) r[i] = sum > 0 ? r[i] / sqrt(sum) : 0;
}

cw_status cw_row_spearman(cw_ctx *ctx, double *rho, const double *a, int64_t n, const double *b, int64_t m, int64_t k)
{
    double *r = cw_alloc(ctx, (m + 1) * k + 1, sizeof *r);
    cw_ranked *s = cw_alloc(ctx, k + 1, sizeof *s);
    for (int64_t j = 0; r && s && j < m; j++) centred_ranks(r + (j + 1) * k, s, b + j * k, k);
    for (int64_t i = 0; r && s && i < n; i++) {
        centred_ranks(r, s, a + i * k, k);
        for (int64_t j = 0; j < m; j++) {
            double sum = 0;
            for (int64_t c = 0; c < k; c++) sum += r[c] * r[(j + 1) * k + c];
            rho[i * m + j] = sum;
        }
        if (i % 256 == 255 && cw_poll(ctx) != CW_OK) break;
    }
    cw_free(ctx, r), cw_free(ctx, s);
    return ctx->status;
}

cw_status cw_row_order(cw_ctx *ctx, int32_t *order, const double *x, int64_t n, int64_t m)
{
    cw_ranked *s = cw_alloc(ctx, m + 1, sizeof *s);
    for (int64_t i = 0; s && i < n; i++) {
        sort_row(s, x + i * m, m);
        for (int64_t j = 0; j < m; j++) order[i * m + j] = s[j].at;
    }
    cw_free(ctx, s);
    return ctx->status;
}

cw_status cw_pick_scores(cw_ctx *ctx, double *accuracy, double *macro_f1, const double *score, const int32_t *truth,
                         int64_t n, int64_t m, const int32_t *pick, int64_t k)
{
    int64_t *count = cw_calloc(ctx, 3 * k + 1, sizeof *count), cells = 0, right = 0, there = 0; /* true, called, both */
    double sum = 0;
    if (!count) return ctx->status;
    for (int64_t i = 0; i < n; i++) {
        int64_t best = 0, own = -1;
        for (int64_t j = 0; j < k; j++) {
            if (pick[j] == truth[i]) own = j;
            if (score[i * m + pick[j]] > score[i * m + pick[best]]) best = j;
        }
        if (own < 0) continue;
        cells++, right += best == own;
        count[own]++, count[k + best]++, count[2 * k + own] += best == own;
    }
    for (int64_t j = 0; j < k; j++) {
        if (count[j] + count[k + j] == 0) continue;
        there++;
        sum += 2.0 * (double)count[2 * k + j] / (double)(count[j] + count[k + j]);
    }
    *accuracy = cells ? (double)right / (double)cells : (double)NAN;
    *macro_f1 = there ? sum / (double)there : (double)NAN;
    cw_free(ctx, count);
    return CW_OK;
}
