/* op_product.c: element-wise products and sums with broadcasting, reductions, columns, unit rows. */
#include "ops.h"

/* The shape of y beside x (n,d); -1 with the error recorded where they don't fit. */
static int shape_beside(cw_tape *t, const char *op, const cw_tensor *x, const cw_tensor *y)
{
    int64_t n = cw_rows(x), d = cw_cols(x), yn = cw_rows(y), yd = cw_cols(y);
    if (yn == n && yd == d) return CW_SHAPE_MATRIX;
    if (yn == 1 && yd == d) return CW_SHAPE_ROW;
    if (yn == n && yd == 1) return CW_SHAPE_COLUMN;
    if (yn == 1 && yd == 1) return CW_SHAPE_ONE;
    cw_fail(t->ctx, CW_ERR_SHAPE, "%s: %lld x %lld can't be spread over %lld x %lld", op, (long long)yn, (long long)yd,
            (long long)n, (long long)d);
    return -1;
}

typedef struct {
    cw_shape shape; /* of the second input, or of the result of a sum */
    float scale;
} spread_saved;

static cw_node *spread_node(cw_tape *t, const cw_op *op, cw_tensor *x, cw_tensor *y, float scale)
{
    cw_node *node = cw_node_new(t, op, 2, (cw_tensor *[]){x, y}, sizeof(spread_saved));
    int shape = node ? shape_beside(t, op->name, x, y) : -1;
    if (shape < 0) return NULL;
    *(spread_saved *)node->saved = (spread_saved){(cw_shape)shape, scale};
    node->out = cw_tape_matrix(t, cw_rows(x), cw_cols(x));
    return node->out ? node : NULL;
}

/* ---- x y ---- */

static void product_forward(cw_tape *t, cw_node *node)
{
    const spread_saved *s = node->saved;
    const float *x = cw_tape_data(t, node->in[0]), *y = cw_tape_data(t, node->in[1]);
    float *out = cw_tape_data(t, node->out);
    if (x && y && out) t->k->spread(&t->exec, out, x, y, s->shape, 1.0f, 0.0f, cw_rows(node->out), cw_cols(node->out));
}

static void product_backward(cw_tape *t, cw_node *node)
{
    const spread_saved *s = node->saved;
    int64_t n = cw_rows(node->out), d = cw_cols(node->out);
    const float *x = cw_tape_data(t, node->in[0]), *y = cw_tape_data(t, node->in[1]), *dy = node->out->grad;
    float beta, *dx = cw_tape_grad_beta(t, node->in[0], &beta);
    if (dx && y) t->k->spread(&t->exec, dx, dy, y, s->shape, 1.0f, beta, n, d);
    float *dsmall = cw_tape_grad_beta(t, node->in[1], &beta);
    if (dsmall && x) t->k->collect(&t->exec, dsmall, dy, x, s->shape, 1.0f, beta, n, d);
}

static const cw_op op_product = {"product", .backward = product_backward, .forward = product_forward};

cw_tensor *cw_product(cw_tape *t, cw_tensor *x, cw_tensor *y)
{
    cw_node *node = spread_node(t, &op_product, x, y, 1.0f);
    if (!node) return NULL;
    product_forward(t, node);
    return cw_node_done(t, node);
}

/* ---- x + a y ---- */

static void add_spread_forward(cw_tape *t, cw_node *node)
{
    const spread_saved *s = node->saved;
    int64_t n = cw_rows(node->out), d = cw_cols(node->out);
    const float *x = cw_tape_data(t, node->in[0]), *y = cw_tape_data(t, node->in[1]);
    float *out = cw_tape_data(t, node->out);
    if (!x || !y || !out) return;
    t->k->spread(&t->exec, out, NULL, x, CW_SHAPE_MATRIX, 1.0f, 0.0f, n, d);
    t->k->spread(&t->exec, out, NULL, y, s->shape, s->scale, 1.0f, n, d);
}

static void add_spread_backward(cw_tape *t, cw_node *node)
{
    const spread_saved *s = node->saved;
    int64_t n = cw_rows(node->out), d = cw_cols(node->out);
    float beta, *dx = cw_tape_grad_beta(t, node->in[0], &beta);
    if (dx) t->k->spread(&t->exec, dx, NULL, node->out->grad, CW_SHAPE_MATRIX, 1.0f, beta, n, d);
    float *dy = cw_tape_grad_beta(t, node->in[1], &beta);
    if (dy) t->k->collect(&t->exec, dy, node->out->grad, NULL, s->shape, s->scale, beta, n, d);
}

static const cw_op op_add_spread = {"add", .backward = add_spread_backward, .forward = add_spread_forward};

cw_tensor *cw_add_spread(cw_tape *t, cw_tensor *x, cw_tensor *y, float a)
{
    cw_node *node = spread_node(t, &op_add_spread, x, y, a);
    if (!node) return NULL;
    add_spread_forward(t, node);
    return cw_node_done(t, node);
}

/* ---- sums ---- */

static void sum_backward(cw_tape *t, cw_node *node)
{
    const spread_saved *s = node->saved;
    cw_tensor *x = node->in[0];
    float beta, *dx = cw_tape_grad_beta(t, x, &beta);
    if (dx) t->k->spread(&t->exec, dx, NULL, node->out->grad, s->shape, s->scale, beta, cw_rows(x), cw_cols(x));
}

static const cw_op op_sum = {"sum", .backward = sum_backward};

static cw_tensor *sum_to(cw_tape *t, cw_tensor *x, cw_shape shape, float scale)
{
    cw_node *node = cw_node_new(t, &op_sum, 1, (cw_tensor *[]){x}, sizeof(spread_saved));
    if (!node) return NULL;
    int64_t n = cw_rows(x), d = cw_cols(x);
    *(spread_saved *)node->saved = (spread_saved){shape, scale};
    node->out = cw_tape_matrix(t, shape == CW_SHAPE_COLUMN ? n : 1, shape == CW_SHAPE_ROW ? d : 1);
    const float *xd = cw_tape_data(t, x);
    float *out = cw_tape_data(t, node->out);
    if (!xd || !out) return NULL;
    t->k->collect(&t->exec, out, xd, NULL, shape, scale, 0.0f, n, d);
    return cw_node_done(t, node);
}

cw_tensor *cw_row_sums(cw_tape *t, cw_tensor *x, float scale) { return sum_to(t, x, CW_SHAPE_COLUMN, scale); }
cw_tensor *cw_column_sums(cw_tape *t, cw_tensor *x, float scale) { return sum_to(t, x, CW_SHAPE_ROW, scale); }
cw_tensor *cw_sum(cw_tape *t, cw_tensor *x, float scale) { return sum_to(t, x, CW_SHAPE_ONE, scale); }

/* ---- inner products of rows ---- */

static void row_dots_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0], *y = node->in[1];
    int64_t n = cw_rows(x), d = cw_cols(x);
    const float *xd = cw_tape_data(t, x), *yd = cw_tape_data(t, y), *dy = node->out->grad;
    float beta, *g = cw_tape_grad_beta(t, x, &beta);
    if (g && yd) t->k->spread(&t->exec, g, yd, dy, CW_SHAPE_COLUMN, 1.0f, beta, n, d);
    g = cw_tape_grad_beta(t, y, &beta);
    if (g && xd) t->k->spread(&t->exec, g, xd, dy, CW_SHAPE_COLUMN, 1.0f, beta, n, d);
}

static const cw_op op_row_dots = {"row_dots", .backward = row_dots_backward};

cw_tensor *cw_row_dots(cw_tape *t, cw_tensor *x, cw_tensor *y)
{
    cw_node *node = cw_node_new(t, &op_row_dots, 2, (cw_tensor *[]){x, y}, 0);
    if (!node) return NULL;
    int64_t n = cw_rows(x), d = cw_cols(x);
    if (cw_rows(y) != n || cw_cols(y) != d) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "row_dots: %lld x %lld with %lld x %lld", (long long)n, (long long)d,
                (long long)cw_rows(y), (long long)cw_cols(y));
        return NULL;
    }
    node->out = cw_tape_matrix(t, n, 1);
    const float *xd = cw_tape_data(t, x), *yd = cw_tape_data(t, y);
    float *out = cw_tape_data(t, node->out);
    if (!xd || !yd || !out) return NULL;
    t->k->collect(&t->exec, out, xd, yd, CW_SHAPE_COLUMN, 1.0f, 0.0f, n, d);
    return cw_node_done(t, node);
}

/* ---- columns ---- */

typedef struct {
    int64_t first;
} columns_saved;

static void columns_forward(cw_tape *t, cw_node *node)
{
    const columns_saved *s = node->saved;
    const float *x = cw_tape_data(t, node->in[0]);
    float *y = cw_tape_data(t, node->out);
    int64_t w = cw_cols(node->out);
    if (x && y) t->k->copy_block(&t->exec, y, w, x + s->first, cw_cols(node->in[0]), 0, cw_rows(node->out), w);
}

static void columns_backward(cw_tape *t, cw_node *node)
{
    const columns_saved *s = node->saved;
    float *dx = cw_tape_grad(t, node->in[0]);
    int64_t w = cw_cols(node->out);
    if (dx)
        t->k->copy_block(&t->exec, dx + s->first, cw_cols(node->in[0]), node->out->grad, w, 1, cw_rows(node->out), w);
}

static const cw_op op_columns = {"columns", .backward = columns_backward, .forward = columns_forward};

cw_tensor *cw_columns(cw_tape *t, cw_tensor *x, int64_t first, int64_t count)
{
    cw_node *node = cw_node_new(t, &op_columns, 1, (cw_tensor *[]){x}, sizeof(columns_saved));
    if (!node) return NULL;
    if (first < 0 || count < 1 || first + count > cw_cols(x)) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "columns %lld..%lld of a matrix with %lld columns", (long long)first,
                (long long)(first + count), (long long)cw_cols(x));
        return NULL;
    }
    ((columns_saved *)node->saved)->first = first;
    node->out = cw_tape_matrix(t, cw_rows(x), count);
    if (!node->out) return NULL;
    columns_forward(t, node);
    return cw_node_done(t, node);
}

void cw_split_columns(cw_tape *t, cw_tensor *x, int count, const int64_t *width, cw_tensor **part)
{
    int64_t first = 0;
    for (int j = 0; j < count; j++) part[j] = NULL, first += width[j];
    if (t->ctx->status != CW_OK) return;
    if (first != cw_cols(x)) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "split: parts of %lld columns together, not %lld", (long long)first,
                (long long)cw_cols(x));
        return;
    }
    first = 0;
    for (int j = 0; j < count; j++) part[j] = cw_columns(t, x, first, width[j]), first += width[j];
}

/* ---- unit rows. kept: |x| (n) ---- */

typedef struct {
    float scale, eps;
} unit_saved;

static void unit_forward(cw_tape *t, cw_node *node)
{
    const unit_saved *s = node->saved;
    const float *x = cw_tape_data(t, node->in[0]);
    float *y = cw_tape_data(t, node->out);
    if (x && y)
        t->k->unit_rows(&t->exec, y, node->kept[0], x, s->scale, s->eps, cw_rows(node->out), cw_cols(node->out));
}

static void unit_backward(cw_tape *t, cw_node *node)
{
    const unit_saved *s = node->saved;
    cw_tensor *x = node->in[0];
    const float *xd = cw_tape_data(t, x);
    float *dx = cw_tape_grad(t, x);
    if (dx && xd)
        t->k->unit_rows_backward(&t->exec, dx, node->out->grad, xd, node->kept[0], s->scale, s->eps, cw_rows(x),
                                 cw_cols(x));
}

static const cw_op op_unit = {"unit_rows", .backward = unit_backward, .forward = unit_forward};

cw_tensor *cw_unit_rows(cw_tape *t, cw_tensor *x, float scale, float eps)
{
    cw_node *node = cw_node_new(t, &op_unit, 1, (cw_tensor *[]){x}, sizeof(unit_saved));
    if (!node) return NULL;
    *(unit_saved *)node->saved = (unit_saved){scale, eps};
    node->out = cw_tape_matrix(t, cw_rows(x), cw_cols(x));
    if (!node->out || !cw_node_keep(t, node, 0, cw_rows(x))) return NULL;
    unit_forward(t, node);
    return cw_node_done(t, node);
}
