/* tape.h: reverse-mode differentiation.
 *
 * Operations run at once and, while recording, write themselves onto the tape. Activations live in the tape's arena:
 * cw_tape_reset gives all back, so a steady training loop asks the system for nothing. With recording off the same
 * forward code is inference, and cw_tape_drop returns memory as soon as the forward is done with it.
 *
 * Errors are sticky: on a failed context every operation returns NULL and does nothing, so a model's forward reads as
 * straight-line maths and its caller looks at ctx->status once. While the status is CW_OK a NULL argument means
 * "absent" (a layer without bias).
 *
 * Tensors are float, row-major, contiguous; most operations see (rows, cols) with cols the last dimension. Index arrays
 * (genes, segments) are plain int32/int64 arrays lent by the batch, which must outlive the step. */
#ifndef CW_TAPE_H
#define CW_TAPE_H

#include "../core/arena.h"
#include "../core/core.h"
#include "../core/device.h"
#include "../core/rng.h"
#include "../kernels/kernels.h"

#define CW_MAX_DIM 8 /* as in safetensors files */
#define CW_MAX_INPUTS 10

struct cw_node;

typedef struct cw_tensor {
    int ndim;
    int64_t dim[CW_MAX_DIM];
    cw_dtype dtype;
    const cw_device *device; /* whose memory it is; NULL: the host's */
    void *data;             /* through cw_f32(); NULL while dropped */
    float *grad;            /* same shape; NULL until a gradient has flowed into it */
    int needs_grad;
    int owned;              /* data and grad belong to the tape's arena */
    struct cw_node *node;   /* what made it; NULL for leaves and parameters */
    struct cw_tensor *base; /* of a view: gradients flow into the base at `offset` */
    int64_t offset;
} cw_tensor;

typedef struct cw_tape {
    cw_ctx *ctx;
    cw_arena *arena;
    const cw_kernels *k;
    cw_exec exec;
    int recording;
    int training;    /* dropout is on */
    uint64_t key;    /* of the random streams of this step */
    uint64_t step;   /* so that every step draws anew */
    uint64_t draws;  /* how many streams were taken in this step */
    struct cw_node **node; /* in the order they ran */
    int64_t nodes, capacity;
} cw_tape;

typedef struct cw_op {
    const char *name;
    void (*backward)(cw_tape *tape, struct cw_node *node);
    /* Writes cw_f32(node->out) again from the inputs. Not NULL: the output may be dropped and computed again. */
    void (*forward)(cw_tape *tape, struct cw_node *node);
} cw_op;

typedef struct cw_node {
    const cw_op *op;
    int inputs;
    cw_tensor *in[CW_MAX_INPUTS];
    cw_tensor *out;
    void *saved;    /* the op's own record, or NULL */
    float *kept[3]; /* arrays the backward needs; given back after it */
} cw_node;

cw_tape *cw_tape_new(cw_ctx *ctx) CW_USED_RESULT; /* NULL with the error recorded */
void cw_tape_free(cw_tape *tape);
/* Ready for a new step: all tensors of the tape are dead. */
void cw_tape_reset(cw_tape *tape, int recording, int training, uint64_t key, uint64_t step);

/* Tensors. All return NULL with the error recorded. */
cw_tensor *cw_tape_tensor(cw_tape *tape, int ndim, const int64_t *dim);   /* uninitialised */
cw_tensor *cw_tape_matrix(cw_tape *tape, int64_t rows, int64_t cols);     /* uninitialised */
cw_tensor *cw_tape_constant(cw_tape *tape, const float *data, int64_t rows, int64_t cols); /* borrows data */
cw_tensor *cw_tape_rows(cw_tape *tape, cw_tensor *x, int64_t first, int64_t count); /* a view of rows */
cw_tensor *cw_tape_reshape(cw_tape *tape, cw_tensor *x, int64_t rows, int64_t cols); /* a view */

/* The values of a float tensor, in the memory of its device; NULL while dropped. */
static inline float *cw_f32(const cw_tensor *t) { return t->dtype == CW_F32 ? t->data : NULL; }
static inline int64_t cw_cols(const cw_tensor *t) { return t->dim[t->ndim - 1]; }
static inline int64_t cw_rows(const cw_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i + 1 < t->ndim; i++) n *= t->dim[i];
    return n;
}
static inline int64_t cw_count(const cw_tensor *t) { return cw_rows(t) * cw_cols(t); }

/* The forward needs x no more. Inference: its memory is given back. Recording: given back only where the backward can
 * compute it again (norms, element-wise products, concatenations). NULL is fine. */
void cw_tape_drop(cw_tape *tape, cw_tensor *x);

/* d(sum_i weight[i] loss[i]) into every tensor that needs it; parameters' gradients are added to. loss[i] are scalars;
 * NULL entries are skipped. Activations are given back on the way. */
cw_status cw_tape_backward(cw_tape *tape, int count, cw_tensor *const *loss, const float *weight);

/* The value of a scalar tensor; NaN when x is NULL. */
float cw_tape_scalar(const cw_tensor *x);

/* x's values on the host, valid until the tape is reset; NULL on a failed context or without x. */
const float *cw_tape_host(cw_tape *tape, const cw_tensor *x);

/* ---- for the authors of operations ------------------------------------------------------------------------------ */

/* A node for `op` on the given inputs with `saved` bytes of record (zeroed). NULL on a failed context. */
cw_node *cw_node_new(cw_tape *tape, const cw_op *op, int inputs, cw_tensor *const *in, size_t saved);
/* The last call of an op: puts the node on the tape (or gives it back when not recording). Returns node->out, or NULL
 * on a failed context. */
cw_tensor *cw_node_done(cw_tape *tape, cw_node *node);
/* An array the backward needs, kept in slot 0..2 of the node. */
float *cw_node_keep(cw_tape *tape, cw_node *node, int slot, int64_t n);
/* x's values, computed again if they were dropped; NULL on a failed context. */
float *cw_tape_data(cw_tape *tape, cw_tensor *x);
/* x's gradient, zeroed on first use; NULL when x is NULL or needs none (kernels then skip it). */
float *cw_tape_grad(cw_tape *tape, cw_tensor *x);
/* The same without zeroing: *beta is 0 when the memory is fresh and must be written, 1 when it must be added to. */
float *cw_tape_grad_beta(cw_tape *tape, cw_tensor *x, float *beta);
/* A random stream nobody else in this step has. */
cw_stream cw_tape_stream(cw_tape *tape, int purpose);

#endif
