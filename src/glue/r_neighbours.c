/* r_neighbours.c: neighbours, graphs of them, overlaps of sets, metrics of integration. */
#include "glue.h"

#include "../engine/stats/integration.h"
#include "../engine/stats/neighbours.h"

#include <string.h>

static void need(int good, const char *what)
{
    if (!good) Rf_error("internal error: %s of the wrong type or size", what);
}

/* 0-based copies of whole numbers, or NULL */
static const int32_t *or_null(SEXP x) { return x == R_NilValue ? NULL : INTEGER(x); }

/* point: double (dims, n). -> list(index (k, n), 0-based, distance (k, n)) */
SEXP cw_r_nearest(SEXP point, SEXP k, SEXP cosine, SEXP threads)
{
    need(TYPEOF(point) == REALSXP && Rf_isMatrix(point), "points");
    int n = Rf_ncols(point), near = Rf_asInteger(k), angle = Rf_asLogical(cosine);
    need(near >= 1 && near < n, "neighbours");
    const cw_glue_part parts[] = {{"index", INTSXP, near, n}, {"distance", REALSXP, near, n}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    int *index = INTEGER(VECTOR_ELT(out, 0));
    double *distance = REAL(VECTOR_ELT(out, 1));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_nearest(ctx, index, distance, REAL(point), n, Rf_nrows(point), near, angle);
    return cw_glue_return(ctx, out);
}

static void graph_of(cw_ctx *ctx, cw_weighted_graph *g, SEXP index, SEXP distance, SEXP least)
{
    if (least == R_NilValue) cw_umap_graph(ctx, g, INTEGER(index), REAL(distance), Rf_ncols(index), Rf_nrows(index));
    else cw_shared_graph(ctx, g, INTEGER(index), Rf_ncols(index), Rf_nrows(index), Rf_asReal(least));
}

/* index, distance: as cw_r_nearest gives; least: NULL for UMAP's weights, else a number for shared neighbours from there
 * on. -> list(ends (edges, 2), 1-based, weight (edges)). The graph is made twice, as its size is known only then. */
SEXP cw_r_neighbour_graph(SEXP index, SEXP distance, SEXP least, SEXP threads)
{
    need(TYPEOF(index) == INTSXP && TYPEOF(distance) == REALSXP && Rf_xlength(index) == Rf_xlength(distance), "neighbours");
    need(least == R_NilValue || TYPEOF(least) == REALSXP, "the least weight");
    int use = cw_glue_threads(threads);
    cw_weighted_graph g = {0};
    cw_ctx *ctx = cw_glue_enter(use);
    graph_of(ctx, &g, index, distance, least);
    int64_t edges = g.edges;
    cw_weighted_graph_free(ctx, &g);
    if (edges > INT_MAX) cw_fail(ctx, CW_ERR_MEMORY, "%lld edges are more than R takes", (long long)edges);
    cw_glue_leave(ctx);
    const cw_glue_part parts[] = {{"ends", INTSXP, edges, 2}, {"weight", REALSXP, edges, -1}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    int *ends = INTEGER(VECTOR_ELT(out, 0));
    double *weight = REAL(VECTOR_ELT(out, 1));
    ctx = cw_glue_enter(use);
    graph_of(ctx, &g, index, distance, least);
    for (int64_t e = 0; ctx->status == CW_OK && e < edges; e++)
        ends[e] = g.from[e] + 1, ends[edges + e] = g.to[e] + 1, weight[e] = g.weight[e];
    cw_weighted_graph_free(ctx, &g);
    return cw_glue_return(ctx, out);
}

/* ends: integer (edges, 2), 1-based; weight: double (edges); group: integer (n), 1-based. -> double: see cw_modularity */
SEXP cw_r_modularity(SEXP ends, SEXP weight, SEXP group, SEXP resolution)
{
    int edges = Rf_nrows(ends), n = (int)Rf_xlength(group), groups = 0;
    need(TYPEOF(ends) == INTSXP && Rf_ncols(ends) == 2 && TYPEOF(weight) == REALSXP && Rf_xlength(weight) == edges, "edges");
    need(TYPEOF(group) == INTSXP, "groups");
    for (int i = 0; i < 2 * edges; i++) need(INTEGER(ends)[i] >= 1 && INTEGER(ends)[i] <= n, "edges");
    for (int i = 0; i < n; i++) groups = INTEGER(group)[i] > groups ? INTEGER(group)[i] : groups;
    SEXP out = PROTECT(Rf_allocVector(REALSXP, 1));
    double *to = REAL(out), at = Rf_asReal(resolution);
    cw_ctx *ctx = cw_glue_enter(1);
    int32_t *from = cw_alloc(ctx, 2 * (int64_t)edges + n, sizeof *from), *of = from + 2 * (int64_t)edges;
    if (from) { /* counted from 0 */
        for (int64_t i = 0; i < 2 * (int64_t)edges; i++) from[i] = INTEGER(ends)[i] - 1;
        for (int i = 0; i < n; i++) of[i] = INTEGER(group)[i] - 1;
        const cw_weighted_graph g = {n, edges, from, from + edges, REAL(weight)};
        cw_modularity(ctx, to, &g, of, groups, at);
    }
    cw_free(ctx, from);
    return cw_glue_return(ctx, out);
}

/* counts: integer (4, n): overlap, total, marked, drawn. -> double (n): log10 p */
SEXP cw_r_overlap(SEXP counts)
{
    need(TYPEOF(counts) == INTSXP && Rf_nrows(counts) == 4, "counts");
    int n = Rf_ncols(counts);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
    const int *c = INTEGER(counts);
    for (int i = 0; i < n; i++, c += 4) {
        need(c[0] >= 0 && c[2] <= c[1] && c[3] <= c[1] && c[0] <= c[2] && c[0] <= c[3], "counts");
        REAL(out)[i] = cw_overlap_log10p(c[0], c[1], c[2], c[3]);
    }
    UNPROTECT(1);
    return out;
}

/* list(embedding (dims, n), label, batch (n, 0-based), pre (genes, n), cluster (n, clusterings), edges (edges, 2),
 * near (k, n), distance (k, n)): whole numbers 0-based; NULL where absent. -> list(numbers (14, in the order of
 * cw_integration), nmi, ari, lisiBatch, lisiLabel, asw (labels)) */
SEXP cw_r_integration(SEXP input, SEXP labels, SEXP batches, SEXP threads)
{
    SEXP embedding = cw_glue_get(input, "embedding"), label = cw_glue_get(input, "label");
    SEXP batch = cw_glue_get(input, "batch"), pre = cw_glue_get(input, "pre"), cluster = cw_glue_get(input, "cluster");
    SEXP edges = cw_glue_get(input, "edges"), near = cw_glue_get(input, "near");
    SEXP distance = cw_glue_get(input, "distance");
    need(TYPEOF(embedding) == REALSXP && Rf_isMatrix(embedding), "embedding");
    int n = Rf_ncols(embedding);
    need(TYPEOF(label) == INTSXP && TYPEOF(batch) == INTSXP && Rf_xlength(label) == n && Rf_xlength(batch) == n, "labels");
    need(pre == R_NilValue || (TYPEOF(pre) == REALSXP && Rf_ncols(pre) == n), "values");
    need(cluster == R_NilValue || (TYPEOF(cluster) == INTSXP && Rf_nrows(cluster) == n), "clusters");
    need(edges == R_NilValue || (TYPEOF(edges) == INTSXP && Rf_ncols(edges) == 2), "edges");
    need(near == R_NilValue || (TYPEOF(near) == INTSXP && Rf_ncols(near) == n && TYPEOF(distance) == REALSXP &&
                                Rf_xlength(distance) == Rf_xlength(near)), "neighbours");
    int sets = cluster == R_NilValue ? 0 : Rf_ncols(cluster), count = edges == R_NilValue ? 0 : Rf_nrows(edges);
    cw_integration_input in = {.n = n, .labels = Rf_asInteger(labels), .batches = Rf_asInteger(batches),
                               .label = INTEGER(label), .batch = INTEGER(batch), .embedding = REAL(embedding),
                               .dims = Rf_nrows(embedding), .pre = pre == R_NilValue ? NULL : REAL(pre),
                               .genes = pre == R_NilValue ? 0 : Rf_nrows(pre), .cluster = or_null(cluster),
                               .clusterings = sets, .from = or_null(edges),
                               .to = count ? INTEGER(edges) + count : NULL, .edges = count, .near = or_null(near),
                               .distance = near == R_NilValue ? NULL : REAL(distance),
                               .k = near == R_NilValue ? 0 : Rf_nrows(near)};
    need(in.labels >= 1 && in.batches >= 1, "labels");
    const cw_glue_part parts[] = {{"numbers", REALSXP, 14, -1},   {"nmi", REALSXP, sets, -1},
                                  {"ari", REALSXP, sets, -1},     {"lisiBatch", REALSXP, n, -1},
                                  {"lisiLabel", REALSXP, n, -1},  {"asw", REALSXP, in.labels, -1}};
    SEXP out = PROTECT(cw_glue_make(6, parts));
    cw_integration found = {.nmi = REAL(VECTOR_ELT(out, 1)), .ari = REAL(VECTOR_ELT(out, 2)),
                            .lisi_batch = REAL(VECTOR_ELT(out, 3)), .lisi_label = REAL(VECTOR_ELT(out, 4)),
                            .asw_batch_label = REAL(VECTOR_ELT(out, 5))};
    double *numbers = REAL(VECTOR_ELT(out, 0));
    for (int i = 0; i < n; i++) found.lisi_batch[i] = found.lisi_label[i] = R_NaN;
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    if (cw_integration_metrics(ctx, &found, &in) == CW_OK) {
        const double all[] = {(double)found.best, found.asw_label, found.asw_batch, found.graph_connectivity,
                              found.isolated_asw, found.isolated_f1, found.pcr_comparison, found.pcr_post, found.ilisi,
                              found.clisi, found.kbet_accept, found.avg_bio, found.avg_batch, found.overall};
        memcpy(numbers, all, sizeof all);
    }
    return cw_glue_return(ctx, out);
}
