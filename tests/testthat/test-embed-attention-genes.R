cells <- exampleCells(nCells = 60, nGenes = 40)
counts <- as.matrix(SummarizedExperiment::assay(cells)) + 1
kind <- rep(c("low", "high"), 30)
counts[1:6, kind == "high"] <- counts[1:6, kind == "high"] * 40
SummarizedExperiment::assay(cells) <- counts
cells$kind <- kind
model <- tinyCellFM(cells)
ask <- function(group, ...) {
    attentionGenes(cells, model, group, nPerm = 30, seed = 1, verbose = FALSE,
        ...)
}

test_that("groups that differ are told from shuffled labels, others aren't", {
    found <- ask("kind")
    expect_true(found@facts$found > 0)
    expect_match(verdict(found)$text, "attended to differently")
    genes <- found@tables$genes
    expect_setequal(unique(genes$group), c("low", "high"))
    ## two groups: what is above in one is below in the other
    high <- genes[genes$group == "high", ]
    low <- genes[genes$group == "low", ]
    expect_equal(high$difference, -low$difference[match(high$gene, low$gene)])
    expect_true(verdict(found)$holds)
    set.seed(4)
    holds <- vapply(1:8, function(i) {
        verdict(ask(sample(kind)))$holds
    }, NA)
    expect_lte(sum(holds), 1L)
})

test_that("scores are those of the engine", {
    rows <- seq_len(40)
    token <- model@vocab$token[match(rownames(cells), model@vocab$gene)]
    raw <- causeway:::.engineRun(model, "attention",
        list(counts = counts, token = token),
        causeway:::.cellfmReading(2048, NULL, FALSE))$score
    genes <- ask("kind")@tables$genes
    one <- genes[genes$group == "high", ][1, ]
    at <- match(one$gene, rownames(cells))
    expect_equal(one$score, mean(raw[at, kind == "high"]), tolerance = 1e-6)
    expect_equal(one$rest, mean(raw[at, kind == "low"]), tolerance = 1e-6)
    logged <- log1p(sweep(counts, 2, colSums(counts), "/") * 1e4)
    expect_equal(one$expression, mean(logged[at, kind == "high"]) -
        mean(logged[at, kind == "low"]), tolerance = 1e-6)
})

test_that("labels are shuffled within blocks", {
    class <- rep(1:2, 10)
    block <- rep(c("a", "b"), each = 10)
    all <- causeway:::.shuffledLabels(class, block, 5, c(1, 2))
    expect_identical(dim(all), c(20L, 6L))
    expect_identical(all[, 1], class)
    for (p in 2:6) {
        expect_identical(tapply(all[, p] == 1, block, sum)[["a"]], 5L)
        expect_false(identical(all[, p], class))
    }
})

test_that("what can't be is refused", {
    expect_error(ask(rep("a", 60)), "at least two")
    expect_error(ask("kind", layer = 3), "'layer'")
    expect_error(ask("kind", feature = "none"), "'feature'")
    expect_error(attentionGenes(cells, tinyScGPT(), "kind"), "CellFM model")
    SummarizedExperiment::rowData(cells)$biotype <- "lncRNA"
    found <- attentionGenes(cells, model, "kind", feature = "biotype",
        nPerm = 10, seed = 1, verbose = FALSE)
    expect_true(all(found@tables$genes$feature == "lncRNA"))
})
