/* op_loss.c: losses, each reduced to one number. Sums run in double and in a fixed order. */
#include "ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIGMA_FLOOR 1e-6  /* added to softplus(s) */
#define SIGMA_LEAST 1e-5  /* and clamped to at least this where a density is taken */
#define HALF_LOG_2PI 0.91893853320467274178

static double sigmoid(double x) { return x >= 0 ? 1.0 / (1.0 + exp(-x)) : exp(x) / (1.0 + exp(x)); }
static double softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

/* What published code calls nan_to_num. *live becomes 0 where the value was replaced: no gradient flows there. */
static double finite_or(double x, double nan, double up, double down, int *live)
{
    if (isfinite(x)) return x;
    *live = 0;
    return isnan(x) ? nan : x > 0 ? up : down;
}

static cw_tensor *scalar(cw_tape *t, cw_node *node, double value)
{
    node->out = cw_tape_matrix(t, 1, 1);
    if (!node->out) return NULL;
    cw_f32(node->out)[0] = (float)value;
    return cw_node_done(t, node);
}

static int width_is(cw_tape *t, const char *op, const cw_tensor *x, int64_t d)
{
    if (cw_cols(x) == d) return 1;
    cw_fail(t->ctx, CW_ERR_SHAPE, "%s: %lld columns, expected %lld", op, (long long)cw_cols(x), (long long)d);
    return 0;
}

/* ---- sampling the latent ---- */

typedef struct {
    const float *eps;
} latent_saved;

static void latent_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *stats = node->in[0];
    const float *eps = ((latent_saved *)node->saved)->eps, *dz = node->out->grad, *in = cw_tape_data(t, stats);
    float *d = cw_tape_grad(t, stats);
    for (int64_t i = 0; d && i < cw_rows(stats); i++) {
        d[2 * i] += dz[i];
        d[2 * i + 1] += (float)(dz[i] * eps[i] * sigmoid(in[2 * i + 1]));
    }
}

static const cw_op op_latent = {"latent_sample", latent_backward, NULL};

cw_tensor *cw_latent_sample(cw_tape *t, cw_tensor *stats, const float *eps)
{
    cw_node *node = cw_node_new(t, &op_latent, 1, (cw_tensor *[]){stats}, sizeof(latent_saved));
    if (!node || !width_is(t, "latent_sample", stats, 2)) return NULL;
    ((latent_saved *)node->saved)->eps = eps;
    node->out = cw_tape_matrix(t, cw_rows(stats), 1);
    if (!node->out) return NULL;
    for (int64_t i = 0; i < cw_rows(stats); i++)
        cw_f32(node->out)[i] =
            (float)(cw_f32(stats)[2 * i] + (softplus(cw_f32(stats)[2 * i + 1]) + SIGMA_FLOOR) * eps[i]);
    return cw_node_done(t, node);
}

/* ---- KL(N(mu, sigma) || N(0, 1)) = (mu^2 + sigma^2 - 1 - log sigma^2) / 2 ---- */

typedef struct {
    double per_cell; /* 1 / cells */
} mean_saved;

static double kl_row(const float stats[2], double d[2])
{
    int mu_live = 1, sigma_live = 1;
    double mu = finite_or(stats[0], 0.0, 1e4, -1e4, &mu_live);
    double sigma = finite_or(softplus(stats[1]) + SIGMA_FLOOR, 1.0, 1e4, SIGMA_LEAST, &sigma_live);
    if (sigma < SIGMA_LEAST) sigma = SIGMA_LEAST, sigma_live = 0;
    d[0] = mu_live ? mu : 0.0;
    d[1] = sigma_live ? (sigma - 1.0 / sigma) * sigmoid(stats[1]) : 0.0;
    return 0.5 * (mu * mu + sigma * sigma - 1.0 - 2.0 * log(sigma));
}

static void kl_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *stats = node->in[0];
    const float *in = cw_tape_data(t, stats);
    float *out = cw_tape_grad(t, stats);
    double g = node->out->grad[0] * ((mean_saved *)node->saved)->per_cell, d[2];
    for (int64_t i = 0; out && i < cw_rows(stats); i++) {
        kl_row(in + 2 * i, d);
        out[2 * i] += (float)(g * d[0]);
        out[2 * i + 1] += (float)(g * d[1]);
    }
}

static const cw_op op_kl = {"kl_normal", kl_backward, NULL};

cw_tensor *cw_kl_normal(cw_tape *t, cw_tensor *stats, int64_t cells)
{
    cw_node *node = cw_node_new(t, &op_kl, 1, (cw_tensor *[]){stats}, sizeof(mean_saved));
    if (!node || !width_is(t, "kl_normal", stats, 2)) return NULL;
    ((mean_saved *)node->saved)->per_cell = 1.0 / (double)cells;
    double sum = 0, d[2];
    for (int64_t i = 0; i < cw_rows(stats); i++) sum += kl_row(cw_f32(stats) + 2 * i, d);
    return scalar(t, node, sum / (double)cells);
}

/* ---- zero-inflated normal ---- */

typedef struct {
    const float *x;
    double per_cell;
} zin_saved;

/* log p(x) under raw = (mu, s, drop logit); d is its gradient with respect to raw. */
static double zin_row(const float raw[3], double x, double d[3])
{
    int mu_live = 1, sigma_live = 1, p_live = 1;
    double mu = finite_or(raw[0], 0.0, 1e4, -1e4, &mu_live);
    double sigma = finite_or(softplus(raw[1]) + SIGMA_FLOOR, 1.0, 1e4, SIGMA_LEAST, &sigma_live);
    double p = finite_or(sigmoid(raw[2]), 0.0, 1.0, 0.0, &p_live), slope = p * (1.0 - p);
    if (sigma < SIGMA_LEAST) sigma = SIGMA_LEAST, sigma_live = 0;
    if (p < 1e-5) p = 1e-5, p_live = 0;
    if (p > 1.0 - 1e-5) p = 1.0 - 1e-5, p_live = 0;
    double e = x - mu, log_normal = -0.5 * e * e / (sigma * sigma) - log(sigma) - HALF_LOG_2PI;
    double value, d_p, d_normal; /* of the result with respect to p and to log_normal */
    if (x == 0.0) {
        double density = exp(log_normal), total = p + (1.0 - p) * density + 1e-8;
        value = log(total);
        d_p = (1.0 - density) / total;
        d_normal = (1.0 - p) * density / total;
    } else {
        value = log(1.0 - p + 1e-8) + log_normal;
        d_p = -1.0 / (1.0 - p + 1e-8);
        d_normal = 1.0;
    }
    d[0] = mu_live ? d_normal * e / (sigma * sigma) : 0.0;
    d[1] = sigma_live ? d_normal * (e * e / (sigma * sigma * sigma) - 1.0 / sigma) * sigmoid(raw[1]) : 0.0;
    d[2] = p_live ? d_p * slope : 0.0;
    return value;
}

static void zin_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *raw = node->in[0];
    zin_saved *s = node->saved;
    const float *in = cw_tape_data(t, raw);
    float *out = cw_tape_grad(t, raw);
    double g = -node->out->grad[0] * s->per_cell, d[3];
    for (int64_t i = 0; out && i < cw_rows(raw); i++) {
        zin_row(in + 3 * i, s->x[i], d);
        for (int j = 0; j < 3; j++) out[3 * i + j] += (float)(g * d[j]);
    }
}

static const cw_op op_zin = {"zi_normal_nll", zin_backward, NULL};

cw_tensor *cw_zi_normal_nll(cw_tape *t, cw_tensor *raw, const float *x, int64_t cells)
{
    cw_node *node = cw_node_new(t, &op_zin, 1, (cw_tensor *[]){raw}, sizeof(zin_saved));
    if (!node || !width_is(t, "zi_normal_nll", raw, 3)) return NULL;
    *(zin_saved *)node->saved = (zin_saved){x, 1.0 / (double)cells};
    double sum = 0, d[3];
    for (int64_t i = 0; i < cw_rows(raw); i++) sum += zin_row(cw_f32(raw) + 3 * i, x[i], d);
    return scalar(t, node, -sum / (double)cells);
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

/* ---- prior network ---- */

int cw_pair_set_has(const cw_pair_set *set, int32_t source, int32_t target)
{
    uint64_t key = (uint64_t)(uint32_t)source << 32 | (uint32_t)target;
    int64_t low = 0, high = set->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (set->sorted[middle] < key) low = middle + 1;
        else high = middle;
    }
    return low < set->count && set->sorted[low] == key;
}

/* One judged edge: row of u, row of v, and d(weighted loss)/dp before the division by the sum of weights. */
typedef struct {
    int32_t u_row, v_row;
    float slope;
} judged;

typedef struct {
    cw_factor_rows rows;
    judged *edge; /* (cells, most) in the arena, as kept[0] */
    int64_t most, *used;
    double weights;
} prior_saved;

static float bounded(float p, float eps, int *live)
{
    *live = 1;
    if (isnan(p)) p = 0.0f, *live = 0;
    if (p < 0.0f) p = 0.0f, *live = 0;
    if (p > 1.0f) p = 1.0f, *live = 0;
    return eps + (1.0f - 2.0f * eps) * p;
}

/* The `top`-th largest of n non-negative floats, and how many are strictly larger. Their bits sort like they do, so two
 * histograms of 16 bits find it. */
static float nth_largest(const float *x, int64_t n, int64_t top, int64_t *larger)
{
    static const int64_t bins = 65536;
    uint32_t prefix = 0;
    int64_t above = 0;
    for (int pass = 0; pass < 2; pass++) {
        uint32_t count[65536];
        memset(count, 0, sizeof count);
        for (int64_t i = 0; i < n; i++) {
            uint32_t bits;
            memcpy(&bits, x + i, 4);
            if (pass == 0) count[bits >> 16]++;
            else if (bits >> 16 == prefix) count[bits & 0xffff]++;
        }
        int64_t b = bins - 1;
        while (b > 0 && above + count[b] < top) above += count[b--];
        if (pass == 0) prefix = (uint32_t)b;
        else prefix = prefix << 16 | (uint32_t)b;
    }
    float value;
    memcpy(&value, &prefix, 4);
    *larger = above;
    return value;
}

/* Judges the `top` strongest edges of one cell (ties: the first in row-major order). Adds to num and den. */
static int64_t judge_cell(judged *edge, float *p, int64_t tfs, int64_t genes, int64_t u0, int64_t v0,
                          const cw_factor_rows *r, const cw_prior_spec *spec, int64_t top, double *num, double *den)
{
    const float eps = 1.1920929e-7f; /* float32's machine epsilon: the larger of it and the published 1e-8 */
    int live;
    for (int64_t i = 0; i < tfs * genes; i++) p[i] = bounded(p[i], eps, &live);
    int64_t larger, used = 0;
    float least = nth_largest(p, tfs * genes, top, &larger);
    int64_t ties = top - larger;
    for (int64_t i = 0; i < tfs * genes && used < top; i++) {
        if (p[i] < least || (p[i] == least && ties-- <= 0)) continue;
        int64_t u_row = u0 + i / genes, v_row = v0 + i % genes;
        int positive = cw_pair_set_has(&spec->pairs, spec->gene_token[r->tf_gene[u_row]], spec->gene_token[v_row]);
        double w = positive ? spec->positive : spec->negative, q = positive ? p[i] : 1.0 - p[i];
        *num += w * -log(q);
        *den += w;
        edge[used++] = (judged){(int32_t)u_row, (int32_t)v_row,
                                (float)((positive ? -w : w) / q * (1.0 - 2.0 * (double)eps))};
    }
    return used;
}

static void prior_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *u = node->in[0], *v = node->in[1];
    prior_saved *s = node->saved;
    int64_t m = cw_cols(u);
    float *du = cw_tape_grad(t, u), *dv = cw_tape_grad(t, v);
    const float *ud = cw_tape_data(t, u), *vd = cw_tape_data(t, v);
    if (t->ctx->status != CW_OK) return;
    float g = (float)(node->out->grad[0] / (s->weights + 1e-8));
#pragma omp parallel for num_threads(t->exec.threads) schedule(dynamic, 1) if (s->most * m > 100000)
    for (int64_t c = 0; c < s->rows.gene.count; c++)
        for (int64_t e = 0; e < s->used[c]; e++) {
            judged j = s->edge[c * s->most + e];
            const float *ui = ud + j.u_row * m, *vj = vd + j.v_row * m;
            for (int64_t i = 0; du && i < m; i++) du[j.u_row * m + i] += g * j.slope * vj[i];
            for (int64_t i = 0; dv && i < m; i++) dv[j.v_row * m + i] += g * j.slope * ui[i];
        }
}

static const cw_op op_prior = {"prior_loss", prior_backward, NULL};

cw_tensor *cw_prior_loss(cw_tape *t, cw_tensor *u, cw_tensor *v, cw_factor_rows rows, cw_prior_spec spec)
{
    cw_node *node = cw_node_new(t, &op_prior, 2, (cw_tensor *[]){u, v}, sizeof(prior_saved));
    if (!node || !factors_fit(t, "prior_loss", u, v, &rows)) return NULL;
    prior_saved *s = node->saved;
    int64_t m = cw_cols(u), cells = rows.gene.count, pairs = 0;
    for (int64_t c = 0; c < cells; c++) {
        int64_t n = (rows.gene.start[c + 1] - rows.gene.start[c]) * (rows.tf.start[c + 1] - rows.tf.start[c]);
        if (n > pairs) pairs = n;
    }
    s->rows = rows;
    s->most = spec.top > 0 && spec.top < pairs ? spec.top : pairs;
    /* edges, then the counts, in one kept block */
    size_t edge_bytes = (size_t)(cells * s->most) * sizeof(judged), align = sizeof(double);
    edge_bytes = (edge_bytes + align - 1) / align * align;
    size_t tail = (size_t)cells * (sizeof(int64_t) + 2 * sizeof(double));
    s->edge = (judged *)cw_node_keep(t, node, 0, (int64_t)((edge_bytes + tail) / sizeof(float)));
    int threads = t->exec.threads < cells ? t->exec.threads : (int)(cells > 0 ? cells : 1);
    if (cells * pairs < 100000) threads = 1;
    float *p = s->edge ? cw_arena_take(t->arena, threads * pairs * (int64_t)sizeof(float)) : NULL;
    if (!p) return NULL;
    s->used = (int64_t *)((char *)s->edge + edge_bytes);
    double *num = (double *)(s->used + cells), *den = num + cells;
    const cw_exec one = {1};
    /* each of `threads` workers has its own p and takes every threads-th cell; cells don't touch each other */
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int worker = 0; worker < threads; worker++)
        for (int64_t c = worker; c < cells; c += threads) {
            int64_t v0 = rows.gene.start[c], genes = rows.gene.start[c + 1] - v0;
            int64_t u0 = rows.tf.start[c], tfs = rows.tf.start[c + 1] - u0, all = tfs * genes;
            float *pc = p + worker * pairs;
            s->used[c] = 0;
            num[c] = den[c] = 0.0;
            if (all == 0) continue;
            t->k->gemm(&one, pc, genes, cw_f32(u) + u0 * m, m, 0, cw_f32(v) + v0 * m, m, 1, 1.0f, 0.0f, tfs, genes, m);
            s->used[c] = judge_cell(s->edge + c * s->most, pc, tfs, genes, u0, v0, &rows, &spec,
                                    s->most < all ? s->most : all, num + c, den + c);
        }
    double top = 0;
    for (int64_t c = 0; c < cells; c++) top += num[c], s->weights += den[c];
    cw_arena_give(t->arena, p);
    return scalar(t, node, top / (s->weights + 1e-8));
}

/* ---- acyclicity: h = tr(B^M) - M, B = I + max(A, 0) / M; dh/dA = (B^(M-1))^T where A > 0. kept: that, per cell ---- */

typedef struct {
    cw_factor_rows rows;
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
    const cw_factor_rows *r = &((factor_saved *)node->saved)->rows;
    int64_t m = cw_cols(u), cells = r->tf.count;
    float *du = cw_tape_grad(t, u), *dv = cw_tape_grad(t, v);
    const float *ud = cw_tape_data(t, u), *vd = cw_tape_data(t, v);
    float *tf_v = cw_arena_take(t->arena, most_tfs(r) * m * (int64_t)sizeof(float));
    if (!tf_v || t->ctx->status != CW_OK) return;
    float g = node->out->grad[0] / (float)cells;
    for (int64_t c = 0; c < cells; c++) {
        int64_t f0 = r->tf.start[c], tfs = r->tf.start[c + 1] - f0;
        const float *dA = node->kept[0] + c * m * m;
        if (du) {
            t->k->gather(&t->exec, tf_v, vd, r->tf_gene + f0, 0, tfs, m);
            t->k->gemm(&t->exec, du + f0 * m, m, tf_v, m, 0, dA, m, 0, g, 1.0f, tfs, m, m);
        }
        if (dv) {
            t->k->gemm(&t->exec, tf_v, m, ud + f0 * m, m, 0, dA, m, 1, g, 0.0f, tfs, m, m);
            t->k->scatter_add(&t->exec, dv, tf_v, r->tf_gene + f0, tfs, m);
        }
    }
    cw_arena_give(t->arena, tf_v);
}

static const cw_op op_dag = {"dag_loss", dag_backward, NULL};

cw_tensor *cw_dag_loss(cw_tape *t, cw_tensor *u, cw_tensor *v, cw_factor_rows rows)
{
    cw_node *node = cw_node_new(t, &op_dag, 2, (cw_tensor *[]){u, v}, sizeof(factor_saved));
    if (!node || !factors_fit(t, "dag_loss", u, v, &rows)) return NULL;
    ((factor_saved *)node->saved)->rows = rows;
    int64_t m = cw_cols(u), mm = m * m, cells = rows.tf.count;
    float *slope = cw_node_keep(t, node, 0, cells * mm);
    float *work = slope ? cw_arena_take(t->arena, (5 * mm + most_tfs(&rows) * m) * (int64_t)sizeof(float)) : NULL;
    if (!work) return NULL;
    float *A = work, *B = A + mm, *power = B + mm, *scratch = power + mm, *tf_v = scratch + 2 * mm;
    double sum = 0;
    for (int64_t c = 0; c < cells; c++) {
        int64_t f0 = rows.tf.start[c], tfs = rows.tf.start[c + 1] - f0;
        t->k->gather(&t->exec, tf_v, cw_f32(v), rows.tf_gene + f0, 0, tfs, m);
        t->k->gemm(&t->exec, A, m, tf_v, m, 1, cw_f32(u) + f0 * m, m, 0, 1.0f, 0.0f, m, m, tfs);
        for (int64_t i = 0; i < mm; i++) B[i] = (i % (m + 1) == 0 ? 1.0f : 0.0f) + (A[i] > 0 ? A[i] / (float)m : 0.0f);
        t->k->matrix_power(&t->exec, power, scratch, B, m, m - 1);
        double trace = 0;
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < m; j++) trace += (double)power[i * m + j] * B[j * m + i];
        sum += trace - (double)m;
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < m; j++) slope[c * mm + i * m + j] = A[i * m + j] > 0 ? power[j * m + i] : 0.0f;
    }
    cw_arena_give(t->arena, work);
    return scalar(t, node, sum / (double)cells);
}

/* ---- sparsity: sum_c (sum_tf u).(sum_g v) / sum_c #tf #genes ---- */

static void sparsity_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *u = node->in[0], *v = node->in[1];
    const cw_factor_rows *r = &((factor_saved *)node->saved)->rows;
    int64_t m = cw_cols(u), cells = r->gene.count;
    float *du = cw_tape_grad(t, u), *dv = cw_tape_grad(t, v);
    if (t->ctx->status != CW_OK) return;
    float g = node->out->grad[0] * node->kept[1][0];
    const float *su = node->kept[0], *sv = su + cells * m;
    for (int64_t c = 0; c < cells; c++) {
        for (int64_t i = r->tf.start[c]; du && i < r->tf.start[c + 1]; i++)
            for (int64_t j = 0; j < m; j++) du[i * m + j] += g * sv[c * m + j];
        for (int64_t i = r->gene.start[c]; dv && i < r->gene.start[c + 1]; i++)
            for (int64_t j = 0; j < m; j++) dv[i * m + j] += g * su[c * m + j];
    }
}

static const cw_op op_sparsity = {"sparsity_loss", sparsity_backward, NULL};

cw_tensor *cw_sparsity_loss(cw_tape *t, cw_tensor *u, cw_tensor *v, cw_factor_rows rows)
{
    cw_node *node = cw_node_new(t, &op_sparsity, 2, (cw_tensor *[]){u, v}, sizeof(factor_saved));
    if (!node || !factors_fit(t, "sparsity_loss", u, v, &rows)) return NULL;
    ((factor_saved *)node->saved)->rows = rows;
    int64_t m = cw_cols(u), cells = rows.gene.count;
    float *su = cw_node_keep(t, node, 0, 2 * cells * m), *scale = cw_node_keep(t, node, 1, 1);
    if (!su || !scale) return NULL;
    float *sv = su + cells * m;
    t->k->segment_sum(&t->exec, su, cw_f32(u), 0, rows.tf, m);
    t->k->segment_sum(&t->exec, sv, cw_f32(v), 0, rows.gene, m);
    double pairs = 0, sum = 0;
    for (int64_t c = 0; c < cells; c++)
        pairs += (double)(rows.tf.start[c + 1] - rows.tf.start[c]) *
                 (double)(rows.gene.start[c + 1] - rows.gene.start[c]);
    for (int64_t i = 0; i < cells * m; i++) sum += (double)su[i] * sv[i];
    *scale = pairs > 0 ? (float)(1.0 / pairs) : 0.0f;
    return scalar(t, node, pairs > 0 ? sum / pairs : 0.0);
}

/* ---- cross entropy. kept: lse (n), then row weights (n) ---- */

typedef struct {
    const int32_t *target;
} ce_saved;

static void ce_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0];
    float *dx = cw_tape_grad(t, x), *weight = node->kept[1];
    if (!dx) return;
    for (int64_t i = 0; i < cw_rows(x); i++) weight[i] *= node->out->grad[0];
    t->k->cross_entropy_backward(&t->exec, dx, weight, cw_tape_data(t, x), node->kept[0],
                                 ((ce_saved *)node->saved)->target, cw_rows(x), cw_cols(x));
}

static const cw_op op_ce = {"cross_entropy", ce_backward, NULL};

cw_tensor *cw_cross_entropy_loss(cw_tape *t, cw_tensor *x, const int32_t *target)
{
    cw_node *node = cw_node_new(t, &op_ce, 1, (cw_tensor *[]){x}, sizeof(ce_saved));
    if (!node) return NULL;
    ((ce_saved *)node->saved)->target = target;
    int64_t n = cw_rows(x), d = cw_cols(x), judged_rows = 0;
    float *lse = cw_node_keep(t, node, 0, n), *loss = cw_node_keep(t, node, 1, n);
    if (!lse || !loss) return NULL;
    for (int64_t i = 0; i < n; i++) {
        judged_rows += target[i] >= 0;
        if (target[i] < d) continue;
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "cross_entropy: target %d of row %lld is beyond the %lld classes",
                (int)target[i], (long long)i, (long long)d);
        return NULL;
    }
    t->k->cross_entropy(&t->exec, loss, lse, cw_f32(x), target, n, d);
    double sum = 0, share = judged_rows ? 1.0 / (double)judged_rows : 0.0;
    for (int64_t i = 0; i < n; i++) {
        sum += loss[i];
        loss[i] = target[i] >= 0 ? (float)share : 0.0f; /* from here on the rows' weights */
    }
    return scalar(t, node, sum * share);
}

/* ---- cross entropy against distributions. kept: d loss / d x for a weight of 1, (n,d) ---- */

static void soft_ce_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0];
    float *dx = cw_tape_grad(t, x), g = node->out->grad[0];
    const float *slope = node->kept[0];
    for (int64_t i = 0; dx && i < cw_count(x); i++) dx[i] += g * slope[i];
}

static const cw_op op_soft_ce = {"soft_cross_entropy", soft_ce_backward, NULL};

cw_tensor *cw_soft_cross_entropy_loss(cw_tape *t, cw_tensor *x, const float *target, float scale)
{
    cw_node *node = cw_node_new(t, &op_soft_ce, 1, (cw_tensor *[]){x}, 0);
    if (!node) return NULL;
    int64_t n = cw_rows(x), d = cw_cols(x);
    float *slope = cw_node_keep(t, node, 0, n * d);
    double sum = 0;
    for (int64_t i = 0; slope && i < n; i++) {
        const float *row = cw_f32(x) + i * d, *want = target + i * d;
        float *out = slope + i * d, top = -INFINITY;
        for (int64_t j = 0; j < d; j++) top = fmaxf(top, scale * row[j]);
        double all = 0, mass = 0, inner = 0;
        for (int64_t j = 0; j < d; j++) {
            out[j] = expf(scale * row[j] - top);
            all += out[j], mass += want[j], inner += (double)want[j] * (scale * row[j] - top);
        }
        sum += mass * log(all) - inner;
        for (int64_t j = 0; j < d; j++) out[j] = (float)(scale * (mass * (out[j] / all) - want[j]) / (double)n);
    }
    return slope ? scalar(t, node, n ? sum / (double)n : 0.0) : NULL;
}

/* ---- binary cross entropy on logits. kept: weights (n) ---- */

typedef struct {
    const float *y;
} bce_saved;

static void bce_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *x = node->in[0];
    float *dx = cw_tape_grad(t, x), *weight = node->kept[0];
    int64_t n = cw_count(x);
    for (int64_t i = 0; i < n; i++) weight[i] = node->out->grad[0] / (float)n;
    if (dx) t->k->bce_backward(&t->exec, dx, weight, cw_tape_data(t, x), ((bce_saved *)node->saved)->y, n);
}

static const cw_op op_bce = {"bce", bce_backward, NULL};

cw_tensor *cw_bce_loss(cw_tape *t, cw_tensor *x, const float *y)
{
    cw_node *node = cw_node_new(t, &op_bce, 1, (cw_tensor *[]){x}, sizeof(bce_saved));
    if (!node) return NULL;
    ((bce_saved *)node->saved)->y = y;
    int64_t n = cw_count(x);
    float *loss = cw_node_keep(t, node, 0, n);
    if (!loss) return NULL;
    t->k->bce(&t->exec, loss, cw_f32(x), y, n);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += loss[i];
    return scalar(t, node, n ? sum / (double)n : 0.0);
}
