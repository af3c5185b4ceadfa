## Settings of the anchored method: defaults, ranges, checks.

## Defaults and ranges of the anchored method; `whole` ones are counted.
.tauDefaults <- list(
    metacells = c(0, 0, 1e5), landmarks = c(30, 2, 500),
    lambda = c(0.3, 0, 1e6), components = c(30, 2, 500),
    shuffles = c(5, 1, 1000), minAxes = c(2, 1, 100), maxAxes = c(10, 1, 100),
    neighbours = c(10, 1, 200), iterations = c(8, 1, 1000),
    gridMax = c(4, 0.1, 1000), gridSize = c(31, 3, 1001),
    peakWeights = c(1, 0, 1), leadSplits = c(6, 1, 1000)
)

.tauOptions <- function(settings, readout) {
    if (!is.list(settings) || length(settings) && is.null(names(settings))) {
        .stopArgument("settings", "must be a list of named settings; it is ",
            .show(settings), "."
        )
    }
    bad <- setdiff(names(settings), names(.tauDefaults))
    if (length(bad)) {
        .stopArgument("settings", "has no setting called ", .some(bad),
            "; there are ", .some(names(.tauDefaults), 20L), "."
        )
    }
    continuous <- c("lambda", "gridMax")
    options <- lapply(setNames(nm = names(.tauDefaults)), function(name) {
        d <- .tauDefaults[[name]]
        value <- settings[[name]]
        if (is.null(value)) {
            return(d[[1L]])
        }
        if (is.logical(value)) {
            value <- as.numeric(value)
        }
        as.numeric(.checkNumber(value, paste0("settings$", name), d[[2L]],
            d[[3L]], whole = !name %in% continuous
        ))
    })
    if (options$minAxes > options$maxAxes) {
        .stopArgument("settings$minAxes", "is above maxAxes.")
    }
    options$readout <- match(readout, c("auto", "delay", "kinetics")) - 1
    options
}
