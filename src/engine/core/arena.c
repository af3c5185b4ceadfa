/* arena.c: see arena.h.
 *
 * Memory comes from the system in slabs. A slab is cut into blocks that lie end to end; a block given back is joined with
 * free neighbours, and a request takes the smallest free block with room for it and leaves the rest free. Requests below
 * SMALL (records, tensors' heads) have slabs of their own, so that they don't sit in the way of large ones. A first step
 * gathers slabs as it needs them; a reset replaces several by one that holds what the step had in use at its peak. */
#include "arena.h"

#include <string.h>

#define SMALL 2048             /* bytes */
#define SMALL_SLAB (64 * 1024) /* bytes */

typedef struct slab slab;
typedef struct block {
    struct block *next_free, *prev_free; /* while free */
    struct block *before;                /* left neighbour in the slab, NULL: the first */
    slab *home;
    int64_t bytes; /* usable, without this head */
    int32_t taken, last;
} block;
_Static_assert(sizeof(block) <= CW_ALIGN, "the block header must leave data aligned");

struct slab {
    slab *next;
    int64_t bytes; /* of the blocks and their heads */
    int32_t small;
    char pad[CW_ALIGN - sizeof(void *) - sizeof(int64_t) - sizeof(int32_t)];
};
_Static_assert(sizeof(slab) == CW_ALIGN, "blocks must be aligned in their slab");

/* large and small requests, apart */
typedef struct pool {
    slab *slabs;
    block *unused;
    int64_t held, count;       /* bytes of the slabs, and how many they are */
    int64_t now, peak, before; /* bytes taken, with heads; their peak in this step, and in the last */
    int64_t planned;           /* what the first slab should hold; 0: nothing is known yet */
    int released;              /* slabs went back to the system within this step */
} pool;

struct cw_arena {
    cw_ctx *ctx;
    pool pool[2];
};

cw_arena *cw_arena_new(cw_ctx *ctx)
{
    cw_arena *arena = cw_calloc(ctx, 1, sizeof *arena);
    if (arena) arena->ctx = ctx;
    return arena;
}

static void free_slabs(cw_arena *arena, pool *p)
{
    while (p->slabs) {
        slab *s = p->slabs;
        p->slabs = s->next;
        cw_free(arena->ctx, s);
    }
    p->unused = NULL;
    p->held = p->count = 0;
}

void cw_arena_free(cw_arena *arena)
{
    if (!arena) return;
    for (int i = 0; i < 2; i++) free_slabs(arena, &arena->pool[i]);
    cw_free(arena->ctx, arena);
}

static void list_free(pool *p, block *b)
{
    b->taken = 0;
    b->prev_free = NULL;
    b->next_free = p->unused;
    if (p->unused) p->unused->prev_free = b;
    p->unused = b;
}

static void unlist_free(pool *p, block *b)
{
    if (b->prev_free) b->prev_free->next_free = b->next_free; else p->unused = b->next_free;
    if (b->next_free) b->next_free->prev_free = b->prev_free;
}

static block *after(block *b) { return b->last ? NULL : (block *)((char *)b + CW_ALIGN + b->bytes); }

/* The whole slab as one free block. */
static void clear_slab(pool *p, slab *s)
{
    block *b = (block *)(s + 1);
    *b = (block){.home = s, .bytes = s->bytes - CW_ALIGN, .last = 1};
    list_free(p, b);
}

static int add_slab(cw_arena *arena, pool *p, int64_t bytes, int small)
{
    slab *s = cw_alloc(arena->ctx, (int64_t)sizeof(slab) + bytes, 1);
    if (!s) return 0;
    *s = (slab){.next = p->slabs, .bytes = bytes, .small = small};
    p->slabs = s;
    p->held += bytes;
    p->count++;
    clear_slab(p, s);
    return 1;
}

/* Nothing fits: what lies about unused goes back to the system before more is asked of it. */
static void release_unused(cw_arena *arena, pool *p)
{
    for (slab **at = &p->slabs; *at;) {
        slab *s = *at;
        block *first = (block *)(s + 1);
        if (first->taken || !first->last) {
            at = &s->next;
            continue;
        }
        unlist_free(p, first);
        *at = s->next;
        p->held -= s->bytes;
        p->count--;
        p->released = 1;
        cw_free(arena->ctx, s);
    }
}

static block *best_fit(pool *p, int64_t bytes)
{
    block *best = NULL;
    for (block *b = p->unused; b; b = b->next_free)
        if (b->bytes >= bytes && (!best || b->bytes < best->bytes)) {
            best = b;
            if (b->bytes == bytes) break;
        }
    return best;
}

/* Cuts what b has beyond `bytes` off as a free block of its own. */
static void trim(pool *p, block *b, int64_t bytes)
{
    if (b->bytes < bytes + 2 * CW_ALIGN) return;
    block *rest = (block *)((char *)b + CW_ALIGN + bytes), *right = after(b);
    *rest = (block){.before = b, .home = b->home, .bytes = b->bytes - bytes - CW_ALIGN, .last = b->last};
    if (right) right->before = rest;
    b->bytes = bytes;
    b->last = 0;
    list_free(p, rest);
}

void *cw_arena_take(cw_arena *arena, int64_t bytes)
{
    if (arena->ctx->status != CW_OK) return NULL;
    if (bytes < 0 || bytes > ((int64_t)1 << 46)) {
        cw_fail(arena->ctx, CW_ERR_MEMORY, "a request for %lld bytes is beyond any machine", (long long)bytes);
        return NULL;
    }
    int small = bytes < SMALL;
    pool *p = &arena->pool[small];
    bytes = bytes < CW_ALIGN ? CW_ALIGN : (bytes + CW_ALIGN - 1) / CW_ALIGN * CW_ALIGN;
    block *b = best_fit(p, bytes);
    if (!b) {
        /* the first slab after a reset has room for all that the last step used */
        int64_t slab_bytes = bytes + CW_ALIGN;
        if (small && slab_bytes < SMALL_SLAB) slab_bytes = SMALL_SLAB;
        if (!p->slabs && slab_bytes < p->planned) slab_bytes = p->planned;
        release_unused(arena, p);
        if (!add_slab(arena, p, slab_bytes, small)) return NULL;
        b = p->unused;
    }
    unlist_free(p, b);
    trim(p, b, bytes);
    b->taken = 1;
    p->now += b->bytes + CW_ALIGN;
    if (p->now > p->peak) p->peak = p->now;
    return (char *)b + CW_ALIGN;
}

void cw_arena_give(cw_arena *arena, void *pointer)
{
    if (!pointer) return;
    block *b = (block *)((char *)pointer - CW_ALIGN), *left = b->before, *right = after(b);
    if (!b->taken) return;
    pool *p = &arena->pool[b->home->small];
    p->now -= b->bytes + CW_ALIGN;
    b->taken = 0;
    if (right && !right->taken) {
        unlist_free(p, right);
        b->bytes += CW_ALIGN + right->bytes;
        b->last = right->last;
        if (after(b)) after(b)->before = b;
    }
    if (left && !left->taken) {
        unlist_free(p, left);
        left->bytes += CW_ALIGN + b->bytes;
        left->last = b->last;
        if (after(left)) after(left)->before = left;
        b = left;
    }
    list_free(p, b);
}

/* Slabs that fitted are kept; if they hold much more than was in use, the next request gets one in their place. */
static void reset_pool(cw_arena *arena, pool *p)
{
    int64_t most = p->peak > p->before ? p->peak : p->before, roomy = most + most / 16;
    p->before = p->peak;
    p->now = p->peak = 0;
    int scattered = p->released || (p->count > 1 && p->held > roomy), wide = p->held > roomy + roomy / 2 && p->held > SMALL_SLAB;
    if (scattered || wide || most == 0) {
        /* a planned slab that was too small is replaced by one that holds what it took */
        int64_t plan = scattered && p->planned && p->held > roomy ? p->held : roomy;
        p->planned = (plan + CW_ALIGN - 1) / CW_ALIGN * CW_ALIGN;
        free_slabs(arena, p);
    }
    p->released = 0;
    p->unused = NULL;
    for (slab *s = p->slabs; s; s = s->next) clear_slab(p, s);
}

void cw_arena_reset(cw_arena *arena)
{
    for (int i = 0; i < 2; i++) reset_pool(arena, &arena->pool[i]);
}

int64_t cw_arena_bytes(const cw_arena *arena) { return arena->pool[0].held + arena->pool[1].held; }

cw_ctx *cw_arena_ctx(const cw_arena *arena) { return arena->ctx; }
