/* checkpoint.h: a run on disk, complete, so that a program killed at any moment goes on where it was, to the same bits.
 *
 * A checkpoint is one safetensors file, <dir>/step-000000123.safetensors: every parameter under its name, moments under
 * optimizer.m.<name> and optimizer.v.<name>, and as metadata the class with its settings, the task with its settings, the
 * optimiser, groups, weights of terms, terms that were switched off, the key and the step. What a host must add (position
 * in the data, fingerprint of the files, its own options) it gives as further pairs of text. The file is written beside,
 * synced and renamed: what has such a name is whole. */
#ifndef CW_CHECKPOINT_H
#define CW_CHECKPOINT_H

#include "../io/safetensors.h"
#include "trainer.h"

/* Writes a checkpoint of the run into `dir`, which must exist, and removes those of earlier steps but the last `keep` (the
 * new one included; at least 1). Weights that aren't finite are refused. */
cw_status cw_checkpoint_save(const cw_trainer *trainer, const char *dir, int keep, const cw_safetensors_pair *pair,
                             int64_t pairs);

/* The checkpoint of the highest step in `dir` as a path; 0 when there is none (or no such folder). */
int cw_checkpoint_latest(const char *dir, char *path, size_t size);

/* The value of a host's pair, a copy to be freed with cw_free; NULL when there is none, or with the error recorded. */
char *cw_checkpoint_pair(cw_ctx *ctx, const char *path, const char *key);

/* Weights, moments, step, key and switched-off terms into a trainer that has begun the same task of the same model, with
 * options of its own. Another class, other settings of the model, another task, another set of trained parameters, missing
 * or non-finite tensors are errors; nothing has changed then. */
cw_status cw_checkpoint_load(cw_trainer *trainer, const char *path);

/* A model with the settings and weights of a checkpoint. */
cw_model *cw_checkpoint_model(cw_ctx *ctx, const char *path) CW_USED_RESULT;
/* The run itself: a trainer with the checkpoint's options. Inputs that the task's begin reads must have been bound. */
cw_trainer *cw_checkpoint_resume(cw_model *model, cw_tape *tape, const char *path) CW_USED_RESULT;

#endif
