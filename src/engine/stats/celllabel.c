/* celllabel.c: see celllabel.h. */
#include "celllabel.h"

#include "../core/threads.h"
#include "../kernels/kernels.h"

#include <float.h>
#include <math.h>

enum { TILE = 128, MOST = 5 };

static const double LEAST = 1e-6; /* what is added to probabilities in geometric means */

static float *as_floats(cw_ctx *ctx, const double *from, int64_t n)
{
    float *to = cw_alloc(ctx, n, sizeof *to);
    for (int64_t i = 0; to && i < n; i++) to[i] = (float)from[i];
    return to;
}

/* s := s less its log sum of exponentials */
static void log_softmax(double *s, int64_t n)
{
    double most = -DBL_MAX, sum = 0.0;
    for (int64_t k = 0; k < n; k++) most = fmax(most, s[k]);
    for (int64_t k = 0; k < n; k++) sum += exp(s[k] - most);
    double less = most + log(sum);
    for (int64_t k = 0; k < n; k++) s[k] -= less;
}

/* p := exp(s / t) over its sum */
static void softmax(double *p, const double *s, double t, int64_t n)
{
    double most = -DBL_MAX, sum = 0.0;
    for (int64_t k = 0; k < n; k++) most = fmax(most, s[k]);
    for (int64_t k = 0; k < n; k++) sum += p[k] = exp((s[k] - most) / t);
    for (int64_t k = 0; k < n; k++) p[k] /= sum;
}

static int32_t largest(const double *s, int64_t n)
{
    int64_t at = 0;
    for (int64_t k = 1; k < n; k++)
        if (s[k] > s[at]) at = k;
    return (int32_t)at;
}

/* log of the geometric mean of `models` rows of probabilities p (classes each) -> to, less its log sum */
static void blend(double *to, const double *p, int models, int64_t classes)
{
    for (int64_t k = 0; k < classes; k++) {
        double sum = 0.0;
        for (int m = 0; m < models; m++) sum += log(p[m * classes + k] + LEAST);
        to[k] = sum / models;
    }
    log_softmax(to, classes);
}

/* One cell: scores (models + 1, classes) of it -> its row of out. work: 7 classes. */
static void label_cell(const cw_cell_labels *out, int64_t cell, const double *score, const cw_label_rule *rule,
                       double *work, int64_t classes)
{
    int n = rule->models;
    const double *last = score + (n - 1) * classes; /* of the matched model, or the only one */
    double *p = work, *guess = p + 4 * classes, *all = guess + classes, *final = all + classes;
    if (n > 1) {
        for (int m = 0; m < n; m++) softmax(p + m * classes, score + m * classes, 1.0, classes);
        blend(guess, p, 3, classes);
    }
    if (n == 4 && rule->blend) {
        double *two = p + 2 * classes; /* the guess's before the matched one's, which is there */
        for (int64_t k = 0; k < classes; k++) two[k] = exp(guess[k]);
        blend(all, two, 2, classes);
    } else {
        const double *from = n == 3 ? guess : last;
        for (int64_t k = 0; k < classes; k++) all[k] = from[k];
    }
    softmax(final, all, rule->temperature, classes);
    int32_t label = largest(final, classes);
    out->label[cell] = label, out->probability[cell] = final[label];
    out->guess[cell] = n == 1 ? label : largest(guess, classes);
    out->matched[cell] = n == 4 ? largest(last, classes) : label;
    out->beside[cell] = largest(score + n * classes, classes);
    for (int64_t k = 0; k < classes; k++) {
        out->inside[cell * classes + k] = k == label || 1.0 - final[k] <= rule->threshold[k];
        if (out->p) out->p[cell * classes + k] = final[k];
    }
}

/* Views and weights as floats of the models of a call. */
typedef struct ready {
    cw_shown view[MOST];
    float *w[MOST];
    const double *b[MOST];
    int64_t genes; /* most of any */
    int n;
} ready;

static void get_ready(cw_ctx *ctx, ready *r, const cw_cell_block *block, const cw_cell_model *model, int n,
                      int64_t classes)
{
    *r = (ready){.n = n};
    for (int m = 0; m < n && cw_cell_view_begin(ctx, &r->view[m], block, &model[m].view) == CW_OK; m++) {
        r->w[m] = as_floats(ctx, model[m].B, classes * model[m].view.genes), r->b[m] = model[m].b;
        if (model[m].view.genes > r->genes) r->genes = model[m].view.genes;
    }
}

static void give_back(cw_ctx *ctx, ready *r)
{
    for (int m = r->n; m-- > 0;) cw_free(ctx, r->w[m]), cw_cell_view_end(ctx, &r->view[m]);
}

/* The cells at .. at + n - 1; shown (TILE, genes), score (TILE, classes), scores (TILE, models, classes), work. */
static void label_tile(cw_ctx *ctx, const cw_cell_labels *out, const ready *r, const cw_label_rule *rule, int64_t at,
                       int64_t n, int64_t classes, float *shown, float *score, double *scores, double *work)
{
    cw_exec ex = {1};
    for (int m = 0; m < r->n; m++) {
        int64_t genes = r->view[m].view->genes;
        for (int64_t c = 0; c < n; c++) cw_cell_show(shown + c * genes, &r->view[m], at + c);
        ctx->kernels->gemm(&ex, score, classes, shown, genes, 0, r->w[m], genes, 1, 1.0f, 0.0f, n, classes, genes);
        for (int64_t c = 0; c < n; c++)
            for (int64_t k = 0; k < classes; k++)
                scores[(c * r->n + m) * classes + k] = score[c * classes + k] + r->b[m][k];
    }
    for (int64_t c = 0; c < n; c++) label_cell(out, at + c, scores + c * r->n * classes, rule, work, classes);
}

cw_status cw_cell_label(cw_ctx *ctx, cw_cell_labels *out, const cw_cell_block *block, const cw_cell_model *model,
                        const cw_label_rule *rule, int64_t classes)
{
    if (ctx->status != CW_OK) return ctx->status;
    int n = rule->models;
    if ((n != 1 && n != 3 && n != 4) || classes < 1)
        return cw_fail(ctx, CW_ERR_SHAPE, "labels: %d models, %lld classes", n, (long long)classes);
    if (!(rule->temperature > 0.0))
        return cw_fail(ctx, CW_ERR_ARGUMENT, "labels: the temperature is %g", rule->temperature);
    ready r;
    get_ready(ctx, &r, block, model, n + 1, classes);
    int64_t tiles = (block->cells + TILE - 1) / TILE, floats = TILE * (r.genes + classes);
    int64_t doubles = (TILE * r.n + 7) * classes;
    float *room = cw_alloc(ctx, ctx->threads * floats, sizeof *room);
    double *more = cw_alloc(ctx, ctx->threads * doubles, sizeof *more);
    if (ctx->status == CW_OK) {
        int stop = 0;
#pragma omp parallel for num_threads(ctx->threads) schedule(dynamic)
        for (int64_t t = 0; t < tiles; t++) {
            cw_watch watch = cw_watch_here(ctx, &stop);
            if (cw_watch_stop(&watch)) continue;
            int64_t at = t * TILE, many = block->cells - at < TILE ? block->cells - at : TILE;
            float *shown = room + cw_thread_number() * floats;
            double *scores = more + cw_thread_number() * doubles;
            label_tile(ctx, out, &r, rule, at, many, classes, shown, shown + TILE * r.genes, scores,
                       scores + TILE * r.n * classes);
        }
    }
    cw_free(ctx, more);
    cw_free(ctx, room);
    give_back(ctx, &r);
    return ctx->status;
}

/* ---- novelty ----------------------------------------------------------------------------------------------------- */

/* Length of v less its mean. */
static double length_of(const float *v, int64_t n)
{
    double sum = 0.0, square = 0.0;
#pragma omp simd reduction(+ : sum, square)
    for (int64_t g = 0; g < n; g++) sum += v[g], square += (double)v[g] * v[g];
    return sqrt(fmax(square - sum * sum / (double)n, 0.0));
}

static double squared_distance(const double *a, const double *b, int64_t n)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t d = 0; d < n; d++) sum += (a[d] - b[d]) * (a[d] - b[d]);
    return sum;
}

/* score (types + dims): products of a cell with centres and directions; white: room for 2 dims. */
static void novelty_cell(double *raw, const cw_novelty_model *m, const float *score, double length, double *white)
{
    int64_t best = 0;
    for (int64_t k = 1; k < m->types; k++)
        if (score[k] > score[best]) best = k;
    raw[0] = score[best] / (length + 1e-8) / m->typical[best];
    double *away = white + m->dims, near = DBL_MAX, far = 0.0;
    for (int64_t d = 0; d < m->dims; d++) white[d] = score[m->types + d] - m->origin[d], away[d] = white[d] - m->middle[d];
    for (int64_t k = 0; k < m->types; k++) near = fmin(near, squared_distance(white, m->mean + k * m->dims, m->dims));
    for (int64_t d = 0; d < m->dims; d++) {
        double sum = 0.0;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < m->dims; j++) sum += m->inverse[d * m->dims + j] * away[j];
        far += away[d] * sum;
    }
    raw[1] = far - near;
}

cw_status cw_cell_novelty(cw_ctx *ctx, double *raw, double *point, const cw_cell_block *block,
                          const cw_novelty_model *m)
{
    int64_t genes = m->view.genes, wide = m->types + m->dims, tiles = (block->cells + TILE - 1) / TILE;
    int64_t most = genes > m->own.genes ? genes : m->own.genes, out = wide > m->axes ? wide : m->axes;
    if (ctx->status == CW_OK && (m->types < 1 || m->dims < 0 || m->axes < 1))
        cw_fail(ctx, CW_ERR_SHAPE, "novelty: %lld types, %lld axes", (long long)m->types, (long long)m->axes);
    cw_shown view, own;
    cw_cell_view_begin(ctx, &view, block, &m->view), cw_cell_view_begin(ctx, &own, block, &m->own);
    int64_t floats = TILE * (most + out);
    float *w = cw_alloc(ctx, wide * genes, sizeof *w), *axis = as_floats(ctx, m->axis, m->axes * m->own.genes);
    float *room = cw_alloc(ctx, ctx->threads * floats, sizeof *room);
    double *white = cw_alloc(ctx, ctx->threads * 2 * m->dims, sizeof *white);
    if (ctx->status == CW_OK) {
        for (int64_t j = 0; j < wide * genes; j++)
            w[j] = (float)(j < m->types * genes ? m->centre[j] : m->rotation[j - m->types * genes]);
        int stop = 0;
#pragma omp parallel for num_threads(ctx->threads) schedule(dynamic)
        for (int64_t t = 0; t < tiles; t++) {
            cw_watch watch = cw_watch_here(ctx, &stop);
            if (cw_watch_stop(&watch)) continue;
            int64_t at = t * TILE, n = block->cells - at < TILE ? block->cells - at : TILE;
            float *shown = room + cw_thread_number() * floats, *score = shown + TILE * most;
            cw_exec ex = {1};
            for (int64_t c = 0; c < n; c++) cw_cell_show(shown + c * genes, &view, at + c);
            ctx->kernels->gemm(&ex, score, wide, shown, genes, 0, w, genes, 1, 1.0f, 0.0f, n, wide, genes);
            for (int64_t c = 0; c < n; c++)
                novelty_cell(raw + 2 * (at + c), m, score + c * wide, length_of(shown + c * genes, genes),
                             white + cw_thread_number() * 2 * m->dims);
            for (int64_t c = 0; c < n; c++) cw_cell_show(shown + c * m->own.genes, &own, at + c);
            ctx->kernels->gemm(&ex, score, m->axes, shown, m->own.genes, 0, axis, m->own.genes, 1, 1.0f, 0.0f, n,
                               m->axes, m->own.genes);
            for (int64_t j = 0; j < n * m->axes; j++) point[at * m->axes + j] = score[j];
        }
    }
    cw_free(ctx, white);
    cw_free(ctx, room);
    cw_free(ctx, axis);
    cw_free(ctx, w);
    cw_cell_view_end(ctx, &own), cw_cell_view_end(ctx, &view);
    return ctx->status;
}
