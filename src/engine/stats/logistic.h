/* logistic.h: multinomial logistic regression with an L2 penalty, by L-BFGS.
 *
 *   minimise  sum_i w_i (-log p_i,y_i) + (1/2C) |B|^2,     p_i = softmax(B x_i + b),   the intercept b free
 *
 * divided by sum_i w_i, so that `tolerance` means the same for any number of cells. Products are in float, the sum of
 * losses and all of L-BFGS in double. Results do not depend on ctx->threads. */
#ifndef CW_LOGISTIC_H
#define CW_LOGISTIC_H

#include "../core/core.h"

typedef struct cw_logistic_options {
    double C;          /* > 0 */
    double tolerance;  /* stops where no entry of the gradient is larger, > 0 */
    int64_t steps;     /* at most, >= 0 */
} cw_logistic_options;

typedef struct cw_logistic_result {
    double loss;     /* the scaled objective */
    double gradient; /* its largest absolute entry */
    int64_t steps;
} cw_logistic_result;

/* B (classes, genes) and b (classes): where it starts, and on return the solution. x (cells, genes); label (cells) in 0
 * .. classes - 1; weight (cells) >= 0, some > 0. */
cw_status cw_logistic_fit(cw_ctx *ctx, double *B, double *b, cw_logistic_result *result, const float *x,
                          const int32_t *label, const double *weight, const cw_logistic_options *options,
                          int64_t cells, int64_t genes, int64_t classes);

/* The scaled objective at theta = (B, b) (classes (genes + 1)); gradient like theta, or NULL. For tests. */
cw_status cw_logistic_loss(cw_ctx *ctx, double *loss, double *gradient, const double *theta, const float *x,
                           const int32_t *label, const double *weight, double C, int64_t cells, int64_t genes,
                           int64_t classes);

#endif
