## Networks of a file with very many cells: time, and memory that doesn't grow.
##
##   Rscript bench/atlas.R make DATA FILE CELLS [LIBRARY]
##   Rscript bench/atlas.R VERB FILE [CSV] [LIBRARY]
##   Rscript bench/atlas.R types DATA FILE CELLS [LIBRARY]
##   Rscript bench/atlas.R annotator DATA ANNOTATOR CSV [LIBRARY]
##   Rscript bench/atlas.R annotate FILE CSV LIBRARY ANNOTATOR DATA
##   Rscript bench/atlas.R singler DATA CELLS CSV [LIBRARY]
##
## make: real counts (01_scrna/pbmc_kang_ifnb_harmony, 2,000 genes of which 500
## are TFs, those seen in most cells), tiled to CELLS cells, gzip level 4, as
## AnnData writes them. VERB: read (a pass over all blocks), preprocess,
## inferGRN (the default), ridge or activity.
##
## 100 made-up types: real cells dealt to them, whose 20 genes each have twelve
## times the counts. types: such a file of every second real cell; annotator:
## trains on 50,000 tiled from the others and keeps what it trained; annotate:
## labels all cells of FILE by it. singler: both label the same CELLS cells from
## the same 5,000 of the reference, on one thread.
##
## One row goes to CSV: cells, genes, bytes of the file, seconds, CPU seconds,
## the largest resident size (MB), what it ran on, macro-F1 where the types are
## known. Seed 1.

source(file.path(dirname(sub("^--file=", "", c(grep("^--file=", commandArgs(),
    value = TRUE
), "bench/x")[[1L]])), "common.R"))
if (length(arguments) < 2L) {
    stop("usage: Rscript bench/atlas.R make DATA FILE CELLS | VERB FILE [CSV]")
}
verb <- arguments[[1L]]
attachCauseway(or(if (verb %in% c("make", "types", "annotator", "singler"))
    5L else 4L, ""))
ns <- asNamespace("causeway")
types <- 100L
tile <- 20000L # cells of made-up types that repeat in a file

realCounts <- function(data) {
    e <- new.env()
    load(file.path(data, "01_scrna", "pbmc_kang_ifnb_harmony",
        "pbmc_stim.RData"), e)
    genes <- intersect(rownames(e$pbmc.stim), rownames(e$pbmc.ctrl))
    m <- cbind(e$pbmc.stim[genes, ], e$pbmc.ctrl[genes, ])
    m <- methods::as(methods::as(m, "dMatrix"), "CsparseMatrix")
    seen <- Matrix::rowSums(m > 0)
    isTF <- toupper(genes) %in% toupper(tfCatalogue("human")$TF)
    best <- function(at, n) head(at[order(-seen[at])], n)
    m <- m[sort(c(best(which(isTF), 500L), best(which(!isTF), 1500L))), ]
    m[, Matrix::colSums(m) > 0]
}

## Every second real cell (`half` 0 or 1), copied, of another made-up type in
## each copy: list(counts, type, real (number of the real cell)).
typedCounts <- function(data, half, cells) {
    m <- realCounts(data)
    m <- m[, seq_len(ncol(m)) %% 2L == half]
    real <- rep_len(seq_len(ncol(m)), cells)
    type <- (real + (seq_len(cells) - 1L) %/% ncol(m)) %% types
    m <- m[, real]
    own <- m@i %% types == rep(type, diff(m@p))
    m@x[own] <- 12 * m@x[own]
    colnames(m) <- sprintf("%s%05d", c("q", "r")[[half + 1L]], seq_len(cells))
    list(counts = m, type = sprintf("type%02d", type), real = real)
}

makeFile <- function(m, file, cells) {
    n <- diff(m@p)
    times <- ceiling(cells / ncol(m))
    entries <- sum(rep(n, times)[seq_len(cells)])
    unlink(file)
    rhdf5::h5createFile(file)
    rhdf5::h5createGroup(file, "X")
    line <- function(name, size, type) {
        rhdf5::h5createDataset(file, paste0("X/", name), size, H5type = type,
            chunk = min(size, 65536), level = 4
        )
    }
    line("data", entries, "H5T_IEEE_F32LE")
    line("indices", entries, "H5T_STD_I32LE")
    line("indptr", cells + 1, "H5T_STD_I64LE")
    at <- 0
    done <- 0
    while (done < cells) { # so many copies at a time
        copies <- min(max(1, 40000 %/% ncol(m)),
            ceiling((cells - done) / ncol(m)))
        here <- min(copies * ncol(m), cells - done)
        size <- sum(rep(n, copies)[seq_len(here)])
        put <- function(name, x, first) {
            rhdf5::h5write(x, file, paste0("X/", name), start = first + 1,
                count = length(x)
            )
        }
        put("data", rep(m@x, copies)[seq_len(size)], at)
        put("indices", rep(m@i, copies)[seq_len(size)], at)
        put("indptr", c(at, at + cumsum(rep(n, copies)[seq_len(here)])), done)
        at <- at + size
        done <- done + here
    }
    h <- rhdf5::H5Fopen(file)
    note <- function(path, values) {
        g <- rhdf5::H5Oopen(h, path)
        for (name in names(values)) {
            rhdf5::h5writeAttribute(values[[name]], g, name,
                asScalar = length(values[[name]]) == 1L)
        }
        rhdf5::H5Oclose(g)
    }
    note("X", list("encoding-type" = "csr_matrix",
        "encoding-version" = "0.1.0", shape = as.integer(c(cells, nrow(m)))))
    for (part in c("obs", "var")) {
        rhdf5::h5createGroup(file, part)
        rhdf5::h5write(if (part == "var") rownames(m) else
            sprintf("cell%07d", seq_len(cells)), file, paste0(part, "/_index"))
        note(part, list("encoding-type" = "dataframe",
            "encoding-version" = "0.2.0", "_index" = "_index"))
    }
    rhdf5::H5Fclose(h)
}

## Largest resident size of this process so far, MB.
mostResident <- function() {
    line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
    as.numeric(gsub("[^0-9]", "", line)) / 1024
}

writeRow <- function(verb, size, bytes, took, csv, f1 = NA) {
    row <- data.frame(verb = verb, cells = size[[2L]], genes = size[[1L]],
        bytes = bytes, seconds = round(took[["elapsed"]], 1),
        cpu = round(took[["user.self"]] + took[["sys.self"]], 1),
        residentMB = round(mostResident()), hardware = system2("sh",
            file.path(bench, "hardware.sh"), stdout = TRUE)[[1L]],
        macroF1 = round(f1, 3)
    )
    print(row)
    write.table(row, csv, sep = ",", row.names = FALSE,
        append = file.exists(csv), col.names = !file.exists(csv)
    )
}

if (verb %in% c("make", "types")) {
    data <- arguments[[2L]]
    makeFile(if (verb == "make") realCounts(data) else
        typedCounts(data, 0L, tile)$counts, arguments[[3L]],
        as.numeric(arguments[[4L]])
    )
    quit()
}
if (verb == "annotator") {
    r <- typedCounts(arguments[[2L]], 1L, 50000)
    took <- system.time(a <- trainAnnotator(r$counts, r$type,
        block = paste0("d", r$real %% 7L), seed = 1
    ))
    print(a)
    writeRow(verb, dim(r$counts), NA, took, arguments[[4L]],
        as.data.frame(a, which = "baselines")$macroF1[[1L]]
    )
    saveRDS(a, arguments[[3L]])
    quit()
}
if (verb == "singler") {
    r <- typedCounts(arguments[[2L]], 1L, 5000)
    q <- typedCounts(arguments[[2L]], 0L, as.integer(arguments[[3L]]))
    logged <- function(m) {
        m@x <- log1p(1e4 * m@x / rep(Matrix::colSums(m), diff(m@p)))
        m
    }
    took <- system.time(a <- annotateCells(q$counts, trainAnnotator(r$counts,
        r$type, seed = 1, threads = 1
    ), seed = 1, threads = 1))
    writeRow("annotateCells", dim(q$counts), NA, took, arguments[[4L]],
        ns$.macroF1(q$type, as.data.frame(a)$label)
    )
    took <- system.time(b <- SingleR::SingleR(logged(q$counts),
        logged(r$counts), r$type, de.method = "wilcox", num.threads = 1L
    ))
    writeRow("SingleR", dim(q$counts), NA, took, arguments[[4L]],
        ns$.macroF1(q$type, b$labels)
    )
    quit()
}
file <- arguments[[2L]]
csv <- or(3L, file.path(bench, "results", "atlas.csv"))
grn <- if (verb == "activity") {
    inferGRN(file, RidgeGRNParam(), cells = 1:2000, seed = 1, verbose = FALSE)
}
annotator <- if (verb == "annotate") readRDS(arguments[[5L]])
before <- proc.time()
out <- switch(verb,
    read = {
        m <- SummarizedExperiment::assay(openCells(file, verbose = FALSE))
        for (part in ns$.columnChunks(m)) ns$.columnChunk(m, part)
    },
    preprocess = preprocess(file),
    inferGRN = inferGRN(file, seed = 1, nTargets = 1500),
    ridge = inferGRN(file, RidgeGRNParam(), seed = 1, nTargets = 1500),
    activity = regulonActivity(grn, file),
    annotate = annotateCells(file, annotator),
    stop("no such verb: ", verb)
)
took <- proc.time() - before
layout <- SummarizedExperiment::assay(openCells(file, verbose = FALSE))
size <- dim(layout)
writeRow(verb, size, file.size(file), took, csv, if (verb == "annotate") {
    ns$.macroF1(rep_len(typedCounts(arguments[[6L]], 0L, tile)$type,
        size[[2L]]), as.data.frame(out)$label)
} else {
    NA
})
