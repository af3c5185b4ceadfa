/* h5_set.h: tables of files that others wrote, for h5_items.c and h5_cells.c alone. */
#ifndef CW_IO_H5_SET_H
#define CW_IO_H5_SET_H

#include "h5_items.h"
#include "hdf5_file.h"

#ifdef CW_HAVE_HDF5
/* The table `name`, its storage checked; -1 with the error recorded. To be closed by H5Dclose. */
hid_t cw_h5_set_open(cw_ctx *ctx, cw_h5 *h, const char *name);
/* What an open table is. */
void cw_h5_set_describe(cw_h5_item *item, hid_t set);
#endif

#endif
