/* bench_pool.c: the pooled network from stored factors beside the matrix product alone.
 *
 *   make -C tests/engine SAN= OPT=-O2 build/gcc/bench_pool && tests/engine/build/gcc/bench_pool [product|pool] \
 *       [CELLS TFS GENES FACTORS K THREADS]
 *
 * product: (TFs x cells M) (cells M x genes) in float on dense blocks of 64 cells that are there already, by the
 * engine's own gemm, so by the BLAS; pool: cw_network_pool on random factors. Prints seconds and GFLOP/s of the dense
 * product. Without a word: both. */
#include "test.h"

#include "core/rng.h"
#include "kernels/kernels.h"
#include "core/threads.h"
#include "stats/network.h"

#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fill(uint16_t *index, float *weight, int64_t n, int64_t factors, int64_t k)
{
    uint64_t s = 88172645463325252ull;
    for (int64_t e = 0; e < n; e++) {
        s ^= s << 13, s ^= s >> 7, s ^= s << 17;
        index[e] = (uint16_t)((e % k) * (factors / k) + (int64_t)(s % (uint64_t)(factors / k)));
        weight[e] = (float)(s >> 40) * 0x1p-24f;
    }
}

static double product(cw_ctx *ctx, int64_t cells, int64_t tfs, int64_t genes, int64_t factors)
{
    int64_t width = 64 * factors;
    float *u = malloc((size_t)(tfs * width) * 4), *v = malloc((size_t)(genes * width) * 4);
    float *score = calloc((size_t)(tfs * genes), 4);
    for (int64_t e = 0; e < tfs * width; e++) u[e] = (float)(e % 13) * 0.01f;
    for (int64_t e = 0; e < genes * width; e++) v[e] = (float)(e % 11) * 0.01f;
    cw_exec ex = {.threads = ctx->threads};
    ctx->kernels->gemm(&ex, score, genes, u, width, 0, v, genes, 0, 1.0f, 0.0f, tfs, genes, width);
    double start = now();
    for (int64_t c = 0; c < cells; c += 64)
        ctx->kernels->gemm(&ex, score, genes, u, width, 0, v, genes, 0, 1.0f, 1.0f, tfs, genes,
                           (cells - c < 64 ? cells - c : 64) * factors);
    double spent = now() - start;
    free(u), free(v), free(score);
    return spent;
}

int main(int count, char **word)
{
    int64_t size[6] = {10000, 1000, 2000, 32, 4, 2};
    const char *what = count > 1 ? word[1] : "both";
    for (int i = 2; i < count && i < 8; i++) size[i - 2] = atoll(word[i]);
    int64_t cells = size[0], tfs = size[1], genes = size[2], factors = size[3], k = size[4];
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(NULL);
    ctx->threads = (int)size[5];
    cw_blas_tune(1);
    int before = cw_blas_enter();
    double flops = 2e-9 * (double)tfs * (double)genes * (double)factors * (double)cells;
    if (strcmp(what, "pool")) {
        double s = product(ctx, cells, tfs, genes, factors);
        printf("{\"what\": \"product\", \"seconds\": %.4f, \"gflops\": %.1f}\n", s, flops / s);
    }
    if (strcmp(what, "product")) {
        int64_t nu = cells * tfs * k, nv = cells * genes * k;
        uint16_t *ui = malloc((size_t)nu * 2), *vi = malloc((size_t)nv * 2);
        float *uw = malloc((size_t)nu * 4), *vw = malloc((size_t)nv * 4), *score = malloc((size_t)(tfs * genes) * 4);
        int32_t *tf_gene = malloc((size_t)tfs * 4);
        for (int64_t i = 0; i < tfs; i++) tf_gene[i] = (int32_t)i;
        fill(ui, uw, nu, factors, k), fill(vi, vw, nv, factors, k);
        cw_factors f = {cells, tfs, genes, factors, k, ui, uw, vi, vw, tf_gene};
        double start = now();
        cw_status status = cw_network_pool(ctx, score, &f, NULL, 0);
        double s = now() - start, sum = 0;
        for (int64_t e = 0; e < tfs * genes; e++) sum += score[e];
        printf("{\"what\": \"pool\", \"seconds\": %.4f, \"gflops\": %.1f, \"sum\": %.8g, \"text\": \"%s\"}\n", s,
               flops / s, sum, status == CW_OK ? "" : ctx->text);
        free(ui), free(vi), free(uw), free(vw), free(score), free(tf_gene);
    }
    cw_blas_leave(before);
    cw_ctx_free(ctx);
    return 0;
}
