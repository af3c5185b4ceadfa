/* efm.h: the embedding foundation module of scCAFM: genes are read in the causal order of the cell's network, and each is
 * told from those before it.
 *
 * A causal Transformer with rotary positions over the tokens of sccafm.h, re-ordered; two heads say from the state at one
 * place which gene comes next and how strongly it is expressed. The prefix' state is the cell's embedding, those of the
 * genes are their embeddings in this cell. */
#ifndef CW_EFM_H
#define CW_EFM_H

#include "../sccafm/sccafm.h"

typedef struct cw_efm_config {
    cw_sccafm_config trunk;
    int64_t head_hidden; /* 0: embed_dim */
    float head_dropout;
} cw_efm_config;

typedef struct cw_efm {
    cw_model model; /* first: a cw_efm is a cw_model */
    cw_efm_config config;
    cw_sccafm_trunk trunk;
    cw_mlp id_head, value_head;
} cw_efm;

extern const cw_model_class cw_efm_class;

/* The arrays of a cell in the order in which they are read: order (cells, genes) are places among the genes as given, the
 * padding last; NULL: as they are. Everything lives in the arena. */
typedef struct cw_efm_cells {
    cw_sccafm_input input;
    const int32_t *order;
    cw_sccafm_batch batch;
} cw_efm_cells;
cw_status cw_efm_read(cw_efm_cells *cells, cw_inputs *in, const cw_efm *model);

/* What each token tells, T rows: the next gene's vocabulary token (after the last: the last row of the vocabulary, the end
 * of the sequence) and its expression (there: 0). */
typedef struct cw_efm_targets {
    int32_t *id;
    float *value;
} cw_efm_targets;
cw_efm_targets cw_efm_next(const cw_efm *model, cw_arena *arena, const cw_sccafm_batch *batch);

cw_tensor *cw_efm_ids(const cw_efm *model, cw_tape *tape, cw_tensor *hidden);    /* (n, V) logits */
cw_tensor *cw_efm_values(const cw_efm *model, cw_tape *tape, cw_tensor *hidden); /* (n, 1) */

/* Decodes expression one gene after the other with cached keys and values: the prefix sees the observed expression, each
 * gene max(0, what was told for it). value (cells, genes) in the order of reading. Without padding only. */
cw_status cw_efm_generate(const cw_efm *model, cw_tape *tape, const cw_efm_cells *cells, float *value);

#endif
