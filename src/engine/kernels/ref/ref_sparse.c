/* ref_sparse.c: products with a sparse matrix, and rows kept within a length. */
#include "ref.h"

#include <math.h>

void cw_ref_sparse_product(const cw_exec *ex, float *y, const cw_sparse *A, const float *value, const float *x,
                           int accumulate, int64_t blocks, int64_t d)
{
    (void)ex;
    for (int64_t b = 0; b < blocks; b++)
        for (int64_t i = 0; i < A->rows; i++)
            for (int64_t j = 0; j < d; j++) {
                double sum = 0;
                for (int64_t e = A->start[i]; e < A->start[i + 1]; e++)
                    sum += (double)value[A->place ? A->place[e] : e] * x[(b * A->cols + A->index[e]) * d + j];
                float *out = y + (b * A->rows + i) * d + j;
                *out = accumulate ? *out + (float)sum : (float)sum;
            }
}

void cw_ref_sparse_values(const cw_exec *ex, float *dvalue, const cw_sparse *A, const float *dy, const float *x,
                          int64_t blocks, int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < A->rows; i++)
        for (int64_t e = A->start[i]; e < A->start[i + 1]; e++) {
            double sum = 0;
            for (int64_t b = 0; b < blocks; b++)
                for (int64_t j = 0; j < d; j++)
                    sum += (double)dy[(b * A->rows + i) * d + j] * x[(b * A->cols + A->index[e]) * d + j];
            dvalue[A->place ? A->place[e] : e] += (float)sum;
        }
}

void cw_ref_cap_rows(const cw_exec *ex, float *table, const int32_t *index, float cap, int64_t n, int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) {
        float *row = table + (int64_t)index[i] * d;
        double sum = 0;
        for (int64_t j = 0; j < d; j++) sum += (double)row[j] * row[j];
        double length = sqrt(sum);
        if (!(length > cap)) continue;
        for (int64_t j = 0; j < d; j++) row[j] = (float)(row[j] * (cap / (length + 1e-7)));
    }
}
