/* positive.h: systems with a symmetric positive definite matrix of some order, in double, on the calling thread.
 *
 * Matrices are row-major and contiguous; of A only the lower triangle is read. LAPACK's blocked factor where the
 * library has it, plain loops otherwise. Nothing here takes memory. */
#ifndef CW_POSITIVE_H
#define CW_POSITIVE_H

#include "../core/core.h"

/* A (n,n) := L in its lower triangle, A = L L^T; the rest of A is left alone. 0, or -1 if A isn't positive definite. */
int cw_positive_factor(double *A, int64_t n) CW_USED_RESULT;
/* Each row of X (rows, n) := (L L^T)^-1 x. */
void cw_positive_solve(double *X, const double *L, int64_t rows, int64_t n);
/* out (n,n), both triangles, := (L L^T)^-1. */
void cw_positive_inverse(double *out, const double *L, int64_t n);
/* log det(L L^T) */
double cw_positive_logdet(const double *L, int64_t n);

#endif
