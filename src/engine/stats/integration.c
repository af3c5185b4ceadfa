/* integration.c: the metrics of integration.h, each a function of its own. */
#include "integration.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../core/select.h"
#include "../core/threads.h"
#include "neighbours.h"

/* ---- two partitions ---- */

static int64_t count_groups(const int32_t *group, int64_t n)
{
    int32_t most = -1;
    for (int64_t i = 0; i < n; i++) most = group[i] > most ? group[i] : most;
    return (int64_t)most + 1;
}

static double entropy(const double *count, int64_t groups, double n)
{
    double h = 0.0;
    for (int64_t g = 0; g < groups; g++)
        if (count[g] > 0.0) h -= count[g] / n * log(count[g] / n);
    return h;
}

/* Mutual information over the mean of both entropies, and the adjusted Rand index. */
static cw_status agreement(cw_ctx *ctx, double *nmi, double *ari, const int32_t *a, const int32_t *b, int64_t n)
{
    int64_t A = count_groups(a, n), B = count_groups(b, n);
    double *table = cw_calloc(ctx, A * B + A + B, sizeof *table), *row = table + A * B, *column = row + A;
    if (!table) return ctx->status;
    for (int64_t i = 0; i < n; i++) table[a[i] * B + b[i]]++, row[a[i]]++, column[b[i]]++;
    double N = (double)n, mutual = 0.0, pairs = 0.0, rows = 0.0, columns = 0.0;
    for (int64_t i = 0; i < A; i++)
        for (int64_t j = 0; j < B; j++) {
            double c = table[i * B + j];
            if (c > 0.0) mutual += c / N * log(c * N / (row[i] * column[j]));
            pairs += c * (c - 1.0);
        }
    for (int64_t i = 0; i < A; i++) rows += row[i] * (row[i] - 1.0);
    for (int64_t j = 0; j < B; j++) columns += column[j] * (column[j] - 1.0);
    double mean = (entropy(row, A, N) + entropy(column, B, N)) / 2.0;
    *nmi = mean > 0.0 ? fmax(mutual, 0.0) / mean : 1.0; /* one group each: the same */
    double chance = rows * columns / (N * (N - 1.0)), most = (rows + columns) / 2.0;
    *ari = most > chance ? (pairs - chance) / (most - chance) : 1.0;
    cw_free(ctx, table);
    return CW_OK;
}

/* ---- silhouettes ---- */

cw_status cw_silhouette(cw_ctx *ctx, double *s, const double *x, const int32_t *group, const uint8_t *member, int64_t n,
                        int64_t dims, int64_t groups)
{
    int64_t *size = cw_calloc(ctx, groups, sizeof *size);
    double *room = cw_alloc(ctx, groups * ctx->threads, sizeof *room);
    int stop = 0;
    if (ctx->status == CW_OK) {
        for (int64_t i = 0; i < n; i++) size[group[i]] += !member || member[i];
#pragma omp parallel for num_threads(ctx->threads) schedule(dynamic, 16)
        for (int64_t i = 0; i < n; i++) {
            cw_watch watch = cw_watch_here(ctx, &stop);
            s[i] = 0.0;
            if ((member && !member[i]) || size[group[i]] < 2 || cw_watch_stop(&watch)) continue;
            double *sum = room + cw_thread_number() * groups, other = INFINITY;
            memset(sum, 0, (size_t)groups * sizeof *sum);
            for (int64_t j = 0; j < n; j++) {
                if (member && !member[j]) continue;
                double square = 0.0;
                for (int64_t d = 0; d < dims; d++) {
                    double e = x[i * dims + d] - x[j * dims + d];
                    square += e * e;
                }
                sum[group[j]] += sqrt(square);
            }
            double own = sum[group[i]] / (double)(size[group[i]] - 1);
            for (int64_t g = 0; g < groups; g++)
                if (g != group[i] && size[g] > 0) other = fmin(other, sum[g] / (double)size[g]);
            double most = fmax(own, other);
            if (!isinf(other) && most > 0.0) s[i] = (other - own) / most;
        }
    }
    cw_free(ctx, room), cw_free(ctx, size);
    return cw_poll(ctx);
}

/* The labels' silhouettes: over all cells, and of the labels that are in the fewest batches. */
static cw_status label_silhouettes(cw_ctx *ctx, cw_integration *out, const cw_integration_input *in, const uint8_t *isolated,
                                   double *s)
{
    if (cw_silhouette(ctx, s, in->embedding, in->label, NULL, in->n, in->dims, in->labels) != CW_OK) return ctx->status;
    double sum = 0.0, isolated_sum = 0.0, labels = 0.0;
    for (int64_t i = 0; i < in->n; i++) sum += s[i];
    out->asw_label = (sum / (double)in->n + 1.0) / 2.0;
    for (int64_t l = 0; l < in->labels; l++) {
        if (!isolated[l]) continue;
        double own = 0.0, cells = 0.0;
        for (int64_t i = 0; i < in->n; i++)
            if (in->label[i] == l) own += s[i], cells++;
        isolated_sum += (own / cells + 1.0) / 2.0, labels++;
    }
    out->isolated_asw = labels > 0.0 ? isolated_sum / labels : (double)NAN;
    return CW_OK;
}

/* Batches within each label: 1 - |s|, mean over its cells, then over the labels. */
static cw_status batch_silhouettes(cw_ctx *ctx, cw_integration *out, const cw_integration_input *in,
                                   const int64_t *batches_of, double *s)
{
    uint8_t *member = cw_alloc(ctx, in->n, 1);
    double sum = 0.0, labels = 0.0;
    for (int64_t l = 0; member && l < in->labels && ctx->status == CW_OK; l++) {
        int64_t cells = 0;
        for (int64_t i = 0; i < in->n; i++) cells += member[i] = in->label[i] == l;
        double score = (double)NAN;
        if (batches_of[l] > 1 && batches_of[l] < cells &&
            cw_silhouette(ctx, s, in->embedding, in->batch, member, in->n, in->dims, in->batches) == CW_OK) {
            score = 0.0;
            for (int64_t i = 0; i < in->n; i++)
                if (member[i]) score += (1.0 - fabs(s[i])) / (double)cells;
            sum += score, labels++;
        }
        if (out->asw_batch_label) out->asw_batch_label[l] = score;
    }
    out->asw_batch = labels > 0.0 ? sum / labels : (double)NAN;
    cw_free(ctx, member);
    return ctx->status;
}

/* ---- clusters of isolated labels ---- */

/* The largest F1 of any cluster of any clustering, mean over isolated labels. */
static cw_status isolated_f1(cw_ctx *ctx, cw_integration *out, const cw_integration_input *in, const uint8_t *isolated)
{
    int64_t most = 0;
    for (int64_t c = 0; c < in->clusterings; c++) {
        int64_t groups = count_groups(in->cluster + c * in->n, in->n);
        most = groups > most ? groups : most;
    }
    double *size = cw_alloc(ctx, 2 * most, sizeof *size), *hits = size + most, sum = 0.0, labels = 0.0;
    for (int64_t l = 0; size && l < in->labels; l++) {
        if (!isolated[l]) continue;
        double best = 0.0, cells = 0.0;
        for (int64_t i = 0; i < in->n; i++) cells += in->label[i] == l;
        for (int64_t c = 0; c < in->clusterings; c++) {
            memset(size, 0, (size_t)(2 * most) * sizeof *size);
            for (int64_t i = 0; i < in->n; i++) {
                int32_t g = in->cluster[c * in->n + i];
                size[g]++, hits[g] += in->label[i] == l;
            }
            for (int64_t g = 0; g < most; g++)
                if (size[g] > 0.0) best = fmax(best, 2.0 * hits[g] / (size[g] + cells));
        }
        sum += best, labels++;
    }
    out->isolated_f1 = labels > 0.0 ? sum / labels : (double)NAN;
    cw_free(ctx, size);
    return ctx->status;
}

/* ---- connectivity ---- */

static int32_t root_of(int32_t *parent, int32_t i)
{
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
}

/* Largest connected part of each label's own subgraph over its cells, mean over labels. */
static cw_status connectivity(cw_ctx *ctx, cw_integration *out, const cw_integration_input *in)
{
    int32_t *parent = cw_alloc(ctx, in->n, sizeof *parent);
    int64_t *size = cw_calloc(ctx, in->n + 2 * in->labels, sizeof *size);
    if (ctx->status == CW_OK) {
        int64_t *cells = size + in->n, *largest = cells + in->labels;
        for (int64_t i = 0; i < in->n; i++) parent[i] = (int32_t)i;
        for (int64_t e = 0; e < in->edges; e++)
            if (in->label[in->from[e]] == in->label[in->to[e]])
                parent[root_of(parent, in->from[e])] = root_of(parent, in->to[e]);
        for (int64_t i = 0; i < in->n; i++) {
            int64_t *here = &size[root_of(parent, (int32_t)i)];
            int32_t l = in->label[i];
            cells[l]++;
            if (++*here > largest[l]) largest[l] = *here;
        }
        double sum = 0.0;
        for (int64_t l = 0; l < in->labels; l++) sum += (double)largest[l] / (double)cells[l];
        out->graph_connectivity = sum / (double)in->labels;
    }
    cw_free(ctx, size), cw_free(ctx, parent);
    return ctx->status;
}

/* ---- variance that batches explain ---- */

/* Principal component regression over all components: their R^2 weighted by variance is what lies between batches of the
 * whole sum of squares, in any basis, so no component need be found. */
static cw_status batch_share(cw_ctx *ctx, double *share, const double *x, int64_t dims, const cw_integration_input *in)
{
    double *mean = cw_calloc(ctx, in->batches, sizeof *mean), *cells = cw_calloc(ctx, in->batches, sizeof *cells);
    double between = 0.0, whole = 0.0;
    if (ctx->status == CW_OK) {
        for (int64_t i = 0; i < in->n; i++) cells[in->batch[i]]++;
        for (int64_t d = 0; d < dims; d++) {
            double centre = 0.0;
            memset(mean, 0, (size_t)in->batches * sizeof *mean);
            for (int64_t i = 0; i < in->n; i++) centre += x[i * dims + d] / (double)in->n;
            for (int64_t i = 0; i < in->n; i++) {
                double e = x[i * dims + d] - centre;
                mean[in->batch[i]] += e / cells[in->batch[i]], whole += e * e;
            }
            for (int64_t b = 0; b < in->batches; b++) between += cells[b] * mean[b] * mean[b];
        }
        *share = whole > 0.0 ? between / whole : 0.0;
    }
    cw_free(ctx, cells), cw_free(ctx, mean);
    return ctx->status;
}

/* ---- neighbourhoods ---- */

static cw_status median(cw_ctx *ctx, double *out, const double *x, int64_t n)
{
    double *y = cw_alloc(ctx, n, sizeof *y);
    if (!y) return ctx->status;
    memcpy(y, x, (size_t)n * sizeof *y);
    qsort(y, (size_t)n, sizeof *y, cw_double_rising);
    *out = n % 2 ? y[n / 2] : (y[n / 2 - 1] + y[n / 2]) / 2.0;
    cw_free(ctx, y);
    return CW_OK;
}

/* Weights of the k neighbours of cell i, exp(-beta d) with the entropy log(perplexity), into p; the cell itself 0. */
static void neighbour_weights(double *p, const double *d, const int32_t *near, int64_t i, int64_t k, double perplexity)
{
    double beta = 1.0, low = -INFINITY, high = INFINITY, sum = 0.0;
    for (int step = 0; step < 50; step++) {
        double weighted = 0.0;
        sum = 0.0;
        for (int64_t j = 0; j < k; j++) {
            p[j] = near[j] == i ? 0.0 : exp(-beta * d[j]);
            sum += p[j], weighted += p[j] * d[j];
        }
        double excess = sum > 0.0 ? log(sum) + beta * weighted / sum - log(perplexity) : 0.0;
        if (fabs(excess) < 1e-5) break;
        if (excess > 0.0) low = beta, beta = isinf(high) ? 2.0 * beta : (beta + high) / 2.0;
        else high = beta, beta = isinf(low) ? beta / 2.0 : (beta + low) / 2.0;
    }
    for (int64_t j = 0; j < k; j++) p[j] = sum > 0.0 ? p[j] / sum : 0.0;
}

/* 1 / sum over groups of (weight in the group)^2, for every cell. */
static cw_status lisi(cw_ctx *ctx, double *out, const cw_integration_input *in, const int32_t *group, int64_t groups)
{
    double *room = cw_alloc(ctx, (in->k + groups) * ctx->threads, sizeof *room);
    if (!room) return ctx->status;
#pragma omp parallel for num_threads(ctx->threads)
    for (int64_t i = 0; i < in->n; i++) {
        double *p = room + cw_thread_number() * (in->k + groups), *share = p + in->k, sum = 0.0;
        const int32_t *near = in->near + i * in->k;
        neighbour_weights(p, in->distance + i * in->k, near, i, in->k, floor((double)in->k / 3.0));
        memset(share, 0, (size_t)groups * sizeof *share);
        for (int64_t j = 0; j < in->k; j++) share[group[near[j]]] += p[j];
        for (int64_t g = 0; g < groups; g++) sum += share[g] * share[g];
        out[i] = sum > 0.0 ? 1.0 / sum : (double)NAN;
    }
    cw_free(ctx, room);
    return cw_poll(ctx);
}

/* Chi-squared of the batches among a cell's k neighbours, itself included, against all cells'. */
static cw_status kbet(cw_ctx *ctx, cw_integration *out, double *p, const cw_integration_input *in)
{
    double *want = cw_calloc(ctx, 2 * in->batches, sizeof *want), *got = want + in->batches, kept = 0.0;
    if (!want) return ctx->status;
    for (int64_t i = 0; i < in->n; i++) want[in->batch[i]] += (double)in->k / (double)in->n;
    for (int64_t i = 0; i < in->n; i++) {
        double stat = 0.0;
        memset(got, 0, (size_t)in->batches * sizeof *got);
        for (int64_t j = 0; j < in->k; j++) got[in->batch[in->near[i * in->k + j]]]++;
        for (int64_t b = 0; b < in->batches; b++) stat += (got[b] - want[b]) * (got[b] - want[b]) / want[b];
        p[i] = cw_chisq_upper(stat, (double)(in->batches - 1));
        if (out->kbet_stat) out->kbet_stat[i] = stat;
        kept += p[i] >= 0.05;
    }
    out->kbet_accept = kept / (double)in->n;
    cw_free(ctx, want);
    return CW_OK;
}

static cw_status neighbourhoods(cw_ctx *ctx, cw_integration *out, const cw_integration_input *in, double *room)
{
    double middle = 0.0;
    if (in->batches > 1) {
        double *x = out->lisi_batch ? out->lisi_batch : room;
        if (lisi(ctx, x, in, in->batch, in->batches) == CW_OK && median(ctx, &middle, x, in->n) == CW_OK)
            out->ilisi = (middle - 1.0) / (double)(in->batches - 1);
        kbet(ctx, out, out->kbet_p ? out->kbet_p : room, in);
    }
    if (in->labels > 1) {
        double *x = out->lisi_label ? out->lisi_label : room;
        if (lisi(ctx, x, in, in->label, in->labels) == CW_OK && median(ctx, &middle, x, in->n) == CW_OK)
            out->clisi = ((double)in->labels - middle) / (double)(in->labels - 1);
    }
    return ctx->status;
}

/* ---- together ---- */

/* Mean of those that are numbers, NaN of none. */
static double mean_of(const double *x, int n)
{
    double sum = 0.0, count = 0.0;
    for (int i = 0; i < n; i++)
        if (!isnan(x[i])) sum += x[i], count++;
    return count > 0.0 ? sum / count : (double)NAN;
}

static cw_status checked(cw_ctx *ctx, const cw_integration_input *in)
{
    if (in->n < 2 || in->labels < 1 || in->batches < 1 || in->dims < 1)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "integration: too few cells, labels, batches or dimensions");
    for (int64_t i = 0; i < in->n; i++)
        if (in->label[i] < 0 || in->label[i] >= in->labels || in->batch[i] < 0 || in->batch[i] >= in->batches)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "integration: label or batch of cell %lld", (long long)i + 1);
    for (int64_t i = 0; in->cluster && i < in->n * in->clusterings; i++)
        if (in->cluster[i] < 0) return cw_fail(ctx, CW_ERR_ARGUMENT, "integration: a cluster is below 0");
    for (int64_t e = 0; in->from && e < in->edges; e++)
        if (in->from[e] < 0 || in->from[e] >= in->n || in->to[e] < 0 || in->to[e] >= in->n)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "integration: edge %lld is of no cells", (long long)e + 1);
    for (int64_t e = 0; in->near && e < in->n * in->k; e++)
        if (in->near[e] < 0 || in->near[e] >= in->n)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "integration: a neighbour is no cell");
    return CW_OK;
}

cw_status cw_integration_metrics(cw_ctx *ctx, cw_integration *out, const cw_integration_input *in)
{
    const double none = (double)NAN;
    out->best = -1;
    out->asw_label = out->asw_batch = out->graph_connectivity = out->isolated_asw = out->isolated_f1 = none;
    out->pcr_pre = out->pcr_post = out->pcr_comparison = out->ilisi = out->clisi = out->kbet_accept = none;
    if (checked(ctx, in) != CW_OK) return ctx->status;
    uint8_t *met = cw_calloc(ctx, in->labels * in->batches + in->labels, 1);
    int64_t *batches_of = cw_calloc(ctx, in->labels, sizeof *batches_of), fewest = in->batches;
    double *s = cw_alloc(ctx, in->n, sizeof *s), nmi = none, ari = none;
    if (ctx->status == CW_OK) {
        uint8_t *isolated = met + in->labels * in->batches;
        for (int64_t i = 0; i < in->n; i++) met[in->label[i] * in->batches + in->batch[i]] = 1;
        for (int64_t l = 0; l < in->labels; l++) {
            for (int64_t b = 0; b < in->batches; b++) batches_of[l] += met[l * in->batches + b];
            fewest = batches_of[l] < fewest ? batches_of[l] : fewest;
        }
        for (int64_t l = 0; l < in->labels; l++) isolated[l] = fewest < in->batches && batches_of[l] == fewest;
        for (int64_t c = 0; in->cluster && c < in->clusterings; c++) {
            double m = none, r = none;
            if (agreement(ctx, &m, &r, in->label, in->cluster + c * in->n, in->n) != CW_OK) break;
            if (out->nmi) out->nmi[c] = m;
            if (out->ari) out->ari[c] = r;
            if (out->best < 0 || m > nmi) out->best = c, nmi = m, ari = r;
        }
        label_silhouettes(ctx, out, in, isolated, s);
        batch_silhouettes(ctx, out, in, batches_of, s);
        if (in->cluster) isolated_f1(ctx, out, in, isolated);
        if (in->from) connectivity(ctx, out, in);
        batch_share(ctx, &out->pcr_post, in->embedding, in->dims, in);
        if (in->pre && batch_share(ctx, &out->pcr_pre, in->pre, in->genes, in) == CW_OK)
            out->pcr_comparison = out->pcr_pre > 0.0 ? fmax(0.0, (out->pcr_pre - out->pcr_post) / out->pcr_pre) : 0.0;
        if (in->near) neighbourhoods(ctx, out, in, s);
        const double bio[] = {nmi, ari, out->asw_label}, mixed[] = {out->asw_batch, out->graph_connectivity};
        const double all_bio[] = {nmi, ari, out->asw_label, out->isolated_asw, out->clisi};
        const double all_mixed[] = {out->asw_batch, out->graph_connectivity, out->pcr_comparison, out->ilisi};
        out->avg_bio = mean_of(bio, 3), out->avg_batch = mean_of(mixed, 2);
        out->overall = 0.6 * mean_of(all_bio, 5) + 0.4 * mean_of(all_mixed, 4);
    }
    cw_free(ctx, s), cw_free(ctx, batches_of), cw_free(ctx, met);
    return cw_poll(ctx);
}
