## A shift between two conditions, for cells never seen in the second.

#' Predict the response to a drug or stimulus in cells never treated
#'
#' Learns what a treatment does in the groups (cell types, donors) seen with and
#' without it, and moves control cells of a group never seen treated; tested by
#' leaving out each group that was, beside doing nothing and moving all alike.
#' The verdict says first whether it beats both.
#'
#' @details
#' Everything happens in principal components of all cells but the treated ones
#' of the group left out, on the genes that vary most in these cells; library
#' sizes are scaled to the median of untreated cells. Methods: `identity`; `mean shift`; `balanced shift`,
#' the mean of the groups' shifts, as scGen's arithmetic; `Gaussian transport`,
#' the optimal map between two normal distributions in closed form (Bures), with
#' Ledoit-Wolf covariances; `local shift`, the groups' shifts mixed for each
#' cell by how near it is to the groups' centres, weights exp(-d^2 / h), h the
#' median squared distance of centres. The default is the local shift with two
#' groups or more to learn from, else Gaussian transport. The published
#' networks, `scGen` and `CellOT`, are trained where they are asked for, once for
#' every group left out, see [CellOTParam()].
#'
#' Scores against the treated cells left out: `energy` distance and `mmd`
#' (CellOT's: mean over six kernels), over at most 1,000 cells; `wasserstein`:
#' mean over components of the distance between the marginal distributions, in
#' standard deviations; `rAll`, `rTop`: correlation of the change of all genes,
#' and of the 50 that change most (a quarter of fewer than 200 genes); `de`:
#' share of these 50 that are also among the predicted 50; `explained`: share
#' of the squared mean shift that is taken away. `floor` is half of the treated
#' cells against the other half: no prediction does better.
#'
#' @param x cells of both conditions, as for [inferGRN()].
#' @param condition name of a column of `colData(x)`, or a value per cell; NA:
#'   not used.
#' @param ref,level the values of untreated and of treated cells.
#' @param group NULL, or as `condition`: cell type or donor. Without it there is
#'   one group and nothing can be left out; half of the cells test then.
#' @param nTargets variable genes used.
#' @param nComponents principal components.
#' @param method NULL, the default, or one of the above, for the cells moved; of
#'   several the first moves them and all are tested. Settings of networks are
#'   given as `list("local shift", CellOTParam(steps = 200), ScGenParam())`. Or a
#'   model that [trainModel()] made, see [CellOTModel-class].
#' @param nBoot samples of groups and cells for the verdict's intervals.
#' @param minCells cells of each condition a group must have to be learnt from.
#' @param assay.type,symbols,alreadyNormalised,seed,threads as for
#'   [fitPerturbation()].
#' @param ... not used.
#' @return A [ResponsePrediction-class]: its slot `cells` is a
#'   `SingleCellExperiment` of the untreated cells of groups that were never
#'   treated (of all groups if there are none), moved, with `logcounts` (genes
#'   x cells), its `reducedDim` `"PCA"`, and `colData` `group`. Tables: `scores`
#'   (means over groups left out, a row per method), `groups` (the same by
#'   group), `genes` (the 50 genes that change most, per group moved).
#' @section Errors: a value of `condition` without cells; too few cells; missing
#'   or negative values.
#' @references Bunne et al. (2023) Nature Methods 20, 1759 (CellOT, scores);
#'   Lotfollahi et al. (2019) Nature Methods 16, 715 (scGen).
#' @seealso [CellOTParam()] for the networks; [fitPerturbation()] for perturbed
#'   genes
#' @examples
#' x <- simulateCells(nCells = 240, nGenes = 60, nTFs = 8, seed = 1)
#' x$treated <- rep(c("no", "yes"), 120)
#' predictResponse(x, "treated", ref = "no", level = "yes", group = "context",
#'     nComponents = 5, minCells = 10, seed = 1
#' )
#' @export
predictResponse <- function(x, condition, ref, level, group = NULL,
    nTargets = 1000, nComponents = 50, method = NULL, minCells = 20,
    nBoot = 200, assay.type = NULL, symbols = NULL,
    alreadyNormalised = NULL, seed = NULL, ..., threads = NULL) {
    .noDots(..., renamed = c(celltype = "group", control = "ref"))
    how <- .inputArgs(assay.type, symbols,
        alreadyNormalised = alreadyNormalised)
    if (methods::is(method, "ResponseModel")) {
        return(.responseByModel(x, method, if (!missing(condition)) condition,
            if (!missing(ref)) ref, if (!missing(level)) level, group, how,
            nBoot, .newKey(seed)))
    }
    .given(condition, "condition", "a column of colData(x) or a value per cell")
    .given(ref, "ref", "the value of untreated cells")
    .given(level, "level", "the value of treated cells")
    job <- c(.checkResponseJob(list(nTargets = nTargets,
        nComponents = nComponents, minCells = minCells)), list(
            nBoot = .checkNumber(nBoot, "nBoot", 2, 1e5, TRUE),
            key = .newKey(seed), threads = .threads(threads)
        ), .responseChoice(method))
    input <- .readCells(x, how)
    d <- .responseCells(input, condition, ref, level, group,
        alreadyNormalised, job)
    tested <- .testResponse(d, job)
    .responseReport(d, tested, job)
}

#' A predicted response
#'
#' Made by [predictResponse()]; a [CausewayReport-class].
#'
#' @slot cells `SingleCellExperiment`, the cells moved.
#' @return An object of this class.
#' @seealso [predictResponse()]
#' @name ResponsePrediction-class
#' @exportClass ResponsePrediction
#' @examples
#' ## see predictResponse()
#' methods::slotNames("ResponsePrediction")
setClass("ResponsePrediction", contains = "CausewayReport",
    slots = c(cells = "ANY")
)

.responseMethods <- c("identity", "mean shift", "balanced shift",
    "Gaussian transport", "local shift")

## `x` cells x genes, sparse log values (`logged` as given, or libraries scaled
## to `target`); `treated`, `group` per cell; `genes`, `cells`; `folds`, see .responseFolds(), and `whole`, what is learnt from at
## last; each with the columns of x that are the variable genes of its cells.
.responseCells <- function(input, condition, ref, level, group, logged, job) {
    value <- .cellColumn(input, condition, "condition")
    if (all(is.na(value))) {
        .stopArgument("condition", "is missing for all ",
            .count(length(value), "cell"), ".")
    }
    for (arg in c("ref", "level")) {
        v <- as.character(get(arg))
        if (length(v) != 1L || !v %in% value) {
            .stopArgument(arg, "must be one of the values of 'condition': ",
                .some(unique(value[!is.na(value)]), 8L), "; it is ",
                .show(get(arg)), "."
            )
        }
    }
    if (identical(as.character(ref), as.character(level))) {
        .stopArgument("level", "is the same as 'ref', \"", ref, "\".")
    }
    of <- if (is.null(group)) rep("all", length(value)) else
        .cellColumn(input, group, "group")
    use <- which(value %in% c(ref, level) & !is.na(of))
    d <- list(treated = value[use] == level, group = of[use],
        cells = input$cells[use], ref = as.character(ref),
        level = as.character(level))
    d$learn <- .responseGroups(d, job$minCells)
    d$folds <- .responseFolds(d, job)
    how <- .valueScale(input, use, logged)
    ## one scale for all folds, from cells that none holds out as truth
    how$target <- stats::median(how$total[use[!d$treated]])
    how$scale <- how$target / .nonZero(how$total)
    d[c("logged", "target")] <- how[c("logged", "target")]
    d <- .responseGenes(d, input, use, how, job)
    x <- .extractValues(input$matrix, d$rows, use, 1 / how$scale[use], 1,
        how$logged, FALSE)
    d$x <- Matrix::t(x)
    d$genes <- .readoutNames(input)[d$rows]
    d
}

## Each group left out in turn (one group: half of its cells): `group`, and by
## cell `hold` (treated, left out: the truth), `start` (untreated, moved),
## `view` (may be looked at), `from` (learnt from), `groups` (those of `from`).
.responseFolds <- function(d, job) {
    one <- length(d$learn) == 1L
    half <- .halves(paste(d$group, d$treated), job$key, 30L)
    lapply(setNames(nm = d$learn), function(g) {
        out <- d$group == g & (!one | half == 1L)
        hold <- out & d$treated
        start <- out & !d$treated
        from <- if (one) !out & d$group == g else
            d$group %in% setdiff(d$learn, g)
        list(group = g, hold = hold, start = start, view = if (one) !out else
            !hold, from = from, groups = if (one) g else setdiff(d$learn, g))
    })
}

## Variable genes of the cells that each fold may look at, and of all cells: as
## columns of x, which has the `rows` of the input. Sums are taken once, over
## sets of cells that are in view together.
.responseGenes <- function(d, input, use, how, job) {
    views <- lapply(d$folds, `[[`, "view")
    set <- do.call(paste0, lapply(views, as.integer))
    sets <- unique(set)
    group <- rep(NA_integer_, ncol(input$matrix))
    group[use] <- match(set, sets) - 1L
    sums <- .valueSums(input, group, length(sets), how, job$threads)
    pick <- function(seen) {
        at <- sets %in% set[seen]
        .mostVariable(lapply(sums, function(s) s[, at, drop = FALSE]),
            sum(seen), job$nTargets)
    }
    rows <- lapply(views, pick)
    whole <- pick(rep(TRUE, length(set)))
    d$rows <- sort(unique(c(unlist(rows), whole)))
    for (i in seq_along(rows)) {
        d$folds[[i]]$columns <- match(rows[[i]], d$rows)
    }
    d$whole <- match(whole, d$rows)
    d
}

## The same cells with the genes `columns` only.
.withGenes <- function(d, columns) {
    d$x <- d$x[, columns, drop = FALSE]
    d$genes <- d$genes[columns]
    d
}

## Groups with enough cells of both conditions.
.responseGroups <- function(d, minCells) {
    n <- table(d$group, factor(d$treated, c(FALSE, TRUE)))
    good <- rownames(n)[n[, 1L] >= minCells & n[, 2L] >= minCells]
    if (!length(good)) {
        .stopArgument("condition", "has no group with ", minCells,
            " cells ('minCells') of both \"", d$ref, "\" and \"", d$level,
            "\"; there are ", sum(!d$treated), " and ", sum(d$treated), "."
        )
    }
    good
}

.responseDefault <- function(groups, asked) {
    if (!is.null(asked)) asked else if (length(groups) > 1L) "local shift" else
        "Gaussian transport"
}

## `method`: the name of the map that moves the cells, or NULL; `nets`: settings
## of the networks asked for, by name.
.responseChoice <- function(method) {
    nets <- list("scGen" = ScGenParam(), "CellOT" = CellOTParam())
    named <- function(m) {
        if (methods::is(m, "ScGenParam")) return("scGen")
        if (methods::is(m, "CellOTParam")) return("CellOT")
        .oneOf(m, c(.responseMethods, names(nets)), "method")
    }
    asked <- if (methods::is(method, "CausewayParam")) list(method) else
        as.list(method)
    called <- vapply(asked, named, "")
    if (anyDuplicated(called)) {
        .stopArgument("method", "has ", .some(called[duplicated(called)]),
            " twice.")
    }
    for (i in which(!vapply(asked, is.character, NA))) {
        nets[[called[[i]]]] <- asked[[i]]
    }
    list(method = if (length(called)) called[[1L]],
        nets = nets[intersect(called, names(nets))])
}

## Every fold's maps tested: scores as a data.frame, and energies of bootstrap
## samples: $<method>, groups x samples.
.testResponse <- function(d, job) {
    each <- lapply(d$folds, function(f) {
        mine <- .withGenes(d, f$columns)
        a <- .responseAxes(mine, which(f$view), job$nComponents)
        truth <- a$scores[f$hold, , drop = FALSE]
        X <- a$scores[f$start, , drop = FALSE]
        maps <- .responseMaps(mine, a, f$from, f$groups, job)
        told <- lapply(maps, function(map) map(X, which(f$start)))
        k <- .shuffled(nrow(truth), job$key, 31L) %% 2L == 0L
        floor <- .responseScores(truth[k, , drop = FALSE],
            truth[!k, , drop = FALSE], X, a, job$key)
        c(lapply(told, .responseScores, truth, X, a, job$key, job$nBoot),
            list(floor = floor))
    })
    methods <- names(each[[1L]])
    list(
        scores = do.call(rbind, lapply(d$learn, function(g) {
            do.call(rbind, lapply(methods, function(m) {
                cbind(group = g, method = m, each[[g]][[m]]$scores)
            }))
        })),
        samples = lapply(setNames(nm = setdiff(methods, "floor")), function(m) {
            do.call(rbind, lapply(each, function(e) e[[m]]$samples))
        })
    )
}
