## Time of a whole Effendi fit: 10,000 cells, 1,654 genes, chromatin width
## 256, latent width 512, the default epochs (50 + 10 + 40) and hidden widths,
## with 20 integration steps everywhere, and with the default: 20 in stage 1,
## 200 after it.
##   Rscript bench/effendi.R OUT.csv "HARDWARE LINE" [THREADS] [CELLS] [EPOCH SHARE]
## An epoch share below 1 runs that share of the epochs and multiplies.
suppressPackageStartupMessages(library(causeway))
arguments <- commandArgs(trailingOnly = TRUE)
number <- function(i, or) {
    if (length(arguments) < i) or else as.numeric(arguments[[i]])
}
threads <- number(3, 2)
n <- number(4, 10000)
share <- number(5, 1)
genes <- 1654L
set.seed(1)
time <- runif(n)
state <- cbind(sin(6 * time), cos(6 * time), time)
mix <- function(d) {
    state %*% matrix(rnorm(3 * d), 3L) + matrix(rnorm(n * d, sd = 0.3), n)
}
zAtac <- mix(256L)
zRna <- mix(512L)
embedding <- matrix(rnorm(genes * 512L, sd = 1 / 22.6), genes)
expression <- stats::plogis(zRna %*% t(embedding))
once <- function(steps) {
    epochs <- pmax(1, round(c(50, 10, 40) * share))
    param <- EffendiParam(fieldEpochs = epochs[[1L]],
        stage1Epochs = epochs[[2L]], stage2Epochs = epochs[[3L]],
        nSteps = steps[[2L]], nStepsField = steps[[1L]]
    )
    spent <- system.time(
        fit <- causeway:::.effendiFit(zAtac, zRna, expression, embedding,
            param, c(1, 2), threads = threads, controls = character(),
            verbose = TRUE
        )
    )
    data.frame(cells = n, genes = genes, steps_field = steps[[1L]],
        steps = steps[[2L]], epochs = paste(epochs, collapse = " + "),
        seconds = spent[["elapsed"]], cpu_seconds = spent[["user.self"]],
        whole_seconds = spent[["elapsed"]] * 100 / sum(epochs),
        whole_cpu = spent[["user.self"]] * 100 / sum(epochs),
        lipschitz = fit$lipschitz, threads = threads
    )
}
out <- rbind(once(c(20, 20)), once(c(20, 200)))
out$hardware <- arguments[[2L]]
write.csv(out, arguments[[1L]], row.names = FALSE, quote = FALSE)
print(out[, seq_len(11L)], row.names = FALSE)
