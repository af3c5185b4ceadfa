/* test_celltype.c: logistic regression against its own finite differences and optimality, views of cells against sums
 * written out. */
#include "test.h"

#include "core/rng.h"
#include "core/threads.h"
#include "kernels/kernels.h"
#include "stats/celllabel.h"
#include "stats/logistic.h"

static cw_ctx *new_ctx(int threads)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->threads = threads;
    ctx->kernels = cw_kernels_select("cpu");
    return ctx;
}

static double noise(uint64_t key, uint64_t i)
{
    cw_stream s = cw_rng_stream(key, CW_RNG_USER, 5, 1);
    double sum = 0;
    for (uint64_t j = 0; j < 4; j++) sum += cw_rng_uniform(s, 4 * i + j) - 0.5;
    return sum * 1.7320508;
}

/* ---- logistic ---------------------------------------------------------------------------------------------------- */

enum { CELLS = 301, GENES = 7, CLASSES = 4, SIZE = CLASSES * (GENES + 1) };
static float x[CELLS * GENES];
static int32_t label[CELLS];
static double weight[CELLS];

static void make_cells(void)
{
    for (int i = 0; i < CELLS; i++) {
        label[i] = i % CLASSES;
        weight[i] = 0.5 + (i % 3);
        for (int g = 0; g < GENES; g++)
            x[i * GENES + g] = (float)(noise(7, (uint64_t)(i * GENES + g)) + (g == label[i] ? 1.0 : 0.0));
    }
}

/* The objective in double, as the header writes it. */
static double by_hand(const double *theta, double C)
{
    double sum = 0, total = 0, square = 0;
    for (int i = 0; i < CELLS; i++) {
        double e = 0, right = 0;
        for (int k = 0; k < CLASSES; k++) {
            double s = theta[CLASSES * GENES + k];
            for (int g = 0; g < GENES; g++) s += theta[k * GENES + g] * x[i * GENES + g];
            e += exp(s);
            if (k == label[i]) right = s;
        }
        sum += weight[i] * (log(e) - right), total += weight[i];
    }
    for (int j = 0; j < CLASSES * GENES; j++) square += theta[j] * theta[j];
    return (sum + square / (2 * C)) / total;
}

static void test_gradient(void)
{
    double theta[SIZE], g[SIZE], loss = 0;
    for (int j = 0; j < SIZE; j++) theta[j] = 0.3 * noise(9, (uint64_t)j);
    cw_ctx *ctx = new_ctx(1);
    cw_logistic_loss(ctx, &loss, g, theta, x, label, weight, 0.7, CELLS, GENES, CLASSES);
    CHECK(fabs(loss - by_hand(theta, 0.7)) < 1e-6, "loss %.9f, by hand %.9f", loss, by_hand(theta, 0.7));
    double worst = 0;
    for (int j = 0; j < SIZE; j++) {
        double t = theta[j], h = 1e-4;
        theta[j] = t + h;
        double up = by_hand(theta, 0.7);
        theta[j] = t - h;
        double down = by_hand(theta, 0.7);
        theta[j] = t;
        worst = fmax(worst, fabs((up - down) / (2 * h) - g[j]));
    }
    CHECK(worst < 1e-6, "gradient off by %g", worst);
    cw_ctx_free(ctx);
}

static void test_fit(void)
{
    double B[2][CLASSES * GENES] = {{0}}, b[2][CLASSES] = {{0}};
    cw_logistic_options o = {.C = 0.7, .tolerance = 1e-6, .steps = 500};
    cw_logistic_result r[2];
    for (int t = 0; t < 2; t++) {
        cw_ctx *ctx = new_ctx(1 + 2 * t);
        CHECK(cw_logistic_fit(ctx, B[t], b[t], &r[t], x, label, weight, &o, CELLS, GENES, CLASSES) == CW_OK, "%s",
              ctx->text);
        cw_ctx_free(ctx);
    }
    CHECK(!memcmp(B[0], B[1], sizeof B[0]) && !memcmp(b[0], b[1], sizeof b[0]), "threads change the fit");
    CHECK(r[0].gradient < 1e-4 && r[0].steps < 60, "gradient %g after %d steps", r[0].gradient, (int)r[0].steps);
    /* the objective is convex: no step from the solution may lower it */
    double theta[SIZE], best;
    memcpy(theta, B[0], sizeof B[0]), memcpy(theta + CLASSES * GENES, b[0], sizeof b[0]);
    best = by_hand(theta, 0.7);
    for (int j = 0; j < SIZE; j++)
        for (int s = -1; s < 2; s += 2) {
            double t = theta[j];
            theta[j] = t + 1e-3 * s;
            CHECK(by_hand(theta, 0.7) > best - 1e-7, "lower beside coefficient %d", j);
            theta[j] = t;
        }
    /* a warm start needs no step */
    cw_ctx *ctx = new_ctx(1);
    o.tolerance = 1.01 * r[0].gradient;
    cw_logistic_fit(ctx, B[0], b[0], &r[0], x, label, weight, &o, CELLS, GENES, CLASSES);
    CHECK(r[0].steps == 0, "%d steps from the solution", (int)r[0].steps);
    cw_ctx_free(ctx);
}

static void test_refusals(void)
{
    double B[CLASSES * GENES] = {0}, b[CLASSES] = {0};
    cw_logistic_options o = {.C = 1, .tolerance = 1e-3, .steps = 5};
    cw_logistic_result r;
    cw_ctx *ctx = new_ctx(1);
    label[5] = CLASSES;
    CHECK(cw_logistic_fit(ctx, B, b, &r, x, label, weight, &o, CELLS, GENES, CLASSES) == CW_ERR_ARGUMENT, "label");
    label[5] = 5 % CLASSES;
    cw_ctx_clear(ctx);
    double w = weight[3];
    weight[3] = NAN;
    CHECK(cw_logistic_fit(ctx, B, b, &r, x, label, weight, &o, CELLS, GENES, CLASSES) == CW_ERR_ARGUMENT, "weight");
    weight[3] = w;
    cw_ctx_clear(ctx);
    CHECK(cw_logistic_fit(ctx, B, b, &r, x, label, weight, &o, CELLS, GENES, 1) == CW_ERR_SHAPE, "one class");
    cw_ctx_clear(ctx);
    float v = x[11];
    x[11] = NAN;
    CHECK(cw_logistic_fit(ctx, B, b, &r, x, label, weight, &o, CELLS, GENES, CLASSES) == CW_ERR_NUMERIC, "NaN");
    x[11] = v;
    cw_ctx_clear(ctx);
    for (int64_t at = 0; at < 5; at++) {
        ctx->fail_at = ctx->memory.calls + at;
        CHECK(cw_logistic_fit(ctx, B, b, &r, x, label, weight, &o, CELLS, GENES, CLASSES) == CW_ERR_MEMORY,
              "allocation %d", (int)at);
        cw_ctx_clear(ctx);
    }
    ctx->fail_at = -1;
    CHECK(ctx->memory.bytes == 0, "%d bytes kept", (int)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

/* ---- views ------------------------------------------------------------------------------------------------------- */

enum { ROWS = 5, SEEN = 3, MANY = 300 };
static int start[MANY + 1], row[MANY * 2];
static double value[MANY * 2], total[MANY];
static const int32_t to[ROWS] = {2, -1, 0, 1, -1};

/* Cell c holds c % 7 + 1 counts of row c % 5 and 2 of row (c + 2) % 5. */
static cw_cell_block make_block(void)
{
    for (int c = 0; c < MANY; c++) {
        start[c] = 2 * c;
        row[2 * c] = c % ROWS, row[2 * c + 1] = (c + 2) % ROWS;
        value[2 * c] = c % 7 + 1, value[2 * c + 1] = 2;
        total[c] = c % 7 + 3;
    }
    start[MANY] = 2 * MANY;
    return (cw_cell_block){start, row, value, total, ROWS, MANY, NULL};
}

static double seen(int c, int g, int linear, int logged)
{
    double v = 0;
    for (int e = 0; e < 2; e++)
        if (to[row[2 * c + e]] == g) v = value[2 * c + e] * (logged ? 1 : 1e4 / total[c]);
    return logged ? (linear ? expm1(v) : v) : linear ? v : log1p(v);
}

static void test_views(void)
{
    const double mean[SEEN] = {1, 2, 3}, scale[SEEN] = {.5, 2, 10};
    cw_cell_block block = make_block();
    cw_ctx *ctx = new_ctx(2);
    float v[MANY * SEEN];
    for (int logged = 0; logged < 2; logged++)
        for (int linear = 0; linear < 2; linear++) {
            block.total = logged ? NULL : total;
            cw_cell_view view = {.to = to, .genes = SEEN, .linear = linear};
            cw_cell_matrix(ctx, v, &block, &view);
            double worst = 0;
            for (int c = 0; c < MANY; c++)
                for (int g = 0; g < SEEN; g++) {
                    double want = seen(c, g, linear, logged);
                    worst = fmax(worst, fabs(v[c * SEEN + g] - want) / (1 + want));
                }
            CHECK(worst < 1e-6, "logged %d linear %d: %g", logged, linear, worst);
        }
    block.total = total;
    cw_cell_view view = {.to = to, .genes = SEEN, .unit = 1};
    cw_cell_matrix(ctx, v, &block, &view);
    for (int c = 0; c < 10; c++) {
        double a[SEEN], m = 0, s = 0;
        for (int g = 0; g < SEEN; g++) a[g] = seen(c, g, 0, 0), m += a[g] / SEEN;
        for (int g = 0; g < SEEN; g++) s += (a[g] - m) * (a[g] - m);
        for (int g = 0; g < SEEN; g++)
            CHECK(fabs(v[c * SEEN + g] - (a[g] - m) / (sqrt(s) + 1e-8)) < 1e-6, "unit %d %d", c, g);
    }
    view = (cw_cell_view){.to = to, .genes = SEEN, .mean = mean, .scale = scale, .clip = 10};
    cw_cell_matrix(ctx, v, &block, &view);
    for (int c = 0; c < 10; c++)
        for (int g = 0; g < SEEN; g++) {
            double want = fmin(fmax((seen(c, g, 0, 0) - mean[g]) * scale[g], -10), 10);
            CHECK(fabs(v[c * SEEN + g] - want) < 1e-4, "z %d %d", c, g);
        }
    cw_ctx_free(ctx);
}

static void test_sums_and_scores(void)
{
    cw_cell_block block = make_block();
    cw_cell_view view = {.to = to, .genes = SEEN};
    cw_ctx *ctx = new_ctx(1);
    int32_t group[MANY];
    double sum[2 * SEEN] = {0}, square[2 * SEEN] = {0}, want[2 * SEEN] = {0}, squared[2 * SEEN] = {0};
    for (int c = 0; c < MANY; c++) {
        group[c] = c % 3 - 1;
        for (int g = 0; g < SEEN && group[c] >= 0; g++) {
            double v = seen(c, g, 0, 0);
            want[group[c] * SEEN + g] += v, squared[group[c] * SEEN + g] += v * v;
        }
    }
    cw_cell_sums(ctx, sum, square, &block, &view, group, 2);
    for (int j = 0; j < 2 * SEEN; j++)
        CHECK(fabs(sum[j] - want[j]) < 1e-3 && fabs(square[j] - squared[j]) < 1e-2, "sums %d", j);
    double B[2][SEEN] = {{.1, -.2, .3}, {-.3, .2, .1}}, b[2] = {.5, -.5};
    double *p[2];
    for (int t = 0; t < 2; t++) {
        ctx->threads = 1 + 2 * t;
        p[t] = malloc(MANY * 2 * sizeof **p);
        cw_cell_score(ctx, p[t], &block, &view, B[0], b, 2);
    }
    CHECK(!memcmp(p[0], p[1], MANY * 2 * sizeof **p), "threads change the scores");
    for (int c = 0; c < MANY; c += 37) {
        double s[2] = {b[0], b[1]};
        for (int k = 0; k < 2; k++)
            for (int g = 0; g < SEEN; g++) s[k] += B[k][g] * seen(c, g, 0, 0);
        CHECK(fabs(p[0][2 * c] - (s[0] - log(exp(s[0]) + exp(s[1])))) < 1e-5, "score of cell %d", c);
    }
    free(p[0]), free(p[1]);
    group[4] = 2;
    CHECK(cw_cell_sums(ctx, sum, square, &block, &view, group, 2) == CW_ERR_ARGUMENT, "group");
    cw_ctx_clear(ctx);
    total[3] = 0;
    CHECK(cw_cell_score(ctx, sum, &block, &view, B[0], b, 2) == CW_ERR_ARGUMENT, "total");
    cw_ctx_free(ctx);
}

static void test_neighbours(void)
{
    enum { N = 200, M = 37, D = 3, K = 5 };
    float point[N * D], mark[M * D];
    double value[M * 2], mean[2][N * 2];
    for (int i = 0; i < N * D; i++) point[i] = (float)noise(21, (uint64_t)i);
    for (int i = 0; i < M * D; i++) mark[i] = (float)noise(22, (uint64_t)i);
    for (int i = 0; i < M * 2; i++) value[i] = noise(23, (uint64_t)i);
    for (int t = 0; t < 2; t++) {
        cw_ctx *ctx = new_ctx(1 + 2 * t);
        CHECK(cw_neighbour_means(ctx, mean[t], point, mark, value, K, N, M, D, 2) == CW_OK, "%s", ctx->text);
        CHECK(cw_neighbour_means(ctx, mean[t], point, mark, value, M + 1, N, M, D, 2) == CW_ERR_SHAPE, "too many");
        cw_ctx_free(ctx);
    }
    CHECK(!memcmp(mean[0], mean[1], sizeof mean[0]), "threads change the means");
    double worst = 0;
    for (int c = 0; c < N; c++) {
        double far[M], sum[2] = {0};
        for (int j = 0; j < M; j++) {
            far[j] = 0;
            for (int d = 0; d < D; d++) far[j] += pow(point[c * D + d] - mark[j * D + d], 2);
        }
        for (int j = 0; j < M; j++) {
            int before = 0;
            for (int i = 0; i < M; i++) before += far[i] < far[j];
            if (before < K) sum[0] += value[2 * j], sum[1] += value[2 * j + 1];
        }
        for (int v = 0; v < 2; v++) worst = fmax(worst, fabs(mean[0][2 * c + v] - sum[v] / K));
    }
    CHECK(worst < 1e-9, "neighbours' means off by %g", worst);
}

/* ---- labels and novelty of a block --------------------------------------------------------------------------------- */

enum { KINDS = 3, DIMS = 2, AXES = 2 };

static void softmax_of(double *p, const double *s, double t)
{
    double sum = 0;
    for (int k = 0; k < KINDS; k++) sum += p[k] = exp(s[k] / t);
    for (int k = 0; k < KINDS; k++) p[k] /= sum;
}

static int best_of(const double *p)
{
    return p[1] > p[0] ? (p[2] > p[1] ? 2 : 1) : p[2] > p[0] ? 2 : 0;
}

static void mean_of(double *to, double p[][KINDS], int n)
{
    double s[KINDS] = {0};
    for (int k = 0; k < KINDS; k++)
        for (int m = 0; m < n; m++) s[k] += log(p[m][k] + 1e-6) / n;
    softmax_of(to, s, 1);
}

static void test_labels(void)
{
    const double mean[SEEN] = {5, 6, 7}, scale[SEEN] = {.5, 2, 1}, limit[KINDS] = {.5, .7, .9};
    double B[5][KINDS * SEEN], b[KINDS] = {.1, 0, -.1}, prob[2][MANY], p[2][MANY * KINDS];
    cw_cell_model model[5];
    cw_cell_block block = make_block();
    block.total = NULL; /* values as they are */
    for (int m = 0; m < 5; m++) {
        for (int j = 0; j < KINDS * SEEN; j++) B[m][j] = 0.4 * noise(31 + (uint64_t)m, (uint64_t)j);
        model[m] = (cw_cell_model){{.to = to, .genes = SEEN}, B[m], b};
    }
    model[1].view = (cw_cell_view){.to = to, .genes = SEEN, .mean = mean, .scale = scale, .clip = 3};
    static int32_t call[2][4][MANY];
    static uint8_t inside[2][MANY * KINDS];
    static float v[5][MANY * SEEN];
    cw_ctx *ctx = new_ctx(1);
    for (int m = 0; m < 5; m++) cw_cell_matrix(ctx, v[m], &block, &model[m].view);
    for (int n = 1; n < 5; n += n == 1 ? 2 : 1)
        for (int blend = 0; blend < 2; blend++) {
            const cw_label_rule rule = {n, blend, 1.5, limit};
            for (int t = 0; t < 2; t++) {
                ctx->threads = 1 + 2 * t;
                cw_cell_labels out = {call[t][0], call[t][1], call[t][2], call[t][3], prob[t], inside[t], p[t]};
                CHECK(cw_cell_label(ctx, &out, &block, model + (n == 1 ? 3 : 0), &rule, KINDS) == CW_OK, "%s", ctx->text);
            }
            CHECK(!memcmp(p[0], p[1], sizeof p[0]) && !memcmp(call[0], call[1], sizeof call[0]), "threads change labels");
            for (int c = 0; c < MANY; c += 11) {
                double each[5][KINDS], two[2][KINDS], all[KINDS], s[KINDS];
                for (int m = 0; m <= n; m++) {
                    int at = m + (n == 1 ? 3 : 0);
                    for (int k = 0; k < KINDS; k++) {
                        s[k] = b[k];
                        for (int g = 0; g < SEEN; g++) s[k] += B[at][k * SEEN + g] * v[at][c * SEEN + g];
                    }
                    softmax_of(each[m], s, 1);
                }
                for (int k = 0; k < KINDS; k++) two[0][k] = each[0][k];
                if (n > 1) mean_of(two[0], each, 3);
                for (int k = 0; k < KINDS; k++) two[1][k] = each[n == 4 ? 3 : 0][k], all[k] = n == 4 ? two[1][k] : two[0][k];
                if (n == 4 && blend) mean_of(all, two, 2);
                for (int k = 0; k < KINDS; k++) s[k] = log(all[k]);
                softmax_of(all, s, 1.5);
                int k = best_of(all);
                CHECK(call[0][0][c] == k && fabs(prob[0][c] - all[k]) < 1e-5, "label of cell %d, %d models: %d, %g", c, n,
                      call[0][0][c], prob[0][c]);
                CHECK(call[0][1][c] == best_of(two[0]) && call[0][3][c] == best_of(each[n]), "guess, beside of %d", c);
                CHECK(call[0][2][c] == (n == 4 ? best_of(two[1]) : k), "matched of %d", c);
                for (int j = 0; j < KINDS; j++)
                    CHECK(inside[0][c * KINDS + j] == (j == k || 1 - all[j] <= limit[j]), "set of %d", c);
            }
        }
    cw_cell_labels out = {call[0][0], call[0][1], call[0][2], call[0][3], prob[0], inside[0], NULL};
    cw_label_rule rule = {2, 1, 1, limit};
    CHECK(cw_cell_label(ctx, &out, &block, model, &rule, KINDS) == CW_ERR_SHAPE, "two models");
    cw_ctx_clear(ctx);
    rule = (cw_label_rule){4, 1, 0, limit};
    CHECK(cw_cell_label(ctx, &out, &block, model, &rule, KINDS) == CW_ERR_ARGUMENT, "temperature");
    cw_ctx_clear(ctx);
    rule.temperature = 1;
    for (int64_t at = 0; at < 8; at++) {
        ctx->fail_at = ctx->memory.calls + at;
        CHECK(cw_cell_label(ctx, &out, &block, model, &rule, KINDS) == CW_ERR_MEMORY, "allocation %d", (int)at);
        cw_ctx_clear(ctx);
    }
    ctx->fail_at = -1;
    CHECK(ctx->memory.bytes == 0, "%d bytes kept", (int)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

static void test_lifted(void)
{
    cw_cell_block block = make_block();
    cw_ctx *ctx = new_ctx(2);
    static float lifted[2 * MANY], a[MANY * SEEN], b[MANY * SEEN];
    const double mean[SEEN] = {5, 6, 7}, scale[SEEN] = {.5, 2, 1};
    block.total = total, total[3] = 6;
    cw_cell_lift(ctx, lifted, &block);
    for (int kind = 0; kind < 4; kind++) {
        cw_cell_view view = {.to = to, .genes = SEEN, .unit = kind == 1, .linear = kind == 2, .clip = 3};
        if (kind == 3) view.mean = mean, view.scale = scale;
        block.lifted = NULL;
        cw_cell_matrix(ctx, a, &block, &view);
        block.lifted = lifted;
        cw_cell_matrix(ctx, b, &block, &view);
        CHECK(!memcmp(a, b, sizeof a), "lifted values show otherwise, view %d", kind);
    }
    cw_ctx_free(ctx);
}

static void test_novelty(void)
{
    double centre[KINDS * SEEN], rotation[DIMS * SEEN], typical[KINDS] = {.9, .8, .7}, origin[DIMS] = {.3, -.2};
    double mean[KINDS * DIMS], middle[DIMS] = {.1, .2}, inverse[DIMS * DIMS] = {2, .5, .5, 1}, axis[AXES * SEEN];
    for (int j = 0; j < KINDS * SEEN; j++) centre[j] = noise(41, (uint64_t)j);
    for (int j = 0; j < DIMS * SEEN; j++) rotation[j] = noise(42, (uint64_t)j), axis[j] = noise(43, (uint64_t)j);
    for (int j = 0; j < KINDS * DIMS; j++) mean[j] = noise(44, (uint64_t)j);
    cw_cell_block block = make_block();
    const cw_novelty_model m = {.view = {.to = to, .genes = SEEN}, .own = {.to = to, .genes = SEEN, .unit = 1},
                                .types = KINDS, .dims = DIMS, .axes = AXES, .centre = centre, .typical = typical,
                                .rotation = rotation, .origin = origin, .mean = mean, .middle = middle,
                                .inverse = inverse, .axis = axis};
    static double raw[2][MANY * 2], point[2][MANY * AXES];
    static float v[MANY * SEEN], u[MANY * SEEN];
    cw_ctx *ctx = new_ctx(1);
    for (int t = 0; t < 2; t++) {
        ctx->threads = 1 + 2 * t;
        CHECK(cw_cell_novelty(ctx, raw[t], point[t], &block, &m) == CW_OK, "%s", ctx->text);
    }
    CHECK(!memcmp(raw[0], raw[1], sizeof raw[0]) && !memcmp(point[0], point[1], sizeof point[0]), "threads change it");
    cw_cell_matrix(ctx, v, &block, &m.view), cw_cell_matrix(ctx, u, &block, &m.own);
    for (int c = 0; c < MANY; c += 13) {
        const float *x0 = v + c * SEEN;
        double sum = x0[0] + x0[1] + x0[2], cosine[KINDS], length = 0, w[DIMS], a[DIMS], near = 1e300;
        for (int g = 0; g < SEEN; g++) length += (x0[g] - sum / 3) * (x0[g] - sum / 3);
        for (int k = 0; k < KINDS; k++)
            cosine[k] = (centre[3 * k] * x0[0] + centre[3 * k + 1] * x0[1] + centre[3 * k + 2] * x0[2]) / (sqrt(length) + 1e-8);
        int k = best_of(cosine);
        for (int d = 0; d < DIMS; d++) {
            w[d] = rotation[3 * d] * x0[0] + rotation[3 * d + 1] * x0[1] + rotation[3 * d + 2] * x0[2] - origin[d];
            a[d] = w[d] - middle[d];
            double along = 0;
            for (int g = 0; g < SEEN; g++) along += axis[d * SEEN + g] * u[c * SEEN + g];
            CHECK(fabs(point[0][c * AXES + d] - along) < 1e-5, "point of cell %d", c);
        }
        for (int j = 0; j < KINDS; j++) near = fmin(near, pow(w[0] - mean[2 * j], 2) + pow(w[1] - mean[2 * j + 1], 2));
        double want = 2 * a[0] * a[0] + a[0] * a[1] + a[1] * a[1] - near;
        CHECK(fabs(raw[0][2 * c] - cosine[k] / typical[k]) < 1e-4 && fabs(raw[0][2 * c + 1] - want) < 1e-3 * (1 + fabs(want)),
              "cell %d: %g %g, not %g %g", c, raw[0][2 * c], raw[0][2 * c + 1], cosine[k] / typical[k], want);
    }
    for (int64_t at = 0; at < 4; at++) {
        ctx->fail_at = ctx->memory.calls + at;
        CHECK(cw_cell_novelty(ctx, raw[0], point[0], &block, &m) == CW_ERR_MEMORY, "allocation %d", (int)at);
        cw_ctx_clear(ctx);
    }
    ctx->fail_at = -1;
    CHECK(ctx->memory.bytes == 0, "%d bytes kept", (int)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

int main(void)
{
    make_cells();
    test_gradient();
    test_fit();
    test_refusals();
    test_views();
    test_sums_and_scores();
    test_neighbours();
    test_labels();
    test_lifted();
    test_novelty();
    return test_end();
}
