/* op_batchnorm.c: batch normalisation with running buffers. */
#include "ops.h"

typedef struct {
    cw_tensor *mean, *var; /* the buffers */
    const float *times;    /* where kernels find it */
    float eps;
    int own; /* the output was made with x's own mean and variance, which the node keeps, not with the buffers */
} batch_saved;

/* The output again, of the same mean and variance: a buffer isn't moved twice. */
static void batch_forward(cw_tape *t, cw_node *node)
{
    const batch_saved *s = node->saved;
    cw_tensor *x = node->in[0];
    const float *xd = cw_tape_data(t, x), *wd = cw_tape_data(t, node->in[1]), *bd = cw_tape_data(t, node->in[2]);
    const float *mean = s->own ? node->kept[0] : cw_tape_data(t, s->mean);
    const float *var = s->own ? node->kept[1] : cw_tape_data(t, s->var);
    float *y = cw_tape_data(t, node->out);
    if (xd && mean && var && y) t->k->batch_norm(&t->exec, y, xd, mean, var, wd, bd, s->eps, cw_rows(x), cw_cols(x));
}

static void batch_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0], *w = node->in[1], *b = node->in[2];
    const batch_saved *s = node->saved;
    int64_t n = cw_rows(x), d = cw_cols(x);
    const float *xd = cw_tape_data(t, x), *wd = cw_tape_data(t, w);
    const float *mean = s->own ? node->kept[0] : cw_tape_data(t, s->mean);
    const float *var = s->own ? node->kept[1] : cw_tape_data(t, s->var);
    float *dx = cw_tape_grad(t, x), *dw = cw_tape_grad(t, w), *db = cw_tape_grad(t, b);
    float *work = cw_tape_take(t, 2 * d);
    if (!xd || !work || t->ctx->status != CW_OK) return;
    t->k->batch_norm_backward(&t->exec, dx, dw, db, work, node->out->grad, xd, mean, var, wd, s->eps, s->own,
                              s->times, n, d);
    cw_tape_give(t, work);
}

static const cw_op op_batch = {"batch_norm", .backward = batch_backward, .forward = batch_forward, .blind = 1};

static int length_is(cw_tape *t, const char *what, const cw_tensor *v, int64_t d)
{
    if (!v || cw_count(v) == d) return 1;
    cw_fail(t->ctx, CW_ERR_SHAPE, "batch_norm: %s of %lld values for %lld columns", what, (long long)cw_count(v),
            (long long)d);
    return 0;
}

cw_tensor *cw_batch_norm(cw_tape *t, cw_tensor *x, cw_batch_norm_params p)
{
    cw_node *node = cw_node_new(t, &op_batch, 5, (cw_tensor *[]){x, p.w, p.b, p.mean, p.var}, sizeof(batch_saved));
    if (!node) return NULL;
    int64_t n = cw_rows(x), d = cw_cols(x);
    if (!length_is(t, "a weight", p.w, d) || !length_is(t, "a bias", p.b, d) || !length_is(t, "a mean", p.mean, d) ||
        !length_is(t, "a variance", p.var, d))
        return NULL;
    double rows = p.times ? 0.0 : (double)n;
    for (int64_t i = 0; p.times && i < n; i++) rows += p.times[i];
    if (t->training && rows < 2.0) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "batch_norm: training needs at least 2 rows, not %g", rows);
        return NULL;
    }
    batch_saved *s = node->saved;
    *s = (batch_saved){p.mean, p.var, cw_tape_there(t, p.times, n * (int64_t)sizeof *p.times), p.eps, t->training};
    node->out = cw_tape_matrix(t, n, d);
    const float *xd = cw_tape_data(t, x);
    float *mean = cw_tape_data(t, p.mean), *var = cw_tape_data(t, p.var);
    if (!xd || !mean || !var || !node->out) return NULL;
    if (t->training) {
        float *own_mean = cw_node_keep(t, node, 0, d), *own_var = cw_node_keep(t, node, 1, d);
        if (!own_mean || !own_var) return NULL;
        t->k->batch_stats(&t->exec, own_mean, own_var, xd, s->times, n, d);
        float m = p.momentum, unbiased = (float)rows / (float)(rows - 1.0);
        if (!t->again) {
            t->k->spread(&t->exec, mean, NULL, own_mean, CW_SHAPE_MATRIX, m, 1.0f - m, 1, d);
            t->k->spread(&t->exec, var, NULL, own_var, CW_SHAPE_MATRIX, m * unbiased, 1.0f - m, 1, d);
        }
    }
    batch_forward(t, node);
    return cw_node_done(t, node);
}
