/* fuzz_cells.c: any file at all into the readers of cells (AnnData's, 10x's, loom's files are all read by them); they
 * may refuse it, nothing else.
 *
 * test_cells.c includes this file and drives it with its own mutations; tests/fuzz/cells.sh for as long as one likes.
 * With libFuzzer (clang), from tests/engine:
 *   clang -g -O1 -fsanitize=fuzzer,address,undefined -DCW_HAVE_HDF5 -I../../src/engine $(pkg-config --cflags hdf5) \
 *     fuzz_cells.c ../../src/engine/core/core.c ../../src/engine/io/hdf5.c ../../src/engine/io/h5_items.c \
 *     ../../src/engine/io/h5_cells.c $(pkg-config --libs hdf5) -lm -o fuzz */
#include "core/core.h"
#include "io/h5_cells.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int fuzz_cells_file(const char *path);

static int fuzz_sum; /* what is read is looked at */

static void fuzz_values(cw_ctx *ctx, cw_h5 *h, const char *name, const char *member)
{
    cw_h5_values v;
    cw_h5_values_read(ctx, &v, h, name, member);
    for (int64_t i = 0; i < v.n; i++) {
        if (v.kind == CW_H5_STRINGS) {
            if (v.start[i + 1] < v.start[i] || v.start[i + 1] > v.room) __builtin_trap();
            fuzz_sum += v.start[i + 1] > v.start[i] ? v.bytes[v.start[i]] : 0;
        } else
            fuzz_sum += v.number[i] > 0;
    }
    cw_h5_values_free(ctx, &v);
    cw_ctx_clear(ctx);
}

static void fuzz_matrix(cw_ctx *ctx, cw_h5 *h, cw_h5_cells m)
{
    int32_t cell[64], place[64];
    int64_t n = m.cells < 64 ? m.cells : 64;
    for (int32_t j = 0; j < 64; j++) cell[j] = j, place[j] = j % 2 ? -1 : j / 2;
    if (cw_h5_cells_check(ctx, &m, h) == CW_OK) {
        for (int way = 0; way < 2; way++) {
            cw_h5_block b;
            if (way == 1 && m.genes > 64) break;
            if (cw_h5_cells_read(ctx, &b, h, &m, cell, n, way ? place : NULL) == CW_OK) {
                if (b.start[0] != 0 || b.start[n] != b.entries) __builtin_trap();
                for (int64_t k = 0; k < b.entries; k++)
                    if (b.row[k] < 0 || b.row[k] >= m.genes) __builtin_trap();
            }
            cw_h5_block_free(ctx, &b);
            cw_ctx_clear(ctx);
        }
    }
    cw_ctx_clear(ctx);
}

/* `name` as a matrix, both ways round, of the size its offsets or its table say. */
static void fuzz_as_matrix(cw_ctx *ctx, cw_h5 *h, const char *name, int sparse, const char *const *parts,
                           int64_t slices, int64_t across)
{
    for (int by_cell = 0; by_cell < 2; by_cell++) {
        cw_h5_cells m = {.name = name, .parts = parts, .sparse = sparse, .by_cell = by_cell};
        m.cells = by_cell ? slices : across, m.genes = by_cell ? across : slices;
        fuzz_matrix(ctx, h, m);
    }
}

static void fuzz_look(cw_ctx *ctx, cw_h5 *h, const char *name, int depth)
{
    cw_h5_item item;
    cw_h5_names names;
    cw_h5_values v;
    char inner[1024];
    if (cw_h5_look(ctx, &item, h, name) != CW_OK) cw_ctx_clear(ctx), item.kind = CW_H5_OTHER;
    cw_h5_attributes(ctx, &names, h, name);
    cw_ctx_clear(ctx);
    for (int64_t i = 0; i < names.n && i < 40; i++) {
        if (!names.name[i]) continue;
        cw_h5_attribute(ctx, &v, h, name, names.name[i]);
        cw_h5_values_free(ctx, &v);
        cw_ctx_clear(ctx);
    }
    cw_h5_names_free(ctx, &names);
    if (item.kind == CW_H5_RECORDS) {
        cw_h5_members(ctx, &names, h, name);
        cw_ctx_clear(ctx);
        for (int64_t i = 0; i < names.n; i++) fuzz_values(ctx, h, name, names.name[i] ? names.name[i] : "");
        cw_h5_names_free(ctx, &names);
    } else if (item.kind != CW_H5_GROUP) {
        fuzz_values(ctx, h, name, NULL);
        if (item.rank == 2) fuzz_as_matrix(ctx, h, name, 0, NULL, item.dim[0], item.dim[1]);
        return;
    }
    if (item.kind != CW_H5_GROUP || depth > 4) return;
    cw_h5_children(ctx, &names, h, name);
    cw_ctx_clear(ctx);
    for (int64_t i = 0; i < names.n && i < 60; i++) {
        if (!names.name[i]) continue;
        snprintf(inner, sizeof inner, "%s%s%s", depth ? name : "", depth ? "/" : "", names.name[i]);
        static const char *const own[] = {"value", "gene", "start"}; /* of expression in a file of networks */
        int usual = strcmp(names.name[i], "indptr") == 0;
        if ((usual || strcmp(names.name[i], "start") == 0) && cw_h5_look(ctx, &item, h, inner) == CW_OK)
            for (int64_t across = 3; across < 5000; across = across * 100 + 4)
                fuzz_as_matrix(ctx, h, name, 1, usual ? NULL : own, item.dim[0] - 1, across);
        cw_ctx_clear(ctx);
        fuzz_look(ctx, h, inner, depth + 1);
    }
    cw_h5_names_free(ctx, &names);
}

int fuzz_cells_file(const char *path)
{
    cw_ctx *ctx = cw_ctx_new(NULL);
    if (!ctx) return 0;
    ctx->memory.limit = (int64_t)1 << 30;
    cw_h5 *h = cw_h5_open(ctx, path, 0);
    if ((h != NULL) != (ctx->status == CW_OK)) __builtin_trap();
    if (h) fuzz_look(ctx, h, "/", 0);
    cw_h5_close(ctx, h);
    cw_ctx_clear(ctx);
    if (ctx->memory.bytes != 0) __builtin_trap(); /* a leak */
    cw_ctx_free(ctx);
    return fuzz_sum & 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static char path[64];
    if (!path[0]) snprintf(path, sizeof path, "/tmp/causeway-fuzz-%d.h5", (int)getpid());
    FILE *f = fopen(path, "wb");
    if (!f) return 0;
    size_t written = fwrite(bytes, 1, n, f);
    fclose(f);
    if (written == n) fuzz_cells_file(path);
    return 0;
}
