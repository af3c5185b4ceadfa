## inst/scripts/effendi-pipeline.R, as it is called from a shell.

script <- system.file("scripts", "effendi-pipeline.R", package = "causeway")
pipeline <- function(...) {
    env <- paste0("R_LIBS=", paste(.libPaths(), collapse = ":"))
    suppressWarnings(system2(file.path(R.home("bin"), "Rscript"),
        shQuote(c(script, ...)), stdout = TRUE, stderr = TRUE, env = env
    ))
}

test_that("the pipeline runs from cells, genome and encoders to delays", {
    dir <- tempfile("pipeline-")
    dir.create(dir)
    at <- function(...) file.path(dir, ...)
    x <- simulateMultiome(nCells = 220, nGenes = 25, seed = 1)
    saveRDS(x, at("cells.rds"))
    write.csv(S4Vectors::metadata(x)$genes, at("genes.csv"), row.names = FALSE)
    set.seed(1)
    letters <- c("A", "C", "G", "T")
    genome <- vapply(c(chr1 = 7e6, chr2 = 3e6), function(n) {
        paste(sample(letters, n, TRUE), collapse = "")
    }, "")
    Biostrings::writeXStringSet(Biostrings::DNAStringSet(genome), at("g.fa"))
    Rsamtools::indexFa(at("g.fa"))
    saveModel(tinyScGPT(x), at("scgpt"))
    saveModel(tinyHyena(), at("hyena"))
    said <- pipeline(paste0("cells=", at("cells.rds")),
        paste0("genome=", at("g.fa")), paste0("genes=", at("genes.csv")),
        paste0("scgpt=", at("scgpt")), paste0("hyena=", at("hyena")),
        paste0("out=", at("out")), "width=80", "epochs=1,1,1", "threads=1"
    )
    expect_null(attr(said, "status"), info = paste(said, collapse = "\n"))
    found <- read.csv(at("out", "gene_tau_estimates.csv"))
    expect_setequal(found$gene, rownames(x))
    expect_true(all(is.finite(found$tau)))
    expect_identical(dim(readEmbeddings(at("out", "embeddings.h5"))$atac),
        c(220L, 8L)
    )
    expect_match(readLines(at("out", "verdict.txt")), "Spearman", all = FALSE)
    expect_true("layer" %in% names(read.csv(at("out", "validation.csv"))))
    unlink(dir, recursive = TRUE)
})

test_that("the pipeline says what it needs", {
    expect_match(pipeline("cells=a"), "genes= is missing", all = FALSE)
    expect_match(pipeline("cell=a"), "'cell=a' isn't understood", all = FALSE)
})
