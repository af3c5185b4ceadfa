/* draws.h: numbers of several distributions, one after the other from a Philox stream. For the simulators. */
#ifndef CW_DRAWS_H
#define CW_DRAWS_H

#include "rng.h"

#include <math.h>

typedef struct draws {
    cw_stream stream;
    uint64_t at;
    uint32_t word[4];
    int left;
} draws;

static inline draws draws_new(uint64_t key, int use, int64_t which)
{
    return (draws){.stream = cw_rng_stream(key, CW_RNG_USER, (uint64_t)which, (uint64_t)use)};
}

/* in (0, 1), 52 bits */
static inline double unit(draws *d)
{
    if (d->left == 0) {
        cw_rng_block(d->word, d->stream, d->at++);
        d->left = 4;
    }
    d->left -= 2;
    uint64_t bits = (uint64_t)d->word[d->left] << 32 | d->word[d->left + 1];
    return ((double)(bits >> 12) + 0.5) * (1.0 / 4503599627370496.0);
}

static inline double normal(draws *d)
{
    double radius = sqrt(-2.0 * log(unit(d)));
    return radius * cos(6.283185307179586 * unit(d));
}

static inline int64_t below(draws *d, int64_t n) { return (int64_t)(unit(d) * (double)n); }

/* An index drawn with the given chances, which sum to 1. */
static inline int64_t choose(draws *d, const double *chance, int64_t n)
{
    double u = unit(d);
    int64_t i = 0;
    while (i < n - 1 && u >= chance[i]) u -= chance[i++];
    return i;
}

/* Marsaglia & Tsang (2000); shape > 0, scale 1 */
static inline double gamma_draw(draws *d, double shape)
{
    double boost = 1.0;
    if (shape < 1.0) {
        boost = pow(unit(d), 1.0 / shape);
        shape += 1.0;
    }
    double a = shape - 1.0 / 3.0, c = 1.0 / sqrt(9.0 * a);
    for (;;) {
        double x = normal(d), v = 1.0 + c * x;
        if (v <= 0.0) continue;
        v = v * v * v;
        if (log(unit(d)) < 0.5 * x * x + a - a * v + a * log(v)) return boost * a * v;
    }
}

/* log k!, by Stirling's series; below 10 by the product */
static inline double log_factorial(double k)
{
    if (k < 10.0) {
        double p = 1.0;
        for (double i = 2.0; i <= k; i += 1.0) p *= i;
        return log(p);
    }
    return (k + 0.5) * log(k) - k + 0.9189385332046727 + 1.0 / (12.0 * k) - 1.0 / (360.0 * k * k * k);
}

/* Below 10 by multiplication of uniforms, above by Hoermann's transformed rejection (1993). */
static inline double poisson(draws *d, double mean)
{
    if (!(mean > 0.0)) return 0.0;
    if (mean < 10.0) {
        double limit = exp(-mean), product = unit(d), k = 0.0;
        while (product > limit) product *= unit(d), k += 1.0;
        return k;
    }
    double b = 0.931 + 2.53 * sqrt(mean), a = -0.059 + 0.02483 * b;
    double inverse = 1.1239 + 1.1328 / (b - 3.4), easy = 0.9277 - 3.6224 / (b - 2.0);
    for (;;) {
        double u = unit(d) - 0.5, v = unit(d), us = 0.5 - fabs(u);
        double k = floor((2.0 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= easy) return k;
        if (k < 0.0 || (us < 0.013 && v > us)) continue;
        if (log(v * inverse / (a / (us * us) + b)) <= k * log(mean) - mean - log_factorial(k)) return k;
    }
}

#endif
