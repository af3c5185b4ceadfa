/* kcellfm.h: KCellFM (2025; nudt-bioinfo/KCFM).
 *
 * A cell is read as scGPT reads it, a <cls> token and its genes, by layers of Mamba 2 that run along the tokens in both
 * directions, between norms without weights and without residuals. The order of the genes matters. Heads tell masked values
 * and the cell's class; a ranking loss draws the cell's vector to the vector of its type, made of the type's name (see
 * bert.h), and from there to those of types that the ontology calls close. Names are those of the published model. */
#ifndef CW_KCELLFM_H
#define CW_KCELLFM_H

#include "../../nn/layer_ssm.h"
#include "../scgpt/scgpt.h"

enum { CW_KCELLFM_ADD, CW_KCELLFM_MULTIPLY };
enum { CW_KCELLFM_CLS, CW_KCELLFM_MEAN, CW_KCELLFM_WEIGHTED };

typedef struct cw_kcellfm_config {
    int64_t tokens, pad, cls; /* rows of the gene table; the tokens <pad> and <cls> */
    int64_t width, layers, classes;
    int64_t state, taps, expand, head_dim, groups; /* of Mamba 2 */
    int both, combine, tied; /* both: directions; tied: they share their two matrices */
    int cell;                /* what a cell's vector is */
    float pad_value, mask_value, cls_value, most; /* most: larger values count as it */
    float dropout;           /* of what the values are read as */
} cw_kcellfm_config;

/* A batch of tokens, and what the way back needs. */
typedef struct cw_kcellfm_batch {
    cw_scgpt_batch token;
    cw_ragged flip;  /* every cell's tokens, and every row of padding alone: what is reversed */
    float *kept;     /* (rows): 0 on padding; NULL: there is none */
} cw_kcellfm_batch;

typedef struct cw_kcellfm_layer {
    cw_layer_ssm forward, reverse;
} cw_kcellfm_layer;

typedef struct cw_kcellfm {
    cw_model model; /* first */
    cw_kcellfm_config config;
    cw_tensor *gene_table;
    cw_layer_norm gene_norm, value_norm;
    cw_layer_linear value[2];
    cw_kcellfm_layer *layer; /* (layers), owned */
    cw_layer_mlp decoder, class_decoder;
} cw_kcellfm;

extern const cw_model_class cw_kcellfm_class;
extern const cw_setting cw_kcellfm_settings[];
cw_status cw_kcellfm_check(cw_model *m);
cw_status cw_kcellfm_build(cw_model *m);
void cw_kcellfm_release(cw_model *m);
double cw_kcellfm_forecast(const cw_model *m, const cw_sizes *sizes);

/* As cw_scgpt_batch_build, by the model's tokens. */
cw_status cw_kcellfm_batch_build(cw_kcellfm_batch *b, cw_arena *arena, const cw_scgpt_input *in,
                                 const cw_scgpt_reading *how, const cw_kcellfm_config *config);

/* Tensors are NULL on a failed context. */
typedef struct cw_kcellfm_output {
    cw_tensor *hidden, *cell; /* (rows,d), (cells,d) */
} cw_kcellfm_output;

cw_kcellfm_output cw_kcellfm_forward(const cw_kcellfm *m, cw_tape *t, const cw_kcellfm_batch *b,
                                     const cw_observer *observer);
cw_tensor *cw_kcellfm_decode(const cw_kcellfm *m, cw_tape *t, const cw_kcellfm_output *y, const int32_t *row, int64_t n);
cw_tensor *cw_kcellfm_classify(const cw_kcellfm *m, cw_tape *t, const cw_kcellfm_output *y); /* (cells,classes) */

/* What the ranking loss compares cells with; host memory. */
typedef struct cw_kcellfm_types {
    const float *vector;  /* (classes,d), of any length */
    const uint8_t *close; /* (classes,classes) */
    const int32_t *label; /* (cells) */
    /* (cells) for a type that none is close to another one in that place (-1 elsewhere), and a type that is neither the
     * cell's nor close to it; NULL: drawn evenly from the step's stream */
    const int32_t *proxy, *negative;
    int64_t classes, cells;
} cw_kcellfm_types;
/* mean over cells of relu(near - own + 0.1) + relu(other - near + 0.2): cosines with the cell's type, the closest of those
 * close to it, and the negative. Labels, proxies and negatives outside the classes are refused. */
cw_tensor *cw_kcellfm_ranking(cw_tape *t, cw_tensor *cell, const cw_kcellfm_types *types);

#endif
