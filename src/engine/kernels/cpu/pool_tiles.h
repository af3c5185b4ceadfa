/* pool_tiles.h: the inner loop of pooling, once per SIMD level (see kernels/cpu/simd.h). A gene tile is
 * POOL_VECTORS vectors of genes wide. */
#define POOL_VECTORS 4

/* acc (rows, W) += U V for one tile: row i of U has, for each of the p->cells cells, the k entries (index, weight)
 * that start at p->index[b] + i k and p->weight[b] + i k; v (cells, factors, W) is dense. */
CW_SIMD_FN static void CW_SIMD_NAME(pool_rows)(float *acc, const float *v, const pool_rows_of *p, int64_t rows)
{
    enum { W = POOL_VECTORS * VW };
    int64_t k = p->k;
    for (int64_t i = 0; i < rows; i++, acc += W) {
        vf a0 = v_load(acc), a1 = v_load(acc + VW), a2 = v_load(acc + 2 * VW), a3 = v_load(acc + 3 * VW);
        for (int64_t b = 0; b < p->cells; b++) {
            const uint16_t *index = p->index[b] + i * k;
            const float *weight = p->weight[b] + i * k, *cell = v + b * p->factors * W;
            for (int64_t j = 0; j < k; j++) {
                const float *row = cell + (int64_t)index[j] * W;
                vf w = v_set(weight[j]);
                a0 = v_fma(w, v_load(row), a0);
                a1 = v_fma(w, v_load(row + VW), a1);
                a2 = v_fma(w, v_load(row + 2 * VW), a2);
                a3 = v_fma(w, v_load(row + 3 * VW), a3);
            }
        }
        v_store(acc, a0), v_store(acc + VW, a1), v_store(acc + 2 * VW, a2), v_store(acc + 3 * VW, a3);
    }
}

enum { CW_SIMD_NAME(pool_width) = POOL_VECTORS * VW };
#undef POOL_VECTORS
