/* count_cells.h: a few cells of counts, for tests of encoders that read them. */
#ifndef CW_COUNT_CELLS_H
#define CW_COUNT_CELLS_H

#include "models/inputs.h"
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

#endif
