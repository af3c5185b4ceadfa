/* effendi_trainer.h: one optimiser step of Effendi at a time; the host drives stages, epochs and order.
 *
 * Stage 1 fits the field, the alignment and one delay to unpaired samples; stage 2.1 the delays, the decoder and the
 * alignment with the field frozen; stage 2.2 the same and, with a learning rate of its own, the field. A step that
 * fails or is interrupted leaves the weights as they were. */
#ifndef CW_EFFENDI_TRAINER_H
#define CW_EFFENDI_TRAINER_H

#include "../models/effendi/effendi.h"

typedef enum cw_effendi_stage { CW_EFFENDI_MATCH = 0, CW_EFFENDI_FROZEN, CW_EFFENDI_TUNED } cw_effendi_stage;

/* All rows are cells, row-major; borrowed. Stage 1 reads `free_*`, stages 2 the paired ones. */
typedef struct cw_effendi_data {
    const float *z_atac, *z_rna, *expression, *gene_emb; /* (cells,atac), (cells,dim), (cells,genes), (genes,dim) */
    const float *free_atac, *free_rna;                   /* (free_atacs,atac), (free_rnas,dim) */
    const float *peaks;                                  /* (cells,peaks) in {0,1}, or NULL */
    int64_t cells, genes, free_atacs, free_rnas;
} cw_effendi_data;

typedef struct cw_effendi_options {
    float lr, lr_field; /* of all but the field; of the field */
    float beta1, beta2, eps, weight_decay;
    float clip;                                                  /* global gradient norm; 0: none */
    float w_ode, w_recon, w_tau, w_reverse, w_contrast, w_peaks; /* 0: the term isn't computed */
    float temperature;                                           /* of the contrast */
    int64_t projections;
    cw_effendi_flow flow;
} cw_effendi_options;

/* As they are, not weighted; 0 when off. */
typedef struct cw_effendi_values {
    double ode, recon, tau, reverse, sliced, contrast, peaks, total, tau_bar, grad_norm;
} cw_effendi_values;

typedef struct cw_effendi_trainer {
    cw_effendi *model;
    cw_tape *tape; /* borrowed */
    cw_effendi_options options;
    cw_effendi_stage stage;
    uint64_t key; /* of dropout and projections */
    int64_t step;
} cw_effendi_trainer;

/* Makes the stage's parameters trainable, the others constants, and starts the optimiser afresh. */
cw_status cw_effendi_begin(cw_effendi_trainer *trainer, cw_effendi *model, cw_tape *tape, cw_effendi_stage stage,
                           const cw_effendi_options *options, uint64_t key);
/* One step on rows atac[0..n) and rna[0..m) of the data; in stages 2, and in stage 1 with a contrast, pairs: m = n and
 * the same rows. */
cw_status cw_effendi_step(cw_effendi_trainer *trainer, const cw_effendi_data *data, const int64_t *atac, int64_t n,
                          const int64_t *rna, int64_t m, cw_effendi_values *values);

#endif
