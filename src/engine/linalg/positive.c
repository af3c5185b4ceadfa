/* positive.c: see positive.h. Row-major and lower is what LAPACK calls column-major and upper. */
#include "positive.h"

#include "dense.h"

#include <math.h>
#include <string.h>

/* A build of OpenBLAS may leave LAPACK out: weak symbols, asked for at run time, as in dense.c. */
#ifdef CW_HAVE_CBLAS
#define WEAK __attribute__((weak))
extern void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t one) WEAK;
extern void dpotri_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t one) WEAK;
extern void dpotrs_(const char *uplo, const int *n, const int *nrhs, const double *a, const int *lda, double *b,
                    const int *ldb, int *info, size_t one) WEAK;
#endif

int cw_positive_factor(double *A, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(A[i * n + i])) return -1;
#ifdef CW_HAVE_CBLAS
    if (dpotrf_ && n > 0 && n < 40000) {
        int order = (int)n, info = 0;
        dpotrf_("U", &order, A, &order, &info, 1);
        return info == 0 ? 0 : -1;
    }
#endif
    return cw_dense_cholesky(A, n);
}

void cw_positive_solve(double *X, const double *L, int64_t rows, int64_t n)
{
#ifdef CW_HAVE_CBLAS
    if (dpotrs_ && n > 0 && n < 40000 && rows < 2000000000) {
        int order = (int)n, many = (int)rows, info = 0;
        if (rows > 0) dpotrs_("U", &order, &many, L, &order, X, &order, &info, 1);
        return;
    }
#endif
    for (int64_t r = 0; r < rows; r++) cw_dense_solve(X + r * n, L, n);
}

void cw_positive_inverse(double *out, const double *L, int64_t n)
{
#ifdef CW_HAVE_CBLAS
    if (dpotri_ && n > 0 && n < 40000) { /* a third of the work of solving for the unit vectors */
        int order = (int)n, info = 0;
        memcpy(out, L, (size_t)(n * n) * sizeof *out);
        dpotri_("U", &order, out, &order, &info, 1);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < i; j++) out[j * n + i] = out[i * n + j];
        if (info == 0) return;
    }
#endif
    memset(out, 0, (size_t)(n * n) * sizeof *out);
    for (int64_t i = 0; i < n; i++) out[i * n + i] = 1.0;
    cw_positive_solve(out, L, n, n);
    for (int64_t i = 0; i < n; i++) /* rounding leaves the triangles a little apart */
        for (int64_t j = 0; j < i; j++) out[i * n + j] = out[j * n + i] = .5 * (out[i * n + j] + out[j * n + i]);
}

double cw_positive_logdet(const double *L, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += 2.0 * log(L[i * n + i]);
    return sum;
}
