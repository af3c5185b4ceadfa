/* guard_case.h: cases of operations on the guard device (kernels/guard/guard.h). Outputs and gradients must have the bits
 * of the unguarded table, and nothing but kernels may have touched the device's memory. */
#ifndef CW_GUARD_CASE_H
#define CW_GUARD_CASE_H

#include "autodiff/ops.h"
#include "kernels/guard/guard.h"
#include "test.h"

/* A tensor held outside the tape moves to the device; its host memory is kept in *data and *grad for the way back. */
static inline void guard_move(cw_ctx *ctx, cw_tensor *x, float **data, float **grad)
{
    const cw_device *d = &cw_device_guard;
    int64_t bytes = cw_count(x) * (int64_t)sizeof(float);
    *data = x->data;
    *grad = x->grad;
    x->device = d;
    x->data = d->take(ctx, bytes);
    if (x->data) d->copy_in(ctx, x->data, *data, bytes);
    if (!*grad) return;
    x->grad = d->take(ctx, bytes);
    if (x->grad) d->copy_in(ctx, x->grad, *grad, bytes);
}

static inline void guard_move_back(cw_ctx *ctx, cw_tensor *x, float *data, float *grad)
{
    const cw_device *d = &cw_device_guard;
    int64_t bytes = cw_count(x) * (int64_t)sizeof(float);
    if (grad && x->grad) d->copy_out(ctx, grad, x->grad, bytes);
    d->give(ctx, x->data);
    d->give(ctx, x->grad);
    x->data = data;
    x->grad = grad;
    x->device = NULL;
}

/* Operations that were refused on the guard device, each name once, as "a, b, c". */
static char guard_refused[1024];

/* 1 where the failure on the context is a host-only operation's refusal, whose name is noted. */
static inline int guard_was_refused(cw_ctx *ctx)
{
    const char *end = strstr(ctx->text, " works in the host's memory only");
    if (ctx->status != CW_ERR_STATE || !end) return 0;
    char name[80], list[1100];
    snprintf(name, sizeof name, "%.*s", (int)(end - ctx->text), ctx->text);
    snprintf(list, sizeof list, ", %s,", guard_refused);
    char look[90];
    snprintf(look, sizeof look, ", %s,", name);
    size_t n = strlen(guard_refused);
    if (!strstr(list, look)) snprintf(guard_refused + n, sizeof guard_refused - n, "%s%s", n ? ", " : "", name);
    return 1;
}

/* No touch from outside since the last call. */
static inline void guard_check(const char *name)
{
    char text[256];
    int64_t touches = cw_guard_touches(text, sizeof text);
    CHECK(touches == 0, "%s: %s (%lld times)", name, text, (long long)touches);
}

#endif
