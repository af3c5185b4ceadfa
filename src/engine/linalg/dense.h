/* dense.h: the little linear algebra in double that the ridge models need, over the BLAS and LAPACK where they are.
 *
 * Matrices are row-major and contiguous. Nothing here takes memory, fails for lack of it, or depends on the number of
 * threads: tiles are cut by shape. Safe from inside an OpenMP region with threads = 1. Long products and decompositions
 * can be interrupted, see cw_watch. */
#ifndef CW_DENSE_H
#define CW_DENSE_H

#include "../core/threads.h"

/* C (m,n) = op(A) op(B) + beta C; op is the transpose where ta / tb. beta = 0 never reads C. */
void cw_dense_product(int threads, double *C, const double *A, int ta, const double *B, int tb, double beta, int64_t m,
                      int64_t n, int64_t k);

/* cw_dense_product; it looks at `w` about every .1 s, and C is only part of the product when 0 isn't returned. */
int cw_dense_product_watched(const cw_watch *w, int threads, double *C, const double *A, int ta, const double *B,
                             int tb, double beta, int64_t m, int64_t n, int64_t k);

/* Doubles of working memory that cw_dense_eigen needs for order n. */
int64_t cw_dense_eigen_room(int64_t n);

/* Symmetric A (n,n) = V^T diag(value) V: on return row i of A is the eigenvector of value[i], values ascending. `room`
 * as above. `plain` forces the built-in Jacobi method (LAPACK's dsyevd where the library has it, otherwise).
 * 0 on success, -1 when the iteration does not end (A then is destroyed); NaN in A is the caller's to exclude. */
int cw_dense_eigen(double *value, double *A, double *room, int64_t n, int plain) CW_USED_RESULT;

/* The same, asking `watch` about every .1 s at order 3,000 (but for a sixth of the work, which is one call); to the last
 * bit what the above gives. -1 also when the watch says stop. */
int cw_dense_eigen_watched(const cw_watch *watch, double *value, double *A, double *room, int64_t n,
                           int plain) CW_USED_RESULT;

/* Lower Cholesky factor of A (n,n) in place, upper part left alone; 0, or -1 if A isn't positive definite. */
int cw_dense_cholesky(double *A, int64_t n) CW_USED_RESULT;
/* x := (L L^T)^-1 x for one right-hand side (n) */
void cw_dense_solve(double *x, const double *L, int64_t n);

#endif
