## Pooled networks from stored factors beside the matrix product alone, and the
## memory that inferring to disk takes.
##
##   Rscript bench/bench_backings.R [CSV]              pooling, then memory
##   Rscript bench/bench_backings.R --pool|--memory [CSV]
##   Rscript bench/bench_backings.R --big [CSV]        100,000 cells to disk
##
## Pooling: 10,000 cells x 1,000 TFs x 2,000 genes, 32 factors of which 4 are
## kept (the default SFMParam). "product" is the dense product (TFs x cells M)
## (cells M x genes) on blocks that are there already, by the engine's gemm, so
## by the BLAS, in C (bench_pool.c); the others are poolGRN() as a user calls
## it, from memory, and from the HDF5 file (which the system may hold in its
## cache). ratio: to the product's median. 2 threads.
## Memory: inferGRN(cells, model, file = ) in a process of its own, cells x
## 2,000 genes of which 300 are TFs, a tenth of the counts not 0, a narrow model
## with the default factors. peak_mb: VmHWM of the whole process; input_mb: the
## counts it was given, in memory; base_mb: VmHWM before inferGRN().

arguments <- commandArgs(trailingOnly = TRUE)
flags <- grep("^--", arguments, value = TRUE)
paths <- setdiff(arguments, flags)
script <- sub("^--file=", "", grep("^--file=", commandArgs(), value = TRUE))
bench <- if (length(script)) dirname(script) else "bench"
suppressPackageStartupMessages(library(causeway))
options(causeway.threads = 2L)

peakMb <- function() {
    line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
    as.numeric(gsub("[^0-9]", "", line)) / 1024
}

## ---- the process whose memory is measured ------------------------------------

someCounts <- function(cells, genes, share) {
    n <- round(genes * share)
    blocks <- lapply(split(seq_len(cells), (seq_len(cells) - 1L) %/% 1000L),
        function(at) {
            i <- vapply(at, function(c) sort(sample.int(genes, n)),
                integer(n)
            )
            list(i = as.vector(i) - 1L, x = rgeom(length(i), 0.3) + 1)
        }
    )
    new("dgCMatrix",
        i = unlist(lapply(blocks, `[[`, "i"), use.names = FALSE),
        x = unlist(lapply(blocks, `[[`, "x"), use.names = FALSE),
        p = as.integer(n * seq.int(0, cells)), Dim = c(genes, as.integer(cells))
    )
}

runOne <- function(cells, file) {
    set.seed(1)
    tfs <- head(tfCatalogue("human")$TF, 300L)
    genes <- c(tfs, sprintf("GENE%04d", seq_len(1700)))
    counts <- someCounts(cells, 2000L, 0.1)
    counts@Dimnames <- list(genes, paste0("cell", seq_len(cells)))
    param <- SFMParam(embedDim = 16, heads = 2, layers = 1, mlpHidden = 16,
        exprBins = 4, exprHidden = 8, batchBins = 4, batchHidden = 8,
        routerHidden = 8, vgaeHidden = 8
    )
    model <- newModel(param, genes = genes, tfs = tfs, seed = 1)
    gc(full = TRUE)
    base <- peakMb()
    seconds <- system.time(
        grn <- inferGRN(counts, model, genes = genes, file = file,
            verbose = TRUE
        )
    )[["elapsed"]]
    peak <- peakMb()
    cat(sprintf("RESULT %d %.1f %.1f %.1f %.1f %.1f\n", cells, seconds,
        as.numeric(utils::object.size(counts)) / 2^20, base, peak,
        file.size(file) / 2^20
    ))
}

if ("--run" %in% flags) {
    file <- tempfile(fileext = ".h5")
    runOne(as.integer(paths[[1L]]), file)
    unlink(file)
    quit(save = "no")
}

hardware <- system2(file.path(bench, "hardware.sh"), stdout = TRUE)[[1L]]
out <- if (length(paths)) paths[[1L]] else
    file.path(bench, "results", "backings.csv")
rows <- list()
addRow <- function(rows, ...) {
    row <- data.frame(what = NA, cells = NA, run = NA, seconds = NA,
        ratio = NA, input_mb = NA, base_mb = NA, peak_mb = NA, file_mb = NA
    )
    given <- list(...)
    row[names(given)] <- given
    c(rows, list(row))
}

## ---- pooling -------------------------------------------------------------------

bigNetworks <- function(cells, tfs, genes, factors, k) {
    piece <- function(rows) {
        n <- 500 * rows * k
        width <- factors %/% k
        index <- rep(width * (seq_len(k) - 1L), 500 * rows) +
            sample.int(width, n, TRUE) - 1L
        list(
            index = rep(writeBin(as.integer(index), raw(), size = 2L),
                cells / 500
            ),
            weight = rep(writeBin(runif(n), raw(), size = 4L), cells / 500)
        )
    }
    u <- piece(tfs)
    v <- piece(genes)
    names <- paste0("g", seq_len(genes))
    CellGRN(names[seq_len(tfs)], names, paste0("c", seq_len(cells)), factors,
        k, list(uIndex = u$index, uWeight = u$weight, vIndex = v$index,
            vWeight = v$weight
        ), Matrix::sparseMatrix(1, 1, x = 1, dims = c(genes, cells))
    )
}

product <- function() {
    top <- dirname(normalizePath(bench))
    engine <- file.path(top, "tests", "engine")
    system2("make", c("-s", "-C", engine, "SAN=", "OPT=-O2",
        "build/gcc/bench_pool"
    ), stdout = FALSE)
    line <- system2(file.path(engine, "build", "gcc", "bench_pool"),
        c("product", 10000, 1000, 2000, 32, 4, 2), stdout = TRUE
    )
    as.numeric(sub(".*\"seconds\": ([0-9.]+).*", "\\1", line))
}

if (!length(flags) || "--pool" %in% flags) {
    grn <- bigNetworks(10000, 1000, 2000, 32, 4)
    file <- tempfile(fileext = ".h5")
    saving <- system.time(saveGRN(grn, file))[["elapsed"]]
    disk <- loadGRN(file)
    time <- list(product = numeric(), memory = numeric(), hdf5 = numeric())
    for (run in 1:5) {
        time$product[[run]] <- product()
        time$memory[[run]] <- system.time(a <- poolGRN(grn))[["elapsed"]]
        time$hdf5[[run]] <- system.time(b <- poolGRN(disk))[["elapsed"]]
        stopifnot(isTRUE(all.equal(a@scores, b@scores, tolerance = 1e-6)))
    }
    for (what in names(time)) {
        for (run in 1:5) {
            rows <- addRow(rows, what = what, cells = 10000, run = run,
                seconds = time[[what]][[run]],
                ratio = time[[what]][[run]] / stats::median(time$product)
            )
        }
    }
    rows <- addRow(rows, what = "saveGRN", cells = 10000, seconds = saving,
        file_mb = file.size(file) / 2^20
    )
    unlink(file)
    rm(grn, disk)
    invisible(gc())
}

## ---- memory --------------------------------------------------------------------

sizes <- if ("--big" %in% flags) 100000 else if (!length(flags) ||
    "--memory" %in% flags) c(5000, 20000)
for (cells in sizes) {
    said <- system2("Rscript", c(file.path(bench, "bench_backings.R"), "--run",
        format(cells, scientific = FALSE)
    ), stdout = TRUE)
    line <- grep("^RESULT", said, value = TRUE)
    stopifnot(length(line) == 1L)
    x <- as.numeric(strsplit(line, " ")[[1L]][-1L])
    rows <- addRow(rows, what = "inferGRN(file =)", cells = x[[1L]],
        seconds = x[[2L]], input_mb = x[[3L]], base_mb = x[[4L]],
        peak_mb = x[[5L]], file_mb = x[[6L]]
    )
}

table <- do.call(rbind, rows)
table$hardware <- hardware
write.csv(table, out, row.names = FALSE, quote = FALSE)
print(table[names(table) != "hardware"], digits = 4)
