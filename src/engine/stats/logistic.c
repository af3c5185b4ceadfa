/* logistic.c: see logistic.h. */
#include "logistic.h"

#include "../core/threads.h"
#include "../kernels/kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { TILE = 256, HISTORY = 10, HALVINGS = 30 };

static const double NOISE = 1e-8; /* of the objective, relative: products are in float */

typedef struct problem {
    cw_ctx *ctx;
    const float *x;       /* (cells, genes) */
    const int32_t *label; /* (cells) */
    const double *weight; /* (cells), sum `total` */
    double total, penalty; /* penalty: 1 / (C total) */
    int64_t cells, genes, classes;
    float *B;     /* (classes, genes) theta as floats; then the gradient of B */
    float *score; /* (cells, classes) scores, then weight (p - 1 at the label) */
    double *part; /* (tiles) losses */
} problem;

/* Scores of one cell -> its loss; the scores become weight (p - y) / total. */
static double one_cell(const problem *p, const double *b, int64_t i)
{
    float *s = p->score + i * p->classes;
    double most = -DBL_MAX, sum = 0.0;
    for (int64_t k = 0; k < p->classes; k++) most = fmax(most, s[k] + b[k]);
    for (int64_t k = 0; k < p->classes; k++) sum += exp(s[k] + b[k] - most);
    double w = p->weight[i] / p->total, right = s[p->label[i]] + b[p->label[i]] - most;
    for (int64_t k = 0; k < p->classes; k++)
        s[k] = (float)(w * (exp(s[k] + b[k] - most) / sum - (k == p->label[i] ? 1.0 : 0.0)));
    return w * (log(sum) - right);
}

/* f(theta) and, unless g is NULL, its gradient. */
static double objective(problem *p, const double *theta, double *g)
{
    int64_t size = p->classes * p->genes, tiles = (p->cells + TILE - 1) / TILE;
    const double *b = theta + size;
    cw_exec ex = {p->ctx->threads};
    for (int64_t j = 0; j < size; j++) p->B[j] = (float)theta[j];
    p->ctx->kernels->gemm(&ex, p->score, p->classes, p->x, p->genes, 0, p->B, p->genes, 1, 1.0f, 0.0f, p->cells,
                          p->classes, p->genes);
#pragma omp parallel for num_threads(p->ctx->threads) schedule(static)
    for (int64_t t = 0; t < tiles; t++) {
        double loss = 0.0;
        for (int64_t i = t * TILE; i < p->cells && i < (t + 1) * TILE; i++) loss += one_cell(p, b, i);
        p->part[t] = loss;
    }
    double loss = 0.0, square = 0.0;
    for (int64_t t = 0; t < tiles; t++) loss += p->part[t];
    for (int64_t j = 0; j < size; j++) square += theta[j] * theta[j];
    if (!g) return loss + 0.5 * p->penalty * square;
    p->ctx->kernels->gemm(&ex, p->B, p->genes, p->score, p->classes, 1, p->x, p->genes, 0, 1.0f, 0.0f, p->classes,
                          p->genes, p->cells);
    for (int64_t j = 0; j < size; j++) g[j] = p->B[j] + p->penalty * theta[j];
    for (int64_t k = 0; k < p->classes; k++) g[size + k] = 0.0;
    for (int64_t i = 0; i < p->cells; i++)
        for (int64_t k = 0; k < p->classes; k++) g[size + k] += p->score[i * p->classes + k];
    return loss + 0.5 * p->penalty * square;
}

static cw_status begin(problem *p)
{
    cw_ctx *ctx = p->ctx;
    if (ctx->status != CW_OK) return ctx->status;
    if (p->cells < 1 || p->genes < 1 || p->classes < 2)
        return cw_fail(ctx, CW_ERR_SHAPE, "logistic: %lld cells, %lld genes, %lld classes; 1, 1 and 2 needed",
                       (long long)p->cells, (long long)p->genes, (long long)p->classes);
    for (int64_t i = 0; i < p->cells; i++) {
        if (p->label[i] < 0 || p->label[i] >= p->classes)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "logistic: the label of cell %lld is %d", (long long)i, p->label[i]);
        if (!(p->weight[i] >= 0.0) || !isfinite(p->weight[i]))
            return cw_fail(ctx, CW_ERR_ARGUMENT, "logistic: the weight of cell %lld is %g", (long long)i,
                           p->weight[i]);
        p->total += p->weight[i];
    }
    if (!(p->total > 0.0)) return cw_fail(ctx, CW_ERR_ARGUMENT, "logistic: all weights are 0");
    p->penalty /= p->total;
    p->B = cw_alloc(ctx, p->classes * p->genes, sizeof *p->B);
    p->score = cw_alloc(ctx, p->cells * p->classes, sizeof *p->score);
    p->part = cw_alloc(ctx, (p->cells + TILE - 1) / TILE, sizeof *p->part);
    return ctx->status;
}

static void end(problem *p)
{
    cw_free(p->ctx, p->part);
    cw_free(p->ctx, p->score);
    cw_free(p->ctx, p->B);
}

cw_status cw_logistic_loss(cw_ctx *ctx, double *loss, double *gradient, const double *theta, const float *x,
                           const int32_t *label, const double *weight, double C, int64_t cells, int64_t genes,
                           int64_t classes)
{
    problem p = {.ctx = ctx, .x = x, .label = label, .weight = weight, .penalty = 1.0 / C, .cells = cells,
                 .genes = genes, .classes = classes};
    if (begin(&p) == CW_OK) *loss = objective(&p, theta, gradient);
    end(&p);
    return ctx->status;
}

/* ---- L-BFGS ------------------------------------------------------------------------------------------------------ */

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t j = 0; j < n; j++) sum += a[j] * b[j];
    return sum;
}

static double largest(const double *a, int64_t n)
{
    double most = 0.0;
    for (int64_t j = 0; j < n; j++) most = fmax(most, fabs(a[j]));
    return most;
}

/* The last `count` steps s and changes of the gradient y, at places first .. first + count - 1 of a ring. */
typedef struct history {
    double *s, *y, rho[HISTORY];
    int64_t n, first, count;
} history;

/* d := -H g, H the inverse Hessian that the history tells (the two loops of Nocedal and Wright, algorithm 7.4) */
static void direction(const history *h, double *d, const double *g)
{
    double alpha[HISTORY];
    for (int64_t j = 0; j < h->n; j++) d[j] = -g[j];
    for (int64_t c = h->count; c-- > 0;) {
        int64_t at = (h->first + c) % HISTORY;
        alpha[at] = h->rho[at] * dot(h->s + at * h->n, d, h->n);
        for (int64_t j = 0; j < h->n; j++) d[j] -= alpha[at] * h->y[at * h->n + j];
    }
    if (h->count) {
        int64_t at = (h->first + h->count - 1) % HISTORY;
        const double *y = h->y + at * h->n;
        double scale = 1.0 / (h->rho[at] * dot(y, y, h->n));
        for (int64_t j = 0; j < h->n; j++) d[j] *= scale;
    }
    for (int64_t c = 0; c < h->count; c++) {
        int64_t at = (h->first + c) % HISTORY;
        double beta = h->rho[at] * dot(h->y + at * h->n, d, h->n);
        for (int64_t j = 0; j < h->n; j++) d[j] += (alpha[at] - beta) * h->s[at * h->n + j];
    }
}

/* Keeps s = step d and y = after - before where they curve upwards. */
static void remember(history *h, const double *d, double step, const double *after, const double *before)
{
    int64_t at = (h->first + h->count) % HISTORY;
    double *s = h->s + at * h->n, *y = h->y + at * h->n;
    for (int64_t j = 0; j < h->n; j++) s[j] = step * d[j], y[j] = after[j] - before[j];
    double sy = dot(s, y, h->n);
    if (!(sy > DBL_EPSILON * dot(y, y, h->n))) return;
    h->rho[at] = 1.0 / sy;
    if (h->count < HISTORY) h->count++;
    else h->first = (h->first + 1) % HISTORY;
}

/* theta moves along d until f has fallen enough (Armijo). Returns the step; 0 where none is found, theta then is as
 * before. `f`, `g`: at theta, before and after; `trial`, `fresh`: room like theta. */
static double line_search(problem *p, double *theta, double *f, double *g, const double *d, double *trial,
                          double *fresh, double step)
{
    int64_t n = p->classes * (p->genes + 1);
    double slope = dot(g, d, n);
    for (int64_t tries = 0; tries < HALVINGS && slope < 0.0 && cw_poll(p->ctx) == CW_OK; tries++) {
        for (int64_t j = 0; j < n; j++) trial[j] = theta[j] + step * d[j];
        double value = objective(p, trial, fresh);
        if (value <= *f + 1e-4 * step * slope) {
            memcpy(theta, trial, (size_t)n * sizeof *theta);
            *f = value;
            return step;
        }
        /* the minimum of the parabola through both values and the slope, within bounds */
        double next = isfinite(value) ? -slope * step * step / (2.0 * (value - *f - slope * step)) : 0.0;
        step = fmin(fmax(next, 0.1 * step), 0.5 * step);
    }
    return 0.0;
}

cw_status cw_logistic_fit(cw_ctx *ctx, double *B, double *b, cw_logistic_result *result, const float *x,
                          const int32_t *label, const double *weight, const cw_logistic_options *options,
                          int64_t cells, int64_t genes, int64_t classes)
{
    problem p = {.ctx = ctx, .x = x, .label = label, .weight = weight, .penalty = 1.0 / options->C, .cells = cells,
                 .genes = genes, .classes = classes};
    history h = {.n = classes * (genes + 1)};
    double *room = NULL, *ring = NULL;
    if (begin(&p) == CW_OK) {
        room = cw_alloc(ctx, 5 * h.n, sizeof *room);
        ring = cw_alloc(ctx, 2 * HISTORY * h.n, sizeof *ring);
    }
    if (ctx->status == CW_OK) {
        double *theta = room, *g = room + h.n, *d = room + 2 * h.n, *trial = room + 3 * h.n, *fresh = room + 4 * h.n;
        h.s = ring, h.y = ring + HISTORY * h.n;
        memcpy(theta, B, (size_t)(classes * genes) * sizeof *B);
        memcpy(theta + classes * genes, b, (size_t)classes * sizeof *b);
        double f = objective(&p, theta, g);
        int64_t step = 0;
        for (double before = INFINITY; step < options->steps && largest(g, h.n) > options->tolerance; step++) {
            if (before - f < NOISE * fabs(f)) break; /* what is left to gain is rounding of the products */
            before = f;
            direction(&h, d, g);
            double first = step ? 1.0 : 1.0 / fmax(1e-12, sqrt(dot(g, g, h.n)));
            double moved = line_search(&p, theta, &f, g, d, trial, fresh, first);
            if (moved == 0.0) break; /* as low as floats tell */
            remember(&h, d, moved, fresh, g);
            memcpy(g, fresh, (size_t)h.n * sizeof *g);
        }
        if (!isfinite(f)) cw_fail(ctx, CW_ERR_NUMERIC, "logistic: values that aren't finite");
        *result = (cw_logistic_result){f, largest(g, h.n), step};
        memcpy(B, theta, (size_t)(classes * genes) * sizeof *B);
        memcpy(b, theta + classes * genes, (size_t)classes * sizeof *b);
    }
    cw_free(ctx, ring);
    cw_free(ctx, room);
    end(&p);
    return ctx->status;
}
