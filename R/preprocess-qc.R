## Quality of cells and genes, in passes over the columns.

## Mitochondrial, ribosomal and haemoglobin genes by symbol in upper case. The
## published code looks at the names as given, so it misses them in Ensembl
## names and in mouse symbols; here they are found. A genome's name before the
## symbol ("GRCh38_", "mm10___") and other separators than "-" (make.names()
## writes "MT.CO1") don't hide them. Haemoglobin genes are named one by one:
## HBEGF, HBS1L and HBP1 are none.
.qcGenes <- function(symbols) {
    symbols <- ifelse(is.na(symbols), "", toupper(symbols))
    symbols <- sub(.genomePrefix, "", symbols)
    mt <- grepl("^MT[-._:]", symbols)
    if (!any(mt) && sum(symbols %in% .mtEntrez) >= 5L) {
        mt <- symbols %in% .mtEntrez
    }
    list(
        mt = mt,
        ribo = startsWith(symbols, "RPS") | startsWith(symbols, "RPL"),
        hb = gsub("[-._]", "", symbols) %in% .haemoglobin
    )
}

.genomePrefix <- paste0("^(GRCH[0-9]+|HG[0-9]{2}|GRCM[0-9]+|MM[0-9]{1,2}|",
    "HUMAN|MOUSE)[-._]+"
)

## Mitochondrial genes as Entrez and RefSeq call them; several together are no
## coincidence.
.mtEntrez <- c("ND1", "ND2", "ND3", "ND4", "ND4L", "ND5", "ND6", "COX1",
    "COX2", "COX3", "ATP6", "ATP8", "CYTB")

## Human and mouse, in upper case, without separators.
.haemoglobin <- c("HBA1", "HBA2", "HBB", "HBD", "HBE1", "HBG1", "HBG2", "HBM",
    "HBQ1", "HBZ", "HBAA1", "HBAA2", "HBAA3", "HBAX", "HBBB1", "HBBB2",
    "HBBBS", "HBBBT", "HBBY", "HBBBH0", "HBBBH1", "HBBBH2", "HBBBH3", "HBQ1A",
    "HBQ1B")

## A filter by mitochondrial counts that finds no such gene in a whole
## transcriptome does nothing: that is told.
.warnNoMt <- function(mt, maxMt, arg = "preprocess$maxMt") {
    if (any(mt) || length(mt) < 5000L || !is.finite(maxMt) || maxMt >= 100) {
        return(invisible())
    }
    warning("no mitochondrial gene (\"MT-ND1\", \"mt-Nd1\" ...) is among the ",
        length(mt), " genes of 'x': the filter '", arg, "' drops no cell. ",
        "Were these genes left out, or do they have other names?",
        call. = FALSE
    )
}

## ---- passes over the matrix -------------------------------------------------

.badValues <- function(x, names, cells, columns, sanitize = TRUE) {
    bad <- which(!is.finite(x@x) | x@x < 0)
    if (!length(bad)) {
        return(NULL)
    }
    at <- bad[[1L]]
    column <- findInterval(at - 1L, x@p, left.open = FALSE)
    negative <- sum(x@x < 0, na.rm = TRUE)
    .stopArgument("x", "holds ", format(x@x[[at]]), " for gene ",
        names[[x@i[[at]] + 1L]], " in cell ", cells[[columns[[column]]]],
        " (", length(bad), " such values in this part). ",
        if (negative > 0.01 * length(x@x)) {
            paste0("Values below 0 are those of scaled or centred data, from ",
                "which expression can't be had back. Give counts or ",
                "log-normalised values: 'assay.type' chooses the assay."
            )
        } else {
            paste0("Expression must be finite and not negative; repair or ",
                "drop these", if (sanitize) paste0(", or let preprocess = ",
                    "list(sanitize = TRUE) set the non-finite ones to 0"
                ), "."
            )
        }
    )
}

.sanitize <- function(x) {
    x@x[!is.finite(x@x)] <- 0
    x
}

## One pass: per cell its total over all genes, and over the genes the model
## knows the number detected and the mitochondrial share (percent).
.scanCells <- function(input, known, mt, s) {
    m <- input$matrix
    n <- ncol(m)
    out <- list(
        all = numeric(n), detected = integer(n), mt = numeric(n),
        whole = TRUE, largest = 0
    )
    for (columns in .columnChunks(m)) {
        x <- .columnChunk(m, columns)
        if (s$sanitize) {
            x <- .sanitize(x)
        }
        .badValues(x, input$names, input$cells, columns)
        out$all[columns] <- Matrix::colSums(x)
        out$largest <- max(out$largest, x@x, 0)
        out$whole <- out$whole && all(x@x == floor(x@x))
        x <- x[known, , drop = FALSE]
        total <- Matrix::colSums(x)
        out$detected[columns] <- as.integer(Matrix::colSums(x > 0))
        share <- 100 * Matrix::colSums(x[mt[known], , drop = FALSE]) / total
        share[total == 0] <- 0
        out$mt[columns] <- share
    }
    out
}

## Number of the given cells in which each of the given genes is seen.
.cellsPerGene <- function(m, rows, columns) {
    seen <- numeric(length(rows))
    for (part in .columnChunks(m, columns)) {
        x <- .columnChunk(m, part, rows)
        x@x <- as.numeric(is.finite(x@x) & x@x > 0)
        seen <- seen + Matrix::rowSums(x)
    }
    seen
}

## Quality of every cell and gene of the input, and per gene the number of
## cells with enough genes that it is seen in.
.qcScan <- function(input, flags, s, verbose) {
    m <- input$matrix
    n <- ncol(m)
    groups <- c("mt", "ribo", "hb")
    total <- detected <- numeric(n)
    share <- matrix(0, n, length(groups))
    seen <- enough <- sum <- numeric(nrow(m))
    whole <- TRUE
    largest <- 0
    for (columns in .columnChunks(m)) {
        x <- .columnChunk(m, columns)
        .badValues(x, input$names, input$cells, columns, sanitize = FALSE)
        largest <- max(largest, x@x)
        whole <- whole && all(x@x == floor(x@x))
        total[columns] <- Matrix::colSums(x)
        sum <- sum + Matrix::rowSums(x)
        for (g in seq_along(groups)) {
            rows <- which(flags[[groups[[g]]]])
            share[columns, g] <- Matrix::colSums(x[rows, , drop = FALSE])
        }
        x@x <- as.numeric(x@x > 0)
        detected[columns] <- Matrix::colSums(x)
        seen <- seen + Matrix::rowSums(x)
        good <- detected[columns] >= s$minGenes
        enough <- enough + Matrix::rowSums(x[, good, drop = FALSE])
    }
    if (!whole) {
        .warnLogs(input$assay, largest, "preprocess() needs counts: ",
            "'assay.type' chooses another assay.", verbose = verbose
        )
    }
    if (s$flavor == "seurat_v3" && !whole) {
        warning("assay \"", input$assay, "\" holds values that are not whole ",
            "numbers; flavor \"seurat_v3\" is made for counts.",
            call. = FALSE
        )
    }
    cells <- S4Vectors::DataFrame(
        n_genes_by_counts = as.integer(detected),
        log1p_n_genes_by_counts = log1p(detected),
        total_counts = total, log1p_total_counts = log1p(total),
        row.names = input$cells
    )
    for (g in seq_along(groups)) {
        cells[[paste0("total_counts_", groups[[g]])]] <- share[, g]
        cells[[paste0("pct_counts_", groups[[g]])]] <- share[, g] / total * 100
    }
    genes <- S4Vectors::DataFrame(
        n_cells_by_counts = as.integer(seen), mean_counts = sum / n,
        total_counts = sum, pct_dropout_by_counts = (1 - seen / n) * 100,
        n_cells = as.integer(enough), flags[groups], isTF = flags$isTF
    )
    list(cells = cells, genes = genes)
}

.scanpyFilter <- function(input, scan, flags, s, verbose) {
    enough <- scan$cells$n_genes_by_counts >= s$minGenes
    mt <- scan$cells$pct_counts_mt
    clean <- identical(s$maxMt, Inf) | !is.na(mt) & mt <= s$maxMt
    qc <- s$dropQC & (flags$mt | flags$ribo | flags$hb)
    seen <- scan$genes$n_cells >= s$minCells
    columns <- which(enough & clean)
    rows <- which(seen & !qc)
    report <- list(
        cells = length(enough), cellsFewGenes = sum(!enough),
        cellsMt = sum(enough & !clean), genes = length(seen),
        genesFewCells = sum(!seen), genesQC = sum(seen & qc)
    )
    .say(verbose, report$cellsFewGenes, " cells with fewer than ", s$minGenes,
        " genes and ", report$cellsMt, " with more than ", s$maxMt,
        "% mitochondrial counts dropped, ", length(columns), " kept; ",
        report$genesFewCells, " genes in fewer than ", s$minCells, " cells",
        if (s$dropQC) paste0(" and ", report$genesQC, " of quality control"),
        " dropped, ", length(rows), " kept."
    )
    if (length(columns) < 2L || length(rows) < 2L) {
        .stopArgument("x", "keeps ", length(columns), " of ", report$cells,
            " cells and ", length(rows), " of ", report$genes, " genes: ",
            report$cellsFewGenes, " cells have fewer than ", s$minGenes,
            " genes, ", report$cellsMt, " more than ", s$maxMt,
            "% mitochondrial counts, ", report$genesFewCells, " genes are in ",
            "fewer than ", s$minCells, " cells. Loosen 'minGenes', 'maxMt' ",
            "or 'minCells'."
        )
    }
    list(rows = rows, columns = columns, report = report)
}
