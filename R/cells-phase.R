## Phases of the cell cycle by marker genes, for cells without a reference.

.cycleGenes <- list(
    S = c("MCM5", "PCNA", "TYMS", "FEN1", "MCM2", "MCM4", "RRM1", "UNG",
        "GINS2", "MCM6", "CDCA7", "DTL", "PRIM1", "UHRF1", "CENPU", "MLF1IP",
        "HELLS", "RFC2", "RPA2", "NASP", "RAD51AP1", "GMNN", "WDR76", "SLBP",
        "CCNE2", "UBR7", "POLD3", "MSH2", "ATAD2", "RAD51", "RRM2", "CDC45",
        "CDC6", "EXO1", "TIPIN", "DSCC1", "BLM", "CASP8AP2", "USP1", "CLSPN",
        "POLA1", "CHAF1B", "BRIP1", "E2F8"),
    G2M = c("HMGB2", "CDK1", "NUSAP1", "UBE2C", "BIRC5", "TPX2", "TOP2A",
        "NDC80", "CKS2", "NUF2", "CKS1B", "MKI67", "TMPO", "CENPF", "TACC3",
        "PIMREG", "FAM64A", "SMC4", "CCNB2", "CKAP2L", "CKAP2", "AURKB",
        "BUB1", "KIF11", "ANP32E", "TUBB4B", "GTSE1", "KIF20B", "HJURP",
        "CDCA3", "JPT1", "HN1", "CDC20", "TTK", "CDC25C", "KIF2C", "RANGAP1",
        "NCAPD2", "DLGAP5", "CDCA2", "CDCA8", "ECT2", "KIF23", "HMMR",
        "AURKA", "PSRC1", "ANLN", "LBR", "CKAP5", "CENPE", "CTCF", "NEK2",
        "G2E3", "GAS2L3", "CBX5", "CENPA")
)

#' Phases of the cell cycle
#'
#' Scores of S and G2/M by the marker genes of Tirosh et al., and the phase:
#' the higher of both, or G1 where neither is above 0. Where labelled cells are
#' at hand, even a handful, `annotateCells(x, reference, labels = "phase")`
#' learns from these.
#'
#' @details
#' A score is the mean log expression of the set less that of the other genes
#' of like mean expression (24 bins). Whether the cells cycle at all is asked
#' of random sets of the same size and expression: genes of a real programme
#' vary together, so the score's variance must be above that of 95% of them.
#'
#' @param x cells, see [cellInput]; human or mouse symbols.
#' @param nPerm random sets of each kind.
#' @param assay.type,assay,symbols,species,alreadyNormalised see [cellInput].
#' @param seed whole number for random choices; `NULL`: R's generator.
#' @return A [CellLabels-class] whose table `"cells"` has `cell`, `label`
#'   (`"G1"`, `"S"`, `"G2M"`), `scoreS`, `scoreG2M`, and whose table `"sets"`
#'   has the genes found, the variance, and its p among random sets. For
#'   [addLabels()].
#' @section Errors: fewer than 5 markers of either set.
#' @references Tirosh et al., Science 352 (2016) 189.
#' @seealso [annotateCells()], [addLabels()]
#' @examples
#' cells <- exampleCells(60)
#' rownames(cells)[21:40] <- c("MCM5", "PCNA", "TYMS", "FEN1", "MCM2", "MCM4",
#'     "RRM1", "UNG", "GINS2", "MCM6", "HMGB2", "CDK1", "NUSAP1", "UBE2C",
#'     "BIRC5", "TPX2", "TOP2A", "NDC80", "CKS2", "NUF2")
#' cellCyclePhase(cells, nPerm = 20, seed = 1)
#' @export
cellCyclePhase <- function(x, nPerm = 200, assay.type = NULL, assay = NULL,
    symbols = NULL, species = NULL, alreadyNormalised = NULL, seed = NULL) {
    nPerm <- .checkNumber(nPerm, "nPerm", 10, 10000, whole = TRUE)
    key <- .newKey(seed)
    input <- .typeCells(x, .inputArgs(assay.type = assay.type, assay = assay,
        symbols = symbols, species = species,
        alreadyNormalised = alreadyNormalised), "x")
    names <- if (input$type == "ensembl") .symbolKey(input) else input$key
    sets <- lapply(.cycleGenes, function(g) which(names %in% g))
    for (set in names(sets)) {
        if (length(sets[[set]]) < 5L) {
            .stopArgument("x", "has ", .count(length(sets[[set]]), "gene"),
                " of the ", length(.cycleGenes[[set]]), " markers of ", set,
                "; 5 are needed. Are its names symbols? See reconcileGenes()."
            )
        }
    }
    data <- .dataSet(input$matrix, seq_len(nrow(input$matrix)), input$logged,
        "x", input$assay)
    bins <- .meanBins(data)
    W <- .setWeights(sets, bins, nPerm, key)
    .phaseReport(.setScores(data, W), sets, input$cells, nPerm, seed)
}

## Values of a block as logs, sparse.
.loggedBlock <- function(data, columns) {
    m <- .asColumns(.columnChunk(data$matrix, columns))
    .checkFinite(m@x, data$assay, data$arg)
    if (!data$logged) {
        total <- pmax(Matrix::colSums(m), 1e-9)
        m@x <- log1p(1e4 * m@x / rep(total, diff(m@p)))
    }
    m
}

## A bin of mean expression for every gene, 24 of equal size; 0 for silent
## genes.
.meanBins <- function(data, n = 24L) {
    sum <- numeric(nrow(data$matrix))
    for (columns in .columnRanges(data$matrix)) {
        sum <- sum + Matrix::rowSums(.loggedBlock(data, columns))
    }
    bin <- integer(length(sum))
    on <- which(sum > 0)
    bin[on[order(sum[on])]] <- ceiling(seq_along(on) / length(on) * n)
    bin
}

## Genes x (sets, then random ones of the first, then of the second): a set's
## mean less that of the others in its bins.
.setWeights <- function(sets, bins, nPerm, key) {
    columns <- c(sets, lapply(seq_len(2L * nPerm), function(i) {
        .likeSet(sets[[if (i <= nPerm) 1L else 2L]], bins,
            .shuffled(length(bins), key, i))
    }))
    W <- vapply(columns, .setWeight, numeric(length(bins)), bins = bins)
    methods::as(methods::as(W, "dMatrix"), "CsparseMatrix")
}

.setWeight <- function(set, bins) {
    w <- numeric(length(bins))
    inSet <- seq_along(bins) %in% set
    for (b in unique(bins[set])) {
        n <- sum(bins[set] == b)
        others <- which(bins == b & !inSet)
        if (length(others)) w[others] <- -n / length(others)
    }
    w[set] <- w[set] + 1
    w / length(set)
}

## Random genes with as many in every bin.
.likeSet <- function(set, bins, order) {
    n <- tabulate(bins[set] + 1L, max(bins) + 1L)
    unlist(lapply(which(n > 0L), function(b) {
        head(order[bins[order] == b - 1L], n[[b]])
    }))
}

## Scores of the first two columns (cells x 2) and the variance of all.
.setScores <- function(data, W) {
    sum <- square <- numeric(ncol(W))
    parts <- lapply(.columnRanges(data$matrix), function(columns) {
        s <- as.matrix(Matrix::crossprod(.loggedBlock(data, columns), W))
        list(scores = s[, 1:2, drop = FALSE], sum = colSums(s),
            square = colSums(s^2))
    })
    sum <- Reduce(`+`, lapply(parts, `[[`, "sum")) / data$n
    square <- Reduce(`+`, lapply(parts, `[[`, "square")) / data$n
    list(scores = do.call(rbind, lapply(parts, `[[`, "scores")),
        variance = square - sum^2)
}

.phaseReport <- function(found, sets, cells, nPerm, seed) {
    s <- found$scores
    phase <- ifelse(s[, 1L] <= 0 & s[, 2L] <= 0, "G1",
        ifelse(s[, 1L] >= s[, 2L], "S", "G2M"))
    v <- found$variance
    null <- list(v[2L + seq_len(nPerm)], v[2L + nPerm + seq_len(nPerm)])
    p <- vapply(1:2, function(i) {
        (1 + sum(null[[i]] >= v[[i]])) / (1 + nPerm)
    }, 0)
    table <- data.frame(set = names(sets), genes = lengths(sets),
        variance = v[1:2], random = vapply(null, mean, 0), p = p,
        row.names = NULL)
    holds <- all(p < 0.05)
    share <- table(factor(phase, c("G1", "S", "G2M"))) / length(phase)
    text <- c(sprintf(paste("Phases are %s: genes of S vary together as those",
        "of random sets do at p = %.3g, of G2/M at p = %.3g."), if (holds)
        "distinguishable" else "not distinguishable in these cells", p[[1L]],
        p[[2L]]), sprintf("G1 %.0f%%, S %.0f%%, G2/M %.0f%% of the cells.",
        100 * share[[1L]], 100 * share[[2L]], 100 * share[[3L]]))
    cells <- data.frame(cell = cells, label = phase, scoreS = s[, 1L],
        scoreG2M = s[, 2L], row.names = NULL)
    counts <- data.frame(label = names(share), cells = as.vector(
        table(factor(phase, c("G1", "S", "G2M")))), share = as.vector(share))
    .report("CellLabels", .verdict(text, holds), list(cells = cells,
        counts = counts, sets = table), list(nPerm = nPerm), seed)
}
