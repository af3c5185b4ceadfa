/* csv.h: comma-separated tables (RFC 4180): TF lists, prior networks.
 *
 * The first line names the columns. Cells are strings as in the file, without outer quotes. CRLF and LF, quoted cells
 * (with commas, line breaks and doubled quotes) and a byte order mark are understood, empty lines are passed over; a
 * row with another number of cells than the header is an error with its line number. */
#ifndef CW_IO_CSV_H
#define CW_IO_CSV_H

#include "../core/core.h"

#define CW_CSV_FILE_MAX ((int64_t)1 << 30) /* bytes */
#define CW_CSV_CELLS_MAX ((int64_t)100000000)

typedef struct cw_csv cw_csv;

/* NULL with the error recorded. `name` is for messages. Freed with cw_csv_free (NULL is fine). */
cw_csv *cw_csv_read(cw_ctx *ctx, const char *path) CW_USED_RESULT;
cw_csv *cw_csv_parse(cw_ctx *ctx, const char *text, int64_t n, const char *name) CW_USED_RESULT;
void cw_csv_free(cw_csv *csv);

int64_t cw_csv_rows(const cw_csv *csv); /* without the header */
int64_t cw_csv_columns(const cw_csv *csv);
const char *cw_csv_name(const cw_csv *csv, int64_t column);
/* The column called `name`; -1 when there is none. cw_csv_need also records an error that lists the columns. */
int64_t cw_csv_find(const cw_csv *csv, const char *name);
int64_t cw_csv_need(cw_ctx *ctx, const cw_csv *csv, const char *name);
const char *cw_csv_cell(const cw_csv *csv, int64_t row, int64_t column); /* NULL: outside the table */

#endif
