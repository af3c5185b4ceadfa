## Delays back into the container of the cells.

#' Put delays into a container
#'
#' Writes delays and flags of a fit into the feature data of the RNA.
#'
#' @param x a SingleCellExperiment (or other SummarizedExperiment),
#'   MultiAssayExperiment or Seurat object.
#' @param fit a [TauFit-class].
#' @param rna name of the RNA experiment or assay, as for [estimateTau()].
#' @param name what the columns are called: `name`, `nameSd`, ...
#' @param force write numbers of a fit that isn't identifiable?
#' @param ... not used.
#' @return `x`, of the same class, with columns `tau`, `tauSd`, `tauLow`,
#'   `tauHigh`, `tauFlag` (by `name`) in `rowData()` (of the RNA experiment; in
#'   the feature meta data of a Seurat assay). Genes outside the fit, and all
#'   genes when delays aren't identifiable (with a warning), have NA. In
#'   containers with `metadata()` the verdict and unit are in
#'   `metadata(x)$tau`.
#' @section Errors: no gene of the fit in `x`.
#' @seealso [estimateTau()]
#' @examples
#' fit <- new("TauFit",
#'     table = S4Vectors::DataFrame(gene = c("A", "B"), tau = c(0.5, 1.5),
#'         sd = 0.1, low = c(0.3, 1.3), high = c(0.7, 1.7), usable = TRUE,
#'         reported = TRUE, flag = ""),
#'     verdict = list(identifiable = TRUE), method = "anchored",
#'     genes = c("A", "B"), unit = list(name = "median delay"),
#'     cellData = S4Vectors::DataFrame()
#' )
#' x <- SingleCellExperiment::SingleCellExperiment(
#'     list(counts = matrix(1, 3, 2, dimnames = list(c("B", "C", "A"), NULL)))
#' )
#' SummarizedExperiment::rowData(addTau(x, fit))
#' @export
addTau <- function(x, fit, rna = NULL, name = "tau", force = FALSE, ...) {
    .noDots(...)
    .checkCellsFirst(x, fit, "addTau(x, fit)")
    .checkText(name, "name")
    .checkFlag(force, "force")
    x <- .cellsOf(x)
    if (.isExperiment(x)) {
        return(.tauIntoSE(x, fit, name, force))
    }
    if (.kindOf(x) == "MultiAssayExperiment") {
        names <- names(x)
        if (is.null(rna)) {
            rna <- .guessRna(names, .guessChromatin(names, function(n) {
                rownames(x[[n]])
            }))
        }
        rna <- .chosen(rna, names, "rna", "an experiment")
        if (!.isExperiment(x[[rna]])) {
            .stopArgument("x", "has a plain matrix for \"", rna, "\", without ",
                "room for gene data; make it a SingleCellExperiment."
            )
        }
        x[[rna]] <- .tauIntoSE(x[[rna]], fit, name, force)
        return(x)
    }
    if (.kindOf(x) == "Seurat") {
        return(.tauIntoSeurat(x, fit, rna, name, force))
    }
    .stopArgument("x", "must be a SingleCellExperiment, a ",
        "MultiAssayExperiment or a Seurat object; it is a ", class(x)[[1L]],
        "."
    )
}

.tauColumns <- function(names, fit, name, force) {
    values <- tau(fit, force = force)
    at <- match(names, values$gene)
    if (all(is.na(at))) {
        .stopArgument("fit", "has no gene of 'x': its are like ",
            .some(fit@genes, 3L), "; those of 'x' like ", .some(names, 3L), "."
        )
    }
    setNames(values[at, c("tau", "sd", "low", "high", "flag")],
        paste0(name, c("", "Sd", "Low", "High", "Flag"))
    )
}

.tauIntoSE <- function(x, fit, name, force) {
    columns <- .tauColumns(rownames(x), fit, name, force)
    for (column in colnames(columns)) {
        SummarizedExperiment::rowData(x)[[column]] <- columns[[column]]
    }
    S4Vectors::metadata(x)[[name]] <- list(verdict = fit@verdict,
        unit = fit@unit
    )
    x
}

.tauIntoSeurat <- function(x, fit, rna, name, force) {
    names <- names(methods::slot(x, "assays"))
    if (is.null(rna)) {
        rna <- if ("RNA" %in% names) "RNA" else SeuratObject::DefaultAssay(x)
    }
    rna <- .chosen(rna, names, "rna", "an assay")
    columns <- .tauColumns(rownames(x[[rna]]), fit, name, force)
    rownames(columns) <- rownames(x[[rna]])
    x[[rna]] <- SeuratObject::AddMetaData(x[[rna]], metadata = columns)
    x
}
