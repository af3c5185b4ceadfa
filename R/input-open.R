## Files of cells: which kind a path is, and the delayed SingleCellExperiment
## that stands for it.

#' Open a file of cells
#'
#' @description
#' `openCells()` gives a SingleCellExperiment whose counts stay in the file and
#' are read by blocks when a verb needs them. Every verb that takes cells also
#' takes the path itself as `x`. `fileContents()` says what a file holds.
#'
#' @details
#' What is read:
#' * `.h5ad` of AnnData 0.5 to 0.12: `X`, `raw` and layers in any of its
#'   encodings (CSR, CSC, dense; integer or real), `obs` and `var` with
#'   categories in both encodings, nullable columns and missing codes, `obsm`
#'   as reduced dimensions (`X_pca` as `PCA`, ...), `varm` in
#'   `metadata(x)$loadings`, small entries of `uns` in `metadata(x)$uns`.
#'   `obsp` and `varp` are not read.
#' * `.h5mu`: the cells that all modalities have; the RNA is the main
#'   experiment, the others are `altExp`s.
#' * `.h5` of CellRanger 2 (one genome, `genome` chooses) and 3 and later
#'   (feature types other than `Gene Expression` are `altExp`s).
#' * `.loom`; folders of CellRanger's `matrix.mtx`, gzipped or not (read whole),
#'   also with a prefix (`GSM123_matrix.mtx.gz`; where there are several, give
#'   the matrix's path); folders of `saveHDF5SummarizedExperiment()` and of
#'   BPCells.
#'
#' Assays are named by what their values are: `counts` (whole numbers),
#' `logcounts` (fractions up to 25), `normcounts` (larger ones), `scaled`
#' (negative ones); layers keep their names. Where `X` is scaled and `raw` has
#' other genes, `raw` is the main experiment and `X` an `altExp`.
#'
#' Sparse matrices stored by gene (CSC in `.h5ad`) that take more than a block
#' are read once by blocks of genes and written by cell into a temporary file,
#' which the session reads instead; a message says so. Memory stays that of a
#' block. Store counts by cell (CSR) where you can.
#'
#' Filters are those of HDF5 and, where the package rhdf5filters is installed,
#' LZF, Blosc, bzip2, Zstandard and others; one that is missing is named.
#'
#' @param file path of a file or folder.
#' @param genome the genome to take where a file of CellRanger has several.
#' @param verbose say what is in the file?
#' @return `openCells()` a SingleCellExperiment with DelayedMatrix assays (their
#'   seeds are [CellFileSeed-class]); `metadata(x)$file` names the file and
#'   its kind. `fileContents()` a [CausewayReport-class] with the tables
#'   `contents` and `columns` (of `obs` and `var`).
#' @section Errors: a file that is absent, empty, cut off, of another kind or
#'   of an unknown encoding; sizes, offsets, indices, codes or names that
#'   contradict each other. Each names the file, what in it, and what to do.
#' @seealso [writeH5AD()], [cellInput]
#' @examples
#' file <- system.file("extdata", "cells.h5ad", package = "causeway")
#' x <- openCells(file)
#' x
#' fileContents(file)
#' grn <- inferGRN(file, CorGRNParam(), verbose = FALSE)
#' @export
openCells <- function(file, genome = NULL, verbose = TRUE) {
    .checkFlag(verbose, "verbose")
    .checkFileName(file, "file")
    if (!is.null(genome)) {
        .checkText(genome, "genome")
    }
    .openCells(file, genome, verbose)
}

.openCells <- function(file, genome = NULL, verbose = FALSE) {
    kind <- .cellFileKind(file)
    if (kind$kind %in% c("saved", "BPCells")) {
        return(.openFolder(file, kind$kind))
    }
    found <- .readContents(file, kind, genome, verbose)
    x <- .assembleCells(found, file)
    if (verbose) {
        report <- .contentsReport(found, file)
        message(paste(strwrap(report@verdict$text, 78L, exdent = 2L),
            collapse = "\n"
        ))
    }
    x
}

#' @rdname openCells
#' @export
fileContents <- function(file, genome = NULL) {
    .checkFileName(file, "file")
    if (!is.null(genome)) {
        .checkText(genome, "genome")
    }
    kind <- .cellFileKind(file)
    if (kind$kind %in% c("saved", "BPCells")) {
        .stopArgument("file", "is a folder of R's own objects: openCells() ",
            "shows what is in it."
        )
    }
    .contentsReport(.readContents(file, kind, genome, FALSE), file)
}

.readContents <- function(file, kind, genome, verbose) {
    if (!is.null(genome) && !kind$kind %in% c("10x", "mtx")) {
        .stopArgument("genome", "has a meaning for files of CellRanger only; ",
            "this is ", kind$kind, "."
        )
    }
    switch(kind$kind,
        h5ad = .openH5ad(file, verbose),
        h5mu = .openH5mu(file, verbose),
        `10x` = .openTenx(file, kind$root, genome, verbose),
        loom = .openLoom(file, verbose),
        mtx = .openMtx(file, genome, verbose)
    )
}

## ---- which kind -------------------------------------------------------------

.isPath <- function(x) {
    is.character(x) && length(x) == 1L && is.null(dim(x)) && !is.na(x)
}

.checkFileName <- function(file, arg) {
    .checkText(file, arg)
    if (!file.exists(file)) {
        .stopArgument(arg, "names no file or folder: ", file, ".",
            .nearFile(file)
        )
    }
    if (file.access(file, 4L) != 0L) {
        .stopArgument(arg, "can't be read: ", file, "; ask its owner for ",
            "permission."
        )
    }
    invisible(file)
}

## "Did you mean ...?", from what lies in the folder.
.nearFile <- function(file) {
    folder <- dirname(file)
    if (!dir.exists(folder)) {
        return(paste0(" There is no folder ", folder, "."))
    }
    there <- head(list.files(folder), 1000L)
    near <- if (length(there)) .nearestWord(basename(file), there)
    if (length(near)) paste0(" There is ", near[[1L]], ".") else
        paste0(" The working directory is ", getwd(), ".")
}

## list(kind, root).
.cellFileKind <- function(path) {
    if (dir.exists(path)) {
        return(list(kind = .folderKind(path)))
    }
    if (grepl(.mtxPattern, basename(path))) {
        return(list(kind = "mtx"))
    }
    .needHdf5(path)
    root <- .h5Look(path, "/")
    has <- function(...) all(c(...) %in% root$children)
    kind <- if (has("mod") && !has("X")) {
        "h5mu" # which has obs and var of all modalities, too
    } else if (has("obs", "var")) {
        "h5ad"
    } else if (has("matrix")) {
        what <- .h5Need(path, "matrix")$kind
        if (what == "group") "10x" else if (has("row_attrs")) "loom"
    } else if (any(vapply(root$children, function(name) {
        all(.tenxTables %in% .h5Look(path, name)$children)
    }, NA))) {
        "10x"
    }
    if (is.null(kind)) {
        .stopFile(path, "is HDF5, but of no kind that is read here",
            .otherKind(root$children), ". Known are .h5ad, .h5mu, CellRanger's",
            " .h5 and .loom; this holds ", if (length(root$children))
                .some(root$children) else "nothing", "."
        )
    }
    list(kind = kind, root = root)
}

.otherKind <- function(children) {
    has <- function(...) all(c(...) %in% children)
    if (has("header", "u", "v")) {
        ": it holds networks, loadGRN(file) reads it"
    } else if (has("assays", "cell.names")) {
        ": it is an h5Seurat file; convert it to .h5ad"
    } else if (has("barcode_idx")) {
        ": it lists molecules; give CellRanger's filtered_feature_bc_matrix.h5"
    } else ""
}

.needHdf5 <- function(path) {
    size <- file.size(path)
    if (size == 0) {
        .stopFile(path, "is empty (0 bytes): was it copied whole?")
    }
    con <- file(path, "rb")
    on.exit(close(con))
    mark <- as.raw(c(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a))
    for (at in c(0, 512 * 2^(0:12))) {
        if (at + 8 > size) break
        seek(con, at)
        bytes <- readBin(con, "raw", 8L)
        if (identical(bytes, mark)) {
            return(invisible())
        }
        if (at == 0) first <- bytes
    }
    if (size < 8) first <- raw(8L)
    .stopFile(path, "is no HDF5 file", .whatBytes(first), ".")
}

.whatBytes <- function(first) {
    starts <- function(...) identical(head(first, ...length()), as.raw(c(...)))
    if (starts(0x1f, 0x8b)) {
        ": it is compressed by gzip (gunzip it, or readRDS() an .rds file)"
    } else if (starts(0x50, 0x4b)) {
        ": it is a zip archive (of zarr?); unzip it, or write .h5ad instead"
    } else if (starts(0x25, 0x25)) {
        ": it is a MatrixMarket file; call it matrix.mtx, beside barcodes.tsv"
    } else if (all(first > as.raw(8L) & first < as.raw(0x7f))) {
        ": it looks like text; read it with read.csv(), and give as.matrix()"
    } else ": it is of another kind, or was damaged"
}

.folderKind <- function(path) {
    inside <- list.files(path)
    if (any(grepl(.mtxPattern, inside))) {
        return("mtx")
    }
    if (all(c("se.rds", "assays.h5") %in% inside)) {
        return("saved")
    }
    if (all(c("version", "storage_order") %in% inside)) {
        return("BPCells")
    }
    if (any(c("annotator.rds", "config.json") %in% inside)) {
        .stopFile(path, "is a folder with a saved model, no cells; ",
            "loadModel() opens it.")
    }
    known <- grep("\\.(h5ad|h5mu|h5|loom)$", inside, value = TRUE)
    .stopFile(path, "is a folder without matrix.mtx",
        if (length(known)) paste0("; give a file in it: ", .some(known)) else
            if (".zarray" %in% list.files(path, all.files = TRUE) ||
                ".zgroup" %in% list.files(path, all.files = TRUE))
                "; it holds zarr, which isn't read here: write .h5ad", "."
    )
}

.openFolder <- function(path, kind) {
    if (kind == "saved") {
        .needPackage("HDF5Array", "the folder holds a SummarizedExperiment",
            "BiocManager::install(\"HDF5Array\")"
        )
        x <- HDF5Array::loadHDF5SummarizedExperiment(path)
        return(methods::as(x, "SingleCellExperiment"))
    }
    .needPackage("BPCells", "the folder holds a matrix of BPCells",
        "remotes::install_github(\"bnprks/BPCells/r\")"
    )
    m <- getExportedValue("BPCells", "open_matrix_dir")(path)
    SingleCellExperiment::SingleCellExperiment(list(counts = m))
}

## ---- cells for verbs --------------------------------------------------------

## `x` itself, or what the path `x` leads to.
.cellsOf <- function(x, arg = "x") {
    if (!.isPath(x)) {
        return(x)
    }
    .checkFileName(x, arg)
    .openCells(x)
}

## For verbs that also take names: what is one text and a file that is there is
## the file's cells.
.openedCells <- function(x) {
    if (.isPath(x) && file.exists(x)) .openCells(x) else x
}
