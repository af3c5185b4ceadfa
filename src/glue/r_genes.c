/* r_genes.c: .Call entry points for quality and the choice of genes, and for the null of degrees. */
#include "glue.h"

#include "../engine/stats/genes.h"
#include "../engine/stats/nulls.h"
#include "../engine/stats/quality.h"

#include <math.h>
#include <string.h>

/* A dgCMatrix, genes x cells, given as list(dim, p, i, x). */
typedef struct counts {
    int64_t genes, cells;
    const int *p, *i;
    const double *x;
} counts;

static counts as_counts(SEXP view)
{
    SEXP dim = cw_glue_get(view, "dim"), p = cw_glue_get(view, "p"), i = cw_glue_get(view, "i");
    SEXP x = cw_glue_get(view, "x");
    if (TYPEOF(dim) != INTSXP || Rf_xlength(dim) != 2) Rf_error("internal error: the counts are not a matrix");
    int64_t genes = INTEGER(dim)[0], cells = INTEGER(dim)[1];
    cw_glue_need_columns(p, i, x, genes, cells);
    return (counts){genes, cells, INTEGER(p), INTEGER(i), REAL(x)};
}

/* view: counts, finite and not negative. list(total (cells), and by gene count, self, depth, seen): what this part of
 * the cells adds. */
SEXP cw_r_gene_sums(SEXP view)
{
    counts v = as_counts(view);
    int64_t genes = v.genes, cells = v.cells;
    const cw_glue_part parts[] = {{"total", REALSXP, cells, -1},
                                  {"count", REALSXP, genes, -1},
                                  {"self", REALSXP, genes, -1},
                                  {"depth", REALSXP, genes, -1},
                                  {"seen", REALSXP, genes, -1}};
    SEXP out = PROTECT(cw_glue_make(5, parts));
    for (int k = 1; k < 5; k++) memset(REAL(VECTOR_ELT(out, k)), 0, (size_t)genes * sizeof(double));
    cw_gene_sums sums = {REAL(VECTOR_ELT(out, 1)), REAL(VECTOR_ELT(out, 2)), REAL(VECTOR_ELT(out, 3)),
                         REAL(VECTOR_ELT(out, 4))};
    cw_ctx *ctx = cw_glue_enter(1);
    cw_gene_sums_add(ctx, &sums, REAL(VECTOR_ELT(out, 0)), v.p, v.i, v.x, cells, genes);
    return cw_glue_return(ctx, out);
}

/* A part of `sums` that is added to in place. */
static void *sums_part(SEXP sums, const char *name, SEXPTYPE type, int64_t n)
{
    SEXP x = cw_glue_get(sums, name);
    if ((SEXPTYPE)TYPEOF(x) != type || (int64_t)Rf_xlength(x) != n)
        Rf_error("internal error: sums$%s of the wrong type", name);
    return type == INTSXP ? (void *)INTEGER(x) : (void *)REAL(x);
}

/* group: raw, bits of each gene; sums: list(sum, seen, enough (genes), first (keep x genes), facts: cells, whole,
 * largest, bad), added to in place. -> list by cell, see cw_quality_cells. */
SEXP cw_r_quality(SEXP view, SEXP group, SEXP sums, SEXP least)
{
    static const char *const names[] = {"total", "known", "detected", "counted", "mt", "ribo", "hb"};
    counts v = as_counts(view);
    if (TYPEOF(group) != RAWSXP || (int64_t)Rf_xlength(group) != v.genes) Rf_error("internal error: groups of genes");
    int64_t keep = v.genes ? (int64_t)Rf_xlength(cw_glue_get(sums, "first")) / v.genes : 0;
    double *facts = sums_part(sums, "facts", REALSXP, 4);
    cw_quality q = {.group = RAW(group),
                    .least = Rf_asReal(least),
                    .sum = sums_part(sums, "sum", REALSXP, v.genes),
                    .seen = sums_part(sums, "seen", REALSXP, v.genes),
                    .enough = sums_part(sums, "enough", REALSXP, v.genes),
                    .first = sums_part(sums, "first", INTSXP, keep * v.genes),
                    .keep = keep,
                    .cells = (int64_t)facts[0],
                    .whole = facts[1] != 0,
                    .largest = facts[2],
                    .bad = (int64_t)facts[3]};
    cw_glue_part parts[7];
    for (int k = 0; k < 7; k++) parts[k] = (cw_glue_part){names[k], REALSXP, v.cells, -1};
    SEXP out = PROTECT(cw_glue_make(7, parts));
    double *of[7];
    for (int k = 0; k < 7; k++) of[k] = REAL(VECTOR_ELT(out, k));
    cw_quality_cells cells = {of[0], of[1], of[2], of[3], of[4], of[5], of[6]};
    cw_ctx *ctx = cw_glue_enter(1);
    cw_quality_add(ctx, &q, &cells, v.p, v.i, v.x, v.cells, v.genes);
    facts[0] = (double)q.cells, facts[1] = q.whole, facts[2] = q.largest, facts[3] = (double)q.bad;
    return cw_glue_return(ctx, out);
}

/* by: a number for each cell, or NULL; take: a flag for each, or NULL; moments: list(n, mean, square); how: c(logged,
 * less). -> the moments with the cells added or taken away. */
SEXP cw_r_moments(SEXP view, SEXP by, SEXP take, SEXP moments, SEXP how)
{
    counts v = as_counts(view);
    if (!Rf_isNull(by) && (TYPEOF(by) != REALSXP || (int64_t)Rf_xlength(by) != v.cells))
        Rf_error("internal error: one number for each cell");
    if (!Rf_isNull(take) && (TYPEOF(take) != LGLSXP || (int64_t)Rf_xlength(take) != v.cells))
        Rf_error("internal error: one flag for each cell");
    if (TYPEOF(how) != LGLSXP || Rf_xlength(how) != 2) Rf_error("internal error: how moments are made");
    const cw_glue_part parts[] = {
        {"n", REALSXP, 1, -1}, {"mean", REALSXP, v.genes, -1}, {"square", REALSXP, v.genes, -1}};
    SEXP out = PROTECT(cw_glue_make(3, parts));
    for (int k = 0; k < 3; k++)
        memcpy(REAL(VECTOR_ELT(out, k)), sums_part(moments, parts[k].name, REALSXP, parts[k].rows),
               (size_t)parts[k].rows * sizeof(double));
    cw_moments m = {REAL(VECTOR_ELT(out, 0))[0], REAL(VECTOR_ELT(out, 1)), REAL(VECTOR_ELT(out, 2))};
    cw_ctx *ctx = cw_glue_enter(1);
    cw_moments_of of = {Rf_isNull(by) ? NULL : REAL(by), Rf_isNull(take) ? NULL : LOGICAL(take), LOGICAL(how)[0]};
    cw_moments_add(ctx, &m, v.p, v.i, v.x, &of, LOGICAL(how)[1], v.cells, v.genes);
    REAL(VECTOR_ELT(out, 0))[0] = m.n;
    return cw_glue_return(ctx, out);
}

/* sums: list(count, self, depth) of all cells; total (cells) -> excess deviance (genes) */
SEXP cw_r_gene_excess(SEXP list, SEXP total, SEXP threads)
{
    SEXP count = cw_glue_get(list, "count"), self = cw_glue_get(list, "self"), depth = cw_glue_get(list, "depth");
    R_xlen_t genes = Rf_xlength(count);
    if (TYPEOF(count) != REALSXP || TYPEOF(self) != REALSXP || TYPEOF(depth) != REALSXP || TYPEOF(total) != REALSXP ||
        Rf_xlength(self) != genes || Rf_xlength(depth) != genes || Rf_xlength(total) < 1)
        Rf_error("internal error: sums of genes of the wrong type");
    SEXP out = PROTECT(Rf_allocVector(REALSXP, genes));
    cw_gene_sums sums = {REAL(count), REAL(self), REAL(depth), NULL};
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_gene_excess(ctx, REAL(out), &sums, REAL(total), Rf_xlength(total), genes);
    return cw_glue_return(ctx, out);
}

/* use, positive: raw 0/1, TFs x genes -> chances of the edges, TFs x genes as a vector */
SEXP cw_r_null_degrees(SEXP use, SEXP positive, SEXP tfs, SEXP threads)
{
    R_xlen_t n = Rf_xlength(use);
    int rows = Rf_asInteger(tfs);
    if (TYPEOF(use) != RAWSXP || TYPEOF(positive) != RAWSXP || Rf_xlength(positive) != n || rows < 1 || n % rows != 0)
        Rf_error("internal error: known edges must be raw, TFs x genes");
    SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_null_degrees(ctx, REAL(out), RAW(use), RAW(positive), rows, n / rows);
    return cw_glue_return(ctx, out);
}
