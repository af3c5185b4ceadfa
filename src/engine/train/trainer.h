/* trainer.h: one optimiser step of the SFM at a time; the host drives the loop.
 *
 * A step is one or more calls of cw_trainer_micro (a micro-batch: forward, losses, backward, gradients added up), then
 * one of cw_trainer_apply (clip, AdamW, learning rate, balancing). An error or interrupt in between leaves weights and
 * step as they were before the step; call cw_trainer_abandon and do the step again. */
#ifndef CW_TRAINER_H
#define CW_TRAINER_H

#include "../models/sfm/sfm.h"

typedef struct cw_train_options {
    float lr, beta1, beta2, eps, weight_decay;
    float clip;               /* global gradient norm; 0: no clipping */
    int64_t total_steps;      /* of the schedule */
    int64_t warmup_steps;     /* learning rate (step + 1) / warmup_steps until then; then a cosine down to min_lr_ratio */
    float min_lr_ratio;
    int64_t regularizer_start; /* DAG and sparsity act from this step on */
    float lambda_dag, lambda_sparsity;
    cw_sfm_loss_spec loss;    /* pairs are copied */
} cw_train_options;

/* Weighted as they enter the total; 0 when off. */
typedef struct cw_loss_values {
    double elbo, prior, dag, sparsity, total;
} cw_loss_values;

typedef struct cw_step_report {
    double grad_norm, lr; /* the norm before clipping */
    int64_t step;         /* steps taken so far */
    int discarded;        /* 1: the gradient wasn't finite; nothing was changed but a regulariser was switched off */
} cw_step_report;

typedef struct cw_trainer {
    cw_sfm *model;
    cw_tape *tape; /* borrowed */
    cw_train_options options;
    uint64_t *pairs; /* owned copy */
    uint64_t key;    /* of dropout and noise */
    int64_t step;
    int dag_disabled, sparsity_disabled; /* a regulariser that turned non-finite stays off */
} cw_trainer;

/* Takes memory for gradients and moments. NULL with the error recorded. Moments and step survive a cw_trainer_free when
 * they are saved (io/checkpoint.h). */
cw_trainer *cw_trainer_new(cw_sfm *model, cw_tape *tape, const cw_train_options *options, uint64_t key) CW_USED_RESULT;
void cw_trainer_free(cw_trainer *trainer);

/* Adds grad_weight times the gradient of elbo + prior_weight prior + lambda_dag dag + lambda_sparsity sparsity. */
cw_status cw_trainer_micro(cw_trainer *trainer, const cw_sfm_input *input, int64_t micro, float prior_weight,
                           float grad_weight, cw_loss_values *values);
/* The same for distillation: adds grad_weight times the gradient of cw_sfm_distil_loss, whose value is *loss. */
cw_status cw_trainer_distil(cw_trainer *trainer, const cw_sfm_input *input, cw_sfm_teacher teacher, int64_t micro,
                            float grad_weight, double *loss);
cw_status cw_trainer_apply(cw_trainer *trainer, cw_step_report *report);
void cw_trainer_abandon(cw_trainer *trainer); /* forgets the gradients gathered since the last apply */

double cw_learning_rate(const cw_train_options *options, int64_t step);

#endif
