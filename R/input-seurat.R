## Assays and layers of Seurat objects, versions 3 to 5, by what the installed
## SeuratObject offers. Its warnings (of slots that have other names by now,
## of keys) are no concern of who calls this package, and are kept back.

.modalitiesSeurat <- function(x) {
    .needPackage("SeuratObject", "'x' is a Seurat object",
        "install.packages(\"SeuratObject\")"
    )
    assays <- suppressWarnings(methods::slot(x, "assays"))
    meta <- .seuratMeta(x)
    parts <- lapply(setNames(nm = names(assays)), function(name) {
        .partSeurat(x, name, assays, meta)
    })
    list(parts = parts, main = SeuratObject::DefaultAssay(x),
        what = "an assay", arg = "assay"
    )
}

## Data of the cells, and their identities as column "ident".
.seuratMeta <- function(x) {
    meta <- suppressWarnings(x[[]])
    if (!"ident" %in% names(meta)) {
        meta$ident <- suppressWarnings(SeuratObject::Idents(x))[rownames(meta)]
    }
    meta
}

.partSeurat <- function(x, name, assays, meta) {
    assay <- assays[[name]]
    ranges <- attr(assay, "ranges")
    features <- .seuratFeatures(assay)
    .part(
        read = function(assay.type, verbose) {
            .seuratRead(assays, name, assay.type, verbose)
        },
        features = features,
        cellData = function(cells) {
            S4Vectors::DataFrame(meta[cells, , drop = FALSE])
        },
        geneData = .seuratGenes(assay, features),
        ranges = function() {
            if (.isRanges(ranges) && length(ranges) == length(features)) {
                cbind(.rangesFrame(ranges), name = features)
            }
        },
        annotation = attr(assay, "annotation"),
        reductions = function() .seuratReductions(x),
        variable = tryCatch(
            suppressWarnings(SeuratObject::VariableFeatures(assay)),
            error = function(e) NULL
        ),
        metadata = methods::slot(x, "misc"),
        chromatin = "ChromatinAssay" %in% class(assay)
    )
}

.seuratReductions <- function(x) {
    lapply(methods::slot(x, "reductions"), function(reduction) {
        function() SeuratObject::Embeddings(reduction)
    })
}

.seuratFeatures <- function(assay) {
    tryCatch(rownames(assay), error = function(e) {
        rownames(attr(assay, "counts"))
    })
}

## Data of an assay's features, in the order of `features`.
.seuratGenes <- function(assay, features) {
    data <- attr(assay, "meta.features")
    if (is.null(data)) {
        data <- attr(assay, "meta.data")
    }
    if (is.data.frame(data) && nrow(data) == length(features)) data
}

## The matrix of a layer; a layer that is split ("counts.1", "counts.2") is
## joined.
.seuratRead <- function(assays, name, layer, verbose) {
    layer <- if (is.null(layer)) "counts" else
        .checkText(layer, "assay.type")
    matrix <- .seuratTry(assays[[name]], layer)
    if (is.null(matrix)) {
        .stopLayer(assays, name, layer)
    }
    .say(verbose, "Seurat assay \"", name, "\", layer \"", layer, "\".")
    list(matrix = matrix, names = rownames(matrix), cells = colnames(matrix),
        assay = paste0(name, "/", layer)
    )
}

## A layer's matrix, or NULL where there is none or it is empty. A
## ChromatinAssay read without Signac is an object of unknown class: its slots
## are attributes all the same.
.seuratTry <- function(assay, layer) {
    matrix <- tryCatch(
        suppressWarnings(
            .seuratLayer(assay, layer, asNamespace("SeuratObject"))
        ),
        error = function(e) attr(assay, layer)
    )
    if (is.null(matrix) || length(dim(matrix)) != 2L || any(dim(matrix) == 0L))
        NULL else matrix
}

## What `assay.type` could have meant, and which layers and assays would do.
.stopLayer <- function(assays, name, layer) {
    has <- function(assay, layer) !is.null(.seuratTry(assay, layer))
    quoted <- function(x) paste0("\"", x, "\"", collapse = ", ")
    if (layer %in% names(assays)) {
        .stopArgument("assay.type", "is \"", layer, "\", which is an assay of ",
            "'x', not a layer of one; say assay = \"", layer, "\"."
        )
    }
    others <- setdiff(names(assays), name)
    others <- others[vapply(assays[others], has, NA, layer)]
    layers <- setdiff(c("counts", "data"), layer)
    layers <- layers[vapply(layers, has, NA, assay = assays[[name]])]
    .stopArgument("assay.type", "is \"", layer, "\", which assay \"", name,
        "\" of 'x' doesn't have or is empty there.",
        if (length(others)) paste0(" Assays with \"", layer, "\": ",
            quoted(others), "; say assay = \"", others[[1L]], "\", or ",
            "DefaultAssay(x) <- \"", others[[1L]], "\"."
        ),
        if (length(layers)) paste0(" Assay \"", name, "\" has layer ",
            quoted(layers), ": assay.type = \"", layers[[1L]], "\"",
            if (layers[[1L]] == "data") " (log-normalised values)", "."
        ),
        if (!length(others) && !length(layers)) paste0(" Its assays are ",
            quoted(names(assays)), "."
        )
    )
}

## LayerData() when it exists (v5), else GetAssayData() with its `layer` or its
## `slot` argument.
.seuratLayer <- function(object, layer, ns) {
    if (!exists("LayerData", envir = ns, inherits = FALSE)) {
        getData <- get("GetAssayData", envir = ns)
        method <- get0("GetAssayData.Assay", envir = ns, inherits = FALSE)
        uses <- if (is.null(method)) "slot" else names(formals(method))
        return(if ("layer" %in% uses) getData(object, layer = layer) else
            getData(object, slot = layer))
    }
    read <- function(layer) {
        get("LayerData", envir = ns)(object, layer = layer)
    }
    found <- if (exists("Layers", envir = ns, inherits = FALSE)) {
        get("Layers", envir = ns)(object)
    }
    parts <- found[startsWith(found, paste0(layer, "."))]
    if (layer %in% found || !length(parts)) {
        return(read(layer))
    }
    .joinLayers(lapply(parts, read), colnames(object))
}

## Parts of cells side by side, in the order of `cells` where that is known;
## genes that a part lacks are 0 there.
.joinLayers <- function(parts, cells = NULL) {
    genes <- unique(unlist(lapply(parts, rownames)))
    same <- vapply(parts, function(m) identical(rownames(m), genes), NA)
    if (!all(same)) {
        parts <- lapply(parts, .padRows, genes)
    }
    out <- if (length(parts) == 1L) parts[[1L]] else do.call(cbind, parts)
    if (length(cells) == ncol(out) && setequal(cells, colnames(out)) &&
        !identical(cells, colnames(out))) {
        out <- out[, cells, drop = FALSE]
    }
    out
}

.padRows <- function(m, genes) {
    full <- .sparseColumns(m)
    triplet <- methods::as(full, "TsparseMatrix")
    Matrix::sparseMatrix(i = match(rownames(m), genes)[triplet@i + 1L],
        j = triplet@j + 1L, x = triplet@x, dims = c(length(genes), ncol(m)),
        dimnames = list(genes, colnames(m))
    )
}
