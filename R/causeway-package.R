#' causeway: causal single-cell foundation models
#'
#' causeway turns single-cell expression into one gene regulatory network per
#' cell. A structure foundation module (SFM, after scCAFM) is trained, or
#' loaded in the published layout, by a native C engine; no Python and no GPU
#' are needed.
#'
#' The main job takes three calls: [newModel()] (or [loadModel()]),
#' [trainModel()] and [inferGRN()]. The result, a `CellGRN`, is read with
#' [edgeTable()], [poolGRN()], [regulonActivity()], [plotGRN()] and judged
#' against its baselines by `summary()` and [evaluateGRN()].
#'
#' Options, read when they are needed:
#' \describe{
#'   \item{`causeway.threads`}{threads of the engine; default at most 2.}
#'   \item{`causeway.tuneBLAS`}{`TRUE` (default) lets the engine correct the
#'     kernels OpenBLAS chose when they are older than the processor;
#'     `FALSE` leaves BLAS alone.}
#'   \item{`causeway.memoryLimit`}{bytes a call may use; default the free
#'     memory of the machine.}
#'   \item{`causeway.igraphTop`}{edges kept by `as(x, "igraph")`; default
#'     1000.}
#' }
#'
#' @section Random numbers:
#' All random numbers come from one key per model and one per training run,
#' drawn from R's generator, so `set.seed()` governs them.
#'
#' @keywords internal
#' @name causeway-package
#' @aliases causeway
#' @useDynLib causeway, .registration = TRUE
#' @import methods
#' @importFrom BiocGenerics colnames rownames
#' @importFrom Matrix colSums rowSums sparseMatrix t
#' @importFrom S4Vectors DataFrame
#' @importFrom SummarizedExperiment assay assayNames assays colData rowData
#' @importFrom SingleCellExperiment SingleCellExperiment
#' @importFrom stats median setNames
#' @importFrom utils head read.csv tail write.csv
"_PACKAGE"
