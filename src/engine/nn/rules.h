/* rules.h: loading and saving a store's parameters, under their own names or under those that other files use.
 *
 * A rule says where a parameter is found in a file that names or shapes it otherwise: renamed, a part of a fused tensor,
 * several joined, transposed, in another shape. Every reader of every format uses the same rules. */
#ifndef CW_RULES_H
#define CW_RULES_H

#include "../io/source.h"
#include "params.h"

/* * in `to` stands for any text, and the n-th * of `from` for what the n-th of `to` stood for. */
typedef struct cw_name_rule {
    const char *to;   /* our name, "blocks.*.attn.q.weight" */
    const char *from; /* the file's, "layers.*.qkv.weight"; several with | between are joined along their rows */
    int part, parts;  /* parts > 0: part 0, 1, .. of the file's tensor, cut into `parts` equal blocks of rows */
    int transpose;    /* of a matrix */
    int reshape;      /* as many values in another shape */
} cw_name_rule;

/* What loading found. Texts are owned; free with cw_load_report_free. */
typedef struct cw_load_report {
    int64_t loaded, missing, unexpected, misshapen;
    char **missing_name, **unexpected_name;
    char **misshapen_text; /* "name: file (3, 4), model (3, 5)" */
    cw_ctx *ctx;
} cw_load_report;
void cw_load_report_free(cw_load_report *report);

/* Fills every parameter that the source has under its name, its alias, or a rule (the first that fits), in the right
 * shape; the others keep their values. `only` is a pattern that names must match, NULL: all. Rules end with a NULL `to`
 * and may be NULL. Returns CW_OK also when tensors are missing: read the report. */
cw_status cw_params_read(cw_params *params, const cw_source *source, const cw_name_rule *rules, const char *only,
                         cw_load_report *report);
/* The same from a file of any format that io/archive.h reads. */
cw_status cw_params_load(cw_params *params, const char *path, const cw_name_rule *rules, const char *only,
                         cw_load_report *report);
/* A safetensors file of all parameters, or of those whose names match; aliases are written too. */
cw_status cw_params_save(const cw_params *params, const char *path, const char *only);

#endif
