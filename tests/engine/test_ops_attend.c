/* test_ops_attend.c: general attention against differences and against self-attention, masks, caches, scores. */
#include "op_case.h"

static const int64_t own[] = {0, 5, 5, 6, 13}, other[] = {0, 3, 7, 7, 9}, prefix[] = {2, 0, 1, 0};
static const int32_t position[] = {0, 1, 2, 5, 9, 0, 0, 1, 2, 3, 4, 6, 7};
#define OWN ((cw_ragged){4, own, NULL})
#define OTHER ((cw_ragged){4, other, NULL})

#define BUILD(name, expression)                                                                                        \
    static cw_tensor *name(cw_tape *t, cw_tensor *const *x) { return expression; }
#define ATTEND(name, ...) BUILD(name, cw_attention_over(t, x[0], x[1], x[2], ((cw_attend_spec){__VA_ARGS__})))
ATTEND(b_self, .heads = 2, .query = OWN, .key = OWN)
ATTEND(b_causal, .heads = 2, .mask = CW_MASK_CAUSAL, .query = OWN, .key = OWN)
ATTEND(b_prefix, .heads = 3, .scale = 0.7f, .mask = CW_MASK_PREFIX, .query = OWN, .key = OWN, .prefix = prefix)
ATTEND(b_cross, .heads = 1, .query = OWN, .key = OTHER)
/* more keys than queries, and fewer: the first queries then see nothing */
ATTEND(b_late, .heads = 2, .mask = CW_MASK_CAUSAL, .query = OTHER, .key = OWN)
ATTEND(b_blind, .heads = 2, .mask = CW_MASK_CAUSAL, .query = OWN, .key = OTHER)
/* one fused matrix: v, k, q, and a column that isn't used */
static cw_tensor *b_fused(cw_tape *t, cw_tensor *const *x)
{
    cw_attend_spec spec = {.heads = 2, .query = OWN, .key = OWN, .width = 4, .q_at = 8, .k_at = 4};
    return cw_attention_over(t, x[0], x[0], x[0], spec);
}
BUILD(b_turn, cw_turn_positions(t, x[0], 2, CW_ROTARY_HALF, 100.0f, position))
BUILD(b_turn_interleaved, cw_turn_positions(t, x[0], 1, CW_ROTARY_INTERLEAVED, 100.0f, position))

static const op_case cases[] = {
    {"attention", b_self, 3, {{13, 6}, {13, 6}, {13, 6}}},
    {"attention, causal", b_causal, 3, {{13, 2}, {13, 2}, {13, 2}}},
    {"attention, prefix", b_prefix, 3, {{13, 3}, {13, 3}, {13, 3}}},
    {"attention, cross", b_cross, 3, {{13, 5}, {9, 5}, {9, 5}}},
    {"attention, constant keys", b_cross, 3, {{13, 5}, {9, 5, 0, 0, 1}, {9, 5, 0, 0, 1}}},
    {"attention of the last", b_late, 3, {{9, 6}, {13, 6}, {13, 6}}},
    {"attention of the blind", b_blind, 3, {{13, 6}, {9, 6}, {9, 6}}},
    {"attention, fused", b_fused, 1, {{13, 13}}},
    {"rotary positions", b_turn, 1, {{13, 12}}},
    {"rotary positions, interleaved", b_turn_interleaved, 1, {{13, 6}}},
};

/* ---- the kernels on larger sizes: fast against reference, with padding beside every matrix ---- */

static uint64_t state = 9;
static float uniform(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (float)(state >> 40) / 8388608.0f - 1.0f;
}

static float *filled(int64_t n, int poison)
{
    float *p = malloc((size_t)(n + 1) * sizeof *p);
    for (int64_t i = 0; i < n; i++) p[i] = poison ? NAN : uniform();
    return p;
}

static void test_kernels_on(int64_t d, cw_mask mask, const int64_t *queries, const int64_t *keys, int64_t count)
{
    enum { PAD = 3, HEADS = 2 };
    int64_t start[8] = {0}, key_start[8] = {0}, some[8];
    for (int64_t s = 0; s < count; s++) {
        start[s + 1] = start[s] + queries[s], key_start[s + 1] = key_start[s] + keys[s];
        some[s] = keys[s] / 3;
    }
    int64_t n = start[count], m = key_start[count], w = HEADS * d, ld = w + PAD;
    cw_attend a = {HEADS, d, 0.4f, mask, {count, start}, key_start, NULL, some};
    float *q = filled(n * ld, 0), *k = filled(m * ld, 0), *v = filled(m * ld, 0), *g = filled(n * w, 0);
    float *out[2][5], *lse[2], *delta = filled(HEADS * n, 1);
    int64_t size[] = {n * w, n * ld, m * ld, m * ld};
    for (int level = 0; level <= cw_cpu_simd_level(); level++) {
        for (int cpu = 0; cpu < 2; cpu++) {
            const cw_kernels *table = cw_kernels_select(cpu ? "cpu" : "ref");
            cw_exec ex = {2};
            cw_cpu_simd_limit(level);
            for (int i = 0; i < 4; i++) out[cpu][i] = filled(size[i], 1);
            lse[cpu] = filled(HEADS * n, 1);
            table->attend(&ex, out[cpu][0], lse[cpu], q, ld, k, ld, v, ld, a);
            table->attend_backward(&ex, out[cpu][1], ld, out[cpu][2], ld, out[cpu][3], ld, delta, g, out[cpu][0],
                                   lse[cpu], q, ld, k, ld, v, ld, a);
            cw_cpu_simd_limit(CW_SIMD_COUNT);
        }
        for (int i = 0; i < 4; i++) {
            double worst = 0, unit = 1e-3;
            for (int64_t j = 0; j < size[i]; j++) unit = fmax(unit, fabs((double)out[0][i][j]));
            for (int64_t j = 0; j < size[i]; j++) {
                if (i > 0 && j % ld >= w) { /* beside the matrix: untouched */
                    if (!isnan(out[1][i][j]) || !isnan(out[0][i][j])) worst = INFINITY;
                    continue;
                }
                double e = fabs((double)out[1][i][j] - out[0][i][j]) / unit;
                if (!(e <= worst)) worst = isnan(e) ? INFINITY : e;
            }
            CHECK(worst < 2e-5, "head width %d, mask %d, level %d: array %d is off by %g", (int)d, (int)mask, level, i,
                  worst);
        }
        for (int64_t j = 0; j < HEADS * n; j++)
            if (!(lse[0][j] == lse[1][j] || fabsf(lse[0][j] - lse[1][j]) < 1e-5f * (1 + fabsf(lse[0][j])))) {
                CHECK(0, "lse %g, not %g", (double)lse[1][j], (double)lse[0][j]);
                break;
            }
        for (int cpu = 0; cpu < 2; cpu++) {
            for (int i = 0; i < 4; i++) free(out[cpu][i]);
            free(lse[cpu]);
        }
    }
    free(q), free(k), free(v), free(g), free(delta);
}

/* Self-attention is the general one with the same rows: the same bits. */
static void test_same_bits(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(NULL);
    cw_tape *t = cw_tape_new(ctx);
    cw_tape_reset(t, 0, 0, OP_KEY, 0);
    float *x = filled(13 * 24, 0), *copy = malloc(13 * 24 * sizeof *copy);
    for (int causal = 0; causal < 2; causal++) {
        memcpy(copy, x, 13 * 24 * sizeof *copy);
        const float *a =
            cw_tape_data(t, cw_self_attention(t, cw_tape_constant(t, copy, 13, 24),
                                              (cw_attention_spec){2, causal, CW_ROTARY_HALF, 100.0f, position, OWN}));
        cw_tensor *qkv = cw_tape_constant(t, x, 13, 24);
        cw_tensor *q = cw_turn_positions(t, cw_columns(t, qkv, 0, 8), 2, CW_ROTARY_HALF, 100.0f, position);
        cw_tensor *k = cw_turn_positions(t, cw_columns(t, qkv, 8, 8), 2, CW_ROTARY_HALF, 100.0f, position);
        cw_attend_spec spec = {
            .heads = 2, .mask = causal ? CW_MASK_CAUSAL : CW_MASK_NONE, .query = OWN, .key = OWN, .v_at = 16};
        const float *b = cw_tape_data(t, cw_attention_over(t, q, k, qkv, spec));
        CHECK(a && b && memcmp(a, b, 13 * 8 * sizeof *a) == 0, "self-attention, causal %d: %s", causal, ctx->text);
    }
    free(x), free(copy);
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

/* Decoding one token at a time from a cache gives what the whole causal sequence gives. */
static void test_cache(const char *kernels)
{
    enum { L = 70, D = 12, CELLS = 2, ROOM = 90 };
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(kernels);
    cw_tape *t = cw_tape_new(ctx);
    float *x = filled(CELLS * L * 3 * D, 0), *whole = malloc(CELLS * L * D * sizeof *whole);
    float *k = filled(CELLS * ROOM * D, 1), *v = filled(CELLS * ROOM * D, 1);
    const int64_t start[] = {0, L, 2 * L}, room[] = {0, ROOM, 2 * ROOM}, one[] = {0, 1, 2};
    cw_tape_reset(t, 0, 0, OP_KEY, 0);
    cw_tensor *qkv = cw_tape_constant(t, x, CELLS * L, 3 * D);
    cw_attend_spec spec = {.heads = 3,
                           .mask = CW_MASK_CAUSAL,
                           .query = {2, start},
                           .key = {2, start},
                           .width = D,
                           .k_at = D,
                           .v_at = 2 * D};
    memcpy(whole, cw_tape_data(t, cw_attention_over(t, qkv, qkv, qkv, spec)), CELLS * L * D * sizeof *whole);
    double worst = 0;
    for (int i = 0; i < L; i++) {
        cw_tape_reset(t, 0, 0, OP_KEY, 0);
        float token[CELLS * 3 * D];
        for (int c = 0; c < CELLS; c++) memcpy(token + c * 3 * D, x + (c * L + i) * 3 * D, 3 * D * sizeof *token);
        cw_tensor *row = cw_tape_constant(t, token, CELLS, 3 * D);
        const int32_t at[] = {i, ROOM + i};
        const int64_t used[] = {i + 1, i + 1};
        cw_tensor *keys = cw_cache_rows(t, cw_tape_constant(t, k, CELLS * ROOM, D), cw_columns(t, row, D, D), at);
        cw_tensor *values = cw_cache_rows(t, cw_tape_constant(t, v, CELLS * ROOM, D), cw_columns(t, row, 2 * D, D), at);
        cw_attend_spec next = {
            .heads = 3, .mask = CW_MASK_CAUSAL, .query = {2, one}, .key = {2, room}, .keys = used, .width = D};
        const float *y = cw_tape_data(t, cw_attention_over(t, row, keys, values, next));
        for (int c = 0; y && c < CELLS; c++)
            for (int j = 0; j < D; j++) {
                double e = fabs((double)y[c * D + j] - whole[(c * L + i) * D + j]);
                if (!(e <= worst)) worst = e;
            }
        CHECK(y, "%s", ctx->text);
    }
    CHECK(worst < 2e-6, "%s: decoding is off by %g", kernels, worst);
    free(x), free(whole), free(k), free(v);
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

static void test_scores(const char *kernels)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(kernels);
    cw_tape *t = cw_tape_new(ctx);
    cw_tape_reset(t, 0, 0, OP_KEY, 0);
    float *q = filled(13 * 6, 0), *k = filled(9 * 6, 0);
    cw_attend_spec spec = {.heads = 2, .scale = 1.0f, .query = OWN, .key = OTHER};
    const float *y =
        cw_tape_data(t, cw_attention_scores(t, cw_tape_constant(t, q, 13, 6), cw_tape_constant(t, k, 9, 6), spec));
    CHECK(y, "%s", ctx->text);
    for (int64_t s = 0; y && s < 4; s++)
        for (int64_t h = 0; h < 2; h++)
            for (int64_t i = own[s]; i < own[s + 1]; i++)
                for (int64_t j = other[s]; j < other[s + 1]; j++, y++) {
                    double want = 0;
                    for (int64_t c = 0; c < 3; c++) want += (double)q[i * 6 + h * 3 + c] * k[j * 6 + h * 3 + c];
                    CHECK(fabs(*y - want) < 1e-6, "score %g, not %g", (double)*y, want);
                }
    free(q), free(k);
    cw_tape_free(t);
    cw_ctx_free(ctx);
}

static void test_refusals(void)
{
    refusals_begin();
    cw_tape *t = refusal_tape;
    static const int64_t too_many[] = {6, 0, 1, 7};
    cw_attend_spec good = {.heads = 2, .query = OWN, .key = OTHER}, s = good;
#define OVER(n, w, m) cw_attention_over(t, blank(n, w), blank(m, w), blank(m, w), s)
    s.heads = 4;
    REFUSED(OVER(13, 6, 9), CW_ERR_SHAPE, "heads");
    s = good;
    REFUSED(OVER(12, 6, 9), CW_ERR_SHAPE, "cover");
    REFUSED(OVER(13, 6, 8), CW_ERR_SHAPE, "cover");
    s.key.count = 3;
    REFUSED(OVER(13, 6, 7), CW_ERR_SHAPE, "sequences");
    s = good, s.k_at = 1;
    REFUSED(OVER(13, 6, 9), CW_ERR_SHAPE, "columns");
    s = good, s.keys = too_many;
    REFUSED(OVER(13, 6, 9), CW_ERR_ARGUMENT, "room");
    s = good, s.mask = CW_MASK_PREFIX;
    REFUSED(OVER(13, 6, 9), CW_ERR_ARGUMENT, "prefix");
    s = good;
    REFUSED(cw_attention_scores(t, blank(13, 6), blank(8, 6), s), CW_ERR_SHAPE, "scores");
    REFUSED(cw_turn_positions(t, blank(13, 6), 2, CW_ROTARY_HALF, 100, position), CW_ERR_SHAPE, "even");
    static const int32_t beyond[] = {0, 9};
    REFUSED(cw_cache_rows(t, blank(9, 6), blank(2, 6), beyond), CW_ERR_STATE, "inference");
    refusals_end();
}

int main(void)
{
    static const int64_t queries[] = {70, 0, 1, 200, 33}, keys[] = {70, 5, 0, 131, 300};
    static const int64_t same[] = {70, 0, 1, 241, 65};
    check_op_cases(cases, (int)(sizeof cases / sizeof *cases));
    for (int64_t d = 1; d <= 34; d += 33)
        for (cw_mask mask = CW_MASK_NONE; mask <= CW_MASK_PREFIX; mask++) {
            test_kernels_on(d, mask, queries, keys, 5);
            test_kernels_on(d, mask, same, same, 5);
        }
    test_kernels_on(256, CW_MASK_PREFIX, queries, keys, 5);
    test_same_bits();
    test_cache("ref");
    test_cache("cpu");
    test_scores("ref");
    test_scores("cpu");
    test_refusals();
    return test_end();
}
