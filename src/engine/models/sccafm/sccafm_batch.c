/* sccafm_batch.c: from padded matrices to packed tokens. */
#include "sccafm.h"

#include "../distinct.h"

#include <math.h>
#include <string.h>

#define TAKE(count, type) ((type *)cw_arena_take(arena, (int64_t)(count) * (int64_t)sizeof(type)))

static int is_padded(const cw_sccafm_input *in, int64_t c, int64_t g) { return in->padding && in->padding[c * in->genes + g]; }
static int64_t shared_at(const cw_sccafm_input *in, int64_t c, int64_t g) { return in->ids_shared ? g : c * in->genes + g; }

static cw_status check_input(cw_ctx *ctx, const cw_sccafm_input *in, const cw_sccafm_config *config)
{
    if (in->cells < 1 || in->genes < 1)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "a batch of %lld cells x %lld genes is empty", (long long)in->cells,
                       (long long)in->genes);
    if (in->cells > INT32_MAX / (in->genes + 1))
        return cw_fail(ctx, CW_ERR_ARGUMENT, "a batch of %lld cells x %lld genes is too large; use smaller batches",
                       (long long)in->cells, (long long)in->genes);
    for (int64_t i = 0; i < (in->ids_shared ? 1 : in->cells) * in->genes; i++)
        if (in->ids[i] < 0 || in->ids[i] >= config->vocab)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "gene token %d is outside the vocabulary of %lld", (int)in->ids[i],
                           (long long)config->vocab);
    for (int64_t i = 0; i < in->cells * 4; i++)
        if (in->condition[i] < 0 || in->condition[i] >= config->conditions)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "condition id %d is outside the table of %lld",
                           (int)in->condition[i], (long long)config->conditions);
    for (int64_t i = 0; i < in->cells * in->genes; i++)
        if (!(in->values[i] >= 0.0f && in->values[i] < INFINITY) && !is_padded(in, i / in->genes, i % in->genes))
            return cw_fail(ctx, CW_ERR_ARGUMENT, "expression of cell %lld, gene %lld is %g; it must be finite and >= 0",
                           (long long)(i / in->genes + 1), (long long)(i % in->genes + 1), in->values[i]);
    return ctx->status;
}

cw_sccafm_input cw_sccafm_input_read(cw_inputs *in)
{
    int64_t all[2] = {-1, -1}, ids[2] = {-1, -1}, cond[2] = {-1, 4};
    cw_sccafm_input x = {.values = cw_in_f32(in, "values", 2, all, 0)};
    const cw_array *given = cw_in_find(in, "ids");
    x.cells = all[0], x.genes = all[1];
    x.ids_shared = given && given->ndim == 1;
    ids[0] = x.ids_shared ? x.genes : x.cells, ids[1] = x.genes;
    cond[0] = x.cells;
    x.ids = cw_in_i32(in, "ids", x.ids_shared ? 1 : 2, ids, 0);
    x.non_tf = cw_in_flags(in, "nonTF", x.ids_shared ? 1 : 2, ids, 0);
    x.condition = cw_in_i32(in, "conditions", 2, cond, 0);
    x.padding = cw_in_flags(in, "padding", 2, all, 1);
    x.eps = cw_in_f32(in, "eps", 2, all, 1);
    return x;
}

static cw_status take_arrays(cw_sccafm_batch *b, cw_arena *arena)
{
    int64_t T = b->tokens, N = b->actives, U = b->tfs, C = b->cells;
    b->position = TAKE(T, int32_t), b->token = TAKE(T, int32_t), b->tf_type = TAKE(T, int32_t);
    b->is_gene = TAKE(T, int32_t), b->prefix_cell = TAKE(T, int32_t), b->is_prefix = TAKE(T, int32_t);
    b->value_row = TAKE(T, int32_t);
    b->gene_row = TAKE(N, int32_t), b->gene_token = TAKE(N, int32_t),
    b->gene_slot = TAKE(N, int32_t), b->tf_row = TAKE(U, int32_t), b->tf_gene = TAKE(U, int32_t);
    b->condition = TAKE(4 * C, int32_t), b->condition_place = TAKE(4 * C, int32_t);
    b->values = TAKE(N, float);
    return b->values ? CW_OK : CW_ERR_MEMORY; /* sticky: the last one is NULL if any is */
}

/* Fills distinct (0, then first-seen order) and gene_value. The encoders of expression are functions of one number: they run
 * once per different value of the batch, not once per token. */
static cw_status find_distinct(cw_sccafm_batch *b, cw_arena *arena)
{
    int64_t n = b->actives;
    float *x = TAKE(n + 1, float);
    if (!x) return CW_ERR_MEMORY;
    x[0] = 0.0f;
    if (n) memcpy(x + 1, b->values, (size_t)n * sizeof *x);
    b->distincts = cw_distinct_floats(arena, x, n + 1, &b->distinct, &b->gene_value);
    b->gene_value = b->gene_value ? b->gene_value + 1 : NULL; /* of the genes */
    cw_arena_give(arena, x);
    return cw_arena_ctx(arena)->status;
}

cw_status cw_sccafm_batch_build(cw_sccafm_batch *b, cw_arena *arena, const cw_sccafm_input *in, const cw_sccafm_config *config)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    memset(b, 0, sizeof *b);
    if (ctx->status != CW_OK || check_input(ctx, in, config) != CW_OK) return ctx->status;
    b->cells = in->cells;
    b->genes = in->genes;
    int64_t C = in->cells, G = in->genes, T = 0, N = 0, U = 0;
    int64_t *seq = TAKE(C + 1, int64_t), *gene = TAKE(C + 1, int64_t), *tf = TAKE(C + 1, int64_t);
    if (!seq || !gene || !tf) return ctx->status;
    for (int64_t c = 0; c <= C; c++) {
        seq[c] = T, gene[c] = N, tf[c] = U;
        for (int64_t g = 0; c < C && g < G; g++)
            if (!is_padded(in, c, g)) N++, U += !in->non_tf[shared_at(in, c, g)];
        T = N + c + 1;
    }
    b->tokens = N + C, b->actives = N, b->tfs = U;
    b->seq = (cw_ragged){C, seq, NULL}, b->gene = (cw_ragged){C, gene, NULL}, b->tf = (cw_ragged){C, tf, NULL};
    if (take_arrays(b, arena) != CW_OK) return ctx->status;
    int64_t t = 0, n = 0, u = 0;
    for (int64_t c = 0; c < C; c++) {
        for (int j = 0; j < 4; j++) b->condition[4 * c + j] = in->condition[4 * c + j], b->condition_place[4 * c + j] = j;
        b->position[t] = 0, b->token[t] = b->tf_type[t] = b->is_gene[t] = b->value_row[t] = -1;
        b->prefix_cell[t] = (int32_t)c, b->is_prefix[t] = 0;
        t++;
        for (int64_t g = 0; g < G; g++) {
            if (is_padded(in, c, g)) continue;
            int64_t s = shared_at(in, c, g);
            b->position[t] = (int32_t)(g + 1), b->token[t] = in->ids[s], b->tf_type[t] = in->non_tf[s] != 0;
            b->is_gene[t] = 0, b->prefix_cell[t] = b->is_prefix[t] = -1;
            b->gene_row[n] = (int32_t)t, b->gene_token[n] = in->ids[s], b->gene_slot[n] = (int32_t)g;
            b->values[n] = in->values[c * G + g];
            if (!in->non_tf[s]) b->tf_row[u] = (int32_t)t, b->tf_gene[u] = (int32_t)n, u++;
            t++, n++;
        }
    }
    if (find_distinct(b, arena) != CW_OK) return ctx->status;
    for (n = 0; n < N; n++) b->value_row[b->gene_row[n]] = b->gene_value[n];
    if (in->eps) {
        b->eps = TAKE(N, float);
        if (!b->eps) return ctx->status;
        for (int64_t c = 0, i = 0; c < C; c++)
            for (; i < gene[c + 1]; i++) b->eps[i] = in->eps[c * G + b->gene_slot[i]];
    }
    return ctx->status;
}

int64_t cw_sccafm_slots(const cw_sccafm_batch *b, cw_rows_kind kind)
{
    return kind == CW_ROWS_TOKEN ? b->genes + 1 : kind == CW_ROWS_CELL ? 1 : b->genes;
}

void cw_sccafm_unpack(float *out, const cw_sccafm_batch *b, cw_rows_kind kind, const float *x, float fill, int64_t d)
{
    int64_t slots = cw_sccafm_slots(b, kind);
    const cw_ragged *rows = kind == CW_ROWS_TOKEN ? &b->seq : kind == CW_ROWS_TF ? &b->tf : &b->gene;
    for (int64_t i = 0; i < b->cells * slots * d; i++) out[i] = fill;
    if (kind == CW_ROWS_CELL) {
        memcpy(out, x, (size_t)(b->cells * d) * sizeof(float));
        return;
    }
    for (int64_t c = 0; c < b->cells; c++)
        for (int64_t i = rows->start[c]; i < rows->start[c + 1]; i++) {
            int32_t slot = kind == CW_ROWS_TOKEN ? b->position[i] : b->gene_slot[kind == CW_ROWS_TF ? b->tf_gene[i] : i];
            memcpy(out + (c * slots + slot) * d, x + i * d, (size_t)d * sizeof(float));
        }
}
