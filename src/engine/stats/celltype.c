/* celltype.c: see celltype.h. */
#include "celltype.h"

#include "../core/threads.h"
#include "../kernels/kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { TILE = CW_CELL_TILE }; /* cells that a thread looks at together */

static cw_status check(cw_ctx *ctx, const cw_cell_block *block, const cw_cell_view *view)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (view->genes < 1 || block->cells < 0) return cw_fail(ctx, CW_ERR_SHAPE, "cells: a view without genes");
    for (int64_t r = 0; r < block->rows; r++)
        if (view->to[r] >= view->genes)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "cells: row %lld is gene %d of %lld", (long long)r, view->to[r],
                           (long long)view->genes);
    for (int64_t c = 0; block->total && c < block->cells; c++)
        if (!(block->total[c] > 0.0) || !isfinite(block->total[c]))
            return cw_fail(ctx, CW_ERR_ARGUMENT, "cells: cell %lld has the total %g", (long long)c, block->total[c]);
    return CW_OK;
}

/* A value of the block as the view shows it, before `unit` and means; 0 stays 0. `factor`: 1e4 / total. */
static double lifted(const cw_cell_block *block, const cw_cell_view *view, double value, double factor)
{
    if (!block->total) return view->linear ? expm1(value) : value;
    return view->linear ? factor * value : log1p(factor * value);
}

static double factor_of(const cw_cell_block *block, int64_t cell) { return block->total ? 1e4 / block->total[cell] : 0.0; }

cw_status cw_cell_lift(cw_ctx *ctx, float *to, const cw_cell_block *block)
{
    const cw_cell_view logs = {.linear = 0};
    if (ctx->status != CW_OK) return ctx->status;
#pragma omp parallel for num_threads(ctx->threads) schedule(dynamic, TILE)
    for (int64_t c = 0; c < block->cells; c++)
        for (int e = block->start[c]; e < block->start[c + 1]; e++)
            to[e] = (float)lifted(block, &logs, block->value[e], factor_of(block, c));
    return cw_poll(ctx);
}

/* A shown value in the view's standard units. */
static inline float standard(const cw_cell_view *view, int64_t g, double value)
{
    double z = (value - view->mean[g]) * view->scale[g];
    return (float)(z < -view->clip ? -view->clip : z > view->clip ? view->clip : z);
}

cw_status cw_cell_view_begin(cw_ctx *ctx, cw_shown *s, const cw_cell_block *block, const cw_cell_view *view)
{
    *s = (cw_shown){block, view, NULL};
    if (check(ctx, block, view) != CW_OK || view->unit || !view->mean) return ctx->status;
    s->silent = cw_alloc(ctx, view->genes, sizeof *s->silent);
    for (int64_t g = 0; s->silent && g < view->genes; g++) s->silent[g] = standard(view, g, 0.0);
    return ctx->status;
}

void cw_cell_view_end(cw_ctx *ctx, cw_shown *s) { cw_free(ctx, s->silent), s->silent = NULL; }

void cw_cell_show(float *v, const cw_shown *s, int64_t cell)
{
    const cw_cell_block *block = s->block;
    const cw_cell_view *view = s->view;
    double factor = factor_of(block, cell), sum = 0.0, square = 0.0;
    if (s->silent) memcpy(v, s->silent, (size_t)view->genes * sizeof *v);
    else memset(v, 0, (size_t)view->genes * sizeof *v);
    int64_t stored = 0;
    for (int e = block->start[cell]; e < block->start[cell + 1]; e++) {
        int32_t g = view->to[block->row[e]];
        if (g < 0) continue;
        float value = block->lifted && !view->linear ? block->lifted[e]
                                                     : (float)lifted(block, view, block->value[e], factor);
        v[g] = s->silent ? standard(view, g, value) : value;
        sum += value, stored++;
    }
    if (!view->unit) return;
    double mean = sum / (double)view->genes;
    for (int e = block->start[cell]; e < block->start[cell + 1]; e++) {
        int32_t g = view->to[block->row[e]];
        if (g >= 0) square += (v[g] - mean) * (v[g] - mean);
    }
    square += (double)(view->genes - stored) * mean * mean; /* of those that aren't stored */
    double scale = 1.0 / (sqrt(square) + 1e-8);
    for (int64_t g = 0; g < view->genes; g++) v[g] = (float)((v[g] - mean) * scale);
    for (int64_t g = 0; view->mean && g < view->genes; g++) v[g] = standard(view, g, v[g]);
}

cw_status cw_cell_matrix(cw_ctx *ctx, float *x, const cw_cell_block *block, const cw_cell_view *view)
{
    cw_shown s;
    if (cw_cell_view_begin(ctx, &s, block, view) == CW_OK) {
#pragma omp parallel for num_threads(ctx->threads) schedule(dynamic, TILE)
        for (int64_t c = 0; c < block->cells; c++) cw_cell_show(x + c * view->genes, &s, c);
    }
    cw_cell_view_end(ctx, &s);
    return cw_poll(ctx);
}

/* Adds a cell's values and squares: what isn't stored is 0, where nothing moves it. */
static void add_sparse(double *sum, double *square, const cw_cell_block *block, const cw_cell_view *view, int64_t cell)
{
    double factor = factor_of(block, cell);
    for (int e = block->start[cell]; e < block->start[cell + 1]; e++) {
        int32_t g = view->to[block->row[e]];
        if (g < 0) continue;
        double value = (float)lifted(block, view, block->value[e], factor);
        sum[g] += value;
        square[g] += value * value;
    }
}

static void add_dense(double *sum, double *square, const float *v, int64_t genes)
{
    for (int64_t g = 0; g < genes; g++) {
        double value = v[g];
        sum[g] += value;
        square[g] += value * value;
    }
}

cw_status cw_cell_sums(cw_ctx *ctx, double *sum, double *square, const cw_cell_block *block, const cw_cell_view *view,
                       const int32_t *group, int64_t groups)
{
    cw_shown s;
    int dense = view->unit || view->mean;
    float *v = NULL;
    if (cw_cell_view_begin(ctx, &s, block, view) == CW_OK) v = cw_alloc(ctx, TILE * (dense ? view->genes : 1), sizeof *v);
    for (int64_t at = 0; v && at < block->cells && cw_poll(ctx) == CW_OK; at += TILE) {
        int64_t n = block->cells - at < TILE ? block->cells - at : TILE;
#pragma omp parallel for num_threads(ctx->threads) schedule(static) if (dense)
        for (int64_t c = 0; c < (dense ? n : 0); c++) cw_cell_show(v + c * view->genes, &s, at + c);
        for (int64_t c = 0; c < n; c++) {
            int64_t k = group[at + c];
            if (k < 0) continue;
            if (k >= groups) {
                cw_fail(ctx, CW_ERR_ARGUMENT, "cells: cell %lld is of group %lld", (long long)(at + c), (long long)k);
                break;
            }
            if (dense) add_dense(sum + k * view->genes, square + k * view->genes, v + c * view->genes, view->genes);
            else add_sparse(sum + k * view->genes, square + k * view->genes, block, view, at + c);
        }
    }
    cw_free(ctx, v);
    cw_cell_view_end(ctx, &s);
    return ctx->status;
}

void cw_cell_product(cw_ctx *ctx, float *product, float *shown, const cw_shown *s, int64_t at, int64_t n, const float *w,
                     int64_t rows)
{
    int64_t genes = s->view->genes;
    cw_exec ex = {1};
    for (int64_t c = 0; c < n; c++) cw_cell_show(shown + c * genes, s, at + c);
    ctx->kernels->gemm(&ex, product, rows, shown, genes, 0, w, genes, 1, 1.0f, 0.0f, n, rows, genes);
}

void cw_cell_tiles(cw_ctx *ctx, int64_t cells, cw_cell_work work, void *user)
{
    int64_t tiles = (cells + TILE - 1) / TILE;
    int stop = 0;
    if (ctx->status != CW_OK) return;
#pragma omp parallel for num_threads(ctx->threads) schedule(dynamic)
    for (int64_t t = 0; t < tiles; t++) {
        cw_watch watch = cw_watch_here(ctx, &stop);
        if (cw_watch_stop(&watch)) continue;
        work(user, t * TILE, cells - t * TILE < TILE ? cells - t * TILE : TILE, cw_thread_number());
    }
}

float *cw_cell_floats(cw_ctx *ctx, const double *from, int64_t n)
{
    float *to = cw_alloc(ctx, n, sizeof *to);
    for (int64_t i = 0; to && i < n; i++) to[i] = (float)from[i];
    return to;
}

void cw_log_softmax(double *s, int64_t n)
{
    double most = -DBL_MAX, sum = 0.0;
    for (int64_t k = 0; k < n; k++) most = fmax(most, s[k]);
    for (int64_t k = 0; k < n; k++) sum += exp(s[k] - most);
    double less = most + log(sum);
    for (int64_t k = 0; k < n; k++) s[k] -= less;
}

/* A sweep of cw_cell_score(): w (classes, genes); room: of every thread, TILE cells and their scores. */
typedef struct scoring {
    cw_ctx *ctx;
    cw_shown view;
    float *w, *room;
    const double *b;
    double *logp;
    int64_t classes;
} scoring;

static void score_tile(void *user, int64_t at, int64_t n, int thread)
{
    const scoring *s = user;
    int64_t genes = s->view.view->genes;
    float *shown = s->room + thread * TILE * (genes + s->classes), *score = shown + TILE * genes;
    cw_cell_product(s->ctx, score, shown, &s->view, at, n, s->w, s->classes);
    for (int64_t c = 0; c < n; c++) {
        double *logp = s->logp + (at + c) * s->classes;
        for (int64_t k = 0; k < s->classes; k++) logp[k] = score[c * s->classes + k] + s->b[k];
        cw_log_softmax(logp, s->classes);
    }
}

cw_status cw_cell_score(cw_ctx *ctx, double *logp, const cw_cell_block *block, const cw_cell_view *view,
                        const double *B, const double *b, int64_t classes)
{
    scoring s = {.ctx = ctx, .b = b, .logp = logp, .classes = classes};
    if (cw_cell_view_begin(ctx, &s.view, block, view) == CW_OK && classes < 1)
        cw_fail(ctx, CW_ERR_SHAPE, "cells: no classes");
    s.w = cw_cell_floats(ctx, B, classes * view->genes);
    s.room = cw_alloc(ctx, ctx->threads * TILE * (view->genes + classes), sizeof *s.room);
    cw_cell_tiles(ctx, block->cells, score_tile, &s);
    cw_free(ctx, s.room);
    cw_free(ctx, s.w);
    cw_cell_view_end(ctx, &s.view);
    return ctx->status;
}

/* The k smallest of near (n), ascending, as places; a tie keeps the earlier. */
static void nearest(int64_t *at, float *best, const float *near, int64_t n, int64_t k)
{
    int64_t have = 0;
    for (int64_t j = 0; j < n; j++) {
        if (have == k && !(near[j] < best[k - 1])) continue;
        int64_t to = have < k ? have++ : k - 1;
        for (; to > 0 && best[to - 1] > near[j]; to--) best[to] = best[to - 1], at[to] = at[to - 1];
        best[to] = near[j], at[to] = j;
    }
}

cw_status cw_neighbour_means(cw_ctx *ctx, double *mean, const float *point, const float *landmark, const double *value,
                             int64_t k, int64_t cells, int64_t landmarks, int64_t dims, int64_t values)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (k < 1 || k > landmarks || dims < 1)
        return cw_fail(ctx, CW_ERR_SHAPE, "neighbours: %lld of %lld landmarks in %lld dimensions", (long long)k,
                       (long long)landmarks, (long long)dims);
    int64_t each = TILE * landmarks + k, tiles = (cells + TILE - 1) / TILE;
    float *room = cw_alloc(ctx, ctx->threads * each, sizeof *room);
    float *square = cw_calloc(ctx, landmarks, sizeof *square);
    int64_t *place = cw_alloc(ctx, ctx->threads * k, sizeof *place);
    if (ctx->status == CW_OK) {
        for (int64_t j = 0; j < landmarks; j++)
            for (int64_t d = 0; d < dims; d++) square[j] += landmark[j * dims + d] * landmark[j * dims + d];
        int stop = 0;
#pragma omp parallel for num_threads(ctx->threads) schedule(dynamic)
        for (int64_t t = 0; t < tiles; t++) {
            cw_watch watch = cw_watch_here(ctx, &stop);
            if (cw_watch_stop(&watch)) continue;
            int64_t first = t * TILE, n = cells - first < TILE ? cells - first : TILE;
            float *near = room + cw_thread_number() * each, *best = near + TILE * landmarks;
            int64_t *at = place + cw_thread_number() * k;
            cw_exec ex = {1};
            /* |a - b|^2 less |a|^2, which is the same for all landmarks */
            ctx->kernels->gemm(&ex, near, landmarks, point + first * dims, dims, 0, landmark, dims, 1, -2.0f, 0.0f, n,
                               landmarks, dims);
            for (int64_t c = 0; c < n; c++) {
                for (int64_t j = 0; j < landmarks; j++) near[c * landmarks + j] += square[j];
                nearest(at, best, near + c * landmarks, landmarks, k);
                for (int64_t v = 0; v < values; v++) {
                    double sum = 0.0;
                    for (int64_t j = 0; j < k; j++) sum += value[at[j] * values + v];
                    mean[(first + c) * values + v] = sum / (double)k;
                }
            }
        }
    }
    cw_free(ctx, place);
    cw_free(ctx, square);
    cw_free(ctx, room);
    return ctx->status;
}
