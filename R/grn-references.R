## Reference networks: reading them, splitting them.

#' Read a reference network from a file
#'
#' Reads a table of known edges: comma, tab or semicolon separated, plain or
#' compressed (gzip, bzip2, xz), with a header that names the columns. The file
#' is looked through before it is read: its size once unpacked, the length of
#' its lines, bytes that no text has, its encoding. Nothing in it is run or
#' converted but the two columns of names.
#'
#' @param file path of the file.
#' @param maxBytes most bytes the file may have once unpacked.
#' @return A data.frame with the columns `Gene1` (source) and `Gene2` (target),
#'   character, blanks around names removed, in the order of the file; rows in
#'   which a name is missing are NA and are counted by [evaluateGRN()].
#' @details Columns are found by their names, without regard to case, spaces,
#'   dots, hyphens and underscores: sources in Gene1, TF, regulatoryGene
#'   (GENIE3), regulator, source, from, source_genesymbol (OmniPath) and the
#'   like; targets in Gene2, target, targetGene, Gene (SCENIC+), to,
#'   target_genesymbol; where several are there, gene symbols, then the first
#'   of this list are taken. Rows that say 0 or FALSE in a column that holds
#'   nothing but 0 and 1, or 0 in a column of weights (weight, score,
#'   importance, label, Type ...), are no edges: they are left out, which is
#'   said. The same holds wherever edges are read: [evaluateGRN()],
#'   [splitReference()], [priorNetwork()], [RidgeGRNParam()]. Quotes count
#'   where they surround a whole field.
#' @section Errors: no such file, a folder, an empty file; binary content or
#'   text that isn't UTF-8; a file, line or header that is too long; no such
#'   columns; a column of 0 and 1 of which it isn't known whether it says that
#'   there is an edge; rows that don't have the header's number of fields, by
#'   the number of their line.
#' @seealso [evaluateGRN()], [splitReference()]
#' @examples
#' file <- tempfile(fileext = ".tsv")
#' writeLines(c("TF\ttarget\tscore", "MYOD1\tACTA1\t0.9"), file)
#' readReference(file)
#' @export
readReference <- function(file, maxBytes = 2^31) {
    .checkText(file, "file")
    maxBytes <- .checkNumber(maxBytes, "maxBytes", 1)
    .edgePath(file, "file")
    .referenceEdges(file, "file", maxBytes = maxBytes)
}

## ---- splits ----------------------------------------------------------------

#' A reference split into a training and a held-out part
#'
#' Made by [splitReference()].
#'
#' A [CausewayReport-class] with the tables `train` and `test`, columns `Gene1`
#' and `Gene2`, and the facts `by` (`"TF"`, `"target"` or `"edge"`) and
#' `fraction`, the share held out.
#'
#' @param x a `ReferenceSplit`.
#' @param name `train` or `test`.
#' @return `x$train` and `x$test` give data.frames; [verdict()] says what else
#'   there is.
#' @section Errors: a `name` other than these two.
#' @seealso [splitReference()]
#' @name ReferenceSplit-class
#' @exportClass ReferenceSplit
#' @examples
#' edges <- data.frame(TF = rep(c("A", "B"), each = 3), target = letters[1:6])
#' split <- splitReference(edges, by = "target", seed = 1)
#' split
#' split$test
setClass("ReferenceSplit", contains = "CausewayReport")

#' Split a reference for held-out scoring
#'
#' A network that saw a reference, as a prior or in training, can only be
#' judged on edges it did not see. Give `split$train` to whatever learns, and
#' the split itself to [evaluateGRN()].
#'
#' @details By TF, the edges of some sources are held out: asks whether a
#' method finds the targets of TFs it was told nothing about. By target, the
#' edges to some targets: the candidates are then the held-out targets only. By
#' edge, single edges: the easiest, for how many targets each TF has, and how
#' many regulators each target, is seen in training, and that alone can score
#' well ([nullGRN()] with `"marginal"` or `"degree"` shows how well).
#'
#' @param reference as for [evaluateGRN()]; duplicated and self edges and rows
#'   with missing names are left out.
#' @param by what is held out.
#' @param fraction share of TFs, targets or edges held out, above 0, below 1.
#' @param seed NULL: drawn from R's generator, so `set.seed()` governs it; or a
#'   whole number.
#' @return A [ReferenceSplit-class].
#' @section Errors: as for [evaluateGRN()] for a bad reference; fewer than two
#'   TFs, targets or edges; a `fraction` that holds out none or all.
#' @seealso [evaluateGRN()], [priorNetwork()]
#' @examples
#' edges <- data.frame(
#'     TF = rep(c("MYOD1", "MYOG", "FOS"), each = 2),
#'     target = c("ACTA1", "CKM", "DES", "MYH3", "TTN", "ACTA1")
#' )
#' split <- splitReference(edges, by = "TF", seed = 1)
#' split$train
#' evaluateGRN(exampleGRN(), split, nBoot = 20, seed = 1)
#' @export
splitReference <- function(reference, by = c("TF", "target", "edge"),
    fraction = 0.5, seed = NULL) {
    by <- .oneOf(by, c("TF", "target", "edge"), "by")
    fraction <- .checkNumber(fraction, "fraction", 0, 1)
    edges <- .referenceEdges(reference)
    edges <- edges[!is.na(edges$Gene1) & !is.na(edges$Gene2), ]
    edges <- unique(edges[edges$Gene1 != edges$Gene2, ])
    rownames(edges) <- NULL
    unit <- switch(by,
        TF = edges$Gene1, target = edges$Gene2,
        edge = as.character(seq_len(nrow(edges)))
    )
    ## sorted, so that a split does not depend on the order of the rows
    order <- order(edges$Gene1, edges$Gene2, method = "radix")
    units <- if (by == "edge") unit[order] else sort(unique(unit),
        method = "radix"
    )
    n <- round(fraction * length(units))
    if (n < 1 || n >= length(units)) {
        .stopArgument("fraction", "holds out ", n, " of ",
            .count(length(units), by), "; both parts must have at least one."
        )
    }
    key <- .newKey(seed)
    out <- units[.shuffled(length(units), key, 0L)[seq_len(n)]]
    held <- unit %in% out
    part <- function(keep) {
        table <- edges[keep, ]
        rownames(table) <- NULL
        table
    }
    .report("ReferenceSplit", .verdict(c(
        sprintf("Reference split by %s: %s for training, %s held out", by,
            .count(sum(!held), "edge"), .count(sum(held), "edge")),
        "Give $train to what learns, and this object to evaluateGRN()"
    )), list(train = part(!held), test = part(held)),
    list(by = by, fraction = fraction), .keyText(key))
}

#' @rdname ReferenceSplit-class
#' @export
setMethod("$", "ReferenceSplit", function(x, name) {
    x@tables[[.oneOf(name, c("train", "test"), "name")]]
})

setMethod(".showBody", "ReferenceSplit", function(x) invisible())

## What evaluateGRN() needs of any reference.
.splitParts <- function(reference) {
    if (!is(reference, "ReferenceSplit")) {
        return(list(edges = .referenceEdges(reference), by = NULL))
    }
    list(
        edges = reference$test, by = reference@facts$by,
        train = reference$train, tfs = unique(reference$test$Gene1),
        targets = unique(reference$test$Gene2)
    )
}
