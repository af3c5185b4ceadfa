/* test_efm.c: the EFM beyond its golden cases: orders of reading, decoding, refusals, that it learns, that nothing is left
 * when memory fails. */
#include "models/efm/efm.h"
#include "models/sccafm/gene_order.h"
#include "test.h"
#include "train/trainer.h"

enum { CELLS = 4, GENES = 9, WIDTH = 16, WORDS = 12, FACTORS = 3 };

static const cw_option small[] = {{"vocab", NULL, WORDS}, {"conditions", NULL, 4}, {"pad", NULL, 0},
                                  {"embedDim", NULL, WIDTH}, {"exprBins", NULL, 5}, {"exprHidden", NULL, 7},
                                  {"batchBins", NULL, 4}, {"batchHidden", NULL, 6}, {"layers", NULL, 2},
                                  {"heads", NULL, 2}, {"condDropout", NULL, 0}, {"outDropout", NULL, 0},
                                  {"mlpDropout", NULL, 0}, {"headDropout", NULL, 0}};
enum { SMALL = sizeof small / sizeof small[0] };

typedef struct {
    cw_ctx *ctx;
    cw_model *m;
    cw_tape *tape;
} rig;

static rig open_rig(int64_t fail_at)
{
    rig r = {.ctx = cw_ctx_new(NULL)};
    r.ctx->kernels = cw_kernels_select(NULL);
    r.ctx->threads = 2;
    if (fail_at >= 0) r.ctx->fail_at = fail_at;
    r.m = cw_model_make(r.ctx, &cw_efm_class, small, SMALL, 1, 5);
    r.tape = r.m ? cw_tape_new(r.ctx) : NULL;
    return r;
}

static void close_rig(rig *r)
{
    cw_ctx_clear(r->ctx);
    cw_model_free(r->m);
    cw_tape_free(r->tape);
    CHECK(r->ctx->memory.bytes == 0, "%lld bytes are left", (long long)r->ctx->memory.bytes);
    cw_ctx_free(r->ctx);
}

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

typedef struct {
    float *data[3];
    int n;
} shelf;

static void *take(void *user, const char *name, cw_array_type type, int ndim, const int64_t *dim)
{
    shelf *s = user;
    int64_t n = 1;
    (void)name, (void)type;
    for (int i = 0; i < ndim; i++) n *= dim[i];
    return s->data[s->n++] = calloc((size_t)n + 1, 8);
}

static void empty(shelf *s)
{
    for (int i = 0; i < s->n; i++) free(s->data[i]);
    memset(s, 0, sizeof *s);
}

static cw_status ask(rig *r, const char *query, int genes, const cw_array *item, int64_t n, shelf *s)
{
    memset(s, 0, sizeof *s);
    const cw_sink sink = {s, take};
    return cw_model_run(r->m, r->tape, cw_model_query(&cw_efm_class, query), item, n, &genes, &sink);
}

static double apart(const float *a, const float *b, int64_t n)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) worst = fmax(worst, fabs((double)a[i] - b[i]));
    return worst;
}

/* Genes given in another order with the places that follow them are the same cells. */
static void orders(void)
{
    rig r = open_rig(-1);
    static cells c, d;
    shelf a, b;
    fill(&c), fill(&d);
    for (int g = 0; g < GENES; g++) d.ids[g] = c.ids[GENES - 1 - g], d.non_tf[g] = c.non_tf[GENES - 1 - g];
    for (int i = 0; i < CELLS * GENES; i++) {
        d.value[i] = c.value[i / GENES * GENES + GENES - 1 - i % GENES];
        d.order[i] = GENES - 1 - c.order[i];
    }
    CHECK(ask(&r, "embed", 1, c.item, 5, &a) == CW_OK, "%s", r.ctx->text);
    CHECK(ask(&r, "embed", 1, d.item, 5, &b) == CW_OK, "%s", r.ctx->text);
    CHECK(apart(a.data[0], b.data[0], CELLS * WIDTH) < 1e-5, "cells");
    for (int i = 0; i < CELLS * GENES; i++)
        CHECK(apart(a.data[1] + i * WIDTH, b.data[1] + (i / GENES * GENES + GENES - 1 - i % GENES) * WIDTH, WIDTH) < 1e-5,
              "gene %d", i);
    empty(&b);
    /* a causal reading: another order gives other embeddings */
    ask(&r, "embed", 1, c.item, 4, &b);
    CHECK(apart(a.data[1], b.data[1], CELLS * GENES * WIDTH) > 1e-3, "the order plays no part");
    CHECK(apart(a.data[0], b.data[0], CELLS * WIDTH) < 1e-5, "the prefix sees no gene's place");
    empty(&a), empty(&b);
    close_rig(&r);
}

/* What is decoded with a cache is what whole forwards say, fed with it gene by gene. */
static void decoding(void)
{
    rig r = open_rig(-1);
    static cells c, d;
    shelf a, b;
    fill(&c);
    CHECK(ask(&r, "generate", 0, c.item, 5, &a) == CW_OK, "%s", r.ctx->text);
    cw_efm *m = (cw_efm *)r.m;
    for (int g = 0; g < GENES; g++) {
        d = c, bind(&d);
        for (int i = 0; i < CELLS; i++)
            for (int k = 0; k < g; k++) {
                int at = i * GENES + c.order[i * GENES + k];
                d.value[at] = a.data[0][at] > 0 ? a.data[0][at] : 0;
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
            CHECK(fabs(told[y.batch.seq.start[i] + g] - a.data[0][i * GENES + c.order[i * GENES + g]]) < 1e-5,
                  "cell %d, place %d", i, g);
    }
    empty(&a);
    c.padding[GENES - 1] = 1, c.order[0] = 0;
    for (int g = 0; g < GENES; g++) c.order[g] = g;
    CHECK(ask(&r, "generate", 0, c.item, 6, &b) == CW_ERR_ARGUMENT && strstr(r.ctx->text, "without padding"), "%s",
          r.ctx->text);
    empty(&b);
    close_rig(&r);
}

static void refuse(rig *r, const cells *c, int64_t n, const char *words)
{
    shelf s;
    ask(r, "embed", 0, c->item, n, &s);
    CHECK(r->ctx->status == CW_ERR_ARGUMENT && strstr(r->ctx->text, words), "\"%s\" for: %s", r->ctx->text, words);
    cw_ctx_clear(r->ctx);
    empty(&s);
}

static void refusals(void)
{
    rig r = open_rig(-1);
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
    rig r = open_rig(-1);
    float u[CELLS * GENES * FACTORS] = {0}, v[CELLS * GENES * FACTORS], grn[GENES * GENES];
    cw_stream s = cw_rng_stream(3, CW_RNG_INIT, 1, 0);
    for (int i = 0; i < CELLS * GENES * FACTORS; i++) {
        v[i] = cw_rng_uniform(s, (uint64_t)i);
        if (i / FACTORS % GENES < 4) u[i] = cw_rng_uniform(s, (uint64_t)(1000 + i));
    }
    const cw_array item[] = {{"u", CW_ARRAY_F32, 3, {CELLS, GENES, FACTORS}, u, NULL, NULL},
                             {"v", CW_ARRAY_F32, 3, {CELLS, GENES, FACTORS}, v, NULL, NULL}};
    shelf got;
    CHECK(ask(&r, "order", 0, item, 2, &got) == CW_OK, "%s", r.ctx->text);
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
        CHECK(memcmp(want, (int32_t *)(void *)got.data[0] + c * GENES, sizeof want) == 0, "cell %d", c);
    }
    empty(&got);
    close_rig(&r);
}

static void learning(void)
{
    rig r = open_rig(-1);
    static cells c;
    fill(&c);
    const cw_optimizer o = {.kind = CW_ADAM, .lr = 5e-3f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f,
                            .schedule = CW_SCHEDULE_CONSTANT, .total_steps = 80};
    cw_trainer *tr = cw_trainer_new(r.m, r.tape, cw_model_task(&cw_efm_class, "pretrain"), &o, NULL, NULL, 0,
                                    (float[]){1, 0.5f}, 3);
    double first = 0;
    cw_step_report report = {0}, applied;
    for (int i = 0; i < 80 && tr; i++) {
        cw_trainer_micro(tr, c.item, 5, 0, NULL, 1.0f, &report);
        cw_trainer_apply(tr, &applied);
        if (i == 0) first = report.total;
    }
    cw_trainer_free(tr);
    CHECK(r.ctx->status == CW_OK && first > 2 && report.total < 0.5 * first, "from %g to %g", first, report.total);
    close_rig(&r);
}

static void no_memory(void)
{
    static cells c;
    int64_t failures = 0;
    for (int64_t at = 0;; at++) {
        rig r = open_rig(at);
        shelf s = {0};
        fill(&c);
        if (r.tape) ask(&r, "generate", 0, c.item, 5, &s);
        cw_status status = r.ctx->status;
        empty(&s);
        CHECK(status == CW_OK || status == CW_ERR_MEMORY, "failure %lld: %s", (long long)at, r.ctx->text);
        close_rig(&r);
        if (status == CW_OK) break;
        failures++;
    }
    CHECK(failures > 20, "only %lld allocations", (long long)failures);
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
