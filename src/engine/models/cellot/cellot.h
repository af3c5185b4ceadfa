/* cellot.h: CellOT (Bunne et al. 2023): optimal transport between cells that were measured once, untreated or treated,
 * by a pair of input-convex networks.
 *
 * The gradient of g carries untreated cells to treated ones. f and g play: g for a map whose targets f finds low, f to
 * tell carried cells from treated ones. Names are those of the published checkpoint, f. and g. before those of each
 * network. */
#ifndef CW_CELLOT_H
#define CW_CELLOT_H

#include "../../nn/layer_icnn.h"
#include "../model.h"

#define CW_CELLOT_HIDDEN 8

typedef struct cw_cellot_config {
    int64_t dim; /* values of a cell: genes, components or a code */
    int64_t hidden[CW_CELLOT_HIDDEN]; /* the first 0 ends them */
    int activation, softplus_kernels;
    float softplus_beta, low, high; /* the weights begin uniform within low and high */
} cw_cellot_config;

typedef struct cw_cellot {
    cw_model model; /* first */
    cw_cellot_config config;
    cw_layer_icnn f, g;
    int clamp; /* 1: the step that is on is f's, whose W must not end negative */
} cw_cellot;

extern const cw_model_class cw_cellot_class;

#endif
