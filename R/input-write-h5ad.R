## Cells and what was found on them as a file of AnnData, for users of Python.

#' Write cells for Python
#'
#' Writes cells with their assays, columns, embeddings and results as `.h5ad`
#' (AnnData 0.8 and later read it). Assays that aren't in memory are written
#' block by block.
#'
#' @param x a SingleCellExperiment or SummarizedExperiment; or other cells as
#'   [cellInput] says, of which the one assay that `assay.type` names is
#'   written.
#' @param file the file to write, ending in `.h5ad`. It is written beside its
#'   place and moved there when whole.
#' @param assay.type the assay that becomes `X`; `NULL`: `"counts"`, else the
#'   first. The others become layers.
#' @param overwrite replace the file, if it exists?
#' @param verbose say what can't be written?
#' @return `file`, invisibly. In it, `obs` and `var` are `colData(x)` and
#'   `rowData(x)`, `obsm` the reduced dimensions (`PCA` as `X_pca`) and, as
#'   tables with named columns, altExps of up to 2,000 features, such as
#'   regulons; `uns` has what of `metadata(x)` is numbers and text,
#'   `uns["causeway"]` the version, engine and time.
#' @section Errors: a file that exists or can't be written; cells or genes
#'   without a unique name each are given one, with a message.
#' @seealso [openCells()]
#' @examples
#' x <- simulateCells(60, seed = 1)
#' file <- tempfile(fileext = ".h5ad")
#' writeH5AD(x, file)
#' openCells(file)
#' unlink(file)
#' @export
writeH5AD <- function(x, file, assay.type = NULL, overwrite = FALSE,
    verbose = TRUE) {
    .given(file, "file", "the .h5ad file to write")
    .checkFlag(verbose, "verbose")
    x <- .writable(.cellsOf(x), assay.type, verbose)
    main <- .seAssay(x, assay.type, FALSE)$assay
    .writeH5(file, overwrite, function(part) {
        .writeAnnData(x, main, part, verbose)
    })
    invisible(file)
}

## write(part): the engine's errors are of the file.
.writeH5 <- function(file, overwrite, write) {
    .writeFile(file, overwrite, function(part) {
        tryCatch(write(part), causewayError = function(e) {
            .stopArgument("file", "could not be written: ",
                conditionMessage(e), "."
            )
        })
    })
}

## A file with a dense X of no cell yet; rows are added by .putMore().
.startTable <- function(path, cells, features) {
    frame <- function(name, names) {
        .putFrame(name, S4Vectors::make_zero_col_DFrame(length(names)), names,
            FALSE
        )
    }
    .h5Put(path, .putEncoding("/", "anndata", "0.1.0"), fresh = TRUE)
    .h5Put(path, c(frame("obs", cells), frame("var", features),
        .putArray("X", numeric(), "f64", c(0, length(features))),
        .putTree("uns", list(causeway = .writtenBy()))
    ))
}

.writable <- function(x, assay.type, verbose = FALSE) {
    if (.isExperiment(x)) {
        return(x)
    }
    found <- .modalities(x)
    part <- .readPart(.rnaPart(found, NULL), assay.type)
    m <- part$matrix
    if (is.matrix(m) || methods::is(m, "Matrix")) {
        dimnames(m) <- list(NULL, NULL)
    } else if (.isDelayed(m)) {
        m <- unname(m)
    }
    assays <- setNames(list(m), part$assay)
    out <- SingleCellExperiment::SingleCellExperiment(assays,
        rowData = part$geneData, colData = part$cellData
    )
    dimnames(out) <- list(
        .uniqueNames(part$names, nrow(out), "gene", verbose),
        .uniqueNames(part$cells, ncol(out), "cell", verbose)
    )
    embeddings <- lapply(part$reductions, function(read) read())
    SingleCellExperiment::reducedDims(out) <- embeddings
    out
}

.writeAnnData <- function(x, main, path, verbose) {
    cells <- .uniqueNames(colnames(x), ncol(x), "cell", verbose)
    genes <- .uniqueNames(rownames(x), nrow(x), "gene", verbose)
    .h5Put(path, .putEncoding("/", "anndata", "0.1.0"), fresh = TRUE)
    .h5Put(path, c(
        .putFrame("obs", SummarizedExperiment::colData(x), cells, verbose),
        .putFrame("var", SummarizedExperiment::rowData(x), genes, verbose),
        .putEmbeddings(x, cells, verbose), .putLoadings(x),
        .putDict("obsp"), .putDict("varp"), .putDict("layers"),
        .putTree("uns", .unsOf(x))
    ))
    names <- SummarizedExperiment::assayNames(x)
    for (i in seq_along(SummarizedExperiment::assays(x))) {
        name <- c(names[i], as.character(i))[[1L]]
        .writeMatrix(path, SummarizedExperiment::assay(x, i,
            withDimnames = FALSE
        ), if (name == main) "X" else .h5Path("layers", .plainKey(name)))
    }
    invisible()
}

.uniqueNames <- function(names, n, what, verbose) {
    if (is.null(names)) {
        return(paste0(what, seq_len(n)))
    }
    none <- which(is.na(names) | !nzchar(names))
    if (length(none)) {
        .say(verbose, .count(length(none), what), " without a name: by place.")
        names[none] <- paste0(what, none)
    }
    if (anyDuplicated(names)) {
        .say(verbose, "Names of ", what, "s that come twice are numbered.")
        names <- make.unique(names)
    }
    names
}

## A slash would make a group of a name.
.plainKey <- function(name) gsub("/", "_", name, fixed = TRUE)

## ---- steps the engine does --------------------------------------------------

.h5Put <- function(path, steps, fresh = FALSE) {
    .Call(cw_r_h5_put, path, steps, fresh)
}

.putGroup <- function(name) list(what = "group", name = name)

.putTable <- function(name, data, type, dims = length(data)) {
    list(what = "table", name = name, data = data, type = type,
        dims = as.numeric(dims)
    )
}

## A table that can grow and isn't compressed.
.putPlain <- function(name, data, type) {
    replace(.putTable(name, data, type), "what", "plain")
}

## Further values of a table, or rows of one that was made without any.
.putMore <- function(name, data, type, dims = length(data)) {
    replace(.putTable(name, data, type, dims), "what", "append")
}

## `dims` numeric(0) is a single value.
.putAttribute <- function(name, attribute, data, type = "text",
    dims = numeric()) {
    list(what = "attribute", name = name, attribute = attribute, data = data,
        type = type, dims = as.numeric(dims)
    )
}

## Every encoding is two attributes.
.putEncoding <- function(name, type, version = "0.2.0") {
    list(.putAttribute(name, "encoding-type", type),
        .putAttribute(name, "encoding-version", version)
    )
}

.putDict <- function(name) {
    c(list(.putGroup(name)), .putEncoding(name, "dict", "0.1.0"))
}

.putArray <- function(name, data, type, dims = length(data)) {
    c(list(.putTable(name, data, type, dims)),
        .putEncoding(name, if (type == "text") "string-array" else "array")
    )
}

## ---- tables -----------------------------------------------------------------

.putFrame <- function(name, data, names, verbose) {
    data <- as.list(data)
    columns <- .plainKey(names(data))
    key <- utils::tail(make.unique(c(columns, "_index")), 1L)
    known <- vapply(data, .isColumn, NA)
    if (any(!known)) {
        .say(verbose, "Not written, for not being plain columns: ",
            paste0(name, "$", columns[!known], collapse = ", "), "."
        )
    }
    columns <- columns[known]
    data <- data[known]
    parts <- Map(function(column, v) {
        .putColumn(.h5Path(name, column), v)
    }, columns, data)
    c(list(.putGroup(name)), .putEncoding(name, "dataframe"),
        list(.putAttribute(name, "_index", key),
            .putAttribute(name, "column-order", columns,
                dims = as.numeric(length(columns))
            )
        ),
        .putArray(.h5Path(name, key), names, "text"),
        unlist(unname(parts), recursive = FALSE)
    )
}

.isColumn <- function(v) {
    methods::is(v, "Rle") || inherits(v, c("Date", "POSIXct")) ||
        is.atomic(v) && length(dim(v)) < 2L && !is.complex(v) && !is.raw(v)
}

.putColumn <- function(name, v) {
    if (methods::is(v, "Rle")) {
        v <- as.vector(v)
    }
    if (inherits(v, c("Date", "POSIXct"))) {
        v <- format(v)
    }
    if (is.character(v) && anyNA(v)) {
        v <- .asFactor(v) # text has no form for missing values
    }
    if (is.factor(v)) {
        return(.putFactor(name, v))
    }
    v <- as.vector(v)
    if (anyNA(v) && (is.integer(v) || is.logical(v))) {
        type <- if (is.logical(v)) "boolean" else "integer"
        mask <- is.na(v)
        v[mask] <- as.vector(0L, typeof(v))
        return(c(list(.putGroup(name)),
            .putEncoding(name, paste0("nullable-", type), "0.1.0"),
            .putArray(.h5Path(name, "values"), v, .putType(v)),
            .putArray(.h5Path(name, "mask"), mask, "flag")
        ))
    }
    .putArray(name, v, .putType(v))
}

.putType <- function(v) {
    switch(typeof(v), character = "text", logical = "flag", integer = "i32",
        "f64"
    )
}

.putFactor <- function(name, v) {
    codes <- as.integer(v) - 1L
    codes[is.na(codes)] <- -1L
    c(list(.putGroup(name)), .putEncoding(name, "categorical"),
        list(.putAttribute(name, "ordered", is.ordered(v), "flag")),
        .putArray(.h5Path(name, "codes"), codes,
            if (nlevels(v) < 128L) "i8" else "i32"
        ),
        .putArray(.h5Path(name, "categories"), levels(v), "text")
    )
}

## ---- embeddings, results, the rest ------------------------------------------

.mostFeatures <- 2000L # of an altExp that is written as a table

.putEmbeddings <- function(x, cells, verbose) {
    out <- .putDict("obsm")
    if (!methods::is(x, "SingleCellExperiment")) {
        return(out)
    }
    for (name in SingleCellExperiment::reducedDimNames(x)) {
        m <- as.matrix(SingleCellExperiment::reducedDim(x, name))
        key <- .plainKey(if (name %in% c("PCA", "UMAP", "TSNE"))
            paste0("X_", tolower(name)) else name)
        out <- c(out, .putMatrix(.h5Path("obsm", key), m))
    }
    for (name in SingleCellExperiment::altExpNames(x)) {
        part <- SingleCellExperiment::altExp(x, name)
        if (nrow(part) > .mostFeatures || is.null(rownames(part))) {
            .say(verbose, "Not written: altExp \"", name, "\", ",
                nrow(part), " features."
            )
            next
        }
        m <- as.matrix(SummarizedExperiment::assay(part, 1L))
        out <- c(out, .putFrame(.h5Path("obsm", .plainKey(name)),
            setNames(lapply(seq_len(nrow(m)), function(i) m[i, ]),
                make.unique(rownames(part))
            ), cells, verbose
        ))
    }
    out
}

.putMatrix <- function(name, m) {
    .putArray(name, as.numeric(t(m)), "f64", dim(m))
}

.putLoadings <- function(x) {
    out <- .putDict("varm")
    loadings <- S4Vectors::metadata(x)$loadings
    for (name in names(loadings)) {
        m <- loadings[[name]]
        if (length(dim(m)) == 2L && nrow(m) == nrow(x)) {
            out <- c(out, .putMatrix(.h5Path("varm", .plainKey(name)),
                as.matrix(m)
            ))
        }
    }
    out
}

.unsOf <- function(x) {
    kept <- S4Vectors::metadata(x)
    uns <- kept$uns
    kept <- kept[setdiff(names(kept), c("uns", "loadings"))]
    c(uns[setdiff(names(uns), c("causeway", names(kept)))], kept,
        list(causeway = .writtenBy())
    )
}

.writtenBy <- function() {
    list(version = as.character(utils::packageVersion("causeway")),
        engine = .engineText(), r = R.version.string,
        written = format(Sys.time(), "%Y-%m-%dT%H:%M:%SZ", tz = "UTC")
    )
}

## Nested lists of numbers, flags and text; what is none of these is left out.
.putTree <- function(name, v) {
    if (is.list(v)) {
        v <- v[nzchar(names(v)) & !duplicated(names(v))]
        parts <- Map(function(key, value) {
            .putTree(.h5Path(name, .plainKey(key)), value)
        }, names(v), v)
        return(c(.putDict(name), unlist(unname(parts), recursive = FALSE)))
    }
    if (is.factor(v)) {
        v <- as.character(v)
    }
    if (!is.atomic(v) || is.null(v) || is.complex(v) || is.raw(v)) {
        return(NULL)
    }
    v <- unname(as.vector(v))
    if (anyNA(v)) {
        v <- if (is.character(v)) ifelse(is.na(v), "NA", v) else as.numeric(v)
    }
    if (length(v) != 1L) {
        return(.putArray(name, v, .putType(v)))
    }
    c(list(.putTable(name, v, .putType(v), numeric())), .putEncoding(name,
        if (is.character(v)) "string" else "numeric-scalar"
    ))
}

## ---- matrices ---------------------------------------------------------------

## By cells (CSR), in blocks; whole numbers that 32-bit floats hold as such.
.writeMatrix <- function(path, m, name) {
    chunks <- .columnChunks(m)
    if (methods::is(m, "dgCMatrix")) {
        width <- max(1, floor(2^22 * ncol(m) / max(1, length(m@x))))
        chunks <- split(seq_len(ncol(m)), (seq_len(ncol(m)) - 1L) %/% width)
    }
    small <- TRUE
    for (columns in chunks) {
        v <- .columnChunk(m, columns)@x
        small <- all(is.finite(v) & v == trunc(v) & abs(v) < 2^24)
        if (!small) break
    }
    type <- if (small) "f32" else "f64"
    data <- .h5Path(name, "data")
    indices <- .h5Path(name, "indices")
    .h5Put(path, c(list(.putGroup(name)),
        .putEncoding(name, "csr_matrix", "0.1.0"),
        list(.putAttribute(name, "shape", as.numeric(rev(dim(m))), "i64", 2),
            .putTable(data, numeric(), type),
            .putTable(indices, integer(), "i32")
        )
    ))
    lengths <- lapply(chunks, function(columns) {
        chunk <- .columnChunk(m, columns)
        .h5Put(path, list(.putMore(data, chunk@x, type),
            .putMore(indices, chunk@i, "i32")
        ))
        diff(chunk@p)
    })
    .h5Put(path, list(.putTable(.h5Path(name, "indptr"),
        c(0, cumsum(as.numeric(unlist(lengths, use.names = FALSE)))), "i64"
    )))
}
