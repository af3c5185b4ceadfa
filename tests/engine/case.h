/* case.h: a case folder (published package layout + case.safetensors) read through the engine; for parity and bench. */
#ifndef CW_CASE_H
#define CW_CASE_H

#include <sys/stat.h>

#include "autodiff/ops.h"
#include "core/threads.h"
#include "train/checkpoint.h"
#include "io/csv.h"
#include "io/vocab.h"
#include "kernels/guard/guard.h"
#include "test.h"
#include "sfm_run.h"
#include "train/checkpoint.h"

/* ---- one case ---- */

typedef struct {
    const char *dir;
    cw_ctx *ctx;
    cw_tape *tape;
    cw_safetensors *file, *train;
    cw_sfm *model;
    cw_vocab *vocab;
    cw_sccafm_input input;
    cw_sccafm_batch batch;
    uint64_t *pairs;
    int64_t n_pairs;
    double prior_weight, lambda_dag, lambda_sparsity, positive, negative;
    int64_t prior_top;
    char assumed[256]; /* numbers that no file of the case says, with the values taken; "" for none */
} sfm_case;

static int exists(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0;
}

/* The first of "dir/sub/name" that is there: the structured layout, then models/, then the root. NULL: none. */
static const char *find(char *path, size_t size, const char *dir, const char *structured, const char *name)
{
    const char *const places[] = {structured, "models", "."};
    for (int i = 0; i < 3; i++) {
        snprintf(path, size, "%s/%s/%s", dir, places[i], name);
        if (exists(path)) return path;
    }
    return NULL;
}

/* The tensor `name` of the case as new float / int32 / byte memory; NULL when absent or unreadable. */
static const cw_safetensors_entry *entry(const sfm_case *c, const char *name) { return cw_safetensors_find(c->file, name); }
static float *floats(const sfm_case *c, const cw_safetensors_entry *e)
{
    float *x = e ? malloc((size_t)(e->count + 1) * sizeof *x) : NULL;
    if (x) cw_safetensors_read_f32(c->ctx, x, e);
    return x;
}
static int32_t *ints(const sfm_case *c, const char *name)
{
    const cw_safetensors_entry *e = entry(c, name);
    int32_t *x = e ? malloc((size_t)(e->count + 1) * sizeof *x) : NULL;
    if (x) cw_safetensors_read_i32(c->ctx, x, e);
    return x;
}
static uint8_t *bytes(const sfm_case *c, const char *name)
{
    const cw_safetensors_entry *e = entry(c, name);
    uint8_t *x = e ? malloc((size_t)(e->count + 1)) : NULL;
    if (x) cw_safetensors_read_u8(c->ctx, x, e);
    return x;
}

/* A number that follows `word` in `text`, else the fallback. */
static double number_after(const char *text, const char *word, double fallback)
{
    const char *at = text ? strstr(text, word) : NULL;
    double x;
    return at && sscanf(at + strlen(word), "%lf", &x) == 1 ? x : fallback;
}

static char *read_text(const char *dir, const char *name)
{
    char path[4096], *text;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    text = calloc(1, 65536);
    if (text && fread(text, 1, 65535, f) == 0) text[0] = 0;
    fclose(f);
    return text;
}

static int by_key(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void read_prior(sfm_case *c)
{
    char path[4096];
    if (!find(path, sizeof path, c->dir, "resources", "OmniPath.csv")) return;
    cw_csv *csv = cw_csv_read(c->ctx, path);
    if (!csv) return;
    int64_t from = cw_csv_find(csv, "Gene1"), to = cw_csv_find(csv, "Gene2");
    c->pairs = calloc((size_t)cw_csv_rows(csv) + 1, sizeof *c->pairs);
    for (int64_t i = 0; from >= 0 && to >= 0 && i < cw_csv_rows(csv); i++) {
        int32_t a = cw_vocab_lookup(c->vocab, cw_csv_cell(csv, i, from)), b = cw_vocab_lookup(c->vocab, cw_csv_cell(csv, i, to));
        if (a >= 0 && b >= 0) c->pairs[c->n_pairs++] = (uint64_t)(uint32_t)a << 32 | (uint32_t)b;
    }
    qsort(c->pairs, (size_t)c->n_pairs, sizeof *c->pairs, by_key);
    cw_csv_free(csv);
}

/* x, or where it is NaN, as of what no file says, the fallback, which is noted. */
static double or_assume(sfm_case *c, const char *name, double x, double fallback)
{
    if (!isnan(x)) return x;
    size_t n = strlen(c->assumed);
    snprintf(c->assumed + n, sizeof c->assumed - n, "%s%s %g", n ? ", " : "", name, fallback);
    return fallback;
}

/* Weights of the losses: from the files' own words, where they say them. */
static void read_words(sfm_case *c)
{
    char *readme = read_text(c->dir, "README.md");
    const char *what = c->train ? cw_safetensors_metadata(c->train, "what") : NULL;
    const char *words = what ? what : readme;
    double unsaid = (double)NAN;
    c->assumed[0] = 0;
    c->prior_weight = or_assume(c, "weight of the prior loss",
        number_after(words, "elbo+", number_after(readme, "elbo + ", unsaid)), 20);
    c->positive = or_assume(c, "weight of known edges", number_after(words, "pos ", unsaid), 5);
    c->negative = or_assume(c, "weight of other edges", number_after(words, "neg ", unsaid), 0.1);
    double top = number_after(words, "topk ", number_after(readme, "top ", unsaid));
    if (readme && what == NULL) top = number_after(strstr(readme, "neg "), "top ", top);
    c->prior_top = (int64_t)or_assume(c, "edges of the prior loss", top, 512);
    c->lambda_dag = number_after(readme, "dag lambda ", 1);
    c->lambda_sparsity = number_after(readme, "sparsity lambda ", number_after(what, "+dag+", 0.001));
    free(readme);
}

static int new_model(sfm_case *c)
{
    char path[4096];
    cw_sfm_config config = {0};
    cw_json *json = cw_json_read_file(c->ctx, find(path, sizeof path, c->dir, "models/sfm", "sfm_config.json"));
    if (!json) return 0;
    int64_t n;
    char why[256];
    cw_option *option = cw_json_options(c->ctx, json, &n);
    const cw_option sizes[] = {{"vocab", NULL, 1}, {"conditions", NULL, 1}, {"pad", NULL, 0}}; /* set below */
    cw_option *all = malloc((size_t)(n + 3) * sizeof *all);
    for (int64_t i = 0; i < n; i++) all[i] = option[i];
    for (int i = 0; i < 3; i++) all[n + i] = sizes[i];
    if (cw_settings_fill(cw_sfm_settings, &config, all, n + 3, 0, why, sizeof why) != CW_OK)
        cw_fail(c->ctx, CW_ERR_FORMAT, "%s", why);
    free(all), cw_free(c->ctx, option), cw_json_free(json);
    /* golden values are without dropout, whatever rates the model is to be trained with */
    config.trunk.cond_dropout = config.trunk.out_dropout = config.trunk.mlp_dropout = config.router_dropout = config.vgae_dropout = 0;
    config.trunk.vocab = cw_vocab_size(c->vocab);
    config.trunk.pad = cw_vocab_pad(c->vocab);
    if (!find(path, sizeof path, c->dir, "models/sfm", "sfm_model.safetensors")) {
        cw_fail(c->ctx, CW_ERR_IO, "no sfm_model.safetensors");
        return 0;
    }
    cw_safetensors *weights = cw_safetensors_open(c->ctx, path);
    const cw_safetensors_entry *cond = NULL;
    for (int64_t i = 0; weights && i < cw_safetensors_count(weights); i++)
        if (strstr(cw_safetensors_at(weights, i)->name, "condition_embedding.cond_embedding.weight"))
            cond = cw_safetensors_at(weights, i);
    config.trunk.conditions = cond && cond->ndim == 2 ? cond->dim[0] : 1;
    cw_safetensors_close(weights);
    c->model = sfm_new(c->ctx, &config, 7);
    if (!c->model) return 0;
    cw_load_report report;
    cw_params_load(&c->model->model.params, path, cw_sfm_class.rules, NULL, &report);
    for (int64_t i = 0; i < report.missing; i++) printf("  missing %s\n", report.missing_name[i]);
    for (int64_t i = 0; i < report.unexpected; i++) printf("  unexpected %s\n", report.unexpected_name[i]);
    for (int64_t i = 0; i < report.misshapen; i++) printf("  misshapen %s\n", report.misshapen_text[i]);
    CHECK(report.missing + report.misshapen == 0, "%s: weights that don't fit", c->dir);
    cw_load_report_free(&report);
    return c->ctx->status == CW_OK;
}

static int read_input(sfm_case *c)
{
    const cw_safetensors_entry *x = entry(c, "expression_values");
    if (!x || x->ndim != 2) {
        cw_fail(c->ctx, CW_ERR_FORMAT, "no expression_values (C, G)");
        return 0;
    }
    c->input = (cw_sccafm_input){.cells = x->dim[0], .genes = x->dim[1], .ids = ints(c, "input_ids"),
                              .values = floats(c, x), .condition = ints(c, "condition_ids"),
                              .non_tf = bytes(c, "non_tf_mask"), .padding = bytes(c, "padding_mask"),
                              .eps = floats(c, entry(c, "vgae.eps"))};
    if (!c->input.ids || !c->input.condition || !c->input.non_tf) cw_fail(c->ctx, CW_ERR_FORMAT, "inputs are missing");
    return c->ctx->status == CW_OK;
}

static void free_input(cw_sccafm_input *in)
{
    free((void *)in->ids), free((void *)in->values), free((void *)in->condition), free((void *)in->non_tf);
    free((void *)in->padding), free((void *)in->eps);
}

static sfm_options options_of(const sfm_case *c)
{
    return (sfm_options){.lr = 1e-4f, .beta1 = 0.9f, .beta2 = 0.95f, .eps = 1e-8f, .weight_decay = 0.05f, .clip = 1.0f,
        .total_steps = 1, .warmup_steps = 0, .min_lr_ratio = 0.1f, .regularizer_start = 0,
        .lambda_dag = (float)c->lambda_dag, .lambda_sparsity = (float)c->lambda_sparsity,
        .loss = {.prior = {c->n_pairs, c->pairs}, .prior_top = c->prior_top, .prior_positive = (float)c->positive,
                 .prior_negative = (float)c->negative, .use_prior = 1, .use_dag = 1, .use_sparsity = 1}};
}

/* Opens everything the folder has; 1 when model and inputs are there, else the context says why not. */
static int open_case(sfm_case *c, const char *dir, const char *kernels, int threads)
{
    char path[4096];
    *c = (sfm_case){.dir = dir, .ctx = cw_ctx_new(NULL)};
    if (!c->ctx) return 0;
    int guarded = kernels && strcmp(kernels, "guard") == 0;
    c->ctx->kernels = guarded ? cw_kernels_guard(&cw_kernels_cpu) : cw_kernels_select(kernels);
    c->ctx->threads = threads;
    c->tape = cw_tape_new(c->ctx);
    snprintf(path, sizeof path, "%s/case.safetensors", dir);
    c->file = cw_safetensors_open(c->ctx, path);
    snprintf(path, sizeof path, "%s/train.safetensors", dir);
    if (exists(path)) c->train = cw_safetensors_open(c->ctx, path);
    if (find(path, sizeof path, dir, "tokenizer", "vocab.json")) c->vocab = cw_vocab_read(c->ctx, path);
    else cw_fail(c->ctx, CW_ERR_IO, "no vocab.json");
    if (!c->file || !c->vocab || !new_model(c) || !read_input(c)) return 0;
    read_words(c);
    read_prior(c);
    return c->ctx->status == CW_OK;
}

static void close_case(sfm_case *c)
{
    free_input(&c->input);
    free(c->pairs);
    cw_safetensors_close(c->file), cw_safetensors_close(c->train);
    cw_vocab_free(c->vocab);
    sfm_free(c->model);
    cw_tape_free(c->tape);
}

#endif
