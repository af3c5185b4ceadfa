/* index_tiles.h: the row functions of cpu_index.c, for one SIMD level (see simd.h). */

CW_SIMD_FN static void CW_SIMD_NAME(add_scaled)(float *y, const float *x, float a, int64_t n)
{
    const vf va = v_set(a);
    for (int64_t j = 0; j < n; j += VW) v_put(y + j, v_fma(va, v_get(x + j, n - j), v_get(y + j, n - j)), n - j);
}

CW_SIMD_FN static float CW_SIMD_NAME(dot)(const float *a, const float *b, int64_t n)
{
    vf s = v_set(0.0f);
    for (int64_t j = 0; j < n; j += VW) s = v_fma(v_get(a + j, n - j), v_get(b + j, n - j), s);
    return v_sum(s);
}
