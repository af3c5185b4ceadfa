/* forest.c: see forest.h. */
#include "forest.h"

#include "../core/rng.h"
#include "../core/select.h"
#include "../core/threads.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum {
    BINS = 255,       /* a TF has at most this many */
    TARGET_BITS = 18, /* a target's largest value is 2^18 */
    CHUNK = 4096,     /* cells whose values add up within 31 bits */
    CHECKED = 1024,   /* cells the out-of-bag error of a forest is measured on, at most */
    GROUP = 64,       /* targets that share the copy of a tree's cells */
    COUNT_BITS = 24   /* boosting: the count of cells below the sum of their residuals in one 64-bit number */
};
#define COUNT_MASK (((int64_t)1 << COUNT_BITS) - 1)

/* ---- random numbers ------------------------------------------------------------------------------------------- */

/* The streams of a tree: seeded by Philox, stepped by splitmix64 (Steele et al. 2014), which costs little per node. */
static uint64_t tree_seed(uint64_t key, uint64_t gene, uint64_t tree)
{
    uint32_t w[4];
    cw_rng_block(w, cw_rng_stream(key, CW_RNG_USER, gene, 0), tree);
    return (uint64_t)w[0] << 32 | w[1];
}

static uint64_t next64(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* 0 .. n - 1, n < 2^32 */
static int64_t below(uint32_t word, int64_t n) { return (int64_t)(((uint64_t)word * (uint64_t)n) >> 32); }

/* ---- TFs in bins ------------------------------------------------------------------------------------------------ */

typedef struct bins {
    int64_t cells, stride, tfs; /* stride: bytes between columns */
    uint8_t *bin;               /* (tfs, stride) column by column */
    int32_t *levels;            /* (tfs) bins in use */
    float *value;               /* (tfs, BINS + 1): the largest value of each bin */
    uint8_t *common;            /* (tfs) the bin with most cells */
    int64_t *start;             /* (tfs + 1) where each TF's list of the other cells begins */
    int32_t *other;             /* cells that aren't in the common bin; room for the values listed */
    uint8_t *other_bin;         /* and their bins */
} bins;

/* Upper edges (levels) of the bins of n sorted values: each distinct value its own where there are no more than BINS,
 * else bins of about equal counts that never part equal values; `zero_first`: the zeros at the front are one bin. */
static int32_t bin_edges(float *edge, const double *v, int64_t n, int zero_first)
{
    int64_t distinct = 1, first = 0;
    int32_t used = 0;
    for (int64_t i = 1; i < n; i++) distinct += v[i] != v[i - 1];
    if (distinct <= BINS) {
        for (int64_t i = 0; i < n; i++)
            if (i == n - 1 || v[i] != v[i + 1]) edge[used++] = (float)v[i];
        return used;
    }
    if (zero_first) {
        while (v[first] == 0) first++;
        edge[used++] = 0;
    }
    for (int64_t i = first, from = first; i < n; i++) {
        if (i < n - 1 && v[i] == v[i + 1]) continue;
        int64_t left = BINS - used; /* bins to come; the last takes all */
        if (i < n - 1 && (left == 1 || (i + 1 - from) * left < n - from)) continue;
        edge[used++] = (float)v[i], from = i + 1;
    }
    return used;
}

/* The first bin whose edge is not below x. Edges are floats, so x is rounded as they were. */
static uint8_t bin_of(const float *edge, int32_t levels, double x)
{
    float f = (float)x;
    int32_t lo = 0, hi = levels - 1;
    while (lo < hi) {
        int32_t mid = (lo + hi) / 2;
        if (edge[mid] < f) lo = mid + 1;
        else hi = mid;
    }
    return (uint8_t)lo;
}

/* One TF. `work` (cells) doubles. */
static void bin_tf(bins *b, int64_t t, const cw_columns *x, int64_t gene, double *work)
{
    int64_t from = x->start[gene], n = x->start[gene + 1] - from, zeros = 0, count[BINS + 1] = {0};
    uint8_t *column = b->bin + t * b->stride;
    float *edge = b->value + t * (BINS + 1);
    int negative = 0;
    memset(work, 0, (size_t)b->cells * sizeof *work);
    for (int64_t i = 0; i < n; i++) work[i] = x->value[from + i] + 0.0, negative |= work[i] < 0; /* -0 becomes 0 */
    qsort(work, (size_t)b->cells, sizeof *work, cw_double_rising);
    for (int64_t i = 0; i < b->cells; i++) zeros += work[i] == 0;
    b->levels[t] = bin_edges(edge, work, b->cells, !negative && zeros > 0);
    memset(column, bin_of(edge, b->levels[t], 0), (size_t)b->stride);
    for (int64_t i = 0; i < n; i++) column[x->cell[from + i]] = bin_of(edge, b->levels[t], x->value[from + i]);
    for (int64_t c = 0; c < b->cells; c++) count[column[c]]++;
    b->common[t] = 0;
    for (int k = 1; k < BINS; k++)
        if (count[k] > count[b->common[t]]) b->common[t] = (uint8_t)k;
    b->start[t + 1] = b->cells - count[b->common[t]];
}

static void list_others(bins *b, int64_t t)
{
    int64_t k = b->start[t];
    const uint8_t *column = b->bin + t * b->stride;
    for (int64_t c = 0; c < b->cells && k < b->start[t + 1]; c++)
        if (column[c] != b->common[t]) b->other[k] = (int32_t)c, b->other_bin[k++] = column[c];
}

static void bins_free(cw_ctx *ctx, bins *b)
{
    cw_free(ctx, b->bin), cw_free(ctx, b->levels), cw_free(ctx, b->value), cw_free(ctx, b->common);
    cw_free(ctx, b->start), cw_free(ctx, b->other), cw_free(ctx, b->other_bin);
}

static int64_t round_up(int64_t n) { return (n + 63) / 64 * 64; }

static cw_status bins_make(cw_ctx *ctx, bins *b, const cw_columns *x, const int32_t *tf, int64_t tfs, int lists)
{
    int threads = ctx->threads;
    *b = (bins){.cells = x->cells, .stride = round_up(x->cells), .tfs = tfs};
    b->bin = cw_alloc(ctx, tfs * b->stride, 1);
    b->levels = cw_alloc(ctx, tfs, sizeof *b->levels);
    b->value = cw_alloc(ctx, tfs * (BINS + 1), sizeof *b->value);
    b->common = cw_alloc(ctx, tfs, 1);
    b->start = cw_alloc(ctx, tfs + 1, sizeof *b->start);
    double *work = cw_alloc(ctx, threads * x->cells, sizeof *work);
    if (ctx->status == CW_OK) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (int64_t t = 0; t < tfs; t++) {
            double *mine = work + cw_thread_number() * x->cells;
            bin_tf(b, t, x, tf[t], mine);
        }
        b->start[0] = 0;
        for (int64_t t = 0; t < tfs; t++) b->start[t + 1] += b->start[t];
    }
    cw_free(ctx, work);
    if (ctx->status != CW_OK || !lists) return ctx->status;
    b->other = cw_alloc(ctx, b->start[tfs], sizeof *b->other);
    b->other_bin = cw_alloc(ctx, b->start[tfs], 1);
    if (ctx->status != CW_OK) return ctx->status;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t t = 0; t < tfs; t++) list_others(b, t);
    return CW_OK;
}

/* ---- one target -------------------------------------------------------------------------------------------------- */

/* z (cells): (x - mean) / sd. 0 when the gene doesn't vary (z is then all 0). */
static int standardise(float *z, const cw_columns *x, int64_t gene)
{
    int64_t from = x->start[gene], to = x->start[gene + 1], n = x->cells;
    double mean = 0, square = 0, largest = 0;
    for (int64_t i = from; i < to; i++) mean += x->value[i];
    mean /= (double)n;
    for (int64_t i = from; i < to; i++) {
        double d = x->value[i] - mean;
        square += d * d, largest = fmax(largest, fabs(x->value[i]));
    }
    square += (double)(n - (to - from)) * mean * mean;
    double sd = sqrt(square / (double)n);
    if (!(sd > 1e-12 * largest)) { /* also when all are 0 */
        memset(z, 0, (size_t)n * sizeof *z);
        return 0;
    }
    for (int64_t c = 0; c < n; c++) z[c] = (float)(-mean / sd);
    for (int64_t i = from; i < to; i++) z[x->cell[i]] = (float)((x->value[i] - mean) / sd);
    return 1;
}

static float largest_of(const float *z, int64_t n)
{
    float top = 0;
    for (int64_t c = 0; c < n; c++) top = fmaxf(top, fabsf(z[c]));
    return top;
}

/* Rows that add up to 1. */
static void to_shares(double *importance, int64_t tfs)
{
    double sum = 0;
    for (int64_t t = 0; t < tfs; t++) sum += importance[t];
    for (int64_t t = 0; t < tfs; t++) importance[t] = sum > 0 ? importance[t] / sum : 0;
}

/* ---- the two loops over the cells of a node ----------------------------------------------------------------- */

typedef struct scan {
    /* smallest and largest of b (n); b has room for 64 more bytes */
    void (*range)(int *lo, int *hi, const uint8_t *b, int64_t n);
    /* the sum of q[i] over b[i] <= cut, and their number */
    int64_t (*sum)(int64_t *count, const uint8_t *b, const int32_t *q, int cut, int64_t n);
} scan;

static void range_plain(int *lo, int *hi, const uint8_t *b, int64_t n)
{
    int low = 255, high = 0;
    for (int64_t i = 0; i < n; i++) low = b[i] < low ? b[i] : low, high = b[i] > high ? b[i] : high;
    *lo = low, *hi = high;
}

static int64_t sum_plain(int64_t *count, const uint8_t *b, const int32_t *q, int cut, int64_t n)
{
    int64_t sum = 0, k = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t in = b[i] <= cut;
        sum += q[i] & -in, k += in;
    }
    *count = k;
    return sum;
}

#if defined(__x86_64__)
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,popcnt")))
AVX512 static void range_avx512(int *lo, int *hi, const uint8_t *b, int64_t n)
{
    __m512i low = _mm512_set1_epi8(-1), high = _mm512_setzero_si512();
    for (int64_t i = 0; i < n; i += 64) {
        __mmask64 m = n - i >= 64 ? ~(__mmask64)0 : (((__mmask64)1 << (n - i)) - 1);
        __m512i v = _mm512_maskz_loadu_epi8(m, b + i);
        low = _mm512_mask_min_epu8(low, m, low, v), high = _mm512_max_epu8(high, v);
    }
    uint8_t part[2][64];
    _mm512_storeu_si512(part[0], low), _mm512_storeu_si512(part[1], high);
    __m128i l = _mm_loadu_si128((const __m128i *)part[0]), h = _mm_loadu_si128((const __m128i *)part[1]);
    for (int j = 16; j < 64; j += 16) {
        l = _mm_min_epu8(l, _mm_loadu_si128((const __m128i *)(part[0] + j)));
        h = _mm_max_epu8(h, _mm_loadu_si128((const __m128i *)(part[1] + j)));
    }
    l = _mm_min_epu8(l, _mm_srli_epi16(l, 8)); /* bytes in pairs, then the smallest of eight words at once */
    *lo = _mm_cvtsi128_si32(_mm_minpos_epu16(_mm_and_si128(l, _mm_set1_epi16(255)))) & 255;
    h = _mm_xor_si128(h, _mm_set1_epi8(-1));
    h = _mm_min_epu8(h, _mm_srli_epi16(h, 8));
    *hi = 255 - (_mm_cvtsi128_si32(_mm_minpos_epu16(_mm_and_si128(h, _mm_set1_epi16(255)))) & 255);
}

AVX512 static int64_t sum_avx512(int64_t *count, const uint8_t *b, const int32_t *q, int cut, int64_t n)
{
    int64_t sum = 0, k = 0;
    const __m512i at = _mm512_set1_epi8((char)cut);
    for (int64_t from = 0; from < n; from += CHUNK) {
        int64_t to = from + CHUNK < n ? from + CHUNK : n;
        __m512i part = _mm512_setzero_si512();
        for (int64_t i = from; i < to; i += 64) {
            __mmask64 m = to - i >= 64 ? ~(__mmask64)0 : (((__mmask64)1 << (to - i)) - 1);
            m = _mm512_mask_cmple_epu8_mask(m, _mm512_maskz_loadu_epi8(m, b + i), at);
            k += __builtin_popcountll(m);
            for (int j = 0; j < 64 && i + j < to; j += 16)
                part = _mm512_add_epi32(part, _mm512_maskz_loadu_epi32((__mmask16)(m >> j), q + i + j));
        }
        sum += _mm512_reduce_add_epi32(part);
    }
    *count = k;
    return sum;
}
#endif

static scan scan_choose(void)
{
#if defined(__x86_64__)
    if (strcmp(cw_cpu_simd(), "avx512") == 0) return (scan){range_avx512, sum_avx512};
#endif
    return (scan){range_plain, sum_plain};
}

/* ---- extremely randomised trees ----------------------------------------------------------------------------- */

typedef struct tree_node {
    int32_t tf, child; /* child: the left one, the right one comes after; tf < 0: a leaf */
    int32_t cut;       /* bins <= cut go left */
    float mean;
} tree_node;

typedef struct pending { /* a node to be split: cells [first, first + n) of the tree's order */
    int64_t first, n, sum;
    int32_t node;
} pending;

typedef struct extra_work {  /* one thread's; m: cells a tree sees */
    uint8_t *part;           /* (tfs, stride of m): their bins; NULL when a tree sees all cells */
    int32_t *chosen;         /* (cells): a permutation, the first m are the tree's cells */
    int32_t *swapped;        /* (m) to undo it */
    uint8_t *inside;         /* (cells): 1 for the tree's cells */
    int32_t *order, *spare;  /* (m) cells node by node, as positions in the tree's */
    int32_t *q, *spare_q;    /* (m) their targets, in that order */
    uint8_t *bytes;          /* (m + 64) bins of one TF in that order */
    int32_t *pool;           /* (tfs) TFs that may be drawn */
    tree_node *node;         /* (2 m) */
    pending *stack;          /* (m) */
    float *z;                /* (cells) */
    int32_t *all_q;          /* (GROUP, cells) targets in whole numbers */
    double *importance;      /* (GROUP, tfs) */
    float *predicted;        /* (GROUP, checked) sums over trees */
    int32_t *trees_out;      /* (checked) trees that did not see the cell */
} extra_work;

typedef struct extra_fit { /* shared by the threads, read only */
    const bins *b;
    const cw_columns *x;
    const int32_t *tf, *target;
    const cw_forest_options *o;
    int64_t m, stride, checked;
    const int32_t *check; /* (checked) cells for the out-of-bag error */
    scan scan;
} extra_fit;

static void extra_free(cw_ctx *ctx, extra_work *w)
{
    cw_free(ctx, w->part), cw_free(ctx, w->chosen), cw_free(ctx, w->swapped), cw_free(ctx, w->inside);
    cw_free(ctx, w->order), cw_free(ctx, w->spare), cw_free(ctx, w->q), cw_free(ctx, w->spare_q);
    cw_free(ctx, w->bytes), cw_free(ctx, w->pool), cw_free(ctx, w->node), cw_free(ctx, w->stack), cw_free(ctx, w->z);
    cw_free(ctx, w->all_q), cw_free(ctx, w->importance), cw_free(ctx, w->predicted), cw_free(ctx, w->trees_out);
}

static cw_status extra_make(cw_ctx *ctx, extra_work *w, const extra_fit *f)
{
    int64_t m = f->m, tfs = f->b->tfs, cells = f->b->cells;
    if (m < cells) w->part = cw_alloc(ctx, tfs * f->stride, 1);
    w->chosen = cw_alloc(ctx, cells, sizeof *w->chosen);
    w->swapped = cw_alloc(ctx, m, sizeof *w->swapped);
    w->inside = cw_calloc(ctx, cells, 1);
    w->order = cw_alloc(ctx, m, sizeof *w->order), w->spare = cw_alloc(ctx, m, sizeof *w->spare);
    w->q = cw_alloc(ctx, m, sizeof *w->q), w->spare_q = cw_alloc(ctx, m, sizeof *w->spare_q);
    w->bytes = cw_alloc(ctx, m + 64, 1);
    w->pool = cw_alloc(ctx, tfs, sizeof *w->pool);
    w->node = cw_alloc(ctx, 2 * m, sizeof *w->node);
    w->stack = cw_alloc(ctx, m + 1, sizeof *w->stack);
    w->z = cw_alloc(ctx, cells, sizeof *w->z);
    w->all_q = cw_alloc(ctx, GROUP * cells, sizeof *w->all_q);
    w->importance = cw_alloc(ctx, GROUP * tfs, sizeof *w->importance);
    w->predicted = cw_alloc(ctx, GROUP * (f->checked + 1), sizeof *w->predicted);
    w->trees_out = cw_alloc(ctx, f->checked + 1, sizeof *w->trees_out);
    if (ctx->status == CW_OK)
        for (int64_t c = 0; c < cells; c++) w->chosen[c] = (int32_t)c;
    return ctx->status;
}

/* The cells of tree `tree`, the same for every target, and their bins side by side. */
static void draw_cells(extra_work *w, const extra_fit *f, int64_t tree)
{
    int64_t n = f->b->cells;
    uint64_t state = tree_seed(f->o->key, ((uint64_t)1 << 39) - 1, (uint64_t)tree); /* a gene number no gene has */
    for (int64_t i = 0; i < f->m; i++) {
        int64_t j = i + below((uint32_t)(next64(&state) >> 32), n - i);
        int32_t t = w->chosen[i];
        w->chosen[i] = w->chosen[j], w->chosen[j] = t, w->swapped[i] = (int32_t)j;
        w->inside[w->chosen[i]] = 1;
    }
    for (int64_t t = 0; t < f->b->tfs; t++) {
        const uint8_t *from = f->b->bin + t * f->b->stride;
        uint8_t *to = w->part + t * f->stride;
        for (int64_t i = 0; i < f->m; i++) to[i] = from[w->chosen[i]];
    }
    for (int64_t i = 0; i < f->checked; i++) w->trees_out[i] += !w->inside[f->check[i]];
}

static void undraw_cells(extra_work *w, const extra_fit *f)
{
    for (int64_t i = f->m - 1; i >= 0; i--) {
        int64_t j = w->swapped[i];
        int32_t t = w->chosen[i];
        w->inside[t] = 0;
        w->chosen[i] = w->chosen[j], w->chosen[j] = t;
    }
}

/* A threshold in [lo, hi): bins up to it go left. */
static int draw_cut(const extra_fit *f, int64_t t, const uint8_t *bytes, int64_t n, int lo, int hi, uint32_t word)
{
    if (f->o->cut == CW_CUT_CELL) {
        int b = bytes[below(word, n)];
        return b < hi ? b : hi - 1;
    }
    const float *v = f->b->value + t * (BINS + 1);
    float u = v[lo] + (v[hi] - v[lo]) * ((float)(word >> 8) + 0.5f) * (1.0f / 16777216.0f);
    while (lo + 1 < hi) { /* the last bin whose value is not above u */
        int mid = (lo + hi) / 2;
        if (v[mid] <= u) lo = mid;
        else hi = mid;
    }
    return lo;
}

typedef struct split {
    double gain;
    int64_t sum; /* of the left side */
    int64_t count;
    int32_t tf, cut;
} split;

/* The best of `features` random (TF, threshold) pairs; TFs that don't vary within the node count as tried, but at least
 * one that varies is looked for. gain 0: none found. */
static split best_random(extra_work *w, const extra_fit *f, const pending *p, int64_t pool, uint64_t *state)
{
    split best = {0};
    const int32_t *restrict order = w->order + p->first;
    const int32_t *q = w->q + p->first;
    const uint8_t *data = w->part ? w->part : f->b->bin;
    uint8_t *restrict bytes = w->bytes;
    double whole = (double)p->sum * (double)p->sum / (double)p->n;
    int varied = 0;
    int64_t same = 1;
    while (same < p->n && q[same] == q[0]) same++;
    if (same == p->n) return best; /* nothing left to explain: common where a gene is rarely seen */
    for (int64_t k = 0; k < pool && (k < f->o->features || !varied); k++) {
        uint64_t r = next64(state);
        int64_t j = k + below((uint32_t)(r >> 32), pool - k);
        int32_t t = w->pool[j];
        w->pool[j] = w->pool[k], w->pool[k] = t;
        const uint8_t *restrict column = data + t * f->stride;
        for (int64_t i = 0; i < p->n; i++) bytes[i] = column[order[i]];
        int lo, hi;
        f->scan.range(&lo, &hi, bytes, p->n);
        if (lo == hi) continue;
        varied = 1;
        int cut = draw_cut(f, t, bytes, p->n, lo, hi, (uint32_t)r);
        int64_t left, sum = f->scan.sum(&left, bytes, q, cut, p->n), right = p->n - left;
        if (left < f->o->min_leaf || right < f->o->min_leaf) continue;
        double a = (double)sum, b = (double)(p->sum - sum);
        double gain = a * a / (double)left + b * b / (double)right - whole;
        if (gain > best.gain) best = (split){gain, sum, left, t, cut};
    }
    return best;
}

/* Cells that go left first, each side in its old order. */
static void part_cells(extra_work *w, const extra_fit *f, const pending *p, const split *s)
{
    const uint8_t *column = (w->part ? w->part : f->b->bin) + s->tf * f->stride;
    int32_t *order = w->order + p->first, *q = w->q + p->first;
    int64_t left = 0, right = 0;
    for (int64_t i = 0; i < p->n; i++) {
        int32_t cell = order[i], y = q[i];
        int go = column[cell] > s->cut;
        order[left] = cell, q[left] = y;                 /* left never runs ahead of i */
        w->spare[right] = cell, w->spare_q[right] = y;
        left += !go, right += go;
    }
    memcpy(order + left, w->spare, (size_t)right * sizeof *order);
    memcpy(q + left, w->spare_q, (size_t)right * sizeof *q);
}

/* One tree on w->order, w->q; adds its gains (in units of q) to importance (tfs). */
static void grow_extra(extra_work *w, const extra_fit *f, double *importance, int64_t pool, uint64_t *state)
{
    int64_t waiting = 0, sum = 0;
    int32_t nodes = 1;
    for (int64_t i = 0; i < f->m; i++) sum += w->q[i];
    w->stack[waiting++] = (pending){0, f->m, sum, 0};
    while (waiting) {
        pending p = w->stack[--waiting];
        split s = {0};
        if (p.n >= 2 * f->o->min_leaf) s = best_random(w, f, &p, pool, state);
        tree_node *node = w->node + p.node;
        *node = (tree_node){-1, 0, 0, (float)((double)p.sum / (double)p.n)};
        if (s.gain <= 0) continue;
        importance[s.tf] += s.gain;
        part_cells(w, f, &p, &s);
        node->tf = s.tf, node->cut = s.cut, node->child = nodes;
        w->stack[waiting++] = (pending){p.first, s.count, s.sum, nodes};
        w->stack[waiting++] = (pending){p.first + s.count, p.n - s.count, p.sum - s.sum, nodes + 1};
        nodes += 2;
    }
}

static void predict_extra(extra_work *w, const extra_fit *f, float *predicted)
{
    for (int64_t i = 0; i < f->checked; i++) {
        int32_t cell = f->check[i], k = 0;
        if (w->inside[cell]) continue;
        while (w->node[k].tf >= 0) {
            const tree_node *node = w->node + k;
            k = node->child + (f->b->bin[node->tf * f->b->stride + cell] > node->cut);
        }
        predicted[i] += w->node[k].mean;
    }
}

/* 1 - out-of-bag error / variance over the checked cells; NaN without such cells. */
static double extra_r2(const extra_work *w, const extra_fit *f, const int32_t *q, const float *predicted)
{
    double error = 0, mean = 0, square = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < f->checked; i++) {
        if (!w->trees_out[i]) continue;
        double y = q[f->check[i]], d = y - (double)predicted[i] / w->trees_out[i];
        error += d * d, mean += y, square += y * y, n++;
    }
    square -= n ? mean * mean / (double)n : 0;
    return n && square > 0 ? 1 - error / square : NAN;
}

/* The importance of all TFs for targets [from, to), at most GROUP of them. Returns early when the watch says stop.
 * A function of its own for speed: inside the parallel region it takes 14% longer (gcc 12). */
__attribute__((noinline))
static void extra_group(extra_work *w, const extra_fit *f, double *importance, int32_t *grown, double *r2, int64_t from,
                        int64_t to, const cw_watch *watch)
{
    int64_t tfs = f->b->tfs, n = f->b->cells;
    int varies[GROUP];
    memset(w->importance, 0, (size_t)((to - from) * tfs) * sizeof *w->importance);
    memset(w->predicted, 0, (size_t)((to - from) * f->checked) * sizeof *w->predicted);
    memset(w->trees_out, 0, (size_t)f->checked * sizeof *w->trees_out);
    for (int64_t g = from; g < to; g++) {
        int32_t *q = w->all_q + (g - from) * n;
        varies[g - from] = standardise(w->z, f->x, f->target[g]);
        float top = largest_of(w->z, n), scale = top > 0 ? (float)(1 << TARGET_BITS) / top : 0;
        for (int64_t c = 0; c < n; c++) q[c] = (int32_t)lrintf(w->z[c] * scale);
    }
    for (int64_t tree = 0; tree < f->o->trees && !cw_watch_stop(watch); tree++) {
        if (w->part) draw_cells(w, f, tree);
        for (int64_t g = from; g < to; g++) {
            if (cw_watch_stop(watch)) break;
            const int32_t *q = w->all_q + (g - from) * n;
            int64_t pool = 0;
            if (!varies[g - from]) continue;
            for (int64_t t = 0; t < tfs; t++) /* in the same order for every tree */
                if (f->b->levels[t] > 1 && f->tf[t] != f->target[g]) w->pool[pool++] = (int32_t)t;
            for (int64_t i = 0; i < f->m; i++) w->order[i] = (int32_t)i, w->q[i] = q[w->part ? w->chosen[i] : i];
            uint64_t state = tree_seed(f->o->key, (uint64_t)f->target[g], (uint64_t)tree);
            grow_extra(w, f, w->importance + (g - from) * tfs, pool, &state);
            if (w->part && r2) predict_extra(w, f, w->predicted + (g - from) * f->checked);
        }
        if (w->part) undraw_cells(w, f);
        if (cw_watch_stop(watch)) return;
    }
    for (int64_t g = from; g < to; g++) {
        double *row = importance + g * tfs;
        memcpy(row, w->importance + (g - from) * tfs, (size_t)tfs * sizeof *row);
        to_shares(row, tfs);
        grown[g] = varies[g - from] ? (int32_t)f->o->trees : 0;
        if (r2) r2[g] = extra_r2(w, f, w->all_q + (g - from) * n, w->predicted + (g - from) * f->checked);
    }
}

/* ---- gradient boosting -------------------------------------------------------------------------------------- */

typedef struct boost_node {
    int64_t first, n, sum, count; /* cells [first, first + n) of the order; sum and count of those in the bag */
    int32_t id;
    int32_t depth;
} boost_node;

typedef struct boost_work { /* one thread's */
    float *left;            /* (cells) residuals: what is left to explain */
    int64_t *packed;        /* (cells) residual in whole numbers and a count of 1; 0 out of the bag */
    int32_t *order, *spare; /* (cells) node by node */
    uint8_t *where;         /* (cells) number of the node each cell is in */
    int32_t *pool;          /* (tfs) */
    int64_t *histogram;     /* (BINS + 1) */
    double *gains;          /* (window) of the last trees, in a ring */
} boost_work;

typedef struct boost_fit {
    const bins *b;
    const cw_columns *x;
    const int32_t *tf, *target;
    const cw_forest_options *o;
    double limit; /* what a residual's largest value becomes in whole numbers */
} boost_fit;

static void boost_free(cw_ctx *ctx, boost_work *w)
{
    cw_free(ctx, w->left), cw_free(ctx, w->packed), cw_free(ctx, w->order), cw_free(ctx, w->spare);
    cw_free(ctx, w->where), cw_free(ctx, w->pool), cw_free(ctx, w->histogram), cw_free(ctx, w->gains);
}

static cw_status boost_make(cw_ctx *ctx, boost_work *w, const boost_fit *f)
{
    int64_t n = f->b->cells;
    w->left = cw_alloc(ctx, n, sizeof *w->left);
    w->packed = cw_alloc(ctx, n, sizeof *w->packed);
    w->order = cw_alloc(ctx, n, sizeof *w->order), w->spare = cw_alloc(ctx, n, sizeof *w->spare);
    w->where = cw_alloc(ctx, n, 1);
    w->pool = cw_alloc(ctx, f->b->tfs, sizeof *w->pool);
    w->histogram = cw_alloc(ctx, BINS + 1, sizeof *w->histogram);
    w->gains = cw_alloc(ctx, f->o->window + 1, sizeof *w->gains);
    return ctx->status;
}

/* Adds up the packed residuals of a node by bin of TF t: over its cells, or over the TF's list of cells that aren't in
 * the common bin when that is shorter; the common bin is what is missing from the node's total. */
static void boost_histogram(int64_t *h, const boost_work *w, const bins *b, int64_t t, const boost_node *p)
{
    int64_t from = b->start[t], to = b->start[t + 1], rest = p->sum * (COUNT_MASK + 1) + p->count;
    int levels = b->levels[t], common = b->common[t];
    memset(h, 0, (size_t)levels * sizeof *h);
    if (to - from < p->n) {
        for (int64_t i = from; i < to; i++) {
            int32_t cell = b->other[i];
            h[b->other_bin[i]] += w->packed[cell] & -(int64_t)(w->where[cell] == p->id);
        }
    } else {
        const uint8_t *column = b->bin + t * b->stride;
        const int32_t *order = w->order + p->first;
        for (int64_t i = 0; i < p->n; i++) h[column[order[i]]] += w->packed[order[i]];
        return;
    }
    for (int k = 0; k < levels; k++) rest -= h[k];
    h[common] += rest;
}

static int64_t packed_count(int64_t x) { return x & COUNT_MASK; }
static int64_t packed_sum(int64_t x) { return (x - packed_count(x)) / (COUNT_MASK + 1); }

/* The best split of all thresholds of `features` random TFs. */
static split best_exact(boost_work *w, const boost_fit *f, const boost_node *p, int64_t pool, uint64_t *state)
{
    split best = {0};
    double whole = (double)p->sum * (double)p->sum / (double)p->count;
    int varied = 0;
    for (int64_t k = 0; k < pool && (k < f->o->features || !varied); k++) {
        int64_t j = k + below((uint32_t)(next64(state) >> 32), pool - k);
        int32_t t = w->pool[j];
        w->pool[j] = w->pool[k], w->pool[k] = t;
        boost_histogram(w->histogram, w, f->b, t, p);
        int64_t run = 0;
        for (int32_t cut = 0; cut + 1 < f->b->levels[t]; cut++) {
            if (!w->histogram[cut]) continue; /* no cell in this bin */
            run += w->histogram[cut];
            int64_t left = packed_count(run), right = p->count - left, sum = packed_sum(run);
            varied |= left > 0 && right > 0;
            if (left < f->o->min_leaf || right < f->o->min_leaf) continue;
            double a = (double)sum, b = (double)(p->sum - sum);
            double gain = a * a / (double)left + b * b / (double)right - whole;
            if (gain > best.gain * (1 + 1e-12)) best = (split){gain, sum, left, t, cut};
        }
    }
    return best;
}

/* Cells of a node that go left first; the right ones get the node number `id`. Returns how many went left. */
static int64_t boost_part(boost_work *w, const bins *b, const boost_node *p, const split *s, int32_t left_id)
{
    const uint8_t *column = b->bin + s->tf * b->stride;
    int32_t *order = w->order + p->first;
    int64_t left = 0, right = 0;
    for (int64_t i = 0; i < p->n; i++) {
        int32_t cell = order[i];
        int go = column[cell] > s->cut;
        w->where[cell] = (uint8_t)(left_id + go);
        order[left] = cell, w->spare[right] = cell;
        left += !go, right += go;
    }
    memcpy(order + left, w->spare, (size_t)right * sizeof *order);
    return left;
}

/* A leaf: residuals of all its cells shrink by rate x their mean in the bag. Returns the loss's out-of-bag fall. */
static double boost_leaf(boost_work *w, const boost_node *p, double rate, double unit)
{
    float step = p->count ? (float)(rate * unit * (double)p->sum / (double)p->count) : 0;
    double fall = 0;
    for (int64_t i = 0; i < p->n; i++) {
        int32_t cell = w->order[p->first + i];
        float before = w->left[cell], after = before - step;
        if (!w->packed[cell]) fall += (double)before * before - (double)after * after;
        w->left[cell] = after;
    }
    return fall;
}

/* One tree. Returns the sum of its out-of-bag falls of the squared error, and their number in *out. */
static double grow_boost(boost_work *w, const boost_fit *f, double *importance, int64_t pool, uint64_t *state,
                         int64_t *out)
{
    int64_t n = f->b->cells, sum = 0, count = 0;
    float top = largest_of(w->left, n);
    float scale = top > 1e-30f ? (float)f->limit / top : 0; /* less is nothing: at rate 1 residuals may vanish */
    uint64_t keep = f->o->subsample >= 1 ? UINT64_MAX : (uint64_t)(f->o->subsample * 18446744073709551616.0);
    for (int64_t c = 0; c < n; c++) {
        int64_t q = (int64_t)lrintf(w->left[c] * scale), in = f->o->subsample >= 1 || next64(state) < keep;
        w->packed[c] = in ? q * (COUNT_MASK + 1) + 1 : 0;
        sum += in ? q : 0, count += in;
        w->order[c] = (int32_t)c, w->where[c] = 0;
    }
    *out = n - count;
    double fall = 0, unit = scale > 0 ? 1.0 / scale : 0;
    boost_node stack[16]; /* depth-first: at most depth + 1 wait */
    int waiting = 0, nodes = 1;
    stack[waiting++] = (boost_node){0, n, sum, count, 0, 0};
    while (waiting) {
        boost_node p = stack[--waiting];
        split s = {0};
        if (p.depth < f->o->depth && p.count >= 2 * f->o->min_leaf && p.count > 1)
            s = best_exact(w, f, &p, pool, state);
        if (s.gain <= 0) {
            fall += boost_leaf(w, &p, f->o->rate, unit);
            continue;
        }
        importance[s.tf] += s.gain * unit * unit;
        int64_t left = boost_part(w, f->b, &p, &s, nodes);
        stack[waiting++] = (boost_node){p.first, left, s.sum, s.count, nodes, p.depth + 1};
        stack[waiting++] = (boost_node){p.first + left, p.n - left, p.sum - s.sum, p.count - s.count, nodes + 1,
                                        p.depth + 1};
        nodes += 2;
    }
    return fall;
}

/* Target `g`, tree by tree, until the out-of-bag loss has stopped falling. */
static void boost_target(boost_work *w, const boost_fit *f, double *importance, int32_t *grown, double *r2, int64_t g,
                         const cw_watch *watch)
{
    int64_t tfs = f->b->tfs, pool = 0, tree = 0;
    double *row = importance + g * tfs, total = 0;
    memset(row, 0, (size_t)tfs * sizeof *row);
    if (standardise(w->left, f->x, f->target[g]))
        for (int64_t t = 0; t < tfs; t++)
            if (f->b->levels[t] > 1 && f->tf[t] != f->target[g]) w->pool[pool++] = (int32_t)t;
    while (pool && tree < f->o->trees) {
        if (cw_watch_stop(watch)) return;
        uint64_t state = tree_seed(f->o->key, (uint64_t)f->target[g], (uint64_t)tree);
        int64_t out, window = f->o->window;
        double fall = grow_boost(w, f, row, pool, &state, &out);
        double mean = out ? fall / (double)out : 0, recent = 0;
        total += mean, tree++;
        if (!window) continue;
        w->gains[(tree - 1) % window] = mean;
        for (int64_t i = 0; tree >= window && i < window; i++) recent += w->gains[i];
        if (tree >= window && recent < 0) break;
    }
    to_shares(row, tfs);
    grown[g] = (int32_t)tree;
    if (r2) r2[g] = pool && f->o->subsample < 1 ? total : NAN; /* the target's variance is 1 */
}

/* ---- all targets -------------------------------------------------------------------------------------------- */

static cw_status check_options(cw_ctx *ctx, const cw_columns *x, int64_t tfs, int64_t targets,
                               const cw_forest_options *o)
{
    if (x->cells < 2 || x->cells >= (int64_t)1 << COUNT_BITS)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "tree ensembles need 2 to %lld cells; there are %lld",
                       (long long)COUNT_MASK, (long long)x->cells);
    if (tfs < 1 || targets < 1)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "tree ensembles need a TF and a target; there are %lld and %lld",
                       (long long)tfs, (long long)targets);
    if (o->trees < 1 || o->trees > INT32_MAX || o->features < 1 || o->min_leaf < 1 || o->sample < 0)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "trees, features and cells of a leaf must be 1 or more");
    if (o->kind == CW_FOREST_BOOST && (o->depth < 1 || o->depth > 6 || !(o->rate > 0) || !(o->rate <= 1) ||
                                       !(o->subsample > 0) || !(o->subsample <= 1) || o->window < 0))
        return cw_fail(ctx, CW_ERR_ARGUMENT,
                       "boosting needs a depth of 1 to 6, a rate and a subsample above 0 and up to 1, a window >= 0");
    return ctx->status;
}

static cw_status check_columns(cw_ctx *ctx, const cw_columns *x, const int32_t *gene, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        if (gene[k] < 0 || gene[k] >= x->genes)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "gene %d is not one of the %lld", (int)gene[k], (long long)x->genes);
        for (int64_t i = x->start[gene[k]]; i < x->start[gene[k] + 1]; i++) {
            if (x->cell[i] < 0 || x->cell[i] >= x->cells)
                return cw_fail(ctx, CW_ERR_FORMAT, "cell %d is not one of the %lld", (int)x->cell[i],
                               (long long)x->cells);
            if (!isfinite(x->value[i]))
                return cw_fail(ctx, CW_ERR_NUMERIC, "expression must be finite; gene %d has %g in cell %d",
                               (int)gene[k] + 1, x->value[i], (int)x->cell[i] + 1);
        }
    }
    return CW_OK;
}

static int64_t tree_cells(int64_t cells, const cw_forest_options *o)
{
    return o->sample > 0 && o->sample < cells ? o->sample : cells;
}

static cw_status run_extra(cw_ctx *ctx, double *importance, int32_t *grown, double *r2, extra_fit *f, int64_t targets)
{
    int threads = ctx->threads;
    int stop = 0, done = 0;
    int64_t n = f->b->cells;
    f->m = tree_cells(n, f->o);
    f->stride = f->m < n ? round_up(f->m) : f->b->stride;
    f->checked = f->m < n && r2 ? (n < CHECKED ? n : CHECKED) : 0;
    f->scan = scan_choose();
    int64_t *all = cw_alloc(ctx, n, sizeof *all);
    int32_t *check = cw_alloc(ctx, f->checked + 1, sizeof *check);
    extra_work *w = cw_calloc(ctx, threads, sizeof *w);
    for (int i = 0; i < threads && ctx->status == CW_OK; i++) extra_make(ctx, w + i, f);
    if (ctx->status == CW_OK) {
        cw_rng_permutation(all, n, cw_rng_stream(f->o->key, CW_RNG_SHUFFLE, 0, 0));
        for (int64_t i = 0; i < f->checked; i++) check[i] = (int32_t)all[i];
        f->check = check;
        int64_t group = targets / (4 * threads); /* no result depends on it */
        group = f->m == n || group < 1 ? 1 : group > GROUP ? GROUP : group;
        int64_t groups = (targets + group - 1) / group;
#pragma omp parallel num_threads(threads)
        {
            const cw_watch watch = cw_watch_here(ctx, &stop);
#pragma omp for schedule(dynamic, 1) nowait
            for (int64_t k = 0; k < groups; k++) {
                int64_t from = k * group, to = from + group < targets ? from + group : targets;
                if (cw_watch_stop(&watch)) continue;
                extra_group(w + cw_thread_number(), f, importance, grown, r2, from, to, &watch);
            }
            cw_watch_rest(ctx, &done, &stop);
        }
    }
    for (int i = 0; w && i < threads; i++) extra_free(ctx, w + i);
    cw_free(ctx, w), cw_free(ctx, check), cw_free(ctx, all);
    return ctx->status;
}

static cw_status run_boost(cw_ctx *ctx, double *importance, int32_t *grown, double *r2, boost_fit *f, int64_t targets)
{
    int threads = ctx->threads, bits = TARGET_BITS;
    int stop = 0, done = 0;
    while (((int64_t)1 << (62 - COUNT_BITS - bits)) < f->b->cells) bits--; /* sums must fit above the counts */
    f->limit = (double)((int64_t)1 << bits);
    boost_work *w = cw_calloc(ctx, threads, sizeof *w);
    for (int i = 0; i < threads && ctx->status == CW_OK; i++) boost_make(ctx, w + i, f);
    if (ctx->status == CW_OK) {
#pragma omp parallel num_threads(threads)
        {
            const cw_watch watch = cw_watch_here(ctx, &stop);
#pragma omp for schedule(dynamic, 1) nowait
            for (int64_t g = 0; g < targets; g++) {
                if (cw_watch_stop(&watch)) continue;
                boost_target(w + cw_thread_number(), f, importance, grown, r2, g, &watch);
            }
            cw_watch_rest(ctx, &done, &stop);
        }
    }
    for (int i = 0; w && i < threads; i++) boost_free(ctx, w + i);
    cw_free(ctx, w);
    return ctx->status;
}

cw_status cw_forest_importance(cw_ctx *ctx, double *importance, int32_t *grown, double *r2, const cw_columns *x,
                               const int32_t *tf, int64_t tfs, const int32_t *target, int64_t targets,
                               const cw_forest_options *o)
{
    bins b = {0};
    if (check_options(ctx, x, tfs, targets, o) != CW_OK || check_columns(ctx, x, tf, tfs) != CW_OK ||
        check_columns(ctx, x, target, targets) != CW_OK)
        return ctx->status;
    int boost = o->kind == CW_FOREST_BOOST;
    if (bins_make(ctx, &b, x, tf, tfs, boost) == CW_OK && cw_poll(ctx) == CW_OK) {
        if (boost) {
            boost_fit f = {.b = &b, .x = x, .tf = tf, .target = target, .o = o};
            run_boost(ctx, importance, grown, r2, &f, targets);
        } else {
            extra_fit f = {.b = &b, .x = x, .tf = tf, .target = target, .o = o};
            run_extra(ctx, importance, grown, r2, &f, targets);
        }
    }
    bins_free(ctx, &b);
    return ctx->status;
}

int64_t cw_forest_forecast(int64_t cells, int64_t tfs, int64_t targets, int64_t listed, int threads,
                           const cw_forest_options *o)
{
    int64_t m = tree_cells(cells, o), each;
    int64_t shared = tfs * round_up(cells) + tfs * 4 * (BINS + 1) + tfs * 16;
    (void)targets;
    if (o->kind == CW_FOREST_BOOST) {
        shared += 5 * (listed < tfs * cells ? listed : tfs * cells);
        each = cells * 29 + tfs * 4 + o->window * 8;
    } else {
        each = (m < cells ? tfs * round_up(m) : 0) + cells * (9 + 4 * GROUP) + m * 85 + tfs * (4 + 8 * GROUP) +
               GROUP * CHECKED * 4;
    }
    int64_t binning = threads * cells * 8, growing = threads * each;
    return shared + (binning > growing ? binning : growing) + 65536;
}
