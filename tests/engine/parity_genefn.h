/* parity_genefn.h: heads of gene function (genefn_*) and the scores of their notebooks. Included by parity.c after
 * parity_metrics.h. */
#include "models/genefn/genefn.h"
#include "stats/classify.h"

/* One of the two heads that the file holds. */
static cw_model *genefn_model(encoder_case *c, int binary)
{
    int64_t n;
    char path[4096];
    cw_option *option = cw_json_options(c->ctx, c->config, &n), *all = calloc((size_t)n + 2, sizeof *all);
    for (int64_t i = 0; i < n; i++) all[i] = option[i];
    all[n] = (cw_option){"binary", NULL, binary}, all[n + 1] = (cw_option){"dropout", NULL, 0};
    cw_model *m = cw_model_make(c->ctx, &cw_genefn_class, all, n + 2, 0, 7);
    free(all), cw_free(c->ctx, option);
    if (!m) return NULL;
    cw_load_report report;
    snprintf(path, sizeof path, "%s/model.safetensors", c->dir);
    cw_params_load(&m->params, path, NULL, NULL, &report);
    CHECK(report.missing + report.misshapen == 0, "%s: weights that don't fit", c->dir);
    cw_load_report_free(&report);
    return m;
}

/* Rows of the table. */
static cw_array genefn_rows(encoder_case *c, const char *which)
{
    int64_t n = 0;
    const int32_t *gene = metric_ints(c, which, &n);
    cw_array a = encoder_floats(c, "gene_emb", "x");
    int64_t d = a.dim[1];
    float *x = encoder_hold(c, malloc((size_t)(n * d + 1) * sizeof *x));
    for (int64_t i = 0; gene && i < n; i++) memcpy(x + i * d, (const float *)a.data + gene[i] * d, (size_t)d * sizeof *x);
    a.dim[0] = n, a.data = x;
    return a;
}

/* Parameters under `prefix`; where the forward never goes the file's gradients are 0. */
static void genefn_tensors(encoder_case *c, cw_model *m, const char *prefix, int gradient)
{
    cw_params_mute_gradients(&m->params);
    for (int64_t i = 0; i < m->params.count; i++) {
        cw_param *p = m->params.item[i];
        char name[200];
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        int64_t n = cw_count(&p->tensor);
        float *want = encoder_read(c, name), *got = calloc((size_t)n + 1, sizeof *got);
        double most = 0;
        for (int64_t j = 0; want && j < n; j++) most = fmax(most, fabs((double)want[j]));
        if (gradient && p->role == CW_WEIGHT) cw_param_gradient(c->ctx, &p->tensor, got);
        if (!gradient) memcpy(got, cw_param_host(c->ctx, &p->tensor), (size_t)n * sizeof *got);
        CHECK(want != NULL, "no %s", name);
        encoder_compare(c, gradient ? "gradients" : "finals", name, got, n,
                        gradient ? (tolerance){1e-3, 1e-5 * most + 1e-12} : (tolerance){1e-3, 1e-6});
        free(want), free(got);
    }
}

static void genefn_train(encoder_case *c, cw_model *m, const cw_array *item, int binary)
{
    const cw_optimizer o = {.kind = CW_ADAM, .lr = (float)cw_json_number(c->ctx, c->config, "lr", 0, 0, 1), .beta1 = 0.9f,
                            .beta2 = 0.999f, .eps = 1e-8f, .schedule = CW_SCHEDULE_CONSTANT, .total_steps = 1,
                            .weight_decay = binary ? (float)cw_json_number(c->ctx, c->config, "weight_decay_binary", 0, 0, 1) : 0};
    int64_t steps = cw_json_int(c->ctx, c->config, "steps", 0, 1, 64);
    cw_trainer *tr = encoder_trainer(c, m, "train", &o, NULL, 0, NULL);
    float loss[64] = {0};
    for (int64_t i = 0; tr && i < steps; i++) {
        cw_step_report report, applied;
        cw_trainer_micro(tr, item, 2, 0, NULL, 1.0f, &report);
        cw_trainer_apply(tr, &applied);
        loss[i] = (float)report.total;
    }
    if (tr && !binary) encoder_compare(c, "steps", "step.loss", loss, steps, FORWARD);
    genefn_tensors(c, m, binary ? "final_binary." : "final.", 0);
    cw_trainer_free(tr);
}

static void genefn_head(encoder_case *c, cw_model *m, const cw_array *item, int binary)
{
    encoder_result told = {0};
    cw_step_report r;
    encoder_query(c, m, "predict", NULL, 0, item, 1, &told);
    encoder_compare(c, "forward", binary ? "expect.binary.logits" : "expect.logits", told.data, told.n, FORWARD);
    free(told.data);
    if (!encoder_step(c, m, "train", NULL, 0, NULL, item, 2, &r)) return;
    if (binary) encoder_compare(c, "losses", "expect.binary.loss", &(float){(float)r.value[1]}, 1, FORWARD);
    else {
        encoder_compare(c, "losses", "expect.loss.bce", &(float){(float)r.value[0]}, 1, FORWARD);
        encoder_compare(c, "losses", "expect.loss.total", &(float){(float)r.total}, 1, FORWARD);
    }
    genefn_tensors(c, m, binary ? "grad_binary." : "grad.", 1);
}

static void genefn_scores(encoder_case *c)
{
    int64_t n = 0, m = 0, classes = cw_json_int(c->ctx, c->config, "n_class_metrics", 1, 1, 1000);
    const double *score = metric_doubles(c, "scores");
    const int32_t *truth = metric_ints(c, "truth", &n), *real = metric_ints(c, "true_class", &m);
    const int32_t *told = metric_ints(c, "pred_class", NULL);
    cw_binary_scores b;
    cw_class_scores k;
    if (!score || !truth || !real || !told) return;
    cw_classify_binary(c->ctx, &b, score, truth, n);
    cw_classify_classes(c->ctx, &k, real, told, m, classes);
    const struct { const char *name; double got; } rows[] = {
        {"aupr", b.aupr}, {"average_precision", b.average}, {"f_max", b.f_max}, {"accuracy", k.accuracy},
        {"macro_f1", k.macro_f1}, {"weighted_f1", k.weighted_f1}, {"macro_recall", k.recall}, {"macro_precision", k.precision}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[64];
        snprintf(name, sizeof name, "expect.metrics.%s", rows[i].name);
        metric_compare(c, "scores", name, &rows[i].got, 1, (tolerance){1e-5, 1e-7});
    }
}

static void run_genefn(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: functions of genes, %s kernels\n", dir, c.ctx->kernels ? c.ctx->kernels->name : "no");
    cw_model *m[] = {genefn_model(&c, 0), genefn_model(&c, 1)};
    const cw_array item[2][2] = {{genefn_rows(&c, "gene"), encoder_floats(&c, "label", "label")},
                                 {genefn_rows(&c, "binary.gene"), encoder_ints(&c, "binary.label", "class")}};
    for (int i = 0; i < 2 && m[0] && m[1]; i++) genefn_head(&c, m[i], item[i], i);
    genefn_scores(&c);
    if (m[0] && m[1] && encoder_open_file(&c, "train.safetensors"))
        for (int i = 0; i < 2; i++) genefn_train(&c, m[i], item[i], i);
    end_group();
    cw_model_free(m[0]);
    encoder_close(&c, m[1]);
}
