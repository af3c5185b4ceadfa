/* hdf5.c: see hdf5.h. */
#include "hdf5.h"

#ifdef CW_HAVE_HDF5
#include <hdf5.h>
#include <stdio.h>

const char *cw_hdf5_version(void)
{
    static char text[40];
    unsigned major = 0, minor = 0, release = 0;
    if (H5get_libversion(&major, &minor, &release) < 0) return "";
    snprintf(text, sizeof text, "%u.%u.%u", major, minor, release);
    return text;
}
#else
const char *cw_hdf5_version(void) { return ""; }
#endif
