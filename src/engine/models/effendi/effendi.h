/* effendi.h: Effendi: a delay tau for every gene and cell, from a flow that carries chromatin states to RNA states.
 *
 *     z_a = align(z_atac);  tau = softplus(tau_base(gene) + delta(cell, gene)) + 1e-3
 *     z_integrated = phi_median(tau)(z_a), phi the flow of a field of spectral norm 1
 *     y = decode(mean over genes of phi_tau(z_a))
 *
 * Written after the specification "Effendi" as the golden cases effendi_* make it definite; parameters bear their
 * names. The mean over genes is taken on the flow's grid (autodiff/op_flow.c), so no (cells, genes, width) array
 * exists.
 *
 * What the delays mean: the loss sees a cell's delays only through their median and through that mean, so exchanging
 * the delays of two genes leaves it exactly as it is (a test does so). They can't rank genes. The options (per-gene
 * readout among them) are the specification's roadmap. */
#ifndef CW_EFFENDI_H
#define CW_EFFENDI_H

#include "../../autodiff/ops.h"
#include "../../nn/observe.h"
#include "../model.h"

#define CW_EFFENDI_TAU_FLOOR 1e-3f /* added to every softplus */

typedef struct cw_effendi_config {
    int64_t atac, dim; /* widths of z_atac, and of z_rna and the gene embeddings */
    int64_t align_hidden, field_hidden, tau_hidden, decoder_hidden;
    float mod_scale, dropout;
    int64_t tau_heads;      /* > 0: attention over the gene embeddings before tau_mlp, with so many heads */
    int64_t adapter_hidden; /* > 0: gene_emb + adapter(gene_emb) everywhere */
    int64_t peaks;          /* > 0: peak logits from z_a */
    int64_t readout_tokens; /* > 0: y from attention over so many tokens of z_a, without the flow's grid */
    int gene_readout;       /* every gene decoded from the state at its own delay */
} cw_effendi_config;

/* How the flow is integrated. */
typedef struct cw_effendi_flow {
    int method; /* cw_flow_method */
    int64_t steps;
    int exact;          /* spectral norm: 1 the largest singular value, 0 power iteration from the stored vectors */
    int64_t iterations; /* of the latter */
    float tau_max;      /* the trajectory's length; delays beyond are read there */
} cw_effendi_flow;

/* Settings of the three tasks: "match" (stage 1: the field, the alignment and one delay from unpaired samples), "frozen"
 * (2.1: delays, decoder, alignment) and "tuned" (2.2: the field too). Kept inputs: zAtac (cells,atac), zRna (cells,dim),
 * expression (cells,genes), geneEmbedding (genes,dim), and where they are there freeAtac, freeRna, peaks. */
typedef struct cw_effendi_stage {
    cw_effendi_flow flow;
    float temperature;   /* of the contrast */
    int64_t projections; /* of the sliced distance */
} cw_effendi_stage;

typedef struct cw_effendi_linear {
    cw_tensor *w, *b;
} cw_effendi_linear;

/* The field with divided weights, made once per loss. u and v (of each layer) are the vectors its norms came from. */
typedef struct cw_effendi_field {
    cw_flow_field w;
    double sigma[3];
    float *u[3], *v[3];
} cw_effendi_field;

typedef struct cw_effendi {
    cw_model model; /* first: a cw_effendi is a cw_model */
    cw_effendi_config config;
    cw_effendi_field pending; /* of a step that trains the field, until it is stored or forgotten */
    int store;
    cw_effendi_linear align[4]; /* linear, norm, linear, norm */
    cw_effendi_linear field[3];
    cw_tensor *u[3], *v[3]; /* the power iteration's vectors */
    cw_effendi_linear tau_mlp[2], cell_mod[3], decoder[2];
    /* with their options only; readout: key, value, query, out */
    cw_effendi_linear attention[2], adapter[2], atac_decoder[2], readout[4];
    cw_tensor *readout_delay;
    cw_tensor *tau_bar; /* stage 1's delay, (1) */
} cw_effendi;

extern const cw_model_class cw_effendi_class;
cw_status cw_effendi_check(cw_model *m);
cw_status cw_effendi_build(cw_model *m); /* PyTorch's linear initial values */

cw_effendi_field cw_effendi_field_make(const cw_effendi *m, cw_tape *t, const cw_effendi_flow *flow);
/* `iterations` times v = W^T u / |.|, u = W v / |.|, w (rows,cols); without any u and v stay. room (rows + cols). */
void cw_effendi_power(double *room, float *u, float *v, const float *w, int64_t iterations, int64_t rows, int64_t cols);
/* What power iteration found becomes the stored vectors (training does so at every step). */
void cw_effendi_field_store(cw_effendi *m, const cw_effendi_field *field);
/* Product of the true spectral norms of the divided weights: the field's Lipschitz bound. */
double cw_effendi_lipschitz(const cw_effendi *m, const cw_effendi_field *field);

/* Parts of the forward pass; B cells, G genes. */
cw_tensor *cw_effendi_align(const cw_effendi *m, cw_tape *t, cw_tensor *z_atac);      /* (B,atac) -> (B,dim) */
cw_tensor *cw_effendi_embed(const cw_effendi *m, cw_tape *t, cw_tensor *gene_emb);    /* the adapter, or itself */
cw_tensor *cw_effendi_tau_base(const cw_effendi *m, cw_tape *t, cw_tensor *gene_emb); /* -> (G,1) */
cw_tensor *cw_effendi_tau(const cw_effendi *m, cw_tape *t, cw_tensor *z_a, cw_tensor *gene_emb,
                          const cw_observer *observer); /* -> (B,G) */
/* The state after scale * duration (see cw_flow). */
cw_tensor *cw_effendi_run(cw_tape *t, cw_tensor *z, const cw_effendi_field *field, cw_tensor *duration, float scale,
                          const cw_effendi_flow *flow);
/* Expression (B,G) in (0,1) decoded at tau. */
cw_tensor *cw_effendi_decode(const cw_effendi *m, cw_tape *t, cw_tensor *z_a, cw_tensor *tau, cw_tensor *gene_emb,
                             const cw_effendi_field *field, const cw_effendi_flow *flow);
/* Expression decoded from states (B,dim) as they are. */
cw_tensor *cw_effendi_decode_states(const cw_effendi *m, cw_tape *t, cw_tensor *state, cw_tensor *gene_emb);
cw_tensor *cw_effendi_peaks(const cw_effendi *m, cw_tape *t, cw_tensor *z_a); /* logits (B,peaks) */

/* Losses; entries that were not asked for are NULL. All are means over elements. */
typedef struct cw_effendi_losses {
    cw_tensor *ode, *recon, *tau, *reverse, *sliced, *contrast, *peaks;
    cw_tensor *tau_bar, *z_integrated, *z_reversed, *y; /* results on the way */
} cw_effendi_losses;

/* Which terms are wanted. */
typedef struct cw_effendi_terms {
    int reverse, contrast, per_cell_median;
    float temperature; /* of the contrast */
} cw_effendi_terms;

/* Stage 2: from z_a and tau, which the caller made (tests make them leaves). z_rna (B,dim), expression (B,G) constants;
 * peaks (B,peaks) in {0,1} or NULL. */
cw_effendi_losses cw_effendi_loss(const cw_effendi *m, cw_tape *t, cw_tensor *z_a, cw_tensor *tau, cw_tensor *gene_emb,
                                  cw_tensor *z_rna, cw_tensor *expression, const float *peaks,
                                  const cw_effendi_field *field, const cw_effendi_flow *flow,
                                  const cw_effendi_terms *terms);
/* Stage 1: unpaired samples z_a (n,dim) and z_rna (m,dim), the one delay tau_bar; directions (count,dim). */
cw_effendi_losses cw_effendi_match(const cw_effendi *m, cw_tape *t, cw_tensor *z_a, cw_tensor *z_rna,
                                   const float *direction, int64_t count, const cw_effendi_field *field,
                                   const cw_effendi_flow *flow, const cw_effendi_terms *terms);

#endif
