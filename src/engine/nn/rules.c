/* rules.c: see rules.h. */
#include "rules.h"

#include "../io/safetensors.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES 512
#define MAX_STARS 4
#define MAX_JOINED 4

/* ---- the report ---- */

static void note(cw_load_report *report, char ***list, int64_t *count, const char *text)
{
    char **grown = cw_alloc(report->ctx, *count + 1, sizeof *grown);
    if (!grown) return;
    if (*count) memcpy(grown, *list, (size_t)*count * sizeof *grown);
    cw_free(report->ctx, *list);
    *list = grown;
    grown[*count] = cw_strdup(report->ctx, text);
    if (grown[*count]) (*count)++;
}

static void free_list(cw_ctx *ctx, char **list, int64_t count)
{
    for (int64_t i = 0; i < count; i++) cw_free(ctx, list[i]);
    cw_free(ctx, list);
}

void cw_load_report_free(cw_load_report *r)
{
    free_list(r->ctx, r->missing_name, r->missing);
    free_list(r->ctx, r->unexpected_name, r->unexpected);
    free_list(r->ctx, r->misshapen_text, r->misshapen);
    memset(r, 0, sizeof *r);
}

static void write_shape(char *out, size_t size, int ndim, const int64_t *dim)
{
    size_t at = (size_t)snprintf(out, size, "(");
    for (int i = 0; i < ndim && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, i ? ", %lld" : "%lld", (long long)dim[i]);
    if (at < size) snprintf(out + at, size - at, ")");
}

/* ---- patterns ---- */

typedef struct span {
    const char *text;
    size_t length;
} span;

/* What the stars of the pattern stand for in the name, leftmost shortest; -1 when it doesn't match. */
static int stars_of(const char *pattern, const char *name, span *star, int room)
{
    if (*pattern != '*') {
        if (*pattern == '\0') return *name == '\0' ? 0 : -1;
        return *pattern == *name ? stars_of(pattern + 1, name + 1, star, room) : -1;
    }
    for (const char *end = name; room > 0; end++) {
        int more = stars_of(pattern + 1, end, star + 1, room - 1);
        if (more >= 0) {
            *star = (span){name, (size_t)(end - name)};
            return more + 1;
        }
        if (*end == '\0') break;
    }
    return -1;
}

/* `pattern`, up to | or its end, with the stars filled in; where the next one begins, or NULL. */
static const char *fill_stars(char *out, const char *pattern, const span *star, int stars)
{
    size_t at = 0;
    int next = 0;
    for (; *pattern && *pattern != '|'; pattern++) {
        if (*pattern != '*') {
            if (at + 1 < NAME_BYTES) out[at++] = *pattern;
            continue;
        }
        size_t n = next < stars ? star[next].length : 0;
        if (at + n < NAME_BYTES) memcpy(out + at, star[next].text, n), at += n;
        next++;
    }
    out[at] = '\0';
    return *pattern == '|' ? pattern + 1 : NULL;
}

/* ---- loading ---- */

typedef struct loading {
    cw_params *params;
    const cw_source *source;
    const cw_name_rule *rules;
    cw_load_report *report;
    unsigned char *known; /* (entries) 1: the entry belongs to a parameter */
} loading;

/* Where a parameter's values are: one entry, or several that are joined. */
typedef struct place {
    int64_t entry[MAX_JOINED];
    int entries;
    const cw_name_rule *rule; /* NULL: as it is */
} place;

/* The entries a rule names for a parameter; 0 when one of them isn't there. */
static int find_by_rule(const loading *l, const cw_name_rule *rule, const char *name, place *p)
{
    span star[MAX_STARS];
    char text[NAME_BYTES];
    int stars = stars_of(rule->to, name, star, MAX_STARS);
    if (stars < 0) return 0;
    p->rule = rule;
    p->entries = 0;
    for (const char *from = rule->from; from && p->entries < MAX_JOINED;) {
        from = fill_stars(text, from, star, stars);
        int64_t at = l->source->find(l->source->file, text);
        if (at < 0) return 0;
        p->entry[p->entries++] = at;
    }
    return 1;
}

/* All places the source has for a name; the first is the one to read. All are known. */
static int find_places(loading *l, const char *name, place *first)
{
    int64_t own = l->source->find(l->source->file, name);
    int found = own >= 0;
    if (found) {
        *first = (place){{own}, 1, NULL};
        l->known[own] = 1;
    }
    for (const cw_name_rule *r = l->rules; r && r->to; r++) {
        place p;
        if (!find_by_rule(l, r, name, &p)) continue;
        for (int i = 0; i < p.entries; i++) l->known[p.entry[i]] = 1;
        if (!found) *first = p;
        found = 1;
    }
    return found;
}

static int64_t product(int ndim, const int64_t *dim)
{
    int64_t n = 1;
    for (int i = 0; i < ndim; i++) n *= dim[i];
    return n;
}

/* The shape that a place's values have after its rule; 0 when its parts don't fit together. */
static int shape_at(const loading *l, const place *p, int *ndim, int64_t *dim)
{
    *ndim = l->source->shape(l->source->file, p->entry[0], dim);
    for (int i = 1; i < p->entries; i++) {
        int64_t other[CW_SOURCE_DIMS];
        int n = l->source->shape(l->source->file, p->entry[i], other);
        if (n != *ndim || n < 1 || product(n - 1, other + 1) != product(n - 1, dim + 1)) return 0;
        dim[0] += other[0];
    }
    if (!p->rule) return 1;
    if (p->rule->parts > 0) {
        if (*ndim < 1 || dim[0] % p->rule->parts) return 0;
        dim[0] /= p->rule->parts;
    }
    if (p->rule->transpose) {
        if (*ndim != 2) return 0;
        int64_t rows = dim[0];
        dim[0] = dim[1], dim[1] = rows;
    }
    return 1;
}

static void transpose(float *out, const float *in, int64_t rows, int64_t cols) /* in (rows,cols) */
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++) out[j * rows + i] = in[i * cols + j];
}

/* The place's values, `all` of them before its rule cuts and turns them, into the parameter. */
static cw_status read_place(const loading *l, const place *p, cw_tensor *t)
{
    cw_ctx *ctx = l->params->ctx;
    const cw_source *s = l->source;
    int64_t n = cw_count(t), all = 0, dim[CW_SOURCE_DIMS];
    for (int i = 0; i < p->entries; i++) all += product(s->shape(s->file, p->entry[i], dim), dim);
    float *x = cw_alloc(ctx, all + n, sizeof *x), *turned = x ? x + all : NULL;
    for (int64_t i = 0, at = 0; x && i < p->entries && ctx->status == CW_OK; i++) {
        s->read(s->file, ctx, p->entry[i], x + at);
        at += product(s->shape(s->file, p->entry[i], dim), dim);
    }
    if (x && ctx->status == CW_OK) {
        const float *from = x + (p->rule && p->rule->parts > 0 ? p->rule->part * n : 0);
        if (p->rule && p->rule->transpose) {
            transpose(turned, from, t->dim[1], t->dim[0]);
            from = turned;
        }
        cw_param_set(ctx, t, from);
    }
    cw_free(ctx, x);
    return ctx->status;
}

static void load_one(loading *l, cw_param *param)
{
    place p = {.entries = 0};
    cw_tensor *t = &param->tensor;
    int found = find_places(l, param->name, &p), ndim = 0;
    int64_t dim[CW_SOURCE_DIMS];
    for (int64_t i = 0; i < l->params->aliases; i++)
        if (l->params->alias[i].of == param) {
            place other;
            if (find_places(l, l->params->alias[i].name, &other) && !found) p = other, found = 1;
        }
    if (!found) {
        note(l->report, &l->report->missing_name, &l->report->missing, param->name);
        return;
    }
    int fits = shape_at(l, &p, &ndim, dim);
    if (p.rule && p.rule->reshape)
        fits = fits && product(ndim, dim) == cw_count(t);
    else {
        fits = fits && ndim == t->ndim;
        for (int i = 0; fits && i < ndim; i++) fits = dim[i] == t->dim[i];
    }
    if (!fits) {
        char text[NAME_BYTES], want[128], got[128];
        write_shape(got, sizeof got, ndim, dim);
        write_shape(want, sizeof want, t->ndim, t->dim);
        snprintf(text, sizeof text, "%s: file %s, model %s", param->name, got, want);
        note(l->report, &l->report->misshapen_text, &l->report->misshapen, text);
    } else if (read_place(l, &p, t) == CW_OK) {
        l->report->loaded++;
    }
}

cw_status cw_params_read(cw_params *params, const cw_source *source, const cw_name_rule *rules, const char *only,
                         cw_load_report *report)
{
    cw_ctx *ctx = params->ctx;
    memset(report, 0, sizeof *report);
    report->ctx = ctx;
    int64_t entries = source->count(source->file);
    loading l = {params, source, rules, report, cw_calloc(ctx, entries, 1)};
    for (int64_t i = 0; l.known && i < params->count; i++)
        if (!only || cw_name_match(only, params->item[i]->name)) load_one(&l, params->item[i]);
    for (int64_t i = 0; l.known && i < entries; i++)
        if (!l.known[i]) note(report, &report->unexpected_name, &report->unexpected, source->name(source->file, i));
    cw_free(ctx, l.known);
    return ctx->status;
}

cw_status cw_params_load(cw_params *params, const char *path, const cw_name_rule *rules, const char *only,
                         cw_load_report *report)
{
    memset(report, 0, sizeof *report);
    report->ctx = params->ctx;
    cw_source source = cw_source_open(params->ctx, path);
    if (!source.file) return params->ctx->status;
    cw_params_read(params, &source, rules, only, report);
    source.close(source.file);
    return params->ctx->status;
}

/* ---- saving ---- */

cw_status cw_params_save(const cw_params *params, const char *path, const char *only)
{
    cw_ctx *ctx = params->ctx;
    int64_t most = params->count + params->aliases, n = 0;
    cw_safetensors_item *items = cw_alloc(ctx, most, sizeof *items);
    for (int64_t i = 0; items && i < most; i++) {
        int second = i >= params->count;
        const cw_param *p = second ? params->alias[i - params->count].of : params->item[i];
        const char *name = second ? params->alias[i - params->count].name : p->name;
        if (only && !cw_name_match(only, name)) continue;
        items[n] = (cw_safetensors_item){.name = name, .dtype = CW_ST_F32, .ndim = p->tensor.ndim};
        for (int d = 0; d < p->tensor.ndim; d++) items[n].dim[d] = p->tensor.dim[d];
        items[n++].data = cw_param_host(ctx, &p->tensor);
    }
    const cw_safetensors_pair format = {"format", "pt"};
    if (ctx->status == CW_OK) cw_safetensors_write(ctx, path, items, &format, n, 1);
    cw_free(ctx, items);
    return ctx->status;
}
