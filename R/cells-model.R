## Types of cells from a foundation model that was fine-tuned on classes.

#' @rdname annotateCells
#' @export
setMethod("annotateCells", c("ANY", "FoundationModel"), function(x, reference,
    ontology = NULL, terms = NULL, level = 0.8, assay.type = NULL,
    assay = NULL, symbols = NULL, batchSize = 16, verbose = TRUE, ...) {
    .noDots(...)
    s <- .annotateOptions("model", level, FALSE, NULL)
    found <- predictClasses(x, reference, assay.type, symbols, assay,
        batchSize, verbose)
    types <- reference@state$classes
    p <- as.matrix(found[types])
    call <- match(found$class, types)
    back <- .typeTerms(types, list(ontology = ontology, terms = terms))
    broad <- .broadLabels(p, call, p[cbind(seq_along(call), call)],
        back, types, s$level)
    cells <- data.frame(cell = found$cell, label = found$class,
        probability = found$probability, broad = broad$label,
        broadProbability = broad$p, term = broad$fine,
        broadTerm = broad$term
    )
    last <- utils::tail(reference@state$history, 1L)
    f1 <- if (is.null(last$macroF1)) NA_real_ else last$macroF1
    centroid <- if (is.null(last$centroidF1)) NA_real_ else last$centroidF1
    facts <- list(method = "model", level = s$level, queryCells = nrow(cells),
        backedOff = mean(cells$broad != cells$label),
        unassigned = mean(cells$broad == "unassigned")
    )
    .report("CellLabels", .verdict(.modelVerdict(f1, centroid, facts, back),
        f1 > centroid, f1 = f1, centroidF1 = centroid
    ), list(cells = cells, counts = .labelCounts(cells)), facts)
})

.modelVerdict <- function(f1, centroid, facts, terms) {
    pct <- function(p) sprintf("%.0f%%", 100 * p)
    c(if (is.na(f1)) paste("No cells were held out when the model was trained:",
        "nothing says how often its labels are right.") else
        sprintf(paste("Held-out cells of its training: macro-F1 %.3f, the",
            "nearest centroid %.3f: %s."), f1, centroid, if (f1 > centroid)
            "the model tells the types better" else paste("the model is no",
            "better; annotateCells(x, reference) with the labelled cells is",
            "the safer choice")),
        paste("Its probabilities aren't calibrated, and it can't say that a",
            "cell is of none of its types: noveltyScore() can."),
        sprintf("%s of the cells %s at level %.2g.", pct(facts$backedOff),
            if (is.null(terms)) "stay unassigned" else
                "are left at a broader term", facts$level)
    )
}
