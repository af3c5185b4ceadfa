## Containers -> counts of RNA and chromatin in the same cells, for delays.

## A paired input: `rna` and `atac` dgCMatrix with the same cells, `genes`,
## `peaks`, `cells`, `cellData`, where these stood (`rnaAt`, `atacAt`: columns
## of the parts) and the two parts themselves without their matrices.
.readPairs <- function(x, atac = NULL, rna = NULL, altExp = NULL,
    assay.type = NULL, ..., verbose = FALSE) {
    .noDots(...)
    types <- .assayTypes(assay.type)
    parts <- .pairedParts(x, atac, rna, altExp, verbose)
    for (m in c("rna", "atac")) {
        part <- .readPart(parts[[m]], types[[m]], verbose)
        .checkMatrix(part$matrix)
        part$label <- if (m == "rna") "RNA" else "chromatin"
        parts[[m]] <- part
    }
    parts <- .primaryCells(parts)
    pair <- .pairCells(parts$rna, parts$atac, verbose)
    rna <- .sparseColumns(parts$rna$matrix, pair$rna)
    atac <- .sparseColumns(parts$atac$matrix, pair$atac)
    genes <- .featureNames(parts$rna$names, "RNA")
    peaks <- .featureNames(parts$atac$names, "chromatin")
    dimnames(rna) <- list(genes, pair$cells)
    dimnames(atac) <- list(peaks, pair$cells)
    data <- parts$rna$cellData[pair$rna, , drop = FALSE]
    rownames(data) <- NULL
    for (m in c("rna", "atac")) {
        parts[[m]]$size <- dim(parts[[m]]$matrix)
        parts[[m]]$matrix <- NULL
    }
    list(
        rna = rna, atac = atac, genes = genes, peaks = peaks,
        cells = pair$cells, cellData = data, rnaAt = pair$rna,
        atacAt = pair$atac, parts = parts
    )
}

## The RNA and the chromatin of `x`, or of `x` and `atac`, not read yet.
.pairedParts <- function(x, atac, rna, altExp, verbose) {
    found <- .modalities(x)
    name <- function(v) is.null(v) || is.character(v) && is.null(dim(v))
    if (!name(atac)) {
        if (!is.null(rna) || !is.null(altExp)) {
            .stopArgument(if (is.null(rna)) "altExp" else "rna", "has no ",
                "meaning when 'atac' holds the counts; leave it NULL."
            )
        }
        other <- .modalities(atac, "atac")
        if (is.null(other$main)) {
            .stopArgument("atac", "holds several experiments; give the one ",
                "with chromatin."
            )
        }
        return(list(rna = .rnaPart(found, NULL),
            atac = other$parts[[other$main]]
        ))
    }
    if (is.null(found$what)) {
        .stopArgument("x", "holds one modality: it is a ", class(x)[[1L]],
            ". Give chromatin counts as 'atac' (peaks x cells), or a ",
            "SingleCellExperiment with chromatin in altExp(x), a ",
            "MultiAssayExperiment, or a Seurat object."
        )
    }
    names <- names(found$parts)
    sce <- found$arg == "altExp"
    open <- if (sce) setdiff(names, found$main) else names
    atac <- .chromatinOf(found, open, if (is.null(altExp)) atac else altExp,
        rna
    )
    rna <- if (!is.null(rna)) .chosen(rna, names, "rna", found$what) else
        .rnaBeside(found, atac)
    .say(verbose, "RNA: \"", rna, "\"; chromatin: \"", atac, "\".")
    list(rna = found$parts[[rna]], atac = found$parts[[atac]])
}

## The RNA when the chromatin is known: a SingleCellExperiment's own part,
## Seurat's assay "RNA" or its default, else by name.
.rnaBeside <- function(found, atac) {
    names <- setdiff(names(found$parts), atac)
    if (found$arg == "assay" && "RNA" %in% names) {
        return("RNA")
    }
    if (!is.null(found$main) && found$main != atac) {
        return(found$main)
    }
    .guessRna(names, atac)
}

## The name of the chromatin: given, or by class, features or name.
.chromatinOf <- function(found, open, name, rna) {
    arg <- if (found$arg == "altExp") "altExp" else "atac"
    if (!is.null(name)) {
        return(.chosen(name, open, arg, found$what))
    }
    open <- setdiff(open, rna)
    known <- open[vapply(found$parts[open], `[[`, NA, "chromatin")]
    name <- c(known, .guessChromatin(open, function(n) {
        found$parts[[n]]$features
    }))
    if (length(name)) {
        return(name[[1L]])
    }
    .stopArgument("x", "has no chromatin: ", if (length(open)) {
        paste0("none of its ", sub("^an? ", "", found$what), "s (",
            .some(open), ") has features that look like peaks ",
            "(\"chr1:100-200\"); name one with '", arg, "'."
        )
    } else {
        paste0("put the peak counts of the same cells in with ",
            "altExp(x, \"ATAC\") <- , or give them as 'atac'."
        )
    })
}

.assayTypes <- function(assay.type) {
    if (is.null(assay.type)) {
        return(list(rna = NULL, atac = NULL))
    }
    if (is.null(names(assay.type))) {
        return(list(rna = assay.type, atac = assay.type))
    }
    bad <- setdiff(names(assay.type), c("rna", "atac"))
    if (length(bad)) {
        .stopArgument("assay.type", "has parts named ", .some(bad),
            "; they must be rna and atac."
        )
    }
    assay.type <- as.list(assay.type)
    list(rna = assay.type[["rna"]], atac = assay.type[["atac"]])
}

## Row ranges when every row has one; rowData with chr, start, end (or an
## "interval" as 10x writes) serves as well.
.rangesOf <- function(x) {
    ranges <- if (methods::is(x, "RangedSummarizedExperiment")) {
        SummarizedExperiment::rowRanges(x)
    }
    if (methods::is(ranges, "List") && !.isRanges(ranges)) {
        ranges <- if (length(ranges) && all(lengths(ranges) == 1L)) {
            unlist(ranges, use.names = FALSE)
        }
    }
    if (!is.null(ranges)) {
        frame <- .rangesFrame(ranges)
        frame$name <- rownames(x)
        return(frame)
    }
    data <- as.data.frame(SummarizedExperiment::rowData(x), optional = TRUE)
    data$name <- rownames(x)
    columns <- vapply(c("chr", "start", "end"), function(what) {
        length(.columnNamed(data, what)) > 0L
    }, logical(1))
    if (all(columns)) {
        return(data)
    }
    if (!is.null(data$interval)) {
        parsed <- .parsePeaks(data$interval)
        if (!all(is.na(parsed$chr))) {
            return(cbind(data, parsed[c("chr", "start", "end")]))
        }
    }
    NULL
}

## Do at least four fifths of these names hold coordinates?
.looksLikePeaks <- function(names) {
    if (!length(names)) {
        return(FALSE)
    }
    at <- unique(round(seq(1, length(names), length.out = 500L)))
    parsed <- .parsePeaks(names[at])
    mean(!is.na(parsed$chr) & parsed$end > parsed$start) >= 0.8
}

## Which of several named sets of features holds peaks: by names of the
## features, then by its own name.
.guessChromatin <- function(open, features) {
    peaks <- vapply(open, function(n) .looksLikePeaks(features(n)), logical(1))
    if (any(peaks)) {
        return(open[peaks][[1L]])
    }
    called <- grep("atac|peak|chromatin", open, ignore.case = TRUE,
        value = TRUE
    )
    if (length(called)) called[[1L]] else NULL
}

.chosen <- function(name, names, arg, what) {
    .checkText(name, arg)
    if (!name %in% names) {
        .stopArgument(arg, "is \"", name, "\", which isn't ", what, " of 'x'; ",
            if (length(names)) {
                paste0("there are ", paste0("\"", names, "\"",
                    collapse = ", "
                ))
            } else {
                "there is none"
            }, "."
        )
    }
    name
}

.featureNames <- function(names, label) {
    if (is.null(names)) {
        .stopArgument("x", "has no names of ",
            if (label == "RNA") "genes; set the RNA's row names." else
                "peaks; set the chromatin's row names (\"chr1:100-200\")."
        )
    }
    names <- as.character(names)
    bad <- is.na(names) | !nzchar(names)
    twice <- unique(names[duplicated(names)])
    if (any(bad) || length(twice)) {
        .stopArgument("x", "has ", label, " features ", if (any(bad)) {
            paste0("without a name (", sum(bad), ", first: row ",
                which(bad)[[1L]], ").")
        } else {
            paste0("of the same name: ", .some(twice), ". Keep one of each, ",
                "or make.unique().")
        })
    }
    names
}

## Columns of each modality that are the same cells.
.pairCells <- function(rna, atac, verbose) {
    n <- c(ncol(rna$matrix), ncol(atac$matrix))
    if (any(n == 0L) || nrow(rna$matrix) == 0L || nrow(atac$matrix) == 0L) {
        .stopArgument("x", "is empty: RNA ", nrow(rna$matrix), " x ", n[[1L]],
            ", chromatin ", nrow(atac$matrix), " x ", n[[2L]],
            " (features x cells)."
        )
    }
    if (is.null(rna$cells) || is.null(atac$cells)) {
        return(.pairByPosition(rna$cells, atac$cells, n, verbose))
    }
    for (part in list(rna, atac)) {
        twice <- unique(part$cells[duplicated(part$cells)])
        if (length(twice)) {
            .stopArgument("x", "has cells of the same name in its ",
                part$label, ": ", .some(twice), ". Make them unique."
            )
        }
    }
    common <- intersect(rna$cells, atac$cells)
    if (length(common) < .minTauCells) {
        .stopUnpaired(rna$cells, atac$cells, common)
    }
    if (length(common) < max(n)) {
        .say(verbose, format(length(common), big.mark = ","),
            " cells have both: ", length(common), " of ", n[[1L]],
            " RNA and of ", n[[2L]], " chromatin barcodes."
        )
    }
    list(cells = common, rna = match(common, rna$cells),
        atac = match(common, atac$cells)
    )
}

.minTauCells <- 200L

.pairByPosition <- function(rna, atac, n, verbose) {
    if (n[[1L]] != n[[2L]]) {
        .stopArgument("x", "can't be paired: ", if (is.null(rna) &&
            is.null(atac)) "neither RNA nor chromatin" else
            if (is.null(rna)) "RNA doesn't" else "chromatin doesn't",
        if (is.null(rna) && is.null(atac)) " has" else " have",
        " cell names, and there are ", n[[1L]], " RNA and ", n[[2L]],
        " chromatin columns. Set the column names."
        )
    }
    cells <- c(rna, atac)
    if (is.null(cells)) {
        cells <- paste0("cell", seq_len(n[[1L]]))
    }
    .say(verbose, "Without cell names in both, RNA and chromatin are paired ",
        "by position."
    )
    .enoughCells(n[[1L]])
    list(cells = cells, rna = seq_len(n[[1L]]), atac = seq_len(n[[1L]]))
}

.enoughCells <- function(n, what = "cells") {
    if (n < .minTauCells) {
        .stopArgument("x", "has ", n, " ", what, " with both RNA and ",
            "chromatin; delays need at least ", .minTauCells,
            ", better thousands."
        )
    }
    invisible()
}

## Ways in which barcodes of the same cells come to differ.
.barcodeForms <- list(
    list("an ending like \"-1\"", "-[0-9]+$", ""),
    list("an ending like \"_1\"", "_[0-9]+$", ""),
    list("what stands before the last \"_\", \"#\" or \":\"", "^.*[_#:]", ""),
    list("all but the barcode itself", "^.*?([ACGT]{12,}).*$", "\\1")
)

.stopUnpaired <- function(rna, atac, common) {
    if (2 * length(common) >= min(length(rna), length(atac))) {
        .enoughCells(length(common), paste0("cells (of ", length(rna),
            " RNA and ", length(atac), " chromatin barcodes)"
        ))
    }
    matches <- vapply(.barcodeForms, function(form) {
        strip <- function(x) sub(form[[2L]], form[[3L]], x, perl = TRUE)
        a <- strip(rna)
        b <- strip(atac)
        length(intersect(a[!(a %in% a[duplicated(a)])], b))
    }, 1L)
    best <- which.max(matches)
    hint <- if (matches[[best]] > length(common)) {
        form <- .barcodeForms[[best]]
        paste0(" Without ", form[[1L]], " ", matches[[best]], " would match: ",
            "colnames(m) <- sub(\"", form[[2L]], "\", \"", gsub("\\", "\\\\",
                form[[3L]], fixed = TRUE), "\", colnames(m)",
            if (best == 4L) ", perl = TRUE", ") for both."
        )
    } else if (all(grepl("[ACGT]{14,}", head(c(rna, atac), 50L)))) {
        paste0(" Are they from one experiment? Raw 10x multiome chromatin ",
            "barcodes must first be translated to those of the RNA."
        )
    } else {
        " Are they from one experiment?"
    }
    .stopArgument("x", "is not paired: ", length(common), " of ",
        length(rna), " RNA barcodes (", .some(rna, 2L), ") and of ",
        length(atac), " chromatin barcodes (", .some(atac, 2L), ") match; ",
        "at least ", .minTauCells, " cells with both are needed.", hint
    )
}
