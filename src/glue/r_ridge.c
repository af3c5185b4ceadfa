/* r_ridge.c: networks per cell state, and simulated cells. */
#include "glue.h"

#include "../engine/stats/percell.h"
#include "../engine/sim/simulate.h"

#include <math.h>
#include <string.h>

static int as_threads(SEXP threads) { return Rf_asInteger(threads); }

/* A double matrix (rows, cells) in R's order is (cells, rows) in the engine's. NULL for R_NilValue. The result is the
 * context's; NULL also when memory is short, with the error recorded. */
static float *as_floats(cw_ctx *ctx, SEXP m)
{
    if (m == R_NilValue) return NULL;
    R_xlen_t n = Rf_xlength(m);
    float *out = cw_alloc(ctx, (int64_t)n, sizeof *out);
    for (R_xlen_t i = 0; out && i < n; i++) out[i] = (float)REAL(m)[i];
    return out;
}

/* The slots of a dgCMatrix (genes, cells) -> (cells, genes) dense. */
static float *as_dense(cw_ctx *ctx, SEXP p, SEXP i, SEXP x, int64_t genes, int64_t cells)
{
    float *out = cw_calloc(ctx, genes * cells, sizeof *out);
    for (int64_t c = 0; out && c < cells; c++)
        for (int e = INTEGER(p)[c]; e < INTEGER(p)[c + 1]; e++) out[c * genes + INTEGER(i)[e]] = (float)REAL(x)[e];
    return out;
}

static void set(SEXP list, int at, SEXP value) { SET_VECTOR_ELT(list, at, value); }

static cw_percell_options percell_options(SEXP o, uint64_t key)
{
    SEXP a = cw_glue_get(o, "a"), rho = cw_glue_get(o, "rho");
    cw_percell_options out = {
        .ridge = {.a = REAL(a), .rho = REAL(rho), .a_count = Rf_xlength(a), .rho_count = Rf_xlength(rho),
                  .permutations = (int64_t)cw_glue_number(o, "permutations", 0),
                  .null_genes = (int64_t)cw_glue_number(o, "nullGenes", 500), .key = key},
        .states = {.low = (int64_t)cw_glue_number(o, "low", 2), .high = (int64_t)cw_glue_number(o, "high", 8),
                   .neighbours = (int64_t)cw_glue_number(o, "neighbours", 30), .key = key},
        .centring = (cw_centring)cw_glue_number(o, "centring", 0),
        .gate_cells = (int64_t)cw_glue_number(o, "gateCells", 500),
        .gate_genes = (int64_t)cw_glue_number(o, "gateGenes", 80),
        .gate_gain = cw_glue_number(o, "gateGain", 5e-4)};
    return out;
}

/* view: list(p, i, x, genes, cells), the slots of a dgCMatrix; tf: 0-based integers; w: double (states, cells) or NULL;
 * point: double (dims, cells) or NULL; options: see above. -> list, see `names`: w (states, cells), pooled (genes,
 * tfs), slope (genes, tfs, states), sd (tfs, states), as R arrays. */
SEXP cw_r_percell(SEXP view, SEXP tf, SEXP w, SEXP point, SEXP options, SEXP key, SEXP threads)
{
    static const char *const names[] = {"w", "pooled", "slope", "sd", "nullGain", "silhouette", "numbers"};
    enum { NUMBERS = 9, MOST = CW_STATES_MAX + 1 };
    SEXP p = cw_glue_get(view, "p"), i = cw_glue_get(view, "i"), x = cw_glue_get(view, "x");
    int64_t genes = (int64_t)cw_glue_number(view, "genes", 0), cells = (int64_t)cw_glue_number(view, "cells", 0);
    int64_t tfs = Rf_xlength(tf), states = w == R_NilValue ? 0 : Rf_nrows(w);
    int64_t dims = point == R_NilValue ? 0 : Rf_nrows(point);
    cw_glue_need_columns(p, i, x, genes, cells);
    if (TYPEOF(tf) != INTSXP || (w != R_NilValue && (TYPEOF(w) != REALSXP || Rf_xlength(w) != states * cells)) ||
        (point != R_NilValue && (TYPEOF(point) != REALSXP || Rf_xlength(point) != dims * cells)))
        Rf_error("internal error: TFs, memberships or points of the wrong type or length");
    cw_percell_options o = percell_options(options, cw_glue_key(key));
    /* Room for the most states there can be: what is not used is cut off in R. */
    int64_t most = states ? states : o.states.high, grow = o.ridge.permutations;
    SEXP out = PROTECT(cw_glue_list(7, names));
    set(out, 0, Rf_allocVector(REALSXP, (R_xlen_t)(cells * most)));
    set(out, 1, Rf_allocVector(REALSXP, (R_xlen_t)(tfs * genes)));
    set(out, 2, Rf_allocVector(REALSXP, (R_xlen_t)(most * tfs * genes)));
    set(out, 3, Rf_allocVector(REALSXP, (R_xlen_t)(most * tfs)));
    set(out, 4, Rf_allocVector(REALSXP, (R_xlen_t)grow));
    set(out, 5, Rf_allocVector(REALSXP, MOST));
    set(out, 6, Rf_allocVector(REALSXP, NUMBERS));
    cw_ctx *ctx = cw_glue_enter(as_threads(threads));
    cw_percell r = {0};
    float *dense = as_dense(ctx, p, i, x, genes, cells), *given = as_floats(ctx, w), *at = as_floats(ctx, point);
    if (ctx->status == CW_OK &&
        cw_percell_fit(ctx, &r, dense, INTEGER(tf), given, at, &o, cells, genes, tfs, states, dims) == CW_OK) {
        for (int64_t n = 0; n < cells * r.states; n++) REAL(VECTOR_ELT(out, 0))[n] = r.w[n];
        memcpy(REAL(VECTOR_ELT(out, 1)), r.pooled, (size_t)(tfs * genes) * sizeof(double));
        memcpy(REAL(VECTOR_ELT(out, 2)), r.slope, (size_t)(r.states * tfs * genes) * sizeof(double));
        memcpy(REAL(VECTOR_ELT(out, 3)), r.sd, (size_t)(r.states * tfs) * sizeof(double));
        memcpy(REAL(VECTOR_ELT(out, 4)), r.null_gain, (size_t)grow * sizeof(double));
        memcpy(REAL(VECTOR_ELT(out, 5)), r.silhouette, sizeof r.silhouette);
        const double numbers[NUMBERS] = {(double)r.states, (double)r.components, r.centred,    r.gate_gain,   r.fit.a,
                                         r.fit.rho,        r.fit.evidence,       r.fit.empty, r.fit.gain};
        memcpy(REAL(VECTOR_ELT(out, 6)), numbers, sizeof numbers);
    }
    cw_percell_free(ctx, &r);
    cw_free(ctx, at);
    cw_free(ctx, given);
    cw_free(ctx, dense);
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return out;
}

/* The same arguments but w and point. -> list(values: double (genes, cells) standardised and centred, or NULL where the
 * gate stayed closed; numbers: states, centred, gate's gain). */
SEXP cw_r_centre(SEXP view, SEXP tf, SEXP options, SEXP key, SEXP threads)
{
    static const char *const names[] = {"values", "numbers"};
    SEXP p = cw_glue_get(view, "p"), i = cw_glue_get(view, "i"), x = cw_glue_get(view, "x");
    int64_t genes = (int64_t)cw_glue_number(view, "genes", 0), cells = (int64_t)cw_glue_number(view, "cells", 0);
    cw_glue_need_columns(p, i, x, genes, cells);
    if (TYPEOF(tf) != INTSXP) Rf_error("internal error: TFs must be integers");
    cw_percell_options o = percell_options(options, cw_glue_key(key));
    SEXP out = PROTECT(cw_glue_list(2, names));
    SEXP values = Rf_allocMatrix(REALSXP, (int)genes, (int)cells);
    set(out, 0, values);
    set(out, 1, Rf_allocVector(REALSXP, 3));
    cw_ctx *ctx = cw_glue_enter(as_threads(threads));
    cw_percell r = {0};
    float *dense = as_dense(ctx, p, i, x, genes, cells);
    if (ctx->status == CW_OK)
        cw_percell_centre(ctx, &r, dense, INTEGER(tf), NULL, NULL, &o, cells, genes, Rf_xlength(tf), 0, 0);
    if (ctx->status == CW_OK) {
        for (int64_t n = 0; r.centred && n < genes * cells; n++) REAL(values)[n] = dense[n];
        const double numbers[3] = {(double)r.states, r.centred, r.gate_gain};
        memcpy(REAL(VECTOR_ELT(out, 1)), numbers, sizeof numbers);
    }
    int centred = r.centred;
    cw_percell_free(ctx, &r);
    cw_free(ctx, dense);
    cw_glue_leave(ctx);
    if (!centred) set(out, 0, R_NilValue);
    UNPROTECT(1);
    return out;
}

static cw_simulate_options simulate_options(SEXP o, uint64_t key)
{
    cw_simulate_options s = cw_simulate_defaults();
    s.cells = (int64_t)cw_glue_number(o, "cells", (double)s.cells);
    s.genes = (int64_t)cw_glue_number(o, "genes", (double)s.genes);
    s.tfs = (int64_t)cw_glue_number(o, "tfs", (double)s.tfs);
    s.contexts = (int64_t)cw_glue_number(o, "contexts", (double)s.contexts);
    s.course = (cw_course)cw_glue_number(o, "course", 0);
    s.depth = cw_glue_number(o, "depth", s.depth);
    s.switching = cw_glue_number(o, "switching", s.switching);
    s.off = cw_glue_number(o, "off", s.off);
    s.noise = cw_glue_number(o, "noise", s.noise);
    s.tf_noise = cw_glue_number(o, "tfNoise", s.tf_noise);
    s.tf_spread = cw_glue_number(o, "tfSpread", s.tf_spread);
    s.gene_spread = cw_glue_number(o, "geneSpread", s.gene_spread);
    s.library = cw_glue_number(o, "library", s.library);
    s.dispersion = cw_glue_number(o, "dispersion", s.dispersion);
    s.dropout = cw_glue_number(o, "dropout", s.dropout);
    s.key = key;
    return s;
}

/* -> list: counts integer (genes, cells); tf, gene, sign (edges); works (contexts, edges); on (contexts, tfs); context
 * (contexts, cells); position (cells). */
SEXP cw_r_simulate(SEXP options, SEXP key, SEXP threads)
{
    static const char *const names[] = {"counts", "tf", "gene", "sign", "works", "on", "context", "position", "edges"};
    cw_simulate_options o = simulate_options(options, cw_glue_key(key));
    if ((double)o.cells * (double)o.genes > 2147483647.0)
        Rf_error("'nCells' times 'nGenes' must be below 2^31; ask for fewer.");
    int64_t most = 4 * o.genes;
    const R_xlen_t ints[] = {(R_xlen_t)(o.cells * o.genes), (R_xlen_t)most, (R_xlen_t)most, (R_xlen_t)most,
                             (R_xlen_t)(most * o.contexts), (R_xlen_t)(o.tfs * o.contexts)};
    SEXP out = PROTECT(cw_glue_list(9, names));
    for (int n = 0; n < 6; n++) {
        set(out, n, Rf_allocVector(INTSXP, ints[n]));
        memset(INTEGER(VECTOR_ELT(out, n)), 0, (size_t)ints[n] * sizeof(int)); /* there may be fewer edges than room */
    }
    set(out, 6, Rf_allocVector(REALSXP, (R_xlen_t)(o.cells * o.contexts)));
    set(out, 7, Rf_allocVector(REALSXP, (R_xlen_t)o.cells));
    set(out, 8, Rf_allocVector(INTSXP, 1));
    cw_ctx *ctx = cw_glue_enter(as_threads(threads));
    cw_simulation s;
    if (cw_simulate(ctx, &s, &o) == CW_OK) {
        int *to[6];
        for (int n = 0; n < 6; n++) to[n] = INTEGER(VECTOR_ELT(out, n));
        memcpy(to[0], s.counts, (size_t)ints[0] * sizeof *to[0]);
        for (int64_t e = 0; e < s.edges; e++) to[1][e] = s.tf[e] + 1, to[2][e] = s.gene[e] + 1, to[3][e] = s.sign[e];
        for (int64_t e = 0; e < s.edges * o.contexts; e++) to[4][e] = s.works[e];
        for (int64_t e = 0; e < o.tfs * o.contexts; e++) to[5][e] = s.on[e];
        for (int64_t n = 0; n < o.cells * o.contexts; n++) REAL(VECTOR_ELT(out, 6))[n] = s.context[n];
        for (int64_t n = 0; n < o.cells; n++)
            REAL(VECTOR_ELT(out, 7))[n] = isnan(s.position[n]) ? NA_REAL : s.position[n];
        INTEGER(VECTOR_ELT(out, 8))[0] = (int)s.edges;
    }
    cw_simulation_free(ctx, &s);
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return out;
}
