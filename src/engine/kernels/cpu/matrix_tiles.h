/* matrix_tiles.h: the built-in matrix product and column sums of cpu_matrix.c, for one SIMD level (see simd.h). */

/* A block of MR x NR results is held in registers: MR x 2 vectors. */
#undef MR
#undef NR
#if CW_SIMD == CW_SIMD_AVX512
#define MR 8
#elif CW_SIMD == CW_SIMD_AVX2
#define MR 6
#else
#define MR 4
#endif
#define NR (2 * VW)

/* sum (MR, NR) = a b over depth k; a (k, MR) and b (k, NR) as packed */
CW_SIMD_FN static void CW_SIMD_NAME(micro)(float *sum, const float *a, const float *b, int64_t k)
{
    vf acc[MR][2];
    for (int i = 0; i < MR; i++) acc[i][0] = acc[i][1] = v_set(0.0f);
    for (int64_t p = 0; p < k; p++, a += MR, b += NR) {
        vf b0 = v_load(b), b1 = v_load(b + VW);
#pragma GCC unroll 8
        for (int i = 0; i < MR; i++) {
            vf ai = v_set(a[i]);
            acc[i][0] = v_fma(ai, b0, acc[i][0]);
            acc[i][1] = v_fma(ai, b1, acc[i][1]);
        }
    }
    for (int i = 0; i < MR; i++) {
        v_store(sum + i * NR, acc[i][0]);
        v_store(sum + i * NR + VW, acc[i][1]);
    }
}

/* One thread, after Goto & van de Geijn (2008): blocks of op(A) and op(B) are packed, padded with zeros, on the
 * stack. */
CW_SIMD_FN static void CW_SIMD_NAME(builtin)(float *C, int64_t ldc, const float *A, int64_t lda, int ta, const float *B,
                                             int64_t ldb, int tb, float alpha, float beta, int64_t m, int64_t n,
                                             int64_t k)
{
    enum { BLOCK_K = 256, BLOCK_M = 72, BLOCK_N = 64 }; /* BLOCK_M: a multiple of every MR; BLOCK_N of every NR */
    float packed_a[BLOCK_M * BLOCK_K], packed_b[BLOCK_N * BLOCK_K], sum[MR * NR];
    for (int64_t j0 = 0; j0 < n; j0 += BLOCK_N)
        for (int64_t p0 = 0; p0 < k; p0 += BLOCK_K) {
            int64_t nb = cw_min(BLOCK_N, n - j0), kb = cw_min(BLOCK_K, k - p0);
            for (int64_t j = 0; j < nb; j += NR)
                for (int64_t p = 0; p < kb; p++)
                    for (int64_t c = 0; c < NR; c++) {
                        int64_t row = p0 + p, col = j0 + j + c;
                        packed_b[j * kb + p * NR + c] = col >= n ? 0.0f : tb ? B[col * ldb + row] : B[row * ldb + col];
                    }
            for (int64_t i0 = 0; i0 < m; i0 += BLOCK_M) {
                int64_t mb = cw_min(BLOCK_M, m - i0);
                for (int64_t i = 0; i < mb; i += MR)
                    for (int64_t p = 0; p < kb; p++)
                        for (int64_t r = 0; r < MR; r++) {
                            int64_t row = i0 + i + r, col = p0 + p;
                            packed_a[i * kb + p * MR + r] =
                                row >= m ? 0.0f : ta ? A[col * lda + row] : A[row * lda + col];
                        }
                for (int64_t j = 0; j < nb; j += NR)
                    for (int64_t i = 0; i < mb; i += MR) {
                        CW_SIMD_NAME(micro)(sum, packed_a + i * kb, packed_b + j * kb, kb);
                        for (int64_t r = 0; r < cw_min(MR, mb - i); r++) {
                            float *out = C + (i0 + i + r) * ldc + j0 + j;
                            for (int64_t c = 0; c < cw_min(NR, nb - j); c++) {
                                float old = p0 > 0 ? out[c] : beta == 0.0f ? 0.0f : beta * out[c];
                                out[c] = old + alpha * sum[r * NR + c];
                            }
                        }
                    }
            }
        }
}

/* a cw_column_tile; context: a matrix_view */
CW_SIMD_FN static void CW_SIMD_NAME(column_tile)(float *sum, const void *context, int64_t row0, int64_t row1,
                                                 int64_t col0, int64_t cols)
{
    const matrix_view *v = context;
    for (int64_t c = 0; c < cols; c += VW) {
        const float *x = v->x + col0 + c;
        int64_t l = cols - c;
        vf acc = v_set(0.0f);
        if (l >= VW)
            for (int64_t i = row0; i < row1; i++) acc = acc + v_load(x + i * v->d);
        else
            for (int64_t i = row0; i < row1; i++) acc = acc + v_load_n(x + i * v->d, l);
        if (l >= VW) v_store(sum + c, acc);
        else v_store_n(sum + c, acc, l);
    }
}
