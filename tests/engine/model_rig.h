/* model_rig.h: a model on a tape of its own, asked and trained by names, for tests of model classes. */
#ifndef CW_MODEL_RIG_H
#define CW_MODEL_RIG_H

#include "test.h"
#include "train/trainer.h"

typedef struct {
    cw_ctx *ctx;
    cw_model *m;
    cw_tape *tape;
} rig;

/* fail_at >= 0: that allocation fails. */
static inline rig open_rig_failing(const cw_model_class *class, const cw_option *option, int n, int64_t fail_at)
{
    rig r = {.ctx = cw_ctx_new(NULL)};
    r.ctx->kernels = cw_kernels_select(NULL);
    r.ctx->threads = 2;
    if (fail_at >= 0) r.ctx->fail_at = fail_at;
    r.m = cw_model_make(r.ctx, class, option, n, 1, 5);
    r.tape = r.m ? cw_tape_new(r.ctx) : NULL;
    return r;
}

static inline rig open_rig(const cw_model_class *class, const cw_option *option, int n)
{
    rig r = open_rig_failing(class, option, n, -1);
    CHECK(r.m && r.tape, "%s", r.ctx->text);
    return r;
}

static inline void close_rig(rig *r)
{
    cw_ctx_clear(r->ctx);
    cw_model_free(r->m);
    cw_tape_free(r->tape);
    cw_ctx_let_go(r->ctx);
    CHECK(r->ctx->memory.bytes == 0, "%lld bytes are left", (long long)r->ctx->memory.bytes);
    cw_ctx_free(r->ctx);
}

typedef struct {
    char name[8][24];
    void *data[8];
    int64_t count[8];
    int n;
} shelf;

static inline void *take(void *user, const char *name, cw_array_type type, int ndim, const int64_t *dim)
{
    shelf *s = user;
    int64_t n = 1;
    (void)type;
    for (int i = 0; i < ndim; i++) n *= dim[i];
    snprintf(s->name[s->n], sizeof s->name[0], "%s", name);
    s->count[s->n] = n;
    return s->data[s->n++] = calloc((size_t)n + 1, 8);
}

static inline void empty(shelf *s)
{
    for (int i = 0; i < s->n; i++) free(s->data[i]);
    memset(s, 0, sizeof *s);
}

static inline cw_status ask(rig *r, const char *query, const cw_option *option, int options, const cw_array *item, int64_t n,
                     shelf *s)
{
    const cw_query *q = cw_model_query(r->m->class, query);
    char why[200] = "", settings[256] = {0};
    memset(s, 0, sizeof *s);
    if (q->settings && cw_settings_fill(q->settings, settings, option, options, 1, why, sizeof why) != CW_OK)
        CHECK(0, "%s", why);
    const cw_sink sink = {s, take};
    return cw_model_run(r->m, r->tape, q, item, n, settings, &sink);
}

static inline void expect(rig *r, const char *words)
{
    CHECK(r->ctx->status != CW_OK && strstr(r->ctx->text, words), "\"%s\" for: %s", r->ctx->text, words);
    cw_ctx_clear(r->ctx);
}

static inline double apart(const float *a, const float *b, int64_t n)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++) worst = fmax(worst, fabs((double)a[i] - b[i]));
    return worst;
}

/* Steps of Adam on one batch; the loss of the last. *first: of the first, or NULL. */
static inline double learn(rig *r, const char *task_name, const cw_group *group, int groups, const float *weight,
                    const cw_array *item, int64_t n, int steps, double *first)
{
    const cw_task *task = cw_model_task(r->m->class, task_name);
    const cw_optimizer o = {.kind = CW_ADAM, .lr = 5e-3f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f,
                            .schedule = CW_SCHEDULE_CONSTANT, .total_steps = steps};
    char why[200], settings[256] = {0};
    if (task->settings && cw_settings_fill(task->settings, settings, NULL, 0, 1, why, sizeof why) != CW_OK)
        CHECK(0, "%s", why);
    cw_trainer *tr = cw_trainer_new(r->m, r->tape, task, &o, task->settings ? settings : NULL, group, groups, weight, 3);
    cw_step_report report = {0}, applied;
    for (int i = 0; i < steps && tr; i++) {
        cw_trainer_micro(tr, item, n, 0, NULL, 1.0f, &report);
        cw_trainer_apply(tr, &applied);
        if (i == 0 && first) *first = report.total;
    }
    cw_trainer_free(tr);
    CHECK(r->ctx->status == CW_OK, "%s", r->ctx->text);
    return report.total;
}

/* Every allocation of making a model and asking it fails once: the reason is memory, and nothing is left. */
static inline void each_allocation_fails(const cw_model_class *class, const cw_option *option, int n, const char *query,
                                         const cw_array *item, int64_t items)
{
    int64_t failures = 0;
    for (int64_t at = 0;; at++) {
        rig r = open_rig_failing(class, option, n, at);
        shelf s = {0};
        if (r.tape) ask(&r, query, NULL, 0, item, items, &s);
        cw_status status = r.ctx->status;
        empty(&s);
        CHECK(status == CW_OK || status == CW_ERR_MEMORY, "failure %lld: %s", (long long)at, r.ctx->text);
        close_rig(&r);
        if (status == CW_OK) break;
        failures++;
    }
    CHECK(failures > 20, "only %lld allocations", (long long)failures);
}

#endif
