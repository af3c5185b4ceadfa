/* spread_tiles.h: the row functions of cpu_spread.c, for one SIMD level (see simd.h). */

/* out = beta out + alpha x y over n items; x, y may be NULL: ones. beta = 0 doesn't read out. */
CW_SIMD_FN static void CW_SIMD_NAME(multiply)(float *out, const float *x, const float *y, float alpha, float beta,
                                              int64_t n)
{
    const vf va = v_set(alpha), vb = v_set(beta);
    for (int64_t j = 0; j < n; j += VW) {
        int64_t l = n - j;
        vf v = va;
        if (x) v = v * v_get(x + j, l);
        if (y) v = v * v_get(y + j, l);
        if (beta != 0.0f) v = v_fma(vb, v_get(out + j, l), v);
        v_put(out + j, v, l);
    }
}

/* sum of x y, y NULL: ones */
CW_SIMD_FN static float CW_SIMD_NAME(dot_or_sum)(const float *x, const float *y, int64_t n)
{
    vf s = v_set(0.0f);
    for (int64_t j = 0; j < n; j += VW) {
        vf v = v_get(x + j, n - j);
        if (y) s = v_fma(v, v_get(y + j, n - j), s);
        else s = s + v;
    }
    return v_sum(s);
}

CW_SIMD_FN static void CW_SIMD_NAME(add_row)(float *y, const float *x, int64_t n)
{
    for (int64_t j = 0; j < n; j += VW) v_put(y + j, v_get(y + j, n - j) + v_get(x + j, n - j), n - j);
}

/* dx += a dy - b x */
CW_SIMD_FN static void CW_SIMD_NAME(add_part)(float *dx, const float *dy, const float *x, float a, float b, int64_t n)
{
    const vf va = v_set(a), vb = v_set(-b);
    for (int64_t j = 0; j < n; j += VW) {
        int64_t l = n - j;
        v_put(dx + j, v_fma(vb, v_get(x + j, l), v_fma(va, v_get(dy + j, l), v_get(dx + j, l))), l);
    }
}

/* a cw_column_tile: column sums of x y; context: a product_view */
CW_SIMD_FN static void CW_SIMD_NAME(product_tile)(float *sum, const void *context, int64_t row0, int64_t row1,
                                                  int64_t col0, int64_t cols)
{
    const product_view *v = context;
    for (int64_t c = 0; c < cols; c += VW) {
        int64_t l = cols - c;
        vf acc = v_set(0.0f);
        for (int64_t i = row0; i < row1; i++) {
            int64_t at = i * v->d + col0 + c;
            vf a = v_get(v->x + at, l);
            if (v->y) acc = v_fma(a, v_get(v->y + at, l), acc);
            else acc = acc + a;
        }
        v_put(sum + c, acc, l);
    }
}
