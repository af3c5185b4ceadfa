/* r_arrays.c: R's arrays as the engine's, and the engine's as R's. */
#include "r_model.h"

#include <string.h>

/* ---- in ---- */

static void dims_of(SEXP x, cw_array *a)
{
    SEXP dim = Rf_getAttrib(x, R_DimSymbol);
    int n = Rf_isNull(dim) ? 1 : (int)Rf_xlength(dim);
    if (n > CW_INPUT_DIMS) Rf_error("the input '%s' has %d dimensions; it may have %d", a->name, n, CW_INPUT_DIMS);
    a->ndim = n;
    a->dim[0] = Rf_xlength(x);
    for (int i = 0; !Rf_isNull(dim) && i < n; i++) a->dim[n - 1 - i] = INTEGER(dim)[i];
}

/* genes x cells by columns is (cells, genes) by rows */
static void sparse_of(SEXP x, cw_array *a)
{
    SEXP dim = R_do_slot(x, Rf_install("Dim")), p = R_do_slot(x, Rf_install("p")), i = R_do_slot(x, Rf_install("i")),
         v = R_do_slot(x, Rf_install("x"));
    if (TYPEOF(dim) != INTSXP || Rf_xlength(dim) != 2) Rf_error("'x' holds a damaged sparse matrix");
    int64_t rows = INTEGER(dim)[0], columns = INTEGER(dim)[1];
    cw_glue_need_columns(p, i, v, rows, columns);
    int64_t *start = (int64_t *)R_alloc((size_t)columns + 1, sizeof *start);
    for (int64_t c = 0; c <= columns; c++) start[c] = INTEGER(p)[c];
    a->type = CW_ARRAY_CSR;
    a->ndim = 2;
    a->dim[0] = columns, a->dim[1] = rows;
    a->start = start, a->column = INTEGER(i), a->data = REAL(v);
}

const cw_array *cw_glue_arrays(SEXP list, int64_t *n)
{
    *n = 0;
    if (Rf_isNull(list)) return NULL;
    SEXP names = Rf_getAttrib(list, R_NamesSymbol);
    if (TYPEOF(list) != VECSXP || Rf_xlength(names) != Rf_xlength(list))
        Rf_error("internal error: inputs must be a named list");
    cw_array *array = (cw_array *)R_alloc((size_t)Rf_xlength(list) + 1, sizeof *array);
    for (R_xlen_t i = 0; i < Rf_xlength(list); i++) {
        SEXP x = VECTOR_ELT(list, i);
        if (Rf_isNull(x)) continue;
        cw_array a = {.name = CHAR(STRING_ELT(names, i))};
        if (Rf_inherits(x, "dgCMatrix")) {
            sparse_of(x, &a);
        } else {
            dims_of(x, &a);
            switch (TYPEOF(x)) {
            case INTSXP: a.type = CW_ARRAY_I32, a.data = INTEGER(x); break;
            case LGLSXP: a.type = CW_ARRAY_I32, a.data = LOGICAL(x); break;
            case REALSXP: a.type = CW_ARRAY_F64, a.data = REAL(x); break;
            default: Rf_error("internal error: the input '%s' has type %s", a.name, Rf_type2char((SEXPTYPE)TYPEOF(x)));
            }
        }
        array[(*n)++] = a;
    }
    return array;
}

/* ---- out ---- */

/* What the engine asked for, made under R_ToplevelExec: R may run out of memory while the engine holds its own. */
typedef struct {
    SEXP last;
    const char *name;
    cw_array_type type;
    int ndim;
    const int64_t *dim;
} request;

static size_t bytes_of(cw_array_type type)
{
    return type == CW_ARRAY_F64 ? sizeof(double) : type == CW_ARRAY_U16 ? sizeof(uint16_t) : sizeof(float);
}

static void make(void *data)
{
    request *r = data;
    double n = 1;
    for (int i = 0; i < r->ndim; i++) n *= (double)r->dim[i];
    SEXP x = PROTECT(r->type == CW_ARRAY_F64 ? Rf_allocVector(REALSXP, (R_xlen_t)n)
                     : r->type == CW_ARRAY_I32
                         ? Rf_allocVector(INTSXP, (R_xlen_t)n)
                         : Rf_allocVector(RAWSXP, (R_xlen_t)(n * (double)bytes_of(r->type))));
    SEXP dim = PROTECT(Rf_allocVector(REALSXP, r->ndim)), cell = PROTECT(Rf_cons(x, R_NilValue));
    for (int i = 0; i < r->ndim; i++) REAL(dim)[i] = (double)r->dim[r->ndim - 1 - i];
    Rf_setAttrib(x, Rf_install("shape"), dim);
    Rf_setAttrib(x, Rf_install("single"), Rf_ScalarLogical(r->type == CW_ARRAY_F32));
    SET_TAG(cell, Rf_install(r->name));
    SETCDR(r->last, cell);
    UNPROTECT(3);
}

static void *take(void *user, const char *name, cw_array_type type, int ndim, const int64_t *dim)
{
    cw_shelf *shelf = user;
    request r = {shelf->last, name, type, ndim, dim};
    if (!R_ToplevelExec(make, &r)) return NULL;
    shelf->last = CDR(shelf->last);
    SEXP x = CAR(shelf->last);
    return TYPEOF(x) == REALSXP ? (void *)REAL(x) : TYPEOF(x) == INTSXP ? (void *)INTEGER(x) : (void *)RAW(x);
}

cw_shelf cw_glue_shelf(void)
{
    SEXP first = Rf_cons(R_NilValue, R_NilValue);
    return (cw_shelf){first, first};
}

cw_sink cw_glue_sink(cw_shelf *shelf) { return (cw_sink){shelf, take}; }

/* As R's users see it: single precision widened, dimensions set. */
static SEXP finished(SEXP x, int raw)
{
    SEXP dim = PROTECT(Rf_getAttrib(x, Rf_install("shape")));
    int single = Rf_asLogical(Rf_getAttrib(x, Rf_install("single")));
    Rf_setAttrib(x, Rf_install("shape"), R_NilValue);
    Rf_setAttrib(x, Rf_install("single"), R_NilValue);
    if (TYPEOF(x) == RAWSXP && !raw) {
        R_xlen_t n = Rf_xlength(x) / (R_xlen_t)(single ? sizeof(float) : sizeof(uint16_t));
        SEXP y = PROTECT(Rf_allocVector(REALSXP, n));
        const float *f = (const float *)(const void *)RAW(x);
        const uint16_t *u = (const uint16_t *)(const void *)RAW(x);
        for (R_xlen_t i = 0; i < n; i++) REAL(y)[i] = single ? (double)f[i] : (double)u[i];
        x = y;
        UNPROTECT(1);
    }
    PROTECT(x);
    if (Rf_xlength(dim) > 1 && TYPEOF(x) != RAWSXP) {
        SEXP whole = PROTECT(Rf_coerceVector(dim, INTSXP));
        Rf_setAttrib(x, R_DimSymbol, whole);
        UNPROTECT(1);
    }
    UNPROTECT(2);
    return x;
}

SEXP cw_glue_shelf_list(const cw_shelf *shelf, int raw)
{
    R_xlen_t n = Rf_xlength(shelf->shelf) - 1, i = 0;
    SEXP list = PROTECT(Rf_allocVector(VECSXP, n)), names = PROTECT(Rf_allocVector(STRSXP, n));
    for (SEXP cell = CDR(shelf->shelf); cell != R_NilValue; cell = CDR(cell), i++) {
        SET_VECTOR_ELT(list, i, finished(CAR(cell), raw));
        SETCAR(cell, R_NilValue); /* the bytes are free as soon as they have been widened */
        SET_STRING_ELT(names, i, PRINTNAME(TAG(cell)));
    }
    Rf_setAttrib(list, R_NamesSymbol, names);
    UNPROTECT(2);
    return list;
}
