/* comm_threads.h: the communicator's reference: "processes" that are threads of one program. Sums are taken in the order of
 * ranks. */
#ifndef CW_COMM_THREADS_H
#define CW_COMM_THREADS_H

#include "core/comm.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { COMM_MOST = 8, COMM_QUEUE = 512 };

typedef struct hub {
    pthread_barrier_t all;
    void *x[COMM_MOST];
    int64_t n[COMM_MOST];
    int size, unlike; /* unlike: how often lengths differed, which MPI would not bear */
} hub;

typedef struct thread_comm {
    cw_comm comm; /* first */
    hub *hub;
    struct {
        float *x;
        int64_t n;
    } queue[COMM_QUEUE];
    int queued;
    int64_t sent; /* floats so far */
} thread_comm;

static inline int comm_offer(thread_comm *c, void *x, int64_t n)
{
    hub *h = c->hub;
    h->x[c->comm.rank] = x, h->n[c->comm.rank] = n;
    pthread_barrier_wait(&h->all);
    int alike = 1;
    for (int r = 0; r < h->size; r++) alike = alike && h->n[r] == n;
    if (!alike && c->comm.rank == 0) h->unlike++;
    return alike;
}

#define COMM_SUM(name, type)                                                         \
    static inline void name(cw_comm *comm, type *x, int64_t n)                       \
    {                                                                                \
        thread_comm *c = (thread_comm *)comm;                                        \
        type *sum = calloc((size_t)n + 1, sizeof *sum);                              \
        int alike = comm_offer(c, x, n);                                             \
        for (int r = 0; alike && r < comm->size; r++)                                \
            for (int64_t i = 0; i < n; i++) sum[i] += ((const type *)c->hub->x[r])[i]; \
        pthread_barrier_wait(&c->hub->all);                                          \
        memcpy(x, sum, (size_t)n * sizeof *sum);                                     \
        free(sum);                                                                   \
        pthread_barrier_wait(&c->hub->all);                                          \
    }
COMM_SUM(comm_sum, double)
COMM_SUM(comm_sum_floats, float)

static inline void comm_start(cw_comm *comm, float *x, int64_t n)
{
    thread_comm *c = (thread_comm *)comm;
    c->queue[c->queued].x = x, c->queue[c->queued++].n = n;
    c->sent += n;
}

static inline void comm_wait(cw_comm *comm)
{
    thread_comm *c = (thread_comm *)comm;
    for (int i = 0; i < c->queued; i++) comm_sum_floats(comm, c->queue[i].x, c->queue[i].n);
    c->queued = 0;
}

static inline void comm_broadcast(cw_comm *comm, void *x, int64_t bytes, int from)
{
    thread_comm *c = (thread_comm *)comm;
    if (comm_offer(c, x, bytes) && comm->rank != from) memcpy(x, c->hub->x[from], (size_t)bytes);
    pthread_barrier_wait(&c->hub->all);
}

static inline void comm_abort(cw_comm *comm) { (void)comm, abort(); }

static inline void hub_open(hub *h, int size)
{
    memset(h, 0, sizeof *h);
    h->size = size;
    pthread_barrier_init(&h->all, NULL, (unsigned)size);
}
static inline void hub_close(hub *h) { pthread_barrier_destroy(&h->all); }

static inline void thread_comm_open(thread_comm *c, hub *h, int rank)
{
    memset(c, 0, sizeof *c);
    c->comm = (cw_comm){.rank = rank, .size = h->size, .sum = comm_sum, .start = comm_start, .wait = comm_wait,
                        .broadcast = comm_broadcast, .abort = comm_abort};
    c->hub = h;
}

#endif
