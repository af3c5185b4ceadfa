/* r_model.h: a model as R holds it, shared by r_model.c and r_train.c. */
#ifndef CW_R_MODEL_H
#define CW_R_MODEL_H

#include "glue.h"

#include "../engine/models/sfm/sfm.h"
#include "../engine/train/trainer.h"

/* Behind the external pointer. Everything is taken from ctx, which lives as long as the handle. */
typedef struct cw_handle {
    cw_ctx *ctx;
    cw_sfm *model;
    cw_tape *tape;
    cw_arena *staging;   /* a call's input, converted from R's types */
    cw_trainer *trainer; /* NULL until training begins */
} cw_handle;

/* Raises an R error that explains itself when the pointer is dead (after readRDS) or of another kind. */
cw_handle *cw_handle_of(SEXP ptr);

/* What R's batch list holds, its types and lengths checked (raises R errors: call before the engine is entered). */
typedef struct cw_r_batch {
    int64_t cells, genes;
    const int *ids, *conditions, *non_tf, *padding; /* padding may be NULL */
    int ids_shared;
    const double *dense;           /* (cells, genes), or NULL: */
    const int *column_start, *row; /* compressed columns, one per cell */
    const double *x;
    const double *eps; /* or NULL */
} cw_r_batch;
cw_r_batch cw_r_batch_read(SEXP batch, SEXP eps);

/* Converts into the handle's staging arena; errors are in its context. */
cw_sfm_input cw_r_batch_stage(cw_handle *h, const cw_r_batch *batch);

/* Loss and optimiser options from R's list; pairs go to the staging arena. */
cw_train_options cw_r_train_options(cw_handle *h, SEXP options);

#endif
