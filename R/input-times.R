## What is given for each cell beside the counts: coordinates, clock time.

## embedding = list(rna =, atac =), each a matrix (cells x dimensions) or the
## name of a reduction -> the same as matrices in the input's order of cells.
.tauEmbedding <- function(input, embedding) {
    if (is.null(embedding)) {
        return(NULL)
    }
    known <- is.list(embedding) && !is.data.frame(embedding) &&
        length(embedding) && !is.null(names(embedding)) &&
        all(names(embedding) %in% c("rna", "atac", "genome"))
    if (!known) {
        .stopArgument("embedding", "must be a list with parts rna and atac ",
            "(or one of them), matrices of cells x dimensions, names of ",
            "reductions, or encoders; it is ", .show(embedding), "."
        )
    }
    for (which in c("rna", "atac")) {
        if (methods::is(embedding[[which]], "FoundationModel")) {
            embedding[[which]] <- .encoderEmbedding(input, embedding[[which]],
                which, embedding$genome
            )
        }
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
        found <- .reductionOf(part, m)
        if (is.null(found) && which == "atac") {
            found <- .reductionOf(input$parts$rna, m)
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
    time <- .numbersOf(time, "time")
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
    time
}
