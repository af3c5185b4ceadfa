/* effects.h: sums over groups of cells, streamed over sparse blocks: what effect profiles are made of.
 *
 * A cell's value of gene g is v = log(1 + count scale_c), or the count itself when `logged`; the sums are of v -
 * centre, centre being the mean of the control cells of the cell's batch. No array of cells x genes is ever made. */
#ifndef CW_EFFECTS_H
#define CW_EFFECTS_H

#include "../core/core.h"

/* Cells in columns as R's dgCMatrix has them: the values of cell c are x[start[c] .. start[c + 1]), of the rows at[..],
 * which are the genes where `gene` is NULL. */
typedef struct cw_cells_view {
    const int32_t *start, *at;
    const double *x;
    int64_t cells, genes;
    const int32_t *gene;  /* (rows of the matrix): which of the genes each is, -1: none that is looked at */
    const double *scale;  /* (cells); NULL: the values are taken as they are */
    const int32_t *group; /* (cells) 0 .. groups - 1; -1: left out */
    const int32_t *batch; /* (cells) 0 .. batches - 1; NULL: one */
} cw_cells_view;

/* Adds the cells of a block to sum and square (groups, genes) of v - centre, centre (batches, genes) or NULL for 0.
 * Cells of a group are added in their order by one thread: the sums do not depend on the number of threads. */
cw_status cw_effects_add(cw_ctx *ctx, double *sum, double *square, const cw_cells_view *view, const double *centre,
                         int64_t groups);

/* out (cells): sum over the genes of weight_g (v - centre) for the group's own weights (groups, genes): how far each
 * cell lies along its group's direction. 0 for cells left out. */
cw_status cw_effects_project(cw_ctx *ctx, double *out, const cw_cells_view *view, const double *centre,
                             const double *weight, int64_t groups, int64_t batches);

#endif
