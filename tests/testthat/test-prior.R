## ---- reading ----------------------------------------------------------------

priorEdges <- function(...) {
    priorNetwork("human", data.frame(...), verbose = FALSE)
}

test_that("columns are recognised and edges come once", {
    out <- priorEdges(
        tf = c("A", "A", "B", "", NA, "B", "B"),
        target = c("X", "X", "Y", "Z", "Z", "A ", "A"),
        mor = c(1, 1, -0.4, 1, 1, 1, -1)
    )
    expect_identical(names(out), c("Gene1", "Gene2", "sign", "weight",
        "confidence", "complex"
    ))
    expect_identical(out$Gene1, c("A", "B", "B"))
    expect_identical(out$Gene2, c("X", "Y", "A"))
    expect_identical(out$sign, c(1L, -1L, 0L))
    expect_identical(out$weight, c(2, 1, 2))
    facts <- attr(out, "source")
    expect_identical(facts[c("rows", "unnamed", "repeated")],
        list(rows = 7L, unnamed = 2L, repeated = 2L)
    )
    expect_identical(priorEdges(from = "A", to = "B")$sign, 0L)
    omni <- priorEdges(source = "P1", source_genesymbol = "A",
        target = "P2", target_genesymbol = "B", is_stimulation = "True",
        is_inhibition = "False"
    )
    expect_identical(unlist(omni[1:2], use.names = FALSE), c("A", "B"))
    expect_identical(omni$sign, 1L)
    words <- priorEdges(tf = c("A", "B", "C"), target = "X",
        mode = c("Activation", "Repression", "Unknown")
    )
    expect_identical(words$sign, c(1L, -1L, 0L))
    expect_identical(priorNetwork("human", words)[1:2], words[1:2])
})

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

test_that("files of every kind are read alike", {
    t <- data.frame(tf = c("A", "B"), target = c("X", "Y"), mor = c(1, -1))
    want <- priorNetwork("human", t)[1:4]
    folder <- tempfile()
    dir.create(folder)
    on.exit(unlink(folder, recursive = TRUE))
    at <- function(name) file.path(folder, name)
    utils::write.csv(t, at("a.csv"), row.names = FALSE)
    utils::write.csv2(t, at("b.csv"), row.names = FALSE)
    zip <- gzfile(at("c.tsv.gz"), "w")
    utils::write.table(t, zip, sep = "\t", row.names = FALSE, quote = FALSE)
    close(zip)
    saveRDS(t, at("d.rds"))
    save(t, file = at("e.rda"))
    writeLines(c("A\tX\tActivation\t1;2", "B\tY\tRepression\t3"), at("f.tsv"))
    for (file in list.files(folder)) {
        got <- priorNetwork("human", at(file))
        expect_identical(got$Gene2, want$Gene2, info = file)
        expect_identical(got$sign, want$sign, info = file)
        expect_match(attr(got, "source")$sha256, "^[0-9a-f]{64}$")
    }
    writeLines("", at("g.csv"))
    expect_error(priorNetwork("human", at("g.csv")), "without a line")
    writeLines(c("x,y", "1,2"), at("h.csv"))
    expect_error(priorNetwork("human", at("h.csv")),
        "no columns of factors and targets; it has x, y"
    )
    writeLines("nonsense", at("i.rda"))
    expect_error(priorNetwork("human", at("i.rda")), "can't be read")
    saveRDS(1:3, at("j.rds"))
    expect_error(priorNetwork("human", at("j.rds")), "one data.frame")
})

test_that("wrong tables and arguments are named", {
    expect_error(priorEdges(tf = character(), target = character()),
        "has no edges"
    )
    expect_error(priorEdges(tf = "A", target = "B", mode = "perhaps"),
        "'mode' of signs with perhaps"
    )
    expect_error(priorNetwork("human", "nothing"), "neither a file nor one of")
    expect_error(priorNetwork("human", 3), "'source' must be")
    expect_error(priorNetwork("fish"), "'species'")
    expect_error(priorNetwork(download = NA), "'download'")
})

## ---- cache and download -----------------------------------------------------

test_that("nothing is downloaded unasked, and the message says what to do", {
    expect_error(priorNetwork(cache = tempfile()), paste0("not in the cache.*",
        "download = TRUE.*zenodo.*CC BY.*CollecTRI_regulons.csv or collectri"
    ))
})

test_that("a download is checked, noted, and checked again when read", {
    folder <- tempfile()
    dir.create(folder)
    on.exit(unlink(folder, recursive = TRUE))
    there <- file.path(folder, "there.csv")
    writeLines(c("tf,target", "A,B"), there)
    url <- paste0("file://", normalizePath(there))
    file <- file.path(folder, "cache", "kept.csv")
    said <- capture_messages(.fetchPrior(url, file, NULL, TRUE))
    expect_match(said, "Downloading|no fixed release")
    expect_identical(readLines(file), readLines(there))
    entry <- list(files = "kept.csv")
    expect_silent(.verifyPrior(file, entry))
    writeLines(c("tf,target", "A,C"), file)
    expect_error(.verifyPrior(file, entry), "not the file it was")
    ## a release of another digest is not kept
    fixed <- file.path(folder, "cache", "fixed.csv")
    expect_error(.fetchPrior(url, fixed, strrep("0", 64), FALSE),
        "not the release.*not kept"
    )
    expect_false(file.exists(fixed))
    right <- .sha256(there)
    .fetchPrior(url, fixed, right, FALSE)
    unlink(paste0(fixed, ".sha256"))
    expect_silent(.verifyPrior(fixed, list(files = "fixed.csv",
        sha256 = right
    )))
    ## what comes is an error page, or nothing, or from nowhere
    writeLines("<html>not found</html>", there)
    expect_error(.fetchPrior(url, fixed, NULL, FALSE), "no table of edges")
    file.create(there)
    expect_error(.fetchPrior(url, fixed, NULL, FALSE), "nothing came")
    expect_error(
        .fetchPrior("file:///no/such/file", fixed, NULL, FALSE),
        "could not be downloaded"
    )
    expect_identical(
        sort(list.files(file.path(folder, "cache"))),
        c("fixed.csv", "kept.csv", "kept.csv.sha256")
    )
})

test_that("the digest is SHA-256", {
    file <- tempfile()
    on.exit(unlink(file))
    cat("abc", file = file)
    expect_identical(.sha256(file), paste0("ba7816bf8f01cfea414140de5dae2223",
        "b00361a396177a9cb410ff61f20015ad"
    ))
})

test_that("the collections as their authors publish them", {
    data <- Sys.getenv("CAUSEWAY_DATA", "/work/shared/data")
    folder <- file.path(data, "04_resources")
    skip_if_not(dir.exists(folder), paste("no", folder))
    at <- function(...) file.path(folder, ...)
    collectri <- priorNetwork(cache = at("collectri"))
    raw <- utils::read.csv(at("collectri", "collectri.csv"))
    plain <- raw[!(raw$source %in% c("AP1", "NFKB")), ]
    own <- collectri[is.na(collectri$complex), ]
    expect_identical(own$Gene1, plain$source)
    expect_equal(own$sign, plain$weight)
    expect_setequal(collectri$Gene1[!is.na(collectri$complex)],
        c("FOS", "FOSB", "FOSL1", "FOSL2", "JUN", "JUNB", "JUND", "NFKB1",
            "NFKB2", "REL", "RELA", "RELB"
        )
    )
    mouse <- priorNetwork("mouse", cache = at("collectri"))
    expect_true("Myod1" %in% mouse$Gene1)
    expect_gt(nrow(mouse), 0.8 * nrow(collectri))
    expect_identical(
        attr(mouse, "source")$noHomolog > 0L, TRUE
    )
    dorothea <- priorNetwork("mouse", "dorothea", confidence = "A",
        cache = at("dorothea")
    )
    expect_true(all(dorothea$confidence == "A"))
    trrust <- priorNetwork("human", "trrust", cache = at("trrust"))
    expect_identical(nrow(trrust), 8427L)
    expect_setequal(unique(trrust$sign), c(-1L, 0L, 1L))
})

## ---- use --------------------------------------------------------------------

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
    expect_error(RidgeGRNParam(nulls = -1), "'nulls'")
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
