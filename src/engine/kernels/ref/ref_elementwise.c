/* ref_elementwise.c: activations, SwiGLU, dropout, noise. */
#include "ref.h"

#include <math.h>
#include <string.h>

static double sigmoid(double x) { return x >= 0 ? 1.0 / (1.0 + exp(-x)) : exp(x) / (1.0 + exp(x)); }
static double softplus(double x) { return (x > 0 ? x : 0.0) + log1p(exp(-fabs(x))); }
/* Phi and phi: distribution and density of the standard normal */
static double normal_cdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }
static double normal_pdf(double x) { return 0.39894228040143267794 * exp(-0.5 * x * x); }

float cw_act_value(float x, cw_act act)
{
    switch (act) {
    case CW_ACT_SILU: return (float)(x * sigmoid(x));
    case CW_ACT_GELU: return (float)(x * normal_cdf(x));
    case CW_ACT_RELU: return x < 0 ? 0.0f : x; /* NaN comes through */
    case CW_ACT_LEAKY_RELU: return x < 0 ? 0.01f * x : x;
    case CW_ACT_TANH: return (float)tanh(x);
    case CW_ACT_SIGMOID: return (float)sigmoid(x);
    case CW_ACT_SOFTPLUS: return isnan(x) ? x : (float)softplus(x);
    default: return x;
    }
}

float cw_act_slope(float x, cw_act act)
{
    double s = sigmoid(x), t;
    switch (act) {
    case CW_ACT_SILU: return (float)(s * (1.0 + x * (1.0 - s)));
    case CW_ACT_GELU: return (float)(normal_cdf(x) + x * normal_pdf(x));
    case CW_ACT_RELU: return x > 0 ? 1.0f : 0.0f;
    case CW_ACT_LEAKY_RELU: return x > 0 ? 1.0f : 0.01f;
    case CW_ACT_TANH: t = tanh(x); return (float)(1.0 - t * t);
    case CW_ACT_SIGMOID: return (float)(s * (1.0 - s));
    case CW_ACT_SOFTPLUS: return (float)s;
    default: return 1.0f;
    }
}

void cw_ref_act(const cw_exec *ex, float *y, const float *x, cw_act act, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) y[i] = cw_act_value(x[i], act);
}

void cw_ref_act_backward(const cw_exec *ex, float *dx, const float *dy, const float *x, cw_act act, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) dx[i] += dy[i] * cw_act_slope(x[i], act);
}

void cw_ref_swiglu(const cw_exec *ex, float *y, const float *gate, const float *up, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) y[i] = cw_act_value(gate[i], CW_ACT_SILU) * up[i];
}

void cw_ref_swiglu_backward(const cw_exec *ex, float *dgate, float *dup, const float *dy, const float *gate,
                            const float *up, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) {
        float g = gate[i], u = up[i]; /* read first: dgate may be gate, dup may be up */
        dgate[i] = dy[i] * u * cw_act_slope(g, CW_ACT_SILU);
        dup[i] = dy[i] * cw_act_value(g, CW_ACT_SILU);
    }
}

void cw_ref_axpy(const cw_exec *ex, float *y, const float *x, float a, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) y[i] += a * x[i];
}

void cw_ref_dropout(const cw_exec *ex, float *y, const float *x, float p, cw_stream stream, int64_t n)
{
    (void)ex;
    float scale = 1.0f / (1.0f - p);
    for (int64_t i = 0; i < n; i++) y[i] = cw_rng_uniform(stream, (uint64_t)i) >= p ? x[i] * scale : 0.0f;
}

void cw_ref_normal(const cw_exec *ex, float *y, cw_stream stream, int64_t n)
{
    (void)ex;
    cw_rng_fill_normal(y, n, stream, 0.0f, 1.0f);
}

void cw_ref_fill(const cw_exec *ex, float *y, float a, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) y[i] = a;
}

void cw_ref_affine(const cw_exec *ex, float *y, const float *x, float a, float b, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) y[i] = a * x[i] + b;
}

void cw_ref_add_scaled(const cw_exec *ex, float *y, const float *x, float a, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) y[i] += a * x[i];
}

/* bf16 is the upper half of a float. */
void cw_ref_to_f32(const cw_exec *ex, float *y, const uint16_t *x, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)x[i] << 16;
        memcpy(y + i, &bits, sizeof bits);
    }
}
