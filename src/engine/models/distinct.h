/* distinct.h: the different values of a batch: what is a function of one value is computed once for each of them. */
#ifndef CW_DISTINCT_H
#define CW_DISTINCT_H

#include "../core/arena.h"

/* In first-seen order, `value` (n) the different ones and row[i] the place of x[i] among them. Both are taken from the
 * arena; 0 and -0 are one. Returns how many; 0 with the error recorded (or for n = 0). */
int64_t cw_distinct_floats(cw_arena *arena, const float *x, int64_t n, float **value, int32_t **row);
int64_t cw_distinct_ints(cw_arena *arena, const int32_t *x, int64_t n, int32_t **value, int32_t **row);

#endif
