/* test_ontology.c: PageRank, rank correlations and restricted calls by hand; lines of relation files; refusals, interrupts,
 * threads, failing memory. (Golden values: parity_ontology.h.) */
#include "test.h"

#include "io/relations.h"
#include "stats/ontology.h"

static cw_ctx *context(int threads)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    ctx->threads = threads;
    return ctx;
}

static void close_context(cw_ctx *ctx)
{
    CHECK(ctx->memory.bytes == 0, "%lld bytes are left", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

/* A star of three arms whose edges are said twice, one of them both ways round, and a node alone: from an arm the walk is at
 * a with p = (1 - d) / (1 - d^2 ..): by symmetry three unknowns, solved here. */
static void star(void)
{
    const int32_t from[] = {0, 0, 0, 1}, to[] = {1, 2, 3, 0}, source[] = {1, 0, 4};
    const cw_undirected graph = {5, 4, from, to};
    const double d = 0.8;
    double rank[15];
    int32_t steps[3];
    cw_ctx *ctx = context(2);
    CHECK(cw_page_rank(ctx, rank, steps, &graph, source, 3, d, 1e-15, 10000) == CW_OK, "%s", ctx->text);
    /* centre c, source arm a, other arms b each: c = d (a + 2 b), a = d c / 3 + 1 - d, b = d c / 3 */
    double c = d * (1 - d) / (1 - d * d), b = d * c / 3, a = b + 1 - d;
    CHECK(fabs(rank[0] - c) < 1e-12 && fabs(rank[1] - a) < 1e-12 && fabs(rank[2] - b) < 1e-12 &&
              fabs(rank[3] - b) < 1e-12 && fabs(rank[4]) < 1e-12,
          "from an arm: %g %g %g %g %g", rank[0], rank[1], rank[2], rank[3], rank[4]);
    c = (1 - d) / (1 - d * d), b = d * c / 3;
    CHECK(fabs(rank[5] - c) < 1e-12 && fabs(rank[6] - b) < 1e-12, "from the centre: %g %g", rank[5], rank[6]);
    CHECK(fabs(rank[14] - 1) < 1e-12 && fabs(rank[10]) < 1e-12, "a node alone keeps all: %g", rank[14]);
    int32_t early[3];
    double loose[15];
    cw_page_rank(ctx, loose, early, &graph, source, 3, d, 0.05, 100);
    CHECK(early[0] < steps[0] && fabs(loose[0] - rank[0]) > 1e-9, "the tolerance ends it: %d of %d", early[0], steps[0]);
    CHECK(cw_page_rank(ctx, loose, early, &graph, source, 3, d, 1e-15, 3) == CW_ERR_NUMERIC && strstr(ctx->text, "node 1"),
          "%s", ctx->text);
    cw_ctx_clear(ctx);
    const int32_t bad[] = {0, 0, 0, 5}, far[] = {7};
    CHECK(cw_page_rank(ctx, loose, early, &(cw_undirected){5, 4, from, bad}, source, 3, d, 1e-6, 9) == CW_ERR_ARGUMENT &&
              strstr(ctx->text, "edge 4"),
          "%s", ctx->text);
    cw_ctx_clear(ctx);
    CHECK(cw_page_rank(ctx, loose, early, &graph, far, 1, d, 1e-6, 9) == CW_ERR_ARGUMENT && strstr(ctx->text, "source 7"),
          "%s", ctx->text);
    cw_ctx_clear(ctx), close_context(ctx);
    CHECK(cw_rank_similarity(9e-5, 1e-4) == 1 && fabs(cw_rank_similarity(7e-4, 1e-4) - 3) < 1e-12, "similarities");
}

enum { N = 300 };

static int stop_now(void *user)
{
    (void)user;
    return 1;
}

/* A ring with chords: the same bits on one and two threads; an interrupt ends it; each allocation fails once. */
static void ring(void)
{
    static int32_t from[2 * N], to[2 * N], source[N], steps[2][N];
    static double rank[2][N * N];
    for (int32_t i = 0; i < N; i++) {
        source[i] = from[2 * i] = from[2 * i + 1] = i;
        to[2 * i] = (i + 1) % N, to[2 * i + 1] = (i * 7 + 3) % N;
    }
    const cw_undirected graph = {N, 2 * N, from, to};
    for (int t = 0; t < 2; t++) {
        cw_ctx *ctx = context(t + 1);
        CHECK(cw_page_rank(ctx, rank[t], steps[t], &graph, source, N, 0.9, 1e-9, 1000) == CW_OK, "%s", ctx->text);
        double sum = 0;
        for (int i = 0; i < N; i++) sum += rank[t][N + i];
        CHECK(fabs(sum - 1) < 1e-9, "ranks sum to %g", sum);
        close_context(ctx);
    }
    CHECK(memcmp(rank[0], rank[1], sizeof rank[0]) == 0 && memcmp(steps[0], steps[1], sizeof steps[0]) == 0, "threads");
    const cw_host host = {.interrupted = stop_now};
    cw_ctx *ctx = cw_ctx_new(&host);
    CHECK(cw_page_rank(ctx, rank[0], steps[0], &graph, source, N, 0.9, 1e-9, 1000) == CW_ERR_INTERRUPT, "%s", ctx->text);
    cw_ctx_clear(ctx), close_context(ctx);
    int64_t failures = 0;
    for (int64_t at = 0;; at++) {
        ctx = context(1);
        ctx->fail_at = ctx->memory.calls + at;
        const double x[] = {1, 2, 3, 4};
        double y[4], f[2];
        int32_t order[4];
        const int32_t pick[] = {0, 1}, truth[] = {0, 1};
        cw_page_rank(ctx, rank[0], steps[0], &graph, source, 2, 0.9, 1e-3, 1000);
        if (ctx->status == CW_OK) cw_row_spearman(ctx, y, x, 2, x, 2, 2);
        if (ctx->status == CW_OK) cw_row_order(ctx, order, x, 2, 2);
        if (ctx->status == CW_OK) cw_pick_scores(ctx, f, f + 1, x, truth, 2, 2, pick, 2);
        cw_status status = ctx->status;
        CHECK(status == CW_OK || status == CW_ERR_MEMORY, "failure %lld: %s", (long long)at, ctx->text);
        cw_ctx_clear(ctx), close_context(ctx);
        if (status == CW_OK) break;
        failures++;
    }
    CHECK(failures >= 6, "only %lld allocations", (long long)failures);
}

static void rows(void)
{
    cw_ctx *ctx = context(1);
    const double a[] = {1, 1, 3, 2, 5, 5, 5, 5}, b[] = {10, 20, 30, 40, 4, 3, 2, 1, 0, 0, 1, 0.5};
    double rho[6], y[2];
    CHECK(cw_row_spearman(ctx, rho, a, 2, b, 3, 4) == CW_OK, "%s", ctx->text);
    /* ranks 1.5 1.5 4 3 against 1 2 3 4: covariance 3.5, variances 4.5 and 5 */
    CHECK(fabs(rho[0] - 3.5 / sqrt(4.5 * 5)) < 1e-12 && fabs(rho[1] + rho[0]) < 1e-12, "%g %g", rho[0], rho[1]);
    CHECK(fabs(rho[2] - 1) < 1e-12 && rho[3] == 0 && rho[4] == 0, "ties alike %g, a constant row %g", rho[2], rho[3]);
    int32_t order[8];
    cw_row_order(ctx, order, a, 2, 4);
    const int32_t want[] = {2, 3, 0, 1, 0, 1, 2, 3};
    CHECK(memcmp(order, want, sizeof want) == 0, "order");
    const double u[] = {3, 4, 0, 0}, v[] = {8, 6};
    cw_row_cosines(y, u, 2, v, 1, 2, 100);
    CHECK(fabs(y[0] - 96) < 1e-12 && y[1] == 0, "%g %g", y[0], y[1]);
    /* types 0 and 2 alone: cells of type 1 are out, a cell that 1 would win is 2's */
    const double score[] = {0.9, 0.1, 0.2, 0.1, 0.9, 0.3, 0.8, 0.1, 0.3, 0, 0.9, 0};
    const int32_t truth[] = {0, 2, 2, 1}, pick[] = {2, 0}, none[] = {3};
    double accuracy, f1;
    cw_pick_scores(ctx, &accuracy, &f1, score, truth, 4, 3, pick, 2);
    CHECK(fabs(accuracy - 2.0 / 3) < 1e-12 && fabs(f1 - 2.0 / 3) < 1e-12, "%g %g", accuracy, f1);
    cw_pick_scores(ctx, &accuracy, &f1, score, none, 0, 3, pick, 2);
    CHECK(isnan(accuracy) && isnan(f1), "no cells: %g", accuracy);
    close_context(ctx);
}

static void lines(void)
{
    static const struct {
        const char *line, *head, *tail;
        int relation, words; /* -1: no line; words: the head's own word is enough */
    } cases[] = {{"T cell is_a lymphocyte\n", "T cell", "lymphocyte", CW_IS_A, 0},
                 {"  T_cell\tdisjoint_from  B  cell \r\n", "T_cell", "B  cell", CW_DISJOINT_FROM, 1},
                 {"a is_a b develops_from c", "a", "b develops_from c", CW_IS_A, 1},
                 {"is_a is_a x", "is_a", "x", CW_IS_A, 1},
                 {"a is_ax b", NULL, NULL, -1, 0},
                 {"a is_a", NULL, NULL, -1, 0},
                 {"is_a b", NULL, NULL, -1, 0},
                 {"", NULL, NULL, -1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cw_relation r = {0};
        int64_t n = (int64_t)strlen(cases[i].line);
        CHECK(cw_relation_read(&r, cases[i].line, n) == (cases[i].relation >= 0), "'%s'", cases[i].line);
        CHECK(cw_relation_read_words(&r, cases[i].line, n) == cases[i].words, "words of '%s'", cases[i].line);
        if (cases[i].relation < 0) continue;
        cw_relation_read(&r, cases[i].line, n);
        CHECK(r.relation == cases[i].relation && r.head_length == (int64_t)strlen(cases[i].head) &&
                  memcmp(r.head, cases[i].head, (size_t)r.head_length) == 0 &&
                  r.tail_length == (int64_t)strlen(cases[i].tail) &&
                  memcmp(r.tail, cases[i].tail, (size_t)r.tail_length) == 0,
              "'%s': '%.*s' '%.*s'", cases[i].line, (int)r.head_length, r.head, (int)r.tail_length, r.tail);
    }
    CHECK(cw_relation_nearness(CW_IS_A) == 1 && cw_relation_nearness(CW_DISJOINT_FROM) == -1 &&
              cw_relation_nearness(CW_BROAD_SYNONYMS) == 0 && cw_relation_name(CW_RELATIONS) == NULL,
          "nearness");
}

int main(void)
{
    star();
    ring();
    rows();
    lines();
    return test_end();
}
