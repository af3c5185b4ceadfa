/* arena.c: see arena.h. */
#include "arena.h"

#include <string.h>

#define CLASSES_PER_OCTAVE 16
#define CLASS_COUNT (CLASSES_PER_OCTAVE * 48)

typedef struct block {
    struct block *next_in_class; /* while free */
    struct block *next, *prev;   /* all blocks of the arena */
    int64_t bytes;               /* usable, a class size */
    int32_t size_class;
    int32_t taken;
    int64_t last_used; /* the reset count when it was last taken */
} block;
_Static_assert(sizeof(block) <= CW_ALIGN, "the block header must leave data aligned");

struct cw_arena {
    cw_ctx *ctx;
    block *all;
    block *unused[CLASS_COUNT];
    int64_t bytes, resets;
};

/* Class c = 16 o + s holds blocks of 256 * 2^o * (1 + s/16) bytes: the smallest class with room for `bytes`. */
static int class_of(int64_t bytes, int64_t *rounded)
{
    int octave = 0;
    int64_t base = 256;
    while (base * 2 <= bytes) base *= 2, octave++;
    int64_t step = base / CLASSES_PER_OCTAVE;
    int64_t s = bytes <= base ? 0 : (bytes - base + step - 1) / step;
    *rounded = base + s * step;
    return octave * CLASSES_PER_OCTAVE + (int)s;
}

cw_arena *cw_arena_new(cw_ctx *ctx)
{
    cw_arena *arena = cw_calloc(ctx, 1, sizeof *arena);
    if (arena) arena->ctx = ctx;
    return arena;
}

static void to_system(cw_arena *arena, block *b)
{
    if (b->prev) b->prev->next = b->next; else arena->all = b->next;
    if (b->next) b->next->prev = b->prev;
    arena->bytes -= b->bytes;
    cw_free(arena->ctx, b);
}

void cw_arena_free(cw_arena *arena)
{
    if (!arena) return;
    while (arena->all) to_system(arena, arena->all);
    cw_free(arena->ctx, arena);
}

void *cw_arena_take(cw_arena *arena, int64_t bytes)
{
    if (arena->ctx->status != CW_OK) return NULL;
    if (bytes < 0 || bytes > ((int64_t)1 << 46)) {
        cw_fail(arena->ctx, CW_ERR_MEMORY, "a request for %lld bytes is beyond any machine", (long long)bytes);
        return NULL;
    }
    int64_t rounded;
    int c = class_of(bytes, &rounded);
    block *b = NULL;
    /* a block up to two classes (an eighth) too large will do */
    for (int wider = 0; wider < 3 && !b && c + wider < CLASS_COUNT; wider++) {
        b = arena->unused[c + wider];
        if (b) arena->unused[c + wider] = b->next_in_class;
    }
    if (!b) {
        b = cw_alloc(arena->ctx, CW_ALIGN + rounded, 1);
        if (!b) return NULL;
        b->bytes = rounded;
        b->size_class = c;
        b->prev = NULL;
        b->next = arena->all;
        if (b->next) b->next->prev = b;
        arena->all = b;
        arena->bytes += rounded;
    }
    b->taken = 1;
    b->last_used = arena->resets;
    return (char *)b + CW_ALIGN;
}

static void put_back(cw_arena *arena, block *b)
{
    b->taken = 0;
    b->next_in_class = arena->unused[b->size_class];
    arena->unused[b->size_class] = b;
}

void cw_arena_give(cw_arena *arena, void *p)
{
    if (!p) return;
    block *b = (block *)((char *)p - CW_ALIGN);
    if (b->taken) put_back(arena, b);
}

void cw_arena_reset(cw_arena *arena)
{
    memset(arena->unused, 0, sizeof arena->unused);
    for (block *b = arena->all, *next; b; b = next) {
        next = b->next;
        if (b->last_used + 1 < arena->resets) to_system(arena, b);
        else put_back(arena, b);
    }
    arena->resets++;
}

int64_t cw_arena_bytes(const cw_arena *arena) { return arena->bytes; }

cw_ctx *cw_arena_ctx(const cw_arena *arena) { return arena->ctx; }
