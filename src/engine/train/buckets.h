/* buckets.h: gradients on their way to the sums over all processes, while the backward goes on.
 *
 * Parameters are put into buckets from the last to the first, about the order in which their gradients become ready. A
 * bucket is sent when all of its gradients are there and the one before it has been sent: the same order at every process,
 * whatever parts of a model a batch used. */
#ifndef CW_BUCKETS_H
#define CW_BUCKETS_H

#include "../core/comm.h"
#include "../nn/params.h"

#define CW_BUCKET_VALUES 1048576 /* a bucket is sent when it holds as many */

typedef struct cw_buckets cw_buckets;

/* For what is trained now. `values` <= 0: CW_BUCKET_VALUES. NULL with the error recorded. */
cw_buckets *cw_buckets_new(cw_params *params, cw_comm *comm, int64_t values) CW_USED_RESULT;
void cw_buckets_free(cw_buckets *buckets); /* NULL is fine */

/* For cw_tape.ready: this gradient is complete. */
void cw_buckets_ready(void *buckets, cw_tensor *param);
/* What isn't sent yet is; returns when the gradients are the sums. Also on a failed context: the others wait. */
void cw_buckets_finish(cw_buckets *buckets);

#endif
