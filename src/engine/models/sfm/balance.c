/* balance.c: quantile balancing of a router's load (scCAFM).
 *
 * alpha_n is the (k+1)-th largest of logits - beta in row n; the new beta of factor m is the (t+1)-th largest over rows of
 * logits_nm - alpha_n with t = max(1, round(N k / M)): with it each factor would be chosen by about t rows. Micro-batches
 * of a step are averaged with weight N, all computed with the step's beta. */
#include "sfm.h"

#include "../../core/select.h"

#include <math.h>
#include <string.h>

static void gather(cw_balance *balance, cw_tape *t, const cw_tensor *logits, int64_t k)
{
    int64_t n = cw_rows(logits), m = cw_cols(logits), most = n > m ? n : m;
    if (!balance->beta || n == 0 || k >= m) return;
    int threads = n * m < 100000 ? 1 : t->exec.threads;
    float *scratch = cw_arena_take(t->arena, threads * most * (int64_t)sizeof(float)); /* a row or column a worker */
    float *alpha = cw_arena_take(t->arena, n * (int64_t)sizeof(float));
    if (!scratch || !alpha) return;
    const float *x = cw_f32(logits), *beta = cw_f32(balance->beta);
    int64_t load = (int64_t)nearbyint((double)n * (double)k / (double)m); /* to even, as Python's round */
    if (load < 1) load = 1;
    int64_t rank = load + 1 < n ? load + 1 : n;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int worker = 0; worker < threads; worker++)
        for (int64_t i = worker; i < n; i += threads) {
            float *row = scratch + worker * most;
            for (int64_t j = 0; j < m; j++) row[j] = x[i * m + j] - beta[j];
            alpha[i] = cw_select_largest(row, m, k + 1);
        }
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int worker = 0; worker < threads; worker++)
        for (int64_t j = worker; j < m; j += threads) {
            float *column = scratch + worker * most;
            for (int64_t i = 0; i < n; i++) column[i] = x[i * m + j] - alpha[i];
            balance->sum[j] += (double)n * cw_select_largest(column, n, rank);
        }
    balance->weight += (double)n;
    cw_arena_give(t->arena, scratch);
    cw_arena_give(t->arena, alpha);
}

/* Logits that aren't finite leave no trace: the step they belong to will be discarded. */
static int all_finite(const cw_tensor *x)
{
    for (int64_t i = 0; i < cw_count(x); i++)
        if (!isfinite(cw_f32(x)[i])) return 0;
    return 1;
}

void cw_sfm_balance_gather(cw_sfm *s, cw_tape *t, cw_sfm_output y)
{
    if (t->ctx->status != CW_OK || !all_finite(y.tf_logits) || !all_finite(y.gene_logits)) return;
    gather(&s->tf_balance, t, y.tf_logits, cw_sfm_gate_width(&s->config));
    gather(&s->gene_balance, t, y.gene_logits, cw_sfm_gate_width(&s->config));
}

static void forget(cw_balance *b, int64_t m)
{
    memset(b->sum, 0, (size_t)m * sizeof(double));
    b->weight = 0;
}

void cw_sfm_balance_forget(cw_model *m)
{
    cw_sfm *s = (cw_sfm *)m;
    forget(&s->tf_balance, s->config.factors);
    forget(&s->gene_balance, s->config.factors);
}

void cw_sfm_balance_apply(cw_model *m, cw_tape *t)
{
    cw_sfm *s = (cw_sfm *)m;
    (void)t;
    cw_balance *both[] = {&s->tf_balance, &s->gene_balance};
    for (int r = 0; r < 2; r++) {
        cw_balance *b = both[r];
        for (int64_t j = 0; b->weight > 0 && j < s->config.factors; j++) {
            float *beta = cw_f32(b->beta) + j;
            *beta += s->config.beta_momentum * (float)(b->sum[j] / b->weight - *beta);
        }
    }
    cw_sfm_balance_forget(m);
}
