/* r_ridge.c: networks per cell state, and simulated cells. */
#include "glue.h"

#include "../engine/stats/labels.h"
#include "../engine/stats/percell.h"
#include "../engine/sim/simulate.h"

#include <math.h>
#include <string.h>

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

/* A dgCMatrix (genes, cells) as list(p, i, x, genes, cells), checked. */
typedef struct view {
    SEXP p, i, x;
    int64_t genes, cells;
} view;

static view as_view(SEXP list)
{
    SEXP genes = cw_glue_get(list, "genes"), cells = cw_glue_get(list, "cells");
    if (TYPEOF(genes) != REALSXP || TYPEOF(cells) != REALSXP || Rf_xlength(genes) != 1 || Rf_xlength(cells) != 1)
        Rf_error("internal error: a view of cells must say how many genes and cells it has");
    view v = {cw_glue_get(list, "p"), cw_glue_get(list, "i"), cw_glue_get(list, "x"), (int64_t)REAL(genes)[0],
              (int64_t)REAL(cells)[0]};
    cw_glue_need_columns(v.p, v.i, v.x, v.genes, v.cells);
    return v;
}

#define WHOLE 9007199254740992.0 /* a double holds all whole numbers up to this */
static const cw_setting percell_table[] = {
    CW_SET_INT(cw_percell_options, ridge.permutations, "nPerm", NULL, 0, 0, 1e6, "permutations of the states"),
    CW_SET_INT(cw_percell_options, ridge.null_genes, "nullGenes", NULL, 500, 1, 1e9, "genes of the null"),
    CW_SET_INT(cw_percell_options, states.low, "low", NULL, NAN, 1, CW_STATES_MAX, "fewest states tried"),
    CW_SET_INT(cw_percell_options, states.high, "high", NULL, NAN, 1, CW_STATES_MAX, "most states tried"),
    CW_SET_INT(cw_percell_options, states.neighbours, "neighbours", NULL, NAN, 1, 1e9, "cells of a membership"),
    CW_SET_CHOICE(cw_percell_options, centring, "centring", NULL, NAN, "gated always never", "remove states' means?"),
    CW_SET_INT(cw_percell_options, gate_cells, "gateCells", NULL, NAN, -WHOLE, WHOLE, "cells"),
    CW_SET_INT(cw_percell_options, gate_genes, "gateGenes", NULL, NAN, -WHOLE, WHOLE, "genes"),
    CW_SET_DOUBLE(cw_percell_options, gate_gain, "gateGain", NULL, NAN, -INFINITY, INFINITY, 0, "nats per entry"),
    {0},
};

/* grids: list(a, rho), and for cw_r_percell verbose, 1 to say how far it is */
static cw_percell_options percell_options(SEXP list, SEXP grids, uint64_t key)
{
    cw_percell_options o = {0};
    cw_glue_settings(list, percell_table, &o);
    o.ridge.a = cw_glue_grid(grids, "a", &o.ridge.a_count);
    o.ridge.rho = cw_glue_grid(grids, "rho", &o.ridge.rho_count);
    o.ridge.key = o.states.key = key;
    return o;
}

static int is_points(SEXP m, int64_t rows, int64_t cells)
{
    return Rf_isNull(m) || (TYPEOF(m) == REALSXP && Rf_xlength(m) == rows * cells);
}

/* view: see above; tf: 0-based integers; w: double (states, cells) or NULL; point: double (dims, cells) or NULL; grids,
 * options: see above. -> list: w (states, cells), pooled (genes, tfs), slope (genes, tfs, states), sd (tfs, states),
 * nullGain, silhouette, numbers, as R arrays. There is room for the most states there can be: what is not used is cut
 * off in R. */
SEXP cw_r_percell(SEXP view_, SEXP tf, SEXP w, SEXP point, SEXP grids, SEXP options, SEXP key, SEXP threads)
{
    enum { NUMBERS = 9, MOST = CW_STATES_MAX + 1 };
    view v = as_view(view_);
    int64_t tfs = Rf_xlength(tf), states = Rf_isNull(w) ? 0 : Rf_nrows(w);
    int64_t dims = Rf_isNull(point) ? 0 : Rf_nrows(point);
    if (TYPEOF(tf) != INTSXP || !is_points(w, states, v.cells) || !is_points(point, dims, v.cells))
        Rf_error("internal error: TFs, memberships or points of the wrong type or length");
    cw_percell_options o = percell_options(options, grids, cw_glue_key(key));
    int64_t most = states ? states : o.states.high;
    const int loud = cw_glue_number(grids, "verbose", 0) != 0;
    const cw_glue_part parts[] = {{"w", REALSXP, v.cells * most, -1},
                                  {"pooled", REALSXP, tfs * v.genes, -1},
                                  {"slope", REALSXP, most * tfs * v.genes, -1},
                                  {"sd", REALSXP, most * tfs, -1},
                                  {"nullGain", REALSXP, o.ridge.permutations, -1},
                                  {"silhouette", REALSXP, MOST, -1},
                                  {"numbers", REALSXP, NUMBERS, -1}};
    SEXP out = PROTECT(cw_glue_make(7, parts));
    double *to[7];
    for (int n = 0; n < 7; n++) to[n] = REAL(VECTOR_ELT(out, n));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_glue_inform(loud);
    cw_percell r = {0};
    float *dense = cw_glue_dense(ctx, v.p, v.i, v.x, v.genes, v.cells, 0), *given = as_floats(ctx, w);
    float *at = as_floats(ctx, point);
    if (ctx->status == CW_OK &&
        cw_percell_fit(ctx, &r, dense, INTEGER(tf), given, at, &o, v.cells, v.genes, tfs, states, dims) == CW_OK) {
        for (int64_t n = 0; n < v.cells * r.states; n++) to[0][n] = r.w[n];
        memcpy(to[1], r.pooled, (size_t)(tfs * v.genes) * sizeof(double));
        memcpy(to[2], r.slope, (size_t)(r.states * tfs * v.genes) * sizeof(double));
        memcpy(to[3], r.sd, (size_t)(r.states * tfs) * sizeof(double));
        memcpy(to[4], r.null_gain, (size_t)o.ridge.permutations * sizeof(double));
        memcpy(to[5], r.silhouette, sizeof r.silhouette);
        const double numbers[NUMBERS] = {(double)r.states, (double)r.components, r.centred,    r.gate_gain,   r.fit.a,
                                         r.fit.rho,        r.fit.evidence,       r.fit.empty, r.fit.gain};
        memcpy(to[6], numbers, sizeof numbers);
    }
    cw_percell_free(ctx, &r);
    cw_free(ctx, at);
    cw_free(ctx, given);
    cw_free(ctx, dense);
    return cw_glue_return(ctx, out);
}

/* The same arguments but w and point. -> list(values: double (genes, cells) standardised and centred, or NULL where the
 * gate stayed closed; numbers: states, centred, gate's gain). */
SEXP cw_r_centre(SEXP view_, SEXP tf, SEXP grids, SEXP options, SEXP key, SEXP threads)
{
    view v = as_view(view_);
    if (TYPEOF(tf) != INTSXP) Rf_error("internal error: TFs must be integers");
    cw_percell_options o = percell_options(options, grids, cw_glue_key(key));
    const cw_glue_part parts[] = {{"values", REALSXP, v.genes, v.cells}, {"numbers", REALSXP, 4, -1}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    double *values = REAL(VECTOR_ELT(out, 0)), *numbers = REAL(VECTOR_ELT(out, 1));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_percell r = {0};
    float *dense = cw_glue_dense(ctx, v.p, v.i, v.x, v.genes, v.cells, 0);
    if (ctx->status == CW_OK)
        cw_percell_centre(ctx, &r, dense, INTEGER(tf), NULL, NULL, &o, v.cells, v.genes, Rf_xlength(tf), 0, 0);
    if (ctx->status == CW_OK) {
        for (int64_t n = 0; r.centred && n < v.genes * v.cells; n++) values[n] = dense[n];
        numbers[0] = (double)r.states, numbers[1] = r.centred, numbers[2] = r.gate_gain;
        numbers[3] = r.silhouette[r.states];
    }
    int centred = r.centred;
    cw_percell_free(ctx, &r);
    cw_free(ctx, dense);
    out = cw_glue_return(ctx, out);
    if (!centred) SET_VECTOR_ELT(out, 0, R_NilValue);
    return out;
}

/* label: 0-based integers (cells), `labels` of them; train: integers, 0 for cells that are held out, or NULL; grid:
 * doubles; own: how many of them, the first, serve the labels; keep: are the slopes of labels wanted? -> list: pooled (genes, tfs), slope (genes, tfs, labels) or empty, sd
 * (tfs, labels), label (labels, 5: a, gain, and held-out sums of squares: all, less the pooled network's, less the
 * label's), numbers: a and gain of the pooled network. */
SEXP cw_r_labels(SEXP view_, SEXP tf, SEXP label, SEXP labels, SEXP train, SEXP grid, SEXP own, SEXP keep,
                 SEXP threads)
{
    view v = as_view(view_);
    int64_t tfs = Rf_xlength(tf), k = Rf_asInteger(labels), kept = Rf_asLogical(keep) == TRUE ? k : 0;
    if (TYPEOF(tf) != INTSXP || TYPEOF(label) != INTSXP || Rf_xlength(label) != v.cells || TYPEOF(grid) != REALSXP ||
        k < 1 || Rf_asInteger(own) < 0 || Rf_asInteger(own) > Rf_xlength(grid) ||
         !(Rf_isNull(train) || (TYPEOF(train) == INTSXP && Rf_xlength(train) == v.cells)))
        Rf_error("internal error: TFs, labels or a grid of the wrong type or length");
    const cw_glue_part parts[] = {{"pooled", REALSXP, tfs * v.genes, -1}, {"slope", REALSXP, kept * tfs * v.genes, -1},
                                  {"sd", REALSXP, tfs, k},                {"label", REALSXP, k, 5},
                                  {"numbers", REALSXP, 2, -1}};
    SEXP out = PROTECT(cw_glue_make(5, parts));
    double *to[5];
    for (int n = 0; n < 5; n++) to[n] = REAL(VECTOR_ELT(out, n));
    cw_labels r = {.pooled = to[0], .slope = kept ? to[1] : NULL, .sd = to[2],
                   .label_a = to[3], .label_gain = to[3] + k, .total = to[3] + 2 * k,
                   .rest_pooled = to[3] + 3 * k, .rest = to[3] + 4 * k};
    const int32_t *of = INTEGER(label), *used = Rf_isNull(train) ? NULL : INTEGER(train);
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    float *x = cw_glue_dense(ctx, v.p, v.i, v.x, v.genes, v.cells, 0);
    if (ctx->status == CW_OK && cw_labels_within(ctx, x, of, v.cells, v.genes, k) == CW_OK)
        cw_labels_fit(ctx, &r, x, INTEGER(tf), of, used, REAL(grid), Rf_xlength(grid), Rf_asInteger(own),
                      v.cells, v.genes, tfs, k);
    to[4][0] = r.a, to[4][1] = r.gain;
    cw_free(ctx, x);
    return cw_glue_return(ctx, out);
}

/* Bytes of working memory of cw_r_labels: sizes cells, genes, tfs. */
SEXP cw_r_labels_forecast(SEXP sizes)
{
    if (TYPEOF(sizes) != REALSXP || Rf_xlength(sizes) != 3) Rf_error("internal error: sizes are three numbers");
    const double *s = REAL(sizes);
    return Rf_ScalarReal(4 * s[0] * s[1] + (double)cw_labels_bytes((int64_t)s[1], (int64_t)s[2]));
}

#define SIM(member, name, max) CW_SET_DOUBLE(cw_simulate_options, member, name, NULL, NAN, 0, max, 0, NULL)
static const cw_setting simulate_table[] = {
    CW_SET_INT(cw_simulate_options, cells, "cells", NULL, NAN, 1, 2147483648.0, NULL),
    CW_SET_INT(cw_simulate_options, genes, "genes", NULL, NAN, 1, 1e6, NULL),
    CW_SET_INT(cw_simulate_options, tfs, "tfs", NULL, NAN, 1, 1e6, NULL),
    CW_SET_INT(cw_simulate_options, contexts, "contexts", NULL, NAN, 1, CW_SIMULATE_CONTEXTS, NULL),
    CW_SET_CHOICE(cw_simulate_options, course, "course", NULL, NAN, "mixed discrete branching cycle", NULL),
    SIM(depth, "depth", 1e6),
    SIM(switching, "switching", 1),
    SIM(off, "off", 1),
    SIM(noise, "noise", 10),
    SIM(tf_noise, "tfNoise", 10),
    SIM(tf_spread, "tfSpread", 10),
    SIM(gene_spread, "geneSpread", 10),
    SIM(library, "library", 10),
    SIM(dispersion, "dispersion", 1e9),
    SIM(dropout, "dropout", 1),
    {0},
};
#undef SIM

/* -> list: counts integer (genes, cells); tf, gene, sign (edges); works (contexts, edges); on (contexts, tfs); context
 * (contexts, cells); position (cells). */
SEXP cw_r_simulate(SEXP options, SEXP key, SEXP threads)
{
    cw_simulate_options o = {0};
    cw_glue_settings(options, simulate_table, &o);
    o.key = cw_glue_key(key);
    if ((double)o.cells * (double)o.genes > 2147483647.0)
        Rf_error("'nCells' times 'nGenes' must be below 2^31; ask for fewer.");
    int64_t most = 4 * o.genes;
    const cw_glue_part parts[] = {{"counts", INTSXP, o.cells * o.genes, -1}, /* there may be fewer edges than room */
                                  {"tf", INTSXP, most, -1},
                                  {"gene", INTSXP, most, -1},
                                  {"sign", INTSXP, most, -1},
                                  {"works", INTSXP, most * o.contexts, -1},
                                  {"on", INTSXP, o.tfs * o.contexts, -1},
                                  {"context", REALSXP, o.cells * o.contexts, -1},
                                  {"position", REALSXP, o.cells, -1},
                                  {"edges", INTSXP, 1, -1}};
    SEXP out = PROTECT(cw_glue_make(9, parts));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_simulation s;
    if (cw_simulate(ctx, &s, &o) == CW_OK) {
        int *to[6];
        for (int n = 0; n < 6; n++) to[n] = INTEGER(VECTOR_ELT(out, n));
        memcpy(to[0], s.counts, (size_t)(o.cells * o.genes) * sizeof *to[0]);
        for (int64_t e = 0; e < s.edges; e++) to[1][e] = s.tf[e] + 1, to[2][e] = s.gene[e] + 1, to[3][e] = s.sign[e];
        for (int64_t e = 0; e < s.edges * o.contexts; e++) to[4][e] = s.works[e];
        for (int64_t e = 0; e < o.tfs * o.contexts; e++) to[5][e] = s.on[e];
        for (int64_t n = 0; n < o.cells * o.contexts; n++) REAL(VECTOR_ELT(out, 6))[n] = s.context[n];
        for (int64_t n = 0; n < o.cells; n++)
            REAL(VECTOR_ELT(out, 7))[n] = isnan(s.position[n]) ? NA_REAL : s.position[n];
        INTEGER(VECTOR_ELT(out, 8))[0] = (int)s.edges;
    }
    cw_simulation_free(ctx, &s);
    return cw_glue_return(ctx, out);
}
