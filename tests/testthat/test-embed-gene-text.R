bert <- loadModel(system.file("extdata", "bert", package = "causeway"),
    threads = 1
)
goTable <- data.frame(
    gene = c("MYOG", "MYOG", "MYOG", "PAX7", "NOTHERE"),
    term = c("muscle cell", "nucleus", "muscle cell", "T cell", "memory"),
    domain = c("BP", "cellular_component", "BP", NA, "MF")
)

test_that("a gene's vector is the mean of its terms' texts", {
    v <- geneTextEmbeddings(c("PAX7", "myog", "ACTB"), goTable, bert)
    text <- function(...) colMeans(embedText(c(...), bert, pooling = "mean"))
    expect_equal(tolerance = 1e-5, v["myog", ], text(
        "GO term: muscle cell. Domain: biological_process.",
        "GO term: nucleus. Domain: cellular_component."
    ))
    expect_equal(v["PAX7", ], text("GO term: T cell. Domain: unknown."),
        tolerance = 1e-5)
    expect_equal(v["ACTB", ], text("GO term: unknown. Domain: unknown."),
        tolerance = 1e-5)
    expect_identical(attr(v, "terms"), c(PAX7 = 1L, myog = 2L, ACTB = 0L))
    ## BioMart's names, and lists of genes
    mart <- setNames(goTable, c("external_gene_name", "name_1006",
        "namespace_1003"))
    expect_identical(geneTextEmbeddings(rownames(v), mart, bert), v)
    listed <- geneTextEmbeddings("MYOG", list(nucleus = "MYOG"), bert)
    expect_equal(listed["MYOG", ],
        text("GO term: nucleus. Domain: unknown."), tolerance = 1e-5)
})

test_that("a model's gene table starts from them", {
    genes <- c("MYOG", "PAX7", "ACTB", "DES")
    param <- SFMParam(embedDim = 24, layers = 1, heads = 2, factors = 4,
        topk = 2)
    plain <- newModel(param, genes = genes, seed = 1, threads = 1)
    v <- geneTextEmbeddings(plain, goTable, bert)
    expect_identical(rownames(v), genes)
    tensor <- .geneTensor(plain)
    model <- newModel(param, genes = genes, seed = 1, threads = 1,
        geneVectors = v[c("DES", "MYOG"), ])
    table <- modelTensor(model, tensor)
    token <- model@vocab$token_index[match(genes, model@vocab$gene_symbol)] + 1
    expect_equal(table[token[c(1, 4)], ], unname(v[c(1, 4), ]),
        tolerance = 1e-6, ignore_attr = TRUE)
    others <- setdiff(seq_len(nrow(table)), token[c(1, 4)])
    expect_identical(table[others, ], modelTensor(plain, tensor)[others, ])
    efm <- newModel(EFMParam(embedDim = 24, layers = 1, heads = 2),
        genes = genes, seed = 1, threads = 1, geneVectors = v)
    expect_equal(modelTensor(efm, .geneTensor(efm))[token, ], unname(v),
        tolerance = 1e-6, ignore_attr = TRUE)
    expect_error(newModel(SFMParam(), genes = genes, geneVectors = v),
        "'geneVectors' has vectors of 24 numbers, and the model is 64")
    expect_error(newModel(param, genes = c("FOS", "JUN"), geneVectors = v),
        "'geneVectors' has none of the model's genes")
    expect_error(newModel(param, genes = genes, geneVectors = v * NA),
        "'geneVectors' must be a matrix of finite")
})

test_that("what is no term, gene or encoder is refused", {
    expect_error(geneTextEmbeddings("FOS", goTable, bert),
        "'go' has no term of these genes")
    expect_error(geneTextEmbeddings("FOS", goTable[1], bert),
        "columns gene and term")
    expect_error(geneTextEmbeddings(character(), goTable, bert),
        "'x' must be names of genes")
    expect_error(geneTextEmbeddings(c("FOS", "fos"), goTable, bert), "twice")
    expect_error(geneTextEmbeddings("MYOG", goTable, 3), "encoder of texts")
})
