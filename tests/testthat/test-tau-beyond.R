# Delays beyond the fit: other genes, RNA alone, interventions, groups.

x <- simulateMultiome(nCells = 1500, nGenes = 110, altered = 0.25, seed = 5)
truth <- simulatedTruth(x)
links <- S4Vectors::metadata(x)$links
fit <- estimateTau(x, links = links, seed = 1, verbose = FALSE)
usable <- geneNames(fit)[as.data.frame(fit)$usable]

test_that("the fit these tests stand on is identifiable", {
    expect_true(tauVerdict(fit)$identifiable)
    expect_gt(length(usable), 50)
})

test_that("embeddings that know of delays predict them, others are called", {
    known <- cbind(log(truth$tau), sin(seq_along(truth$tau)))
    rownames(known) <- rownames(x)
    new <- rbind(known, extraSlow = c(max(known[, 1]), 0),
        extraFast = c(min(known[, 1]), 0)
    )
    p <- predictTau(fit, c("extraSlow", "extraFast"), new, seed = 1)
    expect_identical(p$gene, c("extraSlow", "extraFast"))
    expect_gt(p$tau[[1]], 1.5 * p$tau[[2]])
    expect_true(all(p$low < p$tau & p$tau < p$high))
    expect_gt(attr(p, "heldOut"), 0.4)
    expect_lt(attr(p, "shuffled"), 0.35)
    noise <- cbind(cos(seq_len(nrow(x)) * 12.9898), sin(seq_len(nrow(x)) * 78))
    rownames(noise) <- rownames(x)
    expect_warning(predictTau(fit, rownames(x)[1:2], noise, seed = 1),
        "tells little of delays"
    )
    expect_error(predictTau(fit, "nobody", known), "'genes' names genes that")
    expect_error(predictTau(fit), "'embedding' is needed")
    expect_error(predictTau(fit, embedding = unname(known)), "row names")
    expect_error(predictTau(3), "'fit' must be a TauFit")
})

test_that("delays are read from RNA alone", {
    rna <- simulateMultiome(nCells = 1500, nGenes = 110, altered = 0.25,
        seed = 5
    )
    rna <- SingleCellExperiment::removeAltExps(rna)
    d <- scRNAToTau(fit, rna)
    expect_identical(d$gene, geneNames(fit))
    expect_gt(attr(d, "agreement"), 0.6)
    expect_gt(median(d$tau, na.rm = TRUE), 0.5)
    expect_gt(attr(d, "cells"), 1200)
    expect_true(all(is.na(d$tau[!as.data.frame(fit)$usable])))
    few <- scRNAToTau(fit, rna[-(1:30), ])
    expect_true(all(is.na(few$tau[match(rownames(rna)[1:30], few$gene)])))
    expect_error(scRNAToTau(fit, rna[1:20, ]), "20 of the 110 genes")
    other <- rna
    rownames(other) <- paste0("Q", rownames(rna))
    expect_error(scRNAToTau(fit, other), "holds 0 of the")
    expect_error(scRNAToTau(fit, rna[, 1:20]), "50 are needed")
    expect_error(scRNAToTau(fit, rna, embedding = matrix(0, 2, 2)),
        "'embedding' must be NULL"
    )
})

test_that("an intervention moves the gene it is named after, both ways", {
    gene <- usable[[4]]
    up <- intervene(fit, gene, alpha = 1, seed = 1)
    expect_identical(colnames(up), c("gene", "effect", "low", "high", "class"))
    expect_setequal(up$gene, usable)
    own <- up[up$gene == gene, ]
    expect_gt(own$effect, 0.05)
    expect_identical(own$class, "up")
    expect_true(all(up$low <= up$effect & up$effect <= up$high))
    down <- intervene(fit, gene, alpha = -1, seed = 1)
    expect_lt(down$effect[down$gene == gene], 0)
    none <- intervene(fit, gene, alpha = 0, seed = 1)
    expect_equal(max(abs(none$effect)), 0)
    expect_equal(sum(attr(up, "cells")), 1)
    far <- intervene(fit, gene, alpha = 50, seed = 1)
    expect_gt(attr(far, "cells")[["outside"]], 0.9)
    same <- intervene(fit, direction = attr(up, "direction"), alpha = 1,
        seed = 1
    )
    expect_equal(same$effect, up$effect)
    expect_error(intervene(fit), "one of the two")
    expect_error(intervene(fit, "nobody"), "the fit doesn't hold")
    expect_error(intervene(fit, direction = 1:50), "one for each axis")
})

test_that("groups with other delays are told from groups without", {
    changed <- contrastTau(fit, "condition", n = 3, seed = 1, verbose = FALSE)
    t <- as.data.frame(changed)
    altered <- t$gene %in% rownames(x)[truth$altered]
    expect_gt(mean(outer(abs(t$z[altered]), abs(t$z[!altered]), ">")), 0.65)
    expect_gt(mean(t$difference[altered]), 0)
    expect_true(all(t$p > 0 & t$p <= 1 & t$q >= t$p))
    coin <- rep(c("heads", "tails"), length.out = ncol(x))
    same <- contrastTau(fit, coin, n = 3, seed = 1, verbose = FALSE)
    expect_equal(sum(as.data.frame(same)$q < 0.05), 0)
    expect_output(print(same), "no more between heads and tails")
    expect_error(contrastTau(fit, "nowhere"), "isn't a column")
    expect_error(contrastTau(fit, seq_len(ncol(x))), "must give two groups")
    apart <- ifelse(x$time < median(x$time), "early", "late")
    expect_error(contrastTau(fit, apart), "shares .* states")
})

test_that("what isn't identifiable isn't used unasked", {
    null <- fit
    null@verdict$identifiable <- FALSE
    null@verdict$reasons <- "made up"
    expect_error(intervene(null, usable[[1]]), "not identifiable .made up")
    expect_error(contrastTau(null, "condition"), "nothing to compare")
    expect_silent(intervene(null, usable[[1]], force = TRUE, seed = 1))
})
