/* parity.c: golden values against the engine.   usage: parity DIR
 *
 * Every folder at or below DIR that holds case.safetensors is a case; its kind is recognised from its configuration.
 * One line per tensor group: the largest error as a share of the tolerance (above 1 is a miss). Exits 1 on any miss, on a
 * case that can't be read, and when nothing was compared. What a case doesn't say in its files isn't assumed. */
#include <dirent.h>

#include "case.h"
#include "models/sccafm/gene_order.h"

typedef struct {
    double rtol, atol;
} tolerance;
static const tolerance FORWARD = {1e-4, 1e-5}, GRADIENT = {1e-3, 1e-5}, FINAL = {2e-3, 2e-5};

static int host_only;               /* cases whose operations refuse the guard device */
static const char *kernels_wanted; /* ref, cpu or guard; NULL: what the environment says */

/* ---- reporting: errors are gathered per group and printed when the group changes ---- */

static struct {
    char name[160], worst_name[160]; /* of the group; of the tensor with the largest error */
    double worst;
    int64_t values, tensors;
} group;

static void end_group(void)
{
    if (group.tensors) {
        int ok = group.worst <= 1.0;
        printf("  %-28s %5lld tensors %9lld values   error / tolerance %.3g%s%s\n", group.name, (long long)group.tensors,
               (long long)group.values, group.worst, ok ? "" : "   MISS in ", ok ? "" : group.worst_name);
        ok ? test_passed++ : test_failed++;
    }
    memset(&group, 0, sizeof group);
}

static void compare(const char *name, const char *tensor, const float *got, const float *want, int64_t n, tolerance tol)
{
    if (strcmp(name, group.name) != 0) end_group();
    snprintf(group.name, sizeof group.name, "%s", name);
    double before = group.worst;
    for (int64_t i = 0; i < n; i++) {
        double e = fabs((double)got[i] - want[i]) / (tol.atol + tol.rtol * fabs((double)want[i]));
        if (!(e <= group.worst)) group.worst = isnan(e) ? INFINITY : e;
    }
    if (group.worst > before) snprintf(group.worst_name, sizeof group.worst_name, "%s", tensor);
    group.values += n;
    group.tensors++;
}

/* ---- forward ---- */

/* Packed rows in the padded shape, new memory. */
static float *unpack(const sfm_case *c, cw_rows_kind kind, const float *x, float fill, int64_t d)
{
    float *y = malloc((size_t)(c->input.cells * cw_sccafm_slots(&c->batch, kind) * d + 1) * sizeof *y);
    cw_sccafm_unpack(y, &c->batch, kind, x, fill, d);
    return y;
}

static void compare_within(const sfm_case *c, const char *group_name, const char *name, const float *got, int64_t n,
                           tolerance tol)
{
    char full[128];
    snprintf(full, sizeof full, "expect.%s", name);
    const cw_safetensors_entry *e = entry(c, full);
    if (!e) return;
    float *want = floats(c, e);
    if (e->count != n) CHECK(0, "%s has %lld values, the engine %lld", full, (long long)e->count, (long long)n);
    else compare(group_name, name, got, want, n, tol);
    free(want);
}
static void compare_tensor(const sfm_case *c, const char *group_name, const char *name, const float *got, int64_t n)
{
    compare_within(c, group_name, name, got, n, FORWARD);
}

/* The VGAE's raw columns under their links. */
static void see_vgae(sfm_case *c, const cw_tensor *x)
{
    static const char *const names[2][3] = {{"vgae.mu_z", "vgae.sigma_z", NULL}, {"vgae.mu_h", "vgae.sigma_h", "vgae.p_drop"}};
    int64_t d = cw_cols(x), n = c->batch.actives;
    float *column = malloc((size_t)(n + 1) * sizeof *column);
    const float *values = cw_tape_host(c->tape, x);
    for (int j = 0; j < d; j++) {
        for (int64_t i = 0; i < n; i++) column[i] = cw_vgae_value(values[i * d + j], j);
        float *y = unpack(c, CW_ROWS_GENE, column, j == 1 ? 1.0f : 0.0f, 1); /* at padding: 0, 1, 0 */
        compare_tensor(c, "vgae", names[d == 3][j], y, c->input.cells * c->input.genes);
        free(y);
    }
    free(column);
}

static void see(void *user, const char *name, const cw_tensor *x)
{
    sfm_case *c = user;
    if (strcmp(name, "vgae.stats") == 0 || strcmp(name, "vgae.out") == 0) {
        see_vgae(c, x);
        return;
    }
    cw_rows_kind kind = strcmp(name, "u") == 0                                         ? CW_ROWS_TF
                        : strncmp(name, "batch_", 6) == 0 || strncmp(name, "cond", 4) == 0 ? CW_ROWS_CELL
                        : cw_rows(x) == c->batch.tokens                                 ? CW_ROWS_TOKEN
                                                                                        : CW_ROWS_GENE;
    int64_t d = cw_cols(x), n = c->input.cells * cw_sccafm_slots(&c->batch, kind) * d;
    float *y = unpack(c, kind, cw_tape_host(c->tape, x), 0.0f, d);
    const char *g = strstr(name, "embedding") ? "embedding" : strstr(name, "layer") ? "layers" : strstr(name, "vgae") ? "vgae" : name;
    int64_t padded = c->input.padding ? c->input.cells * c->input.genes : 0;
    if (strcmp(name, "vgae.z") == 0) {
        for (int64_t i = 0; i < padded; i++) /* at padding mu 0 + sigma 1 * eps */
            if (c->input.padding[i]) y[i] = c->input.eps[i];
    }
    if (strcmp(name, "expr_embedding") == 0) {
        /* the reference also embeds what stands at padding; the engine never computes that */
        float *want = floats(c, entry(c, "expect.expr_embedding"));
        for (int64_t i = 0; want && i < padded; i++)
            if (c->input.padding[i]) memcpy(y + i * d, want + i * d, (size_t)d * sizeof *y);
        free(want);
    }
    compare_tensor(c, g, name, y, n);
    free(y);
}

/* Gene orders can't be compared place by place: when the last edge into a gene is taken away, what is left of its
 * in-weight is 0 or 1e-17 depending on how the sums were rounded, and the published rule asks whether it is 0. So an order
 * is replayed: at every step the gene taken must be a best choice up to rounding. Returns the number of steps that
 * aren't; *least and *most bracket the cycle breaks. */
static int64_t replay_order(const float *grn, const int32_t *order, int64_t actives, int64_t genes, int64_t *least, int64_t *most)
{
    const double tol = 1e-5;
    double *in = calloc((size_t)genes * 3, sizeof *in), *out = in + genes, *first = out + genes;
    char *left = calloc((size_t)genes, 1);
    int64_t wrong = 0;
    *least = *most = 0;
    for (int64_t i = 0; i < actives; i++) left[order[i]] = 1;
    for (int64_t i = 0; i < genes; i++)
        for (int64_t j = 0; j < genes; j++)
            if (i != j && left[i] && left[j] && grn[i * genes + j] > 0) in[j] += grn[i * genes + j], out[i] += grn[i * genes + j];
    memcpy(first, in, (size_t)genes * sizeof *in);
    for (int64_t step = 0; step < actives; step++) {
        int64_t g = order[step], free_genes = 0, surely_free = 0;
        double most_out = 0, best = 0;
        for (int64_t h = 0; h < genes; h++) {
            if (!left[h]) continue;
            if (in[h] <= tol) {
                free_genes++;
                if (first[h] == 0) surely_free++, most_out = fmax(most_out, out[h]); /* the others: rounding decides */
            } else best = fmax(best, out[h] / in[h]);
        }
        int is_free = in[g] <= tol;
        if (!left[g]) wrong++;
        else if (is_free) wrong += out[g] < most_out - tol;
        else wrong += surely_free > 0 || out[g] / in[g] < best * (1 - 1e-4) - tol;
        *least += !is_free || free_genes == 0;
        *most += surely_free == 0;
        left[g] = 0;
        for (int64_t h = 0; h < genes; h++)
            if (left[h]) {
                if (h != g && grn[g * genes + h] > 0) in[h] = fmax(0, in[h] - grn[g * genes + h]);
                if (h != g && grn[h * genes + g] > 0) out[h] = fmax(0, out[h] - grn[h * genes + g]);
            }
    }
    free(in), free(left);
    return wrong;
}

/* The golden order on the engine's network, and the engine's order on the golden network. */
static void check_orders(sfm_case *c, const float *grn)
{
    int64_t genes = c->input.genes, wrong = 0, least, most, n, cycles;
    int32_t *want = ints(c, "expect.order.positions"), *lengths = ints(c, "expect.order.active_lengths");
    int32_t *breaks = ints(c, "expect.order.cycle_breaks"), *position = malloc((size_t)genes * sizeof *position);
    float *golden = floats(c, entry(c, "expect.grn"));
    uint8_t *active = malloc((size_t)genes);
    if (want && lengths && breaks && golden) {
        for (int64_t cell = 0; cell < c->input.cells; cell++) {
            const int32_t *theirs = want + cell * genes;
            for (int64_t g = 0; g < genes; g++) active[g] = !(c->input.padding && c->input.padding[cell * genes + g]);
            cw_gene_order(c->ctx, position, &n, &cycles, grn + cell * genes * genes, active, genes);
            wrong += n != lengths[cell];
            for (int64_t i = n; i < genes; i++) wrong += position[i] != theirs[i]; /* padding keeps its order */
            wrong += replay_order(grn + cell * genes * genes, theirs, n, genes, &least, &most);
            wrong += breaks[cell] < least || breaks[cell] > most;
            wrong += replay_order(golden + cell * genes * genes, position, n, genes, &least, &most);
            wrong += cycles < least || cycles > most;
        }
        end_group();
        printf("  %-28s %lld steps that are not a best choice, or counts that differ%s\n", "order", (long long)wrong,
               wrong ? "   MISS" : "");
        wrong ? test_failed++ : test_passed++;
    }
    free(want), free(lengths), free(breaks), free(position), free(golden), free(active);
}

static int falling(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* How far the last one taken of n values lies above the first one left out, as a share of the largest magnitude.
 * Sorts x. */
static double margin(float *x, int64_t n, int64_t taken)
{
    if (taken <= 0 || taken >= n) return INFINITY;
    qsort(x, (size_t)n, sizeof *x, falling);
    double largest = fmax(fabs((double)x[0]), fabs((double)x[n - 1]));
    return largest > 0 ? ((double)x[taken - 1] - x[taken]) / largest : 0;
}

/* Top-k choices that float32 can't tell apart are no one's error, but every value behind them may differ: says so. */
static void note_ties(sfm_case *c, const cw_sfm_output *y, const float *grn)
{
    const double least = 1e-6;
    int64_t genes = c->input.genes, m = c->model->config.factors, gates = 0, cuts = 0;
    float *x = malloc((size_t)(genes * genes + m + 1) * sizeof *x);
    const cw_tensor *logits[] = {y->tf_logits, y->gene_logits};
    const cw_balance *balance[] = {&c->model->tf_balance, &c->model->gene_balance};
    for (int r = 0; r < 2; r++) {
        const float *all = cw_tape_host(c->tape, logits[r]), *beta = cw_tape_host(c->tape, balance[r]->beta);
        for (int64_t i = 0; beta && i < cw_rows(logits[r]); i++) {
            for (int64_t j = 0; j < m; j++) x[j] = all[i * m + j] - beta[j];
            gates += margin(x, m, cw_sfm_gate_width(&c->model->config)) < least;
        }
    }
    for (int64_t cell = 0; c->n_pairs && cell < c->input.cells; cell++) {
        int64_t n = 0;
        for (int64_t a = 0; a < genes; a++)
            for (int64_t b = 0; b < genes; b++) {
                const uint8_t *padding = c->input.padding ? c->input.padding + cell * genes : NULL;
                if (c->input.non_tf[cell * genes + a] || (padding && (padding[a] || padding[b]))) continue;
                x[n++] = grn[(cell * genes + a) * genes + b];
            }
        cuts += margin(x, n, c->prior_top) < least;
    }
    free(x);
    if (gates) printf("  note: %lld gates choose between factors that float32 can't tell apart\n", (long long)gates);
    if (cuts)
        printf("  note: the prior loss's cut goes through edges of one score in %lld cells; which of them it judges is "
               "the implementation's choice\n",
               (long long)cuts);
}

static void check_networks(sfm_case *c, const cw_sfm_output *y)
{
    int64_t genes = c->input.genes, cells = c->input.cells, m = c->model->config.factors;
    float *u = unpack(c, CW_ROWS_TF, cw_tape_host(c->tape, y->u), 0.0f, m);
    float *v = unpack(c, CW_ROWS_GENE, cw_tape_host(c->tape, y->v), 0.0f, m);
    float *grn = calloc((size_t)(cells * genes * genes + 1), sizeof *grn);
    const cw_kernels *k = c->ctx->kernels->device == &cw_device_host ? c->ctx->kernels : &cw_kernels_cpu;
    k->gemm_batched(&(cw_exec){1}, grn, genes, genes * genes, u, m, genes * m, 0, v, m, genes * m, 1, 1.f, 0.f, genes,
                    genes, m, cells);
    compare_tensor(c, "grn", "grn", grn, cells * genes * genes);
    check_orders(c, grn);
    note_ties(c, y, grn);
    free(u), free(v), free(grn);
}

static void check_forward(sfm_case *c)
{
    cw_observer observer = {c, see};
    cw_tape_reset(c->tape, 0, 0, 1, 0);
    cw_sccafm_batch_build(&c->batch, c->tape->arena, &c->input, &c->model->config.trunk);
    cw_sfm_output y = cw_sfm_forward(c->model, c->tape, &c->batch, &observer);
    if (c->ctx->status != CW_OK) return;
    check_networks(c, &y);
    sfm_options o = options_of(c);
    cw_sfm_loss(c->model, c->tape, &c->batch, y, &o.loss, &observer);
}

static void scalar_of(sfm_case *c, const char *name, double got)
{
    compare_tensor(c, "losses", name, &(float){(float)got}, 1);
}

static void group_of(char *out, size_t size, const char *name)
{
    const char *p = strstr(name, "layers.");
    if (p) snprintf(out, size, "grad layers");
    else if (strstr(name, "router")) snprintf(out, size, "grad routers");
    else if (strstr(name, "head_modules.vgae")) snprintf(out, size, "grad vgae");
    else snprintf(out, size, "grad embedding");
}

static void check_gradients(sfm_case *c)
{
    sfm_options o = options_of(c);
    cw_trainer *tr = sfm_trainer(c->model, c->tape, "pretrain", &o, 1);
    sfm_losses l;
    if (!tr || sfm_micro(tr, &c->input, 0, (float)c->prior_weight, 1.0f, &l) != CW_OK) return;
    scalar_of(c, "loss.elbo", l.elbo);
    scalar_of(c, "loss.prior", l.prior / c->prior_weight);
    scalar_of(c, "loss.dag", l.dag);
    scalar_of(c, "loss.sparsity", l.sparsity);
    scalar_of(c, "loss.total", l.total);
    cw_params_mute_gradients(&c->model->model.params);
    for (int pass = 0; pass < 4; pass++) /* so that each group is printed once */
        for (int64_t i = 0; i < c->model->model.params.count; i++) {
            static const char *const order[] = {"grad embedding", "grad layers", "grad routers", "grad vgae"};
            cw_param *p = c->model->model.params.item[i];
            char name[300], g[32];
            snprintf(name, sizeof name, "grad.%s", p->name);
            group_of(g, sizeof g, p->name);
            const cw_safetensors_entry *e = entry(c, name);
            if (p->role != CW_WEIGHT || strcmp(g, order[pass]) != 0) continue;
            if (!e) continue;
            float *want = floats(c, e);
            if (e->count != cw_count(&p->tensor)) CHECK(0, "%s has %lld values", name, (long long)e->count);
            else {
                float *got = malloc((size_t)(e->count + 1) * sizeof *got);
                cw_param_gradient(c->ctx, &p->tensor, got);
                compare(g, p->name, got, want, e->count, GRADIENT);
                free(got);
            }
            free(want);
        }
    cw_sfm_balance_apply(&c->model->model, c->tape); /* beta after one update */
    const char *const names[] = {"beta_qb.tf", "beta_qb.tg"};
    const cw_balance *both[] = {&c->model->tf_balance, &c->model->gene_balance};
    for (int r = 0; r < 2; r++)
        if (both[r]->beta)
            compare_tensor(c, "beta", names[r], cw_param_host(c->ctx, both[r]->beta), c->model->config.factors);
    cw_trainer_free(tr);
}

/* ---- training run ---- */

/* How many of the names "step0.micro0.eps" with one number counted up are there. */
static int64_t count_eps(const sfm_case *c, int steps)
{
    int64_t n = 0;
    for (char name[64];; n++) {
        snprintf(name, sizeof name, "step%lld.micro%lld.eps", (long long)(steps ? n : 0), (long long)(steps ? 0 : n));
        if (!cw_safetensors_find(c->train, name)) return n;
    }
}

static void check_training(sfm_case *c)
{
    const char *what = cw_safetensors_metadata(c->train, "what");
    sfm_options o = options_of(c);
    const char *betas = what ? strstr(what, "betas ") : NULL;
    o.lr = (float)number_after(what, "(lr ", 0.003);
    o.beta1 = (float)number_after(betas, "betas ", 0.9);
    o.beta2 = (float)number_after(betas ? strchr(betas, '/') : NULL, "/", 0.95);
    o.eps = (float)number_after(what, ", eps ", 1e-8); /* not the end of "steps" */
    o.weight_decay = (float)number_after(what, "wd ", 0.05);
    o.clip = (float)number_after(what, "clip ", 1.0);
    int64_t steps = count_eps(c, 1), micros = count_eps(c, 0);
    o.total_steps = what && strtol(what, NULL, 10) > 0 ? (int64_t)strtol(what, NULL, 10) : steps;
    CHECK(steps > 0 && micros <= 2, "%s: %lld steps of %lld micro-batches", c->dir, (long long)steps, (long long)micros);
    o.warmup_steps = (int64_t)number_after(what ? strstr(what, "clip") : NULL, ", ", 2);
    o.min_lr_ratio = (float)number_after(what, "cosine to ", 0.1);
    cw_trainer *tr = sfm_trainer(c->model, c->tape, "pretrain", &o, 1);
    cw_safetensors *case_file = c->file;
    c->file = c->train;
    int64_t C = c->input.cells, G = c->input.genes;
    cw_sccafm_input all = c->input, half = c->input;
    /* the second micro-batch: the last C / 2 cells, last first, with the first rows of its noise */
    half.cells = C / 2;
    float *values = malloc((size_t)(C * G) * sizeof *values);
    int32_t *ids = malloc((size_t)(C * G) * sizeof *ids), *cond = malloc((size_t)(C * 4) * sizeof *cond);
    uint8_t *non_tf = malloc((size_t)(C * G)), *pad = malloc((size_t)(C * G));
    for (int64_t i = 0; i < half.cells; i++) {
        int64_t from = C - 1 - i;
        memcpy(values + i * G, all.values + from * G, (size_t)G * sizeof *values);
        memcpy(ids + i * G, all.ids + from * G, (size_t)G * sizeof *ids);
        memcpy(cond + i * 4, all.condition + from * 4, 4 * sizeof *cond);
        memcpy(non_tf + i * G, all.non_tf + from * G, (size_t)G);
        if (all.padding) memcpy(pad + i * G, all.padding + from * G, (size_t)G);
    }
    half.values = values, half.ids = ids, half.condition = cond, half.non_tf = non_tf;
    half.padding = all.padding ? pad : NULL;
    for (int64_t step = 0; tr && step < steps && c->ctx->status == CW_OK; step++) {
        char name[64];
        for (int64_t micro = 0; micro < micros && micro < 2; micro++) {
            cw_sccafm_input in = micro ? half : all;
            snprintf(name, sizeof name, "step%lld.micro%lld.eps", (long long)step, (long long)micro);
            float *eps = floats(c, entry(c, name));
            in.eps = eps;
            sfm_losses l;
            sfm_micro(tr, &in, micro, (float)c->prior_weight, 1.0f / (float)micros, &l);
            snprintf(name, sizeof name, "step%lld.micro%lld.loss", (long long)step, (long long)micro);
            if (c->ctx->status == CW_OK) compare_tensor(c, "train losses", name, &(float){(float)l.total}, 1);
            free(eps);
        }
        cw_step_report report;
        if (cw_trainer_apply(tr, &report) != CW_OK) break;
        snprintf(name, sizeof name, "step%lld.grad_norm", (long long)step);
        compare_within(c, "train losses", name, &(float){(float)report.grad_norm}, 1, GRADIENT);
        snprintf(name, sizeof name, "step%lld.lr", (long long)step);
        compare_tensor(c, "train losses", name, &(float){(float)report.lr}, 1);
    }
    for (int64_t i = 0; i < c->model->model.params.count && c->ctx->status == CW_OK; i++) {
        cw_param *p = c->model->model.params.item[i];
        char name[300];
        snprintf(name, sizeof name, "expect.final.%s", p->name);
        const cw_safetensors_entry *e = entry(c, name);
        float *want = floats(c, e);
        if (e && e->count == cw_count(&p->tensor))
            compare("train finals", p->name, cw_param_host(c->ctx, &p->tensor), want, e->count, FINAL);
        else if (e) CHECK(0, "%s has %lld values", name, (long long)e->count);
        free(want);
    }
    c->file = case_file;
    cw_trainer_free(tr);
    free(values), free(ids), free(cond), free(non_tf), free(pad);
}

static void reload(sfm_case *c)
{
    char path[4096];
    cw_load_report report;
    cw_params_load(&c->model->model.params, find(path, sizeof path, c->dir, "models/sfm", "sfm_model.safetensors"),
                   cw_sfm_class.rules, NULL, &report);
    cw_load_report_free(&report);
}

static void run_sfm(const char *dir)
{
    sfm_case c;
    int good = open_case(&c, dir, kernels_wanted ? kernels_wanted : getenv("CAUSEWAY_KERNELS"), 2);
    if (!c.ctx) return;
    printf("%s: sfm, %s kernels\n", dir, c.ctx->kernels ? c.ctx->kernels->name : "no");
    if (good && c.n_pairs > 0 && c.assumed[0]) printf("  note: no file of the case says, so assumed: %s\n", c.assumed);
    if (good) {
        check_forward(&c);
        if (c.input.eps) check_gradients(&c);
        reload(&c);
        if (c.train) check_training(&c);
    }
    end_group();
    CHECK(c.ctx->status == CW_OK, "%s: %s: %s", dir, cw_status_name(c.ctx->status), c.ctx->text);
    cw_ctx_clear(c.ctx);
    close_case(&c);
    CHECK(c.ctx->memory.bytes == 0, "%lld bytes are still held", (long long)c.ctx->memory.bytes);
    cw_ctx_free(c.ctx);
}

#include "parity_effendi.h"
#include "parity_efm.h"
#include "parity_bert.h"
#include "parity_cellfm.h"
#include "parity_gears.h"
#include "parity_hyena.h"
#include "parity_response.h"
#include "parity_kcellfm.h"
#include "parity_scgpt.h"
#include "parity_metrics.h"
#include "parity_ontology.h"
#include "parity_genefn.h"
#include "parity_split.h"

/* ---- the tree of cases ---- */

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Kinds told by two keys of config.json. */
static const struct {
    const char *key, *other;
    void (*run)(const char *dir, const char *kernels, int threads);
} kinds[] = {{"embsize", "nheads", run_scgpt},
             {"intermediate_size", "type_vocab_size", run_bert},
             {"enc_dims", "value_enc_hidden", run_cellfm},
             {"pad_len", "mask_ratio", run_cellfm_data},
             {"d_model", "layer", run_hyena},
             {"num_perts", "hidden_size", run_gears},
             {"latent_dim", "scheduler_gamma", run_autoencoder},
             {"fine_tune_layers", "mamba2", run_kcellfm_tune},
             {"nlayers", "mamba2", run_kcellfm},
             {"margin", "dissimilar_relation_ids", run_triplet},
             {"alpha", "difficulty_ratios", run_ontology},
             {"n_inner_iters", "softplus_beta", run_cellot},
             {"n_labels", "n_batches", run_scib},
             {"pairs", "genes", run_interactions},
             {"hidden2", "n_class_metrics", run_genefn},
             {"train_gene_set_size", "val_size", run_gears_split},
             {"n_tf", "top_k_edges", run_sccafm_eval},
             {"k", "snn_prune", run_modules}};

static void run_case(const char *dir)
{
    char path[4096];
    const char *kernels = kernels_wanted ? kernels_wanted : getenv("CAUSEWAY_KERNELS");
    if (find(path, sizeof path, dir, "models/sfm", "sfm_config.json")) {
        run_sfm(dir);
    } else if (find(path, sizeof path, dir, "models/efm", "efm_config.json")) {
        run_efm(dir, kernels, 2);
    } else if (is_effendi(dir) && kernels_wanted && strcmp(kernels_wanted, "guard") == 0) {
        printf("%s: effendi, host only: skipped\n", dir);
        host_only++;
    } else if (is_effendi(dir)) {
        run_effendi(dir, kernels, 2);
    } else {
        size_t n = sizeof kinds / sizeof *kinds, i = 0;
        while (i < n && !encoder_is(dir, kinds[i].key, kinds[i].other)) i++;
        if (i < n) kinds[i].run(dir, kernels, 2);
        else printf("%s: of a kind this version has no model for: not compared\n", dir);
    }
}

static void visit(const char *dir, int depth)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/case.safetensors", dir);
    if (exists(path)) run_case(dir);
    DIR *d = depth < 8 ? opendir(dir) : NULL;
    if (!d) return;
    char *names[4096];
    int n = 0;
    for (struct dirent *e; n < 4096 && (e = readdir(d));)
        if (e->d_name[0] != '.' && (names[n] = strdup(e->d_name))) n++;
    closedir(d);
    qsort(names, (size_t)n, sizeof *names, by_name);
    for (int i = 0; i < n; i++) {
        struct stat s;
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        if (stat(path, &s) == 0 && S_ISDIR(s.st_mode)) visit(path, depth + 1);
        free(names[i]);
    }
}

#ifndef PARITY_WITHOUT_MAIN
int main(int argc, char **argv)
{
    if (argc != 2) {
        printf("usage: parity DIR\n");
        return 2;
    }
    cw_blas_tune(1);
    int before = cw_blas_enter();
    visit(argv[1], 0);
    cw_blas_leave(before);
    return test_end();
}
#endif
