test_that("counts that can't be used are refused", {
    d <- tauCounts()
    clean <- function(rna = d$rna, atac = d$atac) {
        .cleanCounts(.readPairs(rna, atac), FALSE)
    }
    for (bad in c(NA, NaN, Inf)) {
        rna <- d$rna
        rna@x[[5]] <- bad
        expect_error(clean(rna), "1 values that are NA, NaN or infinite.*RNA")
    }
    atac <- d$atac
    atac@x[1:2] <- -1
    expect_error(clean(atac = atac), "2 negative values in its chromatin")
    expect_error(clean(log1p(d$rna * 1.3)), "no counts in its RNA.*counts")
    expect_error(clean(d$rna * 0), "has 0 cells with both.*at least 200")
    expect_error(.readPairs(d$rna[0, ], d$atac), "is empty")
    rownames(d$rna)[[2]] <- "gene1"
    expect_error(.readPairs(d$rna, d$atac), "same name: gene1")
    rownames(d$rna) <- NULL
    expect_error(.readPairs(d$rna, d$atac), "no names of genes")
    expect_error(.readPairs(d$rna), "holds one modality")
    expect_error(.readPairs("a", d$atac), "'x' names no file or folder: a")
    expect_error(.readPairs(d$rna, matrix("a", 2, 2)), "holds character values")
    expect_error(.readPairs(tauCounts()$rna, tauCounts()$atac, rna = "x"),
        "no meaning"
    )
})

test_that("empty cells, genes and peaks are dropped and said", {
    d <- tauCounts()
    d$rna[3, ] <- 0
    d$atac[c(1, 60), ] <- 0
    d$atac[, 7] <- 0
    input <- .readPairs(d$rna, d$atac)
    expect_message(out <- .cleanCounts(input, TRUE), "1 gene without a count")
    expect_message(.cleanCounts(input, TRUE), "2 peaks without a count")
    expect_message(.cleanCounts(input, TRUE), "1 cell without a count")
    expect_identical(out$dropped, "gene3")
    expect_identical(dim(out$rna), c(29L, 229L))
    expect_identical(dim(out$atac), c(58L, 229L))
    expect_identical(out$cells, colnames(d$rna)[-7])
    expect_identical(out$rnaAt, seq_len(230)[-7])
    ## a link to a gene without counts is no surprise, one to a peak is
    expect_warning(l <- .givenLinks(out, d$links, FALSE), "2 of 60 links")
    expect_false("gene3" %in% l$gene)
})
