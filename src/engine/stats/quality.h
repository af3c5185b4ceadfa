/* quality.h: quality of cells and genes, and moments of genes, read some cells at a time.
 *
 * Cells are compressed by cell (a dgCMatrix, genes x cells): start (cells + 1), gene, value (start[cells]). */
#ifndef CW_QUALITY_H
#define CW_QUALITY_H

#include "../core/core.h"

/* What a gene is, bits. Only known genes count but in `total` and `sum`. */
enum { CW_GENE_KNOWN = 1, CW_GENE_MT = 2, CW_GENE_RIBO = 4, CW_GENE_HB = 8, CW_GENE_COUNTED = 16 };

/* Sums over cells of each gene, zero before the first cells. A view. */
typedef struct cw_quality {
    const uint8_t *group; /* (genes) bits */
    double least;         /* known genes that a cell must show to count in `enough` */
    double *sum;          /* (genes) of all values */
    double *seen;         /* (genes) cells with a value above 0 */
    double *enough;       /* (genes) such cells among those with at least `least` */
    int32_t *first;       /* (genes x keep) numbers of the first of these, from 0 */
    int64_t keep, cells;  /* cells: how many were read before */
    int whole;            /* are all values whole so far? 1 before the first */
    double largest;       /* 0 before the first */
    int64_t bad;          /* values that are negative or not finite; not added */
} cw_quality;

/* Of each cell of a block, (cells) each. */
typedef struct cw_quality_cells {
    double *total;               /* over all genes */
    double *known, *detected;    /* over known genes: sum, and how many are above 0 */
    double *counted;             /* over known genes that are counted */
    double *mt, *ribo, *hb;      /* over known ones of a kind */
} cw_quality_cells;

/* Adds a block. CW_ERR_FORMAT for an index that is no gene. */
cw_status cw_quality_add(cw_ctx *ctx, cw_quality *q, const cw_quality_cells *out, const int32_t *start,
                         const int32_t *gene, const double *value, int64_t cells, int64_t genes);

/* Mean and sum of squares around it of each gene over n cells; joined by Chan's formula, so that a gene that is
 * constant has exactly 0. */
typedef struct cw_moments {
    double n, *mean, *square; /* (genes); zero before the first cells */
} cw_moments;

/* How a block's values are read. Any may be NULL or 0. */
typedef struct cw_moments_of {
    const double *by;    /* (cells) what multiplies the values of each */
    const int32_t *take; /* (cells) 0: a cell that is passed over */
    int logged;          /* log1p of the product */
} cw_moments_of;

/* Adds a block, or (`less`) takes one away that was added. */
cw_status cw_moments_add(cw_ctx *ctx, cw_moments *m, const int32_t *start, const int32_t *gene, const double *value,
                         const cw_moments_of *of, int less, int64_t cells, int64_t genes);

#endif
