/* hyena.h: HyenaDNA (Nguyen et al. 2023; HazyResearch/hyena-dna, Apache 2.0): a causal model of DNA, one token a base.
 *
 * Blocks of a Hyena operator (nn/layer_hyena.h) and a small network, pre-norm. Sequences of any lengths are packed one
 * behind the other; padding is never computed. Names are those of the published checkpoint behind "model.". */
#ifndef CW_HYENA_H
#define CW_HYENA_H

#include "../../nn/layer_hyena.h"
#include "../../nn/layer_norm.h"
#include "../../nn/observe.h"
#include "../model.h"

typedef struct cw_hyena_config {
    int64_t width, layers, inner, vocab, vocab_multiple, classes;
    int head; /* of whole sequences */
    float eps;
    int64_t order, longest, features, filter_width, inner_layers, taps;
    int modulate;
    float frequency, shift, position_lr; /* above 0: positional features are trained */
    float dropout, embed_dropout;
} cw_hyena_config;

typedef struct cw_hyena_block {
    cw_layer_norm norm1, norm2;
    cw_layer_hyena mixer;
    cw_layer_linear fc1, fc2;
} cw_hyena_block;

typedef struct cw_hyena {
    cw_model model; /* first */
    cw_hyena_config config;
    cw_tensor *words;      /* (vocab,d): embeddings, and the head of the next token */
    cw_hyena_block *block; /* (layers), owned */
    cw_layer_norm last;
    cw_layer_linear head;
} cw_hyena;

extern const cw_model_class cw_hyena_class;
extern const cw_setting cw_hyena_settings[];
extern const cw_name_rule cw_hyena_rules[];
cw_status cw_hyena_check(cw_model *m);
cw_status cw_hyena_build(cw_model *m);
void cw_hyena_release(cw_model *m);
double cw_hyena_forecast(const cw_model *m, const cw_sizes *sizes);

/* The filters of all layers for sequences of up to `length` tokens: the same for all of them, so made once for a batch,
 * or for many. filter: (layers). Returns the status. */
cw_status cw_hyena_filters(const cw_hyena *m, cw_tape *t, int64_t length, cw_tensor **filter);
/* id (rows of seq) -> (rows,d), after the last norm */
cw_tensor *cw_hyena_forward(const cw_hyena *m, cw_tape *t, const int32_t *id, cw_ragged seq, cw_tensor *const *filter,
                            const cw_observer *observer);

#endif
