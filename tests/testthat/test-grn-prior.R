## Networks of regulation known beforehand, and their use.

simulatedPrior <- function(seed, ...) {
    x <- simulateCells(nCells = 250, nGenes = 90, nTFs = 15, seed = seed, ...)
    edges <- S4Vectors::metadata(x)$simulation$edges
    names(edges)[1:2] <- c("Gene1", "Gene2")
    list(x = x, edges = edges)
}

ridgeWith <- function(s, prior, ...) {
    inferGRN(s$x, RidgeGRNParam(prior = prior, ...), nTargets = Inf,
        tfs = unique(s$edges$Gene1), seed = 1
    )
}

heldOut <- function(grn, edges, known) {
    ## area under the curve of the edges not in the prior
    scores <- as.matrix(grn)
    truth <- matrix(FALSE, nrow(scores), ncol(scores),
        dimnames = dimnames(scores)
    )
    truth[cbind(edges$Gene1, edges$Gene2)] <- TRUE
    skip <- cbind(known$Gene1, known$Gene2)
    scores[skip] <- NA
    use <- !is.na(scores) & outer(rownames(scores), colnames(scores), `!=`)
    r <- rank(scores[use])
    y <- truth[use]
    (sum(r[y]) - sum(y) * (sum(y) + 1) / 2) / (sum(y) * sum(!y))
}

test_that("levels of confidence choose edges, the best one stays", {
    t <- data.frame(tf = c("A", "A", "B", "C", "D"), target = "X",
        confidence = c("C", "A", "D", NA, "B;E")
    )
    out <- priorNetwork("human", t)
    expect_identical(out$Gene1, c("A", "C", "D"))
    expect_identical(out$confidence, c("A", NA, "B"))
    expect_identical(attr(out, "source")$level, 1L)
    expect_identical(nrow(priorNetwork("human", t, confidence = "D")), 2L)
    expect_error(priorNetwork("human", t[3, ], confidence = "A"),
        "leaves no edge of 1 rows.*1 of levels other than A"
    )
    expect_error(priorNetwork("human", t, confidence = "F"), "'confidence'")
})

test_that("complexes are expanded, dropped or kept", {
    t <- data.frame(tf = c("AP1", "JUN", "COMPLEX:SMAD3_SMAD4", "NFKB"),
        target = c("X", "X", "Y", "Z"), mor = c(1, -1, 1, 1)
    )
    out <- priorNetwork("human", t)
    expect_identical(nrow(out), 7L + 2L + 5L)
    ## the edge of JUN itself has its own sign
    jun <- out[out$Gene1 == "JUN", ]
    expect_identical(jun$sign, -1L)
    expect_true(is.na(jun$complex))
    expect_identical(out$complex[out$Gene1 == "SMAD4"], "COMPLEX:SMAD3_SMAD4")
    expect_identical(attr(out, "source")$complexes,
        c("AP1", "COMPLEX:SMAD3_SMAD4", "NFKB")
    )
    expect_identical(priorNetwork("human", t, complexes = "drop")$Gene1, "JUN")
    expect_setequal(priorNetwork("human", t, complexes = "keep")$Gene1, t$tf)
    expect_error(priorNetwork("human", t, complexes = "guess"), "'complexes'")
})

test_that("a right prior is used and helps; a dealt one is rejected", {
    for (seed in 1:2) {
        s <- simulatedPrior(seed)
        plain <- ridgeWith(s, NULL)
        expect_identical(S4Vectors::metadata(plain)$prior, "none")
        right <- ridgeWith(s, s$edges)
        e <- S4Vectors::metadata(right)$priorEvidence
        expect_gt(e$strength, 1)
        expect_gt(e$gain, max(e$nullGain))
        score <- function(g) {
            evaluateGRN(g, s$edges, seed = 1)
        }
        auprc <- function(g) as.data.frame(score(g))$auprc[[1L]]
        expect_gt(auprc(right), 1.3 * auprc(plain))
        shuffled <- s$edges
        shuffled$Gene2 <- rev(shuffled$Gene2)
        wrong <- ridgeWith(s, shuffled)
        e <- S4Vectors::metadata(wrong)$priorEvidence
        expect_identical(e$strength, 1)
        expect_match(S4Vectors::metadata(wrong)$prior, "rejected")
        expect_equal(as.matrix(wrong), as.matrix(plain), tolerance = 1e-8)
        ## half of the truth does no harm to the other half
        half <- s$edges[seq(1, nrow(s$edges), 2), ]
        part <- ridgeWith(s, half)
        expect_gt(heldOut(part, s$edges, half),
            heldOut(plain, s$edges, half) - 0.02
        )
    }
})

test_that("the ridge takes a prior in any case, and says what is wrong", {
    s <- simulatedPrior(1)
    lower <- transform(s$edges, Gene1 = tolower(Gene1), Gene2 = Gene2)
    a <- ridgeWith(s, lower)
    b <- ridgeWith(s, priorNetwork("human", s$edges))
    expect_identical(as.matrix(a), as.matrix(b))
    c <- inferGRN(s$x, CombinedGRNParam(list(
        RidgeGRNParam(prior = s$edges), CorGRNParam()
    )), nTargets = Inf, tfs = unique(s$edges$Gene1), seed = 1)
    expect_gt(S4Vectors::metadata(c)$priorEvidence$strength, 1)
    expect_output(show(RidgeGRNParam(prior = s$edges)), "priorEdges")
    expect_error(ridgeWith(s, data.frame(Gene1 = "zz", Gene2 = "yy")),
        "'prior' has no edge from a factor.*ZZ YY"
    )
    expect_error(RidgeGRNParam(prior = data.frame(a = 1)), "Gene1")
    expect_error(RidgeGRNParam(prior = 3), "'prior' must be a data.frame")
    expect_error(RidgeGRNParam(prior = s$edges[0, ]), "no edges")
    expect_error(RidgeGRNParam(strength = 0.5), "'strength'.*from 1 up")
    expect_error(RidgeGRNParam(nPerm = -1), "'nPerm'")
    ## the same for any number of threads
    options <- options(causeway.threads = 1)
    on.exit(options(options))
    expect_identical(as.matrix(ridgeWith(s, s$edges)), as.matrix(b))
})

test_that("training takes the network as it is", {
    model <- tinyModel()
    x <- tinyCells()
    genes <- rownames(x)
    tf <- genes[genes %in% tfCatalogue("human")$TF]
    prior <- priorNetwork("human", data.frame(tf = tf[1:3],
        target = genes[28:30]
    ))
    edges <- .priorTokens(prior, model@vocab)
    expect_identical(dim(edges), c(2L, 3L))
})
