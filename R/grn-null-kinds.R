## The four kinds of null networks.


.marginalJob <- function(job) {
    fit <- .marginalFit(job$x@scores, job$self)
    job$n <- 1L
    job$observed <- job$x@scores
    job$draw <- function(i) fit
    job$facts <- list(share = .marginalShare(job$x@scores, job$self))
    job
}

## TF + gene effects by least squares on what isn't a self edge: alternating,
## which needs row and column sums only.
.marginalFit <- function(scores, self) {
    s <- scores
    s[self] <- 0
    use <- 1 - self
    column <- numeric(ncol(s))
    for (step in seq_len(500L)) {
        row <- (rowSums(s) - as.vector(use %*% column)) / pmax(1, rowSums(use))
        new <- (colSums(s) - as.vector(row %*% use)) / pmax(1, colSums(use))
        moved <- max(abs(new - column))
        column <- new
        if (moved <= 1e-12 * max(abs(s))) break
    }
    fit <- outer(row, column, `+`)
    fit[self] <- scores[self]
    dimnames(fit) <- dimnames(scores)
    fit
}

.degreeJob <- function(job, top) {
    s <- job$x@scores
    possible <- sum(!job$self)
    if (is.null(top)) {
        top <- 10 * nrow(s)
    }
    top <- .checkNumber(top, "top", 1, whole = TRUE)
    top <- max(2, min(top, floor(possible / 10)))
    s[job$self] <- -Inf
    at <- utils::head(order(-s, method = "radix"), top)
    at <- at[s[at] > 0]
    if (length(at) < 2L) {
        .stopArgument("x", "has fewer than two edges above 0: nothing can be ",
            "rewired."
        )
    }
    tf <- (at - 1L) %% nrow(s)
    gene <- (at - 1L) %/% nrow(s)
    job$observed <- job$x@scores * 0
    job$observed[at] <- job$x@scores[at]
    job$draw <- function(i) {
        drawn <- .Call(cw_r_null_rewire, tf, gene, job$tf, ncol(s),
            20 * length(at), job$key, i
        )
        out <- job$observed * 0
        out[cbind(tf, drawn$gene) + 1L] <- job$x@scores[at]
        out
    }
    job$facts <- list(top = length(at), edges = at)
    job
}

.shuffleJob <- function(job, within) {
    s <- job$x@scores
    storage.mode(s) <- "double"
    job$observed <- s
    job$draw <- function(i) {
        .Call(cw_r_null_shuffle, s, job$tf, within == "TF", job$key, i)
    }
    job$facts <- list(within = within)
    job
}

.expressionJob <- function(job, cells, param, group, args) {
    if (is.null(cells)) {
        .stopArgument("cells", "is needed for type = \"expression\": the ",
            "cells the network was inferred from."
        )
    }
    param <- .paramOf(job$x, param)
    fit <- .refitCells(job$x, cells, param, args, job$threads)
    group <- .permutationGroups(group, fit$prepared)
    group$of <- group$of[fit$cells]
    job$observed <- job$x@scores
    job$draw <- .expressionDraw(param, group, job[c("key", "threads")],
        fit[c("view", "frozen", "rows", "columns")]
    )
    job$facts <- list(estimator = .paramName(param), groups = group$n)
    job
}

## The i-th null's scores as a function of i, with no more in its enclosure than
## they need: other processes get a copy.
.expressionDraw <- function(param, group, job, fit) {
    force(list(param, group, job, fit))
    function(i) {
        key <- c(job$key[[1L]], (job$key[[2L]] + i) %% 2^32)
        .nullScores(param, fit$view, group, job, i, key, fit$frozen)[fit$rows,
            fit$columns, drop = FALSE
        ]
    }
}

## Scores with every target's cells in random order and the factors as they
## are, so that what the factors share among themselves stays: permuted as well,
## they would have lost it, and slopes of a null would be too small. A factor is
## permuted where it is a target only.
.nullScores <- function(param, view, group, job, i, key, frozen) {
    null <- .nullView(view, group, job, i)
    scores <- .estimateFrozen(param, null, key, job$threads, frozen)
    scores <- scores[, null$targets, drop = FALSE]
    scores[cbind(seq_along(view$tf), view$tf + 1L)] <- 0
    scores
}

## The factors as they are, then all genes with their cells permuted.
.nullView <- function(view, group, job, i) {
    drawn <- .Call(cw_r_null_permute, view[c("dim", "p", "i", "x")],
        group$of, group$n, job$key, i
    )
    matrixOf <- function(i, x) {
        Matrix::sparseMatrix(i = i, p = view$p, x = x, dims = view$dim,
            index1 = FALSE
        )
    }
    at <- view$tf + 1L
    own <- matrixOf(view$i, view$x)[, at, drop = FALSE]
    all <- cbind(own, matrixOf(drawn$i, drawn$x))
    list(dim = dim(all), p = all@p, i = all@i, x = all@x,
        tf = seq_along(at) - 1L, genes = Matrix::t(all),
        targets = length(at) + seq_len(view$dim[[2L]])
    )
}

## The estimator's settings of a network, as recorded by inferGRN().
.paramOf <- function(x, param) {
    meta <- x@metadata
    if (is.null(param) && is(meta$param, "GRNParam")) {
        param <- meta$param
    }
    if (is.null(param) && !is.null(meta$estimator)) {
        param <- .rebuildParam(meta$estimator, meta$settings)
    }
    if (is.null(param)) {
        .stopArgument("param", "is needed: 'x' doesn't say which estimator ",
            "made it. Give the GRNParam that inferGRN() was given (networks ",
            "of a model or per cell can't be made again here; of ",
            "PerCellGRNParam see verdict())."
        )
    }
    .noBrackets(param, "param")
    if (!is(param, "GRNParam") || is(param, "PerCellGRNParam")) {
        .stopArgument("param", "must be a GRNParam, such as ",
            "RidgeGRNParam(); it is a ", class(param)[[1L]], "."
        )
    }
    strength <- meta$priorEvidence$strength
    if (length(strength) && strength > 1) {
        .stopArgument("x", "was inferred with a prior network, which permuted ",
            "expression would keep: its edges would come back in the null. ",
            "Make the null of the network without it."
        )
    }
    param
}

.rebuildParam <- function(class, s) {
    if (class == "CombinedGRNParam") {
        parts <- s[!names(s) %in% c("weights", "byTarget")]
        kinds <- vapply(parts, function(p) {
            if ("variance" %in% names(p)) "RidgeGRNParam" else
                if ("trees" %in% names(p)) "TreeGRNParam" else "CorGRNParam"
        }, "")
        return(CombinedGRNParam(unname(Map(.rebuildParam, kinds, parts)),
            s$weights, if (is.null(s$byTarget)) 0 else s$byTarget
        ))
    }
    ## a prior that the evidence rejected is as none
    do.call(class, if (class == "RidgeGRNParam") s["variance"] else s)
}

## The cells as the estimator reads them, and the places of the network's TFs
## and genes among its; stops when they do not give the network again.
.refitCells <- function(x, cells, param, args, threads) {
    s <- x@scores
    if (isTRUE(x@metadata$sampled > 0)) {
        .stopArgument("x", "was inferred from a file of ", x@nCells, " cells, ",
            "of which trees saw ", x@metadata$sampled, "; the null fits all ",
            "again in memory. Infer 'x' from fewer, inferGRN(x, cells = )."
        )
    }
    seen <- x@metadata$coverage
    known <- list(assay.type = NULL, symbols = NULL,
        species = x@metadata$species, preprocess = list(),
        alreadyNormalised = isTRUE(seen$logged), assay = NULL,
        block = x@metadata$blockBy
    )
    bad <- setdiff(names(args), names(known))
    if (length(args) && is.null(names(args))) {
        .noDots(1)
    }
    if (length(bad)) {
        do.call(.noDots, stats::setNames(as.list(bad), bad))
    }
    known[names(args)] <- args
    block <- known$block
    if (is.null(block) && length(x@metadata$block)) {
        .stopArgument("block", "is needed: 'x' was inferred less the means of ",
            .count(length(x@metadata$block), "block"), " (",
            .some(x@metadata$block, 3L), "); give what inferGRN() was given."
        )
    }
    known$block <- NULL
    how <- do.call(.inputArgs, c(known, list(tfs = rownames(s),
        genes = colnames(s), nTargets = 0
    )))
    prepared <- tryCatch(.networkCells(cells, how, FALSE), error = .orLacking)
    rows <- match(rownames(s), prepared$labels[!prepared$nonTF])
    columns <- match(colnames(s), prepared$labels)
    if (anyNA(rows) || anyNA(columns)) {
        .stopArgument("cells", "lacks TFs or genes of the network: ",
            .some(c(rownames(s)[is.na(rows)], colnames(s)[is.na(columns)])),
            "; give the cells 'x' was inferred from."
        )
    }
    key <- .keyOfText(x@metadata$seed)
    block <- .blockOf(prepared, block)
    sorted <- .byName(prepared)
    fitted <- .lessBlocks(sorted$prepared, block[sorted$cells])
    if (isTRUE(x@metadata$centring$centred)) {
        fitted <- .centreStates(fitted, param, TRUE, key, threads,
            FALSE
        )$prepared
    }
    rows <- match(rownames(s), fitted$labels[!fitted$nonTF])
    columns <- match(colnames(s), fitted$labels)
    view <- .estimatorView(fitted)
    frozen <- .shrinkageOf(x, param, view)
    again <- .estimateFrozen(param, view, key, threads, frozen)[rows, columns,
        drop = FALSE
    ]
    .checkRefit(s, again, .selfEdges(s))
    list(prepared = prepared, cells = sorted$cells, view = view, rows = rows,
        columns = columns, frozen = frozen
    )
}

## Shrinkage that the estimators choose from the data stays as it was chosen
## for the observed network. Chosen again on permuted data it would be
## stronger, and null scores lower than those of edges that are noise.
.shrinkageOf <- function(x, param, view) {
    variance <- unique(x@metadata$targets$variance)
    parts <- if (is(param, "CombinedGRNParam")) param@settings$estimators else
        list(param)
    is <- function(class, test = function(p) TRUE) {
        any(vapply(parts, function(p) methods::is(p, class) && test(p), NA))
    }
    if (is("RidgeGRNParam") && length(variance) != 1L) {
        variance <- .estimate(parts[[which(vapply(parts, methods::is, NA,
            class2 = "RidgeGRNParam"
        ))[[1L]]]], view, c(0, 0), .threads())$targets$variance[[1L]]
    }
    partial <- is("CorGRNParam", function(p) p@settings$method == "partial")
    list(variance = variance, lambda = if (partial)
        .shrinkage(Matrix::t(view$genes), view$tf + 1L),
        reliability = !is.null(x@metadata$reliability)
    )
}

## Scores of an estimator with given shrinkage, times their reliability where
## the observed network's were.
.estimateFrozen <- function(param, view, key, threads, frozen) {
    scores <- .scoresFrozen(param, view, key, threads, frozen)
    if (isTRUE(frozen$reliability)) {
        scores <- scores * .edgeReliability(.viewSums(view))
    }
    scores
}

.scoresFrozen <- function(param, view, key, threads, frozen) {
    if (is(param, "CombinedGRNParam")) {
        parts <- lapply(param@settings$estimators, .scoresFrozen, view = view,
            key = key, threads = threads, frozen = frozen
        )
        return(.combineScores(parts, param, view))
    }
    if (is(param, "CorGRNParam") && param@settings$method == "partial") {
        at <- view$tf + 1L
        r <- .partialCorrelations(.viewSums(view)$r, at, frozen$lambda)
        r[cbind(seq_along(at), at)] <- 0
        return(abs(r))
    }
    if (is(param, "RidgeGRNParam")) {
        param <- RidgeGRNParam(frozen$variance)
    }
    .estimate(param, view, key, threads)$scores
}

.checkRefit <- function(scores, again, self) {
    r <- .rankCorrelation(rank(scores[!self]), again[!self])
    if (is.na(r) || r < 0.99) {
        .stopArgument("cells", "don't give 'x' when it is inferred again ",
            "from them (rank correlation of scores ",
            if (is.na(r)) "not defined" else sprintf("%.2f", r),
            "); give the same cells, 'param' and settings as for inferGRN()."
        )
    }
}

## The reader's word for genes it can't find names arguments of its own.
.orLacking <- function(e) {
    text <- conditionMessage(e)
    if (startsWith(text, "'genes' names genes")) {
        .stopArgument("cells", "lacks genes of the network: ",
            sub(".*not in 'x': ", "", text),
            " Give the cells 'x' was inferred from."
        )
    }
    stop(e)
}

## "high:low" -> a key; NULL -> 0:0
.keyOfText <- function(text) {
    parts <- suppressWarnings(as.numeric(
        strsplit(paste(text, collapse = ""), ":", fixed = TRUE)[[1L]]
    ))
    if (length(parts) != 2L || anyNA(parts)) c(0, 0) else parts
}

.permutationGroups <- function(group, prepared) {
    if (is.null(group)) {
        return(list(of = NULL, n = 1L))
    }
    n <- length(prepared$cells)
    if (is.character(group) && length(group) == 1L && n > 1L) {
        if (!group %in% colnames(prepared$cellData)) {
            .stopArgument("group", "is \"", group, "\", which isn't a ",
                "column of colData(cells): ",
                .some(colnames(prepared$cellData), 8L), "."
            )
        }
        group <- prepared$cellData[[group]]
    }
    if (length(group) != n || anyNA(group)) {
        .stopArgument("group", "must have a value per cell, ", n, ", none ",
            "missing; it has ", length(group), " with ", sum(is.na(group)),
            " missing."
        )
    }
    group <- .asFactor(group)
    if (max(table(group)) < 2L) {
        .stopArgument("group", "puts every cell alone: nothing can be ",
            "permuted."
        )
    }
    list(of = as.integer(group) - 1L, n = nlevels(group))
}
