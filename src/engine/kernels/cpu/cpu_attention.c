/* cpu_attention.c: FlashAttention-2 (Dao 2023) for CPUs. Scores exist only as tiles that stay in the first-level cache;
 * the softmax is carried along the keys as a running maximum and sum; the backward computes probabilities again from
 * the log-sum-exp. All scores are in units of log2 (the factor scale log2(e) is put on the queries).
 *
 * Borders of tiles follow from shapes alone and every sum has a fixed order: results are the same to the last bit for
 * any number of threads. (They differ in the last bits between widths of vector.) No heap; at most 240 KiB of stack. */
#include <math.h>
#include <string.h>

#include "../kernels.h"
#include "cpu.h"
#include "../ref/ref.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if defined(__clang__)
#define CW_UNROLL _Pragma("unroll")
#elif defined(__GNUC__)
#define CW_UNROLL _Pragma("GCC unroll 16")
#else
#define CW_UNROLL
#endif

#define LOG2_E 1.44269504088896340736f
#define LN_2 0.69314718055994530942
#define NOTHING (-1e30f) /* the largest score of a query that has seen no key yet; not minus infinity: differences */
#define TWO_PI 6.28318530717958647693

enum { MAX_DIM = 256, KEYS = 64, MAX_TILES = 8, BACKWARD_FLOATS = 57600 };
enum { WRITE, ADD, SCALE };

/* What the queries of one sequence see of its keys; `own` is what is added to a query's number for its own place. */
typedef struct sight {
    cw_mask mask;
    int64_t queries, keys, own, prefix;
} sight;

/* Some queries of one sequence and head. Pointers are at the sequence's first row and the head's first column. */
typedef struct forward_block {
    float *o, *lse;               /* (queries, width), (queries) */
    const float *q, *k, *v;       /* (queries, ldq), (keys, ldk), (keys, ldv) */
    int64_t ldq, ldk, ldv, width; /* row strides of q, k, v and of o */
    int64_t d;                    /* head_dim */
    sight see;
    int64_t first, rows; /* the queries */
    float scale;
} forward_block;

typedef struct backward_head {
    float *dq, *dk, *dv, *delta;             /* (queries, lddq), (keys, lddk), (keys, lddv), (queries) */
    const float *dout, *o, *lse, *q, *k, *v; /* (queries, width) twice, (queries), then as above */
    int64_t lddq, lddk, lddv, ldq, ldk, ldv, width, d;
    sight see;
    float scale;
} backward_head;

/* keys from 0 that any of the queries first .. first + rows sees */
static inline int64_t horizon(const sight *see, int64_t first, int64_t rows)
{
    int64_t last = first + rows + see->own;
    if (see->mask == CW_MASK_NONE) return see->keys;
    if (see->mask == CW_MASK_PREFIX && last < see->prefix) last = see->prefix;
    return last < 0 ? 0 : cw_min(last, see->keys);
}

/* of the `block` keys from j, how many come before the first that none of the queries i .. i + queries sees */
static inline int64_t seen_keys(const sight *see, int64_t i, int64_t queries, int64_t j, int64_t block)
{
    if (see->mask == CW_MASK_PREFIX && j >= see->prefix && j + block <= i + see->own) return 0;
    return cw_min(block, horizon(see, i, queries) - j);
}

static inline int64_t round_up(int64_t n, int64_t m) { return (n + m - 1) / m * m; }

/* to (d, ld) = factor from^T, from (rows, stride); zeros in columns rows .. ld */
static inline void pack_transposed(float *to, int64_t ld, const float *from, int64_t stride, int64_t rows, int64_t d,
                                   float factor)
{
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t c = 0; c < d; c++) to[c * ld + i] = from[i * stride + c] * factor;
    }
    for (int64_t c = 0; c < d; c++) {
        for (int64_t i = rows; i < ld; i++) to[c * ld + i] = 0.0f;
    }
}

/* s (keys, ld) of keys j.. against queries i..: minus infinity where the query doesn't see the key */
static inline void hide(const sight *see, float *s, int64_t ld, int64_t i, int64_t j, int64_t keys)
{
    i += see->own; /* now a place among the keys */
    if (see->mask == CW_MASK_CAUSAL)
        for (int64_t r = i > j ? i - j + 1 : 0; r < keys; r++)
            for (int64_t c = 0; c < ld && i + c < j + r; c++) s[r * ld + c] = -INFINITY;
    if (see->mask == CW_MASK_PREFIX)
        for (int64_t r = see->prefix > j ? see->prefix - j : 0; r < keys; r++)
            for (int64_t c = 0; c < ld; c++)
                if (i + c != j + r) s[r * ld + c] = -INFINITY;
}

/* Plain vectors of four floats: SSE2, NEON, or whatever the compiler makes of them. */
#define NAME(x) x##_generic
#define TARGET
#define LANES 4
#define ROWS 4
#define VSPLAT(x) ((vf){(x), (x), (x), (x)})
#define VFMA(a, b, c) ((a) * (b) + (c))
#define VMAX(a, b) ((vf)((((vi)((a) > (b))) & (vi)(a)) | (~((vi)((a) > (b))) & (vi)(b))))
#include "cpu_attention_tiles.inc"

#if defined(__x86_64__)
#define NAME(x) x##_avx2
#define TARGET __attribute__((target("avx2,fma")))
#define LANES 8
#define ROWS 4
#define VSPLAT(x) ((vf)_mm256_set1_ps(x))
#define VFMA(a, b, c) ((vf)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#define VMAX(a, b) ((vf)_mm256_max_ps((__m256)(a), (__m256)(b)))
#include "cpu_attention_tiles.inc"

#define NAME(x) x##_avx512
#define TARGET __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,fma")))
#define LANES 16
#define ROWS 8
#define VSPLAT(x) ((vf)_mm512_set1_ps(x))
#define VFMA(a, b, c) ((vf)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#define VMAX(a, b) ((vf)_mm512_max_ps((__m512)(a), (__m512)(b)))
#include "cpu_attention_tiles.inc"
#endif

typedef struct tiles {
    int64_t lanes;
    void (*forward)(const forward_block *b);
    void (*backward)(const backward_head *b);
    void (*turn)(float *x, const float *c, const float *s, int64_t heads, int64_t half);
} tiles;

static tiles pick_tiles(void)
{
#if defined(__x86_64__)
    int level = cw_cpu_simd_level();
    if (level >= CW_SIMD_AVX512) return (tiles){16, forward_avx512, backward_avx512, turn_avx512};
    if (level >= CW_SIMD_AVX2) return (tiles){8, forward_avx2, backward_avx2, turn_avx2};
#endif
    return (tiles){4, forward_generic, backward_generic, turn_generic};
}

static int64_t longest(cw_ragged seq)
{
    int64_t most = 0;
    for (int64_t s = 0; s < seq.count; s++) {
        int64_t length = seq.start[s + 1] - seq.start[s];
        if (length > most) most = length;
    }
    return most;
}

/* query-key pairs of all sequences */
static double pairs(const cw_attend *a)
{
    double sum = 0;
    for (int64_t s = 0; s < a->query.count; s++)
        sum += (double)(a->query.start[s + 1] - a->query.start[s]) * (double)cw_attend_keys(a, s);
    return sum;
}

static sight sight_of(const cw_attend *a, int64_t s)
{
    int64_t queries = a->query.start[s + 1] - a->query.start[s], keys = cw_attend_keys(a, s);
    return (sight){a->mask, queries, keys, keys - queries, a->mask == CW_MASK_PREFIX ? a->prefix[s] : 0};
}

void cw_cpu_attend(const cw_exec *ex, float *o, float *lse, const float *q, int64_t ldq, const float *k, int64_t ldk,
                   const float *v, int64_t ldv, cw_attend a)
{
    tiles use = pick_tiles();
    int64_t n = a.query.start[a.query.count], d = a.head_dim, width = a.heads * d, dp = round_up(d, use.lanes);
    int64_t size = 3 * use.lanes * cw_min(MAX_TILES, MAX_DIM / dp); /* queries a task */
    int64_t blocks = (longest(a.query) + size - 1) / size, tasks = a.query.count * a.heads * blocks;
    int threads = cw_cpu_threads(ex, pairs(&a) * (double)width / 8);
    (void)threads; /* where there is no OpenMP */
    CW_OMP(parallel for schedule(dynamic, 1) num_threads(threads))
    for (int64_t task = 0; task < tasks; task++) {
        int64_t s = task / (a.heads * blocks), h = task / blocks % a.heads, first = task % blocks * size;
        int64_t begin = a.query.start[s];
        sight see = sight_of(&a, s);
        if (first >= see.queries) continue;
        forward_block b = {.o = o + begin * width + h * d,
                           .lse = lse + h * n + begin,
                           .q = q + begin * ldq + h * d,
                           .k = k + a.key_start[s] * ldk + h * d,
                           .v = v + a.key_start[s] * ldv + h * d,
                           .ldq = ldq,
                           .ldk = ldk,
                           .ldv = ldv,
                           .width = width,
                           .d = d,
                           .see = see,
                           .first = first,
                           .rows = cw_min(size, see.queries - first),
                           .scale = a.scale};
        use.forward(&b);
    }
}

void cw_cpu_attend_backward(const cw_exec *ex, float *dq, int64_t lddq, float *dk, int64_t lddk, float *dv,
                            int64_t lddv, float *delta, const float *dout, const float *o, const float *lse,
                            const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v, int64_t ldv,
                            cw_attend a)
{
    tiles use = pick_tiles();
    int64_t n = a.query.start[a.query.count], d = a.head_dim, width = a.heads * d;
    int threads = cw_cpu_threads(ex, pairs(&a) * (double)width / 8);
    (void)threads;
    CW_OMP(parallel for schedule(dynamic, 1) num_threads(threads))
    for (int64_t task = 0; task < a.query.count * a.heads; task++) {
        int64_t s = task / a.heads, h = task % a.heads, begin = a.query.start[s], key = a.key_start[s];
        int64_t oat = begin * width + h * d;
        backward_head b = {.dq = dq + begin * lddq + h * d,
                           .dk = dk + key * lddk + h * d,
                           .dv = dv + key * lddv + h * d,
                           .delta = delta + h * n + begin,
                           .dout = dout + oat,
                           .o = o + oat,
                           .lse = lse + h * n + begin,
                           .q = q + begin * ldq + h * d,
                           .k = k + key * ldk + h * d,
                           .v = v + key * ldv + h * d,
                           .lddq = lddq,
                           .lddk = lddk,
                           .lddv = lddv,
                           .ldq = ldq,
                           .ldk = ldk,
                           .ldv = ldv,
                           .width = width,
                           .d = d,
                           .see = sight_of(&a, s),
                           .scale = a.scale};
        use.backward(&b);
    }
}

void cw_cpu_attention(const cw_exec *ex, float *o, float *lse, const float *q, const float *k, const float *v,
                      int64_t stride, cw_ragged seq, cw_attention a)
{
    cw_cpu_attend(ex, o, lse, q, stride, k, stride, v, stride, cw_attend_itself(seq, a));
}

void cw_cpu_attention_backward(const cw_exec *ex, float *dq, float *dk, float *dv, int64_t dstride, float *delta,
                               const float *dout, const float *o, const float *lse, const float *q, const float *k,
                               const float *v, int64_t stride, cw_ragged seq, cw_attention a)
{
    cw_cpu_attend_backward(ex, dq, dstride, dk, dstride, dv, dstride, delta, dout, o, lse, q, stride, k, stride, v,
                           stride, cw_attend_itself(seq, a));
}

/* See cw_ref_rotary. The angle is taken in double and brought into one turn first: positions may be large. */
void cw_cpu_rotary(const cw_exec *ex, float *x, int64_t stride, const int32_t *position, cw_rotary kind, float base,
                   int inverse, int64_t n, int64_t heads, int64_t head_dim)
{
    if (kind == CW_ROTARY_NONE) return;
    if (head_dim > MAX_DIM) {
        cw_ref_rotary(ex, x, stride, position, kind, base, inverse, n, heads, head_dim);
        return;
    }
    tiles use = pick_tiles();
    int64_t half = head_dim / 2;
    double turns[MAX_DIM / 2]; /* of pair i per position */
    for (int64_t i = 0; i < half; i++) turns[i] = pow(base, -2.0 * (double)i / (double)head_dim) / TWO_PI;
    int threads = cw_cpu_threads(ex, (double)n * (double)(heads * head_dim));
    (void)threads;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t row = 0; row < n; row++) {
        float c[MAX_DIM / 2], s[MAX_DIM / 2], *head = x + row * stride;
        for (int64_t i = 0; i < half; i++) {
            double t = position[row] * turns[i];
            float angle = (float)((t - nearbyint(t)) * TWO_PI);
            c[i] = cosf(angle);
            s[i] = inverse ? -sinf(angle) : sinf(angle);
        }
        if (kind == CW_ROTARY_HALF) {
            use.turn(head, c, s, heads, half);
            continue;
        }
        for (int64_t h = 0; h < heads; h++, head += head_dim) {
            for (int64_t i = 0; i < half; i++) {
                float u = head[2 * i], w = head[2 * i + 1];
                head[2 * i] = u * c[i] - w * s[i];
                head[2 * i + 1] = u * s[i] + w * c[i];
            }
        }
    }
}
