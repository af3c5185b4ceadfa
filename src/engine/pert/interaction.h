/* interaction.h: how the effect of a pair of perturbations is made of the effects of its two (Norman et al. 2019; as
 * GEARS scores it). */
#ifndef CW_INTERACTION_H
#define CW_INTERACTION_H

#include "../core/core.h"

typedef struct cw_interaction {
    double c1, c2;    /* pair ~ c1 first + c2 second, Theil-Sen without intercept */
    double magnitude; /* sqrt(c1^2 + c2^2) */
    double dominance; /* |log10(c1 / c2)| */
    double fit;       /* correlation of the fit with the pair */
    double dcor;      /* distance correlation of (first, second) with the pair */
    double dcor_singles, dcor_first, dcor_second; /* of the singles; of each with the pair */
    double equality;  /* min(dcor_first, dcor_second) / max of them */
} cw_interaction;

/* first, second, pair (genes): effects, the control's mean taken off. Theil-Sen: the spatial median of the exact
 * solutions of two genes each, of all pairs of genes, or of 100,000 spread evenly. Time and memory are of genes^2. */
cw_status cw_interaction_scores(cw_ctx *ctx, cw_interaction *out, const double *first, const double *second,
                                const double *pair, int64_t genes);

#endif
