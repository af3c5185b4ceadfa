/* states.h: cell states as soft memberships, from expression or from any embedding.
 *
 * Principal components above a gene-permutation null -> k-means, the number of states by silhouette -> each cell's
 * membership is the share of each state among its nearest cells (itself among them). Everything random comes from
 * `key`; nothing depends on the number of threads. */
#ifndef CW_STATES_H
#define CW_STATES_H

#include "../core/core.h"

enum { CW_STATES_MAX = 32, CW_STATES_COMPONENTS = 20 };

typedef struct cw_states_options {
    int64_t low, high;  /* numbers of states tried, 2 <= low <= high <= CW_STATES_MAX; the same: that one */
    int64_t neighbours; /* >= 1 */
    uint64_t key;
} cw_states_options;

typedef struct cw_states {
    int64_t states;
    double silhouette[CW_STATES_MAX + 1]; /* by number of states; NaN where not tried */
} cw_states;

/* Scores (cells, *count): the first components of x (cells, genes; standardised columns) whose singular value is more
 * than 1.02 times the largest of x with every column permuted by itself; at least 2 and at most CW_STATES_COMPONENTS
 * (and genes). `score` has room for cells x CW_STATES_COMPONENTS and is filled densely. Of more than 2,000 genes, 2,000
 * evenly spread ones are used. Needs 2 genes. */
cw_status cw_states_components(cw_ctx *ctx, float *score, int64_t *count, const float *x, uint64_t key, int64_t cells,
                               int64_t genes);

/* w (cells, found->states), written densely into room for cells x options->high; label (cells), from 0, or NULL.
 * point (cells, dims) finite. Silhouettes are taken on at most 1,000 cells, neighbours among at most 10,000 cells. */
cw_status cw_states_find(cw_ctx *ctx, float *w, int32_t *label, cw_states *found, const float *point,
                         const cw_states_options *options, int64_t cells, int64_t dims);

#endif
