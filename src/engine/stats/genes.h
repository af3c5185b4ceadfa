/* genes.h: which genes differ between cells by more than counting does.
 *
 * Were a gene a constant share p_g of every cell's total s_c, its counts would be Poisson of mean mu_gc = p_g s_c. Its
 * deviance from that is D_g = 2 sum_c y log(y / mu) (the linear terms cancel, for p_g = sum y / sum s); what Poisson
 * counts would have themselves is sum_c d(mu_gc), d(mu) = E 2 (Y log(Y / mu) - (Y - mu)). D_g - sum_c d(mu_gc), the
 * excess deviance, ranks genes. Counts are read once, some cells at a time. */
#ifndef CW_GENES_H
#define CW_GENES_H

#include "../core/core.h"

/* Sums over cells of each gene, all (genes), zero before the first cells. A view. */
typedef struct cw_gene_sums {
    double *count; /* y */
    double *self;  /* y log y */
    double *depth; /* y log s */
    double *seen;  /* cells with y > 0 */
} cw_gene_sums;

/* Adds cells, compressed by cell (a dgCMatrix, genes x cells): start (cells + 1), gene, value (start[cells]), values
 * finite and not negative. total (cells): the sum s of each. CW_ERR_FORMAT for an index that is no gene. */
cw_status cw_gene_sums_add(cw_ctx *ctx, const cw_gene_sums *sums, double *total, const int32_t *start,
                           const int32_t *gene, const double *value, int64_t cells, int64_t genes);

/* excess (genes), 0 for a gene without counts. total (cells) of all cells added. The expectation takes 25 quantiles of
 * the totals for all of them, and d from a table. */
cw_status cw_gene_excess(cw_ctx *ctx, double *excess, const cw_gene_sums *sums, const double *total, int64_t cells,
                         int64_t genes);

/* d(mu) by its definition: the mean deviance of a Poisson count of mean 0 < mu <= 600. */
double cw_poisson_deviance(double mu);

#endif
