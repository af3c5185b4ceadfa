/* wasserstein.c: see wasserstein.h. */
#include "wasserstein.h"

#include "../core/rng.h"
#include "../core/select.h"
#include "../core/threads.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Random numbers of one stream, in turn. */
typedef struct source {
    cw_stream s;
    uint64_t at;
    uint32_t block[4];
} source;

static inline int64_t below(source *r, int64_t n)
{
    if (r->at % 4 == 0) cw_rng_block(r->block, r->s, r->at / 4);
    return (int64_t)(((uint64_t)r->block[r->at++ % 4] * (uint64_t)n) >> 32);
}

/* ---- labels and weights of the samples --------------------------------------------------------------------------- */

/* Cells by stratum and label: cells of part (stratum s, label l) are cell[first[2 s + l] .. first[2 s + l + 1]). */
typedef struct parts {
    int32_t *cell;  /* (cells) */
    int64_t *first; /* (2 strata + 1) */
    int64_t strata;
} parts;

static void fill_parts(parts *p, const uint8_t *label, const int32_t *stratum, int64_t cells)
{
    int64_t n = 2 * p->strata;
    memset(p->first, 0, (size_t)(n + 1) * sizeof *p->first);
    for (int64_t c = 0; c < cells; c++) p->first[2 * (stratum ? stratum[c] : 0) + (label[c] != 0) + 1]++;
    for (int64_t i = 0; i < n; i++) p->first[i + 1] += p->first[i];
    for (int64_t c = 0; c < cells; c++) {
        int64_t part = 2 * (stratum ? stratum[c] : 0) + (label[c] != 0);
        p->cell[p->first[part]++] = (int32_t)c;
    }
    for (int64_t i = n; i > 0; i--) p->first[i] = p->first[i - 1];
    p->first[0] = 0;
}

/* labels (cells): as many perturbed cells in each stratum as there were, drawn at random. work (cells). */
static void permute_labels(uint8_t *labels, int32_t *work, const parts *p, uint64_t key, int64_t b, int64_t cells)
{
    source r = {.s = cw_rng_stream(key, CW_RNG_USER, (uint64_t)b, 6)};
    memcpy(work, p->cell, (size_t)cells * sizeof *work);
    memset(labels, 0, (size_t)cells);
    for (int64_t s = 0; s < p->strata; s++) {
        int64_t from = p->first[2 * s], to = p->first[2 * s + 2], take = to - p->first[2 * s + 1];
        for (int64_t i = 0; i < take; i++) { /* the first `take` of a Fisher-Yates shuffle */
            int64_t j = from + i + below(&r, to - from - i);
            int32_t t = work[from + i];
            work[from + i] = work[j], work[j] = t;
            labels[work[from + i]] = 1;
        }
    }
}

static void draw_weights(uint16_t *weight, const parts *p, uint64_t key, int64_t b, int64_t cells)
{
    source r = {.s = cw_rng_stream(key, CW_RNG_USER, (uint64_t)b, 7)};
    memset(weight, 0, (size_t)cells * sizeof *weight);
    for (int64_t i = 0; i < 2 * p->strata; i++) {
        int64_t from = p->first[i], n = p->first[i + 1] - from;
        for (int64_t k = 0; k < n; k++) weight[p->cell[from + below(&r, n)]]++;
    }
}

/* ---- one gene ---------------------------------------------------------------------------------------------------- */

/* Cells above the lowest value, highest first: who (m), and gap (m) from each value to the next lower one. Most
 * values of a gene are 0, and never looked at again: the tails from above say it all. */
typedef struct ladder {
    cw_ranked *sorted;  /* (cells) room */
    int32_t *who;
    double *gap;
    int64_t m;
} ladder;

static void build_ladder(ladder *l, const double *x, int64_t cells)
{
    double low = x[0];
    for (int64_t c = 1; c < cells; c++) low = x[c] < low ? x[c] : low;
    l->m = 0;
    for (int64_t c = 0; c < cells; c++)
        if (x[c] > low) l->sorted[l->m++] = (cw_ranked){x[c], (int32_t)c};
    qsort(l->sorted, (size_t)l->m, sizeof *l->sorted, cw_ranked_falling);
    for (int64_t i = 0; i < l->m; i++) {
        l->who[i] = l->sorted[i].at;
        l->gap[i] = l->sorted[i].value - (i + 1 < l->m ? l->sorted[i + 1].value : low);
    }
}

/* integral |F - G|; weight NULL: 1 each. share[l]: 1 / weight of all cells labelled l. */
static double distance_of(double *shift, const ladder *l, const uint8_t *label, const uint16_t *weight,
                          const double share[2])
{
    double tail[2] = {0.0, 0.0}, area = 0.0, moved = 0.0;
    for (int64_t i = 0; i < l->m; i++) {
        int32_t c = l->who[i];
        tail[label[c]] += weight ? (double)weight[c] * share[label[c]] : share[label[c]];
        double d = tail[1] - tail[0];
        area += l->gap[i] * fabs(d), moved += l->gap[i] * d;
    }
    if (shift) *shift = moved; /* the means differ by the integral of G - F */
    return area;
}

typedef struct samples {
    const uint8_t *label;
    uint8_t *permuted;  /* (permutations, cells) */
    uint16_t *weight;   /* (draws, cells) */
    double share[2];
    int64_t cells;
} samples;

static void one_gene(const cw_shifts *out, int64_t g, ladder *l, const samples *s, const cw_shift_options *o,
                     const cw_watch *watch)
{
    out->distance[g] = distance_of(out->shift + g, l, s->label, NULL, s->share);
    double mean = 0.0, square = 0.0;
    int64_t reached = 0;
    for (int64_t b = 0; b < o->permutations && !cw_watch_stop(watch); b++) {
        double d = distance_of(NULL, l, s->permuted + b * s->cells, NULL, s->share), step = d - mean;
        mean += step / (double)(b + 1), square += step * (d - mean);
        reached += d >= out->distance[g] * (1.0 - 1e-12); /* equal but for rounding counts as equal */
    }
    if (o->permutations > 0) {
        out->null_mean[g] = mean;
        out->null_sd[g] = o->permutations > 1 ? sqrt(square / (double)(o->permutations - 1)) : 0.0;
        out->p[g] = (1.0 + (double)reached) / (1.0 + (double)o->permutations);
    }
    for (int64_t b = 0; b < o->draws && !cw_watch_stop(watch); b++)
        out->drawn[g * o->draws + b] =
            distance_of(out->drawn_shift + g * o->draws + b, l, s->label, s->weight + b * s->cells, s->share);
}

/* ---- all genes --------------------------------------------------------------------------------------------------- */

static cw_status check_cells(cw_ctx *ctx, double share[2], const uint8_t *label, const int32_t *stratum,
                             int64_t strata, int64_t cells)
{
    int64_t count[2] = {0, 0};
    for (int64_t c = 0; c < cells; c++) {
        if (label[c] > 1 || (stratum && (stratum[c] < 0 || stratum[c] >= strata)))
            return cw_fail(ctx, CW_ERR_ARGUMENT, "shifts: cell %lld has label %d, stratum %d", (long long)c,
                           (int)label[c], stratum ? (int)stratum[c] : 0);
        count[label[c]]++;
    }
    if (!count[0] || !count[1] || cells > INT32_MAX)
        return cw_fail(ctx, CW_ERR_SHAPE, "shifts: %lld perturbed and %lld control cells", (long long)count[1],
                       (long long)count[0]);
    share[0] = 1.0 / (double)count[0], share[1] = 1.0 / (double)count[1];
    return CW_OK;
}

static void all_genes(cw_ctx *ctx, const cw_shifts *out, const double *x, ladder *l, const samples *s,
                      const cw_shift_options *o, int64_t cells, int64_t genes)
{
    int stop = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(ctx->threads)
    for (int64_t g = 0; g < genes; g++) {
        const cw_watch watch = cw_watch_here(ctx, &stop);
        if (cw_watch_stop(&watch)) continue;
        build_ladder(l + cw_thread_number(), x + g * cells, cells);
        one_gene(out, g, l + cw_thread_number(), s, o, &watch);
    }
}

cw_status cw_wasserstein(cw_ctx *ctx, const cw_shifts *out, const double *x, const uint8_t *label,
                         const int32_t *stratum, int64_t strata, const cw_shift_options *o, int64_t cells,
                         int64_t genes)
{
    if (ctx->status != CW_OK) return ctx->status;
    samples s = {.label = label, .cells = cells};
    if (!stratum) strata = 1;
    if (check_cells(ctx, s.share, label, stratum, strata, cells) != CW_OK) return ctx->status;
    parts p = {.strata = strata};
    p.cell = cw_alloc(ctx, cells, sizeof *p.cell), p.first = cw_alloc(ctx, 2 * strata + 1, sizeof *p.first);
    int32_t *work = cw_alloc(ctx, cells, sizeof *work);
    s.permuted = cw_alloc(ctx, o->permutations * cells, 1);
    s.weight = cw_alloc(ctx, o->draws * cells, sizeof *s.weight);
    ladder *l = cw_calloc(ctx, ctx->threads, sizeof *l);
    for (int i = 0; l && i < ctx->threads; i++) {
        l[i].sorted = cw_alloc(ctx, cells, sizeof *l[i].sorted);
        l[i].who = cw_alloc(ctx, cells, sizeof *l[i].who), l[i].gap = cw_alloc(ctx, cells, sizeof *l[i].gap);
    }
    if (ctx->status == CW_OK) {
        fill_parts(&p, label, stratum, cells);
        for (int64_t b = 0; b < o->permutations && cw_poll(ctx) == CW_OK; b++)
            permute_labels(s.permuted + b * cells, work, &p, o->key, b, cells);
        for (int64_t b = 0; b < o->draws && cw_poll(ctx) == CW_OK; b++)
            draw_weights(s.weight + b * cells, &p, o->key, b, cells);
        if (ctx->status == CW_OK) all_genes(ctx, out, x, l, &s, o, cells, genes);
    }
    for (int i = 0; l && i < ctx->threads; i++) {
        cw_free(ctx, l[i].gap), cw_free(ctx, l[i].who);
        cw_free(ctx, l[i].sorted);
    }
    cw_free(ctx, l), cw_free(ctx, s.weight), cw_free(ctx, s.permuted);
    cw_free(ctx, work), cw_free(ctx, p.first), cw_free(ctx, p.cell);
    return ctx->status;
}
