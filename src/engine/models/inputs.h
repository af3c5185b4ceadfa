/* inputs.h: what goes into a model and what comes out, as named arrays.
 *
 * A host (R, a test, a file) hands over arrays by name; a model asks for those it wants, by name, type and shape. What it
 * asks for and isn't there, has another shape, or was given and never asked for, is an error that names it. Shapes are
 * row-major; an R matrix of genes x cells is (cells, genes) here. */
#ifndef CW_INPUTS_H
#define CW_INPUTS_H

#include "../core/arena.h"
#include "../core/core.h"

#define CW_INPUT_DIMS 4

typedef enum cw_array_type { CW_ARRAY_I32, CW_ARRAY_F32, CW_ARRAY_F64, CW_ARRAY_U16, CW_ARRAY_CSR } cw_array_type;

typedef struct cw_array {
    const char *name;
    cw_array_type type;
    int ndim;
    int64_t dim[CW_INPUT_DIMS];
    const void *data; /* int32_t, float, double; of a CSR its values (double) */
    /* of a CSR, (rows, cols): where each row begins among the values, rows + 1, and each value's column */
    const int64_t *start;
    const int32_t *column;
} cw_array;

double cw_array_number(const cw_array *array, int64_t i); /* value i of a dense one of numbers (not U16) */
int64_t cw_array_count(const cw_array *array); /* values of a dense one; of a CSR those it would have */

/* The arrays of one call, borrowed, and those kept with the model (cw_model_bind), which are looked at second. */
typedef struct cw_inputs {
    cw_ctx *ctx;
    cw_arena *arena; /* for what has to be converted */
    const cw_array *item;
    int64_t count;
    const struct cw_inputs *kept; /* or NULL */
    uint64_t asked;               /* bit i: item[i] was asked for; at most 64 items */
} cw_inputs;

/* The array `name` with `ndim` dimensions dim; a negative one may be anything and is written. NULL with the error recorded;
 * with `optional` NULL without an error when there is none. Values are converted into the arena where they have another
 * type: floats from doubles, integers, sparse rows; flags (0 or 1) and integers from integers. */
const float *cw_in_f32(cw_inputs *in, const char *name, int ndim, int64_t *dim, int optional);
const int32_t *cw_in_i32(cw_inputs *in, const char *name, int ndim, int64_t *dim, int optional);
const uint8_t *cw_in_flags(cw_inputs *in, const char *name, int ndim, int64_t *dim, int optional);
/* The array as it was given, or NULL; it counts as asked for. */
const cw_array *cw_in_find(cw_inputs *in, const char *name);
/* The matrix "counts", dense or CSR, its size in dim; NULL when there is none, or with the error recorded. */
const cw_array *cw_in_counts(cw_inputs *in, int64_t dim[2]);
/* The last call of who reads inputs: an array that nobody asked for is an error. Returns the status. */
cw_status cw_in_done(cw_inputs *in);

/* A CSR array as a dense one, to be freed with cw_free; NULL with the error recorded. */
float *cw_array_dense(cw_ctx *ctx, const cw_array *array);

/* Where results go. `take` lends memory for an array of that name, type and shape, to be filled before the next call of
 * the engine; NULL when there is none (the error is the context's to record: cw_out does). */
typedef struct cw_sink {
    void *user;
    void *(*take)(void *user, const char *name, cw_array_type type, int ndim, const int64_t *dim);
} cw_sink;

/* Memory for a result, or NULL with the error recorded. */
void *cw_out(cw_ctx *ctx, const cw_sink *sink, const char *name, cw_array_type type, int ndim, const int64_t *dim);

#endif
