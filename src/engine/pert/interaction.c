/* interaction.c: Theil-Sen regression of a pair on its singles, distance correlations. */
#include "interaction.h"

#include <float.h>
#include <math.h>

enum { MOST_PAIRS = 100000, MOST_STEPS = 1000 };

/* ---- Theil-Sen ---- */

/* Solutions (n, 2) of the systems of two genes each; their number. Genes whose rows are parallel have none. */
static int64_t solutions(double *x, const double *a, const double *b, const double *y, int64_t genes)
{
    int64_t all = genes * (genes - 1) / 2, most = all < MOST_PAIRS ? all : MOST_PAIRS, n = 0, number = 0, taken = 0;
    for (int64_t i = 0; i < genes; i++)
        for (int64_t j = i + 1; j < genes; j++, number++) {
            if (number < (int64_t)((double)taken * (double)all / (double)most)) continue;
            taken++;
            double det = a[i] * b[j] - a[j] * b[i];
            if (fabs(det) <= DBL_EPSILON * (fabs(a[i] * b[j]) + fabs(a[j] * b[i]))) continue;
            x[2 * n] = (y[i] * b[j] - y[j] * b[i]) / det;
            x[2 * n + 1] = (a[i] * y[j] - a[j] * y[i]) / det;
            n++;
        }
    return n;
}

/* Spatial median of points (n, 2) by modified Weiszfeld steps (Vardi & Zhang 2000) from their mean. */
static void spatial_median(double *m, const double *x, int64_t n)
{
    m[0] = m[1] = 0.0;
    for (int64_t i = 0; i < n; i++) m[0] += x[2 * i] / (double)n, m[1] += x[2 * i + 1] / (double)n;
    for (int step = 0; step < MOST_STEPS; step++) {
        double pull[2] = {0, 0}, to[2] = {0, 0}, weight = 0;
        int here = 0;
        for (int64_t i = 0; i < n; i++) {
            double d0 = x[2 * i] - m[0], d1 = x[2 * i + 1] - m[1], far = sqrt(d0 * d0 + d1 * d1);
            if (far < DBL_EPSILON) {
                here = 1;
                continue;
            }
            pull[0] += d0 / far, pull[1] += d1 / far;
            to[0] += x[2 * i] / far, to[1] += x[2 * i + 1] / far, weight += 1 / far;
        }
        double norm = sqrt(pull[0] * pull[0] + pull[1] * pull[1]);
        if (norm <= DBL_EPSILON || weight == 0.0) return;
        double stay = here ? fmin(1.0, 1.0 / norm) : 0.0, moved = 0.0;
        for (int k = 0; k < 2; k++) {
            double next = (1.0 - stay) * to[k] / weight + stay * m[k];
            moved += (next - m[k]) * (next - m[k]), m[k] = next;
        }
        if (moved < 1e-14) return;
    }
}

static double pearson(const double *x, const double *y, int64_t n)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < n; i++) mx += x[i] / (double)n, my += y[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        xx += (x[i] - mx) * (x[i] - mx), yy += (y[i] - my) * (y[i] - my), xy += (x[i] - mx) * (y[i] - my);
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN;
}

/* ---- distance correlation (Szekely, Rizzo & Bakirov 2007), the biased version ---- */

/* D (n, n): distances of points (x_i, y_i), y NULL: of x_i alone; double-centred. row (n): scratch. */
static void centred_distances(double *D, double *row, const double *x, const double *y, int64_t n)
{
    double all = 0;
    for (int64_t i = 0; i < n; i++) {
        row[i] = 0;
        for (int64_t j = 0; j < n; j++) {
            double d = x[i] - x[j], e = y ? y[i] - y[j] : 0.0;
            D[i * n + j] = y ? sqrt(d * d + e * e) : fabs(d);
            row[i] += D[i * n + j] / (double)n;
        }
        all += row[i] / (double)n;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) D[i * n + j] += all - row[i] - row[j];
}

static double distance_correlation(const double *A, const double *B, int64_t n)
{
    double ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < n * n; i++) ab += A[i] * B[i], aa += A[i] * A[i], bb += B[i] * B[i];
    return aa > 0 && bb > 0 ? sqrt(fmax(ab, 0.0) / sqrt(aa * bb)) : 0.0;
}

cw_status cw_interaction_scores(cw_ctx *ctx, cw_interaction *out, const double *first, const double *second,
                                const double *pair, int64_t genes)
{
    if (genes < 2) return cw_fail(ctx, CW_ERR_ARGUMENT, "interaction: %lld genes, 2 are needed", (long long)genes);
    int64_t all = genes * (genes - 1) / 2, n = genes * genes;
    double *x = cw_alloc(ctx, 2 * (all < MOST_PAIRS ? all : MOST_PAIRS), sizeof *x), *row = cw_alloc(ctx, genes, sizeof *row);
    double *D = cw_alloc(ctx, 4 * n, sizeof *D), c[2];
    if (ctx->status == CW_OK) {
        spatial_median(c, x, solutions(x, first, second, pair, genes));
        out->c1 = c[0], out->c2 = c[1];
        out->magnitude = sqrt(c[0] * c[0] + c[1] * c[1]);
        out->dominance = fabs(log10(fabs(c[0] / c[1])));
        for (int64_t i = 0; i < genes; i++) row[i] = c[0] * first[i] + c[1] * second[i];
        out->fit = pearson(row, pair, genes);
        double *A = D, *B = D + n, *C = D + 2 * n, *both = D + 3 * n;
        centred_distances(A, row, first, NULL, genes), centred_distances(B, row, second, NULL, genes);
        centred_distances(C, row, pair, NULL, genes), centred_distances(both, row, first, second, genes);
        out->dcor = distance_correlation(both, C, genes);
        out->dcor_singles = distance_correlation(A, B, genes);
        out->dcor_first = distance_correlation(A, C, genes);
        out->dcor_second = distance_correlation(B, C, genes);
        double low = fmin(out->dcor_first, out->dcor_second), high = fmax(out->dcor_first, out->dcor_second);
        out->equality = high > 0 ? low / high : (double)NAN;
    }
    cw_free(ctx, D), cw_free(ctx, row), cw_free(ctx, x);
    return cw_poll(ctx);
}
