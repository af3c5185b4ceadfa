/* buckets.c: see buckets.h. */
#include "buckets.h"

#include <string.h>

typedef struct bucket {
    int64_t first, count; /* of the values in `room` */
    int64_t params, left; /* gradients that belong to it, and that aren't there yet */
} bucket;

typedef struct place {
    int64_t bucket, at; /* -1: not trained */
    int there;
} place;

struct cw_buckets {
    cw_params *params;
    cw_comm *comm;
    float *room; /* all gradients side by side, on the host */
    bucket *bucket;
    place *place; /* of each parameter, by its number */
    int64_t count, next; /* buckets; the one to be sent next */
};

static void put_in_places(cw_buckets *b, int64_t values)
{
    int64_t at = 0, here = 0;
    for (int64_t i = b->params->count - 1; i >= 0; i--) {
        const cw_tensor *x = &b->params->item[i]->tensor;
        b->place[i].bucket = -1;
        if (!x->needs_grad) continue;
        bucket *to = &b->bucket[here];
        if (to->params == 0) to->first = at;
        b->place[i] = (place){.bucket = here, .at = at};
        at += cw_count(x);
        to->count += cw_count(x);
        to->left = ++to->params;
        if (to->count >= values) here++;
    }
    b->count = here + (here < b->params->count && b->bucket[here].params > 0);
}

cw_buckets *cw_buckets_new(cw_params *params, cw_comm *comm, int64_t values)
{
    cw_ctx *ctx = params->ctx;
    int64_t all = 0;
    for (int64_t i = 0; i < params->count; i++)
        if (params->item[i]->tensor.needs_grad) all += cw_count(&params->item[i]->tensor);
    cw_buckets *b = cw_calloc(ctx, 1, sizeof *b);
    if (!b) return NULL;
    *b = (cw_buckets){.params = params, .comm = comm};
    b->room = cw_alloc(ctx, all, sizeof *b->room);
    b->bucket = cw_calloc(ctx, params->count + 1, sizeof *b->bucket);
    b->place = cw_calloc(ctx, params->count, sizeof *b->place);
    if (b->room && b->bucket && b->place) {
        put_in_places(b, values > 0 ? values : CW_BUCKET_VALUES);
        return b;
    }
    cw_buckets_free(b);
    return NULL;
}

void cw_buckets_free(cw_buckets *b)
{
    if (!b) return;
    cw_ctx *ctx = b->params->ctx;
    cw_free(ctx, b->room), cw_free(ctx, b->bucket), cw_free(ctx, b->place);
    cw_free(ctx, b);
}

static void send(cw_buckets *b)
{
    for (; b->next < b->count && b->bucket[b->next].left == 0; b->next++)
        b->comm->start(b->comm, b->room + b->bucket[b->next].first, b->bucket[b->next].count);
}

void cw_buckets_ready(void *buckets, cw_tensor *param)
{
    cw_buckets *b = buckets;
    place *p = &b->place[cw_param_of(param)->number];
    if (p->bucket < 0 || p->there) return;
    p->there = 1;
    param->device->copy_out(b->params->ctx, b->room + p->at, param->grad, cw_count(param) * (int64_t)sizeof(float));
    b->bucket[p->bucket].left--;
    send(b);
    if (b->comm->poke) b->comm->poke(b->comm);
}

void cw_buckets_finish(cw_buckets *b)
{
    cw_params *all = b->params;
    for (int64_t i = all->count - 1; i >= 0; i--) cw_buckets_ready(b, &all->item[i]->tensor);
    b->comm->wait(b->comm);
    for (int64_t i = 0; i < all->count; i++) {
        cw_tensor *x = &all->item[i]->tensor;
        place *p = &b->place[i];
        if (p->bucket < 0) continue;
        x->device->copy_in(all->ctx, x->grad, b->room + p->at, cw_count(x) * (int64_t)sizeof(float));
        p->there = 0;
    }
    for (int64_t i = 0; i < b->count; i++) b->bucket[i].left = b->bucket[i].params;
    b->next = 0;
}
