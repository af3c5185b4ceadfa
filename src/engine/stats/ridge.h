/* ridge.h: every gene regressed on the transcription factors (TFs), with the amount of shrinkage chosen by evidence.
 *
 * Pooled:   x_cg = sum_t x_ct beta_tg + e,                              beta ~ N(0, a),   e ~ N(0, s_g)
 * Varying:  x_cg = sum_t x_ct (beta_tg + sum_k W_ck delta_ktg) + e,     delta ~ N(0, a rho)
 *
 * a, then rho, is the value of a grid with the highest log evidence summed over genes; rho = 0 is the pooled network in
 * every cell. s_g is found in two steps as in the prototype: residual variance of the fit at s = 0.8.
 *
 * A TF never explains itself. One symmetric eigendecomposition of the features' second moments serves all genes and all
 * s_g; for a gene that is a TF its own features are taken out again by a block downdate. Cost: cells (TFs (1 + K)) (TFs
 * (1 + K) + genes) + (TFs (1 + K))^3 + genes (TFs (1 + K))^2, K = states.
 *
 * x (cells, genes) is float, row-major, each column standardised (cw_ridge_standardise). tf (tfs) are columns of x,
 * each once. All sums over cells are in double. Results do not depend on ctx->threads. All functions return the context's
 * status and record the reason of a failure; outputs then are undefined. */
#ifndef CW_RIDGE_H
#define CW_RIDGE_H

#include "../core/core.h"
#include "gram.h"

/* Grids of the method page; freer ones overfit shallow data. */
enum { CW_RIDGE_A_COUNT = 3, CW_RIDGE_RHO_COUNT = 3 };
extern const double cw_ridge_a[CW_RIDGE_A_COUNT];       /* .001, .003, .01 */
extern const double cw_ridge_rho[CW_RIDGE_RHO_COUNT];   /* .03, .1, .3; 0 always competes */

/* Each column of x (cells, genes) in place to mean 0 and variance 1 (n in the denominator); a column whose standard
 * deviation is below 1e-7 of its largest magnitude becomes 0. CW_ERR_NUMERIC for values that aren't finite. */
cw_status cw_ridge_standardise(cw_ctx *ctx, float *x, int64_t cells, int64_t genes);

/* x := x - W B, B the least-squares fit of x on W (cells, states) with 1e-3 added to the diagonal of W^T W. */
cw_status cw_ridge_centre(cw_ctx *ctx, float *x, const float *w, int64_t cells, int64_t genes, int64_t states);

/* slope (tfs, genes): posterior means, 0 at a TF's own place. evidence (genes): log evidence without the constant
 * -cells/2 log(2 pi); an empty network has -cells/2 for a standardised gene. chosen: the value of the grid taken.
 * evidence and chosen may be NULL. grid (n_grid) values > 0. */
cw_status cw_ridge_pooled(cw_ctx *ctx, double *slope, double *evidence, double *chosen, const float *x,
                          const int32_t *tf, const double *grid, int64_t n_grid, int64_t cells, int64_t genes,
                          int64_t tfs);

/* The same from sums over cells, standardised in double; a gene that doesn't vary counts as constant. */
cw_status cw_ridge_pooled_sums(cw_ctx *ctx, double *slope, double *evidence, double *chosen, const cw_gram *gram,
                               const double *grid, int64_t n_grid);

/* Edges believed beforehand: the TFs of gene g are tf[start[g] .. start[g + 1]), indices into the network's TFs,
 * ascending. A gene's edge from itself counts for nothing. */
typedef struct cw_known_edges {
    const int64_t *start; /* (genes + 1) */
    const int32_t *tf;
} cw_known_edges;

typedef struct cw_known_options {
    const double *a;        /* (a_count) > 0 */
    const double *strength; /* (strength_count), the first 1, the others above: what the prior variance of a known
                               edge is multiplied by */
    int64_t a_count, strength_count;
    int64_t nulls; /* times the known TFs are dealt to other genes; 0: no null */
    uint64_t key;  /* of the dealing */
} cw_known_options;

typedef struct cw_known {
    double a, strength; /* chosen */
    double gain;        /* highest total evidence with strength > 1 less that of 1, at the a best for the latter */
} cw_known;

/* The pooled network with known edges. a and strength have the highest evidence summed over genes; but strength 1,
 * which is cw_ridge_pooled, is taken unless the gain is above the largest null gain and three standard deviations above
 * the mean one: dealt edges gain too where the grid of a is too low. best (strength_count): highest total evidence of
 * each strength. null_gain (nulls), NULL if there are none. evidence (genes) and slope (tfs, genes) as above. Cost
 * beside cw_ridge_pooled's: genes (a_count + nulls) strength_count (TFs known per gene)^2 TFs. */
cw_status cw_ridge_known(cw_ctx *ctx, double *slope, double *evidence, double *best, double *null_gain,
                         cw_known *found, const float *x, const int32_t *tf, const cw_known_edges *known,
                         const cw_known_options *options, int64_t cells, int64_t genes, int64_t tfs);

/* The same from sums over cells. */
cw_status cw_ridge_known_sums(cw_ctx *ctx, double *slope, double *evidence, double *best, double *null_gain,
                              cw_known *found, const cw_gram *gram, const cw_known_edges *known,
                              const cw_known_options *options);

/* Bytes it will take beside its arguments; `most`: TFs known of one gene. */
int64_t cw_ridge_known_bytes(const cw_ctx *ctx, const cw_known_options *options, int64_t genes, int64_t tfs,
                             int64_t most);

typedef struct cw_varying_options {
    const double *a;    /* (a_count) > 0 */
    const double *rho;  /* (rho_count) > 0 */
    int64_t a_count, rho_count;
    int64_t permutations; /* of W over cells for the null of the gain; 0: none */
    int64_t null_genes;   /* gain and null are summed over at most so many genes, evenly spread */
    uint64_t key;         /* of the permutations */
} cw_varying_options;

typedef struct cw_varying {
    double a, rho;   /* chosen; rho = 0: pooled */
    double evidence; /* summed over genes, of the chosen model */
    double empty;    /* the same of a network without edges */
    double gain;     /* best evidence with rho > 0 less that with rho = 0, over the genes of the null */
    double gain_all; /* the same over all genes: what chooses rho */
} cw_varying;

/* pooled (tfs, genes): slopes of rho = 0. slope (states, tfs, genes): beta + delta_k of the chosen rho. sd (states,
 * tfs): square root of the mean of x_t^2 in each state, weighted by W. null_gain (options->permutations): gains with
 * W permuted; may be NULL when there are none. w (cells, states) >= 0, rows sum to 1, no empty column. */
cw_status cw_ridge_varying(cw_ctx *ctx, double *pooled, double *slope, double *sd, double *null_gain,
                           cw_varying *found, const float *x, const int32_t *tf, const float *w,
                           const cw_varying_options *options, int64_t cells, int64_t genes, int64_t tfs,
                           int64_t states);

/* Bytes that cw_ridge_varying will take beside its arguments (states = 0: cw_ridge_pooled), with `grid` prior variances
 * tried at once. */
int64_t cw_ridge_bytes(const cw_ctx *ctx, int64_t genes, int64_t tfs, int64_t states, int64_t grid);

#endif
