/* celllabel.h: labels and novelty of a block of cells by models that are fit: what a sweep over very many cells does, all
 * of a cell at once and a tile of cells a thread. See celltype.h for blocks and views. */
#ifndef CW_CELLLABEL_H
#define CW_CELLLABEL_H

#include "celltype.h"

/* A linear model on a view; all models of a call have the same classes. */
typedef struct cw_cell_model {
    cw_cell_view view;
    const double *B, *b; /* (classes, genes), (classes) */
} cw_cell_model;

/* How the models' probabilities p_m become one. With a single model it is the label; with three, their geometric mean
 * g is, log g = mean_m log(p_m + 1e-6) less its log sum; with four the last is the matched one, which is the label, or
 * with `blend` the geometric mean of it and g. */
typedef struct cw_label_rule {
    int models, blend; /* models: 1, 3 or 4 */
    double temperature;
    const double *threshold; /* (classes) a class is in the conformal set where 1 - p <= threshold; the label always is */
} cw_label_rule;

typedef struct cw_cell_labels {
    int32_t *label, *guess, *matched, *beside; /* (cells) the largest by all, by g, by the matched one, by `beside` */
    double *probability; /* (cells) of the label, at the temperature */
    uint8_t *inside;     /* (cells, classes) 1: in the set */
    double *p;           /* (cells, classes), or NULL */
} cw_cell_labels;

/* model: rule->models of them, then one whose calls stand beside. Ties keep the earlier class. */
cw_status cw_cell_label(cw_ctx *ctx, cw_cell_labels *out, const cw_cell_block *block, const cw_cell_model *model,
                        const cw_label_rule *rule, int64_t classes);

/* What says how unlike the types a cell is: cosines to centres, and discriminant space, on one view; directions of the
 * query's own geometry on another. */
typedef struct cw_novelty_model {
    cw_cell_view view, own;
    int64_t types, dims, axes;
    const double *centre;   /* (types, genes) of mean 0 and length 1 */
    const double *typical;  /* (types) the cosine that a type's own cells have */
    const double *rotation; /* (dims, genes); the white point of a cell v is rotation v - origin (dims) */
    const double *origin;
    const double *mean;     /* (types, dims) white points of the types */
    const double *middle;   /* (dims) and `inverse` (dims, dims): all cells together, and the inverse of their covariance */
    const double *inverse;
    const double *axis; /* (axes, own.genes) */
} cw_novelty_model;

/* raw (cells, 2): the largest cosine over what is typical there, and the Mahalanobis distance (squared) to all cells less
 * that to the nearest type, both high for cells like a type; point (cells, axes). */
cw_status cw_cell_novelty(cw_ctx *ctx, double *raw, double *point, const cw_cell_block *block,
                          const cw_novelty_model *model);

#endif
