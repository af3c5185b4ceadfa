## annotateCells(): labels, blocks, containers, lost genes, one type only.

test_that("cells get their types, probabilities and sets", {
    d <- as.data.frame(simulatedLabels())
    truth <- simulatedTypes(seed = 2)$cell_type
    expect_identical(d$cell, colnames(simulatedTypes(seed = 2)))
    expect_gt(mean(d$label == truth), 0.85)
    expect_true(all(d$probability > 1 / 3 & d$probability <= 1))
    inside <- mapply(function(set, t) t %in% set, strsplit(d$set, "|",
        fixed = TRUE), truth)
    expect_gt(mean(inside), 0.85)
    expect_true(all(d$broad == d$label | d$broad == "unassigned"))
    expect_true(all((d$broad == "unassigned") == (d$probability < 0.8)))
})

test_that("a matrix, logs and file-backed blocks give the same labels", {
    a <- simulatedAnnotator()
    x <- simulatedTypes(seed = 2)
    want <- as.data.frame(simulatedLabels())$label
    m <- SingleCellExperiment::counts(x)
    go <- function(x) as.data.frame(annotateCells(x, a, novelty = FALSE,
        seed = 1, verbose = FALSE))$label
    expect_identical(go(as.matrix(m)), want)
    expect_identical(go(DelayedArray::DelayedArray(m)), want)
    logs <- log1p(1e4 * sweep(as.matrix(m), 2, colSums(m), "/"))
    expect_identical(go(logs), want)
    expect_identical(go(m[160:1, ]), want)
    many <- m[, rep(seq_len(120), 40)] # more than one block
    colnames(many) <- paste0("c", seq_len(4800))
    many <- matrix(go(many), 120)
    expect_true(all(many == many[, 1]))
})

test_that("genes that are missing make it train anew, and say so", {
    x <- simulatedTypes(seed = 2)
    expect_message(l <- annotateCells(x[1:100, ], simulatedAnnotator(),
        novelty = FALSE, seed = 1), "training anew")
    expect_identical(l@facts$genes, 100L)
    expect_gt(mean(as.data.frame(l)$label == x$cell_type), 0.85)
    expect_error(annotateCells(x[1:20, ], simulatedAnnotator()),
        "share 20 genes")
})

test_that("a lopsided query is told, with the centroids beside", {
    x <- simulatedTypes(seed = 2)
    l <- annotateCells(x[, x$cell_type == "T"], simulatedAnnotator(),
        novelty = FALSE, seed = 1, verbose = FALSE)
    expect_true(l@facts$lopsided)
    expect_match(paste(verdict(l)$text, collapse = " "), "calls pile up")
    expect_gt(mean(as.data.frame(l)$centroid == "T"), 0.85)
    few <- annotateCells(x[, 1:30], simulatedAnnotator(), novelty = FALSE,
        seed = 1, verbose = FALSE)
    expect_match(paste(verdict(few)$text, collapse = " "),
        "Fewer than 50 cells")
})

test_that("what is known of the genes is said once", {
    x <- simulatedTypes(10, seed = 2)
    rownames(x) <- tolower(rownames(x))
    said <- character()
    withCallingHandlers(annotateCells(x, simulatedTypes(25), nPerm = 3,
        novelty = FALSE, seed = 1), message = function(m) {
            said <<- c(said, conditionMessage(m))
            invokeRestart("muffleMessage")
        }, warning = function(w) {
            said <<- c(said, conditionMessage(w))
            invokeRestart("muffleWarning")
        })
    expect_identical(sum(grepl("different species", said)), 1L)
    expect_identical(anyDuplicated(said), 0L)
})

test_that("one cell, or cells that are all alike, are labelled", {
    x <- simulatedTypes(seed = 2)
    one <- annotateCells(x[, 1], simulatedAnnotator(), seed = 1,
        verbose = FALSE)
    expect_identical(nrow(as.data.frame(one)), 1L)
    expect_identical(as.data.frame(one)$label, as.character(x$cell_type[1]))
    expect_match(paste(verdict(one)$text, collapse = " "),
        "this is rough: a batch's shift is in it")
    same <- x[, c(1, 1, 1)]
    colnames(same) <- c("a", "b", "c")
    same <- annotateCells(same, simulatedAnnotator(), seed = 1,
        verbose = FALSE)
    expect_identical(length(unique(as.data.frame(same)$novelty)), 1L)
})

test_that("a reference of cells, an ontology, and other methods", {
    cells <- simulatedTypes(25)
    x <- simulatedTypes(10, seed = 2)
    l <- annotateCells(x, cells, nPerm = 3, method = "centroid",
        ontology = bloodOntology(), terms = bloodTerms, novelty = FALSE,
        level = 0.95, seed = 1, verbose = FALSE)
    d <- as.data.frame(l)
    expect_gt(mean(d$label == x$cell_type), 0.85)
    expect_identical(unname(bloodTerms[d$label]), d$term)
    up <- d$broad != d$label & d$broad != "unassigned"
    expect_true(all(d$broad[up] %in% bloodOntology()@names))
    expect_match(paste(verdict(l)$text, collapse = " "), "aren't calibrated")
})

## What the engine gives a block, written out in R.
labelsByHand <- function(scores, method, held, types) {
    n <- length(scores) - 1L
    guess <- if (n == 1L) scores[[1L]] else causeway:::.blend(scores[1:3])
    matched <- if (n == 4L) scores[[4L]] else guess
    all <- if (n == 4L && method != "matched")
        causeway:::.blend(list(matched, guess)) else matched
    p <- causeway:::.tempered(all, if (method == "default")
        held$temperature else 1)
    call <- max.col(p, "first")
    inside <- sweep(1 - p, 2, held$threshold, "<=")
    inside[cbind(seq_along(call), call)] <- TRUE
    data.frame(label = types[call],
        probability = p[cbind(seq_along(call), call)],
        set = apply(inside, 1, function(v) paste(types[v], collapse = "|")),
        firstGuess = types[max.col(if (n == 1L) p else guess, "first")],
        refit = types[max.col(if (n == 4L) matched else p, "first")],
        centroid = types[max.col(scores[[n + 1L]], "first")])
}

test_that("labels of a block are those of the formulas", {
    a <- simulatedAnnotator()
    a@models$held$threshold <- c(0.95, 0.4, 0.999)
    stored <- a@reference
    ref <- causeway:::.reference(stored$matrix, seq_len(nrow(stored$matrix)),
        stored$logged, stored$y, stored$types)
    data <- causeway:::.partOf(causeway:::.dataSet(SingleCellExperiment::counts(
        simulatedTypes(seed = 2)), seq_len(nrow(stored$matrix)),
        FALSE), 1:120)
    for (method in c("default", "matched", "guess", "centroid")) {
        s <- list(method = method, level = 0.8)
        fit <- causeway:::.fitToQuery(a, ref, data, s)
        got <- causeway:::.labelBlock(data$block, data, fit, a, s,
            list(threads = 2L))
        want <- labelsByHand(causeway:::.scoreBlock(data$block, data,
            c(fit$models, list(fit$centroid))), method, a@models$held,
            stored$types)
        expect_equal(got$probability, want$probability, tolerance = 1e-10)
        same <- setdiff(names(want), "probability")
        expect_identical(got[same], as.list(want[same]))
        expect_gt(length(unique(got$set)), 2L)
    }
})
