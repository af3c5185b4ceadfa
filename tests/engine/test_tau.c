/* test_tau.c: chromatin-to-RNA delays: the pieces against the prototype, known delays, nulls, damaged and empty input.
 */
#include "test.h"

#include "core/rng.h"
#include "core/threads.h"
#include "tau/tau.h"
#include "tau_gold.h"

#define COUNT(x) ((int64_t)(sizeof(x) / sizeof *(x)))

static cw_ctx *new_ctx(int threads)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->threads = threads;
    return ctx;
}

static double wave(int64_t i, double a, double b)
{
    double x = (double)i;
    return sin(a * x + b) + 0.5 * cos(1.7 * a * x * x + b);
}

static double *poisoned(cw_arena *arena, int64_t n)
{
    double *p = cw_arena_take(arena, n * 8);
    memset(p, 0xC9, (size_t)n * 8);
    return p;
}

/* Largest difference, relative to 1 + |gold|. */
static double off(const double *x, const double *gold, int64_t n)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        double gap = fabs(x[i] - gold[i]) / (1 + fabs(gold[i]));
        if (!(gap <= worst)) worst = isnan(gap) ? 1e9 : gap;
    }
    return worst;
}

#define GOLD(x, gold, tolerance)                                                        \
    do {                                                                                \
        double gap_ = off(x, gold, COUNT(gold));                                        \
        CHECK(gap_ < tolerance, "differs from the prototype by %g", gap_);              \
    } while (0)

/* ---- pieces against the prototype ------------------------------------------------------------------------------- */

/* Kernels sum to 1 and have mean T where nothing is folded; s = 0 is a place of the back-trace, s = 1 the exponential. */
static void kernels(void)
{
    enum { T = 9, R = 61 };
    double grid[T], trace[R], K[T * R], one[3] = {1, 0, 0};
    for (int k = 0; k < T; k++) grid[k] = .5 * k;
    for (int i = 0; i < R; i++) trace[i] = .5 * i;
    for (int s = 0; s < CW_TAU_SHAPES; s++) {
        cw_tau_kernel(K, cw_tau_shapes[s], grid, T, trace, R);
        for (int k = 0; k < T; k++) {
            double sum = 0, mean = 0, tail = 0;
            for (int i = 0; i < R; i++) {
                sum += K[k * R + i], mean += K[k * R + i] * trace[i];
                if (trace[i] > 2 * grid[k]) tail += K[k * R + i];
            }
            CHECK(fabs(sum - 1) < 1e-12 && fabs(mean - grid[k]) < 1e-9, "shape %d: row %d sums to %g, mean %g", s, k, sum,
                  mean);
            CHECK(s > 0 || fabs(K[k * R + k] - 1) < 1e-12, "a delay is one place");
            CHECK(s < 2 || k == 0 || fabs(tail - exp(-2)) < .06, "kinetics: %.3f later than twice the mean", tail);
        }
    }
    for (int i = 0; i < R; i++) trace[i] = .05 * i; /* 3 long: the tail sits at its end */
    cw_tau_kernel(K, 1, grid, T, trace, R);
    CHECK(fabs(K[4 * R + R - 1] - exp(-1.5)) < .01, "%.4f folded", K[4 * R + R - 1]);
    cw_ctx *ctx = new_ctx(1);
    cw_arena *arena = cw_arena_new(ctx);
    double F[3 * R], out[3 * T];
    for (int i = 0; i < 3 * R; i++) F[i] = wave(i, .37, .1);
    for (int i = 0; i < R; i++) trace[i] = .5 * i;
    CHECK(cw_tau_answer(arena, out, F, one, grid, T, trace, R, 3) == CW_OK && !memcmp(out, F, sizeof out), "delay");
    cw_arena_free(arena), cw_ctx_free(ctx);
}

/* Held curves under the flow they were fitted in give the profile itself, where coefficients are inside their bounds. */
static void held_curves(void)
{
    enum { M = 40, J = 4, G = 3, T = 3 };
    cw_ctx *ctx = new_ctx(2);
    cw_arena *arena = cw_arena_new(ctx);
    double F[T * M * J], a[G * M], r[G * M], ea[M], er[M], dev[G * T], again[G * T], beta[G * T], alpha[G * T];
    double w[G * T * J];
    const int32_t gene[] = {0, 1, 2};
    for (int k = 0; k < T; k++)
        for (int m = 0; m < M; m++) {
            double sum = 0, *f = F + (k * M + m) * J;
            for (int j = 0; j < J; j++) sum += f[j] = exp(-.02 * pow(m - 3 * k - 10 * j - 4, 2));
            for (int j = 0; j < J; j++) f[j] /= sum;
            ea[m] = er[m] = 100;
        }
    for (int g = 0; g < G; g++)
        for (int m = 0; m < M; m++) {
            a[g * M + m] = 2 + sin(.15 * m + g) + .1 * wave(m + g, 1.3, 0);
            r[g * M + m] = 3 + sin(.15 * (m - 3) + g) + .1 * wave(m + g, 2.1, 1);
        }
    cw_tau_lagfree f;
    CHECK(cw_tau_lagfree_new(arena, &f, G, M) == CW_OK &&
              cw_tau_lagfree_fit(arena, &f, a, r, ea, er, F, .3, J) == CW_OK &&
              cw_tau_profile(arena, dev, beta, alpha, w, F, F, &f, NULL, .3, 40, G, T, J) == CW_OK &&
              cw_tau_reprofile(arena, again, w, F, F, &f, gene, .3, G, T, J) == CW_OK, "%s", ctx->text);
    for (int i = 0; i < G * T; i++)
        CHECK(i % T == 1 || fabs(again[i] - dev[i]) < 1e-6 * dev[i], "%d: %.8g, profile %.8g", i, again[i], dev[i]);
    cw_arena_free(arena), cw_ctx_free(ctx);
}

/* Genes of three places whose clocks are wrong: the shift is found, and the spread of the genes apart from it. */
static void clock_and_genes(void)
{
    enum { G = 240, J = 6 };
    cw_ctx *ctx = new_ctx(1);
    cw_arena *arena = cw_arena_new(ctx);
    static double y[G], error[G], P[G * J];
    double gamma[J], truth[] = {.8, -.5, 0, .3, -.6, 0}, shift[G], variance[G];
    int32_t which[G];
    for (int spread = 0; spread < 2; spread++) {
        for (int g = 0; g < G; g++) {
            for (int j = 0; j < J; j++) P[g * J + j] = j == g % J ? .8 : .04;
            error[g] = .02, which[g] = g;
            y[g] = .14 * wave(g, 1.37, .2) + spread * .6 * wave(g, 2.71, 1);
            for (int j = 0; j < J; j++) y[g] += P[g * J + j] * truth[j];
        }
        cw_tau_clock c = {.gamma = gamma, .shift = shift, .variance = variance};
        CHECK(cw_tau_clock_fit(arena, &c, y, error, P, which, G, P, G, J) == CW_OK, "%s", ctx->text);
        CHECK(spread ? c.omega > .15 && c.omega < .6 : c.omega < .02, "omega %.4f", c.omega);
        CHECK(c.s > .1 && fabs(shift[0] - shift[1] - .76 * 1.3) < .35, "clock %.3f, shifts %.2f %.2f", c.s, shift[0],
              shift[1]);
        CHECK(variance[0] > 0 && variance[0] < c.s, "variance %.4f", variance[0]);
    }
    cw_arena_free(arena), cw_ctx_free(ctx);
}

static void gold_profile(cw_arena *arena)
{
    enum { M = 14, J = 4, G = 3, T = 3 };
    double F[T * M * J], a[G * M], r[G * M], ea[M], er[M];
    for (int i = 0; i < T * M; i++) {
        double sum = 0;
        for (int j = 0; j < J; j++) sum += F[i * J + j] = exp(wave(i * J + j, .61, .3));
        for (int j = 0; j < J; j++) F[i * J + j] /= sum;
    }
    for (int i = 0; i < G * M; i++) a[i] = exp(.4 * wave(i, .43, 1)), r[i] = 3 * exp(.5 * wave(i, .29, 2));
    for (int m = 0; m < M; m++) ea[m] = 100 * exp(.3 * wave(m, .9, .2)), er[m] = 70 * exp(.3 * wave(m, .8, .5));
    cw_tau_lagfree f;
    CHECK(cw_tau_lagfree_new(arena, &f, G, M) == CW_OK, "memory");
    CHECK(cw_tau_lagfree_fit(arena, &f, a, r, ea, er, F, .3, J) == CW_OK, "lag-free");
    GOLD(f.signal_a, gold_siga, 1e-7);
    GOLD(f.signal_r, gold_sigr, 1e-7);
    GOLD(f.cor, gold_cor, 1e-7);
    GOLD(f.fa + M, gold_fa, 1e-7);
    GOLD(f.wr + 2 * M, gold_wr, 1e-7);
    double *dev = poisoned(arena, G * T), *beta = poisoned(arena, G * T), *alpha = poisoned(arena, G * T);
    double *w = poisoned(arena, G * T * J), last[G * J];
    CHECK(cw_tau_profile(arena, dev, beta, alpha, w, F, F, &f, NULL, .3, 4, G, T, J) == CW_OK, "profile");
    for (int g = 0; g < G; g++) memcpy(last + g * J, w + (g * T + 2) * J, sizeof(double) * J);
    GOLD(dev, gold_dev, 1e-7);
    GOLD(beta, gold_beta, 1e-6);
    GOLD(alpha, gold_alpha, 1e-6);
    GOLD(last, gold_w, 1e-6);
    /* a list of genes, in another order, gives the same numbers */
    const int32_t two[] = {2, 0};
    double *some = poisoned(arena, 2 * T);
    CHECK(cw_tau_profile(arena, some, beta, alpha, NULL, F, F, &f, two, .3, 4, 2, T, J) == CW_OK, "profile");
    CHECK(off(some, dev + 2 * T, T) < 1e-10 && off(some + T, dev, T) < 1e-10, "genes listed");
}

static void gold_posterior(cw_arena *arena)
{
    enum { T = 31, G = 40 };
    double grid[T], dev[G * T], c[G], E[G * 3], pick[2][G];
    uint8_t usable[G];
    for (int k = 0; k < T; k++) grid[k] = 4.0 * k / (T - 1);
    for (int g = 0; g < G; g++) {
        c[g] = .2 + 2 * fabs(wave(g, .77, .4)), usable[g] = g % 5 != 0;
        for (int k = 0; k < T; k++) dev[g * T + k] = pow((grid[k] - c[g]) / (.2 + .05 * (g % 7)), 2) + 3;
        E[g * 3] = log(c[g]) + .3 * wave(g, 1.3, .7), E[g * 3 + 1] = wave(g, .51, .9), E[g * 3 + 2] = wave(g, .93, .1);
    }
    double *prior = poisoned(arena, T), *out[5];
    for (int i = 0; i < 5; i++) out[i] = poisoned(arena, G);
    CHECK(cw_tau_prior(arena, prior, dev, usable, G, T) == CW_OK, "prior");
    GOLD(prior, gold_prior, 1e-8);
    CHECK(cw_tau_posterior(arena, out[0], out[1], out[2], out[3], out[4], dev, prior, grid, G, T) == CW_OK,
          "posterior");
    GOLD(out[0], gold_mean, 1e-7);
    GOLD(out[1], gold_sd, 1e-6);
    GOLD(out[4], gold_mode, 1e-8);
    for (int g = 0; g < G; g++)
        CHECK(out[2][g] < out[0][g] && out[0][g] < out[3][g] && out[3][g] - out[2][g] < 4 * out[1][g] + .2,
              "gene %d: %g in %g .. %g", g, out[0][g], out[2][g], out[3][g]);
    double *tau = poisoned(arena, G), *sd = poisoned(arena, G), *more = poisoned(arena, 2),
           *spread = poisoned(arena, 2);
    const double fresh[] = {E[3], E[4], E[5], log(.3), 0, 0};
    cw_tau_amortised a;
    CHECK(cw_tau_amortise(arena, &a, tau, sd, more, spread, dev, grid, usable, E, fresh, G, T, 3, 2) == CW_OK,
          "amortise");
    int n = 0;
    for (int g = 0; g < G; g++)
        if (usable[g]) pick[0][n] = tau[g], pick[1][n++] = sd[g];
        else CHECK(isnan(tau[g]) && isnan(sd[g]), "gene %d isn't usable, yet has %g", g, tau[g]);
    GOLD(pick[0], gold_hier, 1e-5);
    GOLD(pick[1], gold_hier_sd, 1e-5);
    const double info[] = {a.r2, a.s2, a.df};
    GOLD(info, gold_hier_info, 1e-5);
    CHECK(fabs(more[0] - c[1]) < .5 && more[1] < .6 && spread[0] > 0, "predicted %g for %g, %g for .3", more[0], c[1],
          more[1]);
}

static void gold_cca(cw_arena *arena)
{
    enum { N = 60 };
    double X[N * 5], Y[N * 4];
    for (int i = 0; i < N; i++) {
        double h = wave(i, .7, .1), k = wave(i, 1.9, .8), *x = X + i * 5, *y = Y + i * 4;
        x[0] = 2 * h + .3 * wave(i, 2.3, 0), x[1] = k - h, x[2] = wave(i, 3.1, 1), x[3] = .5 * wave(i, 4.3, 2);
        x[4] = .1 * wave(i, 5.9, 1.5);
        y[0] = k + .2 * wave(i, 2.9, .3), y[1] = wave(i, .41, .6), y[2] = h + .4 * wave(i, 6.1, .9),
        y[3] = wave(i, 7.7, .2);
    }
    cw_tau_axes A = {.k = 5, .chromatin = 1}, B = {.k = 4};
    cw_tau_shared s;
    CHECK(cw_tau_cca(arena, &s, &A, &B, X, Y, N, 5, 2, 2, 7) == CW_OK, "cca");
    GOLD(s.cor, gold_cor_cca, 1e-7);
    CHECK(s.above >= 2 && s.above <= 3 && s.d == 2 && s.null > .1 && s.null < .8, "%lld above %g", (long long)s.above,
          s.null);
    double z[12], both[N * 2], one[N * 2];
    for (int i = 0; i < 12; i++) z[i] = s.z[i] / (s.z[i % 2] < 0 ? -1 : 1);
    GOLD(z, gold_z, 1e-6);
    /* the other way round: the same correlations, the same state up to signs */
    cw_tau_shared t;
    CHECK(cw_tau_cca(arena, &t, &B, &A, Y, X, N, 5, 2, 2, 7) == CW_OK, "cca");
    CHECK(off(t.cor, s.cor, 4) < 1e-9, "swapped");
    for (int i = 0; i < N * 2; i++) both[i] = fabs(s.z[i]), one[i] = fabs(t.z[i]);
    CHECK(off(one, both, N * 2) < 1e-7, "swapped state");
    /* a modality alone: z from u plus z from v is the regression of each, so their mean follows z */
    double u[N * 2], v[N * 2], uz = 0, zz = 0;
    CHECK(cw_tau_cca(arena, &s, &A, &B, X, Y, N, 5, 2, 2, 7) == CW_OK, "cca");
    CHECK(cw_tau_project(arena, u, &A, X, s.cor, N, 2) == CW_OK &&
              cw_tau_project(arena, v, &B, Y, s.cor, N, 2) == CW_OK,
          "project");
    for (int i = 0; i < N * 2; i++) uz += (u[i] + v[i]) / 2 * s.z[i], zz += s.z[i] * s.z[i];
    CHECK(uz / zz > .9 && uz / zz < 1.1, "slope %g", uz / zz);
}

static void gold_flow(cw_arena *arena)
{
    enum { M = 40, J = 6, G = 9, K = 5, T = 4 };
    double z[M * 2], size[M], l[J * 2], th[M], a[M * G], r[M * G], mean[2], sd[2];
    for (int m = 0; m < M; m++) {
        th[m] = m * .11, size[m] = 5. + m % 4;
        z[m * 2] = 3 * cos(th[m]) + .1 * wave(m, 1.1, .3), z[m * 2 + 1] = 2 * sin(th[m]) + .1 * wave(m, 1.7, .8);
    }
    for (int j = 0; j < J; j++) l[j * 2] = 3 * cos(j * .8 + .2), l[j * 2 + 1] = 2 * sin(j * .8 + .2);
    cw_tau_lag lag = {.n = G, .D = poisoned(arena, M * G), .m = poisoned(arena, M * G), .weight = poisoned(arena, G)};
    double all = 0, *fit[2] = {a, r};
    for (int m = 0; m < M; m++) all += size[m];
    for (int g = 0; g < G; g++) {
        lag.weight[g] = fmin(50. + 10 * g, 90) / 90; /* the median of the smaller signals is 90 */
        for (int s = 0; s < 2; s++) {
            mean[s] = sd[s] = 0;
            for (int m = 0; m < M; m++) {
                fit[s][m * G + g] = 1 + .5 * sin(1.4 * (th[m] - s * (.1 + .05 * g)) - .5 * g);
                mean[s] += size[m] / all * fit[s][m * G + g];
            }
            for (int m = 0; m < M; m++) sd[s] += size[m] / all * pow(fit[s][m * G + g] - mean[s], 2);
        }
        for (int m = 0; m < M; m++) {
            double x = (a[m * G + g] - mean[0]) / sqrt(sd[0] + 1e-12),
                   y = (r[m * G + g] - mean[1]) / sqrt(sd[1] + 1e-12);
            lag.D[m * G + g] = x - y, lag.m[m * G + g] = (x + y) / 2;
        }
    }
    GOLD(lag.D + 7 * G, gold_D, 1e-8);
    cw_tau_flow f = {.M = M, .J = J, .d = 2, .z = z, .size = size, .landmark = l, .bandwidth = 1.3,
                     .pull = .6}; /* .1 a substep of 1/6 */
    double *B0 = poisoned(arena, M * J), *vl = poisoned(arena, J * 2), *v = poisoned(arena, M * 2),
           *tau = poisoned(arena, G);
    double *dd = poisoned(arena, M * G), *F = poisoned(arena, T * M * J), *path = poisoned(arena, T * M * 2),
           way[T * 2];
    int32_t near[M * K];
    memset(near, 0xff, sizeof near);
    cw_tau_soft(B0, z, l, 1.3, M, J, 2, 1);
    cw_tau_neighbours(near, z, M, 2, K, 2);
    CHECK(cw_tau_velocity(arena, vl, v, tau, &lag, &f, B0, near, K, 8) == CW_OK, "velocity");
    GOLD(vl, gold_vl, 1e-6);
    GOLD(tau, gold_tau1, 1e-5);
    CHECK(cw_tau_derivative(arena, dd, &lag, &f, v, near, K) == CW_OK, "derivative");
    GOLD(dd + 7 * G, gold_dd, 1e-5);
    double grid[T], twice[J * 2];
    for (int k = 0; k < T; k++) grid[k] = k / 3.0;
    for (int i = 0; i < J * 2; i++) twice[i] = 2 * vl[i];
    f.velocity = twice;
    CHECK(cw_tau_backtrace(arena, F, path, NULL, z, &f, grid, T, M) == CW_OK, "back-trace");
    for (int k = 0; k < T; k++) memcpy(way + 2 * k, path + (k * M + 25) * 2, 2 * sizeof *way);
    GOLD(way, gold_path, 1e-5);
    GOLD(F + (3 * M + 25) * J, gold_F, 1e-5);
    /* arrival times rise with the angle, on the whole, for the flow goes that way */
    double *time = poisoned(arena, M), up = 0;
    CHECK(cw_tau_arrival(arena, time, &f, v, near, K) == CW_OK, "arrival");
    for (int m = 1; m < M; m++) up += time[m] > time[m - 1];
    CHECK(up > .8 * M && time[0] < 1e-9 + .1 * time[M - 1], "%g of %d rise", up, M - 1);
    /* weights of three peaks of one gene */
    double rate[3 * M], depth[M], profile[2 * M], swapped[3];
    for (int m = 0; m < M; m++) {
        depth[m] = 50 + wave(m, .4, .1), profile[m] = profile[M + m] = a[m * G];
        for (int p = 0; p < 3; p++) rate[p * M + m] = 4 * fabs(wave(m * 3 + p, .6, .2)) / depth[m];
    }
    const int32_t gene[] = {0, 0, 0}, peak[] = {5, 0, 2};
    cw_tau_links links;
    CHECK(cw_tau_links_new(arena, &links, gene, peak, 3, 2, 7) == CW_OK && links.peaks == 3, "links");
    cw_tau_weigh(&links, rate, profile, depth, M, 1);
    memcpy(swapped, links.weight, sizeof swapped);
    GOLD(swapped, gold_omega, 1e-7);
}

static void clusters(cw_arena *arena)
{
    enum { N = 90 };
    double x[N * 2], w[N], centre[3 * 2], mean[3][2] = {{0}}, total[3] = {0};
    int32_t label[N];
    for (int i = 0; i < N; i++) {
        x[2 * i] = 10.0 * (i % 3) + wave(i, .3, .1), x[2 * i + 1] = 5.0 * (i % 3 == 1) + wave(i, .4, .1),
              w[i] = 1 + i % 2;
    }
    CHECK(cw_tau_kmeans(arena, centre, label, x, w, 2, 50, 5, N, 2, 3) == CW_OK, "k-means");
    for (int i = 0; i < N; i++) {
        CHECK(label[i] == label[i % 3], "point %d", i);
        total[label[i]] += w[i];
        for (int d = 0; d < 2; d++) mean[label[i]][d] += w[i] * x[2 * i + d];
    }
    for (int k = 0; k < 3; k++)
        for (int d = 0; d < 2; d++) CHECK(fabs(mean[k][d] / total[k] - centre[2 * k + d]) < 1e-9, "centre %d", k);
    for (int i = 0; i < N * 2; i++) x[i] = 1; /* one place: no failure */
    CHECK(cw_tau_kmeans(arena, centre, label, x, NULL, 1, 50, 5, N, 2, 3) == CW_OK, "one place");
}

/* ---- simulated cells -------------------------------------------------------------------------------------------- */

typedef struct sparse {
    int32_t *start, *row;
    double *value;
    int64_t rows, cells, n;
} sparse;

static sparse sparse_new(int64_t rows, int64_t cells)
{
    return (sparse){calloc((size_t)cells + 1, 4),
                    malloc((size_t)(rows * cells) * 4),
                    malloc((size_t)(rows * cells) * 8),
                    rows,
                    cells,
                    0};
}

static cw_counts view(const sparse *s) { return (cw_counts){s->start, s->row, s->value, s->rows, s->cells}; }

static void sparse_free(sparse *s) { free(s->start), free(s->row), free(s->value); }

static double uniform(uint64_t key, uint64_t i)
{
    uint32_t w[4];
    cw_rng_block(w, cw_rng_stream(key, CW_RNG_USER, 1, 1), i);
    return (w[0] + .5) / 4294967296.0;
}

static double poisson(double mean, double u)
{
    double p = exp(-mean), sum = p;
    int k = 0;
    while (u > sum && k < 200) p *= mean / ++k, sum += p;
    return k;
}

enum { CELLS = 500, GENES = 60, PER = 4, PEAKS = GENES * PER + 20 };
enum { DELAYED, NO_DELAY, SHUFFLED, FLAT, REPRESSED };

typedef struct world {
    sparse atac, rna;
    int32_t gene[GENES * PER], peak[GENES * PER];
    double tau[GENES], time[CELLS], *ea, *er; /* true delays, times; embeddings (CELLS, 6) */
} world;

static double curve(int g, double t) /* rises, falls, or both, at a place of the gene's own */
{
    double at = 1 + 8 * uniform(77, (uint64_t)g), up = 1 / (1 + exp(-(t - at) / .4)),
           down = 1 / (1 + exp((t - at - 2.5) / .4));
    return .1 + .9 * (g % 3 == 0 ? up : g % 3 == 1 ? 1 - up : up * down);
}

static world *world_new(int kind, uint64_t key)
{
    world *w = calloc(1, sizeof *w);
    w->atac = sparse_new(PEAKS, CELLS), w->rna = sparse_new(GENES, CELLS);
    w->ea = malloc(CELLS * 6 * 8), w->er = malloc(CELLS * 6 * 8);
    for (int g = 0; g < GENES; g++) {
        w->tau[g] = kind == NO_DELAY ? 0 : .2 + 1.8 * uniform(5, (uint64_t)g);
        for (int p = 0; p < PER; p++) w->gene[g * PER + p] = g, w->peak[g * PER + p] = g * PER + p;
    }
    uint64_t at = 0;
    for (int c = 0; c < CELLS; c++) {
        double t = w->time[c] = 10 * uniform(key, at++), other = kind == SHUFFLED ? 10 * uniform(key, at++) : t;
        if (kind == FLAT) t = other = 5;
        for (int p = 0; p < PEAKS; p++) {
            double mean = .8 * (p < GENES * PER ? curve(p / PER, other) : .5), n = poisson(mean, uniform(key, at++));
            if (n > 0) w->atac.row[w->atac.n] = p, w->atac.value[w->atac.n++] = n;
        }
        for (int g = 0; g < GENES; g++) {
            double level = curve(g, t - w->tau[g]);
            if (kind == REPRESSED && g % 5 == 0) level = 1.1 - level;
            double n = poisson(5 * level, uniform(key, at++));
            if (n > 0) w->rna.row[w->rna.n] = g, w->rna.value[w->rna.n++] = n;
        }
        w->atac.start[c + 1] = (int32_t)w->atac.n, w->rna.start[c + 1] = (int32_t)w->rna.n;
        for (int k = 0; k < 6; k++) {
            w->ea[c * 6 + k] = cos(.3 * (k + 1) * other) + .02 * wave(c, 1.3 + k, 0);
            w->er[c * 6 + k] = cos(.3 * (k + 1) * t + .1) + .02 * wave(c, 2.3 + k, 1);
        }
    }
    return w;
}

static void world_free(world *w)
{
    sparse_free(&w->atac), sparse_free(&w->rna);
    free(w->ea), free(w->er), free(w);
}

static cw_tau_data data_of(const world *w)
{
    return (cw_tau_data){
        .atac = view(&w->atac), .rna = view(&w->rna), .gene = w->gene, .peak = w->peak, .links = GENES * PER};
}

static double rank_correlation(const double *x, const double *y, int64_t n)
{
    double *rank[2] = {malloc((size_t)n * 8), malloc((size_t)n * 8)}, sums[3] = {0};
    const double *from[2] = {x, y};
    for (int s = 0; s < 2; s++)
        for (int64_t i = 0; i < n; i++) {
            rank[s][i] = -(double)(n - 1) / 2;
            for (int64_t j = 0; j < n; j++)
                rank[s][i] += from[s][j] < from[s][i] ? 1 : from[s][j] == from[s][i] && j != i ? .5 : 0;
        }
    for (int64_t i = 0; i < n; i++) {
        sums[0] += rank[0][i] * rank[0][i], sums[1] += rank[1][i] * rank[1][i], sums[2] += rank[0][i] * rank[1][i];
    }
    free(rank[0]), free(rank[1]);
    return sums[2] / sqrt(sums[0] * sums[1] + 1e-300);
}

static void known_delays(void)
{
    world *w = world_new(DELAYED, 11);
    cw_tau_data x = data_of(w);
    cw_tau_options o = cw_tau_defaults();
    o.key = 3;
    cw_ctx *ctx[2] = {new_ctx(1), new_ctx(3)};
    cw_arena *arena[2];
    cw_tau t[2];
    for (int i = 0; i < 2; i++) {
        arena[i] = cw_arena_new(ctx[i]);
        CHECK(cw_tau_fit(arena[i], &t[i], &x, &o) == CW_OK, "%s", ctx[i]->text);
    }
    double true_tau[GENES], found[GENES], xcorr[GENES];
    int n = 0;
    for (int g = 0; g < GENES; g++)
        if (t[0].fit.usable[g]) true_tau[n] = w->tau[g], xcorr[n] = t[0].xcorr[g], found[n++] = t[0].tau[g];
    double rho = rank_correlation(found, true_tau, n);
    CHECK(n >= 50, "%d usable", n);
    CHECK(rho > .85, "Spearman %.3f with the truth", rho);
    CHECK(rank_correlation(xcorr, true_tau, n) > .4, "cross-correlation %.3f", rank_correlation(xcorr, true_tau, n));
    const cw_tau_verdict *v = &t[0].verdict;
    CHECK(v->concord > .7 && v->lead > .8 && v->lead_z > 4 && v->gain > 0 && v->heterogeneity > 1.5 && v->axes >= 1 &&
              v->usable_half >= 20 && v->reliability > .4,
          "concord %.2f lead %.2f (%.1f) gain %.2f H %.2f reliability %.2f", v->concord, v->lead, v->lead_z, v->gain,
          v->heterogeneity, v->reliability);
    CHECK(t[0].share[0] > .5 && t[0].capped_a.cells == 0 && t[0].capped_r.values == 0, "a delay: %.2f", t[0].share[0]);
    int inside = 0;
    double unit[2] = {0};
    for (int g = 0; g < GENES; g++)
        if (t[0].fit.usable[g]) unit[0] += log(t[0].tau[g]) / n, unit[1] += log(w->tau[g]) / n;
    for (int g = 0; g < GENES; g++) {
        double truth = w->tau[g] * exp(unit[0] - unit[1]);
        inside += t[0].fit.usable[g] && t[0].low[g] < truth && truth < t[0].high[g];
    }
    CHECK(inside > .75 * n, "%d of %d inside their intervals", inside, n);
    /* the unit: median 1 over usable genes; arrival times follow the true ones */
    double sum = 0, cell_time[CELLS];
    for (int i = 0; i < n; i++) sum += found[i] < 1 ? 1 : 0;
    CHECK(sum > .3 * n && sum < .7 * n, "%g of %d below 1", sum, n);
    for (int c = 0; c < CELLS; c++) cell_time[c] = t[0].time[t[0].metacell[c]];
    CHECK(rank_correlation(cell_time, w->time, CELLS) > .95, "arrival %.3f",
          rank_correlation(cell_time, w->time, CELLS));
    /* the rim: cells at both ends, and none in the middle */
    int rim[3] = {0}, cells[3] = {0};
    for (int c = 0; c < CELLS; c++) {
        int place = w->time[c] < .5 ? 0 : w->time[c] > 9.5 ? 2 : 1;
        if (place != 1 || (w->time[c] > 4 && w->time[c] < 6))
            cells[place]++, rim[place] += t[0].at_rim[t[0].metacell[c]];
    }
    CHECK(rim[0] + rim[2] > .3 * cells[0] && rim[1] == 0, "rim: %d/%d %d/%d %d/%d", rim[0], cells[0],
          rim[1], cells[1], rim[2], cells[2]);
    /* whole intervals, in order */
    for (int g = 0; g < GENES; g++)
        CHECK(t[0].low[g] < t[0].tau[g] && t[0].tau[g] < t[0].high[g] && !(t[0].rim[g] > 1), "gene %d", g);
    /* the number of threads changes no bit */
    CHECK(t[0].flow.M == t[1].flow.M && t[0].shared.d == t[1].shared.d, "threads: shapes");
    CHECK(!memcmp(t[0].tau, t[1].tau, sizeof(double) * GENES), "threads: tau");
    CHECK(!memcmp(t[0].dev, t[1].dev, sizeof(double) * (size_t)(GENES * t[0].T)), "threads: deviance");
    CHECK(!memcmp(t[0].shared.z, t[1].shared.z, sizeof(double) * (size_t)(CELLS * t[0].shared.d)), "threads: state");
    CHECK(!memcmp(&t[0].verdict, &t[1].verdict, sizeof t[0].verdict), "threads: verdict");
    /* the counts lead to the same scores again */
    double *score = poisoned(arena[0], CELLS * t[0].axes_a.k), *z = poisoned(arena[0], CELLS * t[0].shared.d), zz = 0,
           pz = 0;
    CHECK(cw_tau_score(arena[0], score, &t[0].axes_a, &x.atac) == CW_OK &&
          cw_tau_project(arena[0], z, &t[0].axes_a, score, t[0].shared.cor, CELLS, t[0].shared.d) == CW_OK, "project");
    for (int64_t i = 0; i < CELLS; i++) zz += t[0].shared.z[i * t[0].shared.d] * t[0].shared.z[i * t[0].shared.d],
        pz += z[i * t[0].shared.d] * t[0].shared.z[i * t[0].shared.d];
    CHECK(pz / zz > .9 && pz / zz < 1.1, "chromatin alone: slope %.3f on the shared state", pz / zz);
    /* the memory asked for stays below the forecast */
    int64_t bytes = cw_tau_forecast(CELLS, GENES, PEAKS, GENES * PER, w->atac.n, w->rna.n, 3, &o);
    CHECK(ctx[1]->memory.peak < bytes, "%lld bytes, %lld forecast", (long long)ctx[1]->memory.peak, (long long)bytes);
    for (int i = 0; i < 2; i++) {
        cw_arena_free(arena[i]);
        CHECK(ctx[i]->memory.bytes == 0, "%lld bytes left", (long long)ctx[i]->memory.bytes);
        cw_ctx_free(ctx[i]);
    }
    world_free(w);
}

/* With the state given: genes in another order, and one readout alone. */
static void given_state(void)
{
    world *w = world_new(DELAYED, 12), *m = world_new(DELAYED, 12);
    cw_tau_options o = cw_tau_defaults();
    o.key = 9;
    /* gene g of m is gene GENES - 1 - g of w */
    m->rna.n = 0;
    for (int c = 0; c < CELLS; c++) {
        for (int32_t e = w->rna.start[c + 1] - 1; e >= w->rna.start[c]; e--) {
            m->rna.row[m->rna.n] = GENES - 1 - w->rna.row[e];
            m->rna.value[m->rna.n++] = w->rna.value[e];
        }
    }
    for (int i = 0; i < GENES * PER; i++) m->gene[i] = GENES - 1 - w->gene[i];
    cw_tau_data x = data_of(w), y = data_of(m);
    x.atac_embedding = y.atac_embedding = w->ea, x.rna_embedding = y.rna_embedding = w->er;
    x.atac_axes = y.atac_axes = x.rna_axes = y.rna_axes = 6;
    cw_ctx *ctx = new_ctx(2);
    cw_arena *arena = cw_arena_new(ctx);
    cw_tau a, b, k;
    CHECK(cw_tau_fit(arena, &a, &x, &o) == CW_OK && cw_tau_fit(arena, &b, &y, &o) == CW_OK, "%s", ctx->text);
    double turned[GENES];
    for (int g = 0; g < GENES; g++) turned[g] = b.tau[GENES - 1 - g];
    CHECK(off(turned, a.tau, GENES) < 1e-6, "the order of genes matters: %g", off(turned, a.tau, GENES));
    CHECK(fabs(a.verdict.gain) > 0 && a.axes_a.loading == NULL && a.axes_a.rotation != NULL, "given state");
    CHECK(rank_correlation(a.tau, w->tau, GENES) > .8, "Spearman %.3f", rank_correlation(a.tau, w->tau, GENES));
    o.readout = CW_TAU_KINETICS, o.peak_weights = 0;
    CHECK(cw_tau_fit(arena, &k, &x, &o) == CW_OK, "%s", ctx->text);
    CHECK(k.readout == CW_TAU_KINETICS && k.share[2] == 1 && k.share[0] == 0 && isfinite(k.dev[0]), "kinetics alone");
    CHECK(k.peak_weight[0] == 1 && k.peak_weight[GENES * PER - 1] == 1, "weights of peaks without weighting");
    CHECK(rank_correlation(k.tau, w->tau, GENES) > .7, "kinetics: %.3f", rank_correlation(k.tau, w->tau, GENES));
    cw_arena_free(arena), cw_ctx_free(ctx), world_free(w), world_free(m);
}

static int identifiable(const cw_tau *t)
{
    const cw_tau_verdict *v = &t->verdict;
    return v->axes >= 1 && v->usable >= 20 && v->concord >= .7 && v->usable_half >= 20 && v->lead >= .7 &&
           v->lead_z >= 4 && v->reliability >= .4;
}

static void nulls(void)
{
    const int kinds[] = {NO_DELAY, SHUFFLED, FLAT};
    for (int i = 0; i < 3; i++) {
        world *w = world_new(kinds[i], 21);
        cw_tau_data x = data_of(w);
        cw_tau_options o = cw_tau_defaults();
        cw_ctx *ctx = new_ctx(2);
        cw_arena *arena = cw_arena_new(ctx);
        cw_tau t;
        CHECK(cw_tau_fit(arena, &t, &x, &o) == CW_OK, "null %d: %s", kinds[i], ctx->text);
        CHECK(!identifiable(&t), "null %d: concord %.2f lead %.2f (%.1f) gain %.2f H %.2f", kinds[i], t.verdict.concord,
              t.verdict.lead, t.verdict.lead_z, t.verdict.gain, t.verdict.heterogeneity);
        if (kinds[i] != NO_DELAY) {
            CHECK(t.verdict.usable < 20 && isnan(t.tau[0]) && isnan(t.time[0]) && isnan(t.verdict.lead) && !t.features,
                  "null %d: %g genes", kinds[i], t.verdict.usable);
            CHECK(isfinite(t.fit.fa[5]) && t.flow.velocity[0] == 0, "what comes before the flow is there");
        }
        cw_arena_free(arena), cw_ctx_free(ctx), world_free(w);
    }
    /* each gene with another gene's peaks */
    world *w = world_new(DELAYED, 22);
    for (int i = 0; i < GENES * PER; i++) w->gene[i] = (w->gene[i] + 7) % GENES;
    cw_tau_data x = data_of(w);
    cw_tau_options o = cw_tau_defaults();
    cw_ctx *ctx = new_ctx(2);
    cw_arena *arena = cw_arena_new(ctx);
    cw_tau t;
    CHECK(cw_tau_fit(arena, &t, &x, &o) == CW_OK, "%s", ctx->text);
    CHECK(!identifiable(&t) && t.verdict.concord < .7, "permuted links: concord %.2f", t.verdict.concord);
    cw_arena_free(arena), cw_ctx_free(ctx), world_free(w);
}

/* Genes whose RNA falls where their chromatin opens: known as such, beta < 0, delays too, and no part of the verdict.
 */
static void repressed_genes(void)
{
    world *w = world_new(REPRESSED, 23);
    cw_tau_data x = data_of(w);
    cw_tau_options o = cw_tau_defaults();
    o.readout = CW_TAU_DELAY;
    cw_ctx *ctx = new_ctx(2);
    cw_arena *arena = cw_arena_new(ctx);
    cw_tau t;
    CHECK(cw_tau_fit(arena, &t, &x, &o) == CW_OK, "%s", ctx->text);
    double found[GENES], truth[GENES];
    int n = 0, known = 0;
    for (int g = 0; g < GENES; g++) {
        known += t.fit.repressed[g] == (g % 5 == 0);
        CHECK(!t.fit.repressed[g] || (!t.fit.usable[g] && t.beta[g] < 0), "gene %d: beta %g", g, t.beta[g]);
        CHECK(t.fit.repressed[g] || t.beta[g] > 0, "gene %d: beta %g", g, t.beta[g]);
        if (g % 5 == 0 && t.fit.repressed[g]) found[n] = t.tau[g], truth[n++] = w->tau[g];
    }
    CHECK(known >= GENES - 4, "%d of %d known", known, GENES);
    CHECK(n >= 8 && rank_correlation(found, truth, n) > .3, "%d genes, Spearman %.2f", n,
          rank_correlation(found, truth, n));
    cw_arena_free(arena), cw_ctx_free(ctx), world_free(w);
}

/* ---- counts ------------------------------------------------------------------------------------------------------ */

/* Order, cap and halves: what is drawn for a cell and a feature doesn't know where they stand. */
static void counts(void)
{
    enum { N = 200, P = 70 };
    cw_ctx *ctx = new_ctx(3);
    cw_arena *arena = cw_arena_new(ctx);
    sparse s = sparse_new(P, N);
    int32_t cell[N], row[P], back_cell[N], back_row[P], all[N], some[50];
    uint64_t id[2][N], turned[2][N];
    for (int c = 0; c < N; c++) {
        for (int p = 0; p < P; p++) {
            int n = (int)(20 * uniform(3, (uint64_t)(c * P + p))) - 12;
            if (c < 2) n = 60;
            if (p == 5 && c == 9) n = 9000;
            if (n > 0) s.row[s.n] = p, s.value[s.n++] = n;
        }
        s.start[c + 1] = (int32_t)s.n, all[c] = c, cell[c] = (c * 7 + 3) % N, id[0][c] = cw_tau_mix((uint64_t)c);
    }
    for (int p = 0; p < P; p++) row[p] = (p * 9 + 4) % P, id[1][p] = cw_tau_id(p % 2 ? "a" : "b") + (uint64_t)p;
    for (int c = 0; c < N; c++) back_cell[cell[c]] = c, turned[0][c] = id[0][cell[c]];
    for (int p = 0; p < P; p++) back_row[row[p]] = p, turned[1][p] = id[1][row[p]];
    const cw_counts x = view(&s);
    cw_counts y, z, capped = x, half[2], other[2];
    CHECK(cw_tau_arrange(arena, &y, &x, cell, row) == CW_OK && cw_tau_arrange(arena, &z, &y, back_cell, back_row) == CW_OK,
          "%s", ctx->text);
    CHECK(!memcmp(z.start, x.start, sizeof(int32_t) * (N + 1)) && !memcmp(z.row, x.row, sizeof(int32_t) * (size_t)s.n) &&
              !memcmp(z.value, x.value, sizeof(double) * (size_t)s.n), "order and back");
    cw_tau_capped told;
    CHECK(cw_tau_cap(arena, &capped, &told, id[0], id[1], 7) == CW_OK && told.values == 1 && told.cells == 2,
          "%lld values, %lld cells", (long long)told.values, (long long)told.cells);
    double deep = 0, usual = 0;
    for (int32_t e = 0; e < s.n; e++) {
        CHECK(capped.value[e] <= s.value[e] && capped.value[e] == floor(capped.value[e]), "entry %d", e);
        if (e < s.start[1]) deep += capped.value[e];
        if (e >= s.start[20] && e < s.start[120]) usual += capped.value[e] / 100;
    }
    CHECK(deep > 8 * usual && deep < 12 * usual, "depth %g, usual %g", deep, usual);
    capped = x;
    capped.cells = 8, capped.start = x.start + 2; /* nothing to cap: the counts stay the caller's */
    CHECK(cw_tau_halve(arena, half, &x, all, N, id[0], id[1], 7) == CW_OK, "%s", ctx->text);
    double both = 0, cross = 0;
    for (int32_t e = 0; e < s.n; e++) {
        double gap = half[0].value[e] - half[1].value[e];
        CHECK(half[0].value[e] + half[1].value[e] == s.value[e] && half[1].value[e] >= 0, "halves of %d", e);
        if (s.value[e] < 100) both += s.value[e], cross += gap * gap;
    }
    CHECK(cross > .8 * both && cross < 1.2 * both, "variance of the halves' difference %g of %g", cross, both);
    CHECK(cw_tau_halve(arena, other, &y, all, N, turned[0], turned[1], 7) == CW_OK &&
              cw_tau_arrange(arena, &z, &other[0], back_cell, back_row) == CW_OK, "%s", ctx->text);
    CHECK(!memcmp(z.value, half[0].value, sizeof(double) * (size_t)s.n), "halves in another order");
    CHECK(cw_tau_draw_cells(arena, some, id[0], N, 50, 7) == CW_OK, "draw");
    for (int i = 0; i < 49; i++) CHECK(some[i] < some[i + 1] && some[49] < N, "cells drawn once, in order");
    cw_tau_halves_give(arena, half), cw_tau_halves_give(arena, other);
    cw_arena_free(arena), cw_ctx_free(ctx), sparse_free(&s);
}

/* ---- odd and damaged input -------------------------------------------------------------------------------------- */

/* 80 cells; a gene without counts, one that is constant, a gene without links, an empty peak, an empty cell. */
static void odd_input(void)
{
    world *w = world_new(DELAYED, 31);
    const int cells = 80;
    for (int s = 0; s < 2; s++) {
        sparse *m = s ? &w->rna : &w->atac;
        int32_t to = 0, at = 0;
        for (int c = 0; c < cells; c++) {
            int32_t end = m->start[c + 1];
            for (; at < end; at++) {
                if (m->row[at] == 3 || c == 5 || (s && m->row[at] == 4)) continue; /* peak 3, gene 3; cell 5 */
                m->row[to] = m->row[at], m->value[to++] = m->value[at];
            }
            if (s && c != 5) { /* gene 4 has one count in each cell: put in order */
                int32_t q = to++;
                while (q > m->start[c] && m->row[q - 1] > 4)
                    m->row[q] = m->row[q - 1], m->value[q] = m->value[q - 1], q--;
                m->row[q] = 4, m->value[q] = 1;
            }
            m->start[c + 1] = to;
        }
    }
    for (int i = 0; i < PER; i++) w->gene[i] = 1; /* gene 0 has no link */
    cw_tau_data x = data_of(w);
    x.atac.cells = x.rna.cells = cells;
    cw_tau_options o = cw_tau_defaults();
    cw_ctx *ctx = new_ctx(2);
    cw_arena *arena = cw_arena_new(ctx);
    cw_tau t;
    CHECK(cw_tau_fit(arena, &t, &x, &o) == CW_OK, "%s", ctx->text);
    CHECK(!t.fit.counted[0] && !t.fit.counted[3] && t.fit.counted[4] && t.fit.signal_r[3] == 0, "genes without counts");
    CHECK(isnan(t.tau[0]) && isnan(t.tau[3]), "and their delays");
    for (int g = 0; g < GENES; g++) CHECK(!isinf(t.tau[g]) && isfinite(t.fit.cor[g]), "gene %d", g);
    for (int i = 0; i < GENES * PER; i++) CHECK(isfinite(t.peak_weight[i]) && t.peak_weight[i] >= 0, "link %d", i);
    cw_arena_free(arena), cw_ctx_free(ctx), world_free(w);
}

static void refusals(void)
{
    world *w = world_new(DELAYED, 41);
    double bad[CELLS * 6];
    memcpy(bad, w->ea, sizeof bad);
    bad[77] = NAN;
    double *same = calloc(CELLS * 6, 8);
    for (int i = 0; i < 11; i++) {
        cw_tau_data x = data_of(w);
        cw_tau_options o = cw_tau_defaults();
        const char *say = "";
        cw_status expect = CW_ERR_ARGUMENT;
        double keep = w->rna.value[50];
        int32_t row = w->atac.row[10], gene = w->gene[0];
        switch (i) {
        case 0: x.rna.cells--, expect = CW_ERR_SHAPE, say = "500 cells with chromatin, 499"; break;
        case 1: x.rna.cells = x.atac.cells = 20, expect = CW_ERR_SHAPE, say = "20 cells are too few"; break;
        case 2: w->rna.value[50] = NAN, expect = CW_ERR_NUMERIC, say = "counts are needed"; break;
        case 3: w->rna.value[50] = -1, expect = CW_ERR_NUMERIC, say = "-1"; break;
        case 4: w->atac.row[10] = PEAKS, say = "chromatin counts is damaged"; break;
        case 5: w->gene[0] = GENES, say = "joins gene 60"; break;
        case 6:
            x.atac_embedding = bad, x.atac_axes = 6, expect = CW_ERR_NUMERIC, say = "isn't finite in cell 13";
            break;
        case 7: o.max_axes = 1, say = "out of its range"; break;
        case 8: x.links = 0, expect = CW_ERR_SHAPE, say = "0 links"; break;
        case 10: /* four places: too few for landmarks with two neighbours each */
            for (int c = 0; c < CELLS; c++)
                for (int j = 0; j < 6; j++) same[c * 6 + j] = (c % 4) * (c % 4 + j) % 5;
            o.neighbours = 2; /* fall through */
        default: x.atac_embedding = x.rna_embedding = same, x.atac_axes = x.rna_axes = 6;
            expect = CW_ERR_SHAPE, say = "different places";
        }
        cw_ctx *ctx = new_ctx(1);
        cw_arena *arena = cw_arena_new(ctx);
        cw_tau t;
        cw_status s = cw_tau_fit(arena, &t, &x, &o);
        CHECK(s == expect && strstr(ctx->text, say), "case %d: %d, %s", i, s, ctx->text);
        cw_arena_free(arena);
        CHECK(ctx->memory.bytes == 0, "case %d leaks", i);
        cw_ctx_free(ctx);
        w->rna.value[50] = keep, w->atac.row[10] = row, w->gene[0] = gene;
    }
    free(same), world_free(w);
}

static int stop_soon(void *user) { return ++*(int *)user > 20; }

static void memory_and_interrupt(void)
{
    world *w = world_new(DELAYED, 51);
    cw_tau_data x = data_of(w);
    x.atac.cells = x.rna.cells = 90; /* small: the fit is run many times */
    cw_tau_options o = cw_tau_defaults();
    o.landmarks = 8, o.components = 5, o.grid_size = 5, o.lead_splits = 1, o.metacells = 40;
    int64_t at = 0, failed = 0;
    for (;; at += at < 20 ? 1 : 7) {
        cw_ctx *ctx = new_ctx(2);
        cw_arena *arena = cw_arena_new(ctx);
        ctx->fail_at = ctx->memory.calls + at;
        cw_tau t;
        cw_status s = cw_tau_fit(arena, &t, &x, &o);
        CHECK(s == CW_OK || s == CW_ERR_MEMORY, "%s", ctx->text);
        cw_arena_free(arena);
        CHECK(ctx->memory.bytes == 0, "allocation %lld: %lld bytes left", (long long)at, (long long)ctx->memory.bytes);
        cw_ctx_free(ctx);
        failed += s == CW_ERR_MEMORY;
        if (s == CW_OK) break;
    }
    CHECK(failed >= 15, "only %lld allocations failed", (long long)failed);
    int asked = 0;
    cw_host host = {.user = &asked, .interrupted = stop_soon};
    cw_ctx *ctx = cw_ctx_new(&host);
    cw_arena *arena = cw_arena_new(ctx);
    cw_tau t;
    CHECK(cw_tau_fit(arena, &t, &x, &o) == CW_ERR_INTERRUPT, "not interrupted");
    cw_arena_free(arena);
    CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx), world_free(w);
}

int main(void)
{
    cw_ctx *ctx = new_ctx(2);
    cw_arena *arena = cw_arena_new(ctx);
    kernels(), held_curves(), clock_and_genes(), counts();
    gold_profile(arena);
    gold_posterior(arena);
    gold_cca(arena);
    gold_flow(arena);
    clusters(arena);
    CHECK(ctx->status == CW_OK, "%s", ctx->text);
    cw_arena_free(arena), cw_ctx_free(ctx);
    known_delays();
    given_state();
    nulls();
    repressed_genes();
    odd_input();
    refusals();
    memory_and_interrupt();
    return test_end();
}
