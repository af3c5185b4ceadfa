/* test_gears.c: what GEARS's class learns and refuses, and that a cell's place in a batch doesn't matter unless asked for.
 * (What it computes: golden cases, see parity_gears.h.) */
#include "models/gears/gears.h"
#include "kill_case.h"
#include "model_rig.h"

enum { CELLS = 6, GENES = 7, PERTS = 4 };

static float control[CELLS * GENES], truth[CELLS * GENES], reference[GENES], weight[3] = {0.9f, 0.5f, 0.7f};
static int32_t perturbed[CELLS * 2] = {0, -1, 1, 2, -1, -1, 0, -1, 3, -1, 1, 2}, condition[CELLS] = {0, 1, 2, 0, 3, 1};
static int32_t near[6] = {0, 1, 2, 3, 5, 4}, kept[CELLS * GENES];

static const cw_option small[] = {{"num_genes", NULL, GENES}, {"num_perts", NULL, PERTS}, {"hidden_size", NULL, 8}};

static void fill(void)
{
    for (int i = 0; i < CELLS * GENES; i++) {
        control[i] = (float)(1 + sin(i));
        truth[i] = control[i] + (perturbed[i / GENES * 2] >= 0 ? 0.5f * (float)cos(i % GENES) : 0.0f);
        kept[i] = i % 5 != 0;
    }
    for (int g = 0; g < GENES; g++) reference[g] = 1.0f;
}

static int64_t batch(cw_array *item, int64_t first, int64_t cells, int train)
{
    int64_t n = 0;
    item[n++] = (cw_array){.name = "control", .type = CW_ARRAY_F32, .ndim = 2, .dim = {cells, GENES}, .data = control + first * GENES};
    item[n++] = (cw_array){.name = "perturbed", .type = CW_ARRAY_I32, .ndim = 2, .dim = {cells, 2}, .data = perturbed + first * 2};
    item[n++] = (cw_array){.name = "coexpression", .type = CW_ARRAY_I32, .ndim = 2, .dim = {3, 2}, .data = near};
    item[n++] = (cw_array){.name = "coexpressionWeight", .type = CW_ARRAY_F32, .ndim = 1, .dim = {3}, .data = weight};
    if (!train) return n;
    item[n++] = (cw_array){.name = "truth", .type = CW_ARRAY_F32, .ndim = 2, .dim = {cells, GENES}, .data = truth + first * GENES};
    item[n++] = (cw_array){.name = "reference", .type = CW_ARRAY_F32, .ndim = 1, .dim = {GENES}, .data = reference};
    item[n++] = (cw_array){.name = "condition", .type = CW_ARRAY_I32, .ndim = 1, .dim = {cells}, .data = condition + first};
    item[n++] = (cw_array){.name = "kept", .type = CW_ARRAY_I32, .ndim = 2, .dim = {cells, GENES}, .data = kept + first * GENES};
    return n;
}

/* The last cell alone and in its batch: the same where the graph informs every cell, not as published. */
static void test_places(int every_cell)
{
    cw_option option[4] = {small[0], small[1], small[2], {"every_cell", NULL, every_cell}};
    rig r = open_rig(&cw_gears_class, option, 4);
    cw_array item[8];
    shelf all, one;
    CHECK(ask(&r, "predict", NULL, 0, item, batch(item, 0, CELLS, 0), &all) == CW_OK, "%s", r.ctx->text);
    CHECK(ask(&r, "predict", NULL, 0, item, batch(item, CELLS - 1, 1, 0), &one) == CW_OK, "%s", r.ctx->text);
    CHECK(all.n == 1 && one.n == 1 && strcmp(one.name[0], "expression") == 0, "%d results", all.n);
    double far = apart((float *)all.data[0] + (CELLS - 1) * GENES, one.data[0], GENES);
    CHECK(every_cell ? far < 2e-6 : far > 1e-5, "apart by %g", far);
    empty(&all), empty(&one), close_rig(&r);
}

/* Decoders of genes begin small: what a new model adds to a cell is of the size of 1, whatever the number of genes. */
static void test_beginning(void)
{
    enum { MANY = 2000 };
    const cw_option option[] = {{"num_genes", NULL, MANY}, small[1], {"hidden_size", NULL, 16}};
    rig r = open_rig(&cw_gears_class, option, 3);
    float *x = calloc(MANY, sizeof *x);
    const int32_t which[1] = {2};
    const cw_array item[] = {{.name = "control", .type = CW_ARRAY_F32, .ndim = 2, .dim = {1, MANY}, .data = x},
                             {.name = "perturbed", .type = CW_ARRAY_I32, .ndim = 2, .dim = {1, 1}, .data = which}};
    shelf s;
    CHECK(ask(&r, "predict", NULL, 0, item, 2, &s) == CW_OK, "%s", r.ctx->text);
    double square = 0;
    for (int g = 0; g < MANY; g++) square += pow((double)((float *)s.data[0])[g], 2) / MANY;
    CHECK(square > 1e-8 && square < 1, "mean square %g", square);
    empty(&s), free(x), close_rig(&r);
}

static void test_learning(void)
{
    cw_option option[4] = {small[0], small[1], small[2], {"uncertainty", NULL, 1}};
    rig r = open_rig(&cw_gears_class, option, 4);
    cw_array item[8];
    double first = 0, last = learn(&r, "train", NULL, 0, NULL, item, batch(item, 0, CELLS, 1), 150, &first);
    kill_batches(r.m, "train", NULL, item, batch(item, 0, CELLS, 1));
    CHECK(last < 0.2 * first, "%g -> %g", first, last);
    const cw_param *unused = cw_params_find(&r.m->params, "pert_w.weight");
    CHECK(unused && unused->role == CW_BUFFER, "what is never used isn't trained");
    close_rig(&r);
}

/* One embedding for all cells is the same given for each. */
static void test_shared(void)
{
    enum { WIDTH = 3 };
    cw_option option[4] = {small[0], small[1], small[2], {"external_embedding", NULL, WIDTH}};
    rig r = open_rig(&cw_gears_class, option, 4);
    float each[CELLS * GENES * WIDTH];
    for (int i = 0; i < CELLS * GENES * WIDTH; i++) each[i] = (float)cos(i % (GENES * WIDTH));
    cw_array item[9];
    for (int train = 0; train < 2; train++) {
        shelf one, all;
        int64_t n = batch(item, 0, CELLS, train);
        item[n] = (cw_array){.name = "geneEmbedding", .type = CW_ARRAY_F32, .ndim = 2, .dim = {GENES, WIDTH}, .data = each};
        if (train) { /* moves all weights, and the running norms */
            double first, last = learn(&r, "train", NULL, 0, NULL, item, n + 1, 60, &first);
            CHECK(last < 0.5 * first, "%g -> %g", first, last);
            n = batch(item, 0, CELLS, 0);
            item[n] = (cw_array){.name = "geneEmbedding", .type = CW_ARRAY_F32, .ndim = 2, .dim = {GENES, WIDTH}, .data = each};
        }
        CHECK(ask(&r, "predict", NULL, 0, item, n + 1, &one) == CW_OK, "%s", r.ctx->text);
        item[n] = (cw_array){.name = "embedding", .type = CW_ARRAY_F32, .ndim = 3, .dim = {CELLS, GENES, WIDTH}, .data = each};
        CHECK(ask(&r, "predict", NULL, 0, item, n + 1, &all) == CW_OK, "%s", r.ctx->text);
        CHECK(apart(one.data[0], all.data[0], CELLS * GENES) < 1e-5, "not the same");
        empty(&one), empty(&all);
    }
    close_rig(&r);
}

static void test_refusals(void)
{
    rig r = open_rig(&cw_gears_class, small, 3);
    cw_array item[8];
    shelf s;
    perturbed[0] = PERTS;
    ask(&r, "predict", NULL, 0, item, batch(item, 0, CELLS, 0), &s), expect(&r, "perturbation 4 of cell 1"), empty(&s);
    perturbed[0] = 0, near[0] = GENES;
    ask(&r, "predict", NULL, 0, item, batch(item, 0, CELLS, 0), &s), expect(&r, "edge 1 is of no node"), empty(&s);
    near[0] = 0;
    batch(item, 0, CELLS, 0), item[0].dim[1] = GENES - 1;
    ask(&r, "predict", NULL, 0, item, 4, &s), expect(&r, "control"), empty(&s);
    close_rig(&r);
}

static void no_memory(void)
{
    cw_array item[8];
    int64_t n = batch(item, 0, CELLS, 0);
    each_allocation_fails(&cw_gears_class, small, 3, "predict", item, n);
}

int main(void)
{
    fill();
    test_places(1), test_places(0), test_beginning(), test_learning(), test_shared(), test_refusals(), no_memory();
    return test_end();
}
