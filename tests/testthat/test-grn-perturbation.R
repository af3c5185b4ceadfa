## Perturbation evidence.

## 30 genes, TFs A and B (real symbols for TFs). Knock-out of the first lowers
## its targets g1 to g5; the second does nothing.
perturbed <- function(n = 120, fold = 0.3, seed = 1) {
    set.seed(seed)
    tfs <- c("MYOD1", "MYOG")
    genes <- c(tfs, paste0("G", seq_len(58)))
    label <- rep(c("ctrl", tfs), c(2 * n, n, n))
    level <- rep(c(10, 8, 6), length.out = 60)
    mu <- matrix(level, 60, length(label))
    mu[c(1, 3:7), label == "MYOD1"] <- mu[c(1, 3:7), label == "MYOD1"] * fold
    counts <- matrix(rpois(length(mu), mu), 60,
        dimnames = list(genes, paste0("c", seq_along(label)))
    )
    scores <- matrix(seq_len(120) %% 13 / 100, 2, dimnames = list(tfs, genes))
    scores[1, 3:7] <- 1
    scores[2, 8:12] <- 1
    sign <- scores * 0 + 1
    storage.mode(sign) <- "integer"
    sign[1, 7] <- -1L
    list(x = counts, label = label, rep = rep(c("a", "b"), length(label) / 2),
        grn = PooledGRN(scores, metadata = list(sign = sign))
    )
}

test_that("distances are Wasserstein's, and real targets stand out", {
    p <- perturbed()
    e <- evaluatePerturbation(p$x, p$grn, p$label, "ctrl", p$rep, top = 10,
        matched = 20, nPerm = 200, nBoot = 60, seed = 1
    )
    t <- as.data.frame(e)
    expect_setequal(paste(t$Gene1, t$Gene2), paste(
        rep(c("MYOD1", "MYOG"), each = 5), rownames(p$x)[3:12]
    ))
    v <- log1p(1e4 * t(t(p$x) / colSums(p$x)))
    for (i in c(1, 6, 10)) {
        a <- v[t$Gene2[[i]], p$label == t$Gene1[[i]]]
        b <- v[t$Gene2[[i]], p$label == "ctrl"]
        grid <- sort(unique(c(a, b)))
        area <- sum(abs(ecdf(a)(grid) - ecdf(b)(grid))[-length(grid)] *
            diff(grid))
        expect_equal(t$distance[[i]], area)
        expect_equal(t$shift[[i]], mean(a) - mean(b))
    }
    real <- t$Gene1 == "MYOD1"
    expect_true(all(t$q[real] < 0.05) && all(t$percentile[real] > 0.9))
    expect_true(mean(t$p[!real] > 0.05) > 0.7)
    expect_lt(mean(t$percentile[!real]), 0.85)
    expect_true(all(t$distanceLow <= t$distance & t$distance <=
        t$distanceHigh))
    expect_true(all(t$shiftLow[real] < t$shift[real] &
        t$shiftHigh[real] < 0))
    expect_equal(t$agree[real], rep(2L, 5))
    expect_equal(t$direction[real], c(1, 1, 1, 1, -1)[order(
        match(rownames(p$x)[3:7], t$Gene2[real])
    )], ignore_attr = TRUE)
    s <- as.data.frame(e, which = "summary")
    expect_lt(s$p[grepl("matched genes$", s$measure)][[1]], 0.05)
    expect_equal(s$value[[1]], mean(t$distance))
    r <- as.data.frame(e, which = "blocks")
    expect_identical(r$block, c("a", "b"))
    expect_equal(r$edges, c(10L, 10L))
    tf <- as.data.frame(e, which = "TF")
    expect_lt(tf$ownShift[tf$TF == "MYOD1"], -0.5)
    expect_output(show(e), "2 blocks")
})

test_that("a network of the wrong targets has no evidence", {
    p <- perturbed()
    s <- as.matrix(p$grn) * 0
    s[1, 20:29] <- 1
    e <- evaluatePerturbation(p$x, PooledGRN(s), p$label, "ctrl", top = 10,
        matched = 20, nPerm = 200, nBoot = 20, seed = 1
    )
    m <- as.data.frame(e, which = "summary")
    expect_gt(m$p[m$measure == "against expression-matched genes"], 0.05)
    expect_lt(m$value[grepl("percentile", m$measure)], 0.75)
    expect_output(show(e), "no more than other genes")
    expect_equal(nrow(as.data.frame(e, which = "blocks")), 0)
    ## no effect anywhere: p of edges are uniform
    q <- perturbed(fold = 1)
    e <- evaluatePerturbation(q$x, q$grn, q$label, "ctrl", q$rep, top = 116,
        matched = 20, nPerm = 199, nBoot = 0, seed = 1
    )
    edges <- as.data.frame(e)
    ks <- suppressWarnings(stats::ks.test(edges$p, "punif"))
    expect_gt(ks$p.value, 0.01)
    expect_equal(sum(edges$q < 0.1), 0)
    expect_lt(abs(mean(edges$excess)), 0.02)
    expect_true(all(is.na(edges$distanceLow)))
})

test_that("labels, forms and seeds are read as documented", {
    p <- perturbed(60)
    sce <- SingleCellExperiment::SingleCellExperiment(
        list(counts = p$x), colData = S4Vectors::DataFrame(
            gene = tolower(p$label), batch = p$rep
        )
    )
    args <- list(top = 8, matched = 10, nPerm = 50, nBoot = 10)
    call <- function(x, ...) do.call(evaluatePerturbation, c(list(x, p$grn,
        ...), args
    ))
    a <- call(sce, "gene", "CTRL", "batch", seed = 4)
    b <- call(p$x, p$label, "ctrl", p$rep, seed = 4, threads = 1)
    expect_equal(a, b)
    set.seed(9)
    c1 <- call(sce, "gene", "ctrl", "batch")
    set.seed(9)
    expect_equal(call(sce, "gene", "ctrl", "batch"), c1)
    lg <- log1p(1e4 * t(t(p$x) / colSums(p$x)))
    d <- call(lg, p$label, "ctrl", p$rep, seed = 4, alreadyNormalised = TRUE)
    expect_equal(as.data.frame(d)$distance, as.data.frame(b)$distance)
    gain <- call(p$x, p$label, "ctrl", p$rep, seed = 4, effect = "gain")
    expect_equal(as.data.frame(gain)$direction, -as.data.frame(b)$direction)
})

test_that("what can't be compared is refused, with the reason", {
    p <- perturbed(20)
    run <- function(grn = p$grn, x = p$x, label = p$label, control = "ctrl",
        ...) {
        evaluatePerturbation(x, grn, label, control, ..., nPerm = 20,
            nBoot = 5, matched = 5, top = 6, seed = 1
        )
    }
    s <- as.matrix(p$grn)
    expect_error(run(PooledGRN(s, filtered = TRUE)), "is filtered")
    expect_error(run(s), "'grn' must be a network")
    expect_error(run(label = "gene"), "isn't a column")
    expect_error(run(label = p$label[-1]), "a value per cell")
    expect_error(run(control = "nobody"), "the label of no cell")
    expect_error(run(label = sub("MYO", "X", p$label)), "no label that is a TF")
    one <- replace(rep("ctrl", ncol(p$x)), 1:2, c("MYOD1", "MYOG"))
    expect_error(run(label = one), "no TF of the network with 10 cells")
    some <- p$label
    some[some == "MYOG"][-(1:3)] <- "other"
    some[which(p$label == "MYOG")[-(1:3)]] <- "other"
    expect_message(e <- run(label = some), "left out.*MYOG")
    expect_setequal(as.data.frame(e)$Gene1, "MYOD1")
    expect_error(run(x = p$x[3:60, ]), "has not measured the perturbed TFs")
    expect_error(run(x = p$x[1, , drop = FALSE]), "1 of the network's 60")
    expect_error(run(block = "batch"), "isn't a column")
    expect_error(run(block = replace(p$rep, 3, NA)), "is missing for cells")
    expect_error(run(minCells = 1), "'minCells' must be")
    bad <- p$x
    bad[5, 5] <- NA
    expect_error(run(x = bad), "must be\\s+finite|finite and not negative")
    ## constant genes are no obstacle
    flat <- p$x
    flat[3, ] <- 0
    t <- as.data.frame(run(x = flat))
    expect_equal(t$distance[t$Gene2 == "G1"], 0)
    expect_equal(t$p[t$Gene2 == "G1"], 1)
})

test_that("on knock-outs of THP-1 cells STAT1's own network moves", {
    shared <- c(Sys.getenv("CAUSEWAY_SHARED"), "../../../shared",
        "../../../../shared"
    )
    file <- file.path(shared[nzchar(shared)], "data", "05_perturb",
        "papalexi_eccite_thp1", "lowmoi_example_data.rda"
    )
    file <- file[file.exists(file)]
    skip_if(length(file) == 0L, "no shared data")
    d <- get(load(file[[1]]))
    x <- as(as(d$response_matrix, "generalMatrix"), "CsparseMatrix")
    target <- d$grna_target_data_frame
    guide <- max.col(t(as.matrix(d$grna_matrix)), "first")
    label <- as.character(target$grna_target[match(
        rownames(d$grna_matrix)[guide], target$grna_id
    )])
    use <- which(label %in% c("non-targeting", "STAT1", "STAT2"))
    use <- use[seq(1, length(use), by = 2)]
    x <- x[, use]
    colnames(x) <- paste0("c", use)
    control <- label[use] == "non-targeting"
    grn <- inferGRN(x[, control], CorGRNParam(), nTargets = Inf)
    e <- evaluatePerturbation(x, grn, label[use], "non-targeting",
        d$extra_covariates$bio_rep[use], nPerm = 100, nBoot = 20,
        seed = 1
    )
    tf <- as.data.frame(e, which = "TF")
    expect_true(all(tf$ownShift < -0.5))
    t <- as.data.frame(e)
    two <- t[t$Gene1 == "STAT1" & t$Gene2 == "STAT2", ]
    expect_true(two$shift < 0 && two$p < 0.05 && two$agree == two$blocks)
    expect_equal(nrow(t), 100)
})

test_that("old names and the old order of arguments are told", {
    p <- perturbed()
    expect_error(evaluatePerturbation(p$grn, p$x, p$label, "ctrl"),
        "the cells come first")
    expect_error(evaluatePerturbation(p$x, p$grn, p$label, "ctrl",
        permutations = 9), "now called 'nPerm'")
    expect_error(evaluatePerturbation(p$x, p$grn, p$label, "ctrl",
        replicate = p$rep), "now called 'block'")
    expect_error(stabilityGRN(p$x, seeds = 2), "now called 'nSeeds'")
    expect_error(nullGRN(p$grn, groups = "a"), "now called 'group'")
    expect_error(benchmarkGRN(data = p$x, references = 1), "now called 'x'")
})
