/* test_archive.c: files of weights in every format: every tensor is what PyTorch reads, and what is broken or hostile is
 * refused. Files are made by make_checkpoints.py. */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "fuzz_archive.c"

#include "core/rng.h"
#include "io/pickle.h"
#include "test.h"

#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "../fixtures/checkpoints/"

static unsigned char *slurp(const char *name, size_t *n)
{
    char path[300];
    snprintf(path, sizeof path, FOLDER "%s", name);
    FILE *f = fopen(path, "rb");
    unsigned char *bytes = malloc(1 << 20);
    *n = f && bytes ? fread(bytes, 1, 1 << 20, f) : 0;
    CHECK(*n > 0, "%s is not there", path);
    if (f) fclose(f);
    return bytes;
}

static void expect_error(cw_ctx *ctx, cw_status status, const char *says, const char *what)
{
    CHECK(ctx->status == status && strstr(ctx->text, says), "%s: status %s, text '%s', wanted '%s'", what,
          cw_status_name(ctx->status), ctx->text, says);
    cw_ctx_clear(ctx);
}

/* ---- what is right ---- */

static int same_values(cw_ctx *ctx, const cw_stored *e, const cw_safetensors_entry *want)
{
    int64_t bytes = cw_stored_bytes(e);
    unsigned char *raw = malloc((size_t)bytes + 1);
    float *x = malloc(((size_t)e->count + 1) * sizeof *x), *y = malloc(((size_t)e->count + 1) * sizeof *y);
    int same = cw_stored_raw(ctx, raw, e) == CW_OK && bytes == want->bytes &&
               (bytes == 0 || memcmp(raw, want->data, (size_t)bytes) == 0);
    if (e->dtype != CW_ST_C64) {
        cw_stored_f32(ctx, x, e);
        cw_safetensors_read_f32(ctx, y, want);
        same = same && ctx->status == CW_OK && memcmp(x, y, (size_t)e->count * sizeof *x) == 0;
    } else {
        CHECK(cw_stored_f32(ctx, x, e) == CW_ERR_FORMAT, "complex numbers read as real ones");
        cw_ctx_clear(ctx);
    }
    free(raw), free(x), free(y);
    return same;
}

/* Every tensor of the file as in FILE.safetensors, and no other. */
static void test_file(cw_ctx *ctx, const char *name, const char *format, int64_t skipped)
{
    char path[300], wanted[320];
    snprintf(path, sizeof path, FOLDER "%s", name);
    snprintf(wanted, sizeof wanted, "%s.safetensors", path);
    cw_archive *a = cw_archive_open(ctx, path);
    cw_safetensors *want = cw_safetensors_open(ctx, wanted);
    CHECK(a && want, "%s: %s", name, ctx->text);
    for (int64_t i = 0; a && want && i < cw_safetensors_count(want); i++) {
        const cw_safetensors_entry *w = cw_safetensors_at(want, i);
        const cw_stored *e = cw_archive_at(a, cw_archive_find(a, w->name));
        int fits = e && e->dtype == w->dtype && e->ndim == w->ndim;
        for (int d = 0; fits && d < e->ndim; d++) fits = e->dim[d] == w->dim[d];
        CHECK(fits && same_values(ctx, e, w), "%s: tensor %s", name, w->name);
    }
    if (a && want) {
        CHECK(cw_archive_count(a) == cw_safetensors_count(want), "%s: %lld tensors", name, (long long)cw_archive_count(a));
        CHECK(strcmp(cw_archive_format(a), format) == 0, "%s: %s", name, cw_archive_format(a));
        CHECK(cw_archive_skipped(a) == skipped, "%s: %lld skipped", name, (long long)cw_archive_skipped(a));
    }
    cw_archive_close(a);
    cw_safetensors_close(want);
    cw_ctx_clear(ctx);
}

/* Names are found without the words that all begin with, and with them. */
static void test_prefix(cw_ctx *ctx)
{
    cw_archive *a = cw_archive_open(ctx, FOLDER "nested.pt");
    CHECK(a && cw_archive_find(a, "a.weight") == 0 && cw_archive_find(a, "b.bias") == 1, "without prefix: %s", ctx->text);
    CHECK(a && cw_archive_find(a, "state_dict.model.b.bias") == 1 && cw_archive_find(a, "model.b.bias") == -1, "whole");
    cw_archive_close(a);
    cw_ctx_clear(ctx);
}

/* As a source: what name rules take from. */
static void test_source(cw_ctx *ctx)
{
    cw_source s = cw_source_open(ctx, FOLDER "views.pt");
    int64_t dim[CW_SOURCE_DIMS], at = s.file ? s.find(s.file, "part") : -1;
    float x[6];
    CHECK(at >= 0 && s.shape(s.file, at, dim) == 2 && dim[0] == 2 && dim[1] == 3, "%s", ctx->text);
    if (at >= 0) {
        CHECK(s.read(s.file, ctx, at, x) == CW_OK && fabsf(x[5] - (16.0f / 7 - 1)) < 1e-6f && fabsf(x[0] - (8.0f / 7 - 1)) < 1e-6f,
              "%g", (double)x[5]);
        s.close(s.file);
    }
    CHECK(!cw_source_open(ctx, FOLDER "nowhere.pt").file, "no file");
    expect_error(ctx, CW_ERR_IO, "nowhere.pt", "no file");
}

/* ---- pickles ---- */

static cw_pickle *pickle_of(cw_ctx *ctx, const char *bytes, size_t n)
{
    return cw_pickle_read(ctx, (const unsigned char *)bytes, (int64_t)n);
}
#define PICKLE(text) pickle_of(ctx, text, sizeof text - 1)

static void test_pickle(cw_ctx *ctx)
{
    size_t n;
    unsigned char *bytes = slurp("plain.pkl", &n);
    cw_pickle *p = pickle_of(ctx, (const char *)bytes, n);
    double x = -1;
    CHECK(p && cw_py_number(&x, cw_py_member(cw_pickle_value(p), "ENSG2")) && x == 7, "%g", x);
    CHECK(p && !cw_py_member(cw_pickle_value(p), "ENSG3") && cw_pickle_bytes(p) == (int64_t)n, "members, length");
    cw_pickle_free(p);
    free(bytes);
    /* numpy.float64(2.5), protocol 4: scalar(dtype('f8', False, True), b'..') */
    p = PICKLE("\x80\x04\x8c\x15numpy.core.multiarray\x8c\x06scalar\x93\x8c\x05numpy\x8c\x05" "dtype\x93\x8c\x02" "f8\x89\x88\x87R"
               "C\x08\0\0\0\0\0\0\x04@\x86R.");
    CHECK(p && cw_py_number(&x, cw_pickle_value(p)) && x == 2.5, "%s, %g", ctx->text, x);
    cw_pickle_free(p);
    p = PICKLE("\x80\x02" "J\xff\xff\xff\xff\x8a\x02\x00\x80\x86.");
    CHECK(p && cw_py_item(cw_pickle_value(p), 0)->as.whole == -1 && cw_py_item(cw_pickle_value(p), 1)->as.whole == -32768,
          "negative numbers");
    cw_pickle_free(p);
    p = PICKLE("]q\0h\0a."); /* a list that holds itself */
    CHECK(p && cw_py_item(cw_pickle_value(p), 0) == cw_pickle_value(p), "%s", ctx->text);
    cw_pickle_free(p);
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } bad[] = {
#define BAD(text, says) {text, sizeof text - 1, says}
        BAD("", "ends too soon"),
        BAD("\x80\x02", "ends too soon"),
        BAD("cos\nsystem\n(X\x04\0\0\0trueq\0tR.", "os.system"),
        BAD("\x80\x04\x8c\x08" "builtins\x8c\x04" "eval\x93.", "builtins.eval"),
        BAD("c__builtin__\ngetattr\n.", "getattr"),
        BAD("csubprocess\nPopen\n.", "subprocess.Popen"),
        BAD("csubprocess.sub\nPopen\n.", "subprocess.sub.Popen"),
        BAD("X\xff\xff\xff\xff" "abc.", "ends too soon"),
        BAD("\x8d\xff\xff\xff\xff\xff\xff\xff\xff" "abc.", "ends too soon"),
        BAD("Nr\xff\xff\xff\x7f.", "impossible place"),
        BAD("h\5.", "did not remember"),
        BAD("\x86.", "not there"),
        BAD("(0.", "not there"),
        BAD("Nt.", "lacks a mark"),
        BAD("}(NNNu.", "without a value"),
        BAD("NNa.", "no container"),
        BAD("NN\x81.", "no tuple"),
        BAD("NNb.", "has none"),
        BAD("I1\n.", "old text protocols"),
        BAD("\xff.", "0xff at byte 0"),
        BAD("c\n\n.", "names no function"),
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(!pickle_of(ctx, bad[i].bytes, bad[i].n), "pickle %zu is taken", i);
        expect_error(ctx, CW_ERR_FORMAT, bad[i].says, bad[i].says);
    }
}

/* A list copied again and again by calls would take memory by the square of the bytes. */
static void test_copies(cw_ctx *ctx)
{
    enum { ITEMS = 20000, CALLS = 20000 };
    char *bytes = malloc(100 + 3 * ITEMS + 8 * CALLS), *at = bytes;
    at += sprintf(at, "ccollections\nOrderedDict\n"), *at++ = 'q', *at++ = 1, *at++ = '0';
    *at++ = '(';
    for (int i = 0; i < ITEMS; i++) *at++ = 'N', *at++ = 'N', *at++ = '\x86';
    *at++ = 'l', *at++ = '\x85', *at++ = 'q', *at++ = 2, *at++ = '0';
    for (int i = 0; i < CALLS; i++) memcpy(at, "h\1h\2R", 5), at += 5;
    *at++ = '.';
    cw_memory_reset_peak(ctx);
    CHECK(!pickle_of(ctx, bytes, (size_t)(at - bytes)), "copies without end");
    CHECK(ctx->memory.peak < 100 * (at - bytes), "%lld bytes for %d", (long long)ctx->memory.peak, (int)(at - bytes));
    expect_error(ctx, CW_ERR_FORMAT, "more of its lists", "copies");
    free(bytes);
}

/* ---- what is wrong ---- */

static void refuse(cw_ctx *ctx, const unsigned char *bytes, size_t n, const char *says)
{
    cw_archive *a = cw_archive_open_memory(ctx, bytes, (int64_t)n);
    CHECK(!a, "taken, though: %s", says);
    cw_archive_close(a);
    expect_error(ctx, CW_ERR_FORMAT, says, says);
}

static unsigned char *find_bytes(unsigned char *in, size_t n, const char *what, size_t m)
{
    for (size_t i = 0; i + m <= n; i++)
        if (memcmp(in + i, what, m) == 0) return in + i;
    return NULL;
}

static void test_refusals(cw_ctx *ctx)
{
    size_t n;
    unsigned char *b = slurp("alone.pt", &n), *central = find_bytes(b, n, "PK\1\2", 4);
    for (size_t cut = 0; cut < n; cut++) {
        cw_archive *a = cw_archive_open_memory(ctx, b, (int64_t)cut);
        CHECK(!a && ctx->status == CW_ERR_FORMAT, "cut to %zu bytes", cut);
        cw_archive_close(a);
        cw_ctx_clear(ctx);
    }
    central[8] |= 1;
    refuse(ctx, b, n, "encrypted");
    central[8] &= (unsigned char)~1, central[10] = 8;
    refuse(ctx, b, n, "compressed");
    central[10] = 0;
    b[n - 18] = 1; /* this volume's number */
    refuse(ctx, b, n, "several");
    b[n - 18] = 0;
    unsigned char *name = find_bytes(central, n - (size_t)(central - b), "data.pkl", 8);
    name[0] = 'x';
    refuse(ctx, b, n, "no data.pkl");
    name[0] = 'd';
    unsigned char *size = find_bytes(b, n, "K\2K\6\x86", 5); /* the shape 2 x 6 */
    CHECK(size != NULL, "the shape isn't where it was");
    if (size) size[1] = 3, refuse(ctx, b, n, "reaches beyond");
    free(b);
    static const struct {
        const char *file, *says;
    } files[] = {{"system.pt", "posix.system"}, {"module.pt", "__main__.Module"}, {"plain.pkl", "not one of PyTorch's"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        b = slurp(files[i].file, &n);
        refuse(ctx, b, n, files[i].says);
        free(b);
    }
    refuse(ctx, (const unsigned char *)"", 0, "empty");
    refuse(ctx, (const unsigned char *)"hello, I am text", 16, "no known format");
    static const char lfs[] = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 7\n";
    refuse(ctx, (const unsigned char *)lfs, sizeof lfs - 1, "git lfs pull");
    b = slurp("cut.ckpt", &n);
    refuse(ctx, b, n - 40, "reaches beyond its end");
    memcpy(find_bytes(b, n, "Int32", 5), "Int99", 5);
    refuse(ctx, b, n, "type that is not read");
    free(b);
}

static void put_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "wb");
    CHECK(f && fputs(text, f) >= 0, "could not set up %s", path);
    if (f) fclose(f);
}

static void test_bad_index(cw_ctx *ctx)
{
    char folder[] = "/tmp/cw_archive_XXXXXX", path[100];
    CHECK(mkdtemp(folder), "no folder");
    snprintf(path, sizeof path, "%s/m.index.json", folder);
    static const char *const bad[][2] = {{"{}", "weight_map"},
                                         {"{\"weight_map\": {}}", "weight_map"},
                                         {"{\"weight_map\": {\"a\": 3}}", "no file of the folder"},
                                         {"{\"weight_map\": {\"a\": \"../secret.bin\"}}", "no file of the folder"},
                                         {"{\"weight_map\": {\"a\": \"none.bin\"}}", "none.bin"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text(path, bad[i][0]);
        CHECK(!cw_archive_open(ctx, path), "index %zu", i);
        expect_error(ctx, ctx->status, bad[i][1], bad[i][1]);
    }
    put_text(path, "{\"weight_map\": {\"a\": \"s.bin\", \"b\": \"s.bin\"}}");
    size_t n;
    unsigned char *b = slurp("shard-1.bin", &n);
    char shard[120];
    snprintf(shard, sizeof shard, "%s/s.bin", folder);
    FILE *f = fopen(shard, "wb");
    CHECK(f && fwrite(b, 1, n, f) == n, "could not set up");
    if (f) fclose(f);
    free(b);
    CHECK(!cw_archive_open(ctx, path), "a tensor no shard has");
    expect_error(ctx, CW_ERR_FORMAT, "'a' is not in the shard", "missing");
    unlink(path), unlink(shard), rmdir(folder);
}

/* Every allocation failing once: an error, and no byte left. */
static void test_no_memory(void)
{
    static const char *const files[] = {"types.pt", "legacy.pt", "gears_config.pkl", "cut.ckpt",
                                        "pytorch_model.bin.index.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[200];
        snprintf(path, sizeof path, FOLDER "%s", files[i]);
        int failed = 1;
        for (int64_t at = 0; failed && at < 10000; at++) {
            cw_ctx *ctx = cw_ctx_new(NULL);
            ctx->fail_at = ctx->memory.calls + at;
            cw_archive *a = cw_archive_open(ctx, path);
            failed = !a;
            CHECK(failed == (ctx->status == CW_ERR_MEMORY), "%s, call %lld: %s", files[i], (long long)at, ctx->text);
            cw_archive_close(a);
            CHECK(ctx->memory.bytes == 0, "%s, call %lld: %lld bytes left", files[i], (long long)at,
                  (long long)ctx->memory.bytes);
            cw_ctx_free(ctx);
        }
    }
}

typedef struct draws {
    cw_stream stream;
    uint64_t used;
} draws;

static uint32_t draw(draws *d)
{
    uint32_t word[4];
    cw_rng_block(word, d->stream, d->used++);
    return word[0];
}

/* Mutated files: bytes replaced, runs copied elsewhere, ends cut. Traps on what must not be. */
static void test_mutations(void)
{
    static const char *const files[] = {"types.pt", "views.pt",    "legacy.pt", "nested.pt", "wide.pt",
                                        "cut.ckpt", "mind.ckpt", "list.pt",   "system.pt", "gears_config.pkl"};
    unsigned char *work = malloc(1 << 20);
    for (size_t i = 0; work && i < sizeof files / sizeof *files; i++) {
        size_t n;
        unsigned char *b = slurp(files[i], &n);
        draws s = {cw_rng_stream(11, CW_RNG_USER, i, 0), 0};
        for (int round = 0; round < 3000; round++) {
            memcpy(work, b, n);
            int changes = 1 + (int)(draw(&s) % 4);
            size_t m = n;
            for (int c = 0; c < changes; c++) {
                size_t at = draw(&s) % n;
                switch (draw(&s) % 5) {
                case 0: work[at] = (unsigned char)draw(&s); break;
                case 1: work[at] ^= (unsigned char)(1u << draw(&s) % 8); break;
                case 2: work[at] = draw(&s) % 2 ? 0xFF : 0; break;
                case 3: {
                    size_t from = draw(&s) % n, run = draw(&s) % 16;
                    if (from + run <= n && at + run <= n) memmove(work + at, work + from, run);
                    break;
                }
                default: if (round % 8 == 0) m = at + 1;
                }
            }
            unsigned char *exact = malloc(m); /* so that the sanitizer sees a byte too far */
            memcpy(exact, work, m);
            LLVMFuzzerTestOneInput(exact, m);
            free(exact);
        }
        free(b);
    }
    free(work);
    CHECK(1, "mutations");
}

int main(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    test_file(ctx, "types.pt", "PyTorch (zip)", 0);
    test_file(ctx, "views.pt", "PyTorch (zip)", 0);
    test_file(ctx, "wide.pt", "PyTorch (zip)", 0);
    test_file(ctx, "big.pt", "PyTorch (zip)", 0);
    test_file(ctx, "list.pt", "PyTorch (zip)", 0);
    test_file(ctx, "alone.pt", "PyTorch (zip)", 0);
    test_file(ctx, "empty.pt", "PyTorch (zip)", 0);
    test_file(ctx, "nested.pt", "PyTorch (zip)", 4);
    test_file(ctx, "legacy.pt", "PyTorch (legacy)", 0);
    test_file(ctx, "gears_config.pkl", "PyTorch (legacy)", 0); /* pickle.dump of a dictionary */
    test_file(ctx, "cut.ckpt", "MindSpore", 2);
    test_file(ctx, "mind.ckpt", "MindSpore", 2);
    test_file(ctx, "pytorch_model.bin.index.json", "PyTorch (zip)", 0);
    test_prefix(ctx);
    test_source(ctx);
    test_pickle(ctx);
    test_copies(ctx);
    test_refusals(ctx);
    test_bad_index(ctx);
    CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
    test_no_memory();
    test_mutations();
    return test_end();
}
