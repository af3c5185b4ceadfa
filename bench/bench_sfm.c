/* bench_sfm.c: the engine on a case folder, timed; one JSON line.
 *   usage: bench_sfm infer|train DIR [THREADS [REPEATS]]
 * infer: tokens to factors. train: forward, all losses, backward, clip, AdamW, load balancing.
 * Memory: the engine's own peak, and the process's peak resident size less what it was before the first step. */
#define _POSIX_C_SOURCE 200809L
#include "case.h"

#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double status_mb(const char *field)
{
    char line[256];
    double kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, field, strlen(field)) == 0) sscanf(line + strlen(field), "%lf", &kb);
    if (f) fclose(f);
    return kb / 1024;
}

static void reset_peak(void)
{
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (f) fputs("5", f), fclose(f);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void infer(sfm_case *c)
{
    cw_tape_reset(c->tape, 0, 0, 1, 0);
    cw_sccafm_batch_build(&c->batch, c->tape->arena, &c->input, &c->model->config.trunk);
    cw_sfm_forward(c->model, c->tape, &c->batch, NULL);
}

static void train(sfm_case *c, cw_trainer *trainer)
{
    sfm_losses losses;
    cw_step_report report;
    sfm_micro(trainer, &c->input, 0, 20.0f, 1.0f, &losses);
    cw_trainer_apply(trainer, &report);
}

int main(int argc, char **argv)
{
    sfm_case c;
    int threads = argc > 3 ? atoi(argv[3]) : 2, repeats = argc > 4 ? atoi(argv[4]) : 7;
    if (argc < 3 || threads < 1 || repeats < 1 || repeats > 1000) {
        printf("usage: bench_sfm infer|train DIR [THREADS [REPEATS]]\n");
        return 2;
    }
    int training = strcmp(argv[1], "train") == 0;
    cw_blas_tune(1);
    int before = cw_blas_enter();
    if (!open_case(&c, argv[2], NULL, threads)) {
        printf("%s: %s\n", argv[2], c.ctx ? c.ctx->text : "no memory");
        return 1;
    }
    double *seconds = calloc((size_t)repeats, sizeof *seconds);
    reset_peak();
    double rss = status_mb("VmRSS:");
    int64_t held = c.ctx->memory.bytes;
    cw_memory_reset_peak(c.ctx);
    sfm_options o = options_of(&c);
    o.total_steps = 1000;
    cw_trainer *trainer = training ? sfm_trainer(c.model, c.tape, "pretrain", &o, 1) : NULL;
    for (int i = -2; i < repeats; i++) { /* two to warm up */
        double start = now();
        if (training) train(&c, trainer);
        else infer(&c);
        if (i >= 0) seconds[i] = now() - start;
    }
    qsort(seconds, (size_t)repeats, sizeof *seconds, ascending);
    int64_t calls = c.ctx->memory.calls;
    if (training) train(&c, trainer);
    else infer(&c);
    printf("{\"what\": \"causeway %s\", \"cells\": %lld, \"genes\": %lld, \"threads\": %d, \"median_s\": %.4f, \"min_s\": %.4f, "
           "\"engine_peak_mb\": %.1f, \"rss_peak_minus_before_mb\": %.1f, \"rss_peak_mb\": %.1f, \"blas_core\": \"%s\", "
           "\"allocations_in_a_steady_step\": %lld, \"status\": \"%s\"}\n",
           argv[1], (long long)c.input.cells, (long long)c.input.genes, threads, seconds[repeats / 2], seconds[0],
           (double)(c.ctx->memory.peak - held) / 1048576.0, status_mb("VmHWM:") - rss, status_mb("VmHWM:"), cw_blas_get().core,
           (long long)(c.ctx->memory.calls - calls), cw_status_name(c.ctx->status));
    cw_trainer_free(trainer);
    close_case(&c);
    cw_ctx_free(c.ctx);
    free(seconds);
    cw_blas_leave(before);
    return 0;
}
