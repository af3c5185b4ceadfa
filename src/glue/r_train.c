/* r_train.c: training steps of every class. R drives epochs, order and stopping; one call is one micro-batch or one update. */
#include "r_model.h"

#include "../engine/train/checkpoint.h"

#include <math.h>
#include <string.h>

/* ---- reading what R gives ---- */

/* Named numbers in place of the weights of those terms; the others stay. */
static void read_weights(const cw_task *task, SEXP weights, float *out)
{
    if (Rf_isNull(weights)) return;
    SEXP names = Rf_getAttrib(weights, R_NamesSymbol);
    if (TYPEOF(weights) != REALSXP || (Rf_xlength(weights) > 0 && Rf_xlength(names) != Rf_xlength(weights)))
        Rf_error("internal error: weights must be named numbers");
    for (R_xlen_t i = 0; i < Rf_xlength(weights); i++) {
        const char *name = CHAR(STRING_ELT(names, i));
        int at = cw_task_term(task, name);
        if (at < 0) Rf_error("the task '%s' has no loss called '%s'", task->name, name);
        if (!isfinite(REAL(weights)[i])) Rf_error("the weight of the loss '%s' is not a number", name);
        out[at] = (float)REAL(weights)[i];
    }
}

static SEXP column(SEXP list, const char *name, SEXPTYPE type, R_xlen_t n)
{
    SEXP x = cw_glue_get(list, name);
    if ((SEXPTYPE)TYPEOF(x) != type || Rf_xlength(x) != n)
        Rf_error("internal error: groups$%s must have one entry per group", name);
    return x;
}

/* A list of columns match, lr, weightDecay (NA: the run's own), frozen; or NULL. */
static const cw_group *read_groups(SEXP groups, int *n)
{
    *n = 0;
    if (Rf_isNull(groups)) return NULL;
    R_xlen_t count = Rf_xlength(cw_glue_get(groups, "match"));
    SEXP match = column(groups, "match", STRSXP, count), lr = column(groups, "lr", REALSXP, count),
         decay = column(groups, "weightDecay", REALSXP, count), frozen = column(groups, "frozen", LGLSXP, count);
    cw_group *group = (cw_group *)R_alloc((size_t)count + 1, sizeof *group);
    for (R_xlen_t i = 0; i < count; i++)
        group[i] = (cw_group){CHAR(STRING_ELT(match, i)), ISNAN(REAL(lr)[i]) ? NAN : (float)REAL(lr)[i],
                              ISNAN(REAL(decay)[i]) ? NAN : (float)REAL(decay)[i], LOGICAL(frozen)[i] == 1};
    *n = (int)count;
    return group;
}

static cw_trainer *trainer_of(cw_handle *h)
{
    if (!h->trainer) Rf_error("internal error: training has not begun");
    return h->trainer;
}

/* A trainer as R describes it. Reads before the engine is entered, makes it within. */
typedef struct {
    const cw_task *task;
    cw_optimizer optimizer;
    const void *settings;
    float weight[CW_MAX_TERMS];
    const cw_group *group;
    int groups;
} plan;

static plan read_plan(cw_handle *h, SEXP task, SEXP optimizer, SEXP settings, SEXP weights, SEXP groups)
{
    plan p = {.task = cw_glue_task(h->model->class, task)};
    cw_glue_settings(optimizer, cw_optimizer_settings, &p.optimizer);
    p.settings = cw_glue_filled(settings, p.task->settings, p.task->bytes);
    for (int i = 0; i < cw_task_terms(p.task); i++) p.weight[i] = p.task->terms[i].weight;
    read_weights(p.task, weights, p.weight);
    p.group = read_groups(groups, &p.groups);
    return p;
}

static cw_trainer *make(cw_handle *h, const plan *p, uint64_t key)
{
    return cw_trainer_new(h->model, h->tape, p->task, &p->optimizer, p->settings, p->group, p->groups, p->weight, key);
}

/* ---- results ---- */

static SEXP numbers(int n, const char *const *names)
{
    SEXP out = PROTECT(Rf_allocVector(REALSXP, n)), labels = PROTECT(Rf_allocVector(STRSXP, n));
    for (int i = 0; i < n; i++) SET_STRING_ELT(labels, i, Rf_mkChar(names[i]));
    Rf_setAttrib(out, R_NamesSymbol, labels);
    UNPROTECT(2);
    return out;
}

static int reports_of(const cw_task *task)
{
    int n = 0;
    while (task->reports && task->reports[n]) n++;
    return n;
}

/* list(value, weighted, report, total); numbers are filled in by copy_report. */
static SEXP loss_list(const cw_task *task)
{
    static const char *const parts[] = {"value", "weighted", "report", "total"};
    const char *names[CW_MAX_TERMS];
    for (int i = 0; i < cw_task_terms(task); i++) names[i] = task->terms[i].name;
    SEXP list = PROTECT(cw_glue_list(4, parts));
    SET_VECTOR_ELT(list, 0, numbers(cw_task_terms(task), names));
    SET_VECTOR_ELT(list, 1, numbers(cw_task_terms(task), names));
    SET_VECTOR_ELT(list, 2, numbers(reports_of(task), task->reports));
    SET_VECTOR_ELT(list, 3, Rf_ScalarReal(NA_REAL));
    UNPROTECT(1);
    return list;
}

static void copy_report(SEXP list, const cw_task *task, const cw_step_report *r)
{
    size_t terms = (size_t)cw_task_terms(task) * sizeof(double);
    memcpy(REAL(VECTOR_ELT(list, 0)), r->value, terms);
    memcpy(REAL(VECTOR_ELT(list, 1)), r->weighted, terms);
    memcpy(REAL(VECTOR_ELT(list, 2)), r->report, (size_t)reports_of(task) * sizeof(double));
    REAL(VECTOR_ELT(list, 3))[0] = r->total;
}

/* ---- steps ---- */

SEXP cw_r_train_begin(SEXP ptr, SEXP task, SEXP optimizer, SEXP settings, SEXP weights, SEXP groups, SEXP key_)
{
    cw_handle *h = cw_handle_of(ptr);
    uint64_t key = cw_glue_key(key_);
    plan p = read_plan(h, task, optimizer, settings, weights, groups);
    cw_glue_resume(h->ctx);
    cw_trainer *fresh = make(h, &p, key);
    if (fresh) {
        cw_trainer_free(h->trainer);
        h->trainer = fresh;
    }
    cw_glue_pause(h->ctx);
    return R_NilValue;
}

typedef struct {
    int64_t micro;
    float grad_weight;
    int last;
} micro_options;

static const cw_setting micro_settings[] = {
    CW_SET_INT(micro_options, micro, "micro", NULL, 0, 0, 1e12, "number of the micro-batch within the step"),
    CW_SET_REAL(micro_options, grad_weight, "gradWeight", NULL, 1, 0, 1e6, 0, "weight of its gradient"),
    CW_SET_FLAG(micro_options, last, "last", NULL, 0, "the update follows"),
    {0}};

/* weights: of single terms, for this call, or NULL. inputs NULL: this process has no cells in a micro-batch of others. */
SEXP cw_r_train_micro(SEXP ptr, SEXP inputs, SEXP options, SEXP weights)
{
    cw_handle *h = cw_handle_of(ptr);
    cw_trainer *trainer = trainer_of(h);
    int64_t n;
    const cw_array *array = cw_glue_arrays(inputs, &n);
    micro_options o;
    float weight[CW_MAX_TERMS];
    cw_glue_settings(options, micro_settings, &o);
    memcpy(weight, trainer->weight, sizeof weight);
    read_weights(trainer->task, weights, weight);
    SEXP out = PROTECT(loss_list(trainer->task));
    cw_glue_resume(h->ctx);
    if (o.micro < trainer->comm->size) cw_trainer_abandon(trainer); /* what a stopped step may have left */
    trainer->last = o.last;
    cw_step_report r;
    if (Rf_isNull(inputs)) cw_trainer_idle(trainer, weight, &r);
    else cw_trainer_micro(trainer, array, n, o.micro, weight, o.grad_weight, &r);
    if (h->ctx->status != CW_OK) cw_trainer_abandon(trainer);
    copy_report(out, trainer->task, &r);
    cw_glue_pause(h->ctx);
    UNPROTECT(1);
    return out;
}

SEXP cw_r_train_apply(SEXP ptr)
{
    static const char *const names[] = {"gradNorm", "lr", "step", "discarded", "dropped"};
    cw_handle *h = cw_handle_of(ptr);
    cw_trainer *tr = trainer_of(h);
    int terms = cw_task_terms(tr->task);
    SEXP out = PROTECT(cw_glue_list(5, names));
    for (int i = 0; i < 4; i++) SET_VECTOR_ELT(out, i, Rf_allocVector(REALSXP, 1));
    const char *labels[CW_MAX_TERMS];
    for (int i = 0; i < terms; i++) labels[i] = tr->task->terms[i].name;
    SET_VECTOR_ELT(out, 4, numbers(terms, labels));
    cw_glue_resume(h->ctx);
    cw_step_report r;
    cw_trainer_apply(tr, &r);
    const double values[] = {r.grad_norm, r.lr, (double)r.step, r.discarded};
    for (int i = 0; i < 4; i++) REAL(VECTOR_ELT(out, i))[0] = values[i];
    for (int i = 0; i < terms; i++) REAL(VECTOR_ELT(out, 4))[i] = tr->dropped[i];
    cw_glue_pause(h->ctx);
    UNPROTECT(1);
    return out;
}

/* Losses and gradients of one batch, without a step; not during a training run, whose gradients it would overwrite. */
SEXP cw_r_train_gradients(SEXP ptr, SEXP task, SEXP inputs, SEXP settings, SEXP weights)
{
    static const char *const names[] = {"losses", "gradients"};
    cw_handle *h = cw_handle_of(ptr);
    cw_params *params = &h->model->params;
    int64_t n;
    const cw_array *array = cw_glue_arrays(inputs, &n);
    plan p = read_plan(h, task, R_NilValue, settings, weights, R_NilValue);
    SEXP list = PROTECT(cw_glue_list(2, names));
    SET_VECTOR_ELT(list, 0, loss_list(p.task));
    SEXP gradients = Rf_allocVector(VECSXP, params->count);
    SET_VECTOR_ELT(list, 1, gradients);
    SEXP labels = PROTECT(Rf_allocVector(STRSXP, params->count));
    Rf_setAttrib(gradients, R_NamesSymbol, labels);
    int64_t most = 1;
    for (int64_t i = 0; i < params->count; i++) {
        const cw_param *q = params->item[i];
        SET_STRING_ELT(labels, i, Rf_mkChar(q->name));
        if (q->role == CW_WEIGHT) SET_VECTOR_ELT(gradients, i, Rf_allocVector(REALSXP, cw_count(&q->tensor)));
        if (cw_count(&q->tensor) > most) most = cw_count(&q->tensor);
    }
    float *x = (float *)R_alloc((size_t)most, sizeof *x);
    cw_glue_resume(h->ctx);
    cw_step_report r = {.total = 0};
    cw_trainer *trainer = make(h, &p, 0);
    if (trainer) cw_trainer_micro(trainer, array, n, 0, NULL, 1.0f, &r);
    if (h->ctx->status == CW_OK) cw_params_mute_gradients(params);
    for (int64_t i = 0; i < params->count && h->ctx->status == CW_OK; i++) {
        if (!params->item[i]->tensor.needs_grad) continue;
        cw_param_gradient(h->ctx, &params->item[i]->tensor, x);
        double *g = REAL(VECTOR_ELT(gradients, i));
        for (int64_t j = 0; j < cw_count(&params->item[i]->tensor); j++) g[j] = (double)x[j];
    }
    copy_report(VECTOR_ELT(list, 0), p.task, &r);
    if (trainer) cw_trainer_abandon(trainer);
    cw_trainer_free(trainer);
    cw_glue_pause(h->ctx);
    UNPROTECT(2);
    return list;
}

/* ---- checkpoints ---- */

/* pairs: named strings that are kept with the run */
SEXP cw_r_train_save(SEXP ptr, SEXP dir, SEXP keep, SEXP pairs)
{
    cw_handle *h = cw_handle_of(ptr);
    cw_trainer *trainer = trainer_of(h);
    const char *path = cw_glue_text(dir, "dir");
    SEXP names = Rf_getAttrib(pairs, R_NamesSymbol);
    R_xlen_t n = TYPEOF(pairs) == STRSXP ? Rf_xlength(pairs) : 0;
    if (n > 0 && Rf_xlength(names) != n) Rf_error("internal error: pairs must be named strings");
    cw_safetensors_pair *pair = (cw_safetensors_pair *)R_alloc((size_t)n + 1, sizeof *pair);
    for (R_xlen_t i = 0; i < n; i++)
        pair[i] = (cw_safetensors_pair){CHAR(STRING_ELT(names, i)), Rf_translateCharUTF8(STRING_ELT(pairs, i))};
    int count = Rf_asInteger(keep);
    cw_glue_resume(h->ctx);
    cw_checkpoint_save(trainer, path, count, pair, n);
    cw_glue_pause(h->ctx);
    return R_NilValue;
}

SEXP cw_r_train_load(SEXP ptr, SEXP file)
{
    cw_handle *h = cw_handle_of(ptr);
    cw_trainer *trainer = trainer_of(h);
    const char *path = cw_glue_text(file, "file");
    cw_glue_resume(h->ctx);
    cw_checkpoint_load(trainer, path);
    cw_glue_pause(h->ctx);
    return R_NilValue;
}

/* The last checkpoint in a folder, or NULL. */
SEXP cw_r_train_latest(SEXP dir)
{
    char path[4096];
    return cw_checkpoint_latest(cw_glue_text(dir, "dir"), path, sizeof path) ? Rf_mkString(path) : R_NilValue;
}

/* A text in R memory. Runs under R_ToplevelExec, for R may run out of memory while the text is the engine's. */
typedef struct {
    const char *text;
    SEXP shelf;
} text_copy;

static void copy_text(void *data)
{
    text_copy *c = data;
    SET_VECTOR_ELT(c->shelf, 0, Rf_ScalarString(Rf_mkCharCE(c->text, CE_UTF8)));
}

/* A text that was kept with a checkpoint, or NULL. */
SEXP cw_r_train_pair(SEXP file, SEXP key)
{
    const char *path = cw_glue_text(file, "file"), *name = cw_glue_text(key, "key");
    SEXP shelf = PROTECT(Rf_allocVector(VECSXP, 1));
    cw_ctx *ctx = cw_glue_enter(0);
    char *text = cw_checkpoint_pair(ctx, path, name);
    text_copy copy = {text, shelf};
    if (text && !R_ToplevelExec(copy_text, &copy)) cw_fail(ctx, CW_ERR_MEMORY, "no memory for the text '%s'", name);
    cw_free(ctx, text);
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return VECTOR_ELT(shelf, 0);
}
