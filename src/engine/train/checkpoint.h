/* checkpoint.h: parameters and training state in safetensors files, and an SFM's configuration as published JSON. */
#ifndef CW_CHECKPOINT_H
#define CW_CHECKPOINT_H

#include "../models/sfm/sfm.h"
#include "../nn/params.h"
#include "trainer.h"
#include "../io/json.h"
#include "../io/safetensors.h"

/* What loading found. Names are owned; free with cw_load_report_free. */
typedef struct cw_load_report {
    int64_t loaded, missing, unexpected, misshapen;
    char **missing_name, **unexpected_name;
    char **misshapen_text; /* "name: file (3, 4), model (3, 5)" */
    cw_ctx *ctx;
} cw_load_report;

/* Fills every parameter that the file has under its name, or under its name less a "foundation_modules.sfm." or
 * "head_modules.vgae." in front, with the same shape; the others keep their values. Returns CW_OK also when tensors are
 * missing: read the report. */
cw_status cw_params_load(cw_params *params, const char *path, cw_load_report *report);
void cw_load_report_free(cw_load_report *report);
cw_status cw_params_save(const cw_params *params, const char *path);

/* AdamW's moments, the step and the switched-off regularisers. Loading requires every tensor. */
cw_status cw_trainer_save(const cw_trainer *trainer, const char *path);
cw_status cw_trainer_load(cw_trainer *trainer, const char *path);

/* The "sfm" and "vgae" objects of sfm_config.json; absent keys take the published classes' defaults. vocab, conditions
 * and pad aren't in the file and are left alone. */
cw_status cw_sfm_config_read(cw_ctx *ctx, cw_sfm_config *config, const cw_json *json);

#endif
