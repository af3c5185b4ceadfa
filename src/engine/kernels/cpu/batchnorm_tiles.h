/* batchnorm_tiles.h: the tile functions of cpu_batchnorm.c, for one SIMD level (see simd.h). */

/* a cw_column_tile; context: a column_view. What is summed: x times, without a mean; times (x - mean)^2; dy (x - mean). */
CW_SIMD_FN static void CW_SIMD_NAME(deviation_tile)(float *sum, const void *context, int64_t row0, int64_t row1,
                                                    int64_t col0, int64_t cols)
{
    const column_view *v = context;
    for (int64_t c = 0; c < cols; c += VW) {
        int64_t l = cols - c;
        vf acc = v_set(0.0f), mean = v->mean ? v_get(v->mean + col0 + c, l) : acc;
        for (int64_t i = row0; i < row1; i++) {
            int64_t at = i * v->d + col0 + c;
            vf x = v_get(v->x + at, l) - mean, y = v->mean ? x : v_set(1.0f);
            if (v->dy) y = v_get(v->dy + at, l);
            if (v->times) y = y * v_set(v->times[i]);
            acc = v_fma(x, y, acc);
        }
        v_put(sum + c, acc, l);
    }
}

/* y = (x - mean) a + b over one row; a, b (d), b may be NULL */
CW_SIMD_FN static void CW_SIMD_NAME(normal_row)(float *y, const float *x, const float *mean, const float *a,
                                                const float *b, int64_t d)
{
    for (int64_t j = 0; j < d; j += VW) {
        int64_t l = d - j;
        vf v = (v_get(x + j, l) - v_get(mean + j, l)) * v_get(a + j, l);
        if (b) v = v + v_get(b + j, l);
        v_put(y + j, v, l);
    }
}

/* dx += a dy - times (b + c (x - mean)); b and c may be NULL together */
CW_SIMD_FN static void CW_SIMD_NAME(normal_row_backward)(float *dx, const float *dy, const float *x, const float *mean,
                                                         const float *a, const float *b, const float *c, float times,
                                                         int64_t d)
{
    vf many = v_set(times);
    for (int64_t j = 0; j < d; j += VW) {
        int64_t l = d - j;
        vf v = v_get(a + j, l) * v_get(dy + j, l);
        if (b) v = v - many * v_get(b + j, l) - many * v_get(c + j, l) * (v_get(x + j, l) - v_get(mean + j, l));
        v_put(dx + j, v_get(dx + j, l) + v, l);
    }
}
