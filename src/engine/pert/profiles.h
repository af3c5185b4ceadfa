/* profiles.h: effects of perturbations at all readouts: weighted sums of those that a fit is made from, which every
 * prediction is, and scores of predictions. Matrices are (perturbations, readouts). Results do not depend on
 * ctx->threads. */
#ifndef CW_PERT_PROFILES_H
#define CW_PERT_PROFILES_H

#include "../core/core.h"

/* Readouts that are a perturbation's own genes: own[start[p] .. start[p + 1]); there effects are 0 and mean nothing. */
typedef struct cw_own_rows {
    const int32_t *start, *own; /* (perts + 1), .. */
} cw_own_rows;

/* What direct profiles say of perturbation p: the sum over its genes, member[start[p] .. start[p + 1]), of total. */
typedef struct cw_direct_profiles {
    int64_t genes;
    const double *total; /* (readouts, genes); NULL: nothing */
    const int32_t *start, *member;
} cw_direct_profiles;

/* out (m, readouts) = weight (m, n) (Y[train] - direct), Y (perts, readouts) with own readings filled by the readout's
 * mean over the others of train (n). */
cw_status cw_profiles_span(cw_ctx *ctx, double *out, const double *Y, int64_t readouts, const cw_own_rows *own,
                           const int32_t *train, int64_t n, const double *weight, int64_t m,
                           const cw_direct_profiles *direct);

/* Scores of a prediction; correlations with what doesn't vary are 0. */
typedef struct cw_profile_score {
    double mse, mse_mean; /* of the prediction, of the baseline */
    double noise;         /* mean of se2 */
    double all, top, centred; /* correlations: of all, of the CW_PROFILE_TOP with largest |truth| / se, less the baseline */
    double direction;         /* share of those with the right sign; no sign counts half */
    double discrimination; /* share of the other perturbations whose truth is further from the prediction; NaN: no other */
} cw_profile_score;
enum { CW_PROFILE_TOP = 20 };

/* Of the perturbations at (m), rows of all four matrices (.., readouts), own genes left out. */
cw_status cw_profiles_score(cw_ctx *ctx, cw_profile_score *out, const double *truth, const double *predicted,
                            const double *baseline, const double *se2, int64_t readouts, const cw_own_rows *own,
                            const int32_t *at, int64_t m);

#endif
