/* op_activation.c: functions of one number with a parameter, their slopes as values, gradient reversal. */
#include "ops.h"

typedef struct {
    cw_function f;
    int order; /* 0: f, 1: its slope */
} function_saved;

static void function_forward(cw_tape *t, cw_node *node)
{
    const function_saved *s = node->saved;
    const float *x = cw_tape_data(t, node->in[0]);
    float *y = cw_tape_data(t, node->out);
    if (x && y) t->k->function(&t->exec, y, x, s->f, s->order, cw_count(node->out));
}

static void function_backward(cw_tape *t, cw_node *node)
{
    const function_saved *s = node->saved;
    cw_tensor *x = node->in[0];
    const float *xd = cw_tape_data(t, x);
    float *dx = cw_tape_grad(t, x);
    if (dx && xd) t->k->function_backward(&t->exec, dx, node->out->grad, xd, s->f, s->order, cw_count(x));
}

static const cw_op op_function = {"function", .backward = function_backward, .forward = function_forward, .blind = 1};

static cw_tensor *apply(cw_tape *t, cw_tensor *x, cw_function f, int order)
{
    cw_node *node = cw_node_new(t, &op_function, 1, (cw_tensor *[]){x}, sizeof(function_saved));
    if (!node) return NULL;
    if (f.kind == CW_FN_SOFTPLUS && !(f.a > 0)) {
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "softplus: beta must be above 0, not %g", (double)f.a);
        return NULL;
    }
    *(function_saved *)node->saved = (function_saved){f, order};
    node->out = cw_tape_matrix(t, cw_rows(x), cw_cols(x));
    if (!node->out) return NULL;
    function_forward(t, node);
    return cw_node_done(t, node);
}

cw_tensor *cw_apply(cw_tape *t, cw_tensor *x, cw_function f) { return apply(t, x, f, 0); }
cw_tensor *cw_apply_slope(cw_tape *t, cw_tensor *x, cw_function f) { return apply(t, x, f, 1); }

/* ---- gradient reversal ---- */

typedef struct {
    float scale;
} reversal_saved;

static void copy_to(cw_tape *t, float *to, const cw_tensor *shape, const float *from, float alpha, float beta)
{
    t->k->spread(&t->exec, to, NULL, from, CW_SHAPE_MATRIX, alpha, beta, cw_rows(shape), cw_cols(shape));
}

static void reversal_backward(cw_tape *t, cw_node *node)
{
    float beta, *dx = cw_tape_grad_beta(t, node->in[0], &beta);
    if (dx) copy_to(t, dx, node->out, node->out->grad, -((reversal_saved *)node->saved)->scale, beta);
}

static const cw_op op_reversal = {"gradient_reversal", .backward = reversal_backward};

cw_tensor *cw_gradient_reversal(cw_tape *t, cw_tensor *x, float scale)
{
    cw_node *node = cw_node_new(t, &op_reversal, 1, (cw_tensor *[]){x}, sizeof(reversal_saved));
    if (!node) return NULL;
    ((reversal_saved *)node->saved)->scale = scale;
    node->out = cw_tape_matrix(t, cw_rows(x), cw_cols(x));
    const float *xd = cw_tape_data(t, x);
    float *out = cw_tape_data(t, node->out);
    if (!xd || !out) return NULL;
    copy_to(t, out, x, xd, 1.0f, 0.0f);
    return cw_node_done(t, node);
}
