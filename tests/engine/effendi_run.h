/* effendi_run.h: Effendi's stages with typed options and data, over the engine's named ones; for tests, parity and bench. */
#ifndef EFFENDI_RUN_H
#define EFFENDI_RUN_H

#include "models/effendi/effendi.h"
#include "train/trainer.h"
#include "test.h"

typedef enum { STAGE_MATCH = 0, STAGE_FROZEN, STAGE_TUNED } effendi_stage;

typedef struct {
    const float *z_atac, *z_rna, *expression, *gene_emb, *free_atac, *free_rna, *peaks;
    int64_t cells, genes, free_atacs, free_rnas;
} effendi_data;

typedef struct {
    float lr, lr_field, beta1, beta2, eps, weight_decay, clip;
    float w_ode, w_recon, w_tau, w_reverse, w_contrast, w_peaks, temperature;
    int64_t projections;
    cw_effendi_flow flow;
} effendi_options;

typedef struct {
    double ode, recon, tau, reverse, sliced, contrast, peaks, total, tau_bar, grad_norm;
} effendi_values;

static inline cw_effendi *effendi_new(cw_ctx *ctx, const cw_effendi_config *config, uint64_t key)
{
    return (cw_effendi *)cw_model_new(ctx, &cw_effendi_class, config, key);
}
static inline void effendi_free(cw_effendi *m) { cw_model_free((cw_model *)m); }

static inline cw_status effendi_bind(cw_effendi *m, const effendi_data *d)
{
    int64_t a = m->config.atac, w = m->config.dim;
#define F32(text, x, n, d) {.name = text, .type = CW_ARRAY_F32, .ndim = 2, .dim = {n, d}, .data = x}
    const cw_array all[] = {F32("zAtac", d->z_atac, d->cells, a),          F32("zRna", d->z_rna, d->cells, w),
                            F32("expression", d->expression, d->cells, d->genes),
                            F32("geneEmbedding", d->gene_emb, d->genes, w), F32("freeAtac", d->free_atac, d->free_atacs, a),
                            F32("freeRna", d->free_rna, d->free_rnas, w), F32("peaks", d->peaks, d->cells, m->config.peaks)};
#undef F32
    cw_array some[7];
    int64_t n = 0;
    for (int i = 0; i < 7; i++)
        if (all[i].data && all[i].dim[1] > 0) some[n++] = all[i];
    return cw_model_bind(&m->model, some, n);
}

/* A trainer of the stage; NULL with the error in the context. */
static inline cw_trainer *effendi_begin(cw_effendi *m, cw_tape *tape, effendi_stage stage, const effendi_options *o,
                                        uint64_t key)
{
    static const char *const names[] = {"match", "frozen", "tuned"};
    const cw_optimizer optimizer = {.kind = CW_ADAMW, .lr = o->lr, .beta1 = o->beta1, .beta2 = o->beta2, .eps = o->eps,
                                    .weight_decay = o->weight_decay, .clip = o->clip,
                                    .schedule = CW_SCHEDULE_CONSTANT, .total_steps = 1, .every = 1};
    const cw_effendi_stage settings = {o->flow, o->temperature, o->projections};
    const float match[] = {1.0f, o->w_reverse, o->w_contrast};
    const float paired[] = {o->w_ode, o->w_recon, o->w_tau, o->w_reverse, o->w_contrast, o->w_peaks};
    const cw_group field = {"vector_field.*", o->lr_field, NAN, 0};
    return cw_trainer_new(&m->model, tape, cw_model_task(&cw_effendi_class, names[stage]), &optimizer, &settings, &field,
                          stage != STAGE_FROZEN, stage == STAGE_MATCH ? match : paired, key);
}

static inline cw_status effendi_step(cw_trainer *tr, const int64_t *atac, int64_t n, const int64_t *rna, int64_t m,
                                     effendi_values *v)
{
    cw_step_report r;
    int32_t *row = malloc((size_t)(n + m + 1) * sizeof *row);
    for (int64_t i = 0; i < n; i++) row[i] = (int32_t)atac[i];
    for (int64_t i = 0; i < m; i++) row[n + i] = (int32_t)rna[i];
    const cw_array in[] = {{.name = "atac", .type = CW_ARRAY_I32, .ndim = 1, .dim = {n}, .data = row},
                           {.name = "rna", .type = CW_ARRAY_I32, .ndim = 1, .dim = {m}, .data = row + n}};
    *v = (effendi_values){0};
    if (cw_trainer_micro(tr, in, 2, 0, NULL, 1.0f, &r) == CW_OK) {
        double total = r.total, bar = r.report[0];
        const double *x = r.value;
        if (strcmp(tr->task->name, "match") == 0)
            *v = (effendi_values){.sliced = x[0], .reverse = x[1], .contrast = x[2], .total = total, .tau_bar = bar};
        else
            *v = (effendi_values){.ode = x[0], .recon = x[1], .tau = x[2], .reverse = x[3], .contrast = x[4],
                                  .peaks = x[5], .total = total, .tau_bar = bar};
        if (cw_trainer_apply(tr, &r) == CW_OK) v->grad_norm = r.grad_norm;
    }
    if (tr->model->ctx->status != CW_OK) cw_trainer_abandon(tr);
    free(row);
    return tr->model->ctx->status;
}

#endif
