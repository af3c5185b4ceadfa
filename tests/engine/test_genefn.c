/* test_genefn.c: what heads of gene function learn and refuse, scores by hand. (What they compute: golden cases.) */
#include "models/genefn/genefn.h"
#include "stats/classify.h"
#include "kill_case.h"
#include "model_rig.h"

enum { GENES = 12, WIDTH = 8 };
static float x[GENES * WIDTH], label[GENES];
static int32_t class[GENES];

static int64_t batch(cw_array *item, int binary)
{
    for (int i = 0; i < GENES; i++) {
        class[i] = i % 3 == 0, label[i] = (float)class[i];
        for (int j = 0; j < WIDTH; j++) x[i * WIDTH + j] = (float)sin(1.7 * i + j * j) + (j == 2 ? 2 * label[i] : 0);
    }
    item[0] = (cw_array){.name = "x", .type = CW_ARRAY_F32, .ndim = 2, .dim = {GENES, WIDTH}, .data = x};
    item[1] = binary ? (cw_array){.name = "class", .type = CW_ARRAY_I32, .ndim = 1, .dim = {GENES}, .data = class}
                     : (cw_array){.name = "label", .type = CW_ARRAY_F32, .ndim = 2, .dim = {GENES, 1}, .data = label};
    return 2;
}

static void test_head(int binary)
{
    const cw_option option[] = {{"enc_dims", NULL, WIDTH}, {"hidden_dim", NULL, 8}, {"hidden2", NULL, 6}, {"hidden3", NULL, 5},
                                {"dropout", NULL, 0}, {"binary", NULL, binary}};
    rig r = open_rig(&cw_genefn_class, option, 6);
    cw_array item[2];
    double first = 0, last = learn(&r, "train", NULL, 0, NULL, item, batch(item, binary), 400, &first);
    kill_batches(r.m, "train", NULL, item, batch(item, binary));
    CHECK(last < 0.2 * first, "%g -> %g", first, last);
    shelf s;
    CHECK(ask(&r, "predict", NULL, 0, item, 1, &s) == CW_OK && strcmp(s.name[0], "logits") == 0, "%s", r.ctx->text);
    for (int i = 0; i < GENES; i++) {
        const float *y = s.data[0];
        CHECK((binary ? y[2 * i + 1] - y[2 * i] : y[i]) * (class[i] ? 1 : -1) > 0, "gene %d", i);
    }
    empty(&s);
    if (binary) class[1] = 2;
    else item[1].dim[1] = 2;
    const cw_task *task = cw_model_task(&cw_genefn_class, "train");
    const cw_optimizer o = {.kind = CW_SGD, .total_steps = 1};
    cw_trainer *tr = cw_trainer_new(r.m, r.tape, task, &o, NULL, NULL, 0, NULL, 1);
    cw_step_report report;
    if (tr) cw_trainer_micro(tr, item, 2, 0, NULL, 1.0f, &report);
    expect(&r, binary ? "class 2 of gene 2" : "label");
    cw_trainer_free(tr);
    close_rig(&r);
    each_allocation_fails(&cw_genefn_class, option, 6, "predict", item, 1);
}

static void test_scores(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    const double score[] = {0.9, 0.8, 0.7, 0.7, 0.1};
    const int32_t truth[] = {1, 0, 1, 0, 0}, none[5] = {0};
    cw_binary_scores b;
    cw_classify_binary(ctx, &b, score, truth, 5);
    CHECK(fabs(b.average - (0.5 + 0.5 * 0.5)) < 1e-12, "tied scores are one point: %g", b.average);
    CHECK(fabs(b.aupr - (0.5 + 0.5 * (0.5 + 0.5) / 2)) < 1e-12, "by trapezoids %g", b.aupr);
    CHECK(fabs(b.f_max - (2.0 / 3 + 6.0 / 7) / 2) < 1e-12, "F1 %g", b.f_max);
    cw_classify_binary(ctx, &b, score, none, 5);
    CHECK(isnan(b.aupr) && isnan(b.average), "nothing to find");
    const int32_t real[] = {0, 0, 1}, told[] = {0, 1, 1};
    cw_class_scores k;
    cw_classify_classes(ctx, &k, real, told, 3, 3);
    CHECK(fabs(k.accuracy - 2.0 / 3) < 1e-12 && fabs(k.macro_f1 - 2.0 / 3) < 1e-12, "%g %g", k.accuracy, k.macro_f1);
    CHECK(fabs(k.recall - 0.5) < 1e-12 && fabs(k.precision - 0.5) < 1e-12, "a class that is nowhere counts 0");
    for (int64_t i = 0; i < 3; i++) {
        ctx->fail_at = ctx->memory.calls + i;
        cw_classify_binary(ctx, &b, score, truth, 5), cw_classify_classes(ctx, &k, real, told, 3, 3);
        CHECK(ctx->status == CW_ERR_MEMORY, "allocation %d", (int)i);
        cw_ctx_clear(ctx);
    }
    CHECK(ctx->memory.bytes == 0, "%lld bytes", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

int main(void)
{
    test_head(0), test_head(1), test_scores();
    return test_end();
}
