/* sccafm.h: what scCAFM's two modules (SFM, EFM) share: how cells are read, the embedding of their tokens, the Transformer.
 *
 * Source: Catchxu/scCAFM (GPL-3); what it computes is written down in the package's method notes and checked against
 * golden values (make parity). One cell is a sequence of a prefix token (conditions + batch) and one token per gene. */
#ifndef CW_SCCAFM_H
#define CW_SCCAFM_H

#include "../../nn/transformer.h"
#include "../model.h"

typedef struct cw_sccafm_config {
    int64_t vocab, conditions, pad; /* rows of the gene and condition tables; the padding token */
    int64_t embed_dim;
    int64_t expr_bins, expr_hidden, batch_bins, batch_hidden;
    float expr_tau, batch_tau, cond_dropout, out_dropout;
    int64_t layers, heads, mlp_hidden; /* mlp_hidden 0: 4 embed_dim */
    int qkv_bias, out_bias, mlp_bias;
    float mlp_dropout, norm_eps;
    int use_rotary, rotary_interleaved;
    float rotary_base;
} cw_sccafm_config;

/* Rows of the settings' table: `trunk` of the struct S, keys below the object `key`, rotary positions on or off. */
#define CW_SCCAFM_RATE(S, member, key, argument, help) CW_SET_REAL(S, member, key, argument, 0.1, 0, 0.999, 0, help)
#define CW_SCCAFM_SETTINGS(S, key, rotary)                                                                              \
    CW_SET_INT(S, trunk.vocab, "vocab", NULL, NAN, 1, 1e8, "rows of the gene table"),                                  \
        CW_SET_INT(S, trunk.conditions, "conditions", NULL, NAN, 1, 1e7, "rows of the condition table"),               \
        CW_SET_INT(S, trunk.pad, "pad", NULL, NAN, 0, 1e8, "the padding token"),                                       \
        CW_SET_INT(S, trunk.embed_dim, key ".embed_dim", "embedDim", 512, 1, 65536,                                    \
                   "model width, a multiple of the heads"),                                                            \
        CW_SET_INT(S, trunk.expr_bins, key ".expr_num_bins", "exprBins", 32, 2, 65536,                                 \
                   "prototypes of the expression encoder"),                                                            \
        CW_SET_INT(S, trunk.expr_hidden, key ".expr_hidden_dim", "exprHidden", 256, 1, 65536, "its hidden width"),     \
        CW_SET_REAL(S, trunk.expr_tau, key ".expr_tau", "exprTau", 1, 0, 1e12, 1, "its softmax temperature"),          \
        CW_SET_INT(S, trunk.batch_bins, key ".batch_num_bins", "batchBins", 32, 1, 65536,                              \
                   "prototypes of a cell's vector"),                                                                   \
        CW_SET_INT(S, trunk.batch_hidden, key ".batch_hidden_dim", "batchHidden", 128, 1, 65536,                       \
                   "hidden width of its encoder"),                                                                     \
        CW_SET_REAL(S, trunk.batch_tau, key ".batch_tau", "batchTau", 1, 0, 1e12, 1, "its softmax temperature"),       \
        CW_SCCAFM_RATE(S, trunk.cond_dropout, key ".cond_dropout", "condDropout", "dropout of the conditions"),        \
        CW_SCCAFM_RATE(S, trunk.out_dropout, key ".out_dropout", "outDropout", "dropout of the embedding"),            \
        CW_SET_INT(S, trunk.layers, key ".num_layers", "layers", 4, 1, 1000, "Transformer blocks"),                    \
        CW_SET_INT(S, trunk.heads, key ".num_heads", "heads", 8, 1, 1024, "attention heads"),                          \
        CW_SET_INT(S, trunk.mlp_hidden, key ".backbone_mlp_hidden_dim", "mlpHidden", 0, 0, 262144,                     \
                   "hidden width of the blocks' SwiGLU; 0: 4 x embedDim"),                                             \
        CW_SCCAFM_RATE(S, trunk.mlp_dropout, key ".backbone_mlp_dropout", "mlpDropout", "dropout of the SwiGLU"),      \
        {.name = key ".attention_backend", .type = CW_SETTING_TEXT, .fallback = NAN},                                  \
        CW_SET_FLAG(S, trunk.use_rotary, key ".use_rotary", "useRotary", rotary, "rotary positions in attention"),     \
        CW_SET_FLAG(S, trunk.qkv_bias, key ".qkv_bias", "qkvBias", 1, "biases of query, key, value"),                  \
        CW_SET_FLAG(S, trunk.out_bias, key ".out_bias", "outBias", 1, "bias of attention's output"),                   \
        CW_SET_FLAG(S, trunk.mlp_bias, key ".backbone_mlp_bias", "mlpBias", 1, "biases of the SwiGLU"),                \
        CW_SET_REAL(S, trunk.norm_eps, key ".norm_eps", "normEps", 1e-6, 0, 1, 0, "epsilon of the blocks' RMSNorm"),   \
        CW_SET_REAL(S, trunk.rotary_base, key ".rotary_base", "rotaryBase", 10000, 0, 1e12, 1,                         \
                    "base of the rotary angles"),                                                                      \
        CW_SET_FLAG(S, trunk.rotary_interleaved, key ".rotary_interleaved", "rotaryInterleaved", 0,                    \
                    "pairs of neighbours are turned")

/* ---- cells ---- */

/* What a batch is made from (cw_sccafm_input_read: from named arrays). Arrays are (cells, genes) unless said otherwise and
 * borrowed until cw_sccafm_batch_build returns, eps until the step is over. */
typedef struct cw_sccafm_input {
    int64_t cells, genes;
    const int32_t *ids;       /* vocabulary tokens; if ids_shared, (genes) for all cells */
    int ids_shared;
    const float *values;      /* expression >= 0, finite */
    const int32_t *condition; /* (cells, 4): platform, species, tissue, disease */
    const uint8_t *non_tf;    /* 0 where the gene is a TF; if ids_shared, (genes) */
    const uint8_t *padding;   /* 1 where padded; NULL: nowhere */
    const float *eps;         /* the VGAE's noise; NULL: drawn from the tape's stream when a loss is computed */
} cw_sccafm_input;

/* A batch without padding: the tokens of all cells one after the other. T tokens with prefixes, N gene tokens, U of
 * them TFs. Everything lives in the arena it was built in. */
typedef struct cw_sccafm_batch {
    int64_t cells, genes;         /* as given, with padding */
    int64_t tokens, actives, tfs; /* T, N, U */
    cw_ragged seq, gene, tf;      /* of each cell: its rows among T, N, U */
    int32_t *position;            /* (T) place in the padded sequence, prefix 0 */
    int32_t *token, *tf_type, *is_gene, *prefix_cell, *is_prefix, *value_row; /* (T) rows of the tables that make up a
                                     token; -1: nothing of that table */
    int32_t *gene_row;            /* (N) row among T */
    int32_t *gene_token;          /* (N) vocabulary token */
    int32_t *gene_value;          /* (N) row of `distinct` */
    int32_t *gene_slot;           /* (N) place among the cell's (padded) genes */
    int32_t *tf_row;              /* (U) row among T */
    int32_t *tf_gene;             /* (U) row among N */
    int32_t *condition, *condition_place; /* (4 cells) */
    float *values;                /* (N) */
    float *distinct;              /* (distincts) the different values; distinct[0] = 0 */
    int64_t distincts;
    float *eps;                   /* (N), or NULL */
} cw_sccafm_batch;

/* The arrays ids, values, conditions, nonTF, and where they are given padding and eps. */
cw_sccafm_input cw_sccafm_input_read(cw_inputs *in);
cw_status cw_sccafm_batch_build(cw_sccafm_batch *batch, cw_arena *arena, const cw_sccafm_input *input,
                                const cw_sccafm_config *config);

/* Packed rows x (.., d) into the padded layout out (cells, slots, d): slots = genes + 1 for CW_ROWS_TOKEN, genes for
 * CW_ROWS_GENE and CW_ROWS_TF, 1 for CW_ROWS_CELL. Places without a row are set to `fill`. */
typedef enum cw_rows_kind { CW_ROWS_TOKEN, CW_ROWS_GENE, CW_ROWS_TF, CW_ROWS_CELL } cw_rows_kind;
int64_t cw_sccafm_slots(const cw_sccafm_batch *batch, cw_rows_kind kind);
void cw_sccafm_unpack(float *out, const cw_sccafm_batch *batch, cw_rows_kind kind, const float *x, float fill, int64_t d);

/* ---- the trunk: tokens' embedding and Transformer ---- */

typedef struct cw_scalar_encoder { /* x -> W2 RMS(silu(W1 x + b1)) + b2 */
    cw_tensor *w1, *b1, *norm, *w2, *b2;
} cw_scalar_encoder;

typedef struct cw_mlp { /* Linear, SiLU, dropout, Linear */
    cw_tensor *w1, *b1, *w2, *b2;
} cw_mlp;

typedef struct cw_sccafm_trunk {
    const cw_sccafm_config *config; /* the model's */
    cw_tensor *gene_table, *tf_type_table, *prefix_type, *gene_type, *token_norm;
    cw_scalar_encoder expr, batch;
    cw_tensor *expr_prototypes, *expr_bins, *batch_prototypes, *batch_bins, *batch_score_w, *batch_score_b;
    cw_tensor *cond_table, *cond_place, *cond_w1, *cond_b1, *cond_norm, *cond_w2, *cond_b2;
    cw_transformer backbone;
} cw_sccafm_trunk;

/* Settings that depend on each other; sets mlp_hidden where it is 0. */
cw_status cw_sccafm_check(cw_ctx *ctx, cw_sccafm_config *config);

/* Adds the parameters below `prefix` ("foundation_modules.sfm." or ""), in the order and under the names of the published
 * state dict; `config` is kept. Errors are in the store's context. */
void cw_sccafm_build(cw_sccafm_trunk *trunk, cw_params *params, const cw_sccafm_config *config, int causal,
                     const char *prefix);
void cw_sccafm_release(cw_sccafm_trunk *trunk, cw_ctx *ctx);
/* `name`.0 and `name`.3: (hidden, in) and (out, hidden) */
cw_mlp cw_sccafm_mlp(cw_params *params, int64_t out, int64_t hidden, int64_t in, const char *name);
cw_tensor *cw_sccafm_mlp_forward(cw_tape *tape, cw_tensor *x, const cw_mlp *mlp, float dropout);

/* All tokens of a batch: (T, D), before and after the Transformer. */
cw_tensor *cw_sccafm_embed(const cw_sccafm_trunk *trunk, cw_tape *tape, const cw_sccafm_batch *batch,
                           const cw_observer *observer);
cw_tensor *cw_sccafm_forward(const cw_sccafm_trunk *trunk, cw_tape *tape, const cw_sccafm_batch *batch,
                             const cw_observer *observer);
/* (n, D) of gene tokens whose expression is `value` (n, host memory): for decoding, where values are made one by one. */
cw_tensor *cw_sccafm_embed_genes(const cw_sccafm_trunk *trunk, cw_tape *tape, const int32_t *token,
                                 const int32_t *tf_type, const float *value, int64_t n);

#endif
