## Counts of RNA and chromatin that delays can be estimated from.

## Counts that the model can take, cells and features without any dropped.
.cleanCounts <- function(input, verbose) {
    .checkCounts(input$rna, "RNA")
    .checkCounts(input$atac, "chromatin")
    input$rna <- Matrix::drop0(input$rna)
    input$atac <- Matrix::drop0(input$atac)
    empty <- diff(input$rna@p) == 0L | diff(input$atac@p) == 0L
    if (any(empty)) {
        .say(verbose, .count(sum(empty), "cell"), " without a count in RNA ",
            "or chromatin left out."
        )
        input <- .keepCells(input, !empty)
    }
    .enoughCells(length(input$cells))
    input$dropped <- character()
    for (m in c("rna", "atac")) {
        seen <- tabulate(input[[m]]@i + 1L, nrow(input[[m]])) > 0L
        if (!any(seen)) {
            .stopArgument("x", "has no count at all in its ",
                if (m == "rna") "RNA." else "chromatin."
            )
        }
        if (!all(seen)) {
            what <- if (m == "rna") "gene" else "peak"
            .say(verbose, .count(sum(!seen), what), " without a count left ",
                "out."
            )
            names <- if (m == "rna") "genes" else "peaks"
            if (m == "rna") {
                input$dropped <- input$genes[!seen]
            }
            input[[names]] <- input[[names]][seen]
            input[[m]] <- input[[m]][seen, , drop = FALSE]
        }
    }
    input
}

.keepCells <- function(input, keep) {
    input$rna <- input$rna[, keep, drop = FALSE]
    input$atac <- input$atac[, keep, drop = FALSE]
    input$cells <- input$cells[keep]
    input$cellData <- input$cellData[keep, , drop = FALSE]
    input$rnaAt <- input$rnaAt[keep]
    input$atacAt <- input$atacAt[keep]
    input
}

.checkCounts <- function(m, label) {
    v <- m@x
    bad <- sum(!is.finite(v))
    if (bad) {
        .stopArgument("x", "has ", bad, " values that are NA, NaN or infinite ",
            "in its ", label, "; delays need counts."
        )
    }
    bad <- sum(v < 0)
    if (bad) {
        .stopArgument("x", "has ", bad, " negative values in its ", label,
            " (the smallest ", format(min(v)), "): scaled or centred data? ",
            "Give counts; 'assay.type' chooses the assay."
        )
    }
    v <- v[v != 0]
    share <- if (length(v)) mean(v != round(v)) else 0
    if (share > 0.1) {
        .stopArgument("x", "holds no counts in its ", label, ": ",
            round(100 * share), " % of the values that aren't 0 aren't whole ",
            "numbers", if (max(v) < 50) " (log-normalised?)", ". Give counts; ",
            "'assay.type' chooses the assay, for instance assay.type = ",
            "\"counts\"."
        )
    }
    invisible()
}
