/* leading.h: the largest eigenvalues of a symmetric matrix, where all of them would take too long. */
#ifndef CW_LEADING_H
#define CW_LEADING_H

#include "../core/core.h"

/* The `count` largest eigenvalues of S (n,n), descending, those below 0 as 0, and their vectors as rows of V (count, n), or
 * only the values where V is NULL. Destroys S. Of order 400 and less they are exact; beyond, Lanczos in 160 steps from a
 * direction that `key` draws: accurate where eigenvalues lie apart, some mixture of neighbours where they crowd. The same
 * for any number of threads. count <= 160. */
cw_status cw_leading_eigen(cw_ctx *ctx, double *value, double *V, double *S, uint64_t key, int64_t count, int64_t n);

#endif
