/* cpu_matrix_amx.c: single-precision matrix products on the tile registers of Intel's AMX, which multiply bfloat16 and
 * add in float, sixteen times as fast as vectors of floats do.
 *
 * A float has 24 bits of significand, a bfloat16 8 (and the same exponent): x = x0 + x1 + x2, each part the rounded
 * rest, exactly. Of the nine products of parts the six with i + j <= 2 are taken; those left out are below 2^-26 |a b|,
 * a quarter of a float's rounding error, so that a sum is as good as one of floats. (Henry, Tang, Heinecke 2019:
 * Leveraging the bfloat16 artificial intelligence datatype for higher-precision computations, ARITH.) Six products at
 * sixteen times the rate: 2.7 times as fast at best; 1.5 to 2 times measured, with the splitting and what heat allows.
 * Parts below 1e-38 count as zero. Infinity and NaN have no parts: what holds them is left to floats. */
#define _GNU_SOURCE /* syscall */
#include "cpu.h"

#include <string.h>

#if defined(__x86_64__) && defined(__linux__) && defined(__has_include)
#if __has_include(<amxbf16intrin.h>)
#define CW_HAVE_AMX
#endif
#endif

#ifndef CW_HAVE_AMX

int cw_cpu_gemm_amx(float *C, int64_t ldc, const float *A, int64_t lda, int ta, const float *B, int64_t ldb, int tb,
                    float alpha, float beta, int64_t m, int64_t n, int64_t k)
{
    (void)C, (void)ldc, (void)A, (void)lda, (void)ta, (void)B, (void)ldb, (void)tb, (void)alpha, (void)beta;
    (void)m, (void)n, (void)k;
    return 0;
}

int cw_cpu_has_amx(void) { return 0; }

#else

#include <cpuid.h>
#include <immintrin.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AMX __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#define UNROLL _Pragma("GCC unroll 16")
#define AMX_INLINE AMX __attribute__((always_inline)) static inline

/* A tile: 16 rows of 64 bytes, 16 floats or 32 bfloat16. A's are 16 rows of 32 consecutive k; B's 16 pairs of k, each
 * with 16 columns: the pairs' two numbers lie beside each other. A panel is a strip of tiles, for every 32 of k the
 * PARTS tiles of its parts. */
enum { SIDE = 16, DEEP = 32, PARTS = 3, TILE = SIDE * DEEP };
/* Blocks: PACKED_K of k, PACKED_N columns: packed B is 768 kB, and a strip of 2 SIDE rows of A 24 kB, both on the stack
 * (the first stays in the second-level cache, the second in the first). The wider the block, the more a packed strip of A
 * is used: 1,024 columns instead of 512 are 1.25 times as fast; a deeper one leaves the caches. */
enum { PACKED_K = 128, PACKED_N = 1024, STEPS = PACKED_K / DEEP };

static int64_t cw_max(int64_t a, int64_t b) { return a > b ? a : b; }

/* the mask of the first n of 16 lanes */
static __mmask16 first_of(int64_t n) { return (__mmask16)(n >= SIDE ? 0xffff : n <= 0 ? 0 : (1 << n) - 1); }

typedef uint16_t bf16;
typedef struct panel {
    bf16 tile[STEPS][PARTS][TILE];
} panel;

/* Whether processor and system have it and this process may use it. Not where the user asks OpenBLAS for the kernels of
 * one processor (OPENBLAS_CORETYPE): who does wants the same bits on different ones. */
static int find_amx(void)
{
    unsigned a, b, c, d, low, high;
    const char *core = getenv("OPENBLAS_CORETYPE");
    if (core && *core) return 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & 0x600e6) != 0x600e6) return 0; /* the system keeps vectors of 512 bits, and tiles */
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d >> 22 & 1) || !(d >> 24 & 1)) return 0; /* amx-bf16, amx-tile */
    if (!__get_cpuid_count(7, 1, &a, &b, &c, &d) || !(a >> 5 & 1)) return 0;                    /* avx512_bf16 */
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

int cw_cpu_has_amx(void)
{
    static int found = -1; /* threads that race here all find the same */
    int known = __atomic_load_n(&found, __ATOMIC_RELAXED);
    if (known < 0) {
        known = find_amx();
        __atomic_store_n(&found, known, __ATOMIC_RELAXED);
    }
    return known && cw_cpu_simd_level() == CW_SIMD_AVX512;
}

/* The largest of 16 magnitudes and those before. From TOO_LARGE on they are infinite, NaN, or rounded to infinity. */
#define TOO_LARGE 0x7f7f8000
AMX_INLINE __m512i larger(__m512i top, __m512 x)
{
    return _mm512_max_epu32(top, _mm512_and_si512(_mm512_castps_si512(x), _mm512_set1_epi32(0x7fffffff)));
}

/* whether all of factor x (rows, cols), rows ld apart, have parts */
AMX static int has_parts(const float *x, int64_t ld, float factor, int64_t rows, int64_t cols)
{
    __m512i top = _mm512_setzero_si512();
    const __m512 f = _mm512_set1_ps(factor);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c += SIDE)
            top = larger(top, _mm512_mul_ps(f, _mm512_maskz_loadu_ps(first_of(cols - c), x + r * ld + c)));
    return _mm512_reduce_max_epu32(top) < TOO_LARGE;
}

/* 16 rows of 16 words, transposed in place */
AMX_INLINE void transpose(__m512i *r)
{
    __m512i t[SIDE];
    UNROLL
    for (int i = 0; i < SIDE; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    UNROLL
    for (int i = 0; i < SIDE; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLL
    for (int i = 0; i < 4; i++)
        UNROLL
        for (int j = 0; j < SIDE; j += 8) {
            t[j + i] = _mm512_shuffle_i32x4(r[j + i], r[j + i + 4], 0x88);
            t[j + i + 4] = _mm512_shuffle_i32x4(r[j + i], r[j + i + 4], 0xdd);
        }
    UNROLL
    for (int i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
    }
}

/* The parts of 16 pairs, two vectors of floats, as words: the first's parts in the lower halves. */
AMX_INLINE void split(__m512i *part, __m512 even, __m512 odd)
{
    UNROLL
    for (int p = 0; p < PARTS; p++) {
        __m512i e = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(even));
        __m512i o = _mm512_slli_epi32(_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(odd)), 16);
        part[p] = _mm512_or_si512(e, o);
        even = _mm512_sub_ps(even, _mm512_castsi512_ps(_mm512_slli_epi32(e, 16)));
        odd = _mm512_sub_ps(odd, _mm512_castsi512_ps(o));
    }
}

/* The parts of 32 floats that lie beside each other, a before b. */
AMX_INLINE void split_row(__m512i *part, __m512 a, __m512 b)
{
    UNROLL
    for (int p = 0; p < PARTS; p++) {
        part[p] = (__m512i)_mm512_cvtne2ps_pbh(b, a);
        __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(part[p]));
        __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(part[p], 1));
        a = _mm512_sub_ps(a, _mm512_castsi512_ps(_mm512_slli_epi32(low, 16)));
        b = _mm512_sub_ps(b, _mm512_castsi512_ps(_mm512_slli_epi32(high, 16)));
    }
}

/* 16 rows of A, or columns of B, from the k where x points on: `across` if k's numbers lie beside each other in x, else
 * the rows' do. Only `rows` <= 16 and `depth` <= PACKED_K are there; a panel has zeros in place of the rest. */
typedef struct strip {
    const float *x;
    int64_t ld, rows, depth;
} strip;

static strip strip_of(const float *x, int64_t ld, int across, int64_t row, int64_t rows, int64_t k, int64_t depth)
{
    strip s = {x, ld, rows - row < SIDE ? cw_max(rows - row, 0) : SIDE, depth};
    if (s.rows > 0) s.x += across ? row * ld + k : k * ld + row;
    return s;
}

/* Tiles `step` of a panel: factor times the strip. `pairs`: as B wants them, else as A does. What will be read next is
 * asked for: rows that lie far apart aren't foreseen by the processor. The largest magnitudes of before and these. */
AMX_INLINE __m512i pack(__m512i top, panel *to, const strip *from, int across, int pairs, float factor, int64_t step)
{
    const __m512i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
    const __m512 f = _mm512_set1_ps(factor);
    const int64_t ahead = (pairs ? SIDE : 2 * SIDE) * (across ? from->ld : 1), next = across ? SIDE : from->ld;
    const int64_t k = step * DEEP, left = cw_min(from->depth - k, DEEP);
    const __mmask16 in = first_of(from->rows), low = first_of(left), high = first_of(left - SIDE);
    __m512i part[PARTS][SIDE];
    for (int i = 0; i < SIDE; i++) { /* a row of 16 pairs of k, or a pair of k with 16 rows */
        __m512 a = _mm512_setzero_ps(), b = a;
        __m512i one[PARTS];
        const float *x = from->x + (across ? i * from->ld + k : (k + 2 * i) * from->ld);
        if (across ? i < from->rows : 2 * i < left) {
            _mm_prefetch((const char *)(x + ahead), _MM_HINT_T1);
            _mm_prefetch((const char *)(x + ahead + next), _MM_HINT_T1);
            a = _mm512_maskz_loadu_ps(across ? low : in, x);
            if (across ? high : 2 * i + 1 < left) b = _mm512_maskz_loadu_ps(across ? high : in, x + next);
        }
        if (across && pairs) {
            __m512 whole = a;
            a = _mm512_permutex2var_ps(whole, even, b);
            b = _mm512_permutex2var_ps(whole, odd, b);
        }
        a = _mm512_mul_ps(a, f), b = _mm512_mul_ps(b, f);
        top = larger(larger(top, a), b);
        if (across && !pairs) split_row(one, a, b); /* A's rows as they are */
        else split(one, a, b);
        UNROLL
        for (int p = 0; p < PARTS; p++) part[p][i] = one[p];
    }
    for (int p = 0; p < PARTS; p++) {
        if (across == pairs) transpose(part[p]);
        UNROLL
        for (int i = 0; i < SIDE; i++) _mm512_store_si512(to->tile[step][p] + i * DEEP, part[p][i]);
    }
    return top;
}

/* constants, so that each case is compiled for itself */
AMX static __m512i pack_a(__m512i top, panel *to, const strip *from, int across, float factor, int64_t step)
{
    return across ? pack(top, to, from, 1, 0, factor, step) : pack(top, to, from, 0, 0, factor, step);
}

AMX static __m512i pack_b(__m512i top, panel *to, const strip *from, int across, int64_t step)
{
    return across ? pack(top, to, from, 1, 1, 1.0f, step) : pack(top, to, from, 0, 1, 1.0f, step);
}

/* c (2 SIDE, 2 SIDE), rows ld apart, += the product of two panels of A and two of B, `steps` tiles deep; the smallest
 * parts first. Tiles 0 to 3 are c's, 4 and 5 A's, 6 and 7 B's. */
AMX_INLINE void whole_block(float *c, int64_t ld, const panel *a, const panel *b, int64_t steps, int fresh)
{
#define LOAD_A(p) _tile_loadd(4, a[0].tile[s][p], 64); _tile_loadd(5, a[1].tile[s][p], 64)
#define LOAD_B(p) _tile_loadd(6, b[0].tile[s][p], 64); _tile_loadd(7, b[1].tile[s][p], 64)
#define MULTIPLY                                                                                                       \
    _tile_dpbf16ps(0, 4, 6); _tile_dpbf16ps(1, 4, 7); _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7)
    size_t stride = (size_t)ld * sizeof *c;
    __asm__ volatile("" ::: "memory"); /* gcc doesn't know that a tile's load reads memory */
    if (fresh) {
        _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
    } else {
        _tile_loadd(0, c, stride);
        _tile_loadd(1, c + SIDE, stride);
        _tile_loadd(2, c + SIDE * ld, stride);
        _tile_loadd(3, c + SIDE * ld + SIDE, stride);
    }
    for (int64_t s = 0; s < steps; s++) {
        UNROLL
        for (int64_t i = 0; i < 2 * SIDE / STEPS; i++) { /* the block beside it is next */
            const float *row = c + (s * 2 * SIDE / STEPS + i) * ld;
            _mm_prefetch((const char *)(row + 2 * SIDE), _MM_HINT_T0);
            _mm_prefetch((const char *)(row + 3 * SIDE), _MM_HINT_T0);
        }
        LOAD_A(0); LOAD_B(2); MULTIPLY;
        LOAD_B(1); MULTIPLY;
        LOAD_A(1); MULTIPLY;
        LOAD_B(0); MULTIPLY;
        LOAD_A(2); MULTIPLY;
        LOAD_A(0); MULTIPLY;
    }
    _tile_stored(0, c, stride);
    _tile_stored(1, c + SIDE, stride);
    _tile_stored(2, c + SIDE * ld, stride);
    _tile_stored(3, c + SIDE * ld + SIDE, stride);
#undef LOAD_A
#undef LOAD_B
#undef MULTIPLY
}

/* The same for a corner of c (rows, cols): where it isn't whole, through a copy. */
AMX static void block(float *c, int64_t ld, const panel *a, const panel *b, int64_t steps, int fresh, int64_t rows,
                      int64_t cols)
{
    float copy[4 * SIDE * SIDE];
    if (rows >= 2 * SIDE && cols >= 2 * SIDE) {
        whole_block(c, ld, a, b, steps, fresh);
        return;
    }
    rows = cw_min(rows, 2 * SIDE), cols = cw_min(cols, 2 * SIDE);
    memset(copy, 0, sizeof copy);
    for (int64_t i = 0; !fresh && i < rows; i++) memcpy(copy + i * 2 * SIDE, c + i * ld, (size_t)cols * sizeof *c);
    whole_block(copy, 2 * SIDE, a, b, steps, fresh);
    for (int64_t i = 0; i < rows; i++) memcpy(c + i * ld, copy + i * 2 * SIDE, (size_t)cols * sizeof *c);
}

AMX_INLINE void begin(void)
{
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } tiles = {.palette = 1};
    for (int t = 0; t < 8; t++) tiles.bytes[t] = 64, tiles.rows[t] = SIDE;
    _tile_loadconfig(&tiles);
}

AMX int cw_cpu_gemm_amx(float *C, int64_t ldc, const float *A, int64_t lda, int ta, const float *B, int64_t ldb,
                        int tb, float alpha, float beta, int64_t m, int64_t n, int64_t k)
{
    _Alignas(64) panel a[2][2], b[PACKED_N / SIDE]; /* two of A's: one is used while the next is packed */
    __m512i top = _mm512_setzero_si512();
    if (beta != 0.0f) { /* where C isn't to be written anew, it must be known beforehand */
        if (!has_parts(A, lda, alpha, ta ? k : m, ta ? m : k) || !has_parts(B, ldb, 1, tb ? n : k, tb ? k : n))
            return 0;
        if (beta != 1.0f)
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < n; j++) C[i * ldc + j] *= beta;
    }
    begin();
    for (int64_t j0 = 0; j0 < n; j0 += PACKED_N)
        for (int64_t k0 = 0; k0 < k; k0 += PACKED_K) {
            int64_t width = cw_min(PACKED_N, n - j0), depth = cw_min(PACKED_K, k - k0);
            int64_t steps = cw_ceil_div(depth, DEEP), blocks = cw_ceil_div(width, 2 * SIDE);
            for (int64_t j = 0; j < 2 * blocks; j++) {
                strip from = strip_of(B, ldb, tb, j0 + j * SIDE, n, k0, depth);
                for (int64_t s = 0; s < steps; s++) top = pack_b(top, &b[j], &from, tb, s);
            }
            /* A's strips are packed piece by piece between the blocks before, while the tiles are multiplied */
            for (int64_t i = -2 * SIDE, turn = 0; i < m; i += 2 * SIDE, turn = !turn) {
                int64_t next = i + 2 * SIDE, pieces = next < m ? 2 * steps : 0, done = 0;
                strip from[2] = {strip_of(A, lda, !ta, next, m, k0, depth),
                                 strip_of(A, lda, !ta, next + SIDE, m, k0, depth)};
                for (int64_t j = 0; j < blocks; j++) {
                    if (i >= 0)
                        block(C + i * ldc + j0 + j * 2 * SIDE, ldc, a[!turn], b + 2 * j, steps, k0 == 0 && beta == 0.0f,
                              m - i, width - j * 2 * SIDE);
                    for (; done * blocks < (j + 1) * pieces; done++)
                        top = pack_a(top, &a[turn][done / steps], &from[done / steps], !ta, alpha, done % steps);
                }
            }
        }
    _tile_release();
    return _mm512_reduce_max_epu32(top) < TOO_LARGE;
}

#endif
