## Simulated cells of known types: each type has 12 markers of its own; two
## donors, the second with a batch's shift and half the depth.

simulatedTypes <- function(n = 40, types = c("B", "NK", "T"), genes = 160,
    strength = 1.5, seed = 1) {
    set.seed(seed)
    K <- length(types)
    type <- rep(types, each = n)
    donor <- rep_len(c("d1", "d2"), n * K)
    level <- matrix(rnorm(genes, 0, 0.7), genes, n * K)
    for (k in seq_len(K)) {
        own <- (k - 1L) * 12L + 1:12
        level[own, type == types[[k]]] <- level[own, type == types[[k]]] +
            strength
    }
    shift <- rnorm(genes, 0, 0.4)
    level[, donor == "d2"] <- level[, donor == "d2"] + shift - log(2)
    counts <- matrix(rpois(length(level), exp(level)), genes)
    counts[1L, colSums(counts) == 0] <- 1
    dimnames(counts) <- list(sprintf("GENE%03d", seq_len(genes)),
        sprintf("c%03d", seq_len(n * K)))
    order <- sample(n * K)
    SingleCellExperiment::SingleCellExperiment(
        list(counts = as(counts[, order], "CsparseMatrix")),
        colData = S4Vectors::DataFrame(cell_type = type[order],
            donor = donor[order])
    )
}

## Made once, used by several files.
.cellsMade <- new.env()

simulatedAnnotator <- function() {
    if (is.null(.cellsMade$annotator)) {
        .cellsMade$annotator <- trainAnnotator(simulatedTypes(), block =
            "donor", nPerm = 3, seed = 1, verbose = FALSE)
    }
    .cellsMade$annotator
}

simulatedLabels <- function() {
    if (is.null(.cellsMade$labels)) {
        .cellsMade$labels <- annotateCells(simulatedTypes(seed = 2),
            simulatedAnnotator(), seed = 1, verbose = FALSE)
    }
    .cellsMade$labels
}

bloodOntology <- function() {
    readOntology(system.file("extdata", "blood.obo", package = "causeway"))
}

bloodTerms <- c(B = "CL:0000236", NK = "CL:0000623", T = "CL:0000084")
