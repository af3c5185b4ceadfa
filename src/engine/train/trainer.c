/* trainer.c: see trainer.h. */
#include "trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int cw_task_terms(const cw_task *task)
{
    int n = 0;
    while (task->terms[n].name) n++;
    return n;
}

int cw_task_term(const cw_task *task, const char *name)
{
    for (int i = 0; task->terms[i].name; i++)
        if (strcmp(task->terms[i].name, name) == 0) return i;
    return -1;
}

/* ---- beginning ---- */

/* The task's groups and the run's, one after the other, with names of their own. */
static void take_groups(cw_trainer *tr, const cw_group *group, int groups)
{
    static const cw_group all = {"*", NAN, NAN, 0};
    const cw_group *of_task = tr->task->groups;
    cw_ctx *ctx = tr->model->ctx;
    int first = 0;
    while (of_task && of_task[first].match) first++;
    if (!of_task) of_task = &all, first = 1;
    tr->group = cw_calloc(ctx, first + groups, sizeof *tr->group);
    for (int i = 0; tr->group && i < first + groups; i++) {
        tr->group[i] = i < first ? of_task[i] : group[i - first];
        tr->group[i].match = cw_strdup(ctx, tr->group[i].match);
        tr->groups = i + 1;
    }
}

cw_trainer *cw_trainer_new(cw_model *m, cw_tape *tape, const cw_task *task, const cw_optimizer *optimizer,
                           const void *settings, const cw_group *group, int groups, const float *weight, uint64_t key)
{
    cw_ctx *ctx = m->ctx;
    cw_trainer *tr = cw_calloc(ctx, 1, sizeof *tr);
    if (!tr) return NULL;
    *tr = (cw_trainer){.model = m, .tape = tape, .task = task, .o = *optimizer, .key = key};
    tr->terms = cw_task_terms(task);
    for (int i = 0; i < tr->terms; i++) tr->weight[i] = weight ? weight[i] : task->terms[i].weight;
    tr->settings = cw_calloc(ctx, 1, task->bytes + 1);
    if (tr->settings && settings) memcpy(tr->settings, settings, task->bytes);
    take_groups(tr, group, groups);
    if (ctx->status == CW_OK && task->begin) task->begin(m, tr->settings);
    if (ctx->status == CW_OK && cw_params_train(&m->params, tr->group, tr->groups) == CW_OK) {
        cw_params_zero_moments(&m->params);
        cw_trainer_abandon(tr);
        return tr;
    }
    cw_trainer_free(tr);
    return NULL;
}

void cw_trainer_free(cw_trainer *tr)
{
    if (!tr) return;
    cw_ctx *ctx = tr->model->ctx;
    for (int i = 0; i < tr->groups; i++) cw_free(ctx, (void *)(uintptr_t)tr->group[i].match);
    cw_free(ctx, tr->group);
    cw_free(ctx, tr->settings);
    cw_free(ctx, tr);
}

void cw_trainer_abandon(cw_trainer *tr)
{
    cw_params_zero_grad(&tr->model->params);
    if (tr->model->class->forget) tr->model->class->forget(tr->model);
}

/* ---- turns ---- */

static cw_turn turn_of(const cw_trainer *tr)
{
    return tr->task->turn ? tr->task->turn(tr->settings, tr->step) : (cw_turn){"*", tr->step};
}

/* Only what is trained and matches has a gradient; between calls all that is trained has. */
static void take_turn(cw_trainer *tr, const char *match)
{
    if (!tr->task->turn) return;
    for (int64_t i = 0; i < tr->model->params.count; i++) {
        cw_param *p = tr->model->params.item[i];
        p->tensor.needs_grad = p->group >= 0 && cw_name_match(match, p->name);
    }
}

/* ---- a micro-batch ---- */

static int may_drop(const cw_trainer *tr, int i) { return tr->task->terms[i].policy == CW_TERM_DROP; }

/* What noise a micro-batch draws: 28 bits of the step, 12 of the number; larger numbers take another key. */
static void start_tape(cw_trainer *tr, int64_t micro)
{
    uint64_t number = (uint64_t)micro, key = tr->key ^ (number >> 12) * 0x9E3779B97F4A7C15u;
    cw_tape_reset(tr->tape, 1, 1, key, ((uint64_t)tr->step << 12) + (number & 4095));
}

/* Values of the terms into the report; those that may be are switched off where they aren't finite. */
static cw_status look_at(cw_trainer *tr, cw_loss *loss, const float *weight, cw_step_report *r)
{
    cw_ctx *ctx = tr->model->ctx;
    const cw_term *term = tr->task->terms;
    for (int i = 0; i < tr->terms; i++) {
        if (!loss->term[i]) continue;
        double x = cw_tape_scalar(loss->term[i]);
        if (!isfinite(x) && may_drop(tr, i)) {
            tr->dropped[i] = 1;
            cw_log(ctx, 2, "the %s loss is not finite and is switched off for the rest of the run", term[i].name);
            loss->term[i] = NULL;
            continue;
        }
        r->value[i] = x;
        r->weighted[i] = weight[i] != 0 ? (double)weight[i] * x : 0.0;
        r->total += r->weighted[i];
        if (weight[i] == 0) loss->term[i] = NULL;
    }
    for (int i = 0; i < CW_MAX_REPORTS; i++)
        if (loss->report[i]) r->report[i] = cw_tape_scalar(loss->report[i]);
    if (isfinite(r->total)) return ctx->status;
    char text[256];
    size_t at = 0;
    for (int i = 0; i < tr->terms && at < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s %g", i ? ", " : "", term[i].name, r->value[i]);
    return cw_fail(ctx, CW_ERR_NUMERIC, "the loss is not finite at step %lld of %s (%s)", (long long)tr->step,
                   tr->task->name, text);
}

static cw_status forward_and_back(cw_trainer *tr, const cw_array *item, int64_t n, const float *weight, float grad_weight,
                                  cw_step_report *r)
{
    cw_inputs in = cw_model_inputs(tr->model, tr->tape->arena, item, n);
    cw_loss loss = {.step = tr->step, .term = {NULL}};
    for (int i = 0; i < tr->terms; i++)
        loss.wanted[i] = weight[i] != 0 && !tr->dropped[i] && !(tr->task->terms[i].delayed && tr->step < tr->o.delay);
    if (tr->task->loss(tr->model, tr->tape, &in, tr->settings, &loss) != CW_OK) return in.ctx->status;
    if (cw_in_done(&in) != CW_OK || look_at(tr, &loss, weight, r) != CW_OK) return in.ctx->status;
    float scaled[CW_MAX_TERMS];
    for (int i = 0; i < tr->terms; i++) scaled[i] = grad_weight * weight[i];
    return cw_tape_backward(tr->tape, tr->terms, loss.term, scaled);
}

cw_status cw_trainer_micro(cw_trainer *tr, const cw_array *item, int64_t n, int64_t micro, const float *weight,
                           float grad_weight, cw_step_report *r)
{
    memset(r, 0, sizeof *r);
    if (tr->model->ctx->status != CW_OK) return tr->model->ctx->status;
    start_tape(tr, micro);
    take_turn(tr, turn_of(tr).match);
    cw_status status = forward_and_back(tr, item, n, weight ? weight : tr->weight, grad_weight, r);
    take_turn(tr, "*");
    return status;
}

/* ---- an update ---- */

/* A gradient that isn't finite: the step is dropped and the first term that may be switched off; when none is left, the
 * run ends. */
static cw_status discard(cw_trainer *tr, double norm)
{
    cw_ctx *ctx = tr->model->ctx;
    cw_trainer_abandon(tr);
    for (int i = 0; i < tr->terms; i++) {
        if (!may_drop(tr, i) || tr->dropped[i] || tr->weight[i] == 0) continue;
        tr->dropped[i] = 1;
        cw_log(ctx, 2, "a gradient was not finite at step %lld: the step is dropped and the %s loss switched off",
               (long long)tr->step, tr->task->terms[i].name);
        return CW_OK;
    }
    return cw_fail(ctx, CW_ERR_NUMERIC, "the gradient is not finite (norm %g) at step %lld of %s", norm,
                   (long long)tr->step, tr->task->name);
}

cw_status cw_trainer_apply(cw_trainer *tr, cw_step_report *r)
{
    cw_model *m = tr->model;
    cw_ctx *ctx = m->ctx;
    memset(r, 0, sizeof *r);
    if (ctx->status != CW_OK) return ctx->status;
    tr->tape->exec.threads = ctx->threads;
    cw_params_mute_gradients(&m->params);
    cw_turn turn = turn_of(tr);
    take_turn(tr, turn.match);
    r->grad_norm = cw_grad_norm(&m->params, tr->tape);
    r->lr = cw_learning_rate(&tr->o, tr->o.lr, turn.before);
    r->step = tr->step;
    if (isfinite(r->grad_norm))
        cw_optimizer_update(&tr->o, &m->params, tr->group, tr->tape, r->grad_norm, turn.before + 1);
    take_turn(tr, "*");
    if (!isfinite(r->grad_norm)) {
        r->discarded = 1;
        return discard(tr, r->grad_norm);
    }
    if (m->class->after_step) m->class->after_step(m, tr->tape);
    cw_params_zero_grad(&m->params);
    r->step = ++tr->step;
    return CW_OK;
}
