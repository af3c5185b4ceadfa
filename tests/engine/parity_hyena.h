/* parity_hyena.h: HyenaDNA cases against the engine. The includer has `tolerance`, `compare` and `end_group`. Every expect.*
 * and grad.* of the file has to be compared. */
#ifndef CW_PARITY_HYENA_H
#define CW_PARITY_HYENA_H

#include "models/hyena/hyena.h"
#include "parity_encoder.h"

static void hyena_see(void *user, const char *name, const cw_tensor *x)
{
    char full[64];
    snprintf(full, sizeof full, "expect.%s", name);
    encoder_tensor(user, strstr(name, "layer") ? "layers" : "forward", full, x);
}

/* "id" (all tokens), "length", and "target" or "label" */
static int64_t hyena_items(encoder_case *c, cw_array *item, int64_t *length)
{
    int64_t n = 0;
    item[n] = encoder_ints(c, "input_ids", "id");
    int64_t count = item[n].dim[0];
    *length = item[n].dim[1];
    int32_t *lengths = encoder_hold(c, calloc((size_t)count + 1, sizeof *lengths));
    for (int64_t i = 0; i < count; i++) lengths[i] = (int32_t)*length;
    item[n].ndim = 1, item[n++].dim[0] = count * *length;
    item[n++] = (cw_array){.name = "length", .type = CW_ARRAY_I32, .ndim = 1, .dim = {count}, .data = lengths};
    if (cw_safetensors_find(c->file, "targets")) {
        item[n] = encoder_ints(c, "targets", "target");
        item[n].ndim = 1, item[n++].dim[0] = count * *length;
    }
    return n;
}

/* The short convolution is stored (B, channel, L). */
static void hyena_short(encoder_case *c, cw_hyena *m, int64_t layer, cw_ragged seq, int64_t L)
{
    char name[64];
    const cw_layer_hyena *l = &m->block[layer].mixer;
    snprintf(name, sizeof name, "expect.layer%lld.mixer_in", (long long)layer);
    const float *in = encoder_hold(c, encoder_read(c, name)); /* a device's copy goes by its address */
    if (!in) return;
    cw_tape *t = c->tape;
    cw_tensor *x = cw_tape_constant(t, in, seq.count * L, m->config.width);
    cw_tensor *u = cw_short_conv(t, cw_layer_linear_forward(t, x, &l->in, CW_ACT_NONE), l->short_w, l->short_b, seq);
    const float *y = cw_tape_host(t, u);
    int64_t C = u ? cw_cols(u) : 0;
    float *turned = malloc((size_t)(seq.count * L * C + 1) * sizeof *turned);
    for (int64_t i = 0; y && i < seq.count * L; i++)
        for (int64_t k = 0; k < C; k++) turned[(i / L * C + k) * L + i % L] = y[i * C + k];
    snprintf(name, sizeof name, "expect.layer%lld.short_conv", (long long)layer);
    encoder_compare(c, "short convolution", name, turned, seq.count * L * C, FORWARD);
    free(turned);
}

static void hyena_forward(encoder_case *c, cw_hyena *m, const cw_array *item, int64_t L)
{
    char name[64];
    cw_tape *t = c->tape;
    cw_observer observer = {c, hyena_see};
    int64_t count = item[1].dim[0], start[64];
    cw_tensor *filter[16];
    for (int64_t i = 0; i <= count; i++) start[i] = i * L;
    cw_ragged seq = {count, start, NULL};
    cw_tape_reset(t, 0, 0, 1, 0);
    if (cw_hyena_filters(m, t, L, filter) != CW_OK) return;
    for (int64_t i = 0; i < m->config.layers; i++) {
        snprintf(name, sizeof name, "expect.layer%lld.filter", (long long)i);
        encoder_tensor(c, "filters", name, filter[i]);
    }
    cw_tensor *hidden = cw_hyena_forward(m, t, item[0].data, seq, filter, &observer);
    cw_tensor *mean = cw_segment_sum(t, hidden, seq, 1);
    encoder_tensor(c, "forward", "expect.mean_hidden", mean);
    encoder_tensor(c, "forward", "expect.lm_logits", cw_linear(t, hidden, m->words, NULL, CW_ACT_NONE));
    if (m->config.head)
        encoder_tensor(c, "forward", "expect.class_logits", cw_layer_linear_forward(t, mean, &m->head, CW_ACT_NONE));
    for (int64_t i = 0; i < m->config.layers; i++) hyena_short(c, m, i, seq, L);
    encoder_result got[2] = {0};
    encoder_query(c, &m->model, "embed", NULL, 0, item, 2, got);
    encoder_compare(c, "embedding", "expect.mean_hidden", got[0].data, got[0].n, FORWARD);
    free(got[0].data);
}

/* total = the sum of what the case has: gradients of both tasks add up. */
static void hyena_gradients(encoder_case *c, cw_hyena *m, const cw_array *item, int64_t n)
{
    cw_step_report report = {0};
    double total = 0;
    if (cw_safetensors_find(c->file, "expect.loss.lm")) {
        if (!encoder_step(c, &m->model, "next", NULL, 0, NULL, item, n, &report)) return;
        encoder_compare(c, "losses", "expect.loss.lm", &(float){(float)report.total}, 1, FORWARD);
        total += report.total;
    }
    if (cw_safetensors_find(c->file, "expect.loss.class")) {
        cw_array with[4] = {item[0], item[1], encoder_ints(c, "labels", "label")};
        float *before = NULL;
        int64_t all = cw_params_values(&m->model.params), at = 0;
        if (total > 0) { /* the next trainer starts from zero */
            before = calloc((size_t)all + 1, sizeof *before);
            for (int64_t i = 0; i < m->model.params.count; at += cw_count(&m->model.params.item[i++]->tensor))
                if (m->model.params.item[i]->role == CW_WEIGHT)
                    cw_param_gradient(c->ctx, &m->model.params.item[i]->tensor, before + at);
        }
        if (!encoder_step(c, &m->model, "class", NULL, 0, NULL, with, 3, &report)) return;
        encoder_compare(c, "losses", "expect.loss.class", &(float){(float)report.total}, 1, FORWARD);
        total += report.total;
        at = 0;
        for (int64_t i = 0; before && i < m->model.params.count; i++) {
            cw_tensor *x = &m->model.params.item[i]->tensor;
            float *g = malloc((size_t)(cw_count(x) + 1) * sizeof *g);
            if (m->model.params.item[i]->role == CW_WEIGHT && cw_param_gradient(c->ctx, x, g) == CW_OK) {
                for (int64_t j = 0; j < cw_count(x); j++) g[j] += before[at + j];
                c->ctx->kernels->device->copy_in(c->ctx, x->grad, g, cw_count(x) * (int64_t)sizeof *g);
            }
            at += cw_count(x);
            free(g);
        }
        free(before);
    }
    encoder_compare(c, "losses", "expect.loss.total", &(float){(float)total}, 1, FORWARD);
    encoder_gradients(c, &m->model, 2e-5);
}

static void run_hyena(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: hyena, %s kernels\n", dir, c.ctx->kernels ? c.ctx->kernels->name : "no");
    const cw_option none[] = {{"embed_dropout", NULL, 0}};
    cw_hyena *m = (cw_hyena *)encoder_model(&c, &cw_hyena_class, none, 1);
    cw_array item[8];
    int64_t length;
    if (m) {
        int64_t n = hyena_items(&c, item, &length);
        hyena_forward(&c, m, item, length);
        hyena_gradients(&c, m, item, n);
    }
    end_group();
    encoder_close(&c, &m->model);
}

#endif
