/* optimizer_tiles.h: the tile functions of cpu_optimizer.c, for one SIMD level (see simd.h). */

/* step_size = lr / (1 - beta1^t), root_scale = 1 / sqrt(1 - beta2^t) */
CW_SIMD_FN static void CW_SIMD_NAME(adamw)(float *w, float *m, float *v, const float *g, cw_adamw p, float step_size,
                                           float root_scale, int64_t n)
{
    const vf b1 = v_set(p.beta1), c1 = v_set((float)(1.0 - p.beta1)), b2 = v_set(p.beta2);
    const vf c2 = v_set((float)(1.0 - p.beta2)), gs = v_set(p.grad_scale), eps = v_set(p.eps);
    const vf minus_step = v_set(-step_size), root = v_set(root_scale);
    const vf minus_decay = v_set(p.coupled ? 0.0f : -p.lr * p.weight_decay);
    const vf coupled = v_set(p.coupled ? p.weight_decay : 0.0f);
    const vf high = v_set(p.bound > 0 ? p.bound : INFINITY), low = v_set(p.bound > 0 ? -p.bound : -INFINITY);
    for (int64_t i = 0; i < n; i += VW) {
        int64_t l = n - i;
        vf wi = v_get(w + i, l), grad = v_fma(coupled, wi, v_max(low, v_min(high, v_get(g + i, l) * gs)));
        vf mi = v_fma(b1, v_get(m + i, l), c1 * grad), vi = v_fma(b2, v_get(v + i, l), c2 * grad * grad);
        wi = v_fma(minus_decay, wi, wi);
        wi = v_fma(minus_step, mi / v_fma(v_sqrt(vi), root, eps), wi);
        v_put(m + i, mi, l);
        v_put(v + i, vi, l);
        v_put(w + i, wi, l);
    }
}

CW_SIMD_FN static void CW_SIMD_NAME(sgd)(float *w, float *m, const float *g, cw_sgd p, int64_t n)
{
    const vf momentum = v_set(p.momentum), decay = v_set(p.weight_decay), gs = v_set(p.grad_scale), minus_lr = v_set(-p.lr);
    const vf high = v_set(p.bound > 0 ? p.bound : INFINITY), low = v_set(p.bound > 0 ? -p.bound : -INFINITY);
    for (int64_t i = 0; i < n; i += VW) {
        int64_t l = n - i;
        vf wi = v_get(w + i, l), grad = v_fma(decay, wi, v_max(low, v_min(high, v_get(g + i, l) * gs)));
        vf mi = v_fma(momentum, v_get(m + i, l), grad);
        v_put(m + i, mi, l);
        v_put(w + i, v_fma(minus_lr, mi, wi), l);
    }
}

CW_SIMD_FN static double CW_SIMD_NAME(squares)(const float *x, int64_t n)
{
    double lane[16] = {0};
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int l = 0; l < 16; l++) lane[l] += (double)x[i + l] * x[i + l];
    for (int l = 0; i + l < n; l++) lane[l] += (double)x[i + l] * x[i + l];
    for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}
