/* op_scan.c: the selective scan of Mamba 2. */
#include "ops.h"

typedef struct {
    cw_scan scan;
    int64_t x_at, b_at, c_at;
} scan_saved;

static void scan_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *xbc = node->in[0], *dt = node->in[1], *a = node->in[2], *skip = node->in[3];
    const scan_saved *s = node->saved;
    int64_t ld = cw_cols(xbc), room = t->k->scan_work(&t->exec, s->scan, 1);
    const float *x = cw_tape_data(t, xbc), *dtd = cw_tape_data(t, dt), *ad = cw_tape_data(t, a);
    const float *D = cw_tape_data(t, skip);
    float *work = cw_tape_take(t, room);
    float *g = cw_tape_grad(t, xbc), *ddt = cw_tape_grad(t, dt), *da = cw_tape_grad(t, a), *dD = cw_tape_grad(t, skip);
    if (!x || !dtd || !ad || !work || t->ctx->status != CW_OK) return;
    t->k->scan_backward(&t->exec, g ? g + s->x_at : NULL, ld, ddt, da, g ? g + s->b_at : NULL, ld,
                        g ? g + s->c_at : NULL, ld, dD, work, node->out->grad, x + s->x_at, ld, dtd, ad, x + s->b_at, ld,
                        x + s->c_at, ld, D, s->scan);
    cw_tape_give(t, work);
}

static const cw_op op_scan = {"selective scan", .backward = scan_backward};

cw_tensor *cw_selective_scan(cw_tape *t, cw_tensor *xbc, cw_tensor *dt, cw_tensor *a, cw_tensor *skip,
                             cw_scan_spec spec)
{
    cw_node *node = cw_node_new(t, &op_scan, 4, (cw_tensor *[]){xbc, dt, a, skip}, sizeof(scan_saved));
    if (!node) return NULL;
    int64_t n = cw_rows(xbc), ld = cw_cols(xbc), width = spec.heads * spec.head_dim, sides = spec.groups * spec.state;
    if (spec.heads < 1 || spec.groups < 1 || spec.heads % spec.groups || spec.head_dim < 1 || spec.head_dim > 256 ||
        spec.state < 1 || spec.state > 256 || spec.x_at < 0 || spec.b_at < 0 || spec.c_at < 0 ||
        spec.x_at + width > ld || spec.b_at + sides > ld || spec.c_at + sides > ld) {
        cw_fail(t->ctx, CW_ERR_SHAPE,
                "selective scan: %lld heads of %lld in %lld groups of state %lld don't fit into "
                "%lld columns",
                (long long)spec.heads, (long long)spec.head_dim, (long long)spec.groups, (long long)spec.state,
                (long long)ld);
        return NULL;
    }
    if (cw_rows(dt) != n || cw_cols(dt) != spec.heads || cw_count(a) != spec.heads ||
        (skip && cw_count(skip) != spec.heads) || spec.seq.start[spec.seq.count] != n) {
        cw_fail(t->ctx, CW_ERR_SHAPE,
                "selective scan: steps of %lld x %lld, %lld decays, %lld skips and sequences of "
                "%lld rows for %lld rows and %lld heads",
                (long long)cw_rows(dt), (long long)cw_cols(dt), (long long)cw_count(a),
                (long long)(skip ? cw_count(skip) : 0), (long long)spec.seq.start[spec.seq.count], (long long)n,
                (long long)spec.heads);
        return NULL;
    }
    scan_saved *s = node->saved;
    *s = (scan_saved){{spec.heads, spec.head_dim, spec.groups, spec.state, cw_tape_ragged(t, spec.seq)}, spec.x_at, spec.b_at, spec.c_at};
    node->out = cw_tape_matrix(t, n, width);
    float *work = cw_tape_take(t, t->k->scan_work(&t->exec, s->scan, 0));
    const float *x = cw_tape_data(t, xbc), *dtd = cw_tape_data(t, dt), *ad = cw_tape_data(t, a);
    const float *D = cw_tape_data(t, skip);
    float *y = cw_tape_data(t, node->out);
    if (!work || !x || !dtd || !ad || !y) return NULL;
    t->k->scan(&t->exec, y, work, x + s->x_at, ld, dtd, ad, x + s->b_at, ld, x + s->c_at, ld, D, s->scan);
    cw_tape_give(t, work);
    return cw_node_done(t, node);
}
