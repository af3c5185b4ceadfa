/* layer_graph.c: see layer_graph.h. */
#include "layer_graph.h"

#include <math.h>
#include <string.h>

void cw_graph_free(cw_ctx *ctx, cw_graph_store *g)
{
    if (!g) return;
    for (int i = 0; i < 2; i++) cw_free(ctx, g->start[i]), cw_free(ctx, g->index[i]);
    cw_free(ctx, g->place);
    cw_free(ctx, g->weight);
    cw_free(ctx, g);
}

/* Offsets of `count` lists whose items' lists are list[e]; then start[l] is moved on as items are put in. */
static void offsets(int64_t *start, int64_t count, const int32_t *list, int64_t items)
{
    memset(start, 0, (size_t)(count + 1) * sizeof *start);
    for (int64_t e = 0; e < items; e++) start[list[e] + 1]++;
    for (int64_t i = 0; i < count; i++) start[i + 1] += start[i];
}

static void back_by_one(int64_t *start, int64_t count)
{
    memmove(start + 1, start, (size_t)count * sizeof *start);
    start[0] = 0;
}

cw_graph_store *cw_graph_new(cw_ctx *ctx, int64_t rows, int64_t cols, int64_t edges, const int32_t *target,
                             const int32_t *source, const float *weight)
{
    for (int64_t e = 0; e < edges; e++) {
        if (target[e] >= 0 && target[e] < rows && source[e] >= 0 && source[e] < cols) continue;
        cw_fail(ctx, CW_ERR_ARGUMENT, "graph: edge %lld leads from %lld to %lld, beyond %lld x %lld", (long long)e,
                (long long)source[e], (long long)target[e], (long long)rows, (long long)cols);
        return NULL;
    }
    if (edges > INT32_MAX) {
        cw_fail(ctx, CW_ERR_ARGUMENT, "graph: %lld edges are too many", (long long)edges);
        return NULL;
    }
    cw_graph_store *g = cw_calloc(ctx, 1, sizeof *g);
    if (!g) return NULL;
    g->start[0] = cw_alloc(ctx, rows + 1, sizeof **g->start);
    g->start[1] = cw_alloc(ctx, cols + 1, sizeof **g->start);
    for (int i = 0; i < 2; i++) g->index[i] = cw_alloc(ctx, edges, sizeof **g->index);
    g->place = cw_alloc(ctx, edges, sizeof *g->place);
    g->weight = cw_alloc(ctx, edges, sizeof *g->weight);
    if (!g->weight) {
        cw_graph_free(ctx, g);
        return NULL;
    }
    offsets(g->start[0], rows, target, edges);
    for (int64_t e = 0; e < edges; e++) {
        int64_t to = g->start[0][target[e]]++;
        g->index[0][to] = source[e];
        g->weight[to] = weight ? weight[e] : 1.0f;
    }
    back_by_one(g->start[0], rows);
    offsets(g->start[1], cols, source, edges);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t e = g->start[0][i]; e < g->start[0][i + 1]; e++) {
            int64_t to = g->start[1][g->index[0][e]]++;
            g->index[1][to] = (int32_t)i;
            g->place[to] = (int32_t)e;
        }
    back_by_one(g->start[1], cols);
    g->graph = (cw_graph){
        {rows, cols, g->start[0], g->index[0], NULL}, {cols, rows, g->start[1], g->index[1], g->place}, edges};
    return g;
}

cw_graph_store *cw_graph_new_normalised(cw_ctx *ctx, int64_t nodes, int64_t edges, const int32_t *target,
                                        const int32_t *source, const float *weight)
{
    int64_t room = edges + nodes, count = 0;
    int32_t *to = cw_alloc(ctx, room, sizeof *to), *from = cw_alloc(ctx, room, sizeof *from);
    float *w = cw_alloc(ctx, room, sizeof *w), *loop = cw_alloc(ctx, nodes, sizeof *loop);
    double *degree = cw_calloc(ctx, nodes, sizeof *degree);
    cw_graph_store *g = NULL;
    if (degree) {
        for (int64_t i = 0; i < nodes; i++) loop[i] = 1.0f;
        for (int64_t e = 0; e < edges; e++) {
            float we = weight ? weight[e] : 1.0f;
            if (target[e] == source[e] && target[e] >= 0 && target[e] < nodes)
                loop[target[e]] = we;
            else
                to[count] = target[e], from[count] = source[e], w[count++] = we;
        }
        for (int64_t i = 0; i < nodes; i++) to[count] = from[count] = (int32_t)i, w[count++] = loop[i];
        g = cw_graph_new(ctx, nodes, nodes, count, to, from, w);
    }
    for (int64_t i = 0; g && i < nodes; i++)
        for (int64_t e = g->start[0][i]; e < g->start[0][i + 1]; e++) degree[i] += g->weight[e];
    for (int64_t i = 0; g && i < nodes; i++)
        for (int64_t e = g->start[0][i]; e < g->start[0][i + 1]; e++) {
            double both = degree[i] > 0 && degree[g->index[0][e]] > 0 ? degree[i] * degree[g->index[0][e]] : INFINITY;
            g->weight[e] = (float)(g->weight[e] / sqrt(both));
        }
    cw_free(ctx, to), cw_free(ctx, from), cw_free(ctx, w), cw_free(ctx, loop), cw_free(ctx, degree);
    return g;
}

cw_tensor *cw_layer_graph(cw_tape *t, const cw_graph_store *g, cw_tensor *x, cw_tensor *w, cw_tensor *b, int64_t blocks)
{
    cw_tensor *value = cw_tape_constant(t, g->weight, g->graph.entries, 1);
    cw_tensor *mixed = cw_graph_product(t, &g->graph, value, x, blocks);
    cw_tensor *y = cw_linear(t, mixed, w, b, CW_ACT_NONE);
    return y;
}
