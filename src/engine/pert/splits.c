/* splits.c: see splits.h. */
#include "splits.h"

#include <string.h>

/* ---- numpy's legacy generator ---- */

enum { WORDS = 624, AHEAD = 397 };
typedef struct twister {
    uint32_t word[WORDS];
    int at;
} twister;

static void twister_seed(twister *g, uint32_t seed)
{
    g->word[0] = seed;
    for (uint32_t i = 1; i < WORDS; i++)
        g->word[i] = 1812433253u * (g->word[i - 1] ^ g->word[i - 1] >> 30) + i;
    g->at = WORDS;
}

/* Matsumoto & Nishimura (1998) */
static uint32_t twister_next(twister *g)
{
    if (g->at == WORDS) {
        for (int i = 0; i < WORDS; i++) {
            uint32_t y = (g->word[i] & 0x80000000u) | (g->word[(i + 1) % WORDS] & 0x7fffffffu);
            g->word[i] = g->word[(i + AHEAD) % WORDS] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
        }
        g->at = 0;
    }
    uint32_t y = g->word[g->at++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* 0 .. most, by masked rejection; most 0 draws nothing */
static uint32_t twister_upto(twister *g, uint32_t most)
{
    uint32_t mask = most, value;
    for (int s = 1; s <= 16; s *= 2) mask |= mask >> s;
    if (most == 0) return 0;
    while ((value = twister_next(g) & mask) > most) {}
    return value;
}

static void swap(int32_t *a, int32_t *b)
{
    int32_t t = *a;
    *a = *b, *b = t;
}

/* The first `take` of x (n) become a draw without replacement. */
static void twister_choose(twister *g, int32_t *x, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) swap(&x[i], &x[twister_upto(g, (uint32_t)i)]);
}

/* ---- lists of conditions ---- */

typedef struct splitter {
    twister twister;
    const cw_conditions *all;
    int32_t *list, *gene, *pair; /* (n), (genes), (n): room */
    uint8_t *marked;             /* (genes) 1: drawn */
} splitter;

static int is_pair(const splitter *s, int32_t c) { return s->all->gene[2 * c + 1] >= 0; }

/* How many of a condition's genes are marked. */
static int marks(const splitter *s, int32_t c)
{
    const int32_t *g = s->all->gene + 2 * c;
    return s->marked[g[0]] + (g[1] >= 0 ? s->marked[g[1]] : 0);
}

/* Conditions in `set`, in order of appearance, without the control, into s->list; their number. */
static int64_t list_of(splitter *s, const int32_t *set, int32_t which)
{
    int64_t n = 0;
    for (int32_t c = 0; c < s->all->n; c++)
        if (s->all->gene[2 * c] >= 0 && set[c] == which) s->list[n++] = c;
    return n;
}

/* Their genes, ascending, into s->gene; their number. */
static int64_t genes_of(splitter *s, int64_t n)
{
    memset(s->marked, 0, (size_t)s->all->genes);
    for (int64_t i = 0; i < n; i++)
        for (int k = 0; k < 2; k++) {
            int32_t g = s->all->gene[2 * s->list[i] + k];
            if (g >= 0) s->marked[g] = 1;
        }
    int64_t genes = 0;
    for (int32_t g = 0; g < s->all->genes; g++)
        if (s->marked[g]) s->gene[genes++] = g;
    memset(s->marked, 0, (size_t)s->all->genes);
    return genes;
}

/* ---- kinds ---- */

/* What is CW_SPLIT_TRAIN is parted; what is held out becomes `to`. */
static void simulate(splitter *s, int32_t *set, int32_t *seen, int32_t to, uint32_t seed, double share, int pairs)
{
    int64_t n = list_of(s, set, CW_SPLIT_TRAIN), genes = genes_of(s, n), both = 0;
    twister_seed(&s->twister, seed);
    twister_choose(&s->twister, s->gene, genes);
    for (int64_t i = 0; i < (int64_t)((double)genes * share); i++) s->marked[s->gene[i]] = 1;
    for (int64_t i = 0; i < n; i++) {
        int32_t c = s->list[i];
        int known = marks(s, c);
        if (!is_pair(s, c) ? known : known == 2) {
            if (is_pair(s, c)) s->pair[both++] = c;
            continue;
        }
        set[c] = to, seen[c] = !is_pair(s, c) ? CW_SEEN_SINGLE : known ? CW_SEEN_PAIR1 : CW_SEEN_PAIR0;
    }
    if (!pairs) return;
    for (int64_t i = 1; i < both; i++) /* by name */
        for (int64_t j = i; j > 0 && s->all->rank[s->pair[j]] < s->all->rank[s->pair[j - 1]]; j--)
            swap(&s->pair[j], &s->pair[j - 1]);
    twister_seed(&s->twister, seed);
    twister_choose(&s->twister, s->pair, both);
    for (int64_t i = (int64_t)((double)both * share); i < both; i++) set[s->pair[i]] = to, seen[s->pair[i]] = CW_SEEN_PAIR2;
}

/* `draws` of x (n) with replacement are marked in `drawn`. */
static void draw_again(splitter *s, int32_t *x, int64_t n, int64_t draws, uint8_t *drawn)
{
    for (int64_t i = 0; n > 0 && i < draws; i++) drawn[x[twister_upto(&s->twister, (uint32_t)(n - 1))]] = 1;
}

static void draw(splitter *s, uint8_t *drawn, int32_t *set, int32_t to, cw_split_kind kind, double share)
{
    int64_t n = list_of(s, set, CW_SPLIT_TRAIN), genes = genes_of(s, n), singles = 0, some = 0;
    for (int64_t i = 0; i < n; i++) {
        int pair = is_pair(s, s->list[i]);
        singles += !pair;
        if (kind == CW_SPLIT_NO_TEST || pair) s->pair[some++] = s->list[i];
    }
    draw_again(s, s->gene, genes, (int64_t)((double)singles * share), s->marked); /* published also where unused */
    if (kind == CW_SPLIT_SINGLE) {
        for (int64_t i = 0; i < n; i++)
            if (marks(s, s->list[i])) set[s->list[i]] = is_pair(s, s->list[i]) ? CW_SPLIT_NONE : to;
        return;
    }
    memset(drawn, 0, (size_t)s->all->n);
    draw_again(s, s->pair, some, (int64_t)((double)some * share), drawn);
    for (int32_t c = 0; c < s->all->n; c++)
        if (drawn[c]) set[c] = to;
}

cw_status cw_published_split(cw_ctx *ctx, int32_t *set, int32_t *seen, const cw_conditions *all, cw_split_kind kind,
                             uint32_t seed, cw_split_shares shares)
{
    splitter s = {.all = all};
    int64_t n = all->n;
    s.list = cw_alloc(ctx, 2 * n + all->genes, sizeof *s.list);
    s.marked = cw_alloc(ctx, all->genes + n, 1);
    if (ctx->status == CW_OK) {
        s.pair = s.list + n, s.gene = s.pair + n;
        for (int64_t c = 0; c < n; c++) set[c] = CW_SPLIT_TRAIN, seen[c] = CW_SEEN_ALL;
        twister_seed(&s.twister, seed);
        if (kind == CW_SPLIT_SIMULATION || kind == CW_SPLIT_SIMULATION_SINGLE) {
            simulate(&s, set, seen, CW_SPLIT_TEST, seed, shares.train, kind == CW_SPLIT_SIMULATION);
            simulate(&s, set, seen, CW_SPLIT_VALID, seed, shares.valid, kind == CW_SPLIT_SIMULATION);
        } else {
            if (kind != CW_SPLIT_NO_TEST) draw(&s, s.marked + all->genes, set, CW_SPLIT_TEST, kind, shares.test);
            draw(&s, s.marked + all->genes, set, CW_SPLIT_VALID, kind, shares.valid_rest);
        }
    }
    cw_free(ctx, s.list), cw_free(ctx, s.marked);
    return ctx->status;
}
