/* parity_encoder.h: what golden cases of published encoders share: config.json, model.safetensors, case.safetensors, and
 * that every golden tensor is compared. The includer has `tolerance`, `compare`, `end_group`, FORWARD. */
#ifndef CW_PARITY_ENCODER_H
#define CW_PARITY_ENCODER_H

#include "io/json.h"
#include "train/trainer.h"

typedef struct {
    const char *dir;
    cw_ctx *ctx;
    cw_tape *tape;
    cw_safetensors *file;
    cw_json *config;
    char *seen;       /* of each tensor of the file: 1 when it was compared */
    void *held[256];   /* arrays of the inputs */
    int holds;
} encoder_case;

static void encoder_seen(encoder_case *c, const char *name)
{
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
    if (e) c->seen[e - cw_safetensors_at(c->file, 0)] = 1;
}

static float *encoder_read(encoder_case *c, const char *name)
{
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
    float *x = e ? malloc((size_t)(e->count + 1) * sizeof *x) : NULL;
    if (x) cw_safetensors_read_f32(c->ctx, x, e);
    return x;
}

static void encoder_compare(encoder_case *c, const char *group_name, const char *name, const float *got, int64_t n,
                            tolerance tol)
{
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
    if (!e || !got) {
        CHECK(!e, "%s: no %s: %s", c->dir, name, c->ctx->text);
        return;
    }
    float *want = encoder_read(c, name);
    if (e->count != n)
        CHECK(0, "%s has %lld values, the engine %lld", name, (long long)e->count, (long long)n);
    else
        compare(group_name, name, got, want, n, tol);
    encoder_seen(c, name);
    free(want);
}

static void encoder_tensor(encoder_case *c, const char *group_name, const char *name, const cw_tensor *x)
{
    encoder_compare(c, group_name, name, cw_tape_host(c->tape, x), x ? cw_count(x) : 0, FORWARD);
}

/* ---- inputs ---- */

static void *encoder_hold(encoder_case *c, void *p) { return c->held[c->holds++] = p; }

static cw_array encoder_floats(encoder_case *c, const char *name, const char *as)
{
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
    cw_array a = {.name = as, .type = CW_ARRAY_F32, .ndim = e ? e->ndim : 0, .data = encoder_hold(c, encoder_read(c, name))};
    for (int i = 0; i < a.ndim; i++) a.dim[i] = e->dim[i];
    return a;
}

static cw_array encoder_ints(encoder_case *c, const char *name, const char *as)
{
    cw_array a = encoder_floats(c, name, as);
    const float *x = a.data;
    int32_t *k = encoder_hold(c, malloc((size_t)(cw_array_count(&a) + 1) * sizeof *k));
    for (int64_t i = 0; x && i < cw_array_count(&a); i++) k[i] = (int32_t)x[i];
    a.type = CW_ARRAY_I32, a.data = k;
    return a;
}

/* ---- queries ---- */

typedef struct {
    float *data; /* the caller's to free */
    int64_t n;
    int integer;
} encoder_result;

typedef struct {
    encoder_result *result;
    int n;
} encoder_shelf;

static void *encoder_take(void *user, const char *name, cw_array_type type, int ndim, const int64_t *dim)
{
    encoder_shelf *s = user;
    int64_t n = 1;
    (void)name;
    for (int i = 0; i < ndim; i++) n *= dim[i];
    encoder_result *r = &s->result[s->n++];
    *r = (encoder_result){calloc((size_t)n + 1, 8), n, type == CW_ARRAY_I32};
    return r->data;
}

/* Results in the order they were made, integers as floats. */
static void encoder_query(encoder_case *c, cw_model *m, const char *name, const cw_option *option, int options,
                          const cw_array *item, int64_t n, encoder_result *result)
{
    const cw_query *q = cw_model_query(m->class, name);
    char why[200];
    void *settings = q->settings ? calloc(1, q->bytes) : NULL;
    encoder_shelf shelf = {result, 0};
    const cw_sink sink = {&shelf, encoder_take};
    if (settings && cw_settings_fill(q->settings, settings, option, options, 1, why, sizeof why) != CW_OK)
        CHECK(0, "%s: %s", name, why);
    cw_model_run(m, c->tape, q, item, n, settings, &sink);
    for (int i = 0; i < shelf.n; i++)
        for (int64_t j = 0; result[i].integer && j < result[i].n; j++)
            result[i].data[j] = (float)((int32_t *)(void *)result[i].data)[j];
    free(settings);
}

/* ---- gradients ---- */

static cw_trainer *encoder_trainer(encoder_case *c, cw_model *m, const char *task_name, const cw_optimizer *optimizer,
                                   const cw_option *option, int options, const float *weight)
{
    const cw_task *task = cw_model_task(m->class, task_name);
    char why[200];
    void *settings = task->settings ? calloc(1, task->bytes) : NULL;
    if (settings && cw_settings_fill(task->settings, settings, option, options, 1, why, sizeof why) != CW_OK)
        CHECK(0, "%s: %s", task_name, why);
    cw_trainer *tr = cw_trainer_new(m, c->tape, task, optimizer, settings, NULL, 0, weight, 1);
    free(settings);
    return tr;
}

/* Losses and gradients of one batch; 1 when they are there. */
static int encoder_step(encoder_case *c, cw_model *m, const char *task_name, const cw_option *option, int options,
                        const float *weight, const cw_array *item, int64_t n, cw_step_report *report)
{
    const cw_optimizer optimizer = {.kind = CW_SGD, .total_steps = 1};
    cw_trainer *tr = encoder_trainer(c, m, task_name, &optimizer, option, options, weight);
    int good = tr && cw_trainer_micro(tr, item, n, 0, NULL, 1.0f, report) == CW_OK;
    cw_trainer_free(tr);
    return good;
}

/* All of `prefix` that belong to parameters whose names match; the absolute tolerance is `share` of the largest value. */
static void encoder_gradients_of(encoder_case *c, cw_model *m, const char *prefix, const char *match, double share)
{
    cw_params_mute_gradients(&m->params);
    for (int64_t i = 0; i < m->params.count; i++) {
        cw_param *p = m->params.item[i];
        char name[300];
        snprintf(name, sizeof name, "%s%s", prefix, p->name);
        const cw_safetensors_entry *e = cw_name_match(match, p->name) ? cw_safetensors_find(c->file, name) : NULL;
        if (!e) continue;
        float *want = encoder_read(c, name), *got = malloc((size_t)(cw_count(&p->tensor) + 1) * sizeof *got);
        double most = 0;
        for (int64_t j = 0; j < e->count; j++) most = fmax(most, fabs((double)want[j]));
        if (cw_param_gradient(c->ctx, &p->tensor, got) == CW_OK)
            encoder_compare(c, "gradients", name, got, cw_count(&p->tensor), (tolerance){1e-3, share * most + 1e-12});
        free(want), free(got);
    }
}

static void encoder_gradients(encoder_case *c, cw_model *m, double share)
{
    encoder_gradients_of(c, m, "grad.", "*", share);
}

/* Values (n,d) whose gradient is asked for: the only parameter of `store`, the caller's to free. */
static cw_tensor *encoder_leaf(encoder_case *c, cw_params *store, const float *values, int64_t n, int64_t d)
{
    cw_params_init(store, c->ctx, 0);
    cw_tensor *x = cw_params_add(store, CW_WEIGHT, 2, (int64_t[]){n, d}, "x");
    if (x) cw_param_set(c->ctx, x, values), cw_params_train_all(store);
    return x;
}

/* ---- a case ---- */

/* config.json's numbers and words that the class knows, then `more`; weights from model.safetensors, all of them. */
static cw_model *encoder_model(encoder_case *c, const cw_model_class *class, const cw_option *more, int count)
{
    int64_t n;
    char path[4096];
    cw_option *option = cw_json_options(c->ctx, c->config, &n), *all = calloc((size_t)(n + count + 1), sizeof *all);
    for (int64_t i = 0; i < n; i++) all[i] = option[i];
    for (int i = 0; i < count; i++) all[n + i] = more[i];
    cw_model *m = option ? cw_model_make(c->ctx, class, all, n + count, 0, 7) : NULL;
    free(all), cw_free(c->ctx, option);
    if (!m) return NULL;
    cw_load_report report;
    snprintf(path, sizeof path, "%s/model.safetensors", c->dir);
    cw_params_load(&m->params, path, class->rules, NULL, &report);
    for (int64_t i = 0; i < report.missing; i++) printf("  missing %s\n", report.missing_name[i]);
    for (int64_t i = 0; i < report.unexpected; i++) printf("  unexpected %s\n", report.unexpected_name[i]);
    for (int64_t i = 0; i < report.misshapen; i++) printf("  misshapen %s\n", report.misshapen_text[i]);
    CHECK(report.missing + report.unexpected + report.misshapen == 0, "%s: weights that don't fit", c->dir);
    cw_load_report_free(&report);
    return m;
}

/* expect.*, grad.*, grad_f.*, step.*, final.* */
static int encoder_golden(const char *name)
{
    const char *dot = strchr(name, '.');
    size_t n = dot ? (size_t)(dot - name) : 0;
    return (n == 6 && memcmp(name, "expect", 6) == 0) || (n == 4 && memcmp(name, "step", 4) == 0) ||
           (n == 5 && memcmp(name, "final", 5) == 0) || (n >= 4 && memcmp(name, "grad", 4) == 0 && (n == 4 || name[4] == '_'));
}

static void encoder_close_file(encoder_case *c)
{
    for (int64_t i = 0; c->file && i < cw_safetensors_count(c->file); i++) {
        const char *name = cw_safetensors_at(c->file, i)->name;
        CHECK(!encoder_golden(name) || c->seen[i], "%s: %s was not compared", c->dir, name);
    }
    cw_safetensors_close(c->file);
    free(c->seen);
    c->file = NULL, c->seen = NULL;
}

/* Another file of the case in place of the one open, all of whose golden tensors must have been compared; 0: not there. */
static int encoder_open_file(encoder_case *c, const char *name)
{
    char path[4096];
    encoder_close_file(c);
    snprintf(path, sizeof path, "%s/%s", c->dir, name);
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    fclose(f);
    c->file = cw_safetensors_open(c->ctx, path);
    c->seen = c->file ? calloc((size_t)cw_safetensors_count(c->file) + 1, 1) : NULL;
    return c->file != NULL;
}

static int encoder_open_at(encoder_case *c, const char *dir, const char *config, const char *kernels, int threads)
{
    char path[4096];
    *c = (encoder_case){.dir = dir, .ctx = cw_ctx_new(NULL)};
    if (!c->ctx) return 0;
    int guarded = kernels && strcmp(kernels, "guard") == 0;
    c->ctx->kernels = guarded ? cw_kernels_guard(&cw_kernels_cpu) : cw_kernels_select(kernels);
    c->ctx->threads = threads;
    c->tape = cw_tape_new(c->ctx);
    snprintf(path, sizeof path, "%s/%s", dir, config);
    c->config = cw_json_read_file(c->ctx, path);
    encoder_open_file(c, "case.safetensors");
    return 1;
}

static int encoder_open(encoder_case *c, const char *dir, const char *kernels, int threads)
{
    return encoder_open_at(c, dir, "config.json", kernels, threads);
}

static void encoder_close(encoder_case *c, cw_model *m)
{
    CHECK(c->ctx->status == CW_OK, "%s: %s: %s", c->dir, cw_status_name(c->ctx->status), c->ctx->text);
    encoder_close_file(c);
    cw_ctx_clear(c->ctx);
    for (int i = 0; i < c->holds; i++) free(c->held[i]);
    cw_model_free(m);
    cw_tape_free(c->tape);
    cw_json_free(c->config);
    cw_ctx_let_go(c->ctx); /* of the plans of Fourier transforms */
    CHECK(c->ctx->memory.bytes == 0, "%lld bytes are still held", (long long)c->ctx->memory.bytes);
    cw_ctx_free(c->ctx);
}

/* 1 when dir/config.json has both keys. */
static int encoder_is(const char *dir, const char *key, const char *other)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/config.json", dir);
    cw_ctx *ctx = cw_ctx_new(NULL);
    if (!ctx) return 0;
    cw_json *j = cw_json_read_file(ctx, path);
    int yes = j && cw_json_is_object(j) && cw_json_has(j, key) && cw_json_has(j, other);
    cw_json_free(j);
    cw_ctx_free(ctx);
    return yes;
}

#endif
