## Effects of perturbations learnt, and whether that says anything of those that
## were not measured.

#' A fitted model of perturbations
#'
#' Made by [fitPerturbation()]. A [CausewayReport-class]: `verdict()` says
#' whether unseen perturbations are predicted better than without side
#' information; tables are `baselines` (a row per method), `perturbations`,
#' `pairs` where there are any, `side` (what is known of which gene) and
#' `weights`.
#'
#' @slot state list: effects, side information, control cells and weights, as
#'   [predictPerturbation()] and the others need them.
#' @return An object of this class.
#' @seealso [fitPerturbation()], [predictPerturbation()],
#'   [evaluatePerturbationModel()], [rankPerturbations()], [perturbationMap()]
#' @name PerturbationFit-class
#' @exportClass PerturbationFit
#' @examples
#' ## see fitPerturbation()
#' methods::slotNames("PerturbationFit")
setClass("PerturbationFit", contains = "CausewayReport",
    slots = c(state = "list")
)

#' Predict perturbations that were not measured, or say that it can't be done
#'
#' Learns from a screen (Perturb-seq and the like) what perturbing genes does to
#' expression, and tests by cross-validation over perturbations whether that,
#' with what is known of the genes, predicts genes that were not perturbed. The
#' answer comes first. Where it is no, [predictPerturbation()] falls back to the
#' shrunken mean effect by itself, and measured perturbations should be used.
#'
#' @details
#' Most of what looks like skill in this field is the control cells that all
#' effects share, and the mean effect of any perturbation. So control cells are
#' split in two at random: effects to train on are against one half, effects to
#' test on against the other. And the skill is the share of the squared error of
#' the mean effect that is taken away, the perturbed gene's own reading left
#' out; in fitting the gene's mean over the other perturbations of the same fold
#' stands in its place, so nothing is told of those that test. Which genes are
#' read out and the scale of library sizes are one choice for the screen, made
#' of all its cells without their labels, the same for the model, for every
#' baseline and for the null.
#'
#' The model, an empirical-Bayes Gaussian process, has a shared mean effect, a
#' similarity of genes (the plain average of the kernels there are: common
#' terms, neighbours in a graph, targets in a network, an embedding,
#' co-expression in control cells), what is the gene's own, and for pairs an
#' interaction and a sub-additive factor. Its few weights are by marginal
#' likelihood. Beside it stand direct profiles (regression on the gene in
#' control cells, rows of the network and two steps of it, neighbours in the
#' graph), each with one coefficient that is shrunk by its jackknife variance.
#' Without evidence all weights but the mean's go to 0.
#'
#' The verdict is yes if the skill is larger than with side information
#' permuted over the genes, everything refitted (p <= 0.05), and if the gain
#' over the same model without side information has a bootstrap interval above
#' 0. Skill over the mean alone is no evidence: shrinking to no change already
#' earns it. A network learnt from the same perturbed cells leaks: take one
#' from control cells or from elsewhere.
#'
#' Which verb for what: this one for the effects of genes, measured or not, on
#' all genes; [evaluatePerturbation()] to test a network's edges against
#' perturbed cells; [intervene()] for what a change of chromatin does along a
#' course with delays; [predictResponse()] for a drug or stimulus in cells that
#' were never treated. `perturbation`, `control` and `block` mean the same in
#' all.
#'
#' @param x cells, perturbed and control ones, as for [inferGRN()]; see
#'   [cellInput].
#' @param perturbation name of a column of `colData(x)`, or a label per cell;
#'   [parsePerturbations()] shows how labels are read. NA: not used.
#' @param control labels of control cells; NULL: the usual words.
#' @param block NULL, or as `perturbation`: replicates or batches. Each needs
#'   control cells of its own, against which its cells are compared.
#' @param network NULL, or regulators and targets with signs or weights: a
#'   data.frame (`from`, `to`, `weight`; [priorNetwork()]; `sign` is taken first
#'   where there is one), a matrix (regulators x targets), or a network of
#'   [inferGRN()] from control cells or others.
#' @param go NULL, or terms of all genes, not only of the perturbed ones: a
#'   data.frame (`gene`, `term`) or a named list of genes. Terms of 2 to 500
#'   genes count, small ones more.
#' @param graph NULL, or interactions such as those of STRING: a data.frame
#'   (`from`, `to`).
#' @param embedding NULL, or a matrix with genes as rows, such as the gene
#'   embeddings of a foundation model.
#' @param nTargets genes read out: the most variable ones, and the perturbed.
#' @param minCells cells a perturbation must have; others are left out.
#' @param folds folds of the cross-validation over perturbations.
#' @param nPerm permutations of the side information; NULL: 99, and 19 with
#'   more than 1,000 perturbations.
#' @param nBoot bootstrap samples of perturbations.
#' @param sep,guides as for [parsePerturbations()].
#' @param assay.type,symbols,alreadyNormalised as for [inferGRN()].
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number.
#' @param threads threads of the engine; NULL: `causeway.threads`. Results
#'   don't depend on it.
#' @param verbose show messages and progress.
#' @param ... not used.
#' @return A [PerturbationFit-class]. `as.data.frame(which = )` gives
#'   \describe{
#'     \item{baselines}{unseen single perturbations, a row per method: `method`;
#'       `skill`, `low`, `high` (95%), `withoutStrongest` (without the three
#'       strongest); means of `rAll`, `rTop` (Pearson correlation of effects
#'       over all genes, over the 20 with the largest effect), `rCentred` (less
#'       the mean effect), `direction` (share of the 20 with the right sign),
#'       `discrimination` (share of other perturbations whose true effect is
#'       further from the prediction; 0.5: chance); `gain`, `gainLow`,
#'       `gainHigh`: the share of the method's squared error that the model
#'       takes away (95%, the same perturbations drawn for both: a model that is
#'       worse than the method beyond noise has all below 0).}
#'     \item{perturbations}{`perturbation`, `cells`, `responded` (share of
#'       cells that were changed, 1 where that can't be told; not used in the
#'       model), `own` (change of its own genes' mean log value), `strength`
#'       (mean squared effect, free of noise), and from cross-validation
#'       `error`, `errorMean`, `errorNone` (mean squared errors of the model,
#'       the mean, and the model without side information).}
#'     \item{pairs}{as `baselines`, by `group`: pairs with 2, 1, 0 genes seen.}
#'     \item{side}{a row per perturbed gene, a flag per kind of information.}
#'     \item{weights}{`part`, `value`: coefficients of direct profiles, shares
#'       of the prior variance, c.}
#'   }
#' @section Errors: no control cells, or fewer than 4 in a batch; no
#'   perturbation with `minCells` cells; labels that are read in two ways;
#'   cells without counts; missing or negative values; side information of the
#'   wrong shape.
#'   Values that look logged but are not said to be give a warning.
#' @references Ahlmann-Eltze, Huber and Anders (2025) Nature Methods (linear
#'   baselines); Vinas Torne et al. (2025), Systema (centred correlation);
#'   Roohani et al. (2024) Nature Biotechnology 42, 927 (splits of pairs).
#'   Equations and measurements are in the package's notes on perturbations.
#' @seealso [predictPerturbation()], [evaluatePerturbationModel()],
#'   [rankPerturbations()], [perturbationMap()], [plotPerturbation()],
#'   [simulatePerturbations()]
#' @examples
#' x <- simulatePerturbations(nPathways = 4, nTargets = 40, nPairs = 0,
#'     cells = c(30, 60), nControl = 200, seed = 1
#' )
#' known <- S4Vectors::metadata(x)
#' fit <- fitPerturbation(x, "perturbation", network = known$network,
#'     go = known$go, graph = known$graph, nPerm = 19, nBoot = 50, seed = 1,
#'     verbose = FALSE
#' )
#' fit
#' @export
fitPerturbation <- function(x, perturbation, control = NULL, block = NULL,
    network = NULL, go = NULL, graph = NULL, embedding = NULL,
    nTargets = 5000, minCells = 10, folds = 10, nPerm = NULL, nBoot = 500,
    sep = NULL, guides = TRUE, assay.type = NULL, symbols = NULL,
    alreadyNormalised = NULL, seed = NULL, ..., threads = NULL,
    verbose = TRUE) {
    .noDots(..., renamed = c(condition = "perturbation"))
    .given(x, "x", "the cells, perturbed and control ones")
    .given(perturbation, "perturbation",
        "a column of colData(x) or a label per cell says what was perturbed"
    )
    job <- list(
        nTargets = if (identical(nTargets, Inf)) Inf else
            .checkNumber(nTargets, "nTargets", 2, whole = TRUE),
        minCells = .checkNumber(minCells, "minCells", 2, whole = TRUE),
        folds = .checkNumber(folds, "folds", 2, whole = TRUE),
        nPerm = if (!is.null(nPerm)) .checkNumber(nPerm, "nPerm", 1, 1e5, TRUE),
        nBoot = .checkNumber(nBoot, "nBoot", 0, 1e5, TRUE),
        key = .newKey(seed), threads = .threads(threads),
        verbose = .checkFlag(verbose, "verbose")
    )
    side <- .sideInformation(network, go, graph, embedding)
    input <- .readCells(x, .inputArgs(assay.type, symbols,
        alreadyNormalised = alreadyNormalised), job$verbose)
    input$labels <- .readoutNames(input)
    plan <- .perturbationPlan(input, perturbation, control, block,
        job$minCells, sep, guides
    )
    unseen <- setdiff(toupper(unlist(plan$perts)), toupper(input$labels))
    if (length(unseen)) {
        .say(job$verbose, .count(length(unseen), "perturbed gene"), " not ",
            "among the genes of x (misspelt, or not measured): ",
            .some(unseen), ". Whether their perturbation worked can't be seen."
        )
    }
    if (plan$unlabelled) {
        .say(job$verbose, .count(plan$unlabelled, "cell"), " not used: ",
            "without a label (NA)."
        )
    }
    if (length(plan$few)) {
        .say(job$verbose, "Left out for having fewer than ", job$minCells,
            " cells: ", .some(plan$few), "."
        )
    }
    e <- .measuredEffects(input, plan, alreadyNormalised, job)
    out <- .fitEffects(e, side, plan, job)
    ## how to find the same cells again, for models that are trained on them
    out@state$reading <- list(perturbation = perturbation, control = control,
        block = block, minCells = job$minCells, sep = sep, guides = guides,
        how = .inputArgs(assay.type, symbols,
            alreadyNormalised = alreadyNormalised))
    out
}

## Names of readouts: symbols where there are, else identifiers.
.readoutNames <- function(input) {
    names <- trimws(input$names)
    if (input$type == "ensembl" && !is.null(input$symbols)) {
        symbol <- trimws(as.character(input$symbols))
        use <- !is.na(symbol) & nzchar(symbol) & !duplicated(toupper(symbol))
        names[use] <- symbol[use]
    }
    names
}

## Effects with all that goes with them, from cells.
.measuredEffects <- function(input, plan, alreadyNormalised, job) {
    how <- .valueScale(input, which(!is.na(plan$of)), alreadyNormalised)
    genes <- unique(unlist(plan$perts))
    own <- match(toupper(genes), toupper(input$labels))
    rows <- .readoutRows(input, plan, how, job$nTargets, own[!is.na(own)],
        job$threads
    )
    e <- .perturbationEffects(input, plan, how, rows, job$key, job$threads)
    e$readouts <- input$labels[rows]
    e$up <- toupper(e$readouts)
    e$controls <- .keptControls(input, plan, how, e)
    e$responded <- .respondedShare(input, plan, how, e, job$threads)
    e$target <- how$target
    e$logged <- how$logged
    e[c("centre", "half", "rows")] <- NULL
    e
}

## ---- everything after the effects -------------------------------------------

.fitEffects <- function(e, side, plan, job) {
    perts <- lapply(plan$perts, toupper)
    genes <- unique(unlist(perts))
    job$nPerm <- if (is.null(job$nPerm)) {
        if (length(perts) > 1000L) 19L else 99L
    } else job$nPerm
    known <- .sideOf(side, e$controls, e$readouts, e$sd, e$trainMean, genes,
        genes)
    data <- .modelData(e, known, perts, genes, job$threads)
    single <- .judgeSingles(e, known, data, perts, genes, job)
    pairs <- .judgePairs(e, known, data, perts, genes, job)
    .collect(length(e$Y))
    Y <- .jointEffects(e)
    .collect(length(Y))
    data <- .joinHalves(data, e, Y, job$threads)
    .collect(length(Y))
    final <- .finalFit(e, known, data, Y, job$threads)
    state <- list(effects = e, side = side, perts = perts, genes = genes,
        names = names(plan$perts), labels = plan$labels, final = final,
        spread = single$spread, crossed = single$crossed, key = job$key,
        nBoot = job$nBoot
    )
    .report("PerturbationFit", .screenVerdict(single, final, known, side),
        list(baselines = single$table,
            perturbations = .perturbationTable(e, plan, single),
            pairs = pairs, side = known$has, weights = .weightTable(final,
                known)
        ),
        c(list(perturbations = length(perts), singles = single$n,
            pairs = sum(lengths(perts) == 2L), readouts = nrow(e$Y),
            cells = sum(e$n), controlCells = sum(e$nControl),
            batches = length(plan$batches), left = length(plan$few),
            kernels = names(known$kernels), direct = names(known$direct)
        ), single$facts), .keyText(job$key), state = state
    )
}

## Effects against all control cells.
.jointEffects <- function(e) {
    share <- e$nControl[[1L]] / sum(e$nControl)
    share * e$Y + (1 - share) * e$T
}

## Fitted to them, `Y`, `data` their products.
.finalFit <- function(e, known, data, Y, threads) {
    all <- seq_along(e$n)
    fit <- .fitModel(data, all, threads)
    names(fit$alpha) <- names(known$direct)
    fit$Y <- .filledEffects(e, all, Y)
    fit$controls <- sum(e$nControl)
    fit
}

.weightTable <- function(fit, known) {
    parts <- c("mean effect", "similarity", "gene's own", "interaction")
    data.frame(
        part = c(if (length(known$direct)) paste("direct:",
            names(known$direct)), paste("share:", parts), "c"),
        value = c(fit$alpha, fit$share, fit$c)
    )
}

.perturbationTable <- function(e, plan, single) {
    at <- match(seq_along(plan$perts), single$at)
    pick <- function(v) if (length(v)) v[at] else rep(NA_real_, length(at))
    data.frame(perturbation = names(plan$perts), cells = e$n,
        responded = e$responded, own = e$ownChange,
        strength = .strengthOf(e), error = pick(single$model$mse),
        errorMean = pick(single$model$mseMean),
        errorNone = pick(single$none$mse)
    )
}
