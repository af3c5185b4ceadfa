/* wordpiece.h: BERT's tokenizer (Devlin et al. 2019; the fast one of transformers): texts to tokens of a vocab.txt. */
#ifndef CW_IO_WORDPIECE_H
#define CW_IO_WORDPIECE_H

#include "../core/core.h"

typedef struct cw_wordpiece cw_wordpiece;

/* vocab.txt: a token a line, numbered from 0 (of a token that is there twice the last number counts). `lower`: lower
 * case, accents off. NULL with the error recorded: also when [UNK], [CLS], [SEP] or [PAD] is missing. */
cw_wordpiece *cw_wordpiece_read(cw_ctx *ctx, const char *path, int lower) CW_USED_RESULT;
void cw_wordpiece_free(cw_wordpiece *w); /* NULL is fine */

int64_t cw_wordpiece_size(const cw_wordpiece *w); /* tokens: lines */
int32_t cw_wordpiece_pad(const cw_wordpiece *w);

typedef enum cw_truncation { CW_TRUNCATE_LONGEST = 0, CW_TRUNCATE_FIRST, CW_TRUNCATE_SECOND } cw_truncation;

/* Tokens that grow; freed with cw_tokens_free. */
typedef struct cw_tokens {
    int32_t *id;
    int32_t *type; /* 0: of the first text, 1: of the second */
    int64_t n, room;
} cw_tokens;
void cw_tokens_free(cw_ctx *ctx, cw_tokens *tokens);

/* Adds [CLS] text [SEP], or [CLS] text [SEP] pair [SEP] (pair NULL or empty: none), at most `most` tokens (0: no
 * limit).
 * Texts are UTF-8. Returns how many were added, or -1 with the error recorded. */
int64_t cw_wordpiece_add(cw_ctx *ctx, const cw_wordpiece *w, cw_tokens *to, const char *text, const char *pair,
                         int64_t most, cw_truncation how);

#endif
