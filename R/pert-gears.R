## GEARS on a screen: graphs, training, predictions, and its place among the
## models that are evaluated.

#' Train GEARS on a screen
#'
#' With a [GEARSParam()] [trainModel()] learns from a screen what perturbing
#' genes does to expression; [predictPerturbation()] then asks the model. Test
#' it with [evaluatePerturbationModel()] first, on perturbations left out: on
#' genes that weren't perturbed GEARS usually tells no more than the mean of the
#' others or a linear model.
#'
#' @details
#' Every perturbed cell is paired, once, with a random control cell of its
#' batch, and control cells with themselves. The loss looks at the genes that a
#' perturbation's cells express, the fourth power of the error. Genes are linked
#' by absolute correlation, perturbations by the share of terms (`go`) that they
#' have in common; a gene that is linked to none can't be told from others, and
#' predictions of it are flagged. The decoder adds to the control cell a change
#' that doesn't depend on the cell.
#'
#' @param x cells, perturbed and control ones; see [cellInput].
#' @param model a [GEARSParam()].
#' @param perturbation,control,block,go,nTargets,minCells,sep,guides as for
#'   [fitPerturbation()].
#' @param assay.type,symbols,alreadyNormalised as for [inferGRN()].
#' @param seed NULL: drawn from R's generator; or a whole number.
#' @param threads threads of the engine; NULL: `causeway.threads`.
#' @param verbose show messages and progress.
#' @param ... not used.
#' @return A [GEARSModel-class]. [trainingHistory()] of it has a row per epoch:
#'   `epoch`, `autofocus`, `direction` (losses), `valid` (squared error of the
#'   validation perturbations on the 20 genes that differ most), `lr`,
#'   `seconds`; the weights are those of the best epoch.
#' @section Errors: those of [fitPerturbation()]: no control cells, no
#'   perturbation with `minCells` cells; terms of the wrong shape.
#' @references Roohani, Huang & Leskovec (2024) Nature Biotechnology 42, 927.
#' @seealso [GEARSParam()], [predictPerturbation()],
#'   [evaluatePerturbationModel()]
#' @examples
#' x <- simulatePerturbations(nPathways = 3, nTargets = 30, nPairs = 4,
#'     cells = c(20, 30), nControl = 80, seed = 1
#' )
#' go <- S4Vectors::metadata(x)$go
#' small <- GEARSParam(hiddenSize = 8, epochs = 2)
#' model <- trainModel(x, small, "perturbation", go = go, seed = 1,
#'     verbose = FALSE
#' )
#' trainingHistory(model)
#' predictPerturbation(model, c("FAC01", "FAC01+SIG02"))
#' ## is it worth anything here?
#' fit <- fitPerturbation(x, "perturbation", go = go, nPerm = 9, nBoot = 20,
#'     seed = 1, verbose = FALSE
#' )
#' evaluatePerturbationModel(fit, "single, unseen", list(GEARS = small), x = x,
#'     folds = 2, verbose = FALSE
#' )
#' @rdname trainModel-gears
#' @aliases trainModel,ANY,GEARSParam-method
#' @export
setMethod("trainModel", c("ANY", "GEARSParam"), function(x, model,
    perturbation, control = NULL, block = NULL, go = NULL, nTargets = 5000,
    minCells = 10, sep = NULL, guides = TRUE, assay.type = NULL,
    symbols = NULL, alreadyNormalised = NULL, seed = NULL, threads = NULL,
    verbose = interactive(), ...) {
    .noDots(...)
    .given(perturbation, "perturbation",
        "a column of colData(x) or a label per cell says what was perturbed"
    )
    nTargets <- if (identical(nTargets, Inf)) Inf else
        .checkNumber(nTargets, "nTargets", 2, whole = TRUE)
    minCells <- .checkNumber(minCells, "minCells", 2, whole = TRUE)
    key <- .newKey(seed)
    threads <- .threads(threads)
    go <- if (!is.null(go)) .sideTerms(go)
    input <- .readCells(x, .inputArgs(assay.type, symbols,
        alreadyNormalised = alreadyNormalised), verbose)
    input$labels <- .readoutNames(input)
    plan <- .perturbationPlan(input, perturbation, control, block, minCells,
        sep, guides)
    how <- .valueScale(input, which(!is.na(plan$of)), alreadyNormalised)
    genes <- unique(unlist(plan$perts))
    own <- match(toupper(genes), toupper(input$labels))
    rows <- .readoutRows(input, plan, how, nTargets, own[!is.na(own)], threads)
    d <- .gearsCells(input, plan, how, rows, which(!is.na(plan$of)), go)
    at <- seq_along(d$perts)
    held <- .gearsHeld(d$perts, at, model@settings$valid, key)
    made <- .gearsFit(d, model@settings, key, threads, setdiff(at, held), held,
        verbose)
    made@state$screen$control <- plan$labels$label[
        plan$labels$kind == "control"]
    .say(verbose, "Whether it predicts anything here: ",
        "evaluatePerturbationModel(fitPerturbation(...), models = ",
        "list(GEARS = GEARSParam()), x = x).")
    made
})

## ---- cells -----------------------------------------------------------------

## What is trained on: log values (readouts x cells, sparse), of (0: control),
## batch, perts, names, readouts, go.
.gearsCells <- function(input, plan, how, rows, at, go) {
    list(values = .extractValues(input$matrix, rows, at, 1 / how$scale[at], 1,
        how$logged, FALSE), of = plan$of[at], batch = plan$batch[at],
        perts = lapply(plan$perts, toupper), names = names(plan$perts),
        readouts = input$labels[rows], go = go, cells = input$cells[at]
    )
}

## Perturbations that choose the epoch: of singles a share, else of all.
.gearsHeld <- function(perts, train, share, key) {
    single <- train[lengths(perts[train]) == 1L]
    from <- if (length(single) >= 10L) single else train
    n <- floor(share * length(from))
    if (length(from) < 10L || n < 1) {
        return(integer())
    }
    from[.shuffled(length(from), key, 70L)[seq_len(n)]]
}

## At most `most` cells of each group, evenly spread.
.thinned <- function(of, most) {
    unlist(lapply(split(seq_along(of), of), function(at) {
        if (length(at) <= most) at else
            at[round(seq(1, length(at), length.out = most))]
    }), use.names = FALSE)
}

## For every cell a control cell of its batch (of those in `control`); control
## cells stand for themselves.
.gearsPairs <- function(of, batch, cells, key, control = which(of == 0L)) {
    own <- split(control, batch[control])
    out <- cells
    mixed <- .shuffled(length(cells), key, 71L)
    for (i in seq_along(cells)) {
        if (of[[cells[[i]]]] > 0L) {
            from <- own[[as.character(batch[[cells[[i]]]])]]
            if (is.null(from)) {
                .stopArgument("geneEmbedding", "has no control cell of the ",
                    "batch of ", .count(sum(batch == batch[[cells[[i]]]]),
                        "cell"), ".")
            }
            out[[i]] <- from[[(mixed[[i]] - 1L) %% length(from) + 1L]]
        }
    }
    out
}

## ---- training --------------------------------------------------------------

.moments <- function(values) {
    mean <- Matrix::rowMeans(values)
    n <- ncol(values)
    list(mean = mean, cells = n, var = pmax(Matrix::rowMeans(values^2) - mean^2,
        0) * n / max(n - 1, 1))
}

## A model trained on the perturbations `train`, the epoch chosen by `valid`.
.gearsFit <- function(d, s, key, threads, train, valid, verbose) {
    own <- if (is.array(s$geneEmbedding) && !is.matrix(s$geneEmbedding))
        .vectorsOfCells(s$geneEmbedding, d)
    has <- if (is.null(own)) which(d$of == 0L) else own$has
    cells <- .thinned(ifelse(d$of %in% train | seq_along(d$of) %in% has, d$of,
        NA), s$maxCells)
    control <- .moments(d$values[, d$of == 0L, drop = FALSE])
    vocab <- unique(c(unlist(d$perts), toupper(d$readouts)))
    alone <- c(0L, train[lengths(d$perts[train]) == 1L])
    vectors <- if (is.null(own) && !is.null(s$geneEmbedding))
        .readoutVectors(s$geneEmbedding, d$readouts)
    external <- if (!is.null(own)) own$width else if (is.null(vectors)) 0L else
        ncol(vectors)
    means <- vapply(train, function(p) {
        Matrix::rowMeans(d$values[, d$of == p, drop = FALSE])
    }, control$mean)
    g <- list(readouts = d$readouts, vocab = vocab, reference = control$mean,
        coexpression = if (external) .noLinks() else .coexpressionLinks(
            d$values[, d$of %in% alone, drop = FALSE], s, threads),
        go = .termLinks(d$go, vocab, s),
        embedding = vectors, own = if (!is.null(own)) .cellsWithVectors(own, d),
        meanDelta = rowMeans(means) - control$mean,
        screen = list(perts = d$perts[train], names = d$names[train],
            sd = sqrt(pmax(control$var, stats::quantile(control$var[
                control$var > 0], 0.1, names = FALSE))),
            known = unique(d$go$gene))
    )
    config <- list(num_genes = length(d$readouts), num_perts = length(vocab),
        hidden_size = s$hiddenSize, num_go_gnn_layers = s$goLayers,
        num_gene_gnn_layers = s$geneLayers, external_embedding = external,
        uncertainty = s$uncertainty, every_cell = s$everyCell)
    model <- .gearsModel(config, g, key, threads)
    kept <- matrix(1L, length(d$readouts), length(d$perts) + 1L)
    kept[, train + 1L] <- as.integer(means != 0)
    job <- list(d = d, cells = cells, kept = kept,
        control = .gearsPairs(d$of, d$batch, cells, key, has), own = own,
        index = .gearsIndex(c(list(character()), d$perts), vocab),
        valid = .gearsTargets(d, valid, control))
    .gearsRun(model, job, s, key, verbose)
}

## Control cells, at most 64, on which a model of cells' own embeddings predicts:
## values readouts x cells, vectors width x readouts x cells.
.cellsWithVectors <- function(own, d, most = 64L) {
    at <- own$has[.thinned(rep(1L, length(own$has)), most)]
    list(values = as.matrix(d$values[, at, drop = FALSE]),
        vectors = own$vectors(at))
}

## Rows of the table, most x sets, -1: none.
.gearsIndex <- function(sets, vocab) {
    most <- max(lengths(sets), 1L)
    matrix(vapply(sets, function(g) c(match(g, vocab) - 1L,
        rep(-1L, most - length(g))), integer(most)), most)
}

## Per perturbation its mean profile and the 20 genes that differ most.
.gearsTargets <- function(d, valid, control) {
    lapply(stats::setNames(valid, d$names[valid]), function(p) {
        m <- .moments(d$values[, d$of == p, drop = FALSE])
        order <- .Call(cw_r_judge_order, m, control) + 1L
        list(genes = d$perts[[p]], at = utils::head(order, 20L), mean = m$mean)
    })
}

.gearsRun <- function(model, job, s, key, verbose) {
    n <- length(job$cells)
    batch <- min(s$batchSize, n)
    ## the last, short batch is dropped
    batches <- .shuffledBatches(seq_len(n), batch, key, 200L, last = FALSE)
    .checkMemory(model, batch, length(job$d$readouts), 0, TRUE, "batchSize")
    .engineBegin(model, "train", list(optimizer = "adam", lr = s$lr,
        beta2 = 0.999, weightDecay = s$weightDecay, clip = 0,
        clipValue = s$clipValue, schedule = "step", every = batches$n,
        gamma = s$decay,
        totalSteps = s$epochs * batches$n
    ), s[c("uncertaintyReg", "directionWeight")], key = key)
    file <- tempfile("gears-", fileext = ".safetensors")
    on.exit(.removeFile(file))
    run <- .rounds(model, rep(batches$n, s$epochs),
        function(epoch) {
            parts <- batches$of(epoch)
            function(i) .gearsBatch(job, parts[[i]])
        },
        function(epoch, told, at) {
            loss <- Reduce(`+`, told) / length(told)
            data.frame(epoch = epoch, as.list(loss[names(loss) != "total"]),
                valid = .gearsError(model, job$valid), at)
        },
        "Training GEARS ", verbose, score = function(row) -row$valid,
        file = file
    )
    model@state$history <- do.call(rbind, run$log)
    model@state$status <- paste0("trained for ", s$epochs, " epochs on ",
        .count(n, "cell"), " of ", .count(length(model@state$screen$perts),
            "perturbation"))
    model
}

.gearsBatch <- function(job, at) {
    cell <- job$cells[at]
    p <- job$d$of[cell]
    list(control = job$d$values[, job$control[at], drop = FALSE],
        embedding = if (!is.null(job$own)) job$own$vectors(job$control[at]),
        truth = job$d$values[, cell, drop = FALSE],
        perturbed = job$index[, p + 1L, drop = FALSE],
        condition = as.integer(p), kept = job$kept[, p + 1L, drop = FALSE])
}

.gearsError <- function(model, targets) {
    if (!length(targets)) {
        return(NA_real_)
    }
    told <- .gearsDelta(model, lapply(targets, `[[`, "genes"))$delta
    mean(vapply(seq_along(targets), function(i) {
        t <- targets[[i]]
        mean((model@state$reference[t$at] + told[t$at, i] - t$mean[t$at])^2)
    }, 0))
}

## ---- predictions -----------------------------------------------------------

## Changes of mean log values, readouts x sets of genes (upper case), and how
## certain they are. The mean change where a gene is none of the model's.
.gearsDelta <- function(model, sets) {
    s <- model@state
    G <- length(s$readouts)
    delta <- matrix(s$meanDelta, G, length(sets))
    certain <- rep(NA_real_, length(sets))
    there <- which(vapply(sets, function(g) all(g %in% s$vocab), NA))
    if (!is.null(s$own)) {
        for (i in there) {
            told <- .deltaOfCells(model, sets[i])
            delta[, i] <- told$delta
            certain[[i]] <- told$certain
        }
        return(list(delta = delta, certain = certain,
            there = seq_along(sets) %in% there))
    }
    every <- isTRUE(model@config$every_cell)
    ## published: of 300 cells one is informed by co-expression
    weight <- if (every) 1 else c(1, 299) / 300
    size <- if (every) 64L else 1L
    for (at in split(there, (seq_along(there) - 1L) %/% size)) {
        index <- .gearsIndex(sets[at], s$vocab)
        use <- rep(seq_along(at), each = length(weight))
        out <- .engineRun(model, "predict", list(
            control = matrix(s$reference, G, length(use)),
            perturbed = index[, use, drop = FALSE]))
        y <- matrix(out$expression - s$reference, G)
        if (!every) {
            y <- y %*% weight
        }
        delta[, at] <- y
        if (!is.null(out$logVariance)) {
            v <- exp(-colMeans(matrix(out$logVariance, G)))
            certain[at] <- if (every) v else sum(v * weight)
        }
    }
    list(delta = delta, certain = certain, there = seq_along(sets) %in% there)
}

## The same of a model of cells' own embeddings, for one set: means over cells.
.deltaOfCells <- function(model, set) {
    own <- model@state$own
    n <- ncol(own$values)
    out <- .engineRun(model, "predict", list(control = own$values,
        embedding = own$vectors, perturbed = .gearsIndex(rep(set, n),
            model@state$vocab)))
    list(delta = rowMeans(matrix(out$expression, ncol = n) - own$values),
        certain = if (is.null(out$logVariance)) NA_real_ else
            exp(-mean(out$logVariance)))
}

.predictGEARS <- function(model, perturbations) {
    .alive(model)
    s <- model@state
    like <- list(perts = s$screen$perts, names = s$screen$names,
        labels = data.frame(label = s$screen$control, kind = rep("control",
            length(s$screen$control))),
        effects = list(readouts = s$readouts, sd = s$screen$sd,
            mean = s$reference),
        side = list(embedding = matrix(0, length(s$vocab), 0,
            dimnames = list(s$vocab, NULL))))
    if (is.null(perturbations) && !length(like$perts)) {
        .stopArgument("perturbations", "must be given: the model doesn't say ",
            "which it was trained on.")
    }
    sets <- .askedPerturbations(like, perturbations)
    told <- .gearsDelta(model, sets)
    delta <- told$delta
    dimnames(delta) <- list(s$readouts, names(sets))
    none <- delta
    none[] <- NA_real_
    table <- .gearsTable(s, sets, told)
    .report("PerturbationPrediction", .gearsVerdict(table),
        list(perturbations = table, genes = .changedGenes(like, delta, none,
            none)), list(level = NA_real_, cells = 0),
        delta = delta, low = none, high = none,
        profile = pmax(delta + s$reference, 0), cells = NULL
    )
}

.gearsTable <- function(s, sets, told) {
    seen <- unique(unlist(s$screen$perts))
    key <- function(x) vapply(x, function(g) paste(sort(g), collapse = "+"), "")
    linked <- s$vocab[unique(c(s$go$target[s$go$target != s$go$source],
        s$go$source[s$go$target != s$go$source])) + 1L]
    count <- vapply(sets, function(g) sum(g %in% seen), 0L)
    blind <- vapply(sets, function(g) any(!g %in% c(seen, linked)), NA)
    data.frame(perturbation = names(sets),
        seen = ifelse(key(sets) %in% key(s$screen$perts), "measured",
            ifelse(count == lengths(sets), "genes measured",
                ifelse(count > 0L, "some genes measured", "unseen"))),
        known = ifelse(vapply(sets, function(g) all(g %in% linked), NA), "go",
            ""),
        flag = ifelse(!told$there, "a gene is none of the model's: mean effect",
            ifelse(blind, "a gene was not perturbed and shares no terms", "")),
        size = sqrt(colMeans((told$delta / s$screen$sd)^2)),
        certain = told$certain, row.names = NULL)
}

.gearsVerdict <- function(table) {
    unseen <- sum(table$seen %in% c("unseen", "some genes measured"))
    flagged <- sum(nzchar(table$flag))
    .verdict(c(
        sprintf("%s predicted by GEARS, %d of them measured.",
            .count(nrow(table), "perturbation"), sum(table$seen == "measured")),
        if (unseen) paste0("Of ", .count(unseen, "perturbation"), " a gene ",
            "was not perturbed: GEARS usually tells no more of such than the ",
            "mean of the others; evaluatePerturbationModel() tests it."),
        if (flagged) paste0("Of ", flagged, " nothing can be known: see ",
            "'flag'.")
    ), holds = NA)
}

## ---- among the models that are evaluated -----------------------------------

## The cells that a fit was made from, half of the control cells left out.
.gearsScreen <- function(s, x) {
    r <- s$reading
    if (is.null(x) || is.null(r)) {
        .stopArgument("x", "must be the cells that 'fit' was made from, for ",
            "GEARS is trained on them.")
    }
    input <- .readCells(x, r$how)
    input$labels <- .readoutNames(input)
    plan <- .perturbationPlan(input, r$perturbation, r$control, r$block,
        r$minCells, r$sep, r$guides)
    e <- s$effects
    rows <- match(e$readouts, input$labels)
    if (!identical(plan$names, s$names) || anyNA(rows) ||
        !identical(as.numeric(c(sum(plan$of %in% 0L), tabulate(plan$of,
            length(plan$names)))), as.numeric(c(sum(e$nControl), e$n)))) {
        .stopArgument("x", "are other cells than those that 'fit' was made ",
            "from.")
    }
    how <- .valueScale(input, which(!is.na(plan$of)), r$how$alreadyNormalised)
    used <- which(!is.na(plan$of))
    half <- integer(length(plan$of))
    half[used] <- .halves(plan$of[used] * length(plan$batches) +
        plan$batch[used], s$key, 1)
    .gearsCells(input, plan, how, rows, which(plan$of > 0L |
        plan$of %in% 0L & half == 0L), s$side$go)
}

## Effects predicted over folds, readouts x perturbations, NA elsewhere.
.crossGEARS <- function(param, s, folds, d, key, threads, verbose) {
    out <- matrix(NA_real_, length(d$readouts), length(d$perts))
    for (f in folds) {
        held <- if (is.null(f$valid)) .gearsHeld(d$perts, f$train,
            param@settings$valid, key) else f$valid
        model <- .gearsFit(d, param@settings, key, threads,
            setdiff(f$train, held), held, verbose)
        out[, f$test] <- .gearsDelta(model, d$perts[f$test])$delta /
            s$effects$sd
    }
    out
}
