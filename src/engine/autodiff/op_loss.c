/* op_loss.c: losses, each reduced to one number. The kernels add up in double and in a fixed order. */
#include "ops.h"

/* The op's result of one number: where the kernel writes it, or NULL on a failed context. */
static float *scalar(cw_tape *t, cw_node *node)
{
    node->out = cw_tape_matrix(t, 1, 1);
    return node->out ? cw_f32(node->out) : NULL;
}

static int width_is(cw_tape *t, const char *op, const cw_tensor *x, int64_t d)
{
    if (cw_cols(x) == d) return 1;
    cw_fail(t->ctx, CW_ERR_SHAPE, "%s: %lld columns, expected %lld", op, (long long)cw_cols(x), (long long)d);
    return 0;
}

/* A constant second input of the same count: (n) beside the rows of x, or of all its values. */
static int constant_fits(cw_tape *t, const char *op, const cw_tensor *y, int64_t n)
{
    if (cw_count(y) == n && !y->needs_grad) return 1;
    cw_fail(t->ctx, CW_ERR_SHAPE, "%s: %lld constant values expected, got %lld%s", op, (long long)n,
            (long long)cw_count(y), y->needs_grad ? " that need a gradient" : "");
    return 0;
}

/* ---- sampling the latent ---- */

static void latent_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *stats = node->in[0];
    const float *in = cw_tape_data(t, stats), *eps = cw_tape_data(t, node->in[1]);
    float *d = cw_tape_grad(t, stats);
    if (d && in && eps) t->k->latent_backward(&t->exec, d, node->out->grad, in, eps, cw_rows(stats));
}

static const cw_op op_latent = {"latent_sample", .backward = latent_backward};

cw_tensor *cw_latent_sample(cw_tape *t, cw_tensor *stats, cw_tensor *eps)
{
    cw_node *node = cw_node_new(t, &op_latent, 2, (cw_tensor *[]){stats, eps}, 0);
    if (!node || !width_is(t, "latent_sample", stats, 2) || !constant_fits(t, "latent_sample", eps, cw_rows(stats)))
        return NULL;
    node->out = cw_tape_matrix(t, cw_rows(stats), 1);
    const float *in = cw_tape_data(t, stats), *noise = cw_tape_data(t, eps);
    if (!node->out || !in || !noise) return NULL;
    t->k->latent(&t->exec, cw_f32(node->out), in, noise, cw_rows(stats));
    return cw_node_done(t, node);
}

/* ---- KL(N(mu, sigma) || N(0, 1)) ---- */

typedef struct {
    int64_t cells;
} mean_saved;

static void kl_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *stats = node->in[0];
    const float *in = cw_tape_data(t, stats);
    float *d = cw_tape_grad(t, stats), g = cw_tape_loss_grad(t, node);
    if (d && in) t->k->kl_normal_backward(&t->exec, d, g, in, ((mean_saved *)node->saved)->cells, cw_rows(stats));
}

static const cw_op op_kl = {"kl_normal", .backward = kl_backward, .loss = 1};

cw_tensor *cw_kl_normal(cw_tape *t, cw_tensor *stats, int64_t cells)
{
    cw_node *node = cw_node_new(t, &op_kl, 1, (cw_tensor *[]){stats}, sizeof(mean_saved));
    if (!node || !width_is(t, "kl_normal", stats, 2)) return NULL;
    ((mean_saved *)node->saved)->cells = cells;
    const float *in = cw_tape_data(t, stats);
    float *out = scalar(t, node);
    if (!in || !out) return NULL;
    t->k->kl_normal(&t->exec, out, in, cells, cw_rows(stats));
    return cw_tape_over(cw_node_done(t, node), (double)cells);
}

/* ---- zero-inflated normal ---- */

static void zin_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *raw = node->in[0];
    const float *in = cw_tape_data(t, raw), *x = cw_tape_data(t, node->in[1]);
    float *d = cw_tape_grad(t, raw), g = cw_tape_loss_grad(t, node);
    if (d && in && x)
        t->k->zi_normal_backward(&t->exec, d, g, in, x, ((mean_saved *)node->saved)->cells, cw_rows(raw));
}

static const cw_op op_zin = {"zi_normal_nll", .backward = zin_backward, .loss = 1};

cw_tensor *cw_zi_normal_nll(cw_tape *t, cw_tensor *raw, cw_tensor *x, int64_t cells)
{
    cw_node *node = cw_node_new(t, &op_zin, 2, (cw_tensor *[]){raw, x}, sizeof(mean_saved));
    if (!node || !width_is(t, "zi_normal_nll", raw, 3) || !constant_fits(t, "zi_normal_nll", x, cw_rows(raw)))
        return NULL;
    ((mean_saved *)node->saved)->cells = cells;
    const float *in = cw_tape_data(t, raw), *xd = cw_tape_data(t, x);
    float *out = scalar(t, node);
    if (!in || !xd || !out) return NULL;
    t->k->zi_normal(&t->exec, out, in, xd, cells, cw_rows(raw));
    return cw_tape_over(cw_node_done(t, node), (double)cells);
}

/* u (U, M) and v (N, M) must be the rows that `rows` describes. */
static int factors_fit(cw_tape *t, const char *op, const cw_tensor *u, const cw_tensor *v, const cw_factor_rows *rows)
{
    if (cw_cols(u) == cw_cols(v) && cw_rows(u) == rows->tf.start[rows->tf.count] &&
        cw_rows(v) == rows->gene.start[rows->gene.count])
        return 1;
    cw_fail(t->ctx, CW_ERR_SHAPE, "%s: u %lld x %lld and v %lld x %lld for %lld TF and %lld gene rows", op,
            (long long)cw_rows(u), (long long)cw_cols(u), (long long)cw_rows(v), (long long)cw_cols(v),
            (long long)rows->tf.start[rows->tf.count], (long long)rows->gene.start[rows->gene.count]);
    return 0;
}

/* ---- prior network. kept: [0] the judged edges, [1] how many of each cell, [2] the sum of weights ---- */

typedef struct {
    cw_prior prior;
} prior_saved;

static void prior_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *u = node->in[0], *v = node->in[1];
    float *du = cw_tape_grad(t, u), *dv = cw_tape_grad(t, v), g = cw_tape_loss_grad(t, node);
    const float *ud = cw_tape_data(t, u), *vd = cw_tape_data(t, v);
    if (t->ctx->status != CW_OK) return;
    t->k->prior_loss_backward(&t->exec, du, dv, g, (double *)(void *)node->kept[2], (cw_judged *)(void *)node->kept[0],
                              (int64_t *)(void *)node->kept[1], ud, vd, ((prior_saved *)node->saved)->prior, cw_cols(u));
}

static const cw_op op_prior = {"prior_loss", .backward = prior_backward, .loss = 1};

cw_tensor *cw_prior_loss(cw_tape *t, cw_tensor *u, cw_tensor *v, cw_factor_rows rows, cw_prior_spec spec)
{
    cw_node *node = cw_node_new(t, &op_prior, 2, (cw_tensor *[]){u, v}, sizeof(prior_saved));
    if (!node || !factors_fit(t, "prior_loss", u, v, &rows)) return NULL;
    int64_t cells = rows.gene.count, edges = 0;
    for (int64_t c = 0; c < cells; c++) {
        int64_t n = (rows.gene.start[c + 1] - rows.gene.start[c]) * (rows.tf.start[c + 1] - rows.tf.start[c]);
        if (n > edges) edges = n;
    }
    cw_prior *p = &((prior_saved *)node->saved)->prior;
    *p = (cw_prior){.gene = cw_tape_ragged(t, rows.gene),
                    .tf = cw_tape_ragged(t, rows.tf),
                    .tf_gene = cw_tape_index(t, rows.tf_gene, cw_rows(u)),
                    .gene_token = cw_tape_index(t, spec.gene_token, cw_rows(v)),
                    .pair = cw_tape_there(t, spec.pairs.sorted, spec.pairs.count * (int64_t)sizeof(uint64_t)),
                    .pairs = spec.pairs.count,
                    .top = spec.top > 0 && spec.top < edges ? spec.top : edges,
                    .positive = spec.positive,
                    .negative = spec.negative};
    const int64_t f = sizeof(float);
    float *edge = cw_node_keep(t, node, 0, cells * p->top * (int64_t)sizeof(cw_judged) / f);
    float *used = cw_node_keep(t, node, 1, cells * (int64_t)sizeof(int64_t) / f);
    float *weights = cw_node_keep(t, node, 2, (int64_t)sizeof(double) / f);
    float *work = cw_tape_take(t, (t->k->prior_work(&t->exec, cells, edges) + f - 1) / f);
    const float *ud = cw_tape_data(t, u), *vd = cw_tape_data(t, v);
    float *out = scalar(t, node);
    if (!edge || !used || !weights || !work || !ud || !vd || !out) return NULL;
    t->k->prior_loss(&t->exec, out, (double *)(void *)weights, (cw_judged *)(void *)edge, (int64_t *)(void *)used, work,
                     edges, ud, vd, *p, cw_cols(u));
    cw_tape_give(t, work);
    double over = 0;
    t->k->device->copy_out(t->ctx, &over, weights, sizeof over);
    return cw_tape_over(cw_node_done(t, node), over);
}

/* ---- acyclicity: h = tr(B^M) - M, B = I + max(A, 0) / M; dh/dA = (B^(M-1))^T where A > 0. kept: that, per cell ---- */

typedef struct {
    cw_factor_rows rows;
    const int32_t *tf_gene; /* where kernels find it */
    double pairs;           /* of TFs and genes, over all cells */
} factor_saved;

static int64_t most_tfs(const cw_factor_rows *r)
{
    int64_t most = 0;
    for (int64_t c = 0; c < r->tf.count; c++)
        if (r->tf.start[c + 1] - r->tf.start[c] > most) most = r->tf.start[c + 1] - r->tf.start[c];
    return most;
}

static void dag_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *u = node->in[0], *v = node->in[1];
    const factor_saved *s = node->saved;
    const cw_factor_rows *r = &s->rows;
    int64_t m = cw_cols(u), cells = r->tf.count;
    float *du = cw_tape_grad(t, u), *dv = cw_tape_grad(t, v);
    const float *ud = cw_tape_data(t, u), *vd = cw_tape_data(t, v);
    float *tf_v = cw_tape_take(t, most_tfs(r) * m);
    if (!tf_v || t->ctx->status != CW_OK) return;
    float g = cw_tape_loss_grad(t, node) / (float)cells;
    for (int64_t c = 0; c < cells; c++) {
        int64_t f0 = r->tf.start[c], tfs = r->tf.start[c + 1] - f0;
        const float *dA = node->kept[0] + c * m * m;
        if (du) {
            t->k->gather(&t->exec, tf_v, vd, s->tf_gene + f0, 0, tfs, m);
            t->k->gemm(&t->exec, du + f0 * m, m, tf_v, m, 0, dA, m, 0, g, 1.0f, tfs, m, m);
        }
        if (dv) {
            t->k->gemm(&t->exec, tf_v, m, ud + f0 * m, m, 0, dA, m, 1, g, 0.0f, tfs, m, m);
            t->k->scatter_add(&t->exec, dv, tf_v, s->tf_gene + f0, tfs, m);
        }
    }
    cw_tape_give(t, tf_v);
}

static const cw_op op_dag = {"dag_loss", .backward = dag_backward, .loss = 1};

cw_tensor *cw_dag_loss(cw_tape *t, cw_tensor *u, cw_tensor *v, cw_factor_rows rows)
{
    cw_node *node = cw_node_new(t, &op_dag, 2, (cw_tensor *[]){u, v}, sizeof(factor_saved));
    if (!node || !factors_fit(t, "dag_loss", u, v, &rows)) return NULL;
    factor_saved *s = node->saved;
    *s = (factor_saved){.rows = rows, .tf_gene = cw_tape_index(t, rows.tf_gene, cw_rows(u))};
    int64_t m = cw_cols(u), mm = m * m, cells = rows.tf.count;
    float *slope = cw_node_keep(t, node, 0, cells * mm);
    float *work = slope ? cw_tape_take(t, 5 * mm + most_tfs(&rows) * m) : NULL;
    double *h = work ? cw_arena_take(t->memory, cells * (int64_t)sizeof *h) : NULL;
    const float *ud = cw_tape_data(t, u), *vd = cw_tape_data(t, v);
    float *out = scalar(t, node);
    if (!h || !ud || !vd || !out) return NULL;
    float *A = work, *B = A + mm, *power = B + mm, *scratch = power + mm, *tf_v = scratch + 2 * mm;
    for (int64_t c = 0; c < cells; c++) {
        int64_t f0 = rows.tf.start[c], tfs = rows.tf.start[c + 1] - f0;
        t->k->gather(&t->exec, tf_v, vd, s->tf_gene + f0, 0, tfs, m);
        t->k->gemm(&t->exec, A, m, tf_v, m, 1, ud + f0 * m, m, 0, 1.0f, 0.0f, m, m, tfs);
        t->k->acyclic_matrix(&t->exec, B, A, m);
        t->k->matrix_power(&t->exec, power, scratch, B, m, m - 1);
        t->k->acyclic(&t->exec, h + c, slope + c * mm, power, B, A, m);
    }
    t->k->sum_double(&t->exec, out, h, (double)cells, cells);
    cw_tape_give(t, work), cw_tape_give(t, h);
    return cw_tape_over(cw_node_done(t, node), (double)cells);
}

/* ---- sparsity: sum_c (sum_tf u).(sum_g v) / sum_c #tf #genes ---- */

/* kept: sums of u over each cell's TFs, then of v over its genes (cells, M) */
static void sparsity_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *u = node->in[0], *v = node->in[1];
    const factor_saved *s = node->saved;
    int64_t m = cw_cols(u), cells = s->rows.gene.count;
    float *du = cw_tape_grad(t, u), *dv = cw_tape_grad(t, v), *su = node->kept[0], *sv = su + cells * m;
    if (t->ctx->status != CW_OK) return;
    float g = cw_tape_loss_grad(t, node) * (s->pairs > 0 ? (float)(1.0 / s->pairs) : 0.0f);
    t->k->affine(&t->exec, su, su, g, 0.0f, 2 * cells * m);
    if (du) t->k->segment_sum_backward(&t->exec, du, sv, 0, s->rows.tf, m);
    if (dv) t->k->segment_sum_backward(&t->exec, dv, su, 0, s->rows.gene, m);
}

static const cw_op op_sparsity = {"sparsity_loss", .backward = sparsity_backward, .loss = 1};

cw_tensor *cw_sparsity_loss(cw_tape *t, cw_tensor *u, cw_tensor *v, cw_factor_rows rows)
{
    cw_node *node = cw_node_new(t, &op_sparsity, 2, (cw_tensor *[]){u, v}, sizeof(factor_saved));
    if (!node || !factors_fit(t, "sparsity_loss", u, v, &rows)) return NULL;
    rows.tf = cw_tape_ragged(t, rows.tf);
    rows.gene = cw_tape_ragged(t, rows.gene);
    factor_saved *s = node->saved;
    s->rows = rows;
    int64_t m = cw_cols(u), cells = rows.gene.count;
    for (int64_t c = 0; c < cells; c++)
        s->pairs += (double)(rows.tf.start[c + 1] - rows.tf.start[c]) *
                    (double)(rows.gene.start[c + 1] - rows.gene.start[c]);
    float *su = cw_node_keep(t, node, 0, 2 * cells * m), *out = scalar(t, node);
    const float *ud = cw_tape_data(t, u), *vd = cw_tape_data(t, v);
    if (!su || !out || !ud || !vd) return NULL;
    float *sv = su + cells * m;
    t->k->segment_sum(&t->exec, su, ud, 0, rows.tf, m);
    t->k->segment_sum(&t->exec, sv, vd, 0, rows.gene, m);
    if (s->pairs > 0) t->k->dot(&t->exec, out, su, sv, s->pairs, cells * m);
    else t->k->fill(&t->exec, out, 0.0f, 1);
    return cw_tape_over(cw_node_done(t, node), s->pairs);
}

/* ---- cross entropy. kept: [0] lse (n), [1] row values, then row weights (n) ---- */

typedef struct {
    const int32_t *target; /* where kernels find it */
    float share;           /* 1 / rows that are judged */
} ce_saved;

static void ce_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0];
    const ce_saved *s = node->saved;
    const float *xd = cw_tape_data(t, x);
    float *dx = cw_tape_grad(t, x), *weight = node->kept[1], g = cw_tape_loss_grad(t, node);
    if (!dx || !xd) return;
    t->k->row_weights(&t->exec, weight, s->target, s->share * g, cw_rows(x));
    t->k->cross_entropy_backward(&t->exec, dx, weight, xd, node->kept[0], s->target, cw_rows(x), cw_cols(x));
}

static const cw_op op_ce = {"cross_entropy", .backward = ce_backward, .loss = 1};

cw_tensor *cw_cross_entropy_loss(cw_tape *t, cw_tensor *x, const int32_t *target)
{
    cw_node *node = cw_node_new(t, &op_ce, 1, (cw_tensor *[]){x}, sizeof(ce_saved));
    if (!node) return NULL;
    int64_t n = cw_rows(x), d = cw_cols(x), judged_rows = 0;
    for (int64_t i = 0; i < n; i++) {
        judged_rows += target[i] >= 0;
        if (target[i] < d) continue;
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "cross_entropy: target %d of row %lld is beyond the %lld classes",
                (int)target[i], (long long)i, (long long)d);
        return NULL;
    }
    double share = judged_rows ? 1.0 / (double)judged_rows : 0.0;
    ce_saved *s = node->saved;
    *s = (ce_saved){cw_tape_index(t, target, n), (float)share};
    float *lse = cw_node_keep(t, node, 0, n), *loss = cw_node_keep(t, node, 1, n);
    const float *xd = cw_tape_data(t, x);
    float *out = scalar(t, node);
    if (!lse || !loss || !xd || !out) return NULL;
    t->k->cross_entropy(&t->exec, loss, lse, xd, s->target, n, d);
    t->k->sum(&t->exec, out, loss, share, 1.0, n);
    return cw_tape_over(cw_node_done(t, node), (double)judged_rows);
}

/* ---- cross entropy against distributions. kept: d loss / d x for a weight of 1, (n,d) ---- */

static void soft_ce_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0];
    float *dx = cw_tape_grad(t, x), g = cw_tape_loss_grad(t, node);
    if (dx) t->k->add_scaled(&t->exec, dx, node->kept[0], g, cw_count(x));
}

static const cw_op op_soft_ce = {"soft_cross_entropy", .backward = soft_ce_backward, .loss = 1};

cw_tensor *cw_soft_cross_entropy_loss(cw_tape *t, cw_tensor *x, cw_tensor *target, float scale)
{
    cw_node *node = cw_node_new(t, &op_soft_ce, 2, (cw_tensor *[]){x, target}, 0);
    if (!node || !constant_fits(t, "soft_cross_entropy", target, cw_count(x))) return NULL;
    if (cw_count(x) == 0 && cw_rows(x) > 0) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "soft_cross_entropy: %lld rows without classes", (long long)cw_rows(x));
        return NULL;
    }
    float *slope = cw_node_keep(t, node, 0, cw_count(x));
    const float *xd = cw_tape_data(t, x), *want = cw_tape_data(t, target);
    float *out = scalar(t, node);
    if (!slope || !xd || !want || !out) return NULL;
    t->k->soft_cross_entropy(&t->exec, out, slope, xd, want, scale, cw_rows(x), cw_cols(x));
    return cw_tape_over(cw_node_done(t, node), (double)cw_rows(x));
}

/* ---- binary cross entropy on logits. kept: values, then weights (n) ---- */

static void bce_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0];
    const float *xd = cw_tape_data(t, x), *y = cw_tape_data(t, node->in[1]);
    float *dx = cw_tape_grad(t, x), *weight = node->kept[0], g = cw_tape_loss_grad(t, node);
    int64_t n = cw_count(x);
    if (!dx || !xd || !y) return;
    t->k->fill(&t->exec, weight, g / (float)n, n);
    t->k->bce_backward(&t->exec, dx, weight, xd, y, n);
}

static const cw_op op_bce = {"bce", .backward = bce_backward, .loss = 1};

cw_tensor *cw_bce_loss(cw_tape *t, cw_tensor *x, cw_tensor *y)
{
    cw_node *node = cw_node_new(t, &op_bce, 2, (cw_tensor *[]){x, y}, 0);
    if (!node || !constant_fits(t, "bce", y, cw_count(x))) return NULL;
    int64_t n = cw_count(x);
    float *loss = cw_node_keep(t, node, 0, n);
    const float *xd = cw_tape_data(t, x), *yd = cw_tape_data(t, y);
    float *out = scalar(t, node);
    if (!loss || !xd || !yd || !out) return NULL;
    t->k->bce(&t->exec, loss, xd, yd, n);
    t->k->sum(&t->exec, out, loss, 1.0, n ? (double)n : 1.0, n);
    return cw_tape_over(cw_node_done(t, node), (double)n);
}
