/* r_checkpoint.c: .Call entry points for files of weights of any format, and for dictionaries in pickles. */
#include "glue.h"

#include "../engine/io/archive.h"
#include "../engine/io/pickle.h"

#include <string.h>

/* What is made in R's memory while the engine holds its own runs under R_ToplevelExec: R may run out of memory. */
typedef struct listing {
    const cw_archive *archive;
    SEXP list;
} listing;

static void list_tensors(void *data)
{
    const listing *l = data;
    R_xlen_t n = cw_archive_count(l->archive);
    SEXP name = Rf_allocVector(STRSXP, n);
    SET_VECTOR_ELT(l->list, 0, name);
    SEXP shape = Rf_allocVector(VECSXP, n);
    SET_VECTOR_ELT(l->list, 1, shape);
    SEXP dtype = Rf_allocVector(STRSXP, n);
    SET_VECTOR_ELT(l->list, 2, dtype);
    SEXP bytes = Rf_allocVector(REALSXP, n);
    SET_VECTOR_ELT(l->list, 3, bytes);
    for (R_xlen_t i = 0; i < n; i++) {
        const cw_stored *e = cw_archive_at(l->archive, i);
        SET_STRING_ELT(name, i, Rf_mkCharCE(e->name, CE_UTF8));
        SET_STRING_ELT(dtype, i, Rf_mkChar(cw_st_dtype_name(e->dtype)));
        REAL(bytes)[i] = (double)cw_stored_bytes(e);
        SEXP dim = Rf_allocVector(REALSXP, e->ndim);
        SET_VECTOR_ELT(shape, i, dim);
        for (int d = 0; d < e->ndim; d++) REAL(dim)[d] = (double)e->dim[d];
    }
    SET_VECTOR_ELT(l->list, 4, Rf_mkString(cw_archive_format(l->archive)));
    SET_VECTOR_ELT(l->list, 5, Rf_ScalarReal((double)cw_archive_skipped(l->archive)));
}

/* -> list(name, shape, dtype, bytes, format, skipped) */
SEXP cw_r_checkpoint_inspect(SEXP path)
{
    static const char *const parts[] = {"name", "shape", "dtype", "bytes", "format", "skipped"};
    const char *file = cw_glue_path(path);
    SEXP out = PROTECT(cw_glue_list(6, parts));
    cw_ctx *ctx = cw_glue_enter(1);
    cw_archive *archive = cw_archive_open(ctx, file);
    listing l = {archive, out};
    if (archive && !R_ToplevelExec(list_tensors, &l)) cw_fail(ctx, CW_ERR_MEMORY, "no memory for the list of tensors");
    cw_archive_close(archive);
    return cw_glue_return(ctx, out);
}

SEXP cw_r_checkpoint_convert(SEXP from, SEXP to)
{
    const char *source = cw_glue_path(from), *target = cw_glue_path(to);
    cw_ctx *ctx = cw_glue_enter(1);
    cw_archive *archive = cw_archive_open(ctx, source);
    if (archive) cw_archive_convert(archive, target);
    cw_archive_close(archive);
    cw_glue_leave(ctx);
    return R_NilValue;
}

/* ---- dictionaries ---- */

typedef struct table {
    const cw_py *dict;
    SEXP list;
    int failed; /* a key or a value is of another kind */
} table;

static SEXP text_of(const cw_py *v)
{
    int good = v->kind == CW_PY_TEXT && v->n < 1000000 && !memchr(v->as.text, 0, (size_t)v->n);
    return good ? Rf_mkCharLenCE(v->as.text, (int)v->n, CE_UTF8) : NA_STRING;
}

static void list_pairs(void *data)
{
    table *t = data;
    R_xlen_t n = t->dict->n / 2;
    int texts = n > 0 && t->dict->as.item[1]->kind == CW_PY_TEXT;
    SEXP keys = Rf_allocVector(STRSXP, n);
    SET_VECTOR_ELT(t->list, 0, keys);
    SEXP values = Rf_allocVector(texts ? STRSXP : REALSXP, n);
    SET_VECTOR_ELT(t->list, 1, values);
    for (R_xlen_t i = 0; i < n && !t->failed; i++) {
        const cw_py *value = t->dict->as.item[2 * i + 1];
        SET_STRING_ELT(keys, i, text_of(t->dict->as.item[2 * i]));
        t->failed = STRING_ELT(keys, i) == NA_STRING;
        if (texts) {
            SET_STRING_ELT(values, i, text_of(value));
            t->failed = t->failed || STRING_ELT(values, i) == NA_STRING;
        } else {
            t->failed = t->failed || !cw_py_number(&REAL(values)[i], value);
        }
    }
}

/* bytes: a pickle of a dictionary of texts to numbers or texts, as raw -> list(key, value) */
SEXP cw_r_pickle_table(SEXP bytes)
{
    static const char *const parts[] = {"key", "value"};
    if (TYPEOF(bytes) != RAWSXP) Rf_error("internal error: a pickle must be raw");
    SEXP out = PROTECT(cw_glue_list(2, parts));
    cw_ctx *ctx = cw_glue_enter(1);
    cw_pickle *pickle = cw_pickle_read(ctx, RAW(bytes), Rf_xlength(bytes));
    table t = {pickle ? cw_pickle_value(pickle) : NULL, out, 0};
    if (pickle && t.dict->kind != CW_PY_DICT)
        cw_fail(ctx, CW_ERR_FORMAT, "the pickle holds no dictionary");
    else if (pickle && !R_ToplevelExec(list_pairs, &t))
        cw_fail(ctx, CW_ERR_MEMORY, "no memory for the dictionary");
    if (t.failed) cw_fail(ctx, CW_ERR_FORMAT, "the pickle's dictionary holds more than texts and numbers");
    cw_pickle_free(pickle);
    return cw_glue_return(ctx, out);
}
