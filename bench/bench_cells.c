/* bench_cells.c: cells read from a file by the engine, beside HDF5's own reading of the same tables.
 *
 *   make -C tests/engine SAN= OPT=-O2 build/gcc/bench_cells && tests/engine/build/gcc/bench_cells FILE CELLS GENES [TURNS]
 *
 * FILE: AnnData with a CSR X, as `bench/atlas.R make` writes it. In turn: X/indices and X/data whole chunks at a time, as
 * they are stored, into two buffers (HDF5 alone, its filters undone); then all cells through cw_h5_cells_read() in blocks
 * of about 700,000 entries, as R asks for them, the file opened anew for each; the same for every other gene alone. A line
 * a turn: CPU seconds of each (the machine may be busy), and the rate of the two as a share of HDF5's. */
#include "test.h"

#include "io/h5_cells.h"
#include "io/hdf5_file.h"

#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double raw(const char *path, double *sum)
{
    double start = now();
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    static const char *const parts[] = {"X/indices", "X/data"};
    for (int p = 0; p < 2; p++) {
        hid_t set = H5Dopen2(file, parts[p], H5P_DEFAULT), type = H5Dget_type(set), space = H5Dget_space(set);
        hid_t create = H5Dget_create_plist(set);
        hsize_t n = 0, chunk = 1 << 17;
        H5Sget_simple_extent_dims(space, &n, NULL);
        if (H5Pget_layout(create) == H5D_CHUNKED) H5Pget_chunk(create, 1, &chunk);
        char *to = malloc((size_t)chunk * H5Tget_size(type));
        for (hsize_t at = 0; at < n; at += chunk) {
            hsize_t count = n - at < chunk ? n - at : chunk;
            hid_t memory = H5Screate_simple(1, &count, NULL);
            H5Sselect_hyperslab(space, H5S_SELECT_SET, &at, NULL, &count, NULL);
            H5Dread(set, type, memory, space, H5P_DEFAULT, to);
            H5Sclose(memory);
            *sum += to[0];
        }
        free(to);
        H5Pclose(create), H5Sclose(space), H5Tclose(type), H5Dclose(set);
    }
    H5Fclose(file);
    return now() - start;
}

static double ours(cw_ctx *ctx, const char *path, const cw_h5_cells *m, const int32_t *place, double *sum)
{
    double start = now();
    int64_t width = 700000 * m->cells / (m->entries > 0 ? m->entries : 1) + 1;
    int32_t *cell = malloc((size_t)width * sizeof *cell);
    for (int64_t at = 0, n; at < m->cells; at += n) {
        n = m->cells - at < width ? m->cells - at : width;
        for (int64_t j = 0; j < n; j++) cell[j] = (int32_t)(at + j);
        cw_h5_block b = {0};
        cw_h5 *h = cw_h5_open(ctx, path, 0);
        if (h && cw_h5_cells_read(ctx, &b, h, m, cell, n, place) == CW_OK && b.entries) *sum += b.value[0];
        cw_h5_close(ctx, h);
        cw_h5_block_free(ctx, &b);
    }
    free(cell);
    return now() - start;
}

int main(int argc, char **argv)
{
    if (argc < 4) return fprintf(stderr, "usage: bench_cells FILE CELLS GENES [TURNS]\n"), 2;
    int turns = argc > 4 ? atoi(argv[4]) : 5;
    cw_ctx *ctx = cw_ctx_new(NULL);
    cw_h5_cells m = {.name = "X", .sparse = 1, .by_cell = 1, .cells = atoll(argv[2]), .genes = atoll(argv[3])};
    cw_h5 *h = cw_h5_open(ctx, argv[1], 0);
    if (h) cw_h5_cells_check(ctx, &m, h);
    cw_h5_close(ctx, h);
    int32_t *place = malloc((size_t)m.genes * sizeof *place);
    for (int64_t g = 0; g < m.genes; g++) place[g] = g % 2 ? -1 : (int32_t)(g / 2);
    double sum = 0;
    if (ctx->status == CW_OK) printf("turn,entries,raw_s,cells_s,some_genes_s,share,share_some_genes\n");
    for (int turn = 0; turn <= turns && ctx->status == CW_OK; turn++) {
        double a = raw(argv[1], &sum), b = ours(ctx, argv[1], &m, NULL, &sum), c = ours(ctx, argv[1], &m, place, &sum);
        if (turn) printf("%d,%lld,%.4f,%.4f,%.4f,%.3f,%.3f\n", turn, (long long)m.entries, a, b, c, a / b, a / c);
    }
    if (ctx->status != CW_OK) fprintf(stderr, "%s\n", ctx->text);
    free(place);
    return sum == -1 || ctx->status != CW_OK;
}
