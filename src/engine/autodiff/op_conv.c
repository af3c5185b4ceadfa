/* op_conv.c: short and long convolutions along packed sequences. */
#include "ops.h"

#include <stdlib.h>

static int conv_fits(cw_tape *t, const char *op, const cw_tensor *x, int64_t channels, const cw_tensor *b,
                     cw_ragged seq)
{
    int64_t d = cw_cols(x);
    if (channels == d && (!b || cw_count(b) == d) && seq.start[seq.count] == cw_rows(x)) return 1;
    cw_fail(t->ctx, CW_ERR_SHAPE,
            "%s: filters of %lld channels, %lld biases and sequences of %lld rows for %lld x %lld", op,
            (long long)channels, (long long)(b ? cw_count(b) : 0), (long long)seq.start[seq.count],
            (long long)cw_rows(x), (long long)d);
    return 0;
}

/* ---- short ---- */

typedef struct {
    cw_ragged seq;
    int64_t taps;
} short_saved;

static void short_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0], *w = node->in[1], *b = node->in[2];
    const short_saved *s = node->saved;
    const float *xd = cw_tape_data(t, x), *wd = cw_tape_data(t, w), *dy = node->out->grad;
    float *dx = cw_tape_grad(t, x), *dw = cw_tape_grad(t, w), *db = cw_tape_grad(t, b);
    if (!xd || !wd || t->ctx->status != CW_OK) return;
    t->k->short_conv_backward(&t->exec, dx, dw, dy, xd, wd, s->seq, s->taps, cw_cols(x));
    if (db) t->k->column_sum(&t->exec, db, dy, cw_rows(x), cw_cols(x));
}

static const cw_op op_short = {"short_conv", .backward = short_backward};

cw_tensor *cw_short_conv(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b, cw_ragged seq)
{
    cw_node *node = cw_node_new(t, &op_short, 3, (cw_tensor *[]){x, w, b}, sizeof(short_saved));
    if (!node || !conv_fits(t, "short_conv", x, w->dim[0], b, seq)) return NULL;
    short_saved *s = node->saved;
    *s = (short_saved){cw_tape_ragged(t, seq), cw_count(w) / w->dim[0]};
    node->out = cw_tape_matrix(t, cw_rows(x), cw_cols(x));
    const float *xd = cw_tape_data(t, x), *wd = cw_tape_data(t, w), *bd = cw_tape_data(t, b);
    float *y = cw_tape_data(t, node->out);
    if (!xd || !wd || !y) return NULL;
    t->k->short_conv(&t->exec, y, xd, wd, bd, s->seq, s->taps, cw_cols(x));
    return cw_node_done(t, node);
}

/* ---- long ---- */

typedef struct {
    cw_conv_part *part; /* of the arena; empty sequences are left out, those of one size stand together */
    int64_t parts;
} long_saved;

static int by_size(const void *a, const void *b)
{
    const cw_conv_part *p = a, *q = b;
    if (p->size != q->size) return p->size < q->size ? -1 : 1;
    return p->from < q->from ? -1 : p->from > q->from;
}

static void long_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0], *h = node->in[1], *b = node->in[2];
    const long_saved *s = node->saved;
    int64_t taps = cw_rows(h), d = cw_cols(x);
    const float *xd = cw_tape_data(t, x), *hd = cw_tape_data(t, h), *bd = cw_tape_data(t, b);
    float *dx = cw_tape_grad(t, x), *dh = cw_tape_grad(t, h), *db = cw_tape_grad(t, b);
    int64_t room = t->k->long_conv_work(&t->exec, s->part, s->parts, d, 1);
    float *work = cw_tape_take(t, room);
    if (!xd || !hd || !work || t->ctx->status != CW_OK) return;
    t->k->long_conv_backward(&t->exec, dx, dh, db, work, node->out->grad, xd, hd, bd, s->part, s->parts, taps, d);
    cw_tape_give(t, work);
}

static const cw_op op_long = {"long_conv", .backward = long_backward};

cw_tensor *cw_long_conv(cw_tape *t, cw_tensor *x, cw_tensor *h, cw_tensor *b, cw_ragged seq)
{
    cw_node *node = cw_node_new(t, &op_long, 3, (cw_tensor *[]){x, h, b}, sizeof(long_saved));
    if (!node || !conv_fits(t, "long_conv", x, cw_cols(h), b, seq)) return NULL;
    long_saved *s = node->saved;
    int64_t taps = cw_rows(h), d = cw_cols(x);
    s->part = cw_arena_take(t->arena, (seq.count + 1) * (int64_t)sizeof *s->part);
    if (!s->part) return NULL;
    for (int64_t i = 0; i < seq.count; i++) {
        cw_conv_part p = {seq.start[i], seq.start[i + 1], 0, NULL};
        if (p.to == p.from) continue;
        t->k->conv_plan(t->ctx, &p, p.to - p.from);
        if (t->ctx->status != CW_OK) return NULL;
        s->part[s->parts++] = p;
    }
    qsort(s->part, (size_t)s->parts, sizeof *s->part, by_size);
    node->out = cw_tape_matrix(t, cw_rows(x), d);
    int64_t room = t->k->long_conv_work(&t->exec, s->part, s->parts, d, 0);
    float *work = cw_tape_take(t, room);
    const float *xd = cw_tape_data(t, x), *hd = cw_tape_data(t, h), *bd = cw_tape_data(t, b);
    float *y = cw_tape_data(t, node->out);
    if (!xd || !hd || !y || !work) return NULL;
    t->k->long_conv(&t->exec, y, work, xd, hd, bd, s->part, s->parts, taps, d);
    cw_tape_give(t, work);
    return cw_node_done(t, node);
}
