/* gears.h: GEARS (Roohani, Huang & Leskovec 2023): what a cell's expression becomes when genes are perturbed.
 *
 * Genes have an embedding that a graph of co-expression informs, perturbations one that a graph of shared GO terms
 * informs. A cell's perturbations are summed and added to all its genes; a shared decoder, one row of weights a gene and
 * a state of the whole cell give the change of each gene. Rows are genes of cells stacked, row = cell genes + gene.
 * In the copies of KCellFM and CellFM another model's embedding of every gene in every cell stands in place of the
 * gene's (`external`). Names are those of the published state dict; what it holds and never uses is kept as buffers. */
#ifndef CW_GEARS_H
#define CW_GEARS_H

#include "../../nn/layer_graph.h"
#include "../../nn/layer_mlp.h"
#include "../../nn/observe.h"
#include "../model.h"

#define CW_GEARS_GRAPH_LAYERS 4

typedef struct cw_gears_config {
    int64_t genes, perturbations, width, go_layers, gene_layers, external;
    int uncertainty, no_perturb, every_cell;
} cw_gears_config;

typedef struct cw_gears {
    cw_model model; /* first */
    cw_gears_config config;
    cw_tensor *gene, *place, *perturbation; /* tables: (genes,d), (genes,d), (perturbations,d) */
    cw_layer_norm gene_norm, base_norm;
    cw_layer_linear near[CW_GEARS_GRAPH_LAYERS], similar[CW_GEARS_GRAPH_LAYERS];
    cw_layer_mlp base, fuse, recover, cross, doubt;
    cw_tensor *w1, *b1, *w2, *b2; /* per gene: (genes,d,1), (genes,1), (1,genes,d+1), (1,genes) */
    cw_graph_store *coexpression, *go; /* of the batch that was read last, owned: the backward needs them, too */
} cw_gears;

/* A batch; arrays are borrowed or the tape's. */
typedef struct cw_gears_batch {
    int64_t cells, most;         /* most: perturbations of one cell */
    const float *control;        /* (cells, genes): expression of the unperturbed cell that stands for each */
    const int32_t *perturbed;    /* (cells, most): rows of the table, below 0: none */
    const float *embedding;      /* (cells genes, external), or (genes, external) for all cells, or NULL */
    int shared;                  /* 1: the latter */
} cw_gears_batch;

extern const cw_model_class cw_gears_class;
extern const cw_setting cw_gears_settings[];
extern const cw_name_rule cw_gears_rules[];
cw_status cw_gears_build(cw_model *m);
double cw_gears_forecast(const cw_model *m, const cw_sizes *sizes);

/* "control" (cells, genes), "perturbed" (cells, most), with `external` "embedding" (cells, genes, external) or, for all
 * cells, "geneEmbedding" (genes, external); the graphs, usually kept: "coexpression", "go" (edges, 2): target and source,
 * counted from 0, with "coexpressionWeight", "goWeight" (edges). */
cw_status cw_gears_batch_read(cw_gears *m, cw_inputs *in, cw_gears_batch *b);
void cw_gears_release(cw_model *m);

/* Expression of the perturbed cells (cells, genes); *log_variance (cells genes, 1), or NULL without uncertainty. Tables'
 * rows longer than 1 are cut to 1, for good, as published. */
cw_tensor *cw_gears_forward(const cw_gears *m, cw_tape *t, const cw_gears_batch *b, cw_tensor **log_variance,
                            const cw_observer *observer);

#endif
