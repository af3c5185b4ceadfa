/* comm.h: several processes that train one model together.
 *
 * All processes make the same calls in the same order; sums have the same bits at every process. A process that fails
 * must not leave the others waiting: so they meet (cw_comm_meet) before anything is sent, and whoever has failed says so
 * there, with its reason, which then is everybody's.
 *
 * Below cw_comm is a way of sending: one process (cw_comm_one), MPI (comm_mpi.c, where configure found it), threads (the
 * tests' reference, tests/engine/comm_threads.h). */
#ifndef CW_COMM_H
#define CW_COMM_H

#include "core.h"

typedef struct cw_comm cw_comm;
struct cw_comm {
    int rank, size; /* rank 0 speaks and writes for all */
    int broken;     /* 1: a failure that all know of; until the next beginning nobody meets but to leave */
    void *user;
    void (*sum)(cw_comm *comm, double *x, int64_t n); /* x becomes the sum over processes, in place */
    /* The same for floats, begun: x is nobody's until cw_comm.wait, which ends all that was begun. In the same order at
     * every process. */
    void (*start)(cw_comm *comm, float *x, int64_t n);
    void (*poke)(cw_comm *comm); /* lets what was begun go on; NULL: it does by itself */
    void (*wait)(cw_comm *comm);
    void (*broadcast)(cw_comm *comm, void *x, int64_t bytes, int from);
    void (*abort)(cw_comm *comm); /* ends all processes at once, for when meeting is no longer possible */
};

/* One process: nothing is sent. */
cw_comm *cw_comm_one(void);

#define CW_MEET_MOST 64
/* What a meeting is for: a process that is elsewhere is told from the others. */
typedef enum cw_meeting { CW_MEET_BEGIN = 1, CW_MEET_LOSS, CW_MEET_GRADIENT, CW_MEET_FAIL, CW_MEET_LEAVE } cw_meeting;

/* All processes meet and add up x (n <= CW_MEET_MOST). Where the context of any has failed, or one is at another meeting,
 * the contexts of all have failed afterwards, those of the others with "process 2 of 4: " and its reason. Returns the
 * status. */
cw_status cw_comm_meet(cw_comm *comm, cw_ctx *ctx, cw_meeting what, double *x, int64_t n);

/* Tells the others, at their next meeting, that this context has failed; nothing where they know. */
cw_status cw_comm_fail(cw_comm *comm, cw_ctx *ctx);

/* comm_mpi.c. Starts MPI, once; NULL with the error recorded: built without it, or it sees another number of processes
 * than `size`, which the launcher told. The same object at every call. */
cw_comm *cw_comm_mpi(cw_ctx *ctx, int size);
const char *cw_comm_mpi_version(void); /* "" where there is none */
void cw_comm_mpi_end(void);            /* once, when all have left */

#endif
