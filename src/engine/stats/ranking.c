/* ranking.c: see ranking.h. */
#include "ranking.h"

#include "../core/rng.h"
#include "../core/threads.h"

#include <math.h>
#include <string.h>

/* ---- sorting ---------------------------------------------------------------------------------------------------- */

enum { DIGIT = 11, DIGITS = 6, BUCKETS = 1 << DIGIT }; /* 6 x 11 >= 64 bits */

/* Keys that go up as scores go down: the bits of a double, order-preserving (sign bit flipped for positives, all bits
 * for negatives), then inverted. */
static inline uint64_t falling_key(double x)
{
    union { double d; uint64_t u; } v = {.d = x == 0.0 ? 0.0 : x};
    uint64_t up = v.u >> 63 ? ~v.u : v.u | (uint64_t)1 << 63;
    return ~up;
}

/* Least significant digit first, stable. Digits that all keys share are skipped. */
cw_status cw_rank_sort(cw_ctx *ctx, int32_t *order, int32_t *group, const double *score, int64_t n)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (n < 1 || n > INT32_MAX) return cw_fail(ctx, CW_ERR_SHAPE, "a ranking of %lld candidates", (long long)n);
    for (int64_t i = 0; i < n; i++)
        if (isnan(score[i])) return cw_fail(ctx, CW_ERR_NUMERIC, "candidate %lld has no score (NaN)", (long long)i + 1);
    uint64_t *key = cw_alloc(ctx, n, sizeof *key), *other = cw_alloc(ctx, n, sizeof *other);
    int32_t *spare = cw_alloc(ctx, n, sizeof *spare);
    int64_t *count = cw_calloc(ctx, DIGITS * BUCKETS, sizeof *count);
    int32_t *from = order, *to = spare;
    if (ctx->status == CW_OK) {
        for (int64_t i = 0; i < n; i++) {
            key[i] = falling_key(score[i]), order[i] = (int32_t)i;
            for (int d = 0; d < DIGITS; d++) count[d * BUCKETS + (int)(key[i] >> (d * DIGIT) & (BUCKETS - 1))]++;
        }
        for (int d = 0; d < DIGITS && cw_poll(ctx) == CW_OK; d++) {
            int64_t *c = count + d * BUCKETS, before = 0;
            if (c[key[0] >> (d * DIGIT) & (BUCKETS - 1)] == n) continue;
            for (int b = 0; b < BUCKETS; b++) {
                int64_t here = c[b];
                c[b] = before, before += here;
            }
            for (int64_t i = 0; i < n; i++) {
                int64_t at = c[key[i] >> (d * DIGIT) & (BUCKETS - 1)]++;
                other[at] = key[i], to[at] = from[i];
            }
            uint64_t *k = key;
            int32_t *o = from;
            key = other, other = k, from = to, to = o;
        }
        if (from != order) memcpy(order, from, (size_t)n * sizeof *order);
        group[0] = 0;
        for (int64_t i = 1; i < n; i++) group[i] = group[i - 1] + (key[i] != key[i - 1]);
    }
    cw_free(ctx, count), cw_free(ctx, spare), cw_free(ctx, other), cw_free(ctx, key);
    return ctx->status;
}

/* ---- one ranking ------------------------------------------------------------------------------------------------ */

/* What is known while going down a ranking, tie group by tie group. */
typedef struct rank_walk {
    double all_positive;   /* weight of all positives */
    double seen, positive; /* weight above and including the groups so far */
    double area, early;    /* early: positives among the first all_positive */
    double above;          /* sum over positives of the negatives above them, ties 1/2 */
} rank_walk;

static inline void walk_group(rank_walk *w, double weight, double positive)
{
    double before = w->seen;
    if (positive > 0.0) w->above += positive * (before - w->positive + 0.5 * (weight - positive));
    w->seen += weight, w->positive += positive;
    if (positive > 0.0) w->area += positive / w->all_positive * (w->positive / w->seen);
    if (before < w->all_positive && weight > 0.0) {
        double room = w->all_positive - before;
        w->early += weight <= room ? positive : positive * (room / weight);
    }
}

static cw_rank_score walk_end(const rank_walk *w)
{
    double negatives = w->seen - w->positive;
    cw_rank_score s = {.auprc = w->area, .early = w->all_positive > 0.0 ? w->early / w->all_positive : 0.0};
    s.auroc = w->positive > 0.0 && negatives > 0.0 ? 1.0 - w->above / (w->positive * negatives) : NAN;
    return s;
}

void cw_rank_metrics(cw_rank_score *out, const cw_ranking *r, const uint16_t *weight)
{
    rank_walk w = {0};
    for (int64_t i = 0; i < r->n; i++)
        if (r->positive[i]) w.all_positive += weight ? weight[i] : 1;
    double here = 0.0, positive = 0.0;
    for (int64_t i = 0; i < r->n; i++) {
        int32_t candidate = r->order[i];
        double v = weight ? weight[candidate] : 1;
        here += v;
        if (r->positive[candidate]) positive += v;
        if (i + 1 == r->n || r->group[i + 1] != r->group[i]) {
            walk_group(&w, here, positive);
            here = positive = 0.0;
        }
    }
    *out = walk_end(&w);
}

static cw_status check_ranking(cw_ctx *ctx, const cw_ranking *r)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (r->n < 1 || r->n > INT32_MAX)
        return cw_fail(ctx, CW_ERR_SHAPE, "a ranking of %lld candidates", (long long)r->n);
    for (int64_t i = 0; i < r->n; i++)
        if (r->order[i] < 0 || r->order[i] >= r->n)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "a ranking holds candidate %d of %lld", (int)r->order[i],
                           (long long)r->n);
    return CW_OK;
}

/* ---- parts of a ranking ----------------------------------------------------------------------------------------- */

typedef struct part_walk {
    rank_walk walk;
    double here, positive; /* of the tie group under way */
    int32_t group;
} part_walk;

cw_status cw_rank_by(cw_ctx *ctx, cw_rank_score *out, int64_t *candidates, int64_t *positives, const cw_ranking *r,
                     const int32_t *member, int64_t members)
{
    if (check_ranking(ctx, r) != CW_OK) return ctx->status;
    part_walk *part = cw_calloc(ctx, members, sizeof *part);
    memset(candidates, 0, (size_t)members * sizeof *candidates);
    memset(positives, 0, (size_t)members * sizeof *positives);
    for (int64_t i = 0; i < r->n && ctx->status == CW_OK; i++) {
        if (member[i] < -1 || member[i] >= members)
            cw_fail(ctx, CW_ERR_ARGUMENT, "candidate %lld is in part %d of %lld", (long long)i, (int)member[i],
                    (long long)members);
        else if (member[i] >= 0)
            candidates[member[i]]++, positives[member[i]] += r->positive[i] != 0;
    }
    for (int64_t m = 0; m < members && ctx->status == CW_OK; m++) part[m].walk.all_positive = (double)positives[m];
    for (int64_t i = 0; i < r->n && ctx->status == CW_OK; i++) {
        int32_t candidate = r->order[i];
        if (member[candidate] < 0) continue;
        part_walk *p = part + member[candidate];
        if (p->here > 0.0 && p->group != r->group[i]) {
            walk_group(&p->walk, p->here, p->positive);
            p->here = p->positive = 0.0;
        }
        p->group = r->group[i];
        p->here += 1.0, p->positive += r->positive[candidate] != 0;
    }
    for (int64_t m = 0; m < members && ctx->status == CW_OK; m++) {
        if (part[m].here > 0.0) walk_group(&part[m].walk, part[m].here, part[m].positive);
        out[m] = walk_end(&part[m].walk);
    }
    cw_free(ctx, part);
    return ctx->status;
}

/* ---- bootstrap -------------------------------------------------------------------------------------------------- */

/* Element i of a stream, uniform in 0 .. n-1 (n < 2^31; the bias is below n / 2^32). Four elements share a block, kept
 * in `block` between calls; i must go up by one. */
static inline int64_t draw_below(uint32_t block[4], cw_stream s, uint64_t i, int64_t n)
{
    if (i % 4 == 0) cw_rng_block(block, s, i / 4);
    return (int64_t)(((uint64_t)block[i % 4] * (uint64_t)n) >> 32);
}

/* Candidates are renumbered: positives 0 .. P-1, negatives from P, each in the order of the candidates. slot (n) is the
 * new number at each rank, its highest bit set at the end of a tie group. */
static const uint32_t GROUP_END = (uint32_t)1 << 31;

static void number_slots(uint32_t *slot, uint32_t *of, const cw_ranking *r, int64_t positives)
{
    int64_t next[2] = {positives, 0};
    for (int64_t i = 0; i < r->n; i++) of[i] = (uint32_t)next[r->positive[i] != 0]++;
    for (int64_t i = 0; i < r->n; i++) {
        slot[i] = of[r->order[i]];
        if (i + 1 == r->n || r->group[i + 1] != r->group[i]) slot[i] |= GROUP_END;
    }
}

static cw_rank_score one_sample(uint16_t *weight, const uint32_t *slot, int64_t n, int64_t positives, cw_stream s)
{
    uint32_t block[4];
    memset(weight, 0, (size_t)n * sizeof *weight);
    for (int64_t i = 0; i < positives; i++) weight[draw_below(block, s, (uint64_t)i, positives)]++;
    for (int64_t i = positives; i < n; i++)
        weight[positives + draw_below(block, s, (uint64_t)i, n - positives)]++;
    rank_walk w = {.all_positive = (double)positives};
    int64_t here = 0, known = 0;
    for (int64_t i = 0; i < n; i++) {
        uint32_t at = slot[i] & ~GROUP_END;
        int64_t v = weight[at];
        here += v;
        known += at < (uint32_t)positives ? v : 0;
        if (slot[i] & GROUP_END) {
            walk_group(&w, (double)here, (double)known);
            here = known = 0;
        }
    }
    return walk_end(&w);
}

cw_status cw_rank_bootstrap(cw_ctx *ctx, cw_rank_score *out, const cw_ranking *r, uint64_t key, int64_t draws)
{
    if (check_ranking(ctx, r) != CW_OK) return ctx->status;
    int threads = ctx->threads > draws ? (int)draws : ctx->threads;
    if (threads < 1) threads = 1;
    int64_t positives = 0, n = r->n;
    for (int64_t i = 0; i < n; i++) positives += r->positive[i] != 0;
    uint32_t *slot = cw_alloc(ctx, n, sizeof *slot), *of = cw_alloc(ctx, n, sizeof *of);
    uint16_t *weight = cw_alloc(ctx, n * threads, sizeof *weight);
    if (ctx->status == CW_OK) {
        number_slots(slot, of, r, positives);
        int stop = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (int64_t b = 0; b < draws; b++) {
            int halt;
#pragma omp atomic read
            halt = stop;
            if (halt) continue;
            out[b] = one_sample(weight + cw_thread_number() * n, slot, n, positives,
                                cw_rng_stream(key, CW_RNG_USER, (uint64_t)b, 1));
            if (cw_thread_number() == 0 && cw_poll(ctx) != CW_OK) {
#pragma omp atomic write
                stop = 1;
            }
        }
    }
    cw_free(ctx, weight), cw_free(ctx, of), cw_free(ctx, slot);
    return ctx->status;
}

/* ---- random rankings -------------------------------------------------------------------------------------------- */

/* Ranks of the positives: a random subset of 0 .. n-1, as bits. Drawn by rejection, of the rarer kind. */
static void random_ranks(uint64_t *bits, int64_t words, int64_t n, int64_t positives, cw_stream s)
{
    int64_t want = positives <= n / 2 ? positives : n - positives;
    uint32_t block[4];
    memset(bits, 0, (size_t)words * sizeof *bits);
    for (uint64_t e = 0; want > 0; e++) {
        int64_t at = draw_below(block, s, e, n);
        uint64_t bit = (uint64_t)1 << (at & 63);
        if (bits[at >> 6] & bit) continue;
        bits[at >> 6] |= bit;
        want--;
    }
    if (positives <= n / 2) return;
    for (int64_t i = 0; i < words; i++) bits[i] = ~bits[i];
    if (n & 63) bits[words - 1] &= ((uint64_t)1 << (n & 63)) - 1;
}

static cw_rank_score one_random(const uint64_t *bits, int64_t words, int64_t n, int64_t positives)
{
    double area = 0.0, above = 0.0;
    int64_t known = 0, early = 0;
    for (int64_t word = 0; word < words; word++)
        for (uint64_t left = bits[word]; left; left &= left - 1) {
            int64_t at = word * 64 + __builtin_ctzll(left);
            above += (double)(at - known);
            known++;
            area += (double)known / (double)(at + 1);
            early += at < positives;
        }
    double k = (double)positives, rest = (double)(n - positives);
    return (cw_rank_score){.auprc = positives ? area / k : 0.0, .early = positives ? (double)early / k : 0.0,
                           .auroc = positives && rest > 0.0 ? 1.0 - above / (k * rest) : NAN};
}

cw_status cw_rank_random(cw_ctx *ctx, cw_rank_score *out, int64_t n, int64_t positives, uint64_t key, int64_t draws)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (n < 1 || n > INT32_MAX || positives < 0 || positives > n)
        return cw_fail(ctx, CW_ERR_SHAPE, "%lld positives among %lld candidates", (long long)positives, (long long)n);
    int threads = ctx->threads > draws ? (int)draws : ctx->threads;
    if (threads < 1) threads = 1;
    int64_t words = (n + 63) / 64;
    uint64_t *bits = cw_alloc(ctx, words * threads, sizeof *bits);
    if (ctx->status == CW_OK) {
        int stop = 0;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
        for (int64_t b = 0; b < draws; b++) {
            int halt;
#pragma omp atomic read
            halt = stop;
            if (halt) continue;
            uint64_t *mine = bits + cw_thread_number() * words;
            random_ranks(mine, words, n, positives, cw_rng_stream(key, CW_RNG_USER, (uint64_t)b, 2));
            out[b] = one_random(mine, words, n, positives);
            if (cw_thread_number() == 0 && cw_poll(ctx) != CW_OK) {
#pragma omp atomic write
                stop = 1;
            }
        }
    }
    cw_free(ctx, bits);
    return ctx->status;
}
