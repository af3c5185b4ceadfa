/* network.c: see network.h. */
#include "network.h"

#include "../core/select.h"
#include "../core/threads.h"
#include "../kernels/cpu/cpu.h"
#include "../kernels/kernels.h"

#include <float.h>
#include <string.h>

/* ---- checks --------------------------------------------------------------------------------------------------- */

static cw_status check_sizes(cw_ctx *ctx, const cw_factors *f)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (f->cells < 1 || f->tfs < 1 || f->genes < 1 || f->factors < 1 || f->k < 1)
        return cw_fail(ctx, CW_ERR_SHAPE,
                       "factors: cells %lld, TFs %lld, genes %lld, factors %lld, k %lld: all must "
                       "be at least 1",
                       (long long)f->cells, (long long)f->tfs, (long long)f->genes, (long long)f->factors,
                       (long long)f->k);
    if (f->k > f->factors || f->factors > 65536)
        return cw_fail(ctx, CW_ERR_SHAPE,
                       "factors: k %lld must be at most the number of factors %lld, and that at "
                       "most 65536",
                       (long long)f->k, (long long)f->factors);
    for (int64_t i = 0; i < f->tfs; i++)
        if (f->tf_gene[i] < 0 || f->tf_gene[i] >= f->genes)
            return cw_fail(ctx, CW_ERR_FORMAT, "factors: TF %lld is said to be gene %d of %lld", (long long)i,
                           (int)f->tf_gene[i], (long long)f->genes);
    return CW_OK;
}

static cw_status check_cells(cw_ctx *ctx, const cw_factors *f, const int32_t *cell, int64_t n)
{
    if (check_sizes(ctx, f) != CW_OK) return ctx->status;
    for (int64_t j = 0; cell && j < n; j++)
        if (cell[j] < 0 || cell[j] >= f->cells)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "cell %d of %lld was asked for", (int)cell[j], (long long)f->cells);
    return CW_OK;
}

/* Whether all n indexes are < factors. Branch-free inside, for the vectoriser. */
static int indexes_valid(const uint16_t *index, int64_t n, int64_t factors)
{
    uint16_t largest = 0;
    for (int64_t i = 0; i < n; i++) largest = index[i] > largest ? index[i] : largest;
    return largest < factors;
}

static cw_status check_index(cw_ctx *ctx, const cw_factors *f, int64_t cell)
{
    int64_t nu = f->tfs * f->k, nv = f->genes * f->k;
    if (indexes_valid(f->u_index + cell * nu, nu, f->factors) && indexes_valid(f->v_index + cell * nv, nv, f->factors))
        return CW_OK;
    return cw_fail(ctx, CW_ERR_FORMAT, "factors of cell %lld: an index is not below the number of factors, %lld",
                   (long long)cell, (long long)f->factors);
}

/* Whether every index of the cells first .. first + n - 1 of `cell` is one. */
static cw_status check_indexes(cw_ctx *ctx, const cw_factors *f, const int32_t *cell, int64_t first, int64_t n)
{
    int64_t nu = f->tfs * f->k, nv = f->genes * f->k, bad = 0;
#pragma omp parallel for schedule(static) num_threads(ctx->threads) reduction(+ : bad) if (n * (nu + nv) > 1000000)
    for (int64_t b = first; b < first + n; b++) {
        int64_t c = cell ? cell[b] : b;
        bad +=
            !indexes_valid(f->u_index + c * nu, nu, f->factors) || !indexes_valid(f->v_index + c * nv, nv, f->factors);
    }
    for (int64_t b = first; bad && b < first + n && ctx->status == CW_OK; b++) check_index(ctx, f, cell ? cell[b] : b);
    return ctx->status;
}

/* Finite and not negative. */
static int weights_valid(const float *w, int64_t n)
{
    int bad = 0;
    for (int64_t i = 0; i < n; i++) bad |= !(w[i] >= 0.0f && w[i] <= FLT_MAX);
    return !bad;
}

cw_status cw_factors_check(cw_ctx *ctx, const cw_factors *f)
{
    if (check_sizes(ctx, f) != CW_OK) return ctx->status;
    int64_t nu = f->tfs * f->k, nv = f->genes * f->k, group = 1 + 1000000 / (nu + nv);
    for (int64_t first = 0; first < f->cells && cw_poll(ctx) == CW_OK; first += group) {
        int64_t end = first + group < f->cells ? first + group : f->cells, bad = 0;
        if (check_indexes(ctx, f, NULL, first, end - first) != CW_OK) break;
#pragma omp parallel for schedule(static) num_threads(ctx->threads) reduction(+ : bad)
        for (int64_t c = first; c < end; c++)
            bad += !weights_valid(f->u_weight + c * nu, nu) || !weights_valid(f->v_weight + c * nv, nv);
        for (int64_t c = first; bad && c < end && ctx->status == CW_OK; c++)
            if (!weights_valid(f->u_weight + c * nu, nu) || !weights_valid(f->v_weight + c * nv, nv))
                cw_fail(ctx, CW_ERR_NUMERIC, "factors of cell %lld: a weight is negative or not finite", (long long)c);
    }
    return ctx->status;
}

/* Eight bytes at a time: h = rotate(h xor word) times an odd number (the fractional part of the golden ratio). */
static uint64_t mix(uint64_t h, const void *data, int64_t bytes)
{
    const char *p = data;
    for (uint64_t word; bytes > 0; p += 8, bytes -= 8) {
        word = 0;
        memcpy(&word, p, bytes < 8 ? (size_t)bytes : 8);
        h = (h ^ word) * 0x9E3779B97F4A7C15ull;
        h = h << 29 | h >> 35;
    }
    return h;
}

cw_status cw_factors_sums(cw_ctx *ctx, int32_t *sum, const cw_factors *f)
{
    if (check_sizes(ctx, f) != CW_OK) return ctx->status;
    int64_t nu = f->tfs * f->k, nv = f->genes * f->k, group = 1 + 100000000 / (nu + nv);
    for (int64_t first = 0; first < f->cells && cw_poll(ctx) == CW_OK; first += group) {
        int64_t end = first + group < f->cells ? first + group : f->cells;
#pragma omp parallel for schedule(static) num_threads(ctx->threads)
        for (int64_t c = first; c < end; c++) {
            uint64_t h = mix((uint64_t)(nu + nv), f->u_index + c * nu, 2 * nu);
            h = mix(h, f->u_weight + c * nu, 4 * nu);
            h = mix(h, f->v_index + c * nv, 2 * nv);
            h = mix(h, f->v_weight + c * nv, 4 * nv);
            uint32_t folded = (uint32_t)(h ^ h >> 32);
            memcpy(sum + c, &folded, sizeof folded);
        }
    }
    return ctx->status;
}

/* ---- score matrices ------------------------------------------------------------------------------------------- */

/* Rows of k (index, weight) into zeroed dense rows of `ld` floats. */
static void spread(float *dense, int64_t ld, const uint16_t *index, const float *weight, int64_t rows, int64_t k)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < k; j++) dense[r * ld + index[r * k + j]] += weight[r * k + j];
}

/* score (tfs, genes) = u_c v_c^T; u (tfs, factors) and v (genes, factors) are work space. */
static cw_status score_cell(cw_ctx *ctx, float *score, float *u, float *v, const cw_factors *f, int64_t c)
{
    if (check_index(ctx, f, c) != CW_OK) return ctx->status;
    int64_t nu = c * f->tfs * f->k, nv = c * f->genes * f->k, m = f->factors;
    memset(u, 0, (size_t)(f->tfs * m) * sizeof *u);
    memset(v, 0, (size_t)(f->genes * m) * sizeof *v);
    spread(u, m, f->u_index + nu, f->u_weight + nu, f->tfs, f->k);
    spread(v, m, f->v_index + nv, f->v_weight + nv, f->genes, f->k);
    cw_exec ex = {.threads = ctx->threads};
    ctx->kernels->gemm(&ex, score, f->genes, u, m, 0, v, m, 1, 1.0f, 0.0f, f->tfs, f->genes, m);
    return CW_OK;
}

/* Work space for score matrices of single cells. */
typedef struct cell_work {
    float *u;     /* (tfs, factors) */
    float *v;     /* (genes, factors) */
    float *score; /* (tfs, genes) */
} cell_work;

static cw_status work_open(cw_ctx *ctx, cell_work *w, const cw_factors *f)
{
    w->u = cw_alloc(ctx, f->tfs * f->factors, sizeof *w->u);
    w->v = cw_alloc(ctx, f->genes * f->factors, sizeof *w->v);
    w->score = cw_alloc(ctx, f->tfs * f->genes, sizeof *w->score);
    return ctx->status;
}

static void work_close(cw_ctx *ctx, cell_work *w)
{
    cw_free(ctx, w->score);
    cw_free(ctx, w->v);
    cw_free(ctx, w->u);
}

/* w->score = the scores of cell number j of `cell` (NULL: of all). Polls the host. */
static cw_status work_cell(cw_ctx *ctx, cell_work *w, const cw_factors *f, const int32_t *cell, int64_t j)
{
    if (cw_poll(ctx) != CW_OK) return ctx->status;
    return score_cell(ctx, w->score, w->u, w->v, f, cell ? cell[j] : j);
}

cw_status cw_network_cell(cw_ctx *ctx, float *score, const cw_factors *f, int64_t cell)
{
    if (check_sizes(ctx, f) != CW_OK) return ctx->status;
    if (cell < 0 || cell >= f->cells)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "cell %lld of %lld was asked for", (long long)cell, (long long)f->cells);
    float *u = cw_alloc(ctx, f->tfs * f->factors, sizeof *u);
    float *v = cw_alloc(ctx, f->genes * f->factors, sizeof *v);
    if (ctx->status == CW_OK) score_cell(ctx, score, u, v, f, cell);
    cw_free(ctx, v);
    cw_free(ctx, u);
    return ctx->status;
}

/* ---- pooling ---------------------------------------------------------------------------------------------------
 *
 * The mean over cells is one product over the stacked (cell, factor) axis, U (tfs, cells factors) times V (cells
 * factors, genes). A row of U has k of every `factors` entries, so the product is taken over those alone: V is made
 * dense, a tile of genes and a few cells at a time so that it stays in the first-level cache, and each TF adds its k
 * rows of it per cell. (Where more than 3/4 of a row is kept, both are made dense for the BLAS.) Tiles are shared out
 * to threads; sums are in float over POOL_CELLS cells, then in double. */

typedef struct pool_rows_of {
    int64_t cells, factors, k;
    const uint16_t **index; /* (cells): where the rows of each cell begin */
    const float **weight;   /* (cells) */
} pool_rows_of;

#define CW_TILES "pool_tiles.h"
#include "../kernels/cpu/simd_each.h"

typedef void (*pool_function)(float *acc, const float *v, const pool_rows_of *p, int64_t rows);
static const pool_function pool_rows[CW_SIMD_COUNT] = CW_SIMD_TABLE(pool_rows);

enum {
    POOL_TILE_BYTES = 32 << 10, /* of dense V: first-level cache */
    POOL_CELLS = 256,           /* summed in float */
    POOL_TFS = 1024,            /* rows of a tile */
    POOL_DENSE_BYTES = 16 << 20 /* of both factors, where they are made dense */
};

typedef struct pool_plan {
    const cw_factors *f;
    const int32_t *cell;               /* NULL: all */
    int64_t width, side, rows, across; /* genes of a tile, cells dense at a time, TFs of a tile, tiles along genes */
    pool_function add;
} pool_plan;

/* One thread's work space. */
typedef struct pool_work {
    float *v;                  /* (side, factors, width) */
    float *acc;                /* (rows, width) */
    const uint16_t *index[64]; /* (side) */
    const float *weight[64];
} pool_work;

static pool_plan pool_plan_of(const cw_factors *f, const int32_t *cell)
{
    static const int64_t width[CW_SIMD_COUNT] = CW_SIMD_TABLE(pool_width);
    int level = cw_cpu_simd_level();
    pool_plan p = {.f = f, .cell = cell, .width = width[level], .add = pool_rows[level]};
    p.side = POOL_TILE_BYTES / (f->factors * p.width * (int64_t)sizeof(float));
    p.side = p.side < 1 ? 1 : p.side > 64 ? 64 : p.side;
    p.rows = f->tfs < POOL_TFS ? f->tfs : POOL_TFS;
    p.across = (f->genes + p.width - 1) / p.width;
    return p;
}

/* sum (tfs, genes) += cells first .. first + n - 1 of `p->cell`, tile number t. */
static void pool_tile(double *sum, pool_work *w, const pool_plan *p, int64_t t, int64_t first, int64_t n)
{
    const cw_factors *f = p->f;
    int64_t g0 = t % p->across * p->width, i0 = t / p->across * p->rows, k = f->k;
    int64_t genes = f->genes - g0 < p->width ? f->genes - g0 : p->width;
    int64_t rows = f->tfs - i0 < p->rows ? f->tfs - i0 : p->rows;
    pool_rows_of u = {.factors = f->factors, .k = k, .index = w->index, .weight = w->weight};
    memset(w->acc, 0, (size_t)(rows * p->width) * sizeof *w->acc);
    for (int64_t b0 = 0; b0 < n; b0 += p->side) {
        u.cells = n - b0 < p->side ? n - b0 : p->side;
        memset(w->v, 0, (size_t)(u.cells * f->factors * p->width) * sizeof *w->v);
        for (int64_t b = 0; b < u.cells; b++) {
            int64_t c = p->cell ? p->cell[first + b0 + b] : first + b0 + b;
            const uint16_t *index = f->v_index + (c * f->genes + g0) * k;
            const float *weight = f->v_weight + (c * f->genes + g0) * k;
            float *v = w->v + b * f->factors * p->width;
            for (int64_t g = 0; g < genes; g++)
                for (int64_t j = g * k; j < (g + 1) * k; j++) v[index[j] * p->width + g] += weight[j];
            w->index[b] = f->u_index + (c * f->tfs + i0) * k;
            w->weight[b] = f->u_weight + (c * f->tfs + i0) * k;
        }
        p->add(w->acc, w->v, &u, rows);
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t g = 0; g < genes; g++) sum[(i0 + i) * f->genes + g0 + g] += (double)w->acc[i * p->width + g];
}

/* The same product with both sides dense, by the BLAS: for rows with few zeros. */
static cw_status add_dense(cw_ctx *ctx, double *sum, const cw_factors *f, const int32_t *cell, int64_t n)
{
    int64_t m = f->factors, size = f->tfs * f->genes, block = POOL_DENSE_BYTES / (4 * (f->tfs + f->genes) * m);
    if (block < 1) block = 1;
    if (block > n) block = n;
    float *u = cw_alloc(ctx, f->tfs * m * block, sizeof *u), *v = cw_alloc(ctx, f->genes * m * block, sizeof *v);
    float *score = cw_alloc(ctx, size, sizeof *score);
    for (int64_t first = 0; first < n && cw_poll(ctx) == CW_OK; first += block) {
        int64_t here = n - first < block ? n - first : block, width = here * m;
        if (check_indexes(ctx, f, cell, first, here) != CW_OK) break;
        memset(u, 0, (size_t)(f->tfs * width) * sizeof *u);
        memset(v, 0, (size_t)(f->genes * width) * sizeof *v);
        for (int64_t b = 0; b < here; b++) {
            int64_t c = cell ? cell[first + b] : first + b, nu = c * f->tfs * f->k, nv = c * f->genes * f->k;
            spread(u + b * m, width, f->u_index + nu, f->u_weight + nu, f->tfs, f->k);
            spread(v + b * m, width, f->v_index + nv, f->v_weight + nv, f->genes, f->k);
        }
        cw_exec ex = {.threads = ctx->threads};
        ctx->kernels->gemm(&ex, score, f->genes, u, width, 0, v, width, 1, 1.0f, 0.0f, f->tfs, f->genes, width);
        for (int64_t e = 0; e < size; e++) sum[e] += (double)score[e];
    }
    cw_free(ctx, score);
    cw_free(ctx, v);
    cw_free(ctx, u);
    return ctx->status;
}

cw_status cw_network_add(cw_ctx *ctx, double *sum, const cw_factors *f, const int32_t *cell, int64_t n)
{
    if (check_cells(ctx, f, cell, n) != CW_OK) return ctx->status;
    if (!cell) n = f->cells;
    if (4 * f->k > 3 * f->factors) return add_dense(ctx, sum, f, cell, n);
    pool_plan p = pool_plan_of(f, cell);
    int64_t tiles = p.across * ((f->tfs + p.rows - 1) / p.rows);
    int threads = tiles < ctx->threads ? (int)tiles : ctx->threads;
    int64_t nv = p.side * f->factors * p.width, nacc = p.rows * p.width;
    float *room = cw_alloc(ctx, threads * (nv + nacc), sizeof *room);
    pool_work *work = cw_alloc(ctx, threads, sizeof *work);
    for (int t = 0; ctx->status == CW_OK && t < threads; t++)
        work[t].v = room + t * (nv + nacc), work[t].acc = work[t].v + nv;
    for (int64_t first = 0; first < n && cw_poll(ctx) == CW_OK; first += POOL_CELLS) {
        int64_t here = n - first < POOL_CELLS ? n - first : POOL_CELLS;
        if (check_indexes(ctx, f, cell, first, here) != CW_OK) break;
        int stop = 0;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
        for (int64_t t = 0; t < tiles; t++) {
            int halt;
#pragma omp atomic read
            halt = stop;
            if (halt) continue;
            pool_tile(sum, work + cw_thread_number(), &p, t, first, here);
            if (cw_thread_number() == 0 && cw_poll(ctx) != CW_OK) {
#pragma omp atomic write
                stop = 1;
            }
        }
    }
    cw_free(ctx, work);
    cw_free(ctx, room);
    return ctx->status;
}

cw_status cw_network_pool(cw_ctx *ctx, float *score, const cw_factors *f, const int32_t *cell, int64_t n)
{
    if (check_cells(ctx, f, cell, n) != CW_OK) return ctx->status;
    if (!cell) n = f->cells;
    if (n < 1) return cw_fail(ctx, CW_ERR_ARGUMENT, "a pooled network needs at least one cell");
    double *sum = cw_calloc(ctx, f->tfs * f->genes, sizeof *sum);
    if (ctx->status == CW_OK && cw_network_add(ctx, sum, f, cell, n) == CW_OK)
        for (int64_t e = 0; e < f->tfs * f->genes; e++) score[e] = (float)(sum[e] / (double)n);
    cw_free(ctx, sum);
    return ctx->status;
}

/* ---- edges ---------------------------------------------------------------------------------------------------- */

/* The best of a stream of (score, index), kept in a heap with the worst of them on top. */
typedef struct best {
    float *score;   /* (room) */
    int64_t *index; /* (room) */
    int64_t count, room;
} best;

static int is_worse(const best *b, int64_t i, int64_t j)
{
    return b->score[i] < b->score[j] || (b->score[i] == b->score[j] && b->index[i] > b->index[j]);
}

static void swap_items(best *b, int64_t i, int64_t j)
{
    float s = b->score[i];
    int64_t t = b->index[i];
    b->score[i] = b->score[j], b->index[i] = b->index[j];
    b->score[j] = s, b->index[j] = t;
}

static void sift_down(best *b, int64_t i, int64_t n)
{
    for (;;) {
        int64_t worst = i, left = 2 * i + 1, right = left + 1;
        if (left < n && is_worse(b, left, worst)) worst = left;
        if (right < n && is_worse(b, right, worst)) worst = right;
        if (worst == i) return;
        swap_items(b, i, worst);
        i = worst;
    }
}

/* Indexes must come in increasing order: then an equal score never displaces one that is kept. */
static inline void best_offer(best *b, float score, int64_t index)
{
    if (b->count < b->room) {
        int64_t i = b->count++;
        b->score[i] = score, b->index[i] = index;
        for (int64_t up; i > 0 && is_worse(b, i, up = (i - 1) / 2); i = up) swap_items(b, i, up);
    } else if (score > b->score[0]) {
        b->score[0] = score, b->index[0] = index;
        sift_down(b, 0, b->count);
    }
}

/* Best first (heap sort); the heap is no longer one. */
static void best_sort(best *b)
{
    for (int64_t n = b->count - 1; n > 0; n--) {
        swap_items(b, 0, n);
        sift_down(b, 0, n);
    }
}

cw_status cw_network_top(cw_ctx *ctx, int32_t *tf, int32_t *gene, float *score, int64_t *count, const cw_factors *f,
                         const int32_t *cell, int64_t n, int64_t top, int self)
{
    if (check_cells(ctx, f, cell, n) != CW_OK) return ctx->status;
    if (top < 1)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "the number of edges must be at least 1, not %lld", (long long)top);
    cell_work w;
    work_open(ctx, &w, f);
    int64_t most = top < f->tfs * f->genes ? top : f->tfs * f->genes;
    best b = {.room = most};
    b.score = cw_alloc(ctx, most, sizeof *b.score);
    b.index = cw_alloc(ctx, most, sizeof *b.index);
    for (int64_t j = 0; j < n && work_cell(ctx, &w, f, cell, j) == CW_OK; j++) {
        b.count = 0;
        for (int64_t i = 0; i < f->tfs; i++)
            for (int64_t g = 0; g < f->genes; g++)
                if (self || f->tf_gene[i] != g) best_offer(&b, w.score[i * f->genes + g], i * f->genes + g);
        best_sort(&b);
        for (int64_t e = 0; e < b.count; e++) {
            tf[j * top + e] = (int32_t)(b.index[e] / f->genes);
            gene[j * top + e] = (int32_t)(b.index[e] % f->genes);
            score[j * top + e] = b.score[e];
        }
        count[j] = b.count;
    }
    cw_free(ctx, b.index);
    cw_free(ctx, b.score);
    work_close(ctx, &w);
    return ctx->status;
}

cw_status cw_network_count(cw_ctx *ctx, int64_t *count, const cw_factors *f, const int32_t *cell, int64_t n,
                           double threshold, int self)
{
    if (check_cells(ctx, f, cell, n) != CW_OK) return ctx->status;
    cell_work w;
    work_open(ctx, &w, f);
    for (int64_t j = 0; j < n && work_cell(ctx, &w, f, cell, j) == CW_OK; j++) {
        count[j] = 0;
        for (int64_t i = 0; i < f->tfs; i++) {
            const float *row = w.score + i * f->genes;
            int64_t found = 0;
            for (int64_t g = 0; g < f->genes; g++) found += row[g] >= threshold;
            count[j] += found - (!self && row[f->tf_gene[i]] >= threshold);
        }
    }
    work_close(ctx, &w);
    return ctx->status;
}

cw_status cw_network_above(cw_ctx *ctx, int32_t *tf, int32_t *gene, float *score, int64_t room, const cw_factors *f,
                           const int32_t *cell, int64_t n, double threshold, int self)
{
    if (check_cells(ctx, f, cell, n) != CW_OK) return ctx->status;
    cell_work w;
    work_open(ctx, &w, f);
    int64_t found = 0;
    for (int64_t j = 0; j < n && work_cell(ctx, &w, f, cell, j) == CW_OK; j++)
        for (int64_t i = 0; i < f->tfs; i++)
            for (int64_t g = 0; g < f->genes; g++) {
                float s = w.score[i * f->genes + g];
                if (!(s >= threshold) || (!self && f->tf_gene[i] == g)) continue;
                if (found < room) tf[found] = (int32_t)i, gene[found] = (int32_t)g, score[found] = s;
                found++;
            }
    work_close(ctx, &w);
    if (ctx->status == CW_OK && found != room)
        cw_fail(ctx, CW_ERR_SHAPE, "%lld edges were found where %lld were counted", (long long)found, (long long)room);
    return ctx->status;
}

/* ---- regulons ------------------------------------------------------------------------------------------------- */

/* z (genes) = (x - mean) scale of one cell. */
static cw_status cell_z(cw_ctx *ctx, double *z, const cw_cell_values *x, int64_t cell, int64_t genes)
{
    for (int64_t g = 0; g < genes; g++) z[g] = -x->mean[g] * x->scale[g];
    for (int64_t e = x->start[cell]; e < x->start[cell + 1]; e++) {
        if (x->gene[e] < 0 || x->gene[e] >= genes)
            return cw_fail(ctx, CW_ERR_FORMAT, "expression of cell %lld: gene %d of %lld", (long long)cell,
                           (int)x->gene[e], (long long)genes);
        z[x->gene[e]] += x->value[e] * x->scale[x->gene[e]];
    }
    return CW_OK;
}

/* Score-weighted mean of z over the `top` best targets in `row` (genes); among equal scores the first genes count.
 * work (genes). */
static double row_activity(float *work, const float *row, const double *z, int64_t self, int64_t top, int64_t genes)
{
    memcpy(work, row, (size_t)genes * sizeof *work);
    work[self] = 0.0f;
    float border = cw_select_largest(work, genes, top);
    int64_t above = 0;
    for (int64_t g = 0; g < genes; g++) above += g != self && row[g] > border;
    double sum = 0.0, weight = 0.0;
    for (int64_t g = 0, equal = top - above; g < genes; g++) {
        if (g == self || row[g] < border || (row[g] == border && equal-- <= 0)) continue;
        sum += (double)row[g] * z[g];
        weight += (double)row[g];
    }
    return weight > 0.0 ? sum / weight : 0.0;
}

cw_status cw_network_activity(cw_ctx *ctx, double *activity, const cw_factors *f, const cw_cell_values *x,
                              const int32_t *cell, int64_t n, int64_t top)
{
    if (check_cells(ctx, f, cell, n) != CW_OK) return ctx->status;
    if (top < 1)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "the number of targets must be at least 1, not %lld", (long long)top);
    if (top > f->genes) top = f->genes;
    cell_work w;
    work_open(ctx, &w, f);
    double *z = cw_alloc(ctx, f->genes, sizeof *z);
    float *work = cw_alloc(ctx, ctx->threads * f->genes, sizeof *work);
    for (int64_t j = 0; j < n && work_cell(ctx, &w, f, cell, j) == CW_OK; j++) {
        if (cell_z(ctx, z, x, cell ? cell[j] : j, f->genes) != CW_OK) break;
#pragma omp parallel num_threads(ctx->threads)
        {
            float *mine = work + cw_thread_number() * f->genes;
#pragma omp for schedule(static)
            for (int64_t i = 0; i < f->tfs; i++)
                activity[j * f->tfs + i] = row_activity(mine, w.score + i * f->genes, z, f->tf_gene[i], top, f->genes);
        }
    }
    cw_free(ctx, work);
    cw_free(ctx, z);
    work_close(ctx, &w);
    return ctx->status;
}

/* total (factors) = sum over rows of the sparse rows (index, weight). */
static void factor_sums(double *total, const uint16_t *index, const float *weight, int64_t entries, int64_t factors)
{
    memset(total, 0, (size_t)factors * sizeof *total);
    for (int64_t e = 0; e < entries; e++) total[index[e]] += (double)weight[e];
}

/* A sparse row of k entries times a dense vector (factors). */
static double sparse_dot(const uint16_t *index, const float *weight, const double *x, int64_t k)
{
    double sum = 0.0;
    for (int64_t j = 0; j < k; j++) sum += (double)weight[j] * x[index[j]];
    return sum;
}

/* Two sparse rows of k entries. */
static double sparse_cross(const uint16_t *ia, const float *wa, const uint16_t *ib, const float *wb, int64_t k)
{
    double sum = 0.0;
    for (int64_t j = 0; j < k; j++)
        for (int64_t l = 0; l < k; l++)
            if (ia[j] == ib[l]) sum += (double)wa[j] * (double)wb[l];
    return sum;
}

/* sum over genes of u_i . v_g = u_i . (sum over genes of v_g): no score matrix is needed. */
cw_status cw_network_strength(cw_ctx *ctx, double *strength, const cw_factors *f, const int32_t *cell, int64_t n)
{
    if (check_cells(ctx, f, cell, n) != CW_OK) return ctx->status;
    double *total = cw_alloc(ctx, f->factors, sizeof *total);
    for (int64_t j = 0; j < n && cw_poll(ctx) == CW_OK; j++) {
        int64_t c = cell ? cell[j] : j, k = f->k;
        if (check_index(ctx, f, c) != CW_OK) break;
        const uint16_t *vi = f->v_index + c * f->genes * k;
        const float *vw = f->v_weight + c * f->genes * k;
        factor_sums(total, vi, vw, f->genes * k, f->factors);
        for (int64_t i = 0; i < f->tfs; i++) {
            const uint16_t *ui = f->u_index + (c * f->tfs + i) * k;
            const float *uw = f->u_weight + (c * f->tfs + i) * k;
            int64_t g = f->tf_gene[i];
            double sum = sparse_dot(ui, uw, total, k) - sparse_cross(ui, uw, vi + g * k, vw + g * k, k);
            strength[j * f->tfs + i] = f->genes > 1 ? sum / (double)(f->genes - 1) : 0.0;
        }
    }
    cw_free(ctx, total);
    return ctx->status;
}

cw_status cw_network_sums(cw_ctx *ctx, double *row, double *column, const cw_factors *f, const int32_t *cell, int64_t n)
{
    if (check_cells(ctx, f, cell, n) != CW_OK) return ctx->status;
    double *u = cw_alloc(ctx, f->factors, sizeof *u), *v = cw_alloc(ctx, f->factors, sizeof *v);
    memset(row, 0, (size_t)f->tfs * sizeof *row);
    memset(column, 0, (size_t)f->genes * sizeof *column);
    for (int64_t j = 0; j < n && cw_poll(ctx) == CW_OK; j++) {
        int64_t c = cell ? cell[j] : j, nu = c * f->tfs * f->k, nv = c * f->genes * f->k;
        if (check_index(ctx, f, c) != CW_OK) break;
        factor_sums(u, f->u_index + nu, f->u_weight + nu, f->tfs * f->k, f->factors);
        factor_sums(v, f->v_index + nv, f->v_weight + nv, f->genes * f->k, f->factors);
        for (int64_t i = 0; i < f->tfs; i++)
            row[i] += sparse_dot(f->u_index + nu + i * f->k, f->u_weight + nu + i * f->k, v, f->k);
        for (int64_t g = 0; g < f->genes; g++)
            column[g] += sparse_dot(f->v_index + nv + g * f->k, f->v_weight + nv + g * f->k, u, f->k);
    }
    cw_free(ctx, v);
    cw_free(ctx, u);
    return ctx->status;
}

cw_status cw_network_moments(cw_ctx *ctx, double *sum, double *squares, const cw_factors *f, const int32_t *cell,
                             int64_t n)
{
    if (check_cells(ctx, f, cell, n) != CW_OK) return ctx->status;
    cell_work w;
    work_open(ctx, &w, f);
    for (int64_t j = 0; j < n && work_cell(ctx, &w, f, cell, j) == CW_OK; j++) {
        double s = 0.0, q = 0.0;
        for (int64_t i = 0; i < f->tfs; i++)
            for (int64_t g = 0; g < f->genes; g++) {
                double score = f->tf_gene[i] == g ? 0.0 : (double)w.score[i * f->genes + g];
                s += score, q += score * score;
            }
        sum[j] = s, squares[j] = q;
    }
    work_close(ctx, &w);
    return ctx->status;
}
