/* test_fft.c: transforms against the sum that defines them, there and back, odd lengths, plans kept and released. */
#include "linalg/fft.h"
#include "test.h"

static uint64_t state = 5;
static float uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)(state >> 40) / 8388608.0f - 1.0f;
}

static void test_transform(cw_ctx *ctx, int64_t n)
{
    const cw_fft *plan = cw_fft_plan(ctx, n);
    CHECK(plan, "%s", ctx->text);
    if (!plan) return;
    CHECK(plan == cw_fft_plan(ctx, n), "a plan is made once");
    float *x = cw_alloc(ctx, cw_fft_floats(n), sizeof *x), *s = cw_alloc(ctx, cw_fft_floats(n), sizeof *s);
    float *before = cw_alloc(ctx, n, sizeof *before);
    for (int64_t i = 0; i < n; i++) x[i] = before[i] = uniform();
    for (int64_t i = 0; i < cw_fft_floats(n); i++) s[i] = NAN;
    cw_fft_forward(plan, s, x);
    double worst = 0, unit = sqrt((double)n);
    int64_t step = n > 300 ? n / 97 : 1;
    for (int64_t k = 0; k <= n / 2; k += step) {
        double re = 0, im = 0;
        for (int64_t i = 0; i < n; i++) {
            double angle = 2 * 3.14159265358979323846 * (double)(k * i % n) / (double)n;
            re += before[i] * cos(angle), im -= before[i] * sin(angle);
        }
        worst = fmax(worst, fmax(fabs(s[2 * k] - re), fabs(s[2 * k + 1] - im)) / unit);
    }
    CHECK(worst < 2e-6, "%lld values: spectrum off by %g", (long long)n, worst);
    for (int64_t i = 0; i < n; i++) x[i] = NAN;
    cw_fft_backward(plan, x, s);
    worst = 0;
    for (int64_t i = 0; i < n; i++) {
        double e = fabs((double)x[i] / (double)n - before[i]);
        if (!(e <= worst)) worst = isnan(e) ? INFINITY : e;
    }
    CHECK(worst < 2e-6, "%lld values: there and back off by %g", (long long)n, worst);
    cw_free(ctx, x), cw_free(ctx, s), cw_free(ctx, before);
}

int main(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    for (int64_t n = 1; n < 3000; n = n * 3 / 2 + 1) {
        int64_t size = cw_fft_size(n);
        CHECK(size >= n && size >= 2 && size % 2 == 0 && size == cw_fft_size(size) && size <= 2 * n + 2,
              "%lld for %lld", (long long)size, (long long)n);
        test_transform(ctx, size);
    }
    test_transform(ctx, cw_fft_size(70000));
    CHECK(cw_fft_size(1000002 * 2) >= 2000004, "a million bases");
    CHECK(cw_fft_plan(ctx, 7) == NULL && ctx->status == CW_ERR_ARGUMENT, "7 is no size");
    cw_ctx_clear(ctx);
    CHECK(ctx->memory.bytes > 0, "plans are kept");
    cw_ctx_let_go(ctx);
    CHECK(ctx->memory.bytes == 0, "%lld bytes are still held", (long long)ctx->memory.bytes);
    for (int call = 0; call < 6; call++) { /* every allocation fails once */
        ctx->fail_at = ctx->memory.calls + call;
        const cw_fft *plan = cw_fft_plan(ctx, 64);
        CHECK(plan ? ctx->status == CW_OK : ctx->status == CW_ERR_MEMORY, "allocation %d: %s", call, ctx->text);
        ctx->fail_at = -1;
        cw_ctx_clear(ctx);
        cw_ctx_let_go(ctx);
        CHECK(ctx->memory.bytes == 0, "allocation %d: %lld bytes are lost", call, (long long)ctx->memory.bytes);
    }
    printf("%s\n", cw_fft_name());
    cw_ctx_free(ctx);
    return test_end();
}
