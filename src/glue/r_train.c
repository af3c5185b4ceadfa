/* r_train.c: training steps. R drives epochs, order and stopping; one call is one micro-batch or one update. */
#include "r_model.h"

#include "../engine/train/checkpoint.h"

#include <stdlib.h>
#include <string.h>

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* priorEdges: integer 2 x E, tokens of source and target. */
static cw_pair_set stage_pairs(cw_handle *h, SEXP edges)
{
    int64_t n = TYPEOF(edges) == INTSXP ? Rf_xlength(edges) / 2 : 0;
    uint64_t *sorted = cw_arena_take(h->staging, n * (int64_t)sizeof *sorted);
    if (!sorted) return (cw_pair_set){0, NULL};
    for (int64_t i = 0; i < n; i++)
        sorted[i] = (uint64_t)(uint32_t)INTEGER(edges)[2 * i] << 32 | (uint32_t)INTEGER(edges)[2 * i + 1];
    qsort(sorted, (size_t)n, sizeof *sorted, by_key);
    return (cw_pair_set){n, sorted};
}

cw_train_options cw_r_train_options(cw_handle *h, SEXP o)
{
#define GET(name, fallback) cw_glue_number(o, name, fallback)
    double total = GET("totalSteps", 1);
    return (cw_train_options){.lr = (float)GET("lr", 1e-4),
                              .beta1 = (float)GET("beta1", 0.9),
                              .beta2 = (float)GET("beta2", 0.95),
                              .eps = (float)GET("eps", 1e-8),
                              .weight_decay = (float)GET("weightDecay", 0.05),
                              .clip = (float)GET("clip", 1.0),
                              .total_steps = (int64_t)total,
                              .warmup_steps = (int64_t)(total * GET("warmupRatio", 0.03)),
                              .min_lr_ratio = (float)GET("minLrRatio", 0.1),
                              .regularizer_start = (int64_t)GET("regWarmupSteps", 0),
                              .lambda_dag = (float)GET("lambdaDag", 1.0),
                              .lambda_sparsity = (float)GET("lambdaSparsity", 0.001),
                              .loss = {.prior = stage_pairs(h, cw_glue_get(o, "priorEdges")),
                                       .prior_top = (int64_t)GET("priorTopk", 512),
                                       .prior_positive = (float)GET("priorPos", 5.0),
                                       .prior_negative = (float)GET("priorNeg", 0.1),
                                       .use_prior = GET("usePrior", 0) != 0,
                                       .use_dag = GET("useDag", 1) != 0,
                                       .use_sparsity = GET("useSparsity", 1) != 0}};
#undef GET
}

SEXP cw_r_train_begin(SEXP ptr, SEXP options)
{
    cw_handle *h = cw_handle_of(ptr);
    SEXP key_ = cw_glue_get(options, "key");
    uint64_t key = Rf_isNull(key_) ? 0 : cw_glue_key(key_);
    cw_glue_resume(h->ctx);
    cw_arena_reset(h->staging);
    cw_train_options o = cw_r_train_options(h, options);
    cw_trainer *fresh = h->ctx->status == CW_OK ? cw_trainer_new(h->model, h->tape, &o, key) : NULL;
    if (fresh) {
        cw_trainer_free(h->trainer);
        h->trainer = fresh;
        cw_params_zero_moments(&h->model->params);
    }
    cw_glue_pause(h->ctx);
    return R_NilValue;
}

static cw_trainer *trainer_of(cw_handle *h)
{
    if (!h->trainer) Rf_error("internal error: training has not begun");
    return h->trainer;
}

static SEXP numbers(int n, const char *const *names)
{
    SEXP out = PROTECT(Rf_allocVector(REALSXP, n)), labels = PROTECT(Rf_allocVector(STRSXP, n));
    for (int i = 0; i < n; i++) SET_STRING_ELT(labels, i, Rf_mkChar(names[i]));
    Rf_setAttrib(out, R_NamesSymbol, labels);
    UNPROTECT(2);
    return out;
}

static SEXP loss_vector(void)
{
    static const char *const names[] = {"elbo", "prior", "dag", "sparsity", "total"};
    return numbers(5, names);
}

static void copy_losses(double *out, const cw_loss_values *l)
{
    const double values[] = {l->elbo, l->prior, l->dag, l->sparsity, l->total};
    memcpy(out, values, sizeof values);
}

SEXP cw_r_train_micro(SEXP ptr, SEXP batch, SEXP options)
{
    cw_handle *h = cw_handle_of(ptr);
    cw_trainer *trainer = trainer_of(h);
    cw_r_batch b = cw_r_batch_read(batch, cw_glue_get(options, "eps"));
    SEXP out = PROTECT(loss_vector());
    cw_glue_resume(h->ctx);
    int64_t micro = (int64_t)cw_glue_number(options, "micro", 0);
    if (micro == 0) cw_trainer_abandon(trainer); /* what a stopped step may have left */
    cw_sfm_input input = cw_r_batch_stage(h, &b);
    cw_loss_values values = {0};
    cw_trainer_micro(trainer, &input, micro, (float)cw_glue_number(options, "priorWeight", 0),
                     (float)cw_glue_number(options, "gradWeight", 1), &values);
    if (h->ctx->status != CW_OK) cw_trainer_abandon(trainer);
    copy_losses(REAL(out), &values);
    cw_glue_pause(h->ctx);
    UNPROTECT(1);
    return out;
}

/* v: the teacher's shares, factors x genes x cells. The loss. */
SEXP cw_r_train_distil(SEXP ptr, SEXP batch, SEXP v, SEXP options)
{
    cw_handle *h = cw_handle_of(ptr);
    cw_trainer *trainer = trainer_of(h);
    cw_r_batch b = cw_r_batch_read(batch, R_NilValue);
    double count = (double)b.cells * (double)b.genes * (double)h->model->config.factors;
    if (TYPEOF(v) != REALSXP || (double)Rf_xlength(v) != count || b.padding)
        Rf_error("internal error: the teacher's shares must be factors x genes x cells");
    SEXP out = PROTECT(Rf_ScalarReal(NA_REAL));
    cw_glue_resume(h->ctx);
    int64_t micro = (int64_t)cw_glue_number(options, "micro", 0);
    if (micro == 0) cw_trainer_abandon(trainer); /* what a stopped step may have left */
    cw_sfm_input input = cw_r_batch_stage(h, &b);
    float *target = cw_arena_take(h->staging, Rf_xlength(v) * (int64_t)sizeof(float));
    for (R_xlen_t i = 0; target && i < Rf_xlength(v); i++) target[i] = (float)REAL(v)[i];
    double loss = 0;
    cw_trainer_distil(trainer, &input, (cw_sfm_teacher){target}, micro, (float)cw_glue_number(options, "gradWeight", 1),
                      &loss);
    if (h->ctx->status != CW_OK) cw_trainer_abandon(trainer);
    REAL(out)[0] = loss;
    cw_glue_pause(h->ctx);
    UNPROTECT(1);
    return out;
}

SEXP cw_r_train_apply(SEXP ptr)
{
    static const char *const names[] = {"gradNorm", "lr", "step", "discarded", "disabledDag", "disabledSparsity"};
    cw_handle *h = cw_handle_of(ptr);
    cw_trainer *trainer = trainer_of(h);
    SEXP out = PROTECT(numbers(6, names));
    cw_glue_resume(h->ctx);
    cw_step_report r;
    cw_trainer_apply(trainer, &r);
    const double values[] = {
        r.grad_norm, r.lr, (double)r.step, r.discarded, trainer->dag_disabled, trainer->sparsity_disabled};
    memcpy(REAL(out), values, sizeof values);
    cw_glue_pause(h->ctx);
    UNPROTECT(1);
    return out;
}

static SEXP with_file(SEXP ptr, SEXP file, int save)
{
    cw_handle *h = cw_handle_of(ptr);
    cw_trainer *trainer = trainer_of(h);
    if (TYPEOF(file) != STRSXP || Rf_xlength(file) != 1) Rf_error("'file' must be one string");
    const char *path = Rf_translateCharUTF8(STRING_ELT(file, 0));
    cw_glue_resume(h->ctx);
    if (save)
        cw_trainer_save(trainer, path);
    else
        cw_trainer_load(trainer, path);
    cw_glue_pause(h->ctx);
    return R_NilValue;
}

SEXP cw_r_train_save(SEXP ptr, SEXP file) { return with_file(ptr, file, 1); }
SEXP cw_r_train_load(SEXP ptr, SEXP file) { return with_file(ptr, file, 0); }

/* Losses and gradients of one batch, without a step; not during a training run, whose gradients it would overwrite. */
SEXP cw_r_model_gradients(SEXP ptr, SEXP batch, SEXP eps, SEXP options)
{
    static const char *const names[] = {"losses", "gradients"};
    cw_handle *h = cw_handle_of(ptr);
    cw_r_batch b = cw_r_batch_read(batch, eps);
    cw_params *params = &h->model->params;
    SEXP list = PROTECT(cw_glue_list(2, names));
    SET_VECTOR_ELT(list, 0, loss_vector());
    SEXP gradients = Rf_allocVector(VECSXP, params->count);
    SET_VECTOR_ELT(list, 1, gradients);
    SEXP labels = PROTECT(Rf_allocVector(STRSXP, params->count));
    Rf_setAttrib(gradients, R_NamesSymbol, labels);
    for (int64_t i = 0; i < params->count; i++) {
        SET_STRING_ELT(labels, i, Rf_mkChar(params->item[i]->name));
        if (params->item[i]->trainable)
            SET_VECTOR_ELT(gradients, i, Rf_allocVector(REALSXP, cw_count(&params->item[i]->tensor)));
    }
    cw_glue_resume(h->ctx);
    cw_sfm_input input = cw_r_batch_stage(h, &b);
    cw_train_options o = cw_r_train_options(h, options);
    cw_trainer *trainer = h->ctx->status == CW_OK ? cw_trainer_new(h->model, h->tape, &o, 0) : NULL;
    cw_loss_values values = {0};
    if (trainer) cw_trainer_micro(trainer, &input, 0, (float)cw_glue_number(options, "priorWeight", 0), 1.0f, &values);
    if (h->ctx->status == CW_OK) {
        cw_params_mask_frozen(params);
        for (int64_t i = 0; i < params->count; i++)
            for (int64_t j = 0; params->item[i]->trainable && j < cw_count(&params->item[i]->tensor); j++)
                REAL(VECTOR_ELT(gradients, i))[j] = params->item[i]->tensor.grad[j];
        copy_losses(REAL(VECTOR_ELT(list, 0)), &values);
    }
    if (trainer) cw_trainer_abandon(trainer);
    cw_trainer_free(trainer);
    cw_glue_pause(h->ctx);
    UNPROTECT(2);
    return list;
}
