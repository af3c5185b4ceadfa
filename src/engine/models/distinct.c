/* distinct.c: see distinct.h. */
#include "distinct.h"

#include <string.h>

int64_t cw_distinct_ints(cw_arena *arena, const int32_t *x, int64_t n, int32_t **value, int32_t **row)
{
    int64_t slots = 64, count = 0;
    while (slots < 2 * n) slots *= 2;
    *value = cw_arena_take(arena, (n + 1) * (int64_t)sizeof **value);
    *row = cw_arena_take(arena, (n + 1) * (int64_t)sizeof **row);
    int32_t *slot = cw_arena_take(arena, slots * (int64_t)sizeof *slot);
    if (!*value || !*row || !slot) return 0;
    memset(slot, -1, (size_t)slots * sizeof *slot);
    for (int64_t i = 0; i < n; i++) {
        uint64_t at = ((uint64_t)(uint32_t)x[i] * 0x9E3779B97F4A7C15ULL >> 32) & (uint64_t)(slots - 1);
        while (slot[at] >= 0 && (*value)[slot[at]] != x[i]) at = (at + 1) & (uint64_t)(slots - 1);
        if (slot[at] < 0) {
            (*value)[count] = x[i];
            slot[at] = (int32_t)count++;
        }
        (*row)[i] = slot[at];
    }
    cw_arena_give(arena, slot);
    return count;
}

int64_t cw_distinct_floats(cw_arena *arena, const float *x, int64_t n, float **value, int32_t **row)
{
    int32_t *bits = cw_arena_take(arena, (n + 1) * (int64_t)sizeof *bits), *kind;
    *value = cw_arena_take(arena, (n + 1) * (int64_t)sizeof **value);
    if (!bits || !*value) return 0;
    for (int64_t i = 0; i < n; i++) {
        float y = x[i] == 0.0f ? 0.0f : x[i];
        memcpy(&bits[i], &y, sizeof y);
    }
    int64_t count = cw_distinct_ints(arena, bits, n, &kind, row);
    if (count) memcpy(*value, kind, (size_t)count * sizeof **value);
    return count;
}
