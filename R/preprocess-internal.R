## From counts to what the model reads: vocabulary match, quality filters,
## total-count normalisation to 1e4, log1p, all TFs plus the most variable
## other genes. The published pre-training steps, streamed over columns so
## that an on-disk matrix is never whole in memory.

.preprocessDefaults <- list(
    minGenes = NULL, minCells = NULL, maxMt = 20, dropQC = TRUE,
    target = 1e4, sanitize = FALSE
)

.preprocessSettings <- function(preprocess, mode, nGenes) {
    if (!is.list(preprocess) ||
        length(preprocess) && is.null(names(preprocess))) {
        .stopArgument("preprocess", "must be a named list; it is ",
            .show(preprocess), "."
        )
    }
    unknown <- setdiff(names(preprocess), names(.preprocessDefaults))
    if (length(unknown)) {
        .stopArgument("preprocess", "has unknown entries ", .some(unknown),
            "; it may hold ", paste(names(.preprocessDefaults),
                collapse = ", "
            ), "."
        )
    }
    s <- .preprocessDefaults
    s[names(preprocess)] <- preprocess
    ## The published thresholds are made for whole transcriptomes.
    if (is.null(s$minGenes)) {
        s$minGenes <- if (mode == "train" && nGenes >= 2000L) 200 else 0
    }
    if (is.null(s$minCells)) {
        s$minCells <- if (mode == "train") 3 else 1
    }
    .checkNumber(s$minGenes, "preprocess$minGenes", 0, whole = TRUE)
    .checkNumber(s$minCells, "preprocess$minCells", 0, whole = TRUE)
    .checkNumber(s$maxMt, "preprocess$maxMt", 0, 100)
    .checkNumber(s$target, "preprocess$target", 0, open = TRUE)
    .checkFlag(s$dropQC, "preprocess$dropQC")
    .checkFlag(s$sanitize, "preprocess$sanitize")
    s$filterCells <- mode == "train"
    s
}

## `genes`: NULL (TFs plus variable genes), or names or tokens of the genes to
## take. `floor`: NULL, or a function of the number of cells, in how many a
## factor or target must be seen. `variable`: names of genes to take for the
## most variable ones. `alike`: factors are chosen as other genes are. `cells`: those
## to use, see .cellsAt(); genes are chosen on all. `most`: of more cells in a
## file as many are held, drawn by `key` (`sampled`), and with `sums` sums over
## all are taken (see grn-sums.R). Returns values (genes x cells), tokens,
## labels, nonTF, cells, a report, and `source`, where the values are read
## (.eachBlock()); `most = 0`: no values; `store`: those of many cells of a file
## go to a temporary one (.storeValues()); `forecast`: called with the numbers
## of cells, genes, factors and values before these are read.
.preprocess <- function(input, vocab, tfs, mode, nTargets = 1000L,
    genes = NULL, keep = NULL, preprocess = list(), logged = NULL,
    maxGenes = Inf, verbose = FALSE, floor = NULL, variable = NULL,
    alike = FALSE, cells = NULL, most = Inf, key = NULL, sums = TRUE,
    store = FALSE, forecast = NULL) {
    match <- .matchGenes(input, vocab, mode, verbose)
    s <- .preprocessSettings(preprocess, mode, nrow(input$matrix))
    qc <- .qcGenes(match$symbols)
    known <- which(match$tokens >= 0L)
    scan <- .scanCells(input, known, qc$mt, s, .leastGenes(s))
    logged <- .isLogged(logged, input$assay, scan, verbose)
    .checkValues(input, scan, logged, verbose)
    columns <- .chooseCells(input, scan, s, verbose)
    if (s$filterCells) {
        .warnNoMt(qc$mt, s$maxMt)
    }
    at <- .cellsAt(cells, input$cells[columns])
    keep <- .chosenGenes(input, keep, "keep")
    if (is.character(genes)) {
        genes <- .chosenGenes(input, genes, "genes")
    }
    named <- .namedRows(input, match, c(keep, if (is.character(genes)) genes))
    ## Networks of named genes: a gene without a count is read as 0, so that a
    ## cell's network does not depend on the cells that come with it.
    fixed <- mode == "infer" && !is.null(genes)
    rows <- .usableGenes(input, known, qc, scan, named, fixed, s, verbose)
    variation <- .geneVariation(input$matrix, rows, columns, s$target,
        scan$whole && !logged, logged, s$sanitize
    )
    .checkTotals(input, variation$total, columns, logged)
    isTf <- .isTf(match$symbols[rows], tfs) | .isTf(input$ids[rows], tfs)
    least <- if (is.null(floor)) 0 else floor(length(columns))
    below <- NULL
    pick <- if (is.null(genes)) {
        always <- if (is.null(keep)) integer() else
            .givenGenes(input, match, rows, keep, "keep", verbose)
        .chooseGenes(variation, isTf & !alike, length(columns), nTargets,
            always, least,
            isTRUE(input$fewTfs), .knownVariable(input, match, rows, variable)
        )
    } else {
        .givenGenes(input, match, rows, genes, "genes", verbose)
    }
    if (is.null(genes) && least > 0) {
        .checkFloor(variation, isTf, pick, least)
        below <- .tfsBelow(variation, isTf, pick, least,
            .geneLabels(input, match, rows), verbose
        )
    }
    .checkChoice(isTf[pick], length(pick), maxGenes, mode, match, input,
        !is.null(genes)
    )
    source <- list(matrix = input$matrix, rows = rows[pick],
        columns = columns[at], total = variation$total[at],
        isTf = isTf[pick], target = s$target, logged = logged,
        sanitize = s$sanitize
    )
    if (!is.null(forecast)) {
        forecast(length(at), length(pick), sum(isTf[pick]),
            sum(variation$seen[pick])
        )
    }
    held <- if (most == 0) {
        list()
    } else if (store && .isStreamed(input$matrix, length(at), .mostCells())) {
        .say(verbose, "The values of ", length(at), " cells are put into a ",
            "temporary file, not into memory."
        )
        list(values = .storeValues(source, sum(variation$seen[pick])))
    } else if (.isStreamed(input$matrix, length(at), most)) {
        .sayStreamed(source, mean(variation$seen[pick]) / length(columns),
            most, sums, verbose
        )
        .streamValues(source, most, key, sums)
    } else {
        list(values = .sourceValues(source))
    }
    .prepared(input, match, source, length(columns), s, held,
        list(vocabulary = nrow(vocab) - 1L, counts = scan$whole,
            logged = logged, floor = if (is.null(genes)) least,
            tfsBelow = below
        )
    )
}

## What .preprocess() returns; `kept`: cells that passed the filters.
.prepared <- function(input, match, source, kept, s, held, report) {
    columns <- source$columns
    chosen <- source$rows
    all <- identical(columns, seq_along(input$cells)) # no copies of names
    list(
        values = held$values, sums = held$sums, sampled = held$sampled,
        source = source, tokens = match$tokens[chosen],
        labels = .geneLabels(input, match, chosen), nonTF = !source$isTf,
        cells = if (all) input$cells else input$cells[columns],
        columns = columns, cellData = if (all) input$cellData else
            input$cellData[columns, , drop = FALSE],
        reductions = input$reductions, allCells = input$cells,
        report = list(
            matched = sum(match$tokens >= 0L), total = nrow(input$matrix),
            lost = input$names[match$tokens < 0L],
            vocabulary = report$vocabulary, used = length(chosen),
            tfs = sum(source$isTf), cells = length(columns),
            cellsDropped = ncol(input$matrix) - kept,
            assay = input$assay, counts = report$counts,
            logged = report$logged, settings = s, species = input$species,
            floor = report$floor, tfsBelow = report$tfsBelow
        )
    )
}

.matchGenes <- function(input, vocab, mode, verbose) {
    tokens <- .lookupTokens(vocab, input$clean, input$type)
    twice <- tokens >= 0L & (duplicated(tokens) |
        duplicated(tokens, fromLast = TRUE))
    if (any(twice)) {
        .stopArgument("x", "has several genes on one token of the ",
            "vocabulary: ", .some(input$names[twice]), ". Keep one of each."
        )
    }
    known <- sum(tokens >= 0L)
    size <- nrow(vocab) - 1L
    lost <- input$names[tokens < 0L]
    if (length(tokens) == 1L) {
        .stopArgument("x", "has one gene, ", input$names, "; a network needs ",
            "at least two. Genes go in rows."
        )
    }
    if (known < 2L || known < 0.1 * length(tokens) && known < 0.1 * size) {
        .stopArgument("x", "and the model speak of different genes: ", known,
            " of ", length(tokens), " genes of 'x' are among the model's ",
            size, "; unknown are ", .some(lost),
            ". Is it another species or another naming? reconcileGenes() ",
            "translates names, and 'symbols' names a column of rowData(x) ",
            "with other ones."
        )
    }
    if (length(lost)) {
        .say(verbose, known, " of ", length(tokens), " genes are known to ",
            "the model; left out: ", .some(lost, 3L), "."
        )
    }
    symbols <- .vocabSymbols(vocab, tokens)
    own <- is.na(symbols) & !is.null(input$symbols)
    symbols[own] <- .cleanSymbol(input$symbols[own])
    list(tokens = tokens, symbols = symbols)
}

## Does the assay's name say that it holds logarithms?
.logName <- function(assay) {
    grepl("^log|/data$|^lognorm", assay, ignore.case = TRUE)
}

## Are the values log1p ones: as the caller says, or (NULL) by the assay's
## name, unless they are whole numbers.
.isLogged <- function(logged, assay, scan, verbose = FALSE) {
    if (!is.null(logged)) {
        return(logged)
    }
    logged <- .logName(assay) && !scan$whole
    if (logged) {
        .say(verbose, "Assay \"", assay, "\" holds log-normalised values, by ",
            "its name: they are taken as they are. If it holds abundances, ",
            "say alreadyNormalised = FALSE."
        )
    }
    logged
}

.checkValues <- function(input, scan, logged, verbose) {
    empty <- scan$all == 0
    if (all(empty)) {
        .stopArgument("x", "holds only zeros in assay \"", input$assay, "\".")
    }
    if (any(empty)) {
        .stopArgument("x", "has ", sum(empty), " cells without any count: ",
            .some(input$cells[empty]), ". Drop them, ",
            "x[, colSums(counts(x)) > 0]."
        )
    }
    if (logged && scan$largest > 50) {
        .stopArgument("alreadyNormalised", "is TRUE", if (.logName(input$assay))
            paste0(" (or assay \"", input$assay, "\" says so by its name)"),
        ", but the largest value is ", format(scan$largest),
        ": log1p values stay below 50."
        )
    }
    if (!logged && !scan$whole) {
        .warnLogs(input$assay, scan$largest, "If it holds log values, say ",
            "alreadyNormalised = TRUE; 'assay.type' chooses another assay.",
            verbose = verbose
        )
    }
    invisible()
}

## For values that are no whole numbers and are read as abundances: a warning
## where they look like logs, else a message.
.warnLogs <- function(assay, largest, ..., verbose) {
    if (.logName(assay)) {
        warning("assay \"", assay, "\" looks log-normalised by its ",
            "name, but is read as abundances: it is scaled and ",
            "log1p-transformed. ", ...,
            call. = FALSE
        )
    } else if (largest < 15) {
        warning("assay \"", assay, "\" looks log-normalised: its values ",
            "aren't whole numbers and the largest is ",
            format(largest, digits = 3L), ". It is read as abundances, ",
            "scaled and log1p-transformed (again). ", ...,
            call. = FALSE
        )
    } else {
        .say(verbose, "Assay \"", assay, "\" holds values that are not ",
            "whole numbers (FPKM, TPM?): taken as abundances, scaled to one ",
            "total per cell and log1p-transformed. ", ...
        )
    }
}

.chooseCells <- function(input, scan, s, verbose) {
    keep <- rep(TRUE, length(scan$all))
    if (s$filterCells) {
        few <- scan$detected < s$minGenes
        mt <- scan$mt > s$maxMt
        keep <- !few & !mt
        if (any(!keep)) {
            .say(verbose, sum(!keep), " of ", length(keep), " cells left ",
                "out: ", sum(few), " with fewer than ", s$minGenes,
                " genes, ", sum(mt & !few), " with more than ", s$maxMt,
                " % mitochondrial counts."
            )
        }
        if (!any(keep)) {
            .stopArgument("x", "keeps no cell: all have fewer than ",
                s$minGenes, " genes or more than ", s$maxMt, " % ",
                "mitochondrial counts; see 'preprocess'."
            )
        }
    }
    which(keep)
}

## Genes are counted, as published, in cells with so many genes, before the
## mitochondrial filter.
.leastGenes <- function(s) if (s$filterCells) s$minGenes else 0

## Genes the caller named (`named`: rows) need one count, not `minCells`; with
## a `fixed` list of genes none is needed.
.usableGenes <- function(input, known, qc, scan, named, fixed, s, verbose) {
    drop <- if (s$dropQC) qc$mt | qc$ribo | qc$hb else rep(FALSE, length(qc$mt))
    enough <- rep(TRUE, length(known))
    if (!fixed) {
        seen <- scan$enough[known]
        enough <- seen >= min(s$minCells, max(1L, scan$n)) |
            (known %in% named & seen > 0)
    }
    rows <- known[enough & !drop[known]]
    if (any(!enough) || any(drop[known])) {
        .say(verbose, sum(!enough), " genes seen in fewer than ", s$minCells,
            " cells and ", sum(drop[known] & enough), " mitochondrial, ",
            "ribosomal or haemoglobin genes left out."
        )
    }
    if (length(rows) < 2L) {
        .stopArgument("x", "keeps ", length(rows), " usable genes of ",
            nrow(input$matrix), "; a network needs at least two that are ",
            "known to the model and seen in ", s$minCells, " cells or more."
        )
    }
    rows
}

.checkTotals <- function(input, total, columns, logged) {
    huge <- !is.finite(total)
    if (any(huge)) {
        .stopArgument("x", "has cells whose total is beyond any number: ",
            .some(input$cells[columns][huge]), ". Are these counts?"
        )
    }
    empty <- total == 0
    if (!logged && any(empty)) {
        .stopArgument("x", "has ", sum(empty), " cells without a count in ",
            "the genes the model reads: ", .some(input$cells[columns][empty]),
            ". Drop them."
        )
    }
    invisible()
}

## Rows of the input with these names, identifiers or symbols; NA where there
## is none.
.namedRows <- function(input, match, names) {
    if (!is.character(names) || !length(names)) {
        return(integer())
    }
    type <- if (.isEnsembl(names)) "ensembl" else "symbol"
    where <- match(.cleanNames(names, type), input$clean)
    where[is.na(where)] <- match(.cleanIds(names[is.na(where)]), input$ids)
    lost <- is.na(where)
    where[lost] <- match(.cleanSymbol(names[lost]), match$symbols)
    where
}

## Rows the caller named (`genes`: names or tokens), in the input's order.
## Genes that were chosen by a column or list of the object (attribute "from")
## may be unusable: these are left out.
.givenGenes <- function(input, match, rows, genes, arg, verbose = FALSE) {
    if (is.numeric(genes)) {
        pick <- which(match$tokens[rows] %in% genes)
        if (length(pick) < 2L) {
            .stopArgument("x", "holds ", length(pick), " of the ",
                length(genes), " genes the model was trained on; choose ",
                "others with 'genes' or 'nTargets'."
            )
        }
        return(pick)
    }
    if (!is.character(genes) || !length(genes)) {
        .stopArgument(arg, "must be gene names; it is ", .show(genes), ".")
    }
    where <- .namedRows(input, match, genes)
    if (!is.null(attr(genes, "from"))) {
        usable <- where %in% rows
        .say(verbose && !all(usable), sum(!usable), " of ", length(genes),
            " genes of \"", attr(genes, "from"), "\" can't be used: ",
            .some(genes[!usable]), "."
        )
        return(sort(match(unique(where[usable]), rows)))
    }
    if (anyNA(where)) {
        .stopArgument(arg, "names genes that are not in 'x': ",
            .some(genes[is.na(where)]), "."
        )
    }
    unknown <- match$tokens[where] < 0L
    if (any(unknown)) {
        .stopArgument(arg, "names genes the model does not know: ",
            .some(genes[unknown]), "."
        )
    }
    unusable <- !(where %in% rows)
    if (any(unusable)) {
        .stopArgument(arg, "names genes without any count in these ",
            "cells (or mitochondrial, ribosomal, haemoglobin ones): ",
            .some(genes[unusable]), ". Leave them out, or see 'preprocess'."
        )
    }
    sort(match(unique(where), rows))
}

.noTfHint <- function(names, identifiers) {
    if (identifiers) {
        return(paste0(": they have identifiers and no symbols. ",
            "reconcileGenes(x, to = \"symbol\") translates Ensembl ",
            "identifiers, 'symbols' names a column of rowData(x) that holds ",
            "them."
        ))
    }
    paste0(" (", .some(names, 3L), "). Is the species right? Are the names ",
        "symbols (reconcileGenes() translates them)? 'tfs' gives your own ",
        "list."
    )
}

.checkChoice <- function(isTf, n, maxGenes, mode, match, input, named) {
    if (!any(isTf) && named) {
        .stopArgument("genes", "has no transcription factor among its ", n,
            " genes; add some, or say keep = with these genes and leave ",
            "'genes' NULL: then all factors are read."
        )
    }
    if (!any(isTf)) {
        symbols <- match$symbols[match$tokens >= 0L]
        symbols <- symbols[!is.na(symbols)]
        .stopArgument("x", "has no transcription factor among its usable ",
            "genes", .noTfHint(symbols, length(symbols) == 0L),
            if (length(input$elsewhere) > 1L) paste0(" Its parts are ",
                .some(input$elsewhere), "; 'assay' chooses one."
            )
        )
    }
    if (n < 2L) {
        .stopArgument("x", "leaves one gene; a network needs two.")
    }
    if (n > maxGenes) {
        .stopArgument("nTargets",
            "asks for more genes than the model takes: ", sum(isTf),
            " factors and ", sum(!isTf), " others, ", n, " in all; at most ",
            maxGenes, ". Ask for fewer, restrict 'tfs', or raise maxLength ",
            "in SFMParam()."
        )
    }
    invisible()
}

## Labels of a network: symbols where there are, else identifiers; unique.
.geneLabels <- function(input, match, rows) {
    name <- trimws(input$names[rows])
    if (input$type == "ensembl") {
        symbol <- match$symbols[rows]
        label <- ifelse(is.na(symbol) | !nzchar(symbol), name, symbol)
        twice <- duplicated(label) | duplicated(label, fromLast = TRUE)
        label[twice] <- paste0(label[twice], "|", name[twice])
        return(label)
    }
    name
}
