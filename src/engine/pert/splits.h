/* splits.h: the splits of perturbations that GEARS publishes (data_utils.py), number for number.
 *
 * There only to reproduce published splits: they are drawn by numpy's legacy generator, the Mersenne Twister, which
 * nothing else may use. The package's own randomness is rng.h's. */
#ifndef CW_SPLITS_H
#define CW_SPLITS_H

#include "../core/core.h"

typedef enum cw_split_kind {
    CW_SPLIT_SIMULATION,        /* genes held out, and with them their pairs */
    CW_SPLIT_SIMULATION_SINGLE, /* the same without pairs */
    CW_SPLIT_SINGLE,            /* singles of genes drawn; pairs of these in no set */
    CW_SPLIT_COMBO,             /* pairs drawn */
    CW_SPLIT_NO_TEST            /* validation only */
} cw_split_kind;

enum { CW_SPLIT_NONE, CW_SPLIT_TRAIN, CW_SPLIT_VALID, CW_SPLIT_TEST };
/* What was seen of a condition that simulation holds out; the others are CW_SEEN_ALL. */
enum { CW_SEEN_ALL, CW_SEEN_SINGLE, CW_SEEN_PAIR0, CW_SEEN_PAIR1, CW_SEEN_PAIR2 };

/* Conditions in order of appearance. Genes are numbered in the order of their names, as Python sorts. */
typedef struct cw_conditions {
    int64_t n, genes;
    const int32_t *gene; /* (n, 2); the control: -1, -1; singles: the gene, -1 */
    const int32_t *rank; /* (n) place of the condition's name among all names sorted */
} cw_conditions;

typedef struct cw_split_shares {
    double train, valid;    /* simulation: of genes and of pairs of seen genes; published .75 and .9 */
    double test, valid_rest; /* the others: published .3 and .1 */
} cw_split_shares;

/* set, seen (n). */
cw_status cw_published_split(cw_ctx *ctx, int32_t *set, int32_t *seen, const cw_conditions *conditions,
                             cw_split_kind kind, uint32_t seed, cw_split_shares shares);

#endif
