/* archive.c: see archive.h. */
#include "io_util.h"

#include "archive.h"
#include "json.h"
#include "mapped.h"
#include "zip.h"

#include <stdlib.h>

#define SHARDS_MAX 4096
#define CHUNK 4096     /* bytes */
#define SPREAD_MOST 16 /* bytes of a file may become so many when its tensors are packed */

typedef struct shard {
    char *file;             /* its name in the index */
    cw_safetensors *tables; /* of a safetensors file */
    cw_mapped bytes;        /* of another */
} shard;

struct cw_archive {
    cw_ctx *ctx;
    const char *format;
    shard *shard;
    int64_t shards;
    cw_stored *entry;
    int64_t count, room, skipped;
    const cw_stored **by_name; /* sorted */
    char prefix[80];  /* words that all names begin with and that say nothing */
};

/* ---- entries ---- */

cw_stored *cw_archive_add(cw_archive *a, const char *prefix, const char *name, int64_t n)
{
    if (a->ctx->status != CW_OK) return NULL;
    if (a->count == a->room) {
        int64_t room = 2 * a->room + 16;
        cw_stored *larger = cw_alloc(a->ctx, room, sizeof *larger);
        if (!larger) return NULL;
        if (a->count) memcpy(larger, a->entry, (size_t)a->count * sizeof *larger);
        cw_free(a->ctx, a->entry);
        a->entry = larger;
        a->room = room;
    }
    size_t before = strlen(prefix);
    char *text = cw_alloc(a->ctx, (int64_t)before + n + 1, 1);
    if (!text) return NULL;
    memcpy(text, prefix, before);
    if (n) memcpy(text + before, name, (size_t)n);
    text[(int64_t)before + n] = '\0';
    cw_stored *e = &a->entry[a->count++];
    *e = (cw_stored){.name = text};
    if (memchr(text, 0, before + (size_t)n) || io_utf8_check(text, (int64_t)before + n) < (int64_t)before + n) {
        cw_fail(a->ctx, CW_ERR_FORMAT, "the name of tensor '%s' is not UTF-8", io_show(text).text);
        return NULL;
    }
    return e;
}

int64_t cw_stored_pack(cw_stored *e)
{
    int64_t most = INT64_MAX / 16;
    e->count = 1;
    for (int d = e->ndim - 1; d >= 0; d--) {
        e->stride[d] = e->count;
        if (e->dim[d] < 0 || (e->dim[d] > 0 && e->count > most / e->dim[d])) return -1;
        e->count *= e->dim[d];
    }
    return e->count * cw_st_dtype_bytes(e->dtype);
}

void cw_archive_skip(cw_archive *a, int64_t tensors) { a->skipped += tensors; }

int cw_archive_is_training(const char *word, int64_t n)
{
    static const char *const words[] = {
        "optimizer", "optimizers", "optimizer_state", "optimizer_states", "optimizer_state_dict", "optim", "opt",
        "optim_state", "optim_state_dict", "opt_f_state", "opt_g_state", "scheduler", "schedulers",
        "scheduler_state_dict", "lr_scheduler", "lr_schedulers", "lr_scheduler_state_dict", "scaler", "grad_scaler", "amp", "callbacks", "loops", "rng_state", "cuda_rng_state"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if ((size_t)n == strlen(words[i]) && memcmp(word, words[i], (size_t)n) == 0) return 1;
    return 0;
}

/* ---- opening ---- */

static void read_safetensors(cw_archive *a, const cw_safetensors *f)
{
    for (int64_t i = 0; i < cw_safetensors_count(f) && a->ctx->status == CW_OK; i++) {
        const cw_safetensors_entry *from = cw_safetensors_at(f, i);
        cw_stored *e = cw_archive_add(a, "", from->name, (int64_t)strlen(from->name));
        if (!e) return;
        e->dtype = from->dtype;
        e->ndim = from->ndim;
        e->data = from->data;
        memcpy(e->dim, from->dim, sizeof e->dim);
        cw_stored_pack(e);
    }
}

/* Protobuf: field 1 of wire type 2, of a length that the file has, and in it again field 1, a text. */
static int looks_like_mindspore(const unsigned char *b, int64_t n)
{
    int64_t at = 1;
    if (n < 4 || b[0] != 0x0A) return 0;
    while (at < n && at < 11 && b[at] & 128) at++;
    return at + 1 < n && b[at + 1] == 0x0A;
}

/* A header's length that is less than the file's, and then '{'. */
static int looks_like_safetensors(const unsigned char *b, int64_t n)
{
    uint64_t length = 0;
    for (int i = 7; n >= 8 && i >= 0; i--) length = length << 8 | b[i];
    return n > 8 && b[8] == '{' && (length < (uint64_t)n || (b[5] == 0 && b[6] == 0 && b[7] == 0));
}

/* Bytes of a format other than safetensors and JSON. */
static cw_status read_bytes(cw_archive *a, const unsigned char *b, int64_t n)
{
    static const char lfs[] = "version https://git-lfs";
    if (n == 0) return cw_fail(a->ctx, CW_ERR_FORMAT, "the file is empty");
    if (n >= (int64_t)sizeof lfs - 1 && memcmp(b, lfs, sizeof lfs - 1) == 0)
        return cw_fail(a->ctx, CW_ERR_FORMAT,
                       "the file is a pointer of git-lfs, not the weights: fetch them with `git lfs pull`");
    if (cw_zip_is(b, n)) {
        a->format = "PyTorch (zip)";
        return cw_torch_zip_read(a, a->ctx, b, n);
    }
    if (b[0] == 0x80) {
        a->format = "PyTorch (legacy)";
        return cw_torch_legacy_read(a, a->ctx, b, n);
    }
    if (looks_like_mindspore(b, n)) {
        a->format = "MindSpore";
        return cw_mindspore_read(a, a->ctx, b, n);
    }
    if (n > 262 && memcmp(b + 257, "ustar", 5) == 0)
        return cw_fail(a->ctx, CW_ERR_FORMAT,
                       "the file is a tar archive, PyTorch's format before version 0.1.10: save it again with a "
                       "newer one");
    return cw_fail(a->ctx, CW_ERR_FORMAT,
                   "the file is of no known format: safetensors, PyTorch, MindSpore, or an index of shards");
}

static shard *shard_new(cw_archive *a, const char *name)
{
    shard *larger = cw_calloc(a->ctx, a->shards + 1, sizeof *larger);
    if (!larger) return NULL;
    if (a->shards) memcpy(larger, a->shard, (size_t)a->shards * sizeof *larger);
    cw_free(a->ctx, a->shard);
    a->shard = larger;
    larger[a->shards].file = cw_strdup(a->ctx, name);
    return &larger[a->shards++];
}

/* A file of tensors, no index. */
static cw_status read_shard(cw_archive *a, const char *name, const char *path)
{
    shard *s = shard_new(a, name);
    if (!s || cw_mapped_open(a->ctx, &s->bytes, path) != CW_OK) return a->ctx->status;
    if (looks_like_safetensors(s->bytes.bytes, s->bytes.size)) {
        cw_mapped_close(a->ctx, &s->bytes);
        a->format = "safetensors";
        s->tables = cw_safetensors_open(a->ctx, path);
        if (s->tables) read_safetensors(a, s->tables);
    } else if (read_bytes(a, s->bytes.bytes, s->bytes.size) == CW_ERR_FORMAT) {
        io_error_at(a->ctx, path);
    }
    return a->ctx->status;
}

/* ---- the index of shards ---- */

static int by_text(const void *a, const void *b)
{
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* Every file that {"weight_map": {tensor: file}} names, in the index's folder. */
static void read_shards(cw_archive *a, const char *path, const cw_json *map)
{
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash - path) + 1 : 0;
    const char *last = NULL;
    for (const cw_json *m = cw_json_first(map); m && a->ctx->status == CW_OK; m = cw_json_next(m)) {
        const char *file = cw_json_text(m);
        if (last && file && strcmp(last, file) == 0) continue;
        last = file;
        int known = 0;
        for (int64_t i = 0; file && !known && i < a->shards; i++) known = strcmp(a->shard[i].file, file) == 0;
        if (known) continue;
        char whole[4096];
        if (!file || !*file || strchr(file, '/') || strchr(file, '\\') || file[0] == '.')
            cw_fail(a->ctx, CW_ERR_FORMAT, "%s: tensor '%s' is in no file of the folder", path,
                    io_show(cw_json_key(m)).text);
        else if (a->shards == SHARDS_MAX)
            cw_fail(a->ctx, CW_ERR_FORMAT, "%s: more than %d shards", path, SHARDS_MAX);
        else if (snprintf(whole, sizeof whole, "%.*s%s", folder, path, file) >= (int)sizeof whole)
            cw_fail(a->ctx, CW_ERR_IO, "%s: the path is too long", path);
        else
            read_shard(a, file, whole);
    }
}

/* Every tensor of the index must be there; those beside it are, too. */
static void check_map(cw_archive *a, const char *path, const cw_json *map)
{
    const char **name = cw_alloc(a->ctx, a->count, sizeof *name);
    if (!name) return;
    for (int64_t i = 0; i < a->count; i++) name[i] = a->entry[i].name;
    if (a->count) qsort(name, (size_t)a->count, sizeof *name, by_text);
    for (const cw_json *m = cw_json_first(map); m; m = cw_json_next(m)) {
        const char *key = cw_json_key(m);
        if (a->count && bsearch(&key, name, (size_t)a->count, sizeof *name, by_text)) continue;
        cw_fail(a->ctx, CW_ERR_FORMAT, "%s: tensor '%s' is not in the shard '%s'", path, io_show(key).text,
                io_show(cw_json_text(m)).text);
        break;
    }
    cw_free(a->ctx, name);
}

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static void read_index(cw_archive *a, const char *path)
{
    cw_json *index = cw_json_read_file(a->ctx, path);
    const cw_json *map = index ? cw_json_object(a->ctx, index, "weight_map") : NULL;
    if (index && (!map || !cw_json_is_object(map) || !cw_json_first(map)))
        cw_fail(a->ctx, CW_ERR_FORMAT, "%s: there is no \"weight_map\" of tensors and files: not an index of shards",
                path);
    if (a->ctx->status == CW_OK) read_shards(a, path, map);
    if (a->ctx->status == CW_OK) check_map(a, path, map);
    cw_json_free(index);
}

/* ---- names ---- */

static int by_entry_name(const void *x, const void *y)
{
    const cw_stored *const *a = x, *const *b = y;
    return strcmp((*a)->name, (*b)->name);
}

/* The words that all names begin with and that say nothing of the tensor. */
static void find_prefix(cw_archive *a)
{
    static const char *const words[] = {"state_dict.", "model_state_dict.", "module.", "model.", NULL};
    size_t used = 0;
    for (int again = 1; again && a->count;) {
        again = 0;
        for (int w = 0; words[w] && !again; w++) {
            size_t n = strlen(words[w]);
            int64_t i = 0;
            while (i < a->count && strncmp(a->entry[i].name + used, words[w], n) == 0) i++;
            if (i < a->count || used + n >= sizeof a->prefix) continue;
            memcpy(a->prefix + used, words[w], n + 1);
            used += n;
            again = 1;
        }
    }
}

static void finish(cw_archive *a)
{
    if (a->ctx->status != CW_OK) return;
    a->by_name = cw_alloc(a->ctx, a->count, sizeof *a->by_name);
    if (!a->by_name) return;
    for (int64_t i = 0; i < a->count; i++) a->by_name[i] = &a->entry[i];
    if (a->count) qsort(a->by_name, (size_t)a->count, sizeof *a->by_name, by_entry_name);
    for (int64_t i = 1; i < a->count; i++)
        if (strcmp(a->by_name[i - 1]->name, a->by_name[i]->name) == 0)
            cw_fail(a->ctx, CW_ERR_FORMAT, "tensor '%s' is there twice", io_show(a->by_name[i]->name).text);
    find_prefix(a);
}

static cw_archive *opened(cw_archive *a)
{
    finish(a);
    if (a->ctx->status == CW_OK) return a;
    cw_archive_close(a);
    return NULL;
}

static cw_archive *archive_new(cw_ctx *ctx)
{
    cw_archive *a = cw_calloc(ctx, 1, sizeof *a);
    if (a) a->ctx = ctx;
    return a;
}

cw_archive *cw_archive_open(cw_ctx *ctx, const char *path)
{
    cw_archive *a = archive_new(ctx);
    if (!a) return NULL;
    if (ends_with(path, ".json"))
        read_index(a, path);
    else
        read_shard(a, "", path);
    return opened(a);
}

cw_archive *cw_archive_open_memory(cw_ctx *ctx, const unsigned char *bytes, int64_t n)
{
    cw_archive *a = archive_new(ctx);
    if (!a) return NULL;
    read_bytes(a, bytes, n);
    return opened(a);
}

void cw_archive_close(cw_archive *a)
{
    if (!a) return;
    cw_ctx *ctx = a->ctx;
    for (int64_t i = 0; i < a->count; i++) {
        while (a->entry[i].piece) {
            cw_piece *after = a->entry[i].piece->next;
            cw_free(ctx, a->entry[i].piece);
            a->entry[i].piece = after;
        }
        cw_free(ctx, (void *)(uintptr_t)a->entry[i].name);
    }
    for (int64_t i = 0; i < a->shards; i++) {
        cw_free(ctx, a->shard[i].file);
        cw_safetensors_close(a->shard[i].tables);
        cw_mapped_close(ctx, &a->shard[i].bytes);
    }
    cw_free(ctx, a->shard);
    cw_free(ctx, a->entry);
    cw_free(ctx, a->by_name);
    cw_free(ctx, a);
}

const char *cw_archive_format(const cw_archive *a) { return a->format; }
int64_t cw_archive_count(const cw_archive *a) { return a->count; }
int64_t cw_archive_skipped(const cw_archive *a) { return a->skipped; }
const cw_stored *cw_archive_at(const cw_archive *a, int64_t i) { return i >= 0 && i < a->count ? &a->entry[i] : NULL; }

/* The entry called before + name, or -1. */
static int64_t find(const cw_archive *a, const char *before, const char *name)
{
    size_t n = strlen(before);
    int64_t low = 0, high = a->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        const char *other = a->by_name[middle]->name;
        int c = strncmp(other, before, n);
        if (c == 0) c = strcmp(other + n, name);
        if (c == 0) return a->by_name[middle] - a->entry;
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

int64_t cw_archive_find(const cw_archive *a, const char *name)
{
    int64_t at = find(a, "", name);
    return at < 0 && a->prefix[0] ? find(a, a->prefix, name) : at;
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

int64_t cw_stored_bytes(const cw_stored *e) { return e->count * cw_st_dtype_bytes(e->dtype); }

static int is_plain(const cw_stored *e)
{
    int64_t run = 1;
    for (int d = e->ndim - 1; d >= 0; d--) {
        if (e->dim[d] != 1 && e->stride[d] != run) return 0;
        run *= e->dim[d];
    }
    return !e->big_endian && !e->piece;
}

/* Where element i is, in row-major order. */
static const unsigned char *element(const cw_stored *e, int64_t i, int64_t size)
{
    int64_t at = 0;
    for (int d = e->ndim - 1; d >= 0; d--) {
        at += i % e->dim[d] * e->stride[d];
        i /= e->dim[d];
    }
    return e->data + at * size;
}

static void turn(unsigned char *p, int64_t size)
{
    for (int64_t i = 0; i < size / 2; i++) {
        unsigned char x = p[i];
        p[i] = p[size - 1 - i];
        p[size - 1 - i] = x;
    }
}

/* Elements first .. first + n, packed and little-endian. */
static void gather(const cw_stored *e, unsigned char *out, int64_t first, int64_t n)
{
    int64_t size = cw_st_dtype_bytes(e->dtype), half = e->dtype == CW_ST_C64 ? 4 : size;
    for (int64_t i = 0; i < n; i++) {
        memcpy(out + i * size, element(e, first + i, size), (size_t)size);
        for (int64_t j = 0; e->big_endian && j < size; j += half) turn(out + i * size + j, half);
    }
}

/* n packed elements of e as floats. */
static cw_status convert(cw_ctx *ctx, float *out, const cw_stored *e, const unsigned char *data, int64_t n)
{
    cw_safetensors_entry part = {.name = e->name, .dtype = e->dtype, .ndim = 1, .dim = {n}, .count = n, .data = data};
    part.bytes = n * cw_st_dtype_bytes(e->dtype);
    return cw_safetensors_read_f32(ctx, out, &part);
}

cw_status cw_stored_f32(cw_ctx *ctx, float *out, const cw_stored *e)
{
    int64_t size = cw_st_dtype_bytes(e->dtype);
    if (is_plain(e)) return convert(ctx, out, e, e->data, e->count);
    for (const cw_piece *p = e->piece; p && ctx->status == CW_OK; p = p->next) {
        convert(ctx, out, e, p->data, p->bytes / size);
        out += p->bytes / size;
    }
    unsigned char chunk[CHUNK];
    for (int64_t i = 0, n; !e->piece && i < e->count && ctx->status == CW_OK; i += n) {
        n = e->count - i < CHUNK / size ? e->count - i : CHUNK / size;
        gather(e, chunk, i, n);
        convert(ctx, out + i, e, chunk, n);
    }
    return ctx->status;
}

cw_status cw_stored_raw(cw_ctx *ctx, void *out, const cw_stored *e)
{
    if (ctx->status != CW_OK || e->count == 0) return ctx->status;
    unsigned char *to = out;
    for (const cw_piece *p = e->piece; p; p = p->next) {
        memcpy(to, p->data, (size_t)p->bytes);
        to += p->bytes;
    }
    if (is_plain(e))
        memcpy(out, e->data, (size_t)cw_stored_bytes(e));
    else if (!e->piece)
        gather(e, out, 0, e->count);
    return CW_OK;
}

/* Room for a tensor that isn't plain. A tensor that is spread over few bytes may be as large as it likes to say. */
static void *packed(const cw_archive *a, const cw_stored *e, int64_t *taken)
{
    int64_t bytes = cw_stored_bytes(e), have = 0;
    for (int64_t i = 0; i < a->shards; i++) have += a->shard[i].bytes.size;
    *taken += bytes;
    if (*taken > SPREAD_MOST * have + (1 << 20)) {
        cw_fail(a->ctx, CW_ERR_FORMAT, "tensor '%s' would fill %lld bytes, far more than the file has",
                io_show(e->name).text, (long long)bytes);
        return NULL;
    }
    void *out = cw_alloc(a->ctx, bytes, 1);
    if (out) cw_stored_raw(a->ctx, out, e);
    return out;
}

cw_status cw_archive_convert(const cw_archive *a, const char *to)
{
    cw_ctx *ctx = a->ctx;
    int64_t taken = 0;
    cw_safetensors_item *item = cw_calloc(ctx, a->count, sizeof *item);
    void **own = cw_calloc(ctx, a->count, sizeof *own);
    for (int64_t i = 0; item && own && i < a->count && ctx->status == CW_OK; i++) {
        const cw_stored *e = &a->entry[i];
        item[i] = (cw_safetensors_item){.name = e->name, .dtype = e->dtype, .ndim = e->ndim, .data = e->data};
        memcpy(item[i].dim, e->dim, sizeof e->dim);
        if (!is_plain(e)) item[i].data = own[i] = packed(a, e, &taken);
    }
    const cw_safetensors_pair format = {"format", "pt"};
    if (ctx->status == CW_OK) cw_safetensors_write(ctx, to, item, &format, a->count, 1);
    for (int64_t i = 0; own && i < a->count; i++) cw_free(ctx, own[i]);
    cw_free(ctx, own);
    cw_free(ctx, item);
    return ctx->status;
}

/* ---- as a source ------------------------------------------------------------------------------------------------ */

static int64_t source_count(void *file) { return cw_archive_count(file); }
static int64_t source_find(void *file, const char *name) { return cw_archive_find(file, name); }
static const char *source_name(void *file, int64_t i) { return cw_archive_at(file, i)->name; }

static int source_shape(void *file, int64_t i, int64_t dim[CW_SOURCE_DIMS])
{
    const cw_stored *entry = cw_archive_at(file, i);
    for (int k = 0; k < entry->ndim; k++) dim[k] = entry->dim[k];
    return entry->ndim;
}

static cw_status source_read(void *file, cw_ctx *ctx, int64_t i, float *out)
{
    return cw_stored_f32(ctx, out, cw_archive_at(file, i));
}

static void source_close(void *file) { cw_archive_close(file); }

cw_source cw_source_open(cw_ctx *ctx, const char *path)
{
    return (cw_source){cw_archive_open(ctx, path), source_count, source_find, source_name,
                       source_shape,               source_read,  source_close};
}
