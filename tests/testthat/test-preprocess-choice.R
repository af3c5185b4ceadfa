## excess deviance in plain R, as its page has it
plainExcess <- function(counts) {
    s <- colSums(counts)
    p <- rowSums(counts) / sum(s)
    mu <- outer(p, s)
    d <- 2 * rowSums(ifelse(counts > 0, counts * log(counts / mu), 0))
    expected <- function(m) {
        y <- 0:ceiling(m + 12 * sqrt(m) + 12)
        2 * sum(dpois(y, m) * (ifelse(y > 0, y * log(y / m), 0) - (y - m)))
    }
    q <- quantile(s, (1:25 - 0.5) / 25)
    d - ncol(counts) * rowMeans(vapply(q, function(z) {
        vapply(p * z, expected, 0)
    }, numeric(length(p))))
}

madeCounts <- function() {
    set.seed(4)
    m <- matrix(rpois(60 * 80, rep(2^(1:60 %% 8 - 3), 80)), 60,
        dimnames = list(paste0("G", 1:60), paste0("c", 1:80))
    )
    m[5, 1:20] <- m[5, 1:20] + 12
    m[9, ] <- 0
    m
}

test_that("excess deviance is that of its definition, in blocks as whole", {
    m <- madeCounts()
    sparse <- methods::as(m, "CsparseMatrix")
    got <- .geneVariation(sparse, seq_len(60), seq_len(80), 1e4, TRUE, FALSE,
        FALSE
    )
    want <- plainExcess(m[-9, ])
    expect_equal(got$excess[-9], unname(want), tolerance = 2e-3)
    expect_identical(got$excess[[9]], 0)
    expect_equal(got$seen, unname(rowSums(m > 0)))
    expect_equal(got$total, unname(colSums(m)))
    expect_identical(which.max(got$excess), 5L)
    parts <- lapply(list(1:33, 34:80), function(at) {
        x <- sparse[, at]
        .Call(cw_r_gene_sums, list(dim = dim(x), p = x@p, i = x@i, x = x@x))
    })
    joined <- Map(`+`, parts[[1]][-1], parts[[2]][-1])
    expect_equal(.Call(cw_r_gene_excess, joined, colSums(m), 2L), got$excess)
})

test_that("without counts it is the variance over its trend", {
    m <- madeCounts()
    x <- log1p(sweep(m, 2, colSums(m), `/`) * 1e4)
    got <- .geneVariation(methods::as(x, "CsparseMatrix"), seq_len(60),
        seq_len(80), 1e4, FALSE, TRUE, FALSE
    )
    expect_equal(got$total, rep(1, 80))
    there <- rowMeans(x) > 0
    level <- log(rowMeans(x)[there])
    v <- apply(x, 1, var)[there]
    trend <- lowess(level, v)
    expect_equal(got$excess[there], unname(v - approx(trend$x, trend$y, level,
        ties = mean
    )$y))
})

test_that("the floor is 10 cells and 1%, less of a few cells", {
    expect_identical(vapply(c(5, 20, 40, 500, 1000, 2000), .cellFloor, 0),
        c(3, 5, 10, 10, 10, 20)
    )
    variation <- list(seen = c(5, 50, 50, 9, 50), excess = c(9, 1, 3, 8, 2))
    tf <- c(TRUE, TRUE, FALSE, FALSE, FALSE)
    choose <- function(...) .chooseGenes(variation, tf, 1000, ...)
    expect_identical(choose(1, integer(), 10), c(2L, 3L))
    expect_identical(choose(1, 4L, 10), 2:4)
    expect_identical(choose(1, integer(), 10, fixedTfs = TRUE), 1:3)
    expect_identical(choose(1, integer(), 10, known = c(4L, 5L)), c(2L, 5L))
})

test_that("factors below the floor are said and kept on demand", {
    m <- madeCounts()[1:30, ]
    rownames(m)[1:4] <- c("MYOD1", "MYOG", "MEF2C", "PAX5")
    m["PAX5", ] <- 0L
    m["PAX5", 1:4] <- 1L
    expect_message(grn <- inferGRN(m, RidgeGRNParam(), nTargets = 10),
        "1 of 4 factors are seen in fewer than 10 cells and left out: PAX5 \\(4"
    )
    expect_setequal(tfNames(grn), c("MYOD1", "MYOG", "MEF2C"))
    expect_identical(metadata(grn)$coverage$tfsBelow, c(PAX5 = 4))
    kept <- inferGRN(m, RidgeGRNParam(), nTargets = 10, keep = "PAX5",
        verbose = FALSE
    )
    expect_true("PAX5" %in% tfNames(kept))
    one <- inferGRN(m, RidgeGRNParam(), tfs = c("PAX5", "MYOG"), nTargets = 5,
        verbose = FALSE
    )
    expect_setequal(tfNames(one), c("PAX5", "MYOG"))
    m[] <- 0L
    m[cbind(rep(1:30, each = 6), rep_len(1:80, 180))] <- 1L
    expect_error(suppressMessages(inferGRN(m, RidgeGRNParam())),
        "4 factors, each seen in fewer than 10 cells .*keep = names genes"
    )
})

test_that("variable genes that the object names are the targets", {
    m <- madeCounts()[1:30, ]
    rownames(m)[1:4] <- c("MYOD1", "MYOG", "MEF2C", "PAX5")
    x <- SingleCellExperiment::SingleCellExperiment(list(counts = m))
    SummarizedExperiment::rowData(x)$highly_variable <- rownames(m) %in%
        c("G6", "G8", "G14")
    expect_message(grn <- inferGRN(x, RidgeGRNParam()), "3 variable genes")
    expect_setequal(setdiff(geneNames(grn), tfNames(grn)),
        c("G6", "G8", "G14")
    )
    grn <- inferGRN(x, RidgeGRNParam(), nTargets = 5, verbose = FALSE)
    expect_length(setdiff(geneNames(grn), tfNames(grn)), 5L)
})
