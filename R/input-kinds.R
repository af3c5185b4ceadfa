## Which container `x` is, and the modalities it holds. This is the only place
## that asks for a class of `x`; all else works on parts.

## "SingleCellExperiment" (SpatialExperiment and LoomExperiment are such),
## "SummarizedExperiment", "Seurat", "MultiAssayExperiment", "matrix" (base,
## Matrix, DelayedArray, BPCells), or "other".
.kindOf <- function(x) {
    if (methods::is(x, "SingleCellExperiment")) {
        "SingleCellExperiment"
    } else if (methods::is(x, "SummarizedExperiment")) {
        "SummarizedExperiment"
    } else if (inherits(x, "Seurat")) {
        "Seurat"
    } else if (inherits(x, "MultiAssayExperiment")) {
        "MultiAssayExperiment"
    } else if (.isMatrix(x)) {
        "matrix"
    } else {
        "other"
    }
}

.isExperiment <- function(x) {
    .kindOf(x) %in% c("SingleCellExperiment", "SummarizedExperiment")
}

## A container -> list: `kind`; `parts`, named, see .part(); `main`, the name
## of the one that holds the RNA, or NULL where that must be guessed; `what`
## and `arg`, for messages: what a part is called and which argument names it.
.modalities <- function(x, arg = "x") {
    x <- .cellsOf(x, arg)
    switch(.kindOf(x),
        SingleCellExperiment = .modalitiesSCE(x),
        SummarizedExperiment = list(parts = list(main = .partSE(x)),
            main = "main"
        ),
        Seurat = .modalitiesSeurat(x),
        MultiAssayExperiment = .modalitiesMAE(x),
        matrix = list(parts = list(main = .partMatrix(x)), main = "main"),
        .refuseInput(x, arg)
    )
}

## One modality, its values not read yet:
##   read       function(assay.type, verbose) -> list(matrix, names, cells,
##              assay), features x cells
##   features   names of the features
##   cellData   function(cells) -> DataFrame of these cells
##   geneData   data.frame, a row per feature
##   ranges     function() -> data.frame with coordinates, or NULL
##   annotation GRanges of genes that come along, or NULL
##   reductions function() -> named list of functions giving matrices
##   variable   names of its variable features, or NULL
##   metadata   list
##   chromatin  is it chromatin by its class?
##   object     the SummarizedExperiment that holds it, or NULL
.part <- function(read, features, cellData, geneData = NULL,
    ranges = function() NULL, annotation = NULL,
    reductions = function() list(), variable = NULL, metadata = list(),
    chromatin = FALSE, object = NULL) {
    as.list(environment())
}

## The values of a part with what describes them.
.readPart <- function(part, assay.type = NULL, verbose = FALSE) {
    out <- part$read(assay.type, verbose)
    out$cellData <- part$cellData(out$cells)
    out$geneData <- part$geneData
    if (is.null(out$geneData) || nrow(out$geneData) != nrow(out$matrix)) {
        out$geneData <- data.frame(row.names = seq_len(nrow(out$matrix)))
    }
    out$ranges <- part$ranges()
    for (field in c("annotation", "variable", "metadata", "object")) {
        out[[field]] <- part[[field]]
    }
    out$reductions <- part$reductions()
    if (!is.null(part$primary)) {
        out$primary <- part$primary(out$cells)
    }
    out
}

## Coordinates by the name of a reduction, cells x dimensions, or NULL. Where
## the very name isn't there capitals don't count: "umap" finds "UMAP".
.reductionOf <- function(part, name) {
    known <- names(part$reductions)
    at <- match(name, known)
    if (is.na(at)) {
        at <- which(tolower(known) == tolower(name))
    }
    if (length(at) == 1L) part$reductions[[at]]()
}

## ---- matrices and SummarizedExperiments -------------------------------------

.partMatrix <- function(x) {
    .part(
        read = function(assay.type, verbose) {
            if (!is.null(assay.type)) {
                .stopArgument("assay.type", "has no meaning for a matrix; ",
                    "leave it NULL."
                )
            }
            list(matrix = x, names = rownames(x), cells = colnames(x),
                assay = "matrix"
            )
        },
        features = rownames(x),
        cellData = function(cells) {
            S4Vectors::DataFrame(row.names = seq_len(ncol(x)))
        }
    )
}

.partSE <- function(x) {
    .part(
        read = function(assay.type, verbose) {
            .seAssay(x, assay.type, verbose)
        },
        features = rownames(x),
        cellData = function(cells) SummarizedExperiment::colData(x),
        geneData = as.data.frame(SummarizedExperiment::rowData(x),
            optional = TRUE
        ),
        ranges = function() .rangesOf(x),
        reductions = function() .seReductions(x),
        variable = .rowSubset(x), metadata = S4Vectors::metadata(x), object = x
    )
}

.seReductions <- function(x) {
    if (.kindOf(x) != "SingleCellExperiment") {
        return(list())
    }
    lapply(setNames(nm = SingleCellExperiment::reducedDimNames(x)),
        function(name) {
            function() SingleCellExperiment::reducedDim(x, name)
        }
    )
}

## Variable genes as scuttle's rowSubset() or preprocess() leaves them.
.rowSubset <- function(x) {
    data <- SummarizedExperiment::rowData(x)
    for (column in c("subset", "highly_variable")) {
        flag <- data[[column]]
        if (is.logical(flag) && any(flag, na.rm = TRUE)) {
            return(rownames(x)[which(flag)])
        }
    }
    NULL
}

.modalitiesSCE <- function(x) {
    own <- SingleCellExperiment::mainExpName(x)
    own <- if (is.null(own)) "main" else own
    names <- SingleCellExperiment::altExpNames(x)
    parts <- lapply(setNames(nm = names), function(name) {
        part <- .partSE(SingleCellExperiment::altExp(x, name))
        read <- part$read
        ## altExps may go without names of the cells
        part$read <- function(assay.type, verbose) {
            out <- read(assay.type, verbose)
            if (is.null(out$cells)) {
                out$cells <- colnames(x)
            }
            out
        }
        part
    })
    list(parts = c(setNames(list(.partSE(x)), own), parts), main = own,
        what = "an altExp", arg = "altExp"
    )
}

## The matrix of an assay by name or number; NULL: "counts", else the first.
.seAssay <- function(x, assay.type, verbose) {
    available <- SummarizedExperiment::assayNames(x)
    n <- length(SummarizedExperiment::assays(x, withDimnames = FALSE))
    if (n == 0L) {
        .stopArgument("x", "has no assay; put the counts in with ",
            "assay(x, \"counts\") <- ."
        )
    }
    if (is.null(assay.type)) {
        assay.type <- if ("counts" %in% available) "counts" else 1L
        if (is.numeric(assay.type)) {
            .say(verbose, "No assay \"counts\": taking the first, ",
                if (length(available)) paste0("\"", available[[1L]], "\"")
                else "unnamed", "; 'assay.type' chooses another."
            )
        }
    } else if (is.character(assay.type)) {
        .checkText(assay.type, "assay.type")
        if (!(assay.type %in% available)) {
            .stopArgument("assay.type", "is \"", assay.type,
                "\", which 'x' does not have; it has ",
                paste0("\"", available, "\"", collapse = ", "), "."
            )
        }
    } else {
        .checkNumber(assay.type, "assay.type", 1, n, TRUE)
    }
    name <- if (is.character(assay.type)) assay.type else
        c(available[assay.type], as.character(assay.type))[[1L]]
    list(
        matrix = SummarizedExperiment::assay(x, assay.type,
            withDimnames = FALSE
        ),
        names = rownames(x), cells = colnames(x), assay = name
    )
}

## ---- what is no container ---------------------------------------------------

.refuseInput <- function(x, arg) {
    class <- class(x)[[1L]]
    frame <- is.data.frame(x) || methods::is(x, "DataFrame")
    remedy <- if (frame) {
        text <- vapply(seq_len(min(1L, ncol(x))), function(i) {
            is.character(x[[i]]) || is.factor(x[[i]])
        }, logical(1))
        if (any(text)) {
            paste0(" Its first column holds text: m <- as.matrix(", arg,
                "[, -1]); rownames(m) <- ", arg, "[[1]]."
            )
        } else {
            paste0(" as.matrix(", arg, ") makes a matrix of it.")
        }
    } else if (inherits(x, "seurat")) {
        " SeuratObject::UpdateSeuratObject() makes a present one of it."
    } else if (methods::is(x, "eSet")) {
        paste0(" as(", arg, ", \"SummarizedExperiment\") makes one of it.")
    }
    .stopArgument(arg, "must be a SingleCellExperiment, a ",
        "SummarizedExperiment, a Seurat object, a MultiAssayExperiment, ",
        "a matrix, dgCMatrix or DelayedMatrix with genes in rows, or the ",
        "path of a file (openCells()); it is a ", class, ".", remedy
    )
}
