/* classify.c: see classify.h. */
#include "classify.h"

#include "ranking.h"

#include <math.h>

/* 2 tp / (2 tp + fp + fn), 0 where nothing is of the class */
static double f1(double both, double told, double truth) { return told + truth > 0 ? 2.0 * both / (told + truth) : 0.0; }

/* Area by trapezoids, the scores in falling order, tied ones as one point. */
static double trapezoids(const int32_t *order, const int32_t *group, const int32_t *truth, double ones, int64_t n)
{
    double area = 0, found = 0, recall = 0, precision = 1;
    for (int64_t i = 0; i < n; i++) {
        found += truth[order[i]] != 0;
        if (i + 1 < n && group[i + 1] == group[i]) continue;
        double r = found / ones, p = found / (double)(i + 1);
        area += (r - recall) * (p + precision) / 2.0;
        recall = r, precision = p;
    }
    return area;
}

static double macro_f1_at(const double *score, const int32_t *truth, double from, double ones, int64_t n)
{
    double told = 0, both = 0;
    for (int64_t i = 0; i < n; i++)
        if (score[i] >= from) told++, both += truth[i] != 0;
    double rest = (double)n - told - ones + both; /* 0 and told 0 */
    return (f1(both, told, ones) + f1(rest, (double)n - told, (double)n - ones)) / 2.0;
}

cw_status cw_classify_binary(cw_ctx *ctx, cw_binary_scores *out, const double *score, const int32_t *truth, int64_t n)
{
    int32_t *order = cw_alloc(ctx, 2 * n, sizeof *order);
    uint8_t *one = cw_alloc(ctx, n, 1);
    *out = (cw_binary_scores){0};
    if (order && one && cw_rank_sort(ctx, order, order + n, score, n) == CW_OK) {
        double ones = 0;
        for (int64_t i = 0; i < n; i++) ones += one[i] = truth[i] != 0;
        cw_rank_score r;
        cw_rank_metrics(&r, &(cw_ranking){n, order, order + n, one}, NULL);
        out->average = ones > 0 ? r.auprc : (double)NAN;
        out->aupr = ones > 0 ? trapezoids(order, order + n, truth, ones, n) : (double)NAN;
        for (int i = 0; i < 100; i++) out->f_max = fmax(out->f_max, macro_f1_at(score, truth, i * 0.01, ones, n));
    }
    cw_free(ctx, order), cw_free(ctx, one);
    return ctx->status;
}

cw_status cw_classify_classes(cw_ctx *ctx, cw_class_scores *out, const int32_t *truth, const int32_t *told, int64_t n,
                              int64_t classes)
{
    double *count = cw_calloc(ctx, 3 * classes, sizeof *count), there = 0;
    *out = (cw_class_scores){0};
    for (int64_t i = 0; count && i < n; i++) count[3 * truth[i]]++, count[3 * told[i] + 1]++, count[3 * truth[i] + 2] += truth[i] == told[i];
    for (int64_t k = 0; count && k < classes; k++) {
        double real = count[3 * k], said = count[3 * k + 1], both = count[3 * k + 2], f = f1(both, said, real);
        there += real + said > 0;
        out->accuracy += both / (double)n, out->macro_f1 += f, out->weighted_f1 += f * real / (double)n;
        out->recall += both / fmax(real, 0.1) / (double)classes, out->precision += both / fmax(said, 0.1) / (double)classes;
    }
    out->macro_f1 /= there;
    cw_free(ctx, count);
    return ctx->status;
}
