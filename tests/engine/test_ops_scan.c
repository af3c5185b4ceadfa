/* test_ops_scan.c: the selective scan, in chunks against token by token, and attention without a softmax. */
#include "op_case.h"

static const int64_t ragged[] = {0, 5, 5, 6, 13}, other[] = {0, 3, 7, 7, 9}, longer[] = {0, 64, 65, 65, 194};
#define RAGGED ((cw_ragged){4, ragged})
#define OTHER ((cw_ragged){4, other})
#define LONGER ((cw_ragged){4, longer})

#define BUILD(name, expression)                                                                                        \
    static cw_tensor *name(cw_tape *t, cw_tensor *const *x) { return expression; }
#define SCAN(name, skip, ...) BUILD(name, cw_selective_scan(t, x[0], x[1], x[2], skip, ((cw_scan_spec){__VA_ARGS__})))
/* x, then C, a column of nothing, B */
SCAN(b_scan, x[3], .heads = 3, .head_dim = 2, .groups = 1, .state = 4, .c_at = 6, .b_at = 11, .seq = RAGGED)
SCAN(b_groups, x[3], .heads = 4, .head_dim = 1, .groups = 2, .state = 3, .b_at = 4, .c_at = 10, .seq = RAGGED)
SCAN(b_bare, NULL, .heads = 1, .head_dim = 5, .groups = 1, .state = 1, .b_at = 5, .c_at = 6, .seq = RAGGED)
SCAN(b_chunks, x[3], .heads = 2, .head_dim = 3, .groups = 1, .state = 5, .b_at = 6, .c_at = 11, .seq = LONGER)
SCAN(b_wide, x[3], .heads = 2, .head_dim = 33, .groups = 2, .state = 17, .b_at = 66, .c_at = 100, .seq = LONGER)

#define LINEAR(name, ...) BUILD(name, cw_linear_attention(t, x[0], x[1], x[2], ((cw_attend_spec){__VA_ARGS__})))
LINEAR(b_linear, .heads = 2, .query = RAGGED, .key = RAGGED)
LINEAR(b_linear_cross, .heads = 3, .scale = 0.6f, .query = RAGGED, .key = OTHER)
static cw_tensor *b_linear_fused(cw_tape *t, cw_tensor *const *x)
{
    cw_attend_spec spec = {.heads = 2, .query = RAGGED, .key = RAGGED, .width = 4, .q_at = 8, .k_at = 4};
    return cw_linear_attention(t, x[0], x[0], x[0], spec);
}

static const op_case cases[] = {
    {"scan", b_scan, 4, {{13, 15}, {13, 3, 0.1f, 0.9f}, {1, 3, -2, -0.2f}, {1, 3}}},
    {"scan in groups", b_groups, 4, {{13, 16}, {13, 4, 0.1f, 0.9f}, {1, 4, -2, -0.2f}, {1, 4}}},
    {"scan without skip", b_bare, 3, {{13, 7}, {13, 1, 0.1f, 0.9f}, {1, 1, -2, -0.2f}}},
    {"scan of a constant", b_scan, 4, {{13, 15, 0, 0, 1}, {13, 3, 0.1f, 0.9f}, {1, 3, -2, -0.2f}, {1, 3}}},
    {"scan, frozen", b_scan, 4, {{13, 15}, {13, 3, 0.1f, 0.9f, 1}, {1, 3, -2, -0.2f, 1}, {1, 3, 0, 0, 1}}},
    {"scan of chunks",
     b_chunks,
     4,
     {{194, 16}, {194, 2, 0.1f, 0.9f}, {1, 2, -0.5f, -0.1f}, {1, 2}},
     .step = 0.005,
     .tol = 4e-3},
    {"scan of wide chunks", b_wide, 4, {{194, 134}, {194, 2, 0.1f, 0.9f}, {1, 2, -2, -0.1f}, {1, 2}}, .tol = 4e-3},
    {"linear attention", b_linear, 3, {{13, 6}, {13, 6}, {13, 6}}},
    {"linear attention, cross", b_linear_cross, 3, {{13, 3}, {9, 3}, {9, 3}}},
    {"linear attention of a constant", b_linear_cross, 3, {{13, 3}, {9, 3, 0, 0, 1}, {9, 3}}},
    {"linear attention, fused", b_linear_fused, 1, {{13, 13}}},
};

/* Strong decay, none, and steps of zero: nothing overflows, and a decay of 0 remembers all. */
static void test_extremes(const char *kernels)
{
    enum { N = 300 };
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(kernels);
    cw_tape *t = cw_tape_new(ctx);
    cw_tape_reset(t, 0, 0, OP_KEY, 0);
    float xbc[N * 3], dt[N], a[] = {0}, strong[] = {-1e4f};
    for (int i = 0; i < N; i++) xbc[3 * i] = (float)(i % 7), xbc[3 * i + 1] = 0.5f, xbc[3 * i + 2] = 2, dt[i] = i % 2;
    const int64_t start[] = {0, N};
    cw_scan_spec spec = {.heads = 1, .head_dim = 1, .groups = 1, .state = 1, .b_at = 1, .c_at = 2, .seq = {1, start}};
    cw_tensor *x = cw_tape_constant(t, xbc, N, 3), *step = cw_tape_constant(t, dt, N, 1);
    const float *y = cw_tape_data(t, cw_selective_scan(t, x, step, cw_tape_constant(t, a, 1, 1), NULL, spec));
    const float *z = cw_tape_data(t, cw_selective_scan(t, x, step, cw_tape_constant(t, strong, 1, 1), NULL, spec));
    double sum = 0, worst = 0;
    for (int i = 0; y && z && i < N; i++) {
        sum += dt[i] * xbc[3 * i];
        worst = fmax(worst, fabs(y[i] - sum));
        /* steps of 1 forget everything before, steps of 0 change nothing */
        double now = i % 2 ? xbc[3 * i] : i > 0 ? xbc[3 * i - 3] : 0;
        worst = fmax(worst, fabs(z[i] - now));
    }
    CHECK(y && z && worst < 1e-4, "%s: off by %g", kernels, worst);
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

static void test_refusals(void)
{
    refusals_begin();
    cw_tape *t = refusal_tape;
    cw_scan_spec good = {.heads = 4, .head_dim = 1, .groups = 2, .state = 3, .b_at = 4, .c_at = 10, .seq = RAGGED},
                 s = good;
#define TRY(n, cols, dt_cols, a, d)                                                                                    \
    cw_selective_scan(t, blank(n, cols), blank(13, dt_cols), blank(1, a), blank(1, d), s)
    REFUSED(TRY(13, 15, 4, 4, 4), CW_ERR_SHAPE, "15 columns");
    REFUSED(TRY(13, 16, 3, 4, 4), CW_ERR_SHAPE, "selective scan");
    REFUSED(TRY(13, 16, 4, 3, 4), CW_ERR_SHAPE, "selective scan");
    REFUSED(TRY(13, 16, 4, 4, 5), CW_ERR_SHAPE, "selective scan");
    REFUSED(TRY(12, 16, 4, 4, 4), CW_ERR_SHAPE, "selective scan");
    s.groups = 3;
    REFUSED(TRY(13, 16, 4, 4, 4), CW_ERR_SHAPE, "groups");
    cw_attend_spec masked = {.heads = 2, .mask = CW_MASK_CAUSAL, .query = RAGGED, .key = RAGGED};
    REFUSED(cw_linear_attention(t, blank(13, 6), blank(13, 6), blank(13, 6), masked), CW_ERR_ARGUMENT, "mask");
    refusals_end();
}

int main(void)
{
    check_op_cases(cases, (int)(sizeof cases / sizeof *cases));
    test_extremes("ref");
    test_extremes("cpu");
    test_refusals();
    return test_end();
}
