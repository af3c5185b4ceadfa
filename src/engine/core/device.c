/* device.c: see device.h. The host as a device. */
#include "device.h"

#include <string.h>

int64_t cw_dtype_bytes(cw_dtype dtype) { return dtype == CW_BF16 ? 2 : 4; }

static void *host_take(cw_ctx *ctx, int64_t bytes) { return cw_alloc(ctx, bytes, 1); }

static void host_copy(cw_ctx *ctx, void *to, const void *from, int64_t bytes)
{
    (void)ctx;
    if (bytes > 0) memcpy(to, from, (size_t)bytes);
}

static void host_fill(cw_ctx *ctx, void *to, int byte, int64_t bytes)
{
    (void)ctx;
    if (bytes > 0) memset(to, byte, (size_t)bytes);
}

static void host_sync(cw_ctx *ctx) { (void)ctx; }

const cw_device cw_device_host = {.name = "host",
                                  .take = host_take,
                                  .give = cw_free,
                                  .copy_in = host_copy,
                                  .copy_out = host_copy,
                                  .copy = host_copy,
                                  .fill = host_fill,
                                  .sync = host_sync};
