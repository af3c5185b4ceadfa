## Methods against each other, against nulls, on several data sets.

#' Compare network methods on data with known edges
#'
#' Runs every method on every data set, scores the networks with
#' [evaluateGRN()] on the same candidates, puts two nulls beside them and
#' writes, if asked, one page that says what came out.
#'
#' @details
#' Nulls: `random` is the mean of random rankings of the same candidates, with
#' the range of 95% of them. `marginal` ranks by one number per TF plus one per
#' gene, fitted to the scores of the last method without error: what it
#' reaches is no knowledge of single edges. A method that isn't above both has
#' shown nothing on that set.
#' Methods that use random numbers run once per seed; the summary takes their
#' mean. Time is that of the call, memory the most resident memory beyond that
#' before the call (Linux; NA elsewhere).
#'
#' @param x a data set or a named list of them, each as for [newModel()].
#' @param reference the known edges of each, as for [evaluateGRN()]: one, or a
#'   list with the names of `x`.
#' @param methods names among those of `benchmarkMethods()`, or a named list:
#'   [GRNParam-class] objects, [PerCellGRNParam()], or functions of `(x, seed)`
#'   that return a [PooledGRN-class], per-cell networks or a score matrix, TFs
#'   x genes. NULL: `benchmarkMethods()`.
#' @param seeds whole numbers, for methods that use random numbers.
#' @param nBoot bootstrap samples of the intervals; 0: none.
#' @param tfs NULL: the catalogue of the species; `"all"`: every gene; TF
#'   names; or a list of these with the names of `x`.
#' @param nTargets,alreadyNormalised,preprocess,... passed to [inferGRN()].
#' @param title of the report.
#' @param file NULL, or the path of a HTML page to write: a single file that
#'   needs nothing else; see [write()].
#' @param overwrite replace an existing file?
#' @param verbose show messages?
#' @return A [GRNBenchmark-class]. A method that fails on a set is an NA with
#'   the reason in column `error`, and a warning. `benchmarkMethods()` returns
#'   the default list.
#' @section Errors: names of `x` and `reference` that don't agree; methods
#'   without names or of an unknown kind; a file that exists, before any work.
#'   All methods failing on all sets.
#' @seealso [plotBenchmark()], [write()], [evaluateGRN()], [GRNParam-class]
#' @examples
#' cells <- simulateCells(nCells = 200, nGenes = 40, nTFs = 8, seed = 1)
#' truth <- S4Vectors::metadata(cells)$simulation$edges
#' result <- benchmarkGRN(list(simulated = cells), list(simulated = truth),
#'     benchmarkMethods()[c("pearson", "ridge")], nBoot = 20
#' )
#' result
#' file <- tempfile(fileext = ".html")
#' write(result, file)
#' unlink(file)
#' @export
benchmarkGRN <- function(x, reference, methods = NULL, seeds = 1,
    nBoot = 100, tfs = NULL, nTargets = Inf, alreadyNormalised = NULL,
    preprocess = list(), ..., title = "Comparison of network methods",
    file = NULL, overwrite = FALSE, verbose = interactive()) {
    .noRenamed(..., renamed = c(data = "x", references = "reference"))
    .given(reference, "reference", "the known edges, as readReference() gives")
    sets <- .benchmarkSets(x, reference)
    methods <- .checkMethods(methods)
    seeds <- .checkSeeds(seeds)
    nBoot <- .checkNumber(nBoot, "nBoot", 0, 1e5, whole = TRUE)
    .checkText(title, "title")
    .checkFlag(verbose, "verbose")
    if (!is.null(file)) {
        .filePlace(file, overwrite)
    }
    tfs <- .benchmarkTFs(tfs, sets)
    rows <- lapply(names(sets), function(name) {
        .say(verbose, name)
        .benchmarkSet(name, sets[[name]], methods, seeds, nBoot,
            list(tfs = tfs[[name]], nTargets = nTargets, verbose = FALSE,
                alreadyNormalised = alreadyNormalised,
                preprocess = preprocess, ...
            ), verbose
        )
    })
    table <- do.call(rbind, lapply(rows, `[[`, "table"))
    if (all(is.na(table$auprc[!table$null]))) {
        stop("no method gave a network on any set; the first error: ",
            table$error[!is.na(table$error)][[1L]],
            call. = FALSE
        )
    }
    summary <- .benchmarkSummary(table)
    object <- .report("GRNBenchmark", .benchmarkVerdict(summary, table), list(
        table = table, summary = summary,
        sets = do.call(rbind, lapply(rows, `[[`, "facts"))
    ), list(title = title, seeds = seeds, nBoot = nBoot,
        methods = .methodTexts(methods)
    ))
    if (!is.null(file)) {
        write(object, file, overwrite = overwrite)
    }
    object
}

#' @rdname benchmarkGRN
#' @export
benchmarkMethods <- function() {
    list(
        pearson = CorGRNParam("pearson"), spearman = CorGRNParam("spearman"),
        partial = CorGRNParam("partial"), ridge = RidgeGRNParam(),
        trees = TreeGRNParam(), boosting = TreeGRNParam("boosting"),
        combined = CombinedGRNParam()
    )
}

## ---- checks ----------------------------------------------------------------

.isReference <- function(x) {
    is.data.frame(x) || inherits(x, "igraph") || is.matrix(x) ||
        is.character(x) || methods::is(x, "DataFrame")
}

## list(name = list(x, reference))
.benchmarkSets <- function(x, reference) {
    if (!is.list(x) || is.data.frame(x)) {
        x <- list(data = x)
        if (.isReference(reference)) {
            reference <- list(data = reference)
        } else if (is.list(reference) && length(reference) == 1L) {
            names(reference) <- "data"
        }
    }
    problem <- if (length(x)) .namesProblem(names(x), "names(x)") else
        "'x' is empty; at least one set is needed"
    if (!is.null(problem)) {
        stop(problem, call. = FALSE)
    }
    if (!is.list(reference) || is.data.frame(reference) ||
        !all(names(x) %in% names(reference))) {
        .stopArgument("reference", "must be a list with a reference for each ",
            "set of 'x'; there is none for: ",
            .some(setdiff(names(x), names(reference))), "."
        )
    }
    sets <- lapply(names(x), function(name) {
        list(x = x[[name]], reference = reference[[name]])
    })
    setNames(sets, names(x))
}

.checkMethods <- function(methods) {
    if (is.null(methods)) {
        return(benchmarkMethods())
    }
    if (is.character(methods)) {
        known <- benchmarkMethods()
        unknown <- setdiff(methods, names(known))
        if (!length(methods) || length(unknown)) {
            .stopArgument("methods", "has ", .some(unknown), "; names must be ",
                "among ", paste(names(known), collapse = ", "),
                ". Others are given as a named list of Params or functions."
            )
        }
        return(known[unique(methods)])
    }
    if (!is.list(methods)) {
        methods <- list(method = methods)
    }
    problem <- if (length(methods)) {
        .namesProblem(names(methods), "names(methods)")
    } else {
        "'methods' is empty; at least one is needed"
    }
    if (!is.null(problem)) {
        stop(problem, call. = FALSE)
    }
    taken <- intersect(names(methods), c("random", "marginal"))
    if (length(taken)) {
        .stopArgument("methods", "uses the name of a null: ", .some(taken),
            "; give another name."
        )
    }
    for (name in names(methods)) {
        .noBrackets(methods[[name]], paste0("methods$", name))
    }
    known <- vapply(methods, function(m) {
        is.function(m) || methods::is(m, "GRNParam")
    }, logical(1))
    if (!all(known)) {
        .stopArgument("methods", "must be GRNParam or PerCellGRNParam objects ",
            "or functions of (x, seed); these aren't: ",
            .some(names(methods)[!known]), "."
        )
    }
    methods
}

.checkSeeds <- function(seeds) {
    if (!is.numeric(seeds) || !length(seeds) || anyNA(seeds) ||
        any(seeds != round(seeds)) || anyDuplicated(seeds)) {
        .stopArgument("seeds", "must be different whole numbers; it is ",
            .show(seeds), "."
        )
    }
    as.numeric(seeds)
}

.benchmarkTFs <- function(tfs, sets) {
    if (!is.list(tfs)) {
        tfs <- rep(list(tfs), length(sets))
        names(tfs) <- names(sets)
    }
    if (!all(names(sets) %in% names(tfs))) {
        .stopArgument("tfs", "lacks the sets ",
            .some(setdiff(names(sets), names(tfs))), "."
        )
    }
    out <- lapply(names(sets), function(name) {
        if (identical(tfs[[name]], "all")) rownames(sets[[name]]$x) else
            tfs[[name]]
    })
    setNames(out, names(sets))
}

## Does the result depend on the seed?
.usesSeed <- function(method) {
    if (methods::is(method, "CombinedGRNParam")) {
        return(any(vapply(method@settings$estimators, .usesSeed, logical(1))))
    }
    !methods::is(method, "CorGRNParam") && !methods::is(method,
        "RidgeGRNParam")
}

.methodTexts <- function(methods) {
    vapply(methods, function(m) {
        if (is.function(m)) {
            return("a function")
        }
        paste0(.paramName(m), if (is(m, "PerCellGRNParam")) ", pooled")
    }, "")
}

## ---- running ---------------------------------------------------------------

.benchmarkSet <- function(name, set, methods, seeds, nBoot, args, verbose) {
    rows <- list()
    last <- NULL
    for (m in names(methods)) {
        used <- if (.usesSeed(methods[[m]])) seeds else seeds[[1L]]
        for (seed in used) {
            run <- .benchmarkRun(methods[[m]], set$x, seed, args)
            scored <- .benchmarkScore(run$grn, set$reference, nBoot, seed)
            if (!is.null(scored$facts)) {
                last <- list(grn = run$grn, scored = scored)
            }
            error <- c(run$error, scored$error)[1L]
            if (length(error)) {
                warning(m, " on ", name, ": ", error, call. = FALSE)
            }
            rows <- c(rows, list(.benchmarkRow(name, m, seed, scored$model,
                run, error, scored$random
            )))
        }
        .say(verbose, "  ", m, " ", sprintf("%.2f",
            rows[[length(rows)]]$auprcRatio
        ))
    }
    facts <- NULL
    if (!is.null(last)) {
        rows <- c(rows, .nullRows(name, last, set$reference, nBoot,
            seeds[[1L]]
        ))
        f <- last$scored$facts
        facts <- data.frame(data = name, cells = last$grn@nCells,
            genes = f$genes, tfs = f$tfs, candidates = f$candidates,
            known = f$positives, share = f$positiveRate
        )
    }
    list(table = do.call(rbind, rows), facts = facts)
}

.nullRows <- function(name, last, reference, nBoot, seed) {
    grn <- last$grn
    s <- as.matrix(grn)
    s[.selfEdges(s)] <- 0
    ## TF + gene effects, ranked by their sum
    marginal <- PooledGRN(outer(rowMeans(s), colMeans(s), `+`),
        nCells = grn@nCells
    )
    scored <- .benchmarkScore(marginal, reference, nBoot, seed)
    none <- list(seconds = NA_real_, memory = NA_real_)
    list(
        .benchmarkRow(name, "marginal", seed, scored$model, none, NULL,
            scored$random, TRUE
        ),
        .benchmarkRow(name, "random", seed, last$scored$random, none, NULL,
            last$scored$random, TRUE
        )
    )
}

## list(grn, seconds, memory, error)
.benchmarkRun <- function(method, x, seed, args) {
    memory <- .peakStart()
    start <- proc.time()[["elapsed"]]
    made <- tryCatch(
        list(grn = .benchmarkNetwork(method, x, seed, args)),
        error = function(e) list(error = conditionMessage(e))
    )
    list(grn = made$grn, seconds = proc.time()[["elapsed"]] - start,
        memory = .peakEnd(memory), error = made$error
    )
}

.benchmarkNetwork <- function(method, x, seed, args) {
    grn <- if (is.function(method)) method(x, seed) else
        do.call(inferGRN, c(list(x, method, seed = seed),
            .argumentsFor(method, args)))
    if (methods::is(grn, "PerCellNetworks")) {
        grn <- poolGRN(grn)
    } else if (is.matrix(grn)) {
        grn <- PooledGRN(grn, nCells = ncol(x))
    }
    if (!methods::is(grn, "PooledGRN")) {
        stop("it returned a ", class(grn)[[1L]], ", which isn't a network")
    }
    grn
}

## Networks per state know neither all arguments nor "all targets".
.argumentsFor <- function(method, args) {
    if (methods::is(method, "PerCellGRNParam")) {
        args$cells <- NULL
        if (identical(args$nTargets, Inf)) {
            args$nTargets <- .Machine$integer.max
        }
    }
    args
}

.benchmarkScore <- function(grn, reference, nBoot, seed) {
    if (is.null(grn)) {
        return(list())
    }
    result <- tryCatch(
        evaluateGRN(grn, reference, methods = c("model", "random"),
            nBoot = nBoot, seed = seed
        ),
        error = function(e) conditionMessage(e)
    )
    if (is.character(result)) {
        return(list(error = result))
    }
    t <- as.data.frame(result)
    list(model = t[t$method == "model", ], random = t[t$method == "random", ],
        facts = result@facts
    )
}

.benchmarkRow <- function(data, method, seed, t, run, error, random,
    null = FALSE) {
    value <- function(name, from = t) {
        if (is.null(from[[name]])) NA_real_ else from[[name]]
    }
    columns <- c("auprc", "auprcRatio", "auprcRatioLow", "auprcRatioHigh",
        "auroc", "aurocLow", "aurocHigh", "early", "earlyRatio",
        "earlyRatioLow", "earlyRatioHigh"
    )
    values <- setNames(lapply(columns, value), columns)
    data.frame(data = data, method = method, null = null, seed = seed,
        values, aboveChance = value("auprc") > value("auprcHigh", random),
        seconds = run$seconds, memory = run$memory,
        error = if (length(error)) error else NA_character_
    )
}
