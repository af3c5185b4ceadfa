/* effects.c: see effects.h. */
#include "effects.h"

#include "../core/threads.h"

#include <math.h>

static double value_of(const cw_cells_view *v, int64_t c, int64_t k)
{
    return v->scale ? log1p(v->x[k] * v->scale[c]) : v->x[k];
}

/* The gene of value k, -1: not looked at. */
static int64_t gene_of(const cw_cells_view *v, int64_t k) { return v->gene ? v->gene[v->at[k]] : v->at[k]; }

static const double *centre_of(const cw_cells_view *v, const double *centre, int64_t c)
{
    return centre + (v->batch ? (int64_t)v->batch[c] * v->genes : 0);
}

/* Every gene of a cell counts, also those it has no value for: what 0 would add is added, then corrected. */
static void add_cell(double *sum, double *square, const cw_cells_view *v, const double *centre, int64_t c)
{
    double *s = sum + (int64_t)v->group[c] * v->genes, *q = square + (int64_t)v->group[c] * v->genes;
    const double *m = centre ? centre_of(v, centre, c) : NULL;
    for (int64_t g = 0; m && g < v->genes; g++) s[g] -= m[g], q[g] += m[g] * m[g];
    for (int64_t k = v->start[c]; k < v->start[c + 1]; k++) {
        int64_t g = gene_of(v, k);
        if (g < 0) continue;
        double x = value_of(v, c, k);
        s[g] += x;
        q[g] += x * (m ? x - 2.0 * m[g] : x);
    }
}

cw_status cw_effects_add(cw_ctx *ctx, double *sum, double *square, const cw_cells_view *view, const double *centre,
                         int64_t groups)
{
    int threads = ctx->threads, stop = 0;
    (void)threads;
    if (groups < 1) return cw_fail(ctx, CW_ERR_ARGUMENT, "no groups of cells");
#ifdef _OPENMP
#pragma omp parallel num_threads(threads) if (threads > 1)
#endif
    {
        cw_watch watch = cw_watch_here(ctx, &stop);
        int64_t me = cw_thread_number(), all = 1;
#ifdef _OPENMP
        all = omp_get_num_threads();
#endif
        for (int64_t c = 0; c < view->cells; c++) {
            if (view->group[c] < 0 || view->group[c] % all != me) continue;
            add_cell(sum, square, view, centre, c);
            if (c % 256 == 0 && cw_watch_stop(&watch)) break;
        }
    }
    return cw_poll(ctx);
}

cw_status cw_effects_project(cw_ctx *ctx, double *out, const cw_cells_view *view, const double *centre,
                             const double *weight, int64_t groups, int64_t batches)
{
    int threads = ctx->threads;
    (void)threads;
    int64_t genes = view->genes;
    double *base = cw_calloc(ctx, groups * batches, sizeof *base); /* of a cell with no counts at all */
    for (int64_t p = 0; base && p < groups; p++)
        for (int64_t b = 0; b < batches; b++)
            for (int64_t g = 0; g < genes; g++) base[p * batches + b] -= weight[p * genes + g] * centre[b * genes + g];
    if (base) {
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
#endif
        for (int64_t c = 0; c < view->cells; c++) {
            int64_t p = view->group[c];
            out[c] = 0.0;
            if (p < 0) continue;
            double sum = base[p * batches + (view->batch ? view->batch[c] : 0)];
            for (int64_t k = view->start[c]; k < view->start[c + 1]; k++) {
                int64_t g = gene_of(view, k);
                if (g >= 0 && weight[p * genes + g] != 0.0) sum += weight[p * genes + g] * value_of(view, c, k);
            }
            out[c] = sum;
        }
    }
    cw_free(ctx, base);
    return cw_poll(ctx);
}
