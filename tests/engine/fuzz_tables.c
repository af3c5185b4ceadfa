/* fuzz_tables.c: any bytes at all as a CSV table, a vocabulary in JSON, a file of relations, a tokenizer's vocabulary and
 * a text; they may be refused, nothing else.
 *
 * test_io.c includes this file and drives it with its own mutations; tests/fuzz/weights.sh for as long as one likes. */
#include "core/core.h"
#include "io/csv.h"
#include "io/json.h"
#include "io/relations.h"
#include "io/vocab.h"
#include "io/wordpiece.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef FUZZ_TABLES
#define FUZZ_TABLES LLVMFuzzerTestOneInput
#endif

int FUZZ_TABLES(const uint8_t *bytes, size_t n);

static volatile double fuzz_tables_sum; /* so that reading isn't left out */

static void fuzz_csv(cw_ctx *ctx, const char *text, int64_t n)
{
    cw_csv *csv = cw_csv_parse(ctx, text, n, "the fuzzer's");
    if ((csv != NULL) != (ctx->status == CW_OK)) __builtin_trap();
    for (int64_t j = 0; csv && j < cw_csv_columns(csv); j++) {
        int64_t first = cw_csv_find(csv, cw_csv_name(csv, j));
        if (first < 0 || first > j) __builtin_trap();
        for (int64_t i = 0; i < cw_csv_rows(csv); i++) fuzz_tables_sum += (double)strlen(cw_csv_cell(csv, i, j));
    }
    if (csv && (cw_csv_cell(csv, cw_csv_rows(csv), 0) || cw_csv_cell(csv, -1, 0))) __builtin_trap();
    cw_csv_free(csv);
    cw_ctx_clear(ctx);
}

static void fuzz_vocab(cw_ctx *ctx, const char *text, int64_t n)
{
    cw_json *json = cw_json_parse(ctx, text, n);
    cw_vocab *vocab = json ? cw_vocab_from_json(ctx, json, "the fuzzer's") : NULL;
    if ((vocab != NULL) != (ctx->status == CW_OK)) __builtin_trap();
    for (int64_t i = 0; vocab && i < cw_vocab_records(vocab); i++) {
        cw_vocab_record r = cw_vocab_at(vocab, i);
        if (r.token < 0 || r.token >= cw_vocab_size(vocab)) __builtin_trap();
        if (r.symbol && cw_vocab_lookup(vocab, r.symbol) >= cw_vocab_size(vocab)) __builtin_trap();
        if (r.id && cw_vocab_lookup_ensembl(vocab, r.id) >= cw_vocab_size(vocab)) __builtin_trap();
    }
    cw_vocab_free(vocab);
    cw_json_free(json);
    cw_ctx_clear(ctx);
}

static void fuzz_relations(const char *text, int64_t n)
{
    for (int64_t at = 0, end; at < n; at = end + 1) {
        const char *stop = memchr(text + at, '\n', (size_t)(n - at));
        end = stop ? stop - text : n;
        for (int way = 0; way < 2; way++) {
            cw_relation r;
            if (!(way ? cw_relation_read_words : cw_relation_read)(&r, text + at, end - at)) continue;
            if (r.head < text + at || r.head + r.head_length > text + end || !cw_relation_name(r.relation))
                __builtin_trap();
            fuzz_tables_sum += r.tail_length > 0 ? r.tail[r.tail_length - 1] : 0;
        }
    }
}

/* `text` ends with 0. */
static void fuzz_tokens(cw_ctx *ctx, const char *path, const char *text)
{
    for (int lower = 0; lower < 2; lower++) {
        cw_wordpiece *w = cw_wordpiece_read(ctx, path, lower);
        cw_tokens tokens = {0};
        if ((w != NULL) != (ctx->status == CW_OK)) __builtin_trap();
        if (w) cw_wordpiece_add(ctx, w, &tokens, text, text, 64, CW_TRUNCATE_LONGEST);
        for (int64_t k = 0; k < tokens.n; k++)
            if (tokens.id[k] < 0 || tokens.id[k] >= cw_wordpiece_size(w)) __builtin_trap();
        cw_tokens_free(ctx, &tokens);
        cw_wordpiece_free(w);
        cw_ctx_clear(ctx);
    }
}

static int fuzz_write(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f) return 0;
    size_t written = fwrite(bytes, 1, n, f);
    return fclose(f) == 0 && written == n;
}

int FUZZ_TABLES(const uint8_t *bytes, size_t n)
{
    static const char few[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n##b\nt\n##cell\n";
    char path[64], known[64];
    snprintf(path, sizeof path, "/tmp/causeway-fuzz-%d.txt", (int)getpid());
    snprintf(known, sizeof known, "/tmp/causeway-fuzz-%d.vocab", (int)getpid());
    cw_ctx *ctx = cw_ctx_new(NULL);
    if (!ctx) return 0;
    ctx->memory.limit = (int64_t)1 << 26; /* a lie about sizes is not to be paid for */
    char *text = cw_alloc(ctx, (int64_t)n + 1, 1);
    if (text) {
        if (n) memcpy(text, bytes, n);
        text[n] = 0;
        fuzz_csv(ctx, text, (int64_t)n);
        fuzz_vocab(ctx, text, (int64_t)n);
        fuzz_relations(text, (int64_t)n);
        if (fuzz_write(path, bytes, n)) fuzz_tokens(ctx, path, "A t-cell");
        if (fuzz_write(known, few, sizeof few - 1)) fuzz_tokens(ctx, known, text);
        unlink(path), unlink(known);
    }
    cw_free(ctx, text);
    if (ctx->memory.bytes != 0) __builtin_trap(); /* a leak */
    cw_ctx_free(ctx);
    return 0;
}
