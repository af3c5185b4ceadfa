/* r_common.c: between R and the engine: contexts, callbacks, and how errors become R's. */
#include "glue.h"

#include "../engine/core/threads.h"
#include "../engine/kernels/kernels.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- SIGTERM ----
 *
 * What a cluster sends before it kills. While it is watched the signal is noted only: the engine stops as for Ctrl-C, and
 * R looks between steps. */
static volatile sig_atomic_t told;
static struct sigaction before;
static int watching;

static void note_signal(int number)
{
    (void)number;
    told = 1;
}

/* TRUE: watch; FALSE: the signal does again what it did. */
SEXP cw_r_signal_watch(SEXP yes)
{
    int on = Rf_asLogical(yes) == 1;
    if (on && !watching) {
        struct sigaction act;
        memset(&act, 0, sizeof act);
        act.sa_handler = note_signal;
        act.sa_flags = SA_RESTART;
        sigemptyset(&act.sa_mask);
        told = 0;
        watching = sigaction(SIGTERM, &act, &before) == 0;
    } else if (!on && watching) {
        sigaction(SIGTERM, &before, NULL);
        watching = 0;
    }
    return Rf_ScalarLogical(watching);
}

/* Has it come since it is watched? */
SEXP cw_r_signal_seen(void) { return Rf_ScalarLogical(told != 0); }

/* ---- callbacks ---- */

static int informed; /* of level 1, by the call at work */

void cw_glue_inform(int yes) { informed = yes; }

static void host_log(void *user, int level, const char *text)
{
    (void)user;
    if (level >= 2 || (level == 1 && informed)) REprintf("causeway: %s\n", text); /* R warnings may jump; the R side repeats what matters as one */
}

static void check_interrupt(void *unused)
{
    (void)unused;
    R_CheckUserInterrupt();
}

/* 0 without a clock */
static double seconds_now(void)
{
    struct timespec now;
    return timespec_get(&now, TIME_UTC) == TIME_UTC ? (double)now.tv_sec + 1e-9 * (double)now.tv_nsec : 0;
}

/* With CW_COLLECT_AT_POLLS (a build of the tests) R collects its garbage while the engine works, so that what an entry
 * point hasn't protected is lost: at the first poll of each call (0.05 s after the last time), when all that the entry
 * point holds is there, and then for a tenth of the time, for what callbacks make. */
#ifdef CW_COLLECT_AT_POLLS
static int call_is_new = 1;

static void collect_at_poll(void)
{
    static double last, took;
    double start = seconds_now(), rest = call_is_new ? 0.05 : 9 * took;
    if (start - last < rest && start >= last) return;
    call_is_new = 0;
    R_gc();
    last = seconds_now();
    took = last - start;
}
#endif

/* Asks R at most 20 times a second: the engine polls after every operation. */
static int host_interrupted(void *user)
{
    static double last;
    (void)user;
    if (watching && told) return 1;
#ifdef CW_COLLECT_AT_POLLS
    collect_at_poll();
#endif
    double seconds = seconds_now();
    if (seconds > 0 && seconds - last < 0.05 && seconds >= last) return 0;
    last = seconds;
    return !R_ToplevelExec(check_interrupt, NULL);
}

static void collect(void *unused)
{
    (void)unused;
    R_gc();
}

/* Finalizers of models that nothing points at give their memory back. Collecting is safe here, as it is in
 * host_interrupted, where R may run event handlers: what an entry point made is protected before it enters the engine
 * (`make test` has a build that collects at every poll); R_ToplevelExec catches jumps; and a handler or finalizer that
 * calls causeway again gets a context of its own, since cw_glue_resume refuses one that is at work. */
static int host_pressure(void *user, int64_t bytes)
{
    (void)user, (void)bytes;
    R_ToplevelExec(collect, NULL);
    return 1;
}

/* ---- options ---- */

static int option_threads(void)
{
    SEXP x = Rf_GetOption1(Rf_install("causeway.threads"));
    int n = Rf_isNumeric(x) && Rf_xlength(x) == 1 ? Rf_asInteger(x) : 0;
    return n == NA_INTEGER || n < 0 ? 0 : n;
}

static int option_tune(void)
{
    SEXP x = Rf_GetOption1(Rf_install("causeway.tuneBLAS"));
    return !(Rf_isLogical(x) && Rf_xlength(x) == 1 && LOGICAL(x)[0] == 0);
}

/* ---- entering and leaving ---- */

void cw_glue_resume(cw_ctx *ctx)
{
    if (ctx->entered)
        Rf_error("this model is at work in a call that has not ended; an event handler or finalizer can't use it now");
    ctx->entered = 1;
#ifdef CW_COLLECT_AT_POLLS
    call_is_new = 1;
#endif
    cw_ctx_clear(ctx);
    cw_blas_tune(option_tune()); /* once in a session; later calls return at once */
    ctx->kernels = cw_kernels_select(NULL);
    ctx->threads = cw_threads_usable(ctx->threads);
    ctx->blas_before = cw_blas_enter();
}

cw_ctx *cw_glue_enter(int threads)
{
    const cw_host host = {NULL, host_log, host_interrupted, host_pressure};
    int wanted = threads > 0 ? threads : option_threads();
    cw_ctx *ctx = cw_ctx_new(&host);
    if (!ctx) Rf_error("there is no memory left for the engine to start");
    cw_glue_resume(ctx);
    ctx->threads = cw_threads_resolve(wanted);
    return ctx;
}

/* Raises through causeway's own R function, so that the condition has a class; it does not return. */
static void raise_status(cw_status status, const char *text)
{
    SEXP name = PROTECT(Rf_mkString("causeway"));
    SEXP find = PROTECT(Rf_lang2(Rf_install("getNamespace"), name));
    SEXP space = PROTECT(Rf_eval(find, R_BaseEnv));
    SEXP kind = PROTECT(Rf_mkString(cw_status_name(status)));
    SEXP message = PROTECT(Rf_mkString(text));
    SEXP call = PROTECT(Rf_lang3(Rf_install(".raiseEngineError"), kind, message));
    Rf_eval(call, space);
    UNPROTECT(6);
    Rf_error("%s", text);
}

void cw_glue_leave(cw_ctx *ctx)
{
    cw_status status = ctx->status;
    char text[sizeof ctx->text];
    memcpy(text, ctx->text, sizeof text);
    cw_blas_leave(ctx->blas_before);
    cw_ctx_free(ctx);
    informed = 0;
    if (status != CW_OK) raise_status(status, text);
}

void cw_glue_pause(cw_ctx *ctx)
{
    cw_status status = ctx->status;
    char text[sizeof ctx->text];
    memcpy(text, ctx->text, sizeof text);
    cw_ctx_clear(ctx);
    cw_blas_leave(ctx->blas_before);
    ctx->entered = 0;
    if (status != CW_OK) raise_status(status, text);
}

/* ---- lists ---- */

SEXP cw_glue_get(SEXP list, const char *name)
{
    if (TYPEOF(list) != VECSXP) return R_NilValue;
    SEXP names = Rf_getAttrib(list, R_NamesSymbol);
    for (R_xlen_t i = 0; i < Rf_xlength(names); i++)
        if (strcmp(CHAR(STRING_ELT(names, i)), name) == 0) return VECTOR_ELT(list, i);
    return R_NilValue;
}

double cw_glue_number(SEXP list, const char *name, double fallback)
{
    SEXP x = cw_glue_get(list, name);
    return (Rf_isNumeric(x) || Rf_isLogical(x)) && Rf_xlength(x) == 1 ? Rf_asReal(x) : fallback;
}

SEXP cw_glue_list(int n, const char *const *names)
{
    SEXP list = PROTECT(Rf_allocVector(VECSXP, n)), labels = PROTECT(Rf_allocVector(STRSXP, n));
    for (int i = 0; i < n; i++) SET_STRING_ELT(labels, i, Rf_mkChar(names[i]));
    Rf_setAttrib(list, R_NamesSymbol, labels);
    UNPROTECT(2);
    return list;
}

void cw_glue_need_columns(SEXP p, SEXP i, SEXP x, int64_t rows, int64_t columns)
{
    int good = TYPEOF(p) == INTSXP && TYPEOF(i) == INTSXP && TYPEOF(x) == REALSXP && columns >= 0 && rows >= 0 &&
               Rf_xlength(p) - 1 == columns && Rf_xlength(i) == Rf_xlength(x) && INTEGER(p)[0] == 0 &&
               INTEGER(p)[columns] == Rf_xlength(i);
    const int *start = good ? INTEGER(p) : NULL, *row = good ? INTEGER(i) : NULL;
    for (int64_t j = 0; good && j < columns; j++) good = start[j] <= start[j + 1];
    for (R_xlen_t e = 0; good && e < Rf_xlength(i); e++) good = row[e] >= 0 && row[e] < rows;
    if (!good) Rf_error("a sparse matrix is damaged or was built by hand: its column starts, rows and values disagree");
}

const char *cw_glue_path(SEXP path)
{
    if (TYPEOF(path) != STRSXP || Rf_xlength(path) != 1 || STRING_ELT(path, 0) == NA_STRING)
        Rf_error("internal error: a path is needed");
    const char *name = R_ExpandFileName(Rf_translateChar(STRING_ELT(path, 0)));
    char *copy = R_alloc(strlen(name) + 1, 1); /* R's own buffer is used again */
    return strcpy(copy, name);
}

uint64_t cw_glue_key(SEXP key)
{
    if (TYPEOF(key) != REALSXP || Rf_xlength(key) != 2) Rf_error("internal error: a random key must be two numbers");
    const double *x = REAL(key);
    for (int i = 0; i < 2; i++)
        if (!(x[i] >= 0 && x[i] < 4294967296.0)) Rf_error("internal error: half of a random key is %g", x[i]);
    return (uint64_t)x[0] << 32 | (uint64_t)x[1];
}

/* ---- options by table ---- */

const cw_option *cw_glue_options(SEXP list, int64_t *n)
{
    *n = 0;
    if (Rf_isNull(list)) return NULL;
    SEXP names = Rf_getAttrib(list, R_NamesSymbol);
    if (TYPEOF(list) != VECSXP || (Rf_xlength(list) > 0 && Rf_xlength(names) != Rf_xlength(list)))
        Rf_error("internal error: options must be a named list");
    cw_option *option = (cw_option *)R_alloc((size_t)Rf_xlength(list) + 1, sizeof *option);
    for (R_xlen_t i = 0; i < Rf_xlength(list); i++) {
        SEXP x = VECTOR_ELT(list, i);
        const char *name = CHAR(STRING_ELT(names, i));
        if (Rf_isNull(x)) continue;
        if (Rf_xlength(x) != 1 || !(Rf_isNumeric(x) || Rf_isLogical(x) || Rf_isString(x)))
            Rf_error("the option '%s' must be one number, TRUE or FALSE, or one string", name);
        cw_option o = {.name = name, .text = NULL, .number = 0};
        if (Rf_isString(x))
            o.text = Rf_translateCharUTF8(STRING_ELT(x, 0));
        else
            o.number = Rf_asReal(x); /* NA becomes NaN, which no range holds */
        option[(*n)++] = o;
    }
    return option;
}

void cw_glue_settings(SEXP list, const cw_setting *table, void *out)
{
    int64_t n;
    char why[256];
    const cw_option *option = cw_glue_options(list, &n);
    if (cw_settings_fill(table, out, option, n, 1, why, sizeof why) != CW_OK) Rf_error("%s", why);
}

SEXP cw_glue_settings_table(const cw_setting *table)
{
    static const char *const columns[] = {"name", "argument", "type", "default", "min", "max", "open", "choices", "help"};
    static const char *const types[] = {"integer", "number", "number", "flag", "choice", "text"};
    int n = (int)cw_settings_count(table);
    SEXP list = PROTECT(cw_glue_list(9, columns));
    for (int j = 0; j < 9; j++) {
        int numeric = j >= 3 && j <= 6;
        SET_VECTOR_ELT(list, j, Rf_allocVector(numeric ? REALSXP : STRSXP, n));
    }
    for (int i = 0; i < n; i++) {
        const cw_setting *s = &table[i];
        const char *text[] = {s->name, s->argument ? s->argument : s->name, types[s->type]};
        const double number[] = {s->fallback, s->min, s->max, s->open};
        for (int j = 0; j < 3; j++) SET_STRING_ELT(VECTOR_ELT(list, j), i, Rf_mkChar(text[j]));
        for (int j = 0; j < 4; j++) REAL(VECTOR_ELT(list, 3 + j))[i] = number[j];
        SET_STRING_ELT(VECTOR_ELT(list, 7), i, Rf_mkChar(s->choices ? s->choices : ""));
        SET_STRING_ELT(VECTOR_ELT(list, 8), i, Rf_mkCharCE(s->help ? s->help : "", CE_UTF8));
    }
    UNPROTECT(1);
    return list;
}

/* ---- what entry points have in common ---- */

const double *cw_glue_grid(SEXP grids, const char *name, int64_t *n)
{
    SEXP x = cw_glue_get(grids, name);
    if (TYPEOF(x) != REALSXP || Rf_xlength(x) < 1) Rf_error("internal error: the grid '%s' must be numbers", name);
    *n = Rf_xlength(x);
    return REAL(x);
}

int cw_glue_threads(SEXP threads)
{
    int n = Rf_asInteger(threads);
    return n == NA_INTEGER || n < 0 ? 0 : n;
}

float *cw_glue_dense(cw_ctx *ctx, SEXP p, SEXP i, SEXP x, int64_t rows, int64_t columns, int by_row)
{
    const int *start = INTEGER(p), *row = INTEGER(i);
    const double *value = REAL(x);
    float *out = cw_calloc(ctx, rows * columns, sizeof *out);
    for (int64_t c = 0; out && c < columns && cw_poll(ctx) == CW_OK; c++)
        for (int e = start[c]; e < start[c + 1]; e++)
            out[by_row ? row[e] * columns + c : c * rows + row[e]] = (float)value[e];
    return out;
}

SEXP cw_glue_make(int n, const cw_glue_part *part)
{
    SEXP out = PROTECT(Rf_allocVector(VECSXP, n)), names = PROTECT(Rf_allocVector(STRSXP, n));
    for (int i = 0; i < n; i++) {
        int64_t size = part[i].columns < 0 ? part[i].rows : part[i].rows * part[i].columns;
        SEXP x = part[i].columns < 0 ? Rf_allocVector(part[i].type, (R_xlen_t)size)
                                     : Rf_allocMatrix(part[i].type, (int)part[i].rows, (int)part[i].columns);
        SET_VECTOR_ELT(out, i, x);
        SET_STRING_ELT(names, i, Rf_mkChar(part[i].name));
        if (size > 0 && part[i].type == INTSXP) memset(INTEGER(x), 0, (size_t)size * sizeof(int));
        if (size > 0 && part[i].type == REALSXP) memset(REAL(x), 0, (size_t)size * sizeof(double));
    }
    Rf_setAttrib(out, R_NamesSymbol, names);
    UNPROTECT(2);
    return out;
}

SEXP cw_glue_return(cw_ctx *ctx, SEXP out)
{
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return out;
}
