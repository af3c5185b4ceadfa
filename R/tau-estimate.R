## The verb estimateTau(): its arguments, the fit, the object.

#' Estimate chromatin-to-RNA delays
#'
#' From cells with both chromatin accessibility and RNA: by how much the RNA
#' of each gene lags its own chromatin, and whether the data can tell.
#'
#' @details
#' The default method (`"anchored"`) reads a gene's RNA as its own linked
#' chromatin, seen back along the flow of cell states:
#' r(z) = alpha + beta c(phi_-t(z)), averaged over t with a kernel of mean tau:
#' a delay, first-order kinetics, or a delay followed by kinetics. Cell states are what chromatin and RNA
#' share; the flow comes from where RNA lies behind chromatin over all genes,
#' without a pseudotime or a root. Every fit is judged before it is shown: see
#' [TauFit-class] for the verdict and what it needs. Delays are identified up
#' to one unit, the median delay, and are never given in hours unless the cells
#' carry clock time (`time`).
#'
#' The method `"effendi"` trains the model of the written specification. Its
#' losses are symmetric in genes: permuting tau over genes leaves them
#' unchanged, so its delays can't rank genes, and it is never called
#' identifiable. Its settings are [EffendiParam()]'s. Where `embedding` or
#' `geneEmbedding` are NULL it takes log-normalised RNA's principal components,
#' LSI of chromatin, and the genes' loadings.
#'
#' With `time`, the clock time that lies behind one model unit along the flow
#' (median over metacells away from the rim) is the scale. It supposes that
#' cells move with the clock. The error adds what chance leaves open, what
#' cells of one state differ in, and a systematic part, because on simulations
#' with known delays the scale came out low: by up to 5% on loops, 10 to 15% on
#' lines, up to 25% at forks, and 25 to 45% where RNA follows first-order
#' kinetics on a line or fork. 25% (delay) and 35% (kinetics) are taken. When
#' flow and clock agree poorly there is a warning; when the flow doesn't
#' advance with the clock, no calibration.
#'
#' With `geneEmbedding` the anchored method shrinks delays towards what the
#' embedding predicts, as far as the data support it.
#'
#' @param x a SingleCellExperiment with chromatin in an altExp, a
#'   MultiAssayExperiment, a Seurat object with a chromatin assay, or RNA
#'   counts (genes x cells: matrix, dgCMatrix, DelayedMatrix or
#'   SummarizedExperiment) together with `atac`.
#' @param atac chromatin counts (peaks x cells, matched to `x` by cell names);
#'   for a MultiAssayExperiment or Seurat object the name of the experiment or
#'   assay. NULL: the one whose features look like peaks.
#' @param links data.frame with columns `gene` and `peak`; NULL: made by
#'   [linkPeaks()] from `genes`.
#' @param genes annotation as for [linkPeaks()]; NULL: coordinates that come
#'   with the data (row ranges, or the annotation of a ChromatinAssay).
#' @param window bases, as for [linkPeaks()].
#' @param method `"anchored"` or `"effendi"`.
#' @param readout shape of the lag: `"delay"` (RNA repeats chromatin later),
#'   `"kinetics"` (RNA approaches chromatin at rate 1/tau) or `"auto"`: both and
#'   what lies between, each weighed by what the genes say. tau is the total
#'   lag in any case.
#' @param embedding NULL, or list with parts `rna` and `atac`: matrices (cells
#'   x dimensions) or names of reductions, in place of principal components
#'   and LSI; or encoders of [loadModel()]: scGPT for `rna`, HyenaDNA for `atac`
#'   with a third part `genome` (see [embedPeaks()]).
#' @param geneEmbedding NULL, or matrix (genes x dimensions, with gene names as
#'   row names); or an scGPT model.
#' @param param settings of `"effendi"`, [EffendiParam()].
#' @param time NULL, or clock time of each cell: a vector (by name, or in the
#'   order of the RNA's cells), or a column of the cell data. NA: not known.
#' @param timeUnit what `time` counts.
#' @param genesUse names of the genes whose delay is wanted; NULL: all with a
#'   link. The others still shape the cell states.
#' @param rna name of the RNA experiment or assay.
#' @param altExp name of the altExp with chromatin.
#' @param assay.type name of the assay or layer of counts; for both, or as
#'   `c(rna = , atac = )`. NULL: `"counts"`, else the first.
#' @param settings list of settings of the anchored method, see the section
#'   below.
#' @param dir folder for the checkpoints of `"effendi"`; NULL: none. What is
#'   done is kept after every stage and every 100 steps within one: after a
#'   kill the same call goes on, to the same numbers.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number.
#' @param threads threads of the engine; NULL: option `causeway.threads`, else
#'   at most 2. Results don't depend on it.
#' @param verbose say what is fitted, what it needs and what came out; FALSE:
#'   nothing.
#' @param ... not used.
#' @return A [TauFit-class]; its genes are those with a count.
#' @section Errors: cells that aren't paired (with the number that match and
#'   what would make them match); fewer than 200 cells with both; peaks
#'   without coordinates and no `links`; sequence names in different styles;
#'   no gene in the annotation; links that name nothing in the data; NA,
#'   negative or log-normalised values; duplicated names; constant `time`; not
#'   enough memory. Cells without structure (one cluster), wrong links or
#'   pairing are no errors: the verdict says so.
#' @eval .tauSettingsHelp()
#' @seealso [TauFit-class], [linkPeaks()], [addTau()], [plotTau()], [plotLag()],
#'   [tauNull()], [validateTau()], [contrastTau()], [predictTau()],
#'   [scRNAToTau()], [intervene()], [EffendiParam()], [simulateMultiome()]
#' @references Cell states are shared axes of LSI (Cusanovich et al. 2015,
#'   Science 348, 910-914) and principal components by canonical correlation
#'   (Hotelling 1936, Biometrika 28, 321-377). The method is described in the
#'   package's vignette on methods.
#' @examples
#' x <- simulateMultiome(nCells = 1200, nGenes = 120, seed = 1)
#' links <- S4Vectors::metadata(x)$links
#' fit <- estimateTau(x, links = links, seed = 1)
#' fit
#' head(tau(fit, force = TRUE))
#' x <- addTau(x, fit)
#'
#' # the same cells with their chromatin exchanged: the verdict must refuse
#' null <- simulateMultiome(nCells = 1200, nGenes = 120, seed = 1,
#'     null = "shuffledPairing"
#' )
#' estimateTau(null, links = links, seed = 1)
#' @rdname estimateTau
#' @export
setMethod("estimateTau", "ANY", function(x, atac = NULL, links = NULL,
    genes = NULL, window = 1e5, method = c("anchored", "effendi"),
    readout = c("auto", "delay", "kinetics"), embedding = NULL,
    geneEmbedding = NULL, param = NULL, time = NULL, timeUnit = "hours",
    genesUse = NULL, rna = NULL, altExp = NULL, assay.type = NULL,
    settings = list(), dir = NULL, seed = NULL, threads = NULL,
    verbose = TRUE, ...) {
    .noDots(...)
    .checkFlag(verbose, "verbose")
    method <- .oneOf(method, c("anchored", "effendi"), "method")
    readout <- .oneOf(readout, c("auto", "delay", "kinetics"), "readout")
    .checkText(timeUnit, "timeUnit")
    options <- .tauOptions(settings, readout)
    param <- .effendiArgument(param, dir, method)
    key <- .newKey(seed)
    threads <- .threads(threads)
    started <- proc.time()[["elapsed"]]
    input <- .readPairs(x, atac, rna, altExp, assay.type, verbose = verbose)
    input <- .cleanCounts(input, verbose)
    input$links <- .useGenes(input,
        .tauLinks(input, links, genes, window, verbose), genesUse
    )
    input$embedding <- .tauEmbedding(input, embedding)
    input$time <- .tauTime(input, time)
    input$geneEmbedding <- .tauGeneEmbedding(input, geneEmbedding)
    .tauFromCounts(input, list(
        method = method, options = options, param = param, dir = dir,
        timeUnit = timeUnit, key = key, threads = threads, verbose = verbose,
        started = started
    ))
})

## The matrix level: a fit of counts, whatever they came in. input: `rna` and
## `atac` dgCMatrix (genes or peaks x the same cells, none empty), their names
## `genes`, `peaks`, `cells`; `links` data.frame(gene, peak); NULL or, in the
## order of the cells, `embedding` list(rna, atac) and `time`; NULL or, by
## gene, `geneEmbedding`. job: what is done with them, and how.
.tauFromCounts <- function(input, job) {
    .sayFit(input, job)
    engine <- .fitAnchored(input, job$options, job$key, job$threads,
        job$verbose
    )
    if (job$method == "anchored") {
        engine <- .amortised(engine, input$geneEmbedding)
    }
    fit <- .anchoredObject(input, engine, job$options, job$timeUnit, job$key,
        job$threads, job$started
    )
    if (job$method == "effendi") {
        fit <- .effendiObject(input, fit, job)
    }
    .say(job$verbose, .identifiableText(fit@verdict), " (",
        .duration(fit@metadata$seconds), ")"
    )
    fit
}

## What is fitted, and what it will need.
.sayFit <- function(input, job) {
    need <- .checkTauMemory(input, job$options)
    .say(job$verbose, "Delays of ", .count(length(input$genes), "gene"),
        " from ", .count(length(input$cells), "cell"), ", ",
        .count(length(input$peaks), "peak"), ", ",
        .count(nrow(input$links), "link"), "; about ", .bytes(need),
        " of memory."
    )
}

.effendiArgument <- function(param, dir, method) {
    if (method == "anchored") {
        for (arg in c("param", "dir")) {
            if (!is.null(get(arg))) {
                .stopArgument(arg, "is for method = \"effendi\"; leave it ",
                    "NULL, or name that method."
                )
            }
        }
        return(NULL)
    }
    if (is.null(param)) {
        return(EffendiParam())
    }
    if (!methods::is(param, "EffendiParam")) {
        .stopArgument("param", "must come from EffendiParam(); it is a ",
            class(param)[[1L]], "."
        )
    }
    param
}

.useGenes <- function(input, links, genesUse) {
    if (is.null(genesUse)) {
        return(links)
    }
    genesUse <- .textOf(genesUse)
    if (!is.character(genesUse) || !length(genesUse)) {
        .stopArgument("genesUse", "must be gene names; it is ",
            .show(genesUse), "."
        )
    }
    unknown <- setdiff(genesUse, c(input$genes, input$dropped))
    if (length(unknown)) {
        .stopArgument("genesUse", "names genes that aren't in 'x': ",
            .some(unknown), "."
        )
    }
    links <- links[links$gene %in% genesUse, , drop = FALSE]
    if (!nrow(links)) {
        .stopArgument("genesUse", "names no gene with a linked peak.")
    }
    rownames(links) <- NULL
    links
}

## Rows in the order of the input's genes; NA rows for genes it doesn't hold.
.tauGeneEmbedding <- function(input, e) {
    if (is.null(e)) {
        return(NULL)
    }
    if (methods::is(e, "ScGPTModel")) {
        e <- embedGenes(input$genes, e)
    }
    e <- as.matrix(e)
    if (!is.numeric(e) || !ncol(e) || !all(is.finite(e))) {
        .stopArgument("geneEmbedding", "must hold finite numbers, genes x ",
            "dimensions; it is ", .show(e), "."
        )
    }
    if (is.null(rownames(e))) {
        if (nrow(e) != length(input$genes)) {
            .stopArgument("geneEmbedding", "needs gene names as row names.")
        }
        at <- seq_len(nrow(e))
    } else {
        at <- match(input$genes, rownames(e))
    }
    if (all(is.na(at))) {
        .stopArgument("geneEmbedding", "holds none of the genes: its are like ",
            .some(rownames(e), 3L), "; the data's like ",
            .some(input$genes, 3L), "."
        )
    }
    e <- e[at, , drop = FALSE]
    rownames(e) <- input$genes
    e
}
