/* parity_metrics.h: golden cases without weights: metrics of integration (scib_*), gene graphs and enrichment
 * (modules_*), interactions of perturbations (gears_gi_*), scores of networks (sccafm_eval_*). Included by parity.c after
 * parity_encoder.h. */
#include "pert/interaction.h"
#include "stats/integration.h"
#include "stats/neighbours.h"
#include "stats/ranking.h"
#include "stats/wasserstein.h"

static double *metric_doubles(encoder_case *c, const char *name)
{
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
    double *x = e ? encoder_hold(c, malloc((size_t)(e->count + 1) * sizeof *x)) : NULL;
    if (x) cw_safetensors_read_f64(c->ctx, x, e);
    return x;
}

/* Whole numbers, or NULL; *dim gets the last dimension's length. */
static int32_t *metric_ints(encoder_case *c, const char *name, int64_t *dim)
{
    if (!cw_safetensors_find(c->file, name)) return NULL;
    cw_array a = encoder_ints(c, name, name);
    if (dim) *dim = a.ndim > 0 ? a.dim[a.ndim - 1] : 0;
    return c->held[c->holds - 1]; /* a's, which may be written */
}

/* Values become 0 .. groups - 1 in their order; returns groups. */
static int64_t metric_rank(int32_t *x, int64_t n)
{
    int64_t groups = 0;
    int32_t low = INT32_MIN;
    int32_t *y = malloc((size_t)(n + 1) * sizeof *y);
    for (;; groups++) {
        int32_t next = INT32_MAX;
        int found = 0;
        for (int64_t i = 0; i < n; i++)
            if ((groups == 0 || x[i] > low) && x[i] <= next) next = x[i], found = 1;
        if (!found) break;
        low = next;
        for (int64_t i = 0; i < n; i++)
            if (x[i] == low) y[i] = (int32_t)groups;
    }
    memcpy(x, y, (size_t)n * sizeof *x);
    free(y);
    return groups;
}

static void metric_compare(encoder_case *c, const char *group_name, const char *name, const double *got, int64_t n,
                           tolerance tol)
{
    if (!cw_safetensors_find(c->file, name)) return;
    float *x = malloc((size_t)(n + 1) * sizeof *x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)got[i];
    encoder_compare(c, group_name, name, x, n, tol);
    free(x);
}

static void run_scib(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: integration metrics\n", dir);
    const tolerance near = {1e-5, 1e-6}, stopped = {1e-4, 1e-6};
    cw_integration_input in = {0};
    int64_t n = 0;
    int32_t *label = metric_ints(&c, "label", &n), *batch = metric_ints(&c, "batch", NULL);
    int32_t *edges = metric_ints(&c, "graph.edges", &in.edges), *cluster = metric_ints(&c, "clusters", NULL);
    if (label && batch) {
        const cw_safetensors_entry *e = cw_safetensors_find(c.file, "clusters");
        in.n = n, in.labels = metric_rank(label, n), in.batches = metric_rank(batch, n);
        in.label = label, in.batch = batch, in.cluster = cluster, in.clusterings = e ? e->dim[0] : 0;
        in.embedding = metric_doubles(&c, "embedding"), in.pre = metric_doubles(&c, "pre");
        in.dims = (e = cw_safetensors_find(c.file, "embedding")) ? e->dim[1] : 0;
        in.genes = (e = cw_safetensors_find(c.file, "pre")) ? e->dim[1] : 0;
        in.near = metric_ints(&c, "knn.indices", &in.k), in.distance = metric_doubles(&c, "knn.distances");
        in.from = edges, in.to = edges ? edges + in.edges : NULL;
        double *room = calloc((size_t)(2 * in.clusterings + in.labels + 4 * n + 1), sizeof *room);
        cw_integration out = {.nmi = room, .ari = room + in.clusterings, .asw_batch_label = room + 2 * in.clusterings};
        out.lisi_batch = out.asw_batch_label + in.labels, out.lisi_label = out.lisi_batch + n;
        out.kbet_stat = out.lisi_label + n, out.kbet_p = out.kbet_stat + n;
        cw_integration_metrics(c.ctx, &out, &in);
        int64_t kept = 0; /* skipped labels are left out of the file */
        for (int64_t l = 0; l < in.labels; l++)
            if (!isnan(out.asw_batch_label[l])) out.asw_batch_label[kept++] = out.asw_batch_label[l];
        const struct { const char *name; const double *got; int64_t n; tolerance tol; } rows[] = {
            {"nmi", out.nmi, in.clusterings, near}, {"ari", out.ari, in.clusterings, near},
            {"best", &(double){(double)out.best}, 1, near}, {"asw_label", &out.asw_label, 1, near},
            {"asw_batch", &out.asw_batch, 1, near}, {"asw_batch_per_label", out.asw_batch_label, kept, near},
            {"graph_connectivity", &out.graph_connectivity, 1, near}, {"isolated_asw", &out.isolated_asw, 1, near},
            {"isolated_f1", &out.isolated_f1, 1, near}, {"pcr_pre", &out.pcr_pre, 1, near},
            {"pcr_post", &out.pcr_post, 1, near}, {"pcr_comparison", &out.pcr_comparison, 1, near},
            {"lisi_batch", out.lisi_batch, n, stopped}, {"lisi_label", out.lisi_label, n, stopped},
            {"ilisi", &out.ilisi, 1, stopped}, {"clisi", &out.clisi, 1, stopped}, {"kbet_stat", out.kbet_stat, n, near},
            {"kbet_p", out.kbet_p, n, (tolerance){0, 1e-6}}, {"kbet_accept", &out.kbet_accept, 1, near},
            {"avg_bio", &out.avg_bio, 1, near}, {"avg_batch", &out.avg_batch, 1, near},
            {"overall", &out.overall, 1, stopped}};
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            char name[64];
            snprintf(name, sizeof name, "expect.%s", rows[i].name);
            metric_compare(&c, "integration", name, rows[i].got, rows[i].n, rows[i].tol);
        }
        free(room);
    }
    end_group();
    encoder_close(&c, NULL);
}

/* A graph's edges and weights against "edges.NAME" and "expect.NAME". */
static void modules_graph(encoder_case *c, const char *which, const cw_weighted_graph *g)
{
    char name[64];
    double *ends = malloc((size_t)(2 * g->edges + 1) * sizeof *ends);
    for (int64_t e = 0; e < g->edges; e++) ends[e] = g->from[e], ends[g->edges + e] = g->to[e];
    snprintf(name, sizeof name, "edges.%s", which);
    metric_compare(c, "graphs", name, ends, 2 * g->edges, (tolerance){0, 1e-3});
    snprintf(name, sizeof name, "expect.%s", which);
    metric_compare(c, "graphs", name, g->weight, g->edges, (tolerance){1e-4, 1e-5});
    free(ends);
}

/* Module members in each set, both within the universe; p-values and their Benjamini-Hochberg rates. */
static void modules_enrichment(encoder_case *c)
{
    int64_t genes = 0, sets = 0;
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, "sets");
    int32_t *module = metric_ints(c, "module", &genes), *set = metric_ints(c, "sets", NULL);
    int32_t *universe = metric_ints(c, "universe", NULL);
    if (!e || !module || !universe) return;
    sets = e->dim[0];
    double *overlap = calloc((size_t)(5 * sets + 1), sizeof *overlap), *fold = overlap + sets, *log10p = fold + sets;
    double *p = log10p + sets, *fdr = p + sets;
    for (int64_t s = 0; s < sets; s++) {
        int64_t total = 0, drawn = 0, marked = 0, both = 0;
        for (int64_t g = 0; g < genes; g++) {
            if (!universe[g]) continue;
            total++, drawn += module[g] != 0, marked += set[s * genes + g] != 0;
            both += module[g] && set[s * genes + g];
        }
        overlap[s] = (double)both;
        fold[s] = marked && drawn ? (double)both * (double)total / ((double)marked * (double)drawn) : 0.0;
        log10p[s] = cw_overlap_log10p(both, total, marked, drawn);
        p[s] = pow(10.0, log10p[s]);
    }
    for (int64_t s = 0; s < sets; s++) { /* least of p_j sets / rank over those not below */
        fdr[s] = 1.0;
        for (int64_t j = 0; j < sets; j++) {
            int64_t rank = 0;
            for (int64_t i = 0; i < sets; i++) rank += p[i] <= p[j];
            if (p[j] >= p[s]) fdr[s] = fmin(fdr[s], p[j] * (double)sets / (double)rank);
        }
    }
    const tolerance tol = {1e-5, 1e-6};
    metric_compare(c, "enrichment", "expect.enrich.overlap", overlap, sets, tol);
    metric_compare(c, "enrichment", "expect.enrich.fold", fold, sets, tol);
    metric_compare(c, "enrichment", "expect.enrich.log10p", log10p, sets, (tolerance){0, 1e-5});
    metric_compare(c, "enrichment", "expect.enrich.p", p, sets, (tolerance){1e-5, 1e-12});
    metric_compare(c, "enrichment", "expect.enrich.fdr", fdr, sets, (tolerance){1e-5, 1e-12});
    free(overlap);
}

static void run_modules(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: gene graphs and enrichment\n", dir);
    const cw_safetensors_entry *e = cw_safetensors_find(c.file, "vectors");
    int64_t k = cw_json_int(c.ctx, c.config, "k", 0, 1, 10000), n = e ? e->dim[0] : 0, dims = e ? e->dim[1] : 0;
    double *vectors = metric_doubles(&c, "vectors");
    int32_t *index = malloc((size_t)(n * k + 1) * sizeof *index);
    double *distance = malloc((size_t)(2 * n * k + 1) * sizeof *distance), *shown = distance + n * k;
    cw_weighted_graph shared = {0}, umap = {0};
    for (int cosine = 1; vectors && cosine >= 0; cosine--) { /* the Euclidean one stays */
        char name[64];
        if (cw_nearest(c.ctx, index, distance, vectors, n, dims, k, cosine) != CW_OK) break;
        for (int64_t i = 0; i < n * k; i++) shown[i] = index[i];
        snprintf(name, sizeof name, "knn.%s.indices", cosine ? "cosine" : "euclidean");
        metric_compare(&c, "neighbours", name, shown, n * k, (tolerance){0, 1e-3});
        snprintf(name, sizeof name, "knn.%s.distances", cosine ? "cosine" : "euclidean");
        metric_compare(&c, "neighbours", name, distance, n * k, (tolerance){1e-4, 1e-5});
    }
    if (c.ctx->status == CW_OK && n) {
        cw_shared_graph(c.ctx, &shared, index, n, k, cw_json_number(c.ctx, c.config, "snn_prune", 0.0, 0.0, 1.0));
        cw_umap_graph(c.ctx, &umap, index, distance, n, k);
        modules_graph(&c, "snn", &shared);
        modules_graph(&c, "umap", &umap);
        int64_t sizes = 0;
        double *resolution = metric_doubles(&c, "resolution"), *got = NULL;
        int32_t *partition = metric_ints(&c, "partition", NULL);
        if ((e = cw_safetensors_find(c.file, "resolution"))) sizes = e->count;
        if (partition && resolution) {
            int64_t groups = metric_rank(partition, n);
            got = calloc((size_t)sizes + 1, sizeof *got);
            for (int64_t r = 0; r < sizes; r++) cw_modularity(c.ctx, &got[r], &umap, partition, groups, resolution[r]);
            metric_compare(&c, "modularity", "expect.modularity", got, sizes, (tolerance){0, 1e-5});
        }
        free(got);
        encoder_seen(&c, "expect.best_modularity"); /* for the clustering, which is igraph's: test-embed-modules.R */
        modules_enrichment(&c);
    }
    end_group();
    cw_weighted_graph_free(c.ctx, &shared), cw_weighted_graph_free(c.ctx, &umap);
    free(index), free(distance);
    encoder_close(&c, NULL);
}

/* ---- interactions of perturbations ---- */

static void run_interactions(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: interactions of perturbations\n", dir);
    int64_t genes = cw_json_int(c.ctx, c.config, "genes", 1, 1, 1 << 20), pairs = cw_json_int(c.ctx, c.config, "pairs", 1, 1, 64);
    const double *first = metric_doubles(&c, "first"), *second = metric_doubles(&c, "second");
    const double *both = metric_doubles(&c, "double");
    static const char *const name[] = {"c1", "c2", "mag", "dominance", "corr_fit", "dcor", "dcor_singles", "dcor_first",
                                       "dcor_second", "eq_contr"};
    double got[10][64];
    for (int64_t p = 0; first && second && both && p < pairs; p++) {
        cw_interaction x = {0};
        cw_interaction_scores(c.ctx, &x, first + p * genes, second + p * genes, both + p * genes, genes);
        const double all[] = {x.c1, x.c2, x.magnitude, x.dominance, x.fit, x.dcor, x.dcor_singles, x.dcor_first,
                              x.dcor_second, x.equality};
        for (int i = 0; i < 10; i++) got[i][p] = all[i];
    }
    for (int i = 0; i < 10 && both; i++) {
        char full[64];
        snprintf(full, sizeof full, "expect.%s", name[i]);
        metric_compare(&c, "interactions", full, got[i], pairs, i < 5 ? (tolerance){0, 3e-3} : (tolerance){1e-5, 1e-7});
    }
    end_group();
    encoder_close(&c, NULL);
}

/* ---- scores of networks ---- */

/* Precision-recall of `positive` by `score` over the n candidates. */
static void eval_ranking(encoder_case *c, const char *what, const double *score, const uint8_t *positive, int64_t n)
{
    char name[64];
    int32_t *order = malloc((size_t)(2 * n + 1) * sizeof *order), *group = order + n;
    cw_rank_score got = {0};
    cw_rank_sort(c->ctx, order, group, score, n);
    cw_rank_metrics(&got, &(cw_ranking){n, order, group, positive}, NULL);
    const tolerance tol = {1e-6, 1e-7};
    snprintf(name, sizeof name, "expect.%s.auprc", what);
    metric_compare(c, "ranking", name, &got.auprc, 1, tol);
    snprintf(name, sizeof name, "expect.%s.early_precision", what);
    metric_compare(c, "ranking", name, &got.early, 1, tol);
    free(order);
}

/* Wasserstein distances of the top edges of perturbed factors: the target's values against those in control cells. */
static void eval_perturbed(encoder_case *c, const double *score, int64_t tfs, int64_t genes, int64_t top)
{
    int64_t cells = 0, n = 0;
    int32_t *of = metric_ints(c, "perturbation", &cells), *edge = malloc((size_t)(3 * tfs * genes + 1) * sizeof *edge);
    const double *x = metric_doubles(c, "expression");
    double *ranked = malloc((size_t)(tfs * genes + 1) * sizeof *ranked), *out = malloc((size_t)(3 * top + 1) * sizeof *out);
    for (int32_t f = 0; of && f < tfs; f++) {
        int there = 0;
        for (int64_t i = 0; i < cells; i++) there |= of[i] == f;
        for (int32_t g = 0; there && g < genes; g++)
            if (g != f) edge[n] = f * (int32_t)genes + g, ranked[n++] = score[f * genes + g];
    }
    int32_t *order = edge + tfs * genes, *group = order + tfs * genes;
    cw_rank_sort(c->ctx, order, group, ranked, n);
    if (top > n) top = n;
    double *value = malloc((size_t)(cells + 1) * sizeof *value), mean = 0, count = (double)n;
    uint8_t *label = malloc((size_t)cells + 1);
    for (int64_t e = 0; x && of && e < top; e++) {
        int32_t f = edge[order[e]] / (int32_t)genes, g = edge[order[e]] % (int32_t)genes;
        int64_t used = 0;
        for (int64_t i = 0; i < cells; i++)
            if (of[i] == f || of[i] == -1) label[used] = of[i] == f, value[used++] = x[i * genes + g];
        double shift;
        const cw_shift_options none = {0};
        cw_wasserstein(c->ctx, &(cw_shifts){.distance = &out[e], .shift = &shift}, value, label, NULL, 1, &none, used, 1);
        out[top + e] = f, out[2 * top + e] = g, mean += out[e] / (double)top;
    }
    const tolerance tol = {1e-6, 1e-7};
    metric_compare(c, "perturbed", "expect.perturb.distance", out, top, tol);
    metric_compare(c, "perturbed", "expect.perturb.source", out + top, top, tol);
    metric_compare(c, "perturbed", "expect.perturb.target", out + 2 * top, top, tol);
    metric_compare(c, "perturbed", "expect.perturb.mean", &mean, 1, tol);
    metric_compare(c, "perturbed", "expect.perturb.n_candidates", &count, 1, tol);
    for (int64_t i = 1; i < top; i++) /* sorted, for the median */
        for (int64_t j = i; j > 0 && out[j] < out[j - 1]; j--) {
            double t = out[j];
            out[j] = out[j - 1], out[j - 1] = t;
        }
    double median = top % 2 ? out[top / 2] : (out[top / 2 - 1] + out[top / 2]) / 2;
    metric_compare(c, "perturbed", "expect.perturb.median", &median, 1, tol);
    free(label), free(value), free(out), free(ranked), free(edge);
}

static void run_sccafm_eval(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: scores of networks\n", dir);
    int64_t tfs = cw_json_int(c.ctx, c.config, "n_tf", 1, 1, 1 << 15), n = 0, ties = 0;
    int64_t genes = cw_json_int(c.ctx, c.config, "n_genes", 1, 1, 1 << 15);
    const double *score = metric_doubles(&c, "scores"), *tied = metric_doubles(&c, "tie.scores");
    const int32_t *label = metric_ints(&c, "labels", NULL), *use = metric_ints(&c, "candidate", NULL);
    const int32_t *tie_label = metric_ints(&c, "tie.labels", &ties);
    double *kept = malloc((size_t)(tfs * genes + 1) * sizeof *kept), rate = 0;
    uint8_t *positive = malloc((size_t)(tfs * genes + ties + 1));
    for (int64_t i = 0; score && label && use && i < tfs * genes; i++)
        if (use[i]) kept[n] = score[i], rate += label[i] != 0, positive[n++] = label[i] != 0;
    rate /= (double)(n ? n : 1);
    eval_ranking(&c, "chip", kept, positive, n);
    metric_compare(&c, "ranking", "expect.chip.positive_rate", &rate, 1, (tolerance){1e-6, 1e-7});
    for (int64_t i = 0; tie_label && i < ties; i++) positive[i] = tie_label[i] != 0;
    if (tied) eval_ranking(&c, "tie", tied, positive, ties);
    if (score) eval_perturbed(&c, score, tfs, genes, cw_json_int(c.ctx, c.config, "top_k_edges", 10, 1, 1 << 20));
    end_group();
    free(kept), free(positive);
    encoder_close(&c, NULL);
}
