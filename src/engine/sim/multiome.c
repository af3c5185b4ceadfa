/* multiome.c: see multiome.h. */
#include "multiome.h"

#include "../core/draws.h"

#include <math.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#define LENGTH ((double)CW_MULTIOME_LENGTH)
#define FORK_AT (.4 * LENGTH)
#define STEP .02 /* of the kinetics */
#define TWO_PI 6.283185307179586
enum { POINTS = 501, PROGRAMS = 8 }; /* POINTS: steps over the course, both ends counted */
enum { USE_CELL = 100, USE_GENE, USE_PEAK, USE_RNA, USE_OPEN, USE_STATE, USE_PAIRING, USE_LINKS };

/* What only the simulation itself needs. */
typedef struct course {
    double on, off, width, bump, rna_on; /* bump: width of a gene's peak on a loop */
    double mean, leak;                   /* counts at the median library; share of them with closed chromatin */
    double state[CW_MULTIOME_STATES];    /* levels at rest */
} course;

typedef struct site {
    double top, base; /* opening rate when the chromatin is active; share of it when not */
    double level;     /* of a constant peak */
    int32_t source;   /* the gene it follows; -1: constant */
} site;

typedef struct work {
    course *course;   /* (genes) */
    site *site;       /* (peaks) */
    float *response;  /* (genes, variants, POINTS): RNA by kinetics */
    float *level;     /* (threads, 2, genes): chromatin and rate of one cell */
    double *size;     /* (cells, 2): library sizes, RNA and chromatin */
    int64_t *order;   /* (genes) */
    int64_t paths, variants;
} work;

/* ---- courses of genes -------------------------------------------------------------------------------------------- */

static double rise(double x) { return 1.0 / (1.0 + exp(-fmin(fmax(x, -40.0), 40.0))); }

/* A bell around `centre`, on the loop. */
static double bell(double t, double centre, double width)
{
    double d = fmod(t - centre + 2.5 * LENGTH, LENGTH) - .5 * LENGTH;
    return exp(-.5 * d / width * d / width);
}

static double shape(int pattern, const course *c, double t)
{
    switch (pattern) {
    case CW_PATTERN_ON: case CW_PATTERN_ATAC_ONLY: return rise((t - c->on) / c->width);
    case CW_PATTERN_OFF: return 1.0 - rise((t - c->on) / c->width);
    case CW_PATTERN_PULSE: return rise((t - c->on) / c->width) * (1.0 - rise((t - c->off) / c->width));
    default: return .5;
    }
}

/* a_g(t) on one path of the course (0, or 0 and 1 after a fork; 1 also leaves a loop at its exit) */
static double chromatin_at(const cw_multiome *m, const work *w, const cw_multiome_options *o, int64_t g, int64_t path,
                           double t)
{
    const course *c = w->course + g;
    int pattern = m->pattern[g];
    int exit = o->topology == CW_TOPOLOGY_EXIT;
    if (o->topology == CW_TOPOLOGY_LOOP || (exit && !m->branch_of[g])) {
        if (exit && path == 1) t = fmin(t, CW_MULTIOME_EXIT); /* the loop's genes stay as they were on leaving */
        if (pattern == CW_PATTERN_FLAT || pattern == CW_PATTERN_RNA_ONLY) return .5;
        double b = bell(t, c->on, c->bump);
        return pattern == CW_PATTERN_OFF ? 1.0 - b : b;
    }
    /* on the other branch a gene stays as it was in the beginning */
    int still = m->branch_of[g] && m->branch_of[g] != path + 1;
    return shape(pattern, c, still ? -LENGTH : t);
}

/* What the RNA follows. */
static double drive_at(const cw_multiome *m, const work *w, const cw_multiome_options *o, int64_t g, int64_t path,
                       double t)
{
    const course *c = w->course + g;
    if (m->pattern[g] == CW_PATTERN_ATAC_ONLY) return .5;
    if (m->pattern[g] == CW_PATTERN_RNA_ONLY && o->topology == CW_TOPOLOGY_EXIT && path == 1)
        t = fmin(t, CW_MULTIOME_EXIT);
    if (m->pattern[g] == CW_PATTERN_RNA_ONLY)
        return o->topology == CW_TOPOLOGY_LOOP || o->topology == CW_TOPOLOGY_EXIT ? bell(t, c->rna_on, c->bump) : rise((t - c->rna_on) / c->width);
    double a = chromatin_at(m, w, o, g, path, t);
    if (o->hill > 0.0) {
        double half = pow(.5, o->hill), x = pow(a, o->hill);
        a = x / (x + half) * (1.0 + half);
    }
    return m->repressed[g] ? 1.0 - a : a;
}

/* The delay of gene g on a path in a group. */
static double delay_of(const cw_multiome *m, const cw_multiome_options *o, int64_t g, int64_t path, int64_t group)
{
    int64_t second = o->altered_branch ? path : group;
    return m->tau[g] * (m->altered[g] && second ? o->factor : 1.0);
}

/* First-order kinetics, exact for a drive that is constant over a step; started one course length early. */
static void respond(work *w, const cw_multiome *m, const cw_multiome_options *o, int64_t g)
{
    for (int64_t v = 0; v < w->variants; v++) {
        float *to = w->response + (g * w->variants + v) * POINTS;
        int64_t path = v % w->paths, group = v / w->paths;
        double tau = delay_of(m, o, g, path, group);
        if (!m->kinetic[g] || !(tau > 0.0)) continue;
        double keep = exp(-STEP / (m->share[g] * tau)), wait = (1.0 - m->share[g]) * tau;
        double r = drive_at(m, w, o, g, path, -LENGTH - wait);
        for (int64_t n = 1 - POINTS; n < POINTS; n++) {
            r = (1.0 - keep) * drive_at(m, w, o, g, path, (double)n * STEP - wait) + keep * r;
            if (n >= 0) to[n] = (float)r;
        }
    }
}

/* Chromatin and RNA rate of gene g in cell i. */
static void levels_at(float *a, float *r, const cw_multiome *m, const work *w, const cw_multiome_options *o,
                      int64_t g, int64_t i)
{
    if (o->topology == CW_TOPOLOGY_RESTING) {
        *a = *r = (float)w->course[g].state[m->branch[i]];
        return;
    }
    int64_t path = w->paths == 2 && m->branch[i] == 2, group = m->group[i];
    double t = m->time[i], tau = delay_of(m, o, g, path, group);
    *a = (float)chromatin_at(m, w, o, g, path, t);
    if (m->kinetic[g] && tau > 0.0) {
        int64_t variant = o->altered_branch ? path : path + w->paths * group;
        const float *y = w->response + (g * w->variants + variant) * POINTS;
        double x = t / STEP, whole = fmin(floor(x), POINTS - 2);
        int64_t n = (int64_t)whole;
        *r = (float)(y[n] + (x - whole) * (y[n + 1] - y[n]));
        return;
    }
    double wave = sin(TWO_PI * t / LENGTH + TWO_PI * (double)(g % 7) / 7.0);
    *r = (float)drive_at(m, w, o, g, path, t - tau * (1.0 + o->modulation * wave));
}

/* ---- draws ------------------------------------------------------------------------------------------------------- */

static double between(draws *d, double low, double high) { return low + (high - low) * unit(d); }

/* Everything about gene g; returns its number of peaks. All is drawn whether or not it is used, so that options which
 * differ in one thing share the rest. */
static int64_t draw_gene(cw_multiome *m, work *w, const cw_multiome_options *o, int64_t g)
{
    static const double share[] = {.33, .22, .28, .11, .03, .03}, where[] = {.4, .3, .3};
    draws d = draws_new(o->key, USE_GENE, g);
    course *c = w->course + g;
    double tau = o->median * exp(o->spread * normal(&d));
    m->tau[g] = o->spoil == CW_SPOIL_DELAY ? 0.0 : fmin(fmax(tau, o->low), o->high);
    m->pattern[g] = (uint8_t)choose(&d, share, 6);
    double centre = (.05 + .8 * (double)below(&d, PROGRAMS) / (PROGRAMS - 1)) * LENGTH;
    c->on = fmin(fmax(centre + .06 * LENGTH * normal(&d), .02 * LENGTH), .92 * LENGTH);
    c->width = between(&d, .02, .06) * LENGTH;
    c->off = c->on + between(&d, .15, .4) * LENGTH;
    c->bump = between(&d, .06, .16) * LENGTH;
    c->rna_on = unit(&d) * LENGTH;
    c->mean = 1.5 * exp(.7 * normal(&d)) * o->depth_rna;
    c->leak = between(&d, .05, .15);
    int64_t branch = choose(&d, where, 3);
    double late = FORK_AT + unit(&d) * (.85 * LENGTH - FORK_AT), last = between(&d, .15, .35) * LENGTH;
    if (o->topology == CW_TOPOLOGY_FORK) {
        m->branch_of[g] = (uint8_t)branch;
        if (branch) c->on = late;
        c->off = c->on + last;
    } else if (o->topology == CW_TOPOLOGY_EXIT && branch == 2) {
        m->branch_of[g] = 2;
        c->on = CW_MULTIOME_EXIT + (late - FORK_AT) * (LENGTH - CW_MULTIOME_EXIT) / (LENGTH - FORK_AT);
        c->off = c->on + last;
    }
    double coin = unit(&d);
    m->kinetic[g] = o->lag == CW_LAG_KINETICS || o->lag == CW_LAG_BOTH || (o->lag == CW_LAG_MIXED && coin < .5);
    m->share[g] = o->lag == CW_LAG_BOTH ? .2 + .6 * coin : m->kinetic[g];
    m->repressed[g] = unit(&d) < o->repressed;
    m->altered[g] = unit(&d) < o->altered;
    int64_t peaks = o->peaks_low + below(&d, o->peaks_high - o->peaks_low + 1);
    for (int s = 0; s < CW_MULTIOME_STATES; s++) {
        double level = unit(&d);
        c->state[s] = m->pattern[g] == CW_PATTERN_FLAT ? .5 : level * level;
    }
    return peaks;
}

static void draw_peak(cw_multiome *m, work *w, const cw_multiome_options *o, int64_t p, int first)
{
    draws d = draws_new(o->key, USE_PEAK, p);
    site *s = w->site + p;
    s->top = between(&d, .08, .35) * o->depth_atac;
    s->base = between(&d, .03, .15);
    double coin = unit(&d);
    int64_t other = below(&d, o->genes);
    int distal = m->gene_of[p] < 0;
    m->follows[p] = distal ? coin < .2 : first || coin < .7;
    s->source = !m->follows[p] ? -1 : distal ? (int32_t)other : m->gene_of[p];
    s->level = distal ? .5 : .6;
}

static void draw_cell(cw_multiome *m, work *w, const cw_multiome_options *o, int64_t i)
{
    draws d = draws_new(o->key, USE_CELL, i);
    double place = unit(&d), coin = unit(&d), side = unit(&d), state = unit(&d), half = unit(&d);
    w->size[2 * i] = exp(o->library_rna * normal(&d));
    w->size[2 * i + 1] = exp(o->library_atac * normal(&d));
    m->group[i] = o->altered > 0.0 && !o->altered_branch && half < .5;
    m->branch[i] = 0;
    m->time[i] = place * LENGTH;
    if (o->topology == CW_TOPOLOGY_RESTING) {
        m->branch[i] = (uint8_t)(state * (double)o->states);
        m->time[i] = 0.0;
    } else if (o->topology == CW_TOPOLOGY_FORK) {
        int trunk = coin < .3;
        m->time[i] = trunk ? place * FORK_AT : FORK_AT + place * (LENGTH - FORK_AT);
        m->branch[i] = trunk ? 0 : side < .5 ? 1 : 2;
        if (o->altered > 0.0 && o->altered_branch) m->group[i] = m->branch[i] == 2;
    } else if (o->topology == CW_TOPOLOGY_EXIT) {
        m->branch[i] = coin < .3 ? 2 : 0;
        if (m->branch[i]) m->time[i] = CW_MULTIOME_EXIT + place * (LENGTH - CW_MULTIOME_EXIT);
    } else if (o->uneven > 0.0) {
        int early = coin < .5;
        double x = gamma_draw(&d, early ? 1.2 : 4.0), y = gamma_draw(&d, early ? 3.0 : 1.5);
        m->time[i] = x / (x + y) * LENGTH;
    }
}

/* ---- data -------------------------------------------------------------------------------------------------------- */

static void draw_counts(int32_t *to, const float *rate, const work *w, const cw_multiome_options *o, int64_t i)
{
    draws d = draws_new(o->key, USE_RNA, i);
    for (int64_t g = 0; g < o->genes; g++) {
        const course *c = w->course + g;
        double mean = w->size[2 * i] * c->mean * (c->leak + (1.0 - c->leak) * rate[g]);
        double count = poisson(&d, mean * gamma_draw(&d, o->dispersion) / o->dispersion);
        if (unit(&d) < o->dropout) count = 0.0;
        to[g] = (int32_t)fmin(count, 2147483647.0);
    }
}

/* The row of cell i; a peak is open with chance 1 - exp(-x). Returns how many are. */
static int64_t draw_open(uint8_t *to, const float *chromatin, const cw_multiome *m, const work *w,
                         const cw_multiome_options *o, int64_t i)
{
    cw_stream stream = cw_rng_stream(o->key, CW_RNG_USER, (uint64_t)i, USE_OPEN);
    uint32_t word[4];
    int64_t opened = 0;
    memset(to, 0, (size_t)((m->peaks + 7) / 8));
    for (int64_t p = 0; p < m->peaks; p++) {
        const site *s = w->site + p;
        if (p % 4 == 0) cw_rng_block(word, stream, (uint64_t)p / 4);
        double u = ((double)word[p % 4] + .5) * (1.0 / 4294967296.0);
        double act = s->source >= 0 ? chromatin[s->source] : s->level;
        double x = w->size[2 * i + 1] * s->top * (s->base + (1.0 - s->base) * act);
        if (u >= x || u >= 1.0 - exp(-x)) continue; /* 1 - exp(-x) <= x spares most exponentials */
        to[p / 8] |= (uint8_t)(1 << p % 8);
        opened++;
    }
    return opened;
}

/* `buffer` (2, genes) */
static void simulate_cell(cw_multiome *m, const work *w, const cw_multiome_options *o, float *buffer, int64_t i)
{
    float *a = buffer, *r = buffer + o->genes;
    int64_t other = m->partner[i], bytes = (m->peaks + 7) / 8;
    for (int64_t g = 0; g < o->genes; g++) levels_at(a + g, r + g, m, w, o, g, i);
    draw_counts(m->rna + i * o->genes, r, w, o, i);
    if (m->chromatin) {
        memcpy(m->chromatin + i * o->genes, a, (size_t)o->genes * sizeof *a);
        memcpy(m->rate + i * o->genes, r, (size_t)o->genes * sizeof *r);
    }
    if (other != i)
        for (int64_t g = 0; g < o->genes; g++) levels_at(a + g, r + g, m, w, o, g, other);
    m->opened[i] = draw_open(m->open + i * bytes, a, m, w, o, other);
}

/* Does gene g change, in both modalities, over the cells there are? On a loop all do that are not flat. */
static int is_dynamic(const cw_multiome *m, const work *w, const cw_multiome_options *o, int64_t g)
{
    if (m->pattern[g] > CW_PATTERN_PULSE) return 0;
    if (o->topology == CW_TOPOLOGY_LOOP) return 1;
    float a, r, low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (int64_t i = 0; i < o->cells; i++) {
        levels_at(&a, &r, m, w, o, g, i);
        low[0] = fminf(low[0], a), high[0] = fmaxf(high[0], a);
        low[1] = fminf(low[1], r), high[1] = fmaxf(high[1], r);
    }
    return high[0] - low[0] > .3f && high[1] - low[1] > .3f;
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

#define O cw_multiome_options
const cw_setting cw_multiome_settings[] = {
    CW_SET_INT(O, cells, "cells", NULL, 3000, 1, 1e9, "number of cells"),
    CW_SET_INT(O, genes, "genes", NULL, 300, 1, 1e6, "number of genes"),
    CW_SET_INT(O, peaks, "peaks", NULL, 0, 0, 2147483647, "number of peaks; 0: of the genes, and 5 distal per 3 genes"),
    CW_SET_INT(O, peaks_low, "peaks_low", "peaksLow", 3, 1, 1000, "fewest peaks of a gene"),
    CW_SET_INT(O, peaks_high, "peaks_high", "peaksHigh", 7, 1, 1000, "most peaks of a gene"),
    CW_SET_CHOICE(O, topology, "topology", NULL, CW_TOPOLOGY_LINEAR, "linear bifurcation loop clusters exit", "the course"),
    CW_SET_INT(O, states, "states", NULL, 6, 1, CW_MULTIOME_STATES, "resting states"),
    CW_SET_CHOICE(O, lag, "lag", NULL, CW_LAG_DELAY, "delay kinetic mixed both", "how RNA follows chromatin"),
    CW_SET_CHOICE(O, spoil, "spoil", NULL, CW_SPOIL_NOTHING, "nothing delay pairing links", "what a null takes away"),
    CW_SET_DOUBLE(O, depth_rna, "depth_rna", "depthRna", 1, 0, 1e9, 1, "times the realistic depth of RNA"),
    CW_SET_DOUBLE(O, depth_atac, "depth_atac", "depthAtac", 1, 0, 1e9, 1, "times the realistic depth of chromatin"),
    CW_SET_DOUBLE(O, median, "median", NULL, .8, 0, 1e9, 1, "median delay"),
    CW_SET_DOUBLE(O, spread, "spread", NULL, .6, 0, 10, 0, "sd of the logarithm of delays"),
    CW_SET_DOUBLE(O, low, "low", NULL, .1, 0, LENGTH, 0, "shortest delay"),
    CW_SET_DOUBLE(O, high, "high", NULL, 2.5, 0, LENGTH, 1, "longest delay"),
    CW_SET_DOUBLE(O, hill, "hill", NULL, 0, 0, 100, 0, "above 0: RNA saturates with this exponent"),
    CW_SET_DOUBLE(O, modulation, "modulation", NULL, 0, -1, 1, 0, "share by which delays swing along the course"),
    CW_SET_DOUBLE(O, uneven, "uneven", NULL, 0, 0, 1, 0, "1: cells crowd at two places"),
    CW_SET_DOUBLE(O, repressed, "repressed", NULL, 0, 0, 1, 0, "share of genes whose RNA falls"),
    CW_SET_DOUBLE(O, altered, "altered", NULL, 0, 0, 1, 0, "share of genes with another delay in group 1"),
    CW_SET_DOUBLE(O, factor, "factor", NULL, 2, 0, 1e9, 1, "how many times longer that delay is"),
    CW_SET_FLAG(O, altered_branch, "altered_branch", "alteredBranch", 0, "group 1 is the second branch of a fork"),
    CW_SET_DOUBLE(O, dispersion, "dispersion", NULL, 3, 0, 1e9, 1, "shape of the counts' gamma noise"),
    CW_SET_DOUBLE(O, dropout, "dropout", NULL, .1, 0, 1, 0, "share of counts lost"),
    CW_SET_DOUBLE(O, library_rna, "library_rna", "libraryRna", .35, 0, 10, 0, "log-normal sd of RNA's depth"),
    CW_SET_DOUBLE(O, library_atac, "library_atac", "libraryAtac", .4, 0, 10, 0, "log-normal sd of chromatin's depth"),
    {0}};
#undef O

cw_multiome_options cw_multiome_defaults(void)
{
    cw_multiome_options o = {0};
    char why[64];
    return cw_settings_fill(cw_multiome_settings, &o, NULL, 0, 1, why, sizeof why) == CW_OK ? o
                                                                                           : (cw_multiome_options){0};
}

/* 5 distal peaks per 3 genes */
static int64_t distal_default(int64_t genes) { return (5 * genes + 1) / 3; }

int64_t cw_multiome_most_peaks(const cw_multiome_options *o)
{
    return o->peaks > 0 ? o->peaks : o->genes * o->peaks_high + distal_default(o->genes);
}

static cw_status check(cw_ctx *ctx, const cw_multiome_options *o)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (o->cells < 1 || o->genes < 1 || o->genes > 1000000 || o->peaks < 0 || o->peaks > 2147483647 ||
        o->peaks_low < 1 || o->peaks_high < o->peaks_low || o->peaks_high > 1000)
        return cw_fail(ctx, CW_ERR_ARGUMENT,
                       "simulation: %lld cells, %lld genes, %lld peaks, %lld to %lld of them per gene: at least 1 cell "
                       "and gene, 1 to 1,000 peaks per gene",
                       (long long)o->cells, (long long)o->genes, (long long)o->peaks, (long long)o->peaks_low,
                       (long long)o->peaks_high);
    const double chance[] = {o->repressed, o->altered, o->dropout};
    const double size[] = {o->spread, o->library_rna, o->library_atac};
    const double positive[] = {o->depth_rna, o->depth_atac, o->median, o->high, o->factor, o->dispersion};
    int good = o->low >= 0.0 && o->low <= o->high && o->high <= LENGTH && o->hill >= 0.0 && o->hill <= 100.0 &&
               fabs(o->modulation) <= 1.0;
    for (int i = 0; i < 3; i++) {
        good = good && chance[i] >= 0.0 && chance[i] <= 1.0;
        good = good && size[i] >= 0.0 && size[i] <= 10.0;
    }
    for (int i = 0; i < 6; i++) good = good && positive[i] > 0.0 && isfinite(positive[i]);
    good = good && o->high * o->factor <= LENGTH && o->topology >= CW_TOPOLOGY_LINEAR &&
           o->topology <= CW_TOPOLOGY_EXIT && o->lag >= CW_LAG_DELAY && o->lag <= CW_LAG_BOTH && o->states >= 1 &&
           o->states <= CW_MULTIOME_STATES &&
           o->spoil >= CW_SPOIL_NOTHING && o->spoil <= CW_SPOIL_LINKS;
    return good ? CW_OK
                : cw_fail(ctx, CW_ERR_ARGUMENT, "simulation: a share, spread, depth or delay is out of its range");
}

void cw_multiome_free(cw_ctx *ctx, cw_multiome *m)
{
    void *all[] = {m->tau,   m->share,   m->pattern, m->kinetic, m->repressed, m->altered, m->branch_of, m->dynamic,
                   m->gene_of, m->linked, m->follows, m->time,     m->branch,  m->group,     m->partner,
                   m->rna,   m->open,    m->opened,  m->chromatin, m->rate};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) cw_free(ctx, all[i]);
    memset(m, 0, sizeof *m);
}

static void work_free(cw_ctx *ctx, work *w)
{
    void *all[] = {w->course, w->site, w->response, w->level, w->size, w->order};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) cw_free(ctx, all[i]);
}

static cw_status take_genes(cw_ctx *ctx, cw_multiome *m, work *w, const cw_multiome_options *o)
{
    int64_t n = o->genes, peaks = cw_multiome_most_peaks(o);
    w->paths = o->topology == CW_TOPOLOGY_FORK || o->topology == CW_TOPOLOGY_EXIT ? 2 : 1;
    w->variants = w->paths * (o->altered > 0.0 && !o->altered_branch ? 2 : 1);
    m->tau = cw_alloc(ctx, n, sizeof *m->tau);
    m->share = cw_alloc(ctx, n, sizeof *m->share);
    m->pattern = cw_alloc(ctx, n, 1);
    m->kinetic = cw_alloc(ctx, n, 1);
    m->repressed = cw_alloc(ctx, n, 1);
    m->altered = cw_alloc(ctx, n, 1);
    m->branch_of = cw_calloc(ctx, n, 1);
    m->dynamic = cw_alloc(ctx, n, 1);
    m->gene_of = cw_alloc(ctx, peaks, sizeof *m->gene_of);
    m->linked = cw_alloc(ctx, peaks, sizeof *m->linked);
    m->follows = cw_alloc(ctx, peaks, 1);
    w->course = cw_alloc(ctx, n, sizeof *w->course);
    w->site = cw_alloc(ctx, peaks, sizeof *w->site);
    w->order = cw_alloc(ctx, n, sizeof *w->order);
    w->response = o->lag == CW_LAG_DELAY ? NULL : cw_calloc(ctx, n * w->variants * POINTS, sizeof *w->response);
    return ctx->status;
}

static cw_status take_cells(cw_ctx *ctx, cw_multiome *m, work *w, const cw_multiome_options *o, int profiles)
{
    int64_t n = o->cells;
    m->time = cw_alloc(ctx, n, sizeof *m->time);
    m->branch = cw_alloc(ctx, n, 1);
    m->group = cw_alloc(ctx, n, 1);
    m->partner = cw_alloc(ctx, n, sizeof *m->partner);
    m->rna = cw_alloc(ctx, n * o->genes, sizeof *m->rna);
    m->open = cw_alloc(ctx, n * ((m->peaks + 7) / 8), 1);
    m->opened = cw_alloc(ctx, n, sizeof *m->opened);
    if (profiles) {
        m->chromatin = cw_alloc(ctx, n * o->genes, sizeof *m->chromatin);
        m->rate = cw_alloc(ctx, n * o->genes, sizeof *m->rate);
    }
    w->size = cw_alloc(ctx, 2 * n, sizeof *w->size);
    w->level = cw_alloc(ctx, 2 * (int64_t)ctx->threads * o->genes, sizeof *w->level);
    return ctx->status;
}

static cw_status draw_genes_and_peaks(cw_ctx *ctx, cw_multiome *m, work *w, const cw_multiome_options *o)
{
    int64_t most = cw_multiome_most_peaks(o), linked = 0;
    for (int64_t g = 0; g < o->genes; g++) {
        int64_t peaks = draw_gene(m, w, o, g);
        if (linked + peaks > most)
            return cw_fail(ctx, CW_ERR_ARGUMENT,
                           "simulation: %lld peaks are too few for %lld genes with %lld to %lld each",
                           (long long)most, (long long)o->genes, (long long)o->peaks_low, (long long)o->peaks_high);
        for (int64_t k = 0; k < peaks; k++) m->gene_of[linked++] = (int32_t)g;
    }
    m->peaks = o->peaks > 0 ? o->peaks : linked + distal_default(o->genes);
    for (int64_t p = linked; p < m->peaks; p++) m->gene_of[p] = -1;
    for (int64_t g = 0; g < o->genes; g++) w->order[g] = g;
    if (o->spoil == CW_SPOIL_LINKS)
        cw_rng_permutation(w->order, o->genes, cw_rng_stream(o->key, CW_RNG_USER, 0, USE_LINKS));
    for (int64_t p = 0; p < m->peaks; p++) {
        if (p % 65536 == 0 && cw_poll(ctx) != CW_OK) break;
        draw_peak(m, w, o, p, p == 0 || m->gene_of[p] != m->gene_of[p - 1]);
        m->linked[p] = m->gene_of[p] < 0 ? -1 : (int32_t)w->order[m->gene_of[p]];
    }
    return ctx->status;
}

static void draw_cells(cw_multiome *m, work *w, const cw_multiome_options *o)
{
    for (int64_t i = 0; i < o->cells; i++) {
        draw_cell(m, w, o, i);
        m->partner[i] = i;
    }
    if (o->spoil == CW_SPOIL_PAIRING)
        cw_rng_permutation(m->partner, o->cells, cw_rng_stream(o->key, CW_RNG_USER, 0, USE_PAIRING));
}

/* `cells` cells from `from` on. */
static void simulate_block(cw_multiome *m, const work *w, const cw_multiome_options *o, int64_t from, int64_t cells,
                           int threads)
{
    (void)threads;
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
#endif
    for (int64_t i = from; i < from + cells; i++) {
        int me = 0;
#ifdef _OPENMP
        me = omp_get_thread_num();
#endif
        simulate_cell(m, w, o, w->level + 2 * (int64_t)me * o->genes, i);
    }
}

/* Items to do between two looks at the host, each of so many `values` computed: some .1 s. */
static int64_t block_of(double values) { return (int64_t)fmin(fmax(2e6 / values, 1.0), 1e6); }

/* Gene by gene: kinetics, and who is dynamic. */
static cw_status finish_genes(cw_ctx *ctx, cw_multiome *m, work *w, const cw_multiome_options *o)
{
    int threads = ctx->threads;
    (void)threads;
    int64_t block = block_of((double)(w->response ? w->variants * 2 * POINTS : 0) + (double)o->cells);
    for (int64_t from = 0; from < o->genes && cw_poll(ctx) == CW_OK; from += block) {
        int64_t to = from + block < o->genes ? from + block : o->genes;
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
#endif
        for (int64_t g = from; g < to; g++) {
            if (w->response) respond(w, m, o, g);
            m->dynamic[g] = (uint8_t)is_dynamic(m, w, o, g);
        }
    }
    return ctx->status;
}

cw_status cw_multiome_simulate(cw_ctx *ctx, cw_multiome *out, const cw_multiome_options *options, int profiles)
{
    const cw_multiome_options *o = options;
    work w = {0};
    memset(out, 0, sizeof *out);
    if (check(ctx, o) != CW_OK) return ctx->status;
    if (take_genes(ctx, out, &w, o) != CW_OK || draw_genes_and_peaks(ctx, out, &w, o) != CW_OK) goto done;
    if (take_cells(ctx, out, &w, o, profiles) != CW_OK) goto done;
    draw_cells(out, &w, o);
    if (finish_genes(ctx, out, &w, o) != CW_OK) goto done;
    int64_t block = block_of((double)o->genes + (double)out->peaks);
    if (block < ctx->threads) block = ctx->threads;
    for (int64_t i = 0; i < o->cells && cw_poll(ctx) == CW_OK; i += block)
        simulate_block(out, &w, o, i, i + block < o->cells ? block : o->cells - i, ctx->threads);
done:
    work_free(ctx, &w);
    return ctx->status;
}
