## Genes that a cell's own row attends to, by group, beside shuffled labels.

#' Genes a cell's token attends to, by group
#'
#' How strongly the token that stands for the cell asks its genes in a CellFM
#' model, averaged over the cells of each group: cell types (marker genes, long
#' non-coding ones among them), or perturbations (genes that are most
#' affected). Beside it stands what groups of the same sizes with shuffled
#' labels give.
#'
#' @details
#' As published, scores of the kernel attention are turned into ranks among the
#' genes that a cell was read with, divided by their number, and averaged over
#' heads. (The published code ranks empty slots, too; here they aren't read.) A
#' gene's score in a group is the mean over those of the group's cells in which
#' it was read; `difference` is that less the mean over all other cells.
#' Attention follows expression in part, so the difference of log-normalised
#' expression is in the table, too, and how the two agree in the facts.
#'
#' Shuffling labels (within `block`) `nPerm` times gives each gene's null: `z`
#' is the difference over its root mean square there, `p` the share of all
#' genes' z's in the group, shuffled and not, that are as far from 0, `fdr` by Benjamini
#' and Hochberg within the group.
#'
#' @inheritParams cellInput
#' @param model a CellFM model, of [loadModel()] or [trainModel()].
#' @param maxLength most genes of a cell that are read.
#' @param alreadyNormalised are the values log1p of normalised counts, to be
#'   taken as they are?
#' @param seed `NULL`: shuffles are drawn from R's generator; or a whole number.
#' @param batchSize cells that are computed at once.
#' @param verbose show messages and progress.
#' @param group the groups: a column of `colData(x)`, or one value per cell.
#'   Cells without one (`NA`) are left out.
#' @param block `NULL`, or blocks (donors, batches) within which labels are
#'   shuffled.
#' @param layer layer whose attention is read; `NULL`: the last. Of an annotator
#'   (see [trainModel()]) the last query layer's is read, as published.
#' @param kind `"ranks"`, as published, or `"scores"`: as they are.
#' @param nPerm how often labels are shuffled.
#' @param minCells cells of a group in which a gene must be read.
#' @param feature `NULL`, or a column of `rowData(x)` (biotype) that the table
#'   is to have.
#' @param level largest `fdr` of a gene that counts as found.
#' @return An `AttentionReport` (see [verdict()]). Table `genes`: `group`,
#'   `gene`, `feature`, `score`, `rest`, `difference`, `z`, `p`, `fdr`,
#'   `expression` (difference of means), `cells`; the furthest above the null
#'   first. Table `groups`: cells, genes found above and below, agreement with
#'   expression.
#' @section Errors: those of [embedCells()]; fewer than two groups.
#' @references Zeng et al. (2025), CellFM, IdentifyingCelltypelncRNAs.
#' @seealso [embedCells()], [trainModel()]
#' @examples
#' cells <- exampleCells()
#' cells$kind <- rep(c("a", "b"), length.out = ncol(cells))
#' model <- newModel(CellFMParam(embedDim = 16, layers = 1, heads = 2,
#'     valueDim = 8), cells, seed = 1)
#' attentionGenes(cells, model, group = "kind", nPerm = 20, seed = 1,
#'     verbose = FALSE)
#' @aliases AttentionReport-class
#' @export
attentionGenes <- function(x, model, group, block = NULL, layer = NULL,
    kind = c("ranks", "scores"), nPerm = 50, minCells = 10, feature = NULL,
    level = 0.1, assay.type = NULL, symbols = NULL, assay = NULL,
    maxLength = 2048, alreadyNormalised = FALSE, seed = NULL, batchSize = 8,
    verbose = TRUE) {
    if (!methods::is(model, "CellFMModel")) {
        .stopArgument("model", "must be a CellFM model, from loadModel(); it ",
            "is a ", class(model)[[1L]], "."
        )
    }
    .alive(model)
    kind <- .oneOf(kind, c("ranks", "scores"), "kind")
    nPerm <- .checkNumber(nPerm, "nPerm", 10, 1e4, TRUE)
    minCells <- .checkNumber(minCells, "minCells", 1, whole = TRUE)
    level <- .checkNumber(level, "level", 0, 1, open = TRUE)
    batchSize <- .checkNumber(batchSize, "batchSize", 1, 4096, TRUE)
    layers <- model@config$enc_nlayers
    layer <- if (is.null(layer)) layers else
        .checkNumber(layer, "layer", 1, layers, TRUE)
    reading <- .cellfmReading(maxLength, NULL, alreadyNormalised)
    how <- .inputArgs(assay.type, symbols, assay = assay)
    cells <- .encoderCells(x, model, how, verbose)
    .needCounts(cells, alreadyNormalised)
    label <- .attentionLabels(group, cells)
    key <- .newKey(seed)
    shuffled <- .shuffledLabels(label$class,
        .tuningLabels(block, "block", cells)[label$cells], nPerm, key
    )
    .checkMemory(model, batchSize, min(length(cells$rows), maxLength), 0, FALSE,
        "batchSize", 24 * length(cells$rows) * length(label$levels) *
            (nPerm + 1)
    )
    sums <- .attentionSums(model, cells, label, shuffled,
        c(reading, layer = layer, kind = kind), batchSize, verbose
    )
    table <- .attentionTable(sums, label, minCells,
        cells$names[cells$rows], .geneFeature(cells, feature), level
    )
    .attentionReport(table, label, level, layer, kind, nPerm, key)
}

#' @exportClass AttentionReport
setClass("AttentionReport", contains = "CausewayReport")

## list(class: numbers from 1, levels, cells: those with a label).
.attentionLabels <- function(group, cells) {
    label <- .tuningLabels(group, "group", cells)
    at <- which(!is.na(label))
    label <- .asFactor(label[at])
    if (nlevels(label) < 2L) {
        .stopArgument("group", "has ", .count(nlevels(label), "group"),
            "; at least two are needed."
        )
    }
    list(class = as.integer(label), levels = levels(label), cells = at)
}

## cells x (1 + nPerm): the labels, then shuffled ones.
.shuffledLabels <- function(class, block, nPerm, key) {
    n <- length(class)
    block <- if (is.null(block)) rep("", n) else block
    by <- split(seq_len(n), .asFactor(block))
    out <- matrix(class, n, nPerm + 1L)
    for (p in seq_len(nPerm)) {
        order <- .shuffled(n, key, p)
        rank <- integer(n)
        rank[order] <- seq_len(n)
        for (at in by) {
            out[at, p + 1L] <- class[at][order(rank[at])]
        }
    }
    out
}

## The column of rowData() of the known genes; NULL without one.
.geneFeature <- function(cells, feature) {
    if (is.null(feature)) {
        return(NULL)
    }
    .checkText(feature, "feature")
    if (!feature %in% colnames(cells$geneData)) {
        .stopArgument("feature", "is \"", feature, "\", which is no column of ",
            "rowData(x); there are ", .some(colnames(cells$geneData), 8L), "."
        )
    }
    as.character(cells$geneData[[feature]])[cells$rows]
}

## Sums of scores, how often genes were read, and sums of log-normalised
## expression: genes x groups x (1 + nPerm), the last without shuffling.
.attentionSums <- function(model, cells, label, shuffled, settings, batchSize,
    verbose) {
    n <- length(cells$rows)
    k <- length(label$levels)
    acc <- new.env(parent = emptyenv())
    acc$score <- acc$count <- matrix(0, n, k * ncol(shuffled))
    acc$expression <- matrix(0, n, k)
    place <- match(seq_along(cells$cells), label$cells)
    .eachBatch(cells, batchSize, verbose, "Attention ",
        function(batch, columns) {
            found <- .engineRun(model, "attention", batch, settings)$score
            found <- matrix(found, n)
            read <- !is.nan(found)
            found[!read] <- 0
            member <- .oneHot(shuffled[place[columns], , drop = FALSE], k)
            acc$score <- acc$score + found %*% member
            acc$count <- acc$count + read %*% member
            logged <- batch$counts
            if (!settings$logged) {
                by <- pmax(Matrix::colSums(logged), 1)
                logged@x <- log1p(logged@x * rep(1e4 / by, diff(logged@p)))
            }
            acc$expression <- acc$expression +
                as.matrix(logged %*% member[, seq_len(k), drop = FALSE])
            NULL
        }, label$cells
    )
    shape <- c(n, k, ncol(shuffled))
    list(score = array(acc$score, shape), count = array(acc$count, shape),
        expression = acc$expression
    )
}

## labels (cells x shuffles) -> cells x (groups of each shuffle side by side).
.oneHot <- function(labels, k) {
    out <- matrix(0, nrow(labels), k * ncol(labels))
    at <- cbind(c(row(labels)), c((col(labels) - 1L) * k + labels))
    out[at] <- 1
    out
}

## Shares of the sorted values that are as far from 0; z's own is among them.
.sharesBeyond <- function(z, far) {
    1 - findInterval(abs(z), far, left.open = TRUE) / length(far)
}

## Per group and gene: mean, mean elsewhere, z, p, fdr. Attribute `shuffled`:
## how many genes each shuffle finds.
.attentionTable <- function(sums, label, minCells, genes, feature, level) {
    all <- rowSums(sums$score[, , 1L])
    read <- rowSums(sums$count[, , 1L])
    size <- tabulate(label$class, length(label$levels))
    chance <- matrix(0, length(label$levels), dim(sums$score)[[3L]] - 1L)
    tables <- vector("list", length(label$levels))
    for (g in seq_along(label$levels)) {
        score <- matrix(sums$score[, g, ], length(genes))
        count <- matrix(sums$count[, g, ], length(genes))
        rest <- (all - score) / (read - count)
        diff <- score / count - rest
        use <- which(count[, 1L] >= minCells & read - count[, 1L] >= minCells)
        ## the labels as they are count as one of the shuffles throughout:
        ## under the null nothing then tells them from the others
        every <- diff[use, , drop = FALSE]
        every[!is.finite(every)] <- NA
        sd <- sqrt(rowMeans(every^2, na.rm = TRUE))
        use <- use[is.finite(sd) & sd > 0]
        every <- (every / sd)[is.finite(sd) & sd > 0, , drop = FALSE]
        z <- every[, 1L]
        far <- sort(abs(every))
        p <- .sharesBeyond(z, far)
        chance[g, ] <- apply(every[, -1L, drop = FALSE], 2L, function(v) {
            found <- stats::p.adjust(.sharesBeyond(v, far), "BH") <= level
            sum(found, na.rm = TRUE)
        })
        expression <- sums$expression[use, , drop = FALSE]
        elsewhere <- rowSums(expression) - expression[, g]
        out <- data.frame(group = rep(label$levels[[g]], length(use)),
            gene = genes[use], score = (score / count)[use, 1L],
            rest = rest[use, 1L], difference = diff[use, 1L], z = z, p = p,
            fdr = stats::p.adjust(p, "BH"),
            expression = expression[, g] / size[[g]] -
                elsewhere / (sum(size) - size[[g]]),
            cells = as.integer(count[use, 1L])
        )
        if (!is.null(feature)) {
            out <- cbind(out[1:2], feature = feature[use], out[-(1:2)])
        }
        tables[[g]] <- out[order(-out$z), ]
    }
    out <- do.call(rbind, tables)
    rownames(out) <- NULL
    attr(out, "shuffled") <- colSums(chance)
    out
}

.attentionReport <- function(table, label, level, layer, kind, nPerm, key) {
    size <- tabulate(label$class, length(label$levels))
    groups <- do.call(rbind, lapply(seq_along(label$levels), function(g) {
        t <- table[table$group == label$levels[[g]], ]
        found <- t$fdr <= level
        data.frame(group = label$levels[[g]], cells = size[[g]],
            genes = nrow(t), above = sum(found & t$z > 0),
            below = sum(found & t$z < 0),
            agreement = if (nrow(t) < 3L) NA_real_ else
                stats::cor(t$difference, t$expression, method = "spearman")
        )
    }))
    found <- sum(groups$above + groups$below)
    shuffled <- attr(table, "shuffled")
    attr(table, "shuffled") <- NULL
    p <- (1 + sum(shuffled >= found)) / (1 + length(shuffled))
    holds <- found > 0L && p <= 0.05
    some <- groups$above + groups$below > 0
    agreement <- stats::weighted.mean(groups$agreement, groups$genes,
        na.rm = TRUE
    )
    text <- if (!holds) {
        paste0("Groups are not distinguishable by attention: ",
            .count(found, "gene"), " found, and as many or more in ",
            sum(shuffled >= found), " of ", nPerm, " times with shuffled ",
            "labels; these lists are noise."
        )
    } else {
        paste0(.count(found, "gene"), " in ", sum(some), " of ", nrow(groups),
            " groups ", if (found == 1L) "is" else "are", " attended to ",
            "differently (fdr ", level, "), more than with shuffled labels ",
            "(at most ", max(shuffled), "); ",
            sprintf(paste0("differences of attention and of expression ",
                "correlate by %.2f."), agreement)
        )
    }
    .report("AttentionReport", seed = .keyText(key),
        verdict = .verdict(text, holds = holds),
        tables = list(genes = table, groups = groups),
        facts = list(found = found, p = p, agreement = agreement, layer = layer,
            kind = kind, nPerm = nPerm, level = level
        )
    )
}
