/* op_norm.c: normalisation over the columns of a matrix. */
#include "ops.h"

static int width_is(cw_tape *t, const char *op, const cw_tensor *w, int64_t d)
{
    if (!w || cw_count(w) == d) return 1;
    cw_fail(t->ctx, CW_ERR_SHAPE, "%s: the weight has %lld values, the rows have %lld", op, (long long)cw_count(w),
            (long long)d);
    return 0;
}

/* ---- RMSNorm (Zhang & Sennrich 2019). kept: rstd (n). The output can be computed again: it is cheap and large. ---- */

typedef struct {
    float eps;
} norm_saved;

static void rmsnorm_forward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0], *w = node->in[1];
    const float *xd = cw_tape_data(t, x);
    if (xd)
        t->k->rmsnorm(&t->exec, cw_f32(node->out), node->kept[0], xd, cw_tape_optional(t, w),
                      ((norm_saved *)node->saved)->eps, cw_rows(x), cw_cols(x));
}

static void rmsnorm_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0], *w = node->in[1];
    const float *xd = cw_tape_data(t, x);
    float *dx = cw_tape_grad(t, x), *dw = cw_tape_grad(t, w);
    if (t->ctx->status != CW_OK) return;
    t->k->rmsnorm_backward(&t->exec, dx, dw, node->out->grad, xd, cw_tape_optional(t, w), node->kept[0], cw_rows(x),
                           cw_cols(x));
}

static const cw_op op_rmsnorm = {"rmsnorm", .backward = rmsnorm_backward, .forward = rmsnorm_forward};

cw_tensor *cw_rmsnorm(cw_tape *t, cw_tensor *x, cw_tensor *w, float eps)
{
    cw_node *node = cw_node_new(t, &op_rmsnorm, 2, (cw_tensor *[]){x, w}, sizeof(norm_saved));
    if (!node || !width_is(t, "rmsnorm", w, cw_cols(x))) return NULL;
    ((norm_saved *)node->saved)->eps = eps;
    node->out = cw_tape_matrix(t, cw_rows(x), cw_cols(x));
    if (!node->out || !cw_node_keep(t, node, 0, cw_rows(x))) return NULL;
    rmsnorm_forward(t, node);
    return cw_node_done(t, node);
}

/* ---- LayerNorm (Ba et al. 2016). kept: mean (n), rstd (n) ---- */

static void layernorm_forward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0], *w = node->in[1], *b = node->in[2];
    const float *xd = cw_tape_data(t, x);
    if (xd)
        t->k->layernorm(&t->exec, cw_f32(node->out), node->kept[0], node->kept[1], xd, cw_tape_optional(t, w),
                        cw_tape_optional(t, b), ((norm_saved *)node->saved)->eps, cw_rows(x), cw_cols(x));
}

static void layernorm_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0], *w = node->in[1], *b = node->in[2];
    const float *xd = cw_tape_data(t, x);
    float *dx = cw_tape_grad(t, x), *dw = cw_tape_grad(t, w), *db = cw_tape_grad(t, b);
    if (t->ctx->status != CW_OK) return;
    t->k->layernorm_backward(&t->exec, dx, dw, db, node->out->grad, xd, cw_tape_optional(t, w), node->kept[0],
                             node->kept[1], cw_rows(x), cw_cols(x));
}

static const cw_op op_layernorm = {"layernorm", .backward = layernorm_backward, .forward = layernorm_forward};

cw_tensor *cw_layernorm(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b, float eps)
{
    cw_node *node = cw_node_new(t, &op_layernorm, 3, (cw_tensor *[]){x, w, b}, sizeof(norm_saved));
    if (!node || !width_is(t, "layernorm", w, cw_cols(x)) || !width_is(t, "layernorm", b, cw_cols(x))) return NULL;
    ((norm_saved *)node->saved)->eps = eps;
    int64_t n = cw_rows(x);
    node->out = cw_tape_matrix(t, n, cw_cols(x));
    if (!node->out || !cw_node_keep(t, node, 0, n) || !cw_node_keep(t, node, 1, n)) return NULL;
    layernorm_forward(t, node);
    return cw_node_done(t, node);
}

/* ---- softmax ---- */

typedef struct {
    float scale;
} softmax_saved;

static void softmax_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0];
    float *dx = cw_tape_grad(t, x);
    if (dx)
        t->k->softmax_backward(&t->exec, dx, node->out->grad, cw_f32(node->out), ((softmax_saved *)node->saved)->scale,
                               cw_rows(x), cw_cols(x));
}

static const cw_op op_softmax = {"softmax", .backward = softmax_backward};

cw_tensor *cw_softmax(cw_tape *t, cw_tensor *x, float scale)
{
    cw_node *node = cw_node_new(t, &op_softmax, 1, (cw_tensor *[]){x}, sizeof(softmax_saved));
    if (!node) return NULL;
    ((softmax_saved *)node->saved)->scale = scale;
    node->out = cw_tape_matrix(t, cw_rows(x), cw_cols(x));
    if (!node->out) return NULL;
    const float *xd = cw_tape_data(t, x);
    if (!xd) return NULL;
    t->k->softmax(&t->exec, cw_f32(node->out), xd, scale, cw_rows(x), cw_cols(x));
    return cw_node_done(t, node);
}
