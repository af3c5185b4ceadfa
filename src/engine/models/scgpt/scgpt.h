/* scgpt.h: scGPT (Cui et al. 2024, Nature Methods; bowang-lab/scGPT, MIT).
 *
 * A cell is a sequence of a <cls> token and its genes; a token is the sum of its gene's embedding and its value's. A
 * post-norm Transformer without positions reads it. Heads tell masked values from a token (MLM), from the cell's vector and
 * a gene (MVC), and the cell's class. Names are those of the published plain-attention model. */
#ifndef CW_SCGPT_H
#define CW_SCGPT_H

#include "../../nn/layer_linear.h"
#include "../../nn/layer_mlp.h"
#include "../../nn/observe.h"
#include "../distinct.h"
#include "../model.h"

enum { CW_SCGPT_CONTINUOUS, CW_SCGPT_CATEGORY };
enum { CW_SCGPT_CLS, CW_SCGPT_MEAN };

typedef struct cw_scgpt_config {
    int64_t tokens, pad, cls; /* rows of the gene table; the tokens <pad> and <cls> */
    int64_t width, heads, hidden, layers, class_layers, classes;
    int values, cell; /* how values are read; what a cell's vector is */
    int64_t value_rows; /* of the table of values; 0 where values are continuous */
    float pad_value, mask_value, most; /* most: larger values count as it */
    float dropout;
    int mvc, mvc_detach, zeros; /* zeros: heads that tell the probability of a value above 0 */
    int64_t batches;            /* labels of batches that heads are told; 0: none */
    int64_t lora_rank;          /* thin pairs beside every layer's matrices; 0: none */
    float lora_scale;
} cw_scgpt_config;

/* Either tokens as they are: src, values (cells,length), padding (trailing; optional); or genes to be binned and chosen:
 * counts (cells,genes), sparse or dense, token (genes), -1: not in the vocabulary. Borrowed until the batch is built. */
typedef struct cw_scgpt_input {
    const float *values;
    const int32_t *src;
    const uint8_t *padding;
    const cw_array *counts;
    const int32_t *token;
    const float *draws;    /* (cells,genes) in [0,1): the k-th of a row is for its k-th value; NULL: see below */
    int64_t cells, length; /* length: of src, or genes */
} cw_scgpt_input;

/* How counts become tokens. */
typedef struct cw_scgpt_reading {
    int64_t bins;   /* values 1 .. bins - 1 of what isn't 0; 0: values as they are */
    int64_t most;   /* tokens of a cell, <cls> included; of more genes some are drawn */
    int zeros;      /* genes without counts are tokens too */
    int drawn;      /* 1: ties and choices drawn for each cell from `key`; 0: numbers that belong to the gene */
    double key, first; /* first: the number of the first cell */
    int padded;     /* padding is computed as well, as the published code does in training */
    float total;    /* without bins: values become log1p(total value / the cell's sum); 0: as they are */
    int below;      /* values may be below 0 (z-scores) */
} cw_scgpt_reading;
#define CW_SCGPT_READING(S, m)                                                                                         \
    CW_SET_INT(S, m.bins, "bins", NULL, 51, 0, 65536, "values 1 to bins - 1 of what is above 0; 0: values as they are"), \
        CW_SET_INT(S, m.most, "maxLength", NULL, 1200, 2, 1e6, "tokens of a cell, <cls> included"),                    \
        CW_SET_FLAG(S, m.zeros, "zeros", NULL, 0, "genes without counts are tokens too"),                              \
        CW_SET_FLAG(S, m.drawn, "drawn", NULL, 0, "ties and choices are drawn for each cell"),                         \
        CW_SET_DOUBLE(S, m.key, "key", NULL, 0, 0, 9e15, 0, "of the draws"),                                           \
        CW_SET_DOUBLE(S, m.first, "first", NULL, 0, 0, 9e15, 0, "number of the first cell"),                           \
        CW_SET_FLAG(S, m.padded, "padded", NULL, 0, "padding is computed too")

typedef struct cw_scgpt_batch {
    int64_t cells, length, rows; /* length: tokens of the longest cell */
    cw_ragged seq;               /* rows of each cell */
    cw_ragged keys;              /* where padding is computed: tokens that are no padding, */
    int32_t *key;                /* and their rows; NULL: all rows are tokens */
    int32_t *place;              /* (rows) place in (cells,length) */
    int32_t *cell;               /* (rows) */
    int32_t *first;              /* (cells) row of <cls> */
    int32_t *source;             /* (rows) column of counts or src; -1: a <cls> that was added */
    int32_t *token, *token_row;  /* (tokens) the different ones; (rows) place among them */
    int64_t tokens;
    float *value; /* (rows) */
    int32_t *batch_label; /* (cells), or NULL */
} cw_scgpt_batch;

cw_scgpt_input cw_scgpt_input_read(cw_inputs *in);
cw_status cw_scgpt_batch_build(cw_scgpt_batch *b, cw_arena *arena, const cw_scgpt_input *in,
                               const cw_scgpt_reading *how, const cw_scgpt_config *config);

/* Where a row stands in a matrix (cells,columns) of counts or tokens; -1: nowhere. */
int64_t cw_scgpt_place(const cw_scgpt_batch *b, int64_t row, int64_t columns);

/* What queries of models that read these batches give back. values: x (rows,1), in the columns the rows came from (cells,
 * columns), NaN elsewhere. states: likewise of hidden (rows,d) -> "state" (cells,columns,d). cells: "cell" (cells,d), of length 1 on demand, and "genes", of how many each was read. tokens:
 * "token" and "value" (cells,length), padded as published. genes: the input "token" (n) -> "gene" (n,d), rows of the table
 * behind its norm. */
void cw_scgpt_put_values(cw_tape *t, const cw_sink *out, const char *name, const cw_tensor *x, const cw_scgpt_batch *b,
                         int64_t columns);
cw_status cw_scgpt_put_states(cw_tape *t, const cw_sink *out, const cw_tensor *hidden, const cw_scgpt_batch *b,
                              int64_t columns);
cw_status cw_scgpt_put_cells(cw_tape *t, const cw_sink *out, cw_tensor *cell, int unit, const cw_scgpt_batch *b);
cw_status cw_scgpt_put_tokens(cw_ctx *ctx, const cw_sink *out, const cw_scgpt_batch *b, int64_t pad, float pad_value);
cw_status cw_scgpt_put_genes(cw_tape *t, cw_inputs *in, const cw_sink *out, cw_tensor *table, const cw_layer_norm *norm);

/* Rows whose values are hidden from the model, and what they were. */
typedef struct cw_scgpt_masked {
    int32_t *row;
    float *target;
    int64_t n;
} cw_scgpt_masked;

/* Hides rows of a batch behind `value`: those of the input "masked" (cells,columns), or a share of each cell's genes, drawn
 * from the step's stream. With the input "target" (cells,columns) they are hidden already, and it says what they were. */
cw_scgpt_masked cw_scgpt_mask(cw_tape *t, cw_inputs *in, cw_scgpt_batch *b, int64_t columns, float share, float value);

/* The bins of x (n values above 0, without any 0) by the published rule: edges are quantiles of x at bins - 1 levels, u
 * (n) in [0,1) decides where edges coincide. edge: (bins - 1) doubles, sorted: (n). Both written. */
void cw_scgpt_bin(int32_t *bin, const float *x, const float *u, int64_t n, int64_t bins, double *edge, float *sorted);

typedef struct cw_scgpt_layer {
    cw_layer_linear qkv, out, up, down;
    cw_layer_norm norm1, norm2;
} cw_scgpt_layer;

typedef struct cw_scgpt {
    cw_model model; /* first */
    cw_scgpt_config config;
    cw_tensor *gene_table, *value_table, *batch_table;
    cw_layer_norm gene_norm, value_norm, batch_norm;
    cw_layer_linear value[2];
    cw_scgpt_layer *layer; /* (layers), owned */
    cw_layer_mlp decoder, zero_decoder, class_decoder;
    cw_layer_linear query, mvc, mvc_zero;
} cw_scgpt;

extern const cw_model_class cw_scgpt_class;
extern const cw_setting cw_scgpt_settings[];
extern const cw_name_rule cw_scgpt_rules[];
cw_status cw_scgpt_check(cw_model *m);
cw_status cw_scgpt_build(cw_model *m);
void cw_scgpt_release(cw_model *m);
double cw_scgpt_forecast(const cw_model *m, const cw_sizes *sizes);

/* Tensors are NULL on a failed context. */
typedef struct cw_scgpt_output {
    cw_tensor *gene;    /* (tokens,d) of the different tokens */
    cw_tensor *hidden;  /* (rows,d) */
    cw_tensor *cell;    /* (cells,d) */
    cw_tensor *batch;   /* (cells,d), or NULL */
} cw_scgpt_output;

/* `mask` (rows,1), a constant, multiplies the Transformer's output: the published evaluation zeroes padding so; NULL: 1.
 * `layers`: how many of them are run (the last one's output is `hidden`). */
cw_scgpt_output cw_scgpt_forward(const cw_scgpt *m, cw_tape *t, const cw_scgpt_batch *b, cw_tensor *mask,
                                 int64_t layers, const cw_observer *observer);
/* Heads at rows row[0..n) -> (n,1): values, or logits of a value above 0. */
cw_tensor *cw_scgpt_decode(const cw_scgpt *m, cw_tape *t, const cw_scgpt_output *y, const cw_layer_mlp *decoder,
                           const cw_scgpt_batch *b, const int32_t *row, int64_t n);
cw_tensor *cw_scgpt_decode_cell(const cw_scgpt *m, cw_tape *t, const cw_scgpt_output *y, const cw_layer_linear *w,
                                const cw_scgpt_batch *b, const int32_t *row, int64_t n);
cw_tensor *cw_scgpt_classify(const cw_scgpt *m, cw_tape *t, const cw_scgpt_output *y); /* (cells,classes) */
/* mean over pairs of cells of 1 - (s - threshold)^2, s the cosine where above 0, and 0 of a cell with itself */
cw_tensor *cw_scgpt_similarity_loss(cw_tape *t, cw_tensor *cell, float threshold);

/* Of one cell: score (heads,n,n) becomes its ranks / n among a row's, then these among a column's; what the published
 * analysis of attention averages over heads and cells. */
cw_status cw_scgpt_rank_scores(cw_ctx *ctx, float *score, int64_t heads, int64_t n);

#endif
