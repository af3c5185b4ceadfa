/* optimizer.c: see optimizer.h. */
#include "optimizer.h"

#include <math.h>

#define S cw_optimizer
const cw_setting cw_optimizer_settings[] = {
    CW_SET_CHOICE(S, kind, "optimizer", NULL, CW_ADAMW, "adamw adam sgd", "how gradients become new weights"),
    CW_SET_REAL(S, lr, "lr", NULL, 1e-4, 0, 1e6, 0, "learning rate"),
    CW_SET_REAL(S, beta1, "beta1", NULL, 0.9, 0, 1, 0, "decay of the mean of gradients"),
    CW_SET_REAL(S, beta2, "beta2", NULL, 0.95, 0, 1, 0, "decay of the mean of their squares"),
    CW_SET_REAL(S, eps, "eps", NULL, 1e-8, 0, 1, 0, "added to the root of the second moment"),
    CW_SET_REAL(S, weight_decay, "weight_decay", "weightDecay", 0.05, 0, 1e6, 0, "weight decay"),
    CW_SET_REAL(S, momentum, "momentum", NULL, 0, 0, 1, 0, "of sgd"),
    CW_SET_REAL(S, clip, "clip", NULL, 1, 0, 1e30, 0, "largest global gradient norm; 0: none"),
    CW_SET_REAL(S, bound, "clip_value", "clipValue", 0, 0, 1e30, 0, "largest magnitude of a gradient; 0: none"),
    CW_SET_CHOICE(S, schedule, "schedule", NULL, CW_SCHEDULE_COSINE, "cosine constant step", "of the learning rate"),
    CW_SET_INT(S, total_steps, "total_steps", "totalSteps", 1, 1, 9e15, "steps of the schedule"),
    CW_SET_INT(S, warmup_steps, "warmup_steps", "warmupSteps", 0, 0, 9e15, "steps of rising learning rate"),
    CW_SET_REAL(S, min_lr_ratio, "min_lr_ratio", "minLrRatio", 0.1, 0, 1, 0, "the cosine ends at this share of lr"),
    CW_SET_INT(S, every, "every", NULL, 1, 1, 9e15, "steps between two falls of schedule step"),
    CW_SET_REAL(S, gamma, "gamma", NULL, 0.1, 0, 1, 0, "factor of a fall of schedule step"),
    CW_SET_INT(S, delay, "delay", NULL, 0, 0, 9e15, "step from which delayed terms act"),
    {0}};
#undef S

double cw_learning_rate(const cw_optimizer *o, double lr, int64_t step)
{
    if (step < o->warmup_steps) return lr * (double)(step + 1) / (double)o->warmup_steps;
    int64_t after = step - o->warmup_steps;
    if (o->schedule == CW_SCHEDULE_CONSTANT) return lr;
    if (o->schedule == CW_SCHEDULE_STEP) return lr * pow(o->gamma, (double)(after / o->every));
    double span = (double)(o->total_steps - o->warmup_steps);
    double progress = (double)after / (span > 1.0 ? span : 1.0);
    if (progress > 1.0) progress = 1.0;
    double cosine = 0.5 * (1.0 + cos(3.14159265358979323846 * progress));
    return lr * (o->min_lr_ratio + (1.0 - o->min_lr_ratio) * cosine);
}

double cw_grad_norm(const cw_params *params, const cw_tape *t)
{
    double sum = 0;
    for (int64_t i = 0; i < params->count; i++) {
        const cw_tensor *x = &params->item[i]->tensor;
        if (x->needs_grad) sum += t->k->sum_squares(&t->exec, x->grad, cw_count(x));
    }
    return sqrt(sum);
}

void cw_optimizer_update(const cw_optimizer *o, cw_params *params, const cw_group *group, const cw_tape *t, double norm,
                         int64_t step)
{
    double scale = o->clip > 0 ? o->clip / (norm + 1e-6) : 1.0;
    float grad_scale = scale < 1.0 ? (float)scale : 1.0f;
    for (int64_t i = 0; i < params->count; i++) {
        cw_param *p = params->item[i];
        if (!p->tensor.needs_grad) continue;
        const cw_group *g = &group[p->group];
        float lr = (float)cw_learning_rate(o, isnan(g->lr) ? o->lr : g->lr, step - 1);
        float decay = isnan(g->weight_decay) ? o->weight_decay : g->weight_decay;
        int64_t n = cw_count(&p->tensor);
        if (o->kind == CW_SGD) {
            cw_sgd sgd = {.lr = lr, .momentum = o->momentum, .weight_decay = decay, .grad_scale = grad_scale, .bound = o->bound};
            t->k->sgd(&t->exec, p->tensor.data, p->m, p->tensor.grad, sgd, n);
        } else {
            cw_adamw adam = {.lr = lr, .beta1 = o->beta1, .beta2 = o->beta2, .eps = o->eps, .weight_decay = decay,
                             .step = step, .grad_scale = grad_scale, .bound = o->bound, .coupled = o->kind == CW_ADAM};
            t->k->adamw(&t->exec, p->tensor.data, p->m, p->v, p->tensor.grad, adam, n);
        }
    }
}

int cw_early_stop_enough(cw_early_stop *e, double loss)
{
    int first = e->waited == 0 && e->best == 0;
    if (first || loss < e->best - e->min_delta) {
        e->best = loss;
        e->waited = 0;
    } else {
        e->waited++;
    }
    return e->patience > 0 && e->waited >= e->patience;
}
