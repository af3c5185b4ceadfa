## Networks per cell state from expression alone: the default per-cell
## estimator, its settings and its result.

#' Settings of the per-cell estimator
#'
#' `inferGRN(x, PerCellGRNParam())` needs no model: it finds cell states,
#' removes their means, and regresses every gene on the TFs with slopes that
#' may differ between states as far as the evidence goes. The result says first
#' whether the differences can be told from those of permuted states.
#'
#' @section Method:
#' \enumerate{
#'   \item States: principal components above a gene-permutation null,
#'     k-means, their number by silhouette, soft memberships W from the
#'     nearest cells. Your labels or coordinates can replace this.
#'   \item Centring: x less its fit on W, standardised. Only if there are
#'     `gate[["cells"]]` cells and `gate[["genes"]]` genes and the centred data
#'     have more than `gate[["gain"]]` nats per entry of evidence for a network;
#'     otherwise all cells are one state.
#'   \item x_cg = sum_t x_ct (beta_tg + sum_k W_ck delta_ktg) + e, with
#'     beta ~ N(0, a) and delta ~ N(0, a rho), noise per gene; a and rho by
#'     exact log evidence over their grids; rho = 0 is the pooled network.
#'   \item Score: |slope in the cell| x standard deviation of the TF in the
#'     cell's state.
#' }
#' Differences are called "not distinguishable from the pooled network", and
#' every cell gets the pooled network, when their gain in evidence is not above
#' that of every permutation of W over cells; when states were found whose mean
#' silhouette is below `gate[["silhouette"]]` (0.25: no substantial structure,
#' by Kaufman and Rousseeuw 1990); or when the slopes of the strongest 6% of
#' edges vary by less than 3% (median coefficient of variation).
#' Resolution is the state: nothing here resolves cells within one.
#'
#' @section States that are given:
#' They keep their names, and every one has a network, [stateNetwork()]. Cells
#' are centred on their label and divided by the standard deviation within
#' labels; a ridge over all cells gives the pooled network (prior variance a of
#' the slopes by evidence, noise 1), a ridge over a label's cells on what that
#' leaves its departure from it: slope_k = pooled + departure_k, with its own
#' prior variance a_k from 0 to 0.01 by evidence, noise fixed at the label's
#' residual variance (at least 0.2). Then both are fitted on a random half of
#' each label and judged on the other, over the genes that aren't TFs. A label
#' has a network of its own only if a_k > 0 and it explains more of held-out
#' variance than the pooled network, by more than 0.005 and than with any of
#' `nPerm` permutations of the labels; all others have the pooled network.
#' That is centred on the labels if one of them departs, or by `gate`. Where
#' TFs x (1 + labels) is at most 1,000 the joint model above is tried first. If
#' it is distinguishable its networks are taken, for it shares between labels
#' what they have in common; there a label departs if held-out cells show it
#' by more than permuted labels, however little. `centre = FALSE` is the joint
#' model alone. `rho` is of the joint model, `a` of it and of a pooled network
#' that isn't centred.
#'
#' On real cells (`bench/labels.R`) departures were seen in labels of 50
#' deeply sequenced cells and of 240 shallow ones, and not in 400 shallow ones.
#' Fitting a label by itself was the worst choice below 100 cells.
#'
#' @param states NULL: found; or labels, the name of a column of `colData(x)`
#'   (`"ident"`: the identities of a Seurat object) or a vector with a value
#'   per cell.
#' @param embedding NULL, or coordinates to find states in: the name of a
#'   `reducedDim` (Seurat: reduction) or a matrix, cells x dimensions.
#' @param nStates numbers of states tried, from 2 to 32; one number: that.
#' @param neighbours nearest cells that make a membership.
#' @param centre NULL: by the gate above; TRUE or FALSE: always or never.
#' @param a,rho grids of prior variances; rho = 0 always competes. `a = NULL`:
#'   0.001, 0.003 and 0.01, as on 24 TFs; with more TFs also these times 24 /
#'   TFs, for the more TFs there are the less each can explain.
#' @param nPerm permutations of the states over cells, for the verdict; at
#'   least 1.
#' @param gate named numbers `cells`, `genes`, `gain`, `silhouette`, see above.
#' @param block as for [inferGRN()], see [cellInput].
#' @return An object of class `PerCellGRNParam`. Stops, naming the argument,
#'   when a value is out of its range.
#' @seealso [inferGRN,ANY,PerCellGRNParam-method], [StateGRN-class],
#'   [switchingEdges()], [contrastGRN()], [trainModel()] with `teacher`
#' @examples
#' PerCellGRNParam(nStates = 3)
#' @export
PerCellGRNParam <- function(states = NULL, embedding = NULL, nStates = 2:8,
    neighbours = 30, centre = NULL, a = NULL,
    rho = c(0.03, 0.1, 0.3), nPerm = 10,
    gate = c(cells = 500, genes = 80, gain = 5e-4, silhouette = 0.25),
    block = NULL, ...) {
    .noDots(..., renamed = c(permutations = "nPerm"))
    if (!is.null(states) && !is.null(embedding)) {
        stop("'states' and 'embedding' can't be used together; give one of ",
            "them.", call. = FALSE
        )
    }
    if (!is.numeric(nStates) || !length(nStates) || anyNA(nStates) ||
        any(nStates != round(nStates)) || min(nStates) < 2 ||
        max(nStates) > 32) {
        .stopArgument("nStates", "must be whole numbers from 2 to 32; it is ",
            .show(nStates), "."
        )
    }
    if (!is.null(centre)) {
        .checkFlag(centre, "centre")
    }
    parts <- c("cells", "genes", "gain", "silhouette")
    if (!is.numeric(gate) || !setequal(names(gate), parts) ||
        !all(is.finite(gate))) {
        .stopArgument("gate", "must be finite numbers named ",
            paste(parts, collapse = ", "), "; it is ", .show(gate), "."
        )
    }
    for (name in c("a", "rho")) {
        grid <- if (name == "a") a else rho
        if (name == "a" && is.null(a)) {
            next
        }
        if (!is.numeric(grid) || !length(grid) || !all(is.finite(grid)) ||
            any(grid <= 0)) {
            .stopArgument(name, "must be positive numbers; it is ",
                .show(grid), "."
            )
        }
    }
    new("PerCellGRNParam", settings = list(
        states = states, embedding = embedding,
        low = min(nStates), high = max(nStates),
        neighbours = .checkNumber(neighbours, "neighbours", 1, 1e6, TRUE),
        centre = centre, a = a, rho = as.numeric(rho),
        nPerm = .checkNumber(nPerm, "nPerm", 1, 1e4, TRUE),
        gate = gate, block = block
    ))
}

#' @rdname PerCellGRNParam
#' @param ... not used.
#' @exportClass PerCellGRNParam
setClass("PerCellGRNParam", contains = "GRNParam")

setMethod(".paramName", "PerCellGRNParam",
    function(param) "varying-coefficient ridge"
)

setMethod(".paramSettings", "PerCellGRNParam", function(param) {
    s <- param@settings
    states <- if (!is.null(s$states)) "given labels" else paste0(
        if (is.null(s$embedding)) "principal components" else
            "given coordinates", ", ",
        paste(unique(c(s$low, s$high)), collapse = " to "), " by silhouette"
    )
    list(states = states,
        centre = if (is.null(s$centre)) "by the gate" else s$centre,
        a = if (is.null(s$a)) "by the number of TFs" else s$a,
        rho = c(0, s$rho), nPerm = s$nPerm
    )
})

## ---- estimation ------------------------------------------------------------

#' Infer networks of cell states, without a model
#'
#' See [PerCellGRNParam()] for the method.
#'
#' @inheritParams cellInput
#' @param model a [PerCellGRNParam()].
#' @param nTargets variable genes read beside the TFs; `NULL`: 1,000;
#'   `Inf`: all.
#' @param maxTFs most variable TFs used at most; cost grows with the cube of
#'   TFs x (1 + states).
#' @param preprocess see [cellInput]; `target` is the median total count
#'   of a cell unless given; genes seen in fewer than `minCells` (3) cells are
#'   left out.
#' @param seed NULL: from R's generator; or a whole number.
#' @param threads threads of the engine; NULL: `causeway.threads`. The result
#'   doesn't depend on it.
#' @param ... not used.
#' @return A [StateGRN-class].
#' @section Files of many cells: Of more than `options(causeway.sampleCells)`
#'   cells (10,000) in a file, or in another matrix that isn't in memory, the
#'   result holds the expression and memberships of a sample of so many, drawn
#'   by `seed` (`metadata(x)$sampled`; 0: all cells are held). Where `states` are
#'   given, networks, evidence and held-out variance are those of all cells,
#'   from sums that are taken block by block; the joint model isn't tried, and
#'   `maxTFs` looks at the sample. States that are found, a `block` or
#'   `centre = FALSE` read the sample alone. [stateNetwork()] and
#'   [regulonActivity()] give the activity of all cells.
#' @section Errors: those of [cellInput]; labels or
#'   coordinates that don't fit `x`; too few cells for the number of states;
#'   too many TFs.
#' @examples
#' cells <- simulateCells(nCells = 600, nGenes = 90, nTFs = 10, seed = 1)
#' inferGRN(cells, PerCellGRNParam(nPerm = 3), seed = 1)
#' @aliases inferGRN,ANY,PerCellGRNParam-method
#' @rdname inferGRN-PerCell
#' @export
setMethod("inferGRN", c("ANY", "PerCellGRNParam"), function(x, model,
    assay.type = NULL, symbols = NULL, species = NULL, tfs = NULL,
    nTargets = NULL, keep = NULL, genes = NULL, maxTFs = 300,
    alreadyNormalised = NULL, preprocess = list(), seed = NULL, ...,
    threads = NULL, assay = NULL, block = NULL, verbose = TRUE) {
    .noDots(...)
    s <- model@settings
    .checkFlag(verbose, "verbose")
    maxTFs <- .checkNumber(maxTFs, "maxTFs", 1, whole = TRUE)
    how <- .inputArgs(assay.type, symbols, species, tfs, nTargets, keep,
        genes, alreadyNormalised, preprocess, assay
    )
    key <- .newKey(seed)
    threads <- .threads(threads)
    prepared <- .networkCells(x, how, verbose, total = "median",
        most = .mostCells(), key = key, sums = FALSE
    )
    prepared <- .limitTFs(prepared, maxTFs, verbose)
    s <- .givenStates(s, prepared)
    block <- .blockOf(prepared, .oneBlock(block, s$block), verbose)
    fitted <- .lessBlocks(prepared, block)
    if (!is.null(prepared$sampled) && !.sumsSuffice(s, block)) {
        at <- prepared$sampled
        s <- .sampleStates(s, at)
        block <- if (!is.null(block)) droplevels(block[at])
        prepared <- .asHeld(prepared)
        fitted <- .asHeld(fitted)
    }
    .sayPerCell(prepared, verbose)
    object <- if (is.null(s$label)) {
        long <- .sayStates(prepared, s, verbose)
        .stateObject(fitted, .fitStates(fitted, s, key, threads, long), s, key)
    } else {
        .labelNetworks(fitted, s, key, threads, verbose)
    }
    if (!is.null(block)) {
        object@expression <- .withoutNames(prepared$values)
        object@metadata$block <- block
        object@verdict$confounded <- .confounded(block, s$label)
    }
    if (is.character(model@settings$states) &&
        length(model@settings$states) == 1L) {
        object@metadata$statesBy <- model@settings$states
    }
    .warnNoScores(object@pooled)
    v <- object@verdict
    .say(verbose, .verdictText(v), ". ", .verdictHelp(v))
    object
})

## What is about to be done, how large it is, and about how long it takes. TRUE
## where that is long enough to say in between how far it is.
.sayStates <- function(prepared, s, verbose) {
    n <- ncol(prepared$values)
    genes <- nrow(prepared$values)
    tfs <- sum(!prepared$nonTF)
    states <- if (is.null(s$w)) s$high else nrow(s$w)
    width <- tfs * (1 + states)
    grid <- length(s$rho) + 1
    ## products of the design, and a factorisation a grid point; a gene has
    ## its own noise, and so its own right-hand side
    work <- n * width^2 + grid * width^3 + grid * genes * width^2 +
        s$nPerm * (n * width^2 + grid * (width^3 + min(500, genes) * width^2))
    .say(verbose, "Networks per state: ", .count(tfs, "TF"), " x ", genes, " genes, ",
        .count(n, "cell"), ", ", if (is.null(s$w)) paste0("up to ", states,
            " states") else .count(states, "state"), ", ",
        .count(s$nPerm, "permutation"), "; about ",
        .duration(max(1, work / .workPerSecond)), " or less."
    )
    isTRUE(verbose) && work / .workPerSecond > 10
}

## Multiplications a second that the forecasts of time count on: one slow core.
.workPerSecond <- 5e9

## All but the `most` most variable TFs become ordinary genes.
.limitTFs <- function(prepared, most, verbose) {
    tf <- which(!prepared$nonTF)
    if (length(tf) <= most) {
        return(prepared)
    }
    scale <- .standardiser(prepared$values[tf, , drop = FALSE])$scale
    spread <- ifelse(scale > 0, 1 / scale, 0)
    prepared$nonTF[tf[-order(-spread)[seq_len(most)]]] <- TRUE
    message(length(tf), " TFs: the ", most, " most variable are used as ",
        "regulators ('maxTFs')"
    )
    prepared
}

## Labels as one-hot memberships, coordinates as a matrix dims x cells.
.givenStates <- function(s, prepared) {
    n <- length(prepared$cells)
    if (!is.null(s$states)) {
        label <- s$states
        if (is.character(label) && length(label) == 1L) {
            if (!label %in% colnames(prepared$cellData)) {
                .stopArgument("states", "is \"", label, "\", which isn't a ",
                    "column of colData(x): ",
                    .some(colnames(prepared$cellData), 8L), "."
                )
            }
            label <- prepared$cellData[[label]]
        }
        if (length(label) != n || anyNA(label)) {
            .stopArgument("states", "must have a label per cell, ", n,
                ", none missing; it has ", length(label), " with ",
                sum(is.na(label)), " missing."
            )
        }
        label <- droplevels(.asFactor(label))
        if (nlevels(label) == n) {
            .stopArgument("states", "has another label for every cell; ",
                "labels must name groups of cells."
            )
        }
        s$label <- label
        s$names <- levels(label)
        if (is.null(prepared$sampled)) {
            s$w <- .labelFlags(label)
        }
    }
    if (!is.null(s$embedding)) {
        s$point <- .givenCoordinates(s$embedding, prepared)
    }
    if (is.null(s$label)) {
        s$high <- min(s$high, n - 1L)
        if (s$high < s$low) {
            .stopArgument("x", "has ", n, " cells, too few for ", s$low,
                " states; give more cells, or 'states' for each."
            )
        }
    }
    s
}

## labels x cells
.labelFlags <- function(label) {
    t(outer(as.integer(label), seq_len(nlevels(label)), "==") + 0)
}

## Coordinates of the cells, dimensions x cells: a matrix (by row names, else
## by position) or the name of a reduction of `x`.
.givenCoordinates <- function(point, prepared) {
    n <- length(prepared$cells)
    if (is.character(point) && length(point) == 1L) {
        name <- point
        point <- .reductionOf(prepared, name)
        if (is.null(point)) {
            known <- names(prepared$reductions)
            .stopArgument("embedding", "is \"", name, "\", which isn't a ",
                "reduction (reducedDim) of 'x'; ", if (length(known))
                    paste0("it has ", .some(known)) else "it has none",
                ". Give a name or a matrix."
            )
        }
    }
    point <- as.matrix(point)
    at <- match(prepared$cells, rownames(point))
    if (!anyNA(at)) {
        point <- point[at, , drop = FALSE]
    }
    if (!is.numeric(point) || nrow(point) != n || ncol(point) < 1L ||
        !all(is.finite(point))) {
        .stopArgument("embedding", "must be finite numbers, cells x ",
            "dimensions, with ", n, " rows; it is ", nrow(point), " x ",
            ncol(point), "."
        )
    }
    dimnames(point) <- NULL
    t(point) + 0
}

.fitStates <- function(prepared, s, key, threads, loud = FALSE) {
    v <- prepared$values
    tf <- which(!prepared$nonTF)
    width <- length(tf) * (1 + if (is.null(s$w)) s$high else nrow(s$w))
    if (width > 6000) {
        .stopArgument("tfs", "are ", length(tf), ", too many for networks ",
            "per state; lower 'maxTFs' or 'nStates'."
        )
    }
    states <- if (is.null(s$w)) s$high else nrow(s$w)
    .checkEstimatorMemory(.Call(cw_r_ridge_forecast,
        as.numeric(c(ncol(v), nrow(v), length(tf), states, length(s$rho))),
        threads
    ), "networks per state")
    grids <- list(a = .priorGrid(s$a, length(tf)), rho = s$rho,
        verbose = as.numeric(loud))
    options <- list(nPerm = as.numeric(s$nPerm),
        low = as.numeric(s$low), high = as.numeric(s$high),
        neighbours = as.numeric(s$neighbours), nullGenes = 500,
        centring = if (is.null(s$centre)) "gated" else if (s$centre)
            "always" else "never",
        gateCells = .wholeGate(s$gate[["cells"]]),
        gateGenes = .wholeGate(s$gate[["genes"]]),
        gateGain = s$gate[["gain"]]
    )
    view <- list(p = v@p, i = v@i, x = v@x, genes = as.numeric(nrow(v)),
        cells = as.numeric(ncol(v))
    )
    fit <- .Call(cw_r_percell, view, tf - 1L, s$w, s$point, grids, options,
        key, threads
    )
    names(fit$numbers) <- c("states", "components", "centred", "gateGain", "a",
        "rho", "evidence", "empty", "gain"
    )
    fit
}

## "At least 500.5 cells" is at least 501.
.wholeGate <- function(x) min(max(ceiling(x), -2^53), 2^53)

.priorGrid <- function(a, nTFs) {
    if (!is.null(a)) {
        return(as.numeric(a))
    }
    a <- c(0.001, 0.003, 0.01)
    if (nTFs > 24) sort(c(a * 24 / nTFs, a)) else a
}

## From the engine's arrays, which run over genes first, to R's.
.stateObject <- function(prepared, fit, s, key) {
    at <- fit$numbers
    k <- at[["states"]]
    tf <- which(!prepared$nonTF)
    size <- c(nrow(prepared$values), length(tf), k)
    slope <- aperm(array(fit$slope[seq_len(prod(size))], size), c(2L, 1L, 3L))
    pooled <- t(matrix(fit$pooled, size[[1L]]))
    w <- t(matrix(fit$w[seq_len(k * ncol(prepared$values))], k))
    w <- w / rowSums(w) # the engine's are single precision
    sd <- matrix(fit$sd[seq_len(k * size[[2L]])], size[[2L]])
    colnames(w) <- if (is.null(s$names) || length(s$names) != k)
        paste0("state", seq_len(k)) else s$names
    verdict <- .stateVerdict(pooled, slope, fit, tf, s,
        c(cells = ncol(prepared$values), genes = size[[1L]])
    )
    verdict$labelled <- !is.null(s$names)
    verdict$tfs <- length(tf)
    if (!verdict$distinguishable) {
        slope <- array(pooled, c(dim(pooled), ncol(w)))
        sd <- matrix(1, length(tf), ncol(w))
    }
    .newStates(prepared, pooled, slope, sd, w, verdict, key,
        "varying-coefficient ridge")
}

.withoutNames <- function(values) {
    values@Dimnames <- list(NULL, NULL)
    values
}

## The block said in the verb or in the settings, not in both.
.oneBlock <- function(verb, settings) {
    if (!is.null(verb) && !is.null(settings)) {
        .stopArgument("block", "is given twice, to inferGRN() and to ",
            "PerCellGRNParam(); give it once."
        )
    }
    if (is.null(verb)) settings else verb
}

.newStates <- function(prepared, pooled, slope, sd, w, verdict, key, model) {
    tf <- which(!prepared$nonTF)
    data <- S4Vectors::DataFrame(prepared$cellData)
    rownames(data) <- NULL
    new("StateGRN",
        tfs = prepared$labels[tf], genes = prepared$labels,
        cells = prepared$cells, pooled = pooled, slope = slope, sd = sd,
        memberships = w, expression = .withoutNames(prepared$values),
        cellData = data,
        verdict = verdict, metadata = list(
            model = model, prior = "none",
            seed = .keyText(key), engine = .engineText(),
            species = prepared$report$species, coverage = prepared$report,
            sampled = max(length(prepared$sampled), prepared$drawn),
            preprocessing = prepared$report$settings
        )
    )
}
