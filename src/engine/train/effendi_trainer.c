/* effendi_trainer.c: see effendi_trainer.h. */
#include "effendi_trainer.h"

#include <math.h>
#include <string.h>

static int starts(const char *name, const char *with) { return strncmp(name, with, strlen(with)) == 0; }

/* The learning rate of a parameter in a stage; 0: it isn't trained. */
static float rate(const cw_effendi_trainer *tr, const char *name)
{
    int field = starts(name, "vector_field."), align = starts(name, "align.");
    if (tr->stage == CW_EFFENDI_MATCH)
        return field ? tr->options.lr_field : align || strcmp(name, "tau_bar") == 0 ? tr->options.lr : 0.0f;
    if (field) return tr->stage == CW_EFFENDI_TUNED ? tr->options.lr_field : 0.0f;
    return strcmp(name, "tau_bar") == 0 ? 0.0f : tr->options.lr;
}

cw_status cw_effendi_begin(cw_effendi_trainer *tr, cw_effendi *model, cw_tape *tape, cw_effendi_stage stage,
                           const cw_effendi_options *options, uint64_t key)
{
    *tr = (cw_effendi_trainer){.model = model, .tape = tape, .options = *options, .stage = stage, .key = key};
    cw_params *params = &model->params;
    if (cw_params_prepare_training(params) != CW_OK) return params->ctx->status;
    cw_params_zero_moments(params);
    cw_params_zero_grad(params);
    for (int64_t i = 0; i < params->count; i++) {
        cw_param *p = params->item[i];
        p->tensor.needs_grad = p->trainable && rate(tr, p->name) > 0;
    }
    return CW_OK;
}

/* Rows of x (.,d) as a constant of the tape, (n,d). */
static cw_tensor *rows_of(cw_tape *t, const float *x, const int64_t *row, int64_t n, int64_t d)
{
    cw_tensor *y = cw_tape_matrix(t, n, d);
    for (int64_t i = 0; y && i < n; i++) memcpy(cw_f32(y) + i * d, x + row[i] * d, (size_t)d * sizeof(float));
    return y;
}

/* Drops the gradients of a step that isn't finished. */
static cw_status give_up(cw_effendi_trainer *tr)
{
    cw_params_zero_grad(&tr->model->params);
    return tr->model->ctx->status;
}

static double value(const cw_tensor *x) { return x ? (double)cw_tape_scalar(x) : 0.0; }

static cw_effendi_losses forward(cw_effendi_trainer *tr, const cw_effendi_data *d, const int64_t *atac, int64_t n,
                                 const int64_t *rna, int64_t m, cw_effendi_field *field)
{
    cw_tape *t = tr->tape;
    cw_effendi *model = tr->model;
    const cw_effendi_options *o = &tr->options;
    int64_t dim = model->config.dim, peaks = model->config.peaks;
    cw_effendi_terms terms = {
        .reverse = o->w_reverse != 0, .contrast = o->w_contrast != 0, .temperature = o->temperature};
    *field = cw_effendi_field_make(model, t, &o->flow);
    if (tr->stage == CW_EFFENDI_MATCH) {
        cw_tensor *z = cw_effendi_align(model, t, rows_of(t, d->free_atac, atac, n, model->config.atac));
        float *direction = cw_arena_take(t->arena, o->projections * dim * (int64_t)sizeof *direction);
        if (!direction) return (cw_effendi_losses){0};
        t->k->normal(&t->exec, direction, cw_tape_stream(t, CW_RNG_NOISE), o->projections * dim);
        return cw_effendi_match(model, t, z, rows_of(t, d->free_rna, rna, m, dim), direction, o->projections, field,
                                &o->flow, &terms);
    }
    cw_tensor *z = cw_effendi_align(model, t, rows_of(t, d->z_atac, atac, n, model->config.atac));
    cw_tensor *emb = cw_effendi_embed(model, t, cw_tape_constant(t, d->gene_emb, d->genes, dim));
    cw_tensor *tau = cw_effendi_tau(model, t, z, emb, NULL);
    cw_tensor *open = d->peaks && peaks > 0 && o->w_peaks != 0 ? rows_of(t, d->peaks, atac, n, peaks) : NULL;
    return cw_effendi_loss(model, t, z, tau, emb, rows_of(t, d->z_rna, rna, m, dim),
                           rows_of(t, d->expression, rna, m, d->genes), open ? cw_f32(open) : NULL, field, &o->flow,
                           &terms);
}

static double grad_norm(const cw_effendi_trainer *tr)
{
    const cw_params *params = &tr->model->params;
    const cw_tape *t = tr->tape;
    double sum = 0;
    for (int64_t i = 0; i < params->count; i++) {
        const cw_tensor *x = &params->item[i]->tensor;
        if (x->needs_grad) sum += t->k->sum_squares(&t->exec, x->grad, cw_count(x));
    }
    return sqrt(sum);
}

static void update(cw_effendi_trainer *tr, double norm)
{
    const cw_effendi_options *o = &tr->options;
    cw_params *params = &tr->model->params;
    cw_tape *t = tr->tape;
    double scale = o->clip > 0 ? o->clip / (norm + 1e-6) : 1.0;
    for (int64_t i = 0; i < params->count; i++) {
        cw_param *p = params->item[i];
        if (!p->tensor.needs_grad) continue;
        cw_adamw adamw = {.lr = rate(tr, p->name),
                          .beta1 = o->beta1,
                          .beta2 = o->beta2,
                          .eps = o->eps,
                          .weight_decay = o->weight_decay,
                          .step = tr->step + 1,
                          .grad_scale = scale < 1.0 ? (float)scale : 1.0f};
        t->k->adamw(&t->exec, cw_f32(&p->tensor), p->m, p->v, p->tensor.grad, adamw, cw_count(&p->tensor));
    }
}

static cw_status check_rows(cw_ctx *ctx, const int64_t *row, int64_t n, int64_t cells, const char *what)
{
    if (n < 1) return cw_fail(ctx, CW_ERR_ARGUMENT, "an empty batch of %s", what);
    for (int64_t i = 0; i < n; i++)
        if (row[i] < 0 || row[i] >= cells)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "%s row %lld of %lld", what, (long long)row[i], (long long)cells);
    return CW_OK;
}

cw_status cw_effendi_step(cw_effendi_trainer *tr, const cw_effendi_data *data, const int64_t *atac, int64_t n,
                          const int64_t *rna, int64_t m, cw_effendi_values *values)
{
    cw_ctx *ctx = tr->model->ctx;
    const cw_effendi_options *o = &tr->options;
    int match = tr->stage == CW_EFFENDI_MATCH;
    memset(values, 0, sizeof *values);
    if (ctx->status != CW_OK) return ctx->status;
    if (check_rows(ctx, atac, n, match ? data->free_atacs : data->cells, "chromatin") != CW_OK ||
        check_rows(ctx, rna, m, match ? data->free_rnas : data->cells, "RNA") != CW_OK)
        return ctx->status;
    cw_tape_reset(tr->tape, 1, 1, tr->key, (uint64_t)tr->step * 4 + (uint64_t)tr->stage);
    cw_effendi_field field;
    cw_effendi_losses l = forward(tr, data, atac, n, rna, m, &field);
    if (ctx->status != CW_OK) return give_up(tr);
    cw_tensor *loss[] = {l.ode, l.recon, l.tau, l.reverse, l.sliced, l.contrast, l.peaks};
    const float weight[] = {o->w_ode, o->w_recon, o->w_tau, o->w_reverse, 1.0f, o->w_contrast, o->w_peaks};
    double *out[] = {&values->ode,    &values->recon,    &values->tau,  &values->reverse,
                     &values->sliced, &values->contrast, &values->peaks};
    for (int i = 0; i < 7; i++) {
        *out[i] = value(loss[i]);
        if (weight[i] != 0)
            values->total += weight[i] * *out[i];
        else
            loss[i] = NULL;
    }
    values->tau_bar = value(l.tau_bar);
    if (!isfinite(values->total)) {
        cw_fail(ctx, CW_ERR_NUMERIC, "the loss is not finite at step %lld of stage %s", (long long)tr->step,
                match                            ? "1"
                : tr->stage == CW_EFFENDI_FROZEN ? "2.1"
                                                 : "2.2");
        return give_up(tr);
    }
    if (cw_tape_backward(tr->tape, 7, loss, weight) != CW_OK) return give_up(tr);
    values->grad_norm = grad_norm(tr);
    if (!isfinite(values->grad_norm)) {
        cw_fail(ctx, CW_ERR_NUMERIC, "the gradient is not finite at step %lld", (long long)tr->step);
        return give_up(tr);
    }
    update(tr, values->grad_norm);
    if (!o->flow.exact && tr->stage != CW_EFFENDI_FROZEN) cw_effendi_field_store(tr->model, &field);
    cw_params_zero_grad(&tr->model->params);
    tr->step++;
    return CW_OK;
}
