/* elementwise_tiles.h: the tile functions of cpu_elementwise.c, for one SIMD level (see simd.h). */

#define INLINE_FN CW_SIMD_FN __attribute__((always_inline)) static inline

/* Called with a constant `act`, so that each activation gets its own loop. */
INLINE_FN vf CW_SIMD_NAME(value)(vf x, cw_act act)
{
    const vf half = v_set(0.5f);
    switch (act) {
    case CW_ACT_SILU: return x * v_sigmoid(x);
    case CW_ACT_GELU: return x * v_fma(half, v_erf(x * v_set(0.70710678f)), half);
    case CW_ACT_RELU: return v_max(v_set(0.0f), x);
    case CW_ACT_LEAKY_RELU: return v_above(x, v_set(0.0f), x, x * v_set(0.01f));
    case CW_ACT_TANH: return v_tanh(x);
    case CW_ACT_SIGMOID: return v_sigmoid(x);
    case CW_ACT_SOFTPLUS: return v_softplus(x);
    default: return x;
    }
}

INLINE_FN vf CW_SIMD_NAME(slope)(vf x, cw_act act)
{
    const vf one = v_set(1.0f), half = v_set(0.5f), zero = v_set(0.0f);
    vf s;
    switch (act) {
    case CW_ACT_SILU: s = v_sigmoid(x); return s * v_fma(x, one - s, one);
    case CW_ACT_GELU: /* Phi(x) + x phi(x) */
        s = v_set(0.39894228f) * v_exp(zero - half * x * x);
        return v_fma(x, s, v_fma(half, v_erf(x * v_set(0.70710678f)), half));
    case CW_ACT_RELU: return v_above(x, zero, one, zero);
    case CW_ACT_LEAKY_RELU: return v_above(x, zero, one, v_set(0.01f));
    case CW_ACT_TANH: s = v_tanh(x); return one - s * s;
    case CW_ACT_SIGMOID: s = v_sigmoid(x); return s * (one - s);
    case CW_ACT_SOFTPLUS: return v_sigmoid(x);
    default: return one;
    }
}

/* calls FN(..., act constant) */
#define EACH_ACT(FN, ...)                                                                                              \
    switch (act) {                                                                                                     \
    case CW_ACT_SILU: FN(__VA_ARGS__, CW_ACT_SILU); break;                                                             \
    case CW_ACT_GELU: FN(__VA_ARGS__, CW_ACT_GELU); break;                                                             \
    case CW_ACT_RELU: FN(__VA_ARGS__, CW_ACT_RELU); break;                                                             \
    case CW_ACT_LEAKY_RELU: FN(__VA_ARGS__, CW_ACT_LEAKY_RELU); break;                                                 \
    case CW_ACT_TANH: FN(__VA_ARGS__, CW_ACT_TANH); break;                                                             \
    case CW_ACT_SIGMOID: FN(__VA_ARGS__, CW_ACT_SIGMOID); break;                                                       \
    case CW_ACT_SOFTPLUS: FN(__VA_ARGS__, CW_ACT_SOFTPLUS); break;                                                     \
    default: FN(__VA_ARGS__, CW_ACT_NONE);                                                                             \
    }

INLINE_FN void CW_SIMD_NAME(act_loop)(float *y, const float *x, int64_t n, cw_act act)
{
    for (int64_t i = 0; i < n; i += VW)
        v_put(y + i, CW_SIMD_NAME(value)(v_get(x + i, n - i), act), n - i);
}
CW_SIMD_FN static void CW_SIMD_NAME(act)(float *y, const float *x, cw_act act, int64_t n)
{
    EACH_ACT(CW_SIMD_NAME(act_loop), y, x, n)
}

INLINE_FN void CW_SIMD_NAME(act_backward_loop)(float *dx, const float *dy, const float *x, int64_t n, cw_act act)
{
    for (int64_t i = 0; i < n; i += VW) {
        int64_t l = n - i;
        vf s = CW_SIMD_NAME(slope)(v_get(x + i, l), act);
        v_put(dx + i, v_fma(v_get(dy + i, l), s, v_get(dx + i, l)), l);
    }
}
CW_SIMD_FN static void CW_SIMD_NAME(act_backward)(float *dx, const float *dy, const float *x, cw_act act, int64_t n)
{
    EACH_ACT(CW_SIMD_NAME(act_backward_loop), dx, dy, x, n)
}

INLINE_FN void CW_SIMD_NAME(epilogue_loop)(float *y, float *z, const float *acc, const float *b, const float *residual,
                                           int64_t n, cw_act act)
{
    for (int64_t i = 0; i < n; i += VW) {
        int64_t l = n - i;
        vf v = v_get(acc + i, l);
        if (b) v = v + v_get(b + i, l);
        if (z) v_put(z + i, v, l);
        v = CW_SIMD_NAME(value)(v, act);
        if (residual) v = v + v_get(residual + i, l);
        v_put(y + i, v, l);
    }
}
CW_SIMD_FN static void CW_SIMD_NAME(epilogue)(float *y, float *z, const float *acc, const float *b,
                                              const float *residual, cw_act act, int64_t n)
{
    EACH_ACT(CW_SIMD_NAME(epilogue_loop), y, z, acc, b, residual, n)
}

CW_SIMD_FN static void CW_SIMD_NAME(swiglu)(float *y, const float *gate, const float *up, int64_t n)
{
    for (int64_t i = 0; i < n; i += VW) {
        int64_t l = n - i;
        vf g = v_get(gate + i, l);
        v_put(y + i, g * v_sigmoid(g) * v_get(up + i, l), l);
    }
}

CW_SIMD_FN static void CW_SIMD_NAME(swiglu_backward)(float *dgate, float *dup, const float *dy, const float *gate,
                                                     const float *up, int64_t n)
{
    const vf one = v_set(1.0f);
    for (int64_t i = 0; i < n; i += VW) {
        int64_t l = n - i;
        vf g = v_get(gate + i, l), u = v_get(up + i, l), d = v_get(dy + i, l);
        vf s = v_sigmoid(g);
        v_put(dgate + i, d * u * (s * v_fma(g, one - s, one)), l);
        v_put(dup + i, d * (g * s), l);
    }
}

CW_SIMD_FN static void CW_SIMD_NAME(axpy)(float *y, const float *x, float a, int64_t n)
{
    const vf va = v_set(a);
    for (int64_t i = 0; i < n; i += VW) {
        int64_t l = n - i;
        v_put(y + i, v_fma(va, v_get(x + i, l), v_get(y + i, l)), l);
    }
}

/* Uniforms 4 * counter ... + 63 of a stream: Philox4x32-10 on 16 counters at once, as in cw_rng_block. */
CW_SIMD_FN static void CW_SIMD_NAME(uniform_64)(float u[64], cw_stream s, uint64_t counter)
{
    uint32_t c[4][16], k0 = (uint32_t)s.key, k1 = (uint32_t)(s.key >> 32);
    for (int l = 0; l < 16; l++) {
        c[0][l] = (uint32_t)(counter + (uint64_t)l), c[1][l] = (uint32_t)((counter + (uint64_t)l) >> 32);
        c[2][l] = (uint32_t)s.stream, c[3][l] = (uint32_t)(s.stream >> 32);
    }
    for (int round = 0; round < 10; round++) {
        for (int l = 0; l < 16; l++) {
            uint64_t p0 = (uint64_t)0xD2511F53u * c[0][l], p1 = (uint64_t)0xCD9E8D57u * c[2][l];
            c[0][l] = (uint32_t)(p1 >> 32) ^ c[1][l] ^ k0;
            c[2][l] = (uint32_t)(p0 >> 32) ^ c[3][l] ^ k1;
            c[1][l] = (uint32_t)p1, c[3][l] = (uint32_t)p0;
        }
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    for (int l = 0; l < 16; l++)
        for (int j = 0; j < 4; j++) u[4 * l + j] = ((float)(int32_t)(c[j][l] >> 9) + 0.5f) * (1.0f / 8388608.0f);
}

/* items [first, first + n), first a multiple of 64 */
CW_SIMD_FN static void CW_SIMD_NAME(dropout)(float *y, const float *x, float p, cw_stream stream, int64_t first,
                                             int64_t n)
{
    const vf scale = v_set(1.0f / (1.0f - p)), vp = v_set(p), zero = v_set(0.0f);
    float u[64];
    for (int64_t i = 0; i < n; i += 64) {
        CW_SIMD_NAME(uniform_64)(u, stream, (uint64_t)(first + i) / 4);
        for (int64_t j = 0; j < 64 && i + j < n; j += VW) {
            int64_t l = n - i - j;
            vf v = v_get(x + i + j, l) * scale;
            v_put(y + i + j, v_above(vp, v_load(u + j), zero, v), l); /* kept where u >= p */
        }
    }
}

#undef EACH_ACT
#undef INLINE_FN
