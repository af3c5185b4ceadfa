/* r_ranking.c: .Call entry points for rankings of edges, null networks and shifts under perturbation. R has checked
 * values and named the arguments; here types and lengths are, so that no call can read beyond an array. */
#include "glue.h"

#include "../engine/stats/classify.h"
#include "../engine/stats/nulls.h"
#include "../engine/stats/ranking.h"
#include "../engine/stats/wasserstein.h"

#include <math.h>

static void need(int good, const char *what)
{
    if (!good) Rf_error("internal error: %s", what);
}

/* ---- rankings --------------------------------------------------------------------------------------------------- */

/* order (0-based), group: integer; positive: raw 0/1 by candidate. All of one length. */
static cw_ranking as_ranking(SEXP order, SEXP group, SEXP positive)
{
    R_xlen_t n = Rf_xlength(order);
    need(TYPEOF(order) == INTSXP && TYPEOF(group) == INTSXP && TYPEOF(positive) == RAWSXP && n >= 1 &&
             n <= INT32_MAX && Rf_xlength(group) == n && Rf_xlength(positive) == n,
         "a ranking needs integer order and group and raw labels of one length");
    for (R_xlen_t i = 0; i < n; i++)
        if (INTEGER(order)[i] < 0 || INTEGER(order)[i] >= n)
            Rf_error("internal error: a ranking holds candidate %d of %.0f", INTEGER(order)[i], (double)n);
    return (cw_ranking){.n = n, .order = INTEGER(order), .group = INTEGER(group), .positive = RAW(positive)};
}

static SEXP score_list(int64_t n)
{
    const cw_glue_part parts[] = {{"auprc", REALSXP, n, -1}, {"early", REALSXP, n, -1}, {"auroc", REALSXP, n, -1}};
    return cw_glue_make(3, parts);
}

static void put_scores(SEXP out, const cw_rank_score *s, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        REAL(VECTOR_ELT(out, 0))[i] = s[i].auprc;
        REAL(VECTOR_ELT(out, 1))[i] = s[i].early;
        REAL(VECTOR_ELT(out, 2))[i] = s[i].auroc;
    }
}

/* score: double -> list(order, group) */
SEXP cw_r_rank_sort(SEXP score)
{
    R_xlen_t n = Rf_xlength(score);
    need(TYPEOF(score) == REALSXP && n <= INT32_MAX, "scores must be doubles, fewer than 2^31");
    const cw_glue_part parts[] = {{"order", INTSXP, n, -1}, {"group", INTSXP, n, -1}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    cw_ctx *ctx = cw_glue_enter(1);
    cw_rank_sort(ctx, INTEGER(VECTOR_ELT(out, 0)), INTEGER(VECTOR_ELT(out, 1)), REAL(score), n);
    return cw_glue_return(ctx, out);
}

/* -> list(auprc, early, auroc), one number each */
SEXP cw_r_rank_metrics(SEXP order, SEXP group, SEXP positive)
{
    cw_ranking r = as_ranking(order, group, positive);
    SEXP out = PROTECT(score_list(1));
    cw_rank_score s;
    cw_rank_metrics(&s, &r, NULL);
    put_scores(out, &s, 1);
    UNPROTECT(1);
    return out;
}

static SEXP some_doubles(int n, const double *from)
{
    SEXP out = Rf_allocVector(REALSXP, n);
    for (int i = 0; i < n; i++) REAL(out)[i] = from[i];
    return out;
}

/* score: double, truth: integer 0 or 1 -> double (3), in the order of cw_binary_scores */
SEXP cw_r_classify_binary(SEXP score, SEXP truth)
{
    R_xlen_t n = Rf_xlength(score);
    need(TYPEOF(score) == REALSXP && TYPEOF(truth) == INTSXP && Rf_xlength(truth) == n && n >= 1 && n <= INT32_MAX,
         "scores and truth");
    cw_binary_scores b;
    cw_ctx *ctx = cw_glue_enter(1);
    cw_classify_binary(ctx, &b, REAL(score), INTEGER(truth), n);
    cw_glue_leave(ctx);
    return some_doubles(3, (const double[]){b.aupr, b.average, b.f_max});
}

/* truth, told: integer below `classes` -> double (5), in the order of cw_class_scores */
SEXP cw_r_classify_classes(SEXP truth, SEXP told, SEXP classes)
{
    R_xlen_t n = Rf_xlength(truth);
    int most = Rf_asInteger(classes);
    need(TYPEOF(truth) == INTSXP && TYPEOF(told) == INTSXP && Rf_xlength(told) == n && n >= 1 && most >= 1, "classes");
    for (R_xlen_t i = 0; i < n; i++)
        need(INTEGER(truth)[i] >= 0 && INTEGER(truth)[i] < most && INTEGER(told)[i] >= 0 && INTEGER(told)[i] < most, "a class");
    cw_class_scores k;
    cw_ctx *ctx = cw_glue_enter(1);
    cw_classify_classes(ctx, &k, INTEGER(truth), INTEGER(told), n, most);
    cw_glue_leave(ctx);
    return some_doubles(5, (const double[]){k.accuracy, k.macro_f1, k.weighted_f1, k.recall, k.precision});
}

/* member: integer by candidate, 0-based, -1 for none -> list(auprc, early, auroc, candidates, positives) by member */
SEXP cw_r_rank_by(SEXP order, SEXP group, SEXP positive, SEXP member, SEXP members)
{
    cw_ranking r = as_ranking(order, group, positive);
    int n = Rf_asInteger(members);
    need(TYPEOF(member) == INTSXP && Rf_xlength(member) == r.n && n >= 1, "members must be integers by candidate");
    const cw_glue_part parts[] = {{"auprc", REALSXP, n, -1},
                                  {"early", REALSXP, n, -1},
                                  {"auroc", REALSXP, n, -1},
                                  {"candidates", REALSXP, n, -1},
                                  {"positives", REALSXP, n, -1}};
    SEXP out = PROTECT(cw_glue_make(5, parts));
    cw_ctx *ctx = cw_glue_enter(1);
    cw_rank_score *s = cw_alloc(ctx, n, sizeof *s);
    int64_t *count = cw_alloc(ctx, n, sizeof *count), *known = cw_alloc(ctx, n, sizeof *known);
    if (ctx->status == CW_OK && cw_rank_by(ctx, s, count, known, &r, INTEGER(member), n) == CW_OK) {
        put_scores(out, s, n);
        for (int i = 0; i < n; i++) {
            REAL(VECTOR_ELT(out, 3))[i] = (double)count[i];
            REAL(VECTOR_ELT(out, 4))[i] = (double)known[i];
        }
    }
    cw_free(ctx, known), cw_free(ctx, count), cw_free(ctx, s);
    return cw_glue_return(ctx, out);
}

/* -> list(auprc, early, auroc), `draws` numbers each */
SEXP cw_r_rank_bootstrap(SEXP order, SEXP group, SEXP positive, SEXP key, SEXP draws, SEXP threads)
{
    cw_ranking r = as_ranking(order, group, positive);
    uint64_t k = cw_glue_key(key);
    int n = Rf_asInteger(draws);
    need(n >= 1, "draws must be at least 1");
    SEXP out = PROTECT(score_list(n));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_rank_score *s = cw_alloc(ctx, n, sizeof *s);
    if (cw_rank_bootstrap(ctx, s, &r, k, n) == CW_OK) put_scores(out, s, n);
    cw_free(ctx, s);
    return cw_glue_return(ctx, out);
}

/* -> list(auprc, early, auroc) of `draws` random rankings */
SEXP cw_r_rank_random(SEXP candidates, SEXP positives, SEXP key, SEXP draws, SEXP threads)
{
    uint64_t k = cw_glue_key(key);
    int n = Rf_asInteger(draws);
    need(n >= 1, "draws must be at least 1");
    SEXP out = PROTECT(score_list(n));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_rank_score *s = cw_alloc(ctx, n, sizeof *s);
    if (cw_rank_random(ctx, s, (int64_t)Rf_asReal(candidates), (int64_t)Rf_asReal(positives), k, n) == CW_OK)
        put_scores(out, s, n);
    cw_free(ctx, s);
    return cw_glue_return(ctx, out);
}

/* ---- null networks ---------------------------------------------------------------------------------------------- */

/* x: list(dim = c(cells, genes), p, i, x), compressed by gene; group: 0-based integers by cell, or NULL
 * -> list(i, x) */
SEXP cw_r_null_permute(SEXP x, SEXP group, SEXP groups, SEXP key, SEXP draw)
{
    SEXP dim = cw_glue_get(x, "dim"), p = cw_glue_get(x, "p"), i = cw_glue_get(x, "i"), v = cw_glue_get(x, "x");
    need(TYPEOF(dim) == INTSXP && Rf_xlength(dim) == 2 && TYPEOF(p) == INTSXP && TYPEOF(i) == INTSXP &&
             TYPEOF(v) == REALSXP,
         "values must be a list of dim, p, i, x");
    int cells = INTEGER(dim)[0], genes = INTEGER(dim)[1], ascending = 1;
    need(Rf_xlength(p) == (R_xlen_t)genes + 1 && INTEGER(p)[0] == 0, "values don't start where they should");
    for (int g = 0; g < genes; g++) ascending = ascending && INTEGER(p)[g + 1] >= INTEGER(p)[g];
    need(ascending && INTEGER(p)[genes] == Rf_xlength(i) && Rf_xlength(i) == Rf_xlength(v),
         "values don't have the length they should");
    need(Rf_isNull(group) || (TYPEOF(group) == INTSXP && Rf_xlength(group) == cells), "groups must be by cell");
    uint64_t k = cw_glue_key(key);
    int n = Rf_isNull(group) ? 1 : Rf_asInteger(groups);
    need(n >= 1, "there must be a group");
    const cw_glue_part parts[] = {{"i", INTSXP, Rf_xlength(i), -1}, {"x", REALSXP, Rf_xlength(i), -1}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    cw_ctx *ctx = cw_glue_enter(1);
    cw_null_permute(ctx, INTEGER(VECTOR_ELT(out, 0)), REAL(VECTOR_ELT(out, 1)), INTEGER(p), INTEGER(i), REAL(v),
                    Rf_isNull(group) ? NULL : INTEGER(group), n, k, (uint64_t)Rf_asReal(draw), cells, genes);
    return cw_glue_return(ctx, out);
}

/* A score matrix and the places of its TFs among its genes (0-based). */
static void need_scores(SEXP score, SEXP tf)
{
    need(TYPEOF(score) == REALSXP && Rf_isMatrix(score) && TYPEOF(tf) == INTSXP && Rf_xlength(tf) == Rf_nrows(score),
         "scores must be a matrix of doubles, with a place for each TF");
}

SEXP cw_r_null_shuffle(SEXP score, SEXP tf, SEXP by_tf, SEXP key, SEXP draw)
{
    need_scores(score, tf);
    uint64_t k = cw_glue_key(key);
    int by = Rf_asLogical(by_tf);
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, Rf_nrows(score), Rf_ncols(score)));
    cw_ctx *ctx = cw_glue_enter(1);
    cw_null_shuffle(ctx, REAL(out), REAL(score), INTEGER(tf), by, k, (uint64_t)Rf_asReal(draw), Rf_nrows(score),
                    Rf_ncols(score));
    return cw_glue_return(ctx, out);
}

/* tf, gene: edges, 0-based -> list(gene, swaps) */
SEXP cw_r_null_rewire(SEXP tf, SEXP gene, SEXP tf_gene, SEXP genes, SEXP attempts, SEXP key, SEXP draw)
{
    need(TYPEOF(tf) == INTSXP && TYPEOF(gene) == INTSXP && TYPEOF(tf_gene) == INTSXP &&
             Rf_xlength(tf) == Rf_xlength(gene),
         "edges must be integers");
    uint64_t k = cw_glue_key(key);
    const cw_glue_part parts[] = {{"gene", INTSXP, Rf_xlength(gene), -1}, {"swaps", REALSXP, 1, -1}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    for (R_xlen_t e = 0; e < Rf_xlength(gene); e++) INTEGER(VECTOR_ELT(out, 0))[e] = INTEGER(gene)[e];
    int64_t made = 0;
    cw_ctx *ctx = cw_glue_enter(1);
    cw_null_rewire(ctx, INTEGER(tf), INTEGER(VECTOR_ELT(out, 0)), &made, INTEGER(tf_gene),
                   (int64_t)Rf_asReal(attempts), k, (uint64_t)Rf_asReal(draw), Rf_xlength(tf), Rf_xlength(tf_gene),
                   Rf_asInteger(genes));
    REAL(VECTOR_ELT(out, 1))[0] = (double)made;
    return cw_glue_return(ctx, out);
}

/* -> matrix: null scores of the TF that are at least the observed one */
SEXP cw_r_null_above(SEXP observed, SEXP null, SEXP tf, SEXP threads)
{
    need_scores(observed, tf), need_scores(null, tf);
    need(Rf_ncols(observed) == Rf_ncols(null), "two score matrices must be of one size");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, Rf_nrows(observed), Rf_ncols(observed)));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_null_above(ctx, REAL(out), REAL(observed), REAL(null), INTEGER(tf), Rf_nrows(observed), Rf_ncols(observed));
    return cw_glue_return(ctx, out);
}

/* ---- shifts ----------------------------------------------------------------------------------------------------- */

static const cw_setting shift_table[] = {
    CW_SET_INT(cw_shift_options, permutations, "permutations", NULL, NAN, 0, 1e7, "of the labels"),
    CW_SET_INT(cw_shift_options, draws, "draws", NULL, NAN, 0, 1e7, "bootstrap samples"),
    {0},
};

/* x: matrix of doubles, cells x genes; label: raw by cell; stratum: 0-based integers by cell, or NULL; options:
 * list(permutations, draws) -> list(distance, shift, nullMean, nullSd, p by gene; drawn, drawnShift: draws x genes) */
SEXP cw_r_wasserstein(SEXP x, SEXP label, SEXP stratum, SEXP strata, SEXP options, SEXP key, SEXP threads)
{
    need(TYPEOF(x) == REALSXP && Rf_isMatrix(x), "values must be a matrix of doubles");
    int cells = Rf_nrows(x), genes = Rf_ncols(x);
    need(TYPEOF(label) == RAWSXP && Rf_xlength(label) == cells, "labels must be raw, by cell");
    need(Rf_isNull(stratum) || (TYPEOF(stratum) == INTSXP && Rf_xlength(stratum) == cells), "strata must be by cell");
    int n = Rf_isNull(stratum) ? 1 : Rf_asInteger(strata);
    need(n >= 1, "there must be a stratum");
    cw_shift_options o = {0};
    cw_glue_settings(options, shift_table, &o);
    o.key = cw_glue_key(key);
    const cw_glue_part parts[] = {{"distance", REALSXP, genes, -1}, {"shift", REALSXP, genes, -1},
                                  {"nullMean", REALSXP, genes, -1}, {"nullSd", REALSXP, genes, -1},
                                  {"p", REALSXP, genes, -1},        {"drawn", REALSXP, o.draws, genes},
                                  {"drawnShift", REALSXP, o.draws, genes}};
    SEXP out = PROTECT(cw_glue_make(7, parts));
    double *v[7];
    for (int i = 0; i < 7; i++) v[i] = REAL(VECTOR_ELT(out, i));
    for (int g = 0; g < genes && o.permutations == 0; g++) v[2][g] = v[3][g] = v[4][g] = NA_REAL;
    cw_shifts s = {.distance = v[0], .shift = v[1], .null_mean = v[2], .null_sd = v[3], .p = v[4], .drawn = v[5],
                   .drawn_shift = v[6]};
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_wasserstein(ctx, &s, REAL(x), RAW(label), Rf_isNull(stratum) ? NULL : INTEGER(stratum), n, &o, cells, genes);
    return cw_glue_return(ctx, out);
}
