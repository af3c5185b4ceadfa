## The expression that per-cell networks were made from, in memory or in a file:
## how it is read, and its tables in the networks' own file.

## Of the cells `at` (NULL: all), genes x cells.
.expressionOf <- function(x, at = seq_along(x@cells)) {
    v <- x@expression
    if (.isDelayed(v)) .bindColumns(.valueBlocks(v, function(v, at) v, at)) else
        .cellsRead(v, at)
}

## The same as far as it is in memory: of many cells in a file a matrix that
## reads them, which .correlations() takes. With names of genes.
.expressionFor <- function(x, at = seq_along(x@cells)) {
    out <- if (.isStreamed(x@expression, length(at), .mostCells()))
        x@expression[, at, drop = FALSE] else .expressionOf(x, at)
    rownames(out) <- x@genes
    out
}

## Genes by number or name of values in memory or in a file.
.expressionRows <- function(expression, at) {
    if (!.isDelayed(expression)) {
        expression <- .asSparse(expression)
    }
    if (identical(at, seq_len(nrow(expression)))) expression else
        expression[at, , drop = FALSE]
}

.expressionNames <- paste0("expression/", c("value", "gene", "start"))

## Tables of a networks' file. Values that are in another file aren't held: their
## sums and offsets are taken by blocks, and .writeExpression() writes them.
.expressionTables <- function(values) {
    if (!.isDelayed(values)) {
        values <- .asSparse(values)
        return(list(.realTable("expression/start", values@p),
            .wholeTable("expression/gene", values@i),
            .realTable("expression/value", values@x)
        ))
    }
    gene <- .hashInParts()
    value <- .hashInParts()
    each <- unlist(.valueBlocks(values, function(v, at) {
        gene$add(v@i)
        value$add(v@x)
        diff(v@p)
    }))
    start <- c(0, cumsum(as.numeric(each)))
    later <- function(name, type, sum) {
        c(.table(name, type, start[[length(start)]]), list(sum = sum))
    }
    list(.realTable("expression/start", start),
        later("expression/gene", "i32", gene$end()),
        later("expression/value", "f64", value$end())
    )
}

.writeExpression <- function(path, values) {
    if (!.isDelayed(values)) {
        return(invisible())
    }
    done <- 0
    .valueBlocks(values, function(v, at) {
        if (length(v@x)) {
            .writeTables(path, .expressionNames[1:2], done, list(v@x, v@i))
        }
        done <<- done + length(v@x)
        NULL
    })
    invisible()
}

## The expression of a finished file as a DelayedMatrix that reads it. dims:
## genes, cells.
.fileExpression <- function(path, dims) {
    DelayedArray::DelayedArray(.cellSeed(path, list(name = "expression",
        parts = basename(.expressionNames), sparse = TRUE, byCell = TRUE,
        cells = as.integer(dims[[2L]]), genes = as.integer(dims[[1L]]),
        opens = "loadGRN(file)"
    )))
}
