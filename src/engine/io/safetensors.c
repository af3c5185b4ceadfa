/* safetensors.c: see safetensors.h. */
#include "io_util.h"

#include "safetensors.h"
#include "json.h"
#include "mapped.h"

#include <math.h>
#include <stdlib.h>

struct cw_safetensors {
    cw_ctx *ctx;
    const unsigned char *bytes; /* the whole file */
    int64_t size;
    cw_mapped file; /* nothing when the bytes are the caller's */
    cw_json *header;
    int64_t count;
    cw_safetensors_entry *entry;          /* in file order */
    const cw_safetensors_entry **by_name; /* sorted */
    const cw_json *metadata;              /* an object of texts, or NULL */
};

static const struct {
    const char *name;
    int bytes;
} dtypes[] = {{"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
              {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"C64", 8},     {"F64", 8}, {"I64", 8}, {"U64", 8}};
#define DTYPES ((int)(sizeof dtypes / sizeof *dtypes))

const char *cw_st_dtype_name(cw_st_dtype dtype)
{
    return (unsigned)dtype < (unsigned)DTYPES ? dtypes[dtype].name : "unknown";
}

int64_t cw_st_dtype_bytes(cw_st_dtype dtype) { return (unsigned)dtype < (unsigned)DTYPES ? dtypes[dtype].bytes : 0; }

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/* A whole number in 0 .. 2^53; 0 when it is not one. */
static int read_size(int64_t *out, const cw_json *value)
{
    double x;
    if (!cw_json_as_number(&x, value) || x != floor(x) || x < 0 || x > 9007199254740992.0) return 0;
    *out = (int64_t)x;
    return 1;
}

/* {"dtype": text, "shape": [sizes], "data_offsets": [begin, end]} into *e; NULL, or what is wrong. */
static const char *read_entry(cw_safetensors_entry *e, const cw_json *info, const unsigned char *data,
                              int64_t data_size)
{
    int seen_dtype = 0, seen_shape = 0, seen_offsets = 0;
    int64_t span[2] = {0, 0};
    if (!cw_json_is_object(info)) return "is not an object";
    for (const cw_json *m = cw_json_first(info); m; m = cw_json_next(m)) {
        const char *key = cw_json_key(m);
        if (strcmp(key, "dtype") == 0) {
            int t = 0;
            const char *name = cw_json_text(m);
            while (name && t < DTYPES && strcmp(name, dtypes[t].name) != 0) t++;
            if (!name || t == DTYPES) return "has a type that is not known";
            e->dtype = (cw_st_dtype)t;
            seen_dtype++;
        } else if (strcmp(key, "shape") == 0) {
            if (!cw_json_is_array(m)) return "has a shape that is not an array";
            e->ndim = 0;
            for (const cw_json *d = cw_json_first(m); d; d = cw_json_next(d)) {
                if (e->ndim == CW_SAFETENSORS_DIMS) return "has more than 8 dimensions";
                if (!read_size(&e->dim[e->ndim++], d)) return "has a dimension that is not a whole number";
            }
            seen_shape++;
        } else if (strcmp(key, "data_offsets") == 0) {
            const cw_json *first = cw_json_is_array(m) ? cw_json_first(m) : NULL;
            const cw_json *second = first ? cw_json_next(first) : NULL;
            if (!second || cw_json_next(second) || !read_size(&span[0], first) || !read_size(&span[1], second))
                return "has data_offsets that are not two whole numbers";
            seen_offsets++;
        }
    }
    if (seen_dtype != 1 || seen_shape != 1 || seen_offsets != 1)
        return "must have dtype, shape and data_offsets, each once";
    if (span[0] > span[1] || span[1] > data_size) return "has data_offsets outside the file";
    e->count = 1;
    int64_t most = INT64_MAX / cw_st_dtype_bytes(e->dtype);
    for (int i = 0; i < e->ndim; i++) {
        if (e->dim[i] > 0 && e->count > most / e->dim[i]) return "has a shape beyond any machine";
        e->count *= e->dim[i];
    }
    e->bytes = e->count * cw_st_dtype_bytes(e->dtype);
    if (e->bytes != span[1] - span[0]) return "has a shape and type that do not agree with its number of bytes";
    e->data = data + span[0];
    return NULL;
}

static int order_by_name(const void *a, const void *b)
{
    const cw_safetensors_entry *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* By begin, then by end: empty tensors first. */
static int order_by_place(const void *a, const void *b)
{
    const cw_safetensors_entry *const *x = a, *const *y = b;
    if ((*x)->data != (*y)->data) return (*x)->data < (*y)->data ? -1 : 1;
    return ((*x)->bytes > (*y)->bytes) - ((*x)->bytes < (*y)->bytes);
}

/* No holes, no overlaps, nothing left over; then no name twice. Leaves by_name sorted by name. */
static void check_layout(cw_safetensors *f, const unsigned char *data, int64_t data_size)
{
    const unsigned char *at = data;
    for (int64_t i = 0; i < f->count; i++) f->by_name[i] = &f->entry[i];
    if (f->count) qsort(f->by_name, (size_t)f->count, sizeof *f->by_name, order_by_place);
    for (int64_t i = 0; i < f->count; i++) {
        if (f->by_name[i]->data != at) {
            cw_fail(f->ctx, CW_ERR_FORMAT, "tensor '%s' %s", io_show(f->by_name[i]->name).text,
                    f->by_name[i]->data < at ? "overlaps another" : "leaves a hole in front of it");
            return;
        }
        at += f->by_name[i]->bytes;
    }
    if (at != data + data_size) {
        cw_fail(f->ctx, CW_ERR_FORMAT, "%lld bytes at the end belong to no tensor", (long long)(data + data_size - at));
        return;
    }
    if (f->count) qsort(f->by_name, (size_t)f->count, sizeof *f->by_name, order_by_name);
    for (int64_t i = 1; i < f->count; i++)
        if (strcmp(f->by_name[i - 1]->name, f->by_name[i]->name) == 0) {
            cw_fail(f->ctx, CW_ERR_FORMAT, "tensor '%s' is there twice", io_show(f->by_name[i]->name).text);
            return;
        }
}

static void read_metadata(cw_safetensors *f, const cw_json *value)
{
    if (f->metadata) cw_fail(f->ctx, CW_ERR_FORMAT, "__metadata__ is there twice");
    if (!cw_json_is_object(value)) cw_fail(f->ctx, CW_ERR_FORMAT, "__metadata__ is not an object");
    for (const cw_json *m = cw_json_first(value); m; m = cw_json_next(m))
        if (!cw_json_text(m))
            cw_fail(f->ctx, CW_ERR_FORMAT, "__metadata__ '%s' is not text", io_show(cw_json_key(m)).text);
    f->metadata = value;
}

/* Fills everything from f->bytes[0..size); errors are in the context. */
static void read_header(cw_safetensors *f)
{
    cw_ctx *ctx = f->ctx;
    uint64_t n = 0;
    if (f->size < 8) {
        cw_fail(ctx, CW_ERR_FORMAT, "%lld bytes are too few for a safetensors file", (long long)f->size);
        return;
    }
    for (int i = 7; i >= 0; i--) n = n << 8 | f->bytes[i];
    if (n > (uint64_t)CW_SAFETENSORS_HEADER_MAX || (int64_t)n > f->size - 8) {
        cw_fail(ctx, CW_ERR_FORMAT, "the header claims %llu bytes, %s", (unsigned long long)n,
                n > (uint64_t)CW_SAFETENSORS_HEADER_MAX
                    ? "more than is allowed: not a safetensors file, or a broken one"
                    : "more than the file has: it is cut short");
        return;
    }
    if (n == 0 || f->bytes[8] != '{') {
        cw_fail(ctx, CW_ERR_FORMAT, "the header does not start with '{': not a safetensors file");
        return;
    }
    f->header = cw_json_parse(ctx, (const char *)f->bytes + 8, (int64_t)n);
    if (!f->header) return;
    int64_t members = cw_json_count(f->header);
    f->entry = cw_calloc(ctx, members, sizeof *f->entry);
    f->by_name = cw_calloc(ctx, members, sizeof *f->by_name);
    if (!f->entry || !f->by_name) return;
    const unsigned char *data = f->bytes + 8 + n;
    int64_t data_size = f->size - 8 - (int64_t)n;
    for (const cw_json *m = cw_json_first(f->header); m && ctx->status == CW_OK; m = cw_json_next(m)) {
        if (strcmp(cw_json_key(m), "__metadata__") == 0) {
            read_metadata(f, m);
            continue;
        }
        cw_safetensors_entry *e = &f->entry[f->count++];
        e->name = cw_json_key(m);
        const char *wrong = read_entry(e, m, data, data_size);
        if (wrong) cw_fail(ctx, CW_ERR_FORMAT, "tensor '%s' %s", io_show(e->name).text, wrong);
    }
    if (ctx->status == CW_OK) check_layout(f, data, data_size);
}

static cw_safetensors *open_failed(cw_safetensors *f)
{
    cw_safetensors_close(f);
    return NULL;
}

cw_safetensors *cw_safetensors_open(cw_ctx *ctx, const char *path)
{
    cw_safetensors *f = cw_calloc(ctx, 1, sizeof *f);
    if (!f) return NULL;
    f->ctx = ctx;
    if (cw_mapped_open(ctx, &f->file, path) == CW_OK) {
        f->bytes = f->file.bytes;
        f->size = f->file.size;
        read_header(f);
    }
    if (ctx->status == CW_OK) return f;
    if (ctx->status == CW_ERR_FORMAT) io_error_at(ctx, path);
    return open_failed(f);
}

cw_safetensors *cw_safetensors_open_memory(cw_ctx *ctx, const void *bytes, int64_t n)
{
    cw_safetensors *f = cw_calloc(ctx, 1, sizeof *f);
    if (!f) return NULL;
    f->ctx = ctx;
    f->bytes = bytes;
    f->size = n;
    read_header(f);
    return ctx->status == CW_OK ? f : open_failed(f);
}

void cw_safetensors_close(cw_safetensors *f)
{
    if (!f) return;
    cw_mapped_close(f->ctx, &f->file);
    cw_json_free(f->header);
    cw_free(f->ctx, f->entry);
    cw_free(f->ctx, f->by_name);
    cw_free(f->ctx, f);
}

int64_t cw_safetensors_count(const cw_safetensors *f) { return f->count; }

const cw_safetensors_entry *cw_safetensors_at(const cw_safetensors *f, int64_t i)
{
    return i >= 0 && i < f->count ? &f->entry[i] : NULL;
}

const cw_safetensors_entry *cw_safetensors_find(const cw_safetensors *f, const char *name)
{
    int64_t low = 0, high = f->count; /* the name is in [low, high) if anywhere */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int c = strcmp(name, f->by_name[middle]->name);
        if (c == 0) return f->by_name[middle];
        if (c < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const char *cw_safetensors_metadata(const cw_safetensors *f, const char *key)
{
    for (const cw_json *m = f->metadata ? cw_json_first(f->metadata) : NULL; m; m = cw_json_next(m))
        if (strcmp(cw_json_key(m), key) == 0) return cw_json_text(m);
    return NULL;
}

/* ---- converting ------------------------------------------------------------------------------------------------- */

/* Little-endian loads that need no alignment; compilers turn them into one instruction. */
static uint16_t load16(const unsigned char *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t load32(const unsigned char *p) { return load16(p) | (uint32_t)load16(p + 2) << 16; }
static uint64_t load64(const unsigned char *p) { return load32(p) | (uint64_t)load32(p + 4) << 32; }

static float f32_of_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static double f64_of_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* IEEE half: sign 1, exponent 5 (bias 15), fraction 10. */
static float f32_of_half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 31) return f32_of_bits(sign | 0x7F800000u | fraction << 13);
    if (exponent) return f32_of_bits(sign | (exponent + 112) << 23 | fraction << 13);
    float tiny = (float)fraction * (1.0f / 16777216.0f); /* subnormal: fraction 2^-24 */
    return sign ? -tiny : tiny;
}

/* Signed 64-bit value of element i of a whole-number type; *over is set for a U64 beyond int64. */
static int64_t whole_at(const cw_safetensors_entry *e, int64_t i, int *over)
{
    const unsigned char *p = e->data;
    switch (e->dtype) {
    case CW_ST_BOOL:
        return p[i] != 0;
    case CW_ST_U8:
        return p[i];
    case CW_ST_I8:
        return (int8_t)p[i];
    case CW_ST_I16:
        return (int16_t)load16(p + 2 * i);
    case CW_ST_U16:
        return load16(p + 2 * i);
    case CW_ST_I32:
        return (int32_t)load32(p + 4 * i);
    case CW_ST_U32:
        return load32(p + 4 * i);
    case CW_ST_I64:
        return (int64_t)load64(p + 8 * i);
    default:
        break;
    }
    uint64_t u = load64(p + 8 * i);
    *over = u > (uint64_t)INT64_MAX;
    return *over ? INT64_MAX : (int64_t)u;
}

static int is_whole(cw_st_dtype t)
{
    return t == CW_ST_BOOL || t == CW_ST_U8 || t == CW_ST_I8 || t == CW_ST_I16 || t == CW_ST_U16 || t == CW_ST_I32 ||
           t == CW_ST_U32 || t == CW_ST_I64 || t == CW_ST_U64;
}

static double real_at(const cw_safetensors_entry *e, int64_t i)
{
    int over = 0;
    switch (e->dtype) {
    case CW_ST_F64:
        return f64_of_bits(load64(e->data + 8 * i));
    case CW_ST_F32:
        return f32_of_bits(load32(e->data + 4 * i));
    case CW_ST_F16:
        return f32_of_half(load16(e->data + 2 * i));
    case CW_ST_BF16:
        return f32_of_bits((uint32_t)load16(e->data + 2 * i) << 16);
    case CW_ST_U64:
        return (double)load64(e->data + 8 * i);
    default:
        return (double)whole_at(e, i, &over);
    }
}

static cw_status check_readable(cw_ctx *ctx, const cw_safetensors_entry *e, int whole_only)
{
    if (ctx->status != CW_OK) return ctx->status;
    if (!e) return cw_fail(ctx, CW_ERR_ARGUMENT, "no such tensor");
    int carried = e->dtype == CW_ST_F8_E5M2 || e->dtype == CW_ST_F8_E4M3 || e->dtype == CW_ST_C64;
    if (carried || (whole_only && !is_whole(e->dtype)))
        return cw_fail(ctx, CW_ERR_FORMAT, "tensor '%s' has type %s; %s are needed", io_show(e->name).text,
                       cw_st_dtype_name(e->dtype), whole_only ? "whole numbers" : "real numbers");
    return CW_OK;
}

cw_status cw_safetensors_read_f32(cw_ctx *ctx, float *out, const cw_safetensors_entry *e)
{
    if (check_readable(ctx, e, 0) != CW_OK) return ctx->status;
    switch (e->dtype) { /* the two types models come in, without a switch per element */
    case CW_ST_F32:
        for (int64_t i = 0; i < e->count; i++) out[i] = f32_of_bits(load32(e->data + 4 * i));
        break;
    case CW_ST_BF16:
        for (int64_t i = 0; i < e->count; i++) out[i] = f32_of_bits((uint32_t)load16(e->data + 2 * i) << 16);
        break;
    default:
        for (int64_t i = 0; i < e->count; i++) {
            double x = real_at(e, i);
            /* beyond float: infinity by IEEE rounding, spelled out because C leaves the conversion undefined */
            out[i] = x >= 3.4028235677973366e38 ? INFINITY : x <= -3.4028235677973366e38 ? -INFINITY : (float)x;
        }
    }
    return CW_OK;
}

cw_status cw_safetensors_read_f64(cw_ctx *ctx, double *out, const cw_safetensors_entry *e)
{
    if (check_readable(ctx, e, 0) != CW_OK) return ctx->status;
    for (int64_t i = 0; i < e->count; i++) out[i] = real_at(e, i);
    return CW_OK;
}

static cw_status fail_range(cw_ctx *ctx, const cw_safetensors_entry *e, int64_t i, int64_t value, const char *range)
{
    return cw_fail(ctx, CW_ERR_FORMAT, "tensor '%s' holds %lld at position %lld, outside %s", io_show(e->name).text,
                   (long long)value, (long long)i, range);
}

cw_status cw_safetensors_read_i32(cw_ctx *ctx, int32_t *out, const cw_safetensors_entry *e)
{
    if (check_readable(ctx, e, 1) != CW_OK) return ctx->status;
    for (int64_t i = 0; i < e->count; i++) {
        int over = 0;
        int64_t x = whole_at(e, i, &over);
        if (over || x < INT32_MIN || x > INT32_MAX) return fail_range(ctx, e, i, x, "32-bit integers");
        out[i] = (int32_t)x;
    }
    return CW_OK;
}

cw_status cw_safetensors_read_i64(cw_ctx *ctx, int64_t *out, const cw_safetensors_entry *e)
{
    if (check_readable(ctx, e, 1) != CW_OK) return ctx->status;
    for (int64_t i = 0; i < e->count; i++) {
        int over = 0;
        out[i] = whole_at(e, i, &over);
        if (over) return fail_range(ctx, e, i, out[i], "64-bit signed integers (it is larger still)");
    }
    return CW_OK;
}

cw_status cw_safetensors_read_u8(cw_ctx *ctx, uint8_t *out, const cw_safetensors_entry *e)
{
    if (check_readable(ctx, e, 1) != CW_OK) return ctx->status;
    for (int64_t i = 0; i < e->count; i++) {
        int over = 0;
        int64_t x = whole_at(e, i, &over);
        if (over || x < 0 || x > 255) return fail_range(ctx, e, i, x, "0..255");
        out[i] = (uint8_t)x;
    }
    return CW_OK;
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

/* A text that grows. Sticky: after a failed allocation nothing more is added. */
typedef struct builder {
    cw_ctx *ctx;
    char *text; /* cw_free */
    int64_t n, room;
} builder;

static void add(builder *b, const char *s, int64_t n)
{
    if (n == 0) return;
    if (b->n + n > b->room) {
        int64_t room = 2 * (b->n + n) + 1024;
        char *larger = cw_alloc(b->ctx, room, 1);
        if (!larger) return;
        if (b->n) memcpy(larger, b->text, (size_t)b->n);
        cw_free(b->ctx, b->text);
        b->text = larger;
        b->room = room;
    }
    memcpy(b->text + b->n, s, (size_t)n);
    b->n += n;
}

static void add_text(builder *b, const char *s) { add(b, s, (int64_t)strlen(s)); }

static void add_size(builder *b, int64_t x)
{
    char number[24];
    snprintf(number, sizeof number, "%lld", (long long)x);
    add_text(b, number);
}

/* With quotes; UTF-8 as it is. */
static void add_string(builder *b, const char *s)
{
    int64_t n = (int64_t)strlen(s);
    if (io_utf8_check(s, n) < n) {
        cw_fail(b->ctx, CW_ERR_ARGUMENT, "the name or text '%s' is not UTF-8", io_show(s).text);
        return;
    }
    add(b, "\"", 1);
    for (; *s; s++) {
        char escape[8];
        if (*s == '"' || *s == '\\')
            snprintf(escape, sizeof escape, "\\%c", *s);
        else if ((unsigned char)*s < 32)
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*s);
        else
            snprintf(escape, sizeof escape, "%c", *s);
        add_text(b, escape);
    }
    add(b, "\"", 1);
}

/* Bytes of an item, or -1 with the error recorded. */
static int64_t item_bytes(cw_ctx *ctx, const cw_safetensors_item *item)
{
    int64_t n = cw_st_dtype_bytes(item->dtype);
    int bad = n == 0 || item->ndim < 0 || item->ndim > CW_SAFETENSORS_DIMS || strcmp(item->name, "__metadata__") == 0;
    for (int i = 0; !bad && i < item->ndim; i++) {
        bad = item->dim[i] < 0 || (item->dim[i] > 0 && n > ((int64_t)1 << 53) / item->dim[i]);
        if (!bad) n *= item->dim[i];
    }
    if (!bad && (item->data || n == 0)) return n;
    cw_fail(ctx, CW_ERR_ARGUMENT, "tensor '%s' can't be written: its name, type, shape or data can't be right",
            io_show(item->name).text);
    return -1;
}

static int order_items(const void *a, const void *b)
{
    const cw_safetensors_item *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void check_names(cw_ctx *ctx, const cw_safetensors_item *items, int64_t n)
{
    const cw_safetensors_item **sorted = cw_alloc(ctx, n, sizeof *sorted);
    if (!sorted) return;
    for (int64_t i = 0; i < n; i++) sorted[i] = &items[i];
    if (n) qsort(sorted, (size_t)n, sizeof *sorted, order_items);
    for (int64_t i = 1; i < n; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            cw_fail(ctx, CW_ERR_ARGUMENT, "two tensors to write are called '%s'", io_show(sorted[i]->name).text);
    cw_free(ctx, sorted);
}

static void build_header(builder *b, const cw_safetensors_item *items, const cw_safetensors_pair *metadata, int64_t n,
                         int64_t n_metadata)
{
    int64_t at = 0;
    add_text(b, "{");
    for (int64_t i = 0; i < n_metadata; i++) {
        add_text(b, i ? "," : "\"__metadata__\":{");
        add_string(b, metadata[i].key);
        add_text(b, ":");
        add_string(b, metadata[i].value);
    }
    if (n_metadata) add_text(b, n ? "}," : "}");
    for (int64_t i = 0; i < n && b->ctx->status == CW_OK; i++) {
        int64_t bytes = item_bytes(b->ctx, &items[i]);
        if (bytes < 0) return;
        if (i) add_text(b, ",");
        add_string(b, items[i].name);
        add_text(b, ":{\"dtype\":\"");
        add_text(b, cw_st_dtype_name(items[i].dtype));
        add_text(b, "\",\"shape\":[");
        for (int d = 0; d < items[i].ndim; d++) {
            if (d) add_text(b, ",");
            add_size(b, items[i].dim[d]);
        }
        add_text(b, "],\"data_offsets\":[");
        add_size(b, at);
        add_text(b, ",");
        add_size(b, at += bytes);
        add_text(b, "]}");
    }
    add_text(b, "}");
    while (b->ctx->status == CW_OK && b->n % 8) add_text(b, " ");
    if (b->n > CW_SAFETENSORS_HEADER_MAX)
        cw_fail(b->ctx, CW_ERR_ARGUMENT, "the header takes %lld bytes, more than readers allow", (long long)b->n);
}

cw_status cw_safetensors_write(cw_ctx *ctx, const char *path, const cw_safetensors_item *items,
                               const cw_safetensors_pair *metadata, int64_t n, int64_t n_metadata)
{
    if (ctx->status != CW_OK) return ctx->status;
    const uint16_t probe = 1;
    if (*(const unsigned char *)&probe != 1)
        return cw_fail(ctx, CW_ERR_STATE, "writing safetensors on a big-endian machine is not supported");
    builder b = {ctx, NULL, 0, 0};
    check_names(ctx, items, n);
    build_header(&b, items, metadata, n, n_metadata);
    io_output out;
    if (ctx->status == CW_OK && io_output_open(ctx, &out, path) == CW_OK) {
        unsigned char length[8];
        for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)b.n >> (8 * i));
        int good = fwrite(length, 1, 8, out.f) == 8 && fwrite(b.text, 1, (size_t)b.n, out.f) == (size_t)b.n;
        for (int64_t i = 0; i < n && good; i++) {
            size_t bytes = (size_t)item_bytes(ctx, &items[i]);
            good = bytes == 0 || fwrite(items[i].data, 1, bytes, out.f) == bytes;
        }
        if (!good) cw_fail(ctx, CW_ERR_IO, "'%s' could not be written: %s", path, strerror(errno));
        io_output_close(ctx, &out);
    }
    cw_free(ctx, b.text);
    return ctx->status;
}
