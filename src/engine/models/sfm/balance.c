/* balance.c: quantile balancing of a router's load (scCAFM).
 *
 * alpha_n is the (k+1)-th largest of logits - beta in row n; the new beta of factor m is the (t+1)-th largest over rows of
 * logits_nm - alpha_n with t = max(1, round(N k / M)): with it each factor would be chosen by about t rows. Micro-batches
 * of a step are averaged with weight N, all computed with the step's beta. */
#include "sfm.h"

#include <math.h>
#include <string.h>

static void gather(cw_balance *balance, cw_tape *t, cw_tensor *logits, int64_t k)
{
    int64_t n = cw_rows(logits), m = cw_cols(logits);
    if (!balance->beta || n == 0 || k >= m) return;
    int64_t load = (int64_t)nearbyint((double)n * (double)k / (double)m); /* to even, as Python's round */
    if (load < 1) load = 1;
    int64_t rank = load + 1 < n ? load + 1 : n;
    float *work = cw_tape_take(t, t->k->router_work(&t->exec, n, m));
    cw_tensor *q = cw_tape_matrix(t, 1, m);
    const float *x = cw_tape_data(t, logits), *beta = cw_tape_data(t, balance->beta);
    if (!work || !q || !x || !beta) return;
    t->k->router_quantiles(&t->exec, cw_f32(q), work, x, beta, k, rank, n, m);
    cw_tape_give(t, work);
    const float *value = cw_tape_host(t, q);
    for (int64_t j = 0; value && j < m; j++) balance->sum[j] += (double)n * value[j];
    balance->sum[m] += (double)n;
}

/* Logits that aren't finite leave no trace: the step they belong to will be discarded. */
static int all_finite(cw_tape *t, cw_tensor *x)
{
    const float *values = cw_tape_data(t, x);
    return values && isfinite(t->k->sum_squares(&t->exec, values, cw_count(x)));
}

void cw_sfm_balance_gather(cw_sfm *s, cw_tape *t, cw_sfm_output y)
{
    if (t->ctx->status != CW_OK || !all_finite(t, y.tf_logits) || !all_finite(t, y.gene_logits)) return;
    gather(&s->tf_balance, t, y.tf_logits, cw_sfm_gate_width(&s->config));
    gather(&s->gene_balance, t, y.gene_logits, cw_sfm_gate_width(&s->config));
}

double *cw_sfm_balance_gathered(cw_model *m, int64_t *n)
{
    *n = 2 * (((cw_sfm *)m)->config.factors + 1);
    return ((cw_sfm *)m)->gathered;
}

void cw_sfm_balance_forget(cw_model *m)
{
    int64_t n;
    double *gathered = cw_sfm_balance_gathered(m, &n);
    if (gathered) memset(gathered, 0, (size_t)n * sizeof *gathered);
}

void cw_sfm_balance_apply(cw_model *m, cw_tape *t)
{
    cw_sfm *s = (cw_sfm *)m;
    cw_balance *both[] = {&s->tf_balance, &s->gene_balance};
    for (int r = 0; r < 2; r++) {
        cw_balance *b = both[r];
        double weight = b->sum[s->config.factors];
        float *beta = weight > 0 ? cw_arena_take(t->arena, s->config.factors * (int64_t)sizeof *beta) : NULL;
        if (!beta || cw_param_get(m->ctx, b->beta, beta) != CW_OK) continue;
        for (int64_t j = 0; j < s->config.factors; j++)
            beta[j] += s->config.beta_momentum * (float)(b->sum[j] / weight - beta[j]);
        cw_param_set(m->ctx, b->beta, beta);
        cw_arena_give(t->arena, beta);
    }
    cw_sfm_balance_forget(m);
}
