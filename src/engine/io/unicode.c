/* unicode.c: see unicode.h. */
#include "unicode.h"

typedef struct kind_range {
    uint32_t first, last;
    int kind;
} kind_range;

/* first, first + step .. last become to, to + to_step .. */
typedef struct fold_run {
    uint32_t first, last, step, to, to_step;
} fold_run;

#define DROP CW_CHAR_DROP
#define BLANK CW_CHAR_BLANK
#define MARK CW_CHAR_MARK
#define PUNCT CW_CHAR_PUNCT
#include "unicode_tables.h"
#undef DROP
#undef BLANK
#undef MARK
#undef PUNCT

#define COUNT(x) ((int)(sizeof(x) / sizeof((x)[0])))

cw_char_kind cw_char_kind_of(uint32_t c)
{
    int low = 0, high = COUNT(kinds);
    while (low < high) {
        int middle = (low + high) / 2;
        if (c > kinds[middle].last)
            low = middle + 1;
        else if (c < kinds[middle].first)
            high = middle;
        else
            return (cw_char_kind)kinds[middle].kind;
    }
    return CW_CHAR_OTHER;
}

int cw_char_is_cjk(uint32_t c)
{
    return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
           (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B820 && c <= 0x2CEAF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/* A Hangul syllable's jamo (The Unicode Standard, 3.12). */
static int fold_hangul(uint32_t out[3], uint32_t c)
{
    uint32_t s = c - 0xAC00;
    out[0] = 0x1100 + s / 588;
    out[1] = 0x1161 + s % 588 / 28;
    out[2] = 0x11A7 + s % 28;
    return s % 28 ? 3 : 2;
}

int cw_char_fold(uint32_t out[3], uint32_t c)
{
    out[0] = c;
    if (c < 128) {
        if (c >= 'A' && c <= 'Z') out[0] = c + 32;
        return 1;
    }
    if (c >= 0xAC00 && c <= 0xD7A3) return fold_hangul(out, c);
    if (cw_char_kind_of(c) == CW_CHAR_MARK) return 0;
    int low = 0, high = COUNT(folds); /* runs with step 2 lie within each other: look a few runs back */
    while (low < high) {
        int middle = (low + high) / 2;
        if (c < folds[middle].first)
            high = middle;
        else
            low = middle + 1;
    }
    for (int i = low - 1; i >= 0 && i >= low - 3; i--) {
        const fold_run *r = &folds[i];
        if (c > r->last || (c - r->first) % r->step) continue;
        out[0] = r->to + (c - r->first) / r->step * r->to_step;
        return 1;
    }
    for (int i = 0; i < COUNT(several); i++)
        if (several[i][0] == c) {
            for (int j = 0; j < 3; j++) out[j] = several[i][j + 1];
            return out[2] ? 3 : 2;
        }
    return 1;
}

uint32_t cw_utf8_next(const char *text, int64_t *at)
{
    const unsigned char *p = (const unsigned char *)text + *at;
    int more = p[0] < 0x80 ? 0 : p[0] < 0xE0 ? 1 : p[0] < 0xF0 ? 2 : 3;
    uint32_t c = more == 0 ? p[0] : p[0] & (0x3Fu >> more);
    for (int i = 1; i <= more; i++) c = c << 6 | (p[i] & 0x3Fu);
    *at += 1 + more;
    return c;
}

int cw_utf8_put(char out[4], uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xC0, 0xE0, 0xF0};
    for (int i = more; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(lead[more] | c);
    return 1 + more;
}
