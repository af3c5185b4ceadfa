/* op_linear.c: products with weights. */
#include "ops.h"

#include "../kernels/kernel_list.h"

#define PAIR_BLOCK 512 /* rows whose inputs and gradients are in the cache for a pair's four products */
#define FFN_BLOCK 1024 /* rows of a SwiGLU block: its three (rows, h) arrays stay near the cache */

static int same(cw_tape *t, const char *op, const char *what, int64_t got, int64_t want)
{
    if (got == want) return 1;
    cw_fail(t->ctx, CW_ERR_SHAPE, "%s: %s is %lld, expected %lld", op, what, (long long)got, (long long)want);
    return 0;
}

/* ---- linear: y = act(x w^T + b) [+ residual] ---- */

typedef struct {
    CW_KERNEL_TYPE(linear) * kernel;
    cw_act act;
} linear_saved;

/* out = act(x w^T + b) [+ residual]; z, or NULL, gets what the activation sees */
static void linear_forward(cw_tape *t, cw_node *node, float *z)
{
    cw_tensor *const *in = node->in;
    const linear_saved *s = node->saved;
    float *scratch;
    const float *xd = cw_tape_data(t, in[0]), *wd = cw_tape_weight(t, in[1], &scratch);
    const float *bd = cw_tape_optional(t, in[2]), *rd = cw_tape_optional(t, in[3]);
    if (!xd || !wd || t->ctx->status != CW_OK) return;
    s->kernel(&t->exec, cw_f32(node->out), z, xd, wd, bd, rd, s->act, cw_rows(in[0]), cw_cols(in[0]), cw_rows(in[1]));
    cw_tape_give(t, scratch);
}

/* What the activation sees, from the node's gradient: in memory of its own if there is an activation, else the gradient. */
static float *before_activation(cw_tape *t, cw_node *node, cw_act act, int64_t n)
{
    if (act == CW_ACT_NONE) return node->out->grad;
    float *dz = cw_tape_take(t, n);
    if (!dz) return NULL;
    t->k->fill(&t->exec, dz, 0.0f, n);
    t->k->act_backward(&t->exec, dz, node->out->grad, node->kept[0], act, n);
    return dz;
}

static void linear_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0], *w = node->in[1], *b = node->in[2], *residual = node->in[3];
    int64_t n = cw_rows(x), in = cw_cols(x), out = cw_cols(node->out);
    linear_saved *s = node->saved;
    const float *xd = cw_tape_data(t, x);
    float *dy = node->out->grad, *dresidual = cw_tape_grad(t, residual), beta;
    if (dresidual) t->k->axpy(&t->exec, dresidual, dy, 1.0f, n * out);
    float *dz = before_activation(t, node, s->act, n * out);
    if (!dz) return;
    float *scratch, *dx = cw_tape_grad_beta(t, x, &beta);
    const float *wd = dx ? cw_tape_weight(t, w, &scratch) : NULL;
    if (wd) {
        t->k->gemm(&t->exec, dx, in, dz, out, 0, wd, in, 0, 1.0f, beta, n, in, out);
        cw_tape_give(t, scratch);
    }
    float *dw = cw_tape_grad_beta(t, w, &beta);
    if (dw && xd) t->k->gemm(&t->exec, dw, in, dz, out, 1, xd, in, 0, 1.0f, beta, out, in, n);
    float *db = cw_tape_grad(t, b);
    if (db) t->k->column_sum(&t->exec, db, dz, n, out);
    if (dz != dy) cw_tape_give(t, dz);
}

static void linear_again(cw_tape *t, cw_node *node) { linear_forward(t, node, NULL); }

static const cw_op op_linear = {"linear", .backward = linear_backward, .bf16 = 1, .blind = 1};
static const cw_op op_linear_again = {
    "linear", .forward = linear_again, .backward = linear_backward, .bf16 = 1, .blind = 1, .dear = 1};

static cw_tensor *linear(cw_tape *t, const cw_op *op, CW_KERNEL_TYPE(linear) * kernel, cw_tensor *x, cw_tensor *w,
                         cw_tensor *b, cw_act act, cw_tensor *residual)
{
    cw_node *node = cw_node_new(t, op, 4, (cw_tensor *[]){x, w, b, residual}, sizeof(linear_saved));
    if (!node) return NULL;
    int64_t n = cw_rows(x), in = cw_cols(x), out = cw_rows(w);
    if (!same(t, "linear", "the weight's width", cw_cols(w), in)) return NULL;
    if (b && !same(t, "linear", "the bias", cw_count(b), out)) return NULL;
    if (residual && !same(t, "linear", "the residual", cw_count(residual), n * out)) return NULL;
    *(linear_saved *)node->saved = (linear_saved){kernel, act};
    float *z = NULL;
    if (t->recording && act != CW_ACT_NONE && !(z = cw_node_keep(t, node, 0, n * out))) return NULL;
    if (residual && residual->owned && residual != x && !t->recording) node->out = residual;
    else node->out = cw_tape_matrix(t, n, out);
    if (!node->out) return NULL;
    linear_forward(t, node, z);
    return cw_node_done(t, node);
}

cw_tensor *cw_linear(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b, cw_act act)
{
    return linear(t, &op_linear, t->k->linear, x, w, b, act, NULL);
}

cw_tensor *cw_linear_again(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b)
{
    return linear(t, &op_linear_again, t->k->linear, x, w, b, CW_ACT_NONE, NULL);
}

cw_tensor *cw_linear_precise(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b, cw_act act)
{
    return linear(t, &op_linear, t->k->linear_precise, x, w, b, act, NULL);
}

cw_tensor *cw_linear_residual(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b, cw_tensor *residual)
{
    return linear(t, &op_linear, t->k->linear, x, w, b, CW_ACT_NONE, residual);
}

/* ---- linear with a thin pair beside its weight: y = act(x (w + scale up down)^T + b). The sum of the weights is made when it
 * is needed and not kept: that costs out in r, where the pair's own products with every row, forward and backward, cost
 * n r (in + out) each time. ---- */

enum { PAIR_X, PAIR_W, PAIR_B, PAIR_DOWN, PAIR_UP };

typedef struct {
    cw_act act;
    float scale;
} pair_saved;

/* w + scale up down (out,in), to be given back; NULL with the error recorded */
static float *pair_weight(cw_tape *t, const cw_node *node)
{
    cw_tensor *w = node->in[PAIR_W], *down = node->in[PAIR_DOWN], *up = node->in[PAIR_UP];
    int64_t out = cw_rows(w), in = cw_cols(w), r = cw_rows(down);
    const float *a = cw_tape_data(t, down), *b = cw_tape_data(t, up);
    float *sum;
    const float *wd = cw_tape_weight(t, w, &sum);
    if (wd && !sum && (sum = cw_tape_take(t, out * in))) t->k->copy_block(&t->exec, sum, in, wd, in, 0, out, in);
    if (!wd || !sum || t->ctx->status != CW_OK) return NULL;
    t->k->gemm(&t->exec, sum, in, b, r, 0, a, in, 0, ((const pair_saved *)node->saved)->scale, 1.0f, out, in, r);
    return sum;
}

static void pair_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[PAIR_X], *w = node->in[PAIR_W], *down = node->in[PAIR_DOWN], *up = node->in[PAIR_UP];
    int64_t n = cw_rows(x), in = cw_cols(x), out = cw_rows(w), r = cw_rows(down);
    const pair_saved *s = node->saved;
    const float *xd = cw_tape_data(t, x), *a = cw_tape_data(t, down), *b = cw_tape_data(t, up);
    float *dz = before_activation(t, node, s->act, n * out), *thin = cw_tape_take(t, (n < PAIR_BLOCK ? n : PAIR_BLOCK) * r), beta;
    if (!xd || !dz || !thin || t->ctx->status != CW_OK) return;
    float *dup = cw_tape_grad(t, up), *ddown = cw_tape_grad(t, down);
    for (int64_t first = 0; (dup || ddown) && first < n; first += PAIR_BLOCK) {
        int64_t rows = n - first < PAIR_BLOCK ? n - first : PAIR_BLOCK;
        const float *xb = xd + first * in, *dzb = dz + first * out;
        if (dup) {
            t->k->gemm(&t->exec, thin, r, xb, in, 0, a, in, 1, 1.0f, 0.0f, rows, r, in);
            t->k->gemm(&t->exec, dup, r, dzb, out, 1, thin, r, 0, s->scale, 1.0f, out, r, rows);
        }
        if (!ddown) continue;
        t->k->gemm(&t->exec, thin, r, dzb, out, 0, b, r, 0, s->scale, 0.0f, rows, r, out);
        t->k->gemm(&t->exec, ddown, in, thin, r, 1, xb, in, 0, 1.0f, 1.0f, r, in, rows);
    }
    cw_tape_give(t, thin);
    float *dx = cw_tape_grad_beta(t, x, &beta), *sum = dx ? pair_weight(t, node) : NULL;
    if (sum) t->k->gemm(&t->exec, dx, in, dz, out, 0, sum, in, 0, 1.0f, beta, n, in, out);
    cw_tape_give(t, sum);
    float *dw = cw_tape_grad_beta(t, w, &beta);
    if (dw) t->k->gemm(&t->exec, dw, in, dz, out, 1, xd, in, 0, 1.0f, beta, out, in, n);
    float *db = cw_tape_grad(t, node->in[PAIR_B]);
    if (db) t->k->column_sum(&t->exec, db, dz, n, out);
    if (dz != node->out->grad) cw_tape_give(t, dz);
}

static const cw_op op_pair = {"linear with a pair", .backward = pair_backward, .bf16 = 1, .blind = 1};

cw_tensor *cw_linear_pair(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b, cw_tensor *down, cw_tensor *up, float scale,
                          cw_act act)
{
    cw_node *node = cw_node_new(t, &op_pair, 5, (cw_tensor *[]){x, w, b, down, up}, sizeof(pair_saved));
    if (!node) return NULL;
    int64_t n = cw_rows(x), in = cw_cols(x), out = cw_rows(w), r = cw_rows(down);
    if (!same(t, "linear", "the weight's width", cw_cols(w), in) ||
        !same(t, "linear", "the bias", b ? cw_count(b) : out, out) ||
        !same(t, "linear", "the width of the pair's first", cw_cols(down), in) ||
        !same(t, "linear", "the height of the pair's second", cw_rows(up), out) ||
        !same(t, "linear", "the width of the pair's second", cw_cols(up), r))
        return NULL;
    *(pair_saved *)node->saved = (pair_saved){act, scale};
    float *z = NULL;
    if (t->recording && act != CW_ACT_NONE && !(z = cw_node_keep(t, node, 0, n * out))) return NULL;
    node->out = cw_tape_matrix(t, n, out);
    float *sum = node->out ? pair_weight(t, node) : NULL;
    const float *xd = cw_tape_data(t, x), *bd = cw_tape_optional(t, b);
    if (!sum || !xd || t->ctx->status != CW_OK) return NULL;
    t->k->linear(&t->exec, cw_f32(node->out), z, xd, sum, bd, NULL, act, n, in, out);
    cw_tape_give(t, sum);
    return cw_node_done(t, node);
}

/* ---- SwiGLU feed-forward with residual, in blocks of rows. Nothing is kept: gate and up, each (n,h) and in most
 * transformers the largest arrays of a step, are computed again block by block: two products more, to nine. ---- */

enum { FFN_X, FFN_GATE_W, FFN_GATE_B, FFN_UP_W, FFN_UP_B, FFN_DOWN_W, FFN_DOWN_B, FFN_RESIDUAL };

typedef struct {
    float dropout;
    cw_stream stream;
} ffn_saved;

/* The weights in float: converted where they are bf16, for as long as the operation runs. */
typedef struct {
    const float *gate_w, *gate_b, *up_w, *up_b, *down_w, *down_b;
    float *scratch[3];
} ffn_weights;

/* 0 with the error recorded */
static int take_weights(cw_tape *t, cw_node *node, ffn_weights *w)
{
    cw_tensor *const *in = node->in;
    *w = (ffn_weights){.gate_b = cw_tape_optional(t, in[FFN_GATE_B]),
                       .up_b = cw_tape_optional(t, in[FFN_UP_B]),
                       .down_b = cw_tape_optional(t, in[FFN_DOWN_B])};
    w->gate_w = cw_tape_weight(t, in[FFN_GATE_W], &w->scratch[0]);
    w->up_w = cw_tape_weight(t, in[FFN_UP_W], &w->scratch[1]);
    w->down_w = cw_tape_weight(t, in[FFN_DOWN_W], &w->scratch[2]);
    return t->ctx->status == CW_OK;
}

static void give_weights(cw_tape *t, ffn_weights *w)
{
    for (int i = 0; i < 3; i++) cw_tape_give(t, w->scratch[i]);
}

/* The dropout stream of one block: blocks may not share random numbers. */
static cw_stream block_stream(cw_stream s, int64_t first)
{
    s.key ^= (uint64_t)(first + 1) * 0x9E3779B97F4A7C15ULL;
    return s;
}

/* gate, up, product (rows, h) of `rows` rows of x */
static void ffn_hidden(cw_tape *t, const ffn_weights *w, const float *x, int64_t rows, int64_t d, int64_t h, float *gate,
                       float *up, float *product)
{
    t->k->linear(&t->exec, gate, NULL, x, w->gate_w, w->gate_b, NULL, CW_ACT_NONE, rows, d, h);
    t->k->linear(&t->exec, up, NULL, x, w->up_w, w->up_b, NULL, CW_ACT_NONE, rows, d, h);
    t->k->swiglu(&t->exec, product, gate, up, rows * h);
}

static void ffn_backward(cw_tape *t, cw_node *node)
{
    cw_tensor **in = node->in;
    cw_tensor *x = in[FFN_X];
    ffn_saved *s = node->saved;
    int64_t n = cw_rows(x), d = cw_cols(x), h = cw_rows(in[FFN_GATE_W]);
    const float *xd = cw_tape_data(t, x);
    float *dy = node->out->grad, *dresidual = cw_tape_grad(t, in[FFN_RESIDUAL]), x_beta;
    if (dresidual) t->k->axpy(&t->exec, dresidual, dy, 1.0f, n * d);
    float *dx = cw_tape_grad_beta(t, x, &x_beta);
    float *dgate_w = cw_tape_grad(t, in[FFN_GATE_W]), *dgate_b = cw_tape_grad(t, in[FFN_GATE_B]);
    float *dup_w = cw_tape_grad(t, in[FFN_UP_W]), *dup_b = cw_tape_grad(t, in[FFN_UP_B]);
    float *ddown_w = cw_tape_grad(t, in[FFN_DOWN_W]), *ddown_b = cw_tape_grad(t, in[FFN_DOWN_B]);
    int64_t block = n < FFN_BLOCK ? n : FFN_BLOCK;
    float *product = cw_tape_take(t, 3 * block * h);
    ffn_weights w;
    if (!product || !xd || !take_weights(t, node, &w)) return;
    float *gate = product + block * h, *up = gate + block * h;
    for (int64_t first = 0; first < n; first += block) {
        int64_t rows = n - first < block ? n - first : block;
        float *dyb = dy + first * d;
        const float *xb = xd + first * d;
        ffn_hidden(t, &w, xb, rows, d, h, gate, up, product);
        if (s->dropout > 0) t->k->dropout(&t->exec, dyb, dyb, s->dropout, block_stream(s->stream, first), rows * d);
        if (ddown_w) t->k->gemm(&t->exec, ddown_w, h, dyb, d, 1, product, h, 0, 1.0f, 1.0f, d, h, rows);
        if (ddown_b) t->k->column_sum(&t->exec, ddown_b, dyb, rows, d);
        float *dproduct = product; /* the product is spent */
        t->k->gemm(&t->exec, dproduct, h, dyb, d, 0, w.down_w, h, 0, 1.0f, 0.0f, rows, h, d);
        t->k->swiglu_backward(&t->exec, gate, up, dproduct, gate, up, rows * h);
        if (dgate_w) t->k->gemm(&t->exec, dgate_w, d, gate, h, 1, xb, d, 0, 1.0f, 1.0f, h, d, rows);
        if (dgate_b) t->k->column_sum(&t->exec, dgate_b, gate, rows, h);
        if (dup_w) t->k->gemm(&t->exec, dup_w, d, up, h, 1, xb, d, 0, 1.0f, 1.0f, h, d, rows);
        if (dup_b) t->k->column_sum(&t->exec, dup_b, up, rows, h);
        if (!dx) continue;
        float *dxb = dx + first * d;
        t->k->gemm(&t->exec, dxb, d, gate, h, 0, w.gate_w, d, 0, 1.0f, x_beta, rows, d, h);
        t->k->gemm(&t->exec, dxb, d, up, h, 0, w.up_w, d, 0, 1.0f, 1.0f, rows, d, h);
    }
    give_weights(t, &w);
    cw_tape_give(t, product);
}

static const cw_op op_ffn = {"swiglu", .backward = ffn_backward, .bf16 = 1};

cw_tensor *cw_swiglu_residual(cw_tape *t, cw_tensor *x, cw_swiglu_params p, float dropout, cw_tensor *residual)
{
    cw_tensor *in[] = {x, p.gate_w, p.gate_b, p.up_w, p.up_b, p.down_w, p.down_b, residual};
    cw_node *node = cw_node_new(t, &op_ffn, 8, in, sizeof(ffn_saved));
    if (!node) return NULL;
    int64_t n = cw_rows(x), d = cw_cols(x), h = cw_rows(p.gate_w);
    if (!same(t, "swiglu", "the gate's width", cw_cols(p.gate_w), d) ||
        !same(t, "swiglu", "the size of up", cw_count(p.up_w), h * d) ||
        !same(t, "swiglu", "the size of down", cw_count(p.down_w), h * d) ||
        !same(t, "swiglu", "the gate's bias", p.gate_b ? cw_count(p.gate_b) : h, h) ||
        !same(t, "swiglu", "the bias of up", p.up_b ? cw_count(p.up_b) : h, h) ||
        !same(t, "swiglu", "the bias of down", p.down_b ? cw_count(p.down_b) : d, d) ||
        !same(t, "swiglu", "the residual", cw_count(residual), n * d))
        return NULL;
    ffn_saved *s = node->saved;
    s->dropout = t->training ? dropout : 0.0f;
    s->stream = s->dropout > 0 ? cw_tape_stream(t, CW_RNG_DROPOUT) : (cw_stream){0, 0};
    node->out = residual->owned && !t->recording ? residual : cw_tape_matrix(t, n, d);
    int64_t block = n < FFN_BLOCK ? n : FFN_BLOCK;
    float *gate = node->out ? cw_tape_take(t, 2 * block * h) : NULL;
    if (!gate) return NULL;
    float *up = gate + block * h;
    const float *xd = cw_tape_data(t, x), *rd = cw_tape_data(t, residual);
    ffn_weights w;
    if (!xd || !rd || !take_weights(t, node, &w)) return NULL;
    for (int64_t first = 0; first < n; first += block) {
        int64_t rows = n - first < block ? n - first : block;
        float *y = cw_f32(node->out) + first * d;
        const float *r = rd + first * d;
        ffn_hidden(t, &w, xd + first * d, rows, d, h, gate, up, gate);
        if (s->dropout > 0) {
            /* gate now holds the product; `up` is free and holds the projection (d <= h is not assured, so in y) */
            float *projected = up;
            if (d > h) projected = cw_tape_take(t, rows * d);
            if (!projected) return NULL;
            t->k->linear(&t->exec, projected, NULL, gate, w.down_w, w.down_b, NULL, CW_ACT_NONE, rows, h, d);
            t->k->dropout(&t->exec, projected, projected, s->dropout, block_stream(s->stream, first), rows * d);
            if (y != r) t->k->copy_block(&t->exec, y, d, r, d, 0, rows, d);
            t->k->axpy(&t->exec, y, projected, 1.0f, rows * d);
            if (projected != up) cw_tape_give(t, projected);
        } else {
            t->k->linear(&t->exec, y, NULL, gate, w.down_w, w.down_b, r, CW_ACT_NONE, rows, h, d);
        }
        if (cw_poll(t->ctx) != CW_OK) return NULL;
    }
    give_weights(t, &w);
    cw_tape_give(t, gate);
    return cw_node_done(t, node);
}

/* ---- matmul: a b ---- */

static void matmul_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *a = node->in[0], *b = node->in[1];
    int64_t n = cw_rows(a), k = cw_cols(a), m = cw_cols(b);
    const float *ad = cw_tape_data(t, a), *bd = cw_tape_data(t, b), *dy = node->out->grad;
    float beta, *da = cw_tape_grad_beta(t, a, &beta);
    if (da && bd) t->k->gemm(&t->exec, da, k, dy, m, 0, bd, m, 1, 1.0f, beta, n, k, m);
    float *db = cw_tape_grad_beta(t, b, &beta);
    if (db && ad) t->k->gemm(&t->exec, db, m, ad, k, 1, dy, m, 0, 1.0f, beta, k, m, n);
}

static const cw_op op_matmul = {"matmul", .backward = matmul_backward};

cw_tensor *cw_matmul(cw_tape *t, cw_tensor *a, cw_tensor *b)
{
    cw_node *node = cw_node_new(t, &op_matmul, 2, (cw_tensor *[]){a, b}, 0);
    if (!node || !same(t, "matmul", "the second factor's height", cw_rows(b), cw_cols(a))) return NULL;
    int64_t n = cw_rows(a), k = cw_cols(a), m = cw_cols(b);
    node->out = cw_tape_matrix(t, n, m);
    if (!node->out) return NULL;
    const float *ad = cw_tape_data(t, a), *bd = cw_tape_data(t, b);
    if (!ad || !bd) return NULL;
    t->k->gemm(&t->exec, cw_f32(node->out), m, ad, k, 0, bd, m, 0, 1.0f, 0.0f, n, m, k);
    return cw_node_done(t, node);
}
