/* r_celltype.c: logistic regression and scores of cell types on blocks of cells. */
#include "glue.h"

#include "../engine/stats/celllabel.h"
#include "../engine/stats/logistic.h"

#include <math.h>
#include <string.h>

/* list(p, i, x, total (or NULL), rows, cells), checked. */
static cw_cell_block as_block(SEXP list)
{
    SEXP p = cw_glue_get(list, "p"), i = cw_glue_get(list, "i"), x = cw_glue_get(list, "x");
    SEXP total = cw_glue_get(list, "total");
    double rows = cw_glue_number(list, "rows", -1), cells = cw_glue_number(list, "cells", -1);
    if (!(rows >= 0) || !(cells >= 0)) Rf_error("internal error: a block must say how many rows and cells it has");
    cw_glue_need_columns(p, i, x, (int64_t)rows, (int64_t)cells);
    if (total != R_NilValue && (TYPEOF(total) != REALSXP || Rf_xlength(total) != (R_xlen_t)cells))
        Rf_error("internal error: one total per cell");
    return (cw_cell_block){.start = INTEGER(p), .row = INTEGER(i), .value = REAL(x),
                           .total = total == R_NilValue ? NULL : REAL(total), .rows = (int64_t)rows,
                           .cells = (int64_t)cells};
}

/* list(to (0-based, -1: not seen), genes, linear, unit, mean, scale (or NULL), clip), checked. */
static cw_cell_view as_view(SEXP list, int64_t rows)
{
    SEXP to = cw_glue_get(list, "to"), mean = cw_glue_get(list, "mean"), scale = cw_glue_get(list, "scale");
    double genes = cw_glue_number(list, "genes", -1);
    if (TYPEOF(to) != INTSXP || Rf_xlength(to) != (R_xlen_t)rows || !(genes >= 1))
        Rf_error("internal error: a view must say which gene each row is");
    int standard = mean != R_NilValue;
    if (standard && (TYPEOF(mean) != REALSXP || TYPEOF(scale) != REALSXP || Rf_xlength(mean) != (R_xlen_t)genes ||
                     Rf_xlength(scale) != (R_xlen_t)genes))
        Rf_error("internal error: one mean and scale per gene");
    return (cw_cell_view){.to = INTEGER(to), .genes = (int64_t)genes,
                          .linear = cw_glue_number(list, "linear", 0) != 0, .unit = cw_glue_number(list, "unit", 0) != 0,
                          .mean = standard ? REAL(mean) : NULL, .scale = standard ? REAL(scale) : NULL,
                          .clip = cw_glue_number(list, "clip", INFINITY)};
}

static const cw_setting logistic_table[] = {
    CW_SET_DOUBLE(cw_logistic_options, C, "C", NULL, 0.01, 0, 1e12, 1, "inverse of the penalty"),
    CW_SET_DOUBLE(cw_logistic_options, tolerance, "tolerance", NULL, 1e-3, 0, 1e12, 1, "of the gradient"),
    CW_SET_INT(cw_logistic_options, steps, "steps", NULL, 200, 0, 1e9, "at most"),
    {0},
};

/* label: 0-based integers; weight: doubles; start: list(B (genes, classes), b), whose sizes count. -> list(B, b,
 * numbers: loss, largest gradient, steps) */
SEXP cw_r_logistic(SEXP block, SEXP view, SEXP label, SEXP weight, SEXP start, SEXP options, SEXP threads)
{
    cw_cell_block cells = as_block(block);
    cw_cell_view seen = as_view(view, cells.rows);
    SEXP B = cw_glue_get(start, "B"), b = cw_glue_get(start, "b");
    if (TYPEOF(label) != INTSXP || TYPEOF(weight) != REALSXP || Rf_xlength(label) != (R_xlen_t)cells.cells ||
        Rf_xlength(weight) != (R_xlen_t)cells.cells || TYPEOF(B) != REALSXP || TYPEOF(b) != REALSXP ||
        Rf_xlength(B) != Rf_xlength(b) * (R_xlen_t)seen.genes)
        Rf_error("internal error: labels, weights or coefficients of the wrong type or length");
    cw_logistic_options o = {0};
    cw_glue_settings(options, logistic_table, &o);
    int64_t classes = (int64_t)Rf_xlength(b);
    const cw_glue_part parts[] = {{"B", REALSXP, seen.genes, classes}, {"b", REALSXP, classes, -1},
                                  {"numbers", REALSXP, 3, -1}};
    SEXP out = PROTECT(cw_glue_make(3, parts));
    double *B_out = REAL(VECTOR_ELT(out, 0)), *b_out = REAL(VECTOR_ELT(out, 1)), *numbers = REAL(VECTOR_ELT(out, 2));
    memcpy(B_out, REAL(B), (size_t)(classes * seen.genes) * sizeof(double));
    memcpy(b_out, REAL(b), (size_t)classes * sizeof(double));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    float *x = cw_alloc(ctx, cells.cells * seen.genes, sizeof *x);
    cw_logistic_result r = {0};
    if (x && cw_cell_matrix(ctx, x, &cells, &seen) == CW_OK &&
        cw_logistic_fit(ctx, B_out, b_out, &r, x, INTEGER(label), REAL(weight), &o, cells.cells, seen.genes,
                        classes) == CW_OK)
        numbers[0] = r.loss, numbers[1] = r.gradient, numbers[2] = (double)r.steps;
    cw_free(ctx, x);
    return cw_glue_return(ctx, out);
}

/* -> list(x: double (genes, cells)) */
SEXP cw_r_cell_matrix(SEXP block, SEXP view, SEXP threads)
{
    cw_cell_block cells = as_block(block);
    cw_cell_view seen = as_view(view, cells.rows);
    const cw_glue_part parts[] = {{"x", REALSXP, seen.genes, cells.cells}};
    SEXP out = PROTECT(cw_glue_make(1, parts));
    double *to = REAL(VECTOR_ELT(out, 0));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    float *x = cw_alloc(ctx, cells.cells * seen.genes, sizeof *x);
    if (x && cw_cell_matrix(ctx, x, &cells, &seen) == CW_OK)
        for (int64_t j = 0; j < cells.cells * seen.genes; j++) to[j] = x[j];
    cw_free(ctx, x);
    return cw_glue_return(ctx, out);
}

/* group: 0-based integers, -1: left out. -> list(sum, square: double (genes, groups)) */
SEXP cw_r_cell_sums(SEXP block, SEXP view, SEXP group, SEXP groups, SEXP threads)
{
    cw_cell_block cells = as_block(block);
    cw_cell_view seen = as_view(view, cells.rows);
    int64_t n = Rf_asInteger(groups);
    if (TYPEOF(group) != INTSXP || Rf_xlength(group) != (R_xlen_t)cells.cells || n < 1)
        Rf_error("internal error: one group per cell");
    const cw_glue_part parts[] = {{"sum", REALSXP, seen.genes, n}, {"square", REALSXP, seen.genes, n}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    double *sum = REAL(VECTOR_ELT(out, 0)), *square = REAL(VECTOR_ELT(out, 1));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_cell_sums(ctx, sum, square, &cells, &seen, INTEGER(group), n);
    return cw_glue_return(ctx, out);
}

/* Checked: one class per b, B (genes, classes). */
static cw_cell_model as_model(SEXP list, int64_t rows)
{
    SEXP B = cw_glue_get(list, "B"), b = cw_glue_get(list, "b");
    cw_cell_view seen = as_view(cw_glue_get(list, "view"), rows);
    if (TYPEOF(B) != REALSXP || TYPEOF(b) != REALSXP || Rf_xlength(B) != Rf_xlength(b) * (R_xlen_t)seen.genes)
        Rf_error("internal error: coefficients of the wrong type or length");
    return (cw_cell_model){seen, REAL(B), REAL(b)};
}

/* models: list of list(view, B (genes, classes), b). -> a list of log probabilities, double (classes, cells), in their
 * order */
SEXP cw_r_cell_score(SEXP block, SEXP models, SEXP threads)
{
    cw_cell_block cells = as_block(block);
    int n = TYPEOF(models) == VECSXP ? (int)Rf_xlength(models) : 0;
    SEXP out = PROTECT(Rf_allocVector(VECSXP, n));
    for (int m = 0; m < n; m++) {
        (void)as_model(VECTOR_ELT(models, m), cells.rows);
        SEXP b = cw_glue_get(VECTOR_ELT(models, m), "b");
        SET_VECTOR_ELT(out, m, Rf_allocMatrix(REALSXP, (int)Rf_xlength(b), (int)cells.cells));
    }
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    for (int m = 0; m < n && ctx->status == CW_OK; m++) {
        SEXP list = VECTOR_ELT(models, m);
        cw_cell_model model = as_model(list, cells.rows); /* checked above: raises nothing */
        cw_cell_score(ctx, REAL(VECTOR_ELT(out, m)), &cells, &model.view, model.B, model.b,
                      (int64_t)Rf_xlength(cw_glue_get(list, "b")));
    }
    return cw_glue_return(ctx, out);
}

/* The block's values, logged once for all views of a call: set in `cells`, to be given back (cw_free). NULL on a failed
 * context. */
static float *lift(cw_ctx *ctx, cw_cell_block *cells)
{
    float *values = cw_alloc(ctx, cells->start[cells->cells], sizeof *values);
    if (values) cw_cell_lift(ctx, values, cells), cells->lifted = values;
    return values;
}

/* "B|T" for each cell: the types of its set. */
static SEXP set_texts(const uint8_t *inside, SEXP types, int64_t cells)
{
    int64_t K = (int64_t)Rf_xlength(types);
    size_t most = 1;
    const char **name = (const char **)R_alloc((size_t)K, sizeof *name);
    for (int64_t k = 0; k < K; k++) name[k] = Rf_translateCharUTF8(STRING_ELT(types, (R_xlen_t)k)), most += strlen(name[k]) + 1;
    char *text = R_alloc(most, 1);
    SEXP out = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)cells));
    for (int64_t c = 0; c < cells; c++) {
        char *end = text;
        for (int64_t k = 0; k < K; k++) {
            if (!inside[c * K + k]) continue;
            size_t n = strlen(name[k]);
            if (end > text) *end++ = '|';
            memcpy(end, name[k], n), end += n;
        }
        SET_STRING_ELT(out, (R_xlen_t)c, Rf_mkCharLenCE(text, (int)(end - text), CE_UTF8));
    }
    UNPROTECT(1);
    return out;
}

/* models: those of the rule, then the one beside, each list(view, B (genes, classes), b); rule: list(blend, temperature,
 * threshold (classes), p: are all probabilities wanted?). -> list(label, guess, matched, beside: places in `types` from 1,
 * probability, set (texts), p (classes, cells)) */
SEXP cw_r_cell_label(SEXP block, SEXP models, SEXP rule, SEXP types, SEXP threads)
{
    enum { MOST = 5 };
    cw_cell_block cells = as_block(block);
    int n = TYPEOF(models) == VECSXP ? (int)Rf_xlength(models) : 0;
    int64_t classes = (int64_t)Rf_xlength(types);
    SEXP threshold = cw_glue_get(rule, "threshold");
    if (n < 2 || n > MOST || TYPEOF(types) != STRSXP || TYPEOF(threshold) != REALSXP ||
        (int64_t)Rf_xlength(threshold) != classes)
        Rf_error("internal error: models, types or thresholds");
    cw_cell_model model[MOST];
    for (int m = 0; m < n; m++) {
        model[m] = as_model(VECTOR_ELT(models, m), cells.rows);
        if ((int64_t)Rf_xlength(cw_glue_get(VECTOR_ELT(models, m), "b")) != classes)
            Rf_error("internal error: a model of other types");
    }
    const cw_label_rule by = {n - 1, cw_glue_number(rule, "blend", 1) != 0, cw_glue_number(rule, "temperature", 1),
                              REAL(threshold)};
    int all = cw_glue_number(rule, "p", 0) != 0;
    const cw_glue_part parts[] = {{"label", INTSXP, cells.cells, -1}, {"guess", INTSXP, cells.cells, -1},
                                  {"matched", INTSXP, cells.cells, -1}, {"beside", INTSXP, cells.cells, -1},
                                  {"probability", REALSXP, cells.cells, -1}, {"set", STRSXP, 0, -1},
                                  {"p", REALSXP, classes, all ? cells.cells : 0}};
    SEXP out = PROTECT(cw_glue_make(7, parts));
    SEXP inside = PROTECT(Rf_allocVector(RAWSXP, (R_xlen_t)(cells.cells * classes)));
    cw_cell_labels to = {INTEGER(VECTOR_ELT(out, 0)), INTEGER(VECTOR_ELT(out, 1)), INTEGER(VECTOR_ELT(out, 2)),
                         INTEGER(VECTOR_ELT(out, 3)), REAL(VECTOR_ELT(out, 4)), RAW(inside),
                         all ? REAL(VECTOR_ELT(out, 6)) : NULL};
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    float *values = lift(ctx, &cells);
    if (values) cw_cell_label(ctx, &to, &cells, model, &by, classes);
    cw_free(ctx, values);
    cw_glue_leave(ctx);
    for (int64_t c = 0; c < cells.cells; c++) to.label[c]++, to.guess[c]++, to.matched[c]++, to.beside[c]++;
    SET_VECTOR_ELT(out, 5, set_texts(to.inside, types, cells.cells));
    UNPROTECT(2);
    return out;
}

static const double *numbers_of(SEXP list, const char *name, int64_t n)
{
    SEXP v = cw_glue_get(list, name);
    if (TYPEOF(v) != REALSXP || (int64_t)Rf_xlength(v) != n) Rf_error("internal error: novelty's %s", name);
    return REAL(v);
}

/* model: list(view, own: views; centre (genes, types), typical (types), rotation (genes, dims), origin (dims), mean (dims,
 * types), middle (dims), inverse (dims, dims), axis (own genes, axes)). -> list(raw (2, cells), point (axes, cells)) */
SEXP cw_r_cell_novelty(SEXP block, SEXP model, SEXP threads)
{
    cw_cell_block cells = as_block(block);
    cw_novelty_model m = {.view = as_view(cw_glue_get(model, "view"), cells.rows),
                          .own = as_view(cw_glue_get(model, "own"), cells.rows),
                          .types = (int64_t)Rf_xlength(cw_glue_get(model, "typical")),
                          .dims = (int64_t)Rf_xlength(cw_glue_get(model, "origin")),
                          .axes = (int64_t)Rf_ncols(cw_glue_get(model, "axis"))};
    m.centre = numbers_of(model, "centre", m.view.genes * m.types), m.typical = numbers_of(model, "typical", m.types);
    m.rotation = numbers_of(model, "rotation", m.view.genes * m.dims), m.origin = numbers_of(model, "origin", m.dims);
    m.mean = numbers_of(model, "mean", m.dims * m.types), m.middle = numbers_of(model, "middle", m.dims);
    m.inverse = numbers_of(model, "inverse", m.dims * m.dims), m.axis = numbers_of(model, "axis", m.own.genes * m.axes);
    const cw_glue_part parts[] = {{"raw", REALSXP, 2, cells.cells}, {"point", REALSXP, m.axes, cells.cells}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    double *raw = REAL(VECTOR_ELT(out, 0)), *point = REAL(VECTOR_ELT(out, 1));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    float *values = lift(ctx, &cells);
    if (values) cw_cell_novelty(ctx, raw, point, &cells, &m);
    cw_free(ctx, values);
    return cw_glue_return(ctx, out);
}

static float *as_floats(cw_ctx *ctx, SEXP m)
{
    R_xlen_t n = Rf_xlength(m);
    float *out = cw_alloc(ctx, (int64_t)n, sizeof *out);
    for (R_xlen_t i = 0; out && i < n; i++) out[i] = (float)REAL(m)[i];
    return out;
}

/* point: double (dims, cells); landmark: (dims, landmarks); value: (values, landmarks). -> list(mean (values, cells)) */
SEXP cw_r_neighbour_means(SEXP point, SEXP landmark, SEXP value, SEXP k, SEXP threads)
{
    if (TYPEOF(point) != REALSXP || TYPEOF(landmark) != REALSXP || TYPEOF(value) != REALSXP ||
        Rf_nrows(point) != Rf_nrows(landmark) || Rf_ncols(value) != Rf_ncols(landmark))
        Rf_error("internal error: points, landmarks or values of the wrong type or size");
    const cw_glue_part parts[] = {{"mean", REALSXP, Rf_nrows(value), Rf_ncols(point)}};
    SEXP out = PROTECT(cw_glue_make(1, parts));
    double *mean = REAL(VECTOR_ELT(out, 0));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    float *a = as_floats(ctx, point), *b = as_floats(ctx, landmark);
    if (ctx->status == CW_OK)
        cw_neighbour_means(ctx, mean, a, b, REAL(value), Rf_asInteger(k), Rf_ncols(point), Rf_ncols(landmark),
                           Rf_nrows(point), Rf_nrows(value));
    cw_free(ctx, b);
    cw_free(ctx, a);
    return cw_glue_return(ctx, out);
}
