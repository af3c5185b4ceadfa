/* fft.c: see fft.h. */
#include "fft.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#ifdef CW_HAVE_FFTW3F
#include <fftw3.h>
#endif

struct cw_fft {
    int64_t n;
#ifdef CW_HAVE_FFTW3F
    fftwf_plan forward, backward;
#else
    float *turn; /* (n/2, 2): e^(-2 pi i k / n) */
#endif
};

static const char plans; /* its address names what is kept in a context */

int64_t cw_fft_floats(int64_t n)
{
    int64_t line = CW_ALIGN / (int64_t)sizeof(float);
    return (n + 2 + line - 1) / line * line;
}

#ifdef CW_HAVE_FFTW3F

int64_t cw_fft_size(int64_t n)
{
    static const int odd[] = {1, 3, 5, 9, 15};
    int64_t best = INT64_MAX;
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        int64_t size = 2 * odd[i]; /* even: the spectrum then ends at n / 2 */
        while (size < n) size *= 2;
        if (size < best) best = size;
    }
    return n <= 2 ? 2 : best;
}

const char *cw_fft_name(void) { return fftwf_version; }

static atomic_flag planning = ATOMIC_FLAG_INIT;
static void planner_enter(void)
{
    while (atomic_flag_test_and_set(&planning)) {
    }
}
static void planner_leave(void) { atomic_flag_clear(&planning); }

static void release_plan(cw_ctx *ctx, void *value)
{
    cw_fft *p = value;
    planner_enter();
    if (p->forward) fftwf_destroy_plan(p->forward);
    if (p->backward) fftwf_destroy_plan(p->backward);
    planner_leave();
    cw_free(ctx, p);
}

/* 0 when out of memory */
static int make_plan(cw_ctx *ctx, cw_fft *p)
{
    /* the planner looks at where arrays lie, not at what they hold, when it only estimates */
    float *x = cw_alloc(ctx, cw_fft_floats(p->n), sizeof *x), *y = cw_alloc(ctx, cw_fft_floats(p->n), sizeof *y);
    if (x && y) {
        planner_enter();
        p->forward = fftwf_plan_dft_r2c_1d((int)p->n, x, (fftwf_complex *)y, FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
        p->backward = fftwf_plan_dft_c2r_1d((int)p->n, (fftwf_complex *)y, x, FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
        planner_leave();
    }
    cw_free(ctx, x), cw_free(ctx, y);
    return p->forward && p->backward;
}

void cw_fft_forward(const cw_fft *plan, float *spectrum, float *x)
{
    fftwf_execute_dft_r2c(plan->forward, x, (fftwf_complex *)spectrum);
}

void cw_fft_backward(const cw_fft *plan, float *x, float *spectrum)
{
    fftwf_execute_dft_c2r(plan->backward, (fftwf_complex *)spectrum, x);
}

#else /* ---- radix 2 ---- */

int64_t cw_fft_size(int64_t n)
{
    int64_t size = 2;
    while (size < n) size *= 2;
    return size;
}

const char *cw_fft_name(void) { return "built-in"; }

static void release_plan(cw_ctx *ctx, void *value)
{
    cw_free(ctx, ((cw_fft *)value)->turn);
    cw_free(ctx, value);
}

static int make_plan(cw_ctx *ctx, cw_fft *p)
{
    p->turn = cw_alloc(ctx, p->n, sizeof *p->turn);
    for (int64_t k = 0; p->turn && k < p->n / 2; k++) {
        double angle = 2.0 * 3.14159265358979323846 * (double)k / (double)p->n;
        p->turn[2 * k] = (float)cos(angle), p->turn[2 * k + 1] = (float)-sin(angle);
    }
    return p->turn != NULL;
}

/* Stockham's transform of m = n/2 complex numbers between a and b, sign -1 forward, 1 backward. Returns where the
 * result is. */
static float *complex_transform(const cw_fft *p, float *a, float *b, int sign)
{
    int64_t m = p->n / 2;
    for (int64_t length = m, stride = 1; length > 1; length /= 2, stride *= 2) {
        int64_t half = length / 2;
        for (int64_t i = 0; i < half; i++) {
            const float *w = p->turn + 2 * (i * (p->n / length));
            float wr = w[0], wi = sign < 0 ? w[1] : -w[1];
            const float *u = a + 2 * stride * i, *v = a + 2 * stride * (i + half);
            float *sum = b + 2 * stride * 2 * i, *difference = sum + 2 * stride;
            for (int64_t q = 0; q < 2 * stride; q += 2) {
                float re = u[q] - v[q], im = u[q + 1] - v[q + 1];
                sum[q] = u[q] + v[q], sum[q + 1] = u[q + 1] + v[q + 1];
                difference[q] = re * wr - im * wi, difference[q + 1] = re * wi + im * wr;
            }
        }
        float *swap = a;
        a = b, b = swap;
    }
    return a;
}

/* Two neighbours x_2t + i x_2t+1 are one complex number; with Z their spectrum, E = (Z_k + conj Z_m-k) / 2 and
 * O = (Z_k - conj Z_m-k) / 2i are those of the even and the odd ones: X_k = E + e^(-2 pi i k / n) O. */
void cw_fft_forward(const cw_fft *plan, float *spectrum, float *x)
{
    int64_t m = plan->n / 2;
    const float *z = complex_transform(plan, x, spectrum, -1);
    if (z != spectrum) memcpy(spectrum, z, (size_t)plan->n * sizeof *z);
    float *s = spectrum, re = s[0], im = s[1];
    s[0] = re + im, s[1] = 0.0f;
    s[2 * m] = re - im, s[2 * m + 1] = 0.0f;
    for (int64_t k = 1; k <= m / 2; k++) {
        float *a = s + 2 * k, *b = s + 2 * (m - k), wr = plan->turn[2 * k], wi = plan->turn[2 * k + 1];
        float er = 0.5f * (a[0] + b[0]), ei = 0.5f * (a[1] - b[1]);
        float odd_r = 0.5f * (a[1] + b[1]), odd_i = -0.5f * (a[0] - b[0]);
        float tr = odd_r * wr - odd_i * wi, ti = odd_r * wi + odd_i * wr;
        a[0] = er + tr, a[1] = ei + ti;
        b[0] = er - tr, b[1] = ti - ei; /* X_m-k = conj(E - e O) */
    }
}

void cw_fft_backward(const cw_fft *plan, float *x, float *spectrum)
{
    int64_t m = plan->n / 2;
    float *s = spectrum, first = s[0], last = s[2 * m];
    s[0] = first + last, s[1] = first - last;
    for (int64_t k = 1; k <= m / 2; k++) { /* Z = 2 (E + i O) */
        float *a = s + 2 * k, *b = s + 2 * (m - k), wr = plan->turn[2 * k], wi = -plan->turn[2 * k + 1];
        float er = a[0] + b[0], ei = a[1] - b[1], tr = a[0] - b[0], ti = a[1] + b[1];
        float odd_r = tr * wr - ti * wi, odd_i = tr * wi + ti * wr;
        a[0] = er - odd_i, a[1] = ei + odd_r;
        b[0] = er + odd_i, b[1] = odd_r - ei;
    }
    const float *z = complex_transform(plan, spectrum, x, 1);
    if (z != x) memcpy(x, z, (size_t)plan->n * sizeof *z);
}

#endif

const cw_fft *cw_fft_plan(cw_ctx *ctx, int64_t n)
{
    if (ctx->status != CW_OK) return NULL;
    cw_fft *p = cw_ctx_kept(ctx, &plans, n);
    if (p) return p;
    if (n != cw_fft_size(n) || n > INT32_MAX) {
        cw_fail(ctx, CW_ERR_ARGUMENT, "no transform of %lld values", (long long)n);
        return NULL;
    }
    p = cw_calloc(ctx, 1, sizeof *p);
    if (!p) return NULL;
    p->n = n;
    if (make_plan(ctx, p)) return cw_ctx_keep(ctx, &plans, n, p, release_plan);
    release_plan(ctx, p);
    cw_fail(ctx, CW_ERR_MEMORY, "no memory for a transform of %lld values", (long long)n);
    return NULL;
}
