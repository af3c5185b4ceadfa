/* json.h: JSON files, through the system's cJSON.
 *
 * A text is checked before cJSON sees it: UTF-8, no NUL (also not as an escape), no more values than the cap. cJSON
 * allocates with malloc: its hooks are global to the process and other packages may be using the library, so they are
 * left alone, and a parsed document is not counted in cw_memory (its size is held against the limit beforehand).
 * The getters record an error that names the key and the value found, and then return the fallback: read a whole
 * config, then look at ctx->status once. */
#ifndef CW_IO_JSON_H
#define CW_IO_JSON_H

#include "../core/core.h"
#include "../core/settings.h"

typedef struct cJSON cw_json; /* a value: object, array, string, number, true, false, null */

#define CW_JSON_FILE_MAX ((int64_t)512 << 20) /* bytes */
#define CW_JSON_VALUES_MAX ((int64_t)16 << 20)

/* The document in text[0..n), or in a file; NULL with the error (and the position) recorded. Freed with cw_json_free;
 * values within live as long as the document. */
cw_json *cw_json_parse(cw_ctx *ctx, const char *text, int64_t n) CW_USED_RESULT;
cw_json *cw_json_read_file(cw_ctx *ctx, const char *path) CW_USED_RESULT;
void cw_json_free(cw_json *json); /* NULL is fine; only for a whole document */

/* Members of an object. Absent and null are the same: the fallback. A NULL `object` has no members. */
int cw_json_has(const cw_json *object, const char *key); /* 1: present and not null */
int64_t cw_json_int(cw_ctx *ctx, const cw_json *object, const char *key, int64_t fallback, int64_t min, int64_t max);
double cw_json_number(cw_ctx *ctx, const cw_json *object, const char *key, double fallback, double min, double max);
int cw_json_bool(cw_ctx *ctx, const cw_json *object, const char *key, int fallback);
const char *cw_json_string(cw_ctx *ctx, const cw_json *object, const char *key, const char *fallback);
const cw_json *cw_json_object(cw_ctx *ctx, const cw_json *object, const char *key); /* NULL when absent */
const cw_json *cw_json_array(cw_ctx *ctx, const cw_json *object, const char *key);  /* NULL when absent */

/* Any value. */
int cw_json_is_object(const cw_json *value);
int cw_json_is_array(const cw_json *value);
int64_t cw_json_count(const cw_json *value);              /* members or items; 0 for other kinds; takes a walk */
const cw_json *cw_json_first(const cw_json *value);       /* of an object or array; NULL when empty */
const cw_json *cw_json_next(const cw_json *value);        /* the one after it; NULL at the end */
const char *cw_json_key(const cw_json *value);            /* of a member of an object; NULL otherwise */
const char *cw_json_text(const cw_json *value);           /* of a string; NULL for other kinds */
int cw_json_as_number(double *out, const cw_json *value); /* 1: a finite number; 0: not, `out` untouched */

/* The numbers, truth values and texts of an object as options; those of an object within have its key in front,
 * "sfm.embed_dim", and the numbers of an array their place behind it, "hidden_units.0" (one level). Null and what lies
 * deeper are passed over. *n of them, in one block that is freed with cw_free before the document is; NULL with the error
 * recorded when there is no memory. A NULL object has none. */
cw_option *cw_json_options(cw_ctx *ctx, const cw_json *object, int64_t *n) CW_USED_RESULT;

/* Building, for writing (the number getters don't see numbers that were set here). The setters record an error and do
 * nothing on failure, or when `object` is NULL. */
cw_json *cw_json_new_object(cw_ctx *ctx) CW_USED_RESULT;
cw_json *cw_json_new_array(cw_ctx *ctx) CW_USED_RESULT;
void cw_json_set_int(cw_ctx *ctx, cw_json *object, const char *key, int64_t value); /* |value| <= 2^53 */
void cw_json_set_number(cw_ctx *ctx, cw_json *object, const char *key, double value);
void cw_json_set_bool(cw_ctx *ctx, cw_json *object, const char *key, int value);
void cw_json_set_string(cw_ctx *ctx, cw_json *object, const char *key, const char *value); /* NULL: null */
void cw_json_set(cw_ctx *ctx, cw_json *object, const char *key, cw_json *value);           /* takes `value` over */
void cw_json_append(cw_ctx *ctx, cw_json *array, cw_json *value);                          /* takes `value` over */
/* The document as text without line breaks, freed with cw_free; NULL with the error recorded. */
char *cw_json_write(cw_ctx *ctx, const cw_json *json) CW_USED_RESULT;
/* Written beside `path` and renamed: the old file or the new one, never half of one. */
cw_status cw_json_write_file(cw_ctx *ctx, const char *path, const cw_json *json);

#endif
