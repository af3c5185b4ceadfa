/* judge.h: the gene sets and scores by which GEARS judges predictions (inference.py, scanpy's t-test). */
#ifndef CW_JUDGE_H
#define CW_JUDGE_H

#include "../core/core.h"

/* Cells of one condition: moments of each gene, variances with n - 1 (0 for one cell). Views. */
typedef struct cw_moments {
    const double *mean, *var; /* (genes) */
    double cells;
} cw_moments;

/* order (genes): by falling |t| of a condition against the control (Welch); a gene that doesn't vary has t = 0, equal
 * ones keep their order. */
cw_status cw_judge_order(cw_ctx *ctx, int32_t *order, const cw_moments *condition, const cw_moments *control,
                         int64_t genes);

/* nonzero, nondropout (genes), 1 or 0: seen in the condition; that, or seen in neither. */
void cw_judge_sets(uint8_t *nonzero, uint8_t *nondropout, const double *condition, const double *control,
                   int64_t genes);

/* The first `most` genes of the order that are in the set, into top; their number. */
int64_t cw_judge_top(int32_t *top, const int32_t *order, const uint8_t *set, int64_t most, int64_t genes);

typedef struct cw_judgement {
    double mse, pearson;       /* all genes */
    double mse_de, pearson_de; /* the first 20 of the order */
    double pearson_delta;      /* of changes from the control */
    double direction;          /* share of genes that change in the true direction */
    double opposite, mse_top, within; /* of `top`: share in the opposite direction; error; share no further from the truth
                                       * than its sd, of genes that have one */
} cw_judgement;

/* told, truth, control (genes): mean profiles; sd (genes) of the true cells, n in the denominator. A correlation with
 * what doesn't vary is NaN. */
void cw_judge_profile(cw_judgement *out, const double *told, const double *truth, const double *control,
                      const double *sd, const int32_t *order, const int32_t *top, int64_t tops, int64_t genes);

#endif
