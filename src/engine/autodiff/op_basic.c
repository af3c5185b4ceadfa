/* op_basic.c: element-wise operations and joining matrices. */
#include "ops.h"

/* ---- activation ---- */

typedef struct {
    cw_act act;
} act_saved;

static void activate_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0];
    const float *xd = cw_tape_data(t, x);
    float *dx = cw_tape_grad(t, x);
    if (dx && xd) t->k->act_backward(&t->exec, dx, node->out->grad, xd, ((act_saved *)node->saved)->act, cw_count(x));
}

static const cw_op op_activate = {"activation", .backward = activate_backward};

cw_tensor *cw_activate(cw_tape *t, cw_tensor *x, cw_act act)
{
    cw_node *node = cw_node_new(t, &op_activate, 1, (cw_tensor *[]){x}, sizeof(act_saved));
    if (!node) return NULL;
    ((act_saved *)node->saved)->act = act;
    node->out = cw_tape_matrix(t, cw_rows(x), cw_cols(x));
    if (!node->out) return NULL;
    const float *xd = cw_tape_data(t, x);
    if (!xd) return NULL;
    t->k->act(&t->exec, cw_f32(node->out), xd, act, cw_count(x));
    return cw_node_done(t, node);
}

/* ---- x + a y ---- */

typedef struct {
    float a;
} add_saved;

static void add_backward(cw_tape *t, cw_node *node)
{
    float *dx = cw_tape_grad(t, node->in[0]), *dy = cw_tape_grad(t, node->in[1]);
    int64_t n = cw_count(node->out);
    if (dx) t->k->axpy(&t->exec, dx, node->out->grad, 1.0f, n);
    if (dy) t->k->axpy(&t->exec, dy, node->out->grad, ((add_saved *)node->saved)->a, n);
}

static void add_forward(cw_tape *t, cw_node *node)
{
    const float *xd = cw_tape_data(t, node->in[0]), *yd = cw_tape_data(t, node->in[1]);
    float *out = cw_tape_data(t, node->out);
    int64_t n = cw_count(node->out);
    if (!xd || !yd || !out) return;
    t->k->copy_block(&t->exec, out, n, xd, n, 0, 1, n);
    t->k->axpy(&t->exec, out, yd, ((add_saved *)node->saved)->a, n);
}

static const cw_op op_add = {"add", .backward = add_backward, .forward = add_forward, .blind = 1};

cw_tensor *cw_add_scaled(cw_tape *t, cw_tensor *x, cw_tensor *y, float a)
{
    cw_node *node = cw_node_new(t, &op_add, 2, (cw_tensor *[]){x, y}, sizeof(add_saved));
    if (!node) return NULL;
    if (cw_count(x) != cw_count(y)) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "add: %lld and %lld values", (long long)cw_count(x), (long long)cw_count(y));
        return NULL;
    }
    ((add_saved *)node->saved)->a = a;
    node->out = cw_tape_matrix(t, cw_rows(x), cw_cols(x));
    if (!node->out) return NULL;
    add_forward(t, node);
    return cw_node_done(t, node);
}

/* ---- concatenation ---- */

static void concat_cols_forward(cw_tape *t, cw_node *node)
{
    int64_t n = cw_rows(node->out), d = cw_cols(node->out), at = 0;
    for (int j = 0; j < node->inputs; j++) {
        int64_t w = cw_cols(node->in[j]);
        const float *x = cw_tape_data(t, node->in[j]);
        if (!x) return;
        t->k->copy_block(&t->exec, cw_f32(node->out) + at, d, x, w, 0, n, w);
        at += w;
    }
}

static void concat_cols_backward(cw_tape *t, cw_node *node)
{
    int64_t n = cw_rows(node->out), d = cw_cols(node->out), at = 0;
    for (int j = 0; j < node->inputs; j++) {
        int64_t w = cw_cols(node->in[j]);
        float *dx = cw_tape_grad(t, node->in[j]);
        if (dx) t->k->copy_block(&t->exec, dx, w, node->out->grad + at, d, 1, n, w);
        at += w;
    }
}

static const cw_op op_concat_cols = {"concat_cols", .backward = concat_cols_backward, .forward = concat_cols_forward};

cw_tensor *cw_concat_cols(cw_tape *t, int count, cw_tensor *const *x)
{
    cw_node *node = cw_node_new(t, &op_concat_cols, count, x, 0);
    if (!node) return NULL;
    int64_t n = cw_rows(x[0]), d = 0;
    for (int j = 0; j < count; j++) {
        d += cw_cols(x[j]);
        if (cw_rows(x[j]) == n) continue;
        cw_fail(t->ctx, CW_ERR_SHAPE, "concat: %lld rows beside %lld", (long long)n, (long long)cw_rows(x[j]));
        return NULL;
    }
    node->out = cw_tape_matrix(t, n, d);
    if (!node->out) return NULL;
    concat_cols_forward(t, node);
    return cw_node_done(t, node);
}

static void concat_rows_backward(cw_tape *t, cw_node *node)
{
    const float *dy = node->out->grad;
    for (int j = 0; j < node->inputs; j++) {
        float *dx = cw_tape_grad(t, node->in[j]);
        if (dx) t->k->axpy(&t->exec, dx, dy, 1.0f, cw_count(node->in[j]));
        dy += cw_count(node->in[j]);
    }
}

static const cw_op op_concat_rows = {"concat_rows", .backward = concat_rows_backward};

cw_tensor *cw_concat_rows(cw_tape *t, int count, cw_tensor *const *x)
{
    cw_node *node = cw_node_new(t, &op_concat_rows, count, x, 0);
    if (!node) return NULL;
    int64_t n = 0, d = cw_cols(x[0]);
    for (int j = 0; j < count; j++) {
        n += cw_rows(x[j]);
        if (cw_cols(x[j]) == d) continue;
        cw_fail(t->ctx, CW_ERR_SHAPE, "concat: %lld columns above %lld", (long long)d, (long long)cw_cols(x[j]));
        return NULL;
    }
    node->out = cw_tape_matrix(t, n, d);
    if (!node->out) return NULL;
    float *y = cw_f32(node->out);
    for (int j = 0; j < count; j++) {
        const float *xd = cw_tape_data(t, x[j]);
        int64_t m = cw_count(x[j]);
        if (!xd) return NULL;
        t->k->copy_block(&t->exec, y, m, xd, m, 0, 1, m);
        y += m;
    }
    return cw_node_done(t, node);
}

/* ---- dropout ---- */

typedef struct {
    float p;
    cw_stream stream;
} dropout_saved;

static void dropout_backward(cw_tape *t, cw_node *node)
{
    dropout_saved *s = node->saved;
    float *dx = cw_tape_grad(t, node->in[0]), *dy = node->out->grad;
    if (!dx) return;
    t->k->dropout(&t->exec, dy, dy, s->p, s->stream, cw_count(node->out)); /* dy is read by nobody after this */
    t->k->axpy(&t->exec, dx, dy, 1.0f, cw_count(node->out));
}

static const cw_op op_dropout = {"dropout", .backward = dropout_backward};

cw_tensor *cw_dropout(cw_tape *t, cw_tensor *x, float p)
{
    if (t->ctx->status != CW_OK) return NULL;
    if (p <= 0.0f || !t->training) return x;
    cw_node *node = cw_node_new(t, &op_dropout, 1, (cw_tensor *[]){x}, sizeof(dropout_saved));
    if (!node) return NULL;
    dropout_saved *s = node->saved;
    s->p = p;
    s->stream = cw_tape_stream(t, CW_RNG_DROPOUT);
    node->out = cw_tape_matrix(t, cw_rows(x), cw_cols(x));
    if (!node->out) return NULL;
    const float *xd = cw_tape_data(t, x);
    if (!xd) return NULL;
    t->k->dropout(&t->exec, cw_f32(node->out), xd, p, s->stream, cw_count(x));
    return cw_node_done(t, node);
}
