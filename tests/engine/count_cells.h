/* count_cells.h: a few cells of counts, for tests of encoders that read them. */
#ifndef CW_COUNT_CELLS_H
#define CW_COUNT_CELLS_H

#include "models/inputs.h"
#include "model_rig.h"
#include "test.h"

enum { CELLS = 6, GENES = 30 };

typedef struct {
    double value[CELLS * GENES], dense[CELLS * GENES];
    int32_t column[CELLS * GENES], token[GENES], label[CELLS];
    int64_t start[CELLS + 1];
    cw_array item[3]; /* counts, sparse; token; label */
} counted;

/* Counts whose first half of genes is high in every other cell; tokens from `first` on. */
static inline void fill_counted(counted *c, int32_t first)
{
    int64_t n = 0;
    memset(c, 0, sizeof *c);
    for (int i = 0; i < CELLS; i++) {
        c->label[i] = i % 2;
        for (int g = 0; g < GENES; g++) {
            double x = (double)((i * 7 + g * 5) % 6) * (i % 2 == (g < GENES / 2) ? 4 : 1);
            c->dense[i * GENES + g] = x;
            if (x > 0) c->value[n] = x, c->column[n++] = g;
        }
        c->start[i + 1] = n;
    }
    for (int g = 0; g < GENES; g++) c->token[g] = first + g;
    c->item[0] = (cw_array){"counts", CW_ARRAY_CSR, 2, {CELLS, GENES}, c->value, c->start, c->column};
    c->item[1] = (cw_array){"token", CW_ARRAY_I32, 1, {GENES}, c->token, NULL, NULL};
    c->item[2] = (cw_array){"label", CW_ARRAY_I32, 1, {CELLS}, c->label, NULL, NULL};
}

/* What holds of every encoder of logged counts, on its first cells: sparse and dense counts are one, a cell is the same in
 * company and alone, twice the depth is no other cell, and logarithms are taken as they are with `logged`. a: what "embed"
 * gives of c; dense: c's first cell for later, its values in scaled (GENES). */
static inline void counts_are_read(rig *r, counted *c, int64_t width, cw_option logged, shelf *a, cw_array dense[2],
                                   double *scaled)
{
    shelf b;
    double total = 0;
    fill_counted(c, 1);
    CHECK(ask(r, "embed", NULL, 0, c->item, 2, a) == CW_OK, "%s", r->ctx->text);
    CHECK(((int32_t *)a->data[1])[0] == c->start[1], "genes of a cell");
    dense[0] = c->item[0], dense[1] = c->item[1];
    dense[0].type = CW_ARRAY_F64, dense[0].data = c->dense;
    ask(r, "embed", NULL, 0, dense, 2, &b);
    CHECK(memcmp(a->data[0], b.data[0], (size_t)(CELLS * width * 4)) == 0, "sparse and dense counts differ");
    empty(&b);
    r->ctx->threads = 1;
    dense[0].dim[0] = 1, dense[0].data = c->dense + 3 * GENES;
    ask(r, "embed", NULL, 0, dense, 2, &b);
    CHECK(apart((float *)a->data[0] + 3 * width, b.data[0], width) < 1e-5, "a cell depends on its company");
    empty(&b);
    for (int g = 0; g < GENES; g++) total += c->dense[g], scaled[g] = 2 * c->dense[g];
    dense[0].data = scaled;
    ask(r, "embed", NULL, 0, dense, 2, &b);
    CHECK(apart(a->data[0], b.data[0], width) < 1e-5, "depth is told");
    empty(&b);
    for (int g = 0; g < GENES; g++) scaled[g] = log1p(c->dense[g] / total * 1e4);
    ask(r, "embed", &logged, 1, dense, 2, &b);
    CHECK(apart(a->data[0], b.data[0], width) < 1e-5, "logarithms differ");
    empty(&b);
}

/* Of every encoder of counts: "states" are finite rows of the genes that have counts, NaN elsewhere, the same in company
 * and alone, and none is another's. */
static inline void states_are_rows(rig *r, counted *c, int64_t width)
{
    shelf a, b;
    CHECK(ask(r, "states", NULL, 0, c->item, 2, &a) == CW_OK, "%s", r->ctx->text);
    CHECK(a.count[0] == CELLS * GENES * width, "%lld numbers", (long long)a.count[0]);
    const float *x = a.data[0];
    for (int i = 0; i < CELLS * GENES; i++)
        for (int64_t k = 0; k < width; k++)
            CHECK(!isnan(x[i * width + k]) == (c->dense[i] > 0), "cell %d, gene %d", i / GENES, i % GENES);
    cw_array one[2] = {c->item[0], c->item[1]};
    one[0].type = CW_ARRAY_F64, one[0].data = c->dense + 3 * GENES, one[0].dim[0] = 1;
    ask(r, "states", NULL, 0, one, 2, &b);
    int last = -1;
    for (int g = 0; g < GENES; g++) {
        const float *alone = (float *)b.data[0] + g * width, *company = x + (3 * GENES + g) * width;
        if (c->dense[3 * GENES + g] == 0) continue;
        CHECK(apart(alone, company, width) < 1e-5, "gene %d depends on the cell's company", g);
        CHECK(last < 0 || apart(alone, (float *)b.data[0] + last * width, width) > 1e-3, "genes %d and %d are one", g, last);
        last = g;
    }
    empty(&a), empty(&b);
}

#endif
