/* sfm.h: the structure foundation module of scCAFM with its VGAE head.
 *
 * A bidirectional Transformer over the tokens of sccafm.h gives hidden states; two routers turn them into sparse factor
 * memberships u (TF tokens) and v (all genes); the cell's network is u v^T. The VGAE explains expression through that
 * network. */
#ifndef CW_SFM_H
#define CW_SFM_H

#include "../sccafm/sccafm.h"

typedef struct cw_sfm_config {
    cw_sccafm_config trunk;
    int64_t factors, router_hidden;
    int64_t topk; /* factors a gene may belong to; 0: all (plain softmax) */
    float router_dropout, router_temperature, beta_momentum;
    int64_t vgae_hidden, fp_steps;
    float vgae_dropout, fp_damping;
} cw_sfm_config;

extern const cw_setting cw_sfm_settings[];
extern const cw_preset cw_sfm_presets[];

/* Quantile balancing of a router's load: beta, and what this optimiser step has gathered for its update. */
typedef struct cw_balance {
    cw_tensor *beta;  /* (M), a buffer */
    double *sum;      /* (M + 1) sum over micro-batches of N beta_new, then of N; within cw_sfm.gathered */
} cw_balance;

typedef struct cw_sfm {
    cw_model model; /* first: a cw_sfm is a cw_model */
    cw_sfm_config config;
    uint64_t *pair; /* of the kept input "prior", source << 32 | target, sorted; owned */
    int64_t pairs;
    cw_sccafm_trunk trunk;
    cw_mlp tf_router, gene_router;
    cw_balance tf_balance, gene_balance;
    double *gathered; /* (2, M + 1) of the two balances; owned */
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
cw_sfm_output cw_sfm_forward(const cw_sfm *model, cw_tape *tape, const cw_sccafm_batch *batch,
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
cw_sfm_losses cw_sfm_loss(const cw_sfm *model, cw_tape *tape, const cw_sccafm_batch *batch, cw_sfm_output output,
                          const cw_sfm_loss_spec *spec, const cw_observer *observer);

/* What a student is taught: factors, not their product. Factor i < factors - 1 belongs to the i-th TF of the gene list,
 * the last to no TF; v* (cells, genes, factors) says how each gene's regulation is shared among them, rows sum to 1. The
 * genes are one list for all cells, without padding. */
typedef struct cw_sfm_teacher {
    const float *v;
} cw_sfm_teacher;

/* Mean cross entropy of the TF gates against their own factor plus that of the gene gates against v*: the scores
 * u v^T then are v*'s. Balancing's beta plays no part. A scalar, or NULL on a failed context. */
cw_tensor *cw_sfm_distil_loss(const cw_sfm *model, cw_tape *tape, const cw_sccafm_batch *batch, cw_sfm_output output,
                              cw_sfm_teacher teacher);

/* Column j of the VGAE's raw outputs ("vgae.stats": mu, s; "vgae.out": mu, s, drop logit) as what it stands for: mu,
 * sigma = softplus(s) + 1e-6, p = sigmoid(logit). */
float cw_vgae_value(float raw, int column);

/* Quantile balancing (spec: "beta"): gather from a micro-batch's logits, then apply or forget once per step. */
void cw_sfm_balance_gather(cw_sfm *model, cw_tape *tape, cw_sfm_output output);
void cw_sfm_balance_apply(cw_model *model, cw_tape *tape);
void cw_sfm_balance_forget(cw_model *model);
double *cw_sfm_balance_gathered(cw_model *model, int64_t *n);

/* The k largest entries of each gate row, in the order of the factors: index (rows, k) and weight (rows, k); rows with
 * fewer non-zero entries are filled with weight 0. */
int64_t cw_sfm_gate_width(const cw_sfm_config *config); /* entries of a row that can be non-zero */
/* scratch: (factors). */
void cw_gate_pack(uint16_t *index, float *weight, float *scratch, const float *gate, int64_t rows, int64_t factors,
                  int64_t k);

#endif
