## How well would these labels be given to cells of another donor?

#' Evaluate annotation on left-out donors, batches, conditions or platforms
#'
#' Each value of `by` in turn is taken for the query and the rest for the
#' reference; the default of [annotateCells()] and baselines label it. Whatever
#' is chosen or calibrated is so within the reference (again by its own
#' values of `by`, where two are left): a three-way split.
#'
#' @param x labelled cells, see [cellInput].
#' @param labels column of the cell data with the types, or a label per cell.
#' @param by column of the cell data (or a value per cell): donor, batch,
#'   condition, platform.
#' @param split `"by"`, or `"random"`: five random parts, which hides
#'   differences between batches and says so.
#' @param methods any of `"default"`, `"guess"`, `"matched"`, `"logisticZ"`
#'   (logistic regression), `"logisticZZ"` (the query standardised by itself),
#'   `"lda"`, `"centroid"`, `"bayes"`, `"knn"` (15 neighbours in 30 principal
#'   components), `"singler"` (the package SingleR, with Wilcoxon markers,
#'   for which it needs scran or scrapper),
#'   `"majority"`; `NULL`: the default and the baselines of them that can be
#'   run.
#' @param nBoot bootstrap draws of cells for the intervals.
#' @param nGenes,maxCells see [trainAnnotator()].
#' @param assay.type,assay,symbols,species,alreadyNormalised see [cellInput].
#' @param seed,threads,verbose see [trainAnnotator()].
#' @return A [CausewayReport-class] of class `AnnotationEvaluation`. Tables:
#'   `"methods"` (macro-F1 over all left-out cells with its 95% interval, its
#'   mean and sd over splits, accuracy, calibration error), `"types"` (of the
#'   default), `"splits"`, `"confusion"` (`truth`, `called`, `cells`, `share`
#'   of the truth) and `"cells"`. `plot()` and [plotConfusion()] draw the
#'   confusion, [plotCalibration()] the reliability. Cells of a type that the
#'   reference of a split lacks can't be labelled rightly; they are counted in
#'   `facts`, and left out.
#' @section Errors: `by` with one value, fewer than two types, an unknown
#'   method, `"singler"` without the package.
#' @seealso [annotateCells()], [plotConfusion()], [plotCalibration()]
#' @examples
#' cells <- exampleCells(180)
#' cells$donor <- rep(c("a", "b", "c"), 60)
#' result <- evaluateAnnotation(cells, "group", by = "donor", nBoot = 20,
#'     methods = c("default", "centroid", "majority"), seed = 1)
#' result
#' plot(result)
#' @export
evaluateAnnotation <- function(x, labels = "cell_type", by = NULL,
    split = c("by", "random"), methods = NULL, nBoot = 200, nGenes = NULL,
    maxCells = 500, assay.type = NULL, assay = NULL, symbols = NULL,
    species = NULL, alreadyNormalised = NULL, seed = NULL, threads = NULL,
    verbose = TRUE) {
    split <- match.arg(split)
    methods <- .annotationMethods(methods)
    nBoot <- .checkNumber(nBoot, "nBoot", 2, whole = TRUE)
    o <- .trainOptions(nGenes, maxCells, 3, NULL, NULL, seed, threads,
        verbose)
    input <- .typeCells(x, .inputArgs(assay.type = assay.type, assay = assay,
        symbols = symbols, species = species,
        alreadyNormalised = alreadyNormalised), "x", verbose)
    usable <- .usableLabels(.typeColumn(input, labels, "labels"))
    lapply(usable$notes, function(n) .say(verbose, n))
    part <- .evaluationSplit(input, by, split, usable$label, o)
    set <- .evaluationSet(input, usable$label, part, o)
    runs <- lapply(.sortedUnique(part[!is.na(part)]), function(value) {
        .say(verbose, "Left out: ", value)
        .evaluateSplit(set, value, methods, o)
    })
    .annotationReport(do.call(rbind, runs), methods, set, split, nBoot, o)
}

#' @rdname evaluateAnnotation
#' @exportClass AnnotationEvaluation
setClass("AnnotationEvaluation", contains = "CausewayReport")

.annotationMethods <- function(methods) {
    ## SingleR has its Wilcoxon markers from one of two further packages.
    here <- requireNamespace("SingleR", quietly = TRUE)
    markers <- any(nzchar(c(system.file(package = "scran"),
        system.file(package = "scrapper"))))
    if (is.null(methods)) {
        return(c("default", "logisticZ", "logisticZZ", "centroid", "bayes",
            "knn", if (here && markers) "singler", "majority"))
    }
    methods <- .someOf(methods, names(.methodNames), "methods")
    if ("singler" %in% methods && !here) {
        .needPackage("SingleR", "'methods' asks for \"singler\"",
            "BiocManager::install(\"SingleR\")")
    }
    if ("singler" %in% methods && !markers) {
        .needPackage("scran", paste("'methods' asks for \"singler\", which",
            "takes its markers from scran"), "BiocManager::install(\"scran\")")
    }
    unique(c("default", methods))
}

.evaluationSplit <- function(input, by, split, label, o) {
    if (split == "random") {
        fold <- rep(NA_character_, length(label))
        at <- which(!is.na(label))
        fold[at] <- paste("random part", .folds(label[at], NULL,
            .shuffled(length(at), o$key, 5)))
        return(fold)
    }
    if (is.null(by)) {
        .stopArgument("by", "is missing: a column with donors, batches, ",
            "conditions or platforms; for random parts, which are ",
            "optimistic, say split = \"random\"."
        )
    }
    part <- .typeColumn(input, by, "by")
    part[is.na(label)] <- NA
    if (length(.sortedUnique(part[!is.na(part)])) < 2L) {
        .stopArgument("by", "has one value, ", unique(part[!is.na(part)]),
            "; two or more are needed."
        )
    }
    part
}

## Everything in memory once: labelled cells, all genes.
.evaluationSet <- function(input, label, part, o) {
    use <- which(!is.na(label) & !is.na(part))
    list(matrix = .sparseColumns(input$matrix, use),
        rows = which(!duplicated(input$key)), logged = input$logged,
        label = label[use], part = part[use], cells = input$cells[use])
}

## A row per left-out cell and method: call and probability.
.evaluateSplit <- function(set, value, methods, o) {
    inside <- which(set$part != value)
    kept <- inside[unname(.capCells(set$label[inside], o$maxCells,
        .shuffled(length(inside), o$key, 6)))]
    types <- .sortedUnique(set$label[kept])
    out <- which(set$part == value & set$label %in% types)
    if (!length(out)) {
        return(NULL)
    }
    ref <- .reference(set$matrix[, kept, drop = FALSE], set$rows, set$logged,
        match(set$label[kept], types), types, o$threads)
    query <- .dataSet(set$matrix[, out, drop = FALSE], set$rows, set$logged)
    query$block <- .typeBlock(query)
    inner <- .innerChoice(ref, set$part[kept], o)
    rows <- lapply(methods, function(m) {
        p <- .evaluateMethod(m, ref, query, inner)
        call <- .callsOf(p)
        data.frame(cell = set$cells[out], split = value, method = m,
            truth = set$label[out], called = types[call],
            probability = p[cbind(seq_along(call), call)])
    })
    do.call(rbind, rows)
}

## Number of genes and temperature, from the reference alone.
.innerChoice <- function(ref, part, o) {
    several <- length(unique(part)) > 1L
    small <- .heldOutCells(ref, if (several) part, o)
    n <- if (is.null(o$nGenes)) .chooseGeneCount(small$ref, small$few,
        several, sum(ref$f > 0))$n else min(o$nGenes, sum(ref$f > 0))
    logp <- .heldOut(small$ref, small$few, function(train, query, held) {
        .classify(train, query, n)$logp
    })
    list(n = n, temperature = .temperature(logp, small$ref$y))
}

## Probabilities (cells x types); those of SingleR are 1.
.evaluateMethod <- function(method, ref, query, inner) {
    if (method == "majority") {
        n <- tabulate(ref$y, ref$K) / length(ref$y)
        return(matrix(n, query$n, ref$K, byrow = TRUE))
    }
    if (method == "knn") {
        return(.nearestTypes(ref, query))
    }
    if (method == "singler") {
        return(.singleR(ref, query))
    }
    logp <- .classify(ref, query, inner$n, method)$logp
    .tempered(logp, if (method == "default") inner$temperature else 1)
}

## 15 neighbours in 30 principal components of z.
.nearestTypes <- function(ref, query, dims = 30L, k = 15L) {
    genes <- .topGenes(ref$f, .plainGenes)
    view <- .zView(genes, .weightedMoments(.pickMoments(ref$moments, genes)))
    z <- .cellMatrix(ref$block, ref, view, ref$threads)
    V <- .principal(sweep(z, 2L, colMeans(z)), dims)
    y <- diag(ref$K)[ref$y, , drop = FALSE]
    t(.Call(cw_r_neighbour_means, t(.cellMatrix(query$block, query, view,
        ref$threads) %*% V), t(z %*% V), t(y), min(k, length(ref$y)),
        ref$threads)$mean)
}

.singleR <- function(ref, query) {
    all <- .view(seq_along(ref$rows))
    values <- function(data) {
        m <- t(.cellMatrix(data$block, data, all, ref$threads))
        dimnames(m) <- list(paste0("g", seq_len(nrow(m))), NULL)
        m
    }
    found <- SingleR::SingleR(values(query), values(ref), ref$types[ref$y],
        de.method = "wilcox")
    diag(ref$K)[match(found$labels, ref$types), , drop = FALSE]
}

## ---- the report ------------------------------------------------------------

.annotationReport <- function(rows, methods, set, split, nBoot, o) {
    one <- rows[rows$method == "default", ]
    draws <- matrix(.shuffled(nrow(one) * nBoot, o$key, 7) %% nrow(one) + 1L,
        nBoot)
    boot <- vapply(methods, function(m) {
        r <- rows[rows$method == m, ]
        apply(draws, 1L, function(at) .macroF1(r$truth[at], r$called[at]))
    }, numeric(nBoot))
    table <- .methodTable(rows, methods, boot)
    types <- .sortedUnique(c(one$truth, one$called))
    facts <- list(cells = nrow(one), splits = length(unique(one$split)),
        split = split, missingType = sum(table(set$part)) - nrow(one),
        nBoot = nBoot)
    splits <- .splitTable(rows, methods)
    confusion <- as.data.frame(table(truth = .asFactor(one$truth),
        called = .asFactor(one$called)),
        responseName = "cells", stringsAsFactors = FALSE)
    confusion$share <- confusion$cells / as.vector(table(one$truth)[
        confusion$truth])
    .report("AnnotationEvaluation", .annotationVerdict(table, boot, facts),
        list(methods = table, types = .typeTable(match(one$truth, types),
            match(one$called, types), types), splits = splits,
            confusion = confusion, cells = rows), facts, o$seed)
}

.methodTable <- function(rows, methods, boot) {
    out <- lapply(methods, function(m) {
        r <- rows[rows$method == m, ]
        each <- vapply(split(r, r$split), function(s) {
            .macroF1(s$truth, s$called)
        }, 0)
        limit <- stats::quantile(boot[, m], c(0.025, 0.975), names = FALSE)
        data.frame(method = m, macroF1 = .macroF1(r$truth, r$called),
            low = limit[[1L]], high = limit[[2L]], splitMean = mean(each),
            splitSd = if (length(each) > 1L) stats::sd(each) else NA_real_,
            accuracy = mean(r$truth == r$called),
            calibrationError = if (m == "singler") NA_real_ else
                .calibrationError(r$probability, r$truth == r$called))
    })
    do.call(rbind, out)
}

.splitTable <- function(rows, methods) {
    out <- lapply(split(rows, list(rows$split, rows$method), drop = TRUE),
        function(r) data.frame(split = r$split[[1L]], method = r$method[[1L]],
            cells = nrow(r), types = length(unique(r$truth)),
            macroF1 = .macroF1(r$truth, r$called)))
    out <- do.call(rbind, out)
    rownames(out) <- NULL
    out[order(out$split, match(out$method, methods)), ]
}

.annotationVerdict <- function(table, boot, facts) {
    first <- table[1L, ]
    text <- sprintf("Macro-F1 %.2f (95%% %.2f to %.2f) on %s of %d %s.",
        first$macroF1, first$low, first$high, .count(facts$cells, "cell"),
        facts$splits, if (facts$split == "random")
            "random parts: optimistic, differences between donors are hidden"
        else "left-out values")
    rest <- table[!table$method %in% c("default", "guess", "matched"), ]
    holds <- NA
    if (nrow(rest)) {
        best <- rest[which.max(rest$macroF1), ]
        gap <- stats::quantile(boot[, "default"] - boot[, best$method],
            c(0.025, 0.975), names = FALSE)
        holds <- gap[[1L]] > 0
        text <- c(text, sprintf(paste("Best baseline: %s, %.2f; the default",
            "is %s (difference %.2f, 95%% %.2f to %.2f)."),
            .methodNames[[best$method]], best$macroF1, if (holds) "better"
            else if (gap[[2L]] < 0) "worse" else "not clearly different",
            first$macroF1 - best$macroF1, gap[[1L]], gap[[2L]]))
    }
    text <- c(text, sprintf("Calibration error %.2f.",
        first$calibrationError), if (facts$missingType) sprintf(paste("%s of a",
        "type that the reference of the split lacks left out."),
        .count(facts$missingType, "cell")))
    .verdict(text, holds)
}
