## Cells, settings and fits small enough for tests of the Effendi model.

effendiData <- function(n = 150, seed = 1) {
    set.seed(seed)
    time <- runif(n) * 6
    path <- function(t) cbind(sin(t), cos(t), t / 3 - 1, sin(2 * t))
    zAtac <- matrix(rnorm(n * 9, sd = 0.3), n)
    zRna <- matrix(rnorm(n * 8, sd = 0.3), n)
    zAtac[, 1:4] <- zAtac[, 1:4] + path(time)
    zRna[, 1:4] <- zRna[, 1:4] + path(time - 0.5)
    emb <- matrix(rnorm(11 * 8, sd = 0.5), 11)
    rownames(emb) <- paste0("g", 1:11)
    rownames(zAtac) <- rownames(zRna) <- paste0("c", seq_len(n))
    list(
        zAtac = zAtac, zRna = zRna, geneEmbedding = emb,
        expression = stats::plogis(zRna %*% t(emb))
    )
}

newFolder <- function() {
    dir <- tempfile("effendi-")
    dir.create(dir)
    dir
}

smallEffendi <- function(...) {
    args <- list(
        fieldEpochs = 4, stage1Epochs = 2, stage2Epochs = 2, batchSize = 32,
        nSteps = 6, nStepsField = 5, alignHidden = 12, fieldHidden = 7,
        tauHidden = 6, decoderHidden = 10, nProjections = 12
    )
    new <- list(...)
    args[names(new)] <- new
    do.call(EffendiParam, args)
}

fitEffendi <- function(d, ..., param = smallEffendi(), key = c(3, 4),
    controls = character()) {
    .effendiFit(d$zAtac, d$zRna, d$expression, d$geneEmbedding, param, key,
        controls = controls, threads = 1L, ...
    )
}
