/* cellfm_batch.c: from counts to slots, from slots to packed rows; what is hidden, what is thinned. */
#include "cellfm.h"

#include "../../core/select.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TAKE(count, type) ((type *)cw_arena_take(arena, (int64_t)(count) * (int64_t)sizeof(type)))
#define TOTAL 1e4 /* counts of a cell are scaled to this sum */

/* ---- inputs ---- */

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static cw_cellfm_input read_input(const cw_cellfm_config *c, cw_inputs *in)
{
    cw_cellfm_input x = {0};
    int64_t all[2] = {-1, -1}, pairs[3] = {-1, -1, 2}, zeros[2] = {-1, -1};
    x.counts = cw_in_counts(in, all);
    if (x.counts) {
        int64_t order[2] = {all[0], -1}, mix[2] = {all[0], -1};
        x.token = cw_in_i32(in, "token", 1, &all[1], 0);
        x.order = cw_in_i32(in, "order", 2, order, 1), x.permutation = cw_in_i32(in, "permutation", 2, mix, 1);
        x.orders = order[1], x.permutations = mix[1];
    } else {
        x.gene = cw_in_i32(in, "gene", 2, all, 0);
        pairs[0] = all[0], pairs[1] = all[1], zeros[0] = all[0];
        x.data = cw_in_f32(in, "data", 3, pairs, 1);
        x.value = cw_in_f32(in, "value", 2, all, x.data != NULL);
        x.zero = cw_in_f32(in, "zero", 2, zeros, 0);
        x.raw = cw_in_f32(in, "raw", 2, all, 1), x.mask = cw_in_f32(in, "mask", 2, all, 1);
        x.zeros = zeros[1];
        if (x.zero && x.zeros != all[1] && x.zeros != all[1] + 1)
            cw_fail(in->ctx, CW_ERR_SHAPE, "the input 'zero' has %lld columns for %lld slots", (long long)x.zeros,
                    (long long)all[1]);
    }
    x.cells = all[0], x.length = all[1];
    if (c->variant == CW_CELLFM_FINETUNE) {
        int64_t two[2] = {x.cells, 2};
        x.depth = cw_in_f32(in, "depth", 2, two, 1);
    }
    if (in->ctx->status == CW_OK && (x.cells < 1 || x.length < 1))
        cw_fail(in->ctx, CW_ERR_ARGUMENT, "a batch of %lld cells x %lld genes is empty", (long long)x.cells,
                (long long)x.length);
    return x;
}

/* Values of a cell's known genes into x (genes), 0 elsewhere; 0 with the error recorded. */
static int cell_values(cw_ctx *ctx, const cw_cellfm_input *in, int64_t cell, double *x)
{
    const cw_array *a = in->counts;
    int64_t G = in->length;
    if (a->type != CW_ARRAY_CSR)
        for (int64_t g = 0; g < G; g++) x[g] = cw_array_number(a, cell * G + g);
    else {
        for (int64_t g = 0; g < G; g++) x[g] = 0;
        int64_t at = a->start[cell], end = a->start[cell + 1];
        if (at < 0 || end < at) return cw_fail(ctx, CW_ERR_ARGUMENT, "the rows of 'counts' are out of order"), 0;
        for (; at < end; at++) {
            if (a->column[at] < 0 || a->column[at] >= G)
                return cw_fail(ctx, CW_ERR_ARGUMENT, "an index of 'counts' is wrong"), 0;
            x[a->column[at]] = ((const double *)a->data)[at];
        }
    }
    for (int64_t g = 0; g < G; g++) {
        if (!(x[g] >= 0 && x[g] < (double)INFINITY))
            return cw_fail(ctx, CW_ERR_ARGUMENT, "the value of cell %lld, gene %lld is %g; it must be finite and >= 0",
                           (long long)(cell + 1), (long long)(g + 1), x[g]), 0;
        if (in->token[g] < 0) x[g] = 0;
    }
    return 1;
}

/* ---- draws ---- */

static double draw(const cw_cellfm_input *in, const cw_cellfm_reading *how, int64_t cell, int32_t column, int64_t i)
{
    uint64_t number = how->drawn ? (uint64_t)how->first + (uint64_t)cell : 0;
    cw_stream s = cw_rng_stream((uint64_t)how->key, CW_RNG_USER, number, 1);
    return (double)cw_rng_uniform(s, how->drawn ? (uint64_t)i : (uint64_t)in->token[column]);
}

/* Keeps `most` of n columns, in their order: without replacement with probability proportional to log1p(count), by the
 * smallest of exponential times (Efraimidis and Spirakis 2006); with `weigh` 0 all are as likely. */
static int64_t choose(const cw_cellfm_input *in, const cw_cellfm_reading *how, int64_t cell, const double *x,
                      int32_t *column, int64_t n, int64_t most, int weigh, cw_ranked *all)
{
    if (n <= most) return n;
    for (int64_t i = 0; i < n; i++) {
        double rate = !weigh ? 1.0 : how->logged ? x[column[i]] : log1p(x[column[i]]);
        all[i] = (cw_ranked){-log(draw(in, how, cell, column[i], i)) / rate, column[i]};
    }
    qsort(all, (size_t)n, sizeof *all, cw_ranked_rising);
    for (int64_t i = 0; i < most; i++) column[i] = all[i].at;
    qsort(column, (size_t)most, sizeof *column, cw_int32_rising);
    return most;
}

/* Binomial(n, p) by the gaps between successes; *u counts the numbers that are used. */
static double binomial(cw_stream s, uint64_t *u, double n, double p)
{
    if (p > 0.5) return n - binomial(s, u, n, 1 - p);
    double hits = 0, at = 0;
    if (p <= 0) return 0;
    for (;;) {
        at += 1 + floor(log((double)cw_rng_uniform(s, (*u)++)) / log1p(-p));
        if (at > n) return hits;
        hits++;
    }
}

/* p of Beta(2,2): the middle of three uniform numbers. */
static double beta22(cw_stream s, uint64_t *u)
{
    double a = (double)cw_rng_uniform(s, (*u)++), b = (double)cw_rng_uniform(s, (*u)++),
           c = (double)cw_rng_uniform(s, (*u)++);
    return fmax(fmin(a, b), fmin(fmax(a, b), c));
}

void cw_cellfm_depth(float *depth, double seen, double total)
{
    depth[0] = (float)log1p(seen / 1000), depth[1] = (float)log1p(total / 1000);
}

/* ---- rows ---- */

static cw_status take_rows(cw_cellfm_batch *b, cw_arena *arena, int64_t rows)
{
    if (rows > INT32_MAX)
        return cw_fail(cw_arena_ctx(arena), CW_ERR_ARGUMENT, "a batch of %lld rows is too large; use smaller batches",
                       (long long)rows);
    b->gene = TAKE(rows, int32_t), b->cell = TAKE(rows, int32_t), b->source = TAKE(rows, int32_t);
    b->value = TAKE(rows, float), b->raw = TAKE(rows, float), b->scale = TAKE(rows, float);
    b->seen = TAKE(rows, uint8_t), b->zero = TAKE(rows, uint8_t), b->judged = TAKE(rows, uint8_t);
    b->gene_row = TAKE(rows, int32_t);
    return cw_arena_ctx(arena)->status;
}

static int64_t add_row(cw_cellfm_batch *b, int64_t cell, int32_t gene, int32_t source, float value)
{
    int64_t r = b->rows++;
    b->gene[r] = gene, b->source[r] = source, b->cell[r] = (int32_t)cell;
    b->value[r] = b->raw[r] = value;
    b->seen[r] = b->zero[r] = 1, b->judged[r] = 0;
    return r;
}

static void add_tokens(cw_cellfm_batch *b, int64_t cell, int64_t *start)
{
    start[cell] = b->rows;
    for (int64_t i = 0; i < b->tokens; i++) add_row(b, cell, -1, -1, 0);
}

/* 1 / sqrt(genes), counted as published: less the tokens, whether these were counted or not. A cell of so few genes that
 * nothing is left is taken as one of one. */
static void set_scale(const cw_cellfm_config *c, cw_cellfm_batch *b, int64_t first, double sum)
{
    int two = c->variant == CW_CELLFM_FINETUNE && b->tokens == 3;
    double n = two ? sum - 3 + 1e-6 : sum - 1;
    for (int64_t r = first; r < b->rows; r++) b->scale[r] = (float)(1 / sqrt(n > 0 ? n : 1));
}

static void from_slots(const cw_cellfm_config *c, cw_cellfm_batch *b, const cw_cellfm_input *in, int64_t *start)
{
    int64_t L = in->length, ahead = in->zeros - L;
    b->length = L;
    for (int64_t cell = 0; cell < in->cells; cell++) {
        const float *zero = in->zero + cell * in->zeros;
        double sum = 0;
        add_tokens(b, cell, start);
        for (int64_t j = 0; j < in->zeros; j++) sum += (double)zero[j];
        for (int64_t j = 0; j < L; j++) {
            int64_t at = cell * L + j, r = add_row(b, cell, in->gene[at], (int32_t)j, 0);
            b->value[r] = in->data ? in->data[2 * at + 1] : in->value[at];
            b->seen[r] = !in->data || in->data[2 * at] != 0;
            b->zero[r] = zero[j + ahead] != 0;
            b->raw[r] = in->raw ? in->raw[at] : b->value[r];
            b->judged[r] = in->mask && in->mask[at] != 0;
        }
        set_scale(c, b, start[cell], sum);
    }
    b->depth = NULL;
}

typedef struct scratch {
    double *x, *thin; /* (genes) */
    int32_t *column;
    cw_ranked *all;
    cw_stream stream;
    uint64_t used;
    int training;
} scratch;

/* floor(share n) of the cell's n counted genes are judged, four of five of these hidden; of a share too small all are
 * judged. */
static void hide(cw_cellfm_batch *b, const cw_cellfm_input *in, const cw_cellfm_reading *how, int64_t cell, int64_t first,
                 int64_t n, scratch *s)
{
    int64_t some = (int64_t)floor((double)how->mask * (double)n);
    int64_t hidden = how->all ? some : (int64_t)floor(0.8 * (double)some);
    for (int64_t i = 0; i < n; i++) {
        b->judged[first + i] = some == 0;
        s->column[i] = in->permutation && i < in->permutations ? in->permutation[cell * in->permutations + i] : (int32_t)i;
    }
    for (int64_t i = 0; i < some; i++) {
        if (!in->permutation) {
            int64_t j = i + (int64_t)((double)cw_rng_uniform(s->stream, s->used++) * (double)(n - i));
            int32_t swap = s->column[i];
            s->column[i] = s->column[least(j, n - 1)], s->column[least(j, n - 1)] = swap;
        }
        if (s->column[i] < 0 || s->column[i] >= n) continue;
        b->judged[first + s->column[i]] = 1;
        if (i < hidden) b->seen[first + s->column[i]] = 0, b->value[first + s->column[i]] = 0;
    }
}

/* Thins the counts into s->thin: each is kept with probability p, at least one of a gene. The new total. */
static double thin(scratch *s, const int32_t *column, int64_t n, double p)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double x = s->x[column[i]];
        s->thin[column[i]] = fmax(1, binomial(s->stream, &s->used, floor(x), p));
        sum += s->thin[column[i]];
    }
    return sum;
}

static void add_cell(cw_ctx *ctx, const cw_cellfm_config *c, cw_cellfm_batch *b, const cw_cellfm_input *in,
                     const cw_cellfm_reading *how, int64_t cell, int64_t *start, scratch *s)
{
    int64_t n = 0, kept;
    double total = 0, seen;
    if (!cell_values(ctx, in, cell, s->x)) return;
    for (int64_t g = 0; g < in->length; g++)
        if (s->x[g] > 0) s->column[n++] = (int32_t)g, total += s->x[g];
    seen = total;
    const double *value = s->x;
    if (s->training && how->thin > 0 && !how->logged && cw_rng_uniform(s->stream, s->used++) < how->thin) {
        seen = thin(s, s->column, n, beta22(s->stream, &s->used));
        value = s->thin;
    }
    if (in->order && n > how->most) { /* the caller's draws: places among the n */
        for (int64_t i = 0; i < n; i++) s->all[i].at = s->column[i];
        kept = least(how->most, in->orders);
        for (int64_t i = 0; i < kept; i++) {
            int32_t at = in->order[cell * in->orders + i];
            if (at < 0 || at >= n) {
                cw_fail(ctx, CW_ERR_ARGUMENT, "place %d of 'order' is none of %lld genes", (int)at, (long long)n);
                return;
            }
            s->column[i] = s->all[at].at;
        }
        qsort(s->column, (size_t)kept, sizeof *s->column, cw_int32_rising);
    } else {
        kept = choose(in, how, cell, s->x, s->column, n, how->most, 1, s->all);
    }
    add_tokens(b, cell, start);
    int64_t first = b->rows;
    for (int64_t i = 0; i < kept; i++) {
        int32_t g = s->column[i];
        double target = how->logged ? s->x[g] : log1p(s->x[g] / total * TOTAL);
        int64_t r = add_row(b, cell, in->token[g], g, (float)target);
        if (value != s->x) b->value[r] = (float)log1p(value[g] / seen * TOTAL);
    }
    if (s->training) hide(b, in, how, cell, first, kept, s);
    if (how->fill && kept < how->most) {
        int64_t rest = 0;
        for (int64_t g = 0; g < in->length; g++)
            if (!(s->x[g] > 0) && in->token[g] >= 0) s->column[rest++] = (int32_t)g;
        rest = choose(in, how, cell, s->x, s->column, rest, how->most - kept, 0, s->all);
        for (int64_t i = 0; i < rest; i++) b->zero[add_row(b, cell, in->token[s->column[i]], s->column[i], 0)] = 0;
    }
    if (b->depth) cw_cellfm_depth(b->depth + 2 * cell, seen, total);
    int two = c->variant == CW_CELLFM_FINETUNE && b->tokens == 3;
    set_scale(c, b, start[cell], (double)kept + (!two && !cw_cellfm_tells_zeros(c) ? 1 : 0));
    if (b->rows - first > b->length) b->length = b->rows - first;
}

static void from_counts(cw_ctx *ctx, const cw_cellfm_config *c, cw_cellfm_batch *b, cw_arena *arena,
                        const cw_cellfm_input *in, const cw_cellfm_reading *how, int64_t *start, scratch *s)
{
    int64_t G = in->length;
    s->x = TAKE(G, double), s->thin = TAKE(G, double), s->column = TAKE(G, int32_t), s->all = TAKE(G, cw_ranked);
    b->depth = b->tokens == 3 && s->training ? TAKE(2 * in->cells, float) : NULL;
    for (int64_t cell = 0; cell < in->cells && ctx->status == CW_OK; cell++) {
        add_cell(ctx, c, b, in, how, cell, start, s);
        if (cell % 64 == 0) (void)cw_poll(ctx);
    }
}

/* Lists and flags that rows say; ids that the table doesn't have are refused. */
static cw_status finish(const cw_cellfm_config *c, cw_cellfm_batch *b, cw_arena *arena, int64_t *start)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    int64_t *genes = TAKE(b->cells + 1, int64_t), n = 0, cell = 0;
    if (!genes) return ctx->status;
    start[b->cells] = b->rows;
    b->seq = (cw_ragged){b->cells, start, NULL};
    for (int64_t r = 0; r < b->rows; r++) {
        for (; cell <= b->cell[r]; cell++) genes[cell] = n;
        b->masked |= !b->seen[r], b->blank |= !b->zero[r];
        int token = r - start[b->cell[r]] < b->tokens;
        if (!token) b->gene_row[n++] = (int32_t)r;
        if (!token && (b->gene[r] < 0 || b->gene[r] >= c->gene_rows))
            return cw_fail(ctx, CW_ERR_ARGUMENT, "gene %d is outside the table of %lld", (int)b->gene[r],
                           (long long)c->gene_rows);
    }
    for (; cell <= b->cells; cell++) genes[cell] = n;
    b->genes = (cw_ragged){b->cells, genes, NULL};
    return ctx->status;
}

cw_status cw_cellfm_batch_read(const cw_cellfm_config *config, cw_tape *t, cw_inputs *in, const cw_cellfm_reading *how,
                               cw_cellfm_batch *b, int64_t *columns)
{
    cw_arena *arena = t->arena;
    cw_ctx *ctx = t->ctx;
    cw_cellfm_input x = read_input(config, in);
    scratch s = {.training = how->hide};
    memset(b, 0, sizeof *b);
    if (ctx->status != CW_OK) return ctx->status;
    *columns = x.length;
    b->cells = x.cells;
    b->tokens = config->variant == CW_CELLFM_FINETUNE && !how->plain ? 3 : 1;
    if (s.training) s.stream = cw_tape_stream(t, CW_RNG_NOISE);
    int64_t slots = x.counts ? least(how->most, x.length) : x.length, *start = TAKE(x.cells + 1, int64_t);
    if (!start || take_rows(b, arena, x.cells * (b->tokens + slots)) != CW_OK) return ctx->status;
    if (x.counts) from_counts(ctx, config, b, arena, &x, how, start, &s);
    else from_slots(config, b, &x, start);
    if (ctx->status != CW_OK) return ctx->status;
    if (!x.counts && x.depth) b->depth = (float *)(uintptr_t)x.depth;
    return finish(config, b, arena, start);
}
