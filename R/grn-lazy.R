## Networks that are kept nowhere: the model makes them when they are asked for.

.newLazyFactors <- function(model, prepared, batchSize) {
    new("LazyFactors",
        model = model, hash = .modelHash(model),
        tokens = as.integer(prepared$tokens),
        nonTF = as.logical(prepared$nonTF),
        conditions = prepared$conditions, batchSize = as.integer(batchSize)
    )
}

.lazyFactors <- function(x, at) {
    f <- x@factors
    if (!.isAlive(f@model)) {
        stop("these networks are lazy: their model makes them when they are ",
            "asked for, and the model is gone (the object comes from ",
            "another R session). Load the model with loadModel() and call ",
            "inferGRN() again; saveGRN(x, file) keeps networks.",
            call. = FALSE
        )
    }
    if (!identical(.modelHash(f@model), f@hash)) {
        stop("these networks are lazy, and their model has changed since ",
            "inferGRN() (it was trained, or weights were set): call ",
            "inferGRN() again. saveGRN(x, file) keeps networks.",
            call. = FALSE
        )
    }
    prepared <- list(
        tokens = f@tokens, values = x@expression, conditions = f@conditions,
        nonTF = f@nonTF
    )
    .inferFactors(f@model, prepared, at, f@batchSize)
}
