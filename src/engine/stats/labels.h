/* labels.h: one network per label, shrunken to the pooled one.
 *
 * x (cells, genes) is centred on every label and divided by the standard deviation within labels (cw_labels_within);
 * f_c holds its TFs.
 *   pooled    x_cg = f_c beta_g + e,                 beta ~ N(0, a s_g),       e ~ N(0, s_g),  s_g = 1
 *   label k   x_cg - f_c beta_g = f_c delta_kg + e,  delta ~ N(0, a_k s_kg),   s_kg = max(.2, mean square of the left)
 * a, and the a_k of every label, are 0 or the value of a grid with the highest log evidence summed over genes; a_k = 0:
 * the label has the pooled network. The noise is fixed beforehand and the grid of a_k should end at .01, for small labels
 * overfit badly where it is profiled out. That of a goes on, for what a pooled network shrunken too far leaves over would
 * be taken for departures. A TF never explains itself: its own feature is taken out by a downdate. Evidence
 * and held-out variance are counted over the genes that aren't TFs (over all, if all are): TFs are there whether they
 * vary or not.
 *
 * Cost: cells TFs genes + (labels + 1) (TFs^3 + genes TFs (TFs + grid)). All sums are in double; results do not depend
 * on ctx->threads. */
#ifndef CW_LABELS_H
#define CW_LABELS_H

#include "gram.h"

/* Where results go; all are the caller's. */
typedef struct cw_labels {
    double a, gain;       /* of the pooled network: prior variance, log evidence above that of an empty one */
    double *pooled;       /* (tfs, genes) */
    double *slope;        /* (labels, tfs, genes) pooled + departure; NULL: not kept */
    double *sd;           /* (labels, tfs) root of the mean of f^2 in the label */
    double *label_a;      /* (labels) */
    double *label_gain;   /* (labels) log evidence above that of no departure */
    double *total;        /* (labels) held-out sum of squares over all genes, 0 where no cell is held out */
    double *rest_pooled;  /* (labels) what the pooled network leaves of it */
    double *rest;         /* (labels) what the label's own leaves */
} cw_labels;

/* x in place: less the mean of its label, over the standard deviation within labels; a gene that doesn't vary within
 * labels becomes 0. label (cells) from 0. CW_ERR_NUMERIC for values that aren't finite. */
cw_status cw_labels_within(cw_ctx *ctx, float *x, const int32_t *label, int64_t cells, int64_t genes, int64_t labels);

/* Fits on the cells whose `train` isn't 0 (NULL: all), judges on the others. grid (n_grid) > 0: values for a, the first
 * n_label of them for a_k. */
cw_status cw_labels_fit(cw_ctx *ctx, cw_labels *out, const float *x, const int32_t *tf, const int32_t *label,
                        const int32_t *train, const double *grid, int64_t n_grid, int64_t n_label,
                        int64_t cells, int64_t genes, int64_t tfs, int64_t labels);

/* The same from sums over cells as they are, which are centred and scaled here: train (labels), and held (labels) or
 * NULL, all of the same genes and TFs; cells held out count for the means too. */
cw_status cw_labels_fit_sums(cw_ctx *ctx, cw_labels *out, const cw_gram *train, const cw_gram *held,
                             const double *grid, int64_t n_grid, int64_t n_label, int64_t labels);

/* Bytes that cw_labels_fit takes beside its arguments. */
int64_t cw_labels_bytes(int64_t genes, int64_t tfs);

#endif
