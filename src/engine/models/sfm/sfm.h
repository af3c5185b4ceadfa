/* sfm.h: the structure foundation module of scCAFM with its VGAE head.
 *
 * Source: Catchxu/scCAFM (GPL-3); what it computes is written down in the package's method notes and checked against
 * golden values (make parity). One cell is a sequence of a prefix token (conditions + batch) and one token per gene; a
 * bidirectional Transformer gives hidden states; two routers turn them into sparse factor memberships u (TF tokens) and
 * v (all genes); the cell's network is u v^T. The VGAE explains expression through that network. */
#ifndef CW_SFM_H
#define CW_SFM_H

#include "../../nn/transformer.h"
#include "../model.h"

typedef struct cw_sfm_config {
    int64_t vocab, conditions, pad; /* rows of the gene and condition tables; the padding token */
    int64_t embed_dim;
    int64_t expr_bins, expr_hidden, batch_bins, batch_hidden;
    float expr_tau, batch_tau, cond_dropout, out_dropout;
    int64_t layers, heads, mlp_hidden; /* mlp_hidden 0: 4 embed_dim */
    int qkv_bias, out_bias, mlp_bias;
    float mlp_dropout, norm_eps;
    int use_rotary, rotary_interleaved;
    float rotary_base;
    int64_t factors, router_hidden;
    int64_t topk; /* factors a gene may belong to; 0: all (plain softmax) */
    float router_dropout, router_temperature, beta_momentum;
    int64_t vgae_hidden, fp_steps;
    float vgae_dropout, fp_damping;
} cw_sfm_config;

extern const cw_setting cw_sfm_settings[];
extern const cw_preset cw_sfm_presets[];
/* What a batch is made from (cw_sfm_input_read: from named arrays). Arrays are (cells, genes) unless said otherwise and borrowed until cw_sfm_batch_build
 * returns, eps until the step is over. */
typedef struct cw_sfm_input {
    int64_t cells, genes;
    const int32_t *ids;       /* vocabulary tokens; if ids_shared, (genes) for all cells */
    int ids_shared;
    const float *values;      /* expression >= 0, finite */
    const int32_t *condition; /* (cells, 4): platform, species, tissue, disease */
    const uint8_t *non_tf;    /* 0 where the gene is a TF; if ids_shared, (genes) */
    const uint8_t *padding;   /* 1 where padded; NULL: nowhere */
    const float *eps;         /* the VGAE's noise; NULL: drawn from the tape's stream when a loss is computed */
} cw_sfm_input;

/* A batch without padding: the tokens of all cells one after the other. T tokens with prefixes, N gene tokens, U of
 * them TFs. Everything lives in the arena it was built in. */
typedef struct cw_sfm_batch {
    int64_t cells, genes;         /* as given, with padding */
    int64_t tokens, actives, tfs; /* T, N, U */
    cw_ragged seq, gene, tf;      /* of each cell: its rows among T, N, U */
    int32_t *position;            /* (T) place in the padded sequence, prefix 0 */
    int32_t *token, *tf_type, *is_gene, *prefix_cell, *is_prefix, *value_row; /* (T) rows of the tables that make up a
                                     token; -1: nothing of that table */
    int32_t *gene_row;            /* (N) row among T */
    int32_t *gene_token;          /* (N) vocabulary token */
    int32_t *gene_value;          /* (N) row of `distinct` */
    int32_t *gene_slot;           /* (N) place among the cell's (padded) genes */
    int32_t *tf_row;              /* (U) row among T */
    int32_t *tf_gene;             /* (U) row among N */
    int32_t *condition, *condition_place; /* (4 cells) */
    float *values;                /* (N) */
    float *distinct;              /* (distincts) the different values; distinct[0] = 0 */
    int64_t distincts;
    float *eps;                   /* (N), or NULL */
} cw_sfm_batch;

/* The arrays ids, values, conditions, nonTF, and where they are given padding and eps. */
cw_sfm_input cw_sfm_input_read(cw_inputs *in);
cw_status cw_sfm_batch_build(cw_sfm_batch *batch, cw_arena *arena, const cw_sfm_input *input,
                             const cw_sfm_config *config);

/* Packed rows x (.., d) into the padded layout out (cells, slots, d): slots = genes + 1 for CW_ROWS_TOKEN, genes for
 * CW_ROWS_GENE and CW_ROWS_TF, 1 for CW_ROWS_CELL. Places without a row are set to `fill`. */
typedef enum cw_rows_kind { CW_ROWS_TOKEN, CW_ROWS_GENE, CW_ROWS_TF, CW_ROWS_CELL } cw_rows_kind;
int64_t cw_sfm_slots(const cw_sfm_batch *batch, cw_rows_kind kind);
void cw_sfm_unpack(float *out, const cw_sfm_batch *batch, cw_rows_kind kind, const float *x, float fill, int64_t d);

typedef struct cw_scalar_encoder { /* x -> W2 RMS(silu(W1 x + b1)) + b2 */
    cw_tensor *w1, *b1, *norm, *w2, *b2;
} cw_scalar_encoder;

typedef struct cw_mlp { /* Linear, SiLU, (dropout), Linear */
    cw_tensor *w1, *b1, *w2, *b2;
} cw_mlp;

/* Quantile balancing of a router's load: beta, and what this optimiser step has gathered for its update. */
typedef struct cw_balance {
    cw_tensor *beta;  /* (M), a buffer */
    double *sum;      /* (M) sum over micro-batches of N beta_new */
    double weight;    /* sum of N */
} cw_balance;

typedef struct cw_sfm {
    cw_model model; /* first: a cw_sfm is a cw_model */
    cw_sfm_config config;
    uint64_t *pair; /* of the kept input "prior", source << 32 | target, sorted; owned */
    int64_t pairs;
    cw_tensor *gene_table, *tf_type_table, *prefix_type, *gene_type, *token_norm;
    cw_scalar_encoder expr, batch;
    cw_tensor *expr_prototypes, *expr_bins, *batch_prototypes, *batch_bins, *batch_score_w, *batch_score_b;
    cw_tensor *cond_table, *cond_place, *cond_w1, *cond_b1, *cond_norm, *cond_w2, *cond_b2;
    cw_transformer backbone;
    cw_mlp tf_router, gene_router;
    cw_balance tf_balance, gene_balance;
    cw_mlp vgae_expr, vgae_posterior, vgae_z, vgae_out;
} cw_sfm;

extern const cw_model_class cw_sfm_class;

/* Parts of the class: sfm_config.c and sfm_build.c, sfm_tasks.c. */
cw_status cw_sfm_check(cw_model *m);
double cw_sfm_forecast(const cw_model *m, const cw_sizes *sizes);
cw_status cw_sfm_build(cw_model *m);
void cw_sfm_release(cw_model *m);

typedef struct cw_sfm_output {
    cw_tensor *hidden;           /* (T, D) */
    cw_tensor *u, *v;            /* (U, M), (N, M) */
    cw_tensor *tf_logits, *gene_logits; /* before the gate */
} cw_sfm_output;

/* Tokens to factors. All tensors are NULL on a failed context. */
cw_sfm_output cw_sfm_forward(const cw_sfm *model, cw_tape *tape, const cw_sfm_batch *batch,
                             const cw_observer *observer);

typedef struct cw_sfm_loss_spec {
    cw_pair_set prior;       /* (source token, target token) */
    int64_t prior_top;       /* 512 in the published recipe; 0: all pairs */
    float prior_positive, prior_negative;
    int use_prior, use_dag, use_sparsity;
} cw_sfm_loss_spec;

/* Settings of the task "pretrain". */
typedef struct cw_sfm_pretrain {
    int64_t prior_top;
    float prior_positive, prior_negative;
} cw_sfm_pretrain;

typedef struct cw_sfm_losses {
    cw_tensor *reconstruction, *kl; /* ELBO loss = reconstruction + kl */
    cw_tensor *prior, *dag, *sparsity; /* unweighted; NULL when off */
} cw_sfm_losses;

/* The VGAE on the factors, and the losses. batch->eps NULL: noise is drawn from the tape's stream. */
cw_sfm_losses cw_sfm_loss(const cw_sfm *model, cw_tape *tape, const cw_sfm_batch *batch, cw_sfm_output output,
                          const cw_sfm_loss_spec *spec, const cw_observer *observer);

/* What a student is taught: factors, not their product. Factor i < factors - 1 belongs to the i-th TF of the gene list,
 * the last to no TF; v* (cells, genes, factors) says how each gene's regulation is shared among them, rows sum to 1. The
 * genes are one list for all cells, without padding. */
typedef struct cw_sfm_teacher {
    const float *v;
} cw_sfm_teacher;

/* Mean cross entropy of the TF gates against their own factor plus that of the gene gates against v*: the scores
 * u v^T then are v*'s. Balancing's beta plays no part. A scalar, or NULL on a failed context. */
cw_tensor *cw_sfm_distil_loss(const cw_sfm *model, cw_tape *tape, const cw_sfm_batch *batch, cw_sfm_output output,
                              cw_sfm_teacher teacher);

/* Column j of the VGAE's raw outputs ("vgae.stats": mu, s; "vgae.out": mu, s, drop logit) as what it stands for: mu,
 * sigma = softplus(s) + 1e-6, p = sigmoid(logit). */
float cw_vgae_value(float raw, int column);

/* Quantile balancing (spec: "beta"): gather from a micro-batch's logits, then apply or forget once per step. */
void cw_sfm_balance_gather(cw_sfm *model, cw_tape *tape, cw_sfm_output output);
void cw_sfm_balance_apply(cw_model *model, cw_tape *tape);
void cw_sfm_balance_forget(cw_model *model);

/* The k largest entries of each gate row, in the order of the factors: index (rows, k) and weight (rows, k); rows with
 * fewer non-zero entries are filled with weight 0. */
int64_t cw_sfm_gate_width(const cw_sfm_config *config); /* entries of a row that can be non-zero */
/* scratch: (factors). */
void cw_gate_pack(uint16_t *index, float *weight, float *scratch, const float *gate, int64_t rows, int64_t factors,
                  int64_t k);

#endif
