/* hdf5_file.h: what the readers and writers of HDF5 share: an open file, the library's reasons, which links are followed.
 * Not for others. */
#ifndef CW_IO_HDF5_FILE_H
#define CW_IO_HDF5_FILE_H

#include "hdf5.h"

#ifdef CW_HAVE_HDF5
#include <hdf5.h>

struct cw_h5 {
    cw_ctx *ctx;
    hid_t file;
    int64_t bytes; /* of the file when it was opened for reading; 0: one being written */
    /* the library's own way to report errors, put back at the end */
    H5E_auto2_t report;
    void *report_data;
};

/* Records the library's innermost reason: "what name: reason". */
cw_status cw_h5_fail(cw_ctx *ctx, cw_status status, const char *what, const char *name);

/* Is every step of the path a link within the file? */
int cw_h5_is_inside(hid_t file, const char *name);
#endif

#endif
