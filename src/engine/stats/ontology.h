/* ontology.h: naming cells of types that no one has seen, as published: by the cosine of cell and name (KCFM), or by votes of
 * the types seen through personalised PageRank on the ontology (scCello). */
#ifndef CW_ONTOLOGY_H
#define CW_ONTOLOGY_H

#include "../core/core.h"

/* Nodes 0 .. n - 1, edges from[e] - to[e] without direction, parallel ones counted once. */
typedef struct cw_undirected {
    int64_t n, edges;
    const int32_t *from, *to;
} cw_undirected;

/* rank (sources,n): x <- damping (x M + what isolated nodes hold, to the source) + (1 - damping) at the source, M the graph's
 * rows divided by their sums, from 1/n everywhere until the sum of the changes is below n tol; steps (sources), how many it
 * took. `most` steps that don't suffice are an error. */
cw_status cw_page_rank(cw_ctx *ctx, double *rank, int32_t *steps, const cw_undirected *graph, const int32_t *source,
                       int64_t sources, double damping, double tol, int64_t most);

/* 1 where a rank is below the threshold, else log2(rank / threshold + 1). */
double cw_rank_similarity(double rank, double threshold);

/* y (n,m): cosines of rows, times scale; 0 with a row of zeros. a (n,d), b (m,d) */
void cw_row_cosines(double *y, const double *a, int64_t n, const double *b, int64_t m, int64_t d, double scale);

/* rho (n,m): Spearman's correlation (ties share their mean rank) of row i of a (n,k) with row j of b (m,k); 0 where one
 * doesn't vary. */
cw_status cw_row_spearman(cw_ctx *ctx, double *rho, const double *a, int64_t n, const double *b, int64_t m, int64_t k);

/* order (n,m): columns by falling value of x (n,m), of equal ones the first first. */
cw_status cw_row_order(cw_ctx *ctx, int32_t *order, const double *x, int64_t n, int64_t m);

/* Only the types pick[0..k) are there: cells of these, each called by the largest of their scores (n,m); the share that is
 * right, and the mean F1 over the types that are true of a cell or called. NaN without cells. */
cw_status cw_pick_scores(cw_ctx *ctx, double *accuracy, double *macro_f1, const double *score, const int32_t *truth,
                         int64_t n, int64_t m, const int32_t *pick, int64_t k);

#endif
