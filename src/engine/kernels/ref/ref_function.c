/* ref_function.c: functions of one number with a parameter: values, slopes, and the slopes of slopes. All in double. */
#include "ref.h"

#include <math.h>

static double sigmoid(double x) { return x >= 0 ? 1.0 / (1.0 + exp(-x)) : exp(x) / (1.0 + exp(x)); }

/* derivative number `order` (0: the value itself, at most 2) */
static double derivative(double x, cw_function f, int order)
{
    const double a = f.a, cube = 0.044715, root = 0.79788456080286535588; /* sqrt(2 / pi) */
    double s, t, u1, u2;
    if (isnan(x)) return x;
    switch (f.kind) {
    case CW_FN_LEAKY_RELU:
        return order == 0 ? (x > 0 ? x : a * x) : order == 1 ? (x > 0 ? 1.0 : a) : 0.0;
    case CW_FN_ELU:
        if (x > 0) return order == 0 ? x : order == 1 ? 1.0 : 0.0;
        return order == 0 ? a * expm1(x) : a * exp(x);
    case CW_FN_SOFTPLUS:
        s = sigmoid(a * x);
        if (order == 0) return (a * x > 0 ? x : 0.0) + log1p(exp(-fabs(a * x))) / a;
        return order == 1 ? s : a * s * (1.0 - s);
    case CW_FN_SILU:
        s = sigmoid(x);
        if (order == 0) return x * s;
        return order == 1 ? s * (1.0 + x * (1.0 - s)) : s * (1.0 - s) * (2.0 + x * (1.0 - 2.0 * s));
    case CW_FN_SIGMOID:
        s = sigmoid(x);
        return order == 0 ? s : order == 1 ? s * (1.0 - s) : s * (1.0 - s) * (1.0 - 2.0 * s);
    case CW_FN_TANH:
        t = tanh(x);
        return order == 0 ? t : order == 1 ? 1.0 - t * t : -2.0 * t * (1.0 - t * t);
    case CW_FN_GELU: /* Phi and phi: distribution and density of the standard normal */
        s = 0.5 * erfc(-x * 0.70710678118654752440), t = 0.39894228040143267794 * exp(-0.5 * x * x);
        return order == 0 ? x * s : order == 1 ? s + x * t : t * (2.0 - x * x);
    case CW_FN_GELU_TANH: /* x (1 + t) / 2, t = tanh(u), u = root (x + cube x^3) */
        t = tanh(root * (x + cube * x * x * x));
        u1 = root * (1.0 + 3.0 * cube * x * x), u2 = root * 6.0 * cube * x;
        if (order == 0) return 0.5 * x * (1.0 + t);
        if (order == 1) return 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * u1;
        return (1.0 - t * t) * (u1 + 0.5 * x * (u2 - 2.0 * t * u1 * u1));
    case CW_FN_SIN:
        return order == 0 ? sin(a * x) : order == 1 ? a * cos(a * x) : -a * a * sin(a * x);
    case CW_FN_EXP:
        return (order == 0 ? 1.0 : order == 1 ? a : a * a) * exp(a * x);
    case CW_FN_SQUARE:
        return order == 0 ? a * x * x : order == 1 ? 2.0 * a * x : 2.0 * a;
    default:
        return order == 0 ? x : order == 1 ? 1.0 : 0.0;
    }
}

void cw_ref_function(const cw_exec *ex, float *y, const float *x, cw_function f, int order, int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) y[i] = (float)derivative(x[i], f, order);
}

void cw_ref_function_backward(const cw_exec *ex, float *dx, const float *dy, const float *x, cw_function f, int order,
                              int64_t n)
{
    (void)ex;
    for (int64_t i = 0; i < n; i++) dx[i] += (float)(dy[i] * derivative(x[i], f, order + 1));
}
