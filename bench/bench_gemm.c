/* bench_gemm.c: sgemm n^3 straight from OpenBLAS with its own threads: what the engine's product is held against.
 *   usage: bench_gemm N THREADS REPEATS      prints GFLOP/s (best) and the core type */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

extern char *openblas_get_corename(void);
extern void openblas_set_num_threads(int);

int main(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 2048, threads = argc > 2 ? atoi(argv[2]) : 2, repeats = argc > 3 ? atoi(argv[3]) : 10;
    float *a = malloc((size_t)n * n * 3 * sizeof *a);
    if (!a || n < 1) return 1;
    for (size_t i = 0; i < (size_t)n * n * 3; i++) a[i] = (float)(i % 17) - 8;
    openblas_set_num_threads(threads);
    double best = 0;
    for (int i = 0; i < repeats; i++) {
        struct timespec s, e;
        timespec_get(&s, TIME_UTC);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, a + (size_t)n * n, n, 0, a + 2 * (size_t)n * n, n);
        timespec_get(&e, TIME_UTC);
        double t = (double)(e.tv_sec - s.tv_sec) + 1e-9 * (double)(e.tv_nsec - s.tv_nsec), g = 2e-9 * n * n * n / t;
        if (g > best) best = g;
    }
    printf("%.1f %s\n", best, openblas_get_corename());
    free(a);
    return 0;
}
