/* r_ontology.c: files of relations, PageRank on an ontology, votes for unseen types. */
#include "glue.h"

#include "../engine/io/relations.h"
#include "../engine/stats/ontology.h"

#include <string.h>

static void need(int good, const char *what)
{
    if (!good) Rf_error("internal error: %s of the wrong type or size", what);
}

/* lines: strings in UTF-8; words: by their words, see relations.h -> list(head, relation, tail), strings, of the lines that
 * are relations */
SEXP cw_r_relations(SEXP lines, SEXP words)
{
    static const char *const parts[] = {"head", "relation", "tail"};
    need(TYPEOF(lines) == STRSXP, "lines");
    R_xlen_t n = Rf_xlength(lines), found = 0;
    int by_word = Rf_asLogical(words) == TRUE;
    cw_relation *all = (cw_relation *)R_alloc((size_t)n + 1, sizeof *all);
    for (R_xlen_t i = 0; i < n; i++) {
        const char *text = CHAR(STRING_ELT(lines, i));
        int64_t length = (int64_t)strlen(text);
        found += by_word ? cw_relation_read_words(&all[found], text, length) : cw_relation_read(&all[found], text, length);
    }
    SEXP out = PROTECT(cw_glue_list(3, parts));
    for (int p = 0; p < 3; p++) SET_VECTOR_ELT(out, p, Rf_allocVector(STRSXP, found));
    for (R_xlen_t i = 0; i < found; i++) {
        const cw_relation *r = &all[i];
        need(r->head_length < INT_MAX && r->tail_length < INT_MAX, "a line");
        SET_STRING_ELT(VECTOR_ELT(out, 0), i, Rf_mkCharLenCE(r->head, (int)r->head_length, CE_UTF8));
        SET_STRING_ELT(VECTOR_ELT(out, 1), i, Rf_mkChar(cw_relation_name(r->relation)));
        SET_STRING_ELT(VECTOR_ELT(out, 2), i, Rf_mkCharLenCE(r->tail, (int)r->tail_length, CE_UTF8));
    }
    UNPROTECT(1);
    return out;
}

/* ends: integer (edges, 2), source: integer, both from 0; how: double (nodes, damping, tol, most).
 * -> list(rank (nodes, sources), steps (sources)) */
SEXP cw_r_page_rank(SEXP ends, SEXP source, SEXP how, SEXP threads)
{
    need(TYPEOF(ends) == INTSXP && Rf_isMatrix(ends) && Rf_ncols(ends) == 2 && TYPEOF(source) == INTSXP, "edges");
    need(TYPEOF(how) == REALSXP && Rf_xlength(how) == 4, "settings");
    int edges = Rf_nrows(ends), n = (int)REAL(how)[0], sources = (int)Rf_xlength(source);
    const cw_glue_part parts[] = {{"rank", REALSXP, n, sources}, {"steps", INTSXP, sources, -1}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    double *rank = REAL(VECTOR_ELT(out, 0));
    int *steps = INTEGER(VECTOR_ELT(out, 1));
    const cw_undirected graph = {n, edges, INTEGER(ends), INTEGER(ends) + edges};
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_page_rank(ctx, rank, steps, &graph, INTEGER(source), sources, REAL(how)[1], REAL(how)[2], (int64_t)REAL(how)[3]);
    return cw_glue_return(ctx, out);
}

/* a (k, n), b (k, m): double -> (m, n): Spearman's correlations of their columns */
SEXP cw_r_column_spearman(SEXP a, SEXP b)
{
    need(TYPEOF(a) == REALSXP && TYPEOF(b) == REALSXP && Rf_isMatrix(a) && Rf_isMatrix(b) && Rf_nrows(a) == Rf_nrows(b),
         "columns");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, Rf_ncols(b), Rf_ncols(a)));
    double *to = REAL(out);
    cw_ctx *ctx = cw_glue_enter(1);
    cw_row_spearman(ctx, to, REAL(a), Rf_ncols(a), REAL(b), Rf_ncols(b), Rf_nrows(a));
    return cw_glue_return(ctx, out);
}

/* score: double (types, cells); truth: integer (cells), pick: integer, both from 0 -> double(accuracy, macro F1) */
SEXP cw_r_pick_scores(SEXP score, SEXP truth, SEXP pick)
{
    need(TYPEOF(score) == REALSXP && Rf_isMatrix(score) && TYPEOF(truth) == INTSXP && TYPEOF(pick) == INTSXP &&
             Rf_xlength(truth) == Rf_ncols(score) && Rf_xlength(pick) > 0,
         "scores");
    for (R_xlen_t i = 0; i < Rf_xlength(pick); i++)
        need(INTEGER(pick)[i] >= 0 && INTEGER(pick)[i] < Rf_nrows(score), "types");
    SEXP out = PROTECT(Rf_allocVector(REALSXP, 2));
    double *to = REAL(out);
    cw_ctx *ctx = cw_glue_enter(1);
    cw_pick_scores(ctx, to, to + 1, REAL(score), INTEGER(truth), Rf_ncols(score), Rf_nrows(score), INTEGER(pick),
                   Rf_xlength(pick));
    return cw_glue_return(ctx, out);
}
