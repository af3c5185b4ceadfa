/* parity_split.h: what GEARS publishes around its model (gears_split_*): splits, gene sets, scores. Included by parity.c
 * after parity_metrics.h. */
#include "pert/judge.h"
#include "pert/splits.h"

enum { SPLIT_MOST = 512 };

typedef struct {
    int64_t n, genes;
    const char *name[SPLIT_MOST];
    char gene[2 * SPLIT_MOST][64];
    int32_t member[2 * SPLIT_MOST], rank[SPLIT_MOST];
} split_names;

static int split_gene(split_names *s, const char *text, size_t length)
{
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)length, text);
    if (strcmp(word, "ctrl") == 0) return -1;
    for (int g = 0; g < s->genes; g++)
        if (strcmp(s->gene[g], word) == 0) return g;
    strcpy(s->gene[s->genes], word);
    return (int)s->genes++;
}

/* Conditions of a JSON array or object's keys, singles only if asked, with genes numbered by name. */
static void split_read(split_names *s, const cw_json *list)
{
    memset(s, 0, sizeof *s);
    for (const cw_json *x = cw_json_first(list); x && s->n < SPLIT_MOST; x = cw_json_next(x))
        s->name[s->n++] = cw_json_text(x) && !cw_json_key(x) ? cw_json_text(x) : cw_json_key(x);
    for (int64_t c = 0; c < s->n; c++) {
        const char *plus = strchr(s->name[c], '+');
        int a = split_gene(s, s->name[c], plus ? (size_t)(plus - s->name[c]) : strlen(s->name[c]));
        int b = plus ? split_gene(s, plus + 1, strlen(plus + 1)) : -1;
        s->member[2 * c] = a < 0 ? b : a, s->member[2 * c + 1] = a < 0 ? -1 : b;
        for (int64_t d = 0; d < s->n; d++) s->rank[c] += strcmp(s->name[d], s->name[c]) < 0;
    }
    int32_t place[2 * SPLIT_MOST];
    for (int64_t g = 0; g < s->genes; g++) {
        place[g] = 0;
        for (int64_t h = 0; h < s->genes; h++) place[g] += strcmp(s->gene[h], s->gene[g]) < 0;
    }
    for (int64_t i = 0; i < 2 * s->n; i++)
        if (s->member[i] >= 0) s->member[i] = place[s->member[i]];
}

/* Whether a group's list is exactly the conditions of that set and kind. */
static int split_group_agrees(const split_names *s, const cw_json *group, const int32_t *set, const int32_t *seen,
                              int32_t which, int32_t kind)
{
    int64_t n = 0, found = 0;
    for (int64_t c = 0; c < s->n; c++) n += set[c] == which && seen[c] == kind;
    for (const cw_json *x = cw_json_first(group); x; x = cw_json_next(x))
        for (int64_t c = 0; c < s->n; c++)
            found += strcmp(s->name[c], cw_json_text(x)) == 0 && set[c] == which && seen[c] == kind;
    return found == n && n == cw_json_count(group);
}

static void split_check(encoder_case *c, const cw_json *one)
{
    static const char *const kind[] = {"simulation_", "simulation_single_", "single_", "combo_", "no_test_"};
    static const char *const name[] = {NULL, "train", "val", "test"};
    static const char *const of[] = {NULL, "unseen_single", "combo_seen0", "combo_seen1", "combo_seen2"};
    const char *key = cw_json_key(one);
    int k = 4;
    while (k > 0 && strncmp(key, kind[k], strlen(kind[k])) != 0) k--;
    const cw_json *split = cw_json_object(c->ctx, one, "split"), *sub = cw_json_object(c->ctx, one, "subgroup");
    split_names *s = malloc(sizeof *s);
    split_read(s, split);
    int32_t *set = malloc(sizeof *set * 2 * SPLIT_MOST), *seen = set + SPLIT_MOST, wrong = 0;
    cw_published_split(c->ctx, set, seen, &(cw_conditions){s->n, s->genes, s->member, s->rank}, (cw_split_kind)k,
                       (uint32_t)strtoul(key + strlen(kind[k]), NULL, 10),
                       (cw_split_shares){cw_json_number(c->ctx, c->config, "train_gene_set_size", 0, 0, 1),
                                         cw_json_number(c->ctx, c->config, "validation_fractions", 0, 0, 1),
                                         cw_json_number(c->ctx, c->config, "test_size_single_combo", 0, 0, 1),
                                         cw_json_number(c->ctx, c->config, "val_size", 0, 0, 1)});
    int64_t i = 0;
    for (const cw_json *x = cw_json_first(split); x; x = cw_json_next(x), i++) {
        const char *want = cw_json_text(x);
        wrong += set[i] == CW_SPLIT_NONE ? want != NULL : !want || strcmp(want, name[set[i]]) != 0;
    }
    for (int32_t which = CW_SPLIT_VALID; sub && which <= CW_SPLIT_TEST; which++)
        for (int32_t g = CW_SEEN_SINGLE; g <= CW_SEEN_PAIR2; g++) {
            const cw_json *part = cw_json_object(c->ctx, sub, which == CW_SPLIT_TEST ? "test_subgroup" : "val_subgroup");
            wrong += !split_group_agrees(s, cw_json_array(c->ctx, part, of[g]), set, seen, which, g);
        }
    printf("  %-28s %5lld conditions%s\n", key, (long long)s->n, wrong ? "   MISS" : "");
    wrong ? test_failed++ : test_passed++;
    free(set), free(s);
}

/* Means, variances (n - 1) of the cells of a condition; the number of cells. */
static double split_moments(double *mean, double *var, const double *x, const int32_t *of, int32_t which, int64_t cells,
                            int64_t genes)
{
    double n = 0;
    memset(mean, 0, (size_t)genes * sizeof *mean), memset(var, 0, (size_t)genes * sizeof *var);
    for (int64_t i = 0; i < cells; i++) {
        n += of[i] == which;
        for (int64_t g = 0; of[i] == which && g < genes; g++) mean[g] += x[i * genes + g];
    }
    for (int64_t g = 0; g < genes; g++) mean[g] /= n;
    for (int64_t i = 0; i < cells; i++)
        for (int64_t g = 0; of[i] == which && g < genes; g++)
            var[g] += (x[i * genes + g] - mean[g]) * (x[i * genes + g] - mean[g]) / (n > 1 ? n - 1 : 1);
    return n;
}

/* The order of the genes, where constant ones may stand in any. */
static void split_order(encoder_case *c, int32_t *order, const cw_moments *m, const cw_moments *control, int64_t genes,
                        const char *name)
{
    cw_judge_order(c->ctx, order, m, control, genes);
    int32_t *want = metric_ints(c, name, NULL), *mine = malloc(sizeof *mine * (size_t)genes);
    for (int64_t i = 0; want && i < genes; i++) {
        int32_t g = order[i];
        mine[i] = m->var[g] + control->var[g] > 0 || m->var[want[i]] + control->var[want[i]] > 0 ? g : want[i];
    }
    double *shown = malloc(sizeof *shown * (size_t)genes);
    for (int64_t i = 0; i < genes; i++) shown[i] = mine[i];
    metric_compare(c, "gene sets", name, shown, genes, (tolerance){0, 1e-3});
    free(shown), free(mine);
}

static void split_genes(encoder_case *c, const char *what, int which, const int32_t *gene, const uint8_t *flag, int64_t n)
{
    char name[64];
    double shown[SPLIT_MOST];
    int64_t found = 0;
    for (int64_t i = 0; i < n; i++)
        if (gene ? 1 : flag[i]) shown[found++] = gene ? gene[i] : (double)i;
    snprintf(name, sizeof name, "expect.%s.%d", what, which);
    metric_compare(c, "gene sets", name, shown, found, (tolerance){0, 1e-3});
}

/* Sets of condition `which` and, with its cells among those predicted, its scores into row `at` of got (9, 64). */
static void split_condition(encoder_case *c, int32_t which, double (*got)[64], int at)
{
    const cw_safetensors_entry *e = cw_safetensors_find(c->file, "X");
    int64_t cells = e->dim[0], genes = e->dim[1], tests = 0;
    const double *x = metric_doubles(c, "X"), *told = metric_doubles(c, "pred"), *truth = metric_doubles(c, "truth");
    const int32_t *of = metric_ints(c, "condition", NULL), *test = metric_ints(c, "test_condition", &tests);
    double *room = calloc((size_t)(8 * genes), sizeof *room), *sd = room + 7 * genes;
    double *row[8];
    for (int i = 0; i < 8; i++) row[i] = room + i * genes;
    cw_moments control = {row[0], row[1], split_moments(row[0], row[1], x, of, 0, cells, genes)};
    cw_moments m = {row[2], row[3], split_moments(row[2], row[3], x, of, which, cells, genes)};
    int32_t *order = malloc(sizeof *order * (size_t)genes), top[20];
    uint8_t nonzero[SPLIT_MOST], kept[SPLIT_MOST];
    char name[64];
    snprintf(name, sizeof name, "expect.de.%d", which);
    split_order(c, order, &m, &control, genes, name);
    cw_judge_sets(nonzero, kept, m.mean, control.mean, genes);
    split_genes(c, "nonzero", which, NULL, nonzero, genes);
    split_genes(c, "nondropout", which, NULL, kept, genes);
    int64_t tops = cw_judge_top(top, order, nonzero, 20, genes);
    split_genes(c, "top_nonzero", which, top, NULL, tops);
    tops = cw_judge_top(top, order, kept, 20, genes);
    split_genes(c, "top_nondropout", which, top, NULL, tops);
    split_moments(row[4], row[5], told, test, which, tests, genes);
    double n = split_moments(row[6], row[5], truth, test, which, tests, genes);
    for (int64_t g = 0; g < genes; g++) sd[g] = sqrt(row[5][g] * (n - 1) / n);
    cw_judgement j;
    cw_judge_profile(&j, row[4], row[6], row[0], sd, order, top, tops, genes);
    const double all[] = {j.mse, j.pearson, j.mse_de, j.pearson_de, j.pearson_delta, j.direction, j.opposite, j.mse_top,
                          j.within};
    for (int i = 0; i < 9; i++) got[i][at] = all[i];
    free(order), free(room);
}

static void run_gears_split(const char *dir, const char *kernels, int threads)
{
    encoder_case c;
    if (!encoder_open(&c, dir, kernels, threads)) return;
    printf("%s: splits and scores of perturbations\n", dir);
    char path[4096];
    snprintf(path, sizeof path, "%s/expect_splits.json", dir);
    cw_json *splits = cw_json_read_file(c.ctx, path);
    for (const cw_json *x = splits ? cw_json_first(splits) : NULL; x; x = cw_json_next(x)) split_check(&c, x);
    cw_json_free(splits);
    snprintf(path, sizeof path, "%s/used.json", dir);
    cw_json *used = cw_json_read_file(c.ctx, path);
    static const char *const name[] = {"mse", "pearson", "mse_de", "pearson_de", "pearson_delta",
                                       "frac_correct_direction_all", "frac_opposite_direction_top20_non_dropout",
                                       "mse_top20_de_non_dropout", "frac_sigma_below_1_non_dropout"};
    int at = 0;
    int64_t n = used ? cw_json_count(used) : 0;
    double got[9][64], mean;
    const char *word[64];
    for (const cw_json *x = used ? cw_json_first(used) : NULL; x && at < 64; x = cw_json_next(x)) word[at++] = cw_json_text(x);
    for (int i = 1; i < n; i++) { /* scores stand by ascending name */
        at = 0;
        for (int j = 1; j < n; j++) at += strcmp(word[j], word[i]) < 0;
        split_condition(&c, i, got, at);
        for (int h = 0; h < c.holds; h++) free(c.held[h]);
        c.holds = 0;
    }
    for (int i = 0; i < 9 && n > 1; i++) {
        char full[80];
        snprintf(full, sizeof full, "expect.metrics.%s", name[i]);
        metric_compare(&c, "scores", full, got[i], n - 1, (tolerance){1e-4, 1e-6});
        snprintf(full, sizeof full, "expect.mean_%s", name[i]);
        for (mean = 0, at = 0; at < n - 1; at++) mean += got[i][at] / (double)(n - 1);
        metric_compare(&c, "scores", full, &mean, 1, (tolerance){1e-4, 1e-6});
    }
    cw_json_free(used);
    end_group();
    encoder_close(&c, NULL);
}
