/* comm.c: see comm.h. */
#include "comm.h"

#include <stdio.h>
#include <string.h>

/* ---- one process ---- */

static void sum_one(cw_comm *c, double *x, int64_t n) { (void)c, (void)x, (void)n; }
static void start_one(cw_comm *c, float *x, int64_t n) { (void)c, (void)x, (void)n; }
static void wait_one(cw_comm *c) { (void)c; }
static void broadcast_one(cw_comm *c, void *x, int64_t bytes, int from) { (void)c, (void)x, (void)bytes, (void)from; }

cw_comm *cw_comm_one(void)
{
    static cw_comm one = {.rank = 0,
                          .size = 1,
                          .sum = sum_one,
                          .start = start_one,
                          .wait = wait_one,
                          .broadcast = broadcast_one,
                          .abort = wait_one};
    return &one;
}

/* ---- meetings ---- */

typedef struct news {
    int failed;
    int status;
    char text[1024];
} news;

/* Each process has its turn to speak, until one has failed: the reason of the first becomes everybody's. */
static void hear(cw_comm *c, cw_ctx *ctx)
{
    for (int from = 0; from < c->size; from++) {
        news n = {.failed = ctx->status != CW_OK, .status = (int)ctx->status};
        memcpy(n.text, ctx->text, sizeof n.text);
        c->broadcast(c, &n, sizeof n, from);
        if (!n.failed) continue;
        if (from != c->rank)
            cw_fail(ctx, (cw_status)n.status, "process %d of %d: %.980s", from + 1, c->size, n.text);
        return;
    }
}

cw_status cw_comm_meet(cw_comm *c, cw_ctx *ctx, cw_meeting what, double *x, int64_t n)
{
    if (c->size == 1) return ctx->status;
    double all[CW_MEET_MOST + 3] = {0}, kind = what;
    if (n > CW_MEET_MOST) cw_fail(ctx, CW_ERR_ARGUMENT, "a meeting about %lld numbers", (long long)n);
    all[0] = ctx->status != CW_OK;
    all[1] = kind, all[2] = kind * kind;
    for (int64_t i = 0; i < n && ctx->status == CW_OK; i++) all[3 + i] = x[i];
    c->sum(c, all, CW_MEET_MOST + 3); /* of one length whatever it is about, so that any two meetings fit */
    int apart = all[1] != c->size * kind || all[2] != c->size * kind * kind;
    if (all[0] == 0 && !apart) {
        for (int64_t i = 0; i < n; i++) x[i] = all[3 + i];
        return ctx->status;
    }
    if (all[0] == 0) { /* they are apart: those that leave are at fault, else all */
        if (what == CW_MEET_LEAVE) cw_fail(ctx, CW_ERR_STATE, "it has ended, and others have not");
        double ended = ctx->status != CW_OK;
        c->sum(c, &ended, 1);
        if (ended == 0) cw_fail(ctx, CW_ERR_STATE, "it is elsewhere than others: do all run the same script?");
    }
    hear(c, ctx);
    c->broken = 1;
    return ctx->status;
}

cw_status cw_comm_fail(cw_comm *c, cw_ctx *ctx)
{
    return c->size == 1 || c->broken || ctx->status == CW_OK ? ctx->status : cw_comm_meet(c, ctx, CW_MEET_FAIL, NULL, 0);
}
