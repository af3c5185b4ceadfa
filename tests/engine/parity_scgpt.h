/* parity_scgpt.h: scGPT cases against the engine. The includer has `tolerance`, `compare` and `end_group`. Every expect.*
 * and grad.* of the file has to be compared. */
#ifndef CW_PARITY_SCGPT_H
#define CW_PARITY_SCGPT_H

#include "models/scgpt/scgpt.h"
#include "parity_encoder.h"

/* config.json as the class's settings: one word is called otherwise. */
static cw_scgpt *scgpt_open(encoder_case *c)
{
    char style[64];
    snprintf(style, sizeof style, "%s", cw_json_string(c->ctx, c->config, "mvc_decoder_style", ""));
    const cw_option more[] = {{"mvc_detach", NULL, strstr(style, "detach") != NULL}, {"dropout", NULL, 0}};
    cw_scgpt *m = (cw_scgpt *)encoder_model(c, &cw_scgpt_class, more, 2);
    return m;
}

static void scgpt_see(void *user, const char *name, const cw_tensor *x)
{
    encoder_case *c = user;
    char full[64];
    snprintf(full, sizeof full, "expect.%s", name);
    encoder_tensor(c, "forward", full, x);
}

/* Inputs of the case by the names the model asks for. */
static int64_t scgpt_items(encoder_case *c, cw_array *item)
{
    int64_t n = 0;
    item[n++] = encoder_ints(c, "src", "src"), item[n++] = encoder_floats(c, "values", "values");
    item[n++] = encoder_ints(c, "src_key_padding_mask", "padding");
    item[n++] = encoder_ints(c, "masked_positions", "masked"), item[n++] = encoder_floats(c, "target_values", "target");
    item[n++] = encoder_ints(c, "celltype_labels", "label");
    return n;
}

static cw_status scgpt_batch(encoder_case *c, cw_scgpt *m, const cw_array *item, int64_t n, cw_scgpt_batch *b)
{
    cw_inputs in = cw_model_inputs(&m->model, c->tape->arena, item, n);
    cw_scgpt_input x = cw_scgpt_input_read(&in);
    const cw_scgpt_reading how = {.padded = 1};
    return c->ctx->status == CW_OK ? cw_scgpt_batch_build(b, c->tape->arena, &x, &how, &m->config) : c->ctx->status;
}

/* Everything there is at every place. `prefix`: "" in training, "eval." where padding is zero. */
static void scgpt_heads(encoder_case *c, cw_scgpt *m, const cw_scgpt_batch *b, const cw_scgpt_output *y,
                        const char *prefix)
{
    cw_tape *t = c->tape;
    char name[64];
    int32_t *row = malloc((size_t)b->rows * sizeof *row);
    for (int64_t r = 0; r < b->rows; r++) row[r] = (int32_t)r;
#define SHOW(what, x) (snprintf(name, sizeof name, "expect.%s%s", prefix, what), encoder_tensor(c, "heads", name, x))
    SHOW("cell_emb", y->cell);
    SHOW("cell_emb_l2", cw_unit_rows(t, y->cell, 1.0f, 1e-12f));
    SHOW("mlm_output", cw_scgpt_decode(m, t, y, &m->decoder, b, row, b->rows));
    SHOW("mvc_output", cw_scgpt_decode_cell(m, t, y, &m->mvc, b, row, b->rows));
    SHOW("cls_output", cw_scgpt_classify(m, t, y));
    if (m->config.zeros) {
        cw_tensor *x = cw_scgpt_decode(m, t, y, &m->zero_decoder, b, row, b->rows);
        SHOW("mlm_zero_probs", cw_activate(t, x, CW_ACT_SIGMOID));
        x = cw_scgpt_decode_cell(m, t, y, &m->mvc_zero, b, row, b->rows);
        SHOW("mvc_zero_probs", cw_activate(t, x, CW_ACT_SIGMOID));
    }
#undef SHOW
    free(row);
}

static void scgpt_forward(encoder_case *c, cw_scgpt *m, const cw_array *item, int64_t n)
{
    cw_observer observer = {c, scgpt_see};
    cw_scgpt_batch b;
    cw_tape_reset(c->tape, 0, 0, 1, 0);
    if (scgpt_batch(c, m, item, n, &b) != CW_OK) return;
    cw_scgpt_output y = cw_scgpt_forward(m, c->tape, &b, NULL, m->config.layers, &observer);
    scgpt_heads(c, m, &b, &y, "");
    cw_tape_reset(c->tape, 0, 0, 1, 0);
    if (scgpt_batch(c, m, item, n, &b) != CW_OK) return;
    float *kept = malloc((size_t)b.rows * sizeof *kept);
    memset(kept, 0, (size_t)b.rows * sizeof *kept);
    for (int64_t i = 0; i < b.keys.start[b.cells]; i++) kept[b.key[i]] = 1.0f;
    y = cw_scgpt_forward(m, c->tape, &b, cw_tape_constant(c->tape, kept, b.rows, 1), m->config.layers, NULL);
    scgpt_heads(c, m, &b, &y, "eval.");
    free(kept);
}

static void scgpt_gradients(encoder_case *c, cw_scgpt *m, const cw_array *item, int64_t n)
{
    static const char *const names[] = {"mlm", "mlm_zero", "mvc", "mvc_zero", "cls", "ecs"};
    char name[64];
    double ecs = cw_json_number(c->ctx, c->config, "ecs_threshold", 0, 0, 1);
    const cw_option option[] = {{"padded", NULL, 1}, {"mask", NULL, 0}, {"threshold", NULL, ecs}};
    float weight[] = {1, 1, 1, 1, 1, ecs > 0 ? (float)cw_json_number(c->ctx, c->config, "ecs_weight", 0, 0, 1e6) : 0};
    cw_step_report report;
    if (!encoder_step(c, &m->model, "train", option, 3, weight, item, n, &report)) return;
    for (int i = 0; i < 6; i++) {
        snprintf(name, sizeof name, "expect.loss.%s", names[i]);
        encoder_compare(c, "losses", name, &(float){(float)report.value[i]}, 1, FORWARD);
    }
    encoder_compare(c, "losses", "expect.loss.total", &(float){(float)report.total}, 1, FORWARD);
    encoder_gradients(c, &m->model, 1e-5);
}

/* Bins of every row with the case's uniform numbers. */
static void scgpt_binning(encoder_case *c)
{
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, "binning.values");
    if (!e) return;
    int64_t rows = e->dim[0], d = e->dim[1], wrong = 0, checked = 0;
    float *x = encoder_read(c, "binning.values"), *u = encoder_read(c, "binning.rands"), *some = calloc((size_t)d, 8);
    float *want = encoder_read(c, "expect.binning.digits"), *gold = encoder_read(c, "expect.binning.edges");
    int32_t *bin = calloc((size_t)d, sizeof *bin);
    double edge[64], off = 0;
    for (int64_t r = 0; r < rows; r++) {
        int64_t n = 0, at = 0;
        for (int64_t i = 0; i < d; i++)
            if (x[r * d + i] != 0) some[n++] = x[r * d + i];
        cw_scgpt_bin(bin, some, u + r * d, n, 51, edge, some + d);
        for (int64_t i = 0; i < d; i++, checked++) wrong += want[r * d + i] != (x[r * d + i] != 0 ? (float)bin[at++] : 0);
        for (int i = 0; n && i < 50; i++) off = fmax(off, fabs(edge[i] - (double)gold[r * 50 + i]));
    }
    encoder_seen(c, "expect.binning.digits"), encoder_seen(c, "expect.binning.edges");
    encoder_seen(c, "expect.binning.tied");
    end_group();
    printf("  %-28s %lld of %lld values in the wrong bin, edges off by %.2g\n", "binning", (long long)wrong,
           (long long)checked, off);
    CHECK(wrong == 0 && checked > 0 && off < 1e-5, "%s: bins", c->dir);
    free(x), free(u), free(some), free(want), free(gold), free(bin);
}

/* Counts to the cell's vector, as the published code embeds cells. */
static void scgpt_embedding(encoder_case *c, cw_scgpt *m)
{
    if (!cw_safetensors_find(c->file, "embed.counts")) return;
    cw_array item[] = {encoder_floats(c, "embed.counts", "counts"), encoder_ints(c, "embed.gene_ids", "token"),
                       encoder_floats(c, "embed.rands", "draws")};
    const char *const query[] = {"tokens", "embed", "embed"};
    for (int i = 0; i < 3; i++) {
        const cw_option option[] = {{"unit", NULL, i == 1}};
        encoder_result got[4] = {0};
        encoder_query(c, &m->model, query[i], option, i > 0, item, 3, got);
        for (int j = 0; j < 4 && got[j].data; j++) {
            const char *want = i == 0 ? (j ? "expect.embed.values" : "expect.embed.tokens")
                               : j    ? NULL
                               : i == 1 ? "expect.embed.cell_embedding"
                                        : "expect.embed.cls";
            if (want) encoder_compare(c, i ? "embedding" : "tokens", want, got[j].data, got[j].n, FORWARD);
            free(got[j].data);
        }
    }
}

static void run_scgpt(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: scgpt, %s kernels\n", dir, c.ctx->kernels ? c.ctx->kernels->name : "no");
    cw_scgpt *m = scgpt_open(&c);
    cw_array item[8];
    if (m) {
        int64_t n = scgpt_items(&c, item);
        scgpt_binning(&c);
        scgpt_forward(&c, m, item, n);
        scgpt_gradients(&c, m, item, n);
        scgpt_embedding(&c, m);
    }
    end_group();
    encoder_close(&c, &m->model);
}

#endif
