/* test_dense.c: long decompositions and shared loops end when the host says so, and a watch changes no bit. The little
 * ones of linalg/dense.h are tested in test_ridge.c. */
#include "test.h"

#include "core/threads.h"
#include "linalg/dense.h"

static int after_some(void *user) { return --*(int *)user < 0; }

/* S (n, n) symmetric, its eigenvalues spread. */
static void fill(double *S, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++)
            S[i * n + j] = S[j * n + i] = sin((double)(i * 31 + j * 17)) + (i == j ? (double)(n - i) : 0.0);
}

static void test_steps(void)
{
    int polls = 1000000, stop = 0;
    const cw_host host = {&polls, NULL, after_some, NULL};
    cw_ctx *ctx = cw_ctx_new(&host);
    const cw_watch watch = {ctx, &stop};
    for (int64_t n = 640; n <= 673; n += 11) { /* whole and part blocks of 32 columns */
        size_t bytes = (size_t)(n * n) * sizeof(double);
        double *A = malloc(bytes), *B = malloc(bytes), *room = malloc((size_t)cw_dense_eigen_room(n) * sizeof *room);
        double *a = malloc((size_t)n * sizeof *a), *b = malloc((size_t)n * sizeof *b);
        fill(A, n), fill(B, n);
        CHECK(cw_dense_eigen(a, A, room, n, 0) == 0, "order %lld", (long long)n);
        CHECK(cw_dense_eigen_watched(&watch, b, B, room, n, 0) == 0, "order %lld", (long long)n);
        CHECK(memcmp(a, b, (size_t)n * sizeof *a) == 0, "order %lld: values", (long long)n);
        CHECK(memcmp(A, B, bytes) == 0, "order %lld: vectors", (long long)n);
        fill(B, n); /* S a_j = value_j a_j, vectors in A's rows */
        double worst = 0.0;
        for (int64_t j = 0; j < n; j += 37)
            for (int64_t i = 0; i < n; i++) {
                double sum = 0.0;
                for (int64_t p = 0; p < n; p++) sum += B[i * n + p] * A[j * n + p];
                worst = fmax(worst, fabs(sum - a[j] * A[j * n + i]));
            }
        CHECK(worst < 1e-10, "order %lld: residual %g", (long long)n, worst);
        free(A), free(B), free(room), free(a), free(b);
    }
    int64_t n = 700;
    double *A = malloc((size_t)(n * n) * sizeof *A), *room = malloc((size_t)cw_dense_eigen_room(n) * sizeof *room);
    double *a = malloc((size_t)n * sizeof *a);
    for (polls = 0; polls < 40; polls += 13) { /* before, in the first and in the last step */
        int left = polls;
        fill(A, n), cw_ctx_clear(ctx), stop = 0;
        CHECK(cw_dense_eigen_watched(&watch, a, A, room, n, 0) == -1, "%d polls", left);
        CHECK(ctx->status == CW_ERR_INTERRUPT && stop == 1, "%d polls: %s", left, ctx->text);
        polls = left;
    }
    free(A), free(room), free(a);
    cw_ctx_free(ctx);
}

/* One thread works on and looks only at `stop`; the thread that entered the engine is out of work, and must hear the
 * host say stop and pass it on. */
static void test_rest(void)
{
    int polls = 10, stop = 0, done = 0, heard = 0;
    const cw_host host = {&polls, NULL, after_some, NULL};
    cw_ctx *ctx = cw_ctx_new(&host);
#ifdef _OPENMP
#pragma omp parallel num_threads(2)
    {
        const cw_watch watch = cw_watch_here(ctx, &stop);
        double until = omp_get_wtime() + 20.0;
        if (cw_thread_number() == 1)
            while (omp_get_wtime() < until && !heard) heard = cw_watch_stop(&watch);
        cw_watch_rest(ctx, &done, &stop);
    }
    CHECK(heard == 1 && done == 2 && ctx->status == CW_ERR_INTERRUPT, "heard %d, %d done", heard, done);
#else
    (void)polls, (void)stop, (void)done, (void)heard;
#endif
    cw_ctx_free(ctx);
}

int main(void)
{
    int before = cw_blas_enter();
    test_steps(), test_rest();
    cw_blas_leave(before);
    return test_end();
}
