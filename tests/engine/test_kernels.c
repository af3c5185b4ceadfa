/* test_kernels.c: every entry of the kernel table but attention (test_attention.c).
 *
 * For each entry: cpu agrees with ref at every SIMD level; 1, 2 and 3 threads give the same bits; outputs start as NaN
 * (or, where the kernel adds, as the same numbers) between guard words; backward agrees with central differences of the
 * reference forward. Sizes are odd on purpose. */
#include "test.h"

#include "kernels/cpu/cpu.h"
#include "kernels/ref/ref.h"

/* ---- arrays between guard words ------------------------------------------------------------------------------- */

#define GUARD 16
#define GUARD_VALUE 7.0e33f
#define MAX_ARRAYS 256
static float *arrays[MAX_ARRAYS];
static int64_t array_length[MAX_ARRAYS];
static int array_count;
static uint64_t array_seed;

/* n floats, NaN; freed by end_test */
static float *poisoned(int64_t n)
{
    float *raw = malloc((size_t)(n + 2 * GUARD) * sizeof *raw);
    if (!raw || array_count == MAX_ARRAYS) {
        printf("FAIL no room for test arrays\n");
        exit(1);
    }
    for (int64_t i = 0; i < n + 2 * GUARD; i++) raw[i] = i < GUARD || i >= n + GUARD ? GUARD_VALUE : NAN;
    arrays[array_count] = raw;
    array_length[array_count++] = n;
    return raw + GUARD;
}

static float *uniform(int64_t n, float low, float high)
{
    float *x = poisoned(n);
    cw_rng_fill_uniform(x, n, cw_rng_stream(20, CW_RNG_USER, array_seed++, 0), low, high);
    return x;
}

static float *filled(int64_t n, float value)
{
    float *x = poisoned(n);
    for (int64_t i = 0; i < n; i++) x[i] = value;
    return x;
}

static void end_test(const char *name)
{
    int good = 1;
    for (int a = 0; a < array_count; a++) {
        for (int i = 0; i < GUARD; i++)
            good = good && arrays[a][i] == GUARD_VALUE && arrays[a][GUARD + array_length[a] + i] == GUARD_VALUE;
        free(arrays[a]);
    }
    array_count = 0;
    CHECK(good, "%s wrote outside its outputs", name);
}

/* ---- jobs: one call of a kernel, with its arrays --------------------------------------------------------------- */

typedef struct job {
    const char *name;
    void (*run)(const cw_kernels *k, const cw_exec *ex, struct job *j);
    float *in[6], *out[3];
    int64_t out_length[3], s[6]; /* sizes, as the entry needs them */
    float f[3];
    cw_act act;
    const int32_t *index;
    cw_ragged seg;
    cw_stream stream;
    int adds, flags[4];
    double tolerance; /* times the largest value of the output, or, if floor > 0, times |value| + floor */
    double floor;
} job;

static int same_number(float a, float b) { return a == b || (isnan(a) && isnan(b)); }

/* the largest error of a against b, in units of the tolerance */
static double worst(const float *a, const float *b, int64_t n, double tolerance, double floor)
{
    double scale = floor, error = 0;
    for (int64_t i = 0; i < n && floor == 0; i++)
        if (isfinite(b[i]) && fabs(b[i]) > scale) scale = fabs(b[i]);
    for (int64_t i = 0; i < n; i++) {
        double bound = tolerance * (scale + (floor > 0 ? fabs(b[i]) : 0)), e = fabs((double)a[i] - b[i]);
        if (same_number(a[i], b[i])) continue;
        e = isfinite(a[i]) && isfinite(b[i]) ? (bound > 0 ? e / bound : 1e9) : 1e9;
        if (e > error) error = e;
    }
    return error;
}

/* Runs the job on ref and on cpu and compares. Leaves j->out as ref's outputs. */
static void compare(job *j)
{
    float *start[3] = {0}, *ref[3] = {0}, *one[3] = {0};
    int dirty = 0;
    cw_exec ex = {1};
    for (int o = 0; o < 3; o++)
        if (j->out_length[o] >= 0) {
            start[o] = j->adds ? uniform(j->out_length[o], -1, 1) : poisoned(j->out_length[o]);
            ref[o] = poisoned(j->out_length[o]), one[o] = poisoned(j->out_length[o]);
        }
    job run = *j;
    for (int o = 0; o < 3; o++) {
        if (!start[o]) continue;
        run.out[o] = ref[o];
        memcpy(ref[o], start[o], (size_t)j->out_length[o] * sizeof(float));
    }
    j->run(&cw_kernels_ref, &ex, &run);
    for (int level = 0; level < CW_SIMD_COUNT; level++)
        for (int threads = 1; threads <= 3; threads++) {
            cw_cpu_simd_limit(level);
            ex.threads = threads;
            int keep = array_count;
            for (int o = 0; o < 3; o++) {
                if (!start[o]) continue;
                run.out[o] = threads == 1 ? one[o] : poisoned(j->out_length[o]);
                memcpy(run.out[o], start[o], (size_t)j->out_length[o] * sizeof(float));
            }
            j->run(&cw_kernels_cpu, &ex, &run);
            for (int o = 0; o < 3; o++) {
                if (!start[o]) continue;
                double e = worst(run.out[o], ref[o], j->out_length[o], j->tolerance, j->floor);
                CHECK(e <= 1, "%s out %d, sizes %d %d %d, level %d: error %.3g of the tolerance", j->name, o,
                      (int)j->s[0], (int)j->s[1], (int)j->s[2], level, e);
                CHECK(memcmp(run.out[o], one[o], (size_t)j->out_length[o] * sizeof(float)) == 0,
                      "%s out %d: %d threads, other bits", j->name, o, threads);
            }
            /* the guards of these arrays are looked at now, and their room is used again */
            while (array_count > keep) {
                float *raw = arrays[--array_count];
                int64_t n = array_length[array_count];
                for (int i = 0; i < GUARD; i++) dirty |= raw[i] != GUARD_VALUE || raw[GUARD + n + i] != GUARD_VALUE;
                free(raw);
            }
        }
    cw_cpu_simd_limit(CW_SIMD_COUNT);
    CHECK(!dirty, "%s wrote outside its outputs", j->name);
    for (int o = 0; o < 3; o++) j->out[o] = ref[o];
}

/* sum of weight * out[0] of the reference forward */
static double weighted(job *forward, const float *weight)
{
    cw_exec ex = {1};
    double sum = 0;
    forward->run(&cw_kernels_ref, &ex, forward);
    for (int64_t i = 0; i < forward->out_length[0]; i++) sum += (double)weight[i] * forward->out[0][i];
    return sum;
}

/* grad (n) against central differences of weighted() in x (n), one of forward's inputs */
static void differences(job *forward, const float *weight, float *x, const float *grad, int64_t n, float h, double tol)
{
    job f = *forward;
    for (int o = 0; o < 3; o++)
        if (f.out_length[o] >= 0) f.out[o] = poisoned(f.out_length[o]);
    double scale = 1e-3, error = 0;
    for (int64_t i = 0; i < n; i++) scale = fmax(scale, fabs(grad[i]));
    for (int64_t i = 0; i < n; i++) {
        float old = x[i], above = old + h, below = old - h;
        x[i] = above;
        double high = weighted(&f, weight);
        x[i] = below;
        double low = weighted(&f, weight);
        x[i] = old;
        error = fmax(error, fabs((high - low) / ((double)above - below) - grad[i]));
        if (isnan(grad[i]) || isnan(high - low)) error = INFINITY;
    }
    CHECK(error <= tol * scale, "%s: gradient off by %.3g, largest %.3g", f.name, error, scale);
}

/* zeroed gradients of a backward job, by ref (compare has shown that cpu is the same) */
static void gradients(job *backward)
{
    cw_exec ex = {1};
    for (int o = 0; o < 3; o++)
        if (backward->out_length[o] >= 0) backward->out[o] = filled(backward->out_length[o], 0);
    backward->run(&cw_kernels_ref, &ex, backward);
}

#define NONE {-1, -1, -1}

/* ---- matrix products -------------------------------------------------------------------------------------------- */

/* s: m n k lda ldb ldc; flags: ta tb; f: alpha beta */
static void run_gemm(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->gemm(ex, j->out[0], j->s[5], j->in[0], j->s[3], j->flags[0], j->in[1], j->s[4], j->flags[1], j->f[0], j->f[1],
            j->s[0], j->s[1], j->s[2]);
}

static void run_gemm_builtin(const cw_kernels *k, const cw_exec *ex, job *j)
{
    if (k == &cw_kernels_ref) run_gemm(k, ex, j);
    else
        cw_cpu_gemm_builtin(j->out[0], j->s[5], j->in[0], j->s[3], j->flags[0], j->in[1], j->s[4], j->flags[1],
                            j->f[0], j->f[1], j->s[0], j->s[1], j->s[2]);
}

static void run_gemm_amx(const cw_kernels *k, const cw_exec *ex, job *j)
{
    if (k == &cw_kernels_ref) run_gemm(k, ex, j);
    else
        CHECK(cw_cpu_gemm_amx(j->out[0], j->s[5], j->in[0], j->s[3], j->flags[0], j->in[1], j->s[4], j->flags[1],
                              j->f[0], j->f[1], j->s[0], j->s[1], j->s[2]), "gemm_amx refused finite numbers");
}

/* What holds infinity, NaN or what no bfloat16 comes near is refused, and what C was is kept where it is added to; the
 * product itself is then as any other. */
static void test_gemm_amx_refuses(void)
{
    enum { N = 130 };
    const float odd[] = {INFINITY, -INFINITY, NAN, 3.4e38f};
    cw_exec ex = {1};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        for (int t = 0; t < 4; t++) {
            float *x = uniform(N * N, -1, 1), *y = uniform(N * N, -1, 1), *c = filled(N * N, 3), *d = filled(N * N, 3);
            int kept = 1;
            (t & 1 ? x : y)[N * 77 + 129] = odd[i];
            float beta = t & 2 ? 0.5f : 0.0f;
            if (cw_cpu_has_amx()) {
                CHECK(!cw_cpu_gemm_amx(c, N, x, N, 0, y, N, 0, 1, beta, N, N, N), "gemm_amx took %g", (double)odd[i]);
                for (int64_t e = 0; e < N * N; e++) kept &= c[e] == 3;
                CHECK(kept || beta == 0.0f, "gemm_amx refused %g and changed C", (double)odd[i]);
            }
            cw_kernels_cpu.gemm(&ex, c, N, x, N, 0, y, N, 0, 1, beta, N, N, N);
            cw_kernels_ref.gemm(&ex, d, N, x, N, 0, y, N, 0, 1, beta, N, N, N);
            kept = 1;
            for (int64_t e = 0; e < N * N; e++)
                kept &= isfinite(d[e]) ? fabsf(c[e] - d[e]) <= 1e-5f * fmaxf(10, fabsf(d[e]))
                                       : (isnan(d[e]) ? isnan(c[e]) : c[e] == d[e]);
            CHECK(kept, "gemm of %g differs from the reference", (double)odd[i]);
            end_test("gemm_amx");
        }
}

static void test_gemm(void)
{
    static const int64_t sizes[][3] = {{0, 3, 4},    {3, 0, 4},    {5, 4, 0},      {1, 1, 1},     {3, 17, 31},
                                       {33, 65, 17}, {129, 31, 3}, {1, 129, 65},   {65, 1, 129},  {17, 33, 300},
                                       {70, 600, 140}, {73, 70, 64}, {300, 530, 40}, {257, 129, 513}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int t = 0; t < 8; t++) {
            int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
            job j = {.name = "gemm", .run = run_gemm, .out_length = NONE, .tolerance = 3e-6};
            int ta = t & 1, tb = t >> 1 & 1;
            if (i >= 11 && (t & 4)) continue;
            j.flags[0] = ta, j.flags[1] = tb;
            j.f[0] = t & 4 ? -0.5f : 1.0f, j.f[1] = t & 4 ? 0.25f : 0.0f;
            j.adds = t & 4; /* beta = 0: C starts as NaN */
            int64_t lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 2;
            int64_t s[6] = {m, n, k, lda, ldb, ldc};
            memcpy(j.s, s, sizeof s);
            j.in[0] = uniform((ta ? k : m) * lda, -1, 1), j.in[1] = uniform((tb ? n : k) * ldb, -1, 1);
            j.out_length[0] = m * ldc;
            compare(&j);
            j.name = "gemm_builtin", j.run = run_gemm_builtin;
            compare(&j);
            j.name = "gemm_amx", j.run = run_gemm_amx;
            if (cw_cpu_has_amx() && m && n && k) compare(&j);
            end_test("gemm");
        }
    test_gemm_amx_refuses();
}

/* flags[2]: the stride of B is 0 */
static void run_gemm_batched(const cw_kernels *k, const cw_exec *ex, job *j)
{
    int64_t m = j->s[0], n = j->s[1], kk = j->s[2], batch = j->s[3];
    k->gemm_batched(ex, j->out[0], n, m * n + 1, j->in[0], j->flags[0] ? m : kk, m * kk, j->flags[0], j->in[1],
                    j->flags[1] ? kk : n, j->flags[2] ? 0 : kk * n, j->flags[1], j->f[0], j->f[1], m, n, kk, batch);
}

static void test_gemm_batched(void)
{
    static const int64_t sizes[][4] = {{3, 5, 7, 0}, {1, 1, 1, 3}, {17, 31, 33, 5}, {65, 129, 64, 8},
                                       {128, 100, 300, 3}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int t = 0; t < 16; t++) {
            int64_t m = sizes[i][0], n = sizes[i][1], k = sizes[i][2], batch = sizes[i][3];
            job j = {.name = "gemm_batched", .run = run_gemm_batched, .out_length = NONE, .tolerance = 3e-6};
            memcpy(j.s, sizes[i], sizeof sizes[i]);
            for (int b = 0; b < 3; b++) j.flags[b] = t >> b & 1;
            j.f[0] = 1, j.f[1] = t & 8 ? 1.0f : 0.0f, j.adds = t & 8;
            j.in[0] = uniform(m * k * batch, -1, 1), j.in[1] = uniform(k * n * batch, -1, 1);
            j.out_length[0] = batch ? (m * n + 1) * batch : 0;
            compare(&j);
            end_test("gemm_batched");
        }
}

/* s: n in out; flags: z wanted, residual is y */
static void run_linear(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->linear(ex, j->out[0], j->flags[0] ? j->out[1] : NULL, j->in[0], j->in[1], j->in[2],
              j->flags[1] ? j->out[0] : j->in[3], j->act, j->s[0], j->s[1], j->s[2]);
}

static void test_linear(void)
{
    static const int64_t sizes[][3] = {{0, 3, 4}, {1, 1, 1}, {5, 0, 3}, {33, 17, 65}, {129, 31, 3}, {700, 33, 290}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int act = 0; act < CW_ACT_COUNT; act++)
            for (int t = 0; t < 12; t++) {
                int64_t n = sizes[i][0], in = sizes[i][1], out = sizes[i][2];
                job j = {.name = "linear", .run = run_linear, .out_length = NONE, .tolerance = 3e-6};
                if (i == 5 && act != CW_ACT_NONE && act != CW_ACT_SILU) continue;
                memcpy(j.s, sizes[i], sizeof sizes[i]);
                j.act = (cw_act)act;
                j.flags[0] = t & 1;         /* z */
                j.flags[1] = t / 4 == 2;    /* residual is y */
                j.adds = j.flags[1];
                j.in[0] = uniform(n * in, -1, 1), j.in[1] = uniform(out * in, -1, 1);
                j.in[2] = t & 2 ? uniform(out, -1, 1) : NULL;
                j.in[3] = t / 4 == 1 ? uniform(n * out, -1, 1) : NULL;
                j.out_length[0] = n * out;
                if (j.flags[0]) j.out_length[1] = n * out;
                compare(&j);
                end_test("linear");
            }
}

static void run_column_sum(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->column_sum(ex, j->out[0], j->in[0], j->s[0], j->s[1]);
}

static void test_column_sum(void)
{
    static const int64_t sizes[][2] = {{0, 5}, {1, 1}, {3, 17}, {129, 33}, {5000, 3}, {1000, 301}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        job j = {.name = "column_sum", .run = run_column_sum, .out_length = NONE, .adds = 1, .tolerance = 2e-6};
        memcpy(j.s, sizes[i], sizeof sizes[i]);
        j.in[0] = uniform(j.s[0] * j.s[1], -1, 2);
        j.out_length[0] = j.s[1];
        compare(&j);
        end_test("column_sum");
    }
}

static void run_matrix_power(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->matrix_power(ex, j->out[0], j->out[1], j->in[0], j->s[0], j->s[1]);
}

static void test_matrix_power(void)
{
    static const int64_t powers[] = {0, 1, 2, 3, 5, 16, 31, 127};
    for (int64_t m = 1; m <= 17; m += 8)
        for (size_t i = 0; i < sizeof powers / sizeof *powers; i++) {
            float *a = uniform(m * m, -0.5f, 0.5f), *p = poisoned(m * m), *work = poisoned(2 * m * m);
            float *expected = filled(m * m, 0), *next = poisoned(m * m);
            cw_exec ex = {2};
            for (int64_t r = 0; r < m; r++) expected[r * m + r] = 1;
            for (int64_t q = 0; q < powers[i]; q++) { /* one at a time */
                cw_ref_gemm(&ex, next, m, expected, m, 0, a, m, 0, 1, 0, m, m, m);
                memcpy(expected, next, (size_t)(m * m) * sizeof *next);
            }
            for (int which = 0; which < 2; which++) {
                const cw_kernels *k = which ? &cw_kernels_cpu : &cw_kernels_ref;
                k->matrix_power(&ex, p, work, a, m, powers[i]);
                double e = worst(p, expected, m * m, 3e-5, 0);
                CHECK(e <= 1, "%s matrix_power %d^%d: %.3g of the tolerance", k->name, (int)m, (int)powers[i], e);
            }
            end_test("matrix_power");
        }
    job j = {.name = "matrix_power", .run = run_matrix_power, .out_length = NONE, .tolerance = 1e-4};
    j.s[0] = 129, j.s[1] = 3;
    j.in[0] = uniform(129 * 129, -0.1f, 0.1f);
    j.out_length[0] = 129 * 129;
    float *work = poisoned(2 * 129 * 129);
    j.out[1] = work; /* scratch: not compared */
    compare(&j);
    end_test("matrix_power");
}

/* ---- elementwise ------------------------------------------------------------------------------------------------ */

static void run_act(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->act(ex, j->out[0], j->in[0], j->act, j->s[0]);
}
static void run_act_backward(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->act_backward(ex, j->out[0], j->in[1], j->in[0], j->act, j->s[0]);
}

static void test_act(void)
{
    static const int64_t sizes[] = {0, 1, 3, 15, 17, 33, 65, 129, 40003};
    for (int act = 0; act < CW_ACT_COUNT; act++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            int64_t n = sizes[i];
            job j = {.name = "act", .run = run_act, .out_length = NONE, .tolerance = 4e-7, .floor = 1};
            job b = {.name = "act_backward", .run = run_act_backward, .out_length = NONE, .tolerance = 1e-6};
            b.floor = 1;
            j.act = b.act = (cw_act)act, j.s[0] = b.s[0] = n, b.adds = 1;
            j.in[0] = b.in[0] = uniform(n, -12, 12), b.in[1] = uniform(n, -1, 1);
            j.out_length[0] = b.out_length[0] = n;
            compare(&j);
            compare(&b);
            end_test("act");
        }
        /* far out, and what must come through */
        float edge[] = {0,     -0.0f, 1e-30f, -1e-30f, 1e-8f, 50, -50, 88.7f, -88.7f, 104, -104, 1e4f, -1e4f,
                        1e30f, -1e30f, NAN,   INFINITY, -1e-3f, 0.625f, 1e-3f};
        int64_t n = sizeof edge / sizeof *edge;
        job j = {.name = "act at the edges", .run = run_act, .out_length = NONE, .tolerance = 1e-6, .floor = 1e-30};
        j.act = (cw_act)act, j.s[0] = n, j.in[0] = edge, j.out_length[0] = n;
        if (act == CW_ACT_GELU || act == CW_ACT_SOFTPLUS || act == CW_ACT_SILU || act == CW_ACT_SIGMOID)
            j.floor = 1e-3; /* the tail towards 0 is right absolutely, not relatively */
        compare(&j);
        /* gradient */
        job f = {.name = "act", .run = run_act, .out_length = NONE};
        job b = {.name = "act_backward", .run = run_act_backward, .out_length = NONE};
        f.act = b.act = (cw_act)act, f.s[0] = b.s[0] = 65;
        f.in[0] = b.in[0] = uniform(65, -3, 3), b.in[1] = uniform(65, -1, 1);
        for (int i = 0; i < 65; i++)
            if (fabsf(f.in[0][i]) < 0.05f) f.in[0][i] = 0.3f; /* away from the kink of ReLU */
        f.out_length[0] = b.out_length[0] = 65;
        gradients(&b);
        differences(&f, b.in[1], f.in[0], b.out[0], 65, 1e-2f, 1e-3);
        /* in place */
        cw_exec ex = {2};
        float *x = uniform(33, -2, 2), *y = poisoned(33);
        cw_kernels_cpu.act(&ex, y, x, (cw_act)act, 33);
        cw_kernels_cpu.act(&ex, x, x, (cw_act)act, 33);
        CHECK(memcmp(x, y, 33 * sizeof *x) == 0, "act %d in place differs", act);
        end_test("act");
    }
}

static void run_swiglu(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->swiglu(ex, j->out[0], j->in[0], j->in[1], j->s[0]);
}
static void run_swiglu_backward(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->swiglu_backward(ex, j->out[0], j->out[1], j->in[2], j->in[0], j->in[1], j->s[0]);
}

static void test_swiglu(void)
{
    static const int64_t sizes[] = {0, 1, 17, 129, 20001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n = sizes[i];
        job f = {.name = "swiglu", .run = run_swiglu, .out_length = NONE, .tolerance = 1e-6, .floor = 1};
        job b = {.name = "swiglu_backward", .run = run_swiglu_backward, .out_length = NONE, .tolerance = 1e-6};
        b.floor = 1;
        f.s[0] = b.s[0] = n;
        f.in[0] = b.in[0] = uniform(n, -4, 4), f.in[1] = b.in[1] = uniform(n, -2, 2), b.in[2] = uniform(n, -1, 1);
        f.out_length[0] = b.out_length[0] = b.out_length[1] = n;
        compare(&f);
        compare(&b);
        if (n > 0 && n < 200) {
            differences(&f, b.in[2], f.in[0], b.out[0], n, 1e-2f, 1e-3);
            differences(&f, b.in[2], f.in[1], b.out[1], n, 1e-2f, 1e-3);
            for (int which = 0; which < 2; which++) { /* the gradients in place of gate and up */
                const cw_kernels *k = which ? &cw_kernels_cpu : &cw_kernels_ref;
                cw_exec ex = {2};
                float *g = poisoned(n), *u = poisoned(n);
                memcpy(g, f.in[0], (size_t)n * sizeof *g), memcpy(u, f.in[1], (size_t)n * sizeof *u);
                k->swiglu_backward(&ex, g, u, b.in[2], g, u, n);
                double e = fmax(worst(g, b.out[0], n, 1e-6, 1), worst(u, b.out[1], n, 1e-6, 1));
                CHECK(e <= 1, "%s swiglu_backward in place: %.3g", k->name, e);
            }
        }
        end_test("swiglu");
    }
}

static void run_axpy(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->axpy(ex, j->out[0], j->in[0], j->f[0], j->s[0]);
}
static void run_dropout(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->dropout(ex, j->out[0], j->in[0], j->f[0], j->stream, j->s[0]);
}
static void run_normal(const cw_kernels *k, const cw_exec *ex, job *j) { k->normal(ex, j->out[0], j->stream, j->s[0]); }

static void test_streams(void)
{
    static const int64_t sizes[] = {0, 1, 3, 17, 63, 65, 129, 80001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n = sizes[i];
        job a = {.name = "axpy", .run = run_axpy, .out_length = NONE, .adds = 1, .tolerance = 2e-7, .floor = 1};
        a.s[0] = n, a.f[0] = -1.7f, a.in[0] = uniform(n, -1, 1), a.out_length[0] = n;
        compare(&a);
        for (int p = 0; p < 4; p++) { /* to the last bit: the same items are kept */
            job d = {.name = "dropout", .run = run_dropout, .out_length = NONE, .tolerance = 0};
            d.s[0] = n, d.f[0] = (float)p * 0.3f, d.in[0] = a.in[0], d.out_length[0] = n;
            d.stream = cw_rng_stream(0x123456789abcdefULL, CW_RNG_DROPOUT, 7, (uint64_t)p);
            if (p == 3) d.f[0] = cw_rng_uniform(d.stream, 5); /* item 5 is kept: >= */
            compare(&d);
            if (n > 80000 && p) {
                int64_t kept = 0;
                for (int64_t q = 0; q < n; q++) kept += d.out[0][q] != 0;
                CHECK(fabs((double)kept / (double)n - (1 - d.f[0])) < 0.02, "dropout keeps %d of %d", (int)kept,
                      (int)n);
            }
        }
        job g = {.name = "normal", .run = run_normal, .out_length = NONE, .tolerance = 1e-6, .floor = 1};
        g.s[0] = n, g.out_length[0] = n, g.stream = cw_rng_stream(99, CW_RNG_NOISE, 1ULL << 33, 3);
        compare(&g);
        if (n > 80000) {
            double s = 0, ss = 0;
            for (int64_t q = 0; q < n; q++) s += g.out[0][q], ss += (double)g.out[0][q] * g.out[0][q];
            CHECK(fabs(s / (double)n) < 0.03 && fabs(ss / (double)n - 1) < 0.03, "normal: mean %g, square %g",
                  s / (double)n, ss / (double)n);
        }
        end_test("streams");
    }
    /* dropout in place, and NaN where it is dropped */
    cw_exec ex = {1};
    float *x = filled(129, NAN), *y = poisoned(129);
    cw_kernels_cpu.dropout(&ex, y, x, 0.5f, cw_rng_stream(1, CW_RNG_DROPOUT, 0, 0), 129);
    cw_kernels_cpu.dropout(&ex, x, x, 0.5f, cw_rng_stream(1, CW_RNG_DROPOUT, 0, 0), 129);
    int zeros = 0, same = 1;
    for (int i = 0; i < 129; i++) zeros += y[i] == 0, same = same && same_number(x[i], y[i]);
    CHECK(zeros > 30 && zeros < 100 && same, "dropout in place");
    end_test("dropout");
}

/* ---- norms and softmax ------------------------------------------------------------------------------------------ */

static void run_rmsnorm(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->rmsnorm(ex, j->out[0], j->out[1], j->in[0], j->in[1], 1e-5f, j->s[0], j->s[1]);
}
/* flags: which gradients are asked for */
static void run_rmsnorm_backward(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->rmsnorm_backward(ex, j->flags[0] ? j->out[0] : NULL, j->flags[1] ? j->out[1] : NULL, j->in[3], j->in[0],
                        j->in[1], j->in[4], j->s[0], j->s[1]);
}
static void run_layernorm(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->layernorm(ex, j->out[0], j->out[1], j->out[2], j->in[0], j->in[1], j->in[2], 1e-5f, j->s[0], j->s[1]);
}
static void run_layernorm_backward(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->layernorm_backward(ex, j->flags[0] ? j->out[0] : NULL, j->flags[1] ? j->out[1] : NULL,
                          j->flags[2] ? j->out[2] : NULL, j->in[3], j->in[0], j->in[1], j->in[4], j->in[5], j->s[0],
                          j->s[1]);
}

static const int64_t row_sizes[][2] = {{0, 5}, {1, 1}, {1, 17}, {3, 16}, {3, 31}, {17, 33}, {31, 65}, {5, 129},
                                       {301, 257}};
#define ROW_SIZES (sizeof row_sizes / sizeof *row_sizes)

static void test_rmsnorm(void)
{
    for (size_t i = 0; i < ROW_SIZES; i++)
        for (int t = 0; t < 4; t++) { /* t & 1: with weights; t & 2: some gradients left out */
            int64_t n = row_sizes[i][0], d = row_sizes[i][1];
            job f = {.name = "rmsnorm", .run = run_rmsnorm, .out_length = NONE, .tolerance = 2e-6};
            memcpy(f.s, row_sizes[i], sizeof row_sizes[i]);
            f.in[0] = uniform(n * d, -2, 2), f.in[1] = t & 1 ? uniform(d, 0.5f, 2) : NULL;
            f.out_length[0] = n * d, f.out_length[1] = n;
            compare(&f);
            job b = f;
            b.name = "rmsnorm_backward", b.run = run_rmsnorm_backward, b.adds = 1, b.tolerance = 5e-6;
            b.in[3] = uniform(n * d, -1, 1), b.in[4] = f.out[1];
            b.flags[0] = !(t & 2), b.flags[1] = t & 1;
            b.out_length[1] = d;
            compare(&b);
            if (n * d < 200 && n > 0 && t < 2) {
                gradients(&b);
                differences(&f, b.in[3], f.in[0], b.out[0], n * d, 1e-2f, 2e-3);
                if (t & 1) differences(&f, b.in[3], f.in[1], b.out[1], d, 1e-2f, 2e-3);
            }
            end_test("rmsnorm");
        }
}

static void test_layernorm(void)
{
    for (size_t i = 0; i < ROW_SIZES; i++)
        for (int t = 0; t < 4; t++) {
            int64_t n = row_sizes[i][0], d = row_sizes[i][1];
            job f = {.name = "layernorm", .run = run_layernorm, .out_length = NONE, .tolerance = 3e-6};
            memcpy(f.s, row_sizes[i], sizeof row_sizes[i]);
            f.in[0] = uniform(n * d, -2, 3), f.in[1] = t & 1 ? uniform(d, 0.5f, 2) : NULL;
            f.in[2] = t & 1 ? uniform(d, -1, 1) : NULL;
            f.out_length[0] = n * d, f.out_length[1] = f.out_length[2] = n;
            compare(&f);
            job b = f;
            b.name = "layernorm_backward", b.run = run_layernorm_backward, b.adds = 1, b.tolerance = 1e-5;
            b.in[3] = uniform(n * d, -1, 1), b.in[4] = f.out[1], b.in[5] = f.out[2];
            b.flags[0] = !(t & 2), b.flags[1] = t & 1, b.flags[2] = t & 1;
            b.out_length[1] = b.out_length[2] = d;
            compare(&b);
            if (n * d < 200 && n > 0 && d > 2 && t < 2) {
                gradients(&b);
                differences(&f, b.in[3], f.in[0], b.out[0], n * d, 1e-2f, 2e-3);
                if (t & 1) differences(&f, b.in[3], f.in[1], b.out[1], d, 1e-2f, 2e-3);
                if (t & 1) differences(&f, b.in[3], f.in[2], b.out[2], d, 1e-2f, 2e-3);
            }
            end_test("layernorm");
        }
}

static void run_softmax(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->softmax(ex, j->out[0], j->in[0], j->f[0], j->s[0], j->s[1]);
}
static void run_softmax_backward(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->softmax_backward(ex, j->out[0], j->in[1], j->in[2], j->f[0], j->s[0], j->s[1]);
}

static void test_softmax(void)
{
    for (size_t i = 0; i < ROW_SIZES; i++)
        for (int t = 0; t < 3; t++) {
            int64_t n = row_sizes[i][0], d = row_sizes[i][1];
            job f = {.name = "softmax", .run = run_softmax, .out_length = NONE, .tolerance = 2e-6, .floor = 1e-3};
            memcpy(f.s, row_sizes[i], sizeof row_sizes[i]);
            f.f[0] = t == 0 ? 1.0f : t == 1 ? 0.3f : -2.0f;
            f.in[0] = uniform(n * d, -5, 5);
            f.out_length[0] = n * d;
            compare(&f);
            job b = f;
            b.name = "softmax_backward", b.run = run_softmax_backward, b.adds = 1, b.floor = 0.1;
            b.in[1] = uniform(n * d, -1, 1), b.in[2] = f.out[0];
            compare(&b);
            if (n * d < 200 && n > 0 && d > 1) {
                gradients(&b);
                differences(&f, b.in[1], f.in[0], b.out[0], n * d, 1e-2f, 3e-3);
            }
            end_test("softmax");
        }
    /* large values, minus infinity, rows of equals, in place */
    float x[4][19];
    for (int c = 0; c < 19; c++) {
        x[0][c] = 1e30f + (float)c, x[1][c] = c % 3 ? -INFINITY : 2, x[2][c] = -3e4f, x[3][c] = c == 18 ? 500 : -500;
    }
    job f = {.name = "softmax at the edges", .run = run_softmax, .out_length = NONE, .tolerance = 1e-6, .floor = 1};
    f.s[0] = 4, f.s[1] = 19, f.f[0] = 1, f.in[0] = x[0], f.out_length[0] = 4 * 19;
    compare(&f);
    CHECK(fabsf(f.out[0][2 * 19] - 1.0f / 19) < 1e-6f && f.out[0][19 + 1] == 0 && f.out[0][4 * 19 - 1] == 1, "softmax");
    cw_exec ex = {2};
    float *y = uniform(7 * 33, -3, 3), *z = poisoned(7 * 33);
    cw_kernels_cpu.softmax(&ex, z, y, 2, 7, 33);
    cw_kernels_cpu.softmax(&ex, y, y, 2, 7, 33);
    CHECK(memcmp(y, z, 7 * 33 * sizeof *y) == 0, "softmax in place");
    end_test("softmax");
}

/* ---- gather, scatter, segments ---------------------------------------------------------------------------------- */

static void run_gather(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->gather(ex, j->out[0], j->in[0], j->index, j->flags[0], j->s[0], j->s[1]);
}
static void run_scatter_add(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->scatter_add(ex, j->out[0], j->in[0], j->index, j->s[0], j->s[1]);
}

static void test_gather(void)
{
    enum { ROWS = 23 };
    for (size_t i = 0; i < ROW_SIZES; i++)
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            int64_t n = row_sizes[i][0], d = row_sizes[i][1];
            int32_t index[301];
            for (int64_t r = 0; r < n; r++) index[r] = (int32_t)(r * 7 % (ROWS + 1)) - 1; /* -1 .. ROWS - 1, repeated */
            job g = {.name = "gather", .run = run_gather, .out_length = NONE, .tolerance = 0};
            memcpy(g.s, row_sizes[i], sizeof row_sizes[i]);
            g.flags[0] = g.adds = accumulate, g.index = index;
            g.in[0] = uniform(ROWS * d, -1, 1), g.out_length[0] = n * d;
            compare(&g);
            job s = {.name = "scatter_add", .run = run_scatter_add, .out_length = NONE, .adds = 1, .tolerance = 1e-6};
            memcpy(s.s, row_sizes[i], sizeof row_sizes[i]);
            s.index = index, s.in[0] = uniform(n * d, -1, 1), s.out_length[0] = ROWS * d;
            compare(&s);
            if (n * d < 200 && n > 0 && !accumulate) {
                gradients(&s);
                differences(&g, s.in[0], g.in[0], s.out[0], ROWS * d, 1e-2f, 1e-3);
            }
            end_test("gather");
        }
}

static void run_pool(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->pool(ex, j->out[0], j->out[1], j->in[0], j->in[1], j->index, j->seg, j->s[1]);
}
static void run_pool_backward(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->pool_backward(ex, j->flags[0] ? j->out[0] : NULL, j->flags[1] ? j->out[1] : NULL, j->in[2], j->in[3], j->in[1],
                     j->index, j->seg, j->s[1]);
}
static void run_segment_sum(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->segment_sum(ex, j->out[0], j->in[0], j->flags[0], j->seg, j->s[1]);
}
static void run_segment_sum_backward(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->segment_sum_backward(ex, j->out[0], j->in[1], j->flags[0], j->seg, j->s[1]);
}

static void test_segments(void)
{
    static const int64_t widths[] = {1, 3, 17, 65, 257};
    /* lengths 0, 1, 5, 0, 17, 430: 453 entries into 40 items, many of them in several segments */
    static const int64_t start[] = {0, 0, 1, 6, 6, 23, 453}, none[] = {0};
    enum { ITEMS = 40, ENTRIES = 453, SEGMENTS = 6 };
    int32_t index[ENTRIES];
    for (int i = 0; i < ENTRIES; i++) index[i] = i * 11 % ITEMS;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        int64_t d = widths[i];
        job f = {.name = "pool", .run = run_pool, .out_length = NONE, .tolerance = 2e-6};
        f.s[1] = d, f.seg = (cw_ragged){SEGMENTS, start, NULL}, f.index = index;
        f.in[0] = uniform(ITEMS, -3, 3), f.in[1] = uniform(ITEMS * d, -1, 1);
        f.out_length[0] = SEGMENTS * d, f.out_length[1] = ENTRIES;
        compare(&f);
        for (int t = 0; t < 3; t++) {
            job b = f;
            b.name = "pool_backward", b.run = run_pool_backward, b.adds = 1, b.tolerance = 5e-6;
            b.in[2] = uniform(SEGMENTS * d, -1, 1), b.in[3] = f.out[1];
            b.flags[0] = t != 1, b.flags[1] = t != 2;
            b.out_length[0] = ITEMS, b.out_length[1] = ITEMS * d;
            compare(&b);
            if (t == 0 && d < 20) {
                gradients(&b);
                differences(&f, b.in[2], f.in[0], b.out[0], ITEMS, 1e-2f, 2e-3);
                differences(&f, b.in[2], f.in[1], b.out[1], ITEMS * d, 1e-2f, 2e-3);
            }
        }
        for (int mean = 0; mean < 2; mean++) {
            job s = {.name = "segment_sum", .run = run_segment_sum, .out_length = NONE, .tolerance = 2e-6};
            s.s[1] = d, s.seg = f.seg, s.flags[0] = mean;
            s.in[0] = uniform(ENTRIES * d, -1, 1), s.out_length[0] = SEGMENTS * d;
            compare(&s);
            job b = s;
            b.name = "segment_sum_backward", b.run = run_segment_sum_backward, b.adds = 1;
            b.in[1] = uniform(SEGMENTS * d, -1, 1), b.out_length[0] = ENTRIES * d;
            compare(&b);
            if (d < 4) {
                gradients(&b);
                differences(&s, b.in[1], s.in[0], b.out[0], ENTRIES * d, 1e-2f, 1e-3);
            }
        }
        job e = f; /* no segments at all */
        e.seg = (cw_ragged){0, none, NULL}, e.out_length[0] = e.out_length[1] = 0;
        compare(&e);
        end_test("segments");
    }
}

/* ---- gates and distances ---------------------------------------------------------------------------------------- */

static void run_topk_gate(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->topk_gate(ex, j->out[0], j->in[0], j->in[1], j->s[2], j->f[0], j->s[0], j->s[1]);
}
static void run_topk_gate_backward(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->topk_gate_backward(ex, j->out[0], j->in[2], j->in[3], j->f[0], j->s[0], j->s[1]);
}

static void test_topk_gate(void)
{
    static const int64_t sizes[][3] = {{0, 5, 2},   {3, 1, 1},    {3, 17, 1},    {3, 17, 16},  {5, 17, 17},
                                       {5, 17, 40}, {31, 33, 7},  {9, 129, 16},  {301, 128, 16}, {2, 1025, 9}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int t = 0; t < 4; t++) { /* t & 1: beta; t & 2: values with many ties */
            int64_t n = sizes[i][0], d = sizes[i][1];
            job f = {.name = "topk_gate", .run = run_topk_gate, .out_length = NONE, .tolerance = 2e-6, .floor = 0.1};
            memcpy(f.s, sizes[i], sizeof sizes[i]);
            f.f[0] = 0.7f;
            f.in[0] = uniform(n * d, -3, 3), f.in[1] = t & 1 ? uniform(d, -1, 1) : NULL;
            for (int64_t q = 0; (t & 2) && q < n * d; q++) f.in[0][q] = floorf(f.in[0][q]);
            for (int64_t q = 0; (t & 2) && (t & 1) && q < d; q++) f.in[1][q] = floorf(f.in[1][q]);
            f.out_length[0] = n * d;
            compare(&f);
            int64_t wrong = 0;
            for (int64_t r = 0; r < n; r++) {
                int64_t count = 0;
                double sum = 0;
                for (int64_t c = 0; c < d; c++) count += f.out[0][r * d + c] > 0, sum += f.out[0][r * d + c];
                wrong += count != (f.s[2] < d ? f.s[2] : d) || fabs(sum - 1) > 1e-5;
            }
            CHECK(wrong == 0, "topk_gate: %d rows with other than k entries or a sum other than 1", (int)wrong);
            job b = f;
            b.name = "topk_gate_backward", b.run = run_topk_gate_backward, b.adds = 1;
            b.in[2] = uniform(n * d, -1, 1), b.in[3] = f.out[0];
            compare(&b);
            end_test("topk_gate");
        }
    /* among equals the lowest columns: 1 3 3 2 3 0, k = 2 -> columns 1 and 2; with beta the middle one goes */
    float x[6] = {1, 3, 3, 2, 3, 0}, beta[6] = {0, 0, 1, 0, 0, 0}, y[6];
    float expected[2][6] = {{0, .5f, .5f}, {0, .5f, 0, 0, .5f}};
    float strange[6] = {-INFINITY, -INFINITY, 1, -INFINITY, NAN, 2};
    cw_exec ex = {1};
    for (int which = 0; which < 2; which++) {
        const cw_kernels *k = which ? &cw_kernels_cpu : &cw_kernels_ref;
        k->topk_gate(&ex, y, x, NULL, 2, 1, 1, 6);
        CHECK(memcmp(y, expected[0], sizeof y) == 0, "%s topk_gate ties", k->name);
        k->topk_gate(&ex, y, x, beta, 2, 1, 1, 6);
        CHECK(memcmp(y, expected[1], sizeof y) == 0, "%s topk_gate ties with beta", k->name);
        k->topk_gate(&ex, y, strange, NULL, 2, 1, 1, 6);
        CHECK(isnan(y[4]), "%s topk_gate hides NaN", k->name);
        strange[4] = -INFINITY;
        k->topk_gate(&ex, y, strange, NULL, 4, 1, 1, 6);
        CHECK(y[0] == 0 && y[5] > y[2] && fabsf(y[5] + y[2] - 1) < 1e-6f, "%s topk_gate with infinities", k->name);
        strange[4] = NAN;
    }
    /* gradient: logits 0.1 apart, so that a step changes no choice */
    job f = {.name = "topk_gate", .run = run_topk_gate, .out_length = NONE};
    f.s[0] = 4, f.s[1] = 17, f.s[2] = 5, f.f[0] = 0.7f, f.in[0] = poisoned(4 * 17), f.out_length[0] = 4 * 17;
    for (int q = 0; q < 4 * 17; q++) f.in[0][q] = 0.1f * (float)(q * 5 % 17);
    job b = f;
    b.run = run_topk_gate_backward, b.in[2] = uniform(4 * 17, -1, 1), b.in[3] = poisoned(4 * 17);
    f.out[0] = b.in[3];
    f.run(&cw_kernels_ref, &ex, &f);
    gradients(&b);
    differences(&f, b.in[2], f.in[0], b.out[0], 4 * 17, 1e-2f, 3e-3);
    end_test("topk_gate");
}

static void run_soft_bins(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->soft_bins(ex, j->out[0], j->in[0], j->in[1], j->f[0], j->s[0], j->s[1], j->s[2]);
}
static void run_soft_bins_backward(const cw_kernels *k, const cw_exec *ex, job *j)
{
    float *work = poisoned(j->s[0] * j->s[1]);
    k->soft_bins_backward(ex, j->flags[0] ? j->out[0] : NULL, j->flags[1] ? j->out[1] : NULL, work, j->in[2], j->in[3],
                          j->in[0], j->in[1], j->f[0], j->s[0], j->s[1], j->s[2]);
}

static void test_soft_bins(void)
{
    static const int64_t sizes[][3] = {{0, 3, 5}, {1, 1, 1}, {3, 5, 17}, {7, 4, 16}, {33, 31, 65},
                                       {301, 50, 129}, {601, 9, 129}, {20, 300, 9}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int t = 0; t < 3; t++) {
            int64_t n = sizes[i][0], m = sizes[i][1], d = sizes[i][2];
            job f = {.name = "soft_bins", .run = run_soft_bins, .out_length = NONE, .tolerance = 2e-6};
            memcpy(f.s, sizes[i], sizeof sizes[i]);
            f.f[0] = 1.5f;
            f.in[0] = uniform(n * d, -1, 1), f.in[1] = uniform(m * d, -1, 1);
            f.out_length[0] = n * m;
            compare(&f);
            job b = f;
            b.name = "soft_bins_backward", b.run = run_soft_bins_backward, b.adds = 1, b.tolerance = 5e-6;
            b.in[2] = uniform(n * m, -1, 1), b.in[3] = f.out[0];
            b.flags[0] = t != 1, b.flags[1] = t != 2;
            b.out_length[0] = n * d, b.out_length[1] = m * d;
            compare(&b);
            if (t == 0 && n * d < 200 && n > 0) {
                gradients(&b);
                differences(&f, b.in[2], f.in[0], b.out[0], n * d, 1e-2f, 1e-3);
                differences(&f, b.in[2], f.in[1], b.out[1], m * d, 1e-2f, 1e-3);
            }
            end_test("soft_bins");
        }
}

/* ---- losses ----------------------------------------------------------------------------------------------------- */

static void run_cross_entropy(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->cross_entropy(ex, j->out[0], j->out[1], j->in[0], j->index, j->s[0], j->s[1]);
}
static void run_cross_entropy_backward(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->cross_entropy_backward(ex, j->out[0], j->in[1], j->in[0], j->in[2], j->index, j->s[0], j->s[1]);
}
static void run_bce(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->bce(ex, j->out[0], j->in[0], j->in[1], j->s[0]);
}
static void run_bce_backward(const cw_kernels *k, const cw_exec *ex, job *j)
{
    k->bce_backward(ex, j->out[0], j->in[2], j->in[0], j->in[1], j->s[0]);
}

static void test_losses(void)
{
    for (size_t i = 0; i < ROW_SIZES; i++) {
        int64_t n = row_sizes[i][0], d = row_sizes[i][1];
        int32_t target[301];
        for (int64_t r = 0; r < n; r++) target[r] = r % 4 == 3 ? -1 : (int32_t)(r * 5 % d);
        job f = {.name = "cross_entropy", .run = run_cross_entropy, .out_length = NONE, .tolerance = 1e-6, .floor = 1};
        memcpy(f.s, row_sizes[i], sizeof row_sizes[i]);
        f.index = target, f.in[0] = uniform(n * d, -4, 4), f.out_length[0] = f.out_length[1] = n;
        compare(&f);
        job b = f;
        b.name = "cross_entropy_backward", b.run = run_cross_entropy_backward, b.adds = 1;
        b.in[1] = uniform(n, -1, 2), b.in[2] = f.out[1];
        b.out_length[0] = n * d, b.out_length[1] = -1;
        compare(&b);
        if (n * d < 200 && n > 0 && d > 1) {
            gradients(&b);
            differences(&f, b.in[1], f.in[0], b.out[0], n * d, 1e-2f, 1e-3);
        }
        job l = {.name = "bce", .run = run_bce, .out_length = NONE, .tolerance = 1e-6, .floor = 1};
        l.s[0] = n * d, l.in[0] = uniform(n * d, -6, 6), l.in[1] = uniform(n * d, 0, 1), l.out_length[0] = n * d;
        compare(&l);
        job lb = l;
        lb.name = "bce_backward", lb.run = run_bce_backward, lb.adds = 1, lb.in[2] = uniform(n * d, -1, 2);
        compare(&lb);
        if (n * d < 200 && n > 0) {
            gradients(&lb);
            differences(&l, lb.in[2], l.in[0], lb.out[0], n * d, 1e-2f, 1e-3);
        }
        end_test("losses");
    }
    /* known: two equal logits; a logit so large that exp overflows */
    float x[4] = {0, 0, 1e4f, -1e4f}, loss[2], lse[2], y[2] = {1, 1};
    int32_t target[2] = {1, 1};
    cw_exec ex = {1};
    cw_kernels_cpu.cross_entropy(&ex, loss, lse, x, target, 2, 2);
    CHECK(fabsf(loss[0] - 0.69314718f) < 1e-6f && loss[1] == 2e4f, "cross_entropy %g %g", loss[0], loss[1]);
    cw_kernels_cpu.bce(&ex, loss, x + 2, y, 2);
    CHECK(loss[0] == 0 && loss[1] == 1e4f, "bce %g %g", loss[0], loss[1]);
}

/* ---- filling, sums, losses that reduce. One size n (and d, the width); out[0] is the result or the gradient ---------- */

#define RUN(entry, ...)                                                                                                \
    static void run_##entry(const cw_kernels *k, const cw_exec *ex, job *j) { k->entry(ex, __VA_ARGS__); }
RUN(fill, j->out[0], j->f[0], j->s[0])
RUN(affine, j->out[0], j->in[0], j->f[0], j->f[1], j->s[0])
RUN(add_scaled, j->out[0], j->in[0], j->f[0], j->s[0])
RUN(linear_precise, j->out[0], NULL, j->in[0], j->in[1], j->in[2], NULL, CW_ACT_NONE, j->s[0], j->s[1], j->s[2])
RUN(sum, j->out[0], j->in[0], 0.5, 3.0, j->s[0])
RUN(dot, j->out[0], j->in[0], j->in[1], 3.0, j->s[0])
RUN(mean_squared, j->out[0], j->in[0], j->in[1], j->s[0])
RUN(mean_squared_backward, j->out[0], j->out[1], j->f[0], j->in[0], j->in[1], j->s[0])
RUN(mean_absolute, j->out[0], j->in[0], j->s[0])
RUN(mean_absolute_backward, j->out[0], j->f[0], j->in[0], j->s[0])
RUN(latent, j->out[0], j->in[0], j->in[1], j->s[0])
RUN(latent_backward, j->out[0], j->in[2], j->in[0], j->in[1], j->s[0])
RUN(kl_normal, j->out[0], j->in[0], 3, j->s[0])
RUN(kl_normal_backward, j->out[0], j->f[0], j->in[0], 3, j->s[0])
RUN(zi_normal, j->out[0], j->in[0], j->in[1], 3, j->s[0])
RUN(zi_normal_backward, j->out[0], j->f[0], j->in[0], j->in[1], 3, j->s[0])
RUN(soft_cross_entropy, j->out[0], j->out[1], j->in[0], j->in[1], j->f[0], j->s[0], j->s[1])
RUN(row_weights, j->out[0], j->index, j->f[0], j->s[0])
RUN(row_shift, j->out[0], j->in[0], j->s[0], j->s[1])
static void run_router_quantiles(const cw_kernels *k, const cw_exec *ex, job *j)
{
    float *work = malloc((size_t)k->router_work(ex, j->s[0], j->s[1]) * sizeof *work + 1);
    k->router_quantiles(ex, j->out[0], work, j->in[0], j->in[1], j->s[2], j->s[3], j->s[0], j->s[1]);
    free(work);
}
RUN(contrast, j->out[0], j->out[1], j->in[0], j->f[0], j->s[0])

static job reducing(const char *name, void (*run)(const cw_kernels *, const cw_exec *, job *), int64_t n, int64_t out)
{
    job j = {.name = name, .run = run, .out_length = NONE, .tolerance = 1e-6, .f = {0.7f, -0.3f}};
    j.s[0] = n, j.out_length[0] = out;
    return j;
}

/* The backward `run` with g in f[0] against differences of the forward by in[0] (n values). */
static void loss_gradient(job *forward, const char *name, void (*run)(const cw_kernels *, const cw_exec *, job *), int64_t n,
                          double tol)
{
    job b = *forward;
    b.name = name, b.run = run, b.adds = 1, b.out_length[0] = n;
    b.out_length[1] = run == run_mean_squared_backward ? n : -1;
    compare(&b);
    float g = b.f[0];
    gradients(&b);
    differences(forward, &g, forward->in[0], b.out[0], n, 1e-2f, tol);
}

static double by_hand(const float *x, const float *y, int64_t n, int what)
{
    double all = 0;
    for (int64_t i = 0; i < n; i++)
        all += what == 0 ? x[i] : what == 1 ? (double)x[i] * y[i] : what == 2 ? pow((double)x[i] - y[i], 2) : fabs(x[i]);
    return all;
}

static void test_reductions(void)
{
    static const int64_t sizes[] = {1, 2, 3, 17, 65, 129, 1003};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n = sizes[i];
        job fill = reducing("fill", run_fill, n, n);
        compare(&fill);
        CHECK(fill.out[0][0] == 0.7f && fill.out[0][n - 1] == 0.7f, "fill");
        job line = reducing("affine", run_affine, n, n);
        line.in[0] = uniform(n, -2, 2);
        compare(&line);
        CHECK(fabs(line.out[0][n / 2] - (0.7 * line.in[0][n / 2] - 0.3)) < 1e-6, "affine");
        job add = reducing("add_scaled", run_add_scaled, n, n);
        add.in[0] = line.in[0], add.adds = 1;
        compare(&add);
        float *x = uniform(n, -2, 2), *y = uniform(n, -2, 2);
        for (int64_t q = 0; q < n; q++) /* |x| has a kink */
            if (fabsf(x[q]) < 0.05f) x[q] = 0.5f;
        static void (*const run[])(const cw_kernels *, const cw_exec *, job *) = {run_sum, run_dot, run_mean_squared,
                                                                                   run_mean_absolute};
        double factor[] = {0.5 / 3, 1.0 / 3, 1.0 / (double)n, 1.0 / (double)n};
        for (int what = 0; what < 4; what++) {
            job s = reducing("sum", run[what], n, 1);
            s.in[0] = x, s.in[1] = y, s.floor = 1;
            compare(&s);
            CHECK(fabs(s.out[0][0] - factor[what] * by_hand(x, y, n, what)) < 1e-5, "reduction %d of %d", what, (int)n);
            if (n < 100 && what == 2) loss_gradient(&s, "mean_squared_backward", run_mean_squared_backward, n, 2e-3);
            if (n < 100 && what == 3) loss_gradient(&s, "mean_absolute_backward", run_mean_absolute_backward, n, 2e-3);
        }
        end_test("reductions");
    }
    double values[3] = {1e300, -1e300, 3}; /* in double and in order */
    float out, full[4], known[4] = {1.0f, -2.5f, 0.0f, 3.0e38f};
    const uint16_t half[4] = {0x3f80, 0xc020, 0, 0x7f62};
    cw_exec ex = {1};
    cw_kernels_cpu.sum_double(&ex, &out, values, 2.0, 3);
    CHECK(out == 1.5f, "sum_double %g", (double)out);
    cw_kernels_cpu.to_f32(&ex, full, half, 4);
    CHECK(full[0] == known[0] && full[1] == known[1] && full[2] == 0 && fabsf(full[3] / known[3] - 1) < 0.01f, "bf16");
}

static void test_distributions(void)
{
    static const int64_t sizes[] = {1, 3, 17, 33, 257};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n = sizes[i];
        job z = reducing("latent", run_latent, n, n);
        z.in[0] = uniform(2 * n, -2, 2), z.in[1] = uniform(n, -2, 2), z.in[2] = uniform(n, -1, 1);
        compare(&z);
        job dz = z;
        dz.name = "latent_backward", dz.run = run_latent_backward, dz.adds = 1, dz.out_length[0] = 2 * n;
        compare(&dz);
        gradients(&dz);
        differences(&z, z.in[2], z.in[0], dz.out[0], 2 * n, 1e-2f, 2e-3);
        job kl = reducing("kl_normal", run_kl_normal, n, 1);
        kl.in[0] = uniform(2 * n, -1, 1);
        compare(&kl);
        if (n < 100) loss_gradient(&kl, "kl_normal_backward", run_kl_normal_backward, 2 * n, 3e-3);
        job zi = reducing("zi_normal", run_zi_normal, n, 1);
        zi.in[0] = uniform(3 * n, -1, 1), zi.in[1] = uniform(n, 0, 2);
        for (int64_t q = 0; q < n; q += 2) zi.in[1][q] = 0;
        compare(&zi);
        if (n < 100) loss_gradient(&zi, "zi_normal_backward", run_zi_normal_backward, 3 * n, 3e-3);
        end_test("distributions");
    }
    /* KL(N(0, 1) || N(0, 1)) = 0 where softplus(s) + 1e-6 = 1; what isn't finite is replaced, and moves nothing */
    float stats[4] = {0, 0.541323f, NAN, 0.541323f}, d[4] = {0}, out;
    cw_exec ex = {1};
    cw_kernels_cpu.kl_normal(&ex, &out, stats, 1, 2);
    cw_kernels_cpu.kl_normal_backward(&ex, d, 1, stats, 1, 2);
    CHECK(fabsf(out) < 1e-5f && fabsf(d[0]) < 1e-5f && d[2] == 0, "kl %g, gradients %g %g", out, d[0], d[2]);
}

static void test_row_losses(void)
{
    for (size_t i = 0; i < ROW_SIZES; i++) {
        int64_t n = row_sizes[i][0], d = row_sizes[i][1];
        if (n == 0) continue;
        int32_t target[301];
        for (int64_t r = 0; r < n; r++) target[r] = r % 4 == 3 ? -1 : 1;
        job w = reducing("row_weights", run_row_weights, n, n);
        w.index = target;
        compare(&w);
        CHECK(w.out[0][0] == 0.7f && (n < 4 || w.out[0][3] == 0), "row_weights");
        job s = reducing("row_shift", run_row_shift, n, n * d);
        s.s[1] = d, s.in[0] = uniform(n * d, 0, 1), s.adds = 1;
        compare(&s);
        int zero = 0; /* where y is largest */
        for (int64_t q = 0; q < d; q++) zero += s.out[0][q] == 0;
        CHECK(d == 0 || zero >= 1, "row_shift");
        job ce = reducing("soft_cross_entropy", run_soft_cross_entropy, n, 1);
        ce.s[1] = d, ce.in[0] = uniform(n * d, -2, 2), ce.in[1] = uniform(n * d, 0, 1);
        ce.out_length[1] = n * d, ce.floor = 1;
        if (d > 0) compare(&ce);
        float one = 1;
        if (d > 1 && n * d < 200) differences(&ce, &one, ce.in[0], ce.out[1], n * d, 1e-2f, 3e-3);
        job lin = reducing("linear_precise", run_linear_precise, n, n * 3);
        lin.s[1] = d, lin.s[2] = 3, lin.in[0] = ce.in[0], lin.in[1] = uniform(3 * d, -1, 1), lin.in[2] = uniform(3, -1, 1);
        compare(&lin);
        end_test("row losses");
    }
    static const int64_t routers[][2] = {{1, 2}, {5, 3}, {17, 33}, {1003, 129}};
    for (size_t i = 0; i < sizeof routers / sizeof *routers; i++) {
        int64_t n = routers[i][0], d = routers[i][1], k = d / 3, rank = n / 2 + 1;
        job q = reducing("router_quantiles", run_router_quantiles, n, d);
        q.s[1] = d, q.s[2] = k, q.s[3] = rank, q.in[0] = uniform(n * d, -2, 2), q.in[1] = uniform(d, -0.5f, 0.5f);
        compare(&q);
        int64_t above = 0, equal = 0; /* by counting, in the last column; equal values occur where it gives alpha */
        for (int64_t r = 0; r < n; r++) {
            float alpha = 0;
            for (int64_t c = 0; c < d; c++) {
                int64_t larger = 0;
                for (int64_t o = 0; o < d; o++)
                    larger += q.in[0][r * d + o] - q.in[1][o] > q.in[0][r * d + c] - q.in[1][c];
                if (larger == k) alpha = q.in[0][r * d + c] - q.in[1][c];
            }
            float value = q.in[0][r * d + d - 1] - alpha;
            above += value > q.out[0][d - 1], equal += value == q.out[0][d - 1];
        }
        CHECK(above < rank && above + equal >= rank, "%d and %d of %d reach the quantile of rank %d", (int)above, (int)equal,
              (int)n, (int)rank);
        end_test("router");
    }
    for (int64_t n = 1; n < 20; n += 6) {
        job c = reducing("contrast", run_contrast, n, 1);
        c.in[0] = uniform(n * n, -1, 1), c.out_length[1] = n * n, c.floor = 1;
        compare(&c);
        float temperature = c.f[0];
        if (n > 1) differences(&c, &temperature, c.in[0], c.out[1], n * n, 1e-2f, 3e-3);
        for (int64_t q = 0; q < n * n; q++) c.out[1][q] = 0;
        end_test("contrast");
    }
}

/* Prior loss: cells of 0 to many edges, ties, pairs known and not; cpu against ref at 1 to 3 threads, to the bits. */
static void test_prior(void)
{
    static const int64_t tf[] = {0, 2, 2, 5, 8}, gene[] = {0, 40, 41, 171, 371};
    enum { CELLS = 4, U = 8, V = 371, M = 5, TOP = 7 };
    int32_t tf_gene[U], token[V];
    for (int i = 0; i < U; i++) tf_gene[i] = i % 3;
    for (int i = 0; i < V; i++) token[i] = i % 50;
    uint64_t pair[40];
    for (int i = 0; i < 40; i++) pair[i] = (uint64_t)(i / 20) << 32 | (uint64_t)(i % 20);
    cw_prior p = {.gene = {CELLS, gene, gene}, .tf = {CELLS, tf, tf}, .tf_gene = tf_gene, .gene_token = token,
                  .pair = pair, .pairs = 40, .top = TOP, .positive = 5, .negative = 0.25f};
    float *u = uniform(U * M, 0, 1), *v = uniform(V * M, 0, 0.3f), loss[4], *du[4], *dv[4];
    memcpy(v + M * 3, v + M * 2, M * sizeof *v); /* a tie */
    double weights[4];
    for (int run = 0; run < 4; run++) {
        const cw_kernels *k = run == 0 ? &cw_kernels_ref : &cw_kernels_cpu;
        cw_exec ex = {run == 0 ? 1 : run};
        int64_t edges = 600, used[CELLS] = {-1, -1, -1, -1};
        cw_judged edge[CELLS * TOP];
        void *work = malloc((size_t)k->prior_work(&ex, CELLS, edges));
        du[run] = filled(U * M, 0), dv[run] = filled(V * M, 0);
        k->prior_loss(&ex, &loss[run], &weights[run], edge, used, work, edges, u, v, p, M);
        k->prior_loss_backward(&ex, du[run], dv[run], 0.5f, &weights[run], edge, used, u, v, p, M);
        free(work);
        CHECK(used[0] == TOP && used[1] == 0 && used[2] == TOP && used[3] == TOP, "edges judged: %d %d %d %d",
              (int)used[0], (int)used[1], (int)used[2], (int)used[3]);
        CHECK(fabsf(loss[run] / loss[0] - 1) < 1e-6f && weights[run] == weights[0], "loss %g and %g", loss[run], loss[0]);
        CHECK(run < 2 || (loss[run] == loss[1] && memcmp(dv[run], dv[1], V * M * 4) == 0 &&
                          memcmp(du[run], du[1], U * M * 4) == 0), "%d threads, other bits", run);
        CHECK(worst(dv[run], dv[0], V * M, 1e-5, 0) <= 1 && worst(du[run], du[0], U * M, 1e-5, 0) <= 1, "gradients");
    }
    double most = 0;
    for (int i = 0; i < U * M; i++) most = fmax(most, fabs(du[0][i]));
    CHECK(most > 1e-3, "gradients up to %g", most);
    end_test("prior");
}

/* h = tr((I + max(A,0)/m)^m) - m of known matrices; its slope against differences. */
static void test_acyclic(void)
{
    enum { M = 3 };
    cw_exec ex = {1};
    for (int table = 0; table < 2; table++) {
        const cw_kernels *k = table ? &cw_kernels_cpu : &cw_kernels_ref;
        float A[2][M * M] = {{0, 1, 2, -5, 0, 3, -1, -2, 0}, {0.3f, 1, -2, 0.5f, 0.1f, 0, 2, -1, 0.2f}};
        for (int which = 0; which < 2; which++) {
            float B[M * M], P[M * M], work[2 * M * M], slope[M * M];
            double h, side[2];
            k->acyclic_matrix(&ex, B, A[which], M);
            k->matrix_power(&ex, P, work, B, M, M - 1);
            k->acyclic(&ex, &h, slope, P, B, A[which], M);
            CHECK(which ? h > 0.1 : fabs(h) < 1e-6, "%s: h %g", k->name, h);
            for (int i = 0; i < M * M; i++) {
                float old = A[which][i], ignored[M * M];
                if (fabsf(old) < 0.05f) continue;
                for (int s = 0; s < 2; s++) {
                    A[which][i] = old + (s ? -0.01f : 0.01f);
                    k->acyclic_matrix(&ex, B, A[which], M);
                    k->matrix_power(&ex, P, work, B, M, M - 1);
                    k->acyclic(&ex, side + s, ignored, P, B, A[which], M);
                }
                A[which][i] = old;
                CHECK(fabs((side[0] - side[1]) / 0.02 - slope[i]) < 2e-3 * (1 + fabs(slope[i])), "slope %d: %g", i,
                      (double)slope[i]);
            }
        }
    }
}

/* ---- optimiser -------------------------------------------------------------------------------------------------- */

static void run_adamw(const cw_kernels *k, const cw_exec *ex, job *j)
{
    cw_adamw p = {1e-2f, 0.9f, 0.95f, 1e-8f, 0.05f, j->s[1], 0.5f, (int)j->s[2], j->s[2] ? 0.3f : 0.0f};
    for (int64_t i = 0; i < j->s[0]; i++) { /* moments as they may be: v >= 0 */
        j->out[1][i] = j->in[1][i];
        j->out[2][i] = j->in[2][i];
    }
    k->adamw(ex, j->out[0], j->out[1], j->out[2], j->in[0], p, j->s[0]);
}

static void run_sgd(const cw_kernels *k, const cw_exec *ex, job *j)
{
    for (int64_t i = 0; i < j->s[0]; i++) j->out[1][i] = j->in[1][i];
    k->sgd(ex, j->out[0], j->out[1], j->in[0], (cw_sgd){1e-2f, 0.9f, 0.05f, 0.5f, 0.3f}, j->s[0]);
}

static void test_optimizer(void)
{
    static const int64_t sizes[] = {0, 1, 3, 17, 33, 129, 8193, 100001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n = sizes[i];
        for (int64_t step = 1; step < 2000; step += 999) {
            job j = {.name = "adamw", .run = run_adamw, .out_length = NONE, .adds = 1, .tolerance = 1e-5};
            j.floor = 1e-2; /* where v is near 0 the step is large and may leave little of w */
            j.s[0] = n, j.s[1] = step;
            j.in[0] = uniform(n, -1, 1), j.in[1] = uniform(n, -1, 1), j.in[2] = uniform(n, 0, 1);
            for (int64_t q = 0; q < n && step == 1; q++) j.in[1][q] = j.in[2][q] = 0;
            j.out_length[0] = j.out_length[1] = j.out_length[2] = n;
            compare(&j);
            end_test("adamw");
        }
        float *x = uniform(n, -2, 2);
        double expected = cw_ref_sum_squares(NULL, x, n), first = 0;
        for (int level = 0; level < CW_SIMD_COUNT; level++)
            for (int threads = 1; threads <= 3; threads++) {
                cw_exec ex = {threads};
                cw_cpu_simd_limit(level);
                double got = cw_kernels_cpu.sum_squares(&ex, x, n);
                if (level == 0 && threads == 1) first = got;
                CHECK(fabs(got - expected) <= 1e-12 * expected, "sum_squares %.17g, not %.17g", got, expected);
                CHECK(got == first, "sum_squares: other bits at level %d, %d threads", level, threads);
                if (n > 2) {
                    float old = x[n / 2];
                    x[n / 2] = NAN;
                    CHECK(isnan(cw_kernels_cpu.sum_squares(&ex, x, n)), "sum_squares hides NaN");
                    x[n / 2] = -INFINITY;
                    CHECK(isinf(cw_kernels_cpu.sum_squares(&ex, x, n)), "sum_squares hides infinity");
                    x[n / 2] = old;
                }
            }
        cw_cpu_simd_limit(CW_SIMD_COUNT);
        end_test("sum_squares");
    }
    /* known: at the first step from zero moments the weight moves by lr whatever the gradient's size */
    for (int which = 0; which < 2; which++) {
        const cw_kernels *k = which ? &cw_kernels_cpu : &cw_kernels_ref;
        cw_exec ex = {1};
        cw_adamw p = {0.1f, 0.9f, 0.999f, 1e-8f, 0.5f, 1, 1, 0, 0};
        float w[2] = {1, 1}, m[2] = {0}, v[2] = {0}, g[2] = {1e-3f, -20};
        k->adamw(&ex, w, m, v, g, p, 2);
        CHECK(fabsf(w[0] - 0.85f) < 1e-4f && fabsf(w[1] - 1.05f) < 1e-4f, "%s adamw: %g %g", k->name, w[0], w[1]);
        p.coupled = 1; /* the decay turns the small gradient's sign, and is nothing beside the large one */
        float w2[2] = {-1, 1}, m2[2] = {0}, v2[2] = {0};
        k->adamw(&ex, w2, m2, v2, g, p, 2);
        CHECK(fabsf(w2[0] + 0.9f) < 1e-4f && fabsf(w2[1] - 1.1f) < 1e-4f, "%s adam: %g %g", k->name, w2[0], w2[1]);
        float w3 = 2, m3 = 1, g3 = 3; /* m = 0.5 + (6 + 1); w = 2 - 0.1 m */
        k->sgd(&ex, &w3, &m3, &g3, (cw_sgd){0.1f, 0.5f, 0.5f, 2, 0}, 1);
        CHECK(fabsf(m3 - 7.5f) < 1e-6f && fabsf(w3 - 1.25f) < 1e-6f, "%s sgd: %g %g", k->name, m3, w3);
        float w4[2] = {2, 2}, m4[2] = {1, 1}, g4[2] = {3, -3}; /* 6 and -6 cut to 4: m = 0.5 +- 4 + 1 */
        k->sgd(&ex, w4, m4, g4, (cw_sgd){0.1f, 0.5f, 0.5f, 2, 4}, 2);
        CHECK(fabsf(m4[0] - 5.5f) < 1e-6f && fabsf(m4[1] + 2.5f) < 1e-6f, "%s bounded: %g %g", k->name, m4[0], m4[1]);
        float w5 = 0, m5 = 0, v5 = 0, g5 = -20; /* m = 0.1 x -0.5 */
        p = (cw_adamw){0.1f, 0.9f, 0.999f, 1e-8f, 0, 1, 1, 1, 0.5f};
        k->adamw(&ex, &w5, &m5, &v5, &g5, p, 1);
        CHECK(fabsf(m5 + 0.05f) < 1e-6f && fabsf(v5 - 0.00025f) < 1e-7f, "%s bounded: %g %g", k->name, m5, v5);
    }
}

/* Drawn after all else, so that the draws of the tests before stay what they were. */
static void test_coupled(void)
{
    static const int64_t sizes[] = {0, 1, 3, 17, 33, 129, 8193, 100001};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t n = sizes[i];
        job j = {.name = "sgd", .run = run_sgd, .out_length = NONE, .adds = 1, .tolerance = 2e-6};
        j.floor = 0.5; /* sums that cancel */
        j.s[0] = n, j.in[0] = uniform(n, -1, 1), j.in[1] = uniform(n, -1, 1);
        j.out_length[0] = j.out_length[1] = n;
        compare(&j);
        end_test("sgd");
        job a = {.name = "adam", .run = run_adamw, .out_length = NONE, .adds = 1, .tolerance = 2e-6};
        a.floor = 0.05;
        a.s[0] = n, a.s[1] = 3, a.s[2] = 1;
        a.in[0] = uniform(n, -1, 1), a.in[1] = uniform(n, -1, 1), a.in[2] = uniform(n, 0, 1);
        a.out_length[0] = a.out_length[1] = a.out_length[2] = n;
        compare(&a);
        end_test("adam");
    }
}

static void test_tables(void)
{
    CHECK(cw_kernels_select("ref") == &cw_kernels_ref && cw_kernels_select("cpu") == &cw_kernels_cpu, "select");
    CHECK(cw_kernels_select(NULL) == &cw_kernels_cpu && !cw_kernels_select("gpu"), "select");
#define FILLED(entry) CHECK(cw_kernels_ref.entry && cw_kernels_cpu.entry, #entry);
    CW_KERNEL_LIST_FAST(FILLED)
    CW_KERNEL_LIST_REF(FILLED)
}

int main(void)
{
    test_tables();
    test_gemm();
    test_gemm_batched();
    test_linear();
    test_column_sum();
    test_matrix_power();
    test_act();
    test_swiglu();
    test_streams();
    test_rmsnorm();
    test_layernorm();
    test_softmax();
    test_gather();
    test_segments();
    test_topk_gate();
    test_soft_bins();
    test_losses();
    test_reductions();
    test_distributions();
    test_row_losses();
    test_prior();
    test_acyclic();
    test_optimizer();
    test_coupled();
    return test_end();
}
