/* model.h: what every model is: a class (its settings, parameters, tasks and queries) and an instance of it.
 *
 * To add a model: a folder with its maths, one line in registry.c. Hosts, the trainer, checkpoints and readers know only
 * what stands here. */
#ifndef CW_MODEL_H
#define CW_MODEL_H

#include "../autodiff/ops.h"
#include "../core/settings.h"
#include "../nn/params.h"
#include "../nn/rules.h"
#include "inputs.h"

#define CW_MAX_TERMS 16
#define CW_MAX_REPORTS 4

typedef struct cw_model cw_model;

/* A part of a loss. A value that isn't finite: fatal ones end the run, the others are switched off for its rest. */
typedef enum cw_term_policy { CW_TERM_FATAL, CW_TERM_DROP } cw_term_policy;
typedef struct cw_term {
    const char *name;
    float weight; /* where a run doesn't say */
    cw_term_policy policy;
    int delayed; /* 1: acts from the run's step `delay` on */
} cw_term;

/* What a task's loss is asked for and gives. */
typedef struct cw_loss {
    int64_t step;                  /* set by who calls: steps taken before */
    int wanted[CW_MAX_TERMS];      /* set by who calls: a term with 0 need not be computed */
    cw_tensor *term[CW_MAX_TERMS]; /* scalars, in the task's order; NULL: not there */
    cw_tensor *report[CW_MAX_REPORTS]; /* further scalars worth showing */
} cw_loss;

/* What a step trains where players take turns: parameters by name (see cw_name_match); `before` steps trained the same,
 * which is what Adam and the schedule count. */
typedef struct cw_turn {
    const char *match;
    int64_t before;
} cw_turn;

/* A way to train. */
typedef struct cw_task {
    const char *name; /* "pretrain" */
    const cw_term *terms; /* ends with a NULL name */
    const char *const *reports; /* names, ends with NULL; or NULL */
    const cw_group *groups;     /* what is trained, ends with a NULL match; NULL: all weights */
    const cw_setting *settings; /* of the loss; NULL: none */
    size_t bytes;               /* of the struct they fill */
    /* Looks at the run's settings and the kept inputs once, before the first step; NULL: nothing to do. */
    cw_status (*begin)(cw_model *m, const void *settings);
    /* Forward and losses of one batch on a recording tape. */
    cw_status (*loss)(cw_model *m, cw_tape *tape, cw_inputs *in, const void *settings, cw_loss *loss);
    /* Whose turn step `step` is, from 0: the others then have no gradient and rest. NULL: every step trains all. */
    cw_turn (*turn)(const void *settings, int64_t step);
} cw_task;

/* Something a model can be asked, without gradients. */
typedef struct cw_query {
    const char *name; /* "networks" */
    const cw_setting *settings;
    size_t bytes;
    cw_status (*run)(cw_model *m, cw_tape *tape, cw_inputs *in, const void *settings, const cw_sink *out);
} cw_query;

/* What a forecast of memory is asked for; 0 where a model has no such size. */
typedef struct cw_sizes {
    int64_t cells, genes, tfs, length;
    int train;
} cw_sizes;

typedef struct cw_preset {
    const char *name; /* "laptop" */
    const cw_option *option;
    int64_t count;
} cw_preset;

typedef struct cw_model_class {
    const char *name;  /* "sfm" */
    const char *title; /* for people */
    const cw_setting *settings; /* of the architecture, into the model's own struct */
    const cw_preset *presets;   /* ends with a NULL name; or NULL */
    const cw_name_rule *rules;  /* other layouts of names; ends with a NULL `to`; or NULL */
    const cw_task *tasks;       /* end with a NULL name; NULL: none */
    const cw_query *queries;
    size_t bytes;           /* of the model's own struct, whose first member is a cw_model */
    size_t config, config_bytes; /* where in it the settings are, and how long they are */
    cw_status (*check)(cw_model *m); /* settings that depend on each other; NULL */
    cw_status (*build)(cw_model *m); /* adds the parameters, with initial values */
    void (*release)(cw_model *m);    /* what build took beside them; NULL */
    void (*after_step)(cw_model *m, cw_tape *tape); /* after an update; NULL */
    void (*forget)(cw_model *m);     /* what an unfinished step gathered; NULL */
    double *(*gathered)(cw_model *m, int64_t *n); /* the same as sums, which those of other processes are added to; NULL */
    double (*forecast)(const cw_model *m, const cw_sizes *sizes); /* bytes at the peak of a batch; NULL */
} cw_model_class;

struct cw_model {
    const cw_model_class *class;
    cw_ctx *ctx;
    cw_params params;
    cw_inputs kept;  /* owned copies, see cw_model_bind */
};

/* A model of the class with random weights from `key`; `config` is its settings' struct, filled. NULL with the error. */
cw_model *cw_model_new(cw_ctx *ctx, const cw_model_class *class, const void *config, uint64_t key) CW_USED_RESULT;
/* The same with settings by name; with `strict` unknown ones are refused. */
cw_model *cw_model_make(cw_ctx *ctx, const cw_model_class *class, const cw_option *option, int64_t n, int strict,
                        uint64_t key) CW_USED_RESULT;
void cw_model_free(cw_model *m); /* NULL is fine */
const void *cw_model_config(const cw_model *m);

/* Keeps copies of arrays (numbers as f32) with the model, in place of those kept before; n = 0 forgets them. On failure
 * nothing is kept. */
cw_status cw_model_bind(cw_model *m, const cw_array *item, int64_t n);

/* Inputs of one call, in the order of looking: `item`, then what is kept. Converted values live in `arena`. */
cw_inputs cw_model_inputs(const cw_model *m, cw_arena *arena, const cw_array *item, int64_t n);

/* The matrix "name" with `cols` columns as a constant of the tape; NULL with the error recorded. */
cw_tensor *cw_model_rows(cw_tape *t, cw_inputs *in, const char *name, int64_t cols);
/* A tensor of the tape as the result "name" (rows, cols); what was written, NULL with the error recorded. */
float *cw_model_put(cw_tape *t, const cw_sink *out, const char *name, const cw_tensor *x);
/* The same, and an error where a number isn't finite: the weights are damaged. */
float *cw_model_put_finite(cw_tape *t, const cw_sink *out, const char *name, const cw_tensor *x);
/* x (n,d) by cell and column: row i goes to place at[i] of dims (cells,columns), where d is 1, or (cells,columns,d); below 0:
 * nowhere. Places without a row are NaN. `at` NULL: nothing is done, for an error recorded before. */
void cw_model_put_at(cw_tape *t, const cw_sink *out, const char *name, const cw_tensor *x, const int64_t *at, int64_t n,
                     int rank, const int64_t *dims);
/* Fails where one of n values isn't: for what is put by other means. */
cw_status cw_model_finite(cw_ctx *ctx, const float *x, int64_t n);

/* Runs a query on a tape that doesn't record; inputs that the query doesn't know are refused. */
cw_status cw_model_run(cw_model *m, cw_tape *tape, const cw_query *query, const cw_array *item, int64_t n,
                       const void *settings, const cw_sink *out);

const cw_task *cw_model_task(const cw_model_class *class, const char *name);    /* NULL: no such */
const cw_query *cw_model_query(const cw_model_class *class, const char *name); /* NULL: no such */

/* registry.c */
const cw_model_class *cw_model_class_named(const char *name); /* NULL: no such */
const cw_model_class *cw_model_class_at(int64_t i);           /* NULL: beyond the last */

#endif
