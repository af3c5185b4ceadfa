## Do the targets of a network move when their TF is perturbed?

#' Result of comparing a network with perturbed cells
#'
#' Made by [evaluatePerturbation()].
#'
#' A [CausewayReport-class] with the tables `edges`, `summary`, `blocks` and
#' `TF`, see [evaluatePerturbation()], and the facts of what was compared.
#' It holds when the targets move more than other genes expressed as much.
#'
#' @return An object of this class; [verdict()] says what it gives.
#' @seealso [evaluatePerturbation()]
#' @name GRNPerturbation-class
#' @exportClass GRNPerturbation
#' @examples
#' ## see evaluatePerturbation()
#' methods::slotNames("GRNPerturbation")
setClass("GRNPerturbation", contains = "CausewayReport")

#' Perturbation evidence for the edges of a network
#'
#' For the highest edges of perturbed TFs: how far the target's expression in
#' perturbed cells is from that in control cells, by the Wasserstein distance
#' as published for scCAFM, and, because a distance alone says nothing, how
#' that compares with other genes that are expressed as much, with targets
#' shuffled, and with cells whose labels are permuted.
#'
#' @details The distance between the values x of perturbed and control cells is
#' the area between their cumulative distributions (Wasserstein-1), on
#' log-normalised values. It grows with a gene's expression and spread, and is
#' never 0 for finite samples; so the published mean over edges has no meaning
#' of its own. Beside it stand
#' \itemize{
#'   \item `percentile`: of the edge's distance among the `matched` other genes
#'     (not chosen as the TF's targets) whose mean in control cells is nearest;
#'     0.5 is what a target chosen by its expression level alone has. Summary p:
#'     share of random choices, each edge's target drawn from itself and its
#'     matched genes, whose mean distance is as large; that mean can hang on a
#'     few edges, so the mean percentile has a p too (normal approximation).
#'   \item shuffled targets: as many random genes per TF. A network that just
#'     picks highly expressed genes beats these, but not the matched ones.
#'   \item permuted cells: p of an edge, the mean distance `nullDistance` under
#'     permutation of the labels within replicates, and `excess`, the distance
#'     less that mean.
#' }
#' Intervals are from bootstrap samples of cells within label and replicate:
#' 95% percentile intervals, for distances moved by the mean of the samples less
#' the distance, for resampling alone inflates them. They don't cover what would
#' differ in other cells, guides or experiments. A TF's response comprises
#' everything downstream, so evidence for an edge is evidence for regulation,
#' direct or not. Give `block`: without it, differences between batches count as
#' effects if perturbations are not spread evenly over them.
#'
#' Direction: with signs in the network (see [edgeSign()]) and
#' `effect = "loss"`, a target of an activator should fall. The summary gives
#' the share of edges that agree, what would agree by chance given how many
#' signs are positive and how many targets fall, and Fisher's exact p.
#'
#' @param x cells, perturbed and control ones, as for [inferGRN()].
#' @param grn a [PooledGRN-class] that isn't filtered, or per-cell networks,
#'   which are pooled. Infer it from control cells, or others, but not from the
#'   perturbed ones.
#' @param perturbation name of a column of `colData(x)`, or a label per cell,
#'   read as [parsePerturbations()] shows. Cells with one perturbed gene that is
#'   a TF of the network are used, and control cells.
#' @param control labels of control cells; NULL: the usual words.
#' @param sep,guides as for [parsePerturbations()].
#' @param block NULL, or as `perturbation`: replicates or batches.
#' @param top highest edges looked at (published: 100), among those of perturbed
#'   TFs and measured targets, self edges left out.
#' @param minCells perturbed cells a TF must have; also, of either kind, a
#'   replicate to be looked at alone.
#' @param matched expression-matched genes per edge.
#' @param nPerm,nBoot permutations of labels (and random choices of
#'   targets), bootstrap samples; `nBoot = 0`: no intervals.
#' @param effect does the perturbation take the TF away (`"loss"`) or add to it
#'   (`"gain"`)?
#' @param assay.type,symbols,alreadyNormalised as for [inferGRN()].
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number.
#' @param threads threads of the engine; NULL: `causeway.threads`. Results
#'   don't depend on it.
#' @param ... not used.
#' @return A [GRNPerturbation-class]. `as.data.frame(which = )` gives
#'   \describe{
#'     \item{edges}{one row per edge: `rank`, `Gene1`, `Gene2`, `score`,
#'       `cells` (perturbed), `distance`, `distanceLow`, `distanceHigh`,
#'       `nullDistance`, `excess`, `p`, `q` (BH), `shift` (mean of perturbed
#'       less control cells), `shiftLow`, `shiftHigh`, `percentile`,
#'       `blocks` and `agree` (blocks with the shift's sign), and with
#'       signs `sign` and `direction` (1 as expected, -1 not).}
#'     \item{summary}{one row per measure: `measure`, `value`, `low`, `high`,
#'       `null`, `p`.}
#'     \item{blocks}{one row per block: `block`, `edges`,
#'       `distance`, `percentile`, `sameShift` (share of edges with the sign of
#'       the shift over all cells).}
#'     \item{TF}{one row per TF: `TF`, `cells`, `ownShift`, `edges`,
#'       `distance`, `percentile`, and `allGenes` (mean distance over all
#'       measured genes).}
#'   }
#' @section Errors: a filtered network; no such column, control label or
#'   perturbed TF of the network; too few cells per perturbation; no measured
#'   target.
#' @references The published measure: scCAFM,
#'   <https://github.com/Catchxu/scCAFM>, `evaluate_perturbseq_grn()`.
#' @seealso [evaluateGRN()], [nullGRN()], [stabilityGRN()];
#'   [fitPerturbation()] to predict perturbations from a screen, [intervene()]
#'   for what follows along a course with delays
#' @examples
#' cells <- simulateCells(nCells = 300, nGenes = 40, nTFs = 6, seed = 1)
#' grn <- inferGRN(cells, CorGRNParam())
#' ## made-up labels: no effect is there to be found
#' label <- rep(c("control", tfNames(grn)[1:2]), 100)
#' evaluatePerturbation(cells, grn, label, "control", top = 10,
#'     matched = 10, nPerm = 100, nBoot = 20, seed = 1
#' )
#' @export
evaluatePerturbation <- function(x, grn, perturbation, control = NULL,
    block = NULL, top = 100, minCells = 10, matched = 50,
    nPerm = 1000, nBoot = 200, effect = c("loss", "gain"), sep = NULL,
    guides = TRUE, assay.type = NULL, symbols = NULL,
    alreadyNormalised = NULL, seed = NULL, ..., threads = NULL) {
    .noDots(..., renamed = c(replicate = "block", permutations = "nPerm"))
    .cellsFirst(x, grn)
    .given(grn, "grn", "the network to try, as inferGRN() returns")
    .given(perturbation, "perturbation",
        "a column of colData(x) or a value per cell says what was perturbed"
    )
    job <- list(
        top = .checkNumber(top, "top", 1, whole = TRUE),
        minCells = .checkNumber(minCells, "minCells", 2, whole = TRUE),
        matched = .checkNumber(matched, "matched", 1, whole = TRUE),
        nPerm = .checkNumber(nPerm, "nPerm", 1, 1e6, TRUE),
        nBoot = .checkNumber(nBoot, "nBoot", 0, 1e5, TRUE),
        effect = .oneOf(effect, c("loss", "gain"), "effect"),
        key = .newKey(seed), threads = .threads(threads)
    )
    if (is(grn, "PerCellNetworks")) {
        grn <- poolGRN(grn)
    }
    if (!is(grn, "PooledGRN")) {
        .refuseNetwork(grn, "grn")
    }
    .refuseFiltered(grn, "grn")
    how <- .inputArgs(assay.type, symbols,
        alreadyNormalised = alreadyNormalised
    )
    input <- .readCells(x, how)
    job <- c(job, .perturbedCells(input, perturbation, control, block,
        grn, job$minCells, sep, guides
    ))
    job <- c(job, .measuredGenes(input, grn, alreadyNormalised))
    job$edges <- .perturbedEdges(grn, job)
    .perturbationResult(grn, job)
}

## ---- cells and genes -------------------------------------------------------

.cellColumn <- function(input, value, arg) {
    n <- ncol(input$matrix)
    columns <- colnames(input$cellData)
    if (is.character(value) && length(value) == 1L &&
        (n != 1L || value %in% columns)) {
        if (!value %in% columns) {
            .stopArgument(arg, "is \"", value, "\", which isn't a column of ",
                "colData(x)", if (length(columns)) paste0(": ",
                    .some(columns, 8L)) else
                    ", for 'x' has none; give a value per cell", "."
            )
        }
        value <- input$cellData[[value]]
    }
    if (length(value) != n) {
        .stopArgument(arg, "must be the name of a column or have a value per ",
            "cell, ", n, "; it has ", length(value), "."
        )
    }
    as.character(value)
}

.perturbedCells <- function(input, perturbation, control, block, grn,
    minCells, sep, guides) {
    given <- trimws(.cellColumn(input, perturbation, "perturbation"))
    tfs <- tfNames(grn)
    read <- .readLabels(given, control, unique(c(tfs, geneNames(grn),
        input$names, input$symbols)), sep, guides)
    label <- toupper(read$perturbation[match(given, read$label)])
    isControl <- which(label == "CONTROL")
    if (length(isControl) < minCells) {
        .stopArgument("control", "labels ", .count(length(isControl), "cell"),
            ", fewer than minCells = ", minCells, "; the labels are ",
            .some(unique(given), 8L), "."
        )
    }
    cells <- lapply(setNames(toupper(tfs), tfs), function(tf) {
        which(label == tf)
    })
    count <- lengths(cells)
    if (all(count == 0L)) {
        .stopArgument("perturbation", "has no label that is a TF of the ",
            "network; it has ", .some(unique(given), 8L), ", the TFs are ",
            .some(tfs), "."
        )
    }
    few <- count > 0L & count < minCells
    if (all(count < minCells)) {
        .stopArgument("perturbation", "has no TF of the network with ",
            minCells, " cells or more ('minCells'): ",
            .some(paste(names(count)[few], count[few])), "."
        )
    }
    if (any(few)) {
        message("left out for having fewer than ", minCells, " cells: ",
            .some(names(count)[few])
        )
    }
    stratum <- if (is.null(block)) NULL else
        .asFactor(.cellColumn(input, block, "block"))
    if (anyNA(stratum[c(isControl, unlist(cells))])) {
        .stopArgument("block", "is missing for cells that are compared.")
    }
    list(control = isControl, cells = cells[count >= minCells],
        stratum = stratum
    )
}

## Log-normalised values of the network's genes that were measured: `values`
## (cells x genes, sparse), `genes` (their names in the network).
.measuredGenes <- function(input, grn, logged) {
    genes <- geneNames(grn)
    at <- match(toupper(genes), toupper(input$clean))
    if (!is.null(input$symbols)) {
        other <- match(toupper(genes), toupper(input$symbols))
        at[is.na(at)] <- other[is.na(at)]
    }
    if (sum(!is.na(at)) < 2L) {
        .stopArgument("x", "has ", sum(!is.na(at)), " of the network's ",
            length(genes), " genes; such as ", .some(genes, 3L),
            " are missing. Check the kind of gene names."
        )
    }
    m <- input$matrix
    all <- seq_len(ncol(m))
    scan <- list(whole = TRUE, largest = 0)
    for (part in .columnChunks(m)) {
        chunk <- .columnChunk(m, part)
        .badValues(chunk, input$names, input$cells, part, sanitize = FALSE)
        scan$whole <- scan$whole && all(chunk@x == floor(chunk@x))
        scan$largest <- max(scan$largest, chunk@x)
    }
    logged <- .isLogged(logged, input$assay, scan)
    if (!logged && !scan$whole) {
        .warnLogs(input$assay, scan$largest, "If it holds log values, say ",
            "alreadyNormalised = TRUE.", verbose = FALSE
        )
    }
    values <- .extractValues(m, at[!is.na(at)], all, .cellTotals(m), 1e4,
        logged, FALSE
    )
    list(values = Matrix::t(values), genes = genes[!is.na(at)])
}

## The `top` edges between perturbed, measured TFs and measured genes.
.perturbedEdges <- function(grn, job) {
    tfs <- intersect(names(job$cells), job$genes)
    if (length(tfs) == 0L) {
        .stopArgument("x", "has not measured the perturbed TFs ",
            .some(names(job$cells)), ", which are then not in the network's ",
            "part that can be compared."
        )
    }
    s <- grn@scores[tfs, job$genes, drop = FALSE]
    edges <- .matrixEdges(s, list(top = length(s)), FALSE)
    edges <- utils::head(edges, job$top)
    if (nrow(edges) == 0L) {
        .stopArgument("x", "has no gene measured but the perturbed TF.")
    }
    edges
}

## ---- distances -------------------------------------------------------------

.shifts <- function(job, cells, genes, nPerm, nBoot, stratum, use) {
    label <- as.raw(rep(0:1, c(length(job$control), length(cells))))
    at <- c(job$control, cells)
    if (!is.null(use)) {
        label <- label[use[at]]
        at <- at[use[at]]
    }
    x <- as.matrix(job$values[at, match(genes, job$genes), drop = FALSE])
    strata <- if (is.null(stratum)) NULL else as.integer(stratum[at]) - 1L
    .Call(cw_r_wasserstein, x, label, strata, nlevels(stratum),
        list(permutations = nPerm, draws = nBoot), job$key, job$threads
    )
}

## All that one TF's edges need. Rows of `matched` are edges, of places in
## job$genes.
.oneTf <- function(tf, job, level) {
    edges <- job$edges[job$edges$Gene1 == tf, ]
    all <- .shifts(job, job$cells[[tf]], job$genes, 0, 0, job$stratum, NULL)
    at <- match(edges$Gene2, job$genes)
    own <- match(tf, job$genes)
    free <- setdiff(seq_along(job$genes), c(at, own))
    near <- lapply(at, function(g) {
        free[utils::head(order(abs(level[free] - level[[g]])), job$matched)]
    })
    exact <- .shifts(job, job$cells[[tf]], edges$Gene2, job$nPerm, 0,
        job$stratum, NULL
    )
    boot <- if (job$nBoot > 0L) {
        used <- unique(c(at, unlist(near)))
        drawn <- .shifts(job, job$cells[[tf]], job$genes[used], 0, job$nBoot,
            job$stratum, NULL
        )
        list(used = used, distance = drawn$drawn, shift = drawn$drawnShift)
    }
    list(edges = edges, at = at, own = own, near = near, boot = boot,
        all = all$distance, shift = all$shift, exact = exact,
        blocks = .byBlock(tf, edges, near, job, all$shift[at])
    )
}

.percentileOf <- function(value, others) {
    if (length(others) == 0L) NA_real_ else
        mean(others < value) + mean(others == value) / 2
}

## The same within each replicate with cells enough.
.byBlock <- function(tf, edges, near, job, shift) {
    at <- match(edges$Gene2, job$genes)
    rows <- lapply(levels(job$stratum), function(r) {
        use <- job$stratum == r
        cells <- job$cells[[tf]]
        if (sum(use[cells]) < job$minCells ||
            sum(use[job$control]) < job$minCells) {
            return(NULL)
        }
        used <- unique(c(at, unlist(near)))
        s <- .shifts(job, cells, job$genes[used], 0, 0, NULL, use)
        mine <- match(at, used)
        data.frame(block = r, edge = seq_along(at),
            distance = s$distance[mine],
            percentile = vapply(seq_along(at), function(e) {
                .percentileOf(s$distance[mine[[e]]],
                    s$distance[match(near[[e]], used)]
                )
            }, numeric(1)),
            same = sign(s$shift[mine]) == sign(shift) & shift != 0
        )
    })
    do.call(rbind, rows)
}
