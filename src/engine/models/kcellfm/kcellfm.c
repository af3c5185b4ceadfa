/* kcellfm.c: see kcellfm.h: tokens to cells' vectors, the heads, and the ranking loss. */
#include "kcellfm.h"

#include <stdio.h>
#include <string.h>

#define EPS 1e-5f
#define TAKE(count, type) ((type *)cw_arena_take(arena, (int64_t)(count) * (int64_t)sizeof(type)))

/* ---- batches ---- */

/* Each cell's tokens are one piece of `flip`, each row of padding another. */
static cw_status mark_padding(cw_kcellfm_batch *b, cw_arena *arena)
{
    const cw_scgpt_batch *x = &b->token;
    int64_t pieces = 0, pads = x->rows - x->keys.start[x->cells];
    int64_t *start = TAKE(x->cells + pads + 1, int64_t);
    b->kept = TAKE(x->rows + 1, float);
    if (!start || !b->kept) return cw_arena_ctx(arena)->status;
    memset(b->kept, 0, (size_t)x->rows * sizeof *b->kept);
    for (int64_t c = 0; c < x->cells; c++) {
        int64_t first = x->seq.start[c], n = x->keys.start[c + 1] - x->keys.start[c];
        start[pieces++] = first;
        for (int64_t r = first; r < first + n; r++) b->kept[r] = 1.0f;
        for (int64_t r = first + n; r < x->seq.start[c + 1]; r++) start[pieces++] = r;
    }
    start[pieces] = x->rows;
    b->flip = (cw_ragged){pieces, start, NULL};
    return CW_OK;
}

cw_status cw_kcellfm_batch_build(cw_kcellfm_batch *b, cw_arena *arena, const cw_scgpt_input *in,
                                 const cw_scgpt_reading *how, const cw_kcellfm_config *config)
{
    const cw_scgpt_config tokens = {.tokens = config->tokens, .cls = config->cls, .pad_value = config->cls_value};
    memset(b, 0, sizeof *b);
    if (cw_scgpt_batch_build(&b->token, arena, in, how, &tokens) != CW_OK) return cw_arena_ctx(arena)->status;
    if (b->token.key) return mark_padding(b, arena);
    b->flip = b->token.seq;
    return CW_OK;
}

/* ---- tokens ---- */

/* of the different tokens: norm(embedding) */
static cw_tensor *gene_encoder(const cw_kcellfm *m, cw_tape *t, const cw_scgpt_batch *b)
{
    return cw_layer_norm_forward(t, cw_gather(t, m->gene_table, b->token, b->tokens), &m->gene_norm);
}

/* of the different values: norm(W2 relu(W1 min(x, most))); *row: of each token */
static cw_tensor *value_encoder(const cw_kcellfm *m, cw_tape *t, const cw_scgpt_batch *b, int32_t **row)
{
    float *value;
    int64_t n = cw_distinct_floats(t->arena, b->value, b->rows, &value, row);
    if (n == 0) return NULL;
    for (int64_t i = 0; i < n; i++)
        if (value[i] > m->config.most) value[i] = m->config.most;
    cw_tensor *x = cw_layer_linear_forward(t, cw_tape_constant(t, value, n, 1), &m->value[0], CW_ACT_RELU);
    return cw_layer_norm_forward(t, cw_layer_linear_forward(t, x, &m->value[1], CW_ACT_NONE), &m->value_norm);
}

/* (rows,d): gene + dropout(value), 0 on padding */
static cw_tensor *embed_tokens(const cw_kcellfm *m, cw_tape *t, const cw_kcellfm_batch *b, const cw_observer *observer)
{
    const cw_scgpt_batch *s = &b->token;
    int32_t *value_row;
    cw_tensor *gene = gene_encoder(m, t, s), *value = value_encoder(m, t, s, &value_row), *x;
    if (!gene || !value) return NULL;
    if (observer) {
        cw_observe(observer, t, "gene_encoder", cw_gather(t, gene, s->token_row, s->rows));
        cw_observe(observer, t, "value_encoder", cw_gather(t, value, value_row, s->rows));
    }
    if (t->training && m->config.dropout > 0) { /* drawn for every token, not for every value */
        cw_tensor *drawn = cw_dropout(t, cw_gather(t, value, value_row, s->rows), m->config.dropout);
        x = cw_add_scaled(t, cw_gather(t, gene, s->token_row, s->rows), drawn, 1.0f);
    } else {
        x = cw_gather_sum(t, 2, (cw_tensor *[]){gene, value}, (const int32_t *[]){s->token_row, value_row}, s->rows);
    }
    return b->kept ? cw_product(t, x, cw_tape_constant(t, b->kept, s->rows, 1)) : x;
}

/* ---- layers ---- */

/* reversed(mixer(reversed(h))); padding stays where it is */
static cw_tensor *backwards(cw_tape *t, cw_tensor *h, const cw_layer_ssm *l, const cw_kcellfm_batch *b,
                            const cw_observer *observer, const char *name)
{
    cw_tensor *in = cw_reverse(t, h, b->flip), *out = cw_layer_ssm_forward(t, in, l, b->token.seq, observer, name);
    cw_tape_drop(t, in);
    cw_tensor *y = cw_reverse(t, out, b->flip);
    cw_tape_drop(t, out);
    return y;
}

/* norm(both directions of norm(x)); the norms have no weights, and there is no residual */
static cw_tensor *layer_forward(const cw_kcellfm *m, cw_tape *t, cw_tensor *x, int64_t i, const cw_kcellfm_batch *b,
                                const cw_observer *observer)
{
    const cw_kcellfm_layer *l = &m->layer[i];
    char name[2][40];
    snprintf(name[0], sizeof name[0], "layer%lld.mamba_fwd", (long long)i);
    snprintf(name[1], sizeof name[1], "layer%lld.mamba_rev", (long long)i);
    cw_tensor *h = cw_layernorm(t, x, NULL, NULL, EPS);
    cw_tape_drop(t, x);
    cw_tensor *y = cw_layer_ssm_forward(t, h, &l->forward, b->token.seq, observer, name[0]);
    if (m->config.both) {
        cw_tensor *fwd = y, *rev = backwards(t, h, &l->reverse, b, observer, name[1]);
        y = m->config.combine == CW_KCELLFM_ADD ? cw_affine(t, cw_add_scaled(t, fwd, rev, 1.0f), 0.5f, 0.0f)
                                                : cw_product(t, fwd, rev);
        cw_tape_drop(t, fwd), cw_tape_drop(t, rev);
    }
    cw_tape_drop(t, h);
    cw_tensor *out = cw_layernorm(t, y, NULL, NULL, EPS);
    cw_tape_drop(t, y);
    return out;
}

/* The row of <cls>; the mean of all rows; the sum of all rows times their values, of length 1. */
static cw_tensor *cell_vectors(const cw_kcellfm *m, cw_tape *t, cw_tensor *hidden, const cw_scgpt_batch *b)
{
    if (m->config.cell == CW_KCELLFM_CLS) return cw_gather(t, hidden, b->first, b->cells);
    if (m->config.cell == CW_KCELLFM_MEAN) return cw_segment_sum(t, hidden, b->seq, 1);
    cw_tensor *weighted = cw_product(t, hidden, cw_tape_constant(t, b->value, b->rows, 1));
    return cw_unit_rows(t, cw_segment_sum(t, weighted, b->seq, 0), 1.0f, 1e-12f);
}

cw_kcellfm_output cw_kcellfm_forward(const cw_kcellfm *m, cw_tape *t, const cw_kcellfm_batch *b,
                                     const cw_observer *observer)
{
    cw_kcellfm_output y = {0};
    char name[32];
    cw_tensor *x = embed_tokens(m, t, b, observer);
    for (int64_t i = 0; x && i < m->config.layers; i++) {
        x = layer_forward(m, t, x, i, b, observer);
        snprintf(name, sizeof name, "layer%lld", (long long)i);
        cw_observe(observer, t, name, x);
    }
    if (!x) return y;
    y.hidden = x;
    y.cell = cell_vectors(m, t, x, &b->token);
    cw_observe(observer, t, "cell_emb", y.cell);
    return y;
}

/* ---- heads ---- */

cw_tensor *cw_kcellfm_decode(const cw_kcellfm *m, cw_tape *t, const cw_kcellfm_output *y, const int32_t *row, int64_t n)
{
    return cw_layer_mlp_forward(t, cw_gather(t, y->hidden, row, n), &m->decoder);
}

cw_tensor *cw_kcellfm_classify(const cw_kcellfm *m, cw_tape *t, const cw_kcellfm_output *y)
{
    return cw_layer_mlp_forward(t, y->cell, &m->class_decoder);
}

/* ---- ranking ---- */

/* One of the types that are not `own` and, unless that leaves none, not close to it. */
static int32_t draw_type(cw_stream s, uint64_t at, const cw_kcellfm_types *x, int64_t own, int far)
{
    const uint8_t *close = x->close + own * x->classes;
    int64_t n = 0, last = own;
    for (int64_t k = 0; k < x->classes; k++) n += k != own && !(far && close[k]);
    if (n == 0) return draw_type(s, at, x, own, 0);
    int64_t pick = (int64_t)(cw_rng_uniform(s, at) * (float)n);
    if (pick >= n) pick = n - 1;
    for (int64_t k = 0; k < x->classes && pick >= 0; k++)
        if (k != own && !(far && close[k])) pick--, last = k;
    return (int32_t)last;
}

static int known(cw_ctx *ctx, const char *what, int32_t type, int64_t cell, int64_t classes)
{
    if (type >= 0 && type < classes) return 1;
    cw_fail(ctx, CW_ERR_ARGUMENT, "%s %d of cell %lld is none of %lld types", what, (int)type, (long long)(cell + 1),
            (long long)classes);
    return 0;
}

/* near, far (cells): the close type of largest cosine (or the proxy), and the negative. cosine (cells,classes). */
static int choose_types(cw_tape *t, const cw_kcellfm_types *x, const float *cosine, int32_t *near, int32_t *far)
{
    cw_ctx *ctx = t->ctx;
    cw_stream s = cw_tape_stream(t, CW_RNG_NOISE);
    for (int64_t c = 0; c < x->cells; c++) {
        const float *to = cosine + c * x->classes;
        int64_t own = x->label[c], best = -1;
        if (!known(ctx, "type", x->label[c], c, x->classes)) return 0;
        for (int64_t k = 0; k < x->classes; k++)
            if (x->close[own * x->classes + k] && (best < 0 || to[k] > to[best])) best = k;
        if (best < 0) best = x->proxy ? x->proxy[c] : draw_type(s, (uint64_t)(2 * c), x, own, 0);
        near[c] = (int32_t)best;
        far[c] = x->negative ? x->negative[c] : draw_type(s, (uint64_t)(2 * c + 1), x, own, 1);
        if (!known(ctx, "proxy", near[c], c, x->classes) || !known(ctx, "negative", far[c], c, x->classes)) return 0;
    }
    return 1;
}

cw_tensor *cw_kcellfm_ranking(cw_tape *t, cw_tensor *cell, const cw_kcellfm_types *x)
{
    const cw_function relu = {CW_FN_LEAKY_RELU, 0.0f};
    if (!cell) return NULL;
    if (x->classes < 2) {
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "the ranking loss needs two types; there is %lld", (long long)x->classes);
        return NULL;
    }
    cw_arena *arena = t->arena;
    int32_t *near = TAKE(x->cells, int32_t), *far = TAKE(x->cells, int32_t);
    cw_tensor *u = cw_unit_rows(t, cell, 1.0f, 1e-12f);
    cw_tensor *v = cw_unit_rows(t, cw_tape_constant(t, x->vector, x->classes, cw_cols(cell)), 1.0f, 1e-12f);
    const float *cosine = cw_tape_host(t, cw_linear(t, u, v, NULL, CW_ACT_NONE));
    if (!near || !far || !cosine || !choose_types(t, x, cosine, near, far)) return NULL;
    cw_tensor *own = cw_row_dots(t, u, cw_gather(t, v, x->label, x->cells));
    cw_tensor *close = cw_row_dots(t, u, cw_gather(t, v, near, x->cells));
    cw_tensor *other = cw_row_dots(t, u, cw_gather(t, v, far, x->cells));
    cw_tensor *first = cw_apply(t, cw_affine(t, cw_add_scaled(t, close, own, -1.0f), 1.0f, 0.1f), relu);
    cw_tensor *second = cw_apply(t, cw_affine(t, cw_add_scaled(t, other, close, -1.0f), 1.0f, 0.2f), relu);
    return cw_sum(t, cw_add_scaled(t, first, second, 1.0f), 1.0f / (float)x->cells);
}
