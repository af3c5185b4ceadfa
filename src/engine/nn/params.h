/* params.h: the parameters of a model, named and ordered as in the published checkpoint.
 *
 * A parameter is a tensor that outlives the tape. Buffers (state that is saved but not trained) are parameters with
 * `trainable` 0. Gradients and moments exist only after cw_params_prepare_training. */
#ifndef CW_PARAMS_H
#define CW_PARAMS_H

#include "../autodiff/tape.h"

typedef struct cw_param {
    char *name;
    cw_tensor tensor;   /* data always there; grad only while training */
    float *m, *v;       /* AdamW's moments, the shape of the tensor */
    int trainable;
    int64_t frozen_first, frozen_count; /* these values get no gradient, see cw_params_freeze */
} cw_param;

typedef struct cw_params {
    cw_ctx *ctx;
    cw_param **item; /* in the order they were added */
    int64_t count, capacity;
} cw_params;

void cw_params_init(cw_params *params, cw_ctx *ctx);
void cw_params_free(cw_params *params);

/* Adds a parameter of zeros called by the printf format. Returns its tensor, owned by the store; NULL with the error
 * recorded (also when the context has already failed, so that many can be added and the status looked at once). */
cw_tensor *cw_params_add(cw_params *params, int trainable, int ndim, const int64_t *dim, const char *format, ...)
    CW_FORMAT(5, 6);
cw_param *cw_params_find(const cw_params *params, const char *name); /* NULL: no such */
int64_t cw_params_values(const cw_params *params);                   /* how many numbers they hold together */

/* Takes memory for gradients (zeroed) and moments (zeroed, once). */
cw_status cw_params_prepare_training(cw_params *params);
void cw_params_zero_grad(cw_params *params);
void cw_params_zero_moments(cw_params *params);

/* `count` values from `first` of the parameter added last have gradient zero: an embedding's padding row, or a bias that
 * a softmax can't see (it adds the same to all scores; what rounding leaves of its gradient Adam would blow up). */
void cw_params_freeze(cw_params *params, int64_t first, int64_t count);
void cw_params_mask_frozen(cw_params *params); /* zeroes those gradients; after the backward */

/* Published initial values. */
void cw_init_normal(cw_tensor *t, cw_stream s, float sd);
void cw_init_xavier_uniform(cw_tensor *t, cw_stream s); /* weight (out, in): U(-a, a), a = sqrt(6 / (in + out)) */
void cw_init_constant(cw_tensor *t, float value);

#endif
