/* op_match.c: what a flow is judged by: squared and absolute differences, the median, the distance of two samples by
 * their one-dimensional projections, and the contrast of pairs. Sums run in double and in a fixed order. */
#include "ops.h"

#include "../core/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static cw_tensor *scalar(cw_tape *t, cw_node *node, double value)
{
    node->out = cw_tape_matrix(t, 1, 1);
    if (!node->out) return NULL;
    cw_f32(node->out)[0] = (float)value;
    return cw_node_done(t, node);
}

static int same_count(cw_tape *t, const char *op, int64_t a, int64_t b)
{
    if (a == b) return 1;
    cw_fail(t->ctx, CW_ERR_SHAPE, "%s: %lld and %lld values", op, (long long)a, (long long)b);
    return 0;
}

/* ---- a x + b ---- */

typedef struct {
    float a;
} affine_saved;

static void affine_backward(cw_tape *t, cw_node *node)
{
    float *dx = cw_tape_grad(t, node->in[0]);
    if (dx) t->k->axpy(&t->exec, dx, node->out->grad, ((affine_saved *)node->saved)->a, cw_count(node->out));
}

static const cw_op op_affine = {"affine", .backward = affine_backward};

cw_tensor *cw_affine(cw_tape *t, cw_tensor *x, float a, float b)
{
    cw_node *node = cw_node_new(t, &op_affine, 1, (cw_tensor *[]){x}, sizeof(affine_saved));
    if (!node) return NULL;
    ((affine_saved *)node->saved)->a = a;
    node->out = cw_tape_matrix(t, cw_rows(x), cw_cols(x));
    if (!node->out) return NULL;
    const float *xd = cw_tape_data(t, x);
    if (!xd) return NULL;
    t->k->affine(&t->exec, cw_f32(node->out), xd, a, b, cw_count(x));
    return cw_node_done(t, node);
}

/* ---- mean squared difference ---- */

static void squared_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0], *y = node->in[1];
    int64_t n = cw_count(x);
    const float *xd = cw_tape_data(t, x), *yd = cw_tape_data(t, y);
    float *dx = cw_tape_grad(t, x), *dy = cw_tape_grad(t, y);
    float g = cw_tape_loss_grad(t, node);
    if (xd && yd && (dx || dy)) t->k->mean_squared_backward(&t->exec, dx, dy, g, xd, yd, n);
}

static const cw_op op_squared = {"mean_squared", .backward = squared_backward, .loss = 1};

cw_tensor *cw_mean_squared(cw_tape *t, cw_tensor *x, cw_tensor *y)
{
    cw_node *node = cw_node_new(t, &op_squared, 2, (cw_tensor *[]){x, y}, 0);
    if (!node || !same_count(t, "mean_squared", cw_count(x), cw_count(y))) return NULL;
    const float *xd = cw_tape_data(t, x), *yd = cw_tape_data(t, y);
    node->out = cw_tape_matrix(t, 1, 1);
    if (!xd || !yd || !node->out) return NULL;
    t->k->mean_squared(&t->exec, cw_f32(node->out), xd, yd, cw_count(x));
    return cw_tape_over(cw_node_done(t, node), (double)cw_count(x));
}

/* ---- mean absolute value ---- */

static void absolute_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0];
    int64_t n = cw_count(x);
    const float *xd = cw_tape_data(t, x);
    float *dx = cw_tape_grad(t, x), g = cw_tape_loss_grad(t, node);
    if (dx && xd) t->k->mean_absolute_backward(&t->exec, dx, g, xd, n);
}

static const cw_op op_absolute = {"mean_absolute", .backward = absolute_backward, .loss = 1};

cw_tensor *cw_mean_absolute(cw_tape *t, cw_tensor *x)
{
    cw_node *node = cw_node_new(t, &op_absolute, 1, (cw_tensor *[]){x}, 0);
    if (!node) return NULL;
    const float *xd = cw_tape_data(t, x);
    node->out = cw_tape_matrix(t, 1, 1);
    if (!xd || !node->out) return NULL;
    t->k->mean_absolute(&t->exec, cw_f32(node->out), xd, cw_count(x));
    return cw_tape_over(cw_node_done(t, node), (double)cw_count(x));
}

/* ---- lower median; its gradient goes to the entry it is. saved: that entry of each group ---- */

static void median_backward(cw_tape *t, cw_node *node)
{
    const int64_t *at = node->saved;
    float *dx = cw_tape_grad(t, node->in[0]);
    for (int64_t g = 0; dx && g < cw_count(node->out); g++) dx[at[g]] += node->out->grad[g];
}

static const cw_op op_median = {"lower_median", .backward = median_backward, .host_only = 1};

cw_tensor *cw_lower_median(cw_tape *t, cw_tensor *x, int by_row)
{
    int64_t groups = x && by_row ? cw_rows(x) : 1;
    cw_node *node = cw_node_new(t, &op_median, 1, (cw_tensor *[]){x}, (size_t)groups * sizeof(int64_t));
    if (!node) return NULL;
    int64_t n = cw_count(x) / (groups ? groups : 1), *at = node->saved;
    if (n < 1) {
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "lower_median: no values");
        return NULL;
    }
    node->out = cw_tape_matrix(t, groups, 1);
    float *copy = cw_arena_take(t->arena, n * (int64_t)sizeof *copy);
    if (!node->out || !copy) return NULL;
    for (int64_t g = 0; g < groups; g++) {
        const float *v = cw_f32(x) + g * n;
        memcpy(copy, v, (size_t)n * sizeof *copy);
        /* of n values the (n - 1) / 2 + 1 st from below is the n - (n - 1) / 2 th from above */
        float m = cw_select_largest(copy, n, n - (n - 1) / 2);
        int64_t i = 0;
        while (i + 1 < n && v[i] != m) i++;
        at[g] = g * n + i;
        cw_f32(node->out)[g] = m;
    }
    cw_tape_give(t, copy);
    return cw_node_done(t, node);
}

/* ---- sliced Wasserstein-2 (Bonneel et al. 2015). kept: [0] and [2] the gradients of x's (P,n) and y's
 * projections (P,m), [1] the directions ---- */

typedef struct {
    float *direction; /* (P,d), of length 1 */
    int64_t count;
} sliced_saved;

typedef struct {
    float value;
    int32_t row;
} ranked;

/* NaN last: without an order of all values qsort may run out of its array. */
static int by_value(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    int nan = (isnan(x->value) != 0) - (isnan(y->value) != 0);
    if (nan) return nan;
    if (x->value < y->value || x->value > y->value) return x->value < y->value ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static void rank_values(ranked *out, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) out[i] = (ranked){x[i], (int32_t)i};
    qsort(out, (size_t)n, sizeof *out, by_value);
}

/* Level k of `levels` of a sorted sample of n: its place, and the share of the next one. */
static int64_t level_at(double *share, int64_t k, int64_t levels, int64_t n)
{
    double p = levels > 1 ? (double)k * (double)(n - 1) / (double)(levels - 1) : 0.0;
    int64_t i = (int64_t)p;
    if (i > n - 2) i = n > 1 ? n - 2 : 0;
    *share = n > 1 ? p - (double)i : 0.0;
    return i;
}

/* The mean over levels of the squared difference of two sorted samples' quantiles; dx (n) and dy (m) get its gradients,
 * where they aren't NULL. */
static double quantile_distance(float *dx, float *dy, const ranked *x, int64_t n, const ranked *y, int64_t m)
{
    int64_t levels = n > m ? n : m;
    double sum = 0;
    for (int64_t k = 0; k < levels; k++) {
        double a, b;
        int64_t i = level_at(&a, k, levels, n), j = level_at(&b, k, levels, m);
        double left = x[i].value + (n > 1 ? a * ((double)x[i + 1].value - x[i].value) : 0.0);
        double right = y[j].value + (m > 1 ? b * ((double)y[j + 1].value - y[j].value) : 0.0);
        double d = left - right, g = 2.0 * d / (double)levels;
        sum += d * d;
        if (dx) dx[x[i].row] += (float)((1.0 - a) * g);
        if (dx && n > 1) dx[x[i + 1].row] += (float)(a * g);
        if (dy) dy[y[j].row] -= (float)((1.0 - b) * g);
        if (dy && m > 1) dy[y[j + 1].row] -= (float)(b * g);
    }
    return sum / (double)levels;
}

static void sliced_backward(cw_tape *t, cw_node *node)
{
    const sliced_saved *s = node->saved;
    cw_tensor *x = node->in[0], *y = node->in[1];
    int64_t n = cw_rows(x), m = cw_rows(y), d = cw_cols(x);
    float *dx = cw_tape_grad(t, x), *dy = cw_tape_grad(t, y), g = cw_tape_loss_grad(t, node) / (float)s->count;
    if (dx) t->k->gemm(&t->exec, dx, d, node->kept[0], n, 1, s->direction, d, 0, g, 1.0f, n, d, s->count);
    if (dy) t->k->gemm(&t->exec, dy, d, node->kept[2], m, 1, s->direction, d, 0, g, 1.0f, m, d, s->count);
}

static const cw_op op_sliced = {"sliced_w2", .backward = sliced_backward, .host_only = 1, .loss = 1};

cw_tensor *cw_sliced_w2(cw_tape *t, cw_tensor *x, cw_tensor *y, const float *direction, int64_t count)
{
    cw_node *node = cw_node_new(t, &op_sliced, 2, (cw_tensor *[]){x, y}, sizeof(sliced_saved));
    if (!node) return NULL;
    int64_t n = cw_rows(x), m = cw_rows(y), d = cw_cols(x);
    if (cw_cols(y) != d || n < 1 || m < 1 || count < 1 || n > INT32_MAX || m > INT32_MAX) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "sliced_w2: samples of %lld x %lld and %lld x %lld, %lld directions",
                (long long)n, (long long)d, (long long)m, (long long)cw_cols(y), (long long)count);
        return NULL;
    }
    sliced_saved *s = node->saved;
    s->count = count;
    s->direction = cw_node_keep(t, node, 1, count * d);
    float *grad = cw_node_keep(t, node, 0, count * n), *grad_y = NULL;
    if (y->needs_grad) grad_y = cw_node_keep(t, node, 2, count * m);
    float *px = cw_arena_take(t->arena, count * (n + m) * (int64_t)sizeof *px);
    double *part = cw_arena_take(t->arena, count * (int64_t)sizeof *part);
    ranked *order = cw_arena_take(t->arena, count * (n + m) * (int64_t)sizeof *order);
    if (!s->direction || !grad || !px || !part || !order || t->ctx->status != CW_OK) return NULL;
    for (int64_t p = 0; p < count; p++) {
        double length = 0;
        for (int64_t j = 0; j < d; j++) length += (double)direction[p * d + j] * direction[p * d + j];
        double scale = length > 0 ? 1.0 / sqrt(length) : 0.0;
        for (int64_t j = 0; j < d; j++) s->direction[p * d + j] = (float)(direction[p * d + j] * scale);
    }
    float *py = px + count * n;
    t->k->gemm(&t->exec, px, n, s->direction, d, 0, cw_f32(x), d, 1, 1.0f, 0.0f, count, n, d);
    t->k->gemm(&t->exec, py, m, s->direction, d, 0, cw_f32(y), d, 1, 1.0f, 0.0f, count, m, d);
    memset(grad, 0, (size_t)(count * n) * sizeof *grad);
    if (grad_y) memset(grad_y, 0, (size_t)(count * m) * sizeof *grad_y);
#pragma omp parallel for schedule(static) num_threads(t->exec.threads) if (count * (n + m) > 10000)
    for (int64_t p = 0; p < count; p++) {
        ranked *a = order + p * (n + m), *b = a + n;
        rank_values(a, px + p * n, n);
        rank_values(b, py + p * m, m);
        part[p] = quantile_distance(t->recording ? grad + p * n : NULL, grad_y ? grad_y + p * m : NULL, a, n, b, m);
    }
    double sum = 0;
    for (int64_t p = 0; p < count; p++) sum += part[p];
    cw_tape_give(t, px), cw_tape_give(t, part), cw_tape_give(t, order);
    return scalar(t, node, sum / (double)count);
}

/* ---- contrast of pairs: symmetric InfoNCE of cosines (Radford et al. 2021). kept: [1] the gradient of the cosines (n,n) by
 * the temperature, [0] y's and [2] x's rows: of length 1, then their lengths ---- */

#define LENGTH_LEAST 1e-12f

typedef struct {
    float temperature;
} contrast_saved;

/* The gradient of one side, whose unit rows are met by `other` (n,d) in the cosines; x's side is that of their rows. */
static void contrast_side(cw_tape *t, cw_node *node, cw_tensor *x, const float *other, const float *length, float g)
{
    int64_t n = cw_rows(x), d = cw_cols(x);
    const float *xd = cw_tape_data(t, x);
    float *dx = cw_tape_grad(t, x), *dunit = dx ? cw_tape_take(t, n * d) : NULL;
    if (!dx || !xd || !dunit) return;
    t->k->gemm(&t->exec, dunit, d, node->kept[1], n, x != node->in[0], other, d, 0, g, 0.0f, n, d, n);
    t->k->unit_rows_backward(&t->exec, dx, dunit, xd, length, 1.0f, LENGTH_LEAST, n, d);
    cw_tape_give(t, dunit);
}

static void contrast_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0], *y = node->in[1];
    int64_t values = cw_count(x);
    const float *v = node->kept[0], *u = node->kept[2];
    float g = cw_tape_loss_grad(t, node) / ((const contrast_saved *)node->saved)->temperature;
    contrast_side(t, node, x, v, u + values, g);
    contrast_side(t, node, y, u, v + values, g);
}

static const cw_op op_contrast = {"info_nce", .backward = contrast_backward, .loss = 1};

cw_tensor *cw_info_nce(cw_tape *t, cw_tensor *x, cw_tensor *y, float temperature)
{
    cw_node *node = cw_node_new(t, &op_contrast, 2, (cw_tensor *[]){x, y}, sizeof(contrast_saved));
    if (!node || !same_count(t, "info_nce", cw_count(x), cw_count(y))) return NULL;
    int64_t n = cw_rows(x), d = cw_cols(x);
    if (n < 1 || cw_rows(y) != n || x == y || !(temperature > 0)) {
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "info_nce: %lld and %lld rows, temperature %g", (long long)n,
                (long long)cw_rows(y), (double)temperature);
        return NULL;
    }
    ((contrast_saved *)node->saved)->temperature = temperature;
    float *v = cw_node_keep(t, node, 0, n * d + n), *slope = cw_node_keep(t, node, 1, n * n),
          *u = cw_node_keep(t, node, 2, n * d + n), *S = cw_tape_take(t, n * n);
    const float *xd = cw_tape_data(t, x), *yd = cw_tape_data(t, y);
    node->out = cw_tape_matrix(t, 1, 1);
    if (!v || !slope || !u || !S || !xd || !yd || !node->out) return NULL;
    t->k->unit_rows(&t->exec, u, u + n * d, xd, 1.0f, LENGTH_LEAST, n, d);
    t->k->unit_rows(&t->exec, v, v + n * d, yd, 1.0f, LENGTH_LEAST, n, d);
    t->k->gemm(&t->exec, S, n, u, d, 0, v, d, 1, 1.0f, 0.0f, n, n, d);
    t->k->contrast(&t->exec, cw_f32(node->out), slope, S, temperature, n);
    cw_tape_give(t, S);
    return cw_tape_over(cw_node_done(t, node), (double)n);
}
