/* parity_ontology.h: ontology cases (kcfm_ontology_*: PageRank, votes, cosines, files of relations) and the triplet loss
 * alone (kcfm_triplet_*). Included by parity.c after parity_bert.h and parity_metrics.h. */
#include "io/relations.h"
#include "stats/ontology.h"

static void ontology_ints(encoder_case *c, const char *name, const int32_t *got, int64_t n)
{
    double *x = malloc((size_t)(n + 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = got[i];
    metric_compare(c, "integers", name, x, n, (tolerance){0, 1e-3});
    free(x);
}

static int64_t ontology_size(encoder_case *c, const char *name, int dim)
{
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
    return e && dim < e->ndim ? e->dim[dim] : 0;
}

/* PageRank of every node, as far as published and until it stands still; its transformed value. */
static double *ontology_ranks(encoder_case *c, int64_t *nodes)
{
    int64_t n = *nodes = ontology_size(c, "expect.ppr", 0), edges = ontology_size(c, "edges", 0);
    const int32_t *edge = metric_ints(c, "edges", NULL);
    double alpha = cw_json_number(c->ctx, c->config, "alpha", 0, 0, 1), tol = cw_json_number(c->ctx, c->config, "tol", 0, 0, 1);
    double threshold = cw_json_number(c->ctx, c->config, "threshold", 0, 0, 1);
    int64_t most = cw_json_int(c->ctx, c->config, "max_iter", 0, 1, 1 << 20);
    int32_t *end = encoder_hold(c, malloc((size_t)(2 * edges + 2 * n + 1) * sizeof *end)), *source = end + 2 * edges;
    double *rank = encoder_hold(c, malloc((size_t)(2 * n * n + 1) * sizeof *rank)), *other = rank + n * n;
    for (int64_t e = 0; edge && e < edges; e++) end[e] = edge[2 * e], end[edges + e] = edge[2 * e + 1];
    for (int64_t i = 0; i < n; i++) source[i] = (int32_t)i;
    const cw_undirected graph = {n, edges, end, end + edges};
    const tolerance tol_rank = {1e-4, 1e-6};
    if (!edge || cw_page_rank(c->ctx, other, source + n, &graph, source, n, alpha, 1e-16, 100000) != CW_OK) return NULL;
    metric_compare(c, "PageRank", "expect.ppr_exact", other, n * n, tol_rank);
    if (cw_page_rank(c->ctx, rank, source + n, &graph, source, n, alpha, tol, most) != CW_OK) return NULL;
    metric_compare(c, "PageRank", "expect.ppr", rank, n * n, tol_rank);
    ontology_ints(c, "expect.iterations", source + n, n);
    for (int64_t i = 0; i < n * n; i++) other[i] = cw_rank_similarity(rank[i], threshold);
    metric_compare(c, "PageRank", "expect.similarity_float", other, n * n, tol_rank);
    for (int64_t i = 0; i < n * n; i++) other[i] = trunc(other[i]);
    metric_compare(c, "integers", "expect.similarity", other, n * n, (tolerance){0, 1e-3});
    return rank;
}

static void ontology_order(encoder_case *c, const double *x, int64_t n, int64_t m, const char *rank, const char *best)
{
    int32_t *order = malloc((size_t)(n * m + n + 1) * sizeof *order);
    cw_row_order(c->ctx, order, x, n, m);
    ontology_ints(c, rank, order, n * m);
    for (int64_t i = 0; i < n; i++) order[i] = order[i * m];
    ontology_ints(c, best, order, n);
    free(order);
}

/* Votes of the types seen, which PageRank brings to those that aren't. */
static void ontology_votes(encoder_case *c, const double *rank, int64_t nodes, int64_t cells, int64_t novel, int64_t d)
{
    int64_t known = ontology_size(c, "known_emb", 0);
    const int32_t *of_known = metric_ints(c, "known_node", NULL), *of_novel = metric_ints(c, "novel_node", NULL);
    const double *cell = metric_doubles(c, "cell_emb"), *seen = metric_doubles(c, "known_emb");
    const tolerance near = {1e-4, 1e-5};
    double *s = calloc((size_t)((cells + novel) * known + cells * novel + 1), sizeof *s);
    double *v = s + cells * known, *rho = v + novel * known;
    if (!rank || !of_known || !of_novel || !cell || !seen) return free(s);
    cw_row_cosines(s, cell, cells, seen, known, d, 100.0);
    for (int64_t i = 0; i < novel; i++)
        for (int64_t j = 0; j < known; j++)
            if (of_novel[i] >= 0 && of_known[j] >= 0) v[i * known + j] = (float)rank[of_novel[i] * nodes + of_known[j]];
    cw_row_spearman(c->ctx, rho, s, cells, v, novel, known);
    metric_compare(c, "votes", "expect.vote.cell_similarity", s, cells * known, near);
    metric_compare(c, "votes", "expect.vote.type_similarity", v, novel * known, near);
    metric_compare(c, "votes", "expect.vote.spearman", rho, cells * novel, near);
    ontology_order(c, rho, cells, novel, "expect.vote.rank", "expect.vote.pred");
    for (int64_t i = 0; i < cells; i++) {
        double sum = 0;
        for (int64_t j = 0; j < novel; j++) sum += exp(rho[i * novel + j]);
        for (int64_t j = 0; j < novel; j++) rho[i * novel + j] = exp(rho[i * novel + j]) / sum;
    }
    metric_compare(c, "votes", "expect.vote.prob", rho, cells * novel, near);
    free(s);
}

/* Fewer and fewer types to choose from. */
static void ontology_difficulty(encoder_case *c, const double *cosine, int64_t cells, int64_t novel)
{
    const double *ratio = metric_doubles(c, "ratios");
    const int32_t *pick = metric_ints(c, "selection", NULL), *label = metric_ints(c, "cell_label", NULL);
    int64_t levels = ontology_size(c, "ratios", 0);
    double out[3][64] = {{0}};
    for (int64_t i = 0; ratio && pick && label && i < levels && i < 64; i++) {
        int64_t n = (int64_t)((double)novel * ratio[i] + 0.5);
        if (n < 1) n = 1;
        out[2][i] = (double)n;
        cw_pick_scores(c->ctx, &out[0][i], &out[1][i], cosine, label, cells, novel, pick + i * novel, n);
    }
    metric_compare(c, "difficulty", "expect.difficulty.accuracy", out[0], levels, (tolerance){1e-6, 1e-6});
    metric_compare(c, "difficulty", "expect.difficulty.macro_f1", out[1], levels, (tolerance){1e-6, 1e-6});
    metric_compare(c, "integers", "expect.difficulty.n_types", out[2], levels, (tolerance){0, 1e-3});
}

/* ---- files of relations ---- */

/* text[0..n), with runs of blanks as one when `joined`, is `want` */
static int ontology_same(const char *text, int64_t n, const char *want, int joined)
{
    for (int64_t i = 0; i < n; i++) {
        if (joined && i > 0 && text[i] == ' ' && text[i - 1] == ' ') continue;
        if (*want++ != text[i]) return 0;
    }
    return *want == 0;
}

/* 1: the array of texts holds it */
static int ontology_holds(const cw_json *list, const char *text, int64_t n, int joined)
{
    for (const cw_json *x = cw_json_first(list); x; x = cw_json_next(x))
        if (cw_json_text(x) && ontology_same(text, n, cw_json_text(x), joined)) return 1;
    return 0;
}

static const cw_json *ontology_member(const cw_json *graph, const char *text, int64_t n)
{
    for (const cw_json *x = cw_json_first(graph); x; x = cw_json_next(x))
        if (ontology_same(text, n, cw_json_key(x), 1)) return x;
    return NULL;
}

static cw_json *ontology_json(encoder_case *c, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", c->dir, name);
    return cw_json_read_file(c->ctx, path);
}

/* Every line of triples.txt against the three lists, and how many entries each list should have. */
static void ontology_relations(encoder_case *c)
{
    char path[4096], line[4096];
    snprintf(path, sizeof path, "%s/triples.txt", c->dir);
    cw_json *triples = ontology_json(c, "expect_triples.json"), *types = ontology_json(c, "expect_is_a_types.json");
    cw_json *graph = ontology_json(c, "expect_relation_graph.json");
    FILE *f = fopen(path, "r");
    CHECK(f && triples && types && graph, "%s: files of relations: %s", c->dir, c->ctx->text);
    const cw_json *next = triples ? cw_json_first(triples) : NULL;
    int64_t said = 0, sides = 0, distinct = 0, edges = 0, expected = 0;
    char seen[256][256];
    while (f && graph && fgets(line, sizeof line, f)) {
        int64_t n = (int64_t)strlen(line);
        cw_relation r;
        if (cw_relation_read(&r, line, n)) {
            const cw_json *head = cw_json_first(next), *relation = head ? cw_json_next(head) : NULL;
            const cw_json *tail = relation ? cw_json_next(relation) : NULL;
            CHECK(tail && ontology_same(r.head, r.head_length, cw_json_text(head), 0) &&
                      strcmp(cw_json_text(relation), cw_relation_name(r.relation)) == 0 &&
                      ontology_same(r.tail, r.tail_length, cw_json_text(tail), 0),
                  "%s: %.*s", c->dir, (int)n, line);
            next = next ? cw_json_next(next) : NULL, said++;
            for (int side = 0; side < 2 && r.relation == CW_IS_A; side++) {
                const char *text = side ? r.tail : r.head;
                int64_t length = side ? r.tail_length : r.head_length, at = 0;
                CHECK(ontology_holds(types, text, length, 0), "%s: %.*s is no type", c->dir, (int)length, text);
                while (at < distinct && !ontology_same(text, length, seen[at], 0)) at++;
                if (at == distinct && distinct < 256) snprintf(seen[distinct++], 256, "%.*s", (int)length, text);
                sides++;
            }
        }
        if (cw_relation_read_words(&r, line, n) && cw_relation_nearness(r.relation)) {
            const char *which = cw_relation_nearness(r.relation) > 0 ? "close" : "far";
            const cw_json *head = ontology_member(graph, r.head, r.head_length);
            const cw_json *tail = ontology_member(graph, r.tail, r.tail_length);
            CHECK(head && tail && ontology_holds(cw_json_array(c->ctx, head, which), r.tail, r.tail_length, 1) &&
                      ontology_holds(cw_json_array(c->ctx, tail, which), r.head, r.head_length, 1),
                  "%s: %.*s is not in the graph", c->dir, (int)n, line);
            edges += 2;
        }
    }
    for (const cw_json *x = graph ? cw_json_first(graph) : NULL; x; x = cw_json_next(x))
        expected += cw_json_count(cw_json_array(c->ctx, x, "close")) + cw_json_count(cw_json_array(c->ctx, x, "far"));
    CHECK(said == cw_json_count(triples) && distinct == cw_json_count(types) && edges == expected,
          "%s: %lld triples of %lld, %lld types of %lld, %lld neighbours of %lld", c->dir, (long long)said,
          (long long)cw_json_count(triples), (long long)distinct, (long long)cw_json_count(types), (long long)edges,
          (long long)expected);
    printf("  relations                    %lld triples, %lld types of is_a, %lld neighbours\n", (long long)said,
           (long long)distinct, (long long)edges);
    if (f) fclose(f);
    cw_json_free(triples), cw_json_free(types), cw_json_free(graph);
}

static void run_ontology(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: ontology\n", dir);
    int64_t nodes = 0, cells = ontology_size(&c, "cell_emb", 0), d = ontology_size(&c, "cell_emb", 1);
    int64_t novel = ontology_size(&c, "type_emb", 0);
    const double *cell = metric_doubles(&c, "cell_emb"), *type = metric_doubles(&c, "type_emb");
    const double *rank = ontology_ranks(&c, &nodes);
    double *cosine = malloc((size_t)(cells * novel + 1) * sizeof *cosine);
    if (cell && type) {
        cw_row_cosines(cosine, cell, cells, type, novel, d, 1.0);
        metric_compare(&c, "cosines", "expect.cosine", cosine, cells * novel, FORWARD);
        ontology_order(&c, cosine, cells, novel, "expect.cosine_rank", "expect.cosine_pred");
        ontology_difficulty(&c, cosine, cells, novel);
    }
    ontology_votes(&c, rank, nodes, cells, novel, d);
    ontology_relations(&c);
    end_group();
    free(cosine);
    encoder_close(&c, NULL);
}

/* ---- the triplet loss on given vectors ---- */

static void run_triplet(const char *dir, const char *kernels, int threads)
{
    static const char *const part[] = {"h", "r", "t"};
    encoder_case c;
    cw_params store[3];
    cw_tensor *x[3], *pos, *neg;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: triplet loss, %s kernels\n", dir, c.ctx->kernels ? c.ctx->kernels->name : "no");
    int64_t n = ontology_size(&c, "h", 0), d = ontology_size(&c, "h", 1);
    const cw_option option[] = {{"vocab_size", NULL, 4}, {"hidden_size", NULL, 4}, {"num_hidden_layers", NULL, 1},
                                {"num_attention_heads", NULL, 1}, {"intermediate_size", NULL, 4},
                                {"margin", NULL, cw_json_number(c.ctx, c.config, "margin", 0, 0, 100)},
                                {"min_pos_dist", NULL, cw_json_number(c.ctx, c.config, "min_pos_dist", 0, 0, 100)},
                                {"push_scale", NULL, cw_json_number(c.ctx, c.config, "push_scale", 0, 0, 100)}};
    cw_model *m = cw_model_make(c.ctx, &cw_bert_class, option, 8, 1, 1); /* the loss reads its settings alone */
    int32_t *id = metric_ints(&c, "relation_ids", NULL), *negative = metric_ints(&c, "negative_index", NULL);
    float *apart = encoder_hold(&c, calloc((size_t)n + 1, sizeof *apart)), *got = encoder_hold(&c, malloc((size_t)(n * d + 1) * sizeof *got));
    const cw_json *far = cw_json_array(c.ctx, c.config, "dissimilar_relation_ids");
    for (const cw_json *j = far ? cw_json_first(far) : NULL; j; j = cw_json_next(j)) {
        double value = -1;
        cw_json_as_number(&value, j);
        for (int64_t i = 0; id && i < n; i++) apart[i] = apart[i] != 0 || id[i] == (int32_t)value;
    }
    for (int i = 0; i < 3; i++) x[i] = encoder_leaf(&c, &store[i], encoder_hold(&c, encoder_read(&c, part[i])), n, d);
    cw_tape_reset(c.tape, 1, 0, 1, 0);
    if (m && negative && c.ctx->status == CW_OK) {
        cw_tensor *loss = cw_bert_triplet((const cw_bert *)m, c.tape, x[0], x[1], x[2],
                                          cw_tape_constant(c.tape, apart, n, 1), negative, &pos, &neg);
        const tolerance tol = {1e-4, 1e-6};
        encoder_compare(&c, "losses", "expect.loss.total", &(float){cw_tape_scalar(loss)}, 1, tol);
        encoder_compare(&c, "distances", "expect.pos_dist", cw_tape_host(c.tape, pos), n, tol);
        encoder_compare(&c, "distances", "expect.neg_dist", cw_tape_host(c.tape, neg), n, tol);
        cw_tape_backward(c.tape, 1, &loss, (float[]){1.0f});
        for (int i = 0; i < 3; i++) {
            char name[16];
            snprintf(name, sizeof name, "grad.%s", part[i]);
            cw_param_gradient(c.ctx, x[i], got);
            encoder_compare(&c, "gradients", name, got, n * d, (tolerance){1e-3, 1e-6});
        }
    }
    end_group();
    cw_ctx *ctx = c.ctx;
    CHECK(ctx->status == CW_OK, "%s: %s", dir, ctx->text);
    for (int i = 0; i < 3; i++) cw_params_free(&store[i]);
    encoder_close(&c, m);
}
