/* relations.h: KCFM's files of what an ontology says of types, a line "head relation tail" each. Names may have blanks. */
#ifndef CW_RELATIONS_H
#define CW_RELATIONS_H

#include <stdint.h>

/* The published order: of the training of names, whose loss keeps the second apart. */
enum { CW_IS_A, CW_DISJOINT_FROM, CW_EXACT_SYNONYMS, CW_BROAD_SYNONYMS, CW_RELATED_SYNONYMS, CW_DEVELOPS_FROM,
       CW_DEVELOPS_INTO, CW_SYNAPSED_TO, CW_RELATIONS };

const char *cw_relation_name(int relation); /* "is_a"; NULL: no such */

/* Parts of a line, borrowed, without the blanks around them. */
typedef struct cw_relation {
    const char *head, *tail;
    int64_t head_length, tail_length;
    int relation;
} cw_relation;

/* 1: the line text[0..n) is one, with the shortest head in front of one of the relations, as names were trained. */
int cw_relation_read(cw_relation *out, const char *text, int64_t n);
/* 1: it is one whose first word is the head and second the relation, as the ranking loss reads them: names of several words
 * in front are thus passed over. Blanks within the tail count as one. */
int cw_relation_read_words(cw_relation *out, const char *text, int64_t n);

/* 1: close (as what is said with is_a, exact_synonyms, develops_from or develops_into), -1: far (disjoint_from), 0: neither. */
int cw_relation_nearness(int relation);

#endif
