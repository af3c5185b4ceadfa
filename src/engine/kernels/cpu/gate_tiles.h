/* gate_tiles.h: the row functions of cpu_gate.c, for one SIMD level (see simd.h). */

/* The gate of one row, d <= GATE_MAX; 0 where the row needs the reference (NaN, or fewer than k above -infinity).
 * The largest of each block of 16 columns is kept at hand; k times the first block with the largest gives up its first
 * column of that value: so equals go by the lowest column. */
CW_SIMD_FN static int CW_SIMD_NAME(gate_row)(float *y, const float *x, const float *beta, int64_t k, float temperature,
                                             int64_t d)
{
    enum { BLOCK = 16 };
    float left[GATE_MAX + BLOCK], high[GATE_MAX / BLOCK], value[GATE_MAX];
    int32_t chosen[GATE_MAX];
    int64_t blocks = (d + BLOCK - 1) / BLOCK;
    for (int64_t j = 0; j < d; j++) {
        left[j] = beta ? x[j] - beta[j] : x[j];
        if (left[j] != left[j]) return 0;
    }
    for (int64_t j = d; j < blocks * BLOCK; j++) left[j] = -INFINITY;
    for (int64_t b = 0; b < blocks; b++) {
        high[b] = left[b * BLOCK];
        for (int j = 1; j < BLOCK; j++) high[b] = left[b * BLOCK + j] > high[b] ? left[b * BLOCK + j] : high[b];
    }
    for (int64_t c = 0; c < k; c++) {
        int64_t best = 0, j = 0;
        for (int64_t b = 1; b < blocks; b++) best = high[b] > high[best] ? b : best;
        float top = high[best], *in = left + best * BLOCK;
        if (top == -INFINITY) return 0;
        while (in[j] != top) j++;
        chosen[c] = (int32_t)(best * BLOCK + j);
        in[j] = -INFINITY;
        top = in[0];
        for (int l = 1; l < BLOCK; l++) top = in[l] > top ? in[l] : top;
        high[best] = top;
    }
    float top = -INFINITY;
    for (int64_t c = 0; c < k; c++) {
        value[c] = x[chosen[c]] / temperature;
        top = value[c] > top ? value[c] : top;
    }
    vf sum = v_set(0.0f);
    for (int64_t c = 0; c < k; c += VW) {
        v_put(value + c, v_exp(v_get(value + c, k - c) - v_set(top)), k - c);
        sum = sum + v_get(value + c, k - c);
    }
    float share = 1.0f / v_sum(sum);
    for (int64_t j = 0; j < d; j += VW) v_put(y + j, v_set(0.0f), d - j);
    for (int64_t c = 0; c < k; c++) y[chosen[c]] = value[c] * share;
    return 1;
}

/* y += a x */
CW_SIMD_FN static void CW_SIMD_NAME(add_scaled)(float *y, const float *x, float a, int64_t n)
{
    const vf va = v_set(a);
    for (int64_t j = 0; j < n; j += VW) v_put(y + j, v_fma(va, v_get(x + j, n - j), v_get(y + j, n - j)), n - j);
}
