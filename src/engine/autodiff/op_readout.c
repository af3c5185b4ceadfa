/* op_readout.c: every gene decoded from the state at its own time.
 *
 *     v_bg = T_b(tau_bg),  T_b piecewise linear through T_b,i = start_b + dt (lift S_b,i + i drift),
 *     S_b,i = sum_{s<i} hbar_b,s,   y_bg = <emb_g, relu(v_bg) mask_b> + bias_g
 *
 * T is the decoder's first layer along the trajectory (see cw_flow_path): interpolation and that layer are both linear,
 * so they change places, and no (cells, genes, width) array exists. A gene reads the two grid points around its time.
 * One cell after the other; what the cells share is summed in slots of a fixed number and added in order. */
#include "ops.h"

#include <math.h>
#include <string.h>

#define SLOTS 8
#define LANES 16 /* partial sums of a dot product */

enum { READ_PATH, READ_START, READ_LIFT, READ_DRIFT, READ_TAU, READ_EMB, READ_BIAS, READ_INPUTS };

typedef struct {
    float longest;
    int64_t steps;
    const float *mask; /* (n,k), or NULL */
} read_saved;

typedef struct reading {
    const cw_kernels *k;
    const float *path, *start, *lift, *drift, *tau, *emb, *bias, *mask;
    int64_t n, width, h, genes, steps; /* width: of the decoder's hidden layer */
    float longest, dt;
} reading;

static reading reading_of(cw_tape *t, cw_node *node)
{
    const read_saved *s = node->saved;
    cw_tensor **in = node->in;
    return (reading){.k = t->k,
                     .path = cw_tape_data(t, in[READ_PATH]),
                     .start = cw_tape_data(t, in[READ_START]),
                     .lift = cw_tape_data(t, in[READ_LIFT]),
                     .drift = cw_tape_data(t, in[READ_DRIFT]),
                     .tau = cw_tape_data(t, in[READ_TAU]),
                     .emb = cw_tape_data(t, in[READ_EMB]),
                     .bias = cw_tape_data(t, in[READ_BIAS]),
                     .mask = s->mask,
                     .n = cw_rows(in[READ_START]),
                     .width = cw_cols(in[READ_START]),
                     .h = cw_cols(in[READ_PATH]),
                     .genes = cw_cols(in[READ_TAU]),
                     .steps = s->steps,
                     .longest = s->longest,
                     .dt = s->longest / (float)s->steps};
}

/* S (steps + 1, h) and T (steps + 1, width) of cell b. */
static void trajectory(const reading *r, float *S, float *T, int64_t b)
{
    const cw_exec one = {1};
    memset(S, 0, (size_t)r->h * sizeof *S);
    for (int64_t i = 0; i < r->steps; i++)
        for (int64_t j = 0; j < r->h; j++) S[(i + 1) * r->h + j] = S[i * r->h + j] + r->path[(i * r->n + b) * r->h + j];
    r->k->gemm(&one, T, r->width, S, r->h, 0, r->lift, r->h, 1, r->dt, 0.0f, r->steps + 1, r->width, r->h);
    for (int64_t i = 0; i <= r->steps; i++)
        for (int64_t j = 0; j < r->width; j++)
            T[i * r->width + j] += r->start[b * r->width + j] + (r->drift ? r->dt * (float)i * r->drift[j] : 0.0f);
}

/* The grid point before tau and the share of the next one; *inside: the reading moves with tau. */
static int64_t place(const reading *r, float tau, float *share, int *inside)
{
    double p = fmin(fmax((double)tau, 0.0), (double)r->longest) / ((double)r->longest / (double)r->steps);
    int64_t i = (int64_t)p < r->steps - 1 ? (int64_t)p : r->steps - 1;
    *share = (float)(p - (double)i);
    *inside = tau >= 0.0f && tau <= r->longest;
    return i;
}

static void read_cell(const reading *r, float *work, float *out, int64_t b)
{
    float *S = work, *T = S + (r->steps + 1) * r->h, share;
    const float *mask = r->mask ? r->mask + b * r->width : NULL;
    int inside;
    trajectory(r, S, T, b);
    for (int64_t g = 0; g < r->genes; g++) {
        const float *low = T + place(r, r->tau[b * r->genes + g], &share, &inside) * r->width, *high = low + r->width;
        const float *e = r->emb + g * r->width;
        float sum[LANES] = {0};
        int64_t j = 0;
        for (; j + LANES <= r->width; j += LANES)
            for (int l = 0; l < LANES; l++) {
                float v = low[j + l] + share * (high[j + l] - low[j + l]);
                sum[l] += (v > 0 ? v : 0.0f) * e[j + l] * (mask ? mask[j + l] : 1.0f);
            }
        double total = r->bias ? r->bias[g] : 0.0;
        for (; j < r->width; j++) {
            float v = low[j] + share * (high[j] - low[j]);
            total += (v > 0 ? v : 0.0f) * e[j] * (mask ? mask[j] : 1.0f);
        }
        for (int l = 0; l < LANES; l++) total += sum[l];
        out[b * r->genes + g] = (float)total;
    }
}

/* Gradients of one cell: dpath's and dstart's rows and dtau are its own; demb, dlift, ddrift are a slot's sums. NULL:
 * not wanted. */
typedef struct {
    const float *dout;
    float *dpath, *dstart, *dtau, *demb, *dlift, *ddrift;
} read_grad;

static void back_cell(const reading *r, const read_grad *d, float *work, int64_t b)
{
    const cw_exec one = {1};
    int64_t points = r->steps + 1, w = r->width;
    float *S = work, *T = S + points * r->h, *dT = T + points * w, share;
    const float *mask = r->mask ? r->mask + b * w : NULL;
    int inside;
    trajectory(r, S, T, b);
    memset(dT, 0, (size_t)(points * w) * sizeof *dT);
    for (int64_t g = 0; g < r->genes; g++) {
        float gy = d->dout[b * r->genes + g], slope = 0;
        int64_t i = place(r, r->tau[b * r->genes + g], &share, &inside);
        const float *low = T + i * w, *high = low + w, *e = r->emb + g * w;
        float *dlow = dT + i * w, *dhigh = dlow + w, *de = d->demb ? d->demb + g * w : NULL;
        for (int64_t j = 0; j < w; j++) {
            float v = low[j] + share * (high[j] - low[j]), on = v > 0 ? (mask ? mask[j] : 1.0f) : 0.0f;
            float dv = gy * e[j] * on;
            if (de) de[j] += gy * v * on;
            dlow[j] += (1.0f - share) * dv;
            dhigh[j] += share * dv;
            slope += dv * (high[j] - low[j]);
        }
        if (d->dtau && inside) d->dtau[b * r->genes + g] += slope / r->dt;
    }
    for (int64_t i = 0; i < points; i++)
        for (int64_t j = 0; j < w; j++) {
            if (d->dstart) d->dstart[b * w + j] += dT[i * w + j];
            if (d->ddrift) d->ddrift[j] += r->dt * (float)i * dT[i * w + j];
        }
    if (d->dlift) r->k->gemm(&one, d->dlift, r->h, dT, w, 1, S, r->h, 0, r->dt, 1.0f, w, r->h, points);
    if (!d->dpath) return;
    float *dS = S; /* S is spent */
    r->k->gemm(&one, dS, r->h, dT, w, 0, r->lift, r->h, 0, r->dt, 0.0f, points, r->h, w);
    for (int64_t i = r->steps - 1; i >= 0; i--) /* a step counts for all points behind it */
        for (int64_t j = 0; j < r->h; j++) {
            if (i + 2 < points) dS[(i + 1) * r->h + j] += dS[(i + 2) * r->h + j];
            d->dpath[(i * r->n + b) * r->h + j] += dS[(i + 1) * r->h + j];
        }
}

static void read_backward(cw_tape *t, cw_node *node)
{
    reading r = reading_of(t, node);
    cw_tensor **in = node->in;
    int64_t points = r.steps + 1, room = points * (r.h + 2 * r.width), slots = r.n < SLOTS ? r.n : SLOTS;
    int64_t size = r.genes * r.width + r.width * r.h + r.width;
    float *demb = cw_tape_grad(t, in[READ_EMB]), *dlift = cw_tape_grad(t, in[READ_LIFT]);
    float *ddrift = cw_tape_grad(t, in[READ_DRIFT]), *dbias = cw_tape_grad(t, in[READ_BIAS]);
    float *dpath = cw_tape_grad(t, in[READ_PATH]), *dstart = cw_tape_grad(t, in[READ_START]);
    float *dtau = cw_tape_grad(t, in[READ_TAU]);
    float *work = cw_arena_take(t->arena, slots * room * (int64_t)sizeof *work);
    float *sums = cw_arena_take(t->arena, slots * size * (int64_t)sizeof *sums);
    if (!work || !sums || t->ctx->status != CW_OK) return;
    memset(sums, 0, (size_t)(slots * size) * sizeof *sums);
    const float *dout = node->out->grad;
#pragma omp parallel for schedule(dynamic, 1) num_threads(t->exec.threads) if (r.n * r.genes * r.width > 1000000)
    for (int64_t s = 0; s < slots; s++) {
        float *e = sums + s * size, *l = e + r.genes * r.width;
        read_grad d = {dout, dpath, dstart, dtau, demb ? e : NULL, dlift ? l : NULL, ddrift ? l + r.width * r.h : NULL};
        for (int64_t b = s; b < r.n; b += slots) back_cell(&r, &d, work + s * room, b);
    }
    for (int64_t s = 0; s < slots; s++) {
        const float *e = sums + s * size, *l = e + r.genes * r.width;
        if (demb) t->k->axpy(&t->exec, demb, e, 1.0f, r.genes * r.width);
        if (dlift) t->k->axpy(&t->exec, dlift, l, 1.0f, r.width * r.h);
        if (ddrift) t->k->axpy(&t->exec, ddrift, l + r.width * r.h, 1.0f, r.width);
    }
    if (dbias) t->k->column_sum(&t->exec, dbias, dout, r.n, r.genes);
    cw_arena_give(t->arena, work), cw_arena_give(t->arena, sums);
}

static const cw_op op_read = {"gene_readout", .backward = read_backward, .host_only = 1};

cw_tensor *cw_gene_readout(cw_tape *t, cw_gene_reading g, cw_tensor *tau, const float *mask, float longest,
                           int64_t steps)
{
    cw_tensor *in[READ_INPUTS] = {g.path, g.start, g.lift, g.drift, tau, g.emb, g.bias};
    cw_node *node = cw_node_new(t, &op_read, READ_INPUTS, in, sizeof(read_saved));
    if (!node) return NULL;
    int64_t n = cw_rows(g.start), k = cw_cols(g.start), h = cw_cols(g.path), genes = cw_cols(tau);
    if (steps < 1 || !(longest > 0) || cw_rows(g.path) != steps * n || cw_rows(g.lift) != k || cw_cols(g.lift) != h ||
        (g.drift && cw_count(g.drift) != k) || cw_rows(tau) != n || cw_rows(g.emb) != genes || cw_cols(g.emb) != k ||
        (g.bias && cw_count(g.bias) != genes)) {
        cw_fail(t->ctx, CW_ERR_SHAPE,
                "gene_readout: %lld cells, %lld genes, width %lld, path of %lld rows for %lld steps", (long long)n,
                (long long)genes, (long long)k, (long long)cw_rows(g.path), (long long)steps);
        return NULL;
    }
    *(read_saved *)node->saved = (read_saved){longest, steps, mask};
    node->out = cw_tape_matrix(t, n, genes);
    reading r = reading_of(t, node);
    int64_t room = (steps + 1) * (h + k), slots = n < SLOTS ? n : SLOTS;
    float *work = cw_arena_take(t->arena, slots * room * (int64_t)sizeof *work);
    if (!node->out || !work) return NULL;
    float *out = cw_f32(node->out);
#pragma omp parallel for schedule(dynamic, 1) num_threads(t->exec.threads) if (n * genes * k > 1000000)
    for (int64_t s = 0; s < slots; s++)
        for (int64_t b = s; b < n; b += slots) read_cell(&r, work + s * room, out, b);
    cw_arena_give(t->arena, work);
    return cw_node_done(t, node);
}

/* ---- reading by attention: no grid, no flow ---- */

enum { TOKEN_KEY, TOKEN_VALUE, TOKEN_QUERY, TOKEN_DELAY, TOKEN_OUT, TOKEN_TAU, TOKEN_INPUTS };

typedef struct {
    int64_t tokens;
} token_saved;

typedef struct {
    const cw_kernels *k;
    const float *key, *value, *query, *delay, *out, *tau; /* see cw_token_readout */
    int64_t n, genes, tokens, width;
    float scale;
} token_reading;

static token_reading tokens_of(cw_tape *t, cw_node *node)
{
    cw_tensor **in = node->in;
    int64_t tokens = ((token_saved *)node->saved)->tokens, width = cw_cols(in[TOKEN_QUERY]);
    return (token_reading){.k = t->k,
                           .key = cw_tape_data(t, in[TOKEN_KEY]),
                           .value = cw_tape_data(t, in[TOKEN_VALUE]),
                           .query = cw_tape_data(t, in[TOKEN_QUERY]),
                           .delay = cw_tape_data(t, in[TOKEN_DELAY]),
                           .out = cw_tape_data(t, in[TOKEN_OUT]),
                           .tau = cw_tape_data(t, in[TOKEN_TAU]),
                           .n = cw_rows(in[TOKEN_TAU]),
                           .genes = cw_cols(in[TOKEN_TAU]),
                           .tokens = tokens,
                           .width = width,
                           .scale = 1.0f / sqrtf((float)width)};
}

/* Of cell b: attention A (genes,tokens), what each token says U (genes,tokens), and <key, delay> along (tokens). */
static void attend_cell(const token_reading *r, float *A, float *U, float *along, int64_t b)
{
    const cw_exec one = {1};
    int64_t m = r->tokens, w = r->width;
    const float *key = r->key + b * m * w, *value = r->value + b * m * w;
    r->k->gemm(&one, A, m, r->query, w, 0, key, w, 1, 1.0f, 0.0f, r->genes, m, w);
    r->k->gemm(&one, U, m, r->out, w, 0, value, w, 1, 1.0f, 0.0f, r->genes, m, w);
    r->k->gemm(&one, along, 1, key, w, 0, r->delay, 1, 0, 1.0f, 0.0f, m, 1, w);
    for (int64_t g = 0; g < r->genes; g++)
        for (int64_t j = 0; j < m; j++) A[g * m + j] += r->tau[b * r->genes + g] * along[j];
    r->k->softmax(&one, A, A, r->scale, r->genes, m);
}

/* Gradients: of a slot's shared tensors, and the cell's own rows. NULL: not wanted. */
typedef struct {
    const float *dy, *y;
    float *dkey, *dvalue, *dtau, *dquery, *dout, *ddelay;
} token_grad;

static void attend_back(const token_reading *r, const token_grad *d, float *work, int64_t b)
{
    const cw_exec one = {1};
    int64_t m = r->tokens, w = r->width, G = r->genes;
    float *A = work, *U = A + G * m, *along = U + G * m, *pull = along + m;
    const float *key = r->key + b * m * w, *value = r->value + b * m * w;
    attend_cell(r, A, U, along, b);
    memset(pull, 0, (size_t)m * sizeof *pull);
    for (int64_t g = 0; g < G; g++) {
        float gy = d->dy[b * G + g], y = d->y[b * G + g], tau = r->tau[b * G + g], slope = 0;
        for (int64_t j = 0; j < m; j++) {
            float a = A[g * m + j], s = r->scale * gy * a * (U[g * m + j] - y);
            A[g * m + j] = s;      /* from here the gradient of the score */
            U[g * m + j] = gy * a; /* and of what the token says */
            slope += s * along[j];
            pull[j] += tau * s;
        }
        if (d->dtau) d->dtau[b * G + g] += slope;
    }
    if (d->dquery) r->k->gemm(&one, d->dquery, w, A, m, 0, key, w, 0, 1.0f, 1.0f, G, w, m);
    if (d->dout) r->k->gemm(&one, d->dout, w, U, m, 0, value, w, 0, 1.0f, 1.0f, G, w, m);
    if (d->ddelay) r->k->gemm(&one, d->ddelay, w, pull, m, 0, key, w, 0, 1.0f, 1.0f, 1, w, m);
    if (d->dvalue) r->k->gemm(&one, d->dvalue + b * m * w, w, U, m, 1, r->out, w, 0, 1.0f, 1.0f, m, w, G);
    if (!d->dkey) return;
    r->k->gemm(&one, d->dkey + b * m * w, w, A, m, 1, r->query, w, 0, 1.0f, 1.0f, m, w, G);
    r->k->gemm(&one, d->dkey + b * m * w, w, pull, 1, 0, r->delay, w, 0, 1.0f, 1.0f, m, w, 1);
}

static void token_backward(cw_tape *t, cw_node *node)
{
    token_reading r = tokens_of(t, node);
    cw_tensor **in = node->in;
    int64_t slots = r.n < SLOTS ? r.n : SLOTS, room = 2 * (r.genes + 1) * r.tokens, each = r.genes * r.width;
    int64_t size = 2 * each + r.width;
    float *dquery = cw_tape_grad(t, in[TOKEN_QUERY]), *dout = cw_tape_grad(t, in[TOKEN_OUT]);
    float *ddelay = cw_tape_grad(t, in[TOKEN_DELAY]), *dkey = cw_tape_grad(t, in[TOKEN_KEY]);
    float *dvalue = cw_tape_grad(t, in[TOKEN_VALUE]), *dtau = cw_tape_grad(t, in[TOKEN_TAU]);
    float *work = cw_arena_take(t->arena, slots * room * (int64_t)sizeof *work);
    float *sums = cw_arena_take(t->arena, slots * size * (int64_t)sizeof *sums);
    if (!work || !sums || t->ctx->status != CW_OK) return;
    memset(sums, 0, (size_t)(slots * size) * sizeof *sums);
    const float *dy = node->out->grad, *y = cw_f32(node->out);
#pragma omp parallel for schedule(dynamic, 1) num_threads(t->exec.threads) if (r.n * each > 100000)
    for (int64_t s = 0; s < slots; s++) {
        float *q = sums + s * size;
        token_grad d = {
            dy, y, dkey, dvalue, dtau, dquery ? q : NULL, dout ? q + each : NULL, ddelay ? q + 2 * each : NULL};
        for (int64_t b = s; b < r.n; b += slots) attend_back(&r, &d, work + s * room, b);
    }
    for (int64_t s = 0; s < slots; s++) {
        if (dquery) t->k->axpy(&t->exec, dquery, sums + s * size, 1.0f, each);
        if (dout) t->k->axpy(&t->exec, dout, sums + s * size + each, 1.0f, each);
        if (ddelay) t->k->axpy(&t->exec, ddelay, sums + s * size + 2 * each, 1.0f, r.width);
    }
    cw_arena_give(t->arena, work), cw_arena_give(t->arena, sums);
}

static const cw_op op_token = {"token_readout", .backward = token_backward, .host_only = 1};

cw_tensor *cw_token_readout(cw_tape *t, cw_token_reading x, cw_tensor *tau, int64_t tokens)
{
    cw_tensor *in[TOKEN_INPUTS] = {x.key, x.value, x.query, x.delay, x.out, tau};
    cw_node *node = cw_node_new(t, &op_token, TOKEN_INPUTS, in, sizeof(token_saved));
    if (!node) return NULL;
    int64_t n = cw_rows(tau), genes = cw_cols(tau), w = cw_cols(x.query);
    if (tokens < 1 || cw_count(x.key) != n * tokens * w || cw_count(x.value) != n * tokens * w ||
        cw_rows(x.query) != genes || cw_count(x.delay) != w || cw_rows(x.out) != genes || cw_cols(x.out) != w) {
        cw_fail(t->ctx, CW_ERR_SHAPE, "token_readout: %lld cells, %lld genes, %lld tokens of width %lld", (long long)n,
                (long long)genes, (long long)tokens, (long long)w);
        return NULL;
    }
    ((token_saved *)node->saved)->tokens = tokens;
    node->out = cw_tape_matrix(t, n, genes);
    token_reading r = tokens_of(t, node);
    int64_t slots = n < SLOTS ? n : SLOTS, room = (2 * genes + 1) * tokens;
    float *work = cw_arena_take(t->arena, slots * room * (int64_t)sizeof *work);
    if (!node->out || !work) return NULL;
    float *y = cw_f32(node->out);
#pragma omp parallel for schedule(dynamic, 1) num_threads(t->exec.threads) if (n * genes * w > 100000)
    for (int64_t s = 0; s < slots; s++) {
        float *A = work + s * room, *U = A + genes * tokens, *along = U + genes * tokens;
        for (int64_t b = s; b < n; b += slots) {
            attend_cell(&r, A, U, along, b);
            for (int64_t g = 0; g < genes; g++) {
                float sum = 0;
                for (int64_t j = 0; j < tokens; j++) sum += A[g * tokens + j] * U[g * tokens + j];
                y[b * genes + g] = sum;
            }
        }
    }
    cw_arena_give(t->arena, work);
    return cw_node_done(t, node);
}
