/* test_cellfm.c: CellFM beyond its golden cases: how counts are read and thinned, what is refused, that it learns, that
 * nothing is left when memory fails. */
#include "models/cellfm/cellfm.h"
#include "count_cells.h"
#include "kill_case.h"
#include "model_rig.h"

enum { WIDTH = 16 };

static const cw_option small[] = {{"n_genes", NULL, GENES},       {"enc_dims", NULL, WIDTH}, {"enc_nlayers", NULL, 2},
                                  {"enc_num_heads", NULL, 4},     {"value_enc_hidden", NULL, 12},
                                  {"enc_dropout", NULL, 0},       {"num_cls", NULL, 2},      {"variant", "pretrain", 0},
                                  {"cls_head", NULL, 0},          {"lora", NULL, 0},         {"pad_zero", NULL, 1}};
enum { SMALL = 11, VARIANT = 7, HEAD = 8, LORA = 9, PAD = 10 };

static rig open_with(int at, double number, const char *text)
{
    cw_option option[SMALL];
    memcpy(option, small, sizeof option);
    if (at >= 0) option[at].number = number, option[at].text = text;
    return open_rig(&cw_cellfm_class, option, SMALL);
}

static void reading(void)
{
    rig r = open_with(-1, 0, NULL);
    static counted c;
    shelf a, b, e;
    cw_array dense[2];
    double scaled[GENES];
    counts_are_read(&r, &c, WIDTH, (cw_option){"logged", NULL, 1}, &a, dense, scaled);
    states_are_rows(&r, &c, WIDTH);
    /* slots as they are, padding too: it is no key, so the cell's row stays */
    int32_t gene[2 * GENES] = {0}, n = 0;
    float value[2 * GENES] = {0}, zero[2 * GENES + 1] = {1};
    for (int g = 0; g < GENES; g++)
        if (c.dense[g] > 0) gene[n] = g + 1, value[n] = (float)scaled[g], zero[++n] = 1;
    const cw_array slots[] = {{"gene", CW_ARRAY_I32, 2, {1, 2 * GENES}, gene, NULL, NULL},
                              {"value", CW_ARRAY_F32, 2, {1, 2 * GENES}, value, NULL, NULL},
                              {"zero", CW_ARRAY_F32, 2, {1, 2 * GENES + 1}, zero, NULL, NULL}};
    CHECK(ask(&r, "embed", NULL, 0, slots, 3, &b) == CW_OK, "%s", r.ctx->text);
    CHECK(apart(a.data[0], b.data[0], WIDTH) < 1e-5, "slots and counts differ");
    empty(&b), empty(&a);
    /* of more genes some, the same for the same seed, more often those with many counts */
    int high = 0, all = 0;
    for (int seed = 0; seed < 40; seed++) {
        const cw_option few[] = {{"drawn", NULL, 1}, {"key", NULL, seed}, {"maxLength", NULL, 8}};
        ask(&r, "tokens", few, 3, c.item, 2, &b), ask(&r, "tokens", few, 3, c.item, 2, &e);
        CHECK(b.count[0] == CELLS * 8 && memcmp(b.data[0], e.data[0], CELLS * 8 * 4) == 0, "a seed gives two readings");
        for (int i = 0; i < 8; i++) high += ((float *)b.data[0])[i] > GENES / 2, all++; /* cell 0: its second half */
        empty(&b), empty(&e);
    }
    CHECK(high > all * 11 / 20 && high < all * 4 / 5, "%d of %d drawn are high", high, all);
    /* what is left takes genes without counts */
    const cw_option filled[] = {{"fill", NULL, 1}, {"maxLength", NULL, 28}};
    ask(&r, "embed", filled, 2, c.item, 2, &b);
    CHECK(((int32_t *)b.data[1])[0] == c.start[1], "genes without counts are counted");
    empty(&b);
    close_rig(&r);
}

/* What training sees: a fifth judged, four of five of these hidden; thinned depth. */
/* Rows that are read are the same where the last layer computes no others, and where the first layer's projections are
 * sums over what rows have in common or (with a trained table) each row's own. */
static void forwards_agree(rig *r, const cw_cellfm *m, const cw_cellfm_batch *b)
{
    cw_tape *t = r->tape;
    cw_cellfm_output sums = cw_cellfm_forward(m, t, b, 2, NULL, NULL), few = cw_cellfm_forward(m, t, b, 2, b->judged, NULL);
    t->recording = 1, m->gene_table->needs_grad = 1;
    cw_cellfm_output own = cw_cellfm_forward(m, t, b, 2, NULL, NULL);
    CHECK(r->ctx->status == CW_OK && own.hidden->needs_grad && !sums.hidden->needs_grad, "%s", r->ctx->text);
    const float *want = cw_tape_host(t, own.hidden), *all = cw_tape_host(t, sums.hidden), *some = cw_tape_host(t, few.hidden);
    int64_t told = 0;
    for (int64_t i = 0; i < b->rows; i++) {
        told += few.at[i] >= 0;
        CHECK(b->gene[i] < 0 || (few.at[i] >= 0) == b->judged[i], "row %lld", (long long)i);
        if (few.at[i] < 0) continue;
        CHECK(apart(some + few.at[i] * WIDTH, all + i * WIDTH, WIDTH) < 1e-6, "row %lld alone", (long long)i);
    }
    CHECK(told == cw_rows(few.hidden) && told == 4 * 101, "%lld rows are told", (long long)told);
    double mean = 0; /* heads of almost no length magnify rounding */
    for (int64_t i = 0; i < b->rows * WIDTH; i++) mean += fabs((double)want[i] - all[i]) / (double)(b->rows * WIDTH);
    CHECK(mean < 1e-6 && apart(want, all, b->rows * WIDTH) < 2e-4, "sums over tables: %g, at most %g", mean,
          apart(want, all, b->rows * WIDTH));
    CHECK(apart(cw_tape_host(t, few.cell), cw_tape_host(t, own.cell), 4 * WIDTH) < 1e-5, "cells");
    t->recording = 0, m->gene_table->needs_grad = 0;
}

static void hiding(void)
{
    enum { N = 400 };
    rig r = open_with(VARIANT, 0, "finetune");
    static double counts[4 * N];
    int32_t token[N];
    double total = 0;
    for (int i = 0; i < 4 * N; i++) counts[i] = 1 + i % 9;
    for (int i = 0; i < N; i++) token[i] = 1 + i % GENES, total += counts[i];
    const cw_array item[] = {{"counts", CW_ARRAY_F64, 2, {4, N}, counts, NULL, NULL},
                             {"token", CW_ARRAY_I32, 1, {N}, token, NULL, NULL}};
    const cw_option option[] = {{"mask", NULL, 0.25}, {"hide", NULL, 1}, {"thin", NULL, 1}};
    const cw_query *q = cw_model_query(r.m->class, "tokens");
    char why[200], settings[256] = {0};
    if (cw_settings_fill(q->settings, settings, option, 3, 1, why, sizeof why) != CW_OK) CHECK(0, "%s", why);
    cw_inputs in = cw_model_inputs(r.m, r.tape->arena, item, 2);
    cw_cellfm_batch b;
    int64_t columns, hidden = 0, judged = 0, moved = 0;
    cw_tape_reset(r.tape, 0, 0, 1, 0);
    const cw_cellfm *m = (const cw_cellfm *)r.m;
    const cw_cellfm_reading *how = (const cw_cellfm_reading *)(void *)settings;
    cw_cellfm_reading plain = *how;
    plain.hide = 1;
    CHECK(cw_cellfm_batch_read(&m->config, r.tape, &in, &plain, &b, &columns) == CW_OK, "%s", r.ctx->text);
    for (int64_t i = 0; i < b.rows; i++) {
        hidden += !b.seen[i], judged += b.judged[i];
        moved += b.gene[i] >= 0 && b.seen[i] && fabsf(b.value[i] - b.raw[i]) > 1e-6f;
        CHECK(b.seen[i] || (b.judged[i] && b.value[i] == 0), "hidden and not judged");
    }
    CHECK(judged == 4 * 100 && hidden == 4 * 80, "%lld judged, %lld hidden", (long long)judged, (long long)hidden);
    CHECK(moved > 600, "thinning moves %lld values", (long long)moved);
    for (int i = 0; i < 4; i++)
        CHECK(b.depth[2 * i] < b.depth[2 * i + 1] && b.depth[2 * i] > 0.2f * b.depth[2 * i + 1], "depths %g of %g",
              (double)b.depth[2 * i], (double)b.depth[2 * i + 1]);
    CHECK(fabs((double)b.depth[1] - log1p(total / 1000)) < 1e-6, "the whole depth");
    forwards_agree(&r, m, &b);
    close_rig(&r);
}

static void refusals(void)
{
    rig r = open_with(-1, 0, NULL);
    static counted c;
    shelf s;
    fill_counted(&c, 1), c.token[4] = GENES + 3;
    ask(&r, "embed", NULL, 0, c.item, 2, &s), expect(&r, "outside the table of 32"), empty(&s);
    fill_counted(&c, 1), c.value[1] = -1;
    ask(&r, "embed", NULL, 0, c.item, 2, &s), expect(&r, "finite and >= 0"), empty(&s);
    fill_counted(&c, 1), c.column[1] = GENES;
    ask(&r, "embed", NULL, 0, c.item, 2, &s), expect(&r, "'counts' is wrong"), empty(&s);
    fill_counted(&c, 1);
    ask(&r, "embed", NULL, 0, c.item, 1, &s), expect(&r, "'token' is missing"), empty(&s);
    const cw_option deep = {"layer", NULL, 3}, classes = {"class", NULL, 1};
    ask(&r, "attention", &deep, 1, c.item, 2, &s), expect(&r, "layer 3 of a model of 2"), empty(&s);
    ask(&r, "predict", &classes, 1, c.item, 2, &s), expect(&r, "no classes"), empty(&s);
    close_rig(&r);
    cw_ctx *ctx = cw_ctx_new(NULL);
    cw_option wrong[SMALL];
    memcpy(wrong, small, sizeof wrong);
    wrong[3].number = 3;
    CHECK(!cw_model_make(ctx, &cw_cellfm_class, wrong, SMALL, 1, 1) && strstr(ctx->text, "3 heads"), "%s", ctx->text);
    cw_ctx_free(ctx);
}

/* Every variant learns two classes; with LoRA the backbone keeps its bits. */
static void training(void)
{
    static counted c;
    fill_counted(&c, 1);
    rig r = open_with(VARIANT, 0, "annotation");
    double loss = learn(&r, "annotate", NULL, 0, NULL, c.item, 3, 60, NULL);
    kill_batches(r.m, "annotate", NULL, c.item, 3);
    CHECK(loss < 0.2, "classes that ask learn six cells to %g", loss);
    shelf s;
    const cw_option class = {"class", NULL, 1};
    CHECK(ask(&r, "predict", &class, 1, c.item, 2, &s) == CW_OK, "%s", r.ctx->text);
    for (int i = 0; i < CELLS; i++) {
        const float *x = (float *)s.data[0] + 2 * i;
        CHECK((x[1] > x[0]) == c.label[i], "class of cell %d", i);
    }
    empty(&s), close_rig(&r);
    cw_option with[SMALL];
    memcpy(with, small, sizeof with);
    with[HEAD].number = 1, with[LORA].number = 2;
    r = open_rig(&cw_cellfm_class, with, SMALL);
    float before[WIDTH * WIDTH];
    cw_param *frozen = cw_params_find(&r.m->params, "encoder.1.attn.v_proj.weight");
    memcpy(before, cw_param_host(r.ctx, &frozen->tensor), sizeof before);
    const cw_group groups[] = {{"*", NAN, NAN, 1}, {"*lora_*|cls.*", NAN, NAN, 0}};
    const float classes[] = {0, 0, 0, 0, 0, 0, 0, 1}, values[] = {1, 1, 0, 0, 0, 0, 0, 0};
    loss = learn(&r, "train", groups, 2, classes, c.item, 3, 60, NULL);
    CHECK(loss < 0.2, "the head learns six cells to %g", loss);
    CHECK(memcmp(before, cw_param_host(r.ctx, &frozen->tensor), sizeof before) == 0, "a frozen matrix moved");
    close_rig(&r);
    r = open_with(PAD, 0, NULL); /* probabilities of a count, too */
    const float all[] = {1, 1, 1, 1, 0, 0, 0, 0};
    double first, last = learn(&r, "train", NULL, 0, all, c.item, 2, 120, &first);
    CHECK(last < 0.8 * first, "hidden values and counts: from %g to %g", first, last);
    close_rig(&r);
    r = open_with(VARIANT, 0, "finetune");
    last = learn(&r, "train", NULL, 0, values, c.item, 2, 120, &first);
    CHECK(last < 0.8 * first, "hidden values: from %g to %g", first, last);
    close_rig(&r);
}

static void ranks(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    const float score[] = {3, 1, 2, 2, 0, 0, 5, 1}; /* 3 0 1 2; 0 1 3 2 */
    const float want[] = {1.5f, 0.5f, 2, 2};
    float got[4];
    cw_cellfm_ranks(ctx, got, score, 2, 4);
    for (int i = 0; i < 4; i++) CHECK(fabsf(got[i] - want[i] / 4) < 1e-6f, "rank %d: %g", i, (double)got[i]);
    cw_ctx_free(ctx);
}

static void no_memory(void)
{
    static counted c;
    fill_counted(&c, 1);
    each_allocation_fails(&cw_cellfm_class, small, SMALL, "attention", c.item, 2);
    each_allocation_fails(&cw_cellfm_class, small, SMALL, "states", c.item, 2);
}

int main(void)
{
    reading();
    hiding();
    refusals();
    training();
    ranks();
    no_memory();
    return test_end();
}
