/* function_tiles.h: the tile functions of cpu_function.c, for one SIMD level (see simd.h). */

#define INLINE_FN CW_SIMD_FN __attribute__((always_inline, unused)) static inline

/* sin x (cosine 0) or cos x (1) for |x| < 2e5: x = r + k pi with pi in three parts (Cephes), then an odd polynomial in
 * r, |r| <= pi / 2 (SLEEF), and the sign of k's parity. About 1e-7 absolute. */
INLINE_FN vf CW_SIMD_NAME(sine)(vf x, int cosine)
{
    const vf half = v_set(0.5f), one = v_set(1.0f), two = v_set(2.0f);
    const vf shift = v_set(cosine ? 0.5f : 0.0f);
    vf whole = v_round(x * v_set(0.31830988618f) - shift), k = whole + shift;
    vf r = v_fma(k, v_set(-3.140625f), x);
    r = v_fma(k, v_set(-9.67502593994140625e-4f), r);
    r = v_fma(k, v_set(-1.509957990978376432e-7f), r);
    vf s = r * r, p = v_set(2.6083159809786593541503e-06f);
    p = v_fma(p, s, v_set(-0.0001981069071916863322258f));
    p = v_fma(p, s, v_set(0.00833307858556509017944336f));
    p = v_fma(p, s, v_set(-0.166666597127914428710938f));
    p = v_fma(p * s, r, r);
    vf odd = v_abs(whole - two * v_round(whole * half)); /* 0 or 1 */
    vf sign = one - two * odd;
    return (cosine ? v_set(-1.0f) : one) * sign * p;
}

/* derivative number `order` of f; see ref_function.c */
INLINE_FN vf CW_SIMD_NAME(derivative)(vf x, cw_function f, int order)
{
    const vf a = v_set(f.a), zero = v_set(0.0f), one = v_set(1.0f), two = v_set(2.0f), half = v_set(0.5f);
    const vf cube = v_set(0.044715f), root = v_set(0.79788456f);
    vf s, t, u;
    switch (f.kind) {
    case CW_FN_LEAKY_RELU:
        if (order == 0) return v_above(x, zero, x, a * x);
        if (order == 1) return v_above(x, zero, one, a);
        return zero;
    case CW_FN_ELU:
        if (order > 0) return v_above(x, zero, order == 1 ? one : zero, a * v_exp(v_min(zero, x)));
        t = v_tanh(half * v_min(zero, x)); /* e^x - 1 = 2 t / (1 - t) without cancellation */
        return v_above(x, zero, x, a * (two * t / (one - t)));
    case CW_FN_SOFTPLUS:
        if (order == 0) return v_softplus(a * x) / a;
        s = v_sigmoid(a * x);
        if (order == 1) return s;
        return a * s * (one - s);
    case CW_FN_SILU:
        s = v_sigmoid(x);
        if (order == 0) return x * s;
        if (order == 1) return s * v_fma(x, one - s, one);
        return s * (one - s) * v_fma(x, one - two * s, two);
    case CW_FN_SIGMOID:
        s = v_sigmoid(x);
        if (order == 0) return s;
        if (order == 1) return s * (one - s);
        return s * (one - s) * (one - two * s);
    case CW_FN_TANH:
        t = v_tanh(x);
        if (order == 0) return t;
        if (order == 1) return one - t * t;
        return zero - two * t * (one - t * t);
    case CW_FN_GELU:
        s = v_fma(half, v_erf(x * v_set(0.70710678f)), half);
        if (order == 0) return x * s;
        t = v_set(0.39894228f) * v_exp(zero - half * x * x);
        if (order == 1) return v_fma(x, t, s);
        return t * (two - x * x);
    case CW_FN_GELU_TANH:
        t = v_tanh(root * x * v_fma(cube, x * x, one));
        if (order == 0) return half * x * (one + t);
        u = root * v_fma(v_set(3.0f) * cube, x * x, one);
        if (order == 1) return half * (one + t) + half * x * (one - t * t) * u;
        return (one - t * t) * (u + half * x * (v_set(6.0f) * root * cube * x - two * t * u * u));
    case CW_FN_SIN:
        t = CW_SIMD_NAME(sine)(a * x, order == 1);
        if (order == 0) return t;
        if (order == 1) return a * t;
        return zero - a * a * t;
    case CW_FN_EXP:
        t = v_exp(a * x);
        if (order == 0) return t;
        if (order == 1) return a * t;
        return a * a * t;
    case CW_FN_SQUARE:
        if (order == 0) return a * x * x;
        if (order == 1) return two * a * x;
        return two * a;
    default:
        if (order == 0) return x;
        return order == 1 ? one : zero;
    }
}

CW_SIMD_FN static void CW_SIMD_NAME(function)(float *y, const float *x, cw_function f, int order, int64_t n)
{
    for (int64_t i = 0; i < n; i += VW)
        v_put(y + i, CW_SIMD_NAME(derivative)(v_get(x + i, n - i), f, order), n - i);
}

CW_SIMD_FN static void CW_SIMD_NAME(function_backward)(float *dx, const float *dy, const float *x, cw_function f,
                                                       int order, int64_t n)
{
    for (int64_t i = 0; i < n; i += VW) {
        int64_t l = n - i;
        vf s = CW_SIMD_NAME(derivative)(v_get(x + i, l), f, order + 1);
        v_put(dx + i, v_fma(v_get(dy + i, l), s, v_get(dx + i, l)), l);
    }
}

/* the largest |x|; NaN counts as nothing */
CW_SIMD_FN static float CW_SIMD_NAME(largest)(const float *x, int64_t n)
{
    vf top = v_set(0.0f);
    for (int64_t i = 0; i < n; i += VW) top = v_max(v_abs(v_get(x + i, n - i)), top);
    return v_top(top);
}

#undef INLINE_FN
