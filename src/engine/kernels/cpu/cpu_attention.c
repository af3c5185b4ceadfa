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
#define TWO_PI 6.28318530717958647693

enum { MAX_DIM = 256, KEYS = 64, MAX_TILES = 8, BACKWARD_FLOATS = 57600 };
enum { WRITE, ADD, SCALE };

/* Some queries of one sequence and head. Pointers are at the sequence's first row and the head's first column. */
typedef struct forward_block {
    float *o, *lse;           /* (length, width), (length) */
    const float *q, *k, *v;   /* (length, stride) */
    int64_t stride, width, d; /* row strides of q, k, v and of o; head_dim */
    int64_t length;           /* of the sequence */
    int64_t first, rows;      /* the queries */
    float scale;
    int causal;
} forward_block;

typedef struct backward_head {
    float *dq, *dk, *dv, *delta;             /* (length, dstride), (length) */
    const float *dout, *o, *lse, *q, *k, *v; /* (length, width) twice, (length), (length, stride) three times */
    int64_t dstride, stride, width, d, length;
    float scale;
    int causal;
} backward_head;

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

/* s (keys, ld) of keys j.. against queries i..: minus infinity where the key comes after the query */
static inline void hide_future(float *s, int64_t ld, int64_t i, int64_t j, int64_t keys)
{
    for (int64_t r = i > j ? i - j + 1 : 0; r < keys; r++) {
        for (int64_t c = 0; c < ld && i + c < j + r; c++) s[r * ld + c] = -INFINITY;
    }
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
static double pairs(cw_ragged seq)
{
    double sum = 0;
    for (int64_t s = 0; s < seq.count; s++) {
        double length = (double)(seq.start[s + 1] - seq.start[s]);
        sum += length * length;
    }
    return sum;
}

void cw_cpu_attention(const cw_exec *ex, float *o, float *lse, const float *q, const float *k, const float *v,
                      int64_t stride, cw_ragged seq, cw_attention a)
{
    tiles use = pick_tiles();
    int64_t n = seq.start[seq.count], d = a.head_dim, width = a.heads * d, dp = round_up(d, use.lanes);
    int64_t size = 3 * use.lanes * cw_min(MAX_TILES, MAX_DIM / dp); /* queries a task */
    int64_t blocks = (longest(seq) + size - 1) / size, tasks = seq.count * a.heads * blocks;
    int threads = cw_cpu_threads(ex, pairs(seq) * (double)width / 8);
    (void)threads; /* where there is no OpenMP */
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t task = 0; task < tasks; task++) {
        int64_t s = task / (a.heads * blocks), h = task / blocks % a.heads, first = task % blocks * size;
        int64_t begin = seq.start[s], length = seq.start[s + 1] - begin;
        if (first >= length) continue;
        int64_t at = begin * stride + h * d;
        forward_block b = {.o = o + begin * width + h * d,
                           .lse = lse + h * n + begin,
                           .q = q + at,
                           .k = k + at,
                           .v = v + at,
                           .stride = stride,
                           .width = width,
                           .d = d,
                           .length = length,
                           .first = first,
                           .rows = cw_min(size, length - first),
                           .scale = a.scale,
                           .causal = a.causal};
        use.forward(&b);
    }
}

void cw_cpu_attention_backward(const cw_exec *ex, float *dq, float *dk, float *dv, int64_t dstride, float *delta,
                               const float *dout, const float *o, const float *lse, const float *q, const float *k,
                               const float *v, int64_t stride, cw_ragged seq, cw_attention a)
{
    tiles use = pick_tiles();
    int64_t n = seq.start[seq.count], d = a.head_dim, width = a.heads * d;
    int threads = cw_cpu_threads(ex, pairs(seq) * (double)width / 8);
    (void)threads;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t task = 0; task < seq.count * a.heads; task++) {
        int64_t s = task / a.heads, h = task % a.heads, begin = seq.start[s];
        int64_t at = begin * stride + h * d, dat = begin * dstride + h * d, oat = begin * width + h * d;
        backward_head b = {.dq = dq + dat,
                           .dk = dk + dat,
                           .dv = dv + dat,
                           .delta = delta + h * n + begin,
                           .dout = dout + oat,
                           .o = o + oat,
                           .lse = lse + h * n + begin,
                           .q = q + at,
                           .k = k + at,
                           .v = v + at,
                           .dstride = dstride,
                           .stride = stride,
                           .width = width,
                           .d = d,
                           .length = seq.start[s + 1] - begin,
                           .scale = a.scale,
                           .causal = a.causal};
        use.backward(&b);
    }
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
