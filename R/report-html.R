## Reports as one HTML page that needs nothing else. Tags are htmltools':
## text put into them is escaped.

## The page of any report: verdict, body, facts.
.reportPage <- function(x) {
    facts <- .reportFacts(x)
    .fillTemplate("report.html", title = .reportTitle(x),
        verdict = .tagParagraphs(x@verdict$text),
        body = htmltools::tagList(.pageBody(x),
            .csvLinks(x), htmltools::tags$h2("How it was made"),
            .tagTable(facts[facts$part != "verdict", c("name", "value")])
        )
    )
}

setMethod(".pageBody", "CausewayReport", function(x) {
    c(list(.reportFigure(x)),
        unname(Map(.reportSection, names(x@tables), x@tables)))
})

.reportTitle <- function(x) {
    if (is.null(x@facts$title)) class(x)[[1L]] else x@facts$title
}

## A page of inst/templates: {{name}} -> the value given; text is escaped.
.fillTemplate <- function(template, ...) {
    template <- system.file("templates", template, package = "causeway",
        mustWork = TRUE
    )
    as.character(htmltools::htmlTemplate(template, ...))
}

## The tables inside the page, to be saved as CSV.
.csvLinks <- function(x) {
    tags <- htmltools::tags
    links <- lapply(names(x@tables), function(name) {
        text <- paste0(paste(.csvLines(x@tables[[name]]), collapse = "\n"),
            "\n")
        tags$a(download = paste0(name, ".csv"), href = paste0(
            "data:text/csv;base64,", .base64(charToRaw(enc2utf8(text)))
        ), paste0(name, ".csv"))
    })
    tags$p(class = "small", "Tables as CSV: ", links)
}

.base64 <- function(bytes) {
    gsub("\n", "", jsonlite::base64_enc(bytes), fixed = TRUE)
}

.tagParagraphs <- function(text) {
    htmltools::tagList(lapply(text, htmltools::tags$p))
}

## A table with its heading; long ones are cut, which is said.
.reportSection <- function(name, table, most = 200L) {
    number <- vapply(table, is.numeric, NA)
    shown <- head(table, most)
    shown[number] <- lapply(shown[number], function(v) {
        trimws(format(signif(v, 4L), decimal.mark = "."))
    })
    htmltools::tagList(htmltools::tags$h2(name),
        .tagTable(shown), if (nrow(table) > most) htmltools::tags$p(
            class = "small", sprintf("%d of %d rows.", most, nrow(table))
        )
    )
}

## A data.frame as a table. row: a class for each row; class: matrix of
## classes of cells; "" for none.
.tagTable <- function(t, row = character(nrow(t)), class = NULL) {
    tags <- htmltools::tags
    or <- function(x) if (length(x) && nzchar(x)) x
    cells <- lapply(t, as.character)
    body <- lapply(seq_len(nrow(t)), function(i) {
        tags$tr(class = or(row[[i]]), lapply(seq_along(cells), function(j) {
            value <- cells[[j]][[i]]
            tags$td(class = if (!is.null(class)) or(class[[i, j]]),
                if (is.na(value)) "" else .tagLines(value)
            )
        }))
    })
    tags$div(class = "scroll", tags$table(
        tags$thead(tags$tr(lapply(names(t), tags$th))), tags$tbody(body)
    ))
}

## Lines of a cell: what follows the first is set below it, smaller.
.tagLines <- function(text) {
    lines <- strsplit(text, "\n", fixed = TRUE)[[1L]]
    c(list(lines[1L][length(lines) > 0L]),
        lapply(lines[-1L], htmltools::tags$div, class = "span"))
}

## plot(x) as an image inside the page; a line where there is none.
.reportFigure <- function(x, width = 9, height = 5, alt = "plot(x)") {
    if (is.null(.plotMethod(x))) {
        return(NULL)
    }
    file <- tempfile(fileext = ".png")
    on.exit(.removeFile(file))
    drawn <- tryCatch({
        suppressMessages(ggplot2::ggsave(file, plot(x), width = width,
            height = height, dpi = 110
        ))
        file.exists(file)
    }, error = function(e) FALSE)
    if (!drawn) {
        return(htmltools::tags$p("(It could not be drawn here: no figure.)"))
    }
    bytes <- readBin(file, "raw", file.size(file))
    htmltools::tags$img(alt = alt,
        src = paste0("data:image/png;base64,", .base64(bytes)))
}

## The S3 method of plot() for this class of report, or NULL.
.plotMethod <- function(x) {
    utils::getS3method("plot", class(x)[[1L]], optional = TRUE,
        envir = asNamespace("causeway")
    )
}
