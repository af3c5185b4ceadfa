/* params.h: the parameters of a model, named and ordered as in the published checkpoint.
 *
 * A parameter is a tensor that outlives the tape. Its role says what it is for ever: a weight can be trained, a buffer is
 * state that is saved but never trained. Numbers are in the memory of the device that the context's kernels work on when
 * a parameter is added. What a run trains is another matter: cw_params_train is told by groups, and only
 * what is trained has a gradient and moments. */
#ifndef CW_PARAMS_H
#define CW_PARAMS_H

#include "../autodiff/tape.h"

typedef enum cw_role { CW_BUFFER = 0, CW_WEIGHT = 1 } cw_role;

typedef struct cw_param {
    char *name;
    int64_t number; /* its place in the store */
    cw_tensor tensor; /* data always there; grad, and needs_grad set, only while it is trained */
    cw_role role;
    int group;        /* of the run that is on; -1: not trained */
    float *m, *v;     /* the optimiser's moments, the shape of the tensor; only while it is trained */
    int64_t mute_first, mute_count; /* these values get no gradient, see cw_params_mute */
    cw_ctx *ctx;
    float *staged; /* host copy of the values of another device, see cw_param_host */
} cw_param;

/* A second name of a parameter: tied weights that a published file holds under both. */
typedef struct cw_alias {
    char *name;
    cw_param *of;
} cw_alias;

typedef struct cw_params {
    cw_ctx *ctx;
    cw_param **item; /* in the order they were added */
    int64_t count, capacity;
    cw_alias *alias;
    int64_t aliases;
    int32_t *slot; /* hash index of names: i of item[i], or count-independent -2 - j of alias[j]; -1: free */
    int64_t slots;
    uint64_t key, drawn; /* of the initial values */
} cw_params;

void cw_params_init(cw_params *params, cw_ctx *ctx, uint64_t key);
void cw_params_free(cw_params *params);

/* Adds a parameter of zeros called by the printf format. Returns its tensor, owned by the store; NULL with the error
 * recorded (also when the context has already failed, so that many can be added and the status looked at once). A name
 * that is taken, and more than CW_MAX_DIM dimensions, are errors. */
cw_tensor *cw_params_add(cw_params *params, cw_role role, int ndim, const int64_t *dim, const char *format, ...)
    CW_FORMAT(5, 6);
/* Another name for a parameter of the store: files are read under either, written under both. */
cw_status cw_params_alias(cw_params *params, const cw_tensor *of, const char *format, ...) CW_FORMAT(3, 4);
cw_param *cw_params_find(const cw_params *params, const char *name); /* by either name; NULL: no such */
int64_t cw_params_values(const cw_params *params);                   /* how many numbers they hold together */
cw_param *cw_param_of(const cw_tensor *tensor); /* the parameter a store's tensor belongs to */

/* A parameter's values on the host. These are the only way to them outside the kernels. `values` holds
 * cw_count(tensor) numbers. cw_param_host lends the values as they are now: where the device is the host without a copy,
 * else as a copy that the parameter keeps. */
cw_status cw_param_set(cw_ctx *ctx, cw_tensor *tensor, const float *values);
cw_status cw_param_get(cw_ctx *ctx, const cw_tensor *tensor, float *values);
cw_status cw_param_gradient(cw_ctx *ctx, const cw_tensor *tensor, float *values); /* of one that is trained */
const float *cw_param_host(cw_ctx *ctx, const cw_tensor *tensor);

/* `count` values from `first` of a parameter have gradient zero: an embedding's padding row, or a bias that a softmax
 * can't see (it adds the same to all scores; what rounding leaves of its gradient Adam would blow up). */
void cw_params_mute(cw_tensor *tensor, int64_t first, int64_t count);
void cw_params_mute_gradients(cw_params *params); /* zeroes those gradients; after the backward */

/* ---- what a run trains ------------------------------------------------------------------------------------------------ */

/* Parameters by name, see cw_name_match; of several groups that match the last counts;
 * a parameter that no group matches is frozen. NAN: the run's own number. */
typedef struct cw_group {
    const char *match;
    float lr, weight_decay;
    int frozen;
} cw_group;

/* Gives every weight its group, takes zeroed gradients and moments for those that are trained now and weren't, gives back
 * those of the others, and sets needs_grad. Moments of what was trained before stay. A pattern that matches nothing is an
 * error that names it. Nothing is changed on failure. Returns the status. */
cw_status cw_params_train(cw_params *params, const cw_group *group, int groups);
/* All weights are trained, as one group. */
cw_status cw_params_train_all(cw_params *params);
/* Nothing is trained: gradients and moments are given back. */
void cw_params_train_none(cw_params *params);
void cw_params_zero_grad(cw_params *params);
void cw_params_zero_moments(cw_params *params);
int64_t cw_params_state_bytes(const cw_params *params); /* of gradients and moments */

/* 1: the pattern, in which * stands for any text and | parts alternatives, is the name. */
int cw_name_match(const char *pattern, const char *name);

/* ---- initial values --------------------------------------------------------------------------------------------------- */

/* A stream of its own for every parameter, from the store's key. */
cw_stream cw_init_stream(cw_params *params);
/* Published initial values; a NULL tensor is passed over. */
void cw_init_normal(cw_tensor *t, cw_stream s, float sd);
void cw_init_uniform(cw_tensor *t, cw_stream s, float low, float high);
void cw_init_xavier_uniform(cw_tensor *t, cw_stream s); /* weight (out, in): U(-a, a), a = sqrt(6 / (in + out)) */
void cw_init_constant(cw_tensor *t, float value);
void cw_init_zero(cw_tensor *t, int64_t first, int64_t count); /* some of its values */

#endif
