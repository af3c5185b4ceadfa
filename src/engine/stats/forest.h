/* forest.h: regulators of each gene by ensembles of regression trees.
 *
 * One regression per target: its standardised expression on the TFs. The importance of TF t for target g is the
 * reduction of the sum of squares at all splits on t, over all trees. Two ensembles: extremely randomised trees (Geurts
 * et al. 2006; in GENIE3's manner, Huynh-Thu et al. 2010) and stochastic gradient boosting stopped on its out-of-bag
 * loss (in GRNBoost2's manner, Moerman et al. 2019).
 *
 * TFs are cut into at most 255 bins once, for all targets; zeros are a bin of their own where nothing is negative. The
 * target is held in whole numbers (2^-18 of its largest value), so that sums are exact: results are the same to the
 * last bit for any number of threads and any width of the vector units. Random numbers are streams keyed by (tree) for
 * the cells a tree sees and by (target gene, tree) for the rest. */
#ifndef CW_FOREST_H
#define CW_FOREST_H

#include "../core/core.h"

/* Expression compressed by gene: a cells x genes matrix by columns. A view: owns nothing. */
typedef struct cw_columns {
    int64_t cells, genes;  /* cells < 2^24 */
    const int32_t *start;  /* (genes + 1) */
    const int32_t *cell;   /* (start[genes]), each < cells, no cell twice in a gene */
    const double *value;   /* (start[genes]), finite; what isn't listed is 0 */
} cw_columns;

typedef enum cw_forest_kind { CW_FOREST_EXTRA = 0, CW_FOREST_BOOST } cw_forest_kind;

typedef enum cw_forest_cut { /* how extremely randomised trees draw a threshold from smallest to largest value */
    CW_CUT_VALUE = 0,        /* uniform over values (Geurts et al.) */
    CW_CUT_CELL              /* the value of a random cell of the node: uniform over ranks */
} cw_forest_cut;

typedef struct cw_forest_options {
    cw_forest_kind kind;
    cw_forest_cut cut;
    int64_t trees;    /* trees of a target; boosting: at most so many */
    int64_t features; /* TFs tried at a split */
    int64_t sample;   /* extra: cells a tree is grown on, drawn without replacement; 0 or >= cells: all */
    int64_t min_leaf; /* cells a leaf must have, >= 1 */
    int64_t depth;    /* boosting: 1 to 6 */
    double rate;      /* boosting: learning rate */
    double subsample; /* boosting: share of the cells each tree sees, in (0, 1] */
    int64_t window;   /* boosting: stop when the mean out-of-bag gain of the last so many trees is negative; 0: off */
    uint64_t key;
} cw_forest_options;

/* importance (targets, tfs): shares of the explained sum of squares, each row adding up to 1 (or 0 where nothing can be
 * explained: a target that doesn't vary); 0 for a TF on itself. grown (targets): the trees grown. r2 (targets) or NULL:
 * 1 - loss / variance on cells out of the bag: of the forest, or of boosting the accumulated out-of-bag gain;
 * NaN when every tree sees all cells. tf (tfs) and target (targets) are genes of x. The context's threads share
 * the targets.
 * Failure: the status, outputs undefined. */
cw_status cw_forest_importance(cw_ctx *ctx, double *importance, int32_t *grown, double *r2, const cw_columns *x,
                               const int32_t *tf, int64_t tfs, const int32_t *target, int64_t targets,
                               const cw_forest_options *o);

/* Bytes cw_forest_importance will take at its peak, outputs aside (an upper bound for `listed` values of the TFs). */
int64_t cw_forest_forecast(int64_t cells, int64_t tfs, int64_t targets, int64_t listed, int threads,
                           const cw_forest_options *o);

#endif
