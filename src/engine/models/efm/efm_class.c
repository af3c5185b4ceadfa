/* efm_class.c: the EFM's settings and parameters, and what can be done with it: pretrain; embed, generate, order, trace. */
#include "efm.h"

#include "../sccafm/gene_order.h"

#include <math.h>
#include <string.h>

/* ---- settings ---- */

#define S cw_efm_config
static const cw_setting settings_of_model[] = {
    CW_SCCAFM_SETTINGS(S, "efm", 1),
    CW_SET_INT(S, head_hidden, "efm.head_hidden_dim", "headHidden", 0, 0, 262144, "hidden width of the heads; 0: embedDim"),
    CW_SCCAFM_RATE(S, head_dropout, "efm.head_dropout", "headDropout", "dropout of the heads"),
    {0}};
#undef S

#define N(a) (int64_t)(sizeof(a) / sizeof(a)[0])
static const cw_option published[] = {{"embedDim", NULL, 768}, {"exprHidden", NULL, 128}, {"batchBins", NULL, 128}};
static const cw_option laptop[] = {{"embedDim", NULL, 64},  {"exprBins", NULL, 16},    {"exprHidden", NULL, 32},
                                   {"batchBins", NULL, 16}, {"batchHidden", NULL, 32}, {"layers", NULL, 2},
                                   {"heads", NULL, 4},      {"mlpHidden", NULL, 128}};
static const cw_preset presets[] = {{"laptop", laptop, N(laptop)}, {"published", published, N(published)}, {0}};

static cw_status check(cw_model *m)
{
    cw_efm_config *c = &((cw_efm *)m)->config;
    if (c->head_hidden == 0) c->head_hidden = c->trunk.embed_dim;
    return cw_sccafm_check(m->ctx, &c->trunk);
}

static cw_status build(cw_model *model)
{
    cw_efm *m = (cw_efm *)model;
    const cw_efm_config *c = &m->config;
    int64_t d = c->trunk.embed_dim;
    cw_sccafm_build(&m->trunk, &model->params, &c->trunk, 1, "");
    m->id_head = cw_sccafm_mlp(&model->params, c->trunk.vocab, c->head_hidden, d, "ph_prob.net");
    m->value_head = cw_sccafm_mlp(&model->params, 1, c->head_hidden, d, "ph_exp.net");
    return model->ctx->status;
}

static void release(cw_model *m) { cw_sccafm_release(&((cw_efm *)m)->trunk, m->ctx); }

/* Floats that the forward and the tape hold: T tokens, V words, see cw_sfm_forecast. */
static double forecast(const cw_model *model, const cw_sizes *z)
{
    const cw_efm_config *c = &((const cw_efm *)model)->config;
    double weights = (double)cw_params_values(&model->params), cells = (double)z->cells, d = (double)c->trunk.embed_dim;
    double n = cells * (double)z->genes, t = n + cells, k = n / 2, layers = (double)c->trunk.layers;
    double encoders = k * (2 * (double)c->trunk.expr_hidden + (double)c->trunk.batch_hidden + 2 * d);
    double ffn = (double)c->trunk.mlp_hidden, block = (t < 1024 ? t : 1024) * ffn, heads = (double)c->head_hidden;
    double values = weights + encoders + t * 5 * d + 2 * block;
    if (z->train)
        values = 4 * weights + 2 * encoders + t * d * (3 * layers + 11) + 3 * block +
                 t * (3 * (double)c->trunk.vocab + 6 * heads);
    return 4.0 * 1.05 * (values + 8 * t + 10 * n);
}

/* ---- pretrain ---- */

static const cw_term terms[] = {{"id", 1.0f, CW_TERM_FATAL, 0}, {"expression", 0.5f, CW_TERM_FATAL, 0}, {0}};

static cw_status pretrain(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    const cw_efm *m = (const cw_efm *)model;
    cw_efm_cells cells;
    (void)settings;
    if (cw_efm_read(&cells, in, m) != CW_OK) return model->ctx->status;
    cw_efm_targets next = cw_efm_next(m, t->arena, &cells.batch);
    if (!next.id || !next.value) return model->ctx->status;
    cw_tensor *hidden = cw_sccafm_forward(&m->trunk, t, &cells.batch, NULL);
    cw_tensor *value = cw_efm_values(m, t, hidden);
    loss->term[0] = cw_cross_entropy_loss(t, cw_efm_ids(m, t, hidden), next.id);
    loss->term[1] = cw_mean_squared(t, value, cw_tape_constant(t, next.value, cells.batch.tokens, 1));
    return model->ctx->status;
}

static const cw_task tasks[] = {{.name = "pretrain", .terms = terms, .loss = pretrain}, {0}};

/* ---- embed: cell (cells, D), and where asked gene (cells, genes, D), genes as they were given ---- */

typedef struct embed_options {
    int genes;
} embed_options;
static const cw_setting embed_settings[] = {
    CW_SET_FLAG(embed_options, genes, "genes", NULL, 0, "the genes' embeddings in each cell, too"), {0}};

/* Where the i-th place of cell c's reading stands among its genes as given. */
static int64_t place(const cw_efm_cells *cells, int64_t c, int64_t i)
{
    return cells->order ? cells->order[c * cells->batch.genes + i] : i;
}

static cw_status embed(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_efm *m = (const cw_efm *)model;
    cw_efm_cells cells;
    if (cw_efm_read(&cells, in, m) != CW_OK) return model->ctx->status;
    const cw_sccafm_batch *b = &cells.batch;
    int64_t d = m->config.trunk.embed_dim;
    const float *hidden = cw_tape_host(t, cw_sccafm_forward(&m->trunk, t, b, NULL));
    float *cell = cw_out(model->ctx, out, "cell", CW_ARRAY_F32, 2, (int64_t[]){b->cells, d});
    for (int64_t c = 0; hidden && cell && c < b->cells; c++)
        memcpy(cell + c * d, hidden + b->seq.start[c] * d, (size_t)d * sizeof *cell);
    if (!((const embed_options *)settings)->genes) return model->ctx->status;
    float *gene = cw_out(model->ctx, out, "gene", CW_ARRAY_F32, 3, (int64_t[]){b->cells, b->genes, d});
    if (!hidden || !gene) return model->ctx->status;
    memset(gene, 0, (size_t)(b->cells * b->genes * d) * sizeof *gene); /* padding */
    for (int64_t c = 0; c < b->cells; c++)
        for (int64_t i = b->gene.start[c]; i < b->gene.start[c + 1]; i++)
            memcpy(gene + (c * b->genes + place(&cells, c, b->gene_slot[i])) * d, hidden + (int64_t)b->gene_row[i] * d,
                   (size_t)d * sizeof *gene);
    return model->ctx->status;
}

/* ---- generate: expression (cells, genes), genes as they were given ---- */

static cw_status generate(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_efm *m = (const cw_efm *)model;
    cw_efm_cells cells;
    (void)settings;
    if (cw_efm_read(&cells, in, m) != CW_OK) return model->ctx->status;
    int64_t n = cells.batch.cells, genes = cells.batch.genes;
    float *read = cw_arena_take(t->arena, n * genes * (int64_t)sizeof *read);
    float *value = cw_out(model->ctx, out, "expression", CW_ARRAY_F32, 2, (int64_t[]){n, genes});
    if (!read || !value || cw_efm_generate(m, t, &cells, read) != CW_OK) return model->ctx->status;
    for (int64_t c = 0; c < n; c++)
        for (int64_t i = 0; i < genes; i++) value[c * genes + place(&cells, c, i)] = read[c * genes + i];
    return model->ctx->status;
}

/* ---- order: of the genes of each cell, from the factors u, v of its network (cells, genes, M): u is 0 but for TFs ---- */

static cw_status order(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    int64_t dim[3] = {-1, -1, -1};
    const float *u = cw_in_f32(in, "u", 3, dim, 0), *v = cw_in_f32(in, "v", 3, dim, 0);
    int64_t cells = dim[0], genes = dim[1], factors = dim[2];
    const uint8_t *padding = cw_in_flags(in, "padding", 2, dim, 1);
    (void)settings;
    if (model->ctx->status != CW_OK) return model->ctx->status;
    int32_t *place_of = cw_out(model->ctx, out, "order", CW_ARRAY_I32, 2, (int64_t[]){cells, genes});
    uint8_t *active = cw_arena_take(t->arena, genes);
    if (!place_of || !active) return model->ctx->status;
    for (int64_t c = 0; c < cells && cw_poll(model->ctx) == CW_OK; c++) {
        int64_t actives, breaks;
        for (int64_t g = 0; g < genes; g++) active[g] = !padding || !padding[c * genes + g];
        cw_tensor *from = cw_tape_constant(t, u + c * genes * factors, genes, factors);
        cw_tensor *to = cw_tape_constant(t, v + c * genes * factors, genes, factors);
        cw_tensor *grn = cw_linear(t, from, to, NULL, CW_ACT_NONE);
        const float *weight = cw_tape_host(t, grn);
        if (!weight ||
            cw_gene_order(model->ctx, place_of + c * genes, &actives, &breaks, weight, active, genes) != CW_OK) break;
        cw_tape_drop(t, grn), cw_tape_drop(t, from), cw_tape_drop(t, to);
    }
    return model->ctx->status;
}

/* ---- trace: hidden, id, expression of every token, in the order of reading, padded with 0; and what they should tell ---- */

static void put(const cw_efm_cells *cells, cw_tape *t, const cw_sink *out, const char *name, const float *x, int64_t d)
{
    const cw_sccafm_batch *b = &cells->batch;
    const int64_t dim[] = {b->cells, b->genes + 1, d};
    float *y = cw_out(t->ctx, out, name, CW_ARRAY_F32, 3, dim);
    if (x && y) cw_sccafm_unpack(y, b, CW_ROWS_TOKEN, x, 0.0f, d);
}

static cw_status trace(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_efm *m = (const cw_efm *)model;
    cw_efm_cells cells;
    (void)settings;
    if (cw_efm_read(&cells, in, m) != CW_OK) return model->ctx->status;
    cw_tensor *hidden = cw_sccafm_forward(&m->trunk, t, &cells.batch, NULL);
    cw_tensor *id = cw_efm_ids(m, t, hidden), *value = cw_efm_values(m, t, hidden);
    cw_efm_targets next = cw_efm_next(m, t->arena, &cells.batch);
    float *next_id = cw_arena_take(t->arena, cells.batch.tokens * (int64_t)sizeof *next_id);
    if (!next.id || !next.value || !next_id) return model->ctx->status;
    for (int64_t i = 0; i < cells.batch.tokens; i++) next_id[i] = (float)next.id[i];
    put(&cells, t, out, "hidden", cw_tape_host(t, hidden), m->config.trunk.embed_dim);
    put(&cells, t, out, "id", cw_tape_host(t, id), m->config.trunk.vocab);
    put(&cells, t, out, "expression", cw_tape_host(t, value), 1);
    put(&cells, t, out, "nextId", next_id, 1);
    put(&cells, t, out, "nextExpression", next.value, 1);
    return model->ctx->status;
}

static const cw_query queries[] = {{"embed", embed_settings, sizeof(embed_options), embed},
                                   {"generate", NULL, 0, generate},
                                   {"order", NULL, 0, order},
                                   {"trace", NULL, 0, trace},
                                   {0}};

/* A package may hold the module under its name. */
static const cw_name_rule rules[] = {{.to = "*", .from = "foundation_modules.efm.*"}, {0}};

const cw_model_class cw_efm_class = {.name = "efm",
                                     .title = "embedding foundation module (scCAFM)",
                                     .settings = settings_of_model,
                                     .presets = presets,
                                     .rules = rules,
                                     .tasks = tasks,
                                     .queries = queries,
                                     .bytes = sizeof(cw_efm),
                                     .config = offsetof(cw_efm, config),
                                     .config_bytes = sizeof(cw_efm_config),
                                     .check = check,
                                     .build = build,
                                     .release = release,
                                     .forecast = forecast};
