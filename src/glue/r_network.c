/* r_network.c: .Call entry points for networks. Each checks what R hands over (R has checked values and named the
 * arguments; here it is types and lengths, so that no call can read beyond an array), makes its result, runs the
 * engine, gives back the engine's memory, and raises last. */
#include "glue.h"

#include "../engine/stats/network.h"

#include <string.h>

/* ---- what R hands over ------------------------------------------------------------------------------------------ */

static SEXP part(SEXP list, const char *name, SEXPTYPE type, double length)
{
    SEXP names = Rf_getAttrib(list, R_NamesSymbol);
    for (R_xlen_t i = 0; TYPEOF(list) == VECSXP && i < Rf_xlength(names); i++) {
        if (strcmp(CHAR(STRING_ELT(names, i)), name) != 0) continue;
        SEXP x = VECTOR_ELT(list, i);
        if ((SEXPTYPE)TYPEOF(x) != type)
            Rf_error("internal error: '%s' has type %s, not %s", name, Rf_type2char((SEXPTYPE)TYPEOF(x)),
                     Rf_type2char(type));
        if (length >= 0 && (double)Rf_xlength(x) != length)
            Rf_error("'%s' holds %.0f items where %.0f are needed: the object was damaged or built by hand", name,
                     (double)Rf_xlength(x), length);
        return x;
    }
    Rf_error("internal error: '%s' is missing", name);
    return R_NilValue;
}

/* view: list(dims = c(cells, tfs, genes, factors, k), uIndex, uWeight, vIndex, vWeight = raw, tfGene = 0-based). */
static cw_factors as_factors(SEXP view)
{
    const double *d = REAL(part(view, "dims", REALSXP, 5));
    for (int i = 0; i < 5; i++)
        if (!(d[i] >= 1 && d[i] < 2147483648.0)) Rf_error("internal error: size %d of a network is %g", i + 1, d[i]);
    double nu = d[0] * d[1] * d[4], nv = d[0] * d[2] * d[4];
    cw_factors f = {.cells = (int64_t)d[0],
                    .tfs = (int64_t)d[1],
                    .genes = (int64_t)d[2],
                    .factors = (int64_t)d[3],
                    .k = (int64_t)d[4]};
    f.u_index = (const uint16_t *)RAW(part(view, "uIndex", RAWSXP, 2 * nu));
    f.u_weight = (const float *)RAW(part(view, "uWeight", RAWSXP, 4 * nu));
    f.v_index = (const uint16_t *)RAW(part(view, "vIndex", RAWSXP, 2 * nv));
    f.v_weight = (const float *)RAW(part(view, "vWeight", RAWSXP, 4 * nv));
    f.tf_gene = INTEGER(part(view, "tfGene", INTSXP, d[1]));
    return f;
}

/* cells: 0-based integers, or NULL for all. */
static const int32_t *as_cells(SEXP cells, const cw_factors *f, int64_t *n)
{
    if (Rf_isNull(cells)) {
        *n = f->cells;
        return NULL;
    }
    if (TYPEOF(cells) != INTSXP) Rf_error("internal error: cells must be integers");
    *n = Rf_xlength(cells);
    return INTEGER(cells);
}

/* x (rows, columns) row-major into an R matrix. */
static void copy_matrix(double *out, const float *x, int64_t rows, int64_t columns)
{
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = 0; i < rows; i++) out[j * rows + i] = x[i * columns + j];
}

/* ---- networks --------------------------------------------------------------------------------------------------- */

SEXP cw_r_network_check(SEXP view, SEXP threads)
{
    cw_factors f = as_factors(view);
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_factors_check(ctx, &f);
    cw_glue_leave(ctx);
    return R_NilValue;
}

/* -> integer (cells): checksums of the factors */
SEXP cw_r_network_checksums(SEXP view, SEXP threads)
{
    cw_factors f = as_factors(view);
    SEXP out = PROTECT(Rf_allocVector(INTSXP, (R_xlen_t)f.cells));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_factors_sums(ctx, INTEGER(out), &f);
    return cw_glue_return(ctx, out);
}

/* cell: one 0-based integer -> matrix (tfs, genes) */
SEXP cw_r_network_cell(SEXP view, SEXP cell, SEXP threads)
{
    cw_factors f = as_factors(view);
    if (TYPEOF(cell) != INTSXP || Rf_xlength(cell) != 1) Rf_error("internal error: one cell is needed");
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)f.tfs, (int)f.genes));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    float *score = cw_alloc(ctx, f.tfs * f.genes, sizeof *score);
    if (cw_network_cell(ctx, score, &f, INTEGER(cell)[0]) == CW_OK) copy_matrix(REAL(out), score, f.tfs, f.genes);
    cw_free(ctx, score);
    return cw_glue_return(ctx, out);
}

/* total: double, TF x gene row by row, or NULL for zeros. -> total plus the sum of the cells' networks; where nobody
 * else holds `total` it is added to in place. */
SEXP cw_r_network_add(SEXP total, SEXP view, SEXP cells, SEXP threads)
{
    cw_factors f = as_factors(view);
    int64_t n, size = f.tfs * f.genes;
    const int32_t *cell = as_cells(cells, &f, &n);
    if (Rf_isNull(total)) {
        total = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)size));
        memset(REAL(total), 0, (size_t)size * sizeof(double));
    } else {
        if (TYPEOF(total) != REALSXP || (int64_t)Rf_xlength(total) != size) Rf_error("internal error: total");
        total = PROTECT(MAYBE_SHARED(total) ? Rf_duplicate(total) : total);
    }
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_network_add(ctx, REAL(total), &f, cell, n);
    return cw_glue_return(ctx, total);
}

/* -> list(cell, tf, gene = integer, 1-based; score): edges of the cells one after the other; `cell` counts within
 * `cells`. Highest first within a cell. */
SEXP cw_r_network_top(SEXP view, SEXP cells, SEXP top_, SEXP self, SEXP threads)
{
    cw_factors f = as_factors(view);
    int64_t n, top = (int64_t)Rf_asReal(top_), possible = f.tfs * f.genes;
    const int32_t *cell = as_cells(cells, &f, &n);
    if (!Rf_asLogical(self)) possible -= f.tfs; /* a TF is one gene, so each has one self edge */
    if (top < 1) Rf_error("internal error: top must be at least 1");
    if (top > possible) top = possible > 0 ? possible : 1;
    int64_t room = possible > 0 ? n * top : 0;
    const cw_glue_part parts[] = {
        {"cell", INTSXP, room, -1}, {"tf", INTSXP, room, -1}, {"gene", INTSXP, room, -1}, {"score", REALSXP, room, -1}};
    SEXP out = PROTECT(cw_glue_make(4, parts));
    if (room > 0) {
        int *number = INTEGER(VECTOR_ELT(out, 0)), *tf = INTEGER(VECTOR_ELT(out, 1));
        int *gene = INTEGER(VECTOR_ELT(out, 2)), logical = Rf_asLogical(self);
        double *score = REAL(VECTOR_ELT(out, 3));
        cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
        float *s = cw_alloc(ctx, room, sizeof *s);
        int64_t *count = cw_alloc(ctx, n, sizeof *count);
        if (cw_network_top(ctx, tf, gene, s, count, &f, cell, n, top, logical) == CW_OK)
            for (int64_t e = 0; e < room; e++) number[e] = (int)(e / top) + 1, tf[e]++, gene[e]++, score[e] = s[e];
        cw_free(ctx, count);
        cw_free(ctx, s);
        cw_glue_leave(ctx);
    }
    UNPROTECT(1);
    return out;
}

/* -> double, edges at or above the threshold in each cell */
SEXP cw_r_network_count(SEXP view, SEXP cells, SEXP threshold, SEXP self, SEXP threads)
{
    cw_factors f = as_factors(view);
    int64_t n;
    const int32_t *cell = as_cells(cells, &f, &n);
    double at = Rf_asReal(threshold);
    int keep = Rf_asLogical(self);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)n));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    int64_t *count = cw_alloc(ctx, n, sizeof *count);
    if (cw_network_count(ctx, count, &f, cell, n, at, keep) == CW_OK)
        for (int64_t j = 0; j < n; j++) REAL(out)[j] = (double)count[j];
    cw_free(ctx, count);
    return cw_glue_return(ctx, out);
}

/* -> list(tf, gene, score), `room` edges: the sum of what cw_r_network_count gave */
SEXP cw_r_network_above(SEXP view, SEXP cells, SEXP threshold, SEXP self, SEXP room_, SEXP threads)
{
    cw_factors f = as_factors(view);
    int64_t n, room = (int64_t)Rf_asReal(room_);
    const int32_t *cell = as_cells(cells, &f, &n);
    double at = Rf_asReal(threshold);
    int keep = Rf_asLogical(self);
    if (room < 0) Rf_error("internal error: room must not be negative");
    const cw_glue_part parts[] = {{"tf", INTSXP, room, -1}, {"gene", INTSXP, room, -1}, {"score", REALSXP, room, -1}};
    SEXP out = PROTECT(cw_glue_make(3, parts));
    int *tf = INTEGER(VECTOR_ELT(out, 0)), *gene = INTEGER(VECTOR_ELT(out, 1));
    double *score = REAL(VECTOR_ELT(out, 2));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    float *s = cw_alloc(ctx, room, sizeof *s);
    if (cw_network_above(ctx, tf, gene, s, room, &f, cell, n, at, keep) == CW_OK)
        for (int64_t e = 0; e < room; e++) tf[e]++, gene[e]++, score[e] = s[e];
    cw_free(ctx, s);
    return cw_glue_return(ctx, out);
}

/* values: list(p, i = integer, x, mean, scale = double): the slots of a genes x cells dgCMatrix and two vectors by
 * gene. -> matrix (tfs, cells) */
SEXP cw_r_network_activity(SEXP view, SEXP cells, SEXP values, SEXP top, SEXP threads)
{
    cw_factors f = as_factors(view);
    int64_t n;
    const int32_t *cell = as_cells(cells, &f, &n);
    SEXP p = part(values, "p", INTSXP, (double)f.cells + 1);
    const int *start = INTEGER(p);
    double entries = (double)start[f.cells];
    for (int64_t c = 0; c < f.cells; c++)
        if (start[c] < 0 || start[c] > start[c + 1]) Rf_error("'expression': its column starts go down");
    cw_cell_values x = {.start = start,
                        .gene = INTEGER(part(values, "i", INTSXP, entries)),
                        .value = REAL(part(values, "x", REALSXP, entries)),
                        .mean = REAL(part(values, "mean", REALSXP, (double)f.genes)),
                        .scale = REAL(part(values, "scale", REALSXP, (double)f.genes))};
    int64_t targets = (int64_t)Rf_asReal(top);
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)f.tfs, (int)n));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_network_activity(ctx, REAL(out), &f, &x, cell, n, targets);
    return cw_glue_return(ctx, out);
}

/* -> matrix (tfs, cells) */
SEXP cw_r_network_strength(SEXP view, SEXP cells, SEXP threads)
{
    cw_factors f = as_factors(view);
    int64_t n;
    const int32_t *cell = as_cells(cells, &f, &n);
    SEXP out = PROTECT(Rf_allocMatrix(REALSXP, (int)f.tfs, (int)n));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_network_strength(ctx, REAL(out), &f, cell, n);
    return cw_glue_return(ctx, out);
}

/* -> list(row by TF, column by gene) */
SEXP cw_r_network_sums(SEXP view, SEXP cells, SEXP threads)
{
    cw_factors f = as_factors(view);
    int64_t n;
    const int32_t *cell = as_cells(cells, &f, &n);
    const cw_glue_part parts[] = {{"row", REALSXP, f.tfs, -1}, {"column", REALSXP, f.genes, -1}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_network_sums(ctx, REAL(VECTOR_ELT(out, 0)), REAL(VECTOR_ELT(out, 1)), &f, cell, n);
    return cw_glue_return(ctx, out);
}

/* -> list(sum, squares) by cell, without self edges */
SEXP cw_r_network_moments(SEXP view, SEXP cells, SEXP threads)
{
    cw_factors f = as_factors(view);
    int64_t n;
    const int32_t *cell = as_cells(cells, &f, &n);
    const cw_glue_part parts[] = {{"sum", REALSXP, n, -1}, {"squares", REALSXP, n, -1}};
    SEXP out = PROTECT(cw_glue_make(2, parts));
    cw_ctx *ctx = cw_glue_enter(cw_glue_threads(threads));
    cw_network_moments(ctx, REAL(VECTOR_ELT(out, 0)), REAL(VECTOR_ELT(out, 1)), &f, cell, n);
    return cw_glue_return(ctx, out);
}
