/* nulls.h: networks as they would be without what is claimed for them.
 *
 * Score matrices are as R keeps them, TFs x genes with TFs next to each other: score[g * tfs + t]. tf_gene (tfs) is
 * the position of each TF among the genes; self edges are left alone. Every draw is a function of (key, draw). */
#ifndef CW_NULLS_H
#define CW_NULLS_H

#include "../core/core.h"

/* Each gene's values over cells in random order, within groups of cells. By gene: start (genes + 1), cell and value
 * (start[genes]), cells ascending within a gene. new_cell, new_value are of the same length, with the same `start`.
 * group (cells): 0 .. groups - 1; NULL: one group. */
cw_status cw_null_permute(cw_ctx *ctx, int32_t *new_cell, double *new_value, const int32_t *start, const int32_t *cell,
                          const double *value, const int32_t *group, int64_t groups, uint64_t key, uint64_t draw,
                          int64_t cells, int64_t genes);

/* out (tfs, genes): the scores in random order, over the whole matrix or (by_tf) within each TF. */
cw_status cw_null_shuffle(cw_ctx *ctx, double *out, const double *score, const int32_t *tf_gene, int by_tf,
                          uint64_t key, uint64_t draw, int64_t tfs, int64_t genes);

/* Degree-preserving rewiring (Maslov and Sneppen 2002): `attempts` times two edges a>b, c>d become a>d, c>b, unless
 * one of these exists or is a self edge. tf, gene (edges) describe the network and get the new one; each edge keeps its
 * TF, so it can keep its score. An edge that is listed twice is an error. done: swaps made; may be NULL. */
cw_status cw_null_rewire(cw_ctx *ctx, const int32_t *tf, int32_t *gene, int64_t *done, const int32_t *tf_gene,
                         int64_t attempts, uint64_t key, uint64_t draw, int64_t edges, int64_t tfs, int64_t genes);

/* Random networks with the expected number of known targets of every TF and of known regulators of every gene, and
 * nothing else (maximum entropy): the edges are independent, of chance p_tg = x_t y_g / (1 + x_t y_g) among the pairs
 * with use, 0 elsewhere. x and y by alternating updates until the degrees hold to 1e-6 of an edge, at most 2,000.
 * p, use, known (tfs, genes); known 0 or 1, counted where used. */
cw_status cw_null_degrees(cw_ctx *ctx, double *p, const uint8_t *use, const uint8_t *known, int64_t tfs, int64_t genes);

/* count (tfs, genes): how many null scores of the same TF are at least the observed score of the edge; 0 for self
 * edges, which don't count either. */
cw_status cw_null_above(cw_ctx *ctx, double *count, const double *observed, const double *null,
                        const int32_t *tf_gene, int64_t tfs, int64_t genes);

#endif
