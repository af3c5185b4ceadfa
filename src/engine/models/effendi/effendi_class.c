/* effendi_class.c: what can be done with Effendi: its three stages as tasks, and its queries (predict, flow, base). */
#include "effendi.h"

#include "../../core/select.h"

#include <math.h>
#include <string.h>

#define BLOCK 256              /* cells predicted at once */
#define MEDIAN_VALUES 50000000 /* delays a prediction's median is taken over; of more, every so many */

/* ---- settings ---- */

#define S cw_effendi_config
#define WIDTH(member, key, fallback, help) CW_SET_INT(S, member, key, NULL, fallback, 1, 1 << 20, help)
static const cw_setting model_settings[] = {
    WIDTH(atac, "atac", NAN, "width of the chromatin embedding"),
    WIDTH(dim, "dim", NAN, "width of the RNA embedding and of the gene embeddings"),
    WIDTH(align_hidden, "alignHidden", 512, "hidden width of the alignment"),
    WIDTH(field_hidden, "fieldHidden", 128, "hidden width of the vector field"),
    WIDTH(tau_hidden, "tauHidden", 128, "hidden width of the delays' networks"),
    WIDTH(decoder_hidden, "decoderHidden", 256, "hidden width of the decoder"),
    CW_SET_REAL(S, mod_scale, "tauModScale", NULL, 0.1, 0, 1e6, 0, "scale of the cells' part of a delay"),
    CW_SET_REAL(S, dropout, "dropout", NULL, 0.1, 0, 0.999, 0, "dropout in training"),
    CW_SET_INT(S, tau_heads, "tauHeads", NULL, 0, 0, 4096, "attention heads over the gene embeddings; 0: none"),
    CW_SET_INT(S, adapter_hidden, "adapterHidden", NULL, 0, 0, 1 << 20, "adapter of the gene embeddings; 0: none"),
    CW_SET_INT(S, peaks, "peaks", NULL, 0, 0, 1e9, "peaks decoded from chromatin states; 0: none"),
    CW_SET_INT(S, readout_tokens, "readoutTokens", NULL, 0, 0, 4096, "tokens read by attention in place of the flow's grid"),
    CW_SET_FLAG(S, gene_readout, "geneReadout", NULL, 0, "every gene decoded from the state at its own delay"),
    {0}};
#undef WIDTH
#undef S

#define FLOW(S, member)                                                                                                \
    CW_SET_CHOICE(S, member.method, "method", NULL, CW_FLOW_EULER, "euler rk4", "integration of the flow"),            \
        CW_SET_INT(S, member.steps, "nSteps", NULL, 200, 1, 1e6, "steps of the integration"),                          \
        CW_SET_FLAG(S, member.exact, "exact", NULL, 0, "spectral norms by eigenvectors, not power iteration"),         \
        CW_SET_INT(S, member.iterations, "powerIterations", NULL, 1, 0, 1e6, "power iterations a step"),               \
        CW_SET_REAL(S, member.tau_max, "tauMax", NULL, 2, 0, 1e6, 1, "length of the trajectory")

static const cw_setting stage_settings[] = {
    FLOW(cw_effendi_stage, flow),
    CW_SET_REAL(cw_effendi_stage, temperature, "temperature", NULL, 0.1, 0, 1e6, 1, "of the contrast"),
    CW_SET_INT(cw_effendi_stage, projections, "projections", NULL, 200, 1, 1e6, "directions of the sliced distance"),
    {0}};

/* ---- inputs ---- */

/* Rows `row` (n) of the kept input `name` (.,d) as a constant of the tape; NULL without an error where it is optional and
 * not there. */
static cw_tensor *rows_of(cw_tape *t, cw_inputs *in, const char *name, const int32_t *row, int64_t n, int64_t d,
                          int optional)
{
    int64_t dim[2] = {-1, d};
    const float *x = cw_in_f32(in, name, 2, dim, optional);
    if (!x) return NULL;
    float *y = cw_arena_take(t->arena, n * d * (int64_t)sizeof *y);
    for (int64_t i = 0; y && i < n; i++) {
        if (row[i] < 0 || row[i] >= dim[0]) {
            cw_fail(in->ctx, CW_ERR_ARGUMENT, "row %d of the %lld of '%s'", (int)row[i], (long long)dim[0], name);
            return NULL;
        }
        memcpy(y + i * d, x + row[i] * d, (size_t)d * sizeof *y);
    }
    return y ? cw_tape_constant(t, y, n, d) : NULL;
}

/* The rows of a batch: "atac" and "rna", numbers from 0. In stages 2, and with a contrast, they are pairs. */
typedef struct batch {
    const int32_t *atac, *rna;
    int64_t n, m;
} batch;

static int read_batch(cw_inputs *in, batch *b)
{
    int64_t n[1] = {-1}, m[1] = {-1};
    b->atac = cw_in_i32(in, "atac", 1, n, 0);
    b->rna = cw_in_i32(in, "rna", 1, m, 0);
    b->n = n[0], b->m = m[0];
    if (in->ctx->status == CW_OK && (b->n < 1 || b->m < 1)) cw_fail(in->ctx, CW_ERR_ARGUMENT, "an empty batch");
    return in->ctx->status == CW_OK;
}

/* ---- stages ---- */

static const char *const reports[] = {"tauBar", NULL};
static const cw_term match_terms[] = {{"sw2", 1.0f, CW_TERM_FATAL, 0},
                                      {"reverse", 0.1f, CW_TERM_FATAL, 0},
                                      {"contrast", 0.0f, CW_TERM_FATAL, 0},
                                      {0}};
static const cw_term paired_terms[] = {{"ode", 1.0f, CW_TERM_FATAL, 0},      {"recon", 0.5f, CW_TERM_FATAL, 0},
                                       {"tau", 0.01f, CW_TERM_FATAL, 0},     {"reverse", 0.1f, CW_TERM_FATAL, 0},
                                       {"contrast", 0.0f, CW_TERM_FATAL, 0}, {"peaks", 0.0f, CW_TERM_FATAL, 0},
                                       {0}};
static const cw_group match_groups[] = {{"vector_field.*", NAN, NAN, 0}, {"align.*", NAN, NAN, 0},
                                        {"tau_bar", NAN, NAN, 0},        {0}};
static const cw_group frozen_groups[] = {{"*", NAN, NAN, 0}, {"tau_bar", NAN, NAN, 1}, {"vector_field.*", NAN, NAN, 1},
                                         {0}};
static const cw_group tuned_groups[] = {{"*", NAN, NAN, 0}, {"tau_bar", NAN, NAN, 1}, {0}};

/* Remembers the field of a step that moves its vectors. */
static void remember(cw_effendi *m, const cw_effendi_field *field, const cw_effendi_stage *o, int trains_field)
{
    m->store = !o->flow.exact && trains_field;
    m->pending = *field;
}

static cw_status match(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    enum { SW2, REVERSE, CONTRAST };
    cw_effendi *m = (cw_effendi *)model;
    const cw_effendi_stage *o = settings;
    int64_t dim = m->config.dim;
    batch b;
    if (!read_batch(in, &b)) return model->ctx->status;
    cw_effendi_terms terms = {
        .reverse = loss->wanted[REVERSE], .contrast = loss->wanted[CONTRAST], .temperature = o->temperature};
    cw_effendi_field field = cw_effendi_field_make(m, t, &o->flow);
    const char *atac = cw_in_find(in, "freeAtac") ? "freeAtac" : "zAtac";
    const char *rna = cw_in_find(in, "freeRna") ? "freeRna" : "zRna";
    cw_tensor *z = cw_effendi_align(m, t, rows_of(t, in, atac, b.atac, b.n, m->config.atac, 0));
    float *direction = cw_arena_take(t->arena, o->projections * dim * (int64_t)sizeof *direction);
    if (!direction) return model->ctx->status;
    t->k->normal(&t->exec, direction, cw_tape_stream(t, CW_RNG_NOISE), o->projections * dim);
    cw_tensor *z_rna = rows_of(t, in, rna, b.rna, b.m, dim, 0);
    cw_effendi_losses l = cw_effendi_match(m, t, z, z_rna, direction, o->projections, &field, &o->flow, &terms);
    loss->term[SW2] = l.sliced;
    loss->term[REVERSE] = l.reverse;
    loss->term[CONTRAST] = l.contrast;
    loss->report[0] = l.tau_bar;
    remember(m, &field, o, 1);
    return model->ctx->status;
}

static cw_status paired(cw_effendi *m, cw_tape *t, cw_inputs *in, const cw_effendi_stage *o, cw_loss *loss,
                        int trains_field)
{
    enum { ODE, RECON, TAU, REVERSE, CONTRAST, PEAKS };
    const cw_effendi_config *c = &m->config;
    int64_t all[2] = {-1, c->dim};
    batch b;
    const float *gene_emb = cw_in_f32(in, "geneEmbedding", 2, all, 0);
    if (!read_batch(in, &b)) return in->ctx->status;
    cw_effendi_terms terms = {
        .reverse = loss->wanted[REVERSE], .contrast = loss->wanted[CONTRAST], .temperature = o->temperature};
    cw_effendi_field field = cw_effendi_field_make(m, t, &o->flow);
    cw_tensor *z = cw_effendi_align(m, t, rows_of(t, in, "zAtac", b.atac, b.n, c->atac, 0));
    cw_tensor *emb = cw_effendi_embed(m, t, cw_tape_constant(t, gene_emb, all[0], c->dim));
    cw_tensor *tau = cw_effendi_tau(m, t, z, emb, NULL);
    cw_tensor *open = c->peaks > 0 && loss->wanted[PEAKS] ? rows_of(t, in, "peaks", b.atac, b.n, c->peaks, 1) : NULL;
    cw_tensor *z_rna = rows_of(t, in, "zRna", b.rna, b.m, c->dim, 0);
    cw_tensor *expression = rows_of(t, in, "expression", b.rna, b.m, all[0], 0);
    cw_effendi_losses l = cw_effendi_loss(m, t, z, tau, emb, z_rna, expression, open ? cw_tape_host(t, open) : NULL,
                                          &field, &o->flow, &terms);
    loss->term[ODE] = l.ode;
    loss->term[RECON] = l.recon;
    loss->term[TAU] = l.tau;
    loss->term[REVERSE] = l.reverse;
    loss->term[CONTRAST] = l.contrast;
    loss->term[PEAKS] = l.peaks;
    loss->report[0] = l.tau_bar;
    remember(m, &field, o, trains_field);
    return in->ctx->status;
}

static cw_status frozen(cw_model *m, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    return paired((cw_effendi *)m, t, in, settings, loss, 0);
}

static cw_status tuned(cw_model *m, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    return paired((cw_effendi *)m, t, in, settings, loss, 1);
}

static void after_step(cw_model *model, cw_tape *t)
{
    cw_effendi *m = (cw_effendi *)model;
    (void)t;
    if (m->store) cw_effendi_field_store(m, &m->pending);
    m->store = 0;
}

static void forget(cw_model *m) { ((cw_effendi *)m)->store = 0; }

static const cw_task tasks[] = {
    {.name = "match", .terms = match_terms, .reports = reports, .groups = match_groups, .settings = stage_settings,
     .bytes = sizeof(cw_effendi_stage), .loss = match},
    {.name = "frozen", .terms = paired_terms, .reports = reports, .groups = frozen_groups, .settings = stage_settings,
     .bytes = sizeof(cw_effendi_stage), .loss = frozen},
    {.name = "tuned", .terms = paired_terms, .reports = reports, .groups = tuned_groups, .settings = stage_settings,
     .bytes = sizeof(cw_effendi_stage), .loss = tuned},
    {0}};

/* ---- predict: for cells x, everything that can be told ---- */

typedef struct predict_options {
    cw_effendi_flow flow;
    int latent; /* x are aligned states (cells,dim), not chromatin embeddings (cells,atac) */
    int za, tau, tau_mean, y, zi, tau_bar, peaks; /* what is wanted */
} predict_options;

#define WANT(member, name, help) CW_SET_FLAG(predict_options, member, name, NULL, 0, help)
static const cw_setting predict_settings[] = {
    FLOW(predict_options, flow),
    CW_SET_FLAG(predict_options, latent, "latent", NULL, 0, "x are aligned states"),
    WANT(za, "zA", "aligned states (cells, dim)"),
    WANT(tau, "tau", "delays (cells, genes)"),
    WANT(tau_mean, "tauMean", "mean delay of each gene"),
    WANT(y, "yHat", "expression (cells, genes)"),
    WANT(zi, "zIntegrated", "states after the median delay (cells, dim)"),
    WANT(tau_bar, "tauBar", "the median delay"),
    WANT(peaks, "peaks", "probabilities of open peaks (cells, peaks)"),
    {0}};
#undef WANT

typedef struct prediction {
    const predict_options *o;
    float *za, *tau, *y, *zi, *peaks; /* the host's; NULL where not wanted */
    double *mean;
    float *all; /* delays for the median */
    int64_t every, taken;
    float tau_bar;
} prediction;

/* Rows of a block into a result (cells, d) at row `first`. */
static void put(cw_tape *t, float *out, int64_t first, const cw_tensor *x)
{
    const float *from = out && x ? cw_tape_host(t, x) : NULL;
    if (from) memcpy(out + first * cw_cols(x), from, (size_t)cw_count(x) * sizeof *out);
}

/* Cells [first, first + n) of x. Pass 0: all but zi; pass 1: zi. */
static void predict_block(cw_effendi *m, cw_tape *t, prediction *p, const float *x, const float *emb, int64_t genes,
                          int64_t first, int64_t n, int64_t cells, int pass)
{
    const cw_effendi_config *c = &m->config;
    const cw_effendi_flow *flow = &p->o->flow;
    int64_t width = p->o->latent ? c->dim : c->atac;
    cw_tensor *z = cw_tape_constant(t, x + first * width, n, width);
    if (!p->o->latent) z = cw_effendi_align(m, t, z);
    cw_effendi_field field = {.sigma = {0}};
    if (p->zi || p->y) field = cw_effendi_field_make(m, t, flow);
    if (pass == 1) {
        put(t, p->zi, first, cw_effendi_run(t, z, &field, cw_tape_constant(t, &p->tau_bar, 1, 1), 1.0f, flow));
        return;
    }
    put(t, p->za, first, z);
    if (p->peaks) put(t, p->peaks, first, cw_activate(t, cw_effendi_peaks(m, t, z), CW_ACT_SIGMOID));
    if (!p->tau && !p->mean && !p->y && !p->all) return;
    cw_tensor *e = cw_effendi_embed(m, t, cw_tape_constant(t, emb, genes, c->dim));
    cw_tensor *tau = cw_effendi_tau(m, t, z, e, NULL);
    const float *value = tau ? cw_tape_host(t, tau) : NULL;
    if (!value) return;
    put(t, p->tau, first, tau);
    for (int64_t i = 0; p->mean && i < n * genes; i++) p->mean[i % genes] += value[i] / (double)cells;
    for (int64_t i = 0; p->all && i < n * genes; i++)
        if ((first * genes + i) % p->every == 0) p->all[p->taken++] = value[i];
    if (p->y) put(t, p->y, first, cw_effendi_decode(m, t, z, tau, e, &field, flow));
}

static float *wanted(cw_ctx *ctx, const cw_sink *out, const char *name, int want, int64_t rows, int64_t cols)
{
    return want ? cw_out(ctx, out, name, CW_ARRAY_F32, 2, (int64_t[]){rows, cols}) : NULL;
}

static cw_status predict(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    cw_effendi *m = (cw_effendi *)model;
    cw_ctx *ctx = model->ctx;
    const predict_options *o = settings;
    const cw_effendi_config *c = &m->config;
    cw_arena *staging = cw_arena_new(ctx); /* the tape starts afresh for every block */
    cw_inputs own = *in;
    own.arena = staging;
    int64_t xd[2] = {-1, o->latent ? c->dim : c->atac}, ed[2] = {-1, c->dim};
    const float *x = staging ? cw_in_f32(&own, "x", 2, xd, 0) : NULL;
    const float *emb = x ? cw_in_f32(&own, "geneEmbedding", 2, ed, 0) : NULL;
    in->asked = own.asked;
    int64_t cells = xd[0], genes = ed[0];
    prediction p = {.o = o};
    if (emb) {
        p.za = wanted(ctx, out, "zA", o->za, cells, c->dim);
        p.tau = wanted(ctx, out, "tau", o->tau, cells, genes);
        p.y = wanted(ctx, out, "yHat", o->y, cells, genes);
        p.zi = wanted(ctx, out, "zIntegrated", o->zi, cells, c->dim);
        p.peaks = wanted(ctx, out, "peaks", o->peaks && c->peaks > 0, cells, c->peaks);
        p.mean = o->tau_mean ? cw_out(ctx, out, "tauMean", CW_ARRAY_F64, 1, &genes) : NULL;
        p.every = 1 + cells * genes / MEDIAN_VALUES;
        if (o->zi || o->tau_bar) p.all = cw_alloc(ctx, cells * genes / p.every + 1, sizeof *p.all);
        for (int64_t g = 0; p.mean && g < genes; g++) p.mean[g] = 0;
    }
    for (int pass = 0; pass < (p.zi ? 2 : 1) && ctx->status == CW_OK; pass++) {
        for (int64_t i = 0; i < cells && ctx->status == CW_OK; i += BLOCK) {
            cw_tape_reset(t, 0, 0, 0, 0);
            predict_block(m, t, &p, x, emb, genes, i, cells - i < BLOCK ? cells - i : BLOCK, cells, pass);
        }
        if (pass == 0 && p.all && p.taken > 0)
            p.tau_bar = cw_select_largest(p.all, p.taken, p.taken - (p.taken - 1) / 2);
    }
    int64_t one = 1;
    double *bar = p.all && ctx->status == CW_OK ? cw_out(ctx, out, "tauBar", CW_ARRAY_F64, 1, &one) : NULL;
    if (bar) *bar = p.tau_bar;
    cw_free(ctx, p.all);
    cw_arena_free(staging);
    return ctx->status;
}

/* ---- flow: states after durations; base: what holds without cells ---- */

typedef struct flow_options {
    cw_effendi_flow flow;
} flow_options;

static const cw_setting flow_settings[] = {FLOW(flow_options, flow), {0}};

/* end (n,dim) of z (n,dim) after duration, one (1) or one per row (n); negative: back */
static cw_status flow(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    cw_effendi *m = (cw_effendi *)model;
    cw_ctx *ctx = model->ctx;
    const cw_effendi_flow *spec = &((const flow_options *)settings)->flow;
    cw_arena *staging = cw_arena_new(ctx);
    cw_inputs own = *in;
    own.arena = staging;
    int64_t zd[2] = {-1, m->config.dim}, dd[1] = {-1};
    const float *z = staging ? cw_in_f32(&own, "z", 2, zd, 0) : NULL;
    const float *duration = z ? cw_in_f32(&own, "duration", 1, dd, 0) : NULL;
    in->asked = own.asked;
    if (duration && dd[0] != 1 && dd[0] != zd[0])
        cw_fail(ctx, CW_ERR_SHAPE, "%lld durations for %lld states", (long long)dd[0], (long long)zd[0]);
    float *end = cw_out(ctx, out, "end", CW_ARRAY_F32, 2, zd);
    for (int64_t i = 0; end && i < zd[0] && ctx->status == CW_OK; i += BLOCK) {
        int64_t n = zd[0] - i < BLOCK ? zd[0] - i : BLOCK;
        cw_tape_reset(t, 0, 0, 0, 0);
        cw_effendi_field field = cw_effendi_field_make(m, t, spec);
        cw_tensor *tau = cw_tape_constant(t, duration + (dd[0] == 1 ? 0 : i), dd[0] == 1 ? 1 : n, 1);
        put(t, end, i, cw_effendi_run(t, cw_tape_constant(t, z + i * zd[1], n, zd[1]), &field, tau, 1.0f, spec));
    }
    cw_arena_free(staging);
    return ctx->status;
}

/* tauBase (genes) and the field's Lipschitz bound */
static cw_status base(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    cw_effendi *m = (cw_effendi *)model;
    const cw_effendi_flow *spec = &((const flow_options *)settings)->flow;
    int64_t ed[2] = {-1, m->config.dim}, one = 1;
    const float *emb = cw_in_f32(in, "geneEmbedding", 2, ed, 0);
    cw_tensor *x = emb ? cw_effendi_embed(m, t, cw_tape_constant(t, emb, ed[0], ed[1])) : NULL;
    cw_tensor *tau = x ? cw_effendi_tau_base(m, t, x) : NULL;
    put(t, cw_out(model->ctx, out, "tauBase", CW_ARRAY_F32, 1, ed), 0, tau);
    cw_effendi_field field = cw_effendi_field_make(m, t, spec);
    double *bound = cw_out(model->ctx, out, "lipschitz", CW_ARRAY_F64, 1, &one);
    if (bound) *bound = cw_effendi_lipschitz(m, &field);
    return model->ctx->status;
}

static const cw_query queries[] = {{"predict", predict_settings, sizeof(predict_options), predict},
                                   {"flow", flow_settings, sizeof(flow_options), flow},
                                   {"base", flow_settings, sizeof(flow_options), base},
                                   {0}};

const cw_model_class cw_effendi_class = {.name = "effendi",
                                         .title = "Effendi, delays from a flow of chromatin to RNA states",
                                         .settings = model_settings,
                                         .tasks = tasks,
                                         .queries = queries,
                                         .bytes = sizeof(cw_effendi),
                                         .config = offsetof(cw_effendi, config),
                                         .config_bytes = sizeof(cw_effendi_config),
                                         .check = cw_effendi_check,
                                         .build = cw_effendi_build,
                                         .after_step = after_step,
                                         .forget = forget};
