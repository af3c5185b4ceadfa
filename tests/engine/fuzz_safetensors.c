/* fuzz_safetensors.c: any bytes at all into the safetensors reader; it may refuse them, nothing else.
 *
 * test_io.c includes this file and drives it with its own mutations. With libFuzzer (clang), from tests/engine:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -I../../src/engine fuzz_safetensors.c \
 *     ../../src/engine/core/core.c ../../src/engine/io/json.c ../../src/engine/io/safetensors.c -lcjson -lm -o fuzz
 *   ./fuzz -max_total_time=60 */
#include "core/core.h"
#include "io/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Reads one entry every way there is; refusals are fine. */
static void fuzz_read_entry(cw_ctx *ctx, const cw_safetensors_entry *e)
{
    if (e->count > 1 << 20) return;
    void *out = cw_alloc(ctx, e->count, 8);
    if (!out) return;
    for (int way = 0; way < 5; way++) {
        if (way == 0) cw_safetensors_read_f32(ctx, out, e);
        if (way == 1) cw_safetensors_read_f64(ctx, out, e);
        if (way == 2) cw_safetensors_read_i32(ctx, out, e);
        if (way == 3) cw_safetensors_read_i64(ctx, out, e);
        if (way == 4) cw_safetensors_read_u8(ctx, out, e);
        cw_ctx_clear(ctx);
    }
    cw_free(ctx, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    if (!ctx) return 0;
    cw_safetensors *f = cw_safetensors_open_memory(ctx, bytes, (int64_t)n);
    if ((f != NULL) != (ctx->status == CW_OK)) __builtin_trap();
    for (int64_t i = 0; f && i < cw_safetensors_count(f); i++) {
        const cw_safetensors_entry *e = cw_safetensors_at(f, i);
        if (cw_safetensors_find(f, e->name) != e) __builtin_trap();
        fuzz_read_entry(ctx, e);
    }
    if (f) cw_safetensors_metadata(f, "format");
    cw_safetensors_close(f);
    if (ctx->memory.bytes != 0) __builtin_trap(); /* a leak */
    cw_ctx_free(ctx);
    return 0;
}
