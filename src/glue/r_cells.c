/* r_cells.c: .Call entry points for files of cells (h5_items.h, h5_cells.h, h5_write.h). Every call opens the file and
 * closes it again. */
#include "glue.h"

#include "../engine/io/h5_cells.h"
#include "../engine/io/h5_write.h"

#include <limits.h>
#include <string.h>

/* What a call has of the engine while R makes vectors, which may jump: the finalizer then frees it. */
typedef struct held {
    cw_ctx *ctx;
    cw_h5 *file; /* where R makes vectors while it is open */
    cw_h5_item item;
    cw_h5_names children, attributes, members;
    cw_h5_values *attribute; /* one for each of attributes */
    cw_h5_values values;
    cw_h5_block block;
} held;

static void release(SEXP guard)
{
    held *x = R_ExternalPtrAddr(guard);
    if (!x) return;
    R_ClearExternalPtr(guard);
    if (x->ctx) {
        for (int64_t i = 0; x->attribute && i < x->attributes.n; i++) cw_h5_values_free(x->ctx, x->attribute + i);
        cw_free(x->ctx, x->attribute);
        cw_h5_names_free(x->ctx, &x->children);
        cw_h5_names_free(x->ctx, &x->attributes);
        cw_h5_names_free(x->ctx, &x->members);
        cw_h5_values_free(x->ctx, &x->values);
        cw_h5_block_free(x->ctx, &x->block);
        cw_h5_close(x->ctx, x->file);
        cw_ctx_free(x->ctx);
    }
    R_Free(x);
}

/* A context to read with. The caller protects *guard and gives it to release() at the end. */
static held *hold(SEXP *guard, int threads)
{
    *guard = PROTECT(R_MakeExternalPtr(NULL, R_NilValue, R_NilValue));
    R_RegisterCFinalizer(*guard, release);
    held *x = R_Calloc(1, held);
    R_SetExternalPtrAddr(*guard, x);
    x->ctx = cw_glue_enter(threads);
    UNPROTECT(1);
    return x;
}

static const char *text_of(SEXP x, const char *what)
{
    if (TYPEOF(x) != STRSXP || Rf_xlength(x) != 1) Rf_error("internal error: %s must be one text", what);
    return CHAR(STRING_ELT(x, 0));
}

/* ---- looking ---------------------------------------------------------------------------------------------------- */

SEXP cw_r_h5_plugins(SEXP folder)
{
    cw_h5_plugins(cw_glue_path(folder));
    return R_NilValue;
}

static SEXP as_names(const cw_h5_names *names)
{
    SEXP out = PROTECT(Rf_allocVector(STRSXP, (R_xlen_t)names->n));
    for (int64_t i = 0; i < names->n; i++)
        SET_STRING_ELT(out, (R_xlen_t)i, Rf_mkCharCE(names->name[i], CE_UTF8));
    UNPROTECT(1);
    return out;
}

/* Doubles, logicals or UTF-8. */
static SEXP as_vector(const cw_h5_values *v)
{
    int flags = v->kind == CW_H5_FLAGS, text = v->kind == CW_H5_STRINGS;
    SEXP out = PROTECT(Rf_allocVector(text ? STRSXP : flags ? LGLSXP : REALSXP, (R_xlen_t)v->n));
    for (int64_t i = 0; i < v->n; i++)
        if (text) {
            int64_t length = v->start[i + 1] - v->start[i];
            const char *from = v->bytes ? v->bytes + v->start[i] : "";
            if (length > INT_MAX || memchr(from, 0, (size_t)length)) length = (int64_t)strlen(from);
            SET_STRING_ELT(out, (R_xlen_t)i, Rf_mkCharLenCE(from, (int)length, CE_UTF8));
        } else if (flags)
            LOGICAL(out)[i] = v->number[i] != 0;
        else
            REAL(out)[i] = v->number[i];
    UNPROTECT(1);
    return out;
}

static void look(held *x, const char *file, const char *name, int *found)
{
    cw_h5 *h = cw_h5_open(x->ctx, file, 0);
    *found = h && (strcmp(name, "/") == 0 || cw_h5_has(h, name));
    if (*found) {
        cw_h5_look(x->ctx, &x->item, h, name);
        if (x->item.kind == CW_H5_GROUP) cw_h5_children(x->ctx, &x->children, h, name);
        if (x->item.kind == CW_H5_RECORDS) cw_h5_members(x->ctx, &x->members, h, name);
        cw_h5_attributes(x->ctx, &x->attributes, h, name);
        x->attribute = cw_calloc(x->ctx, x->attributes.n, sizeof *x->attribute);
        for (int64_t i = 0; i < x->attributes.n && x->ctx->status == CW_OK; i++)
            cw_h5_attribute(x->ctx, x->attribute + i, h, name, x->attributes.name[i]);
    }
    cw_h5_close(x->ctx, h);
}

/* -> list(kind, whole, dims, stored, children, members, attributes); NULL where nothing has that name. Attributes that
 * can't be read here are of length 0. */
SEXP cw_r_h5_look(SEXP path, SEXP name)
{
    static const char *const parts[] = {"kind", "whole", "dims", "stored", "children", "members", "attributes"};
    static const char *const kinds[] = {"group", "numbers", "flags", "text", "records", "other"};
    const char *file = cw_glue_path(path), *which = text_of(name, "a name");
    SEXP guard;
    int found = 0;
    held *x = hold(&guard, 1);
    PROTECT(guard);
    look(x, file, which, &found);
    cw_glue_pause(x->ctx);
    if (!found) {
        release(guard);
        UNPROTECT(1);
        return R_NilValue;
    }
    SEXP out = PROTECT(cw_glue_list(7, parts));
    SET_VECTOR_ELT(out, 0, Rf_mkString(kinds[x->item.kind]));
    SET_VECTOR_ELT(out, 1, Rf_ScalarLogical(x->item.whole));
    int rank = x->item.rank < 0 ? 0 : x->item.rank > 3 ? 3 : x->item.rank;
    SET_VECTOR_ELT(out, 2, Rf_allocVector(REALSXP, rank));
    for (int d = 0; d < rank; d++) REAL(VECTOR_ELT(out, 2))[d] = (double)x->item.dim[d];
    SET_VECTOR_ELT(out, 3, Rf_ScalarReal((double)x->item.stored));
    SET_VECTOR_ELT(out, 4, as_names(&x->children));
    SET_VECTOR_ELT(out, 5, as_names(&x->members));
    SET_VECTOR_ELT(out, 6, Rf_allocVector(VECSXP, (R_xlen_t)x->attributes.n));
    Rf_setAttrib(VECTOR_ELT(out, 6), R_NamesSymbol, as_names(&x->attributes));
    for (int64_t i = 0; i < x->attributes.n; i++)
        SET_VECTOR_ELT(VECTOR_ELT(out, 6), (R_xlen_t)i, as_vector(x->attribute + i));
    release(guard);
    UNPROTECT(2);
    return out;
}

/* A table, or a member of one of records: doubles, logicals or text, row by row. */
SEXP cw_r_h5_values(SEXP path, SEXP name, SEXP member)
{
    const char *file = cw_glue_path(path), *which = text_of(name, "a name");
    const char *part = Rf_isNull(member) ? NULL : text_of(member, "a member");
    SEXP guard;
    held *x = hold(&guard, 1);
    PROTECT(guard);
    cw_h5 *h = cw_h5_open(x->ctx, file, 0);
    if (h) cw_h5_values_read(x->ctx, &x->values, h, which, part);
    cw_h5_close(x->ctx, h);
    cw_glue_pause(x->ctx);
    SEXP out = PROTECT(as_vector(&x->values));
    release(guard);
    UNPROTECT(2);
    return out;
}

/* ---- counts ----------------------------------------------------------------------------------------------------- */

/* list(name, sparse, byCell, cells, genes, entries, and where its tables aren't called as usual `parts`) */
static cw_h5_cells as_cells(SEXP layout)
{
    double cells = cw_glue_number(layout, "cells", -1), genes = cw_glue_number(layout, "genes", -1);
    double entries = cw_glue_number(layout, "entries", 0);
    if (!(cells >= 0 && cells < 0x1p52 && genes >= 0 && genes < 0x1p52 && entries >= 0 && entries < 0x1p62))
        Rf_error("internal error: the size of a matrix in a file");
    SEXP names = cw_glue_get(layout, "parts");
    const char **parts = NULL;
    if (!Rf_isNull(names)) {
        if (TYPEOF(names) != STRSXP || Rf_xlength(names) != 3) Rf_error("internal error: names of three tables");
        parts = (const char **)R_alloc(3, sizeof *parts);
        for (int i = 0; i < 3; i++) parts[i] = CHAR(STRING_ELT(names, i));
    }
    return (cw_h5_cells){.name = text_of(cw_glue_get(layout, "name"), "the name of a matrix"),
                         .parts = parts,
                         .sparse = Rf_asLogical(cw_glue_get(layout, "sparse")) == 1,
                         .by_cell = Rf_asLogical(cw_glue_get(layout, "byCell")) == 1,
                         .cells = (int64_t)cells,
                         .genes = (int64_t)genes,
                         .entries = (int64_t)entries};
}

/* -> c(entries, stored bytes, integers?) */
SEXP cw_r_cells_check(SEXP path, SEXP layout)
{
    const char *file = cw_glue_path(path);
    cw_h5_cells m = as_cells(layout);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, 3));
    cw_ctx *ctx = cw_glue_enter(1);
    cw_h5 *h = cw_h5_open(ctx, file, 0);
    if (h) cw_h5_cells_check(ctx, &m, h);
    cw_h5_close(ctx, h);
    cw_glue_leave(ctx);
    REAL(out)[0] = (double)m.entries, REAL(out)[1] = (double)m.stored, REAL(out)[2] = m.whole;
    UNPROTECT(1);
    return out;
}

/* cells: numbers from 0, ascending; place: of each gene its row from 0 or -1, or NULL. -> list(p, i, x). Where the number
 * of entries is known beforehand they are read into R's vectors at once. */
SEXP cw_r_cells_read(SEXP path, SEXP layout, SEXP cells, SEXP place, SEXP threads)
{
    static const char *const parts[] = {"p", "i", "x"};
    const char *file = cw_glue_path(path);
    cw_h5_cells m = as_cells(layout);
    if (TYPEOF(cells) != INTSXP) Rf_error("internal error: cells must be integers");
    if (!Rf_isNull(place) && (TYPEOF(place) != INTSXP || (int64_t)Rf_xlength(place) != m.genes))
        Rf_error("internal error: one place for each gene");
    int64_t n = (int64_t)Rf_xlength(cells), room = -1;
    SEXP guard;
    held *x = hold(&guard, cw_glue_threads(threads));
    PROTECT(guard);
    x->file = cw_h5_open(x->ctx, file, 0);
    if (x->file && Rf_isNull(place)) room = cw_h5_cells_room(x->ctx, x->file, &m, INTEGER(cells), n);
    cw_glue_pause(x->ctx);
    SEXP out = PROTECT(cw_glue_list(3, parts));
    SET_VECTOR_ELT(out, 0, Rf_allocVector(INTSXP, (R_xlen_t)n + 1));
    if (room > 0 && room <= INT_MAX) {
        SET_VECTOR_ELT(out, 1, Rf_allocVector(INTSXP, (R_xlen_t)room));
        SET_VECTOR_ELT(out, 2, Rf_allocVector(REALSXP, (R_xlen_t)room));
    } else
        room = 0;
    cw_glue_resume(x->ctx);
    if (room)
        cw_h5_cells_read_into(x->ctx, &x->block, INTEGER(VECTOR_ELT(out, 1)), REAL(VECTOR_ELT(out, 2)), room, x->file, &m,
                              INTEGER(cells), n);
    else
        cw_h5_cells_read(x->ctx, &x->block, x->file, &m, INTEGER(cells), n, Rf_isNull(place) ? NULL : INTEGER(place));
    if (x->ctx->status == CW_OK && x->block.entries > INT_MAX)
        cw_fail(x->ctx, CW_ERR_MEMORY, "%lld values at once; R takes 2^31 - 1: read fewer cells or genes",
                (long long)x->block.entries);
    cw_h5_close(x->ctx, x->file);
    x->file = NULL;
    cw_glue_pause(x->ctx);
    R_xlen_t kept = (R_xlen_t)x->block.entries;
    for (int64_t j = 0; j <= n; j++) INTEGER(VECTOR_ELT(out, 0))[j] = (int)x->block.start[j];
    if (room) { /* a zero that was stored isn't kept */
        for (int k = 1; k < 3 && kept < (R_xlen_t)room; k++)
            SET_VECTOR_ELT(out, k, Rf_xlengthgets(VECTOR_ELT(out, k), kept));
    } else {
        SET_VECTOR_ELT(out, 1, Rf_allocVector(INTSXP, kept));
        SET_VECTOR_ELT(out, 2, Rf_allocVector(REALSXP, kept));
        if (kept > 0) {
            memcpy(INTEGER(VECTOR_ELT(out, 1)), x->block.row, (size_t)kept * sizeof(int));
            memcpy(REAL(VECTOR_ELT(out, 2)), x->block.value, (size_t)kept * sizeof(double));
        }
    }
    release(guard);
    UNPROTECT(2);
    return out;
}

/* Entries of the n cells from `first` on, summed up: n + 1 numbers. */
SEXP cw_r_cells_offsets(SEXP path, SEXP layout, SEXP first, SEXP n)
{
    const char *file = cw_glue_path(path);
    cw_h5_cells m = as_cells(layout);
    double count = Rf_asReal(n);
    if (!(count >= 0 && count <= (double)m.cells)) Rf_error("internal error: a number of cells");
    SEXP out = PROTECT(Rf_allocVector(REALSXP, (R_xlen_t)count + 1));
    int64_t *sums = (int64_t *)R_alloc((size_t)count + 1, sizeof *sums);
    cw_ctx *ctx = cw_glue_enter(1);
    cw_h5 *h = cw_h5_open(ctx, file, 0);
    if (h) cw_h5_cells_offsets(ctx, sums, h, &m, (int64_t)Rf_asReal(first), (int64_t)count);
    cw_h5_close(ctx, h);
    cw_glue_leave(ctx);
    for (int64_t j = 0; j <= (int64_t)count; j++) REAL(out)[j] = (double)sums[j];
    UNPROTECT(1);
    return out;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

typedef struct put {
    const char *what, *name, *attribute;
    cw_h5_put_data data;
} put;

static cw_h5_put_data as_data(SEXP x, SEXP type, SEXP dims)
{
    static const char *const types[] = {"f64", "f32", "i64", "i32", "i8", "flag", "text"};
    cw_h5_put_data d = {.rank = (int)Rf_xlength(dims), .type = CW_H5_PUT_TYPES};
    const char *name = text_of(type, "a type");
    for (int t = 0; t < CW_H5_PUT_TYPES; t++)
        if (strcmp(types[t], name) == 0) d.type = (cw_h5_put_type)t;
    if (d.type == CW_H5_PUT_TYPES || d.rank > 2 || (d.rank > 0 && TYPEOF(dims) != REALSXP))
        Rf_error("internal error: '%s' is no type to write", name);
    int64_t n = 1;
    for (int i = 0; i < d.rank; i++) n *= d.dim[i] = (int64_t)REAL(dims)[i];
    if ((int64_t)Rf_xlength(x) != n)
        Rf_error("internal error: %lld values for %lld", (long long)Rf_xlength(x), (long long)n);
    if (d.type == CW_H5_PUT_TEXT) {
        if (TYPEOF(x) != STRSXP) Rf_error("internal error: text must be text");
        d.text = (const char **)R_alloc((size_t)n + 1, sizeof *d.text);
        for (int64_t i = 0; i < n; i++) d.text[i] = Rf_translateCharUTF8(STRING_ELT(x, (R_xlen_t)i));
    } else if (TYPEOF(x) == REALSXP)
        d.number = REAL(x);
    else if (TYPEOF(x) == INTSXP || TYPEOF(x) == LGLSXP)
        d.whole = INTEGER(x);
    else
        Rf_error("internal error: numbers must be numbers");
    return d;
}

static void put_one(cw_ctx *ctx, cw_h5 *h, const put *p)
{
    if (strcmp(p->what, "group") == 0)
        cw_h5_put_group(ctx, h, p->name);
    else if (strcmp(p->what, "table") == 0 || strcmp(p->what, "plain") == 0)
        cw_h5_put_table(ctx, h, p->name, &p->data);
    else if (strcmp(p->what, "append") == 0)
        cw_h5_put_append(ctx, h, p->name, &p->data);
    else if (strcmp(p->what, "attribute") == 0)
        cw_h5_put_attribute(ctx, h, p->name, p->attribute, &p->data);
    else
        cw_fail(ctx, CW_ERR_ARGUMENT, "can't do '%s'", p->what);
}

/* steps: list(what, name, attribute, data, type, dims) each, done in order. `fresh`: the file is made anew. */
SEXP cw_r_h5_put(SEXP path, SEXP steps, SEXP fresh)
{
    const char *file = cw_glue_path(path);
    R_xlen_t n = Rf_xlength(steps);
    put *p = (put *)R_alloc((size_t)n + 1, sizeof *p);
    for (R_xlen_t i = 0; i < n; i++) {
        SEXP s = VECTOR_ELT(steps, i), attribute = cw_glue_get(s, "attribute");
        p[i] = (put){.what = text_of(cw_glue_get(s, "what"), "a step"),
                     .name = text_of(cw_glue_get(s, "name"), "a name")};
        if (!Rf_isNull(attribute)) p[i].attribute = text_of(attribute, "an attribute");
        if (strcmp(p[i].what, "group") != 0)
            p[i].data = as_data(cw_glue_get(s, "data"), cw_glue_get(s, "type"), cw_glue_get(s, "dims"));
        p[i].data.plain = strcmp(p[i].what, "plain") == 0;
    }
    int anew = Rf_asLogical(fresh) == 1;
    cw_ctx *ctx = cw_glue_enter(1);
    cw_h5 *h = anew ? cw_h5_create(ctx, file) : cw_h5_open(ctx, file, 1);
    for (R_xlen_t i = 0; h && i < n; i++) put_one(ctx, h, p + i);
    cw_h5_close(ctx, h);
    cw_glue_leave(ctx);
    return R_NilValue;
}
