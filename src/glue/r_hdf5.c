/* r_hdf5.c: .Call entry points for tables in HDF5 files. Every call opens the file and closes it again, so nothing is
 * left open or half written when R is interrupted. */
#include "glue.h"

#include "../engine/io/hdf5.h"

#include <string.h>

static const char *const type_names[] = {"u16", "i32", "f32", "f64", "text"};

static const char *name_of(SEXP names, R_xlen_t i) { return CHAR(STRING_ELT(names, i)); }

/* list(name, type, dims, width) */
static cw_h5_shape as_shape(SEXP table)
{
    SEXP dims = cw_glue_get(table, "dims"), type = cw_glue_get(table, "type");
    cw_h5_shape shape = {.width = (int64_t)cw_glue_number(table, "width", 1), .rank = (int)Rf_xlength(dims)};
    if (TYPEOF(dims) != REALSXP || shape.rank < 1 || shape.rank > 3 || TYPEOF(type) != STRSXP ||
        Rf_xlength(type) != 1 || TYPEOF(cw_glue_get(table, "name")) != STRSXP || shape.width < 1)
        Rf_error("internal error: a table needs a name, a type and 1 to 3 dimensions");
    for (int d = 0; d < shape.rank; d++) {
        if (!(REAL(dims)[d] >= 0 && REAL(dims)[d] < 0x1p47)) Rf_error("internal error: a table's dimension");
        shape.dim[d] = (int64_t)REAL(dims)[d];
    }
    for (int t = CW_H5_U16; t <= CW_H5_TEXT; t++)
        if (strcmp(name_of(type, 0), type_names[t]) == 0) {
            shape.type = (cw_h5_type)t;
            return shape;
        }
    Rf_error("internal error: '%s' is no type of table", name_of(type, 0));
    return shape;
}

/* Makes the file one with these tables, and takes the disk space they need. What is left after an error is for R to
 * remove. */
SEXP cw_r_h5_create(SEXP path, SEXP tables)
{
    const char *file = cw_glue_path(path);
    R_xlen_t n = Rf_xlength(tables);
    cw_h5_shape *shape = (cw_h5_shape *)R_alloc((size_t)n + 1, sizeof *shape);
    for (R_xlen_t i = 0; i < n; i++) shape[i] = as_shape(VECTOR_ELT(tables, i));
    cw_ctx *ctx = cw_glue_enter(1);
    cw_h5 *h = cw_h5_create(ctx, file);
    for (R_xlen_t i = 0; i < n; i++)
        cw_h5_make(ctx, h, name_of(cw_glue_get(VECTOR_ELT(tables, i), "name"), 0), shape + i);
    cw_h5_close(ctx, h);
    cw_file_reserve(ctx, file);
    cw_glue_leave(ctx);
    return R_NilValue;
}

/* The shapes of tables that must be there. The context keeps the error. */
static void find_all(cw_ctx *ctx, cw_h5_shape *shape, cw_h5 *h, SEXP names)
{
    for (R_xlen_t i = 0; ctx->status == CW_OK && i < Rf_xlength(names); i++)
        if (!cw_h5_find(shape + i, h, name_of(names, i)))
            cw_fail(ctx, CW_ERR_FORMAT, "has no table %s that can be read here", name_of(names, i));
}

/* guard: NULL, or texts named by their tables, which must be what they are in the file: else it is another file by
 * now. Called with the file open and so locked. */
static void expect_all(cw_ctx *ctx, cw_h5 *h, SEXP guard, SEXP names)
{
    for (R_xlen_t i = 0; i < Rf_xlength(guard); i++) cw_h5_expect(ctx, h, name_of(names, i), name_of(guard, i));
}

static SEXP guard_names(SEXP guard)
{
    SEXP names = Rf_getAttrib(guard, R_NamesSymbol);
    if (!Rf_isNull(guard) && (TYPEOF(guard) != STRSXP || TYPEOF(names) != STRSXP))
        Rf_error("internal error: a guard must be texts with names");
    return names;
}

static cw_h5_shape *shapes_of(const char *file, SEXP names)
{
    cw_h5_shape *shape = (cw_h5_shape *)R_alloc((size_t)Rf_xlength(names) + 1, sizeof *shape);
    cw_ctx *ctx = cw_glue_enter(1);
    cw_h5 *h = cw_h5_open(ctx, file, 0);
    find_all(ctx, shape, h, names);
    cw_h5_close(ctx, h);
    cw_glue_leave(ctx);
    return shape;
}

/* -> list of list(type, dims); NULL for a table that isn't there or can't be read here */
SEXP cw_r_h5_shapes(SEXP path, SEXP names)
{
    static const char *const parts[] = {"type", "dims"};
    const char *file = cw_glue_path(path);
    R_xlen_t n = Rf_xlength(names);
    cw_h5_shape *shape = (cw_h5_shape *)R_alloc((size_t)n + 1, sizeof *shape);
    int *found = (int *)R_alloc((size_t)n + 1, sizeof *found);
    cw_ctx *ctx = cw_glue_enter(1);
    cw_h5 *h = cw_h5_open(ctx, file, 0);
    for (R_xlen_t i = 0; i < n; i++) found[i] = h && cw_h5_find(shape + i, h, name_of(names, i));
    cw_h5_close(ctx, h);
    cw_glue_leave(ctx);
    SEXP out = PROTECT(Rf_allocVector(VECSXP, n));
    for (R_xlen_t i = 0; i < n; i++) {
        if (!found[i]) continue;
        SEXP one = cw_glue_list(2, parts);
        SET_VECTOR_ELT(out, i, one);
        SET_VECTOR_ELT(one, 0, Rf_mkString(type_names[shape[i].type]));
        SET_VECTOR_ELT(one, 1, Rf_allocVector(REALSXP, shape[i].rank));
        for (int d = 0; d < shape[i].rank; d++) REAL(VECTOR_ELT(one, 1))[d] = (double)shape[i].dim[d];
    }
    Rf_setAttrib(out, R_NamesSymbol, names);
    UNPROTECT(1);
    return out;
}

static void *data_of(SEXP x, cw_h5_type type)
{
    if (type == CW_H5_U16 || type == CW_H5_F32) return RAW(x);
    return type == CW_H5_I32 ? (void *)INTEGER(x) : (void *)REAL(x);
}

static SEXPTYPE kind_of(cw_h5_type type)
{
    static const SEXPTYPE kinds[] = {RAWSXP, INTSXP, RAWSXP, REALSXP, STRSXP};
    return kinds[type];
}

/* Items of an R vector that a row makes. */
static int64_t row_items(const cw_h5_shape *s)
{
    int64_t bytes = s->type == CW_H5_I32 ? 4 : s->type == CW_H5_F64 ? 8 : s->type == CW_H5_TEXT ? s->width : 1;
    return s->row_bytes / bytes;
}

/* text -> rows of `width` bytes */
static char *pack_text(SEXP x, int64_t width)
{
    R_xlen_t n = Rf_xlength(x);
    char *out = R_alloc((size_t)n + 1, (int)width);
    memset(out, 0, (size_t)(n * width));
    for (R_xlen_t i = 0; i < n; i++) {
        const char *s = CHAR(STRING_ELT(x, i));
        if ((int64_t)strlen(s) > width) Rf_error("internal error: a text is longer than its table is wide");
        memcpy(out + i * width, s, strlen(s));
    }
    return out;
}

/* data: a list of vectors, one for each of the tables `names`: raw for u16 and f32, integer, double, character in
 * UTF-8. They are written from row `first` on. */
SEXP cw_r_h5_write(SEXP path, SEXP names, SEXP first_, SEXP data, SEXP guard)
{
    const char *file = cw_glue_path(path);
    SEXP guards = PROTECT(guard_names(guard));
    int64_t first = (int64_t)Rf_asReal(first_);
    R_xlen_t n = Rf_xlength(names);
    if (TYPEOF(data) != VECSXP || Rf_xlength(data) != n) Rf_error("internal error: as many data as tables");
    cw_h5_shape *shape = shapes_of(file, names), *now = (cw_h5_shape *)R_alloc((size_t)n + 1, sizeof *now);
    const void **from = (const void **)R_alloc((size_t)n + 1, sizeof *from);
    int64_t *rows = (int64_t *)R_alloc((size_t)n + 1, sizeof *rows);
    for (R_xlen_t i = 0; i < n; i++) {
        SEXP x = VECTOR_ELT(data, i);
        int64_t items = row_items(shape + i), length = (int64_t)Rf_xlength(x);
        if ((SEXPTYPE)TYPEOF(x) != kind_of(shape[i].type) || (items > 0 ? length % items : length) != 0)
            Rf_error("internal error: the data for table %s", name_of(names, i));
        rows[i] = items > 0 ? length / items : 0;
        from[i] = shape[i].type == CW_H5_TEXT ? pack_text(x, shape[i].width) : data_of(x, shape[i].type);
    }
    cw_ctx *ctx = cw_glue_enter(1);
    cw_h5 *h = cw_h5_open(ctx, file, 1);
    expect_all(ctx, h, guard, guards);
    find_all(ctx, now, h, names);
    for (R_xlen_t i = 0; i < n; i++) {
        if (ctx->status == CW_OK && now[i].row_bytes != shape[i].row_bytes)
            cw_fail(ctx, CW_ERR_FORMAT, "was changed by another program");
        cw_h5_write(ctx, h, name_of(names, i), from[i], shape[i].type, first, rows[i]);
    }
    cw_h5_close(ctx, h);
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return R_NilValue;
}

static SEXP unpack_text(const char *text, int64_t n, int64_t width)
{
    SEXP out = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)n));
    for (int64_t i = 0; i < n; i++) {
        const char *s = text + i * width, *end = memchr(s, 0, (size_t)width);
        int length = (int)(end ? end - s : width);
        SET_STRING_ELT(out, (R_xlen_t)i, Rf_mkCharLenCE(s, length, CE_UTF8));
    }
    UNPROTECT(1);
    return out;
}

/* rows: NULL (all), two doubles (first, number), or integers from 0 in any order. -> a list of vectors, types as in
 * cw_r_h5_write */
SEXP cw_r_h5_read(SEXP path, SEXP names, SEXP rows, SEXP guard)
{
    const char *file = cw_glue_path(path);
    SEXP guards = PROTECT(guard_names(guard));
    R_xlen_t n = Rf_xlength(names);
    const int32_t *row = TYPEOF(rows) == INTSXP ? INTEGER(rows) : NULL;
    int range = TYPEOF(rows) == REALSXP && Rf_xlength(rows) == 2;
    if (!row && !range && !Rf_isNull(rows)) Rf_error("internal error: rows");
    cw_h5_shape *shape = shapes_of(file, names), *now = (cw_h5_shape *)R_alloc((size_t)n + 1, sizeof *now);
    void **to = (void **)R_alloc((size_t)n + 1, sizeof *to);
    int64_t *count = (int64_t *)R_alloc((size_t)n + 1, sizeof *count);
    int64_t first = range ? (int64_t)REAL(rows)[0] : 0;
    SEXP out = PROTECT(Rf_allocVector(VECSXP, n));
    for (R_xlen_t i = 0; i < n; i++) {
        count[i] = row ? (int64_t)Rf_xlength(rows) : range ? (int64_t)REAL(rows)[1] : shape[i].dim[0];
        if (!row && (first < 0 || count[i] < 0 || first > shape[i].dim[0] - count[i]))
            Rf_error("table %s has %.0f rows", name_of(names, i), (double)shape[i].dim[0]);
        if (shape[i].type == CW_H5_TEXT) {
            to[i] = R_alloc((size_t)count[i] + 1, (int)shape[i].width);
            continue;
        }
        SET_VECTOR_ELT(out, i, Rf_allocVector(kind_of(shape[i].type), (R_xlen_t)(count[i] * row_items(shape + i))));
        to[i] = data_of(VECTOR_ELT(out, i), shape[i].type);
    }
    cw_ctx *ctx = cw_glue_enter(1);
    cw_h5 *h = cw_h5_open(ctx, file, 0);
    expect_all(ctx, h, guard, guards);
    find_all(ctx, now, h, names);
    for (R_xlen_t i = 0; i < n; i++) {
        if (ctx->status == CW_OK && now[i].row_bytes != shape[i].row_bytes)
            cw_fail(ctx, CW_ERR_FORMAT, "was changed by another program");
        if (row)
            cw_h5_gather(ctx, to[i], h, name_of(names, i), shape[i].type, row, count[i]);
        else
            cw_h5_read(ctx, to[i], h, name_of(names, i), shape[i].type, first, count[i]);
    }
    cw_h5_close(ctx, h);
    cw_glue_leave(ctx);
    for (R_xlen_t i = 0; i < n; i++)
        if (shape[i].type == CW_H5_TEXT) SET_VECTOR_ELT(out, i, unpack_text(to[i], count[i], shape[i].width));
    Rf_setAttrib(out, R_NamesSymbol, names);
    UNPROTECT(2);
    return out;
}

/* bytes free on the disk of a folder; NA: not known */
SEXP cw_r_disk_free(SEXP path)
{
    double bytes = cw_disk_free(cw_glue_path(path));
    return Rf_ScalarReal(bytes < 0 ? NA_REAL : bytes);
}
