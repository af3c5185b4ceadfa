/* model.h: an empirical-Bayes Gaussian process over perturbations, closed form given its few weights.
 *
 * Perturbation p is a set of genes. Its effect on every readout, in units of the readout's standard deviation in
 * control cells, is
 *   y_p = c_|p| sum_{i in p} (u_i + sum_k alpha_k D_k[i]) + e_p + noise,      c_1 = 1, c = c_2 for larger sets,
 *   u ~ N(0, mean 11' + kernel K + own I),   e_p ~ N(0, pair) for larger sets,   noise ~ N(0, diag(1 / n_p) + 1 / n_c),
 * with the same weights for all readouts. D_k are direct profiles: what side information says losing a gene does. n_p
 * are cells, n_c control cells, which all effects share. All weights 0 is "no change", the mean alone the shrunken
 * mean, own alone the shrunken sum of single effects.
 *
 * alpha: least squares over all perturbations and readouts after removing the readouts' means, each coefficient times
 * max(0, 1 - var / alpha^2), var by the jackknife over perturbations. The weights: marginal likelihood, by
 * minorise-maximise, theta <- theta sqrt(tr(C^-1 S C^-1 V) / tr(C^-1 V)).
 *
 * Everything is computed from inner products over the readouts, so that a cross-validation costs the same for any
 * number of them: cw_pert_data. Results do not depend on ctx->threads.
 *
 * A perturbed gene's own reading is the manipulation, not an effect: in Y and T it is 0, and in its place a fit has the
 * mean of the gene over the other perturbations that it is made from, so that nothing is told of those left out. */
#ifndef CW_PERT_MODEL_H
#define CW_PERT_MODEL_H

#include "../core/core.h"

enum { CW_PERT_MEAN = 0, CW_PERT_KERNEL, CW_PERT_OWN, CW_PERT_PAIR, CW_PERT_PARTS };
enum { CW_PERT_DIRECTS = 8 };  /* at most */
enum { CW_PERT_WEIGHTED = 200 }; /* perturbations, evenly spread, that the weights are fitted on at most */

/* Y (perturbations, readouts): effects against one half of the control cells; T: the same against the other half; D_k
 * (genes, readouts). */
typedef struct cw_pert_data {
    int64_t perts, genes, directs, readouts;
    const int32_t *start, *member; /* (perts + 1), the genes of perturbation p are member[start[p] .. start[p + 1]) */
    const double *cells;           /* (perts) n_p >= 1 */
    double controls;               /* n_c; 0: not shared */
    const double *kernel;          /* (genes, genes) K, symmetric, unit diagonal; NULL: none */
    const double *yy;              /* (perts, perts) Y Y^T */
    const double *yd;              /* (directs, genes, perts) D_k Y^T */
    const double *dd;              /* (directs, directs, genes, genes) D_k D_l^T */
    const double *own_y;           /* (perts, genes) Y at the readout that is the gene; NaN: it is none */
    const double *own_d;           /* (directs, genes, genes) D_k at the readout that is the second gene */
    /* for scores only, else NULL */
    const double *ty, *tt;         /* (perts, perts) T Y^T; (perts) squared lengths of T */
    const double *td;              /* (directs, genes, perts) D_k T^T */
    const double *own_t;           /* (perts, genes) as own_y, of T */
} cw_pert_data;

typedef struct cw_pert_fit {
    double alpha[CW_PERT_DIRECTS];
    double theta[CW_PERT_PARTS]; /* 0 for parts that are not there */
    double share[CW_PERT_PARTS]; /* of the prior variance of the perturbations fitted */
    double c, loglik;            /* loglik: per readout, without the constant */
    int rounds;                  /* of minorise-maximise, in the fit that was taken */
} cw_pert_fit;

/* Fits to the perturbations train (n). perm (genes), or NULL: gene i has the side information of gene perm[i]. */
cw_status cw_pert_fit_model(cw_ctx *ctx, cw_pert_fit *fit, const cw_pert_data *data, const int32_t *train, int64_t n,
                            const int32_t *perm);

/* weight (m, n): the prediction for perturbation test[t] is sum_n weight_tn (Y_n - direct_n) + direct_t, Y_n with its own
 * readings filled. variance
 * (m): of what is predicted, without noise. Of the data only sizes, genes, cells and kernel are read. */
cw_status cw_pert_predict(cw_ctx *ctx, double *weight, double *variance, const cw_pert_data *data,
                          const cw_pert_fit *fit, const int32_t *train, int64_t n, const int32_t *test, int64_t m);

/* A fit to some perturbations and its predictions of others, test (m), which aren't of train (n). weight (m, n) and
 * variance (m) as of cw_pert_predict, or NULL; error (m): squared distance of T_p from the prediction, own genes left
 * out. */
typedef struct cw_pert_fold {
    const int32_t *train, *test;
    int64_t n, m;
    cw_pert_fit fit;
    double *weight, *variance, *error;
} cw_pert_fold;

/* Several, each on one thread. perm as above. */
cw_status cw_pert_folds(cw_ctx *ctx, cw_pert_fold *fold, int64_t folds, const cw_pert_data *data, const int32_t *perm);

#endif
