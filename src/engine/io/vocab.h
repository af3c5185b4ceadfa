/* vocab.h: gene names and condition values to token numbers (tokenizer/vocab.json, tokenizer/cond_dict.json).
 *
 * Symbols are compared trimmed and in upper case; Ensembl ids too, with the version cut from those that start with
 * ENSG. When two records carry the same symbol (or id) the last wins, as in the published
 * code; how often that happened is reported. */
#ifndef CW_IO_VOCAB_H
#define CW_IO_VOCAB_H

#include "../core/core.h"
#include "json.h"

#define CW_VOCAB_TOKEN_MAX 100000000 /* a larger token number is a mistake: the embedding would not fit anywhere */

typedef struct cw_vocab cw_vocab;

typedef struct cw_vocab_record {
    int32_t token;
    const char *symbol; /* as in the file; NULL when null */
    const char *id;     /* as in the file; NULL when null */
} cw_vocab_record;

/* NULL with the error recorded. Freed with cw_vocab_free (NULL is fine). */
cw_vocab *cw_vocab_read(cw_ctx *ctx, const char *path) CW_USED_RESULT;
cw_vocab *cw_vocab_from_json(cw_ctx *ctx, const cw_json *array, const char *name) CW_USED_RESULT;
/* From records in memory, copied; one of them must have the id "<pad>". */
cw_vocab *cw_vocab_new(cw_ctx *ctx, const cw_vocab_record *records, int64_t n) CW_USED_RESULT;
void cw_vocab_free(cw_vocab *vocab);
cw_status cw_vocab_write(cw_ctx *ctx, const char *path, const cw_vocab *vocab);

int64_t cw_vocab_size(const cw_vocab *vocab);       /* V = largest token + 1 */
int32_t cw_vocab_pad(const cw_vocab *vocab);        /* the token of "<pad>" */
int64_t cw_vocab_records(const cw_vocab *vocab);    /* records in the file, with padding */
int64_t cw_vocab_duplicates(const cw_vocab *vocab); /* symbols and ids that came again and were passed over */
cw_vocab_record cw_vocab_at(const cw_vocab *vocab, int64_t i);
const char *cw_vocab_symbol(const cw_vocab *vocab, int32_t token); /* of the first record with it; NULL: none */

/* The token of a name, or -1. cw_vocab_lookup: as a symbol, then as an Ensembl id. A vector of genes is all of one
 * kind: Ensembl ids when every name starts with ENSG (cw_vocab_names_are_ensembl), else symbols. "<pad>" is no gene. */
int32_t cw_vocab_lookup(const cw_vocab *vocab, const char *name);
int32_t cw_vocab_lookup_symbol(const cw_vocab *vocab, const char *name);
int32_t cw_vocab_lookup_ensembl(const cw_vocab *vocab, const char *name);
int cw_vocab_names_are_ensembl(const char *const *names, int64_t n);

/* Condition values (platform, species, tissue, disease; one table for all). Compared trimmed and in lower case;
 * "", nan, none, <na>, na, null and whatever is not in the table are <unk>, which is 0. */
typedef struct cw_conditions cw_conditions;

cw_conditions *cw_conditions_new(cw_ctx *ctx) CW_USED_RESULT; /* <unk> only */
/* As cw_conditions_new when the file isn't there. NULL with the error recorded. Freed with cw_conditions_free. */
cw_conditions *cw_conditions_read(cw_ctx *ctx, const char *path) CW_USED_RESULT;
void cw_conditions_free(cw_conditions *conditions);
cw_status cw_conditions_write(cw_ctx *ctx, const char *path, const cw_conditions *conditions);
int64_t cw_conditions_size(const cw_conditions *conditions);                          /* largest token + 1, >= 1 */
int32_t cw_conditions_lookup(const cw_conditions *conditions, const char *value);     /* NULL is <unk> */
int32_t cw_conditions_add(cw_ctx *ctx, cw_conditions *conditions, const char *value); /* its token; -1: error */

#endif
