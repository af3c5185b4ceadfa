## Loom files: a dense matrix of genes x cells, with attributes of both.

.openLoom <- function(path, verbose) {
    genes <- .loomFrame(path, "row_attrs")
    cells <- .loomFrame(path, "col_attrs")
    found <- .h5Need(path, "matrix", "numbers")
    if (length(found$dims) != 2L) {
        .stopFile(path, "has a matrix of ", length(found$dims), " dimensions.")
    }
    seed <- function(name) {
        .cellSeed(path, list(name = name, sparse = FALSE, byCell = FALSE,
            cells = found$dims[[2L]], genes = found$dims[[1L]]
        ))
    }
    layers <- .h5Look(path, "layers")$children
    matrices <- c(list(X = seed("matrix")),
        lapply(setNames(nm = layers), function(l) seed(.h5Path("layers", l)))
    )
    names <- .loomNames(path, genes, c("Accession", "Gene", "gene_names",
        "var_names", "GeneID"), found$dims[[1L]], "row_attrs"
    )
    cellNames <- .loomNames(path, cells, c("CellID", "cell_names",
        "obs_names", "cell_id", "Barcode"), found$dims[[2L]], "col_attrs"
    )
    part <- list(matrices = matrices, names = names,
        genes = .frameOf(genes$data, found$dims[[1L]]),
        cellNames = cellNames,
        cells = .frameOf(cells$data, found$dims[[2L]]),
        embeddings = cells$matrices, loadings = genes$matrices,
        keys = c("col_attrs", "row_attrs")
    )
    list(kind = "loom", parts = list(X = .nameMatrices(part)))
}

.loomFrame <- function(path, name) {
    found <- .h5Need(path, name, "group")
    data <- matrices <- list()
    for (key in found$children) {
        at <- .h5Path(name, key)
        item <- .h5Need(path, at)
        if (!item$kind %in% c("numbers", "flags", "text")) {
            next
        }
        if (length(item$dims) == 1L) {
            data[[key]] <- .h5Column(path, at, item)
        } else if (length(item$dims) == 2L && item$kind == "numbers") {
            matrices[[key]] <- .h5Matrix(path, at, item)
        }
    }
    list(data = data, matrices = matrices)
}

## Names of rows or columns: the first of the usual attributes that is unique.
.loomNames <- function(path, frame, usual, n, of) {
    long <- lengths(frame$data) != n
    if (any(long)) {
        .stopFile(path, "has ", length(frame$data[[which(long)[[1L]]]]),
            " values in ", of, "/", names(frame$data)[[which(long)[[1L]]]],
            ", and ", n, " in its matrix."
        )
    }
    for (key in intersect(usual, names(frame$data))) {
        names <- as.character(frame$data[[key]])
        if (!anyDuplicated(names) && !anyNA(names) && all(nzchar(names))) {
            return(names)
        }
    }
    first <- intersect(usual, names(frame$data))
    if (length(first)) as.character(frame$data[[first[[1L]]]]) else NULL
}
