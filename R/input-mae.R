## Experiments of a MultiAssayExperiment.

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
