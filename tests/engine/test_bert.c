/* test_bert.c: BERT's tokenizer, on the cases of the published one; and what its model class learns and refuses. (What it
 * computes: golden cases, see parity_bert.h.) */
#if !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif
#include "core/rng.h"
#include "io/json.h"
#include "io/unicode.h"
#include "io/wordpiece.h"
#include "kernels/kernels.h"
#include "kill_case.h"
#include "models/bert/bert.h"
#include "test.h"
#include "train/trainer.h"

#include <unistd.h>

#define FOLDER "../fixtures/bert_a/"

static void expect_error(cw_ctx *ctx, cw_status status, const char *says)
{
    CHECK(ctx->status == status && strstr(ctx->text, says), "status %s, text '%s', wanted '%s'",
          cw_status_name(ctx->status), ctx->text, says);
    cw_ctx_clear(ctx);
}

/* ---- the tokenizer ---- */

static int same_ids(const int32_t *got, int64_t n, const cw_json *want)
{
    int64_t i = 0;
    double x;
    for (const cw_json *v = cw_json_first(want); v; v = cw_json_next(v), i++)
        if (i >= n || !cw_json_as_number(&x, v) || (int32_t)x != got[i]) return 0;
    return i == n;
}

/* The cases; a zero character, which JSON here doesn't take, is one that is dropped too, U+FFFD. */
static cw_json *read_cases(cw_ctx *ctx)
{
    char *text = calloc(1, 100000);
    FILE *f = fopen(FOLDER "tokenizer_cases.json", "rb");
    size_t n = f && text ? fread(text, 1, 99999, f) : 0;
    if (f) fclose(f);
    for (char *zero; text && (zero = strstr(text, "\\u0000"));) memcpy(zero, "\\ufffd", 6);
    cw_json *cases = cw_json_parse(ctx, text, (int64_t)n);
    free(text);
    return cases;
}

static void test_cases(cw_ctx *ctx)
{
    cw_wordpiece *w = cw_wordpiece_read(ctx, FOLDER "vocab.txt", 1);
    cw_json *cases = read_cases(ctx);
    CHECK(w && cw_wordpiece_size(w) == 156 && cw_wordpiece_pad(w) == 0, "%s", ctx->text);
    int n = 0;
    for (const cw_json *c = w && cases ? cw_json_first(cases) : NULL; c; c = cw_json_next(c)) {
        const char *text = cw_json_string(ctx, c, "text", NULL), *how = cw_json_string(ctx, c, "truncation", "");
        cw_truncation cut = strcmp(how, "only_first") == 0    ? CW_TRUNCATE_FIRST
                            : strcmp(how, "only_second") == 0 ? CW_TRUNCATE_SECOND
                                                              : CW_TRUNCATE_LONGEST;
        int64_t most = *how ? cw_json_int(ctx, c, "max_length", 0, 0, 1000) : 0;
        cw_tokens t = {0};
        if (text) {
            cw_wordpiece_add(ctx, w, &t, text, cw_json_string(ctx, c, "pair", NULL), most, cut);
            CHECK(same_ids(t.id, t.n, cw_json_array(ctx, c, "input_ids")), "'%s', %s", text, ctx->text);
            const cw_json *types = cw_json_array(ctx, c, "token_type_ids");
            if (types) CHECK(same_ids(t.type, t.n, types), "types of '%s'", text);
            n++;
        } else { /* a batch; the rest of each row is padding */
            const cw_json *row = cw_json_first(cw_json_array(ctx, c, "input_ids"));
            for (const cw_json *x = cw_json_first(cw_json_array(ctx, c, "batch")); x; x = cw_json_next(x), n++) {
                t.n = 0;
                cw_wordpiece_add(ctx, w, &t, cw_json_text(x), NULL, most, cut);
                int64_t real = t.n;
                cw_tokens padded = t;
                int32_t all[64] = {0};
                memcpy(all, t.id, (size_t)real * sizeof *all);
                padded.id = all;
                CHECK(same_ids(padded.id, cw_json_count(row), row), "'%s' of a batch", cw_json_text(x));
                row = cw_json_next(row);
            }
        }
        cw_tokens_free(ctx, &t);
    }
    CHECK(n > 110 && ctx->status == CW_OK, "%d cases, %s", n, ctx->text);
    cw_tokens t = {0};
    CHECK(w && cw_wordpiece_add(ctx, w, &t, "neuron", "cell", 2, CW_TRUNCATE_LONGEST) == -1, "too few tokens");
    expect_error(ctx, CW_ERR_ARGUMENT, "too few");
    CHECK(w && cw_wordpiece_add(ctx, w, &t, "neur\xff", NULL, 0, CW_TRUNCATE_LONGEST) == -1, "not UTF-8");
    expect_error(ctx, CW_ERR_ARGUMENT, "UTF-8");
    cw_tokens_free(ctx, &t);
    cw_json_free(cases);
    cw_wordpiece_free(w);
}

static void test_characters(void)
{
    static const struct {
        uint32_t c;
        int n;
        uint32_t to[3];
    } folds[] = {{'A', 1, {'a'}},       {'z', 1, {'z'}},         {0xC9, 1, {'e'}},    {0xDF, 1, {0xDF}},
                 {0x130, 1, {'i'}},     {0x3A3, 1, {0x3C3}},     {0x301, 0, {0}},     {0xAC01, 3, {0x1100, 0x1161, 0x11A8}},
                 {0xFB01, 1, {0xFB01}}, {0x1E9E, 1, {0xDF}},     {0x10400, 1, {0x10428}}, {0x212B, 1, {'a'}},
                 {0x178, 1, {'y'}},     {0x9CB, 2, {0x9C7, 0x9BE}}, {0x100, 1, {'a'}}, {0x410, 1, {0x430}}};
    for (size_t i = 0; i < sizeof folds / sizeof *folds; i++) {
        uint32_t out[3] = {0};
        int n = cw_char_fold(out, folds[i].c);
        CHECK(n == folds[i].n && memcmp(out, folds[i].to, (size_t)n * sizeof *out) == 0, "U+%04X: %d, U+%04X",
              (unsigned)folds[i].c, n, (unsigned)out[0]);
    }
    CHECK(cw_char_kind_of(0xAD) == CW_CHAR_DROP && cw_char_kind_of(0x10FFFF) == CW_CHAR_DROP &&
              cw_char_kind_of(0x3000) == CW_CHAR_BLANK && cw_char_kind_of('$') == CW_CHAR_PUNCT &&
              cw_char_kind_of(0x300) == CW_CHAR_MARK && cw_char_kind_of('a') == CW_CHAR_OTHER,
          "kinds");
    for (uint32_t c = 1; c < 0x110000; c += c < 0x3000 ? 1 : 97) {
        char text[8] = {0};
        int64_t at = 0;
        if (c >= 0xD800 && c < 0xE000) continue;
        int n = cw_utf8_put(text, c);
        CHECK(cw_utf8_next(text, &at) == c && at == n, "U+%04X as UTF-8", (unsigned)c);
    }
}

static void test_bad_vocab(cw_ctx *ctx)
{
    char path[] = "/tmp/cw_vocab_XXXXXX";
    int fd = mkstemp(path);
    FILE *f = fd >= 0 ? fdopen(fd, "wb") : NULL;
    CHECK(f && fputs("[PAD]\r\n[CLS]\r\n[SEP]\r\ncell\r\n", f) >= 0, "could not set up");
    if (f) fclose(f);
    CHECK(!cw_wordpiece_read(ctx, path, 1), "no [UNK]");
    expect_error(ctx, CW_ERR_FORMAT, "[UNK]");
    CHECK(!cw_wordpiece_read(ctx, "/tmp/nowhere.txt", 1), "no file");
    expect_error(ctx, CW_ERR_IO, "nowhere");
    unlink(path);
}

/* Any text that is UTF-8 gives tokens of the vocabulary. */
static void test_any_text(cw_ctx *ctx)
{
    cw_wordpiece *w = cw_wordpiece_read(ctx, FOLDER "vocab.txt", 1);
    for (uint64_t round = 0; w && round < 400; round++) {
        cw_stream s = cw_rng_stream(3, CW_RNG_USER, round, 0);
        char text[2000];
        int n = 0;
        for (uint64_t i = 0; n < 1900 && i < 30 + round; i++) {
            uint32_t word[4];
            cw_rng_block(word, s, i);
            uint32_t c = word[0] % 3 == 0 ? 1 + word[1] % 0x10FFFE : word[0] % 3 == 1 ? 32 + word[1] % 96 : 1 + word[1] % 0x2FFF;
            if (c < 0xD800 || c > 0xDFFF) n += cw_utf8_put(text + n, c);
        }
        text[n] = '\0';
        cw_tokens t = {0};
        int64_t got = cw_wordpiece_add(ctx, w, &t, text, text, 64, CW_TRUNCATE_LONGEST);
        int sound = got >= 3 && got <= 64;
        for (int64_t i = 0; sound && i < t.n; i++) sound = t.id[i] >= 0 && t.id[i] < cw_wordpiece_size(w);
        CHECK(sound, "round %d: %s", (int)round, ctx->text);
        cw_tokens_free(ctx, &t);
    }
    cw_wordpiece_free(w);
}

/* ---- the model ---- */

static const cw_option small[] = {{"vocab_size", NULL, 20},       {"hidden_size", NULL, 16},
                                  {"num_hidden_layers", NULL, 2}, {"num_attention_heads", NULL, 2},
                                  {"intermediate_size", NULL, 24}, {"max_position_embeddings", NULL, 8},
                                  {"mlm_head", NULL, 1},          {"hidden_dropout_prob", NULL, 0}};
#define SMALL (int64_t)(sizeof small / sizeof *small)

static cw_array ints(const char *name, const int32_t *x, int64_t n)
{
    return (cw_array){.name = name, .type = CW_ARRAY_I32, .ndim = 1, .dim = {n}, .data = x};
}

/* The token in the middle is told by its neighbours. */
static void test_learns(cw_ctx *ctx)
{
    cw_model *m = cw_model_make(ctx, &cw_bert_class, small, SMALL, 1, 5);
    cw_tape *tape = cw_tape_new(ctx);
    enum { N = 10, L = 5 };
    int32_t id[N * L], length[N], target[N * L];
    for (int i = 0; i < N; i++) {
        int32_t row[L] = {2, 5 + i, 4, 19 - i, 3};
        memcpy(id + i * L, row, sizeof row);
        for (int j = 0; j < L; j++) target[i * L + j] = -100;
        target[i * L + 2] = 5 + (i * 7) % 13;
        length[i] = L;
    }
    cw_array item[] = {ints("id", id, N * L), ints("length", length, N), ints("target", target, N * L)};
    cw_optimizer adam = {.kind = CW_ADAMW, .lr = 0.01f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f, .total_steps = 200};
    cw_trainer *tr = m ? cw_trainer_new(m, tape, cw_model_task(&cw_bert_class, "pretrain"), &adam, NULL, NULL, 0, NULL, 9)
                       : NULL;
    cw_step_report report = {0};
    double first = 0;
    for (int i = 0; tr && i < 150; i++) {
        cw_trainer_micro(tr, item, 3, 0, NULL, 1.0f, &report);
        if (i == 0) first = report.total;
        cw_trainer_apply(tr, &report);
    }
    cw_trainer_micro(tr, item, 3, 0, NULL, 1.0f, &report);
    CHECK(ctx->status == CW_OK && first > 2.5 && report.total < 0.3, "%s: from %g to %g", ctx->text, first, report.total);
    cw_trainer_free(tr);
    cw_tape_free(tape);
    cw_model_free(m);
}

static void *no_room(void *user, const char *name, cw_array_type type, int ndim, const int64_t *dim)
{
    (void)name, (void)type, (void)ndim, (void)dim;
    return user;
}

static void test_refusals(cw_ctx *ctx)
{
    cw_model *m = cw_model_make(ctx, &cw_bert_class, small, SMALL, 1, 5);
    cw_tape *tape = cw_tape_new(ctx);
    float room[400];
    cw_sink sink = {room, no_room};
    const int32_t id[] = {2, 5, 3, 2, 6, 7, 8, 9, 3}, length[] = {3, 6}, wrong[] = {3, 5}, high[] = {2, 20, 3};
    const int32_t none[] = {1, 1, 1, 0, 0, 0, 0, 0, 0}, long_id[9] = {2, 5, 5, 5, 5, 5, 5, 5, 3}, nine[] = {9};
    struct {
        cw_array item[3];
        int64_t n;
        const char *says;
    } bad[] = {{{ints("id", id, 9), ints("length", wrong, 2)}, 2, "don't fill the 9 tokens"},
               {{ints("id", high, 3), ints("length", length, 1)}, 2, "token 20"},
               {{ints("id", id, 9), ints("length", length, 2), ints("mask", none, 9)}, 3, "no token to attend to"},
               {{ints("id", long_id, 9), ints("length", nine, 1)}, 2, "reads 1 to 8"},
               {{ints("id", id, 9)}, 1, "length"},
               {{ints("id", id, 9), ints("length", length, 2), ints("words", id, 9)}, 3, "words"}};
    const cw_query *states = cw_model_query(&cw_bert_class, "states"), *embed = cw_model_query(&cw_bert_class, "embed");
    struct {
        int pool;
        int64_t early;
    } setting = {0, 0};
    for (size_t i = 0; m && i < sizeof bad / sizeof *bad; i++) {
        CHECK(cw_model_run(m, tape, states, bad[i].item, bad[i].n, &setting, &sink) != CW_OK, "%zu taken", i);
        expect_error(ctx, ctx->status, bad[i].says);
    }
    cw_array good[] = {ints("id", id, 9), ints("length", length, 2)};
    setting.pool = 3;
    CHECK(m && cw_model_run(m, tape, embed, good, 2, &setting, &sink) != CW_OK, "a pooler that isn't there");
    expect_error(ctx, CW_ERR_STATE, "no pooler");
    setting.pool = 0, setting.early = 3;
    CHECK(m && cw_model_run(m, tape, embed, good, 2, &setting, &sink) != CW_OK, "more layers than there are");
    expect_error(ctx, CW_ERR_ARGUMENT, "left out of 2");
    cw_model_free(m);
    cw_option odd[SMALL];
    memcpy(odd, small, sizeof odd);
    odd[3].number = 3;
    CHECK(!cw_model_make(ctx, &cw_bert_class, odd, SMALL, 1, 5), "3 heads of 16");
    expect_error(ctx, CW_ERR_ARGUMENT, "multiple of num_attention_heads 3");
    cw_option act[] = {{"hidden_act", "swish", 0}};
    CHECK(!cw_model_make(ctx, &cw_bert_class, act, 1, 0, 5), "an activation it doesn't have");
    expect_error(ctx, ctx->status, "swish");
    cw_tape_free(tape);
}

/* Triples with relations of the model's own and negatives it draws: learnt; an unknown relation and a triple alone are
 * refused; relations need a projection. */
static void test_triples(cw_ctx *ctx)
{
    enum { N = 6 };
    cw_option with[SMALL + 2];
    memcpy(with, small, sizeof small);
    with[SMALL] = (cw_option){"relations", NULL, 2};
    CHECK(!cw_model_make(ctx, &cw_bert_class, with, SMALL + 1, 1, 5), "relations without a projection");
    expect_error(ctx, CW_ERR_ARGUMENT, "need a projection");
    with[SMALL + 1] = (cw_option){"projection", NULL, 8};
    cw_model *m = cw_model_make(ctx, &cw_bert_class, with, SMALL + 2, 1, 5);
    cw_tape *tape = cw_tape_new(ctx);
    int32_t head[3 * N], tail[3 * N], length[N], relation[N];
    for (int i = 0; i < N; i++) {
        head[3 * i] = tail[3 * i] = 2, head[3 * i + 2] = tail[3 * i + 2] = 3;
        head[3 * i + 1] = 5 + i, tail[3 * i + 1] = 12 + i, length[i] = 3, relation[i] = i == 5;
    }
    float apart[N] = {0, 0, 0, 0, 0, 1};
    cw_array item[] = {ints("headId", head, 3 * N), ints("headLength", length, N), ints("tailId", tail, 3 * N),
                       ints("tailLength", length, N), ints("relationId", relation, N),
                       {.name = "apart", .type = CW_ARRAY_F32, .ndim = 1, .dim = {N}, .data = apart}};
    if (m) kill_batches(m, "triplet", NULL, item, 6);
    const cw_optimizer adam = {.kind = CW_ADAMW, .lr = 0.005f, .beta1 = 0.9f, .beta2 = 0.999f, .eps = 1e-8f,
                               .total_steps = 80};
    cw_trainer *tr = m ? cw_trainer_new(m, tape, cw_model_task(&cw_bert_class, "triplet"), &adam, NULL, NULL, 0, NULL, 9)
                       : NULL;
    cw_step_report report = {0};
    double first = 0, seen[2] = {0, 0};
    for (int i = 0; tr && i < 80; i++) {
        cw_trainer_micro(tr, item, 6, 0, NULL, 1.0f, &report);
        if (i < 2) seen[i] = report.total;
        if (i == 0) first = report.total;
        if (i == 0) cw_trainer_abandon(tr), tr->step++; /* the same weights, other negatives */
        else cw_trainer_apply(tr, &report);
    }
    cw_trainer_micro(tr, item, 6, 0, NULL, 1.0f, &report);
    CHECK(ctx->status == CW_OK && report.total < 0.5 * first, "%s: from %g to %g", ctx->text, first, report.total);
    CHECK(seen[0] != seen[1], "the same negatives in every step: %g", seen[0]);
    relation[2] = 2;
    cw_trainer_micro(tr, item, 6, 0, NULL, 1.0f, &report);
    expect_error(ctx, CW_ERR_ARGUMENT, "relation 2 is none of 2");
    relation[2] = 0;
    for (int i = 0; i < 6; i++) item[i].dim[0] = i == 0 || i == 2 ? 3 : 1;
    cw_trainer_micro(tr, item, 6, 0, NULL, 1.0f, &report);
    expect_error(ctx, CW_ERR_ARGUMENT, "one triple");
    cw_trainer_free(tr);
    cw_tape_free(tape);
    cw_model_free(m);
}

/* Many texts at once are embedded in blocks: as one by one. */
static void test_blocks(cw_ctx *ctx)
{
    cw_model *m = cw_model_make(ctx, &cw_bert_class, small, SMALL, 1, 5);
    cw_tape *tape = cw_tape_new(ctx);
    enum { N = 3000 };
    int32_t *id = malloc(N * 8 * sizeof *id), length[N], at = 0, mask[N * 8];
    for (int i = 0; i < N; i++) {
        length[i] = 3 + i % 6;
        for (int j = 0; j < length[i]; j++) mask[at] = j != 1, id[at++] = (i + j * j) % 20;
    }
    float *all = malloc(N * 16 * sizeof *all), one[16];
    cw_array item[] = {ints("id", id, at), ints("length", length, N), ints("mask", mask, at)};
    const cw_query *embed = cw_model_query(&cw_bert_class, "embed");
    struct {
        int pool;
        int64_t early;
    } setting = {0, 0};
    cw_sink sink = {all, no_room}, small_sink = {one, no_room};
    CHECK(m && cw_model_run(m, tape, embed, item, 3, &setting, &sink) == CW_OK, "%s", ctx->text);
    for (int i = 0, from = 0; i < N; from += length[i++]) {
        if (i % 97) continue;
        cw_array alone[] = {ints("id", id + from, length[i]), ints("length", length + i, 1), ints("mask", mask + from, length[i])};
        cw_model_run(m, tape, embed, alone, 3, &setting, &small_sink);
        double most = 0;
        for (int j = 0; j < 16; j++) most = fmax(most, fabs((double)(one[j] - all[i * 16 + j])));
        CHECK(most < 1e-5, "text %d: %g apart", i, most);
    }
    free(id), free(all);
    cw_tape_free(tape);
    cw_model_free(m);
}

int main(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->kernels = cw_kernels_select(NULL);
    test_cases(ctx);
    test_characters();
    test_bad_vocab(ctx);
    test_any_text(ctx);
    test_learns(ctx);
    test_refusals(ctx);
    test_blocks(ctx);
    test_triples(ctx);
    CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
    return test_end();
}
