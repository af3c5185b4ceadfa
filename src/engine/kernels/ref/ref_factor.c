/* ref_factor.c: losses of sparse factors: the prior network, acyclicity. */
#include "ref.h"

#include <math.h>
#include <string.h>

#define BINS 65536

/* ---- prior network ---- */

static int is_pair(const cw_prior *p, int32_t source, int32_t target)
{
    uint64_t key = (uint64_t)(uint32_t)source << 32 | (uint32_t)target;
    int64_t low = 0, high = p->pairs;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (p->pair[middle] < key) low = middle + 1;
        else high = middle;
    }
    return low < p->pairs && p->pair[low] == key;
}

static float bounded(float p, float eps, int *live)
{
    *live = 1;
    if (isnan(p)) p = 0.0f, *live = 0;
    if (p < 0.0f) p = 0.0f, *live = 0;
    if (p > 1.0f) p = 1.0f, *live = 0;
    return eps + (1.0f - 2.0f * eps) * p;
}

/* The `top`-th largest of n non-negative floats, and how many are strictly larger. Their bits sort like they do, so two
 * histograms of 16 bits (in `count`) find it. */
static float nth_largest(const float *x, int64_t n, int64_t top, uint32_t *count, int64_t *larger)
{
    uint32_t prefix = 0;
    int64_t above = 0;
    for (int pass = 0; pass < 2; pass++) {
        memset(count, 0, BINS * sizeof *count);
        for (int64_t i = 0; i < n; i++) {
            uint32_t bits;
            memcpy(&bits, x + i, 4);
            if (pass == 0) count[bits >> 16]++;
            else if (bits >> 16 == prefix) count[bits & 0xffff]++;
        }
        int64_t b = BINS - 1;
        while (b > 0 && above + count[b] < top) above += count[b--];
        if (pass == 0) prefix = (uint32_t)b;
        else prefix = prefix << 16 | (uint32_t)b;
    }
    float value;
    memcpy(&value, &prefix, 4);
    *larger = above;
    return value;
}

/* Judges the `top` strongest edges of one cell (ties: the first in row-major order). Adds to num and den. */
static int64_t judge_cell(cw_judged *edge, float *p, int64_t tfs, int64_t genes, int64_t u0, int64_t v0,
                          const cw_prior *spec, int64_t top, uint32_t *count, double *num, double *den)
{
    const float eps = 1.1920929e-7f; /* float32's machine epsilon: the larger of it and the published 1e-8 */
    int live;
    for (int64_t i = 0; i < tfs * genes; i++) p[i] = bounded(p[i], eps, &live);
    int64_t larger, used = 0;
    float least = nth_largest(p, tfs * genes, top, count, &larger);
    int64_t ties = top - larger;
    for (int64_t i = 0; i < tfs * genes && used < top; i++) {
        if (p[i] < least || (p[i] == least && ties-- <= 0)) continue;
        int64_t u_row = u0 + i / genes, v_row = v0 + i % genes;
        int positive = is_pair(spec, spec->gene_token[spec->tf_gene[u_row]], spec->gene_token[v_row]);
        double w = positive ? spec->positive : spec->negative, q = positive ? p[i] : 1.0 - p[i];
        *num += w * -log(q);
        *den += w;
        edge[used++] = (cw_judged){(int32_t)u_row, (int32_t)v_row,
                                (float)((positive ? -w : w) / q * (1.0 - 2.0 * (double)eps))};
    }
    return used;
}

/* Scratch, one after the other: num and den (cells) each, then for each worker a histogram and the edges of a cell. */
static int64_t worker_bytes(int64_t edges) { return (edges + 1) / 2 * 8 + BINS * (int64_t)sizeof(uint32_t); }

int64_t cw_prior_work_for(int workers, int64_t cells, int64_t edges)
{
    return 2 * cells * (int64_t)sizeof(double) + workers * worker_bytes(edges);
}

void cw_prior_cell_with(CW_KERNEL_TYPE(gemm) * gemm, cw_judged *edge, int64_t *used, void *work, int worker,
                        int64_t edges, const float *u, const float *v, const cw_prior *p, int64_t m, int64_t c)
{
    const cw_exec one = {1};
    int64_t cells = p->gene.count;
    int64_t v0 = p->gene.start[c], genes = p->gene.start[c + 1] - v0;
    int64_t u0 = p->tf.start[c], tfs = p->tf.start[c + 1] - u0, all = tfs * genes;
    double *num = work, *den = num + cells;
    uint32_t *count = (uint32_t *)((char *)(den + cells) + worker * worker_bytes(edges));
    float *score = (float *)(count + BINS);
    used[c] = 0;
    num[c] = den[c] = 0.0;
    if (all == 0) return;
    gemm(&one, score, genes, u + u0 * m, m, 0, v + v0 * m, m, 1, 1.0f, 0.0f, tfs, genes, m);
    used[c] = judge_cell(edge + c * p->top, score, tfs, genes, u0, v0, p, p->top < all ? p->top : all, count, num + c,
                         den + c);
}

void cw_prior_total(float *out, double *weights, const void *work, int64_t cells)
{
    const double *num = work, *den = num + cells;
    double top = 0, all = 0;
    for (int64_t c = 0; c < cells; c++) top += num[c], all += den[c];
    *weights = all;
    *out = (float)(top / (all + 1e-8));
}

void cw_prior_cell_backward(float *du, float *dv, float g, const cw_judged *edge, int64_t used, const float *u,
                            const float *v, int64_t m)
{
    for (int64_t e = 0; e < used; e++) {
        cw_judged j = edge[e];
        const float *ui = u + j.u_row * m, *vj = v + j.v_row * m;
        for (int64_t i = 0; du && i < m; i++) du[j.u_row * m + i] += g * j.slope * vj[i];
        for (int64_t i = 0; dv && i < m; i++) dv[j.v_row * m + i] += g * j.slope * ui[i];
    }
}

int64_t cw_ref_prior_work(const cw_exec *ex, int64_t cells, int64_t edges)
{
    (void)ex;
    return cw_prior_work_for(1, cells, edges);
}

void cw_ref_prior_loss(const cw_exec *ex, float *out, double *weights, cw_judged *edge, int64_t *used, void *work,
                       int64_t edges, const float *u, const float *v, cw_prior p, int64_t m)
{
    (void)ex;
    for (int64_t c = 0; c < p.gene.count; c++)
        cw_prior_cell_with(cw_ref_gemm, edge, used, work, 0, edges, u, v, &p, m, c);
    cw_prior_total(out, weights, work, p.gene.count);
}

void cw_ref_prior_loss_backward(const cw_exec *ex, float *du, float *dv, float g, const double *weights,
                                const cw_judged *edge, const int64_t *used, const float *u, const float *v, cw_prior p,
                                int64_t m)
{
    (void)ex;
    float scale = (float)(g / (*weights + 1e-8));
    for (int64_t c = 0; c < p.gene.count; c++)
        cw_prior_cell_backward(du, dv, scale, edge + c * p.top, used[c], u, v, m);
}

/* ---- acyclicity ---- */

void cw_ref_acyclic_matrix(const cw_exec *ex, float *B, const float *A, int64_t m)
{
    (void)ex;
    for (int64_t i = 0; i < m * m; i++) B[i] = (i % (m + 1) == 0 ? 1.0f : 0.0f) + (A[i] > 0 ? A[i] / (float)m : 0.0f);
}

void cw_ref_acyclic(const cw_exec *ex, double *h, float *slope, const float *P, const float *B, const float *A,
                    int64_t m)
{
    (void)ex;
    double trace = 0;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++) trace += (double)P[i * m + j] * B[j * m + i];
    *h = trace - (double)m;
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < m; j++) slope[i * m + j] = A[i * m + j] > 0 ? P[j * m + i] : 0.0f;
}
