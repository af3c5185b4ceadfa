/* op_factor.c: sparse factor gates and the messages that pass through them. */
#include "ops.h"

/* ---- top-k gate ---- */

typedef struct {
    float temperature;
} gate_saved;

static void gate_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0];
    float *dx = cw_tape_grad(t, x);
    if (dx)
        t->k->topk_gate_backward(&t->exec, dx, node->out->grad, cw_f32(node->out),
                                 ((gate_saved *)node->saved)->temperature, cw_rows(x), cw_cols(x));
}

static const cw_op op_gate = {"topk_gate", .backward = gate_backward};

cw_tensor *cw_topk_gate(cw_tape *t, cw_tensor *logits, cw_tensor *beta, int64_t k, float temperature)
{
    cw_node *node = cw_node_new(t, &op_gate, 1, (cw_tensor *[]){logits}, sizeof(gate_saved));
    if (!node) return NULL;
    if (beta && cw_count(beta) != cw_cols(logits)) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "topk_gate: %lld offsets for %lld columns", (long long)cw_count(beta),
                (long long)cw_cols(logits));
        return NULL;
    }
    ((gate_saved *)node->saved)->temperature = temperature;
    node->out = cw_tape_matrix(t, cw_rows(logits), cw_cols(logits));
    if (!node->out) return NULL;
    const float *x = cw_tape_data(t, logits), *b = cw_tape_optional(t, beta);
    if (!x || t->ctx->status != CW_OK) return NULL;
    t->k->topk_gate(&t->exec, cw_f32(node->out), x, b, k, temperature, cw_rows(logits), cw_cols(logits));
    return cw_node_done(t, node);
}

/* ---- factor mix: y_c = v_c S_c with S_c = u_c^T h_c[TF]. kept: S (cells, M, d) ---- */

typedef struct {
    cw_factor_rows rows;
    const int32_t *tf_gene; /* where kernels find it */
} mix_saved;

/* The rows of h that belong to cell c's TFs, into tf_h (#tf, d). */
static void tf_rows(cw_tape *t, float *tf_h, const float *h, const mix_saved *s, int64_t c, int64_t d)
{
    int64_t first = s->rows.tf.start[c];
    t->k->gather(&t->exec, tf_h, h, s->tf_gene + first, 0, s->rows.tf.start[c + 1] - first, d);
}

static float *tf_scratch(cw_tape *t, const cw_factor_rows *r, int64_t d)
{
    int64_t most = 0;
    for (int64_t c = 0; c < r->tf.count; c++) {
        int64_t n = r->tf.start[c + 1] - r->tf.start[c];
        if (n > most) most = n;
    }
    return cw_tape_take(t, most * d);
}

static void mix_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *u = node->in[0], *v = node->in[1], *h = node->in[2];
    const mix_saved *saved = node->saved;
    const cw_factor_rows *r = &saved->rows;
    int64_t m = cw_cols(u), d = cw_cols(h);
    const float *ud = cw_tape_data(t, u), *vd = cw_tape_data(t, v), *hd = cw_tape_data(t, h), *dy = node->out->grad;
    float *du = cw_tape_grad(t, u), *dv = cw_tape_grad(t, v), *dh = cw_tape_grad(t, h);
    float *ds = cw_tape_take(t, m * d), *tf_h = tf_scratch(t, r, d);
    if (!ds || !tf_h || t->ctx->status != CW_OK) return;
    for (int64_t c = 0; c < r->gene.count; c++) {
        int64_t g0 = r->gene.start[c], genes = r->gene.start[c + 1] - g0;
        int64_t f0 = r->tf.start[c], tfs = r->tf.start[c + 1] - f0;
        const float *s = node->kept[0] + c * m * d, *dyc = dy + g0 * d;
        t->k->gemm(&t->exec, ds, d, vd + g0 * m, m, 1, dyc, d, 0, 1.0f, 0.0f, m, d, genes);
        if (dv) t->k->gemm(&t->exec, dv + g0 * m, m, dyc, d, 0, s, d, 1, 1.0f, 1.0f, genes, m, d);
        if (du) {
            tf_rows(t, tf_h, hd, saved, c, d);
            t->k->gemm(&t->exec, du + f0 * m, m, tf_h, d, 0, ds, d, 1, 1.0f, 1.0f, tfs, m, d);
        }
        if (dh) {
            t->k->gemm(&t->exec, tf_h, d, ud + f0 * m, m, 0, ds, d, 0, 1.0f, 0.0f, tfs, d, m);
            t->k->scatter_add(&t->exec, dh, tf_h, saved->tf_gene + f0, tfs, d);
        }
    }
    cw_tape_give(t, ds);
    cw_tape_give(t, tf_h);
}

static const cw_op op_mix = {"factor_mix", .backward = mix_backward};

cw_tensor *cw_factor_mix(cw_tape *t, cw_tensor *u, cw_tensor *v, cw_tensor *h, cw_factor_rows rows)
{
    cw_node *node = cw_node_new(t, &op_mix, 3, (cw_tensor *[]){u, v, h}, sizeof(mix_saved));
    if (!node) return NULL;
    int64_t m = cw_cols(u), d = cw_cols(h), cells = rows.gene.count;
    if (cw_cols(v) != m || cw_rows(v) != rows.gene.start[cells] || cw_rows(h) != cw_rows(v) ||
        cw_rows(u) != rows.tf.start[cells]) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "factor_mix: u %lld x %lld, v %lld x %lld, h %lld rows", (long long)cw_rows(u),
                (long long)m, (long long)cw_rows(v), (long long)cw_cols(v), (long long)cw_rows(h));
        return NULL;
    }
    mix_saved *saved = node->saved;
    *saved = (mix_saved){rows, cw_tape_index(t, rows.tf_gene, cw_rows(u))};
    const float *ud = cw_tape_data(t, u), *vd = cw_tape_data(t, v), *hd = cw_tape_data(t, h);
    node->out = cw_tape_matrix(t, cw_rows(h), d);
    float *s = node->out ? cw_node_keep(t, node, 0, cells * m * d) : NULL;
    float *tf_h = s ? tf_scratch(t, &rows, d) : NULL;
    if (!tf_h || t->ctx->status != CW_OK) return NULL;
    for (int64_t c = 0; c < cells; c++) {
        int64_t g0 = rows.gene.start[c], genes = rows.gene.start[c + 1] - g0;
        int64_t f0 = rows.tf.start[c], tfs = rows.tf.start[c + 1] - f0;
        float *sc = s + c * m * d;
        tf_rows(t, tf_h, hd, saved, c, d);
        t->k->gemm(&t->exec, sc, d, ud + f0 * m, m, 1, tf_h, d, 0, 1.0f, 0.0f, m, d, tfs);
        t->k->gemm(&t->exec, cw_f32(node->out) + g0 * d, d, vd + g0 * m, m, 0, sc, d, 0, 1.0f, 0.0f, genes, d, m);
    }
    cw_tape_give(t, tf_h);
    return cw_node_done(t, node);
}
