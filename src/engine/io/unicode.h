/* unicode.h: what BERT's tokenizer asks of a character. */
#ifndef CW_IO_UNICODE_H
#define CW_IO_UNICODE_H

#include "../core/core.h"

typedef enum cw_char_kind {
    CW_CHAR_OTHER = 0,
    CW_CHAR_DROP,  /* controls, formats, surrogates, private, unassigned (C*) and U+FFFD */
    CW_CHAR_BLANK, /* tab, line breaks, Zs, Zl, Zp */
    CW_CHAR_MARK,  /* Mn: accents */
    CW_CHAR_PUNCT  /* P*, and ASCII's others such as $ + < = > ^ ` | ~ */
} cw_char_kind;

cw_char_kind cw_char_kind_of(uint32_t c);
int cw_char_is_cjk(uint32_t c); /* an ideograph, of which each is a word */
/* Decomposed (NFD) without accents and in lower case: up to three characters; their number. Hangul falls into jamo. */
int cw_char_fold(uint32_t out[3], uint32_t c);

/* The character at text[*at], which must be sound UTF-8; moves *at on. */
uint32_t cw_utf8_next(const char *text, int64_t *at);
int cw_utf8_put(char out[4], uint32_t c); /* bytes written */

#endif
