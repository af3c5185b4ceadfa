/* hyena_class.c: what can be done with HyenaDNA: the next base, classes of sequences; embeddings and logits. */
#include "hyena.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAKE(t, count, type) ((type *)cw_arena_take((t)->arena, (int64_t)(count) * (int64_t)sizeof(type)))
#define BLOCK_ROWS 4096 /* tokens that are embedded at once */

/* ---- sequences: id (all tokens), length (sequences) ---- */

typedef struct sequences {
    const int32_t *id;
    int64_t *start; /* (count + 1) */
    int64_t count, rows, longest;
} sequences;

static cw_status read_sequences(const cw_hyena *m, cw_tape *t, cw_inputs *in, sequences *s)
{
    int64_t rows[1] = {-1}, count[1] = {-1};
    memset(s, 0, sizeof *s);
    s->id = cw_in_i32(in, "id", 1, rows, 0);
    const int32_t *length = cw_in_i32(in, "length", 1, count, 0);
    s->start = length ? TAKE(t, count[0] + 1, int64_t) : NULL;
    if (!s->id || !s->start) return in->ctx->status;
    s->count = count[0], s->rows = rows[0];
    for (int64_t i = 0, at = 0; i <= s->count; i++) {
        s->start[i] = at;
        if (i == s->count) continue;
        if (length[i] < 1)
            return cw_fail(in->ctx, CW_ERR_ARGUMENT, "sequence %lld is empty", (long long)(i + 1));
        if (length[i] > s->longest) s->longest = length[i];
        at += length[i];
    }
    if (s->count < 1 || s->start[s->count] != s->rows)
        return cw_fail(in->ctx, CW_ERR_ARGUMENT, "%lld sequences of %lld tokens; %lld tokens are given",
                       (long long)s->count, (long long)s->start[s->count], (long long)s->rows);
    for (int64_t i = 0; i < s->rows; i++)
        if (s->id[i] < 0 || s->id[i] >= cw_rows(m->words))
            return cw_fail(in->ctx, CW_ERR_ARGUMENT, "token %d is none of the %lld", (int)s->id[i],
                           (long long)cw_rows(m->words));
    return in->ctx->status;
}

static cw_tensor *hidden_of(const cw_hyena *m, cw_tape *t, const sequences *s)
{
    cw_tensor **filter = TAKE(t, m->config.layers, cw_tensor *);
    if (!filter || cw_hyena_filters(m, t, s->longest, filter) != CW_OK) return NULL;
    return cw_hyena_forward(m, t, s->id, (cw_ragged){s->count, s->start, NULL}, filter, NULL);
}

static cw_tensor *classify(const cw_hyena *m, cw_tape *t, const sequences *s)
{
    if (!m->config.head) {
        cw_fail(t->ctx, CW_ERR_STATE, "this model has no head for sequences (use_head)");
        return NULL;
    }
    cw_tensor *mean = cw_segment_sum(t, hidden_of(m, t, s), (cw_ragged){s->count, s->start, NULL}, 1);
    return cw_layer_linear_forward(t, mean, &m->head, CW_ACT_NONE);
}

/* ---- tasks ---- */

static const cw_term next_terms[] = {{"next", 1.0f, CW_TERM_FATAL, 0}, {0}};
static const cw_term class_terms[] = {{"class", 1.0f, CW_TERM_FATAL, 0}, {0}};

/* target (all tokens): the next one; below 0: not judged */
static cw_status next_base(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    const cw_hyena *m = (const cw_hyena *)model;
    sequences s;
    (void)settings;
    if (read_sequences(m, t, in, &s) != CW_OK) return model->ctx->status;
    const int32_t *target = cw_in_i32(in, "target", 1, &s.rows, 0);
    if (!target) return model->ctx->status;
    cw_tensor *logits = cw_linear(t, hidden_of(m, t, &s), m->words, NULL, CW_ACT_NONE);
    loss->term[0] = cw_cross_entropy_loss(t, logits, target);
    return model->ctx->status;
}

static cw_status sequence_class(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    const cw_hyena *m = (const cw_hyena *)model;
    sequences s;
    (void)settings;
    if (read_sequences(m, t, in, &s) != CW_OK) return model->ctx->status;
    const int32_t *label = cw_in_i32(in, "label", 1, &s.count, 0);
    if (label) loss->term[0] = cw_cross_entropy_loss(t, classify(m, t, &s), label);
    return model->ctx->status;
}

static const cw_task tasks[] = {{.name = "next", .terms = next_terms, .loss = next_base},
                                {.name = "class", .terms = class_terms, .loss = sequence_class},
                                {0}};

/* ---- embed: mean (or last) hidden state of each sequence ---- */

enum { MEAN, LAST };
typedef struct embedding {
    int pool;
} embedding;
static const cw_setting embed_settings[] = {
    CW_SET_CHOICE(embedding, pool, "pool", NULL, MEAN, "mean last", "of the tokens' states"), {0}};

static cw_tensor *pooled(const cw_hyena *m, cw_tape *t, const sequences *s, int64_t first, int64_t count,
                         cw_tensor *const *filter, int pool)
{
    int64_t *start = TAKE(t, count + 1, int64_t);
    int32_t *last = TAKE(t, count, int32_t);
    if (!start || !last) return NULL;
    for (int64_t i = 0; i <= count; i++) start[i] = s->start[first + i] - s->start[first];
    for (int64_t i = 0; i < count; i++) last[i] = (int32_t)(start[i + 1] - 1);
    cw_ragged seq = {count, start, NULL};
    cw_tensor *hidden = cw_hyena_forward(m, t, s->id + s->start[first], seq, filter, NULL);
    cw_tensor *y = pool == MEAN ? cw_segment_sum(t, hidden, seq, 1) : cw_gather(t, hidden, last, count);
    cw_tape_drop(t, hidden);
    return y;
}

static cw_status embed(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_hyena *m = (const cw_hyena *)model;
    const embedding *o = settings;
    sequences s;
    if (read_sequences(m, t, in, &s) != CW_OK) return model->ctx->status;
    cw_tensor **filter = TAKE(t, m->config.layers, cw_tensor *);
    if (!filter || cw_hyena_filters(m, t, s.longest, filter) != CW_OK) return model->ctx->status;
    int64_t d = m->config.width;
    float *to = cw_out(model->ctx, out, "embedding", CW_ARRAY_F32, 2, (int64_t[]){s.count, d});
    for (int64_t first = 0, count; to && first < s.count; first += count) {
        for (count = 1; first + count < s.count && s.start[first + count + 1] - s.start[first] <= BLOCK_ROWS;) count++;
        cw_tensor *y = pooled(m, t, &s, first, count, filter, o->pool);
        const float *from = cw_tape_host(t, y);
        if (!from) return model->ctx->status;
        memcpy(to + first * d, from, (size_t)(count * d) * sizeof *to);
        cw_tape_drop(t, y);
        if (cw_poll(model->ctx) != CW_OK) return model->ctx->status;
    }
    for (int64_t i = 0; to && i < s.count * d; i++)
        if (!isfinite(to[i]))
            return cw_fail(model->ctx, CW_ERR_NUMERIC,
                           "'model' gives numbers that are not finite: its weights are damaged (NaN, infinite or huge); "
                           "load it again");
    return model->ctx->status;
}

/* ---- states: hidden (tokens,d); logits: of the next base (tokens,vocab), or of classes (sequences,classes) ---- */

static cw_status states(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_hyena *m = (const cw_hyena *)model;
    sequences s;
    (void)settings;
    if (read_sequences(m, t, in, &s) != CW_OK) return model->ctx->status;
    cw_model_put(t, out, "hidden", hidden_of(m, t, &s));
    return model->ctx->status;
}

static cw_status logits(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_hyena *m = (const cw_hyena *)model;
    sequences s;
    (void)settings;
    if (read_sequences(m, t, in, &s) != CW_OK) return model->ctx->status;
    cw_model_put(t, out, "logits", m->config.head ? classify(m, t, &s)
                                                  : cw_linear(t, hidden_of(m, t, &s), m->words, NULL, CW_ACT_NONE));
    return model->ctx->status;
}

static const cw_query queries[] = {{"embed", embed_settings, sizeof(embedding), embed},
                                   {"states", NULL, 0, states},
                                   {"logits", NULL, 0, logits},
                                   {0}};

const cw_model_class cw_hyena_class = {.name = "hyena",
                                       .title = "HyenaDNA",
                                       .settings = cw_hyena_settings,
                                       .rules = cw_hyena_rules,
                                       .tasks = tasks,
                                       .queries = queries,
                                       .bytes = sizeof(cw_hyena),
                                       .config = offsetof(cw_hyena, config),
                                       .config_bytes = sizeof(cw_hyena_config),
                                       .check = cw_hyena_check,
                                       .build = cw_hyena_build,
                                       .release = cw_hyena_release,
                                       .forecast = cw_hyena_forecast};
