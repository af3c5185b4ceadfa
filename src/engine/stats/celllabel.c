/* celllabel.c: see celllabel.h. */
#include "celllabel.h"

#include <float.h>
#include <math.h>

enum { TILE = CW_CELL_TILE, MOST = 5 };

static const double LEAST = 1e-6; /* what is added to probabilities in geometric means */

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
    cw_log_softmax(to, classes);
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
        r->w[m] = cw_cell_floats(ctx, model[m].B, classes * model[m].view.genes), r->b[m] = model[m].b;
        if (model[m].view.genes > r->genes) r->genes = model[m].view.genes;
    }
}

static void give_back(cw_ctx *ctx, ready *r)
{
    for (int m = r->n; m-- > 0;) cw_free(ctx, r->w[m]), cw_cell_view_end(ctx, &r->view[m]);
}

/* A sweep of cw_cell_label(); of every thread `floats`: TILE cells and their scores of a model, and `doubles`: scores
 * (TILE, models, classes) and 7 classes of working memory. */
typedef struct labelling {
    cw_ctx *ctx;
    const cw_cell_labels *out;
    const cw_label_rule *rule;
    ready models;
    int64_t classes, floats, doubles;
    float *room;
    double *more;
} labelling;

static void label_tile(void *user, int64_t at, int64_t n, int thread)
{
    const labelling *l = user;
    const ready *r = &l->models;
    int64_t classes = l->classes;
    float *shown = l->room + thread * l->floats, *score = shown + TILE * r->genes;
    double *scores = l->more + thread * l->doubles, *work = scores + TILE * r->n * classes;
    for (int m = 0; m < r->n; m++) {
        cw_cell_product(l->ctx, score, shown, &r->view[m], at, n, r->w[m], classes);
        for (int64_t c = 0; c < n; c++)
            for (int64_t k = 0; k < classes; k++)
                scores[(c * r->n + m) * classes + k] = score[c * classes + k] + r->b[m][k];
    }
    for (int64_t c = 0; c < n; c++)
        label_cell(l->out, at + c, scores + c * r->n * classes, l->rule, work, classes);
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
    labelling l = {.ctx = ctx, .out = out, .rule = rule, .classes = classes};
    get_ready(ctx, &l.models, block, model, n + 1, classes);
    l.floats = TILE * (l.models.genes + classes), l.doubles = (TILE * l.models.n + 7) * classes;
    l.room = cw_alloc(ctx, ctx->threads * l.floats, sizeof *l.room);
    l.more = cw_alloc(ctx, ctx->threads * l.doubles, sizeof *l.more);
    cw_cell_tiles(ctx, block->cells, label_tile, &l);
    cw_free(ctx, l.more);
    cw_free(ctx, l.room);
    give_back(ctx, &l.models);
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

/* A sweep of cw_cell_novelty(): w (types + dims, genes), centres then directions; axis (axes, own genes); of every thread
 * `floats`: TILE cells and their products, and 2 dims of `white`. */
typedef struct likening {
    cw_ctx *ctx;
    const cw_novelty_model *model;
    cw_shown view, own;
    int64_t most, floats; /* genes of the larger view */
    float *w, *axis, *room;
    double *white, *raw, *point;
} likening;

static void novelty_tile(void *user, int64_t at, int64_t n, int thread)
{
    const likening *l = user;
    const cw_novelty_model *m = l->model;
    int64_t genes = m->view.genes, wide = m->types + m->dims;
    float *shown = l->room + thread * l->floats, *product = shown + TILE * l->most;
    cw_cell_product(l->ctx, product, shown, &l->view, at, n, l->w, wide);
    for (int64_t c = 0; c < n; c++)
        novelty_cell(l->raw + 2 * (at + c), m, product + c * wide, length_of(shown + c * genes, genes),
                     l->white + thread * 2 * m->dims);
    cw_cell_product(l->ctx, product, shown, &l->own, at, n, l->axis, m->axes);
    for (int64_t j = 0; j < n * m->axes; j++) l->point[at * m->axes + j] = product[j];
}

cw_status cw_cell_novelty(cw_ctx *ctx, double *raw, double *point, const cw_cell_block *block,
                          const cw_novelty_model *m)
{
    int64_t genes = m->view.genes, wide = m->types + m->dims, out = wide > m->axes ? wide : m->axes;
    likening l = {.ctx = ctx, .model = m, .most = genes > m->own.genes ? genes : m->own.genes, .raw = raw, .point = point};
    if (ctx->status == CW_OK && (m->types < 1 || m->dims < 0 || m->axes < 1))
        cw_fail(ctx, CW_ERR_SHAPE, "novelty: %lld types, %lld axes", (long long)m->types, (long long)m->axes);
    cw_cell_view_begin(ctx, &l.view, block, &m->view), cw_cell_view_begin(ctx, &l.own, block, &m->own);
    l.floats = TILE * (l.most + out);
    l.w = cw_alloc(ctx, wide * genes, sizeof *l.w), l.axis = cw_cell_floats(ctx, m->axis, m->axes * m->own.genes);
    l.room = cw_alloc(ctx, ctx->threads * l.floats, sizeof *l.room);
    l.white = cw_alloc(ctx, ctx->threads * 2 * m->dims, sizeof *l.white);
    for (int64_t j = 0; l.w && j < wide * genes; j++)
        l.w[j] = (float)(j < m->types * genes ? m->centre[j] : m->rotation[j - m->types * genes]);
    cw_cell_tiles(ctx, block->cells, novelty_tile, &l);
    cw_free(ctx, l.white);
    cw_free(ctx, l.room);
    cw_free(ctx, l.axis);
    cw_free(ctx, l.w);
    cw_cell_view_end(ctx, &l.own), cw_cell_view_end(ctx, &l.view);
    return ctx->status;
}
