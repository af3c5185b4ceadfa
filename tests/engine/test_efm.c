/* test_efm.c: the EFM beyond its golden cases: orders of reading, decoding, refusals, that it learns, that nothing is left
 * when memory fails. */
#include "models/efm/efm.h"
#include "models/sccafm/gene_order.h"
#include "kill_case.h"
#include "model_rig.h"

enum { CELLS = 4, GENES = 9, WIDTH = 16, WORDS = 12, FACTORS = 3 };

static const cw_option small[] = {{"vocab", NULL, WORDS}, {"conditions", NULL, 4}, {"pad", NULL, 0},
                                  {"embedDim", NULL, WIDTH}, {"exprBins", NULL, 5}, {"exprHidden", NULL, 7},
                                  {"batchBins", NULL, 4}, {"batchHidden", NULL, 6}, {"layers", NULL, 2},
                                  {"heads", NULL, 2}, {"condDropout", NULL, 0}, {"outDropout", NULL, 0},
                                  {"mlpDropout", NULL, 0}, {"headDropout", NULL, 0}};
enum { SMALL = sizeof small / sizeof small[0] };

typedef struct {
    int32_t ids[GENES], non_tf[GENES], condition[CELLS * 4], order[CELLS * GENES], padding[CELLS * GENES];
    float value[CELLS * GENES];
    cw_array item[6];
} cells;

static void bind(cells *c)
{
    c->item[0] = (cw_array){"ids", CW_ARRAY_I32, 1, {GENES}, c->ids, NULL, NULL};
    c->item[1] = (cw_array){"nonTF", CW_ARRAY_I32, 1, {GENES}, c->non_tf, NULL, NULL};
    c->item[2] = (cw_array){"values", CW_ARRAY_F32, 2, {CELLS, GENES}, c->value, NULL, NULL};
    c->item[3] = (cw_array){"conditions", CW_ARRAY_I32, 2, {CELLS, 4}, c->condition, NULL, NULL};
    c->item[4] = (cw_array){"order", CW_ARRAY_I32, 2, {CELLS, GENES}, c->order, NULL, NULL};
    c->item[5] = (cw_array){"padding", CW_ARRAY_I32, 2, {CELLS, GENES}, c->padding, NULL, NULL};
}

static void fill(cells *c)
{
    memset(c, 0, sizeof *c);
    for (int g = 0; g < GENES; g++) c->ids[g] = g + 1, c->non_tf[g] = g > 2;
    for (int i = 0; i < CELLS * GENES; i++) {
        c->value[i] = (float)((i / GENES + i % 5) % 3);
        c->order[i] = (i % GENES * 4 + i / GENES) % GENES;
    }
    bind(c);
}

static const cw_option with_genes[] = {{"genes", NULL, 1}};

/* The EFM's own query on the first n arrays of the cells. */
static cw_status look(rig *r, const char *query, const cells *c, int64_t n, shelf *s)
{
    int genes = strcmp(query, "embed") == 0;
    return ask(r, query, with_genes, genes, c->item, n, s);
}

/* Genes given in another order with the places that follow them are the same cells. */
static void orders(void)
{
    rig r = open_rig(&cw_efm_class, small, SMALL);
    static cells c, d;
    shelf a, b;
    fill(&c), fill(&d);
    for (int g = 0; g < GENES; g++) d.ids[g] = c.ids[GENES - 1 - g], d.non_tf[g] = c.non_tf[GENES - 1 - g];
    for (int i = 0; i < CELLS * GENES; i++) {
        d.value[i] = c.value[i / GENES * GENES + GENES - 1 - i % GENES];
        d.order[i] = GENES - 1 - c.order[i];
    }
    CHECK(look(&r, "embed", &c, 5, &a) == CW_OK, "%s", r.ctx->text);
    CHECK(look(&r, "embed", &d, 5, &b) == CW_OK, "%s", r.ctx->text);
    CHECK(apart(a.data[0], b.data[0], CELLS * WIDTH) < 1e-5, "cells");
    for (int i = 0; i < CELLS * GENES; i++)
        CHECK(apart((float *)a.data[1] + i * WIDTH, (float *)b.data[1] + (i / GENES * GENES + GENES - 1 - i % GENES) * WIDTH, WIDTH) < 1e-5,
              "gene %d", i);
    empty(&b);
    /* a causal reading: another order gives other embeddings */
    look(&r, "embed", &c, 4, &b);
    CHECK(apart(a.data[1], b.data[1], CELLS * GENES * WIDTH) > 1e-3, "the order plays no part");
    CHECK(apart(a.data[0], b.data[0], CELLS * WIDTH) < 1e-5, "the prefix sees no gene's place");
    empty(&a), empty(&b);
    close_rig(&r);
}

/* What is decoded with a cache is what whole forwards say, fed with it gene by gene. */
static void decoding(void)
{
    rig r = open_rig(&cw_efm_class, small, SMALL);
    static cells c, d;
    shelf a, b;
    fill(&c);
    CHECK(look(&r, "generate", &c, 5, &a) == CW_OK, "%s", r.ctx->text);
    cw_efm *m = (cw_efm *)r.m;
    for (int g = 0; g < GENES; g++) {
        d = c, bind(&d);
        for (int i = 0; i < CELLS; i++)
            for (int k = 0; k < g; k++) {
                int at = i * GENES + c.order[i * GENES + k];
                d.value[at] = ((float *)a.data[0])[at] > 0 ? ((float *)a.data[0])[at] : 0;
            }
        /* the prefix sees the observed cells: its row is put in front of the others */
        cw_tape_reset(r.tape, 0, 0, 1, 0);
        cw_inputs seen = cw_model_inputs(r.m, r.tape->arena, c.item, 5), fed = cw_model_inputs(r.m, r.tape->arena, d.item, 5);
        cw_efm_cells x, y;
        cw_efm_read(&x, &seen, m), cw_efm_read(&y, &fed, m);
        cw_tensor *px = cw_sccafm_embed(&m->trunk, r.tape, &x.batch, NULL);
        cw_tensor *py = cw_sccafm_embed(&m->trunk, r.tape, &y.batch, NULL);
        for (int i = 0; i < CELLS && px && py; i++)
            memcpy(cw_f32(py) + x.batch.seq.start[i] * WIDTH, cw_f32(px) + x.batch.seq.start[i] * WIDTH, WIDTH * 4);
        cw_tensor *h = cw_transformer_forward(&m->trunk.backbone, r.tape, py, y.batch.seq, y.batch.position, NULL);
        const float *told = cw_tape_host(r.tape, cw_efm_values(m, r.tape, h));
        for (int i = 0; i < CELLS && told; i++)
            CHECK(fabs(told[y.batch.seq.start[i] + g] - ((float *)a.data[0])[i * GENES + c.order[i * GENES + g]]) < 1e-5,
                  "cell %d, place %d", i, g);
    }
    empty(&a);
    c.padding[GENES - 1] = 1, c.order[0] = 0;
    for (int g = 0; g < GENES; g++) c.order[g] = g;
    CHECK(look(&r, "generate", &c, 6, &b) == CW_ERR_ARGUMENT && strstr(r.ctx->text, "without padding"), "%s",
          r.ctx->text);
    empty(&b);
    close_rig(&r);
}

static void refuse(rig *r, const cells *c, int64_t n, const char *words)
{
    shelf s;
    look(r, "embed", c, n, &s);
    CHECK(r->ctx->status == CW_ERR_ARGUMENT, "%s", cw_status_name(r->ctx->status));
    expect(r, words);
    empty(&s);
}

static void refusals(void)
{
    rig r = open_rig(&cw_efm_class, small, SMALL);
    static cells c;
    fill(&c), c.order[3] = c.order[4], refuse(&r, &c, 5, "order of cell 1: place");
    fill(&c), c.order[GENES] = GENES, refuse(&r, &c, 5, "order of cell 2: place 9 is not there");
    fill(&c), c.order[0] = -1, refuse(&r, &c, 5, "place -1");
    fill(&c), c.padding[c.order[0]] = 1, refuse(&r, &c, 6, "padding must come last");
    fill(&c), c.value[2] = -1, refuse(&r, &c, 5, "expression of cell 1");
    close_rig(&r);
}

/* The order of a network's genes from its factors is that of the network. */
static void from_factors(void)
{
    rig r = open_rig(&cw_efm_class, small, SMALL);
    float u[CELLS * GENES * FACTORS] = {0}, v[CELLS * GENES * FACTORS], grn[GENES * GENES];
    cw_stream s = cw_rng_stream(3, CW_RNG_INIT, 1, 0);
    for (int i = 0; i < CELLS * GENES * FACTORS; i++) {
        v[i] = cw_rng_uniform(s, (uint64_t)i);
        if (i / FACTORS % GENES < 4) u[i] = cw_rng_uniform(s, (uint64_t)(1000 + i));
    }
    const cw_array item[] = {{"u", CW_ARRAY_F32, 3, {CELLS, GENES, FACTORS}, u, NULL, NULL},
                             {"v", CW_ARRAY_F32, 3, {CELLS, GENES, FACTORS}, v, NULL, NULL}};
    shelf got;
    CHECK(ask(&r, "order", NULL, 0, item, 2, &got) == CW_OK, "%s", r.ctx->text);
    for (int c = 0; c < CELLS && got.n; c++) {
        int32_t want[GENES];
        int64_t actives, breaks;
        for (int i = 0; i < GENES; i++)
            for (int j = 0; j < GENES; j++) {
                double sum = 0;
                for (int k = 0; k < FACTORS; k++)
                    sum += (double)u[(c * GENES + i) * FACTORS + k] * v[(c * GENES + j) * FACTORS + k];
                grn[i * GENES + j] = (float)sum;
            }
        cw_gene_order(r.ctx, want, &actives, &breaks, grn, NULL, GENES);
        CHECK(memcmp(want, (int32_t *)got.data[0] + c * GENES, sizeof want) == 0, "cell %d", c);
    }
    empty(&got);
    close_rig(&r);
}

static void learning(void)
{
    rig r = open_rig(&cw_efm_class, small, SMALL);
    static cells c;
    fill(&c);
    double first = 0, last = learn(&r, "pretrain", NULL, 0, (float[]){1, 0.5f}, c.item, 5, 80, &first);
    kill_batches(r.m, "pretrain", NULL, c.item, 5);
    CHECK(r.ctx->status == CW_OK && first > 2 && last < 0.5 * first, "from %g to %g", first, last);
    close_rig(&r);
}

static void no_memory(void)
{
    static cells c;
    fill(&c);
    each_allocation_fails(&cw_efm_class, small, SMALL, "generate", c.item, 5);
}

int main(void)
{
    orders();
    decoding();
    refusals();
    from_factors();
    learning();
    no_memory();
    return test_end();
}
