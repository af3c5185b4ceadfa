/* mindspore.c: MindSpore's .ckpt: a protobuf message of records {1: name, 2: {1: dims, 2: type, 3: bytes}}. A tensor of
 * more than 512 MB is cut: several records of one name follow each other, each with the dims of the whole. */
#include "io_util.h"

#include "archive.h"

typedef struct cursor {
    cw_ctx *ctx;
    const unsigned char *at, *end;
} cursor;

static int fail_cut(cursor *c)
{
    cw_fail(c->ctx, CW_ERR_FORMAT, "the file is cut short, broken or encrypted: a record reaches beyond its end");
    return 0;
}

static int varint(cursor *c, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && c->at < c->end; shift += 7) {
        unsigned char b = *c->at++;
        *out |= (uint64_t)(b & 127) << shift;
        if (!(b & 128)) return 1;
    }
    return fail_cut(c);
}

/* The next field's number and its content: bytes, or a number (of wire type 0; `in` is then empty). 0: at the end, or
 * with the error recorded. */
static int field(cursor *c, uint64_t *number, cursor *in, uint64_t *value)
{
    uint64_t tag, n;
    if (c->at == c->end || !varint(c, &tag)) return 0;
    *number = tag >> 3;
    *value = 0;
    *in = (cursor){c->ctx, c->at, c->at};
    switch (tag & 7) {
    case 0: return varint(c, value);
    case 1: n = 8; break;
    case 2:
        if (!varint(c, &n)) return 0;
        break;
    case 5: n = 4; break;
    default: return fail_cut(c);
    }
    if (n > (uint64_t)(c->end - c->at)) return fail_cut(c);
    *in = (cursor){c->ctx, c->at, c->at + n};
    c->at += n;
    return 1;
}

typedef struct record {
    cursor name, type, content; /* empty where not there */
    int ndim;
    int64_t dim[CW_SOURCE_DIMS];
} record;

static void add_dim(cursor *c, record *r, uint64_t dim)
{
    if (r->ndim == CW_SOURCE_DIMS || dim > (uint64_t)INT64_MAX)
        cw_fail(c->ctx, CW_ERR_FORMAT, "a tensor has an impossible shape");
    else
        r->dim[r->ndim++] = (int64_t)dim;
}

static void read_tensor(cursor c, record *r)
{
    cursor in;
    uint64_t number, value;
    while (field(&c, &number, &in, &value)) {
        if (number == 1 && in.at == in.end) add_dim(&c, r, value);
        while (number == 1 && in.at < in.end && varint(&in, &value)) add_dim(&c, r, value); /* packed */
        if (number == 2) r->type = in;
        if (number == 3) r->content = in;
        if (c.ctx->status != CW_OK) return;
    }
}

static int type_of(cw_st_dtype *out, cursor type)
{
    static const struct {
        const char *name;
        cw_st_dtype is;
    } types[] = {{"Float32", CW_ST_F32}, {"Float16", CW_ST_F16}, {"BFloat16", CW_ST_BF16}, {"Float64", CW_ST_F64},
                 {"Int8", CW_ST_I8},     {"Int16", CW_ST_I16},   {"Int32", CW_ST_I32},     {"Int64", CW_ST_I64},
                 {"UInt8", CW_ST_U8},    {"UInt16", CW_ST_U16},  {"UInt32", CW_ST_U32},    {"UInt64", CW_ST_U64},
                 {"Bool", CW_ST_BOOL}};
    size_t n = (size_t)(type.end - type.at);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strlen(types[i].name) == n && memcmp(types[i].name, type.at, n) == 0) {
            *out = types[i].is;
            return 1;
        }
    return 0;
}

/* Adam's moments, momentum's, and the counters of a run. */
static int is_training(cursor name)
{
    static const char *const starts[] = {"moment1.", "moment2.", "moments.", "accum."};
    static const char *const words[] = {"global_step",    "learning_rate", "beta1_power", "beta2_power",
                                        "current_iterator_step", "last_overflow_iterator_step", "scale_sense",
                                        "loss_scale",     "epoch_num",     "step_num"};
    size_t n = (size_t)(name.end - name.at);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (n > strlen(starts[i]) && memcmp(name.at, starts[i], strlen(starts[i])) == 0) return 1;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (n == strlen(words[i]) && memcmp(name.at, words[i], n) == 0) return 1;
    return 0;
}

/* A further record of the same tensor. */
static void add_piece(cursor *c, cw_stored *e, cw_piece ***last, const record *r)
{
    cw_piece *p = cw_alloc(c->ctx, 1, sizeof *p);
    if (!p) return;
    *p = (cw_piece){NULL, r->content.at, r->content.end - r->content.at};
    if (!*last) *last = &e->piece;
    **last = p;
    *last = &p->next;
}

/* All bytes of the tensor that the records since `e` began are there. */
static void close_tensor(cursor *c, const cw_stored *e, int64_t bytes)
{
    if (e && c->ctx->status == CW_OK && bytes != cw_stored_bytes(e))
        cw_fail(c->ctx, CW_ERR_FORMAT, "tensor '%s' has %lld bytes, its shape and type ask for %lld",
                io_show(e->name).text, (long long)bytes, (long long)cw_stored_bytes(e));
}

static int same(cursor a, const char *name)
{
    size_t n = (size_t)(a.end - a.at);
    return strlen(name) == n && memcmp(a.at, name, n) == 0;
}

static cw_stored *open_tensor(cursor *c, cw_archive *archive, record *r)
{
    cw_stored *e = cw_archive_add(archive, "", (const char *)r->name.at, r->name.end - r->name.at);
    if (!e) return NULL;
    if (!type_of(&e->dtype, r->type)) {
        cw_fail(c->ctx, CW_ERR_FORMAT, "tensor '%s' is of a type that is not read here", io_show(e->name).text);
        return NULL;
    }
    if (r->ndim == 1 && r->dim[0] == 0 && r->content.end > r->content.at) r->ndim = 0; /* how a number is written */
    e->ndim = r->ndim;
    memcpy(e->dim, r->dim, sizeof e->dim);
    e->data = r->content.at;
    if (cw_stored_pack(e) < 0)
        cw_fail(c->ctx, CW_ERR_FORMAT, "tensor '%s' has an impossible shape", io_show(e->name).text);
    return e;
}

cw_status cw_mindspore_read(cw_archive *archive, cw_ctx *ctx, const unsigned char *bytes, int64_t n)
{
    cursor c = {ctx, bytes, bytes + n}, in, part;
    uint64_t number, value;
    cw_stored *e = NULL; /* the tensor that is being read; good until the next is added */
    cw_piece **last = NULL;
    int64_t got = 0;
    while (ctx->status == CW_OK && !(c.end - c.at == 17 && memcmp(c.at, "crc_num", 7) == 0) &&
           field(&c, &number, &in, &value)) {
        record r = {.content = {ctx, in.at, in.at}};
        if (number != 1) continue;
        while (field(&in, &number, &part, &value)) {
            if (number == 1) r.name = part;
            if (number == 2) read_tensor(part, &r);
        }
        if (ctx->status != CW_OK) break;
        int is_text = r.type.end - r.type.at == 3 && memcmp(r.type.at, "str", 3) == 0;
        if (!r.name.at || !r.type.at || is_text) continue; /* maps and texts are no tensors */
        if (is_training(r.name)) {
            cw_archive_skip(archive, 1);
            continue;
        }
        int64_t size = e ? cw_st_dtype_bytes(e->dtype) : 1, more = r.content.end - r.content.at;
        if (e && same(r.name, e->name)) {
            if (got % size || more % size) cw_fail(ctx, CW_ERR_FORMAT, "a tensor is cut within a number");
            if (!e->piece) {
                record first = {.content = {ctx, e->data, e->data + got}};
                last = NULL;
                add_piece(&c, e, &last, &first);
            }
            if (ctx->status == CW_OK) add_piece(&c, e, &last, &r);
            got += more;
            continue;
        }
        close_tensor(&c, e, got);
        e = ctx->status == CW_OK ? open_tensor(&c, archive, &r) : NULL;
        got = more;
    }
    close_tensor(&c, e, got);
    return ctx->status;
}
