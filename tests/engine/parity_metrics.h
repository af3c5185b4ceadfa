/* parity_metrics.h: golden cases without weights: metrics of integration (scib_*), gene graphs and enrichment
 * (modules_*). Included by parity.c after parity_encoder.h. */
#include "stats/integration.h"
#include "stats/neighbours.h"

static double *metric_doubles(encoder_case *c, const char *name)
{
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
    double *x = e ? encoder_hold(c, malloc((size_t)(e->count + 1) * sizeof *x)) : NULL;
    if (x) cw_safetensors_read_f64(c->ctx, x, e);
    return x;
}

/* Whole numbers; *dim gets the last dimension's length. */
static int32_t *metric_ints(encoder_case *c, const char *name, int64_t *dim)
{
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, name);
    double *x = metric_doubles(c, name);
    int32_t *k = x ? encoder_hold(c, malloc((size_t)(e->count + 1) * sizeof *k)) : NULL;
    for (int64_t i = 0; k && i < e->count; i++) k[i] = (int32_t)x[i];
    if (dim) *dim = e && e->ndim > 0 ? e->dim[e->ndim - 1] : 0;
    return k;
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
