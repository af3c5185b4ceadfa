/* test_sfm.c: the whole structure model on small random data: threads, repetition, failing memory, padding, interrupts,
 * numbers that aren't finite, balancing, checkpoints, the memory forecast, gene order, the schedule. */
#define _POSIX_C_SOURCE 200809L
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "core/threads.h"
#include "train/checkpoint.h"
#include "models/sccafm/gene_order.h"
#include "models/sfm/sfm.h"
#include "sfm_run.h"

#define KEY 20u

/* ---- a small model and a random batch ---- */

static cw_sfm_config small_config(void)
{
    return (cw_sfm_config){.trunk = {.vocab = 60,
                                     .conditions = 9,
                                     .pad = 3,
                                     .embed_dim = 16,
                                     .expr_bins = 5,
                                     .expr_hidden = 7,
                                     .batch_bins = 4,
                                     .batch_hidden = 6,
                                     .expr_tau = 0.7f,
                                     .batch_tau = 1.2f,
                                     .layers = 2,
                                     .heads = 2,
                                     .mlp_hidden = 22,
                                     .qkv_bias = 1,
                                     .out_bias = 1,
                                     .mlp_bias = 1,
                                     .norm_eps = 1e-6f,
                                     .rotary_base = 10000.0f},
                           .factors = 9,
                           .router_hidden = 10,
                           .topk = 3,
                           .router_temperature = 0.8f,
                           .beta_momentum = 0.7f,
                           .vgae_hidden = 6,
                           .fp_steps = 2,
                           .fp_damping = 0.5f};
}

static cw_sfm_config with_dropout(cw_sfm_config c)
{
    c.trunk.cond_dropout = 0.1f, c.trunk.out_dropout = 0.1f, c.trunk.mlp_dropout = 0.2f, c.router_dropout = 0.1f, c.vgae_dropout = 0.1f;
    return c;
}

typedef struct {
    cw_sccafm_input in;
    int32_t *ids, *condition;
    float *values;
    uint8_t *non_tf, *padding;
} data;

/* Cells x genes with half of the values 0, `distinct` different others (0: nearly all differ), a fifth of the genes
 * TFs, and every 7th place padded if `padded`. */
static data random_data(const cw_sfm_config *c, int64_t cells, int64_t genes, int64_t distinct, int padded,
                        uint64_t seed)
{
    int64_t n = cells * genes;
    data d = {.ids = calloc((size_t)n, sizeof(int32_t)),
              .condition = calloc((size_t)cells * 4, sizeof(int32_t)),
              .values = calloc((size_t)n, sizeof(float)),
              .non_tf = calloc((size_t)n, 1),
              .padding = calloc((size_t)n, 1)};
    cw_stream s = cw_rng_stream(KEY, CW_RNG_USER, seed, 0);
    for (int64_t i = 0; i < n; i++) {
        float a = cw_rng_uniform(s, (uint64_t)(3 * i)), b = cw_rng_uniform(s, (uint64_t)(3 * i + 1));
        int64_t gene = i % genes, token = (gene * 7 + 4) % c->trunk.vocab;
        d.ids[i] = (int32_t)(token == c->trunk.pad ? 0 : token);
        d.non_tf[i] = gene % 5 != 2;
        d.values[i] = a < 0.5f   ? 0.0f
                      : distinct ? 0.25f * (float)(1 + (int64_t)(b * (float)distinct))
                                 : 4.0f * b + 0.01f;
        d.padding[i] = padded && (i * 3 + i / genes) % 7 == 0;
    }
    for (int64_t i = 0; i < cells * 4; i++)
        d.condition[i] = (int32_t)(cw_rng_uniform(s, (uint64_t)(3 * i + 2)) * (float)c->trunk.conditions);
    d.in = (cw_sccafm_input){.cells = cells,
                          .genes = genes,
                          .ids = d.ids,
                          .values = d.values,
                          .condition = d.condition,
                          .non_tf = d.non_tf,
                          .padding = padded ? d.padding : NULL};
    return d;
}

static void free_data(data *d) { free(d->ids), free(d->condition), free(d->values), free(d->non_tf), free(d->padding); }

/* Pairs of tokens as a prior, ascending. */
static const uint64_t pair_list[] = {(uint64_t)4 << 32 | 18, (uint64_t)18 << 32 | 4, (uint64_t)18 << 32 | 25,
                                     (uint64_t)53 << 32 | 11, (uint64_t)53 << 32 | 32};

static sfm_options small_options(void)
{
    return (sfm_options){.lr = 1e-2f,
                              .beta1 = 0.9f,
                              .beta2 = 0.95f,
                              .eps = 1e-8f,
                              .weight_decay = 0.05f,
                              .clip = 1.0f,
                              .total_steps = 10,
                              .warmup_steps = 2,
                              .min_lr_ratio = 0.1f,
                              .lambda_dag = 1.0f,
                              .lambda_sparsity = 0.001f,
                              .loss = {.prior = {5, pair_list},
                                       .prior_top = 20,
                                       .prior_positive = 5.0f,
                                       .prior_negative = 0.1f,
                                       .use_prior = 1,
                                       .use_dag = 1,
                                       .use_sparsity = 1}};
}

typedef struct {
    cw_ctx *ctx;
    cw_tape *tape;
    cw_sfm *model;
    cw_trainer *trainer;
} rig;

/* Everything of a run. `options` NULL: no trainer. What couldn't be had is NULL, with the error in ctx. */
static const char *options_task = "pretrain";
static rig new_rig(const cw_sfm_config *c, const sfm_options *options, const cw_host *host, int64_t fail_at)
{
    rig r = {.ctx = cw_ctx_new(host)};
    r.ctx->kernels = cw_kernels_select(NULL);
    r.ctx->fail_at = fail_at;
    r.tape = cw_tape_new(r.ctx);
    r.model = sfm_new(r.ctx, c, KEY);
    if (options && r.model && r.tape) r.trainer = sfm_trainer(r.model, r.tape, options_task, options, KEY);
    return r;
}

/* Frees all; returns the bytes that stayed behind. */
static int64_t free_rig(rig *r)
{
    cw_trainer_free(r->trainer);
    sfm_free(r->model);
    cw_tape_free(r->tape);
    int64_t left = r->ctx->memory.bytes;
    cw_ctx_free(r->ctx);
    return left;
}

static cw_status train_step(rig *r, const data *d, cw_step_report *report, sfm_losses *values)
{
    for (int64_t micro = 0; micro < 2 && r->ctx->status == CW_OK; micro++)
        sfm_micro(r->trainer, &d->in, micro, 20.0f, 0.5f, values);
    if (r->ctx->status != CW_OK) return r->ctx->status;
    return cw_trainer_apply(r->trainer, report);
}

static cw_status steps(rig *r, const data *d, int count)
{
    cw_step_report report;
    sfm_losses values;
    for (int i = 0; i < count; i++) train_step(r, d, &report, &values);
    return r->ctx->status;
}

/* All numbers of the model and the optimiser: weights, gradients, moments. New memory. */
static float *snapshot(const cw_sfm *m, int64_t *n, int gradients)
{
    float *all = malloc((size_t)cw_params_values(&m->model.params) * 4 * sizeof *all);
    *n = 0;
    for (int64_t i = 0; i < m->model.params.count; i++) {
        const cw_param *p = m->model.params.item[i];
        const float *parts[] = {p->tensor.data, p->m, p->v, gradients ? p->tensor.grad : NULL};
        for (int j = 0; j < 4; j++)
            if (parts[j]) {
                memcpy(all + *n, parts[j], (size_t)cw_count(&p->tensor) * sizeof *all);
                *n += cw_count(&p->tensor);
            }
    }
    return all;
}

/* Inference: u and v packed one after the other, in new memory. */
static float *factors(rig *r, const data *d, int64_t *nu, int64_t *nv)
{
    cw_sccafm_batch b;
    cw_tape_reset(r->tape, 0, 0, KEY, 0);
    *nu = *nv = 0;
    if (cw_sccafm_batch_build(&b, r->tape->arena, &d->in, &r->model->config.trunk) != CW_OK) return NULL;
    cw_sfm_output y = cw_sfm_forward(r->model, r->tape, &b, NULL);
    if (!y.v) return NULL;
    *nu = cw_count(y.u), *nv = cw_count(y.v);
    float *out = malloc((size_t)(*nu + *nv) * sizeof *out);
    memcpy(out, y.u->data, (size_t)*nu * sizeof *out);
    memcpy(out + *nu, y.v->data, (size_t)*nv * sizeof *out);
    return out;
}

static double largest_difference(const float *a, const float *b, int64_t n)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        double e = fabs((double)a[i] - b[i]);
        if (!(e <= worst)) worst = isnan(e) ? INFINITY : e;
    }
    return worst;
}

/* ---- (1), (2) threads and repetition ---- */

/* Factors, then gradients of a micro-batch, then the state after three steps. */
static float *whole_run(const cw_sfm_config *c, const data *d, int threads, int64_t *n)
{
    sfm_options o = small_options();
    rig r = new_rig(c, &o, NULL, -1);
    r.ctx->threads = threads;
    int64_t nu, nv, ng, ns;
    float *f = factors(&r, d, &nu, &nv);
    sfm_losses values;
    sfm_micro(r.trainer, &d->in, 0, 20, 1, &values);
    float *g = snapshot(r.model, &ng, 1);
    cw_trainer_abandon(r.trainer);
    CHECK(steps(&r, d, 3) == CW_OK, "%s", r.ctx->text);
    float *s = snapshot(r.model, &ns, 0);
    *n = nu + nv + ng + ns;
    float *all = malloc((size_t)*n * sizeof *all);
    memcpy(all, f, (size_t)(nu + nv) * sizeof *all);
    memcpy(all + nu + nv, g, (size_t)ng * sizeof *all);
    memcpy(all + nu + nv + ng, s, (size_t)ns * sizeof *all);
    free(f), free(g), free(s);
    CHECK(free_rig(&r) == 0, "bytes left");
    return all;
}

static void test_threads(void)
{
    for (int large = 0; large < 2; large++) {
        cw_sfm_config c = with_dropout(small_config());
        if (large) c.trunk.embed_dim = 32, c.trunk.mlp_hidden = 100, c.factors = 33, c.router_hidden = 40;
        data d = random_data(&c, large ? 7 : 5, large ? 231 : 23, large ? 0 : 6, 1, 1);
        int64_t n = 0, m = 0;
        float *one = whole_run(&c, &d, 1, &n);
        int finite = 1;
        for (int64_t i = 0; i < n; i++) finite &= isfinite(one[i]) != 0;
        CHECK(finite, "a run gave numbers that aren't finite");
        for (int threads = 1; threads <= 3; threads++) {
            float *many = whole_run(&c, &d, threads, &m);
            CHECK(n == m && memcmp(one, many, (size_t)n * sizeof *one) == 0, "%d threads, %s: off by %g", threads,
                  large ? "large" : "small", largest_difference(one, many, n < m ? n : m));
            free(many);
        }
        free(one);
        free_data(&d);
    }
}

/* ---- (3) every allocation fails once ---- */

/* A whole run with allocation `fail_at` failing; returns the status. */
static cw_status run_with_failure(const cw_sfm_config *c, const data *d, int64_t fail_at, int64_t *left, int64_t *calls)
{
    sfm_options o = small_options();
    rig r = new_rig(c, &o, NULL, fail_at);
    sfm_losses values;
    cw_step_report report = {0};
    if (r.trainer) {
        sfm_micro(r.trainer, &d->in, 0, 20, 1, &values);
        if (r.ctx->status == CW_OK)
            cw_trainer_apply(r.trainer, &report);
        else
            cw_trainer_abandon(r.trainer);
    }
    if (r.ctx->status == CW_OK) {
        int64_t nu, nv;
        free(factors(&r, d, &nu, &nv));
    }
    /* a failed step leaves a model that works once memory is there again */
    cw_status status = r.ctx->status;
    if (status != CW_OK && r.trainer) {
        cw_ctx_clear(r.ctx);
        r.ctx->fail_at = -1;
        sfm_micro(r.trainer, &d->in, 0, 20, 1, &values);
        cw_trainer_apply(r.trainer, &report);
        CHECK(r.ctx->status == CW_OK && isfinite(report.grad_norm), "after failure %lld: %s", (long long)fail_at,
              r.ctx->text);
    }
    *calls = r.ctx->memory.calls;
    *left = free_rig(&r);
    return status;
}

static void test_memory_failures(void)
{
    cw_sfm_config c = with_dropout(small_config());
    data d = random_data(&c, 3, 11, 4, 1, 2);
    int64_t left, calls, failures = 0, fail_at = 0;
    for (;; fail_at++) {
        cw_status status = run_with_failure(&c, &d, fail_at, &left, &calls);
        int good = (status == CW_ERR_MEMORY || (status == CW_OK && fail_at >= calls)) && left == 0;
        if (!good)
            CHECK(0, "failure %lld: status %s, %lld bytes left", (long long)fail_at, cw_status_name(status),
                  (long long)left);
        if (status == CW_OK || !good) break;
        failures++;
    }
    CHECK(failures > 100 && fail_at == calls, "%lld of %lld allocations failed", (long long)failures, (long long)calls);
    printf("every one of %lld allocations failed once\n", (long long)failures);
    free_data(&d);
}

/* ---- (4) the steady state asks for nothing ---- */

static void test_steady_state(void)
{
    cw_sfm_config c = with_dropout(small_config());
    sfm_options o = small_options();
    o.total_steps = 60;
    rig r = new_rig(&c, &o, NULL, -1);
    data same = random_data(&c, 5, 43, 0, 1, 3);
    CHECK(steps(&r, &same, 2) == CW_OK, "%s", r.ctx->text);
    int64_t before = r.ctx->memory.calls, bytes = r.ctx->memory.bytes;
    steps(&r, &same, 8);
    CHECK(r.ctx->memory.calls == before && r.ctx->memory.bytes == bytes, "%lld allocations in steps 3 to 10",
          (long long)(r.ctx->memory.calls - before));
    printf("allocations in steps 3 to 10, same batch: %lld\n", (long long)(r.ctx->memory.calls - before));
    /* batches of one shape whose numbers of different values are not the same: the slab serves them too */
    int64_t late = 0, all = 0;
    for (uint64_t i = 0; i < 40; i++) {
        data other = random_data(&c, 5, 43, 0, 1, 10 + i);
        before = r.ctx->memory.calls;
        CHECK(steps(&r, &other, 1) == CW_OK, "%s", r.ctx->text);
        all += r.ctx->memory.calls - before;
        if (i >= 20) late += r.ctx->memory.calls - before;
        free_data(&other);
    }
    printf("allocations with varying distinct values: %lld in 40 steps, %lld in the last 20\n", (long long)all,
           (long long)late);
    CHECK(late == 0, "%lld allocations in 20 late steps", (long long)late);
    CHECK(r.ctx->memory.bytes <= 3 * bytes / 2, "memory grew from %lld to %lld", (long long)bytes,
          (long long)r.ctx->memory.bytes);
    free_data(&same);
    CHECK(free_rig(&r) == 0, "bytes left");
}

/* ---- (5), (6) who shares the batch, and padding ---- */

/* Cell `cell` of d alone, without its padded genes if `compact`. */
static data one_cell(const data *d, int64_t cell, int compact)
{
    int64_t genes = d->in.genes, n = 0;
    data one = {.ids = calloc((size_t)genes, sizeof(int32_t)),
                .condition = calloc(4, sizeof(int32_t)),
                .values = calloc((size_t)genes, sizeof(float)),
                .non_tf = calloc((size_t)genes, 1),
                .padding = calloc((size_t)genes, 1)};
    memcpy(one.condition, d->condition + 4 * cell, 4 * sizeof(int32_t));
    for (int64_t g = 0; g < genes; g++) {
        int64_t at = cell * genes + g;
        if (compact && d->in.padding && d->padding[at]) continue;
        one.ids[n] = d->ids[at], one.values[n] = d->values[at];
        one.non_tf[n] = d->non_tf[at], one.padding[n++] = d->in.padding ? d->padding[at] : 0;
    }
    one.in = (cw_sccafm_input){.cells = 1,
                            .genes = n,
                            .ids = one.ids,
                            .values = one.values,
                            .condition = one.condition,
                            .non_tf = one.non_tf,
                            .padding = compact ? NULL : one.padding};
    return one;
}

/* The largest difference of a cell's factors in company and alone. */
static double alone(rig *r, const data *d, int compact)
{
    int64_t nu, nv, m = r->model->config.factors, au = 0, av = 0;
    float *all = factors(r, d, &nu, &nv);
    double worst = all ? 0 : INFINITY;
    for (int64_t cell = 0; all && cell < d->in.cells; cell++) {
        data one = one_cell(d, cell, compact);
        int64_t ou, ov;
        float *single = factors(r, &one, &ou, &ov);
        CHECK(single && au + ou <= nu && av + ov <= nv && ov % m == 0, "%s", r->ctx->text);
        if (single) {
            worst = fmax(worst, largest_difference(all + au, single, ou));
            worst = fmax(worst, largest_difference(all + nu + av, single + ou, ov));
        }
        au += ou, av += ov;
        free(single);
        free_data(&one);
    }
    CHECK(au == nu && av == nv, "rows are missing");
    free(all);
    return worst;
}

static void test_composition(void)
{
    cw_sfm_config c = small_config();
    c.trunk.embed_dim = 32;
    for (int kernels = 0; kernels < 2; kernels++) {
        rig r = new_rig(&c, NULL, NULL, -1);
        r.ctx->kernels = cw_kernels_select(kernels ? "cpu" : "ref");
        data d = random_data(&c, 6, 57, 0, 1, 4);
        double worst = alone(&r, &d, 0);
        printf("a cell in company and alone (%s): factors differ by at most %g\n", r.ctx->kernels->name, worst);
        CHECK(worst <= 1e-5, "factors depend on the batch: %g", worst);
        free_data(&d);
        CHECK(free_rig(&r) == 0, "bytes left");
    }
}

static void test_padding(void)
{
    for (int rotary = CW_ROTARY_NONE; rotary <= CW_ROTARY_INTERLEAVED; rotary++) {
        cw_sfm_config c = small_config();
        c.trunk.use_rotary = rotary != CW_ROTARY_NONE, c.trunk.rotary_interleaved = rotary == CW_ROTARY_INTERLEAVED;
        rig r = new_rig(&c, NULL, NULL, -1);
        data d = random_data(&c, 4, 23, 0, 1, 5);
        double middle = alone(&r, &d, 1);
        if (rotary == CW_ROTARY_NONE)
            CHECK(middle <= 1e-5, "padding in the middle changes factors by %g", middle);
        else
            CHECK(middle > 1e-5, "positions count the padded places, so this should differ: %g", middle);
        /* padding behind */
        for (int64_t i = 0; i < 4 * 23; i++) d.padding[i] = i % 23 >= 23 - 3 * (i / 23);
        double behind = alone(&r, &d, 1);
        CHECK(behind <= 1e-5, "padding behind changes factors by %g (rotary %d)", behind, rotary);
        /* values, tokens and TF marks at padding are never looked at */
        int64_t nu, nv, mu, mv;
        float *before = factors(&r, &d, &nu, &nv);
        for (int64_t i = 0; i < 4 * 23; i++)
            if (d.padding[i]) d.values[i] = NAN, d.ids[i] = 50, d.non_tf[i] ^= 1;
        float *after = factors(&r, &d, &mu, &mv);
        CHECK(before && after && nu == mu && nv == mv && memcmp(before, after, (size_t)(nu + nv) * sizeof *after) == 0,
              "what stands at padding matters: %s", r.ctx->text);
        free(before), free(after);
        /* positions */
        cw_sccafm_batch b;
        cw_tape_reset(r.tape, 0, 0, KEY, 0);
        cw_sccafm_batch_build(&b, r.tape->arena, &d.in, &c.trunk);
        int right = 1;
        for (int64_t i = 0; i < b.actives; i++) right &= b.position[b.gene_row[i]] == b.gene_slot[i] + 1;
        for (int64_t i = 0; i < b.cells; i++) right &= b.position[b.seq.start[i]] == 0;
        CHECK(right, "positions are places in the padded sequence");
        free_data(&d);
        CHECK(free_rig(&r) == 0, "bytes left");
    }
    /* shared genes, and a cell that is all padding, and a batch without any TF */
    cw_sfm_config c = small_config();
    sfm_options o = small_options();
    rig r = new_rig(&c, &o, NULL, -1);
    data d = random_data(&c, 3, 13, 0, 0, 6);
    data shared = random_data(&c, 3, 13, 0, 0, 6);
    shared.in.ids_shared = 1; /* ids and TF marks depend on the gene only: the first row stands for all */
    int64_t nu, nv, mu, mv;
    float *a = factors(&r, &d, &nu, &nv), *b = factors(&r, &shared, &mu, &mv);
    CHECK(nu == mu && nv == mv && memcmp(a, b, (size_t)(nu + nv) * sizeof *a) == 0, "shared genes");
    free(a), free(b);
    d.in.padding = d.padding;
    memset(d.padding + 13, 1, 13);
    CHECK(alone(&r, &d, 0) <= 1e-5, "a cell that is all padding");
    CHECK(steps(&r, &d, 1) == CW_OK, "%s", r.ctx->text);
    memset(d.non_tf, 1, 3 * 13);
    CHECK(steps(&r, &d, 1) == CW_OK, "no TF: %s", r.ctx->text);
    memset(d.padding, 1, 3 * 13);
    CHECK(steps(&r, &d, 1) == CW_OK, "nothing but padding: %s", r.ctx->text);
    free_data(&d), free_data(&shared);
    CHECK(free_rig(&r) == 0, "bytes left");
}

/* ---- (7) interrupts ---- */

typedef struct {
    int64_t polls, stop_at; /* -1: never */
} stopper;

static int stop_now(void *user)
{
    stopper *s = user;
    return s->polls++ == s->stop_at;
}

static void test_interrupt(void)
{
    cw_sfm_config c = with_dropout(small_config());
    sfm_options o = small_options();
    data d = random_data(&c, 3, 17, 5, 1, 7);
    stopper s = {0, -1};
    cw_host host = {.user = &s, .interrupted = stop_now};
    rig r = new_rig(&c, &o, &host, -1);
    steps(&r, &d, 1);
    s.polls = 0;
    steps(&r, &d, 1);
    int64_t polls = s.polls, n, m;
    float *want = snapshot(r.model, &n, 1);
    CHECK(free_rig(&r) == 0, "bytes left");
    CHECK(polls > 60, "only %lld polls in a step", (long long)polls);
    int wrong_status = 0, changed = 0, different = 0, tried = 0;
    for (int64_t at = 0; at < polls; at += at < 8 ? 1 : 5, tried++) {
        s.stop_at = -1;
        r = new_rig(&c, &o, &host, -1);
        steps(&r, &d, 1);
        float *before = snapshot(r.model, &m, 0);
        s.polls = 0, s.stop_at = at;
        cw_status status = steps(&r, &d, 1);
        wrong_status += status != CW_ERR_INTERRUPT;
        cw_ctx_clear(r.ctx);
        cw_trainer_abandon(r.trainer);
        float *after = snapshot(r.model, &m, 0);
        changed += memcmp(before, after, (size_t)m * sizeof *after) != 0 || r.trainer->step != 1;
        s.stop_at = -1;
        steps(&r, &d, 1);
        float *end = snapshot(r.model, &m, 1);
        different += m != n || memcmp(want, end, (size_t)n * sizeof *end) != 0;
        free(before), free(after), free(end);
        CHECK(free_rig(&r) == 0, "bytes left");
    }
    CHECK(wrong_status == 0 && changed == 0 && different == 0,
          "%d interrupts: %d other statuses, %d changed the weights, %d steps after it differ", tried, wrong_status,
          changed, different);
    free(want);
    free_data(&d);
}

/* ---- (8) numbers that aren't finite ---- */

static int warnings;
static void count_warning(void *user, int level, const char *text)
{
    (void)user, (void)text;
    warnings += level == 2;
}

static void test_not_finite(void)
{
    cw_sfm_config c = small_config();
    data d = random_data(&c, 3, 17, 5, 1, 8);
    cw_host host = {.log = count_warning};
    int64_t n;

    /* a NaN weight: nothing moves */
    sfm_options o = small_options();
    rig r = new_rig(&c, &o, &host, -1);
    cw_f32(r.model->vgae_out.w2)[1] = NAN;
    float *before = snapshot(r.model, &n, 0);
    /* the likelihood replaces what isn't finite, as published, so it shows in the gradient: DAG and sparsity go first
     */
    CHECK(steps(&r, &d, 3) == CW_ERR_NUMERIC && strstr(r.ctx->text, "not finite"), "%s", r.ctx->text);
    CHECK(r.trainer->dropped[SFM_DAG] && r.trainer->dropped[SFM_SPARSITY], "both regularisers must have gone first");
    cw_ctx_clear(r.ctx);
    cw_trainer_abandon(r.trainer);
    float *after = snapshot(r.model, &n, 0);
    CHECK(memcmp(before, after, (size_t)n * sizeof *after) == 0 && r.trainer->step == 0, "weights changed");
    free(before), free(after);
    CHECK(free_rig(&r) == 0, "bytes left");

    /* a learning rate that throws the weights away: an error, and it stays where it is */
    o.lr = 1e36f;
    r = new_rig(&c, &o, &host, -1);
    int taken = 0;
    while (taken < 8 && steps(&r, &d, 1) == CW_OK) taken++;
    CHECK(r.ctx->status == CW_ERR_NUMERIC, "%d steps with an absurd learning rate: %s", taken, r.ctx->text);
    cw_ctx_clear(r.ctx);
    cw_trainer_abandon(r.trainer);
    before = snapshot(r.model, &n, 0);
    CHECK(steps(&r, &d, 1) == CW_ERR_NUMERIC, "%s", r.ctx->text);
    after = snapshot(r.model, &n, 0);
    CHECK(memcmp(before, after, (size_t)n * sizeof *after) == 0, "weights got worse");
    free(before), free(after);
    CHECK(free_rig(&r) == 0, "bytes left");

    /* gradients that overflow: DAG goes first, then sparsity, then it is an error; weights never move */
    o = small_options();
    o.lambda_dag = o.lambda_sparsity = 3e38f;
    o.loss.use_prior = 0;
    r = new_rig(&c, &o, &host, -1);
    before = snapshot(r.model, &n, 0);
    cw_step_report report;
    sfm_losses values;
    for (int round = 0; round < 3; round++) {
        warnings = 0;
        sfm_micro(r.trainer, &d.in, 0, 0, 1e5f, &values);
        CHECK(r.ctx->status == CW_OK && isfinite(values.total), "round %d: %s", round, r.ctx->text);
        for (int64_t i = 0; round == 2 && i < r.model->model.params.count; i++) { /* the core loss itself overflows */
            float *g = r.model->model.params.item[i]->tensor.grad;
            if (g) g[0] = INFINITY;
        }
        cw_status status = cw_trainer_apply(r.trainer, &report);
        CHECK(report.discarded && report.step == 0 && warnings == (round < 2), "round %d: discarded %d", round,
              report.discarded);
        CHECK(r.trainer->dropped[SFM_DAG] && r.trainer->dropped[SFM_SPARSITY] == (round > 0), "round %d: the order", round);
        CHECK(status == (round < 2 ? CW_OK : CW_ERR_NUMERIC), "round %d: %s", round, r.ctx->text);
        after = snapshot(r.model, &n, 0);
        CHECK(memcmp(before, after, (size_t)n * sizeof *after) == 0, "round %d changed the weights", round);
        free(after);
    }
    cw_ctx_clear(r.ctx);
    CHECK(train_step(&r, &d, &report, &values) == CW_OK && report.step == 1 && isfinite(report.grad_norm), "and on: %s",
          r.ctx->text);
    free(before);
    CHECK(free_rig(&r) == 0, "bytes left");
    free_data(&d);

    /* a DAG loss that is infinite: all genes are TFs in one factor, (1 + 400/40)^40 > 1e38 */
    c.factors = 40, c.topk = 1, c.trunk.vocab = 500;
    d = random_data(&c, 1, 400, 5, 0, 9);
    memset(d.non_tf, 0, 400);
    r = new_rig(&c, (o = small_options(), &o), &host, -1);
    cw_mlp routers[] = {r.model->tf_router, r.model->gene_router};
    for (int i = 0; i < 2; i++) memset(routers[i].w2->data, 0, 400 * sizeof(float)), cw_f32(routers[i].b2)[7] = 5;
    warnings = 0;
    sfm_micro(r.trainer, &d.in, 0, 20, 1, &values);
    CHECK(r.ctx->status == CW_OK && r.trainer->dropped[SFM_DAG] && !r.trainer->dropped[SFM_SPARSITY] && values.dag == 0 &&
              warnings == 1,
          "an infinite DAG loss: %s, dag %g", r.ctx->text, values.dag);
    cw_trainer_apply(r.trainer, &report);
    CHECK(r.ctx->status == CW_OK && !report.discarded && report.step == 1, "the step goes on without it: %s",
          r.ctx->text);
    free_data(&d);
    CHECK(free_rig(&r) == 0, "bytes left");
}

/* ---- (9) balancing ---- */

static int falling(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The new beta before momentum, in double, by sorting. */
static void naive_beta(double *beta_new, const float *x, const double *beta, int64_t n, int64_t m, int64_t k)
{
    double *row = malloc((size_t)(n + m) * sizeof *row), *alpha = malloc((size_t)(n + 1) * sizeof *alpha);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < m; j++) row[j] = (double)x[i * m + j] - beta[j];
        qsort(row, (size_t)m, sizeof *row, falling);
        alpha[i] = row[k];
    }
    int64_t t = (int64_t)nearbyint((double)(n * k) / (double)m);
    if (t < 1) t = 1;
    for (int64_t j = 0; j < m; j++) {
        for (int64_t i = 0; i < n; i++) row[i] = (double)x[i * m + j] - alpha[i];
        qsort(row, (size_t)n, sizeof *row, falling);
        beta_new[j] = row[t < n ? t : n - 1];
    }
    free(row), free(alpha);
}

static void test_balance(void)
{
    cw_sfm_config c = small_config();
    const int64_t m = c.factors, k = c.topk, cells[] = {3, 5};
    rig r = new_rig(&c, NULL, NULL, -1);
    const cw_balance *balance[] = {&r.model->tf_balance, &r.model->gene_balance};
    double beta[2][9], sum[2][9] = {{0}}, weight[2] = {0};
    for (int j = 0; j < 9; j++)
        for (int i = 0; i < 2; i++) beta[i][j] = cw_f32(balance[i]->beta)[j] = 0.03f * (float)((j * 5 + i) % 7);
    for (int round = 0; round < 2; round++) {
        memset(sum, 0, sizeof sum), memset(weight, 0, sizeof weight);
        for (int micro = 0; micro < 2; micro++) {
            data d = random_data(&c, cells[micro], 23, 0, 1, (uint64_t)(20 + micro + 2 * round));
            cw_sccafm_batch b;
            cw_tape_reset(r.tape, 1, 0, KEY, 0);
            cw_sccafm_batch_build(&b, r.tape->arena, &d.in, &c.trunk);
            cw_sfm_output y = cw_sfm_forward(r.model, r.tape, &b, NULL);
            cw_tensor *logits[] = {y.tf_logits, y.gene_logits};
            for (int i = 0; i < 2; i++) {
                double fresh[9];
                int64_t n = cw_rows(logits[i]);
                naive_beta(fresh, logits[i]->data, beta[i], n, m, k);
                for (int j = 0; j < 9; j++) sum[i][j] += (double)n * fresh[j];
                weight[i] += (double)n;
            }
            cw_sfm_balance_gather(r.model, r.tape, y);
            free_data(&d);
        }
        cw_sfm_balance_apply(&r.model->model, r.tape);
        double worst = 0, moved = 0;
        for (int i = 0; i < 2; i++)
            for (int j = 0; j < 9; j++) {
                double want = beta[i][j] + (double)c.beta_momentum * (sum[i][j] / weight[i] - beta[i][j]);
                worst = fmax(worst, fabs(want - cw_f32(balance[i]->beta)[j]));
                moved = fmax(moved, fabs(want - beta[i][j]));
                beta[i][j] = cw_f32(balance[i]->beta)[j];
            }
        CHECK(worst < 1e-6 && moved > 1e-3, "beta is off by %g (it moved by %g)", worst, moved);
    }
    /* nothing gathered, or forgotten: beta stays */
    cw_sfm_balance_apply(&r.model->model, r.tape);
    r.model->tf_balance.sum[0] = 5, r.model->tf_balance.sum[r.model->config.factors] = 1;
    cw_sfm_balance_forget(&r.model->model);
    cw_sfm_balance_apply(&r.model->model, r.tape);
    for (int j = 0; j < 9; j++) CHECK(cw_f32(balance[0]->beta)[j] == (float)beta[0][j], "beta %d moved", j);
    CHECK(free_rig(&r) == 0, "bytes left");

    const int64_t gates[] = {0, 9, 200}; /* none, and as many as there are factors or more */
    for (int i = 0; i < 3; i++) {
        cw_sfm_config other = small_config();
        other.topk = gates[i];
        sfm_options o = small_options();
        data d = random_data(&other, 3, 17, 0, 1, 30);
        r = new_rig(&other, &o, NULL, -1);
        CHECK(cw_sfm_gate_width(&other) == 9 && (r.model->tf_balance.beta != NULL) == (gates[i] > 0), "topk %lld",
              (long long)gates[i]);
        CHECK(steps(&r, &d, 2) == CW_OK, "%s", r.ctx->text);
        for (int j = 0; r.model->gene_balance.beta && j < 9; j++)
            CHECK(cw_f32(r.model->gene_balance.beta)[j] == 0, "beta moved");
        int64_t nu, nv;
        float *f = factors(&r, &d, &nu, &nv);
        double worst = 0;
        for (int64_t row = 0; row < (nu + nv) / m; row++) {
            double total = 0;
            for (int64_t j = 0; j < m; j++) total += f[row * m + j], worst = fmax(worst, f[row * m + j] > 0 ? 0 : 1);
            worst = fmax(worst, fabs(total - 1));
        }
        CHECK(worst < 1e-5, "without top-k all factors share: %g", worst);
        free(f);
        free_data(&d);
        CHECK(free_rig(&r) == 0, "bytes left");
    }
}

/* ---- (10) packed gates ---- */

static void test_pack(void)
{
    enum { ROWS = 13, M = 11 };
    for (int64_t k = 1; k <= M; k += 2) {
        float gate[ROWS * M] = {0}, back[ROWS * M] = {0}, w[ROWS * M], scratch[M];
        uint16_t index[ROWS * M];
        memset(index, 0xff, sizeof index), memset(w, 0xff, sizeof w);
        for (int i = 0; i < ROWS; i++)
            for (int64_t j = 0; j < (i % 4 == 3 ? k / 2 : k); j++)
                gate[i * M + (i * 3 + j * 4) % M] = 0.1f + (float)j; /* 4 and 11 are coprime */
        cw_gate_pack(index, w, scratch, gate, ROWS, M, k);
        int rising = 1;
        for (int i = 0; i < ROWS; i++)
            for (int64_t j = 0; j < k; j++) {
                int64_t at = i * k + j;
                rising &= index[at] < M && (j == 0 || w[at] == 0 || index[at] > index[at - 1]);
                back[i * M + index[at] % M] += w[at];
            }
        CHECK(rising && memcmp(gate, back, sizeof gate) == 0, "k = %lld", (long long)k);
    }
    /* more entries than are kept: the largest, among equal ones the first */
    const float full[2 * 5] = {0.1f, 0.3f, 0.2f, 0.3f, 0.1f, 0.2f, 0.2f, 0.2f, 0.2f, 0.2f};
    float w[6], scratch[5];
    uint16_t index[6];
    cw_gate_pack(index, w, scratch, full, 2, 5, 3);
    const uint16_t kept[6] = {1, 2, 3, 0, 1, 2};
    CHECK(memcmp(index, kept, sizeof kept) == 0 && w[0] == 0.3f && w[1] == 0.2f && w[2] == 0.3f && w[5] == 0.2f,
          "%d %d %d", index[0], index[1], index[2]);
}

/* ---- distillation: the factors become the teacher's ---- */

static void test_distil(void)
{
    options_task = "distil";
    cw_sfm_config c = small_config();
    sfm_options o = small_options();
    enum { CELLS = 3, GENES = 15 }; /* 3 TFs */
    c.factors = 4, c.topk = 0;
    o.lr = 1e-2f, o.total_steps = 300, o.weight_decay = 0;
    data d = random_data(&c, CELLS, GENES, 0, 0, 31);
    float v[CELLS * GENES * 4];
    double entropy = 0;
    for (int i = 0; i < CELLS * GENES; i++) { /* a share for the gene's TF that depends on the cell, the rest idle */
        for (int j = 0; j < 4; j++) v[i * 4 + j] = 0;
        float share = 0.15f + 0.3f * (float)(i / GENES);
        v[i * 4 + i % 3] = share, v[i * 4 + 3] = 1 - share;
        entropy -= share * log(share) + (1 - share) * log(1 - share);
    }
    entropy /= CELLS * GENES;
    rig r = new_rig(&c, &o, NULL, -1);
    double first = 0, loss = 0;
    cw_step_report report;
    for (int i = 0; i < 300; i++) {
        sfm_distil(r.trainer, &d.in, v, 0, 1.0f, &loss);
        if (i == 0) first = loss;
        cw_trainer_apply(r.trainer, &report);
    }
    CHECK(r.ctx->status == CW_OK, "%s", r.ctx->text);
    CHECK(first > entropy + 0.5 && loss < entropy + 0.05 && loss > entropy - 1e-4, "loss %g -> %g, entropy %g", first,
          loss, entropy);
    int64_t nu, nv;
    float *f = factors(&r, &d, &nu, &nv);
    double worst = 0;
    for (int64_t i = 0; f && i < nu; i++) worst = fmax(worst, fabs(f[i] - (i / 4 % 3 == i % 4)));
    CHECK(f && worst < 0.05, "u is off by %g", worst);
    worst = f ? largest_difference(f + nu, v, nv) : INFINITY;
    CHECK(worst < 0.1, "v is off by %g", worst);
    free(f);
    CHECK(free_rig(&r) == 0, "bytes left");
    c.factors = 3; /* as many TFs: none is left for "no TF" */
    r = new_rig(&c, &o, NULL, -1);
    CHECK(sfm_distil(r.trainer, &d.in, v, 0, 1.0f, &loss) == CW_ERR_SHAPE, "too few factors");
    CHECK(free_rig(&r) == 0, "bytes left");
    c.factors = 4; /* as many TFs as before, but all in two cells: more there than there are factors */
    r = new_rig(&c, &o, NULL, -1);
    int tfs = 0;
    for (int i = 0; i < CELLS * GENES; i++) d.non_tf[i] = i >= CELLS * GENES - 8 && tfs++ < 8 ? 0 : i > 0;
    CHECK(sfm_distil(r.trainer, &d.in, v, 0, 1.0f, &loss) == CW_ERR_SHAPE, "%s", r.ctx->text);
    CHECK(free_rig(&r) == 0, "bytes left");
    free_data(&d);
    options_task = "pretrain";
}

/* ---- (11) checkpoints ---- */

static char folder[64];
static const char *file(const char *name)
{
    static char path[2][128];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void test_checkpoint(void)
{
    cw_sfm_config c = with_dropout(small_config());
    sfm_options o = small_options();
    data d = random_data(&c, 3, 17, 5, 1, 40);
    rig r = new_rig(&c, &o, NULL, -1);
    steps(&r, &d, 2);
    r.trainer->dropped[SFM_SPARSITY] = 1;
    CHECK(cw_params_save(&r.model->model.params, file("params"), NULL) == CW_OK, "%s", r.ctx->text);
    char state[4200];
    CHECK(mkdir(file("state"), 0700) == 0 && cw_checkpoint_save(r.trainer, file("state"), 1, NULL, 0) == CW_OK, "%s",
          r.ctx->text);
    CHECK(cw_checkpoint_latest(file("state"), state, sizeof state), "no checkpoint");
    steps(&r, &d, 2);
    int64_t n, m;
    float *want = snapshot(r.model, &n, 1);

    rig again = new_rig(&c, &o, NULL, -1);
    for (int64_t i = 0; i < again.model->model.params.count; i++) /* other weights than the saved ones */
        memset(again.model->model.params.item[i]->tensor.data, 0x11,
               (size_t)cw_count(&again.model->model.params.item[i]->tensor) * 4);
    cw_load_report report;
    CHECK(cw_params_load(&again.model->model.params, file("params"), cw_sfm_class.rules, NULL, &report) == CW_OK, "%s", again.ctx->text);
    CHECK(report.loaded == again.model->model.params.count && report.missing + report.unexpected + report.misshapen == 0,
          "%lld loaded", (long long)report.loaded);
    cw_load_report_free(&report);
    CHECK(cw_checkpoint_load(again.trainer, state) == CW_OK, "%s", again.ctx->text);
    CHECK(again.trainer->step == 2 && again.trainer->dropped[SFM_SPARSITY] && !again.trainer->dropped[SFM_DAG],
          "the trainer's state");
    steps(&again, &d, 2);
    float *got = snapshot(again.model, &m, 1);
    CHECK(n == m && memcmp(want, got, (size_t)n * sizeof *got) == 0, "the continuation is off by %g",
          largest_difference(want, got, n));
    free(want), free(got);

    /* the report: bare names, a missing tensor, one too many, one of another shape */
    cw_params *p = &r.model->model.params;
    cw_safetensors_item *items = calloc((size_t)p->count, sizeof *items);
    int64_t count = 0;
    static const float extra[6];
    for (int64_t i = 0; i < p->count; i++) {
        const char *name = strstr(p->item[i]->name, "sfm.") ? strstr(p->item[i]->name, "sfm.") + 4 : p->item[i]->name;
        if (strcmp(name, "embedding.tf_type_embedding.weight") == 0) {
            items[count++] = (cw_safetensors_item){
                .name = "one.too.many", .dtype = CW_ST_F32, .ndim = 2, .dim = {2, 3}, .data = extra};
            continue;
        }
        cw_safetensors_item item = {
            .name = name, .dtype = CW_ST_F32, .ndim = p->item[i]->tensor.ndim, .data = p->item[i]->tensor.data};
        memcpy(item.dim, p->item[i]->tensor.dim, sizeof(int64_t) * (size_t)item.ndim);
        if (strcmp(name, "embedding.final_norm.weight") == 0) item.ndim = 2, item.dim[1] = item.dim[0], item.dim[0] = 1;
        items[count++] = item;
    }
    CHECK(cw_safetensors_write(r.ctx, file("bare"), items, NULL, count, 0) == CW_OK, "%s", r.ctx->text);
    float kept = cw_f32(again.model->trunk.token_norm)[0] = 123;
    CHECK(cw_params_load(&again.model->model.params, file("bare"), cw_sfm_class.rules, NULL, &report) == CW_OK, "%s", again.ctx->text);
    CHECK(report.loaded == p->count - 2 && report.missing == 1 && report.unexpected == 1 && report.misshapen == 1,
          "loaded %lld, missing %lld, unexpected %lld, misshapen %lld", (long long)report.loaded,
          (long long)report.missing, (long long)report.unexpected, (long long)report.misshapen);
    if (report.missing == 1 && report.unexpected == 1 && report.misshapen == 1) {
        CHECK(strcmp(report.missing_name[0], "foundation_modules.sfm.embedding.tf_type_embedding.weight") == 0, "%s",
              report.missing_name[0]);
        CHECK(strcmp(report.unexpected_name[0], "one.too.many") == 0, "%s", report.unexpected_name[0]);
        CHECK(strstr(report.misshapen_text[0], "final_norm.weight: file (1, 16), model (16)"), "%s",
              report.misshapen_text[0]);
    }
    CHECK(cw_f32(again.model->trunk.token_norm)[0] == kept, "a misshapen tensor must leave the weight alone");
    CHECK(cw_f32(again.model->trunk.gene_table)[5] == cw_f32(r.model->trunk.gene_table)[5], "bare names are taken");
    cw_load_report_free(&report);
    free(items);

    /* a state that lacks tensors: an error, and nothing was taken from it */
    want = snapshot(again.model, &n, 1);
    CHECK(cw_checkpoint_load(again.trainer, file("params")) == CW_ERR_FORMAT && again.trainer->step == 4, "%s",
          again.ctx->text);
    cw_ctx_clear(again.ctx);
    CHECK(cw_checkpoint_load(again.trainer, file("nowhere")) == CW_ERR_IO, "%s", again.ctx->text);
    cw_ctx_clear(again.ctx);
    got = snapshot(again.model, &m, 1);
    CHECK(memcmp(want, got, (size_t)n * sizeof *got) == 0, "a state that was refused left traces");
    free(want), free(got);
    free_data(&d);
    CHECK(free_rig(&again) == 0 && free_rig(&r) == 0, "bytes left");
    unlink(file("params")), unlink(state), rmdir(file("state")), unlink(file("bare"));
}

/* ---- (12) the memory forecast ---- */

typedef struct {
    int64_t cells, genes, width, layers, hidden, factors, topk, vgae, vocab, distinct;
    int dropout;
} shape;

/* Bytes at the peak: the model, and two batches or two steps. */
static int64_t measure(const cw_sfm_config *c, const shape *s, int train)
{
    sfm_options o = small_options();
    o.loss.prior_top = 512;
    rig r = new_rig(c, train ? &o : NULL, NULL, -1);
    for (uint64_t i = 0; i < 2; i++) {
        data d = random_data(c, s->cells, s->genes, s->distinct, 0, 50 + i);
        int64_t nu, nv;
        if (train)
            steps(&r, &d, 1);
        else
            free(factors(&r, &d, &nu, &nv));
        free_data(&d);
    }
    CHECK(r.ctx->status == CW_OK, "%s", r.ctx->text);
    int64_t peak = r.ctx->memory.peak;
    free_rig(&r);
    return peak;
}

static double forecast(const cw_sfm_config *c, const shape *s, int64_t tfs, int train)
{
    rig r = new_rig(c, NULL, NULL, -1);
    double bytes = cw_sfm_forecast(&r.model->model, &(cw_sizes){s->cells, s->genes, tfs, 0, train});
    free_rig(&r);
    return bytes;
}

static void test_forecast(void)
{
    /* cells, genes, width, layers, hidden, factors, topk, vgae, vocab, different values, dropout */
    static const shape shapes[] = {
        {8, 203, 64, 2, 256, 64, 8, 64, 500, 0, 1},    {4, 400, 32, 4, 128, 32, 4, 16, 2000, 0, 1},
        {16, 60, 64, 2, 256, 128, 16, 64, 300, 0, 0},  {2, 600, 48, 1, 96, 16, 0, 128, 100, 40, 1},
        {32, 100, 32, 2, 128, 24, 6, 32, 20000, 0, 0}, {1, 1000, 64, 2, 256, 64, 8, 32, 1500, 0, 1},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const shape *s = &shapes[i];
        cw_sfm_config c = small_config();
        c.trunk.embed_dim = s->width, c.trunk.layers = s->layers, c.trunk.heads = 4, c.trunk.mlp_hidden = s->hidden, c.factors = s->factors;
        c.topk = s->topk, c.vgae_hidden = s->vgae, c.router_hidden = s->width, c.trunk.vocab = s->vocab;
        c.trunk.expr_hidden = c.trunk.batch_hidden = s->width, c.trunk.expr_bins = c.trunk.batch_bins = 16;
        if (s->dropout) c = with_dropout(c);
        int64_t tfs = 0;
        for (int64_t g = 0; g < s->genes; g++) tfs += g % 5 == 2;
        for (int train = 0; train < 2; train++) {
            double share = forecast(&c, s, tfs, train) / (double)measure(&c, s, train);
            printf("forecast / measured, shape %d, %s: %.2f\n", (int)i, train ? "training" : "inference", share);
            CHECK(share >= 0.9 && share <= 1.5, "the forecast of shape %d (%s) is %.2f of the peak", (int)i,
                  train ? "training" : "inference", share);
        }
    }
}

/* ---- (13) gene order ---- */

/* As published, all sums taken anew at every step from what is left; ties in exact numbers only. */
static void naive_order(int32_t *position, int64_t *cycles, const float *grn, const uint8_t *active, int64_t n)
{
    uint8_t *left = malloc((size_t)n);
    int64_t at = 0;
    *cycles = 0;
    for (int64_t i = 0; i < n; i++) left[i] = active[i];
    for (;;) {
        int64_t free_gene = -1, breaker = -1;
        double most = -1, best = -1;
        for (int64_t g = 0; g < n; g++) {
            if (!left[g]) continue;
            double in = 0, out = 0;
            for (int64_t h = 0; h < n; h++) {
                if (!left[h] || h == g) continue;
                in += fmax(grn[h * n + g], 0), out += fmax(grn[g * n + h], 0);
            }
            if (in == 0 && out > most) most = out, free_gene = g;
            if (out / (in + 1e-12) > best) best = out / (in + 1e-12), breaker = g;
        }
        if (breaker < 0) break;
        int64_t g = free_gene >= 0 ? free_gene : breaker;
        *cycles += free_gene < 0;
        position[at++] = (int32_t)g;
        left[g] = 0;
    }
    for (int64_t g = 0; g < n; g++)
        if (!active[g]) position[at++] = (int32_t)g;
    free(left);
}

static void test_gene_order(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    int64_t all_cycles = 0;
    for (uint64_t round = 0; round < 60; round++) {
        int64_t n = 1 + (int64_t)(round * 7 % 41), actives, cycles, want_cycles, active_count = 0;
        float *grn = calloc((size_t)(n * n), sizeof *grn);
        uint8_t *active = malloc((size_t)n);
        int32_t *got = malloc((size_t)n * 4), *want = malloc((size_t)n * 4);
        cw_stream s = cw_rng_stream(KEY, CW_RNG_USER, 60, round);
        /* sparse; multiples of 1/64 sum exactly, so both sides see the same ties; some are negative, the diagonal isn't
         * 0 */
        for (int64_t i = 0; i < n * n; i++) {
            float a = cw_rng_uniform(s, (uint64_t)(2 * i));
            if (a < 0.03f + 0.002f * (float)round || i % (n + 1) == 0)
                grn[i] = (float)((int)(cw_rng_uniform(s, (uint64_t)(2 * i + 1)) * 80) - 16) / 64.0f;
        }
        for (int64_t g = 0; g < n; g++) active[g] = (g * 5 + (int64_t)round) % 9 != 0, active_count += active[g];
        memset(got, 0x7f, (size_t)n * 4);
        CHECK(cw_gene_order(ctx, got, &actives, &cycles, grn, active, n) == CW_OK, "%s", ctx->text);
        naive_order(want, &want_cycles, grn, active, n);
        CHECK(actives == active_count && cycles == want_cycles && memcmp(got, want, (size_t)n * 4) == 0,
              "order of %lld genes, round %d", (long long)n, (int)round);
        all_cycles += cycles;
        free(grn), free(active), free(got), free(want);
    }
    CHECK(all_cycles > 20, "only %lld cycle breaks were tried", (long long)all_cycles);
    CHECK(ctx->memory.bytes == 0, "bytes left");
    cw_ctx_free(ctx);
}

/* ---- (14) the schedule ---- */

static void test_learning_rate(void)
{
    cw_optimizer o = {.lr = 1e-3f, .total_steps = 110, .warmup_steps = 10, .min_lr_ratio = 0.1f};
    const double lr = o.lr, least = o.min_lr_ratio;
#define RATE(step, want)                                                                                               \
    CHECK(fabs(cw_learning_rate(&o, o.lr, step) - (want)) < 1e-12, "step %d: %g", (int)(step), cw_learning_rate(&o, o.lr, step))
    RATE(0, lr * 0.1);
    RATE(4, lr * 0.5);
    RATE(9, lr);
    RATE(10, lr);
    RATE(60, lr * (least + (1 - least) * 0.5));
    RATE(35, lr * (least + (1 - least) * 0.5 * (1 + sqrt(0.5))));
    RATE(110, lr * least);
    RATE(100000, lr * least);
    o.warmup_steps = 0;
    RATE(0, lr);
    RATE(55, lr * (least + (1 - least) * 0.5));
    o.warmup_steps = o.total_steps = 1; /* a run of one step */
    RATE(0, lr);
#undef RATE
}

/* ---- refusals of a configuration or a batch ---- */

static void test_refusals(void)
{
    cw_sfm_config c = small_config();
    rig r = new_rig(&c, NULL, NULL, -1);
    data d = random_data(&c, 2, 5, 0, 0, 70);
    cw_sccafm_batch b;
#define REFUSED(change, undo, word)                                                                                    \
    do {                                                                                                               \
        change;                                                                                                        \
        cw_tape_reset(r.tape, 0, 0, KEY, 0);                                                                           \
        cw_status s_ = cw_sccafm_batch_build(&b, r.tape->arena, &d.in, &c.trunk);                                               \
        CHECK(s_ == CW_ERR_ARGUMENT && strstr(r.ctx->text, word), "%s: %s", #change, r.ctx->text);                     \
        cw_ctx_clear(r.ctx);                                                                                           \
        undo;                                                                                                          \
    } while (0)
    REFUSED(d.values[3] = -1, d.values[3] = 1, "-1");
    REFUSED(d.values[3] = NAN, d.values[3] = 1, "nan");
    REFUSED(d.values[7] = INFINITY, d.values[7] = 1, "cell 2, gene 3");
    REFUSED(d.ids[0] = 60, d.ids[0] = 1, "60");
    REFUSED(d.ids[0] = -1, d.ids[0] = 1, "-1");
    REFUSED(d.condition[7] = 9, d.condition[7] = 1, "condition id 9");
    REFUSED(d.in.cells = 0, d.in.cells = 2, "empty");
    REFUSED(d.in.genes = 0, d.in.genes = 5, "empty");
#undef REFUSED
#define REFUSED(field, value, word)                                                                                    \
    do {                                                                                                               \
        cw_sfm_config bad = c;                                                                                         \
        bad.field = value;                                                                                             \
        CHECK(!sfm_new(r.ctx, &bad, 1) && r.ctx->status == CW_ERR_ARGUMENT && strstr(r.ctx->text, word), "%s: %s",  \
              #field, r.ctx->text);                                                                                    \
        cw_ctx_clear(r.ctx);                                                                                           \
    } while (0)
    REFUSED(trunk.heads, 3, "num_heads is 3");
    REFUSED(trunk.embed_dim, 0, "embed_dim' is 0");
    REFUSED(factors, 70000, "num_factors' is 70000");
    REFUSED(trunk.pad, 60, "padding token is 60");
    REFUSED(trunk.expr_bins, 1, "expr_num_bins");
    REFUSED(trunk.mlp_dropout, NAN, "dropout");
    REFUSED(trunk.expr_tau, 0, "expr_tau");
#undef REFUSED
    free_data(&d);
    CHECK(free_rig(&r) == 0, "bytes left");
}

int main(void)
{
    snprintf(folder, sizeof folder, "/tmp/causeway-test-XXXXXX");
    if (!mkdtemp(folder)) return test_end();
    int before = cw_blas_enter();
    test_threads();
    test_memory_failures();
    test_steady_state();
    test_composition();
    test_padding();
    test_interrupt();
    test_not_finite();
    test_balance();
    test_pack();
    test_distil();
    test_checkpoint();
    test_forecast();
    test_gene_order();
    test_learning_rate();
    test_refusals();
    cw_blas_leave(before);
    rmdir(folder);
    return test_end();
}
