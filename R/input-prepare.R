## Cells as models and estimators read them: what .preprocess() returns.

## Everything the engine needs to know of a set of cells. Tokens are shared by
## all cells: one species, one gene list. `mode`: "train" or "infer"; `cells`:
## those to use, see .cellsAt(); `store`: see .preprocess().
.modelCells <- function(model, x, mode, how, verbose, cells = NULL,
    store = FALSE, forecast = NULL) {
    input <- .readCells(x, how, verbose)
    .warnSpecies(how$species, how$tfs, input)
    species <- input$species
    tfs <- if (is.null(how$tfs)) model@tfs[[species]] else
        .tfSymbols(how$tfs, input)
    prepared <- .preprocess(input, model@vocab, tfs, mode,
        nTargets = how$nTargets, keep = how$keep,
        genes = if (is.null(how$tokens)) how$genes else how$tokens,
        preprocess = how$preprocess, logged = how$alreadyNormalised,
        maxGenes = model@state$maxLength - 1L, verbose = verbose,
        alike = isTRUE(how$alike), cells = cells, store = store,
        forecast = forecast
    )
    prepared$conditions <- .conditionIds(model, prepared, how, species,
        grow = identical(mode, "train") && !isTRUE(how$fixed),
        verbose = verbose
    )
    prepared
}

## The same for estimators, which need no model and no conditions. `total`:
## "median" scales cells to the median of their totals, unless `preprocess` says
## otherwise; `most`, `key`, `sums`: see .preprocess().
.networkCells <- function(x, how, verbose, cells = NULL, total = "target",
    most = Inf, key = NULL, sums = TRUE) {
    input <- .readFactors(.readCells(x, how, verbose), how, verbose)
    vocab <- .makeVocab(input$clean, input$symbols, input$type)
    s <- how$preprocess
    ## Two genes seen in the same one cell only correlate perfectly: genes
    ## seen in fewer than three are left out.
    ## Factors and targets must be seen in more (.cellFloor), unless the caller
    ## says in how many.
    own <- s$minCells
    if (is.null(own)) {
        s$minCells <- 3
    }
    variable <- if (is.null(how$genes) && !how$asked) input$variable
    if (length(variable)) {
        .say(verbose, "Targets are the ", length(variable), " variable genes ",
            "that 'x' names; nTargets = chooses anew."
        )
    }
    if (total == "median" && is.null(s$target) &&
        !isTRUE(how$alreadyNormalised)) {
        totals <- .cellTotals(input$matrix)
        if (any(totals > 0, na.rm = TRUE)) {
            s$target <- stats::median(totals[totals > 0], na.rm = TRUE)
        }
    }
    prepared <- .preprocess(input, vocab, input$tfs, "infer",
        nTargets = how$nTargets, genes = how$genes, keep = how$keep,
        preprocess = s, logged = how$alreadyNormalised, verbose = verbose,
        floor = if (is.null(own)) .cellFloor else function(n) own,
        variable = variable, most = most, key = key, cells = cells, sums = sums
    )
    prepared$conditions <- matrix(0L, 0L, length(prepared$cells))
    if (length(prepared$cells) < 2L) {
        .stopArgument(if (is.null(cells)) "x" else "cells",
            "leaves one cell; a network needs at least two, better hundreds."
        )
    }
    prepared
}

## Where the cells `cells` (index, name or logical vector) are among `names`, in
## the order asked for; NULL: all.
.cellsAt <- function(cells, names) {
    n <- length(names)
    if (is.null(cells)) {
        return(seq_len(n))
    }
    at <- if (is.character(cells)) {
        match(cells, names)
    } else if (is.logical(cells) && length(cells) == n) {
        which(cells)
    } else if (is.numeric(cells) && all(is.finite(cells)) &&
        all(cells == round(cells)) && all(cells >= 1) && all(cells <= n)) {
        as.integer(cells)
    } else {
        .stopArgument("cells", "must be names, whole numbers from 1 to ", n,
            ", or ", n, " logical values; it is ", .show(cells), "."
        )
    }
    if (anyNA(at)) {
        .stopArgument("cells", "names cells that 'x' does not have: ",
            .some(as.character(cells[is.na(at)])), "."
        )
    }
    if (!length(at) || anyDuplicated(at)) {
        .stopArgument("cells", "must name at least one cell, each once.")
    }
    at
}
