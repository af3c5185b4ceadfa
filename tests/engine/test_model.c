/* test_model.c: the model interface, parameters, the trainer and checkpoints, on a toy class, the SFM, Effendi and CellOT. */
#include "test.h"

#include <sys/stat.h>

#include "effendi_run.h"
#include "kill_case.h"
#include "models/cellot/cellot.h"
#include "sfm_run.h"
#include "toy.h"
#include "train/checkpoint.h"

#define FUZZ_CHECKPOINT fuzz_checkpoint
#include "fuzz_checkpoint.c"

enum { IN = 5, HIDDEN = 7, OUT = 3, ROWS = 24 };

static char folder[64];

typedef struct {
    cw_ctx *ctx;
    cw_tape *tape;
    toy *m;
    float x[ROWS * IN], y[ROWS * OUT], yt[ROWS * IN];
} rig;

static rig open_rig(float dropout, int tied)
{
    rig r = {.ctx = cw_ctx_new(NULL)};
    r.ctx->kernels = cw_kernels_select(NULL);
    r.tape = cw_tape_new(r.ctx);
    const toy_config c = {IN, HIDDEN, tied ? IN : OUT, dropout, tied};
    r.m = (toy *)cw_model_new(r.ctx, &toy_class, &c, 3);
    cw_rng_fill_normal(r.x, ROWS * IN, cw_rng_stream(1, CW_RNG_USER, 0, 0), 0, 1);
    cw_rng_fill_normal(r.y, ROWS * OUT, cw_rng_stream(1, CW_RNG_USER, 1, 0), 0, 1);
    memcpy(r.yt, r.x, sizeof r.x);
    return r;
}

static void close_rig(rig *r)
{
    cw_model_free(&r->m->model);
    cw_tape_free(r->tape);
    CHECK(r->ctx->memory.bytes == 0, "%lld bytes are still held", (long long)r->ctx->memory.bytes);
    cw_ctx_free(r->ctx);
}

static cw_optimizer adamw(float lr, float decay)
{
    cw_optimizer o;
    char why[256];
    const cw_option given[] = {{"lr", NULL, lr}, {"weightDecay", NULL, decay}, {"schedule", "constant", 0}};
    CHECK(cw_settings_fill(cw_optimizer_settings, &o, given, 3, 1, why, sizeof why) == CW_OK, "%s", why);
    return o;
}

static cw_trainer *begin(rig *r, const cw_optimizer *o, const cw_group *group, int groups, const float *weight)
{
    return cw_trainer_new(&r->m->model, r->tape, &toy_tasks[0], o, NULL, group, groups, weight, 17);
}

/* Rows [first, first + n) as micro-batch `micro` of the step. */
static cw_status micro(rig *r, cw_trainer *tr, int64_t first, int64_t n, int64_t number, float weight)
{
    cw_step_report report;
    int64_t out = r->m->config.out;
    const cw_array in[] = {
        {.name = "x", .type = CW_ARRAY_F32, .ndim = 2, .dim = {n, IN}, .data = r->x + first * IN},
        {.name = "y", .type = CW_ARRAY_F32, .ndim = 2, .dim = {n, out},
         .data = r->m->config.tied ? r->yt + first * out : r->y + first * out}};
    return cw_trainer_micro(tr, in, 2, number, NULL, weight, &report);
}

static cw_status step(rig *r, cw_trainer *tr)
{
    cw_step_report report;
    if (micro(r, tr, 0, ROWS, 0, 1.0f) != CW_OK) return r->ctx->status;
    return cw_trainer_apply(tr, &report);
}

static void expect(cw_ctx *ctx, cw_status status, const char *text)
{
    CHECK(ctx->status == status && strstr(ctx->text, text), "%s: %s (not \"%s\")", cw_status_name(ctx->status),
          ctx->text, text);
    cw_ctx_clear(ctx);
}

/* ---- making models by name ---- */

static void settings(void)
{
    rig r = open_rig(0, 0);
    const cw_option misspelt[] = {{"in", NULL, 3}, {"out", NULL, 2}, {"hiden", NULL, 4}};
    CHECK(!cw_model_make(r.ctx, &toy_class, misspelt, 3, 1, 1), "a misspelt option was taken");
    expect(r.ctx, CW_ERR_ARGUMENT, "is 'hidden' meant");
    CHECK(!cw_model_make(r.ctx, &toy_class, misspelt, 1, 1, 1), "a model without 'out'");
    expect(r.ctx, CW_ERR_ARGUMENT, "'out' is missing");
    cw_model *m = cw_model_make(r.ctx, &toy_class, misspelt, 2, 1, 1);
    CHECK(m && ((toy *)m)->config.hidden == 8, "%s", r.ctx->text);
    cw_model_free(m);
    for (int64_t i = 0; cw_model_class_at(i); i++)
        CHECK(cw_model_class_named(cw_model_class_at(i)->name) == cw_model_class_at(i), "class %d", (int)i);
    CHECK(cw_model_class_named("sfm") == &cw_sfm_class && !cw_model_class_named("smf"), "names of classes");
    close_rig(&r);
}

static void inputs(void)
{
    rig r = open_rig(0, 0);
    cw_optimizer o = adamw(1e-2f, 0);
    cw_trainer *tr = begin(&r, &o, NULL, 0, NULL);
    cw_step_report report;
    cw_array in[] = {{.name = "x", .type = CW_ARRAY_F32, .ndim = 2, .dim = {4, IN}, .data = r.x},
                     {.name = "y", .type = CW_ARRAY_F32, .ndim = 2, .dim = {4, OUT}, .data = r.y},
                     {.name = "z", .type = CW_ARRAY_F32, .ndim = 2, .dim = {4, OUT}, .data = r.y}};
    cw_trainer_micro(tr, in, 1, 0, NULL, 1, &report);
    expect(r.ctx, CW_ERR_ARGUMENT, "the input 'y' is missing");
    cw_trainer_micro(tr, in, 3, 0, NULL, 1, &report);
    expect(r.ctx, CW_ERR_ARGUMENT, "no input 'z'");
    in[0].dim[1] = IN - 1;
    cw_trainer_micro(tr, in, 2, 0, NULL, 1, &report);
    expect(r.ctx, CW_ERR_SHAPE, "the input 'x' is 4 x 4; it should be any x 5");
    in[0].dim[1] = IN, in[0].type = CW_ARRAY_U16;
    cw_trainer_micro(tr, in, 2, 0, NULL, 1, &report);
    expect(r.ctx, CW_ERR_ARGUMENT, "must hold numbers");
    /* a sparse one says the same as the dense one, also when it is kept; damaged ones are refused */
    double value[4 * IN];
    int32_t column[4 * IN];
    int64_t start[5];
    for (int i = 0; i < 4 * IN; i++) value[i] = (double)r.x[i], column[i] = i % IN;
    for (int i = 0; i < 5; i++) start[i] = i * IN;
    in[0] = (cw_array){.name = "x", .type = CW_ARRAY_CSR, .ndim = 2, .dim = {4, IN}, .data = value, .start = start,
                       .column = column};
    cw_trainer_micro(tr, in, 2, 0, NULL, 1, &report);
    double sparse = report.total;
    in[0] = (cw_array){.name = "x", .type = CW_ARRAY_F32, .ndim = 2, .dim = {4, IN}, .data = r.x};
    cw_trainer_micro(tr, in, 2, 0, NULL, 1, &report);
    CHECK(r.ctx->status == CW_OK && sparse == report.total, "%s: %g, %g", r.ctx->text, sparse, report.total);
    in[0] = (cw_array){.name = "x", .type = CW_ARRAY_CSR, .ndim = 2, .dim = {4, IN}, .data = value, .start = start,
                       .column = column};
    CHECK(cw_model_bind(&r.m->model, in, 1) == CW_OK, "%s", r.ctx->text);
    cw_trainer_micro(tr, in + 1, 1, 0, NULL, 1, &report);
    CHECK(r.ctx->status == CW_OK && sparse == report.total, "%s: %g, %g", r.ctx->text, sparse, report.total);
    column[3] = IN;
    cw_trainer_micro(tr, in, 2, 0, NULL, 1, &report);
    expect(r.ctx, CW_ERR_ARGUMENT, "outside it");
    column[3] = 3, start[2] = 1;
    cw_trainer_micro(tr, in, 2, 0, NULL, 1, &report);
    expect(r.ctx, CW_ERR_ARGUMENT, "out of order");
    cw_trainer_free(tr);
    close_rig(&r);
}

/* ---- parameters ---- */

static void frozen(void)
{
    for (int kind = CW_ADAMW; kind <= CW_SGD; kind++) {
        rig r = open_rig(0.2f, 0);
        cw_optimizer o = adamw(1e-2f, 0.3f);
        o.kind = kind, o.momentum = 0.9f;
        const cw_group groups[] = {{"encoder.*", NAN, NAN, 1}, {"*.bias", NAN, 0.0f, 0}, {"encoder.bias", NAN, NAN, 1}};
        float w1[HIDDEN * IN], b1[HIDDEN];
        memcpy(w1, cw_f32(r.m->w1), sizeof w1), memcpy(b1, cw_f32(r.m->b1), sizeof b1);
        float w2 = cw_f32(r.m->w2)[0];
        cw_trainer *tr = begin(&r, &o, groups, 3, NULL);
        for (int i = 0; i < 100; i++) step(&r, tr);
        CHECK(r.ctx->status == CW_OK, "%s", r.ctx->text);
        CHECK(memcmp(w1, cw_f32(r.m->w1), sizeof w1) == 0 && memcmp(b1, cw_f32(r.m->b1), sizeof b1) == 0,
              "optimiser %d: frozen tensors moved", kind);
        CHECK(cw_f32(r.m->w2)[0] != w2, "optimiser %d: nothing was trained", kind);
        CHECK(cw_params_state_bytes(&r.m->model.params) == 3 * (OUT * HIDDEN + OUT) * 4, "state of what isn't trained");
        /* another run trains them, and gives the state back */
        cw_trainer_free(tr);
        tr = begin(&r, &o, NULL, 0, NULL);
        step(&r, tr);
        CHECK(memcmp(w1, cw_f32(r.m->w1), sizeof w1) != 0, "what was frozen stays so");
        cw_params_train_none(&r.m->model.params);
        CHECK(cw_params_state_bytes(&r.m->model.params) == 0, "state is held without a run");
        const cw_group wrong = {"encodr.*", NAN, NAN, 1};
        CHECK(!begin(&r, &o, &wrong, 1, NULL), "a pattern that matches nothing");
        expect(r.ctx, CW_ERR_ARGUMENT, "called \"encodr.*\"");
        cw_trainer_free(tr);
        close_rig(&r);
    }
    CHECK(cw_name_match("a*c|b", "abc") && cw_name_match("a*c|b", "b") && !cw_name_match("a*c|b", "ab") &&
              cw_name_match("*", "") && cw_name_match("x.*.w", "x.1.2.w") && !cw_name_match("", "a"),
          "patterns");
}

/* Rates and decays of groups: what a group says, alone. */
static void rates(void)
{
    rig one = open_rig(0, 0), two = open_rig(0, 0);
    cw_optimizer fast = adamw(1e-2f, 0), slow = adamw(1e-3f, 0.5f);
    const cw_group all = {"*", 1e-2f, 0.0f, 0};
    cw_trainer *a = begin(&one, &fast, NULL, 0, NULL), *b = begin(&two, &slow, &all, 1, NULL);
    for (int i = 0; i < 5; i++) step(&one, a), step(&two, b);
    CHECK(memcmp(cw_f32(one.m->w1), cw_f32(two.m->w1), HIDDEN * IN * 4) == 0, "a group's rate isn't a run's");
    cw_trainer_free(a), cw_trainer_free(b);
    close_rig(&one), close_rig(&two);
}

static void tied(void)
{
    rig r = open_rig(0, 1);
    cw_params *p = &r.m->model.params;
    CHECK(cw_params_find(p, "decoder.weight") == cw_param_of(r.m->w1) && p->count == 3, "the second name");
    cw_optimizer o = adamw(1e-2f, 0);
    cw_trainer *tr = begin(&r, &o, NULL, 0, NULL);
    micro(&r, tr, 0, ROWS, 0, 1.0f);
    /* the gradient is the sum of both uses: finite differences of the loss */
    float *w = cw_f32(r.m->w1), analytic[3];
    for (int k = 0; k < 3; k++) analytic[k] = r.m->w1->grad[k * 9];
    for (int k = 0; k < 3; k++) {
        double loss[2];
        for (int side = 0; side < 2; side++) {
            float old = w[k * 9];
            w[k * 9] += side ? 1e-2f : -1e-2f;
            cw_step_report report;
            const cw_array in[] = {{.name = "x", .type = CW_ARRAY_F32, .ndim = 2, .dim = {ROWS, IN}, .data = r.x},
                                   {.name = "y", .type = CW_ARRAY_F32, .ndim = 2, .dim = {ROWS, IN}, .data = r.yt}};
            cw_trainer_micro(tr, in, 2, 0, NULL, 1.0f, &report);
            loss[side] = report.total;
            w[k * 9] = old;
        }
        double numeric = (loss[1] - loss[0]) / 2e-2;
        CHECK(fabs(numeric - (double)analytic[k]) < 2e-3, "gradient %g, differences %g", (double)analytic[k], numeric);
    }
    cw_trainer_abandon(tr);
    /* both names are written, and either is enough to read */
    char path[96];
    snprintf(path, sizeof path, "%s/tied.safetensors", folder);
    CHECK(cw_params_save(p, path, NULL) == CW_OK, "%s", r.ctx->text);
    cw_safetensors *f = cw_safetensors_open(r.ctx, path);
    CHECK(f && cw_safetensors_count(f) == 4 && cw_safetensors_find(f, "decoder.weight"), "both names");
    cw_safetensors_close(f);
    cw_load_report report;
    cw_params_load(p, path, NULL, NULL, &report);
    CHECK(report.loaded == 3 && report.missing + report.unexpected + report.misshapen == 0, "reading both names");
    cw_load_report_free(&report);
    float other[HIDDEN * IN];
    for (int i = 0; i < HIDDEN * IN; i++) other[i] = (float)i;
    const cw_safetensors_item item = {"decoder.weight", CW_ST_F32, 2, {HIDDEN, IN}, other};
    cw_safetensors_write(r.ctx, path, &item, NULL, 1, 0);
    cw_params_load(p, path, NULL, NULL, &report);
    CHECK(report.loaded == 1 && report.missing == 2 && w[9] == 9.0f, "reading one name");
    cw_load_report_free(&report);
    CHECK(!cw_params_add(p, CW_WEIGHT, 1, (int64_t[]){2}, "decoder.weight"), "a name twice");
    expect(r.ctx, CW_ERR_ARGUMENT, "two parameters called decoder.weight");
    unlink(path);
    cw_trainer_free(tr);
    close_rig(&r);
}

/* Files that name, turn, fuse or split otherwise. */
static void rules(void)
{
    rig r = open_rig(0, 0);
    float k1[IN * HIDDEN], k2[HIDDEN * OUT], biases[2 * HIDDEN], left[1] = {5}, right[2] = {6, 7};
    for (int i = 0; i < IN * HIDDEN; i++) k1[i] = (float)i;
    for (int i = 0; i < HIDDEN * OUT; i++) k2[i] = (float)-i;
    for (int i = 0; i < 2 * HIDDEN; i++) biases[i] = (float)i;
    const cw_safetensors_item items[] = {{"net.encoder.kernel", CW_ST_F32, 2, {IN, HIDDEN}, k1},
                                         {"net.decoder.kernel", CW_ST_F32, 2, {HIDDEN, OUT}, k2},
                                         {"biases", CW_ST_F32, 1, {2 * HIDDEN}, biases},
                                         {"left", CW_ST_F32, 1, {1}, left},
                                         {"right", CW_ST_F32, 1, {2}, right},
                                         {"other", CW_ST_F32, 1, {1}, left}};
    char path[96];
    snprintf(path, sizeof path, "%s/rules.safetensors", folder);
    cw_safetensors_write(r.ctx, path, items, NULL, 6, 0);
    cw_load_report report;
    cw_params_load(&r.m->model.params, path, toy_class.rules, NULL, &report);
    CHECK(report.loaded == 4 && report.missing == 0 && report.misshapen == 0 && report.unexpected == 1 &&
              strcmp(report.unexpected_name[0], "other") == 0,
          "%lld loaded, %lld missing", (long long)report.loaded, (long long)report.missing);
    cw_load_report_free(&report);
    CHECK(cw_f32(r.m->w1)[1 * IN + 2] == k1[2 * HIDDEN + 1] && cw_f32(r.m->w2)[2 * HIDDEN + 3] == k2[3 * OUT + 2],
          "transposed");
    CHECK(cw_f32(r.m->b1)[6] == 6 && cw_f32(r.m->b2)[0] == 5 && cw_f32(r.m->b2)[2] == 7, "split and joined");
    cw_safetensors_item odd = items[4];
    odd.dim[0] = 1;
    const cw_safetensors_item few[] = {items[3], odd};
    cw_safetensors_write(r.ctx, path, few, NULL, 2, 0);
    cw_params_load(&r.m->model.params, path, toy_class.rules, "decoder.*", &report);
    CHECK(report.misshapen == 1 && report.missing == 1 && strstr(report.misshapen_text[0], "file (2), model (3)"), "%s",
          report.misshapen ? report.misshapen_text[0] : "nothing is misshapen");
    cw_load_report_free(&report);
    unlink(path);
    close_rig(&r);
}

/* ---- steps ---- */

/* One process with eight micro-batches and eight with one: equal sums, equal noise. */
static void ranks(void)
{
    rig one = open_rig(0.3f, 0);
    cw_optimizer o = adamw(1e-2f, 0);
    cw_trainer *tr = begin(&one, &o, NULL, 0, NULL);
    double sum[HIDDEN * IN] = {0};
    for (int rank = 0; rank < 8; rank++) {
        rig r = open_rig(0.3f, 0);
        cw_trainer *own = begin(&r, &o, NULL, 0, NULL);
        micro(&r, own, rank * 3, 3, rank, 1.0f / 8);
        for (int i = 0; i < HIDDEN * IN; i++) sum[i] += (double)r.m->w1->grad[i];
        cw_trainer_free(own);
        close_rig(&r);
        micro(&one, tr, rank * 3, 3, rank, 1.0f / 8);
    }
    double worst = 0;
    for (int i = 0; i < HIDDEN * IN; i++) worst = fmax(worst, fabs(sum[i] - (double)one.m->w1->grad[i]));
    CHECK(one.ctx->status == CW_OK && worst < 1e-6, "1 x 8 and 8 x 1 differ by %g", worst);
    /* numbers beyond 4096 draw other noise */
    float first[HIDDEN * IN];
    cw_trainer_abandon(tr);
    micro(&one, tr, 0, ROWS, 1, 1.0f);
    memcpy(first, one.m->w1->grad, sizeof first);
    cw_trainer_abandon(tr);
    micro(&one, tr, 0, ROWS, 4097, 1.0f);
    CHECK(memcmp(first, one.m->w1->grad, sizeof first) != 0, "micro-batches 1 and 4097 draw the same");
    cw_trainer_free(tr);
    close_rig(&one);
}

static void policies(void)
{
    rig r = open_rig(0, 0);
    cw_optimizer o = adamw(1e-2f, 0);
    const float weight[] = {1.0f, 1e10f};
    o.delay = 2;
    cw_trainer *tr = begin(&r, &o, NULL, 0, weight);
    for (int i = 0; i < 2; i++) CHECK(step(&r, tr) == CW_OK && !tr->dropped[1], "a delayed term acts too early");
    cw_f32(r.m->b2)[0] = 1e4f; /* 1e38 times the loss isn't finite any more */
    CHECK(step(&r, tr) == CW_OK && tr->dropped[1] && tr->step == 3, "%s", r.ctx->text);
    cw_f32(r.m->b2)[0] = NAN;
    CHECK(step(&r, tr) == CW_ERR_NUMERIC && tr->step == 3, "a loss that isn't finite");
    expect(r.ctx, CW_ERR_NUMERIC, "not finite at step 3 of fit (squares nan");
    cw_trainer_abandon(tr);
    cw_trainer_free(tr);
    cw_early_stop stop = {.patience = 2};
    const double losses[] = {5, 4, 4, 3, 3, 3};
    int enough = 0;
    for (int i = 0; i < 6; i++) enough = cw_early_stop_enough(&stop, losses[i]) ? i : enough;
    CHECK(enough == 5 && stop.best == 3, "early stop at %d", enough);
    o.schedule = CW_SCHEDULE_STEP, o.every = 3, o.gamma = 0.5f, o.warmup_steps = 0;
    CHECK(cw_learning_rate(&o, 1, 2) == 1 && cw_learning_rate(&o, 1, 3) == 0.5 && cw_learning_rate(&o, 1, 7) == 0.25,
          "falls of the rate");
    close_rig(&r);
}

/* ---- checkpoints: killed at random moments, resumed to the same bits ---- */

static void open_toy(run *r, const char *path)
{
    const toy_config c = {IN, HIDDEN, OUT, 0.3f, 0};
    cw_optimizer o = adamw(1e-2f, 0.1f);
    o.total_steps = 40, o.schedule = CW_SCHEDULE_COSINE, o.warmup_steps = 5;
    r->model = cw_model_new(r->ctx, &toy_class, &c, 3);
    const cw_group slow = {"decoder.*", 1e-3f, 0.0f, 0};
    r->trainer = path ? cw_checkpoint_resume(r->model, r->tape, path)
                      : cw_trainer_new(r->model, r->tape, &toy_tasks[0], &o, NULL, &slow, 1, NULL, 9);
    float *x = r->data = malloc(ROWS * (IN + OUT) * sizeof *x);
    cw_rng_fill_normal(x, ROWS * (IN + OUT), cw_rng_stream(1, CW_RNG_USER, 0, 0), 0, 1);
}

static cw_status step_toy(run *r)
{
    cw_step_report report;
    const float *x = r->data;
    const cw_array in[] = {{.name = "x", .type = CW_ARRAY_F32, .ndim = 2, .dim = {ROWS, IN}, .data = x},
                           {.name = "y", .type = CW_ARRAY_F32, .ndim = 2, .dim = {ROWS, OUT}, .data = x + ROWS * IN}};
    cw_trainer_micro(r->trainer, in, 2, 0, NULL, 1, &report);
    return cw_trainer_apply(r->trainer, &report);
}

enum { CELLS = 3, GENES = 11 };

static void open_sfm(run *r, const char *path)
{
    const cw_option small[] = {
        {"vocab", NULL, 40},      {"conditions", NULL, 5},  {"pad", NULL, 39},        {"embedDim", NULL, 8},
        {"heads", NULL, 2},       {"layers", NULL, 1},      {"factors", NULL, 6},     {"topk", NULL, 2},
        {"exprBins", NULL, 4},    {"exprHidden", NULL, 5},  {"batchBins", NULL, 4},   {"batchHidden", NULL, 5},
        {"mlpHidden", NULL, 12},  {"routerHidden", NULL, 6}, {"vgaeHidden", NULL, 5}};
    r->model = cw_model_make(r->ctx, &cw_sfm_class, small, 15, 1, 3);
    const int32_t pair[] = {1, 5, 2, 6};
    const cw_array prior = {.name = "prior", .type = CW_ARRAY_I32, .ndim = 2, .dim = {2, 2}, .data = pair};
    cw_model_bind(r->model, &prior, 1);
    cw_optimizer o = adamw(1e-2f, 0.1f);
    const cw_sfm_pretrain settings = {20, 5, 0.1f};
    r->trainer = path ? cw_checkpoint_resume(r->model, r->tape, path)
                      : cw_trainer_new(r->model, r->tape, cw_model_task(&cw_sfm_class, "pretrain"), &o, &settings, NULL,
                                       0, NULL, 9);
}

static cw_status step_sfm(run *r)
{
    int32_t ids[GENES], condition[CELLS * 4];
    uint8_t non_tf[GENES];
    float values[CELLS * GENES];
    for (int g = 0; g < GENES; g++) ids[g] = g + 1, non_tf[g] = g % 3 != 0;
    for (int i = 0; i < CELLS * 4; i++) condition[i] = i % 5;
    for (int i = 0; i < CELLS * GENES; i++) values[i] = (float)(i * 7 % 5);
    const cw_sccafm_input in = {.cells = CELLS, .genes = GENES, .ids = ids, .ids_shared = 1, .values = values,
                             .condition = condition, .non_tf = non_tf};
    sfm_losses l;
    cw_step_report report;
    for (int i = 0; i < 2; i++) sfm_micro(r->trainer, &in, i, 20.0f, 0.5f, &l);
    return cw_trainer_apply(r->trainer, &report);
}

static void open_effendi(run *r, const char *path)
{
    const cw_effendi_config c = {.atac = 4, .dim = 5, .align_hidden = 6, .field_hidden = 4, .tau_hidden = 3,
                                 .decoder_hidden = 6, .mod_scale = 0.5f, .dropout = 0.2f};
    r->model = cw_model_new(r->ctx, &cw_effendi_class, &c, 3);
    float *x = r->data = malloc(400 * sizeof *x);
    cw_rng_fill_uniform(x, 400, cw_rng_stream(1, CW_RNG_USER, 0, 0), 0, 1);
    const effendi_data d = {.z_atac = x, .z_rna = x + 80, .expression = x + 180, .gene_emb = x + 320, .free_atac = x,
                            .free_rna = x + 80, .cells = 20, .genes = 7, .free_atacs = 20, .free_rnas = 20};
    effendi_bind((cw_effendi *)r->model, &d);
    const effendi_options o = {.lr = 1e-2f, .lr_field = 1e-3f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .clip = 50,
                               .w_ode = 1, .w_recon = 0.5f, .w_tau = 0.01f, .w_reverse = 0.1f, .temperature = 0.1f,
                               .projections = 5, .flow = {CW_FLOW_EULER, 4, 0, 1, 2}};
    r->trainer = path ? cw_checkpoint_resume(r->model, r->tape, path)
                      : effendi_begin((cw_effendi *)r->model, r->tape, STAGE_TUNED, &o, 9);
}

static cw_status step_effendi(run *r)
{
    int64_t row[6];
    effendi_values v;
    for (int i = 0; i < 6; i++) row[i] = (r->trainer->step * 3 + i) % 20;
    return effendi_step(r->trainer, row, 6, row, 6, &v);
}

/* Two players who take turns. */
static void open_cellot(run *r, const char *path)
{
    const cw_option small[] = {{"input_dim", NULL, IN}, {"hidden_units.0", NULL, 6}, {"hidden_units.1", NULL, 4}};
    r->model = cw_model_make(r->ctx, &cw_cellot_class, small, 3, 1, 3);
    cw_optimizer o = adamw(1e-2f, 0.0f);
    const cw_task *task = cw_model_task(&cw_cellot_class, "train");
    char settings[64], why[100];
    if (cw_settings_fill(task->settings, settings, &(cw_option){"n_inner_iters", NULL, 3}, 1, 1, why, sizeof why) != CW_OK)
        CHECK(0, "%s", why);
    r->trainer = path ? cw_checkpoint_resume(r->model, r->tape, path)
                      : cw_trainer_new(r->model, r->tape, task, &o, settings, NULL, 0, NULL, 9);
    r->data = malloc(2 * ROWS * IN * sizeof(float));
    cw_rng_fill_normal(r->data, 2 * ROWS * IN, cw_rng_stream(1, CW_RNG_USER, 0, 0), 0, 1);
}

static cw_status step_cellot(run *r)
{
    cw_step_report report;
    const float *x = r->data;
    const cw_array in[] = {{.name = "source", .type = CW_ARRAY_F32, .ndim = 2, .dim = {ROWS, IN}, .data = x},
                           {.name = "target", .type = CW_ARRAY_F32, .ndim = 2, .dim = {ROWS, IN}, .data = x + ROWS * IN}};
    cw_trainer_micro(r->trainer, in, 2, 0, NULL, 1, &report);
    return cw_trainer_apply(r->trainer, &report);
}

static const kind kinds[] = {{"cellot", open_cellot, step_cellot},
                             {"toy", open_toy, step_toy}, {"sfm", open_sfm, step_sfm},
                             {"effendi", open_effendi, step_effendi}};

/* Checkpoints whose header isn't what was written; a crash, a leak or a trap ends the program. */
static void mutated(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct stat info;
    if (!f || fstat(fileno(f), &info) != 0) return;
    size_t n = (size_t)info.st_size, header = 8;
    unsigned char *good = malloc(n), *copy = malloc(n);
    CHECK(fread(good, 1, n, f) == n && n > 1000, "%d bytes", (int)n);
    fclose(f);
    header += good[0] | (size_t)good[1] << 8 | (size_t)good[2] << 16;
    uint32_t state = 2463534242u;
    for (int i = 0; i < 300; i++) {
        memcpy(copy, good, n);
        for (int e = 0; e <= i % 4; e++) {
            state ^= state << 13, state ^= state >> 17, state ^= state << 5;
            size_t at = 8 + state % (header - 8), from = 8 + (state >> 8) % (header - 8), length = state >> 28;
            if (i % 3 == 0) copy[at] = (unsigned char)(copy[at] ^ 1u << (state >> 24 & 7));
            if (i % 3 == 1) copy[at] = (unsigned char)"0123456789-.eE[]{}\",:\\u"[(state >> 16) % 23];
            if (i % 3 == 2 && at + length < header && from + length < header) memmove(copy + at, copy + from, length);
        }
        fuzz_checkpoint(copy, i % 7 ? n : n - state % 40);
    }
    free(good), free(copy);
}

static void refused(void)
{
    char dir[96], path[128];
    snprintf(dir, sizeof dir, "%s/refused", folder);
    mkdir(dir, 0700);
    rig r = open_rig(0, 0), other = open_rig(0, 1);
    cw_optimizer o = adamw(1e-2f, 0);
    cw_trainer *tr = begin(&r, &o, NULL, 0, NULL), *of_other = begin(&other, &o, NULL, 0, NULL);
    for (int i = 0; i < 4; i++) step(&r, tr), cw_checkpoint_save(tr, dir, 2, NULL, 0);
    snprintf(path, sizeof path, "%s/step-000000002.safetensors", dir);
    CHECK(access(path, F_OK) != 0, "more than two were kept");
    snprintf(path, sizeof path, "%s/step-000000003.safetensors", dir);
    CHECK(access(path, F_OK) == 0, "fewer than two were kept");
    CHECK(cw_checkpoint_latest(dir, path, sizeof path) && strstr(path, "step-000000004"), "%s", path);
    CHECK(cw_checkpoint_load(of_other, path) == CW_ERR_FORMAT, "a checkpoint of another model");
    expect(other.ctx, CW_ERR_FORMAT, "its out is 3, here it is 5");
    cw_f32(r.m->w1)[4] = INFINITY;
    CHECK(cw_checkpoint_save(tr, dir, 2, NULL, 0) == CW_ERR_NUMERIC, "weights that aren't finite");
    expect(r.ctx, CW_ERR_NUMERIC, "encoder.weight is not finite at step 4");
    CHECK(cw_checkpoint_load(tr, path) == CW_OK && isfinite(cw_f32(r.m->w1)[4]), "%s", r.ctx->text);
    CHECK(cw_checkpoint_save(tr, "/nowhere/at/all", 1, NULL, 0) == CW_ERR_IO, "a folder that isn't there");
    cw_ctx_clear(r.ctx);
    /* cut short anywhere: refused, and nothing was taken */
    FILE *f = fopen(path, "rb");
    static char bytes[1 << 20];
    size_t size = f ? fread(bytes, 1, sizeof bytes, f) : 0;
    if (f) fclose(f);
    float before = cw_f32(r.m->w1)[0] = 42;
    for (size_t cut = 0; cut < size; cut += size / 23 + 1) {
        f = fopen(path, "wb");
        if (f) fwrite(bytes, 1, cut, f), fclose(f);
        CHECK(cw_checkpoint_load(tr, path) != CW_OK && cw_f32(r.m->w1)[0] == before, "a file of %d bytes", (int)cut);
        cw_ctx_clear(r.ctx);
    }
    cw_trainer_free(tr), cw_trainer_free(of_other);
    close_rig(&r), close_rig(&other);
    remove_folder(dir);
}

int main(void)
{
    snprintf(folder, sizeof folder, "/tmp/causeway-model-XXXXXX");
    if (!mkdtemp(folder)) return test_end();
    int before = cw_blas_enter();
    settings();
    inputs();
    frozen();
    rates();
    tied();
    rules();
    ranks();
    policies();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) kills(&kinds[i], 50, mutated);
    refused();
    cw_blas_leave(before);
    rmdir(folder);
    return test_end();
}
