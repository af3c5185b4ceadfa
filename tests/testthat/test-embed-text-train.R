bert <- loadModel(system.file("extdata", "bert", package = "causeway"),
    threads = 1)
triples <- data.frame(
    head = c("T cell", "B cell", "memory T cell", "neuron", "T cell", "B cell"),
    relation = c("is_a", "is_a", "is_a", "is_a", "disjoint_from",
        "exact_synonyms"),
    tail = c("lymphocyte", "lymphocyte", "T cell", "cell", "neuron",
        "B lymphocyte"))
teach <- function(..., x = triples, m = bert, epochs = 2) {
    trainModel(x, m, projection = 12, epochs = epochs, batchSize = 4, seed = 1,
        threads = 1, verbose = FALSE, ...)
}

test_that("triples are learnt, in a new model that can be saved", {
    names <- c("T cell", "B cell", "neuron")
    before <- embedText(names, bert, pooling = "mean")
    taught <- teach(epochs = 30, lr = 3e-3, frozenLayers = 0)
    expect_identical(embedText(names, bert, pooling = "mean"), before)
    history <- trainingHistory(taught)
    expect_identical(nrow(history), 30L)
    expect_lt(history$triplet[[30]], 0.6 * history$triplet[[1]])
    vectors <- embedText(names, taught)
    expect_identical(dim(vectors), c(3L, 12L))
    dir <- tempfile("taught-")
    saveModel(taught, dir)
    again <- loadModel(dir, threads = 1)
    expect_equal(embedText(names, again), vectors)
    expect_identical(modelReport(again)$unexpected, character())
    ## going on keeps the projection and the relations
    on <- teach(m = again, epochs = 1, lr = 1e-12, weightDecay = 0)
    expect_equal(embedText(names, on), vectors, tolerance = 1e-5)
    expect_equal(modelTensor(on, "rel_emb.weight"),
        modelTensor(taught, "rel_emb.weight"), tolerance = 1e-5)
})

test_that("the first layers keep their bits", {
    taught <- teach(frozenLayers = 1, lr = 1e-3)
    same <- function(name) identical(modelTensor(taught, name),
        modelTensor(bert, name))
    first <- grep("encoder\\.layer\\.0\\.", modelTensors(bert)$name,
        value = TRUE)
    expect_true(all(vapply(first, same, NA)))
    expect_false(same("bert.embeddings.word_embeddings.weight"))
})

test_that("no triple is left alone, and the same seed gives the same", {
    expect_identical(lengths(.tripletParts(9L, 4L)), c(4L, 5L))
    expect_identical(lengths(.tripletParts(8L, 4L)), c(4L, 4L))
    expect_identical(lengths(.tripletParts(3L, 4L)), 3L)
    drop <- function(m) trainingHistory(m)[c("epoch", "triplet")]
    expect_identical(drop(teach()), drop(teach()))
})

test_that("what can't be is refused", {
    expect_error(teach(x = triples[1, ]), "one triple")
    expect_error(teach(x = data.frame(a = 1)), "'x'")
    expect_error(teach(maxLength = 1e5), "'maxLength'")
    expect_error(teach(margin = -1), "'margin'")
})
