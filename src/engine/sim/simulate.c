/* simulate.c: see simulate.h. */
#include "simulate.h"

#include "../core/select.h"
#include "../core/threads.h"
#include "../core/draws.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_EDGES = 4 }; /* per gene */
enum { USE_NETWORK = 90, USE_CELLS, USE_BASE, USE_COUNTS };

/* ---- network ----------------------------------------------------------------------------------------------------- */

/* What only the simulation itself needs. */
typedef struct kinetics {
    double *strength, *threshold; /* (edges) */
    int *hill;                    /* (edges) */
    int64_t *first;               /* (genes + 1): the edges into a gene */
    double *level;                /* (genes, contexts): base expression */
    double *mean;                 /* (genes): final mean before scaling to depth */
    float *x;                     /* (cells, genes) expression */
    double *sorted;               /* (cells) */
} kinetics;

/* `count` different numbers below n into out. */
static void choose_different(draws *d, int32_t *out, int64_t count, int64_t n)
{
    for (int64_t i = 0; i < count; i++) {
        int again = 1;
        while (again) {
            out[i] = (int32_t)below(d, n);
            again = 0;
            for (int64_t j = 0; j < i; j++) again |= out[j] == out[i];
        }
    }
}

static void draw_network(cw_simulation *s, kinetics *k, const cw_simulate_options *o)
{
    static const double of_tf[] = {.45, .4, .15}, of_gene[] = {.1, .3, .3, .2, .1};
    draws d = draws_new(o->key, USE_NETWORK, 0);
    s->edges = 0;
    for (int64_t g = 0; g < o->genes; g++) {
        int is_tf = g < o->tfs;
        int64_t from = is_tf ? g : o->tfs, count = is_tf ? choose(&d, of_tf, 3) : choose(&d, of_gene, 5);
        if (count > from) count = from;
        k->first[g] = s->edges;
        choose_different(&d, s->tf + s->edges, count, from);
        for (int64_t i = 0; i < count; i++) s->gene[s->edges++] = (int32_t)g;
    }
    k->first[o->genes] = s->edges;
    for (int64_t e = 0; e < s->edges; e++) {
        s->sign[e] = unit(&d) < .7 ? 1 : -1;
        k->strength[e] = 3.0 + 5.0 * unit(&d);
        k->hill[e] = unit(&d) < .5 ? 2 : 3;
        k->threshold[e] = exp(.25 * normal(&d));
        memset(s->works + e * o->contexts, 1, (size_t)o->contexts);
        if (unit(&d) < o->switching && o->contexts > 1) {
            int32_t where[2];
            int64_t count = o->contexts > 2 && unit(&d) < .5 ? 2 : 1;
            choose_different(&d, where, count, o->contexts);
            memset(s->works + e * o->contexts, 0, (size_t)o->contexts);
            for (int64_t i = 0; i < count; i++) s->works[e * o->contexts + where[i]] = 1;
        }
    }
    for (int64_t g = 0; g < o->genes; g++) {
        double *level = k->level + g * o->contexts;
        int any = 0;
        for (int64_t c = 0; c < o->contexts; c++)
            level[c] = exp((g < o->tfs ? o->tf_spread : o->gene_spread) * normal(&d));
        k->mean[g] = exp(.8 * normal(&d));
        if (g >= o->tfs) continue;
        for (int64_t c = 0; c < o->contexts; c++) any |= s->on[g * o->contexts + c] = unit(&d) >= o->off;
        for (int64_t c = 0; c < o->contexts; c++) { /* a TF that is off everywhere is on everywhere */
            if (!any) s->on[g * o->contexts + c] = 1;
            if (!s->on[g * o->contexts + c]) level[c] = .05;
        }
    }
}

/* ---- contexts of the cells --------------------------------------------------------------------------------------- */

/* Weights (contexts) and position of one cell; `share` the chances of the contexts. */
static double draw_context(float *w, draws *d, const double *share, const cw_simulate_options *o)
{
    int64_t n = o->contexts, at = choose(d, share, n);
    double u = unit(d), sum = 0.0;
    memset(w, 0, (size_t)n * sizeof *w);
    if (o->course == CW_COURSE_CYCLE && n > 1) {
        for (int64_t c = 0; c < n; c++) {
            w[c] = (float)exp(4.0 * (cos(6.283185307179586 * (u - (double)c / (double)n)) - 1.0));
            sum += w[c];
        }
        for (int64_t c = 0; c < n; c++) w[c] = (float)(w[c] / sum);
        return u;
    }
    int path = n > 1 && ((o->course == CW_COURSE_MIXED && n > 2 && at >= n - 2) || o->course == CW_COURSE_BRANCHING);
    if (!path) {
        w[at] = 1.0f;
        return NAN;
    }
    int64_t from = o->course == CW_COURSE_MIXED ? n - 2 : 0;
    int64_t to = o->course == CW_COURSE_MIXED ? n - 1 : at > 0 ? at : 1 + below(d, n - 1);
    float over = (float)(1.0 / (1.0 + exp(-(u - .5) * 10.0)));
    w[from] = 1.0f - over;
    w[to] += over;
    return u;
}

static void draw_cells(cw_simulation *s, const cw_simulate_options *o)
{
    double share[CW_SIMULATE_CONTEXTS], sum = 0.0;
    draws d = draws_new(o->key, USE_CELLS, 0);
    for (int64_t c = 0; c < o->contexts; c++) sum += share[c] = gamma_draw(&d, 20.0);
    for (int64_t c = 0; c < o->contexts; c++) share[c] /= sum;
    for (int64_t i = 0; i < o->cells; i++)
        s->position[i] = draw_context(s->context + i * o->contexts, &d, share, o);
}

static double mixed(const float *w, const uint8_t *flag, int64_t n)
{
    double sum = 0.0;
    for (int64_t c = 0; c < n; c++) sum += flag[c] ? w[c] : 0.0f;
    return sum;
}

/* ---- expression -------------------------------------------------------------------------------------------------- */

/* Column g of x; `scale` (tfs) are the medians of the TFs, complete up to g. */
static void express(kinetics *k, const cw_simulation *s, const double *scale, const cw_simulate_options *o, int64_t g)
{
    int64_t n = o->contexts;
    draws d = draws_new(o->key, USE_BASE, g);
    double noise = g < o->tfs ? o->tf_noise : o->noise;
    for (int64_t i = 0; i < o->cells; i++) {
        const float *w = s->context + i * n;
        double x = 0.0;
        for (int64_t c = 0; c < n; c++) x += w[c] * k->level[g * n + c];
        x *= exp(noise * normal(&d));
        for (int64_t e = k->first[g]; e < k->first[g + 1]; e++) {
            double u = k->x[i * o->genes + s->tf[e]] / scale[s->tf[e]] / k->threshold[e];
            double h = pow(u, k->hill[e]), drive;
            h = h / (1.0 + h);
            drive = 1.0 + k->strength[e] * h * mixed(w, s->works + e * n, n);
            x *= s->sign[e] > 0 ? drive : 1.0 / drive;
        }
        k->x[i * o->genes + g] = (float)x;
    }
}

/* Median expression of TF g over the cells in which it is on (over all, should there be none). */
static double typical(kinetics *k, const cw_simulation *s, const cw_simulate_options *o, int64_t g)
{
    int64_t n = 0;
    for (int all = 0; all < 2 && n == 0; all++)
        for (int64_t i = 0; i < o->cells; i++)
            if (all || mixed(s->context + i * o->contexts, s->on + g * o->contexts, o->contexts) > .5)
                k->sorted[n++] = k->x[i * o->genes + g];
    qsort(k->sorted, (size_t)n, sizeof *k->sorted, cw_double_rising);
    double middle = n % 2 ? k->sorted[n / 2] : .5 * (k->sorted[n / 2 - 1] + k->sorted[n / 2]);
    return middle > 0.0 ? middle : 1.0;
}

/* Expression to expected counts: every gene at its own mean level, all together at the depth asked for. Returns the
 * mean over cells of a cell's sum. */
static double scale_to_depth(kinetics *k, const cw_simulate_options *o)
{
    double all = 0.0;
    for (int64_t g = 0; g < o->genes; g++) all += k->mean[g];
    double per_cell = o->depth * (double)o->genes;
    for (int64_t g = 0; g < o->genes; g++) {
        double sum = 0.0;
        for (int64_t i = 0; i < o->cells; i++) sum += k->x[i * o->genes + g];
        double factor = sum > 0.0 ? k->mean[g] / (sum / (double)o->cells) * per_cell / all : 0.0;
        for (int64_t i = 0; i < o->cells; i++) k->x[i * o->genes + g] = (float)(k->x[i * o->genes + g] * factor);
    }
    return per_cell;
}

static void count_cell(cw_simulation *s, const kinetics *k, const cw_simulate_options *o, double per_cell, int64_t i)
{
    draws d = draws_new(o->key, USE_COUNTS, i);
    const float *x = k->x + i * o->genes;
    double sum = 0.0, size = exp(o->library * normal(&d));
    for (int64_t g = 0; g < o->genes; g++) sum += x[g];
    for (int64_t g = 0; g < o->genes; g++) {
        double mean = sum > 0.0 ? x[g] / sum * per_cell * size : 0.0;
        double count = poisson(&d, mean * gamma_draw(&d, o->dispersion) / o->dispersion);
        if (unit(&d) < o->dropout * exp(-.5 * mean)) count = 0.0;
        s->counts[i * o->genes + g] = (int32_t)fmin(count, 2147483647.0);
    }
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

cw_simulate_options cw_simulate_defaults(void)
{
    return (cw_simulate_options){.cells = 2000, .genes = 140, .tfs = 24, .contexts = 4, .course = CW_COURSE_MIXED,
                                 .depth = 4.0, .switching = .5, .off = .2, .noise = .45, .tf_noise = .6,
                                 .tf_spread = .5, .gene_spread = .5, .library = .35, .dispersion = 8.0,
                                 .dropout = .15};
}

static cw_status check(cw_ctx *ctx, const cw_simulate_options *o)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (o->cells < 1 || o->tfs < 1 || o->genes < o->tfs || o->genes > 1000000 || o->contexts < 1 ||
        o->contexts > CW_SIMULATE_CONTEXTS)
        return cw_fail(ctx, CW_ERR_ARGUMENT,
                       "simulation: %lld cells, %lld genes, %lld of them TFs, %lld contexts: at least 1 of each, "
                       "TFs at most the genes, contexts at most %d",
                       (long long)o->cells, (long long)o->genes, (long long)o->tfs, (long long)o->contexts,
                       CW_SIMULATE_CONTEXTS);
    const double chance[] = {o->switching, o->off, o->dropout};
    const double size[] = {o->noise, o->tf_noise, o->tf_spread, o->gene_spread, o->library};
    int good = o->depth > 0.0 && isfinite(o->depth) && o->dispersion > 0.0 && isfinite(o->dispersion);
    for (size_t i = 0; i < 3; i++) good = good && chance[i] >= 0.0 && chance[i] <= 1.0;
    for (size_t i = 0; i < 5; i++) good = good && size[i] >= 0.0 && size[i] <= 10.0;
    good = good && o->course >= CW_COURSE_MIXED && o->course <= CW_COURSE_CYCLE;
    return good ? CW_OK
                : cw_fail(ctx, CW_ERR_ARGUMENT, "simulation: a rate, spread or depth is out of its range");
}

void cw_simulation_free(cw_ctx *ctx, cw_simulation *s)
{
    void *all[] = {s->tf, s->gene, s->sign, s->works, s->on, s->context, s->position, s->counts};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) cw_free(ctx, all[i]);
    memset(s, 0, sizeof *s);
}

static void kinetics_free(cw_ctx *ctx, kinetics *k)
{
    void *all[] = {k->strength, k->threshold, k->hill, k->first, k->level, k->mean, k->x, k->sorted};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) cw_free(ctx, all[i]);
}

static cw_status take_memory(cw_ctx *ctx, cw_simulation *s, kinetics *k, const cw_simulate_options *o)
{
    int64_t most = MOST_EDGES * o->genes;
    s->tf = cw_alloc(ctx, most, sizeof *s->tf);
    s->gene = cw_alloc(ctx, most, sizeof *s->gene);
    s->sign = cw_alloc(ctx, most, sizeof *s->sign);
    s->works = cw_alloc(ctx, most * o->contexts, sizeof *s->works);
    s->on = cw_alloc(ctx, o->tfs * o->contexts, sizeof *s->on);
    s->context = cw_alloc(ctx, o->cells * o->contexts, sizeof *s->context);
    s->position = cw_alloc(ctx, o->cells, sizeof *s->position);
    s->counts = cw_alloc(ctx, o->cells * o->genes, sizeof *s->counts);
    k->strength = cw_alloc(ctx, most, sizeof *k->strength);
    k->threshold = cw_alloc(ctx, most, sizeof *k->threshold);
    k->hill = cw_alloc(ctx, most, sizeof *k->hill);
    k->first = cw_alloc(ctx, o->genes + 1, sizeof *k->first);
    k->level = cw_alloc(ctx, o->genes * o->contexts, sizeof *k->level);
    k->mean = cw_alloc(ctx, o->genes, sizeof *k->mean);
    k->x = cw_alloc(ctx, o->cells * o->genes, sizeof *k->x);
    k->sorted = cw_alloc(ctx, o->cells + o->tfs, sizeof *k->sorted);
    return ctx->status;
}

cw_status cw_simulate(cw_ctx *ctx, cw_simulation *out, const cw_simulate_options *options)
{
    const cw_simulate_options *o = options;
    kinetics k = {0};
    memset(out, 0, sizeof *out);
    if (check(ctx, o) != CW_OK) return ctx->status;
    if (take_memory(ctx, out, &k, o) != CW_OK) goto done;
    draw_network(out, &k, o);
    draw_cells(out, o);
    double *scale = k.sorted + o->cells;
    for (int64_t g = 0; g < o->tfs; g++) { /* one after the other: a TF may follow earlier ones */
        express(&k, out, scale, o, g);
        scale[g] = typical(&k, out, o, g);
        if (cw_poll(ctx) != CW_OK) goto done;
    }
    int threads = ctx->threads, stop = 0;
    (void)threads;
#pragma omp parallel for schedule(dynamic) num_threads(threads) if (threads > 1)
    for (int64_t g = o->tfs; g < o->genes; g++) {
        const cw_watch watch = cw_watch_here(ctx, &stop);
        if (!cw_watch_stop(&watch)) express(&k, out, scale, o, g);
    }
    double per_cell = scale_to_depth(&k, o);
    if (cw_poll(ctx) != CW_OK) goto done;
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t i = 0; i < o->cells; i++) {
        const cw_watch watch = cw_watch_here(ctx, &stop);
        if (!cw_watch_stop(&watch)) count_cell(out, &k, o, per_cell, i);
    }
    cw_poll(ctx);
done:
    kinetics_free(ctx, &k);
    return ctx->status;
}
