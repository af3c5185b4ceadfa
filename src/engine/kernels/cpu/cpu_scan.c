/* cpu_scan.c: the selective scan in chunks (Dao & Gu 2024, "state space duality"): within a chunk it is a masked matrix
 * product, between chunks a state is handed on. With c_i the sum of dt a from the chunk's start up to token i:
 *
 *   Y = (L o C B^T) (dt X) + e^c o (C S^T),  L_ij = e^(c_i - c_j) for j <= i,   S <- e^(c_last) S + (e^(c_last - c) dt
 * X)^T B
 *
 * Exponents are sums in double and differences are taken before they become floats. All exponents are <= 0.
 * And attention without a softmax, which is two products. */
#include "cpu.h"

#include "../../core/threads.h"

#include <math.h>
#include <string.h>

#define CW_TILES "scan_tiles.h"
#include "simd_each.h"

enum { CHUNK = 64 };

static void (*const exponentials[CW_SIMD_COUNT])(float *, const float *, int64_t) = CW_SIMD_TABLE(exponentials);
static void (*const products[CW_SIMD_COUNT])(float *, const float *, const float *, const float *,
                                             int64_t) = CW_SIMD_TABLE(products);
static float (*const inner[CW_SIMD_COUNT])(const float *, const float *, int64_t) = CW_SIMD_TABLE(inner);
static void (*const scaled[CW_SIMD_COUNT])(float *, const float *, float, int, int64_t) = CW_SIMD_TABLE(scaled);

static const cw_exec one_thread = {1};

/* C (m,n) = op(A) op(B) + beta C on this thread */
static void product(float *C, int64_t ldc, const float *A, int64_t lda, int ta, const float *B, int64_t ldb, int tb,
                    float beta, int64_t m, int64_t n, int64_t k)
{
    cw_cpu_gemm(&one_thread, C, ldc, A, lda, ta, B, ldb, tb, 1.0f, beta, m, n, k);
}

static int64_t longest(cw_ragged seq)
{
    int64_t most = 0;
    for (int64_t s = 0; s < seq.count; s++)
        if (seq.start[s + 1] - seq.start[s] > most) most = seq.start[s + 1] - seq.start[s];
    return most;
}

static int64_t round_16(int64_t n) { return (n + 15) / 16 * 16; }

/* What one task works in. Forward: the first row. */
typedef struct room {
    float *state, *scores, *decay, *values;                             /* (P,N), (CHUNK,CHUNK) twice, (CHUNK,P) */
    float *states, *G, *steps, *mixed, *gradient, *inputs, *far, *near; /* (chunks + 1,P,N) (P,N) (CHUNK,CHUNK) twice,
                                                                          (CHUNK,P) twice, (CHUNK,N) twice */
} room;

static int64_t room_floats(const cw_scan *s, int backward)
{
    int64_t PN = round_16(s->head_dim * s->state), QQ = CHUNK * CHUNK, QP = round_16(CHUNK * s->head_dim);
    int64_t QN = round_16(CHUNK * s->state), chunks = (longest(s->seq) + CHUNK - 1) / CHUNK;
    int64_t forward = PN + 2 * QQ + QP;
    return backward ? forward + (chunks + 1) * PN + PN + 2 * QQ + 2 * QP + 2 * QN : forward;
}

static room room_at(float *p, const cw_scan *s, int backward)
{
    int64_t PN = round_16(s->head_dim * s->state), QQ = CHUNK * CHUNK, QP = round_16(CHUNK * s->head_dim);
    int64_t QN = round_16(CHUNK * s->state), chunks = (longest(s->seq) + CHUNK - 1) / CHUNK;
    room r = {0};
#define TAKE(name, floats) (r.name = p, p += (floats))
    TAKE(state, PN), TAKE(scores, QQ), TAKE(decay, QQ), TAKE(values, QP);
    if (!backward) return r;
    TAKE(states, (chunks + 1) * PN), TAKE(G, PN), TAKE(steps, QQ), TAKE(mixed, QQ);
    TAKE(gradient, QP), TAKE(inputs, QP), TAKE(far, QN), TAKE(near, QN);
#undef TAKE
    return r;
}

static int scan_threads(const cw_exec *ex, const cw_scan *s, int64_t tasks)
{
    double n = (double)s->seq.start[s->seq.count];
    int threads = cw_cpu_threads(ex, n * (double)(s->heads * (s->head_dim + CHUNK) * (s->state + CHUNK)) / 8);
    return (int)cw_min(threads, tasks > 0 ? tasks : 1);
}

int64_t cw_cpu_scan_work(const cw_exec *ex, cw_scan s, int backward)
{
    int64_t tasks = s.seq.count * (backward ? s.groups : s.heads);
    return scan_threads(ex, &s, tasks) * room_floats(&s, backward) + (backward ? 2 * s.seq.count * s.heads : 0);
}

/* The exponents of one chunk: c[0] = 0 at its start, c[i + 1] after token i; dt of its tokens. */
typedef struct chunk {
    int64_t first, q; /* row, tokens */
    double c[CHUNK + 1];
    float dt[CHUNK], until[CHUNK], after[CHUNK]; /* e^c_i; e^(c_last - c_i) dt_i */
} chunk;

static void read_chunk(chunk *k, int64_t first, int64_t last, const float *dt, float a, int64_t heads, int64_t h)
{
    k->first = first;
    k->q = cw_min(CHUNK, last - first);
    k->c[0] = 0;
    for (int64_t i = 0; i < k->q; i++) {
        k->dt[i] = dt[(first + i) * heads + h];
        k->c[i + 1] = k->c[i] + (double)k->dt[i] * a;
    }
    for (int64_t i = 0; i < k->q; i++) {
        k->until[i] = (float)exp(k->c[i + 1]);
        k->after[i] = (float)exp(k->c[k->q] - k->c[i + 1]) * k->dt[i];
    }
}

/* decay (q, CHUNK): e^(c_i - c_j) for j <= i, 0 above */
static void read_decay(float *decay, const chunk *k, int level)
{
    float exponent[CHUNK];
    for (int64_t i = 0; i < k->q; i++) {
        for (int64_t j = 0; j <= i; j++) exponent[j] = (float)(k->c[i + 1] - k->c[j + 1]);
        exponentials[level](decay + i * CHUNK, exponent, i + 1);
        memset(decay + i * CHUNK + i + 1, 0, (size_t)(CHUNK - i - 1) * sizeof *decay);
    }
}

/* values (q, P) = row i of x times f_i */
static void scale_rows(float *values, const float *x, int64_t ldx, const float *f, int64_t q, int64_t P, int level)
{
    for (int64_t i = 0; i < q; i++) scaled[level](values + i * P, x + i * ldx, f[i], 0, P);
}

/* S <- e^(c_last) S + (after o X)^T B */
static void next_state(float *S, float *values, const chunk *k, const float *x, int64_t ldx, const float *b,
                       int64_t ldb, int64_t P, int64_t N, int level)
{
    float keep = (float)exp(k->c[k->q]);
    for (int64_t i = 0; i < P * N; i++) S[i] *= keep;
    scale_rows(values, x, ldx, k->after, k->q, P, level);
    product(S, N, values, P, 1, b, ldb, 0, 1.0f, P, N, k->q);
}

void cw_cpu_scan(const cw_exec *ex, float *y, float *work, const float *x, int64_t ldx, const float *dt, const float *a,
                 const float *b, int64_t ldb, const float *c, int64_t ldc, const float *D, cw_scan s)
{
    int64_t P = s.head_dim, N = s.state, width = s.heads * P, tasks = s.seq.count * s.heads;
    int level = cw_cpu_simd_level(), threads = scan_threads(ex, &s, tasks);
    (void)threads;
    CW_OMP(parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1))
    for (int64_t task = 0; task < tasks; task++) {
        int64_t h = task % s.heads, group = h / (s.heads / s.groups) * N, last = s.seq.start[task / s.heads + 1];
        room r = room_at(work + cw_thread_number() * room_floats(&s, 0), &s, 0);
        chunk k;
        memset(r.state, 0, (size_t)(P * N) * sizeof *r.state);
        for (int64_t first = s.seq.start[task / s.heads]; first < last; first += CHUNK) {
            read_chunk(&k, first, last, dt, a[h], s.heads, h);
            const float *xc = x + first * ldx + h * P, *bc = b + first * ldb + group, *cc = c + first * ldc + group;
            float *yc = y + first * width + h * P;
            product(yc, width, cc, ldc, 0, r.state, N, 1, 0.0f, k.q, P, N);
            for (int64_t i = 0; i < k.q; i++) scaled[level](yc + i * width, yc + i * width, k.until[i], 0, P);
            product(r.scores, CHUNK, cc, ldc, 0, bc, ldb, 1, 0.0f, k.q, k.q, N);
            read_decay(r.decay, &k, level);
            for (int64_t i = 0; i < k.q; i++)
                products[level](r.scores + i * CHUNK, r.scores + i * CHUNK, r.decay + i * CHUNK, k.dt, k.q);
            product(yc, width, r.scores, CHUNK, 0, xc, ldx, 0, 1.0f, k.q, P, k.q);
            for (int64_t i = 0; D && i < k.q; i++) scaled[level](yc + i * width, xc + i * ldx, D[h], 1, P);
            if (first + CHUNK < last) next_state(r.state, r.values, &k, xc, ldx, bc, ldb, P, N, level);
        }
    }
}

/* What the backward of one head of one sequence needs. */
typedef struct head_backward {
    float *dx, *ddt, *db, *dc; /* at the head's or group's first column; ddt at the head's; NULL where not wanted */
    const float *dy, *x, *dt, *b, *c;
    int64_t lddx, lddb, lddc, width, ldx, ldb, ldc;
    float a, D;
    int64_t first, last, h;
} head_backward;

/* Adds to the gradients of one chunk, takes G, the gradient of the state after it, to that of the state before, and
 * returns what the chunk adds to da. S, S_end: the states before and after. */
static double chunk_backward(const head_backward *b, const chunk *k, room *r, const float *S, const float *S_end,
                             const cw_scan *s, int level)
{
    int64_t P = s->head_dim, N = s->state, q = k->q, row = k->first;
    const float *x = b->x + row * b->ldx, *B = b->b + row * b->ldb, *C = b->c + row * b->ldc;
    const float *dy = b->dy + row * b->width;
    double rows[CHUNK], run = 0, decay = 0; /* dy_i.(S_i C_i) - u_i.du_i */
    float column[CHUNK] = {0};              /* u_j.du_j */

    product(r->scores, CHUNK, C, b->ldc, 0, B, b->ldb, 1, 0.0f, q, q, N);   /* C_i.B_j */
    product(r->mixed, CHUNK, dy, b->width, 0, x, b->ldx, 1, 0.0f, q, q, P); /* dy_i.x_j */
    read_decay(r->decay, k, level);
    for (int64_t i = 0; i < q; i++) {
        float *score = r->scores + i * CHUNK, *mix = r->mixed + i * CHUNK, *step = r->steps + i * CHUNK;
        products[level](score, score, r->decay + i * CHUNK, NULL, q); /* L_ij C_i.B_j */
        products[level](step, mix, r->decay + i * CHUNK, k->dt, q);   /* L_ij dy_i.u_j */
        products[level](mix, mix, score, k->dt, q);                   /* both: what token j gives y_i.dy_i */
        rows[i] = 0;
        for (int64_t j = 0; j <= i; j++) rows[i] += mix[j], column[j] += mix[j];
    }
    /* far: what the state before gives dC; near: what the state after gives dB */
    scale_rows(r->gradient, dy, b->width, k->until, q, P, level);
    product(r->far, N, r->gradient, P, 0, S, N, 0, 0.0f, q, N, P);
    scale_rows(r->inputs, x, b->ldx, k->after, q, P, level);
    product(r->near, N, r->inputs, P, 0, r->G, N, 0, 0.0f, q, N, P);
    for (int64_t i = 0; i < q; i++) {
        rows[i] += inner[level](r->far + i * N, C + i * b->ldc, N);
        column[i] += inner[level](r->near + i * N, B + i * b->ldb, N);
    }
    if (b->dc) {
        float *dc = b->dc + row * b->lddc;
        for (int64_t i = 0; i < q; i++) scaled[level](dc + i * b->lddc, r->far + i * N, 1.0f, 1, N);
        product(dc, b->lddc, r->steps, CHUNK, 0, B, b->ldb, 0, 1.0f, q, N, q);
    }
    if (b->db) {
        float *db = b->db + row * b->lddb;
        for (int64_t i = 0; i < q; i++) scaled[level](db + i * b->lddb, r->near + i * N, 1.0f, 1, N);
        product(db, b->lddb, r->steps, CHUNK, 1, C, b->ldc, 0, 1.0f, q, N, q);
    }
    /* du = (L o C B^T)^T dY + e^(c_last - c) o (B G^T) */
    product(r->inputs, P, B, b->ldb, 0, r->G, N, 1, 0.0f, q, P, N);
    for (int64_t i = 0; i < q; i++) {
        float reach = (float)exp(k->c[q] - k->c[i + 1]);
        scaled[level](r->inputs + i * P, r->inputs + i * P, reach, 0, P);
    }
    product(r->inputs, P, r->scores, CHUNK, 1, dy, b->width, 0, 1.0f, q, P, q);
    for (int64_t i = 0; i < P * N; i++) run += (double)r->G[i] * S_end[i];
    for (int64_t i = q - 1; i >= 0; i--) {
        const float *du = r->inputs + i * P;
        if (b->dx) {
            scaled[level](b->dx + (row + i) * b->lddx, du, k->dt[i], 1, P);
            if (b->D != 0.0f) scaled[level](b->dx + (row + i) * b->lddx, dy + i * b->width, b->D, 1, P);
        }
        run += rows[i] - column[i];
        if (b->ddt) b->ddt[(row + i) * s->heads] += inner[level](x + i * b->ldx, du, P) + (float)(b->a * run);
        decay += k->dt[i] * run;
    }
    float keep = (float)exp(k->c[q]);
    for (int64_t i = 0; i < P * N; i++) r->G[i] *= keep;
    product(r->G, N, r->gradient, P, 1, C, b->ldc, 0, 1.0f, P, N, q);
    return decay;
}

/* Returns the head's share of da; *skip: of dD. States before every chunk are computed again first. */
static double one_head(const head_backward *b, room *r, const cw_scan *s, double *skip, int level)
{
    int64_t P = s->head_dim, N = s->state, PN = round_16(P * N), count = (b->last - b->first + CHUNK - 1) / CHUNK;
    double decay = 0;
    chunk k;
    memset(r->states, 0, (size_t)PN * sizeof *r->states);
    for (int64_t i = 0; i < count; i++) {
        float *S = r->states + (i + 1) * PN;
        int64_t row = b->first + i * CHUNK;
        read_chunk(&k, row, b->last, b->dt, b->a, s->heads, b->h);
        memcpy(S, S - PN, (size_t)PN * sizeof *S);
        next_state(S, r->values, &k, b->x + row * b->ldx, b->ldx, b->b + row * b->ldb, b->ldb, P, N, level);
    }
    memset(r->G, 0, (size_t)PN * sizeof *r->G);
    for (int64_t i = count - 1; i >= 0; i--) {
        read_chunk(&k, b->first + i * CHUNK, b->last, b->dt, b->a, s->heads, b->h);
        decay += chunk_backward(b, &k, r, r->states + i * PN, r->states + (i + 1) * PN, s, level);
    }
    *skip = 0;
    for (int64_t t = b->first; t < b->last; t++) *skip += inner[level](b->x + t * b->ldx, b->dy + t * b->width, P);
    return decay;
}

void cw_cpu_scan_backward(const cw_exec *ex, float *dx, int64_t lddx, float *ddt, float *da, float *db, int64_t lddb,
                          float *dc, int64_t lddc, float *dD, float *work, const float *dy, const float *x, int64_t ldx,
                          const float *dt, const float *a, const float *b, int64_t ldb, const float *c, int64_t ldc,
                          const float *D, cw_scan s)
{
    int64_t P = s.head_dim, N = s.state, each = s.heads / s.groups, tasks = s.seq.count * s.groups;
    int level = cw_cpu_simd_level(), threads = scan_threads(ex, &s, tasks);
    float *share = work + threads * room_floats(&s, 1); /* (sequences, heads, 2): of da and dD */
    CW_OMP(parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1))
    for (int64_t task = 0; task < tasks; task++) { /* heads of a group share dB and dC: one after the other */
        int64_t q = task / s.groups, g = task % s.groups;
        room r = room_at(work + cw_thread_number() * room_floats(&s, 1), &s, 1);
        for (int64_t h = g * each; h < (g + 1) * each; h++) {
            double skip;
            head_backward one = {.dx = dx ? dx + h * P : NULL,
                                 .ddt = ddt ? ddt + h : NULL,
                                 .db = db ? db + g * N : NULL,
                                 .dc = dc ? dc + g * N : NULL,
                                 .dy = dy + h * P,
                                 .x = x + h * P,
                                 .dt = dt,
                                 .b = b + g * N,
                                 .c = c + g * N,
                                 .lddx = lddx,
                                 .lddb = lddb,
                                 .lddc = lddc,
                                 .width = s.heads * P,
                                 .ldx = ldx,
                                 .ldb = ldb,
                                 .ldc = ldc,
                                 .a = a[h],
                                 .D = D ? D[h] : 0.0f,
                                 .first = s.seq.start[q],
                                 .last = s.seq.start[q + 1],
                                 .h = h};
            float *mine = share + 2 * (q * s.heads + h);
            mine[0] = (float)one_head(&one, &r, &s, &skip, level);
            mine[1] = (float)skip;
        }
    }
    for (int64_t h = 0; h < s.heads; h++) {
        double decay = 0, skip = 0;
        for (int64_t q = 0; q < s.seq.count; q++) {
            decay += share[2 * (q * s.heads + h)];
            skip += share[2 * (q * s.heads + h) + 1];
        }
        if (da) da[h] += (float)decay;
        if (dD) dD[h] += (float)skip;
    }
}

/* ---- attention without a softmax ---- */

static int linear_threads(const cw_exec *ex, const cw_attend *a)
{
    double keys = 0;
    for (int64_t s = 0; s < a->query.count; s++) keys += (double)cw_attend_keys(a, s);
    double work = ((double)a->query.start[a->query.count] + keys) * (double)(a->heads * a->head_dim * a->head_dim);
    return cw_cpu_threads(ex, work / 8);
}

void cw_cpu_linear_attend(const cw_exec *ex, float *o, float *S, const float *q, int64_t ldq, const float *k,
                          int64_t ldk, const float *v, int64_t ldv, cw_attend a)
{
    int64_t d = a.head_dim, width = a.heads * d;
    int threads = linear_threads(ex, &a);
    (void)threads;
    CW_OMP(parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1))
    for (int64_t task = 0; task < a.query.count * a.heads; task++) {
        int64_t s = task / a.heads, h = task % a.heads, rows = a.query.start[s + 1] - a.query.start[s];
        int64_t keys = cw_attend_keys(&a, s), first = a.query.start[s];
        float *state = S + task * d * d;
        if (keys > 0)
            product(state, d, k + a.key_start[s] * ldk + h * d, ldk, 1, v + a.key_start[s] * ldv + h * d, ldv, 0, 0.0f,
                    d, d, keys);
        else
            memset(state, 0, (size_t)(d * d) * sizeof *state);
        cw_cpu_gemm(&one_thread, o + first * width + h * d, width, q + first * ldq + h * d, ldq, 0, state, d, 0,
                    a.scale, 0.0f, rows, d, d);
    }
}

void cw_cpu_linear_attend_backward(const cw_exec *ex, float *dq, int64_t lddq, float *dk, int64_t lddk, float *dv,
                                   int64_t lddv, float *work, const float *dout, const float *S, const float *q,
                                   int64_t ldq, const float *k, int64_t ldk, const float *v, int64_t ldv, cw_attend a)
{
    int64_t d = a.head_dim, width = a.heads * d;
    int threads = linear_threads(ex, &a);
    (void)threads;
    CW_OMP(parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1))
    for (int64_t task = 0; task < a.query.count * a.heads; task++) {
        int64_t s = task / a.heads, h = task % a.heads, rows = a.query.start[s + 1] - a.query.start[s];
        int64_t keys = cw_attend_keys(&a, s), first = a.query.start[s], key = a.key_start[s];
        const float *g = dout + first * width + h * d;
        float *dS = work + task * d * d;
        if (rows == 0) continue;
        cw_cpu_gemm(&one_thread, dS, d, q + first * ldq + h * d, ldq, 1, g, width, 0, a.scale, 0.0f, d, d, rows);
        if (dq)
            cw_cpu_gemm(&one_thread, dq + first * lddq + h * d, lddq, g, width, 0, S + task * d * d, d, 1, a.scale,
                        1.0f, rows, d, d);
        if (dk && keys > 0)
            product(dk + key * lddk + h * d, lddk, v + key * ldv + h * d, ldv, 0, dS, d, 1, 1.0f, keys, d, d);
        if (dv && keys > 0)
            product(dv + key * lddv + h * d, lddv, k + key * ldk + h * d, ldk, 0, dS, d, 0, 1.0f, keys, d, d);
    }
}
