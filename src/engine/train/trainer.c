/* trainer.c: see trainer.h. */
#include "trainer.h"

#include <math.h>
#include <string.h>

cw_trainer *cw_trainer_new(cw_sfm *model, cw_tape *tape, const cw_train_options *options, uint64_t key)
{
    cw_ctx *ctx = model->ctx;
    cw_trainer *trainer = cw_calloc(ctx, 1, sizeof *trainer);
    if (!trainer) return NULL;
    trainer->model = model;
    trainer->tape = tape;
    trainer->options = *options;
    trainer->key = key;
    int64_t pairs = options->loss.prior.count;
    trainer->pairs = cw_alloc(ctx, pairs, sizeof(uint64_t));
    if (trainer->pairs && pairs) memcpy(trainer->pairs, options->loss.prior.sorted, (size_t)pairs * sizeof(uint64_t));
    trainer->options.loss.prior.sorted = trainer->pairs;
    if (cw_params_prepare_training(&model->params) == CW_OK) {
        cw_trainer_abandon(trainer);
        return trainer;
    }
    cw_trainer_free(trainer);
    return NULL;
}

void cw_trainer_free(cw_trainer *trainer)
{
    if (!trainer) return;
    cw_free(trainer->model->ctx, trainer->pairs);
    cw_free(trainer->model->ctx, trainer);
}

void cw_trainer_abandon(cw_trainer *trainer)
{
    cw_params_zero_grad(&trainer->model->params);
    cw_sfm_balance_forget(trainer->model);
}

double cw_learning_rate(const cw_train_options *o, int64_t step)
{
    if (step < o->warmup_steps) return o->lr * (double)(step + 1) / (double)o->warmup_steps;
    double span = (double)(o->total_steps - o->warmup_steps);
    double progress = (double)(step - o->warmup_steps) / (span > 1.0 ? span : 1.0);
    if (progress > 1.0) progress = 1.0;
    double cosine = 0.5 * (1.0 + cos(3.14159265358979323846 * progress));
    return o->lr * (o->min_lr_ratio + (1.0 - o->min_lr_ratio) * cosine);
}

/* Switches a regulariser off for the rest of the run when its value isn't finite; returns whether it stays in. */
static int keep_regularizer(cw_ctx *ctx, const cw_tensor *loss, int *disabled, const char *name)
{
    if (!loss || isfinite(cw_tape_scalar(loss))) return loss != NULL;
    *disabled = 1;
    cw_log(ctx, 2, "the %s loss is not finite and is switched off for the rest of the run", name);
    return 0;
}

cw_status cw_trainer_micro(cw_trainer *tr, const cw_sfm_input *input, int64_t micro, float prior_weight,
                           float grad_weight, cw_loss_values *values)
{
    cw_sfm *model = tr->model;
    cw_ctx *ctx = model->ctx;
    const cw_train_options *o = &tr->options;
    memset(values, 0, sizeof *values);
    if (ctx->status != CW_OK) return ctx->status;
    cw_tape_reset(tr->tape, 1, 1, tr->key, ((uint64_t)tr->step << 12) + (uint64_t)micro);
    cw_sfm_batch batch;
    if (cw_sfm_batch_build(&batch, tr->tape->arena, input, &model->config) != CW_OK) return ctx->status;
    cw_sfm_loss_spec spec = o->loss;
    int regularize = tr->step >= o->regularizer_start;
    spec.use_dag = spec.use_dag && regularize && !tr->dag_disabled;
    spec.use_sparsity = spec.use_sparsity && regularize && !tr->sparsity_disabled;
    cw_sfm_output y = cw_sfm_forward(model, tr->tape, &batch, NULL);
    cw_sfm_losses l = cw_sfm_loss(model, tr->tape, &batch, y, &spec, NULL);
    if (ctx->status != CW_OK) return ctx->status;
    if (!keep_regularizer(ctx, l.dag, &tr->dag_disabled, "DAG")) l.dag = NULL;
    if (!keep_regularizer(ctx, l.sparsity, &tr->sparsity_disabled, "sparsity")) l.sparsity = NULL;
    values->elbo = (double)cw_tape_scalar(l.reconstruction) + cw_tape_scalar(l.kl);
    if (l.prior) values->prior = (double)prior_weight * cw_tape_scalar(l.prior);
    if (l.dag) values->dag = (double)o->lambda_dag * cw_tape_scalar(l.dag);
    if (l.sparsity) values->sparsity = (double)o->lambda_sparsity * cw_tape_scalar(l.sparsity);
    values->total = values->elbo + values->prior + values->dag + values->sparsity;
    if (!isfinite(values->total))
        return cw_fail(ctx, CW_ERR_NUMERIC, "the loss is not finite at step %lld (elbo %g, prior %g)",
                       (long long)tr->step, values->elbo, values->prior);
    cw_sfm_balance_gather(model, tr->tape, y);
    cw_tensor *loss[] = {l.reconstruction, l.kl, l.prior, l.dag, l.sparsity};
    const float weight[] = {grad_weight, grad_weight, grad_weight * prior_weight, grad_weight * o->lambda_dag,
                            grad_weight * o->lambda_sparsity};
    return cw_tape_backward(tr->tape, 5, loss, weight);
}

cw_status cw_trainer_distil(cw_trainer *tr, const cw_sfm_input *input, cw_sfm_teacher teacher, int64_t micro,
                            float grad_weight, double *loss)
{
    cw_ctx *ctx = tr->model->ctx;
    *loss = 0;
    if (ctx->status != CW_OK) return ctx->status;
    cw_tape_reset(tr->tape, 1, 1, tr->key, ((uint64_t)tr->step << 12) + (uint64_t)micro);
    cw_sfm_batch batch;
    if (cw_sfm_batch_build(&batch, tr->tape->arena, input, &tr->model->config) != CW_OK) return ctx->status;
    cw_sfm_output y = cw_sfm_forward(tr->model, tr->tape, &batch, NULL);
    cw_tensor *l = cw_sfm_distil_loss(tr->model, tr->tape, &batch, y, teacher);
    if (ctx->status != CW_OK) return ctx->status;
    *loss = cw_tape_scalar(l);
    if (!isfinite(*loss))
        return cw_fail(ctx, CW_ERR_NUMERIC, "the distillation loss is not finite at step %lld", (long long)tr->step);
    return cw_tape_backward(tr->tape, 1, &l, &grad_weight);
}

static double grad_norm(const cw_trainer *tr)
{
    double sum = 0;
    const cw_params *p = &tr->model->params;
    const cw_tape *t = tr->tape;
    for (int64_t i = 0; i < p->count; i++)
        if (p->item[i]->tensor.grad)
            sum += t->k->sum_squares(&t->exec, p->item[i]->tensor.grad, cw_count(&p->item[i]->tensor));
    return sqrt(sum);
}

/* A gradient that isn't finite: drop the step; switch off DAG, then sparsity, then give up. */
static cw_status discard(cw_trainer *tr, double norm)
{
    cw_ctx *ctx = tr->model->ctx;
    const cw_sfm_loss_spec *l = &tr->options.loss;
    int dag = l->use_dag && !tr->dag_disabled, sparsity = l->use_sparsity && !tr->sparsity_disabled;
    cw_trainer_abandon(tr);
    if (dag) tr->dag_disabled = 1;
    else if (sparsity) tr->sparsity_disabled = 1;
    else
        return cw_fail(ctx, CW_ERR_NUMERIC, "the gradient is not finite (norm %g) at step %lld with DAG and sparsity off",
                       norm, (long long)tr->step);
    cw_log(ctx, 2, "a gradient was not finite at step %lld: the step is dropped and the %s loss switched off",
           (long long)tr->step, dag ? "DAG" : "sparsity");
    return CW_OK;
}

cw_status cw_trainer_apply(cw_trainer *tr, cw_step_report *report)
{
    cw_ctx *ctx = tr->model->ctx;
    cw_params *params = &tr->model->params;
    const cw_train_options *o = &tr->options;
    cw_tape *t = tr->tape;
    memset(report, 0, sizeof *report);
    if (ctx->status != CW_OK) return ctx->status;
    t->exec.threads = ctx->threads;
    cw_params_mask_frozen(params);
    double norm = grad_norm(tr), lr = cw_learning_rate(o, tr->step);
    report->grad_norm = norm;
    report->lr = lr;
    report->step = tr->step;
    if (!isfinite(norm)) {
        report->discarded = 1;
        return discard(tr, norm);
    }
    double scale = o->clip > 0 ? o->clip / (norm + 1e-6) : 1.0;
    cw_adamw adamw = {(float)lr, o->beta1, o->beta2, o->eps, o->weight_decay, tr->step + 1, scale < 1.0 ? (float)scale : 1.0f};
    for (int64_t i = 0; i < params->count; i++) {
        cw_param *p = params->item[i];
        if (p->tensor.grad)
            t->k->adamw(&t->exec, cw_f32(&p->tensor), p->m, p->v, p->tensor.grad, adamw, cw_count(&p->tensor));
    }
    cw_sfm_balance_apply(tr->model);
    cw_params_zero_grad(params);
    report->step = ++tr->step;
    return CW_OK;
}
