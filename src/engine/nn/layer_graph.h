/* layer_graph.h: graphs from lists of edges, and the simplified graph convolution (SGConv, Wu et al. 2019). */
#ifndef CW_LAYER_GRAPH_H
#define CW_LAYER_GRAPH_H

#include "../autodiff/ops.h"

/* The sparse matrix with A[target_e, source_e] = weight_e, edges of one row in the order given. Owns its arrays; freed
 * with cw_graph_free. `weight` (edges) or NULL: ones. NULL with the error recorded (also for an edge out of range). */
typedef struct cw_graph_store {
    cw_graph graph;
    float *weight; /* (entries), in the order by rows */
    int64_t *start[2];
    int32_t *index[2], *place;
} cw_graph_store;
cw_graph_store *cw_graph_new(cw_ctx *ctx, int64_t rows, int64_t cols, int64_t edges, const int32_t *target,
                             const int32_t *source, const float *weight);
void cw_graph_free(cw_ctx *ctx, cw_graph_store *graph);

/* Weights as SGConv and GCN normalise them: a loop of weight 1 at nodes that have none (of several loops the last one
 * stays), degree_i = sum of the weights of edges with target i, weight_ij / sqrt(degree_i degree_j); 0 where a degree
 * isn't above 0. */
cw_graph_store *cw_graph_new_normalised(cw_ctx *ctx, int64_t nodes, int64_t edges, const int32_t *target,
                                        const int32_t *source, const float *weight);

/* (A x) w^T + b for each of `blocks` stacked x (nodes,d): SGConv with one hop */
cw_tensor *cw_layer_graph(cw_tape *t, const cw_graph_store *graph, cw_tensor *x, cw_tensor *w, cw_tensor *b,
                          int64_t blocks);

#endif
