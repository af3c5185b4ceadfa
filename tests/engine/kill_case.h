/* kill_case.h: a class's training, killed at random moments, goes on from its checkpoints to the same bits. */
#ifndef CW_KILL_CASE_H
#define CW_KILL_CASE_H

#include "test.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/threads.h"
#include "train/checkpoint.h"

/* A run of one class: makes model, tape and trainer (the trainer of a checkpoint where `path` isn't NULL); steps. */
typedef struct {
    cw_ctx *ctx;
    cw_tape *tape;
    cw_model *model;
    cw_trainer *trainer;
    void *data;
} run;

typedef struct {
    const char *name;
    void (*open)(run *r, const char *path);
    cw_status (*step)(run *r);
} kind;

static inline run new_run(void)
{
    run r = {.ctx = cw_ctx_new(NULL)};
    r.ctx->kernels = cw_kernels_select(NULL);
    r.tape = cw_tape_new(r.ctx);
    return r;
}

static inline void close_run(run *r)
{
    cw_trainer_free(r->trainer);
    cw_model_free(r->model);
    cw_tape_free(r->tape);
    cw_ctx_free(r->ctx);
    free(r->data);
}

/* All weights and moments as one file's bytes would hold them; new memory, *n numbers. */
static inline float *all_numbers(const run *r, int64_t *n)
{
    const cw_params *p = &r->model->params;
    float *all = malloc((size_t)(3 * cw_params_values(p) + 1) * sizeof *all);
    *n = 0;
    for (int64_t i = 0; i < p->count; i++) {
        const cw_param *q = p->item[i];
        const float *part[] = {cw_f32(&q->tensor), q->m, q->v};
        for (int j = 0; j < 3; j++)
            for (int64_t k = 0; part[j] && k < cw_count(&q->tensor); k++) all[(*n)++] = part[j][k];
    }
    return all;
}

/* Goes on from what `dir` has, a checkpoint a step, until `steps`. */
static inline int work(const kind *k, const char *dir, int64_t steps)
{
    char path[128];
    run r = new_run();
    k->open(&r, cw_checkpoint_latest(dir, path, sizeof path) ? path : NULL);
    while (r.ctx->status == CW_OK && r.trainer && r.trainer->step < steps) {
        const cw_safetensors_pair where = {"position", "here"};
        if (k->step(&r) == CW_OK) cw_checkpoint_save(r.trainer, dir, 2, &where, 1);
    }
    int good = r.ctx->status == CW_OK && r.trainer;
    close_run(&r);
    return good;
}

static inline void remove_folder(const char *dir)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    if (system(command) != 0) CHECK(0, "rm");
}

/* `times` runs of the class that are killed at work, then one that goes on; `then(path)` has its last checkpoint. */
static inline void kills(const kind *k, int times, void (*then)(const char *path))
{
    char dir[] = "/tmp/causeway-kills-XXXXXX", path[128];
    if (!mkdtemp(dir)) {
        CHECK(0, "no folder in /tmp");
        return;
    }
    int killed = 0;
    for (int i = 0; i < times; i++) {
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) _exit(!work(k, dir, INT64_MAX)); /* until it is killed */
        nanosleep(&(struct timespec){0, 500000L + (i * 7919L) % 9000 * 1000}, NULL);
        kill(child, SIGKILL);
        int status;
        waitpid(child, &status, 0);
        killed += WIFSIGNALED(status);
    }
    CHECK(killed == times, "%s: only %d of %d were killed at work", k->name, killed, times);
    run reached = new_run();
    k->open(&reached, cw_checkpoint_latest(dir, path, sizeof path) ? path : NULL);
    const int64_t steps = reached.trainer ? reached.trainer->step + 5 : 0;
    close_run(&reached);
    run straight = new_run();
    k->open(&straight, NULL);
    for (int64_t i = 0; i < steps; i++) k->step(&straight);
    CHECK(straight.ctx->status == CW_OK && steps > 0, "%s: %s", k->name, straight.ctx->text);
    int64_t n, m;
    float *want = all_numbers(&straight, &n);
    CHECK(work(k, dir, steps) && cw_checkpoint_latest(dir, path, sizeof path), "%s: the last one", k->name);
    run again = new_run();
    k->open(&again, path);
    CHECK(again.ctx->status == CW_OK, "%s: %s", k->name, again.ctx->text);
    float *got = all_numbers(&again, &m);
    CHECK(again.trainer && again.trainer->step == steps && n == m && memcmp(want, got, (size_t)n * sizeof *got) == 0,
          "%s: after %d kills other bits", k->name, killed);
    char *pair = cw_checkpoint_pair(again.ctx, path, "position");
    CHECK(pair && strcmp(pair, "here") == 0, "the host's pair");
    cw_free(again.ctx, pair);
    cw_model *copy = cw_model_class_named(k->name) ? cw_checkpoint_model(again.ctx, path) : NULL;
    if (copy)
        for (int64_t i = 0; i < copy->params.count; i++)
            CHECK(memcmp(cw_f32(&copy->params.item[i]->tensor), cw_f32(&again.model->params.item[i]->tensor),
                         (size_t)cw_count(&copy->params.item[i]->tensor) * 4) == 0,
                  "%s: %s of a model made from the checkpoint", k->name, copy->params.item[i]->name);
    if (copy && then) then(path);
    cw_model_free(copy);
    free(want), free(got);
    close_run(&straight), close_run(&again);
    remove_folder(dir);
}

/* ---- a class, a task and one batch ---- */

/* The model is one of the class and settings of `like`, with the arrays that it keeps. */
typedef struct {
    const cw_model *like;
    const cw_task *task;
    const float *weight; /* of the losses; NULL: as usual */
    const cw_array *item;
    int64_t n;
} kill_batch;

static kill_batch killed_batch; /* of the running case */

static inline void open_batch(run *r, const char *path)
{
    const kill_batch *b = &killed_batch;
    r->model = cw_model_new(r->ctx, b->like->class, cw_model_config(b->like), 3);
    cw_model_bind(r->model, b->like->kept.item, b->like->kept.count);
    const cw_option given[] = {{"optimizer", "adamw", 0}, {"lr", NULL, 5e-3},      {"weightDecay", NULL, 0.01},
                               {"schedule", "cosine", 0}, {"warmupSteps", NULL, 2}, {"totalSteps", NULL, 100}};
    cw_optimizer o;
    char why[200], settings[256] = {0};
    if (cw_settings_fill(cw_optimizer_settings, &o, given, 6, 1, why, sizeof why) != CW_OK) CHECK(0, "%s", why);
    if (b->task->settings && cw_settings_fill(b->task->settings, settings, NULL, 0, 1, why, sizeof why) != CW_OK)
        CHECK(0, "%s", why);
    r->trainer = path ? cw_checkpoint_resume(r->model, r->tape, path)
                      : cw_trainer_new(r->model, r->tape, b->task, &o, b->task->settings ? settings : NULL, NULL, 0, b->weight,
                                       9);
}

static inline cw_status step_batch(run *r)
{
    cw_step_report report;
    cw_trainer_micro(r->trainer, killed_batch.item, killed_batch.n, 0, NULL, 1, &report);
    return cw_trainer_apply(r->trainer, &report);
}

/* A fork of a process that has had threads is nothing for ThreadSanitizer. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KILL_TIMES 0
#endif
#endif
#ifndef KILL_TIMES
#define KILL_TIMES 50
#endif

/* 50 kills of training such a model. */
static inline void kill_batches(const cw_model *like, const char *task, const float *weight, const cw_array *item,
                                int64_t n)
{
    if (!KILL_TIMES) return;
    killed_batch = (kill_batch){like, cw_model_task(like->class, task), weight, item, n};
    int before = cw_blas_enter();
    kills(&(kind){like->class->name, open_batch, step_batch}, KILL_TIMES, NULL);
    cw_blas_leave(before);
}

#endif
