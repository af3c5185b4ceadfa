/* test_ops_product.c: products and sums with broadcasting, reductions, columns, unit rows, functions and their slopes,
 * reversal, segments. */
#include "op_case.h"

static const int64_t ragged[] = {0, 3, 3, 4, 11}; /* with an empty and a single one */

#define BUILD(name, expression)                                                                                        \
    static cw_tensor *name(cw_tape *t, cw_tensor *const *x) { return expression; }
BUILD(b_product, cw_product(t, x[0], x[1]))
BUILD(b_square_of_itself, cw_product(t, x[0], x[0]))
BUILD(b_add, cw_add_spread(t, x[0], x[1], -0.7f))
BUILD(b_add_itself, cw_add_spread(t, x[0], x[0], 2.0f))
BUILD(b_row_sums, cw_row_sums(t, x[0], 0.3f))
BUILD(b_column_sums, cw_column_sums(t, x[0], 1.0f))
BUILD(b_sum, cw_sum(t, x[0], 1.0f / 7))
BUILD(b_row_dots, cw_row_dots(t, x[0], x[1]))
BUILD(b_row_dots_itself, cw_row_dots(t, x[0], x[0]))
BUILD(b_columns, cw_columns(t, x[0], 2, 3))
BUILD(b_unit, cw_unit_rows(t, x[0], 1.0f, 1e-12f))
BUILD(b_unit_scaled, cw_unit_rows(t, x[0], 1.7f, 0.9f))
BUILD(b_reverse, cw_reverse(t, x[0], ((cw_ragged){4, ragged, NULL})))
BUILD(b_reverse_twice, cw_reverse(t, cw_reverse(t, x[0], ((cw_ragged){4, ragged, NULL})), ((cw_ragged){4, ragged, NULL})))
BUILD(b_segment_sum, cw_segment_sum(t, x[0], ((cw_ragged){4, ragged, NULL}), 0))
BUILD(b_segment_mean, cw_segment_sum(t, x[0], ((cw_ragged){4, ragged, NULL}), 1))

/* the parts of a split in another order, the first of them twice */
static cw_tensor *b_split(cw_tape *t, cw_tensor *const *x)
{
    cw_tensor *part[3];
    cw_split_columns(t, x[0], 3, (const int64_t[]){3, 1, 7}, part);
    return cw_concat_cols(t, 4, (cw_tensor *[]){part[2], part[0], part[1], part[0]});
}

#define FUNCTION(name, kind, a)                                                                                        \
    BUILD(b_##name, cw_apply(t, x[0], (cw_function){kind, a}))                                                         \
    BUILD(s_##name, cw_apply_slope(t, x[0], (cw_function){kind, a}))
FUNCTION(leaky, CW_FN_LEAKY_RELU, 0.2f)
FUNCTION(elu, CW_FN_ELU, 1.3f)
FUNCTION(softplus, CW_FN_SOFTPLUS, 1.7f)
FUNCTION(silu, CW_FN_SILU, 0)
FUNCTION(sigmoid, CW_FN_SIGMOID, 0)
FUNCTION(tanh, CW_FN_TANH, 0)
FUNCTION(gelu, CW_FN_GELU, 0)
FUNCTION(gelu_tanh, CW_FN_GELU_TANH, 0)
FUNCTION(sin, CW_FN_SIN, 2.5f)
FUNCTION(exp, CW_FN_EXP, -0.8f)
FUNCTION(square, CW_FN_SQUARE, 0.5f)
#define FUNCTION_CASE(name, ...)                                                                                       \
    {#name, b_##name, 1, {{7, 5, -3, 3}}, __VA_ARGS__}, { "slope of " #name, s_##name, 1, {{7, 5, -3, 3}}, __VA_ARGS__ }

static void off_kinks(float **x)
{
    for (int i = 0; i < 35; i++) x[0][i] += x[0][i] < 0 ? -0.2f : 0.2f;
}
/* a long row, a short one (below eps in the scaled case), one of zeros but for the first */
static void lengths(float **x)
{
    for (int i = 0; i < 5; i++) x[0][5 + i] *= 0.1f;
}

static const op_case cases[] = {
    {"product", b_product, 2, {{7, 5}, {7, 5}}},
    {"product, one row", b_product, 2, {{1, 37}, {1, 37}}},
    {"product, one column", b_product, 2, {{19, 1}, {19, 1}}},
    {"product with a row", b_product, 2, {{7, 5}, {1, 5}}},
    {"product with a row, wide", b_product, 2, {{3, 283}, {1, 283}}},
    {"product with a row, tall", b_product, 2, {{331, 2}, {1, 2}}, .tol = 4e-3},
    {"product with a column", b_product, 2, {{7, 5}, {7, 1}}},
    {"product with a column, wide", b_product, 2, {{3, 97}, {3, 1}}},
    {"product with one number", b_product, 2, {{7, 5}, {1, 1}}},
    {"product of one number", b_product, 2, {{1, 1}, {1, 1}}},
    {"product of itself", b_square_of_itself, 1, {{7, 5}}},
    {"product with a constant", b_product, 2, {{7, 5}, {7, 1, 0, 0, 1}}},
    {"product of a constant", b_product, 2, {{7, 5, 0, 0, 1}, {1, 5}}},
    {"add", b_add, 2, {{7, 5}, {7, 5}}},
    {"add a row", b_add, 2, {{7, 5}, {1, 5}}},
    {"add a column", b_add, 2, {{7, 5}, {7, 1}}},
    {"add one number", b_add, 2, {{7, 5}, {1, 1}}},
    {"add itself", b_add_itself, 1, {{7, 5}}},
    {"row sums", b_row_sums, 1, {{7, 5}}},
    {"row sums of one column", b_row_sums, 1, {{7, 1}}},
    {"row sums of one row", b_row_sums, 1, {{1, 101}}},
    {"column sums", b_column_sums, 1, {{7, 5}}},
    {"column sums of one row", b_column_sums, 1, {{1, 5}}},
    {"column sums, tall", b_column_sums, 1, {{211, 3}}, .tol = 4e-3},
    {"sum", b_sum, 1, {{7, 5}}},
    {"row dots", b_row_dots, 2, {{7, 5}, {7, 5}}},
    {"row dots of itself", b_row_dots_itself, 1, {{7, 5}}},
    {"row dots of one column", b_row_dots, 2, {{7, 1}, {7, 1}}},
    {"columns", b_columns, 1, {{7, 5}}},
    {"columns of one row", b_columns, 1, {{1, 11}}},
    {"split", b_split, 1, {{7, 11}}},
    {"unit rows", b_unit, 1, {{7, 5, 0.2f, 1}}},
    {"unit rows, one column", b_unit_scaled, 1, {{7, 1, 0.1f, 0.8f}}},
    {"unit rows, some below eps", b_unit_scaled, 1, {{7, 5, 0.4f, 1}}, .fill = lengths},
    {"reverse", b_reverse, 1, {{11, 5}}},
    {"reverse twice", b_reverse_twice, 1, {{11, 1}}},
    {"segment sums", b_segment_sum, 1, {{11, 5}}},
    {"segment means", b_segment_mean, 1, {{11, 67}}},
    {"leaky", b_leaky, 1, {{7, 5, -3, 3}}, .fill = off_kinks},
    {"slope of leaky", s_leaky, 1, {{7, 5, -3, 3}}, .fill = off_kinks, .flat = 1},
    FUNCTION_CASE(elu, .fill = off_kinks),
    FUNCTION_CASE(softplus),
    FUNCTION_CASE(silu),
    FUNCTION_CASE(sigmoid),
    FUNCTION_CASE(tanh),
    FUNCTION_CASE(gelu),
    FUNCTION_CASE(gelu_tanh),
    FUNCTION_CASE(sin),
    FUNCTION_CASE(exp),
    FUNCTION_CASE(square),
};

/* Values known without any kernel. */
static void test_values(const char *kernels)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(kernels);
    cw_tape *t = cw_tape_new(ctx);
    cw_tape_reset(t, 0, 0, OP_KEY, 0);
    float v[] = {3, 4, 0, 0, -2, 1};
    cw_tensor *x = cw_tape_constant(t, v, 3, 2);
    const float *u = cw_tape_data(t, cw_unit_rows(t, x, 2.0f, 1e-12f));
    CHECK(fabsf(u[0] - 1.2f) < 1e-6f && fabsf(u[1] - 1.6f) < 1e-6f && u[2] == 0 && u[3] == 0, "unit rows: %g %g", u[0],
          u[1]);
    const float *s = cw_tape_data(t, cw_column_sums(t, x, 0.5f));
    CHECK(s[0] == 0.5f && s[1] == 2.5f, "column sums %g %g", s[0], s[1]);
    const int64_t start[] = {0, 2, 2, 3};
    const float *m = cw_tape_data(t, cw_segment_sum(t, x, (cw_ragged){3, start, NULL}, 1));
    CHECK(m[0] == 1.5f && m[1] == 2 && m[2] == 0 && m[3] == 0 && m[4] == -2 && m[5] == 1, "segment means");
    const float *w = cw_tape_data(t, cw_reverse(t, x, (cw_ragged){3, start, NULL}));
    CHECK(w[0] == 0 && w[2] == 3 && w[3] == 4 && w[4] == -2, "reverse");
    /* kinks, and what is beyond the reach of the vector version */
    float k[] = {0, -1, 1, NAN, 1e6f, 3.0e5f, -40, 40};
    cw_tensor *kinks = cw_tape_constant(t, k, 1, 8);
    const float *l = cw_tape_data(t, cw_apply(t, kinks, (cw_function){CW_FN_LEAKY_RELU, 0.2f}));
    const float *g = cw_tape_data(t, cw_apply_slope(t, kinks, (cw_function){CW_FN_LEAKY_RELU, 0.2f}));
    CHECK(l[1] == -0.2f && l[2] == 1 && isnan(l[3]) && g[0] == 0.2f && g[1] == 0.2f && g[2] == 1, "leaky relu");
    const float *n = cw_tape_data(t, cw_apply(t, kinks, (cw_function){CW_FN_SIN, 1.0f}));
    CHECK(fabs(n[4] - sin(1e6)) < 1e-6 && fabs(n[5] - sin(3.0e5)) < 1e-6 && isnan(n[3]), "sin %g %g", n[4], n[5]);
    const float *p = cw_tape_data(t, cw_apply(t, kinks, (cw_function){CW_FN_SOFTPLUS, 10.0f}));
    CHECK(fabs(p[0] - log(2.0) / 10) < 1e-7 && p[6] == 0 && p[7] == 40, "softplus %g %g %g", p[0], p[6], p[7]);
    const float *e = cw_tape_data(t, cw_apply(t, kinks, (cw_function){CW_FN_ELU, 1.0f}));
    CHECK(e[0] == 0 && fabs(e[1] - expm1(-1)) < 1e-6 && e[2] == 1 && e[6] == -1, "elu");
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

/* The reversal's gradient is no derivative of its value. */
static void test_gradient_reversal(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(NULL);
    cw_tape *t = cw_tape_new(ctx);
    float value[] = {3, 4, -1}, grad[3] = {0}, weight[] = {1, -2, 5}, one = 1.0f;
    cw_tensor x = {.ndim = 2, .dim = {1, 3}, .data = value, .grad = grad, .needs_grad = 1};
    cw_tape_reset(t, 1, 0, OP_KEY, 0);
    cw_tensor *y = cw_gradient_reversal(t, &x, 0.5f);
    cw_tensor *loss = cw_matmul(t, y, cw_tape_constant(t, weight, 3, 1));
    CHECK(cw_tape_scalar(loss) == 3 - 8 - 5, "the value passes unchanged");
    cw_tape_backward(t, 1, &loss, &one);
    CHECK(grad[0] == -0.5f && grad[1] == 1 && grad[2] == -2.5f, "%g %g %g", grad[0], grad[1], grad[2]);
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

static void test_refusals(void)
{
    refusals_begin();
    cw_tape *t = refusal_tape;
    cw_ragged seq = {4, ragged};
    REFUSED(cw_product(t, blank(7, 5), blank(5, 7)), CW_ERR_SHAPE, "product: 5 x 7");
    REFUSED(cw_product(t, blank(7, 5), blank(1, 7)), CW_ERR_SHAPE, "product");
    REFUSED(cw_product(t, blank(1, 5), blank(7, 5)), CW_ERR_SHAPE, "product");
    REFUSED(cw_add_spread(t, blank(7, 5), blank(5, 1), 1), CW_ERR_SHAPE, "add");
    REFUSED(cw_row_dots(t, blank(7, 5), blank(7, 4)), CW_ERR_SHAPE, "row_dots");
    REFUSED(cw_columns(t, blank(7, 5), 3, 3), CW_ERR_SHAPE, "columns 3..6");
    REFUSED(cw_columns(t, blank(7, 5), -1, 3), CW_ERR_SHAPE, "columns");
    REFUSED(cw_columns(t, blank(7, 5), 1, 0), CW_ERR_SHAPE, "columns");
    cw_tensor *part[2];
    REFUSED((cw_split_columns(t, blank(7, 5), 2, (const int64_t[]){2, 2}, part), part[0]), CW_ERR_SHAPE, "split");
    REFUSED(cw_reverse(t, blank(10, 5), seq), CW_ERR_SHAPE, "reverse");
    REFUSED(cw_segment_sum(t, blank(12, 5), seq, 1), CW_ERR_SHAPE, "segment_sum");
    REFUSED(cw_apply(t, blank(7, 5), (cw_function){CW_FN_SOFTPLUS, 0}), CW_ERR_ARGUMENT, "softplus");
    refusals_end();
}

int main(void)
{
    check_op_cases(cases, (int)(sizeof cases / sizeof *cases));
    test_values("ref");
    test_values("cpu");
    test_gradient_reversal();
    test_refusals();
    return test_end();
}
