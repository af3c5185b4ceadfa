/* ops.h: the differentiable operations. Each is one forward and one backward function, side by side in op_*.c.
 *
 * All take the tape first and return a new tensor of the tape, or NULL on a failed context (see tape.h). Shapes are
 * checked; an error names the operation and both shapes. Index and offset arrays are host memory, borrowed for the step;
 * numbers are tensors, a host array by cw_tape_constant. At most CW_MAX_INPUTS inputs. Operations marked (host) work in
 * the host's memory only; a table of kernels for another device refuses them by name. */
#ifndef CW_OPS_H
#define CW_OPS_H

#include "tape.h"

/* ---- op_linear.c ---- */
/* act(x w^T + b): x (n,in), w (out,in), b (out) or NULL -> (n,out) */
cw_tensor *cw_linear(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b, cw_act act);
/* The same with sums in double, for few rows where small results are differences of large terms. */
cw_tensor *cw_linear_precise(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b, cw_act act);
/* x w^T + b, computed again when the backward needs it after it was dropped: for wide outputs. */
cw_tensor *cw_linear_again(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b);
/* residual + x w^T + b. Consumes `residual`: in inference its memory becomes the result's. */
cw_tensor *cw_linear_residual(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b, cw_tensor *residual);
/* act(x (w + scale up down)^T + b): down (r,in), up (out,r). The sum of the weights is made for the product and again for
 * the backward, and not kept: for more rows than in out / (in + out). */
cw_tensor *cw_linear_pair(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b, cw_tensor *down, cw_tensor *up, float scale,
                          cw_act act);
/* residual + dropout_p(down(silu(gate(x)) up(x))): SwiGLU (Shazeer 2020). x, residual (n,d); gate, up (h,d); down (d,h);
 * biases or NULL. Works in blocks of rows; the backward computes gate and up again (keeping them would cost a transformer
 * 40% more memory and save 5% of a training step's time). Consumes `residual` as above. */
typedef struct cw_swiglu_params {
    cw_tensor *gate_w, *gate_b, *up_w, *up_b, *down_w, *down_b;
} cw_swiglu_params;
cw_tensor *cw_swiglu_residual(cw_tape *t, cw_tensor *x, cw_swiglu_params p, float dropout, cw_tensor *residual);
/* a b: a (n,k), b (k,m) -> (n,m) */
cw_tensor *cw_matmul(cw_tape *t, cw_tensor *a, cw_tensor *b);

/* ---- op_norm.c ---- */
cw_tensor *cw_rmsnorm(cw_tape *t, cw_tensor *x, cw_tensor *w, float eps);
cw_tensor *cw_layernorm(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b, float eps);
cw_tensor *cw_softmax(cw_tape *t, cw_tensor *x, float scale); /* of scale x, over columns */

/* ---- op_attention.c ---- */
typedef struct cw_attention_spec {
    int64_t heads;
    int causal;
    cw_rotary rotary;
    float rotary_base;
    const int32_t *position; /* (n), read only when rotary isn't NONE */
    cw_ragged seq;
} cw_attention_spec;
/* Multi-head attention within each sequence; qkv (n, 3 D) ordered (3, H, D/H), scale (D/H)^-1/2 -> (n, D).
 * Consumes qkv: with rotary its queries and keys are turned in place. */
cw_tensor *cw_self_attention(cw_tape *t, cw_tensor *qkv, cw_attention_spec spec);

/* ---- op_basic.c ---- */
cw_tensor *cw_activate(cw_tape *t, cw_tensor *x, cw_act act);
cw_tensor *cw_add_scaled(cw_tape *t, cw_tensor *x, cw_tensor *y, float a); /* x + a y */
cw_tensor *cw_concat_cols(cw_tape *t, int count, cw_tensor *const *x);     /* side by side */
cw_tensor *cw_concat_rows(cw_tape *t, int count, cw_tensor *const *x);     /* one below the other */
cw_tensor *cw_dropout(cw_tape *t, cw_tensor *x, float p);                  /* x itself when p = 0 or not training */

/* ---- op_encode.c ---- */
/* (n,d): row i = sum over tables of table[index[i]], nothing where index[i] < 0; all tables have d columns */
cw_tensor *cw_gather_sum(cw_tape *t, int tables, cw_tensor *const *table, const int32_t *const *index, int64_t n);
cw_tensor *cw_gather(cw_tape *t, cw_tensor *table, const int32_t *index, int64_t n);
/* softmax over prototypes of -||x_i - p_j||^2 / tau: x (n,d), p (m,d) -> (n,m) */
cw_tensor *cw_soft_bins(cw_tape *t, cw_tensor *x, cw_tensor *p, float tau);
/* attention pooling, see kernels.h `pool`: score (r,1), h (r,d), index into their rows -> (seg.count, d) */
cw_tensor *cw_attention_pool(cw_tape *t, cw_tensor *score, cw_tensor *h, const int32_t *index, cw_ragged seg);

/* ---- op_factor.c: sparse factor gates and what is computed with them ---- */
/* Genes of all cells are stacked: v (N, M) over all gene tokens, u (U, M) over TF tokens only; `gene` and `tf` give
 * each cell's rows of v and u; tf_gene (U) is the row of v that a TF row of u stands for. */
typedef struct cw_factor_rows {
    cw_ragged gene, tf;
    const int32_t *tf_gene;
} cw_factor_rows;
/* top-k gate, see kernels.h; beta (M) or NULL is a constant */
cw_tensor *cw_topk_gate(cw_tape *t, cw_tensor *logits, cw_tensor *beta, int64_t k, float temperature);
/* per cell v_c (u_c^T h_c[TF rows]): h (N, d) -> (N, d); what TFs say to every gene through the factors */
cw_tensor *cw_factor_mix(cw_tape *t, cw_tensor *u, cw_tensor *v, cw_tensor *h, cw_factor_rows rows);

/* ---- op_loss.c: scalars (1,1), each already reduced as its comment says ---- */
/* z = mu + sigma eps with stats (N,2) = (mu, s), sigma = softplus(s) + 1e-6; eps (N) constant -> (N,1) */
cw_tensor *cw_latent_sample(cw_tape *t, cw_tensor *stats, cw_tensor *eps);
/* sum over rows of KL(N(mu, sigma) || N(0,1)) / cells */
cw_tensor *cw_kl_normal(cw_tape *t, cw_tensor *stats, int64_t cells);
/* - sum over rows of the zero-inflated normal's log likelihood / cells; out (N,3) = (mu, s, drop logit), x (N)
 * constant */
cw_tensor *cw_zi_normal_nll(cw_tape *t, cw_tensor *out, cw_tensor *x, int64_t cells);

/* A set of (source token, target token) pairs. */
typedef struct cw_pair_set {
    int64_t count;
    const uint64_t *sorted; /* source << 32 | target, ascending */
} cw_pair_set;
typedef struct cw_prior_spec {
    cw_pair_set pairs;
    const int32_t *gene_token; /* (N): vocabulary token of each gene row */
    int64_t top;               /* the `top` strongest predicted edges of each cell are judged; 0: all of them */
    float positive, negative;  /* weights */
} cw_prior_spec;
/* weighted binary cross entropy of the strongest predicted edges against the prior / sum of weights */
cw_tensor *cw_prior_loss(cw_tape *t, cw_tensor *u, cw_tensor *v, cw_factor_rows rows, cw_prior_spec spec);
/* mean over cells of tr((I + max(A,0)/M)^M) - M with A = v_c[TF rows]^T u_c (Zheng et al. 2018, polynomial form) */
cw_tensor *cw_dag_loss(cw_tape *t, cw_tensor *u, cw_tensor *v, cw_factor_rows rows);
/* mean score of all TF-gene pairs of all cells */
cw_tensor *cw_sparsity_loss(cw_tape *t, cw_tensor *u, cw_tensor *v, cw_factor_rows rows);
/* mean over rows with target >= 0 of -log softmax(x)[target]; x (n,d) */
cw_tensor *cw_cross_entropy_loss(cw_tape *t, cw_tensor *x, const int32_t *target);
/* mean over rows of -sum_j target_j log softmax(scale x)_j: x, target (n,d), target constant */
cw_tensor *cw_soft_cross_entropy_loss(cw_tape *t, cw_tensor *x, cw_tensor *target, float scale);
/* mean binary cross entropy on logits against y (same count), constant */
cw_tensor *cw_bce_loss(cw_tape *t, cw_tensor *x, cw_tensor *y);

/* ---- op_flow.c: integration of a vector field of three layers (host) ---- */
typedef enum cw_flow_method { CW_FLOW_EULER = 0, CW_FLOW_RK4 } cw_flow_method;
/* f(z) = w3 tanh(w2 tanh(w1 z + b1) + b2) + b3: w1 (h1,d), w2 (h2,h1), w3 (d,h2); biases or NULL */
typedef struct cw_flow_field {
    cw_tensor *w1, *b1, *w2, *b2, *w3, *b3;
} cw_flow_field;
typedef struct cw_flow_spec {
    cw_flow_method method;
    int64_t steps; /* >= 1, of equal length */
    float scale;   /* the time integrated over is scale * duration; -1 goes back */
} cw_flow_spec;
/* z (n,d) -> the state after scale * duration, (n,d). `duration`: (1,1), one for all rows; (n,1), each row its own; NULL:
 * 1. With `share` (n,steps) every step i of a row counts share[i]: z + dt sum_i share_i f_i, see cw_flow_share. */
cw_tensor *cw_flow(cw_tape *t, cw_tensor *z, cw_flow_field field, cw_tensor *duration, cw_tensor *share,
                   cw_flow_spec spec);
/* (steps n, h2), row i n + r: the stage-weighted second hidden layer of row r in step i, so that the state of row r after
 * k steps is z + dt sum_{i<k} (w3 hbar_i + b3) with dt = scale / steps. */
cw_tensor *cw_flow_path(cw_tape *t, cw_tensor *z, cw_flow_field field, cw_flow_spec spec);
/* The shares whose reading is the mean over genes of the trajectory over [0, longest], interpolated linearly between its
 * steps + 1 states at tau (n,genes), clamped to [0, longest] without gradient beyond -> (n,steps). */
cw_tensor *cw_flow_share(cw_tape *t, cw_tensor *tau, float longest, int64_t steps);
/* w / sigma, sigma = u^T w v, u (rows) and v (columns) borrowed constants: with the leading singular vectors, the
 * spectral norm and its gradient. */
cw_tensor *cw_spectral_norm(cw_tape *t, cw_tensor *w, const float *u, const float *v);

/* ---- op_readout.c (host) ---- */
/* What a decoder's first layer p z + b becomes along a flow's path: path (steps n, h) from cw_flow_path; start (n,k) =
 * p z + b at time 0; lift (k,h) = p w3; drift (k) = p b3 or NULL; and its second: emb (G,k), bias (G) or NULL. */
typedef struct cw_gene_reading {
    cw_tensor *path, *start, *lift, *drift, *emb, *bias;
} cw_gene_reading;
/* <emb_g, relu(first layer at tau)> + bias_g, tau (n,G) clamped to [0, longest] as in cw_flow_share -> (n,G). mask (n,k),
 * borrowed, or NULL, scales the hidden layer (dropout, one for all genes of a cell). */
cw_tensor *cw_gene_readout(cw_tape *t, cw_gene_reading reading, cw_tensor *tau, const float *mask, float longest,
                           int64_t steps);
/* Reading by attention over a cell's own tokens: gene g asks with query_g + tau delay, and what the tokens answer is
 * weighed with out_g. key, value (n, tokens k), query, out (G,k), delay (k), tau (n,G); scale k^-1/2 -> (n,G). */
typedef struct cw_token_reading {
    cw_tensor *key, *value, *query, *delay, *out;
} cw_token_reading;
cw_tensor *cw_token_readout(cw_tape *t, cw_token_reading reading, cw_tensor *tau, int64_t tokens);

/* ---- op_match.c ---- */
cw_tensor *cw_affine(cw_tape *t, cw_tensor *x, float a, float b);       /* a x + b */
cw_tensor *cw_mean_squared(cw_tape *t, cw_tensor *x, cw_tensor *y);     /* mean (x - y)^2 -> (1,1) */
cw_tensor *cw_mean_absolute(cw_tape *t, cw_tensor *x);                  /* mean |x| -> (1,1) */
/* (host) The lower of the two middle values where there are two; of all values -> (1,1), or of each row -> (rows,1). */
cw_tensor *cw_lower_median(cw_tape *t, cw_tensor *x, int by_row);
/* (host) Mean over `count` directions (count,d; any length; borrowed until the call returns) and over levels of the squared
 * difference of the two projected samples' quantiles. x (n,d), y (m,d). The smaller sample is read at
 * max(n,m) places by linear interpolation. */
cw_tensor *cw_sliced_w2(cw_tape *t, cw_tensor *x, cw_tensor *y, const float *direction, int64_t count);
/* Symmetric InfoNCE of the cosines of x's and y's rows over the temperature, row i of one belonging to row i of the
 * other. x and y aren't the same tensor. */
cw_tensor *cw_info_nce(cw_tape *t, cw_tensor *x, cw_tensor *y, float temperature);

/* ---- op_attend.c: attention with queries, keys and values of their own ---- */
typedef struct cw_attend_spec {
    int64_t heads;
    float scale; /* of q.k; 0: head width^-1/2 */
    cw_mask mask;
    cw_ragged query, key;     /* sequence s of one asks sequence s of the other; key may be query */
    const int64_t *keys;      /* (count): keys in use of each sequence, where `key` gives the room of a cache; or NULL */
    const int64_t *prefix;    /* (count), see CW_MASK_PREFIX; or NULL */
    int64_t width;            /* of q, k and v; 0: all columns of q */
    int64_t q_at, k_at, v_at; /* first column of each in its matrix: parts of a fused projection need no copy */
} cw_attend_spec;
/* Multi-head attention: q (n,..), k, v (m,..) -> (n, width). q, k, v may be the same tensor. Keys of a cache are
 * constants. */
cw_tensor *cw_attention_over(cw_tape *t, cw_tensor *q, cw_tensor *k, cw_tensor *v, cw_attend_spec spec);
/* Attention without a softmax (retention, Sun et al. 2023, without decay): scale q (k^T v) within each sequence and head;
 * spec as for cw_attention_over, its mask NONE and its scale taken as it is (0: 1) -> (n, width) */
cw_tensor *cw_linear_attention(cw_tape *t, cw_tensor *q, cw_tensor *k, cw_tensor *v, cw_attend_spec spec);
/* The scores scale q.k before mask and softmax, for few cells: (1, total), sequence after sequence, of each
 * (heads, queries, keys). A constant. */
cw_tensor *cw_attention_scores(cw_tape *t, cw_tensor *q, cw_tensor *k, cw_attend_spec spec);
/* Rotary positions of all heads side by side in x (n,d) -> (n,d); position (n) */
cw_tensor *cw_turn_positions(cw_tape *t, cw_tensor *x, int64_t heads, cw_rotary rotary, float base,
                             const int32_t *position);
/* Row index[i] of `cache`, a constant, becomes row i of x; inference only. Returns cache. */
cw_tensor *cw_cache_rows(cw_tape *t, cw_tensor *cache, cw_tensor *x, const int32_t *index);

/* ---- op_product.c: products, sums and parts of matrices ---- */
/* x y: x (n,d); y (n,d), or spread over x: a row (1,d), a column (n,1), one number (1,1) -> (n,d) */
cw_tensor *cw_product(cw_tape *t, cw_tensor *x, cw_tensor *y);
cw_tensor *cw_add_spread(cw_tape *t, cw_tensor *x, cw_tensor *y, float a); /* x + a y, shapes as above */
/* sums of x (n,d): over columns -> (n,1), over rows -> (1,d), over all -> (1,1); times `scale` (1 / count: a mean) */
cw_tensor *cw_row_sums(cw_tape *t, cw_tensor *x, float scale);
cw_tensor *cw_column_sums(cw_tape *t, cw_tensor *x, float scale);
cw_tensor *cw_sum(cw_tape *t, cw_tensor *x, float scale);
cw_tensor *cw_row_dots(cw_tape *t, cw_tensor *x, cw_tensor *y); /* (n,d) twice -> (n,1): <x_i, y_i> */
/* columns first .. first + count of x -> (n,count), a copy */
cw_tensor *cw_columns(cw_tape *t, cw_tensor *x, int64_t first, int64_t count);
/* the inverse of cw_concat_cols: part[j] (n, width[j]), side by side in x; NULLs on a failed context */
void cw_split_columns(cw_tape *t, cw_tensor *x, int count, const int64_t *width, cw_tensor **part);
/* scale x / max(|x|, eps) row by row: unit vectors (PyTorch's normalize) with scale 1 */
cw_tensor *cw_unit_rows(cw_tape *t, cw_tensor *x, float scale, float eps);

/* ---- op_activation.c ---- */
/* f(x). (cw_act, above, are the functions that are fused into linear layers; those with a parameter are here.) */
cw_tensor *cw_apply(cw_tape *t, cw_tensor *x, cw_function f);
/* f'(x), itself differentiable: for the gradient of a network that is written as forward maths and trained through.
 * Piecewise linear functions have slope constants, so no gradient flows. */
cw_tensor *cw_apply_slope(cw_tape *t, cw_tensor *x, cw_function f);
/* x, with the gradient times -scale (Ganin & Lempitsky 2015) */
cw_tensor *cw_gradient_reversal(cw_tape *t, cw_tensor *x, float scale);

/* ---- op_conv.c: convolutions along packed sequences, one filter a column ---- */
/* causal: y_t = b + sum_j w_j x_(t - taps + 1 + j), zeros before the sequence; x (n,d), w (d,taps) or (d,1,taps), b (d)
 * or NULL -> (n,d) */
cw_tensor *cw_short_conv(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b, cw_ragged seq);
/* y_t = sum_(s <= t) h_s x_(t-s) + b x_t: h (taps,d), b (d) or NULL, in O(L log L) for sequences of any length -> (n,d).
 * A sequence longer than the filter is fine: what the filter lacks counts 0. */
cw_tensor *cw_long_conv(cw_tape *t, cw_tensor *x, cw_tensor *h, cw_tensor *b, cw_ragged seq);

/* ---- op_scan.c ---- */
/* Selective scan of Mamba 2 (Dao & Gu 2024), in chunks: S_t = e^(dt_t a) S_(t-1) + dt_t x_t B_t^T,
 * y_t = S_t C_t + skip x_t -> (n, heads head_dim). xbc holds x, B and C in columns from x_at, b_at, c_at; dt (n,heads),
 * after its softplus; a (heads), negative; skip (heads) or NULL. */
typedef struct cw_scan_spec {
    int64_t heads, head_dim, groups, state;
    int64_t x_at, b_at, c_at;
    cw_ragged seq;
} cw_scan_spec;
cw_tensor *cw_selective_scan(cw_tape *t, cw_tensor *xbc, cw_tensor *dt, cw_tensor *a, cw_tensor *skip,
                             cw_scan_spec spec);

/* ---- op_graph.c ---- */
/* A sparse matrix that is both ways at hand, lent: by rows, and its transpose whose place[e] is the entry's number by
 * rows. cw_graph_new (nn/layer_graph.h) makes one of a list of edges. */
typedef struct cw_graph {
    cw_sparse by_row, by_column;
    int64_t entries;
} cw_graph;
/* A x for each of `blocks` stacked x (cols,d) -> (blocks rows, d); value (entries) in the order by rows */
cw_tensor *cw_graph_product(cw_tape *t, const cw_graph *graph, cw_tensor *value, cw_tensor *x, int64_t blocks);
/* PyTorch's max_norm of embeddings: rows index[i] of table longer than cap are scaled down to it, for good; the gradient
 * knows nothing of it. Call before the rows are gathered. Returns table. */
cw_tensor *cw_cap_rows(cw_tape *t, cw_tensor *table, const int32_t *index, int64_t n, float cap);

/* ---- op_batchnorm.c ---- */
typedef struct cw_batch_norm_params {
    cw_tensor *w, *b;              /* (d), or NULL */
    cw_tensor *mean, *var;         /* (d): running buffers, written in training */
    float eps, momentum;           /* PyTorch: 1e-5, 0.1 */
    const float *times;            /* (n), or NULL: row i stands for times[i] equal ones; lent by the batch */
} cw_batch_norm_params;
/* Training: with x's own mean and biased variance, n >= 2 (of `times` the sum), and the buffers become (1 - momentum) buffer + momentum
 * (mean, unbiased variance). Otherwise: with the buffers. x (n,d) -> (n,d). */
cw_tensor *cw_batch_norm(cw_tape *t, cw_tensor *x, cw_batch_norm_params p);

/* ---- op_sequence.c ---- */
cw_tensor *cw_reverse(cw_tape *t, cw_tensor *x, cw_ragged seq); /* the rows of each sequence in reverse order */
/* sums (mean = 0) or means (1) of the rows of each segment -> (seg.count, d); an empty segment gives zeros */
cw_tensor *cw_segment_sum(cw_tape *t, cw_tensor *x, cw_ragged seg, int mean);

#endif
