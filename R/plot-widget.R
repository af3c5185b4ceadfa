## A network to move about in: in R's viewer, or as a page.

#' An interactive network
#'
#' The strongest edges, to zoom, drag, search and point at: TFs are orange
#' squares, larger with more edges, targets blue; red edges activate, blue ones
#' repress, grey ones have no known sign; wider means a higher score; pointing
#' shows names and scores.
#'
#' @param x a [CellGRN-class] or [StateGRN-class] (the mean over `cells` is
#'   shown) or a [PooledGRN-class].
#' @param file NULL for a widget; or the path of a page to write: one HTML file
#'   that loads nothing from elsewhere and opens in any browser.
#' @param top number of edges, the highest scores among the edges of `tfs`, self
#'   edges left out.
#' @param tfs TFs whose edges are shown; NULL: all.
#' @param cells for per-cell networks: cells by number, name or logical.
#' @param title NULL: one that says what is shown.
#' @param engine what draws a page: `"visNetwork"` or `"builtin"`, a small
#'   script of this package that needs no other; NULL: visNetwork where it is
#'   installed.
#' @param overwrite replace an existing file?
#' @param ... not used.
#' @return Without `file` an htmlwidget, which the package visNetwork makes;
#'   with `file` the path, invisibly. The page is written beside and renamed at
#'   the end. The layout is the same at every call.
#' @section Errors: a TF that isn't one of the network's; no edge above 0; a
#'   file that exists; a widget without visNetwork installed.
#' @references visNetwork, <https://datastorm-open.github.io/visNetwork/>.
#' @seealso [plotGRN()] for a drawing, [toIgraph()]
#' @examples
#' file <- tempfile(fileext = ".html")
#' networkWidget(exampleGRN(), file, top = 30)
#' unlink(file)
#' if (requireNamespace("visNetwork", quietly = TRUE)) {
#'     networkWidget(exampleGRN(), top = 30)
#' }
#' @export
networkWidget <- function(x, file = NULL, top = 100, tfs = NULL, cells = NULL,
    title = NULL, engine = NULL, overwrite = FALSE, ...) {
    .noDots(...)
    top <- .checkNumber(top, "top", 1, 5000, whole = TRUE)
    if (!is.null(file)) {
        .filePlace(file, overwrite)
    }
    engine <- .widgetEngine(engine, is.null(file))
    if (!is.null(title)) {
        .checkText(title, "title")
    }
    graph <- .plainNumbers(.widgetGraph(x, top, tfs, cells))
    if (!is.null(title)) {
        graph$title <- title
    }
    if (engine == "builtin") {
        page <- .plainNumbers(.builtinPage(graph))
        return(.writeLines(page, file, overwrite))
    }
    widget <- .visWidget(graph, if (is.null(file)) NULL else "82vh")
    if (is.null(file)) {
        return(widget)
    }
    .writeLines(.widgetPage(widget, graph$title), file, overwrite)
}

.widgetEngine <- function(engine, widget) {
    there <- requireNamespace("visNetwork", quietly = TRUE) &&
        requireNamespace("htmlwidgets", quietly = TRUE)
    if (!is.null(engine)) {
        engine <- .oneOf(engine, c("visNetwork", "builtin"), "engine")
    }
    if (!there && (widget || identical(engine, "visNetwork"))) {
        stop("a widget needs the package visNetwork, which isn't installed: ",
            "install.packages(\"visNetwork\"). With 'file' and ",
            "engine = \"builtin\" a page can be written without it.",
            call. = FALSE
        )
    }
    if (widget && identical(engine, "builtin")) {
        .stopArgument("engine", "is \"builtin\", which writes pages only; ",
            "give 'file'."
        )
    }
    if (is.null(engine)) {
        engine <- if (there) "visNetwork" else "builtin"
    }
    engine
}

## list(nodes: name, tf, degree, x, y, title; edges: from, to, score, sign,
## title; title), plain text.
.widgetGraph <- function(x, top, tfs, cells) {
    if (methods::is(x, "PerCellNetworks")) {
        x <- poolGRN(x, cells)
    } else if (is.matrix(x)) {
        x <- .networkOfMatrix(x)
    } else if (!methods::is(x, "PooledGRN")) {
        .stopArgument("x", "must be a CellGRN, a StateGRN or a PooledGRN; it ",
            "is a ", class(x)[[1L]], "."
        )
    } else if (!is.null(cells)) {
        .stopArgument("cells", "can't be chosen: 'x' is pooled already.")
    }
    edges <- .drawnEdges(x, tfs, top)
    c(.widgetTables(edges, tfNames(x)),
        list(title = .networkTitle(x, tfs, nrow(edges)),
            verdict = x@metadata$verdict$text
        )
    )
}

.widgetTables <- function(edges, tfs) {
    name <- unique(c(edges$Gene1, edges$Gene2))
    place <- .layoutNetwork(
        match(edges$Gene1, name), match(edges$Gene2, name),
        edges$score / max(edges$score), length(name)
    )
    out <- tabulate(match(edges$Gene1, name), length(name))
    into <- tabulate(match(edges$Gene2, name), length(name))
    effect <- c("represses", "acts on", "activates")[edges$sign + 2L]
    list(
        nodes = data.frame(name = name, tf = name %in% tfs,
            degree = out + into, x = round(520 * place[, 1L], 1),
            y = round(380 * place[, 2L], 1),
            title = paste0(name, ifelse(name %in% tfs,
                "\ntranscription factor\n", "\ntarget\n"),
            out, " edges from it, ", into, " to it, among those shown")
        ),
        edges = data.frame(from = edges$Gene1, to = edges$Gene2,
            score = signif(edges$score, 5L), sign = edges$sign,
            title = paste0(edges$Gene1, " ", effect, " ", edges$Gene2,
                "\nscore ", format(signif(edges$score, 3L), trim = TRUE),
                ", rank ", seq_len(nrow(edges))
            )
        )
    )
}

.widgetLegend <- paste("Orange: transcription factors; blue: targets. Edges:",
    "red activates, blue represses, grey without a sign; wider: higher score."
)

.graphLegend <- function(graph) {
    paste(c(graph$verdict, .widgetLegend), collapse = " ")
}

## ---- the built-in page -----------------------------------------------------

.builtinPage <- function(graph) {
    data <- jsonlite::toJSON(graph[c("nodes", "edges")], digits = 6L)
    .fillTemplate("network.html", title = graph$title,
        legend = .graphLegend(graph),
        data = htmltools::HTML(gsub("<", "\\u003c", as.character(data),
            fixed = TRUE))
    )
}

## ---- visNetwork ------------------------------------------------------------

.visWidget <- function(graph, height) {
    html <- function(x) gsub("\n", "<br>", escape(x), fixed = TRUE)
    escape <- htmltools::htmlEscape
    n <- graph$nodes
    e <- graph$edges
    nodes <- data.frame(id = n$name, label = n$name, x = n$x, y = n$y,
        title = html(n$title), shape = ifelse(n$tf, "square", "dot"),
        size = ifelse(n$tf, 14 + pmin(14, 2 * sqrt(n$degree)), 10),
        color = unname(.nodeColours[ifelse(n$tf, "TF", "target")]),
        font.size = ifelse(n$tf, 22, 16)
    )
    edges <- data.frame(from = e$from, to = e$to, title = html(e$title),
        width = 0.5 + 3.5 * e$score / max(e$score),
        color = c("#2166AC", "#777777", "#B2182B")[e$sign + 2L]
    )
    widget <- visNetwork::visNetwork(nodes, edges, width = "100%",
        height = height, main = escape(graph$title),
        footer = escape(.graphLegend(graph))
    )
    widget <- visNetwork::visEdges(widget, arrows = "to", smooth = FALSE)
    widget <- visNetwork::visPhysics(widget, enabled = FALSE)
    widget <- visNetwork::visEvents(widget, type = "once",
        afterDrawing = "function() { this.fit(); }"
    )
    widget <- visNetwork::visInteraction(widget, hover = TRUE,
        tooltipDelay = 80
    )
    widget <- visNetwork::visOptions(widget,
        highlightNearest = list(enabled = TRUE, degree = 1),
        nodesIdSelection = list(enabled = TRUE, main = "search a gene",
            values = .sortedUnique(n$name)
        )
    )
    widget$elementId <- "causeway-network"
    widget
}

## The page that htmlwidgets writes, with its scripts and styles put in: one
## file, without pandoc. Browsers are told to load nothing.
.widgetPage <- function(widget, title) {
    folder <- tempfile("widget")
    dir.create(folder)
    on.exit(.removeFile(folder, recursive = TRUE))
    file <- file.path(folder, "page.html")
    htmlwidgets::saveWidget(widget, file, selfcontained = FALSE,
        libdir = "lib", title = htmltools::htmlEscape(title)
    )
    lines <- readLines(file, warn = FALSE, encoding = "UTF-8")
    script <- "^ *<script src=\"([^\"]*)\"></script> *$"
    style <- "^ *<link href=\"([^\"]*)\" rel=\"stylesheet\" */> *$"
    read <- function(line, pattern) {
        path <- utils::URLdecode(sub(pattern, "\\1", line))
        text <- readLines(file.path(folder, path), warn = FALSE,
            encoding = "UTF-8"
        )
        paste(text, collapse = "\n")
    }
    for (i in grep(script, lines)) {
        text <- gsub("</script", "<\\/script", read(lines[[i]], script),
            fixed = TRUE
        )
        lines[[i]] <- paste0("<script>", text, "</script>")
    }
    for (i in grep(style, lines)) {
        lines[[i]] <- paste0("<style>", read(lines[[i]], style), "</style>")
    }
    lines <- sub("<head>", paste0("<head>\n<meta http-equiv=\"Content-",
        "Security-Policy\" content=\"default-src 'none'; script-src ",
        "'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src ",
        "data:; font-src data:\">"
    ), lines, fixed = TRUE)
    page <- paste(lines, collapse = "\n")
    if (.loadsMore(page)) {
        stop("the page of the widget would load other files; use ",
            "engine = \"builtin\".",
            call. = FALSE
        )
    }
    page
}

## Tags that load something, outside of scripts and styles.
.loadsMore <- function(page) {
    page <- gsub("(?s)<script[^>]*>.*?</script>", "", page, perl = TRUE)
    tags <- gsub("(?s)<style[^>]*>.*?</style>", "", page, perl = TRUE)
    grepl("<(script|link|img|iframe|object|embed)[ >]", tags)
}
