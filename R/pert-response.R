## A shift between two conditions, for cells never seen in the second.

#' Predict the response to a drug or stimulus in cells never treated
#'
#' Learns what a treatment does in the groups (cell types, donors) seen with and
#' without it, and moves control cells of a group never seen treated; tested by
#' leaving out each group that was, beside doing nothing and moving all alike.
#'
#' @details
#' Everything happens in principal components of all cells but the treated ones
#' of the group left out. Methods: `identity`; `mean shift`; `balanced shift`,
#' the mean of the groups' shifts, as scGen's arithmetic; `Gaussian transport`,
#' the optimal map between two normal distributions in closed form (Bures), with
#' Ledoit-Wolf covariances; `local shift`, the groups' shifts mixed for each
#' cell by how near it is to the groups' centres, weights exp(-d^2 / h), h the
#' median squared distance of centres. The default is the local shift with two
#' groups or more to learn from, else Gaussian transport.
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
#' @param condition name of a column of `colData(x)`, or a value per cell.
#' @param ref,level the values of untreated and of treated cells.
#' @param group NULL, or as `condition`: cell type or donor. Without it there is
#'   one group and nothing can be left out; half of the cells test then.
#' @param nTargets variable genes used.
#' @param nComponents principal components.
#' @param method NULL, the default, or one of the above, for the cells moved.
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
#' @seealso [fitPerturbation()] for perturbed genes
#' @examples
#' x <- simulateCells(nCells = 240, nGenes = 60, nTFs = 8, seed = 1)
#' x$treated <- rep(c("no", "yes"), 120)
#' predictResponse(x, "treated", ref = "no", level = "yes", group = "context",
#'     nComponents = 5, minCells = 10, seed = 1
#' )
#' @export
predictResponse <- function(x, condition, ref, level, group = NULL,
    nTargets = 1000, nComponents = 50, method = NULL, minCells = 20,
    assay.type = NULL, symbols = NULL, alreadyNormalised = NULL, seed = NULL,
    ..., threads = NULL) {
    .noDots(..., renamed = c(celltype = "group", control = "ref"))
    .given(condition, "condition", "a column of colData(x) or a value per cell")
    .given(ref, "ref", "the value of untreated cells")
    .given(level, "level", "the value of treated cells")
    job <- list(
        nTargets = .checkNumber(nTargets, "nTargets", 2, whole = TRUE),
        nComponents = .checkNumber(nComponents, "nComponents", 1, 1000, TRUE),
        minCells = .checkNumber(minCells, "minCells", 4, whole = TRUE),
        method = if (!is.null(method)) .oneOf(method, .responseMethods,
            "method"),
        key = .newKey(seed), threads = .threads(threads)
    )
    input <- .readCells(x, .inputArgs(assay.type, symbols,
        alreadyNormalised = alreadyNormalised))
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

## `x` cells x genes, sparse log values; `treated`, `group` per cell; `genes`,
## `names`.
.responseCells <- function(input, condition, ref, level, group, logged, job) {
    value <- .cellColumn(input, condition, "condition")
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
    how <- .valueScale(input, use, logged)
    plan <- list(of = ifelse(seq_along(value) %in% use, 1L, NA_integer_))
    rows <- .readoutRows(input, plan, how, job$nTargets, integer(),
        job$threads)
    x <- .extractValues(input$matrix, rows, use, 1 / how$scale[use], 1,
        how$logged, FALSE)
    d <- list(x = Matrix::t(x), treated = value[use] == level,
        group = of[use], genes = .readoutNames(input)[rows],
        cells = input$cells[use], ref = as.character(ref),
        level = as.character(level))
    d$learn <- .responseGroups(d, job$minCells)
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

## Components of some cells: centre, axes (genes x components), scores of all.
.responseAxes <- function(d, fit, nComponents) {
    x <- d$x[fit, , drop = FALSE]
    centre <- Matrix::colMeans(x)
    S <- as.matrix(Matrix::crossprod(x)) / nrow(x) - tcrossprod(centre)
    e <- eigen(S, symmetric = TRUE)
    k <- min(nComponents, sum(e$values > 1e-9 * e$values[[1L]]), nrow(x) - 1L)
    axes <- e$vectors[, seq_len(max(k, 1L)), drop = FALSE]
    list(centre = centre, axes = axes,
        scores = as.matrix(d$x %*% axes) -
            rep(drop(centre %*% axes), each = nrow(d$x)))
}

## Functions of cells (rows), learnt from untreated and treated ones.
.responseMaps <- function(z, treated, group, groups, threads) {
    X0 <- z[!treated, , drop = FALSE]
    X1 <- z[treated, , drop = FALSE]
    mean <- function(of, g) {
        colMeans(z[treated == of & group == g, , drop = FALSE])
    }
    k <- ncol(z)
    C <- matrix(vapply(groups, mean, numeric(k), of = FALSE), k)
    D <- matrix(vapply(groups, mean, numeric(k), of = TRUE), k) - C
    moved <- function(X, by) X + rep(by, each = nrow(X))
    shift <- colMeans(X1) - colMeans(X0)
    g <- .Call(cw_r_gaussian_map, t(X0), t(X1), threads)
    far <- as.matrix(stats::dist(t(C)))^2
    h <- if (any(far > 0)) stats::median(far[far > 0]) else 1
    list(
        identity = function(X) X,
        "mean shift" = function(X) moved(X, shift),
        "balanced shift" = function(X) moved(X, rowMeans(D)),
        "Gaussian transport" = function(X) {
            moved(moved(X, -g$from) %*% g$map, g$to)
        },
        "local shift" = function(X) {
            d2 <- outer(rowSums(X^2), colSums(C^2), `+`) - 2 * X %*% C
            w <- exp(-(d2 - apply(d2, 1L, min)) / h)
            X + (w / rowSums(w)) %*% t(D)
        }
    )
}

.responseDefault <- function(groups, asked) {
    if (!is.null(asked)) asked else if (length(groups) > 1L) "local shift" else
        "Gaussian transport"
}

## Each group left out in turn (one group: half of its cells); a data.frame.
.testResponse <- function(d, job) {
    one <- length(d$learn) == 1L
    half <- .halves(paste(d$group, d$treated), job$key, 30L)
    do.call(rbind, lapply(seq_along(d$learn), function(i) {
        g <- d$learn[[i]]
        hold <- d$treated & d$group == g & (!one | half == 1L)
        start <- !d$treated & d$group == g & (!one | half == 1L)
        learn <- if (one) !(hold | start) else !hold & d$group %in% d$learn
        groups <- if (one) g else setdiff(d$learn, g)
        a <- .responseAxes(d, which(if (one) learn else !hold),
            job$nComponents)
        from <- if (one) learn else learn & d$group != g
        maps <- .responseMaps(a$scores[from, , drop = FALSE], d$treated[from],
            d$group[from], groups, job$threads)
        truth <- a$scores[hold, , drop = FALSE]
        X <- a$scores[start, , drop = FALSE]
        k <- .shuffled(nrow(truth), job$key, 31L) %% 2L == 0L
        results <- c(lapply(maps, function(f) list(f(X), truth)),
            list(floor = list(truth[k, , drop = FALSE],
                truth[!k, , drop = FALSE])))
        do.call(rbind, lapply(names(results), function(m) {
            cbind(group = g, method = m, .responseScores(results[[m]][[1L]],
                results[[m]][[2L]], X, a, job$key))
        }))
    }))
}

.responseScores <- function(P, Y, X, a, key, most = 1000L) {
    few <- function(Z, use) {
        Z[.shuffled(nrow(Z), key, use)[seq_len(min(most, nrow(Z)))], ,
            drop = FALSE]
    }
    shown <- function(Z) drop(a$axes %*% colMeans(Z))
    base <- shown(X)
    t <- shown(Y) - base
    p <- shown(P) - base
    top <- order(-abs(t))[seq_len(min(50L, max(1L, length(t) %/% 4L)))]
    mine <- order(-abs(p))[seq_along(top)]
    A <- few(P, 32L)
    B <- few(Y, 33L)
    data.frame(energy = .energyDistance(A, B), mmd = .meanDiscrepancy(A, B),
        wasserstein = .marginalDistance(P, Y), rAll = .pearson(t, p),
        rTop = .pearson(t[top], p[top]),
        de = if (any(p != 0)) mean(mine %in% top) else 0,
        explained = 1 - sum((t - p)^2) / sum(t^2)
    )
}

.squaredDistances <- function(A, B) {
    pmax(outer(rowSums(A^2), rowSums(B^2), `+`) - 2 * tcrossprod(A, B), 0)
}

.energyDistance <- function(A, B) {
    n <- nrow(A)
    m <- nrow(B)
    within <- function(Z) {
        D <- sqrt(.squaredDistances(Z, Z))
        diag(D) <- 0
        sum(D) / (nrow(Z) * max(nrow(Z) - 1, 1))
    }
    2 * mean(sqrt(.squaredDistances(A, B))) - within(A) - within(B)
}

## Maximum mean discrepancy, mean over the kernels of CellOT.
.meanDiscrepancy <- function(A, B, gammas = c(2, 1, 0.5, 0.1, 0.01, 0.005)) {
    D <- list(.squaredDistances(A, A), .squaredDistances(B, B),
        .squaredDistances(A, B))
    mean(vapply(gammas, function(y) {
        k <- vapply(D, function(d) mean(exp(-y * d)), 0)
        k[[1L]] + k[[2L]] - 2 * k[[3L]]
    }, 0))
}

## Wasserstein-1 distance of each component by 200 quantiles, in standard
## deviations of the truth, mean.
.marginalDistance <- function(P, Y) {
    at <- (seq_len(200L) - 0.5) / 200
    mean(vapply(seq_len(ncol(Y)), function(j) {
        d <- stats::quantile(P[, j], at, names = FALSE) -
            stats::quantile(Y[, j], at, names = FALSE)
        mean(abs(d)) / max(stats::sd(Y[, j]), 1e-9)
    }, 0))
}
