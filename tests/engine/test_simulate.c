/* test_simulate.c: simulated cells have the network, the contexts and the counts they are said to have. */
#include "test.h"

#include "sim/simulate.h"

static cw_ctx *new_ctx(int threads)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->threads = threads;
    return ctx;
}

static cw_simulate_options small(void)
{
    cw_simulate_options o = cw_simulate_defaults();
    o.cells = 307, o.genes = 61, o.tfs = 11, o.key = 5;
    return o;
}

static void test_shape(void)
{
    cw_ctx *ctx = new_ctx(2);
    cw_simulate_options o = cw_simulate_defaults();
    cw_simulation s;
    o.key = 1;
    CHECK(cw_simulate(ctx, &s, &o) == CW_OK, "%s", ctx->text);
    CHECK(s.edges > 150 && s.edges < 4 * o.genes, "%lld edges", (long long)s.edges);
    int64_t bad = 0, repress = 0, switching = 0;
    for (int64_t e = 0; e < s.edges; e++) {
        int works = 0;
        bad += s.tf[e] < 0 || s.tf[e] >= o.tfs || s.gene[e] < 0 || s.gene[e] >= o.genes;
        bad += s.gene[e] < o.tfs && s.tf[e] >= s.gene[e]; /* no loops */
        bad += e > 0 && s.gene[e] < s.gene[e - 1];
        for (int64_t d = 0; d < e; d++) bad += s.tf[e] == s.tf[d] && s.gene[e] == s.gene[d];
        repress += s.sign[e] < 0;
        for (int c = 0; c < 4; c++) works += s.works[e * 4 + c];
        bad += works < 1;
        switching += works < 4;
    }
    CHECK(bad == 0, "%lld bad edges", (long long)bad);
    CHECK(repress > .2 * s.edges && repress < .4 * s.edges, "%lld of %lld repress", (long long)repress,
          (long long)s.edges);
    CHECK(switching > .38 * s.edges && switching < .62 * s.edges, "%lld switch", (long long)switching);
    double sum = 0, off = 0, path = 0;
    for (int64_t i = 0; i < o.cells * o.genes; i++) sum += s.counts[i], bad += s.counts[i] < 0;
    for (int64_t i = 0; i < o.cells; i++) {
        double w = 0;
        for (int c = 0; c < 4; c++) w += s.context[i * 4 + c];
        off = fmax(off, fabs(w - 1));
        path += !isnan(s.position[i]);
        if (!isnan(s.position[i])) bad += s.context[i * 4] + s.context[i * 4 + 1] != 0;
    }
    sum /= (double)(o.cells * o.genes);
    /* library sizes multiply the mean by exp(.35^2 / 2); dropout takes a little away */
    CHECK(sum > 3.6 && sum < 4.7, "mean count %g", sum);
    CHECK(bad == 0 && off < 1e-6, "%lld, %g", (long long)bad, off);
    CHECK(path > .3 * (double)o.cells && path < .7 * (double)o.cells, "%g cells on the path", path);
    cw_simulation_free(ctx, &s);
    CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

static double correlation(const cw_simulation *s, const cw_simulate_options *o, int64_t a, int64_t b)
{
    double n = (double)o->cells, sa = 0, sb = 0, aa = 0, bb = 0, ab = 0;
    for (int64_t i = 0; i < o->cells; i++) {
        double x = log1p(s->counts[i * o->genes + a]), y = log1p(s->counts[i * o->genes + b]);
        sa += x, sb += y, aa += x * x, bb += y * y, ab += x * y;
    }
    return (ab - sa * sb / n) / sqrt((aa - sa * sa / n) * (bb - sb * sb / n) + 1e-12);
}

static void test_effect(void)
{ /* in one context, deep, without off TFs: activated targets go up with their TF, repressed ones down */
    cw_ctx *ctx = new_ctx(2);
    cw_simulate_options o = small();
    cw_simulation s;
    o.cells = 1500, o.contexts = 1, o.switching = 0, o.off = 0, o.depth = 60, o.library = 0;
    CHECK(cw_simulate(ctx, &s, &o) == CW_OK, "%s", ctx->text);
    double with = 0, sign = 0;
    for (int64_t e = 0; e < s.edges; e++) {
        double r = correlation(&s, &o, s.tf[e], s.gene[e]);
        with += r * s.sign[e] / (double)s.edges;
        sign += (r * s.sign[e] > 0) / (double)s.edges;
    }
    CHECK(with > .25 && sign > .85, "mean signed correlation %g, right sign %g", with, sign);
    cw_simulation_free(ctx, &s), cw_ctx_free(ctx);
}

static void test_poisson(void)
{ /* without noise counts are Poisson: variance = mean, at small and large means */
    const double depth[] = {.7, 6, 45};
    for (int d = 0; d < 3; d++) {
        cw_ctx *ctx = new_ctx(1);
        cw_simulate_options o = small();
        cw_simulation s;
        o.cells = 4000, o.genes = 40, o.tfs = 1, o.contexts = 1, o.depth = depth[d];
        o.switching = o.off = o.dropout = 0;
        o.noise = o.tf_noise = o.gene_spread = o.tf_spread = o.library = 0, o.dispersion = 1e7;
        CHECK(cw_simulate(ctx, &s, &o) == CW_OK, "%s", ctx->text);
        double ratio = 0, mean_all = 0;
        for (int64_t g = 0; g < o.genes; g++) {
            double a = 0, b = 0;
            for (int64_t i = 0; i < o.cells; i++) {
                double x = s.counts[i * o.genes + g];
                a += x, b += x * x;
            }
            a /= (double)o.cells;
            ratio += (b / (double)o.cells - a * a) / a / (double)o.genes;
            mean_all += a / (double)o.genes;
        }
        CHECK(fabs(ratio - 1) < .03, "depth %g: variance / mean %g", depth[d], ratio);
        CHECK(fabs(mean_all / depth[d] - 1) < .01, "depth %g: mean %g", depth[d], mean_all);
        cw_simulation_free(ctx, &s), cw_ctx_free(ctx);
    }
}

static int same(const cw_simulation *a, const cw_simulation *b, const cw_simulate_options *o)
{
    return a->edges == b->edges && !memcmp(a->tf, b->tf, (size_t)a->edges * 4) &&
           !memcmp(a->works, b->works, (size_t)(a->edges * o->contexts)) &&
           !memcmp(a->context, b->context, (size_t)(o->cells * o->contexts) * 4) &&
           !memcmp(a->counts, b->counts, (size_t)(o->cells * o->genes) * 4);
}

static void test_seeds(void)
{
    cw_simulate_options o = small();
    for (int course = 0; course < 4; course++) {
        o.course = (cw_course)course, o.key = 5;
        cw_ctx *ctx = new_ctx(1), *three = new_ctx(3);
        cw_simulation a, b, c;
        CHECK(cw_simulate(ctx, &a, &o) == CW_OK && cw_simulate(three, &b, &o) == CW_OK, "%s", ctx->text);
        o.key = 6;
        CHECK(cw_simulate(ctx, &c, &o) == CW_OK, "%s", ctx->text);
        CHECK(same(&a, &b, &o), "course %d: threads change it", course);
        CHECK(!same(&a, &c, &o), "course %d: seeds don't", course);
        double off = 0;
        for (int64_t i = 0; i < o.cells; i++) {
            double w = 0;
            for (int64_t k = 0; k < o.contexts; k++) w += a.context[i * o.contexts + k];
            off = fmax(off, fabs(w - 1));
            if (course == CW_COURSE_DISCRETE) off = fmax(off, !isnan(a.position[i]));
            if (course == CW_COURSE_CYCLE) off = fmax(off, isnan(a.position[i]));
        }
        CHECK(off < 1e-5, "course %d: %g", course, off);
        cw_simulation_free(ctx, &a), cw_simulation_free(three, &b), cw_simulation_free(ctx, &c);
        cw_ctx_free(ctx), cw_ctx_free(three);
    }
}

static void test_limits(void)
{
    cw_simulate_options o = small();
    cw_simulation s;
    cw_ctx *ctx = new_ctx(1);
    o.cells = o.genes = o.tfs = o.contexts = 1; /* the smallest there is */
    CHECK(cw_simulate(ctx, &s, &o) == CW_OK && s.edges == 0, "%s", ctx->text);
    cw_simulation_free(ctx, &s);
    o.contexts = 0;
    CHECK(cw_simulate(ctx, &s, &o) == CW_ERR_ARGUMENT, "%s", ctx->text);
    cw_ctx_clear(ctx);
    o.contexts = 2, o.depth = NAN;
    CHECK(cw_simulate(ctx, &s, &o) == CW_ERR_ARGUMENT, "%s", ctx->text);
    cw_ctx_clear(ctx);
    o.depth = 1, o.switching = 1.5;
    CHECK(cw_simulate(ctx, &s, &o) == CW_ERR_ARGUMENT, "%s", ctx->text);
    cw_ctx_free(ctx);
    int done = 0;
    o = small();
    for (int64_t at = 0; at < 60 && !done; at++) {
        ctx = new_ctx(1);
        ctx->fail_at = ctx->memory.calls + at;
        done = cw_simulate(ctx, &s, &o) == CW_OK;
        if (!done) CHECK(ctx->status == CW_ERR_MEMORY, "%s", ctx->text);
        cw_simulation_free(ctx, &s);
        CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
        cw_ctx_free(ctx);
    }
    CHECK(done, "never done");
}

int main(void)
{
    test_shape(), test_effect(), test_poisson(), test_seeds(), test_limits();
    return test_end();
}
