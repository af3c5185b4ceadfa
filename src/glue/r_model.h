/* r_model.h: a model as R holds it, and R's values as the engine's: shared by r_model.c, r_train.c, r_arrays.c. */
#ifndef CW_R_MODEL_H
#define CW_R_MODEL_H

#include "glue.h"

#include "../engine/models/model.h"
#include "../engine/train/trainer.h"

/* Behind the external pointer. Everything is taken from ctx, which lives as long as the handle. */
typedef struct cw_handle {
    cw_ctx *ctx;
    cw_model *model;
    cw_tape *tape;
    cw_trainer *trainer; /* NULL until training begins */
} cw_handle;

/* Raises an R error that explains itself when the pointer is dead (after readRDS) or of another kind. */
cw_handle *cw_handle_of(SEXP ptr);

/* The processes that train with this one, once R has asked for them; else one. (r_world.c) */
cw_comm *cw_glue_world(void);

/* One string; raises an R error that names it otherwise. */
const char *cw_glue_text(SEXP x, const char *what);

/* The class, task or query called so; raises an R error when there is none. */
const cw_model_class *cw_glue_class(SEXP name);
const cw_task *cw_glue_task(const cw_model_class *class, SEXP name);
const cw_query *cw_glue_query(const cw_model_class *class, SEXP name);

/* A settings struct in R_alloc'd memory, filled from a list; NULL when there is no table. */
void *cw_glue_filled(SEXP list, const cw_setting *table, size_t bytes);

/* R's named list of arrays as the engine sees them, borrowed: integers and truth values, doubles, and sparse matrices
 * (dgCMatrix). R's dimensions are turned round, so that genes x cells is (cells, genes) row-major. NULL members count as
 * not given. Raises R errors: call it before the engine is entered. */
const cw_array *cw_glue_arrays(SEXP list, int64_t *n);

/* Results in R's memory. Made, and `shelf` protected, before the engine is entered; cw_glue_shelf_list turns it into a
 * named list afterwards (numbers as doubles with R's dimensions, or with `raw` the bytes as they are). */
typedef struct cw_shelf {
    SEXP shelf; /* a pairlist behind its first cell, protected by the caller */
    SEXP last;
} cw_shelf;
cw_shelf cw_glue_shelf(void);
cw_sink cw_glue_sink(cw_shelf *shelf);
SEXP cw_glue_shelf_list(const cw_shelf *shelf, int raw);

#endif
