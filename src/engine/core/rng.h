/* rng.h: counter-based random numbers (Philox4x32-10; Salmon et al., SC 2011).
 *
 * A stream is a key (one per fit, from the host's generator) and a stream number (one per use: a dropout layer at a
 * step, the initial values of a parameter, the shuffle of an epoch). Element i of a stream is a pure function of
 * (key, stream, i): any order, any thread, any device, the same numbers. */
#ifndef CW_RNG_H
#define CW_RNG_H

#include "core.h"

typedef struct cw_stream {
    uint64_t key;
    uint64_t stream;
} cw_stream;

/* What streams are for; the upper bits of a stream number, so that uses never overlap. */
enum { CW_RNG_INIT = 1, CW_RNG_DROPOUT, CW_RNG_NOISE, CW_RNG_SHUFFLE, CW_RNG_CONDITION, CW_RNG_USER };

/* Stream for `purpose` (above), number `a` (such as the step, < 2^40) and `b` (such as the layer, < 2^16). */
cw_stream cw_rng_stream(uint64_t key, int purpose, uint64_t a, uint64_t b);
void cw_rng_block(uint32_t out[4], cw_stream s, uint64_t counter); /* four 32-bit words */
float cw_rng_uniform(cw_stream s, uint64_t i);                     /* element i, in (0, 1) */
void cw_rng_fill_uniform(float *out, int64_t n, cw_stream s, float low, float high);
void cw_rng_fill_normal(float *out, int64_t n, cw_stream s, float mean, float sd); /* Box-Muller */
void cw_rng_permutation(int64_t *out, int64_t n, cw_stream s);                     /* of 0 .. n-1, Fisher-Yates */

#endif
