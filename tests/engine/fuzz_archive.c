/* fuzz_archive.c: any bytes at all into the readers of weights (PyTorch, MindSpore); they may refuse them, nothing else.
 *
 * test_archive.c includes this file and drives it with its own mutations. With libFuzzer (clang), from tests/engine:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -D_POSIX_C_SOURCE=200809L -I../../src/engine fuzz_archive.c \
 *     ../../src/engine/core/core.c ../../src/engine/io/{archive,torch,mindspore,pickle,zip,mapped,safetensors,json,place}.c \
 *     -lcjson -lm -o fuzz
 *   ./fuzz -max_total_time=3600 -max_len=65536 corpus/   (corpus: a copy of ../shared/data/07_checkpoints, all in one folder) */
#include "core/core.h"
#include "io/archive.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static volatile float fuzz_sum; /* so that reading isn't left out */

static void fuzz_read_stored(cw_ctx *ctx, const cw_stored *e, int64_t n)
{
    if (e->count > n) return; /* a tensor that is spread over its storage */
    float *x = cw_alloc(ctx, e->count, sizeof *x);
    unsigned char *raw = cw_alloc(ctx, cw_stored_bytes(e), 1);
    if (x) cw_stored_f32(ctx, x, e);
    if (x && ctx->status == CW_OK && e->count) fuzz_sum += x[e->count - 1];
    cw_ctx_clear(ctx);
    if (raw) cw_stored_raw(ctx, raw, e);
    if (raw && cw_stored_bytes(e)) fuzz_sum += raw[0];
    cw_free(ctx, x);
    cw_free(ctx, raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    if (!ctx) return 0;
    cw_archive *a = cw_archive_open_memory(ctx, bytes, (int64_t)n);
    if ((a != NULL) != (ctx->status == CW_OK)) __builtin_trap();
    if (ctx->memory.peak > 400 * (int64_t)n + (1 << 20)) __builtin_trap(); /* more than the bytes can ask for */
    for (int64_t i = 0; a && i < cw_archive_count(a); i++) {
        const cw_stored *e = cw_archive_at(a, i);
        if (cw_archive_find(a, e->name) != i) __builtin_trap();
        fuzz_read_stored(ctx, e, (int64_t)n);
    }
    cw_archive_close(a);
    if (ctx->memory.bytes != 0) __builtin_trap(); /* a leak */
    cw_ctx_free(ctx);
    return 0;
}
