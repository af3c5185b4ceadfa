/* test_tape.c: the tape itself: views, drops, segments that are computed again, first uses of parameters, limits, bf16
 * weights; and that the guard device sees what it is for. */
#include "guard_case.h"

#include <math.h>

static cw_ctx *ctx;
static cw_tape *tape;

static void begin(const cw_kernels *kernels)
{
    ctx = cw_ctx_new(NULL);
    ctx->kernels = kernels;
    tape = cw_tape_new(ctx);
}

static void end(void)
{
    cw_tape_free(tape);
    CHECK(ctx->memory.bytes == 0, "%lld bytes are still held", (long long)ctx->memory.bytes);
    CHECK(cw_guard_held() == 0, "%lld bytes of the guard device are still held", (long long)cw_guard_held());
    cw_ctx_free(ctx);
}

/* A parameter (r, c) with a gradient, of the device in force. */
static cw_tensor parameter(int64_t r, int64_t c, uint64_t number)
{
    const cw_device *d = ctx->kernels->device;
    int64_t bytes = r * c * (int64_t)sizeof(float);
    float *value = malloc((size_t)bytes);
    cw_rng_fill_uniform(value, r * c, cw_rng_stream(5, CW_RNG_USER, number, 0), -1, 1);
    cw_tensor p = {.ndim = 2, .dim = {r, c}, .needs_grad = 1, .device = d};
    p.data = d->take(ctx, bytes);
    p.grad = d->take(ctx, bytes);
    d->copy_in(ctx, p.data, value, bytes);
    d->fill(ctx, p.grad, 0, bytes);
    free(value);
    return p;
}

static void free_parameter(cw_tensor *p)
{
    p->device->give(ctx, p->data);
    p->device->give(ctx, p->grad);
}

/* Its gradient in host memory, and zero there from then on. */
static float *gradient(cw_tensor *p)
{
    int64_t bytes = cw_count(p) * (int64_t)sizeof(float);
    float *g = malloc((size_t)bytes);
    p->device->copy_out(ctx, g, p->grad, bytes);
    p->device->fill(ctx, p->grad, 0, bytes);
    return g;
}

/* ---- views ---- */

/* mean_squared(linear(reshape(rmsnorm(x)))): the norm's output is dropped while a view of it is needed by the backward. */
static void test_view_of_dropped(void)
{
    cw_tensor x = parameter(6, 8, 1), w = parameter(5, 16, 2), norm = parameter(1, 8, 3);
    float zero[15] = {0}, *g[2][2];
    for (int drop = 0; drop < 2; drop++) {
        cw_tape_reset(tape, 1, 0, 1, 1);
        cw_tensor *h = cw_rmsnorm(tape, &x, &norm, 1e-6f);
        cw_tensor *y = cw_linear(tape, cw_tape_reshape(tape, h, 3, 16), &w, NULL, CW_ACT_NONE);
        if (drop) {
            cw_tape_drop(tape, h);
            CHECK(!h->data, "a norm can be dropped");
            cw_tensor *other = cw_tape_matrix(tape, 6, 8); /* takes the memory and writes to it */
            if (other) tape->k->fill(&tape->exec, other->data, 1e3f, 48);
        }
        cw_tensor *loss = cw_mean_squared(tape, y, cw_tape_constant(tape, zero, 3, 5));
        const float one = 1;
        CHECK(cw_tape_backward(tape, 1, &loss, &one) == CW_OK, "%s", ctx->text);
        g[drop][0] = gradient(&w), g[drop][1] = gradient(&x);
    }
    CHECK(memcmp(g[0][0], g[1][0], 80 * sizeof(float)) == 0, "dw through a view of a dropped base");
    CHECK(memcmp(g[0][1], g[1][1], 48 * sizeof(float)) == 0, "dx through a view of a dropped base");

    /* in inference nothing can be computed again: that is said */
    cw_tape_reset(tape, 0, 0, 1, 1);
    cw_tensor *h = cw_rmsnorm(tape, &x, &norm, 1e-6f), *view = cw_tape_rows(tape, h, 1, 2);
    cw_tape_drop(tape, view);
    CHECK(h->data && view->data, "a view is not dropped");
    cw_tape_drop(tape, h);
    CHECK(!cw_activate(tape, view, CW_ACT_RELU) && ctx->status == CW_ERR_STATE && strstr(ctx->text, "dropped"), "%s",
          ctx->text);
    cw_ctx_clear(ctx);
    for (int i = 0; i < 4; i++) free(g[i / 2][i % 2]);
    free_parameter(&x), free_parameter(&w), free_parameter(&norm);
}

/* Rows gathered and added, functions of them, all dropped: made again one at a time, to the same bits. */
static void test_chain_of_dropped(void)
{
    cw_tensor x = parameter(6, 8, 1);
    static const int32_t index[] = {1, 5, 0, 3};
    const cw_function square = {CW_FN_SQUARE, 1.0f};
    const float one = 1;
    float *g[2];
    for (int drop = 0; drop < 2; drop++) {
        cw_tape_reset(tape, 1, 0, 1, 1);
        cw_tensor *a = cw_gather(tape, &x, index, 4), *b = cw_add_scaled(tape, a, a, 0.5f), *c = cw_apply(tape, b, square);
        cw_tensor *d = cw_apply(tape, c, square), *all[] = {a, b, c};
        for (int i = 0; i < 3 && drop; i++) cw_tape_drop(tape, all[i]);
        if (drop) {
            CHECK(!a->data && !b->data && !c->data, "not dropped");
            CHECK(cw_tape_data(tape, c) && !a->data && !b->data, "what is passed through stays");
        }
        cw_tensor *loss = cw_sum(tape, d, 1.0f);
        CHECK(cw_tape_backward(tape, 1, &loss, &one) == CW_OK, "%s", ctx->text);
        g[drop] = gradient(&x);
    }
    CHECK(memcmp(g[0], g[1], 48 * sizeof(float)) == 0, "the gradient is another");
    free(g[0]), free(g[1]), free_parameter(&x);
}

/* ---- segments ---- */

enum { ROWS = 64, WIDTH = 16, LAYERS = 20 };

typedef struct {
    cw_tensor *norm, *gate, *up, *down;
} layer;

static cw_tensor *block(cw_tape *t, void *user, cw_tensor *const *in)
{
    layer *l = user;
    cw_swiglu_params p = {l->gate, NULL, l->up, NULL, l->down, NULL};
    cw_tensor *h = cw_rmsnorm(t, in[0], l->norm, 1e-6f);
    cw_tensor *x = cw_swiglu_residual(t, h, p, 0.2f, in[0]);
    cw_tape_drop(t, h);
    return cw_dropout(t, cw_add_scaled(t, x, in[1], 0.5f), 0.1f);
}

/* Nested: two blocks, each a segment of its own. */
static cw_tensor *two_blocks(cw_tape *t, void *user, cw_tensor *const *in)
{
    layer *l = user;
    cw_tensor *h = cw_tape_segment(t, block, l, 2, in);
    return cw_tape_segment(t, block, l + 1, 2, (cw_tensor *[]){h, in[1]});
}

static cw_tensor *its_input(cw_tape *t, void *user, cw_tensor *const *in)
{
    (void)user;
    return cw_tape_rows(t, in[0], 0, cw_rows(in[0]));
}

enum { PLAINLY, SEGMENTS, NESTED, MODES };

static void test_segments(void)
{
    cw_tensor x = parameter(ROWS, WIDTH, 1), side = parameter(ROWS, WIDTH, 2), part[LAYERS][4], *all[4 * LAYERS + 2];
    layer layers[LAYERS];
    for (int i = 0; i < LAYERS; i++) {
        part[i][0] = parameter(1, WIDTH, 10 + (uint64_t)i);
        for (int j = 1; j < 4; j++)
            part[i][j] = j < 3 ? parameter(4 * WIDTH, WIDTH, 20 + (uint64_t)(4 * i + j))
                               : parameter(WIDTH, 4 * WIDTH, 900 + (uint64_t)i);
        layers[i] = (layer){&part[i][0], &part[i][1], &part[i][2], &part[i][3]};
        for (int j = 0; j < 4; j++) all[4 * i + j] = &part[i][j];
    }
    all[4 * LAYERS] = &x, all[4 * LAYERS + 1] = &side;
    float *g[MODES][4 * LAYERS + 2], value[MODES];
    int64_t peak[MODES], calls = 0;
    uint64_t draws[MODES];
    for (int mode = 0; mode < MODES; mode++) {
        for (int again = 0; again < 5; again++) { /* the last step asks for no memory */
            for (int i = 0; again && i < 4 * LAYERS + 2; i++) free(gradient(all[i]));
            if (again == 4) calls = ctx->memory.calls;
            cw_tape_reset(tape, 1, 1, 9, 4);
            cw_tensor *h = &x;
            for (int i = 0; i < LAYERS; i++) {
                cw_tensor *in[] = {h, &side};
                if (mode == PLAINLY) h = block(tape, layers + i, in);
                else if (mode == SEGMENTS) h = cw_tape_segment(tape, block, layers + i, 2, in);
                else h = cw_tape_segment(tape, two_blocks, layers + i++, 2, in);
            }
            h = mode == PLAINLY ? h : cw_tape_segment(tape, its_input, NULL, 1, &h);
            cw_tensor *loss = cw_mean_absolute(tape, h);
            value[mode] = cw_tape_scalar(loss);
            const float one = 1;
            CHECK(cw_tape_backward(tape, 1, &loss, &one) == CW_OK, "mode %d: %s", mode, ctx->text);
            peak[mode] = cw_arena_peak(tape->memory);
            draws[mode] = tape->draws;
        }
        CHECK(ctx->memory.calls == calls, "mode %d: a steady step asks for memory %d times", mode,
              (int)(ctx->memory.calls - calls));
        for (int i = 0; i < 4 * LAYERS + 2; i++) g[mode][i] = gradient(all[i]);
    }
    for (int mode = 1; mode < MODES; mode++) {
        int other = value[mode] != value[0];
        for (int i = 0; i < 4 * LAYERS + 2; i++)
            other += memcmp(g[0][i], g[mode][i], (size_t)cw_count(all[i]) * sizeof(float)) != 0;
        CHECK(other == 0, "mode %d: %d values or gradients have other bits", mode, other);
        CHECK(peak[mode] < 0.6 * (double)peak[0], "mode %d: peak %lld of %lld bytes", mode, (long long)peak[mode],
              (long long)peak[0]);
        CHECK(draws[mode] == draws[0], "mode %d: %d draws", mode, (int)draws[mode]);
    }
    for (int i = 0; i < 4 * LAYERS + 2; i++) {
        for (int mode = 0; mode < MODES; mode++) free(g[mode][i]);
        free_parameter(all[i]);
    }
}

/* ---- when a parameter's gradient is complete ---- */

typedef struct {
    cw_tensor *param[8];
    float value[8]; /* the first number of the gradient when it was said to be complete */
    int count;
} told;

static void tell(void *user, cw_tensor *param)
{
    told *seen = user;
    float g = NAN;
    param->device->copy_out(ctx, &g, param->grad, (int64_t)sizeof g);
    if (seen->count < 8) seen->param[seen->count] = param, seen->value[seen->count] = g;
    seen->count++;
}

static cw_tensor *tied(cw_tape *t, void *user, cw_tensor *const *in)
{
    return cw_matmul(t, in[0], user);
}

/* w is used first and last, so it comes last; v in a segment; u by a loss that has no weight. */
static void test_ready(void)
{
    cw_tensor w = parameter(4, 4, 1), v = parameter(4, 4, 2), u = parameter(4, 4, 3);
    float x[8] = {1, 2, 3, 4, -1, 0, 1, 2};
    told seen = {.count = 0};
    tape->ready = tell;
    tape->ready_user = &seen;
    for (int step = 0; step < 2; step++) {
        seen.count = 0;
        cw_tape_reset(tape, 1, 0, 1, 1);
        cw_tensor *h = cw_linear(tape, cw_tape_constant(tape, x, 2, 4), &w, NULL, CW_ACT_TANH);
        h = cw_tape_segment(tape, tied, &v, 1, &h);
        cw_tensor *unused = cw_matmul(tape, h, &u);
        h = cw_linear(tape, h, &w, NULL, CW_ACT_NONE);
        cw_tensor *loss[] = {cw_mean_absolute(tape, h), NULL};
        const float one[] = {1, 1};
        CHECK(unused && cw_tape_backward(tape, 2, loss, one) == CW_OK, "%s", ctx->text);
        float *g[] = {gradient(&u), gradient(&v), gradient(&w)};
        CHECK(seen.count == 3 && seen.param[0] == &u && seen.param[1] == &v && seen.param[2] == &w,
              "step %d: %d parameters were said to be ready", step, seen.count);
        for (int i = 0; i < 3 && i < seen.count; i++) {
            CHECK(seen.value[i] == g[i][0], "step %d: parameter %d got more gradient after it was ready", step, i);
        }
        for (int i = 0; i < 3; i++) free(g[i]);
    }
    tape->ready = NULL;
    free_parameter(&w), free_parameter(&v), free_parameter(&u);
}

/* ---- limits ---- */

static void test_limits(void)
{
    cw_tensor x = parameter(2, 3, 1), *many[CW_MAX_INPUTS + 1];
    for (int i = 0; i <= CW_MAX_INPUTS; i++) many[i] = &x;
    cw_tape_reset(tape, 1, 0, 1, 1);
    CHECK(cw_concat_cols(tape, CW_MAX_INPUTS, many) != NULL, "%s", ctx->text);
    CHECK(!cw_concat_cols(tape, CW_MAX_INPUTS + 1, many) && ctx->status == CW_ERR_ARGUMENT, "%s", ctx->text);
    CHECK(strstr(ctx->text, "11 inputs"), "%s", ctx->text);
    cw_ctx_clear(ctx);
    CHECK(!cw_concat_rows(tape, 0, many) && ctx->status == CW_ERR_ARGUMENT, "%s", ctx->text);
    cw_ctx_clear(ctx);

    int64_t dim[CW_MAX_DIM + 1] = {1, 1, 1, 1, 1, 1, 1, 2, 2};
    CHECK(cw_tape_tensor(tape, CW_MAX_DIM, dim) != NULL, "%s", ctx->text);
    CHECK(!cw_tape_tensor(tape, CW_MAX_DIM + 1, dim) && ctx->status == CW_ERR_SHAPE, "%s", ctx->text);
    cw_ctx_clear(ctx);

    /* no two draws of a step share a stream, and none is given twice silently */
    cw_stream first = cw_tape_stream(tape, CW_RNG_DROPOUT), last = first;
    for (int i = 1; i < 65536; i++) last = cw_tape_stream(tape, CW_RNG_DROPOUT);
    CHECK(ctx->status == CW_OK && last.stream == first.stream + 65535, "%s", ctx->text);
    cw_tape_stream(tape, CW_RNG_DROPOUT);
    CHECK(ctx->status == CW_ERR_STATE && strstr(ctx->text, "65536"), "%s", ctx->text);
    cw_ctx_clear(ctx);
    free_parameter(&x);
}

/* ---- bf16 weights ---- */

static float rounded(float x) /* to the nearest bf16 */
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
    memcpy(&x, &bits, 4);
    return x;
}

/* A weight in bf16 gives the bits of the same numbers in float: values, and gradients (in float) of input and weight. */
static void test_bf16(void)
{
    enum { N = 7, IN = 5, OUT = 6 };
    cw_tensor x = parameter(N, IN, 1), w[3] = {parameter(OUT, IN, 2), parameter(OUT, IN, 3), parameter(IN, OUT, 4)};
    const cw_device *d = ctx->kernels->device;
    float *full[3], *g[2][4], value[2];
    uint16_t half[OUT * IN];
    void *there[3];
    for (int i = 0; i < 3; i++) {
        full[i] = malloc(OUT * IN * sizeof(float));
        d->copy_out(ctx, full[i], w[i].data, OUT * IN * 4);
        for (int j = 0; j < OUT * IN; j++) {
            full[i][j] = rounded(full[i][j]);
            uint32_t bits;
            memcpy(&bits, &full[i][j], 4);
            half[j] = (uint16_t)(bits >> 16);
        }
        d->copy_in(ctx, w[i].data, full[i], OUT * IN * 4);
        there[i] = d->take(ctx, sizeof half);
        d->copy_in(ctx, there[i], half, sizeof half);
    }
    for (int low = 0; low < 2; low++) {
        void *before[3];
        for (int i = 0; i < 3; i++) {
            before[i] = w[i].data;
            if (low) w[i].dtype = CW_BF16, w[i].data = there[i];
        }
        cw_tape_reset(tape, 1, 0, 1, 1);
        cw_tensor *h = cw_swiglu_residual(tape, &x, (cw_swiglu_params){&w[0], NULL, &w[1], NULL, &w[2], NULL}, 0, &x);
        cw_tensor *loss = cw_mean_absolute(tape, cw_linear(tape, h, &w[0], NULL, CW_ACT_GELU));
        value[low] = cw_tape_scalar(loss);
        const float one = 1;
        CHECK(cw_tape_backward(tape, 1, &loss, &one) == CW_OK, "%s", ctx->text);
        g[low][0] = gradient(&x);
        for (int i = 0; i < 3; i++) g[low][i + 1] = gradient(&w[i]);
        if (low) {
            CHECK(!cw_matmul(tape, &x, &w[2]) && ctx->status == CW_ERR_ARGUMENT && strstr(ctx->text, "matmul"), "%s",
                  ctx->text);
            cw_ctx_clear(ctx);
        }
        for (int i = 0; i < 3; i++) w[i].dtype = CW_F32, w[i].data = before[i];
    }
    CHECK(value[0] == value[1], "%g and %g", value[0], value[1]);
    for (int i = 0; i < 4; i++) {
        CHECK(memcmp(g[0][i], g[1][i], (i ? OUT * IN : N * IN) * sizeof(float)) == 0, "gradient %d with bf16 weights", i);
        free(g[0][i]), free(g[1][i]);
    }
    for (int i = 0; i < 3; i++) free(full[i]), d->give(ctx, there[i]), free_parameter(&w[i]);
    free_parameter(&x);
}

/* ---- the guard ---- */

static void careless_backward(cw_tape *t, cw_node *node) { (void)t, (void)node; }
static const cw_op careless = {"careless", .backward = careless_backward};

/* An operation that reads its input itself. */
static cw_tensor *look_inside(cw_tape *t, cw_tensor *x)
{
    cw_node *node = cw_node_new(t, &careless, 1, (cw_tensor *[]){x}, 0);
    if (!node) return NULL;
    node->out = cw_tape_matrix(t, 1, 1);
    volatile float *p = cw_f32(x);
    float value = p[0];
    t->k->fill(&t->exec, cw_f32(node->out), value, 1);
    return cw_node_done(t, node);
}

static void test_guard(void)
{
    if (!cw_kernels_guard(&cw_kernels_cpu)) return;
    char text[256];
    begin(cw_kernels_guard(&cw_kernels_cpu));
    cw_guard_touches(text, sizeof text);
    float value[6] = {2, 3, 4, 5, 6, 7};
    cw_tape_reset(tape, 0, 0, 1, 1);
    cw_tensor *x = cw_tape_constant(tape, value, 2, 3);
    cw_tensor *y = cw_activate(tape, x, CW_ACT_RELU);
    CHECK(cw_tape_scalar(y) == 2 && cw_guard_touches(text, sizeof text) == 0, "%s", text);
    cw_tensor *z = look_inside(tape, y);
    CHECK(cw_tape_scalar(z) == 2, "the program goes on");
    CHECK(cw_guard_touches(text, sizeof text) == 1 && strstr(text, "touched") && strstr(text, "after act"), "%s", text);
    CHECK(cw_guard_touches(text, sizeof text) == 0, "and is told once");
    tape->k->fill(&tape->exec, value, 1, 6);
    CHECK(cw_guard_touches(text, sizeof text) == 1 && strstr(text, "fill got y in the host's memory"), "%s", text);

    /* tensors and operations of the host are refused by name */
    cw_tensor host = {.ndim = 2, .dim = {2, 3}, .data = value};
    CHECK(!cw_activate(tape, &host, CW_ACT_RELU) && ctx->status == CW_ERR_STATE && strstr(ctx->text, "activation"), "%s",
          ctx->text);
    cw_ctx_clear(ctx);
    CHECK(!cw_lower_median(tape, x, 0) && ctx->status == CW_ERR_STATE && strstr(ctx->text, "lower_median"), "%s",
          ctx->text);
    cw_ctx_clear(ctx);

    /* a host array goes there once a step */
    static const int32_t index[] = {1, 0, 1};
    const int32_t *there = cw_tape_index(tape, index, 3);
    CHECK(there != index && cw_tape_index(tape, index, 3) == there, "copied once");
    end();
}

int main(void)
{
    const cw_kernels *guard = cw_kernels_guard(&cw_kernels_cpu);
    const cw_kernels *tables[] = {&cw_kernels_ref, &cw_kernels_cpu, guard};
    for (int i = 0; i < 3 && tables[i]; i++) {
        begin(tables[i]);
        cw_arena_sentinels(tape->memory, 1);
        test_view_of_dropped();
        test_chain_of_dropped();
        test_segments();
        test_ready();
        test_limits();
        test_bf16();
        end();
    }
    guard_check("the tape");
    test_guard();
    return test_end();
}
