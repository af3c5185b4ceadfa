/* arena.h: memory that is used again and again.
 *
 * A step of training takes the same blocks every time, or nearly. The arena keeps what is given back, splits and joins it
 * as requests come, and after a step holds one slab as large as that step's peak: from then on nothing more is asked of
 * the system (cw_memory.calls stands still), also when the sizes within vary. Slabs that two steps in a row found much
 * too large go back to the system.
 *
 * The memory may be any device's: what the arena knows about its blocks stands beside them, in host memory. */
#ifndef CW_ARENA_H
#define CW_ARENA_H

#include "core.h"
#include "device.h"

typedef struct cw_arena cw_arena;

cw_arena *cw_arena_new(cw_ctx *ctx) CW_USED_RESULT; /* host memory; NULL with the error recorded */
cw_arena *cw_arena_new_on(cw_ctx *ctx, const cw_device *device) CW_USED_RESULT;
void cw_arena_free(cw_arena *arena); /* frees every block, also those still taken */

/* `bytes` bytes, CW_ALIGN-aligned, uninitialised; NULL with the error recorded in the context. */
void *cw_arena_take(cw_arena *arena, int64_t bytes) CW_USED_RESULT;
void cw_arena_give(cw_arena *arena, void *p); /* NULL is fine */
void cw_arena_reset(cw_arena *arena);         /* everything is given back; pointers into the arena are dead */
int64_t cw_arena_bytes(const cw_arena *arena); /* held, taken or not */
int64_t cw_arena_peak(const cw_arena *arena);  /* the most that was taken at once since the reset */
cw_ctx *cw_arena_ctx(const cw_arena *arena);
const cw_device *cw_arena_device(const cw_arena *arena);

/* Tests only, between resets: behind every block from now on stand CW_ALIGN bytes of a known value, looked at when the
 * block is given back; a change is recorded as CW_ERR_STATE. */
void cw_arena_sentinels(cw_arena *arena, int on);

#endif
