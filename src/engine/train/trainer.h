/* trainer.h: one optimiser step of any model at a time; the host drives the loop.
 *
 * A step is one or more calls of cw_trainer_micro (a micro-batch: forward, losses, backward, gradients added up), then one
 * of cw_trainer_apply (clip, update, what the model does after a step). An error or interrupt in between leaves weights
 * and step as they were before the step; call cw_trainer_abandon and do the step again.
 *
 * Several processes share a step (cw_trainer_share): micro-batch i of process r has the number i x processes + r. The
 * number, not the process, decides what dropout draws, so one process with eight micro-batches and eight with one do the
 * same. The micro-batches i of all processes make one batch: a loss that is a mean (cw_tensor.over) is the mean over all of
 * it, cells and masked positions counted together, others (those that compare the cells of a batch) are the mean over
 * processes. Gradients are added up over processes while the last backward of the step goes on. */
#ifndef CW_TRAINER_H
#define CW_TRAINER_H

#include "../models/model.h"
#include "buckets.h"
#include "optimizer.h"

typedef struct cw_step_report {
    double value[CW_MAX_TERMS];    /* of each term, unweighted; 0 when off */
    double weighted[CW_MAX_TERMS]; /* as it enters the total */
    double report[CW_MAX_REPORTS];
    double total;
    double grad_norm, lr; /* of an update: the norm before clipping, the rate of the run (not of its groups) */
    int64_t step;         /* steps taken so far */
    int discarded;        /* 1: the gradient wasn't finite; nothing was changed but a term was switched off */
} cw_step_report;

typedef struct cw_trainer {
    cw_model *model;
    cw_tape *tape; /* borrowed */
    const cw_task *task;
    cw_optimizer o;
    void *settings; /* of the task; owned */
    cw_group *group; /* owned, with their names */
    int groups;
    int terms;
    float weight[CW_MAX_TERMS];
    int dropped[CW_MAX_TERMS]; /* 1: a term that turned non-finite stays off */
    uint64_t key;              /* of dropout and noise */
    int64_t step;
    cw_comm *comm;       /* borrowed */
    cw_buckets *buckets; /* owned; NULL in one process */
    int last;            /* set by the host: the next micro-batch is the last of the step */
    int gathered;        /* 1: the gradients are those of all processes */
} cw_trainer;

/* Begins a task: what its groups say is trained (then those of the run, later ones count), moments start at zero. `settings`
 * is the task's filled struct (NULL: none), copied. `weight` has one number per term, or NULL: the task's. NULL with the
 * error recorded; an earlier trainer of the model must not be used any more. */
cw_trainer *cw_trainer_new(cw_model *model, cw_tape *tape, const cw_task *task, const cw_optimizer *optimizer,
                           const void *settings, const cw_group *group, int groups, const float *weight,
                           uint64_t key) CW_USED_RESULT;
void cw_trainer_free(cw_trainer *trainer); /* NULL is fine; the model keeps gradients and moments */

/* The run is that of all processes from now on: weights, moments, step and what else was started from are those of
 * rank 0. `bucket` as for cw_buckets_new. Models or trained parameters that differ are an error. */
cw_status cw_trainer_share(cw_trainer *trainer, cw_comm *comm, int64_t bucket);

/* Adds grad_weight times the gradient of the weighted terms. `weight` NULL: the trainer's; else one number per term, for
 * this call. `micro` is the micro-batch's number within the step, over all processes. Losses and reports are of all
 * processes. */
cw_status cw_trainer_micro(cw_trainer *trainer, const cw_array *item, int64_t n, int64_t micro, const float *weight,
                           float grad_weight, cw_step_report *report);
/* A micro-batch for which this process has no cells. */
cw_status cw_trainer_idle(cw_trainer *trainer, const float *weight, cw_step_report *report);
cw_status cw_trainer_apply(cw_trainer *trainer, cw_step_report *report);
void cw_trainer_abandon(cw_trainer *trainer); /* forgets the gradients gathered since the last apply */

int cw_task_terms(const cw_task *task);
int cw_task_term(const cw_task *task, const char *name); /* its place; -1: no such */

#endif
