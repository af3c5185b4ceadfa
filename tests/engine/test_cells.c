/* test_cells.c: files of cells: what is written and read back in every layout, what must be refused, mutated files. */
#include "test.h"

#include "io/h5_cells.h"
#include "io/h5_write.h"

#ifdef CW_HAVE_HDF5
#include <hdf5.h>

#include "fuzz_cells.c"
#include "h5_case.h"

/* LeakSanitizer's, where it is linked */
extern void __lsan_disable(void) __attribute__((weak));

static char path_of_test[64];

static cw_h5_cells layout(const char *name, int sparse, int by_cell)
{
    return (cw_h5_cells){.name = name, .sparse = sparse, .by_cell = by_cell, .cells = 4, .genes = 3};
}

/* The block of `n` cells against the dense matrix; `place` as for the reader. */
static int same_block(const cw_h5_block *b, const int32_t *cell, int64_t n, const int32_t *place)
{
    double got[4][3] = {{0}};
    int64_t entries = 0;
    if (b->cells != n) return 0;
    for (int64_t j = 0; j < n; j++)
        for (int64_t k = b->start[j]; k < b->start[j + 1]; k++) got[j][b->row[k]] = b->value[k], entries++;
    int same = entries == b->entries;
    for (int64_t j = 0; j < n; j++)
        for (int g = 0; g < 3; g++) {
            int32_t row = place ? place[g] : g;
            same = same && (row < 0 || got[j][row] == h5_case_dense[cell[j]][g]);
        }
    return same;
}

static void layouts(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    h5_case_all(ctx, path_of_test);
    CHECK(ctx->status == CW_OK, "%s", ctx->text);
    const cw_h5_cells all[] = {layout("X", 1, 1), layout("genes", 1, 0), layout("dense", 0, 1)};
    const int32_t cells[][4] = {{0, 1, 2, 3}, {1, 3}, {0, 3}, {2}};
    const int64_t n[] = {4, 2, 2, 1};
    const int32_t some[] = {1, -1, 0}, none[] = {-1, -1, -1}, *places[] = {NULL, some, none};
    cw_h5 *h = cw_h5_open(ctx, path_of_test, 0);
    for (int l = 0; l < 3; l++) {
        cw_h5_cells m = all[l];
        CHECK(cw_h5_cells_check(ctx, &m, h) == CW_OK, "%s", ctx->text);
        CHECK(m.entries == (l == 2 ? 12 : 6) && !m.whole && m.stored > 0, "entries");
        for (int c = 0; c < 4; c++)
            for (int p = 0; p < 3; p++) {
                cw_h5_block b;
                cw_h5_cells_read(ctx, &b, h, &m, cells[c], n[c], places[p]);
                CHECK(ctx->status == CW_OK && same_block(&b, cells[c], n[c], places[p]), "%d, %d, %d: %s", l,
                      c, p, ctx->text);
                cw_h5_block_free(ctx, &b);
            }
    }
    int64_t sums[4];
    cw_h5_cells m = all[0];
    cw_h5_cells_check(ctx, &m, h);
    CHECK(cw_h5_cells_offsets(ctx, sums, h, &m, 1, 3) == CW_OK && sums[0] == 0 && sums[1] == 0 && sums[3] == 4, "sums");
    CHECK(cw_h5_cells_offsets(ctx, sums, h, &m, 2, 3) == CW_ERR_ARGUMENT, "more cells than there are");
    cw_ctx_clear(ctx);
    cw_h5_block b;
    const int32_t twice[] = {1, 1};
    CHECK(cw_h5_cells_read(ctx, &b, h, &m, twice, 2, NULL) == CW_ERR_ARGUMENT, "cells twice");
    cw_ctx_clear(ctx);
    cw_h5_close(ctx, h);
    CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

static void items(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    h5_case_all(ctx, path_of_test);
    cw_h5 *h = cw_h5_open(ctx, path_of_test, 0);
    cw_h5_item item;
    cw_h5_names names;
    cw_h5_values v;
    CHECK(cw_h5_children(ctx, &names, h, "/") == CW_OK && names.n == 4 && strcmp(names.name[0], "X") == 0, "children");
    cw_h5_names_free(ctx, &names);
    CHECK(cw_h5_look(ctx, &item, h, "dense") == CW_OK && item.kind == CW_H5_NUMBERS && item.rank == 2, "a matrix");
    CHECK(item.dim[0] == 4 && item.dim[1] == 3 && !item.whole && item.width == 8, "its shape");
    CHECK(cw_h5_values_read(ctx, &v, h, "obs/_index", NULL) == CW_OK && v.kind == CW_H5_STRINGS && v.n == 4 &&
              v.start[4] == 6 && memcmp(v.bytes, "abcd\xc3\xa9", 6) == 0,
          "text: %s", ctx->text);
    cw_h5_values_free(ctx, &v);
    CHECK(cw_h5_values_read(ctx, &v, h, "obs/flag", NULL) == CW_OK && v.kind == CW_H5_FLAGS && v.n == 5 &&
              v.number[0] == 0 && v.number[1] == 1,
          "flags");
    cw_h5_values_free(ctx, &v);
    CHECK(cw_h5_values_read(ctx, &v, h, "X/indptr", NULL) == CW_OK && v.whole && v.n == 5, "numbers");
    CHECK(v.number[0] == 0 && v.number[4] == 6, "their values");
    cw_h5_values_free(ctx, &v);
    CHECK(cw_h5_attribute(ctx, &v, h, "/", "encoding-type") == CW_OK && v.n == 1 && memcmp(v.bytes, "bcd", 3) == 0,
          "an attribute");
    cw_h5_values_free(ctx, &v);
    CHECK(cw_h5_has(h, "obs/flag") && !cw_h5_has(h, "obs/none") && !cw_h5_has(h, "obs/flag/x"), "has");
    CHECK(cw_h5_values_read(ctx, &v, h, "obs/none", NULL) == CW_ERR_FORMAT, "what isn't there");
    cw_ctx_clear(ctx);
    cw_h5_close(ctx, h);
    CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

/* A matrix that lies about itself: refused when checked, or when its cells are read. */
static void refuse(const char *what, const int32_t *indices, int64_t ni, const double *indptr, int64_t np,
                   const char *says)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    h5_case_sparse(ctx, path_of_test, 1, "X", h5_case_data, 6, indices, ni, indptr, np);
    cw_h5 *h = cw_h5_open(ctx, path_of_test, 0);
    for (int by_cell = 0; by_cell < 2; by_cell++) {
        const int32_t cell[] = {0, 1, 2, 3};
        cw_h5_block b = {0};
        cw_h5_cells m = layout("X", 1, by_cell);
        if (!by_cell) m.cells = 3, m.genes = 4;
        if (cw_h5_cells_check(ctx, &m, h) == CW_OK) cw_h5_cells_read(ctx, &b, h, &m, cell, m.cells, NULL);
        CHECK(ctx->status == CW_ERR_FORMAT && strstr(ctx->text, says), "%s: %s", what, ctx->text);
        cw_h5_block_free(ctx, &b);
        cw_ctx_clear(ctx);
    }
    cw_h5_close(ctx, h);
    CHECK(ctx->memory.bytes == 0, "%s: %lld bytes left", what, (long long)ctx->memory.bytes);
    cw_ctx_free(ctx);
}

static void lies(void)
{
    const int32_t big[] = {0, 2, 1, 0, 1, 3}, negative[] = {0, 2, -1, 0, 1, 2}, twice[] = {0, 2, 1, 0, 0, 2};
    const double falls[] = {0, 2, 1, 3, 6}, beyond[] = {0, 2, 2, 3, 7}, late[] = {1, 2, 2, 3, 6};
    const double ends[] = {0, 2, 2, 3, 5};
    const double wide[] = {0, 0, 0, 0, 6}, huge[] = {0, 2, 2, 3, 9e15}, below[] = {0, -2, 2, 3, 6};
    refuse("an index too large", big, 6, h5_case_indptr, 5, "X/indices names");
    refuse("an index below 0", negative, 6, h5_case_indptr, 5, "X/indices names");
    refuse("an index twice", twice, 6, h5_case_indptr, 5, "two values");
    refuse("fewer indices", h5_case_indices, 5, h5_case_indptr, 5, "X/data has 6 entries and X/indices 5");
    refuse("offsets that fall", h5_case_indices, 6, falls, 5, "entries, and it can have");
    refuse("offsets beyond the end", h5_case_indices, 6, beyond, 5, "begins at entry 7");
    refuse("offsets that begin late", h5_case_indices, 6, late, 5, "begins at 1");
    refuse("offsets that end early", h5_case_indices, 6, ends, 5, "ends at entry 5");
    refuse("a cell of too many genes", h5_case_indices, 6, wide, 5, "0 to 3");
    refuse("offsets of 2^53", h5_case_indices, 6, huge, 5, "begins at entry");
    refuse("offsets below 0", h5_case_indices, 6, below, 5, "begins at entry -2");
    refuse("too few offsets", h5_case_indices, 6, h5_case_indptr, 4, "must hold 5 whole numbers");
}

/* Indices in any order are fine. */
static void unsorted(void)
{
    const double data[] = {2, 1, 3, 5, 6, 4};
    const int32_t indices[] = {2, 0, 1, 1, 2, 0}, cell[] = {0, 1, 2, 3}, turned[] = {2, 1, 0};
    cw_ctx *ctx = cw_ctx_new(NULL);
    h5_case_sparse(ctx, path_of_test, 1, "X", data, 6, indices, 6, h5_case_indptr, 5);
    cw_h5 *h = cw_h5_open(ctx, path_of_test, 0);
    cw_h5_cells m = layout("X", 1, 1);
    cw_h5_block b;
    cw_h5_cells_check(ctx, &m, h);
    for (int p = 0; p < 2; p++) {
        cw_h5_cells_read(ctx, &b, h, &m, cell, 4, p ? turned : NULL);
        int rising = ctx->status == CW_OK;
        for (int64_t j = 0; rising && j < 4; j++)
            for (int64_t k = b.start[j] + 1; k < b.start[j + 1]; k++) rising = rising && b.row[k] > b.row[k - 1];
        CHECK(rising && same_block(&b, cell, 4, p ? turned : NULL), "unsorted indices, %d: %s", p, ctx->text);
        cw_h5_block_free(ctx, &b);
    }
    cw_h5_close(ctx, h);
    cw_ctx_free(ctx);
}

static uint32_t state = 2463534242u;
static uint32_t draw(void) { return state ^= state << 13, state ^= state >> 17, state ^= state << 5; }

/* What a file holds is changed, not its skeleton: the library's own reader of damaged metadata isn't ours to test (see
 * tests/fuzz/cells.sh). */
static void mutated(void)
{
    for (int round = 0; round < 40; round++) {
        double indptr[5], data[6];
        int32_t indices[6];
        cw_ctx *ctx = cw_ctx_new(NULL);
        for (int i = 0; i < 5; i++) indptr[i] = draw() % 4 ? h5_case_indptr[i] : (double)(draw() % 9) - 1;
        for (int i = 0; i < 6; i++) indices[i] = draw() % 8 ? h5_case_indices[i] : (int32_t)(draw() % 6) - 1;
        for (int i = 0; i < 6; i++) data[i] = draw() % 8 ? h5_case_data[i] : 0;
        h5_case_all(ctx, path_of_test);
        h5_case_sparse(ctx, path_of_test, 0, "mod", data, 6 - draw() % 2, indices, 6, indptr, 5 - draw() % 2);
        CHECK(ctx->status == CW_OK, "%s", ctx->text);
        cw_ctx_free(ctx);
        CHECK(fuzz_cells_file(path_of_test) == 0, "a crash is no return");
    }
}

/* Cut off anywhere; HDF5 must see that, for the end of the file stands in its first block. */
/* Many pieces, values of every kind, a reader ahead or not, into given arrays or not: the same to the bit. */
enum { MANY = 700, WIDE = 1000 };

static void pieces(void)
{
    static int32_t index[MANY * WIDE], cell[MANY], place[WIDE], row[MANY * WIDE];
    static double value[MANY * WIDE], offset[MANY + 1], to[MANY * WIDE];
    int64_t n = 0;
    for (int c = 0; c < MANY; c++) {
        for (int g = 0; c % 50 != 7 && g < WIDE; g++)
            if (draw() % 8 < 5) index[n] = g, value[n++] = draw() % 9; /* zeros, too */
        cell[c] = c, offset[c + 1] = (double)n;
    }
    for (int g = 0; g < WIDE; g++) place[g] = g % 3 ? -1 : WIDE / 3 - g / 3;
    CHECK(n > 3 << 17, "%lld entries are one piece", (long long)n);
    for (int type = 0; type < 3; type++) {
        static const cw_h5_put_type types[] = {CW_H5_PUT_F64, CW_H5_PUT_F32, CW_H5_PUT_I32};
        cw_ctx *ctx = cw_ctx_new(NULL);
        cw_h5 *h = cw_h5_create(ctx, path_of_test);
        cw_h5_put_group(ctx, h, "X");
        cw_h5_put_table(ctx, h, "X/data", &(cw_h5_put_data){types[type], 1, {n}, .number = value});
        cw_h5_put_table(ctx, h, "X/indices", &(cw_h5_put_data){CW_H5_PUT_I32, 1, {n}, .whole = index});
        cw_h5_put_table(ctx, h, "X/indptr", &(cw_h5_put_data){CW_H5_PUT_I64, 1, {MANY + 1}, .number = offset});
        cw_h5_close(ctx, h);
        cw_h5_cells m = {.name = "X", .sparse = 1, .by_cell = 1, .cells = MANY, .genes = WIDE};
        h = cw_h5_open(ctx, path_of_test, 0);
        cw_h5_cells_check(ctx, &m, h);
        CHECK(cw_h5_cells_room(ctx, h, &m, cell, MANY) == n && cw_h5_cells_room(ctx, h, &m, cell + 9, 1) ==
              (int64_t)(offset[10] - offset[9]), "room: %s", ctx->text);
        for (int way = 0; way < 6; way++) {
            ctx->threads = 1 + way % 2;
            cw_h5_block b;
            if (way / 2 == 2) cw_h5_cells_read_into(ctx, &b, row, to, n, h, &m, cell, MANY);
            else cw_h5_cells_read(ctx, &b, h, &m, cell, MANY, way / 2 ? place : NULL);
            int64_t k = 0;
            int same = ctx->status == CW_OK;
            for (int c = 0; same && c < MANY; c++) {
                for (int64_t e = (int64_t)offset[c]; way / 2 != 1 && e < (int64_t)offset[c + 1]; e++)
                    if (value[e] != 0) same = same && b.row[k] == index[e] && b.value[k] == value[e], k++;
                for (int64_t e = (int64_t)offset[c + 1] - 1; way / 2 == 1 && e >= (int64_t)offset[c]; e--)
                    if (value[e] != 0 && place[index[e]] >= 0)
                        same = same && b.row[k] == place[index[e]] && b.value[k] == value[e], k++;
                same = same && b.start[c + 1] == k;
            }
            CHECK(same && b.entries == k && (b.row == row) == (way / 2 == 2), "type %d, way %d: %s", type, way, ctx->text);
            cw_h5_block_free(ctx, &b);
        }
        cw_h5_block b;
        CHECK(cw_h5_cells_read_into(ctx, &b, row, to, 5, h, &m, cell, MANY) == CW_ERR_ARGUMENT, "too little room");
        cw_ctx_clear(ctx);
        cw_h5_close(ctx, h);
        CHECK(ctx->memory.bytes == 0, "%lld bytes left", (long long)ctx->memory.bytes);
        cw_ctx_free(ctx);
    }
}

/* More than 2^31 entries, of which the last cell's (or gene's) are written; the others are what HDF5 fills in. */
static void beyond_32_bits(void)
{
    enum { ACROSS = 30000, SLICES = 71600 };
    const hsize_t entries = (hsize_t)ACROSS * SLICES, chunk = 1 << 16;
    static int32_t index[ACROSS];
    static int64_t offset[SLICES + 1];
    for (int i = 0; i < ACROSS; i++) index[i] = i;
    for (int i = 0; i <= SLICES; i++) offset[i] = (int64_t)i * ACROSS;
    hid_t file = H5Fcreate(path_of_test, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t group = H5Gcreate2(file, "X", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), create = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(1, &entries, NULL);
    const float fill = 3;
    H5Pset_chunk(create, 1, &chunk), H5Pset_fill_value(create, H5T_NATIVE_FLOAT, &fill);
    hid_t data = H5Dcreate2(group, "data", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, create, H5P_DEFAULT);
    hid_t indices = H5Dcreate2(group, "indices", H5T_NATIVE_INT32, space, H5P_DEFAULT, create, H5P_DEFAULT);
    hsize_t from = entries - ACROSS, count = ACROSS, offsets = SLICES + 1;
    hid_t memory = H5Screate_simple(1, &count, NULL), line = H5Screate_simple(1, &offsets, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &from, NULL, &count, NULL);
    CHECK(H5Dwrite(indices, H5T_NATIVE_INT32, memory, space, H5P_DEFAULT, index) >= 0, "indices");
    hid_t indptr = H5Dcreate2(group, "indptr", H5T_NATIVE_INT64, line, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    CHECK(H5Dwrite(indptr, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, offset) >= 0, "offsets");
    H5Dclose(indptr), H5Dclose(indices), H5Dclose(data), H5Sclose(line), H5Sclose(memory), H5Sclose(space);
    H5Pclose(create), H5Gclose(group), H5Fclose(file);
    cw_ctx *ctx = cw_ctx_new(NULL);
    cw_h5 *h = cw_h5_open(ctx, path_of_test, 0);
    static int32_t place[SLICES];
    for (int i = 0; i < SLICES; i++) place[i] = i - SLICES + 1;
    for (int by_cell = 0; by_cell < 2; by_cell++) {
        cw_h5_cells m = {.name = "X", .sparse = 1, .by_cell = by_cell};
        m.cells = by_cell ? SLICES : ACROSS, m.genes = by_cell ? ACROSS : SLICES;
        CHECK(cw_h5_cells_check(ctx, &m, h) == CW_OK && m.entries > INT32_MAX, "%s", ctx->text);
        const int32_t cell[] = {(int32_t)m.cells - 1};
        cw_h5_block b;
        cw_h5_cells_read(ctx, &b, h, &m, cell, 1, by_cell ? NULL : place);
        int64_t n = by_cell ? ACROSS : 1;
        CHECK(ctx->status == CW_OK && b.entries == n && b.row[n - 1] == (by_cell ? ACROSS - 1 : 0) && b.value[0] == 3,
              "%s", ctx->text);
        cw_h5_block_free(ctx, &b);
    }
    cw_h5_close(ctx, h);
    cw_ctx_free(ctx);
}

static void truncated(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    h5_case_all(ctx, path_of_test);
    cw_ctx_free(ctx);
    FILE *f = fopen(path_of_test, "rb");
    static uint8_t bytes[1 << 17];
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    for (size_t k = 0; k < 40; k++) LLVMFuzzerTestOneInput(bytes, n * k / 40);
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    snprintf((char *)bytes, 64, "/tmp/causeway-fuzz-%d.h5", (int)getpid());
    unlink((char *)bytes);
    CHECK(n > 1000, "a whole file");
}

int main(void)
{
    /* as in test_hdf5.c */
    H5dont_atexit();
    if (__lsan_disable) __lsan_disable();
    snprintf(path_of_test, sizeof path_of_test, "/tmp/causeway-cells-%d.h5", (int)getpid());
    layouts();
    items();
    lies();
    unsorted();
    pieces();
    beyond_32_bits();
    mutated();
    truncated();
    unlink(path_of_test);
    return test_end();
}
#else
int main(void)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    CHECK(!cw_h5_open(ctx, "x", 0) && ctx->status == CW_ERR_STATE, "without HDF5 files can't be read");
    cw_ctx_free(ctx);
    return test_end();
}
#endif
