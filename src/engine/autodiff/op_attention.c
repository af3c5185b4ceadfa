/* op_attention.c: multi-head attention over packed sequences. */
#include "ops.h"

#include <math.h>

typedef struct {
    cw_attention_spec spec;
    cw_attention a;
} attention_saved;

/* Queries and keys sit in the first 2 H heads of each row of qkv. */
static void turn(cw_tape *t, float *qkv, int64_t n, int64_t d, const attention_saved *s, int inverse)
{
    if (s->spec.rotary == CW_ROTARY_NONE) return;
    t->k->rotary(&t->exec, qkv, 3 * d, s->spec.position, s->spec.rotary, s->spec.rotary_base, inverse, n,
                 2 * s->a.heads, s->a.head_dim);
}

static int is_dropped(const cw_tensor *x)
{
    while (x->base) x = x->base;
    return !x->data;
}

/* kept: lse (H, n) */
static void attention_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *qkv = node->in[0], *o = node->out;
    attention_saved *s = node->saved;
    int64_t n = cw_rows(o), d = cw_cols(o);
    float beta, *dqkv = cw_tape_grad_beta(t, qkv, &beta);
    float *delta = cw_tape_take(t, s->a.heads * n);
    /* the kernel writes its gradients; where something has already flowed in, it writes beside and is added */
    float *written = beta == 0.0f ? dqkv : cw_tape_take(t, 3 * n * d);
    int dropped = is_dropped(qkv);
    float *q = cw_tape_data(t, qkv);
    if (!dqkv || !delta || !written || !q) return;
    if (dropped) turn(t, q, n, d, s, 0); /* computed again, so not turned yet */
    t->k->attention_backward(&t->exec, written, written + d, written + 2 * d, 3 * d, delta, o->grad, cw_f32(o),
                             node->kept[0], q, q + d, q + 2 * d, 3 * d, s->spec.seq, s->a);
    turn(t, written, n, d, s, 1);
    if (written != dqkv) {
        t->k->axpy(&t->exec, dqkv, written, 1.0f, 3 * n * d);
        cw_tape_give(t, written);
    }
    cw_tape_give(t, delta);
}

static const cw_op op_attention = {"attention", .backward = attention_backward};

cw_tensor *cw_self_attention(cw_tape *t, cw_tensor *qkv, cw_attention_spec spec)
{
    cw_node *node = cw_node_new(t, &op_attention, 1, (cw_tensor *[]){qkv}, sizeof(attention_saved));
    if (!node) return NULL;
    int64_t n = cw_rows(qkv), d = cw_cols(qkv) / 3;
    if (cw_cols(qkv) != 3 * d || spec.heads < 1 || d % spec.heads || d / spec.heads > 256) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "attention: a width of %lld can't be cut into 3 x %lld heads of at most 256",
                (long long)cw_cols(qkv), (long long)spec.heads);
        return NULL;
    }
    if (spec.seq.start[spec.seq.count] != n) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "attention: sequences cover %lld rows of %lld",
                (long long)spec.seq.start[spec.seq.count], (long long)n);
        return NULL;
    }
    attention_saved *s = node->saved;
    s->spec = spec;
    s->spec.seq = cw_tape_ragged(t, spec.seq);
    if (spec.rotary != CW_ROTARY_NONE) s->spec.position = cw_tape_index(t, spec.position, n);
    s->a = (cw_attention){spec.heads, d / spec.heads, 1.0f / sqrtf((float)(d / spec.heads)), spec.causal};
    if (spec.rotary != CW_ROTARY_NONE && s->a.head_dim % 2) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "attention: rotary positions need an even head width, not %lld",
                (long long)s->a.head_dim);
        return NULL;
    }
    node->out = cw_tape_matrix(t, n, d);
    if (!node->out || !cw_node_keep(t, node, 0, s->a.heads * n)) return NULL;
    float *q = cw_tape_data(t, qkv);
    if (!q) return NULL;
    turn(t, q, n, d, s, 0);
    t->k->attention(&t->exec, cw_f32(node->out), node->kept[0], q, q + d, q + 2 * d, 3 * d, s->spec.seq, s->a);
    return cw_node_done(t, node);
}
