## Experiments of a MultiAssayExperiment.

.modalitiesMAE <- function(x) {
    .needPackage("MultiAssayExperiment", "'x' is a MultiAssayExperiment",
        "BiocManager::install(\"MultiAssayExperiment\")"
    )
    map <- as.data.frame(MultiAssayExperiment::sampleMap(x))
    parts <- lapply(setNames(nm = names(x)), function(name) {
        inner <- .modalities(x[[name]], paste0("x[[\"", name, "\"]]"))
        own <- map[as.character(map$assay) == name, , drop = FALSE]
        .sharedData(inner$parts[[inner$main]], x, own)
    })
    list(parts = parts, main = NULL, what = "an experiment", arg = "assay")
}

## A part with what the whole object knows of its cells: `primary(cells)`, and
## the columns of colData(x) that the part itself doesn't have.
.sharedData <- function(part, x, map) {
    part$primary <- function(cells) {
        as.character(map$primary)[match(cells, map$colname)]
    }
    inner <- part$cellData
    part$cellData <- function(cells) {
        own <- inner(cells)
        data <- SummarizedExperiment::colData(x)
        shared <- data[match(part$primary(cells), rownames(data)),
            setdiff(colnames(data), colnames(own)), drop = FALSE
        ]
        rownames(shared) <- rownames(own) <- NULL
        cbind(own, shared)
    }
    part
}

## The RNA among named parts, less the chromatin `atac`.
.guessRna <- function(names, atac, arg = "rna") {
    left <- setdiff(names, atac)
    called <- grep("rna|gex|gene|expression", left, ignore.case = TRUE,
        value = TRUE
    )
    if (!length(left)) {
        .stopArgument("x", "has chromatin (\"", atac, "\") and no RNA.")
    }
    if (!length(called) && length(left) > 1L) {
        .stopArgument(arg, "is needed: which of ", .some(left), " holds ",
            "the RNA?"
        )
    }
    c(called, left)[[1L]]
}

## Where primaries are cells (one column each) they pair the experiments;
## where they are donors, the column names do. `parts`: as .readPart() gives
## them, with their `primary`.
.primaryCells <- function(parts) {
    primary <- lapply(parts, `[[`, "primary")
    paired <- all(vapply(primary, function(p) {
        !is.null(p) && !anyNA(p) && !anyDuplicated(p)
    }, NA))
    if (paired) {
        parts$rna$cells <- primary$rna
        parts$atac$cells <- primary$atac
    }
    parts
}
