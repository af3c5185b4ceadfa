## reconcileGenes() on containers: rows of one gene are added up.

.reconcileContainer <- function(x, o, symbols, verbose) {
    names <- .containerNames(x, symbols)
    table <- .reconcileNames(names, o)
    .sayNames(table, o, verbose)
    output <- table$output
    if (o$lost == "keep") {
        output[is.na(output)] <- names[is.na(output)]
    }
    table$merged <- !is.na(output) & output %in% output[duplicated(output)]
    rows <- which(!is.na(output))
    .say(verbose && any(table$merged), sum(table$merged), " rows merged into ",
        length(unique(output[table$merged])), "."
    )
    report <- list(
        summary = attr(table, "summary"), table = table,
        species = attr(table, "species"), to = o$to, homologs = o$homologs
    )
    .mergeContainer(x, output, rows, report)
}

.containerNames <- function(x, symbols) {
    data <- if (.isExperiment(x)) SummarizedExperiment::rowData(x)
    if (!.isExperiment(x) && !.kindOf(x) %in% c("Seurat", "matrix")) {
        .stopArgument("x", "must be gene names, a SingleCellExperiment, a ",
            "SummarizedExperiment, a Seurat object, or a matrix with genes ",
            "in rows; it is a ", class(x)[[1L]],
            if (is.data.frame(x)) " (as.matrix(x) makes a matrix of it)", "."
        )
    }
    if (!is.null(symbols)) {
        .checkText(symbols, "symbols")
        if (!(symbols %in% names(data))) {
            .stopArgument("symbols", "is \"", symbols, "\", which is not a ",
                "column of rowData(x)."
            )
        }
        return(as.character(data[[symbols]]))
    }
    if (is.null(rownames(x))) {
        .stopArgument("x", "has no row names to reconcile; 'symbols' names a ",
            "column of rowData(x)."
        )
    }
    rownames(x)
}

.mergeContainer <- function(x, output, rows, report) {
    if (.kindOf(x) == "Seurat") {
        return(.mergeSeurat(x, output, rows, report))
    }
    if (!.isExperiment(x)) {
        return(.mergeRows(x, output, rows))
    }
    first <- rows[!duplicated(output[rows])]
    out <- x[first, ]
    rownames(out) <- output[first]
    if (length(first) < length(rows)) {
        ## by position: assays may have no or equal names
        all <- as.list(SummarizedExperiment::assays(x, withDimnames = FALSE))
        twice <- rows[output[rows] %in% output[rows][duplicated(output[rows])]]
        able <- vapply(seq_along(all), function(i) {
            .canAdd(all[[i]][twice, , drop = FALSE], names(all)[i])
        }, logical(1))
        if (!all(able)) {
            warning("rows are merged, and assays ", .some(names(all)[!able]),
                " can't be added up: dropped.",
                call. = FALSE
            )
        }
        merged <- lapply(all[able], .mergeRows, output = output, rows = rows)
        SummarizedExperiment::assays(out, withDimnames = FALSE) <- merged
    }
    S4Vectors::metadata(out)$reconcileGenes <- report
    out
}

## Can rows of this assay be added up? Whole numbers, or by its name.
.canAdd <- function(m, name) {
    linear <- c("counts", "tpm", "fpkm", "rpkm", "cpm")
    if (length(name) && tolower(name) %in% linear) {
        return(TRUE)
    }
    for (columns in .columnChunks(m)) {
        v <- .columnChunk(m, columns)@x
        if (!all(is.finite(v) & v >= 0 & v == floor(v))) {
            return(FALSE)
        }
    }
    TRUE
}

## The rows by output, equal ones added up, in order of first appearance; of
## the kind of matrix it was.
.mergeRows <- function(m, output, rows) {
    names <- unique(output[rows])
    twice <- output[rows] %in% output[rows][duplicated(output[rows])]
    single <- rows[!twice]
    out <- m[single, , drop = FALSE]
    if (any(twice)) {
        group <- match(output[rows[twice]], unique(output[rows[twice]]))
        sums <- .addRows(m, rows[twice], group)
        out <- .bindRows(out, sums)
        at <- c(output[single], unique(output[rows[twice]]))
        out <- out[match(names, at), , drop = FALSE]
    }
    rownames(out) <- names
    out
}

## Sums of rows by group as a dgCMatrix, in blocks of columns.
.addRows <- function(m, rows, group) {
    add <- Matrix::sparseMatrix(i = group, j = seq_along(rows), x = 1)
    parts <- lapply(.columnChunks(m), function(columns) {
        methods::as(add %*% .columnChunk(m, columns, rows), "CsparseMatrix")
    })
    out <- do.call(cbind, unname(parts))
    colnames(out) <- colnames(m)
    out
}

.bindRows <- function(m, sums) {
    if (.isDelayed(m)) {
        return(rbind(m, DelayedArray::DelayedArray(sums)))
    }
    if (is.matrix(m)) {
        type <- storage.mode(m)
        sums <- as.matrix(sums)
        if (type == "integer" && max(sums) <= .Machine$integer.max) {
            storage.mode(sums) <- type
        }
    }
    rbind(m, sums)
}

.mergeSeurat <- function(x, output, rows, report) {
    name <- SeuratObject::DefaultAssay(x)
    counts <- .readPart(.modalities(x)$parts[[name]])$matrix
    counts <- .mergeRows(counts, output, rows)
    out <- SeuratObject::CreateSeuratObject(counts, assay = name,
        meta.data = x[[]]
    )
    SeuratObject::Misc(out, "reconcileGenes") <- report
    out
}
