## Assays and layers of Seurat objects, versions 3 to 5.

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

.partsFromSeurat <- function(x, rna, atac, assay.type, verbose) {
    if (!requireNamespace("SeuratObject", quietly = TRUE)) {
        stop("'x' is a Seurat object, and the package SeuratObject isn't ",
            "installed; install.packages(\"SeuratObject\").",
            call. = FALSE
        )
    }
    assays <- methods::slot(x, "assays")
    names <- names(assays)
    if (is.null(atac)) {
        chromatin <- vapply(assays, function(a) {
            "ChromatinAssay" %in% class(a)
        }, logical(1))
        atac <- c(setdiff(names[chromatin], rna), .guessChromatin(names,
            function(n) .seuratFeatures(assays[[n]]), exclude = rna
        ))
        if (!length(atac)) {
            .stopArgument("x", "has no chromatin assay (class ChromatinAssay, ",
                "or features like \"chr1-100-200\"); name it with 'atac': ",
                .some(names), "."
            )
        }
        atac <- atac[[1L]]
    }
    atac <- .chosen(atac, names, "atac", "an assay")
    if (is.null(rna)) {
        default <- SeuratObject::DefaultAssay(x)
        rna <- if ("RNA" %in% setdiff(names, atac)) "RNA" else
            if (default != atac) default else .guessRna(names, atac)
    }
    rna <- .chosen(rna, names, "rna", "an assay")
    .say(verbose, "RNA: assay \"", rna, "\"; chromatin: \"", atac, "\".")
    list(
        rna = .seuratPart(x, rna, assay.type$rna, "RNA"),
        atac = .seuratPart(x, atac, assay.type$atac, "chromatin")
    )
}

.seuratFeatures <- function(assay) {
    tryCatch(rownames(assay), error = function(e) {
        rownames(attr(assay, "counts"))
    })
}

.seuratPart <- function(x, name, layer, label) {
    layer <- if (is.null(layer)) "counts" else .checkText(layer, "assay.type")
    assay <- methods::slot(x, "assays")[[name]]
    ns <- asNamespace("SeuratObject")
    ## a ChromatinAssay read without Signac is an object of unknown class: its
    ## slots are attributes all the same
    matrix <- tryCatch(.seuratLayer(assay, layer, ns), error = function(e) {
        attr(assay, layer)
    })
    if (is.null(matrix) || length(matrix) == 0L) {
        .stopArgument("assay.type", "is \"", layer, "\", which assay \"",
            name, "\" of 'x' doesn't have."
        )
    }
    ranges <- attr(assay, "ranges")
    frame <- if (.isRanges(ranges) && length(ranges) == nrow(matrix)) {
        cbind(.rangesFrame(ranges), name = rownames(matrix))
    }
    meta <- x[[]]
    list(
        matrix = matrix, names = rownames(matrix), cells = colnames(matrix),
        cellData = S4Vectors::DataFrame(meta[colnames(matrix), , drop = FALSE]),
        geneData = NULL, ranges = frame, annotation = attr(assay, "annotation"),
        embedding = function(reduction) {
            found <- methods::slot(x, "reductions")[[reduction]]
            if (!is.null(found)) {
                SeuratObject::Embeddings(found)[colnames(matrix), ,
                    drop = FALSE
                ]
            }
        },
        label = label
    )
}
