/* registry.c: the models there are, a line each. */
#include "model.h"

#include "autoencoder/autoencoder.h"
#include "bert/bert.h"
#include "cellfm/cellfm.h"
#include "cellot/cellot.h"
#include "effendi/effendi.h"
#include "efm/efm.h"
#include "gears/gears.h"
#include "genefn/genefn.h"
#include "hyena/hyena.h"
#include "kcellfm/kcellfm.h"
#include "scgpt/scgpt.h"
#include "sfm/sfm.h"

#include <string.h>

static const cw_model_class *const classes[] = {
    &cw_sfm_class,
    &cw_efm_class,
    &cw_effendi_class,
    &cw_scgpt_class,
    &cw_hyena_class,
    &cw_bert_class,
    &cw_cellfm_class,
    &cw_gears_class,
    &cw_genefn_class,
    &cw_autoencoder_class,
    &cw_kcellfm_class,
    &cw_cellot_class,
};

const cw_model_class *cw_model_class_at(int64_t i)
{
    return i >= 0 && i < (int64_t)(sizeof classes / sizeof classes[0]) ? classes[i] : NULL;
}

const cw_model_class *cw_model_class_named(const char *name)
{
    for (int64_t i = 0; cw_model_class_at(i); i++)
        if (strcmp(cw_model_class_at(i)->name, name) == 0) return cw_model_class_at(i);
    return NULL;
}
