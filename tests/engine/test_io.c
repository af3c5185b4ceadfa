/* test_io.c: JSON, safetensors, CSV, vocabulary: what they accept, what they refuse, and that refusing is all they do.
 */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#define FUZZ_JSON fuzz_json
#include "fuzz_json.c"
#include "fuzz_safetensors.c"
#define FUZZ_TABLES fuzz_tables
#include "fuzz_tables.c"

#include "core/rng.h"
#include "io/csv.h"
#include "io/json.h"
#include "io/place.h"
#include "io/vocab.h"
#include "test.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[200];

static const char *in_folder(const char *name)
{
    static char path[8][300]; /* good until the eighth call from now */
    static int turn;
    turn = (turn + 1) % 8;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void put_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    CHECK(f && fwrite(bytes, 1, n, f) == n, "could not set up %s", path);
    if (f) fclose(f);
}

/* The recorded error has this status and says this; clears it. */
static void expect_error(cw_ctx *ctx, cw_status status, const char *says, const char *what)
{
    CHECK(ctx->status == status && strstr(ctx->text, says), "%s: status %s, text '%s', wanted '%s'", what,
          cw_status_name(ctx->status), ctx->text, says);
    cw_ctx_clear(ctx);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static cw_json *json_of(cw_ctx *ctx, const char *text) { return cw_json_parse(ctx, text, (int64_t)strlen(text)); }

static void test_json_options(cw_ctx *ctx)
{
    static const char *const want[] = {"a", "of.x", "of.y", "list.0", "list.2", "last"};
    cw_json *j = json_of(ctx, "{\"a\": 7, \"of\": {\"x\": 1, \"y\": \"t\", \"z\": [4]}, \"none\": null,"
                              " \"list\": [5, \"no\", 6], \"last\": true, \"empty\": []}");
    int64_t n;
    cw_option *o = cw_json_options(ctx, j, &n);
    CHECK(o && n == 6, "%lld options: %s", (long long)n, ctx->text);
    for (int64_t i = 0; o && i < n; i++) CHECK(strcmp(o[i].name, want[i]) == 0, "%s, %s wanted", o[i].name, want[i]);
    CHECK(o && o[3].number == 5 && o[4].number == 6 && strcmp(o[2].text, "t") == 0, "values");
    cw_free(ctx, o);
    cw_json_free(j);
}

static void test_json_values(cw_ctx *ctx)
{
    cw_json *j = json_of(
        ctx, " {\"a\": 7, \"b\": -2.5e1, \"c\": true, \"d\": null, \"e\": \"\\u00e9\\\\u0000\", \"f\": [1, 2, 3],"
             " \"g\": {\"x\": 1}, \"big\": 9007199254740993, \"half\": 0.5} \n");
    CHECK(j && ctx->status == CW_OK, "%s", ctx->text);
    CHECK(cw_json_has(j, "a") && !cw_json_has(j, "d") && !cw_json_has(j, "A"), "has");
    CHECK(cw_json_int(ctx, j, "a", 1, 0, 10) == 7 && cw_json_int(ctx, j, "d", 5, 0, 10) == 5, "int");
    CHECK(cw_json_int(ctx, j, "nowhere", -3, 0, 10) == -3, "absent");
    CHECK(cw_json_int(ctx, j, "b", 0, -100, 100) == -25, "int written as a real");
    CHECK(cw_json_number(ctx, j, "b", 0, -100, 100) == -25.0 && cw_json_number(ctx, j, "half", 0, 0, 1) == 0.5,
          "number");
    CHECK(cw_json_bool(ctx, j, "c", 0) == 1 && cw_json_bool(ctx, j, "d", 1) == 1, "bool");
    CHECK(strcmp(cw_json_string(ctx, j, "e", ""), "\xc3\xa9\\u0000") == 0, "text, and an escaped backslash is no NUL");
    CHECK(cw_json_count(cw_json_array(ctx, j, "f")) == 3 && cw_json_count(j) == 9, "count");
    CHECK(cw_json_int(ctx, cw_json_object(ctx, j, "g"), "x", 0, 0, 9) == 1, "nested");
    CHECK(cw_json_object(ctx, j, "nowhere") == NULL && cw_json_int(ctx, NULL, "x", 4, 0, 9) == 4, "no object");
    CHECK(ctx->status == CW_OK, "%s", ctx->text);

    CHECK(cw_json_int(ctx, j, "a", 1, 0, 6) == 1, "out of range gives the fallback");
    expect_error(ctx, CW_ERR_FORMAT, "'a' must be a whole number from 0 to 6; found 7", "range");
    cw_json_int(ctx, j, "half", 1, 0, 6);
    expect_error(ctx, CW_ERR_FORMAT, "found 0.5", "fraction");
    cw_json_int(ctx, j, "e", 1, 0, 6);
    expect_error(ctx, CW_ERR_FORMAT, "found the text \"", "text for a number");
    cw_json_number(ctx, j, "c", 1, 0, 6);
    expect_error(ctx, CW_ERR_FORMAT, "found true", "true for a number");
    cw_json_bool(ctx, j, "a", 1);
    expect_error(ctx, CW_ERR_FORMAT, "'a' must be true or false; found 7", "number for a bool");
    cw_json_string(ctx, j, "f", NULL);
    expect_error(ctx, CW_ERR_FORMAT, "found an array", "array for text");
    cw_json_object(ctx, j, "f");
    expect_error(ctx, CW_ERR_FORMAT, "'f' must be an object", "array for an object");
    cw_json_array(ctx, j, "g");
    expect_error(ctx, CW_ERR_FORMAT, "'g' must be an array", "object for an array");
    cw_json_free(j);
}

static void test_json_refused(cw_ctx *ctx)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "{",
                                      "[1,",
                                      "{\"a\":}",
                                      "{\"a\" 1}",
                                      "[1 2]",
                                      "nul",
                                      "\"open",
                                      "[1]]",
                                      "{} x",
                                      "{'a': 1}",
                                      "[\"\\u00\"]",
                                      "[\"\\ud800\"]",
                                      "[\"a\\u0000b\"]",
                                      "[\"\xff\"]",
                                      "[\"\xc0\x80\"]",
                                      "[\"\xed\xa0\x80\"]",
                                      "[\"\xe2\x82\"]",
                                      "NaN",
                                      "[NaN]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cw_json *j = json_of(ctx, bad[i]);
        CHECK(j == NULL, "'%s' was taken for JSON", bad[i]);
        cw_json_free(j);
        expect_error(ctx, CW_ERR_FORMAT, "not valid JSON", bad[i]);
    }
    CHECK(cw_json_parse(ctx, "[1]\0 ", 5) == NULL, "a zero byte behind the document");
    expect_error(ctx, CW_ERR_FORMAT, "zero byte at line 1, column 4", "zero byte");
    CHECK(json_of(ctx, "{\n \"a\": 1,\n \"b\": x\n}") == NULL, "position");
    expect_error(ctx, CW_ERR_FORMAT, "line 3, column 7", "position");

    int deep = 200000;
    char *nested = malloc((size_t)deep);
    memset(nested, '[', (size_t)deep);
    CHECK(nested && cw_json_parse(ctx, nested, deep) == NULL, "depth");
    expect_error(ctx, CW_ERR_FORMAT, "not valid JSON", "depth");
    free(nested);

    ctx->memory.limit = ctx->memory.bytes + 4096;
    CHECK(json_of(ctx, "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]") ==
              NULL,
          "memory limit");
    ctx->memory.limit = 0;
    expect_error(ctx, CW_ERR_MEMORY, "over the limit", "memory limit");

    CHECK(cw_json_read_file(ctx, in_folder("nowhere.json")) == NULL, "no file");
    expect_error(ctx, CW_ERR_IO, "nowhere.json", "no file");
    CHECK(cw_json_read_file(ctx, folder) == NULL, "a folder");
    expect_error(ctx, CW_ERR_IO, "is not a file", "a folder");
    put_file(in_folder("bad.json"), "{\"a\": }", 7);
    CHECK(cw_json_read_file(ctx, in_folder("bad.json")) == NULL, "bad file");
    expect_error(ctx, CW_ERR_FORMAT, "bad.json: not valid JSON", "bad file");
}

static void test_json_write(cw_ctx *ctx)
{
    cw_json *j = cw_json_new_object(ctx), *list = cw_json_new_array(ctx);
    cw_json_set_int(ctx, j, "int", -9007199254740992);
    cw_json_set_number(ctx, j, "number", 0.1);
    cw_json_set_bool(ctx, j, "bool", 0);
    cw_json_set_string(ctx, j, "text", "tab\t \"quoted\" \xc3\xa9");
    cw_json_set_string(ctx, j, "null", NULL);
    cw_json_append(ctx, list, cw_json_new_object(ctx));
    cw_json_set(ctx, j, "list", list);
    CHECK(cw_json_write_file(ctx, in_folder("out.json"), j) == CW_OK, "%s", ctx->text);
    cw_json_free(j);
    j = cw_json_read_file(ctx, in_folder("out.json"));
    CHECK(cw_json_int(ctx, j, "int", 0, INT64_MIN, INT64_MAX) == -9007199254740992, "int");
    CHECK(cw_json_number(ctx, j, "number", 0, 0, 1) == 0.1, "number");
    CHECK(cw_json_bool(ctx, j, "bool", 1) == 0 && !cw_json_has(j, "null"), "bool, null");
    CHECK(strcmp(cw_json_string(ctx, j, "text", ""), "tab\t \"quoted\" \xc3\xa9") == 0, "text");
    CHECK(cw_json_count(cw_json_array(ctx, j, "list")) == 1 && ctx->status == CW_OK, "list %s", ctx->text);
    cw_json_set_number(ctx, j, "x", NAN);
    expect_error(ctx, CW_ERR_NUMERIC, "'x'", "NaN");
    cw_json_set_int(ctx, j, "x", INT64_MAX);
    expect_error(ctx, CW_ERR_ARGUMENT, "'x'", "2^63");
    CHECK(cw_json_write_file(ctx, in_folder("nowhere/out.json"), j) != CW_OK, "no such folder");
    expect_error(ctx, CW_ERR_IO, "nowhere/out.json", "no such folder");
    cw_json_free(j);
}

/* ---- safetensors ------------------------------------------------------------------------------------------------ */

static const float reals[6] = {0.0f, -1.5f, 3.25f, 65504.0f, -0.0f, 1e-3f};
static const uint16_t halves[7] = {0x0000, 0xBC00, 0x7BFF, 0x0001,
                                   0x83FF, 0x7C00, 0x7E00}; /* 0 -1 max min .. inf nan */
static const uint16_t brains[3] = {0x3F80, 0xC049, 0x7F80}; /* 1, -3.140625, inf */
static const double doubles[3] = {1e300, -2.5, 0.1};
static const int64_t longs[3] = {INT64_MIN, 42, INT64_MAX};
static const int32_t ints[5] = {-1, 0, 255, 256, INT32_MAX};
static const uint8_t bytes3[3] = {0, 1, 255};

static const cw_safetensors_item items[] = {
    {"weight", CW_ST_F32, 2, {2, 3}, reals},  {"half", CW_ST_F16, 1, {7}, halves},
    {"brain", CW_ST_BF16, 1, {3}, brains},    {"odd \"name\"\n\xc3\xa9", CW_ST_U8, 1, {3}, bytes3},
    {"double", CW_ST_F64, 1, {3}, doubles},   {"long", CW_ST_I64, 1, {3}, longs},
    {"int", CW_ST_I32, 1, {5}, ints},         {"empty", CW_ST_F32, 3, {4, 0, 2}, NULL},
    {"scalar", CW_ST_F32, 0, {0}, reals + 2}, {"mask", CW_ST_BOOL, 3, {1, 3, 1}, bytes3},
    {"complex", CW_ST_C64, 1, {1}, doubles}};
#define ITEMS ((int64_t)(sizeof items / sizeof *items))
static const cw_safetensors_pair pairs[] = {{"format", "pt"}, {"who\\", "a \"test\""}};

static void test_safetensors_round_trip(cw_ctx *ctx)
{
    const char *path = in_folder("a.safetensors");
    CHECK(cw_safetensors_write(ctx, path, items, pairs, ITEMS, 2) == CW_OK, "%s", ctx->text);
    cw_safetensors *f = cw_safetensors_open(ctx, path);
    CHECK(f && cw_safetensors_count(f) == ITEMS, "%s", ctx->text);
    if (!f) return;
    for (int64_t i = 0; i < ITEMS; i++) {
        const cw_safetensors_entry *e = cw_safetensors_at(f, i);
        CHECK(strcmp(e->name, items[i].name) == 0 && e->dtype == items[i].dtype && e->ndim == items[i].ndim, "item %d",
              (int)i);
        CHECK(memcmp(e->dim, items[i].dim, (size_t)e->ndim * sizeof *e->dim) == 0, "shape of %s", e->name);
        CHECK(e->bytes == 0 || memcmp(e->data, items[i].data, (size_t)e->bytes) == 0, "bytes of %s", e->name);
        CHECK(cw_safetensors_find(f, e->name) == e, "find %s", e->name);
    }
    CHECK(cw_safetensors_at(f, -1) == NULL && cw_safetensors_at(f, ITEMS) == NULL, "outside");
    CHECK(cw_safetensors_find(f, "weigh") == NULL && cw_safetensors_find(f, "") == NULL, "no such name");
    CHECK(strcmp(cw_safetensors_metadata(f, "format"), "pt") == 0, "metadata");
    CHECK(strcmp(cw_safetensors_metadata(f, "who\\"), "a \"test\"") == 0, "metadata with escapes");
    CHECK(cw_safetensors_metadata(f, "none") == NULL, "no metadata");
    CHECK((uintptr_t)cw_safetensors_at(f, 0)->data % 8 == 0, "data is aligned to 8");
    cw_safetensors_close(f);
    CHECK(cw_safetensors_write(ctx, path, NULL, NULL, 0, 0) == CW_OK, "nothing at all: %s", ctx->text);
    f = cw_safetensors_open(ctx, path);
    CHECK(f && cw_safetensors_count(f) == 0, "nothing at all: %s", ctx->text);
    cw_safetensors_close(f);
}

static void test_safetensors_convert(cw_ctx *ctx)
{
    const char *path = in_folder("b.safetensors");
    float x[8];
    double d[8];
    int32_t i32[8];
    int64_t i64[8];
    uint8_t u8[8];
    CHECK(cw_safetensors_write(ctx, path, items, pairs, ITEMS, 2) == CW_OK, "%s", ctx->text);
    cw_safetensors *f = cw_safetensors_open(ctx, path);
    if (!f) return;
    memset(x, 0xff, sizeof x);
    CHECK(cw_safetensors_read_f32(ctx, x, cw_safetensors_find(f, "weight")) == CW_OK &&
              memcmp(x, reals, sizeof reals) == 0,
          "f32");
    CHECK(isnan(x[6]), "wrote past the end");
    CHECK(cw_safetensors_read_f32(ctx, x, cw_safetensors_find(f, "half")) == CW_OK, "f16");
    CHECK(x[0] == 0 && x[1] == -1 && x[2] == 65504 && x[3] == ldexpf(1, -24) && x[4] == -1023 * ldexpf(1, -24),
          "f16 values");
    CHECK(isinf(x[5]) && x[5] > 0 && isnan(x[6]), "f16 inf, nan");
    CHECK(cw_safetensors_read_f32(ctx, x, cw_safetensors_find(f, "brain")) == CW_OK, "bf16");
    CHECK(x[0] == 1 && x[1] == -3.140625f && isinf(x[2]), "bf16 values");
    CHECK(cw_safetensors_read_f32(ctx, x, cw_safetensors_find(f, "double")) == CW_OK, "f64");
    CHECK(isinf(x[0]) && x[1] == -2.5f && x[2] == 0.1f, "f64 values");
    CHECK(cw_safetensors_read_f32(ctx, x, cw_safetensors_find(f, "long")) == CW_OK && x[0] == -ldexpf(1, 63) &&
              x[1] == 42,
          "i64");
    CHECK(cw_safetensors_read_f64(ctx, d, cw_safetensors_find(f, "double")) == CW_OK &&
              memcmp(d, doubles, sizeof doubles) == 0,
          "f64");
    CHECK(cw_safetensors_read_i64(ctx, i64, cw_safetensors_find(f, "long")) == CW_OK &&
              memcmp(i64, longs, sizeof longs) == 0,
          "i64");
    CHECK(cw_safetensors_read_i32(ctx, i32, cw_safetensors_find(f, "int")) == CW_OK &&
              memcmp(i32, ints, sizeof ints) == 0,
          "i32");
    CHECK(cw_safetensors_read_i32(ctx, i32, cw_safetensors_find(f, "mask")) == CW_OK && i32[0] == 0 && i32[2] == 1,
          "bool");
    CHECK(cw_safetensors_read_u8(ctx, u8, cw_safetensors_find(f, items[3].name)) == CW_OK && u8[2] == 255, "u8");
    CHECK(cw_safetensors_read_u8(ctx, u8, cw_safetensors_find(f, "mask")) == CW_OK && u8[2] == 1, "u8 of bool");
    CHECK(cw_safetensors_read_f32(ctx, NULL, cw_safetensors_find(f, "empty")) == CW_OK, "nothing to read");
    CHECK(ctx->status == CW_OK, "%s", ctx->text);
    cw_safetensors_read_i32(ctx, i32, cw_safetensors_find(f, "long"));
    expect_error(ctx, CW_ERR_FORMAT, "'long' holds -9223372036854775808 at position 0", "range");
    cw_safetensors_read_u8(ctx, u8, cw_safetensors_find(f, "int"));
    expect_error(ctx, CW_ERR_FORMAT, "'int' holds -1 at position 0", "range");
    cw_safetensors_read_i32(ctx, i32, cw_safetensors_find(f, "weight"));
    expect_error(ctx, CW_ERR_FORMAT, "'weight' has type F32", "reals as integers");
    cw_safetensors_read_f32(ctx, x, cw_safetensors_find(f, "complex"));
    expect_error(ctx, CW_ERR_FORMAT, "'complex' has type C64", "complex");
    cw_safetensors_read_f32(ctx, x, cw_safetensors_find(f, "nowhere"));
    expect_error(ctx, CW_ERR_ARGUMENT, "no such tensor", "no entry");
    cw_safetensors_close(f);
}

/* A file of this header and `data` zero bytes. Returns the length. */
static int64_t make_file(unsigned char *out, const char *header, int64_t data)
{
    int64_t n = (int64_t)strlen(header);
    for (int i = 0; i < 8; i++) out[i] = (unsigned char)(n >> (8 * i));
    memcpy(out + 8, header, (size_t)n);
    memset(out + 8 + n, 0, (size_t)data);
    return 8 + n + data;
}

static void test_safetensors_lies(cw_ctx *ctx)
{
    static const struct {
        const char *header;
        int data;
        const char *says; /* NULL: must be accepted */
    } lies[] = {
        {"{}", 0, NULL},
        {"{}   ", 0, NULL},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, NULL},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]},\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_"
         "offsets\":[0,1]}}",
         2, NULL},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[1,1]},\"a\":{\"dtype\":\"U8\",\"shape\":[],\"data_"
         "offsets\":[0,1]}}",
         1, NULL},
        {"{}", 1, "belong to no tensor"},
        {" {}", 0, "does not start"},
        {"[]", 0, "does not start"},
        {"{", 0, "not valid JSON"},
        {"{}\xff", 0, "UTF-8"},
        {"{\"a\":1}", 0, "is not an object"},
        {"{\"a\":{}}", 0, "each once"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "outside the file"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9, "belong to no tensor"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "do not agree"},
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "do not agree"},
        {"{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "type that is not known"},
        {"{\"a\":{\"dtype\":5,\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "type that is not known"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":2,\"data_offsets\":[0,8]}}", 8, "not an array"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "not a whole number"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,10]}}", 10, "not a whole number"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1e999],\"data_offsets\":[0,8]}}", 8, "not a whole number"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,8]}}", 8, "8 dimensions"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,2],\"data_offsets\":[0,8]}}", 8,
         "beyond any machine"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "outside the file"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 8, "two whole numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8, "two whole numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}}", 8, "two whole numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,18446744073709551615]}}", 8, "two whole numbers"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"shape\":[2],\"data_offsets\":[0,8]}}", 8, "each once"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
         "offsets\":[1,3]}}",
         3, "overlaps"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_"
         "offsets\":[0,2]}}",
         2, "overlaps"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_"
         "offsets\":[3,4]}}",
         4, "hole"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_"
         "offsets\":[2,3]}}",
         3, "there twice"},
        {"{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, "zero character"},
        {"{\"__metadata__\":{\"a\":\"b\"}}", 0, NULL},
        {"{\"__metadata__\":{\"a\":1}}", 0, "not text"},
        {"{\"__metadata__\":[]}", 0, "not an object"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "there twice"},
    };
    unsigned char file[600];
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        int64_t n = make_file(file, lies[i].header, lies[i].data);
        cw_safetensors *f = cw_safetensors_open_memory(ctx, file, n);
        CHECK((f != NULL) == (lies[i].says == NULL), "%s: %s", lies[i].header, ctx->text);
        if (lies[i].says) expect_error(ctx, CW_ERR_FORMAT, lies[i].says, lies[i].header);
        cw_safetensors_close(f);
    }
    int64_t n = make_file(file, "{}", 0);
    for (int cut = 0; cut < 10; cut++) {
        CHECK(cw_safetensors_open_memory(ctx, file, cut) == NULL, "cut to %d", cut);
        expect_error(ctx, CW_ERR_FORMAT, cut < 8 ? "too few" : "cut short", "cut");
    }
    memset(file, 0xff, 8);
    CHECK(cw_safetensors_open_memory(ctx, file, n) == NULL, "header of 2^64 - 1 bytes");
    expect_error(ctx, CW_ERR_FORMAT, "more than is allowed", "header of 2^64 - 1 bytes");
    put_file(in_folder("short.safetensors"), "x", 1);
    CHECK(cw_safetensors_open(ctx, in_folder("short.safetensors")) == NULL, "one byte");
    expect_error(ctx, CW_ERR_FORMAT, "short.safetensors: 1 bytes", "one byte");
    put_file(in_folder("none.safetensors"), "", 0);
    CHECK(cw_safetensors_open(ctx, in_folder("none.safetensors")) == NULL, "no bytes");
    expect_error(ctx, CW_ERR_FORMAT, "none.safetensors: 0 bytes", "no bytes");
    CHECK(cw_safetensors_open(ctx, in_folder("nowhere.safetensors")) == NULL, "no file");
    expect_error(ctx, CW_ERR_IO, "nowhere.safetensors", "no file");
}

static void test_safetensors_write_refused(cw_ctx *ctx)
{
    char path[300], partial[400];
    snprintf(path, sizeof path, "%s", in_folder("keep.safetensors"));
    CHECK(cw_safetensors_write(ctx, path, items, NULL, 1, 0) == CW_OK, "%s", ctx->text);
    cw_safetensors_item bad[2] = {items[0], items[0]};
    CHECK(cw_safetensors_write(ctx, path, bad, NULL, 2, 0) != CW_OK, "twice");
    expect_error(ctx, CW_ERR_ARGUMENT, "called 'weight'", "twice");
    bad[1].name = "\xff";
    CHECK(cw_safetensors_write(ctx, path, bad, NULL, 2, 0) != CW_OK, "UTF-8");
    expect_error(ctx, CW_ERR_ARGUMENT, "not UTF-8", "UTF-8");
    bad[1].name = "n";
    bad[1].dim[0] = -1;
    CHECK(cw_safetensors_write(ctx, path, bad, NULL, 2, 0) != CW_OK, "shape");
    expect_error(ctx, CW_ERR_ARGUMENT, "'n'", "shape");
    bad[1].dim[0] = (int64_t)1 << 62;
    CHECK(cw_safetensors_write(ctx, path, bad, NULL, 2, 0) != CW_OK, "size");
    expect_error(ctx, CW_ERR_ARGUMENT, "'n'", "size");
    bad[1] = items[0];
    bad[1].name = "__metadata__";
    CHECK(cw_safetensors_write(ctx, path, bad, NULL, 2, 0) != CW_OK, "reserved");
    expect_error(ctx, CW_ERR_ARGUMENT, "__metadata__", "reserved");
    CHECK(cw_safetensors_write(ctx, in_folder("nowhere/x"), items, NULL, 1, 0) != CW_OK, "no folder");
    expect_error(ctx, CW_ERR_IO, "nowhere/x", "no folder");
    /* a rename that fails: the target is a folder that isn't empty */
    CHECK(mkdir(in_folder("d"), 0700) == 0 && mkdir(in_folder("d/e"), 0700) == 0, "setup");
    CHECK(cw_safetensors_write(ctx, in_folder("d"), items, NULL, 1, 0) != CW_OK, "onto a folder");
    expect_error(ctx, CW_ERR_IO, "is no file", "onto a folder");
    snprintf(partial, sizeof partial, "%s.tmp-%ld", in_folder("d"), (long)getpid());
    CHECK(access(partial, F_OK) != 0, "the partial file was left behind");
    cw_safetensors *f = cw_safetensors_open(ctx, path);
    CHECK(f && cw_safetensors_count(f) == 1, "the old file is gone: %s", ctx->text);
    cw_safetensors_close(f);
    rmdir(in_folder("d/e"));
    rmdir(in_folder("d"));
}

/* Truncations, bit flips, digit changes, lies about the length: fixed sequence, so a failure can be repeated. */
static void test_safetensors_mutations(cw_ctx *ctx)
{
    const char *path = in_folder("m.safetensors");
    CHECK(cw_safetensors_write(ctx, path, items, pairs, ITEMS, 2) == CW_OK, "%s", ctx->text);
    FILE *file = fopen(path, "rb");
    unsigned char good[4096];
    size_t n = file ? fread(good, 1, sizeof good, file) : 0;
    if (file) fclose(file);
    CHECK(n > 100 && n < sizeof good, "%d bytes", (int)n);
    if (n <= 100) return;
    size_t header = 8 + (size_t)(good[0] | good[1] << 8);
    cw_stream s = {20261120, 1};
    int64_t tried = 0;
    for (size_t cut = 0; cut <= n; cut++, tried++) { /* exact-size copies: ASan sees one byte too far */
        unsigned char *copy = malloc(cut ? cut : 1);
        memcpy(copy, good, cut);
        LLVMFuzzerTestOneInput(copy, cut);
        free(copy);
    }
    for (uint64_t i = 0; i < 20000; i++, tried++) {
        uint32_t w[4];
        cw_rng_block(w, s, i);
        size_t size = i % 7 == 0 ? n - w[3] % 40 : n;
        unsigned char *copy = malloc(size);
        memcpy(copy, good, size);
        size_t limit = size < header ? size : header;
        int edits = 1 + (int)(w[0] % 4);
        for (int e = 0; e < edits; e++) {
            uint32_t r[4];
            cw_rng_block(r, s, (i + 1) << 20 | (uint64_t)e);
            size_t at = (r[0] % 8 == 0 ? 0 : 8) + r[1] % (limit - 8);
            if (r[2] % 3 == 0)
                copy[at] ^= (unsigned char)(1u << r[3] % 8);
            else if (r[2] % 3 == 1)
                copy[at] = (unsigned char)"0123456789-.eE[]{}\",:\\u\0 \xff"[r[3] % 26];
            else { /* copy a piece of the header over another */
                size_t from = 8 + r[3] % (limit - 8), length = r[0] % 30;
                if (from + length <= limit && at + length <= limit) memmove(copy + at, copy + from, length);
            }
        }
        LLVMFuzzerTestOneInput(copy, size);
        free(copy);
    }
    CHECK(tried > 20000, "%d tried", (int)tried); /* a crash, a leak or a trap ends the program */
}

/* A config, mutated: refused or taken, and what is taken can be written. A crash, a leak or a trap ends the program. */
static void test_json_mutations(void)
{
    static const char good[] = "{\"name\": \"sfm\", \"sfm\": {\"embed_dim\": 64, \"rate\": 1.5e-3, \"on\": true, \"no\": "
                               "null, \"units\": [8, 16.25, \"\\u00e9\\n\"]}, \"e\": [], \"o\": {}, \"s\": \"\xc3\xa9\"}";
    const size_t n = sizeof good - 1;
    cw_stream s = {20261129, 1};
    char copy[sizeof good];
    for (size_t cut = 0; cut <= n; cut++) fuzz_json((const uint8_t *)good, cut);
    for (uint64_t i = 0; i < 20000; i++) {
        memcpy(copy, good, n);
        for (uint64_t e = 0; e <= i % 4; e++) {
            uint32_t r[4];
            cw_rng_block(r, s, i << 3 | e);
            size_t at = r[0] % n, from = r[1] % n, length = r[2] % 20;
            if (r[3] % 3 == 0)
                copy[at] = (char)(copy[at] ^ 1 << r[2] % 8);
            else if (r[3] % 3 == 1)
                copy[at] = "0123456789-.eE[]{}\",:\\u\0 \xff"[r[2] % 26];
            else if (from + length <= n && at + length <= n)
                memmove(copy + at, copy + from, length);
        }
        fuzz_json((const uint8_t *)copy, n);
    }
    cw_ctx *ctx = cw_ctx_new(NULL);
    cw_json *json = cw_json_parse(ctx, good, (int64_t)n);
    CHECK(json, "the config itself: %s", ctx->text);
    cw_json_free(json);
    cw_ctx_free(ctx);
}

static void test_table_mutations(void)
{
    static const char *const good[] = {
        "TF,Gene\n\"a \"\"b\"\",c\",d\r\n\nx,y\n",
        "[{\"token_index\": 0, \"gene_symbol\": null, \"gene_id\": \"<pad>\"}, {\"token_index\": 1, \"gene_symbol\": \"A\"}]",
        "T cell is_a cell\nb exact_synonyms B  cell\n", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nna\303\257ve\n##t\n"};
    cw_stream s = {20261130, 2};
    char copy[256];
    for (uint64_t i = 0; i < 1200; i++) {
        size_t n = strlen(good[i % 4]);
        memcpy(copy, good[i % 4], n);
        for (uint64_t e = 0; e < i % 5; e++) {
            uint32_t r[4];
            cw_rng_block(r, s, i << 3 | e);
            copy[r[0] % n] = r[1] % 2 ? "\",\n\r[]{}:#\\ \xff"[r[2] % 14] : (char)(copy[r[0] % n] ^ 1 << r[3] % 8);
        }
        fuzz_tables((const uint8_t *)copy, i % 3 ? n : n * (i % 7) / 7);
    }
    CHECK(access("/tmp/causeway-fuzz.txt", F_OK) != 0, "nothing is left behind");
}

/* ---- CSV -------------------------------------------------------------------------------------------------------- */

static cw_csv *csv_of(cw_ctx *ctx, const char *text) { return cw_csv_parse(ctx, text, (int64_t)strlen(text), "t.csv"); }

static void check_cell(const cw_csv *csv, int64_t row, int64_t column, const char *wanted)
{
    const char *cell = csv ? cw_csv_cell(csv, row, column) : NULL;
    CHECK(cell && strcmp(cell, wanted) == 0, "(%d,%d): '%s', wanted '%s'", (int)row, (int)column, cell ? cell : "-",
          wanted);
}

static void test_csv(cw_ctx *ctx)
{
    cw_csv *csv = csv_of(ctx, "\xEF\xBB\xBFGene1,\"Gene2\",score\r\nA,B,1\r\n\r\n\"C,\"\"x\"\"\",\"two\nlines\",\n,,3");
    CHECK(csv && cw_csv_rows(csv) == 3 && cw_csv_columns(csv) == 3, "%s", ctx->text);
    if (csv) {
        CHECK(cw_csv_find(csv, "Gene1") == 0 && cw_csv_find(csv, "score") == 2 && cw_csv_find(csv, "TF") == -1, "find");
        CHECK(strcmp(cw_csv_name(csv, 1), "Gene2") == 0 && cw_csv_name(csv, 3) == NULL, "name");
        check_cell(csv, 0, 0, "A"), check_cell(csv, 0, 2, "1");
        check_cell(csv, 1, 0, "C,\"x\""), check_cell(csv, 1, 1, "two\nlines"), check_cell(csv, 1, 2, "");
        check_cell(csv, 2, 0, ""), check_cell(csv, 2, 2, "3");
        CHECK(cw_csv_cell(csv, 3, 0) == NULL && cw_csv_cell(csv, 0, 3) == NULL && cw_csv_cell(csv, -1, 0) == NULL,
              "outside");
        CHECK(cw_csv_need(ctx, csv, "score") == 2 && cw_csv_need(ctx, csv, "TF") == -1, "need");
        expect_error(ctx, CW_ERR_FORMAT, "no column 'TF'; there are: Gene1, Gene2, score", "need");
    }
    cw_csv_free(csv);
    csv = csv_of(ctx, "TF\nA\nB\n");
    CHECK(csv && cw_csv_rows(csv) == 2 && cw_csv_columns(csv) == 1, "one column %s", ctx->text);
    cw_csv_free(csv);
    csv = csv_of(ctx, "a,b");
    CHECK(csv && cw_csv_rows(csv) == 0 && cw_csv_columns(csv) == 2, "header only %s", ctx->text);
    cw_csv_free(csv);
    csv = csv_of(ctx, "a\"b,c\rd\n1,\n");
    CHECK(csv && cw_csv_rows(csv) == 1, "quote and CR inside a plain cell %s", ctx->text);
    if (csv) CHECK(strcmp(cw_csv_name(csv, 0), "a\"b") == 0 && strcmp(cw_csv_name(csv, 1), "c\rd") == 0, "plain cell");
    check_cell(csv, 0, 1, "");
    cw_csv_free(csv);

    static const struct {
        const char *text, *says;
    } bad[] = {{"", "empty"},
               {"\n\n", "empty"},
               {"a,b\n1\n", "t.csv: line 2 has 1 cells, the header has 2"},
               {"a,b\n1,2\n\n\"x\ny\",2\n1,2,3\n", "line 6 has 3 cells"},
               {"a,b\n1,\"2\n3,4\n", "line 2: a quote that is not closed"},
               {"a,b\n\"1\"x,2\n", "line 2: text behind a closing quote"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK(csv_of(ctx, bad[i].text) == NULL, "'%s' was taken", bad[i].text);
        expect_error(ctx, CW_ERR_FORMAT, bad[i].says, bad[i].text);
    }
    CHECK(cw_csv_parse(ctx, "a\0b\n", 4, "t.csv") == NULL, "zero byte");
    expect_error(ctx, CW_ERR_FORMAT, "zero byte at position 1", "zero byte");
    put_file(in_folder("t.csv"), "TF\nGATA1\n", 9);
    csv = cw_csv_read(ctx, in_folder("t.csv"));
    check_cell(csv, 0, 0, "GATA1");
    cw_csv_free(csv);
    /* every prefix and many edits of a table: refused or read, nothing else */
    const char base[] = "a,\"b\"\"\",c\r\n\"1\n\",,\"\"\n4,5,6";
    for (size_t cut = 0; cut < sizeof base; cut++)
        for (size_t at = 0; at < cut; at++)
            for (const char *c = ",\"\n\rx"; *c; c++) {
                char text[sizeof base];
                memcpy(text, base, sizeof base);
                text[at] = *c;
                csv = cw_csv_parse(ctx, text, (int64_t)cut, "t.csv");
                CHECK((csv != NULL) == (ctx->status == CW_OK), "neither read nor refused");
                cw_csv_free(csv);
                cw_ctx_clear(ctx);
            }
}

/* ---- vocabulary ------------------------------------------------------------------------------------------------- */

static const char vocab_text[] =
    "[{\"token_index\": 0, \"gene_symbol\": \"PADDING\", \"gene_id\": \"<pad>\"},"
    " {\"token_index\": 3, \"gene_symbol\": \" Gata1 \", \"gene_id\": \"ENSG00000000001.7\"},"
    " {\"token_index\": 2, \"gene_symbol\": \"SPI1\", \"gene_id\": null},"
    " {\"token_index\": 9, \"gene_symbol\": null, \"gene_id\": \"ENSMUSG00000000005.2\"},"
    " {\"token_index\": 4, \"gene_symbol\": \"spi1\", \"gene_id\": \"ENSG00000000002\"},"
    " {\"token_index\": 3, \"gene_symbol\": \"ERYF1\", \"gene_id\": \"ENSG00000000009\"},"
    " {\"token_index\": 5, \"gene_symbol\": \"\", \"gene_id\": \"\"}]";

static void test_vocab(cw_ctx *ctx)
{
    put_file(in_folder("vocab.json"), vocab_text, strlen(vocab_text));
    cw_vocab *v = cw_vocab_read(ctx, in_folder("vocab.json"));
    CHECK(v != NULL, "%s", ctx->text);
    if (!v) return;
    for (int again = 0; again < 2; again++) { /* the second time as written by us */
        CHECK(cw_vocab_size(v) == 10 && cw_vocab_pad(v) == 0 && cw_vocab_records(v) == 7, "sizes");
        CHECK(cw_vocab_duplicates(v) == 1, "%d duplicates", (int)cw_vocab_duplicates(v));
        CHECK(cw_vocab_lookup(v, "GATA1") == 3 && cw_vocab_lookup(v, "\tgata1\n") == 3 &&
                  cw_vocab_lookup(v, "eryf1") == 3,
              "symbols");
        CHECK(cw_vocab_lookup(v, "Spi1") == 4, "the last of two wins, as published");
        CHECK(cw_vocab_lookup_ensembl(v, "ensg00000000001") == 3 && cw_vocab_lookup(v, " ENSG00000000001.12 ") == 3,
              "versions");
        CHECK(cw_vocab_lookup_ensembl(v, "ENSMUSG00000000005.2") == 9, "a version that stays");
        CHECK(cw_vocab_lookup_ensembl(v, "ENSMUSG00000000005") == -1, "only ENSG loses its version");
        CHECK(cw_vocab_lookup_symbol(v, "ENSG00000000001") == -1, "an id is no symbol");
        CHECK(cw_vocab_lookup(v, "") == -1 && cw_vocab_lookup(v, "  ") == -1 && cw_vocab_lookup(v, "NOPE") == -1,
              "unknown");
        CHECK(cw_vocab_lookup(v, "<pad>") == -1 && cw_vocab_lookup(v, "PADDING") == -1, "padding is no gene");
        CHECK(strcmp(cw_vocab_symbol(v, 2), "SPI1") == 0 && cw_vocab_symbol(v, 9) == NULL &&
                  cw_vocab_symbol(v, 1) == NULL && cw_vocab_symbol(v, 10) == NULL && cw_vocab_symbol(v, -1) == NULL,
              "symbol of a token");
        CHECK(cw_vocab_at(v, 3).token == 9 && cw_vocab_at(v, 3).symbol == NULL && cw_vocab_at(v, 7).token == -1, "at");
        CHECK(cw_vocab_write(ctx, in_folder("again.json"), v) == CW_OK, "%s", ctx->text);
        cw_vocab_free(v);
        v = cw_vocab_read(ctx, in_folder("again.json"));
        if (!v) break;
    }
    CHECK(v != NULL, "%s", ctx->text);
    cw_vocab_free(v);
    const char *all[] = {"ENSG1", " ensg2.1"}, *some[] = {"ENSG1", "ENSMUSG1"};
    CHECK(cw_vocab_names_are_ensembl(all, 2) && !cw_vocab_names_are_ensembl(some, 2) &&
              !cw_vocab_names_are_ensembl(all, 0),
          "kind");

    static const struct {
        const char *text, *says;
    } bad[] = {{"{}", "not an array"},
               {"[]", "no record has the gene_id"},
               {"[{\"token_index\": 1, \"gene_symbol\": \"A\", \"gene_id\": \"B\"}]", "no record has the gene_id"},
               {"[5]", "record 0: not an object"},
               {"[{\"token_index\": 0, \"gene_id\": \"<pad>\"}, {\"gene_id\": \"A\"}]", "record 1: no 'token_index'"},
               {"[{\"token_index\": -1, \"gene_id\": \"<pad>\"}]", "record 0: 'token_index' must be"},
               {"[{\"token_index\": 1e12, \"gene_id\": \"<pad>\"}]", "found 1000000000000"},
               {"[{\"token_index\": 0, \"gene_id\": 7}]", "'gene_id' must be text; found 7"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_file(in_folder("vocab.json"), bad[i].text, strlen(bad[i].text));
        CHECK(cw_vocab_read(ctx, in_folder("vocab.json")) == NULL, "%s was taken", bad[i].text);
        CHECK(strstr(ctx->text, "vocab.json: "), "the file is not named: %s", ctx->text);
        expect_error(ctx, CW_ERR_FORMAT, bad[i].says, bad[i].text);
    }
}

/* Enough names that the table is probed and grown. */
static void test_vocab_large(cw_ctx *ctx)
{
    enum { N = 5003 };
    static cw_vocab_record records[N];
    static char names[N][24];
    for (int i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], i ? "GENE%d" : "<pad>", i * 7919);
        records[i].token = (int32_t)(N - 1 - i);
        records[i].symbol = i ? names[i] : NULL;
        records[i].id = i ? NULL : names[i];
    }
    cw_vocab *v = cw_vocab_new(ctx, records, N);
    CHECK(v && cw_vocab_size(v) == N && cw_vocab_pad(v) == N - 1, "%s", ctx->text);
    int wrong = 0;
    for (int i = 1; v && i < N; i++) wrong += cw_vocab_lookup(v, names[i]) != N - 1 - i;
    CHECK(v && wrong == 0 && cw_vocab_lookup(v, "GENE1") == -1, "%d wrong", wrong);
    cw_vocab_free(v);
    records[5].token = -2;
    CHECK(cw_vocab_new(ctx, records, N) == NULL, "a negative token");
    expect_error(ctx, CW_ERR_ARGUMENT, "record 5: the token -2", "a negative token");
}

static void test_conditions(cw_ctx *ctx)
{
    cw_conditions *c = cw_conditions_read(ctx, in_folder("no_cond_dict.json"));
    CHECK(c && cw_conditions_size(c) == 1 && cw_conditions_lookup(c, "liver") == 0, "no file: %s", ctx->text);
    char value[24];
    for (int i = 1; i <= 100; i++) {
        snprintf(value, sizeof value, " Tissue %d ", i);
        CHECK(cw_conditions_add(ctx, c, value) == i, "add %d", i);
    }
    CHECK(cw_conditions_add(ctx, c, "tissue 7") == 7 && cw_conditions_add(ctx, c, "<NA>") == 0, "known values");
    CHECK(cw_conditions_write(ctx, in_folder("cond_dict.json"), c) == CW_OK, "%s", ctx->text);
    cw_conditions_free(c);
    c = cw_conditions_read(ctx, in_folder("cond_dict.json"));
    CHECK(c && cw_conditions_size(c) == 101 && cw_conditions_lookup(c, "TISSUE 100") == 100, "read back: %s",
          ctx->text);
    static const char *const unknown[] = {"", " ", "NaN", "None", "<NA>", "na", "NULL", "<unk>", "never seen"};
    for (size_t i = 0; c && i < sizeof unknown / sizeof *unknown; i++)
        CHECK(cw_conditions_lookup(c, unknown[i]) == 0, "'%s' is known", unknown[i]);
    CHECK(c && cw_conditions_lookup(c, NULL) == 0, "NULL");
    cw_conditions_free(c);
    const char *bad[] = {"[{\"cond_value\": \"liver\", \"token_index\": 0}]",
                         "[{\"cond_value\": \"<unk>\", \"token_index\": 2}]", "[{\"cond_value\": \"liver\"}]", "{}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_file(in_folder("cond_dict.json"), bad[i], strlen(bad[i]));
        CHECK(cw_conditions_read(ctx, in_folder("cond_dict.json")) == NULL, "%s was taken", bad[i]);
        expect_error(ctx, CW_ERR_FORMAT, "cond_dict.json", bad[i]);
    }
}

/* ---- no memory -------------------------------------------------------------------------------------------------- */

/* All of the above once, on one context. */
static void everything(cw_ctx *ctx)
{
    const char *path = in_folder("memory.safetensors");
    float x[6];
    cw_safetensors_write(ctx, path, items, pairs, ITEMS, 2);
    if (ctx->status == CW_OK) {
        cw_safetensors *f = cw_safetensors_open(ctx, path);
        if (f) cw_safetensors_read_f32(ctx, x, cw_safetensors_at(f, 0));
        cw_safetensors_close(f);
    }
    cw_csv_free(csv_of(ctx, "a,b\n1,2\n"));
    cw_json *j = json_of(ctx, vocab_text);
    cw_vocab *v = j ? cw_vocab_from_json(ctx, j, "vocab") : NULL;
    cw_json_free(j);
    if (v) cw_vocab_write(ctx, in_folder("memory.json"), v);
    cw_vocab_free(v);
    cw_conditions *c = cw_conditions_new(ctx);
    char value[24];
    for (int i = 0; c && i < 40; i++) {
        snprintf(value, sizeof value, "c%d", i);
        cw_conditions_add(ctx, c, value);
    }
    cw_conditions_free(c);
}

static void test_no_memory(void)
{
    int64_t calls = 1;
    for (int64_t at = -1; at < calls; at++) { /* -1: how many calls are there */
        cw_ctx *ctx = cw_ctx_new(NULL);
        ctx->fail_at = at;
        everything(ctx);
        if (at < 0) calls = ctx->memory.calls;
        CHECK(ctx->status == (at < 0 ? CW_OK : CW_ERR_MEMORY), "call %d: %s", (int)at, ctx->text);
        CHECK(ctx->memory.bytes == 0, "call %d leaves %d bytes", (int)at, (int)ctx->memory.bytes);
        cw_ctx_free(ctx);
    }
    CHECK(calls > 30, "%d calls", (int)calls);
}

/* ---- parts ---- */

static void count_one(void *user, const char *path)
{
    (void)path;
    ++*(int *)user;
}

/* What a process left that has ended is nobody's, also before its parent asks for it; what one at work has is its own. */
static void test_leftovers(cw_ctx *ctx)
{
    const char *target = in_folder("left.csv");
    int go[2], found = 0, status;
    siginfo_t ended;
    CHECK(pipe(go) == 0, "no pipe");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) { /* makes its part, says so, and waits for its end */
        char *part = cw_place_part(ctx, target, 1), byte = 1;
        if (!part || write(go[1], &byte, 1) != 1) _exit(1);
        pause();
        _exit(0);
    }
    char byte = 0;
    CHECK(read(go[0], &byte, 1) == 1 && byte == 1, "the child made no part");
    cw_place_leftovers(ctx, target, count_one, &found);
    CHECK(found == 0, "%d parts of a process at work are called left", found);
    kill(child, SIGKILL);
    CHECK(waitid(P_PID, (id_t)child, &ended, WEXITED | WNOWAIT) == 0, "the child is still there"); /* it isn't asked for */
#ifdef __linux__
    cw_place_leftovers(ctx, target, count_one, &found);
    CHECK(found == 1, "%d parts of a process that has ended", found);
#endif
    waitpid(child, &status, 0);
    found = 0;
    cw_place_leftovers(ctx, target, count_one, &found);
    CHECK(found == 1, "%d parts of a process that is no more", found);
    char *part = cw_place_part(ctx, target, 0); /* removes them */
    cw_free(ctx, part);
    found = 0;
    cw_place_leftovers(ctx, target, count_one, &found);
    CHECK(found == 0, "%d parts stay", found);
    close(go[0]), close(go[1]);
}

int main(void)
{
    const char *tmp = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/cw-test-io-XXXXXX", tmp && strlen(tmp) < 150 ? tmp : "/tmp");
    if (!mkdtemp(folder)) return 1;
    cw_ctx *ctx = cw_ctx_new(NULL);
    test_json_values(ctx);
    test_json_options(ctx);
    test_json_refused(ctx);
    test_json_write(ctx);
    test_safetensors_round_trip(ctx);
    test_safetensors_convert(ctx);
    test_safetensors_lies(ctx);
    test_safetensors_write_refused(ctx);
    test_safetensors_mutations(ctx);
    test_json_mutations();
    test_table_mutations();
    test_csv(ctx);
    test_vocab(ctx);
    test_vocab_large(ctx);
    test_conditions(ctx);
    test_no_memory();
    test_leftovers(ctx);
    CHECK(ctx->status == CW_OK && ctx->memory.bytes == 0, "left: %s, %d bytes", ctx->text, (int)ctx->memory.bytes);
    cw_ctx_free(ctx);
    static const char *const made[] = {"a.safetensors",
                                       "b.safetensors",
                                       "m.safetensors",
                                       "keep.safetensors",
                                       "short.safetensors",
                                       "none.safetensors",
                                       "memory.safetensors",
                                       "memory.json",
                                       "out.json",
                                       "bad.json",
                                       "t.csv",
                                       "vocab.json",
                                       "again.json",
                                       "cond_dict.json"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) remove(in_folder(made[i]));
    CHECK(rmdir(folder) == 0, "files were left in %s", folder);
    return test_end();
}
