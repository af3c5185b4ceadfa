/* op_flow.c: autonomous vector fields of three layers, integrated with fixed steps.
 *
 *     f(z) = W3 tanh(W2 tanh(W1 z + b1) + b2) + b3,   z (d), W1 (h1,d), W2 (h2,h1), W3 (d,h2)
 *
 * The flow closes in the first hidden layer: p = W1 z + b1 obeys p' = A h + c with h = tanh(W2 tanh(p) + b2),
 * A = W1 W3 (h1,h2) and c = W1 b3, for Euler's steps and Runge-Kutta's alike. So a step costs h1 h2 products twice,
 * never d, and no state of width d is held on the way: with hbar_i the (stage-weighted) h of step i,
 *
 *     z_k = z_0 + dt sum_{i<k} (W3 hbar_i + b3).
 *
 * Rows are independent; they are cut into tiles of FLOW_ROWS that run their whole trajectory on one thread each. For
 * the backward the hidden layers of all steps are kept where that is little; otherwise every sqrt(steps)-th p is, and
 * what lies between is computed again. */
#include "ops.h"

#include <math.h>
#include <string.h>

#define FLOW_ROWS 64  /* of a tile: its arrays stay in the second cache; 12% faster than 32, but a batch of 128 keeps two
                        threads busy, not four */
#define FLOW_SLOTS 16 /* partial sums of weight gradients; slot s takes tiles s, s + 16, ... in order */


enum { FLOW_Z, FLOW_W1, FLOW_B1, FLOW_W2, FLOW_B2, FLOW_W3, FLOW_B3, FLOW_DURATION, FLOW_SHARE, FLOW_INPUTS };

typedef struct {
    cw_flow_spec spec;
    int path; /* the result is every step's hbar, not a state */
    int64_t segment;
    int keeps; /* all hidden layers, not checkpoints */
} flow_saved;

/* What a tile reads. */
typedef struct flow {
    const cw_kernels *k;
    const float *A, *c, *w2, *b2, *dt, *share; /* A (h1,h2), c (h1), dt (n), share (n,steps) or NULL */
    int64_t n, d, h1, h2, steps, stages, segment;
    int keeps;
    const float *node, *weight; /* stage j starts at p + node[j] dt g_{j-1} and counts weight[j] */
} flow;

static const float euler_node[] = {0.0f, 0.0f}, euler_weight[] = {1.0f};
static const float rk4_node[] = {0.0f, 0.5f, 0.5f, 1.0f, 0.0f};
static const float rk4_weight[] = {1.0f / 6.0f, 1.0f / 3.0f, 1.0f / 3.0f, 1.0f / 6.0f};

static const float *data_of(const cw_tensor *x) { return x ? cw_f32(x) : NULL; }
static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t tiles_of(int64_t n) { return (n + FLOW_ROWS - 1) / FLOW_ROWS; }

static flow flow_of(const cw_tape *t, const cw_node *node, const float *A, const float *dt)
{
    const flow_saved *s = node->saved;
    int rk4 = s->spec.method == CW_FLOW_RK4;
    return (flow){.k = t->k,
                  .A = A,
                  .c = A + cw_rows(node->in[FLOW_W1]) * cw_cols(node->in[FLOW_W3]),
                  .w2 = cw_f32(node->in[FLOW_W2]),
                  .b2 = data_of(node->in[FLOW_B2]),
                  .dt = dt,
                  .share = data_of(node->in[FLOW_SHARE]),
                  .n = cw_rows(node->in[FLOW_Z]),
                  .d = cw_cols(node->in[FLOW_Z]),
                  .h1 = cw_rows(node->in[FLOW_W1]),
                  .h2 = cw_cols(node->in[FLOW_W3]),
                  .steps = s->spec.steps,
                  .stages = rk4 ? 4 : 1,
                  .segment = s->segment,
                  .keeps = s->keeps,
                  .node = rk4 ? rk4_node : euler_node,
                  .weight = rk4 ? rk4_weight : euler_weight};
}

/* How many steps a tile has to take: those beyond the last one that counts for any of its rows are not taken. One more
 * is, for a reading that lies exactly on a grid point and whose slope is that of the step behind it. */
static int64_t steps_of(const flow *f, int64_t first, int64_t rows)
{
    if (!f->share) return f->steps;
    int64_t last = 0;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = f->steps - 1; i >= last; i--)
            if (f->share[(first + r) * f->steps + i] != 0.0f) last = i + 1;
    return smaller(last + 1, f->steps);
}

/* One step: p (rows,h1) moves on; u (stages,rows,h1) and h (stages,rows,h2) are the stages' hidden layers, hbar
 * (rows,h2) their weighted sum. g, point (rows,h1) are work space. */
static void flow_step(const flow *f, float *p, float *u, float *h, float *hbar, float *g, float *point, const float *dt,
                      int64_t rows)
{
    const cw_exec one = {1};
    int64_t n1 = rows * f->h1, n2 = rows * f->h2;
    for (int64_t j = 0; j < f->stages; j++) {
        float *hj = h + j * n2;
        f->k->act(&one, u + j * n1, j ? point : p, CW_ACT_TANH, n1);
        f->k->linear(&one, hj, NULL, u + j * n1, f->w2, f->b2, NULL, CW_ACT_TANH, rows, f->h1, f->h2);
        float w = f->weight[j];
#pragma omp simd
        for (int64_t i = 0; i < n2; i++) hbar[i] = (j ? hbar[i] : 0.0f) + w * hj[i];
        if (j + 1 == f->stages) break;
        f->k->linear(&one, g, NULL, hj, f->A, f->c, NULL, CW_ACT_NONE, rows, f->h2, f->h1);
        for (int64_t r = 0; r < rows; r++)
#pragma omp simd
            for (int64_t i = r * f->h1; i < (r + 1) * f->h1; i++) point[i] = p[i] + f->node[j + 1] * dt[r] * g[i];
    }
    f->k->linear(&one, g, NULL, hbar, f->A, f->c, NULL, CW_ACT_NONE, rows, f->h2, f->h1);
    for (int64_t r = 0; r < rows; r++)
#pragma omp simd
        for (int64_t i = r * f->h1; i < (r + 1) * f->h1; i++) p[i] += dt[r] * g[i];
}

/* ---- forward ---- */

static int64_t forward_room(const flow *f) { return FLOW_ROWS * (f->stages * (f->h1 + f->h2) + 2 * f->h1 + f->h2); }

/* The first layers of a tile's steps within what is kept, (steps,stages,rows,h1), and the second, of width h2. */
static float *kept_u(const flow *f, float *kept, int64_t first) { return kept + first * f->steps * f->stages * f->h1; }
static float *kept_h(const flow *f, float *kept, int64_t first)
{
    return kept + (f->n * f->h1 + first * f->h2) * f->steps * f->stages;
}

/* p (n,h1) is the start of all rows and their end afterwards. total (n,h2): sum of share hbar, or NULL; path
 * (steps,n,h2): every hbar, or NULL; kept: see flow_run, or NULL. */
static void forward_tile(const flow *f, float *work, float *p, float *total, float *path, float *kept, int64_t first)
{
    int64_t rows = smaller(FLOW_ROWS, f->n - first), n1 = rows * f->h1, n2 = rows * f->h2;
    int64_t steps = path ? f->steps : steps_of(f, first, rows);
    float *u = work, *h = u + f->stages * n1, *hbar = h + f->stages * n2, *g = hbar + n2, *point = g + n1;
    p += first * f->h1;
    for (int64_t i = 0; i < steps; i++) {
        if (kept && f->keeps) {
            u = kept_u(f, kept, first) + i * f->stages * n1;
            h = kept_h(f, kept, first) + i * f->stages * n2;
        } else if (kept && i % f->segment == 0)
            memcpy(kept + (i / f->segment * f->n + first) * f->h1, p, (size_t)n1 * sizeof *p);
        flow_step(f, p, u, h, hbar, g, point, f->dt + first, rows);
        if (path) memcpy(path + (i * f->n + first) * f->h2, hbar, (size_t)n2 * sizeof *p);
        for (int64_t r = 0; total && r < rows; r++) {
            float share = f->share ? f->share[(first + r) * f->steps + i] : 1.0f;
            float *sum = total + (first + r) * f->h2;
#pragma omp simd
            for (int64_t j = 0; j < f->h2; j++) sum[j] += share * hbar[r * f->h2 + j];
        }
    }
}

/* Sum of a row's shares: what b3 counts. */
static double share_sum(const flow *f, int64_t row)
{
    if (!f->share) return (double)f->steps;
    double sum = 0;
    for (int64_t i = 0; i < f->steps; i++) sum += f->share[row * f->steps + i];
    return sum;
}

/* A (h1,h2) = W1 W3 and behind it c (h1) = W1 b3. */
static void fold(const cw_tape *t, const cw_node *node, float *A)
{
    const cw_tensor *w1 = node->in[FLOW_W1], *w3 = node->in[FLOW_W3], *b3 = node->in[FLOW_B3];
    int64_t h1 = cw_rows(w1), d = cw_cols(w1), h2 = cw_cols(w3);
    t->k->gemm(&t->exec, A, h2, cw_f32(w1), d, 0, cw_f32(w3), h2, 0, 1.0f, 0.0f, h1, h2, d);
    if (b3)
        t->k->linear(&t->exec, A + h1 * h2, NULL, cw_f32(b3), cw_f32(w1), NULL, NULL, CW_ACT_NONE, 1, d, h1);
    else
        memset(A + h1 * h2, 0, (size_t)h1 * sizeof *A);
}

/* Each row's step length. */
static void step_lengths(float *dt, const cw_node *node, int64_t n)
{
    const flow_saved *s = node->saved;
    const cw_tensor *duration = node->in[FLOW_DURATION];
    for (int64_t r = 0; r < n; r++) {
        double whole = duration ? cw_f32(duration)[cw_count(duration) == 1 ? 0 : r] : 1.0;
        dt[r] = (float)(whole * s->spec.scale / (double)s->spec.steps);
    }
}

static int threads_for(const cw_tape *t, const flow *f)
{
    double work = (double)f->n * (double)(f->h1 * f->h2) * (double)(f->steps * f->stages);
    return work < 1e6 ? 1 : t->exec.threads;
}

/* out (n,d) = z + dt (W3 total + (sum of shares) b3) */
static void lift(const cw_tape *t, const cw_node *node, const flow *f, float *total)
{
    const cw_tensor *w3 = node->in[FLOW_W3], *b3 = node->in[FLOW_B3];
    float *out = cw_f32(node->out);
    const float *z = cw_f32(node->in[FLOW_Z]);
    t->k->gemm(&t->exec, out, f->d, total, f->h2, 0, cw_f32(w3), f->h2, 1, 1.0f, 0.0f, f->n, f->d, f->h2);
    for (int64_t r = 0; r < f->n; r++) {
        float shares = (float)share_sum(f, r);
        for (int64_t j = 0; j < f->d; j++) {
            float drift = b3 ? shares * cw_f32(b3)[j] : 0.0f;
            out[r * f->d + j] = z[r * f->d + j] + f->dt[r] * (out[r * f->d + j] + drift);
        }
    }
}

/* kept: [0] checkpoints (segments,n,h1), or tile by tile all first and then all second layers; [1] total (n,h2), [2] A
 * and c, then dt (n) */
static int flow_run(cw_tape *t, cw_node *node)
{
    flow_saved *s = node->saved;
    int64_t n = cw_rows(node->in[FLOW_Z]), d = cw_cols(node->in[FLOW_Z]);
    int64_t h1 = cw_rows(node->in[FLOW_W1]), h2 = cw_cols(node->in[FLOW_W3]);
    int64_t layers = s->spec.steps * (s->spec.method == CW_FLOW_RK4 ? 4 : 1) * n * (h1 + h2);
    s->segment = (int64_t)ceil(sqrt((double)s->spec.steps));
    s->keeps = layers <= t->keep_limit;
    int64_t room0 = s->keeps ? layers : (s->spec.steps + s->segment - 1) / s->segment * n * h1;
    float *kept = t->recording ? cw_node_keep(t, node, 0, room0) : NULL;
    float *total = s->path ? NULL : cw_node_keep(t, node, 1, n * h2), *A = cw_node_keep(t, node, 2, h1 * h2 + h1 + n);
    if (t->ctx->status != CW_OK) return 0;
    float *dt = A + h1 * h2 + h1;
    fold(t, node, A);
    step_lengths(dt, node, n);
    if (total) memset(total, 0, (size_t)(n * h2) * sizeof *total);
    flow f = flow_of(t, node, A, dt);
    int64_t slots = smaller(tiles_of(n), FLOW_SLOTS), room = forward_room(&f);
    float *p = cw_arena_take(t->arena, (n * h1 + slots * room) * (int64_t)sizeof *p);
    if (!p) return 0;
    float *work = p + n * h1, *path = s->path ? cw_f32(node->out) : NULL;
    t->k->linear(&t->exec, p, NULL, cw_f32(node->in[FLOW_Z]), cw_f32(node->in[FLOW_W1]), data_of(node->in[FLOW_B1]), NULL,
                 CW_ACT_NONE, n, d, h1);
    int threads = threads_for(t, &f);
    (void)threads;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
    for (int64_t slot = 0; slot < slots; slot++)
        for (int64_t tile = slot; tile < tiles_of(n); tile += slots)
            forward_tile(&f, work + slot * room, p, total, path, kept, tile * FLOW_ROWS);
    if (!s->path) lift(t, node, &f, total);
    cw_arena_give(t->arena, p);
    return t->ctx->status == CW_OK;
}

/* ---- backward ---- */

/* What the tiles give back: sums of one slot's weight gradients; rows' own gradients. */
typedef struct flow_grad {
    float *dA, *dc, *dw2, *db2; /* of a slot; NULL where the field is frozen */
    float *lambda;              /* (n,h1): of each row's first p */
    float *ddt;                 /* (n), or NULL */
    float *dshare;              /* (n,steps) or NULL */
    const float *sigma;         /* path: (steps,n,h2), the gradient of every hbar; else (n,h2), that of the share sum */
    const float *drift;         /* (n): <dout, b3>; NULL with a path */
} flow_grad;

static int64_t backward_room(const flow *f)
{
    int64_t stacked = 2 * (f->h1 + f->h2) * f->segment * f->stages;
    return FLOW_ROWS * (stacked + 5 * f->h1 + 3 * f->h2);
}

static double dot(const float *a, const float *b, int64_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) sum += (double)a[i] * b[i];
    return sum;
}

/* y (rows,h) := y (1 - a^2): through tanh, whose value was a */
static void through_tanh(float *y, const float *a, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++) y[i] *= 1.0f - a[i] * a[i];
}

/* One step back. lambda (rows,h1): gradient of p after the step, then of p before it. sigma (rows,h2): of hbar. u, h:
 * the stages; dq (stages,rows,h2), dx (stages,rows,h1) are written for the weights' gradients: of W2 u + b2 and A h +
 * c. */
static void step_back(const flow *f, float *lambda, double *ddt, const float *u, const float *h, float *dq, float *dx,
                      const float *sigma, const float *dt, float *dpoint, float *y, int64_t rows)
{
    const cw_exec one = {1};
    int64_t h1 = f->h1, h2 = f->h2, n1 = rows * h1, n2 = rows * h2;
    float *sum = y + n2; /* of the stages' gradients, (rows,h1) */
    memset(sum, 0, (size_t)n1 * sizeof *sum);
    for (int64_t j = f->stages - 1; j >= 0; j--) {
        float *x = dx + j * n1, *q = dq + j * n2, w = f->weight[j], next = f->node[j + 1];
        int last = j + 1 == f->stages;
#pragma omp simd
        for (int64_t i = 0; i < n1; i++) x[i] = w * lambda[i] + (last ? 0.0f : next * dpoint[i]);
        f->k->gemm(&one, y, h2, x, h1, 0, f->A, h2, 0, 1.0f, 0.0f, rows, h2, h1);
        for (int64_t r = 0; r < rows; r++) {
            if (ddt) ddt[r] += dot(y + r * h2, h + j * n2 + r * h2, h2) + dot(x + r * h1, f->c, h1);
#pragma omp simd
            for (int64_t i = r * h2; i < (r + 1) * h2; i++) q[i] = dt[r] * y[i] + w * sigma[i];
#pragma omp simd
            for (int64_t i = r * h1; i < (r + 1) * h1; i++) x[i] *= dt[r];
        }
        through_tanh(q, h + j * n2, n2);
        f->k->gemm(&one, dpoint, h1, q, h2, 0, f->w2, h1, 0, 1.0f, 0.0f, rows, h1, h2);
        through_tanh(dpoint, u + j * n1, n1);
#pragma omp simd
        for (int64_t i = 0; i < n1; i++) sum[i] += dpoint[i];
    }
#pragma omp simd
    for (int64_t i = 0; i < n1; i++) lambda[i] += sum[i];
}

/* The weights' gradients of `stacked` rows. */
static void gather_weights(const flow *f, const flow_grad *g, const float *u, const float *h, const float *dq,
                           const float *dx, int64_t stacked)
{
    const cw_exec one = {1};
    if (g->dw2) f->k->gemm(&one, g->dw2, f->h1, dq, f->h2, 1, u, f->h1, 0, 1.0f, 1.0f, f->h2, f->h1, stacked);
    if (g->db2) f->k->column_sum(&one, g->db2, dq, stacked, f->h2);
    if (g->dA) f->k->gemm(&one, g->dA, f->h2, dx, f->h1, 1, h, f->h2, 0, 1.0f, 1.0f, f->h1, f->h2, stacked);
    if (g->dc) f->k->column_sum(&one, g->dc, dx, stacked, f->h1);
}

static void backward_tile(const flow *f, const flow_grad *g, float *work, float *kept, int64_t first)
{
    int64_t rows = smaller(FLOW_ROWS, f->n - first), h1 = f->h1, h2 = f->h2, n1 = rows * h1, n2 = rows * h2;
    int path = g->drift == NULL;
    int64_t steps = path ? f->steps : steps_of(f, first, rows), deep = f->segment * f->stages;
    float *u = work, *h = u + deep * n1, *dq = h + deep * n2, *dx = dq + deep * n2, *p = dx + deep * n1;
    float *point = p + n1, *gbuf = point + n1, *hbar = gbuf + n1, *y = hbar + n2; /* y: (rows,h2), then (rows,h1) */
    float *sigma = y + n2 + n1, *lambda = g->lambda + first * h1;
    double ddt[FLOW_ROWS] = {0};
    const float *dt = f->dt + first;
    memset(lambda, 0, (size_t)n1 * sizeof *lambda);
    for (int64_t start = (steps - 1) / f->segment * f->segment; start >= 0; start -= f->segment) {
        int64_t count = smaller(f->segment, steps - start);
        if (f->keeps) {
            u = kept_u(f, kept, first) + start * f->stages * n1;
            h = kept_h(f, kept, first) + start * f->stages * n2;
        } else
            memcpy(p, kept + (start / f->segment * f->n + first) * h1, (size_t)n1 * sizeof *p);
        for (int64_t i = 0; !f->keeps && i < count; i++)
            flow_step(f, p, u + i * f->stages * n1, h + i * f->stages * n2, hbar, gbuf, point, dt, rows);
        for (int64_t i = count - 1; i >= 0; i--) {
            const float *hi = h + i * f->stages * n2, *s = path ? g->sigma + ((start + i) * f->n + first) * h2 : sigma;
            for (int64_t r = 0; !path && r < rows; r++) {
                const float *base = g->sigma + (first + r) * h2;
                int64_t at = (first + r) * f->steps + start + i;
                float share = f->share ? f->share[at] : 1.0f;
#pragma omp simd
                for (int64_t j = 0; j < h2; j++) sigma[r * h2 + j] = share * dt[r] * base[j];
                double read = g->dshare ? g->drift[first + r] : 0.0;
                for (int64_t j = 0; g->dshare && j < f->stages; j++)
                    read += f->weight[j] * dot(base, hi + j * n2 + r * h2, h2);
                if (g->dshare) g->dshare[at] += (float)(dt[r] * read);
            }
            step_back(f, lambda, g->ddt ? ddt : NULL, u + i * f->stages * n1, hi, dq + i * f->stages * n2,
                      dx + i * f->stages * n1, s, dt, point, y, rows);
        }
        gather_weights(f, g, u, h, dq, dx, count * f->stages * rows);
    }
    for (int64_t r = 0; g->ddt && r < rows; r++) g->ddt[first + r] += (float)ddt[r];
}

/* Slots' sums into one, in order. */
static void add_slots(float *sum, int64_t slots, int64_t size)
{
    for (int64_t s = 1; s < slots; s++)
        for (int64_t i = 0; i < size; i++) sum[i] += sum[s * size + i];
}

/* Through A = W1 W3 and c = W1 b3, and what W2 and b2 get. */
static void unfold(cw_tape *t, cw_node *node, const flow *f, const float *sum)
{
    cw_tensor *w1 = node->in[FLOW_W1], *w3 = node->in[FLOW_W3], *b3 = node->in[FLOW_B3];
    const float *dA = sum, *dc = dA + f->h1 * f->h2, *dw2 = dc + f->h1, *db2 = dw2 + f->h2 * f->h1;
    float *g = cw_tape_grad(t, w1);
    if (g) {
        t->k->gemm(&t->exec, g, f->d, dA, f->h2, 0, cw_f32(w3), f->h2, 1, 1.0f, 1.0f, f->h1, f->d, f->h2);
        if (b3) t->k->gemm(&t->exec, g, f->d, dc, 1, 0, cw_f32(b3), f->d, 0, 1.0f, 1.0f, f->h1, f->d, 1);
    }
    if ((g = cw_tape_grad(t, w3)))
        t->k->gemm(&t->exec, g, f->h2, cw_f32(w1), f->d, 1, dA, f->h2, 0, 1.0f, 1.0f, f->d, f->h2, f->h1);
    if ((g = cw_tape_grad(t, b3)))
        t->k->gemm(&t->exec, g, f->d, dc, f->h1, 0, cw_f32(w1), f->d, 0, 1.0f, 1.0f, 1, f->d, f->h1);
    if ((g = cw_tape_grad(t, node->in[FLOW_W2]))) t->k->axpy(&t->exec, g, dw2, 1.0f, f->h1 * f->h2);
    if ((g = cw_tape_grad(t, node->in[FLOW_B2]))) t->k->axpy(&t->exec, g, db2, 1.0f, f->h2);
}

/* The parts of the gradient that go through `lift`; sigma (n,h2) = dout W3, drift (n) = <dout, b3> are written. */
static void lift_back(cw_tape *t, cw_node *node, const flow *f, float *total, float *sigma, float *drift, float *ddt)
{
    cw_tensor *z = node->in[FLOW_Z], *w3 = node->in[FLOW_W3], *b3 = node->in[FLOW_B3];
    const float *dout = node->out->grad;
    t->k->gemm(&t->exec, sigma, f->h2, dout, f->d, 0, cw_f32(w3), f->h2, 0, 1.0f, 0.0f, f->n, f->h2, f->d);
    float *dz = cw_tape_grad(t, z), *db3 = cw_tape_grad(t, b3), *dw3 = cw_tape_grad(t, w3);
    if (dz) t->k->axpy(&t->exec, dz, dout, 1.0f, f->n * f->d);
    for (int64_t r = 0; r < f->n; r++) {
        double shares = share_sum(f, r);
        drift[r] = b3 ? (float)dot(dout + r * f->d, cw_f32(b3), f->d) : 0.0f;
        ddt[r] = (float)(dot(sigma + r * f->h2, total + r * f->h2, f->h2) + shares * drift[r]);
        for (int64_t j = 0; db3 && j < f->d; j++) db3[j] += (float)(f->dt[r] * shares) * dout[r * f->d + j];
        for (int64_t j = 0; j < f->h2; j++) total[r * f->h2 + j] *= f->dt[r];
    }
    if (dw3) t->k->gemm(&t->exec, dw3, f->h2, dout, f->d, 1, total, f->h2, 0, 1.0f, 1.0f, f->d, f->h2, f->n);
}

static void flow_backward(cw_tape *t, cw_node *node)
{
    flow_saved *s = node->saved;
    cw_tensor *z = node->in[FLOW_Z], *duration = node->in[FLOW_DURATION];
    int64_t h1 = cw_rows(node->in[FLOW_W1]), h2 = cw_cols(node->in[FLOW_W3]);
    const float *zd = cw_tape_data(t, z);
    if (node->in[FLOW_SHARE] && !cw_tape_data(t, node->in[FLOW_SHARE])) return; /* dropped: computed again */
    flow f = flow_of(t, node, node->kept[2], node->kept[2] + h1 * h2 + h1);
    int64_t slots = smaller(tiles_of(f.n), FLOW_SLOTS), room = backward_room(&f), size = 2 * h1 * h2 + h1 + h2;
    int trains = 0, moves = duration && duration->needs_grad;
    for (int i = FLOW_W1; i <= FLOW_B3; i++) trains |= node->in[i] && node->in[i]->needs_grad;
    float *lambda = cw_arena_take(t->arena, f.n * (h1 + h2 + 2) * (int64_t)sizeof *lambda);
    float *sums = cw_arena_take(t->arena, slots * size * (int64_t)sizeof *sums);
    float *work = cw_arena_take(t->arena, slots * room * (int64_t)sizeof *work);
    float *dshare = cw_tape_grad(t, node->in[FLOW_SHARE]);
    if (!lambda || !sums || !work || !zd || t->ctx->status != CW_OK) return;
    float *sigma = lambda + f.n * h1, *drift = sigma + f.n * h2, *ddt = drift + f.n;
    memset(sums, 0, (size_t)(slots * size) * sizeof *sums);
    memset(ddt, 0, (size_t)f.n * sizeof *ddt);
    if (!s->path) lift_back(t, node, &f, node->kept[1], sigma, drift, ddt);
    int threads = threads_for(t, &f);
    (void)threads;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
    for (int64_t slot = 0; slot < slots; slot++) {
        float *dA = sums + slot * size, *dc = dA + h1 * h2, *dw2 = dc + h1;
        flow_grad g = {trains ? dA : NULL,
                       trains ? dc : NULL,
                       trains ? dw2 : NULL,
                       trains ? dw2 + h1 * h2 : NULL,
                       lambda,
                       moves ? ddt : NULL,
                       dshare,
                       s->path ? node->out->grad : sigma,
                       s->path ? NULL : drift};
        for (int64_t tile = slot; tile < tiles_of(f.n); tile += slots)
            backward_tile(&f, &g, work + slot * room, node->kept[0], tile * FLOW_ROWS);
    }
    if (trains) add_slots(sums, slots, size), unfold(t, node, &f, sums);
    float *dz = cw_tape_grad(t, z), *dw1 = cw_tape_grad(t, node->in[FLOW_W1]),
          *db1 = cw_tape_grad(t, node->in[FLOW_B1]);
    if (dz) t->k->gemm(&t->exec, dz, f.d, lambda, h1, 0, cw_f32(node->in[FLOW_W1]), f.d, 0, 1.0f, 1.0f, f.n, f.d, h1);
    if (dw1) t->k->gemm(&t->exec, dw1, f.d, lambda, h1, 1, zd, f.d, 0, 1.0f, 1.0f, h1, f.d, f.n);
    if (db1) t->k->column_sum(&t->exec, db1, lambda, f.n, h1);
    float *dduration = cw_tape_grad(t, duration);
    double per = s->spec.scale / (double)s->spec.steps, sum = 0;
    for (int64_t r = 0; dduration && r < f.n; r++) {
        sum += per * ddt[r];
        if (cw_count(duration) > 1) dduration[r] += (float)(per * ddt[r]);
    }
    if (dduration && cw_count(duration) == 1) dduration[0] += (float)sum;
    cw_arena_give(t->arena, lambda), cw_arena_give(t->arena, sums), cw_arena_give(t->arena, work);
}

static const cw_op op_flow = {"flow", .backward = flow_backward, .host_only = 1};

static int flow_shape(cw_tape *t, const char *what, int64_t got, int64_t want)
{
    if (got == want) return 1;
    cw_fail(t->ctx, CW_ERR_SHAPE, "flow: %s is %lld, expected %lld", what, (long long)got, (long long)want);
    return 0;
}

static cw_tensor *flow_new(cw_tape *t, cw_tensor *z, cw_flow_field w, cw_tensor *duration, cw_tensor *share,
                           cw_flow_spec spec, int path)
{
    cw_tensor *in[FLOW_INPUTS] = {z, w.w1, w.b1, w.w2, w.b2, w.w3, w.b3, duration, share};
    cw_node *node = cw_node_new(t, &op_flow, FLOW_INPUTS, in, sizeof(flow_saved));
    if (!node) return NULL;
    int64_t n = cw_rows(z), d = cw_cols(z), h1 = cw_rows(w.w1), h2 = cw_cols(w.w3);
    if (!flow_shape(t, "the first weight's width", cw_cols(w.w1), d) ||
        !flow_shape(t, "the second weight's height", cw_rows(w.w2), h2) ||
        !flow_shape(t, "the second weight's width", cw_cols(w.w2), h1) ||
        !flow_shape(t, "the third weight's height", cw_rows(w.w3), d) ||
        (duration && cw_count(duration) != 1 && !flow_shape(t, "the number of durations", cw_count(duration), n)) ||
        (share && !flow_shape(t, "the shares", cw_count(share), n * spec.steps)))
        return NULL;
    if (spec.steps < 1) {
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "flow: %lld steps", (long long)spec.steps);
        return NULL;
    }
    flow_saved *s = node->saved;
    s->spec = spec;
    s->path = path;
    node->out = path ? cw_tape_matrix(t, spec.steps * n, h2) : cw_tape_matrix(t, n, d);
    if (!node->out || !flow_run(t, node)) return NULL;
    return cw_node_done(t, node);
}

cw_tensor *cw_flow(cw_tape *t, cw_tensor *z, cw_flow_field field, cw_tensor *duration, cw_tensor *share,
                   cw_flow_spec spec)
{
    return flow_new(t, z, field, duration, share, spec, 0);
}

cw_tensor *cw_flow_path(cw_tape *t, cw_tensor *z, cw_flow_field field, cw_flow_spec spec)
{
    return flow_new(t, z, field, NULL, NULL, spec, 1);
}

/* ---- reading: mean over genes of a trajectory interpolated at each gene's time ---- */

typedef struct {
    float longest;
    int64_t steps;
} share_saved;

/* Reading at position p = tau / dt adds min(max(p - i, 0), 1) f_i for every step i: whole steps that lie before it and
 * part of the one it lies in. So the mean over genes needs one number for every step. */
static int64_t step_at(double *part, float tau, const share_saved *s)
{
    double p = fmin(fmax((double)tau, 0.0), (double)s->longest) / ((double)s->longest / (double)s->steps);
    int64_t i = smaller((int64_t)p, s->steps - 1);
    *part = p - (double)i;
    return i;
}

static void share_backward(cw_tape *t, cw_node *node)
{
    const share_saved *s = node->saved;
    cw_tensor *tau = node->in[0];
    int64_t n = cw_rows(tau), genes = cw_cols(tau);
    const float *x = cw_tape_data(t, tau);
    float *dtau = cw_tape_grad(t, tau);
    double part, slope = (double)s->steps / (double)s->longest / (double)genes;
    for (int64_t j = 0; dtau && j < n * genes; j++)
        if (x[j] >= 0.0f && x[j] <= s->longest)
            dtau[j] += (float)(slope * node->out->grad[j / genes * s->steps + step_at(&part, x[j], s)]);
}

static const cw_op op_share = {"flow_share", .backward = share_backward, .host_only = 1};

cw_tensor *cw_flow_share(cw_tape *t, cw_tensor *tau, float longest, int64_t steps)
{
    cw_node *node = cw_node_new(t, &op_share, 1, (cw_tensor *[]){tau}, sizeof(share_saved));
    if (!node) return NULL;
    if (steps < 1 || !(longest > 0.0f) || cw_cols(tau) < 1) {
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "flow_share: %lld steps to %g, %lld genes", (long long)steps, (double)longest,
                (long long)cw_cols(tau));
        return NULL;
    }
    share_saved *s = node->saved;
    *s = (share_saved){longest, steps};
    int64_t n = cw_rows(tau), genes = cw_cols(tau);
    node->out = cw_tape_matrix(t, n, steps);
    double *part = cw_arena_take(t->arena, 2 * steps * (int64_t)sizeof *part), rest;
    if (!node->out || !part) return NULL;
    double *count = part + steps;
    for (int64_t r = 0; r < n; r++) {
        memset(part, 0, 2 * (size_t)steps * sizeof *part);
        for (int64_t g = 0; g < genes; g++) {
            int64_t i = step_at(&rest, cw_f32(tau)[r * genes + g], s);
            part[i] += rest;
            count[i] += 1.0;
        }
        double beyond = 0; /* genes whose reading lies behind step i */
        for (int64_t i = steps - 1; i >= 0; i--) {
            cw_f32(node->out)[r * steps + i] = (float)((part[i] + beyond) / (double)genes);
            beyond += count[i];
        }
    }
    cw_arena_give(t->arena, part);
    return cw_node_done(t, node);
}

/* ---- spectral norm: W / (u^T W v), u and v constants ---- */

typedef struct {
    const float *u, *v;
    double sigma;
} spectral_saved;

static void spectral_backward(cw_tape *t, cw_node *node)
{
    const spectral_saved *s = node->saved;
    cw_tensor *w = node->in[0];
    int64_t rows = cw_rows(w), cols = cw_cols(w);
    const float *dy = node->out->grad, *y = cw_f32(node->out);
    float *dw = cw_tape_grad(t, w);
    if (!dw) return;
    double along = dot(dy, y, rows * cols) / s->sigma; /* d sigma / dW = u v^T */
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            dw[i * cols + j] += (float)(dy[i * cols + j] / s->sigma - along * s->u[i] * s->v[j]);
}

static const cw_op op_spectral = {"spectral_norm", .backward = spectral_backward, .host_only = 1};

cw_tensor *cw_spectral_norm(cw_tape *t, cw_tensor *w, const float *u, const float *v)
{
    cw_node *node = cw_node_new(t, &op_spectral, 1, (cw_tensor *[]){w}, sizeof(spectral_saved));
    if (!node) return NULL;
    int64_t rows = cw_rows(w), cols = cw_cols(w);
    spectral_saved *s = node->saved;
    *s = (spectral_saved){u, v, 0.0};
    for (int64_t i = 0; i < rows; i++) s->sigma += u[i] * dot(cw_f32(w) + i * cols, v, cols);
    if (!isfinite(s->sigma) || s->sigma == 0.0) {
        cw_fail(t->ctx, CW_ERR_NUMERIC, "spectral_norm: the weight's norm is %g", s->sigma);
        return NULL;
    }
    node->out = cw_tape_matrix(t, rows, cols);
    if (!node->out) return NULL;
    for (int64_t i = 0; i < rows * cols; i++) cw_f32(node->out)[i] = (float)(cw_f32(w)[i] / s->sigma);
    return cw_node_done(t, node);
}
