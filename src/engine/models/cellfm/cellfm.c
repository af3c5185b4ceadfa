/* cellfm.c: see cellfm.h: rows to the encoder's output, and the decoders. */
#include "cellfm.h"

#include "../../core/select.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAKE(t, count, type) ((type *)cw_arena_take((t)->arena, (int64_t)(count) * (int64_t)sizeof(type)))

static cw_tensor *bent(cw_tape *t, cw_tensor *x, float slope)
{
    return cw_apply(t, x, (cw_function){CW_FN_LEAKY_RELU, slope});
}

/* ---- values ---- */

/* table softmax(w3 v + a v), v = leaky(w1 x): x (n) -> (n,d) */
static cw_tensor *values_of(const cw_cellfm *m, cw_tape *t, const cw_cellfm_values *e, const float *x, int64_t n)
{
    cw_tensor *raw = cw_linear(t, cw_tape_constant(t, x, n, 1), e->w1, NULL, CW_ACT_NONE);
    cw_tensor *v = bent(t, raw, m->config.slope);
    cw_tape_drop(t, raw);
    cw_tensor *wide = cw_linear(t, v, e->w3, NULL, CW_ACT_NONE), *own = cw_product(t, v, e->a);
    cw_tape_drop(t, v);
    cw_tensor *sum = cw_add_scaled(t, wide, own, 1.0f);
    cw_tape_drop(t, wide), cw_tape_drop(t, own);
    cw_tensor *share = cw_softmax(t, sum, 1.0f);
    cw_tape_drop(t, sum);
    cw_tensor *y = cw_linear(t, share, e->table, NULL, CW_ACT_NONE);
    cw_tape_drop(t, share);
    return y;
}

/* Which row of each table every row is the sum of; -1: none. */
enum { GENE, VALUE, MASK, ZERO, CLS, DEPTH, DEPTH_VALUE, TABLES };
typedef struct sources {
    int32_t *of[TABLES];
    float *value; /* (values) the different ones */
    int64_t values;
} sources;

static int marks_zeros(const cw_cellfm_config *c) { return c->variant != CW_CELLFM_ANNOTATE && cw_cellfm_tells_zeros(c); }
static int hides_blank(const cw_cellfm_config *c) { return c->variant == CW_CELLFM_ANNOTATE || c->pad_zero; }

/* With `bare` the values alone, also where the sequence is zeroed: for an observer. */
static int find_sources(const cw_cellfm *m, cw_tape *t, const cw_cellfm_batch *b, int bare, sources *s)
{
    float *some = TAKE(t, b->rows + 1, float);
    int32_t *row, *at = TAKE(t, b->rows + 1, int32_t);
    int64_t n = 0;
    for (int i = 0; i < TABLES; i++) s->of[i] = TAKE(t, b->rows + 1, int32_t);
    if (!some || !at || t->ctx->status != CW_OK) return 0;
    for (int64_t r = 0; r < b->rows; r++) {
        int64_t place = r - b->seq.start[b->cell[r]];
        for (int i = 0; i < TABLES; i++) s->of[i][r] = -1;
        if (b->gene[r] < 0) {
            if (bare) continue;
            if (place == 0) s->of[CLS][r] = 0;
            if (place > 0) s->of[DEPTH][r] = (int32_t)place - 1;
            if (place > 0 && b->depth) s->of[DEPTH_VALUE][r] = 2 * b->cell[r] + (int32_t)place - 1;
            continue;
        }
        if (!bare && hides_blank(&m->config) && !b->zero[r]) continue;
        if (!bare) s->of[GENE][r] = b->gene[r];
        if (!b->seen[r])
            s->of[MASK][r] = 0;
        else if (!bare && marks_zeros(&m->config) && !b->zero[r])
            s->of[ZERO][r] = 0;
        else
            some[n] = b->value[r], at[n++] = (int32_t)r;
    }
    s->values = cw_distinct_floats(t->arena, some, n, &s->value, &row);
    if (t->ctx->status != CW_OK) return 0;
    for (int64_t i = 0; i < n; i++) s->of[VALUE][at[i]] = row[i];
    return 1;
}

/* The tables, NULL where there is none. */
static void find_tables(const cw_cellfm *m, cw_tape *t, const cw_cellfm_batch *b, const sources *s, cw_tensor *table[TABLES])
{
    cw_tensor *const all[TABLES] = {m->gene_table, NULL, m->mask, m->zero, m->cls, m->depth, NULL};
    memcpy(table, all, sizeof all);
    if (s->values > 0) table[VALUE] = values_of(m, t, &m->values, s->value, s->values);
    if (b->depth && m->depth) table[DEPTH_VALUE] = values_of(m, t, &m->depth_values, b->depth, 2 * b->cells);
}

static cw_tensor *sum_sources(cw_tape *t, const cw_cellfm_batch *b, const sources *s, cw_tensor *const all[TABLES])
{
    cw_tensor *table[TABLES];
    const int32_t *index[TABLES];
    int n = 0;
    for (int i = 0; i < TABLES; i++)
        if (all[i]) table[n] = all[i], index[n++] = s->of[i];
    return t->ctx->status == CW_OK ? cw_gather_sum(t, n, table, index, b->rows) : NULL;
}

/* Where nothing below the first layer is trained, its projections of all rows are sums of those of the tables' rows that the
 * batch uses, which are fewer: cells have genes in common, and values. 0: not so, or they aren't fewer. */
static int find_sums(cw_tape *t, const cw_cellfm_batch *b, const sources *s, cw_tensor *const all[TABLES], const cw_tensor *x,
                     cw_summed_rows *sums)
{
    cw_tensor *part[TABLES];
    int32_t *id = TAKE(t, b->rows + 1, int32_t), *first = TAKE(t, b->rows + 1, int32_t);
    int32_t *second = TAKE(t, b->rows + 1, int32_t), *gene, *at;
    int64_t n = 0, start[TABLES] = {0}, rows = 0;
    int parts = 0;
    if (!x || x->needs_grad || !id || !first || !second) return 0;
    for (int64_t r = 0; r < b->rows; r++)
        if (s->of[GENE][r] >= 0) id[n++] = s->of[GENE][r];
    int64_t genes = cw_distinct_ints(t->arena, id, n, &gene, &at);
    for (int i = 0; i < TABLES; i++) {
        if (!all[i] || (i == GENE && genes == 0)) continue;
        start[i] = rows, rows += i == GENE ? genes : cw_rows(all[i]);
    }
    if (t->ctx->status != CW_OK || 4 * rows > 3 * b->rows) return 0;
    for (int i = 0; i < TABLES; i++)
        if (all[i] && !(i == GENE && genes == 0)) part[parts++] = i == GENE ? cw_gather(t, all[i], gene, genes) : all[i];
    static const int one[] = {GENE, CLS, DEPTH}, other[] = {VALUE, MASK, ZERO, DEPTH_VALUE};
    n = 0;
    for (int64_t r = 0; r < b->rows; r++) {
        first[r] = second[r] = -1;
        for (int i = 0; i < 3; i++)
            if (s->of[one[i]][r] >= 0) first[r] = (int32_t)start[one[i]] + (one[i] == GENE ? at[n++] : s->of[one[i]][r]);
        for (int i = 0; i < 4; i++)
            if (all[other[i]] && s->of[other[i]][r] >= 0) second[r] = (int32_t)start[other[i]] + s->of[other[i]][r];
    }
    *sums = (cw_summed_rows){cw_concat_rows(t, parts, part), {first, second}, b->rows};
    return t->ctx->status == CW_OK;
}

static void show_values(const cw_cellfm *m, cw_tape *t, const cw_cellfm_batch *b, const cw_observer *observer)
{
    sources s;
    cw_tensor *all[TABLES];
    if (!observer || !find_sources(m, t, b, 1, &s)) return;
    find_tables(m, t, b, &s, all);
    cw_observe(observer, t, "value_enc", cw_gather(t, sum_sources(t, b, &s, all), b->gene_row, b->genes.start[b->cells]));
    if (!b->depth || !m->depth) return;
    int32_t *own = TAKE(t, 2 * b->cells, int32_t), *row = TAKE(t, 2 * b->cells, int32_t);
    for (int64_t i = 0; own && row && i < 2 * b->cells; i++) own[i] = (int32_t)(i % 2), row[i] = (int32_t)i;
    if (!own || !row) return;
    cw_tensor *table[] = {m->depth, values_of(m, t, &m->depth_values, b->depth, 2 * b->cells)};
    cw_observe(observer, t, "st_enc", cw_gather_sum(t, 2, table, (const int32_t *[]){own, row}, 2 * b->cells));
}

/* ---- layers ---- */

/* y + B A y: the pair of an output projection as the port has it. */
static cw_tensor *pair_after(cw_tape *t, cw_tensor *y, const cw_layer_linear *pair)
{
    if (!pair->down) return y;
    cw_tensor *thin = cw_linear(t, y, pair->down, NULL, CW_ACT_NONE);
    cw_tensor *more = cw_linear(t, thin, pair->up, NULL, CW_ACT_NONE);
    return cw_add_scaled(t, y, more, pair->scale);
}

/* o(u(x) v(x)) */
static cw_tensor *glu(cw_tape *t, cw_tensor *x, const cw_cellfm_glu *l)
{
    cw_tensor *u = cw_layer_linear_forward(t, x, &l->u, CW_ACT_NONE);
    cw_tensor *v = cw_layer_linear_forward(t, x, &l->v, CW_ACT_NONE), *both = cw_product(t, u, v);
    cw_tape_drop(t, u), cw_tape_drop(t, v);
    cw_tensor *y = cw_layer_linear_forward(t, both, &l->o, CW_ACT_NONE);
    cw_tape_drop(t, both);
    return pair_after(t, y, &l->o_after);
}

/* norm(branch + alpha x); both are dropped */
static cw_tensor *joined(cw_tape *t, cw_tensor *branch, cw_tensor *x, float alpha, const cw_layer_norm *norm)
{
    cw_tensor *sum = cw_add_scaled(t, branch, x, alpha);
    cw_tape_drop(t, branch), cw_tape_drop(t, x);
    cw_tensor *y = cw_layer_norm_forward(t, sum, norm);
    cw_tape_drop(t, sum);
    return y;
}

/* Keys of a layer, (rows,1), or NULL: all. The first half of the layers doesn't see what is hidden. */
static cw_tensor *keys_of(const cw_cellfm *m, cw_tape *t, const cw_cellfm_batch *b, int64_t layer)
{
    const cw_cellfm_config *c = &m->config;
    int early = c->variant != CW_CELLFM_ANNOTATE && layer < c->layers / 2;
    if (early ? !b->masked : !(hides_blank(c) && b->blank)) return NULL;
    float *key = TAKE(t, b->rows, float);
    for (int64_t r = 0; key && r < b->rows; r++) key[r] = b->gene[r] < 0 || (early ? b->seen[r] : b->zero[r]) ? 1.0f : 0.0f;
    return key ? cw_tape_constant(t, key, b->rows, 1) : NULL;
}

/* Rows of the last layer that are asked for: the cells' and those marked. Each row asks for itself there, so the others are
 * keys and values only. */
typedef struct asked {
    cw_ragged seq;
    int32_t *row, *at; /* (asked), (rows): a row's place among those asked for, or -1 */
    int64_t n;
} asked;

static int find_asked(cw_tape *t, const cw_cellfm_batch *b, const uint8_t *wanted, asked *a)
{
    int64_t *start = TAKE(t, b->cells + 1, int64_t);
    *a = (asked){{b->cells, start, NULL}, TAKE(t, b->rows + 1, int32_t), TAKE(t, b->rows + 1, int32_t), 0};
    if (!start || !a->row || !a->at) return 0;
    for (int64_t c = 0; c < b->cells; c++) {
        start[c] = a->n;
        for (int64_t r = b->seq.start[c]; r < b->seq.start[c + 1]; r++) {
            int takes = wanted[r] || r == b->seq.start[c];
            a->at[r] = takes ? (int32_t)a->n : -1;
            if (takes) a->row[a->n++] = (int32_t)r;
        }
    }
    start[b->cells] = a->n;
    return 1;
}

cw_cellfm_output cw_cellfm_forward(const cw_cellfm *m, cw_tape *t, const cw_cellfm_batch *b, int64_t layers,
                                   const uint8_t *wanted, const cw_observer *observer)
{
    const cw_cellfm_config *c = &m->config;
    cw_cellfm_output y = {0};
    sources s;
    cw_summed_rows sums;
    cw_tensor *all[TABLES];
    asked few = {b->seq, NULL, NULL, b->rows};
    if (t->ctx->status != CW_OK || !find_sources(m, t, b, 0, &s)) return y;
    if (wanted && layers > 0 && !find_asked(t, b, wanted, &few)) return y;
    show_values(m, t, b, observer);
    find_tables(m, t, b, &s, all);
    cw_tensor *x = sum_sources(t, b, &s, all), *scale = cw_tape_constant(t, b->scale, b->rows, 1);
    int summed = layers > 1 && find_sums(t, b, &s, all, x, &sums);
    cw_observe(observer, t, "encoder_in", x);
    float alpha = powf(2.0f * (float)c->layers, 0.25f);
    for (int64_t i = 0; i < layers && t->ctx->status == CW_OK; i++) {
        char name[32];
        const cw_cellfm_layer *l = &m->layer[i];
        float p = c->dropout * (float)i / (float)c->layers;
        int last = few.row && i == layers - 1;
        cw_tensor *asks = last ? cw_gather(t, x, few.row, few.n) : x;
        cw_tensor *key = keys_of(m, t, b, i);
        cw_tensor *o = i == 0 && summed ? cw_layer_retention_sums(t, &sums, &l->attention, key, scale, b->seq)
                                        : cw_layer_retention_forward(t, asks, x, &l->attention, key, scale,
                                                                     last ? few.seq : b->seq, b->seq);
        if (last) cw_tape_drop(t, x);
        x = joined(t, cw_dropout(t, pair_after(t, o, &l->o_after), p), asks, alpha, &l->norm1);
        x = joined(t, cw_dropout(t, glu(t, x, &l->ffn), p), x, alpha, &l->norm2);
        snprintf(name, sizeof name, "layer%lld", (long long)i);
        cw_observe(observer, t, name, x);
    }
    int32_t *first = TAKE(t, b->cells, int32_t);
    for (int64_t i = 0; first && i < b->cells; i++) first[i] = (int32_t)few.seq.start[i];
    y.hidden = x, y.at = few.at;
    y.cell = first ? cw_gather(t, x, first, b->cells) : NULL;
    cw_observe(observer, t, "cls_token", y.cell);
    return y;
}

/* ---- decoders ---- */

static cw_tensor *rows_at(cw_tape *t, const cw_cellfm_output *y, const int32_t *row, int64_t n)
{
    int32_t *at = y->at ? TAKE(t, n + 1, int32_t) : NULL;
    if (y->at && !at) return NULL;
    for (int64_t i = 0; at && i < n; i++) at[i] = y->at[row[i]];
    return cw_gather(t, y->hidden, at ? at : row, n);
}

cw_tensor *cw_cellfm_gene_values(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y, const int32_t *row, int64_t n)
{
    return cw_layer_mlp_forward(t, rows_at(t, y, row, n), &m->value_decoder);
}

cw_tensor *cw_cellfm_gene_zeros(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y, const int32_t *row, int64_t n)
{
    return cw_layer_mlp_forward(t, rows_at(t, y, row, n), &m->zero_decoder);
}

/* act(W gene) . cell; what depends on the gene alone is computed once a gene */
static cw_tensor *by_cell(cw_tape *t, const cw_cellfm *m, const cw_layer_linear *w, cw_act act, const cw_cellfm_output *y,
                          const cw_cellfm_batch *b, const int32_t *row, int64_t n)
{
    int32_t *id = TAKE(t, n + 1, int32_t), *cell = TAKE(t, n + 1, int32_t), *gene, *at;
    if (!id || !cell) return NULL;
    for (int64_t i = 0; i < n; i++) id[i] = b->gene[row[i]], cell[i] = b->cell[row[i]];
    int64_t genes = cw_distinct_ints(t->arena, id, n, &gene, &at);
    if (t->ctx->status != CW_OK) return NULL;
    cw_tensor *q = cw_layer_linear_forward(t, cw_gather(t, m->gene_table, gene, genes), w, act);
    return cw_row_dots(t, cw_gather(t, q, at, n), cw_gather(t, y->cell, cell, n));
}

cw_tensor *cw_cellfm_cell_values(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y, const cw_cellfm_batch *b,
                                 const int32_t *row, int64_t n)
{
    return by_cell(t, m, &m->map, CW_ACT_SIGMOID, y, b, row, n);
}

cw_tensor *cw_cellfm_cell_zeros(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y, const cw_cellfm_batch *b,
                                const int32_t *row, int64_t n)
{
    return by_cell(t, m, &m->map_zero, CW_ACT_NONE, y, b, row, n);
}

cw_tensor *cw_cellfm_head(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y)
{
    const cw_mlp_step *a = &m->head.step[0], *b = &m->head.step[1];
    cw_tensor *x = y->cell, *z;
    if (t->training && t->recording && t->ctx->status == CW_OK) {
        /* The batch's norm leaves what cells differ in, which is little beside what they share: gradients of what they
         * share are 0, so it goes by itself, without any. */
        cw_tensor *mean = cw_column_sums(t, x, 1.0f / (float)cw_rows(x));
        cw_tensor *shared = cw_gradient_reversal(t, cw_linear_precise(t, mean, a->linear.w, NULL, CW_ACT_NONE), 0.0f);
        x = cw_add_spread(t, x, cw_gradient_reversal(t, mean, 0.0f), -1.0f);
        z = cw_add_spread(t, cw_linear_precise(t, x, a->linear.w, a->linear.b, CW_ACT_NONE), shared, 1.0f);
    } else {
        z = cw_linear_precise(t, x, a->linear.w, a->linear.b, CW_ACT_NONE);
    }
    return cw_layer_linear_forward(t, cw_apply(t, cw_layer_norm_forward(t, z, &a->before), a->act), &b->linear, CW_ACT_NONE);
}

/* ---- classes that ask ---- */

typedef struct asking {
    cw_tensor *gene, *key; /* (genes' rows, d); (genes' rows,1), or NULL: all */
    cw_ragged query;
    int32_t *cell; /* (queries) the rows of cells among [cells; classes] */
    int64_t per, n; /* queries of a cell, of all */
} asking;

/* per: the classes, with `own` the cell's row in front of them */
static int prepare_asking(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y, const cw_cellfm_batch *b, int own,
                          asking *a)
{
    int64_t n = b->genes.start[b->cells], K = m->config.classes;
    a->per = K + own, a->n = a->per * b->cells;
    a->gene = cw_gather(t, y->hidden, b->gene_row, n);
    int64_t *start = TAKE(t, b->cells + 1, int64_t);
    float *key = TAKE(t, n + 1, float);
    a->cell = TAKE(t, a->n, int32_t);
    if (!start || !key || !a->cell || t->ctx->status != CW_OK) return 0;
    for (int64_t i = 0; i < n; i++) key[i] = b->zero[b->gene_row[i]] ? 1.0f : 0.0f;
    for (int64_t i = 0; i <= b->cells; i++) start[i] = i * a->per;
    for (int64_t i = 0; i < a->n; i++) {
        int64_t place = i % a->per;
        a->cell[i] = (int32_t)(own && place == 0 ? i / a->per : place - own + (own ? b->cells : 0));
    }
    a->key = b->blank ? cw_tape_constant(t, key, n, 1) : NULL;
    a->query = (cw_ragged){b->cells, start, NULL};
    return 1;
}

/* Output of the query layers before `last` (of annotation); the queries are the rows a->cell of [cells; classes]. */
static cw_tensor *ask_layers(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y, const cw_cellfm_batch *b,
                             const asking *a, int last, const cw_observer *observer)
{
    cw_tensor *x = cw_gather(t, cw_concat_rows(t, 2, (cw_tensor *[]){y->cell, m->cluster}), a->cell, a->n);
    for (int i = 0; i < last && t->ctx->status == CW_OK; i++) {
        const cw_cellfm_query *l = &m->query[i];
        char name[32];
        cw_tensor *o = cw_layer_retention_forward(t, x, x, &l->self, NULL, NULL, a->query, a->query);
        x = joined(t, o, x, 1.0f, &l->norm1);
        o = cw_layer_retention_forward(t, x, a->gene, &l->cross, a->key, NULL, a->query, b->genes);
        x = joined(t, o, x, 1.0f, &l->norm2);
        x = joined(t, glu(t, x, &l->ffn), x, 1.0f, &l->norm3);
        snprintf(name, sizeof name, "query%d", i);
        cw_observe(observer, t, name, x);
    }
    return x;
}

void cw_cellfm_labels(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y, const cw_cellfm_batch *b,
                      cw_tensor **by_query, cw_tensor **by_cell_row, const cw_observer *observer)
{
    int64_t K = m->config.classes, own = m->config.variant == CW_CELLFM_ANNOTATE;
    asking a;
    *by_query = *by_cell_row = NULL;
    if (t->ctx->status != CW_OK || !prepare_asking(m, t, y, b, (int)own, &a)) return;
    cw_tensor *x, *cell;
    int32_t *row = TAKE(t, b->cells * (K + 1), int32_t), *head = row ? row + b->cells * K : NULL;
    for (int64_t i = 0; row && i < b->cells * K; i++) row[i] = (int32_t)(i / K * a.per + i % K + own);
    for (int64_t i = 0; row && i < b->cells; i++) head[i] = (int32_t)(i * a.per);
    if (!row) return;
    if (own) {
        x = ask_layers(m, t, y, b, &a, 2, observer);
        cell = cw_gather(t, x, head, b->cells);
        x = cw_gather(t, x, row, b->cells * K);
    } else {
        const cw_cellfm_query *l = &m->query[0];
        x = cw_gather(t, m->cluster, a.cell, a.n);
        cw_tensor *o = cw_layer_retention_forward(t, x, a.gene, &l->cross, a.key, NULL, a.query, b->genes);
        x = joined(t, o, x, 1.0f, &l->norm1);
        x = joined(t, glu(t, x, &l->ffn), x, 1.0f, &l->norm2);
        cw_observe(observer, t, "cluster", x);
        cell = cw_layer_mlp_forward(t, y->cell, &m->proj);
    }
    *by_query = cw_tape_reshape(t, cw_layer_linear_forward(t, x, &m->classifier, CW_ACT_NONE), b->cells, K);
    *by_cell_row = cw_linear(t, cell, m->cluster, NULL, CW_ACT_NONE);
    cw_observe(observer, t, "labelpred1", *by_query);
    cw_observe(observer, t, "labelpred2", *by_cell_row);
}

/* ---- attention of the cell's row ---- */

cw_tensor *cw_cellfm_attention(const cw_cellfm *m, cw_tape *t, const cw_cellfm_batch *b, int64_t layer)
{
    int own = m->config.variant == CW_CELLFM_ANNOTATE;
    cw_cellfm_output y = cw_cellfm_forward(m, t, b, own ? m->config.layers : layer - 1, NULL, NULL);
    const cw_layer_retention *l = own ? &m->query[1].cross : &m->layer[layer - 1].attention;
    int64_t n = b->genes.start[b->cells], *start = TAKE(t, b->cells + 1, int64_t);
    cw_tensor *asks = y.cell, *answers, *key;
    if (!start || t->ctx->status != CW_OK) return NULL;
    for (int64_t i = 0; i <= b->cells; i++) start[i] = i;
    if (own) {
        asking a;
        int32_t *row = TAKE(t, b->cells, int32_t);
        if (!row || !prepare_asking(m, t, &y, b, 1, &a)) return NULL;
        for (int64_t i = 0; i < b->cells; i++) row[i] = (int32_t)(i * a.per);
        asks = cw_gather(t, ask_layers(m, t, &y, b, &a, 1, NULL), row, b->cells);
        answers = a.gene, key = a.key;
    } else {
        answers = cw_gather(t, y.hidden, b->gene_row, n);
        key = keys_of(m, t, b, layer - 1);
        if (key) key = cw_gather(t, key, b->gene_row, n);
    }
    cw_tensor *q = cw_layer_linear_forward(t, asks, &l->q, CW_ACT_RELU);
    cw_tensor *k = cw_layer_linear_forward(t, answers, &l->k, CW_ACT_RELU);
    if (key) k = cw_product(t, k, key);
    cw_attend_spec spec = {.heads = l->heads, .scale = (float)l->heads / (float)m->config.width,
                           .query = {b->cells, start, NULL}, .key = b->genes};
    return cw_attention_scores(t, q, k, spec);
}

cw_status cw_cellfm_ranks(cw_ctx *ctx, float *rank, const float *score, int64_t heads, int64_t n)
{
    cw_ranked *all = cw_calloc(ctx, n, sizeof *all);
    for (int64_t i = 0; all && i < n; i++) rank[i] = 0;
    for (int64_t h = 0; all && h < heads; h++) {
        for (int64_t i = 0; i < n; i++) all[i] = (cw_ranked){score[h * n + i], (int32_t)i};
        qsort(all, (size_t)n, sizeof *all, cw_ranked_rising);
        for (int64_t i = 0; i < n; i++) rank[all[i].at] += (float)((double)i / ((double)n * (double)heads));
    }
    cw_free(ctx, all);
    return ctx->status;
}
