/* observe.h: looking at a forward's intermediate results by name, for tests and comparisons. */
#ifndef CW_OBSERVE_H
#define CW_OBSERVE_H

#include "../autodiff/tape.h"

/* Called with each named intermediate result, at once: the tensor may be gone afterwards. */
typedef struct cw_observer {
    void *user;
    void (*see)(void *user, const char *name, const cw_tensor *x);
} cw_observer;
void cw_observe(const cw_observer *observer, cw_tape *tape, const char *name, const cw_tensor *x); /* NULLs are fine */

#endif
