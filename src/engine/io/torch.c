/* torch.c: what torch.save writes: a pickle of dictionaries whose tensors are views of storages, and the storages. In
 * the zip format each is a file of its own; in the older one they follow the pickle. */
#include "io_util.h"

#include "archive.h"
#include "pickle.h"
#include "zip.h"

#include <stdlib.h>

#define NAME_ROOM 1024
#define DEPTH_MAX 64

/* The bytes of a storage. */
typedef struct span {
    const unsigned char *data;
    int64_t bytes;
} span;

typedef struct legacy_storage {
    const cw_py *key; /* text */
    int64_t size;     /* of an element */
    span span;
} legacy_storage;

typedef struct reader {
    cw_archive *archive;
    cw_ctx *ctx;
    const cw_zip *zip; /* or NULL */
    const char *root;  /* folder in the archive, with its slash */
    int64_t root_bytes;
    const legacy_storage *storage; /* (storages), sorted by key */
    int64_t storages;
    int big_endian;
    int64_t steps, names; /* left of what a walk may take */
    const char *opaque;   /* the first thing that is neither a tensor nor a number or text */
    char prefix[NAME_ROOM];
} reader;

/* ---- types ---- */

typedef struct type_name {
    const char *storage, *dtype; /* after "torch." */
    cw_st_dtype is;
} type_name;

static const type_name types[] = {{"FloatStorage", "float32", CW_ST_F32},
                                  {"DoubleStorage", "float64", CW_ST_F64},
                                  {"HalfStorage", "float16", CW_ST_F16},
                                  {"BFloat16Storage", "bfloat16", CW_ST_BF16},
                                  {"LongStorage", "int64", CW_ST_I64},
                                  {"IntStorage", "int32", CW_ST_I32},
                                  {"ShortStorage", "int16", CW_ST_I16},
                                  {"CharStorage", "int8", CW_ST_I8},
                                  {"ByteStorage", "uint8", CW_ST_U8},
                                  {"BoolStorage", "bool", CW_ST_BOOL},
                                  {"ComplexFloatStorage", "complex64", CW_ST_C64},
                                  {"", "uint16", CW_ST_U16},
                                  {"", "uint32", CW_ST_U32},
                                  {"", "uint64", CW_ST_U64},
                                  {"", "float8_e5m2", CW_ST_F8_E5M2},
                                  {"", "float8_e4m3fn", CW_ST_F8_E4M3}};

/* The type that a storage's class or a dtype stands for; 0: none that is known. */
static int type_of(cw_st_dtype *out, const cw_py *v)
{
    if (!v || v->kind != CW_PY_GLOBAL || strncmp(v->as.text, "torch.", 6) != 0) return 0;
    const char *name = v->as.text + 6;
    if (strncmp(name, "cuda.", 5) == 0) name += 5;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(name, types[i].dtype) == 0 || strcmp(name, types[i].storage) == 0) {
            *out = types[i].is;
            return 1;
        }
    return 0;
}

/* ---- storages ---- */

static int compare_keys(const cw_py *a, const cw_py *b)
{
    int64_t n = a->n < b->n ? a->n : b->n;
    int c = n ? memcmp(a->as.text, b->as.text, (size_t)n) : 0;
    return c ? c : (a->n > b->n) - (a->n < b->n);
}

static int by_key(const void *a, const void *b)
{
    const legacy_storage *x = a, *y = b;
    return compare_keys(x->key, y->key);
}

/* ('storage', class, key, location, elements[, (view's key, offset, elements)]); the key, or NULL. */
static const cw_py *storage_key(const cw_py *persistent)
{
    const cw_py *id = cw_py_item(persistent, 0), *key = cw_py_item(id, 2);
    int good = persistent && persistent->kind == CW_PY_PERSISTENT && cw_py_is_text(cw_py_item(id, 0), "storage");
    return good && key && key->kind == CW_PY_TEXT ? key : NULL;
}

static cw_status no_storage(const reader *r, const char *name)
{
    return cw_fail(r->ctx, CW_ERR_FORMAT, "tensor '%s' is stored nowhere in the file: it is broken",
                   io_show(name).text);
}

/* The bytes of a persistent storage. */
static cw_status find_storage(const reader *r, span *out, const cw_py *persistent, const char *name)
{
    const cw_py *key = storage_key(persistent);
    if (!key) return no_storage(r, name);
    if (r->zip) {
        char path[NAME_ROOM];
        if (r->root_bytes + 5 > (int64_t)sizeof path) return no_storage(r, name);
        memcpy(path, r->root, (size_t)r->root_bytes);
        memcpy(path + r->root_bytes, "data/", 5);
        const cw_zip_file *f = cw_zip_find(r->zip, path, r->root_bytes + 5, key->as.text, key->n);
        if (!f) return no_storage(r, name);
        *out = (span){f->data, f->bytes};
        return CW_OK;
    }
    legacy_storage wanted = {.key = key}, *s = NULL;
    if (r->storages) s = bsearch(&wanted, r->storage, (size_t)r->storages, sizeof wanted, by_key);
    if (!s) return no_storage(r, name);
    *out = s->span;
    const cw_py *view = cw_py_item(cw_py_item(persistent, 0), 5);
    if (!view || view->kind != CW_PY_TUPLE) return CW_OK;
    const cw_py *offset = cw_py_item(view, 1), *n = cw_py_item(view, 2);
    int64_t most = out->bytes / s->size;
    if (!offset || !n || offset->kind != CW_PY_INT || n->kind != CW_PY_INT || offset->as.whole < 0 || n->as.whole < 0 ||
        offset->as.whole > most || n->as.whole > most - offset->as.whole)
        return no_storage(r, name);
    *out = (span){out->data + offset->as.whole * s->size, n->as.whole * s->size};
    return CW_OK;
}

/* ---- tensors ---- */

/* Whole numbers of a tuple, or of torch.Size(tuple), none below 0; their number, or -1. */
static int read_sizes(int64_t *out, const cw_py *v)
{
    if (cw_py_is_global(cw_py_item(v, 0), "torch.Size")) v = cw_py_item(cw_py_item(v, 1), 0);
    if (!v || (v->kind != CW_PY_TUPLE && v->kind != CW_PY_LIST) || v->n > CW_SOURCE_DIMS) return -1;
    for (int64_t i = 0; i < v->n; i++) {
        const cw_py *x = v->as.item[i];
        if (x->kind != CW_PY_INT || x->as.whole < 0) return -1;
        out[i] = x->as.whole;
    }
    return (int)v->n;
}

/* What rebuilds a tensor, behind parameters and subclasses around it: its function and arguments. 0: nothing does. */
static int find_rebuild(const cw_py *v, const cw_py **function, const cw_py **args)
{
    for (int layers = 0; v && v->kind == CW_PY_OBJECT && layers < 8; layers++) {
        *function = v->as.item[0], *args = v->as.item[1];
        if (cw_py_is_global(*function, "torch._tensor._rebuild_from_type_v2")) {
            *function = cw_py_item(*args, 0);
            *args = cw_py_item(*args, 2);
        } else if (cw_py_is_global(*function, "torch._utils._rebuild_parameter") ||
                   cw_py_is_global(*function, "torch._utils._rebuild_parameter_with_state")) {
            v = cw_py_item(*args, 0);
            continue;
        }
        return cw_py_is_global(*function, "torch._utils._rebuild_tensor") ||
               cw_py_is_global(*function, "torch._utils._rebuild_tensor_v2") ||
               cw_py_is_global(*function, "torch._utils._rebuild_tensor_v3");
    }
    return 0;
}

/* 1: all elements lie in a storage of so many. */
static int lies_within(const cw_stored *e, int64_t offset, int64_t elements)
{
    if (e->count == 0) return 1;
    if (offset >= elements) return 0;
    int64_t left = elements - 1 - offset;
    for (int d = 0; d < e->ndim; d++) {
        int64_t steps = e->dim[d] - 1;
        if (steps > 0 && e->stride[d] > left / steps) return 0;
        left -= steps * e->stride[d];
    }
    return 1;
}

static cw_status read_nested(const reader *r, span *out, cw_st_dtype *type, const cw_py *bytes, const char *name);

/* Shape, strides and bytes of a tensor that `args` rebuild, into *e, whose name is set. */
static cw_status read_tensor(const reader *r, cw_stored *e, const cw_py *function, const cw_py *args)
{
    const cw_py *persistent = cw_py_item(args, 0), *offset = cw_py_item(args, 1);
    const cw_py *class = cw_py_item(cw_py_item(persistent, 0), 1);
    int64_t stride[CW_SOURCE_DIMS];
    span s = {NULL, 0};
    int third = cw_py_is_global(function, "torch._utils._rebuild_tensor_v3");
    int nested = cw_py_is_global(cw_py_item(persistent, 0), "torch.storage._load_from_bytes");
    if (nested) {
        if (read_nested(r, &s, &e->dtype, cw_py_item(cw_py_item(persistent, 1), 0), e->name) != CW_OK) return r->ctx->status;
    } else if (!type_of(&e->dtype, third ? cw_py_item(args, 6) : class)) {
        const char *name = cw_py_class(third ? cw_py_item(args, 6) : class);
        return cw_fail(r->ctx, CW_ERR_FORMAT, "tensor '%s' is of %s, which is not read here", io_show(e->name).text,
                       name ? io_show(name).text : "no known type");
    }
    e->ndim = read_sizes(e->dim, cw_py_item(args, 2));
    int strides = read_sizes(stride, cw_py_item(args, 3));
    if (e->ndim < 0 || strides != e->ndim || !offset || offset->kind != CW_PY_INT || offset->as.whole < 0 ||
        cw_stored_pack(e) < 0)
        return cw_fail(r->ctx, CW_ERR_FORMAT, "tensor '%s' has an impossible shape", io_show(e->name).text);
    memcpy(e->stride, stride, (size_t)strides * sizeof *stride);
    if (!nested && find_storage(r, &s, persistent, e->name) != CW_OK) return r->ctx->status;
    int64_t size = cw_st_dtype_bytes(e->dtype);
    if (!lies_within(e, offset->as.whole, s.bytes / size))
        return cw_fail(r->ctx, CW_ERR_FORMAT, "tensor '%s' reaches beyond its %lld bytes in the file: it is broken",
                       io_show(e->name).text, (long long)s.bytes);
    e->data = e->count ? s.data + offset->as.whole * size : s.data;
    e->big_endian = r->big_endian && size > 1;
    return CW_OK;
}

/* ---- the walk ---- */

static void walk(reader *r, const cw_py *v, int64_t prefix, int depth, int skip);

/* One member of a container, under the name prefix + word. */
static void walk_member(reader *r, const cw_py *v, const char *word, int64_t n, int64_t prefix, int depth, int skip)
{
    const cw_py *function, *args;
    r->steps--;
    r->names -= n + prefix;
    if (depth > DEPTH_MAX || r->steps < 0 || r->names < 0 || prefix + n + 2 > NAME_ROOM) {
        cw_fail(r->ctx, CW_ERR_FORMAT, "the file's dictionaries contain themselves, or their names are endless");
        return;
    }
    if (depth == 0 && cw_archive_is_training(word, n)) skip = 1;
    if (find_rebuild(v, &function, &args)) {
        if (skip) {
            cw_archive_skip(r->archive, 1);
            return;
        }
        r->prefix[prefix] = '\0';
        cw_stored *e = cw_archive_add(r->archive, r->prefix, word, n);
        if (e) read_tensor(r, e, function, args);
        return;
    }
    memcpy(r->prefix + prefix, word, (size_t)n);
    r->prefix[prefix + n] = '.';
    walk(r, v, prefix + n + 1, depth + 1, skip);
}

static void walk(reader *r, const cw_py *v, int64_t prefix, int depth, int skip)
{
    int is_dict = v->kind == CW_PY_DICT;
    if (v->kind == CW_PY_OBJECT || v->kind == CW_PY_PERSISTENT || v->kind == CW_PY_GLOBAL) {
        const char *class = cw_py_class(v);
        if (!r->opaque && !skip) r->opaque = class ? class : "something that is no tensor";
        return;
    }
    if (!is_dict && v->kind != CW_PY_LIST && v->kind != CW_PY_TUPLE) return;
    for (int64_t i = 0; i < v->n && r->ctx->status == CW_OK; i += is_dict ? 2 : 1) {
        char number[24];
        const cw_py *key = is_dict ? v->as.item[i] : NULL;
        int64_t at = key ? key->as.whole : i;
        if (key && key->kind == CW_PY_TEXT) {
            walk_member(r, v->as.item[i + 1], key->as.text, key->n, prefix, depth, skip);
        } else if (!key || key->kind == CW_PY_INT) {
            int n = snprintf(number, sizeof number, "%lld", (long long)at);
            walk_member(r, v->as.item[i + (is_dict ? 1 : 0)], number, n, prefix, depth, skip);
        }
    }
}

/* All tensors of the value; a tensor alone is called "tensor". */
static cw_status read_value(reader *r, const cw_py *v, int64_t bytes)
{
    const cw_py *function, *args;
    r->steps = 2 * bytes + 1000;
    r->names = 16 * bytes + 4096;
    if (find_rebuild(v, &function, &args))
        walk_member(r, v, "tensor", 6, 0, 0, 0);
    else
        walk(r, v, 0, 0, 0);
    if (r->ctx->status == CW_OK && r->opaque && cw_archive_count(r->archive) == 0)
        cw_fail(r->ctx, CW_ERR_FORMAT,
                "the file holds no tensors but an object of class %s, which only its own program can read: save "
                "model.state_dict() instead",
                io_show(r->opaque).text);
    return r->ctx->status;
}

/* ---- zip ---- */

static int ends_with(const cw_zip_file *f, const char *end)
{
    int64_t n = (int64_t)strlen(end);
    return f->name_bytes >= n && memcmp(f->name + f->name_bytes - n, end, (size_t)n) == 0;
}

/* Where data.pkl is: at the top, or in the one folder there. */
static const cw_zip_file *find_pickle(const cw_zip *zip)
{
    for (int64_t i = 0; i < zip->count; i++) {
        const cw_zip_file *f = &zip->file[i];
        const char *slash = memchr(f->name, '/', (size_t)f->name_bytes);
        int64_t folder = slash ? slash - f->name + 1 : 0;
        if (ends_with(f, "data.pkl") && f->name_bytes == folder + 8) return f;
    }
    return NULL;
}

cw_status cw_torch_zip_read(cw_archive *archive, cw_ctx *ctx, const unsigned char *bytes, int64_t n)
{
    cw_zip zip;
    const cw_zip_file *f = NULL;
    cw_pickle *pickle = NULL;
    if (cw_zip_open(ctx, &zip, bytes, n) == CW_OK && !(f = find_pickle(&zip)))
        cw_fail(ctx, CW_ERR_FORMAT, "the archive has no data.pkl: it is not PyTorch's");
    if (f) {
        reader r = {.archive = archive, .ctx = ctx, .zip = &zip, .root = f->name, .root_bytes = f->name_bytes - 8};
        const cw_zip_file *order = cw_zip_find(&zip, f->name, r.root_bytes, "byteorder", 9);
        r.big_endian = order && order->bytes == 3 && memcmp(order->data, "big", 3) == 0;
        if ((pickle = cw_pickle_read(ctx, f->data, f->bytes))) read_value(&r, cw_pickle_value(pickle), f->bytes);
    }
    cw_pickle_free(pickle);
    cw_zip_close(&zip);
    return ctx->status;
}

/* ---- the older format ---- */

static int is_magic(const cw_py *v)
{
    static const unsigned char magic[] = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    return v->kind == CW_PY_BIG && v->n == (int64_t)sizeof magic && memcmp(v->as.text, magic, sizeof magic) == 0;
}

/* Sizes of elements by key, from the persistent values of the pickle; sorted. */
static legacy_storage *list_storages(cw_ctx *ctx, const cw_pickle *pickle, int64_t *count)
{
    int64_t n = 0;
    while (cw_pickle_persistent(pickle, n)) n++;
    legacy_storage *s = cw_calloc(ctx, n, sizeof *s);
    *count = 0;
    for (int64_t i = 0; s && i < n; i++) {
        const cw_py *value = cw_pickle_persistent(pickle, i), *key = storage_key(value);
        cw_st_dtype type;
        if (!key || !type_of(&type, cw_py_item(cw_py_item(value, 0), 1))) continue;
        s[(*count)++] = (legacy_storage){.key = key, .size = cw_st_dtype_bytes(type)};
    }
    if (s && *count) qsort(s, (size_t)*count, sizeof *s, by_key);
    int64_t kept = 0;
    for (int64_t i = 0; s && i < *count; i++)
        if (kept == 0 || by_key(&s[kept - 1], &s[i]) != 0) s[kept++] = s[i];
    *count = kept;
    return s;
}

/* The storages in the order of `keys`: a number of elements (8 bytes), then they. */
static void place_storages(cw_ctx *ctx, legacy_storage *s, int64_t count, const cw_py *keys, const unsigned char *bytes,
                           int64_t n)
{
    int64_t at = 0;
    for (int64_t i = 0; keys->kind == CW_PY_LIST && i < keys->n && ctx->status == CW_OK; i++) {
        legacy_storage wanted = {.key = keys->as.item[i]}, *to = NULL;
        if (wanted.key->kind == CW_PY_TEXT && count) to = bsearch(&wanted, s, (size_t)count, sizeof *s, by_key);
        uint64_t elements = 0;
        for (int b = 7; b >= 0 && n - at >= 8; b--) elements = elements << 8 | bytes[at + b];
        if (!to || n - at < 8 || elements > (uint64_t)((n - at - 8) / to->size)) {
            cw_fail(ctx, CW_ERR_FORMAT, "the file ends before its tensors do: it is cut short or broken");
            return;
        }
        to->span = (span){bytes + at + 8, (int64_t)elements * to->size};
        at += 8 + to->span.bytes;
    }
}

enum { MAGIC, PROTOCOL, SYSTEM, VALUE, KEYS, PICKLES };
typedef struct legacy {
    cw_pickle *pickle[PICKLES];
    legacy_storage *storage; /* by key */
    int64_t storages;
} legacy;

/* 1: a file of torch.save's; 0: an error, or a dictionary of Python's own, which then is pickle[MAGIC]. */
static int legacy_open(legacy *l, cw_ctx *ctx, const unsigned char *bytes, int64_t n)
{
    int64_t at = 0;
    *l = (legacy){.storage = NULL};
    for (int i = 0; i < PICKLES && ctx->status == CW_OK; i++) {
        l->pickle[i] = cw_pickle_read(ctx, bytes + at, n - at);
        if (!l->pickle[i]) return 0;
        at += cw_pickle_bytes(l->pickle[i]);
        if (i == MAGIC && !is_magic(cw_pickle_value(l->pickle[i]))) return 0;
    }
    if (ctx->status == CW_OK) l->storage = list_storages(ctx, l->pickle[VALUE], &l->storages);
    if (l->storage) place_storages(ctx, l->storage, l->storages, cw_pickle_value(l->pickle[KEYS]), bytes + at, n - at);
    return ctx->status == CW_OK;
}

static void legacy_close(legacy *l, cw_ctx *ctx)
{
    cw_free(ctx, l->storage);
    for (int i = 0; i < PICKLES; i++) cw_pickle_free(l->pickle[i]);
}

/* A storage that pickle.dump keeps: what torch.save writes of it, as bytes of the pickle. */
static cw_status read_nested(const reader *r, span *out, cw_st_dtype *type, const cw_py *bytes, const char *name)
{
    legacy l = {.storage = NULL};
    int good = bytes && bytes->kind == CW_PY_BYTES &&
               legacy_open(&l, r->ctx, (const unsigned char *)bytes->as.text, bytes->n);
    if (good) {
        const cw_py *stored = cw_pickle_value(l.pickle[VALUE]);
        const reader inner = {.ctx = r->ctx, .storage = l.storage, .storages = l.storages};
        good = type_of(type, cw_py_item(cw_py_item(stored, 0), 1)) && find_storage(&inner, out, stored, name) == CW_OK;
    }
    legacy_close(&l, r->ctx);
    return good ? CW_OK : r->ctx->status != CW_OK ? r->ctx->status : no_storage(r, name);
}

cw_status cw_torch_legacy_read(cw_archive *archive, cw_ctx *ctx, const unsigned char *bytes, int64_t n)
{
    legacy l;
    int saved = legacy_open(&l, ctx, bytes, n);
    reader r = {.archive = archive, .ctx = ctx, .storage = l.storage, .storages = l.storages};
    const cw_py *first = l.pickle[MAGIC] ? cw_pickle_value(l.pickle[MAGIC]) : NULL;
    if (saved) {
        read_value(&r, cw_pickle_value(l.pickle[VALUE]), cw_pickle_bytes(l.pickle[VALUE]));
    } else if (ctx->status == CW_OK) { /* pickle.dump of a dictionary, such as GEARS's config.pkl */
        if (first->kind == CW_PY_DICT) read_value(&r, first, cw_pickle_bytes(l.pickle[MAGIC]));
        if (ctx->status == CW_OK && cw_archive_count(archive) == 0)
            cw_fail(ctx, CW_ERR_FORMAT, "the file is a pickle of Python's, but not one of PyTorch's tensors");
    }
    legacy_close(&l, ctx);
    return ctx->status;
}
