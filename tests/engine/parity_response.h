/* parity_response.h: golden cases of responses to treatments: the auto-encoders of scGen and cAE, CellOT. Included by
 * parity.c after parity_encoder.h. */
#ifndef CW_PARITY_RESPONSE_H
#define CW_PARITY_RESPONSE_H

#include "models/autoencoder/autoencoder.h"
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
    double gamma[CURVE], mmd[CURVE], energy, sum = 0, *x = response_doubles(predicted, n * d), *y = response_doubles(treated, m * d);
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

#endif
