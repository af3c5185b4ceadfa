/* test_ops_conv.c: short causal and long convolutions along packed sequences. */
#include "op_case.h"

static const int64_t ragged[] = {0, 5, 5, 6, 13}, longer[] = {0, 60, 61, 61, 131, 191};
#define RAGGED ((cw_ragged){4, ragged})
#define LONGER ((cw_ragged){5, longer})

#define BUILD(name, expression)                                                                                        \
    static cw_tensor *name(cw_tape *t, cw_tensor *const *x) { return expression; }
BUILD(b_short, cw_short_conv(t, x[0], x[1], x[2], RAGGED))
BUILD(b_short_bare, cw_short_conv(t, x[0], x[1], NULL, RAGGED))
BUILD(b_long, cw_long_conv(t, x[0], x[1], x[2], RAGGED))
BUILD(b_long_bare, cw_long_conv(t, x[0], x[1], NULL, RAGGED))
BUILD(b_fourier, cw_long_conv(t, x[0], x[1], x[2], LONGER))
BUILD(b_fourier_bare, cw_long_conv(t, x[0], x[1], NULL, LONGER))

static const op_case cases[] = {
    {"short conv", b_short, 3, {{13, 5}, {5, 4}, {1, 5}}},
    {"short conv of one tap", b_short, 3, {{13, 5}, {5, 1}, {1, 5}}},
    {"short conv of one channel", b_short_bare, 2, {{13, 1}, {1, 3}}},
    {"short conv, longer than all", b_short_bare, 2, {{13, 67}, {67, 11}}},
    {"short conv of many taps", b_short, 3, {{13, 3}, {3, 37}, {1, 3}}},
    {"short conv, frozen", b_short, 3, {{13, 5}, {5, 4, 0, 0, 1}, {1, 5, 0, 0, 1}}},
    {"long conv", b_long, 3, {{13, 5}, {7, 5}, {1, 5}}},
    {"long conv, few taps", b_long, 3, {{13, 1}, {2, 1}, {1, 1}}},
    {"long conv, more taps than rows", b_long_bare, 2, {{13, 17}, {19, 17}}},
    {"long conv by transform", b_fourier, 3, {{191, 3}, {80, 3}, {1, 3}}, .tol = 4e-3},
    {"long conv by transform, few taps", b_fourier, 3, {{191, 2}, {7, 2}, {1, 2}}, .tol = 4e-3},
    {"long conv by transform, many taps", b_fourier_bare, 2, {{191, 19}, {300, 19}}, .tol = 4e-3},
    {"long conv by transform, constant filter",
     b_fourier,
     3,
     {{191, 3}, {80, 3, 0, 0, 1}, {1, 3, 0, 0, 1}},
     .tol = 4e-3},
    {"long conv by transform of a constant", b_fourier, 3, {{191, 3, 0, 0, 1}, {80, 3}, {1, 3}}, .tol = 4e-3},
};

static uint64_t state = 3;
static float uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)(state >> 40) / 8388608.0f - 1.0f;
}

/* A long sequence at some places against the sum in double; a filter that decays as Hyena's do. */
static void test_length(int64_t n, int64_t d, int threads)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(NULL);
    ctx->threads = threads;
    cw_tape *t = cw_tape_new(ctx);
    float *x = malloc((size_t)(n * d) * sizeof *x), *h = malloc((size_t)(n * d) * sizeof *h);
    for (int64_t i = 0; i < n * d; i++) {
        x[i] = uniform();
        h[i] = uniform() * expf(-5.0f * (float)(i / d) / (float)n);
    }
    const int64_t start[] = {0, n};
    cw_tape_reset(t, 0, 0, OP_KEY, 0);
    const float *y = cw_tape_data(
        t, cw_long_conv(t, cw_tape_constant(t, x, n, d), cw_tape_constant(t, h, n, d), NULL, (cw_ragged){1, start}));
    CHECK(y, "%s", ctx->text);
    double worst = 0, unit = sqrt((double)n);
    for (int64_t i = 0; y && i < 6; i++) {
        int64_t at = i == 0 ? 0 : i == 1 ? n - 1 : (int64_t)(fabsf(uniform()) * (float)(n - 1)), c = i % d;
        double sum = 0;
        for (int64_t s = 0; s <= at; s++) sum += (double)h[s * d + c] * x[(at - s) * d + c];
        worst = fmax(worst, fabs(y[at * d + c] - sum) / unit);
    }
    CHECK(worst < 1e-6, "%lld rows: off by %g of %g", (long long)n, worst * unit, unit);
    free(x), free(h);
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

/* A sequence's result depends on nothing but itself: same bits in company and alone. */
static void test_company(void)
{
    enum { D = 7, N = 191 };
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(NULL);
    cw_tape *t = cw_tape_new(ctx);
    float x[N * D], h[90 * D];
    for (int i = 0; i < N * D; i++) x[i] = uniform();
    for (int i = 0; i < 90 * D; i++) h[i] = uniform();
    cw_tape_reset(t, 0, 0, OP_KEY, 0);
    cw_tensor *filter = cw_tape_constant(t, h, 90, D);
    const float *all = cw_tape_data(t, cw_long_conv(t, cw_tape_constant(t, x, N, D), filter, NULL, LONGER));
    for (int s = 0; s < 5; s++) {
        int64_t length = longer[s + 1] - longer[s], own[] = {0, length};
        if (length == 0) continue;
        const float *one = cw_tape_data(
            t, cw_long_conv(t, cw_tape_constant(t, x + longer[s] * D, length, D), filter, NULL, (cw_ragged){1, own}));
        CHECK(one && memcmp(one, all + longer[s] * D, (size_t)(length * D) * sizeof *one) == 0,
              "sequence %d differs in company", s);
    }
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

/* Plans are made once: a second step asks the system for nothing. */
static void test_steady(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(NULL);
    cw_tape *t = cw_tape_new(ctx);
    float *x = calloc(191 * 3, sizeof *x), *h = calloc(80 * 3, sizeof *h);
    int64_t calls = 0;
    for (int step = 0; step < 4; step++) {
        cw_tape_reset(t, 0, 0, OP_KEY, (uint64_t)step);
        cw_tensor *y = cw_long_conv(t, cw_tape_constant(t, x, 191, 3), cw_tape_constant(t, h, 80, 3), NULL, LONGER);
        CHECK(y, "%s", ctx->text);
        if (step == 2) calls = ctx->memory.calls;
    }
    CHECK(ctx->memory.calls == calls, "%lld allocations in the last step", (long long)(ctx->memory.calls - calls));
    free(x), free(h);
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

static void test_refusals(void)
{
    refusals_begin();
    cw_tape *t = refusal_tape;
    REFUSED(cw_short_conv(t, blank(13, 5), blank(4, 3), NULL, RAGGED), CW_ERR_SHAPE, "short_conv");
    REFUSED(cw_short_conv(t, blank(13, 5), blank(5, 3), blank(1, 4), RAGGED), CW_ERR_SHAPE, "short_conv");
    REFUSED(cw_short_conv(t, blank(12, 5), blank(5, 3), NULL, RAGGED), CW_ERR_SHAPE, "short_conv");
    REFUSED(cw_long_conv(t, blank(13, 5), blank(9, 4), NULL, RAGGED), CW_ERR_SHAPE, "long_conv");
    REFUSED(cw_long_conv(t, blank(14, 5), blank(9, 5), NULL, RAGGED), CW_ERR_SHAPE, "long_conv");
    refusals_end();
}

int main(void)
{
    check_op_cases(cases, (int)(sizeof cases / sizeof *cases));
    test_length(1, 3, 1);
    test_length(48, 3, 1);
    test_length(49, 3, 1);
    test_length(1009, 17, 2);
    test_length(65537, 3, 2);
    test_length(1000002, 1, 1);
    test_company();
    test_steady();
    test_refusals();
    return test_end();
}
