#' causeway: causal single-cell foundation models
#'
#' From single-cell expression to gene regulatory networks, one per cell or
#' per cell state or for all cells, and from paired chromatin and RNA to the
#' delay between them, with a baseline and a null beside every result. A native
#' C engine does the computing; no Python and no GPU are needed.
#'
#' @section Cells and names:
#' [preprocess()] (scanpy's results), [reconcileGenes()] (symbols,
#' identifiers, species), [tfCatalogue()]; to try things on:
#' [simulateCells()], [simulateMultiome()] with [simulatedTruth()],
#' [exampleCells()], [exampleGRN()].
#'
#' @section Networks:
#' * Without a model: [inferGRN()] with nothing but cells gives one network
#'   for all of them ([TreeGRNParam()], [RidgeGRNParam()], [CorGRNParam()],
#'   [CombinedGRNParam()] choose otherwise); with [PerCellGRNParam()] networks
#'   of cell states, and says first whether they can be told apart
#'   ([verdict()]).
#' * With a model: [SFMParam()], [newModel()] or [loadModel()],
#'   [trainModel()] (also as the student of a network, `teacher =`),
#'   [inferGRN()], [saveModel()], [modelReport()],
#'   [modelTensor()], [trainingHistory()].
#' * Known edges: [priorNetwork()], in [RidgeGRNParam()] or [trainModel()].
#' * Read: [tfNames()], [geneNames()], [cellNames()], [cellData()],
#'   [edgeTable()], [edgeSign()], [poolGRN()], [cellNetwork()],
#'   [cellNetwork()], [switchingEdges()], [regulonActivity()], [toIgraph()].
#' * Keep: [saveGRN()], [loadGRN()] (HDF5, read by blocks of cells),
#'   [writeGRN()].
#' * Draw: [plotGRN()], [networkWidget()], [plotEdge()],
#'   [plotRegulonActivity()], [plotTraining()].
#'
#' @section Are they worth anything:
#' * Known edges: [evaluateGRN()], [readReference()], [splitReference()],
#'   [plotEvaluation()], [plotRankRecovery()]; many methods at once:
#'   [benchmarkGRN()], [plotBenchmark()], [write()].
#' * Nulls: [nullGRN()], [edgeFDR()]; reruns: [stabilityGRN()],
#'   [plotStability()]; perturbed cells: [evaluatePerturbation()].
#' * Groups of cells: [contrastGRN()], [plotContrast()].
#'
#' @section Delays between chromatin and RNA:
#' * Estimate: [linkPeaks()], [estimateTau()] (a [TauFit-class], verdict
#'   first), [tau()], [verdict()], [addTau()]; the model of the written
#'   specification: `method = "effendi"` with [EffendiParam()].
#' * Judge: [tauNull()], [validateTau()], [tauGeneSets()].
#' * Go on: [contrastTau()], [predictTau()], [scRNAToTau()], [intervene()].
#' * Draw: [plotTau()], [plotLag()], [plotFlow()], [plotTauNull()].
#'
#' @section Options, read when they are needed:
#' \describe{
#'   \item{`causeway.threads`}{threads of the engine; default at most 2.}
#'   \item{`causeway.tuneBLAS`}{`TRUE` (default) lets the engine correct the
#'     kernels OpenBLAS chose when they are older than the processor;
#'     `FALSE` leaves BLAS alone.}
#'   \item{`causeway.memoryLimit`}{bytes a call may use; default the free
#'     memory of the machine.}
#'   \item{`causeway.blockBytes`}{bytes of cells or networks read from a file at a
#'     time; default 64 MB.}
#'   \item{`causeway.igraphTop`}{edges kept by `as(x, "igraph")`; default
#'     1000.}
#' }
#' [engineInfo()] says what the engine is made of and runs on.
#'
#' @section Memory and disk:
#' Networks of cells from a model hold sparse factors, 6 bytes per cell, row
#' and kept factor, not edges. They live in memory, in a file (`file = ` of
#' [inferGRN()]: written while inferring, resumed with `resume = TRUE`, read by
#' blocks of cells by [loadGRN()]), or nowhere (`backing = "lazy"`: computed
#' when asked). Memory of a training step grows with `batchSize` x genes. What
#' cannot fit is refused before it starts: fewer genes (`genes = `,
#' `nTargets = `), a smaller `batchSize` or `file = ` then help.
#'
#' @section When something is slow or odd:
#' * On a machine shared with other jobs: set `OMP_WAIT_POLICY=passive` before
#'   starting R. Threads that wait for each other actively were up to ten times
#'   slower there.
#' * Everywhere: look at [engineInfo()]. Debian's OpenBLAS doesn't know newer
#'   processors; the engine corrects that unless `causeway.tuneBLAS` is `FALSE`
#'   or `OPENBLAS_CORETYPE` is set, which is respected. On Intel processors
#'   with AMX large products are computed on its tiles, as exactly as before
#'   but in other last bits; who needs the same bits on several kinds of
#'   processor sets `OPENBLAS_CORETYPE` (to `Haswell`, say), which turns that
#'   off as well.
#' * `mclapply`, `MulticoreParam` ([severalProcesses]): a forked process computes
#'   on one thread.
#'   `SnowParam` workers need [loadModel()] of their own: a model can't be sent
#'   to them, nor saved by `saveRDS()`; use [saveModel()].
#' * "not identifiable", "not distinguishable" are answers; [verdict()] lists
#'   the reasons.
#' * Ctrl-C stops a call within about a second.
#'
#' @section Random numbers:
#' All random numbers come from keys drawn from R's generator, one per fit or
#' training run, so `set.seed()` governs them; `seed = ` fixes one call.
#' Results don't depend on the number of threads, to the last bit. Another
#' processor or BLAS may round differently.
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
