## Networks of a file with very many cells: time, and memory that doesn't grow.
##
##   Rscript bench/atlas.R make DATA FILE CELLS [LIBRARY]
##   Rscript bench/atlas.R VERB FILE [CSV] [LIBRARY]
##   Rscript bench/atlas.R annotator DATA ANNOTATOR [CSV] [LIBRARY]
##   Rscript bench/atlas.R annotate FILE CSV LIBRARY ANNOTATOR
##
## make: real counts (01_scrna/pbmc_kang_ifnb_harmony, 2,000 genes of which 500
## are TFs, those seen in most cells), tiled to CELLS cells, gzip level 4, as
## AnnData writes them. VERB: read (a pass over all blocks), preprocess,
## inferGRN (the default), ridge or activity. annotator: trains on 50,000 of these
## cells of 100 made-up types (40 genes of each are tripled) and keeps what it
## trained; annotate: labels all cells of FILE by it. One row goes to CSV: cells, genes,
## bytes of the file, seconds, CPU seconds, the largest resident size (MB), what
## it ran on. Seed 1.

source(file.path(dirname(sub("^--file=", "", c(grep("^--file=", commandArgs(),
    value = TRUE
), "bench/x")[[1L]])), "common.R"))
if (length(arguments) < 2L) {
    stop("usage: Rscript bench/atlas.R make DATA FILE CELLS | VERB FILE [CSV]")
}
verb <- arguments[[1L]]
attachCauseway(or(if (verb == "make") 5L else 4L, ""))

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

makeFile <- function(data, file, cells) {
    m <- realCounts(data)
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
        copies <- min(20, ceiling((cells - done) / ncol(m)))
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

if (verb == "make") {
    makeFile(arguments[[2L]], arguments[[3L]], as.numeric(arguments[[4L]]))
    quit()
}
## Real cells, dealt to 100 types, whose 40 genes each have three times the counts.
madeTypes <- function(data, cells = 50000, types = 100) {
    m <- realCounts(data)
    m <- m[, rep_len(seq_len(ncol(m)), cells)]
    type <- rep_len(seq_len(types), cells)
    for (k in seq_len(types)) {
        own <- (seq_len(40) * types + k) %% nrow(m) + 1L
        m[own, type == k] <- m[own, type == k] * 3
    }
    colnames(m) <- sprintf("r%05d", seq_len(cells))
    list(counts = m, type = sprintf("type%03d", type),
        donor = sprintf("d%d", seq_len(cells) %% 7L)
    )
}
if (verb == "annotator") {
    r <- madeTypes(arguments[[2L]])
    took <- system.time(a <- trainAnnotator(r$counts, r$type, block = r$donor,
        seed = 1
    ))
    print(a)
    cat(sprintf("trained in %.1f s (CPU %.1f s)\n", took[["elapsed"]],
        took[["user.self"]] + took[["sys.self"]]))
    saveRDS(a, arguments[[3L]])
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
        ns <- asNamespace("causeway")
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
row <- data.frame(verb = verb, cells = size[[2L]], genes = size[[1L]],
    bytes = file.size(file), seconds = round(took[["elapsed"]], 1),
    cpu = round(took[["user.self"]] + took[["sys.self"]], 1),
    residentMB = round(mostResident()),
    hardware = system2("sh", file.path(bench, "hardware.sh"), stdout = TRUE)[[1L]]
)
print(row)
write.table(row, csv, sep = ",", row.names = FALSE, append = file.exists(csv),
    col.names = !file.exists(csv)
)
