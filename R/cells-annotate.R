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

.annotate <- function(annotator, input, rows, s, o, shared, nGenes) {
    stored <- annotator@reference
    ref <- .reference(stored$matrix, seq_len(nrow(stored$matrix)),
        stored$logged, stored$y, stored$types, o$threads)
    query <- .dataSet(input$matrix, rows, input$logged, "x", input$assay)
    fit <- .fitToQuery(annotator, ref, query, s)
    blocks <- .columnRanges(query$matrix)
    bar <- .progressStart("Annotating cells", length(blocks), o$verbose &&
        length(blocks) > 5L)
    parts <- vector("list", length(blocks))
    for (i in seq_along(blocks)) {
        block <- .typeBlock(query, blocks[[i]])
        parts[[i]] <- .labelBlock(block, query, fit, annotator, s, o)
        .progressTick(bar, i)
    }
    .progressDone(bar)
    cells <- do.call(rbind, parts)
    cells <- cbind(cell = input$cells, cells)
    novel <- if (s$novelty) .queryNovelty(annotator, ref, query, o,
        if (is.null(s$cluster)) cells$label else
            .typeColumn(input, s$cluster, "cluster"))
    if (!is.null(novel)) {
        cells$novelty <- novel$score
        cells$noveltyP <- novel$p
    }
    .cellLabels(annotator, cells, s, o, shared, nGenes, novel)
}

## Models for this query, from cells that stand for all of it.
.fitToQuery <- function(annotator, ref, query, s) {
    at <- .spreadCells(query$n, .fitCells)
    query$block <- .typeBlock(query, at)
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

## A row per cell of a block.
.labelBlock <- function(block, data, fit, annotator, s, o) {
    scores <- .scoreBlock(block, data, c(fit$models, list(fit$centroid)),
        o$threads)
    n <- length(fit$models)
    all <- .combine(scores[seq_len(n)], s$method)
    held <- annotator@models$held
    types <- annotator@reference$types
    p <- .tempered(all$logp, if (s$method == "default") held$temperature else
        1)
    call <- .callsOf(p)
    first <- if (is.null(all$guess)) call else .callsOf(all$guess)
    refit <- if (is.null(all$matched)) call else .callsOf(all$matched)
    broad <- .broadLabels(p, call, annotator@models$terms, types, s$level)
    data.frame(label = types[call], probability = p[cbind(seq_along(call),
        call)], broad = broad$label, broadProbability = broad$p,
        term = broad$fine, broadTerm = broad$term,
        set = .setText(.conformalSets(p, held$threshold), types),
        firstGuess = types[first], refit = types[refit],
        centroid = types[.callsOf(scores[[n + 1L]])])
}

## Label, term and probability of the back-off; the label's own term.
.broadLabels <- function(p, call, terms, types, level) {
    own <- p[cbind(seq_along(call), call)]
    if (is.null(terms)) {
        sure <- own >= level
        return(list(label = ifelse(sure, types[call], "unassigned"),
            p = ifelse(sure, own, NA_real_), term = NA_character_,
            fine = NA_character_))
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

## "B|T": the types of each set, most of which are the same few.
.setText <- function(inside, types) {
    pattern <- apply(inside, 1L, function(v) paste(which(v), collapse = "|"))
    each <- unique(pattern)
    text <- vapply(strsplit(each, "|", fixed = TRUE), function(v) {
        paste(types[as.integer(v)], collapse = "|")
    }, "")
    text[match(pattern, each)]
}
