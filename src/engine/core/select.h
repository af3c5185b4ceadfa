/* select.h: order statistics, and comparisons for qsort. */
#ifndef CW_SELECT_H
#define CW_SELECT_H

#include <stdint.h>

/* The k-th largest (k from 1) of a (n), which is put in another order: Hoare's selection, O(n) on average. No NaN. */
float cw_select_largest(float *a, int64_t n, int64_t k);

/* For qsort. No NaN. */
int cw_double_rising(const void *a, const void *b);
int cw_int32_rising(const void *a, const void *b);

/* A value and where it stood; those of equal value keep their places' order. */
typedef struct cw_ranked {
    double value;
    int32_t at;
} cw_ranked;
int cw_ranked_rising(const void *a, const void *b);
int cw_ranked_falling(const void *a, const void *b);

#endif
