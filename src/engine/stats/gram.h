/* gram.h: sums over cells that pooled estimators read, added a block of cells at a time.
 *
 * Each sum is taken in the order of the cells, by one thread: how the cells are cut into blocks, and the number of threads,
 * don't change a bit of it. Values are kept as they are; standardised, the product of TF t and gene g is
 * (product - n mean_t mean_g) / (sd_t sd_g), in double. */
#ifndef CW_GRAM_H
#define CW_GRAM_H

#include "../core/core.h"

/* All zero before the first cells, `least` and `most` too: a cell without a value counts as 0. A view. */
typedef struct cw_gram {
    int64_t genes, tfs;
    const int32_t *tf;          /* (tfs) their genes, each once */
    double *cells;              /* (1) added */
    double *sum, *square, *cube; /* (genes) of x, x^2, x^3 */
    double *least, *most;       /* (genes) */
    double *product;            /* (tfs, genes) of x_t x_g */
    double *both;               /* (tfs, genes) cells where both are above 0; NULL: not counted */
} cw_gram;

/* Adds cells, compressed by cell: start (cells + 1), gene, value (start[cells]). CW_ERR_FORMAT for an index that is no
 * gene, CW_ERR_NUMERIC for a value that isn't finite; the sums are then undefined. */
cw_status cw_gram_add(cw_ctx *ctx, const cw_gram *gram, const int32_t *start, const int32_t *gene, const double *value,
                      int64_t cells);

/* mean, sd (genes), n in the denominator; sd = 0 for a gene that doesn't vary: one value, or an sd below 1e-7 of its
 * largest magnitude. skew (genes): of the standardised gene, 0 where it doesn't vary. Any may be NULL. */
void cw_gram_gene(const cw_gram *gram, double *mean, double *sd, double *skew);

/* r (tfs, genes): Pearson's correlations, 0 for genes that don't vary. */
cw_status cw_gram_correlation(cw_ctx *ctx, double *r, const cw_gram *gram);

#endif
