/* test_ops.c: every differentiable operation against finite differences, with both kernel tables; its refusals; views,
 * dropped inputs, inputs used twice, and inference against recording. */
#include "autodiff/ops.h"
#include "guard_case.h"
#include "test.h"

#define MAX_IN 9
#define KEY 77u

/* Inputs are leaves held outside the tape, so that they can be moved for differences. */
typedef struct {
    int64_t rows, cols;
    float low, high; /* uniform values; both 0: -1 to 1 */
    int constant;    /* not differentiated */
} in_spec;

typedef struct {
    const char *name;
    cw_tensor *(*build)(cw_tape *t, cw_tensor *const *x);
    int inputs;
    in_spec in[MAX_IN];
    int training;               /* dropout is on */
    double step, tol;           /* of the differences; 0: the defaults */
    void (*fill)(float **data); /* changes the random values, or NULL */
    int keep;                   /* bits of inputs that may not be dropped (weights are never dropped) */
} op_case;

/* ---- index arrays the cases share: three cells, the second without TFs; a fourth without genes ---- */

static const int64_t gene_start[] = {0, 4, 7, 9, 9}, tf_start[] = {0, 2, 2, 3, 3};
static const int32_t tf_gene[] = {1, 3, 8}, gene_token[] = {5, 2, 9, 1, 5, 2, 9, 1, 2};
static const uint64_t pairs[] = {(uint64_t)1 << 32 | 2, (uint64_t)1 << 32 | 9, (uint64_t)2 << 32 | 1,
                                 (uint64_t)2 << 32 | 5};
static cw_factor_rows factor_rows(void) { return (cw_factor_rows){{4, gene_start, NULL}, {4, tf_start, NULL}, tf_gene}; }
static const int32_t index_a[] = {2, -1, 0, 2, 1, 4, -1}, index_b[] = {0, 1, 1, -1, 2, 2, -1};
static const int64_t pool_start[] = {0, 3, 3, 7};
static const int32_t pool_index[] = {4, 0, 4, 1, 2, 3, 0};
static const int64_t seq_start[] = {0, 5, 5, 6, 13};
static const int32_t seq_position[] = {0, 1, 2, 5, 9, 0, 0, 1, 2, 3, 4, 6, 7};
static const int32_t targets[] = {3, -1, 0, 6, 2};
static const float soft_targets[] = {0, 1, 0.3f, 1, 0, 0.75f};
static const float zi_values[] = {0, 1.5f, 0, 0.4f, 2.2f}, noise[] = {0.3f, -1.2f, 0.8f, 2.0f, -0.5f};
static const float gate_beta[] = {0.5f, -0.4f, 0, 0.7f, -0.1f, 0.2f, 0.3f};

/* ---- the operations as functions of their inputs ---- */

#define BUILD(name, expression)                                                                                        \
    static cw_tensor *name(cw_tape *t, cw_tensor *const *x) { return expression; }
BUILD(b_linear, cw_linear(t, x[0], x[1], x[2], CW_ACT_NONE))
BUILD(b_linear_bare, cw_linear(t, x[0], x[1], NULL, CW_ACT_NONE))
BUILD(b_linear_silu, cw_linear(t, x[0], x[1], x[2], CW_ACT_SILU))
BUILD(b_linear_gelu, cw_linear(t, x[0], x[1], NULL, CW_ACT_GELU))
BUILD(b_linear_precise, cw_linear_precise(t, x[0], x[1], x[2], CW_ACT_SILU))
BUILD(b_linear_residual, cw_linear_residual(t, x[0], x[1], x[2], x[3]))
BUILD(b_swiglu, cw_swiglu_residual(t, x[0], ((cw_swiglu_params){x[1], x[2], x[3], x[4], x[5], x[6]}), 0.3f, x[7]))
BUILD(b_swiglu_bare, cw_swiglu_residual(t, x[0], ((cw_swiglu_params){x[1], NULL, x[2], NULL, x[3], NULL}), 0.3f, x[4]))
BUILD(b_matmul, cw_matmul(t, x[0], x[1]))
BUILD(b_matmul_twice, cw_matmul(t, x[0], x[0]))
BUILD(b_rmsnorm, cw_rmsnorm(t, x[0], x[1], 1e-6f))
BUILD(b_rmsnorm_bare, cw_rmsnorm(t, x[0], NULL, 0.1f))
BUILD(b_layernorm, cw_layernorm(t, x[0], x[1], x[2], 1e-5f))
BUILD(b_layernorm_bare, cw_layernorm(t, x[0], NULL, NULL, 1e-5f))
BUILD(b_softmax, cw_softmax(t, x[0], 1.7f))
BUILD(b_add, cw_add_scaled(t, x[0], x[1], -0.6f))
BUILD(b_add_twice, cw_add_scaled(t, x[0], x[0], 0.25f))
BUILD(b_concat_cols, cw_concat_cols(t, 3, (cw_tensor *[]){x[0], x[1], x[0]}))
BUILD(b_concat_rows, cw_concat_rows(t, 3, (cw_tensor *[]){x[1], x[0], x[1]}))
BUILD(b_dropout, cw_dropout(t, x[0], 0.4f))
BUILD(b_gather_sum, cw_gather_sum(t, 2, x, ((const int32_t *[]){index_a, index_b}), 7))
BUILD(b_gather, cw_gather(t, x[0], index_a, 7))
BUILD(b_soft_bins, cw_soft_bins(t, x[0], x[1], 0.7f))
BUILD(b_pool, cw_attention_pool(t, x[0], x[1], pool_index, ((cw_ragged){3, pool_start, NULL})))
BUILD(b_gate, cw_topk_gate(t, x[0], cw_tape_constant(t, gate_beta, 1, 7), 3, 0.8f))
BUILD(b_gate_all, cw_topk_gate(t, x[0], NULL, 7, 1.3f))
BUILD(b_mix, cw_factor_mix(t, x[0], x[1], x[2], factor_rows()))
BUILD(b_latent, cw_latent_sample(t, x[0], cw_tape_constant(t, noise, 5, 1)))
BUILD(b_kl, cw_kl_normal(t, x[0], 3))
BUILD(b_zin, cw_zi_normal_nll(t, x[0], cw_tape_constant(t, zi_values, 5, 1), 2))
BUILD(b_dag, cw_dag_loss(t, x[0], x[1], factor_rows()))
BUILD(b_sparsity, cw_sparsity_loss(t, x[0], x[1], factor_rows()))
BUILD(b_cross_entropy, cw_cross_entropy_loss(t, x[0], targets))
static const float shares[35] = {0.5f, 0.5f, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0.1f, 0.2f, 0.3f, 0.1f, 0.1f, 0.1f, 0.1f,
                                 0, 0, 0, 0, 0, 0, 0, 0.25f, 0.25f, 0, 0, 0, 0, 1};
BUILD(b_soft_cross_entropy, cw_soft_cross_entropy_loss(t, x[0], cw_tape_constant(t, shares, 5, 7), 1.3f))
BUILD(b_bce, cw_bce_loss(t, x[0], cw_tape_constant(t, soft_targets, 2, 3)))
BUILD(b_act_silu, cw_activate(t, x[0], CW_ACT_SILU))
BUILD(b_act_gelu, cw_activate(t, x[0], CW_ACT_GELU))
BUILD(b_act_relu, cw_activate(t, x[0], CW_ACT_RELU))
BUILD(b_act_leaky, cw_activate(t, x[0], CW_ACT_LEAKY_RELU))
BUILD(b_act_tanh, cw_activate(t, x[0], CW_ACT_TANH))
BUILD(b_act_sigmoid, cw_activate(t, x[0], CW_ACT_SIGMOID))
BUILD(b_act_softplus, cw_activate(t, x[0], CW_ACT_SOFTPLUS))

/* the flow: z w1 b1 w2 b2 w3 b3, then duration and shares where there are */
#define FIELD ((cw_flow_field){x[1], x[2], x[3], x[4], x[5], x[6]})
#define EULER(n, scale) ((cw_flow_spec){CW_FLOW_EULER, n, scale})
#define RK4(n, scale) ((cw_flow_spec){CW_FLOW_RK4, n, scale})
BUILD(b_flow_euler, cw_flow(t, x[0], FIELD, x[7], x[8], EULER(5, 1.0f)))
BUILD(b_flow_rk4, cw_flow(t, x[0], FIELD, x[7], x[8], RK4(5, 1.0f)))
BUILD(b_flow_back, cw_flow(t, x[0], FIELD, x[7], NULL, RK4(3, -1.0f)))
BUILD(b_flow_plain, cw_flow(t, x[0], FIELD, NULL, NULL, EULER(3, 1.4f)))
BUILD(b_flow_bare, cw_flow(t, x[0], ((cw_flow_field){x[1], NULL, x[2], NULL, x[3], NULL}), x[4], NULL, EULER(2, 1.0f)))
BUILD(b_flow_path, cw_flow_path(t, x[0], FIELD, RK4(4, 1.0f)))
BUILD(b_flow_path_euler, cw_flow_path(t, x[0], FIELD, EULER(7, -0.8f)))
BUILD(b_flow_share, cw_flow_share(t, x[0], 2.0f, 8))
static const float direction_a[] = {1, 0.5f, -0.3f, 0.2f, 2, 0.1f, -1, 1, 1, 0.4f, -0.2f, 3};
BUILD(b_sliced, cw_sliced_w2(t, x[0], x[1], direction_a, 4))
static const float unit_u[] = {0.8f, -0.6f, 0}, unit_v[] = {0.5f, 0.5f, 0.5f, 0.5f};
BUILD(b_spectral, cw_spectral_norm(t, x[0], unit_u, unit_v))
BUILD(b_info_nce, cw_info_nce(t, x[0], x[1], 0.5f))
static const float read_mask[] = {1, 0, 1.5f, 1, 1, 1, 0, 2, 1, 1, 0.5f, 1};
/* path start lift drift emb bias tau */
BUILD(b_readout, cw_gene_readout(t, ((cw_gene_reading){x[0], x[1], x[2], x[3], x[4], x[5]}), x[6], read_mask, 2.0f, 8))
BUILD(b_readout_bare, cw_gene_readout(t, ((cw_gene_reading){x[0], x[1], x[2], NULL, x[3], NULL}), x[4], NULL, 2.0f, 8))
/* key value query delay out tau, 3 tokens */
BUILD(b_tokens, cw_token_readout(t, ((cw_token_reading){x[0], x[1], x[2], x[3], x[4]}), x[5], 3))
BUILD(b_affine, cw_affine(t, x[0], -1.7f, 0.3f))
BUILD(b_squared, cw_mean_squared(t, x[0], x[1]))
BUILD(b_squared_self, cw_mean_squared(t, x[0], cw_affine(t, x[0], 2.0f, 0.1f)))
BUILD(b_absolute, cw_mean_absolute(t, x[0]))
BUILD(b_median, cw_lower_median(t, x[0], 0))
BUILD(b_median_rows, cw_lower_median(t, x[0], 1))

static cw_tensor *prior(cw_tape *t, cw_tensor *const *x, int64_t top)
{
    return cw_prior_loss(t, x[0], x[1], factor_rows(), (cw_prior_spec){{4, pairs}, gene_token, top, 5.0f, 0.1f});
}
BUILD(b_prior_all, prior(t, x, 0))
BUILD(b_prior_top, prior(t, x, 2))

/* Attention may turn its input in place, so it works on a copy. */
static cw_tensor *attention(cw_tape *t, cw_tensor *x, int causal, cw_rotary rotary)
{
    cw_tensor *qkv = cw_concat_cols(t, 1, &x);
    cw_attention_spec spec = {2, causal, rotary, 100.0f, seq_position, {4, seq_start, NULL}};
    cw_tensor *o = cw_self_attention(t, qkv, spec);
    cw_tape_drop(t, qkv); /* and is asked to compute that copy again */
    return o;
}
BUILD(b_attention, attention(t, x[0], 0, CW_ROTARY_NONE))
BUILD(b_attention_causal, attention(t, x[0], 1, CW_ROTARY_NONE))
BUILD(b_attention_half, attention(t, x[0], 0, CW_ROTARY_HALF))
BUILD(b_attention_interleaved, attention(t, x[0], 1, CW_ROTARY_INTERLEAVED))

/* The attention's input serves two, so its gradient is added to what is there. */
static cw_tensor *b_attention_shared(cw_tape *t, cw_tensor *const *x)
{
    cw_tensor *a = attention(t, x[0], 0, CW_ROTARY_NONE);
    cw_tensor *both[] = {x[0], a};
    return cw_concat_cols(t, 2, both);
}

/* x goes into the residual and the product. */
BUILD(b_linear_own_residual, cw_linear_residual(t, x[0], x[1], NULL, x[0]))

/* A chain in which a dropped norm, concatenation and product are computed again by those who need them. */
static cw_tensor *b_chain(cw_tape *t, cw_tensor *const *x)
{
    cw_tensor *n = cw_rmsnorm(t, x[0], x[1], 1e-6f);
    cw_tensor *both = cw_concat_cols(t, 2, (cw_tensor *[]){n, x[0]});
    cw_tensor *y = cw_linear(t, both, x[2], NULL, CW_ACT_TANH);
    cw_tape_drop(t, both);
    cw_tape_drop(t, n);
    cw_tensor *l = cw_layernorm(t, y, NULL, NULL, 1e-5f);
    cw_tensor *z = cw_linear_again(t, l, x[3], x[4]);
    cw_tape_drop(t, l);
    cw_tensor *w = cw_matmul(t, z, x[5]);
    cw_tape_drop(t, z);
    CHECK(!t->recording || !z || !z->data, "a product that is computed again is given back");
    return w;
}

/* ---- values where random ones would sit on a kink ---- */

static void away_from_zero(float **x)
{
    for (int i = 0; i < 15; i++) x[0][i] += x[0][i] < 0 ? -0.2f : 0.2f;
}
/* in each row the values less beta are 0.3 apart, in an order of their own */
static void apart(float **x)
{
    for (int64_t i = 0; i < 5; i++)
        for (int64_t j = 0; j < 7; j++) x[0][i * 7 + j] = gate_beta[j] + 0.3f * (float)((j * (i + 2) + i) % 7) - 0.9f;
}
/* the scores of one cell's edges are 0.05 apart or more: u picks one column each, v is a ladder */
static void ladder(float **x)
{
    memset(x[0], 0, 9 * sizeof(float));
    x[0][0] = x[0][4] = x[0][8] = 0.5f;
    for (int i = 0; i < 27; i++) x[1][i] = 0.1f + 0.11f * (float)((i * 5) % 8) + 0.02f * (float)(i % 3);
}
/* sign by column, so that no entry of v^T u is near 0 */
static void signs(float **x)
{
    for (int i = 0; i < 27; i++) x[1][i] *= i % 3 == 1 ? -1.0f : 1.0f;
}

/* all values 0.13 apart and none near 0, so that no difference changes their order */
static void spread(float **x)
{
    for (int64_t i = 0; i < 15; i++) x[0][i] = 0.13f * (float)((i * 7) % 15) - 0.9f;
}
/* readings in the middle of the grid's steps, one beyond its end, one at its start */
static void readings(float **x)
{
    for (int64_t i = 0; i < 15; i++) x[0][i] = 0.25f * (float)((i * 4) % 9) + 0.07f + 0.006f * (float)i;
}
static void readings_6(float **x) { readings(x + 6); }
static void readings_4(float **x) { readings(x + 4); }
static void readings_at_rest(float **x)
{
    readings(x + 4);
    for (int i = 1; i < 12; i += 2) x[1][i] *= -1.0f;
}
/* weights with u^T w v far from 0 */
static void far_norm(float **x)
{
    for (int64_t i = 0; i < 12; i++) x[0][i] += i < 4 ? 1.0f : -0.5f;
}
/* projections that stay in order: rows a good way apart along every direction */
static void in_order(float **x)
{
    for (int64_t i = 0; i < 15; i++) x[0][i] = 0.5f * x[0][i] + 1.5f * (float)(i / 3) * (i % 3 == 1 ? 1.0f : 0.4f);
}
static void both_in_order(float **x, int64_t rows)
{
    in_order(x);
    for (int64_t i = 0; i < 3 * rows; i++)
        x[1][i] = 0.1f * x[1][i] + 1.9f * (float)(i / 3) * (i % 3 == 2 ? 1.0f : 0.5f);
}
static void five_in_order(float **x) { both_in_order(x, 5); }
static void eight_in_order(float **x) { both_in_order(x, 8); }

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wmissing-field-initializers" /* what a case leaves out is 0 */
#endif
static const op_case cases[] = {
    {"linear", b_linear, 3, {{5, 3}, {7, 3}, {1, 7}}, .keep = 6},
    {"linear without bias", b_linear_bare, 2, {{1, 9}, {1, 9}}, .keep = 2},
    {"linear silu", b_linear_silu, 3, {{5, 3}, {4, 3}, {1, 4}}, .keep = 6},
    {"linear gelu", b_linear_gelu, 2, {{33, 5}, {3, 5}}, .keep = 2},
    {"linear constant x", b_linear_silu, 3, {{5, 3, 0, 0, 1}, {4, 3}, {1, 4}}, .keep = 6},
    {"linear frozen w", b_linear_silu, 3, {{5, 3}, {4, 3, 0, 0, 1}, {1, 4, 0, 0, 1}}, .keep = 6},
    {"linear_precise", b_linear_precise, 3, {{5, 3}, {7, 3}, {1, 7}}, .keep = 6},
    {"linear_residual", b_linear_residual, 4, {{5, 3}, {7, 3}, {1, 7}, {5, 7}}, .keep = 6},
    {"linear_residual of itself", b_linear_own_residual, 2, {{5, 7}, {7, 7}}, .keep = 2},
    {"swiglu", b_swiglu, 8, {{5, 3}, {7, 3}, {1, 7}, {7, 3}, {1, 7}, {3, 7}, {1, 3}, {5, 3}}, .keep = 126},
    {"swiglu dropout", b_swiglu, 8, {{5, 3}, {7, 3}, {1, 7}, {7, 3}, {1, 7}, {3, 7}, {1, 3}, {5, 3}}, 1, .keep = 126},
    {"swiglu d > h, dropout",
     b_swiglu,
     8,
     {{5, 7}, {2, 7}, {1, 2}, {2, 7}, {1, 2}, {7, 2}, {1, 7}, {5, 7}},
     1,
     .keep = 126},
    {"swiglu without bias", b_swiglu_bare, 5, {{4, 3}, {2, 3}, {2, 3}, {3, 2}, {4, 3}}, .keep = 14},
    {"swiglu in two blocks",
     b_swiglu_bare,
     5,
     {{1029, 2}, {3, 2}, {3, 2}, {2, 3}, {1029, 2}},
     1,
     .keep = 14,
     .tol = 4e-3},
    {"matmul", b_matmul, 2, {{5, 3}, {3, 7}}},
    {"matmul of itself", b_matmul_twice, 1, {{5, 5}}},
    {"rmsnorm", b_rmsnorm, 2, {{5, 7}, {1, 7}}, .keep = 2},
    {"rmsnorm without weight", b_rmsnorm_bare, 1, {{5, 7}}},
    {"layernorm", b_layernorm, 3, {{5, 7}, {1, 7}, {1, 7}}, .keep = 6},
    {"layernorm without weight", b_layernorm_bare, 1, {{3, 9}}},
    {"softmax", b_softmax, 1, {{5, 7}}},
    {"attention", b_attention, 1, {{13, 24}}},
    {"attention causal", b_attention_causal, 1, {{13, 24}}},
    {"attention rotary half", b_attention_half, 1, {{13, 24}}},
    {"attention rotary interleaved causal", b_attention_interleaved, 1, {{13, 24}}},
    {"attention shared", b_attention_shared, 1, {{13, 18}}},
    {"silu", b_act_silu, 1, {{5, 3, -3, 3}}},
    {"gelu", b_act_gelu, 1, {{5, 3, -3, 3}}},
    {"relu", b_act_relu, 1, {{5, 3}}, .fill = away_from_zero},
    {"leaky relu", b_act_leaky, 1, {{5, 3}}, .fill = away_from_zero},
    {"tanh", b_act_tanh, 1, {{5, 3, -2, 2}}},
    {"sigmoid", b_act_sigmoid, 1, {{5, 3, -3, 3}}},
    {"softplus", b_act_softplus, 1, {{5, 3, -3, 3}}},
    {"add_scaled", b_add, 2, {{5, 3}, {5, 3}}},
    {"add_scaled twice", b_add_twice, 1, {{5, 3}}},
    {"concat_cols", b_concat_cols, 2, {{5, 3}, {5, 1}}},
    {"concat_rows", b_concat_rows, 2, {{5, 3}, {1, 3}}},
    {"dropout", b_dropout, 1, {{5, 7}}, 1},
    {"gather_sum", b_gather_sum, 2, {{5, 3}, {3, 3}}},
    {"gather", b_gather, 1, {{5, 3}}},
    {"soft_bins", b_soft_bins, 2, {{5, 3}, {7, 3}}},
    {"attention_pool", b_pool, 2, {{5, 1}, {5, 3}}},
    {"topk_gate", b_gate, 1, {{5, 7}}, .fill = apart},
    {"topk_gate all", b_gate_all, 1, {{5, 7}}},
    {"factor_mix", b_mix, 3, {{3, 5}, {9, 5}, {9, 2}}},
    {"latent_sample", b_latent, 1, {{5, 2}}},
    {"kl_normal", b_kl, 1, {{5, 2}}},
    {"zi_normal_nll", b_zin, 1, {{5, 3}}},
    {"prior_loss", b_prior_all, 2, {{3, 3, 0.1f, 0.5f}, {9, 3, 0.1f, 0.5f}}},
    {"prior_loss of the strongest", b_prior_top, 2, {{3, 3}, {9, 3}}, .fill = ladder, .step = 0.004, .tol = 8e-3},
    {"dag_loss", b_dag, 2, {{3, 3, 0.3f, 1}, {9, 3, 0.3f, 1}}, .fill = signs},
    {"sparsity_loss", b_sparsity, 2, {{3, 3}, {9, 3}}},
    {"cross_entropy", b_cross_entropy, 1, {{5, 7}}},
    {"soft_cross_entropy", b_soft_cross_entropy, 1, {{5, 7}}},
    {"bce", b_bce, 1, {{2, 3}}},
#define FLOW_IN(n) {n, 5}, {4, 5}, {1, 4}, {3, 4}, {1, 3}, {5, 3}, {1, 5}
    {"flow, Euler", b_flow_euler, 9, {FLOW_IN(3), {1, 1, 0.4f, 1}, {3, 5, 0, 1}}, .keep = 126},
    {"flow, Runge-Kutta", b_flow_rk4, 9, {FLOW_IN(3), {3, 1, 0.4f, 1}, {3, 5, 0, 1}}, .keep = 126},
    {"flow of three tiles", b_flow_euler, 9, {FLOW_IN(67), {67, 1, 0.4f, 1}, {67, 5, 0, 1}}, .keep = 126, .tol = 4e-3},
    {"flow back", b_flow_back, 8, {FLOW_IN(3), {1, 1, 0.4f, 1}}, .keep = 126},
    {"flow without duration", b_flow_plain, 7, {FLOW_IN(2)}, .keep = 126},
    {"flow without biases", b_flow_bare, 5, {{2, 5}, {4, 5}, {3, 4}, {5, 3}, {1, 1, 0.4f, 1}}, .keep = 14},
    {"flow with a frozen field",
     b_flow_euler,
     9,
     {{3, 5}, {4, 5, 0, 0, 1}, {1, 4, 0, 0, 1}, {3, 4, 0, 0, 1}, {1, 3, 0, 0, 1}, {5, 3, 0, 0, 1}, {1, 5, 0, 0, 1},
      {1, 1, 0.4f, 1}, {3, 5, 0, 1}},
     .keep = 126},
    {"flow path", b_flow_path, 7, {FLOW_IN(3)}, .keep = 126},
    {"flow path, Euler, back", b_flow_path_euler, 7, {FLOW_IN(33)}, .keep = 126, .tol = 4e-3},
    {"flow_share", b_flow_share, 1, {{3, 5}}, .fill = readings, .step = 0.002, .tol = 4e-3},
    {"sliced_w2", b_sliced, 2, {{5, 3}, {5, 3, 0, 0, 1}}, .fill = in_order},
    {"sliced_w2, both", b_sliced, 2, {{5, 3}, {5, 3}}, .fill = five_in_order},
    {"sliced_w2, both, more y", b_sliced, 2, {{5, 3}, {8, 3}}, .fill = eight_in_order},
    {"sliced_w2, more y", b_sliced, 2, {{5, 3}, {8, 3, 0, 0, 1}}, .fill = in_order},
    {"sliced_w2, fewer y", b_sliced, 2, {{5, 3}, {3, 3, 0, 0, 1}}, .fill = in_order},
    {"sliced_w2, one y", b_sliced, 2, {{5, 3}, {1, 3, 0, 0, 1}}, .fill = in_order},
    {"sliced_w2, one x", b_sliced, 2, {{1, 3}, {4, 3, 0, 0, 1}}},
    {"spectral_norm", b_spectral, 1, {{3, 4}}, .fill = far_norm},
    {"info_nce, both", b_info_nce, 2, {{5, 3}, {5, 3}}},
    {"info_nce of a constant", b_info_nce, 2, {{5, 3, 0, 0, 1}, {5, 3}}},
    {"info_nce", b_info_nce, 2, {{5, 3}, {5, 3, 0, 0, 1}}},
    {"gene_readout",
     b_readout,
     7,
     {{24, 3, 0.2f, 0.5f}, {3, 4, 0.5f, 1}, {4, 3, 0.1f, 0.4f}, {1, 4, 0.1f, 0.2f}, {5, 4}, {1, 5}, {3, 5}},
     .fill = readings_6,
     .step = 0.004,
     .tol = 4e-3},
    {"gene_readout, half of the layer at rest",
     b_readout_bare,
     5,
     {{24, 3, 0.2f, 0.5f}, {3, 4, 3, 4}, {4, 3, 0.1f, 0.4f}, {5, 4}, {3, 5}},
     .fill = readings_at_rest,
     .step = 0.004,
     .tol = 4e-3},
    {"gene_readout of a wide layer",
     b_readout_bare,
     5,
     {{24, 3, 0.2f, 0.5f}, {3, 37, 0.5f, 1}, {37, 3, 0.1f, 0.4f}, {5, 37}, {3, 5}},
     .fill = readings_4,
     .step = 0.004,
     .tol = 4e-3},
    {"token_readout", b_tokens, 6, {{11, 12}, {11, 12}, {5, 4}, {1, 4}, {5, 4}, {11, 5}}, .tol = 4e-3},
    {"token_readout, frozen query",
     b_tokens,
     6,
     {{2, 12}, {2, 12}, {5, 4, 0, 0, 1}, {1, 4}, {5, 4, 0, 0, 1}, {2, 5}}},
    {"affine", b_affine, 1, {{5, 3}}},
    {"mean_squared", b_squared, 2, {{5, 3}, {5, 3}}},
    {"mean_squared of one's own", b_squared_self, 1, {{5, 3}}},
    {"mean_absolute", b_absolute, 1, {{5, 3}}, .fill = away_from_zero},
    {"lower_median", b_median, 1, {{5, 3}}, .fill = spread},
    {"lower_median of rows", b_median_rows, 1, {{3, 5}}, .fill = spread},
    {"a chain with dropped parts", b_chain, 6, {{5, 3}, {1, 3}, {4, 6}, {3, 4}, {1, 3}, {3, 2}},
     .keep = 62},
};
/* operations that are refused on other devices, as they come */
#define HOST_ONLY "flow, flow_share, sliced_w2, spectral_norm, gene_readout, token_readout, lower_median"
#define CASES ((int)(sizeof cases / sizeof *cases))

/* ---- the leaves of a case ---- */

enum { PLAIN, VIEWS, DROPPED };

typedef struct {
    cw_tensor leaf[MAX_IN];
    float *value[MAX_IN], *grad[MAX_IN]; /* of the input itself, inside the leaf */
    int64_t count[MAX_IN];
} leaves;

/* In VIEWS the input is rows 2.. of a leaf that is 3 rows taller. */
static void new_leaves(leaves *l, const op_case *c, int mode)
{
    float *data[MAX_IN];
    for (int i = 0; i < c->inputs; i++) {
        in_spec s = c->in[i];
        int64_t extra = mode == VIEWS ? 3 : 0, n = (s.rows + extra) * s.cols;
        l->leaf[i] = (cw_tensor){.ndim = 2, .dim = {s.rows + extra, s.cols}, .needs_grad = !s.constant};
        l->leaf[i].data = calloc((size_t)n, sizeof(float));
        l->leaf[i].grad = s.constant ? NULL : calloc((size_t)n, sizeof(float));
        l->count[i] = s.rows * s.cols;
        l->value[i] = data[i] = cw_f32(&l->leaf[i]) + (extra ? 2 * s.cols : 0);
        l->grad[i] = s.constant ? NULL : l->leaf[i].grad + (extra ? 2 * s.cols : 0);
        if (s.low == 0 && s.high == 0) s.low = -1, s.high = 1;
        cw_rng_fill_uniform(data[i], l->count[i], cw_rng_stream(KEY, CW_RNG_USER, (uint64_t)i, 1), s.low, s.high);
    }
    if (c->fill) c->fill(data);
}

static void free_leaves(leaves *l, const op_case *c)
{
    for (int i = 0; i < c->inputs; i++) free(cw_f32(&l->leaf[i])), free(l->leaf[i].grad);
}

/* Runs the case once; the output belongs to the tape. */
static cw_tensor *forward(cw_tape *t, const op_case *c, leaves *l, int mode, int recording)
{
    cw_tape_reset(t, recording, c->training, KEY, 3);
    cw_arena_sentinels(t->memory, 1);
    cw_tensor *x[MAX_IN] = {0};
    for (int i = 0; i < c->inputs; i++) {
        x[i] = &l->leaf[i];
        if (mode == VIEWS) {
            in_spec s = c->in[i];
            cw_tensor *flat = cw_tape_reshape(t, x[i], 1, (s.rows + 3) * s.cols); /* views of views of views */
            cw_tensor *back = cw_tape_reshape(t, flat, s.rows + 3, s.cols);
            x[i] = cw_tape_rows(t, back, 2, s.rows);
        }
        if (mode == DROPPED && !(c->keep >> i & 1)) x[i] = cw_concat_cols(t, 1, (cw_tensor *[]){x[i]});
    }
    cw_tensor *y = c->build(t, x);
    for (int i = 0; mode == DROPPED && recording && i < c->inputs; i++)
        if (!(c->keep >> i & 1)) cw_tape_drop(t, x[i]);
    return y;
}

/* A random linear functional of the output: its value in double. */
static double functional(const cw_tensor *y, const float *r)
{
    double sum = 0;
    for (int64_t i = 0; i < cw_count(y); i++) sum += (double)r[i] * cw_f32(y)[i];
    return sum;
}

/* Gradient of the functional into the leaves. */
static cw_status backward(cw_tape *t, cw_tensor *y, const float *r)
{
    int64_t n = y ? cw_count(y) : 0;
    cw_tensor *loss = y ? cw_matmul(t, cw_tape_reshape(t, y, 1, n), cw_tape_constant(t, r, n, 1)) : NULL;
    const float one = 1.0f;
    return cw_tape_backward(t, 1, &loss, &one);
}

static double difference(cw_tape *t, const op_case *c, leaves *l, float *at, double h, const float *r)
{
    static const double place[] = {1, -1, 2, -2}, weight[] = {8, -8, -1, 1};
    float before = *at;
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        *at = (float)(before + place[i] * h);
        sum += weight[i] * functional(forward(t, c, l, PLAIN, 0), r);
    }
    *at = before;
    return sum / (12.0 * h);
}

static void check_differences(cw_tape *t, const op_case *c, leaves *l, const float *r)
{
    double h = c->step > 0 ? c->step : 0.02, tol = c->tol > 0 ? c->tol : 2e-3;
    for (int i = 0; i < c->inputs; i++) {
        if (c->in[i].constant) continue;
        double worst = 0, largest = 0;
        int64_t stride = l->count[i] > 400 ? l->count[i] / 100 : 1; /* of a large input every so many */
        for (int64_t j = 0; j < l->count[i]; j++) largest = fmax(largest, fabs((double)l->grad[i][j]));
        for (int64_t j = l->count[i] - 1; j >= 0; j -= stride) {
            double e = fabs(difference(t, c, l, l->value[i] + j, h, r) - l->grad[i][j]);
            if (!(e <= worst)) worst = e;
        }
        CHECK(largest > 1e-3 && worst <= tol * fmax(largest, 0.05), "%s (%s), input %d: error %g, gradients up to %g",
              c->name, t->ctx->kernels->name, i, worst, largest);
    }
}

/* The same on memory that only kernels can touch: the bits of the table beneath, whose output and gradients are given. */
static void check_guarded(cw_ctx *ctx, cw_tape *t, const op_case *c, const float *r, const float *out, int64_t n,
                          const leaves *want)
{
    const cw_kernels *inner = ctx->kernels;
    float *now = malloc((size_t)n * sizeof *now);
    for (int mode = PLAIN; mode <= DROPPED && cw_kernels_guard(inner); mode++) {
        float *data[MAX_IN], *grad[MAX_IN];
        leaves l;
        new_leaves(&l, c, mode);
        ctx->kernels = cw_kernels_guard(inner);
        for (int i = 0; i < c->inputs; i++) guard_move(ctx, &l.leaf[i], data + i, grad + i);
        cw_tensor *y = forward(t, c, &l, mode, 1);
        int refused = !y && guard_was_refused(ctx);
        if (y) cw_device_guard.copy_out(ctx, now, cw_f32(y), n * (int64_t)sizeof *now);
        CHECK(refused || (y && backward(t, y, r) == CW_OK), "%s (guard): %s", c->name, ctx->text);
        for (int i = 0; i < c->inputs; i++) guard_move_back(ctx, &l.leaf[i], data[i], grad[i]);
        guard_check(c->name);
        ctx->kernels = inner;
        cw_ctx_clear(ctx);
        CHECK(!y || memcmp(now, out, (size_t)n * sizeof *now) == 0, "%s: other values on the guard device", c->name);
        for (int i = 0; y && mode == PLAIN && i < c->inputs; i++)
            CHECK(!l.grad[i] || memcmp(l.grad[i], want->grad[i], (size_t)l.count[i] * sizeof(float)) == 0,
                  "%s: another gradient of input %d on the guard device", c->name, i);
        free_leaves(&l, c);
    }
    free(now);
}

static void check_case(cw_ctx *ctx, cw_tape *t, const op_case *c)
{
    leaves l;
    new_leaves(&l, c, PLAIN);
    cw_tensor *y = forward(t, c, &l, PLAIN, 1);
    CHECK(y && ctx->status == CW_OK, "%s: %s", c->name, ctx->text);
    if (!y) {
        cw_ctx_clear(ctx);
        free_leaves(&l, c);
        return;
    }
    int64_t n = cw_count(y);
    float *r = malloc((size_t)n * sizeof *r), *out = malloc((size_t)n * sizeof *out);
    cw_rng_fill_uniform(r, n, cw_rng_stream(KEY, CW_RNG_USER, 9, 9), 0.5f, 1.5f);
    for (int64_t i = 0; i < n; i += 2) r[i] = -r[i];
    memcpy(out, cw_f32(y), (size_t)n * sizeof *out);
    CHECK(backward(t, y, r) == CW_OK, "%s: %s", c->name, ctx->text);
    check_guarded(ctx, t, c, r, out, n, &l);
    check_differences(t, c, &l, r);

    /* what inference computes is what recording computes; inputs that aren't the tape's own stay as they are */
    float *before = malloc((size_t)l.count[0] * sizeof *before);
    memcpy(before, l.value[0], (size_t)l.count[0] * sizeof *before);
    y = forward(t, c, &l, PLAIN, 0);
    CHECK(y && memcmp(out, cw_f32(y), (size_t)n * sizeof *out) == 0, "%s: inference differs from recording", c->name);
    CHECK(memcmp(before, l.value[0], (size_t)l.count[0] * sizeof *before) == 0, "%s: an input was changed", c->name);
    free(before);

    for (int mode = VIEWS; mode <= DROPPED; mode++) {
        leaves other;
        new_leaves(&other, c, mode);
        y = forward(t, c, &other, mode, 1);
        int same = y && memcmp(out, cw_f32(y), (size_t)n * sizeof *out) == 0;
        CHECK(same, "%s: other values with %s", c->name, mode == VIEWS ? "views" : "dropped inputs");
        CHECK(backward(t, y, r) == CW_OK, "%s: %s", c->name, ctx->text);
        double worst = 0, outside = 0;
        for (int i = 0; i < c->inputs; i++) {
            for (int64_t j = 0; l.grad[i] && j < l.count[i]; j++) {
                double e = fabs((double)other.grad[i][j] - l.grad[i][j]) / (1e-5 + fabs((double)l.grad[i][j]));
                if (!(e <= worst)) worst = e;
            }
            for (int64_t j = 0; mode == VIEWS && l.grad[i] && j < 3 * c->in[i].cols;
                 j++) { /* the rows around the view */
                int64_t at = j < 2 * c->in[i].cols ? j : j + l.count[i];
                outside = fmax(outside, fabs((double)other.leaf[i].grad[at]));
            }
        }
        CHECK(worst < 1e-4 && outside == 0, "%s: gradients through %s are off by %g, %g outside", c->name,
              mode == VIEWS ? "views" : "dropped inputs", worst, outside);
        free_leaves(&other, c);
    }

    /* gradients are added: a second backward doubles them */
    float first = l.grad[0] ? l.grad[0][0] : 0.0f;
    backward(t, forward(t, c, &l, PLAIN, 1), r);
    CHECK(!l.grad[0] || fabsf(l.grad[0][0] - 2 * first) <= 1e-5f * (1 + fabsf(first)), "%s: gradients must add up",
          c->name);

    /* on a failed context nothing is done, whatever the arguments */
    cw_fail(ctx, CW_ERR_STATE, "already failed");
    cw_tensor *none[MAX_IN] = {0};
    CHECK(c->build(t, none) == NULL && strcmp(ctx->text, "already failed") == 0, "%s on a failed context", c->name);
    cw_ctx_clear(ctx);
    free(r), free(out);
    free_leaves(&l, c);
}

static void test_gradients(const char *kernels, int threads)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(kernels);
    ctx->threads = threads;
    cw_tape *t = cw_tape_new(ctx);
    for (int i = 0; i < CASES; i++) check_case(ctx, t, &cases[i]);
    cw_tape_free(t);
    CHECK(ctx->memory.bytes == 0, "%lld bytes are still held", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

/* ---- refusals ---- */

static cw_ctx *ctx;
static cw_tape *tape;

/* An uninitialised (r, c) matrix of the tape, zeroed. */
static cw_tensor *zeros(int64_t r, int64_t c)
{
    cw_tensor *x = cw_tape_matrix(tape, r, c);
    if (x) memset(cw_f32(x), 0, (size_t)(r * c) * sizeof(float));
    return x;
}

#define REFUSED(expression, kind, word)                                                                                \
    do {                                                                                                               \
        cw_tape_reset(tape, 1, 1, KEY, 0);                                                                             \
        cw_tensor *refused_ = (expression);                                                                            \
        CHECK(!refused_ && ctx->status == (kind) && strstr(ctx->text, word), "%s: %s, '%s'", #expression,              \
              cw_status_name(ctx->status), ctx->text);                                                                 \
        cw_ctx_clear(ctx);                                                                                             \
    } while (0)

static cw_swiglu_params ffn(int64_t gate, int64_t up, int64_t down, int64_t bias)
{
    return (cw_swiglu_params){zeros(4, gate), zeros(1, bias), zeros(4, up), zeros(1, 4), zeros(down, 4), zeros(1, 3)};
}

static void test_refusals(void)
{
    ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(NULL);
    tape = cw_tape_new(ctx);
    cw_attention_spec two_heads = {2, 0, CW_ROTARY_NONE, 0, NULL, {4, seq_start}};
    cw_attention_spec turned = {2, 0, CW_ROTARY_HALF, 100, seq_position, {4, seq_start, NULL}};
    static const int32_t beyond[] = {0, 5, 1, 1, 1, 1, 1};
    cw_factor_rows f = factor_rows();
    cw_prior_spec p = {{4, pairs}, gene_token, 0, 5, 0.1f};
#define SHAPE(expression, word) REFUSED(expression, CW_ERR_SHAPE, word)
    SHAPE(cw_linear(tape, zeros(5, 3), zeros(7, 4), NULL, CW_ACT_NONE), "linear");
    SHAPE(cw_linear(tape, zeros(5, 3), zeros(7, 3), zeros(1, 6), CW_ACT_SILU), "linear");
    SHAPE(cw_linear_residual(tape, zeros(5, 3), zeros(7, 3), NULL, zeros(5, 6)), "linear");
    SHAPE(cw_swiglu_residual(tape, zeros(5, 3), ffn(2, 3, 3, 4), 0, zeros(5, 3)), "swiglu");
    SHAPE(cw_swiglu_residual(tape, zeros(5, 3), ffn(3, 2, 3, 4), 0, zeros(5, 3)), "swiglu");
    SHAPE(cw_swiglu_residual(tape, zeros(5, 3), ffn(3, 3, 2, 4), 0, zeros(5, 3)), "swiglu");
    SHAPE(cw_swiglu_residual(tape, zeros(5, 3), ffn(3, 3, 3, 5), 0, zeros(5, 3)), "swiglu");
    SHAPE(cw_swiglu_residual(tape, zeros(5, 3), ffn(3, 3, 3, 4), 0, zeros(4, 3)), "swiglu");
    SHAPE(cw_matmul(tape, zeros(5, 3), zeros(4, 3)), "matmul");
    SHAPE(cw_rmsnorm(tape, zeros(5, 3), zeros(1, 4), 1e-6f), "rmsnorm");
    SHAPE(cw_layernorm(tape, zeros(5, 3), zeros(1, 4), NULL, 1e-6f), "layernorm");
    SHAPE(cw_layernorm(tape, zeros(5, 3), zeros(1, 3), zeros(1, 2), 1e-6f), "layernorm");
    SHAPE(cw_self_attention(tape, zeros(13, 25), two_heads), "attention");
    SHAPE(cw_self_attention(tape, zeros(13, 27), two_heads), "attention");
    SHAPE(cw_self_attention(tape, zeros(12, 24), two_heads), "attention");
    SHAPE(cw_self_attention(tape, zeros(13, 18), turned), "attention");
    SHAPE(cw_add_scaled(tape, zeros(5, 3), zeros(5, 2), 1), "add");
    SHAPE(cw_concat_cols(tape, 2, (cw_tensor *[]){zeros(5, 3), zeros(4, 3)}), "concat");
    SHAPE(cw_concat_rows(tape, 2, (cw_tensor *[]){zeros(5, 3), zeros(5, 2)}), "concat");
    SHAPE(cw_gather_sum(tape, 2, (cw_tensor *[]){zeros(5, 3), zeros(5, 2)}, ((const int32_t *[]){index_a, index_b}), 7),
          "gather");
    REFUSED(cw_gather(tape, zeros(5, 3), beyond, 7), CW_ERR_ARGUMENT, "gather");
    SHAPE(cw_soft_bins(tape, zeros(5, 3), zeros(7, 2), 1), "soft_bins");
    SHAPE(cw_attention_pool(tape, zeros(4, 1), zeros(5, 3), pool_index, ((cw_ragged){3, pool_start, NULL})),
          "attention_pool");
    SHAPE(cw_factor_mix(tape, zeros(3, 5), zeros(9, 4), zeros(9, 2), f), "factor_mix");
    SHAPE(cw_factor_mix(tape, zeros(3, 5), zeros(8, 5), zeros(8, 2), f), "factor_mix");
    SHAPE(cw_factor_mix(tape, zeros(4, 5), zeros(9, 5), zeros(9, 2), f), "factor_mix");
    SHAPE(cw_factor_mix(tape, zeros(3, 5), zeros(9, 5), zeros(8, 2), f), "factor_mix");
    SHAPE(cw_latent_sample(tape, zeros(5, 3), zeros(5, 1)), "latent_sample");
    SHAPE(cw_kl_normal(tape, zeros(5, 3), 2), "kl_normal");
    SHAPE(cw_zi_normal_nll(tape, zeros(5, 2), zeros(5, 1), 2), "zi_normal_nll");
    SHAPE(cw_prior_loss(tape, zeros(3, 5), zeros(9, 4), f, p), "prior_loss");
    SHAPE(cw_prior_loss(tape, zeros(2, 5), zeros(9, 5), f, p), "prior_loss");
    SHAPE(cw_dag_loss(tape, zeros(3, 5), zeros(9, 4), f), "dag_loss");
    SHAPE(cw_dag_loss(tape, zeros(3, 5), zeros(8, 5), f), "dag_loss");
    SHAPE(cw_sparsity_loss(tape, zeros(3, 5), zeros(9, 4), f), "sparsity_loss");
    SHAPE(cw_sparsity_loss(tape, zeros(4, 5), zeros(9, 5), f), "sparsity_loss");
    SHAPE(cw_tape_rows(tape, zeros(5, 3), 3, 3), "rows");
    SHAPE(cw_tape_rows(tape, zeros(5, 3), -1, 2), "rows");
    SHAPE(cw_tape_reshape(tape, zeros(5, 3), 4, 4), "15");
    REFUSED(cw_cross_entropy_loss(tape, zeros(5, 6), targets), CW_ERR_ARGUMENT, "cross_entropy");
    cw_tape_free(tape);
    CHECK(ctx->memory.bytes == 0, "%lld bytes are still held", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

/* ---- memory: what inference reuses, what a drop gives back ---- */

static void test_residual(const char *kernels)
{
    ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(kernels);
    tape = cw_tape_new(ctx);
    leaves l;
    const op_case *c = &cases[7]; /* linear_residual */
    CHECK(c->build == b_linear_residual, "the case has moved");
    new_leaves(&l, c, PLAIN);
    float want[35];
    memcpy(want, cw_f32(forward(tape, c, &l, PLAIN, 1)), sizeof want);
    for (int recording = 0; recording < 2; recording++) {
        cw_tape_reset(tape, recording, 0, KEY, 1);
        cw_tensor *r = cw_concat_cols(tape, 1, (cw_tensor *[]){&l.leaf[3]});
        float *memory = cw_f32(r);
        cw_tensor *y = cw_linear_residual(tape, &l.leaf[0], &l.leaf[1], &l.leaf[2], r);
        CHECK((cw_f32(y) == memory) == !recording, "inference, and only inference, takes the residual's memory");
        double worst = 0; /* in place the sum runs in another order */
        for (int i = 0; i < 35; i++) worst = fmax(worst, fabs((double)want[i] - cw_f32(y)[i]));
        CHECK(worst <= 1e-6, "linear_residual in its residual's memory is off by %g", worst);
        if (recording) CHECK(memcmp(cw_f32(r), l.value[3], sizeof want) == 0, "recording changed the residual");
    }
    /* the product's input is the residual too: its memory may not be taken before it was read */
    const op_case *own = &cases[8];
    CHECK(own->build == b_linear_own_residual, "the case has moved");
    leaves m;
    new_leaves(&m, own, PLAIN);
    memcpy(want, cw_f32(forward(tape, own, &m, PLAIN, 1)), sizeof want);
    cw_tape_reset(tape, 0, 0, KEY, 1);
    cw_tensor *x = cw_concat_cols(tape, 1, (cw_tensor *[]){&m.leaf[0]});
    cw_tensor *y = cw_linear_residual(tape, x, &m.leaf[1], NULL, x);
    CHECK(memcmp(want, cw_f32(y), sizeof want) == 0, "linear_residual(x, w, x) in inference");
    /* inference: a drop gives memory back, which the next takes; recording keeps what can't be computed again */
    cw_tape_reset(tape, 0, 0, KEY, 1);
    cw_tensor *a = zeros(500, 7);
    float *memory = cw_f32(a);
    cw_tape_drop(tape, a);
    CHECK(cw_f32(a) == NULL && cw_f32(zeros(500, 7)) == memory, "a drop in inference gives memory back");
    cw_tape_reset(tape, 1, 0, KEY, 1);
    cw_tensor *kept = cw_linear(tape, &l.leaf[0], &l.leaf[1], NULL, CW_ACT_NONE),
              *gone = cw_rmsnorm(tape, kept, NULL, 1e-6f);
    cw_tape_drop(tape, kept), cw_tape_drop(tape, gone), cw_tape_drop(tape, NULL), cw_tape_drop(tape, &l.leaf[0]);
    CHECK(cw_f32(kept) && !cw_f32(gone) && cw_f32(&l.leaf[0]), "recording keeps what can't be computed again, and parameters");
    free_leaves(&l, c), free_leaves(&m, own);
    cw_tape_free(tape);
    cw_ctx_free(ctx);
}

/* ---- several losses, weights, absent ones ---- */

static void test_losses(void)
{
    ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select("ref");
    tape = cw_tape_new(ctx);
    float value[] = {3, 4}, grad[] = {0, 0}, one[] = {1, 1};
    cw_tensor x = {.ndim = 2, .dim = {1, 2}, .data = value, .grad = grad, .needs_grad = 1};
    cw_tape_reset(tape, 1, 0, KEY, 0);
    cw_tensor *sum = cw_matmul(tape, &x, cw_tape_constant(tape, one, 2, 1));
    cw_tensor *square = cw_matmul(tape, &x, cw_tape_reshape(tape, &x, 2, 1));
    cw_tensor *loss[] = {sum, NULL, square, sum};
    CHECK(cw_tape_scalar(square) == 25 && isnan(cw_tape_scalar(NULL)), "scalars");
    cw_tape_backward(tape, 4, loss, (float[]){2, 9, 0.5f, 1});
    CHECK(grad[0] == 3 + 3 && grad[1] == 3 + 4, "2 dsum + dsquare / 2 + dsum: %g %g", grad[0], grad[1]);
    cw_tape_backward(tape, 0, NULL, NULL);
    CHECK(grad[0] == 6 && ctx->status == CW_OK, "a tape that is spent does nothing");
    cw_tape_free(tape);
    cw_ctx_free(ctx);
}

int main(void)
{
    test_gradients("ref", 1);
    test_gradients("cpu", 1);
    test_gradients("cpu", 3);
    test_refusals();
    test_residual("ref");
    test_residual("cpu");
    test_losses();
    printf("host only: %s\n", guard_refused);
    CHECK(strcmp(guard_refused, cw_kernels_guard(&cw_kernels_cpu) ? HOST_ONLY : "") == 0, "host only: %s",
          guard_refused);
    CHECK(cw_guard_held() == 0, "%lld bytes of the guard device are still held", (long long)cw_guard_held());
    return test_end();
}
