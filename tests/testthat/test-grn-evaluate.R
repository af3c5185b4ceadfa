## Evaluation against references: the measures against their definitions.

## Average precision with ties grouped, and early precision, written out.
bruteMeasures <- function(score, positive) {
    levels <- sort(unique(score), decreasing = TRUE)
    k <- sum(positive)
    area <- 0
    before <- 0
    early <- 0
    seen <- 0
    for (level in levels) {
        chosen <- score >= level
        recall <- sum(positive[chosen]) / k
        area <- area + (recall - before) * mean(positive[chosen])
        before <- recall
        here <- score == level
        room <- min(sum(here), max(0, k - seen))
        early <- early + mean(positive[here]) * room
        seen <- seen + sum(here)
    }
    c(auprc = area, early = early / k)
}

simpleCase <- function(ties = FALSE) {
    genes <- paste0("g", seq_len(12))
    s <- matrix((seq_len(4 * 12) * 37) %% 101, 4,
        dimnames = list(genes[c(2, 5, 9, 11)], genes)
    )
    if (ties) s <- s %/% 20
    reference <- data.frame(
        TF = genes[c(2, 2, 2, 5, 5, 9)], Target = genes[c(1, 3, 4, 12, 7, 8)],
        Type = "+"
    )
    list(s = s, reference = reference, genes = genes)
}

test_that("AUPRC and early precision are those of the definition", {
    for (ties in c(FALSE, TRUE)) {
        case <- simpleCase(ties)
        e <- evaluateGRN(PooledGRN(case$s), case$reference, seed = 1)
        t <- as.data.frame(e)
        use <- case$s[1:3, ]
        keep <- rep(rownames(use), 12) != rep(colnames(use), each = 3)
        pairs <- paste(rep(rownames(use), 12), rep(colnames(use), each = 3))
        known <- pairs %in%
            paste(case$reference$TF, case$reference$Target)
        want <- bruteMeasures(as.vector(use)[keep], known[keep])
        expect_equal(t$auprc[[1]], want[["auprc"]])
        expect_equal(t$early[[1]], want[["early"]])
        expect_equal(t$auprcRatio[[1]], want[["auprc"]] / (6 / 33))
        expect_equal(e@facts$candidates, 33)
        expect_equal(e@facts$positives, 6)
        expect_true(t$auprcLow[[1]] <= t$auprcHigh[[1]])
    }
})

test_that("extremes are as they must be", {
    case <- simpleCase()
    best <- case$s * 0
    best[cbind(case$reference$TF, case$reference$Target)] <- 1
    t <- as.data.frame(evaluateGRN(PooledGRN(best), case$reference, nBoot = 50))
    expect_equal(c(t$auprc[[1]], t$early[[1]]), c(1, 1))
    expect_equal(t$auprcLow[[1]], 1)
    flat <- as.data.frame(
        evaluateGRN(PooledGRN(case$s * 0), case$reference, nBoot = 0)
    )
    expect_equal(flat$auprcRatio[[1]], 1)
    expect_equal(flat$earlyRatio[[1]], 1)
    expect_true(is.na(flat$auprcLow[[1]]))
})

test_that("set.seed() or seed governs, and the user's stream goes on", {
    grn <- exampleGRN()
    ref <- data.frame(Gene1 = "MYOG", Gene2 = c("CKM", "MYL1", "FOS"))
    set.seed(4)
    a <- evaluateGRN(grn, ref, nBoot = 30)
    set.seed(4)
    b <- evaluateGRN(grn, ref, nBoot = 30)
    expect_equal(a, b)
    one <- evaluateGRN(grn, ref, nBoot = 30, seed = 9)
    before <- .Random.seed
    expect_equal(one, evaluateGRN(grn, ref, nBoot = 30, seed = 9))
    expect_identical(before, .Random.seed)
    expect_false(isTRUE(all.equal(as.data.frame(a), as.data.frame(one))))
})

test_that("references come in several forms and are counted honestly", {
    grn <- exampleGRN()
    ref <- data.frame(gene1 = "MYOG", GENE2 = c("CKM", "MYL1", "CKM", "MYOG",
        "ELSEWHERE"
    ))
    e <- evaluateGRN(grn, ref, nBoot = 0, seed = 1)
    expect_equal(e@facts[c("positives", "duplicates", "selfEdges",
        "unknownGenes", "lostEdges", "candidates")],
    list(positives = 2L, duplicates = 1L, selfEdges = 1L, unknownGenes = 1L,
        lostEdges = 1L, candidates = 39L
    ))
    graph <- igraph::graph_from_data_frame(
        data.frame(from = "MYOG", to = c("CKM", "MYL1"))
    )
    expect_equal(as.data.frame(evaluateGRN(grn, graph, nBoot = 0, seed = 1)),
        as.data.frame(e)
    )
    expect_output(show(e), "1 unknown genes")
})

test_that("what can't be evaluated is refused, with the reason", {
    grn <- exampleGRN()
    ref <- data.frame(Gene1 = "MYOG", Gene2 = c("CKM", "MYL1"))
    s <- as.matrix(poolGRN(grn))
    expect_error(evaluateGRN(PooledGRN(s, filtered = TRUE), ref), "is filtered")
    expect_error(evaluateGRN(grn, ref[0, ]), "no edge")
    expect_error(evaluateGRN(grn, data.frame(a = 1)), "needs the columns")
    expect_error(evaluateGRN(grn, "MYOG"), "must be a data.frame.*no file")
    expect_error(
        evaluateGRN(grn, data.frame(Gene1 = "a", Gene2 = "b")),
        "2 of 2 genes unknown"
    )
    expect_error(
        evaluateGRN(grn, data.frame(Gene1 = "MYOG", Gene2 = geneNames(grn))),
        "every candidate"
    )
    expect_error(evaluateGRN(grn, ref, methods = "magic"), "magic")
    expect_error(evaluateGRN(poolGRN(grn), ref, methods = "pearson"),
        "'expression' is needed"
    )
    expect_error(evaluateGRN(grn, ref, nBoot = -1), "'nBoot' must be")
})

test_that("on BEELINE's simulations correlations beat a random ranking", {
    shared <- c(Sys.getenv("CAUSEWAY_SHARED"), "../../../shared",
        "../../../../shared"
    )
    folder <- file.path(shared[nzchar(shared)], "data", "03_grn",
        "beeline_synthetic", "Synthetic", "dyn-LL"
    )
    folder <- folder[dir.exists(folder)]
    skip_if(length(folder) == 0L, "no shared data")
    x <- as.matrix(read.csv(
        file.path(folder[[1]], "dyn-LL_500_1", "ExpressionData.csv"),
        row.names = 1, check.names = FALSE
    ))
    ref <- read.csv(file.path(folder[[1]], "refNetwork.csv"))
    none <- matrix(0, nrow(x), nrow(x),
        dimnames = list(rownames(x), rownames(x))
    )
    t <- as.data.frame(
        evaluateGRN(PooledGRN(none), ref, expression = x, seed = 1)
    )
    expect_gt(t$auprcRatio[[2]], t$auprcRatioHigh[[4]])
    expect_gt(t$auprcRatio[[3]], t$auprcRatioHigh[[4]])
    expect_equal(t$auprcRatio[[1]], 1)
})
