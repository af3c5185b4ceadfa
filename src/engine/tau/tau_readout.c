/* tau_readout.c: fits of single genes: lag-free, over a grid of delays, posterior, amortised over gene embeddings. */
#include "tau.h"

#include "../core/threads.h"
#include "../linalg/dense.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 8, TILE = 64, SUMS = 8, PRIOR_STEPS = 60, SHAPE_STEPS = 40, REACH = 6, EM_STEPS = 30, RIDGES = 22 };
#define SIGNAL_LEAST 60.0
#define CORRELATION_LEAST 0.2

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static double clip(double x, double low, double high) { return x < low ? low : x > high ? high : x; }

/* ---- lag-free fits ----------------------------------------------------------------------------------------------- */

cw_status cw_tau_lagfree_new(cw_arena *arena, cw_tau_lagfree *f, int64_t G, int64_t M)
{
    int64_t d = (int64_t)sizeof(double);
    *f = (cw_tau_lagfree){.G = G, .M = M};
    double **wide[] = {&f->a, &f->r, &f->fa, &f->fr, &f->wa, &f->wr}, **thin[] = {&f->signal_a, &f->signal_r, &f->cor};
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++) *wide[i] = cw_arena_take(arena, G * M * d);
    for (size_t i = 0; i < sizeof thin / sizeof *thin; i++) *thin[i] = cw_arena_take(arena, G * d);
    f->counted = cw_arena_take(arena, G), f->usable = cw_arena_take(arena, G);
    f->repressed = cw_arena_take(arena, G);
    return cw_arena_ctx(arena)->status;
}

/* y (M) := y / mean; 0 where there is nothing to scale. */
static int scale_to_one(double *y, const double *rate, int64_t M)
{
    double mean = 0.0;
    for (int64_t m = 0; m < M; m++) mean += rate[m];
    mean /= (double)M;
    if (!(mean > 0.0) || !isfinite(mean)) {
        for (int64_t m = 0; m < M; m++) y[m] = 0.0;
        return 0;
    }
    for (int64_t m = 0; m < M; m++) y[m] = rate[m] / mean;
    return 1;
}

/* fit (M) of y with weights w by ridge on B (M, J); room (J (J + 1)) */
static void ridge(double *fit, const double *y, const double *w, const double *B, double lambda, double *room,
                  int64_t M, int64_t J)
{
    double *K = room, *x = room + J * J;
    memset(room, 0, (size_t)(J * (J + 1)) * sizeof *room);
    for (int64_t m = 0; m < M; m++) {
        const double *b = B + m * J;
        for (int64_t j = 0; j < J; j++) {
            double wb = w[m] * b[j];
            if (wb == 0.0) continue;
            x[j] += wb * y[m];
            for (int64_t l = 0; l <= j; l++) K[j * J + l] += wb * b[l];
        }
    }
    for (int64_t j = 0; j < J; j++) K[j * J + j] += lambda;
    if (cw_dense_cholesky(K, J)) memset(x, 0, (size_t)J * sizeof *x);
    else cw_dense_solve(x, K, J);
    for (int64_t m = 0; m < M; m++) fit[m] = dot(B + m * J, x, J);
}

/* One modality of one gene: fit, weights w = depth / (dispersion fit), and the deviance explained beyond a constant.
 * depth (M) has mean 1; floor keeps small fits from taking all weight. */
static double fit_one(double *fit, double *w, const double *y, const double *depth, const double *B, double lambda,
                      double floor, double *room, int64_t M, int64_t J)
{
    for (int64_t m = 0; m < M; m++) w[m] = depth[m];
    for (int pass = 0; pass < 2; pass++) { /* quasi-Poisson: variance = dispersion x fit / depth */
        double dispersion = 0.0;
        ridge(fit, y, w, B, lambda, room, M, J);
        for (int64_t m = 0; m < M; m++)
            dispersion += depth[m] * (y[m] - fit[m]) * (y[m] - fit[m]) / fmax(fit[m], floor);
        dispersion = fmax(dispersion / fmax((double)M - 0.6 * (double)J, 1.0), 1e-9);
        for (int64_t m = 0; m < M; m++) w[m] = depth[m] / fmax(fit[m], floor) / dispersion;
    }
    double all = 0.0, mean = 0.0, signal = 0.0;
    for (int64_t m = 0; m < M; m++) all += w[m], mean += w[m] * y[m];
    mean /= all;
    for (int64_t m = 0; m < M; m++)
        signal += w[m] * ((y[m] - mean) * (y[m] - mean) - (y[m] - fit[m]) * (y[m] - fit[m]));
    return signal;
}

static void moments(double *mean, double *sd, const double *x, int64_t n)
{
    double sum = 0.0, square = 0.0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    *mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) square += (x[i] - *mean) * (x[i] - *mean);
    *sd = sqrt(square / (double)n);
}

static double correlation(const double *a, const double *b, int64_t n)
{
    double ma, mb, sa, sb, sum = 0.0;
    moments(&ma, &sa, a, n), moments(&mb, &sb, b, n);
    for (int64_t i = 0; i < n; i++) sum += (a[i] - ma) * (b[i] - mb);
    return sum / (double)n / fmax(sa * sb, 1e-9);
}

static void no_counts(cw_tau_lagfree *f, int64_t g)
{
    double *rows[] = {f->fa, f->fr, f->wa, f->wr};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int64_t m = 0; m < f->M; m++) rows[i][g * f->M + m] = 1.0;
    f->signal_a[g] = f->signal_r[g] = f->cor[g] = 0.0;
    f->counted[g] = f->usable[g] = f->repressed[g] = 0;
}

/* out (M) = depth / mean depth */
static void relative(double *out, const double *depth, int64_t M)
{
    double mean = 0.0;
    for (int64_t m = 0; m < M; m++) mean += depth[m] / (double)M;
    for (int64_t m = 0; m < M; m++) out[m] = depth[m] / fmax(mean, 1e-300);
}

cw_status cw_tau_lagfree_fit(cw_arena *arena, cw_tau_lagfree *f, const double *chromatin, const double *rna,
                             const double *depth_a, const double *depth_r, const double *B0, double lambda, int64_t J)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    if (ctx->status != CW_OK) return ctx->status;
    int64_t M = f->M, G = f->G, d = (int64_t)sizeof(double);
    double *ea = cw_arena_take(arena, M * d), *er = cw_arena_take(arena, M * d);
    double *room = cw_arena_take(arena, ctx->threads * J * (J + 1) * d);
    if (ctx->status != CW_OK) return ctx->status;
    relative(ea, depth_a, M), relative(er, depth_r, M);
    for (int64_t g0 = 0; g0 < G; g0 += 2048) {
        int64_t g1 = g0 + 2048 < G ? g0 + 2048 : G;
#pragma omp parallel for schedule(dynamic, 8) num_threads(ctx->threads)
        for (int64_t g = g0; g < g1; g++) {
            double *own = room + cw_thread_number() * J * (J + 1);
            int64_t at = g * M;
            int a = scale_to_one(f->a + at, chromatin + at, M), r = scale_to_one(f->r + at, rna + at, M);
            if (!a || !r) {
                no_counts(f, g);
                continue;
            }
            f->signal_a[g] =
                fit_one(f->fa + at, f->wa + at, f->a + at, ea, B0, lambda, f->floor > 0.0 ? f->floor : 0.1, own, M, J);
            f->signal_r[g] =
                fit_one(f->fr + at, f->wr + at, f->r + at, er, B0, lambda, f->floor > 0.0 ? f->floor : 0.05, own, M, J);
            f->cor[g] = correlation(f->fa + at, f->fr + at, M);
            f->counted[g] = 1;
            int signal = f->signal_a[g] > SIGNAL_LEAST && f->signal_r[g] > SIGNAL_LEAST;
            f->usable[g] = signal && f->cor[g] > CORRELATION_LEAST;
            f->repressed[g] = signal && f->cor[g] < -CORRELATION_LEAST;
        }
        if (cw_poll(ctx) != CW_OK) return ctx->status;
    }
    cw_arena_give(arena, room), cw_arena_give(arena, er), cw_arena_give(arena, ea);
    return ctx->status;
}

/* ---- profile likelihood ------------------------------------------------------------------------------------------ */

/* LANES genes side by side, so that the compiler works on all at once. Symmetric matrices are packed: (j, l <= j) lies
 * at j (j + 1) / 2 + l. */
typedef double lane[LANES];

typedef struct lanes {
    lane *K0, *K1, *L; /* (J (J + 1) / 2): chromatin's and RNA's normal matrices; working memory */
    lane *y0, *y1, *bs, *w; /* (J) */
    lane mr_start, beta_start, ma, swr, ry, saa, srr; /* sums of weights and responses */
    lane sign; /* of beta; SUMS members from mr_start to here */
    lane dev, beta, alpha;
} lanes;

/* w := (K0 + beta^2 K1 + lambda I)^-1 (y0 + beta (y1 - alpha bs)), by Cholesky */
static void solve_lanes(lanes *s, double lambda, int64_t J)
{
    lane bb;
    for (int g = 0; g < LANES; g++) bb[g] = s->beta[g] * s->beta[g];
    for (int64_t j = 0; j < J; j++) {
        lane *row = s->L + j * (j + 1) / 2;
        const lane *k0 = (const lane *)s->K0 + j * (j + 1) / 2, *k1 = (const lane *)s->K1 + j * (j + 1) / 2;
        for (int64_t l = 0; l <= j; l++) {
            const lane *other = (const lane *)s->L + l * (l + 1) / 2;
            lane sum;
            for (int g = 0; g < LANES; g++) sum[g] = k0[l][g] + bb[g] * k1[l][g] + (l == j ? lambda : 0.0);
            for (int64_t p = 0; p < l; p++)
                for (int g = 0; g < LANES; g++) sum[g] -= row[p][g] * other[p][g];
            if (l < j)
                for (int g = 0; g < LANES; g++) row[l][g] = sum[g] * other[l][g];
            else /* the diagonal keeps 1 / L_jj */
                for (int g = 0; g < LANES; g++)
                    row[l][g] = 1.0 / sqrt(sum[g] > 1e-12 * lambda ? sum[g] : 1e-12 * lambda);
        }
        for (int g = 0; g < LANES; g++)
            s->w[j][g] = s->y0[j][g] + s->beta[g] * (s->y1[j][g] - s->alpha[g] * s->bs[j][g]);
        for (int64_t p = 0; p < j; p++)
            for (int g = 0; g < LANES; g++) s->w[j][g] -= row[p][g] * s->w[p][g];
        for (int g = 0; g < LANES; g++) s->w[j][g] *= row[j][g];
    }
    for (int64_t j = J; j-- > 0;) {
        const lane *row = (const lane *)s->L + j * (j + 1) / 2;
        for (int g = 0; g < LANES; g++) s->w[j][g] *= row[j][g];
        for (int64_t p = 0; p < j; p++)
            for (int g = 0; g < LANES; g++) s->w[p][g] -= row[p][g] * s->w[j][g];
    }
}

/* out = w' K w */
static void quadratic(lane out, const lane *K, const lane *w, int64_t J)
{
    for (int g = 0; g < LANES; g++) out[g] = 0.0;
    for (int64_t j = 0; j < J; j++) {
        const lane *row = K + j * (j + 1) / 2;
        lane sum = {0};
        for (int64_t l = 0; l < j; l++)
            for (int g = 0; g < LANES; g++) sum[g] += row[l][g] * w[l][g];
        for (int g = 0; g < LANES; g++) out[g] += w[j][g] * (2.0 * sum[g] + row[j][g] * w[j][g]);
    }
}

static void products(lane out, const lane *a, const lane *b, int64_t J)
{
    for (int g = 0; g < LANES; g++) out[g] = 0.0;
    for (int64_t j = 0; j < J; j++)
        for (int g = 0; g < LANES; g++) out[g] += a[j][g] * b[j][g];
}

/* Alternates w and (alpha, beta) `rounds` times from the lag-free start; then -2 log likelihood + lambda |w|^2. */
static void profile_lanes(lanes *s, double lambda, int rounds, int64_t J)
{
    lane kw, b1, by, k0w, yw, ww;
    for (int g = 0; g < LANES; g++) {
        s->beta[g] = s->sign[g] * clip(s->beta_start[g], 0.1, 10.0);
        s->alpha[g] = s->mr_start[g] - s->beta[g] * s->ma[g];
    }
    for (int round = 0; round < rounds; round++) {
        solve_lanes(s, lambda, J);
        quadratic(kw, (const lane *)s->K1, (const lane *)s->w, J);
        products(b1, (const lane *)s->w, (const lane *)s->bs, J);
        products(by, (const lane *)s->w, (const lane *)s->y1, J);
        for (int g = 0; g < LANES; g++) {
            double spread = kw[g] - b1[g] * b1[g] / s->swr[g];
            double slope = (by[g] - b1[g] * s->ry[g] / s->swr[g]) / fmax(spread, 1e-9);
            s->beta[g] = s->sign[g] * clip(s->sign[g] * slope, 0.02, 20.0);
            s->alpha[g] = (s->ry[g] - s->beta[g] * b1[g]) / s->swr[g];
        }
    }
    quadratic(k0w, (const lane *)s->K0, (const lane *)s->w, J);
    products(yw, (const lane *)s->w, (const lane *)s->y0, J);
    products(ww, (const lane *)s->w, (const lane *)s->w, J);
    for (int g = 0; g < LANES; g++) {
        double a = s->alpha[g], b = s->beta[g];
        s->dev[g] = s->saa[g] - 2.0 * yw[g] + k0w[g] + s->srr[g] - 2.0 * a * s->ry[g] - 2.0 * b * by[g] +
                    a * a * s->swr[g] + 2.0 * a * b * b1[g] + b * b * kw[g] + lambda * ww[g];
    }
}

/* A tile of genes: normal matrices for one feature matrix B (M, J), whose pair products are S (M, pairs). */
typedef struct tile {
    double *w, *wy;          /* (TILE, M) weights, weights x response */
    double *K0, *K1;         /* (TILE, pairs) */
    double *y0, *y1, *bs;    /* (TILE, J) */
    double *lanes;           /* memory of the lanes */
} tile;

static void pair_products(double *S, const double *B, int64_t M, int64_t J, int threads)
{
    (void)threads;
#pragma omp parallel for schedule(static) num_threads(threads)
    for (int64_t m = 0; m < M; m++) {
        double *s = S + m * (J * (J + 1) / 2);
        for (int64_t j = 0; j < J; j++)
            for (int64_t l = 0; l <= j; l++) *s++ = B[m * J + j] * B[m * J + l];
    }
}

static void load(lane *out, const double *from, int64_t wide, int64_t n, int64_t stride)
{
    for (int64_t j = 0; j < wide; j++)
        for (int g = 0; g < LANES; g++)
            out[j][g] = from[(g < n ? g : 0) * stride + j]; /* idle lanes repeat the first */
}

/* Sums of one gene that no feature enters, in the order of the lanes' members from mr_start on. */
static void sums_of(double *s, const cw_tau_lagfree *f, int64_t gene)
{
    int64_t M = f->M, at = gene * M;
    double swa = 0.0, ma = 0.0, swr = 0.0, ry = 0.0, saa = 0.0, srr = 0.0, mean, sa, sr;
    for (int64_t m = 0; m < M; m++) {
        double wa = f->wa[at + m], wr = f->wr[at + m], a = f->a[at + m], r = f->r[at + m];
        swa += wa, ma += wa * a, saa += wa * a * a;
        swr += wr, ry += wr * r, srr += wr * r * r;
    }
    moments(&mean, &sa, f->fa + at, M), moments(&mean, &sr, f->fr + at, M);
    const double all[SUMS] = {
        ry / swr, sr / fmax(sa, 1e-6), ma / swa, swr, ry, saa, srr, f->repressed[gene] ? -1.0 : 1.0};
    memcpy(s, all, sizeof all);
}

static void load_sums(lanes *s, const double *sums, int64_t n)
{
    double *to[SUMS] = {s->mr_start, s->beta_start, s->ma, s->swr, s->ry, s->saa, s->srr, s->sign};
    for (int i = 0; i < SUMS; i++)
        for (int g = 0; g < LANES; g++) to[i][g] = sums[(g < n ? g : 0) * SUMS + i];
}

typedef struct profile {
    double *dev, *beta, *alpha, *w; /* outputs, see cw_tau_profile */
    const cw_tau_lagfree *f;
    const int32_t *gene;
    double lambda;
    int rounds;
    int64_t n, T, J;
} profile;

static int64_t gene_of(const profile *p, int64_t i) { return p->gene ? p->gene[i] : i; }

/* All grid points of genes i0 .. i0 + count, count <= TILE. S0 (M, pairs) of F0; S (T, M, pairs) of F. */
static void profile_tile(const profile *p, tile *t, const double *F, const double *F0, const double *S,
                         const double *S0, int64_t i0, int64_t count)
{
    const cw_tau_lagfree *f = p->f;
    int64_t M = f->M, J = p->J, P = J * (J + 1) / 2;
    lanes s;
    double sums[TILE * SUMS];
    lane *at = (lane *)t->lanes;
    for (int64_t i = 0; i < count; i++) sums_of(sums + i * SUMS, f, gene_of(p, i0 + i));
    s.K0 = at, s.K1 = at + P, s.L = at + 2 * P, s.y0 = at + 3 * P;
    s.y1 = s.y0 + J, s.bs = s.y1 + J, s.w = s.bs + J;
    for (int modality = 0; modality < 2; modality++) {
        const double *w = modality ? f->wr : f->wa, *y = modality ? f->r : f->a;
        for (int64_t i = 0; i < count; i++)
            for (int64_t m = 0; m < M; m++) {
                int64_t e = gene_of(p, i0 + i) * M + m;
                t->w[i * M + m] = w[e], t->wy[i * M + m] = w[e] * y[e];
            }
        if (modality == 0) {
            cw_dense_product(1, t->K0, t->w, 0, S0, 0, 0.0, count, P, M);
            cw_dense_product(1, t->y0, t->wy, 0, F0, 0, 0.0, count, J, M);
        }
    }
    for (int64_t k = 0; k < p->T; k++) {
        cw_dense_product(1, t->K1, t->w, 0, S + k * M * P, 0, 0.0, count, P, M);
        cw_dense_product(1, t->y1, t->wy, 0, F + k * M * J, 0, 0.0, count, J, M);
        cw_dense_product(1, t->bs, t->w, 0, F + k * M * J, 0, 0.0, count, J, M);
        for (int64_t g0 = 0; g0 < count; g0 += LANES) {
            int64_t n = count - g0 < LANES ? count - g0 : LANES;
            load_sums(&s, sums + g0 * SUMS, n);
            load(s.K0, t->K0 + g0 * P, P, n, P), load(s.K1, t->K1 + g0 * P, P, n, P);
            load(s.y0, t->y0 + g0 * J, J, n, J), load(s.y1, t->y1 + g0 * J, J, n, J);
            load(s.bs, t->bs + g0 * J, J, n, J);
            profile_lanes(&s, p->lambda, p->rounds, J);
            for (int64_t g = 0; g < n; g++) {
                int64_t to = (i0 + g0 + g) * p->T + k;
                int known = f->counted[gene_of(p, i0 + g0 + g)];
                p->dev[to] = known ? s.dev[g] : NAN;
                p->beta[to] = known ? s.beta[g] : NAN, p->alpha[to] = known ? s.alpha[g] : NAN;
                for (int64_t j = 0; p->w && j < J; j++) p->w[to * J + j] = known ? s.w[j][g] : NAN;
            }
        }
    }
}

cw_status cw_tau_profile(cw_arena *arena, double *dev, double *beta, double *alpha, double *w, const double *F,
                         const double *F0, const cw_tau_lagfree *f, const int32_t *gene, double lambda, int rounds,
                         int64_t n, int64_t T, int64_t J)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    if (ctx->status != CW_OK) return ctx->status;
    int64_t M = f->M, P = J * (J + 1) / 2, d = (int64_t)sizeof(double), room = 2 * TILE * (M + P) + 3 * TILE * J;
    int64_t lanes_room = LANES * (3 * P + 4 * J);
    profile p = {dev, beta, alpha, w, f, gene, lambda, rounds, n, T, J};
    double *S0 = cw_arena_take(arena, M * P * d), *S = cw_arena_take(arena, T * M * P * d);
    double *all = cw_arena_take(arena, ctx->threads * (room + lanes_room + LANES) * d);
    if (ctx->status != CW_OK) return ctx->status;
    pair_products(S0, F0, M, J, ctx->threads);
    for (int64_t k = 0; k < T; k++) pair_products(S + k * M * P, F + k * M * J, M, J, ctx->threads);
    for (int64_t i0 = 0; i0 < n; i0 += 8 * TILE) {
        int64_t i1 = i0 + 8 * TILE < n ? i0 + 8 * TILE : n, tiles = (i1 - i0 + TILE - 1) / TILE;
#pragma omp parallel for schedule(dynamic, 1) num_threads(ctx->threads)
        for (int64_t b = 0; b < tiles; b++) {
            double *own = all + cw_thread_number() * (room + lanes_room + LANES);
            tile t = {.lanes = own};
            t.w = own + lanes_room, t.wy = t.w + TILE * M, t.K0 = t.wy + TILE * M, t.K1 = t.K0 + TILE * P;
            t.y0 = t.K1 + TILE * P, t.y1 = t.y0 + TILE * J, t.bs = t.y1 + TILE * J;
            int64_t from = i0 + b * TILE;
            profile_tile(&p, &t, F, F0, S, S0, from, i1 - from < TILE ? i1 - from : TILE);
        }
        if (cw_poll(ctx) != CW_OK) return ctx->status;
    }
    cw_arena_give(arena, all), cw_arena_give(arena, S), cw_arena_give(arena, S0);
    return ctx->status;
}

/* ---- posterior --------------------------------------------------------------------------------------------------- */

static double least_of(const double *dev, int64_t T)
{
    double least = INFINITY;
    for (int64_t k = 0; k < T; k++) least = fmin(least, dev[k]);
    return least;
}

/* p (T) proportional to exp(-dev / 2 + log prior), sums to 1 */
static void normalised(double *p, const double *dev, const double *log_prior, int64_t T)
{
    double most = -INFINITY, sum = 0.0, least = least_of(dev, T);
    for (int64_t k = 0; k < T; k++) {
        p[k] = -0.5 * (dev[k] - least) + (log_prior ? log_prior[k] : 0.0);
        most = fmax(most, p[k]);
    }
    for (int64_t k = 0; k < T; k++) sum += p[k] = exp(p[k] - most);
    for (int64_t k = 0; k < T; k++) p[k] /= sum;
}

/* x (T) smoothed with sd 2 bins, the ends repeated, to sum 1: out */
static void smooth(double *out, const double *x, int64_t T)
{
    double kernel[2 * REACH + 1], sum = 0.0;
    for (int i = -REACH; i <= REACH; i++) kernel[i + REACH] = exp(-0.5 * (i / 2.0) * (i / 2.0));
    for (int64_t k = 0; k < T; k++) {
        out[k] = 0.0;
        for (int i = -REACH; i <= REACH; i++) {
            int64_t at = k + i < 0 ? 0 : k + i >= T ? T - 1 : k + i;
            out[k] += kernel[i + REACH] * x[at];
        }
        sum += out[k];
    }
    for (int64_t k = 0; k < T; k++) out[k] /= sum;
}

/* EM over p(s) p(T), s one of `shapes` (share 0: not one of them). dev (shapes, G, T). */
static cw_status em_prior(cw_arena *arena, double *prior, double *share, const double *dev, const uint8_t *usable,
                          int steps, int64_t shapes, int64_t G, int64_t T)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    int64_t d = (int64_t)sizeof(double), n = 0;
    double *L = cw_arena_take(arena, G * shapes * T * d), *next = cw_arena_take(arena, (T + shapes) * d);
    if (ctx->status != CW_OK) return ctx->status;
    for (int64_t g = 0; g < G; g++) {
        double least = INFINITY;
        for (int64_t s = 0; s < shapes; s++)
            if (share[s] > 0.0) least = fmin(least, least_of(dev + (s * G + g) * T, T));
        if (!usable[g] || !isfinite(least)) continue;
        for (int64_t i = 0; i < shapes * T; i++)
            L[n * shapes * T + i] =
                share[i / T] > 0.0 ? exp(-0.5 * (dev[(i / T * G + g) * T + i % T] - least)) : 0.0;
        n++;
    }
    for (int64_t k = 0; k < T; k++) prior[k] = 1.0 / (double)T;
    for (int step = 0; n > 0 && step < steps; step++) {
        double sum = 0.0, *mass = next + T;
        memset(next, 0, (size_t)(T + shapes) * sizeof *next);
        for (int64_t g = 0; g < n; g++) {
            double one = 0.0;
            for (int64_t s = 0; s < shapes; s++) one += share[s] * dot(L + (g * shapes + s) * T, prior, T);
            for (int64_t i = 0; one > 0.0 && i < shapes * T; i++) {
                double p = share[i / T] * L[g * shapes * T + i] * prior[i % T] / one;
                next[i % T] += p, mass[i / T] += p;
            }
        }
        for (int64_t s = 0; s < shapes; s++)
            sum += share[s] = share[s] > 0.0 ? fmax(mass[s] / (double)n, 1e-4) : 0.0;
        for (int64_t s = 0; s < shapes; s++) share[s] /= sum;
        smooth(prior, next, T);
    }
    cw_arena_give(arena, next), cw_arena_give(arena, L);
    return cw_poll(ctx);
}

cw_status cw_tau_prior(cw_arena *arena, double *prior, const double *dev, const uint8_t *usable, int64_t G, int64_t T)
{
    double one = 1.0;
    return em_prior(arena, prior, &one, dev, usable, PRIOR_STEPS, 1, G, T);
}

cw_status cw_tau_shape_prior(cw_arena *arena, double *prior, double *share, const double *dev, const uint8_t *usable,
                             int64_t G, int64_t T)
{
    return em_prior(arena, prior, share, dev, usable, SHAPE_STEPS, CW_TAU_SHAPES, G, T);
}

/* Where the distribution p on the grid reaches `level`, each point's mass spread evenly over its cell. */
static double quantile(const double *p, const double *grid, double level, int64_t T)
{
    double step = T > 1 ? grid[1] - grid[0] : 1.0, sum = 0.0;
    for (int64_t k = 0; k < T; k++) {
        if (sum + p[k] >= level) {
            double low = fmax(grid[k] - 0.5 * step, grid[0]), high = fmin(grid[k] + 0.5 * step, grid[T - 1]);
            return low + (high - low) * (p[k] > 0.0 ? (level - sum) / p[k] : 0.0);
        }
        sum += p[k];
    }
    return grid[T - 1];
}

/* Mean and sd of p (T) on the grid. */
static void mean_sd(double *mean, double *sd, const double *p, const double *grid, int64_t T)
{
    double first = dot(grid, p, T), second = 0.0;
    for (int64_t k = 0; k < T; k++) second += (grid[k] - first) * (grid[k] - first) * p[k];
    *mean = first, *sd = sqrt(second);
}

cw_status cw_tau_posterior(cw_arena *arena, double *mean, double *sd, double *low, double *high, double *mode,
                           const double *dev, const double *prior, const double *grid, int64_t G, int64_t T)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    int64_t d = (int64_t)sizeof(double);
    double *p = cw_arena_take(arena, T * d), *lp = cw_arena_take(arena, T * d);
    if (ctx->status != CW_OK) return ctx->status;
    for (int64_t k = 0; k < T; k++) lp[k] = prior ? log(prior[k] + 1e-12) : 0.0;
    for (int64_t g = 0; g < G; g++) {
        if (!isfinite(dev[g * T])) {
            mean[g] = sd[g] = low[g] = high[g] = mode[g] = NAN;
            continue;
        }
        normalised(p, dev + g * T, lp, T);
        mean_sd(&mean[g], &sd[g], p, grid, T);
        low[g] = quantile(p, grid, 0.05, T), high[g] = quantile(p, grid, 0.95, T);
        int64_t best = 0;
        for (int64_t k = 1; k < T; k++)
            if (dev[g * T + k] < dev[g * T + best]) best = k;
        mode[g] = grid[best];
    }
    cw_arena_give(arena, lp), cw_arena_give(arena, p);
    return cw_poll(ctx);
}

/* ---- amortised over gene embeddings ------------------------------------------------------------------------------ */

/* Thin singular value decomposition of X (n, E), r = min(n, E): U (n, r), s (r), V (E, r), s descending. */
typedef struct thin {
    double *U, *s, *V;
    int64_t n, E, r;
} thin;

static cw_status decompose(cw_arena *arena, thin *t, const double *X, int64_t n, int64_t E)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    int64_t r = n < E ? n : E, d = (int64_t)sizeof(double);
    *t = (thin){.n = n, .E = E, .r = r, .U = cw_arena_take(arena, n * r * d), .s = cw_arena_take(arena, r * d),
                .V = cw_arena_take(arena, E * r * d)};
    double *S = cw_arena_take(arena, r * r * d), *value = cw_arena_take(arena, r * d);
    double *room = cw_arena_take(arena, cw_dense_eigen_room(r) * d);
    if (ctx->status != CW_OK) return ctx->status;
    if (n < E) cw_dense_product(ctx->threads, S, X, 0, X, 1, 0.0, r, r, E);
    else cw_dense_product(ctx->threads, S, X, 1, X, 0, 0.0, r, r, n);
    if (cw_dense_eigen(value, S, room, r, 0))
        return cw_fail(ctx, CW_ERR_NUMERIC, "delays: the gene embedding has no principal axes");
    double *own = n < E ? t->U : t->V, *other = n < E ? t->V : t->U;
    int64_t n_own = r, n_other = n < E ? E : n;
    for (int64_t j = 0; j < r; j++) {
        t->s[j] = sqrt(fmax(value[r - 1 - j], 0.0));
        for (int64_t i = 0; i < n_own; i++) own[i * r + j] = S[(r - 1 - j) * r + i];
    }
    cw_dense_product(ctx->threads, other, X, n < E, own, 0, 0.0, n_other, r, n_own);
    for (int64_t i = 0; i < n_other; i++)
        for (int64_t j = 0; j < r; j++) other[i * r + j] = t->s[j] > 1e-7 * t->s[0] ? other[i * r + j] / t->s[j] : 0.0;
    cw_arena_give(arena, room), cw_arena_give(arena, value), cw_arena_give(arena, S);
    return cw_poll(ctx);
}

/* Ridge of the centred y (n) on the axes, strength by generalised cross-validation over 10^-1 .. 10^6: fit (n), slope
 * (r) in the axes of V. uy (r) is working memory. Returns the strength, with the degrees of freedom in df. */
static double gcv_ridge(double *fit, double *slope, double *df, double *uy, const thin *t, const double *y)
{
    double best = INFINITY, chosen = 0.0;
    for (int64_t j = 0; j < t->r; j++) {
        uy[j] = 0.0;
        for (int64_t i = 0; i < t->n; i++) uy[j] += t->U[i * t->r + j] * y[i];
    }
    double all = dot(y, y, t->n);
    for (int e = 0; e < RIDGES; e++) {
        double lambda = pow(10.0, -1.0 + 7.0 * e / (RIDGES - 1)), used = 1.0, rss = all;
        for (int64_t j = 0; j < t->r; j++) {
            double shrink = t->s[j] * t->s[j] / (t->s[j] * t->s[j] + lambda);
            used += shrink;
            rss -= uy[j] * uy[j] * shrink * (2.0 - shrink);
        }
        double left = 1.0 - used / (double)t->n, gcv = rss / (double)t->n / (left * left);
        if (gcv < best || e == 0) best = gcv, chosen = lambda, *df = used;
    }
    memset(fit, 0, (size_t)t->n * sizeof *fit);
    for (int64_t j = 0; j < t->r; j++) {
        double s = t->s[j], shrunk = s * s / (s * s + chosen) * uy[j];
        slope[j] = s > 1e-7 * t->s[0] ? shrunk / s : 0.0;
        for (int64_t i = 0; i < t->n; i++) fit[i] += t->U[i * t->r + j] * shrunk;
    }
    return chosen;
}

/* Embeddings of the usable genes, centred, over one common sd: X (n, E), centre (E). Returns the sd. */
static double standardise(double *X, double *centre, const double *embedding, const int64_t *gene, int64_t n, int64_t E)
{
    double square = 0.0;
    for (int64_t e = 0; e < E; e++) {
        centre[e] = 0.0;
        for (int64_t i = 0; i < n; i++) centre[e] += embedding[gene[i] * E + e] / (double)n;
        for (int64_t i = 0; i < n; i++) {
            X[i * E + e] = embedding[gene[i] * E + e] - centre[e];
            square += X[i * E + e] * X[i * E + e];
        }
    }
    double sd = sqrt(square / (double)(n * E)) + 1e-9;
    for (int64_t i = 0; i < n * E; i++) X[i] /= sd;
    return sd;
}

/* Mean and sd on the grid of log tau ~ N(mu, s2). */
static void predict(double *tau, double *sd, double *p, double mu, double s2, const double *log_grid,
                    const double *grid, int64_t T)
{
    double most = -INFINITY, sum = 0.0;
    for (int64_t k = 0; k < T; k++) {
        p[k] = -0.5 * (log_grid[k] - mu) * (log_grid[k] - mu) / s2;
        most = fmax(most, p[k]);
    }
    for (int64_t k = 0; k < T; k++) sum += p[k] = exp(p[k] - most);
    for (int64_t k = 0; k < T; k++) p[k] /= sum;
    mean_sd(tau, sd, p, grid, T);
}

typedef struct em {
    double *X, *centre, *mu, *m, *v, *fit, *slope, *uy, *lt, *lp, *p;
    int64_t *gene;
} em;

static em em_take(cw_arena *arena, int64_t G, int64_t T, int64_t E)
{
    int64_t d = (int64_t)sizeof(double), r = G < E ? G : E;
    em e = {.X = cw_arena_take(arena, G * E * d), .centre = cw_arena_take(arena, E * d)};
    double **rows[] = {&e.mu, &e.m, &e.v, &e.fit}, **axes[] = {&e.slope, &e.uy}, **bins[] = {&e.lt, &e.lp, &e.p};
    for (int i = 0; i < 4; i++) *rows[i] = cw_arena_take(arena, G * d);
    for (int i = 0; i < 2; i++) *axes[i] = cw_arena_take(arena, r * d);
    for (int i = 0; i < 3; i++) *bins[i] = cw_arena_take(arena, T * d);
    e.gene = cw_arena_take(arena, G * (int64_t)sizeof *e.gene);
    return e;
}

cw_status cw_tau_amortise(cw_arena *arena, cw_tau_amortised *out, double *tau, double *sd, double *tau_new,
                          double *sd_new, const double *dev, const double *grid, const uint8_t *usable,
                          const double *embedding, const double *fresh, int64_t G, int64_t T, int64_t E, int64_t n_new)
{
    cw_ctx *ctx = cw_arena_ctx(arena);
    if (ctx->status != CW_OK) return ctx->status;
    em w = em_take(arena, G, T, E);
    if (ctx->status != CW_OK) return ctx->status;
    int64_t n = 0;
    for (int64_t g = 0; g < G; g++) {
        tau[g] = sd[g] = NAN;
        if (usable[g] && isfinite(dev[g * T])) w.gene[n++] = g;
    }
    if (n < 3) return cw_fail(ctx, CW_ERR_SHAPE, "delays: %lld usable genes are too few to learn from", (long long)n);
    for (int64_t k = 0; k < T; k++) w.lt[k] = log(fmax(grid[k], 0.5 * grid[1]));
    double scale = standardise(w.X, w.centre, embedding, w.gene, n, E), s2 = 0.5, middle = 0.0;
    thin t;
    if (decompose(arena, &t, w.X, n, E) != CW_OK) return ctx->status;
    for (int64_t i = 0; i < n; i++) w.mu[i] = 0.0;
    *out = (cw_tau_amortised){0};
    for (int step = 0; step < EM_STEPS && cw_poll(ctx) == CW_OK; step++) {
        middle = 0.0;
        for (int64_t i = 0; i < n; i++) {
            for (int64_t k = 0; k < T; k++) w.lp[k] = -0.5 * (w.lt[k] - w.mu[i]) * (w.lt[k] - w.mu[i]) / s2;
            normalised(w.p, dev + w.gene[i] * T, w.lp, T);
            mean_sd(&w.m[i], &w.v[i], w.p, w.lt, T);
            mean_sd(&tau[w.gene[i]], &sd[w.gene[i]], w.p, grid, T);
            middle += w.m[i] / (double)n;
        }
        for (int64_t i = 0; i < n; i++) w.fit[i] = w.m[i] - middle;
        memcpy(w.mu, w.fit, (size_t)n * sizeof *w.mu); /* the centred response */
        out->ridge = gcv_ridge(w.fit, w.slope, &out->df, w.uy, &t, w.mu);
        double rss = 0.0;
        for (int64_t i = 0; i < n; i++) {
            w.mu[i] = middle + w.fit[i];
            rss += (w.m[i] - w.mu[i]) * (w.m[i] - w.mu[i]) + w.v[i] * w.v[i];
        }
        s2 = fmax(rss / fmax((double)n - out->df, 1.0), 0.02);
    }
    double mean, spread;
    moments(&mean, &spread, w.mu, n);
    out->s2 = s2, out->r2 = 1.0 - s2 / (s2 + spread * spread);
    for (int64_t i = 0; fresh && i < n_new; i++) {
        double mu = middle;
        for (int64_t j = 0; j < t.r; j++)
            for (int64_t e = 0; e < E; e++)
                mu += w.slope[j] * t.V[e * t.r + j] * (fresh[i * E + e] - w.centre[e]) / scale;
        predict(&tau_new[i], &sd_new[i], w.p, mu, s2, w.lt, grid, T);
    }
    return cw_poll(ctx);
}
