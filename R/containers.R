## From the user's container to one shape: a list with `matrix` (genes x
## cells: matrix, dgCMatrix or DelayedArray), `cells`, `names` (gene names),
## `symbols` (or NULL), `cellData` (DataFrame), `assay` (its name).

.symbolColumns <- c(
    "gene_short_name", "symbol", "Symbol", "SYMBOL", "gene_symbol",
    "gene_name", "Gene", "feature_name"
)

.cellInput <- function(x, assay.type = NULL, symbols = NULL,
    verbose = FALSE, strict = TRUE) {
    input <- if (methods::is(x, "SummarizedExperiment")) {
        .fromSummarizedExperiment(x, assay.type, verbose)
    } else if (inherits(x, "Seurat")) {
        .fromSeurat(x, assay.type, verbose)
    } else if (is.matrix(x) || methods::is(x, "Matrix") ||
        methods::is(x, "DelayedArray")) {
        .fromMatrix(x, assay.type)
    } else {
        .stopArgument("x", "must be a SingleCellExperiment, a ",
            "SummarizedExperiment, a Seurat object, or a matrix, dgCMatrix ",
            "or DelayedMatrix with genes in rows; it is a ",
            class(x)[[1L]], "."
        )
    }
    input$geneData <- as.data.frame(input$geneData, optional = TRUE)
    .checkMatrix(input$matrix)
    input <- .nameCells(input, verbose)
    .nameGenes(input, symbols, verbose, strict)
}

.fromSummarizedExperiment <- function(x, assay.type, verbose) {
    available <- SummarizedExperiment::assayNames(x)
    if (length(SummarizedExperiment::assays(x)) == 0L) {
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
        .checkNumber(assay.type, "assay.type", 1,
            length(SummarizedExperiment::assays(x)), TRUE
        )
    }
    name <- if (is.character(assay.type)) assay.type else
        c(available, "1")[[1L]]
    list(
        matrix = SummarizedExperiment::assay(x, assay.type,
            withDimnames = FALSE
        ),
        names = rownames(x), cells = colnames(x),
        cellData = SummarizedExperiment::colData(x),
        geneData = SummarizedExperiment::rowData(x), assay = name
    )
}

.fromMatrix <- function(x, assay.type) {
    if (!is.null(assay.type)) {
        .stopArgument("assay.type", "has no meaning for a matrix; ",
            "leave it NULL."
        )
    }
    list(
        matrix = x, names = rownames(x), cells = colnames(x),
        cellData = S4Vectors::DataFrame(row.names = seq_len(ncol(x))),
        geneData = data.frame(row.names = seq_len(nrow(x))), assay = "matrix"
    )
}

## Seurat v3 to v5 by what the installed SeuratObject offers: LayerData() when
## it exists, else GetAssayData() with its `layer` or its `slot` argument.
.fromSeurat <- function(x, assay.type, verbose) {
    if (!requireNamespace("SeuratObject", quietly = TRUE)) {
        stop("'x' is a Seurat object, and the package SeuratObject is not ",
            "installed; install.packages(\"SeuratObject\").",
            call. = FALSE
        )
    }
    ns <- asNamespace("SeuratObject")
    layer <- if (is.null(assay.type)) "counts" else
        .checkText(assay.type, "assay.type")
    name <- SeuratObject::DefaultAssay(x)
    object <- x[[name]]
    matrix <- tryCatch(
        .seuratLayer(object, layer, ns),
        error = function(e) {
            .stopArgument("assay.type", "is \"", layer, "\", which assay \"",
                name, "\" of 'x' does not have (",
                conditionMessage(e), ")."
            )
        }
    )
    if (is.null(matrix) || length(matrix) == 0L) {
        .stopArgument("assay.type", "is \"", layer, "\", which is empty in ",
            "assay \"", name, "\" of 'x'; name another layer."
        )
    }
    .say(verbose, "Seurat assay \"", name, "\", layer \"", layer, "\".")
    cells <- colnames(matrix)
    meta <- x[[]]
    list(
        matrix = matrix, names = rownames(matrix), cells = cells,
        cellData = S4Vectors::DataFrame(meta[cells, , drop = FALSE]),
        geneData = data.frame(row.names = seq_len(nrow(matrix))),
        assay = paste0(name, "/", layer)
    )
}

.seuratLayer <- function(object, layer, ns) {
    if (exists("Layers", envir = ns, inherits = FALSE)) {
        found <- get("Layers", envir = ns)(object)
        parts <- found[found == layer | startsWith(found, paste0(layer, "."))]
        if (!(layer %in% found) && length(parts) > 1L) {
            stop("it is split into ", .some(parts),
                "; JoinLayers() joins them",
                call. = FALSE
            )
        }
        layer <- if (layer %in% found || !length(parts)) layer else parts
    }
    if (exists("LayerData", envir = ns, inherits = FALSE)) {
        return(get("LayerData", envir = ns)(object, layer = layer))
    }
    getData <- get("GetAssayData", envir = ns)
    method <- get0("GetAssayData.Assay", envir = ns, inherits = FALSE)
    uses <- if (is.null(method)) "slot" else names(formals(method))
    if ("layer" %in% uses) {
        getData(object, layer = layer)
    } else {
        getData(object, slot = layer)
    }
}

.checkMatrix <- function(m) {
    if (length(dim(m)) != 2L) {
        .stopArgument("x", "must have two dimensions, genes and cells.")
    }
    if (nrow(m) == 0L || ncol(m) == 0L) {
        .stopArgument("x", "is empty: ", nrow(m), " genes x ", ncol(m),
            " cells. Genes go in rows, cells in columns."
        )
    }
    type <- if (methods::is(m, "DelayedArray")) DelayedArray::type(m) else
        if (methods::is(m, "Matrix")) {
            if (methods::is(m, "dMatrix")) "double" else
                if (methods::is(m, "lMatrix")) "logical" else "other"
        } else typeof(m)
    if (!(type %in% c("double", "integer", "logical"))) {
        .stopArgument("x", "must hold numbers; its assay holds ", type,
            " values."
        )
    }
    invisible()
}

.nameCells <- function(input, verbose) {
    if (is.null(input$cells)) {
        input$cells <- paste0("cell", seq_len(ncol(input$matrix)))
        .say(verbose, "The cells have no names: calling them cell1, cell2, ",
            "..."
        )
    }
    twice <- unique(input$cells[duplicated(input$cells)])
    if (length(twice)) {
        .stopArgument("x", "has duplicated cell names: ", .some(twice),
            ". Make them unique, colnames(x) <- make.unique(colnames(x))."
        )
    }
    input
}

## A chunk of columns as dgCMatrix (restricted to `rows`): the only place where
## values leave the container, so a DelayedArray is never whole in memory.
.columnChunk <- function(m, columns, rows = NULL) {
    if (is.null(rows) && length(columns) == ncol(m) &&
        methods::is(m, "dgCMatrix")) {
        return(m)
    }
    chunk <- if (is.null(rows)) {
        m[, columns, drop = FALSE]
    } else {
        m[rows, columns, drop = FALSE]
    }
    if (methods::is(chunk, "dgCMatrix")) {
        return(chunk)
    }
    if (methods::is(chunk, "DelayedArray")) {
        chunk <- if (DelayedArray::is_sparse(chunk)) {
            methods::as(chunk, "dgCMatrix")
        } else {
            as.matrix(chunk)
        }
    }
    if (is.matrix(chunk)) {
        storage.mode(chunk) <- "double"
    }
    if (!methods::is(chunk, "dgCMatrix")) {
        chunk <- methods::as(
            methods::as(methods::as(chunk, "dMatrix"), "generalMatrix"),
            "CsparseMatrix"
        )
    }
    chunk
}

## Column ranges of at most `cells` cells; chunks of about 64 MB when dense.
.columnChunks <- function(m, columns = seq_len(ncol(m)),
    bytes = 64 * 1024^2) {
    n <- length(columns)
    if (methods::is(m, "dgCMatrix")) {
        return(list(columns))
    }
    width <- max(1L, min(n, as.integer(bytes / (8 * max(1L, nrow(m))))))
    split(columns, (seq_len(n) - 1L) %/% width)
}
