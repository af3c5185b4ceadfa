## From what a reader found to a SingleCellExperiment and a report on it.

## A part as the readers give it: list(matrices: named seeds or dgCMatrix;
## names, genes (DataFrame); cellNames, cells (DataFrame); rows, columns: which
## of the file's are taken, NULL for all; embeddings, loadings: named matrices;
## keys: where the names are in the file; unread).

## ---- names of assays --------------------------------------------------------

## Names "X" and "raw" by what the values are, and puts what verbs want first.
.nameMatrices <- function(part) {
    names <- names(part$matrices)
    for (own in intersect(c("X", "raw"), names)) {
        kind <- .valueKind(part$matrices[[own]])
        if (!kind %in% names) {
            names[names == own] <- kind
        }
    }
    names(part$matrices) <- names
    order <- c("counts", "logcounts", "normcounts")
    first <- intersect(order, names)
    last <- intersect("scaled", names)
    part$matrices <- part$matrices[c(first, setdiff(names, c(first, last)),
        last
    )]
    part
}

## What a few hundred cells (or, where genes lie together, genes) hold.
.valueKind <- function(seed) {
    v <- .someValues(seed)
    v <- v[is.finite(v)]
    if (!length(v) || all(v >= 0 & v == trunc(v))) {
        "counts"
    } else if (any(v < 0)) {
        "scaled"
    } else if (max(v) <= 25) {
        "logcounts"
    } else {
        "normcounts"
    }
}

.someValues <- function(seed, n = 200L) {
    at <- seed@layout
    size <- if (at$byCell || !at$sparse) at$cells else at$genes
    if (!at$sparse) {
        n <- max(1, min(n, 1e6 / max(1, at$genes)))
    }
    pick <- unique(round(c(seq_len(min(n, size)),
        size / 2 + seq_len(min(n, size / 2))
    )))
    pick <- as.integer(pick[pick >= 1 & pick <= size])
    if (at$byCell || !at$sparse) .readSeed(seed, NULL, pick)@x else
        .readSeed(seed, pick)@x
}

## ---- the container ----------------------------------------------------------

.assembleCells <- function(found, file) {
    main <- found$parts[[1L]]
    x <- .partCells(main)
    others <- found$parts[-1L]
    for (name in names(others)) {
        part <- others[[name]]
        if (is.null(part$cellNames)) { # the main part's cells, as they lie there
            for (field in c("cellNames", "cells", "columns")) {
                part[[field]] <- main[[field]]
            }
        }
        SingleCellExperiment::altExp(x, name, withDimnames = FALSE) <-
            .partCells(part)
    }
    if (length(others)) {
        SingleCellExperiment::mainExpName(x) <- names(found$parts)[[1L]]
    }
    S4Vectors::metadata(x)$file <- list(path = normalizePath(file),
        kind = found$kind
    )
    if (length(found$uns)) {
        S4Vectors::metadata(x)$uns <- found$uns
    }
    if (length(main$loadings)) {
        S4Vectors::metadata(x)$loadings <- main$loadings
    }
    x
}

.partCells <- function(part) {
    assays <- lapply(part$matrices, function(m) {
        if (methods::is(m, "CellFileSeed")) {
            m <- DelayedArray::DelayedArray(m)
        }
        if (!is.null(part$rows)) m <- m[part$rows, , drop = FALSE]
        if (!is.null(part$columns)) m <- m[, part$columns, drop = FALSE]
        if (methods::is(m, "DelayedArray")) unname(m) else m
    })
    x <- SingleCellExperiment::SingleCellExperiment(assays,
        rowData = part$genes, colData = part$cells
    )
    dimnames(x) <- list(part$names, part$cellNames)
    embeddings <- part$embeddings
    if (length(embeddings)) {
        names(embeddings) <- make.unique(.embeddingNames(names(embeddings)))
        SingleCellExperiment::reducedDims(x, withDimnames = FALSE) <- embeddings
    }
    x
}

.frameOf <- function(columns, rows) {
    if (!length(columns)) S4Vectors::make_zero_col_DFrame(rows) else
        S4Vectors::DataFrame(columns, check.names = FALSE)
}

## scanpy's X_pca, X_umap, X_tsne as Bioconductor names them; of others the X_
## goes.
.embeddingNames <- function(names) {
    short <- sub("^X_", "", names)
    known <- short %in% c("pca", "umap", "tsne")
    short[known] <- toupper(short[known])
    short
}

## ---- the report -------------------------------------------------------------

#' @rdname CausewayReport-class
#' @name CellFileReport-class
#' @exportClass CellFileReport
setClass("CellFileReport", contains = "CausewayReport")

.contentsReport <- function(found, file) {
    tables <- lapply(names(found$parts), function(name) {
        .partTable(found$parts[[name]], name, found$parts[[1L]])
    })
    contents <- do.call(rbind, tables)
    main <- found$parts[[1L]]
    matrices <- contents[contents$what == "assay", ]
    bytes <- .inMemory(main$matrices[[1L]])
    text <- c(
        paste0(basename(file), ": ", .fileKinds[[found$kind]], " of ",
            .count(length(main$cellNames), "cell"), " x ",
            .count(length(main$names), "gene"), ", ",
            .bytes(.pathSize(file)), "; ", paste0("\"",
                matrices$name[matrices$part == names(found$parts)[[1L]]],
                "\"", collapse = ", "
            ), " (the first in memory: ", .bytes(bytes), ")."
        ),
        if (length(found$parts) > 1L) paste0("Beside it: ",
            paste0("\"", names(found$parts)[-1L], "\"", collapse = ", "),
            " (altExp)."
        ),
        if (length(main$unread)) paste0("Not read: ", .some(main$unread), ".")
    )
    .report("CellFileReport", .verdict(text),
        list(contents = contents, columns = .columnTable(main)),
        facts = list(file = normalizePath(file), kind = found$kind,
            cells = length(main$cellNames), genes = length(main$names),
            bytes = .pathSize(file), inMemory = bytes
        )
    )
}

.fileKinds <- c(h5ad = "AnnData", h5mu = "MuData", `10x` = "CellRanger's .h5",
    loom = "loom", `10x mtx` = "CellRanger's folder"
)

.pathSize <- function(path) {
    if (dir.exists(path)) path <- list.files(path, full.names = TRUE)
    sum(file.size(path))
}

## Bytes of a matrix as dgCMatrix.
.inMemory <- function(m) {
    if (!methods::is(m, "CellFileSeed")) {
        return(as.numeric(utils::object.size(m)))
    }
    12 * m@layout$entries + 4 * m@layout$cells
}

.partTable <- function(part, name, main) {
    row <- function(what, names, sizes, stored = NA_real_, how = "") {
        if (length(names)) {
            data.frame(part = name, what = what, name = names, size = sizes,
                stored = stored, how = how, row.names = NULL
            )
        }
    }
    size <- function(m) paste(dim(m), collapse = " x ")
    m <- part$matrices
    inFile <- function(f, other) vapply(m, function(s) {
        if (methods::is(s, "CellFileSeed")) f(s@layout) else other
    }, other)
    rbind(
        row("assay", names(m), vapply(m, function(s) {
            paste(if (is.null(part$rows)) nrow(s) else length(part$rows), "x",
                if (is.null(part$columns)) ncol(s) else length(part$columns)
            )
        }, ""), inFile(function(l) l$stored, NA_real_), inFile(function(l) {
            paste0(if (l$sparse) "sparse" else "dense", ", by ",
                if (l$byCell) "cell" else "gene",
                if (l$whole) ", whole numbers"
            )
        }, "in memory")),
        row("embedding", names(part$embeddings),
            vapply(part$embeddings, size, "")
        ),
        row("loadings", names(part$loadings), vapply(part$loadings, size, ""))
    )
}

.columnTable <- function(part) {
    one <- function(data, of) {
        data <- as.list(data)
        if (!length(data)) {
            return(NULL)
        }
        data.frame(of = of, column = names(data),
            type = vapply(data, function(v) class(v)[[1L]], ""),
            missing = vapply(data, function(v) sum(is.na(v)), 0L),
            distinct = vapply(data, function(v) length(unique(v)), 0L),
            row.names = NULL
        )
    }
    out <- rbind(one(part$cells, "cells"), one(part$genes, "genes"))
    if (is.null(out)) data.frame(of = character(), column = character()) else
        out
}
