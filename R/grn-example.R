## A small network object for examples and tests.

#' A small simulated network object
#'
#' For examples and tests: networks of `nCells` cells with real human symbols,
#' written down by a rule (no random numbers) in which each TF drives its own
#' targets, most of all at its own time. Expression follows the networks. The
#' edges are made up: they say nothing about these genes.
#'
#' @param nCells number of cells, at least 4.
#' @param nGenes number of genes, from 12 to 60.
#' @return A [CellGRN-class] with 8 TFs; its `cellData` has the columns
#'   `group` ("early", "late") and `time` (hours).
#' @section Errors: a number out of range is an error naming it.
#' @examples
#' grn <- exampleGRN()
#' grn
#' @export
exampleGRN <- function(nCells = 40, nGenes = 40) {
    nCells <- .checkNumber(nCells, "nCells", 4, 9999, whole = TRUE)
    nGenes <- .checkNumber(nGenes, "nGenes", 12, 60, whole = TRUE)
    genes <- .exampleGenes[seq_len(nGenes)]
    nTF <- 8L
    time <- (seq_len(nCells) - 1) / (nCells - 1)
    tf <- seq_len(nTF)
    ## each TF has its own hour
    active <- outer(time, tf, function(t, i) {
        0.1 + 0.8 * exp(-((t - (i - 0.5) / nTF) / 0.25)^2)
    })
    f <- .exampleFactors(active, nTF, nGenes)
    regulator <- (seq_len(nGenes) - 1L) %% nTF + 1L
    wave <- outer(seq_len(nGenes), seq_len(nCells), function(g, c) {
        0.3 * (1 + sin(g * 1.7 + c * 2.3))
    })
    expression <- 2 * t(active[, regulator]) + wave
    expression[expression < 0.4] <- 0
    CellGRN(
        tfs = genes[tf], genes = genes,
        cells = sprintf("cell%0*d", max(2L, nchar(nCells)), seq_len(nCells)),
        nFactors = 12L, k = 3L, factors = f, expression = expression,
        cellData = S4Vectors::DataFrame(
            group = ifelse(time < 0.5, "early", "late"),
            time = round(48 * time, 1)
        ),
        metadata = list(
            model = "simulated by rule", seed = NA, prior = "none",
            species = "human",
            coverage = list(matched = nGenes, total = nGenes, lost = 0L)
        )
    )
}

## u: TF i sits on factor i; v: gene g on its regulator's factor, as far as
## that TF is active, on the next TF's, and the rest on the idle factors 9-12.
.exampleFactors <- function(active, nTF, nGenes) {
    nCells <- nrow(active)
    u <- array(0, c(nCells, nTF, 12L))
    v <- array(0, c(nCells, nGenes, 12L))
    for (i in seq_len(nTF)) {
        u[, i, i] <- 0.8
        u[, i, i %% nTF + 1L] <- 0.15
        u[, i, 9L] <- 0.05
    }
    for (g in seq_len(nGenes)) {
        i <- (g - 1L) %% nTF + 1L
        main <- active[, i] * (0.9 - 0.5 * g / nGenes)
        v[, g, i] <- main
        v[, g, i %% nTF + 1L] <- (1 - main) * 0.2
        v[, g, 9L + g %% 4L] <- (1 - main) * 0.8
    }
    .factorsFromDense(u, v, 3L)
}

.exampleGenes <- c(
    "MYOD1", "MYOG", "MEF2C", "MYF5", "ID1", "TEAD4", "SRF", "FOS",
    "ACTA1", "CKM", "DES", "MYH3", "MYH8", "TNNT1", "TNNC1", "TTN", "ENO3",
    "MYL1", "MYL4", "CDK1", "CCNB1", "TOP2A", "MKI67", "PCNA", "TYMS", "AURKB",
    "BIRC5", "HMGB2", "COL1A1", "COL1A2", "FN1", "SPARC", "VIM", "TAGLN",
    "ACTA2", "THY1", "CAV1", "CAV3", "DMD", "NCAM1", "ATP2A1", "RYR1", "CASQ2",
    "MYBPH", "MYOM1", "NEB", "LMOD3", "KLHL41", "TRIM63", "FBXO32", "CDKN1A",
    "CDKN1C", "RB1", "CCND1", "CCNE2", "MCM5", "SPHK1", "LIF", "IL6", "CCL2"
)
