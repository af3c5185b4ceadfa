/* fuzz_checkpoint.c: any bytes at all as a checkpoint; it may be refused, nothing else.
 *
 * test_model.c includes this file and drives it with its own mutations; tests/fuzz/config.sh for as long as one likes. */
#include "core/core.h"
#include "train/checkpoint.h"

#include <stdio.h>
#include <unistd.h>

#ifndef FUZZ_CHECKPOINT
#define FUZZ_CHECKPOINT LLVMFuzzerTestOneInput
#endif

int FUZZ_CHECKPOINT(const uint8_t *bytes, size_t n);

int FUZZ_CHECKPOINT(const uint8_t *bytes, size_t n)
{
    static char path[64];
    if (!path[0]) snprintf(path, sizeof path, "/tmp/causeway-fuzz-%d.safetensors", (int)getpid());
    FILE *f = fopen(path, "wb");
    if (!f) return 0;
    size_t written = fwrite(bytes, 1, n, f);
    fclose(f);
    cw_ctx *ctx = written == n ? cw_ctx_new(NULL) : NULL;
    if (ctx) {
        ctx->memory.limit = (int64_t)1 << 26; /* a lie about sizes is not to be paid for */
        cw_free(ctx, cw_checkpoint_pair(ctx, path, "position"));
        cw_ctx_clear(ctx);
        cw_model *model = cw_checkpoint_model(ctx, path);
        if ((model != NULL) != (ctx->status == CW_OK)) __builtin_trap();
        cw_model_free(model);
        cw_ctx_clear(ctx);
        if (ctx->memory.bytes != 0) __builtin_trap(); /* a leak */
        cw_ctx_free(ctx);
    }
    unlink(path);
    return 0;
}
