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
#' @param data a data set or a named list of them, each as for [newModel()].
#' @param references the known edges of each, as for [evaluateGRN()]: one, or a
#'   list with the names of `data`.
#' @param methods names among those of `benchmarkMethods()`, or a named list:
#'   [GRNParam-class] objects, [PerCellGRNParam()], or functions of `(x, seed)`
#'   that return a [PooledGRN-class], per-cell networks or a score matrix, TFs
#'   x genes. NULL: `benchmarkMethods()`.
#' @param seeds whole numbers, for methods that use random numbers.
#' @param nBoot bootstrap samples of the intervals; 0: none.
#' @param tfs NULL: the catalogue of the species; `"all"`: every gene; TF
#'   names; or a list of these with the names of `data`.
#' @param nTargets,alreadyNormalised,preprocess,... passed to [inferGRN()].
#' @param title of the report.
#' @param file NULL, or the path of a HTML page to write: a single file that
#'   needs nothing else.
#' @param overwrite replace an existing file?
#' @param verbose show messages?
#' @return A [GRNBenchmark-class]. A method that fails on a set is an NA with
#'   the reason in column `error`, and a warning. `benchmarkMethods()` returns
#'   the default list.
#' @section Errors: names of `data` and `references` that don't agree; methods
#'   without names or of an unknown kind; a file that exists, before any work.
#'   All methods failing on all sets.
#' @seealso [plotBenchmark()], [writeBenchmark()], [evaluateGRN()],
#'   [GRNParam-class]
#' @examples
#' cells <- simulateCells(nCells = 200, nGenes = 40, nTFs = 8, seed = 1)
#' truth <- S4Vectors::metadata(cells)$simulation$edges
#' result <- benchmarkGRN(list(simulated = cells), list(simulated = truth),
#'     benchmarkMethods()[c("pearson", "ridge")], nBoot = 20
#' )
#' result
#' file <- tempfile(fileext = ".html")
#' writeBenchmark(result, file)
#' unlink(file)
#' @export
benchmarkGRN <- function(data, references, methods = NULL, seeds = 1,
    nBoot = 100, tfs = NULL, nTargets = Inf, alreadyNormalised = FALSE,
    preprocess = list(), ..., title = "Comparison of network methods",
    file = NULL, overwrite = FALSE, verbose = interactive()) {
    sets <- .benchmarkSets(data, references)
    methods <- .checkMethods(methods)
    seeds <- .checkSeeds(seeds)
    nBoot <- .checkNumber(nBoot, "nBoot", 0, 1e5, whole = TRUE)
    .checkText(title, "title")
    .checkFlag(verbose, "verbose")
    if (!is.null(file)) {
        .freeFile(file, overwrite)
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
    object <- new("GRNBenchmark", table = table,
        sets = do.call(rbind, lapply(rows, `[[`, "facts")),
        facts = list(title = title, seeds = seeds, nBoot = nBoot,
            methods = .methodTexts(methods), engine = .engineText(),
            r = R.version.string,
            version = as.character(utils::packageVersion("causeway"))
        )
    )
    if (!is.null(file)) {
        writeBenchmark(object, file, overwrite = overwrite)
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
.benchmarkSets <- function(data, references) {
    if (!is.list(data) || is.data.frame(data)) {
        data <- list(data = data)
        if (.isReference(references)) {
            references <- list(data = references)
        } else if (is.list(references) && length(references) == 1L) {
            names(references) <- "data"
        }
    }
    problem <- if (length(data)) .namesProblem(names(data), "names(data)") else
        "'data' is empty; at least one set is needed"
    if (!is.null(problem)) {
        stop(problem, call. = FALSE)
    }
    if (!is.list(references) || is.data.frame(references) ||
        !all(names(data) %in% names(references))) {
        .stopArgument("references", "must be a list with a reference for each ",
            "set of 'data'; there is none for: ",
            .some(setdiff(names(data), names(references))), "."
        )
    }
    sets <- lapply(names(data), function(name) {
        list(x = data[[name]], reference = references[[name]])
    })
    setNames(sets, names(data))
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
    known <- vapply(methods, function(m) {
        is.function(m) || methods::is(m, "GRNParam") ||
            methods::is(m, "PerCellGRNParam")
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
        return(any(vapply(method@estimators, .usesSeed, logical(1))))
    }
    !methods::is(method, "CorGRNParam") && !methods::is(method,
        "RidgeGRNParam")
}

.methodTexts <- function(methods) {
    vapply(methods, function(m) {
        if (is.function(m)) "a function" else if (methods::is(m, "GRNParam"))
            .estimatorName(m) else "varying-coefficient ridge, pooled"
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

## ---- memory of a call (Linux) ----------------------------------------------

.procMemory <- function(what) {
    lines <- tryCatch(
        suppressWarnings(readLines("/proc/self/status", warn = FALSE)),
        error = function(e) character()
    )
    line <- grep(paste0("^", what, ":"), lines, value = TRUE)
    if (length(line)) 1024 * as.numeric(gsub("[^0-9]", "", line[[1L]])) else
        NA_real_
}

## Sets the kernel's record of the most memory back; NA where it can't.
.peakStart <- function() {
    reset <- tryCatch({
        suppressWarnings(writeLines("5", "/proc/self/clear_refs"))
        TRUE
    }, error = function(e) FALSE)
    if (reset) .procMemory("VmRSS") else NA_real_
}

.peakEnd <- function(before) max(0, .procMemory("VmHWM") - before)

## ---- the result ------------------------------------------------------------

#' A comparison of network methods
#'
#' What [benchmarkGRN()] returns.
#'
#' @slot table data.frame, a row per data set, method and seed: `data`,
#'   `method`, `null` (is it a null?), `seed`, `auprc`, `auprcRatio`, `auroc`
#'   , `early` (early precision), `earlyRatio`,
#'   with `...Low` and `...High`; `aboveChance` (AUPRC above 97.5% of random
#'   rankings), `seconds`, `memory` (bytes), `error`.
#' @slot sets data.frame, a row per set: `data`, `cells`, `genes`, `tfs`,
#'   `candidates`, `known`, `share`.
#' @slot facts list: title, seeds, methods, versions.
#' @param x,object a `GRNBenchmark`.
#' @param row.names,optional,... not used.
#' @param which `"table"`, `"summary"` or `"sets"`.
#' @return `as.data.frame()` gives a table; `summary()` one row per method over
#'   all sets: `sets` without error, `ratio` (geometric mean of AUPRC ratios),
#'   `early` (mean of early precision ratios), `auroc` (mean), `meanRank` (1
#'   is best, nulls not ranked), `best` (sets where it is highest),
#'   `withinBest` (sets where the highest of the methods is not above its
#'   interval), `aboveChance` and `aboveMarginal` (sets), `seconds` (sum).
#'   `show()` prints this.
#' @seealso [benchmarkGRN()], [plotBenchmark()], [writeBenchmark()]
#' @examples
#' cells <- simulateCells(nCells = 200, nGenes = 40, nTFs = 8, seed = 1)
#' truth <- S4Vectors::metadata(cells)$simulation$edges
#' result <- benchmarkGRN(cells, truth,
#'     benchmarkMethods()[c("pearson", "ridge")], nBoot = 20
#' )
#' summary(result)
#' @name GRNBenchmark-class
#' @exportClass GRNBenchmark
setClass("GRNBenchmark", slots = c(
    table = "data.frame", sets = "data.frame", facts = "list"
))

## Means over seeds, a row per set and method.
.overSeeds <- function(t) {
    key <- paste(match(t$data, unique(t$data)),
        match(t$method, unique(t$method))
    )
    parts <- split(t, factor(key, unique(key)))
    number <- vapply(t, is.numeric, logical(1))
    do.call(rbind, unname(lapply(parts, function(p) {
        row <- p[1L, ]
        row[number] <- lapply(p[number], mean)
        row$aboveChance <- mean(p$aboveChance) > 0.5
        row$error <- c(p$error[!is.na(p$error)], NA)[[1L]]
        row
    })))
}

## sets x methods of one column
.wide <- function(t, column) {
    sets <- unique(t$data)
    methods <- unique(t$method)
    out <- matrix(NA_real_, length(sets), length(methods),
        dimnames = list(sets, methods)
    )
    out[cbind(match(t$data, sets), match(t$method, methods))] <- t[[column]]
    out
}

#' @rdname GRNBenchmark-class
#' @export
setMethod("summary", "GRNBenchmark", function(object, ...) {
    t <- .overSeeds(object@table)
    wide <- .wide(t, "auprcRatio")
    high <- .wide(t, "auprcRatioHigh")
    high <- ifelse(is.na(high), wide, high)
    methods <- unique(t$method[!t$null])
    mine <- wide[, methods, drop = FALSE]
    ## over the sets that every method finished
    whole <- rowSums(is.na(mine)) == 0L
    ranks <- t(apply(-mine, 1L, rank))
    dim(ranks) <- dim(mine)
    top <- suppressWarnings(apply(mine, 1L, max, na.rm = TRUE))
    chance <- .wide(t, "aboveChance") == 1
    marginal <- if ("marginal" %in% colnames(wide)) wide[, "marginal"] else NA
    all <- colnames(wide)
    count <- function(m) unname(colSums(m, na.rm = TRUE))
    rank <- rep(NA_real_, length(all))
    if (any(whole)) {
        rank[match(methods, all)] <- colMeans(ranks[whole, , drop = FALSE])
    }
    data.frame(
        method = all, null = all %in% c("random", "marginal"),
        sets = count(!is.na(wide)),
        ratio = unname(exp(colMeans(log(wide[whole, , drop = FALSE])))),
        early = unname(colMeans(.wide(t, "earlyRatio")[whole, ,
            drop = FALSE])),
        auroc = unname(colMeans(.wide(t, "auroc")[whole, , drop = FALSE])),
        meanRank = rank,
        best = count(wide >= top & !(col(wide) > length(methods))),
        withinBest = count(high >= top),
        aboveChance = count(chance), aboveMarginal = count(wide > marginal),
        seconds = count(.wide(t, "seconds"))
    )
})

#' @rdname GRNBenchmark-class
#' @method as.data.frame GRNBenchmark
#' @export
as.data.frame.GRNBenchmark <- function(x, row.names = NULL, optional = FALSE,
    which = c("table", "summary", "sets"), ...) {
    if (is.character(row.names)) {
        which <- row.names
    }
    switch(.oneOf(which, c("table", "summary", "sets"), "which"),
        table = x@table, summary = summary(x), sets = x@sets
    )
}

## What came out, in sentences.
.benchmarkVerdict <- function(x) {
    s <- summary(x)
    t <- .overSeeds(x@table)
    t <- t[!t$null & !is.na(t$auprc), ]
    nSets <- length(unique(t$data))
    m <- s[!s$null, ]
    seen <- vapply(split(t$aboveChance, t$data), any, logical(1))
    none <- names(seen)[!seen]
    out <- character()
    if (nrow(m) > 1L && any(!is.na(m$meanRank))) {
        best <- m[which.min(m$meanRank), ]
        out <- sprintf(paste("Best mean rank of %d methods on %s: %s (%.1f);",
            "on %d of them the highest value is not above its interval."),
            nrow(m), .count(min(m$sets), "set"), best$method,
            best$meanRank, as.integer(best$withinBest)
        )
    }
    out <- c(out, if (length(none)) {
        sprintf("No method can be told from chance on %d of %s: %s.",
            length(none), .count(nSets, "set"), .some(none, 12L))
    } else {
        "On every set at least one method is above chance."
    })
    weak <- m$method[m$aboveMarginal <= m$sets / 2]
    if (length(weak)) {
        out <- c(out, sprintf(paste("Not above one number per TF and gene",
            "(the marginal null) on half of the sets or more: %s."),
            .some(weak, 12L)))
    }
    out
}

.benchmarkText <- function(s) {
    number <- function(v, digits) {
        ifelse(is.na(v), "", sprintf(paste0("%.", digits, "f"), v))
    }
    count <- function(v) {
        ifelse(s$null & s$method == "random", "", sprintf("%d", as.integer(v)))
    }
    data.frame(
        method = ifelse(s$null, paste0("(", s$method, ")"), s$method),
        `AUPRC ratio` = number(s$ratio, 2), `early ratio` = number(s$early, 2),
        AUROC = number(s$auroc, 2), `mean rank` = number(s$meanRank, 1),
        `within best` = ifelse(s$null, "", count(s$withinBest)),
        `above chance` = count(s$aboveChance),
        `above marginal` = ifelse(s$null, "", count(s$aboveMarginal)),
        sets = sprintf("%d", as.integer(s$sets)),
        seconds = ifelse(s$null, "", number(s$seconds, 1)),
        check.names = FALSE
    )
}

#' @rdname GRNBenchmark-class
#' @export
setMethod("show", "GRNBenchmark", function(object) {
    cat("Comparison of ", .count(sum(!summary(object)$null), "method"), " on ",
        .count(length(unique(object@table$data)), "set"), "\n", sep = ""
    )
    cat(strwrap(.benchmarkVerdict(object), width = 78L), sep = "\n")
    text <- .benchmarkText(summary(object))
    names(text) <- c("method", "ratio", "early", "AUROC", "rank", "near best",
        "> chance", "> marginal", "sets", "seconds"
    )
    print(text, row.names = FALSE, right = TRUE)
    cat(strwrap(paste("ratio: AUPRC over the share of known edges, geometric",
        "mean, about 1 by chance; near best: sets where the best is not above",
        "its interval; (nulls)"
    ), width = 78L), sep = "\n")
    failed <- object@table[!is.na(object@table$error), ]
    if (nrow(failed)) {
        cat("Failed: ", .some(unique(paste0(failed$method, " on ",
            failed$data, " (", failed$error, ")"
        )), 3L), "\n", sep = "")
    }
    cat("Go on with as.data.frame(x), plotBenchmark(), writeBenchmark()\n")
})

#' Draw a comparison of methods
#'
#' @param x a [GRNBenchmark-class].
#' @param measure `"auprcRatio"` or `"earlyRatio"`.
#' @return A `ggplot`: a row per set; points are methods with their bootstrap
#'   intervals (mean over seeds), grey bars 95% of random rankings, black ticks
#'   the marginal null.
#' @seealso [benchmarkGRN()]
#' @examples
#' cells <- simulateCells(nCells = 200, nGenes = 40, nTFs = 8, seed = 1)
#' truth <- S4Vectors::metadata(cells)$simulation$edges
#' plotBenchmark(benchmarkGRN(cells, truth,
#'     benchmarkMethods()[c("pearson", "ridge")], nBoot = 20
#' ))
#' @export
plotBenchmark <- function(x, measure = c("auprcRatio", "earlyRatio")) {
    if (!methods::is(x, "GRNBenchmark")) {
        .stopArgument("x", "must be what benchmarkGRN() returns; it is a ",
            class(x)[[1L]], "."
        )
    }
    measure <- .oneOf(measure, c("auprcRatio", "earlyRatio"), "measure")
    t <- .overSeeds(x@table)
    t <- data.frame(data = factor(t$data, rev(unique(t$data))),
        method = t$method, null = t$null, value = t[[measure]],
        low = t[[paste0(measure, "Low")]], high = t[[paste0(measure, "High")]]
    )
    t <- t[!is.na(t$value) & t$value > 0, ]
    mine <- t[!t$null, ]
    mine$method <- factor(mine$method, unique(mine$method))
    nulls <- split(t, factor(t$method, c("random", "marginal")))
    .drawBenchmark(mine, nulls, if (measure == "auprcRatio") "AUPRC ratio" else
        "early precision ratio")
}

.drawBenchmark <- function(mine, nulls, name) {
    n <- nlevels(mine$method)
    mine$y <- as.integer(mine$data) +
        0.3 - 0.6 * (as.integer(mine$method) - 0.5) / n
    least <- min(mine$value, 1) / 2
    for (part in names(nulls)) {
        nulls[[part]]$y <- as.integer(nulls[[part]]$data)
    }
    .data <- ggplot2::.data
    plot <- ggplot2::ggplot(mine, ggplot2::aes(.data$value, .data$y)) +
        ggplot2::geom_vline(xintercept = 1, linetype = 2, colour = "grey50") +
        ggplot2::geom_rect(data = nulls$random, fill = "grey85",
            ggplot2::aes(xmin = pmax(.data$low, least), xmax = .data$high,
                ymin = .data$y - 0.36, ymax = .data$y + 0.36
            )
        ) +
        ggplot2::geom_segment(data = nulls$marginal, linewidth = 0.7,
            ggplot2::aes(xend = .data$value, y = .data$y - 0.36,
                yend = .data$y + 0.36
            )
        )
    if (!all(is.na(mine$low))) {
        plot <- plot + ggplot2::geom_linerange(
            ggplot2::aes(xmin = pmax(.data$low, least), xmax = .data$high,
                colour = .data$method
            ), linewidth = 0.4, na.rm = TRUE
        )
    }
    plot +
        ggplot2::geom_point(ggplot2::aes(colour = .data$method), size = 1.7) +
        ggplot2::scale_colour_manual(name = NULL,
            values = rep_len(.recoveryColours, n)
        ) +
        ggplot2::scale_x_log10() +
        ggplot2::scale_y_continuous(
            breaks = seq_len(nlevels(mine$data)), labels = levels(mine$data),
            expand = ggplot2::expansion(add = 0.5)
        ) +
        ggplot2::labs(x = paste0(name, " (grey: 95% of random rankings; ",
            "black: marginal null)"
        ), y = NULL) +
        ggplot2::theme_bw(base_size = 11) +
        ggplot2::theme(panel.grid.minor = ggplot2::element_blank(),
            panel.grid.major.y = ggplot2::element_blank()
        )
}

## ---- the page --------------------------------------------------------------

#' Write a comparison as one HTML page
#'
#' @param x a [GRNBenchmark-class].
#' @param file path of the page. It is written beside and renamed at the end.
#' @param overwrite replace an existing file?
#' @return The path, invisibly. The page holds its figure and style and loads
#'   nothing. Stops when the file exists and `overwrite` is FALSE, or the
#'   folder is missing or can't be written.
#' @seealso [benchmarkGRN()]
#' @examples
#' cells <- simulateCells(nCells = 200, nGenes = 40, nTFs = 8, seed = 1)
#' truth <- S4Vectors::metadata(cells)$simulation$edges
#' result <- benchmarkGRN(cells, truth,
#'     benchmarkMethods()[c("pearson", "ridge")], nBoot = 20
#' )
#' file <- tempfile(fileext = ".html")
#' writeBenchmark(result, file)
#' unlink(file)
#' @export
writeBenchmark <- function(x, file, overwrite = FALSE) {
    if (!methods::is(x, "GRNBenchmark")) {
        .stopArgument("x", "must be what benchmarkGRN() returns; it is a ",
            class(x)[[1L]], "."
        )
    }
    .freeFile(file, overwrite)
    page <- system.file("templates", "benchmark.html", package = "causeway",
        mustWork = TRUE
    )
    page <- paste(readLines(page, encoding = "UTF-8"), collapse = "\n")
    .writePage(.fillPage(page, .benchmarkParts(x)), file, overwrite)
}

## Can `file` be written? Before any work.
.freeFile <- function(file, overwrite) {
    .checkText(file, "file")
    .checkFlag(overwrite, "overwrite")
    if (dir.exists(file)) {
        .stopArgument("file", "is a folder: ", file, "; name a file in it.")
    }
    if (file.exists(file) && !overwrite) {
        .stopArgument("file", "exists: ", file,
            "; choose another name or set overwrite = TRUE."
        )
    }
    unlink(.openBeside(file))
}

.writePage <- function(page, file, overwrite) {
    page <- enc2utf8(page)
    .writeBeside(file, overwrite, function(con) {
        writeLines(page, con, useBytes = TRUE)
        c(rows = 1, bytes = nchar(page, type = "bytes") + 1)
    })
    invisible(file)
}

## {{name}} -> parts$name; what is filled in is not looked at again.
.fillPage <- function(page, parts) {
    pieces <- strsplit(page, "{{", fixed = TRUE)[[1L]]
    filled <- vapply(pieces[-1L], function(piece) {
        end <- regexpr("}}", piece, fixed = TRUE)
        name <- substr(piece, 1L, end - 1L)
        paste0(parts[[name]], substring(piece, end + 2L))
    }, "", USE.NAMES = FALSE)
    paste(c(pieces[[1L]], filled), collapse = "")
}

.escape <- function(x) {
    x <- as.character(x)
    x <- gsub("&", "&amp;", x, fixed = TRUE)
    x <- gsub("<", "&lt;", x, fixed = TRUE)
    x <- gsub(">", "&gt;", x, fixed = TRUE)
    x <- gsub("\"", "&quot;", x, fixed = TRUE)
    gsub("'", "&#39;", x, fixed = TRUE)
}

.paragraphs <- function(x) paste0("<p>", .escape(x), "</p>", collapse = "\n")

## A data.frame of text as a table; class: a matrix of classes of cells.
.htmlTable <- function(t, row = character(nrow(t)), class = NULL) {
    head <- paste0("<th>", .escape(names(t)), "</th>", collapse = "")
    body <- vapply(seq_len(nrow(t)), function(i) {
        kind <- if (is.null(class)) character(ncol(t)) else class[i, ]
        cells <- paste0("<td", ifelse(nzchar(kind), paste0(" class=\"", kind,
            "\""), ""), ">", .escape(unlist(t[i, ])), "</td>", collapse = "")
        paste0("<tr", if (nzchar(row[[i]])) paste0(" class=\"", row[[i]],
            "\""), ">", cells, "</tr>")
    }, "")
    paste0("<table><tr>", head, "</tr>\n", paste(body, collapse = "\n"),
        "</table>"
    )
}

.benchmarkParts <- function(x) {
    s <- summary(x)
    f <- x@facts
    sets <- x@sets
    sets <- data.frame(`data set` = sets$data,
        cells = format(sets$cells, big.mark = ","),
        genes = format(sets$genes, big.mark = ","), TFs = sets$tfs,
        candidates = format(sets$candidates, big.mark = ","),
        `known edges` = format(sets$known, big.mark = ","),
        share = sprintf("%.1f%%", 100 * sets$share), check.names = FALSE
    )
    failed <- x@table[!is.na(x@table$error), ]
    list(
        title = .escape(f$title), verdict = .paragraphs(.benchmarkVerdict(x)),
        compared = .paragraphs(.comparedText(x)), sets = .htmlTable(sets),
        summary = .htmlTable(.benchmarkText(s), ifelse(s$null, "null", "")),
        summaryNote = .escape(.summaryNote), figure = .benchmarkFigure(x),
        ratios = .ratioTable(x),
        ratiosNote = .escape(paste(.ratioNote, if (nrow(failed)) paste(
            "Failed:", paste(unique(paste0(failed$method, " on ", failed$data,
                ": ", failed$error
            )), collapse = "; ")
        ))),
        caveats = paste0("<ul>", paste0("<li>", .escape(.benchmarkCaveats),
            "</li>", collapse = "\n"), "</ul>"),
        made = .htmlTable(data.frame(
            ` ` = c("methods", "seeds", "bootstrap samples", "software",
                "engine"),
            what = c(paste0(names(f$methods), " = ", f$methods,
                collapse = "; "), paste(f$seeds, collapse = ", "), f$nBoot,
                paste0("causeway ", f$version, ", ", f$r),
                paste(f$engine, collapse = "; ")
            ), check.names = FALSE
        ))
    )
}

.comparedText <- function(x) {
    s <- summary(x)
    n <- sum(!s$null)
    paste0("Each of ", .count(n, "method"), " ranked all candidate edges (a ",
        "transcription factor acting on a gene) from expression alone, on ",
        .count(length(unique(x@table$data)), "data set"), " whose true or ",
        "published edges are known. A good method puts known edges first. ",
        "Candidates are the factors that have a known edge x all genes."
    )
}

.summaryNote <- paste(
    "AUPRC ratio: area under the precision-recall curve over the share of",
    "known edges, geometric mean over sets; 1 is about chance. Early ratio:",
    "the same for precision among as many edges as are known. AUROC: mean area",
    "under the ROC curve, 0.5 is chance. Mean rank: 1 would be best on every",
    "set. Within best: sets where the best method's value is not above this",
    "one's interval. Above chance: above 97.5% of random rankings. Above",
    "marginal: above one number per TF plus one per gene. In brackets: nulls.",
    "Means are over the sets all methods finished."
)

.ratioNote <- paste(
    "AUPRC ratio with 95% bootstrap interval over edges (mean over seeds).",
    "Bold: the highest of its set. Grey: not above chance."
)

.benchmarkCaveats <- c(
    paste("A known edge that is missing in the reference counts as an error:",
        "with published references for real cells, values near 1 may say as",
        "much about the reference as about the methods."),
    paste("Intervals say how much a value hangs on single edges. They do not",
        "say how it would be with other cells; compare several sets."),
    paste("Differences smaller than the intervals are no ranking: methods",
        "\"within best\" can't be told from the best on that set."),
    paste("A method that is above chance but not above the marginal null may",
        "only know which factors and genes have many edges."),
    paste("Simulated cells follow equations that suit some methods; rank on",
        "them is no promise for real cells."),
    paste("Edges are associations in expression. None of this shows that a",
        "factor acts on a gene; perturbations can.")
)

## sets x methods as text, the best in bold, those at chance in grey.
.ratioTable <- function(x) {
    t <- .overSeeds(x@table)
    wide <- .wide(t, "auprcRatio")
    low <- .wide(t, "auprcRatioLow")
    high <- .wide(t, "auprcRatioHigh")
    chance <- .wide(t, "aboveChance")
    text <- sprintf("%.2f", wide)
    span <- !is.na(low)
    text[span] <- sprintf("%.2f (%.2f-%.2f)", wide, low, high)[span]
    text[is.na(wide)] <- "failed"
    text <- as.data.frame(matrix(text, nrow(wide)))
    names(text) <- colnames(wide)
    mine <- unique(t$method[!t$null])
    top <- suppressWarnings(apply(wide[, mine, drop = FALSE], 1L, max,
        na.rm = TRUE))
    class <- ifelse(is.na(chance) | chance == 0, "chance", "")
    class[, mine][which(wide[, mine] == top)] <- "best"
    .htmlTable(cbind(`data set` = rownames(wide), text),
        class = cbind("", class)
    )
}

## The figure as an image inside the page.
.benchmarkFigure <- function(x) {
    file <- tempfile(fileext = ".png")
    on.exit(unlink(file))
    sets <- length(unique(x@table$data))
    drawn <- tryCatch({
        suppressMessages(ggplot2::ggsave(file, plotBenchmark(x), width = 9,
            height = max(3, min(24, 1.2 + 0.55 * sets)), dpi = 110
        ))
        TRUE
    }, error = function(e) FALSE)
    if (!drawn || !file.exists(file)) {
        return("<p>(R has no device for images here: no figure.)</p>")
    }
    bytes <- readBin(file, "raw", file.size(file))
    paste0("<img alt=\"AUPRC ratio by set and method\" ",
        "src=\"data:image/png;base64,",
        gsub("\n", "", jsonlite::base64_enc(bytes), fixed = TRUE), "\">"
    )
}
