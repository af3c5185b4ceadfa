/* test_kcellfm.c: KCellFM beyond its golden cases: how counts are read, that padding and company don't matter, a cell's
 * three vectors, how the ranking loss draws, what is refused, that it learns, that nothing is left when memory fails. */
#include "models/kcellfm/kcellfm.h"
#include "count_cells.h"
#include "kill_case.h"
#include "model_rig.h"

enum { WIDTH = 16, TYPES = 4 };

static const cw_option small[] = {
    {"ntoken", NULL, GENES + 2},       {"pad_token_id", NULL, 0},       {"cls_token_id", NULL, GENES + 1},
    {"d_model", NULL, WIDTH},          {"nlayers", NULL, 2},            {"class_num", NULL, 2},
    {"mamba2.d_state", NULL, 6},       {"mamba2.headdim", NULL, 8},     {"dropout", NULL, 0},
    {"cell_emb_style", "cls", 0},      {"bidirectional_strategy", "add", 0},
    {"bidirectional_weight_tie", NULL, 1}};
enum { SMALL = 12, HEAD_DIM = 7, CELL = 9, STRATEGY = 10, TIED = 11 };

static rig open_with(int at, double number, const char *text)
{
    cw_option option[SMALL];
    memcpy(option, small, sizeof option);
    if (at >= 0) option[at].number = number, option[at].text = text;
    return open_rig(&cw_kcellfm_class, option, SMALL);
}

static void reading(void)
{
    rig r = open_with(-1, 0, NULL);
    static counted c;
    shelf a, b;
    cw_array dense[2];
    double scaled[GENES];
    const cw_option logged[] = {{"total", NULL, 0}, {"zeros", NULL, 1}};
    counts_are_read(&r, &c, WIDTH, logged[0], &a, dense, scaled);
    states_are_rows(&r, &c, WIDTH);
    CHECK(a.n == 2, "two answers");
    /* values below 0 are taken as they are */
    for (int g = 0; g < GENES; g++) scaled[g] = g - 10;
    ask(&r, "tokens", logged, 1, dense, 2, &b);
    CHECK(b.count[0] == GENES && ((float *)b.data[1])[0] == 0 && ((float *)b.data[1])[1] == -10, "z-scores, but 0");
    empty(&b);
    ask(&r, "tokens", logged, 2, dense, 2, &b);
    CHECK(b.count[0] == GENES + 1, "all markers are kept");
    empty(&b), empty(&a);
    /* of more genes some, in the order of the columns */
    const cw_option few[] = {{"maxLength", NULL, 8}};
    ask(&r, "tokens", few, 1, c.item, 2, &b);
    CHECK(b.count[0] == CELLS * 8, "%lld tokens", (long long)b.count[0]);
    for (int i = 0; i < CELLS * 8; i++) {
        int32_t now = ((int32_t *)b.data[0])[i], next = i % 8 < 7 ? ((int32_t *)b.data[0])[i + 1] : GENES + 1;
        CHECK(i % 8 ? now < next : now == GENES + 1, "token %d of place %d", now, i);
    }
    empty(&b), close_rig(&r);
}

/* Padding, computed or not, changes no token's row; the order of the genes does. */
static void places(void)
{
    enum { L = 5, LONG = 9 };
    rig r = open_with(-1, 0, NULL);
    int32_t src[LONG] = {GENES + 1, 3, 7, 2, 9}, turned[LONG] = {GENES + 1, 7, 3, 2, 9};
    float value[LONG] = {0, 1, 2, 0.5f, 3, -2, -2, -2, -2}, other[LONG] = {0, 2, 1, 0.5f, 3};
    int32_t pad[LONG] = {0, 0, 0, 0, 0, 1, 1, 1, 1};
    cw_array item[3] = {{"src", CW_ARRAY_I32, 2, {1, L}, src, NULL, NULL},
                        {"values", CW_ARRAY_F32, 2, {1, L}, value, NULL, NULL},
                        {"padding", CW_ARRAY_I32, 2, {1, L}, pad, NULL, NULL}};
    const cw_option padded[] = {{"mlm", NULL, 1}, {"padded", NULL, 1}};
    shelf a, b, c;
    ask(&r, "predict", padded, 1, item, 2, &a);
    item[0].data = turned, item[1].data = other;
    ask(&r, "predict", padded, 1, item, 2, &c);
    CHECK(fabsf(((float *)a.data[0])[4] - ((float *)c.data[0])[4]) > 1e-4f, "the order of genes is told");
    item[0].data = src, item[1].data = value;
    for (int i = 0; i < 3; i++) item[i].dim[1] = LONG;
    ask(&r, "predict", padded, 2, item, 3, &b);
    CHECK(apart(a.data[0], b.data[0], L) < 1e-5, "padding changes a token by %g", apart(a.data[0], b.data[0], L));
    CHECK(isfinite(((float *)b.data[0])[LONG - 1]), "padding is computed");
    empty(&b);
    ask(&r, "predict", padded, 1, item, 3, &b);
    CHECK(isnan(((float *)b.data[0])[LONG - 1]), "padding isn't computed");
    empty(&a), empty(&b), empty(&c), close_rig(&r);
}

/* The three vectors of a cell, by hand from the tokens' rows. */
static void vectors(void)
{
    static const char *const style[] = {"cls", "avg-pool", "w-pool"};
    for (int s = 0; s < 3; s++) {
        rig r = open_with(CELL, 0, style[s]);
        static counted c;
        fill_counted(&c, 1);
        cw_kcellfm_batch b;
        const cw_scgpt_reading how = {.most = 100, .total = 1e4f};
        cw_tape_reset(r.tape, 0, 0, 1, 0);
        cw_inputs in = cw_model_inputs(r.m, r.tape->arena, c.item, 2);
        cw_scgpt_input x = cw_scgpt_input_read(&in);
        const cw_kcellfm *m = (const cw_kcellfm *)r.m;
        CHECK(cw_kcellfm_batch_build(&b, r.tape->arena, &x, &how, &m->config) == CW_OK, "%s", r.ctx->text);
        cw_kcellfm_output y = cw_kcellfm_forward(m, r.tape, &b, NULL);
        const float *hidden = cw_tape_host(r.tape, y.hidden), *cell = cw_tape_host(r.tape, y.cell);
        for (int i = 0; i < CELLS && hidden && cell; i++) {
            double sum[WIDTH] = {0}, length = 0;
            int64_t first = b.token.seq.start[i], end = b.token.seq.start[i + 1];
            for (int64_t row = first; row < end; row++)
                for (int j = 0; j < WIDTH; j++) {
                    double w = s == 0 ? row == first : s == 1 ? 1.0 / (double)(end - first) : (double)b.token.value[row];
                    sum[j] += w * (double)hidden[row * WIDTH + j];
                }
            for (int j = 0; j < WIDTH; j++) length += sum[j] * sum[j];
            for (int j = 0; j < WIDTH; j++) {
                double want = s == 2 ? sum[j] / sqrt(length) : sum[j], got = (double)cell[i * WIDTH + j];
                CHECK(fabs(want - got) < 1e-5, "%s: %g for %g", style[s], got, want);
            }
        }
        CHECK(r.ctx->status == CW_OK && cell, "%s", r.ctx->text);
        close_rig(&r);
    }
}

static float type_vector[TYPES * WIDTH];
static int32_t close_types[TYPES * TYPES], drawn_label[64];

/* Drawn proxies and negatives: never the own type, negatives never a close one unless there is no other. */
static void drawing(void)
{
    rig r = open_with(-1, 0, NULL);
    enum { N = 64 };
    static float cell[N * WIDTH];
    uint8_t close[TYPES * TYPES] = {0};
    cw_kcellfm_types types = {.vector = type_vector, .close = close, .label = drawn_label, .classes = TYPES, .cells = N};
    for (int i = 0; i < TYPES * WIDTH; i++) type_vector[i] = (float)sin(i + 1);
    for (int i = 0; i < N * WIDTH; i++) cell[i] = (float)cos(i * 7 % 31);
    for (int i = 0; i < N; i++) drawn_label[i] = i % TYPES;
    /* 0 and 1 are close; 2 is close to all others, so that its negative has to be a close one; 3 is alone but for 2 */
    close[0 * TYPES + 1] = close[1 * TYPES + 0] = 1;
    for (int k = 0; k < TYPES; k++) close[2 * TYPES + k] = k != 2;
    double unit_cell[N][WIDTH], unit_type[TYPES][WIDTH], cosine[N][TYPES] = {{0}};
    for (int i = 0; i < N + TYPES; i++) {
        const float *x = i < N ? cell + i * WIDTH : type_vector + (i - N) * WIDTH;
        double length = 0, *to = i < N ? unit_cell[i] : unit_type[i - N];
        for (int j = 0; j < WIDTH; j++) length += (double)x[j] * (double)x[j];
        for (int j = 0; j < WIDTH; j++) to[j] = (double)x[j] / sqrt(length);
    }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < TYPES; k++)
            for (int j = 0; j < WIDTH; j++) cosine[i][k] += unit_cell[i][j] * unit_type[k][j];
    /* one cell at a time: its loss is that of one of the admissible choices, and over the steps each of them comes */
    for (int i = 0; i < TYPES; i++) {
        int near[4], nears = 0, far[4], fars = 0, met[4][4] = {{0}}, all = 0;
        int best = -1;
        for (int k = 0; k < TYPES; k++)
            if (close[i * TYPES + k] && (best < 0 || cosine[i][k] > cosine[i][best])) best = k;
        for (int k = 0; k < TYPES; k++) {
            if (k != i && (best < 0 || k == best)) near[nears++] = k;
            if (k != i && (!close[i * TYPES + k] || i == 2)) far[fars++] = k;
        }
        types.cells = 1, types.label = drawn_label + i;
        for (uint64_t step = 0; step < 100; step++) {
            cw_tape_reset(r.tape, 0, 0, 9, step);
            cw_tensor *x = cw_tape_constant(r.tape, cell + i * WIDTH, 1, WIDTH);
            double got = (double)cw_tape_scalar(cw_kcellfm_ranking(r.tape, x, &types)), nearest = 1;
            int at[2] = {0, 0};
            for (int a = 0; a < nears; a++)
                for (int b = 0; b < fars; b++) {
                    double want = fmax(cosine[i][near[a]] - cosine[i][i] + 0.1, 0) +
                                  fmax(cosine[i][far[b]] - cosine[i][near[a]] + 0.2, 0);
                    if (fabs(want - got) < nearest) nearest = fabs(want - got), at[0] = a, at[1] = b;
                }
            CHECK(nearest < 1e-5, "type %d: a loss of %g is none of the admissible", i, got);
            met[at[0]][at[1]] = 1;
        }
        for (int a = 0; a < nears; a++)
            for (int b = 0; b < fars; b++) all += met[a][b];
        CHECK(all >= nears * fars - nears, "type %d: %d of %d choices met", i, all, nears * fars);
    }
    int32_t bad = TYPES;
    types.negative = &bad;
    cw_tape_reset(r.tape, 0, 0, 9, 0);
    cw_kcellfm_ranking(r.tape, cw_tape_constant(r.tape, cell, 1, WIDTH), &types);
    expect(&r, "negative 4 of cell 1");
    types.classes = 1, types.negative = NULL;
    cw_kcellfm_ranking(r.tape, cw_tape_constant(r.tape, cell, 1, WIDTH), &types);
    expect(&r, "two types");
    close_rig(&r);
}

static void refusals(void)
{
    rig r = open_with(-1, 0, NULL);
    static counted c;
    shelf s;
    fill_counted(&c, 1), c.token[4] = GENES + 3;
    ask(&r, "embed", NULL, 0, c.item, 2, &s), expect(&r, "outside the vocabulary of 32"), empty(&s);
    fill_counted(&c, 1), c.value[1] = -1;
    ask(&r, "embed", NULL, 0, c.item, 2, &s), expect(&r, "finite and >= 0"), empty(&s);
    c.value[1] = NAN;
    const cw_option logged = {"total", NULL, 0};
    ask(&r, "embed", &logged, 1, c.item, 2, &s), expect(&r, "must be finite"), empty(&s);
    fill_counted(&c, 1);
    ask(&r, "embed", NULL, 0, c.item, 1, &s), expect(&r, "'token' is missing"), empty(&s);
    cw_array token = c.item[1];
    c.token[0] = GENES + 2;
    ask(&r, "genes", NULL, 0, &token, 1, &s), expect(&r, "gene token 32"), empty(&s);
    close_rig(&r);
    cw_ctx *ctx = cw_ctx_new(NULL);
    cw_option wrong[SMALL];
    memcpy(wrong, small, sizeof wrong);
    wrong[HEAD_DIM].number = 5;
    CHECK(!cw_model_make(ctx, &cw_kcellfm_class, wrong, SMALL, 1, 1) && strstr(ctx->text, "heads of 5"), "%s", ctx->text);
    cw_ctx_clear(ctx);
    memcpy(wrong, small, sizeof wrong), wrong[2].number = 99;
    CHECK(!cw_model_make(ctx, &cw_kcellfm_class, wrong, SMALL, 1, 1) && strstr(ctx->text, "<cls> 99"), "%s", ctx->text);
    cw_ctx_free(ctx);
}

/* Classes, hidden values and ranks are learnt; frozen layers keep their bits; tied matrices are one tensor. */
static void training(void)
{
    static counted c;
    fill_counted(&c, 1);
    rig r = open_with(-1, 0, NULL);
    const cw_params *p = &r.m->params;
    CHECK(cw_params_find(p, "mamba_encoder.0.mamba_rev.in_proj.weight") ==
              cw_params_find(p, "mamba_encoder.0.mamba_fwd.in_proj.weight") &&
              cw_params_find(p, "mamba_encoder.0.mamba_rev.A_log") != cw_params_find(p, "mamba_encoder.0.mamba_fwd.A_log"),
          "only the two matrices are tied");
    const float *step = cw_param_host(r.ctx, &cw_params_find(p, "mamba_encoder.1.mamba_fwd.dt_bias")->tensor);
    for (int i = 0; i < 4; i++) {
        double dt = log1p(exp((double)step[i]));
        CHECK(dt > 0.0009 && dt < 0.101, "a first step of %g", dt);
    }
    const char *kept = "mamba_encoder.0.mamba_fwd.in_proj.weight";
    cw_tensor *frozen = &cw_params_find(p, kept)->tensor;
    int64_t bytes = cw_count(frozen) * 4;
    float *before = malloc((size_t)bytes);
    memcpy(before, cw_param_host(r.ctx, frozen), (size_t)bytes);
    const cw_group groups[] = {{"*", NAN, NAN, 0}, {"decoder.*|mamba_encoder.0.*", NAN, NAN, 1}};
    const float class[] = {0, 1, 0}, values[] = {1, 0, 0}, all[] = {0.5f, 1, 0.5f};
    double first, last = learn(&r, "train", groups, 2, class, c.item, 3, 60, NULL);
    CHECK(last < 0.1, "six cells are learnt to %g", last);
    CHECK(memcmp(before, cw_param_host(r.ctx, frozen), (size_t)bytes) == 0, "a frozen matrix moved");
    free(before);
    shelf s;
    const cw_option option = {"class", NULL, 1};
    CHECK(ask(&r, "predict", &option, 1, c.item, 2, &s) == CW_OK, "%s", r.ctx->text);
    for (int i = 0; i < CELLS; i++) {
        const float *x = (float *)s.data[0] + 2 * i;
        CHECK((x[1] > x[0]) == c.label[i], "class of cell %d", i);
    }
    empty(&s), close_rig(&r);
    r = open_with(TIED, 0, NULL);
    last = learn(&r, "train", NULL, 0, values, c.item, 2, 40, &first);
    kill_batches(r.m, "train", values, c.item, 2);
    CHECK(last < 0.8 * first, "hidden values: from %g to %g", first, last);
    close_rig(&r);
    r = open_with(STRATEGY, 0, "ew_multiply");
    cw_array item[5] = {c.item[0], c.item[1], c.item[2],
                        {"typeEmbedding", CW_ARRAY_F32, 2, {2, WIDTH}, type_vector, NULL, NULL},
                        {"close", CW_ARRAY_I32, 2, {2, 2}, close_types, NULL, NULL}};
    last = learn(&r, "train", NULL, 0, all, item, 5, 30, &first);
    CHECK(last < 0.5 * first, "three losses: from %g to %g", first, last);
    close_rig(&r);
}

static void no_memory(void)
{
    static counted c;
    fill_counted(&c, 1);
    each_allocation_fails(&cw_kcellfm_class, small, SMALL, "embed", c.item, 2);
    each_allocation_fails(&cw_kcellfm_class, small, SMALL, "states", c.item, 2);
}

int main(void)
{
    reading();
    places();
    drawing();
    vectors();
    refusals();
    training();
    no_memory();
    return test_end();
}
