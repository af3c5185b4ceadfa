/* effendi.c: see effendi.h. */
#include "effendi.h"

#include "../../linalg/dense.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define NORM_EPS 1e-5f
#define TAU_FLOOR 1e-3f     /* added to every softplus */
#define FIRST_ITERATIONS 15 /* of a new model; PyTorch does as many */
#define TINY 1e-12          /* lengths below are not divided by */

/* ---- parameters ---- */

typedef struct {
    cw_effendi *m;
    uint64_t key, streams;
} builder;

/* nn.Linear's initial values: U(-1/sqrt(in), 1/sqrt(in)) for weight and bias. */
static cw_effendi_linear linear_layer(builder *b, int64_t out, int64_t in, const char *name)
{
    cw_effendi_linear l = {cw_params_add(&b->m->params, 1, 2, (int64_t[]){out, in}, "%s.weight", name),
                           cw_params_add(&b->m->params, 1, 1, &out, "%s.bias", name)};
    float a = 1.0f / sqrtf((float)in);
    if (l.w) cw_rng_fill_uniform(cw_f32(l.w), out * in, cw_rng_stream(b->key, CW_RNG_INIT, b->streams++, 0), -a, a);
    if (l.b) cw_rng_fill_uniform(cw_f32(l.b), out, cw_rng_stream(b->key, CW_RNG_INIT, b->streams++, 0), -a, a);
    return l;
}

static cw_effendi_linear norm_layer(builder *b, int64_t d, const char *name)
{
    cw_effendi_linear l = {cw_params_add(&b->m->params, 1, 1, &d, "%s.weight", name),
                           cw_params_add(&b->m->params, 1, 1, &d, "%s.bias", name)};
    cw_init_constant(l.w, 1.0f);
    return l;
}

static cw_tensor *unit_buffer(builder *b, int64_t n, const char *name)
{
    cw_tensor *x = cw_params_add(&b->m->params, 0, 1, &n, "%s", name);
    if (!x) return NULL;
    cw_rng_fill_normal(cw_f32(x), n, cw_rng_stream(b->key, CW_RNG_INIT, b->streams++, 0), 0.0f, 1.0f);
    double length = 0;
    for (int64_t i = 0; i < n; i++) length += (double)cw_f32(x)[i] * cw_f32(x)[i];
    for (int64_t i = 0; i < n; i++) cw_f32(x)[i] = (float)(cw_f32(x)[i] / sqrt(length));
    return x;
}

static void add_field(builder *b, const cw_effendi_config *c)
{
    const int64_t size[] = {c->dim, c->field_hidden, c->field_hidden, c->dim};
    char name[64];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "vector_field.net.%d", 2 * i);
        b->m->field[i] = linear_layer(b, size[i + 1], size[i], name);
        snprintf(name, sizeof name, "vector_field.net.%d.weight_u", 2 * i);
        b->m->u[i] = unit_buffer(b, size[i + 1], name);
        snprintf(name, sizeof name, "vector_field.net.%d.weight_v", 2 * i);
        b->m->v[i] = unit_buffer(b, size[i], name);
    }
}

static void add_options(builder *b, const cw_effendi_config *c)
{
    cw_effendi *m = b->m;
    if (c->tau_heads > 0) {
        m->attention[0] = linear_layer(b, 3 * c->dim, c->dim, "tau_predictor.attention.in_proj");
        m->attention[1] = linear_layer(b, c->dim, c->dim, "tau_predictor.attention.out_proj");
    }
    if (c->adapter_hidden > 0) {
        m->adapter[0] = linear_layer(b, c->adapter_hidden, c->dim, "adapter.0");
        m->adapter[1] = linear_layer(b, c->dim, c->adapter_hidden, "adapter.2");
        cw_init_constant(m->adapter[1].w, 0.0f); /* begins as the embedding itself */
        cw_init_constant(m->adapter[1].b, 0.0f);
    }
    if (c->peaks > 0) {
        m->atac_decoder[0] = linear_layer(b, c->decoder_hidden, c->dim, "atac_decoder.0");
        m->atac_decoder[1] = linear_layer(b, c->peaks, c->decoder_hidden, "atac_decoder.2");
    }
    if (c->readout_tokens > 0) {
        int64_t k = c->decoder_hidden, all = c->readout_tokens * k;
        m->readout[0] = linear_layer(b, all, c->dim, "readout.key");
        m->readout[1] = linear_layer(b, all, c->dim, "readout.value");
        m->readout[2] = linear_layer(b, k, c->dim, "readout.query");
        m->readout[3] = linear_layer(b, k, c->dim, "readout.out");
        m->readout_delay = cw_params_add(&m->params, 1, 1, &k, "readout.delay");
        cw_init_normal(m->readout_delay, cw_rng_stream(b->key, CW_RNG_INIT, b->streams++, 0), 1.0f);
    }
}

static cw_status check_config(cw_ctx *ctx, const cw_effendi_config *c)
{
    const int64_t size[] = {c->atac, c->dim, c->align_hidden, c->field_hidden, c->tau_hidden, c->decoder_hidden};
    for (int i = 0; i < 6; i++)
        if (size[i] < 1 || size[i] > 1 << 20)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "effendi: a layer of width %lld", (long long)size[i]);
    if (c->readout_tokens < 0 || c->readout_tokens > 4096 || (c->readout_tokens > 0 && c->gene_readout))
        return cw_fail(ctx, CW_ERR_ARGUMENT, "effendi: a readout from %lld tokens%s", (long long)c->readout_tokens,
                       c->gene_readout ? " and per gene from the flow" : "");
    if (c->tau_heads > 0 && (c->dim % c->tau_heads || c->dim / c->tau_heads > 256))
        return cw_fail(ctx, CW_ERR_ARGUMENT,
                       "effendi: %lld heads don't divide a width of %lld into heads of at most 256",
                       (long long)c->tau_heads, (long long)c->dim);
    return CW_OK;
}

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

/* `iterations` times v = W^T u / |.|, u = W v / |.|; without any u and v stay. room (rows + cols) */
static void power(double *room, float *u, float *v, const float *w, int64_t iterations, int64_t rows, int64_t cols)
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

/* New weights' vectors, from random ones: training follows them from there, one iteration a step. */
static void start_power(cw_effendi *m)
{
    for (int i = 0; i < 3 && m->ctx->status == CW_OK; i++) {
        int64_t rows = cw_rows(m->field[i].w), cols = cw_cols(m->field[i].w);
        double *room = cw_alloc(m->ctx, rows + cols, sizeof *room);
        if (room) power(room, cw_f32(m->u[i]), cw_f32(m->v[i]), cw_f32(m->field[i].w), FIRST_ITERATIONS, rows, cols);
        cw_free(m->ctx, room);
    }
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
        memcpy(f.u[i], cw_f32(m->u[i]), (size_t)rows * sizeof(float));
        memcpy(f.v[i], cw_f32(m->v[i]), (size_t)cols * sizeof(float));
        if (flow->exact)
            leading(t, f.u[i], f.v[i], cw_f32(w), rows, cols);
        else {
            double *room = cw_arena_take(t->arena, (rows + cols) * (int64_t)sizeof *room);
            if (room) power(room, f.u[i], f.v[i], cw_f32(w), flow->iterations, rows, cols);
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
        memcpy(cw_f32(m->u[i]), field->u[i], (size_t)cw_count(m->u[i]) * sizeof(float));
        memcpy(cw_f32(m->v[i]), field->v[i], (size_t)cw_count(m->v[i]) * sizeof(float));
    }
}

double cw_effendi_lipschitz(const cw_effendi *m, const cw_effendi_field *field)
{
    cw_tape *t = cw_tape_new(m->ctx); /* for its arena */
    double product = t ? 1.0 : NAN;
    for (int i = 0; t && i < 3; i++) {
        cw_tensor *w = m->field[i].w;
        cw_tape_reset(t, 0, 0, 0, 0);
        product *= leading(t, NULL, NULL, cw_f32(w), cw_rows(w), cw_cols(w)) / fabs(field->sigma[i]);
    }
    cw_tape_free(t);
    return m->ctx->status == CW_OK ? product : NAN;
}

cw_effendi *cw_effendi_new(cw_ctx *ctx, const cw_effendi_config *config, uint64_t key)
{
    if (ctx->status != CW_OK || check_config(ctx, config) != CW_OK) return NULL;
    cw_effendi *m = cw_calloc(ctx, 1, sizeof *m);
    if (!m) return NULL;
    m->ctx = ctx;
    m->config = *config;
    cw_params_init(&m->params, ctx);
    const cw_effendi_config *c = config;
    builder b = {m, key, 0};
    m->align[0] = linear_layer(&b, c->align_hidden, c->atac, "align.net.0");
    m->align[1] = norm_layer(&b, c->align_hidden, "align.net.1");
    m->align[2] = linear_layer(&b, c->dim, c->align_hidden, "align.net.4");
    m->align[3] = norm_layer(&b, c->dim, "align.net.5");
    add_field(&b, c);
    m->tau_mlp[0] = linear_layer(&b, c->tau_hidden, c->dim, "tau_predictor.tau_mlp.0");
    m->tau_mlp[1] = linear_layer(&b, 1, c->tau_hidden, "tau_predictor.tau_mlp.2");
    m->cell_mod[0] = linear_layer(&b, c->tau_hidden, c->dim, "tau_predictor.cell_mod.0");
    m->cell_mod[1] = norm_layer(&b, c->tau_hidden, "tau_predictor.cell_mod.1");
    m->cell_mod[2] = linear_layer(&b, c->dim, c->tau_hidden, "tau_predictor.cell_mod.4");
    m->decoder[0] = linear_layer(&b, c->decoder_hidden, c->dim, "decoder.proj.0");
    m->decoder[1] = linear_layer(&b, c->dim, c->decoder_hidden, "decoder.proj.3");
    m->tau_bar = cw_params_add(&m->params, 1, 1, (int64_t[]){1}, "tau_bar");
    cw_init_constant(m->tau_bar, 0.6931472f + TAU_FLOOR); /* softplus(0), where tau_base begins too */
    add_options(&b, c);
    start_power(m);
    if (ctx->status == CW_OK) return m;
    cw_effendi_free(m);
    return NULL;
}

void cw_effendi_free(cw_effendi *m)
{
    if (!m) return;
    cw_params_free(&m->params);
    cw_free(m->ctx, m);
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
    return cw_flow(t, z, field->w, duration, NULL, (cw_flow_spec){flow->method, flow->steps, scale});
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
    cw_flow_spec spec = {flow->method, flow->steps, flow->tau_max};
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
    cw_flow_spec spec = {flow->method, flow->steps, flow->tau_max};
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
