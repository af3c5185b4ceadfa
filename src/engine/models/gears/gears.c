/* gears.c: GEARS's batch and forward pass. */
#include "gears.h"

#include <stdio.h>
#include <string.h>

#define TAKE(t, count, type) ((type *)cw_arena_take((t)->arena, (int64_t)(count) * (int64_t)sizeof(type)))
static const cw_function relu = {CW_FN_LEAKY_RELU, 0.0f};

/* `next` was made of x, which nothing else needs but the backward, which makes it again. */
static cw_tensor *instead(cw_tape *t, cw_tensor *next, cw_tensor *x)
{
    cw_tape_drop(t, x);
    return next;
}

/* ---- batch ---- */

/* Cells whose genes have embeddings of their own before they are perturbed: with the published graph the first, and one
 * for all others. */
static int64_t distinct_cells(const cw_gears *m, const cw_gears_batch *b)
{
    if (m->config.external) return b->shared ? 1 : b->cells;
    return m->config.every_cell || b->cells < 2 ? 1 : 2;
}

/* The graph of `name` over `nodes`; without edges self loops only. */
static cw_graph_store *read_graph(cw_inputs *in, const char *name, const char *weight_name, int64_t nodes, int64_t of)
{
    int64_t dim[] = {-1, 2};
    const int32_t *edge = cw_in_i32(in, name, 2, dim, 1);
    int64_t edges = edge ? dim[0] : 0;
    const float *weight = cw_in_f32(in, weight_name, 1, &edges, 1);
    int32_t *ends = cw_alloc(in->ctx, 2 * edges, sizeof *ends);
    for (int64_t e = 0; ends && e < edges; e++) {
        ends[e] = edge[2 * e], ends[edges + e] = edge[2 * e + 1];
        if (ends[e] < 0 || ends[e] >= of || ends[edges + e] < 0 || ends[edges + e] >= of)
            cw_fail(in->ctx, CW_ERR_ARGUMENT, "%s: edge %lld is of no node", name, (long long)e + 1);
    }
    cw_graph_store *g = ends && in->ctx->status == CW_OK
                            ? cw_graph_new_normalised(in->ctx, nodes, edges, ends, ends + edges, weight)
                            : NULL;
    cw_free(in->ctx, ends);
    return g;
}

void cw_gears_release(cw_model *model)
{
    cw_gears *m = (cw_gears *)model;
    if (m->coexpression) cw_graph_free(model->ctx, m->coexpression);
    if (m->go) cw_graph_free(model->ctx, m->go);
    m->coexpression = m->go = NULL;
}

cw_status cw_gears_batch_read(cw_gears *m, cw_inputs *in, cw_gears_batch *b)
{
    const cw_gears_config *c = &m->config;
    cw_ctx *ctx = m->model.ctx;
    int64_t dim[] = {-1, c->genes}, two[] = {0, -1}, three[] = {0, c->genes, c->external};
    memset(b, 0, sizeof *b);
    b->control = cw_in_f32(in, "control", 2, dim, 0);
    two[0] = three[0] = b->cells = b->control ? dim[0] : 0;
    b->perturbed = cw_in_i32(in, "perturbed", 2, two, 0);
    b->most = two[1];
    if (c->external) {
        b->embedding = cw_in_f32(in, "geneEmbedding", 2, three + 1, 1);
        b->shared = b->embedding != NULL;
        if (!b->shared) b->embedding = cw_in_f32(in, "embedding", 3, three, 0);
    }
    if (ctx->status != CW_OK) return ctx->status;
    for (int64_t i = 0; i < b->cells * b->most; i++)
        if (b->perturbed[i] >= c->perturbations)
            return cw_fail(ctx, CW_ERR_ARGUMENT, "perturbation %d of cell %lld: the model has %lld", (int)b->perturbed[i],
                           (long long)(i / b->most + 1), (long long)c->perturbations);
    cw_gears_release(&m->model);
    /* the published edges number the genes of the batch's first cell, and other cells have loops only */
    if (!c->external)
        m->coexpression = read_graph(in, "coexpression", "coexpressionWeight", c->genes * distinct_cells(m, b), c->genes);
    else cw_in_find(in, "coexpression"), cw_in_find(in, "coexpressionWeight");
    m->go = read_graph(in, "go", "goWeight", c->perturbations, c->perturbations);
    return ctx->status;
}

/* ---- forward ---- */

/* Observers see all n rows, of which row i is that of[i] of x; of NULL: all are there. */
static void observe_all(const cw_observer *observer, cw_tape *t, const char *name, cw_tensor *x, const int32_t *of,
                        int64_t n)
{
    if (observer && x) cw_observe(observer, t, name, of && cw_rows(x) < n ? cw_gather(t, x, of, n) : x);
}

/* ReLU between the convolutions, none after the last. of, n: for observers. */
static cw_tensor *convolve(cw_tape *t, cw_tensor *x, const cw_graph_store *g, const cw_layer_linear *layer, int64_t layers,
                           const char *name, const cw_observer *observer, const int32_t *of, int64_t n)
{
    char full[64];
    for (int64_t i = 0; i < layers && x; i++) {
        x = cw_layer_graph(t, g, i ? cw_apply(t, x, relu) : x, layer[i].w, layer[i].b, 1);
        snprintf(full, sizeof full, "%s%d", name, (int)i);
        observe_all(observer, t, full, x, of, n);
    }
    return x;
}

/* What the perturbations of a cell add to all of its genes, (rows, d), and the row of every gene of every cell in
 * to (cells genes), below 0: none; NULL where no cell has any. */
static cw_tensor *perturb(const cw_gears *m, cw_tape *t, const cw_gears_batch *b, const int32_t **row,
                          const cw_observer *observer)
{
    const cw_gears_config *c = &m->config;
    int64_t n = 0, rows = 0;
    int64_t *start = TAKE(t, b->cells + 2, int64_t);
    int32_t *which = TAKE(t, 2 * b->cells * b->most + 2, int32_t), *to = TAKE(t, b->cells * c->genes, int32_t);
    if (!start || !which || !to) return NULL;
    for (int64_t i = 0; i < b->cells; i++) {
        int64_t from = n;
        for (int64_t j = 0; j < b->most; j++)
            if (b->perturbed[i * b->most + j] >= 0) which[n++] = b->perturbed[i * b->most + j];
        for (int64_t g = 0; g < c->genes; g++) to[i * c->genes + g] = n > from ? (int32_t)rows : -1;
        if (n > from) start[rows++] = from;
    }
    if (rows == 0 || c->no_perturb) return NULL;
    start[rows] = n;
    int64_t alone = rows == 1, first = n;
    if (alone) { /* published: twice, so that a batch norm has something to norm by */
        for (int64_t e = 0; e < first; e++) which[n++] = which[e];
        start[rows = 2] = n;
    }
    cw_tensor *x = convolve(t, m->perturbation, m->go, m->similar, c->go_layers, "sim_layers", observer, NULL, 0);
    x = cw_segment_sum(t, cw_gather(t, x, which, n), (cw_ragged){rows, start, NULL}, 0);
    x = cw_layer_mlp_forward(t, x, &m->fuse);
    cw_observe(observer, t, "pert_fuse", x);
    *row = to;
    return x;
}

/* Embedding of every gene of every distinct cell, (rows, d). What is in row of[i] is that of row i of all cells, n; norms
 * count a row as often, `times`. (Where one stands for all they are those of its copies, but for the last digits of
 * their running variance.) gene: 0 .. genes - 1 again and again. */
static cw_tensor *base_rows(const cw_gears *m, cw_tape *t, const cw_gears_batch *b, const int32_t *gene,
                            const int32_t *of, int64_t n, const cw_observer *observer)
{
    const cw_gears_config *c = &m->config;
    int64_t distinct = distinct_cells(m, b), rows = distinct * c->genes;
    if (c->external) return cw_layer_mlp_forward(t, cw_tape_constant(t, b->embedding, rows, c->external), &m->base);
    cw_layer_norm norm = m->gene_norm;
    cw_layer_mlp mlp = m->base;
    if (distinct == 2) {
        float *times = TAKE(t, rows, float);
        if (!times) return NULL;
        for (int64_t i = 0; i < rows; i++) times[i] = i < c->genes ? 1.0f : (float)(b->cells - 1);
        norm.times = times;
        for (int i = 0; i < mlp.steps; i++) mlp.step[i].before.times = times;
    }
    cw_tensor *x = cw_gather(t, m->gene, gene, rows);
    x = instead(t, cw_layer_norm_forward(t, x, &norm), x);
    observe_all(observer, t, "bn_emb", x, of, n);
    x = instead(t, cw_apply(t, x, relu), x);
    cw_tensor *place = cw_gather(t, m->place, gene, rows);
    place = instead(t, convolve(t, place, m->coexpression, m->near, c->gene_layers, "layers_emb_pos", observer, of, n),
                    place);
    x = instead(t, cw_add_scaled(t, x, place, 0.2f), x);
    return instead(t, cw_layer_mlp_forward(t, x, &mlp), x);
}

cw_tensor *cw_gears_forward(const cw_gears *m, cw_tape *t, const cw_gears_batch *b, cw_tensor **log_variance,
                            const cw_observer *observer)
{
    const cw_gears_config *c = &m->config;
    int64_t G = c->genes, n = b->cells * G, d = c->width;
    int64_t base_n = distinct_cells(m, b) * G;
    int32_t *gene = TAKE(t, n, int32_t), *of = TAKE(t, n, int32_t), *all = TAKE(t, c->perturbations, int32_t);
    if (!gene || !of || !all) return NULL;
    for (int64_t i = 0; i < n; i++) gene[i] = (int32_t)(i % G), of[i] = (int32_t)(i < base_n ? i : base_n - G + i % G);
    for (int64_t i = 0; i < c->perturbations; i++) all[i] = (int32_t)i;
    if (!c->external) cw_cap_rows(t, m->gene, gene, G, 1.0f);
    cw_cap_rows(t, m->place, gene, G, 1.0f);
    cw_cap_rows(t, m->perturbation, all, c->perturbations, 1.0f);
    cw_tensor *base = base_rows(m, t, b, gene, of, n, observer);
    observe_all(observer, t, "emb_trans_v2", base, of, n);
    const int32_t *row = NULL;
    cw_tensor *shift = perturb(m, t, b, &row, observer);
    if (!base || t->ctx->status != CW_OK) return NULL;
    if (cw_rows(base) < n) /* both at once: neither is ever written out for every cell */
        base = cw_gather_sum(t, shift ? 2 : 1, (cw_tensor *[]){base, shift}, (const int32_t *[]){of, row}, n);
    else if (shift) {
        cw_tensor *moved = cw_gather(t, shift, row, n);
        base = instead(t, instead(t, cw_add_scaled(t, base, moved, 1.0f), base), moved);
    }
    cw_tensor *normed = instead(t, cw_layer_norm_forward(t, base, &m->base_norm), base);
    cw_observe(observer, t, "bn_pert_base", normed);
    cw_tensor *h = instead(t, cw_apply(t, normed, relu), normed), *r = cw_layer_mlp_forward(t, h, &m->recover);
    cw_observe(observer, t, "recovery_w", r);
    if (log_variance) {
        *log_variance = c->uncertainty ? cw_layer_mlp_forward(t, h, &m->doubt) : NULL;
        cw_observe(observer, t, "logvar", *log_variance);
    }
    cw_tape_drop(t, h);
    if (!r) return NULL;
    cw_tensor *own = cw_gather(t, cw_tape_reshape(t, m->w1, G, d), gene, n);
    cw_tensor *w = cw_tape_reshape(t, cw_row_dots(t, r, own), b->cells, G);
    cw_tape_drop(t, r), cw_tape_drop(t, own);
    w = cw_add_spread(t, w, cw_tape_reshape(t, m->b1, 1, G), 1.0f);
    cw_tensor *state = cw_layer_mlp_forward(t, w, &m->cross);
    cw_observe(observer, t, "cross_gene_state", state);
    cw_tensor *w2 = cw_tape_reshape(t, m->w2, G, d + 1);
    cw_tensor *y = cw_product(t, w, cw_tape_reshape(t, cw_columns(t, w2, 0, 1), 1, G));
    y = cw_add_scaled(t, y, cw_linear(t, state, cw_columns(t, w2, 1, d), NULL, CW_ACT_NONE), 1.0f);
    y = cw_add_spread(t, y, m->b2, 1.0f);
    y = cw_add_scaled(t, y, cw_tape_constant(t, b->control, b->cells, G), 1.0f);
    cw_observe(observer, t, "out", y);
    return y;
}
