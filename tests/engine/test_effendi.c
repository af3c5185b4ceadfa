/* test_effendi.c: the golden cases with both kernel tables, any number of threads, known answers, refusals. */
#include "core/threads.h"
#include "test.h"

typedef struct {
    double rtol, atol;
} tolerance;

static double worst;
static int64_t compared;

static void compare(const char *group, const char *tensor, const float *got, const float *want, int64_t n,
                    tolerance tol)
{
    for (int64_t i = 0; i < n; i++) {
        double e = fabs((double)got[i] - want[i]) / (tol.atol + tol.rtol * fabs((double)want[i]));
        if (!(e <= worst)) worst = isnan(e) ? INFINITY : e;
        if (!(e <= 1)) {
            CHECK(0, "%s, %s: value %lld is %g, golden %g", group, tensor, (long long)i, (double)got[i],
                  (double)want[i]);
            return;
        }
    }
    test_passed++;
    compared += n;
}
static void end_group(void) {}

#include "parity_effendi.h"
#include "effendi_run.h"

static void golden(void)
{
    static const char *const dirs[] = {"../fixtures/effendi_a", "../fixtures/effendi_b"};
    for (int i = 0; i < 2; i++) {
        CHECK(is_effendi(dirs[i]), "%s is not seen as a case", dirs[i]);
        run_effendi(dirs[i], "ref", 1);
        run_effendi(dirs[i], "cpu", 3);
        eff_keep_limit = 0; /* everything is computed again */
        run_effendi(dirs[i], "cpu", 2);
        eff_keep_limit = -1;
    }
    CHECK(!is_effendi("../fixtures/sfm_a"), "an SFM is taken for an Effendi");
    printf("%lld values, largest error / tolerance %.3g\n", (long long)compared, worst);
}

/* ---- a model of one's own ---- */

typedef struct {
    cw_ctx *ctx;
    cw_effendi *m;
    cw_tape *tape;
    effendi_data data;
    float *own[5];
} setting;

#define CELLS 45
#define GENES 9
#define PEAKS 6

static float *noise(int64_t n, uint64_t stream)
{
    float *x = malloc((size_t)n * sizeof *x);
    cw_rng_fill_normal(x, n, cw_rng_stream(3, CW_RNG_USER, stream, 0), 0.0f, 1.0f);
    return x;
}

static void open_setting(setting *s, cw_effendi_config options, const char *kernels, int threads)
{
    cw_effendi_config c = options;
    c.atac = 6, c.dim = 8, c.align_hidden = 7, c.field_hidden = 5, c.tau_hidden = 4, c.decoder_hidden = 10;
    c.mod_scale = 1.0f;
    s->ctx = cw_ctx_new(NULL);
    s->ctx->kernels = cw_kernels_select(kernels);
    s->ctx->threads = threads;
    s->m = effendi_new(s->ctx, &c, 11);
    s->tape = cw_tape_new(s->ctx);
    const int64_t size[] = {CELLS * 6, CELLS * 8, CELLS * GENES, GENES * 8, CELLS * PEAKS};
    for (int i = 0; i < 5; i++) s->own[i] = noise(size[i], (uint64_t)i);
    for (int64_t i = 0; i < size[2]; i++) s->own[2][i] = 1.0f / (1.0f + expf(s->own[2][i]));
    for (int64_t i = 0; i < size[4]; i++) s->own[4][i] = s->own[4][i] > 0;
    s->data = (effendi_data){.z_atac = s->own[0],
                                .z_rna = s->own[1],
                                .expression = s->own[2],
                                .gene_emb = s->own[3],
                                .free_atac = s->own[0],
                                .free_rna = s->own[1],
                                .peaks = s->own[4],
                                .cells = CELLS,
                                .genes = GENES,
                                .free_atacs = CELLS,
                                .free_rnas = CELLS};
    effendi_bind(s->m, &s->data);
}

static void close_setting(setting *s)
{
    for (int i = 0; i < 5; i++) free(s->own[i]);
    cw_tape_free(s->tape);
    effendi_free(s->m);
    CHECK(s->ctx->memory.bytes == 0, "%lld bytes are still held", (long long)s->ctx->memory.bytes);
    cw_ctx_free(s->ctx);
}

static const cw_effendi_flow test_flow = {.method = CW_FLOW_RK4, .steps = 6, .exact = 1, .tau_max = 3.0f};

/* Total of the losses that options change; not of those at the median, whose entry changes with the smallest step (the
 * golden cases have them). With `record` its gradient is added to the parameters'. */
static double total_loss(setting *s, int record)
{
    cw_tape *t = s->tape;
    cw_effendi_terms terms = {.contrast = 1, .temperature = 0.5f};
    cw_tape_reset(t, record, 0, 5, 0);
    cw_effendi_field f = cw_effendi_field_make(s->m, t, &test_flow);
    cw_tensor *z = cw_effendi_align(s->m, t, cw_tape_constant(t, s->data.z_atac, CELLS, 6));
    cw_tensor *emb = cw_effendi_embed(s->m, t, cw_tape_constant(t, s->data.gene_emb, GENES, 8));
    cw_effendi_losses l = cw_effendi_loss(s->m, t, z, cw_effendi_tau(s->m, t, z, emb, NULL), emb,
                                          cw_tape_constant(t, s->data.z_rna, CELLS, 8),
                                          cw_tape_constant(t, s->data.expression, CELLS, GENES),
                                          s->m->config.peaks > 0 ? s->data.peaks : NULL, &f, &test_flow, &terms);
    cw_tensor *loss[] = {l.recon, l.tau, l.contrast, l.peaks};
    const float weight[] = {5.0f, 0.3f, 0.2f, 1.0f};
    double sum = 0;
    for (int i = 0; i < 4; i++) sum += loss[i] ? weight[i] * (double)cw_tape_scalar(loss[i]) : 0.0;
    if (record) cw_tape_backward(t, 4, loss, weight);
    return sum;
}

/* The derivative along a random direction of every parameter. The median's entry must not change on the way, and no
 * unit of the decoder may pass 0: so the steps are small and the tolerance wide. */
static void check_option(const char *name, cw_effendi_config options, const char *kernels)
{
    setting s;
    open_setting(&s, options, kernels, 2);
    cw_params *params = &s.m->model.params;
    CHECK(cw_params_train_all(params) == CW_OK, "%s", s.ctx->text);
    for (int64_t i = 0; i < params->count; i++) /* an adapter begins at 0, where its first layer has no gradient */
        if (strncmp(params->item[i]->name, "adapter.2", 9) == 0)
            cw_rng_fill_normal(params->item[i]->tensor.data, cw_count(&params->item[i]->tensor),
                               cw_rng_stream(9, CW_RNG_USER, (uint64_t)i, 0), 0.0f, 0.3f);
    total_loss(&s, 1);
    CHECK(s.ctx->status == CW_OK, "%s: %s", name, s.ctx->text);
    for (int64_t i = 0; i < params->count && s.ctx->status == CW_OK; i++) {
        cw_param *p = params->item[i];
        int64_t n = cw_count(&p->tensor);
        if (p->role != CW_WEIGHT || strcmp(p->name, "tau_bar") == 0) continue;
        float *direction = noise(n, 100 + (uint64_t)i), *before = malloc((size_t)n * sizeof *before);
        double want = 0, size = 0, got = 0;
        static const double place[] = {1, -1, 2, -2}, weight[] = {8, -8, -1, 1};
        for (int64_t j = 0; j < n; j++) {
            want += (double)direction[j] * p->tensor.grad[j];
            size += fabs((double)direction[j] * p->tensor.grad[j]);
        }
        memcpy(before, p->tensor.data, (size_t)n * sizeof *before);
        for (int k = 0; k < 4; k++) {
            for (int64_t j = 0; j < n; j++) cw_f32(&p->tensor)[j] = (float)(before[j] + 2e-3 * place[k] * direction[j]);
            got += weight[k] * total_loss(&s, 0) / (12 * 2e-3);
        }
        memcpy(p->tensor.data, before, (size_t)n * sizeof *before);
        CHECK(fabs(got - want) <= 0.02 * size + 4e-4, "%s (%s), %s: difference %g, gradient %g", name, kernels, p->name,
              got, want);
        free(direction), free(before);
    }
    close_setting(&s);
}

static void options(void)
{
    static const char *const tables[] = {"ref", "cpu"};
    for (int k = 0; k < 2; k++) {
        check_option("as written", (cw_effendi_config){0}, tables[k]);
        check_option("gene readout", (cw_effendi_config){.gene_readout = 1}, tables[k]);
        check_option("attention", (cw_effendi_config){.tau_heads = 2}, tables[k]);
        check_option("adapter", (cw_effendi_config){.adapter_hidden = 3}, tables[k]);
        check_option("peaks", (cw_effendi_config){.peaks = PEAKS}, tables[k]);
        check_option("attention readout", (cw_effendi_config){.readout_tokens = 3}, tables[k]);
        check_option("all", (cw_effendi_config){.gene_readout = 1, .tau_heads = 4, .adapter_hidden = 3, .peaks = PEAKS},
                     tables[k]);
    }
}

/* The gene readout against the decoder run on every gene's state, built the long way. */
static void readout_is_decoder(void)
{
    setting s;
    open_setting(&s, (cw_effendi_config){.gene_readout = 1}, "cpu", 2);
    cw_tape *t = s.tape;
    cw_tape_reset(t, 0, 0, 1, 0);
    cw_effendi_field f = cw_effendi_field_make(s.m, t, &test_flow);
    cw_tensor *z = cw_effendi_align(s.m, t, cw_tape_constant(t, s.data.z_atac, CELLS, 6));
    cw_tensor *emb = cw_tape_constant(t, s.data.gene_emb, GENES, 8), *tau = cw_effendi_tau(s.m, t, z, emb, NULL);
    cw_tensor *y = cw_effendi_decode(s.m, t, z, tau, emb, &f, &test_flow);
    double off = 0;
    for (int64_t g = 0; y && g < GENES; g++) {
        cw_tensor *one = cw_tape_matrix(t, CELLS, 1); /* a reading of this gene alone is its own state */
        for (int64_t b = 0; b < CELLS; b++) cw_f32(one)[b] = cw_f32(tau)[b * GENES + g];
        cw_flow_spec spec = {test_flow.method, test_flow.steps, test_flow.tau_max};
        cw_tensor *state = cw_flow(t, z, f.w, NULL, cw_flow_share(t, one, 3.0f, 6), spec);
        cw_tensor *all = cw_effendi_decode_states(s.m, t, state, emb);
        for (int64_t b = 0; all && b < CELLS; b++)
            off = fmax(off, fabs((double)cw_f32(all)[b * GENES + g] - cw_f32(y)[b * GENES + g]));
    }
    CHECK(s.ctx->status == CW_OK && off < 2e-6, "off by %g, %s", off, s.ctx->text);
    close_setting(&s);
}

/* Exchanging the delays of genes leaves every loss as it is, unless genes are read at their own. */
static void exchangeable(void)
{
    for (int own = 0; own < 2; own++) {
        setting s;
        double recon[2], ode[2];
        open_setting(&s, (cw_effendi_config){.gene_readout = own}, "cpu", 1);
        for (int turned = 0; turned < 2; turned++) {
            cw_tape *t = s.tape;
            cw_tape_reset(t, 0, 0, 1, 0);
            cw_effendi_field f = cw_effendi_field_make(s.m, t, &test_flow);
            cw_tensor *z = cw_effendi_align(s.m, t, cw_tape_constant(t, s.data.z_atac, CELLS, 6));
            cw_tensor *emb = cw_tape_constant(t, s.data.gene_emb, GENES, 8), *tau = cw_tape_matrix(t, CELLS, GENES);
            for (int64_t i = 0; i < CELLS * GENES; i++) {
                int64_t g = turned ? (i % GENES + 4) % GENES : i % GENES;
                cw_f32(tau)[i] = 0.1f + 0.3f * (float)g + 0.01f * (float)(i / GENES);
            }
            cw_effendi_terms terms = {0};
            cw_effendi_losses l =
                cw_effendi_loss(s.m, t, z, tau, emb, cw_tape_constant(t, s.data.z_rna, CELLS, 8),
                                cw_tape_constant(t, s.data.expression, CELLS, GENES), NULL, &f, &test_flow, &terms);
            recon[turned] = cw_tape_scalar(l.recon), ode[turned] = cw_tape_scalar(l.ode);
        }
        double off = fabs(recon[0] - recon[1]);
        CHECK(ode[0] == ode[1] && (own ? off > 1e-5 : off < 1e-7), "readout %d: %g %g, %g %g", own, ode[0], ode[1],
              recon[0], recon[1]);
        close_setting(&s);
    }
}

/* ---- training ---- */

static const effendi_options train_options = {
    .lr = 1e-2f,
    .lr_field = 1e-3f,
    .beta1 = 0.9f,
    .beta2 = 0.999f,
    .eps = 1e-8f,
    .clip = 50,
    .w_ode = 1,
    .w_recon = 0.5f,
    .w_tau = 0.01f,
    .w_reverse = 0.1f,
    .temperature = 0.1f,
    .projections = 20,
    .flow = {.method = CW_FLOW_EULER, .steps = 5, .iterations = 1, .tau_max = 2}};

/* `steps` steps of a stage; the last total. Fills out with all weights. */
static double train(setting *s, effendi_stage stage, int steps, double *first)
{
    int64_t row[CELLS];
    cw_trainer *tr;
    effendi_values v = {0};
    for (int64_t i = 0; i < CELLS; i++) row[i] = i;
    tr = effendi_begin(s->m, s->tape, stage, &train_options, 4);
    for (int i = 0; i < steps; i++) {
        effendi_step(tr, row, CELLS, row, CELLS, &v);
        if (i == 0 && first) *first = v.total;
    }
    cw_trainer_free(tr);
    return v.total;
}

static double sum_of(const setting *s, const char *prefix)
{
    double sum = 0;
    for (int64_t i = 0; i < s->m->model.params.count; i++) {
        const cw_param *p = s->m->model.params.item[i];
        for (int64_t j = 0; strncmp(p->name, prefix, strlen(prefix)) == 0 && j < cw_count(&p->tensor); j++)
            sum += cw_f32(&p->tensor)[j] * (double)(j % 7 + 1);
    }
    return sum;
}

static void stages(void)
{
    cw_effendi_config c = {.dropout = 0.1f};
    setting one, three;
    open_setting(&one, c, "cpu", 1);
    open_setting(&three, c, "cpu", 3);
    double first = 0, field = sum_of(&one, "vector_field."), tau = sum_of(&one, "tau_predictor."), last;
    last = train(&one, STAGE_MATCH, 40, &first);
    CHECK(last < first, "stage 1 goes from %g to %g", first, last);
    CHECK(sum_of(&one, "vector_field.") != field && sum_of(&one, "tau_predictor.") == tau,
          "stage 1 trains the wrong things");
    field = sum_of(&one, "vector_field.");
    double bar = cw_f32(one.m->tau_bar)[0];
    last = train(&one, STAGE_FROZEN, 40, &first);
    CHECK(last < first, "stage 2.1 goes from %g to %g", first, last);
    CHECK(sum_of(&one, "vector_field.") == field && sum_of(&one, "tau_predictor.") != tau,
          "stage 2.1 trains the wrong things");
    CHECK(cw_f32(one.m->tau_bar)[0] == (float)bar, "stage 2.1 moved stage 1's delay");
    train(&one, STAGE_TUNED, 3, NULL);
    CHECK(sum_of(&one, "vector_field.") != field, "stage 2.2 leaves the field frozen");
    train(&three, STAGE_MATCH, 40, NULL), train(&three, STAGE_FROZEN, 40, NULL),
        train(&three, STAGE_TUNED, 3, NULL);
    CHECK(sum_of(&one, "") == sum_of(&three, ""), "three threads differ from one");
    CHECK(one.ctx->status == CW_OK && three.ctx->status == CW_OK, "%s %s", one.ctx->text, three.ctx->text);
    close_setting(&one), close_setting(&three);
}

static void expect_error(cw_ctx *ctx, cw_status status, const char *text)
{
    CHECK(ctx->status == status && strstr(ctx->text, text), "status %s: %s", cw_status_name(ctx->status), ctx->text);
    cw_ctx_clear(ctx);
}

static void refusals(void)
{
    setting s;
    open_setting(&s, (cw_effendi_config){0}, "cpu", 1);
    cw_effendi_config bad = s.m->config;
    bad.dim = 0;
    CHECK(!effendi_new(s.ctx, &bad, 1), "a model of width 0");
    expect_error(s.ctx, CW_ERR_ARGUMENT, "'dim' is 0");
    bad = s.m->config, bad.gene_readout = 1, bad.readout_tokens = 2;
    CHECK(!effendi_new(s.ctx, &bad, 1), "two readouts");
    expect_error(s.ctx, CW_ERR_ARGUMENT, "2 tokens and per gene");
    bad = s.m->config, bad.tau_heads = 3;
    CHECK(!effendi_new(s.ctx, &bad, 1), "three heads of width 8");
    expect_error(s.ctx, CW_ERR_ARGUMENT, "3 heads");
    cw_trainer *tr;
    effendi_values v;
    const int64_t good = 3, beyond = CELLS;
    tr = effendi_begin(s.m, s.tape, STAGE_FROZEN, &train_options, 4);
    effendi_step(tr, &good, 1, &beyond, 1, &v);
    expect_error(s.ctx, CW_ERR_ARGUMENT, "row 45 of the 45 of 'zRna'");
    effendi_step(tr, &good, 0, &good, 1, &v);
    expect_error(s.ctx, CW_ERR_ARGUMENT, "an empty batch");
    double before = sum_of(&s, "");
    s.own[1][3 * 8] = NAN;
    effendi_bind(s.m, &s.data);
    effendi_step(tr, &good, 1, &good, 1, &v);
    expect_error(s.ctx, CW_ERR_NUMERIC, "loss is not finite");
    CHECK(sum_of(&s, "") == before, "a step that failed changed the weights");
    s.own[1][3 * 8] = 0;
    effendi_bind(s.m, &s.data);
    effendi_step(tr, &good, 1, &good, 1, &v); /* one cell is a batch */
    CHECK(s.ctx->status == CW_OK && sum_of(&s, "") != before, "%s", s.ctx->text);
    memset(s.m->field[1].w->data, 0, 25 * sizeof(float));
    effendi_step(tr, &good, 1, &good, 1, &v);
    expect_error(s.ctx, CW_ERR_NUMERIC, "norm is 0");
    cw_trainer_free(tr);
    close_setting(&s);
}

/* Every allocation of a step fails once: an error, no leak, and the model goes on. */
static void short_memory(void)
{
    setting s;
    open_setting(&s, (cw_effendi_config){.gene_readout = 1}, "cpu", 1);
    int64_t row[2] = {1, 2}, failed = 0;
    for (int64_t i = 0; i < 60; i++) {
        cw_trainer *tr;
        effendi_values v;
        cw_tape *fresh = cw_tape_new(s.ctx);
        tr = effendi_begin(s.m, fresh, STAGE_TUNED, &train_options, 4);
        s.ctx->fail_at = s.ctx->memory.calls + i;
        effendi_step(tr, row, 2, row, 2, &v);
        failed += s.ctx->status == CW_ERR_MEMORY;
        CHECK(s.ctx->status == CW_OK || s.ctx->status == CW_ERR_MEMORY, "%s", s.ctx->text);
        s.ctx->fail_at = -1;
        cw_ctx_clear(s.ctx);
        cw_trainer_free(tr);
        cw_tape_free(fresh);
    }
    CHECK(failed > 2, "only %lld of 60 steps ran out of memory", (long long)failed);
    close_setting(&s);
}

int main(void)
{
    int before = cw_blas_enter();
    golden();
    options();
    readout_is_decoder();
    exchangeable();
    stages();
    refusals();
    short_memory();
    cw_blas_leave(before);
    return test_end();
}
