/* norm_tiles.h: the row functions of cpu_norm.c, for one SIMD level (see simd.h). n rows of d. */

CW_SIMD_FN static float CW_SIMD_NAME(dot)(const float *a, const float *b, int64_t d)
{
    vf s0 = v_set(0.0f), s1 = s0, s2 = s0, s3 = s0;
    int64_t j = 0;
    for (; j + 4 * VW <= d; j += 4 * VW) {
        s0 = v_fma(v_load(a + j), v_load(b + j), s0);
        s1 = v_fma(v_load(a + j + VW), v_load(b + j + VW), s1);
        s2 = v_fma(v_load(a + j + 2 * VW), v_load(b + j + 2 * VW), s2);
        s3 = v_fma(v_load(a + j + 3 * VW), v_load(b + j + 3 * VW), s3);
    }
    for (; j < d; j += VW) s0 = v_fma(v_get(a + j, d - j), v_get(b + j, d - j), s0);
    return v_sum((s0 + s1) + (s2 + s3));
}

CW_SIMD_FN static void CW_SIMD_NAME(rmsnorm)(float *y, float *rstd, const float *x, const float *w, float eps,
                                             int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++, x += d, y += d) {
        float r = 1.0f / sqrtf(CW_SIMD_NAME(dot)(x, x, d) / (float)d + eps);
        const vf vr = v_set(r);
        rstd[i] = r;
        for (int64_t j = 0; j < d; j += VW) {
            vf h = v_get(x + j, d - j) * vr;
            if (w) h = h * v_get(w + j, d - j);
            v_put(y + j, h, d - j);
        }
    }
}

/* dx += rstd (g - h mean(g h)), g = dy w, h = x rstd */
CW_SIMD_FN static void CW_SIMD_NAME(rmsnorm_backward)(float *dx, const float *dy, const float *x, const float *w,
                                                      const float *rstd, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++, x += d, dx += d, dy += d) {
        const vf r = v_set(rstd[i]);
        vf sum = v_set(0.0f);
        for (int64_t j = 0; j < d; j += VW) {
            vf g = v_get(dy + j, d - j);
            if (w) g = g * v_get(w + j, d - j);
            sum = v_fma(g, v_get(x + j, d - j), sum);
        }
        const vf mean = v_set(v_sum(sum) * rstd[i] / (float)d);
        for (int64_t j = 0; j < d; j += VW) {
            vf g = v_get(dy + j, d - j), h = v_get(x + j, d - j) * r;
            if (w) g = g * v_get(w + j, d - j);
            v_put(dx + j, v_fma(r, g - h * mean, v_get(dx + j, d - j)), d - j);
        }
    }
}

CW_SIMD_FN static void CW_SIMD_NAME(layernorm)(float *y, float *mean, float *rstd, const float *x, const float *w,
                                               const float *b, float eps, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++, x += d, y += d) {
        vf sum = v_set(0.0f);
        for (int64_t j = 0; j < d; j += VW) sum = sum + v_get(x + j, d - j);
        float mu = v_sum(sum) / (float)d;
        const vf vmu = v_set(mu);
        sum = v_set(0.0f);
        int64_t j = 0;
        for (; j + VW <= d; j += VW) {
            vf c = v_load(x + j) - vmu;
            sum = v_fma(c, c, sum);
        }
        float var = v_sum(sum);
        for (; j < d; j++) var += (x[j] - mu) * (x[j] - mu);
        float r = 1.0f / sqrtf(var / (float)d + eps);
        const vf vr = v_set(r);
        mean[i] = mu, rstd[i] = r;
        for (j = 0; j < d; j += VW) {
            vf h = (v_get(x + j, d - j) - vmu) * vr;
            if (w) h = h * v_get(w + j, d - j);
            if (b) h = h + v_get(b + j, d - j);
            v_put(y + j, h, d - j);
        }
    }
}

/* dx += rstd (g - mean(g) - h mean(g h)), g = dy w, h = (x - mean) rstd */
CW_SIMD_FN static void CW_SIMD_NAME(layernorm_backward)(float *dx, const float *dy, const float *x, const float *w,
                                                        const float *mean, const float *rstd, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++, x += d, dx += d, dy += d) {
        const vf r = v_set(rstd[i]), mu = v_set(mean[i]);
        vf sum_g = v_set(0.0f), sum_gh = sum_g;
        for (int64_t j = 0; j < d; j += VW) { /* lanes beyond d have g = 0 */
            vf g = v_get(dy + j, d - j);
            if (w) g = g * v_get(w + j, d - j);
            sum_g = sum_g + g;
            sum_gh = v_fma(g, (v_get(x + j, d - j) - mu) * r, sum_gh);
        }
        const vf mean_g = v_set(v_sum(sum_g) / (float)d), mean_gh = v_set(v_sum(sum_gh) / (float)d);
        for (int64_t j = 0; j < d; j += VW) {
            vf g = v_get(dy + j, d - j), h = (v_get(x + j, d - j) - mu) * r;
            if (w) g = g * v_get(w + j, d - j);
            v_put(dx + j, v_fma(r, g - mean_g - h * mean_gh, v_get(dx + j, d - j)), d - j);
        }
    }
}

/* a cw_column_tile: sums of dy (x - mean) rstd, mean NULL for RMSNorm; context: a norm_view */
CW_SIMD_FN static void CW_SIMD_NAME(weight_tile)(float *sum, const void *context, int64_t row0, int64_t row1,
                                                 int64_t col0, int64_t cols)
{
    const norm_view *v = context;
    for (int64_t c = 0; c < cols; c += VW) {
        vf acc = v_set(0.0f);
        for (int64_t i = row0; i < row1; i++) {
            int64_t at = i * v->d + col0 + c;
            vf x = v_get(v->x + at, cols - c);
            if (v->mean) x = x - v_set(v->mean[i]);
            acc = v_fma(v_get(v->dy + at, cols - c), x * v_set(v->rstd[i]), acc);
        }
        v_put(sum + c, acc, cols - c);
    }
}

CW_SIMD_FN static void CW_SIMD_NAME(softmax)(float *y, const float *x, float scale, int64_t n, int64_t d)
{
    const vf vs = v_set(scale);
    for (int64_t i = 0; i < n; i++, x += d, y += d) {
        vf high = v_set(-INFINITY);
        int64_t j = 0;
        for (; j + VW <= d; j += VW) high = v_max(high, v_load(x + j) * vs);
        float top = v_top(high);
        for (; j < d; j++) top = x[j] * scale > top ? x[j] * scale : top;
        const vf vtop = v_set(top);
        vf sum = v_set(0.0f);
        for (j = 0; j < d; j += VW) {
            v_put(y + j, v_exp(v_get(x + j, d - j) * vs - vtop), d - j);
            sum = sum + v_get(y + j, d - j); /* read again: lanes beyond d must be 0 */
        }
        const vf share = v_set(1.0f / v_sum(sum));
        for (j = 0; j < d; j += VW) v_put(y + j, v_get(y + j, d - j) * share, d - j);
    }
}

CW_SIMD_FN static void CW_SIMD_NAME(softmax_backward)(float *dx, const float *dy, const float *y, float scale,
                                                      int64_t n, int64_t d)
{
    const vf vs = v_set(scale);
    for (int64_t i = 0; i < n; i++, dx += d, dy += d, y += d) {
        const vf dot = v_set(CW_SIMD_NAME(dot)(y, dy, d));
        for (int64_t j = 0; j < d; j += VW)
            v_put(dx + j, v_fma(vs * v_get(y + j, d - j), v_get(dy + j, d - j) - dot, v_get(dx + j, d - j)), d - j);
    }
}
