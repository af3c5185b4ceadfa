/* rng.c: see rng.h. */
#include "rng.h"

#include <math.h>

cw_stream cw_rng_stream(uint64_t key, int purpose, uint64_t a, uint64_t b)
{
    cw_stream s = {key, ((uint64_t)purpose << 56) | ((a & 0xffffffffffULL) << 16) | (b & 0xffff)};
    return s;
}

void cw_rng_block(uint32_t out[4], cw_stream s, uint64_t counter)
{
    uint32_t c0 = (uint32_t)counter, c1 = (uint32_t)(counter >> 32);
    uint32_t c2 = (uint32_t)s.stream, c3 = (uint32_t)(s.stream >> 32);
    uint32_t k0 = (uint32_t)s.key, k1 = (uint32_t)(s.key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c0, p1 = (uint64_t)0xCD9E8D57u * c2;
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0, n2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1, c3 = (uint32_t)p0, c0 = n0, c2 = n2;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

/* 23 bits and a half, exact in a float: never 0, never 1 */
static float to_unit(uint32_t w) { return ((float)(w >> 9) + 0.5f) * (1.0f / 8388608.0f); }

float cw_rng_uniform(cw_stream s, uint64_t i)
{
    uint32_t w[4];
    cw_rng_block(w, s, i / 4);
    return to_unit(w[i % 4]);
}

void cw_rng_fill_uniform(float *out, int64_t n, cw_stream s, float low, float high)
{
    uint32_t w[4];
    for (int64_t i = 0; i < n; i++) {
        if (i % 4 == 0) cw_rng_block(w, s, (uint64_t)i / 4);
        out[i] = low + (high - low) * to_unit(w[i % 4]);
    }
}

void cw_rng_fill_normal(float *out, int64_t n, cw_stream s, float mean, float sd)
{
    const float two_pi = 6.2831853071795864f;
    for (int64_t i = 0; i < n; i += 4) {
        uint32_t w[4];
        float z[4];
        cw_rng_block(w, s, (uint64_t)i / 4);
        for (int j = 0; j < 4; j += 2) {
            float r = sqrtf(-2.0f * logf(to_unit(w[j]))), angle = two_pi * to_unit(w[j + 1]);
            z[j] = r * cosf(angle), z[j + 1] = r * sinf(angle);
        }
        for (int j = 0; j < 4 && i + j < n; j++) out[i + j] = mean + sd * z[j];
    }
}

void cw_rng_permutation(int64_t *out, int64_t n, cw_stream s)
{
    for (int64_t i = 0; i < n; i++) out[i] = i;
    for (int64_t i = n - 1; i > 0; i--) {
        uint32_t w[4];
        cw_rng_block(w, s, (uint64_t)i);
        uint64_t wide = ((uint64_t)w[0] << 32) | w[1]; /* the bias of the remainder is below 2^-32 for any real n */
        int64_t j = (int64_t)(wide % (uint64_t)(i + 1)), t = out[i];
        out[i] = out[j], out[j] = t;
    }
}
