## Cells of a perturbation screen whose effects are known.

#' Simulate a perturbation screen whose effects are known
#'
#' Signalling genes feed transcription factors, four genes and two factors a
#' pathway; factors regulate targets, saturating, some targets only when two
#' regulators act at once (so pairs are not additive). A stress programme
#' answers to any disturbance, so that all perturbations share a mean effect, as
#' in real screens. Every gene but the targets is perturbed alone, and some in
#' pairs; a perturbation works in a share of its cells. Counts are negative
#' binomial.
#'
#' The screen comes with side information, a noisy copy of the wiring, in the
#' form in which [fitPerturbation()] takes it: terms of genes, a graph, and a
#' network with a recall of 0.6 and about as many false edges. Real networks are
#' worse: take the order of methods from such data, not the size of their skill.
#'
#' @param nPathways number of pathways; 6 genes are perturbed for each.
#' @param nTargets number of genes that regulate none.
#' @param nPairs pairs of genes perturbed together, half of them within a
#'   pathway.
#' @param cells two whole numbers: fewest and most cells of a perturbation.
#' @param nControl number of control cells.
#' @param depth median library size.
#' @param escape do some cells escape their perturbation?
#' @param activation are genes turned up (fourfold), not down (to a tenth)?
#' @param truth 0, or the number of cells per perturbation, all of which are
#'   changed, whose mean is taken for the truth.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number. The same numbers for any number of threads.
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @return A `SingleCellExperiment` with assay `counts` (dgCMatrix, genes x
#'   cells) and `colData` columns `perturbation` (`"control"`, a gene, or two as
#'   `"A+B"`) and `worked` (number of its genes that are changed). `metadata(x)`
#'   has `go` (data.frame `gene`, `term`), `graph` (data.frame `from`, `to`),
#'   `network` (data.frame `from`, `to`, `weight`), and `simulation`, a list:
#'   settings, seed, `works` (share of cells in which a gene's perturbation
#'   works) and `truth` (genes x perturbations, change of the mean
#'   log-normalised value where every perturbation works; read it with
#'   [simulatedTruth()]).
#' @section Errors: a number out of range is an error naming it; so are more
#'   pairs than there are genes for.
#' @references The model is that of the package's notes on perturbations; it
#'   is in the manner of dyngen (Cannoodt et al. 2021, Nature Communications 12,
#'   3942), much simplified.
#' @seealso [fitPerturbation()], [simulateCells()]
#' @examples
#' x <- simulatePerturbations(nPathways = 2, nTargets = 20, nPairs = 3,
#'     cells = c(10, 20), nControl = 50, seed = 1
#' )
#' table(x$perturbation)
#' head(S4Vectors::metadata(x)$network)
#' @export
simulatePerturbations <- function(nPathways = 10, nTargets = 180, nPairs = 60,
    cells = c(40, 249), nControl = 1500, depth = 1500, escape = TRUE,
    activation = FALSE, truth = 0, seed = NULL, threads = NULL) {
    cells <- .twoNumbers(cells, "cells", 1, 1e6, TRUE)
    o <- list(
        pathways = .checkNumber(nPathways, "nPathways", 1, 1000, TRUE),
        targets = .checkNumber(nTargets, "nTargets", 1, 1e5, TRUE),
        pairs = .checkNumber(nPairs, "nPairs", 0, 1e6, TRUE),
        cellsLow = cells[[1L]], cellsHigh = cells[[2L]],
        controls = .checkNumber(nControl, "nControl", 1, 1e7, TRUE),
        truth = .checkNumber(truth, "truth", 0, 1e6, TRUE),
        depth = .checkNumber(depth, "depth", 0, 1e9, open = TRUE),
        escape = .checkFlag(escape, "escape"),
        activation = .checkFlag(activation, "activation")
    )
    genes <- 6 * o$pathways
    most <- min(2 * ((15 * o$pathways) %/% 2), genes * (genes - 1) / 4)
    if (o$pairs > most) {
        .stopArgument("nPairs", "is ", o$pairs, ", but ", genes,
            " perturbed genes allow for ", most, " pairs; raise 'nPathways'."
        )
    }
    key <- .newKey(seed)
    drawn <- .Call(cw_r_screen, o, key, .threads(threads))
    .screenObject(drawn, o, key)
}

.screenObject <- function(s, o, key) {
    number <- function(what, n) {
        sprintf("%s%0*d", what, max(2L, nchar(n)), seq_len(n))
    }
    perturbed <- c(number("SIG", 4 * o$pathways), number("FAC", 2 * o$pathways))
    genes <- c(perturbed, number("GENE", o$targets))
    used <- which(!is.na(s$of))
    labels <- perturbed[s$first + 1L]
    pair <- s$second >= 0L
    labels[pair] <- paste0(labels[pair], "+", perturbed[s$second[pair] + 1L])
    counts <- .asSparse(s$counts[, used, drop = FALSE])
    cells <- sprintf("cell%0*d", nchar(length(used)), seq_along(used))
    dimnames(counts) <- list(genes, cells)
    if (ncol(s$truth)) {
        dimnames(s$truth) <- list(genes, labels)
    }
    SingleCellExperiment::SingleCellExperiment(
        assays = list(counts = counts),
        colData = S4Vectors::DataFrame(
            perturbation = c("control", labels)[s$of[used] + 2L],
            worked = colSums(s$hit[, used, drop = FALSE]), row.names = cells
        ),
        metadata = c(.screenSide(s, perturbed, genes), list(
            simulation = list(kind = "screen", settings = o,
                seed = .keyText(key), works = setNames(s$works, perturbed),
                truth = s$truth
            )
        ))
    )
}

.screenSide <- function(s, perturbed, genes) {
    term <- which(s$term == 1L, arr.ind = TRUE)
    graph <- which(s$graph == 1L & upper.tri(s$graph), arr.ind = TRUE)
    network <- which(s$network != 0, arr.ind = TRUE)
    list(
        go = data.frame(gene = perturbed[term[, 2L]],
            term = sprintf("TERM:%04d", term[, 1L])
        ),
        graph = data.frame(from = perturbed[graph[, 1L]],
            to = perturbed[graph[, 2L]]
        ),
        network = data.frame(from = perturbed[network[, 2L]],
            to = genes[network[, 1L]], weight = s$network[network]
        )
    )
}

## What simulatedTruth() gives for these cells.
.screenTruth <- function(truth) {
    if (!length(truth$truth)) {
        .stopArgument("x", "was simulated without its truth; ",
            "simulatePerturbations(truth = 300) keeps it."
        )
    }
    truth$truth
}
