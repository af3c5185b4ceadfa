/* h5_items.c: see h5_items.h. */
#include "h5_items.h"

#include "h5_set.h"

#include <stdio.h>
#include <string.h>

#ifdef CW_HAVE_HDF5

enum { MOST_NAMES = 1 << 20, BLOCK = 1 << 16, MOST_EXPANSION = 4096 };

void cw_h5_plugins(const char *folder)
{
    unsigned n = 0;
    char there[1024];
    if (H5PLsize(&n) < 0) return;
    for (unsigned i = 0; i < n; i++)
        if (H5PLget(i, there, sizeof there) >= 0 && strcmp(there, folder) == 0) return;
    H5PLprepend(folder);
}

/* ---- tables of others ------------------------------------------------------------------------------------------- */

static const char *filter_name(H5Z_filter_t id)
{
    static const struct {
        int id;
        const char *name;
    } known[] = {{1, "gzip"},         {2, "shuffle"},         {3, "fletcher32"},   {4, "szip"},      {307, "bzip2"},
                 {32000, "LZF"},      {32001, "Blosc"},       {32004, "LZ4"},      {32008, "bitshuffle"},
                 {32013, "ZFP"},      {32015, "Zstandard"},   {32026, "Blosc2"},   {32020, "VBZ"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].id == id) return known[i].name;
    return "an unknown one";
}

/* Stored in this file, through filters that the library has. */
static cw_status check_storage(cw_ctx *ctx, hid_t set, const char *name)
{
    hid_t p = H5Dget_create_plist(set);
    H5D_layout_t layout = H5Pget_layout(p);
    if (layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED && layout != H5D_COMPACT)
        cw_fail(ctx, CW_ERR_FORMAT, "%s points to other files, which aren't followed", name);
    else if (layout == H5D_CONTIGUOUS && H5Pget_external_count(p) != 0)
        cw_fail(ctx, CW_ERR_FORMAT, "%s has its values in another file, which isn't read", name);
    int filters = H5Pget_nfilters(p);
    for (int i = 0; i < filters && ctx->status == CW_OK; i++) {
        unsigned flags;
        size_t none = 0;
        H5Z_filter_t id = H5Pget_filter2(p, (unsigned)i, &flags, &none, NULL, 0, NULL, NULL);
        if (id >= 0 && H5Zfilter_avail(id) > 0) continue;
        cw_fail(ctx, CW_ERR_FORMAT,
                "%s is compressed by the filter %s (%d), which HDF5 %s here lacks: install the R package "
                "rhdf5filters, or write the file again with gzip",
                name, filter_name(id), (int)id, cw_hdf5_version());
    }
    hsize_t chunk[32];
    if (ctx->status == CW_OK && layout == H5D_CHUNKED) {
        int rank = H5Pget_chunk(p, 32, chunk);
        hid_t type = H5Dget_type(set);
        double bytes = (double)H5Tget_size(type);
        for (int d = 0; d < rank; d++) bytes *= (double)chunk[d];
        H5Tclose(type);
        if (rank < 0 || bytes > 0x1p30) cw_fail(ctx, CW_ERR_FORMAT, "%s has chunks of more than 1 GB", name);
    }
    H5Pclose(p);
    return ctx->status;
}

hid_t cw_h5_set_open(cw_ctx *ctx, cw_h5 *h, const char *name)
{
    if (ctx->status != CW_OK) return -1;
    if (!cw_h5_is_inside(h->file, name)) {
        H5Eclear2(H5E_DEFAULT);
        cw_fail(ctx, CW_ERR_FORMAT, "has no %s", name);
        return -1;
    }
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    /* .75 as HDF5 has it: at 1 a chunk of which only a part was read stays until the end, whatever the cache's size */
    H5Pset_chunk_cache(access, 10007, (size_t)16 << 20, 0.75);
    hid_t set = H5Dopen2(h->file, name, access);
    H5Pclose(access);
    if (set < 0) {
        cw_h5_fail(ctx, CW_ERR_FORMAT, "can't open", name);
        return -1;
    }
    if (check_storage(ctx, set, name) == CW_OK) return set;
    H5Dclose(set);
    return -1;
}

static cw_h5_kind kind_of(hid_t type, int *whole)
{
    H5T_class_t class = H5Tget_class(type);
    *whole = class == H5T_INTEGER;
    if (class == H5T_INTEGER || class == H5T_FLOAT) return CW_H5_NUMBERS;
    if (class == H5T_STRING) return CW_H5_STRINGS;
    if (class == H5T_COMPOUND) return CW_H5_RECORDS;
    if (class == H5T_ENUM && H5Tget_size(type) == 1 && H5Tget_nmembers(type) == 2) return CW_H5_FLAGS;
    return CW_H5_OTHER;
}

/* Fills an item from a type and a space. */
static void describe(cw_h5_item *item, hid_t type, hid_t space)
{
    item->kind = kind_of(type, &item->whole);
    item->width = (int64_t)H5Tget_size(type);
    item->rank = H5Sget_simple_extent_type(space) == H5S_NULL ? -1 : H5Sget_simple_extent_ndims(space);
    for (int d = 0; d < 3; d++) item->dim[d] = 1;
    hsize_t dim[32] = {0};
    if (item->rank > 32 || H5Sget_simple_extent_dims(space, dim, NULL) < 0) item->rank = 0, item->kind = CW_H5_OTHER;
    for (int d = 0; d < item->rank; d++) {
        if (dim[d] >= (hsize_t)1 << 47) item->kind = CW_H5_OTHER;
        if (d < 3) item->dim[d] = (int64_t)dim[d];
    }
}

void cw_h5_set_describe(cw_h5_item *item, hid_t set)
{
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    describe(item, type, space);
    item->stored = (int64_t)H5Dget_storage_size(set);
    H5Tclose(type), H5Sclose(space);
}

cw_status cw_h5_look(cw_ctx *ctx, cw_h5_item *item, cw_h5 *h, const char *name)
{
    *item = (cw_h5_item){.kind = CW_H5_OTHER, .rank = -1, .dim = {1, 1, 1}};
    if (ctx->status != CW_OK) return ctx->status;
    int top = strcmp(name, "/") == 0;
    if (!top && !cw_h5_is_inside(h->file, name)) {
        H5Eclear2(H5E_DEFAULT);
        return cw_fail(ctx, CW_ERR_FORMAT, "has no %s", name);
    }
    hid_t id = H5Oopen(h->file, name, H5P_DEFAULT);
    if (id < 0) return cw_h5_fail(ctx, CW_ERR_FORMAT, "can't open", name);
    if (H5Iget_type(id) == H5I_GROUP) item->kind = CW_H5_GROUP;
    if (H5Iget_type(id) == H5I_DATASET) cw_h5_set_describe(item, id);
    H5Oclose(id);
    return ctx->status;
}

int cw_h5_has(cw_h5 *h, const char *name)
{
    int there = cw_h5_is_inside(h->file, name);
    H5Eclear2(H5E_DEFAULT);
    return there;
}

/* ---- names ------------------------------------------------------------------------------------------------------ */

static cw_status make_names(cw_ctx *ctx, cw_h5_names *out, int64_t n, const char *what)
{
    if (n < 0) return cw_h5_fail(ctx, CW_ERR_FORMAT, "can't list", what);
    if (n > MOST_NAMES) return cw_fail(ctx, CW_ERR_FORMAT, "%s holds %lld things", what, (long long)n);
    out->name = cw_calloc(ctx, n, sizeof *out->name);
    out->n = out->name ? n : 0;
    return ctx->status;
}

void cw_h5_names_free(cw_ctx *ctx, cw_h5_names *names)
{
    for (int64_t i = 0; i < names->n; i++) cw_free(ctx, names->name[i]);
    cw_free(ctx, names->name);
    *names = (cw_h5_names){0};
}

typedef ssize_t (*name_at)(hid_t id, hsize_t i, char *to, size_t size);

static ssize_t child_name(hid_t id, hsize_t i, char *to, size_t size)
{
    return H5Lget_name_by_idx(id, ".", H5_INDEX_NAME, H5_ITER_INC, i, to, size, H5P_DEFAULT);
}

static ssize_t attribute_name(hid_t id, hsize_t i, char *to, size_t size)
{
    return H5Aget_name_by_idx(id, ".", H5_INDEX_NAME, H5_ITER_INC, i, to, size, H5P_DEFAULT);
}

static void take_names(cw_ctx *ctx, cw_h5_names *out, hid_t id, name_at at, const char *what)
{
    char text[1024];
    for (int64_t i = 0; i < out->n && ctx->status == CW_OK; i++) {
        ssize_t length = at(id, (hsize_t)i, text, sizeof text);
        if (length < 0)
            cw_h5_fail(ctx, CW_ERR_FORMAT, "can't list", what);
        else if ((size_t)length >= sizeof text)
            cw_fail(ctx, CW_ERR_FORMAT, "%s holds a name of %lld bytes", what, (long long)length);
        else
            out->name[i] = cw_strdup(ctx, text);
    }
}

cw_status cw_h5_children(cw_ctx *ctx, cw_h5_names *out, cw_h5 *h, const char *name)
{
    cw_h5_item item;
    *out = (cw_h5_names){0};
    if (cw_h5_look(ctx, &item, h, name) != CW_OK) return ctx->status;
    if (item.kind != CW_H5_GROUP) return cw_fail(ctx, CW_ERR_FORMAT, "%s is no group", name);
    hid_t id = H5Gopen2(h->file, name, H5P_DEFAULT);
    H5G_info_t info = {0};
    int64_t n = id >= 0 && H5Gget_info(id, &info) >= 0 ? (int64_t)(info.nlinks & INT64_MAX) : -1;
    if (make_names(ctx, out, n, name) == CW_OK) take_names(ctx, out, id, child_name, name);
    if (id >= 0) H5Gclose(id);
    return ctx->status;
}

cw_status cw_h5_attributes(cw_ctx *ctx, cw_h5_names *out, cw_h5 *h, const char *name)
{
    cw_h5_item item;
    *out = (cw_h5_names){0};
    if (cw_h5_look(ctx, &item, h, name) != CW_OK) return ctx->status;
    hid_t id = H5Oopen(h->file, name, H5P_DEFAULT);
    H5O_info_t info = {0};
#if H5_VERSION_GE(1, 12, 0)
    int found = id >= 0 && H5Oget_info(id, &info, H5O_INFO_NUM_ATTRS) >= 0;
#else
    int found = id >= 0 && H5Oget_info(id, &info) >= 0;
#endif
    if (make_names(ctx, out, found ? (int64_t)(info.num_attrs & INT64_MAX) : -1, name) == CW_OK)
        take_names(ctx, out, id, attribute_name, name);
    if (id >= 0) H5Oclose(id);
    return ctx->status;
}

cw_status cw_h5_members(cw_ctx *ctx, cw_h5_names *out, cw_h5 *h, const char *name)
{
    *out = (cw_h5_names){0};
    hid_t set = cw_h5_set_open(ctx, h, name);
    if (set < 0) return ctx->status;
    hid_t type = H5Dget_type(set);
    int n = H5Tget_class(type) == H5T_COMPOUND ? H5Tget_nmembers(type) : 0;
    if (make_names(ctx, out, n, name) == CW_OK)
        for (int i = 0; i < n && ctx->status == CW_OK; i++) {
            char *text = H5Tget_member_name(type, (unsigned)i);
            out->name[i] = cw_strdup(ctx, text ? text : "");
            H5free_memory(text);
        }
    H5Tclose(type), H5Dclose(set);
    return ctx->status;
}

/* ---- values ----------------------------------------------------------------------------------------------------- */

void cw_h5_values_free(cw_ctx *ctx, cw_h5_values *v)
{
    cw_free(ctx, v->number), cw_free(ctx, v->start), cw_free(ctx, v->bytes);
    *v = (cw_h5_values){0};
}

static void append_text(cw_ctx *ctx, cw_h5_values *v, int64_t i, const char *text, size_t length)
{
    int64_t at = v->start[i], need = at + (int64_t)length;
    if (need > v->room) {
        int64_t room = need + need / 2 + 256;
        char *more = cw_alloc(ctx, room, 1);
        if (!more) return;
        if (at) memcpy(more, v->bytes, (size_t)at);
        cw_free(ctx, v->bytes);
        v->bytes = more, v->room = room;
    }
    if (length) memcpy(v->bytes + at, text, length);
    v->start[i + 1] = need;
}

/* Texts as the library gives them: pointers, or `width` bytes each. */
static void append_texts(cw_ctx *ctx, cw_h5_values *v, int64_t first, int64_t n, const char *raw, size_t width,
                         int variable, int blanks)
{
    for (int64_t i = 0; i < n && ctx->status == CW_OK; i++) {
        const char *text = raw + (size_t)i * width;
        size_t length;
        if (variable) {
            memcpy(&text, raw + (size_t)i * width, sizeof text);
            length = text ? strlen(text) : 0;
        } else {
            const char *end = memchr(text, 0, width);
            length = end ? (size_t)(end - text) : width;
            while (blanks && length > 0 && text[length - 1] == ' ') length--;
        }
        append_text(ctx, v, first + i, text, length);
    }
}

/* The type in memory for text in the file; to be closed by the caller. */
static hid_t text_type(hid_t file, int *variable, int *blanks)
{
    *variable = H5Tis_variable_str(file) > 0;
    *blanks = !*variable && H5Tget_strpad(file) == H5T_STR_SPACEPAD;
    return H5Tcopy(file);
}

/* The type that reads one member of a record alone. */
static hid_t member_of(hid_t memory, const char *member)
{
    hid_t record = H5Tcreate(H5T_COMPOUND, H5Tget_size(memory));
    if (record >= 0 && H5Tinsert(record, member, 0, memory) < 0) H5Tclose(record), record = -1;
    return record;
}

typedef struct column {
    hid_t set, file, memory; /* the table; types of a value in file and memory (of the record when it's a member) */
    int64_t rows, across;    /* values a row, each `width` bytes in memory */
    size_t width;
    int rank, variable, blanks;
    int64_t dim1;
} column;

static herr_t read_rows(const column *c, void *to, int64_t first, int64_t n)
{
    hid_t space = H5Dget_space(c->set), here = -1;
    herr_t status = 0;
    if (c->rank > 0) {
        hsize_t from[2] = {(hsize_t)first, 0}, count[2] = {(hsize_t)n, (hsize_t)c->dim1};
        here = H5Screate_simple(c->rank, count, NULL);
        status = H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, count, NULL);
    }
    if (status >= 0)
        status = H5Dread(c->set, c->memory, here >= 0 ? here : H5S_ALL, here >= 0 ? space : H5S_ALL, H5P_DEFAULT, to);
    if (here >= 0) H5Sclose(here);
    H5Sclose(space);
    return status;
}

static void read_texts(cw_ctx *ctx, cw_h5_values *out, const column *c, const char *name)
{
    int64_t total = c->rows * c->across, step = BLOCK / (c->across < 1 ? 1 : c->across);
    if (step < 1) step = 1;
    while (step > 1 && (double)step * (double)c->across * (double)c->width > 0x1p26) step /= 2;
    char *raw = cw_calloc(ctx, step * c->across, c->width);
    out->start = cw_calloc(ctx, total + 1, sizeof *out->start);
    for (int64_t at = 0, n; at < c->rows && ctx->status == CW_OK; at += n) {
        n = c->rows - at < step ? c->rows - at : step;
        memset(raw, 0, (size_t)(n * c->across) * c->width);
        if (read_rows(c, raw, at, n) < 0) {
            cw_h5_fail(ctx, CW_ERR_FORMAT, "can't read", name);
            break;
        }
        append_texts(ctx, out, at * c->across, n * c->across, raw, c->width, c->variable, c->blanks);
        if (c->variable) {
            hsize_t count = (hsize_t)(n * c->across);
            hid_t space = H5Screate_simple(1, &count, NULL);
            H5Dvlen_reclaim(c->memory, space, H5P_DEFAULT, raw);
            H5Sclose(space);
        }
        cw_poll(ctx);
    }
    cw_free(ctx, raw);
}

static void read_numbers(cw_ctx *ctx, cw_h5_values *out, const column *c, const char *name)
{
    int64_t total = c->rows * c->across;
    out->number = cw_calloc(ctx, total, sizeof *out->number);
    if (!out->number || total == 0) return;
    int64_t step = ((int64_t)1 << 22) / c->across;
    if (step < 1) step = 1;
    int8_t *flag = out->kind == CW_H5_FLAGS ? cw_alloc(ctx, step * c->across, 1) : NULL;
    for (int64_t at = 0, n; at < c->rows && ctx->status == CW_OK; at += n) {
        n = c->rows - at < step ? c->rows - at : step;
        double *to = out->number + at * c->across;
        if (read_rows(c, flag ? (void *)flag : (void *)to, at, n) < 0)
            cw_h5_fail(ctx, CW_ERR_FORMAT, "can't read", name);
        for (int64_t i = 0; flag && ctx->status == CW_OK && i < n * c->across; i++) to[i] = flag[i] != 0;
        cw_poll(ctx);
    }
    cw_free(ctx, flag);
}

/* The value's type in the file, of a member where one is asked for; -1: there is no such member. */
static hid_t value_type(hid_t set, const char *member)
{
    hid_t type = H5Dget_type(set);
    if (!member) return type;
    int i = H5Tget_class(type) == H5T_COMPOUND ? H5Tget_member_index(type, member) : -1;
    hid_t inner = i >= 0 ? H5Tget_member_type(type, (unsigned)i) : -1;
    H5Tclose(type);
    return inner;
}

/* Takes an array of numbers in each record apart: its base type, and how many there are. */
static hid_t open_array(hid_t type, int64_t *across)
{
    *across = 1;
    if (H5Tget_class(type) != H5T_ARRAY) return type;
    hsize_t dim[32] = {0};
    int rank = H5Tget_array_ndims(type);
    if (rank < 1 || rank > 32 || H5Tget_array_dims2(type, dim) < 0) return type;
    double n = 1;
    for (int d = 0; d < rank; d++) n *= (double)dim[d];
    if (n > 1 << 24) return type;
    *across = (int64_t)n;
    hid_t base = H5Tget_super(type);
    H5Tclose(type);
    return base;
}

static hid_t memory_type(cw_h5_kind kind, hid_t file, column *c)
{
    if (kind == CW_H5_STRINGS) return text_type(file, &c->variable, &c->blanks);
    return kind == CW_H5_FLAGS ? H5Tcopy(file) : H5Tcopy(H5T_NATIVE_DOUBLE);
}

/* Sets up a column; 0 when it can't be read, with the error recorded or out->kind CW_H5_OTHER. */
static int set_up(cw_ctx *ctx, cw_h5_values *out, column *c, cw_h5 *h, const char *name, const char *member)
{
    cw_h5_item item;
    cw_h5_set_describe(&item, c->set);
    c->file = value_type(c->set, member);
    if (c->file < 0) return cw_fail(ctx, CW_ERR_FORMAT, "%s has no member %s", name, member ? member : ""), 0;
    if (member) c->file = open_array(c->file, &c->across);
    out->kind = kind_of(c->file, &out->whole);
    if (out->kind == CW_H5_RECORDS || out->kind == CW_H5_OTHER || item.rank > (member ? 1 : 2))
        return cw_fail(ctx, CW_ERR_FORMAT, "%s is of a kind that isn't read here", name), 0;
    hid_t one = memory_type(out->kind, c->file, c);
    c->width = H5Tget_size(one);
    hsize_t many = (hsize_t)c->across;
    if (c->across != 1) {
        hid_t array = H5Tarray_create2(one, 1, &many);
        H5Tclose(one), one = array;
    }
    c->memory = member ? member_of(one, member) : H5Tcopy(one);
    H5Tclose(one);
    c->rank = item.rank, c->rows = item.rank < 0 ? 0 : item.dim[0], c->dim1 = item.dim[1];
    if (item.rank == 2) c->across *= item.dim[1];
    double bytes = (double)c->rows * (double)c->across * (double)H5Tget_size(c->file);
    if (bytes > (double)MOST_EXPANSION * (double)(h->bytes + 4096))
        return cw_fail(ctx, CW_ERR_FORMAT, "%s claims %.3g bytes, in a file of %lld", name, bytes, (long long)h->bytes),
               0;
    return c->memory >= 0;
}

cw_status cw_h5_values_read(cw_ctx *ctx, cw_h5_values *out, cw_h5 *h, const char *name, const char *member)
{
    *out = (cw_h5_values){.kind = CW_H5_OTHER};
    column c = {.set = cw_h5_set_open(ctx, h, name), .file = -1, .memory = -1, .across = 1};
    if (c.set < 0) return ctx->status;
    if (set_up(ctx, out, &c, h, name, member)) {
        if (out->kind == CW_H5_STRINGS)
            read_texts(ctx, out, &c, name);
        else
            read_numbers(ctx, out, &c, name);
        out->n = ctx->status == CW_OK ? c.rows * c.across : 0;
    }
    if (c.memory >= 0) H5Tclose(c.memory);
    if (c.file >= 0) H5Tclose(c.file);
    H5Dclose(c.set);
    if (ctx->status != CW_OK) cw_h5_values_free(ctx, out);
    return ctx->status;
}

/* ---- attributes ------------------------------------------------------------------------------------------------- */

static void attribute_values(cw_ctx *ctx, cw_h5_values *out, hid_t a, hid_t type, int64_t n, const char *name)
{
    column c = {0};
    hid_t memory = memory_type(out->kind, type, &c);
    size_t width = H5Tget_size(memory);
    char *raw = cw_calloc(ctx, n, width);
    if (raw && n > 0 && H5Aread(a, memory, raw) < 0) cw_h5_fail(ctx, CW_ERR_FORMAT, "can't read attribute", name);
    if (ctx->status == CW_OK && out->kind == CW_H5_STRINGS) {
        out->start = cw_calloc(ctx, n + 1, sizeof *out->start);
        append_texts(ctx, out, 0, n, raw, width, c.variable, c.blanks);
        hid_t space = H5Aget_space(a);
        if (c.variable) H5Dvlen_reclaim(memory, space, H5P_DEFAULT, raw);
        H5Sclose(space);
    } else if (ctx->status == CW_OK) {
        out->number = cw_calloc(ctx, n, sizeof *out->number);
        for (int64_t i = 0; out->number && i < n; i++)
            if (out->kind == CW_H5_FLAGS)
                out->number[i] = raw[i] != 0;
            else
                memcpy(out->number + i, raw + (size_t)i * width, sizeof(double));
    }
    cw_free(ctx, raw);
    H5Tclose(memory);
    out->n = ctx->status == CW_OK ? n : 0;
}

cw_status cw_h5_attribute(cw_ctx *ctx, cw_h5_values *out, cw_h5 *h, const char *name, const char *attribute)
{
    cw_h5_item item;
    *out = (cw_h5_values){.kind = CW_H5_OTHER};
    if (cw_h5_look(ctx, &item, h, name) != CW_OK) return ctx->status;
    hid_t a = H5Aopen_by_name(h->file, name, attribute, H5P_DEFAULT, H5P_DEFAULT);
    if (a < 0) return cw_h5_fail(ctx, CW_ERR_FORMAT, "can't open attribute", attribute);
    hid_t type = H5Aget_type(a), space = H5Aget_space(a);
    describe(&item, type, space);
    hssize_t n = item.rank < 0 ? 0 : H5Sget_simple_extent_npoints(space);
    out->kind = kind_of(type, &out->whole);
    if (out->kind == CW_H5_RECORDS) out->kind = CW_H5_OTHER;
    if (out->kind != CW_H5_OTHER && n >= 0 && (double)n * (double)item.width <= (double)h->bytes + 4096)
        attribute_values(ctx, out, a, type, (int64_t)n, attribute);
    H5Tclose(type), H5Sclose(space), H5Aclose(a);
    if (ctx->status != CW_OK) cw_h5_values_free(ctx, out);
    return ctx->status;
}

#else /* ---- without HDF5: no file is ever open ----------------------------------------------------------------- */

void cw_h5_plugins(const char *folder) { (void)folder; }
cw_status cw_h5_look(cw_ctx *ctx, cw_h5_item *item, cw_h5 *h, const char *name)
{
    return (void)item, (void)h, (void)name, ctx->status;
}
int cw_h5_has(cw_h5 *h, const char *name) { return (void)h, (void)name, 0; }
cw_status cw_h5_children(cw_ctx *ctx, cw_h5_names *out, cw_h5 *h, const char *name)
{
    return (void)h, (void)name, *out = (cw_h5_names){0}, ctx->status;
}
cw_status cw_h5_attributes(cw_ctx *ctx, cw_h5_names *out, cw_h5 *h, const char *name)
{
    return (void)h, (void)name, *out = (cw_h5_names){0}, ctx->status;
}
cw_status cw_h5_members(cw_ctx *ctx, cw_h5_names *out, cw_h5 *h, const char *name)
{
    return (void)h, (void)name, *out = (cw_h5_names){0}, ctx->status;
}
void cw_h5_names_free(cw_ctx *ctx, cw_h5_names *names) { (void)ctx, (void)names; }
cw_status cw_h5_attribute(cw_ctx *ctx, cw_h5_values *out, cw_h5 *h, const char *name, const char *attribute)
{
    return (void)h, (void)name, (void)attribute, *out = (cw_h5_values){0}, ctx->status;
}
cw_status cw_h5_values_read(cw_ctx *ctx, cw_h5_values *out, cw_h5 *h, const char *name, const char *member)
{
    return (void)h, (void)name, (void)member, *out = (cw_h5_values){0}, ctx->status;
}
void cw_h5_values_free(cw_ctx *ctx, cw_h5_values *v) { (void)ctx, (void)v; }
#endif
