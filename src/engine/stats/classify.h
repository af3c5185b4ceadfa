/* classify.h: how good predicted classes and probabilities are. */
#ifndef CW_CLASSIFY_H
#define CW_CLASSIFY_H

#include "../core/core.h"

/* Of n scores, truth 0 or 1: */
typedef struct cw_binary_scores {
    double aupr;    /* area below the precision-recall points by trapezoids, from (recall 0, precision 1) */
    double average; /* by steps */
    double f_max;   /* largest macro F1 (mean of the two classes, 0 for one that is nowhere) over the thresholds 0, .01, ..,
                     * .99, score >= threshold being 1 */
} cw_binary_scores;
/* Areas are NaN without a 1. */
cw_status cw_classify_binary(cw_ctx *ctx, cw_binary_scores *out, const double *score, const int32_t *truth, int64_t n);

/* Of predicted classes, as CellFM's metrics.py: means over classes of F1 (those that are nowhere left out), of recall and
 * precision (those are 0). */
typedef struct cw_class_scores {
    double accuracy, macro_f1, weighted_f1, recall, precision;
} cw_class_scores;
cw_status cw_classify_classes(cw_ctx *ctx, cw_class_scores *out, const int32_t *truth, const int32_t *told, int64_t n,
                              int64_t classes);

#endif
