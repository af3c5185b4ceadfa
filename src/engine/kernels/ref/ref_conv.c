/* ref_conv.c: convolutions along sequences as the sums that define them. */
#include "ref.h"

void cw_ref_short_conv(const cw_exec *ex, float *y, const float *x, const float *w, const float *b, cw_ragged seq,
                       int64_t taps, int64_t d)
{
    (void)ex;
    for (int64_t s = 0; s < seq.count; s++)
        for (int64_t t = seq.start[s]; t < seq.start[s + 1]; t++)
            for (int64_t c = 0; c < d; c++) {
                double sum = b ? b[c] : 0.0;
                for (int64_t j = 0; j < taps; j++) {
                    int64_t from = t - taps + 1 + j;
                    if (from >= seq.start[s]) sum += (double)w[c * taps + j] * x[from * d + c];
                }
                y[t * d + c] = (float)sum;
            }
}

void cw_ref_short_conv_backward(const cw_exec *ex, float *dx, float *dw, const float *dy, const float *x,
                                const float *w, cw_ragged seq, int64_t taps, int64_t d)
{
    (void)ex;
    for (int64_t s = 0; dx && s < seq.count; s++)
        for (int64_t t = seq.start[s]; t < seq.start[s + 1]; t++)
            for (int64_t c = 0; c < d; c++) {
                double sum = 0;
                for (int64_t j = 0; j < taps; j++) {
                    int64_t to = t + taps - 1 - j;
                    if (to < seq.start[s + 1]) sum += (double)w[c * taps + j] * dy[to * d + c];
                }
                dx[t * d + c] += (float)sum;
            }
    for (int64_t c = 0; dw && c < d; c++)
        for (int64_t j = 0; j < taps; j++) {
            double sum = 0;
            for (int64_t s = 0; s < seq.count; s++)
                for (int64_t t = seq.start[s]; t < seq.start[s + 1]; t++) {
                    int64_t from = t - taps + 1 + j;
                    if (from >= seq.start[s]) sum += (double)dy[t * d + c] * x[from * d + c];
                }
            dw[c * taps + j] += (float)sum;
        }
}

void cw_ref_conv_plan(struct cw_ctx *ctx, cw_conv_part *part, int64_t length)
{
    (void)ctx;
    part->size = 2 * length;
    part->plan = NULL;
}

int64_t cw_ref_long_conv_work(const cw_exec *ex, const cw_conv_part *part, int64_t parts, int64_t d, int backward)
{
    (void)ex, (void)part, (void)parts, (void)d, (void)backward;
    return 0;
}

void cw_ref_long_conv(const cw_exec *ex, float *y, float *work, const float *x, const float *h, const float *b,
                      const cw_conv_part *part, int64_t parts, int64_t taps, int64_t d)
{
    (void)ex, (void)work;
    for (int64_t p = 0; p < parts; p++)
        for (int64_t t = part[p].from; t < part[p].to; t++)
            for (int64_t c = 0; c < d; c++) {
                double sum = b ? (double)b[c] * x[t * d + c] : 0.0;
                for (int64_t s = 0; s < taps && s <= t - part[p].from; s++)
                    sum += (double)h[s * d + c] * x[(t - s) * d + c];
                y[t * d + c] = (float)sum;
            }
}

void cw_ref_long_conv_backward(const cw_exec *ex, float *dx, float *dh, float *db, float *work, const float *dy,
                               const float *x, const float *h, const float *b, const cw_conv_part *part, int64_t parts,
                               int64_t taps, int64_t d)
{
    (void)ex, (void)work;
    for (int64_t p = 0; dx && p < parts; p++)
        for (int64_t t = part[p].from; t < part[p].to; t++)
            for (int64_t c = 0; c < d; c++) {
                double sum = b ? (double)b[c] * dy[t * d + c] : 0.0;
                for (int64_t s = 0; s < taps && t + s < part[p].to; s++)
                    sum += (double)h[s * d + c] * dy[(t + s) * d + c];
                dx[t * d + c] += (float)sum;
            }
    for (int64_t s = 0; dh && s < taps; s++)
        for (int64_t c = 0; c < d; c++) {
            double sum = 0;
            for (int64_t p = 0; p < parts; p++)
                for (int64_t t = part[p].from + s; t < part[p].to; t++)
                    sum += (double)dy[t * d + c] * x[(t - s) * d + c];
            dh[s * d + c] += (float)sum;
        }
    for (int64_t c = 0; db && c < d; c++) {
        double sum = 0;
        for (int64_t p = 0; p < parts; p++)
            for (int64_t t = part[p].from; t < part[p].to; t++) sum += (double)dy[t * d + c] * x[t * d + c];
        db[c] += (float)sum;
    }
}
