/* checkpoint.c: see checkpoint.h. */
#include "checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- configuration ---- */

cw_status cw_sfm_config_read(cw_ctx *ctx, cw_sfm_config *c, const cw_json *json)
{
    const int64_t most = 1 << 30;
    const cw_json *s = cw_json_object(ctx, json, "sfm"), *v = cw_json_object(ctx, json, "vgae");
    if (ctx->status != CW_OK) return ctx->status;
    if (!s) return cw_fail(ctx, CW_ERR_FORMAT, "the configuration has no object \"sfm\"");
    c->embed_dim = cw_json_int(ctx, s, "embed_dim", 512, 1, most);
    c->expr_bins = cw_json_int(ctx, s, "expr_num_bins", 32, 2, most);
    c->expr_hidden = cw_json_int(ctx, s, "expr_hidden_dim", 256, 1, most);
    c->expr_tau = (float)cw_json_number(ctx, s, "expr_tau", 1.0, 0, 1e30);
    c->batch_bins = cw_json_int(ctx, s, "batch_num_bins", 32, 1, most);
    c->batch_hidden = cw_json_int(ctx, s, "batch_hidden_dim", 128, 1, most);
    c->batch_tau = (float)cw_json_number(ctx, s, "batch_tau", 1.0, 0, 1e30);
    c->cond_dropout = (float)cw_json_number(ctx, s, "cond_dropout", 0.1, 0, 1);
    c->out_dropout = (float)cw_json_number(ctx, s, "out_dropout", 0.1, 0, 1);
    c->layers = cw_json_int(ctx, s, "num_layers", 4, 1, most);
    c->heads = cw_json_int(ctx, s, "num_heads", 8, 1, most);
    c->mlp_hidden = cw_json_int(ctx, s, "backbone_mlp_hidden_dim", 4 * c->embed_dim, 1, most);
    c->mlp_dropout = (float)cw_json_number(ctx, s, "backbone_mlp_dropout", 0.1, 0, 1);
    c->qkv_bias = cw_json_bool(ctx, s, "qkv_bias", 1);
    c->out_bias = cw_json_bool(ctx, s, "out_bias", 1);
    c->mlp_bias = cw_json_bool(ctx, s, "backbone_mlp_bias", 1);
    c->norm_eps = (float)cw_json_number(ctx, s, "norm_eps", 1e-6, 0, 1);
    c->rotary = CW_ROTARY_NONE;
    if (cw_json_bool(ctx, s, "use_rotary", 0))
        c->rotary = cw_json_bool(ctx, s, "rotary_interleaved", 0) ? CW_ROTARY_INTERLEAVED : CW_ROTARY_HALF;
    c->rotary_base = (float)cw_json_number(ctx, s, "rotary_base", 10000.0, 0, 1e30);
    c->factors = cw_json_int(ctx, s, "num_factors", 256, 1, 65535);
    c->router_hidden = cw_json_int(ctx, s, "router_hidden_dim", 128, 1, most);
    c->router_dropout = (float)cw_json_number(ctx, s, "router_dropout", 0.1, 0, 1);
    c->topk = cw_json_int(ctx, s, "topk", 0, 1, most); /* null or absent: no gate */
    c->router_temperature = (float)cw_json_number(ctx, s, "router_temperature", 1.0, 0, 1e30);
    c->beta_momentum = (float)cw_json_number(ctx, s, "beta_momentum", 1.0, 0, 1);
    c->vgae_hidden = cw_json_int(ctx, v, "hidden_dim", 128, 1, most);
    c->vgae_dropout = (float)cw_json_number(ctx, v, "dropout", 0.1, 0, 1);
    c->fp_steps = cw_json_int(ctx, v, "fp_steps", 3, 0, most);
    c->fp_damping = (float)cw_json_number(ctx, v, "fp_damping", 0.5, -1e6, 1e6);
    return ctx->status;
}

/* ---- parameters ---- */

static const char *const PREFIXES[] = {"foundation_modules.sfm.", "head_modules.vgae."};

static const char *bare(const char *name)
{
    for (int i = 0; i < 2; i++) {
        size_t n = strlen(PREFIXES[i]);
        if (strncmp(name, PREFIXES[i], n) == 0) return name + n;
    }
    return name;
}

static void note(cw_load_report *report, char ***list, int64_t *count, const char *text)
{
    char **grown = cw_alloc(report->ctx, *count + 1, sizeof *grown);
    if (!grown) return;
    if (*count) memcpy(grown, *list, (size_t)*count * sizeof *grown);
    cw_free(report->ctx, *list);
    *list = grown;
    grown[*count] = cw_strdup(report->ctx, text);
    if (grown[*count]) (*count)++;
}

static void free_list(cw_ctx *ctx, char **list, int64_t count)
{
    for (int64_t i = 0; i < count; i++) cw_free(ctx, list[i]);
    cw_free(ctx, list);
}

void cw_load_report_free(cw_load_report *r)
{
    free_list(r->ctx, r->missing_name, r->missing);
    free_list(r->ctx, r->unexpected_name, r->unexpected);
    free_list(r->ctx, r->misshapen_text, r->misshapen);
    memset(r, 0, sizeof *r);
}

static void write_shape(char *out, size_t size, int ndim, const int64_t *dim)
{
    size_t at = (size_t)snprintf(out, size, "(");
    for (int i = 0; i < ndim && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, i ? ", %lld" : "%lld", (long long)dim[i]);
    if (at < size) snprintf(out + at, size - at, ")");
}

static int same_shape(const cw_tensor *t, const cw_safetensors_entry *e)
{
    if (t->ndim != e->ndim) return 0;
    for (int i = 0; i < t->ndim; i++)
        if (t->dim[i] != e->dim[i]) return 0;
    return 1;
}

static void load_one(cw_params *params, cw_param *p, const cw_safetensors *file, cw_load_report *report)
{
    const cw_safetensors_entry *e = cw_safetensors_find(file, p->name);
    if (!e) e = cw_safetensors_find(file, bare(p->name));
    if (!e) {
        note(report, &report->missing_name, &report->missing, p->name);
    } else if (!same_shape(&p->tensor, e)) {
        char text[512], want[128], got[128];
        write_shape(got, sizeof got, e->ndim, e->dim);
        write_shape(want, sizeof want, p->tensor.ndim, p->tensor.dim);
        snprintf(text, sizeof text, "%s: file %s, model %s", p->name, got, want);
        note(report, &report->misshapen_text, &report->misshapen, text);
    } else if (cw_safetensors_read_f32(params->ctx, cw_f32(&p->tensor), e) == CW_OK) {
        report->loaded++;
    }
}

static int known(const cw_params *params, const char *name)
{
    for (int64_t i = 0; i < params->count; i++)
        if (strcmp(params->item[i]->name, name) == 0 || strcmp(bare(params->item[i]->name), name) == 0) return 1;
    return 0;
}

cw_status cw_params_load(cw_params *params, const char *path, cw_load_report *report)
{
    cw_ctx *ctx = params->ctx;
    memset(report, 0, sizeof *report);
    report->ctx = ctx;
    cw_safetensors *file = cw_safetensors_open(ctx, path);
    if (!file) return ctx->status;
    for (int64_t i = 0; i < params->count; i++) load_one(params, params->item[i], file, report);
    for (int64_t i = 0; i < cw_safetensors_count(file); i++) {
        const char *name = cw_safetensors_at(file, i)->name;
        if (!known(params, name)) note(report, &report->unexpected_name, &report->unexpected, name);
    }
    cw_safetensors_close(file);
    return ctx->status;
}

static cw_safetensors_item item_of(const char *name, const cw_tensor *t, const float *data)
{
    cw_safetensors_item item = {.name = name, .dtype = CW_ST_F32, .ndim = t->ndim, .data = data};
    for (int i = 0; i < t->ndim; i++) item.dim[i] = t->dim[i];
    return item;
}

cw_status cw_params_save(const cw_params *params, const char *path)
{
    cw_ctx *ctx = params->ctx;
    cw_safetensors_item *items = cw_alloc(ctx, params->count, sizeof *items);
    if (!items) return ctx->status;
    for (int64_t i = 0; i < params->count; i++)
        items[i] = item_of(params->item[i]->name, &params->item[i]->tensor, cw_f32(&params->item[i]->tensor));
    const cw_safetensors_pair format = {"format", "pt"};
    cw_safetensors_write(ctx, path, items, &format, params->count, 1);
    cw_free(ctx, items);
    return ctx->status;
}

/* ---- training state: "m.<name>" and "v.<name>" ---- */

#define STATE_NAME 300

cw_status cw_trainer_save(const cw_trainer *tr, const char *path)
{
    const cw_params *params = &tr->model->params;
    cw_ctx *ctx = params->ctx;
    int64_t most = 2 * params->count, n = 0;
    cw_safetensors_item *items = cw_alloc(ctx, most, sizeof *items);
    char *names = cw_alloc(ctx, most, STATE_NAME);
    for (int64_t i = 0; items && names && i < params->count; i++) {
        const cw_param *p = params->item[i];
        for (int moment = 0; p->m && moment < 2; moment++) {
            char *name = names + n * STATE_NAME;
            snprintf(name, STATE_NAME, "%s.%s", moment ? "v" : "m", p->name);
            items[n++] = item_of(name, &p->tensor, moment ? p->v : p->m);
        }
    }
    char step[32];
    snprintf(step, sizeof step, "%lld", (long long)tr->step);
    const cw_safetensors_pair meta[] = {{"step", step},
                                        {"dag_disabled", tr->dag_disabled ? "1" : "0"},
                                        {"sparsity_disabled", tr->sparsity_disabled ? "1" : "0"}};
    if (ctx->status == CW_OK) cw_safetensors_write(ctx, path, items, meta, n, 3);
    cw_free(ctx, items);
    cw_free(ctx, names);
    return ctx->status;
}

static int flag(const cw_safetensors *file, const char *key)
{
    const char *text = cw_safetensors_metadata(file, key);
    return text && strcmp(text, "1") == 0;
}

cw_status cw_trainer_load(cw_trainer *tr, const char *path)
{
    cw_params *params = &tr->model->params;
    cw_ctx *ctx = params->ctx;
    cw_safetensors *file = cw_safetensors_open(ctx, path);
    if (!file) return ctx->status;
    const char *step = cw_safetensors_metadata(file, "step");
    char *end = NULL;
    long long steps = step ? strtoll(step, &end, 10) : -1;
    if (steps < 0 || (end && *end)) cw_fail(ctx, CW_ERR_FORMAT, "%s: the training state has no step count", path);
    for (int pass = 0; pass < 2 && ctx->status == CW_OK; pass++) { /* first look at all, then take all */
        for (int64_t i = 0; i < params->count && ctx->status == CW_OK; i++) {
            cw_param *p = params->item[i];
            for (int moment = 0; p->m && moment < 2; moment++) {
                char name[STATE_NAME];
                snprintf(name, sizeof name, "%s.%s", moment ? "v" : "m", p->name);
                const cw_safetensors_entry *e = cw_safetensors_find(file, name);
                if (!e || !same_shape(&p->tensor, e))
                    cw_fail(ctx, CW_ERR_FORMAT, "%s: the training state lacks %s in the model's shape", path, name);
                else if (pass) cw_safetensors_read_f32(ctx, moment ? p->v : p->m, e);
            }
        }
    }
    if (ctx->status == CW_OK) {
        tr->step = steps;
        tr->dag_disabled = flag(file, "dag_disabled");
        tr->sparsity_disabled = flag(file, "sparsity_disabled");
    }
    cw_safetensors_close(file);
    return ctx->status;
}
