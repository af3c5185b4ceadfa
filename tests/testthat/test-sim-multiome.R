## Simulated chromatin and RNA: sizes, links, truth, seeds.

small <- function(...) simulateMultiome(nCells = 90, nGenes = 26, ...)
atacOf <- function(x) {
    SummarizedExperiment::assay(SingleCellExperiment::altExp(x, "ATAC"))
}
rnaOf <- function(x) SummarizedExperiment::assay(x, "counts")

test_that("RNA, chromatin, links and truth fit together", {
    x <- small(seed = 3, profiles = TRUE)
    expect_s4_class(x, "SingleCellExperiment")
    expect_identical(dim(x), c(26L, 90L))
    expect_s4_class(rnaOf(x), "dgCMatrix")
    expect_s4_class(atacOf(x), "dgCMatrix")
    expect_true(methods::validObject(rnaOf(x)))
    expect_true(methods::validObject(atacOf(x)))
    expect_true(all(atacOf(x)@x == 1))
    expect_identical(colnames(atacOf(x)), colnames(x))
    links <- S4Vectors::metadata(x)$links
    expect_true(all(links$gene %in% rownames(x)))
    expect_true(all(links$peak %in% rownames(atacOf(x))))
    expect_false(anyDuplicated(rownames(atacOf(x))) > 0)
    perGene <- table(factor(links$gene, rownames(x)))
    expect_true(all(perGene >= 3 & perGene <= 7))
    truth <- simulatedTruth(x)
    expect_identical(truth$gene, rownames(x))
    expect_true(all(truth$tau >= 0.1 & truth$tau <= 2.5))
    expect_identical(simulatedTruth(x[5:9, ])$tau, truth$tau[5:9])
    rate <- SummarizedExperiment::assay(x, "rate")
    expect_true(all(rate >= 0 & rate <= 1))
    expect_true(all(x$time >= 0 & x$time <= 10))
    ## counts follow the rate
    by <- vapply(which(truth$dynamic), function(g) {
        stats::cor(rnaOf(x)[g, ], rate[g, ])
    }, 0)
    expect_gt(mean(by), 0.25)
})

test_that("a gene's peaks lie within 50 kb of it, all others farther", {
    for (null in c("none", "permutedLinks")) {
        x <- simulateMultiome(nCells = 20, nGenes = 50, null = null, seed = 4)
        genes <- S4Vectors::metadata(x)$genes
        peaks <- rownames(atacOf(x))
        chr <- sub(":.*", "", peaks)
        from <- as.numeric(sub(".*:(.*)-.*", "\\1", peaks))
        to <- as.numeric(sub(".*-", "", peaks))
        found <- do.call(rbind, lapply(seq_len(nrow(genes)), function(g) {
            gap <- pmax(genes$start[[g]] - to, from - genes$end[[g]], 0)
            near <- chr == genes$chr[[g]]
            expect_false(any(near & gap > 5e4 & gap < 1.5e5))
            data.frame(gene = genes$gene[[g]], peak = peaks[near & gap < 1e5])
        }))
        links <- S4Vectors::metadata(x)$links
        expect_setequal(paste(found$gene, found$peak),
            paste(links$gene, links$peak)
        )
        sim <- S4Vectors::metadata(x)$simulation
        true <- sim$peaks$gene[match(links$peak, sim$peaks$peak)]
        if (null == "none") {
            expect_identical(true, links$gene)
        } else {
            expect_lt(mean(true == links$gene), 0.3)
        }
    }
})

test_that("the seed governs, the threads don't, options share their genes", {
    a <- small(seed = 1)
    b <- small(seed = 1, threads = 1)
    expect_identical(rnaOf(a), rnaOf(b))
    expect_identical(atacOf(a), atacOf(b))
    expect_false(identical(rnaOf(a), rnaOf(small(seed = 2))))
    set.seed(9)
    d <- small()
    set.seed(9)
    expect_identical(rnaOf(small()), rnaOf(d))
    zero <- small(seed = 1, null = "zeroDelay")
    expect_true(all(simulatedTruth(zero)$tau == 0))
    expect_identical(simulatedTruth(zero)$kind, simulatedTruth(a)$kind)
    expect_identical(atacOf(zero), atacOf(a))
    shuffled <- small(seed = 1, null = "shuffledPairing")
    expect_identical(rnaOf(shuffled), rnaOf(a))
    partner <- S4Vectors::metadata(shuffled)$simulation$partner
    expect_equal(unname(as.matrix(atacOf(shuffled))),
        unname(as.matrix(atacOf(a)))[, partner]
    )
})

test_that("topologies, depth and conditions", {
    expect_setequal(unique(small(topology = "bifurcation", seed = 1)$branch),
        c("trunk", "A", "B")
    )
    rest <- small(null = "resting", seed = 1, profiles = TRUE)
    expect_true(all(is.na(rest$time)))
    expect_identical(sort(unique(rest$branch)), paste0("state", 1:6))
    expect_identical(SummarizedExperiment::assay(rest, "rate"),
        SummarizedExperiment::assay(rest, "chromatin")
    )
    loop <- small(topology = "loop", seed = 1)
    expect_identical(unique(loop$branch), "course")
    low <- small(depth = "low", seed = 1)
    expect_equal(sum(rnaOf(low)) / sum(rnaOf(small(seed = 1))), 0.25,
        tolerance = 0.1
    )
    deep <- small(depth = c(4, 1), seed = 1)
    expect_equal(sum(rnaOf(deep)) / sum(rnaOf(small(seed = 1))), 4,
        tolerance = 0.1
    )
    expect_identical(atacOf(deep), atacOf(small(seed = 1)))
    two <- small(altered = 0.3, seed = 1)
    expect_setequal(two$condition, c("control", "treated"))
    expect_true(any(simulatedTruth(two)$altered))
    expect_null(small(seed = 1)$condition)
    more <- simulateMultiome(20, 10, nPeaks = 333, seed = 1)
    expect_identical(nrow(atacOf(more)), 333L)
})

test_that("bad values are named", {
    expect_error(simulateMultiome(nCells = 0), "'nCells' must be")
    expect_error(simulateMultiome(nGenes = 2.5), "'nGenes' must be")
    expect_error(simulateMultiome(nPeaks = 10), "'nPeaks' must be")
    expect_error(simulateMultiome(20, 10, nPeaks = 30, seed = 1),
        "30 peaks are too few for 10 genes"
    )
    expect_error(simulateMultiome(topology = "tree"), "'topology' must be")
    expect_error(simulateMultiome(mode = "lag"), "'mode' must be")
    expect_error(simulateMultiome(depth = "high"), "'depth' must be")
    expect_error(simulateMultiome(depth = c(1, -1)), "'depth' must be")
    expect_error(simulateMultiome(null = "all"), "'null' must be")
    expect_error(simulateMultiome(tauBounds = c(2, 1)), "'tauBounds' must be")
    expect_error(simulateMultiome(peaksPerGene = c(0, 3)), "'peaksPerGene'")
    expect_error(simulateMultiome(altered = 0.1, alteredIn = "branch"),
        "'alteredIn' is \"branch\", but topology \"linear\""
    )
    expect_error(simulateMultiome(alteredFactor = 5), "'alteredFactor' times")
    expect_error(simulateMultiome(profiles = NA), "'profiles' must be")
    x <- small(seed = 1)
    SummarizedExperiment::rowData(x)$trueTau <- NULL
    expect_error(simulatedTruth(x), "'x' has lost these columns.*trueTau")
})

test_that("the engine refuses options that it doesn't know", {
    draw <- function(o) .Call(cw_r_multiome, o, FALSE, c(1, 2), 1L)
    expect_error(draw(list(cels = 20)), "is 'cells' meant")
    expect_error(draw(list(topology = "tree")), "it may be one of: linear")
    expect_error(draw(list(dropout = 2)), "'dropout' is 2")
})

test_that("lags of both kinds, exits, states and deep cells are as asked", {
    both <- simulateMultiome(60, 40, mode = "both", seed = 2)
    truth <- SummarizedExperiment::rowData(both)
    expect_equal(truth$trueDelay + truth$trueKinetics, truth$trueTau)
    share <- truth$trueKinetics / truth$trueTau
    expect_true(all(share >= 0.2 & share <= 0.8))
    ## the RNA's mean lag is the total one, whatever its shape
    course <- function(mode) {
        x <- simulateMultiome(4000, 40, mode = mode, profiles = TRUE, seed = 2)
        on <- which(SummarizedExperiment::rowData(x)$kind == "on")
        rate <- SummarizedExperiment::assay(x, "rate")[on, ]
        rowMeans(rate)
    }
    expect_lt(max(abs(course("both") - course("delay"))), 0.05)
    delay <- simulateMultiome(60, 40, seed = 2)
    expect_identical(SummarizedExperiment::rowData(delay)$trueKinetics,
        rep(0, 40)
    )
    exit <- simulateMultiome(500, 40, topology = "exit", profiles = TRUE,
        seed = 2
    )
    out <- exit$branch == "exit"
    expect_true(mean(out) > 0.2 && mean(out) < 0.4)
    expect_true(all(exit$time[out] >= 6) && min(exit$time[!out]) < 1)
    rest <- simulateMultiome(300, 20, null = "resting", states = 9, seed = 2)
    expect_setequal(rest$branch, paste0("state", 1:9))
    deep <- simulateMultiome(60, 40, seed = 2, deepCells = 2, deepFactor = 50,
        deepIn = "chromatin"
    )
    counts <- function(x) {
        SummarizedExperiment::assay(SingleCellExperiment::altExp(x))
    }
    expect_equal(as.matrix(counts(deep))[, 1:2],
        50 * as.matrix(counts(delay))[, 1:2]
    )
    expect_identical(counts(deep)[, 3:60], counts(delay)[, 3:60])
    expect_error(simulateMultiome(10, 5, states = 13), "states")
})
