/* checkpoint.c: see checkpoint.h. */
#include "checkpoint.h"

#include "../io/json.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_BYTES 300
#define RUN_KEY "causeway.run"     /* metadata: the run as JSON */
#define MODEL_KEY "causeway.model" /* the class and its settings */

/* ---- settings as JSON ---- */

static cw_json *settings_json(cw_ctx *ctx, const cw_setting *table, const void *in)
{
    cw_json *o = cw_json_new_object(ctx);
    for (const cw_setting *s = table; s && s->name; s++) {
        double x = cw_settings_value(s, in);
        char word[64];
        if (s->type == CW_SETTING_TEXT) continue;
        if (s->type == CW_SETTING_CHOICE) {
            if (cw_settings_choice(s, (int)x, word, sizeof word)) cw_json_set_string(ctx, o, s->name, word);
        } else {
            cw_json_set_number(ctx, o, s->name, x);
        }
    }
    return o;
}

static void fill(cw_ctx *ctx, const cw_setting *table, void *out, const cw_json *object, const char *path)
{
    int64_t n;
    char why[256];
    cw_option *option = cw_json_options(ctx, object, &n);
    if (option && table && cw_settings_fill(table, out, option, n, 1, why, sizeof why) != CW_OK)
        cw_fail(ctx, CW_ERR_FORMAT, "%s: %s", path, why);
    cw_free(ctx, option);
}

static cw_json *model_json(cw_ctx *ctx, const cw_model *m)
{
    cw_json *o = cw_json_new_object(ctx);
    cw_json_set_string(ctx, o, "class", m->class->name);
    cw_json_set(ctx, o, "settings", settings_json(ctx, m->class->settings, cw_model_config(m)));
    return o;
}

static void set_number(cw_ctx *ctx, cw_json *o, const char *key, float x)
{
    if (!isnan(x)) cw_json_set_number(ctx, o, key, x); /* NAN: the run's own */
}

static cw_json *groups_json(cw_ctx *ctx, const cw_trainer *tr)
{
    cw_json *all = cw_json_new_array(ctx);
    for (int i = 0; i < tr->groups; i++) {
        cw_json *o = cw_json_new_object(ctx);
        cw_json_set_string(ctx, o, "match", tr->group[i].match);
        set_number(ctx, o, "lr", tr->group[i].lr);
        set_number(ctx, o, "weight_decay", tr->group[i].weight_decay);
        cw_json_set_bool(ctx, o, "frozen", tr->group[i].frozen);
        cw_json_append(ctx, all, o);
    }
    return all;
}

static cw_json *run_json(cw_ctx *ctx, const cw_trainer *tr)
{
    char key[32];
    snprintf(key, sizeof key, "%016llx", (unsigned long long)tr->key);
    cw_json *o = cw_json_new_object(ctx), *weight = cw_json_new_object(ctx), *dropped = cw_json_new_object(ctx);
    for (int i = 0; i < tr->terms; i++) {
        cw_json_set_number(ctx, weight, tr->task->terms[i].name, tr->weight[i]);
        cw_json_set_bool(ctx, dropped, tr->task->terms[i].name, tr->dropped[i]);
    }
    cw_json_set_string(ctx, o, "task", tr->task->name);
    cw_json_set_int(ctx, o, "step", tr->step);
    cw_json_set_string(ctx, o, "key", key);
    cw_json_set_string(ctx, o, "kernels", ctx->kernels->name);
    cw_json_set(ctx, o, "optimizer", settings_json(ctx, cw_optimizer_settings, &tr->o));
    cw_json_set(ctx, o, "settings", settings_json(ctx, tr->task->settings, tr->settings));
    cw_json_set(ctx, o, "weight", weight);
    cw_json_set(ctx, o, "dropped", dropped);
    cw_json_set(ctx, o, "groups", groups_json(ctx, tr));
    return o;
}

/* ---- files of a folder ---- */

/* The step in a checkpoint's name; -1 for every other name. */
static long long step_in(const char *name)
{
    long long step;
    char again[64];
    if (sscanf(name, "step-%lld.safetensors", &step) != 1 || step < 0) return -1;
    snprintf(again, sizeof again, "step-%09lld.safetensors", step);
    return strcmp(again, name) == 0 ? step : -1;
}

int cw_checkpoint_latest(const char *dir, char *path, size_t size)
{
    long long best = -1;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (step_in(e->d_name) > best) best = step_in(e->d_name);
    if (d) closedir(d);
    return best >= 0 && snprintf(path, size, "%s/step-%09lld.safetensors", dir, best) < (int)size;
}

/* Removes the checkpoints of steps before `step` but the last keep - 1 of them. */
static void remove_old(const char *dir, long long step, int keep)
{
    char path[4096];
    for (;;) {
        long long oldest = step;
        int count = 0;
        DIR *d = opendir(dir);
        for (struct dirent *e; d && (e = readdir(d));) {
            long long s = step_in(e->d_name);
            if (s < 0 || s >= step) continue;
            count++;
            if (s < oldest) oldest = s;
        }
        if (d) closedir(d);
        if (count < keep || snprintf(path, sizeof path, "%s/step-%09lld.safetensors", dir, oldest) >= (int)sizeof path)
            return;
        if (unlink(path) != 0) return;
    }
}

/* ---- saving ---- */

static cw_safetensors_item item_of(cw_ctx *ctx, const char *name, const cw_tensor *t, const float *data)
{
    cw_safetensors_item item = {.name = name, .dtype = CW_ST_F32, .ndim = t->ndim, .data = data};
    for (int i = 0; i < t->ndim; i++) item.dim[i] = t->dim[i];
    if (!data) item.data = cw_param_host(ctx, t);
    return item;
}

static int is_finite(const cw_trainer *tr, const cw_param *p)
{
    const cw_tape *t = tr->tape;
    return isfinite(t->k->sum_squares(&t->exec, p->tensor.data, cw_count(&p->tensor)));
}

static int64_t gather_items(cw_ctx *ctx, const cw_trainer *tr, cw_safetensors_item *item, char *names)
{
    const cw_params *params = &tr->model->params;
    int64_t n = 0;
    for (int64_t i = 0; i < params->count; i++) {
        const cw_param *p = params->item[i];
        if (!is_finite(tr, p)) {
            cw_fail(ctx, CW_ERR_NUMERIC, "no checkpoint is written: %s is not finite at step %lld", p->name,
                    (long long)tr->step);
            return 0;
        }
        item[n++] = item_of(ctx, p->name, &p->tensor, NULL);
        for (int moment = 0; p->m && moment < 2; moment++) {
            char *name = names + n * NAME_BYTES;
            snprintf(name, NAME_BYTES, "optimizer.%s.%s", moment ? "v" : "m", p->name);
            item[n++] = item_of(ctx, name, &p->tensor, moment ? p->v : p->m);
        }
    }
    return n;
}

cw_status cw_checkpoint_save(const cw_trainer *tr, const char *dir, int keep, const cw_safetensors_pair *pair,
                             int64_t pairs)
{
    cw_ctx *ctx = tr->model->ctx;
    int64_t most = 3 * tr->model->params.count, n = 0;
    char path[4096];
    if (ctx->status != CW_OK) return ctx->status;
    if (snprintf(path, sizeof path, "%s/step-%09lld.safetensors", dir, (long long)tr->step) >= (int)sizeof path)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "the name of the folder for checkpoints is too long");
    cw_safetensors_item *item = cw_alloc(ctx, most, sizeof *item);
    char *names = cw_alloc(ctx, most, NAME_BYTES);
    cw_safetensors_pair *meta = cw_alloc(ctx, pairs + 2, sizeof *meta);
    cw_json *run = run_json(ctx, tr), *model = model_json(ctx, tr->model);
    char *run_text = cw_json_write(ctx, run), *model_text = cw_json_write(ctx, model);
    if (item && names) n = gather_items(ctx, tr, item, names);
    if (ctx->status == CW_OK) {
        meta[0] = (cw_safetensors_pair){RUN_KEY, run_text};
        meta[1] = (cw_safetensors_pair){MODEL_KEY, model_text};
        for (int64_t i = 0; i < pairs; i++) meta[i + 2] = pair[i];
        if (cw_safetensors_write(ctx, path, item, meta, n, pairs + 2) == CW_OK)
            remove_old(dir, tr->step, keep > 1 ? keep : 1);
    }
    cw_free(ctx, item), cw_free(ctx, names), cw_free(ctx, meta);
    cw_free(ctx, run_text), cw_free(ctx, model_text);
    cw_json_free(run), cw_json_free(model);
    return ctx->status;
}

/* ---- loading ---- */

static cw_json *metadata_json(cw_ctx *ctx, const cw_safetensors *file, const char *key, const char *path)
{
    const char *text = file ? cw_safetensors_metadata(file, key) : NULL;
    if (file && !text) cw_fail(ctx, CW_ERR_FORMAT, "%s is not a checkpoint of causeway: it says nothing of a run", path);
    return text ? cw_json_parse(ctx, text, (int64_t)strlen(text)) : NULL;
}

char *cw_checkpoint_pair(cw_ctx *ctx, const char *path, const char *key)
{
    cw_safetensors *file = cw_safetensors_open(ctx, path);
    const char *text = file ? cw_safetensors_metadata(file, key) : NULL;
    char *copy = text ? cw_strdup(ctx, text) : NULL;
    cw_safetensors_close(file);
    return copy;
}

/* The model's class and settings against the file's. */
static cw_status check_model(cw_trainer *tr, const cw_safetensors *file, const char *path)
{
    cw_model *m = tr->model;
    cw_ctx *ctx = m->ctx;
    cw_json *json = metadata_json(ctx, file, MODEL_KEY, path);
    const char *class = cw_json_string(ctx, json, "class", "?");
    if (json && ctx->status == CW_OK && strcmp(class, m->class->name) != 0)
        cw_fail(ctx, CW_ERR_FORMAT, "%s is a checkpoint of a model of class %s, not %s", path, class, m->class->name);
    void *config = cw_calloc(ctx, 1, m->class->config_bytes);
    if (config && json) fill(ctx, m->class->settings, config, cw_json_object(ctx, json, "settings"), path);
    for (const cw_setting *s = m->class->settings; s->name && ctx->status == CW_OK; s++) {
        double theirs = cw_settings_value(s, config), ours = cw_settings_value(s, cw_model_config(m));
        if (s->type != CW_SETTING_TEXT && theirs != ours)
            cw_fail(ctx, CW_ERR_FORMAT, "%s is a checkpoint of another model: its %s is %g, here it is %g", path, s->name,
                    theirs, ours);
    }
    cw_free(ctx, config);
    cw_json_free(json);
    return ctx->status;
}

/* Weights and moments: pass 0 looks at all, pass 1 takes all. */
static cw_status take_tensors(cw_trainer *tr, const cw_safetensors *file, const char *path)
{
    cw_params *params = &tr->model->params;
    cw_ctx *ctx = params->ctx;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < params->count; i++) {
            cw_param *p = params->item[i];
            for (int what = 0; what < (p->m ? 3 : 1); what++) { /* the weight, m, v */
                char name[NAME_BYTES];
                snprintf(name, sizeof name, "%s%s", what == 0 ? "" : what == 1 ? "optimizer.m." : "optimizer.v.", p->name);
                const cw_safetensors_entry *e = cw_safetensors_find(file, name);
                int fits = e && e->ndim == p->tensor.ndim && e->dtype == CW_ST_F32;
                for (int d = 0; fits && d < e->ndim; d++) fits = e->dim[d] == p->tensor.dim[d];
                if (!fits) return cw_fail(ctx, CW_ERR_FORMAT, "%s lacks %s in the model's shape", path, name);
                if (pass == 0) {
                    for (int64_t j = 0; j < e->count; j++) {
                        float x;
                        memcpy(&x, e->data + j * 4, 4);
                        if (!isfinite(x)) return cw_fail(ctx, CW_ERR_FORMAT, "%s: %s is not finite", path, name);
                    }
                    continue;
                }
                if (what == 0)
                    cw_param_set(ctx, &p->tensor, (const float *)(const void *)e->data);
                else
                    cw_safetensors_read_f32(ctx, what == 1 ? p->m : p->v, e);
            }
        }
    return ctx->status;
}

/* The run's own state from its JSON. */
static void take_run(cw_trainer *tr, const cw_json *run, const char *path)
{
    cw_ctx *ctx = tr->model->ctx;
    const cw_json *dropped = cw_json_object(ctx, run, "dropped");
    const char *key = cw_json_string(ctx, run, "key", "");
    char *end = NULL;
    uint64_t number = strtoull(key, &end, 16);
    int64_t step = cw_json_int(ctx, run, "step", -1, 0, INT64_MAX / 2);
    if (ctx->status == CW_OK && (step < 0 || !*key || *end))
        cw_fail(ctx, CW_ERR_FORMAT, "%s has no step or no key", path);
    if (ctx->status != CW_OK) return;
    tr->step = step;
    tr->key = number;
    for (int i = 0; i < tr->terms; i++) tr->dropped[i] = cw_json_bool(ctx, dropped, tr->task->terms[i].name, 0);
}

cw_status cw_checkpoint_load(cw_trainer *tr, const char *path)
{
    cw_ctx *ctx = tr->model->ctx;
    cw_safetensors *file = cw_safetensors_open(ctx, path);
    cw_json *run = metadata_json(ctx, file, RUN_KEY, path);
    const char *task = cw_json_string(ctx, run, "task", "?");
    if (run && ctx->status == CW_OK && strcmp(task, tr->task->name) != 0)
        cw_fail(ctx, CW_ERR_FORMAT, "%s is a checkpoint of the task %s, not %s", path, task, tr->task->name);
    if (run && ctx->status == CW_OK && check_model(tr, file, path) == CW_OK && take_tensors(tr, file, path) == CW_OK)
        take_run(tr, run, path);
    if (ctx->status == CW_OK) cw_trainer_abandon(tr);
    cw_json_free(run);
    cw_safetensors_close(file);
    return ctx->status;
}

cw_model *cw_checkpoint_model(cw_ctx *ctx, const char *path)
{
    cw_safetensors *file = cw_safetensors_open(ctx, path);
    cw_json *json = metadata_json(ctx, file, MODEL_KEY, path);
    const char *name = cw_json_string(ctx, json, "class", "?");
    const cw_model_class *class = json ? cw_model_class_named(name) : NULL;
    cw_model *m = NULL;
    if (json && !class) cw_fail(ctx, CW_ERR_FORMAT, "%s is of a class this version doesn't have: %s", path, name);
    if (class) {
        int64_t n;
        cw_option *option = cw_json_options(ctx, cw_json_object(ctx, json, "settings"), &n);
        m = option ? cw_model_make(ctx, class, option, n, 1, 0) : NULL;
        cw_free(ctx, option);
    }
    cw_load_report report = {.ctx = ctx};
    if (m && cw_params_load(&m->params, path, NULL, NULL, &report) == CW_OK && report.missing + report.misshapen > 0)
        cw_fail(ctx, CW_ERR_FORMAT, "%s lacks weights of its own model", path);
    cw_load_report_free(&report);
    cw_json_free(json);
    cw_safetensors_close(file);
    if (ctx->status == CW_OK) return m;
    cw_model_free(m);
    return NULL;
}

static void read_groups(cw_ctx *ctx, const cw_json *array, cw_group *group, int groups)
{
    int i = 0;
    for (const cw_json *v = array ? cw_json_first(array) : NULL; v && i < groups; v = cw_json_next(v), i++)
        group[i] = (cw_group){.match = cw_json_string(ctx, v, "match", "*"),
                              .lr = (float)cw_json_number(ctx, v, "lr", NAN, 0, 1e9),
                              .weight_decay = (float)cw_json_number(ctx, v, "weight_decay", NAN, 0, 1e9),
                              .frozen = cw_json_bool(ctx, v, "frozen", 0)};
}

cw_trainer *cw_checkpoint_resume(cw_model *m, cw_tape *tape, const char *path)
{
    cw_ctx *ctx = m->ctx;
    cw_safetensors *file = cw_safetensors_open(ctx, path);
    cw_json *run = metadata_json(ctx, file, RUN_KEY, path);
    const char *name = cw_json_string(ctx, run, "task", "?");
    const cw_task *task = run ? cw_model_task(m->class, name) : NULL;
    if (run && !task) cw_fail(ctx, CW_ERR_FORMAT, "%s: a model of class %s has no task %s", path, m->class->name, name);
    cw_trainer *tr = NULL;
    if (task) {
        cw_optimizer o;
        float weight[CW_MAX_TERMS] = {0};
        const cw_json *weights = cw_json_object(ctx, run, "weight"), *array = cw_json_array(ctx, run, "groups");
        int groups = array ? (int)cw_json_count(array) : 0;
        void *settings = cw_calloc(ctx, 1, task->bytes + 1);
        cw_group *group = cw_calloc(ctx, groups, sizeof *group);
        fill(ctx, cw_optimizer_settings, &o, cw_json_object(ctx, run, "optimizer"), path);
        if (settings) fill(ctx, task->settings, settings, cw_json_object(ctx, run, "settings"), path);
        for (int i = 0; i < cw_task_terms(task); i++)
            weight[i] = (float)cw_json_number(ctx, weights, task->terms[i].name, task->terms[i].weight, -1e30, 1e30);
        if (group) read_groups(ctx, array, group, groups);
        /* the run's groups hold the task's first: given again they change nothing */
        if (ctx->status == CW_OK) tr = cw_trainer_new(m, tape, task, &o, settings, group, groups, weight, 0);
        cw_free(ctx, group), cw_free(ctx, settings);
    }
    cw_json_free(run);
    cw_safetensors_close(file);
    if (tr && cw_checkpoint_load(tr, path) == CW_OK) return tr;
    cw_trainer_free(tr);
    return NULL;
}
