/* test_response.c: what the models of responses to treatments learn and refuse. (What they compute: golden cases, see
 * parity_response.h.) */
#include "models/autoencoder/autoencoder.h"
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

static void refused(const cw_option *option, int n, const char *words)
{
    rig r = open_rig_failing(&cw_autoencoder_class, option, n, -1);
    CHECK(!r.m, "made without \"%s\"", words);
    expect(&r, words), close_rig(&r);
}

static void test_refusals(void)
{
    refused(plain, 2, "hidden_units: at least one");
    const cw_option gap[] = {plain[0], {"hidden_units.0", NULL, 4}, {"hidden_units.2", NULL, 4}};
    refused(gap, 3, "layer 2 has width 0");
    refused(told, 4, "n_conditions must be 2 or more");
    rig r = open_rig(&cw_autoencoder_class, told, 5);
    cw_array item[2];
    shelf s;
    condition[3] = 2;
    ask(&r, "encode", NULL, 0, item, batch(item, 1), &s), expect(&r, "condition 2 of cell 4: the model has 2"), empty(&s);
    condition[3] = 1;
    ask(&r, "encode", NULL, 0, item, batch(item, 0), &s), expect(&r, "condition"), empty(&s);
    close_rig(&r);
}

int main(void)
{
    fill();
    cw_array item[2];
    int64_t n = batch(item, 1);
    test_learning(0), test_learning(1), test_other_condition(), test_beta(), test_refusals();
    each_allocation_fails(&cw_autoencoder_class, told, 5, "reconstruct", item, n);
    return test_end();
}
