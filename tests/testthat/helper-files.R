## Networks in files: names for them, and whether two are the same.

h5File <- function() tempfile("grn-", fileext = ".h5")

sameNetworks <- function(a, b, tolerance = 1e-6) {
    expect_identical(dim(a), dim(b))
    expect_identical(cellNames(a), cellNames(b))
    expect_equal(
        lapply(seq_along(a@cells), function(c) cellNetwork(a, c)),
        lapply(seq_along(b@cells), function(c) cellNetwork(b, c)),
        tolerance = tolerance
    )
}

## Code with an internal function replaced. (testthat's own way to do this
## differs between its versions.)
withInternal <- function(name, value, code) {
    ns <- asNamespace("causeway")
    old <- get(name, ns)
    unlockBinding(name, ns)
    on.exit({
        assign(name, old, ns)
        lockBinding(name, ns)
    })
    assign(name, value, ns)
    force(code)
}
