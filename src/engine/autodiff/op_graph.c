/* op_graph.c: products with a sparse matrix. */
#include "ops.h"

typedef struct {
    cw_graph graph;
    int64_t blocks;
} graph_saved;

static void graph_backward(cw_tape *t, cw_node *node)
{
    cw_tensor *value = node->in[0], *x = node->in[1];
    const graph_saved *s = node->saved;
    int64_t d = cw_cols(x);
    const float *v = cw_tape_data(t, value), *xd = cw_tape_data(t, x), *dy = node->out->grad;
    float *dx = cw_tape_grad(t, x), *dvalue = cw_tape_grad(t, value);
    if (dx && v) t->k->sparse_product(&t->exec, dx, &s->graph.by_column, v, dy, 1, s->blocks, d);
    if (dvalue && xd) t->k->sparse_values(&t->exec, dvalue, &s->graph.by_row, dy, xd, s->blocks, d);
}

static const cw_op op_graph = {"graph_product", .backward = graph_backward};

/* The matrix with its arrays where kernels find them. */
static cw_sparse sparse_there(cw_tape *t, cw_sparse a, int64_t entries)
{
    a.start = cw_tape_there(t, a.start, (a.rows + 1) * (int64_t)sizeof *a.start);
    a.index = cw_tape_index(t, a.index, entries);
    a.place = cw_tape_index(t, a.place, entries);
    return a;
}

cw_tensor *cw_graph_product(cw_tape *t, const cw_graph *graph, cw_tensor *value, cw_tensor *x, int64_t blocks)
{
    cw_node *node = cw_node_new(t, &op_graph, 2, (cw_tensor *[]){value, x}, sizeof(graph_saved));
    if (!node) return NULL;
    if (cw_count(value) != graph->entries || blocks < 0 || cw_rows(x) != blocks * graph->by_row.cols) {
        cw_fail(t->ctx, CW_ERR_SHAPE,
                "graph_product: %lld values for %lld entries, %lld blocks of %lld columns for %lld rows",
                (long long)cw_count(value), (long long)graph->entries, (long long)blocks, (long long)graph->by_row.cols,
                (long long)cw_rows(x));
        return NULL;
    }
    graph_saved *s = node->saved;
    *s = (graph_saved){*graph, blocks};
    s->graph.by_row = sparse_there(t, graph->by_row, graph->entries);
    s->graph.by_column = sparse_there(t, graph->by_column, graph->entries);
    node->out = cw_tape_matrix(t, blocks * graph->by_row.rows, cw_cols(x));
    const float *v = cw_tape_data(t, value), *xd = cw_tape_data(t, x);
    float *y = cw_tape_data(t, node->out);
    if (!v || !xd || !y) return NULL;
    t->k->sparse_product(&t->exec, y, &s->graph.by_row, v, xd, 0, blocks, cw_cols(x));
    return cw_node_done(t, node);
}

cw_tensor *cw_cap_rows(cw_tape *t, cw_tensor *table, const int32_t *index, int64_t n, float cap)
{
    if (t->ctx->status != CW_OK) return NULL;
    for (int64_t i = 0; i < n; i++) {
        if (index[i] >= 0 && index[i] < cw_rows(table)) continue;
        cw_fail(t->ctx, CW_ERR_ARGUMENT, "cap_rows: no row %lld among %lld", (long long)index[i],
                (long long)cw_rows(table));
        return NULL;
    }
    float *rows = cw_tape_data(t, table);
    const int32_t *there = cw_tape_index(t, index, n);
    if (rows && there) t->k->cap_rows(&t->exec, rows, there, cap, n, cw_cols(table));
    return table;
}
