/* r_model.c: models of every class: making, loading, saving, asking. Every entry point reads and checks R's values, creates
 * its result, runs the engine between cw_glue_resume and cw_glue_pause, copies out before the latter, which raises last. */
#include "r_model.h"

#include "../engine/io/json.h"

#include <string.h>

/* ---- names ---- */

const char *cw_glue_text(SEXP x, const char *what)
{
    if (TYPEOF(x) != STRSXP || Rf_xlength(x) != 1 || STRING_ELT(x, 0) == NA_STRING)
        Rf_error("'%s' must be one string", what);
    return Rf_translateCharUTF8(STRING_ELT(x, 0));
}

const cw_model_class *cw_glue_class(SEXP name)
{
    const cw_model_class *class = cw_model_class_named(cw_glue_text(name, "class"));
    if (!class) Rf_error("there is no model class '%s'", CHAR(STRING_ELT(name, 0)));
    return class;
}

const cw_task *cw_glue_task(const cw_model_class *class, SEXP name)
{
    const cw_task *task = cw_model_task(class, cw_glue_text(name, "task"));
    if (!task) Rf_error("a model of class %s has no task '%s'", class->name, CHAR(STRING_ELT(name, 0)));
    return task;
}

const cw_query *cw_glue_query(const cw_model_class *class, SEXP name)
{
    const cw_query *query = cw_model_query(class, cw_glue_text(name, "query"));
    if (!query) Rf_error("a model of class %s has no query '%s'", class->name, CHAR(STRING_ELT(name, 0)));
    return query;
}

void *cw_glue_filled(SEXP list, const cw_setting *table, size_t bytes)
{
    if (!table) {
        if (!Rf_isNull(list) && Rf_xlength(list) > 0) Rf_error("there are no settings to be given here");
        return NULL;
    }
    void *out = R_alloc(bytes, 1);
    memset(out, 0, bytes);
    cw_glue_settings(list, table, out);
    return out;
}

/* ---- what there is ---- */

SEXP cw_r_model_classes(void)
{
    int n = 0;
    while (cw_model_class_at(n)) n++;
    SEXP out = PROTECT(Rf_allocVector(STRSXP, n)), titles = PROTECT(Rf_allocVector(STRSXP, n));
    for (int i = 0; i < n; i++) {
        SET_STRING_ELT(titles, i, Rf_mkChar(cw_model_class_at(i)->title));
        SET_STRING_ELT(out, i, Rf_mkChar(cw_model_class_at(i)->name));
    }
    Rf_setAttrib(titles, R_NamesSymbol, out);
    UNPROTECT(2);
    return titles;
}

/* kind: "model", "optimizer", "task" or "query"; name: of the latter two */
SEXP cw_r_model_settings(SEXP class_, SEXP kind_, SEXP name)
{
    const cw_model_class *class = cw_glue_class(class_);
    const char *kind = cw_glue_text(kind_, "kind");
    static const cw_setting none[] = {{0}};
    const cw_setting *table = class->settings;
    if (strcmp(kind, "optimizer") == 0)
        table = cw_optimizer_settings;
    else if (strcmp(kind, "task") == 0)
        table = cw_glue_task(class, name)->settings;
    else if (strcmp(kind, "query") == 0)
        table = cw_glue_query(class, name)->settings;
    return cw_glue_settings_table(table ? table : none);
}

/* Of each preset a list of numbers. */
SEXP cw_r_model_presets(SEXP class_)
{
    const cw_preset *preset = cw_glue_class(class_)->presets;
    int n = 0;
    while (preset && preset[n].name) n++;
    SEXP list = PROTECT(Rf_allocVector(VECSXP, n)), names = PROTECT(Rf_allocVector(STRSXP, n));
    for (int i = 0; i < n; i++) {
        SET_STRING_ELT(names, i, Rf_mkChar(preset[i].name));
        SEXP value = Rf_allocVector(REALSXP, preset[i].count);
        SET_VECTOR_ELT(list, i, value);
        SEXP label = PROTECT(Rf_allocVector(STRSXP, preset[i].count));
        for (int64_t j = 0; j < preset[i].count; j++) {
            REAL(value)[j] = preset[i].option[j].number;
            SET_STRING_ELT(label, j, Rf_mkChar(preset[i].option[j].name));
        }
        Rf_setAttrib(value, R_NamesSymbol, label);
        UNPROTECT(1);
    }
    Rf_setAttrib(list, R_NamesSymbol, names);
    UNPROTECT(2);
    return list;
}

/* Names and usual weights of a task's terms. */
SEXP cw_r_model_terms(SEXP class_, SEXP task_)
{
    const cw_task *task = cw_glue_task(cw_glue_class(class_), task_);
    int n = cw_task_terms(task);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, n)), names = PROTECT(Rf_allocVector(STRSXP, n));
    for (int i = 0; i < n; i++) {
        REAL(out)[i] = (double)task->terms[i].weight;
        SET_STRING_ELT(names, i, Rf_mkChar(task->terms[i].name));
    }
    Rf_setAttrib(out, R_NamesSymbol, names);
    UNPROTECT(2);
    return out;
}

/* ---- handles ---- */

static void free_handle(cw_handle *h)
{
    cw_ctx *ctx = h->ctx;
    cw_trainer_free(h->trainer);
    cw_tape_free(h->tape);
    cw_model_free(h->model);
    cw_free(ctx, h);
}

static void finalize(SEXP ptr)
{
    cw_handle *h = R_ExternalPtrAddr(ptr);
    if (!h) return;
    R_ClearExternalPtr(ptr);
    cw_ctx *ctx = h->ctx;
    free_handle(h);
    cw_ctx_free(ctx);
}

cw_handle *cw_handle_of(SEXP ptr)
{
    if (TYPEOF(ptr) != EXTPTRSXP || R_ExternalPtrTag(ptr) != Rf_install("causeway_model"))
        Rf_error("this is not a causeway model");
    cw_handle *h = R_ExternalPtrAddr(ptr);
    if (!h)
        Rf_error("this model's memory is gone: it was restored from saveRDS() or an old session. "
                 "Use saveModel() and loadModel() to keep models");
    return h;
}

/* json: settings under their file names; unknown ones are refused */
SEXP cw_r_model_new(SEXP class_, SEXP json_, SEXP key_, SEXP threads_)
{
    const cw_model_class *class = cw_glue_class(class_);
    const char *json = cw_glue_text(json_, "config");
    uint64_t key = cw_glue_key(key_);
    SEXP ptr = PROTECT(R_MakeExternalPtr(NULL, Rf_install("causeway_model"), R_NilValue));
    R_RegisterCFinalizerEx(ptr, finalize, TRUE);
    cw_ctx *ctx = cw_glue_enter(Rf_asInteger(threads_));
    cw_handle *h = cw_calloc(ctx, 1, sizeof *h);
    cw_json *parsed = cw_json_parse(ctx, json, (int64_t)strlen(json));
    if (h && parsed) {
        int64_t n;
        h->ctx = ctx;
        cw_option *option = cw_json_options(ctx, parsed, &n);
        if (option) h->model = cw_model_make(ctx, class, option, n, 1, key);
        h->tape = cw_tape_new(ctx);
        cw_free(ctx, option);
    }
    cw_json_free(parsed);
    if (ctx->status != CW_OK) {
        if (h) h->ctx = ctx, free_handle(h);
        cw_glue_leave(ctx); /* raises */
    }
    R_SetExternalPtrAddr(ptr, h);
    cw_glue_pause(ctx);
    UNPROTECT(1);
    return ptr;
}

/* ---- tensors by name ---- */

SEXP cw_r_model_tensors(SEXP ptr)
{
    static const char *const names[] = {"name", "shape", "trainable"};
    const cw_params *params = &cw_handle_of(ptr)->model->params;
    SEXP list = PROTECT(cw_glue_list(3, names));
    SEXP name = Rf_allocVector(STRSXP, params->count);
    SET_VECTOR_ELT(list, 0, name);
    SEXP shape = Rf_allocVector(VECSXP, params->count);
    SET_VECTOR_ELT(list, 1, shape);
    SEXP trainable = Rf_allocVector(LGLSXP, params->count);
    SET_VECTOR_ELT(list, 2, trainable);
    for (int64_t i = 0; i < params->count; i++) {
        const cw_tensor *t = &params->item[i]->tensor;
        SET_STRING_ELT(name, i, Rf_mkChar(params->item[i]->name));
        SEXP dim = Rf_allocVector(INTSXP, t->ndim);
        SET_VECTOR_ELT(shape, i, dim);
        for (int j = 0; j < t->ndim; j++) INTEGER(dim)[j] = (int)t->dim[j];
        LOGICAL(trainable)[i] = params->item[i]->role == CW_WEIGHT;
    }
    UNPROTECT(1);
    return list;
}

static cw_tensor *tensor_called(cw_handle *h, SEXP name)
{
    const char *text = cw_glue_text(name, "name");
    cw_param *p = cw_params_find(&h->model->params, text);
    if (!p) Rf_error("the model has no tensor called '%s'", text);
    return &p->tensor;
}

SEXP cw_r_model_get(SEXP ptr, SEXP name)
{
    cw_handle *h = cw_handle_of(ptr);
    const cw_tensor *t = tensor_called(h, name);
    int64_t n = cw_count(t);
    SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
    float *x = (float *)R_alloc((size_t)n + 1, sizeof *x);
    cw_glue_resume(h->ctx);
    cw_param_get(h->ctx, t, x);
    cw_glue_pause(h->ctx);
    for (int64_t i = 0; i < n; i++) REAL(out)[i] = (double)x[i];
    UNPROTECT(1);
    return out;
}

SEXP cw_r_model_set(SEXP ptr, SEXP name, SEXP value)
{
    cw_handle *h = cw_handle_of(ptr);
    cw_tensor *t = tensor_called(h, name);
    int64_t n = cw_count(t);
    if (TYPEOF(value) != REALSXP || Rf_xlength(value) != n)
        Rf_error("'%s' takes %lld numbers", CHAR(STRING_ELT(name, 0)), (long long)n);
    float *x = (float *)R_alloc((size_t)n + 1, sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)REAL(value)[i];
    cw_glue_resume(h->ctx);
    cw_param_set(h->ctx, t, x);
    cw_glue_pause(h->ctx);
    return R_NilValue;
}

/* ---- files ---- */

static SEXP strings(char *const *text, int64_t n)
{
    SEXP out = PROTECT(Rf_allocVector(STRSXP, n));
    for (int64_t i = 0; i < n; i++) SET_STRING_ELT(out, i, Rf_mkCharCE(text[i], CE_UTF8));
    UNPROTECT(1);
    return out;
}

/* The report in R memory. Runs under R_ToplevelExec, for R may run out of memory while the report is the engine's. */
typedef struct {
    const cw_load_report *report;
    SEXP list;
} report_copy;

static void copy_report(void *data)
{
    report_copy *c = data;
    const cw_load_report *r = c->report;
    SET_VECTOR_ELT(c->list, 0, strings(r->missing_name, r->missing));
    SET_VECTOR_ELT(c->list, 1, strings(r->unexpected_name, r->unexpected));
    SET_VECTOR_ELT(c->list, 2, strings(r->misshapen_text, r->misshapen));
    SET_VECTOR_ELT(c->list, 3, Rf_ScalarInteger((int)r->loaded));
}

/* only: a pattern of names, or NULL */
SEXP cw_r_model_load(SEXP ptr, SEXP file, SEXP only)
{
    static const char *const names[] = {"missing", "unexpected", "misshapen", "loaded"};
    cw_handle *h = cw_handle_of(ptr);
    const char *path = cw_glue_text(file, "file"), *pattern = Rf_isNull(only) ? NULL : cw_glue_text(only, "only");
    SEXP list = PROTECT(cw_glue_list(4, names));
    cw_glue_resume(h->ctx);
    cw_load_report report;
    cw_params_load(&h->model->params, path, h->model->class->rules, pattern, &report);
    report_copy copy = {&report, list};
    if (h->ctx->status == CW_OK && !R_ToplevelExec(copy_report, &copy))
        cw_fail(h->ctx, CW_ERR_MEMORY, "no memory for the report of what was loaded");
    cw_load_report_free(&report);
    cw_glue_pause(h->ctx);
    UNPROTECT(1);
    return list;
}

SEXP cw_r_model_save(SEXP ptr, SEXP file, SEXP only)
{
    cw_handle *h = cw_handle_of(ptr);
    const char *path = cw_glue_text(file, "file"), *pattern = Rf_isNull(only) ? NULL : cw_glue_text(only, "only");
    cw_glue_resume(h->ctx);
    cw_params_save(&h->model->params, path, pattern);
    cw_glue_pause(h->ctx);
    return R_NilValue;
}

/* ---- inputs that stay, queries ---- */

SEXP cw_r_model_bind(SEXP ptr, SEXP inputs)
{
    cw_handle *h = cw_handle_of(ptr);
    int64_t n;
    const cw_array *array = cw_glue_arrays(inputs, &n);
    cw_glue_resume(h->ctx);
    cw_model_bind(h->model, array, n);
    cw_glue_pause(h->ctx);
    return R_NilValue;
}

SEXP cw_r_model_run(SEXP ptr, SEXP query_, SEXP inputs, SEXP settings, SEXP raw)
{
    cw_handle *h = cw_handle_of(ptr);
    const cw_query *query = cw_glue_query(h->model->class, query_);
    int64_t n;
    const cw_array *array = cw_glue_arrays(inputs, &n);
    const void *filled = cw_glue_filled(settings, query->settings, query->bytes);
    cw_shelf shelf = cw_glue_shelf();
    PROTECT(shelf.shelf);
    cw_sink sink = cw_glue_sink(&shelf);
    cw_glue_resume(h->ctx);
    cw_model_run(h->model, h->tape, query, array, n, filled, &sink);
    cw_glue_pause(h->ctx);
    SEXP list = cw_glue_shelf_list(&shelf, Rf_asLogical(raw) == 1);
    UNPROTECT(1);
    return list;
}

/* ---- forecasts ---- */

typedef struct {
    int64_t cells, genes, tfs, length;
    int train;
} sizes;

static const cw_setting size_settings[] = {CW_SET_INT(sizes, cells, "cells", NULL, 0, 0, 9e15, "cells of a batch"),
                                           CW_SET_INT(sizes, genes, "genes", NULL, 0, 0, 9e15, "genes of a cell"),
                                           CW_SET_INT(sizes, tfs, "tfs", NULL, 0, 0, 9e15, "factors among them"),
                                           CW_SET_INT(sizes, length, "length", NULL, 0, 0, 9e15, "of a sequence"),
                                           CW_SET_FLAG(sizes, train, "train", NULL, 0, "with gradients and moments"),
                                           {0}};

/* Bytes; NA where the class has no forecast. */
SEXP cw_r_model_forecast(SEXP ptr, SEXP sizes_)
{
    const cw_model *m = cw_handle_of(ptr)->model;
    const sizes *s = cw_glue_filled(sizes_, size_settings, sizeof *s);
    const cw_sizes wanted = {s->cells, s->genes, s->tfs, s->length, s->train};
    return Rf_ScalarReal(m->class->forecast ? m->class->forecast(m, &wanted) : NA_REAL);
}

SEXP cw_r_memory(SEXP ptr)
{
    static const char *const names[] = {"bytes", "peak", "calls", "threads"};
    const cw_ctx *ctx = cw_handle_of(ptr)->ctx;
    const cw_memory *m = &ctx->memory;
    SEXP out = PROTECT(Rf_allocVector(REALSXP, 4)), labels = PROTECT(Rf_allocVector(STRSXP, 4));
    const double values[] = {(double)m->bytes, (double)m->peak, (double)m->calls, ctx->threads};
    for (int i = 0; i < 4; i++) {
        REAL(out)[i] = values[i];
        SET_STRING_ELT(labels, i, Rf_mkChar(names[i]));
    }
    Rf_setAttrib(out, R_NamesSymbol, labels);
    UNPROTECT(2);
    return out;
}
