/* neighbours.h: nearest neighbours, the graphs made of them, and what partitions of such graphs are worth.
 *
 * Points are rows, double, contiguous. Nothing depends on ctx->threads; ties go to the lower index. Edges are pairs
 * i < j, each once, by i, then j. */
#ifndef CW_NEIGHBOURS_H
#define CW_NEIGHBOURS_H

#include "../core/core.h"

/* index, distance (n, k): the k nearest others of each point, ascending; Euclidean, or 1 - cosine with `cosine` (a point
 * of length 0 has cosine 0 with all). point (n, dims). 1 <= k < n. Time n^2 dims. */
cw_status cw_nearest(cw_ctx *ctx, int32_t *index, double *distance, const double *point, int64_t n, int64_t dims,
                     int64_t k, int cosine);

/* edges and weights of a graph; freed with cw_weighted_graph_free */
typedef struct cw_weighted_graph {
    int64_t n, edges;
    int32_t *from, *to; /* (edges) */
    double *weight;     /* (edges) > 0 */
} cw_weighted_graph;
void cw_weighted_graph_free(cw_ctx *ctx, cw_weighted_graph *g);

/* UMAP's connectivities (McInnes, Healy & Melville 2018, 3.1): p_ij = exp(-max(0, d_ij - rho_i) / sigma_i), rho_i the
 * smallest positive distance, sigma_i such that a row sums to log2(k + 1); weight p_ij + p_ji - p_ij p_ji. */
cw_status cw_umap_graph(cw_ctx *ctx, cw_weighted_graph *out, const int32_t *index, const double *distance, int64_t n,
                        int64_t k);

/* Shared neighbours (Seurat): the Jaccard index of neighbourhoods, each point its own neighbour too; weights below
 * `least` are dropped. */
cw_status cw_shared_graph(cw_ctx *ctx, cw_weighted_graph *out, const int32_t *index, int64_t n, int64_t k, double least);

/* Modularity at a resolution r (Reichardt & Bornholdt 2006): sum over pairs in one group of (w_ij - r s_i s_j / W) / W,
 * both orders and the diagonal included; s strengths, W their sum. group (n) in 0 .. groups - 1. NaN without edges. */
cw_status cw_modularity(cw_ctx *ctx, double *out, const cw_weighted_graph *g, const int32_t *group, int64_t groups,
                        double resolution);

/* log10 P(X >= overlap), X hypergeometric: `drawn` of `total` are drawn, `marked` of them are marked. 0 where it is sure. */
double cw_overlap_log10p(int64_t overlap, int64_t total, int64_t marked, int64_t drawn);

/* P(X >= x) of a chi-squared variable with df degrees of freedom; 1 at x <= 0. */
double cw_chisq_upper(double x, double df);

#endif
