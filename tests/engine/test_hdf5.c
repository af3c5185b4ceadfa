/* test_hdf5.c: tables written and read back; what must be refused. */
#include "test.h"

#include "io/hdf5.h"

#ifdef CW_HAVE_HDF5
#include <fcntl.h>
#include <hdf5.h>
#include <sys/file.h>
#include <unistd.h>

static char path[64];

static void round_trip(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    enum { ROWS = 7, K = 3 };
    uint16_t index[ROWS][2][K], got[ROWS][2][K];
    double value[5] = {1.5, -2, 0, 1e300, 7}, back[5];
    char text[3][4] = {"a", "bcde", {(char)0xc3, (char)0xa9, 0, 0}}, said[3][4];
    for (int e = 0; e < ROWS * 2 * K; e++) (&index[0][0][0])[e] = (uint16_t)(e * 1009);
    cw_h5_shape wide = {.type = CW_H5_U16, .rank = 3, .dim = {ROWS, 2, K}};
    cw_h5_shape flat = {.type = CW_H5_F64, .rank = 1, .dim = {5}};
    cw_h5_shape none = {.type = CW_H5_I32, .rank = 1, .dim = {0}};
    cw_h5_shape words = {.type = CW_H5_TEXT, .width = 4, .rank = 1, .dim = {3}};
    unlink(path);
    cw_h5 *h = cw_h5_create(ctx, path);
    cw_h5_make(ctx, h, "u/index", &wide);
    cw_h5_make(ctx, h, "value", &flat);
    cw_h5_make(ctx, h, "none", &none);
    cw_h5_make(ctx, h, "a/b/words", &words);
    CHECK(cw_h5_close(ctx, h) == CW_OK, "%s", ctx->text);
    CHECK(cw_file_reserve(ctx, path) == CW_OK, "%s", ctx->text);
    h = cw_h5_open(ctx, path, 1);
    cw_h5_write(ctx, h, "u/index", index[0], CW_H5_U16, 0, 5);
    cw_h5_write(ctx, h, "u/index", index[5], CW_H5_U16, 5, 2);
    cw_h5_write(ctx, h, "value", value, CW_H5_F64, 0, 5);
    cw_h5_write(ctx, h, "a/b/words", text, CW_H5_TEXT, 0, 3);
    CHECK(cw_h5_close(ctx, h) == CW_OK, "%s", ctx->text);
    h = cw_h5_open(ctx, path, 0);
    cw_h5_shape shape;
    CHECK(cw_h5_find(&shape, h, "u/index") && shape.rank == 3 && shape.dim[0] == ROWS && shape.dim[2] == K &&
              shape.row_bytes == 12 && shape.type == CW_H5_U16,
          "shape");
    CHECK(cw_h5_find(&shape, h, "none") && shape.dim[0] == 0, "an empty table");
    CHECK(!cw_h5_find(&shape, h, "nothing") && !cw_h5_find(&shape, h, "a/b") && !cw_h5_find(&shape, h, "value/x"),
          "what isn't there");
    cw_h5_read(ctx, got, h, "u/index", CW_H5_U16, 1, 6);
    CHECK(ctx->status == CW_OK && memcmp(got, index[1], 6 * 12) == 0, "rows: %s", ctx->text);
    int32_t row[] = {6, 0, 1, 2, 0};
    cw_h5_gather(ctx, got, h, "u/index", CW_H5_U16, row, 5);
    int same = ctx->status == CW_OK;
    for (int r = 0; r < 5; r++) same = same && memcmp(got[r], index[row[r]], 12) == 0;
    CHECK(same, "gathered rows: %s", ctx->text);
    cw_h5_read(ctx, back, h, "value", CW_H5_F64, 0, 5);
    cw_h5_read(ctx, said, h, "a/b/words", CW_H5_TEXT, 0, 3);
    cw_h5_read(ctx, back, h, "none", CW_H5_I32, 0, 0);
    CHECK(ctx->status == CW_OK && memcmp(back, value, sizeof value) == 0 && memcmp(said, text, sizeof text) == 0, "%s",
          ctx->text);
    CHECK(cw_h5_read(ctx, got, h, "u/index", CW_H5_U16, 2, 6) == CW_ERR_FORMAT, "too many rows");
    cw_ctx_clear(ctx);
    CHECK(cw_h5_read(ctx, got, h, "u/index", CW_H5_I32, 0, 1) == CW_ERR_FORMAT, "another type");
    cw_ctx_clear(ctx);
    row[1] = 7;
    CHECK(cw_h5_gather(ctx, got, h, "u/index", CW_H5_U16, row, 5) == CW_ERR_FORMAT, "a row that isn't there");
    cw_ctx_clear(ctx);
    CHECK(cw_h5_write(ctx, h, "value", value, CW_H5_F64, 0, 5) == CW_ERR_IO, "writing into what was opened to read");
    cw_ctx_clear(ctx);
    CHECK(cw_h5_close(ctx, h) == CW_OK, "%s", ctx->text);
    CHECK(!cw_h5_create(ctx, "/nowhere/x.h5") && ctx->status == CW_ERR_IO, "a folder that isn't there");
    cw_ctx_clear(ctx);
    CHECK(cw_disk_free("/tmp") > 0 && cw_disk_free("/nowhere") < 0, "disk space");
    CHECK(ctx->memory.bytes == 0, "%lld bytes kept", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

/* Who comes while another has the file open is told so; a file's texts tell whether it is still the same one; and what
 * a killed writer leaves can be opened. */
static void shared(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    cw_h5_shape word = {.type = CW_H5_TEXT, .width = 8, .rank = 1, .dim = {1}};
    unlink(path);
    cw_h5 *h = cw_h5_create(ctx, path);
    cw_h5_make(ctx, h, "header/id", &word);
    cw_h5_write(ctx, h, "header/id", "mine\0\0\0", CW_H5_TEXT, 0, 1);
    CHECK(cw_h5_close(ctx, h) == CW_OK, "%s", ctx->text);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) == 0, "setup");
    CHECK(!cw_h5_open(ctx, path, 1) && ctx->status == CW_ERR_BUSY, "a reader has it: %s", ctx->text);
    cw_ctx_clear(ctx);
    h = cw_h5_open(ctx, path, 0);
    CHECK(cw_h5_expect(ctx, h, "header/id", "mine") == CW_OK, "%s", ctx->text);
    CHECK(cw_h5_expect(ctx, h, "header/id", "theirs") == CW_ERR_STATE, "another file");
    cw_ctx_clear(ctx);
    CHECK(cw_h5_expect(ctx, h, "header/none", "mine") == CW_ERR_STATE, "no such text");
    cw_ctx_clear(ctx);
    CHECK(cw_h5_close(ctx, h) == CW_OK, "%s", ctx->text);
    CHECK(flock(fd, LOCK_EX | LOCK_NB) == 0, "setup");
    CHECK(!cw_h5_open(ctx, path, 0) && ctx->status == CW_ERR_BUSY, "a writer has it: %s", ctx->text);
    cw_ctx_clear(ctx);
    close(fd);
    h = cw_h5_open(ctx, path, 1);
    /* as it is on the disk now is what a killed writer would leave */
    char other[80];
    static char bytes[1 << 16];
    snprintf(other, sizeof other, "%s.killed", path);
    FILE *from = fopen(path, "rb"), *to = fopen(other, "wb");
    size_t n = from && to ? fread(bytes, 1, sizeof bytes, from) : 0;
    CHECK(n > 48 && n < sizeof bytes && fwrite(bytes, 1, n, to) == n, "setup");
    if (from) fclose(from);
    if (to) fclose(to);
    for (int write = 0; write < 2; write++) {
        cw_h5 *left = cw_h5_open(ctx, other, write);
        CHECK(cw_h5_expect(ctx, left, "header/id", "mine") == CW_OK, "a killed writer's file: %s", ctx->text);
        cw_h5_close(ctx, left);
    }
    unlink(other);
    CHECK(cw_h5_close(ctx, h) == CW_OK && ctx->memory.bytes == 0, "%s", ctx->text);
    cw_ctx_free(ctx);
}

/* Tables that another program made and that lead out of the file or into tricks. */
static void refusals(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    unlink(path);
    hid_t f = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hsize_t n[4] = {4, 1, 1, 1}, much[1] = {(hsize_t)1 << 40};
    hid_t s = H5Screate_simple(1, n, NULL), p = H5Pcreate(H5P_DATASET_CREATE), four = H5Screate_simple(4, n, NULL);
    hid_t large = H5Screate_simple(1, much, NULL), scalar = H5Screate(H5S_SCALAR), null = H5Screate(H5S_NULL);
    hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, H5T_VARIABLE);
    H5Dclose(H5Dcreate2(f, "plain", H5T_STD_I32LE, s, H5P_DEFAULT, p, H5P_DEFAULT));
    H5Dclose(H5Dcreate2(f, "big-endian", H5T_STD_I32BE, s, H5P_DEFAULT, p, H5P_DEFAULT));
    H5Dclose(H5Dcreate2(f, "variable", text, s, H5P_DEFAULT, p, H5P_DEFAULT));
    H5Dclose(H5Dcreate2(f, "four", H5T_STD_I32LE, four, H5P_DEFAULT, p, H5P_DEFAULT));
    H5Dclose(H5Dcreate2(f, "scalar", H5T_STD_I32LE, scalar, H5P_DEFAULT, p, H5P_DEFAULT));
    H5Dclose(H5Dcreate2(f, "null", H5T_STD_I32LE, null, H5P_DEFAULT, p, H5P_DEFAULT));
    H5Dclose(H5Dcreate2(f, "large", H5T_STD_I32LE, large, H5P_DEFAULT, p, H5P_DEFAULT)); /* never written */
    H5Lcreate_soft("/plain", f, "soft", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external("/etc/passwd", "/x", f, "elsewhere", H5P_DEFAULT, H5P_DEFAULT);
    H5Pset_external(p, "/etc/passwd", 0, H5F_UNLIMITED);
    H5Dclose(H5Dcreate2(f, "external", H5T_STD_I32LE, s, H5P_DEFAULT, p, H5P_DEFAULT));
    H5Pclose(p);
    p = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(p, 1, n);
    H5Pset_fletcher32(p);
    H5Dclose(H5Dcreate2(f, "filtered", H5T_STD_I32LE, s, H5P_DEFAULT, p, H5P_DEFAULT));
    H5Pclose(p), H5Sclose(s), H5Sclose(four), H5Sclose(large), H5Sclose(scalar), H5Sclose(null), H5Tclose(text);
    H5Fclose(f);
    static const char *const bad[] = {"big-endian", "variable", "four",     "scalar", "null", "large", "soft",
                                      "elsewhere",  "external", "filtered", ".",      "/",    ""};
    cw_h5 *h = cw_h5_open(ctx, path, 0);
    cw_h5_shape shape;
    CHECK(h && cw_h5_find(&shape, h, "plain"), "a plain table: %s", ctx->text);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(h && !cw_h5_find(&shape, h, bad[i]), "'%s' must be refused", bad[i]);
    cw_h5_close(ctx, h);
    cw_ctx_free(ctx);
}

extern void __lsan_disable(void) __attribute__((weak));

/* Any byte of a small file changed, or the file cut anywhere: an error or other numbers, but never a crash. */
static void mangled(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    static unsigned char file[1 << 16];
    cw_h5_shape table = {.type = CW_H5_F32, .rank = 2, .dim = {5, 3}};
    unlink(path);
    cw_h5 *h = cw_h5_create(ctx, path);
    cw_h5_make(ctx, h, "g/table", &table);
    cw_h5_close(ctx, h);
    FILE *in = fopen(path, "rb");
    size_t size = in ? fread(file, 1, sizeof file, in) : 0;
    if (in) fclose(in);
    CHECK(size > 200 && size < sizeof file && ctx->status == CW_OK, "a file of %zu bytes: %s", size, ctx->text);
    int64_t refused = 0, tried = 0;
    for (size_t at = 0; at < size; at += 1 + at / 256) {
        for (int cut = 0; cut < 2; cut++, tried++) {
            unsigned char was = file[at];
            file[at] ^= (unsigned char)(1u << at % 8);
            FILE *out = fopen(path, "wb");
            if (out) fwrite(file, 1, cut ? at : size, out), fclose(out);
            file[at] = was;
            float x[15];
            h = cw_h5_open(ctx, path, 0);
            if (h) cw_h5_read(ctx, x, h, "g/table", CW_H5_F32, 0, 5);
            cw_h5_close(ctx, h);
            refused += ctx->status != CW_OK;
            cw_ctx_clear(ctx);
        }
    }
    CHECK(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0, "handles are open");
    CHECK(refused > tried / 2, "%lld of %lld damaged files were refused", (long long)refused, (long long)tried);
    CHECK(ctx->memory.bytes == 0, "%lld bytes kept", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

int main(void)
{
    /* After failed opens the library holds on to memory, and can't close itself in peace. Ours is counted above. */
    H5dont_atexit();
    if (__lsan_disable) __lsan_disable();
    snprintf(path, sizeof path, "/tmp/causeway-test-%ld.h5", (long)getpid());
    round_trip();
    shared();
    refusals();
    mangled();
    unlink(path);
    return test_end();
}
#else
int main(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    CHECK(!cw_h5_open(ctx, "x", 0) && ctx->status == CW_ERR_STATE, "built without HDF5");
    cw_ctx_free(ctx);
    return test_end();
}
#endif
