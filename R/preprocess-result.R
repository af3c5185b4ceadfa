## What preprocess() returns: the container it was given, with the values and
## numbers put in.

## log1p of scaled counts: delayed where the matrix is, else a dgCMatrix.
.logCounts <- function(m, by) {
    if (.isDelayed(m)) {
        return(log1p(DelayedArray::t(DelayedArray::t(m) * by)))
    }
    x <- .scaleColumns(.columnChunk(m, seq_len(ncol(m))), by)
    x@x <- log1p(x@x)
    dimnames(x) <- dimnames(m)
    x
}

.scanpyResult <- function(x, input, kept, cells, genes, by, report) {
    take <- list(
        rows = if (report$subset) which(genes$chosen) else
            seq_len(nrow(genes))
    )
    rows <- kept$rows[take$rows]
    genes <- genes[take$rows, , drop = FALSE]
    counts <- input$matrix[rows, kept$columns, drop = FALSE]
    if (!length(rows)) {
        .stopArgument("subset", "is TRUE, and no gene was chosen; set 'nTargets'.")
    }
    dimnames(counts) <- list(input$names[rows], input$cells[kept$columns])
    logged <- .logCounts(counts, by)
    if (.kindOf(x) == "Seurat") {
        return(.seuratResult(x, sub("/.*$", "", input$assay), counts, logged,
            cells, genes, report
        ))
    }
    x <- input$object
    if (is.null(x)) {
        x <- SingleCellExperiment::SingleCellExperiment(list(counts = counts))
    } else {
        x <- x[rows, kept$columns]
        colnames(x) <- input$cells[kept$columns]
        if (is.null(rownames(x))) {
            rownames(x) <- input$names[rows]
        }
    }
    rownames(genes) <- rownames(x)
    if (input$assay != "counts") {
        SummarizedExperiment::assay(x, "counts", withDimnames = FALSE) <- counts
    }
    SummarizedExperiment::assay(x, "logcounts", withDimnames = FALSE) <- logged
    data <- SummarizedExperiment::rowData(x)
    data[names(genes)] <- as.list(genes)
    SummarizedExperiment::rowData(x) <- data
    data <- SummarizedExperiment::colData(x)
    data[names(cells)] <- as.list(cells)
    SummarizedExperiment::colData(x) <- data
    S4Vectors::metadata(x)$preprocess <- report
    x
}

## The same for a Seurat object: layer "data", meta data, Misc().
.seuratResult <- function(x, name, counts, logged, cells, genes, report) {
    x <- subset(x, features = rownames(counts), cells = colnames(counts))
    ns <- asNamespace("SeuratObject")
    logged <- logged[rownames(x[[name]]), colnames(x)]
    assay <- if ("LayerData<-" %in% getNamespaceExports(ns)) {
        object <- x[[name]]
        getExportedValue("SeuratObject", "LayerData<-")(object, "data",
            value = logged
        )
    } else {
        SeuratObject::SetAssayData(x[[name]], slot = "data",
            new.data = methods::as(logged, "dgCMatrix")
        )
    }
    genes <- as.data.frame(genes)
    rownames(genes) <- rownames(counts)
    assay <- SeuratObject::AddMetaData(assay, genes[rownames(assay), ])
    x[[name]] <- assay
    SeuratObject::VariableFeatures(x) <- rownames(genes)[genes$highly_variable]
    x <- SeuratObject::AddMetaData(x,
        as.data.frame(cells)[colnames(x), , drop = FALSE]
    )
    SeuratObject::Misc(x, "preprocess") <- report
    x
}
