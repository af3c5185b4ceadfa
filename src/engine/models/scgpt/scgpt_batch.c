/* scgpt_batch.c: from counts to bins, from genes to packed tokens, and which of them are hidden. */
#include "scgpt.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
#define TAKE(count, type) ((type *)cw_arena_take(arena, (int64_t)(count) * (int64_t)sizeof(type)))

/* ---- bins ---- */

static int rising(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* numpy's linear quantile of sorted x at level i / (count - 1), the difference in float as there */
static double quantile(const float *x, int64_t n, int64_t i, int64_t count)
{
    double level = i == count - 1 ? 1.0 : (double)i * (1.0 / (double)(count - 1));
    double at = level * (double)(n - 1), low = floor(at), part = at - low;
    int64_t a = (int64_t)low, b = least(a + 1, n - 1);
    float gap = x[b] - x[a];
    return part < 0.5 ? (double)x[a] + (double)gap * part : (double)x[b] - (double)gap * (1.0 - part);
}

/* how many of the sorted edges are below x, or with `equal` not above it */
static int64_t edges_below(const double *edge, int64_t n, double x, int equal)
{
    int64_t low = 0, high = n;
    while (low < high) {
        int64_t mid = (low + high) / 2;
        if (edge[mid] < x || (equal && edge[mid] == x))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void cw_scgpt_bin(int32_t *bin, const float *x, const float *u, int64_t n, int64_t bins, double *edge, float *sorted)
{
    int64_t edges = bins - 1;
    if (n == 0) return;
    memcpy(sorted, x, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, rising);
    for (int64_t i = 0; i < edges; i++) edge[i] = quantile(sorted, n, i, edges);
    for (int64_t i = 0; i < n; i++) {
        int64_t left = edges_below(edge, edges, (double)x[i], 1), right = edges_below(edge, edges, (double)x[i], 0);
        bin[i] = (int32_t)ceil((double)u[i] * (double)(right - left) + (double)left);
    }
}

/* ---- cells ---- */

cw_scgpt_input cw_scgpt_input_read(cw_inputs *in)
{
    cw_scgpt_input x = {0};
    int64_t all[2] = {-1, -1};
    x.counts = cw_in_counts(in, all);
    if (!x.counts) {
        x.values = cw_in_f32(in, "values", 2, all, 0);
        x.src = cw_in_i32(in, "src", 2, all, 0);
        x.padding = cw_in_flags(in, "padding", 2, all, 1);
    } else {
        x.token = cw_in_i32(in, "token", 1, &all[1], 0);
        x.draws = cw_in_f32(in, "draws", 2, all, 1);
    }
    x.cells = all[0], x.length = all[1];
    if (in->ctx->status == CW_OK && (x.cells < 1 || x.length < 1))
        cw_fail(in->ctx, CW_ERR_ARGUMENT, "a batch of %lld cells x %lld genes is empty", (long long)x.cells,
                (long long)x.length);
    return x;
}

/* The known genes of a cell: columns and values, in the order of the columns; with `zeros` those without counts too. The
 * number of them; -1 with the error recorded. */
static int64_t genes_of(cw_ctx *ctx, const cw_scgpt_input *in, int64_t cell, const cw_scgpt_reading *how, int32_t *column,
                        float *value)
{
    const int zeros = how->zeros;
    const double least_value = how->below ? -DBL_MAX : 0.0;
    const cw_array *a = in->counts;
    int64_t genes = in->length, n = 0;
    int sparse = a->type == CW_ARRAY_CSR;
    int64_t at = sparse ? a->start[cell] : 0, end = sparse ? a->start[cell + 1] : 0;
    if (at < 0 || end < at) return cw_fail(ctx, CW_ERR_ARGUMENT, "the rows of 'counts' are out of order"), -1;
    for (int64_t g = 0; g < genes && (zeros || !sparse || at < end);) {
        double x = 0;
        if (!sparse) {
            x = cw_array_number(a, cell * genes + g);
        } else if (at < end) {
            int64_t next = a->column[at];
            if (next < g || next >= genes) return cw_fail(ctx, CW_ERR_ARGUMENT, "an index of 'counts' is wrong"), -1;
            if (!zeros) g = next;
            if (next == g) x = ((const double *)a->data)[at++];
        }
        if (!(x >= least_value && x < (double)INFINITY))
            return cw_fail(ctx, CW_ERR_ARGUMENT, "the value of cell %lld, gene %lld is %g; it must be finite%s",
                           (long long)(cell + 1), (long long)(g + 1), x, how->below ? "" : " and >= 0"), -1;
        if (in->token[g] >= 0 && (zeros || x > 0 || x < 0)) column[n] = (int32_t)g, value[n++] = (float)x;
        g++;
    }
    return n;
}

/* Numbers that decide ties (which 0) and who stays (which 1) of a cell's n genes. */
static void fill_draws(float *u, const cw_scgpt_input *in, const cw_scgpt_reading *how, int64_t cell,
                       const int32_t *column, int64_t n, int which)
{
    uint64_t number = how->drawn ? (uint64_t)how->first + (uint64_t)cell : 0;
    cw_stream s = cw_rng_stream((uint64_t)how->key, CW_RNG_USER, number, (uint64_t)which);
    for (int64_t i = 0; i < n; i++) {
        if (in->draws && which == 0)
            u[i] = in->draws[cell * in->length + i];
        else
            u[i] = cw_rng_uniform(s, how->drawn ? (uint64_t)i : (uint64_t)in->token[column[i]]);
    }
}

typedef struct scratch {
    int32_t *column, *bin;
    float *value, *some, *u, *sorted; /* (genes) each, as the above */
    double *edge;                     /* (bins) */
} scratch;

/* Bins the values above 0, in place. */
static void bin_values(const cw_scgpt_input *in, const cw_scgpt_reading *how, int64_t cell, int64_t n, scratch *s)
{
    int64_t some = 0, at = 0;
    for (int64_t i = 0; i < n; i++)
        if (s->value[i] > 0) s->some[some] = s->value[i], s->bin[some++] = s->column[i];
    fill_draws(s->u, in, how, cell, s->bin, some, 0);
    cw_scgpt_bin(s->bin, s->some, s->u, some, how->bins, s->edge, s->sorted);
    for (int64_t i = 0; i < n; i++)
        if (s->value[i] > 0) s->value[i] = (float)s->bin[at++];
}

static void log_values(float *value, int64_t n, double total)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)value[i];
    for (int64_t i = 0; i < n && sum > 0; i++) value[i] = (float)log1p(total * (double)value[i] / sum);
}

/* Keeps `most` of n genes, those with the smallest draws, in their order. */
static int64_t choose(const cw_scgpt_input *in, const cw_scgpt_reading *how, int64_t cell, int64_t n, int64_t most,
                      scratch *s)
{
    if (n <= most) return n;
    fill_draws(s->u, in, how, cell, s->column, n, 1);
    memcpy(s->sorted, s->u, (size_t)n * sizeof *s->sorted);
    qsort(s->sorted, (size_t)n, sizeof *s->sorted, rising);
    float limit = s->sorted[most - 1];
    int64_t kept = 0;
    for (int64_t i = 0; i < n && kept < most; i++)
        if (s->u[i] <= limit) s->column[kept] = s->column[i], s->value[kept++] = s->value[i];
    return kept;
}

/* ---- batches ---- */

static cw_status take_rows(cw_scgpt_batch *b, cw_arena *arena, int64_t rows)
{
    if (rows > INT32_MAX)
        return cw_fail(cw_arena_ctx(arena), CW_ERR_ARGUMENT, "a batch of %lld tokens is too large; use smaller batches",
                       (long long)rows);
    b->place = TAKE(rows, int32_t), b->cell = TAKE(rows, int32_t), b->value = TAKE(rows, float);
    b->token_row = TAKE(rows, int32_t), b->source = TAKE(rows, int32_t), b->first = TAKE(b->cells, int32_t);
    return b->first ? CW_OK : cw_arena_ctx(arena)->status;
}

static void add_row(cw_scgpt_batch *b, int32_t *token, int64_t cell, int64_t place, int32_t id, float value, int32_t from)
{
    int64_t r = b->rows++;
    token[r] = id, b->value[r] = value, b->source[r] = from;
    b->cell[r] = (int32_t)cell, b->place[r] = (int32_t)place; /* of the cell; of the matrix when its width is known */
}

static int32_t *from_tokens(cw_scgpt_batch *b, cw_arena *arena, const cw_scgpt_input *in, int padded, int64_t *start)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    int64_t C = in->cells, L = in->length, *keys = TAKE(C + 1, int64_t), n = 0;
    int32_t *token = TAKE(C * L, int32_t), *key = TAKE(C * L, int32_t);
    if (!key || !token || take_rows(b, arena, C * L) != CW_OK) return NULL;
    b->length = L;
    for (int64_t c = 0; c < C; c++) {
        start[c] = b->rows, keys[c] = n;
        b->first[c] = (int32_t)b->rows;
        for (int64_t j = 0; j < L; j++) {
            int pad = in->padding && in->padding[c * L + j];
            if (!pad && n - keys[c] != j) {
                cw_fail(ctx, CW_ERR_ARGUMENT, "scgpt: padding of cell %lld stands before a token", (long long)(c + 1));
                return NULL;
            }
            if (!pad) key[n++] = (int32_t)b->rows;
            if (!pad || padded) add_row(b, token, c, j, in->src[c * L + j], in->values[c * L + j], (int32_t)j);
        }
        if (n == keys[c]) {
            cw_fail(ctx, CW_ERR_ARGUMENT, "scgpt: cell %lld has no token", (long long)(c + 1));
            return NULL;
        }
    }
    keys[C] = n;
    if (padded) b->keys = (cw_ragged){C, keys, NULL}, b->key = key;
    return token;
}

static int32_t *from_counts(cw_scgpt_batch *b, cw_arena *arena, const cw_scgpt_input *in, const cw_scgpt_reading *how,
                            const cw_scgpt_config *config, int64_t *start)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    int64_t C = in->cells, G = in->length, most = least(how->most, G + 1);
    scratch s = {TAKE(G, int32_t), TAKE(G, int32_t), TAKE(G, float),          TAKE(G, float),
                 TAKE(G, float),   TAKE(G, float),   TAKE(how->bins + 1, double)};
    int32_t *token = TAKE(C * most, int32_t);
    if (!s.edge || !token || take_rows(b, arena, C * most) != CW_OK) return NULL;
    for (int64_t c = 0; c < C; c++) {
        int64_t n = genes_of(ctx, in, c, how, s.column, s.value);
        if (n < 0) return NULL;
        if (how->bins > 1) bin_values(in, how, c, n, &s);
        if (how->total > 0) log_values(s.value, n, (double)how->total);
        n = choose(in, how, c, n, most - 1, &s);
        start[c] = b->rows;
        b->first[c] = (int32_t)b->rows;
        add_row(b, token, c, 0, (int32_t)config->cls, config->pad_value, -1);
        for (int64_t i = 0; i < n; i++) add_row(b, token, c, i + 1, in->token[s.column[i]], s.value[i], s.column[i]);
        if (n + 1 > b->length) b->length = n + 1;
        if (c % 64 == 0 && cw_poll(ctx) != CW_OK) return NULL;
    }
    return token;
}

cw_status cw_scgpt_batch_build(cw_scgpt_batch *b, cw_arena *arena, const cw_scgpt_input *in,
                               const cw_scgpt_reading *how, const cw_scgpt_config *config)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    memset(b, 0, sizeof *b);
    if (ctx->status != CW_OK) return ctx->status;
    b->cells = in->cells;
    int64_t *start = TAKE(in->cells + 1, int64_t);
    if (!start) return ctx->status;
    int32_t *token = in->counts ? from_counts(b, arena, in, how, config, start)
                                : from_tokens(b, arena, in, how->padded, start);
    if (!token) return ctx->status;
    start[b->cells] = b->rows;
    b->seq = (cw_ragged){b->cells, start, NULL};
    for (int64_t r = 0; r < b->rows; r++) {
        b->place[r] += b->cell[r] * (int32_t)b->length;
        if (token[r] < 0 || token[r] >= config->tokens)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "gene token %d is outside the vocabulary of %lld", (int)token[r],
                           (long long)config->tokens);
    }
    int32_t *row;
    b->tokens = cw_distinct_ints(arena, token, b->rows, &b->token, &row);
    b->token_row = row;
    return ctx->status;
}

/* ---- masks ---- */

int64_t cw_scgpt_place(const cw_scgpt_batch *b, int64_t row, int64_t columns)
{
    return b->source[row] < 0 ? -1 : b->cell[row] * columns + b->source[row];
}

static void mask_row(cw_scgpt_batch *b, cw_scgpt_masked *k, int64_t row, float value)
{
    k->row[k->n] = (int32_t)row;
    k->target[k->n++] = b->value[row];
    b->value[row] = value;
}

static void draw_mask(cw_tape *t, cw_scgpt_batch *b, float share, float value, cw_scgpt_masked *k)
{
    cw_arena *arena = t->arena;
    float *u = TAKE(2 * b->rows + 2, float), *sorted = u ? u + b->rows : NULL;
    cw_stream s = cw_tape_stream(t, CW_RNG_NOISE);
    for (int64_t c = 0; u && c < b->cells; c++) {
        int64_t first = b->first[c] + 1, n = b->seq.start[c + 1] - first, some = (int64_t)((float)n * share);
        for (int64_t i = 0; i < n; i++) sorted[i] = u[first + i] = cw_rng_uniform(s, (uint64_t)(first + i));
        if (some < 1) continue;
        qsort(sorted, (size_t)n, sizeof *sorted, rising);
        float limit = sorted[some - 1];
        for (int64_t i = 0; i < n; i++)
            if (u[first + i] <= limit) mask_row(b, k, first + i, value);
    }
}

cw_scgpt_masked cw_scgpt_mask(cw_tape *t, cw_inputs *in, cw_scgpt_batch *b, int64_t columns, float share, float value)
{
    cw_arena *arena = t->arena;
    cw_scgpt_masked k = {TAKE(b->rows + 1, int32_t), TAKE(b->rows + 1, float), 0};
    int64_t dim[2] = {b->cells, columns};
    const uint8_t *flag = cw_in_flags(in, "masked", 2, dim, 1);
    const float *target = cw_in_f32(in, "target", 2, dim, 1);
    if (!k.row || !k.target || in->ctx->status != CW_OK) return k;
    if (!flag && share > 0) draw_mask(t, b, share, value, &k);
    for (int64_t r = 0; flag && r < b->rows; r++) {
        int64_t at = cw_scgpt_place(b, r, columns);
        if (at < 0 || !flag[at]) continue;
        float seen = b->value[r];
        mask_row(b, &k, r, value);
        if (target) b->value[r] = seen, k.target[k.n - 1] = target[at];
    }
    return k;
}
