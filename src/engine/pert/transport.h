/* transport.h: optimal transport between two normal distributions, in closed form.
 *
 *   T(x) = m1 + A (x - m0),   A = S0^-1/2 (S0^1/2 S1 S0^1/2)^1/2 S0^-1/2,
 *
 * means and covariances those of two sets of cells, the covariances shrunken towards a multiple of the identity (Ledoit
 * and Wolf 2004). */
#ifndef CW_TRANSPORT_H
#define CW_TRANSPORT_H

#include "../core/core.h"

/* mean (d) and covariance (d, d) of x (n, d), n >= 2; returns the share of the identity in *shrunk, 0 to 1. */
cw_status cw_shrunk_covariance(cw_ctx *ctx, double *mean, double *covariance, double *shrunk, const double *x,
                               int64_t n, int64_t d);

/* map (d, d) := A from covariances from, to (d, d); both positive definite. */
cw_status cw_gaussian_map(cw_ctx *ctx, double *map, const double *from, const double *to, int64_t d);

#endif
