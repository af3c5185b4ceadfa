/* op_case.h: what every test of differentiable operations does with each of its cases: gradients against finite
 * differences (four points, in double), the fast kernels at every width of vector against the reference, 1, 2 and 3
 * threads to the same bits, outputs taken from memory full of NaN, inference against recording, inputs that are views,
 * inputs dropped before the backward, gradients that add up, and a failed context.
 *
 * A test file defines the cases and calls check_op_cases(). */
#ifndef CW_OP_CASE_H
#define CW_OP_CASE_H

#include "autodiff/ops.h"
#include "guard_case.h"
#include "kernels/cpu/cpu.h"
#include "test.h"

#define OP_MAX_IN 9
#define OP_KEY 77u

/* Inputs are leaves held outside the tape, so that they can be moved for differences. */
typedef struct {
    int64_t rows, cols;
    float low, high; /* uniform values; both 0: -1 to 1 */
    int constant;    /* not differentiated */
} op_in;

typedef struct {
    const char *name;
    cw_tensor *(*build)(cw_tape *t, cw_tensor *const *x);
    int inputs;
    op_in in[OP_MAX_IN];
    int training;               /* dropout is on, batch statistics are taken */
    double step, tol;           /* of the differences; 0: the defaults */
    void (*fill)(float **data); /* changes the random values, or NULL */
    int flat;                   /* the gradient is zero by definition: nothing to compare in size */
    int keep;                   /* bits of inputs that are weights, which nobody drops */
} op_case;

#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wmissing-field-initializers" /* what a case leaves out is 0 */
#endif

typedef struct {
    cw_tensor leaf[OP_MAX_IN];
    float *value[OP_MAX_IN], *grad[OP_MAX_IN]; /* of the input itself, inside the leaf */
    int64_t count[OP_MAX_IN];
} op_leaves;

enum { OP_PLAIN, OP_VIEWS, OP_DROPPED };

/* In OP_VIEWS the input is rows 2.. of a leaf that is 3 rows taller. */
static inline void op_new_leaves(op_leaves *l, const op_case *c, int mode)
{
    float *data[OP_MAX_IN];
    memset(l, 0, sizeof *l);
    for (int i = 0; i < c->inputs; i++) {
        op_in s = c->in[i];
        int64_t extra = mode == OP_VIEWS ? 3 : 0, n = (s.rows + extra) * s.cols;
        l->leaf[i] = (cw_tensor){.ndim = 2, .dim = {s.rows + extra, s.cols}, .needs_grad = !s.constant};
        float *values = calloc((size_t)n + 1, sizeof(float));
        l->leaf[i].data = values;
        l->leaf[i].grad = s.constant ? NULL : calloc((size_t)n + 1, sizeof(float));
        l->count[i] = s.rows * s.cols;
        l->value[i] = data[i] = values + (extra ? 2 * s.cols : 0);
        l->grad[i] = s.constant ? NULL : l->leaf[i].grad + (extra ? 2 * s.cols : 0);
        if (s.low == 0 && s.high == 0) s.low = -1, s.high = 1;
        cw_rng_fill_uniform(data[i], l->count[i], cw_rng_stream(OP_KEY, CW_RNG_USER, (uint64_t)i, 1), s.low, s.high);
    }
    if (c->fill) c->fill(data);
}

static inline void op_free_leaves(op_leaves *l, const op_case *c)
{
    for (int i = 0; i < c->inputs; i++) free(cw_f32(&l->leaf[i])), free(l->leaf[i].grad);
}

/* The arena's free memory is filled with NaN: whoever reads an output before writing it gets caught. */
static inline void op_poison(cw_tape *t)
{
    enum { ROWS = 1 << 16, BLOCKS = 8 };
    cw_tensor *block[BLOCKS] = {0};
    for (int b = 0; b < BLOCKS; b++) {
        block[b] = cw_tape_matrix(t, ROWS >> b, 1);
        float *p = block[b] ? cw_tape_data(t, block[b]) : NULL;
        if (p) t->k->fill(&t->exec, p, NAN, ROWS >> b);
    }
    for (int b = 0; b < BLOCKS; b++) {
        int recording = t->recording;
        t->recording = 0;
        cw_tape_drop(t, block[b]);
        t->recording = recording;
    }
}

/* Runs the case once; the output belongs to the tape. */
static inline cw_tensor *op_forward(cw_tape *t, const op_case *c, op_leaves *l, int mode, int recording)
{
    cw_tape_reset(t, recording, c->training, OP_KEY, 3);
    cw_arena_sentinels(t->memory, 1);
    op_poison(t);
    cw_tensor *x[OP_MAX_IN] = {0};
    for (int i = 0; i < c->inputs; i++) {
        x[i] = &l->leaf[i];
        if (mode == OP_VIEWS) {
            op_in s = c->in[i];
            cw_tensor *flat = cw_tape_reshape(t, x[i], 1, (s.rows + 3) * s.cols); /* views of views of views */
            cw_tensor *back = cw_tape_reshape(t, flat, s.rows + 3, s.cols);
            x[i] = cw_tape_rows(t, back, 2, s.rows);
        }
        if (mode == OP_DROPPED && !(c->keep >> i & 1)) x[i] = cw_columns(t, x[i], 0, c->in[i].cols); /* which can be computed again */
    }
    cw_tensor *y = c->build(t, x);
    for (int i = 0; mode == OP_DROPPED && recording && i < c->inputs; i++)
        if (!(c->keep >> i & 1)) cw_tape_drop(t, x[i]);
    return y;
}

/* A random linear functional of the output: its value in double. */
static inline double op_functional(const float *y, int64_t n, const float *r)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)r[i] * y[i];
    return sum;
}

/* Gradient of the functional into the leaves. */
static inline cw_status op_backward(cw_tape *t, cw_tensor *y, const float *r)
{
    int64_t n = y ? cw_count(y) : 0;
    cw_tensor *loss = y ? cw_matmul(t, cw_tape_reshape(t, y, 1, n), cw_tape_constant(t, r, n, 1)) : NULL;
    const float one = 1.0f;
    return cw_tape_backward(t, 1, &loss, &one);
}

static inline double op_difference(cw_tape *t, const op_case *c, op_leaves *l, float *at, double h, const float *r)
{
    static const double place[] = {1, -1, 2, -2}, weight[] = {8, -8, -1, 1};
    float before = *at;
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        *at = (float)(before + place[i] * h);
        cw_tensor *y = op_forward(t, c, l, OP_PLAIN, 0);
        sum += weight[i] * op_functional(cw_tape_data(t, y), cw_count(y), r);
    }
    *at = before;
    return sum / (12.0 * h);
}

static inline void op_check_differences(cw_tape *t, const op_case *c, op_leaves *l, const float *r)
{
    double h = c->step > 0 ? c->step : 0.02, tol = c->tol > 0 ? c->tol : 2e-3;
    for (int i = 0; i < c->inputs; i++) {
        if (c->in[i].constant) continue;
        double worst = 0, largest = 0;
        int64_t stride = l->count[i] > 60 ? l->count[i] / 40 : 1; /* of a large input every so many */
        for (int64_t j = 0; j < l->count[i]; j++) largest = fmax(largest, fabs((double)l->grad[i][j]));
        for (int64_t j = l->count[i] - 1; j >= 0; j -= stride) {
            double e = fabs(op_difference(t, c, l, l->value[i] + j, h, r) - l->grad[i][j]);
            if (!(e <= worst)) worst = e;
        }
        CHECK((c->flat || largest > 1e-3) && worst <= tol * fmax(largest, 0.05),
              "%s (%s), input %d: error %g, gradients up to %g", c->name, t->ctx->kernels->name, i, worst, largest);
    }
}

static inline double op_distance(const float *a, const float *b, int64_t n)
{
    double worst = 0, unit = 1e-3;
    for (int64_t i = 0; i < n; i++) unit = fmax(unit, fabs((double)b[i]));
    for (int64_t i = 0; i < n; i++) {
        double e = fabs((double)a[i] - b[i]) / unit;
        if (!(e <= worst)) worst = isnan(e) ? INFINITY : e;
    }
    return worst;
}

/* Output and gradients as they are on the given table, threads and width of vector, one after the other in `all`. The
 * table "guard" is cpu's on the guard device; -1 where that one refuses the case. */
static inline int64_t op_everything(cw_tape *t, const op_case *c, int mode, const char *table, int threads, int level,
                                    const float *r, float *all)
{
    op_leaves l;
    cw_ctx *ctx = t->ctx;
    int guarded = strcmp(table, "guard") == 0;
    ctx->kernels = guarded ? cw_kernels_guard(&cw_kernels_cpu) : cw_kernels_select(table);
    ctx->threads = threads;
    cw_cpu_simd_limit(level);
    op_new_leaves(&l, c, mode);
    float *data[OP_MAX_IN], *grad[OP_MAX_IN];
    for (int i = 0; guarded && i < c->inputs; i++) guard_move(ctx, &l.leaf[i], data + i, grad + i);
    cw_tensor *y = op_forward(t, c, &l, mode, 1);
    int64_t n = y ? cw_count(y) : 0, at = n;
    float *values = cw_tape_data(t, y);
    if (values) ctx->kernels->device->copy_out(ctx, all, values, n * (int64_t)sizeof *all);
    int refused = guarded && !y && guard_was_refused(ctx);
    CHECK(refused || (y && op_backward(t, y, r) == CW_OK), "%s (%s): %s", c->name, table, ctx->text);
    for (int i = 0; guarded && i < c->inputs; i++) guard_move_back(ctx, &l.leaf[i], data[i], grad[i]);
    if (guarded) guard_check(c->name);
    for (int i = 0; y && i < c->inputs; i++) {
        if (!l.grad[i]) continue;
        memcpy(all + at, l.grad[i], (size_t)l.count[i] * sizeof *all);
        at += l.count[i];
        for (int64_t j = 0; mode == OP_VIEWS && j < 3 * c->in[i].cols; j++) { /* the rows around the view */
            int64_t k = j < 2 * c->in[i].cols ? j : j + l.count[i];
            if (l.leaf[i].grad[k] != 0) CHECK(0, "%s: a gradient outside the view of input %d", c->name, i);
        }
    }
    op_free_leaves(&l, c);
    cw_cpu_simd_limit(CW_SIMD_COUNT);
    cw_ctx_clear(ctx);
    return refused ? -1 : at;
}

static inline void op_check_case(cw_ctx *ctx, cw_tape *t, const op_case *c)
{
    static const char *const tables[] = {"ref", "cpu"};
    float *r = NULL, *ref = NULL, *now = NULL, *one = NULL;
    int64_t n = 0, total = 0;
    for (int table = 0; table < 2; table++) {
        ctx->kernels = cw_kernels_select(tables[table]);
        ctx->threads = 1;
        op_leaves l;
        op_new_leaves(&l, c, OP_PLAIN);
        cw_tensor *y = op_forward(t, c, &l, OP_PLAIN, 1);
        CHECK(y && ctx->status == CW_OK, "%s (%s): %s", c->name, tables[table], ctx->text);
        if (!y) {
            cw_ctx_clear(ctx);
            op_free_leaves(&l, c);
            break;
        }
        n = total = cw_count(y);
        for (int i = 0; i < c->inputs; i++) total += l.count[i];
        if (!r) {
            r = malloc((size_t)n * sizeof *r + 1);
            ref = malloc((size_t)total * sizeof *ref), now = malloc((size_t)total * sizeof *now);
            one = malloc((size_t)total * sizeof *one);
            cw_rng_fill_uniform(r, n, cw_rng_stream(OP_KEY, CW_RNG_USER, 9, 9), 0.5f, 1.5f);
            for (int64_t i = 0; i < n; i += 2) r[i] = -r[i];
        }
        memcpy(now, cw_tape_data(t, y), (size_t)n * sizeof *now);
        CHECK(op_backward(t, y, r) == CW_OK, "%s: %s", c->name, ctx->text);
        op_check_differences(t, c, &l, r);

        /* what inference computes is what recording computes; inputs that aren't the tape's own stay as they are */
        for (int i = 0; i < c->inputs; i++) {
            memcpy(one, l.value[i], (size_t)l.count[i] * sizeof *one);
            y = op_forward(t, c, &l, OP_PLAIN, 0);
            CHECK(y && memcmp(now, cw_tape_data(t, y), (size_t)n * sizeof *now) == 0, "%s: inference differs", c->name);
            CHECK(memcmp(one, l.value[i], (size_t)l.count[i] * sizeof *one) == 0, "%s: input %d was changed", c->name,
                  i);
        }
        /* gradients are added: a second backward doubles them */
        float first = l.grad[0] && l.count[0] ? l.grad[0][0] : 0.0f;
        op_backward(t, op_forward(t, c, &l, OP_PLAIN, 1), r);
        CHECK(!l.grad[0] || !l.count[0] || fabsf(l.grad[0][0] - 2 * first) <= 1e-5f * (1 + fabsf(first)),
              "%s: gradients must add up", c->name);
        op_free_leaves(&l, c);

        total = op_everything(t, c, OP_PLAIN, tables[table], 1, CW_SIMD_COUNT, r, one);
        if (table == 0) memcpy(ref, one, (size_t)total * sizeof *ref);
        for (int64_t i = 0; i < total; i++)
            if (!isfinite(one[i])) {
                CHECK(0, "%s (%s): value %lld of outputs and gradients is %g", c->name, tables[table], (long long)i,
                      (double)one[i]);
                break;
            }
        for (int mode = OP_VIEWS; mode <= OP_DROPPED; mode++) {
            op_everything(t, c, mode, tables[table], 1, CW_SIMD_COUNT, r, now);
            double e = op_distance(now, one, n), g = op_distance(now + n, one + n, total - n);
            CHECK(e == 0 && g < 1e-4, "%s (%s) with %s: output off by %g, gradients by %g", c->name, tables[table],
                  mode == OP_VIEWS ? "views" : "dropped inputs", e, g);
        }
        for (int threads = 2; threads <= 3; threads++) {
            op_everything(t, c, OP_PLAIN, tables[table], threads, CW_SIMD_COUNT, r, now);
            CHECK(memcmp(now, one, (size_t)total * sizeof *now) == 0, "%s (%s): other bits with %d threads", c->name,
                  tables[table], threads);
        }
    }
    for (int level = 0; r && level <= cw_cpu_simd_level(); level++) {
        op_everything(t, c, OP_PLAIN, "cpu", 2, level, r, now);
        double e = op_distance(now, ref, n), g = op_distance(now + n, ref + n, total - n);
        CHECK(e < 2e-6 * (c->tol > 2e-3 ? 10 : 1) && g < 1e-5 * (c->tol > 2e-3 ? 10 : 1),
              "%s: vectors of level %d are off the reference by %g, gradients by %g", c->name, level, e, g);
    }
    /* on memory that only kernels can touch: the bits of cpu's table, which was the last */
    for (int mode = OP_PLAIN; r && cw_kernels_guard(&cw_kernels_cpu) && mode <= OP_DROPPED; mode++) {
        op_everything(t, c, mode, "cpu", 2, CW_SIMD_COUNT, r, one);
        if (op_everything(t, c, mode, "guard", 2, CW_SIMD_COUNT, r, now) < 0) break;
        CHECK(memcmp(now, one, (size_t)total * sizeof *now) == 0, "%s: other bits on the guard device", c->name);
    }
    /* on a failed context nothing is done, whatever the arguments */
    cw_fail(ctx, CW_ERR_STATE, "already failed");
    cw_tensor *none[OP_MAX_IN] = {0};
    CHECK(c->build(t, none) == NULL && strcmp(ctx->text, "already failed") == 0, "%s on a failed context", c->name);
    cw_ctx_clear(ctx);
    free(r), free(ref), free(now), free(one);
}

static inline void check_op_cases(const op_case *cases, int count)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(NULL);
    cw_tape *t = cw_tape_new(ctx);
    for (int i = 0; i < count; i++) op_check_case(ctx, t, &cases[i]);
    cw_tape_free(t);
    cw_ctx_let_go(ctx);
    CHECK(ctx->memory.bytes == 0, "%lld bytes are still held", (long long)ctx->memory.bytes);
    CHECK(cw_guard_held() == 0, "%lld bytes of the guard device are still held", (long long)cw_guard_held());
    cw_ctx_free(ctx);
}

/* ---- refusals: expression on a fresh tape `refusal_tape` fails with the status, and its text has the word ---- */

static cw_ctx *refusal_ctx;
static cw_tape *refusal_tape;

static inline void refusals_begin(void)
{
    refusal_ctx = cw_ctx_new(NULL);
    refusal_ctx->kernels = cw_kernels_select(NULL);
    refusal_tape = cw_tape_new(refusal_ctx);
}

static inline void refusals_end(void)
{
    cw_tape_free(refusal_tape);
    cw_ctx_let_go(refusal_ctx);
    CHECK(refusal_ctx->memory.bytes == 0, "%lld bytes are still held", (long long)refusal_ctx->memory.bytes);
    cw_ctx_free(refusal_ctx);
}

/* A (r, c) matrix of the tape. */
static inline cw_tensor *blank(int64_t r, int64_t c)
{
    cw_tensor *x = cw_tape_matrix(refusal_tape, r, c);
    float *p = x ? cw_tape_data(refusal_tape, x) : NULL;
    if (p) memset(p, 0, (size_t)(r * c) * sizeof *p);
    return x;
}

#define REFUSED(expression, kind, word)                                                                                \
    do {                                                                                                               \
        cw_tape_reset(refusal_tape, 1, 1, OP_KEY, 0);                                                                  \
        const void *refused_ = (expression);                                                                           \
        CHECK(!refused_ && refusal_ctx->status == (kind) && strstr(refusal_ctx->text, word), "%s: %s, '%s'",           \
              #expression, cw_status_name(refusal_ctx->status), refusal_ctx->text);                                    \
        cw_ctx_clear(refusal_ctx);                                                                                     \
    } while (0)

#endif
