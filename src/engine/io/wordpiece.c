/* wordpiece.c: see wordpiece.h. */
#include "io_util.h"

#include "unicode.h"
#include "wordpiece.h"

#define VOCAB_MAX_BYTES ((int64_t)256 << 20)
#define WORD_MAX 100 /* characters; a longer word is unknown */

enum { UNK, SEP, PAD, CLS, MASK, SPECIALS };
static const char *const special_text[SPECIALS] = {"[UNK]", "[SEP]", "[PAD]", "[CLS]", "[MASK]"};

struct cw_wordpiece {
    cw_ctx *ctx;
    int lower;
    char *text;        /* the file */
    const char **token; /* (size): within text */
    int32_t *bytes;     /* (size): their lengths */
    int64_t size, longest;
    int32_t *slot; /* (slots): numbers by hash, -1: free */
    int64_t slots;
    int32_t special[SPECIALS]; /* -1: none */
};

/* ---- the vocabulary ---- */

static uint64_t hash_of(const char *text, int64_t n)
{
    uint64_t h = 1469598103934665603u; /* FNV-1a */
    for (int64_t i = 0; i < n; i++) h = (h ^ (unsigned char)text[i]) * 1099511628211u;
    return h;
}

/* The place of a token, or the free one where it would be. */
static int64_t slot_of(const cw_wordpiece *w, const char *text, int64_t n)
{
    int64_t at = (int64_t)(hash_of(text, n) % (uint64_t)w->slots);
    for (;; at = (at + 1) % w->slots) {
        int32_t i = w->slot[at];
        if (i < 0 || (w->bytes[i] == n && memcmp(w->token[i], text, (size_t)n) == 0)) return at;
    }
}

static int32_t find(const cw_wordpiece *w, const char *text, int64_t n) { return w->slot[slot_of(w, text, n)]; }

/* Cuts the file into lines. */
static void index_lines(cw_wordpiece *w, int64_t n)
{
    int64_t lines = 0;
    for (int64_t i = 0; i < n; i++) lines += w->text[i] == '\n';
    lines += n > 0 && w->text[n - 1] != '\n';
    w->slots = 2 * lines + 1;
    w->token = cw_alloc(w->ctx, lines, sizeof *w->token);
    w->bytes = cw_alloc(w->ctx, lines, sizeof *w->bytes);
    w->slot = cw_alloc(w->ctx, w->slots, sizeof *w->slot);
    if (!w->token || !w->bytes || !w->slot) return;
    for (int64_t i = 0; i < w->slots; i++) w->slot[i] = -1;
    for (const char *at = w->text; w->size < lines;) {
        const char *end = memchr(at, '\n', (size_t)(w->text + n - at));
        if (!end) end = w->text + n;
        int64_t length = end - at;
        if (length > 0 && at[length - 1] == '\r') length--;
        if (length > w->longest) w->longest = length;
        int64_t slot = slot_of(w, at, length);
        w->token[w->size] = at, w->bytes[w->size] = (int32_t)length;
        w->slot[slot] = (int32_t)w->size++;
        at = end + 1;
    }
}

cw_wordpiece *cw_wordpiece_read(cw_ctx *ctx, const char *path, int lower)
{
    cw_wordpiece *w = cw_calloc(ctx, 1, sizeof *w);
    int64_t n = 0;
    if (!w) return NULL;
    w->ctx = ctx, w->lower = lower;
    w->text = io_read_all(ctx, path, VOCAB_MAX_BYTES, &n);
    if (w->text) index_lines(w, n);
    for (int i = 0; i < SPECIALS && ctx->status == CW_OK; i++) {
        w->special[i] = find(w, special_text[i], (int64_t)strlen(special_text[i]));
        if (w->special[i] < 0 && i != MASK)
            cw_fail(ctx, CW_ERR_FORMAT, "'%s' has no token %s: not a vocabulary of BERT's", path, special_text[i]);
    }
    if (ctx->status == CW_OK) return w;
    cw_wordpiece_free(w);
    return NULL;
}

void cw_wordpiece_free(cw_wordpiece *w)
{
    if (!w) return;
    cw_ctx *ctx = w->ctx;
    cw_free(ctx, w->text), cw_free(ctx, w->token), cw_free(ctx, w->bytes), cw_free(ctx, w->slot);
    cw_free(ctx, w);
}

int64_t cw_wordpiece_size(const cw_wordpiece *w) { return w->size; }
int32_t cw_wordpiece_pad(const cw_wordpiece *w) { return w->special[PAD]; }

/* ---- tokens ---- */

void cw_tokens_free(cw_ctx *ctx, cw_tokens *t)
{
    cw_free(ctx, t->id), cw_free(ctx, t->type);
    *t = (cw_tokens){0};
}

static void add(cw_ctx *ctx, cw_tokens *t, int32_t id)
{
    if (t->n == t->room) {
        int64_t room = 2 * t->room + 64;
        int32_t *ids = cw_alloc(ctx, room, sizeof *ids), *types = cw_alloc(ctx, room, sizeof *types);
        if (!ids || !types) {
            cw_free(ctx, ids), cw_free(ctx, types);
            return;
        }
        if (t->n) memcpy(ids, t->id, (size_t)t->n * sizeof *ids), memcpy(types, t->type, (size_t)t->n * sizeof *types);
        cw_free(ctx, t->id), cw_free(ctx, t->type);
        t->id = ids, t->type = types, t->room = room;
    }
    t->id[t->n] = id, t->type[t->n++] = 0;
}

/* A word in UTF-8, as it is gathered. */
typedef struct word {
    char text[4 * WORD_MAX + 8]; /* room for ## in front */
    int64_t n, characters;       /* more than WORD_MAX: no longer kept */
} word;

/* The longest piece first, again and again; one unknown rest makes the whole word unknown. */
static void add_word(cw_ctx *ctx, const cw_wordpiece *w, cw_tokens *t, word *x)
{
    char piece[sizeof x->text] = "##";
    int64_t before = t->n;
    for (int64_t from = 0; from < x->n && x->characters <= WORD_MAX;) {
        int64_t end = x->n;
        int32_t id = -1;
        for (; end > from; end--) {
            if (end < x->n && ((unsigned char)x->text[end] & 0xC0) == 0x80) continue; /* within a character */
            int64_t n = end - from;
            memcpy(piece + 2, x->text + from, (size_t)n);
            if (n <= w->longest) id = from ? find(w, piece, n + 2) : find(w, piece + 2, n);
            if (id >= 0) break;
        }
        if (id < 0) {
            t->n = before;
            break;
        }
        add(ctx, t, id);
        from = end;
    }
    if (x->n && t->n == before) add(ctx, t, w->special[UNK]);
    x->n = x->characters = 0;
}

static void put(word *x, uint32_t c)
{
    if (++x->characters > WORD_MAX) return;
    x->n += cw_utf8_put(x->text + x->n, c);
}

/* A character after cleaning and folding. */
static void take(cw_ctx *ctx, const cw_wordpiece *w, cw_tokens *t, word *x, uint32_t c)
{
    cw_char_kind kind = cw_char_kind_of(c);
    if (kind == CW_CHAR_BLANK || kind == CW_CHAR_PUNCT) add_word(ctx, w, t, x);
    if (kind == CW_CHAR_BLANK) return;
    put(x, c);
    if (kind == CW_CHAR_PUNCT) add_word(ctx, w, t, x);
}

/* A stretch of text without special tokens. */
static void add_text(cw_ctx *ctx, const cw_wordpiece *w, cw_tokens *t, const char *text, int64_t n)
{
    word x = {.n = 0};
    for (int64_t at = 0; at < n && ctx->status == CW_OK;) {
        uint32_t c = cw_utf8_next(text, &at), folded[3] = {c};
        cw_char_kind kind = cw_char_kind_of(c);
        if (kind == CW_CHAR_DROP) continue;
        int parts = w->lower ? cw_char_fold(folded, c) : 1, cjk = cw_char_is_cjk(c);
        if (cjk) add_word(ctx, w, t, &x);
        for (int i = 0; i < parts; i++) take(ctx, w, t, &x, folded[i]);
        if (cjk) add_word(ctx, w, t, &x);
    }
    add_word(ctx, w, t, &x);
}

/* The number of a special token that text begins with, or -1. */
static int special_at(const cw_wordpiece *w, const char *text)
{
    for (int i = 0; *text == '[' && i < SPECIALS; i++)
        if (w->special[i] >= 0 && strncmp(text, special_text[i], strlen(special_text[i])) == 0) return i;
    return -1;
}

static void add_all(cw_ctx *ctx, const cw_wordpiece *w, cw_tokens *t, const char *text)
{
    const char *from = text, *at = text;
    while (*at) {
        int s = special_at(w, at);
        if (s < 0) {
            at++;
            continue;
        }
        add_text(ctx, w, t, from, at - from);
        add(ctx, t, w->special[s]);
        from = at += strlen(special_text[s]);
    }
    add_text(ctx, w, t, from, at - from);
}

/* How many of a and b tokens fit in `room`. */
static void fit(int64_t *a, int64_t *b, int64_t room, cw_truncation how)
{
    int64_t over = *a + *b - room;
    if (over <= 0) return;
    if (how == CW_TRUNCATE_FIRST) {
        *a = *a > over ? *a - over : 0;
    } else if (how == CW_TRUNCATE_SECOND) {
        *b = *b > over ? *b - over : 0;
    } else {
        int swapped = *a > *b;
        int64_t s = swapped ? *b : *a, l; /* the shorter; on a tie the first */
        l = s > room ? s : s > room - s ? s : room - s;
        if (s + l > room) s = room / 2, l = room - s;
        *a = swapped ? l : s, *b = swapped ? s : l;
    }
}

int64_t cw_wordpiece_add(cw_ctx *ctx, const cw_wordpiece *w, cw_tokens *to, const char *text, const char *pair,
                         int64_t most, cw_truncation how)
{
    cw_tokens part[2] = {{0}, {0}};
    const char *both[2] = {text, pair && *pair ? pair : NULL};
    int64_t before = to->n, specials = both[1] ? 3 : 2;
    for (int i = 0; i < 2 && both[i]; i++) {
        int64_t n = (int64_t)strlen(both[i]);
        if (io_utf8_check(both[i], n) < n)
            cw_fail(ctx, CW_ERR_ARGUMENT, "the text '%s' is not UTF-8", io_show(both[i]).text);
        if (ctx->status == CW_OK) add_all(ctx, w, &part[i], both[i]);
    }
    if (most > 0 && most < specials)
        cw_fail(ctx, CW_ERR_ARGUMENT, "%lld tokens are too few: %lld are special ones", (long long)most,
                (long long)specials);
    int64_t a = part[0].n, b = part[1].n;
    if (most > 0) fit(&a, &b, most - specials, both[1] ? how : CW_TRUNCATE_FIRST);
    if (ctx->status == CW_OK) add(ctx, to, w->special[CLS]);
    for (int64_t i = 0; i < a && ctx->status == CW_OK; i++) add(ctx, to, part[0].id[i]);
    if (ctx->status == CW_OK) add(ctx, to, w->special[SEP]);
    int64_t second = to->n;
    for (int64_t i = 0; i < b && ctx->status == CW_OK; i++) add(ctx, to, part[1].id[i]);
    if (both[1] && ctx->status == CW_OK) add(ctx, to, w->special[SEP]);
    for (int64_t i = second; i < to->n; i++) to->type[i] = 1;
    cw_tokens_free(ctx, &part[0]), cw_tokens_free(ctx, &part[1]);
    return ctx->status == CW_OK ? to->n - before : -1;
}
