## In-silico deletion of genes by Geneformer, beside genes of equal rank.

#' Delete genes in silico
#'
#' Takes a gene out of a cell's ranked genes and asks how far the cell's vector
#' moves: 1 minus the cosine of the vectors with and without it (Theodoris et
#' al. 2023). Taking out any gene moves a cell, the more the higher it ranks, so
#' every deletion stands beside that of another gene of about the same rank in
#' the same cell, drawn at random.
#'
#' @inheritParams cellInput
#' @param model a [GeneformerModel-class].
#' @param genes names of the genes to delete, as in `x`.
#' @param nCells at most so many cells that express a gene, drawn at random.
#' @param nNull random genes per deletion.
#' @param layer,maxLength see [embedGeneformer].
#' @param seed whole number, or `NULL`: R's generator.
#' @param ... not used.
#' @return A report of class `DeletionReport`. `as.data.frame()` has one row per
#'   gene: `gene`, `cells`, `shift` (mean over cells), `null` (that of random
#'   genes of equal rank), `difference`, `p` (paired t test over cells) and
#'   `fdr` (Benjamini-Hochberg).
#' @section Errors: those of [embedGeneformer]; genes that `x` or the model
#'   doesn't have.
#' @references Theodoris et al. (2023), Nature 618:616.
#' @seealso [embedGeneformer]
#' @examples
#' \dontrun{
#' deleteGenes(cells, model, genes = c("ENSG00000136574", "ENSG00000141448"))
#' }
#' @export
deleteGenes <- function(x, model, genes, assay.type = NULL, symbols = NULL,
    assay = NULL, nCells = 50, nNull = 1, layer = -1, maxLength = NULL,
    seed = NULL, verbose = TRUE, ...) {
    .noDots(...)
    if (!methods::is(model, "GeneformerModel")) {
        .stopArgument("model", "must be a Geneformer model, from loadModel(); ",
            "it is a ", class(model)[[1L]], "."
        )
    }
    .alive(model)
    .checkFlag(verbose, "verbose")
    how <- .geneformerReading(model, "mean", layer, maxLength)
    nCells <- .checkNumber(nCells, "nCells", 3, 1e6, TRUE)
    nNull <- .checkNumber(nNull, "nNull", 1, 100, TRUE)
    cells <- .geneformerCells(x, model,
        .inputArgs(assay.type, symbols, assay = assay), verbose
    )
    token <- .deletedTokens(model, cells, genes)
    key <- .newKey(seed)
    parts <- .eachBatch(cells, 8, verbose, "Deleting genes ",
        function(batch, columns) {
            tokens <- .rankTokens(model, .wholeCounts(batch$counts),
                batch$token, how$most
            )
            .deleteInCells(model, tokens, token, how, nNull, key, columns)
        }, .deletionCells(cells, model, token, nCells, key)
    )
    .deletionReport(do.call(rbind, parts), names(token), nNull, seed)
}

## Tokens of the genes, named.
.deletedTokens <- function(model, cells, genes) {
    genes <- .checkGenes(genes, "genes")
    at <- match(genes, cells$names)
    at[is.na(at)] <- match(.cleanSymbol(genes), cells$clean)[is.na(at)]
    lost <- genes[is.na(at) | is.na(cells$gene[at])]
    if (!length(genes) || length(lost)) {
        .stopArgument("genes", "has ", .count(length(lost), "gene"),
            " that 'x' or the model doesn't have: ", .some(lost), "."
        )
    }
    stats::setNames(model@vocab$token[cells$gene[at]], genes)
}

## The cells to look at: up to nCells that express each gene.
.deletionCells <- function(cells, model, token, nCells, key) {
    rows <- lapply(token, function(k) {
        which(model@vocab$token[cells$gene] == k)
    })
    at <- unlist(rows)
    use <- sort(unique(at))
    order <- .shuffled(ncol(cells$matrix), key, 0L)
    expressed <- as.matrix(.columnChunk(cells$matrix,
        seq_len(ncol(cells$matrix)), use
    ))
    chosen <- lapply(rows, function(r) {
        on <- colSums(expressed[match(r, use), , drop = FALSE]) > 0
        utils::head(order[on[order]], nCells)
    })
    chosen <- sort(unique(unlist(chosen)))
    if (!length(chosen)) {
        .stopArgument("genes", "are expressed in no cell.")
    }
    chosen
}

## One row per cell and gene: gene, shift, null.
.deleteInCells <- function(model, tokens, token, how, nNull, key, columns) {
    special <- model@vocab$token[is.na(model@vocab$median)]
    jobs <- list()
    for (i in seq_along(tokens)) {
        place <- match(token, tokens[[i]])
        gene <- which(!tokens[[i]] %in% special)
        for (g in which(!is.na(place))) {
            if (length(gene) < 3L) next
            null <- .matchedRanks(gene, place[[g]], nNull, key, columns[[i]], g)
            jobs[[length(jobs) + 1L]] <- list(cell = i, gene = g,
                drop = c(place[[g]], null)
            )
        }
    }
    if (!length(jobs)) {
        return(NULL)
    }
    base <- .embedRanks(model, tokens, how)
    without <- unlist(lapply(jobs, function(j) {
        lapply(j$drop, function(p) tokens[[j$cell]][-p])
    }), recursive = FALSE)
    moved <- .embedRanks(model, without, how)
    each <- rep(vapply(jobs, `[[`, 0L, "cell"), each = nNull + 1L)
    shift <- 1 - .rowCosines(base[each, , drop = FALSE], moved)
    shift <- matrix(shift, nNull + 1L)
    data.frame(gene = vapply(jobs, `[[`, 0L, "gene"), shift = shift[1L, ],
        null = colMeans(shift[-1L, , drop = FALSE])
    )
}

.rowCosines <- function(a, b) {
    rowSums(a * b) / sqrt(rowSums(a^2) * rowSums(b^2))
}

## Places of other genes of about the same rank: within a tenth of the genes.
.matchedRanks <- function(gene, place, n, key, cell, g) {
    at <- match(place, gene)
    reach <- max(2L, length(gene) %/% 10L)
    near <- setdiff(seq(max(1L, at - reach), min(length(gene), at + reach)), at)
    draw <- .shuffled(length(near), c((key[[1L]] + 7919 * cell) %% 2^32,
        (key[[2L]] + 104729 * g) %% 2^32
    ), 0L)
    gene[near[rep_len(draw, n)]]
}

#' @rdname deleteGenes
#' @name DeletionReport-class
#' @aliases DeletionReport
#' @exportClass DeletionReport
setClass("DeletionReport", contains = "CausewayReport")

.deletionReport <- function(rows, genes, nNull, seed) {
    one <- function(g) {
        r <- rows[rows$gene == g, ]
        d <- r$shift - r$null
        p <- if (length(d) > 2L && stats::sd(d) > 0) {
            stats::t.test(d)$p.value
        } else NA_real_
        data.frame(gene = genes[[g]], cells = nrow(r), shift = mean(r$shift),
            null = mean(r$null), difference = mean(d), p = p
        )
    }
    table <- do.call(rbind, lapply(seq_along(genes), one))
    table$fdr <- stats::p.adjust(table$p, "BH")
    table <- table[order(-table$difference), ]
    rownames(table) <- NULL
    more <- sum(table$fdr < 0.05 & table$difference > 0, na.rm = TRUE)
    text <- if (more) {
        paste0(more, " of ", .count(nrow(table), "gene"), " move cells more ",
            "than other genes of their rank (FDR 5%)"
        )
    } else {
        paste0("None of ", .count(nrow(table), "gene"), " moves cells more ",
            "than other genes of its rank: what is seen is what any deletion ",
            "does"
        )
    }
    .report("DeletionReport", verdict = .verdict(text, holds = more > 0),
        tables = list(genes = table),
        facts = list(genes = nrow(table), above = more, nNull = nNull),
        seed = seed
    )
}
