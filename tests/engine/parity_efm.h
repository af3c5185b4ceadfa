/* parity_efm.h: EFM cases against the engine. The includer has `tolerance`, `compare` and `end_group`. Every expect.* and
 * grad.* of the file has to be compared. */
#ifndef CW_PARITY_EFM_H
#define CW_PARITY_EFM_H

#include "models/efm/efm.h"
#include "parity_encoder.h"

static cw_efm *efm_open(encoder_case *c)
{
    int64_t n, words = 1;
    char path[4096];
    const cw_option none[] = {{"vocab", NULL, 0}, {"conditions", NULL, 0}, {"pad", NULL, 0}, {"efm.cond_dropout", NULL, 0},
                              {"efm.out_dropout", NULL, 0}, {"efm.backbone_mlp_dropout", NULL, 0},
                              {"efm.head_dropout", NULL, 0}};
    enum { MORE = sizeof none / sizeof none[0] };
    cw_safetensors *weights = cw_safetensors_open(c->ctx, find(path, sizeof path, c->dir, "models/efm", "efm_model.safetensors"));
    cw_option *option = c->config ? cw_json_options(c->ctx, c->config, &n) : NULL;
    cw_vocab *vocab = cw_vocab_read(c->ctx, find(path, sizeof path, c->dir, "tokenizer", "vocab.json"));
    cw_efm *m = NULL;
    if (weights && option && vocab) {
        cw_option *all = calloc((size_t)n + MORE, sizeof *all);
        for (int64_t i = 0; i < cw_safetensors_count(weights); i++) {
            const cw_safetensors_entry *e = cw_safetensors_at(weights, i);
            if (strstr(e->name, "condition_embedding.cond_embedding.weight")) words = e->dim[0];
        }
        memcpy(all, option, (size_t)n * sizeof *all);
        memcpy(all + n, none, sizeof none);
        all[n].number = (double)cw_vocab_size(vocab), all[n + 1].number = (double)words;
        all[n + 2].number = (double)cw_vocab_pad(vocab);
        m = (cw_efm *)cw_model_make(c->ctx, &cw_efm_class, all, n + MORE, 0, 7);
        free(all);
    }
    if (m) {
        cw_load_report report;
        cw_params_load(&m->model.params, find(path, sizeof path, c->dir, "models/efm", "efm_model.safetensors"),
                       cw_efm_class.rules, NULL, &report);
        CHECK(report.missing + report.unexpected + report.misshapen == 0, "%s: weights that don't fit", c->dir);
        cw_load_report_free(&report);
    }
    cw_vocab_free(vocab);
    cw_free(c->ctx, option);
    cw_safetensors_close(weights);
    return m;
}

static int64_t efm_items(encoder_case *c, cw_array *item)
{
    int64_t n = 0;
    item[n++] = encoder_ints(c, "input_ids", "ids"), item[n++] = encoder_floats(c, "expression_values", "values");
    item[n++] = encoder_ints(c, "condition_ids", "conditions"), item[n++] = encoder_ints(c, "non_tf_mask", "nonTF");
    item[n++] = encoder_ints(c, "positions", "order");
    if (cw_safetensors_find(c->file, "padding_mask")) item[n++] = encoder_ints(c, "padding_mask", "padding");
    return n;
}

/* Compares where the case has a valid place: x (cells, slots, d) against expect.`name`. */
static void efm_compare(encoder_case *c, const char *group, const char *name, float *x, int64_t count, const float *valid)
{
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
    int64_t slots = cw_safetensors_find(c->file, "expect.valid")->count;
    if (!e || !x) return;
    float *want = encoder_read(c, name);
    int64_t d = e->count / slots;
    for (int64_t i = 0; i < slots && count == e->count; i++)
        for (int64_t k = 0; k < d && !valid[i]; k++) x[i * d + k] = want[i * d + k]; /* nothing is promised there */
    encoder_compare(c, group, name, x, count, FORWARD);
    free(want);
}

/* x (cells, genes, d), genes as given, in the order of reading */
static float *efm_turned(const cw_array *order, const float *x, int64_t n, int64_t d)
{
    const int32_t *at = order->data;
    int64_t genes = order->dim[1];
    float *y = calloc((size_t)n + 1, sizeof *y);
    for (int64_t i = 0; i < n / d; i++)
        memcpy(y + i * d, x + (i / genes * genes + at[i]) * d, (size_t)d * sizeof *y);
    return y;
}

static void run_efm(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open_at(&c, dir, "models/efm/efm_config.json", kernels, threads)) return;
    printf("%s: efm, %s kernels\n", dir, c.ctx->kernels ? c.ctx->kernels->name : "no");
    cw_efm *m = efm_open(&c);
    cw_array item[8];
    if (m) {
        int64_t n = efm_items(&c, item), d = m->config.trunk.embed_dim;
        float *valid = encoder_hold(&c, encoder_read(&c, "expect.valid"));
        encoder_seen(&c, "expect.valid");
        static const char *const traced[] = {"expect.hidden", "expect.id_logits", "expect.expression_pred",
                                             "expect.target_ids", "expect.target_expression"};
        encoder_result got[8] = {0};
        encoder_query(&c, &m->model, "trace", NULL, 0, item, n, got);
        for (int i = 0; i < 5; i++) {
            efm_compare(&c, i < 3 ? "forward" : "targets", traced[i], got[i].data, got[i].n, valid);
            free(got[i].data);
        }
        memset(got, 0, sizeof got);
        encoder_query(&c, &m->model, "embed", (cw_option[]){{"genes", NULL, 1}}, 1, item, n, got);
        encoder_compare(&c, "embeddings", "expect.cell_embedding", got[0].data, got[0].n, FORWARD);
        if (got[1].data) {
            float *turned = efm_turned(&item[4], got[1].data, got[1].n, d);
            encoder_compare(&c, "embeddings", "expect.gene_embeddings", turned, got[1].n, FORWARD);
            free(turned);
        }
        free(got[0].data), free(got[1].data);
        if (cw_safetensors_find(c.file, "expect.incremental.expression")) {
            memset(got, 0, sizeof got);
            encoder_query(&c, &m->model, "generate", NULL, 0, item, n, got);
            if (got[0].data) {
                float *turned = efm_turned(&item[4], got[0].data, got[0].n, 1);
                encoder_compare(&c, "decoding", "expect.incremental.expression", turned, got[0].n, FORWARD);
                free(turned);
            }
            free(got[0].data);
        }
        cw_step_report report;
        if (encoder_step(&c, &m->model, "pretrain", NULL, 0, (float[]){1, 0.5f}, item, n, &report)) {
            encoder_compare(&c, "losses", "expect.loss.id", &(float){(float)report.value[0]}, 1, FORWARD);
            encoder_compare(&c, "losses", "expect.loss.exp", &(float){(float)report.value[1]}, 1, FORWARD);
            encoder_compare(&c, "losses", "expect.loss.total", &(float){(float)report.total}, 1, FORWARD);
            encoder_gradients(&c, &m->model, 1e-5);
        }
    }
    end_group();
    encoder_close(&c, m ? &m->model : NULL);
}

#endif
