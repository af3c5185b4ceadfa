/* relations.c: see relations.h. */
#include "relations.h"

#include <stddef.h>
#include <string.h>

static const char *const names[] = {"is_a",         "disjoint_from", "exact_synonyms", "broad_synonyms", "related_synonyms",
                                    "develops_from", "develops_into", "synapsed_to"};

const char *cw_relation_name(int relation) { return relation >= 0 && relation < CW_RELATIONS ? names[relation] : NULL; }

int cw_relation_nearness(int relation)
{
    if (relation == CW_DISJOINT_FROM) return -1;
    return relation == CW_IS_A || relation == CW_EXACT_SYNONYMS || relation == CW_DEVELOPS_FROM ||
           relation == CW_DEVELOPS_INTO;
}

static int blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void strip(const char **text, int64_t *n)
{
    while (*n > 0 && blank(**text)) ++*text, --*n;
    while (*n > 0 && blank((*text)[*n - 1])) --*n;
}

/* The relation that text[0..n) begins with, blanks behind it; -1: none. */
static int relation_at(const char *text, int64_t n)
{
    for (int r = 0; r < CW_RELATIONS; r++) {
        int64_t length = (int64_t)strlen(names[r]);
        if (length < n && memcmp(text, names[r], (size_t)length) == 0 && blank(text[length])) return r;
    }
    return -1;
}

static int split_at(cw_relation *out, const char *text, int64_t n, int64_t head, int64_t at)
{
    int relation = relation_at(text + at, n - at);
    if (relation < 0) return 0;
    int64_t skip = at + (int64_t)strlen(names[relation]);
    *out = (cw_relation){text, text + skip, head, n - skip, relation};
    strip(&out->tail, &out->tail_length);
    return out->tail_length > 0;
}

int cw_relation_read(cw_relation *out, const char *text, int64_t n)
{
    strip(&text, &n);
    for (int64_t head = 1; head < n; head++) {
        int64_t at = head;
        while (at < n && blank(text[at])) at++;
        if (at > head && split_at(out, text, n, head, at)) return 1;
    }
    return 0;
}

int cw_relation_read_words(cw_relation *out, const char *text, int64_t n)
{
    int64_t head = 0, at;
    strip(&text, &n);
    while (head < n && !blank(text[head])) head++;
    for (at = head; at < n && blank(text[at]);) at++;
    return at > head && split_at(out, text, n, head, at);
}
