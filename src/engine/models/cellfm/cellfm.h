/* cellfm.h: CellFM (Zeng et al. 2025; biomed-AI/CellFM) and its PyTorch port.
 *
 * A cell is a token and the genes it expresses; a gene's row is the sum of its embedding and its value's. ERetNet layers
 * (gated linear attention, a gated bilinear network, DeepNorm) read it. Two decoders tell hidden values: from a gene's
 * row, and from the cell's row and the gene's embedding. Names are those of the PyTorch port. */
#ifndef CW_CELLFM_H
#define CW_CELLFM_H

#include "../../nn/layer_mlp.h"
#include "../../nn/layer_retention.h"
#include "../../nn/observe.h"
#include "../distinct.h"
#include "../model.h"

/* PRETRAIN: one token; FINETUNE: two more, for the depth that is seen and the one that is aimed at; ANNOTATE: one token,
 * and two layers in which classes ask the genes, no decoders. */
enum { CW_CELLFM_PRETRAIN, CW_CELLFM_FINETUNE, CW_CELLFM_ANNOTATE };

typedef struct cw_cellfm_config {
    int64_t genes, gene_rows; /* gene_rows: of the table; 0: genes + 1, rounded up to a multiple of 8 */
    int64_t width, heads, layers, hidden; /* hidden: of the network that reads values */
    int variant;
    int pad_zero, add_zero; /* rows without a count are 0 and no keys; or, without pad_zero, marked and told from others */
    int decoders, label, head; /* label: classes in pre-training; head: the port's classes */
    int64_t classes;
    int64_t lora;   /* rank of the pairs; 0: none */
    int lora_after; /* the port's slip: the pair of an output projection reads what the projection gives */
    float slope, eps, dropout;
} cw_cellfm_config;

/* Slots as they are: gene, raw, zero, mask (cells,length), data (cells,length,2: [seen, value]); or counts (cells,genes)
 * with token (genes), -1: not in the vocabulary. Borrowed until the batch is built. */
typedef struct cw_cellfm_input {
    const int32_t *gene;
    const float *data, *value, *zero, *mask, *raw, *depth; /* value: in place of data, all seen; depth (cells,2) */
    int64_t zeros;                                         /* columns of zero: length, or one more in front for cls */
    const cw_array *counts;
    const int32_t *token;
    const int32_t *order, *permutation; /* (cells,orders), (cells,permutations): draws of the caller; or NULL */
    int64_t orders, permutations;
    int64_t cells, length;
} cw_cellfm_input;

/* How counts become slots. */
typedef struct cw_cellfm_reading {
    int64_t most;  /* slots of a cell; of more genes some are drawn, by log1p(count) */
    int logged;    /* the numbers are log1p already: taken as they are */
    int fill;      /* slots that are left take genes without counts */
    int drawn;     /* 1: drawn for each cell from `key`; 0: by numbers that belong to the gene */
    double key, first;
    float mask, thin; /* shares: of genes that are hidden, of cells that are thinned */
    int all;          /* all that is judged is hidden, else four of five */
    int plain;        /* a FINETUNE model reads cells without its two tokens */
    int hide;         /* 1: genes are hidden, depths told, cells thinned; no setting: the caller says */
} cw_cellfm_reading;
#define CW_CELLFM_READING(S, m)                                                                                        \
    CW_SET_INT(S, m.most, "maxLength", NULL, 2048, 1, 1e6, "genes of a cell that are read"),                           \
        CW_SET_FLAG(S, m.logged, "logged", NULL, 0, "values are normalised and logged already"),                       \
        CW_SET_FLAG(S, m.fill, "fill", NULL, 0, "slots that are left take genes without counts"),                      \
        CW_SET_FLAG(S, m.drawn, "drawn", NULL, 0, "choices are drawn for each cell"),                                  \
        CW_SET_DOUBLE(S, m.key, "key", NULL, 0, 0, 9e15, 0, "of the draws"),                                           \
        CW_SET_DOUBLE(S, m.first, "first", NULL, 0, 0, 9e15, 0, "number of the first cell")
#define CW_CELLFM_MASKING(S, m, share)                                                                                 \
    CW_SET_REAL(S, m.mask, "mask", NULL, share, 0, 0.99, 0, "share of a cell's genes that is judged"),                 \
        CW_SET_FLAG(S, m.all, "hideAll", NULL, 0, "all of them are hidden, else four of five"),                        \
        CW_SET_REAL(S, m.thin, "thin", NULL, 0, 0, 1, 0, "share of the cells that is read thinned")

typedef struct cw_cellfm_batch {
    int64_t cells, rows, tokens, length; /* tokens: in front of each cell; length: slots of the longest cell */
    cw_ragged seq, genes;                /* rows of each cell; those of them that are genes, among `gene_row` */
    int32_t *gene_row;                   /* (genes' rows) */
    int32_t *gene, *cell, *source;       /* (rows): id, -1 for tokens; cell; column of counts or of the slots, or -1 */
    float *value, *raw, *scale;          /* (rows): value, what it is to be told as, the cell's 1 / sqrt(genes) */
    uint8_t *seen, *zero, *judged;       /* (rows) seen: not hidden; zero: 1 where there is a count */
    float *depth;                        /* (cells,2), or NULL */
    int masked, blank; /* 1: rows that aren't seen, rows without a count */
} cw_cellfm_batch;

/* What a FINETUNE model is told of the reads that are seen, and of all: depth (2). */
void cw_cellfm_depth(float *depth, double seen, double total);
/* Reads the arrays of one call, builds rows in the tape's arena; draws of what is hidden are from a stream of the step. */
cw_status cw_cellfm_batch_read(const cw_cellfm_config *config, cw_tape *t, cw_inputs *in, const cw_cellfm_reading *how,
                               cw_cellfm_batch *b, int64_t *columns);

typedef struct cw_cellfm_values {
    cw_tensor *w1, *w3, *a, *table; /* (h,1), (h,h), (1,1), (d,h) */
} cw_cellfm_values;
typedef struct cw_cellfm_glu {
    cw_layer_linear u, v, o, o_after; /* o_after: the pair alone, see lora_after */
} cw_cellfm_glu;
typedef struct cw_cellfm_layer {
    cw_layer_retention attention;
    cw_layer_linear o_after;
    cw_cellfm_glu ffn;
    cw_layer_norm norm1, norm2;
} cw_cellfm_layer;
typedef struct cw_cellfm_query {
    cw_layer_retention self, cross; /* self: of annotation alone */
    cw_cellfm_glu ffn;
    cw_layer_norm norm1, norm2, norm3;
} cw_cellfm_query;

typedef struct cw_cellfm {
    cw_model model; /* first */
    cw_cellfm_config config;
    cw_tensor *gene_table, *cls, *mask, *zero, *depth; /* (rows,d), (1,d) thrice, (2,d) */
    cw_cellfm_values values, depth_values;
    cw_cellfm_layer *layer; /* (layers), owned */
    cw_layer_mlp value_decoder, zero_decoder;
    cw_layer_linear map, map_zero;
    cw_cellfm_query query[2];
    cw_tensor *cluster; /* (classes,d) */
    cw_layer_linear classifier;
    cw_layer_mlp proj, head;
} cw_cellfm;

extern const cw_model_class cw_cellfm_class;
extern const cw_setting cw_cellfm_settings[];
extern const cw_preset cw_cellfm_presets[];
extern const cw_name_rule cw_cellfm_rules[];
cw_status cw_cellfm_check(cw_model *m);
cw_status cw_cellfm_build(cw_model *m);
void cw_cellfm_release(cw_model *m);
double cw_cellfm_forecast(const cw_model *m, const cw_sizes *sizes);

/* 1: genes without counts have a probability. */
static inline int cw_cellfm_tells_zeros(const cw_cellfm_config *c) { return c->decoders && c->add_zero && !c->pad_zero; }

typedef struct cw_cellfm_output {
    cw_tensor *hidden, *cell; /* (rows,d), or the rows that were asked for; (cells,d) */
    const int32_t *at;        /* (rows): where a row is in `hidden`, -1: it isn't; NULL: all are, in their order */
} cw_cellfm_output;

/* The first `layers` of the encoder's layers. wanted (rows), or NULL for all: rows whose output is read, besides the
 * cells'; the last layer computes no others, and what it computes is the same. */
cw_cellfm_output cw_cellfm_forward(const cw_cellfm *m, cw_tape *t, const cw_cellfm_batch *b, int64_t layers,
                                   const uint8_t *wanted, const cw_observer *observer);
/* At rows row[0..n) -> (n,1): values from the genes' rows, and from the cells'; logits of a count above 0, likewise. */
cw_tensor *cw_cellfm_gene_values(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y, const int32_t *row, int64_t n);
cw_tensor *cw_cellfm_gene_zeros(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y, const int32_t *row, int64_t n);
cw_tensor *cw_cellfm_cell_values(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y, const cw_cellfm_batch *b,
                                 const int32_t *row, int64_t n);
cw_tensor *cw_cellfm_cell_zeros(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y, const cw_cellfm_batch *b,
                                const int32_t *row, int64_t n);
/* Class logits (cells,classes) by the classes' queries and by the cell's row: of pre-training, of annotation. */
void cw_cellfm_labels(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y, const cw_cellfm_batch *b,
                      cw_tensor **by_query, cw_tensor **by_cell, const cw_observer *observer);
cw_tensor *cw_cellfm_head(const cw_cellfm *m, cw_tape *t, const cw_cellfm_output *y); /* the port's, (cells,classes) */
/* Scores with which the cell's row asks its genes: (1, total), cell after cell, of each (heads, genes). `layer`: of the
 * encoder, from 1; of annotation it is the last query layer's, whatever is said. */
cw_tensor *cw_cellfm_attention(const cw_cellfm *m, cw_tape *t, const cw_cellfm_batch *b, int64_t layer);
/* scores (heads,n) of one cell -> mean over heads of the ranks within a head (0: smallest; ties by position) / n */
cw_status cw_cellfm_ranks(cw_ctx *ctx, float *rank, const float *score, int64_t heads, int64_t n);

#endif
