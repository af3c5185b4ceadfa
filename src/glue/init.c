/* init.c: registration. Every entry point is listed in glue.h beside its prototype. */
#include "glue.h"

#include "../engine/core/threads.h"

#include <R_ext/Rdynload.h>
#include <R_ext/Visibility.h>

/* one line each, so that two people who add one don't meet */
static const R_CallMethodDef entries[] = {
    CW_ENGINE_ENTRIES,
    CW_MODEL_ENTRIES,
    CW_NETWORK_ENTRIES,
    CW_GENES_ENTRIES,
    CW_RANKING_ENTRIES,
    CW_FILE_ENTRIES,
    CW_CHECKPOINT_ENTRIES,
    CW_ONTOLOGY_ENTRIES,
    CW_HDF5_ENTRIES,
    CW_CELLS_ENTRIES,
    CW_ESTIMATOR_ENTRIES,
    CW_RIDGE_ENTRIES,
    CW_CELLTYPE_ENTRIES,
    CW_NEIGHBOUR_ENTRIES,
    CW_MULTIOME_ENTRIES,
    CW_TAU_ENTRIES,
    CW_PERT_ENTRIES,
    CW_WORLD_ENTRIES,
    {NULL, NULL, 0},
};

attribute_visible void R_init_causeway(DllInfo *info)
{
    cw_threads_start();
    R_registerRoutines(info, NULL, entries, NULL, NULL);
    R_useDynamicSymbols(info, FALSE);
    R_forceSymbols(info, TRUE);
}
