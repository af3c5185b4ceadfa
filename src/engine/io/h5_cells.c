/* h5_cells.c: see h5_cells.h. */
#include "h5_cells.h"

#include "h5_set.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cw_h5_block_free(cw_ctx *ctx, cw_h5_block *b)
{
    cw_free(ctx, b->start);
    if (!b->room) cw_free(ctx, b->row), cw_free(ctx, b->value);
    *b = (cw_h5_block){0};
}

#ifdef CW_HAVE_HDF5

/* Values read at once, at most: of sparse matrices as many as stay in cache, of dense ones enough for whole chunks. */
enum { PIECE = 1 << 17, BOX = 1 << 21 };

/* ---- what is open ----------------------------------------------------------------------------------------------- */

typedef struct parts {
    hid_t data, indices, indptr; /* of a dense matrix `data` alone; -1: not open */
} parts;

static void close_parts(parts *p)
{
    if (p->data >= 0) H5Dclose(p->data);
    if (p->indices >= 0) H5Dclose(p->indices);
    if (p->indptr >= 0) H5Dclose(p->indptr);
}

enum { VALUES, INDICES, OFFSETS };

static const char *part_of(const cw_h5_cells *m, int part)
{
    static const char *const usual[] = {"data", "indices", "indptr"};
    return (m->parts ? m->parts : usual)[part];
}

static hid_t open_part(cw_ctx *ctx, cw_h5 *h, const cw_h5_cells *m, int which)
{
    const char *part = part_of(m, which);
    char name[1024];
    if (snprintf(name, sizeof name, "%s/%s", m->name, part) >= (int)sizeof name) {
        cw_fail(ctx, CW_ERR_ARGUMENT, "a name of more than 1000 bytes");
        return -1;
    }
    return cw_h5_set_open(ctx, h, name);
}

static cw_status open_parts(cw_ctx *ctx, parts *p, cw_h5 *h, const cw_h5_cells *m)
{
    *p = (parts){-1, -1, -1};
    if (!m->sparse) {
        p->data = cw_h5_set_open(ctx, h, m->name);
        return ctx->status;
    }
    p->data = open_part(ctx, h, m, VALUES);
    p->indices = open_part(ctx, h, m, INDICES);
    p->indptr = open_part(ctx, h, m, OFFSETS);
    return ctx->status;
}

/* Slices are the cells of a matrix stored by cells, else the genes. */
static int64_t slices_of(const cw_h5_cells *m) { return m->by_cell ? m->cells : m->genes; }
static int64_t across_of(const cw_h5_cells *m) { return m->by_cell ? m->genes : m->cells; }

/* n values of a table of rank 1 from `first` on. */
static cw_status read_line(cw_ctx *ctx, void *to, hid_t set, hid_t type, int64_t first, int64_t n, const char *what)
{
    if (ctx->status != CW_OK || n == 0) return ctx->status;
    hsize_t from = (hsize_t)first, count = (hsize_t)n;
    hid_t space = H5Dget_space(set), memory = H5Screate_simple(1, &count, NULL);
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, &from, NULL, &count, NULL) < 0 ||
        H5Dread(set, type, memory, space, H5P_DEFAULT, to) < 0)
        cw_h5_fail(ctx, CW_ERR_FORMAT, "can't read", what);
    H5Sclose(memory), H5Sclose(space);
    return ctx->status;
}

/* ---- offsets ---------------------------------------------------------------------------------------------------- */

/* Offsets of the slices first .. first + n: n + 1 numbers, each checked against the one before. */
static cw_status read_offsets(cw_ctx *ctx, int64_t *offset, const parts *p, const cw_h5_cells *m, int64_t first,
                              int64_t n)
{
    read_line(ctx, offset, p->indptr, H5T_NATIVE_INT64, first, n + 1, "indptr");
    const char *slice = m->by_cell ? "cell" : "gene";
    for (int64_t i = 0; i <= n && ctx->status == CW_OK; i++) {
        if (offset[i] < 0 || offset[i] > m->entries)
            cw_fail(ctx, CW_ERR_FORMAT, "%s/indptr says that %s %lld begins at entry %lld, and there are %lld",
                    m->name, slice, (long long)(first + i + 1), (long long)offset[i], (long long)m->entries);
        else if (i > 0 && (offset[i] < offset[i - 1] || offset[i] - offset[i - 1] > across_of(m)))
            cw_fail(ctx, CW_ERR_FORMAT, "%s/indptr gives %s %lld %lld entries, and it can have from 0 to %lld", m->name,
                    slice, (long long)(first + i), (long long)(offset[i] - offset[i - 1]), (long long)across_of(m));
    }
    return ctx->status;
}

/* Values may be truth values, too (accessibility as yes and no): HDF5 gives them as 0 and 1. */
static int are_values(const cw_h5_item *item) { return item->kind == CW_H5_NUMBERS || item->kind == CW_H5_FLAGS; }

static int64_t length_of(hid_t set, int *whole, int64_t *stored)
{
    cw_h5_item item;
    cw_h5_set_describe(&item, set);
    *whole = item.whole || item.kind == CW_H5_FLAGS;
    *stored += item.stored;
    return are_values(&item) && item.rank == 1 ? item.dim[0] : -1;
}

static cw_status check_sparse(cw_ctx *ctx, cw_h5_cells *m, const parts *p)
{
    int whole = 0;
    int64_t slices = slices_of(m), offsets = length_of(p->indptr, &whole, &m->stored);
    if (offsets != slices + 1 || !(whole || m->parts))
        return cw_fail(ctx, CW_ERR_FORMAT, "%s/indptr must hold %lld whole numbers for %lld %s; it holds %lld%s",
                       m->name, (long long)slices + 1, (long long)slices, m->by_cell ? "cells" : "genes",
                       (long long)offsets, offsets < 0 ? " (not a line of numbers)" : "");
    int64_t indices = length_of(p->indices, &whole, &m->stored);
    if (indices < 0 || !whole) return cw_fail(ctx, CW_ERR_FORMAT, "%s/indices holds no whole numbers", m->name);
    m->entries = length_of(p->data, &m->whole, &m->stored);
    if (m->entries < 0) return cw_fail(ctx, CW_ERR_FORMAT, "%s/data is no line of numbers", m->name);
    if (m->entries != indices)
        return cw_fail(ctx, CW_ERR_FORMAT, "%s/data has %lld entries and %s/indices %lld", m->name,
                       (long long)m->entries, m->name, (long long)indices);
    int64_t step = slices < 1 << 16 ? slices : 1 << 16, last = 0;
    int64_t *offset = cw_alloc(ctx, step + 1, sizeof *offset);
    for (int64_t at = 0, n; (at < slices || at == 0) && ctx->status == CW_OK; at += n > 0 ? n : 1) {
        n = slices - at < step ? slices - at : step;
        if (read_offsets(ctx, offset, p, m, at, n) != CW_OK) break;
        if (at == 0 && offset[0] != 0)
            cw_fail(ctx, CW_ERR_FORMAT, "%s/indptr begins at %lld, not at 0", m->name, (long long)offset[0]);
        last = offset[n];
    }
    cw_free(ctx, offset);
    if (ctx->status == CW_OK && last != m->entries)
        cw_fail(ctx, CW_ERR_FORMAT, "%s/indptr ends at entry %lld, and %s/data has %lld", m->name, (long long)last,
                m->name, (long long)m->entries);
    return ctx->status;
}

static cw_status check_dense(cw_ctx *ctx, cw_h5_cells *m, const parts *p)
{
    cw_h5_item item;
    cw_h5_set_describe(&item, p->data);
    if (!are_values(&item) || item.rank != 2)
        return cw_fail(ctx, CW_ERR_FORMAT, "%s is no matrix of numbers", m->name);
    if (item.dim[0] != slices_of(m) || item.dim[1] != across_of(m))
        return cw_fail(ctx, CW_ERR_FORMAT, "%s is %lld x %lld, and there are %lld cells and %lld genes", m->name,
                       (long long)item.dim[0], (long long)item.dim[1], (long long)m->cells, (long long)m->genes);
    m->whole = item.whole || item.kind == CW_H5_FLAGS, m->stored = item.stored, m->entries = m->cells * m->genes;
    return ctx->status;
}

cw_status cw_h5_cells_check(cw_ctx *ctx, cw_h5_cells *m, cw_h5 *h)
{
    parts p;
    if (ctx->status != CW_OK) return ctx->status;
    m->entries = m->stored = 0, m->whole = 0;
    if (m->cells < 0 || m->genes < 0 || m->cells > INT32_MAX || m->genes > INT32_MAX)
        return cw_fail(ctx, CW_ERR_FORMAT, "%s is %lld cells x %lld genes; up to 2^31 - 1 of each can be read", m->name,
                       (long long)m->cells, (long long)m->genes);
    if (open_parts(ctx, &p, h, m) == CW_OK) m->sparse ? check_sparse(ctx, m, &p) : check_dense(ctx, m, &p);
    close_parts(&p);
    return ctx->status;
}

cw_status cw_h5_cells_offsets(cw_ctx *ctx, int64_t *sums, cw_h5 *h, const cw_h5_cells *m, int64_t first, int64_t n)
{
    parts p;
    if (ctx->status != CW_OK) return ctx->status;
    if (!m->sparse || !m->by_cell || first < 0 || n < 0 || first > m->cells - n)
        return cw_fail(ctx, CW_ERR_ARGUMENT, "cells %lld to %lld", (long long)first, (long long)(first + n));
    if (open_parts(ctx, &p, h, m) == CW_OK) read_offsets(ctx, sums, &p, m, first, n);
    close_parts(&p);
    for (int64_t j = n; j >= 0 && ctx->status == CW_OK; j--) sums[j] -= sums[0];
    return ctx->status;
}

/* ---- entries that are kept -------------------------------------------------------------------------------------- */

/* Entries of the block in the order they are found; `column` is the cell's in the block, where `columns` says so. */
typedef struct found {
    int64_t n, room;
    int64_t given; /* entries of room that are the caller's; there won't be more */
    int columns;
    int32_t *row, *column;
    double *value;
} found;

static void *longer(cw_ctx *ctx, void *old, int64_t n, int64_t room, size_t size)
{
    void *more = cw_alloc(ctx, room, size);
    if (more && n) memcpy(more, old, (size_t)n * size);
    if (more) cw_free(ctx, old);
    return more ? more : old;
}

static cw_status make_room(cw_ctx *ctx, found *f, int64_t more)
{
    if (f->n + more <= f->room) return ctx->status;
    if (f->given) return cw_fail(ctx, CW_ERR_ARGUMENT, "room for %lld entries is too little", (long long)f->given);
    int64_t room = f->n + more > f->room + f->room / 2 ? f->n + more : f->room + f->room / 2;
    f->row = longer(ctx, f->row, f->n, room, sizeof *f->row);
    if (f->columns) f->column = longer(ctx, f->column, f->n, room, sizeof *f->column);
    f->value = longer(ctx, f->value, f->n, room, sizeof *f->value);
    if (ctx->status == CW_OK) f->room = room;
    return ctx->status;
}

static inline void keep(found *f, int32_t row, int32_t column, double value)
{
    f->row[f->n] = row, f->column[f->n] = column, f->value[f->n] = value;
    f->n += value != 0; /* NaN is no zero */
}

typedef struct entry {
    int32_t row;
    double value;
} entry;

static int by_row(const void *a, const void *b)
{
    int32_t x = ((const entry *)a)->row, y = ((const entry *)b)->row;
    return (x > y) - (x < y);
}

/* Puts the entries of one column into the order of their rows. */
static void sort_column(cw_ctx *ctx, int32_t *row, double *value, int64_t n)
{
    int sorted = 1;
    for (int64_t k = 1; k < n; k++) sorted &= row[k] > row[k - 1];
    if (sorted) return;
    entry *spare = cw_alloc(ctx, n, sizeof *spare);
    if (!spare) return;
    for (int64_t k = 0; k < n; k++) spare[k] = (entry){row[k], value[k]};
    qsort(spare, (size_t)n, sizeof *spare, by_row);
    for (int64_t k = 0; k < n; k++) {
        row[k] = spare[k].row, value[k] = spare[k].value;
        if (k > 0 && row[k] == row[k - 1]) {
            cw_fail(ctx, CW_ERR_FORMAT,
                    "it gives a gene two values in one cell; in Python, X.sum_duplicates() makes them one");
            break;
        }
    }
    cw_free(ctx, spare);
}

/* Entries that lie as they must: those of column j from start[j] on. */
static void hand_over(cw_h5_block *out, found *f, int64_t *start, int64_t n)
{
    *out = (cw_h5_block){n, f->n, f->given, start, f->row, f->value};
    f->row = NULL, f->value = NULL;
}

/* Entries as found -> columns. */
static cw_status into_columns(cw_ctx *ctx, cw_h5_block *out, found *f, int64_t n)
{
    if (ctx->status != CW_OK) return ctx->status;
    out->cells = n, out->entries = f->n;
    out->start = cw_calloc(ctx, n + 1, sizeof *out->start);
    int64_t *at = cw_alloc(ctx, n, sizeof *at);
    out->row = cw_alloc(ctx, f->n, sizeof *out->row);
    out->value = cw_alloc(ctx, f->n, sizeof *out->value);
    if (ctx->status == CW_OK) {
        for (int64_t k = 0; k < f->n; k++) out->start[f->column[k] + 1]++;
        for (int64_t j = 0; j < n; j++) at[j] = out->start[j], out->start[j + 1] += out->start[j];
        for (int64_t k = 0; k < f->n; k++) {
            int64_t to = at[f->column[k]]++;
            out->row[to] = f->row[k], out->value[to] = f->value[k];
        }
    }
    cw_free(ctx, at);
    for (int64_t j = 0; j < n && ctx->status == CW_OK; j++) {
        int64_t from = out->start[j], count = out->start[j + 1] - from;
        if (count > 1) sort_column(ctx, out->row + from, out->value + from, count);
    }
    return ctx->status;
}

/* ---- sparse ----------------------------------------------------------------------------------------------------- */

typedef struct job {
    cw_h5 *h;
    const cw_h5_cells *m;
    parts p;
    const int32_t *place;  /* of a gene: its row, or NULL */
    const int32_t *column; /* of a cell: its column or -1; of matrices stored by genes */
    int64_t piece;         /* entries read at once */
    double *value;         /* so many; of dense matrices */
    hid_t stored;          /* how values are read */
    enum { STORED_DOUBLE, STORED_SINGLE, STORED_WHOLE } kind;
    found *f;
    int64_t *start; /* of matrices stored by cells: of every column of the block its first entry in f */
} job;

/* What a thread reads while another takes what was read before: entries at .. at + n - 1 as HDF5 gives them. What is
 * stored as single precision or as 32-bit integers stays that: HDF5's own conversion takes several times as long. */
typedef struct piece {
    int64_t at, n;
    int32_t *index; /* (piece) */
    void *value;    /* (piece) */
    cw_ctx why;     /* its status and text: the thread may not touch the context of all */
} piece;

static void read_piece(const job *w, piece *p)
{
    if (p->n <= 0) return;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* a thread has an error stack of its own */
    read_line(&p->why, p->index, w->p.indices, H5T_NATIVE_INT32, p->at, p->n, "indices");
    read_line(&p->why, p->value, w->p.data, w->stored, p->at, p->n, "data");
}

typedef struct reading {
    const job *w;
    piece *p;
} reading;

static void *read_ahead(void *of)
{
    const reading *r = of;
    read_piece(r->w, r->p);
    return NULL;
}

static double value_at(const job *w, const piece *p, int64_t k)
{
    return w->kind == STORED_SINGLE ? (double)((const float *)p->value)[k]
           : w->kind == STORED_WHOLE ? (double)((const int32_t *)p->value)[k]
                                     : ((const double *)p->value)[k];
}

static cw_status bad_index(cw_ctx *ctx, const cw_h5_cells *m, int64_t index, int64_t slice)
{
    return cw_fail(ctx, CW_ERR_FORMAT, "%s/indices names %s %lld in %s %lld, and there are %lld (counted from 0)",
                   m->name, m->by_cell ? "gene" : "cell", (long long)index, m->by_cell ? "cell" : "gene",
                   (long long)slice, (long long)across_of(m));
}

/* Entries from .. to - 1 of a piece, all of the gene `slice`, whose row is `here`. */
static void take_gene(cw_ctx *ctx, const job *w, int64_t slice, int32_t here, const piece *p, int64_t from, int64_t to)
{
    for (int64_t k = from; k < to; k++) {
        int32_t cell = p->index[k];
        if (cell < 0 || cell >= w->m->cells) {
            bad_index(ctx, w->m, cell, slice);
            return;
        }
        if (w->column[cell] >= 0) keep(w->f, here, w->column[cell], value_at(w, p, k));
    }
}

/* The same of the cell `slice`: next to those before. Every kind of value has a loop of its own. */
static void take_cell(cw_ctx *ctx, const job *w, int64_t slice, const piece *p, int64_t from, int64_t to)
{
    found *f = w->f;
    const int32_t *index = p->index, *place = w->place;
    int32_t *row = f->row + f->n;
    double *out = f->value + f->n;
    int64_t kept = 0, k = from;
    uint32_t genes = (uint32_t)w->m->genes;
#define TAKE(type)                                                                                                     \
    for (const type *value = p->value; k < to && (uint32_t)index[k] < genes; k++) {                                   \
        int32_t there = place ? place[index[k]] : index[k];                                                           \
        row[kept] = there, out[kept] = (double)value[k];                                                              \
        kept += (there >= 0) & (value[k] != 0);                                                                       \
    }
    if (w->kind == STORED_SINGLE) TAKE(float)
    else if (w->kind == STORED_WHOLE) TAKE(int32_t)
    else TAKE(double)
#undef TAKE
    if (k < to) bad_index(ctx, w->m, index[k], slice);
    f->n += kept;
}

/* The column `here` has all its entries. */
static void close_cell(cw_ctx *ctx, const job *w, int64_t here)
{
    int64_t from = w->start[here], n = w->f->n - from;
    w->start[here + 1] = w->f->n;
    if (n > 1) sort_column(ctx, w->f->row + from, w->f->value + from, n); /* no entries: no arrays */
}

/* The slices of a read, of which the next one to take is `slice`. */
typedef struct slices {
    int64_t first, n, here, slice;
    const int64_t *offset; /* (n + 1) */
} slices;

static void take_piece(cw_ctx *ctx, const job *w, slices *s, const piece *p)
{
    int by_cell = w->m->by_cell;
    make_room(ctx, w->f, p->n);
    for (int64_t k = 0; k < p->n && ctx->status == CW_OK;) {
        for (; s->offset[s->slice + 1] <= p->at + k; s->slice++)
            if (by_cell) close_cell(ctx, w, s->here + s->slice);
        int64_t end = s->offset[s->slice + 1] - p->at < p->n ? s->offset[s->slice + 1] - p->at : p->n;
        int64_t number = s->first + s->slice;
        if (by_cell)
            take_cell(ctx, w, number, p, k, end);
        else
            take_gene(ctx, w, number, w->place ? w->place[number] : (int32_t)number, p, k, end);
        k = end;
    }
}

/* The piece behind `at`; pieces end where chunks of so many entries would. */
static void next_piece(piece *p, int64_t at, int64_t end, int64_t size)
{
    p->at = at, p->n = size - at % size;
    if (p->n > end - at) p->n = end - at;
}

/* Slices first .. first + n - 1, which lie together; cells have their places in the block from `here` on, genes those
 * that `place` says. A slice may be longer than a piece. While a piece is taken the next one is read. */
static void read_slices(cw_ctx *ctx, const job *w, piece two[2], int64_t first, int64_t n, int64_t here)
{
    int64_t *offset = cw_alloc(ctx, n + 1, sizeof *offset);
    slices s = {.first = first, .n = n, .here = here, .offset = offset};
    if (offset && read_offsets(ctx, offset, &w->p, w->m, first, n) == CW_OK) {
        int64_t end = offset[n];
        int now = 0;
        if (w->m->by_cell && !w->place) make_room(ctx, w->f, end - offset[0]); /* at once, as all is kept */
        next_piece(two, offset[0], end, w->piece);
        read_piece(w, two);
        while (two[now].n > 0 && ctx->status == CW_OK) {
            piece *p = two + now, *ahead = two + !now;
            if (p->why.status != CW_OK) {
                cw_fail(ctx, p->why.status, "%s", p->why.text);
                break;
            }
            next_piece(ahead, p->at + p->n, end, w->piece);
            pthread_t reader;
            reading job_of = {w, ahead};
            /* a thread of its own, not OpenMP's: those that wait there spin, and reading takes longest */
            int beside = ctx->threads > 1 && ahead->n > 0 && pthread_create(&reader, NULL, read_ahead, &job_of) == 0;
            take_piece(ctx, w, &s, p);
            if (beside)
                pthread_join(reader, NULL);
            else
                read_piece(w, ahead);
            now = !now;
            cw_poll(ctx);
        }
        for (; w->m->by_cell && s.slice < n && ctx->status == CW_OK; s.slice++) close_cell(ctx, w, here + s.slice);
    }
    cw_free(ctx, offset);
}

enum { MOST_SLICES = 1 << 18 }; /* whose offsets are held at once */

static int64_t run_from(const int32_t *cell, int64_t j, int64_t n)
{
    int64_t run = 1;
    while (j + run < n && run < MOST_SLICES && cell[j + run] == cell[j] + run) run++;
    return run;
}

static void sparse_by_cell(cw_ctx *ctx, const job *w, piece two[2], const int32_t *cell, int64_t n)
{
    for (int64_t j = 0, run; j < n && ctx->status == CW_OK; j += run) {
        run = run_from(cell, j, n);
        read_slices(ctx, w, two, cell[j], run, j);
    }
}

static void sparse_by_gene(cw_ctx *ctx, const job *w, piece two[2])
{
    int64_t genes = w->m->genes;
    for (int64_t g = 0, run; g < genes && ctx->status == CW_OK; g += run) {
        int wanted = !w->place || w->place[g] >= 0;
        for (run = 1; g + run < genes && run < MOST_SLICES && (!w->place || w->place[g + run] >= 0) == wanted;) run++;
        if (wanted) read_slices(ctx, w, two, g, run, 0);
    }
}

/* ---- dense ------------------------------------------------------------------------------------------------------ */

/* Rows r0 .. r0 + nr - 1, columns c0 .. c0 + nc - 1 of a table. */
static cw_status read_box(cw_ctx *ctx, double *to, hid_t set, int64_t r0, int64_t nr, int64_t c0, int64_t nc)
{
    hsize_t from[2] = {(hsize_t)r0, (hsize_t)c0}, count[2] = {(hsize_t)nr, (hsize_t)nc};
    hid_t space = H5Dget_space(set), memory = H5Screate_simple(2, count, NULL);
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, count, NULL) < 0 ||
        H5Dread(set, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, to) < 0)
        cw_h5_fail(ctx, CW_ERR_FORMAT, "can't read", "the matrix");
    H5Sclose(memory), H5Sclose(space);
    return ctx->status;
}

/* The cells cell0 .. cell0 + n - 1, in the block at `here`: boxes of at most BOX values. */
static void dense_run(cw_ctx *ctx, const job *w, int64_t cell0, int64_t n, int32_t here)
{
    const cw_h5_cells *m = w->m;
    int64_t wide = m->genes < w->piece ? m->genes : w->piece, high = w->piece / (wide < 1 ? 1 : wide);
    if (high < 1) high = 1; /* of nothing, too */
    for (int64_t c = 0, nc; c < n && ctx->status == CW_OK; c += nc) {
        nc = n - c < high ? n - c : high;
        for (int64_t g = 0, ng; g < m->genes && ctx->status == CW_OK; g += ng) {
            ng = m->genes - g < wide ? m->genes - g : wide;
            if (m->by_cell)
                read_box(ctx, w->value, w->p.data, cell0 + c, nc, g, ng);
            else
                read_box(ctx, w->value, w->p.data, g, ng, cell0 + c, nc);
            if (make_room(ctx, w->f, nc * ng) != CW_OK) break;
            for (int64_t j = 0; j < nc; j++)
                for (int64_t k = 0; k < ng; k++) {
                    int32_t row = w->place ? w->place[g + k] : (int32_t)(g + k);
                    double value = w->value[m->by_cell ? j * ng + k : k * nc + j];
                    if (row >= 0) keep(w->f, row, here + (int32_t)(c + j), value);
                }
            cw_poll(ctx);
        }
    }
}

static void dense_cells(cw_ctx *ctx, const job *w, const int32_t *cell, int64_t n)
{
    for (int64_t j = 0, run; j < n && ctx->status == CW_OK; j += run) {
        for (run = 1; j + run < n && cell[j + run] == cell[j] + run;) run++;
        dense_run(ctx, w, cell[j], run, (int32_t)j);
    }
}

/* ---- a block ---------------------------------------------------------------------------------------------------- */

static int32_t *columns_of(cw_ctx *ctx, const cw_h5_cells *m, const int32_t *cell, int64_t n)
{
    int32_t *column = cw_alloc(ctx, m->cells, sizeof *column);
    if (!column) return NULL;
    memset(column, 0xff, (size_t)m->cells * sizeof *column);
    for (int64_t j = 0; j < n; j++) column[cell[j]] = (int32_t)j;
    return column;
}

static cw_status check_order(cw_ctx *ctx, const cw_h5_cells *m, const int32_t *cell, int64_t n)
{
    for (int64_t j = 0; j < n && ctx->status == CW_OK; j++)
        if (cell[j] < 0 || cell[j] >= m->cells || (j > 0 && cell[j] <= cell[j - 1]))
            cw_fail(ctx, CW_ERR_ARGUMENT, "cell %lld of %lld, or not in order", (long long)cell[j],
                    (long long)m->cells);
    return ctx->status;
}

int64_t cw_h5_cells_room(cw_ctx *ctx, cw_h5 *h, const cw_h5_cells *m, const int32_t *cell, int64_t n)
{
    parts p;
    int64_t sum = 0, most = n < MOST_SLICES ? n : MOST_SLICES;
    if (!m->sparse || !m->by_cell || check_order(ctx, m, cell, n) != CW_OK) return -1;
    int64_t *offset = cw_alloc(ctx, most + 1, sizeof *offset);
    if (open_parts(ctx, &p, h, m) == CW_OK)
        for (int64_t j = 0, run; j < n && ctx->status == CW_OK; j += run) {
            run = run_from(cell, j, n);
            if (read_offsets(ctx, offset, &p, m, cell[j], run) == CW_OK) sum += offset[run] - offset[0];
        }
    close_parts(&p);
    cw_free(ctx, offset);
    return ctx->status == CW_OK ? sum : -1;
}

static void read_sparse(cw_ctx *ctx, job *w, const int32_t *cell, int64_t n)
{
    piece two[2] = {{0}, {0}};
    int32_t *column = w->m->by_cell ? NULL : columns_of(ctx, w->m, cell, n);
    hid_t type = H5Dget_type(w->p.data);
    w->kind = H5Tequal(type, H5T_NATIVE_FLOAT) > 0   ? STORED_SINGLE
              : H5Tequal(type, H5T_NATIVE_INT32) > 0 ? STORED_WHOLE
                                                     : STORED_DOUBLE;
    w->stored = w->kind == STORED_SINGLE  ? H5T_NATIVE_FLOAT
                : w->kind == STORED_WHOLE ? H5T_NATIVE_INT32
                                          : H5T_NATIVE_DOUBLE;
    H5Tclose(type);
    for (int i = 0; i < 2; i++) {
        two[i].index = cw_alloc(ctx, w->piece, sizeof *two[i].index);
        two[i].value = cw_alloc(ctx, w->piece, sizeof(double));
    }
    w->column = column;
    if (ctx->status == CW_OK && w->m->by_cell)
        sparse_by_cell(ctx, w, two, cell, n);
    else if (ctx->status == CW_OK)
        sparse_by_gene(ctx, w, two);
    for (int i = 0; i < 2; i++) cw_free(ctx, two[i].index), cw_free(ctx, two[i].value);
    cw_free(ctx, column);
}

/* `f` is empty, or has the caller's arrays. */
static cw_status read_block(cw_ctx *ctx, cw_h5_block *out, found f, cw_h5 *h, const cw_h5_cells *m,
                            const int32_t *cell, int64_t n, const int32_t *place)
{
    int direct = m->sparse && m->by_cell;
    job w = {.h = h, .m = m, .place = place, .f = &f, .p = {-1, -1, -1}};
    f.columns = !direct;
    *out = (cw_h5_block){.room = f.given};
    if (check_order(ctx, m, cell, n) != CW_OK) return ctx->status;
    int64_t most = m->sparse ? PIECE : BOX;
    w.piece = m->entries < 1 ? 1 : m->entries < most ? m->entries : most;
    w.value = cw_alloc(ctx, m->sparse ? 0 : w.piece, sizeof *w.value);
    w.start = cw_calloc(ctx, direct ? n + 1 : 0, sizeof *w.start);
    if (open_parts(ctx, &w.p, h, m) == CW_OK) {
        if (m->sparse)
            read_sparse(ctx, &w, cell, n);
        else
            dense_cells(ctx, &w, cell, n);
    }
    close_parts(&w.p);
    cw_free(ctx, w.value);
    if (direct)
        hand_over(out, &f, w.start, n);
    else
        into_columns(ctx, out, &f, n);
    cw_free(ctx, f.column);
    if (!f.given) cw_free(ctx, f.row), cw_free(ctx, f.value);
    if (ctx->status != CW_OK) cw_h5_block_free(ctx, out);
    return ctx->status;
}

cw_status cw_h5_cells_read(cw_ctx *ctx, cw_h5_block *out, cw_h5 *h, const cw_h5_cells *m, const int32_t *cell,
                           int64_t n, const int32_t *place)
{
    return read_block(ctx, out, (found){0}, h, m, cell, n, place);
}

cw_status cw_h5_cells_read_into(cw_ctx *ctx, cw_h5_block *out, int32_t *row, double *value, int64_t room, cw_h5 *h,
                                const cw_h5_cells *m, const int32_t *cell, int64_t n)
{
    *out = (cw_h5_block){0};
    if (!m->sparse || !m->by_cell || room < 0) return cw_fail(ctx, CW_ERR_ARGUMENT, "a room is for sparse cells");
    return read_block(ctx, out, (found){.room = room, .given = room, .row = row, .value = value}, h, m, cell, n, NULL);
}

#else /* ---- without HDF5: no file is ever open ----------------------------------------------------------------- */

int64_t cw_h5_cells_room(cw_ctx *ctx, cw_h5 *h, const cw_h5_cells *m, const int32_t *cell, int64_t n)
{
    return (void)ctx, (void)h, (void)m, (void)cell, (void)n, -1;
}

cw_status cw_h5_cells_check(cw_ctx *ctx, cw_h5_cells *m, cw_h5 *h) { return (void)m, (void)h, ctx->status; }
cw_status cw_h5_cells_read(cw_ctx *ctx, cw_h5_block *out, cw_h5 *h, const cw_h5_cells *m, const int32_t *cell,
                           int64_t n, const int32_t *place)
{
    return (void)h, (void)m, (void)cell, (void)n, (void)place, *out = (cw_h5_block){0}, ctx->status;
}
cw_status cw_h5_cells_read_into(cw_ctx *ctx, cw_h5_block *out, int32_t *row, double *value, int64_t room, cw_h5 *h,
                                const cw_h5_cells *m, const int32_t *cell, int64_t n)
{
    return (void)row, (void)value, (void)room, cw_h5_cells_read(ctx, out, h, m, cell, n, NULL);
}
cw_status cw_h5_cells_offsets(cw_ctx *ctx, int64_t *sums, cw_h5 *h, const cw_h5_cells *m, int64_t first, int64_t n)
{
    return (void)sums, (void)h, (void)m, (void)first, (void)n, ctx->status;
}
#endif
