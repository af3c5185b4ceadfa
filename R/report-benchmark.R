## A comparison of methods as one page.

#' Write a comparison as one HTML page
#'
#' @param x a [GRNBenchmark-class].
#' @param file path of the page. It is written beside and renamed at the end.
#' @param overwrite replace an existing file?
#' @return The path, invisibly. The page holds its figure and style and loads
#'   nothing. Stops when the file exists and `overwrite` is FALSE, or the
#'   folder is missing or can't be written.
#' @seealso [benchmarkGRN()]
#' @examples
#' cells <- simulateCells(nCells = 200, nGenes = 40, nTFs = 8, seed = 1)
#' truth <- S4Vectors::metadata(cells)$simulation$edges
#' result <- benchmarkGRN(cells, truth,
#'     benchmarkMethods()[c("pearson", "ridge")], nBoot = 20
#' )
#' file <- tempfile(fileext = ".html")
#' writeBenchmark(result, file)
#' unlink(file)
#' @export
writeBenchmark <- function(x, file, overwrite = FALSE) {
    if (!methods::is(x, "GRNBenchmark")) {
        .stopArgument("x", "must be what benchmarkGRN() returns; it is a ",
            class(x)[[1L]], "."
        )
    }
    .filePlace(file, overwrite)
    page <- system.file("templates", "benchmark.html", package = "causeway",
        mustWork = TRUE
    )
    page <- paste(readLines(page, encoding = "UTF-8"), collapse = "\n")
    .writeLines(.fillPage(page, .benchmarkParts(x)), file, overwrite)
}

## {{name}} -> parts$name; what is filled in is not looked at again.
.fillPage <- function(page, parts) {
    pieces <- strsplit(page, "{{", fixed = TRUE)[[1L]]
    filled <- vapply(pieces[-1L], function(piece) {
        end <- regexpr("}}", piece, fixed = TRUE)
        name <- substr(piece, 1L, end - 1L)
        paste0(parts[[name]], substring(piece, end + 2L))
    }, "", USE.NAMES = FALSE)
    paste(c(pieces[[1L]], filled), collapse = "")
}

.escape <- function(x) {
    x <- as.character(x)
    x <- gsub("&", "&amp;", x, fixed = TRUE)
    x <- gsub("<", "&lt;", x, fixed = TRUE)
    x <- gsub(">", "&gt;", x, fixed = TRUE)
    x <- gsub("\"", "&quot;", x, fixed = TRUE)
    gsub("'", "&#39;", x, fixed = TRUE)
}

.paragraphs <- function(x) paste0("<p>", .escape(x), "</p>", collapse = "\n")

## A data.frame of text as a table; class: a matrix of classes of cells.
.htmlTable <- function(t, row = character(nrow(t)), class = NULL) {
    head <- paste0("<th>", .escape(names(t)), "</th>", collapse = "")
    body <- vapply(seq_len(nrow(t)), function(i) {
        kind <- if (is.null(class)) character(ncol(t)) else class[i, ]
        cells <- paste0("<td", ifelse(nzchar(kind), paste0(" class=\"", kind,
            "\""), ""), ">", .escape(unlist(t[i, ])), "</td>", collapse = "")
        paste0("<tr", if (nzchar(row[[i]])) paste0(" class=\"", row[[i]],
            "\""), ">", cells, "</tr>")
    }, "")
    paste0("<table><tr>", head, "</tr>\n", paste(body, collapse = "\n"),
        "</table>"
    )
}

.benchmarkParts <- function(x) {
    s <- summary(x)
    f <- x@facts
    sets <- x@sets
    sets <- data.frame(`data set` = sets$data,
        cells = format(sets$cells, big.mark = ","),
        genes = format(sets$genes, big.mark = ","), TFs = sets$tfs,
        candidates = format(sets$candidates, big.mark = ","),
        `known edges` = format(sets$known, big.mark = ","),
        share = sprintf("%.1f%%", 100 * sets$share), check.names = FALSE
    )
    failed <- x@table[!is.na(x@table$error), ]
    list(
        title = .escape(f$title), verdict = .paragraphs(.benchmarkVerdict(x)),
        compared = .paragraphs(.comparedText(x)), sets = .htmlTable(sets),
        summary = .htmlTable(.benchmarkText(s), ifelse(s$null, "null", "")),
        summaryNote = .escape(.summaryNote), figure = .benchmarkFigure(x),
        ratios = .ratioTable(x),
        ratiosNote = .escape(paste(.ratioNote, if (nrow(failed)) paste(
            "Failed:", paste(unique(paste0(failed$method, " on ", failed$data,
                ": ", failed$error
            )), collapse = "; ")
        ))),
        caveats = paste0("<ul>", paste0("<li>", .escape(.benchmarkCaveats),
            "</li>", collapse = "\n"), "</ul>"),
        made = .htmlTable(data.frame(
            ` ` = c("methods", "seeds", "bootstrap samples", "software",
                "engine"),
            what = c(paste0(names(f$methods), " = ", f$methods,
                collapse = "; "), paste(f$seeds, collapse = ", "), f$nBoot,
                paste0("causeway ", f$version, ", ", f$r),
                paste(f$engine, collapse = "; ")
            ), check.names = FALSE
        ))
    )
}

.comparedText <- function(x) {
    s <- summary(x)
    n <- sum(!s$null)
    paste0("Each of ", .count(n, "method"), " ranked all candidate edges (a ",
        "transcription factor acting on a gene) from expression alone, on ",
        .count(length(unique(x@table$data)), "data set"), " whose true or ",
        "published edges are known. A good method puts known edges first. ",
        "Candidates are the factors that have a known edge x all genes."
    )
}

.summaryNote <- paste(
    "AUPRC ratio: area under the precision-recall curve over the share of",
    "known edges, geometric mean over sets; 1 is about chance. Early ratio:",
    "the same for precision among as many edges as are known. AUROC: mean area",
    "under the ROC curve, 0.5 is chance. Mean rank: 1 would be best on every",
    "set. Within best: sets where the best method's value is not above this",
    "one's interval. Above chance: above 97.5% of random rankings. Above",
    "marginal: above one number per TF plus one per gene. In brackets: nulls.",
    "Means are over the sets all methods finished."
)

.ratioNote <- paste(
    "AUPRC ratio with 95% bootstrap interval over edges (mean over seeds).",
    "Bold: the highest of its set. Grey: not above chance."
)

.benchmarkCaveats <- c(
    paste("A known edge that is missing in the reference counts as an error:",
        "with published references for real cells, values near 1 may say as",
        "much about the reference as about the methods."),
    paste("Intervals say how much a value hangs on single edges. They do not",
        "say how it would be with other cells; compare several sets."),
    paste("Differences smaller than the intervals are no ranking: methods",
        "\"within best\" can't be told from the best on that set."),
    paste("A method that is above chance but not above the marginal null may",
        "only know which factors and genes have many edges."),
    paste("Simulated cells follow equations that suit some methods; rank on",
        "them is no promise for real cells."),
    paste("Edges are associations in expression. None of this shows that a",
        "factor acts on a gene; perturbations can.")
)

## sets x methods as text, the best in bold, those at chance in grey.
.ratioTable <- function(x) {
    t <- .overSeeds(x@table)
    wide <- .wide(t, "auprcRatio")
    low <- .wide(t, "auprcRatioLow")
    high <- .wide(t, "auprcRatioHigh")
    chance <- .wide(t, "aboveChance")
    text <- sprintf("%.2f", wide)
    span <- !is.na(low)
    text[span] <- sprintf("%.2f (%.2f-%.2f)", wide, low, high)[span]
    text[is.na(wide)] <- "failed"
    text <- as.data.frame(matrix(text, nrow(wide)))
    names(text) <- colnames(wide)
    mine <- unique(t$method[!t$null])
    top <- suppressWarnings(apply(wide[, mine, drop = FALSE], 1L, max,
        na.rm = TRUE))
    class <- ifelse(is.na(chance) | chance == 0, "chance", "")
    class[, mine][which(wide[, mine] == top)] <- "best"
    .htmlTable(cbind(`data set` = rownames(wide), text),
        class = cbind("", class)
    )
}

## The figure as an image inside the page.
.benchmarkFigure <- function(x) {
    file <- tempfile(fileext = ".png")
    on.exit(.removeFile(file))
    sets <- length(unique(x@table$data))
    drawn <- tryCatch({
        suppressMessages(ggplot2::ggsave(file, plotBenchmark(x), width = 9,
            height = max(3, min(24, 1.2 + 0.55 * sets)), dpi = 110
        ))
        TRUE
    }, error = function(e) FALSE)
    if (!drawn || !file.exists(file)) {
        return("<p>(R has no device for images here: no figure.)</p>")
    }
    bytes <- readBin(file, "raw", file.size(file))
    paste0("<img alt=\"AUPRC ratio by set and method\" ",
        "src=\"data:image/png;base64,",
        gsub("\n", "", jsonlite::base64_enc(bytes), fixed = TRUE), "\">"
    )
}
