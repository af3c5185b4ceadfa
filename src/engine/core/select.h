/* select.h: order statistics. */
#ifndef CW_SELECT_H
#define CW_SELECT_H

#include <stdint.h>

/* The k-th largest (k from 1) of a (n), which is put in another order: Hoare's selection, O(n) on average. No NaN. */
float cw_select_largest(float *a, int64_t n, int64_t k);

#endif
