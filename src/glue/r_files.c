/* r_files.c: .Call entry points for places of files: where a path leads, writing beside it, renaming. */
#include "glue.h"

#include "../engine/io/place.h"

#include <string.h>

/* A name of the engine's (freed) as R's; room for it is made before, so that nothing can jump. */
enum { NAME_BYTES = 8192 };

static void take_name(cw_ctx *ctx, char *copy, char *name)
{
    if (name && strlen(name) >= NAME_BYTES) cw_fail(ctx, CW_ERR_IO, "can't be used: its name is too long");
    if (name && ctx->status == CW_OK) strcpy(copy, name);
    cw_free(ctx, name);
}

/* -> list(path, target, kind): the absolute name, the same behind all links, and "nothing", "file", "folder" or
 * "device" */
SEXP cw_r_place_find(SEXP path)
{
    static const char *const kinds[] = {"nothing", "file", "folder", "device"};
    static const char *const parts[] = {"path", "target", "kind"};
    const char *name = cw_glue_path(path);
    cw_place_kind kind = CW_PLACE_NOTHING;
    char *place = R_alloc(NAME_BYTES, 1), *target = R_alloc(NAME_BYTES, 1);
    cw_ctx *ctx = cw_glue_enter(1);
    take_name(ctx, target, cw_place_find(ctx, &kind, name));
    take_name(ctx, place, cw_place_absolute(ctx, name));
    cw_glue_leave(ctx);
    SEXP out = PROTECT(cw_glue_list(3, parts));
    SET_VECTOR_ELT(out, 0, Rf_mkString(place));
    SET_VECTOR_ELT(out, 1, Rf_mkString(target));
    SET_VECTOR_ELT(out, 2, Rf_mkString(kinds[kind]));
    UNPROTECT(1);
    return out;
}

/* make: TRUE makes an empty file of the name that comes back */
SEXP cw_r_place_part(SEXP target, SEXP make)
{
    const char *name = cw_glue_path(target);
    char *part = R_alloc(NAME_BYTES, 1);
    cw_ctx *ctx = cw_glue_enter(1);
    take_name(ctx, part, cw_place_part(ctx, name, Rf_asLogical(make) == TRUE));
    cw_glue_leave(ctx);
    return Rf_mkString(part);
}

typedef struct found_list {
    char text[64][1024]; /* a handful in practice; the next call takes the rest */
    int n;
} found_list;

static void keep(void *user, const char *path)
{
    found_list *list = user;
    if (list->n < 64 && strlen(path) < sizeof list->text[0]) strcpy(list->text[list->n++], path);
}

/* names of what dead processes left beside the target */
SEXP cw_r_place_leftovers(SEXP target)
{
    const char *name = cw_glue_path(target);
    found_list *list = (found_list *)R_alloc(1, sizeof *list);
    list->n = 0;
    cw_ctx *ctx = cw_glue_enter(1);
    cw_place_leftovers(ctx, name, keep, list);
    cw_glue_leave(ctx);
    SEXP out = PROTECT(Rf_allocVector(STRSXP, list->n));
    for (int i = 0; i < list->n; i++) SET_STRING_ELT(out, i, Rf_mkChar(list->text[i]));
    UNPROTECT(1);
    return out;
}

/* replace: FALSE stops when something is at the target by now */
SEXP cw_r_place_commit(SEXP part, SEXP target, SEXP replace)
{
    const char *from = cw_glue_path(part), *to = cw_glue_path(target);
    cw_ctx *ctx = cw_glue_enter(1);
    cw_place_commit(ctx, from, to, Rf_asLogical(replace) == TRUE);
    cw_glue_leave(ctx);
    return R_NilValue;
}

/* files and folders, one after the other */
SEXP cw_r_place_sync(SEXP paths)
{
    R_xlen_t n = Rf_xlength(paths);
    const char **name = (const char **)R_alloc((size_t)n + 1, sizeof *name);
    for (R_xlen_t i = 0; i < n; i++) {
        SEXP one = PROTECT(Rf_ScalarString(STRING_ELT(paths, i)));
        name[i] = cw_glue_path(one);
        UNPROTECT(1);
    }
    cw_ctx *ctx = cw_glue_enter(1);
    for (R_xlen_t i = 0; i < n; i++) cw_place_sync(ctx, name[i]);
    cw_glue_leave(ctx);
    return R_NilValue;
}

/* TRUE: exchanged; FALSE: the system can't */
SEXP cw_r_place_swap(SEXP a, SEXP b)
{
    const char *one = cw_glue_path(a), *other = cw_glue_path(b);
    cw_ctx *ctx = cw_glue_enter(1);
    int done = cw_place_swap(ctx, one, other);
    cw_glue_leave(ctx);
    return Rf_ScalarLogical(done);
}
