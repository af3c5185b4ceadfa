/* layer_icnn.c: see layer_icnn.h. */
#include "layer_icnn.h"

static cw_tensor *kernel(cw_tape *t, const cw_layer_icnn *l, int i)
{
    const cw_function softplus = {CW_FN_SOFTPLUS, l->kernel_beta};
    return l->kernel_beta > 0 ? cw_apply(t, l->w[i], softplus) : l->w[i];
}

/* s[i] = what goes into the activation of hidden layer i; returns the last layer's output */
static cw_tensor *hidden(cw_tape *t, cw_tensor *x, const cw_layer_icnn *l, cw_tensor **w, cw_tensor **s)
{
    const cw_function square = {CW_FN_SQUARE, 1.0f};
    cw_tensor *z = NULL;
    for (int i = 0; i < l->layers; i++) {
        w[i] = kernel(t, l, i);
        s[i] = cw_linear(t, x, l->a[i], l->b[i], CW_ACT_NONE);
        if (i > 0) s[i] = cw_add_spread(t, s[i], cw_linear(t, z, w[i - 1], NULL, CW_ACT_NONE), 1.0f);
        z = cw_apply(t, s[i], l->act);
        if (i == 0) z = cw_apply(t, z, square);
    }
    return z;
}

cw_tensor *cw_layer_icnn_forward(cw_tape *t, cw_tensor *x, const cw_layer_icnn *l)
{
    cw_tensor *w[CW_ICNN_MAX] = {0}, *s[CW_ICNN_MAX] = {0}, *z = hidden(t, x, l, w, s);
    cw_tensor *straight = cw_linear(t, x, l->a[l->layers], l->b[l->layers], CW_ACT_NONE);
    return cw_add_spread(t, straight, cw_linear(t, z, w[l->layers - 1], NULL, CW_ACT_NONE), 1.0f);
}

/* With g_i the gradient of what goes into activation i:
 *   g_last = W_last act'(s),  g_(i-1) = (g_i W_(i-1)) act'(s),  at the first layer times 2 act(s),
 *   dx = A_last + sum_i g_i A_i */
cw_tensor *cw_layer_icnn_gradient(cw_tape *t, cw_tensor *x, const cw_layer_icnn *l)
{
    cw_tensor *w[CW_ICNN_MAX] = {0}, *s[CW_ICNN_MAX] = {0}, *g = NULL, *dx = NULL;
    hidden(t, x, l, w, s);
    for (int i = l->layers - 1; i >= 0; i--) {
        cw_tensor *slope = cw_apply_slope(t, s[i], l->act);
        if (i == 0) slope = cw_product(t, slope, cw_affine(t, cw_apply(t, s[0], l->act), 2.0f, 0.0f));
        if (i == l->layers - 1)
            g = cw_product(t, slope, w[i]); /* a row, the same for all */
        else
            g = cw_product(t, slope, cw_matmul(t, g, w[i]));
        cw_tensor *part = cw_matmul(t, g, l->a[i]);
        dx = dx ? cw_add_spread(t, dx, part, 1.0f) : part;
    }
    return cw_add_spread(t, dx, l->a[l->layers], 1.0f);
}
