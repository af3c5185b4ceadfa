/* arena.h: memory that is used again and again.
 *
 * A step of training takes the same blocks every time, or nearly. The arena keeps what is given back, splits and joins it
 * as requests come, and after a step holds one slab as large as that step's peak: from then on nothing more is asked of
 * the system (cw_memory.calls stands still), also when the sizes within vary. Slabs that two steps in a row found much
 * too large go back to the system.
 */
#ifndef CW_ARENA_H
#define CW_ARENA_H

#include "core.h"

typedef struct cw_arena cw_arena;

cw_arena *cw_arena_new(cw_ctx *ctx) CW_USED_RESULT; /* NULL with the error recorded */
void cw_arena_free(cw_arena *arena);                /* frees every block, also those still taken */

/* `bytes` bytes, CW_ALIGN-aligned, uninitialised; NULL with the error recorded in the context. */
void *cw_arena_take(cw_arena *arena, int64_t bytes) CW_USED_RESULT;
void cw_arena_give(cw_arena *arena, void *p); /* NULL is fine */
void cw_arena_reset(cw_arena *arena);         /* everything is given back; pointers into the arena are dead */
int64_t cw_arena_bytes(const cw_arena *arena); /* held, taken or not */
cw_ctx *cw_arena_ctx(const cw_arena *arena);

#endif
