## The labels of cells: class, verdict, printing, and back into the container.

#' Labels of cells
#'
#' Made by [annotateCells()]. `show()` begins with the verdict: are the
#' reference's labels distinguishable on the shared genes, which aren't, how
#' far the calls agree with the first guess. `as.data.frame(x, which = )`
#' gives:
#' \describe{
#'   \item{`"cells"`}{a row per cell: `label`, its calibrated `probability`;
#'     `broad`, the label or the broader term that reaches the asked
#'     probability, with `broadProbability`; `term` and `broadTerm`, Cell
#'     Ontology identifiers; `set`, the conformal set, types parted by `|`
#'     (one within a name is given as `/`);
#'     `firstGuess`, `refit` and `centroid`, what these say alone; `novelty`
#'     (0 to 1, a rank among these cells) and `noveltyP` (share of the
#'     reference's own held-out cells that look at least as unlike).}
#'   \item{`"counts"`}{cells per label, with mean probability, share backed off
#'     and share of small `noveltyP`.}
#'   \item{`"types"`, `"pairs"`, `"baselines"`}{of the reference, see
#'     [CellAnnotator-class].}
#'   \item{`"groups"`}{per cluster (or label): cells, share with `noveltyP`
#'     below .05, mean novelty, `unknown` (is that above what 95% of the
#'     reference's held-out cells have?), and the nearest type.}
#'   \item{`"findable"`}{per type of the reference, how well its cells would
#'     have been found had it been missing (area under the curve).}
#' }
#'
#' @return An object of class `CellLabels`, a [CausewayReport-class].
#' @seealso [annotateCells()], [addLabels()], [verdict()]
#' @examples
#' cells <- exampleCells(120)
#' labels <- annotateCells(cells, cells, "group", nPerm = 3, novelty = FALSE,
#'     seed = 1)
#' head(as.data.frame(labels)[1:4])
#' as.data.frame(labels, which = "counts")
#' @name CellLabels-class
#' @exportClass CellLabels
setClass("CellLabels", contains = "CausewayReport")

.cellLabels <- function(annotator, cells, s, o, shared, nGenes, novel) {
    facts <- c(annotator@facts, .queryFacts(cells, annotator, nGenes, novel))
    facts$notes <- unique(c(facts$notes, shared$notes))
    facts$method <- s$method
    facts$level <- s$level
    facts$similarity <- novel$similarity
    text <- c(annotator@verdict$text, .queryText(facts, cells, annotator))
    .report("CellLabels", .verdict(text, annotator@verdict$holds,
        f1 = annotator@verdict$f1, pairs = annotator@verdict$pairs),
        c(list(cells = cells, counts = .labelCounts(cells)),
            annotator@tables[c("types", "pairs", "baselines")],
            list(groups = novel$groups, findable = novel$findable)),
        facts, o$seed)
}

.queryFacts <- function(cells, annotator, nGenes, novel) {
    share <- sort(table(.asFactor(cells$label)) / nrow(cells),
        decreasing = TRUE)
    sets <- unique(cells$set) # most are the same few
    setSize <- lengths(strsplit(sets, "|", fixed = TRUE))[match(cells$set,
        sets)]
    list(queryCells = nrow(cells), genesReference = nGenes[[1L]],
        genesQuery = nGenes[[2L]],
        agreement = mean(cells$refit == cells$firstGuess),
        lopsided = share[[1L]] > 0.8 || sum(share > 0.05) < 3L,
        largest = names(share)[[1L]], largestShare = share[[1L]],
        centroidDiffers = mean(cells$label != cells$centroid),
        backedOff = mean(cells$broad != cells$label),
        unassigned = mean(cells$broad == "unassigned"),
        setSize = mean(setSize), unlike = if (!is.null(novel))
            mean(cells$noveltyP < 0.05), findable = novel$findable,
        unknownGroups = novel$groups$group[novel$groups$unknown])
}

.queryText <- function(f, cells, annotator) {
    pct <- function(p) sprintf("%.0f%%", 100 * p)
    few <- stats::median(tabulate(annotator@reference$y)) < .fewCells
    c(sprintf(paste("Genes: %s shared by reference (%s) and cells (%s)."),
            f$genes, f$genesReference, f$genesQuery),
        if (few) paste("Fewer than 20 cells per type: the first guess alone",
            "was taken."),
        sprintf("First guess and refit agree on %s of the cells%s.",
            pct(f$agreement), if (f$agreement < 0.9)
                ": below 90%, the query differs much from the reference"
            else ""),
        if (f$queryCells < 50) paste("Fewer than 50 cells: their own mean and",
            "sd are rough; compare with method = \"logistic\"."),
        if (f$lopsided) sprintf(paste("The calls pile up (%s: %s). Then",
            "centroids are the safer choice; they differ on %s of the cells",
            "(column 'centroid', or method = \"centroid\")."), f$largest,
            pct(f$largestShare), pct(f$centroidDiffers)),
        if (f$method != "default") paste("Probabilities of this method aren't",
            "calibrated.") else
        sprintf(paste("Probabilities are calibrated within the reference",
            "(error %.2f on held-out cells; expect over-confidence across",
            "species or studies); sets hold 90%% within the reference, mean",
            "size %.1f."), f$calibrationError, f$setSize),
        sprintf("%s of the cells %s at level %.2g%s.", pct(f$backedOff),
            if (is.null(annotator@models$terms)) "stay unassigned" else
                "are left at a broader term", f$level,
            if (!is.null(annotator@models$terms)) sprintf(
                ", %s of all without any", pct(f$unassigned)) else ""),
        .noveltyText(f))
}

.noveltyText <- function(f) {
    if (is.null(f$unlike)) {
        return(NULL)
    }
    unknown <- f$unknownGroups
    hidden <- if (!is.null(f$findable)) f$findable$type[
        f$findable$auroc < 0.8]
    c(sprintf(paste("%.0f%% of the cells look unlike every type at p < .05",
        "(5%% would within the reference). A missing type is found only if it",
        "is unlike every other; siblings are absorbed silently."),
        100 * f$unlike), if (f$queryCells < 50) paste("Of fewer than 50 cells",
        "this is rough: a batch's shift is in it, and it isn't averaged over",
        "like cells."), if (length(unknown)) paste0("Groups that look ",
        "unknown as a whole: ", .some(unknown), "; see rankNovelTypes()."),
        if (length(hidden)) paste0("Had they been missing ",
        "from this reference, these types would hardly have been noticed: ",
        .some(hidden), "."))
}

.labelCounts <- function(cells) {
    each <- split(seq_len(nrow(cells)), .asFactor(cells$label))
    out <- data.frame(label = names(each), cells = lengths(each),
        share = lengths(each) / nrow(cells), row.names = NULL)
    mean_of <- function(v) vapply(each, function(at) mean(v[at]), 0)
    out$meanProbability <- unname(mean_of(cells$probability))
    out$backedOff <- unname(mean_of(cells$broad != cells$label))
    if (!is.null(cells$noveltyP)) {
        out$unlike <- unname(mean_of(cells$noveltyP < 0.05))
    }
    out[order(-out$cells), , drop = FALSE]
}

setMethod(".showBody", "CellLabels", function(x) {
    .showRows(x@tables$counts, 30L)
})

## ---- into the container ----------------------------------------------------

#' Put labels into a container
#'
#' Writes labels, probabilities and what else [annotateCells()] found into the
#' cell data.
#'
#' @param x the container: a SingleCellExperiment (or other
#'   SummarizedExperiment), MultiAssayExperiment or Seurat object.
#' @param labels what [annotateCells()] gives.
#' @param name what the columns are called: `name`, `nameProbability`,
#'   `nameBroad`, `nameTerm`, `nameSet`, `nameNovelty`, `nameNoveltyP`.
#' @return `x`, of the same class, with these columns in `colData()` (of a
#'   Seurat object: its meta data; of a MultiAssayExperiment: the RNA
#'   experiment's). Cells that weren't annotated have NA. In
#'   containers with `metadata()` the verdict is in `metadata(x)[[name]]`.
#' @section Errors: no cell of `labels` in `x`; a matrix, which has no cell
#'   data.
#' @seealso [annotateCells()]
#' @examples
#' cells <- exampleCells(60)
#' labels <- annotateCells(cells, cells, "group", nPerm = 3, novelty = FALSE,
#'     seed = 1)
#' addLabels(cells, labels)
#' @export
addLabels <- function(x, labels, name = "cellType") {
    .isReport(labels, "CellLabels", "annotateCells", "labels")
    .checkText(name, "name")
    if (!.kindOf(x) %in% c("SingleCellExperiment", "SummarizedExperiment",
        "MultiAssayExperiment", "Seurat")) {
        .stopArgument("x", "must be a SingleCellExperiment, a ",
            "MultiAssayExperiment or a Seurat object; it is a ",
            class(x)[[1L]], ". as.data.frame(labels) has the table."
        )
    }
    if (.kindOf(x) == "MultiAssayExperiment") {
        rna <- .rnaExperiment(x)
        x[[rna]] <- addLabels(x[[rna]], labels, name)
        return(x)
    }
    at <- match(.cellNamesOf(x), labels@tables$cells$cell)
    if (all(is.na(at))) {
        .stopArgument("labels", "has no cell of 'x': its are like ",
            .some(labels@tables$cells$cell, 3L), "; those of 'x' like ",
            .some(.cellNamesOf(x), 3L), "."
        )
    }
    .withLabels(x, .labelColumns(labels, at, name), labels, name)
}

.cellNamesOf <- function(x) {
    names <- colnames(x)
    if (is.null(names)) paste0("cell", seq_len(ncol(x))) else names
}

## The experiment of a MultiAssayExperiment that holds the RNA.
.rnaExperiment <- function(x) {
    names <- names(x)
    .guessRna(names, .guessChromatin(names, function(n) rownames(x[[n]])))
}

.labelColumns <- function(labels, at, name) {
    cells <- labels@tables$cells
    columns <- c(label = "", probability = "Probability", broad = "Broad",
        term = "Term", set = "Set", novelty = "Novelty",
        noveltyP = "NoveltyP")
    columns <- columns[names(columns) %in% names(cells)]
    if (all(is.na(cells$term))) {
        columns <- columns[names(columns) != "term"]
    }
    out <- cells[at, names(columns), drop = FALSE]
    names(out) <- paste0(name, columns)
    out
}

.withLabels <- function(x, columns, labels, name) {
    if (.kindOf(x) == "Seurat") {
        rownames(columns) <- colnames(x)
        return(SeuratObject::AddMetaData(x, metadata = columns))
    }
    for (column in names(columns)) {
        SummarizedExperiment::colData(x)[[column]] <- columns[[column]]
    }
    S4Vectors::metadata(x)[[name]] <- list(verdict = labels@verdict)
    x
}
