/* op_sequence.c: packed sequences reversed, and reduced to one row each. */
#include "ops.h"

/* 1 where the ragged offsets cover the rows of x exactly */
static int covers(cw_tape *t, const char *op, const cw_tensor *x, cw_ragged seq)
{
    if (seq.start[seq.count] == cw_rows(x)) return 1;
    cw_fail(t->ctx, CW_ERR_SHAPE, "%s: sequences cover %lld rows of %lld", op, (long long)seq.start[seq.count],
            (long long)cw_rows(x));
    return 0;
}

typedef struct {
    cw_ragged seq;
    int mean;
} sequence_saved;

/* ---- reversal ---- */

static void reverse_forward(cw_tape *t, cw_node *node)
{
    const float *x = cw_tape_data(t, node->in[0]);
    float *y = cw_tape_data(t, node->out);
    if (x && y) t->k->reverse(&t->exec, y, x, 0, ((sequence_saved *)node->saved)->seq, cw_cols(node->out));
}

static void reverse_backward(cw_tape *t, cw_node *node)
{
    float *dx = cw_tape_grad(t, node->in[0]);
    if (dx) t->k->reverse(&t->exec, dx, node->out->grad, 1, ((sequence_saved *)node->saved)->seq, cw_cols(node->out));
}

static const cw_op op_reverse = {"reverse", .backward = reverse_backward, .forward = reverse_forward};

cw_tensor *cw_reverse(cw_tape *t, cw_tensor *x, cw_ragged seq)
{
    cw_node *node = cw_node_new(t, &op_reverse, 1, (cw_tensor *[]){x}, sizeof(sequence_saved));
    if (!node || !covers(t, "reverse", x, seq)) return NULL;
    ((sequence_saved *)node->saved)->seq = cw_tape_ragged(t, seq);
    node->out = cw_tape_matrix(t, cw_rows(x), cw_cols(x));
    if (!node->out) return NULL;
    reverse_forward(t, node);
    return cw_node_done(t, node);
}

/* ---- sums and means of segments ---- */

static void segment_backward(cw_tape *t, cw_node *node)
{
    const sequence_saved *s = node->saved;
    float *dx = cw_tape_grad(t, node->in[0]);
    if (dx) t->k->segment_sum_backward(&t->exec, dx, node->out->grad, s->mean, s->seq, cw_cols(node->out));
}

static const cw_op op_segment = {"segment_sum", .backward = segment_backward};

cw_tensor *cw_segment_sum(cw_tape *t, cw_tensor *x, cw_ragged seg, int mean)
{
    cw_node *node = cw_node_new(t, &op_segment, 1, (cw_tensor *[]){x}, sizeof(sequence_saved));
    if (!node || !covers(t, "segment_sum", x, seg)) return NULL;
    *(sequence_saved *)node->saved = (sequence_saved){cw_tape_ragged(t, seg), mean};
    node->out = cw_tape_matrix(t, seg.count, cw_cols(x));
    const float *xd = cw_tape_data(t, x);
    float *out = cw_tape_data(t, node->out);
    if (!xd || !out) return NULL;
    t->k->segment_sum(&t->exec, out, xd, mean, ((sequence_saved *)node->saved)->seq, cw_cols(x));
    return cw_node_done(t, node);
}
