/* conv_tiles.h: the tile functions of cpu_conv.c, for one SIMD level (see simd.h). */

/* y += w x over n items */
CW_SIMD_FN static void CW_SIMD_NAME(add_product)(float *y, const float *w, const float *x, int64_t n)
{
    for (int64_t c = 0; c < n; c += VW) {
        int64_t l = n - c;
        v_put(y + c, v_fma(v_get(w + c, l), v_get(x + c, l), v_get(y + c, l)), l);
    }
}

/* y (complex) = x conj^flip(h), n numbers as (re, im) pairs; or added to y */
CW_SIMD_FN static void CW_SIMD_NAME(complex_product)(float *y, const float *x, const float *h, int conjugate, int add,
                                                     int64_t n)
{
    float sign = conjugate ? -1.0f : 1.0f;
    for (int64_t k = 0; k < 2 * n; k += 2) {
        float hr = h[k], hi = sign * h[k + 1];
        float re = x[k] * hr - x[k + 1] * hi, im = x[k] * hi + x[k + 1] * hr;
        y[k] = add ? y[k] + re : re;
        y[k + 1] = add ? y[k + 1] + im : im;
    }
}
