/* layer_norm.h: the norms as one layer, for those who are told which by a configuration. */
#ifndef CW_LAYER_NORM_H
#define CW_LAYER_NORM_H

#include "../autodiff/ops.h"
#include "params.h"

typedef enum cw_norm_kind { CW_NORM_NONE = 0, CW_NORM_LAYER, CW_NORM_RMS, CW_NORM_BATCH } cw_norm_kind;
typedef struct cw_layer_norm {
    cw_norm_kind kind;
    cw_tensor *w, *b;      /* (d), or NULL; b not for RMS */
    cw_tensor *mean, *var; /* (d), running buffers of BATCH */
    float eps, momentum;   /* momentum: of BATCH */
    const float *times;    /* of BATCH: how many rows each row stands for, or NULL; set where it's used */
} cw_layer_norm;

/* A LAYER norm of `name`.weight (ones) and `name`.bias (zeros), (d). Errors are in the store's context. */
cw_layer_norm cw_layer_norm_new(cw_params *params, int64_t d, float eps, const char *name);

cw_tensor *cw_layer_norm_forward(cw_tape *t, cw_tensor *x, const cw_layer_norm *l); /* NONE: x itself */

#endif
