/* json.c: see json.h. */
#include "io_util.h"

#include "json.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

#define EXACT_INT 9007199254740992.0 /* 2^53: JSON numbers are doubles here */

/* ---- reading ---------------------------------------------------------------------------------------------------- */

static void fail_at(cw_ctx *ctx, const char *text, int64_t at, const char *what)
{
    int64_t line = 1, column = 1;
    for (int64_t i = 0; i < at; i++) text[i] == '\n' ? (line++, column = 1) : column++;
    cw_fail(ctx, CW_ERR_FORMAT, "not valid JSON: %s at line %lld, column %lld", what, (long long)line,
            (long long)column);
}

/* What cJSON does not look at: encoding, NUL in any form (it would cut strings short), the number of values. */
static int check_text(cw_ctx *ctx, const char *text, int64_t n)
{
    int64_t bad = io_utf8_check(text, n), values = 1;
    if (bad < n) return fail_at(ctx, text, bad, "bytes that are not UTF-8"), 0;
    int in_string = 0;
    for (int64_t i = 0; i < n; i++) {
        char c = text[i];
        if (c == '\0') return fail_at(ctx, text, i, "a zero byte"), 0;
        if (c == '"')
            in_string = !in_string;
        else if (!in_string)
            values += c == ',' || c == '{' || c == '[';
        else if (c == '\\') {
            if (n - i >= 6 && memcmp(text + i, "\\u0000", 6) == 0) return fail_at(ctx, text, i, "a zero character"), 0;
            i++;
        }
    }
    if (values > CW_JSON_VALUES_MAX) {
        cw_fail(ctx, CW_ERR_FORMAT, "not usable JSON: more than %lld values", (long long)CW_JSON_VALUES_MAX);
        return 0;
    }
    int64_t need = values * (int64_t)(sizeof(cJSON) + 32) + n; /* an estimate; malloc rounds up */
    if (ctx->memory.limit && ctx->memory.bytes + need > ctx->memory.limit) {
        cw_fail(ctx, CW_ERR_MEMORY, "reading JSON takes about %.1f MB, over the limit that was set",
                (double)need / 1048576.0);
        return 0;
    }
    return 1;
}

/* `text` has a NUL at text[n]: cJSON releases differ in how well they keep to a length. */
static cw_json *parse_terminated(cw_ctx *ctx, const char *text, int64_t n)
{
    if (!check_text(ctx, text, n)) return NULL;
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts(text, (size_t)n + 1, &end, 0);
    if (!json) {
        int64_t at = end && end >= text && end <= text + n ? end - text : n;
        fail_at(ctx, text, at, at >= n ? "an unexpected end (or no memory)" : "an unexpected character");
        return NULL;
    }
    while (end < text + n && strchr(" \t\r\n", *end)) end++;
    if (end < text + n) {
        fail_at(ctx, text, end - text, "something after the end of the document");
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

cw_json *cw_json_parse(cw_ctx *ctx, const char *text, int64_t n)
{
    char *copy = cw_alloc(ctx, n + 1, 1);
    if (!copy) return NULL;
    if (n) memcpy(copy, text, (size_t)n);
    copy[n] = '\0';
    cw_json *json = parse_terminated(ctx, copy, n);
    cw_free(ctx, copy);
    return json;
}

cw_json *cw_json_read_file(cw_ctx *ctx, const char *path)
{
    int64_t n;
    char *text = io_read_all(ctx, path, CW_JSON_FILE_MAX, &n);
    if (!text) return NULL;
    cw_json *json = parse_terminated(ctx, text, n);
    if (!json) io_error_at(ctx, path);
    cw_free(ctx, text);
    return json;
}

void cw_json_free(cw_json *json) { cJSON_Delete(json); }

/* ---- members ---------------------------------------------------------------------------------------------------- */

static const cJSON *member(cw_ctx *ctx, const cw_json *object, const char *key)
{
    if (!object || (ctx && ctx->status != CW_OK)) return NULL;
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    return value && !cJSON_IsNull(value) ? value : NULL;
}

/* "'key' must be WANTED; found VALUE" */
static void fail_value(cw_ctx *ctx, const char *key, const char *wanted, const cJSON *value)
{
    char number[40];
    const char *found = cJSON_IsObject(value)  ? "an object"
                        : cJSON_IsArray(value) ? "an array"
                        : cJSON_IsTrue(value)  ? "true"
                        : cJSON_IsFalse(value) ? "false"
                                               : "something else";
    if (cJSON_IsNumber(value)) {
        snprintf(number, sizeof number, "%.17g", value->valuedouble);
        found = number;
    }
    if (cJSON_IsString(value))
        cw_fail(ctx, CW_ERR_FORMAT, "'%s' must be %s; found the text \"%s\"", key, wanted,
                io_show(value->valuestring).text);
    else
        cw_fail(ctx, CW_ERR_FORMAT, "'%s' must be %s; found %s", key, wanted, found);
}

int cw_json_has(const cw_json *object, const char *key) { return member(NULL, object, key) != NULL; }

int64_t cw_json_int(cw_ctx *ctx, const cw_json *object, const char *key, int64_t fallback, int64_t min, int64_t max)
{
    const cJSON *value = member(ctx, object, key);
    if (!value) return fallback;
    double x = cJSON_IsNumber(value) ? value->valuedouble : NAN;
    if (x == floor(x) && fabs(x) <= EXACT_INT && (int64_t)x >= min && (int64_t)x <= max) return (int64_t)x;
    char wanted[80];
    snprintf(wanted, sizeof wanted, "a whole number from %lld to %lld", (long long)min, (long long)max);
    fail_value(ctx, key, wanted, value);
    return fallback;
}

double cw_json_number(cw_ctx *ctx, const cw_json *object, const char *key, double fallback, double min, double max)
{
    const cJSON *value = member(ctx, object, key);
    if (!value) return fallback;
    double x = cJSON_IsNumber(value) ? value->valuedouble : NAN;
    if (isfinite(x) && x >= min && x <= max) return x;
    char wanted[80];
    snprintf(wanted, sizeof wanted, "a number from %g to %g", min, max);
    fail_value(ctx, key, wanted, value);
    return fallback;
}

int cw_json_bool(cw_ctx *ctx, const cw_json *object, const char *key, int fallback)
{
    const cJSON *value = member(ctx, object, key);
    if (!value) return fallback;
    if (cJSON_IsBool(value)) return cJSON_IsTrue(value);
    fail_value(ctx, key, "true or false", value);
    return fallback;
}

const char *cw_json_string(cw_ctx *ctx, const cw_json *object, const char *key, const char *fallback)
{
    const cJSON *value = member(ctx, object, key);
    if (!value) return fallback;
    if (cJSON_IsString(value)) return value->valuestring;
    fail_value(ctx, key, "text", value);
    return fallback;
}

const cw_json *cw_json_object(cw_ctx *ctx, const cw_json *object, const char *key)
{
    const cJSON *value = member(ctx, object, key);
    if (!value || cJSON_IsObject(value)) return value;
    fail_value(ctx, key, "an object", value);
    return NULL;
}

const cw_json *cw_json_array(cw_ctx *ctx, const cw_json *object, const char *key)
{
    const cJSON *value = member(ctx, object, key);
    if (!value || cJSON_IsArray(value)) return value;
    fail_value(ctx, key, "an array", value);
    return NULL;
}

/* ---- any value -------------------------------------------------------------------------------------------------- */

int cw_json_is_object(const cw_json *value) { return cJSON_IsObject(value); }
int cw_json_is_array(const cw_json *value) { return cJSON_IsArray(value); }

int64_t cw_json_count(const cw_json *value)
{
    int64_t n = 0;
    for (const cw_json *item = cw_json_first(value); item; item = item->next) n++;
    return n;
}

const cw_json *cw_json_first(const cw_json *value)
{
    return cJSON_IsObject(value) || cJSON_IsArray(value) ? value->child : NULL;
}

const cw_json *cw_json_next(const cw_json *value) { return value->next; }
const char *cw_json_key(const cw_json *value) { return value->string; }
const char *cw_json_text(const cw_json *value) { return cJSON_IsString(value) ? value->valuestring : NULL; }

int cw_json_as_number(double *out, const cw_json *value)
{
    if (!cJSON_IsNumber(value) || !isfinite(value->valuedouble)) return 0;
    *out = value->valuedouble;
    return 1;
}

/* ---- building and writing --------------------------------------------------------------------------------------- */

static cw_json *made(cw_ctx *ctx, cJSON *value)
{
    if (!value) cw_fail(ctx, CW_ERR_MEMORY, "could not get memory for JSON");
    return value;
}

cw_json *cw_json_new_object(cw_ctx *ctx) { return ctx->status == CW_OK ? made(ctx, cJSON_CreateObject()) : NULL; }
cw_json *cw_json_new_array(cw_ctx *ctx) { return ctx->status == CW_OK ? made(ctx, cJSON_CreateArray()) : NULL; }

void cw_json_set(cw_ctx *ctx, cw_json *object, const char *key, cw_json *value)
{
    if (ctx->status != CW_OK || !object || !value) {
        cJSON_Delete(value);
    } else if (!cJSON_AddItemToObject(object, key, value)) {
        cJSON_Delete(value);
        made(ctx, NULL);
    }
}

void cw_json_append(cw_ctx *ctx, cw_json *array, cw_json *value)
{
    if (ctx->status != CW_OK || !array || !value) {
        cJSON_Delete(value);
    } else if (!cJSON_AddItemToArray(array, value)) {
        cJSON_Delete(value);
        made(ctx, NULL);
    }
}

/* As text of our own: cJSON's is up to one part in 2^52 off. */
static void set_raw(cw_ctx *ctx, cw_json *object, const char *key, const char *number)
{
    if (ctx->status == CW_OK) cw_json_set(ctx, object, key, made(ctx, cJSON_CreateRaw(number)));
}

void cw_json_set_number(cw_ctx *ctx, cw_json *object, const char *key, double value)
{
    char number[40];
    if (!isfinite(value)) {
        cw_fail(ctx, CW_ERR_NUMERIC, "'%s' is %g, which JSON can't hold", key, value);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) { /* the shortest that reads back the same */
        snprintf(number, sizeof number, "%.*g", digits, value);
        if (strtod(number, NULL) == value) break;
    }
    set_raw(ctx, object, key, number);
}

void cw_json_set_int(cw_ctx *ctx, cw_json *object, const char *key, int64_t value)
{
    char number[40];
    if (value > (int64_t)EXACT_INT || value < -(int64_t)EXACT_INT)
        cw_fail(ctx, CW_ERR_ARGUMENT, "'%s' is %lld, more than JSON holds exactly", key, (long long)value);
    snprintf(number, sizeof number, "%lld", (long long)value);
    set_raw(ctx, object, key, number);
}

void cw_json_set_bool(cw_ctx *ctx, cw_json *object, const char *key, int value)
{
    if (ctx->status == CW_OK) cw_json_set(ctx, object, key, made(ctx, cJSON_CreateBool(value)));
}

void cw_json_set_string(cw_ctx *ctx, cw_json *object, const char *key, const char *value)
{
    if (ctx->status == CW_OK)
        cw_json_set(ctx, object, key, made(ctx, value ? cJSON_CreateString(value) : cJSON_CreateNull()));
}

cw_status cw_json_write_file(cw_ctx *ctx, const char *path, const cw_json *json)
{
    if (ctx->status != CW_OK) return ctx->status;
    char *text = cJSON_Print(json);
    if (!text) return made(ctx, NULL), ctx->status;
    io_output out;
    if (io_output_open(ctx, &out, path) == CW_OK) {
        /* a short write shows as ferror when the file is closed */
        if (fwrite(text, 1, strlen(text), out.f)) fputc('\n', out.f);
        io_output_close(ctx, &out);
    }
    cJSON_free(text);
    return ctx->status;
}

char *cw_json_write(cw_ctx *ctx, const cw_json *json)
{
    char *text = ctx->status == CW_OK ? cJSON_PrintUnformatted(json) : NULL;
    if (!text) return made(ctx, NULL), NULL;
    char *copy = cw_strdup(ctx, text);
    cJSON_free(text);
    return copy;
}

/* ---- options ---- */

#define PLACE_DIGITS 11 /* of an int */

static int as_option(cw_option *o, const cJSON *v)
{
    *o = (cw_option){.name = v->string};
    if (cJSON_IsString(v))
        o->text = v->valuestring;
    else if (cJSON_IsBool(v))
        o->number = cJSON_IsTrue(v);
    else if (cJSON_IsNumber(v))
        o->number = v->valuedouble;
    else
        return 0;
    return 1;
}

cw_option *cw_json_options(cw_ctx *ctx, const cw_json *object, int64_t *n)
{
    int64_t most = 0, bytes = 0;
    const cJSON *v, *w;
    *n = 0;
    cJSON_ArrayForEach(v, object)
    {
        most++;
        if (!v->string || !(cJSON_IsObject(v) || cJSON_IsArray(v))) continue;
        cJSON_ArrayForEach(w, v)
        {
            most++;
            bytes += (int64_t)strlen(v->string) + 2 + (w->string ? (int64_t)strlen(w->string) : PLACE_DIGITS);
        }
    }
    cw_option *option = cw_calloc(ctx, most * (int64_t)sizeof *option + bytes, 1);
    if (!option) return NULL;
    char *name = (char *)(option + most);
    cJSON_ArrayForEach(v, object)
    {
        if (!v->string) continue; /* of an array */
        if (as_option(&option[*n], v)) (*n)++;
        if (!cJSON_IsObject(v) && !cJSON_IsArray(v)) continue;
        int place = 0;
        cJSON_ArrayForEach(w, v)
        {
            char number[PLACE_DIGITS + 1];
            snprintf(number, sizeof number, "%d", place++);
            const char *last = w->string ? w->string : number;
            if (!as_option(&option[*n], w) || (!w->string && !cJSON_IsNumber(w))) continue;
            size_t length = strlen(v->string) + strlen(last) + 2;
            snprintf(name, length, "%s.%s", v->string, last);
            option[(*n)++].name = name;
            name += length;
        }
    }
    return option;
}
