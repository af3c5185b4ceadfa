## Who is compared with whom, and what is permuted.

example <- exampleGRN()

test_that("few units are permuted in every way, once", {
    y <- c(TRUE, TRUE, FALSE, FALSE, FALSE)
    labels <- .permutedLabels(y, rep(1L, 5), 100L, .newKey(1))
    expect_identical(ncol(labels), 10L)
    expect_identical(labels[, 1L], as.raw(y))
    expect_false(anyDuplicated(t(labels)) > 0)
})

test_that("blocks: within them, or whole", {
    donor <- rep(c("a", "b", "c", "d", "e"), 8)
    within <- contrastGRN(example, "group", block = donor, seed = 1)
    expect_match(within@facts$permuted, "cells within 5 blocks")
    ## a block of one group is left out
    alone <- ifelse(seq_along(donor) <= 3, "first", donor)
    expect_message(got <- contrastGRN(example, "group", block = alone,
        seed = 1
    ), "3 cells of blocks with one group")
    expect_match(got@facts$permuted, "within 5 blocks")
    whole <- rep(c("a", "b", "c", "d", "e", "f"), c(7, 7, 6, 7, 7, 6))
    got <- contrastGRN(example, "group", block = whole, top = 20, seed = 1)
    expect_match(got@facts$permuted, "whole blocks, 6")
    expect_identical(got@facts$nPerm, 19L)
    expect_identical(got@facts$units, c(3L, 3L))
    expect_gte(got@facts$edges$p, 1 / 20)
    edges <- frame(got, "edges")
    at <- cbind(edges$Gene1, edges$Gene2)
    means <- vapply(poolGRN(example, group = whole), function(p) {
        as.matrix(p)[at]
    }, numeric(nrow(at)))
    expect_equal(edges$effect,
        rowMeans(means[, 4:6]) - rowMeans(means[, 1:3]), tolerance = 1e-6
    )
})

test_that("groups and levels", {
    three <- rep(c(0, 24, 72), c(10, 10, 20))
    got <- contrastGRN(example, three, level = 72, ref = 0, seed = 1)
    expect_identical(got@facts[c("level", "ref")],
        list(level = "72", ref = "0")
    )
    expect_identical(got@facts$nLevel + got@facts$nRef, 30L)
    rest <- contrastGRN(example, three, level = 72, seed = 1)
    expect_identical(rest@facts$ref, "all others")
    expect_identical(rest@facts$nRef, 20L)
    two <- factor(rep(c("x", "y"), 20), levels = c("y", "x"))
    expect_identical(contrastGRN(example, two, seed = 1)@facts$ref, "y")
    expect_identical(contrastGRN(example, two, ref = "x",
        seed = 1)@facts$level, "y")
    three[1:4] <- NA
    expect_message(contrastGRN(example, three, level = 72, seed = 1),
        "4 cells without a group"
    )
})

test_that("the reference group is the same in every locale", {
    old <- Sys.getlocale("LC_COLLATE")
    on.exit(Sys.setlocale("LC_COLLATE", old))
    group <- rep(c("ctrl", "Stim"), 20)
    for (locale in c("C", "C.UTF-8", "en_US.UTF-8")) {
        if (nzchar(suppressWarnings(Sys.setlocale("LC_COLLATE", locale)))) {
            got <- contrastGRN(example, group, nPerm = 19, top = 20,
                by = "edges", seed = 1)
            expect_identical(got@facts$ref, "Stim")
            expect_named(poolGRN(example, group = group), c("Stim", "ctrl"))
        }
    }
})
