model <- tinyHyena()
set.seed(1)
genome <- vapply(c(chr1 = 400, chr2 = 300), function(n) {
    paste(sample(c("A", "C", "G", "T"), n, TRUE), collapse = "")
}, "")
peaks <- c("chr1:11-50", "chr1:101-160", "chr2:201-300")
open <- Matrix::Matrix(c(1, 0, 2, 1, 0, 0, 0, 3, 1, 0, 0, 0), 3, sparse = TRUE,
    dimnames = list(peaks, letters[1:4]))

test_that("peaks have the vectors of their sequences", {
    z <- embedPeaks(peaks, genome, model, verbose = FALSE)
    want <- c(substr(genome[[1]], 11, 50), substr(genome[[1]], 101, 160),
        substr(genome[[2]], 201, 300))
    expect_equal(unname(z), unname(embedSequences(want, model,
        verbose = FALSE)))
    expect_identical(rownames(z), peaks)
    expect_identical(embedPeaks(open, genome, model, verbose = FALSE), z)
    wide <- causeway:::.peakSequences(causeway:::.peakTable(peaks), genome,
        60)
    expect_identical(unname(nchar(wide)), c(60L, 60L, 60L))
    expect_identical(wide[[3]], substr(genome[[2]], 220, 279))
    end <- causeway:::.peakSequences(
        causeway:::.peakTable(c("chr1:1-3", "chr1:399-400")), genome, 20)
    expect_identical(unname(end),
        substring(genome[[1]], c(1, 381), c(20, 400)))
})

test_that("genomes of every kind are read", {
    skip_if_not_installed("Biostrings")
    skip_if_not_installed("Rsamtools")
    z <- embedPeaks(peaks, genome, model, verbose = FALSE)
    set <- Biostrings::DNAStringSet(genome)
    expect_equal(embedPeaks(peaks, set, model, verbose = FALSE), z)
    file <- tempfile(fileext = ".fa")
    Biostrings::writeXStringSet(set, file)
    expect_error(embedPeaks(peaks, file, model), "indexFa")
    Rsamtools::indexFa(file)
    expect_equal(embedPeaks(peaks, file, model, verbose = FALSE), z)
    expect_equal(embedPeaks(peaks, Rsamtools::FaFile(file), model,
        verbose = FALSE), z)
})

test_that("wrong peaks and genomes are told with the way out", {
    expect_error(embedPeaks("1:11-50", genome, model), "seqlevelsStyle.*UCSC")
    expect_error(embedPeaks("chr1:11-50", c("1" = genome[[1]]), model),
        "seqlevelsStyle.*NCBI")
    expect_error(embedPeaks("chrX:11-50", genome, model), "doesn't have: chrX")
    expect_error(embedPeaks("chr1:11-401", genome, model),
        "beyond their sequence")
    expect_error(embedPeaks(peaks, unname(genome), model), "must have names")
    expect_error(embedPeaks(peaks, "no.fa", model), "neither a file")
    expect_error(embedPeaks(peaks, "BSgenome.Nowhere.UCSC.x1", model),
        "BiocManager::install\\(\"BSgenome.Nowhere.UCSC.x1\"\\)")
    expect_error(embedPeaks(peaks, model = model), "'genome' is missing")
    expect_error(embedPeaks(peaks, 7, model), "must be a BSgenome")
})

test_that("a cell is the mean of its open peaks, by counts", {
    z <- embedPeaks(peaks, genome, model, verbose = FALSE)
    expect_warning(out <- embedATAC(open, genome, model, verbose = FALSE),
        "1 cell without an open peak")
    expect_equal(out[1, ], (z[1, ] + 2 * z[3, ]) / 3, ignore_attr = TRUE)
    expect_equal(out[2, ], z[1, ], ignore_attr = TRUE)
    expect_true(all(is.na(out[4, ])))
    expect_identical(attr(out, "peaks"), c(used = 3L, all = 3L))
    given <- suppressWarnings(embedATAC(open, peaks = z, verbose = FALSE))
    expect_equal(given, out)
    ## present in half of the cells: the first two rows are
    half <- suppressWarnings(embedATAC(open, peaks = z, minCells = 0.5,
        verbose = FALSE))
    expect_identical(attr(half, "peaks")[["used"]],
        sum(Matrix::rowSums(open > 0) >= 2))
    one <- suppressWarnings(embedATAC(open, peaks = z, top = 1,
        verbose = FALSE))
    expect_identical(attr(one, "peaks")[["used"]], 1L)
    expect_equal(one[3, ], z[2, ], ignore_attr = TRUE)
    expect_error(embedATAC(open, peaks = z[-1, ]), "lacks 1 peak")
    expect_error(embedATAC(open, genome), "'model' is missing")
    expect_error(embedATAC(open, peaks = z, minCells = 1), "no peak is open")
    expect_error(embedATAC(open, peaks = z, misspelt = 1), "misspelt")
})
