/* autoencoder.h: the plain auto-encoders that stand in for scGen (Lotfollahi et al. 2019) and its conditional form in
 * CellOT's code (Bunne et al. 2023): no sampling, no KL term.
 *
 * A prediction moves codes: decode(code + mean code of the target - mean code of the source), or, conditional, decodes
 * them under another condition. Names are those of the published state dict. */
#ifndef CW_AUTOENCODER_H
#define CW_AUTOENCODER_H

#include "../../nn/layer_linear.h"
#include "../model.h"

#define CW_AUTOENCODER_HIDDEN 6

typedef enum cw_autoencoder_kind {
    CW_AUTOENCODER_PLAIN,      /* published: scgen */
    CW_AUTOENCODER_CONDITIONAL /* cae: a one-hot condition beside the expression, and beside the code */
} cw_autoencoder_kind;

typedef struct cw_autoencoder_config {
    int kind; /* cw_autoencoder_kind */
    int64_t genes, code, conditions;
    int64_t hidden[CW_AUTOENCODER_HIDDEN]; /* of the encoder, the first 0 ends them; the decoder has them in reverse */
    float beta;                            /* weight of the codes' squared length */
} cw_autoencoder_config;

typedef struct cw_autoencoder {
    cw_model model; /* first */
    cw_autoencoder_config config;
    int layers; /* of each half */
    cw_layer_linear encoder[CW_AUTOENCODER_HIDDEN + 1], decoder[CW_AUTOENCODER_HIDDEN + 1];
} cw_autoencoder;

extern const cw_model_class cw_autoencoder_class;

/* x (n, genes) -> (n, code); onehot (n, conditions), NULL for a plain one */
cw_tensor *cw_autoencoder_encode(const cw_autoencoder *m, cw_tape *t, cw_tensor *x, cw_tensor *onehot);
/* code (n, code) -> (n, genes) */
cw_tensor *cw_autoencoder_decode(const cw_autoencoder *m, cw_tape *t, cw_tensor *code, cw_tensor *onehot);

#endif
