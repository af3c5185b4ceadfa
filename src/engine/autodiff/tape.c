/* tape.c: see tape.h. */
#include "tape.h"

#include <math.h>
#include <string.h>

#define KEEP_LIMIT (8 << 20) /* values */
#define MOST_DRAWS 65536     /* the random streams' numbers have 16 bits */
static const int64_t F = sizeof(float);

cw_tape *cw_tape_new(cw_ctx *ctx)
{
    cw_tape *tape = cw_calloc(ctx, 1, sizeof *tape);
    if (!tape) return NULL;
    tape->ctx = ctx;
    tape->k = ctx->kernels;
    tape->keep_limit = KEEP_LIMIT;
    tape->arena = cw_arena_new(ctx);
    tape->memory = tape->arena ? cw_arena_new_on(ctx, tape->k ? tape->k->device : &cw_device_host) : NULL;
    if (tape->memory) return tape;
    cw_arena_free(tape->arena);
    cw_free(ctx, tape);
    return NULL;
}

void cw_tape_free(cw_tape *tape)
{
    if (!tape) return;
    cw_arena_free(tape->arena);
    cw_arena_free(tape->memory);
    cw_free(tape->ctx, tape->node);
    cw_free(tape->ctx, tape->index);
    cw_free(tape->ctx, tape->use);
    cw_free(tape->ctx, tape);
}

void cw_tape_reset(cw_tape *tape, int recording, int training, uint64_t key, uint64_t step)
{
    cw_arena_reset(tape->arena);
    cw_arena_reset(tape->memory);
    tape->k = tape->ctx->kernels;
    if (tape->k->device != cw_arena_device(tape->memory)) { /* another table works on another device */
        cw_arena *moved = cw_arena_new_on(tape->ctx, tape->k->device);
        if (moved) {
            cw_arena_free(tape->memory);
            tape->memory = moved;
        }
    }
    tape->exec.threads = tape->ctx->threads;
    tape->recording = recording;
    tape->training = training;
    tape->key = key;
    tape->step = step;
    tape->draws = 0;
    tape->resets++;
    tape->nodes = tape->indices = tape->uses = 0;
    tape->in_segment = tape->again = 0;
    tape->made = NULL;
}

/* `*list` of `size`-byte items with room for one more than `count`; 0 with the error recorded. */
static int grow(cw_tape *tape, void **list, int64_t *room, int64_t count, size_t size)
{
    if (count < *room) return 1;
    int64_t more = *room ? 2 * *room : 256;
    void *grown = cw_alloc(tape->ctx, more, size);
    if (!grown) return 0;
    if (count) memcpy(grown, *list, (size_t)count * size);
    cw_free(tape->ctx, *list);
    *list = grown;
    *room = more;
    return 1;
}

/* ---- memory of the device ---- */

float *cw_tape_take(cw_tape *tape, int64_t n) { return cw_arena_take(tape->memory, n * F); }
void cw_tape_give(cw_tape *tape, void *p) { cw_arena_give(tape->memory, p); }

const void *cw_tape_there(cw_tape *tape, const void *host, int64_t bytes)
{
    if (!host || tape->ctx->status != CW_OK) return NULL;
    const cw_device *device = cw_arena_device(tape->memory);
    if (device == &cw_device_host) return host;
    for (int64_t i = tape->indices - 1; i >= 0; i--)
        if (tape->index[i].host == host && tape->index[i].bytes >= bytes) return tape->index[i].there;
    void *list = tape->index;
    int room = grow(tape, &list, &tape->index_room, tape->indices, sizeof *tape->index);
    tape->index = list;
    void *there = room ? cw_arena_take(tape->memory, bytes) : NULL;
    if (!there) return NULL;
    device->copy_in(tape->ctx, there, host, bytes);
    tape->index[tape->indices++] = (cw_index){host, bytes, there};
    return there;
}

cw_ragged cw_tape_ragged(cw_tape *tape, cw_ragged seq)
{
    seq.there = cw_tape_there(tape, seq.start, (seq.count + 1) * (int64_t)sizeof *seq.start);
    return seq;
}

/* ---- tensors ---- */

static cw_tensor *new_tensor(cw_tape *tape, int ndim, const int64_t *dim)
{
    if (ndim < 1 || ndim > CW_MAX_DIM) {
        cw_fail(tape->ctx, CW_ERR_SHAPE, "a tensor of %d dimensions: 1 to %d are possible", ndim, CW_MAX_DIM);
        return NULL;
    }
    cw_tensor *t = cw_arena_take(tape->arena, sizeof *t);
    if (!t) return NULL;
    memset(t, 0, sizeof *t);
    t->ndim = ndim;
    for (int i = 0; i < ndim; i++) t->dim[i] = dim[i];
    t->device = cw_arena_device(tape->memory);
    t->tape = tape;
    return t;
}

cw_tensor *cw_tape_tensor(cw_tape *tape, int ndim, const int64_t *dim)
{
    cw_tensor *t = new_tensor(tape, ndim, dim);
    if (!t) return NULL;
    t->owned = 1;
    t->data = cw_tape_take(tape, cw_count(t));
    if (tape->in_segment) {
        t->made = tape->made;
        tape->made = t;
    }
    return t->data ? t : NULL;
}

cw_tensor *cw_tape_matrix(cw_tape *tape, int64_t rows, int64_t cols)
{
    return cw_tape_tensor(tape, 2, (int64_t[]){rows, cols});
}

cw_tensor *cw_tape_constant(cw_tape *tape, const float *data, int64_t rows, int64_t cols)
{
    cw_tensor *t = new_tensor(tape, 2, (int64_t[]){rows, cols});
    /* never written: it needs no gradient and isn't owned */
    if (t) t->data = (float *)(uintptr_t)cw_tape_there(tape, data, rows * cols * F);
    return t;
}

cw_tensor *cw_tape_noise(cw_tape *tape, int64_t rows, int64_t cols)
{
    cw_tensor *t = cw_tape_matrix(tape, rows, cols);
    if (!t) return NULL;
    cw_stream stream = cw_tape_stream(tape, CW_RNG_NOISE);
    if (tape->ctx->status != CW_OK) return NULL;
    tape->k->normal(&tape->exec, t->data, stream, rows * cols);
    return t;
}

static cw_tensor *new_view(cw_tape *tape, cw_tensor *x, int64_t offset, int64_t rows, int64_t cols)
{
    float *data = cw_tape_data(tape, x);
    cw_tensor *t = data ? new_tensor(tape, 2, (int64_t[]){rows, cols}) : NULL;
    if (!t) return NULL;
    t->device = x->device;
    t->data = data + offset;
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
    if (!x || !x->owned || !x->data || tape->ctx->status != CW_OK) return;
    if (tape->recording && x->needs_grad && !x->node->op->forward) return;
    if (tape->recording && !x->needs_grad) return; /* something recorded may still read it */
    cw_tape_give(tape, x->data);
    x->data = NULL;
}

/* node->out once more. Inputs that had been dropped, too, go again unless they are dear: of a chain of cheap results one is
 * there at a time. */
static void compute_again(cw_tape *tape, cw_node *node)
{
    int dropped[CW_MAX_INPUTS];
    for (int i = 0; i < node->inputs; i++) dropped[i] = node->in[i] && node->in[i]->owned && !node->in[i]->data;
    node->op->forward(tape, node);
    for (int i = 0; i < node->inputs; i++)
        if (dropped[i] && !node->in[i]->node->op->dear) cw_tape_drop(tape, node->in[i]);
}

float *cw_tape_data(cw_tape *tape, cw_tensor *x)
{
    if (tape->ctx->status != CW_OK || !x) return NULL;
    if (x->base) { /* the base may have been dropped and computed again elsewhere since the view was made */
        float *base = cw_tape_data(tape, x->base);
        x->data = base ? base + x->offset : NULL;
        return x->data;
    }
    if (!x->data) {
        if (!x->node || !x->node->op->forward) {
            cw_fail(tape->ctx, CW_ERR_STATE, "a tensor of %lld x %lld is used after it was dropped",
                    (long long)cw_rows(x), (long long)cw_cols(x));
            return NULL;
        }
        x->data = cw_tape_take(tape, cw_count(x));
        if (x->data) compute_again(tape, x->node);
    }
    return tape->ctx->status == CW_OK ? x->data : NULL;
}

const float *cw_tape_weight(cw_tape *tape, cw_tensor *w, float **scratch)
{
    *scratch = NULL;
    if (tape->ctx->status != CW_OK || !w) return NULL;
    if (w->dtype == CW_F32) return cw_tape_data(tape, w);
    *scratch = cw_tape_take(tape, cw_count(w));
    if (*scratch) tape->k->to_f32(&tape->exec, *scratch, w->data, cw_count(w));
    return *scratch;
}

float *cw_tape_grad_beta(cw_tape *tape, cw_tensor *x, float *beta)
{
    *beta = 1.0f;
    if (!x || !x->needs_grad || tape->ctx->status != CW_OK) return NULL;
    if (x->base) {
        if (cw_count(x) == cw_count(x->base)) return cw_tape_grad_beta(tape, x->base, beta);
        float *g = cw_tape_grad(tape, x->base);
        return g ? g + x->offset : NULL;
    }
    if (!x->grad) {
        x->grad = cw_tape_take(tape, cw_count(x));
        *beta = 0.0f;
    }
    return x->grad;
}

float *cw_tape_grad(cw_tape *tape, cw_tensor *x)
{
    float beta, *g = cw_tape_grad_beta(tape, x, &beta);
    if (g && beta == 0.0f) tape->k->device->fill(tape->ctx, g, 0, cw_count(x) * F);
    return g;
}

const float *cw_tape_host(cw_tape *tape, const cw_tensor *x)
{
    if (!x || tape->ctx->status != CW_OK) return NULL;
    if (!x->device || x->device == &cw_device_host) return cw_f32(x);
    int64_t bytes = cw_count(x) * (int64_t)sizeof(float);
    float *here = cw_arena_take(tape->arena, bytes);
    if (here) x->device->copy_out(tape->ctx, here, x->data, bytes);
    return here;
}

static float fetch(cw_ctx *ctx, const cw_device *device, const float *there)
{
    float value = NAN;
    (device ? device : &cw_device_host)->copy_out(ctx, &value, there, F);
    return value;
}

float cw_tape_scalar(const cw_tensor *x)
{
    if (!x || !x->data) return NAN;
    return fetch(x->tape ? x->tape->ctx : NULL, x->device, x->data);
}

float cw_tape_loss_grad(cw_tape *tape, cw_node *node)
{
    const cw_tensor *out = node->out;
    float g = out->seeded ? out->seed : 0.0f;
    return out->grad ? g + fetch(tape->ctx, tape->k->device, out->grad) : g;
}

cw_stream cw_tape_stream(cw_tape *tape, int purpose)
{
    if (tape->draws >= MOST_DRAWS)
        cw_fail(tape->ctx, CW_ERR_STATE, "a step drew more than %d random streams", MOST_DRAWS);
    return cw_rng_stream(tape->key, purpose, tape->step, tape->draws++);
}

/* ---- nodes ---- */

static int input_fits(cw_tape *tape, const cw_op *op, const cw_tensor *x)
{
    if (!x) return 1;
    const cw_device *device = x->device ? x->device : &cw_device_host;
    if (device != tape->k->device) {
        cw_fail(tape->ctx, CW_ERR_STATE, "%s: a tensor is in the memory of %s, the kernels work on %s", op->name,
                device->name, tape->k->device->name);
        return 0;
    }
    if (x->dtype == CW_F32 || (x->dtype == CW_BF16 && op->bf16)) return 1;
    cw_fail(tape->ctx, CW_ERR_ARGUMENT, "%s can't work on tensors that aren't float", op->name);
    return 0;
}

cw_node *cw_node_new(cw_tape *tape, const cw_op *op, int inputs, cw_tensor *const *in, size_t saved)
{
    if (tape->ctx->status != CW_OK) return NULL;
    if (inputs < 1 || inputs > CW_MAX_INPUTS) {
        cw_fail(tape->ctx, CW_ERR_ARGUMENT, "%s: %d inputs, 1 to %d are possible", op->name, inputs, CW_MAX_INPUTS);
        return NULL;
    }
    if (op->host_only && tape->k->device != &cw_device_host) {
        cw_fail(tape->ctx, CW_ERR_STATE, "%s works in the host's memory only, not on the device %s", op->name,
                tape->k->device->name);
        return NULL;
    }
    for (int i = 0; i < inputs; i++)
        if (!input_fits(tape, op, in[i])) return NULL;
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
    node->kept[slot] = cw_tape_take(tape, n);
    return node->kept[slot];
}

static void give_kept(cw_tape *tape, cw_node *node)
{
    for (int i = 0; i < 3; i++) {
        cw_tape_give(tape, node->kept[i]);
        node->kept[i] = NULL;
    }
}

static void give_node(cw_tape *tape, cw_node *node)
{
    give_kept(tape, node);
    cw_arena_give(tape->arena, node->saved);
    cw_arena_give(tape->arena, node);
}

/* Notes parameters that a node, which is or stands for number tape->nodes, is the first to use. */
static int note_uses(cw_tape *tape, const cw_node *node)
{
    for (int i = 0; i < node->inputs; i++) {
        cw_tensor *x = node->in[i];
        while (x && x->base) x = x->base;
        if (!x || !x->needs_grad || x->tape || (x->use_of == tape && x->use_in == tape->resets)) continue;
        void *list = tape->use;
        int room = grow(tape, &list, &tape->use_room, tape->uses, sizeof *tape->use);
        tape->use = list;
        if (!room) return 0;
        tape->use[tape->uses++] = (cw_use){x, tape->nodes};
        x->use_of = tape;
        x->use_in = tape->resets;
    }
    return 1;
}

/* The node goes onto the tape. */
static cw_tensor *record(cw_tape *tape, cw_node *node)
{
    void *list = tape->node;
    int room = grow(tape, &list, &tape->capacity, tape->nodes, sizeof *tape->node);
    tape->node = list;
    if (!room) return NULL;
    tape->node[tape->nodes++] = node;
    node->out->node = node;
    node->out->needs_grad = 1;
    return node->out;
}

cw_tensor *cw_node_done(cw_tape *tape, cw_node *node)
{
    if (cw_poll(tape->ctx) != CW_OK) return NULL;
    cw_tensor *out = node->out;
    int needs_grad = 0;
    for (int i = 0; i < node->inputs; i++) needs_grad |= node->in[i] && node->in[i]->needs_grad;
    if (needs_grad && (tape->recording || tape->in_segment) && !note_uses(tape, node)) return NULL;
    if (tape->recording && needs_grad) return record(tape, node);
    give_node(tape, node);
    return out;
}

/* ---- backward ---- */

static void tell_ready(cw_tape *tape, int64_t node)
{
    while (tape->uses > 0 && tape->use[tape->uses - 1].node == node) {
        cw_use *u = &tape->use[--tape->uses];
        if (tape->ready && tape->ctx->status == CW_OK) tape->ready(tape->ready_user, u->param);
    }
}

/* Nodes `first` and later, from the last to the first. */
static void run_backward(cw_tape *tape, int64_t first)
{
    for (int64_t i = tape->nodes - 1; i >= first && tape->ctx->status == CW_OK; i--) {
        cw_node *node = tape->node[i];
        cw_tensor *out = node->out;
        tape->nodes = i + 1;
        if (node->op->blind) {
            cw_tape_give(tape, out->data);
            out->data = NULL;
        }
        if (out->grad || out->seeded) node->op->backward(tape, node);
        /* everything made from `out` has been dealt with: its memory serves the rest of the backward */
        cw_tape_give(tape, out->data);
        cw_tape_give(tape, out->grad);
        out->data = NULL;
        out->grad = NULL;
        give_kept(tape, node);
        tell_ready(tape, i);
        cw_poll(tape->ctx);
    }
    tape->nodes = first;
}

cw_status cw_tape_backward(cw_tape *tape, int count, cw_tensor *const *loss, const float *weight)
{
    for (int i = 0; i < count; i++) {
        cw_tensor *x = loss[i];
        if (!x || !x->needs_grad) continue;
        if (x->node && x->node->op->loss) {
            x->seed = (x->seeded ? x->seed : 0.0f) + weight[i];
            x->seeded = 1;
            continue;
        }
        float *g = cw_tape_grad(tape, x);
        if (g) tape->k->affine(&tape->exec, g, g, 1.0f, weight[i], 1);
    }
    run_backward(tape, 0);
    return tape->ctx->status;
}

/* ---- segments ---- */

typedef struct {
    cw_segment_run run;
    void *user;
    uint64_t draws; /* where its random streams begin */
} segment_saved;

static cw_tensor *run_segment(cw_tape *tape, cw_node *node)
{
    const segment_saved *s = node->saved;
    cw_tensor *in[CW_MAX_INPUTS] = {0};
    for (int i = 0; i < node->inputs; i++) {
        cw_tensor *x = node->in[i];
        if (x) in[i] = new_view(tape, x, 0, cw_rows(x), cw_cols(x));
    }
    return tape->ctx->status == CW_OK ? s->run(tape, s->user, in) : NULL;
}

/* The piece runs again, recording itself behind the segment's own node, and then backward. */
static void segment_backward(cw_tape *tape, cw_node *node)
{
    uint64_t draws = tape->draws;
    int64_t first = tape->nodes, n = cw_count(node->out);
    cw_tape_give(tape, node->out->data);
    node->out->data = NULL;
    tape->draws = ((segment_saved *)node->saved)->draws;
    tape->again = 1;
    cw_tensor *again = run_segment(tape, node);
    tape->again = 0;
    tape->draws = draws;
    float beta, *g = cw_tape_grad_beta(tape, again, &beta);
    if (!g) return;
    tape->k->copy_block(&tape->exec, g, n, node->out->grad, n, beta != 0.0f, 1, n);
    run_backward(tape, first);
}

static const cw_op op_segment = {"segment", .backward = segment_backward};

/* Gives back what the segment made, but not `result` and what it is a view of. */
static void give_made(cw_tape *tape, const cw_tensor *result)
{
    const cw_tensor *base = result;
    while (base && base->base) base = base->base;
    for (cw_tensor *x = tape->made; x; x = x->made)
        if (x != base && x->data) {
            cw_tape_give(tape, x->data);
            x->data = NULL;
        }
    tape->made = NULL;
}

cw_tensor *cw_tape_segment(cw_tape *tape, cw_segment_run run, void *user, int inputs, cw_tensor *const *in)
{
    if (tape->ctx->status != CW_OK) return NULL;
    if (!tape->recording) return run(tape, user, in);
    cw_node *node = cw_node_new(tape, &op_segment, inputs, in, sizeof(segment_saved));
    if (!node) return NULL;
    *(segment_saved *)node->saved = (segment_saved){run, user, tape->draws};
    tape->recording = 0;
    tape->in_segment = 1;
    cw_tensor *result = run_segment(tape, node);
    tape->recording = 1;
    tape->in_segment = 0;
    give_made(tape, result);
    if (!result || cw_poll(tape->ctx) != CW_OK) return NULL;
    if (!result->owned || result->node) { /* a view, or an input: a head of its own for the segment's gradient */
        cw_tensor *head = new_tensor(tape, result->ndim, result->dim);
        if (!head) return NULL;
        const float *from = cw_tape_data(tape, result);
        head->owned = 1;
        head->data = cw_tape_take(tape, cw_count(head));
        int64_t n = cw_count(head);
        if (!from || !head->data) return NULL;
        tape->k->copy_block(&tape->exec, head->data, n, from, n, 0, 1, n);
        result = head;
    }
    node->out = result;
    return note_uses(tape, node) ? record(tape, node) : NULL;
}
