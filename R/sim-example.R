#' A small simulated data set with a known network
#'
#' For examples and tests: counts of real human transcription factors and made
#' up target genes in cells along a course from 0 to 1. Every target follows
#' one or two factors; the network is in `metadata(x)$network`. The numbers
#' come from a fixed recurrence: the same `seed` gives the same cells on every
#' machine, and R's random numbers are not touched.
#'
#' @param nCells number of cells, 1 or more.
#' @param nGenes number of genes, 4 or more; about one in six is a factor.
#' @param seed whole number from 1 to 2147483646.
#' @return A `SingleCellExperiment` with assay `counts` (dgCMatrix, genes x
#'   cells), `colData` columns `time` (0 to 1), `group` and `species`, and the
#'   data.frame `metadata(x)$network` with columns `Gene1` (factor) and `Gene2`
#'   (target).
#' @section Errors: a number out of range is an error naming it.
#' @examples
#' cells <- exampleCells()
#' cells
#' head(S4Vectors::metadata(cells)$network)
#' @export
exampleCells <- function(nCells = 60, nGenes = 80, seed = 1) {
    nCells <- .checkNumber(nCells, "nCells", 1, 1e6, TRUE)
    nGenes <- .checkNumber(nGenes, "nGenes", 4, 1e5, TRUE)
    seed <- .checkNumber(seed, "seed", 1, 2147483646, TRUE)
    nTfs <- min(length(.exampleTfs), max(2L, nGenes %/% 6L))
    nTargets <- nGenes - nTfs
    draw <- .exampleStream(seed)
    time <- (seq_len(nCells) - 0.5) / nCells
    ## Factor i is most active at its own time of the course.
    peak <- (seq_len(nTfs) - 0.5) / nTfs
    activity <- 1.5 * exp(-((outer(peak, time, "-")) / 0.2)^2) +
        matrix(0.4 * stats::qnorm(draw(nTfs * nCells)), nTfs)
    first <- (seq_len(nTargets) - 1L) %% nTfs + 1L
    second <- pmin(nTfs, 1L + floor(draw(nTargets) * nTfs))
    pair <- draw(nTargets) < 0.5 & second != first
    drive <- activity[first, , drop = FALSE]
    drive[pair, ] <- (drive[pair, , drop = FALSE] +
        activity[second[pair], , drop = FALSE]) / 2
    level <- exp(rbind(activity, 1.2 * drive) + 2 * draw(nGenes) - 0.5)
    depth <- 0.5 + draw(nCells)
    counts <- matrix(stats::qpois(
        draw(nGenes * nCells), level * rep(depth, each = nGenes)
    ), nGenes)
    genes <- c(
        .exampleTfs[seq_len(nTfs)], sprintf("TARGET%03d", seq_len(nTargets))
    )
    .exampleObject(counts, genes, time, nTfs, first, second, pair)
}

.exampleTfs <- c(
    "MYOD1", "MYOG", "MEF2C", "MYF5", "GATA1", "SPI1", "CEBPA", "RUNX1",
    "KLF4", "SOX2", "POU5F1", "NANOG", "TP53", "STAT1", "IRF8", "JUN",
    "FOS", "EGR1", "PAX6", "TBX21"
)

.exampleObject <- function(counts, genes, time, nTfs, first, second, pair) {
    nCells <- ncol(counts)
    ## A cell or gene without any count would be no example of real data.
    counts[cbind(1L, which(colSums(counts) == 0))] <- 1
    counts[cbind(which(rowSums(counts) == 0), rep(1L, sum(
        rowSums(counts) == 0
    )))] <- 1
    dimnames(counts) <- list(genes, sprintf("cell%03d", seq_len(nCells)))
    targets <- genes[-seq_len(nTfs)]
    network <- rbind(
        data.frame(Gene1 = genes[first], Gene2 = targets),
        data.frame(Gene1 = genes[second[pair]], Gene2 = targets[pair])
    )
    group <- c("early", "middle", "late")[pmin(3L, 1L + floor(time * 3))]
    SingleCellExperiment::SingleCellExperiment(
        assays = list(counts = methods::as(counts, "dgCMatrix")),
        colData = S4Vectors::DataFrame(
            time = time, group = group,
            species = "human", row.names = colnames(counts)
        ),
        metadata = list(network = network)
    )
}

## Park and Miller's minimal standard generator: a function drawing n numbers
## in (0, 1). Exact in doubles, so equal everywhere.
.exampleStream <- function(seed) {
    state <- new.env(parent = emptyenv())
    state$x <- as.numeric(seed)
    function(n) {
        out <- numeric(n)
        x <- state$x
        for (i in seq_len(n)) {
            x <- (16807 * x) %% 2147483647
            out[[i]] <- x
        }
        state$x <- x
        out / 2147483647
    }
}
