/* network.h: what is computed from per-cell networks once they are inferred.
 *
 * The network of cell c is GRN_c = u_c v_c^T (TFs x genes): u_c (tfs, factors) and v_c (genes, factors) are sparse,
 * with exactly k weights a row. Only the factors are kept; score matrices are made where they are needed, a cell or a
 * block of cells at a time. An edge is a pair (TF i, gene g), its flat index i * genes + g; among equal scores the
 * lower flat index comes first. A self edge is one with tf_gene[i] == g. */
#ifndef CW_NETWORK_H
#define CW_NETWORK_H

#include "../core/core.h"

/* A view: owns nothing. Every function below checks the indexes of the cells it reads. */
typedef struct cw_factors {
    int64_t cells, tfs, genes, factors, k; /* all >= 1; k <= factors <= 65536 */
    const uint16_t *u_index;               /* (cells, tfs, k), each < factors, distinct within a row */
    const float *u_weight;                 /* (cells, tfs, k) */
    const uint16_t *v_index;               /* (cells, genes, k) */
    const float *v_weight;                 /* (cells, genes, k) */
    const int32_t *tf_gene;                /* (tfs): the position of each TF among the genes */
} cw_factors;

/* Sizes, every index and every weight (finite, not negative) of all cells. CW_ERR_FORMAT when something can't be. */
cw_status cw_factors_check(cw_ctx *ctx, const cw_factors *f);

/* sum (cells): a checksum of each cell's factors, the same on every machine of the same byte order. */
cw_status cw_factors_sums(cw_ctx *ctx, int32_t *sum, const cw_factors *f);

/* score (tfs, genes) = u_c v_c^T of cell `cell`. */
cw_status cw_network_cell(cw_ctx *ctx, float *score, const cw_factors *f, int64_t cell);

/* sum (tfs, genes) += the sum over the n cells in `cell` of u_c v_c^T; NULL: over all cells. In double over blocks of
 * at most 256 cells, in float within one. The result does not depend on the number of threads. */
cw_status cw_network_add(cw_ctx *ctx, double *sum, const cw_factors *f, const int32_t *cell, int64_t n);

/* score (tfs, genes) = the mean over those cells. */
cw_status cw_network_pool(cw_ctx *ctx, float *score, const cw_factors *f, const int32_t *cell, int64_t n);

/* The `top` highest edges of each of the n cells, highest first; `self` 0 leaves self edges out. tf, gene, score are
 * (n, top). count (n): edges written for each cell (fewer than `top` where the network has fewer). */
cw_status cw_network_top(cw_ctx *ctx, int32_t *tf, int32_t *gene, float *score, int64_t *count, const cw_factors *f,
                         const int32_t *cell, int64_t n, int64_t top, int self);

/* How many edges of each of the n cells score >= threshold: count (n). */
cw_status cw_network_count(cw_ctx *ctx, int64_t *count, const cw_factors *f, const int32_t *cell, int64_t n,
                           double threshold, int self);

/* Those edges, cell after cell, within a cell in the order of the flat index. tf, gene, score hold `room` edges, the
 * sum of what cw_network_count gave; CW_ERR_SHAPE when that isn't what is found. */
cw_status cw_network_above(cw_ctx *ctx, int32_t *tf, int32_t *gene, float *score, int64_t room, const cw_factors *f,
                           const int32_t *cell, int64_t n, double threshold, int self);

/* Expression of the same genes in the same cells, compressed by cell (a dgCMatrix, genes x cells). A view. */
typedef struct cw_cell_values {
    const int32_t *start; /* (cells + 1) */
    const int32_t *gene;  /* (start[cells]), each < genes */
    const double *value;  /* (start[cells]) */
    const double *mean;   /* (genes) over the cells that count */
    const double *scale;  /* (genes) 1 / standard deviation; 0 for a gene that doesn't vary */
} cw_cell_values;

/* activity (n, tfs): for each cell and TF the mean of z_g = (x_g - mean_g) scale_g over the `top` targets with the
 * highest scores in that cell, weighted by score, self edge left out; 0 where no target has a positive score. */
cw_status cw_network_activity(cw_ctx *ctx, double *activity, const cw_factors *f, const cw_cell_values *x,
                              const int32_t *cell, int64_t n, int64_t top);

/* strength (n, tfs): mean score of each TF's edges in each cell, self edge left out. */
cw_status cw_network_strength(cw_ctx *ctx, double *strength, const cw_factors *f, const int32_t *cell, int64_t n);

/* Sums of the scores over the n cells: row (tfs) over genes, column (genes) over TFs. Self edges count. */
cw_status cw_network_sums(cw_ctx *ctx, double *row, double *column, const cw_factors *f, const int32_t *cell,
                          int64_t n);

/* Without self edges, for each of the n cells: sum (n) and sum of squares (n) of its scores. */
cw_status cw_network_moments(cw_ctx *ctx, double *sum, double *squares, const cw_factors *f, const int32_t *cell,
                             int64_t n);

#endif
