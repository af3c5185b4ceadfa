/* pickle.c: see pickle.h. */
#include "io_util.h"

#include "pickle.h"

#define BLOCK (32 * 1024) /* bytes the values are taken from at once */
#define NAME_MAX_BYTES 500

typedef struct block {
    struct block *next;
    int64_t used, size;
    _Alignas(16) unsigned char bytes[];
} block;

struct cw_pickle {
    cw_ctx *ctx;
    const unsigned char *bytes;
    int64_t size, at;
    block *pool;
    cw_py **stack; /* values; NULL is a mark */
    int64_t depth, room;
    cw_py **memo;
    int64_t memos, memo_room, remembered; /* remembered: by MEMOIZE, which counts */
    int64_t copied; /* items that calls have copied: the only memory a byte can ask for again and again */
    cw_py **persistent;
    int64_t persistents, persistent_room;
    cw_py *value;
};

/* ---- memory ---- */

static void *take(cw_pickle *p, int64_t bytes)
{
    bytes = (bytes + 15) / 16 * 16;
    if (p->ctx->status != CW_OK) return NULL;
    if (!p->pool || p->pool->size - p->pool->used < bytes) {
        int64_t size = bytes > BLOCK ? bytes : BLOCK;
        block *b = cw_alloc(p->ctx, (int64_t)sizeof *b + size, 1);
        if (!b) return NULL;
        *b = (block){.next = p->pool, .size = size};
        p->pool = b;
    }
    void *out = p->pool->bytes + p->pool->used;
    p->pool->used += bytes;
    return out;
}

static void broken(cw_pickle *p, const char *why)
{
    cw_fail(p->ctx, CW_ERR_FORMAT, "the pickle %s (byte %lld)", why, (long long)p->at);
}

static cw_py *value_new(cw_pickle *p, cw_py_kind kind)
{
    cw_py *v = take(p, (int64_t)sizeof *v);
    if (v) *v = (cw_py){.kind = kind};
    return v;
}

static cw_py *text_new(cw_pickle *p, cw_py_kind kind, const unsigned char *text, int64_t n)
{
    cw_py *v = text ? value_new(p, kind) : NULL;
    if (v) v->n = n, v->as.text = (const char *)text;
    return v;
}

static cw_py *whole_new(cw_pickle *p, cw_py_kind kind, int64_t x)
{
    cw_py *v = value_new(p, kind);
    if (v) v->as.whole = x;
    return v;
}

/* Grows an array of n pointers for one more, in the context's memory. */
static int grow(cw_ctx *ctx, cw_py ***list, int64_t n, int64_t *room, int64_t need)
{
    if (need <= *room) return 1;
    int64_t size = 2 * need + 16;
    cw_py **larger = cw_calloc(ctx, size, sizeof *larger);
    if (!larger) return 0;
    if (n) memcpy(larger, *list, (size_t)n * sizeof *larger);
    cw_free(ctx, *list);
    *list = larger;
    *room = size;
    return 1;
}

/* Items are added to a container; its old array stays in the pool, so that nothing has to be given back. */
static void add_items(cw_pickle *p, cw_py *to, cw_py *const *item, int64_t n)
{
    if (to->n + n > to->room) {
        int64_t room = to->n + n + to->n / 2;
        cw_py **larger = take(p, room * (int64_t)sizeof *larger);
        if (!larger) return;
        if (to->n) memcpy(larger, to->as.item, (size_t)to->n * sizeof *larger);
        to->as.item = larger;
        to->room = room;
    }
    if (n) memcpy(to->as.item + to->n, item, (size_t)n * sizeof *item);
    to->n += n;
}

static cw_py *container_new(cw_pickle *p, cw_py_kind kind, cw_py *const *item, int64_t n)
{
    cw_py *v = value_new(p, kind);
    if (v) add_items(p, v, item, n);
    return v;
}

/* ---- bytes ---- */

/* The next n bytes, or NULL with the error recorded. */
static const unsigned char *next(cw_pickle *p, uint64_t n)
{
    if (p->ctx->status != CW_OK) return NULL;
    if (n > (uint64_t)(p->size - p->at)) {
        broken(p, "ends too soon: it is cut short or broken");
        return NULL;
    }
    const unsigned char *out = p->bytes + p->at;
    p->at += (int64_t)n;
    return out;
}

/* A little-endian number of so many bytes. */
static uint64_t number(cw_pickle *p, int bytes)
{
    const unsigned char *b = next(p, (uint64_t)bytes);
    uint64_t x = 0;
    for (int i = bytes - 1; b && i >= 0; i--) x = x << 8 | b[i];
    return x;
}

/* Up to the next line break, which is passed. */
static const unsigned char *line(cw_pickle *p, int64_t *n)
{
    const unsigned char *from = p->bytes + p->at;
    const unsigned char *end = p->at < p->size ? memchr(from, '\n', (size_t)(p->size - p->at)) : NULL;
    if (!end) {
        broken(p, "ends too soon: it is cut short or broken");
        return NULL;
    }
    *n = end - from;
    p->at += *n + 1;
    return from;
}

/* An integer of so many bytes, two's complement. */
static cw_py *long_new(cw_pickle *p, uint64_t n)
{
    const unsigned char *b = next(p, n);
    if (!b) return NULL;
    if (n > 8) return text_new(p, CW_PY_BIG, b, (int64_t)n);
    uint64_t x = n && b[n - 1] & 128 ? UINT64_MAX : 0;
    for (uint64_t i = n; i-- > 0;) x = x << 8 | b[i];
    int64_t whole;
    memcpy(&whole, &x, sizeof whole);
    return whole_new(p, CW_PY_INT, whole);
}

static double real_of(const unsigned char *b, int big)
{
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) bits = bits << 8 | b[big ? i : 7 - i];
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ---- the stack ---- */

static void push(cw_pickle *p, cw_py *v)
{
    if (p->ctx->status == CW_OK && grow(p->ctx, &p->stack, p->depth, &p->room, p->depth + 1)) p->stack[p->depth++] = v;
}

static cw_py *pop(cw_pickle *p)
{
    if (p->depth == 0 || !p->stack[p->depth - 1]) {
        broken(p, "takes a value that is not there");
        return NULL;
    }
    return p->stack[--p->depth];
}

static cw_py *top(cw_pickle *p)
{
    cw_py *v = pop(p);
    if (v) p->depth++;
    return v;
}

/* The n values above the last mark, which are taken off with it; they stay where they are until the next push. */
static cw_py **above_mark(cw_pickle *p, int64_t *n)
{
    int64_t mark = p->depth;
    while (mark > 0 && p->stack[mark - 1]) mark--;
    if (mark == 0) {
        broken(p, "lacks a mark");
        return NULL;
    }
    *n = p->depth - mark;
    p->depth = mark - 1;
    return p->stack + mark;
}

static void remember(cw_pickle *p, uint64_t place)
{
    cw_py *v = top(p);
    /* picklers count from 0; a place beyond the bytes there are is no honest one */
    if (v && place >= (uint64_t)p->size) broken(p, "remembers at an impossible place");
    if (!v || p->ctx->status != CW_OK) return;
    if (!grow(p->ctx, &p->memo, p->memos, &p->memo_room, (int64_t)place + 1)) return;
    p->memo[place] = v;
    if ((int64_t)place >= p->memos) p->memos = (int64_t)place + 1;
}

static void recall(cw_pickle *p, uint64_t place)
{
    if (place >= (uint64_t)p->memos || !p->memo[place])
        broken(p, "recalls what it did not remember");
    else
        push(p, p->memo[place]);
}

/* ---- names ---- */

/* Modules and functions that have no place in a file of weights, whatever is done with them. */
static int forbidden(const char *name)
{
    static const char *const modules[] = {"os",     "posix",     "nt",     "sys",   "subprocess",      "runpy",
                                          "shutil", "importlib", "socket", "pty",   "ctypes",          "commands",
                                          "code",   "codeop",    "pickle", "marshal", "webbrowser",    "asyncio",
                                          "http",   "urllib",    "requests", "tempfile", "multiprocessing"};
    static const char *const functions[] = {"eval",    "exec",    "execfile", "compile", "open",   "input",
                                            "getattr", "setattr", "delattr",  "globals", "locals", "vars",
                                            "apply",   "__import__", "breakpoint"};
    const char *dot = strchr(name, '.');
    size_t n = dot ? (size_t)(dot - name) : strlen(name);
    for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
        if (strlen(modules[i]) == n && memcmp(modules[i], name, n) == 0) return 1;
    if (strncmp(name, "builtins.", 9) != 0 && strncmp(name, "__builtin__.", 12) != 0) return 0;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(functions[i], dot + 1) == 0) return 1;
    return 0;
}

static cw_py *global_new(cw_pickle *p, const unsigned char *module, int64_t m, const unsigned char *name, int64_t n)
{
    if (m < 1 || n < 1 || m > NAME_MAX_BYTES || n > NAME_MAX_BYTES || memchr(module, 0, (size_t)m) ||
        memchr(name, 0, (size_t)n)) {
        broken(p, "names no function");
        return NULL;
    }
    char *text = take(p, m + n + 2);
    if (!text) return NULL;
    memcpy(text, module, (size_t)m);
    text[m] = '.';
    memcpy(text + m + 1, name, (size_t)n);
    text[m + 1 + n] = '\0';
    for (int64_t i = 0; i < m + 1 + n; i++) /* it goes into messages */
        if (text[i] < 33 || text[i] > 126) text[i] = '?';
    if (forbidden(text)) {
        cw_fail(p->ctx, CW_ERR_FORMAT,
                "the pickle asks for %s, which no file of weights needs: refused, and nothing of it was run. Don't "
                "open this file with Python",
                io_show(text).text);
        return NULL;
    }
    cw_py *v = value_new(p, CW_PY_GLOBAL);
    if (v) v->as.text = text, v->n = m + 1 + n;
    return v;
}

/* ---- calls ---- */

static int is_dict_maker(const cw_py *function)
{
    return cw_py_is_global(function, "collections.OrderedDict") || cw_py_is_global(function, "builtins.dict") ||
           cw_py_is_global(function, "__builtin__.dict") || cw_py_is_global(function, "collections.defaultdict") ||
           cw_py_is_global(function, "collections.Counter");
}

/* The pairs that a dictionary is made of: OrderedDict([[key, value], ..]), Counter({..}). */
static void add_pairs(cw_pickle *p, cw_py *dict, const cw_py *args)
{
    const cw_py *from = cw_py_item(args, args->n - 1);
    if (!from || (from->kind != CW_PY_LIST && from->kind != CW_PY_DICT)) return;
    p->copied += from->n;
    if (p->copied > p->size) {
        broken(p, "makes more of its lists than any file of weights would");
        return;
    }
    if (from->kind == CW_PY_DICT) {
        add_items(p, dict, from->as.item, from->n);
        return;
    }
    for (int64_t i = 0; i < from->n && p->ctx->status == CW_OK; i++) {
        const cw_py *pair = from->as.item[i];
        int two = (pair->kind == CW_PY_LIST || pair->kind == CW_PY_TUPLE) && pair->n == 2;
        if (two) add_items(p, dict, pair->as.item, 2);
    }
}

static void call(cw_pickle *p, cw_py *function, cw_py *args)
{
    if (!function || !args) return;
    if (args->kind != CW_PY_TUPLE) {
        broken(p, "calls with what is no tuple");
        return;
    }
    if (is_dict_maker(function)) {
        cw_py *dict = value_new(p, CW_PY_DICT);
        if (dict && args->n) add_pairs(p, dict, args);
        push(p, dict);
        return;
    }
    push(p, container_new(p, CW_PY_OBJECT, (cw_py *[]){function, args, NULL}, 3));
}

/* Items, or pairs, for the container below; an opaque object's own are passed over. */
static void extend(cw_pickle *p, cw_py_kind kind, cw_py *const *item, int64_t n)
{
    cw_py *to = top(p);
    if (!to || !item) return;
    if (kind == CW_PY_DICT && n % 2)
        broken(p, "gives a key without a value");
    else if (to->kind == kind)
        add_items(p, to, item, n);
    else if (to->kind != CW_PY_OBJECT)
        broken(p, "adds to what is no container");
}

static void build(cw_pickle *p)
{
    cw_py *state = pop(p), *to = state ? top(p) : NULL;
    if (!to) return;
    if (to->kind == CW_PY_OBJECT)
        to->as.item[2] = state;
    else if (to->kind != CW_PY_DICT) /* an ordered dictionary's attributes say nothing of tensors */
        broken(p, "gives a state to what has none");
}

/* ---- the machine ---- */

static void tuple_of(cw_pickle *p, int64_t n)
{
    cw_py *item[3] = {NULL, NULL, NULL};
    for (int64_t i = n; i-- > 0;) item[i] = pop(p);
    if (p->ctx->status == CW_OK) push(p, container_new(p, CW_PY_TUPLE, item, n));
}

static void collect(cw_pickle *p, cw_py_kind kind)
{
    int64_t n = 0;
    cw_py **item = above_mark(p, &n);
    if (!item) return;
    if (kind == CW_PY_DICT && n % 2) broken(p, "gives a key without a value");
    push(p, container_new(p, kind, item, n));
}

static void extend_above_mark(cw_pickle *p, cw_py_kind kind)
{
    int64_t n = 0;
    cw_py **item = above_mark(p, &n);
    if (item) extend(p, kind, item, n);
}

/* APPEND and SETITEM: one value, or one pair. */
static void extend_one(cw_pickle *p, cw_py_kind kind)
{
    int64_t n = kind == CW_PY_DICT ? 2 : 1;
    cw_py *item[2] = {NULL, NULL};
    for (int64_t i = n; i-- > 0;) item[i] = pop(p);
    if (p->ctx->status == CW_OK) extend(p, kind, item, n);
}

static void global_by_lines(cw_pickle *p)
{
    int64_t m = 0, n = 0;
    const unsigned char *module = line(p, &m), *name = module ? line(p, &n) : NULL;
    if (name) push(p, global_new(p, module, m, name, n));
}

static void global_by_stack(cw_pickle *p)
{
    const cw_py *name = pop(p), *module = name ? pop(p) : NULL;
    if (!module) return;
    if (name->kind != CW_PY_TEXT || module->kind != CW_PY_TEXT)
        broken(p, "names no function");
    else
        push(p, global_new(p, (const unsigned char *)module->as.text, module->n, (const unsigned char *)name->as.text,
                           name->n));
}

static void call_with_names(cw_pickle *p) /* NEWOBJ_EX: class, tuple, dictionary */
{
    if (!pop(p)) return;
    cw_py *args = pop(p), *class = args ? pop(p) : NULL;
    call(p, class, args);
}

static void persist(cw_pickle *p)
{
    cw_py *name = pop(p), *v = name ? container_new(p, CW_PY_PERSISTENT, &name, 1) : NULL;
    push(p, v);
    if (p->ctx->status == CW_OK &&
        grow(p->ctx, &p->persistent, p->persistents, &p->persistent_room, p->persistents + 1))
        p->persistent[p->persistents++] = v;
}

static void text(cw_pickle *p, cw_py_kind kind, int bytes_of_length)
{
    uint64_t n = number(p, bytes_of_length);
    push(p, text_new(p, kind, next(p, n), (int64_t)n));
}

/* One opcode. Those of protocols 0 and 1 that spell values as text, and those of extension tables and of buffers
 * outside the file, are not read. */
static void step(cw_pickle *p, unsigned char code)
{
    cw_py *a, *b;
    const unsigned char *bytes;
    switch (code) {
    case 0x80: (void)number(p, 1); return; /* PROTO */
    case 0x95: (void)number(p, 8); return; /* FRAME */
    case '(': push(p, NULL); return;
    case '0':
        if (p->depth == 0) broken(p, "takes a value that is not there");
        else p->depth--;
        return;
    case '1': above_mark(p, &(int64_t){0}); return;
    case '2': push(p, top(p)); return;
    case 'N': push(p, value_new(p, CW_PY_NONE)); return;
    case 0x88: push(p, whole_new(p, CW_PY_BOOL, 1)); return;
    case 0x89: push(p, whole_new(p, CW_PY_BOOL, 0)); return;
    case 'K': push(p, whole_new(p, CW_PY_INT, (int64_t)number(p, 1))); return;
    case 'M': push(p, whole_new(p, CW_PY_INT, (int64_t)number(p, 2))); return;
    case 'J': push(p, long_new(p, 4)); return;
    case 0x8a: push(p, long_new(p, number(p, 1))); return;
    case 0x8b: push(p, long_new(p, number(p, 4))); return;
    case 'G':
        if (!(bytes = next(p, 8)) || !(a = value_new(p, CW_PY_FLOAT))) return;
        a->as.real = real_of(bytes, 1);
        push(p, a);
        return;
    case 'X': text(p, CW_PY_TEXT, 4); return;
    case 0x8c: text(p, CW_PY_TEXT, 1); return;
    case 0x8d: text(p, CW_PY_TEXT, 8); return;
    case 'U': text(p, CW_PY_TEXT, 1); return; /* Python 2's str */
    case 'T': text(p, CW_PY_TEXT, 4); return;
    case 'C': text(p, CW_PY_BYTES, 1); return;
    case 'B': text(p, CW_PY_BYTES, 4); return;
    case 0x8e: text(p, CW_PY_BYTES, 8); return;
    case 0x96: text(p, CW_PY_BYTES, 8); return;
    case ']': push(p, value_new(p, CW_PY_LIST)); return;
    case ')': push(p, value_new(p, CW_PY_TUPLE)); return;
    case '}': push(p, value_new(p, CW_PY_DICT)); return;
    case 0x8f: push(p, value_new(p, CW_PY_SET)); return;
    case 'l': collect(p, CW_PY_LIST); return;
    case 't': collect(p, CW_PY_TUPLE); return;
    case 'd': collect(p, CW_PY_DICT); return;
    case 0x91: collect(p, CW_PY_SET); return;
    case 0x85: tuple_of(p, 1); return;
    case 0x86: tuple_of(p, 2); return;
    case 0x87: tuple_of(p, 3); return;
    case 'a': extend_one(p, CW_PY_LIST); return;
    case 's': extend_one(p, CW_PY_DICT); return;
    case 'e': extend_above_mark(p, CW_PY_LIST); return;
    case 'u': extend_above_mark(p, CW_PY_DICT); return;
    case 0x90: extend_above_mark(p, CW_PY_SET); return;
    case 'q': remember(p, number(p, 1)); return;
    case 'r': remember(p, number(p, 4)); return;
    case 0x94: remember(p, (uint64_t)p->remembered++); return;
    case 'h': recall(p, number(p, 1)); return;
    case 'j': recall(p, number(p, 4)); return;
    case 'c': global_by_lines(p); return;
    case 0x93: global_by_stack(p); return;
    case 'Q': persist(p); return;
    case 'R': /* function, arguments; NEWOBJ: class, arguments */
    case 0x81:
        b = pop(p), a = b ? pop(p) : NULL;
        call(p, a, b);
        return;
    case 0x92: call_with_names(p); return;
    case 'b': build(p); return;
    case '.': p->value = pop(p); return;
    default: break;
    }
    static const char *const kinds = "IFSVLgpPio";
    cw_fail(p->ctx, CW_ERR_FORMAT, "the pickle has the instruction 0x%02x at byte %lld, %s", code, (long long)p->at - 1,
            memchr(kinds, code, strlen(kinds)) ? "of the old text protocols; save it again with protocol 2 or later"
                                               : "which is not read here: no pickle, or a broken one");
}

cw_pickle *cw_pickle_read(cw_ctx *ctx, const unsigned char *bytes, int64_t n)
{
    cw_pickle *p = cw_calloc(ctx, 1, sizeof *p);
    if (!p) return NULL;
    *p = (cw_pickle){.ctx = ctx, .bytes = bytes, .size = n};
    for (int64_t steps = 0; !p->value && ctx->status == CW_OK; steps++) {
        const unsigned char *code = next(p, 1);
        if (code) step(p, *code);
        if (steps % 65536 == 65535) cw_poll(ctx);
    }
    if (ctx->status == CW_OK) return p;
    cw_pickle_free(p);
    return NULL;
}

void cw_pickle_free(cw_pickle *p)
{
    if (!p) return;
    cw_ctx *ctx = p->ctx;
    while (p->pool) {
        block *after = p->pool->next;
        cw_free(ctx, p->pool);
        p->pool = after;
    }
    cw_free(ctx, p->stack);
    cw_free(ctx, p->memo);
    cw_free(ctx, p->persistent);
    cw_free(ctx, p);
}

const cw_py *cw_pickle_value(const cw_pickle *p) { return p->value; }
int64_t cw_pickle_bytes(const cw_pickle *p) { return p->at; }

const cw_py *cw_pickle_persistent(const cw_pickle *p, int64_t i)
{
    return i >= 0 && i < p->persistents ? p->persistent[i] : NULL;
}

/* ---- looking at values ---- */

int cw_py_is_global(const cw_py *v, const char *name)
{
    return v && v->kind == CW_PY_GLOBAL && strcmp(v->as.text, name) == 0;
}

int cw_py_is_text(const cw_py *v, const char *text)
{
    return v && v->kind == CW_PY_TEXT && (size_t)v->n == strlen(text) && memcmp(v->as.text, text, strlen(text)) == 0;
}

const cw_py *cw_py_item(const cw_py *v, int64_t i)
{
    int has = v && (v->kind == CW_PY_LIST || v->kind == CW_PY_TUPLE || v->kind == CW_PY_OBJECT ||
                    v->kind == CW_PY_PERSISTENT);
    return has && i >= 0 && i < v->n ? v->as.item[i] : NULL;
}

const cw_py *cw_py_member(const cw_py *dict, const char *key)
{
    if (!dict || dict->kind != CW_PY_DICT) return NULL;
    for (int64_t i = dict->n - 2; i >= 0; i -= 2) /* the last of a key counts */
        if (cw_py_is_text(dict->as.item[i], key)) return dict->as.item[i + 1];
    return NULL;
}

const char *cw_py_class(const cw_py *v)
{
    const cw_py *function = v && v->kind == CW_PY_GLOBAL ? v : v && v->kind == CW_PY_OBJECT ? v->as.item[0] : NULL;
    const cw_py *first = v && v->kind == CW_PY_OBJECT ? cw_py_item(v->as.item[1], 0) : NULL;
    if (!function || function->kind != CW_PY_GLOBAL) return NULL;
    int rebuilds = strstr(function->as.text, "_reconstructor") || strstr(function->as.text, "__newobj");
    return rebuilds && first && first->kind == CW_PY_GLOBAL ? first->as.text : function->as.text;
}

/* numpy.core.multiarray.scalar(dtype('f8', ..), bytes): little-endian f8, f4, i8, i4 and smaller. */
static int numpy_number(double *out, const cw_py *v)
{
    const cw_py *function = cw_py_item(v, 0), *type = cw_py_item(cw_py_item(v, 1), 0);
    const cw_py *bytes = cw_py_item(cw_py_item(v, 1), 1), *code = cw_py_item(cw_py_item(type, 1), 0);
    if (!cw_py_is_global(function, "numpy.core.multiarray.scalar") &&
        !cw_py_is_global(function, "numpy._core.multiarray.scalar"))
        return 0;
    if (!bytes || bytes->kind != CW_PY_BYTES || !code || code->kind != CW_PY_TEXT || code->n != 2) return 0;
    const unsigned char *b = (const unsigned char *)bytes->as.text;
    if (bytes->n != code->as.text[1] - '0') return 0;
    if (code->as.text[0] == 'f' && bytes->n == 8) {
        *out = real_of(b, 0);
    } else if (code->as.text[0] == 'f' && bytes->n == 4) {
        uint32_t bits = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
        float x;
        memcpy(&x, &bits, sizeof x);
        *out = (double)x;
    } else if (code->as.text[0] == 'i' && bytes->n >= 1 && bytes->n <= 8) {
        uint64_t x = b[bytes->n - 1] & 128 ? UINT64_MAX : 0;
        for (int64_t i = bytes->n; i-- > 0;) x = x << 8 | b[i];
        int64_t whole;
        memcpy(&whole, &x, sizeof whole);
        *out = (double)whole;
    } else {
        return 0;
    }
    return 1;
}

int cw_py_number(double *out, const cw_py *v)
{
    if (!v) return 0;
    if (v->kind == CW_PY_INT || v->kind == CW_PY_BOOL)
        *out = (double)v->as.whole;
    else if (v->kind == CW_PY_FLOAT)
        *out = v->as.real;
    else
        return v->kind == CW_PY_OBJECT && numpy_number(out, v);
    return 1;
}
