/* test_settings.c: options as a table. */
#include "core/settings.h"

#include "test.h"

#include <math.h>
#include <string.h>

typedef struct thing {
    int64_t width;
    float rate;
    double share;
    int on, kind;
} thing;

static const cw_setting table[] = {
    CW_SET_INT(thing, width, "a.width", "width", 8, 1, 100, "columns"),
    CW_SET_REAL(thing, rate, "a.rate", "rate", 0.5, 0, 1, 1, "a rate"),
    CW_SET_DOUBLE(thing, share, "share", NULL, NAN, 0, 1, 0, "a share"),
    CW_SET_FLAG(thing, on, "use_it", "useIt", 1, "a switch"),
    CW_SET_CHOICE(thing, kind, "kind", NULL, 0, "none half interleaved", "positions"),
    {.name = "backend", .type = CW_SETTING_TEXT, .fallback = NAN},
    {0}};

static cw_status fill(thing *t, const cw_option *o, int64_t n, int strict, char *why)
{
    memset(t, 0, sizeof *t);
    why[0] = 0;
    return cw_settings_fill(table, t, o, n, strict, why, 256);
}

int main(void)
{
    thing t;
    char why[256];
    CHECK(cw_settings_count(table) == 6, "a table of six");
    const cw_option good[] = {{"width", NULL, 3}, {"share", NULL, 0.25}, {"kind", "half", 0}, {"backend", "fa2", 0},
                              {"width", NULL, 4}};
    CHECK(fill(&t, good, 5, 1, why) == CW_OK, "%s", why);
    CHECK(t.width == 4 && t.rate == 0.5f && t.share == 0.25 && t.on == 1 && t.kind == 1, "%s", why);
    CHECK(cw_settings_value(&table[0], &t) == 4 && cw_settings_value(&table[4], &t) == 1, "%s", why);
    /* what is refused, and what is said */
    const struct {
        cw_option o;
        const char *says;
    } bad[] = {{{"widht", NULL, 3}, "is 'width' meant"},         {{"width", NULL, 0}, "'width' is 0"},
               {{"width", NULL, 2.5}, "whole number"},            {{"width", "3", 0}, "must be a number"},
               {{"rate", NULL, 0}, "not that itself"},            {{"rate", NULL, NAN}, "'rate' is nan"},
               {{"use_it", NULL, 2}, "true or false"},            {{"kind", "quarter", 0}, "none half interleaved"},
               {{"kind", NULL, 1}, "none half interleaved"},      {{"qqqqqqqq", NULL, 1}, "no option 'qqqqqqqq'"},
               {{"a.width", NULL, INFINITY}, "'a.width' is inf"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const cw_option both[] = {{"share", NULL, 0.5}, bad[i].o};
        CHECK(fill(&t, both, 2, 1, why) == CW_ERR_ARGUMENT, "%s", why);
        CHECK(strstr(why, bad[i].says) != NULL, "%s", why);
    }
    const cw_option loose[] = {{"share", NULL, 0.5}, {"widht", NULL, 3}};
    CHECK(fill(&t, loose, 2, 0, why) == CW_OK && t.width == 8, "%s", why);
    CHECK(fill(&t, good, 1, 1, why) == CW_ERR_ARGUMENT && strstr(why, "'share' is missing"), "%s", why);
    return test_end();
}
