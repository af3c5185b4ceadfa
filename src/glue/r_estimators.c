/* r_estimators.c: pooled estimators of networks: tree ensembles and the evidence ridge. */
#include "glue.h"

#include "../engine/stats/forest.h"
#include "../engine/stats/labels.h"
#include "../engine/stats/ridge.h"

#include <math.h>

/* A dgCMatrix, cells x genes, as list(dim, p, i, x); points into R's memory. */
static cw_columns columns_of(SEXP view)
{
    SEXP dim = cw_glue_get(view, "dim"), p = cw_glue_get(view, "p"), i = cw_glue_get(view, "i");
    SEXP x = cw_glue_get(view, "x");
    if (TYPEOF(dim) != INTSXP || Rf_xlength(dim) != 2) Rf_error("internal error: the expression is not a matrix");
    cw_glue_need_columns(p, i, x, INTEGER(dim)[0], INTEGER(dim)[1]);
    return (cw_columns){.cells = INTEGER(dim)[0], .genes = INTEGER(dim)[1], .start = INTEGER(p), .cell = INTEGER(i),
                        .value = REAL(x)};
}

/* Options of forests. R has checked them against what the help says; here is what the engine can bear. */
static const cw_setting forest_table[] = {
    CW_SET_CHOICE(cw_forest_options, kind, "kind", NULL, NAN, "extratrees boosting", "the ensemble"),
    CW_SET_CHOICE(cw_forest_options, cut, "cut", NULL, NAN, "value cell", "where thresholds come from"),
    CW_SET_INT(cw_forest_options, trees, "trees", NULL, NAN, 1, 1e6, "trees of a gene"),
    CW_SET_INT(cw_forest_options, features, "features", NULL, NAN, 1, 2147483647, "TFs tried at a split"),
    CW_SET_INT(cw_forest_options, sample, "sample", NULL, NAN, 0, 2147483648.0, "cells of a tree; 0: all"),
    CW_SET_INT(cw_forest_options, min_leaf, "minLeaf", NULL, NAN, 1, 2147483648.0, "cells of a leaf"),
    CW_SET_INT(cw_forest_options, depth, "depth", NULL, NAN, 1, 6, "depth of a tree"),
    CW_SET_DOUBLE(cw_forest_options, rate, "rate", NULL, NAN, 0, 1, 1, "learning rate"),
    CW_SET_DOUBLE(cw_forest_options, subsample, "subsample", NULL, NAN, 0, 1, 1, "share of cells of a tree"),
    CW_SET_INT(cw_forest_options, window, "window", NULL, NAN, 0, 1e6, "trees the gain is watched over"),
    {0},
};

static cw_forest_options forest_options(SEXP list, uint64_t key)
{
    cw_forest_options o = {0};
    cw_glue_settings(list, forest_table, &o);
    o.key = key;
    return o;
}

/* x: see columns_of. tf, target: genes from 0. list(importance (TFs x targets), grown, r2). */
SEXP cw_r_forest(SEXP x_, SEXP tf, SEXP target, SEXP options, SEXP key, SEXP threads)
{
    cw_columns x = columns_of(x_);
    cw_forest_options o = forest_options(options, cw_glue_key(key));
    if (TYPEOF(tf) != INTSXP || TYPEOF(target) != INTSXP) Rf_error("internal error: gene numbers must be integers");
    int64_t tfs = Rf_xlength(tf), targets = Rf_xlength(target);
    const cw_glue_part parts[] = {
        {"importance", REALSXP, tfs, targets}, {"grown", INTSXP, targets, -1}, {"r2", REALSXP, targets, -1}};
    SEXP out = PROTECT(cw_glue_make(3, parts));
    double *importance = REAL(VECTOR_ELT(out, 0)), *r2 = REAL(VECTOR_ELT(out, 2));
    int *grown = INTEGER(VECTOR_ELT(out, 1));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_forest_importance(ctx, importance, grown, r2, &x, INTEGER(tf), tfs, INTEGER(target), targets, &o);
    return cw_glue_return(ctx, out);
}

/* Bytes the above will take: sizes is c(cells, TFs, targets, values listed, threads). */
SEXP cw_r_forest_forecast(SEXP sizes, SEXP options)
{
    if (TYPEOF(sizes) != REALSXP || Rf_xlength(sizes) != 5) Rf_error("internal error: a forecast needs five sizes");
    cw_forest_options o = forest_options(options, 0);
    const double *s = REAL(sizes);
    return Rf_ScalarReal((double)cw_forest_forecast((int64_t)s[0], (int64_t)s[1], (int64_t)s[2], (int64_t)s[3],
                                                    (int)s[4], &o));
}

/* ---- sums over cells -------------------------------------------------------------------------------------------- */

/* list(tf (from 0), cells (1), sum, square, cube, least, most (genes), product, both (genes x TFs; or empty: not
 * counted)); points into it. */
static cw_gram gram_of(SEXP list)
{
    static const char *const names[] = {"cells", "sum", "square", "cube", "least", "most", "product", "both"};
    SEXP tf = cw_glue_get(list, "tf");
    int64_t tfs = Rf_xlength(tf), genes = Rf_xlength(cw_glue_get(list, "sum"));
    double *at[8];
    if (TYPEOF(tf) != INTSXP) Rf_error("internal error: TFs must be integers");
    for (int i = 0; i < 8; i++) {
        SEXP v = cw_glue_get(list, names[i]);
        int64_t n = Rf_xlength(v);
        if (TYPEOF(v) != REALSXP || (n != (i == 0 ? 1 : i < 6 ? genes : genes * tfs) && !(i == 7 && n == 0)))
            Rf_error("internal error: sums over cells of the wrong type");
        at[i] = i == 7 && n == 0 ? NULL : REAL(v);
    }
    return (cw_gram){genes, tfs, INTEGER(tf), at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7]};
}

/* Adds cells, a dgCMatrix, genes x cells, as list(p, i, x, cells), to the list's own vectors, which nobody else has. */
SEXP cw_r_gram_add(SEXP list, SEXP view, SEXP threads)
{
    cw_gram gram = gram_of(list);
    SEXP p = cw_glue_get(view, "p"), i = cw_glue_get(view, "i"), x = cw_glue_get(view, "x");
    int cells = Rf_asInteger(cw_glue_get(view, "cells"));
    cw_glue_need_columns(p, i, x, gram.genes, cells);
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_gram_add(ctx, &gram, INTEGER(p), INTEGER(i), REAL(x), cells);
    return cw_glue_return(ctx, PROTECT(list));
}

/* list(r (genes x TFs), mean, sd, skew) */
SEXP cw_r_gram_numbers(SEXP list)
{
    cw_gram gram = gram_of(list);
    const cw_glue_part parts[] = {{"r", REALSXP, gram.genes, gram.tfs},
                                  {"mean", REALSXP, gram.genes, -1},
                                  {"sd", REALSXP, gram.genes, -1},
                                  {"skew", REALSXP, gram.genes, -1}};
    SEXP out = PROTECT(cw_glue_make(4, parts));
    double *v[4];
    for (int k = 0; k < 4; k++) v[k] = REAL(VECTOR_ELT(out, k));
    cw_ctx *ctx = cw_glue_enter(1);
    cw_gram_gene(&gram, v[1], v[2], v[3]);
    cw_gram_correlation(ctx, v[0], &gram);
    return cw_glue_return(ctx, out);
}

/* ---- the ridge -------------------------------------------------------------------------------------------------- */

/* list: see gram_of. grid: prior variances. list(slope (genes x TFs), evidence, chosen). */
SEXP cw_r_ridge_pooled(SEXP list, SEXP grid, SEXP threads)
{
    cw_gram gram = gram_of(list);
    if (TYPEOF(grid) != REALSXP) Rf_error("internal error: a grid of the wrong type");
    const cw_glue_part parts[] = {{"slope", REALSXP, gram.genes, gram.tfs}, /* the engine's (TFs, genes) by rows */
                                  {"evidence", REALSXP, gram.genes, -1},
                                  {"chosen", REALSXP, 1, -1}};
    SEXP out = PROTECT(cw_glue_make(3, parts));
    double *slope = REAL(VECTOR_ELT(out, 0)), *evidence = REAL(VECTOR_ELT(out, 1)), *chosen = REAL(VECTOR_ELT(out, 2));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_ridge_pooled_sums(ctx, slope, evidence, chosen, &gram, REAL(grid), Rf_xlength(grid));
    return cw_glue_return(ctx, out);
}

static cw_gram *grams_of(SEXP list)
{
    R_xlen_t n = Rf_xlength(list);
    cw_gram *grams = (cw_gram *)R_alloc((size_t)n + 1, sizeof *grams);
    for (R_xlen_t k = 0; k < n; k++) grams[k] = gram_of(VECTOR_ELT(list, k));
    return grams;
}

/* train: a list of sums by label; held: the same of the cells held out, or NULL. grid: prior variances, the first `own`
 * also those of a label's own. list(pooled (TFs x genes by rows), slope (the same by label; empty unless keep), sd
 * (TFs x labels), label (labels x: a, gain, total, rest pooled, rest), numbers = c(a, gain)). */
SEXP cw_r_labels_sums(SEXP train, SEXP held, SEXP grid, SEXP own, SEXP keep, SEXP threads)
{
    int64_t k = Rf_xlength(train);
    if (TYPEOF(train) != VECSXP || k < 1 || TYPEOF(grid) != REALSXP || Rf_asInteger(own) < 0 ||
        Rf_asInteger(own) > Rf_xlength(grid) || !(Rf_isNull(held) || (TYPEOF(held) == VECSXP && Rf_xlength(held) == k)))
        Rf_error("internal error: sums or a grid of the wrong type or length");
    cw_gram *of = grams_of(train), *out_of = Rf_isNull(held) ? NULL : grams_of(held);
    int64_t size = of->genes * of->tfs;
    const cw_glue_part parts[] = {{"pooled", REALSXP, size, -1},
                                  {"slope", REALSXP, Rf_asLogical(keep) == TRUE ? k * size : 0, -1},
                                  {"sd", REALSXP, of->tfs, k},
                                  {"label", REALSXP, k, 5},
                                  {"numbers", REALSXP, 2, -1}};
    SEXP out = PROTECT(cw_glue_make(5, parts));
    double *to[5];
    for (int n = 0; n < 5; n++) to[n] = REAL(VECTOR_ELT(out, n));
    cw_labels r = {.pooled = to[0], .slope = Rf_asLogical(keep) == TRUE ? to[1] : NULL, .sd = to[2],
                   .label_a = to[3], .label_gain = to[3] + k, .total = to[3] + 2 * k,
                   .rest_pooled = to[3] + 3 * k, .rest = to[3] + 4 * k};
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_labels_fit_sums(ctx, &r, of, out_of, REAL(grid), Rf_xlength(grid), Rf_asInteger(own), k);
    to[4][0] = r.a, to[4][1] = r.gain;
    return cw_glue_return(ctx, out);
}

/* Known edges: list(start = integer (genes + 1), tf = integer from 0). */
static void need_known(SEXP start, SEXP who, int64_t genes)
{
    if (TYPEOF(start) != INTSXP || TYPEOF(who) != INTSXP || Rf_xlength(start) != genes + 1 || INTEGER(start)[0] != 0 ||
        INTEGER(start)[genes] != Rf_xlength(who))
        Rf_error("internal error: known edges of the wrong type");
    for (int64_t g = 0; g < genes; g++)
        if (INTEGER(start)[g] > INTEGER(start)[g + 1]) Rf_error("internal error: known edges out of order");
}

static const cw_setting known_table[] = {
    CW_SET_INT(cw_known_options, nulls, "nPerm", NULL, NAN, 0, 1e6, "priors of the null"),
    {0},
};

/* list as above. known: see there. grids: list(variance, strength). options: list(nPerm). list(slope, evidence, best
 * (strengths), nullGain (nPerm), chosen = c(variance, strength, gain)). */
SEXP cw_r_ridge_known(SEXP list, SEXP known, SEXP grids, SEXP options, SEXP key, SEXP threads)
{
    cw_gram gram = gram_of(list);
    SEXP start = cw_glue_get(known, "start"), who = cw_glue_get(known, "tf");
    need_known(start, who, gram.genes);
    cw_known_options o = {0};
    cw_glue_settings(options, known_table, &o);
    o.a = cw_glue_grid(grids, "variance", &o.a_count);
    o.strength = cw_glue_grid(grids, "strength", &o.strength_count);
    o.key = cw_glue_key(key);
    const cw_glue_part parts[] = {{"slope", REALSXP, gram.genes, gram.tfs},
                                  {"evidence", REALSXP, gram.genes, -1},
                                  {"best", REALSXP, o.strength_count, -1},
                                  {"nullGain", REALSXP, o.nulls, -1},
                                  {"chosen", REALSXP, 3, -1}};
    SEXP out = PROTECT(cw_glue_make(5, parts));
    double *v[5];
    for (int i = 0; i < 5; i++) v[i] = REAL(VECTOR_ELT(out, i));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_known found = {0};
    int64_t *from = cw_alloc(ctx, gram.genes + 1, sizeof *from);
    for (int64_t g = 0; from && g <= gram.genes; g++) from[g] = INTEGER(start)[g];
    if (from) {
        cw_known_edges edges = {from, INTEGER(who)};
        cw_ridge_known_sums(ctx, v[0], v[1], v[2], v[3], &found, &gram, &edges, &o);
        v[4][0] = found.a, v[4][1] = found.strength, v[4][2] = found.gain;
    }
    cw_free(ctx, from);
    return cw_glue_return(ctx, out);
}

/* Bytes the ridge will take, beside what R holds: sizes is c(cells, genes, TFs, states (0: cw_r_ridge_pooled, else
 * cw_r_percell), prior variances tried at once), and with known edges also the most TFs known of one gene. */
SEXP cw_r_ridge_forecast(SEXP sizes, SEXP threads)
{
    R_xlen_t given = Rf_xlength(sizes);
    if (TYPEOF(sizes) != REALSXP || (given != 5 && given != 6))
        Rf_error("internal error: a forecast needs five or six sizes");
    const double *s = REAL(sizes);
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    double cells = s[0], genes = s[1], tfs = s[2], states = s[3];
    double bytes = states > 0 ? 4 * cells * genes : 24 * genes * tfs; /* states: the cells; else sums over them */
    if (given == 6) {
        cw_known_options o = {.a_count = (int64_t)s[4], .strength_count = 1};
        bytes += (double)cw_ridge_known_bytes(ctx, &o, (int64_t)genes, (int64_t)tfs, (int64_t)s[5]);
    } else
        bytes += (double)cw_ridge_bytes(ctx, (int64_t)genes, (int64_t)tfs, (int64_t)states, (int64_t)s[4]);
    /* the values before centring, and every state's slopes and memberships in the engine and in R */
    if (states > 0) bytes += 4 * cells * genes + states * (16 * genes * tfs + 12 * cells);
    else bytes += 8 * genes * tfs;
    cw_glue_leave(ctx);
    return Rf_ScalarReal(bytes);
}
