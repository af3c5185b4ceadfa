/* h5_case.h: small HDF5 files of cells for the tests and fuzz targets of h5_items.c and h5_cells.c. */
#ifndef H5_CASE_H
#define H5_CASE_H

#include "core/core.h"
#include "io/h5_write.h"

/* Four cells x three genes by cells, with the group named `group`:
 *   cell 0: 1 0 2, cell 1: none, cell 2: 0 3 0, cell 3: 4 5 6 */
static const double h5_case_data[] = {1, 2, 3, 4, 5, 6};
static const int32_t h5_case_indices[] = {0, 2, 1, 0, 1, 2};
static const double h5_case_indptr[] = {0, 2, 2, 3, 6};
static const double h5_case_dense[4][3] = {{1, 0, 2}, {0, 0, 0}, {0, 3, 0}, {4, 5, 6}};

static inline cw_h5_put_data h5_line(cw_h5_put_type type, int64_t n, const double *number, const int32_t *whole)
{
    return (cw_h5_put_data){.type = type, .rank = 1, .dim = {n, 0}, .number = number, .whole = whole};
}

/* A group of data (nd), indices (ni) and indptr (np). */
static inline void h5_case_sparse(cw_ctx *ctx, const char *path, int fresh, const char *group, const double *data,
                                  int64_t nd, const int32_t *indices, int64_t ni, const double *indptr, int64_t np)
{
    char name[64];
    const char *part[] = {"data", "indices", "indptr"};
    cw_h5_put_data put[] = {h5_line(CW_H5_PUT_F32, nd, data, NULL), h5_line(CW_H5_PUT_I32, ni, NULL, indices),
                            h5_line(CW_H5_PUT_I64, np, indptr, NULL)};
    cw_h5 *h = fresh ? cw_h5_create(ctx, path) : cw_h5_open(ctx, path, 1);
    if (!h) return;
    cw_h5_put_group(ctx, h, group);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s/%s", group, part[i]);
        cw_h5_put_table(ctx, h, name, put + i);
    }
    cw_h5_close(ctx, h);
}

/* Everything the readers know of in one file: sparse both ways, dense, text, flags, attributes. */
static inline void h5_case_all(cw_ctx *ctx, const char *path)
{
    static const double gene_data[] = {1, 4, 3, 5, 2, 6}, gene_indptr[] = {0, 2, 4, 6};
    static const int32_t gene_indices[] = {0, 3, 2, 3, 0, 3};
    const char *words[] = {"a", "bcd", "", "\xc3\xa9"};
    h5_case_sparse(ctx, path, 1, "X", h5_case_data, 6, h5_case_indices, 6, h5_case_indptr, 5);
    h5_case_sparse(ctx, path, 0, "genes", gene_data, 6, gene_indices, 6, gene_indptr, 4);
    cw_h5 *h = cw_h5_open(ctx, path, 1);
    if (!h) return;
    cw_h5_put_data dense = {.type = CW_H5_PUT_F64, .rank = 2, .dim = {4, 3}, .number = &h5_case_dense[0][0]};
    cw_h5_put_data text = {.type = CW_H5_PUT_TEXT, .rank = 1, .dim = {4, 0}, .text = words};
    cw_h5_put_data flags = h5_line(CW_H5_PUT_FLAG, 5, h5_case_indptr, NULL);
    cw_h5_put_data one = {.type = CW_H5_PUT_TEXT, .rank = 0, .text = words + 1};
    cw_h5_put_table(ctx, h, "dense", &dense);
    cw_h5_put_group(ctx, h, "obs");
    cw_h5_put_table(ctx, h, "obs/_index", &text);
    cw_h5_put_table(ctx, h, "obs/flag", &flags);
    cw_h5_put_attribute(ctx, h, "obs", "column-order", &text);
    cw_h5_put_attribute(ctx, h, "/", "encoding-type", &one);
    cw_h5_put_attribute(ctx, h, "obs", "numbers", &flags);
    cw_h5_close(ctx, h);
}

#endif
