/* tape.c: see tape.h. */
#include "tape.h"

#include <math.h>
#include <string.h>

cw_tape *cw_tape_new(cw_ctx *ctx)
{
    cw_tape *tape = cw_calloc(ctx, 1, sizeof *tape);
    if (!tape) return NULL;
    tape->ctx = ctx;
    tape->k = ctx->kernels;
    tape->arena = cw_arena_new(ctx);
    if (!tape->arena) {
        cw_free(ctx, tape);
        return NULL;
    }
    return tape;
}

void cw_tape_free(cw_tape *tape)
{
    if (!tape) return;
    cw_arena_free(tape->arena);
    cw_free(tape->ctx, tape->node);
    cw_free(tape->ctx, tape);
}

void cw_tape_reset(cw_tape *tape, int recording, int training, uint64_t key, uint64_t step)
{
    cw_arena_reset(tape->arena);
    tape->k = tape->ctx->kernels;
    tape->exec.threads = tape->ctx->threads;
    tape->recording = recording;
    tape->training = training;
    tape->key = key;
    tape->step = step;
    tape->draws = 0;
    tape->nodes = 0;
}

/* ---- tensors ---- */

static cw_tensor *new_tensor(cw_tape *tape, int ndim, const int64_t *dim)
{
    cw_tensor *t = cw_arena_take(tape->arena, sizeof *t);
    if (!t) return NULL;
    memset(t, 0, sizeof *t);
    t->ndim = ndim;
    for (int i = 0; i < ndim; i++) t->dim[i] = dim[i];
    return t;
}

cw_tensor *cw_tape_tensor(cw_tape *tape, int ndim, const int64_t *dim)
{
    cw_tensor *t = new_tensor(tape, ndim, dim);
    if (!t) return NULL;
    t->owned = 1;
    t->data = cw_arena_take(tape->arena, cw_count(t) * (int64_t)sizeof(float));
    return cw_f32(t) ? t : NULL;
}

cw_tensor *cw_tape_matrix(cw_tape *tape, int64_t rows, int64_t cols)
{
    return cw_tape_tensor(tape, 2, (int64_t[]){rows, cols});
}

cw_tensor *cw_tape_constant(cw_tape *tape, const float *data, int64_t rows, int64_t cols)
{
    cw_tensor *t = new_tensor(tape, 2, (int64_t[]){rows, cols});
    if (t) t->data = (float *)data; /* never written: it needs no gradient and isn't owned */
    return t;
}

static cw_tensor *new_view(cw_tape *tape, cw_tensor *x, int64_t offset, int64_t rows, int64_t cols)
{
    cw_tensor *t = new_tensor(tape, 2, (int64_t[]){rows, cols});
    if (!t) return NULL;
    t->data = cw_f32(x) + offset;
    t->needs_grad = x->needs_grad;
    t->base = x;
    t->offset = offset;
    return t;
}

cw_tensor *cw_tape_rows(cw_tape *tape, cw_tensor *x, int64_t first, int64_t count)
{
    if (tape->ctx->status != CW_OK) return NULL;
    if (first < 0 || count < 0 || first + count > cw_rows(x)) {
        cw_fail(tape->ctx, CW_ERR_SHAPE, "rows %lld..%lld of a tensor with %lld rows", (long long)first,
                (long long)(first + count), (long long)cw_rows(x));
        return NULL;
    }
    return new_view(tape, x, first * cw_cols(x), count, cw_cols(x));
}

cw_tensor *cw_tape_reshape(cw_tape *tape, cw_tensor *x, int64_t rows, int64_t cols)
{
    if (tape->ctx->status != CW_OK) return NULL;
    if (rows * cols != cw_count(x)) {
        cw_fail(tape->ctx, CW_ERR_SHAPE, "%lld values can't be seen as %lld x %lld", (long long)cw_count(x),
                (long long)rows, (long long)cols);
        return NULL;
    }
    return new_view(tape, x, 0, rows, cols);
}

void cw_tape_drop(cw_tape *tape, cw_tensor *x)
{
    if (!x || !x->owned || !cw_f32(x) || tape->ctx->status != CW_OK) return;
    if (tape->recording && x->needs_grad && !x->node->op->forward) return;
    if (tape->recording && !x->needs_grad) return; /* something recorded may still read it */
    cw_arena_give(tape->arena, cw_f32(x));
    x->data = NULL;
}

float *cw_tape_data(cw_tape *tape, cw_tensor *x)
{
    if (tape->ctx->status != CW_OK || !x) return NULL;
    if (!cw_f32(x)) {
        x->data = cw_arena_take(tape->arena, cw_count(x) * (int64_t)sizeof(float));
        if (cw_f32(x)) x->node->op->forward(tape, x->node);
    }
    return cw_f32(x);
}

float *cw_tape_grad_beta(cw_tape *tape, cw_tensor *x, float *beta)
{
    *beta = 1.0f;
    if (!x || !x->needs_grad || tape->ctx->status != CW_OK) return NULL;
    if (x->base) {
        float *g = cw_tape_grad(tape, x->base);
        return g ? g + x->offset : NULL;
    }
    if (!x->grad) {
        x->grad = cw_arena_take(tape->arena, cw_count(x) * (int64_t)sizeof(float));
        *beta = 0.0f;
    }
    return x->grad;
}

float *cw_tape_grad(cw_tape *tape, cw_tensor *x)
{
    float beta, *g = cw_tape_grad_beta(tape, x, &beta);
    if (g && beta == 0.0f) memset(g, 0, (size_t)cw_count(x) * sizeof(float));
    return g;
}

const float *cw_tape_host(cw_tape *tape, const cw_tensor *x)
{
    return x && tape->ctx->status == CW_OK ? cw_f32(x) : NULL;
}

float cw_tape_scalar(const cw_tensor *x) { return x && cw_f32(x) ? cw_f32(x)[0] : NAN; }

cw_stream cw_tape_stream(cw_tape *tape, int purpose)
{
    return cw_rng_stream(tape->key, purpose, tape->step, tape->draws++);
}

/* ---- nodes ---- */

cw_node *cw_node_new(cw_tape *tape, const cw_op *op, int inputs, cw_tensor *const *in, size_t saved)
{
    if (tape->ctx->status != CW_OK) return NULL;
    cw_node *node = cw_arena_take(tape->arena, sizeof *node);
    if (!node) return NULL;
    memset(node, 0, sizeof *node);
    node->op = op;
    node->inputs = inputs;
    memcpy(node->in, in, (size_t)inputs * sizeof *in);
    if (saved) {
        node->saved = cw_arena_take(tape->arena, (int64_t)saved);
        if (!node->saved) return NULL;
        memset(node->saved, 0, saved);
    }
    return node;
}

float *cw_node_keep(cw_tape *tape, cw_node *node, int slot, int64_t n)
{
    node->kept[slot] = cw_arena_take(tape->arena, n * (int64_t)sizeof(float));
    return node->kept[slot];
}

static void give_node(cw_tape *tape, cw_node *node)
{
    for (int i = 0; i < 3; i++) cw_arena_give(tape->arena, node->kept[i]);
    cw_arena_give(tape->arena, node->saved);
    cw_arena_give(tape->arena, node);
}

cw_tensor *cw_node_done(cw_tape *tape, cw_node *node)
{
    if (cw_poll(tape->ctx) != CW_OK) return NULL;
    cw_tensor *out = node->out;
    int needs_grad = 0;
    for (int i = 0; i < node->inputs; i++) needs_grad |= node->in[i] && node->in[i]->needs_grad;
    if (!tape->recording || !needs_grad) {
        give_node(tape, node);
        return out;
    }
    if (tape->nodes == tape->capacity) {
        int64_t capacity = tape->capacity ? 2 * tape->capacity : 256;
        cw_node **grown = cw_alloc(tape->ctx, capacity, sizeof *grown);
        if (!grown) return NULL;
        if (tape->nodes) memcpy(grown, tape->node, (size_t)tape->nodes * sizeof *grown);
        cw_free(tape->ctx, tape->node);
        tape->node = grown;
        tape->capacity = capacity;
    }
    tape->node[tape->nodes++] = node;
    out->node = node;
    out->needs_grad = 1;
    return out;
}

cw_status cw_tape_backward(cw_tape *tape, int count, cw_tensor *const *loss, const float *weight)
{
    for (int i = 0; i < count; i++) {
        float *g = cw_tape_grad(tape, loss[i]);
        if (g) g[0] += weight[i];
    }
    for (int64_t i = tape->nodes - 1; i >= 0 && tape->ctx->status == CW_OK; i--) {
        cw_node *node = tape->node[i];
        cw_tensor *out = node->out;
        if (out->grad) node->op->backward(tape, node);
        /* everything made from `out` has been dealt with: its memory serves the rest of the backward */
        cw_arena_give(tape->arena, cw_f32(out));
        cw_arena_give(tape->arena, out->grad);
        out->data = out->grad = NULL;
        for (int slot = 0; slot < 3; slot++) cw_arena_give(tape->arena, node->kept[slot]), node->kept[slot] = NULL;
        cw_poll(tape->ctx);
    }
    tape->nodes = 0;
    return tape->ctx->status;
}
