/* parity_kcellfm.h: KCellFM cases, and its fine-tuning, against the engine. The includer has `tolerance`, `compare` and
 * `end_group`. Every expect.*, grad.* of the case and every tensor of train.safetensors has to be compared. */
#ifndef CW_PARITY_KCELLFM_H
#define CW_PARITY_KCELLFM_H

#include "models/kcellfm/kcellfm.h"
#include "parity_encoder.h"

typedef struct {
    encoder_case *c;
    tolerance layers;
    float *conv, *dt; /* of layer 0, forwards */
} kcellfm_view;

static void kcellfm_see(void *user, const char *name, const cw_tensor *x)
{
    kcellfm_view *v = user;
    char full[80];
    int64_t bytes = cw_count(x) * (int64_t)sizeof(float);
    snprintf(full, sizeof full, "expect.%s", name);
    if (!cw_safetensors_find(v->c->file, full)) return;
    const float *got = cw_tape_host(v->c->tape, x);
    int layer = strncmp(name, "layer", 5) == 0;
    encoder_compare(v->c, layer ? "layers" : "tokens", full, got, cw_count(x), layer ? v->layers : FORWARD);
    float **copy = strstr(name, "fwd.conv") ? &v->conv : strstr(name, "fwd.dt") ? &v->dt : NULL;
    if (copy && got) memcpy(*copy = encoder_hold(v->c, malloc((size_t)bytes)), got, (size_t)bytes);
}

static int64_t kcellfm_items(encoder_case *c, cw_array *item, int ranked)
{
    int64_t n = 0;
    item[n++] = encoder_ints(c, "src", "src"), item[n++] = encoder_floats(c, "values", "values");
    item[n++] = encoder_ints(c, "src_key_padding_mask", "padding"), item[n++] = encoder_ints(c, "cell_type", "label");
    if (!ranked) return n;
    item[n++] = encoder_ints(c, "masked_positions", "masked"), item[n++] = encoder_floats(c, "mlm_target", "target");
    item[n++] = encoder_floats(c, "type_embeddings", "typeEmbedding"), item[n++] = encoder_ints(c, "type_close", "close");
    item[n++] = encoder_ints(c, "proxy_index", "proxy"), item[n++] = encoder_ints(c, "negative_index", "negative");
    return n;
}

static cw_status kcellfm_batch(encoder_case *c, cw_kcellfm *m, const cw_array *item, int64_t n, cw_kcellfm_batch *b)
{
    const cw_scgpt_reading how = {.padded = 1};
    cw_tape_reset(c->tape, 0, 0, 1, 0);
    cw_inputs in = cw_model_inputs(&m->model, c->tape->arena, item, n);
    cw_scgpt_input x = cw_scgpt_input_read(&in);
    return c->ctx->status == CW_OK ? cw_kcellfm_batch_build(b, c->tape->arena, &x, &how, &m->config) : c->ctx->status;
}

/* The state behind the last position: as many positions more as it is wide, which change nothing (steps of 0) and read out
 * a column each. */
static void kcellfm_state(encoder_case *c, cw_kcellfm *m, const kcellfm_view *v, const cw_scgpt_batch *b)
{
    const cw_layer_ssm *l = &m->layer[0].forward;
    int64_t B = b->cells, L = b->length, N = l->state, H = l->heads, P = l->head_dim;
    int64_t width = H * P + 2 * l->groups * N, rows = B * (L + N), at = H * P + l->groups * N;
    if (!v->conv || !v->dt) return;
    float *x = encoder_hold(c, calloc((size_t)(rows * width), sizeof *x)), *dt = encoder_hold(c, calloc((size_t)(rows * H), sizeof *dt));
    int64_t *start = encoder_hold(c, calloc((size_t)B + 1, sizeof *start));
    float *state = encoder_hold(c, calloc((size_t)(B * H * P * N), sizeof *state));
    for (int64_t i = 0; i < B; i++) {
        start[i + 1] = (i + 1) * (L + N);
        memcpy(x + start[i] * width, v->conv + i * L * width, (size_t)(L * width) * sizeof *x);
        memcpy(dt + start[i] * H, v->dt + i * L * H, (size_t)(L * H) * sizeof *dt);
        for (int64_t n = 0; n < N; n++) x[(start[i] + L + n) * width + at + n] = 1.0f;
    }
    cw_tape *t = c->tape;
    cw_tensor *a = cw_affine(t, cw_apply(t, l->a_log, (cw_function){CW_FN_EXP, 1.0f}), -1.0f, 0.0f);
    cw_scan_spec spec = {.heads = H, .head_dim = P, .groups = 1, .state = N, .b_at = H * P, .c_at = at,
                         .seq = {B, start, NULL}};
    const float *y = cw_tape_host(t, cw_selective_scan(t, cw_tape_constant(t, x, rows, width),
                                                       cw_tape_constant(t, dt, rows, H), a, NULL, spec));
    for (int64_t i = 0; y && i < B * N; i++)
        for (int64_t hp = 0; hp < H * P; hp++)
            state[(i / N * H * P + hp) * N + i % N] = y[(start[i / N] + L + i % N) * H * P + hp];
    encoder_compare(c, "layers", "expect.layer0.mamba_fwd.final_state", y ? state : NULL, B * H * P * N, v->layers);
}

static void kcellfm_forward(encoder_case *c, cw_kcellfm *m, const cw_array *item, int64_t n)
{
    /* a product of two directions amplifies rounding, as the case says */
    kcellfm_view v = {c, m->config.combine == CW_KCELLFM_MULTIPLY ? (tolerance){3e-4, 3e-5} : FORWARD, NULL, NULL};
    const cw_observer observer = {&v, kcellfm_see};
    cw_kcellfm_batch b;
    if (kcellfm_batch(c, m, item, n, &b) != CW_OK) return;
    cw_kcellfm_output y = cw_kcellfm_forward(m, c->tape, &b, &observer);
    int32_t *row = encoder_hold(c, malloc((size_t)b.token.rows * sizeof *row));
    for (int64_t r = 0; r < b.token.rows; r++) row[r] = (int32_t)r;
    if (cw_safetensors_find(c->file, "expect.mlm_output"))
        encoder_tensor(c, "heads", "expect.mlm_output", cw_kcellfm_decode(m, c->tape, &y, row, b.token.rows));
    encoder_tensor(c, "heads", "expect.cls_output", cw_kcellfm_classify(m, c->tape, &y));
    kcellfm_state(c, m, &v, &b.token);
}

/* Gradients of decays and of the steps' biases are sums of large terms that cancel. */
static void kcellfm_gradients(encoder_case *c, cw_kcellfm *m)
{
    encoder_gradients_of(c, &m->model, "grad.", "*A_log|*dt_bias", 1e-4);
    for (int64_t i = 0; i < m->model.params.count; i++) {
        const char *name = m->model.params.item[i]->name;
        if (!cw_name_match("*A_log|*dt_bias", name)) encoder_gradients_of(c, &m->model, "grad.", name, 1e-5);
    }
}

static void kcellfm_case(encoder_case *c, cw_kcellfm *m)
{
    static const char *const names[] = {"mlm", "cls", "ranking"};
    const cw_option option[] = {{"padded", NULL, 1}, {"mask", NULL, 0}};
    cw_array item[16];
    char name[64];
    cw_step_report report;
    int64_t n = kcellfm_items(c, item, 1);
    kcellfm_forward(c, m, item, n);
    if (!encoder_step(c, &m->model, "train", option, 2, NULL, item, n, &report)) return;
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "expect.loss.%s", names[i]);
        encoder_compare(c, "losses", name, &(float){(float)report.value[i]}, 1, FORWARD);
    }
    encoder_compare(c, "losses", "expect.loss.total", &(float){(float)report.total}, 1, FORWARD);
    kcellfm_gradients(c, m);
}

static void run_kcellfm(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: kcellfm, %s kernels\n", dir, c.ctx->kernels ? c.ctx->kernels->name : "no");
    cw_kcellfm *m = (cw_kcellfm *)encoder_model(&c, &cw_kcellfm_class, NULL, 0);
    if (m) kcellfm_case(&c, m);
    end_group();
    encoder_close(&c, &m->model);
}

/* ---- fine-tuning with frozen layers ---- */

typedef struct {
    encoder_case *c;
    cw_kcellfm *m;
    cw_safetensors *train;
    cw_array item[4]; /* of all steps */
    int64_t compared;
    double lr, decay;
    int64_t steps;
} kcellfm_run;

/* The arrays of one step. */
static void kcellfm_at(const kcellfm_run *r, int64_t step, cw_array *item)
{
    for (int i = 0; i < 4; i++) {
        item[i] = r->item[i];
        item[i].ndim--;
        for (int j = 0; j < item[i].ndim; j++) item[i].dim[j] = item[i].dim[j + 1];
        item[i].data = (const char *)item[i].data + step * cw_array_count(&item[i]) * 4;
    }
}

static float *kcellfm_wanted(kcellfm_run *r, const char *name, int64_t *n)
{
    const cw_safetensors_entry *e = cw_safetensors_find(r->train, name);
    float *x = e ? encoder_hold(r->c, malloc((size_t)(e->count + 1) * sizeof *x)) : NULL;
    CHECK(e != NULL, "%s: train.safetensors has no %s", r->c->dir, name);
    if (!x) return NULL;
    cw_safetensors_read_f32(r->c->ctx, x, e);
    *n = e->count;
    r->compared++;
    return x;
}

/* Where a gradient was below 1e-7 in the first step Adam turns rounding into steps of the learning rate's size. */
static void kcellfm_finals(kcellfm_run *r, float *const *first, const float *const *before)
{
    cw_params *p = &r->m->model.params;
    char name[200];
    for (int64_t i = 0; i < p->count; i++) {
        const cw_tensor *x = &p->item[i]->tensor;
        int64_t n = 0, count = cw_count(x);
        snprintf(name, sizeof name, "final.%s", p->item[i]->name);
        float *want = kcellfm_wanted(r, name, &n);
        const float *got = cw_param_host(r->c->ctx, x);
        if (!want || n != count || !got) continue;
        if (!first[i]) {
            CHECK(memcmp(got, before[i], (size_t)n * 4) == 0 && memcmp(want, before[i], (size_t)n * 4) == 0,
                  "%s moved, and is frozen or unused", p->item[i]->name);
            continue;
        }
        for (int64_t j = 0; j < n; j++)
            if (fabs((double)first[i][j]) < 1e-7) {
                CHECK(fabs((double)got[j] - want[j]) <= (double)r->steps * r->lr, "%s[%lld]", name, (long long)j);
                want[j] = got[j];
            }
        compare("finals", name, got, want, n, (tolerance){1e-3, 2e-5});
    }
    /* the same numbers again under the names of tied tensors */
    for (int64_t i = 0; i < p->aliases; i++) {
        int64_t n = 0;
        snprintf(name, sizeof name, "final.%s", p->alias[i].name);
        if (!cw_safetensors_find(r->train, name)) continue;
        float *want = kcellfm_wanted(r, name, &n);
        const float *got = cw_param_host(r->c->ctx, &p->alias[i].of->tensor);
        if (want && got && n == cw_count(&p->alias[i].of->tensor)) compare("finals", name, got, want, n, (tolerance){1e-3, 2e-5});
    }
}

static void kcellfm_tune(kcellfm_run *r, const cw_group *group, int groups)
{
    encoder_case *c = r->c;
    cw_params *p = &r->m->model.params;
    const cw_task *task = cw_model_task(&cw_kcellfm_class, "train");
    const cw_option option[] = {{"padded", NULL, 1}, {"mask", NULL, 0}};
    const cw_optimizer o = {.kind = CW_ADAMW, .lr = (float)r->lr, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f,
                            .weight_decay = (float)r->decay, .clip = 1.0f, .schedule = CW_SCHEDULE_CONSTANT,
                            .total_steps = r->steps};
    const float weight[] = {0, 1, 0};
    char why[200], settings[256] = {0};
    float **first = encoder_hold(c, calloc((size_t)p->count, sizeof *first));
    const float **before = encoder_hold(c, calloc((size_t)p->count, sizeof *before));
    if (cw_settings_fill(task->settings, settings, option, 2, 1, why, sizeof why) != CW_OK) CHECK(0, "%s", why);
    for (int64_t i = 0; i < p->count; i++) {
        int64_t bytes = cw_count(&p->item[i]->tensor) * 4;
        float *x = malloc((size_t)bytes);
        memcpy(x, cw_param_host(c->ctx, &p->item[i]->tensor), (size_t)bytes);
        before[i] = x;
    }
    cw_trainer *tr = cw_trainer_new(&r->m->model, c->tape, task, &o, settings, group, groups, weight, 1);
    int64_t n = 0;
    float *loss = kcellfm_wanted(r, "step.loss", &n), *norm = kcellfm_wanted(r, "step.grad_norm", &n);
    CHECK(n == r->steps, "%lld steps of %lld", (long long)n, (long long)r->steps);
    for (int64_t step = 0; tr && loss && norm && n == r->steps && step < r->steps; step++) {
        cw_array item[4];
        cw_step_report report, applied;
        kcellfm_at(r, step, item);
        if (cw_trainer_micro(tr, item, 4, 0, NULL, 1.0f, &report) != CW_OK) break;
        if (step == 0) {
            encoder_compare(c, "losses", "expect.loss.total", &(float){(float)report.total}, 1, FORWARD);
            kcellfm_gradients(c, r->m);
            for (int64_t i = 0; i < p->count; i++) {
                if (!p->item[i]->tensor.needs_grad) continue;
                first[i] = malloc((size_t)cw_count(&p->item[i]->tensor) * sizeof *first[i]);
                cw_param_gradient(c->ctx, &p->item[i]->tensor, first[i]);
            }
        }
        if (cw_trainer_apply(tr, &applied) != CW_OK) break;
        float now = (float)applied.grad_norm;
        if (step == 0) encoder_compare(c, "losses", "expect.grad_norm", &now, 1, GRADIENT);
        compare("steps", "step.loss", &(float){(float)report.total}, loss + step, 1, FORWARD);
        compare("steps", "step.grad_norm", &now, norm + step, 1, GRADIENT);
    }
    if (c->ctx->status == CW_OK) kcellfm_finals(r, first, before);
    cw_trainer_free(tr);
    for (int64_t i = 0; i < p->count; i++) free(first[i]), free((void *)(uintptr_t)before[i]);
}

static void run_kcellfm_tune(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    char path[4096], frozen[400] = "";
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: kcellfm fine-tuned, %s kernels\n", dir, c.ctx->kernels ? c.ctx->kernels->name : "no");
    kcellfm_run r = {.c = &c};
    cw_array all[4];
    kcellfm_items(&c, all, 0); /* the first token of a cell is <cls> */
    const cw_option more[] = {{"cls_token_id", NULL, all[0].data ? ((const int32_t *)all[0].data)[0] : -1},
                              {"dropout", NULL, 0}};
    r.m = (cw_kcellfm *)encoder_model(&c, &cw_kcellfm_class, more, 2);
    snprintf(path, sizeof path, "%s/train.safetensors", dir);
    r.train = cw_safetensors_open(c.ctx, path);
    memcpy(r.item, all, sizeof all);
    r.lr = cw_json_number(c.ctx, c.config, "lr", 0, 0, 1), r.decay = cw_json_number(c.ctx, c.config, "weight_decay", 0, 0, 1);
    r.steps = (int64_t)cw_json_number(c.ctx, c.config, "steps", 0, 1, 1e6);
    int64_t tuned = (int64_t)cw_json_number(c.ctx, c.config, "fine_tune_layers", 0, 0, 1e6);
    if (r.m && r.train && c.ctx->status == CW_OK) {
        cw_array item[4];
        kcellfm_at(&r, 0, item);
        kcellfm_forward(&c, r.m, item, 4);
        strcpy(frozen, "decoder.*"); /* takes no part in the loss */
        for (int64_t i = 0; i < r.m->config.layers - tuned; i++)
            snprintf(frozen + strlen(frozen), sizeof frozen - strlen(frozen), "|mamba_encoder.%lld.*", (long long)i);
        const cw_group group[] = {{"*", NAN, NAN, 0}, {frozen, NAN, NAN, 1}};
        kcellfm_tune(&r, group, 2);
    }
    end_group();
    CHECK(!r.train || r.compared == cw_safetensors_count(r.train), "%s: %lld tensors of train.safetensors, %lld compared",
          dir, (long long)cw_safetensors_count(r.train), (long long)r.compared);
    cw_safetensors_close(r.train);
    encoder_close(&c, &r.m->model);
}

#endif
