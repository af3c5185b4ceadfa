/* bench_effendi.c: time and memory of Effendi's training step.   usage: bench_effendi [CELLS GENES DIM STEPS THREADS
 * REPEATS]
 *
 * Stage 2.2 (all parameters train) with all four losses, default hidden widths, random data; the peer is
 * peer_effendi_torch.py, which reads weights and data from the FILE written here and has to find the same loss (so
 * dropout is off). One CSV line: stage, method, sizes, seconds of the median and fastest step, peak bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/threads.h"
#include "io/safetensors.h"
#include "train/effendi_trainer.h"

static double now(void)
{
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static int by_size(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static float *noise(int64_t n, float sd, uint64_t stream)
{
    float *x = malloc((size_t)n * sizeof *x);
    cw_rng_fill_normal(x, n, cw_rng_stream(1, CW_RNG_USER, stream, 0), 0.0f, sd);
    return x;
}

/* Weights and data for the peer. */
static void write_all(cw_ctx *ctx, const char *path, const cw_effendi *m, const cw_effendi_data *d)
{
    cw_safetensors_item item[64];
    int64_t n = 0;
    for (int64_t i = 0; i < m->params.count && n < 56; i++) {
        const cw_tensor *x = &m->params.item[i]->tensor;
        item[n++] = (cw_safetensors_item){m->params.item[i]->name, CW_ST_F32, x->ndim, {x->dim[0], x->dim[1]}, cw_f32(x)};
    }
    item[n++] = (cw_safetensors_item){"z_atac", CW_ST_F32, 2, {d->cells, m->config.atac}, d->z_atac};
    item[n++] = (cw_safetensors_item){"z_rna", CW_ST_F32, 2, {d->cells, m->config.dim}, d->z_rna};
    item[n++] = (cw_safetensors_item){"gene_emb", CW_ST_F32, 2, {d->genes, m->config.dim}, d->gene_emb};
    item[n++] = (cw_safetensors_item){"gene_expr", CW_ST_F32, 2, {d->cells, d->genes}, d->expression};
    cw_safetensors_write(ctx, path, item, NULL, n, 0);
}

int main(int argc, char **argv)
{
    int64_t size[] = {128, 1654, 512, 200, 2, 9};
    for (int i = 0; i < 6 && i + 1 < argc; i++) size[i] = atoll(argv[i + 1]);
    int64_t cells = size[0], genes = size[1], dim = size[2], repeats = size[5];
    cw_blas_tune(1);
    int before = cw_blas_enter();
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(getenv("CAUSEWAY_KERNELS"));
    ctx->threads = (int)size[4];
    cw_effendi_config config = {.atac = 256,
                                .dim = dim,
                                .align_hidden = 512,
                                .field_hidden = 128,
                                .tau_hidden = 128,
                                .decoder_hidden = 256,
                                .mod_scale = 0.1f,
                                .dropout = 0,
                                .gene_readout = getenv("GENE_READOUT") != NULL};
    float *za = noise(cells * 256, 1, 1), *zr = noise(cells * dim, 1, 2), *emb = noise(genes * dim, 1.0f / 22.6f, 3);
    float *y = malloc((size_t)(cells * genes) * sizeof *y);
    cw_rng_fill_uniform(y, cells * genes, cw_rng_stream(1, CW_RNG_USER, 4, 0), 0, 1);
    int64_t *row = malloc((size_t)cells * sizeof *row);
    for (int64_t i = 0; i < cells; i++) row[i] = i;
    cw_effendi_data data = {.z_atac = za,
                            .z_rna = zr,
                            .expression = y,
                            .gene_emb = emb,
                            .free_atac = za,
                            .free_rna = zr,
                            .cells = cells,
                            .genes = genes,
                            .free_atacs = cells,
                            .free_rnas = cells};
    double *seconds = malloc((size_t)repeats * sizeof *seconds);
    for (int stage = 0; stage < 3 && ctx->status == CW_OK; stage++) {
        cw_effendi *m = cw_effendi_new(ctx, &config, 7);
        cw_tape *tape = cw_tape_new(ctx);
        cw_effendi_options o = {.lr = 1e-3f,
                                .lr_field = stage ? 1e-6f : 1e-3f,
                                .beta1 = 0.9f,
                                .beta2 = 0.999f,
                                .eps = 1e-8f,
                                .clip = 50,
                                .w_ode = 1,
                                .w_recon = 0.5f,
                                .w_tau = 0.01f,
                                .w_reverse = 0.1f,
                                .projections = 200,
                                .flow = {.steps = size[3], .iterations = 1, .tau_max = 2.0f}};
        cw_effendi_trainer tr;
        cw_effendi_values v = {0};
        if (stage == 2 && getenv("WRITE")) write_all(ctx, getenv("WRITE"), m, &data);
        cw_effendi_begin(&tr, m, tape, (cw_effendi_stage)stage, &o, 5);
        cw_effendi_step(&tr, &data, row, cells, row, cells, &v); /* warms up; shapes the arena */
        double total = v.total;
        cw_memory_reset_peak(ctx);
        for (int64_t i = 0; i < repeats; i++) {
            double from = now();
            cw_effendi_step(&tr, &data, row, cells, row, cells, &v);
            seconds[i] = now() - from;
        }
        qsort(seconds, (size_t)repeats, sizeof *seconds, by_size);
        printf("engine,%s,%s,%lld,%lld,%lld,%lld,%d,%.4f,%.4f,%lld,%.6f\n",
               stage == 0   ? "1"
               : stage == 1 ? "2.1"
                            : "2.2",
               ctx->kernels->name, (long long)cells, (long long)genes, (long long)dim, (long long)size[3], ctx->threads,
               seconds[repeats / 2], seconds[0], (long long)ctx->memory.peak, total);
        if (ctx->status != CW_OK) printf("error: %s\n", ctx->text);
        cw_tape_free(tape);
        cw_effendi_free(m);
    }
    cw_ctx_free(ctx);
    cw_blas_leave(before);
    free(za), free(zr), free(emb), free(y), free(row), free(seconds);
    return 0;
}
