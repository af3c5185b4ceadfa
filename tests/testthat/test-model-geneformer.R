test_that("a folder is read: dictionaries, weights, report", {
    model <- loadModel(geneformerFolder(), threads = 1)
    expect_s4_class(model, "GeneformerModel")
    expect_length(unlist(modelReport(model)[c("missing", "misshapen")]), 0)
    expect_output(show(model), "Geneformer.*genes: 100, at most 20 tokens")
    expect_identical(model@vocab$gene[1:4],
        c("<pad>", "<mask>", "<cls>", "<eos>")
    )
    expect_equal(model@vocab$median[5], 1 + 1 / 7)
    expect_identical(unname(model@symbols["Sym3"]), "ENSG00000000003")
})

test_that("a cell is its genes by counts over medians, highest first", {
    model <- loadModel(geneformerFolder(), threads = 1)
    plain <- loadModel(geneformerFolder(special = FALSE), threads = 1)
    counts <- cbind(a = c(5, 0, 9, 2), b = 0, c = c(1, 1, 1, 1))
    gene <- match(sprintf("ENSG%011d", 1:4), plain@vocab$gene)
    ranks <- causeway:::.rankTokens(plain, counts, gene, 20)
    median <- 1 + (1:4) / 7
    want <- function(x) {
        v <- x / median
        as.integer(1 + order(-v)[seq_len(sum(v > 0))])
    }
    expect_identical(ranks[[1]], want(counts[, 1]))
    expect_length(ranks[[2]], 0)
    expect_identical(ranks[[3]], want(counts[, 3]))
    expect_identical(causeway:::.rankTokens(plain, counts, gene, 2)[[1]],
        want(counts[, 1])[1:2]
    )
    gene <- match(sprintf("ENSG%011d", 1:4), model@vocab$gene)
    ranks <- causeway:::.rankTokens(model, counts, gene, 4)
    expect_identical(ranks[[1]], c(2L, want(counts[, 1])[1:2] + 2L, 3L))
    expect_identical(ranks[[2]], c(2L, 3L))
    ## two rows of one gene are added up
    two <- causeway:::.rankTokens(model, cbind(c(1, 2, 2)),
        gene[c(1, 2, 1)], 20
    )
    expect_identical(two[[1]], c(2L, gene[1:2] - 1L, 3L))
})

test_that("what isn't Geneformer's is refused with the file's name", {
    broken <- function(file, x) {
        dir <- geneformerFolder()
        writePickle(x, file.path(dir, file))
        dir
    }
    token <- "token_dictionary_gc95M.pkl"
    median <- "gene_median_dictionary_gc95M.pkl"
    expect_error(loadModel(broken(token, c(A = 0, B = 1))), "no \"<pad>\"")
    expect_error(loadModel(broken(token, c("<pad>" = 0, B = 0))), "own whole")
    expect_error(
        loadModel(broken(token, c("<pad>" = 0, ENSG00000000001 = 400,
            ENSG00000000002 = 1
        ))), "401 tokens, its weights know 156"
    )
    expect_error(loadModel(broken(median, c(A = -1))), "above 0")
    expect_error(loadModel(broken(median, c(A = 1))), "has no gene of")
    dir <- geneformerFolder()
    unlink(file.path(dir, median))
    expect_error(loadModel(dir), "no gene_median_dictionary")
    writeBin(charToRaw("cos\nsystem\n."), file.path(dir, token))
    writePickle(c(A = 1), file.path(dir, median))
    expect_error(loadModel(dir), "os.system")
})
