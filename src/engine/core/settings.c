/* settings.c: see settings.h. */
#include "settings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

int64_t cw_settings_count(const cw_setting *table)
{
    int64_t n = 0;
    while (table[n].name) n++;
    return n;
}

const cw_setting *cw_settings_find(const cw_setting *table, const char *name)
{
    for (const cw_setting *s = table; s->name; s++)
        if (strcmp(s->name, name) == 0 || (s->argument && strcmp(s->argument, name) == 0)) return s;
    return NULL;
}

int cw_settings_choice(const cw_setting *s, int i, char *text, size_t size)
{
    const char *at = s->choices;
    for (; at && i > 0; i--) {
        at = strchr(at, ' ');
        if (at) at++;
    }
    if (!at) return 0;
    size_t n = strcspn(at, " ");
    if (n + 1 > size) n = size - 1;
    memcpy(text, at, n);
    text[n] = '\0';
    return 1;
}

double cw_settings_value(const cw_setting *s, const void *in)
{
    const char *at = (const char *)in + s->offset;
    switch (s->type) {
    case CW_SETTING_INT: {
        int64_t x;
        memcpy(&x, at, sizeof x);
        return (double)x;
    }
    case CW_SETTING_REAL: {
        float x;
        memcpy(&x, at, sizeof x);
        return (double)x;
    }
    case CW_SETTING_DOUBLE: {
        double x;
        memcpy(&x, at, sizeof x);
        return x;
    }
    case CW_SETTING_FLAG:
    case CW_SETTING_CHOICE: {
        int x;
        memcpy(&x, at, sizeof x);
        return x;
    }
    case CW_SETTING_TEXT: break;
    }
    return NAN;
}

static void store(const cw_setting *s, void *out, double x)
{
    char *at = (char *)out + s->offset;
    int64_t whole = (int64_t)x;
    float single = (float)x;
    int flag = (int)x;
    switch (s->type) {
    case CW_SETTING_INT: memcpy(at, &whole, sizeof whole); break;
    case CW_SETTING_REAL: memcpy(at, &single, sizeof single); break;
    case CW_SETTING_DOUBLE: memcpy(at, &x, sizeof x); break;
    case CW_SETTING_FLAG:
    case CW_SETTING_CHOICE: memcpy(at, &flag, sizeof flag); break;
    case CW_SETTING_TEXT: break;
    }
}

/* Edits (insertions, deletions, replacements) from a to b, for names of up to 63 characters. */
static int edits(const char *a, const char *b)
{
    enum { MOST = 64 };
    size_t n = strlen(a), m = strlen(b);
    int row[MOST + 1];
    if (n >= MOST || m >= MOST) return MOST;
    for (size_t j = 0; j <= m; j++) row[j] = (int)j;
    for (size_t i = 1; i <= n; i++) {
        int diagonal = row[0];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            int above = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best) best = above + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[m];
}

static const char *shown(const cw_setting *s, const char *like)
{
    return s->argument && strcmp(s->name, like) != 0 ? s->argument : s->name;
}

static cw_status unknown(const cw_setting *table, const char *name, char *why, size_t size)
{
    const char *near = NULL;
    int least = (int)strlen(name) / 2 + 1;
    for (const cw_setting *s = table; s->name; s++) {
        const char *names[] = {s->name, s->argument};
        for (int i = 0; i < 2; i++)
            if (names[i] && edits(name, names[i]) < least) least = edits(name, names[i]), near = names[i];
    }
    if (near)
        snprintf(why, size, "there is no option '%s'; is '%s' meant?", name, near);
    else
        snprintf(why, size, "there is no option '%s'", name);
    return CW_ERR_ARGUMENT;
}

static int in_range(const cw_setting *s, double x)
{
    int whole = s->type == CW_SETTING_INT || s->type == CW_SETTING_FLAG;
    return x >= s->min && x <= s->max && !(s->open && x <= s->min) && !(whole && x != floor(x));
}

static void say_range(const cw_setting *s, const char *name, double x, char *why, size_t size)
{
    if (s->type == CW_SETTING_FLAG)
        snprintf(why, size, "'%s' is %g; it must be true or false", name, x);
    else
        snprintf(why, size, "'%s' is %g; it may be %s from %g%s to %g", name, x,
                 s->type == CW_SETTING_INT ? "a whole number" : "a number", s->min, s->open ? " (not that itself)" : "",
                 s->max);
}

/* The number an option stands for; NAN with the reason when it is of another type. */
static double number_of(const cw_setting *s, const cw_option *o, char *why, size_t size)
{
    char word[64];
    if (s->type == CW_SETTING_CHOICE) {
        for (int i = 0; o->text && cw_settings_choice(s, i, word, sizeof word); i++)
            if (strcmp(word, o->text) == 0) return i;
        if (o->text)
            snprintf(why, size, "'%s' is \"%s\"; it may be one of: %s", shown(s, o->name), o->text, s->choices);
        else
            snprintf(why, size, "'%s' is %g; it may be one of: %s", shown(s, o->name), o->number, s->choices);
        return NAN;
    }
    if (o->text) {
        snprintf(why, size, "'%s' is \"%s\"; it must be a number", shown(s, o->name), o->text);
        return NAN;
    }
    if (in_range(s, o->number)) return o->number;
    say_range(s, shown(s, o->name), o->number, why, size);
    return NAN;
}

cw_status cw_settings_check(const cw_setting *table, const void *in, char *why, size_t size)
{
    for (const cw_setting *s = table; s->name; s++) {
        if (s->type == CW_SETTING_TEXT || s->type == CW_SETTING_CHOICE) continue;
        double x = cw_settings_value(s, in);
        if (in_range(s, s->type == CW_SETTING_REAL && fabs(x - s->max) < 1e-6 * fabs(s->max) ? s->max : x)) continue;
        say_range(s, s->name, x, why, size);
        return CW_ERR_ARGUMENT;
    }
    return CW_OK;
}

cw_status cw_settings_fill(const cw_setting *table, void *out, const cw_option *option, int64_t n, int strict, char *why,
                           size_t size)
{
    for (const cw_setting *s = table; s->name; s++)
        if (s->type != CW_SETTING_TEXT && !isnan(s->fallback)) store(s, out, s->fallback);
    for (int64_t i = 0; i < n; i++) {
        const cw_setting *s = cw_settings_find(table, option[i].name);
        if (!s && strict) return unknown(table, option[i].name, why, size);
        if (!s || s->type == CW_SETTING_TEXT) continue;
        double x = number_of(s, &option[i], why, size);
        if (isnan(x)) return CW_ERR_ARGUMENT;
        store(s, out, x);
    }
    for (const cw_setting *s = table; s->name; s++) {
        int given = s->type == CW_SETTING_TEXT || !isnan(s->fallback);
        for (int64_t i = 0; !given && i < n; i++) given = cw_settings_find(table, option[i].name) == s;
        if (given) continue;
        snprintf(why, size, "the option '%s' is missing", s->argument ? s->argument : s->name);
        return CW_ERR_ARGUMENT;
    }
    return CW_OK;
}
