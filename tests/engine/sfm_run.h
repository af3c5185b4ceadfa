/* sfm_run.h: an SFM's training with typed options and batches, over the engine's named ones; for tests, parity and bench. */
#ifndef SFM_RUN_H
#define SFM_RUN_H

#include "models/sfm/sfm.h"
#include "train/trainer.h"
#include "test.h"

enum { SFM_RECONSTRUCTION, SFM_KL, SFM_PRIOR, SFM_DAG, SFM_SPARSITY };

typedef struct {
    float lr, beta1, beta2, eps, weight_decay, clip;
    int64_t total_steps, warmup_steps;
    float min_lr_ratio;
    int64_t regularizer_start;
    float lambda_dag, lambda_sparsity;
    cw_sfm_loss_spec loss;
} sfm_options;

typedef struct {
    double elbo, prior, dag, sparsity, total;
} sfm_losses;

static inline cw_sfm *sfm_new(cw_ctx *ctx, const cw_sfm_config *config, uint64_t key)
{
    return (cw_sfm *)cw_model_new(ctx, &cw_sfm_class, config, key);
}
static inline void sfm_free(cw_sfm *m) { cw_model_free((cw_model *)m); }

static inline cw_optimizer sfm_optimizer(const sfm_options *o)
{
    return (cw_optimizer){.kind = CW_ADAMW, .lr = o->lr, .beta1 = o->beta1, .beta2 = o->beta2, .eps = o->eps,
                          .weight_decay = o->weight_decay, .clip = o->clip, .schedule = CW_SCHEDULE_COSINE,
                          .total_steps = o->total_steps, .warmup_steps = o->warmup_steps,
                          .min_lr_ratio = o->min_lr_ratio, .delay = o->regularizer_start, .every = 1};
}

/* A batch as named arrays; flags become whole numbers in memory that sfm_arrays_free gives back. */
typedef struct {
    cw_array item[7];
    int64_t n;
    int32_t *flags[2];
} sfm_arrays;

static inline int32_t *sfm_whole(const uint8_t *x, int64_t n)
{
    int32_t *y = malloc((size_t)(n + 1) * sizeof *y);
    for (int64_t i = 0; i < n; i++) y[i] = x[i];
    return y;
}

static inline sfm_arrays sfm_arrays_of(const cw_sccafm_input *in)
{
    int64_t c = in->cells, g = in->genes;
    int shared = in->ids_shared;
    sfm_arrays a = {.flags = {sfm_whole(in->non_tf, shared ? g : c * g), NULL}};
    a.item[a.n++] = (cw_array){.name = "ids", .type = CW_ARRAY_I32, .ndim = shared ? 1 : 2, .dim = {shared ? g : c, g},
                               .data = in->ids};
    a.item[a.n++] = (cw_array){.name = "nonTF", .type = CW_ARRAY_I32, .ndim = shared ? 1 : 2,
                               .dim = {shared ? g : c, g}, .data = a.flags[0]};
    a.item[a.n++] = (cw_array){.name = "values", .type = CW_ARRAY_F32, .ndim = 2, .dim = {c, g}, .data = in->values};
    a.item[a.n++] = (cw_array){.name = "conditions", .type = CW_ARRAY_I32, .ndim = 2, .dim = {c, 4},
                               .data = in->condition};
    if (in->padding) {
        a.flags[1] = sfm_whole(in->padding, c * g);
        a.item[a.n++] = (cw_array){.name = "padding", .type = CW_ARRAY_I32, .ndim = 2, .dim = {c, g},
                                   .data = a.flags[1]};
    }
    if (in->eps)
        a.item[a.n++] = (cw_array){.name = "eps", .type = CW_ARRAY_F32, .ndim = 2, .dim = {c, g}, .data = in->eps};
    return a;
}
static inline void sfm_arrays_free(sfm_arrays *a) { free(a->flags[0]), free(a->flags[1]); }

/* Begins the task; the prior's pairs are bound to the model. */
static inline cw_trainer *sfm_trainer(cw_sfm *m, cw_tape *tape, const char *task, const sfm_options *o, uint64_t key)
{
    cw_optimizer optimizer = sfm_optimizer(o);
    const cw_sfm_pretrain settings = {o->loss.prior_top, o->loss.prior_positive, o->loss.prior_negative};
    const float weight[] = {1.0f, 1.0f, o->loss.use_prior ? 20.0f : 0.0f, o->loss.use_dag ? o->lambda_dag : 0.0f,
                            o->loss.use_sparsity ? o->lambda_sparsity : 0.0f};
    int64_t n = o->loss.use_prior ? o->loss.prior.count : 0;
    int32_t *pairs = malloc((size_t)(2 * n + 1) * sizeof *pairs);
    for (int64_t i = 0; i < n; i++)
        pairs[2 * i] = (int32_t)(o->loss.prior.sorted[i] >> 32), pairs[2 * i + 1] = (int32_t)o->loss.prior.sorted[i];
    const cw_array prior = {.name = "prior", .type = CW_ARRAY_I32, .ndim = 2, .dim = {n, 2}, .data = pairs};
    cw_model_bind(&m->model, &prior, n > 0);
    free(pairs);
    const cw_task *t = cw_model_task(&cw_sfm_class, task);
    if (m->model.ctx->status != CW_OK) return NULL;
    return cw_trainer_new(&m->model, tape, t, &optimizer, t->bytes ? &settings : NULL, NULL, 0,
                          t->bytes ? weight : NULL, key);
}

static inline cw_status sfm_micro(cw_trainer *tr, const cw_sccafm_input *in, int64_t micro, float prior_weight,
                                  float grad_weight, sfm_losses *l)
{
    cw_step_report r;
    float weight[CW_MAX_TERMS];
    memcpy(weight, tr->weight, sizeof weight);
    if (weight[SFM_PRIOR] != 0) weight[SFM_PRIOR] = prior_weight;
    sfm_arrays a = sfm_arrays_of(in);
    cw_trainer_micro(tr, a.item, a.n, micro, weight, grad_weight, &r);
    sfm_arrays_free(&a);
    *l = (sfm_losses){r.weighted[SFM_RECONSTRUCTION] + r.weighted[SFM_KL], r.weighted[SFM_PRIOR], r.weighted[SFM_DAG],
                      r.weighted[SFM_SPARSITY], r.total};
    return tr->model->ctx->status;
}

/* v: (cells, genes, factors) */
static inline cw_status sfm_distil(cw_trainer *tr, const cw_sccafm_input *in, const float *v, int64_t micro,
                                   float grad_weight, double *loss)
{
    cw_step_report r;
    sfm_arrays a = sfm_arrays_of(in);
    a.item[a.n++] = (cw_array){.name = "teacher", .type = CW_ARRAY_F32, .ndim = 3,
                               .dim = {in->cells, in->genes, ((cw_sfm *)tr->model)->config.factors}, .data = v};
    cw_trainer_micro(tr, a.item, a.n, micro, NULL, grad_weight, &r);
    sfm_arrays_free(&a);
    *loss = r.total;
    return tr->model->ctx->status;
}

#endif
