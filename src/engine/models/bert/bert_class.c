/* bert_class.c: what can be done with BERT: masked tokens and pairs of texts, KCFM's triples; embeddings, states,
 * logits. */
#include "bert.h"

#include <math.h>
#include <string.h>

#define TAKE(t, count, type) ((type *)cw_arena_take((t)->arena, (int64_t)(count) * (int64_t)sizeof(type)))
#define BLOCK_ROWS 8192 /* tokens that are embedded at once */

static cw_status no_head(cw_ctx *ctx, const char *which)
{
    return cw_fail(ctx, CW_ERR_STATE, "this model has no %s: its file holds no such weights", which);
}

/* ---- pretrain: masked tokens, pairs of texts ---- */

static const cw_term pretrain_terms[] = {{"mlm", 1.0f, CW_TERM_FATAL, 0}, {"nsp", 1.0f, CW_TERM_FATAL, 0}, {0}};

/* The rows whose target is a token, and their targets. */
static int64_t judged(cw_tape *t, const int32_t *target, int64_t n, int32_t **row, int32_t **of)
{
    int64_t m = 0;
    *row = TAKE(t, n, int32_t), *of = TAKE(t, n, int32_t);
    for (int64_t i = 0; *row && *of && i < n; i++)
        if (target[i] >= 0) (*row)[m] = (int32_t)i, (*of)[m++] = target[i];
    return m;
}

/* target (rows): the token that is hidden there, below 0: none; next (sequences), where there is a head: 1: the second
 * text doesn't follow the first */
static cw_status pretrain(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    enum { MLM, NSP };
    const cw_bert *m = (const cw_bert *)model;
    cw_bert_rows r;
    int32_t *row, *of;
    (void)settings;
    if (!m->config.mlm) return no_head(model->ctx, "head for masked tokens");
    if (cw_bert_read(m, t, in, "", &r) != CW_OK) return model->ctx->status;
    int64_t rows = r.seq.start[r.seq.count], pairs = r.seq.count;
    const int32_t *target = cw_in_i32(in, "target", 1, &rows, 0), *next = cw_in_i32(in, "next", 1, &pairs, 1);
    if (!target || model->ctx->status != CW_OK) return model->ctx->status;
    int64_t n = judged(t, target, rows, &row, &of);
    for (int64_t i = 0; i < n; i++)
        if (of[i] >= m->config.vocab)
            return cw_fail(model->ctx, CW_ERR_ARGUMENT, "target %d is none of %lld tokens", (int)of[i],
                           (long long)m->config.vocab);
    cw_tensor *hidden = cw_bert_forward(m, t, &r, 0, NULL);
    if (loss->wanted[MLM] && n > 0)
        loss->term[MLM] = cw_cross_entropy_loss(t, cw_bert_logits(m, t, cw_gather(t, hidden, row, n)), of);
    if (next && !m->config.nsp) return no_head(model->ctx, "head for pairs of texts");
    if (loss->wanted[NSP] && next) {
        cw_tensor *pooled = cw_bert_pool(m, t, cw_bert_first(t, hidden, &r));
        loss->term[NSP] = cw_cross_entropy_loss(t, cw_layer_linear_forward(t, pooled, &m->pair, CW_ACT_NONE), next);
    }
    return model->ctx->status;
}

/* ---- triplet: KCFM's ontology encoder ---- */

static const cw_term triplet_terms[] = {{"triplet", 1.0f, CW_TERM_FATAL, 0}, {0}};

static cw_tensor *texts(const cw_bert *m, cw_tape *t, cw_inputs *in, const char *prefix, int64_t *n)
{
    cw_bert_rows r;
    if (cw_bert_read(m, t, in, prefix, &r) != CW_OK) return NULL;
    *n = r.seq.count;
    return cw_bert_project(m, t, cw_bert_mean(t, cw_bert_forward(m, t, &r, 0, NULL), &r, 1));
}

/* relation (n, projection), or relationId (n) of the model's own */
static cw_tensor *relations(const cw_bert *m, cw_tape *t, cw_inputs *in, int64_t n)
{
    int64_t dim[] = {n, m->config.projection}, one[] = {n};
    if (!m->config.relations) {
        const float *given = cw_in_f32(in, "relation", 2, dim, 0);
        return given ? cw_tape_constant(t, given, dim[0], dim[1]) : NULL;
    }
    const int32_t *id = cw_in_i32(in, "relationId", 1, one, 0);
    for (int64_t i = 0; id && i < n; i++)
        if (id[i] < 0 || id[i] >= m->config.relations) {
            cw_fail(in->ctx, CW_ERR_ARGUMENT, "relation %d is none of %lld", (int)id[i], (long long)m->config.relations);
            return NULL;
        }
    return id ? cw_bert_relation(m, t, id, n) : NULL;
}

/* Of each triple the tail of another one, drawn evenly. */
static const int32_t *draw_others(cw_tape *t, int64_t n)
{
    int32_t *other = TAKE(t, n, int32_t);
    cw_stream s = cw_tape_stream(t, CW_RNG_NOISE);
    for (int64_t i = 0; other && i < n; i++) {
        int64_t step = 1 + (int64_t)(cw_rng_uniform(s, (uint64_t)i) * (float)(n - 1));
        other[i] = (int32_t)((i + (step < n ? step : n - 1)) % n);
    }
    return other;
}

/* headId, headLength, .., tailId, ..: texts; relation or relationId; apart (n): 1 where the relation says that they differ;
 * negative (n): a row of the tails, drawn where it isn't given. Padding counts in the means, as published. */
static cw_status triplet(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, cw_loss *loss)
{
    const cw_bert *m = (const cw_bert *)model;
    int64_t heads = 0, tails = 0;
    (void)settings;
    if (!m->config.projection) return no_head(model->ctx, "projection");
    cw_tensor *h = texts(m, t, in, "head", &heads), *x = texts(m, t, in, "tail", &tails);
    cw_tensor *relation = relations(m, t, in, heads);
    const float *apart = cw_in_f32(in, "apart", 1, &heads, 0);
    const int32_t *negative = cw_in_i32(in, "negative", 1, &heads, 1);
    if (!h || !x || !relation || !apart || model->ctx->status != CW_OK) return model->ctx->status;
    if (heads != tails)
        return cw_fail(model->ctx, CW_ERR_SHAPE, "%lld heads, %lld tails", (long long)heads, (long long)tails);
    if (heads < 2) return cw_fail(model->ctx, CW_ERR_ARGUMENT, "a batch of one triple has no other tail to tell it from");
    if (!negative) negative = draw_others(t, heads);
    if (!negative) return model->ctx->status;
    loss->term[0] = cw_bert_triplet(m, t, h, relation, x, cw_tape_constant(t, apart, heads, 1), negative, NULL, NULL);
    return model->ctx->status;
}

static const cw_task tasks[] = {{.name = "pretrain", .terms = pretrain_terms, .loss = pretrain},
                                {.name = "triplet", .terms = triplet_terms, .loss = triplet},
                                {0}};

/* ---- embed: one vector a sequence ---- */

enum { MEAN, MEAN_ALL, CLS, POOLER, PROJECTION };
typedef struct reading {
    int pool;
    int64_t early;
} reading;
#define EARLY CW_SET_INT(reading, early, "early", NULL, 0, 0, 1000, "layers at the end that are left out")
static const cw_setting embed_settings[] = {
    CW_SET_CHOICE(reading, pool, "pool", NULL, MEAN, "mean meanAll cls pooler projection", "of the tokens' states"),
    EARLY,
    {0}};
static const cw_setting state_settings[] = {EARLY, {0}};

static cw_status check_reading(const cw_bert *m, const reading *o)
{
    cw_ctx *ctx = m->model.ctx;
    if (o->pool == POOLER && !m->config.pooler) return no_head(ctx, "pooler");
    if (o->pool == PROJECTION && !m->config.projection) return no_head(ctx, "projection");
    if (o->early > m->config.layers)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "%lld layers are left out of %lld", (long long)o->early,
                       (long long)m->config.layers);
    return CW_OK;
}

/* `count` (rows), or NULL: 1 where a row enters the mean, of those attended to. */
static cw_tensor *mean_counted(cw_tape *t, cw_tensor *hidden, const cw_bert_rows *r, const uint8_t *count)
{
    int64_t n = r->seq.start[r->seq.count], at = 0;
    int64_t *start = TAKE(t, r->seq.count + 1, int64_t);
    int32_t *row = TAKE(t, n, int32_t);
    if (!start || !row) return NULL;
    for (int64_t s = 0; s < r->seq.count; s++) {
        start[s] = at;
        for (int64_t i = r->seq.start[s]; i < r->seq.start[s + 1]; i++)
            if (count[i]) row[at++] = (int32_t)i;
    }
    start[r->seq.count] = at;
    return cw_segment_sum(t, cw_gather(t, hidden, row, at), (cw_ragged){r->seq.count, start, NULL}, 1);
}

static cw_tensor *pooled(const cw_bert *m, cw_tape *t, const cw_bert_rows *r, const reading *o, const uint8_t *count)
{
    cw_tensor *hidden = cw_bert_forward(m, t, r, o->early, NULL), *y = NULL;
    if (count && (o->pool == MEAN))
        y = mean_counted(t, hidden, r, count);
    else if (o->pool == CLS)
        y = cw_bert_first(t, hidden, r);
    else if (o->pool == POOLER)
        y = cw_bert_pool(m, t, cw_bert_first(t, hidden, r));
    else if (o->pool == PROJECTION)
        y = cw_bert_project(m, t, cw_bert_mean(t, hidden, r, 1));
    else
        y = cw_bert_mean(t, hidden, r, o->pool == MEAN_ALL);
    cw_tape_drop(t, hidden);
    return y;
}

static cw_status check_finite(cw_ctx *ctx, const float *x, int64_t n)
{
    for (int64_t i = 0; x && i < n; i++)
        if (!isfinite(x[i]))
            return cw_fail(ctx, CW_ERR_NUMERIC,
                           "'model' gives numbers that are not finite: its weights are damaged (NaN, infinite or "
                           "huge); load it again");
    return ctx->status;
}

static cw_status embed(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_bert *m = (const cw_bert *)model;
    const reading *o = settings;
    cw_bert_rows r;
    if (check_reading(m, o) != CW_OK || cw_bert_read(m, t, in, "", &r) != CW_OK) return model->ctx->status;
    int64_t rows = r.seq.start[r.seq.count], d = o->pool == PROJECTION ? m->config.projection : m->config.width;
    const uint8_t *counted = cw_in_flags(in, "count", 1, &rows, 1);
    float *to = cw_out(model->ctx, out, "embedding", CW_ARRAY_F32, 2, (int64_t[]){r.seq.count, d});
    for (int64_t first = 0, n; to && first < r.seq.count; first += n) {
        cw_bert_rows part;
        for (n = 1; first + n < r.seq.count && r.seq.start[first + n + 1] - r.seq.start[first] <= BLOCK_ROWS;) n++;
        if (cw_bert_part(t, &r, first, n, &part) != CW_OK) return model->ctx->status;
        cw_tensor *y = pooled(m, t, &part, o, counted ? counted + r.seq.start[first] : NULL);
        const float *from = cw_tape_host(t, y);
        if (!from) return model->ctx->status;
        memcpy(to + first * d, from, (size_t)(n * d) * sizeof *to);
        cw_tape_drop(t, y);
        if (cw_poll(model->ctx) != CW_OK) return model->ctx->status;
    }
    return check_finite(model->ctx, to, r.seq.count * d);
}

/* ---- states: hidden (rows,d); logits: of the rows `row` (n,vocab) ---- */

static cw_status put(cw_tape *t, const cw_sink *out, const char *name, const cw_tensor *x)
{
    return check_finite(t->ctx, cw_model_put(t, out, name, x), x ? cw_count(x) : 0);
}

static cw_status states(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_bert *m = (const cw_bert *)model;
    const reading *o = settings;
    cw_bert_rows r;
    if (check_reading(m, o) != CW_OK || cw_bert_read(m, t, in, "", &r) != CW_OK) return model->ctx->status;
    return put(t, out, "hidden", cw_bert_forward(m, t, &r, o->early, NULL));
}

static cw_status logits(cw_model *model, cw_tape *t, cw_inputs *in, const void *settings, const cw_sink *out)
{
    const cw_bert *m = (const cw_bert *)model;
    cw_bert_rows r;
    int64_t n[1] = {-1};
    (void)settings;
    if (!m->config.mlm) return no_head(model->ctx, "head for masked tokens");
    if (cw_bert_read(m, t, in, "", &r) != CW_OK) return model->ctx->status;
    const int32_t *row = cw_in_i32(in, "row", 1, n, 0);
    if (!row) return model->ctx->status;
    return put(t, out, "logits", cw_bert_logits(m, t, cw_gather(t, cw_bert_forward(m, t, &r, 0, NULL), row, n[0])));
}

static const cw_query queries[] = {{"embed", embed_settings, sizeof(reading), embed},
                                   {"states", state_settings, sizeof(reading), states},
                                   {"logits", NULL, 0, logits},
                                   {0}};

const cw_model_class cw_bert_class = {.name = "bert",
                                      .title = "BERT",
                                      .settings = cw_bert_settings,
                                      .rules = cw_bert_rules,
                                      .tasks = tasks,
                                      .queries = queries,
                                      .bytes = sizeof(cw_bert),
                                      .config = offsetof(cw_bert, config),
                                      .config_bytes = sizeof(cw_bert_config),
                                      .check = cw_bert_check,
                                      .build = cw_bert_build,
                                      .release = cw_bert_release,
                                      .forecast = cw_bert_forecast};
