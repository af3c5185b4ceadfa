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
