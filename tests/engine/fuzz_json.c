/* fuzz_json.c: any bytes at all as a config in JSON; it may be refused, nothing else. What is taken can be written and
 * read again.
 *
 * test_io.c includes this file and drives it with its own mutations; tests/fuzz/config.sh for as long as one likes. */
#include "core/core.h"
#include "io/json.h"

#include <string.h>

#ifndef FUZZ_JSON
#define FUZZ_JSON LLVMFuzzerTestOneInput
#endif

int FUZZ_JSON(const uint8_t *bytes, size_t n);

static volatile double fuzz_json_sum; /* so that reading isn't left out */

static void fuzz_json_walk(cw_ctx *ctx, const cw_json *v)
{
    int64_t seen = 0;
    double number = 0;
    const char *text = cw_json_text(v);
    if (text) fuzz_json_sum += (double)strlen(text);
    if (cw_json_as_number(&number, v)) fuzz_json_sum += number;
    for (const cw_json *item = cw_json_first(v); item; item = cw_json_next(item), seen++) {
        const char *key = cw_json_key(item);
        if (cw_json_is_object(v) != (key != NULL)) __builtin_trap();
        if (key) { /* every getter, whatever the value is */
            fuzz_json_sum += (double)cw_json_int(ctx, v, key, 1, -5, 1 << 30) + cw_json_bool(ctx, v, key, 0);
            fuzz_json_sum += cw_json_number(ctx, v, key, 1, -1e3, 1e9);
            const char *same = cw_json_string(ctx, v, key, "");
            fuzz_json_sum += same ? (double)strlen(same) : 0;
            cw_json_object(ctx, v, key), cw_json_array(ctx, v, key);
            cw_ctx_clear(ctx);
        }
        fuzz_json_walk(ctx, item);
    }
    if (cw_json_count(v) != seen) __builtin_trap();
}

int FUZZ_JSON(const uint8_t *bytes, size_t n)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    if (!ctx) return 0;
    ctx->memory.limit = (int64_t)1 << 28;
    cw_json *json = cw_json_parse(ctx, (const char *)bytes, (int64_t)n);
    if ((json != NULL) != (ctx->status == CW_OK)) __builtin_trap();
    if (json) {
        int64_t options = 0;
        fuzz_json_walk(ctx, json);
        cw_option *o = cw_json_options(ctx, json, &options);
        for (int64_t i = 0; o && i < options; i++) fuzz_json_sum += (double)strlen(o[i].name);
        cw_free(ctx, o);
        cw_ctx_clear(ctx);
        char *text = cw_json_write(ctx, json);
        cw_json *again = text ? cw_json_parse(ctx, text, (int64_t)strlen(text)) : NULL;
        if (!text || !again || cw_json_count(again) != cw_json_count(json)) __builtin_trap();
        cw_json_free(again);
        cw_free(ctx, text);
    }
    cw_json_free(json);
    if (ctx->memory.bytes != 0) __builtin_trap(); /* a leak */
    cw_ctx_free(ctx);
    return 0;
}
