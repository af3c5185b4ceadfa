## Layer 4 of the validation: predicted effects against a perturbation.

.perturbationTests <- c("silence precision" = "> 0.85",
    "silence recall" = "> 0.3", "direction rate" = "> 0.6",
    "Spearman with log2 fold changes" = "> 0.2", "recall at 50" = "> 0.1"
)

.perturbationLayer <- function(de, effects) {
    tests <- .perturbationTests
    if (is.null(de) || is.null(effects)) {
        needs <- paste(c(
            if (is.null(de)) "'perturbation' (gene, y_before, y_after, log2FC)",
            if (is.null(effects)) "'effects' (gene, effect)"
        ), collapse = " and ")
        return(do.call(rbind, lapply(names(tests), function(t) {
            .notRun(4L, t, tests[[t]], needs, "effects")
        })))
    }
    if (is.data.frame(de) && is.null(de$log2FC)) {
        de$log2FC <- de$DE_log2FC
    }
    de <- .validationTable(de, "perturbation", c(gene = "text",
        y_before = "number", y_after = "number", log2FC = "number"
    ))
    de <- de[!duplicated(de$gene) & is.finite(de$y_before) &
        is.finite(de$y_after), ]
    at <- match(de$gene, effects$gene)
    if (all(is.na(at))) {
        .stopArgument("perturbation", "and 'effects' share no gene: ",
            .some(de$gene, 3L), " against ", .some(effects$gene, 3L), "."
        )
    }
    de$effect <- effects$effect[at]
    de <- de[!is.na(at), ]
    silent <- de$y_before < 0.01
    rbind(.silenceRows(de[silent, ]), .changeRows(de[!silent, ]))
}

.silenceRows <- function(d) {
    active <- d$y_after > 0.1
    predicted <- abs(d$effect) > 0.05
    names <- names(.perturbationTests)
    one <- function(i, value, n, threshold, what, note) {
        if (!n) {
            return(.notRun(4L, names[[i]], .perturbationTests[[i]],
                paste("genes silent before that", what), "effects"
            ))
        }
        .testRow(4L, names[[i]], value, NA, .perturbationTests[[i]],
            value > threshold, n, note, "effects"
        )
    }
    quiet <- sprintf("an effect is predicted for %.2f of all silent genes",
        mean(predicted)
    )
    rbind(
        one(1L, 1 - mean(predicted[!active]), sum(!active), 0.85,
            "stay so", quiet
        ),
        one(2L, mean(predicted[active]), sum(active), 0.3, "become active",
            quiet
        )
    )
}

.changeRows <- function(d) {
    names <- names(.perturbationTests)
    rbind(
        .rateRow(4L, names[[3L]],
            sign(d$y_after - d$y_before) == sign(d$effect), 0.6
        ),
        .correlationRow(4L, names[[4L]], d$effect, d$log2FC, 0.2, "> 0.2",
            "effects"
        ),
        .recallRow(d[is.finite(d$log2FC), ], 50L)
    )
}

## Of the k largest changes, how many are among the k largest predictions?
.recallRow <- function(d, k) {
    test <- names(.perturbationTests)[[5L]]
    if (nrow(d) <= k) {
        return(.notRun(4L, test, "> 0.1", paste0("more than ", k,
            " genes that aren't silent before; there are ", nrow(d)
        ), "effects"))
    }
    largest <- function(x) order(-abs(x))[seq_len(k)]
    hits <- length(intersect(largest(d$log2FC), largest(d$effect)))
    .testRow(4L, test, hits / k,
        stats::phyper(hits - 1, k, nrow(d) - k, k, lower.tail = FALSE),
        "> 0.1", hits / k > 0.1, nrow(d),
        sprintf("by chance %.2f (p: hypergeometric)", k / nrow(d)), "effects"
    )
}
