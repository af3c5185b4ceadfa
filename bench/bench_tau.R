## Delays between chromatin and RNA: how well estimateTau() finds known ones,
## what it refuses, and what it costs.
##
##   Rscript bench/bench_tau.R [accuracy|nulls|speed|all] [SEEDS] [CSV]
##
## accuracy: simulateMultiome(), 3,000 cells x 300 genes x about 2,000 peaks,
## fresh seeds from 3001 on; Spearman with the true delays over dynamic genes
## ("rho"), over those reported ("reported"), beside both baselines along the
## fit's own time axis (cross-correlation, switch-time difference), the share of
## true total lags inside the 90% intervals ("coverage": usable genes that
## change, unit by the median) and the verdict's numbers. nulls: data without
## delays to rank, equal delays of all genes and 3 to 8 resting states among
## them; the verdict must be "not identifiable". speed: elapsed and CPU seconds of
## estimateTau() alone on 2 threads and the peak of resident memory beyond what
## was there before; one size doubled at a time. Run it on a quiet machine.

arguments <- commandArgs(trailingOnly = TRUE)
part <- if (length(arguments)) arguments[[1L]] else "all"
seeds <- 3000L + seq_len(
    if (length(arguments) > 1L) as.integer(arguments[[2L]]) else 5L
)
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
bench <- if (length(script)) dirname(script) else "bench"
csv <- if (length(arguments) > 2L) arguments[[3L]] else
    file.path(bench, "results", "tau.csv")
suppressPackageStartupMessages(library(causeway))

linksOf <- function(x) S4Vectors::metadata(x)$links

spearman <- function(a, b, use) {
    use <- use & is.finite(a) & is.finite(b)
    if (sum(use) < 5L || length(unique(b[use])) < 2L) {
        return(NA_real_)
    }
    stats::cor(a[use], b[use], method = "spearman")
}

coverage <- function(table, truth) {
    use <- table$usable & truth$dynamic & truth$tau > 0
    unit <- exp(stats::median(log(table$tau[use])) -
        stats::median(log(truth$tau[use])))
    mean(table$low[use] <= truth$tau[use] * unit &
        table$high[use] >= truth$tau[use] * unit)
}

## One simulation, one line.
judge <- function(topology, mode, depth, null, seed) {
    states <- if (null == "resting") 3 + seed %% 6 else 6
    x <- simulateMultiome(topology = topology, mode = mode, depth = depth,
        null = if (null == "equal") "none" else null, states = states,
        tauSpread = if (null == "equal") 0 else 0.6, seed = seed
    )
    seconds <- system.time(
        fit <- estimateTau(x, links = linksOf(x), seed = seed, threads = 2,
            verbose = FALSE
        )
    )
    truth <- simulatedTruth(x)
    v <- verdict(fit)
    raw <- fit@fit
    table <- fit@table
    data.frame(
        topology = topology, mode = mode, depth = depth, null = null,
        seed = seed, rho = spearman(raw$tau, truth$tau, truth$dynamic),
        usableRho = spearman(raw$tau, truth$tau,
            truth$dynamic & table$usable
        ),
        reportedRho = spearman(raw$tau, truth$tau,
            truth$dynamic & table$reported
        ),
        xcorr = spearman(raw$baselines$xcorr, truth$tau, truth$dynamic),
        switchTime = spearman(raw$baselines$switchTime, truth$tau,
            truth$dynamic
        ),
        coverage = coverage(table, truth), usable = sum(table$usable),
        reported = sum(table$reported), rim = sum(raw$rim, na.rm = TRUE),
        axes = v$axes, concord = v$concord, lead = v$lead, leadZ = v$leadZ,
        follows = v$follows, reliability = v$reliability,
        expected = v$expected, kinetics = sum(raw$shape * c(0, 0.5, 1)),
        identifiable = v$identifiable,
        elapsed = seconds[["elapsed"]],
        cpu = seconds[["user.self"]] + seconds[["sys.self"]]
    )
}

over <- function(grid) {
    do.call(rbind, lapply(seq_len(nrow(grid)), function(i) {
        line <- do.call(judge, as.list(grid[i, ]))
        message(paste(format(line, digits = 3), collapse = " "))
        line
    }))
}

status <- function(key) {
    line <- grep(key, readLines("/proc/self/status"), value = TRUE)
    as.numeric(gsub("[^0-9]", "", line)) / 2^20
}

## Seconds and gigabytes of one size.
cost <- function(cells, genes, peaks) {
    x <- simulateMultiome(cells, genes, nPeaks = peaks, seed = 4001)
    gc()
    before <- status("VmRSS")
    try(writeLines("5", "/proc/self/clear_refs"), silent = TRUE)
    seconds <- system.time(
        fit <- estimateTau(x, links = linksOf(x), seed = 1, threads = 2,
            verbose = FALSE
        )
    )
    truth <- simulatedTruth(x)
    atac <- SummarizedExperiment::assay(SingleCellExperiment::altExp(x))
    data.frame(
        cells = cells, genes = genes, peaks = peaks,
        values = length(atac@x) + length(SummarizedExperiment::assay(x)@x),
        elapsed = seconds[["elapsed"]],
        cpu = seconds[["user.self"]] + seconds[["sys.self"]],
        gigabytes = status("VmHWM") - before,
        rho = spearman(fit@fit$tau, truth$tau, truth$dynamic)
    )
}

write <- function(table, suffix) {
    file <- sub("\\.csv$", paste0("-", suffix, ".csv"), csv)
    hardware <- system2("sh", file.path(bench, "hardware.sh"), stdout = TRUE)
    con <- file(file, "w")
    writeLines(paste("#", hardware), con)
    utils::write.csv(format(table, digits = 4), con, row.names = FALSE,
        quote = FALSE
    )
    close(con)
    print(table, digits = 3)
}

if (part %in% c("accuracy", "all")) {
    write(over(expand.grid(
        topology = c("linear", "loop", "bifurcation", "exit"),
        mode = c("delay", "kinetic", "both"), depth = c("realistic", "low"),
        null = "none", seed = seeds, stringsAsFactors = FALSE
    )), "accuracy")
}
if (part %in% c("nulls", "all")) {
    write(over(expand.grid(
        topology = c("linear", "bifurcation", "loop"), mode = "delay",
        depth = "realistic",
        null = c("equal", "zeroDelay", "shuffledPairing", "permutedLinks",
            "resting"
        ),
        seed = seeds, stringsAsFactors = FALSE
    )), "nulls")
}
if (part %in% c("speed", "all")) {
    sizes <- rbind(
        c(5000, 1000, 15000), c(10000, 1000, 15000), c(5000, 2000, 15000),
        c(5000, 1000, 30000), c(10000, 2000, 30000)
    )
    write(do.call(rbind, lapply(seq_len(nrow(sizes)), function(i) {
        cost(sizes[i, 1], sizes[i, 2], sizes[i, 3])
    })), "speed")
}
