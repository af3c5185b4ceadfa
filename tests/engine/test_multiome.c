/* test_multiome.c: simulated chromatin and RNA have the courses, the delays and the counts they are said to have. */
#include "test.h"

#include "sim/multiome.h"

static cw_ctx *new_ctx(int threads)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->threads = threads;
    return ctx;
}

static cw_multiome_options small(void)
{
    cw_multiome_options o = cw_multiome_defaults();
    o.cells = 307, o.genes = 41, o.key = 5;
    return o;
}

static int bit(const cw_multiome *m, int64_t i, int64_t p)
{
    return m->open[i * ((m->peaks + 7) / 8) + p / 8] >> p % 8 & 1;
}

/* Means over seeds are those of the prototype of the method page, within about 4 standard errors. */
static void test_distribution(void)
{
    cw_ctx *ctx = new_ctx(2);
    double umi = 0, zero = 0, open = 0, peaks = 0, tau = 0, dynamic = 0, share[6] = {0};
    const int seeds = 8;
    for (int s = 0; s < seeds; s++) {
        cw_multiome_options o = cw_multiome_defaults();
        cw_multiome m;
        o.cells = 1500, o.key = (uint64_t)s + 1;
        CHECK(cw_multiome_simulate(ctx, &m, &o, 0) == CW_OK, "%s", ctx->text);
        double n = (double)(o.cells * o.genes);
        for (int64_t k = 0; k < o.cells * o.genes; k++)
            umi += m.rna[k] / (n * seeds), zero += (m.rna[k] == 0) / (n * seeds);
        for (int64_t i = 0; i < o.cells; i++) open += (double)m.opened[i] / (double)m.peaks / (double)(o.cells * seeds);
        for (int64_t g = 0; g < o.genes; g++) {
            share[m.pattern[g]] += 1.0 / (double)(o.genes * seeds);
            tau += log(m.tau[g]) / (double)(o.genes * seeds);
            dynamic += m.dynamic[g] / (double)(o.genes * seeds);
        }
        peaks += (double)m.peaks / seeds;
        cw_multiome_free(ctx, &m);
        CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
    }
    CHECK(fabs(umi - .87) < .05 && fabs(zero - .631) < .015, "%g counts per gene and cell, %g are 0", umi, zero);
    CHECK(fabs(open - .1097) < .004 && fabs(peaks - 2000) < 40, "%g of %g peaks open", open, peaks);
    CHECK(fabs(tau - log(.8)) < .05 && fabs(dynamic - .81) < .04, "log tau %g, dynamic %g", tau, dynamic);
    const double want[] = {.33, .22, .28, .11, .03, .03};
    for (int k = 0; k < 6; k++) CHECK(fabs(share[k] - want[k]) < .04, "pattern %d: %g", k, share[k]);
    cw_ctx_free(ctx);
}

/* Chromatin of gene g at the cell nearest to time t. */
static double nearest(const cw_multiome *m, const cw_multiome_options *o, const float *what, int64_t g, double t)
{
    int64_t best = 0;
    for (int64_t i = 1; i < o->cells; i++)
        if (fabs(m->time[i] - t) < fabs(m->time[best] - t)) best = i;
    return what[best * o->genes + g];
}

/* RNA is the chromatin of tau ago; with kinetics it solves tau dr/dt = a - r; with no delay it is the chromatin. */
static void test_delays(void)
{
    cw_ctx *ctx = new_ctx(2);
    for (int lag = 0; lag < 2; lag++)
        for (int loop = 0; loop < 2; loop++) {
            cw_multiome_options o = small();
            cw_multiome m;
            o.cells = 20000, o.genes = 23, o.lag = (cw_lag)lag, o.peaks_high = 3;
            o.topology = loop ? CW_TOPOLOGY_LOOP : CW_TOPOLOGY_LINEAR;
            CHECK(cw_multiome_simulate(ctx, &m, &o, 1) == CW_OK, "%s", ctx->text);
            double worst = 0;
            int moved = 0;
            for (int64_t g = 0; g < o.genes; g++) {
                if (m.pattern[g] > CW_PATTERN_PULSE) continue;
                for (double t = 3; t < 9; t += .5) {
                    double r = nearest(&m, &o, m.rate, g, t), want;
                    if (lag == 0) want = nearest(&m, &o, m.chromatin, g, t - m.tau[g]);
                    else {
                        double up = nearest(&m, &o, m.rate, g, t + .1), down = nearest(&m, &o, m.rate, g, t - .1);
                        want = nearest(&m, &o, m.chromatin, g, t) - m.tau[g] * (up - down) / .2;
                    }
                    worst = fmax(worst, fabs(r - want));
                    moved += fabs(r - nearest(&m, &o, m.chromatin, g, t)) > .1;
                }
            }
            CHECK(worst < (lag ? .06 : .02), "lag %d, loop %d: off by %g", lag, loop, worst);
            CHECK(moved > 20, "RNA and chromatin are the same");
            cw_multiome_free(ctx, &m);
        }
    cw_multiome_options o = small();
    cw_multiome m;
    o.spoil = CW_SPOIL_DELAY, o.lag = CW_LAG_MIXED;
    CHECK(cw_multiome_simulate(ctx, &m, &o, 1) == CW_OK, "%s", ctx->text);
    int64_t different = 0;
    for (int64_t k = 0; k < o.cells * o.genes; k++)
        different += m.pattern[k % o.genes] < CW_PATTERN_RNA_ONLY && m.chromatin[k] != m.rate[k];
    CHECK(different == 0 && m.tau[0] == 0, "%lld differ without a delay", (long long)different);
    cw_multiome_free(ctx, &m), cw_ctx_free(ctx);
}

/* Counts follow the rate, peaks the chromatin; repressed genes the other way. */
static void test_counts(void)
{
    cw_ctx *ctx = new_ctx(2);
    cw_multiome_options o = small();
    cw_multiome m;
    o.cells = 4000, o.library_rna = o.library_atac = 0, o.dropout = 0, o.dispersion = 1e7;
    o.repressed = .5, o.depth_rna = 4;
    CHECK(cw_multiome_simulate(ctx, &m, &o, 1) == CW_OK, "%s", ctx->text);
    int repressed = 0;
    double worst = 0, closed = 0, opened = 0;
    for (int64_t g = 0; g < o.genes; g++) {
        if (m.pattern[g] != CW_PATTERN_ON) continue;
        double low = 0, high = 0, down = 0, up = 0;
        for (int64_t i = 0; i < o.cells; i++) {
            double r = m.rate[i * o.genes + g], a = m.chromatin[i * o.genes + g];
            if (r < .02) low += m.rna[i * o.genes + g], down++;
            if (r > .98) high += m.rna[i * o.genes + g], up++;
            if (i % 97 == 0 && a > .999 && m.time[i] > 6 + m.tau[g])
                worst = fmax(worst, m.repressed[g] ? fabs(r) : 0); /* fully open: silent */
        }
        repressed += m.repressed[g];
        if (down < 300 || up < 300) continue;
        double leak = low / down / (high / up); /* .05 to .15 */
        CHECK(leak > .03 && leak < .19, "gene %d: %g of its counts without activity", (int)g, leak);
    }
    CHECK(repressed > 2 && worst < .05, "%d repressed, off by %g", repressed, worst);
    int64_t last = -1, bad = 0;
    for (int64_t p = 0; p < m.peaks; p++) {
        int64_t g = m.gene_of[p];
        bad += m.linked[p] != g || (g >= 0 && g != last && !m.follows[p]) || (last < 0 && p > 0 && g >= 0);
        last = g;
        if (g < 0 || !m.follows[p]) continue;
        for (int64_t i = 0; i < o.cells; i++) {
            double a = m.chromatin[i * o.genes + g];
            if (a < .05) closed += bit(&m, i, p) - .03; /* rate: base .09, top .215 on average */
            if (a > .95) opened += bit(&m, i, p) - .18;
        }
    }
    CHECK(bad == 0, "%lld bad peaks", (long long)bad);
    CHECK(opened > 0 && closed < 0, "peaks don't follow: %g, %g", opened, closed);
    int64_t wrong = 0;
    for (int64_t i = 0; i < o.cells; i++) {
        int64_t n = 0;
        for (int64_t p = 0; p < m.peaks; p++) n += bit(&m, i, p);
        wrong += n != m.opened[i];
    }
    CHECK(wrong == 0, "%lld rows are counted wrongly", (long long)wrong);
    cw_multiome_free(ctx, &m), cw_ctx_free(ctx);
}

static void test_spoils(void)
{
    cw_ctx *ctx = new_ctx(2);
    cw_multiome_options o = small();
    cw_multiome plain, pairing, links;
    CHECK(cw_multiome_simulate(ctx, &plain, &o, 0) == CW_OK, "%s", ctx->text);
    o.spoil = CW_SPOIL_PAIRING;
    CHECK(cw_multiome_simulate(ctx, &pairing, &o, 0) == CW_OK, "%s", ctx->text);
    o.spoil = CW_SPOIL_LINKS;
    CHECK(cw_multiome_simulate(ctx, &links, &o, 0) == CW_OK, "%s", ctx->text);
    int64_t bytes = (plain.peaks + 7) / 8, moved = 0, wrong = 0, relinked = 0;
    for (int64_t i = 0; i < o.cells; i++) { /* the same rows, in another order */
        moved += pairing.partner[i] != i;
        wrong += memcmp(pairing.open + i * bytes, plain.open + pairing.partner[i] * bytes, (size_t)bytes) != 0;
    }
    CHECK(moved > .9 * (double)o.cells && wrong == 0, "%lld moved, %lld wrong", (long long)moved, (long long)wrong);
    CHECK(!memcmp(pairing.rna, plain.rna, (size_t)(o.cells * o.genes) * 4), "RNA changed too");
    wrong = 0;
    for (int64_t p = 0; p < links.peaks; p++) {
        relinked += links.linked[p] != links.gene_of[p];
        wrong += (links.linked[p] < 0) != (links.gene_of[p] < 0);
        for (int64_t q = 0; q < p; q++)
            wrong += (links.gene_of[p] == links.gene_of[q]) != (links.linked[p] == links.linked[q]);
    }
    CHECK(relinked > .6 * (double)links.peaks && wrong == 0, "%lld, %lld", (long long)relinked, (long long)wrong);
    CHECK(!memcmp(links.open, plain.open, (size_t)(o.cells * bytes)), "the chromatin changed too");
    cw_multiome_free(ctx, &plain), cw_multiome_free(ctx, &pairing), cw_multiome_free(ctx, &links), cw_ctx_free(ctx);
}

/* Delays of altered genes are longer in the second half of the cells only. */
static void test_altered(void)
{
    cw_ctx *ctx = new_ctx(2);
    for (int branch = 0; branch < 2; branch++)
        for (int lag = 0; lag < 2; lag++) {
            cw_multiome_options o = small();
            cw_multiome m;
            o.cells = 6000, o.topology = CW_TOPOLOGY_FORK, o.lag = (cw_lag)lag;
            o.altered = .5, o.altered_branch = branch, o.factor = 3, o.high = 2;
            CHECK(cw_multiome_simulate(ctx, &m, &o, 1) == CW_OK, "%s", ctx->text);
            double change[2] = {0}, n[2] = {0};
            for (int64_t g = 0; g < o.genes; g++) {
                if (m.pattern[g] != CW_PATTERN_ON || m.branch_of[g]) continue;
                double lagging[2] = {0}, count[2] = {0};
                for (int64_t i = 0; i < o.cells; i++) { /* area between the curves, by group, on the branches */
                    if (!m.branch[i]) continue;
                    int s = branch ? m.branch[i] == 2 : m.group[i];
                    lagging[s] += m.chromatin[i * o.genes + g] - m.rate[i * o.genes + g], count[s]++;
                }
                change[m.altered[g]] += lagging[1] / count[1] - lagging[0] / count[0], n[m.altered[g]]++;
            }
            CHECK(n[0] > 0 && n[1] > 0, "%g, %g genes", n[0], n[1]);
            CHECK(fabs(change[0] / n[0]) < .02 && change[1] / n[1] > .04, "branch %d, lag %d: %g and %g", branch, lag,
                  change[0] / n[0], change[1] / n[1]);
            cw_multiome_free(ctx, &m);
        }
    cw_ctx_free(ctx);
}

static int same(const cw_multiome *a, const cw_multiome *b, const cw_multiome_options *o)
{
    return a->peaks == b->peaks && !memcmp(a->rna, b->rna, (size_t)(o->cells * o->genes) * 4) &&
           !memcmp(a->open, b->open, (size_t)(o->cells * ((a->peaks + 7) / 8))) &&
           !memcmp(a->tau, b->tau, (size_t)o->genes * 8) && !memcmp(a->dynamic, b->dynamic, (size_t)o->genes) &&
           !memcmp(a->rate, b->rate, (size_t)(o->cells * o->genes) * 4);
}

static void test_seeds(void)
{
    for (int topology = 0; topology < 4; topology++) {
        cw_multiome_options o = small();
        o.topology = (cw_topology)topology, o.lag = CW_LAG_MIXED, o.uneven = topology % 2;
        cw_ctx *ctx = new_ctx(1), *three = new_ctx(3);
        cw_multiome a, b, c;
        CHECK(cw_multiome_simulate(ctx, &a, &o, 1) == CW_OK && cw_multiome_simulate(three, &b, &o, 1) == CW_OK, "%s",
              ctx->text);
        o.key = 6;
        CHECK(cw_multiome_simulate(ctx, &c, &o, 1) == CW_OK, "%s", ctx->text);
        CHECK(same(&a, &b, &o), "topology %d: threads change it", topology);
        CHECK(!same(&a, &c, &o), "topology %d: seeds don't", topology);
        int64_t bad = 0, seen[6] = {0};
        for (int64_t i = 0; i < o.cells; i++) {
            bad += !(a.time[i] >= 0 && a.time[i] <= 10) || a.branch[i] > 5;
            bad += topology == CW_TOPOLOGY_FORK && (a.branch[i] == 0) != (a.time[i] < 4);
            seen[a.branch[i] % 6]++;
        }
        for (int64_t k = 0; k < o.cells * o.genes; k++) {
            bad += !(a.rate[k] >= 0 && a.rate[k] <= 1) || a.rna[k] < 0;
            bad += topology == CW_TOPOLOGY_RESTING && a.rate[k] != a.chromatin[k];
        }
        CHECK(bad == 0, "topology %d: %lld bad values", topology, (long long)bad);
        int kinds = topology == CW_TOPOLOGY_FORK ? 3 : topology == CW_TOPOLOGY_RESTING ? 6 : 1;
        for (int k = 0; k < 6; k++) CHECK((seen[k] > 0) == (k < kinds), "topology %d, branch %d", topology, k);
        cw_multiome_free(ctx, &a), cw_multiome_free(three, &b), cw_multiome_free(ctx, &c);
        cw_ctx_free(ctx), cw_ctx_free(three);
    }
}

static void test_limits(void)
{
    cw_multiome_options o = small();
    cw_multiome m;
    cw_ctx *ctx = new_ctx(1);
    o.cells = o.genes = o.peaks_low = o.peaks_high = o.peaks = 1; /* the smallest there is */
    CHECK(cw_multiome_simulate(ctx, &m, &o, 1) == CW_OK && m.peaks == 1, "%s", ctx->text);
    cw_multiome_free(ctx, &m);
    for (int bad = 0; bad < 8; bad++) {
        o = small();
        if (bad == 0) o.cells = 0;
        if (bad == 1) o.depth_atac = NAN;
        if (bad == 2) o.altered = 1.5;
        if (bad == 3) o.low = 3;
        if (bad == 4) o.peaks = 41 * 3 - 1;
        if (bad == 5) o.peaks_low = 0;
        if (bad == 6) o.factor = 5;
        if (bad == 7) o.topology = (cw_topology)(CW_TOPOLOGY_EXIT + 1);
        CHECK(cw_multiome_simulate(ctx, &m, &o, 0) == CW_ERR_ARGUMENT, "case %d is accepted", bad);
        cw_multiome_free(ctx, &m);
        CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
        cw_ctx_clear(ctx);
    }
    cw_ctx_free(ctx);
    int done = 0;
    o = small(), o.lag = CW_LAG_MIXED;
    for (int64_t at = 0; at < 60 && !done; at++) {
        ctx = new_ctx(1);
        ctx->fail_at = ctx->memory.calls + at;
        done = cw_multiome_simulate(ctx, &m, &o, 1) == CW_OK;
        if (!done) CHECK(ctx->status == CW_ERR_MEMORY, "%s", ctx->text);
        cw_multiome_free(ctx, &m);
        CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
        cw_ctx_free(ctx);
    }
    CHECK(done, "never done");
}

static int stop_later(void *user) { return --*(int *)user < 0; }

/* Few cells, many genes: it can be stopped between genes. */
static void test_interrupt(void)
{
    cw_multiome_options o = small();
    cw_multiome m;
    int left = 5;
    cw_ctx *ctx = new_ctx(2);
    ctx->host.interrupted = stop_later, ctx->host.user = &left;
    o.cells = 1, o.genes = 9001, o.peaks_low = o.peaks_high = 1, o.lag = CW_LAG_KINETICS;
    CHECK(cw_multiome_simulate(ctx, &m, &o, 0) == CW_ERR_INTERRUPT, "status %d", (int)ctx->status);
    cw_multiome_free(ctx, &m);
    CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

int main(void)
{
    test_interrupt();
    test_distribution(), test_delays(), test_counts(), test_spoils(), test_altered(), test_seeds(), test_limits();
    return test_end();
}
