/* ranking.h: how well a ranking of candidate edges finds known ones. */
#ifndef CW_RANKING_H
#define CW_RANKING_H

#include "../core/core.h"

/* A ranking of n candidates, best first. A view: owns nothing. */
typedef struct cw_ranking {
    int64_t n;               /* below 2^31 */
    const int32_t *order;    /* (n): the candidate at each rank, a permutation of 0 .. n-1 */
    const int32_t *group;    /* (n): tie group at each rank; equal where scores are equal, non-decreasing */
    const uint8_t *positive; /* (n): by candidate, 1 for a known edge */
} cw_ranking;

typedef struct cw_rank_score {
    double auprc; /* average precision by steps: sum over tie groups of recall gained x precision at the group's end */
    double early; /* precision among the first K, K = number of positives; the tie group across that border pro rata */
    double auroc; /* chance that a positive stands above a negative, ties counting 1/2 */
} cw_rank_score;

/* order, group (n) of the ranking by descending score (n, no NaN); equal scores in the order of the candidates, in one
 * tie group (-0 equals 0). Time is linear in n; memory beside: 24 n bytes. */
cw_status cw_rank_sort(cw_ctx *ctx, int32_t *order, int32_t *group, const double *score, int64_t n);

/* weight (n) by candidate, NULL: 1 each. auprc and early are 0 without positives; auroc is NaN without positives or
 * without negatives. Can't fail. */
void cw_rank_metrics(cw_rank_score *out, const cw_ranking *r, const uint16_t *weight);

/* The same within each of `members` parts of the candidates (such as those of one TF): member (n) by candidate, -1 for
 * none. out (members); candidates, positives (members): their numbers. */
cw_status cw_rank_by(cw_ctx *ctx, cw_rank_score *out, int64_t *candidates, int64_t *positives, const cw_ranking *r,
                     const int32_t *member, int64_t members);

/* The same for `draws` bootstrap samples, stratified: positives and negatives are drawn with replacement each among
 * their own. out (draws). Draw b depends on (key, b) and on `positive` only, so two rankings of the same candidates
 * get the same samples and can be compared in pairs. The context's threads share the draws. */
cw_status cw_rank_bootstrap(cw_ctx *ctx, cw_rank_score *out, const cw_ranking *r, uint64_t key, int64_t draws);

/* The same for `draws` random rankings without ties of n candidates of which `positives` are known edges. */
cw_status cw_rank_random(cw_ctx *ctx, cw_rank_score *out, int64_t n, int64_t positives, uint64_t key, int64_t draws);

#endif
