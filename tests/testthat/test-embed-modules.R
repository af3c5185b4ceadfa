## geneModules().

moduleCase <- function() {
    set.seed(1)
    centre <- matrix(rnorm(40), 4)
    v <- centre[rep(1:4, each = 15), ] + rnorm(600, 0, 0.4)
    rownames(v) <- paste0("G", 1:60)
    list(vectors = v, sets = split(rownames(v), rep(letters[1:4], each = 15)))
}

test_that("modules are found, enriched, and more so than random ones", {
    case <- moduleCase()
    m <- geneModules(NULL, case$vectors, case$sets, nPerm = 20, seed = 1,
        verbose = FALSE)
    expect_true(verdict(m)$holds)
    genes <- as.data.frame(m, which = "genes")
    expect_gt(mean(tapply(genes$module, rep(1:4, each = 15), function(v) {
        max(table(v)) / 15
    })), 0.9)
    best <- as.data.frame(m, which = "enrichment")[1L, ]
    expect_equal(best$p, phyper(best$overlap - 1, best$setSize,
        60 - best$setSize, best$size, lower.tail = FALSE))
    expect_s3_class(plot(m), "ggplot")
    again <- geneModules(NULL, case$vectors, case$sets, nPerm = 20, seed = 1,
        verbose = FALSE)
    expect_identical(again@tables, m@tables)
    shared <- geneModules(NULL, case$vectors, case$sets, graph = "shared",
        nPerm = 5, seed = 1, verbose = FALSE)
    expect_gte(as.data.frame(shared, which = "methods")$enriched, 3L)
})

test_that("random sets are not found to be enriched", {
    case <- moduleCase()
    any <- sample(rownames(case$vectors))
    m <- geneModules(NULL, case$vectors, split(any, rep(1:4, each = 15)),
        nPerm = 20, seed = 1, verbose = FALSE)
    expect_false(verdict(m)$holds)
    none <- geneModules(NULL, case$vectors, seed = 1, verbose = FALSE)
    expect_identical(verdict(none)$holds, NA)
    expect_error(plot(none), "has no enrichment")
})

test_that("co-expression stands beside the vectors", {
    cells <- exampleCells(60)
    genes <- rownames(cells)
    set.seed(2)
    v <- matrix(rnorm(length(genes) * 4), ncol = 4,
        dimnames = list(genes, NULL))
    m <- geneModules(cells, v, list(one = genes[1:10]), nPerm = 5, seed = 1,
        verbose = FALSE)
    expect_identical(as.data.frame(m, which = "methods")$of,
        c("vectors", "coexpression"))
    expect_false(verdict(m)$holds)
})

test_that("R's generator is left alone", {
    case <- moduleCase()
    set.seed(5)
    before <- .Random.seed
    geneModules(NULL, case$vectors, seed = 1, verbose = FALSE)
    expect_identical(.Random.seed, before)
})

test_that("graphs and modularity are the golden ones, Leiden comes near", {
    file <- file.path(fixture("modules_a"), "case.safetensors")
    skip_if_not(file.exists(file), "no golden case here")
    golden <- readTensors(file)
    points <- matrix(golden$vectors, 8)
    graph <- .neighbourGraph(points, 8L)
    expect_equal(graph$weight, as.vector(golden$expect.umap),
        tolerance = 1e-4)
    resolution <- as.vector(golden$resolution)
    part <- as.integer(golden$partition)
    part <- match(part, sort(unique(part)))
    best <- as.vector(golden$expect.best_modularity)
    for (i in seq_along(resolution)) {
        expect_equal(.modularity(graph, part, resolution[[i]]),
            golden$expect.modularity[[i]], tolerance = 1e-4)
        ours <- .modularity(graph, .leiden(graph, resolution[[i]]),
            resolution[[i]])
        expect_gte(ours, 0.995 * best[[i]])
    }
})

test_that("what can't be is refused", {
    case <- moduleCase()
    v <- case$vectors
    expect_error(geneModules(NULL, unname(v)), "'vectors' must be a matrix")
    expect_error(geneModules(NULL, v[1:10, ]), "10 genes; modules need 20")
    expect_error(geneModules(NULL, v[c(1, 1:30), ]), "several rows called G1")
    w <- v
    w[3, 1] <- NA
    expect_error(geneModules(NULL, w), "first of G3")
    expect_error(geneModules(NULL, v, list(a = c("x", "y"))),
        "no set with five")
    expect_error(geneModules(NULL, v, data.frame(a = 1)), "columns 'set'")
    expect_error(geneModules(NULL, v, list(c("G1"))), "named list")
    expect_error(geneModules(exampleCells(30)[1:5, ], v), "of the 60 genes")
})
