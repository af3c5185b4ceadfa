/* r_wordpiece.c: .Call entry point of BERT's tokenizer. */
#include "glue.h"

#include "../engine/io/wordpiece.h"

#include <string.h>

typedef struct made {
    const cw_tokens *tokens;
    const int64_t *start; /* (texts + 1) */
    R_xlen_t texts;
    int64_t size;
    SEXP list;
} made;

static void copy_out(void *data)
{
    const made *m = data;
    SEXP id = Rf_allocVector(INTSXP, m->tokens->n);
    SET_VECTOR_ELT(m->list, 0, id);
    SEXP type = Rf_allocVector(INTSXP, m->tokens->n);
    SET_VECTOR_ELT(m->list, 1, type);
    SEXP length = Rf_allocVector(INTSXP, m->texts);
    SET_VECTOR_ELT(m->list, 2, length);
    for (int64_t i = 0; i < m->tokens->n; i++) INTEGER(id)[i] = m->tokens->id[i], INTEGER(type)[i] = m->tokens->type[i];
    for (R_xlen_t i = 0; i < m->texts; i++) INTEGER(length)[i] = (int)(m->start[i + 1] - m->start[i]);
    SET_VECTOR_ELT(m->list, 3, Rf_ScalarReal((double)m->size));
}

/* vocab: a vocab.txt; texts, pairs: strings in UTF-8 (pairs may be NULL); most: tokens of a sequence, 0: no limit;
 * how: 0 longest first, 1 only the first, 2 only the second -> list(id, type, length, size) */
SEXP cw_r_wordpiece(SEXP vocab, SEXP lower, SEXP texts, SEXP pairs, SEXP most, SEXP how)
{
    static const char *const parts[] = {"id", "type", "length", "size"};
    const char *path = cw_glue_path(vocab);
    R_xlen_t n = Rf_xlength(texts);
    if (TYPEOF(texts) != STRSXP || (!Rf_isNull(pairs) && (TYPEOF(pairs) != STRSXP || Rf_xlength(pairs) != n)))
        Rf_error("internal error: texts must be strings");
    const char **text = (const char **)R_alloc((size_t)n + 1, sizeof *text);
    const char **pair = (const char **)R_alloc((size_t)n + 1, sizeof *pair);
    for (R_xlen_t i = 0; i < n; i++) {
        text[i] = CHAR(STRING_ELT(texts, i));
        pair[i] = Rf_isNull(pairs) ? NULL : CHAR(STRING_ELT(pairs, i));
    }
    int64_t *start = (int64_t *)R_alloc((size_t)n + 1, sizeof *start), limit = Rf_asInteger(most);
    int is_lower = Rf_asLogical(lower) == TRUE, cut = Rf_asInteger(how);
    SEXP out = PROTECT(cw_glue_list(4, parts));
    cw_ctx *ctx = cw_glue_enter(1);
    cw_wordpiece *w = cw_wordpiece_read(ctx, path, is_lower);
    cw_tokens tokens = {0};
    for (R_xlen_t i = 0; w && i < n && ctx->status == CW_OK; i++) {
        start[i] = tokens.n;
        cw_wordpiece_add(ctx, w, &tokens, text[i], pair[i], limit, (cw_truncation)cut);
        if (i % 1024 == 1023) cw_poll(ctx);
    }
    start[n] = tokens.n;
    made m = {&tokens, start, n, w ? cw_wordpiece_size(w) : 0, out};
    if (ctx->status == CW_OK && !R_ToplevelExec(copy_out, &m)) cw_fail(ctx, CW_ERR_MEMORY, "no memory for the tokens");
    cw_tokens_free(ctx, &tokens);
    cw_wordpiece_free(w);
    return cw_glue_return(ctx, out);
}
