/* dense.c: products, symmetric eigenvectors and small Cholesky factors in double. */
#include "dense.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#ifdef CW_HAVE_CBLAS
#include <cblas.h>
#endif

enum { TILE = 192, DEPTH = 64 };

/* One tile of the product on the calling thread; at the tile's corner A is op(A)(i0, 0), B is op(B)(0, j0). */
static void tile_product(double *C, int64_t ldc, const double *A, int64_t lda, int ta, const double *B, int64_t ldb,
                         int tb, double beta, int64_t m, int64_t n, int64_t k)
{
#ifdef CW_HAVE_CBLAS
    if (lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX && k <= INT_MAX && k > 0) {
        cblas_dgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, (int)m, (int)n,
                    (int)k, 1.0, A, (int)lda, B, (int)ldb, beta, C, (int)ldc);
        return;
    }
#endif
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) C[i * ldc + j] = beta == 0.0 ? 0.0 : beta * C[i * ldc + j];
    for (int64_t p0 = 0; p0 < k; p0 += DEPTH) {
        int64_t p1 = p0 + DEPTH < k ? p0 + DEPTH : k;
        for (int64_t i = 0; i < m; i++)
            for (int64_t p = p0; p < p1; p++) {
                double a = ta ? A[p * lda + i] : A[i * lda + p];
                double *c = C + i * ldc;
                if (tb)
                    for (int64_t j = 0; j < n; j++) c[j] += a * B[j * ldb + p];
                else
                    for (int64_t j = 0; j < n; j++) c[j] += a * B[p * ldb + j];
            }
    }
}

/* A product, cut into tiles that are numbered along its rows. */
typedef struct tiled {
    double *C;
    const double *A, *B;
    int ta, tb;
    double beta;
    int64_t m, n, k, across;
} tiled;

static void one_tile(const tiled *p, int64_t t)
{
    int64_t i = t / p->across * TILE, j = t % p->across * TILE, lda = p->ta ? p->m : p->k, ldb = p->tb ? p->k : p->n;
    tile_product(p->C + i * p->n + j, p->n, p->A + (p->ta ? i : i * p->k), lda, p->ta,
                 p->B + (p->tb ? j * p->k : j), ldb, p->tb, p->beta, p->m - i < TILE ? p->m - i : TILE,
                 p->n - j < TILE ? p->n - j : TILE, p->k);
}

static void some_tiles(const tiled *p, int threads, int64_t from, int64_t to)
{
#ifdef _OPENMP
    if (threads > 1 && to - from > 1) { /* no region at all otherwise: nested ones leak in LLVM's runtime */
#pragma omp parallel for schedule(dynamic) num_threads(threads)
        for (int64_t t = from; t < to; t++) one_tile(p, t);
        return;
    }
#endif
    (void)threads;
    for (int64_t t = from; t < to; t++) one_tile(p, t);
}

int cw_dense_product_watched(const cw_watch *w, int threads, double *C, const double *A, int ta, const double *B,
                             int tb, double beta, int64_t m, int64_t n, int64_t k)
{
    const tiled p = {C, A, B, ta, tb, beta, m, n, k, (n + TILE - 1) / TILE};
    int64_t tiles = (m + TILE - 1) / TILE * p.across, group = tiles;
    if (w) group = threads * (1 + (int64_t)(5e8 / ((double)TILE * TILE * (double)(k + 1))));
    for (int64_t t = 0; t < tiles; t += group) {
        if (cw_watch_stop(w)) return -1;
        some_tiles(&p, threads, t, t + group < tiles ? t + group : tiles);
    }
    return 0;
}

void cw_dense_product(int threads, double *C, const double *A, int ta, const double *B, int tb, double beta, int64_t m,
                      int64_t n, int64_t k)
{
    (void)cw_dense_product_watched(NULL, threads, C, A, ta, B, tb, beta, m, n, k);
}

/* LAPACK comes inside OpenBLAS, but a build of it may leave LAPACK out: so a weak symbol, asked for at run time. */
#if defined(CW_HAVE_OPENBLAS) && defined(__linux__)
#define WEAK __attribute__((weak))
extern void dsyevd_(const char *job, const char *uplo, const int *n, double *a, const int *lda, double *w,
                    double *work, const int *lwork, int *iwork, const int *liwork, int *info, size_t, size_t) WEAK;
extern void dlatrd_(const char *uplo, const int *n, const int *nb, double *a, const int *lda, double *e, double *tau,
                    double *w, const int *ldw, size_t) WEAK;
extern void dsytd2_(const char *uplo, const int *n, double *a, const int *lda, double *d, double *e, double *tau,
                    int *info, size_t) WEAK;
extern void dstedc_(const char *compz, const int *n, double *d, double *e, double *z, const int *ldz, double *work,
                    const int *lwork, int *iwork, const int *liwork, int *info, size_t) WEAK;
extern void dlarft_(const char *direct, const char *storev, const int *n, const int *k, const double *v,
                    const int *ldv, const double *tau, double *t, const int *ldt, size_t, size_t) WEAK;
extern void dlarfb_(const char *side, const char *trans, const char *direct, const char *storev, const int *m,
                    const int *n, const int *k, const double *v, const int *ldv, const double *t, const int *ldt,
                    double *c, const int *ldc, double *work, const int *ldwork, size_t, size_t, size_t, size_t) WEAK;

enum { STEP = 32, STEPS_FROM = 640 }; /* LAPACK's block of columns; the order from which one call takes too long */

/* dsyevd in steps between which the watch (NULL: none) is asked: block by block what LAPACK's dsytrd (to a tridiagonal
 * matrix: half of the time), dstedc (its eigenvectors: one call, a sixth of the time) and dormtr (turned back) do. Taken
 * without a watch too: dsyevd lays its room out in another way, and kernels of OpenBLAS round by where an array begins.
 * `room` as dsyevd's. 0, or -1. */
static int eigen_in_steps(const cw_watch *watch, double *value, double *A, double *room, int n)
{
    const int block = STEP;
    double *e = room, *tau = e + n, *Z = tau + n, *work = Z + (int64_t)n * n, T[STEP * STEP];
    int lwork = 1 + 4 * n + n * n, whole = 3 + 5 * n, info = 0, rest = n - (n - block + block - 1) / block * block;
    int *iwork = (int *)(room + 1 + 6 * (int64_t)n + 2 * (int64_t)n * n);
    for (int i = n - block; i >= rest; i -= block) { /* columns i .. i + block - 1 of the upper triangle */
        int order = i + block;
        if (cw_watch_stop(watch)) return -1;
        dlatrd_("U", &order, &block, A, &n, e, tau, work, &n, 1);
        if (i > 0)
            cblas_dsyr2k(CblasColMajor, CblasUpper, CblasNoTrans, i, block, -1.0, A + (int64_t)i * n, n, work, n, 1.0,
                         A, n);
        for (int j = i; j < order; j++) {
            if (j > 0) A[(int64_t)j * n + j - 1] = e[j - 1];
            value[j] = A[(int64_t)j * n + j];
        }
    }
    if (rest > 0) dsytd2_("U", &rest, A, &n, value, e, tau, &info, 1);
    if (info == 0) dstedc_("I", &n, value, e, Z, &n, work, &lwork, iwork, &whole, &info, 1);
    if (info != 0) return -1;
    int count = n - 1; /* reflectors, the one of column i + 1 in rows 0 .. i - 1 above a 1 */
    for (int i = 0; i < count; i += block) {
        int here = count - i < block ? count - i : block, rows = i + here;
        if (cw_watch_stop(watch)) return -1;
        const double *v = A + (int64_t)(i + 1) * n;
        dlarft_("B", "C", &rows, &here, v, &n, tau + i, T, &block, 1, 1);
        dlarfb_("L", "N", "B", "C", &rows, &n, &here, v, &n, T, &block, Z, &n, work, &n, 1, 1, 1, 1);
    }
    memcpy(A, Z, sizeof *A * (size_t)n * (size_t)n);
    return 0;
}
#endif

int64_t cw_dense_eigen_room(int64_t n) { return 1 + 6 * n + 2 * n * n + (3 + 5 * n + 1) / 2 + 1; }

/* Rotates coordinates p and q of the symmetric A so that A_pq becomes 0; V's rows turn with them. */
static void rotate(double *A, double *V, int64_t n, int64_t p, int64_t q)
{
    double theta = (A[q * n + q] - A[p * n + p]) / (2.0 * A[p * n + q]);
    double t = (theta >= 0.0 ? 1.0 : -1.0) / (fabs(theta) + sqrt(theta * theta + 1.0));
    double c = 1.0 / sqrt(t * t + 1.0), s = t * c;
    for (int64_t j = 0; j < n; j++) {
        double x = A[p * n + j], y = A[q * n + j];
        A[p * n + j] = c * x - s * y;
        A[q * n + j] = s * x + c * y;
        x = V[p * n + j], y = V[q * n + j];
        V[p * n + j] = c * x - s * y;
        V[q * n + j] = s * x + c * y;
    }
    for (int64_t i = 0; i < n; i++) {
        double x = A[i * n + p], y = A[i * n + q];
        A[i * n + p] = c * x - s * y;
        A[i * n + q] = s * x + c * y;
    }
}

/* Cyclic Jacobi (Golub & Van Loan, 8.5): sweeps over all pairs until what is off the diagonal is rounding. */
static int jacobi(double *value, double *A, double *V, int64_t n)
{
    memset(V, 0, (size_t)(n * n) * sizeof *V);
    double size = 0.0;
    for (int64_t i = 0; i < n; i++) V[i * n + i] = 1.0;
    for (int64_t i = 0; i < n * n; i++) size += A[i] * A[i];
    double small = DBL_EPSILON * sqrt(size);
    for (int sweep = 0, left = 1; left > 0; sweep++) {
        if (sweep == 60) return -1;
        left = 0;
        for (int64_t p = 0; p < n; p++)
            for (int64_t q = p + 1; q < n; q++)
                if (fabs(A[p * n + q]) > small) {
                    rotate(A, V, n, p, q);
                    left = 1;
                }
    }
    for (int64_t i = 0; i < n; i++) value[i] = A[i * n + i];
    for (int64_t i = 0; i < n; i++) { /* ascending, by selection */
        int64_t low = i;
        for (int64_t j = i + 1; j < n; j++)
            if (value[j] < value[low]) low = j;
        double v = value[i];
        value[i] = value[low];
        value[low] = v;
        memcpy(A + i * n, V + low * n, (size_t)n * sizeof *A);
        if (low != i) memcpy(V + low * n, V + i * n, (size_t)n * sizeof *V);
    }
    return 0;
}

int cw_dense_eigen(double *value, double *A, double *room, int64_t n, int plain)
{
    return cw_dense_eigen_watched(NULL, value, A, room, n, plain);
}

int cw_dense_eigen_watched(const cw_watch *watch, double *value, double *A, double *room, int64_t n, int plain)
{
    if (n == 0) return 0;
    if (cw_watch_stop(watch)) return -1;
#if defined(CW_HAVE_OPENBLAS) && defined(__linux__)
    if (!plain && n >= STEPS_FROM && n < 20000 && dlatrd_ && dsytd2_ && dstedc_ && dlarft_ && dlarfb_)
        return eigen_in_steps(watch, value, A, room, (int)n);
    if (!plain && dsyevd_ && n < 20000) {
        int order = (int)n, info = 0, whole = 3 + 5 * order, lwork = (int)(1 + 6 * n + 2 * n * n);
        dsyevd_("V", "U", &order, A, &order, value, room, &lwork, (int *)(room + lwork), &whole, &info, 1, 1);
        return info == 0 ? 0 : -1;
    }
#endif
    (void)plain;
    return jacobi(value, A, room, n);
}

int cw_dense_cholesky(double *A, int64_t n)
{
    for (int64_t j = 0; j < n; j++) {
        for (int64_t i = j; i < n; i++) {
            double sum = A[i * n + j];
            for (int64_t k = 0; k < j; k++) sum -= A[i * n + k] * A[j * n + k];
            if (i == j && !(sum > 0.0)) return -1;
            A[i * n + j] = i == j ? sqrt(sum) : sum / A[j * n + j];
        }
    }
    return 0;
}

void cw_dense_solve(double *x, const double *L, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < i; k++) x[i] -= L[i * n + k] * x[k];
        x[i] /= L[i * n + i];
    }
    for (int64_t i = n; i-- > 0;) {
        for (int64_t k = i + 1; k < n; k++) x[i] -= L[k * n + i] * x[k];
        x[i] /= L[i * n + i];
    }
}
