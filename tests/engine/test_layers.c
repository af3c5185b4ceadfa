/* test_layers.c: layers as wholes: gradients into what they are made of, LoRA merged and not, refusals. Their values
 * are compared with the published models' in golden_layers.c. */
#include "op_case.h"

#include "nn/layer_attention.h"
#include "nn/layer_hyena.h"
#include "nn/layer_icnn.h"
#include "nn/layer_mlp.h"
#include "nn/layer_retention.h"
#include "nn/layer_ssm.h"

static const int64_t own[] = {0, 5, 5, 6, 13}, other[] = {0, 3, 7, 7, 9};
#define OWN ((cw_ragged){4, own})
#define OTHER ((cw_ragged){4, other})
#define LINEAR(w, b) ((cw_layer_linear){w, b, NULL, NULL, 0})
#define BUILD(name, expression)                                                                                        \
    static cw_tensor *name(cw_tape *t, cw_tensor *const *x) { return expression; }

/* x w b A B */
BUILD(b_lora, cw_layer_linear_forward(t, x[0], (&(cw_layer_linear){x[1], x[2], x[3], x[4], 0.5f}), CW_ACT_SILU))
BUILD(b_lora_bare, cw_layer_linear_forward(t, x[0], (&(cw_layer_linear){x[1], NULL, x[2], x[3], 1.0f}), CW_ACT_NONE))

/* table w A B: rows are sums of the table's */
static cw_tensor *b_sums(cw_tape *t, cw_tensor *const *x, cw_act act)
{
    static const int32_t first[] = {0, 2, 2, -1, 1, 0, 3}, second[] = {1, -1, 0, -1, 1, 1, 2};
    cw_summed_rows sums = {x[0], {first, second}, 7};
    cw_layer_linear l = {x[1], NULL, x[2], x[3], 0.5f};
    return cw_layer_linear_sums(t, &sums, &l, act);
}
BUILD(b_sums_bent, b_sums(t, x, CW_ACT_SILU))
BUILD(b_sums_plain, b_sums(t, x, CW_ACT_NONE))

/* x qkv_w qkv_b out_w out_b; and x y q k v out */
static cw_tensor *b_fused(cw_tape *t, cw_tensor *const *x)
{
    cw_layer_attention l = {.heads = 2, .qkv = LINEAR(x[1], x[2]), .o = LINEAR(x[3], x[4])};
    cw_attend_spec spec = {.mask = CW_MASK_CAUSAL, .query = OWN, .key = OWN};
    if (!x[1]) l.qkv.w = NULL; /* a failed context */
    return cw_layer_attention_forward(t, x[0], x[0], &l, spec);
}
static cw_tensor *b_cross(cw_tape *t, cw_tensor *const *x)
{
    cw_layer_attention l = {
        .heads = 1, .q = LINEAR(x[2], NULL), .k = LINEAR(x[3], NULL), .v = LINEAR(x[4], NULL), .o = LINEAR(x[5], NULL)};
    cw_attend_spec spec = {.query = OWN, .key = OTHER};
    return cw_layer_attention_forward(t, x[0], x[1], &l, spec);
}

/* x q k v u o mask scale */
static cw_tensor *b_retention(cw_tape *t, cw_tensor *const *x)
{
    cw_layer_retention l = {LINEAR(x[1], NULL), LINEAR(x[2], NULL), LINEAR(x[3], NULL),
                            LINEAR(x[4], NULL), LINEAR(x[5], NULL), 2};
    return cw_layer_retention_forward(t, x[0], x[0], &l, x[6], x[7], OWN, OWN);
}

/* x in out conv_w conv_b dt_bias a_log skip norm */
static cw_tensor *b_ssm(cw_tape *t, cw_tensor *const *x)
{
    cw_layer_ssm l = {2, 3, 1, 2, LINEAR(x[1], NULL), LINEAR(x[2], NULL), x[3], x[4], x[5], x[6], x[7], x[8], 1e-5f};
    return cw_layer_ssm_forward(t, x[0], &l, OWN, NULL, NULL);
}

/* x in out short filter bias, of order 3 */
static cw_tensor *b_hyena(cw_tape *t, cw_tensor *const *x)
{
    cw_layer_hyena l = {.order = 3, .in = LINEAR(x[1], NULL), .out = LINEAR(x[2], NULL), .short_w = x[3], .bias = x[5]};
    return cw_layer_hyena_forward(t, x[0], &l, x[4], OWN);
}
/* z w_0 b_0 last freq time deltas */
static cw_tensor *b_filter(cw_tape *t, cw_tensor *const *x)
{
    cw_hyena_filter f = {.sines = 1,
                         .layer = {LINEAR(x[1], x[2])},
                         .last = LINEAR(x[3], NULL),
                         .freq = x[4],
                         .z = x[0],
                         .time = x[5],
                         .deltas = x[6],
                         .modulate = 1,
                         .shift = 0.05f};
    return t->ctx->status == CW_OK ? cw_hyena_filter_forward(t, &f, 4) : NULL;
}

/* x A_0 b_0 A_1 b_1 A_2 W_0 W_1; softplus is smooth, so that differences see the slopes too */
static cw_layer_icnn icnn(cw_tensor *const *x, float beta)
{
    return (cw_layer_icnn){2, {x[6], x[7]}, {x[1], x[3], x[5]}, {x[2], x[4], NULL}, {CW_FN_SOFTPLUS, 2.0f}, beta};
}
static cw_tensor *b_icnn(cw_tape *t, cw_tensor *const *x)
{
    cw_layer_icnn l = icnn(x, 1.5f);
    return cw_layer_icnn_forward(t, x[0], &l);
}
static cw_tensor *b_icnn_gradient(cw_tape *t, cw_tensor *const *x)
{
    cw_layer_icnn l = icnn(x, 0.0f);
    return cw_layer_icnn_gradient(t, x[0], &l);
}

/* x w_0 b_0 norm_w norm_b w_1 norm_w: Linear, ReLU, LayerNorm as scGPT's; Linear, RMSNorm, ELU, dropout */
static cw_tensor *b_mlp(cw_tape *t, cw_tensor *const *x)
{
    cw_layer_mlp l = {2,
                      {{.linear = LINEAR(x[1], x[2]),
                        .activated = 1,
                        .after = {.kind = CW_NORM_LAYER, .w = x[3], .b = x[4], .eps = 1e-5f}},
                       {.linear = LINEAR(x[5], NULL),
                        .before = {.kind = CW_NORM_RMS, .w = x[6], .eps = 1e-3f},
                        .activated = 1,
                        .act = {CW_FN_ELU, 1.0f},
                        .dropout = 0.4f}}};
    return cw_layer_mlp_forward(t, x[0], &l);
}

static const op_case cases[] = {
    {"LoRA", b_lora, 5, {{5, 3}, {7, 3, 0, 0, 1}, {1, 7, 0, 0, 1}, {2, 3}, {7, 2}}, .keep = 30},
    {"LoRA and its base", b_lora_bare, 4, {{5, 3}, {7, 3}, {1, 3}, {7, 1}}, .keep = 14},
    {"fused attention", b_fused, 5, {{13, 4}, {12, 4}, {1, 12}, {3, 4}, {1, 3}}, .keep = 30},
    {"cross attention", b_cross, 6, {{13, 4}, {9, 3}, {5, 4}, {5, 3}, {5, 3}, {2, 5}}, .keep = 60},
    {"retention",
     b_retention,
     8,
     {{13, 4, 0.2f, 1},
      {6, 4, 0.1f, 1},
      {6, 4, 0.1f, 1},
      {6, 4},
      {6, 4},
      {3, 6},
      {13, 1, 0.5f, 1, 1},
      {13, 1, 0.3f, 1, 1}},
     .keep = 62},
    {"Mamba 2", b_ssm, 9, {{13, 4}, {18, 4}, {5, 6}, {10, 3}, {1, 10}, {1, 2}, {1, 2}, {1, 2}, {1, 6}}, .keep = 510},
    {"Hyena", b_hyena, 6, {{13, 3}, {12, 3}, {2, 3}, {12, 3}, {7, 6}, {1, 6}}, .keep = 46},
    {"Hyena's filter",
     b_filter,
     7,
     {{6, 3, 0, 0, 1}, {5, 3}, {1, 5}, {4, 5}, {1, 5}, {6, 1, 0, 1, 1}, {1, 4, 0.3f, 2, 1}},
     .keep = 126},
    {"MLP",
     b_mlp,
     7,
     {{5, 4}, {3, 4}, {1, 3}, {1, 3}, {1, 3}, {4, 3}, {1, 4}},
     .training = 1,
     .keep = 126,
     .step = 0.004},
    {"convex network", b_icnn, 8, {{5, 3}, {4, 3}, {1, 4}, {3, 3}, {1, 3}, {1, 3}, {3, 4}, {1, 3}}, .keep = 254},
    {"its gradient", b_icnn_gradient, 8, {{5, 3}, {4, 3}, {1, 4}, {3, 3}, {1, 3}, {1, 3}, {3, 4}, {1, 3}}, .keep = 254},
    {"LoRA of sums", b_sums_bent, 4, {{4, 3}, {5, 3}, {2, 3}, {5, 2}}, .keep = 14},
    {"linear of sums", b_sums_plain, 2, {{4, 3}, {5, 3}}, .keep = 2},
    {"LoRA of few rows", b_lora, 5, {{2, 3}, {7, 3, 0, 0, 1}, {1, 7, 0, 0, 1}, {2, 3}, {7, 2}}, .keep = 30},
    {"LoRA of few rows and its base", b_lora_bare, 4, {{2, 3}, {7, 3}, {1, 3}, {7, 1}}, .keep = 14},
};

#define CONVEX (&cases[9])

/* What cw_layer_icnn_gradient says is the derivative of what cw_layer_icnn_forward says. */
static void test_transport(const char *kernels)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(kernels);
    cw_tape *t = cw_tape_new(ctx);
    op_leaves l;
    CHECK(CONVEX->build == b_icnn, "the case has moved");
    op_new_leaves(&l, CONVEX, OP_PLAIN);
    cw_tensor *x[OP_MAX_IN];
    for (int i = 0; i < 8; i++) x[i] = &l.leaf[i];
    cw_layer_icnn net = icnn(x, 1.5f);
    net.act = (cw_function){CW_FN_LEAKY_RELU, 0.2f};
    float want[15];
    const float one[] = {1, 1, 1, 1, 1}, weight = 1.0f;
    cw_tape_reset(t, 1, 0, OP_KEY, 0);
    memcpy(want, cw_tape_data(t, cw_layer_icnn_gradient(t, x[0], &net)), sizeof want);
    cw_tape_reset(t, 1, 0, OP_KEY, 0);
    cw_tensor *loss = cw_matmul(t, cw_tape_constant(t, one, 1, 5), cw_layer_icnn_forward(t, x[0], &net));
    cw_tape_backward(t, 1, &loss, &weight);
    double worst = 0;
    for (int i = 0; i < 15; i++) worst = fmax(worst, fabs((double)want[i] - l.grad[0][i]));
    CHECK(ctx->status == CW_OK && worst < 1e-5, "%s: off by %g", kernels, worst);
    op_free_leaves(&l, CONVEX);
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

/* A pair with B = 0 changes nothing; merged, the layer without its pair gives the same to rounding; taken out, w is
 * back. */
static void test_lora(const char *kernels)
{
    enum { IN = 37, OUT = 29, R = 3, N = 11 };
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(kernels);
    cw_tape *t = cw_tape_new(ctx);
    static float value[5][IN * OUT + N * IN];
    float before[IN * OUT], first[N * OUT];
    for (int i = 0; i < 5; i++)
        cw_rng_fill_uniform(value[i], IN * OUT + N * IN, cw_rng_stream(OP_KEY, CW_RNG_USER, (uint64_t)i, 5), -1, 1);
    cw_tensor x = {.ndim = 2, .dim = {N, IN}, .data = value[0]}, w = {.ndim = 2, .dim = {OUT, IN}, .data = value[1]};
    cw_tensor A = {.ndim = 2, .dim = {R, IN}, .data = value[2]}, B = {.ndim = 2, .dim = {OUT, R}, .data = value[3]};
    cw_tensor none = {.ndim = 2, .dim = {OUT, R}, .data = calloc(OUT * R, sizeof(float))};
    cw_layer_linear plain = {&w, NULL, NULL, NULL, 0}, pair = {&w, NULL, &A, &B, 0.7f},
                    zero = {&w, NULL, &A, &none, 0.7f};
    cw_tape_reset(t, 0, 0, OP_KEY, 0);
    memcpy(first, cw_tape_data(t, cw_layer_linear_forward(t, &x, &plain, CW_ACT_NONE)), sizeof first);
    const float *y = cw_tape_data(t, cw_layer_linear_forward(t, &x, &zero, CW_ACT_NONE));
    CHECK(y && memcmp(y, first, sizeof first) == 0, "%s: B = 0 changes the layer", kernels);
    memcpy(first, cw_tape_data(t, cw_layer_linear_forward(t, &x, &pair, CW_ACT_NONE)), sizeof first);
    memcpy(before, value[1], sizeof before);
    CHECK(cw_layer_linear_merge(ctx, &pair, 1) == CW_OK, "%s", ctx->text);
    y = cw_tape_data(t, cw_layer_linear_forward(t, &x, &plain, CW_ACT_NONE));
    double worst = 0, back = 0, moved = 0;
    for (int i = 0; y && i < N * OUT; i++) worst = fmax(worst, fabs((double)y[i] - first[i]));
    for (int i = 0; i < IN * OUT; i++) moved = fmax(moved, fabs((double)value[1][i] - before[i]));
    CHECK(cw_layer_linear_merge(ctx, &pair, -1) == CW_OK, "%s", ctx->text);
    for (int i = 0; i < IN * OUT; i++) back = fmax(back, fabs((double)value[1][i] - before[i]));
    CHECK(worst < 2e-5 && moved > 0.1 && back < 5e-7, "%s: merged off by %g, taken out by %g", kernels, worst, back);
    cw_layer_linear bad = {&w, NULL, &B, &A, 1};
    CHECK(cw_layer_linear_merge(ctx, &bad, 1) == CW_ERR_SHAPE && strstr(ctx->text, "LoRA"), "%s", ctx->text);
    cw_ctx_clear(ctx);
    w.dtype = CW_BF16;
    CHECK(cw_layer_linear_merge(ctx, &pair, 1) == CW_ERR_STATE && strstr(ctx->text, "float"), "%s", ctx->text);
    free(none.data);
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

int main(void)
{
    check_op_cases(cases, (int)(sizeof cases / sizeof *cases));
    test_transport("ref");
    test_transport("cpu");
    test_lora("ref");
    test_lora("cpu");
    return test_end();
}
