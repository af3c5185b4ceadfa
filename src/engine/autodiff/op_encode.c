/* op_encode.c: from indices and values to vectors. */
#include "ops.h"

/* ---- sum of gathered rows ---- */

typedef struct {
    const int32_t *index[CW_MAX_INPUTS];
} gather_saved;

static void gather_backward(cw_tape *t, cw_node *node)
{
    gather_saved *s = node->saved;
    int64_t n = cw_rows(node->out), d = cw_cols(node->out);
    for (int j = 0; j < node->inputs; j++) {
        float *dtable = cw_tape_grad(t, node->in[j]);
        if (dtable) t->k->scatter_add(&t->exec, dtable, node->out->grad, s->index[j], n, d);
    }
}

static void gather_forward(cw_tape *t, cw_node *node)
{
    const gather_saved *s = node->saved;
    float *y = cw_tape_data(t, node->out);
    for (int j = 0; j < node->inputs; j++) {
        const float *rows = cw_tape_data(t, node->in[j]);
        if (!y || !rows) return;
        t->k->gather(&t->exec, y, rows, s->index[j], j > 0, cw_rows(node->out), cw_cols(node->out));
    }
}

static const cw_op op_gather = {"gather", .backward = gather_backward, .forward = gather_forward, .blind = 1};

cw_tensor *cw_gather_sum(cw_tape *t, int tables, cw_tensor *const *table, const int32_t *const *index, int64_t n)
{
    cw_node *node = cw_node_new(t, &op_gather, tables, table, sizeof(gather_saved));
    if (!node) return NULL;
    gather_saved *s = node->saved;
    int64_t d = cw_cols(table[0]);
    for (int j = 0; j < tables; j++) {
        s->index[j] = cw_tape_index(t, index[j], n);
        int64_t rows = cw_rows(table[j]);
        if (cw_cols(table[j]) != d) {
            cw_fail(t->ctx, CW_ERR_SHAPE, "gather: tables of %lld and %lld columns", (long long)d,
                    (long long)cw_cols(table[j]));
            return NULL;
        }
        for (int64_t i = 0; i < n; i++) {
            if (index[j][i] < rows) continue;
            cw_fail(t->ctx, CW_ERR_ARGUMENT, "gather: index %d is beyond the table's %lld rows", (int)index[j][i],
                    (long long)rows);
            return NULL;
        }
    }
    node->out = cw_tape_matrix(t, n, d);
    if (!node->out) return NULL;
    gather_forward(t, node);
    return cw_node_done(t, node);
}

cw_tensor *cw_gather(cw_tape *t, cw_tensor *table, const int32_t *index, int64_t n)
{
    return cw_gather_sum(t, 1, &table, &index, n);
}

/* ---- soft assignment to prototypes ---- */

typedef struct {
    float inverse_tau;
} bins_saved;

static void bins_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0], *p = node->in[1];
    int64_t n = cw_rows(x), d = cw_cols(x), m = cw_rows(p);
    float scale = ((bins_saved *)node->saved)->inverse_tau;
    float *work = cw_tape_take(t, n * m);
    float *dx = cw_tape_grad(t, x), *dp = cw_tape_grad(t, p);
    const float *xd = cw_tape_data(t, x), *pd = cw_tape_data(t, p);
    if (!work || t->ctx->status != CW_OK) return;
    t->k->row_shift(&t->exec, node->out->grad, cw_f32(node->out), n, m); /* sheds noise: see there */
    t->k->soft_bins_backward(&t->exec, dx, dp, work, node->out->grad, cw_f32(node->out), xd, pd, scale, n, m, d);
    cw_tape_give(t, work);
}

static const cw_op op_bins = {"soft_bins", .backward = bins_backward};

cw_tensor *cw_soft_bins(cw_tape *t, cw_tensor *x, cw_tensor *p, float tau)
{
    cw_node *node = cw_node_new(t, &op_bins, 2, (cw_tensor *[]){x, p}, sizeof(bins_saved));
    if (!node) return NULL;
    int64_t n = cw_rows(x), d = cw_cols(x), m = cw_rows(p);
    if (cw_cols(p) != d) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "soft_bins: prototypes of %lld columns for values of %lld",
                (long long)cw_cols(p), (long long)d);
        return NULL;
    }
    ((bins_saved *)node->saved)->inverse_tau = 1.0f / tau;
    node->out = cw_tape_matrix(t, n, m);
    if (!node->out) return NULL;
    const float *xd = cw_tape_data(t, x), *pd = cw_tape_data(t, p);
    if (!xd || !pd) return NULL;
    t->k->soft_bins(&t->exec, cw_f32(node->out), xd, pd, 1.0f / tau, n, m, d);
    return cw_node_done(t, node);
}

/* ---- attention pooling. kept: the attention weights, one per entry ---- */

typedef struct {
    const int32_t *index;
    cw_ragged seg;
} pool_saved;

static void pool_backward(cw_tape *t, cw_node *node)
{
    pool_saved *s = node->saved;
    cw_tensor *score = node->in[0], *h = node->in[1];
    float *dscore = cw_tape_grad(t, score), *dh = cw_tape_grad(t, h);
    const float *hd = cw_tape_data(t, h);
    if (t->ctx->status != CW_OK) return;
    t->k->pool_backward(&t->exec, dscore, dh, node->out->grad, node->kept[0], hd, s->index, s->seg, cw_cols(h));
}

static const cw_op op_pool = {"attention_pool", .backward = pool_backward};

cw_tensor *cw_attention_pool(cw_tape *t, cw_tensor *score, cw_tensor *h, const int32_t *index, cw_ragged seg)
{
    cw_node *node = cw_node_new(t, &op_pool, 2, (cw_tensor *[]){score, h}, sizeof(pool_saved));
    if (!node) return NULL;
    int64_t d = cw_cols(h);
    if (cw_count(score) != cw_rows(h)) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "attention_pool: %lld scores for %lld rows", (long long)cw_count(score),
                (long long)cw_rows(h));
        return NULL;
    }
    pool_saved *s = node->saved;
    *s = (pool_saved){cw_tape_index(t, index, seg.start[seg.count]), cw_tape_ragged(t, seg)};
    node->out = cw_tape_matrix(t, seg.count, d);
    if (!node->out || !cw_node_keep(t, node, 0, seg.start[seg.count])) return NULL;
    const float *scores = cw_tape_data(t, score), *hd = cw_tape_data(t, h);
    if (!scores || !hd) return NULL;
    t->k->pool(&t->exec, cw_f32(node->out), node->kept[0], scores, hd, s->index, s->seg, d);
    return cw_node_done(t, node);
}
