/* screen.c: see screen.h. */
#include "screen.h"

#include "../core/threads.h"
#include "../core/draws.h"

#include <math.h>
#include <string.h>

enum { USE_SCREEN = 200, USE_CELL, USE_TRUTH };
enum { WIRING = 0, GATES, LEVELS, PAIRS, GUIDES, TERMS, GRAPH, NETWORK, SIZES }; /* streams of USE_SCREEN */
enum { ITERATIONS = 35 };

#define O cw_screen_options
const cw_setting cw_screen_settings[] = {
    CW_SET_INT(O, pathways, "pathways", NULL, 10, 1, 1000, "pathways of 4 signalling genes and 2 TFs"),
    CW_SET_INT(O, targets, "targets", NULL, 180, 1, 1e5, "genes that regulate none"),
    CW_SET_INT(O, pairs, "pairs", NULL, 60, 0, 1e6, "pairs of genes perturbed"),
    CW_SET_INT(O, cells_low, "cells_low", "cellsLow", 40, 1, 1e6, "fewest cells of a perturbation"),
    CW_SET_INT(O, cells_high, "cells_high", "cellsHigh", 249, 1, 1e6, "most cells of a perturbation"),
    CW_SET_INT(O, controls, "controls", NULL, 1500, 1, 1e7, "control cells"),
    CW_SET_INT(O, truth, "truth", NULL, 0, 0, 1e6, "cells per perturbation behind the truth"),
    CW_SET_DOUBLE(O, depth, "depth", NULL, 1500, 0, 1e9, 1, "median library size"),
    CW_SET_FLAG(O, escape, "escape", NULL, 1, "are some cells not changed?"),
    CW_SET_FLAG(O, activation, "activation", NULL, 0, "are genes turned up?"),
    {0},
};
#undef O

cw_screen_options cw_screen_defaults(void)
{
    return (cw_screen_options){.pathways = 10, .targets = 180, .pairs = 60, .cells_low = 40, .cells_high = 249,
                               .controls = 1500, .depth = 1500, .escape = 1};
}

/* What the simulation needs beside its result: the wiring as edges by regulated gene. */
typedef struct work {
    int64_t *start;   /* (genes + 1) */
    int32_t *from;    /* (edges) */
    double *weight;   /* (edges) */
    double *base;     /* (genes) expression level */
    int64_t *size;    /* (perts + 1) cells; the last: controls */
    double *room;     /* (threads, 4, genes) */
} work;

static double between(draws *d, double low, double high) { return low + (high - low) * unit(d); }
static double log_normal(draws *d, double sd) { return exp(sd * normal(d)); }
static draws stream(const cw_screen_options *o, int which) { return draws_new(o->key, USE_SCREEN, which); }

/* n different indices below `all`, the first n of a shuffle; order (all). */
static void sample(draws *d, int64_t *order, int64_t n, int64_t all)
{
    for (int64_t i = 0; i < all; i++) order[i] = i;
    for (int64_t i = 0; i < n; i++) {
        int64_t j = i + below(d, all - i), keep = order[i];
        order[i] = order[j], order[j] = keep;
    }
}

/* ---- wiring ------------------------------------------------------------------------------------------------------ */

static void draw_wiring(cw_screen *s, const cw_screen_options *o, int64_t *order)
{
    int64_t signals = CW_SCREEN_SIGNALS * o->pathways, factors = CW_SCREEN_FACTORS * o->pathways;
    draws d = stream(o, WIRING);
    for (int64_t i = 0; i < signals; i++) {
        double sign = unit(&d) < .75 ? 1.0 : -1.0; /* some members inhibit their pathway */
        for (int64_t k = 0; k < CW_SCREEN_FACTORS; k++) {
            int64_t t = signals + CW_SCREEN_FACTORS * (i / CW_SCREEN_SIGNALS) + k;
            if (unit(&d) < .85) s->wiring[i * s->genes + t] = (float)(sign * between(&d, 1.0, 2.5));
        }
    }
    for (int64_t t = 0; t < factors; t++) {
        float *row = s->wiring + (signals + t) * s->genes;
        int64_t n = 8 + below(&d, 18);
        if (n > o->targets) n = o->targets;
        sample(&d, order, n, o->targets);
        for (int64_t k = 0; k < n; k++)
            row[s->regulators + order[k]] = (float)((unit(&d) < 2.0 / 3.0 ? 1.0 : -1.0) * between(&d, 1.0, 3.0));
        int64_t other = below(&d, factors);
        double back = (unit(&d) < .5 ? 1.0 : -1.0) * between(&d, .5, 1.5);
        if (other != t) row[signals + other] = (float)back;
    }
}

/* The two strongest regulators of a share of the targets act together only. */
static void draw_gates(cw_screen *s, const cw_screen_options *o)
{
    draws d = stream(o, GATES);
    for (int64_t g = 0; g < s->genes; g++) {
        int64_t best = -1, next = -1;
        for (int64_t r = 0; r < s->regulators; r++) {
            double w = fabs((double)s->wiring[r * s->genes + g]);
            if (w == 0.0) continue;
            if (best < 0 || w > fabs((double)s->wiring[best * s->genes + g])) next = best, best = r;
            else if (next < 0 || w > fabs((double)s->wiring[next * s->genes + g])) next = r;
        }
        int taken = unit(&d) < .4 && next >= 0 && g >= s->regulators;
        s->gate[2 * g] = taken ? (int32_t)best : -1;
        s->gate[2 * g + 1] = taken ? (int32_t)next : -1;
    }
}

static void draw_levels(cw_screen *s, work *w, const cw_screen_options *o, int64_t *order)
{
    draws d = stream(o, LEVELS);
    for (int64_t g = 0; g < s->genes; g++) w->base[g] = log_normal(&d, 1.0);
    int64_t n = o->targets / 6;
    sample(&d, order, n, o->targets);
    for (int64_t k = 0; k < n; k++)
        s->stress[s->regulators + order[k]] = (unit(&d) < 2.0 / 3.0 ? 1.0 : -1.0) * between(&d, .5, 1.5);
    draws guide = stream(o, GUIDES);
    for (int64_t r = 0; r < s->regulators; r++) { /* Beta(6, 2.5) */
        double a = gamma_draw(&guide, 6.0), b = gamma_draw(&guide, 2.5);
        s->works[r] = o->escape ? a / (a + b) : 1.0;
    }
}

/* A gene of pathway k: its signals, then its TFs. */
static int64_t member_of(const cw_screen_options *o, int64_t k, int64_t i)
{
    if (i < CW_SCREEN_SIGNALS) return CW_SCREEN_SIGNALS * k + i;
    return CW_SCREEN_SIGNALS * o->pathways + CW_SCREEN_FACTORS * k + i - CW_SCREEN_SIGNALS;
}

/* Singles, then pairs; half of these within a pathway, whose genes interact. */
static void draw_pairs(cw_screen *s, const cw_screen_options *o)
{
    enum { MEMBERS = CW_SCREEN_SIGNALS + CW_SCREEN_FACTORS };
    draws d = stream(o, PAIRS);
    for (int64_t p = 0; p < s->regulators; p++) s->first[p] = (int32_t)p, s->second[p] = -1;
    for (int64_t p = s->regulators; p < s->perts;) {
        int64_t a, b;
        if (p - s->regulators < o->pairs / 2) {
            int64_t k = below(&d, o->pathways);
            a = member_of(o, k, below(&d, MEMBERS)), b = member_of(o, k, below(&d, MEMBERS));
        } else {
            a = below(&d, s->regulators), b = below(&d, s->regulators);
        }
        int known = a == b;
        int32_t low = (int32_t)(a < b ? a : b), high = (int32_t)(a < b ? b : a);
        for (int64_t q = s->regulators; q < p && !known; q++) known = s->first[q] == low && s->second[q] == high;
        if (!known) s->first[p] = low, s->second[p++] = high;
    }
}

/* ---- side information -------------------------------------------------------------------------------------------- */

static void draw_terms(cw_screen *s, const cw_screen_options *o)
{
    draws d = stream(o, TERMS);
    int64_t terms = CW_SCREEN_TERMS * o->pathways, true_terms = terms / 2;
    for (int64_t t = 0; t < terms; t++) {
        if (t < true_terms) {
            for (int64_t i = 0; i < CW_SCREEN_SIGNALS + CW_SCREEN_FACTORS; i++)
                if (unit(&d) < .7) s->term[member_of(o, t / 2, i) * terms + t] = 1;
            for (int k = 0; k < 2; k++) s->term[below(&d, s->regulators) * terms + t] = 1;
        } else {
            int64_t n = 3 + below(&d, 6);
            for (int64_t k = 0; k < n; k++) s->term[below(&d, s->regulators) * terms + t] = 1;
        }
    }
}

static void draw_graph(cw_screen *s, const cw_screen_options *o)
{
    draws d = stream(o, GRAPH);
    int64_t R = s->regulators, edges = 0;
    for (int64_t i = 0; i < R; i++)
        for (int64_t j = 0; j < R; j++)
            edges += s->wiring[i * s->genes + j] != 0.0f || s->wiring[j * s->genes + i] != 0.0f;
    double density = (double)edges / (double)(R * R);
    for (int64_t i = 0; i < R; i++)
        for (int64_t j = i + 1; j < R; j++) {
            int there = s->wiring[i * s->genes + j] != 0.0f || s->wiring[j * s->genes + i] != 0.0f;
            int kept = unit(&d) < .6, wrong = unit(&d) < .7 * density;
            s->graph[i * R + j] = s->graph[j * R + i] = (uint8_t)((there && kept) || wrong);
        }
}

static void draw_network(cw_screen *s, const cw_screen_options *o)
{
    draws d = stream(o, NETWORK);
    int64_t n = s->regulators * s->genes, edges = 0;
    for (int64_t k = 0; k < n; k++) edges += s->wiring[k] != 0.0f;
    for (int64_t k = 0; k < n; k++) {
        double kept = unit(&d) < .6 ? (double)s->wiring[k] : 0.0;
        double wrong = unit(&d) < .6 * (double)edges / (double)n ? (unit(&d) < .5 ? 1.5 : -1.5) : 0.0;
        s->network[k] = (float)(kept + wrong);
    }
}

/* ---- cells ------------------------------------------------------------------------------------------------------- */

static double and_gate(const cw_screen *s, const double *half, int64_t g)
{
    double product = 4.0;
    for (int k = 0; k < 2; k++) {
        int64_t r = s->gate[2 * g + k];
        product *= s->wiring[r * s->genes + g] > 0.0f ? half[r] : 1.0 - half[r];
    }
    return product;
}

/* x (genes): abundances relative to about 1, of a cell with production `scale`. half, drive: (genes) working memory. */
static void steady_state(double *x, double *half, const cw_screen *s, const work *w, const cw_screen_options *o,
                         const double *scale)
{
    int64_t signals = CW_SCREEN_SIGNALS * o->pathways;
    for (int64_t g = 0; g < s->genes; g++) x[g] = 1.0;
    for (int round = 0; round < ITERATIONS; round++) {
        double disturbed = 0.0;
        for (int64_t r = 0; r < s->regulators; r++) half[r] = x[r] / (1.0 + x[r]);
        for (int64_t r = signals; r < s->regulators; r++)
            disturbed += fabs(log(x[r] + .05)) / (double)(s->regulators - signals);
        disturbed = fmin(disturbed, 2.0);
        for (int64_t g = 0; g < s->genes; g++) {
            double sum = 0.0, made = 1.0;
            for (int64_t e = w->start[g]; e < w->start[g + 1]; e++) sum += w->weight[e] * (half[w->from[e]] - .5);
            if (s->gate[2 * g] >= 0) made = and_gate(s, half, g);
            else if (w->start[g] < w->start[g + 1]) made = 2.0 / (1.0 + exp(-sum));
            if (s->stress[g] != 0.0) made *= exp(disturbed * s->stress[g]);
            x[g] = .5 * x[g] + .5 * scale[g] * made;
        }
    }
}

/* Counts (genes) of a cell of perturbation p, -1: control; hit (2): which of its genes are changed. */
static void draw_cell(int32_t *counts, uint8_t *hit, double *room, const cw_screen *s, const work *w,
                      const cw_screen_options *o, int64_t p, int everywhere, draws d)
{
    double *scale = room, *x = scale + s->genes, *half = x + s->genes, total = 0.0;
    int64_t signals = CW_SCREEN_SIGNALS * o->pathways;
    for (int64_t g = 0; g < s->genes; g++) scale[g] = log_normal(&d, .2);
    for (int64_t k = 0; k < o->pathways; k++) {
        double factor = log_normal(&d, .35);
        for (int64_t i = 0; i < CW_SCREEN_SIGNALS; i++) scale[CW_SCREEN_SIGNALS * k + i] *= factor;
        for (int64_t i = 0; i < CW_SCREEN_FACTORS; i++) scale[signals + CW_SCREEN_FACTORS * k + i] *= sqrt(factor);
    }
    for (int k = 0; k < 2; k++) {
        int64_t g = p < 0 ? -1 : k ? s->second[p] : s->first[p];
        hit[k] = g >= 0 && (everywhere || unit(&d) < s->works[g]);
        if (hit[k]) scale[g] *= o->activation ? 4.0 : .1;
    }
    steady_state(x, half, s, w, o, scale);
    for (int64_t g = 0; g < s->genes; g++) x[g] *= w->base[g], total += x[g];
    double library = o->depth * log_normal(&d, .35);
    for (int64_t g = 0; g < s->genes; g++)
        counts[g] = (int32_t)poisson(&d, x[g] / total * library * gamma_draw(&d, 1.0 / .15) * .15);
}

static void draw_cells(cw_ctx *ctx, cw_screen *s, const work *w, const cw_screen_options *o)
{
    int threads = ctx->threads, stop = 0;
    (void)threads;
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic, 16) num_threads(threads) if (threads > 1)
#endif
    for (int64_t c = 0; c < s->cells; c++) {
        cw_watch watch = cw_watch_here(ctx, &stop);
        if (cw_watch_stop(&watch)) continue;
        draw_cell(s->counts + c * s->genes, s->hit + 2 * c, w->room + cw_thread_number() * 4 * s->genes, s, w, o,
                  s->of[c], 0, draws_new(o->key, USE_CELL, c));
    }
}

/* Mean log-normalised value of `cells` cells in which every perturbation works. */
static void mean_cell(double *mean, int32_t *counts, double *room, const cw_screen *s, const work *w,
                      const cw_screen_options *o, int64_t p, int64_t cells)
{
    uint8_t hit[2];
    memset(mean, 0, (size_t)s->genes * sizeof *mean);
    for (int64_t c = 0; c < cells; c++) {
        double total = 0.0;
        draw_cell(counts, hit, room, s, w, o, p, 1, draws_new(o->key, USE_TRUTH, ((p + 1) << 20) + c));
        for (int64_t g = 0; g < s->genes; g++) total += counts[g];
        for (int64_t g = 0; g < s->genes; g++)
            mean[g] += log1p(counts[g] / fmax(total, 1.0) * o->depth) / (double)cells;
    }
}

static cw_status draw_truth(cw_ctx *ctx, cw_screen *s, const work *w, const cw_screen_options *o)
{
    int threads = ctx->threads, stop = 0;
    (void)threads;
    s->truth = cw_alloc(ctx, s->perts * s->genes, sizeof *s->truth);
    double *control = cw_alloc(ctx, s->genes, sizeof *control);
    int32_t *counts = cw_alloc(ctx, (int64_t)threads * s->genes, sizeof *counts);
    if (s->truth && control && counts) {
        mean_cell(control, counts, w->room, s, w, o, -1, 3 * o->truth);
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
#endif
        for (int64_t p = 0; p < s->perts; p++) {
            cw_watch watch = cw_watch_here(ctx, &stop);
            if (cw_watch_stop(&watch)) continue;
            double *mean = s->truth + p * s->genes;
            mean_cell(mean, counts + cw_thread_number() * s->genes, w->room + cw_thread_number() * 4 * s->genes, s, w,
                      o, p, o->truth);
            for (int64_t g = 0; g < s->genes; g++) mean[g] -= control[g];
        }
    }
    cw_free(ctx, control);
    cw_free(ctx, counts);
    return cw_poll(ctx);
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static cw_status check(cw_ctx *ctx, const cw_screen_options *o)
{
    int64_t regulators = (CW_SCREEN_SIGNALS + CW_SCREEN_FACTORS) * o->pathways;
    int64_t within = o->pathways * 15; /* pairs of 6 genes */
    if (o->cells_low > o->cells_high || o->cells_low < 1 || o->pathways < 1 || o->targets < 1 || o->controls < 1)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "a number of cells, pathways or targets out of range");
    if (o->pairs / 2 > within / 2 || o->pairs > regulators * (regulators - 1) / 4)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "%lld pairs are too many for %lld perturbed genes", (long long)o->pairs,
                       (long long)regulators);
    return ctx->status;
}

static cw_status take(cw_ctx *ctx, cw_screen *s, work *w, const cw_screen_options *o)
{
    int64_t R = s->regulators, G = s->genes, P = s->perts;
    s->wiring = cw_calloc(ctx, R * G, sizeof *s->wiring);
    s->network = cw_calloc(ctx, R * G, sizeof *s->network);
    s->gate = cw_alloc(ctx, 2 * G, sizeof *s->gate);
    s->works = cw_alloc(ctx, R, sizeof *s->works);
    s->stress = cw_calloc(ctx, G, sizeof *s->stress);
    s->first = cw_alloc(ctx, P, sizeof *s->first);
    s->second = cw_alloc(ctx, P, sizeof *s->second);
    s->term = cw_calloc(ctx, R * CW_SCREEN_TERMS * o->pathways, sizeof *s->term);
    s->graph = cw_calloc(ctx, R * R, sizeof *s->graph);
    w->base = cw_alloc(ctx, G, sizeof *w->base);
    w->start = cw_calloc(ctx, G + 1, sizeof *w->start);
    w->size = cw_alloc(ctx, P + 1, sizeof *w->size);
    w->room = cw_alloc(ctx, (int64_t)ctx->threads * 4 * G, sizeof *w->room);
    return ctx->status;
}

static cw_status edges_by_gene(cw_ctx *ctx, const cw_screen *s, work *w)
{
    int64_t G = s->genes, n = 0;
    for (int64_t k = 0; k < s->regulators * G; k++) n += s->wiring[k] != 0.0f;
    w->from = cw_alloc(ctx, n, sizeof *w->from);
    w->weight = cw_alloc(ctx, n, sizeof *w->weight);
    if (ctx->status != CW_OK) return ctx->status;
    n = 0;
    for (int64_t g = 0; g < G; g++) {
        for (int64_t r = 0; r < s->regulators; r++)
            if (s->wiring[r * G + g] != 0.0f) w->from[n] = (int32_t)r, w->weight[n++] = (double)s->wiring[r * G + g];
        w->start[g + 1] = n;
    }
    return ctx->status;
}

static cw_status take_cells(cw_ctx *ctx, cw_screen *s, const work *w)
{
    s->of = cw_alloc(ctx, s->cells, sizeof *s->of);
    s->hit = cw_alloc(ctx, 2 * s->cells, sizeof *s->hit);
    s->counts = cw_alloc(ctx, s->cells * s->genes, sizeof *s->counts);
    if (ctx->status != CW_OK) return ctx->status;
    int64_t c = 0;
    for (int64_t k = 0; k < w->size[s->perts]; k++) s->of[c++] = -1;
    for (int64_t p = 0; p < s->perts; p++)
        for (int64_t k = 0; k < w->size[p]; k++) s->of[c++] = (int32_t)p;
    return ctx->status;
}

cw_status cw_screen_simulate(cw_ctx *ctx, cw_screen *out, const cw_screen_options *options)
{
    const cw_screen_options *o = options;
    work w = {0};
    memset(out, 0, sizeof *out);
    if (check(ctx, o) != CW_OK) return ctx->status;
    out->regulators = (CW_SCREEN_SIGNALS + CW_SCREEN_FACTORS) * o->pathways;
    out->genes = out->regulators + o->targets;
    out->perts = out->regulators + o->pairs;
    int64_t *order = cw_alloc(ctx, out->genes, sizeof *order);
    if (!order || take(ctx, out, &w, o) != CW_OK) goto done;
    draw_wiring(out, o, order);
    draw_gates(out, o);
    draw_levels(out, &w, o, order);
    draw_pairs(out, o);
    draw_terms(out, o);
    draw_graph(out, o);
    draw_network(out, o);
    draws d = stream(o, SIZES);
    w.size[out->perts] = out->cells = o->controls;
    for (int64_t p = 0; p < out->perts; p++) {
        w.size[p] = o->cells_low + below(&d, o->cells_high - o->cells_low + 1);
        out->cells += w.size[p];
    }
    if (edges_by_gene(ctx, out, &w) != CW_OK || take_cells(ctx, out, &w) != CW_OK) goto done;
    draw_cells(ctx, out, &w, o);
    if (o->truth > 0 && cw_poll(ctx) == CW_OK) draw_truth(ctx, out, &w, o);
    cw_poll(ctx);
done:
    cw_free(ctx, order);
    void *mine[] = {w.start, w.from, w.weight, w.base, w.size, w.room};
    for (int i = 0; i < 6; i++) cw_free(ctx, mine[i]);
    return ctx->status;
}

void cw_screen_free(cw_ctx *ctx, cw_screen *s)
{
    void *all[] = {s->wiring, s->gate, s->works, s->stress, s->first, s->second, s->term, s->graph, s->network, s->of,
                   s->hit, s->counts, s->truth};
    for (int i = 0; i < 13; i++) cw_free(ctx, all[i]);
    memset(s, 0, sizeof *s);
}
