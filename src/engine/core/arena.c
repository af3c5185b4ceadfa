/* arena.c: see arena.h.
 *
 * Memory comes from the device in slabs. A slab is cut into blocks that lie end to end; a block given back is joined with
 * free neighbours, and a request takes the smallest free block with room for it and leaves the rest free. Requests below
 * SMALL (records, tensors' heads) have slabs of their own, so that they don't sit in the way of large ones. A first step
 * gathers slabs as it needs them; a reset replaces several by one that holds what the step had in use at its peak.
 *
 * A line of CW_ALIGN bytes stays free behind every large block: arrays whose sizes are powers of two would else begin at the
 * same place of a page and share cache sets (the SFM's training step on 2 threads took 4% longer). Sentinels live there.
 *
 * Blocks are records in host memory, found by their address in a table of chains. Records are made in batches and used
 * again; like the slabs they are as many as the busiest step needed. */
#include "arena.h"

#include <string.h>

#define SMALL 2048             /* bytes */
#define SMALL_SLAB (16 * 1024) /* bytes */
#define BATCH 62               /* block records made at once */
#define SENTINEL 0xA5

typedef struct slab slab;
typedef struct block {
    char *at;                            /* device memory; never looked into */
    struct block *next_free, *prev_free; /* while free; next_free also while the record is unused */
    struct block *left, *right;          /* neighbours in the slab, or NULL */
    struct block *chain;                 /* the next in its place of the table, while taken */
    slab *home;
    int64_t bytes;
    int32_t taken, watched; /* watched: the last CW_ALIGN bytes are a sentinel */
} block;

struct slab {
    slab *next;
    block *first;
    char *memory;
    int64_t bytes;
    int32_t small;
};

typedef struct batch {
    struct batch *next;
    block record[BATCH];
} batch;

/* large and small requests, apart */
typedef struct pool {
    slab *slabs;
    block *unused;
    int64_t held, count;       /* bytes of the slabs, and how many they are */
    int64_t now, peak, before; /* bytes taken; their peak in this step, and in the last */
    int64_t planned;           /* what the first slab should hold; 0: nothing is known yet */
    int released;              /* slabs went back to the system within this step */
} pool;

struct cw_arena {
    cw_ctx *ctx;
    const cw_device *device;
    pool pool[2];
    batch *batches;
    block *spare;         /* records not in use */
    block **table;        /* taken blocks by address; `places` is a power of 2 */
    int64_t places, taken;
    int64_t now, peak;    /* of both pools together */
    int sentinels;
};

cw_arena *cw_arena_new_on(cw_ctx *ctx, const cw_device *device)
{
    cw_arena *arena = cw_calloc(ctx, 1, sizeof *arena);
    if (!arena) return NULL;
    arena->ctx = ctx;
    arena->device = device;
    return arena;
}

cw_arena *cw_arena_new(cw_ctx *ctx) { return cw_arena_new_on(ctx, &cw_device_host); }

/* ---- records ---- */

static block *new_record(cw_arena *arena)
{
    if (!arena->spare) {
        batch *more = cw_alloc(arena->ctx, 1, sizeof *more);
        if (!more) return NULL;
        more->next = arena->batches;
        arena->batches = more;
        for (int i = 0; i < BATCH; i++) more->record[i].next_free = i + 1 < BATCH ? more->record + i + 1 : NULL;
        arena->spare = more->record;
    }
    block *b = arena->spare;
    arena->spare = b->next_free;
    memset(b, 0, sizeof *b);
    return b;
}

static void spare_record(cw_arena *arena, block *b)
{
    b->next_free = arena->spare;
    arena->spare = b;
}

static int64_t place_of(const cw_arena *arena, const void *at)
{
    uint64_t h = (uint64_t)(uintptr_t)at / CW_ALIGN * 0x9E3779B97F4A7C15ULL;
    return (int64_t)(h >> 32) & (arena->places - 1);
}

/* Room for one more taken block in the table; 0 with the error recorded. */
static int grow_table(cw_arena *arena)
{
    if (arena->taken < arena->places) return 1;
    int64_t places = arena->places ? 2 * arena->places : 256, before = arena->places;
    block **table = cw_calloc(arena->ctx, places, sizeof *table), **old = arena->table;
    if (!table) return 0;
    arena->table = table;
    arena->places = places;
    for (int64_t i = 0; i < before; i++)
        for (block *b = old[i]; b;) {
            block *next = b->chain, **at = table + place_of(arena, b->at);
            b->chain = *at;
            *at = b;
            b = next;
        }
    cw_free(arena->ctx, old);
    return 1;
}

/* ---- slabs ---- */

static void drop_blocks(cw_arena *arena, slab *s)
{
    for (block *b = s->first; b;) {
        block *right = b->right;
        spare_record(arena, b);
        b = right;
    }
    s->first = NULL;
}

static void free_slab(cw_arena *arena, slab *s)
{
    drop_blocks(arena, s);
    arena->device->give(arena->ctx, s->memory);
    cw_free(arena->ctx, s);
}

static void free_slabs(cw_arena *arena, pool *p)
{
    while (p->slabs) {
        slab *s = p->slabs;
        p->slabs = s->next;
        free_slab(arena, s);
    }
    p->unused = NULL;
    p->held = p->count = 0;
}

void cw_arena_free(cw_arena *arena)
{
    if (!arena) return;
    for (int i = 0; i < 2; i++) free_slabs(arena, &arena->pool[i]);
    while (arena->batches) {
        batch *next = arena->batches->next;
        cw_free(arena->ctx, arena->batches);
        arena->batches = next;
    }
    cw_free(arena->ctx, arena->table);
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

/* The whole slab as the one free block `b`. */
static void clear_slab(pool *p, slab *s, block *b)
{
    memset(b, 0, sizeof *b);
    b->at = s->memory;
    b->home = s;
    b->bytes = s->bytes;
    s->first = b;
    list_free(p, b);
}

static int add_slab(cw_arena *arena, pool *p, int64_t bytes, int small)
{
    block *b = new_record(arena);
    slab *s = b ? cw_alloc(arena->ctx, 1, sizeof *s) : NULL;
    char *memory = s ? arena->device->take(arena->ctx, bytes) : NULL;
    if (!memory) {
        cw_free(arena->ctx, s);
        if (b) spare_record(arena, b);
        return 0;
    }
    *s = (slab){.next = p->slabs, .memory = memory, .bytes = bytes, .small = small};
    p->slabs = s;
    p->held += bytes;
    p->count++;
    clear_slab(p, s, b);
    return 1;
}

/* Nothing fits: what lies about unused goes back to the system before more is asked of it. */
static void release_unused(cw_arena *arena, pool *p)
{
    for (slab **at = &p->slabs; *at;) {
        slab *s = *at;
        if (s->first->taken || s->first->right) {
            at = &s->next;
            continue;
        }
        unlist_free(p, s->first);
        *at = s->next;
        p->held -= s->bytes;
        p->count--;
        p->released = 1;
        free_slab(arena, s);
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

/* Cuts what b has beyond `bytes` off as a free block of its own. 0 with the error recorded. */
static int trim(cw_arena *arena, pool *p, block *b, int64_t bytes)
{
    if (b->bytes == bytes) return 1;
    block *rest = new_record(arena);
    if (!rest) return 0;
    rest->at = b->at + bytes;
    rest->home = b->home;
    rest->bytes = b->bytes - bytes;
    rest->left = b;
    rest->right = b->right;
    if (b->right) b->right->left = rest;
    b->right = rest;
    b->bytes = bytes;
    list_free(p, rest);
    return 1;
}

static void count_taken(cw_arena *arena, pool *p, int64_t bytes)
{
    p->now += bytes;
    arena->now += bytes;
    if (p->now > p->peak) p->peak = p->now;
    if (arena->now > arena->peak) arena->peak = arena->now;
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
    if (arena->sentinels || !small) bytes += CW_ALIGN; /* between large blocks: see the head */
    if (!grow_table(arena)) return NULL;
    block *b = best_fit(p, bytes);
    if (!b) {
        /* the first slab after a reset has room for all that the last step used */
        int64_t slab_bytes = bytes;
        if (small && slab_bytes < SMALL_SLAB) slab_bytes = SMALL_SLAB;
        if (!p->slabs && slab_bytes < p->planned) slab_bytes = p->planned;
        release_unused(arena, p);
        if (!add_slab(arena, p, slab_bytes, small)) return NULL;
        b = p->unused;
    }
    if (!trim(arena, p, b, bytes)) return NULL;
    unlist_free(p, b);
    b->taken = 1;
    b->watched = arena->sentinels;
    if (b->watched) arena->device->fill(arena->ctx, b->at + bytes - CW_ALIGN, SENTINEL, CW_ALIGN);
    block **place = arena->table + place_of(arena, b->at);
    b->chain = *place;
    *place = b;
    arena->taken++;
    count_taken(arena, p, b->bytes);
    return b->at;
}

/* b swallows its right neighbour. */
static void join(cw_arena *arena, block *b)
{
    block *right = b->right;
    b->bytes += right->bytes;
    b->right = right->right;
    if (b->right) b->right->left = b;
    spare_record(arena, right);
}

static void look_at_sentinel(cw_arena *arena, const block *b)
{
    unsigned char end[CW_ALIGN];
    arena->device->copy_out(arena->ctx, end, b->at + b->bytes - CW_ALIGN, CW_ALIGN);
    for (int i = 0; i < CW_ALIGN; i++)
        if (end[i] != SENTINEL) {
            cw_fail(arena->ctx, CW_ERR_STATE, "a block of %lld bytes was written beyond its end",
                    (long long)(b->bytes - CW_ALIGN));
            return;
        }
}

void cw_arena_give(cw_arena *arena, void *pointer)
{
    if (!pointer || !arena->places) return;
    block **place = arena->table + place_of(arena, pointer);
    while (*place && (*place)->at != pointer) place = &(*place)->chain;
    block *b = *place;
    if (!b) return;
    *place = b->chain;
    arena->taken--;
    if (b->watched) look_at_sentinel(arena, b);
    pool *p = &arena->pool[b->home->small];
    p->now -= b->bytes;
    arena->now -= b->bytes;
    b->taken = 0;
    if (b->right && !b->right->taken) {
        unlist_free(p, b->right);
        join(arena, b);
    }
    if (b->left && !b->left->taken) {
        b = b->left;
        unlist_free(p, b);
        join(arena, b);
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
    for (slab *s = p->slabs; s; s = s->next) {
        block *first = s->first;
        s->first = first->right;
        drop_blocks(arena, s);
        clear_slab(p, s, first);
    }
}

void cw_arena_reset(cw_arena *arena)
{
    if (arena->taken) memset(arena->table, 0, (size_t)arena->places * sizeof *arena->table);
    arena->taken = arena->now = arena->peak = 0;
    for (int i = 0; i < 2; i++) reset_pool(arena, &arena->pool[i]);
}

int64_t cw_arena_bytes(const cw_arena *arena) { return arena->pool[0].held + arena->pool[1].held; }

int64_t cw_arena_peak(const cw_arena *arena) { return arena->peak; }

void cw_arena_sentinels(cw_arena *arena, int on) { arena->sentinels = on; }

const cw_device *cw_arena_device(const cw_arena *arena) { return arena->device; }

cw_ctx *cw_arena_ctx(const cw_arena *arena) { return arena->ctx; }
