/* r_files.c: digests of files. */
#include "glue.h"

#include "../engine/io/sha256.h"

/* path: a file's name, expanded. Its SHA-256 in hexadecimal. */
SEXP cw_r_sha256(SEXP path)
{
    char text[65];
    if (TYPEOF(path) != STRSXP || Rf_xlength(path) != 1) Rf_error("internal error: a digest needs one path");
    cw_ctx *ctx = cw_glue_enter(1);
    cw_sha256_file(ctx, text, CHAR(STRING_ELT(path, 0)));
    cw_glue_leave(ctx);
    return Rf_mkString(text);
}
