## What all reports share: making, printing, reading, writing them.

#' The verdict of a result, and what else all reports give
#'
#' @description
#' `verdict()` gives what came out, as printed first by `show()`, and whether
#' it holds against its baseline and null. Reports (see
#' [CausewayReport-class]) are read by `as.data.frame()`, summarised, drawn and
#' written to files in the same way, whatever was done.
#'
#' @param x,object a report; for `verdict()` also other results that have one,
#'   see their pages.
#' @param which name of a table; NULL: the main one. For `write()` to a folder
#'   several, NULL: all.
#' @param row.names the name of a table may stand here too, as in
#'   `as.data.frame(x, "edges")`.
#' @param optional,stringsAsFactors not used.
#' @param y not used.
#' @param file path of a file to write: a page that needs nothing else
#'   (`.html`), or one table (`.csv`).
#' @param dir path of a folder, which is made: `verdict.txt`, `facts.csv` and a
#'   csv file a table.
#' @param overwrite replace existing files?
#' @param ... for `plot()`: as for the function that it names; for `write()`
#'   of what is no report: as for [base::write()]; else not used.
#' @return `verdict()` a list with `text`, sentences, and `holds`, TRUE, FALSE
#'   or, where nothing was claimed, NA. `as.data.frame()` a table. `summary()`
#'   a data.frame of text, a row per fact: `part` (`"verdict"`, `"facts"`,
#'   `"provenance"` or `"tables"`), `name`, `value`. `as.list()` facts, tables,
#'   verdict and provenance. `plot()` a `ggplot`.
#'   `write()` the path, invisibly. `show()` prints the verdict, then what is
#'   most needed of the tables.
#' @section Errors: an unknown table; a `plot()` of a report that has none;
#'   files that exist, before any of them is written, if `overwrite` is FALSE;
#'   neither or both of `file` and `dir`.
#' @seealso [CausewayReport-class]
#' @examples
#' change <- contrastGRN(exampleGRN(), "group", top = 50, seed = 1)
#' verdict(change)$text[[1]]
#' head(as.data.frame(change, which = "regulators")[1:4])
#' head(summary(change))
#' plot(change)
#' dir <- tempfile()
#' write(change, dir = dir)
#' list.files(dir)
#' unlink(dir, recursive = TRUE)
#' @rdname verdict
#' @export
setMethod("verdict", "CausewayReport", function(x, ...) {
    .noDots(...)
    x@verdict
})

## ---- making ----------------------------------------------------------------

## holds: TRUE or FALSE against baseline and null; NA: nothing was claimed.
.verdict <- function(text, holds = NA, ...) {
    list(text = text, holds = holds, ...)
}

## `tables` that are NULL, because they weren't asked for, are left out.
.report <- function(class, verdict, tables, facts = list(), seed = NULL,
    provenance = list(), ...) {
    methods::new(class, verdict = verdict,
        tables = Filter(Negate(is.null), tables), facts = facts,
        provenance = c(.provenance(seed), provenance), ...
    )
}

.provenance <- function(seed = NULL) {
    c(list(version = as.character(utils::packageVersion("causeway")),
        engine = .engineText(), r = R.version.string
    ), if (!is.null(seed)) list(seed = seed))
}

## For functions of one kind of report.
.isReport <- function(x, class, verb, arg = "x") {
    .given(x, arg, paste0("what ", verb, "() gives"))
    if (!methods::is(x, class)) {
        .stopArgument(arg, "must be what ", verb, "() returns; it is a ",
            class(x)[[1L]], "."
        )
    }
    invisible(x)
}

## ---- printing --------------------------------------------------------------

#' @rdname verdict
#' @aliases show,CausewayReport-method
#' @export
setMethod("show", "CausewayReport", function(object) {
    for (line in object@verdict$text) {
        writeLines(strwrap(line, width = 78L, exdent = 2L))
    }
    .showBody(object)
    names <- names(object@tables)
    if (length(names)) {
        rows <- vapply(object@tables, nrow, 1L)
        writeLines(strwrap(paste0("Tables, by as.data.frame(x, which = ): ",
            paste0("\"", names, "\" (", vapply(rows, .count, "",
                what = "row"), ")", collapse = ", ")
        ), width = 78L, exdent = 2L))
    }
})

setMethod(".showBody", "CausewayReport", function(x) {
    if (length(x@tables)) {
        .showRows(x@tables[[1L]])
    }
})

## The first rows of a table, numbers with three digits.
.showRows <- function(table, n = 6L) {
    few <- head(table, n)
    number <- vapply(few, is.numeric, NA)
    few[number] <- lapply(few[number], function(v) format(signif(v, 3L)))
    if (nrow(few)) {
        print(few, row.names = FALSE)
    }
    invisible()
}

## ---- reading ---------------------------------------------------------------

#' @rdname verdict
#' @method as.data.frame CausewayReport
#' @export
as.data.frame.CausewayReport <- function(x, row.names = NULL,
    optional = FALSE, ..., which = NULL, stringsAsFactors = FALSE) {
    .noDots(...)
    if (is.null(which) && is.character(row.names)) {
        which <- row.names
    }
    .reportTable(x, which)
}

.reportTable <- function(x, which) {
    names <- names(x@tables)
    if (!length(names)) {
        .stopArgument("x", "is a ", class(x)[[1L]], " without tables.")
    }
    if (is.null(which)) {
        which <- names[[1L]]
    }
    x@tables[[.oneOf(which, names, "which")]]
}

#' @rdname verdict
#' @export
setMethod("summary", "CausewayReport", function(object, ...) {
    .noDots(...)
    .reportFacts(object)
})

## data.frame(part, name, value), all text; lists within lists by "a.b".
.reportFacts <- function(x) {
    flat <- function(part, values) {
        if (is.list(values) && length(values) && !is.data.frame(values)) {
            names <- names(values)
            names <- if (is.null(names)) seq_along(values) else names
            return(do.call(rbind, Map(function(name, value) {
                inner <- flat(part, value)
                if (is.null(inner)) {
                    return(NULL)
                }
                inner$name <- ifelse(nzchar(inner$name),
                    paste(name, inner$name, sep = "."), name)
                inner
            }, names, unname(values))))
        }
        if (!length(values) || is.data.frame(values) || is.function(values)) {
            return(NULL)
        }
        data.frame(part = part, name = "", value = .valueText(values))
    }
    sizes <- lapply(x@tables, function(t) paste(nrow(t), "x", ncol(t)))
    out <- rbind(flat("verdict", x@verdict), flat("facts", x@facts),
        flat("tables", sizes), flat("provenance", x@provenance)
    )
    rownames(out) <- NULL
    out
}

.valueText <- function(x) {
    text <- if (is.atomic(x) || is.factor(x)) {
        trimws(format(x, digits = 7L, decimal.mark = "."))
    } else {
        class(x)[[1L]]
    }
    if (!is.null(names(x))) {
        text <- paste(names(x), "=", text)
    }
    paste(text, collapse = if (is.character(x)) "; " else ", ")
}

#' @rdname verdict
#' @method as.list CausewayReport
#' @export
as.list.CausewayReport <- function(x, ...) {
    .noDots(...)
    c(x@facts, x@tables, list(verdict = x@verdict, provenance = x@provenance))
}

#' @rdname verdict
#' @method plot CausewayReport
#' @export
plot.CausewayReport <- function(x, y, ...) {
    .stopArgument("x", "is a ", class(x)[[1L]], ", which has no drawing; ",
        "as.data.frame(x) gives its numbers."
    )
}

## ---- writing ---------------------------------------------------------------

#' @rdname verdict
#' @export
setMethod("write", "CausewayReport", function(x, file = NULL, ...,
    dir = NULL, which = NULL, overwrite = FALSE) {
    .noDots(...)
    .checkFlag(overwrite, "overwrite")
    if (is.null(file) == is.null(dir)) {
        .stopArgument("file", "or 'dir' is needed, not both: the path of a ",
            "page (.html) or table (.csv), or of a folder."
        )
    }
    if (!is.null(dir)) {
        return(.writeReportDir(x, dir, which, overwrite))
    }
    .filePlace(file, overwrite)
    ending <- tolower(sub("^.*\\.", "", basename(file)))
    if (ending == "csv") {
        .writeCsv(.reportTable(x, which), file, overwrite)
    } else if (ending %in% c("html", "htm")) {
        .writeLines(.plainNumbers(.reportPage(x)), file, overwrite)
    } else {
        .stopArgument("file", "must end in .html or .csv; it is ",
            .show(file), "."
        )
    }
    invisible(file)
})

.writeReportDir <- function(x, dir, which, overwrite) {
    .checkText(dir, "dir")
    which <- if (is.null(which)) names(x@tables) else
        .someOf(which, names(x@tables), "which")
    files <- file.path(dir, c("verdict.txt", "facts.csv",
        sprintf("%s.csv", which)))
    there <- files[file.exists(files)]
    if (length(there) && !overwrite) {
        .stopArgument("dir", "holds ", .some(basename(there)), " already: ",
            dir, "; choose another folder or set overwrite = TRUE."
        )
    }
    if (!dir.exists(dir) && !dir.create(dir, FALSE, recursive = TRUE)) {
        .stopArgument("dir", "can't be made: ", dir, ".")
    }
    .writeLines(x@verdict$text, files[[1L]], overwrite, "dir")
    .writeCsv(.plainNumbers(.reportFacts(x)), files[[2L]], overwrite, "dir")
    for (i in seq_along(which)) {
        .writeCsv(x@tables[[which[[i]]]], files[[2L + i]], overwrite, "dir")
    }
    invisible(dir)
}
