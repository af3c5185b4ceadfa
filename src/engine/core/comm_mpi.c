/* comm_mpi.c: see comm.h. Sums of floats are MPI_Iallreduce, so that they go on while the backward does. */
#if defined(CW_HAVE_MPI) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* dladdr */
#endif
#include "comm.h"

#ifdef CW_HAVE_MPI

#include <dlfcn.h>
#include <mpi.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST_REQUESTS = 256 };
#define MOST_ITEMS (1 << 30) /* of one call, which counts in int */

static struct {
    cw_comm comm;
    MPI_Comm world;
    MPI_Request request[MOST_REQUESTS];
    int requests;
    int started, own; /* own: MPI was started here, and is ended here */
    long process;
} mpi;

static int piece(int64_t n) { return n < MOST_ITEMS ? (int)n : MOST_ITEMS; }

static void sum_mpi(cw_comm *c, double *x, int64_t n)
{
    (void)c;
    for (int64_t at = 0; at < n; at += MOST_ITEMS)
        MPI_Allreduce(MPI_IN_PLACE, x + at, piece(n - at), MPI_DOUBLE, MPI_SUM, mpi.world);
}

static void wait_mpi(cw_comm *c)
{
    (void)c;
    MPI_Waitall(mpi.requests, mpi.request, MPI_STATUSES_IGNORE);
    mpi.requests = 0;
}

static void start_mpi(cw_comm *c, float *x, int64_t n)
{
    for (int64_t at = 0; at < n; at += MOST_ITEMS) {
        if (mpi.requests == MOST_REQUESTS) wait_mpi(c);
        MPI_Iallreduce(MPI_IN_PLACE, x + at, piece(n - at), MPI_FLOAT, MPI_SUM, mpi.world, &mpi.request[mpi.requests++]);
    }
}

static void poke_mpi(cw_comm *c)
{
    int done;
    (void)c;
    if (mpi.requests > 0) MPI_Testall(mpi.requests, mpi.request, &done, MPI_STATUSES_IGNORE);
}

static void broadcast_mpi(cw_comm *c, void *x, int64_t bytes, int from)
{
    (void)c;
    for (int64_t at = 0; at < bytes; at += MOST_ITEMS)
        MPI_Bcast((char *)x + at, piece(bytes - at), MPI_BYTE, from, mpi.world);
}

static void abort_mpi(cw_comm *c)
{
    (void)c;
    MPI_Abort(mpi.world, 1);
}

/* A host that loads its libraries for itself alone (R) hides MPI's names from the parts that MPI loads. */
static void show_names(void)
{
    Dl_info where;
    int (*function)(int *) = MPI_Initialized;
    void *address;
    memcpy(&address, &function, sizeof address);
    if (dladdr(address, &where) && where.dli_fname) (void)dlopen(where.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
}

static void begin(void)
{
    int running, level;
    show_names();
    MPI_Initialized(&running);
    if (!running) MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &level);
    mpi.own = !running;
    MPI_Comm_dup(MPI_COMM_WORLD, &mpi.world);
    mpi.comm = (cw_comm){.sum = sum_mpi,
                         .start = start_mpi,
                         .poke = poke_mpi,
                         .wait = wait_mpi,
                         .broadcast = broadcast_mpi,
                         .abort = abort_mpi};
    MPI_Comm_rank(mpi.world, &mpi.comm.rank);
    MPI_Comm_size(mpi.world, &mpi.comm.size);
    mpi.process = (long)getpid();
    mpi.started = 1;
}

cw_comm *cw_comm_mpi(cw_ctx *ctx, int size)
{
    if (!mpi.started) begin();
    if (mpi.process != (long)getpid()) {
        cw_fail(ctx, CW_ERR_STATE, "this is a fork of a process that MPI runs in; only that one can train with the others");
        return NULL;
    }
    if (mpi.comm.size != size) {
        cw_fail(ctx, CW_ERR_STATE,
                "the launcher started %d processes, but MPI sees %d: it is another MPI's launcher (with srun: --mpi=pmix)",
                size, mpi.comm.size);
        return NULL;
    }
    return &mpi.comm;
}

const char *cw_comm_mpi_version(void)
{
    static char text[64];
    int major, minor;
    MPI_Get_version(&major, &minor);
#ifdef OMPI_MAJOR_VERSION
    snprintf(text, sizeof text, "Open MPI %d.%d.%d (MPI %d.%d)", OMPI_MAJOR_VERSION, OMPI_MINOR_VERSION,
             OMPI_RELEASE_VERSION, major, minor);
#else
    snprintf(text, sizeof text, "MPI %d.%d", major, minor);
#endif
    return text;
}

void cw_comm_mpi_end(void)
{
    int ended;
    if (!mpi.started || mpi.process != (long)getpid()) return;
    MPI_Finalized(&ended);
    if (mpi.own && !ended) MPI_Finalize();
    mpi.started = 0;
}

#else

cw_comm *cw_comm_mpi(cw_ctx *ctx, int size)
{
    cw_fail(ctx, CW_ERR_STATE,
            "this is one of %d processes, but causeway was built without MPI: install it (Debian: libopenmpi-dev) and "
            "causeway again, or start without mpirun or srun",
            size);
    return NULL;
}
const char *cw_comm_mpi_version(void) { return ""; }
void cw_comm_mpi_end(void) {}

#endif
