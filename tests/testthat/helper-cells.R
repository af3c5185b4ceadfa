## Files of cells, well made and not.

cellsFile <- function() {
    system.file("extdata", "cells.h5ad", package = "causeway")
}

## An .h5ad of four cells x three genes, as AnnData would write it, changed:
## `change(steps)` may alter the steps that write it.
tinySteps <- function() {
    frame <- function(name, names) {
        c(list(.putGroup(name)), .putEncoding(name, "dataframe"), list(
            .putAttribute(name, "_index", "_index"),
            .putAttribute(name, "column-order", character(), dims = 0),
            .putTable(.h5Path(name, "_index"), names, "text")
        ))
    }
    c(frame("obs", paste0("c", 1:4)), frame("var", c("A", "B", "C")),
        sparseSteps("X")
    )
}

sparseSteps <- function(name, data = as.numeric(1:6),
    indices = c(0L, 2L, 1L, 0L, 1L, 2L), indptr = c(0, 2, 2, 3, 6),
    shape = c(4, 3), encoding = "csr_matrix", type = "f32") {
    c(list(.putGroup(name)), .putEncoding(name, encoding), list(
        .putAttribute(name, "shape", shape, "i64", length(shape)),
        .putTable(.h5Path(name, "data"), data, type),
        .putTable(.h5Path(name, "indices"), indices, "i32"),
        .putTable(.h5Path(name, "indptr"), indptr, "i64")
    ))
}

tinyValues <- matrix(c(1, 0, 2, 0, 0, 0, 0, 3, 0, 4, 5, 6), 3,
    dimnames = list(c("A", "B", "C"), paste0("c", 1:4))
)

stepsFile <- function(steps, ext = ".h5ad") {
    file <- tempfile(fileext = ext)
    .h5Put(file, steps, TRUE)
    file
}

## Without the steps that make `names`.
without <- function(steps, names) {
    Filter(function(s) !s$name %in% names, steps)
}

inMemory <- function(x, i = 1L) {
    as.matrix(SummarizedExperiment::assay(x, i))
}
