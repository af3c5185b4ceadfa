/* tau_steps.h: steps that cw_tau_fit and the test of the lead share. Not for other folders. */
#ifndef CW_TAU_STEPS_H
#define CW_TAU_STEPS_H

#include "tau.h"

enum { CW_TAU_LEAST_GENES = 20, CW_TAU_MOST_AXES = 64 };

typedef int64_t i64;

static inline double *take(cw_arena *arena, i64 n) { return cw_arena_take(arena, n * (i64)sizeof(double)); }

static inline void fill(double *x, double value, i64 n)
{
    for (i64 i = 0; x && i < n; i++) x[i] = value;
}

double cw_tau_median(double *x, i64 n); /* x is sorted */

/* ---- tau_steps.c ------------------------------------------------------------------------------------------------- */

/* Axes of both modalities and the state they share: t->axes_a, axes_r, shared. */
cw_status cw_tau_state(cw_arena *arena, cw_tau *t, const cw_tau_data *x, const cw_tau_options *o);
/* t->metacell and t->flow without its velocity, from t->shared.z. */
cw_status cw_tau_metacells(cw_arena *arena, cw_tau *t, const cw_tau_options *o);
/* t->fit, depths and peak weights at the metacells, from the counts of x; B0 (M, J) the basis there. */
cw_status cw_tau_rates(cw_arena *arena, cw_tau *t, const double *B0, const cw_tau_data *x, const cw_tau_options *o);
/* Standardised lag-free curves of the genes listed: D chromatin minus RNA, m their mean. */
cw_status cw_tau_lag_new(cw_arena *arena, cw_tau_lag *lag, const cw_tau_lagfree *f, const cw_tau_flow *flow,
                         const int32_t *gene, i64 n);
void cw_tau_lag_give(cw_arena *arena, cw_tau_lag *lag);
void cw_tau_lagfree_give(cw_arena *arena, cw_tau_lagfree *f);
/* Where genes change: place (n, J) = share of sum over metacells of size dd^2 B_j; rows sum to 1. dd (M, n). */
void cw_tau_places(double *place, const double *dd, const double *B0, const cw_tau_flow *f, i64 n);

/* ---- tau_follow.c ------------------------------------------------------------------------------------------------ */

typedef struct cw_tau_follows {
    double axes, usable; /* of the poorer fold */
    double lead, z;      /* NaN: too few usable genes in a fold */
} cw_tau_follows;

/* Does RNA follow chromatin? Every count is halved binomially; states and metacells come from one half, what is seen at
 * them from the other, both ways: noise that placed a cell isn't seen again. o->test_cells cells, drawn. */
cw_status cw_tau_follow(cw_arena *arena, cw_tau_follows *out, const cw_tau_data *x, const cw_tau_options *o);

/* ---- tau_along.c ------------------------------------------------------------------------------------------------- */

cw_status cw_tau_find_rim(cw_arena *arena, cw_tau *t); /* t->at_rim */
void cw_tau_rim_share(cw_tau *t, const double *dd, const int32_t *gene, i64 n); /* t->rim; dd (M, n) */
void cw_tau_baselines(cw_tau *t, int threads); /* t->xcorr, switch_time */

#endif
