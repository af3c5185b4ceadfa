/* tape.h: reverse-mode differentiation.
 *
 * Operations run at once and, while recording, write themselves onto the tape. A tape has two arenas: records (tensors'
 * heads, nodes) in host memory, and numbers (activations, gradients, what backwards keep, scratch) in the memory of the
 * device that the table of kernels works on. cw_tape_reset gives all back, so a steady training loop asks the system for
 * nothing. With recording off the same forward code is inference, and cw_tape_drop returns memory as soon as the forward
 * is done with it.
 *
 * Errors are sticky: on a failed context every operation returns NULL and does nothing, so a model's forward reads as
 * straight-line maths and its caller looks at ctx->status once. While the status is CW_OK a NULL argument means
 * "absent" (a layer without bias).
 *
 * Tensors are row-major, contiguous; most operations see (rows, cols) with cols the last dimension. Index and offset
 * arrays (genes, segments) are plain int32/int64 host arrays lent by the batch, which must outlive the step unchanged:
 * they go to the device once a step (cw_tape_there). */
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
struct cw_tape;

typedef struct cw_tensor {
    int ndim;
    int64_t dim[CW_MAX_DIM];
    cw_dtype dtype;
    const cw_device *device; /* whose memory it is; NULL: the host's */
    void *data;              /* through cw_f32(); NULL while dropped */
    float *grad;             /* same shape; NULL until a gradient has flowed into it */
    int needs_grad;
    int owned;               /* data and grad belong to the tape's arena */
    struct cw_tape *tape;    /* NULL for parameters */
    struct cw_node *node;    /* what made it; NULL for leaves and parameters */
    struct cw_tensor *base;  /* of a view: its data and gradient are the base's at `offset` */
    int64_t offset;
    double over; /* of a loss: how many things it is a mean of, or their weights' sum; 0: not known; below 0: of none */
    int seeded; /* a loss whose weight is `seed` (see cw_tape_loss_grad) */
    float seed;
    struct cw_tensor *made;       /* within a segment: the tensor made before this one */
    const struct cw_tape *use_of; /* a parameter's first use in a step: the tape, and the step's number there */
    uint64_t use_in;
} cw_tensor;

/* A host array that was copied to the device. */
typedef struct cw_index {
    const void *host;
    int64_t bytes;
    void *there;
} cw_index;

/* A parameter and the node that used it first. */
typedef struct cw_use {
    cw_tensor *param;
    int64_t node;
} cw_use;

typedef struct cw_tape {
    cw_ctx *ctx;
    cw_arena *arena;  /* records and other host memory of the step */
    cw_arena *memory; /* numbers, on the kernels' device */
    const cw_kernels *k;
    cw_exec exec;
    int recording;
    int training;    /* dropout is on */
    uint64_t key;    /* of the random streams of this step */
    uint64_t step;   /* so that every step draws anew */
    uint64_t draws;  /* how many streams were taken in this step, < 65536 */
    uint64_t resets; /* the number of this step on this tape */
    struct cw_node **node; /* in the order they ran */
    int64_t nodes, capacity;
    cw_index *index; /* what went to the device in this step */
    int64_t indices, index_room;
    cw_use *use; /* parameters in the order of their first use */
    int64_t uses, use_room;
    /* Called in the backward as soon as the gradient of a parameter is complete for this step (so that it can be sent
     * while the backward goes on); NULL: nobody asks. */
    void (*ready)(void *user, cw_tensor *param);
    void *ready_user;
    int in_segment;
    int again;            /* a segment is being computed again: state beside the tape (running means) stays as it is */
    cw_tensor *made;      /* the newest tensor of the segment that runs now */
    int64_t keep_limit;   /* values of hidden layers that a flow keeps for its backward; beyond, it computes them again */
} cw_tape;

typedef struct cw_op {
    const char *name;
    void (*backward)(cw_tape *tape, struct cw_node *node);
    /* Writes node->out's data again from the inputs. Not NULL: the output may be dropped and computed again. */
    void (*forward)(cw_tape *tape, struct cw_node *node);
    int host_only; /* its own loops touch tensors: refused where the kernels work on another device's memory */
    int loss;      /* the output is one number, and the backward asks cw_tape_loss_grad for its gradient */
    int bf16;      /* takes bf16 weights (through cw_tape_weight) */
    int dear;      /* `forward` multiplies matrices: what it made again stays until the backward is done with it */
    int blind;     /* the backward doesn't look at the output, whose memory then serves it */
} cw_op;

typedef struct cw_node {
    const cw_op *op;
    int inputs;
    cw_tensor *in[CW_MAX_INPUTS];
    cw_tensor *out;
    void *saved;    /* the op's own record in host memory, or NULL */
    float *kept[3]; /* device arrays the backward needs; given back after it */
} cw_node;

cw_tape *cw_tape_new(cw_ctx *ctx) CW_USED_RESULT; /* NULL with the error recorded */
void cw_tape_free(cw_tape *tape);
/* Ready for a new step: all tensors of the tape are dead. */
void cw_tape_reset(cw_tape *tape, int recording, int training, uint64_t key, uint64_t step);

/* Tensors. All return NULL with the error recorded. */
cw_tensor *cw_tape_tensor(cw_tape *tape, int ndim, const int64_t *dim);   /* uninitialised */
cw_tensor *cw_tape_matrix(cw_tape *tape, int64_t rows, int64_t cols);     /* uninitialised */
cw_tensor *cw_tape_constant(cw_tape *tape, const float *data, int64_t rows, int64_t cols); /* borrows host data */
cw_tensor *cw_tape_noise(cw_tape *tape, int64_t rows, int64_t cols); /* standard normal, a constant */
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
 * compute it again (operations with a `forward`). Of a view nothing is given back: drop its base, also while the view is
 * in use for the backward. NULL is fine. */
void cw_tape_drop(cw_tape *tape, cw_tensor *x);

/* A piece of the forward that keeps nothing but its inputs and its result: what lies between is computed again in the
 * backward, with the same random streams, and costs that time instead of memory. `run` makes the piece from views of the
 * inputs, with parameters from `user`, and must do the same when called again; it may neither consume the inputs (as
 * self-attention with rotary positions does) nor keep tensors beyond its return. `user` must outlive the step. */
typedef cw_tensor *(*cw_segment_run)(cw_tape *tape, void *user, cw_tensor *const *in);
cw_tensor *cw_tape_segment(cw_tape *tape, cw_segment_run run, void *user, int inputs, cw_tensor *const *in);

/* d(sum_i weight[i] loss[i]) into every tensor that needs it; parameters' gradients are added to. loss[i] are scalars;
 * NULL entries are skipped. Activations are given back on the way. */
cw_status cw_tape_backward(cw_tape *tape, int count, cw_tensor *const *loss, const float *weight);

/* Says what a loss is a mean of, so that those of several processes make the mean of all. NULL is fine. */
static inline cw_tensor *cw_tape_over(cw_tensor *loss, double over)
{
    if (loss) loss->over = over > 0 ? over : -1.0;
    return loss;
}

/* The value of a scalar tensor, fetched from the device; NaN when x is NULL. */
float cw_tape_scalar(const cw_tensor *x);

/* x's values on the host, valid until the tape is reset; NULL on a failed context or without x. */
const float *cw_tape_host(cw_tape *tape, const cw_tensor *x);

/* ---- for the authors of operations ------------------------------------------------------------------------------
 *
 * An operation checks shapes, takes memory and calls kernels; it never reads or writes what tensors hold. One that does
 * is marked host_only. tests/engine/test_guard.c runs every operation on memory that only kernels can touch. */

/* A node for `op` on the given inputs (at most CW_MAX_INPUTS) with `saved` bytes of record (zeroed). NULL on a failed
 * context, and where the op can't work on these inputs' device or dtype. */
cw_node *cw_node_new(cw_tape *tape, const cw_op *op, int inputs, cw_tensor *const *in, size_t saved);
/* The last call of an op: puts the node on the tape (or gives it back when not recording). Returns node->out, or NULL
 * on a failed context. */
cw_tensor *cw_node_done(cw_tape *tape, cw_node *node);
/* A device array the backward needs, kept in slot 0..2 of the node. */
float *cw_node_keep(cw_tape *tape, cw_node *node, int slot, int64_t n);
/* x's values, computed again if they were dropped; NULL on a failed context. */
float *cw_tape_data(cw_tape *tape, cw_tensor *x);
/* The same, or NULL where x is NULL: biases. */
static inline const float *cw_tape_optional(cw_tape *tape, cw_tensor *x) { return x ? cw_tape_data(tape, x) : NULL; }
/* A weight's values in float: its own, or converted into *scratch, which the caller gives back (NULL otherwise). */
const float *cw_tape_weight(cw_tape *tape, cw_tensor *w, float **scratch);
/* x's gradient, zeroed on first use; NULL when x is NULL or needs none (kernels then skip it). */
float *cw_tape_grad(cw_tape *tape, cw_tensor *x);
/* The same without zeroing: *beta is 0 when the memory is fresh and must be written, 1 when it must be added to. */
float *cw_tape_grad_beta(cw_tape *tape, cw_tensor *x, float *beta);
/* The gradient of a loss (an op with `loss`) as a number. It is known on the host, unless the loss went through further
 * operations: then it is fetched. */
float cw_tape_loss_grad(cw_tape *tape, cw_node *node);
/* Scratch on the device: `n` floats, uninitialised; NULL with the error recorded. */
float *cw_tape_take(cw_tape *tape, int64_t n) CW_USED_RESULT;
void cw_tape_give(cw_tape *tape, void *p); /* NULL is fine */
/* Where kernels find a host array: itself, or a copy on the device, made once a step. NULL for NULL, and with the error
 * recorded. The array must stay as it is until the next reset. */
const void *cw_tape_there(cw_tape *tape, const void *host, int64_t bytes);
static inline const int32_t *cw_tape_index(cw_tape *tape, const int32_t *index, int64_t n)
{
    return cw_tape_there(tape, index, n * (int64_t)sizeof *index);
}
cw_ragged cw_tape_ragged(cw_tape *tape, cw_ragged seq); /* with `there` filled in */
/* A random stream nobody else in this step has. A step has 65,536; the next fails. */
cw_stream cw_tape_stream(cw_tape *tape, int purpose);

#endif
