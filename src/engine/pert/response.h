/* response.h: how far predicted cells are from cells that were treated. Cells aren't paired. */
#ifndef CW_RESPONSE_H
#define CW_RESPONSE_H

#include "../core/core.h"

/* energy: 2 E|x - y| - E|x - x'| - E|y - y'|, the latter two over different cells;
 * mmd[k] (gammas) for kernels exp(-gamma[k] |x - y|^2): mean k(x,x') + mean k(y,y') - 2 mean k(x,y), every pair counted, a
 * cell with itself, too (Gretton et al. 2012, as CellOT has it). x (n, d), y (m, d). Time is of (n + m)^2 d; it polls. */
cw_status cw_response_distances(cw_ctx *ctx, double *energy, double *mmd, const double *gamma, int64_t gammas,
                                const double *x, int64_t n, const double *y, int64_t m, int64_t d);

/* energy (boots) of samples of the cells with replacement: times_x (boots, n), times_y (boots, m) say how often each is in
 * a sample, n and m times in all. Pairs of a cell with itself are made up for. */
cw_status cw_response_resample(cw_ctx *ctx, double *energy, const double *times_x, const double *times_y, int64_t boots,
                               const double *x, int64_t n, const double *y, int64_t m, int64_t d);

/* Of the means, standard deviations (n - 1) and correlations (pairs of columns) of both: the distance, and the Pearson
 * correlation, which CellOT's papers call r2 without squaring it. A constant column correlates 0; what has no spread, NAN. */
typedef struct cw_response_moments {
    double l2_means, l2_sds, l2_pairs, r_means, r_sds, r_pairs;
} cw_response_moments;
cw_status cw_response_compare(cw_ctx *ctx, cw_response_moments *out, const double *x, int64_t n, const double *y,
                              int64_t m, int64_t d);

#endif
