## Types of a query's cells from a reference.

#' Which types are these cells?
#'
#' Gives every cell the type of a labelled reference that it is most like, a
#' probability that is calibrated within the reference, the set of types that
#' it could be, and how unlike every type it is; and says first whether the
#' labels can be told apart at all on the genes that both share.
#'
#' @details
#' The default is the geometric mean of a first guess and of a logistic
#' regression. The first guess is itself the geometric mean of logistic
#' regression with the query standardised by its own mean and sd, the same on
#' cells scaled to one length, and the cosine to the types' centroids. The
#' logistic regression is refit three times with genes standardised so that the
#' reference has the composition that the query is called to have: then a
#' missing type isn't taken for a batch. References of fewer than 20 cells per
#' type (median) stop at the first guess. `method` chooses another way: the
#' first guess alone (`"guess"`), the refit regression alone (`"matched"`),
#' plain logistic regression (`"logistic"`), `"centroid"`, or `"lda"`, linear
#' discriminants, ten times cheaper.
#'
#' Counts become log(1 + 10,000 c / total) over the shared genes; values that
#' are logs are taken as they are.
#'
#' Probabilities are divided by a temperature, and the sets' thresholds are
#' chosen, on held-out cells of the reference: "90%" holds for cells like
#' these, and is less in other studies or species.
#'
#' With an ontology, `broad` is the most informative term whose probability,
#' summed over the types below it, reaches `level`; without, it is the label or
#' `"unassigned"`. The label itself stays in `label`.
#'
#' Cells are read in blocks, so a file-backed `x` never is whole in memory; the
#' refits use 20,000 of them, evenly spread.
#'
#' @param x the cells to annotate, see [cellInput].
#' @param reference labelled cells, see [cellInput]; a [CellAnnotator-class] of
#'   [trainAnnotator()]; or an scGPT, CellFM or KCellFM model that [trainModel()]
#'   was given classes for, whose labels ([predictClasses()]) have no conformal
#'   sets and no novelty.
#' @param labels,block,nGenes,maxCells,nPerm,terms for a reference of cells:
#'   see [trainAnnotator()].
#' @param method see Details.
#' @param ontology what [readOntology()] gives, or `NULL`.
#' @param level probability that a broader term must reach.
#' @param novelty TRUE: score how unlike every type cells are, see
#'   [noveltyScore()].
#' @param cluster column of the cell data of `x` with clusters, or a value per
#'   cell: novelty is also summed up by these; `NULL`: by the labels.
#' @param assay.type,assay,symbols,species,alreadyNormalised of `x`, see
#'   [cellInput]; the reference is read by the defaults (else:
#'   [trainAnnotator()]).
#' @param batchSize cells that go through a model at once.
#' @param seed whole number for random choices; `NULL`: R's generator.
#' @param threads engine threads; `NULL`: the default.
#' @param verbose tell what is left out.
#' @param ... not used.
#' @return A [CellLabels-class].
#' @section Errors: fewer than 50 shared genes, and what [trainAnnotator()]
#'   refuses.
#' @seealso [addLabels()], [trainAnnotator()], [evaluateAnnotation()],
#'   [noveltyScore()]
#' @examples
#' cells <- exampleCells(180)
#' odd <- seq_len(180) %% 2 == 1
#' labels <- annotateCells(cells[, !odd], cells[, odd], "group", nPerm = 3,
#'     novelty = FALSE, seed = 1)
#' labels
#' table(addLabels(cells[, !odd], labels)$cellType)
#' @rdname annotateCells
#' @export
setMethod("annotateCells", c("ANY", "ANY"), function(x, reference,
    labels = "cell_type", block = NULL, method = c("default", "guess",
        "matched", "logistic", "centroid", "lda"), ontology = NULL,
    terms = NULL, level = 0.8, novelty = TRUE, cluster = NULL, nGenes = NULL,
    maxCells = 500, nPerm = 9, assay.type = NULL, assay = NULL,
    symbols = NULL, species = NULL, alreadyNormalised = NULL, seed = NULL,
    threads = NULL, verbose = TRUE, ...) {
    .noDots(...)
    s <- .annotateOptions(match.arg(method), level, novelty, cluster)
    o <- .trainOptions(nGenes, maxCells, nPerm, ontology, terms, seed,
        threads, verbose)
    query <- .typeCells(x, .inputArgs(assay.type = assay.type, assay = assay,
        symbols = symbols, species = species,
        alreadyNormalised = alreadyNormalised), "x", verbose)
    ref <- .typeCells(reference, .inputArgs(), "reference", verbose)
    shared <- .sharedGenes(ref, query, verbose)
    annotator <- .trainOn(ref, labels, block, shared$reference, o,
        shared$notes)
    .annotate(annotator, query, shared$query, s, o, shared,
        c(nrow(ref$matrix), nrow(query$matrix)))
})

#' @rdname annotateCells
#' @export
setMethod("annotateCells", c("ANY", "CellAnnotator"), function(x, reference,
    method = c("default", "guess", "matched", "logistic", "centroid", "lda"),
    ontology = NULL, terms = NULL, level = 0.8, novelty = TRUE,
    cluster = NULL, assay.type = NULL, assay = NULL, symbols = NULL, species = NULL,
    alreadyNormalised = NULL, seed = NULL, threads = NULL, verbose = TRUE,
    ...) {
    .noDots(...)
    s <- .annotateOptions(match.arg(method), level, novelty, cluster)
    o <- reference@models$options
    o[c("threads", "verbose")] <- list(.threads(threads), verbose)
    o$key <- .newKey(seed)
    query <- .typeCells(x, .inputArgs(assay.type = assay.type, assay = assay,
        symbols = symbols, species = species,
        alreadyNormalised = alreadyNormalised), "x", verbose)
    shared <- .sharedGenes(reference@reference$naming, query, verbose)
    if (!is.null(ontology)) {
        .isOntology(ontology)
        o[c("ontology", "terms")] <- list(ontology, terms)
        reference@models$terms <- .typeTerms(reference@reference$types, o)
    }
    annotator <- .annotatorOn(reference, shared$reference, o)
    .annotate(annotator, query, shared$query, s, o, shared, c(
        nrow(reference@reference$matrix), nrow(query$matrix)))
})

.annotateOptions <- function(method, level, novelty, cluster) {
    list(method = switch(method, logistic = "logisticZ", method),
        level = .checkNumber(level, "level", 0.5, 1),
        novelty = .checkFlag(novelty, "novelty"), cluster = cluster)
}

## The annotator on these of its genes: itself where it needs no other and
## few are missing, else trained anew.
.annotatorOn <- function(annotator, rows, o) {
    stored <- annotator@reference
    n <- nrow(stored$matrix)
    if (length(rows) == n) {
        return(annotator)
    }
    .say(o$verbose, "The cells lack ", n - length(rows), " of the ",
        "annotator's ", n, " genes: training anew on the others.")
    stored$matrix <- stored$matrix[rows, , drop = FALSE]
    naming <- c("key", "names", "ids", "symbols")
    stored$naming[naming] <- lapply(stored$naming[naming], function(v) v[rows])
    .trainStored(stored, o, sprintf(paste("Trained anew on the %d of its %d",
        "genes that the cells have."), length(rows), n))
}

## ---- the work --------------------------------------------------------------

.fitCells <- 20000L

## One sweep over the cells: what depends on all of them (their moments, the
## calls' shares, the neighbours of novelty) is found beforehand, from cells
## that stand for them.
.annotate <- function(annotator, input, rows, s, o, shared, nGenes) {
    stored <- annotator@reference
    ref <- .reference(stored$matrix, seq_len(nrow(stored$matrix)),
        stored$logged, stored$y, stored$types, o$threads)
    query <- .dataSet(input$matrix, rows, input$logged, "x", input$assay)
    cluster <- if (s$novelty && !is.null(s$cluster))
        .typeColumn(input, s$cluster, "cluster")
    at <- .spreadCells(query$n, .fitCells)
    sample <- .partOf(query, at)
    fit <- .fitToQuery(annotator, ref, sample, s)
    like <- if (s$novelty) .noveltyFit(annotator, ref, sample, at, o)
    blocks <- .columnRanges(query$matrix)
    bar <- .progressStart("Annotating cells", length(blocks), o$verbose &&
        length(blocks) > 5L)
    parts <- vector("list", length(blocks))
    texts <- new.env()
    for (i in seq_along(blocks)) {
        block <- .typeBlock(query, blocks[[i]])
        parts[[i]] <- .codeTexts(c(.labelBlock(block, query, fit, annotator,
            s, o), if (s$novelty) .noveltyScores(like, block, query, o)),
            texts)
        .progressTick(bar, i)
    }
    .progressDone(bar)
    cells <- data.frame(cell = input$cells, .joinParts(parts, texts))
    novel <- if (s$novelty) .novelGroups(like, if (is.null(cluster))
        cells$label else cluster, cells, o)
    cells$noveltyHeld <- NULL
    .cellLabels(annotator, cells, s, o, shared, nGenes, novel)
}

## Columns of a block with their texts as places in `texts`, by column: they are
## few, and R's collector needn't look at millions again and again.
.codeTexts <- function(part, texts) {
    for (name in names(part)[vapply(part, is.character, NA)]) {
        known <- unique(c(texts[[name]], part[[name]]))
        part[[name]] <- match(part[[name]], known)
        assign(name, known, envir = texts)
    }
    part
}

.joinParts <- function(parts, texts) {
    lapply(setNames(nm = names(parts[[1L]])), function(name) {
        v <- unlist(lapply(parts, `[[`, name), use.names = FALSE)
        if (is.null(texts[[name]])) v else texts[[name]][v]
    })
}

## Cells of a data set, in memory.
.partOf <- function(data, at) {
    data$matrix <- .asColumns(.columnChunk(data$matrix, at))
    .checkFinite(data$matrix@x, data$assay, data$arg)
    data$n <- ncol(data$matrix)
    data$block <- .typeBlock(data)
    data
}

## Models for this query, from cells that stand for all of it.
.fitToQuery <- function(annotator, ref, query, s) {
    guess <- if (s$method %in% c("default", "guess", "matched"))
        annotator@models$guess
    fit <- .classify(ref, query, annotator@models$nGenes, s$method, guess)
    fit$centroid <- .centroids(ref, 300L)
    fit
}

## At most `most` of 1 .. n, evenly spread.
.spreadCells <- function(n, most) {
    if (n <= most) seq_len(n) else
        unique(as.integer(round(seq(1, n, length.out = most))))
}

## Ranges of columns that are read together: a few thousand cells.
.columnRanges <- function(m, size = 4096L) {
    n <- ncol(m)
    width <- max(256L, min(size, as.integer(128 * 1024^2 / (8 * nrow(m)))))
    unname(split(seq_len(n), (seq_len(n) - 1L) %/% width))
}

## Columns of the table of cells for a block.
.labelBlock <- function(block, data, fit, annotator, s, o) {
    held <- annotator@models$held
    types <- annotator@reference$types
    terms <- annotator@models$terms
    got <- .Call(cw_r_cell_label, block, lapply(c(fit$models, list(
        fit$centroid)), .engineModel, data), list(blend = s$method !=
        "matched", temperature = if (s$method == "default") held$temperature
        else 1, threshold = held$threshold, p = !is.null(terms)),
        gsub("|", "/", types, fixed = TRUE), o$threads)
    broad <- .broadLabels(if (!is.null(terms)) t(got$p), got$label,
        got$probability, terms, types, s$level)
    list(label = types[got$label], probability = got$probability,
        broad = broad$label, broadProbability = broad$p, term = broad$fine,
        broadTerm = broad$term, set = got$set,
        firstGuess = types[got$guess], refit = types[got$matched],
        centroid = types[got$beside])
}

## Label, term and probability of the back-off; the label's own term. `p`:
## cells x types, which only `terms` need; `own`: the label's.
.broadLabels <- function(p, call, own, terms, types, level) {
    if (is.null(terms)) {
        sure <- own >= level
        none <- rep(NA_character_, length(call))
        return(list(label = ifelse(sure, types[call], "unassigned"),
            p = ifelse(sure, own, NA_real_), term = none, fine = none))
    }
    o <- terms$ontology
    back <- .backOff(p, terms, level)
    label <- ifelse(is.na(back$node), "unassigned", types[call])
    up <- !is.na(back$node) & back$node > 0L
    same <- up & back$node == ifelse(is.na(terms$term[call]), -1L,
        terms$term[call])
    label[up & !same] <- o@names[back$node[up & !same]]
    term <- rep(NA_character_, length(call))
    term[up] <- o@ids[back$node[up]]
    list(label = label, p = back$p, term = term,
        fine = o@ids[terms$term[call]])
}
