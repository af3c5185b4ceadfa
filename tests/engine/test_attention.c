/* test_attention.c: rotary positions and attention. The reference against naive double arithmetic and finite
 * differences; the CPU kernels, at every width of vector this machine has, against the reference: all head sizes,
 * ragged lengths, causal and not, poisoned outputs and guard words, large scores, any number of threads. */
#include "test.h"

#include <stdint.h>

#include "kernels/kernels.h"
#include "kernels/cpu/cpu.h"
#include "kernels/ref/ref.h"

enum { GUARD = 32, PAD = 5 }; /* floats around every array; columns beside the fused q, k, v that nobody may touch */

static uint64_t state = 1;

static float uniform(void) /* in [-1, 1) */
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)(state >> 40) / 8388608.0f - 1.0f;
}

/* n poisoned floats between guards. Freed with drop. */
static float *poisoned(int64_t n)
{
    float *p = malloc(sizeof(float) * (size_t)(n + 2 * GUARD));
    if (!p) exit(2);
    for (int64_t i = 0; i < n + 2 * GUARD; i++) p[i] = NAN;
    for (int i = 0; i < GUARD; i++) p[i] = p[n + GUARD + i] = 12345.0f + (float)i;
    return p + GUARD;
}

static int guarded(const float *p, int64_t n)
{
    for (int i = 0; i < GUARD; i++) {
        if (p[i - GUARD] != 12345.0f + (float)i || p[n + i] != 12345.0f + (float)i) return 0;
    }
    return 1;
}

static void drop(float *p) { free(p - GUARD); }

/* One problem and room for one answer. */
typedef struct problem {
    int64_t n, heads, d, width, stride, count, start[16];
    cw_attention a;
    float *qkv, *dout;             /* (n, stride), (n, width) */
    float *o, *lse, *delta, *dqkv; /* (n, width), (heads, n), (heads, n), (n, stride) */
} problem;

static problem make(const int64_t *lengths, int64_t count, int64_t heads, int64_t d, int causal, float size)
{
    problem p = {.heads = heads, .d = d, .width = heads * d, .stride = 3 * heads * d + PAD, .count = count};
    for (int64_t s = 0; s < count; s++) p.start[s + 1] = p.start[s] + lengths[s];
    p.n = p.start[count];
    p.a = (cw_attention){heads, d, 1.0f / sqrtf((float)d), causal};
    p.qkv = poisoned(p.n * p.stride);
    p.dout = poisoned(p.n * p.width);
    for (int64_t i = 0; i < p.n; i++) {
        for (int64_t c = 0; c < 3 * p.width; c++) {
            p.qkv[i * p.stride + c] = uniform() * (c < 2 * p.width ? size : 1.0f);
        }
    }
    for (int64_t i = 0; i < p.n * p.width; i++) p.dout[i] = uniform();
    p.o = poisoned(p.n * p.width);
    p.lse = poisoned(p.heads * p.n);
    p.delta = poisoned(p.heads * p.n);
    p.dqkv = poisoned(p.n * p.stride);
    return p;
}

/* The same inputs (shared, not copied) with fresh room for an answer. Freed with drop_answer. */
static problem again(const problem *p)
{
    problem c = *p;
    c.o = poisoned(p->n * p->width);
    c.lse = poisoned(p->heads * p->n);
    c.delta = poisoned(p->heads * p->n);
    c.dqkv = poisoned(p->n * p->stride);
    return c;
}

static void drop_answer(problem *p) { drop(p->o), drop(p->lse), drop(p->delta), drop(p->dqkv); }

static void drop_problem(problem *p)
{
    drop_answer(p);
    drop(p->qkv), drop(p->dout);
}

static void solve(problem *p, int cpu, int threads)
{
    cw_exec ex = {threads};
    cw_ragged seq = {p->count, p->start, NULL};
    const float *q = p->qkv, *k = q + p->width, *v = k + p->width;
    float *dq = p->dqkv, *dk = dq + p->width, *dv = dk + p->width;
    (cpu ? cw_cpu_attention : cw_ref_attention)(&ex, p->o, p->lse, q, k, v, p->stride, seq, p->a);
    (cpu ? cw_cpu_attention_backward : cw_ref_attention_backward)(&ex, dq, dk, dv, p->stride, p->delta, p->dout, p->o,
                                                                  p->lse, q, k, v, p->stride, seq, p->a);
}

/* Guards whole, the columns beside the gradients still poisoned. */
static int clean(const problem *p)
{
    if (!guarded(p->o, p->n * p->width) || !guarded(p->lse, p->heads * p->n)) return 0;
    if (!guarded(p->delta, p->heads * p->n) || !guarded(p->dqkv, p->n * p->stride)) return 0;
    for (int64_t i = 0; i < p->n; i++) {
        for (int64_t c = 3 * p->width; c < p->stride; c++) {
            if (!isnan(p->dqkv[i * p->stride + c])) return 0;
        }
    }
    return 1;
}

static double largest(const float *x, int64_t stride, int64_t n, int64_t width)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < width; c++) most = fmax(most, fabs((double)x[i * stride + c]));
    }
    return most;
}

/* Largest |x - y| over rows of width columns, in units of the matrix's largest |y|; infinite where x is no number. */
static double difference(const float *x, const float *y, int64_t stride, int64_t n, int64_t width)
{
    double most = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t c = 0; c < width; c++) {
            double e = fabs((double)x[i * stride + c] - y[i * stride + c]);
            if (!(e <= most)) most = isnan(e) ? INFINITY : e;
        }
    }
    return most / fmax(largest(y, stride, n, width), 1e-30);
}

static void compare(const problem *x, const problem *y, double tolerance, const char *what)
{
    int64_t w = y->width, n = y->n;
    double eo = difference(x->o, y->o, w, n, w), el = difference(x->lse, y->lse, n, y->heads, n);
    double eq = difference(x->dqkv, y->dqkv, y->stride, n, w);
    double ek = difference(x->dqkv + w, y->dqkv + w, y->stride, n, w);
    double ev = difference(x->dqkv + 2 * w, y->dqkv + 2 * w, y->stride, n, w);
    CHECK(eo <= tolerance, "%s d %d causal %d n %d: o off by %g", what, (int)y->d, y->a.causal, (int)n, eo);
    CHECK(el <= tolerance, "%s d %d causal %d n %d: lse off by %g", what, (int)y->d, y->a.causal, (int)n, el);
    /* dq and dk can cancel to nothing (one key: exactly zero), so their unit is that of dv */
    double unit = largest(y->dqkv + 2 * w, y->stride, n, w);
    eq *= largest(y->dqkv, y->stride, n, w) / unit;
    ek *= largest(y->dqkv + w, y->stride, n, w) / unit;
    CHECK(eq <= tolerance, "%s d %d causal %d n %d: dq off by %g", what, (int)y->d, y->a.causal, (int)n, eq);
    CHECK(ek <= tolerance, "%s d %d causal %d n %d: dk off by %g", what, (int)y->d, y->a.causal, (int)n, ek);
    CHECK(ev <= tolerance, "%s d %d causal %d n %d: dv off by %g", what, (int)y->d, y->a.causal, (int)n, ev);
    CHECK(clean(x), "%s d %d: wrote outside", what, (int)y->d);
}

static const char *level_name[] = {"generic", "avx2", "avx512"};

/* Every width of vector in turn. */
static void against_reference(problem *p, double tolerance, const char *what)
{
    char text[100];
    solve(p, 0, 1);
    CHECK(clean(p), "ref wrote outside");
    int64_t bad = 0;
    for (int64_t i = 0; i < p->n * p->width; i++) bad += !isfinite(p->o[i]);
    CHECK(bad == 0, "%s: ref: %d outputs are no numbers", what, (int)bad);
    cw_cpu_simd_limit(CW_SIMD_COUNT);
    int best = cw_cpu_simd_level();
    for (int level = 0; level <= best; level++) {
        cw_cpu_simd_limit(level);
        problem c = again(p);
        solve(&c, 1, 2);
        snprintf(text, sizeof text, "%s, %s", what, level_name[level]);
        compare(&c, p, tolerance, text);
        drop_answer(&c);
    }
    cw_cpu_simd_limit(CW_SIMD_COUNT);
}

static void test_head_sizes(void)
{
    const int64_t dims[] = {1, 3, 8, 16, 20, 32, 33, 48, 64, 80, 96, 112, 128, 144, 192, 200, 208, 256};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++) {
        for (int causal = 0; causal < 2; causal++) {
            const int64_t lengths[] = {117, 0, 1, 66};
            problem p = make(lengths, 4, 2, dims[i], causal, 1.0f);
            against_reference(&p, 1e-5, "head sizes");
            drop_problem(&p);
        }
    }
}

/* Lengths around the borders of vectors, tiles of queries (12, 24, 48), blocks of keys (64) and tasks (192). */
static void test_lengths(void)
{
    const int64_t lengths[] = {1, 2, 15, 16, 17, 31, 47, 48, 49, 63, 64, 65, 127, 129, 191, 193, 200, 241};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (int causal = 0; causal < 2; causal++) {
            problem p = make(&lengths[i], 1, 1, 20, causal, 1.5f);
            against_reference(&p, 1e-5, "lengths");
            drop_problem(&p);
        }
    }
    const int64_t ragged[] = {0, 13, 0, 0, 197, 1, 1, 64, 30, 0};
    for (int causal = 0; causal < 2; causal++) {
        problem p = make(ragged, 10, 3, 32, causal, 1.0f);
        against_reference(&p, 1e-5, "ragged");
        drop_problem(&p);
    }
    const int64_t none[] = {0, 0};
    problem p = make(none, 2, 2, 16, 0, 1.0f);
    solve(&p, 1, 2);
    CHECK(clean(&p), "wrote with nothing to do");
    p.count = 0;
    solve(&p, 1, 2);
    CHECK(clean(&p), "wrote without sequences");
    drop_problem(&p);
}

/* Scores of about +-80: a softmax that forgets the maximum overflows. A score of 115 in units of log2 has an error of
 * 115 2^-24 from rounding alone, hence the wider tolerance. */
static void test_large_scores(void)
{
    for (int causal = 0; causal < 2; causal++) {
        const int64_t lengths[] = {90};
        problem p = make(lengths, 1, 2, 16, causal, 1.0f);
        for (int64_t i = 0; i < p.n; i++) {
            for (int64_t c = 0; c < 2 * p.width; c++) {
                p.qkv[i * p.stride + c] = (uniform() > 0 ? 1.0f : -1.0f) * (4.472136f + 0.01f * uniform());
            }
        }
        solve(&p, 0, 1);
        float most = 0;
        for (int64_t i = 0; i < p.heads * p.n; i++) most = fmaxf(most, p.lse[i]);
        CHECK(most > 50.0f, "scores are not large: %g", most);
        against_reference(&p, 1e-4, "large scores");
        drop_problem(&p);
        /* all scores of the first head near -80: nothing may underflow to a sum of zero */
        p = make(lengths, 1, 2, 16, causal, 1.0f);
        for (int64_t i = 0; i < p.n; i++) {
            for (int64_t c = 0; c < 16; c++) {
                p.qkv[i * p.stride + c] = 4.472136f;
                p.qkv[i * p.stride + p.width + c] = -4.472136f + 0.05f * uniform();
            }
        }
        against_reference(&p, 1e-4, "small scores");
        CHECK(p.lse[p.n - 1] < -70.0f, "scores are not small: %g", p.lse[p.n - 1]);
        drop_problem(&p);
    }
}

/* Errors may not grow with the number of key blocks: what is carried along must be carried without loss. */
static void test_long_sequence(void)
{
    const int64_t lengths[] = {3001};
    problem p = make(lengths, 1, 1, 1, 0, 1.0f), c = again(&p);
    cw_ragged seq = {1, p.start, NULL};
    const float *q = p.qkv, *k = q + 1, *v = q + 2;
    cw_ref_attention(&(cw_exec){1}, p.o, p.lse, q, k, v, p.stride, seq, p.a);
    for (int level = cw_cpu_simd_level(); level >= 0; level--) {
        double bias = 0;
        cw_cpu_simd_limit(level);
        cw_cpu_attention(&(cw_exec){1}, c.o, c.lse, q, k, v, p.stride, seq, p.a);
        for (int64_t i = 0; i < p.n; i++) bias += ((double)c.lse[i] - p.lse[i]) / (double)p.n;
        CHECK(fabs(bias) < 5e-7, "%s: lse is off by %g on average", level_name[level], bias);
        CHECK(difference(c.o, p.o, 1, p.n, 1) < 1e-5, "%s: o", level_name[level]);
    }
    cw_cpu_simd_limit(CW_SIMD_COUNT);
    drop_answer(&c);
    drop_problem(&p);
}

/* One key: o = v, lse = the score, dq = dk = 0 and dv = dout. */
static void test_one_key(void)
{
    const int64_t lengths[] = {1, 1, 1};
    problem p = make(lengths, 3, 2, 20, 0, 3.0f);
    for (int cpu = 0; cpu < 2; cpu++) {
        problem c = again(&p);
        solve(&c, cpu, 1);
        double eo = 0, ev = 0, eq = 0, es = 0;
        for (int64_t i = 0; i < p.n; i++) {
            for (int64_t h = 0; h < p.heads; h++) {
                double score = 0;
                for (int64_t e = 0; e < p.d; e++) {
                    int64_t col = h * p.d + e, at = i * p.stride + col;
                    score += (double)p.qkv[at] * p.qkv[at + p.width] * p.a.scale;
                    eo = fmax(eo, fabs(c.o[i * p.width + col] - p.qkv[at + 2 * p.width]));
                    ev = fmax(ev, fabs(c.dqkv[at + 2 * p.width] - p.dout[i * p.width + col]));
                    eq = fmax(eq, fmax(fabs(c.dqkv[at]), fabs(c.dqkv[at + p.width])));
                }
                es = fmax(es, fabs(score - c.lse[h * p.n + i]));
            }
        }
        CHECK(eo < 1e-6 && ev < 1e-5 && eq < 1e-5 && es < 1e-5, "cpu %d: %g %g %g %g", cpu, eo, ev, eq, es);
        drop_answer(&c);
    }
    drop_problem(&p);
}

/* Bit for bit the same on 1, 2 and 3 threads, at every width of vector. */
static void test_threads(void)
{
    const int64_t lengths[] = {201, 3, 130};
    int best = cw_cpu_simd_level();
    for (int causal = 0; causal < 2; causal++) {
        for (int level = 0; level <= best; level++) {
            cw_cpu_simd_limit(level);
            problem p = make(lengths, 3, 3, 33, causal, 1.0f);
            solve(&p, 1, 1);
            for (int threads = 2; threads <= 3; threads++) {
                problem c = again(&p);
                solve(&c, 1, threads);
                int same = memcmp(c.o, p.o, sizeof(float) * (size_t)(p.n * p.width)) == 0 &&
                           memcmp(c.lse, p.lse, sizeof(float) * (size_t)(p.n * p.heads)) == 0 &&
                           memcmp(c.delta, p.delta, sizeof(float) * (size_t)(p.n * p.heads)) == 0 &&
                           memcmp(c.dqkv, p.dqkv, sizeof(float) * (size_t)(p.n * p.stride)) == 0;
                CHECK(same, "%d threads, %s, causal %d: other bits than one thread", threads, level_name[level],
                      causal);
                drop_answer(&c);
            }
            drop_problem(&p);
        }
    }
    cw_cpu_simd_limit(CW_SIMD_COUNT);
}

/* A query's output depends on its own sequence alone and, if causal, on the keys up to it alone. */
static void test_independence(void)
{
    const int64_t lengths[] = {70, 90};
    problem p = make(lengths, 2, 2, 24, 1, 1.0f);
    solve(&p, 1, 1);
    problem c = again(&p);
    for (int64_t i = 40; i < p.n; i++) {
        for (int64_t col = 0; col < 3 * p.width; col++) p.qkv[i * p.stride + col] *= -1.7f;
    }
    solve(&c, 1, 1);
    CHECK(memcmp(c.o, p.o, sizeof(float) * (size_t)(40 * p.width)) == 0, "the past saw the future");
    CHECK(memcmp(c.o + 40 * p.width, p.o + 40 * p.width, sizeof(float) * (size_t)p.width) != 0, "nothing changed");
    drop_answer(&c);
    p.a.causal = 0;
    solve(&p, 1, 1);
    c = again(&p);
    p.qkv[100 * p.stride + 3] = NAN; /* a query of the second sequence */
    solve(&c, 1, 1);
    CHECK(memcmp(c.o, p.o, sizeof(float) * (size_t)(100 * p.width)) == 0, "a row saw another's query");
    CHECK(isnan(c.o[100 * p.width]) && isnan(c.lse[100]), "a NaN was swallowed");
    CHECK(memcmp(c.dqkv, p.dqkv, sizeof(float) * (size_t)(3 * p.width)) == 0, "a sequence saw another's gradient");
    drop_answer(&c);
    p.qkv[100 * p.stride + 3] = 0.5f;
    p.qkv[101 * p.stride + p.width] = NAN; /* a key: all queries of its sequence and head must tell */
    for (int cpu = 0; cpu < 2; cpu++) {
        int64_t quiet = 0, loud = 0;
        c = again(&p);
        solve(&c, cpu, 1);
        for (int64_t i = p.start[1]; i < p.n; i++) {
            quiet += !isnan(c.o[i * p.width]) || !isnan(c.lse[i]) || !isnan(c.dqkv[i * p.stride + 2 * p.width]);
            loud += isnan(c.o[i * p.width + p.d]) || isnan(c.dqkv[i * p.stride + p.d]);
        }
        CHECK(quiet == 0 && loud == 0, "cpu %d: NaN key: %d rows quiet, %d of the other head", cpu, (int)quiet,
              (int)loud);
        drop_answer(&c);
    }
    drop_problem(&p);
}

/* sum(w o) in double, straight from the definition, with element `at` of q, k, v moved by `by` */
static double naive_loss(const problem *p, int64_t at, double by, double *row)
{
    double loss = 0;
    for (int64_t s = 0; s < p->count; s++) {
        for (int64_t h = 0; h < p->heads; h++) {
            for (int64_t i = p->start[s]; i < p->start[s + 1]; i++) {
                int64_t stop = p->a.causal ? i + 1 : p->start[s + 1];
                double top = -INFINITY, sum = 0, out = 0;
                for (int64_t j = p->start[s]; j < stop; j++) {
                    double score = 0;
                    for (int64_t e = 0; e < p->d; e++) {
                        int64_t qa = i * p->stride + h * p->d + e, ka = j * p->stride + p->width + h * p->d + e;
                        score += (p->qkv[qa] + (qa == at ? by : 0)) * (p->qkv[ka] + (ka == at ? by : 0));
                    }
                    row[j] = score * (double)p->a.scale;
                    top = fmax(top, row[j]);
                }
                for (int64_t j = p->start[s]; j < stop; j++) {
                    double e = exp(row[j] - top), vw = 0;
                    for (int64_t c = 0; c < p->d; c++) {
                        int64_t va = j * p->stride + 2 * p->width + h * p->d + c;
                        vw += (p->qkv[va] + (va == at ? by : 0)) * p->dout[i * p->width + h * p->d + c];
                    }
                    sum += e;
                    out += e * vw;
                }
                loss += out / sum;
            }
        }
    }
    return loss;
}

static void test_finite_differences(void)
{
    const int64_t lengths[] = {19, 1, 8};
    const int64_t dims[] = {3, 16, 20};
    for (int i = 0; i < 3; i++) {
        for (int causal = 0; causal < 2; causal++) {
            problem p = make(lengths, 3, 2, dims[i], causal, 1.0f);
            problem c = again(&p);
            double *row = malloc(sizeof(double) * (size_t)p.n), loss = 0, worst[2] = {0, 0};
            if (!row) exit(2);
            solve(&p, 0, 1);
            solve(&c, 1, 1);
            for (int64_t j = 0; j < p.n * p.width; j++) loss += (double)p.o[j] * p.dout[j];
            CHECK(fabs(loss - naive_loss(&p, -1, 0, row)) < 1e-4, "d %d: loss %g", (int)dims[i], loss);
            int64_t checked = 0;
            for (int64_t at = 0; at < p.n * p.stride; at += 7) {
                if (at % p.stride >= 3 * p.width) continue;
                double slope = (naive_loss(&p, at, 1e-5, row) - naive_loss(&p, at, -1e-5, row)) / 2e-5;
                worst[0] = fmax(worst[0], fabs(slope - p.dqkv[at]));
                worst[1] = fmax(worst[1], fabs(slope - c.dqkv[at]));
                checked++;
            }
            CHECK(checked > 30 && worst[0] < 3e-6, "ref d %d causal %d: off by %g", (int)dims[i], causal, worst[0]);
            CHECK(worst[1] < 5e-6, "cpu d %d causal %d: off by %g", (int)dims[i], causal, worst[1]);
            free(row);
            drop_answer(&c);
            drop_problem(&p);
        }
    }
}

static void test_rotary(void)
{
    const int64_t n = 23, heads = 3, dims[] = {2, 6, 8, 32, 64, 128, 256};
    for (int i = 0; i < 7; i++) {
        for (int kind = CW_ROTARY_HALF; kind <= CW_ROTARY_INTERLEAVED; kind++) {
            int64_t d = dims[i], width = heads * d, stride = width + PAD, size = n * stride;
            float *x = poisoned(size), *ref = poisoned(size), *cpu = poisoned(size), *y = poisoned(size);
            int32_t position[23];
            for (int64_t r = 0; r < n; r++) {
                position[r] = r == 5 ? 100000 : r == 6 ? -3 : (int32_t)((r * 37 + 11) % 1024);
                for (int64_t c = 0; c < width; c++) x[r * stride + c] = uniform(), y[r * stride + c] = uniform();
            }
            memcpy(ref, x, sizeof(float) * (size_t)size);
            memcpy(cpu, x, sizeof(float) * (size_t)size);
            cw_exec ex = {2};
            cw_ref_rotary(&ex, ref, stride, position, (cw_rotary)kind, 10000.0f, 0, n, heads, d);
            cw_cpu_rotary(&ex, cpu, stride, position, (cw_rotary)kind, 10000.0f, 0, n, heads, d);
            /* by hand: row r, head 1, last pair */
            double worst = 0;
            for (int64_t r = 0; r < n; r++) {
                int64_t a = kind == CW_ROTARY_HALF ? d / 2 - 1 : d - 2, b = kind == CW_ROTARY_HALF ? d - 1 : d - 1;
                double t = position[r] * pow(10000.0, -(double)(d - 2) / (double)d);
                const float *from = x + r * stride + d, *to = ref + r * stride + d;
                worst = fmax(worst, fabs(from[a] * cos(t) - from[b] * sin(t) - to[a]));
                worst = fmax(worst, fabs(from[a] * sin(t) + from[b] * cos(t) - to[b]));
            }
            CHECK(worst < 2e-7, "ref d %d kind %d: off by %g", (int)d, kind, worst);
            double e = difference(cpu, ref, stride, n, width);
            CHECK(e < 1e-6, "cpu d %d kind %d: off by %g", (int)d, kind, e);
            CHECK(memcmp(cpu, x, sizeof(float)) != 0, "d %d: nothing turned", (int)d);
            /* the inverse is the transpose: <R x, y> = <x, R^-1 y>, head by head and so in all; and R^-1 R x = x */
            double left = 0, right = 0;
            cw_cpu_rotary(&ex, y, stride, position, (cw_rotary)kind, 10000.0f, 1, n, heads, d);
            float *yi = poisoned(size);
            memcpy(yi, y, sizeof(float) * (size_t)size);
            cw_ref_rotary(&ex, y, stride, position, (cw_rotary)kind, 10000.0f, 0, n, heads, d); /* y itself again */
            for (int64_t r = 0; r < n; r++) {
                for (int64_t c = 0; c < width; c++) {
                    left += (double)cpu[r * stride + c] * y[r * stride + c];
                    right += (double)x[r * stride + c] * yi[r * stride + c];
                }
            }
            CHECK(fabs(left - right) < 1e-4, "d %d kind %d: %g, %g", (int)d, kind, left, right);
            cw_cpu_rotary(&ex, cpu, stride, position, (cw_rotary)kind, 10000.0f, 1, n, heads, d);
            cw_ref_rotary(&ex, ref, stride, position, (cw_rotary)kind, 10000.0f, 1, n, heads, d);
            CHECK(difference(cpu, x, stride, n, width) < 1e-6, "cpu d %d kind %d: not turned back", (int)d, kind);
            CHECK(difference(ref, x, stride, n, width) < 1e-6, "ref d %d kind %d: not turned back", (int)d, kind);
            int64_t touched = 0;
            for (int64_t r = 0; r < n; r++) {
                for (int64_t c = width; c < stride; c++) touched += !isnan(cpu[r * stride + c]);
            }
            CHECK(touched == 0 && guarded(cpu, size) && guarded(ref, size), "d %d: wrote outside", (int)d);
            memcpy(cpu, x, sizeof(float) * (size_t)size);
            cw_cpu_rotary(&ex, cpu, stride, position, CW_ROTARY_NONE, 10000.0f, 0, n, heads, d);
            CHECK(memcmp(cpu, x, sizeof(float) * (size_t)size) == 0, "none turned something");
            drop(x), drop(ref), drop(cpu), drop(y), drop(yi);
        }
    }
    /* threads: enough rows for the kernel to use them */
    int64_t rows = 300, d = 32;
    float *one = poisoned(rows * d), *more = poisoned(rows * d);
    int32_t *position = malloc(sizeof(int32_t) * (size_t)rows);
    if (!position) exit(2);
    for (int64_t r = 0; r < rows; r++) position[r] = (int32_t)(rows - r);
    for (int64_t r = 0; r < rows * d; r++) one[r] = more[r] = uniform();
    cw_cpu_rotary(&(cw_exec){1}, one, d, position, CW_ROTARY_HALF, 500.0f, 0, rows, 2, d / 2);
    cw_cpu_rotary(&(cw_exec){3}, more, d, position, CW_ROTARY_HALF, 500.0f, 0, rows, 2, d / 2);
    CHECK(memcmp(one, more, sizeof(float) * (size_t)(rows * d)) == 0, "three threads turn otherwise");
    free(position);
    drop(one), drop(more);
}

int main(void)
{
    test_head_sizes();
    test_lengths();
    test_large_scores();
    test_one_key();
    test_long_sequence();
    test_threads();
    test_independence();
    test_finite_differences();
    test_rotary();
    return test_end();
}
