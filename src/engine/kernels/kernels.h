/* kernels.h: the table of compute kernels.
 *
 * A kernel is a pure function on arrays: outputs first, sizes last; it takes no memory, can't fail, and knows neither
 * tensors nor tapes. One that needs scratch is given `work`, as large as the entry of its name with _work says; what a
 * library plans beforehand (FFTs) is kept with the context. `ref` is plain C that reads like the equation and is the
 * oracle; `cpu` overrides entries with tiled, vectorised, threaded versions; `guard` (tests) passes calls on and proves
 * that nothing else touches the memory. Nobody but kernels reads or writes what tensors hold: see cw_device.
 * Every entry has a test object: in tests/engine/test_kernels.c, test_attention.c, or as the operation it serves in
 * test_ops_*.c.
 *
 * Conventions. All arrays are in the memory of the table's device. They are float, row-major, contiguous unless a leading
 * dimension says otherwise. `n` rows, `d` columns. A single number that a kernel makes is an array of one.
 * Forward kernels write their output whole (nothing is read from it). Backward kernels ADD into every gradient they are
 * given (names start with d); a NULL gradient is not computed. No kernel's result depends on `ex->threads`: work is cut
 * into tiles by shape alone and partial sums are added in a fixed order.
 * Inputs and outputs may not overlap unless the comment says so. */
#ifndef CW_KERNELS_H
#define CW_KERNELS_H

#include "../core/core.h"
#include "../core/device.h"
#include "../core/rng.h"

typedef struct cw_exec {
    int threads; /* OpenMP threads the kernel may use, >= 1 */
} cw_exec;

typedef enum cw_act {
    CW_ACT_NONE = 0,
    CW_ACT_SILU,       /* x sigmoid(x) */
    CW_ACT_GELU,       /* exact: x Phi(x) */
    CW_ACT_RELU,
    CW_ACT_LEAKY_RELU, /* slope 0.01 below 0 */
    CW_ACT_TANH,
    CW_ACT_SIGMOID,
    CW_ACT_SOFTPLUS,   /* log(1 + exp x), stable */
    CW_ACT_COUNT
} cw_act;

typedef enum cw_rotary { CW_ROTARY_NONE = 0, CW_ROTARY_HALF, CW_ROTARY_INTERLEAVED } cw_rotary;

/* Sequences of different lengths, packed one after the other without padding: sequence s is rows [start[s],
 * start[s+1]) of a (start[count], ...) array. */
typedef struct cw_ragged {
    int64_t count;
    const int64_t *start; /* count + 1 offsets, start[0] = 0, non-decreasing; in host memory, also read by loops there */
    const int64_t *there; /* the same for kernels of another device; the host's read `start` */
} cw_ragged;

/* A function of one number with a parameter a. PyTorch's conventions at kinks: the slope at 0 is that from the left. */
typedef enum cw_function_kind {
    CW_FN_LEAKY_RELU = 0, /* x > 0 ? x : a x; ReLU with a = 0 */
    CW_FN_ELU,            /* x > 0 ? x : a (e^x - 1) */
    CW_FN_SOFTPLUS,       /* log(1 + e^(a x)) / a */
    CW_FN_SILU,
    CW_FN_SIGMOID,
    CW_FN_TANH,
    CW_FN_GELU,      /* exact: x Phi(x) */
    CW_FN_GELU_TANH, /* x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2 */
    CW_FN_SIN,       /* sin(a x) */
    CW_FN_EXP,       /* e^(a x) */
    CW_FN_SQUARE,    /* a x^2 */
    CW_FN_COUNT
} cw_function_kind;
typedef struct cw_function {
    cw_function_kind kind;
    float a; /* unused by SILU, SIGMOID, TANH, GELU, GELU_TANH */
} cw_function;

/* The shape of a small operand beside an (n,d) matrix. */
typedef enum cw_shape {
    CW_SHAPE_MATRIX = 0, /* (n,d) itself */
    CW_SHAPE_ROW,        /* (1,d) */
    CW_SHAPE_COLUMN,     /* (n,1) */
    CW_SHAPE_ONE         /* (1,1) */
} cw_shape;

typedef struct cw_attention {
    int64_t heads, head_dim; /* head_dim <= 256 */
    float scale;             /* of q.k before the softmax */
    int causal;              /* query i sees keys 0..i of its sequence */
} cw_attention;

/* Which keys a query sees. A query's own place among the keys is i + (keys - queries): queries are the last of the keys
 * where keys were cached before them. */
typedef enum cw_mask {
    CW_MASK_NONE = 0, /* all */
    CW_MASK_CAUSAL,   /* up to its own place */
    CW_MASK_PREFIX    /* the first prefix[s], and its own place (scGPT's generation) */
} cw_mask;

/* Who asks whom: sequence s has the queries query.start[s] .. and the keys key_start[s] .. of which there are keys[s]. */
typedef struct cw_attend {
    int64_t heads, head_dim; /* head_dim <= 256 */
    float scale;             /* of q.k before the softmax */
    cw_mask mask;
    cw_ragged query;
    const int64_t *key_start; /* (count), and one more where keys is NULL */
    const int64_t *keys;      /* (count); NULL: up to the next sequence's first key */
    const int64_t *prefix;    /* (count); read with CW_MASK_PREFIX only */
} cw_attend;
static inline int64_t cw_attend_keys(const cw_attend *a, int64_t s)
{
    return a->keys ? a->keys[s] : a->key_start[s + 1] - a->key_start[s];
}

/* Attention of sequences to themselves: queries and keys are the same rows. */
static inline cw_attend cw_attend_itself(cw_ragged seq, cw_attention a)
{
    return (cw_attend){a.heads, a.head_dim, a.scale, a.causal ? CW_MASK_CAUSAL : CW_MASK_NONE, seq, seq.start, NULL, NULL};
}

/* One sequence of a long convolution: rows from .. to, transformed at `size` >= 2 (to - from) - 1 values with `plan`, or
 * summed directly where plan is NULL (short ones). Parts of one size stand together. */
typedef struct cw_conv_part {
    int64_t from, to, size;
    const void *plan; /* the backend's: a cw_fft for ref and cpu */
} cw_conv_part;

/* A selective scan (Mamba 2): head h of head_dim columns reads group h / (heads / groups) of B and C. */
typedef struct cw_scan {
    int64_t heads, head_dim, groups, state; /* state: columns of a group of B and C; head_dim, state <= 256 */
    cw_ragged seq;
} cw_scan;

/* A sparse matrix by rows, lent: row i has the entries start[i] .. start[i+1], entry e being in column index[e] with the
 * value at place[e] of an array of values (place NULL: e itself). */
typedef struct cw_sparse {
    int64_t rows, cols;
    const int64_t *start;
    const int32_t *index, *place;
} cw_sparse;

typedef struct cw_adamw {
    float lr, beta1, beta2, eps, weight_decay;
    int64_t step;      /* 1 on the first call: bias correction 1 - beta^step */
    float grad_scale;  /* gradients are multiplied by this first (clipping, accumulation) */
    int coupled;       /* 1: Adam, the decay is added to the gradient */
    float bound;       /* each scaled gradient is cut to -bound .. bound; 0: isn't */
} cw_adamw;

typedef struct cw_sgd {
    float lr, momentum, weight_decay; /* the decay is added to the gradient */
    float grad_scale, bound;
} cw_sgd;
/* What predicted edges are judged by: see prior_loss. */
typedef struct cw_prior {
    cw_ragged gene, tf;        /* rows of v and u of each cell */
    const int32_t *tf_gene;    /* (U): the row of v that a row of u stands for */
    const int32_t *gene_token; /* (N): vocabulary token of each gene row */
    const uint64_t *pair;      /* the known ones: source token << 32 | target token, ascending */
    int64_t pairs, top;        /* top >= 1; cells with fewer edges have all of them judged */
    float positive, negative;  /* weights of known pairs and of others */
} cw_prior;
/* A judged edge: row of u, row of v, d(weighted loss)/d(u . v) before the division by the sum of weights. */
typedef struct cw_judged {
    int32_t u_row, v_row;
    float slope;
} cw_judged;

typedef struct cw_kernels {
    const char *name;        /* "ref", "cpu" */
    const cw_device *device; /* whose memory all pointers are in, but those of cw_exec and cw_ragged.start */

    /* ---- matrix products -------------------------------------------------------------------------------------- */
    /* C (m,n) = alpha op(A) op(B) + beta C; op is the transpose where ta / tb. lda.. are leading dimensions.
     * beta = 0 never reads C. k = 0 scales C. */
    void (*gemm)(const cw_exec *ex, float *C, int64_t ldc, const float *A, int64_t lda, int ta, const float *B,
                 int64_t ldb, int tb, float alpha, float beta, int64_t m, int64_t n, int64_t k);
    /* `batch` products with the same sizes; matrix i of A starts at A + i stride_a, and so on (a stride may be 0 for A
     * and B). */
    void (*gemm_batched)(const cw_exec *ex, float *C, int64_t ldc, int64_t stride_c, const float *A, int64_t lda,
                         int64_t stride_a, int ta, const float *B, int64_t ldb, int64_t stride_b, int tb, float alpha,
                         float beta, int64_t m, int64_t n, int64_t k, int64_t batch);
    /* y (n,out) = act(x (n,in) w^T + b) + residual; w (out,in); b (out) or NULL; residual (n,out) or NULL, may be y.
     * z (n,out) or NULL: receives the value before act (what the backward of act needs). */
    void (*linear)(const cw_exec *ex, float *y, float *z, const float *x, const float *w, const float *b,
                   const float *residual, cw_act act, int64_t n, int64_t in, int64_t out);
    /* the same with sums in double, rounded once: for few rows where small results are differences of large terms */
    void (*linear_precise)(const cw_exec *ex, float *y, float *z, const float *x, const float *w, const float *b,
                           const float *residual, cw_act act, int64_t n, int64_t in, int64_t out);
    void (*to_f32)(const cw_exec *ex, float *y, const uint16_t *x, int64_t n); /* x: bf16 */
    /* db (d) += column sums of dy (n,d) */
    void (*column_sum)(const cw_exec *ex, float *db, const float *dy, int64_t n, int64_t d);
    /* P (m,m) = A (m,m)^power by repeated squaring, power >= 0; work (2,m,m) */
    void (*matrix_power)(const cw_exec *ex, float *P, float *work, const float *A, int64_t m, int64_t power);

    /* ---- elementwise ------------------------------------------------------------------------------------------ */
    void (*fill)(const cw_exec *ex, float *y, float a, int64_t n);                                /* y = a */
    /* y = a x + b; y may be x */
    void (*affine)(const cw_exec *ex, float *y, const float *x, float a, float b, int64_t n);
    void (*act)(const cw_exec *ex, float *y, const float *x, cw_act act, int64_t n);                         /* y may be x */
    void (*act_backward)(const cw_exec *ex, float *dx, const float *dy, const float *x, cw_act act, int64_t n); /* adds */
    /* y = silu(gate) up, elementwise; y may be gate or up */
    void (*swiglu)(const cw_exec *ex, float *y, const float *gate, const float *up, int64_t n);
    /* here dgate and dup are WRITTEN, not added to, and may be the same arrays as gate and up */
    void (*swiglu_backward)(const cw_exec *ex, float *dgate, float *dup, const float *dy, const float *gate,
                            const float *up, int64_t n);
    void (*axpy)(const cw_exec *ex, float *y, const float *x, float a, int64_t n); /* y += a x */
    /* y = x keep / (1 - p), keep_i = uniform_i of the stream >= p; the backward is the same call on dy. y may be x. */
    void (*dropout)(const cw_exec *ex, float *y, const float *x, float p, cw_stream stream, int64_t n);
    void (*normal)(const cw_exec *ex, float *y, cw_stream stream, int64_t n); /* standard normal noise */

    /* y = f(x), or its first or second derivative by `order`; y may be x */
    void (*function)(const cw_exec *ex, float *y, const float *x, cw_function f, int order, int64_t n);
    /* dx += dy f^(order + 1)(x), order 0 or 1 */
    void (*function_backward)(const cw_exec *ex, float *dx, const float *dy, const float *x, cw_function f, int order,
                              int64_t n);

    /* ---- small operands spread over matrices, and sums collected into them -------------------------------------- */
    /* out (n,d) = beta out + alpha x y with y of the shape said, repeated to (n,d); x (n,d), or NULL: ones. beta = 0
     * never reads out. out may be x, and y where that is a matrix. */
    void (*spread)(const cw_exec *ex, float *out, const float *x, const float *y, cw_shape shape, float alpha,
                   float beta, int64_t n, int64_t d);
    /* The transpose: out, of the shape said, = beta out + alpha times the sums of x y (n,d) over what the shape lacks;
     * y (n,d), or NULL: ones. */
    void (*collect)(const cw_exec *ex, float *out, const float *x, const float *y, cw_shape shape, float alpha,
                    float beta, int64_t n, int64_t d);
    /* y = x, or y += x: blocks (n,d) of matrices whose rows are ldy and ldx apart */
    void (*copy_block)(const cw_exec *ex, float *y, int64_t ldy, const float *x, int64_t ldx, int accumulate,
                       int64_t n, int64_t d);
    /* y = x, or y += x, with the rows of each sequence in reverse order */
    void (*reverse)(const cw_exec *ex, float *y, const float *x, int accumulate, cw_ragged seq, int64_t d);

    /* ---- convolutions along packed sequences, each column (channel) with its own filter ------------------------- */
    /* y_t = b + sum_j w_j x_(t - taps + 1 + j) within the sequence: w (d,taps) as published, b (d) or NULL; x, y (n,d) */
    void (*short_conv)(const cw_exec *ex, float *y, const float *x, const float *w, const float *b, cw_ragged seq,
                       int64_t taps, int64_t d);
    void (*short_conv_backward)(const cw_exec *ex, float *dx, float *dw, const float *dy, const float *x,
                                const float *w, cw_ragged seq, int64_t taps, int64_t d);
    /* How a sequence of `length` rows is convolved: size and plan of `part`. Plans are kept with the context, where errors
     * are recorded. */
    void (*conv_plan)(struct cw_ctx *ctx, cw_conv_part *part, int64_t length);
    /* floats of work space that long_conv (backward = 0) and its backward (1) need */
    int64_t (*long_conv_work)(const cw_exec *ex, const cw_conv_part *part, int64_t parts, int64_t d, int backward);
    /* y_t = sum_(s <= t) h_s x_(t-s) + b x_t within each part: h (taps,d), rows beyond it count 0; b (d) or NULL */
    void (*long_conv)(const cw_exec *ex, float *y, float *work, const float *x, const float *h, const float *b,
                      const cw_conv_part *part, int64_t parts, int64_t taps, int64_t d);
    void (*long_conv_backward)(const cw_exec *ex, float *dx, float *dh, float *db, float *work, const float *dy,
                               const float *x, const float *h, const float *b, const cw_conv_part *part, int64_t parts,
                               int64_t taps, int64_t d);

    /* ---- norms and softmax over the columns of (n,d) ------------------------------------------------------------ */
    /* y = x rstd w, rstd = 1 / sqrt(mean(x^2) + eps); rstd (n) is written; w (d) or NULL */
    void (*rmsnorm)(const cw_exec *ex, float *y, float *rstd, const float *x, const float *w, float eps, int64_t n,
                    int64_t d);
    void (*rmsnorm_backward)(const cw_exec *ex, float *dx, float *dw, const float *dy, const float *x, const float *w,
                             const float *rstd, int64_t n, int64_t d);
    /* y = (x - mean) rstd w + b, biased variance; mean, rstd (n) written; w, b (d) or NULL */
    void (*layernorm)(const cw_exec *ex, float *y, float *mean, float *rstd, const float *x, const float *w,
                      const float *b, float eps, int64_t n, int64_t d);
    void (*layernorm_backward)(const cw_exec *ex, float *dx, float *dw, float *db, const float *dy, const float *x,
                               const float *w, const float *mean, const float *rstd, int64_t n, int64_t d);
    void (*softmax)(const cw_exec *ex, float *y, const float *x, float scale, int64_t n, int64_t d); /* softmax(scale x); y may be x */
    void (*softmax_backward)(const cw_exec *ex, float *dx, const float *dy, const float *y, float scale, int64_t n,
                             int64_t d);

    /* y = scale x / max(|x|, eps) row by row; norm (n) = |x| is written */
    void (*unit_rows)(const cw_exec *ex, float *y, float *norm, const float *x, float scale, float eps, int64_t n,
                      int64_t d);
    void (*unit_rows_backward)(const cw_exec *ex, float *dx, const float *dy, const float *x, const float *norm,
                               float scale, float eps, int64_t n, int64_t d);

    /* mean, var (d) of the columns of x (n,d), n >= 1; the variance is the biased one. times (n), or NULL: ones: as if
     * row i were there times[i] times */
    void (*batch_stats)(const cw_exec *ex, float *mean, float *var, const float *x, const float *times, int64_t n,
                        int64_t d);
    /* y = (x - mean) / sqrt(var + eps) w + b, column by column; w, b (d) or NULL */
    void (*batch_norm)(const cw_exec *ex, float *y, const float *x, const float *mean, const float *var, const float *w,
                       const float *b, float eps, int64_t n, int64_t d);
    /* own: mean and var are x's own, so that gradients flow through them too; times as of batch_stats, dy and dx being
     * sums over what a row stands for. work (2,d) */
    void (*batch_norm_backward)(const cw_exec *ex, float *dx, float *dw, float *db, float *work, const float *dy,
                                const float *x, const float *mean, const float *var, const float *w, float eps, int own,
                                const float *times, int64_t n, int64_t d);

    /* ---- sparse matrices ---------------------------------------------------------------------------------------- */
    /* y = A x, or y += A x, for each of `blocks` stacked pairs of x (cols,d) and y (rows,d) */
    void (*sparse_product)(const cw_exec *ex, float *y, const cw_sparse *A, const float *value, const float *x,
                           int accumulate, int64_t blocks, int64_t d);
    /* the gradient of the values: dvalue[place of e] += sum over blocks of <dy_row, x_col> */
    void (*sparse_values)(const cw_exec *ex, float *dvalue, const cw_sparse *A, const float *dy, const float *x,
                          int64_t blocks, int64_t d);
    /* rows index[i] of table (.., d) that are longer than `cap` are multiplied by cap / (length + 1e-7), in order */
    void (*cap_rows)(const cw_exec *ex, float *table, const int32_t *index, float cap, int64_t n, int64_t d);

    /* ---- gather, scatter ---------------------------------------------------------------------------------------- */
    /* y (n,d): row i = table[index[i]] (row of d), or zeros where index[i] < 0; if `accumulate`, added to y instead */
    void (*gather)(const cw_exec *ex, float *y, const float *table, const int32_t *index, int accumulate, int64_t n,
                   int64_t d);
    /* dtable (rows,d): row index[i] += dy row i, for index[i] >= 0; rows of dy in order, so sums are deterministic */
    void (*scatter_add)(const cw_exec *ex, float *dtable, const float *dy, const int32_t *index, int64_t n, int64_t d);

    /* ---- attention ------------------------------------------------------------------------------------------------ */
    /* x (n, stride) holds, from column 0, `heads` x `head_dim` values a row that are turned in place by the angle
     * position[row] / base^(2 i / head_dim), pair i of a head being (i, i + head_dim/2) (HALF) or (2i, 2i+1)
     * (INTERLEAVED). `inverse` turns back (which is also the backward). head_dim even. */
    void (*rotary)(const cw_exec *ex, float *x, int64_t stride, const int32_t *position, cw_rotary kind, float base,
                   int inverse, int64_t n, int64_t heads, int64_t head_dim);
    /* o (n, H Dh) = softmax(scale q k^T) v within each sequence and head. q, k, v have row stride `stride` (3 H Dh when
     * they sit in one fused projection) and heads side by side; o is contiguous. lse (H, n): log-sum-exp of each query's
     * scores, for the backward. Never holds an L x L matrix. A query that sees no key can't occur. */
    void (*attention)(const cw_exec *ex, float *o, float *lse, const float *q, const float *k, const float *v,
                      int64_t stride, cw_ragged seq, cw_attention a);
    /* dq, dk, dv (row stride dstride) are WRITTEN, not added to. delta (H, n) is work space. Probabilities are
     * computed again from q, k and lse. */
    void (*attention_backward)(const cw_exec *ex, float *dq, float *dk, float *dv, int64_t dstride, float *delta,
                               const float *dout, const float *o, const float *lse, const float *q, const float *k,
                               const float *v, int64_t stride, cw_ragged seq, cw_attention a);

    /* General attention: o (n, H Dh) = softmax(scale q k^T) v over the keys that each query sees, heads side by side in
     * q, k, v, whose rows are ldq, ldk, ldv apart; n = query.start[count] rows of q, o. A query that sees no key gives
     * zeros. lse (H, n) is written. Never holds a matrix of queries by keys. */
    void (*attend)(const cw_exec *ex, float *o, float *lse, const float *q, int64_t ldq, const float *k, int64_t ldk,
                   const float *v, int64_t ldv, cw_attend a);
    /* dq, dk, dv (rows lddq, lddk, lddv apart) are WRITTEN where there are queries and keys; delta (H, n) is work
     * space. */
    void (*attend_backward)(const cw_exec *ex, float *dq, int64_t lddq, float *dk, int64_t lddk, float *dv,
                            int64_t lddv, float *delta, const float *dout, const float *o, const float *lse,
                            const float *q, int64_t ldq, const float *k, int64_t ldk, const float *v, int64_t ldv,
                            cw_attend a);
    /* Attention without a softmax: S = K^T V of each sequence and head, o (n, H Dh) = scale Q S; conventions of `attend`,
     * mask NONE. S (count, H, Dh, Dh) is written. The backward ADDS to the columns of dq, dk, dv; work (S's size). */
    void (*linear_attend)(const cw_exec *ex, float *o, float *S, const float *q, int64_t ldq, const float *k,
                          int64_t ldk, const float *v, int64_t ldv, cw_attend a);
    void (*linear_attend_backward)(const cw_exec *ex, float *dq, int64_t lddq, float *dk, int64_t lddk, float *dv,
                                   int64_t lddv, float *work, const float *dout, const float *S, const float *q,
                                   int64_t ldq, const float *k, int64_t ldk, const float *v, int64_t ldv, cw_attend a);
    /* Within each sequence, from S = 0:  S_t = e^(dt_t a) S_(t-1) + dt_t x_t B_t^T,  y_t = S_t C_t + D x_t; per head x_t
     * (head_dim), S (head_dim, state). x, y (n, H P), y contiguous; dt (n,H) >= 0, a (H) <= 0, D (H) or NULL; b, c
     * (n, G N); rows of x, b, c are ldx, ldb, ldc apart. Work space of scan_work floats. */
    int64_t (*scan_work)(const cw_exec *ex, cw_scan s, int backward);
    void (*scan)(const cw_exec *ex, float *y, float *work, const float *x, int64_t ldx, const float *dt, const float *a,
                 const float *b, int64_t ldb, const float *c, int64_t ldc, const float *D, cw_scan s);
    void (*scan_backward)(const cw_exec *ex, float *dx, int64_t lddx, float *ddt, float *da, float *db, int64_t lddb,
                          float *dc, int64_t lddc, float *dD, float *work, const float *dy, const float *x, int64_t ldx,
                          const float *dt, const float *a, const float *b, int64_t ldb, const float *c, int64_t ldc,
                          const float *D, cw_scan s);
    /* row index[i] of table (rows,d) = row i of x (n,d); no index twice */
    void (*put_rows)(const cw_exec *ex, float *table, const float *x, const int32_t *index, int64_t n, int64_t d);

    /* ---- gates and reductions --------------------------------------------------------------------------------- */
    /* Top-k gate (scCAFM): chosen = the k largest of x - beta in a row (ties: lowest column); y = softmax over the
     * chosen raw x / temperature, 0 elsewhere. k >= d: plain softmax. beta (d) or NULL. */
    void (*topk_gate)(const cw_exec *ex, float *y, const float *x, const float *beta, int64_t k, float temperature,
                      int64_t n, int64_t d);
    /* dx over the chosen entries, which are those with y > 0 */
    void (*topk_gate_backward)(const cw_exec *ex, float *dx, const float *dy, const float *y, float temperature,
                               int64_t n, int64_t d);
    /* Loads of a router (scCAFM's quantile balancing): with alpha_i the (k + 1)-th largest of x - beta in row i, q_j (d) is
     * the rank-th largest of x_ij - alpha_i in column j. work: router_work floats. k < d, 1 <= rank <= n. */
    int64_t (*router_work)(const cw_exec *ex, int64_t n, int64_t d);
    void (*router_quantiles)(const cw_exec *ex, float *q, float *work, const float *x, const float *beta, int64_t k,
                             int64_t rank, int64_t n, int64_t d);
    /* y (n,m) = softmax over j of -scale ||x_i - p_j||^2; x (n,d), p (m,d). Distances are taken in double: those of a
     * point far from all prototypes differ in digits that float has lost. */
    void (*soft_bins)(const cw_exec *ex, float *y, const float *x, const float *p, float scale, int64_t n, int64_t m,
                      int64_t d);
    void (*soft_bins_backward)(const cw_exec *ex, float *dx, float *dp, float *work, const float *dy, const float *y,
                               const float *x, const float *p, float scale, int64_t n, int64_t m,
                               int64_t d); /* work (n,m) */
    /* Attention pooling over each ragged segment s of `index` (start[count] entries into score (t) and h (t,d)):
     * a = softmax of score[index] over the segment, y[s] = sum_i a_i h[index_i]. a (start[count]) is written.
     * An empty segment gives zeros. */
    void (*pool)(const cw_exec *ex, float *y, float *a, const float *score, const float *h, const int32_t *index,
                 cw_ragged seg, int64_t d);
    void (*pool_backward)(const cw_exec *ex, float *dscore, float *dh, const float *dy, const float *a, const float *h,
                          const int32_t *index, cw_ragged seg, int64_t d);
    /* y (count,d) = sums (mean = 0) or means (1) of the rows of x in each segment; an empty segment gives zeros */
    void (*segment_sum)(const cw_exec *ex, float *y, const float *x, int mean, cw_ragged seg, int64_t d);
    void (*segment_sum_backward)(const cw_exec *ex, float *dx, const float *dy, int mean, cw_ragged seg, int64_t d);

    /* ---- losses: per-row values; the caller reduces ------------------------------------------------------------- */
    /* loss[i] = -log softmax(x_i)[target_i]; rows with target < 0: 0. lse (n) is written. */
    void (*cross_entropy)(const cw_exec *ex, float *loss, float *lse, const float *x, const int32_t *target, int64_t n,
                          int64_t d);
    /* dx += weight[i] (softmax(x_i) - onehot) */
    void (*cross_entropy_backward)(const cw_exec *ex, float *dx, const float *weight, const float *x, const float *lse,
                                   const int32_t *target, int64_t n, int64_t d);
    /* binary cross entropy on logits x with targets y in [0,1]: max(x,0) - x y + log(1 + exp(-|x|)) */
    void (*bce)(const cw_exec *ex, float *loss, const float *x, const float *y, int64_t n);
    void (*bce_backward)(const cw_exec *ex, float *dx, const float *weight, const float *x, const float *y, int64_t n);

    /* ---- sums to one number `out`, in double and in order ------------------------------------------------------ */
    /* sum x scale / divisor */
    void (*sum)(const cw_exec *ex, float *out, const float *x, double scale, double divisor, int64_t n);
    void (*sum_double)(const cw_exec *ex, float *out, const double *x, double divisor, int64_t n);
    /* x . y / divisor */
    void (*dot)(const cw_exec *ex, float *out, const float *x, const float *y, double divisor, int64_t n);
    void (*mean_squared)(const cw_exec *ex, float *out, const float *x, const float *y, int64_t n); /* mean (x - y)^2 */
    void (*mean_squared_backward)(const cw_exec *ex, float *dx, float *dy, float g, const float *x, const float *y,
                                  int64_t n);
    void (*mean_absolute)(const cw_exec *ex, float *out, const float *x, int64_t n); /* mean |x| */
    void (*mean_absolute_backward)(const cw_exec *ex, float *dx, float g, const float *x, int64_t n);

    /* ---- losses of distributions; in the backwards g is the gradient of the loss -------------------------------- */
    /* z (n) = mu + sigma eps, stats (n,2) = (mu, s), sigma = softplus(s) + 1e-6 */
    void (*latent)(const cw_exec *ex, float *z, const float *stats, const float *eps, int64_t n);
    void (*latent_backward)(const cw_exec *ex, float *dstats, const float *dz, const float *stats, const float *eps,
                            int64_t n);
    /* out = sum over rows of KL(N(mu, sigma) || N(0,1)) / cells */
    void (*kl_normal)(const cw_exec *ex, float *out, const float *stats, int64_t cells, int64_t n);
    void (*kl_normal_backward)(const cw_exec *ex, float *dstats, float g, const float *stats, int64_t cells, int64_t n);
    /* out = - sum over rows of the zero-inflated normal's log likelihood of x (n) / cells; raw (n,3) = (mu, s, logit of
     * drop) */
    void (*zi_normal)(const cw_exec *ex, float *out, const float *raw, const float *x, int64_t cells, int64_t n);
    void (*zi_normal_backward)(const cw_exec *ex, float *draw, float g, const float *raw, const float *x, int64_t cells,
                               int64_t n);
    /* out = mean over rows of -sum_j target_j log softmax(scale x)_j; slope (n,d) = its gradient by x */
    void (*soft_cross_entropy)(const cw_exec *ex, float *out, float *slope, const float *x, const float *target,
                               float scale, int64_t n, int64_t d);
    /* y += a x, product and sum each rounded (axpy may fuse them) */
    void (*add_scaled)(const cw_exec *ex, float *y, const float *x, float a, int64_t n);
    /* w = a where target >= 0, else 0 */
    void (*row_weights)(const cw_exec *ex, float *w, const int32_t *target, float a, int64_t n);
    /* Each row of dy (n,m) less its value where y is largest (the first of equals). Softmax takes no notice of a number
     * added to a row of its gradient, but rounding does: with nearly all of y in one entry, dy there and y . dy nearly
     * cancel, and what is left is mostly noise. Relative to that entry both are exact zeros and the rest keeps its
     * digits. */
    void (*row_shift)(const cw_exec *ex, float *dy, const float *y, int64_t n, int64_t m);
    /* Symmetric InfoNCE of the cosines S (n,n): out, and slope (n,n) = its gradient by S times `temperature` */
    void (*contrast)(const cw_exec *ex, float *out, float *slope, const float *S, float temperature, int64_t n);

    /* ---- losses of factors. Cells are stacked: u (U,m) over TF rows, v (N,m) over gene rows ---------------------- */
    /* Judges the `top` strongest of each cell's predicted edges u_i . v_j (ties: the first in row-major order) against the
     * known pairs: out = weighted binary cross entropy / (sum of weights + 1e-8); weights (1) is that sum. edge (cells,
     * top) and used (cells) are for the backward. work: prior_work bytes, where no cell has more than `edges`. */
    int64_t (*prior_work)(const cw_exec *ex, int64_t cells, int64_t edges);
    void (*prior_loss)(const cw_exec *ex, float *out, double *weights, cw_judged *edge, int64_t *used, void *work,
                       int64_t edges, const float *u, const float *v, cw_prior p, int64_t m);
    void (*prior_loss_backward)(const cw_exec *ex, float *du, float *dv, float g, const double *weights,
                                const cw_judged *edge, const int64_t *used, const float *u, const float *v, cw_prior p,
                                int64_t m);
    /* B (m,m) = I + max(A, 0) / m */
    void (*acyclic_matrix)(const cw_exec *ex, float *B, const float *A, int64_t m);
    /* h = tr(P B) - m with P = B^(m-1); slope (m,m) = dh/dA = P^T where A > 0, else 0 */
    void (*acyclic)(const cw_exec *ex, double *h, float *slope, const float *P, const float *B, const float *A,
                    int64_t m);

    /* ---- optimiser ------------------------------------------------------------------------------------------------ */
    double (*sum_squares)(const cw_exec *ex, const float *x, int64_t n); /* in double, fixed order; NaN/Inf come through */
    /* AdamW (Loshchilov & Hutter 2019), decoupled decay: w -= lr wd w; m, v moments; w -= lr mhat / (sqrt(vhat) + eps) */
    void (*adamw)(const cw_exec *ex, float *w, float *m, float *v, const float *g, cw_adamw p, int64_t n);
    /* m = momentum m + (grad_scale g, bounded, + weight_decay w); w -= lr m */
    void (*sgd)(const cw_exec *ex, float *w, float *m, const float *g, cw_sgd p, int64_t n);
} cw_kernels;

extern const cw_kernels cw_kernels_ref; /* every entry, plain C */
extern const cw_kernels cw_kernels_cpu; /* entries it lacks are ref's */

/* The table called `name` ("ref" or "cpu"; NULL: the best there is), never NULL for those; NULL for other names. */
const cw_kernels *cw_kernels_select(const char *name);

/* C sets no order of evaluation that would matter here, so shared by all: one activation and its derivative. */
float cw_act_value(float x, cw_act act);
float cw_act_slope(float x, cw_act act);

#endif
