/* place.h: a file's place: written beside it, flushed, renamed at the end.
 *
 * What is at the place stays as it was until the new content is whole and on the disk. Links are followed, so a link
 * stays a link; the mode and, where the system lets us, the owner of what is replaced are kept. The file beside is
 * hidden and named after the place, the machine and the process: ".NAME.part-MACHINE-PROCESS-NUMBER", so that what a
 * killed process left is known by its name and removed by whoever writes to the same place next. */
#ifndef CW_IO_PLACE_H
#define CW_IO_PLACE_H

#include "../core/core.h"

typedef enum cw_place_kind {
    CW_PLACE_NOTHING,
    CW_PLACE_FILE, /* a regular one */
    CW_PLACE_FOLDER,
    CW_PLACE_OTHER /* a device, a pipe, a socket: never written to, never replaced */
} cw_place_kind;

/* Where `path` leads: the absolute name behind all links (cw_free), and what is there. NULL with the error recorded
 * when the folder isn't there, a name is too long, or links lead round in a circle. */
char *cw_place_find(cw_ctx *ctx, cw_place_kind *kind, const char *path) CW_USED_RESULT;

/* `path` with its folder spelt absolutely, the link at its end, if it is one, not followed (cw_free). */
char *cw_place_absolute(cw_ctx *ctx, const char *path) CW_USED_RESULT;

/* A name beside `target` that nobody has (cw_free). `make`: with an empty file of that name, private while another
 * file is at the target. Removes what dead processes left beside this target, folders excepted. */
char *cw_place_part(cw_ctx *ctx, const char *target, int make) CW_USED_RESULT;

/* Calls found(user, path) for each file or folder that a dead process of this machine left beside `target`. */
void cw_place_leftovers(cw_ctx *ctx, const char *target, void (*found)(void *user, const char *path), void *user);

/* Flushes `part`, gives it the target's mode, and renames it to the target; replace = 0: only if nothing is there.
 * After an error the part is still there. */
cw_status cw_place_commit(cw_ctx *ctx, const char *part, const char *target, int replace);

/* Flushes a file or a folder's names to the disk. */
cw_status cw_place_sync(cw_ctx *ctx, const char *path);

/* Exchanges two names in one step: 1; 0 where the system can't. Errors of another kind are recorded. */
int cw_place_swap(cw_ctx *ctx, const char *a, const char *b);

#endif
