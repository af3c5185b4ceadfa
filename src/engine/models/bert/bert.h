/* bert.h: BERT (Devlin et al. 2019): an encoder of token sequences, with the heads that its relatives carry.
 *
 * Post-norm layers of attention and a small network. It reads PubMedBERT and sentence encoders (texts), KCFM's ontology
 * encoder (mean, projection, triplet loss) and Geneformer (ranked genes, head of the masked token). Sequences are
 * packed one behind the other; padding is computed only where a published mean counts it. Names are those of the
 * pre-training model, "bert." and "cls."; files without the prefix, and old ones (gamma, beta), are read too. */
#ifndef CW_BERT_H
#define CW_BERT_H

#include "../../nn/layer_attention.h"
#include "../../nn/layer_norm.h"
#include "../../nn/observe.h"
#include "../model.h"

typedef struct cw_bert_config {
    int64_t vocab, width, layers, heads, inner, positions, types, pad, projection, relations;
    int act, position_kind;
    int pooler, mlm, nsp; /* which heads there are */
    float eps, dropout, attention_dropout;
    float margin, min_distance, push; /* of the triplet loss */
} cw_bert_config;

typedef struct cw_bert_layer {
    cw_layer_attention attention;
    cw_layer_norm attention_norm, norm;
    cw_layer_linear inner, outer;
} cw_bert_layer;

typedef struct cw_bert {
    cw_model model; /* first */
    cw_bert_config config;
    cw_tensor *words, *positions, *types; /* (vocab,d), (positions,d), (types,d) */
    cw_layer_norm first;
    cw_bert_layer *layer; /* (layers), owned */
    cw_layer_linear pooler, transform, pair, project;
    cw_layer_norm transform_norm, project_norm;
    /* (relations,d), and what makes vectors of the projection's width of it */
    cw_tensor *relation;
    cw_layer_linear relation_project;
    cw_layer_norm relation_norm;
    cw_tensor *word_bias; /* (vocab), of the head whose weight is `words` */
} cw_bert;

/* Packed sequences. Every row is computed; only the kept ones are attended to. */
typedef struct cw_bert_rows {
    const int32_t *id, *type, *position; /* (rows); position counts from 0 in each sequence */
    cw_ragged seq;                       /* all rows */
    const int32_t *kept;                 /* (keys): numbers of the rows attended to; NULL: all */
    cw_ragged key;                       /* those of each sequence */
} cw_bert_rows;

extern const cw_model_class cw_bert_class;
extern const cw_setting cw_bert_settings[];
extern const cw_name_rule cw_bert_rules[];
cw_status cw_bert_check(cw_model *m);
cw_status cw_bert_build(cw_model *m);
void cw_bert_release(cw_model *m);
double cw_bert_forecast(const cw_model *m, const cw_sizes *sizes);

/* bert_batch.c: "id" (rows), "length" (sequences); optional "type" and "mask" (rows). Memory is the tape's. Each name
 * stands behind `prefix`. */
cw_status cw_bert_read(const cw_bert *m, cw_tape *t, cw_inputs *in, const char *prefix, cw_bert_rows *rows);
/* Sequences first .. first + count of them. */
cw_status cw_bert_part(cw_tape *t, const cw_bert_rows *all, int64_t first, int64_t count, cw_bert_rows *part);

/* The last hidden states, or those `early` layers before: (rows,d) */
cw_tensor *cw_bert_forward(const cw_bert *m, cw_tape *t, const cw_bert_rows *rows, int64_t early,
                           const cw_observer *observer);
/* The first state of each sequence; the mean of its kept states, or of all: (n,d) */
cw_tensor *cw_bert_first(cw_tape *t, cw_tensor *hidden, const cw_bert_rows *rows);
cw_tensor *cw_bert_mean(cw_tape *t, cw_tensor *hidden, const cw_bert_rows *rows, int all);
cw_tensor *cw_bert_pool(const cw_bert *m, cw_tape *t, cw_tensor *first);    /* tanh(w first + b) */
cw_tensor *cw_bert_logits(const cw_bert *m, cw_tape *t, cw_tensor *hidden); /* (n,vocab) */
cw_tensor *cw_bert_project(const cw_bert *m, cw_tape *t, cw_tensor *mean);  /* KCFM: (n,projection) */

cw_tensor *cw_bert_relation(const cw_bert *m, cw_tape *t, const int32_t *id, int64_t n); /* (n,projection) */

/* KCFM's loss of n triples (head, relation, tail): h, r, t (n,d). apart (n,1), a constant: 1 where the relation says
 * that head and tail differ; negative (n): the row of t that is no tail of this head. pos, neg (n,1) are the distances
 * |h + r - t|, |h + r - t_negative|, or NULL. */
cw_tensor *cw_bert_triplet(const cw_bert *m, cw_tape *tape, cw_tensor *h, cw_tensor *r, cw_tensor *t, cw_tensor *apart,
                           const int32_t *negative, cw_tensor **pos, cw_tensor **neg);

#endif
