## Containers -> paired counts for delays. A part is one modality: list of
## `matrix` (features x cells), `names`, `cells`, `cellData`, `geneData`,
## `ranges` (GRanges or NULL), `embedding` (function: name -> matrix or NULL)
## and `label` (for messages).

## A paired input: `rna` and `atac` dgCMatrix with the same cells, `genes`,
## `peaks`, `cells`, `cellData`, where these stood (`rnaAt`, `atacAt`: columns
## of the parts) and the two parts themselves without their matrices.
.tauInput <- function(x, atac = NULL, rna = NULL, altExp = NULL,
    assay.type = NULL, ..., verbose = FALSE) {
    .noDots(...)
    parts <- .tauParts(x, atac, rna, altExp, assay.type, verbose)
    pair <- .pairCells(parts$rna, parts$atac, verbose)
    rna <- .sparseColumns(parts$rna$matrix, pair$rna)
    atac <- .sparseColumns(parts$atac$matrix, pair$atac)
    genes <- .featureNames(parts$rna, "RNA")
    peaks <- .featureNames(parts$atac, "chromatin")
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

## Any matrix -> dgCMatrix of these columns in this order; a DelayedArray is
## read in chunks.
.sparseColumns <- function(m, columns) {
    if (methods::is(m, "dgCMatrix")) {
        whole <- identical(columns, seq_len(ncol(m)))
        return(if (whole) m else m[, columns, drop = FALSE])
    }
    chunks <- lapply(.columnChunks(m, columns), function(part) {
        .columnChunk(m, part)
    })
    if (length(chunks) == 1L) chunks[[1L]] else do.call(cbind, unname(chunks))
}

.tauParts <- function(x, atac, rna, altExp, assay.type, verbose) {
    assay.type <- .assayTypes(assay.type)
    name <- function(v) is.null(v) || is.character(v) && is.null(dim(v))
    if (!name(atac)) {
        if (!is.null(rna) || !is.null(altExp)) {
            .stopArgument(if (is.null(rna)) "altExp" else "rna", "has no ",
                "meaning when 'atac' holds the counts; leave it NULL."
            )
        }
        return(list(
            rna = .onePart(x, assay.type$rna, "x", "RNA", verbose),
            atac = .onePart(atac, assay.type$atac, "atac", "chromatin",
                verbose
            )
        ))
    }
    if (inherits(x, "MultiAssayExperiment")) {
        .partsFromMAE(x, rna, atac, assay.type, verbose)
    } else if (inherits(x, "Seurat")) {
        .partsFromSeurat(x, rna, atac, assay.type, verbose)
    } else if (methods::is(x, "SingleCellExperiment")) {
        .partsFromSCE(x, if (is.null(altExp)) atac else altExp, assay.type,
            verbose
        )
    } else {
        .stopArgument("x", "holds one modality: it is a ", class(x)[[1L]],
            ". Give chromatin counts as 'atac' (peaks x cells), or a ",
            "SingleCellExperiment with chromatin in altExp(x), a ",
            "MultiAssayExperiment, or a Seurat object."
        )
    }
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

.onePart <- function(x, assay.type, arg, label, verbose) {
    if (methods::is(x, "SummarizedExperiment")) {
        return(.partFromSE(x, assay.type, label, verbose))
    }
    if (is.data.frame(x)) {
        x <- as.matrix(x)
    }
    if (!(is.matrix(x) && (is.numeric(x) || is.logical(x)) ||
        methods::is(x, "Matrix") || methods::is(x, "DelayedArray"))) {
        .stopArgument(arg, "must be counts as a matrix, dgCMatrix or ",
            "DelayedMatrix (features x cells), or a SummarizedExperiment; ",
            "it is a ", class(x)[[1L]],
            if (is.matrix(x)) paste0(" of type ", typeof(x)), "."
        )
    }
    list(
        matrix = x, names = rownames(x), cells = colnames(x),
        cellData = S4Vectors::DataFrame(row.names = seq_len(ncol(x))),
        geneData = NULL, ranges = NULL, embedding = function(name) NULL,
        label = label
    )
}

.partFromSE <- function(x, assay.type, label, verbose) {
    part <- .fromSummarizedExperiment(x, assay.type, verbose)
    part$ranges <- .rangesOf(x)
    part$embedding <- function(name) {
        if (methods::is(x, "SingleCellExperiment") &&
            name %in% SingleCellExperiment::reducedDimNames(x)) {
            SingleCellExperiment::reducedDim(x, name)
        }
    }
    part$label <- label
    part
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
.guessChromatin <- function(names, features, exclude = NULL) {
    open <- setdiff(names, exclude)
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

## ---- SingleCellExperiment --------------------------------------------------

.partsFromSCE <- function(x, altExp, assay.type, verbose) {
    names <- SingleCellExperiment::altExpNames(x)
    if (is.null(altExp)) {
        altExp <- .guessChromatin(names, function(n) {
            rownames(SingleCellExperiment::altExp(x, n))
        })
        if (is.null(altExp)) {
            .stopArgument("x", "has no chromatin: ", if (length(names)) {
                paste0("none of its altExps (", .some(names), ") has peaks ",
                    "like \"chr1:100-200\" for features; name one with ",
                    "'altExp'."
                )
            } else {
                paste0("put the peak counts of the same cells in with ",
                    "altExp(x, \"ATAC\") <- , or give them as 'atac'."
                )
            })
        }
        .say(verbose, "Chromatin: altExp \"", altExp, "\".")
    } else {
        altExp <- .chosen(altExp, names, "altExp", "an altExp")
    }
    open <- SingleCellExperiment::altExp(x, altExp)
    rna <- .partFromSE(x, assay.type$rna, "RNA", verbose)
    atac <- .partFromSE(open, assay.type$atac, "chromatin", verbose)
    if (is.null(atac$cells)) {
        atac$cells <- rna$cells
    }
    list(rna = rna, atac = atac)
}

## ---- MultiAssayExperiment --------------------------------------------------

.partsFromMAE <- function(x, rna, atac, assay.type, verbose) {
    if (!requireNamespace("MultiAssayExperiment", quietly = TRUE)) {
        stop("'x' is a MultiAssayExperiment, and that package isn't ",
            "installed; BiocManager::install(\"MultiAssayExperiment\").",
            call. = FALSE
        )
    }
    names <- names(x)
    features <- function(n) rownames(x[[n]])
    if (is.null(atac)) {
        atac <- .guessChromatin(names, features, exclude = rna)
        if (is.null(atac)) {
            .stopArgument("x", "has no experiment whose features look like ",
                "peaks (\"chr1:100-200\"); name it with 'atac': ",
                .some(names), "."
            )
        }
    }
    atac <- .chosen(atac, names, "atac", "an experiment")
    rna <- if (is.null(rna)) .guessRna(names, atac) else
        .chosen(rna, names, "rna", "an experiment")
    .say(verbose, "RNA: experiment \"", rna, "\"; chromatin: \"", atac, "\".")
    parts <- list(
        rna = .onePart(x[[rna]], assay.type$rna, "x", "RNA", verbose),
        atac = .onePart(x[[atac]], assay.type$atac, "x", "chromatin", verbose)
    )
    .primaryCells(x, parts, c(rna = rna, atac = atac))
}

.guessRna <- function(names, atac) {
    left <- setdiff(names, atac)
    called <- grep("rna|gex|gene|expression", left, ignore.case = TRUE,
        value = TRUE
    )
    if (!length(left)) {
        .stopArgument("x", "has chromatin (\"", atac, "\") and no RNA.")
    }
    if (!length(called) && length(left) > 1L) {
        .stopArgument("rna", "is needed: which of ", .some(left), " holds ",
            "the RNA?"
        )
    }
    c(called, left)[[1L]]
}

## Where primaries are cells (one column each) they pair the experiments;
## where they are donors, the column names do.
.primaryCells <- function(x, parts, names) {
    map <- as.data.frame(MultiAssayExperiment::sampleMap(x))
    primary <- lapply(names, function(n) {
        own <- map[as.character(map$assay) == n, , drop = FALSE]
        as.character(own$primary)[match(colnames(x[[n]]), own$colname)]
    })
    data <- SummarizedExperiment::colData(x)
    own <- parts$rna$cellData
    shared <- data[match(primary$rna, rownames(data)),
        setdiff(colnames(data), colnames(own)), drop = FALSE
    ]
    rownames(shared) <- rownames(own) <- NULL
    parts$rna$cellData <- cbind(own, shared)
    if (!any(vapply(primary, function(p) anyNA(p) || anyDuplicated(p) > 0L,
        logical(1)
    ))) {
        parts$rna$cells <- primary$rna
        parts$atac$cells <- primary$atac
    }
    parts
}

## ---- Seurat ----------------------------------------------------------------

.partsFromSeurat <- function(x, rna, atac, assay.type, verbose) {
    if (!requireNamespace("SeuratObject", quietly = TRUE)) {
        stop("'x' is a Seurat object, and the package SeuratObject isn't ",
            "installed; install.packages(\"SeuratObject\").",
            call. = FALSE
        )
    }
    assays <- methods::slot(x, "assays")
    names <- names(assays)
    if (is.null(atac)) {
        chromatin <- vapply(assays, function(a) {
            "ChromatinAssay" %in% class(a)
        }, logical(1))
        atac <- c(setdiff(names[chromatin], rna), .guessChromatin(names,
            function(n) .seuratFeatures(assays[[n]]), exclude = rna
        ))
        if (!length(atac)) {
            .stopArgument("x", "has no chromatin assay (class ChromatinAssay, ",
                "or features like \"chr1-100-200\"); name it with 'atac': ",
                .some(names), "."
            )
        }
        atac <- atac[[1L]]
    }
    atac <- .chosen(atac, names, "atac", "an assay")
    if (is.null(rna)) {
        default <- SeuratObject::DefaultAssay(x)
        rna <- if ("RNA" %in% setdiff(names, atac)) "RNA" else
            if (default != atac) default else .guessRna(names, atac)
    }
    rna <- .chosen(rna, names, "rna", "an assay")
    .say(verbose, "RNA: assay \"", rna, "\"; chromatin: \"", atac, "\".")
    list(
        rna = .seuratPart(x, rna, assay.type$rna, "RNA"),
        atac = .seuratPart(x, atac, assay.type$atac, "chromatin")
    )
}

.seuratFeatures <- function(assay) {
    tryCatch(rownames(assay), error = function(e) {
        rownames(attr(assay, "counts"))
    })
}

.seuratPart <- function(x, name, layer, label) {
    layer <- if (is.null(layer)) "counts" else .checkText(layer, "assay.type")
    assay <- methods::slot(x, "assays")[[name]]
    ns <- asNamespace("SeuratObject")
    ## a ChromatinAssay read without Signac is an object of unknown class: its
    ## slots are attributes all the same
    matrix <- tryCatch(.seuratLayer(assay, layer, ns), error = function(e) {
        attr(assay, layer)
    })
    if (is.null(matrix) || length(matrix) == 0L) {
        .stopArgument("assay.type", "is \"", layer, "\", which assay \"",
            name, "\" of 'x' doesn't have."
        )
    }
    ranges <- attr(assay, "ranges")
    frame <- if (.isRanges(ranges) && length(ranges) == nrow(matrix)) {
        cbind(.rangesFrame(ranges), name = rownames(matrix))
    }
    meta <- x[[]]
    list(
        matrix = matrix, names = rownames(matrix), cells = colnames(matrix),
        cellData = S4Vectors::DataFrame(meta[colnames(matrix), , drop = FALSE]),
        geneData = NULL, ranges = frame, annotation = attr(assay, "annotation"),
        embedding = function(reduction) {
            found <- methods::slot(x, "reductions")[[reduction]]
            if (!is.null(found)) {
                SeuratObject::Embeddings(found)[colnames(matrix), ,
                    drop = FALSE
                ]
            }
        },
        label = label
    )
}

## ---- pairing ---------------------------------------------------------------

.featureNames <- function(part, label) {
    names <- part$names
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

## ---- counts ----------------------------------------------------------------

## Counts that the model can take, cells and features without any dropped.
.cleanCounts <- function(input, verbose) {
    .checkCounts(input$rna, "RNA")
    .checkCounts(input$atac, "chromatin")
    input$rna <- Matrix::drop0(input$rna)
    input$atac <- Matrix::drop0(input$atac)
    empty <- diff(input$rna@p) == 0L | diff(input$atac@p) == 0L
    if (any(empty)) {
        .say(verbose, .count(sum(empty), "cell"), " without a count in RNA ",
            "or chromatin left out."
        )
        input <- .keepCells(input, !empty)
    }
    .enoughCells(length(input$cells))
    input$dropped <- character()
    for (m in c("rna", "atac")) {
        seen <- tabulate(input[[m]]@i + 1L, nrow(input[[m]])) > 0L
        if (!any(seen)) {
            .stopArgument("x", "has no count at all in its ",
                if (m == "rna") "RNA." else "chromatin."
            )
        }
        if (!all(seen)) {
            what <- if (m == "rna") "gene" else "peak"
            .say(verbose, .count(sum(!seen), what), " without a count left ",
                "out."
            )
            names <- if (m == "rna") "genes" else "peaks"
            if (m == "rna") {
                input$dropped <- input$genes[!seen]
            }
            input[[names]] <- input[[names]][seen]
            input[[m]] <- input[[m]][seen, , drop = FALSE]
        }
    }
    input
}

.keepCells <- function(input, keep) {
    input$rna <- input$rna[, keep, drop = FALSE]
    input$atac <- input$atac[, keep, drop = FALSE]
    input$cells <- input$cells[keep]
    input$cellData <- input$cellData[keep, , drop = FALSE]
    input$rnaAt <- input$rnaAt[keep]
    input$atacAt <- input$atacAt[keep]
    input
}

.checkCounts <- function(m, label) {
    v <- m@x
    bad <- sum(!is.finite(v))
    if (bad) {
        .stopArgument("x", "has ", bad, " values that are NA, NaN or infinite ",
            "in its ", label, "; delays need counts."
        )
    }
    bad <- sum(v < 0)
    if (bad) {
        .stopArgument("x", "has ", bad, " negative values in its ", label,
            " (the smallest ", format(min(v)), "): scaled or centred data? ",
            "Give counts; 'assay.type' chooses the assay."
        )
    }
    v <- v[v != 0]
    share <- if (length(v)) mean(v != round(v)) else 0
    if (share > 0.1) {
        .stopArgument("x", "holds no counts in its ", label, ": ",
            round(100 * share), " % of the values that aren't 0 aren't whole ",
            "numbers", if (max(v) < 50) " (log-normalised?)", ". Give counts; ",
            "'assay.type' chooses the assay, for instance assay.type = ",
            "\"counts\"."
        )
    }
    invisible()
}

## ---- links -----------------------------------------------------------------

## Coordinates of the input's peaks, from names or row ranges.
.inputPeaks <- function(input) {
    parsed <- .parsePeaks(input$peaks)
    ranges <- input$parts$atac$ranges
    lost <- is.na(parsed$chr)
    if (any(lost) && !is.null(ranges)) {
        columns <- lapply(c("chr", "start", "end"), function(what) {
            ranges[[.columnNamed(ranges, what)[[1L]]]]
        })
        at <- match(input$peaks, ranges$name)
        parsed <- data.frame(peak = input$peaks,
            chr = as.character(columns[[1L]])[at],
            start = as.numeric(columns[[2L]])[at],
            end = as.numeric(columns[[3L]])[at]
        )
    }
    .checkPeaks(parsed, "x")
    parsed
}

## The annotation the data bring along, or NULL.
.ownGenes <- function(input) {
    annotation <- input$parts$atac$annotation
    if (.isRanges(annotation) && length(annotation)) {
        return(annotation)
    }
    ranges <- input$parts$rna$ranges
    if (is.null(ranges)) {
        return(NULL)
    }
    ranges$gene <- ranges$name
    valid <- !is.na(ranges[[.columnNamed(ranges, "chr")[[1L]]]]) &
        !is.na(ranges[[.columnNamed(ranges, "start")[[1L]]]])
    ranges[valid, , drop = FALSE]
}

## links (a user's table, or NULL) and genes (an annotation, or NULL) -> a
## data.frame gene, peak, distance, type; all names known to the input.
.tauLinks <- function(input, links, genes, window, verbose) {
    if (!is.null(links)) {
        return(.givenLinks(input, links, verbose))
    }
    if (is.null(genes)) {
        genes <- .ownGenes(input)
        if (is.null(genes)) {
            .stopArgument("links", "or 'genes' is needed: a data.frame with ",
                "columns gene and peak, or an annotation from which ",
                "linkPeaks() makes it (a GRanges, EnsDb or TxDb object, or a ",
                "data.frame with gene, chr, start, end, strand)."
            )
        }
        .say(verbose, "Gene coordinates: those that come with the data.")
    }
    reach <- .linkReach(window)
    peaks <- .inputPeaks(input)
    table <- .geneTable(genes, input$genes, verbose)
    known <- input$genes %in% table$gene
    if (mean(known) < 0.5) {
        warning(sum(!known), " of ", length(known), " genes aren't in the ",
            "annotation (", .some(input$genes[!known], 3L), "): they get no ",
            "delay.",
            call. = FALSE
        )
    }
    found <- .linkRanges(peaks, table, reach, verbose)
    if (!nrow(found)) {
        .stopArgument("window", "of ", format(window), " bases links no peak ",
            "to a gene; widen it, or look at the coordinates of both."
        )
    }
    found
}

.givenLinks <- function(input, links, verbose) {
    links <- .asLinks(links)
    gene <- match(links$gene, input$genes)
    peak <- .matchPeaks(links$peak, input$peaks)
    empty <- links$gene %in% input$dropped
    strange <- (is.na(gene) & !empty) | is.na(peak)
    lost <- is.na(gene) | is.na(peak)
    if (all(lost)) {
        .stopArgument("links", "holds no pair of this data. Its genes are ",
            "like ", .some(unique(links$gene), 3L), ", the data's like ",
            .some(input$genes, 3L), "; its peaks like ",
            .some(unique(links$peak), 3L), ", the data's like ",
            .some(input$peaks, 3L), "."
        )
    }
    if (any(strange)) {
        unknown <- unique(c(links$gene[is.na(gene) & !empty],
            links$peak[is.na(peak)]
        ))
        warning(sum(strange), " of ", nrow(links), " links name genes or ",
            "peaks that aren't in the data or have no count: ",
            .some(unknown), ". They are left out.",
            call. = FALSE
        )
    }
    links <- links[!lost, , drop = FALSE]
    links$gene <- input$genes[gene[!lost]]
    links$peak <- input$peaks[peak[!lost]]
    twice <- duplicated(links[c("gene", "peak")])
    if (any(twice)) {
        .say(verbose, sum(twice), " links given twice are used once.")
        links <- links[!twice, , drop = FALSE]
    }
    rownames(links) <- NULL
    links
}

.asLinks <- function(links) {
    if (methods::is(links, "DataFrame")) {
        links <- as.data.frame(links)
    }
    if (!is.data.frame(links) || !all(c("gene", "peak") %in% names(links))) {
        .stopArgument("links", "must be a data.frame with columns gene and ",
            "peak, as linkPeaks() gives; it is ", if (is.data.frame(links))
                paste0("one with ", .some(names(links))) else
                    paste0("a ", class(links)[[1L]]), "."
        )
    }
    links$gene <- as.character(links$gene)
    links$peak <- as.character(links$peak)
    if (!nrow(links) || anyNA(links$gene) || anyNA(links$peak)) {
        .stopArgument("links", if (nrow(links)) "has missing names." else
            "has no row."
        )
    }
    optional <- intersect(c("distance", "type"), names(links))
    out <- links[c("gene", "peak", optional)]
    if (is.null(out$distance)) {
        out$distance <- NA_real_
    }
    out
}

## By name, or where that fails by coordinates ("chr1-1-2" is "chr1:1-2").
.matchPeaks <- function(names, peaks) {
    at <- match(names, peaks)
    left <- which(is.na(at))
    if (length(left)) {
        key <- function(x) {
            p <- .parsePeaks(x)
            ifelse(is.na(p$chr), NA_character_,
                paste(p$chr, p$start, p$end, sep = "\r")
            )
        }
        at[left] <- match(key(names[left]), key(peaks), incomparables = NA)
    }
    at
}

## ---- given embeddings, times ------------------------------------------------

## embedding = list(rna =, atac =), each a matrix (cells x dimensions) or the
## name of a reduction -> the same as matrices in the input's order of cells.
.tauEmbedding <- function(input, embedding) {
    if (is.null(embedding)) {
        return(NULL)
    }
    known <- is.list(embedding) && !is.data.frame(embedding) &&
        length(embedding) && !is.null(names(embedding)) &&
        all(names(embedding) %in% c("rna", "atac"))
    if (!known) {
        .stopArgument("embedding", "must be a list with parts rna and atac ",
            "(or one of them), matrices of cells x dimensions or names of ",
            "reductions; it is ", .show(embedding), "."
        )
    }
    list(
        atac = .oneEmbedding(input, embedding$atac, "atac"),
        rna = .oneEmbedding(input, embedding$rna, "rna")
    )
}

.oneEmbedding <- function(input, m, which) {
    arg <- paste0("embedding$", which)
    if (is.null(m)) {
        return(NULL)
    }
    part <- input$parts[[which]]
    if (is.character(m) && length(m) == 1L) {
        found <- part$embedding(m)
        if (is.null(found) && which == "atac") {
            found <- input$parts$rna$embedding(m)
            part <- if (is.null(found)) part else input$parts$rna
        }
        if (is.null(found)) {
            .stopArgument(arg, "is \"", m, "\", which isn't a reduction of ",
                "'x'; give its name or a matrix."
            )
        }
        m <- found
    }
    m <- as.matrix(m)
    at <- .cellRows(input, rownames(m), nrow(m), part, which)
    if (is.null(at)) {
        .stopArgument(arg, "must have a row per cell (", part$size[[2L]],
            "); it has ", nrow(m), "."
        )
    }
    m <- m[at, , drop = FALSE]
    if (!is.numeric(m) || ncol(m) < 1L || !all(is.finite(m))) {
        .stopArgument(arg, "must hold finite numbers, cells x dimensions; it ",
            "is ", nrow(m), " x ", ncol(m), if (is.numeric(m))
                ", with values that are NA or infinite", "."
        )
    }
    dimnames(m) <- NULL
    m + 0
}

## Rows for the input's cells, by name, else by position in its part; NULL
## when neither fits.
.cellRows <- function(input, names, n, part, which) {
    at <- if (which == "rna" || identical(part, input$parts$rna)) input$rnaAt
        else input$atacAt
    if (!is.null(names)) {
        own <- match(input$cells, names)
        if (!anyNA(own)) {
            return(own)
        }
    }
    if (n == part$size[[2L]]) at else if (n == length(input$cells))
        seq_len(n)
}

## Clock time of the input's cells: a column of its cell data, or a vector.
.tauTime <- function(input, time) {
    if (is.null(time)) {
        return(NULL)
    }
    if (is.character(time) && length(time) == 1L) {
        columns <- colnames(input$cellData)
        if (!time %in% columns) {
            .stopArgument("time", "is \"", time, "\", which isn't a column of ",
                "the cells' data", if (length(columns))
                    paste0("; there are ", .some(columns, 8L)), "."
            )
        }
        time <- input$cellData[[time]]
    } else {
        at <- .cellRows(input, names(time), length(time), input$parts$rna,
            "rna"
        )
        if (is.null(at)) {
            .stopArgument("time", "must be a column of the cells' data or one ",
                "number per cell (", input$parts$rna$size[[2L]], "); it has ",
                "length ", length(time), "."
            )
        }
        time <- time[at]
    }
    .checkTime(time)
}

.checkTime <- function(time) {
    if (inherits(time, "difftime")) {
        time <- as.numeric(time)
    }
    if (!is.numeric(time)) {
        .stopArgument("time", "must be numbers (clock time of each cell); it ",
            "is ", .show(time), "."
        )
    }
    if (any(is.infinite(time))) {
        .stopArgument("time", "has infinite values.")
    }
    known <- time[!is.na(time)]
    if (length(known) < .minTauCells || length(unique(known)) < 2L) {
        .stopArgument("time", if (length(known) < .minTauCells) {
            paste0("is known of ", length(known), " cells; calibration needs ",
                .minTauCells, ".")
        } else {
            paste0("is constant (", known[[1L]], "): the unit can't be ",
                "calibrated; leave it NULL.")
        })
    }
    as.numeric(time)
}
