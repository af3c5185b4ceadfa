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
    *tr = (cw_trainer){.model = m, .tape = tape, .task = task, .o = *optimizer, .key = key, .comm = cw_comm_one()};
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
    cw_buckets_free(tr->buckets);
    cw_free(ctx, tr);
}

void cw_trainer_abandon(cw_trainer *tr)
{
    cw_params_zero_grad(&tr->model->params);
    tr->gathered = tr->last = 0;
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

/* ---- several processes ---- */

/* 1: x is the same everywhere, told from the sums of x and x^2. */
static int alike(const cw_comm *c, const double *sum, double x) { return sum[0] == c->size * x && sum[1] == c->size * x * x; }

/* The numbers that rank 0 has. `room` holds a tensor's. */
static void take_first(cw_trainer *tr, const cw_device *device, float *x, float *room, int64_t n)
{
    int64_t bytes = n * (int64_t)sizeof *x;
    if (!x) return;
    if (tr->comm->rank == 0) device->copy_out(tr->model->ctx, room, x, bytes);
    tr->comm->broadcast(tr->comm, room, bytes, 0);
    if (tr->comm->rank != 0) device->copy_in(tr->model->ctx, x, room, bytes);
}

typedef struct start {
    float weight[CW_MAX_TERMS];
    int dropped[CW_MAX_TERMS];
    uint64_t key;
    int64_t step;
} start;

cw_status cw_trainer_share(cw_trainer *tr, cw_comm *comm, int64_t bucket)
{
    cw_params *p = &tr->model->params;
    cw_ctx *ctx = tr->model->ctx;
    tr->comm = comm;
    if (comm->size == 1) return ctx->status;
    int64_t most = 1, trained = 0;
    for (int64_t i = 0; i < p->count; i++) {
        int64_t n = cw_count(&p->item[i]->tensor);
        if (n > most) most = n;
        if (p->item[i]->tensor.needs_grad) trained += n;
    }
    cw_buckets_free(tr->buckets);
    tr->buckets = cw_buckets_new(p, comm, bucket);
    float *room = cw_alloc(ctx, most, sizeof *room);
    double values = (double)(cw_params_values(p) % 1048573), own = (double)(trained % 1048573); /* squares are exact */
    double sum[] = {values, values * values, own, own * own};
    comm->broken = 0;
    if (cw_comm_meet(comm, ctx, CW_MEET_BEGIN, sum, 4) == CW_OK && !(alike(comm, sum, values) && alike(comm, sum + 2, own))) {
        cw_fail(ctx, CW_ERR_STATE, "the processes have models of different sizes; all must make the same one");
        comm->broken = 1;
    }
    if (ctx->status == CW_OK) {
        start s = {.key = tr->key, .step = tr->step};
        memcpy(s.weight, tr->weight, sizeof s.weight), memcpy(s.dropped, tr->dropped, sizeof s.dropped);
        comm->broadcast(comm, &s, sizeof s, 0);
        memcpy(tr->weight, s.weight, sizeof s.weight), memcpy(tr->dropped, s.dropped, sizeof s.dropped);
        tr->key = s.key, tr->step = s.step;
        for (int64_t i = 0; i < p->count; i++) {
            cw_param *q = p->item[i];
            int64_t n = cw_count(&q->tensor);
            take_first(tr, q->tensor.device, q->tensor.data, room, n);
            if (!q->tensor.needs_grad) continue;
            take_first(tr, q->tensor.device, q->m, room, n);
            take_first(tr, q->tensor.device, q->v, room, n);
        }
    }
    cw_free(ctx, room);
    return ctx->status;
}

/* The step's gradients and what the model gathered become sums over processes. `begun`: the backward has sent some, and
 * the rest must follow before anything else, also where something failed. */
static cw_status gather(cw_trainer *tr, int begun)
{
    cw_ctx *ctx = tr->model->ctx;
    int64_t n = 0;
    if (begun) cw_buckets_finish(tr->buckets);
    if (cw_comm_meet(tr->comm, ctx, CW_MEET_GRADIENT, NULL, 0) != CW_OK) return ctx->status;
    if (!begun) cw_buckets_finish(tr->buckets);
    double *sum = tr->model->class->gathered ? tr->model->class->gathered(tr->model, &n) : NULL;
    if (sum) tr->comm->sum(tr->comm, sum, n);
    tr->gathered = 1;
    return ctx->status;
}

/* ---- a micro-batch ---- */

static int may_drop(const cw_trainer *tr, int i) { return tr->task->terms[i].policy == CW_TERM_DROP; }

/* What noise a micro-batch draws: 28 bits of the step, 12 of the number; larger numbers take another key. */
static void start_tape(cw_trainer *tr, int64_t micro)
{
    uint64_t number = (uint64_t)micro, key = tr->key ^ (number >> 12) * 0x9E3779B97F4A7C15u;
    cw_tape_reset(tr->tape, 1, 1, key, ((uint64_t)tr->step << 12) + (number & 4095));
}

/* What a process knows of a term or report; sums of it over processes say what the whole batch's is. */
typedef struct heard {
    double bad, over, sum; /* 1: not finite; what it is a mean over; that times its value */
} heard;
_Static_assert(sizeof(heard) * (CW_MAX_TERMS + CW_MAX_REPORTS) <= sizeof(double) * CW_MEET_MOST, "a meeting's numbers");

static heard hear(const cw_tensor *x)
{
    if (!x) return (heard){0};
    double value = cw_tape_scalar(x), over = x->over == 0 ? 1 : x->over > 0 ? x->over : 0;
    return isfinite(value) ? (heard){0, over, over * value} : (heard){1, over, 0};
}

/* Meets the other processes: in x the value of each term and report over all of them, in share what of it is here. */
static cw_status hear_all(cw_trainer *tr, const cw_loss *loss, heard *x, double *share)
{
    heard all[CW_MAX_TERMS + CW_MAX_REPORTS] = {{0}};
    for (int i = 0; i < CW_MAX_TERMS + CW_MAX_REPORTS && tr->model->ctx->status == CW_OK; i++)
        all[i] = x[i] = hear(i < CW_MAX_TERMS ? loss->term[i] : loss->report[i - CW_MAX_TERMS]);
    double *numbers = &all[0].bad;
    if (cw_comm_meet(tr->comm, tr->model->ctx, CW_MEET_LOSS, numbers, 3 * (CW_MAX_TERMS + CW_MAX_REPORTS)) != CW_OK)
        return tr->model->ctx->status;
    for (int i = 0; i < CW_MAX_TERMS + CW_MAX_REPORTS; i++) {
        share[i] = all[i].over > 0 ? x[i].over / all[i].over : 0;
        x[i] = (heard){all[i].bad, all[i].over, all[i].bad > 0 ? NAN : all[i].over > 0 ? all[i].sum / all[i].over : 0};
    }
    return CW_OK;
}

/* Values of the terms into the report; those that may be are switched off where they aren't finite. `scaled`: weights of
 * their gradients, so far those of the terms. */
static cw_status look_at(cw_trainer *tr, cw_loss *loss, const float *weight, float *scaled, cw_step_report *r)
{
    cw_ctx *ctx = tr->model->ctx;
    const cw_term *term = tr->task->terms;
    heard all[CW_MAX_TERMS + CW_MAX_REPORTS] = {{0}};
    double share[CW_MAX_TERMS + CW_MAX_REPORTS];
    int several = tr->comm->size > 1;
    if (several && hear_all(tr, loss, all, share) != CW_OK) return ctx->status;
    for (int i = 0; i < tr->terms; i++) {
        if (!loss->term[i] && !(all[i].bad > 0 || all[i].over > 0)) continue;
        double x = several ? all[i].sum : cw_tape_scalar(loss->term[i]);
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
        if (several) scaled[i] = (float)(scaled[i] * share[i]);
    }
    for (int i = 0; i < CW_MAX_REPORTS; i++) {
        if (several) r->report[i] = all[CW_MAX_TERMS + i].sum;
        else if (loss->report[i]) r->report[i] = cw_tape_scalar(loss->report[i]);
    }
    if (isfinite(r->total)) return ctx->status;
    char text[256];
    size_t at = 0;
    for (int i = 0; i < tr->terms && at < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s %g", i ? ", " : "", term[i].name, r->value[i]);
    if (several) tr->comm->broken = 1; /* all have seen it */
    return cw_fail(ctx, CW_ERR_NUMERIC, "the loss is not finite at step %lld of %s (%s)", (long long)tr->step,
                   tr->task->name, text);
}

/* Forward and losses of this process's cells. */
static cw_status forward(cw_trainer *tr, const cw_array *item, int64_t n, const float *weight, cw_loss *loss)
{
    cw_inputs in = cw_model_inputs(tr->model, tr->tape->arena, item, n);
    for (int i = 0; i < tr->terms; i++)
        loss->wanted[i] = weight[i] != 0 && !tr->dropped[i] && !(tr->task->terms[i].delayed && tr->step < tr->o.delay);
    if (tr->task->loss(tr->model, tr->tape, &in, tr->settings, loss) != CW_OK) return in.ctx->status;
    return cw_in_done(&in);
}

/* `idle`: this process has no cells, but takes part in what all do. */
static cw_status forward_and_back(cw_trainer *tr, int idle, const cw_array *item, int64_t n, const float *weight,
                                  float grad_weight, cw_step_report *r)
{
    cw_ctx *ctx = tr->model->ctx;
    int several = tr->comm->size > 1, begun = several && tr->last;
    cw_loss loss = {.step = tr->step, .term = {NULL}};
    float scaled[CW_MAX_TERMS];
    tr->last = 0;
    for (int i = 0; i < tr->terms; i++) scaled[i] = grad_weight * weight[i];
    if (!idle) forward(tr, item, n, weight, &loss);
    if (!several && ctx->status != CW_OK) return ctx->status;
    if (look_at(tr, &loss, weight, scaled, r) != CW_OK) return ctx->status;
    if (begun) tr->tape->ready = cw_buckets_ready, tr->tape->ready_user = tr->buckets;
    if (!idle) cw_tape_backward(tr->tape, tr->terms, loss.term, scaled);
    if (begun) {
        tr->tape->ready = NULL;
        return gather(tr, 1);
    }
    return several ? cw_comm_fail(tr->comm, ctx) : ctx->status;
}

cw_status cw_trainer_micro(cw_trainer *tr, const cw_array *item, int64_t n, int64_t micro, const float *weight,
                           float grad_weight, cw_step_report *r)
{
    memset(r, 0, sizeof *r);
    if (tr->model->ctx->status != CW_OK) return cw_comm_fail(tr->comm, tr->model->ctx);
    start_tape(tr, micro);
    take_turn(tr, turn_of(tr).match);
    cw_status status = forward_and_back(tr, 0, item, n, weight ? weight : tr->weight, grad_weight, r);
    take_turn(tr, "*");
    return status;
}

cw_status cw_trainer_idle(cw_trainer *tr, const float *weight, cw_step_report *r)
{
    memset(r, 0, sizeof *r);
    if (tr->model->ctx->status != CW_OK) return cw_comm_fail(tr->comm, tr->model->ctx);
    return forward_and_back(tr, 1, NULL, 0, weight ? weight : tr->weight, 0.0f, r);
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
    if (tr->comm->size > 1) tr->comm->broken = 1; /* all have seen it */
    return cw_fail(ctx, CW_ERR_NUMERIC, "the gradient is not finite (norm %g) at step %lld of %s", norm,
                   (long long)tr->step, tr->task->name);
}

cw_status cw_trainer_apply(cw_trainer *tr, cw_step_report *r)
{
    cw_model *m = tr->model;
    cw_ctx *ctx = m->ctx;
    memset(r, 0, sizeof *r);
    if (tr->comm->size > 1 && !tr->gathered) gather(tr, 0);
    if (ctx->status != CW_OK) return ctx->status;
    tr->gathered = 0;
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
