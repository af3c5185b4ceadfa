/* genefn.h: what a gene does, told from its vector: the heads of CellFM's notebooks on gene function (Zeng et al. 2025).
 *
 * Vectors are fixed. Many labels at once (GO terms): norm, linear, SiLU, then three linear layers with SiLU between; two
 * classes: three linear layers without biases, each half as wide. In published files the names have no prefix. */
#ifndef CW_GENEFN_H
#define CW_GENEFN_H

#include "../../nn/layer_linear.h"
#include "../../nn/layer_norm.h"
#include "../model.h"

typedef struct cw_genefn_config {
    int64_t width, hidden, hidden2, hidden3, labels;
    int binary;
    float dropout;
} cw_genefn_config;

extern const cw_model_class cw_genefn_class;

#endif
