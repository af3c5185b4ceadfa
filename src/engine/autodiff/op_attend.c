/* op_attend.c: attention with queries, keys and values of their own, over ragged sequences. */
#include "ops.h"

#include <math.h>

typedef struct {
    cw_attend a;
    int64_t width, q_at, k_at, v_at;
} attend_saved;

/* 1 and `s` filled when the spec fits; 0 with the error recorded. v may be NULL (scores). */
static int attend_fits(cw_tape *t, const char *op, const cw_tensor *q, const cw_tensor *k, const cw_tensor *v,
                       cw_attend_spec spec, attend_saved *s)
{
    int64_t width = spec.width ? spec.width : cw_cols(q);
    if (spec.heads < 1 || width % spec.heads || width / spec.heads > 256) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "%s: a width of %lld can't be cut into %lld heads of at most 256", op,
                (long long)width, (long long)spec.heads);
        return 0;
    }
    if (spec.q_at < 0 || spec.q_at + width > cw_cols(q) || spec.k_at < 0 || spec.k_at + width > cw_cols(k) ||
        (v && (spec.v_at < 0 || spec.v_at + width > cw_cols(v)))) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "%s: %lld columns from %lld, %lld, %lld of %lld, %lld, %lld", op,
                (long long)width, (long long)spec.q_at, (long long)spec.k_at, (long long)spec.v_at,
                (long long)cw_cols(q), (long long)cw_cols(k), (long long)(v ? cw_cols(v) : width));
        return 0;
    }
    int64_t queries = spec.query.start[spec.query.count], keys = spec.key.start[spec.key.count];
    if (spec.query.count != spec.key.count || queries != cw_rows(q) || keys != cw_rows(k) ||
        (v && keys != cw_rows(v))) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "%s: %lld and %lld sequences cover %lld rows of %lld queries, %lld of %lld keys",
                op, (long long)spec.query.count, (long long)spec.key.count, (long long)queries, (long long)cw_rows(q),
                (long long)keys, (long long)cw_rows(k));
        return 0;
    }
    for (int64_t i = 0; spec.keys && i < spec.key.count; i++) {
        if (spec.keys[i] >= 0 && spec.keys[i] <= spec.key.start[i + 1] - spec.key.start[i]) continue;
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "%s: %lld keys of sequence %lld don't fit into its room for %lld", op,
                (long long)spec.keys[i], (long long)i, (long long)(spec.key.start[i + 1] - spec.key.start[i]));
        return 0;
    }
    if (spec.mask == CW_MASK_PREFIX && !spec.prefix) {
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "%s: a prefix mask needs the length of each prefix", op);
        return 0;
    }
    float scale = spec.scale != 0.0f ? spec.scale : 1.0f / sqrtf((float)(width / spec.heads));
    const int64_t count = spec.query.count, bytes = count * (int64_t)sizeof(int64_t);
    cw_attend a = {spec.heads, width / spec.heads, scale, spec.mask, cw_tape_ragged(t, spec.query),
                   cw_tape_ragged(t, spec.key).there, NULL, NULL};
    if (spec.keys) a.keys = cw_tape_there(t, spec.keys, bytes);
    if (spec.prefix) a.prefix = cw_tape_there(t, spec.prefix, bytes);
    *s = (attend_saved){a, width, spec.q_at, spec.k_at, spec.v_at};
    return t->ctx->status == CW_OK;
}

/* Adds g (n,width) to the columns of x's gradient from `at`. */
static void add_columns(cw_tape *t, cw_tensor *x, int64_t at, const float *g, int64_t n, int64_t width)
{
    float *dx = cw_tape_grad(t, x);
    if (dx) t->k->copy_block(&t->exec, dx + at, cw_cols(x), g, width, 1, n, width);
}

/* kept: lse (H, n) */
static void attend_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *q = node->in[0], *k = node->in[1], *v = node->in[2], *o = node->out;
    const attend_saved *s = node->saved;
    int64_t n = cw_rows(q), m = cw_rows(k), w = s->width;
    const float *qd = cw_tape_data(t, q), *kd = cw_tape_data(t, k), *vd = cw_tape_data(t, v);
    float *work = cw_tape_take(t, (n + 2 * m) * w + s->a.heads * n);
    if (!qd || !kd || !vd || !work) return;
    float *dq = work, *dk = dq + n * w, *dv = dk + m * w, *delta = dv + m * w;
    t->k->attend_backward(&t->exec, dq, w, dk, w, dv, w, delta, o->grad, cw_tape_data(t, o), node->kept[0],
                          qd + s->q_at, cw_cols(q), kd + s->k_at, cw_cols(k), vd + s->v_at, cw_cols(v), s->a);
    add_columns(t, q, s->q_at, dq, n, w);
    add_columns(t, k, s->k_at, dk, m, w);
    add_columns(t, v, s->v_at, dv, m, w);
    cw_tape_give(t, work);
}

static const cw_op op_attend = {"attention", .backward = attend_backward};

cw_tensor *cw_attention_over(cw_tape *t, cw_tensor *q, cw_tensor *k, cw_tensor *v, cw_attend_spec spec)
{
    cw_node *node = cw_node_new(t, &op_attend, 3, (cw_tensor *[]){q, k, v}, sizeof(attend_saved));
    attend_saved *s = node ? node->saved : NULL;
    if (!node || !attend_fits(t, "attention", q, k, v, spec, s)) return NULL;
    if (spec.keys && t->recording && (k->needs_grad || v->needs_grad)) {
        cw_fail(t->ctx, CW_ERR_STATE, "attention: keys of a cache can't be differentiated");
        return NULL;
    }
    node->out = cw_tape_matrix(t, cw_rows(q), s->width);
    float *lse = node->out ? cw_node_keep(t, node, 0, spec.heads * cw_rows(q)) : NULL;
    const float *qd = cw_tape_data(t, q), *kd = cw_tape_data(t, k), *vd = cw_tape_data(t, v);
    float *o = cw_tape_data(t, node->out);
    if (!lse || !qd || !kd || !vd || !o) return NULL;
    t->k->attend(&t->exec, o, lse, qd + s->q_at, cw_cols(q), kd + s->k_at, cw_cols(k), vd + s->v_at, cw_cols(v), s->a);
    return cw_node_done(t, node);
}

/* Keys of sequence i, read on the host. */
static int64_t keys_of(const cw_attend_spec *spec, int64_t i)
{
    return spec->keys ? spec->keys[i] : spec->key.start[i + 1] - spec->key.start[i];
}

cw_tensor *cw_attention_scores(cw_tape *t, cw_tensor *q, cw_tensor *k, cw_attend_spec spec)
{
    attend_saved s;
    if (t->ctx->status != CW_OK || !attend_fits(t, "attention scores", q, k, NULL, spec, &s)) return NULL;
    int64_t total = 0, d = s.a.head_dim;
    for (int64_t i = 0; i < spec.query.count; i++)
        total += spec.heads * (spec.query.start[i + 1] - spec.query.start[i]) * keys_of(&spec, i);
    cw_tensor *out = cw_tape_matrix(t, 1, total);
    const float *qd = cw_tape_data(t, q), *kd = cw_tape_data(t, k);
    float *y = cw_tape_data(t, out);
    if (!qd || !kd || !y) return NULL;
    for (int64_t i = 0; i < spec.query.count; i++) {
        int64_t rows = spec.query.start[i + 1] - spec.query.start[i], keys = keys_of(&spec, i);
        if (rows > 0 && keys > 0)
            t->k->gemm_batched(&t->exec, y, keys, rows * keys, qd + spec.query.start[i] * cw_cols(q) + s.q_at,
                               cw_cols(q), d, 0, kd + spec.key.start[i] * cw_cols(k) + s.k_at, cw_cols(k), d, 1,
                               s.a.scale, 0.0f, rows, keys, d, spec.heads);
        y += spec.heads * rows * keys;
        if (cw_poll(t->ctx) != CW_OK) return NULL;
    }
    return out;
}

/* ---- without a softmax. kept: S = K^T V (sequences, H, Dh, Dh) ---- */

static float *gradient_at(cw_tape *t, cw_tensor *x, int64_t at)
{
    float *g = cw_tape_grad(t, x);
    return g ? g + at : NULL;
}

static void linear_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *q = node->in[0], *k = node->in[1], *v = node->in[2];
    const attend_saved *s = node->saved;
    int64_t states = s->a.query.count * s->a.heads * s->a.head_dim * s->a.head_dim;
    const float *qd = cw_tape_data(t, q), *kd = cw_tape_data(t, k), *vd = cw_tape_data(t, v);
    float *work = cw_tape_take(t, states);
    float *dq = gradient_at(t, q, s->q_at), *dk = gradient_at(t, k, s->k_at), *dv = gradient_at(t, v, s->v_at);
    if (!qd || !kd || !vd || !work || t->ctx->status != CW_OK) return;
    t->k->linear_attend_backward(&t->exec, dq, cw_cols(q), dk, cw_cols(k), dv, cw_cols(v), work, node->out->grad,
                                 node->kept[0], qd + s->q_at, cw_cols(q), kd + s->k_at, cw_cols(k), vd + s->v_at,
                                 cw_cols(v), s->a);
    cw_tape_give(t, work);
}

static const cw_op op_linear_attend = {"linear attention", .backward = linear_backward};

cw_tensor *cw_linear_attention(cw_tape *t, cw_tensor *q, cw_tensor *k, cw_tensor *v, cw_attend_spec spec)
{
    cw_node *node = cw_node_new(t, &op_linear_attend, 3, (cw_tensor *[]){q, k, v}, sizeof(attend_saved));
    attend_saved *s = node ? node->saved : NULL;
    if (!node || !attend_fits(t, "linear attention", q, k, v, spec, s)) return NULL;
    if (spec.mask != CW_MASK_NONE) {
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "linear attention: no mask but the sequences' borders");
        return NULL;
    }
    s->a.scale = spec.scale != 0.0f ? spec.scale : 1.0f;
    node->out = cw_tape_matrix(t, cw_rows(q), s->width);
    if (!node->out) return NULL;
    float *S = cw_node_keep(t, node, 0, spec.query.count * spec.heads * s->a.head_dim * s->a.head_dim);
    const float *qd = cw_tape_data(t, q), *kd = cw_tape_data(t, k), *vd = cw_tape_data(t, v);
    float *o = cw_tape_data(t, node->out);
    if (!S || !qd || !kd || !vd || !o) return NULL;
    t->k->linear_attend(&t->exec, o, S, qd + s->q_at, cw_cols(q), kd + s->k_at, cw_cols(k), vd + s->v_at, cw_cols(v),
                        s->a);
    return cw_node_done(t, node);
}

/* ---- rotary positions ---- */

typedef struct {
    int64_t heads;
    cw_rotary rotary;
    float base;
    const int32_t *position;
} turn_saved;

static void turn(cw_tape *t, const turn_saved *s, float *x, int inverse, int64_t n, int64_t d)
{
    t->k->rotary(&t->exec, x, d, s->position, s->rotary, s->base, inverse, n, s->heads, d / s->heads);
}

static void turn_forward(cw_tape *t, cw_node *node)
{
    int64_t n = cw_rows(node->out), d = cw_cols(node->out);
    const float *x = cw_tape_data(t, node->in[0]);
    float *y = cw_tape_data(t, node->out);
    if (!x || !y) return;
    t->k->copy_block(&t->exec, y, d, x, d, 0, n, d);
    turn(t, node->saved, y, 0, n, d);
}

static void turn_backward(cw_tape *t, cw_node *node)
{
    int64_t n = cw_rows(node->out), d = cw_cols(node->out);
    float *dx = cw_tape_grad(t, node->in[0]), *dy = node->out->grad;
    if (!dx) return;
    turn(t, node->saved, dy, 1, n, d); /* dy is read by nobody after this */
    t->k->axpy(&t->exec, dx, dy, 1.0f, n * d);
}

static const cw_op op_turn = {"rotary positions", .backward = turn_backward, .forward = turn_forward};

cw_tensor *cw_turn_positions(cw_tape *t, cw_tensor *x, int64_t heads, cw_rotary rotary, float base,
                             const int32_t *position)
{
    cw_node *node = cw_node_new(t, &op_turn, 1, (cw_tensor *[]){x}, sizeof(turn_saved));
    if (!node) return NULL;
    if (heads < 1 || cw_cols(x) % heads || (rotary != CW_ROTARY_NONE && cw_cols(x) / heads % 2)) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "rotary positions: %lld columns can't be cut into %lld heads of an even width",
                (long long)cw_cols(x), (long long)heads);
        return NULL;
    }
    *(turn_saved *)node->saved = (turn_saved){heads, rotary, base, cw_tape_index(t, position, cw_rows(x))};
    node->out = cw_tape_matrix(t, cw_rows(x), cw_cols(x));
    if (!node->out) return NULL;
    turn_forward(t, node);
    return cw_node_done(t, node);
}

/* ---- a cache of keys or values ---- */

cw_tensor *cw_cache_rows(cw_tape *t, cw_tensor *cache, cw_tensor *x, const int32_t *index)
{
    if (t->ctx->status != CW_OK) return NULL;
    if (cw_cols(cache) != cw_cols(x)) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "cache: %lld columns into %lld", (long long)cw_cols(x),
                (long long)cw_cols(cache));
        return NULL;
    }
    if (t->recording || cache->needs_grad) {
        cw_fail(t->ctx, CW_ERR_STATE, "cache: rows are written over in inference only");
        return NULL;
    }
    for (int64_t i = 0; i < cw_rows(x); i++) {
        if (index[i] >= 0 && index[i] < cw_rows(cache)) continue;
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "cache: no row %lld among %lld", (long long)index[i],
                (long long)cw_rows(cache));
        return NULL;
    }
    float *rows = cw_tape_data(t, cache);
    const float *xd = cw_tape_data(t, x);
    if (!rows || !xd) return NULL;
    const int32_t *there = cw_tape_index(t, index, cw_rows(x));
    if (!there) return NULL;
    t->k->put_rows(&t->exec, rows, xd, there, cw_rows(x), cw_cols(x));
    return cache;
}
