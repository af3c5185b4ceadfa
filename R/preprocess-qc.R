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

## One pass (src/engine/stats/quality.h). flags: list(known, mt, ribo, hb,
## counted), by gene. -> list(cells: by cell `total` over all genes, over known
## ones `known` (total), `detected`, `counted`, `mt`, `ribo`, `hb`; by gene
## `sum`, `seen`, `enough`: cells among those with `least` known genes, `first`:
## the first `keep` of these; whole, largest). `each(x, columns, cells)` is
## called for every block; of `cells` the parts `want` are kept.
.qualityPass <- function(input, flags, least, keep = 0L, sanitize = FALSE,
    hint = TRUE, each = NULL, want = c("total", "known", "detected",
    "counted", "mt", "ribo", "hb")) {
    m <- input$matrix
    genes <- nrow(m)
    bits <- as.raw(Reduce(`+`, Map(`*`, flags[c("known", "mt", "ribo", "hb",
        "counted")], c(1, 2, 4, 8, 16))))
    ## added to in place, so every vector is made here
    sums <- list(sum = numeric(genes), seen = numeric(genes),
        enough = numeric(genes), first = integer(keep * genes),
        facts = numeric(4L)
    )
    sums$facts[[2L]] <- 1
    cells <- lapply(setNames(nm = want), function(name) numeric(ncol(m)))
    for (columns in .columnChunks(m)) {
        x <- .columnChunk(m, columns)
        if (sanitize) {
            x <- .sanitize(x)
        }
        here <- .Call(cw_r_quality, .countsView(x), bits, sums, least)
        if (sums$facts[[4L]] > 0) {
            .badValues(x, input$names, input$cells, columns, sanitize = hint)
        }
        if (!is.null(each)) {
            each(x, columns, here)
        }
        for (name in want) {
            cells[[name]][columns] <- here[[name]]
        }
        .dropBlock(length(x@x))
    }
    c(sums[c("sum", "seen", "enough")], list(cells = cells,
        first = matrix(sums$first, keep) + 1L,
        whole = sums$facts[[2L]] != 0, largest = sums$facts[[3L]]
    ))
}

## What .preprocess() asks of cells: list(all, and where they are filtered
## detected, mt: percent; of genes enough; n, the cells these are counted in,
## those with `least` genes; whole, largest).
.scanCells <- function(input, known, mt, s, least) {
    is <- seq_len(nrow(input$matrix)) %in% known
    none <- logical(length(is))
    scan <- .qualityPass(input, list(known = is, mt = mt, ribo = none,
        hb = none, counted = none), least, sanitize = s$sanitize,
        want = c("total", if (s$filterCells) c("known", "detected", "mt")))
    cells <- scan$cells
    out <- list(all = cells$total, enough = scan$enough, n = ncol(input$matrix),
        whole = scan$whole, largest = scan$largest)
    if (s$filterCells) {
        out$detected <- cells$detected
        out$mt <- ifelse(cells$known == 0, 0, 100 * cells$mt / cells$known)
        out$n <- sum(cells$detected >= least)
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

## How scanpy scales and logs before it looks for variable genes: list(scaled,
## logged).
.hvgTransform <- function(flavor) {
    list(scaled = flavor != "seurat_v3", logged = flavor == "cell_ranger")
}

## Are these cells clean enough, by the percentage of mitochondrial counts?
.cleanCells <- function(mt, maxMt) {
    identical(maxMt, Inf) | !is.na(mt) & mt <= maxMt
}

## Quality of every cell and gene of the input, and per gene the number of
## cells with enough genes that it is seen in. Where the total to scale to is
## known, moments of genes are taken in the same pass, over all genes that are
## counted: `moments`, `counted` (total of every cell over them), `first`.
.qcScan <- function(input, flags, s, verbose) {
    m <- input$matrix
    n <- ncol(m)
    groups <- c("mt", "ribo", "hb")
    qc <- s$dropQC & (flags$mt | flags$ribo | flags$hb)
    how <- .hvgTransform(s$flavor)
    moments <- if (!how$scaled || !is.null(s$targetSum)) .noMoments(nrow(m))
    scan <- .qualityPass(input, c(list(known = rep(TRUE, nrow(m)),
        counted = !qc), flags[groups]), s$minGenes,
        keep = min(max(s$minCells - 1, 0), 15), hint = FALSE,
        each = if (!is.null(moments)) function(x, columns, cells) {
            keep <- cells$detected >= s$minGenes &
                .cleanCells(100 * cells$mt / cells$total, s$maxMt)
            moments <<- .addMoments(moments, x, if (how$scaled)
                s$targetSum / cells$counted, how$logged, keep)
        }
    )
    whole <- scan$whole
    largest <- scan$largest
    total <- scan$cells$total
    detected <- scan$cells$detected
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
    for (g in groups) {
        cells[[paste0("total_counts_", g)]] <- scan$cells[[g]]
        cells[[paste0("pct_counts_", g)]] <- scan$cells[[g]] / total * 100
    }
    genes <- S4Vectors::DataFrame(
        n_cells_by_counts = as.integer(scan$seen), mean_counts = scan$sum / n,
        total_counts = scan$sum,
        pct_dropout_by_counts = (1 - scan$seen / n) * 100,
        n_cells = as.integer(scan$enough), flags[groups], isTF = flags$isTF
    )
    list(cells = cells, genes = genes, moments = moments,
        counted = scan$cells$counted, first = scan$first, kept = !qc
    )
}

## Totals of the kept cells over the kept genes, and moments of these: list(
## total, target, moments). Those of the scan are of all counted genes; what
## the filter left out since is in few cells, which are read again.
.keptMoments <- function(input, scan, kept, s) {
    m <- input$matrix
    how <- .hvgTransform(s$flavor)
    lost <- setdiff(which(scan$kept & scan$genes$n_cells > 0), kept$rows)
    total <- scan$counted[kept$columns]
    again <- if (!is.null(scan$moments)) .cellsAgain(scan, lost, kept$columns)
    if (!is.null(again)) {
        moments <- scan$moments
        for (part in .columnChunks(m, kept$columns[again])) {
            x <- .columnChunk(m, part)
            at <- match(part, kept$columns)
            by <- function() if (how$scaled) s$targetSum / total[at]
            moments <- .addMoments(moments, x, by(), how$logged, less = TRUE)
            total[at] <- Matrix::colSums(x[kept$rows, , drop = FALSE])
            moments <- .addMoments(moments, x, by(), how$logged)
        }
        moments[-1L] <- lapply(moments[-1L], `[`, kept$rows)
    } else if (length(lost)) {
        total <- .cellTotals(m, kept$rows, kept$columns)
    }
    .checkTotals(input, total, kept$columns, FALSE)
    target <- if (is.null(s$targetSum)) stats::median(total) else s$targetSum
    list(total = total, target = target, moments = if (!is.null(again))
        .momentsOf(moments) else .geneMoments(m, kept$rows, kept$columns,
            if (how$scaled) target / total, how$logged))
}

## Which of the kept cells hold the genes `lost`; NULL where a pass over all is
## better.
.cellsAgain <- function(scan, lost, columns) {
    if (any(scan$genes$n_cells[lost] > nrow(scan$first))) {
        return(NULL)
    }
    first <- scan$first[, lost, drop = FALSE]
    there <- row(first) <= rep(scan$genes$n_cells[lost], each = nrow(first))
    again <- which(columns %in% first[there])
    if (length(again) <= length(columns) / 4) again
}

.scanpyFilter <- function(input, scan, flags, s, verbose) {
    enough <- scan$cells$n_genes_by_counts >= s$minGenes
    clean <- .cleanCells(scan$cells$pct_counts_mt, s$maxMt)
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
