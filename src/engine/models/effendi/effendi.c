/* effendi.c: see effendi.h. Parameters are added in effendi_build.c, what can be done with them is in effendi_class.c. */
#include "effendi.h"

#include "../../linalg/dense.h"

#include <math.h>
#include <string.h>

#define NORM_EPS 1e-5f
#define TAU_FLOOR CW_EFFENDI_TAU_FLOOR
#define TINY 1e-12 /* lengths below are not divided by */

/* ---- spectral norms ---- */

/* y := W x / |W x| (or W^T x / |W^T x|); the length goes to the return value */
static double apply(double *y, const float *w, const double *x, int transposed, int64_t rows, int64_t cols)
{
    int64_t out = transposed ? cols : rows;
    double length = 0;
    memset(y, 0, (size_t)out * sizeof *y);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) {
            if (transposed)
                y[j] += w[i * cols + j] * x[i];
            else
                y[i] += w[i * cols + j] * x[j];
        }
    for (int64_t i = 0; i < out; i++) length += y[i] * y[i];
    length = sqrt(length);
    for (int64_t i = 0; i < out; i++) y[i] /= length > TINY ? length : TINY;
    return length;
}

/* The leading singular value of w (rows,cols) and its vectors u (rows), v (cols), from the eigenvectors of the smaller
 * of w w^T and w^T w. 0 with the error recorded when that fails. */
static double leading(cw_tape *t, float *u, float *v, const float *w, int64_t rows, int64_t cols)
{
    int wide = rows <= cols;
    int64_t n = wide ? rows : cols, room = cw_dense_eigen_room(n), all = rows * cols;
    double *x = cw_arena_take(t->arena, (all + n * n + n + room + rows + cols) * (int64_t)sizeof *x), sigma = 0;
    if (!x) return 0;
    double *gram = x + all, *value = gram + n * n, *work = value + n, *left = work + room, *right = left + rows;
    for (int64_t i = 0; i < all; i++) {
        x[i] = w[i];
        if (!isfinite(x[i])) cw_fail(t->ctx, CW_ERR_NUMERIC, "a weight of the vector field is not finite");
    }
    if (t->ctx->status == CW_OK) {
        cw_dense_product(t->exec.threads, gram, x, !wide, x, wide, 0.0, n, n, wide ? cols : rows);
        if (cw_dense_eigen(value, gram, work, n, 0) != 0)
            cw_fail(t->ctx, CW_ERR_NUMERIC, "the singular values of a weight of the vector field can't be found");
    }
    if (t->ctx->status == CW_OK) {
        const double *top = gram + (n - 1) * n;
        memcpy(wide ? left : right, top, (size_t)n * sizeof *top);
        if (wide)
            sigma = apply(right, w, left, 1, rows, cols);
        else
            sigma = apply(left, w, right, 0, rows, cols);
        for (int64_t i = 0; u && i < rows; i++) u[i] = (float)left[i];
        for (int64_t j = 0; v && j < cols; j++) v[j] = (float)right[j];
    }
    cw_arena_give(t->arena, x);
    return sigma;
}

void cw_effendi_power(double *room, float *u, float *v, const float *w, int64_t iterations, int64_t rows, int64_t cols)
{
    double *left = room, *right = left + rows;
    if (iterations < 1) return;
    for (int64_t i = 0; i < rows; i++) left[i] = u[i];
    for (int64_t k = 0; k < iterations; k++) {
        apply(right, w, left, 1, rows, cols);
        apply(left, w, right, 0, rows, cols);
    }
    for (int64_t i = 0; i < rows; i++) u[i] = (float)left[i];
    for (int64_t j = 0; j < cols; j++) v[j] = (float)right[j];
}

cw_effendi_field cw_effendi_field_make(const cw_effendi *m, cw_tape *t, const cw_effendi_flow *flow)
{
    cw_effendi_field f = {0};
    cw_tensor *divided[3] = {0};
    for (int i = 0; i < 3 && t->ctx->status == CW_OK; i++) {
        cw_tensor *w = m->field[i].w;
        int64_t rows = cw_rows(w), cols = cw_cols(w);
        f.u[i] = cw_arena_take(t->arena, rows * (int64_t)sizeof(float));
        f.v[i] = cw_arena_take(t->arena, cols * (int64_t)sizeof(float));
        if (!f.u[i] || !f.v[i]) break;
        memcpy(f.u[i], m->u[i]->data, (size_t)rows * sizeof(float));
        memcpy(f.v[i], m->v[i]->data, (size_t)cols * sizeof(float));
        if (flow->exact)
            leading(t, f.u[i], f.v[i], w->data, rows, cols);
        else {
            double *room = cw_arena_take(t->arena, (rows + cols) * (int64_t)sizeof *room);
            if (room) cw_effendi_power(room, f.u[i], f.v[i], w->data, flow->iterations, rows, cols);
        }
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < cols; c++) f.sigma[i] += (double)f.u[i][r] * cw_f32(w)[r * cols + c] * f.v[i][c];
        divided[i] = cw_spectral_norm(t, w, f.u[i], f.v[i]);
    }
    f.w = (cw_flow_field){divided[0], m->field[0].b, divided[1], m->field[1].b, divided[2], m->field[2].b};
    return f;
}

void cw_effendi_field_store(cw_effendi *m, const cw_effendi_field *field)
{
    for (int i = 0; i < 3; i++) {
        memcpy(m->u[i]->data, field->u[i], (size_t)cw_count(m->u[i]) * sizeof(float));
        memcpy(m->v[i]->data, field->v[i], (size_t)cw_count(m->v[i]) * sizeof(float));
    }
}

double cw_effendi_lipschitz(const cw_effendi *m, const cw_effendi_field *field)
{
    cw_tape *t = cw_tape_new(m->model.ctx); /* for its arena */
    double product = t ? 1.0 : NAN;
    for (int i = 0; t && i < 3; i++) {
        cw_tensor *w = m->field[i].w;
        cw_tape_reset(t, 0, 0, 0, 0);
        product *= leading(t, NULL, NULL, w->data, cw_rows(w), cw_cols(w)) / fabs(field->sigma[i]);
    }
    cw_tape_free(t);
    return m->model.ctx->status == CW_OK ? product : NAN;
}

/* ---- parts ---- */

static cw_tensor *linear(cw_tape *t, cw_tensor *x, cw_effendi_linear l, cw_act act)
{
    return cw_linear(t, x, l.w, l.b, act);
}

cw_tensor *cw_effendi_align(const cw_effendi *m, cw_tape *t, cw_tensor *z_atac)
{
    const cw_effendi_linear *l = m->align;
    cw_tensor *h = cw_layernorm(t, linear(t, z_atac, l[0], CW_ACT_NONE), l[1].w, l[1].b, NORM_EPS);
    h = cw_dropout(t, cw_activate(t, h, CW_ACT_GELU), m->config.dropout);
    return cw_layernorm(t, linear(t, h, l[2], CW_ACT_NONE), l[3].w, l[3].b, NORM_EPS);
}

cw_tensor *cw_effendi_embed(const cw_effendi *m, cw_tape *t, cw_tensor *gene_emb)
{
    if (m->config.adapter_hidden < 1 || t->ctx->status != CW_OK) return gene_emb;
    cw_tensor *h = linear(t, gene_emb, m->adapter[0], CW_ACT_GELU);
    return cw_add_scaled(t, gene_emb, linear(t, h, m->adapter[1], CW_ACT_NONE), 1.0f);
}

/* gene_emb plus what every gene takes from the others */
static cw_tensor *attend(const cw_effendi *m, cw_tape *t, cw_tensor *gene_emb)
{
    cw_tensor *qkv = linear(t, gene_emb, m->attention[0], CW_ACT_NONE);
    int64_t *start = cw_arena_take(t->arena, 2 * (int64_t)sizeof *start);
    if (!qkv || !start) return NULL;
    start[0] = 0, start[1] = cw_rows(gene_emb);
    cw_attention_spec spec = {.heads = m->config.tau_heads, .rotary = CW_ROTARY_NONE, .seq = {.count = 1, .start = start}};
    cw_tensor *seen = cw_self_attention(t, qkv, spec);
    return cw_add_scaled(t, gene_emb, linear(t, seen, m->attention[1], CW_ACT_NONE), 1.0f);
}

cw_tensor *cw_effendi_tau_base(const cw_effendi *m, cw_tape *t, cw_tensor *gene_emb)
{
    cw_tensor *x = m->config.tau_heads > 0 ? attend(m, t, gene_emb) : gene_emb;
    cw_tensor *h = linear(t, x, m->tau_mlp[0], CW_ACT_TANH);
    return cw_affine(t, linear(t, h, m->tau_mlp[1], CW_ACT_SOFTPLUS), 1.0f, TAU_FLOOR);
}

cw_tensor *cw_effendi_tau(const cw_effendi *m, cw_tape *t, cw_tensor *z_a, cw_tensor *gene_emb, const cw_observer *o)
{
    float s = m->config.mod_scale;
    cw_tensor *base = cw_effendi_tau_base(m, t, gene_emb);
    cw_tensor *h =
        cw_layernorm(t, linear(t, z_a, m->cell_mod[0], CW_ACT_NONE), m->cell_mod[1].w, m->cell_mod[1].b, NORM_EPS);
    h = cw_dropout(t, cw_activate(t, h, CW_ACT_TANH), m->config.dropout);
    cw_tensor *mod = cw_affine(t, linear(t, h, m->cell_mod[2], CW_ACT_NONE), s, 0.0f);
    cw_observe(o, t, "tau_base", base);
    cw_observe(o, t, "mod", mod);
    if (o && mod) cw_observe(o, t, "delta", cw_affine(t, cw_linear(t, mod, gene_emb, NULL, CW_ACT_NONE), s, 0.0f));
    /* delta = s mod gene_emb^T, and base is the same for all cells: one product with base as its bias */
    return cw_affine(t, cw_linear(t, cw_affine(t, mod, s, 0.0f), gene_emb, base, CW_ACT_SOFTPLUS), 1.0f, TAU_FLOOR);
}

cw_tensor *cw_effendi_run(cw_tape *t, cw_tensor *z, const cw_effendi_field *field, cw_tensor *duration, float scale,
                          const cw_effendi_flow *flow)
{
    return cw_flow(t, z, field->w, duration, NULL, (cw_flow_spec){(cw_flow_method)flow->method, flow->steps, scale});
}

cw_tensor *cw_effendi_decode_states(const cw_effendi *m, cw_tape *t, cw_tensor *state, cw_tensor *gene_emb)
{
    cw_tensor *h = cw_dropout(t, linear(t, state, m->decoder[0], CW_ACT_RELU), m->config.dropout);
    return cw_linear(t, linear(t, h, m->decoder[1], CW_ACT_NONE), gene_emb, NULL, CW_ACT_SIGMOID);
}

/* Every gene from the state at its own delay. The decoder's second layer and the product with gene_emb are one product
 * per gene, gene_emb w (G, hidden); its first layer follows the flow in the field's hidden width. Dropout is drawn once
 * per cell. */
static cw_tensor *decode_genes(const cw_effendi *m, cw_tape *t, cw_tensor *z_a, cw_tensor *tau, cw_tensor *gene_emb,
                               const cw_effendi_field *field, const cw_effendi_flow *flow)
{
    cw_flow_spec spec = {(cw_flow_method)flow->method, flow->steps, flow->tau_max};
    cw_gene_reading g = {.path = cw_flow_path(t, z_a, field->w, spec)};
    cw_tensor *w = m->decoder[0].w, *b = m->decoder[1].b;
    int64_t hidden = m->config.decoder_hidden, n = z_a ? cw_rows(z_a) : 0;
    if (t->ctx->status != CW_OK) return NULL;
    g.start = linear(t, z_a, m->decoder[0], CW_ACT_NONE);
    g.lift = cw_matmul(t, w, field->w.w3);
    g.drift = cw_linear(t, cw_tape_reshape(t, field->w.b3, 1, m->config.dim), w, NULL, CW_ACT_NONE);
    g.emb = cw_matmul(t, gene_emb, m->decoder[1].w);
    g.bias = cw_linear(t, gene_emb, cw_tape_reshape(t, b, 1, m->config.dim), NULL, CW_ACT_NONE);
    float *mask = NULL;
    if (t->training && m->config.dropout > 0) {
        mask = cw_arena_take(t->arena, n * hidden * (int64_t)sizeof *mask);
        for (int64_t i = 0; mask && i < n * hidden; i++) mask[i] = 1.0f;
        if (mask) t->k->dropout(&t->exec, mask, mask, m->config.dropout, cw_tape_stream(t, CW_RNG_DROPOUT), n * hidden);
    }
    return cw_activate(t, cw_gene_readout(t, g, tau, mask, flow->tau_max, flow->steps), CW_ACT_SIGMOID);
}

/* Without the flow's grid: genes ask z_a's tokens, each with its delay. */
static cw_tensor *decode_tokens(const cw_effendi *m, cw_tape *t, cw_tensor *z_a, cw_tensor *tau, cw_tensor *gene_emb)
{
    const cw_effendi_linear *l = m->readout;
    cw_token_reading x = {.key = linear(t, z_a, l[0], CW_ACT_NONE),
                          .value = linear(t, z_a, l[1], CW_ACT_NONE),
                          .query = linear(t, gene_emb, l[2], CW_ACT_NONE),
                          .delay = m->readout_delay,
                          .out = linear(t, gene_emb, l[3], CW_ACT_NONE)};
    return cw_activate(t, cw_token_readout(t, x, tau, m->config.readout_tokens), CW_ACT_SIGMOID);
}

cw_tensor *cw_effendi_decode(const cw_effendi *m, cw_tape *t, cw_tensor *z_a, cw_tensor *tau, cw_tensor *gene_emb,
                             const cw_effendi_field *field, const cw_effendi_flow *flow)
{
    if (m->config.readout_tokens > 0) return decode_tokens(m, t, z_a, tau, gene_emb);
    if (m->config.gene_readout) return decode_genes(m, t, z_a, tau, gene_emb, field, flow);
    cw_flow_spec spec = {(cw_flow_method)flow->method, flow->steps, flow->tau_max};
    cw_tensor *share = cw_flow_share(t, tau, flow->tau_max, flow->steps);
    return cw_effendi_decode_states(m, t, cw_flow(t, z_a, field->w, NULL, share, spec), gene_emb);
}

cw_tensor *cw_effendi_peaks(const cw_effendi *m, cw_tape *t, cw_tensor *z_a)
{
    return linear(t, linear(t, z_a, m->atac_decoder[0], CW_ACT_RELU), m->atac_decoder[1], CW_ACT_NONE);
}

/* ---- losses ---- */

cw_effendi_losses cw_effendi_loss(const cw_effendi *m, cw_tape *t, cw_tensor *z_a, cw_tensor *tau, cw_tensor *gene_emb,
                                  cw_tensor *z_rna, cw_tensor *expression, const float *peaks,
                                  const cw_effendi_field *field, const cw_effendi_flow *flow,
                                  const cw_effendi_terms *terms)
{
    cw_effendi_losses l = {0};
    l.tau_bar = cw_lower_median(t, tau, terms->per_cell_median);
    l.z_integrated = cw_effendi_run(t, z_a, field, l.tau_bar, 1.0f, flow);
    l.ode = cw_mean_squared(t, l.z_integrated, z_rna);
    l.y = cw_effendi_decode(m, t, z_a, tau, gene_emb, field, flow);
    l.recon = cw_mean_squared(t, l.y, expression);
    l.tau = cw_mean_absolute(t, tau);
    if (terms->reverse) {
        l.z_reversed = cw_effendi_run(t, l.z_integrated, field, l.tau_bar, -1.0f, flow);
        l.reverse = cw_mean_squared(t, z_a, l.z_reversed);
    }
    if (terms->contrast) l.contrast = cw_info_nce(t, z_a, z_rna, terms->temperature);
    if (peaks && t->ctx->status == CW_OK) {
        cw_tensor *open = cw_effendi_peaks(m, t, z_a);
        l.peaks = cw_bce_loss(t, open, open ? cw_tape_constant(t, peaks, cw_rows(open), cw_cols(open)) : NULL);
    }
    if (t->ctx->status != CW_OK) return (cw_effendi_losses){0};
    return l;
}

cw_effendi_losses cw_effendi_match(const cw_effendi *m, cw_tape *t, cw_tensor *z_a, cw_tensor *z_rna,
                                   const float *direction, int64_t count, const cw_effendi_field *field,
                                   const cw_effendi_flow *flow, const cw_effendi_terms *terms)
{
    cw_effendi_losses l = {0};
    l.tau_bar = m->tau_bar;
    l.z_integrated = cw_effendi_run(t, z_a, field, m->tau_bar, 1.0f, flow);
    l.sliced = cw_sliced_w2(t, l.z_integrated, z_rna, direction, count);
    if (terms->contrast) l.contrast = cw_info_nce(t, z_a, z_rna, terms->temperature);
    if (terms->reverse) {
        l.z_reversed = cw_effendi_run(t, l.z_integrated, field, m->tau_bar, -1.0f, flow);
        l.reverse = cw_mean_squared(t, z_a, l.z_reversed);
    }
    if (t->ctx->status != CW_OK) return (cw_effendi_losses){0};
    return l;
}
