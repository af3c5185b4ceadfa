## References: files, splits, candidates, values by TF.

bruteAuroc <- function(score, positive) {
    mean(outer(score[positive], score[!positive], function(p, n) {
        (p > n) + 0.5 * (p == n)
    }))
}

refCase <- function() {
    genes <- paste0("g", seq_len(14))
    s <- matrix((seq_len(4 * 14) * 37) %% 17, 4,
        dimnames = list(genes[c(2, 5, 9, 11)], genes)
    )
    edges <- data.frame(
        TF = genes[c(2, 2, 2, 5, 5, 9, 9, 9)],
        target = genes[c(1, 3, 4, 12, 7, 8, 1, 3)]
    )
    list(s = s, edges = edges, genes = genes, grn = PooledGRN(s))
}

## label and score of every candidate of the given TFs and genes, by hand
handSet <- function(s, edges, tfs, genes = colnames(s), without = NULL) {
    pairs <- expand.grid(TF = tfs, target = genes, stringsAsFactors = FALSE)
    pairs <- pairs[pairs$TF != pairs$target, ]
    key <- paste(pairs$TF, pairs$target)
    if (!is.null(without)) {
        pairs <- pairs[!key %in% paste(without$Gene1, without$Gene2), ]
        key <- paste(pairs$TF, pairs$target)
    }
    data.frame(pairs, score = s[cbind(pairs$TF, pairs$target)],
        positive = key %in% paste(edges[[1]], edges[[2]])
    )
}

test_that("AUROC and values by TF are those of the definition", {
    case <- refCase()
    e <- evaluateGRN(case$grn, case$edges, nBoot = 40, seed = 1)
    t <- as.data.frame(e)
    hand <- handSet(case$s, case$edges, rownames(case$s)[1:3])
    expect_equal(t$auroc[[1]], bruteAuroc(hand$score, hand$positive))
    expect_true(t$aurocLow[[1]] < t$auroc[[1]] &&
        t$auroc[[1]] < t$aurocHigh[[1]])
    expect_equal(t$auroc[[2]], 0.5, tolerance = 0.05)
    by <- byTF(e)
    expect_identical(by, as.data.frame(e, which = "TF"))
    expect_identical(by$TF, rownames(case$s)[1:3])
    for (i in 1:3) {
        one <- evaluateGRN(case$grn, case$edges[case$edges$TF == by$TF[[i]], ],
            nBoot = 0, seed = 1
        )
        want <- as.data.frame(one)[1, c("auprc", "auprcRatio", "auroc",
            "early", "earlyRatio")]
        expect_equal(unlist(by[i, names(want)]), unlist(want))
        expect_equal(by$positives[[i]], one@facts$positives)
        expect_equal(by$candidates[[i]], 13)
    }
})

test_that("the candidate set is what was asked for, and is said", {
    case <- refCase()
    all <- evaluateGRN(case$grn, case$edges, nBoot = 0, seed = 1,
        candidates = "all"
    )
    expect_equal(all@facts$candidates, 4 * 13)
    expect_output(show(all), "all TFs of the network")
    expect_false("g11" %in% byTF(all)$TF)
    pairs <- data.frame(
        Gene1 = c("g2", "g2", "g2", "g5", "g11", "g5", "nobody"),
        Gene2 = c("g1", "g6", "g6", "g12", "g2", "g5", "g1")
    )
    e <- evaluateGRN(case$grn, case$edges, nBoot = 0, seed = 1,
        candidates = pairs
    )
    expect_equal(e@facts$candidates, 4)
    expect_equal(e@facts$positives, 2)
    expect_match(e@facts$candidateSet, "4 of 7 given pairs")
    score <- case$s[cbind(c("g2", "g2", "g5", "g11"),
        c("g1", "g6", "g12", "g2"))]
    expect_equal(as.data.frame(e)$auroc[[1]],
        bruteAuroc(score, c(TRUE, FALSE, TRUE, FALSE))
    )
    expect_error(evaluateGRN(case$grn, case$edges, candidates = "some"),
        "'candidates' must be one of"
    )
    expect_error(evaluateGRN(case$grn, case$edges,
        candidates = data.frame(TF = "g2", target = "g2")
    ), "no pair of a TF")
    expect_error(evaluateGRN(case$grn, case$edges,
        candidates = data.frame(TF = "g2", target = "g6")
    ), "no edge among the candidates")
})

test_that("other networks are ranked on the same candidates", {
    case <- refCase()
    turned <- case$s[4:1, 14:1]
    worse <- -case$s + 100
    e <- as.data.frame(evaluateGRN(case$grn, case$edges, nBoot = 50, seed = 2,
        compare = list(turned = turned, worse = PooledGRN(worse))
    ))
    expect_identical(e$method, c("model", "random", "turned", "worse"))
    expect_equal(e[3, 2:16], e[1, 2:16], ignore_attr = TRUE)
    expect_equal(e$auroc[[4]], 1 - e$auroc[[1]])
    expect_equal(e$modelAbove[[3]], 0)
    expect_s3_class(plotEvaluation(evaluateGRN(case$grn, case$edges,
        nBoot = 0, compare = list(worse = worse)
    )), "ggplot")
    bad <- function(compare) evaluateGRN(case$grn, case$edges, nBoot = 0,
        compare = compare
    )
    expect_error(bad(list(few = case$s[, 1:12])), "lacks 2 TFs or genes")
    expect_error(bad(list(turned)), "must have names")
    expect_error(bad(list(model = turned)), "must have names")
    expect_error(bad(case$grn), "must be a named list")
    expect_error(bad(list(a = "b")), "compare\\$a' must be a PooledGRN")
    expect_error(bad(list(a = PooledGRN(turned, filtered = TRUE))),
        "compare\\$a' is filtered"
    )
    expect_error(evaluateGRN(case$grn, case$edges, pairs = "all"),
        "aren't known"
    )
})

test_that("held-out parts share nothing with training parts", {
    case <- refCase()
    for (by in c("TF", "target", "edge")) {
        split <- splitReference(case$edges, by, 0.4, seed = 3)
        key <- function(d) paste(d$Gene1, d$Gene2)
        expect_length(intersect(key(split$train), key(split$test)), 0)
        expect_setequal(c(key(split$train), key(split$test)),
            paste(case$edges$TF, case$edges$target)
        )
        if (by == "TF") {
            expect_length(intersect(split$train$Gene1, split$test$Gene1), 0)
        }
        if (by == "target") {
            expect_length(intersect(split$train$Gene2, split$test$Gene2), 0)
        }
        shuffled <- case$edges[c(8:1, 3), ]
        again <- splitReference(shuffled, by, 0.4, seed = 3)
        expect_setequal(key(again$test), key(split$test))
        other <- vapply(4:20, function(seed) {
            setequal(key(splitReference(case$edges, by, 0.4, seed)$test),
                key(split$test)
            )
        }, logical(1))
        expect_false(all(other))
        expect_output(show(split), paste("split by", by))
    }
    set.seed(1)
    a <- splitReference(case$edges)
    set.seed(1)
    expect_equal(splitReference(case$edges), a)
})

test_that("what a network learnt from training edges does not count", {
    case <- refCase()
    ## a network that knows the training part by heart, and nothing else
    cheat <- function(split) {
        s <- case$s * 0
        s[as.matrix(split$train)] <- 1
        PooledGRN(s)
    }
    for (by in c("TF", "target", "edge")) {
        split <- splitReference(case$edges, by, 0.4, seed = 3)
        e <- evaluateGRN(cheat(split), split, nBoot = 0, seed = 1)
        t <- as.data.frame(e)
        ## all candidates tie: no better and no worse than chance
        expect_equal(t$auroc[[1]], 0.5)
        expect_equal(t$auprcRatio[[1]], 1)
        expect_equal(e@facts$positives, nrow(split$test))
        expect_output(show(e), paste0("held-out \\(by ", by))
        tfs <- rownames(case$s)[rownames(case$s) %in% split$test$Gene1]
        hand <- switch(by,
            TF = handSet(case$s, split$test, tfs),
            target = handSet(case$s, split$test, tfs, unique(split$test$Gene2)),
            edge = handSet(case$s, split$test, tfs, without = split$train)
        )
        expect_equal(e@facts$candidates, nrow(hand))
        full <- as.data.frame(
            evaluateGRN(case$grn, split, nBoot = 0, seed = 1)
        )
        expect_equal(full$auroc[[1]], bruteAuroc(hand$score, hand$positive))
        ## on the unsplit reference the cheat is well ahead
        whole <- evaluateGRN(cheat(split), case$edges, nBoot = 0, seed = 1)
        expect_gt(as.data.frame(whole)$auprcRatio[[1]], 2)
    }
})

test_that("splits that can't be are refused", {
    edges <- data.frame(TF = "a", target = c("b", "c"))
    expect_error(splitReference(edges, "TF"), "of 1 TF; both parts")
    expect_error(splitReference(edges, "edge", 0), "holds out 0 of 2 edges")
    expect_error(splitReference(edges, "edge", 1), "holds out 2 of 2 edges")
    expect_error(splitReference(edges, "edge", 2), "'fraction' must be")
    expect_error(splitReference(edges, "gene"), "'by' must be one of")
    expect_error(splitReference(edges, "edge")$all, "'name' must be one of")
    expect_error(splitReference(data.frame(x = 1)), "needs the columns")
})

test_that("files are read in every form", {
    folder <- tempfile()
    dir.create(folder)
    want <- data.frame(Gene1 = c("MYOD1", "MYOG"), Gene2 = c("ACTA1", "CKM"))
    text <- function(sep, head = c("TF", "target"), end = "\n") {
        paste0(head[[1]], sep, head[[2]], sep, "score", end,
            "MYOD1", sep, " ACTA1 ", sep, "1", end,
            "\"MYOG\"", sep, "CKM", sep, "2", end
        )
    }
    try1 <- function(content, name = "a.csv", open = file) {
        path <- file.path(folder, name)
        con <- open(path, "wb")
        writeBin(if (is.raw(content)) content else charToRaw(content), con)
        close(con)
        readReference(path)
    }
    expect_equal(try1(text(",")), want)
    expect_equal(try1(text("\t"), "a.tsv"), want)
    expect_equal(try1(text(";")), want)
    expect_equal(try1(text(",", end = "\r\n")), want)
    expect_equal(try1(text(","), "a.csv.gz", gzfile), want)
    expect_equal(try1(text("\t"), "a.bz2", bzfile), want)
    expect_equal(try1(sub("\n$", "", text(","))), want)
    bom <- c(as.raw(c(0xef, 0xbb, 0xbf)), charToRaw(text(",")))
    expect_equal(try1(bom), want)
    omni <- paste0("source,target,source_genesymbol,target_genesymbol\n",
        "P1,P2,MYOD1,ACTA1\nP3,P4,MYOG,CKM\n"
    )
    expect_equal(try1(omni), want)
    hash <- "TF,target\n#A,B'C\nNA,x\n"
    expect_equal(try1(hash), data.frame(Gene1 = c("#A", NA),
        Gene2 = c("B'C", "x")
    ))
    path <- file.path(folder, "a.csv")
    try1(text(","))
    grn <- exampleGRN()
    expect_equal(evaluateGRN(grn, path, nBoot = 0, seed = 1),
        evaluateGRN(grn, want, nBoot = 0, seed = 1)
    )
    filtered <- as.matrix(poolGRN(grn))
    filtered[] <- 0
    filtered["MYOG", "CKM"] <- 0.3
    filtered["MYOD1", "ACTA1"] <- 0.2
    expect_equal(
        as.data.frame(evaluateGRN(grn, PooledGRN(filtered, filtered = TRUE),
            nBoot = 0, seed = 1
        )), as.data.frame(evaluateGRN(grn, want, nBoot = 0, seed = 1))
    )
    expect_error(evaluateGRN(grn, poolGRN(grn)), "with all edges")
})

test_that("strange files are refused, with the reason", {
    folder <- tempfile()
    dir.create(folder)
    path <- file.path(folder, "x.csv")
    refuse <- function(content, message, ...) {
        writeBin(if (is.raw(content)) content else charToRaw(content), path)
        expect_error(readReference(path, ...), message)
    }
    expect_error(readReference(file.path(folder, "none.csv")), "no file")
    expect_error(readReference(folder), "a folder")
    refuse(raw(0), "is empty")
    refuse("\n", "is empty")
    refuse(c(charToRaw("TF,target\n"), as.raw(0:3)), "bytes that no text has")
    refuse(c(charToRaw("TF,target\nM"), as.raw(0xfc), charToRaw("ller,B\n")),
        "isn't UTF-8"
    )
    refuse(c(charToRaw("TF,target\nA,B\nM"), as.raw(0xfc)), "isn't UTF-8")
    refuse("TF,target\nA,B,C,D\n", "can't be read as a table")
    refuse("TF,target\nA\n", "can't be read as a table")
    refuse("TF,target\n\"A,B\nC,D\n", "can't be read as a table")
    refuse("from_gene,to_gene\nA,B\n", "needs the columns")
    refuse(strrep("a,", 2000), "has 2001 columns")
    refuse(paste0("TF,target\n", strrep("a", 1.2e6), ",B\n"), "has a line of")
    refuse("TF,target\nA,B\n", "more than 5 B", maxBytes = 5)
    ## a small file that unpacks to a large one
    con <- gzfile(path, "wb")
    writeBin(charToRaw("TF,target\n"), con)
    for (i in 1:30) writeBin(charToRaw(strrep("A,B\n", 1e5)), con)
    close(con)
    expect_lt(file.size(path), 1e5)
    expect_error(readReference(path, maxBytes = 1e6), "once unpacked")
    expect_error(readReference(c("a", "b")), "one character string")
})
