/* parity_response.h: golden cases of responses to treatments: the auto-encoders of scGen and cAE, CellOT. Included by
 * parity.c after parity_encoder.h. */
#ifndef CW_PARITY_RESPONSE_H
#define CW_PARITY_RESPONSE_H

#include "models/autoencoder/autoencoder.h"
#include "models/cellot/cellot.h"
#include "pert/response.h"

static const tolerance RESPONSE_FINAL = {1e-3, 2e-5};

/* ---- shared: scores, training ---- */

static double *response_doubles(const float *x, int64_t n)
{
    double *y = malloc((size_t)(n + 1) * sizeof *y);
    for (int64_t i = 0; i < n; i++) y[i] = (double)x[i];
    return y;
}

static void response_scalar(encoder_case *c, const char *group_name, const char *name, double x)
{
    encoder_compare(c, group_name, name, &(float){(float)x}, 1, FORWARD);
}

/* expect.eval.*: x (n,d) predicted, y (m,d) treated */
static void response_scores(encoder_case *c, const float *predicted, int64_t n, const float *treated, int64_t m, int64_t d)
{
    enum { CURVE = 50 };
    static const double few[] = {2, 1, 0.5, 0.1, 0.01, 0.005};
    double gamma[CURVE], mmd[CURVE], energy, sum = 0;
    double *x = response_doubles(predicted, n * d), *y = response_doubles(treated, m * d);
    float curve[CURVE];
    cw_response_moments r;
    for (int k = 0; k < CURVE; k++) gamma[k] = pow(10.0, 1.0 - 4.0 * k / (CURVE - 1));
    cw_response_distances(c->ctx, &energy, mmd, gamma, CURVE, x, n, y, m, d);
    for (int k = 0; k < CURVE; k++) curve[k] = (float)mmd[k];
    encoder_compare(c, "scores", "expect.eval.mmd_curve", curve, CURVE, FORWARD);
    cw_response_distances(c->ctx, &energy, mmd, few, 6, x, n, y, m, d);
    for (int k = 0; k < 6; k++) sum += mmd[k] / 6;
    response_scalar(c, "scores", "expect.eval.mmd", sum);
    if (cw_response_compare(c->ctx, &r, x, n, y, m, d) == CW_OK) {
        response_scalar(c, "scores", "expect.eval.l2_means", r.l2_means);
        response_scalar(c, "scores", "expect.eval.l2_stds", r.l2_sds);
        response_scalar(c, "scores", "expect.eval.l2_pairwise", r.l2_pairs);
        response_scalar(c, "scores", "expect.eval.r2_means", r.r_means);
        response_scalar(c, "scores", "expect.eval.r2_stds", r.r_sds);
        response_scalar(c, "scores", "expect.eval.r2_pairwise", r.r_pairs);
    }
    free(x), free(y);
}

static cw_optimizer response_optimizer(encoder_case *c)
{
    return (cw_optimizer){.kind = CW_ADAM,
                          .lr = (float)cw_json_number(c->ctx, c->config, "lr", 1e-3, 0, 1e6),
                          .beta1 = (float)cw_json_number(c->ctx, c->config, "beta1", 0.9, 0, 1),
                          .beta2 = (float)cw_json_number(c->ctx, c->config, "beta2", 0.999, 0, 1),
                          .eps = 1e-8f,
                          .weight_decay = (float)cw_json_number(c->ctx, c->config, "weight_decay", 0, 0, 1e6),
                          .schedule = CW_SCHEDULE_STEP,
                          .total_steps = 1,
                          .every = cw_json_int(c->ctx, c->config, "scheduler_step_size", 1 << 20, 1, 1 << 30),
                          .gamma = (float)cw_json_number(c->ctx, c->config, "scheduler_gamma", 1, 0, 1)};
}

static void response_finals(encoder_case *c, cw_model *m)
{
    for (int64_t i = 0; i < m->params.count; i++) {
        cw_param *p = m->params.item[i];
        char name[300];
        snprintf(name, sizeof name, "final.%s", p->name);
        if (cw_safetensors_find(c->file, name))
            encoder_compare(c, "final weights", name, cw_param_host(c->ctx, &p->tensor), cw_count(&p->tensor), RESPONSE_FINAL);
    }
}

/* ---- auto-encoders ---- */

/* Mean of the rows (cells, d) of each condition. */
static float *autoencoder_means(const float *x, const int32_t *of, int64_t cells, int64_t conditions, int64_t d)
{
    float *mean = calloc((size_t)(conditions * d + 1), sizeof *mean);
    for (int64_t k = 0; k < conditions; k++) {
        double count = 0;
        for (int64_t i = 0; i < cells; i++) count += of[i] == k;
        for (int64_t j = 0; j < d; j++) {
            double sum = 0;
            for (int64_t i = 0; i < cells; i++) sum += of[i] == k ? (double)x[i * d + j] : 0;
            mean[k * d + j] = (float)(sum / count);
        }
    }
    return mean;
}

/* Rows of x of one condition, moved by to - from; *n of them. */
static float *autoencoder_moved(const float *x, const int32_t *of, int64_t cells, int64_t d, int32_t which,
                                const float *from, const float *to, int64_t *n)
{
    float *y = malloc((size_t)(cells * d + 1) * sizeof *y);
    *n = 0;
    for (int64_t i = 0; i < cells; i++) {
        if (of[i] != which) continue;
        for (int64_t j = 0; j < d; j++) y[*n * d + j] = x[i * d + j] + (to ? to[j] - from[j] : 0.0f);
        ++*n;
    }
    return y;
}

/* scGen's arithmetic: source cells with the mean code's shift, and the baseline of the mean effect. */
static void autoencoder_shift(encoder_case *c, cw_model *model, const float *x, const int32_t *of, const float *code)
{
    const cw_autoencoder_config *a = &((cw_autoencoder *)model)->config;
    int64_t cells = cw_safetensors_find(c->file, "inputs")->dim[0], K = a->conditions, d = a->code, G = a->genes, n, m;
    float *means = autoencoder_means(code, of, cells, K, d), *effect = autoencoder_means(x, of, cells, K, G);
    float *shift = calloc((size_t)d + 1, sizeof *shift);
    for (int64_t j = 0; j < d; j++) shift[j] = means[d + j] - means[j];
    encoder_compare(c, "shift", "expect.code_means", means, K * d, FORWARD);
    encoder_compare(c, "shift", "expect.shift", shift, d, FORWARD);
    float *moved = autoencoder_moved(code, of, cells, d, 0, means, means + d, &n);
    encoder_compare(c, "shift", "expect.pred_code", moved, n * d, FORWARD);
    float *average = autoencoder_moved(x, of, cells, G, 0, effect, effect + G, &n);
    encoder_compare(c, "shift", "expect.average", average, n * G, FORWARD);
    float *treated = autoencoder_moved(x, of, cells, G, 1, NULL, NULL, &m);
    const cw_array item = {.name = "code", .type = CW_ARRAY_F32, .ndim = 2, .dim = {n, d}, .data = moved};
    encoder_result told = {0};
    encoder_query(c, model, "decode", NULL, 0, &item, 1, &told);
    encoder_compare(c, "shift", "expect.pred", told.data, told.n, FORWARD);
    if (told.data && cw_safetensors_find(c->file, "expect.eval.mmd")) response_scores(c, told.data, n, treated, m, G);
    free(means), free(effect), free(shift), free(moved), free(average), free(treated), free(told.data);
}

static void autoencoder_train(encoder_case *c, cw_model *m, const cw_array *item, int64_t n)
{
    const cw_optimizer o = response_optimizer(c);
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, "step.loss");
    cw_trainer *tr = e ? encoder_trainer(c, m, "train", &o, NULL, 0, NULL) : NULL;
    float loss[64] = {0}, lr[64] = {0};
    for (int64_t i = 0; tr && i < e->count && i < 64; i++) {
        cw_step_report report, applied;
        cw_trainer_micro(tr, item, n, 0, NULL, 1.0f, &report);
        cw_trainer_apply(tr, &applied);
        loss[i] = (float)report.total, lr[i] = (float)applied.lr;
    }
    if (tr) {
        encoder_compare(c, "training", "step.loss", loss, e->count, FORWARD);
        encoder_compare(c, "training", "step.lr", lr, e->count, FORWARD);
        response_finals(c, m);
    }
    cw_trainer_free(tr);
}

static void run_autoencoder(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: auto-encoder, %s kernels\n", dir, c.ctx->kernels ? c.ctx->kernels->name : "no");
    cw_model *m = c.file && c.config ? encoder_model(&c, &cw_autoencoder_class, NULL, 0) : NULL;
    if (m) {
        int told = ((cw_autoencoder *)m)->config.kind == CW_AUTOENCODER_CONDITIONAL;
        cw_array item[] = {encoder_floats(&c, "inputs", "x"), encoder_ints(&c, "condition", "condition")};
        int64_t n = told ? 2 : 1, cells = item[0].dim[0];
        encoder_result code = {0}, back[2] = {{0}};
        encoder_query(&c, m, "encode", NULL, 0, item, n, &code);
        encoder_compare(&c, "forward", "expect.code", code.data, code.n, FORWARD);
        encoder_query(&c, m, "reconstruct", NULL, 0, item, n, back);
        encoder_compare(&c, "forward", "expect.recon", back[0].data, back[0].n, FORWARD);
        encoder_compare(&c, "forward", "expect.loss.cells", back[1].data, back[1].n, FORWARD);
        if (told && code.data) {
            int32_t *ones = encoder_hold(&c, malloc((size_t)(cells + 1) * sizeof *ones));
            for (int64_t i = 0; i < cells; i++) ones[i] = 1;
            const cw_array as[] = {{.name = "code", .type = CW_ARRAY_F32, .ndim = 2, .dim = {cells, code.n / cells}, .data = code.data},
                                   {.name = "condition", .type = CW_ARRAY_I32, .ndim = 1, .dim = {cells}, .data = ones}};
            encoder_result other = {0};
            encoder_query(&c, m, "decode", NULL, 0, as, 2, &other);
            encoder_compare(&c, "forward", "expect.decode_as_1", other.data, other.n, FORWARD);
            free(other.data);
        } else if (code.data) {
            autoencoder_shift(&c, m, item[0].data, item[1].data, code.data);
        }
        free(code.data), free(back[0].data), free(back[1].data);
        cw_step_report r;
        if (encoder_step(&c, m, "train", NULL, 0, NULL, item, n, &r)) {
            response_scalar(&c, "losses", "expect.loss.mse", r.value[0]);
            response_scalar(&c, "losses", "expect.loss.reg", r.report[0]);
            response_scalar(&c, "losses", "expect.loss.total", r.total);
            encoder_gradients(&c, m, 1e-5);
        }
        if (encoder_open_file(&c, "train.safetensors")) autoencoder_train(&c, m, item, n);
    }
    end_group();
    encoder_close(&c, m);
}

/* ---- CellOT ---- */

typedef struct {
    cw_option option[2]; /* of its task */
    int64_t inner;
} cellot_play;

static cellot_play cellot_options(encoder_case *c)
{
    double inner = cw_json_number(c->ctx, c->config, "n_inner_iters", 10, 1, 1e6);
    double penalty = cw_json_number(c->ctx, c->config, "g_fnorm_penalty", 0, 0, 1e6);
    return (cellot_play){{{"n_inner_iters", NULL, inner}, {"g_fnorm_penalty", NULL, penalty}}, (int64_t)inner};
}

/* f and g at x, (n) each, the caller's to free. */
static void cellot_potentials(encoder_case *c, cw_model *m, const float *x, int64_t n, int64_t d, encoder_result *got)
{
    const cw_array item = {.name = "x", .type = CW_ARRAY_F32, .ndim = 2, .dim = {n, d}, .data = x};
    encoder_query(c, m, "potentials", NULL, 0, &item, 1, got);
}

static void cellot_forward(encoder_case *c, cw_model *m, const cw_array *source, const cw_array *target)
{
    const cw_option half = {"dosage", NULL, 0.5};
    int64_t n = source->dim[0], d = source->dim[1];
    cw_array x = *source;
    encoder_result moved = {0}, part = {0}, at_source[2] = {{0}}, at_target[2] = {{0}}, at_moved[2] = {{0}};
    x.name = "x";
    encoder_query(c, m, "transport", NULL, 0, &x, 1, &moved);
    encoder_query(c, m, "transport", &half, 1, &x, 1, &part);
    if (!moved.data || !part.data) return;
    encoder_compare(c, "forward", "expect.transport", moved.data, moved.n, FORWARD);
    encoder_compare(c, "forward", "expect.transport_dosage", part.data, part.n, FORWARD);
    cellot_potentials(c, m, source->data, n, d, at_source);
    cellot_potentials(c, m, target->data, target->dim[0], d, at_target);
    cellot_potentials(c, m, moved.data, n, d, at_moved);
    encoder_compare(c, "forward", "expect.f_source", at_source[0].data, at_source[0].n, FORWARD);
    encoder_compare(c, "forward", "expect.g_source", at_source[1].data, at_source[1].n, FORWARD);
    encoder_compare(c, "forward", "expect.f_target", at_target[0].data, at_target[0].n, FORWARD);
    encoder_compare(c, "forward", "expect.f_transport", at_moved[0].data, at_moved[0].n, FORWARD);
    float *g = calloc((size_t)n + 1, sizeof *g), *f = calloc((size_t)n + 1, sizeof *f);
    for (int64_t i = 0; at_moved[0].data && at_target[0].data && i < n; i++) {
        double dot = 0;
        for (int64_t j = 0; j < d; j++) dot += (double)((const float *)source->data)[i * d + j] * (double)moved.data[i * d + j];
        g[i] = (float)((double)at_moved[0].data[i] - dot), f[i] = at_target[0].data[i] - at_moved[0].data[i];
    }
    encoder_compare(c, "forward", "expect.loss.g_cells", g, n, FORWARD);
    encoder_compare(c, "forward", "expect.loss.f_cells", f, n, FORWARD);
    response_scores(c, moved.data, n, target->data, target->dim[0], d);
    free(g), free(f), free(moved.data), free(part.data);
    for (int i = 0; i < 2; i++) free(at_source[i].data), free(at_target[i].data), free(at_moved[i].data);
}

/* Row i: gradient of what source row 0 is carried to in value i. */
static void cellot_hessian(encoder_case *c, const cw_cellot *m, const float *cell)
{
    int64_t d = m->config.dim;
    const float one = 1.0f;
    float *all = calloc((size_t)(d * d + 1), sizeof *all);
    cw_params store;
    cw_tensor *x = encoder_leaf(c, &store, cell, 1, d);
    for (int64_t i = 0; x && i < d && c->ctx->status == CW_OK; i++) {
        cw_params_zero_grad(&store);
        cw_tape_reset(c->tape, 1, 0, 1, 0);
        cw_tensor *value = cw_columns(c->tape, cw_layer_icnn_gradient(c->tape, x, &m->g), i, 1);
        if (cw_tape_backward(c->tape, 1, &value, &one) == CW_OK) cw_param_gradient(c->ctx, x, all + i * d);
    }
    encoder_compare(c, "second derivative", "expect.hessian", all, d * d, (tolerance){1e-3, 1e-5});
    cw_params_free(&store);
    free(all);
}

/* One step's losses and gradients, `step` saying whose turn it is. */
static int cellot_turn(encoder_case *c, cw_model *m, int64_t step, const cw_array *item, cw_step_report *r)
{
    const cw_optimizer o = {.kind = CW_SGD, .total_steps = 1};
    const cellot_play play = cellot_options(c);
    cw_trainer *tr = encoder_trainer(c, m, "train", &o, play.option, 2, NULL);
    if (tr) tr->step = step;
    int good = tr && cw_trainer_micro(tr, item, 2, 0, NULL, 1.0f, r) == CW_OK;
    cw_trainer_free(tr);
    return good;
}

/* Gradients of the player whose turn it is; those of the other are 0. */
static void cellot_gradients(encoder_case *c, cw_model *m, char player)
{
    for (int64_t i = 0; i < m->params.count; i++) {
        cw_param *p = m->params.item[i];
        float most = 0, *got = calloc((size_t)cw_count(&p->tensor) + 1, sizeof *got);
        cw_param_gradient(c->ctx, &p->tensor, got);
        for (int64_t j = 0; p->name[0] != player && j < cw_count(&p->tensor); j++) most = fmaxf(most, fabsf(got[j]));
        CHECK(most == 0, "%s: at the turn of %c %s has a gradient", c->dir, player, p->name);
        free(got);
    }
    char match[] = "?.*";
    match[0] = player;
    encoder_gradients_of(c, m, "grad_", match, 1e-5);
    cw_params_zero_grad(&m->params);
}

/* Rows of one batch of train.safetensors. */
static cw_array cellot_batch(const cw_array *all, int64_t which, const char *as)
{
    int64_t n = all->dim[all->ndim - 2], d = all->dim[all->ndim - 1];
    return (cw_array){.name = as, .type = CW_ARRAY_F32, .ndim = 2, .dim = {n, d},
                      .data = (const float *)all->data + which * n * d};
}

static void cellot_train(encoder_case *c, cw_model *m)
{
    const cw_optimizer o = response_optimizer(c);
    const cellot_play play = cellot_options(c);
    const cw_array source = encoder_floats(c, "train.source", "source"), target = encoder_floats(c, "train.target", "target");
    int64_t outer = source.dim[0], each = play.inner + 1;
    cw_trainer *tr = source.data && target.data ? encoder_trainer(c, m, "train", &o, play.option, 2, NULL) : NULL;
    float *g = calloc((size_t)(outer * each + 1), sizeof *g), *f = calloc((size_t)outer + 1, sizeof *f);
    CHECK(source.dim[1] == each, "%s: batches of %lld steps", c->dir, (long long)source.dim[1]);
    for (int64_t i = 0; tr && i < outer * each; i++) {
        cw_step_report report, applied;
        const cw_array item[] = {cellot_batch(&source, i, "source"), cellot_batch(&target, i / each, "target")};
        cw_trainer_micro(tr, item, 2, 0, NULL, 1.0f, &report);
        cw_trainer_apply(tr, &applied);
        if (i % each == play.inner) f[i / each] = (float)report.total;
        else g[i / each * play.inner + i % each] = (float)report.total;
    }
    if (tr) {
        encoder_compare(c, "training", "step.gloss", g, outer * play.inner, FORWARD);
        encoder_compare(c, "training", "step.floss", f, outer, FORWARD);
        response_finals(c, m);
    }
    cw_trainer_free(tr);
    free(g), free(f);
}

static void run_cellot(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: cellot, %s kernels\n", dir, c.ctx->kernels ? c.ctx->kernels->name : "no");
    cw_model *m = c.file && c.config ? encoder_model(&c, &cw_cellot_class, NULL, 0) : NULL;
    if (m) {
        const cw_array item[] = {encoder_floats(&c, "source", "source"), encoder_floats(&c, "target", "target")};
        cw_step_report r;
        cellot_forward(&c, m, &item[0], &item[1]);
        cellot_hessian(&c, (cw_cellot *)m, item[0].data);
        if (cellot_turn(&c, m, 0, item, &r)) {
            response_scalar(&c, "losses", "expect.loss.g", r.value[0]);
            response_scalar(&c, "losses", "expect.loss.g_penalty", r.value[1]);
            response_scalar(&c, "losses", "expect.loss.g_total", r.total);
            cellot_gradients(&c, m, 'g');
        }
        if (cellot_turn(&c, m, cellot_options(&c).inner, item, &r)) {
            response_scalar(&c, "losses", "expect.loss.f", r.total);
            response_scalar(&c, "losses", "expect.loss.w2", r.report[0]);
            cellot_gradients(&c, m, 'f');
        }
        if (encoder_open_file(&c, "train.safetensors")) cellot_train(&c, m);
    }
    end_group();
    encoder_close(&c, m);
}

#endif
