/* simd.h: one vector of floats, in three widths. No include guard: a file of tile functions includes it once per level,
 *
 *   #define CW_SIMD CW_SIMD_AVX512      (then CW_SIMD_AVX2, CW_SIMD_GENERIC)
 *   #include "simd.h"
 *   #include "x_tiles.h"                every function marked CW_SIMD_FN and named CW_SIMD_NAME(x)
 *   #undef CW_SIMD
 *
 * and calls the functions of level cw_cpu_simd_level(). (simd_each.h does these lines.) Functions with a target
 * attribute must not hold OpenMP pragmas: clang would compile the outlined loop for the base processor.
 *
 * VW lanes of a `vf`; + - * / on vf are lane by lane. Everything else:
 *   v_set(a) v_load(p) v_store(p, v) v_load_n(p, n) v_store_n(p, v, n)   n < VW lanes, the others read as 0
 *   v_get(p, n) v_put(p, v, n)   the same for any n > 0: a whole vector if n >= VW
 *   v_fma(a, b, c) = a b + c   v_min(a, b), v_max(a, b): b if either is NaN   v_abs v_sqrt
 *   v_above(a, b, x, y) = a > b ? x : y      v_sum(v), v_top(v): over the lanes, in a fixed order
 *   v_exp: <= 2 ulp, 0 and infinity beyond the range, NaN kept   v_sigmoid v_tanh v_erf v_softplus
 * Unaligned pointers are fine. */
#include <math.h>
#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#undef CW_SIMD_FN
#undef CW_SIMD_NAME
#undef VW
#undef vf
#define vf CW_SIMD_NAME(vf)
#define v_set CW_SIMD_NAME(v_set)
#define v_load CW_SIMD_NAME(v_load)
#define v_store CW_SIMD_NAME(v_store)
#define v_load_n CW_SIMD_NAME(v_load_n)
#define v_store_n CW_SIMD_NAME(v_store_n)
#define v_get CW_SIMD_NAME(v_get)
#define v_put CW_SIMD_NAME(v_put)
#define v_fma CW_SIMD_NAME(v_fma)
#define v_min CW_SIMD_NAME(v_min)
#define v_max CW_SIMD_NAME(v_max)
#define v_abs CW_SIMD_NAME(v_abs)
#define v_sqrt CW_SIMD_NAME(v_sqrt)
#define v_above CW_SIMD_NAME(v_above)
#define v_sum CW_SIMD_NAME(v_sum)
#define v_top CW_SIMD_NAME(v_top)
#define v_pow2 CW_SIMD_NAME(v_pow2)
#define v_round CW_SIMD_NAME(v_round)
#define v_exp CW_SIMD_NAME(v_exp)
#define v_sigmoid CW_SIMD_NAME(v_sigmoid)
#define v_tanh CW_SIMD_NAME(v_tanh)
#define v_erf CW_SIMD_NAME(v_erf)
#define v_softplus CW_SIMD_NAME(v_softplus)
#define v_sign_of CW_SIMD_NAME(v_sign_of)

#if CW_SIMD == CW_SIMD_AVX512 /* ------------------------------------------------------------------ 16 lanes ---- */

#define CW_SIMD_NAME(x) x##_avx512
#define CW_SIMD_FN __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")))
#define V_INLINE CW_SIMD_FN __attribute__((always_inline, unused)) static inline
#define VW 16
typedef __m512 vf;

V_INLINE vf v_set(float a) { return _mm512_set1_ps(a); }
V_INLINE vf v_load(const float *p) { return _mm512_loadu_ps(p); }
V_INLINE void v_store(float *p, vf v) { _mm512_storeu_ps(p, v); }
V_INLINE vf v_load_n(const float *p, int64_t n) { return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }
V_INLINE void v_store_n(float *p, vf v, int64_t n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v); }
V_INLINE vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
V_INLINE vf v_min(vf a, vf b) { return _mm512_min_ps(a, b); }
V_INLINE vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); }
V_INLINE vf v_abs(vf a) { return _mm512_abs_ps(a); }
V_INLINE vf v_sqrt(vf a) { return _mm512_sqrt_ps(a); }
V_INLINE vf v_above(vf a, vf b, vf x, vf y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), y, x);
}
V_INLINE vf v_round(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
V_INLINE vf v_pow2(vf x, vf n) { return _mm512_scalef_ps(x, n); } /* x 2^n, n whole */
V_INLINE vf v_sign_of(vf a, vf b)                                 /* |a| with the sign of b */
{
    const __m512 sign = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(sign, a), _mm512_and_ps(sign, b));
}

#elif CW_SIMD == CW_SIMD_AVX2 /* ------------------------------------------------------------------- 8 lanes ---- */

#define CW_SIMD_NAME(x) x##_avx2
#define CW_SIMD_FN __attribute__((target("avx2,fma")))
#define V_INLINE CW_SIMD_FN __attribute__((always_inline, unused)) static inline
#define VW 8
typedef __m256 vf;

V_INLINE __m256i v_lanes_avx2(int64_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
V_INLINE vf v_set(float a) { return _mm256_set1_ps(a); }
V_INLINE vf v_load(const float *p) { return _mm256_loadu_ps(p); }
V_INLINE void v_store(float *p, vf v) { _mm256_storeu_ps(p, v); }
V_INLINE vf v_load_n(const float *p, int64_t n) { return _mm256_maskload_ps(p, v_lanes_avx2(n)); }
V_INLINE void v_store_n(float *p, vf v, int64_t n) { _mm256_maskstore_ps(p, v_lanes_avx2(n), v); }
V_INLINE vf v_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
V_INLINE vf v_min(vf a, vf b) { return _mm256_min_ps(a, b); }
V_INLINE vf v_max(vf a, vf b) { return _mm256_max_ps(a, b); }
V_INLINE vf v_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
V_INLINE vf v_sqrt(vf a) { return _mm256_sqrt_ps(a); }
V_INLINE vf v_above(vf a, vf b, vf x, vf y) { return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_GT_OQ)); }
V_INLINE vf v_round(vf a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
V_INLINE vf v_pow2(vf x, vf n) /* x 2^n, n whole, |n| < 250: in two factors, so that subnormals come out right */
{
    __m256i whole = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(whole, 1), bias = _mm256_set1_epi32(127);
    __m256i rest = _mm256_sub_epi32(whole, half);
    __m256 f = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(half, bias), 23));
    __m256 g = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23));
    return _mm256_mul_ps(_mm256_mul_ps(x, f), g);
}
V_INLINE vf v_sign_of(vf a, vf b)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(sign, a), _mm256_and_ps(sign, b));
}

#else /* ------------------------------------------------------------------ 4 lanes, GCC/clang vectors, any CPU ---- */

#define CW_SIMD_NAME(x) x##_generic
#define CW_SIMD_FN
#define V_INLINE __attribute__((always_inline, unused)) static inline
#define VW 4
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi_generic __attribute__((vector_size(16)));

V_INLINE vf v_set(float a) { return (vf){a, a, a, a}; }
V_INLINE vf v_load(const float *p) { return (vf){p[0], p[1], p[2], p[3]}; }
V_INLINE void v_store(float *p, vf v)
{
    for (int l = 0; l < 4; l++) p[l] = v[l];
}
V_INLINE vf v_load_n(const float *p, int64_t n)
{
    vf v = {0, 0, 0, 0};
    for (int l = 0; l < n; l++) v[l] = p[l];
    return v;
}
V_INLINE void v_store_n(float *p, vf v, int64_t n)
{
    for (int l = 0; l < n; l++) p[l] = v[l];
}
V_INLINE vf v_fma(vf a, vf b, vf c) { return a * b + c; }
V_INLINE vf v_above(vf a, vf b, vf x, vf y)
{
    vi_generic m = (vi_generic)(a > b);
    return (vf)((m & (vi_generic)x) | (~m & (vi_generic)y));
}
V_INLINE vf v_min(vf a, vf b) { return v_above(b, a, a, b); }
V_INLINE vf v_max(vf a, vf b) { return v_above(a, b, a, b); }
V_INLINE vf v_abs(vf a) { return (vf)((vi_generic)a & 0x7fffffff); }
V_INLINE vf v_sqrt(vf a)
{
    for (int l = 0; l < 4; l++) a[l] = sqrtf(a[l]);
    return a;
}
V_INLINE vf v_round(vf a) /* to even, by the adding of 1.5 2^23; |a| < 2^22 */
{
    const vf big = v_set(12582912.0f);
    return (a + big) - big;
}
V_INLINE vf v_pow2(vf x, vf n)
{
    vi_generic whole, half;
    for (int l = 0; l < 4; l++) whole[l] = n[l] == n[l] ? (int32_t)n[l] : 0;
    half = whole >> 1;
    return x * (vf)((half + 127) << 23) * (vf)((whole - half + 127) << 23);
}
V_INLINE vf v_sign_of(vf a, vf b)
{
    return (vf)(((vi_generic)a & 0x7fffffff) | ((vi_generic)b & (int32_t)0x80000000));
}

#endif /* ------------------------------------------------------------------------------------- the same for all ---- */

V_INLINE vf v_get(const float *p, int64_t n) { return n >= VW ? v_load(p) : v_load_n(p, n); }
V_INLINE void v_put(float *p, vf v, int64_t n)
{
    if (n >= VW) v_store(p, v);
    else v_store_n(p, v, n);
}
V_INLINE float v_sum(vf v)
{
    float lane[VW];
    v_store(lane, v);
    for (int half = VW / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}
V_INLINE float v_top(vf v)
{
    float lane[VW];
    v_store(lane, v);
    for (int half = VW / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) lane[l] = lane[l + half] > lane[l] ? lane[l + half] : lane[l];
    return lane[0];
}

/* e^x = 2^n e^r, n = round(x / log 2), |r| <= log(2)/2; the polynomial is Cephes' (Moshier) */
V_INLINE vf v_exp(vf x)
{
    x = v_max(v_set(-104.0f), v_min(v_set(89.0f), x)); /* beyond: 0 and infinity anyway; NaN passes */
    vf n = v_round(x * v_set(1.44269504088896341f));
    vf r = v_fma(n, v_set(-0.693359375f), x);
    r = v_fma(n, v_set(2.12194440e-4f), r);
    vf p = v_set(1.9875691500e-4f);
    p = v_fma(p, r, v_set(1.3981999507e-3f));
    p = v_fma(p, r, v_set(8.3334519073e-3f));
    p = v_fma(p, r, v_set(4.1665795894e-2f));
    p = v_fma(p, r, v_set(1.6666665459e-1f));
    p = v_fma(p, r, v_set(5.0000001201e-1f));
    p = v_fma(p, r * r, r) + v_set(1.0f);
    return v_pow2(p, n);
}

V_INLINE vf v_sigmoid(vf x) { return v_set(1.0f) / (v_set(1.0f) + v_exp(v_set(0.0f) - x)); }

/* an odd polynomial (Cephes) below 0.625, else 1 - 2 / (e^2|x| + 1) with the sign of x */
V_INLINE vf v_tanh(vf x)
{
    vf a = v_abs(x), s = x * x;
    vf p = v_set(-5.70498872745e-3f);
    p = v_fma(p, s, v_set(2.06390887954e-2f));
    p = v_fma(p, s, v_set(-5.37397155531e-2f));
    p = v_fma(p, s, v_set(1.33314422036e-1f));
    p = v_fma(p, s, v_set(-3.33332819422e-1f));
    vf near = v_fma(p * s, x, x);
    vf far = v_set(1.0f) - v_set(2.0f) / (v_exp(a + a) + v_set(1.0f));
    return v_above(a, v_set(0.625f), v_sign_of(far, x), near);
}

/* error function; two polynomials (N. Juffa), about 1 ulp */
V_INLINE vf v_erf(vf x)
{
    vf t = v_min(v_set(4.0f), v_abs(x)), s = t * t;
    vf r = v_fma(v_set(-1.72853470e-5f), t, v_set(3.83197126e-4f));
    vf u = v_fma(v_set(-3.88396438e-3f), t, v_set(2.42546219e-2f));
    r = v_fma(r, s, u);
    r = v_fma(r, t, v_set(-1.06777877e-1f));
    r = v_fma(r, t, v_set(-6.34846687e-1f));
    r = v_fma(r, t, v_set(-1.28717512e-1f));
    r = v_fma(r, t, v_set(0.0f) - t);
    vf far = v_sign_of(v_set(1.0f) - v_exp(r), x);
    vf q = v_set(-5.96761703e-4f);
    q = v_fma(q, s, v_set(4.99119423e-3f));
    q = v_fma(q, s, v_set(-2.67681349e-2f));
    q = v_fma(q, s, v_set(1.12819925e-1f));
    q = v_fma(q, s, v_set(-3.76125336e-1f));
    q = v_fma(q, s, v_set(1.28379166e-1f));
    return v_above(t, v_set(0.927734375f), far, v_fma(q, x, x));
}

/* max(x, 0) + log(1 + t), t = e^-|x|; log(1 + t) = 2 atanh(s), s = t / (2 + t) <= 1/3, by its series */
V_INLINE vf v_softplus(vf x)
{
    vf t = v_exp(v_set(0.0f) - v_abs(x)), s = t / (v_set(2.0f) + t), q = s * s;
    vf p = v_set(2.0f / 15);
    p = v_fma(p, q, v_set(2.0f / 13));
    p = v_fma(p, q, v_set(2.0f / 11));
    p = v_fma(p, q, v_set(2.0f / 9));
    p = v_fma(p, q, v_set(2.0f / 7));
    p = v_fma(p, q, v_set(2.0f / 5));
    p = v_fma(p, q, v_set(2.0f / 3));
    p = v_fma(p, q, v_set(2.0f));
    return v_fma(p, s, v_max(v_set(0.0f), x));
}

#undef V_INLINE
