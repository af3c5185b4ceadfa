/* zip.c: see zip.h. Field names are those of PKWARE's APPNOTE. */
#include "io_util.h"

#include "zip.h"

#include <stdlib.h>

#define END_BYTES 22
#define CENTRAL_BYTES 46
#define LOCAL_BYTES 30

static uint64_t le(const unsigned char *p, int bytes)
{
    uint64_t x = 0;
    for (int i = bytes - 1; i >= 0; i--) x = x << 8 | p[i];
    return x;
}

int cw_zip_is(const unsigned char *bytes, int64_t n)
{
    return n >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0);
}

/* Where the end record is: the last place with its signature whose comment ends with the archive; -1: none. */
static int64_t find_end(const unsigned char *b, int64_t n)
{
    for (int64_t at = n - END_BYTES; at >= 0 && at >= n - END_BYTES - 65535; at--)
        if (memcmp(b + at, "PK\5\6", 4) == 0 && at + END_BYTES + (int64_t)le(b + at + 20, 2) == n) return at;
    return -1;
}

typedef struct table {
    uint64_t count, size, start;
    int volumes; /* 1: of several */
} table;

static table read_end(const unsigned char *b, int64_t end)
{
    const unsigned char *e = b + end;
    uint64_t volume = le(e + 4, 2), first = le(e + 6, 2);
    table t = {le(e + 10, 2), le(e + 12, 4), le(e + 16, 4), volume % 0xFFFF != 0 || first % 0xFFFF != 0};
    int wide = t.count == 0xFFFF || t.size == 0xFFFFFFFF || t.start == 0xFFFFFFFF;
    if (end < 20 || memcmp(e - 20, "PK\6\7", 4) != 0) return t;
    uint64_t at = le(e - 20 + 8, 8); /* zip64 */
    if (end - 20 < 56 || at > (uint64_t)(end - 20 - 56) || memcmp(b + at, "PK\6\6", 4) != 0) {
        if (wide) t.size = UINT64_MAX; /* nothing to be believed */
        return t;
    }
    const unsigned char *w = b + at;
    return (table){le(w + 32, 8), le(w + 40, 8), le(w + 48, 8),
                   t.volumes || le(w + 16, 4) != 0 || le(w + 20, 4) != 0};
}

/* The zip64 extra field of a central record: the sizes and the offset that did not fit into 32 bits, in this order. */
static int read_wide(const unsigned char *extra, uint64_t n, uint64_t *value[3])
{
    for (uint64_t at = 0; at + 4 <= n;) {
        uint64_t id = le(extra + at, 2), size = le(extra + at + 2, 2);
        if (size > n - at - 4) return 0;
        if (id == 1) {
            uint64_t from = at + 4, end = from + size;
            for (int i = 0; i < 3; i++) {
                if (*value[i] != 0xFFFFFFFF) continue;
                if (end - from < 8) return 0;
                *value[i] = le(extra + from, 8);
                from += 8;
            }
            return 1;
        }
        at += 4 + size;
    }
    return *value[0] != 0xFFFFFFFF && *value[1] != 0xFFFFFFFF && *value[2] != 0xFFFFFFFF;
}

/* One record of the table into *f; its length, or 0 with the error recorded. `start` is where the table begins: all
 * files lie in front of it. */
static uint64_t read_record(cw_ctx *ctx, cw_zip_file *f, const unsigned char *b, uint64_t at, uint64_t left,
                            uint64_t start)
{
    const unsigned char *r = b + at;
    const char *wrong = "the archive's table is broken";
    if (left < CENTRAL_BYTES || memcmp(r, "PK\1\2", 4) != 0) goto refused;
    uint64_t flags = le(r + 8, 2), method = le(r + 10, 2), packed = le(r + 20, 4), size = le(r + 24, 4);
    uint64_t name = le(r + 28, 2), extra = le(r + 30, 2), comment = le(r + 32, 2), local = le(r + 42, 4);
    if (left - CENTRAL_BYTES < name + extra + comment) goto refused;
    if (!read_wide(r + CENTRAL_BYTES + name, extra, (uint64_t *[]){&size, &packed, &local})) goto refused;
    wrong = "the archive is encrypted";
    if (flags & 1) goto refused;
    wrong = "the archive is compressed, which PyTorch's own never are: unpack it and look what is in it";
    if (method != 0 || packed != size) goto refused;
    wrong = "a file of the archive lies outside it: it is cut short or broken";
    if (start < LOCAL_BYTES || local > start - LOCAL_BYTES || memcmp(b + local, "PK\3\4", 4) != 0) goto refused;
    uint64_t data = local + LOCAL_BYTES + le(b + local + 26, 2) + le(b + local + 28, 2);
    if (data > start || size > start - data) goto refused;
    *f = (cw_zip_file){(const char *)r + CENTRAL_BYTES, (int64_t)name, b + data, (int64_t)size};
    return CENTRAL_BYTES + name + extra + comment;
refused:
    cw_fail(ctx, CW_ERR_FORMAT, "%s", wrong);
    return 0;
}

static int compare(const char *a, int64_t a_bytes, const char *b, int64_t b_bytes)
{
    int64_t n = a_bytes < b_bytes ? a_bytes : b_bytes;
    int c = n ? memcmp(a, b, (size_t)n) : 0;
    return c ? c : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static int by_name(const void *a, const void *b)
{
    const cw_zip_file *x = a, *y = b;
    return compare(x->name, x->name_bytes, y->name, y->name_bytes);
}

cw_status cw_zip_open(cw_ctx *ctx, cw_zip *zip, const unsigned char *bytes, int64_t n)
{
    *zip = (cw_zip){.ctx = ctx};
    int64_t end = find_end(bytes, n);
    if (end < 0) return cw_fail(ctx, CW_ERR_FORMAT, "the archive has no end: it is cut short or broken");
    table t = read_end(bytes, end);
    if (t.volumes) return cw_fail(ctx, CW_ERR_FORMAT, "the archive is one volume of several");
    if (t.start > (uint64_t)end || t.size > (uint64_t)end - t.start || t.count > t.size / CENTRAL_BYTES)
        return cw_fail(ctx, CW_ERR_FORMAT, "the archive's table lies outside it: it is cut short or broken");
    zip->file = cw_alloc(ctx, (int64_t)t.count, sizeof *zip->file);
    uint64_t at = t.start, stop = t.start + t.size;
    for (; zip->file && zip->count < (int64_t)t.count && ctx->status == CW_OK; zip->count++)
        at += read_record(ctx, &zip->file[zip->count], bytes, at, stop - at, t.start);
    if (ctx->status != CW_OK) return ctx->status;
    if (zip->count) qsort(zip->file, (size_t)zip->count, sizeof *zip->file, by_name);
    for (int64_t i = 1; i < zip->count; i++)
        if (by_name(&zip->file[i - 1], &zip->file[i]) == 0)
            return cw_fail(ctx, CW_ERR_FORMAT, "the archive has two files of one name");
    return CW_OK;
}

void cw_zip_close(cw_zip *zip)
{
    if (zip->ctx) cw_free(zip->ctx, zip->file);
    *zip = (cw_zip){0};
}

/* The file's name against a followed by b. */
static int compare_to(const cw_zip_file *f, const char *a, int64_t a_bytes, const char *b, int64_t b_bytes)
{
    int64_t n = f->name_bytes < a_bytes ? f->name_bytes : a_bytes;
    int c = compare(f->name, n, a, a_bytes);
    return c ? c : compare(f->name + n, f->name_bytes - n, b, b_bytes);
}

const cw_zip_file *cw_zip_find(const cw_zip *zip, const char *a, int64_t a_bytes, const char *b, int64_t b_bytes)
{
    int64_t low = 0, high = zip->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        int c = compare_to(&zip->file[middle], a, a_bytes, b, b_bytes);
        if (c == 0) return &zip->file[middle];
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
