/* vocab.c: see vocab.h. */
#include "io_util.h"

#include "vocab.h"

#include <stdlib.h>

/* ---- names ------------------------------------------------------------------------------------------------------ */

/* How a name is made comparable. Only ASCII letters change case. */
typedef enum folding { FOLD_SYMBOL, FOLD_ENSEMBL, FOLD_CONDITION } folding;

/* The part of a name that counts; characters are folded one by one when read. */
typedef struct view {
    const char *s;
    int64_t n;
    int lower;
} view;

static int is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static char char_at(view v, int64_t i)
{
    char c = v.s[i];
    if (v.lower) return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
    return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static int view_starts(view v, const char *with)
{
    for (int64_t i = 0; with[i]; i++)
        if (i >= v.n || char_at(v, i) != with[i]) return 0;
    return 1;
}

static int view_is(view v, const char *s) { return v.n == (int64_t)strlen(s) && view_starts(v, s); }

static view view_of(const char *s, folding how)
{
    view v = {s ? s : "", 0, how == FOLD_CONDITION};
    while (is_space(*v.s)) v.s++;
    v.n = (int64_t)strlen(v.s);
    while (v.n > 0 && is_space(v.s[v.n - 1])) v.n--;
    if (how == FOLD_ENSEMBL && view_starts(v, "ENSG")) {
        const char *dot = memchr(v.s, '.', (size_t)v.n);
        if (dot) v.n = dot - v.s;
    }
    return v;
}

static int view_equal(view a, view b)
{
    if (a.n != b.n) return 0;
    for (int64_t i = 0; i < a.n; i++)
        if (char_at(a, i) != char_at(b, i)) return 0;
    return 1;
}

/* ---- hash: open addressing, linear probing, at most half full --------------------------------------------------- */

typedef struct table {
    folding how;
    int64_t slots;  /* a power of two */
    int32_t *index; /* (slots): which name, -1 free */
    int64_t used;
} table;

static uint64_t hash_of(view v) /* FNV-1a */
{
    uint64_t h = 14695981039346656037ULL;
    for (int64_t i = 0; i < v.n; i++) h = (h ^ (unsigned char)char_at(v, i)) * 1099511628211ULL;
    return h ^ h >> 32;
}

static cw_status table_init(cw_ctx *ctx, table *t, folding how, int64_t names)
{
    t->how = how;
    t->used = 0;
    t->slots = 16;
    while (t->slots < 2 * names) t->slots *= 2;
    t->index = cw_alloc(ctx, t->slots, sizeof *t->index);
    for (int64_t i = 0; t->index && i < t->slots; i++) t->index[i] = -1;
    return ctx->status;
}

/* Slot of the name, or the free slot where it would go. name[index] are the names in the table. */
static int64_t table_slot(const table *t, const char *const *name, view v)
{
    int64_t mask = t->slots - 1, at = (int64_t)(hash_of(v) & (uint64_t)mask);
    while (t->index[at] >= 0 && !view_equal(view_of(name[t->index[at]], t->how), v)) at = (at + 1) & mask;
    return at;
}

/* ---- vocabulary ------------------------------------------------------------------------------------------------- */

struct cw_vocab {
    cw_ctx *ctx;
    int64_t records, size, duplicates;
    int32_t pad;
    int32_t *token;      /* (records) */
    const char **symbol; /* (records), NULL where null; into `text` */
    const char **id;     /* (records), likewise */
    char *text;
    int32_t *first; /* (size): the first record with a token, -1 none */
    table by_symbol, by_id;
};

static const char PAD[] = "<pad>";

/* Adds name[i] unless it is empty. One that is there already is counted, and replaced: the published lookup keeps the
 * last. */
static void add_name(table *t, const char *const *name, int64_t i, int64_t *duplicates)
{
    view v = view_of(name[i], t->how);
    if (v.n == 0) return;
    int64_t at = table_slot(t, name, v);
    if (t->index[at] >= 0) ++*duplicates;
    else t->used++;
    t->index[at] = (int32_t)i;
}

static int is_pad(const char *id) { return id && strcmp(id, PAD) == 0; }

/* Finds V and the pad, fills the tables. */
static void index_records(cw_vocab *v)
{
    cw_ctx *ctx = v->ctx;
    v->pad = -1;
    for (int64_t i = 0; i < v->records; i++) {
        if (v->token[i] >= v->size) v->size = (int64_t)v->token[i] + 1;
        if (is_pad(v->id[i]) && v->pad < 0) v->pad = v->token[i];
    }
    if (v->pad < 0) {
        cw_fail(ctx, CW_ERR_FORMAT, "no record has the gene_id \"%s\"", PAD);
        return;
    }
    v->first = cw_alloc(ctx, v->size, sizeof *v->first);
    if (!v->first) return;
    for (int64_t t = 0; t < v->size; t++) v->first[t] = -1;
    if (table_init(ctx, &v->by_symbol, FOLD_SYMBOL, v->records) != CW_OK) return;
    if (table_init(ctx, &v->by_id, FOLD_ENSEMBL, v->records) != CW_OK) return;
    for (int64_t i = 0; i < v->records; i++) {
        if (v->first[v->token[i]] < 0) v->first[v->token[i]] = (int32_t)i;
        if (is_pad(v->id[i])) continue; /* padding is no gene, whatever it is called */
        add_name(&v->by_symbol, v->symbol, i, &v->duplicates);
        add_name(&v->by_id, v->id, i, &v->duplicates);
    }
}

static const char *keep(char **to, const char *s)
{
    if (!s) return NULL;
    size_t n = strlen(s) + 1;
    const char *kept = memcpy(*to, s, n);
    *to += n;
    return kept;
}

cw_vocab *cw_vocab_new(cw_ctx *ctx, const cw_vocab_record *records, int64_t n)
{
    cw_vocab *v = cw_calloc(ctx, 1, sizeof *v);
    if (!v) return NULL;
    v->ctx = ctx;
    v->records = n;
    int64_t bytes = 0;
    for (int64_t i = 0; i < n; i++) {
        if (records[i].token < 0 || records[i].token > CW_VOCAB_TOKEN_MAX)
            cw_fail(ctx, CW_ERR_ARGUMENT, "record %lld: the token %ld is outside 0..%d", (long long)i,
                    (long)records[i].token, CW_VOCAB_TOKEN_MAX);
        if (records[i].symbol) bytes += (int64_t)strlen(records[i].symbol) + 1;
        if (records[i].id) bytes += (int64_t)strlen(records[i].id) + 1;
    }
    v->token = cw_alloc(ctx, n, sizeof *v->token);
    v->symbol = cw_alloc(ctx, n, sizeof *v->symbol);
    v->id = cw_alloc(ctx, n, sizeof *v->id);
    v->text = cw_alloc(ctx, bytes, 1);
    if (ctx->status == CW_OK) {
        char *to = v->text;
        for (int64_t i = 0; i < n; i++) {
            v->token[i] = records[i].token;
            v->symbol[i] = keep(&to, records[i].symbol);
            v->id[i] = keep(&to, records[i].id);
        }
        index_records(v);
    }
    if (ctx->status == CW_OK) return v;
    cw_vocab_free(v);
    return NULL;
}

cw_vocab *cw_vocab_from_json(cw_ctx *ctx, const cw_json *array, const char *name)
{
    if (ctx->status != CW_OK) return NULL;
    if (!cw_json_is_array(array)) cw_fail(ctx, CW_ERR_FORMAT, "not an array of records");
    int64_t n = cw_json_count(array), i = 0;
    cw_vocab_record *records = cw_alloc(ctx, n, sizeof *records);
    for (const cw_json *r = cw_json_first(array); r && ctx->status == CW_OK; r = cw_json_next(r), i++) {
        if (!cw_json_is_object(r))
            cw_fail(ctx, CW_ERR_FORMAT, "not an object");
        else if (!cw_json_has(r, "token_index"))
            cw_fail(ctx, CW_ERR_FORMAT, "no 'token_index'");
        records[i].token = (int32_t)cw_json_int(ctx, r, "token_index", 0, 0, CW_VOCAB_TOKEN_MAX);
        records[i].symbol = cw_json_string(ctx, r, "gene_symbol", NULL);
        records[i].id = cw_json_string(ctx, r, "gene_id", NULL);
        char where[40];
        snprintf(where, sizeof where, "record %lld", (long long)i);
        io_error_at(ctx, where);
    }
    cw_vocab *v = ctx->status == CW_OK ? cw_vocab_new(ctx, records, n) : NULL;
    if (!v) io_error_at(ctx, name);
    cw_free(ctx, records);
    return v;
}

cw_vocab *cw_vocab_read(cw_ctx *ctx, const char *path)
{
    cw_json *json = cw_json_read_file(ctx, path);
    cw_vocab *v = json ? cw_vocab_from_json(ctx, json, path) : NULL;
    cw_json_free(json);
    return v;
}

void cw_vocab_free(cw_vocab *v)
{
    if (!v) return;
    cw_free(v->ctx, v->token);
    cw_free(v->ctx, v->symbol);
    cw_free(v->ctx, v->id);
    cw_free(v->ctx, v->text);
    cw_free(v->ctx, v->first);
    cw_free(v->ctx, v->by_symbol.index);
    cw_free(v->ctx, v->by_id.index);
    cw_free(v->ctx, v);
}

cw_status cw_vocab_write(cw_ctx *ctx, const char *path, const cw_vocab *v)
{
    cw_json *array = cw_json_new_array(ctx);
    for (int64_t i = 0; i < v->records && ctx->status == CW_OK; i++) {
        cw_json *record = cw_json_new_object(ctx);
        cw_json_set_int(ctx, record, "token_index", v->token[i]);
        cw_json_set_string(ctx, record, "gene_symbol", v->symbol[i]);
        cw_json_set_string(ctx, record, "gene_id", v->id[i]);
        cw_json_append(ctx, array, record);
    }
    cw_json_write_file(ctx, path, array);
    cw_json_free(array);
    return ctx->status;
}

int64_t cw_vocab_size(const cw_vocab *v) { return v->size; }
int32_t cw_vocab_pad(const cw_vocab *v) { return v->pad; }
int64_t cw_vocab_records(const cw_vocab *v) { return v->records; }
int64_t cw_vocab_duplicates(const cw_vocab *v) { return v->duplicates; }

cw_vocab_record cw_vocab_at(const cw_vocab *v, int64_t i)
{
    cw_vocab_record none = {-1, NULL, NULL};
    if (i < 0 || i >= v->records) return none;
    cw_vocab_record r = {v->token[i], v->symbol[i], v->id[i]};
    return r;
}

const char *cw_vocab_symbol(const cw_vocab *v, int32_t token)
{
    return token >= 0 && token < v->size && v->first[token] >= 0 ? v->symbol[v->first[token]] : NULL;
}

static int32_t find_token(const cw_vocab *v, const table *t, const char *const *names, const char *name)
{
    view key = view_of(name, t->how);
    int32_t record = key.n ? t->index[table_slot(t, names, key)] : -1;
    return record >= 0 ? v->token[record] : -1;
}

int32_t cw_vocab_lookup_symbol(const cw_vocab *v, const char *name)
{
    return find_token(v, &v->by_symbol, v->symbol, name);
}

int32_t cw_vocab_lookup_ensembl(const cw_vocab *v, const char *name) { return find_token(v, &v->by_id, v->id, name); }

int32_t cw_vocab_lookup(const cw_vocab *v, const char *name)
{
    int32_t token = cw_vocab_lookup_symbol(v, name);
    return token >= 0 ? token : cw_vocab_lookup_ensembl(v, name);
}

int cw_vocab_names_are_ensembl(const char *const *names, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!view_starts(view_of(names[i], FOLD_ENSEMBL), "ENSG")) return 0;
    return n > 0;
}

/* ---- conditions ------------------------------------------------------------------------------------------------- */

struct cw_conditions {
    cw_ctx *ctx;
    int64_t n, room, size; /* size: largest token + 1 */
    const char **value;    /* (n), each cw_free */
    int32_t *token;        /* (n) */
    table by_value;
};

static int is_unknown(view v)
{
    static const char *const words[] = {"", "nan", "none", "<na>", "na", "null", "<unk>"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (view_is(v, words[i])) return 1;
    return 0;
}

/* Doubles the arrays and the table. */
static void grow(cw_conditions *c)
{
    cw_ctx *ctx = c->ctx;
    int64_t room = 2 * c->room + 16;
    const char **value = cw_alloc(ctx, room, sizeof *value);
    int32_t *token = cw_alloc(ctx, room, sizeof *token);
    table larger = {0};
    if (!value || !token || table_init(ctx, &larger, FOLD_CONDITION, room) != CW_OK) {
        cw_free(ctx, value);
        cw_free(ctx, token);
        return;
    }
    for (int64_t i = 0; i < c->n; i++) value[i] = c->value[i], token[i] = c->token[i];
    int64_t none = 0;
    for (int64_t i = 0; i < c->n; i++) add_name(&larger, value, i, &none);
    cw_free(ctx, c->value);
    cw_free(ctx, c->token);
    cw_free(ctx, c->by_value.index);
    c->value = value, c->token = token, c->by_value = larger, c->room = room;
}

/* A value that is not in the table, with its token; stored trimmed and in lower case. */
static void add_condition(cw_conditions *c, view v, int32_t token)
{
    if (c->n == c->room) grow(c);
    char *copy = cw_alloc(c->ctx, v.n + 1, 1);
    if (!copy) return;
    for (int64_t i = 0; i < v.n; i++) copy[i] = char_at(v, i);
    copy[v.n] = '\0';
    int64_t none = 0;
    c->value[c->n] = copy;
    c->token[c->n] = token;
    add_name(&c->by_value, c->value, c->n++, &none);
    if (token >= c->size) c->size = (int64_t)token + 1;
}

cw_conditions *cw_conditions_new(cw_ctx *ctx)
{
    cw_conditions *c = cw_calloc(ctx, 1, sizeof *c);
    if (!c) return NULL;
    c->ctx = ctx;
    c->size = 1;
    grow(c);
    if (ctx->status == CW_OK) return c;
    cw_conditions_free(c);
    return NULL;
}

static void read_conditions(cw_conditions *c, const cw_json *array)
{
    cw_ctx *ctx = c->ctx;
    int64_t i = 0;
    if (!cw_json_is_array(array)) cw_fail(ctx, CW_ERR_FORMAT, "not an array of records");
    for (const cw_json *r = cw_json_first(array); r && ctx->status == CW_OK; r = cw_json_next(r), i++) {
        if (!cw_json_is_object(r))
            cw_fail(ctx, CW_ERR_FORMAT, "not an object");
        else if (!cw_json_has(r, "token_index") || !cw_json_has(r, "cond_value"))
            cw_fail(ctx, CW_ERR_FORMAT, "'cond_value' and 'token_index' are needed");
        int32_t token = (int32_t)cw_json_int(ctx, r, "token_index", 0, 0, CW_VOCAB_TOKEN_MAX);
        view v = view_of(cw_json_string(ctx, r, "cond_value", ""), FOLD_CONDITION);
        if (ctx->status == CW_OK) {
            int unk = view_is(v, "<unk>");
            if (unk != (token == 0))
                cw_fail(ctx, CW_ERR_FORMAT, "token 0 is for \"<unk>\" and for nothing else; here \"%s\" has token %ld",
                        io_show(v.s).text, (long)token);
            else if (!unk && !is_unknown(v) && c->by_value.index[table_slot(&c->by_value, c->value, v)] < 0)
                add_condition(c, v, token);
        }
        char where[40];
        snprintf(where, sizeof where, "record %lld", (long long)i);
        io_error_at(ctx, where);
    }
}

cw_conditions *cw_conditions_read(cw_ctx *ctx, const char *path)
{
    struct stat info;
    cw_conditions *c = cw_conditions_new(ctx);
    if (!c || (stat(path, &info) != 0 && errno == ENOENT)) return c;
    cw_json *json = cw_json_read_file(ctx, path);
    if (json) {
        read_conditions(c, json);
        io_error_at(ctx, path);
    }
    cw_json_free(json);
    if (ctx->status == CW_OK) return c;
    cw_conditions_free(c);
    return NULL;
}

void cw_conditions_free(cw_conditions *c)
{
    if (!c) return;
    for (int64_t i = 0; i < c->n; i++) cw_free(c->ctx, (void *)(uintptr_t)c->value[i]);
    cw_free(c->ctx, c->value);
    cw_free(c->ctx, c->token);
    cw_free(c->ctx, c->by_value.index);
    cw_free(c->ctx, c);
}

cw_status cw_conditions_write(cw_ctx *ctx, const char *path, const cw_conditions *c)
{
    cw_json *array = cw_json_new_array(ctx);
    for (int64_t i = -1; i < c->n && ctx->status == CW_OK; i++) {
        cw_json *record = cw_json_new_object(ctx);
        cw_json_set_string(ctx, record, "cond_value", i < 0 ? "<unk>" : c->value[i]);
        cw_json_set_int(ctx, record, "token_index", i < 0 ? 0 : c->token[i]);
        cw_json_append(ctx, array, record);
    }
    cw_json_write_file(ctx, path, array);
    cw_json_free(array);
    return ctx->status;
}

int64_t cw_conditions_size(const cw_conditions *c) { return c->size; }

int32_t cw_conditions_lookup(const cw_conditions *c, const char *value)
{
    view v = view_of(value, FOLD_CONDITION);
    if (is_unknown(v)) return 0;
    int32_t i = c->by_value.index[table_slot(&c->by_value, c->value, v)];
    return i >= 0 ? c->token[i] : 0;
}

int32_t cw_conditions_add(cw_ctx *ctx, cw_conditions *c, const char *value)
{
    if (ctx->status != CW_OK) return -1;
    view v = view_of(value, FOLD_CONDITION);
    if (is_unknown(v)) return 0;
    int32_t i = c->by_value.index[table_slot(&c->by_value, c->value, v)];
    if (i >= 0) return c->token[i];
    if (c->size > CW_VOCAB_TOKEN_MAX)
        cw_fail(ctx, CW_ERR_ARGUMENT, "more than %d condition values", CW_VOCAB_TOKEN_MAX);
    int32_t token = (int32_t)c->size;
    if (ctx->status == CW_OK) add_condition(c, v, token);
    return ctx->status == CW_OK ? token : -1;
}
