/* celltype.h: cells as classifiers of cell types see them, and the scores that these give.
 *
 * A block holds cells as sparse columns of counts or logged values. A view says which genes of it are looked at, and
 * how; a linear model on a view gives each cell a score per class. All classifiers here (logistic, linear discriminant,
 * cosine to centroids, multinomial Bayes) are linear models on some view, so one sweep over blocks serves them all and
 * memory does not grow with the number of cells.
 *
 * Values of a cell: v = log(1 + 1e4 c / total), or v as it is where there are no totals. Then, in this order: e^v - 1
 * with `linear`; centred over the view's genes and divided by the Euclidean norm (+ 1e-8) with `unit`; (v - mean) scale,
 * within -clip .. clip, where there are means. Tiles are cut by shape: results do not depend on ctx->threads. */
#ifndef CW_CELLTYPE_H
#define CW_CELLTYPE_H

#include "../core/core.h"

typedef struct cw_cell_block {
    const int *start;    /* (cells + 1) */
    const int *row;      /* (start[cells]) in 0 .. rows - 1 */
    const double *value; /* (start[cells]) */
    const double *total; /* (cells) > 0, or NULL: logged already */
    int64_t rows, cells;
    const float *lifted; /* (start[cells]) by cw_cell_lift(), or NULL */
} cw_cell_block;

typedef struct cw_cell_view {
    const int32_t *to; /* (rows) which of the view's genes a row is, or -1 */
    int64_t genes;
    int linear, unit;
    const double *mean, *scale; /* (genes), or NULL */
    double clip;                /* > 0; INFINITY: none */
} cw_cell_view;

/* A view of a block, for who goes through its cells. `silent` (genes): what a gene without a count shows, where that is
 * the same for all cells. */
typedef struct cw_shown {
    const cw_cell_block *block;
    const cw_cell_view *view;
    float *silent;
} cw_shown;
cw_status cw_cell_view_begin(cw_ctx *ctx, cw_shown *s, const cw_cell_block *block, const cw_cell_view *view);
void cw_cell_view_end(cw_ctx *ctx, cw_shown *s);
/* v (genes): one cell as the view shows it. */
void cw_cell_show(float *v, const cw_shown *s, int64_t cell);

/* product (n, rows) = the cells at .. at + n - 1 as s shows them, times the rows of w (rows, genes), on the calling
 * thread; shown (n, genes) holds the cells afterwards. */
void cw_cell_product(cw_ctx *ctx, float *product, float *shown, const cw_shown *s, int64_t at, int64_t n, const float *w,
                     int64_t rows);

/* Calls work(user, at, n, thread) for tiles of at most CW_CELL_TILE of the cells, from ctx->threads threads; `thread` from
 * 0. Ends early where the context is stopped. */
enum { CW_CELL_TILE = 128 };
typedef void (*cw_cell_work)(void *user, int64_t at, int64_t n, int thread);
void cw_cell_tiles(cw_ctx *ctx, int64_t cells, cw_cell_work work, void *user);

/* n numbers as floats, on ctx; NULL on a failed context. */
float *cw_cell_floats(cw_ctx *ctx, const double *from, int64_t n);
/* s (n) := s less its log sum of exponentials */
void cw_log_softmax(double *s, int64_t n);

/* to (start[cells]): log(1 + 1e4 c / total) of every stored value, for blocks that many views look at. */
cw_status cw_cell_lift(cw_ctx *ctx, float *to, const cw_cell_block *block);

/* x (cells, genes): the whole block as the view shows it. */
cw_status cw_cell_matrix(cw_ctx *ctx, float *x, const cw_cell_block *block, const cw_cell_view *view);

/* Adds to sum and square (groups, genes) the values and squares of the cells of each group; group (cells) in 0 ..
 * groups - 1, or -1: left out. */
cw_status cw_cell_sums(cw_ctx *ctx, double *sum, double *square, const cw_cell_block *block, const cw_cell_view *view,
                       const int32_t *group, int64_t groups);

/* logp (cells, classes) = log softmax(B v + b). B (classes, genes), b (classes). */
cw_status cw_cell_score(cw_ctx *ctx, double *logp, const cw_cell_block *block, const cw_cell_view *view,
                        const double *B, const double *b, int64_t classes);

/* mean (cells, values): each cell's mean of value (landmarks, values) over its k nearest landmarks by Euclidean distance
 * (ties: the earlier). point (cells, dims), landmark (landmarks, dims). 1 <= k <= landmarks. */
cw_status cw_neighbour_means(cw_ctx *ctx, double *mean, const float *point, const float *landmark, const double *value,
                             int64_t k, int64_t cells, int64_t landmarks, int64_t dims, int64_t values);

#endif
