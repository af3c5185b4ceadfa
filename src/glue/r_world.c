/* r_world.c: the processes that mpirun or srun started with this one. R says how many there are; MPI starts then, and never
 * otherwise. */
#include "r_model.h"

#include "../engine/core/comm.h"

#include <string.h>
#ifndef _WIN32
#include <unistd.h>
#endif

static cw_comm *world; /* NULL: this process is alone */
static long home;      /* the process that found it; a fork has no part in it */

static long process(void)
{
#ifdef _WIN32
    return 1;
#else
    return (long)getpid();
#endif
}

static cw_comm *others(void) { return home == process() ? world : NULL; }

cw_comm *cw_glue_world(void) { return others() ? world : cw_comm_one(); }

/* c(rank, size), rank from 0; size: what the launcher says. */
SEXP cw_r_world(SEXP size)
{
    int n = Rf_asInteger(size);
    SEXP out = PROTECT(Rf_allocVector(INTSXP, 2));
    cw_ctx *ctx = cw_glue_enter(0);
    cw_comm *c = cw_comm_mpi(ctx, n);
    if (c) {
        world = c, home = process();
        INTEGER(out)[0] = c->rank, INTEGER(out)[1] = c->size;
    }
    return cw_glue_return(ctx, out);
}

/* Waits until all processes are here; the first failure of any is raised at all. */
SEXP cw_r_world_meet(void)
{
    cw_comm *c = cw_glue_world();
    cw_ctx *ctx = cw_glue_enter(0);
    if (c->size > 1) c->broken = 0;
    cw_comm_meet(c, ctx, CW_MEET_BEGIN, NULL, 0);
    cw_glue_leave(ctx);
    return R_NilValue;
}

/* Tells the others that this process has failed in R's code. */
SEXP cw_r_world_fail(SEXP text, SEXP interrupted)
{
    if (!others()) return R_NilValue;
    const char *why = cw_glue_text(text, "text");
    int stopped = Rf_asLogical(interrupted) == 1;
    cw_ctx *ctx = cw_ctx_new(NULL);
    if (!ctx) world->abort(world);
    cw_fail(ctx, stopped ? CW_ERR_INTERRUPT : CW_ERR_STATE, "%s", why);
    cw_comm_fail(world, ctx);
    cw_ctx_free(ctx);
    return R_NilValue;
}

typedef struct {
    const void *bytes;
    int64_t n;
    SEXP shelf;
} copy;

/* Runs under R_ToplevelExec, for R may run out of memory. */
static void copy_bytes(void *data)
{
    copy *c = data;
    SEXP raw = Rf_allocVector(RAWSXP, (R_xlen_t)c->n);
    SET_VECTOR_ELT(c->shelf, 0, raw);
    if (c->n) memcpy(RAW(raw), c->bytes, (size_t)c->n);
}

/* The bytes that rank 0 has. */
SEXP cw_r_world_send(SEXP raw)
{
    cw_comm *c = cw_glue_world();
    if (c->size == 1) return raw;
    int64_t n = c->rank == 0 ? (int64_t)Rf_xlength(raw) : 0;
    const void *own = c->rank == 0 ? RAW(raw) : NULL;
    SEXP shelf = PROTECT(Rf_allocVector(VECSXP, 1));
    cw_ctx *ctx = cw_glue_enter(0);
    char *room = NULL;
    c->broken = 0;
    if (cw_comm_meet(c, ctx, CW_MEET_BEGIN, NULL, 0) == CW_OK) {
        c->broadcast(c, &n, sizeof n, 0);
        room = cw_alloc(ctx, n, 1);
        if (cw_comm_meet(c, ctx, CW_MEET_BEGIN, NULL, 0) == CW_OK) {
            if (own && n) memcpy(room, own, (size_t)n);
            c->broadcast(c, room, n, 0);
            copy all = {room, n, shelf};
            if (!R_ToplevelExec(copy_bytes, &all)) cw_fail(ctx, CW_ERR_MEMORY, "no memory for what rank 0 says");
        }
    }
    cw_free(ctx, room);
    cw_glue_leave(ctx);
    UNPROTECT(1);
    return VECTOR_ELT(shelf, 0);
}

/* The last call of a process: others that still train hear of it, those that have ended wait for all. */
SEXP cw_r_world_leave(void)
{
    if (!others()) return R_NilValue;
    cw_ctx *ctx = cw_ctx_new(NULL);
    if (!ctx) world->abort(world);
    while (cw_comm_meet(world, ctx, CW_MEET_LEAVE, NULL, 0) != CW_OK) cw_ctx_clear(ctx);
    cw_ctx_free(ctx);
    world = NULL;
    cw_comm_mpi_end();
    return R_NilValue;
}

/* The run that has begun is that of all processes from now on. */
SEXP cw_r_train_share(SEXP ptr)
{
    cw_handle *h = cw_handle_of(ptr);
    if (!h->trainer) Rf_error("internal error: training has not begun");
    cw_glue_resume(h->ctx);
    cw_trainer_share(h->trainer, cw_glue_world(), 0);
    cw_glue_pause(h->ctx);
    return R_NilValue;
}
