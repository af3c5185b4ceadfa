/* bert.c: see bert.h. */
#include "bert.h"

#include <stdio.h>

#define TAKE(t, count, type) ((type *)cw_arena_take((t)->arena, (int64_t)(count) * (int64_t)sizeof(type)))

static cw_act act_of(const cw_bert *m) { return m->config.act ? CW_ACT_RELU : CW_ACT_GELU; }

/* word + position + type. The padding token's row is not trained by being looked up (nn.Embedding's padding_idx),
 * though it is by the head that shares the table. */
static cw_tensor *embed(const cw_bert *m, cw_tape *t, const cw_bert_rows *rows)
{
    int64_t n = rows->seq.start[rows->seq.count], pads = 0;
    for (int64_t i = 0; i < n; i++) pads += rows->id[i] == m->config.pad;
    if (!pads || !t->recording) {
        return cw_gather_sum(t, 3, (cw_tensor *[]){m->words, m->positions, m->types},
                             (const int32_t *[]){rows->id, rows->position, rows->type}, n);
    }
    int32_t *word = TAKE(t, n, int32_t), *pad = TAKE(t, n, int32_t);
    if (!word || !pad) return NULL;
    for (int64_t i = 0; i < n; i++) {
        int is_pad = rows->id[i] == m->config.pad;
        word[i] = is_pad ? -1 : rows->id[i];
        pad[i] = is_pad ? 0 : -1;
    }
    int32_t *token = TAKE(t, 1, int32_t);
    if (!token) return NULL;
    *token = (int32_t)m->config.pad;
    cw_tensor *still = cw_gradient_reversal(t, cw_gather(t, m->words, token, 1), 0.0f);
    return cw_gather_sum(t, 4, (cw_tensor *[]){m->words, m->positions, m->types, still},
                         (const int32_t *[]){word, rows->position, rows->type, pad}, n);
}

/* x = norm(x + o(attention)); x = norm(x + W2 act(W1 x)) */
static cw_tensor *layer_forward(const cw_bert *m, cw_tape *t, const cw_bert_layer *l, cw_tensor *x,
                                const cw_bert_rows *rows)
{
    float p = m->config.dropout;
    cw_attend_spec spec = {.mask = CW_MASK_NONE, .query = rows->seq, .key = rows->key};
    cw_tensor *asked = rows->kept ? cw_gather(t, x, rows->kept, rows->key.start[rows->key.count]) : x;
    cw_tensor *o = cw_dropout(t, cw_layer_attention_forward(t, x, asked, &l->attention, spec), p);
    if (asked != x) cw_tape_drop(t, asked);
    cw_tensor *sum = cw_add_scaled(t, o, x, 1.0f);
    cw_tape_drop(t, o), cw_tape_drop(t, x);
    x = cw_layer_norm_forward(t, sum, &l->attention_norm);
    cw_tape_drop(t, sum);
    cw_tensor *wide = cw_layer_linear_forward(t, x, &l->inner, act_of(m));
    o = cw_dropout(t, cw_layer_linear_forward(t, wide, &l->outer, CW_ACT_NONE), p);
    cw_tape_drop(t, wide);
    sum = cw_add_scaled(t, o, x, 1.0f);
    cw_tape_drop(t, o), cw_tape_drop(t, x);
    x = cw_layer_norm_forward(t, sum, &l->norm);
    cw_tape_drop(t, sum);
    return x;
}

cw_tensor *cw_bert_forward(const cw_bert *m, cw_tape *t, const cw_bert_rows *rows, int64_t early,
                           const cw_observer *observer)
{
    char name[32];
    if (t->ctx->status != CW_OK) return NULL;
    cw_tensor *sum = embed(m, t, rows), *x = cw_layer_norm_forward(t, sum, &m->first);
    cw_tape_drop(t, sum);
    x = cw_dropout(t, x, m->config.dropout);
    cw_observe(observer, t, "hidden0", x);
    for (int64_t i = 0; i < m->config.layers - early; i++) {
        x = layer_forward(m, t, &m->layer[i], x, rows);
        snprintf(name, sizeof name, "hidden%lld", (long long)i + 1);
        cw_observe(observer, t, name, x);
    }
    return x;
}

cw_tensor *cw_bert_first(cw_tape *t, cw_tensor *hidden, const cw_bert_rows *rows)
{
    int32_t *first = TAKE(t, rows->seq.count, int32_t);
    for (int64_t i = 0; first && i < rows->seq.count; i++) first[i] = (int32_t)rows->seq.start[i];
    return first ? cw_gather(t, hidden, first, rows->seq.count) : NULL;
}

cw_tensor *cw_bert_mean(cw_tape *t, cw_tensor *hidden, const cw_bert_rows *rows, int all)
{
    if (all || !rows->kept) return cw_segment_sum(t, hidden, rows->seq, 1);
    cw_tensor *kept = cw_gather(t, hidden, rows->kept, rows->key.start[rows->key.count]);
    cw_tensor *y = cw_segment_sum(t, kept, rows->key, 1);
    cw_tape_drop(t, kept);
    return y;
}

cw_tensor *cw_bert_pool(const cw_bert *m, cw_tape *t, cw_tensor *first)
{
    return cw_layer_linear_forward(t, first, &m->pooler, CW_ACT_TANH);
}

cw_tensor *cw_bert_logits(const cw_bert *m, cw_tape *t, cw_tensor *hidden)
{
    cw_tensor *bent = cw_layer_linear_forward(t, hidden, &m->transform, act_of(m));
    cw_tensor *x = cw_layer_norm_forward(t, bent, &m->transform_norm);
    cw_tape_drop(t, bent);
    cw_tensor *y = cw_linear(t, x, m->words, m->word_bias, CW_ACT_NONE);
    cw_tape_drop(t, x);
    return y;
}

cw_tensor *cw_bert_project(const cw_bert *m, cw_tape *t, cw_tensor *mean)
{
    cw_tensor *x = cw_layer_linear_forward(t, mean, &m->project, CW_ACT_RELU);
    return cw_layer_norm_forward(t, x, &m->project_norm);
}

/* |v| of each row as <v, v / |v|>, whose gradient is v / |v| */
static cw_tensor *length(cw_tape *t, cw_tensor *v) { return cw_row_dots(t, v, cw_unit_rows(t, v, 1.0f, 1e-12f)); }

static cw_tensor *hinge(cw_tape *t, cw_tensor *x, float a, float b) /* relu(a x + b) */
{
    return cw_apply(t, cw_affine(t, x, a, b), (cw_function){CW_FN_LEAKY_RELU, 0});
}

cw_tensor *cw_bert_relation(const cw_bert *m, cw_tape *t, const int32_t *id, int64_t n)
{
    cw_tensor *x = cw_layer_linear_forward(t, cw_gather(t, m->relation, id, n), &m->relation_project, CW_ACT_RELU);
    return cw_layer_norm_forward(t, x, &m->relation_norm);
}

cw_tensor *cw_bert_triplet(const cw_bert *m, cw_tape *tape, cw_tensor *h, cw_tensor *r, cw_tensor *t, cw_tensor *apart,
                           const int32_t *negative, cw_tensor **pos, cw_tensor **neg)
{
    const cw_bert_config *c = &m->config;
    if (tape->ctx->status != CW_OK) return NULL;
    cw_tensor *at = cw_add_scaled(tape, h, r, 1.0f);
    cw_tensor *d = length(tape, cw_add_scaled(tape, at, t, -1.0f));
    cw_tensor *n = length(tape, cw_add_scaled(tape, at, cw_gather(tape, t, negative, cw_rows(h)), -1.0f));
    cw_tensor *near = cw_apply(tape, d, (cw_function){CW_FN_EXP, -1.0f});
    cw_tensor *push = cw_add_scaled(tape, hinge(tape, d, -1.0f, c->margin * c->push), near, 0.5f);
    cw_tensor *pull = cw_add_scaled(tape, hinge(tape, cw_add_scaled(tape, d, n, -1.0f), 1.0f, c->margin),
                                    hinge(tape, d, -1.0f, c->min_distance), 0.3f);
    cw_tensor *alike = cw_affine(tape, apart, -1.0f, 1.0f);
    cw_tensor *all = cw_add_scaled(tape, cw_product(tape, push, apart), cw_product(tape, pull, alike), 1.0f);
    if (pos) *pos = d;
    if (neg) *neg = n;
    return cw_tape_over(cw_sum(tape, all, 1.0f / (float)cw_rows(h)), (double)cw_rows(h));
}
