/* kcellfm_class.c: what can be done with KCellFM: training, and its queries (embed, predict, genes, tokens). */
#include "kcellfm.h"

#include <math.h>
#include <string.h>

#define TAKE(t, count, type) ((type *)cw_arena_take((t)->arena, (int64_t)(count) * (int64_t)sizeof(type)))

/* How a cell is read: values as log1p of what is scaled to `total`; with 0 as they are, also below 0. */
#define READING(S)                                                                                                     \
    CW_SET_INT(S, reading.most, "maxLength", NULL, 2049, 2, 1e6, "tokens of a cell, <cls> included"),                  \
        CW_SET_REAL(S, reading.total, "total", NULL, 1e4, 0, 1e9, 0,                                                   \
                    "values are scaled to this sum and logged; 0: they are, and taken as they are"),                   \
        CW_SET_FLAG(S, reading.zeros, "zeros", NULL, 0, "genes without counts are tokens too"),                        \
        CW_SET_FLAG(S, reading.drawn, "drawn", NULL, 0, "choices are drawn for each cell"),                            \
        CW_SET_DOUBLE(S, reading.key, "key", NULL, 0, 0, 9e15, 0, "of the draws"),                                     \
        CW_SET_DOUBLE(S, reading.first, "first", NULL, 0, 0, 9e15, 0, "number of the first cell"),                     \
        CW_SET_FLAG(S, reading.padded, "padded", NULL, 0, "padding is computed too")

static cw_status read_batch(const cw_kcellfm *m, cw_tape *t, cw_inputs *in, const cw_scgpt_reading *reading,
                            cw_kcellfm_batch *b, int64_t *columns)
{
    cw_scgpt_input x = cw_scgpt_input_read(in);
    cw_scgpt_reading how = *reading;
    how.below = how.total == 0;
    *columns = x.length;
    return in->ctx->status == CW_OK ? cw_kcellfm_batch_build(b, t->arena, &x, &how, &m->config) : in->ctx->status;
}

/* ---- training ---- */

typedef struct training {
    cw_scgpt_reading reading;
    float mask;
} training;

static const cw_setting training_settings[] = {
    READING(training),
    CW_SET_REAL(training, mask, "mask", NULL, 0.15, 0, 0.99, 0, "share of the genes that is masked"),
    {0}};

enum { MLM, CLASS, RANKING };
static const cw_term terms[] = {{"mlm", 0.5f, CW_TERM_FATAL, 0},
                                {"class", 1.0f, CW_TERM_FATAL, 0},
                                {"ranking", 0.5f, CW_TERM_FATAL, 0},
                                {0}};

/* typeEmbedding (types,d), close (types,types): 1 where two types are close; proxy, negative (cells), optional. */
static cw_tensor *ranking(const cw_kcellfm *m, cw_tape *t, cw_inputs *in, cw_tensor *cell, const int32_t *label,
                          int64_t cells)
{
    int64_t dim[2] = {-1, m->config.width}, square[2], one[1] = {cells};
    cw_kcellfm_types types = {.vector = cw_in_f32(in, "typeEmbedding", 2, dim, 0), .label = label, .cells = cells};
    types.classes = square[0] = square[1] = dim[0];
    types.close = cw_in_flags(in, "close", 2, square, 0);
    types.proxy = cw_in_i32(in, "proxy", 1, one, 1), types.negative = cw_in_i32(in, "negative", 1, one, 1);
    return in->ctx->status == CW_OK ? cw_kcellfm_ranking(t, cell, &types) : NULL;
}

static cw_status train(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    const cw_kcellfm *m = (const cw_kcellfm *)model;
    const training *o = settings;
    cw_kcellfm_batch b;
    int64_t columns = 0;
    if (read_batch(m, t, in, &o->reading, &b, &columns) != CW_OK) return model->ctx->status;
    cw_scgpt_masked k =
        cw_scgpt_mask(t, in, &b.token, columns, loss->wanted[MLM] ? o->mask : 0, m->config.mask_value);
    int64_t dim[1] = {b.token.cells};
    const int32_t *label = cw_in_i32(in, "label", 1, dim, !loss->wanted[CLASS] && !loss->wanted[RANKING]);
    if (model->ctx->status != CW_OK) return model->ctx->status;
    cw_kcellfm_output y = cw_kcellfm_forward(m, t, &b, NULL);
    if (k.n > 0 && loss->wanted[MLM])
        loss->term[MLM] = cw_mean_squared(t, cw_kcellfm_decode(m, t, &y, k.row, k.n),
                                          cw_tape_constant(t, k.target, k.n, 1));
    if (label && loss->wanted[CLASS]) loss->term[CLASS] = cw_cross_entropy_loss(t, cw_kcellfm_classify(m, t, &y), label);
    if (label && loss->wanted[RANKING]) loss->term[RANKING] = ranking(m, t, in, y.cell, label, b.token.cells);
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
    READING(embedding), CW_SET_FLAG(embedding, unit, "unit", NULL, 0, "vectors of length 1"), {0}};

static cw_status embed(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_kcellfm *m = (const cw_kcellfm *)model;
    const embedding *o = settings;
    cw_kcellfm_batch b;
    int64_t columns;
    if (read_batch(m, t, in, &o->reading, &b, &columns) != CW_OK) return model->ctx->status;
    cw_kcellfm_output y = cw_kcellfm_forward(m, t, &b, NULL);
    return cw_scgpt_put_cells(t, out, y.cell, o->unit, &b.token);
}

/* ---- predict: values of every token in the columns it came from (NaN elsewhere), logits of the classes ---- */

typedef struct prediction {
    cw_scgpt_reading reading;
    int mlm, class;
} prediction;

static const cw_setting predict_settings[] = {
    READING(prediction), CW_SET_FLAG(prediction, mlm, "mlm", NULL, 0, "values by the tokens (cells, columns)"),
    CW_SET_FLAG(prediction, class, "class", NULL, 0, "logits of the classes (cells, classes)"), {0}};

static cw_status predict(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_kcellfm *m = (const cw_kcellfm *)model;
    const prediction *o = settings;
    cw_kcellfm_batch b;
    int64_t columns;
    if (read_batch(m, t, in, &o->reading, &b, &columns) != CW_OK) return model->ctx->status;
    const cw_scgpt_batch *token = &b.token;
    cw_scgpt_mask(t, in, &b.token, columns, 0, m->config.mask_value);
    int32_t *row = TAKE(t, token->rows, int32_t);
    if (!row || model->ctx->status != CW_OK) return model->ctx->status;
    for (int64_t r = 0; r < token->rows; r++) row[r] = (int32_t)r;
    cw_kcellfm_output y = cw_kcellfm_forward(m, t, &b, NULL);
    if (o->mlm)
        cw_scgpt_put_values(t, out, "mlm", cw_kcellfm_decode(m, t, &y, row, token->rows), token, columns);
    if (o->class) cw_model_put(t, out, "class", cw_kcellfm_classify(m, t, &y));
    return model->ctx->status;
}

/* ---- genes: token (n) -> gene (n,d), normed as the model reads them ---- */

static cw_status genes(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_kcellfm *m = (const cw_kcellfm *)model;
    (void)settings;
    return cw_scgpt_put_genes(t, in, out, m->gene_table, &m->gene_norm);
}

/* ---- tokens: what a cell is read as: token and value (cells,length), padded as published ---- */

typedef struct reading {
    cw_scgpt_reading reading;
} reading;
static const cw_setting token_settings[] = {READING(reading), {0}};

static cw_status tokens(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_kcellfm *m = (const cw_kcellfm *)model;
    cw_kcellfm_batch all;
    int64_t columns;
    if (read_batch(m, t, in, &((const reading *)settings)->reading, &all, &columns) != CW_OK) return model->ctx->status;
    return cw_scgpt_put_tokens(model->ctx, out, &all.token, m->config.pad, m->config.pad_value);
}

/* ---- states: state (cells,columns,d): every gene's row after the last layer, NaN where it isn't read ---- */

static cw_status states(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_kcellfm *m = (const cw_kcellfm *)model;
    cw_kcellfm_batch b;
    int64_t columns;
    if (read_batch(m, t, in, &((const reading *)settings)->reading, &b, &columns) != CW_OK) return model->ctx->status;
    return cw_scgpt_put_states(t, out, cw_kcellfm_forward(m, t, &b, NULL).hidden, &b.token, columns);
}

static const cw_query queries[] = {{"embed", embed_settings, sizeof(embedding), embed},
                                   {"predict", predict_settings, sizeof(prediction), predict},
                                   {"genes", NULL, 0, genes},
                                   {"tokens", token_settings, sizeof(reading), tokens},
                                   {"states", token_settings, sizeof(reading), states},
                                   {0}};

const cw_model_class cw_kcellfm_class = {.name = "kcellfm",
                                         .title = "KCellFM",
                                         .settings = cw_kcellfm_settings,
                                         .tasks = tasks,
                                         .queries = queries,
                                         .bytes = sizeof(cw_kcellfm),
                                         .config = offsetof(cw_kcellfm, config),
                                         .config_bytes = sizeof(cw_kcellfm_config),
                                         .check = cw_kcellfm_check,
                                         .build = cw_kcellfm_build,
                                         .release = cw_kcellfm_release,
                                         .forecast = cw_kcellfm_forecast};
