/* cellfm_class.c: what can be done with CellFM: training, annotation, and its queries (embed, predict, genes, attention,
 * tokens). */
#include "cellfm.h"

#include "../scgpt/scgpt.h"

#include <math.h>
#include <string.h>

#define TAKE(t, count, type) ((type *)cw_arena_take((t)->arena, (int64_t)(count) * (int64_t)sizeof(type)))

/* ---- training ---- */

typedef struct training {
    cw_cellfm_reading reading;
    float threshold;
} training;

static const cw_setting training_settings[] = {
    CW_CELLFM_READING(training, reading), CW_CELLFM_MASKING(training, reading, 0.2),
    CW_SET_REAL(training, threshold, "threshold", NULL, 0.8, 0, 1, 0, "similarity that cells are drawn to"), {0}};

enum { GENE, CELL, GENE_ZERO, CELL_ZERO, SIMILARITY, QUERY_LABEL, CELL_LABEL, CLASS };
static const cw_term terms[] = {{"gene", 1.0f, CW_TERM_FATAL, 0},       {"cell", 1.0f, CW_TERM_FATAL, 0},
                                {"geneZero", 1.0f, CW_TERM_FATAL, 0},   {"cellZero", 1.0f, CW_TERM_FATAL, 0},
                                {"similarity", 0.0f, CW_TERM_FATAL, 0}, {"queryLabel", 1.0f, CW_TERM_FATAL, 0},
                                {"cellLabel", 1.0f, CW_TERM_FATAL, 0},  {"class", 1.0f, CW_TERM_FATAL, 0},
                                {0}};

/* Rows that are judged, those of genes at all, and their targets. */
typedef struct judged {
    int32_t *row;
    float *raw, *zero; /* zero: 1 where there is a count */
    int64_t n;
} judged;

static judged find_judged(cw_tape *t, const cw_cellfm_batch *b, int all)
{
    judged j = {TAKE(t, b->rows + 1, int32_t), TAKE(t, b->rows + 1, float), TAKE(t, b->rows + 1, float), 0};
    for (int64_t i = 0; j.row && j.raw && j.zero && i < b->genes.start[b->cells]; i++) {
        int32_t r = b->gene_row[i];
        if (!all && !b->judged[r]) continue;
        j.row[j.n] = r, j.raw[j.n] = b->raw[r], j.zero[j.n++] = b->zero[r] ? 1.0f : 0.0f;
    }
    return j;
}

/* sum(-w_y log softmax) / sum(w_y); label below 0: not counted */
static cw_tensor *weighted_nll(cw_tape *t, cw_tensor *logits, const int32_t *label, const float *weight)
{
    if (!logits) return NULL;
    int64_t n = cw_rows(logits), K = cw_cols(logits);
    float *target = TAKE(t, n * K, float);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += label[i] < 0 ? 0 : weight ? (double)weight[label[i]] : 1.0;
    for (int64_t i = 0; target && i < n * K; i++) {
        int own = label[i / K] == i % K;
        target[i] = own && sum > 0 ? (float)((weight ? (double)weight[i % K] : 1.0) * (double)n / sum) : 0.0f;
    }
    if (!target || !(sum > 0)) return NULL;
    return cw_tape_over(cw_soft_cross_entropy_loss(t, logits, cw_tape_constant(t, target, n, K), 1.0f), sum);
}

/* label (cells) and, optional, classWeight (classes). */
static cw_status read_labels(const cw_cellfm *m, cw_inputs *in, int64_t cells, int needed, const int32_t **label,
                             const float **weight)
{
    int64_t K = m->config.classes;
    *label = cw_in_i32(in, "label", 1, &cells, !needed);
    *weight = cw_in_f32(in, "classWeight", 1, &K, 1);
    for (int64_t i = 0; *label && i < cells; i++)
        if ((*label)[i] >= K)
            return cw_fail(in->ctx, CW_ERR_ARGUMENT, "class %d of cell %lld: the model has %lld", (int)(*label)[i],
                           (long long)(i + 1), (long long)K);
    return in->ctx->status;
}

/* The decoders' rows of all cells side by side, (cells,length): cells have as many slots each. */
static cw_tensor *similarity(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y, const cw_cellfm_batch *b,
                             float threshold)
{
    judged all = find_judged(t, b, 1);
    if (all.n != b->cells * b->length) {
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "cells of different numbers of genes can't be drawn to one another; read them "
                                         "with 'fill'");
        return NULL;
    }
    cw_tensor *x = cw_cellfm_cell_values(m, t, y, b, all.row, all.n);
    return x ? cw_scgpt_similarity_loss(t, cw_tape_reshape(t, x, b->cells, b->length), threshold) : NULL;
}

/* None but the cells' rows. */
static const uint8_t *no_rows(cw_tape *t, const cw_cellfm_batch *b)
{
    uint8_t *none = TAKE(t, b->rows + 1, uint8_t);
    if (none) memset(none, 0, (size_t)b->rows + 1);
    return none;
}

static void decoder_losses(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y, const cw_cellfm_batch *b,
                           const training *o, cw_loss *loss)
{
    judged j = find_judged(t, b, 0), z = j;
    float scale = 1.0f;
    if (t->ctx->status != CW_OK || j.n == 0) return;
    if (loss->wanted[GENE])
        loss->term[GENE] = cw_mean_squared(t, cw_cellfm_gene_values(m, t, y, j.row, j.n), cw_tape_constant(t, j.raw, j.n, 1));
    if (loss->wanted[CELL])
        loss->term[CELL] =
            cw_mean_squared(t, cw_cellfm_cell_values(m, t, y, b, j.row, j.n), cw_tape_constant(t, j.raw, j.n, 1));
    if (cw_cellfm_tells_zeros(&m->config)) {
        if (m->config.variant == CW_CELLFM_PRETRAIN) { /* published: all slots, over the number of those judged */
            z = find_judged(t, b, 1);
            scale = (float)z.n / (float)j.n;
        }
        cw_tensor *above = cw_tape_constant(t, z.zero, z.n, 1);
        if (loss->wanted[GENE_ZERO])
            loss->term[GENE_ZERO] = cw_tape_over(
                cw_affine(t, cw_bce_loss(t, cw_cellfm_gene_zeros(m, t, y, z.row, z.n), above), scale, 0), (double)j.n);
        if (loss->wanted[CELL_ZERO])
            loss->term[CELL_ZERO] = cw_tape_over(
                cw_affine(t, cw_bce_loss(t, cw_cellfm_cell_zeros(m, t, y, b, z.row, z.n), above), scale, 0), (double)j.n);
    }
    if (loss->wanted[SIMILARITY]) loss->term[SIMILARITY] = similarity(m, t, y, b, o->threshold);
}

/* Rows whose output the terms read: those judged, or NULL for all. */
static const uint8_t *wanted_rows(const cw_cellfm *m, cw_tape *t, const cw_cellfm_batch *b, const cw_loss *loss, int labels)
{
    const cw_cellfm_config *c = &m->config;
    int zeros = c->decoders && cw_cellfm_tells_zeros(c) && loss->wanted[GENE_ZERO];
    if (labels || (zeros && c->variant == CW_CELLFM_PRETRAIN)) return NULL;
    return zeros || (c->decoders && loss->wanted[GENE]) ? b->judged : no_rows(t, b);
}

static cw_status train(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    const cw_cellfm *m = (const cw_cellfm *)model;
    const cw_cellfm_config *c = &m->config;
    const training *o = settings;
    cw_cellfm_reading how = o->reading;
    cw_cellfm_batch b;
    const int32_t *label;
    const float *weight;
    int64_t columns;
    how.plain = 0, how.hide = 1;
    if (c->variant == CW_CELLFM_ANNOTATE)
        return cw_fail(model->ctx, CW_ERR_STATE, "a model for annotation is trained by the task \"annotate\"");
    if (cw_cellfm_batch_read(c, t, in, &how, &b, &columns) != CW_OK) return model->ctx->status;
    if (read_labels(m, in, b.cells, 0, &label, &weight) != CW_OK) return model->ctx->status;
    int labels = c->label && label && (loss->wanted[QUERY_LABEL] || loss->wanted[CELL_LABEL]);
    cw_cellfm_output y = cw_cellfm_forward(m, t, &b, c->layers, wanted_rows(m, t, &b, loss, labels), NULL);
    if (c->decoders) decoder_losses(m, t, &y, &b, o, loss);
    if (labels) {
        cw_tensor *by_query, *by_cell;
        cw_cellfm_labels(m, t, &y, &b, &by_query, &by_cell, NULL);
        if (loss->wanted[QUERY_LABEL]) loss->term[QUERY_LABEL] = weighted_nll(t, by_query, label, weight);
        if (loss->wanted[CELL_LABEL]) loss->term[CELL_LABEL] = weighted_nll(t, by_cell, label, weight);
    }
    if (c->head && label && loss->wanted[CLASS]) loss->term[CLASS] = weighted_nll(t, cw_cellfm_head(m, t, &y), label, weight);
    return model->ctx->status;
}

/* ---- annotation: two cross entropies ---- */

typedef struct reading {
    cw_cellfm_reading reading;
} reading;
static const cw_setting reading_settings[] = {CW_CELLFM_READING(reading, reading), {0}};

static const cw_term annotate_terms[] = {{"query", 1.0f, CW_TERM_FATAL, 0}, {"cls", 1.0f, CW_TERM_FATAL, 0}, {0}};

static cw_cellfm_reading reads(const cw_cellfm_reading *how)
{
    cw_cellfm_reading y = *how;
    y.mask = y.thin = 0, y.all = y.hide = 0, y.plain = 1;
    return y;
}

static cw_status annotate(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    const cw_cellfm *m = (const cw_cellfm *)model;
    cw_cellfm_reading how = reads(&((const reading *)settings)->reading);
    cw_cellfm_batch b;
    cw_tensor *logits[2];
    const int32_t *label;
    const float *weight;
    int64_t columns;
    if (m->config.variant != CW_CELLFM_ANNOTATE)
        return cw_fail(model->ctx, CW_ERR_STATE, "only a model of the variant \"annotation\" has classes that ask");
    if (cw_cellfm_batch_read(&m->config, t, in, &how, &b, &columns) != CW_OK) return model->ctx->status;
    if (read_labels(m, in, b.cells, 1, &label, &weight) != CW_OK) return model->ctx->status;
    cw_cellfm_output y = cw_cellfm_forward(m, t, &b, m->config.layers, NULL, NULL);
    cw_cellfm_labels(m, t, &y, &b, &logits[0], &logits[1], NULL);
    for (int i = 0; i < 2; i++)
        if (loss->wanted[i]) loss->term[i] = weighted_nll(t, logits[i], label, weight);
    return model->ctx->status;
}

/* With LoRA the backbone's pairs alone are trained, and what is no backbone: that is the run's to say. */
static const cw_task tasks[] = {
    {.name = "train", .terms = terms, .settings = training_settings, .bytes = sizeof(training), .loss = train},
    {.name = "annotate",
     .terms = annotate_terms,
     .settings = reading_settings,
     .bytes = sizeof(reading),
     .loss = annotate},
    {0}};

/* ---- embed: cell (cells,d): the cell's row, read without hiding anything; and how many genes with counts ---- */

typedef struct embedding {
    cw_cellfm_reading reading;
    int unit;
} embedding;

static const cw_setting embed_settings[] = {
    CW_CELLFM_READING(embedding, reading), CW_SET_FLAG(embedding, unit, "unit", NULL, 0, "vectors of length 1"), {0}};

static cw_status embed(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_cellfm *m = (const cw_cellfm *)model;
    const embedding *o = settings;
    cw_cellfm_reading how = reads(&o->reading);
    cw_cellfm_batch b;
    int64_t columns;
    if (cw_cellfm_batch_read(&m->config, t, in, &how, &b, &columns) != CW_OK) return model->ctx->status;
    cw_cellfm_output y = cw_cellfm_forward(m, t, &b, m->config.layers, no_rows(t, &b), NULL);
    if (!cw_model_put_finite(t, out, "cell", o->unit ? cw_unit_rows(t, y.cell, 1.0f, 1e-12f) : y.cell)) return model->ctx->status;
    int32_t *genes = cw_out(model->ctx, out, "genes", CW_ARRAY_I32, 1, &b.cells);
    for (int64_t c = 0; genes && c < b.cells; c++) genes[c] = 0;
    for (int64_t r = 0; genes && r < b.rows; r++) genes[b.cell[r]] += b.gene[r] >= 0 && b.zero[r];
    return model->ctx->status;
}

/* ---- predict: values of every gene read in the columns it came from, NaN elsewhere; logits of classes ---- */

typedef struct prediction {
    cw_cellfm_reading reading;
    int gene, cell, zeros, class;
} prediction;

#define WANT(member, name, help) CW_SET_FLAG(prediction, member, name, NULL, 0, help)
static const cw_setting predict_settings[] = {CW_CELLFM_READING(prediction, reading),
                                              CW_CELLFM_MASKING(prediction, reading, 0),
                                              WANT(gene, "gene", "values by the genes' rows (cells, columns)"),
                                              WANT(cell, "cell", "values by the cells' rows (cells, columns)"),
                                              WANT(zeros, "zeros", "probabilities of a count (cells, columns)"),
                                              WANT(class, "class", "logits of the classes (cells, classes)"),
                                              {0}};
#undef WANT

/* Where the genes' rows came from; NULL with the error recorded. */
static const int64_t *places(cw_tape *t, const cw_cellfm_batch *b, int64_t columns)
{
    int64_t n = b->genes.start[b->cells], *at = TAKE(t, n + 1, int64_t);
    for (int64_t i = 0; at && i < n; i++) at[i] = b->cell[b->gene_row[i]] * columns + b->source[b->gene_row[i]];
    return at;
}

static void put_values(cw_tape *t, const cw_sink *out, const char *name, const cw_tensor *x, const cw_cellfm_batch *b,
                       int64_t columns)
{
    cw_model_put_at(t, out, name, x, places(t, b, columns), b->genes.start[b->cells], 2, (int64_t[]){b->cells, columns});
}

static cw_status predict(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_cellfm *m = (const cw_cellfm *)model;
    const cw_cellfm_config *c = &m->config;
    const prediction *o = settings;
    cw_cellfm_reading how = o->reading;
    cw_cellfm_batch b;
    int64_t columns;
    how.hide = how.mask > 0, how.plain = o->class || !how.hide;
    if (cw_cellfm_batch_read(c, t, in, &how, &b, &columns) != CW_OK) return model->ctx->status;
    int64_t n = b.genes.start[b.cells];
    int labels = o->class && (c->variant == CW_CELLFM_ANNOTATE || c->label);
    cw_cellfm_output y =
        cw_cellfm_forward(m, t, &b, c->layers, o->gene || o->zeros || labels ? NULL : no_rows(t, &b), NULL);
    if ((o->gene || o->cell || o->zeros) && !c->decoders)
        return cw_fail(model->ctx, CW_ERR_STATE, "this model has no decoders: it tells no values");
    if (o->gene) put_values(t, out, "gene", cw_cellfm_gene_values(m, t, &y, b.gene_row, n), &b, columns);
    if (o->cell) put_values(t, out, "cell", cw_cellfm_cell_values(m, t, &y, &b, b.gene_row, n), &b, columns);
    if (o->zeros && cw_cellfm_tells_zeros(c)) {
        cw_tensor *z = cw_activate(t, cw_cellfm_gene_zeros(m, t, &y, b.gene_row, n), CW_ACT_SIGMOID);
        put_values(t, out, "geneZero", z, &b, columns);
        z = cw_activate(t, cw_cellfm_cell_zeros(m, t, &y, &b, b.gene_row, n), CW_ACT_SIGMOID);
        put_values(t, out, "cellZero", z, &b, columns);
    }
    if (!o->class) return model->ctx->status;
    cw_tensor *by_query = NULL, *by_cell;
    if (labels) cw_cellfm_labels(m, t, &y, &b, &by_query, &by_cell, NULL);
    else if (c->head) by_query = cw_cellfm_head(m, t, &y);
    else return cw_fail(model->ctx, CW_ERR_STATE, "this model has no classes");
    cw_model_put_finite(t, out, "class", by_query);
    return model->ctx->status;
}

/* ---- states: state (cells,columns,d): every gene's row after the last layer, NaN where it isn't read ---- */

static cw_status states(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_cellfm *m = (const cw_cellfm *)model;
    cw_cellfm_reading how = reads(&((const reading *)settings)->reading);
    cw_cellfm_batch b;
    int64_t columns, n;
    if (cw_cellfm_batch_read(&m->config, t, in, &how, &b, &columns) != CW_OK) return model->ctx->status;
    cw_tensor *hidden = cw_cellfm_forward(m, t, &b, m->config.layers, NULL, NULL).hidden;
    const float *from = cw_tape_host(t, hidden);
    if (!from || cw_model_finite(model->ctx, from, cw_count(hidden)) != CW_OK) return model->ctx->status;
    n = b.genes.start[b.cells];
    cw_model_put_at(t, out, "state", cw_gather(t, hidden, b.gene_row, n), places(t, &b, columns), n, 3,
                    (int64_t[]){b.cells, columns, m->config.width});
    return model->ctx->status;
}

/* ---- genes: token (n) -> gene (n,d), rows of the table ---- */

static cw_status genes(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_cellfm *m = (const cw_cellfm *)model;
    int64_t dim[1] = {-1};
    const int32_t *token = cw_in_i32(in, "token", 1, dim, 0);
    (void)settings;
    for (int64_t i = 0; token && i < dim[0]; i++)
        if (token[i] < 0 || token[i] >= m->config.gene_rows)
            return cw_fail(model->ctx, CW_ERR_ARGUMENT, "gene %d is outside the table of %lld", (int)token[i],
                           (long long)m->config.gene_rows);
    if (token) cw_model_put_finite(t, out, "gene", cw_gather(t, m->gene_table, token, dim[0]));
    return model->ctx->status;
}

/* ---- attention: how the cell's row asks its genes ---- */

enum { RANKS, SCORES };
typedef struct attention {
    cw_cellfm_reading reading;
    int64_t layer;
    int kind;
} attention;

static const cw_setting attention_settings[] = {
    CW_CELLFM_READING(attention, reading),
    CW_SET_INT(attention, layer, "layer", NULL, 0, 0, 1000, "layer whose attention is read; 0: the last"),
    CW_SET_CHOICE(attention, kind, "kind", NULL, RANKS, "ranks scores", "ranks within the cell, or scores"),
    {0}};

/* score (cells,columns): the mean over heads, NaN where a gene wasn't read */
static cw_status attend(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_cellfm *m = (const cw_cellfm *)model;
    const attention *o = settings;
    cw_cellfm_reading how = reads(&o->reading);
    int64_t columns, H = m->config.heads, layer = o->layer ? o->layer : m->config.layers;
    cw_cellfm_batch b;
    if (layer > m->config.layers)
        return cw_fail(model->ctx, CW_ERR_ARGUMENT, "layer %lld of a model of %lld", (long long)layer,
                       (long long)m->config.layers);
    if (cw_cellfm_batch_read(&m->config, t, in, &how, &b, &columns) != CW_OK) return model->ctx->status;
    const float *from = cw_tape_host(t, cw_cellfm_attention(m, t, &b, layer));
    float *mean = TAKE(t, b.length + 1, float);
    float *to = from && mean ? cw_out(model->ctx, out, "score", CW_ARRAY_F32, 2, (int64_t[]){b.cells, columns}) : NULL;
    for (int64_t i = 0; to && i < b.cells * columns; i++) to[i] = NAN;
    for (int64_t c = 0; to && c < b.cells; c++) {
        int64_t at = b.genes.start[c], n = b.genes.start[c + 1] - at;
        const float *score = from + H * at;
        if (o->kind == RANKS && cw_cellfm_ranks(model->ctx, mean, score, H, n) != CW_OK) break;
        for (int64_t i = 0; i < n; i++) {
            double sum = 0;
            for (int64_t h = 0; h < H; h++) sum += (double)score[h * n + i];
            to[c * columns + b.source[b.gene_row[at + i]]] = o->kind == RANKS ? mean[i] : (float)(sum / (double)H);
        }
    }
    return model->ctx->status;
}

/* ---- tokens: what a cell is read as, (cells,length), padded with 0 as published ---- */

typedef struct preparing {
    cw_cellfm_reading reading;
    int hide;
} preparing;
static const cw_setting token_settings[] = {CW_CELLFM_READING(preparing, reading), CW_CELLFM_MASKING(preparing, reading, 0),
                                            CW_SET_FLAG(preparing, hide, "hide", NULL, 0, "genes are hidden as in training"),
                                            {0}};

static cw_status tokens(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_cellfm *m = (const cw_cellfm *)model;
    const preparing *o = settings;
    cw_cellfm_reading how = o->reading;
    cw_cellfm_batch b;
    int64_t columns;
    how.hide = o->hide, how.plain = 0;
    if (cw_cellfm_batch_read(&m->config, t, in, &how, &b, &columns) != CW_OK) return model->ctx->status;
    static const char *const name[] = {"gene", "value", "seen", "raw", "judged", "zero", "column"};
    const int64_t dim[] = {b.cells, b.length};
    for (int k = 0; k < 7 && model->ctx->status == CW_OK; k++) {
        float *to = cw_out(model->ctx, out, name[k], CW_ARRAY_F32, 2, dim);
        for (int64_t i = 0; to && i < b.cells * b.length; i++) to[i] = 0;
        for (int64_t i = 0; to && i < b.genes.start[b.cells]; i++) {
            int64_t r = b.gene_row[i], c = b.cell[r];
            const float what[] = {(float)b.gene[r], b.value[r], b.seen[r], b.raw[r], b.judged[r], b.zero[r],
                                  (float)b.source[r]};
            to[c * b.length + i - b.genes.start[c]] = what[k];
        }
    }
    float *depth = b.depth ? cw_out(model->ctx, out, "depth", CW_ARRAY_F32, 2, (int64_t[]){b.cells, 2}) : NULL;
    if (depth) memcpy(depth, b.depth, (size_t)(2 * b.cells) * sizeof *depth);
    return model->ctx->status;
}

static const cw_query queries[] = {{"embed", embed_settings, sizeof(embedding), embed},
                                   {"predict", predict_settings, sizeof(prediction), predict},
                                   {"genes", NULL, 0, genes},
                                   {"attention", attention_settings, sizeof(attention), attend},
                                   {"tokens", token_settings, sizeof(preparing), tokens},
                                   {"states", reading_settings, sizeof(reading), states},
                                   {0}};

const cw_model_class cw_cellfm_class = {.name = "cellfm",
                                        .title = "CellFM",
                                        .settings = cw_cellfm_settings,
                                        .presets = cw_cellfm_presets,
                                        .rules = cw_cellfm_rules,
                                        .tasks = tasks,
                                        .queries = queries,
                                        .bytes = sizeof(cw_cellfm),
                                        .config = offsetof(cw_cellfm, config),
                                        .config_bytes = sizeof(cw_cellfm_config),
                                        .check = cw_cellfm_check,
                                        .build = cw_cellfm_build,
                                        .release = cw_cellfm_release,
                                        .forecast = cw_cellfm_forecast};
