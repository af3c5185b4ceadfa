/* settings.h: options as a table, so that what C checks, what a host checks, the defaults, and the help all come from one
 * place.
 *
 * A table is an array of cw_setting that ends with a NULL name. It describes members of a struct; cw_settings_fill sets
 * them from named values (a file, an R list), and refuses by name what isn't in the table, has the wrong type, or is out
 * of range. */
#ifndef CW_SETTINGS_H
#define CW_SETTINGS_H

#include "core.h"

typedef enum cw_setting_type {
    CW_SETTING_INT,    /* int64_t */
    CW_SETTING_REAL,   /* float */
    CW_SETTING_DOUBLE, /* double */
    CW_SETTING_FLAG,   /* int, 0 or 1 */
    CW_SETTING_CHOICE, /* int, the place in `choices` */
    CW_SETTING_TEXT    /* known and passed over: nothing is stored */
} cw_setting_type;

typedef struct cw_setting {
    const char *name;     /* in files, "embed_dim"; a member of an object within has its path, "sfm.embed_dim" */
    const char *argument; /* what hosts call it, "embedDim"; NULL: as `name` */
    cw_setting_type type;
    size_t offset;       /* of the member */
    double fallback;     /* where nothing is given; NAN: it must be given */
    double min, max;     /* of INT, REAL and DOUBLE */
    int open;            /* min itself is not allowed */
    const char *choices; /* of a CHOICE: "none half interleaved" */
    const char *help;    /* one line, for people */
} cw_setting;

/* Members of a table, for those who write one. S is the struct. */
#define CW_SET_INT(S, member, name, argument, fallback, min, max, help)                                                \
    {name, argument, CW_SETTING_INT, offsetof(S, member), fallback, min, max, 0, NULL, help}
#define CW_SET_REAL(S, member, name, argument, fallback, min, max, open, help)                                         \
    {name, argument, CW_SETTING_REAL, offsetof(S, member), fallback, min, max, open, NULL, help}
#define CW_SET_DOUBLE(S, member, name, argument, fallback, min, max, open, help)                                       \
    {name, argument, CW_SETTING_DOUBLE, offsetof(S, member), fallback, min, max, open, NULL, help}
#define CW_SET_FLAG(S, member, name, argument, fallback, help)                                                         \
    {name, argument, CW_SETTING_FLAG, offsetof(S, member), fallback, 0, 1, 0, NULL, help}
#define CW_SET_CHOICE(S, member, name, argument, fallback, choices, help)                                              \
    {name, argument, CW_SETTING_CHOICE, offsetof(S, member), fallback, 0, 0, 0, choices, help}

/* A value by name, as a host has it. */
typedef struct cw_option {
    const char *name;
    const char *text; /* a string, or NULL: */
    double number;    /* a number or a truth value */
} cw_option;

/* Fills `out` from the n options (the last of a name wins), the rest from the table's fallbacks. With `strict` a name
 * that isn't in the table is refused, and the nearest one named. On failure returns a status other than CW_OK and puts
 * the reason into why[0..size). */
cw_status cw_settings_fill(const cw_setting *table, void *out, const cw_option *option, int64_t n, int strict, char *why,
                           size_t size) CW_USED_RESULT;

/* The same of a struct that was filled in another way: CW_OK, or the first member out of its range. */
cw_status cw_settings_check(const cw_setting *table, const void *in, char *why, size_t size) CW_USED_RESULT;

/* The setting called `name` (in files or as an argument), or NULL. */
const cw_setting *cw_settings_find(const cw_setting *table, const char *name);
int64_t cw_settings_count(const cw_setting *table);
/* A member's value as a number (of a CHOICE: its place); NAN for a TEXT. */
double cw_settings_value(const cw_setting *setting, const void *in);
/* Word i of a CHOICE into text[0..size); 0 when there is no such. */
int cw_settings_choice(const cw_setting *setting, int i, char *text, size_t size);

#endif
