/* csv.c: see csv.h. */
#include "io_util.h"

#include "csv.h"

struct cw_csv {
    cw_ctx *ctx;
    char *text;        /* the file; cells end in NUL in place */
    const char **cell; /* (rows + 1, columns): the header is row 0 */
    int64_t cells, room;
    int64_t columns, rows; /* rows without the header */
};

static int add_cell(cw_csv *csv, const char *text)
{
    if (csv->cells == CW_CSV_CELLS_MAX) {
        cw_fail(csv->ctx, CW_ERR_FORMAT, "more than %lld cells", (long long)CW_CSV_CELLS_MAX);
        return 0;
    }
    if (csv->cells == csv->room) {
        int64_t room = 2 * csv->room + 256;
        const char **larger = cw_alloc(csv->ctx, room, sizeof *larger);
        if (!larger) return 0;
        if (csv->cells) memcpy(larger, csv->cell, (size_t)csv->cells * sizeof *larger);
        cw_free(csv->ctx, csv->cell);
        csv->cell = larger;
        csv->room = room;
    }
    csv->cell[csv->cells++] = text;
    return 1;
}

/* Moves over a quoted cell that starts at p (a quote), unquoting in place; counts its line breaks. Returns the place
 * behind the closing quote, with the cell's end in *cell_end, or NULL when there is no closing quote. */
static char *read_quoted(char *p, char **cell_end, int64_t *line)
{
    char *to = p++;
    for (; *p; p++) {
        if (*p == '"' && p[1] == '"')
            p++;
        else if (*p == '"') {
            *cell_end = to;
            return p + 1;
        }
        *line += *p == '\n';
        *to++ = *p;
    }
    return NULL;
}

/* Splits text (NUL-terminated, no NUL inside). */
static void split(cw_csv *csv, char *p)
{
    int64_t line = 1, first_line = 1, in_row = 0;
    while (*p || in_row) {
        if (!in_row && (*p == '\n' || (*p == '\r' && p[1] == '\n'))) { /* an empty line */
            p += *p == '\r' ? 2 : 1;
            first_line = ++line;
            continue;
        }
        char *begin = p, *end = p;
        if (*p == '"') {
            p = read_quoted(p, &end, &line);
            if (!p || (*p && !strchr(",\r\n", *p))) {
                cw_fail(csv->ctx, CW_ERR_FORMAT, "line %lld: %s", (long long)first_line,
                        p ? "text behind a closing quote" : "a quote that is not closed");
                return;
            }
        } else {
            p += strcspn(p, ",\r\n");
            while (*p == '\r' && p[1] != '\n' && p[1]) p += 1 + strcspn(p + 1, ",\r\n"); /* a lone CR is text */
            end = p;
        }
        char stop = *p;
        if (stop) p += stop == '\r' && p[1] == '\n' ? 2 : 1;
        *end = '\0';
        if (!add_cell(csv, begin)) return;
        in_row++;
        if (stop == ',') continue;
        if (csv->columns == 0)
            csv->columns = in_row;
        else
            csv->rows++;
        if (in_row != csv->columns) {
            cw_fail(csv->ctx, CW_ERR_FORMAT, "line %lld has %lld cells, the header has %lld", (long long)first_line,
                    (long long)in_row, (long long)csv->columns);
            return;
        }
        in_row = 0;
        first_line = ++line;
    }
}

/* Takes `text` over: n bytes and a NUL. */
static cw_csv *parse(cw_ctx *ctx, char *text, int64_t n, const char *name)
{
    cw_csv *csv = cw_calloc(ctx, 1, sizeof *csv);
    if (!csv) {
        cw_free(ctx, text);
        return NULL;
    }
    csv->ctx = ctx;
    csv->text = text;
    int64_t zero = (int64_t)strlen(text);
    if (zero < n)
        cw_fail(ctx, CW_ERR_FORMAT, "a zero byte at position %lld: not a text file", (long long)zero);
    else
        split(csv, n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0 ? text + 3 : text);
    if (ctx->status == CW_OK && csv->columns == 0) cw_fail(ctx, CW_ERR_FORMAT, "the table is empty");
    if (ctx->status == CW_OK) return csv;
    io_error_at(ctx, name);
    cw_csv_free(csv);
    return NULL;
}

cw_csv *cw_csv_read(cw_ctx *ctx, const char *path)
{
    int64_t n;
    char *text = io_read_all(ctx, path, CW_CSV_FILE_MAX, &n);
    return text ? parse(ctx, text, n, path) : NULL;
}

cw_csv *cw_csv_parse(cw_ctx *ctx, const char *text, int64_t n, const char *name)
{
    char *copy = cw_alloc(ctx, n + 1, 1);
    if (!copy) return NULL;
    if (n) memcpy(copy, text, (size_t)n);
    copy[n] = '\0';
    return parse(ctx, copy, n, name);
}

void cw_csv_free(cw_csv *csv)
{
    if (!csv) return;
    cw_free(csv->ctx, csv->cell);
    cw_free(csv->ctx, csv->text);
    cw_free(csv->ctx, csv);
}

int64_t cw_csv_rows(const cw_csv *csv) { return csv->rows; }
int64_t cw_csv_columns(const cw_csv *csv) { return csv->columns; }

const char *cw_csv_name(const cw_csv *csv, int64_t column)
{
    return column >= 0 && column < csv->columns ? csv->cell[column] : NULL;
}

int64_t cw_csv_find(const cw_csv *csv, const char *name)
{
    for (int64_t j = 0; j < csv->columns; j++)
        if (strcmp(csv->cell[j], name) == 0) return j;
    return -1;
}

int64_t cw_csv_need(cw_ctx *ctx, const cw_csv *csv, const char *name)
{
    int64_t column = cw_csv_find(csv, name);
    if (column >= 0) return column;
    char names[400] = "";
    for (int64_t j = 0; j < csv->columns; j++) {
        io_shown shown = io_show(csv->cell[j]);
        size_t used = strlen(names);
        if (used + strlen(shown.text) + 8 > sizeof names) {
            memcpy(names + used, ", ...", 6);
            break;
        }
        snprintf(names + used, sizeof names - used, "%s%s", j ? ", " : "", shown.text);
    }
    cw_fail(ctx, CW_ERR_FORMAT, "no column '%s'; there are: %s", name, names);
    return -1;
}

const char *cw_csv_cell(const cw_csv *csv, int64_t row, int64_t column)
{
    if (row < 0 || row >= csv->rows || column < 0 || column >= csv->columns) return NULL;
    return csv->cell[(row + 1) * csv->columns + column];
}
