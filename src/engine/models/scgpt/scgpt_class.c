/* scgpt_class.c: what can be done with scGPT: training, and its queries (embed, predict, genes, attention, tokens). */
#include "scgpt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAKE(t, count, type) ((type *)cw_arena_take((t)->arena, (int64_t)(count) * (int64_t)sizeof(type)))

/* ---- batches ---- */

static cw_status read_batch(const cw_scgpt *m, cw_tape *t, cw_inputs *in, const cw_scgpt_reading *how,
                            cw_scgpt_batch *b, int64_t *columns)
{
    cw_scgpt_input x = cw_scgpt_input_read(in);
    if (in->ctx->status != CW_OK || cw_scgpt_batch_build(b, t->arena, &x, how, &m->config) != CW_OK)
        return in->ctx->status;
    *columns = x.length;
    if (m->config.batches == 0) return CW_OK;
    int64_t dim[1] = {b->cells};
    const int32_t *label = cw_in_i32(in, "batch", 1, dim, 0);
    int32_t *copy = TAKE(t, b->cells, int32_t);
    for (int64_t c = 0; label && copy && c < b->cells; c++) {
        copy[c] = label[c];
        if (label[c] < 0 || label[c] >= m->config.batches)
            return cw_fail(in->ctx, CW_ERR_ARGUMENT, "batch %d of cell %lld: the model knows %lld", (int)label[c],
                           (long long)(c + 1), (long long)m->config.batches);
    }
    b->batch_label = copy;
    return in->ctx->status;
}

/* ---- training ---- */

typedef struct training {
    cw_scgpt_reading reading;
    float mask, threshold;
} training;

static const cw_setting training_settings[] = {
    CW_SCGPT_READING(training, reading),
    CW_SET_REAL(training, mask, "mask", NULL, 0.4, 0, 0.99, 0, "share of the genes that is masked"),
    CW_SET_REAL(training, threshold, "threshold", NULL, 0.8, 0, 1, 0, "similarity that cells are drawn to"),
    {0}};

enum { MLM, MLM_ZERO, MVC, MVC_ZERO, CLASS, SIMILARITY };
static const cw_term terms[] = {{"mlm", 1.0f, CW_TERM_FATAL, 0},      {"mlmZero", 1.0f, CW_TERM_FATAL, 0},
                                {"mvc", 1.0f, CW_TERM_FATAL, 0},      {"mvcZero", 1.0f, CW_TERM_FATAL, 0},
                                {"class", 1.0f, CW_TERM_FATAL, 0},    {"similarity", 0.0f, CW_TERM_FATAL, 0},
                                {0}};

static cw_status train(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    const cw_scgpt *m = (const cw_scgpt *)model;
    const cw_scgpt_config *c = &m->config;
    const training *o = settings;
    cw_scgpt_batch b;
    int64_t columns = 0, dim[1];
    if (read_batch(m, t, in, &o->reading, &b, &columns) != CW_OK) return model->ctx->status;
    int values = loss->wanted[MLM] || loss->wanted[MLM_ZERO] || loss->wanted[MVC] || loss->wanted[MVC_ZERO];
    cw_scgpt_masked k = cw_scgpt_mask(t, in, &b, columns, values ? o->mask : 0, c->mask_value);
    float *is_above = TAKE(t, k.n + 1, float);
    for (int64_t i = 0; is_above && i < k.n; i++) is_above[i] = k.target[i] > 0 ? 1.0f : 0.0f;
    dim[0] = b.cells;
    const int32_t *label = cw_in_i32(in, "label", 1, dim, !loss->wanted[CLASS]);
    if (model->ctx->status != CW_OK) return model->ctx->status;
    cw_scgpt_output y = cw_scgpt_forward(m, t, &b, NULL, c->layers, NULL);
    if (k.n > 0) {
        cw_tensor *target = cw_tape_constant(t, k.target, k.n, 1), *above = cw_tape_constant(t, is_above, k.n, 1);
        if (loss->wanted[MLM])
            loss->term[MLM] = cw_mean_squared(t, cw_scgpt_decode(m, t, &y, &m->decoder, &b, k.row, k.n), target);
        if (loss->wanted[MLM_ZERO] && c->zeros)
            loss->term[MLM_ZERO] = cw_bce_loss(t, cw_scgpt_decode(m, t, &y, &m->zero_decoder, &b, k.row, k.n), above);
        if (loss->wanted[MVC] && c->mvc)
            loss->term[MVC] = cw_mean_squared(t, cw_scgpt_decode_cell(m, t, &y, &m->mvc, &b, k.row, k.n), target);
        if (loss->wanted[MVC_ZERO] && c->mvc && c->zeros)
            loss->term[MVC_ZERO] = cw_bce_loss(t, cw_scgpt_decode_cell(m, t, &y, &m->mvc_zero, &b, k.row, k.n), above);
    }
    if (label && loss->wanted[CLASS]) loss->term[CLASS] = cw_cross_entropy_loss(t, cw_scgpt_classify(m, t, &y), label);
    if (loss->wanted[SIMILARITY]) loss->term[SIMILARITY] = cw_scgpt_similarity_loss(t, y.cell, o->threshold);
    return model->ctx->status;
}

static const cw_task tasks[] = {{.name = "train",
                                 .terms = terms,
                                 .settings = training_settings,
                                 .bytes = sizeof(training),
                                 .loss = train},
                                {0}};

/* ---- embed: cell (cells,d), and how many genes each was read from ---- */

typedef struct embedding {
    cw_scgpt_reading reading;
    int unit;
} embedding;

static const cw_setting embed_settings[] = {
    CW_SCGPT_READING(embedding, reading), CW_SET_FLAG(embedding, unit, "unit", NULL, 1, "vectors of length 1"), {0}};

static cw_status embed(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_scgpt *m = (const cw_scgpt *)model;
    const embedding *o = settings;
    cw_scgpt_batch b;
    int64_t columns;
    if (read_batch(m, t, in, &o->reading, &b, &columns) != CW_OK) return model->ctx->status;
    cw_scgpt_output y = cw_scgpt_forward(m, t, &b, NULL, m->config.layers, NULL);
    return cw_scgpt_put_cells(t, out, y.cell, o->unit, &b);
}

/* ---- predict: values of every token in the columns it came from; NaN elsewhere ---- */

typedef struct prediction {
    cw_scgpt_reading reading;
    int mlm, mvc, zeros, class;
} prediction;

#define WANT(member, name, help) CW_SET_FLAG(prediction, member, name, NULL, 0, help)
static const cw_setting predict_settings[] = {CW_SCGPT_READING(prediction, reading),
                                              WANT(mlm, "mlm", "values by the tokens (cells, columns)"),
                                              WANT(mvc, "mvc", "values by the cells' vectors (cells, columns)"),
                                              WANT(zeros, "mlmZero", "probabilities of a value above 0"),
                                              WANT(class, "class", "logits of the classes (cells, classes)"),
                                              {0}};
#undef WANT

static cw_status predict(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_scgpt *m = (const cw_scgpt *)model;
    const prediction *o = settings;
    cw_scgpt_batch b;
    int64_t columns;
    if (read_batch(m, t, in, &o->reading, &b, &columns) != CW_OK) return model->ctx->status;
    cw_scgpt_mask(t, in, &b, columns, 0, m->config.mask_value);
    int32_t *row = TAKE(t, b.rows, int32_t);
    if (!row || model->ctx->status != CW_OK) return model->ctx->status;
    for (int64_t r = 0; r < b.rows; r++) row[r] = (int32_t)r;
    cw_scgpt_output y = cw_scgpt_forward(m, t, &b, NULL, m->config.layers, NULL);
    if (o->mlm) cw_scgpt_put_values(t, out, "mlm", cw_scgpt_decode(m, t, &y, &m->decoder, &b, row, b.rows), &b, columns);
    if (o->zeros && m->config.zeros) {
        cw_tensor *logit = cw_scgpt_decode(m, t, &y, &m->zero_decoder, &b, row, b.rows);
        cw_scgpt_put_values(t, out, "mlmZero", cw_activate(t, logit, CW_ACT_SIGMOID), &b, columns);
    }
    if (o->mvc && m->config.mvc)
        cw_scgpt_put_values(t, out, "mvc", cw_scgpt_decode_cell(m, t, &y, &m->mvc, &b, row, b.rows), &b, columns);
    if (o->class) cw_model_put(t, out, "class", cw_scgpt_classify(m, t, &y));
    return model->ctx->status;
}

/* ---- genes: token (n) -> gene (n,d), normed as the model reads them ---- */

static cw_status genes(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_scgpt *m = (const cw_scgpt *)model;
    (void)settings;
    return cw_scgpt_put_genes(t, in, out, m->gene_table, &m->gene_norm);
}

/* ---- states: state (cells,columns,d): every gene's row after the last layer, NaN where it isn't read ---- */

static cw_status states(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_scgpt *m = (const cw_scgpt *)model;
    cw_scgpt_batch b;
    int64_t columns;
    if (read_batch(m, t, in, settings, &b, &columns) != CW_OK) return model->ctx->status;
    return cw_scgpt_put_states(t, out, cw_scgpt_forward(m, t, &b, NULL, m->config.layers, NULL).hidden, &b, columns);
}

/* ---- attention: of one layer, summed over cells that have the same tokens ---- */

enum { RANKS, SOFTMAX };
typedef struct attention {
    cw_scgpt_reading reading;
    int64_t layer;
    int kind;
} attention;

static const cw_setting attention_settings[] = {
    CW_SCGPT_READING(attention, reading),
    CW_SET_INT(attention, layer, "layer", NULL, NAN, 1, 1000, "layer whose attention is read"),
    CW_SET_CHOICE(attention, kind, "kind", NULL, RANKS, "ranks softmax", "ranks among row and column, or weights"),
    {0}};

/* (n,n): row i asks, column j answers; the mean over heads, summed over cells. Row and column 0 are <cls>. */
static cw_status attend(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_scgpt *m = (const cw_scgpt *)model;
    const attention *o = settings;
    int64_t columns, d = m->config.width, H = m->config.heads;
    cw_scgpt_batch b;
    if (o->layer > m->config.layers)
        return cw_fail(model->ctx, CW_ERR_ARGUMENT, "layer %lld of a model of %lld", (long long)o->layer,
                       (long long)m->config.layers);
    if (read_batch(m, t, in, &o->reading, &b, &columns) != CW_OK) return model->ctx->status;
    int64_t n = b.length, start[2] = {0, n};
    int same = b.rows == b.cells * n;
    for (int64_t r = n; same && r < b.rows; r++) same = b.token_row[r] == b.token_row[r - n];
    if (!same)
        return cw_fail(model->ctx, CW_ERR_ARGUMENT, "attention is averaged over cells that have the same tokens");
    cw_scgpt_output y = cw_scgpt_forward(m, t, &b, NULL, o->layer - 1, NULL);
    cw_tensor *qkv = cw_layer_linear_forward(t, y.hidden, &m->layer[o->layer - 1].qkv, CW_ACT_NONE);
    double *sum = cw_out(model->ctx, out, "score", CW_ARRAY_F64, 2, (int64_t[]){n, n});
    if (!sum) return model->ctx->status;
    memset(sum, 0, (size_t)(n * n) * sizeof *sum);
    cw_attend_spec spec = {.heads = H, .query = {1, start, NULL}, .key = {1, start, NULL}, .width = d, .k_at = d};
    for (int64_t c = 0; c < b.cells && model->ctx->status == CW_OK; c++) {
        cw_tensor *x = cw_tape_rows(t, qkv, c * n, n), *scores = cw_attention_scores(t, x, x, spec);
        if (o->kind == SOFTMAX && scores) scores = cw_softmax(t, cw_tape_reshape(t, scores, H * n, n), 1.0f);
        const float *from = cw_tape_host(t, scores);
        float *score = TAKE(t, H * n * n, float);
        if (!from || !score) break;
        memcpy(score, from, (size_t)(H * n * n) * sizeof *score);
        if (o->kind == RANKS && cw_scgpt_rank_scores(model->ctx, score, H, n) != CW_OK) break;
        for (int64_t i = 0; i < H * n * n; i++) sum[i % (n * n)] += (double)score[i] / (double)H;
        cw_arena_give(t->arena, score);
        cw_tape_drop(t, scores);
        if (cw_poll(model->ctx) != CW_OK) break;
    }
    return model->ctx->status;
}

/* ---- tokens: what a cell is read as: token and value (cells,length), padded as published ---- */

typedef struct reading {
    cw_scgpt_reading reading;
} reading;
static const cw_setting token_settings[] = {CW_SCGPT_READING(reading, reading), {0}};

static cw_status tokens(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_scgpt *m = (const cw_scgpt *)model;
    cw_scgpt_batch b;
    int64_t columns;
    if (read_batch(m, t, in, settings, &b, &columns) != CW_OK) return model->ctx->status;
    return cw_scgpt_put_tokens(model->ctx, out, &b, m->config.pad, m->config.pad_value);
}

static const cw_query queries[] = {{"embed", embed_settings, sizeof(embedding), embed},
                                   {"predict", predict_settings, sizeof(prediction), predict},
                                   {"genes", NULL, 0, genes},
                                   {"attention", attention_settings, sizeof(attention), attend},
                                   {"tokens", token_settings, sizeof(reading), tokens},
                                   {"states", token_settings, sizeof(reading), states},
                                   {0}};

const cw_model_class cw_scgpt_class = {.name = "scgpt",
                                       .title = "scGPT",
                                       .settings = cw_scgpt_settings,
                                       .rules = cw_scgpt_rules,
                                       .tasks = tasks,
                                       .queries = queries,
                                       .bytes = sizeof(cw_scgpt),
                                       .config = offsetof(cw_scgpt, config),
                                       .config_bytes = sizeof(cw_scgpt_config),
                                       .check = cw_scgpt_check,
                                       .build = cw_scgpt_build,
                                       .release = cw_scgpt_release,
                                       .forecast = cw_scgpt_forecast};
