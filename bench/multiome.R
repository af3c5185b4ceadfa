## simulateMultiome() against the prototype simulator of the method page:
## means over seeds of 20 summary statistics in six settings, 3,000 cells x 300
## genes; z: their difference over its standard error.
##
##   python3 bench/multiome_prototype.py ../shared/spec/tau-prototype P.csv
##   Rscript bench/multiome.R P.csv [SEEDS] [CSV]
##
## The simulators share no random numbers. Settings with the same seeds share
## genes (on both sides), so that their z are not independent.

arguments <- commandArgs(trailingOnly = TRUE)
prototype <- read.csv(arguments[[1L]])
seeds <- seq_len(if (length(arguments) > 1L) as.integer(arguments[[2L]]) else 8)
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
bench <- if (length(script)) dirname(script) else "bench"
csv <- if (length(arguments) > 2L) arguments[[3L]] else
    file.path(bench, "results", "multiome.csv")
suppressPackageStartupMessages({
    library(causeway)
    library(SingleCellExperiment)
})

spread <- function(x) sqrt(mean((x - mean(x))^2))
spreads <- function(m) sqrt(rowMeans((m - rowMeans(m))^2))
correlations <- function(x, y) {
    x <- x - rowMeans(x)
    y <- y - rowMeans(y)
    rowSums(x * y) / sqrt(rowSums(x^2) * rowSums(y^2) + 1e-12)
}
statistics <- function(topology, mode, depth, seed) {
    cells <- simulateMultiome(3000, 300, topology = topology, mode = mode,
        depth = c(real = "realistic", low = "low")[[depth]], seed = seed,
        profiles = TRUE
    )
    x <- as.matrix(counts(cells))
    y <- assay(altExp(cells, "ATAC"))
    a <- assay(cells, "chromatin")
    r <- assay(cells, "rate")
    truth <- simulatedTruth(cells)
    k <- truth$dynamic
    m <- rowMeans(x)
    peak <- Matrix::rowMeans(y)
    each <- Matrix::colSums(y)
    c(mean(colSums(x)), spread(colSums(x)), mean(x == 0), median(m),
        median((rowMeans(x^2) - m^2) / m), mean(each), spread(each),
        median(peak), spread(peak), nrow(metadata(cells)$links), sum(k),
        median(truth$tau), mean(truth$tau), spread(truth$tau), mean(a), mean(r),
        mean(spreads(a)), mean(spreads(r)), median(correlations(a, r)[k]),
        median(correlations(x, r)[k])
    )
}

settings <- unique(prototype[c("topology", "mode", "depth")])
names <- setdiff(names(prototype), c("topology", "mode", "depth", "seed"))
rows <- lapply(seq_len(nrow(settings)), function(i) {
    s <- settings[i, ]
    p <- as.matrix(merge(prototype, s)[names])
    o <- t(vapply(seeds, function(seed) {
        statistics(s$topology, s$mode, s$depth, seed)
    }, numeric(length(names))))
    error <- sqrt(apply(o, 2L, var) / nrow(o) + apply(p, 2L, var) / nrow(p))
    difference <- colMeans(o) - colMeans(p)
    data.frame(s, statistic = names, prototype = colMeans(p),
        causeway = colMeans(o), z = ifelse(error > 0, difference / error, 0),
        row.names = NULL
    )
})
table <- do.call(rbind, rows)
values <- c("prototype", "causeway")
table[values] <- signif(table[values], 5)
table$z <- round(table$z, 2)
line <- system2("sh", file.path(bench, "hardware.sh"), stdout = TRUE)
writeLines(c(paste("#", line), sprintf("# causeway %s; %d seeds each",
    packageVersion("causeway"), length(seeds)
), paste(names(table), collapse = ","),
do.call(paste, c(table, sep = ","))), csv)
cat(sprintf("%d of %d |z| below 2, largest %.1f\n", sum(abs(table$z) < 2),
    nrow(table), max(abs(table$z))
))
