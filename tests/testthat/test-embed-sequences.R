model <- tinyHyena()
embed <- function(...) embedSequences(..., model, verbose = FALSE)

test_that("golden sequences give the golden vectors", {
    golden <- loadModel(hyenaFolder())
    ids <- goldenTensor("hyena_o3", "input_ids")
    want <- goldenTensor("hyena_o3", "expect.mean_hidden")
    found <- causeway:::.engineRun(golden, "embed", list(
        id = as.integer(t(ids)), length = rep(ncol(ids), nrow(ids))
    ))$embedding
    expect_equal(t(found), want, tolerance = 1e-4)
})

test_that("a sequence's vector is its own", {
    x <- c(a = "ACGTTGCA", b = "GGGTTTACGN", c = "ACGTTGCA")
    z <- embed(x)
    expect_identical(rownames(z), names(x))
    expect_identical(z["a", ], z["c", ])
    expect_equal(z["b", ], embed(x["b"])["b", ], tolerance = 1e-5)
    expect_equal(z, embedSequences(x, model, batchBases = 1, verbose = FALSE),
        tolerance = 1e-5)
    expect_identical(embed("acgttgca"), embed("ACGTTGCA"))
    both <- embedSequences(x, model, strand = "both", verbose = FALSE)
    turned <- embed(c("TGCAACGT", "NCGTAAACCC", "TGCAACGT"))
    expect_equal(unname(both), unname(z + turned) / 2, tolerance = 1e-6)
    expect_false(isTRUE(all.equal(
        embedSequences("ACGT", model, special = TRUE), embed("ACGT"))))
    expect_false(isTRUE(all.equal(
        embedSequences("ACGT", model, pool = "last"), embed("ACGT"))))
})

test_that("what can't be read is refused by number or name", {
    expect_error(embed(c("ACGT", "")), "number 2")
    expect_error(embed(c("ACGT", NA)), "number 2")
    expect_error(embed(character()), "empty")
    expect_error(embed(1:3), "DNAStringSet or a character vector")
    long <- c(x = strrep("ACGT", 26))
    expect_error(embed(long), "longer than the 100 bases.*x")
    cut <- embedSequences(long, model, tooLong = "start", verbose = FALSE)
    expect_equal(cut, embed(setNames(substr(long, 1, 100), "x")))
    centre <- embedSequences(long, model, tooLong = "centre", verbose = FALSE)
    expect_equal(centre, embed(setNames(substr(long, 3, 102), "x")))
    expect_error(embedSequences(strrep("A", 99), model, special = TRUE), "98")
    expect_error(embedSequences(model, "ACGT"), "the sequences come first")
    expect_error(embedSequences("ACGT", tinyScGPT()), "encoder of sequences")
    expect_message(embedSequences("ACNRY", model), "2 of 5 letters are none")
    expect_message(embedSequences("ACNRY", model), "1 of 5 bases are N")
})

test_that("a DNAStringSet is read", {
    skip_if_not_installed("Biostrings")
    x <- c(a = "ACGTTGCA", b = "GGGTTTACGN")
    expect_identical(embed(Biostrings::DNAStringSet(x)), embed(x))
})
