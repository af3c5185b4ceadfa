/* test_response.c: what the models of responses to treatments learn and refuse. (What they compute: golden cases, see
 * parity_response.h.) */
#include "models/autoencoder/autoencoder.h"
#include "models/cellot/cellot.h"
#include "kill_case.h"
#include "model_rig.h"

enum { CELLS = 24, GENES = 7 };

static float x[CELLS * GENES];
static int32_t condition[CELLS];

static const cw_option plain[] = {{"input_dim", NULL, GENES}, {"latent_dim", NULL, 2}, {"hidden_units.0", NULL, 12}};
static const cw_option told[] = {{"input_dim", NULL, GENES}, {"latent_dim", NULL, 1},       {"hidden_units.0", NULL, 12},
                                 {"model", "cae", 0},        {"n_conditions", NULL, 2}};

/* Cells on a line; those of condition 1 moved off it. */
static void fill(void)
{
    for (int i = 0; i < CELLS; i++) {
        condition[i] = i % 2;
        for (int g = 0; g < GENES; g++)
            x[i * GENES + g] = (float)(sin(0.9 * (i / 2)) * cos(1.3 * g) + 0.7 * condition[i] * sin(2.0 * g));
    }
}

static int64_t batch(cw_array *item, int with_condition)
{
    item[0] = (cw_array){.name = "x", .type = CW_ARRAY_F32, .ndim = 2, .dim = {CELLS, GENES}, .data = x};
    item[1] = (cw_array){.name = "condition", .type = CW_ARRAY_I32, .ndim = 1, .dim = {CELLS}, .data = condition};
    return with_condition ? 2 : 1;
}

static void test_learning(int with_condition)
{
    rig r = open_rig(&cw_autoencoder_class, with_condition ? told : plain, with_condition ? 5 : 3);
    cw_array item[2];
    double first = 0, last = learn(&r, "train", NULL, 0, NULL, item, batch(item, with_condition), 400, &first);
    kill_batches(r.m, "train", NULL, item, batch(item, with_condition));
    CHECK(last < 0.05 * first, "%g -> %g", first, last);
    shelf back;
    CHECK(ask(&r, "reconstruct", NULL, 0, item, batch(item, with_condition), &back) == CW_OK, "%s", r.ctx->text);
    double miss = 0;
    for (int i = 0; i < CELLS; i++) miss += (double)((float *)back.data[1])[i] / CELLS;
    CHECK(back.n == 2 && back.count[0] == CELLS * GENES && fabs(miss - last) < 0.2 * last + 1e-4, "loss %g, %g", miss, last);
    empty(&back), close_rig(&r);
}

/* A cell of condition 0 told as one of condition 1 is what its twin is. */
static void test_other_condition(void)
{
    rig r = open_rig(&cw_autoencoder_class, told, 5);
    cw_array item[2];
    learn(&r, "train", NULL, 0, NULL, item, batch(item, 1), 600, NULL);
    shelf code, other;
    int32_t ones[CELLS];
    for (int i = 0; i < CELLS; i++) ones[i] = 1;
    ask(&r, "encode", NULL, 0, item, batch(item, 1), &code);
    const cw_array as[] = {{.name = "code", .type = CW_ARRAY_F32, .ndim = 2, .dim = {CELLS, 1}, .data = code.data[0]},
                           {.name = "condition", .type = CW_ARRAY_I32, .ndim = 1, .dim = {CELLS}, .data = ones}};
    CHECK(ask(&r, "decode", NULL, 0, as, 2, &other) == CW_OK, "%s", r.ctx->text);
    double before = 0, after = 0;
    for (int i = 0; i < CELLS; i += 2)
        for (int g = 0; g < GENES; g++) {
            double twin = (double)x[(i + 1) * GENES + g];
            before += pow((double)x[i * GENES + g] - twin, 2);
            after += pow((double)((float *)other.data[0])[i * GENES + g] - twin, 2);
        }
    CHECK(after < 0.3 * before, "squared distance to the twins %g, before %g", after, before);
    empty(&code), empty(&other), close_rig(&r);
}

/* beta's part is told apart, and is what the codes' length says. */
static void test_beta(void)
{
    cw_option option[4] = {plain[0], plain[1], plain[2], {"beta", NULL, 0.5}};
    rig r = open_rig(&cw_autoencoder_class, option, 4);
    const cw_optimizer o = {.kind = CW_SGD, .total_steps = 1};
    cw_trainer *tr = cw_trainer_new(r.m, r.tape, cw_model_task(r.m->class, "train"), &o, NULL, NULL, 0, NULL, 3);
    cw_array item[2];
    cw_step_report report;
    int64_t n = batch(item, 0);
    CHECK(tr && cw_trainer_micro(tr, item, n, 0, NULL, 1.0f, &report) == CW_OK, "%s", r.ctx->text);
    CHECK(report.value[1] > 0 && fabs(report.value[1] - 0.5 * report.report[0]) < 1e-6, "%g of %g", report.value[1],
          report.report[0]);
    CHECK(fabs(report.total - report.value[0] - report.value[1]) < 1e-6, "total %g", report.total);
    cw_trainer_free(tr);
    close_rig(&r);
}

static void refused(const cw_model_class *class, const cw_option *option, int n, const char *words)
{
    rig r = open_rig_failing(class, option, n, -1);
    CHECK(!r.m, "made without \"%s\"", words);
    expect(&r, words), close_rig(&r);
}

static void test_refusals(void)
{
    refused(&cw_autoencoder_class, plain, 2, "hidden_units: at least one");
    const cw_option gap[] = {plain[0], {"hidden_units.0", NULL, 4}, {"hidden_units.2", NULL, 4}};
    refused(&cw_autoencoder_class, gap, 3, "layer 2 has width 0");
    refused(&cw_autoencoder_class, told, 4, "n_conditions must be 2 or more");
    rig r = open_rig(&cw_autoencoder_class, told, 5);
    cw_array item[2];
    shelf s;
    condition[3] = 2;
    ask(&r, "encode", NULL, 0, item, batch(item, 1), &s), expect(&r, "condition 2 of cell 4: the model has 2"), empty(&s);
    condition[3] = 1;
    ask(&r, "encode", NULL, 0, item, batch(item, 0), &s), expect(&r, "condition"), empty(&s);
    close_rig(&r);
}

/* ---- CellOT ---- */

enum { D = 2, N = 120, INNER = 3 };
static float source[N * D], target[N * D];

static const cw_option icnn[] = {{"input_dim", NULL, D},
                                 {"hidden_units.0", NULL, 16},
                                 {"hidden_units.1", NULL, 16},
                                 {"kernel_init_fxn.b", NULL, 0.3}};

/* Treated: stretched by 1.5 and 0.5 and moved; the optimal map is that. */
static void fill_two(void)
{
    cw_rng_fill_normal(source, N * D, cw_rng_stream(1, CW_RNG_USER, 0, 0), 0, 1);
    cw_rng_fill_normal(target, N * D, cw_rng_stream(1, CW_RNG_USER, 1, 0), 0, 1);
    for (int i = 0; i < N; i++) target[i * D] = 1.5f * target[i * D] + 1, target[i * D + 1] = 0.5f * target[i * D + 1] - 2;
}

static int64_t pair(cw_array *item)
{
    item[0] = (cw_array){.name = "source", .type = CW_ARRAY_F32, .ndim = 2, .dim = {N, D}, .data = source};
    item[1] = (cw_array){.name = "target", .type = CW_ARRAY_F32, .ndim = 2, .dim = {N, D}, .data = target};
    return 2;
}

static void test_map(void)
{
    rig r = open_rig(&cw_cellot_class, icnn, 4);
    cw_array item[2], x;
    shelf moved, part;
    int64_t n = pair(item);
    learn(&r, "train", NULL, 0, NULL, item, n, 2400, NULL);
    x = item[0], x.name = "x";
    const cw_option half = {"dosage", NULL, 0.5}, whole = {"dosage", NULL, 1};
    CHECK(ask(&r, "transport", &whole, 1, &x, 1, &moved) == CW_OK, "%s", r.ctx->text);
    ask(&r, "transport", &half, 1, &x, 1, &part);
    const float *to = moved.data[0], *between = part.data[0];
    double miss = 0, far = 0;
    for (int i = 0; i < N; i++) {
        const double want[] = {1.5 * (double)source[i * D] + 1, 0.5 * (double)source[i * D + 1] - 2};
        for (int j = 0; j < D; j++) {
            miss += pow((double)to[i * D + j] - want[j], 2), far += pow((double)source[i * D + j] - want[j], 2);
            CHECK(fabsf(between[i * D + j] - 0.5f * (source[i * D + j] + to[i * D + j])) < 1e-4f, "half of the way");
        }
    }
    CHECK(miss < 0.1 * far, "%g of %g is left", miss, far);
    empty(&moved), empty(&part), close_rig(&r);
}

static cw_status play(cw_trainer *tr, const cw_array *item, cw_step_report *report)
{
    cw_step_report applied;
    cw_trainer_micro(tr, item, 2, 0, NULL, 1.0f, report);
    return cw_trainer_apply(tr, &applied);
}

static int same(const float *a, const cw_tensor *x) { return memcmp(a, x->data, (size_t)cw_count(x) * sizeof *a) == 0; }

/* Whose turn it is moves, and only it; f's weights are clamped by its own step, not before. */
static void test_turns(void)
{
    rig r = open_rig(&cw_cellot_class, icnn, 4);
    cw_cellot *m = (cw_cellot *)r.m;
    const struct {
        int64_t inner;
        float penalty;
    } settings = {INNER, 1};
    const cw_optimizer o = {.kind = CW_ADAM, .lr = 1e-3f, .beta1 = 0.5f, .beta2 = 0.9f, .eps = 1e-8f, .total_steps = 9,
                            .schedule = CW_SCHEDULE_CONSTANT};
    cw_array item[2];
    cw_step_report report;
    pair(item);
    cw_f32(m->f.w[0])[3] = cw_f32(m->g.w[0])[3] = -0.5f;
    cw_trainer *tr = cw_trainer_new(r.m, r.tape, cw_model_task(r.m->class, "train"), &o, &settings, NULL, 0, NULL, 3);
    float f[16 * 16], g[16 * 16];
    for (int step = 0; tr && step < 2 * (INNER + 1); step++) {
        int of_f = step % (INNER + 1) == INNER;
        memcpy(f, m->f.w[0]->data, sizeof f), memcpy(g, m->g.w[0]->data, sizeof g);
        CHECK(play(tr, item, &report) == CW_OK, "%s", r.ctx->text);
        CHECK(same(f, m->f.w[0]) == !of_f && same(g, m->g.w[0]) == of_f, "step %d moved the other", step);
        CHECK((report.value[2] != 0) == of_f && (report.value[0] != 0) == !of_f, "losses at step %d", step);
        if (step == 0) CHECK(fabs(report.value[1] - 0.5) < 1e-6, "penalty %g", report.value[1]);
        if (step < INNER) CHECK(cw_f32(m->f.w[0])[3] == -0.5f, "clamped at a step of g");
        for (int i = 0; of_f && i < 16 * 16; i++) CHECK(cw_f32(m->f.w[0])[i] >= 0, "not clamped");
    }
    CHECK(cw_f32(m->g.w[0])[3] < -0.4f, "g is penalised, not clamped: %g", (double)cw_f32(m->g.w[0])[3]);
    cw_trainer_free(tr);
    close_rig(&r);
}

static void test_cellot_refusals(void)
{
    refused(&cw_cellot_class, icnn, 1, "hidden_units: at least one");
    const cw_option turned[] = {icnn[0], icnn[1], {"kernel_init_fxn.a", NULL, 1}, {"kernel_init_fxn.b", NULL, 0}};
    refused(&cw_cellot_class, turned, 4, "can't begin from 1 to 0");
    rig r = open_rig(&cw_cellot_class, icnn, 4);
    cw_array item[2];
    shelf s;
    pair(item), item[0].name = "x", item[0].dim[1] = 1;
    ask(&r, "potentials", NULL, 0, item, 1, &s), expect(&r, "x"), empty(&s);
    close_rig(&r);
}

int main(void)
{
    fill();
    cw_array item[2];
    int64_t n = batch(item, 1);
    test_learning(0), test_learning(1), test_other_condition(), test_beta(), test_refusals();
    each_allocation_fails(&cw_autoencoder_class, told, 5, "reconstruct", item, n);
    fill_two();
    test_map(), test_turns(), test_cellot_refusals();
    pair(item), item[0].name = "x";
    each_allocation_fails(&cw_cellot_class, icnn, 4, "potentials", item, 1);
    return test_end();
}
