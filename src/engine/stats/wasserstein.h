/* wasserstein.h: how far genes move when cells are perturbed.
 *
 * Wasserstein-1 distance between the values of a gene in perturbed and in control cells, the area between the two
 * cumulative distributions, with a permutation null and bootstrap samples over cells. */
#ifndef CW_WASSERSTEIN_H
#define CW_WASSERSTEIN_H

#include "../core/core.h"

typedef struct cw_shift_options {
    int64_t permutations; /* of the labels, within strata; 0: none */
    int64_t draws;        /* bootstrap samples of cells, within label and stratum; 0: none */
    uint64_t key;
} cw_shift_options;

typedef struct cw_shifts {
    double *distance;              /* (genes) */
    double *shift;                 /* (genes) mean of perturbed less mean of control cells */
    double *null_mean, *null_sd;   /* (genes) distance with permuted labels; may be NULL without permutations */
    double *p;                     /* (genes) (1 + null distances >= distance) / (1 + permutations); may be NULL too */
    double *drawn, *drawn_shift;   /* (genes, draws): gene g at [g * draws]; may be NULL without draws */
} cw_shifts;

/* x (genes, cells): the values of gene g begin at x[g * cells]; finite. label (cells): 1 perturbed, 0 control, some of
 * each. stratum (cells): 0 .. strata - 1, or NULL for one. Draw b and permutation b depend on (key, b) and the labels
 * and strata only: all genes get the same cells. The context's threads share the genes. */
cw_status cw_wasserstein(cw_ctx *ctx, const cw_shifts *out, const double *x, const uint8_t *label,
                         const int32_t *stratum, int64_t strata, const cw_shift_options *o, int64_t cells,
                         int64_t genes);

#endif
