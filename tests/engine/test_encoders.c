/* test_encoders.c: scGPT and HyenaDNA beyond their golden cases: how cells and sequences are read, what is refused, that
 * they learn, that nothing is left when memory fails. */
#include "io/safetensors.h"
#include "models/hyena/hyena.h"
#include "models/scgpt/scgpt.h"
#include "count_cells.h"
#include "kill_case.h"
#include "model_rig.h"

#include <unistd.h>

enum { WIDTH = 16 };

/* ---- scGPT ---- */

static const cw_option small[] = {{"ntoken", NULL, GENES + 3}, {"pad_token_id", NULL, GENES},
                                  {"cls_token_id", NULL, GENES + 1}, {"embsize", NULL, WIDTH}, {"nheads", NULL, 4},
                                  {"d_hid", NULL, 20}, {"nlayers", NULL, 2}, {"n_cls", NULL, 2},
                                  {"dropout", NULL, 0}, {"lora_rank", NULL, 0}};
enum { SMALL = 9 };

static void reading(void)
{
    rig r = open_rig(&cw_scgpt_class, small, SMALL);
    static counted c;
    fill_counted(&c, 0);
    shelf a, b, t, e;
    states_are_rows(&r, &c, WIDTH);
    CHECK(ask(&r, "embed", NULL, 0, c.item, 2, &a) == CW_OK, "%s", r.ctx->text);
    cw_array dense[2] = {c.item[0], c.item[1]};
    dense[0].type = CW_ARRAY_F64, dense[0].data = c.dense;
    ask(&r, "embed", NULL, 0, dense, 2, &b);
    CHECK(memcmp(a.data[0], b.data[0], CELLS * WIDTH * 4) == 0, "sparse and dense counts differ");
    empty(&b);
    /* the tokens it was read as, given as they are */
    ask(&r, "tokens", NULL, 0, c.item, 2, &t);
    int64_t length = t.count[0] / CELLS;
    int32_t *padding = calloc((size_t)t.count[0], sizeof *padding);
    for (int64_t i = 0; i < t.count[0]; i++) padding[i] = ((int32_t *)t.data[0])[i] == GENES;
    const cw_array given[] = {{"src", CW_ARRAY_I32, 2, {CELLS, length}, t.data[0], NULL, NULL},
                              {"values", CW_ARRAY_F32, 2, {CELLS, length}, t.data[1], NULL, NULL},
                              {"padding", CW_ARRAY_I32, 2, {CELLS, length}, padding, NULL, NULL}};
    CHECK(ask(&r, "embed", NULL, 0, given, 3, &e) == CW_OK, "%s", r.ctx->text);
    CHECK(memcmp(a.data[0], e.data[0], CELLS * WIDTH * 4) == 0, "tokens and counts differ");
    CHECK(((int32_t *)a.data[1])[0] == c.start[1], "genes of a cell");
    empty(&e);
    padding[0] = 1;
    ask(&r, "embed", NULL, 0, given, 3, &e), expect(&r, "stands before a token"), empty(&e);
    free(padding), empty(&t);
    /* one thread, and a cell alone */
    r.ctx->threads = 1;
    ask(&r, "embed", NULL, 0, c.item, 2, &b);
    CHECK(memcmp(a.data[0], b.data[0], CELLS * WIDTH * 4) == 0, "threads change bits");
    empty(&b);
    dense[0].dim[0] = 1, dense[0].data = c.dense + 3 * GENES;
    ask(&r, "embed", NULL, 0, dense, 2, &b);
    CHECK(apart((float *)a.data[0] + 3 * WIDTH, b.data[0], WIDTH) < 1e-5, "a cell depends on its company");
    empty(&b);
    /* draws: the same seed the same, another one not; few tokens are a choice */
    const cw_option drawn[] = {{"drawn", NULL, 1}, {"key", NULL, 4}, {"maxLength", NULL, 8}};
    const cw_option other[] = {{"drawn", NULL, 1}, {"key", NULL, 5}, {"maxLength", NULL, 8}};
    ask(&r, "tokens", drawn, 3, c.item, 2, &b), ask(&r, "tokens", drawn, 3, c.item, 2, &e);
    CHECK(b.count[0] == CELLS * 8 && memcmp(b.data[0], e.data[0], CELLS * 8 * 4) == 0, "a seed gives two readings");
    empty(&e), ask(&r, "tokens", other, 3, c.item, 2, &e);
    CHECK(memcmp(b.data[0], e.data[0], CELLS * 8 * 4) != 0, "two seeds give one reading");
    empty(&e), empty(&b), empty(&a);
    close_rig(&r);
}

static void refusals(void)
{
    rig r = open_rig(&cw_scgpt_class, small, SMALL);
    static counted c;
    shelf s;
    fill_counted(&c, 0), c.token[4] = GENES + 3;
    ask(&r, "embed", NULL, 0, c.item, 2, &s), expect(&r, "outside the vocabulary of 33"), empty(&s);
    fill_counted(&c, 0), c.value[1] = -1;
    ask(&r, "embed", NULL, 0, c.item, 2, &s), expect(&r, "finite and >= 0"), empty(&s);
    fill_counted(&c, 0), c.value[1] = (double)NAN;
    ask(&r, "embed", NULL, 0, c.item, 2, &s), expect(&r, "finite and >= 0"), empty(&s);
    fill_counted(&c, 0), c.column[1] = GENES;
    ask(&r, "embed", NULL, 0, c.item, 2, &s), expect(&r, "'counts' is wrong"), empty(&s);
    fill_counted(&c, 0), c.start[1] = c.start[2] + 1;
    ask(&r, "embed", NULL, 0, c.item, 2, &s), expect(&r, "out of order"), empty(&s);
    fill_counted(&c, 0);
    ask(&r, "embed", NULL, 0, c.item, 1, &s), expect(&r, "'token' is missing"), empty(&s);
    const cw_option deep = {"layer", NULL, 3};
    ask(&r, "attention", &deep, 1, c.item, 2, &s), expect(&r, "layer 3 of a model of 2"), empty(&s);
    const cw_option first = {"layer", NULL, 1};
    ask(&r, "attention", &first, 1, c.item, 2, &s), expect(&r, "the same tokens"), empty(&s);
    close_rig(&r);
    cw_ctx *ctx = cw_ctx_new(NULL);
    cw_option wrong[SMALL];
    memcpy(wrong, small, sizeof wrong);
    wrong[4].number = 3;
    CHECK(!cw_model_make(ctx, &cw_scgpt_class, wrong, SMALL, 1, 1) && strstr(ctx->text, "3 heads"), "%s", ctx->text);
    cw_ctx_clear(ctx);
    wrong[4].number = 4, wrong[1].number = GENES + 3;
    CHECK(!cw_model_make(ctx, &cw_scgpt_class, wrong, SMALL, 1, 1) && strstr(ctx->text, "<pad>"), "%s", ctx->text);
    cw_ctx_free(ctx);
}

/* Attention that is known: ranks of a small matrix; weights whose rows sum to 1. */
static void attention(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    float x[9] = {3, 1, 2, 9, 8, 7, 4, 5, 6};
    /* by row: 2 0 1 / 2 1 0 / 0 1 2; by column: {2,2,0} -> 1 2 0, {0,1,1} -> 0 1 2, {1,0,2} -> 1 0 2 */
    const float want[9] = {1, 0, 1, 2, 1, 0, 0, 2, 2};
    cw_scgpt_rank_scores(ctx, x, 1, 3);
    for (int i = 0; i < 9; i++) CHECK(fabsf(x[i] - want[i] / 3) < 1e-6f, "rank %d: %g", i, (double)x[i]);
    cw_ctx_free(ctx);
    rig r = open_rig(&cw_scgpt_class, small, SMALL);
    static counted c;
    fill_counted(&c, 0);
    shelf s;
    const cw_option weights[] = {{"layer", NULL, 2}, {"zeros", NULL, 1}, {"kind", "softmax", 0}};
    CHECK(ask(&r, "attention", weights, 3, c.item, 2, &s) == CW_OK, "%s", r.ctx->text);
    const double *sum = s.data[0];
    for (int i = 0; i <= GENES; i++) {
        double row = 0;
        for (int j = 0; j <= GENES; j++) row += sum[i * (GENES + 1) + j];
        CHECK(fabs(row - CELLS) < 1e-4, "row %d sums to %g", i, row);
    }
    empty(&s);
    close_rig(&r);
}

static void training(void)
{
    static counted c;
    fill_counted(&c, 0);
    /* classes, by LoRA pairs and the head alone: the rest keeps its bits, and the pairs begin as nothing */
    cw_option with[SMALL + 1];
    memcpy(with, small, sizeof with);
    with[SMALL].number = 3;
    rig plain = open_rig(&cw_scgpt_class, small, SMALL), r = open_rig(&cw_scgpt_class, with, SMALL + 1);
    const cw_params *from = &plain.m->params, *to = &r.m->params;
    for (int64_t i = 0; i < from->count; i++) {
        cw_param *p = cw_params_find(to, from->item[i]->name);
        CHECK(p, "no %s", from->item[i]->name);
        if (p) cw_param_set(r.ctx, &p->tensor, cw_param_host(plain.ctx, &from->item[i]->tensor));
    }
    shelf a, b;
    ask(&plain, "embed", NULL, 0, c.item, 2, &a), ask(&r, "embed", NULL, 0, c.item, 2, &b);
    CHECK(apart(a.data[0], b.data[0], CELLS * WIDTH) < 1e-6, "fresh pairs change the model");
    empty(&a), empty(&b);
    const float classes[] = {0, 0, 0, 0, 1, 0};
    const cw_group groups[] = {{"*", NAN, NAN, 1}, {"*lora_*|cls_decoder.*", NAN, NAN, 0}};
    double loss = learn(&r, "train", groups, 2, classes, c.item, 3, 60, NULL);
    CHECK(loss < 0.1, "the classes of six cells are learnt to %g", loss);
    int moved = 0;
    for (int64_t i = 0; i < from->count; i++) {
        cw_param *p = cw_params_find(to, from->item[i]->name);
        int same = memcmp(cw_param_host(r.ctx, &p->tensor), cw_param_host(plain.ctx, &from->item[i]->tensor),
                          (size_t)cw_count(&p->tensor) * 4) == 0;
        if (strncmp(p->name, "cls_decoder", 11) == 0)
            moved += !same;
        else
            CHECK(same, "%s is frozen and moved", p->name);
    }
    CHECK(moved > 0, "the head did not move");
    close_rig(&plain), close_rig(&r);
    /* masked values: what the genes' levels are can be told from the gene */
    r = open_rig(&cw_scgpt_class, small, SMALL);
    const float values[] = {1, 0, 1, 0, 0, 0.1f};
    double before = learn(&r, "train", NULL, 0, values, c.item, 2, 1, NULL);
    double after = learn(&r, "train", NULL, 0, values, c.item, 2, 150, NULL);
    kill_batches(r.m, "train", values, c.item, 2);
    CHECK(after < 0.7 * before, "masked values: from %g to %g", before, after);
    close_rig(&r);
}

/* ---- HyenaDNA ---- */

static const cw_option dna[] = {{"d_model", NULL, 12},     {"n_layer", NULL, 2},          {"d_inner", NULL, 24},
                                {"layer.l_max", NULL, 90}, {"layer.filter_order", NULL, 16}, {"layer.emb_dim", NULL, 5},
                                {"embed_dropout", NULL, 0}};
enum { DNA = 7 };

static void sequences(void)
{
    rig r = open_rig(&cw_hyena_class, dna, DNA);
    int32_t id[160], length[3] = {80, 33, 47};
    for (int i = 0; i < 160; i++) id[i] = 7 + (i * i + i / 3) % 4;
    cw_array item[] = {{"id", CW_ARRAY_I32, 1, {160}, id, NULL, NULL},
                       {"length", CW_ARRAY_I32, 1, {3}, length, NULL, NULL}};
    shelf all, one, mean;
    CHECK(ask(&r, "states", NULL, 0, item, 2, &all) == CW_OK, "%s", r.ctx->text);
    const float *x = all.data[0];
    /* alone, and causal: another last base changes the last state only */
    item[0].dim[0] = 33, item[0].data = id + 80, item[1].dim[0] = 1, item[1].data = length + 1;
    ask(&r, "states", NULL, 0, item, 2, &one);
    CHECK(apart(one.data[0], x + 80 * 12, 33 * 12) < 1e-4, "a sequence depends on its company");
    empty(&one);
    id[112] = id[112] == 7 ? 8 : 7;
    ask(&r, "states", NULL, 0, item, 2, &one);
    CHECK(apart(one.data[0], x + 80 * 12, 32 * 12) < 1e-4, "the past depends on the future");
    CHECK(apart((float *)one.data[0] + 32 * 12, x + 112 * 12, 12) > 1e-3, "the last base is not read");
    const cw_option last = {"pool", "last", 0};
    ask(&r, "embed", &last, 1, item, 2, &mean);
    CHECK(memcmp(mean.data[0], (float *)one.data[0] + 32 * 12, 12 * 4) == 0, "the last state");
    empty(&one), empty(&mean), empty(&all);
    length[1] = 0;
    ask(&r, "embed", NULL, 0, item, 2, &one), expect(&r, "sequence 1 is empty"), empty(&one);
    length[1] = 32;
    ask(&r, "embed", NULL, 0, item, 2, &one), expect(&r, "33 tokens are given"), empty(&one);
    item[0] = (cw_array){"id", CW_ARRAY_I32, 1, {91}, id, NULL, NULL}, length[1] = 91;
    ask(&r, "embed", NULL, 0, item, 2, &one), expect(&r, "reads at most 90"), empty(&one);
    id[0] = 16, length[1] = 91;
    ask(&r, "embed", NULL, 0, item, 2, &one), expect(&r, "token 16"), empty(&one);
    close_rig(&r);
}

/* What is held doesn't grow with the sequences: they are embedded in blocks of some thousand tokens. */
static void blocks_of_sequences(void)
{
    enum { LENGTH = 80, MANY = 240 };
    rig r = open_rig(&cw_hyena_class, dna, DNA);
    static int32_t id[LENGTH * MANY], length[MANY];
    int64_t peak[2];
    for (int i = 0; i < LENGTH * MANY; i++) id[i] = 7 + i % 4;
    for (int i = 0; i < MANY; i++) length[i] = LENGTH;
    for (int i = 0; i < 2; i++) {
        int64_t count = i ? MANY : MANY / 4;
        cw_array item[] = {{"id", CW_ARRAY_I32, 1, {count * LENGTH}, id, NULL, NULL},
                           {"length", CW_ARRAY_I32, 1, {count}, length, NULL, NULL}};
        shelf s;
        CHECK(ask(&r, "embed", NULL, 0, item, 2, &s) == CW_OK, "%s", r.ctx->text);
        empty(&s);
        peak[i] = cw_arena_peak(r.tape->memory);
    }
    CHECK((double)peak[1] < 1.1 * (double)peak[0], "%lld bytes for %d sequences, %lld for a quarter", (long long)peak[1],
          MANY, (long long)peak[0]);
    close_rig(&r);
}

static void next_base(void)
{
    rig r = open_rig(&cw_hyena_class, dna, DNA);
    int32_t id[80], target[80], length[2] = {40, 40};
    for (int i = 0; i < 80; i++) id[i] = 7 + (i % 40 / 2) % 4, target[i] = i % 40 == 39 ? -100 : 7 + (i % 40 + 1) / 2 % 4;
    const cw_array item[] = {{"id", CW_ARRAY_I32, 1, {80}, id, NULL, NULL},
                             {"length", CW_ARRAY_I32, 1, {2}, length, NULL, NULL},
                             {"target", CW_ARRAY_I32, 1, {80}, target, NULL, NULL}};
    double loss = learn(&r, "next", NULL, 0, NULL, item, 3, 150, NULL);
    kill_batches(r.m, "next", NULL, item, 3);
    CHECK(loss < 0.2, "a sequence that repeats is learnt to %g", loss);
    close_rig(&r);
}

/* ---- files and memory ---- */

/* A file under the names that published checkpoints have. */
static void published_names(void)
{
    static const struct {
        const cw_model_class *class;
        const cw_option *option;
        int n;
        const char *from[3], *to[3]; /* pieces of names that are written otherwise */
        const char *front;
    } kind[] = {{&cw_scgpt_class, small, SMALL, {"in_proj_", NULL}, {"Wqkv.", NULL}, ""},
                {&cw_scgpt_class, small, SMALL, {"self_attn.in_proj_", "self_attn.out"}, {"self_attn._impl.Wqkv.", "self_attn._impl.out"}, ""},
                {&cw_hyena_class, dna, DNA, {".mixer.", ".mlp."}, {".mixer.layer.", ".mlp.layer."}, "model."},
                {&cw_hyena_class, dna, DNA, {NULL}, {NULL}, "model."}};
    char path[64];
    snprintf(path, sizeof path, "/tmp/cw-encoders-%d.safetensors", (int)getpid());
    for (int k = 0; k < 4; k++) {
        rig r = open_rig(kind[k].class, kind[k].option, kind[k].n);
        cw_params *p = &r.m->params;
        cw_safetensors_item *item = calloc((size_t)p->count, sizeof *item);
        char (*name)[200] = calloc((size_t)p->count, sizeof *name);
        for (int64_t i = 0; i < p->count; i++) {
            snprintf(name[i], sizeof *name, "%s%s", kind[k].front, p->item[i]->name);
            for (int j = 0; j < 2 && kind[k].from[j]; j++) {
                char *at = strstr(name[i], kind[k].from[j]), tail[200];
                if (!at) continue;
                snprintf(tail, sizeof tail, "%s", at + strlen(kind[k].from[j]));
                snprintf(at, sizeof *name - (size_t)(at - name[i]), "%s%s", kind[k].to[j], tail);
            }
            item[i] = (cw_safetensors_item){.name = name[i], .dtype = CW_ST_F32, .ndim = p->item[i]->tensor.ndim};
            for (int d = 0; d < item[i].ndim; d++) item[i].dim[d] = p->item[i]->tensor.dim[d];
            item[i].data = cw_param_host(r.ctx, &p->item[i]->tensor);
        }
        CHECK(cw_safetensors_write(r.ctx, path, item, NULL, p->count, 0) == CW_OK, "%s", r.ctx->text);
        rig other = open_rig(kind[k].class, kind[k].option, kind[k].n);
        for (int64_t i = 0; i < p->count; i++) cw_init_constant(&other.m->params.item[i]->tensor, 0.5f);
        cw_load_report report;
        cw_params_load(&other.m->params, path, kind[k].class->rules, NULL, &report);
        CHECK(report.loaded == p->count && report.missing + report.unexpected + report.misshapen == 0,
              "kind %d: %lld of %lld loaded, %lld unexpected", k, (long long)report.loaded, (long long)p->count,
              (long long)report.unexpected);
        for (int64_t i = 0; i < p->count; i++)
            CHECK(memcmp(cw_param_host(other.ctx, &other.m->params.item[i]->tensor), item[i].data,
                         (size_t)cw_count(&p->item[i]->tensor) * 4) == 0, "%s", name[i]);
        cw_load_report_free(&report);
        free(item), free(name);
        close_rig(&other), close_rig(&r);
    }
    remove(path);
}

static void no_memory(int dna_model)
{
    static counted c;
    fill_counted(&c, 0);
    int32_t id[40], length[1] = {40};
    for (int i = 0; i < 40; i++) id[i] = 7 + i % 4;
    const cw_array sequence[] = {{"id", CW_ARRAY_I32, 1, {40}, id, NULL, NULL},
                                 {"length", CW_ARRAY_I32, 1, {1}, length, NULL, NULL}};
    if (dna_model) each_allocation_fails(&cw_hyena_class, dna, DNA, "embed", sequence, 2);
    else
        each_allocation_fails(&cw_scgpt_class, small, SMALL, "embed", c.item, 2),
            each_allocation_fails(&cw_scgpt_class, small, SMALL, "states", c.item, 2);
}

int main(void)
{
    reading();
    refusals();
    attention();
    training();
    sequences();
    blocks_of_sequences();
    next_base();
    published_names();
    no_memory(0);
    no_memory(1);
    return test_end();
}
