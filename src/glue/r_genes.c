/* r_genes.c: .Call entry points for the choice of genes, and for the null of degrees. */
#include "glue.h"

#include "../engine/stats/genes.h"
#include "../engine/stats/nulls.h"

#include <math.h>
#include <string.h>

/* view: a dgCMatrix, genes x cells, as list(dim, p, i, x), finite and not negative. list(total (cells), and by gene
 * count, self, depth, seen): what this part of the cells adds. */
SEXP cw_r_gene_sums(SEXP view)
{
    SEXP dim = cw_glue_get(view, "dim"), p = cw_glue_get(view, "p"), i = cw_glue_get(view, "i");
    SEXP x = cw_glue_get(view, "x");
    if (TYPEOF(dim) != INTSXP || Rf_xlength(dim) != 2) Rf_error("internal error: the counts are not a matrix");
    int64_t genes = INTEGER(dim)[0], cells = INTEGER(dim)[1];
    cw_glue_need_columns(p, i, x, genes, cells);
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
    cw_gene_sums_add(ctx, &sums, REAL(VECTOR_ELT(out, 0)), INTEGER(p), INTEGER(i), REAL(x), cells, genes);
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
