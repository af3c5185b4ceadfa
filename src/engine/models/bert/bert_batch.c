/* bert_batch.c: packed sequences of tokens from named arrays. */
#include "bert.h"

#include <stdio.h>

#define TAKE(t, count, type) ((type *)cw_arena_take((t)->arena, (int64_t)(count) * (int64_t)sizeof(type)))

/* Offsets of the sequences, their positions, and that every token can be looked up. */
static cw_status place_rows(const cw_bert *m, cw_ctx *ctx, cw_bert_rows *r, const int32_t *length, int64_t n,
                            int64_t *start, int32_t *position)
{
    int64_t at = 0;
    for (int64_t i = 0; i < r->seq.count; i++) {
        start[i] = at;
        if (length[i] < 1 || length[i] > m->config.positions)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "sequence %lld has %d tokens; the model reads 1 to %lld",
                           (long long)(i + 1), (int)length[i], (long long)m->config.positions);
        if (length[i] > n - at) break;
        for (int32_t j = 0; j < length[i]; j++) position[at + j] = j;
        at += length[i];
    }
    start[r->seq.count] = at;
    if (at != n || r->seq.count < 1)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "%lld sequences don't fill the %lld tokens given",
                       (long long)r->seq.count, (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (r->id[i] < 0 || r->id[i] >= m->config.vocab || r->type[i] < 0 || r->type[i] >= m->config.types)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "token %d of kind %d is none of %lld of %lld kinds", (int)r->id[i],
                           (int)r->type[i], (long long)m->config.vocab, (long long)m->config.types);
    return CW_OK;
}

/* The rows attended to, from flags; all of them: NULL. */
static cw_status keep_rows(cw_tape *t, cw_bert_rows *r, const uint8_t *mask)
{
    int64_t n = r->seq.start[r->seq.count], keys = 0;
    r->key = r->seq;
    for (int64_t i = 0; mask && i < n; i++) keys += mask[i];
    if (!mask || keys == n) return CW_OK;
    int32_t *kept = TAKE(t, keys, int32_t);
    int64_t *start = TAKE(t, r->seq.count + 1, int64_t), at = 0;
    if (!kept || !start) return t->ctx->status;
    for (int64_t s = 0; s < r->seq.count; s++) {
        start[s] = at;
        for (int64_t i = r->seq.start[s]; i < r->seq.start[s + 1]; i++)
            if (mask[i]) kept[at++] = (int32_t)i;
        if (at == start[s])
            return cw_fail(t->ctx, CW_ERR_ARGUMENT, "sequence %lld has no token to attend to", (long long)(s + 1));
    }
    start[r->seq.count] = at;
    r->kept = kept;
    r->key = (cw_ragged){r->seq.count, start, NULL};
    return CW_OK;
}

cw_status cw_bert_read(const cw_bert *m, cw_tape *t, cw_inputs *in, const char *prefix, cw_bert_rows *r)
{
    char name[4][40];
    static const char *const part[] = {"id", "length", "type", "mask"};
    static const char *const apart[] = {"Id", "Length", "Type", "Mask"};
    int64_t n[1] = {-1}, count[1] = {-1};
    for (int i = 0; i < 4; i++) snprintf(name[i], sizeof name[i], "%s%s", prefix, *prefix ? apart[i] : part[i]);
    *r = (cw_bert_rows){.id = cw_in_i32(in, name[0], 1, n, 0)};
    const int32_t *length = cw_in_i32(in, name[1], 1, count, 0);
    if (!r->id || !length) return in->ctx->status;
    const int32_t *type = cw_in_i32(in, name[2], 1, n, 1);
    const uint8_t *mask = cw_in_flags(in, name[3], 1, n, 1);
    int64_t *start = TAKE(t, count[0] + 1, int64_t);
    int32_t *position = TAKE(t, n[0], int32_t), *none = type ? NULL : TAKE(t, n[0], int32_t);
    if (!start || !position || (!type && !none)) return in->ctx->status;
    for (int64_t i = 0; none && i < n[0]; i++) none[i] = 0;
    r->type = type ? type : none;
    r->position = position;
    r->seq = (cw_ragged){count[0], start, NULL};
    if (place_rows(m, in->ctx, r, length, n[0], start, position) == CW_OK) keep_rows(t, r, mask);
    return in->ctx->status;
}

/* Offsets first .. first + count of a ragged array, from 0; NULL with the error recorded. */
static int64_t *part_of(cw_tape *t, cw_ragged all, int64_t first, int64_t count)
{
    int64_t *start = TAKE(t, count + 1, int64_t);
    for (int64_t i = 0; start && i <= count; i++) start[i] = all.start[first + i] - all.start[first];
    return start;
}

cw_status cw_bert_part(cw_tape *t, const cw_bert_rows *all, int64_t first, int64_t count, cw_bert_rows *part)
{
    int64_t from = all->seq.start[first], *start = part_of(t, all->seq, first, count);
    *part = (cw_bert_rows){.id = all->id + from, .type = all->type + from, .position = all->position + from};
    part->seq = part->key = (cw_ragged){count, start, NULL};
    if (!all->kept || !start) return t->ctx->status;
    int64_t at = all->key.start[first], n = all->key.start[first + count] - at;
    int32_t *kept = TAKE(t, n, int32_t);
    for (int64_t i = 0; kept && i < n; i++) kept[i] = all->kept[at + i] - (int32_t)from;
    part->kept = kept;
    part->key = (cw_ragged){count, part_of(t, all->key, first, count), NULL};
    return t->ctx->status;
}
