/* parity_effendi.h: Effendi cases against the engine. The includer has `tolerance`, `compare` and `end_group`.
 * Everything is read from config.json and the tensors; every expect.* and grad.* of the file has to be compared. */
#ifndef CW_PARITY_EFFENDI_H
#define CW_PARITY_EFFENDI_H

#include "train/checkpoint.h"
#include "io/json.h"
#include "effendi_run.h"

typedef struct {
    const char *dir;
    cw_ctx *ctx;
    cw_tape *tape;
    cw_safetensors *file;
    cw_json *config;
    cw_effendi *model;
    char *seen;               /* of each tensor of the file: 1 when it was compared */
    float tau_max, weight[4]; /* ode, recon, tau, reverse */
    char name[96];            /* of the variant */
    char group[120];          /* under which values are reported */
    cw_effendi_flow flow;
    int alt;
} effendi_case;

static const tolerance EFF_VALUE = {1e-4, 1e-5}, EFF_REVERSE = {1e-2, 1e-10};

/* The tensor called by the format as new memory and its size; NULL when there is none. Marks it as compared. */
static float *eff_read(effendi_case *c, int64_t *n, const char *format, ...)
{
    char name[256];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
    if (!e) return NULL;
    for (int64_t i = 0; i < cw_safetensors_count(c->file); i++)
        if (cw_safetensors_at(c->file, i) == e) c->seen[i] = 1;
    float *x = malloc((size_t)(e->count + 1) * sizeof *x);
    if (cw_safetensors_read_f32(c->ctx, x, e) != CW_OK) memset(x, 0, (size_t)e->count * sizeof *x);
    *n = e->count;
    return x;
}

static cw_tensor *eff_input(effendi_case *c, const char *name)
{
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
    if (!e || e->ndim != 2) {
        cw_fail(c->ctx, CW_ERR_FORMAT, "no matrix %s", name);
        return NULL;
    }
    cw_tensor *x = cw_tape_matrix(c->tape, e->dim[0], e->dim[1]);
    if (x) cw_safetensors_read_f32(c->ctx, cw_f32(x), e);
    return x;
}

static int64_t eff_keep_limit = -1; /* values that flows keep, if not negative */

static void eff_compare(effendi_case *c, const char *group, const char *name, const float *got, int64_t n,
                        tolerance tol)
{
    int64_t count;
    float *want = eff_read(c, &count, "expect.%s", name);
    if (!want) return;
    if (count != n)
        CHECK(0, "expect.%s has %lld values, the engine %lld", name, (long long)count, (long long)n);
    else
        compare(group, name, got, want, n, tol);
    free(want);
}
static void eff_tensor(effendi_case *c, const char *prefix, const char *name, const cw_tensor *x)
{
    char full[300];
    snprintf(full, sizeof full, "%s%s%s", prefix, *prefix ? "." : "", name);
    if (x) eff_compare(c, c->group, full, cw_f32(x), cw_count(x), EFF_VALUE);
}
static void eff_scalar(effendi_case *c, const char *prefix, const char *name, double value, tolerance tol)
{
    char full[300];
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    eff_compare(c, c->group, full, &(float){(float)value}, 1, tol);
}

/* Gradient tolerance: relative 1e-3 and `share` of the tensor's largest value. */
static void eff_gradient(effendi_case *c, const char *group, const float *got, int64_t n, double share,
                         const char *name)
{
    int64_t count;
    double largest = 0;
    float *want = eff_read(c, &count, "grad.%s", name);
    if (!want) { /* absent = zero */
        for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs((double)got[i]));
        CHECK(largest == 0, "grad.%s is absent, the engine's reaches %g", name, largest);
        return;
    }
    for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs((double)want[i]));
    if (count != n)
        CHECK(0, "grad.%s has %lld values", name, (long long)count);
    else
        compare(group, name, got, want, n, (tolerance){1e-3, share * largest});
    free(want);
}
static void eff_gradients(effendi_case *c, const char *group, const char *prefix, double share)
{
    char name[300];
    for (int64_t i = 0; i < c->model->model.params.count; i++) {
        cw_param *p = c->model->model.params.item[i];
        snprintf(name, sizeof name, "%s.%s", prefix, p->name);
        if (p->role == CW_WEIGHT) eff_gradient(c, group, p->tensor.grad, cw_count(&p->tensor), share, name);
    }
}

static void eff_see(void *user, const char *name, const cw_tensor *x) { eff_tensor(user, "", name, x); }

/* A leaf with a gradient that holds what `x` does; freed with eff_free_leaf. */
static cw_tensor eff_leaf(const cw_tensor *x)
{
    cw_tensor leaf = *x;
    int64_t n = cw_count(x);
    leaf.data = malloc((size_t)n * sizeof(float)), leaf.grad = calloc((size_t)n, sizeof(float));
    memcpy(cw_f32(&leaf), cw_f32(x), (size_t)n * sizeof(float));
    leaf.node = NULL, leaf.base = NULL, leaf.owned = 0, leaf.needs_grad = 1;
    return leaf;
}
static void eff_free_leaf(cw_tensor *leaf) { free(cw_f32(leaf)), free(leaf->grad); }

/* ---- forward ---- */

/* Every state of the trajectory, (steps + 1, B, dim), and the reading at tau, (B, G, dim), built the long way. */
static void eff_trajectory(effendi_case *c, const cw_tensor *z, const cw_tensor *tau, const cw_effendi_field *f)
{
    int64_t steps = c->flow.steps, b = cw_rows(z), d = cw_cols(z), h = cw_cols(f->w.w3), genes = cw_cols(tau);
    cw_flow_spec spec = {c->flow.method, steps, c->tau_max};
    cw_tensor *path = cw_flow_path(c->tape, (cw_tensor *)z, f->w, spec);
    if (!path) return;
    float *all = malloc((size_t)((steps + 1) * b * d) * sizeof *all),
          *hidden = malloc((size_t)(b * genes * d) * sizeof *hidden);
    double *sum = calloc((size_t)(b * h), sizeof *sum), dt = (double)c->tau_max / (double)steps;
    for (int64_t k = 0; k <= steps; k++)
        for (int64_t r = 0; r < b; r++) {
            for (int64_t j = 0; j < d; j++) {
                double lift = k * (double)cw_f32(f->w.b3)[j];
                for (int64_t i = 0; i < h; i++) lift += sum[r * h + i] * cw_f32(f->w.w3)[j * h + i];
                all[(k * b + r) * d + j] = (float)(cw_f32(z)[r * d + j] + dt * lift);
            }
            for (int64_t i = 0; k < steps && i < h; i++) sum[r * h + i] += cw_f32(path)[(k * b + r) * h + i];
        }
    for (int64_t r = 0; r < b; r++)
        for (int64_t g = 0; g < genes; g++) {
            double p = fmin((double)cw_f32(tau)[r * genes + g], (double)c->tau_max) / dt;
            int64_t i = (int64_t)p < steps - 1 ? (int64_t)p : steps - 1;
            for (int64_t j = 0; j < d; j++)
                hidden[(r * genes + g) * d + j] = (float)((1 - (p - (double)i)) * all[(i * b + r) * d + j] +
                                                          (p - (double)i) * all[((i + 1) * b + r) * d + j]);
        }
    char name[160];
    snprintf(name, sizeof name, "%s.trajectory", c->name);
    eff_compare(c, c->group, name, all, (steps + 1) * b * d, EFF_VALUE);
    snprintf(name, sizeof name, "%s.trajectory_end", c->name);
    eff_compare(c, c->group, name, all + steps * b * d, b * d, EFF_VALUE);
    snprintf(name, sizeof name, "%s.hidden_states", c->name);
    eff_compare(c, c->group, name, hidden, b * genes * d, EFF_VALUE);
    free(all), free(hidden), free(sum);
}

static void eff_field(effendi_case *c, const cw_effendi_field *f)
{
    char name[160];
    for (int i = 0; i < 3; i++) {
        cw_tensor *w = c->model->field[i].w;
        snprintf(name, sizeof name, "sigma%d", 2 * i);
        eff_scalar(c, c->name, name, f->sigma[i], EFF_VALUE);
        snprintf(name, sizeof name, "%s.weight_u%d", c->name, 2 * i);
        eff_compare(c, c->group, name, f->u[i], cw_rows(w), EFF_VALUE);
        snprintf(name, sizeof name, "%s.weight_v%d", c->name, 2 * i);
        eff_compare(c, c->group, name, f->v[i], cw_cols(w), EFF_VALUE);
    }
    eff_scalar(c, c->name, "lipschitz", cw_effendi_lipschitz(c->model, f), EFF_VALUE);
}

static cw_effendi_losses eff_losses(effendi_case *c, cw_tensor *z, cw_tensor *tau, cw_tensor *emb,
                                    const cw_effendi_field *f, int per_cell)
{
    cw_effendi_terms terms = {.reverse = 1, .per_cell_median = per_cell};
    return cw_effendi_loss(c->model, c->tape, z, tau, emb, eff_input(c, "z_rna"), eff_input(c, "gene_expr"), NULL, f,
                           &c->flow, &terms);
}

static double eff_total(const effendi_case *c, const cw_effendi_losses *l)
{
    return c->weight[0] * (double)cw_tape_scalar(l->ode) + c->weight[1] * (double)cw_tape_scalar(l->recon) +
           c->weight[2] * (double)cw_tape_scalar(l->tau) + c->weight[3] * (double)cw_tape_scalar(l->reverse);
}

static void eff_forward(effendi_case *c)
{
    cw_tape *t = c->tape;
    cw_observer o = {c, eff_see};
    snprintf(c->group, sizeof c->group, "values %s", c->name);
    cw_tape_reset(t, 0, 0, 1, 0);
    cw_tensor *emb = eff_input(c, "gene_emb"), *z = cw_effendi_align(c->model, t, eff_input(c, "z_atac"));
    cw_tensor *tau = cw_effendi_tau(c->model, t, z, emb, &o);
    cw_effendi_field f = cw_effendi_field_make(c->model, t, &c->flow);
    cw_effendi_losses l = eff_losses(c, z, tau, emb, &f, 0);
    if (t->ctx->status != CW_OK) return;
    eff_tensor(c, "", "z_a", z), eff_tensor(c, "", "tau_g", tau), eff_tensor(c, "", "tau_bar", l.tau_bar);
    eff_field(c, &f);
    cw_tensor *h = cw_linear(t, cw_linear(t, z, f.w.w1, f.w.b1, CW_ACT_TANH), f.w.w2, f.w.b2, CW_ACT_TANH);
    eff_tensor(c, c->name, "field_at_z_a", cw_linear(t, h, f.w.w3, f.w.b3, CW_ACT_NONE));
    eff_trajectory(c, z, tau, &f);
    eff_tensor(c, c->name, "z_integrated", l.z_integrated), eff_tensor(c, c->name, "z_reversed", l.z_reversed);
    eff_tensor(c, c->name, "y_hat", l.y);
    eff_tensor(c, c->name, "rna_reversed", cw_effendi_run(t, eff_input(c, "z_rna"), &f, l.tau_bar, -1.0f, &c->flow));
    eff_scalar(c, c->name, "loss.ode", cw_tape_scalar(l.ode), EFF_VALUE);
    eff_scalar(c, c->name, "loss.recon", cw_tape_scalar(l.recon), EFF_VALUE);
    eff_scalar(c, c->name, "loss.tau", cw_tape_scalar(l.tau), EFF_VALUE);
    eff_scalar(c, c->name, "loss.reverse", cw_tape_scalar(l.reverse), EFF_REVERSE);
    eff_scalar(c, c->name, "loss.total", eff_total(c, &l), EFF_VALUE);
    if (!c->alt) return;
    cw_effendi_losses a = eff_losses(c, z, tau, emb, &f, 1);
    eff_tensor(c, "alt", "per_cell_tau_bar", a.tau_bar), eff_tensor(c, "alt", "z_integrated", a.z_integrated);
    eff_scalar(c, "alt", "loss.ode", cw_tape_scalar(a.ode), EFF_VALUE);
    eff_scalar(c, "alt", "loss.reverse", cw_tape_scalar(a.reverse), EFF_REVERSE);
}

/* ---- gradients ---- */

/* Gradient of sum weight_i loss_i; the leaves are those of the caller, or NULL: the model's own. */
static void eff_backward(effendi_case *c, cw_tensor *z_leaf, cw_tensor *tau_leaf, const float *weight)
{
    cw_tape *t = c->tape;
    cw_tape_reset(t, 1, 0, 1, 0);
    cw_params_zero_grad(&c->model->model.params);
    cw_tensor *emb = eff_input(c, "gene_emb");
    cw_tensor *z = z_leaf ? z_leaf : cw_effendi_align(c->model, t, eff_input(c, "z_atac"));
    cw_tensor *tau = tau_leaf ? tau_leaf : cw_effendi_tau(c->model, t, z, emb, NULL);
    cw_effendi_field f = cw_effendi_field_make(c->model, t, &c->flow);
    cw_effendi_losses l = eff_losses(c, z, tau, emb, &f, 0);
    cw_tensor *loss[] = {l.ode, l.recon, l.tau, l.reverse};
    for (int i = 0; i < 4; i++)
        if (weight[i] == 0) loss[i] = NULL; /* not asked for: nothing flows, not even zeros */
    cw_tape_backward(t, 4, loss, weight);
}

static void eff_check_gradients(effendi_case *c)
{
    static const char *const only[] = {"only_ode", "only_recon", "only_tau", "only_reverse"};
    double share = c->flow.steps >= 200 ? 5e-5 : 1e-5;
    char name[200], group[200];
    snprintf(group, sizeof group, "grad %.100s", c->name);
    eff_backward(c, NULL, NULL, c->weight);
    eff_gradients(c, group, c->name, share);
    cw_tape_reset(c->tape, 0, 0, 1, 0);
    cw_tensor *z = cw_effendi_align(c->model, c->tape, eff_input(c, "z_atac"));
    cw_tensor *tau = cw_effendi_tau(c->model, c->tape, z, eff_input(c, "gene_emb"), NULL);
    if (c->ctx->status != CW_OK) return;
    cw_tensor z_leaf = eff_leaf(z), tau_leaf = eff_leaf(tau);
    eff_backward(c, &z_leaf, NULL, c->weight);
    snprintf(name, sizeof name, "%s.activation.z_a", c->name);
    eff_gradient(c, group, z_leaf.grad, cw_count(&z_leaf), share, name);
    eff_backward(c, &z_leaf, &tau_leaf, c->weight);
    snprintf(name, sizeof name, "%s.activation.tau_g", c->name);
    eff_gradient(c, group, tau_leaf.grad, cw_count(&tau_leaf), share, name);
    eff_free_leaf(&z_leaf), eff_free_leaf(&tau_leaf);
    for (int i = 0; i < 4; i++) {
        const float weight[] = {i == 0, i == 1, i == 2, i == 3};
        snprintf(name, sizeof name, "grad.%s.%s.align.net.0.weight", c->name, only[i]);
        if (!cw_safetensors_find(c->file, name)) continue;
        eff_backward(c, NULL, NULL, weight);
        snprintf(name, sizeof name, "%s.%s", c->name, only[i]);
        snprintf(group, sizeof group, "grad %s", only[i]);
        eff_gradients(c, group, name, i == 3 ? 1e-3 : share);
    }
}

static void eff_stage1(effendi_case *c, const char *which)
{
    char name[64], prefix[64];
    cw_tape *t = c->tape;
    cw_tape_reset(t, 1, 0, 1, 0);
    cw_params_zero_grad(&c->model->model.params);
    snprintf(prefix, sizeof prefix, "stage1_%s", which);
    snprintf(c->group, sizeof c->group, "values %s", prefix);
    snprintf(name, sizeof name, "stage1.z_atac_%s", which);
    if (!cw_safetensors_find(c->file, name)) return;
    cw_tensor *x = eff_input(c, name);
    snprintf(name, sizeof name, "stage1.z_rna_%s", which);
    cw_tensor *y = eff_input(c, name), *direction = eff_input(c, "stage1.projections");
    const cw_safetensors_entry *bar = cw_safetensors_find(c->file, "stage1.tau_bar");
    if (!bar || !direction || !y) return;
    cw_safetensors_read_f32(c->ctx, cw_f32(c->model->tau_bar), bar);
    cw_effendi_field f = cw_effendi_field_make(c->model, t, &c->flow);
    cw_effendi_terms terms = {.reverse = 1};
    cw_effendi_losses l = cw_effendi_match(c->model, t, cw_effendi_align(c->model, t, x), y, cw_f32(direction),
                                           cw_rows(direction), &f, &c->flow, &terms);
    if (c->ctx->status != CW_OK) return;
    double sliced = cw_tape_scalar(l.sliced), reverse = cw_tape_scalar(l.reverse);
    eff_tensor(c, prefix, "z_integrated", l.z_integrated);
    eff_scalar(c, prefix, "loss.sliced_w2", sliced, EFF_VALUE);
    eff_scalar(c, prefix, "loss.reverse", reverse, EFF_REVERSE);
    eff_scalar(c, prefix, "loss.total", sliced + c->weight[3] * reverse, EFF_VALUE);
    eff_scalar(c, prefix, "sliced_w2_root", sqrt(sliced), EFF_VALUE);
    cw_tape_backward(t, 2, (cw_tensor *[]){l.sliced, l.reverse}, (float[]){1.0f, c->weight[3]});
    snprintf(name, sizeof name, "grad %s", which);
    eff_gradients(c, name, prefix, c->flow.steps >= 200 ? 5e-5 : 1e-5);
}

/* ---- a case ---- */

static void eff_variant(effendi_case *c, const cw_json *v)
{
    cw_ctx *ctx = c->ctx;
    const char *method = cw_json_string(ctx, v, "method", ""), *spectral = cw_json_string(ctx, v, "spectral", "");
    snprintf(c->name, sizeof c->name, "%s", cw_json_string(ctx, v, "name", ""));
    c->flow = (cw_effendi_flow){.method = strcmp(method, "rk4") == 0 ? CW_FLOW_RK4 : CW_FLOW_EULER,
                                .steps = cw_json_int(ctx, v, "n_steps", 0, 1, 1 << 20),
                                .exact = strcmp(spectral, "exact") == 0,
                                .iterations = cw_json_int(ctx, v, "n_power_iterations", 0, 0, 1 << 20),
                                .tau_max = c->tau_max};
    c->alt = cw_json_bool(ctx, v, "alt", 0);
    if ((strcmp(method, "rk4") && strcmp(method, "euler")) || (strcmp(spectral, "power") && !c->flow.exact))
        cw_fail(ctx, CW_ERR_FORMAT, "variant %s: method %s, spectral %s", c->name, method, spectral);
}

static int eff_open(effendi_case *c, const char *dir, const char *kernels, int threads)
{
    char path[4096];
    *c = (effendi_case){.dir = dir, .ctx = cw_ctx_new(NULL)};
    if (!c->ctx) return 0;
    cw_ctx *ctx = c->ctx;
    ctx->kernels = cw_kernels_select(kernels);
    ctx->threads = threads;
    c->tape = cw_tape_new(ctx);
    if (c->tape && eff_keep_limit >= 0) c->tape->keep_limit = eff_keep_limit;
    snprintf(path, sizeof path, "%s/config.json", dir);
    const cw_json *j = c->config = cw_json_read_file(ctx, path);
    snprintf(path, sizeof path, "%s/case.safetensors", dir);
    c->file = cw_safetensors_open(ctx, path);
    if (!j || !c->file) return 0;
    c->seen = calloc((size_t)cw_safetensors_count(c->file) + 1, 1);
#define SIZE(key) cw_json_int(ctx, j, key, 0, 1, 1 << 20)
    cw_effendi_config config = {.atac = SIZE("hyenadna_d_model"),
                                .dim = SIZE("dim"),
                                .align_hidden = SIZE("align_hidden"),
                                .field_hidden = SIZE("vf_hidden"),
                                .tau_hidden = SIZE("tau_hidden"),
                                .decoder_hidden = SIZE("dec_hidden"),
                                .mod_scale = (float)cw_json_number(ctx, j, "tau_mod_scale", 0.1, 0, 1e6)};
#undef SIZE
    static const char *const weights[] = {"w_ode", "w_recon", "w_tau", "w_reverse"};
    static const double usual[] = {1.0, 0.5, 0.01, 0.1};
    for (int i = 0; i < 4; i++) c->weight[i] = (float)cw_json_number(ctx, j, weights[i], usual[i], -1e6, 1e6);
    c->tau_max = (float)cw_json_number(ctx, j, "tau_max", 1, 0, 1e6);
    c->model = effendi_new(ctx, &config, 7);
    if (!c->model || cw_params_train_all(&c->model->model.params) != CW_OK) return 0;
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    cw_load_report report;
    cw_params_load(&c->model->model.params, path, NULL, NULL, &report);
    for (int64_t i = 0; i < report.missing; i++)
        CHECK(strcmp(report.missing_name[i], "tau_bar") == 0, "%s: no tensor %s", dir, report.missing_name[i]);
    CHECK(report.unexpected + report.misshapen == 0, "%s: weights that don't fit", dir);
    cw_load_report_free(&report);
    return ctx->status == CW_OK;
}

static void eff_close(effendi_case *c)
{
    effendi_free(c->model);
    cw_tape_free(c->tape);
    cw_safetensors_close(c->file);
    cw_json_free(c->config);
    free(c->seen);
    CHECK(c->ctx->memory.bytes == 0, "%lld bytes are still held", (long long)c->ctx->memory.bytes);
    cw_ctx_free(c->ctx);
}

static void run_effendi(const char *dir, const char *kernels, int threads)
{
    effendi_case c;
    int good = eff_open(&c, dir, kernels, threads);
    if (!c.ctx) return;
    printf("%s: effendi, %s kernels\n", dir, c.ctx->kernels ? c.ctx->kernels->name : "no");
    for (const cw_json *v = good ? cw_json_first(cw_json_array(c.ctx, c.config, "variants")) : NULL; v;
         v = cw_json_next(v)) {
        eff_variant(&c, v);
        eff_forward(&c);
        eff_check_gradients(&c);
    }
    if (good && cw_json_has(c.config, "stage1_variant")) {
        eff_variant(&c, cw_json_object(c.ctx, c.config, "stage1_variant"));
        eff_stage1(&c, "equal");
        eff_stage1(&c, "unequal");
    }
    end_group();
    CHECK(c.ctx->status == CW_OK, "%s: %s: %s", dir, cw_status_name(c.ctx->status), c.ctx->text);
    for (int64_t i = 0; good && i < cw_safetensors_count(c.file); i++) {
        const char *name = cw_safetensors_at(c.file, i)->name;
        int golden = strncmp(name, "expect.", 7) == 0 || strncmp(name, "grad.", 5) == 0;
        CHECK(!golden || c.seen[i], "%s: %s was not compared", dir, name);
    }
    cw_ctx_clear(c.ctx);
    eff_close(&c);
}

/* 1 when dir/config.json is an Effendi configuration. */
static int is_effendi(const char *dir)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/config.json", dir);
    cw_ctx *ctx = cw_ctx_new(NULL);
    if (!ctx) return 0;
    cw_json *j = cw_json_read_file(ctx, path);
    int yes = j && cw_json_is_object(j) && cw_json_has(j, "hyenadna_d_model") && cw_json_has(j, "variants");
    cw_json_free(j);
    cw_ctx_free(ctx);
    return yes;
}

#endif
