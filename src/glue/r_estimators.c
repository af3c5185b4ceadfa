/* r_estimators.c: pooled estimators of networks: tree ensembles and the evidence ridge. */
#include "glue.h"

#include "../engine/stats/forest.h"
#include "../engine/stats/ridge.h"

#include <string.h>

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

static cw_forest_options forest_options(SEXP list, uint64_t key)
{
    SEXP kind = cw_glue_get(list, "kind"), cut = cw_glue_get(list, "cut");
    cw_forest_options o = {.key = key};
    if (!Rf_isString(kind) || !Rf_isString(cut)) Rf_error("internal error: options of a forest without kind or cut");
    o.kind = strcmp(CHAR(STRING_ELT(kind, 0)), "boosting") == 0 ? CW_FOREST_BOOST : CW_FOREST_EXTRA;
    o.cut = strcmp(CHAR(STRING_ELT(cut, 0)), "cell") == 0 ? CW_CUT_CELL : CW_CUT_VALUE;
    o.trees = (int64_t)cw_glue_number(list, "trees", 0);
    o.features = (int64_t)cw_glue_number(list, "features", 0);
    o.sample = (int64_t)cw_glue_number(list, "sample", 0);
    o.min_leaf = (int64_t)cw_glue_number(list, "minLeaf", 1);
    o.depth = (int64_t)cw_glue_number(list, "depth", 3);
    o.rate = cw_glue_number(list, "rate", 0.01);
    o.subsample = cw_glue_number(list, "subsample", 0.9);
    o.window = (int64_t)cw_glue_number(list, "window", 25);
    return o;
}

/* x: see columns_of. tf, target: genes from 0. list(importance (TFs x targets), grown, r2). */
SEXP cw_r_forest(SEXP x_, SEXP tf, SEXP target, SEXP options, SEXP key, SEXP threads)
{
    static const char *const names[] = {"importance", "grown", "r2"};
    cw_columns x = columns_of(x_);
    cw_forest_options o = forest_options(options, cw_glue_key(key));
    if (TYPEOF(tf) != INTSXP || TYPEOF(target) != INTSXP) Rf_error("internal error: gene numbers must be integers");
    SEXP list = PROTECT(cw_glue_list(3, names));
    SEXP importance = Rf_allocMatrix(REALSXP, (int)Rf_xlength(tf), (int)Rf_xlength(target));
    SET_VECTOR_ELT(list, 0, importance);
    SEXP grown = Rf_allocVector(INTSXP, Rf_xlength(target));
    SET_VECTOR_ELT(list, 1, grown);
    SEXP r2 = Rf_allocVector(REALSXP, Rf_xlength(target));
    SET_VECTOR_ELT(list, 2, r2);
    cw_ctx *ctx = cw_glue_enter(Rf_asInteger(threads));
    cw_forest_importance(ctx, REAL(importance), INTEGER(grown), REAL(r2), &x, INTEGER(tf), Rf_xlength(tf),
                         INTEGER(target), Rf_xlength(target), &o);
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return list;
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

/* x: see columns_of. tf: genes from 0. grid: prior variances. list(slope (genes x TFs), evidence, chosen). */
SEXP cw_r_ridge_pooled(SEXP x_, SEXP tf, SEXP grid, SEXP threads)
{
    static const char *const names[] = {"slope", "evidence", "chosen"};
    cw_columns x = columns_of(x_);
    if (TYPEOF(tf) != INTSXP || TYPEOF(grid) != REALSXP) Rf_error("internal error: TFs or grid of the wrong type");
    SEXP list = PROTECT(cw_glue_list(3, names));
    SEXP slope = Rf_allocMatrix(REALSXP, (int)x.genes, (int)Rf_xlength(tf)); /* the engine's (TFs, genes) by rows */
    SET_VECTOR_ELT(list, 0, slope);
    SEXP evidence = Rf_allocVector(REALSXP, (R_xlen_t)x.genes);
    SET_VECTOR_ELT(list, 1, evidence);
    SEXP chosen = Rf_allocVector(REALSXP, 1);
    SET_VECTOR_ELT(list, 2, chosen);
    cw_ctx *ctx = cw_glue_enter(Rf_asInteger(threads));
    float *dense = cw_calloc(ctx, x.cells * x.genes, sizeof *dense);
    if (dense) {
        for (int64_t g = 0; g < x.genes && cw_poll(ctx) == CW_OK; g++)
            for (int64_t i = x.start[g]; i < x.start[g + 1]; i++) dense[x.cell[i] * x.genes + g] = (float)x.value[i];
        if (cw_ridge_standardise(ctx, dense, x.cells, x.genes) == CW_OK)
            cw_ridge_pooled(ctx, REAL(slope), REAL(evidence), REAL(chosen), dense, INTEGER(tf), REAL(grid),
                            Rf_xlength(grid), x.cells, x.genes, Rf_xlength(tf));
    }
    cw_free(ctx, dense);
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return list;
}

/* x, tf as above. known: list(start = integer (genes + 1), tf = integer from 0). options: list(variance, strength: the
 * grids; nulls). list(slope, evidence, best (strengths), nullGain (nulls), chosen = c(variance, strength, gain)). */
SEXP cw_r_ridge_known(SEXP x_, SEXP tf, SEXP known, SEXP options, SEXP key, SEXP threads)
{
    static const char *const names[] = {"slope", "evidence", "best", "nullGain", "chosen"};
    cw_columns x = columns_of(x_);
    SEXP start = cw_glue_get(known, "start"), who = cw_glue_get(known, "tf");
    SEXP a = cw_glue_get(options, "variance"), strength = cw_glue_get(options, "strength");
    if (TYPEOF(tf) != INTSXP || TYPEOF(start) != INTSXP || TYPEOF(who) != INTSXP || TYPEOF(a) != REALSXP ||
        TYPEOF(strength) != REALSXP || Rf_xlength(start) != x.genes + 1 || INTEGER(start)[0] != 0 ||
        INTEGER(start)[x.genes] != Rf_xlength(who))
        Rf_error("internal error: known edges of the wrong type");
    for (int64_t g = 0; g < x.genes; g++)
        if (INTEGER(start)[g] > INTEGER(start)[g + 1]) Rf_error("internal error: known edges out of order");
    cw_known_options o = {.a = REAL(a), .strength = REAL(strength), .a_count = Rf_xlength(a),
                          .strength_count = Rf_xlength(strength), .key = cw_glue_key(key),
                          .nulls = (int64_t)cw_glue_number(options, "nulls", 0)};
    const R_xlen_t sizes[] = {0, (R_xlen_t)x.genes, (R_xlen_t)o.strength_count, (R_xlen_t)o.nulls, 3};
    SEXP list = PROTECT(cw_glue_list(5, names));
    SET_VECTOR_ELT(list, 0, Rf_allocMatrix(REALSXP, (int)x.genes, (int)Rf_xlength(tf)));
    for (int i = 1; i < 5; i++) SET_VECTOR_ELT(list, i, Rf_allocVector(REALSXP, sizes[i]));
    cw_ctx *ctx = cw_glue_enter(Rf_asInteger(threads));
    cw_known found = {0};
    int64_t *from = cw_alloc(ctx, x.genes + 1, sizeof *from);
    float *dense = cw_calloc(ctx, x.cells * x.genes, sizeof *dense);
    if (from && dense) {
        for (int64_t g = 0; g <= x.genes; g++) from[g] = INTEGER(start)[g];
        for (int64_t g = 0; g < x.genes && cw_poll(ctx) == CW_OK; g++)
            for (int64_t i = x.start[g]; i < x.start[g + 1]; i++) dense[x.cell[i] * x.genes + g] = (float)x.value[i];
        cw_known_edges edges = {from, INTEGER(who)};
        if (cw_ridge_standardise(ctx, dense, x.cells, x.genes) == CW_OK)
            cw_ridge_known(ctx, REAL(VECTOR_ELT(list, 0)), REAL(VECTOR_ELT(list, 1)), REAL(VECTOR_ELT(list, 2)),
                           REAL(VECTOR_ELT(list, 3)), &found, dense, INTEGER(tf), &edges, &o, x.cells, x.genes,
                           Rf_xlength(tf));
        double *chosen = REAL(VECTOR_ELT(list, 4));
        chosen[0] = found.a, chosen[1] = found.strength, chosen[2] = found.gain;
    }
    cw_free(ctx, dense);
    cw_free(ctx, from);
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return list;
}

/* Bytes the ridge will take, beside what R holds: sizes is c(cells, genes, TFs, states (0: cw_r_ridge_pooled, else
 * cw_r_percell), prior variances tried at once), and with known edges also the most TFs known of one gene. */
SEXP cw_r_ridge_forecast(SEXP sizes, SEXP threads)
{
    R_xlen_t given = Rf_xlength(sizes);
    if (TYPEOF(sizes) != REALSXP || (given != 5 && given != 6))
        Rf_error("internal error: a forecast needs five or six sizes");
    const double *s = REAL(sizes);
    cw_ctx *ctx = cw_glue_enter(Rf_asInteger(threads));
    double cells = s[0], genes = s[1], tfs = s[2], states = s[3], bytes = 4 * cells * genes;
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
