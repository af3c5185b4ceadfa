/* h5_write.c: see h5_write.h. */
#include "h5_write.h"

#include "hdf5_file.h"

#ifdef CW_HAVE_HDF5

enum { CHUNK = 1 << 16, MANY = 1 << 10, LEVEL = 4 }; /* values of a chunk; from how many on; gzip's level */

/* h5py's bool. */
static hid_t flag_type(void)
{
    hid_t t = H5Tenum_create(H5T_STD_I8LE);
    int8_t no = 0, yes = 1;
    H5Tenum_insert(t, "FALSE", &no);
    H5Tenum_insert(t, "TRUE", &yes);
    return t;
}

/* In the file; to be closed by the caller. */
static hid_t type_in_file(cw_h5_put_type type)
{
    switch (type) {
    case CW_H5_PUT_F64:
        return H5Tcopy(H5T_IEEE_F64LE);
    case CW_H5_PUT_F32:
        return H5Tcopy(H5T_IEEE_F32LE);
    case CW_H5_PUT_I64:
        return H5Tcopy(H5T_STD_I64LE);
    case CW_H5_PUT_I32:
        return H5Tcopy(H5T_STD_I32LE);
    case CW_H5_PUT_I8:
        return H5Tcopy(H5T_STD_I8LE);
    case CW_H5_PUT_FLAG:
        return flag_type();
    case CW_H5_PUT_TEXT:
    case CW_H5_PUT_TYPES:
        break;
    }
    hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, H5T_VARIABLE);
    H5Tset_cset(t, H5T_CSET_UTF8);
    return t;
}

static int64_t count_of(const cw_h5_put_data *d)
{
    int64_t n = 1;
    for (int i = 0; i < d->rank; i++) n *= d->dim[i];
    return n;
}

/* Values as they are handed to the library: flags as bytes (the library turns no number into an enumeration). *made:
 * what is to be freed after. */
static const void *in_memory(cw_ctx *ctx, const cw_h5_put_data *d, hid_t file, hid_t *type, void **made)
{
    *made = NULL;
    if (d->type == CW_H5_PUT_TEXT) return *type = H5Tcopy(file), d->text;
    if (d->type != CW_H5_PUT_FLAG) {
        *type = H5Tcopy(d->number ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT32);
        return d->number ? (const void *)d->number : d->whole;
    }
    int64_t n = count_of(d);
    int8_t *flag = cw_alloc(ctx, n, 1);
    for (int64_t i = 0; flag && i < n; i++) flag[i] = d->number ? d->number[i] != 0 : d->whole[i] != 0;
    *made = flag;
    return *type = H5Tcopy(file), flag;
}

static hid_t space_of(const cw_h5_put_data *d, int grows)
{
    hsize_t dim[2] = {(hsize_t)d->dim[0], (hsize_t)d->dim[1]}, most[2] = {H5S_UNLIMITED, (hsize_t)d->dim[1]};
    return d->rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(d->rank, dim, grows ? most : NULL);
}

cw_status cw_h5_put_group(cw_ctx *ctx, cw_h5 *h, const char *name)
{
    if (ctx->status != CW_OK) return ctx->status;
    hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t id = H5Gcreate2(h->file, name, links, H5P_DEFAULT, H5P_DEFAULT);
    if (id < 0) cw_h5_fail(ctx, CW_ERR_IO, "can't make the group", name);
    if (id >= 0) H5Gclose(id);
    H5Pclose(links);
    return ctx->status;
}

static void write_values(cw_ctx *ctx, hid_t set, hid_t file, const cw_h5_put_data *d, hid_t memory_space, hid_t space,
                         const char *name)
{
    hid_t type = -1;
    void *made;
    const void *from = in_memory(ctx, d, file, &type, &made);
    if (ctx->status == CW_OK && count_of(d) > 0 && H5Dwrite(set, type, memory_space, space, H5P_DEFAULT, from) < 0)
        cw_h5_fail(ctx, CW_ERR_IO, "writing", name);
    cw_free(ctx, made);
    H5Tclose(type);
}

cw_status cw_h5_put_table(cw_ctx *ctx, cw_h5 *h, const char *name, const cw_h5_put_data *d)
{
    if (ctx->status != CW_OK) return ctx->status;
    int empty = d->rank == 2 && d->dim[0] == 0 && d->dim[1] > 0;
    int grows = d->type != CW_H5_PUT_TEXT && (d->rank == 1 || empty), many = d->rank > 0 && count_of(d) >= MANY;
    hid_t create = H5Pcreate(H5P_DATASET_CREATE), type = type_in_file(d->type);
    if (grows || many) {
        int64_t across = d->rank == 2 && d->dim[1] > 0 ? d->dim[1] : 1, high = CHUNK / across;
        hsize_t chunk[2] = {(hsize_t)(high < 1 ? 1 : high), (hsize_t)across};
        if (!grows && d->dim[0] < (int64_t)chunk[0]) chunk[0] = (hsize_t)d->dim[0];
        H5Pset_chunk(create, d->rank, chunk);
        if (d->type != CW_H5_PUT_TEXT && !d->plain) H5Pset_shuffle(create);
        if (!d->plain) H5Pset_deflate(create, LEVEL);
    }
    hid_t space = space_of(d, grows);
    hid_t set = H5Dcreate2(h->file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (set < 0)
        cw_h5_fail(ctx, CW_ERR_IO, "can't make the table", name);
    else
        write_values(ctx, set, type, d, H5S_ALL, H5S_ALL, name);
    if (set >= 0 && H5Dclose(set) < 0) cw_h5_fail(ctx, CW_ERR_IO, "closing table", name);
    H5Sclose(space), H5Tclose(type), H5Pclose(create);
    return ctx->status;
}

cw_status cw_h5_put_append(cw_ctx *ctx, cw_h5 *h, const char *name, const cw_h5_put_data *d)
{
    if (ctx->status != CW_OK) return ctx->status;
    hid_t set = H5Dopen2(h->file, name, H5P_DEFAULT);
    if (set < 0) return cw_h5_fail(ctx, CW_ERR_FORMAT, "can't open", name);
    hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    hsize_t size[2] = {0}, at[2] = {0}, more[2] = {(hsize_t)d->dim[0], (hsize_t)d->dim[1]};
    int rank = H5Sget_simple_extent_ndims(space);
    if (d->rank < 1 || d->rank > 2 || rank != d->rank || H5Sget_simple_extent_dims(space, size, NULL) != rank ||
        (rank == 2 && size[1] != more[1]))
        cw_fail(ctx, CW_ERR_ARGUMENT, "%s can't grow", name);
    at[0] = size[0], size[0] += more[0];
    H5Sclose(space);
    if (ctx->status == CW_OK && H5Dset_extent(set, size) < 0) cw_h5_fail(ctx, CW_ERR_IO, "lengthening", name);
    space = H5Dget_space(set);
    if (ctx->status == CW_OK && count_of(d) > 0) {
        hid_t memory = H5Screate_simple(rank, more, NULL);
        if (H5Sselect_hyperslab(space, H5S_SELECT_SET, at, NULL, more, NULL) >= 0)
            write_values(ctx, set, type, d, memory, space, name);
        H5Sclose(memory);
    }
    H5Sclose(space), H5Tclose(type);
    if (H5Dclose(set) < 0) cw_h5_fail(ctx, CW_ERR_IO, "closing table", name);
    return ctx->status;
}

cw_status cw_h5_put_attribute(cw_ctx *ctx, cw_h5 *h, const char *name, const char *attribute, const cw_h5_put_data *d)
{
    if (ctx->status != CW_OK) return ctx->status;
    hid_t file = type_in_file(d->type), space = space_of(d, 0), type = -1;
    hid_t a = H5Acreate_by_name(h->file, name, attribute, file, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    void *made;
    const void *from = in_memory(ctx, d, file, &type, &made);
    if (a < 0)
        cw_h5_fail(ctx, CW_ERR_IO, "can't make the attribute", attribute);
    else if (ctx->status == CW_OK && count_of(d) > 0 && H5Awrite(a, type, from) < 0)
        cw_h5_fail(ctx, CW_ERR_IO, "writing attribute", attribute);
    cw_free(ctx, made);
    if (a >= 0) H5Aclose(a);
    H5Tclose(type), H5Sclose(space), H5Tclose(file);
    return ctx->status;
}

#else /* ---- without HDF5: no file is ever open ----------------------------------------------------------------- */

cw_status cw_h5_put_group(cw_ctx *ctx, cw_h5 *h, const char *name) { return (void)h, (void)name, ctx->status; }
cw_status cw_h5_put_table(cw_ctx *ctx, cw_h5 *h, const char *name, const cw_h5_put_data *data)
{
    return (void)h, (void)name, (void)data, ctx->status;
}
cw_status cw_h5_put_append(cw_ctx *ctx, cw_h5 *h, const char *name, const cw_h5_put_data *data)
{
    return (void)h, (void)name, (void)data, ctx->status;
}
cw_status cw_h5_put_attribute(cw_ctx *ctx, cw_h5 *h, const char *name, const char *attribute,
                              const cw_h5_put_data *data)
{
    return (void)h, (void)name, (void)attribute, (void)data, ctx->status;
}
#endif
