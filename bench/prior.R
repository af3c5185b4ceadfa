## What a prior does to the evidence ridge: RidgeGRNParam(prior = ), by log
## evidence and by edges the prior did not hold.
##
##   Rscript bench/prior.R [DATA] [CSV]
##
## Sets: simulateCells() (300 cells, 120 genes, 20 TFs, depth 1; three seeds)
## with its truth, half of it, the truth among three times as many edges at
## random, and the truth with its targets dealt anew as priors; and hESC of
## BEELINE with CollecTRI, DoRothEA A-C, TRRUST and a dealt CollecTRI, scored
## against its reference. strength: what the evidence chose (1: not used);
## gain, nullGain: log evidence over no prior, and the largest of dealt priors.
## auprcRatio: over chance, all candidates; other: AUROC over the edges that
## the prior does not hold, where a prior can't help by being the answer.

arguments <- commandArgs(trailingOnly = TRUE)
data <- if (length(arguments)) arguments[[1L]] else "../shared/data"
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
bench <- if (length(script)) dirname(script) else "bench"
csv <- if (length(arguments) > 1L) arguments[[2L]] else
    file.path(bench, "results", "prior.csv")
suppressPackageStartupMessages(library(causeway))

truthOf <- function(scores, edges) {
    truth <- matrix(FALSE, nrow(scores), ncol(scores),
        dimnames = dimnames(scores)
    )
    edges <- edges[edges$Gene1 %in% rownames(truth) &
        edges$Gene2 %in% colnames(truth), ]
    truth[cbind(edges$Gene1, edges$Gene2)] <- TRUE
    truth
}

measure <- function(grn, edges, known) {
    scores <- as.matrix(grn)
    truth <- truthOf(scores, edges)
    use <- outer(rownames(scores), colnames(scores), `!=`) &
        rowSums(truth) > 0
    y <- truth[use][order(-scores[use])]
    ratio <- mean((cumsum(y) / seq_along(y))[y]) / mean(y)
    use <- use & !truthOf(scores, known)
    r <- rank(scores[use])
    y <- truth[use]
    n <- as.numeric(sum(y))
    c(ratio, (sum(r[y]) - n * (n + 1) / 2) / (n * (length(y) - n)))
}

## The fit with and without the prior, scored on the same edges.
compare <- function(set, x, edges, priors, ...) {
    plain <- inferGRN(x, RidgeGRNParam(), seed = 1, verbose = FALSE, ...)
    do.call(rbind, lapply(names(priors), function(name) {
        known <- priors[[name]]
        known <- known[known$Gene1 %in% rownames(as.matrix(plain)) &
            known$Gene2 %in% colnames(as.matrix(plain)), ]
        time <- system.time(grn <- inferGRN(x, RidgeGRNParam(prior = known),
            seed = 1, verbose = FALSE, ...
        ))[["elapsed"]]
        e <- S4Vectors::metadata(grn)$priorEvidence
        with <- measure(grn, edges, known)
        without <- measure(plain, edges, known)
        data.frame(set = set, prior = name, edges = e$edges,
            strength = e$strength, gain = e$gain, nullGain = max(e$nullGain),
            auprcRatio = with[[1L]], auprcRatioPlain = without[[1L]],
            other = with[[2L]], otherPlain = without[[2L]], elapsed = time
        )
    }))
}

simulated <- function(seed) {
    x <- simulateCells(nCells = 300, nGenes = 120, nTFs = 20, seed = seed)
    edges <- S4Vectors::metadata(x)$simulation$edges
    names(edges)[1:2] <- c("Gene1", "Gene2")
    set.seed(seed)
    n <- 3L * nrow(edges)
    random <- data.frame(Gene1 = sample(edges$Gene1, n, TRUE),
        Gene2 = sample(rownames(x), n, TRUE)
    )
    compare(paste("simulated", seed), x, edges, list(
        truth = edges[1:2], half = edges[seq(1L, nrow(edges), 2L), 1:2],
        noisy = rbind(edges[1:2], random),
        dealt = transform(edges[1:2], Gene2 = sample(Gene2))
    ), nTargets = Inf, tfs = unique(edges$Gene1))
}

real <- function() {
    folder <- file.path(data, "03_grn", "beeline_real_small", "human", "hESC")
    if (!dir.exists(folder)) {
        message("no ", folder, ": left out")
        return(NULL)
    }
    x <- as.matrix(utils::read.csv(file.path(folder, "ExpressionData.csv"),
        row.names = 1L, check.names = FALSE
    ))
    edges <- utils::read.csv(file.path(folder, "refNetwork.csv"))
    at <- function(name) file.path(data, "04_resources", name)
    priors <- list(
        collectri = priorNetwork("human", cache = at("collectri")),
        dorothea = priorNetwork("human", "dorothea", cache = at("dorothea")),
        trrust = priorNetwork("human", "trrust", cache = at("trrust"))
    )
    set.seed(1)
    here <- priors$collectri[priors$collectri$Gene2 %in% rownames(x), ]
    priors$dealt <- transform(here, Gene2 = sample(Gene2))
    compare("hESC", x, edges, priors, nTargets = Inf,
        alreadyNormalised = TRUE, tfs = unique(edges$Gene1)
    )
}

out <- rbind(do.call(rbind, lapply(1:3, simulated)), real())
out[5:10] <- lapply(out[5:10], round, 3)
out$elapsed <- round(out$elapsed, 2)
hardware <- tryCatch(
    system2("sh", file.path(bench, "hardware.sh"), stdout = TRUE),
    error = function(e) "", warning = function(w) ""
)
connection <- file(csv, "w")
if (length(hardware) && nzchar(hardware[[1L]])) {
    writeLines(paste("#", hardware[[1L]]), connection)
}
utils::write.csv(out, connection, row.names = FALSE)
close(connection)
print(out, row.names = FALSE)
