/* test_sha256.c: the digests of FIPS 180-4's examples, in pieces of every size. */
#include "test.h"

#include "io/sha256.h"

static const char *digest(const char *data, size_t n, size_t piece)
{
    static char text[65];
    cw_sha256 s;
    cw_sha256_start(&s);
    for (size_t at = 0; at < n; at += piece) cw_sha256_add(&s, data + at, n - at < piece ? n - at : piece);
    cw_sha256_text(text, &s);
    return text;
}

int main(void)
{
    static const struct { const char *data, *want; } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"}};
    for (int i = 0; i < 3; i++)
        for (size_t piece = 1; piece < 70; piece++)
            CHECK(strcmp(digest(cases[i].data, strlen(cases[i].data), piece), cases[i].want) == 0, "%d by %d", i,
                  (int)piece);
    char *a = malloc(1000000);
    memset(a, 'a', 1000000);
    CHECK(strcmp(digest(a, 1000000, 999), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0") == 0,
          "a million");
    for (size_t n = 0; n < 200; n++) {
        char whole[65];
        memcpy(whole, digest(a, n, n + 1), 65);
        CHECK(strcmp(whole, digest(a, n, 7)) == 0, "%d bytes in pieces", (int)n);
    }
    cw_ctx *ctx = cw_ctx_new(NULL);
    char text[65];
    const char *path = "build/sha256.tmp";
    FILE *f = fopen(path, "wb");
    if (f) {
        fwrite(a, 1, 1000000, f), fclose(f);
        CHECK(cw_sha256_file(ctx, text, path) == CW_OK && strncmp(text, "cdc76e5c", 8) == 0, "%s", ctx->text);
        remove(path);
    }
    CHECK(cw_sha256_file(ctx, text, "no/such/file") == CW_ERR_IO, "a file that isn't there");
    cw_ctx_free(ctx);
    free(a);
    return test_end();
}
