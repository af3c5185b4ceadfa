/* test_ops_graph.c: sparse products, graphs from edges, batch norm with its buffers, capped rows. */
#include "nn/layer_graph.h"
#include "op_case.h"

/* 4 x 3: row 1 empty, column 2 met three times, one entry twice */
static const int32_t edge_target[] = {2, 0, 3, 2, 0, 3, 3}, edge_source[] = {0, 2, 2, 1, 0, 2, 2};
static cw_graph_store *graph;
static float buffer_mean[300], buffer_var[300];

static cw_tensor buffer(float *data, int64_t d) { return (cw_tensor){.ndim = 1, .dim = {d}, .data = data}; }

static const float times[8] = {1, 3, 0, 2, 5, 1, 1, 4};

static cw_tensor *normed(cw_tape *t, cw_tensor *x, cw_tensor *w, cw_tensor *b, const float *counts)
{
    /* buffers that training writes are put back, so that all runs of a case see the same */
    int64_t d = x ? cw_cols(x) : 1;
    for (int64_t j = 0; j < d; j++)
        buffer_mean[j] = 0.1f * (float)(j % 5), buffer_var[j] = 0.5f + 0.2f * (float)(j % 3);
    cw_tensor *mean = cw_tape_matrix(t, 1, d), *var = cw_tape_matrix(t, 1, d);
    if (!mean || !var) return NULL;
    int64_t bytes = d * (int64_t)sizeof(float);
    t->k->device->copy_in(t->ctx, mean->data, buffer_mean, bytes);
    t->k->device->copy_in(t->ctx, var->data, buffer_var, bytes);
    return cw_batch_norm(t, x, (cw_batch_norm_params){w, b, mean, var, 1e-3f, 0.1f, counts});
}

#define BUILD(name, expression)                                                                                        \
    static cw_tensor *name(cw_tape *t, cw_tensor *const *x) { return expression; }
BUILD(b_graph, cw_graph_product(t, &graph->graph, x[0], x[1], 1))
BUILD(b_graph_blocks, cw_graph_product(t, &graph->graph, x[0], x[1], 3))
BUILD(b_layer, cw_layer_graph(t, graph, x[0], x[1], x[2], 2))
BUILD(b_norm, normed(t, x[0], x[1], x[2], NULL))
BUILD(b_norm_bare, normed(t, x[0], NULL, NULL, NULL))
BUILD(b_norm_counted, normed(t, x[0], x[1], x[2], times))

static const op_case cases[] = {
    {"graph product", b_graph, 2, {{7, 1}, {3, 5}}},
    {"graph product, blocks", b_graph_blocks, 2, {{7, 1}, {9, 1}}},
    {"graph product, constant values", b_graph_blocks, 2, {{7, 1, 0, 0, 1}, {9, 17}}},
    {"graph product of a constant", b_graph_blocks, 2, {{7, 1}, {9, 17, 0, 0, 1}}},
    {"graph layer", b_layer, 3, {{6, 5}, {2, 5}, {1, 2}}, .keep = 6},
    {"batch norm", b_norm, 3, {{7, 5}, {1, 5}, {1, 5}}, .training = 1},
    {"batch norm of two rows", b_norm, 3, {{2, 3, 0.5f, 3}, {1, 3}, {1, 3}}, .training = 1, .flat = 1, .tol = 4e-3},
    {"batch norm, wide", b_norm, 3, {{5, 283}, {1, 283}, {1, 283}}, .training = 1, .tol = 4e-3},
    {"batch norm, tall", b_norm_bare, 1, {{131, 1}}, .training = 1},
    {"batch norm, counted", b_norm_counted, 3, {{8, 5}, {1, 5}, {1, 5}}, .training = 1},
    {"batch norm, counted, wide", b_norm_counted, 3, {{5, 283}, {1, 283}, {1, 283}}, .training = 1, .tol = 4e-3},
    {"batch norm, counted, evaluation", b_norm_counted, 3, {{7, 5}, {1, 5}, {1, 5}}},
    {"batch norm, evaluation", b_norm, 3, {{7, 5}, {1, 5}, {1, 5}}},
    {"batch norm, evaluation of one row", b_norm_bare, 1, {{1, 5}}},
};

static void test_graph(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(NULL);
    graph = cw_graph_new(ctx, 4, 3, 7, edge_target, edge_source, NULL);
    CHECK(graph && graph->graph.by_row.start[2] == 2 && graph->graph.by_column.start[3] == 7, "%s", ctx->text);
    check_op_cases(cases, (int)(sizeof cases / sizeof *cases));
    cw_graph_free(ctx, graph);

    /* 0 <- 1 (2), 1 <- 0 (1), a loop at 1 of 3 (after one of 5); 2 alone */
    static const int32_t target[] = {0, 1, 1, 1}, source[] = {1, 1, 0, 1};
    static const float weight[] = {2, 5, 1, 3};
    cw_graph_store *g = cw_graph_new_normalised(ctx, 3, 4, target, source, weight);
    CHECK(g && g->graph.entries == 5, "%s", ctx->text);
    /* degrees: 2 + 1, 1 + 3, 1 */
    for (int64_t i = 0; g && i < 3; i++)
        for (int64_t e = g->start[0][i]; e < g->start[0][i + 1]; e++) {
            static const double degree[] = {3, 4, 1}, raw[3][3] = {{1, 2, 0}, {1, 3, 0}, {0, 0, 1}};
            int64_t j = g->index[0][e];
            CHECK(fabs(g->weight[e] - raw[i][j] / sqrt(degree[i] * degree[j])) < 1e-6, "%lld <- %lld: %g", (long long)i,
                  (long long)j, (double)g->weight[e]);
        }
    cw_graph_free(ctx, g);
    static const int32_t beyond[] = {0, 3, 1, 1};
    CHECK(!cw_graph_new_normalised(ctx, 3, 4, beyond, source, weight) && ctx->status == CW_ERR_ARGUMENT, "%s",
          ctx->text);
    cw_ctx_clear(ctx);
    for (int call = 0; call < 12; call++) { /* every allocation fails once */
        ctx->fail_at = ctx->memory.calls + call;
        g = cw_graph_new_normalised(ctx, 3, 4, target, source, weight);
        CHECK(g ? ctx->status == CW_OK : ctx->status == CW_ERR_MEMORY, "allocation %d: %s", call, ctx->text);
        cw_graph_free(ctx, g);
        ctx->fail_at = -1;
        cw_ctx_clear(ctx);
        CHECK(ctx->memory.bytes == 0, "%lld bytes are still held", (long long)ctx->memory.bytes);
    }
    cw_ctx_free(ctx);
}

/* The buffers as PyTorch updates them: momentum, and the unbiased variance. */
static void test_buffers(const char *kernels)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(kernels);
    cw_tape *t = cw_tape_new(ctx);
    float x[] = {1, 10, 2, 30, 6, 20}, mean[] = {1, -1}, var[] = {2, 4};
    cw_tensor m = buffer(mean, 2), v = buffer(var, 2);
    cw_batch_norm_params p = {NULL, NULL, &m, &v, 0.0f, 0.1f, NULL};
    cw_tape_reset(t, 0, 1, OP_KEY, 0);
    const float *y = cw_tape_data(t, cw_batch_norm(t, cw_tape_constant(t, x, 3, 2), p));
    CHECK(fabsf(mean[0] - (0.9f + 0.3f)) < 1e-6f && fabsf(mean[1] - (-0.9f + 2)) < 1e-6f, "means %g %g", mean[0],
          mean[1]);
    CHECK(fabsf(var[0] - (1.8f + 0.7f)) < 1e-5f && fabsf(var[1] - (3.6f + 10)) < 1e-5f, "variances %g %g", var[0],
          var[1]);
    CHECK(y && fabs(y[0] + 2 / sqrt(14.0 / 3)) < 1e-6 && fabs(y[3] - 10 / sqrt(200.0 / 3)) < 1e-6, "%s", ctx->text);
    cw_tape_reset(t, 0, 0, OP_KEY, 0);
    float before = mean[0];
    y = cw_tape_data(t, cw_batch_norm(t, cw_tape_constant(t, x, 3, 2), p));
    CHECK(y && fabs(y[0] - (1 - mean[0]) / sqrt(var[0])) < 1e-6 && mean[0] == before, "evaluation changes nothing");
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

/* A norm in a segment, which runs twice, or whose output is dropped, moves its buffers once and has the gradient it has
 * otherwise. */
static cw_tensor *norm_alone(cw_tape *t, void *user, cw_tensor *const *in)
{
    return cw_batch_norm(t, in[0], *(cw_batch_norm_params *)user);
}

static void test_segment(const char *kernels)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(kernels);
    cw_tape *t = cw_tape_new(ctx);
    float x[] = {1, 10, 2, 30, 6, 20}, grad[3][6] = {{0}}, mean[3][2] = {{1, -1}, {1, -1}, {1, -1}};
    float var[3][2] = {{2, 4}, {2, 4}, {2, 4}}, weight[] = {0.3f, -1, 2, 0.5f, 1, 0.7f};
    const float one = 1.0f;
    const cw_function square = {CW_FN_SQUARE, 1.0f};
    for (int how = 0; how < 3; how++) {
        cw_tensor m = buffer(mean[how], 2), v = buffer(var[how], 2);
        cw_tensor leaf = {.ndim = 2, .dim = {3, 2}, .data = x, .grad = grad[how], .needs_grad = 1}, *in = &leaf;
        cw_batch_norm_params p = {NULL, NULL, &m, &v, 1e-5f, 0.1f, NULL};
        cw_tape_reset(t, 1, 1, OP_KEY, 0);
        cw_tensor *y = how == 1 ? cw_tape_segment(t, norm_alone, &p, 1, &in) : cw_batch_norm(t, in, p);
        cw_tensor *z = cw_apply(t, y, square);
        if (how == 2) cw_tape_drop(t, y);
        CHECK(how < 2 || !y->data, "the norm's output stays");
        cw_tensor *loss = cw_matmul(t, cw_tape_reshape(t, z, 1, 6), cw_tape_constant(t, weight, 6, 1));
        CHECK(cw_tape_backward(t, 1, &loss, &one) == CW_OK, "%s", ctx->text);
    }
    for (int how = 1; how < 3; how++) {
        CHECK(memcmp(mean[0], mean[how], sizeof *mean) == 0 && memcmp(var[0], var[how], sizeof *var) == 0,
              "%s: means %g and %g", kernels, mean[0][0], mean[how][0]);
        CHECK(memcmp(grad[0], grad[how], sizeof *grad) == 0 && grad[0][0] != 0, "%s: gradients %g and %g", kernels,
              grad[0][0], grad[how][0]);
    }
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

/* Rows that count several times are as good as their copies: outputs, buffers, and gradients, which are sums over them. */
static void test_counted(const char *kernels)
{
    enum { D = 2, FEW = 3, MANY = 6 };
    static const float x[FEW * D] = {1, 10, 2, 30, 6, 20}, count[FEW] = {1, 3, 2};
    static const int32_t of[MANY] = {0, 1, 1, 1, 2, 2};
    float weight[MANY * D], grad[2][FEW * D] = {{0}}, slope[2][D] = {{0}}, mean[2][D] = {{1, -1}, {1, -1}};
    float var[2][D] = {{2, 4}, {2, 4}}, scale[D] = {0.7f, 1.5f};
    for (int i = 0; i < MANY * D; i++) weight[i] = (float)sin(i + 1);
    const float one = 1.0f;
    const cw_function square = {CW_FN_SQUARE, 1.0f};
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(kernels);
    cw_tape *t = cw_tape_new(ctx);
    for (int how = 0; how < 2; how++) { /* copies normed, or few rows normed and then copied */
        cw_tensor m = buffer(mean[how], D), v = buffer(var[how], D);
        cw_tensor leaf = {.ndim = 2, .dim = {FEW, D}, .data = (float *)(uintptr_t)x, .grad = grad[how], .needs_grad = 1};
        cw_tensor w = {.ndim = 1, .dim = {D}, .data = scale, .grad = slope[how], .needs_grad = 1};
        cw_batch_norm_params p = {&w, NULL, &m, &v, 1e-5f, 0.1f, how ? count : NULL};
        cw_tape_reset(t, 1, 1, OP_KEY, 0);
        cw_tensor *y = how ? cw_gather(t, cw_batch_norm(t, &leaf, p), of, MANY)
                           : cw_batch_norm(t, cw_gather(t, &leaf, of, MANY), p);
        cw_tensor *z = cw_apply(t, y, square);
        cw_tensor *loss = cw_matmul(t, cw_tape_reshape(t, z, 1, MANY * D), cw_tape_constant(t, weight, MANY * D, 1));
        CHECK(cw_tape_backward(t, 1, &loss, &one) == CW_OK, "%s", ctx->text);
    }
    for (int j = 0; j < D; j++) {
        CHECK(fabsf(mean[0][j] - mean[1][j]) < 1e-5f && fabsf(var[0][j] - var[1][j]) < 1e-4f, "%s: buffers %g %g, %g %g",
              kernels, mean[0][j], mean[1][j], var[0][j], var[1][j]);
        CHECK(fabsf(slope[0][j] - slope[1][j]) < 1e-5f && slope[0][j] != 0, "%s: %g, not %g", kernels, slope[1][j],
              slope[0][j]);
    }
    for (int i = 0; i < FEW * D; i++)
        CHECK(fabsf(grad[0][i] - grad[1][i]) < 2e-6f, "%s: gradient %d is %g, not %g", kernels, i, grad[1][i], grad[0][i]);
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

static void test_cap(const char *kernels)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(kernels);
    cw_tape *t = cw_tape_new(ctx);
    cw_tape_reset(t, 0, 0, OP_KEY, 0);
    float rows[] = {3, 4, 0.3f, 0.4f, 30, 40};
    cw_tensor table = {.ndim = 2, .dim = {3, 2}, .data = rows};
    static const int32_t index[] = {0, 1, 0};
    CHECK(cw_cap_rows(t, &table, index, 3, 1.0f) == &table, "%s", ctx->text);
    CHECK(fabsf(rows[0] - 0.6f) < 1e-6f && fabsf(rows[1] - 0.8f) < 1e-6f && rows[2] == 0.3f && rows[4] == 30,
          "only rows that were named, and only long ones");
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

static void test_refusals(void)
{
    refusals_begin();
    cw_tape *t = refusal_tape;
    cw_graph_store *g = cw_graph_new(refusal_ctx, 4, 3, 7, edge_target, edge_source, NULL);
    REFUSED(cw_graph_product(t, &g->graph, blank(6, 1), blank(3, 2), 1), CW_ERR_SHAPE, "graph_product");
    REFUSED(cw_graph_product(t, &g->graph, blank(7, 1), blank(7, 2), 2), CW_ERR_SHAPE, "graph_product");
    static const int32_t beyond[] = {3};
    REFUSED(cw_cap_rows(t, blank(3, 2), beyond, 1, 1.0f), CW_ERR_ARGUMENT, "cap_rows");
#define NORM(n, d, w, m)                                                                                               \
    cw_batch_norm(t, blank(n, d), (cw_batch_norm_params){blank(1, w), NULL, blank(1, m), blank(1, m), 0, 0, NULL})
    REFUSED(NORM(5, 3, 2, 3), CW_ERR_SHAPE, "weight");
    REFUSED(NORM(5, 3, 3, 2), CW_ERR_SHAPE, "mean");
    REFUSED(NORM(1, 3, 3, 3), CW_ERR_SHAPE, "at least 2 rows"); /* a refusal's tape is in training */
    cw_graph_free(refusal_ctx, g);
    refusals_end();
}

int main(void)
{
    test_graph();
    test_buffers("ref");
    test_buffers("cpu");
    test_segment("ref");
    test_segment("cpu");
    test_counted("ref");
    test_counted("cpu");
    test_cap("ref");
    test_cap("cpu");
    test_refusals();
    return test_end();
}
