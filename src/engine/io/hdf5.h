/* hdf5.h: the HDF5 library (h5ad and 10x files are read with it later; for now it is linked and asked its version). */
#ifndef CW_IO_HDF5_H
#define CW_IO_HDF5_H

/* "1.10.8" of the library in use; "" when built without HDF5. A static string. */
const char *cw_hdf5_version(void);

#endif
