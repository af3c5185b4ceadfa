/* r_tau.c: chromatin-to-RNA delays, the anchored estimator. */
#include "glue.h"

#include "../engine/core/threads.h"
#include "../engine/tau/tau.h"

#include <math.h>
#include <string.h>

#define RIM_SHARE 0.4 /* a gene with more of its change than this at the rim of the window is flagged */

/* ---- in ---------------------------------------------------------------------------------------------------------- */

/* The slots of a dgCMatrix, features x cells, as list(p, i, x, rows, columns); points into R's memory. */
static cw_counts counts_of(SEXP view, const char *what)
{
    SEXP p = cw_glue_get(view, "p"), i = cw_glue_get(view, "i"), x = cw_glue_get(view, "x");
    double rows = cw_glue_number(view, "rows", -1), columns = cw_glue_number(view, "columns", -1);
    if (!(rows >= 0 && rows < 2147483648.0 && columns >= 0 && columns < 2147483648.0))
        Rf_error("internal error: the size of the %s", what);
    cw_glue_need_columns(p, i, x, (int64_t)rows, (int64_t)columns);
    return (cw_counts){.start = INTEGER(p), .row = INTEGER(i), .value = REAL(x), .rows = (int64_t)rows,
                       .cells = (int64_t)columns};
}

static SEXP real_matrix(SEXP x, const char *what)
{
    if (TYPEOF(x) != REALSXP || !Rf_isMatrix(x)) Rf_error("internal error: %s must be a matrix of numbers", what);
    return x;
}

static void need_numbers(SEXP x, int64_t n, const char *what)
{
    if (TYPEOF(x) != REALSXP || (int64_t)Rf_xlength(x) != n) Rf_error("internal error: %s has the wrong length", what);
}

/* R's (rows x columns) -> row-major, in the context's memory; NULL with the error recorded. */
static double *by_rows(cw_ctx *ctx, SEXP m)
{
    int64_t rows = Rf_nrows(m), columns = Rf_ncols(m);
    double *out = cw_alloc(ctx, rows * columns, sizeof *out);
    for (int64_t i = 0; out && i < rows; i++)
        for (int64_t j = 0; j < columns; j++) out[i * columns + j] = REAL(m)[j * rows + i];
    return out;
}

/* R's array (a x b x c) -> row-major (a, b, c). */
static double *cube_by_rows(cw_ctx *ctx, SEXP m, int64_t a, int64_t b, int64_t c)
{
    double *out = cw_alloc(ctx, a * b * c, sizeof *out);
    for (int64_t i = 0; out && i < a; i++)
        for (int64_t j = 0; j < b; j++)
            for (int64_t k = 0; k < c; k++) out[(i * b + j) * c + k] = REAL(m)[i + a * (j + b * k)];
    return out;
}

/* ---- out --------------------------------------------------------------------------------------------------------- */

static void put(SEXP list, const char *name, SEXP value)
{
    SEXP names = Rf_getAttrib(list, R_NamesSymbol);
    for (R_xlen_t i = 0; i < Rf_xlength(names); i++)
        if (strcmp(CHAR(STRING_ELT(names, i)), name) == 0) {
            SET_VECTOR_ELT(list, i, value);
            return;
        }
    Rf_error("internal error: no place for %s", name);
}

static SEXP numbers(const double *x, int64_t n)
{
    if (!x) return R_NilValue;
    SEXP out = Rf_allocVector(REALSXP, (R_xlen_t)n);
    if (n > 0) memcpy(REAL(out), x, (size_t)n * sizeof(double));
    return out;
}

/* (columns, rows) row-major is R's rows x columns as it stands. */
static SEXP matrix(const double *x, int64_t rows, int64_t columns)
{
    if (!x) return R_NilValue;
    SEXP out = Rf_allocMatrix(REALSXP, (int)rows, (int)columns);
    memcpy(REAL(out), x, (size_t)(rows * columns) * sizeof(double));
    return out;
}

/* (rows, columns) row-major -> R's rows x columns */
static SEXP turned(const double *x, int64_t rows, int64_t columns)
{
    if (!x) return R_NilValue;
    SEXP out = Rf_allocMatrix(REALSXP, (int)rows, (int)columns);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) REAL(out)[j * rows + i] = x[i * columns + j];
    return out;
}

static SEXP logicals(const uint8_t *x, int64_t n)
{
    SEXP out = Rf_allocVector(LGLSXP, (R_xlen_t)n);
    for (int64_t i = 0; i < n; i++) LOGICAL(out)[i] = x[i] != 0;
    return out;
}

/* (a, b, c) row-major -> R's array a x b x c */
static SEXP cube(const double *x, int64_t a, int64_t b, int64_t c)
{
    if (!x) return R_NilValue;
    SEXP out = PROTECT(Rf_alloc3DArray(REALSXP, (int)a, (int)b, (int)c));
    for (int64_t i = 0; i < a; i++)
        for (int64_t j = 0; j < b; j++)
            for (int64_t k = 0; k < c; k++) REAL(out)[i + a * (j + b * k)] = x[(i * b + j) * c + k];
    UNPROTECT(1);
    return out;
}

/* list(chromatin, target, weight, centre, loading, mean, rotation, cor): the way of new cells into z */
static SEXP projection_list(const cw_tau_axes *a, const cw_tau_shared *s)
{
    static const char *const names[] = {"chromatin", "target", "weight",   "centre",
                                        "loading",   "mean",   "rotation", "cor"};
    SEXP out = PROTECT(cw_glue_list(8, names));
    put(out, "chromatin", Rf_ScalarLogical(a->chromatin));
    put(out, "target", Rf_ScalarReal(a->target));
    put(out, "weight", numbers(a->weight, a->rows));
    put(out, "centre", numbers(a->centre, a->rows));
    put(out, "loading", turned(a->loading, a->rows, a->k));
    put(out, "mean", numbers(a->mean, a->k));
    put(out, "rotation", turned(a->rotation, a->k, s->d));
    put(out, "cor", numbers(s->cor, s->d));
    UNPROTECT(1);
    return out;
}

static void put_cells(SEXP out, const cw_tau *t)
{
    const cw_tau_flow *f = &t->flow;
    int64_t M = f->M, J = f->J, d = f->d;
    put(out, "embedding", turned(t->shared.z, t->N, d));
    put(out, "shared", numbers(t->shared.cor, t->shared.count));
    put(out, "nullShared", Rf_ScalarReal(t->shared.null));
    put(out, "projectAtac", projection_list(&t->axes_a, &t->shared));
    put(out, "projectRna", projection_list(&t->axes_r, &t->shared));
    SEXP label = Rf_allocVector(INTSXP, (R_xlen_t)t->N);
    put(out, "metacell", label);
    for (int64_t i = 0; i < t->N; i++) INTEGER(label)[i] = t->metacell[i] + 1;
    put(out, "size", numbers(f->size, M));
    put(out, "z", turned(f->z, M, d));
    put(out, "zDenoised", turned(t->z_denoised, M, d));
    put(out, "depthChromatin", numbers(t->depth_a, M));
    put(out, "depthRna", numbers(t->depth_r, M));
    put(out, "landmarks", turned(f->landmark, J, d));
    put(out, "bandwidth", Rf_ScalarReal(f->bandwidth));
    put(out, "velocity", turned(f->velocity, J, d));
    put(out, "velocityScale", Rf_ScalarReal(t->scale));
    put(out, "time", numbers(t->time, M));
    put(out, "rimMetacells", logicals(t->at_rim, M));
}

static void put_genes(SEXP out, const cw_tau *t)
{
    int64_t M = t->flow.M, G = t->G, J = t->flow.J;
    put(out, "chromatin", matrix(t->fit.a, M, G));
    put(out, "rna", matrix(t->fit.r, M, G));
    put(out, "smoothChromatin", matrix(t->fit.fa, M, G));
    put(out, "smoothRna", matrix(t->fit.fr, M, G));
    put(out, "fittedChromatin", matrix(t->fitted_a, M, G));
    put(out, "fittedRna", matrix(t->fitted_r, M, G));
    put(out, "signalChromatin", numbers(t->fit.signal_a, G));
    put(out, "signalRna", numbers(t->fit.signal_r, G));
    put(out, "correlation", numbers(t->fit.cor, G));
    put(out, "usable", logicals(t->fit.usable, G));
    put(out, "repressed", logicals(t->fit.repressed, G));
    put(out, "peakWeight", numbers(t->peak_weight, t->links));
    put(out, "weight", matrix(t->weight, J, G));
    const struct { const char *name; const double *x; } rows[] = {
        {"alpha", t->alpha}, {"beta", t->beta}, {"tau", t->tau},   {"sd", t->sd},
        {"low", t->low},     {"high", t->high}, {"mode", t->mode}, {"rimShare", t->rim},
        {"flowVariance", t->var_flow}, {"clockVariance", t->var_clock}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) put(out, rows[i].name, numbers(rows[i].x, G));
    SEXP rim = Rf_allocVector(LGLSXP, (R_xlen_t)G);
    put(out, "rim", rim);
    for (int64_t g = 0; g < G; g++) LOGICAL(rim)[g] = isnan(t->rim[g]) ? NA_LOGICAL : t->rim[g] > RIM_SHARE;
}

static void put_readout(SEXP out, const cw_tau *t)
{
    static const char *const kinds[] = {"auto", "delay", "kinetics"}, *const lines[] = {"xcorr", "switchTime"};
    const cw_tau_verdict *v = &t->verdict;
    put(out, "grid", numbers(t->grid, t->T));
    put(out, "trace", numbers(t->trace, t->R));
    put(out, "prior", numbers(t->prior, t->T));
    put(out, "readout", Rf_mkString(kinds[t->readout]));
    put(out, "shape", numbers(t->share, CW_TAU_SHAPES));
    put(out, "features", cube(t->features, t->T, t->flow.M, t->flow.J));
    put(out, "deviance", matrix(t->dev, t->T, t->G));
    put(out, "capped", Rf_allocVector(REALSXP, 4));
    const double capped[] = {(double)t->capped_r.values, (double)t->capped_r.cells, (double)t->capped_a.values,
                             (double)t->capped_a.cells};
    memcpy(REAL(cw_glue_get(out, "capped")), capped, sizeof capped);
    SEXP baselines = cw_glue_list(2, lines);
    put(out, "baselines", baselines);
    put(baselines, "xcorr", numbers(t->xcorr, t->G));
    put(baselines, "switchTime", numbers(t->switch_time, t->G));
    const struct { const char *name; double x; } single[] = {
        {"axes", v->axes}, {"usableHalf", v->usable_half}, {"lead", v->lead}, {"leadZ", v->lead_z},
        {"concord", v->concord}, {"spread", v->spread}, {"clock", v->clock}, {"reliability", v->reliability},
        {"gain", v->gain}, {"gainZ", v->gain_z}, {"heterogeneity", v->heterogeneity}};
    for (size_t i = 0; i < sizeof single / sizeof *single; i++) put(out, single[i].name, Rf_ScalarReal(single[i].x));
}

static SEXP fit_list(const cw_tau *t)
{
    static const char *const names[] = {
        "embedding", "shared", "nullShared", "axes", "projectAtac", "projectRna", "metacell", "size", "z",
        "zDenoised", "depthChromatin", "depthRna", "landmarks", "bandwidth", "velocity", "velocityScale", "time",
        "rimMetacells", "chromatin", "rna", "smoothChromatin", "smoothRna", "fittedChromatin", "fittedRna",
        "signalChromatin", "signalRna", "correlation", "usable", "repressed", "peakWeight", "grid", "deviance",
        "prior", "readout", "features", "weight", "alpha", "beta", "tau", "sd", "low", "high", "mode", "rim",
        "rimShare", "concord", "lead", "leadZ", "gain", "gainZ", "heterogeneity", "baselines", "trace", "shape",
        "capped", "usableHalf", "spread", "clock", "reliability", "flowVariance", "clockVariance"};
    SEXP out = PROTECT(cw_glue_list((int)(sizeof names / sizeof *names), names));
    put_cells(out, t);
    put_genes(out, t);
    put_readout(out, t);
    UNPROTECT(1);
    return out;
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

/* What outlives a call of the engine until R has copied it: its size is known only afterwards, and R's allocator may
 * jump. Freed by the entry, or by the finalizer when it was jumped over. */
typedef struct kept {
    cw_ctx *ctx;
    cw_arena *arena;
    cw_tau tau;
} kept;

static void release(SEXP ptr)
{
    kept *k = R_ExternalPtrAddr(ptr);
    if (!k) return;
    R_ClearExternalPtr(ptr);
    cw_ctx *ctx = k->ctx;
    cw_arena_free(k->arena);
    cw_free(ctx, k);
    cw_ctx_free(ctx);
}

/* order (n) from 0, of one kind of names: a vector of whole numbers, each once. */
static const int32_t *order_of(SEXP order, const char *what, int64_t n)
{
    SEXP x = cw_glue_get(order, what);
    if (x == R_NilValue) return NULL;
    if (TYPEOF(x) != INTSXP || (int64_t)Rf_xlength(x) != n) Rf_error("internal error: the order of the %s", what);
    int64_t sum = 0;
    for (int64_t i = 0; i < n; i++) {
        if (INTEGER(x)[i] < 0 || INTEGER(x)[i] >= n) Rf_error("internal error: the order of the %s", what);
        sum += INTEGER(x)[i] - i;
    }
    if (sum) Rf_error("internal error: the order of the %s", what);
    return INTEGER(x);
}

/* Ids of the names in that order, in the context's memory; NULL without names. */
static uint64_t *ids_of(cw_ctx *ctx, SEXP names, const char *what, const int32_t *order, int64_t n)
{
    SEXP x = names == R_NilValue ? R_NilValue : cw_glue_get(names, what);
    if (x == R_NilValue || !order) return NULL;
    uint64_t *id = cw_alloc(ctx, n, sizeof *id);
    for (int64_t i = 0; id && i < n; i++) id[i] = cw_tau_id(CHAR(STRING_ELT(x, order[i])));
    return id;
}

static int sorted(const int32_t *order, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (order[i] != i) return 0;
    return 1;
}

/* The counts in that order, unless they stand so. */
static void arrange(cw_arena *arena, cw_counts *x, const int32_t *cell, const int32_t *row)
{
    const cw_counts given = *x;
    if (!cell || !row || (sorted(cell, x->cells) && sorted(row, x->rows))) return;
    cw_tau_arrange(arena, x, &given, cell, row);
}

/* atac, rna: list(p, i, x, rows, columns), features x cells; names: NULL, or list(cells, genes, peaks) of texts, and
 * order: the same of whole numbers from 0, in which they are worked on and everything is given back; links: list(gene,
 * peak) from 0 and embedding: NULL or list(atac, rna), each NULL or cells x axes, both in that order already; options:
 * see cw_tau_settings; loud: say what is being done. -> see fit_list; `features` and `deviance` are NULL where there is no flow. */
SEXP cw_r_tau_fit(SEXP atac, SEXP rna, SEXP links, SEXP embedding, SEXP names, SEXP order, SEXP options, SEXP key,
                  SEXP threads, SEXP loud)
{
    SEXP gene = cw_glue_get(links, "gene"), peak = cw_glue_get(links, "peak");
    SEXP own_a = cw_glue_get(embedding, "atac"), own_r = cw_glue_get(embedding, "rna");
    cw_tau_data x = {.atac = counts_of(atac, "chromatin"), .rna = counts_of(rna, "RNA")};
    if (TYPEOF(gene) != INTSXP || TYPEOF(peak) != INTSXP || Rf_xlength(gene) != Rf_xlength(peak))
        Rf_error("internal error: links must be two vectors of whole numbers");
    if (own_a != R_NilValue && Rf_nrows(real_matrix(own_a, "an embedding")) != x.atac.cells)
        Rf_error("internal error: the chromatin's embedding has other cells");
    if (own_r != R_NilValue && Rf_nrows(real_matrix(own_r, "an embedding")) != x.rna.cells)
        Rf_error("internal error: the RNA's embedding has other cells");
    x.gene = INTEGER(gene), x.peak = INTEGER(peak), x.links = (int64_t)Rf_xlength(gene);
    const char *const kinds[] = {"cells", "genes", "peaks"};
    const int64_t count[] = {x.rna.cells, x.rna.rows, x.atac.rows};
    const int32_t *by[3] = {NULL};
    for (int i = 0; i < 3 && order != R_NilValue; i++) {
        SEXP name = cw_glue_get(names, kinds[i]);
        by[i] = order_of(order, kinds[i], count[i]);
        if (by[i] && (TYPEOF(name) != STRSXP || (int64_t)Rf_xlength(name) != count[i]))
            Rf_error("internal error: the names of the %s", kinds[i]);
    }
    if (x.atac.cells != x.rna.cells) by[0] = NULL; /* the engine says so */
    cw_tau_options o;
    cw_glue_settings(options, cw_tau_settings, &o);
    o.key = cw_glue_key(key);
    SEXP ptr = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
    R_RegisterCFinalizerEx(ptr, release, TRUE);
    cw_ctx *ctx = cw_glue_enter(Rf_asInteger(threads));
    cw_glue_inform(Rf_asLogical(loud) == 1);
    double *ea = own_a == R_NilValue ? NULL : by_rows(ctx, own_a),
           *er = own_r == R_NilValue ? NULL : by_rows(ctx, own_r);
    uint64_t *id[3];
    for (int i = 0; i < 3; i++) id[i] = ids_of(ctx, names, kinds[i], by[i], count[i]);
    kept *k = cw_calloc(ctx, 1, sizeof *k);
    if (!k || ctx->status != CW_OK) {
        for (int i = 0; i < 3; i++) cw_free(ctx, id[i]);
        cw_free(ctx, k), cw_free(ctx, er), cw_free(ctx, ea);
        cw_glue_leave(ctx);
        return R_NilValue; /* not reached */
    }
    k->ctx = ctx;
    R_SetExternalPtrAddr(ptr, k);
    x.atac_embedding = ea, x.rna_embedding = er;
    x.atac_axes = ea ? Rf_ncols(own_a) : 0, x.rna_axes = er ? Rf_ncols(own_r) : 0;
    k->arena = cw_arena_new(ctx);
    x.cell_id = id[0], x.gene_id = id[1], x.peak_id = id[2];
    if (k->arena) {
        arrange(k->arena, &x.rna, by[0], by[1]), arrange(k->arena, &x.atac, by[0], by[2]);
        cw_tau_fit(k->arena, &k->tau, &x, &o);
    }
    for (int i = 0; i < 3; i++) cw_free(ctx, id[i]);
    cw_free(ctx, er), cw_free(ctx, ea);
    if (ctx->status != CW_OK) { /* pause raises: no memory may wait for the finalizer */
        cw_arena_free(k->arena);
        k->arena = NULL;
    }
    cw_glue_pause(ctx);
    SEXP out = PROTECT(fit_list(&k->tau));
    release(ptr);
    UNPROTECT(2);
    return out;
}

static SEXP readout_list(int64_t T, int64_t J, int64_t G)
{
    static const char *const names[] = {"deviance",        "beta",      "alpha",       "weight",
                                        "signalChromatin", "signalRna", "correlation", "usable"};
    SEXP out = PROTECT(cw_glue_list(8, names));
    for (int i = 0; i < 3; i++) put(out, names[i], Rf_allocMatrix(REALSXP, (int)T, (int)G));
    SEXP dim = PROTECT(Rf_allocVector(INTSXP, 3)), w = Rf_allocVector(REALSXP, (R_xlen_t)(T * J * G));
    put(out, "weight", w);
    INTEGER(dim)[0] = (int)J, INTEGER(dim)[1] = (int)T, INTEGER(dim)[2] = (int)G;
    Rf_setAttrib(w, R_DimSymbol, dim);
    for (int i = 4; i < 7; i++) put(out, names[i], Rf_allocVector(REALSXP, (R_xlen_t)G));
    put(out, "usable", Rf_allocVector(LGLSXP, (R_xlen_t)G));
    UNPROTECT(2);
    return out;
}

/* features: array grid points x rows x landmarks, the first at delay 0; chromatin, rna: rows x genes (any scale);
 * depths (rows). -> list(deviance, beta, alpha: grid points x genes; weight: landmarks x grid points x genes; the
 * lag-free signals, correlation, usable by gene). Rows are metacells, or sums of any groups of cells. */
SEXP cw_r_tau_readout(SEXP features, SEXP chromatin, SEXP rna, SEXP depth_a, SEXP depth_r, SEXP lambda, SEXP threads)
{
    SEXP dim = Rf_getAttrib(features, R_DimSymbol);
    if (TYPEOF(features) != REALSXP || TYPEOF(dim) != INTSXP || Rf_xlength(dim) != 3)
        Rf_error("internal error: features must be an array with three dimensions");
    int64_t T = INTEGER(dim)[0], M = INTEGER(dim)[1], J = INTEGER(dim)[2], G = Rf_ncols(real_matrix(rna, "rna"));
    need_numbers(real_matrix(chromatin, "chromatin"), M * G, "chromatin");
    need_numbers(rna, M * G, "rna"), need_numbers(depth_a, M, "depthChromatin"), need_numbers(depth_r, M, "depthRna");
    double shrink = Rf_asReal(lambda);
    if (!(shrink > 0.0)) Rf_error("internal error: lambda must be above 0");
    SEXP out = PROTECT(readout_list(T, J, G));
    double *put_w = REAL(cw_glue_get(out, "weight"));
    cw_ctx *ctx = cw_glue_enter(Rf_asInteger(threads));
    double *F = cube_by_rows(ctx, features, T, M, J);
    cw_arena *arena = cw_arena_new(ctx);
    cw_tau_lagfree f = {0};
    if (arena && F && cw_tau_lagfree_new(arena, &f, G, M) == CW_OK) {
        cw_tau_lagfree_fit(arena, &f, REAL(chromatin), REAL(rna), REAL(depth_a), REAL(depth_r), F, shrink, J);
        cw_tau_profile(arena, REAL(cw_glue_get(out, "deviance")), REAL(cw_glue_get(out, "beta")),
                       REAL(cw_glue_get(out, "alpha")), put_w, F, F, &f, NULL, shrink, 4, G, T, J);
        for (int64_t g = 0; ctx->status == CW_OK && g < G; g++) {
            REAL(cw_glue_get(out, "signalChromatin"))[g] = f.signal_a[g];
            REAL(cw_glue_get(out, "signalRna"))[g] = f.signal_r[g];
            REAL(cw_glue_get(out, "correlation"))[g] = f.cor[g];
            LOGICAL(cw_glue_get(out, "usable"))[g] = f.usable[g];
        }
    }
    cw_arena_free(arena);
    cw_free(ctx, F);
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return out;
}

/* points: n x d; flow: list(landmarks, bandwidth, velocity, z, size, trace) as cw_r_tau_fit gives them; shape: shares of
 * the shapes. -> array grid points x n x landmarks */
SEXP cw_r_tau_features(SEXP points, SEXP flow, SEXP grid, SEXP shape, SEXP threads)
{
    SEXP l = real_matrix(cw_glue_get(flow, "landmarks"), "landmarks"), z = real_matrix(cw_glue_get(flow, "z"), "z");
    SEXP v = real_matrix(cw_glue_get(flow, "velocity"), "velocity"), size = cw_glue_get(flow, "size");
    int64_t n = Rf_nrows(real_matrix(points, "points")), d = Rf_ncols(points), J = Rf_nrows(l), M = Rf_nrows(z);
    SEXP trace = cw_glue_get(flow, "trace");
    int64_t T = (int64_t)Rf_xlength(grid), R = (int64_t)Rf_xlength(trace);
    need_numbers(shape, CW_TAU_SHAPES, "shape"), need_numbers(trace, R, "trace");
    if (Rf_ncols(l) != d || Rf_ncols(z) != d || Rf_ncols(v) != d || Rf_nrows(v) != J)
        Rf_error("internal error: points and flow have different axes");
    need_numbers(size, M, "size"), need_numbers(grid, T, "grid");
    cw_tau_flow f = {.M = M, .J = J, .d = d, .size = REAL(size), .bandwidth = cw_glue_number(flow, "bandwidth", NAN),
                     .pull = CW_TAU_PULL};
    if (!(f.bandwidth > 0.0) || T < 2 || R < 2) Rf_error("internal error: a flow without bandwidth, or a grid of one point");
    SEXP out = PROTECT(Rf_alloc3DArray(REALSXP, (int)T, (int)n, (int)J));
    cw_ctx *ctx = cw_glue_enter(Rf_asInteger(threads));
    cw_arena *arena = cw_arena_new(ctx);
    double *p = by_rows(ctx, points), *own = cw_alloc(ctx, T * n * J, sizeof *own),
           *raw = cw_alloc(ctx, R * n * J, sizeof *raw);
    f.landmark = by_rows(ctx, l), f.z = by_rows(ctx, z), f.velocity = by_rows(ctx, v);
    if (ctx->status == CW_OK) {
        cw_tau_backtrace(arena, raw, NULL, NULL, p, &f, REAL(trace), R, n);
        cw_tau_answer(arena, own, raw, REAL(shape), REAL(grid), T, REAL(trace), R, n * J);
        for (int64_t t = 0; t < T; t++)
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < J; j++) REAL(out)[t + T * (i + n * j)] = own[(t * n + i) * J + j];
    }
    void *done[] = {f.velocity, f.z, f.landmark, raw, own, p};
    for (size_t i = 0; i < sizeof done / sizeof *done; i++) cw_free(ctx, done[i]);
    cw_arena_free(arena);
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return out;
}

/* Logical (G) as bytes in the context's memory. */
static uint8_t *bytes_of(cw_ctx *ctx, SEXP x)
{
    R_xlen_t n = Rf_xlength(x);
    uint8_t *out = cw_alloc(ctx, (int64_t)n, 1);
    for (R_xlen_t i = 0; out && i < n; i++) out[i] = LOGICAL(x)[i] == 1;
    return out;
}

static void check_deviance(SEXP deviance, SEXP grid, SEXP usable)
{
    real_matrix(deviance, "deviance");
    need_numbers(grid, Rf_nrows(deviance), "grid");
    if (TYPEOF(usable) != LGLSXP || Rf_xlength(usable) != Rf_ncols(deviance) || Rf_xlength(grid) < 2)
        Rf_error("internal error: 'usable' must be a logical for every gene");
}

/* deviance: grid points x genes. -> list(prior, mean, sd, low, high, mode) */
SEXP cw_r_tau_posterior(SEXP deviance, SEXP grid, SEXP usable)
{
    static const char *const names[] = {"prior", "mean", "sd", "low", "high", "mode"};
    check_deviance(deviance, grid, usable);
    int64_t T = Rf_nrows(deviance), G = Rf_ncols(deviance);
    SEXP out = PROTECT(cw_glue_list(6, names));
    double *to[6];
    for (int i = 0; i < 6; i++) {
        put(out, names[i], Rf_allocVector(REALSXP, (R_xlen_t)(i ? G : T)));
        to[i] = REAL(VECTOR_ELT(out, i));
    }
    cw_ctx *ctx = cw_glue_enter(1);
    cw_arena *arena = cw_arena_new(ctx);
    uint8_t *use = bytes_of(ctx, usable);
    if (ctx->status == CW_OK && cw_tau_prior(arena, to[0], REAL(deviance), use, G, T) == CW_OK)
        cw_tau_posterior(arena, to[1], to[2], to[3], to[4], to[5], REAL(deviance), to[0], REAL(grid), G, T);
    cw_free(ctx, use);
    cw_arena_free(arena);
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return out;
}

/* embedding: genes x E; fresh: NULL or n x E. -> list(tau, sd, newTau, newSd, r2, df, s2, ridge) */
SEXP cw_r_tau_amortise(SEXP deviance, SEXP grid, SEXP usable, SEXP embedding, SEXP fresh)
{
    static const char *const names[] = {"tau", "sd", "newTau", "newSd", "r2", "df", "s2", "ridge"};
    check_deviance(deviance, grid, usable);
    int64_t T = Rf_nrows(deviance), G = Rf_ncols(deviance), E = Rf_ncols(real_matrix(embedding, "embedding"));
    int64_t n = fresh == R_NilValue ? 0 : Rf_nrows(real_matrix(fresh, "newEmbedding"));
    if (Rf_nrows(embedding) != G || E < 1 || (n && Rf_ncols(fresh) != E))
        Rf_error("internal error: embeddings of genes don't fit");
    SEXP out = PROTECT(cw_glue_list(8, names));
    double *to[8];
    for (int i = 0; i < 8; i++) {
        put(out, names[i], Rf_allocVector(REALSXP, (R_xlen_t)(i < 2 ? G : i < 4 ? n : 1)));
        to[i] = REAL(VECTOR_ELT(out, i));
    }
    cw_ctx *ctx = cw_glue_enter(0);
    cw_arena *arena = cw_arena_new(ctx);
    uint8_t *use = bytes_of(ctx, usable);
    double *e = by_rows(ctx, embedding), *more = n ? by_rows(ctx, fresh) : NULL;
    cw_tau_amortised a = {0};
    if (ctx->status == CW_OK)
        cw_tau_amortise(arena, &a, to[0], to[1], to[2], to[3], REAL(deviance), REAL(grid), use, e, more, G, T, E, n);
    *to[4] = a.r2, *to[5] = a.df, *to[6] = a.s2, *to[7] = a.ridge;
    cw_free(ctx, more), cw_free(ctx, e), cw_free(ctx, use);
    cw_arena_free(arena);
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return out;
}

/* projection: projectAtac or projectRna of a fit; modality: counts of new cells, list(p, i, x, rows, columns), or a
 * matrix cells x axes where the fit's embedding was given; which: "atac" or "rna". -> cells x d */
SEXP cw_r_tau_project(SEXP projection, SEXP modality, SEXP which)
{
    SEXP mean = cw_glue_get(projection, "mean"),
         rotation = real_matrix(cw_glue_get(projection, "rotation"), "rotation");
    SEXP loading = cw_glue_get(projection, "loading"), weight = cw_glue_get(projection, "weight");
    SEXP centre = cw_glue_get(projection, "centre"), cor = cw_glue_get(projection, "cor");
    int64_t k = (int64_t)Rf_xlength(mean), d = Rf_ncols(rotation);
    int chromatin = Rf_isString(which) && Rf_xlength(which) == 1 && strcmp(CHAR(STRING_ELT(which, 0)), "atac") == 0;
    int given = TYPEOF(modality) == REALSXP;
    cw_counts x = {0};
    if (!given) {
        x = counts_of(modality, "new cells' matrix");
        if (loading == R_NilValue) Rf_error("internal error: this fit has no way from counts to its embedding");
        if (Rf_nrows(loading) != x.rows) Rf_error("internal error: new cells have other features than the fit");
    } else if (Rf_ncols(real_matrix(modality, "new cells' embedding")) != k)
        Rf_error("internal error: new cells' embedding has other axes than the fit's");
    int64_t n = given ? Rf_nrows(modality) : x.cells;
    need_numbers(rotation, k * d, "rotation"), need_numbers(cor, d, "cor"), need_numbers(mean, k, "mean");
    if (!given) need_numbers(loading, x.rows * k, "loading");
    if (!given && (chromatin || weight != R_NilValue)) need_numbers(weight, x.rows, "weight");
    if (!given && centre != R_NilValue) need_numbers(centre, x.rows, "centre");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)n, (int)d));
    cw_ctx *ctx = cw_glue_enter(0);
    cw_arena *arena = cw_arena_new(ctx);
    cw_tau_axes a = {.rows = x.rows, .k = k, .chromatin = chromatin, .target = cw_glue_number(projection, "target", 0),
                     .weight = given || weight == R_NilValue ? NULL : REAL(weight),
                     .centre = given || centre == R_NilValue ? NULL : REAL(centre), .mean = REAL(mean)};
    double *rotated = a.rotation = by_rows(ctx, rotation), *z = cw_alloc(ctx, n * d, sizeof *z);
    double *score = given ? by_rows(ctx, modality) : cw_alloc(ctx, n * k, sizeof *score);
    double *load = given ? NULL : by_rows(ctx, loading);
    a.loading = load;
    if (ctx->status == CW_OK && !given) cw_tau_score(arena, score, &a, &x);
    if (ctx->status == CW_OK && cw_tau_project(arena, z, &a, score, REAL(cor), n, d) == CW_OK)
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < d; j++) REAL(out)[j * n + i] = z[i * d + j];
    cw_free(ctx, load), cw_free(ctx, score), cw_free(ctx, z), cw_free(ctx, rotated);
    cw_arena_free(arena);
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return out;
}

/* Bytes of a fit. sizes: cells, genes, peaks, links, non-zero values of chromatin and of RNA; options as of a fit. */
SEXP cw_r_tau_forecast(SEXP sizes, SEXP options)
{
    need_numbers(sizes, 6, "sizes");
    const double *s = REAL(sizes);
    cw_tau_options o;
    cw_glue_settings(options, cw_tau_settings, &o);
    return Rf_ScalarReal((double)cw_tau_forecast((int64_t)s[0], (int64_t)s[1], (int64_t)s[2], (int64_t)s[3],
                                                 (int64_t)s[4], (int64_t)s[5], cw_threads_resolve(0), &o));
}

/* The anchored method's settings, as cw_glue_settings_table gives them. */
SEXP cw_r_tau_settings(void) { return cw_glue_settings_table(cw_tau_settings); }
