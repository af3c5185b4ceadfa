## Counts and names as CellFM's published code prepares them.

.preprocessCellFM <- function(x, s, how, hgnc, vocabulary, verbose) {
    s$minGenes <- .checkNumber(s$minGenes, "minGenes", 0, whole = TRUE)
    s$minCells <- .checkNumber(s$minCells, "minCells", 0, whole = TRUE)
    .checkFlag(verbose, "verbose")
    map <- if (!is.null(hgnc)) .hgncMap(hgnc)
    input <- .readCells(x, how, verbose, strict = FALSE)
    if (.kindOf(x) == "Seurat") {
        .stopArgument("x", "is a Seurat object; flavor \"cellfm\" renames ",
            "genes, which it can't: give as.SingleCellExperiment(x)."
        )
    }
    m <- .columnChunk(input$matrix, seq_len(ncol(input$matrix)))
    .badValues(m, input$names, input$cells, seq_len(ncol(m)), FALSE)
    s$recovered <- .looksLogged(m)
    if (s$recovered) {
        m <- .recoverCounts(m)
        .say(verbose, "The values look normalised and logged: counts are got ",
            "back from them."
        )
    }
    genes <- diff(m@p)
    columns <- which(genes >= s$minGenes)
    rows <- which(Matrix::rowSums(m[, columns, drop = FALSE] > 0) >= s$minCells)
    .say(verbose, length(columns), " of ", .count(ncol(m), "cell"), " and ",
        length(rows), " of ", .count(nrow(m), "gene"), " kept."
    )
    if (length(columns) < 2L || length(rows) < 2L) {
        .stopArgument("x", "keeps ", length(columns), " cells of at least ",
            s$minGenes, " genes and ", length(rows), " genes: loosen ",
            "'minGenes' or 'minCells'."
        )
    }
    m <- m[rows, columns, drop = FALSE]
    given <- input$names[rows]
    names <- given
    if (!is.null(map)) {
        names <- .hgncNames(given, .keptNames(vocabulary, map), map)
        s$renamed <- sum(names != given)
        .say(verbose, s$renamed, " of ", .count(length(names), "gene"),
            " renamed to approved symbols."
        )
    }
    total <- Matrix::colSums(m)
    m <- .capDepth(m)
    dimnames(m) <- list(names, input$cells[columns])
    out <- if (is.null(input$object)) {
        SingleCellExperiment::SingleCellExperiment(list(counts = m))
    } else {
        input$object[rows, columns]
    }
    rownames(out) <- names
    colnames(out) <- input$cells[columns]
    SummarizedExperiment::assays(out, withDimnames = FALSE) <- list(counts = m)
    SummarizedExperiment::rowData(out)$given <- given
    SummarizedExperiment::colData(out)$n_genes <- as.integer(genes[columns])
    SummarizedExperiment::colData(out)$total_counts <- unname(total)
    S4Vectors::metadata(out)$preprocess <- s
    out
}

## ---- counts ----------------------------------------------------------------

## Published: the largest value below log(10,000); whole numbers are counts
## all the same.
.looksLogged <- function(m) {
    length(m@x) > 0L && max(m@x) < log(1e4) && any(m@x != floor(m@x))
}

## e^x - 1 over the cell's smallest positive value, to the nearest integer (.499
## is added before the cut, as published).
.recoverCounts <- function(m) {
    m <- Matrix::drop0(m)
    m@x <- expm1(m@x)
    column <- rep(seq_len(ncol(m)), diff(m@p))
    least <- rep(NA_real_, ncol(m))
    smallest <- tapply(m@x, column, min)
    least[as.integer(names(smallest))] <- smallest
    m@x <- trunc(m@x / least[column] + 0.499)
    m
}

## Cells of more than 1e5 counts scaled down to them, halves to even.
.capDepth <- function(m, most = 1e5) {
    by <- pmax(1, Matrix::colSums(m) / most)
    m@x <- round(m@x / rep(by, diff(m@p)))
    Matrix::drop0(m)
}

## ---- names -----------------------------------------------------------------

.hgncColumns <- c("Approved symbol", "Status", "Alias symbols",
    "Previous symbols")

## list(approved, to): symbols by alias and previous symbol. Aliases come
## first, then previous symbols, in the table's order; later ones overwrite; a
## name that is itself approved stands for nothing else.
.hgncMap <- function(hgnc) {
    table <- hgnc
    if (is.character(hgnc) && length(hgnc) == 1L) {
        if (!file.exists(hgnc)) {
            .stopArgument("hgnc", "is \"", hgnc, "\", which is not there.")
        }
        first <- readLines(hgnc, n = 1L, warn = FALSE)
        table <- utils::read.table(hgnc, header = TRUE, quote = "\"",
            sep = if (grepl("\t", first)) "\t" else ",", comment.char = "",
            check.names = FALSE, colClasses = "character", fill = TRUE,
            na.strings = character(), encoding = "UTF-8"
        )
    }
    if (!is.data.frame(table) || !all(.hgncColumns %in% names(table))) {
        .stopArgument("hgnc", "must be HGNC's table, a data.frame or a file ",
            "with the columns ", .some(.hgncColumns, 4L), "."
        )
    }
    table <- table[table$Status == "Approved", ]
    approved <- as.character(table[["Approved symbol"]])
    pairs <- lapply(.hgncColumns[3:4], function(column) {
        other <- strsplit(as.character(table[[column]]), ", ", fixed = TRUE)
        other[is.na(table[[column]])] <- list(character())
        data.frame(from = unlist(other), to = rep(approved, lengths(other)))
    })
    pairs <- do.call(rbind, pairs)
    pairs <- pairs[nzchar(pairs$from) & !pairs$from %in% approved, ]
    pairs <- pairs[!duplicated(pairs$from, fromLast = TRUE), ]
    list(approved = approved, to = setNames(pairs$to, pairs$from))
}

.keptNames <- function(vocabulary, map) {
    if (is.null(vocabulary)) {
        return(map$approved)
    }
    if (methods::is(vocabulary, "CellFMModel")) {
        return(vocabulary@vocab$gene)
    }
    if (!is.character(vocabulary)) {
        .stopArgument("vocabulary", "must be names of genes or a CellFM ",
            "model; it is ", .show(vocabulary), "."
        )
    }
    vocabulary
}

## Names outside `kept` are looked up in sorted order; a new name is not used
## where it is there already, given or by renaming.
.hgncNames <- function(names, kept, map) {
    out <- names
    here <- unique(names)
    for (old in sort(setdiff(here, kept), method = "radix")) {
        new <- unname(map$to[old])
        if (!is.na(new) && !new %in% here) {
            out[names == old] <- new
            here <- c(here, new)
        }
    }
    out
}
