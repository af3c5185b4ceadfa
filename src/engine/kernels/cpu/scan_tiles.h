/* scan_tiles.h: the row functions of cpu_scan.c, for one SIMD level (see simd.h). */

/* y = e^x, x <= 0 */
CW_SIMD_FN static void CW_SIMD_NAME(exponentials)(float *y, const float *x, int64_t n)
{
    for (int64_t j = 0; j < n; j += VW) v_put(y + j, v_exp(v_get(x + j, n - j)), n - j);
}

/* y = x a b (b may be NULL: ones) over n items */
CW_SIMD_FN static void CW_SIMD_NAME(products)(float *y, const float *x, const float *a, const float *b, int64_t n)
{
    for (int64_t j = 0; j < n; j += VW) {
        int64_t l = n - j;
        vf v = v_get(x + j, l) * v_get(a + j, l);
        if (b) v = v * v_get(b + j, l);
        v_put(y + j, v, l);
    }
}

CW_SIMD_FN static float CW_SIMD_NAME(inner)(const float *a, const float *b, int64_t n)
{
    vf s = v_set(0.0f);
    for (int64_t j = 0; j < n; j += VW) s = v_fma(v_get(a + j, n - j), v_get(b + j, n - j), s);
    return v_sum(s);
}

/* y = a x + beta y, beta 0 or 1 */
CW_SIMD_FN static void CW_SIMD_NAME(scaled)(float *y, const float *x, float a, int beta, int64_t n)
{
    const vf va = v_set(a);
    for (int64_t j = 0; j < n; j += VW) {
        int64_t l = n - j;
        vf v = va * v_get(x + j, l);
        if (beta) v = v + v_get(y + j, l);
        v_put(y + j, v, l);
    }
}
