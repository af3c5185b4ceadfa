/* scgpt_attention.c: ranks of attention scores, by which the published analysis compares genes and cells. */
#include "scgpt.h"

#include "../../core/select.h"
#include "../../core/threads.h"

#include <stdlib.h>

/* x[0], x[step], .. (n) become their ranks from 0, / n. `room`: (n) */
static void rank_line(float *x, int64_t step, int64_t n, cw_ranked *room)
{
    for (int64_t i = 0; i < n; i++) room[i] = (cw_ranked){x[i * step], (int32_t)i};
    qsort(room, (size_t)n, sizeof *room, cw_ranked_rising);
    for (int64_t i = 0; i < n; i++) x[room[i].at * step] = (float)i / (float)n;
}

cw_status cw_scgpt_rank_scores(cw_ctx *ctx, float *score, int64_t heads, int64_t n)
{
    int threads = ctx->threads;
    cw_ranked *room = cw_alloc(ctx, threads * n, sizeof *room);
    if (!room) return ctx->status;
    for (int pass = 0; pass < 2; pass++) {
    #pragma omp parallel for num_threads(threads) if (threads > 1)
        for (int64_t i = 0; i < heads * n; i++) {
            float *matrix = score + i / n * n * n;
            rank_line(pass ? matrix + i % n : matrix + i % n * n, pass ? n : 1, n, room + cw_thread_number() * n);
        }
    }
    cw_free(ctx, room);
    return ctx->status;
}
