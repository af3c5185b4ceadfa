/* ref_spread.c: a row, column or number spread over a matrix and, the other way, sums collected into one; rows brought
 * to unit length; blocks of columns; rows in reverse order. */
#include "ref.h"

#include <math.h>

/* the item of a small operand that stands beside item (i, j) of an (n, d) matrix */
static int64_t beside(cw_shape shape, int64_t i, int64_t j, int64_t d)
{
    switch (shape) {
    case CW_SHAPE_ROW:
        return j;
    case CW_SHAPE_COLUMN:
        return i;
    case CW_SHAPE_ONE:
        return 0;
    default:
        return i * d + j;
    }
}

void cw_ref_spread(const cw_exec *ex, float *out, const float *x, const float *y, cw_shape shape, float alpha,
                   float beta, int64_t n, int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) {
            double v = (double)alpha * (x ? x[i * d + j] : 1.0f) * y[beside(shape, i, j, d)];
            out[i * d + j] = (float)(beta == 0.0f ? v : (double)beta * out[i * d + j] + v);
        }
}

/* one sum over rows [i0, i1) and columns [j0, j1) */
static float summed(float old, const float *x, const float *y, float alpha, float beta, int64_t d, int64_t i0,
                    int64_t i1, int64_t j0, int64_t j1)
{
    double sum = 0;
    for (int64_t i = i0; i < i1; i++)
        for (int64_t j = j0; j < j1; j++) sum += (double)x[i * d + j] * (y ? y[i * d + j] : 1.0f);
    return (float)(beta == 0.0f ? alpha * sum : (double)beta * old + alpha * sum);
}

void cw_ref_collect(const cw_exec *ex, float *out, const float *x, const float *y, cw_shape shape, float alpha,
                    float beta, int64_t n, int64_t d)
{
    (void)ex;
    if (shape == CW_SHAPE_ROW)
        for (int64_t j = 0; j < d; j++) out[j] = summed(out[j], x, y, alpha, beta, d, 0, n, j, j + 1);
    else if (shape == CW_SHAPE_COLUMN)
        for (int64_t i = 0; i < n; i++) out[i] = summed(out[i], x, y, alpha, beta, d, i, i + 1, 0, d);
    else if (shape == CW_SHAPE_ONE)
        out[0] = summed(out[0], x, y, alpha, beta, d, 0, n, 0, d);
    else
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < d; j++)
                out[i * d + j] = summed(out[i * d + j], x, y, alpha, beta, d, i, i + 1, j, j + 1);
}

void cw_ref_copy_block(const cw_exec *ex, float *y, int64_t ldy, const float *x, int64_t ldx, int accumulate, int64_t n,
                       int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) {
            if (accumulate)
                y[i * ldy + j] += x[i * ldx + j];
            else
                y[i * ldy + j] = x[i * ldx + j];
        }
}

void cw_ref_reverse(const cw_exec *ex, float *y, const float *x, int accumulate, cw_ragged seq, int64_t d)
{
    for (int64_t s = 0; s < seq.count; s++)
        for (int64_t i = seq.start[s]; i < seq.start[s + 1]; i++) {
            int64_t mirror = seq.start[s] + seq.start[s + 1] - 1 - i;
            cw_ref_copy_block(ex, y + i * d, d, x + mirror * d, d, accumulate, 1, d);
        }
}

void cw_ref_unit_rows(const cw_exec *ex, float *y, float *norm, const float *x, float scale, float eps, int64_t n,
                      int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < d; j++) sum += (double)x[i * d + j] * x[i * d + j];
        double length = sqrt(sum), by = length > eps ? length : eps;
        norm[i] = (float)length;
        if (isnan(length)) by = length;
        for (int64_t j = 0; j < d; j++) y[i * d + j] = (float)(scale * x[i * d + j] / by);
    }
}

/* With u = x / |x|:  dx = scale (dy - u (u . dy)) / |x|,  or scale dy / eps where the row is no longer than eps. */
void cw_ref_unit_rows_backward(const cw_exec *ex, float *dx, const float *dy, const float *x, const float *norm,
                               float scale, float eps, int64_t n, int64_t d)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) {
        double along = 0, length = norm[i];
        if (length <= eps)
            length = eps;
        else
            for (int64_t j = 0; j < d; j++) along += (double)x[i * d + j] * dy[i * d + j] / length;
        for (int64_t j = 0; j < d; j++)
            dx[i * d + j] += (float)(scale * (dy[i * d + j] - x[i * d + j] / length * along) / length);
    }
}
