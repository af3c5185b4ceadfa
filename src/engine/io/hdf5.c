/* hdf5.c: see hdf5.h. */
#include "hdf5_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ---- disk space ------------------------------------------------------------------------------------------------- */

double cw_disk_free(const char *path)
{
    struct statvfs s;
    return statvfs(path, &s) == 0 ? (double)s.f_bavail * (double)s.f_frsize : -1.0;
}

cw_status cw_file_reserve(cw_ctx *ctx, const char *path)
{
    if (ctx->status != CW_OK) return ctx->status;
    struct stat info;
    int fd = open(path, O_RDWR);
    if (fd < 0 || fstat(fd, &info) != 0) cw_fail(ctx, CW_ERR_IO, "%s: %s", path, strerror(errno));
        /* macOS has no posix_fallocate; there a full disk shows when it is written to */
#if !defined(__APPLE__)
    int why = ctx->status == CW_OK && info.st_size > 0 ? posix_fallocate(fd, 0, info.st_size) : 0;
    if (why == ENOSPC || why == EDQUOT || why == EFBIG || why == EIO)
        cw_fail(ctx, CW_ERR_IO, "%.3g bytes: %s", (double)info.st_size, strerror(why));
#endif
    if (fd >= 0) close(fd);
    return ctx->status;
}

#ifdef CW_HAVE_HDF5

const char *cw_hdf5_version(void)
{
    static char text[40];
    unsigned major = 0, minor = 0, release = 0;
    if (H5get_libversion(&major, &minor, &release) < 0) return "";
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    return text;
}

/* ---- errors ----------------------------------------------------------------------------------------------------- */

typedef struct reason {
    char text[200]; /* the innermost description on the library's error stack, or what it quotes of the system's words */
    int locked;     /* another program has the file open */
} reason;

static herr_t keep_reason(unsigned n, const H5E_error2_t *e, void *to)
{
    static const char mark[] = "error message = '";
    reason *why = to;
    char again[40];
    if (!e->desc) return 0;
    snprintf(again, sizeof again, "errno = %d,", EWOULDBLOCK);
    if (strstr(e->desc, "unable to lock") && strstr(e->desc, again)) why->locked = 1;
    if (n > 0) return 0;
    const char *quoted = strstr(e->desc, mark);
    const char *from = quoted ? quoted + sizeof mark - 1 : e->desc;
    snprintf(why->text, sizeof why->text, "%.*s", (int)strcspn(from, quoted ? "'\n" : "\n"), from);
    return 0;
}

cw_status cw_h5_fail(cw_ctx *ctx, cw_status status, const char *what, const char *name)
{
    reason why = {.text = "no reason given"};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_reason, &why);
    H5Eclear2(H5E_DEFAULT);
    if (why.locked) return cw_fail(ctx, CW_ERR_BUSY, "another program has it open");
    return cw_fail(ctx, status, "%s %s: %s", what, name, why.text);
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static cw_h5 *start(cw_ctx *ctx)
{
    cw_h5 *h = cw_calloc(ctx, 1, sizeof *h);
    if (!h) return NULL;
    h->ctx = ctx;
    h->file = -1;
    H5dont_atexit(); /* it falls over files whose disk was full when they were closed; heeded before its first call only */
    H5Eget_auto2(H5E_DEFAULT, &h->report, &h->report_data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return h;
}

static cw_h5 *give_up(cw_ctx *ctx, cw_h5 *h)
{
    cw_h5_close(ctx, h);
    return NULL;
}

/* How files are opened: to be closed by the caller. */
static hid_t access_list(void)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18);
#if H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 11, 0) || H5_VERSION_GE(1, 12, 1)
    H5Pset_file_locking(access, 1, 1); /* file systems without locks are used without */
#endif
    return access;
}

cw_h5 *cw_h5_create(cw_ctx *ctx, const char *path)
{
    cw_h5 *h = ctx->status == CW_OK ? start(ctx) : NULL;
    if (!h) return NULL;
    hid_t access = access_list();
    h->file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    if (h->file < 0) cw_h5_fail(ctx, CW_ERR_IO, "can't create", path);
    H5Pclose(access);
    return h->file >= 0 ? h : give_up(ctx, h);
}

cw_h5 *cw_h5_open(cw_ctx *ctx, const char *path, int write)
{
    struct stat info;
    cw_h5 *h = ctx->status == CW_OK ? start(ctx) : NULL;
    if (!h) return NULL;
    if (stat(path, &info) != 0) {
        cw_fail(ctx, CW_ERR_IO, "%s: %s", path, strerror(errno));
        return give_up(ctx, h);
    }
    h->bytes = (int64_t)info.st_size;
    hid_t access = access_list();
    h->file = H5Fopen(path, write ? H5F_ACC_RDWR : H5F_ACC_RDONLY, access);
    if (h->file < 0) cw_h5_fail(ctx, CW_ERR_FORMAT, "can't read as HDF5", path);
    H5Pclose(access);
    return h->file >= 0 ? h : give_up(ctx, h);
}

cw_status cw_h5_close(cw_ctx *ctx, cw_h5 *h)
{
    if (!h) return ctx->status;
    if (h->file >= 0 && H5Fclose(h->file) < 0) cw_h5_fail(ctx, CW_ERR_IO, "closing", "the file");
    H5Eset_auto2(H5E_DEFAULT, h->report, h->report_data);
    cw_free(ctx, h);
    return ctx->status;
}

/* ---- tables ----------------------------------------------------------------------------------------------------- */

/* The type in the file; to be closed by the caller. */
static hid_t file_type(cw_h5_type type, int64_t width)
{
    switch (type) {
    case CW_H5_U16:
        return H5Tcopy(H5T_STD_U16LE);
    case CW_H5_I32:
        return H5Tcopy(H5T_STD_I32LE);
    case CW_H5_F32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case CW_H5_F64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case CW_H5_TEXT:
        break;
    }
    hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, (size_t)width);
    H5Tset_strpad(t, H5T_STR_NULLPAD);
    H5Tset_cset(t, H5T_CSET_UTF8);
    return t;
}

static hid_t memory_type(cw_h5_type type, int64_t width)
{
    switch (type) {
    case CW_H5_U16:
        return H5Tcopy(H5T_NATIVE_UINT16);
    case CW_H5_I32:
        return H5Tcopy(H5T_NATIVE_INT32);
    case CW_H5_F32:
        return H5Tcopy(H5T_NATIVE_FLOAT);
    case CW_H5_F64:
        return H5Tcopy(H5T_NATIVE_DOUBLE);
    case CW_H5_TEXT:
        break;
    }
    return file_type(type, width);
}

cw_status cw_h5_make(cw_ctx *ctx, cw_h5 *h, const char *name, const cw_h5_shape *shape)
{
    if (ctx->status != CW_OK) return ctx->status;
    hsize_t dim[3] = {1, 1, 1};
    for (int d = 0; d < shape->rank; d++) dim[d] = (hsize_t)shape->dim[d];
    hid_t type = file_type(shape->type, shape->width), space = H5Screate_simple(shape->rank, dim, NULL);
    hid_t create = H5Pcreate(H5P_DATASET_CREATE), links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    H5Pset_alloc_time(create, H5D_ALLOC_TIME_EARLY);
    H5Pset_fill_time(create, H5D_FILL_TIME_NEVER);
    hid_t set = H5Dcreate2(h->file, name, type, space, links, create, H5P_DEFAULT);
    if (set < 0)
        cw_h5_fail(ctx, CW_ERR_IO, "can't make the table", name);
    else if (H5Dclose(set) < 0)
        cw_h5_fail(ctx, CW_ERR_IO, "can't make the table", name);
    H5Pclose(links), H5Pclose(create), H5Sclose(space), H5Tclose(type);
    return ctx->status;
}

/* Every step of the path must be a link within the file. */
int cw_h5_is_inside(hid_t file, const char *name)
{
    char path[1024];
    if (strlen(name) >= sizeof path) return 0;
    for (size_t i = 1; i <= strlen(name); i++) {
        if (name[i] != '/' && name[i] != '\0') continue;
        H5L_info_t link;
        memcpy(path, name, i);
        path[i] = '\0';
        if (H5Lexists(file, path, H5P_DEFAULT) <= 0 || H5Lget_info(file, path, &link, H5P_DEFAULT) < 0 ||
            link.type != H5L_TYPE_HARD)
            return 0;
    }
    return 1;
}

/* Plain storage in this file: no filters, no other files behind it. */
static int is_plain(hid_t set)
{
    hid_t p = H5Dget_create_plist(set);
    H5D_layout_t layout = H5Pget_layout(p);
    int plain = (layout == H5D_CONTIGUOUS || layout == H5D_CHUNKED || layout == H5D_COMPACT) &&
                H5Pget_nfilters(p) == 0 && (layout != H5D_CONTIGUOUS || H5Pget_external_count(p) == 0);
    H5Pclose(p);
    return plain;
}

static int type_of(cw_h5_shape *shape, hid_t type)
{
    shape->width = (int64_t)H5Tget_size(type);
    for (int t = CW_H5_U16; t <= CW_H5_F64; t++) {
        hid_t known = file_type((cw_h5_type)t, 0);
        int equal = H5Tequal(type, known) > 0;
        H5Tclose(known);
        shape->type = (cw_h5_type)t;
        if (equal) return 1;
    }
    shape->type = CW_H5_TEXT;
    return H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 &&
           H5Tget_strpad(type) == H5T_STR_NULLPAD && shape->width >= 1 && shape->width <= 1 << 30;
}

/* The table, open, and its shape, if it is one that can be read here; -1 otherwise. */
static hid_t open_table(cw_h5_shape *shape, cw_h5 *h, const char *name)
{
    if (!cw_h5_is_inside(h->file, name)) return -1;
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS);
    H5Pset_chunk_cache(access, 0, 0, 0); /* rows go straight to the file, and so do errors */
    hid_t set = H5Dopen2(h->file, name, access);
    H5Pclose(access);
    if (set < 0) return -1;
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    hsize_t dim[3] = {1, 1, 1};
    shape->rank = H5Sget_simple_extent_ndims(space);
    int good = is_plain(set) && type_of(shape, type) && shape->rank >= 1 && shape->rank <= 3 &&
               H5Sget_simple_extent_dims(space, dim, NULL) == shape->rank &&
               (shape->type != CW_H5_TEXT || shape->rank == 1);
    double bytes = (double)shape->width;
    for (int d = 0; good && d < 3; d++) {
        good = dim[d] < (hsize_t)1 << 47;
        shape->dim[d] = (int64_t)dim[d];
        bytes *= (double)dim[d];
    }
    good = good && bytes <= (h->bytes > 0 ? (double)h->bytes : 0x1p62);
    shape->row_bytes = good ? shape->width * shape->dim[1] * shape->dim[2] : 0;
    H5Sclose(space), H5Tclose(type);
    if (good) return set;
    H5Dclose(set);
    return -1;
}

int cw_h5_find(cw_h5_shape *shape, cw_h5 *h, const char *name)
{
    hid_t set = open_table(shape, h, name);
    if (set < 0) H5Eclear2(H5E_DEFAULT);
    return set >= 0 && H5Dclose(set) >= 0;
}

typedef enum direction { READ, WRITE } direction;

/* n rows from `first` on of an open table. Errors are told at once: the library forgets them at its next call. */
static void move_rows(cw_ctx *ctx, const char *name, hid_t set, const cw_h5_shape *shape, void *rows, hid_t type,
                      int64_t first, int64_t n, direction way)
{
    hsize_t from[3] = {(hsize_t)first, 0, 0};
    hsize_t count[3] = {(hsize_t)n, (hsize_t)shape->dim[1], (hsize_t)shape->dim[2]};
    hid_t space = H5Dget_space(set), memory = H5Screate_simple(shape->rank, count, NULL);
    herr_t status = H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, count, NULL);
    if (status >= 0 && way == READ) status = H5Dread(set, type, memory, space, H5P_DEFAULT, rows);
    if (status >= 0 && way == WRITE) status = H5Dwrite(set, type, memory, space, H5P_DEFAULT, rows);
    if (status < 0) cw_h5_fail(ctx, CW_ERR_IO, way == READ ? "reading table" : "writing table", name);
    H5Sclose(memory), H5Sclose(space);
}

/* row NULL: rows first .. first + n - 1 */
static cw_status move_all(cw_ctx *ctx, void *rows, cw_h5 *h, const char *name, cw_h5_type type, const int32_t *row,
                          int64_t first, int64_t n, direction way)
{
    if (ctx->status != CW_OK) return ctx->status;
    cw_h5_shape shape;
    hid_t set = open_table(&shape, h, name);
    if (set < 0) return cw_fail(ctx, CW_ERR_FORMAT, "has no table %s that can be read here", name);
    if (shape.type != type) cw_fail(ctx, CW_ERR_FORMAT, "table %s holds another type of number", name);
    int64_t rows_there = shape.dim[0];
    if (!row && (first < 0 || n < 0 || first > rows_there - n))
        cw_fail(ctx, CW_ERR_FORMAT, "table %s has %lld rows; %lld from row %lld were asked for", name,
                (long long)rows_there, (long long)n, (long long)first);
    hid_t memory = memory_type(shape.type, shape.width);
    for (int64_t at = 0, run; at < n && ctx->status == CW_OK; at += run) {
        int64_t from = row ? row[at] : first;
        for (run = row ? 1 : n; row && at + run < n && row[at + run] == from + run;) run++;
        if (from < 0 || from + run > rows_there)
            cw_fail(ctx, CW_ERR_FORMAT, "table %s has %lld rows, not row %lld", name, (long long)rows_there,
                    (long long)(from + run - 1));
        else
            move_rows(ctx, name, set, &shape, (char *)rows + at * shape.row_bytes, memory, from, run, way);
        cw_poll(ctx);
    }
    H5Tclose(memory);
    if (H5Dclose(set) < 0) cw_h5_fail(ctx, CW_ERR_IO, "closing table", name);
    return ctx->status;
}

cw_status cw_h5_read(cw_ctx *ctx, void *rows, cw_h5 *h, const char *name, cw_h5_type type, int64_t first, int64_t n)
{
    return move_all(ctx, rows, h, name, type, NULL, first, n, READ);
}

cw_status cw_h5_write(cw_ctx *ctx, cw_h5 *h, const char *name, const void *rows, cw_h5_type type, int64_t first,
                      int64_t n)
{
    return move_all(ctx, (void *)(uintptr_t)rows, h, name, type, NULL, first, n, WRITE);
}

cw_status cw_h5_gather(cw_ctx *ctx, void *rows, cw_h5 *h, const char *name, cw_h5_type type, const int32_t *row,
                       int64_t n)
{
    return move_all(ctx, rows, h, name, type, row, 0, n, READ);
}

cw_status cw_h5_expect(cw_ctx *ctx, cw_h5 *h, const char *name, const char *text)
{
    cw_h5_shape shape;
    char said[256] = "";
    if (ctx->status != CW_OK) return ctx->status;
    int same = cw_h5_find(&shape, h, name) && shape.type == CW_H5_TEXT && shape.dim[0] == 1 &&
               shape.width < (int64_t)sizeof said;
    if (same) cw_h5_read(ctx, said, h, name, CW_H5_TEXT, 0, 1);
    if (ctx->status == CW_OK && (!same || strcmp(said, text) != 0))
        cw_fail(ctx, CW_ERR_STATE, "was written anew by another process");
    return ctx->status;
}

#else /* ---- without HDF5 -----------------------------------------------------------------------------------------   \
       */

const char *cw_hdf5_version(void) { return ""; }

static cw_status none(cw_ctx *ctx)
{
    return cw_fail(ctx, CW_ERR_STATE,
                   "causeway was built without HDF5: install Rhdf5lib or libhdf5 and build it again");
}

cw_h5 *cw_h5_create(cw_ctx *ctx, const char *path) { return (void)path, (void)none(ctx), NULL; }
cw_h5 *cw_h5_open(cw_ctx *ctx, const char *path, int write) { return (void)path, (void)write, (void)none(ctx), NULL; }
cw_status cw_h5_close(cw_ctx *ctx, cw_h5 *h) { return (void)h, ctx->status; }
cw_status cw_h5_make(cw_ctx *ctx, cw_h5 *h, const char *name, const cw_h5_shape *shape)
{
    return (void)h, (void)name, (void)shape, none(ctx);
}
cw_status cw_h5_expect(cw_ctx *ctx, cw_h5 *h, const char *name, const char *text)
{
    return (void)h, (void)name, (void)text, none(ctx);
}
int cw_h5_find(cw_h5_shape *shape, cw_h5 *h, const char *name) { return (void)shape, (void)h, (void)name, 0; }
cw_status cw_h5_read(cw_ctx *ctx, void *rows, cw_h5 *h, const char *name, cw_h5_type type, int64_t first, int64_t n)
{
    return (void)rows, (void)h, (void)name, (void)type, (void)first, (void)n, none(ctx);
}
cw_status cw_h5_write(cw_ctx *ctx, cw_h5 *h, const char *name, const void *rows, cw_h5_type type, int64_t first,
                      int64_t n)
{
    return (void)rows, (void)h, (void)name, (void)type, (void)first, (void)n, none(ctx);
}
cw_status cw_h5_gather(cw_ctx *ctx, void *rows, cw_h5 *h, const char *name, cw_h5_type type, const int32_t *row,
                       int64_t n)
{
    return (void)rows, (void)h, (void)name, (void)type, (void)row, (void)n, none(ctx);
}
#endif
