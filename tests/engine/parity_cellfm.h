/* parity_cellfm.h: CellFM cases against the engine: both variants, annotation, preparation of counts. The includer has
 * `tolerance`, `compare` and `end_group`. Every expect.* and grad.* of the file has to be compared. */
#ifndef CW_PARITY_CELLFM_H
#define CW_PARITY_CELLFM_H

#include "models/cellfm/cellfm.h"
#include "parity_encoder.h"

static void cellfm_see(void *user, const char *name, const cw_tensor *x)
{
    encoder_case *c = user;
    char full[64];
    snprintf(full, sizeof full, "expect.%s", name);
    encoder_tensor(c, "forward", full, x);
}

static int64_t cellfm_items(encoder_case *c, cw_array *item)
{
    static const struct {
        const char *name, *as;
        int integer;
    } of[] = {{"nonz_gene", "gene", 1},   {"masked_nzdata", "data", 0}, {"dw_nzdata", "data", 0}, {"nonz_data", "value", 0},
              {"zero_idx", "zero", 0},    {"raw_nzdata", "raw", 0},     {"mask_gene", "mask", 0}, {"label", "label", 1},
              {"cls_weight", "classWeight", 0}, {"ST_feat", "depth", 0}}; /* depth last: evaluation goes without */
    int64_t n = 0;
    for (size_t i = 0; i < sizeof of / sizeof of[0]; i++) {
        if (!cw_safetensors_find(c->file, of[i].name)) continue;
        item[n++] = of[i].integer ? encoder_ints(c, of[i].name, of[i].as) : encoder_floats(c, of[i].name, of[i].as);
    }
    return n;
}

static cw_status cellfm_batch(encoder_case *c, cw_cellfm *m, const cw_array *item, int64_t n, cw_cellfm_batch *b)
{
    const cw_cellfm_reading how = {.most = 1 << 20, .hide = 1};
    cw_inputs in = cw_model_inputs(&m->model, c->tape->arena, item, n);
    int64_t columns;
    cw_tape_reset(c->tape, 0, 0, 1, 0);
    return cw_cellfm_batch_read(&m->config, c->tape, &in, &how, b, &columns);
}

static void cellfm_decoders(encoder_case *c, cw_cellfm *m, const cw_cellfm_batch *b, const cw_cellfm_output *y,
                            const char *prefix)
{
    cw_tape *t = c->tape;
    int64_t n = b->genes.start[b->cells];
    char name[64];
    if (!m->config.decoders) return;
#define SHOW(what, x) (snprintf(name, sizeof name, "expect.%s%s", prefix, what), encoder_tensor(c, "decoders", name, x))
    SHOW("gw_pred", cw_cellfm_gene_values(m, t, y, b->gene_row, n));
    SHOW("cw_pred", cw_cellfm_cell_values(m, t, y, b, b->gene_row, n));
    if (!cw_cellfm_tells_zeros(&m->config)) return;
    SHOW("z_prob1", cw_activate(t, cw_cellfm_gene_zeros(m, t, y, b->gene_row, n), CW_ACT_SIGMOID));
    SHOW("z_prob2", cw_activate(t, cw_cellfm_cell_zeros(m, t, y, b, b->gene_row, n), CW_ACT_SIGMOID));
#undef SHOW
}

/* Ranks of the golden scores are the golden ranks; the engine's differ by no more than scores within 1e-6 can tell. */
static void cellfm_ranks(encoder_case *c, int64_t heads, int64_t cells, int64_t n, const float *got)
{
    float *score = encoder_read(c, "expect.attention"), *want = encoder_read(c, "expect.attention_rank");
    float *rank = calloc((size_t)(cells * n + 1), sizeof *rank);
    int64_t wrong = 0;
    for (int64_t b = 0; score && want && got && b < cells; b++) {
        const float *of = score + b * heads * n;
        cw_cellfm_ranks(c->ctx, rank + b * n, of, heads, n);
        for (int64_t i = 0; i < n; i++) {
            int64_t near = 0;
            for (int64_t h = 0; h < heads; h++)
                for (int64_t j = 0; j < n; j++)
                    near += j != i && of[h * n + i] != 0 && fabsf(of[h * n + i] - of[h * n + j]) < 1e-6f;
            double most = (double)near / (double)(heads * n) + 1e-5;
            wrong += !(fabs((double)got[b * n + i] - want[b * n + i]) <= most);
        }
    }
    encoder_compare(c, "attention", "expect.attention_rank", rank, cells * n, FORWARD);
    CHECK(got && wrong == 0, "%s: %lld ranks differ", c->dir, (long long)wrong);
    free(score), free(want), free(rank);
}

static void cellfm_attention(encoder_case *c, cw_cellfm *m, const cw_array *item, int64_t n)
{
    cw_cellfm_batch b;
    if (cellfm_batch(c, m, item, n, &b) != CW_OK) return;
    encoder_tensor(c, "attention", "expect.attention", cw_cellfm_attention(m, c->tape, &b, 1));
    encoder_result got[1] = {{0}};
    encoder_query(c, &m->model, "attention", NULL, 0, item, n < 3 ? n : 3, got);
    cellfm_ranks(c, m->config.heads, b.cells, b.length, got[0].data);
    free(got[0].data);
}

static void cellfm_forward(encoder_case *c, cw_cellfm *m, const cw_array *item, int64_t n)
{
    cw_observer observer = {c, cellfm_see};
    cw_cellfm_batch b;
    cw_tensor *by_query, *by_cell;
    if (cellfm_batch(c, m, item, n, &b) != CW_OK) return;
    cw_cellfm_output y = cw_cellfm_forward(m, c->tape, &b, m->config.layers, NULL, &observer);
    if (cw_safetensors_find(c->file, "expect.len_scale")) {
        float scale[1024];
        for (int64_t i = 0; i < b.cells && i < 1024; i++) scale[i] = b.scale[b.seq.start[i]];
        encoder_compare(c, "forward", "expect.len_scale", scale, b.cells, FORWARD);
    }
    cellfm_decoders(c, m, &b, &y, "");
    if (m->cluster) cw_cellfm_labels(m, c->tape, &y, &b, &by_query, &by_cell, &observer);
    if (m->config.variant != CW_CELLFM_FINETUNE) return;
    if (cellfm_batch(c, m, item, n - 1, &b) != CW_OK) return;
    y = cw_cellfm_forward(m, c->tape, &b, m->config.layers, NULL, NULL);
    encoder_tensor(c, "evaluation", "expect.eval.encoder_out", y.hidden);
    cellfm_decoders(c, m, &b, &y, "eval.");
}

static void cellfm_losses(encoder_case *c, const char *prefix, const cw_step_report *report, int first, int count)
{
    static const char *const name[] = {"gw_mse", "cw_mse", "gw_bce", "cw_bce", "ecs", "gw_nll", "cw_nll", "", "query", "cls"};
    for (int i = 0; i < count; i++) {
        char full[64];
        snprintf(full, sizeof full, "expect.%sloss.%s", prefix, name[first + i]);
        if (cw_safetensors_find(c->file, full))
            encoder_compare(c, "losses", full, &(float){(float)report->value[i]}, 1, FORWARD);
    }
}

static void cellfm_gradients(encoder_case *c, cw_cellfm *m, const cw_array *item, int64_t n)
{
    double threshold = cw_json_number(c->ctx, c->config, "ecs_threshold", 0.8, 0, 1);
    const cw_option option[] = {{"threshold", NULL, threshold}};
    int own = m->config.variant == CW_CELLFM_ANNOTATE, ecs = cw_safetensors_find(c->file, "expect.loss.ecs") != NULL;
    const float weight[] = {1, 1, 1, 1, (float)ecs, 1, 1, 0};
    cw_step_report report;
    if (m->config.variant == CW_CELLFM_FINETUNE &&
        encoder_step(c, &m->model, "train", option, 1, weight, item, n - 1, &report))
        cellfm_losses(c, "eval.", &report, 0, 7);
    cw_params_zero_grad(&m->model.params);
    if (!encoder_step(c, &m->model, own ? "annotate" : "train", option, !own, weight, item, n, &report)) return;
    cellfm_losses(c, "", &report, own ? 8 : 0, own ? 2 : 7);
    encoder_compare(c, "losses", "expect.loss.total", &(float){(float)report.total}, 1, FORWARD);
    encoder_gradients(c, &m->model, 1e-5);
}

/* Every pair of the encoder's layers folded in; the model without pairs says the same. */
static void cellfm_merged(encoder_case *c, cw_cellfm *m, const cw_array *item, int64_t n)
{
    if (m->config.lora == 0) return;
    for (int64_t i = 0; i < m->config.layers; i++) {
        cw_layer_retention *a = &m->layer[i].attention;
        cw_cellfm_glu *f = &m->layer[i].ffn;
        cw_layer_linear *all[] = {&a->q, &a->k, &a->v, &a->u, &a->o, &f->u, &f->v, &f->o};
        for (int j = 0; j < 8; j++) {
            char name[200];
            cw_layer_linear_merge(c->ctx, all[j], 1);
            snprintf(name, sizeof name, "expect.merged.%s", cw_param_of(all[j]->w)->name);
            encoder_compare(c, "merged", name, cw_param_host(c->ctx, all[j]->w), cw_count(all[j]->w), FORWARD);
            all[j]->down = all[j]->up = NULL;
        }
    }
    end_group();
    cellfm_forward(c, m, item, n);
}

static cw_cellfm *cellfm_again(encoder_case *c, const char *setting, const char *file)
{
    int64_t n;
    char path[4096];
    const char *const of[] = {"model.safetensors", file};
    cw_option *option = cw_json_options(c->ctx, c->config, &n), *all = calloc((size_t)(n + 1), sizeof *all);
    for (int64_t i = 0; i < n; i++) all[i] = option[i];
    all[n] = (cw_option){setting, NULL, 1};
    cw_model *m = option ? cw_model_make(c->ctx, &cw_cellfm_class, all, n + 1, 0, 7) : NULL;
    for (int i = 0; m && i < 2 && of[i]; i++) {
        cw_load_report report;
        snprintf(path, sizeof path, "%s/%s", c->dir, of[i]);
        cw_params_load(&m->params, path, cw_cellfm_rules, i ? "cls.*" : NULL, &report);
        CHECK(report.misshapen == 0 && (i == 0 || report.missing == 0), "%s: %s", c->dir, of[i]);
        cw_load_report_free(&report);
    }
    free(all), cw_free(c->ctx, option);
    return (cw_cellfm *)m;
}

/* The port's pairs behind output projections. */
static void cellfm_after(encoder_case *c, const cw_array *item, int64_t n)
{
    cw_cellfm_batch b;
    if (!cw_safetensors_find(c->file, "expect.eval_lora_after_o.encoder_out")) return;
    cw_cellfm *m = cellfm_again(c, "lora_after", NULL);
    if (m && cellfm_batch(c, m, item, n - 1, &b) == CW_OK)
        encoder_tensor(c, "pairs behind", "expect.eval_lora_after_o.encoder_out",
                       cw_cellfm_forward(m, c->tape, &b, m->config.layers, NULL, NULL).hidden);
    cw_model_free(&m->model);
}

/* On the golden cell rows, which the case's head was computed on: losses' gradients magnify what rows differ in. */
static cw_tensor *cellfm_logits(encoder_case *c, cw_cellfm *m, cw_tensor *rows, int training, const char *name)
{
    cw_tape_reset(c->tape, training, training, 1, 0);
    const cw_cellfm_output y = {.cell = rows};
    cw_tensor *logits = cw_cellfm_head(m, c->tape, &y);
    encoder_tensor(c, "class head", name, logits);
    return logits;
}

/* The port's class head: with the buffers as they were, then a step with its loss alone; in a batch, the loss again. */
static void cellfm_head(encoder_case *c, const cw_array *item, int64_t n)
{
    if (!cw_safetensors_find(c->file, "expect.loss.cls_head")) return;
    cw_cellfm *m = cellfm_again(c, "cls_head", "cls_head.safetensors");
    if (!m) return;
    const float weight[] = {0, 0, 0, 0, 0, 0, 0, 1};
    cw_array more[16], label = encoder_ints(c, "feat", "label");
    cw_step_report report;
    int64_t cells = label.dim[0], d = m->config.width;
    float *token = encoder_read(c, "expect.cls_token"), *gradient = malloc((size_t)(cells * d + 1) * sizeof *gradient);
    cw_params store;
    cw_tensor *rows = encoder_leaf(c, &store, token, cells, d);
    const cw_layer_norm *norm = &m->head.step[0].before;
    for (int64_t i = 0; i < n; i++) more[i] = item[i];
    more[n] = label;
    cellfm_logits(c, m, rows, 0, "expect.cls_head.eval_logits");
    cw_params_train_all(&m->model.params);
    cw_params_zero_grad(&m->model.params);
    cw_tensor *logits = cellfm_logits(c, m, rows, 1, "expect.cls_head.train_logits");
    cw_tensor *loss = cw_cross_entropy_loss(c->tape, logits, label.data);
    cw_tape_backward(c->tape, 1, &loss, &(float){1});
    cw_params_mute_gradients(&m->model.params);
    encoder_gradients_of(c, &m->model, "grad_cls_head.", "cls.*", 1e-5);
    if (rows && cw_param_gradient(c->ctx, rows, gradient) == CW_OK)
        encoder_compare(c, "gradients", "grad_cls_head.cls_token", gradient, cells * d, (tolerance){1e-3, 1e-5});
    encoder_compare(c, "class head", "expect.cls_head.running_mean", cw_param_host(c->ctx, norm->mean), 128, FORWARD);
    encoder_compare(c, "class head", "expect.cls_head.running_var", cw_param_host(c->ctx, norm->var), 128, FORWARD);
    if (encoder_step(c, &m->model, "train", NULL, 0, weight, more, n + 1, &report))
        encoder_compare(c, "class head", "expect.loss.cls_head", &(float){(float)report.total}, 1, FORWARD);
    free(token), free(gradient);
    cw_params_free(&store);
    cw_model_free(&m->model);
}

static void run_cellfm(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    int own = c.config && !cw_json_has(c.config, "variant");
    printf("%s: cellfm%s, %s kernels\n", dir, own ? ", annotation" : "", c.ctx->kernels ? c.ctx->kernels->name : "no");
    const cw_option more[] = {{"enc_dropout", NULL, 0}, {"variant", "annotation", 0}};
    cw_cellfm *m = (cw_cellfm *)encoder_model(&c, &cw_cellfm_class, more, own ? 2 : 1);
    cw_array item[16];
    if (m) {
        int64_t n = cellfm_items(&c, item);
        cellfm_forward(&c, m, item, n);
        if (own) cellfm_attention(&c, m, item, n);
        cellfm_gradients(&c, m, item, n);
        cellfm_after(&c, item, n);
        cellfm_head(&c, item, n);
        cellfm_merged(&c, m, item, n);
    }
    end_group();
    encoder_close(&c, m ? &m->model : NULL);
}

/* ---- preparation of counts, with the case's draws ---- */

static void cellfm_prepare(encoder_case *c, const char *part, int two)
{
    static const char *const want[] = {"gene", NULL, NULL, "raw", "mask_gene", "zero_idx", "nonz"};
    const cw_option make[] = {{"n_genes", NULL, 1000}, {"enc_dims", NULL, 2}, {"enc_nlayers", NULL, 1},
                              {"enc_num_heads", NULL, 1}, {"variant", two ? "finetune" : "pretrain", 0}};
    int64_t most = cw_json_int(c->ctx, c->config, "pad_len", 1, 1, 1 << 20), n = 0;
    double share = cw_json_number(c->ctx, c->config, "mask_ratio", 0, 0, 1);
    const cw_option option[] = {{"maxLength", NULL, (double)most},
                                {"mask", NULL, share},
                                {"hideAll", NULL, cw_json_bool(c->ctx, c->config, "random", 0)},
                                {"hide", NULL, 1}};
    cw_model *m = cw_model_make(c->ctx, &cw_cellfm_class, make, 5, 1, 1);
    cw_array item[4];
    char name[80];
    static const char *const from[] = {"prep.%s.counts", "prep.%s.gene", "draw.%s.order", "draw.%s.permutation"};
    static const char *const as[] = {"counts", "token", "order", "permutation"};
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, from[i], part);
        if (!cw_safetensors_find(c->file, name)) continue;
        item[n] = i ? encoder_ints(c, name, as[i]) : encoder_floats(c, name, as[i]);
        if (i != 1) item[n].ndim = 2, item[n].dim[1] = item[n].dim[0], item[n].dim[0] = 1;
        n++;
    }
    encoder_result got[8] = {{0}};
    float *padded = calloc((size_t)(2 * most + 2), sizeof *padded);
    if (m) encoder_query(c, m, "tokens", option, 4, item, n, got);
    for (int k = 0; k < 7 && got[k].data; k++) {
        if (!want[k]) continue;
        snprintf(name, sizeof name, "expect.%s.%s", part, want[k]);
        const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
        int64_t ahead = e && k == 5 ? e->count - most : 0; /* zero_idx may have the cls slot in front */
        for (int64_t i = 0; i < most + ahead; i++)
            padded[i] = i < ahead ? 1 : i - ahead < got[k].n ? got[k].data[i - ahead] : 0;
        encoder_compare(c, part, name, padded, k == 6 ? got[k].n : most + ahead, FORWARD);
        if (k != 3) continue;
        snprintf(name, sizeof name, "expect.%s.normalised", part);
        encoder_compare(c, part, name, padded, got[k].n, FORWARD);
    }
    for (int64_t i = 0; got[2].data && i < most; i++) {
        padded[2 * i] = i < got[2].n ? got[2].data[i] : 0;
        padded[2 * i + 1] = i < got[1].n ? got[1].data[i] : 0;
    }
    snprintf(name, sizeof name, "expect.%s.masked", part);
    encoder_compare(c, part, name, padded, 2 * most, FORWARD);
    if (two) { /* of totals that the case gives: its own draw */
        float *totals = encoder_read(c, "expect.st.S_T"), depth[2];
        cw_cellfm_depth(depth, (double)totals[0], (double)totals[1]);
        encoder_compare(c, part, "expect.st.ST_feat", depth, 2, FORWARD);
        free(totals);
    }
    for (int k = 0; k < 8; k++) free(got[k].data);
    free(padded);
    cw_model_free(m);
}

static void run_cellfm_data(const char *dir, const char *kernels, int threads)
{
    /* steps that R takes (tests/testthat/test-preprocess-cellfm.R), and inner results that the rest follows from */
    static const char *const other[] = {"expect.cap", "expect.recover", "expect.base.expressed", "expect.base.sample_p",
                                        "expect.st.S_T", "expect.st.expressed", "expect.st.sample_p"};
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: cellfm, preparation\n", dir);
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++) encoder_seen(&c, other[i]);
    cellfm_prepare(&c, "base", 0);
    cellfm_prepare(&c, "st", 1);
    end_group();
    encoder_close(&c, NULL);
}

#endif
