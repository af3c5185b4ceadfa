/* h5_cells.h: counts of cells in HDF5 files, a block of cells at a time.
 *
 * Sparse matrices are a group with `data`, `indices`, `indptr` (AnnData's, 10x's); dense ones a table of two dimensions
 * (AnnData, loom). Either may be stored by cells or by genes: by genes, a block of cells takes a pass over all that is
 * stored for the genes asked for. Any type of number; offsets have 64 bits. Nothing in the file is believed: offsets
 * must rise and end at the last entry, no index may leave the matrix or come twice. Indices may be in any order. */
#ifndef CW_IO_H5_CELLS_H
#define CW_IO_H5_CELLS_H

#include "h5_items.h"

typedef struct cw_h5_cells {
    const char *name; /* of the group or the table; the caller's */
    /* of a sparse matrix's tables of values, indices and offsets; NULL: data, indices, indptr. Offsets may then be whole
     * numbers in floating point. The caller's. */
    const char *const *parts;
    int sparse;
    int by_cell; /* does a cell lie in one piece? */
    int64_t cells, genes;
    /* filled by cw_h5_cells_check */
    int64_t entries; /* stored; of a dense table cells * genes */
    int64_t stored;  /* bytes in the file */
    int whole;       /* are its values of an integer type? */
} cw_h5_cells;

/* Columns of a block: entries start[j] .. start[j + 1] - 1 of cell j, rows ascending, no zeros. row and value may be the
 * caller's (`room`: of so many entries each; 0: they are the block's own). */
typedef struct cw_h5_block {
    int64_t cells, entries, room;
    int64_t *start;
    int32_t *row;
    double *value;
} cw_h5_block;

/* Is it there, of the shape said, and are all offsets right? Reads the offsets, in pieces. */
cw_status cw_h5_cells_check(cw_ctx *ctx, cw_h5_cells *m, cw_h5 *h);

/* The n cells `cell`, numbers from 0 in ascending order. `place`: for each gene its row in the block, from 0, or -1;
 * NULL for all genes in the file's order. cw_h5_cells_check() has been successful on this file. With ctx->threads > 1 a
 * thread reads ahead; it alone calls HDF5 then. */
cw_status cw_h5_cells_read(cw_ctx *ctx, cw_h5_block *out, cw_h5 *h, const cw_h5_cells *m, const int32_t *cell,
                           int64_t n, const int32_t *place);
void cw_h5_block_free(cw_ctx *ctx, cw_h5_block *block);

/* The same of all genes into the caller's row and value, with `room` for cw_h5_cells_room() entries. */
cw_status cw_h5_cells_read_into(cw_ctx *ctx, cw_h5_block *out, int32_t *row, double *value, int64_t room, cw_h5 *h,
                                const cw_h5_cells *m, const int32_t *cell, int64_t n);

/* Entries stored for the n cells `cell`; -1 where that isn't known beforehand (all but sparse matrices by cells). */
int64_t cw_h5_cells_room(cw_ctx *ctx, cw_h5 *h, const cw_h5_cells *m, const int32_t *cell, int64_t n);

/* Stored entries of the cells first .. first + n - 1, sums[j] those of all up to cell j, sums[0] = 0: n + 1 numbers. Of
 * sparse matrices stored by cells alone. */
cw_status cw_h5_cells_offsets(cw_ctx *ctx, int64_t *sums, cw_h5 *h, const cw_h5_cells *m, int64_t first, int64_t n);

#endif
