/* parity_bert.h: BERT cases, and KCFM's ontology encoder, against the engine. The includer has `tolerance`, `compare` and
 * `end_group`. Every expect.* and grad.* of the file has to be compared. */
#ifndef CW_PARITY_BERT_H
#define CW_PARITY_BERT_H

#include "models/bert/bert.h"
#include "parity_encoder.h"

typedef struct {
    encoder_case *c;
    float *hidden[16]; /* hidden0 .. as they came */
} bert_view;

static void bert_see(void *user, const char *name, const cw_tensor *x)
{
    bert_view *v = user;
    char full[64];
    snprintf(full, sizeof full, "expect.%s", name);
    encoder_tensor(v->c, "hidden states", full, x);
    const float *from = cw_tape_host(v->c->tape, x);
    int64_t i = strtol(name + 6, NULL, 10), bytes = cw_count(x) * (int64_t)sizeof *from;
    if (from && i < 16) memcpy(v->hidden[i] = encoder_hold(v->c, malloc((size_t)bytes)), from, (size_t)bytes);
}

/* PREFIXinput_ids (B,L) and PREFIXattention_mask as "id", "length", "mask" behind `as`; the number of items. */
static int64_t bert_texts(encoder_case *c, cw_array *item, const char *prefix, const char *const *as)
{
    char name[80];
    int64_t n = 0;
    snprintf(name, sizeof name, "%sinput_ids", prefix);
    item[n] = encoder_ints(c, name, as[0]);
    int64_t B = item[n].dim[0], L = item[n].dim[1];
    item[n].ndim = 1, item[n++].dim[0] = B * L;
    int32_t *length = encoder_hold(c, calloc((size_t)B + 1, sizeof *length));
    for (int64_t i = 0; i < B; i++) length[i] = (int32_t)L;
    item[n++] = (cw_array){.name = as[1], .type = CW_ARRAY_I32, .ndim = 1, .dim = {B}, .data = length};
    snprintf(name, sizeof name, "%sattention_mask", prefix);
    item[n] = encoder_ints(c, name, as[2]);
    item[n].ndim = 1, item[n++].dim[0] = B * L;
    return n;
}

static const char *const bert_names[] = {"id", "length", "mask"};

static cw_status bert_rows_of(encoder_case *c, const cw_bert *m, const cw_array *item, int64_t n, const char *prefix,
                              cw_bert_rows *r)
{
    cw_inputs in = cw_model_inputs(&m->model, c->tape->arena, item, n);
    return cw_bert_read(m, c->tape, &in, prefix, r);
}

/* Probabilities of layer i, all keys; 0 for those not attended to. */
static void bert_attention(encoder_case *c, const cw_bert *m, const cw_bert_rows *r, const float *hidden, int64_t i)
{
    cw_tape *t = c->tape;
    const cw_layer_attention *l = &m->layer[i].attention;
    int64_t B = r->seq.count, L = r->seq.start[1], H = l->heads;
    char name[64];
    cw_tensor *x = cw_tape_constant(t, hidden, B * L, m->config.width);
    cw_tensor *y = r->kept ? cw_gather(t, x, r->kept, r->key.start[B]) : x;
    cw_tensor *s = cw_attention_scores(t, cw_layer_linear_forward(t, x, &l->q, CW_ACT_NONE),
                                       cw_layer_linear_forward(t, y, &l->k, CW_ACT_NONE),
                                       (cw_attend_spec){.heads = H, .query = r->seq, .key = r->key});
    const float *score = cw_tape_host(t, s);
    float *p = calloc((size_t)(B * H * L * L) + 1, sizeof *p);
    for (int64_t b = 0; score && b < B; b++) {
        int64_t from = r->key.start[b], keys = r->key.start[b + 1] - from;
        for (int64_t row = 0; row < H * L; row++, score += keys) {
            double sum = 0, most = -1e30;
            for (int64_t k = 0; k < keys; k++) most = fmax(most, (double)score[k]);
            for (int64_t k = 0; k < keys; k++) sum += exp((double)score[k] - most);
            for (int64_t k = 0; k < keys; k++) {
                int64_t at = r->kept ? r->kept[from + k] - b * L : k;
                p[(b * H * L + row) * L + at] = (float)(exp((double)score[k] - most) / sum);
            }
        }
    }
    snprintf(name, sizeof name, "expect.attention%lld", (long long)i);
    encoder_compare(c, "attention", name, p, B * H * L * L, FORWARD);
    free(p);
}

static void bert_forward(encoder_case *c, cw_bert *m, const cw_array *item, int64_t n)
{
    cw_tape *t = c->tape;
    bert_view view = {.c = c};
    cw_observer observer = {&view, bert_see};
    cw_bert_rows r;
    cw_tape_reset(t, 0, 0, 1, 0);
    if (bert_rows_of(c, m, item, n, "", &r) != CW_OK) return;
    cw_tensor *hidden = cw_bert_forward(m, t, &r, 0, &observer);
    cw_tensor *pooled = cw_bert_pool(m, t, cw_bert_first(t, hidden, &r));
    encoder_tensor(c, "heads", "expect.pooler", pooled);
    encoder_tensor(c, "heads", "expect.nsp_logits", cw_layer_linear_forward(t, pooled, &m->pair, CW_ACT_NONE));
    encoder_tensor(c, "heads", "expect.mlm_logits", cw_bert_logits(m, t, hidden));
    encoder_tensor(c, "means", "expect.mean_all", cw_bert_mean(t, hidden, &r, 1));
    encoder_tensor(c, "means", "expect.mean_masked", cw_bert_mean(t, hidden, &r, 0));
    for (int64_t i = 0; i < m->config.layers && view.hidden[i]; i++) bert_attention(c, m, &r, view.hidden[i], i);
    static const struct {
        const char *pool, *expect;
    } pools[] = {{"mean", "expect.mean_masked"}, {"meanAll", "expect.mean_all"}, {"pooler", "expect.pooler"}};
    for (int i = 0; i < 3; i++) {
        encoder_result got[1] = {{0}};
        cw_tape_reset(t, 0, 0, 1, 0);
        encoder_query(c, &m->model, "embed", &(cw_option){"pool", pools[i].pool, 0}, 1, item, n, got);
        encoder_compare(c, "embeddings", pools[i].expect, got[0].data, got[0].n, FORWARD);
        free(got[0].data);
    }
    cw_array alone[2] = {item[0], item[1]}; /* the first row without mask and types */
    encoder_result got[1] = {{0}};
    alone[0].dim[0] = ((const int32_t *)item[1].data)[0], alone[1].dim[0] = 1;
    cw_tape_reset(t, 0, 0, 1, 0);
    encoder_query(c, &m->model, "states", NULL, 0, alone, 2, got);
    encoder_compare(c, "hidden states", "expect.default.hidden", got[0].data, got[0].n, FORWARD);
    free(got[0].data);
}

static void bert_losses(encoder_case *c, cw_bert *m, cw_array *item, int64_t n)
{
    cw_step_report report = {0};
    item[n] = encoder_ints(c, "mlm_labels", "target");
    item[n].ndim = 1, item[n].dim[0] = item[0].dim[0], n++;
    item[n++] = encoder_ints(c, "nsp_labels", "next");
    if (!encoder_step(c, &m->model, "pretrain", NULL, 0, NULL, item, n, &report)) return;
    encoder_compare(c, "losses", "expect.loss.mlm", &(float){(float)report.value[0]}, 1, FORWARD);
    encoder_compare(c, "losses", "expect.loss.nsp", &(float){(float)report.value[1]}, 1, FORWARD);
    encoder_compare(c, "losses", "expect.loss.total", &(float){(float)report.total}, 1, FORWARD);
    encoder_gradients(c, &m->model, 1e-5);
}

/* ---- KCFM ---- */

/* Gradients under the names of the checkpoint. What is zero in theory (a key's bias; the last bias, which head and tail share)
 * is held against the largest of the case. */
static void kcfm_gradients(encoder_case *c, cw_bert *m)
{
    double most = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < m->model.params.count; i++) {
            cw_param *p = m->model.params.item[i];
            const char *dot = strchr(p->name, '.');
            char name[300];
            snprintf(name, sizeof name, "grad.%.*s_state%s", (int)(dot - p->name), p->name, dot);
            const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
            float *want = encoder_read(c, name), *got = calloc((size_t)(cw_count(&p->tensor) + 1), sizeof *got);
            double largest = 0;
            for (int64_t j = 0; e && j < e->count; j++) largest = fmax(largest, fabs((double)want[j]));
            if (pass == 0) most = fmax(most, largest);
            if (pass == 1 && e && cw_param_gradient(c->ctx, &p->tensor, got) == CW_OK)
                encoder_compare(c, "gradients", name, got, cw_count(&p->tensor),
                                (tolerance){1e-3, 1e-5 * (largest > 1e-6 * most ? largest : most)});
            free(want), free(got);
        }
    }
}

static void kcfm_case(encoder_case *c, cw_bert *m)
{
    static const char *const head_names[] = {"headId", "headLength", "headMask"};
    static const char *const tail_names[] = {"tailId", "tailLength", "tailMask"};
    cw_tape *t = c->tape;
    cw_array item[16];
    cw_bert_rows rows[2];
    int64_t n = bert_texts(c, item, "head.", head_names);
    n += bert_texts(c, item + n, "tail.", tail_names);
    item[n++] = encoder_floats(c, "relation", "relation");
    item[n] = encoder_ints(c, "relation_ids", "apart");
    int64_t triples = item[n].dim[0], d = m->config.projection;
    int32_t *apart = (int32_t *)(uintptr_t)item[n].data;
    for (int64_t i = 0; i < triples; i++) apart[i] = apart[i] == 1; /* disjoint_from */
    n++;
    item[n++] = encoder_ints(c, "negative_index", "negative");
    cw_step_report report = {0};
    if (encoder_step(c, &m->model, "triplet", NULL, 0, NULL, item, n, &report))
        encoder_compare(c, "losses", "expect.loss.total", &(float){(float)report.total}, 1, FORWARD);
    /* once more by hand, with the relations as something that has a gradient */
    cw_params_train_all(&m->model.params);
    cw_params_zero_grad(&m->model.params);
    cw_tape_reset(t, 1, 0, 1, 0);
    if (bert_rows_of(c, m, item, n, "head", &rows[0]) != CW_OK || bert_rows_of(c, m, item, n, "tail", &rows[1]) != CW_OK)
        return;
    cw_tensor *text[2], *pos, *neg;
    for (int i = 0; i < 2; i++)
        text[i] = cw_bert_project(m, t, cw_bert_mean(t, cw_bert_forward(m, t, &rows[i], 0, NULL), &rows[i], 1));
    cw_params free_input;
    cw_params_init(&free_input, c->ctx, 1);
    cw_tensor *relation = cw_params_add(&free_input, CW_WEIGHT, 2, (int64_t[]){triples, d}, "relation");
    cw_param_set(c->ctx, relation, item[6].data);
    cw_params_train_all(&free_input);
    float *flags = encoder_hold(c, calloc((size_t)triples + 1, sizeof *flags)), *got = calloc((size_t)(triples * d) + 1, sizeof *got);
    for (int64_t i = 0; i < triples; i++) flags[i] = (float)apart[i];
    cw_tensor *loss = cw_bert_triplet(m, t, text[0], relation, text[1], cw_tape_constant(t, flags, triples, 1),
                                      item[8].data, &pos, &neg);
    encoder_tensor(c, "texts", "expect.head", text[0]);
    encoder_tensor(c, "texts", "expect.tail", text[1]);
    encoder_tensor(c, "texts", "expect.pos_dist", pos);
    encoder_tensor(c, "texts", "expect.neg_dist", neg);
    if (cw_tape_backward(t, 1, &loss, (float[]){1.0f}) == CW_OK &&
        cw_param_gradient(c->ctx, relation, got) == CW_OK)
        encoder_compare(c, "gradients", "grad.relation", got, triples * d, (tolerance){1e-3, 1e-6});
    cw_params_mute_gradients(&m->model.params);
    kcfm_gradients(c, m);
    free(got);
    cw_params_free(&free_input);
}

static void run_bert(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    int kcfm = cw_json_has(c.config, "projection");
    printf("%s: %s, %s kernels\n", dir, kcfm ? "bert with projection" : "bert", c.ctx->kernels ? c.ctx->kernels->name : "no");
    const cw_option heads[] = {{"pooler", NULL, 1}, {"mlm_head", NULL, !kcfm}, {"nsp_head", NULL, !kcfm},
                               {"hidden_dropout_prob", NULL, 0}};
    cw_bert *m = (cw_bert *)encoder_model(&c, &cw_bert_class, heads, 4);
    if (m && kcfm) {
        kcfm_case(&c, m);
    } else if (m) {
        cw_array item[8];
        int64_t n = bert_texts(&c, item, "", bert_names);
        item[n] = encoder_ints(&c, "token_type_ids", "type");
        item[n].ndim = 1, item[n].dim[0] = item[0].dim[0], n++;
        bert_forward(&c, m, item, n);
        bert_losses(&c, m, item, n);
    }
    end_group();
    encoder_close(&c, &m->model);
}

#endif
