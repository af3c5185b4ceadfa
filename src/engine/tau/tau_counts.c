/* tau_counts.c: counts in the order of names, without what a few cells or values would decide alone, and halved. Random
 * numbers belong to a cell and a feature (their ids), whatever stands beside them. See tau.h. */
#include "tau.h"

#include "../core/rng.h"
#include "../core/select.h"
#include "../core/threads.h"
#include "../core/draws.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TIMES 10.0 /* how far above the usual a value or a cell may lie */
enum { USE_CAP = 140, USE_HALF, USE_CELLS };

typedef int64_t i64;

/* ---- draws of a cell and a feature ------------------------------------------------------------------------------- */

uint64_t cw_tau_mix(uint64_t x) /* splitmix64 (Steele, Lea & Flood 2014) */
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

uint64_t cw_tau_id(const char *name)
{
    uint64_t h = 0xCBF29CE484222325u; /* FNV-1a, then mixed */
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 0x100000001B3u;
    return cw_tau_mix(h);
}

static uint64_t id_of(const uint64_t *id, i64 i) { return id ? id[i] : cw_tau_mix((uint64_t)i); }

/* How many of n are kept when each is with chance p. Large n: split at the middle order statistic of n uniforms, which
 * is beta (Devroye 1986, X.4.3). */
static double binomial(draws *d, double n, double p)
{
    double kept = 0.0;
    while (n > 32.0) {
        double i = floor(0.5 * (n + 1.0)), x = gamma_draw(d, i), y = gamma_draw(d, n + 1.0 - i), middle = x / (x + y);
        if (p < middle) n = i - 1.0, p /= middle;
        else kept += i, n -= i, p = (p - middle) / (1.0 - middle);
    }
    for (; n >= 1.0; n -= 1.0) kept += unit(d) < p;
    return kept;
}

static double thinned(double value, double p, uint64_t key, int use, uint64_t cell, uint64_t feature)
{
    draws d = {.stream = cw_rng_stream(key, CW_RNG_USER, cell, (uint64_t)use), .at = feature};
    return binomial(&d, floor(value), p);
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

cw_status cw_tau_arrange(cw_arena *arena, cw_counts *out, const cw_counts *x, const int32_t *cell, const int32_t *row)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 n = ctx->status == CW_OK ? x->start[x->cells] : 0, words = (x->rows + 63) / 64;
    int32_t *start = cw_arena_take(arena, (x->cells + 1) * (i64)sizeof *start);
    int32_t *rows = cw_arena_take(arena, n * (i64)sizeof *rows), *to = cw_arena_take(arena, x->rows * (i64)sizeof *to);
    double *value = cw_arena_take(arena, n * (i64)sizeof *value);
    double *all = cw_arena_take(arena, ctx->threads * x->rows * (i64)sizeof *all);
    uint64_t *seen = cw_arena_take(arena, ctx->threads * words * (i64)sizeof *seen);
    if (ctx->status != CW_OK) return ctx->status;
    memset(seen, 0, (size_t)(ctx->threads * words) * sizeof *seen);
    for (i64 j = 0; j < x->rows; j++) to[row[j]] = (int32_t)j;
    start[0] = 0;
    for (i64 i = 0; i < x->cells; i++) start[i + 1] = start[i] + x->start[cell[i] + 1] - x->start[cell[i]];
#pragma omp parallel for schedule(dynamic, 32) num_threads(ctx->threads)
    for (i64 i = 0; i < x->cells; i++) { /* values by their new row, then rows in order */
        double *one = all + cw_thread_number() * x->rows;
        uint64_t *bits = seen + cw_thread_number() * words;
        i64 at = start[i];
        for (i64 e = x->start[cell[i]]; e < x->start[cell[i] + 1]; e++) {
            i64 r = to[x->row[e]];
            one[r] = x->value[e], bits[r / 64] |= 1ull << (r % 64);
        }
        for (i64 w = 0; w < words; w++)
            for (; bits[w]; at++) {
                i64 bit = 0;
                while (!(bits[w] >> bit & 1)) bit++;
                rows[at] = (int32_t)(w * 64 + bit), value[at] = one[w * 64 + bit];
                bits[w] &= bits[w] - 1;
            }
    }
    *out = (cw_counts){.start = start, .row = rows, .value = value, .rows = x->rows, .cells = x->cells};
    cw_arena_give(arena, seen), cw_arena_give(arena, all), cw_arena_give(arena, to);
    return cw_poll(ctx);
}

/* ---- cap --------------------------------------------------------------------------------------------------------- */

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x > y ? -1 : x < y;
}

/* limit (rows): 10 x (99% point over cells + 1); INFINITY for rows that can't reach it. Returns whether any value does. */
static int find_limits(cw_arena *arena, double *limit, const cw_counts *x)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    i64 listed = 0, end = x->start[x->cells], above = x->cells / 100 > 1 ? x->cells / 100 : 1;
    i64 *from = cw_arena_take(arena, (x->rows + 1) * (i64)sizeof *from);
    double *most = cw_arena_take(arena, x->rows * (i64)sizeof *most);
    if (ctx->status != CW_OK) return 0;
    memset(from, 0, (size_t)(x->rows + 1) * sizeof *from), memset(most, 0, (size_t)x->rows * sizeof *most);
    for (i64 e = 0; e < end; e++)
        if (x->value[e] > most[x->row[e]]) most[x->row[e]] = x->value[e];
    for (i64 e = 0; e < end; e++)
        if (most[x->row[e]] > TIMES) from[x->row[e] + 1]++, listed++;
    for (i64 r = 0; r < x->rows; r++) from[r + 1] += from[r];
    double *values = cw_arena_take(arena, listed * (i64)sizeof *values);
    if (ctx->status != CW_OK) return 0;
    for (i64 e = 0; e < end; e++)
        if (most[x->row[e]] > TIMES) values[from[x->row[e]]++] = x->value[e];
    int any = 0;
    for (i64 r = 0, begin = 0; r < x->rows; begin = from[r], r++) { /* from[r] is now where row r ends */
        i64 n = from[r] - begin;
        limit[r] = INFINITY;
        if (!n) continue;
        qsort(values + begin, (size_t)n, sizeof *values, descending);
        limit[r] = TIMES * ((n > above ? values[begin + above] : 0.0) + 1.0);
        any |= most[r] > limit[r];
    }
    cw_arena_give(arena, values), cw_arena_give(arena, most), cw_arena_give(arena, from);
    return any;
}

/* depth (cells), its limit returned: 10 x the median of cells with counts. any: does one exceed it? */
static double depth_limit(cw_arena *arena, double *depth, const double *value, const cw_counts *x, int *any)
{
    double *sorted = cw_arena_take(arena, x->cells * (i64)sizeof *sorted);
    i64 n = 0;
    *any = 0;
    if (!sorted) return INFINITY;
    for (i64 c = 0; c < x->cells; c++) {
        depth[c] = 0.0;
        for (i64 e = x->start[c]; e < x->start[c + 1]; e++) depth[c] += value[e];
        if (depth[c] > 0.0) sorted[n++] = depth[c];
    }
    qsort(sorted, (size_t)n, sizeof *sorted, descending);
    double limit = n ? TIMES * 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]) : INFINITY;
    for (i64 c = 0; c < x->cells; c++) *any |= depth[c] > limit;
    cw_arena_give(arena, sorted);
    return limit;
}

cw_status cw_tau_cap(cw_arena *arena, cw_counts *x, cw_tau_capped *told, const uint64_t *cell_id,
                     const uint64_t *row_id, uint64_t key)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    *told = (cw_tau_capped){0};
    double *limit = cw_arena_take(arena, x->rows * (i64)sizeof *limit);
    double *depth = cw_arena_take(arena, x->cells * (i64)sizeof *depth), *value = NULL, most;
    int deep, any = ctx->status == CW_OK && find_limits(arena, limit, x);
    i64 n = ctx->status == CW_OK ? x->start[x->cells] : 0;
    for (int pass = 0; pass < 2 && ctx->status == CW_OK; pass++) { /* values, then cells */
        if (pass) {
            most = depth_limit(arena, depth, value ? value : x->value, x, &deep);
            if (!deep) break;
        } else if (!any) continue;
        if (!value) {
            value = cw_arena_take(arena, n * (i64)sizeof *value);
            if (!value) break;
            memcpy(value, x->value, (size_t)n * sizeof *value);
        }
        for (i64 e = 0; !pass && e < n; e++)
            if (value[e] > limit[x->row[e]]) value[e] = limit[x->row[e]], told->values++;
        for (i64 c = 0; pass && c < x->cells; c++) {
            if (!(depth[c] > most)) continue;
            told->cells++;
            for (i64 e = x->start[c]; e < x->start[c + 1]; e++)
                value[e] = thinned(value[e], most / depth[c], key, USE_CAP, id_of(cell_id, c),
                                   id_of(row_id, x->row[e]));
        }
    }
    if (value) x->value = value;
    cw_arena_give(arena, depth), cw_arena_give(arena, limit);
    return cw_poll(ctx);
}

/* ---- halves ------------------------------------------------------------------------------------------------------ */

typedef struct ranked {
    uint64_t rank;
    int32_t cell;
} ranked;

static int by_rank(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->rank < y->rank ? -1 : x->rank > y->rank ? 1 : x->cell < y->cell ? -1 : x->cell > y->cell;
}

cw_status cw_tau_draw_cells(cw_arena *arena, int32_t *cell, const uint64_t *cell_id, int64_t cells, int64_t n,
                            uint64_t key)
{
    ranked *all = cw_arena_take(arena, cells * (i64)sizeof *all);
    if (!all) return cw_arena_ctx(arena)->status;
    for (i64 c = 0; c < cells; c++)
        all[c] = (ranked){cw_tau_mix(id_of(cell_id, c) ^ cw_tau_mix(key + USE_CELLS)), (int32_t)c};
    qsort(all, (size_t)cells, sizeof *all, by_rank);
    for (i64 i = 0; i < n; i++) cell[i] = all[i].cell;
    qsort(cell, (size_t)n, sizeof *cell, cw_int32_rising);
    cw_arena_give(arena, all);
    return CW_OK;
}

cw_status cw_tau_halve(cw_arena *arena, cw_counts half[2], const cw_counts *x, const int32_t *cell, int64_t cells,
                       const uint64_t *cell_id, const uint64_t *row_id, uint64_t key)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    int32_t *start = cw_arena_take(arena, (cells + 1) * (i64)sizeof *start);
    if (!start) return ctx->status;
    start[0] = 0;
    for (i64 i = 0; i < cells; i++) start[i + 1] = start[i] + x->start[cell[i] + 1] - x->start[cell[i]];
    i64 n = start[cells], d = (i64)sizeof(double);
    int32_t *row = cw_arena_take(arena, n * (i64)sizeof *row);
    double *one = cw_arena_take(arena, n * d), *other = cw_arena_take(arena, n * d);
    if (ctx->status != CW_OK) return ctx->status;
#pragma omp parallel for schedule(dynamic, 32) num_threads(ctx->threads)
    for (i64 i = 0; i < cells; i++)
        for (i64 e = x->start[cell[i]], at = start[i]; e < x->start[cell[i] + 1]; e++, at++) {
            row[at] = x->row[e];
            one[at] = thinned(x->value[e], 0.5, key, USE_HALF, id_of(cell_id, cell[i]), id_of(row_id, x->row[e]));
            other[at] = x->value[e] - one[at];
        }
    half[0] = (cw_counts){.start = start, .row = row, .value = one, .rows = x->rows, .cells = cells};
    half[1] = half[0], half[1].value = other;
    return cw_poll(ctx);
}

void cw_tau_halves_give(cw_arena *arena, cw_counts half[2])
{
    cw_arena_give(arena, (void *)(uintptr_t)half[0].start), cw_arena_give(arena, (void *)(uintptr_t)half[0].row);
    for (int s = 0; s < 2; s++) cw_arena_give(arena, (void *)(uintptr_t)half[s].value);
}
