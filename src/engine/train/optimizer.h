/* optimizer.h: how gradients become new weights, and how the learning rate runs over the steps. */
#ifndef CW_OPTIMIZER_H
#define CW_OPTIMIZER_H

#include "../core/settings.h"
#include "../nn/params.h"

typedef enum cw_optimizer_kind {
    CW_ADAMW, /* Loshchilov & Hutter 2019: decay apart from the gradient */
    CW_ADAM,  /* Kingma & Ba 2015: decay added to the gradient */
    CW_SGD    /* with momentum; decay added to the gradient */
} cw_optimizer_kind;

typedef enum cw_schedule_kind {
    CW_SCHEDULE_COSINE,   /* after the warm-up a half cosine from lr down to lr min_lr_ratio at total_steps */
    CW_SCHEDULE_CONSTANT, /* after the warm-up lr */
    CW_SCHEDULE_STEP      /* after the warm-up lr gamma^(steps / every) */
} cw_schedule_kind;

typedef struct cw_optimizer {
    int kind; /* cw_optimizer_kind */
    float lr, beta1, beta2, eps, weight_decay, momentum;
    float clip;   /* global gradient norm; 0: no clipping */
    float bound;  /* each gradient, after that, is cut to -bound .. bound; 0: isn't */
    int schedule; /* cw_schedule_kind */
    int64_t total_steps, warmup_steps; /* while warming up the rate is lr (step + 1) / warmup_steps */
    float min_lr_ratio;
    int64_t every;
    float gamma;
    int64_t delay; /* a task's delayed terms act from this step on */
} cw_optimizer;

/* cw_optimizer as settings by name. */
extern const cw_setting cw_optimizer_settings[];

/* The learning rate of a step (from 0) where `lr` is a group's. */
double cw_learning_rate(const cw_optimizer *o, double lr, int64_t step);

/* Norm of all gradients, in double. */
double cw_grad_norm(const cw_params *params, const cw_tape *tape);

/* One update of every trained parameter: gradients times clip / norm where that is below 1. `step` from 1. */
void cw_optimizer_update(const cw_optimizer *o, cw_params *params, const cw_group *group, const cw_tape *tape,
                         double norm, int64_t step);

/* Ends a run whose watched loss no longer falls. A host asks once per evaluation. */
typedef struct cw_early_stop {
    int64_t patience; /* evaluations without a fall by min_delta until it is enough; 0: never */
    double min_delta, best;
    int64_t waited;
} cw_early_stop;
int cw_early_stop_enough(cw_early_stop *e, double loss); /* 1: stop */

#endif
